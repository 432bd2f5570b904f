"""What the checks of S3 and STS share: clients, a bucket, requests made by hand."""

import base64
import datetime
import hashlib
import hmac
import http.client
import sys
import urllib.parse
import uuid

import boto3
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

ENDPOINT, ACCESS_KEY, SECRET_KEY, REGION = sys.argv[1:5]
ROLE = sys.argv[5:7]
HOST = urllib.parse.urlsplit(ENDPOINT).netloc
BUCKET = f"check-{uuid.uuid4().hex[:12]}"
CHECKS = []


def client(service="s3", key=ACCESS_KEY, secret=SECRET_KEY, token=None, region=REGION, **config):
    return boto3.client(
        service,
        endpoint_url=ENDPOINT,
        region_name=region,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=Config(
            signature_version="v4" if service == "sts" else "s3v4",
            retries={"max_attempts": 1, "mode": "standard"},
            s3={"addressing_style": "path"},
            **config,
        ),
    )


s3 = client()


def check(function):
    CHECKS.append(function)
    return function


def refused(code, status, call, **arguments):
    """Runs `call`, which must fail with this S3 code and HTTP status."""
    try:
        call(**arguments)
    except ClientError as error:
        found = error.response["Error"]["Code"]
        found_status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        assert (found, found_status) == (code, status), f"{found} {found_status}"
        return error.response
    raise AssertionError(f"not refused with {code}")


def sha256(body):
    return base64.b64encode(hashlib.sha256(body).digest()).decode()


def get(key):
    return s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()


def put(key, body, **more):
    return s3.put_object(Bucket=BUCKET, Key=key, Body=body, **more)


def presigned(method, key, headers=None, expires=300, at=None, secret=SECRET_KEY, query=None):
    """A URL and the headers to send with it; `at` moves the clock of the signer."""
    path = f"/{BUCKET}/{urllib.parse.quote(key, safe='/~')}"
    request = AWSRequest(
        method=method, url=ENDPOINT + path, headers=dict(headers or {}), params=query
    )
    signer = S3SigV4QueryAuth(Credentials(ACCESS_KEY, secret), "s3", REGION, expires=expires)
    if at is None:
        signer.add_auth(request)
    else:
        import botocore.auth

        real = botocore.auth.get_current_datetime
        botocore.auth.get_current_datetime = lambda *_, **__: at
        try:
            signer.add_auth(request)
        finally:
            botocore.auth.get_current_datetime = real
    return request.url, dict(headers or {})


def send(method, url, headers=None, body=b""):
    """One request with exactly these headers (and Host). Returns status, headers, body."""
    parts = urllib.parse.urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    connection = http.client.HTTPConnection(HOST, timeout=30)
    try:
        connection.putrequest(method, target, skip_accept_encoding=True)
        sent = {name.lower() for name in headers or {}}
        for name, value in (headers or {}).items():
            connection.putheader(name, value)
        if "content-length" not in sent and (body or method in ("PUT", "POST")):
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body or None)
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()
    finally:
        connection.close()


def bound(body, **changes):
    """The headers that the application's upload contract signs."""
    headers = {
        "Content-Length": str(len(body)),
        "Content-Type": "image/jpeg",
        "If-None-Match": "*",
        "x-amz-checksum-sha256": sha256(body),
    }
    headers.update(changes)
    return headers


def expect(answer, status, code=None):
    assert answer[0] == status, f"{answer[0]} instead of {status}: {answer[2][:300]!r}"
    if code:
        assert f"<Code>{code}</Code>".encode() in answer[2], answer[2][:300]
    return answer


def absent(key):
    refused("404", 404, s3.head_object, Bucket=BUCKET, Key=key)


def signed_header_request(method, path, headers, body):
    """Header authentication by hand, for what boto3 would never send."""
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    headers = {"host": HOST, "x-amz-date": now, **headers}
    names = sorted(headers)
    canonical = "\n".join(
        [method, path, "", *[f"{name}:{headers[name]}" for name in names], "", ";".join(names),
         headers["x-amz-content-sha256"]]
    )
    scope = f"{now[:8]}/{REGION}/s3/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    key = f"AWS4{SECRET_KEY}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    to_sign = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{digest}"
    signature = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/{scope}, "
        f"SignedHeaders={';'.join(names)}, Signature={signature}"
    )
    del headers["host"]
    return send(method, ENDPOINT + path, headers, body)
