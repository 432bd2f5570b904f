"""What a page in a browser may do."""

import uuid

from s3_checks import (
    BUCKET,
    ENDPOINT,
    bound,
    check,
    expect,
    presigned,
    put,
    refused,
    s3,
    send,
    sha256,
)


@check
def only_pictures_open_in_the_browser():
    put("picture", b"a", ContentType="image/jpeg")
    put("page", b"<script>", ContentType="text/html", ContentDisposition="inline")
    put("drawing", b"<svg>", ContentType="image/svg+xml")
    for key, disposition in [
        ("picture", None), ("page", "attachment"), ("drawing", "attachment"),
    ]:
        url, _ = presigned("GET", key)
        _, headers, _ = expect(send("GET", url), 200)
        assert headers["x-content-type-options"] == "nosniff"
        assert headers.get("content-disposition") == disposition, key


CORS = {
    "CORSRules": [
        {
            "AllowedOrigins": ["https://app.example", "https://*.preview.example"],
            "AllowedMethods": ["PUT", "GET"],
            "AllowedHeaders": ["content-type", "if-none-match", "x-amz-*"],
            "ExposeHeaders": ["ETag", "x-amz-checksum-sha256"],
            "MaxAgeSeconds": 600,
        }
    ]
}


def preflight(origin, method="PUT", headers="content-type,x-amz-checksum-sha256"):
    return send(
        "OPTIONS",
        f"{ENDPOINT}/{BUCKET}/any/key",
        {
            "Origin": origin,
            "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": headers,
        },
    )


@check
def cors_configuration():
    refused("NoSuchCORSConfiguration", 404, s3.get_bucket_cors, Bucket=BUCKET)
    expect(preflight("https://app.example"), 403, "AccessForbidden")
    s3.put_bucket_cors(Bucket=BUCKET, CORSConfiguration=CORS)
    assert s3.get_bucket_cors(Bucket=BUCKET)["CORSRules"] == CORS["CORSRules"]
    expect(preflight("https://app.example"), 200)
    s3.delete_bucket_cors(Bucket=BUCKET)
    expect(preflight("https://app.example"), 403, "AccessForbidden")


@check
def cors_preflight_before_authentication():
    s3.put_bucket_cors(Bucket=BUCKET, CORSConfiguration=CORS)
    for origin in ("https://app.example", "https://x.preview.example"):
        _, headers, _ = expect(preflight(origin), 200)
        assert headers["access-control-allow-origin"] == origin
        assert "PUT" in headers["access-control-allow-methods"]
        allowed = headers["access-control-allow-headers"].lower()
        assert "x-amz-checksum-sha256" in allowed and "content-type" in allowed
        assert headers["access-control-max-age"] == "600"
    expect(preflight("https://evil.example"), 403, "AccessForbidden")
    expect(preflight("https://app.example", "DELETE"), 403, "AccessForbidden")
    expect(preflight("https://app.example", headers="x-other"), 403, "AccessForbidden")


@check
def cors_on_actual_answers():
    s3.put_bucket_cors(Bucket=BUCKET, CORSConfiguration=CORS)
    body = b"from a browser"
    url, headers = presigned("PUT", f"up/{uuid.uuid4()}", bound(body))
    for origin, allowed in [("https://app.example", True), ("https://evil.example", False)]:
        _, answer, _ = send("PUT", url, {**headers, "Origin": origin}, body)
        found = answer.get("access-control-allow-origin")
        assert found == (origin if allowed else None), found
        assert "origin" in answer["vary"].lower()
        if allowed:
            assert "ETag" in answer["access-control-expose-headers"]
    refusal = send("GET", f"{ENDPOINT}/{BUCKET}/private", {"Origin": "https://app.example"})
    assert refusal[0] == 403
    assert refusal[1]["access-control-allow-origin"] == "https://app.example"
