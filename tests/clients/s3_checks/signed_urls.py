"""URLs that are used as signed, and otherwise."""

import datetime
import hashlib

from s3_checks import (
    BUCKET,
    absent,
    bound,
    check,
    expect,
    get,
    presigned,
    put,
    refused,
    s3,
    send,
    sha256,
)


@check
def presigned_put_as_signed():
    body = b"photo" * 1000
    url, headers = presigned("PUT", "up/right", bound(body))
    expect(send("PUT", url, headers, body), 200)
    assert get("up/right") == body
    head = s3.head_object(Bucket=BUCKET, Key="up/right", ChecksumMode="ENABLED")
    assert head["ChecksumSHA256"] == sha256(body) and head["ContentType"] == "image/jpeg"


@check
def presigned_put_a_second_time():
    body = b"once"
    url, headers = presigned("PUT", "up/twice", bound(body))
    expect(send("PUT", url, headers, body), 200)
    expect(send("PUT", url, headers, body), 412, "PreconditionFailed")


@check
def presigned_put_of_another_size():
    body = b"right size"
    url, headers = presigned("PUT", "up/size", bound(body))
    for other in (body + b"!", body[:-1]):
        changed = {**headers, "Content-Length": str(len(other))}
        expect(send("PUT", url, changed, other), 403, "SignatureDoesNotMatch")
    absent("up/size")


@check
def presigned_put_of_another_type():
    body = b"a picture"
    url, headers = presigned("PUT", "up/type", bound(body))
    changed = {**headers, "Content-Type": "text/html"}
    expect(send("PUT", url, changed, body), 403, "SignatureDoesNotMatch")
    without = {name: value for name, value in headers.items() if name != "Content-Type"}
    expect(send("PUT", url, without, body), 403, "SignatureDoesNotMatch")
    absent("up/type")


@check
def presigned_put_of_other_bytes():
    body, other = b"these bytes", b"other bytes"
    url, headers = presigned("PUT", "up/bytes", bound(body))
    expect(send("PUT", url, headers, other), 400, "BadDigest")
    changed = {**headers, "x-amz-checksum-sha256": sha256(other)}
    expect(send("PUT", url, changed, other), 403, "SignatureDoesNotMatch")
    absent("up/bytes")


@check
def presigned_put_without_if_none_match():
    body = b"must not overwrite"
    url, headers = presigned("PUT", "up/condition", bound(body))
    without = {name: value for name, value in headers.items() if name != "If-None-Match"}
    expect(send("PUT", url, without, body), 403, "SignatureDoesNotMatch")
    absent("up/condition")


@check
def presigned_for_another_key_or_method():
    url, headers = presigned("PUT", "up/key", bound(b"a"))
    expect(send("PUT", url.replace("up/key", "up/other"), headers, b"a"), 403)
    expect(send("DELETE", url, headers, b"a"), 403, "SignatureDoesNotMatch")
    put("readable", b"a")
    url, _ = presigned("GET", "readable")
    expect(send("GET", url), 200)
    expect(send("DELETE", url), 403, "SignatureDoesNotMatch")
    assert get("readable") == b"a"


@check
def presigned_tampered():
    put("tampered", b"a")
    url, _ = presigned("GET", "tampered")
    at = url.index("X-Amz-Signature=") + len("X-Amz-Signature=")
    flipped = "0" if url[at] != "0" else "1"
    for wrong in (
        url[:at] + flipped + url[at + 1 :],
        url.replace("X-Amz-Expires=300", "X-Amz-Expires=3000"),
        url + "&response-content-type=text%2Fhtml",
    ):
        expect(send("GET", wrong), 403, "SignatureDoesNotMatch")


@check
def presigned_expired():
    put("expired", b"a")
    early = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=400)
    url, _ = presigned("GET", "expired", expires=300, at=early)
    status, _, body = expect(send("GET", url), 403, "AccessDenied")
    assert b"Request has expired" in body
    url, _ = presigned("GET", "expired", expires=3600, at=early)
    expect(send("GET", url), 200)


@check
def presigned_longer_than_a_week():
    put("week", b"a")
    url, _ = presigned("GET", "week", expires=604_800)
    expect(send("GET", url), 200)
    url, _ = presigned("GET", "week", expires=604_801)
    expect(send("GET", url), 400, "AuthorizationQueryParametersError")


@check
def presigned_with_unsigned_amz_headers():
    put("secret", b"not for the holder of an upload URL")
    url, _ = presigned("PUT", "up/smuggled")
    for name, value in [
        ("x-amz-copy-source", f"/{BUCKET}/secret"),
        ("x-amz-meta-evil", "1"),
        ("x-amz-acl", "public-read"),
        ("x-amz-content-sha256", hashlib.sha256(b"").hexdigest()),
    ]:
        expect(send("PUT", url, {name: value}), 403, "AccessDenied")
    absent("up/smuggled")
    expect(send("PUT", url, {}, b"plain"), 200)


@check
def presigned_headers_in_the_query():
    body = b"hoisted"
    query = {"x-amz-checksum-sha256": sha256(body), "x-amz-meta-from": "query"}
    url, _ = presigned("PUT", "up/hoisted", query=query)
    expect(send("PUT", url, {}, b"changed"), 400, "BadDigest")
    expect(send("PUT", url, {}, body), 200)
    assert s3.head_object(Bucket=BUCKET, Key="up/hoisted")["Metadata"] == {"from": "query"}


@check
def presigned_response_overrides():
    put("override", b"<p>", ContentType="text/html")
    url = s3.generate_presigned_url(
        "get_object",
        Params={
            "Bucket": BUCKET,
            "Key": "override",
            "ResponseContentType": "image/png",
            "ResponseContentDisposition": 'attachment; filename="a.png"',
            "ResponseCacheControl": "private, max-age=9",
        },
    )
    status, headers, body = expect(send("GET", url), 200)
    assert headers["content-type"] == "image/png"
    assert headers["content-disposition"] == 'attachment; filename="a.png"'
    assert headers["cache-control"] == "private, max-age=9"


@check
def presigned_parts():
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key="up/part")["UploadId"]
    url = s3.generate_presigned_url(
        "upload_part",
        Params={"Bucket": BUCKET, "Key": "up/part", "UploadId": upload, "PartNumber": 1},
    )
    status, headers, _ = expect(send("PUT", url, {}, b"part"), 200)
    parts = {"Parts": [{"PartNumber": 1, "ETag": headers["etag"]}]}
    s3.complete_multipart_upload(
        Bucket=BUCKET, Key="up/part", UploadId=upload, MultipartUpload=parts
    )
    assert get("up/part") == b"part"


@check
def long_body_to_a_refused_url_gets_its_answer():
    body = b"x" * (8 << 20)
    url, headers = presigned("PUT", "up/refused", bound(body), secret="wrong")
    expect(send("PUT", url, headers, body), 403, "SignatureDoesNotMatch")
