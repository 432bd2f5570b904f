"""boto3 against the local S3 and STS endpoint.

    boto3_s3.py ENDPOINT ACCESS_KEY SECRET_KEY REGION [ROLE_ARN EXTERNAL_ID]

With a role (which the server must trust under that external id), AssumeRole is checked as well.
Each check prints its name; the exit code is 1 when one of them fails, and the last line names
them. Needs boto3 and nothing else: presigned URLs are sent with http.client, byte for byte.
"""

import base64
import datetime
import hashlib
import hmac
import http.client
import io
import sys
import threading
import traceback
import urllib.parse
import uuid
import zlib

import boto3
from boto3.s3.transfer import TransferConfig
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


# Buckets


@check
def bucket_is_listed_headed_and_located():
    assert BUCKET in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    head = s3.head_bucket(Bucket=BUCKET)["ResponseMetadata"]
    assert head["HTTPHeaders"]["x-amz-bucket-region"] == REGION
    s3.get_bucket_location(Bucket=BUCKET)


@check
def missing_bucket_and_key():
    refused("NoSuchBucket", 404, s3.list_objects_v2, Bucket=BUCKET + "x")
    refused("NoSuchBucket", 404, s3.put_object, Bucket=BUCKET + "x", Key="a", Body=b"a")
    refused("NoSuchKey", 404, s3.get_object, Bucket=BUCKET, Key="missing")
    refused("404", 404, s3.head_bucket, Bucket=BUCKET + "x")


@check
def bucket_with_objects_is_not_deleted():
    name = BUCKET + "-full"
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="a", Body=b"a")
    refused("BucketNotEmpty", 409, s3.delete_bucket, Bucket=name)
    s3.delete_object(Bucket=name, Key="a")
    s3.delete_bucket(Bucket=name)
    refused("404", 404, s3.head_bucket, Bucket=name)


# Objects


@check
def put_get_head_with_attributes():
    answer = put(
        "attributes",
        b"content",
        ContentType="image/png",
        CacheControl="max-age=60",
        ContentLanguage="de",
        Metadata={"photo-id": "7"},
    )
    assert answer["ETag"] == f'"{hashlib.md5(b"content").hexdigest()}"'
    for found in (
        s3.get_object(Bucket=BUCKET, Key="attributes"),
        s3.head_object(Bucket=BUCKET, Key="attributes"),
    ):
        assert found["ContentLength"] == 7
        assert found["ContentType"] == "image/png"
        assert found["CacheControl"] == "max-age=60"
        assert found["ContentLanguage"] == "de"
        assert found["Metadata"] == {"photo-id": "7"}
        assert found["ETag"] == answer["ETag"]


@check
def empty_object():
    put("empty", b"")
    assert get("empty") == b""
    assert s3.head_object(Bucket=BUCKET, Key="empty")["ContentLength"] == 0


@check
def large_object_streams_both_ways():
    body = b"0123456789abcdef" * (3 << 16) + b"tail"
    put("large", body)
    assert get("large") == body


@check
def overwrite_replaces():
    put("over", b"first", ContentType="image/png")
    put("over", b"second")
    found = s3.get_object(Bucket=BUCKET, Key="over")
    assert found["Body"].read() == b"second"
    assert found["ContentType"] == "binary/octet-stream"


@check
def delete_is_repeatable():
    put("gone", b"a")
    for _ in range(2):
        assert s3.delete_object(Bucket=BUCKET, Key="gone")["ResponseMetadata"][
            "HTTPStatusCode"
        ] == 204
    absent("gone")


@check
def delete_many():
    keys = [f"many/{number} &<>" for number in range(5)]
    for key in keys:
        put(key, b"a")
    answer = s3.delete_objects(
        Bucket=BUCKET, Delete={"Objects": [{"Key": key} for key in [*keys, "never"]]}
    )
    assert sorted(item["Key"] for item in answer["Deleted"]) == sorted([*keys, "never"])
    assert "Contents" not in s3.list_objects_v2(Bucket=BUCKET, Prefix="many/")


@check
def ranges():
    put("range", b"0123456789")
    for asked, wanted, header in [
        ("bytes=2-4", b"234", "bytes 2-4/10"),
        ("bytes=7-", b"789", "bytes 7-9/10"),
        ("bytes=-3", b"789", "bytes 7-9/10"),
        ("bytes=5-100", b"56789", "bytes 5-9/10"),
    ]:
        found = s3.get_object(Bucket=BUCKET, Key="range", Range=asked)
        assert found["ResponseMetadata"]["HTTPStatusCode"] == 206
        assert found["Body"].read() == wanted
        assert found["ContentRange"] == header
    refused("InvalidRange", 416, s3.get_object, Bucket=BUCKET, Key="range", Range="bytes=10-")


@check
def conditional_reads():
    etag = put("conditional", b"a")["ETag"]
    modified = s3.head_object(Bucket=BUCKET, Key="conditional")["LastModified"]
    where = {"Bucket": BUCKET, "Key": "conditional"}
    answer = refused("304", 304, s3.get_object, IfNoneMatch=etag, **where)
    assert answer["ResponseMetadata"]["HTTPHeaders"]["etag"] == etag
    refused("304", 304, s3.head_object, IfNoneMatch=etag, **where)
    refused("304", 304, s3.get_object, IfModifiedSince=modified, **where)
    refused("PreconditionFailed", 412, s3.get_object, IfMatch='"other"', **where)
    earlier = modified - datetime.timedelta(minutes=1)
    refused("PreconditionFailed", 412, s3.get_object, IfUnmodifiedSince=earlier, **where)
    assert s3.get_object(IfMatch=etag, IfModifiedSince=earlier, **where)["Body"].read() == b"a"


@check
def conditional_writes():
    etag = put("once", b"a", IfNoneMatch="*")["ETag"]
    refused(
        "PreconditionFailed", 412, s3.put_object, Bucket=BUCKET, Key="once", Body=b"b",
        IfNoneMatch="*",
    )
    refused(
        "PreconditionFailed", 412, s3.put_object, Bucket=BUCKET, Key="once", Body=b"b",
        IfMatch='"0"',
    )
    assert get("once") == b"a"
    put("once", b"c", IfMatch=etag)
    assert get("once") == b"c"


@check
def twelve_racers_one_winner():
    for turn in range(5):
        barrier = threading.Barrier(12)
        results = []

        def race(number):
            racer = client()
            body = f"racer {number}".encode() * 3000
            barrier.wait()
            try:
                racer.put_object(Bucket=BUCKET, Key=f"race/{turn}", Body=body, IfNoneMatch="*")
                results.append(body)
            except ClientError as error:
                results.append(error.response["ResponseMetadata"]["HTTPStatusCode"])

        threads = [threading.Thread(target=race, args=(number,)) for number in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        winners = [result for result in results if isinstance(result, bytes)]
        assert len(winners) == 1 and results.count(412) == 11, results
        assert get(f"race/{turn}") == winners[0]


@check
def readers_see_old_or_new_never_a_mix():
    bodies = [bytes([letter]) * 3_000_000 for letter in b"abc"]
    put("swap", bodies[0])
    stop = threading.Event()

    def write():
        writer = client()
        number = 0
        while not stop.is_set():
            writer.put_object(Bucket=BUCKET, Key="swap", Body=bodies[number % 3])
            number += 1

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for _ in range(15):
            assert get("swap") in bodies
    finally:
        stop.set()
        thread.join()


@check
def copies():
    put("copy/from ä+b", b"copied", ContentType="image/webp", Metadata={"a": "1"})
    source = {"Bucket": BUCKET, "Key": "copy/from ä+b"}
    s3.copy_object(Bucket=BUCKET, Key="copy/to", CopySource=source)
    found = s3.get_object(Bucket=BUCKET, Key="copy/to")
    assert found["Body"].read() == b"copied"
    assert (found["ContentType"], found["Metadata"]) == ("image/webp", {"a": "1"})
    s3.copy_object(
        Bucket=BUCKET,
        Key="copy/to",
        CopySource={"Bucket": BUCKET, "Key": "copy/to"},
        MetadataDirective="REPLACE",
        ContentType="image/jpeg",
        Metadata={"b": "2"},
    )
    found = s3.head_object(Bucket=BUCKET, Key="copy/to")
    assert (found["ContentType"], found["Metadata"]) == ("image/jpeg", {"b": "2"})
    s3.delete_object(**source)
    assert get("copy/to") == b"copied"
    refused("NoSuchKey", 404, s3.copy_object, Bucket=BUCKET, Key="x", CopySource=source)
    refused(
        "InvalidRequest", 400, s3.copy_object, Bucket=BUCKET, Key="copy/to",
        CopySource={"Bucket": BUCKET, "Key": "copy/to"},
    )


# Keys


@check
def unicode_and_odd_keys():
    for key in [
        "ünïcødé/写真 😀.jpg", "a b+c&d=e?f#g%41", "quote'\"<>", "dot/./x", "trailing/",
        "../../escape.txt", "..", "a\\b", "tab\there", "semi;colon,comma:at@", "(paren)!*~",
    ]:
        body = key.encode()
        put(key, body)
        assert get(key) == body, key
        listed = s3.list_objects_v2(Bucket=BUCKET, Prefix=key)["Contents"]
        assert key in [item["Key"] for item in listed], key
        s3.delete_object(Bucket=BUCKET, Key=key)


@check
def slashes_are_part_of_the_key():
    for key in ("dir/x", "dir//x", "dir///x", "/dir/x", "ff", "ff/gg", "ff/gg/hh"):
        put(key, key.encode())
    for key in ("dir/x", "dir//x", "dir///x", "/dir/x", "ff", "ff/gg", "ff/gg/hh"):
        assert get(key) == key.encode(), key


@check
def keys_up_to_1024_bytes():
    for key in ("k" * 1024, "ä" * 512, "s" * 250 + "/" + "t" * 700):
        put(key, b"long")
        assert get(key) == b"long"
    refused("KeyTooLongError", 400, s3.put_object, Bucket=BUCKET, Key="k" * 1025, Body=b"a")


# Listings


@check
def list_pages():
    keys = sorted(f"pages/{number:03}" for number in range(25))
    for key in keys:
        put(key, b"x")
    found, pages = [], 0
    for page in s3.get_paginator("list_objects_v2").paginate(
        Bucket=BUCKET, Prefix="pages/", PaginationConfig={"PageSize": 7}
    ):
        pages += 1
        assert page["KeyCount"] == len(page["Contents"]) <= 7
        found += page["Contents"]
    assert pages == 4
    assert [item["Key"] for item in found] == keys
    assert all(item["ETag"] == f'"{hashlib.md5(b"x").hexdigest()}"' for item in found)
    assert all(item["Size"] == 1 for item in found)
    after = s3.list_objects_v2(Bucket=BUCKET, Prefix="pages/", StartAfter="pages/020")
    assert [item["Key"] for item in after["Contents"]] == keys[21:]
    old = s3.get_paginator("list_objects").paginate(
        Bucket=BUCKET, Prefix="pages/", PaginationConfig={"PageSize": 7}
    )
    assert [item["Key"] for page in old for item in page["Contents"]] == keys


@check
def list_with_delimiter():
    for key in ("tree/a", "tree/b/1", "tree/b/2", "tree/b/c/3", "tree/d+ ü/4", "tree/e"):
        put(key, b"x")
    whole = s3.list_objects_v2(Bucket=BUCKET, Prefix="tree/", Delimiter="/")
    assert [item["Key"] for item in whole["Contents"]] == ["tree/a", "tree/e"]
    prefixes = [item["Prefix"] for item in whole["CommonPrefixes"]]
    assert prefixes == ["tree/b/", "tree/d+ ü/"]
    assert whole["KeyCount"] == 4
    for operation in ("list_objects_v2", "list_objects"):
        seen = []
        for page in s3.get_paginator(operation).paginate(
            Bucket=BUCKET, Prefix="tree/", Delimiter="/", PaginationConfig={"PageSize": 1}
        ):
            seen += [item["Key"] for item in page.get("Contents", [])]
            seen += [item["Prefix"] for item in page.get("CommonPrefixes", [])]
        assert seen == ["tree/a", "tree/b/", "tree/d+ ü/", "tree/e"], (operation, seen)
    assert s3.list_objects_v2(Bucket=BUCKET, MaxKeys=0)["KeyCount"] == 0


# Integrity


@check
def checksums_are_stored_and_shown():
    for algorithm, field, value in [
        ("SHA256", "ChecksumSHA256", sha256(b"sum")),
        ("SHA1", "ChecksumSHA1", base64.b64encode(hashlib.sha1(b"sum").digest()).decode()),
        (
            "CRC32",
            "ChecksumCRC32",
            base64.b64encode(zlib.crc32(b"sum").to_bytes(4, "big")).decode(),
        ),
    ]:
        answer = put("sum", b"sum", ChecksumAlgorithm=algorithm)
        assert answer[field] == value
        head = s3.head_object(Bucket=BUCKET, Key="sum", ChecksumMode="ENABLED")
        assert head[field] == value and head["ChecksumType"] == "FULL_OBJECT"
        assert field not in s3.head_object(Bucket=BUCKET, Key="sum")
        assert get("sum") == b"sum"


@check
def wrong_checksum_leaves_the_old_object():
    put("kept", b"old", ContentType="image/png")
    wrong = sha256(b"other")
    where = {"Bucket": BUCKET, "Key": "kept", "Body": b"new"}
    refused("BadDigest", 400, s3.put_object, ChecksumSHA256=wrong, **where)
    md5 = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    refused("BadDigest", 400, s3.put_object, ContentMD5=md5, **where)
    refused("InvalidDigest", 400, s3.put_object, ContentMD5="short", **where)
    refused("InvalidRequest", 400, s3.put_object, ChecksumSHA256="AAAA", **where)
    found = s3.get_object(Bucket=BUCKET, Key="kept")
    assert found["Body"].read() == b"old" and found["ContentType"] == "image/png"


@check
def wrong_checksum_of_a_new_object_leaves_nothing():
    where = {"Bucket": BUCKET, "Key": "never-there", "Body": b"new"}
    refused("BadDigest", 400, s3.put_object, ChecksumSHA256=sha256(b"other"), **where)
    absent("never-there")


@check
def trailing_checksum():
    body = b"trailer" * 50_000
    expect(put_with_trailer("trailer", body, zlib.crc32(body)), 200)
    found = s3.get_object(Bucket=BUCKET, Key="trailer", ChecksumMode="ENABLED")
    assert found["Body"].read() == body
    assert found["ChecksumCRC32"] == base64.b64encode(
        zlib.crc32(body).to_bytes(4, "big")
    ).decode()
    assert "ContentEncoding" not in found


@check
def wrong_or_missing_trailing_checksum():
    put("trailing", b"old")
    answer = put_with_trailer("trailing", b"new content", zlib.crc32(b"other"))
    expect(answer, 400, "BadDigest")
    answer = put_with_trailer("trailing", b"new content", None)
    expect(answer, 400, "MalformedTrailerError")
    assert get("trailing") == b"old"


def put_with_trailer(key, body, crc32):
    """An upload in `aws-chunked`, whose checksum follows the body."""
    chunked = b"%x\r\n%s\r\n0\r\n" % (len(body), body)
    if crc32 is not None:
        value = base64.b64encode(crc32.to_bytes(4, "big"))
        chunked += b"x-amz-checksum-crc32:%s\r\n" % value
    headers = {
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "x-amz-decoded-content-length": str(len(body)),
        "x-amz-trailer": "x-amz-checksum-crc32",
        "content-encoding": "aws-chunked",
    }
    return signed_header_request("PUT", f"/{BUCKET}/{key}", headers, chunked + b"\r\n")


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


@check
def body_that_differs_from_its_signed_hash():
    put("hash", b"old")
    answer = signed_header_request(
        "PUT",
        f"/{BUCKET}/hash",
        {"x-amz-content-sha256": hashlib.sha256(b"declared").hexdigest()},
        b"tampered",
    )
    expect(answer, 400, "XAmzContentSHA256Mismatch")
    assert get("hash") == b"old"


# Multipart


def parts_of(upload, key, bodies, **more):
    return [
        {
            "PartNumber": number,
            "ETag": s3.upload_part(
                Bucket=BUCKET, Key=key, UploadId=upload, PartNumber=number, Body=body, **more
            )["ETag"],
        }
        for number, body in enumerate(bodies, 1)
    ]


@check
def multipart_upload():
    bodies = [b"a" * (5 << 20), b"b" * (5 << 20), b"tail"]
    upload = s3.create_multipart_upload(
        Bucket=BUCKET, Key="parts", ContentType="image/jpeg", Metadata={"p": "1"}
    )["UploadId"]
    assert upload in [
        item["UploadId"] for item in s3.list_multipart_uploads(Bucket=BUCKET)["Uploads"]
    ]
    parts = parts_of(upload, "parts", bodies)
    absent("parts")
    listed = s3.list_parts(Bucket=BUCKET, Key="parts", UploadId=upload, MaxParts=2)
    assert [part["PartNumber"] for part in listed["Parts"]] == [1, 2] and listed["IsTruncated"]
    done = s3.complete_multipart_upload(
        Bucket=BUCKET, Key="parts", UploadId=upload, MultipartUpload={"Parts": parts}
    )
    digests = b"".join(hashlib.md5(body).digest() for body in bodies)
    assert done["ETag"] == f'"{hashlib.md5(digests).hexdigest()}-3"'
    found = s3.get_object(Bucket=BUCKET, Key="parts")
    assert found["Body"].read() == b"".join(bodies)
    assert (found["ContentType"], found["Metadata"]) == ("image/jpeg", {"p": "1"})
    across = s3.get_object(Bucket=BUCKET, Key="parts", Range=f"bytes={(5 << 20) - 2}-{5 << 20}")
    assert across["Body"].read() == b"aab"
    second = s3.get_object(Bucket=BUCKET, Key="parts", PartNumber=3)
    assert second["Body"].read() == b"tail" and second["PartsCount"] == 3
    s3.copy_object(
        Bucket=BUCKET, Key="parts-copy", CopySource={"Bucket": BUCKET, "Key": "parts"}
    )
    s3.delete_object(Bucket=BUCKET, Key="parts")
    assert get("parts-copy") == b"".join(bodies)
    refused(
        "NoSuchUpload", 404, s3.upload_part, Bucket=BUCKET, Key="parts", UploadId=upload,
        PartNumber=1, Body=b"late",
    )


@check
def multipart_by_the_transfer_manager():
    body = bytes(range(256)) * (13 << 12)
    config = TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20)
    s3.upload_fileobj(io.BytesIO(body), BUCKET, "managed", Config=config)
    copied = {"Bucket": BUCKET, "Key": "managed"}
    s3.copy(copied, BUCKET, "managed-copy", Config=config)
    target = io.BytesIO()
    s3.download_fileobj(BUCKET, "managed-copy", target, Config=config)
    assert target.getvalue() == body


@check
def multipart_checksums():
    bodies = [b"a" * (5 << 20), b"tail"]
    upload = s3.create_multipart_upload(
        Bucket=BUCKET, Key="part-sums", ChecksumAlgorithm="SHA256"
    )["UploadId"]
    parts = parts_of(upload, "part-sums", bodies, ChecksumAlgorithm="SHA256")
    for part, body in zip(parts, bodies):
        part["ChecksumSHA256"] = sha256(body)
    done = s3.complete_multipart_upload(
        Bucket=BUCKET, Key="part-sums", UploadId=upload, MultipartUpload={"Parts": parts}
    )
    joined = b"".join(hashlib.sha256(body).digest() for body in bodies)
    assert done["ChecksumSHA256"] == f"{sha256(joined)}-2"
    full = s3.create_multipart_upload(
        Bucket=BUCKET, Key="part-crc", ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT"
    )["UploadId"]
    parts = parts_of(full, "part-crc", bodies, ChecksumAlgorithm="CRC32")
    done = s3.complete_multipart_upload(
        Bucket=BUCKET,
        Key="part-crc",
        UploadId=full,
        ChecksumType="FULL_OBJECT",
        MultipartUpload={"Parts": parts},
    )
    whole = zlib.crc32(b"".join(bodies)).to_bytes(4, "big")
    assert done["ChecksumCRC32"] == base64.b64encode(whole).decode()


@check
def multipart_refusals():
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key="bad-parts")["UploadId"]
    parts = parts_of(upload, "bad-parts", [b"small", b"tail"])
    where = {"Bucket": BUCKET, "Key": "bad-parts", "UploadId": upload}
    complete = s3.complete_multipart_upload
    refused("EntityTooSmall", 400, complete, MultipartUpload={"Parts": parts}, **where)
    backwards = {"Parts": parts[::-1]}
    refused("InvalidPartOrder", 400, complete, MultipartUpload=backwards, **where)
    wrong = {"Parts": [{"PartNumber": 1, "ETag": '"0"'}]}
    refused("InvalidPart", 400, complete, MultipartUpload=wrong, **where)
    refused("InvalidArgument", 400, s3.upload_part, PartNumber=10_001, Body=b"", **where)
    s3.abort_multipart_upload(**where)
    refused("NoSuchUpload", 404, s3.list_parts, **where)
    absent("bad-parts")


# Presigned URLs


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


# Who may


@check
def strangers_are_refused():
    put("private", b"a")
    expect(send("GET", f"{ENDPOINT}/{BUCKET}/private"), 403, "AccessDenied")
    expect(send("PUT", f"{ENDPOINT}/{BUCKET}/private", {}, b"b"), 403, "AccessDenied")
    where = {"Bucket": BUCKET, "Key": "private"}
    refused("SignatureDoesNotMatch", 403, client(secret="wrong").get_object, **where)
    refused("InvalidAccessKeyId", 403, client(key="AKIAUNKNOWN").get_object, **where)
    other = "eu-west-3" if REGION != "eu-west-3" else "us-east-1"
    refused("AuthorizationHeaderMalformed", 400, client(region=other).get_object, **where)
    assert get("private") == b"a"


@check
def old_signatures_are_refused():
    put("v2", b"a")
    old = boto3.client(
        "s3",
        endpoint_url=ENDPOINT,
        region_name=REGION,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        config=Config(signature_version="s3", s3={"addressing_style": "path"}),
    )
    url = old.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "v2"})
    assert "Signature=" in url and "X-Amz-Signature" not in url
    expect(send("GET", url), 400, "InvalidRequest")


@check
def forms_are_refused_before_they_are_read():
    post = s3.generate_presigned_post(BUCKET, "form")
    assert post["url"]
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    expect(send("POST", f"{ENDPOINT}/{BUCKET}", headers, b"--b--\r\n"), 501, "NotImplemented")


@check
def what_is_not_kept_is_refused():
    where = {"Bucket": BUCKET, "Key": "unkept", "Body": b"a"}
    refused("AccessControlListNotSupported", 400, s3.put_object, ACL="public-read", **where)
    refused("NotImplemented", 501, s3.put_object, Tagging="a=b", **where)
    absent("unkept")


# Browsers


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


# STS


@check
def sts_caller_identity():
    who = client("sts").get_caller_identity()
    assert who["Account"].isdigit() and who["Arn"].startswith("arn:aws:iam::"), who
    refused("SignatureDoesNotMatch", 403, client("sts", secret="wrong").get_caller_identity)
    refused("InvalidClientTokenId", 403, client("sts", key="AKIAX").get_caller_identity)


@check
def sts_unknown_role():
    refused(
        "AccessDenied", 403, client("sts").assume_role,
        RoleArn="arn:aws:iam::000000000000:role/nobody", RoleSessionName="check",
        ExternalId="any",
    )


@check
def sts_assumed_role_reads_and_writes():
    if not ROLE:
        return
    sts = client("sts")
    asked = {"RoleArn": ROLE[0], "RoleSessionName": "check"}
    refused("AccessDenied", 403, sts.assume_role, ExternalId="wrong-id", **asked)
    refused("AccessDenied", 403, sts.assume_role, **asked)
    keys = sts.assume_role(ExternalId=ROLE[1], DurationSeconds=900, **asked)["Credentials"]
    life = keys["Expiration"] - datetime.datetime.now(datetime.timezone.utc)
    assert 800 < life.total_seconds() <= 900, life
    key, secret, token = (
        keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"],
    )
    session = client(key=key, secret=secret, token=token)
    session.put_object(Bucket=BUCKET, Key="role", Body=b"by a role")
    assert session.get_object(Bucket=BUCKET, Key="role")["Body"].read() == b"by a role"
    url = session.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "role"})
    expect(send("GET", url), 200)
    where = {"Bucket": BUCKET, "Key": "role"}
    refused("InvalidToken", 400, client(key=key, secret=secret).get_object, **where)
    forged = client(key=key, secret=secret, token=token[:-4] + "AAAA")
    refused("InvalidToken", 400, forged.get_object, **where)
    who = client("sts", key=key, secret=secret, token=token).get_caller_identity()
    assert ":assumed-role/" in who["Arn"] and who["Arn"].endswith("/check"), who


def main():
    s3.create_bucket(
        Bucket=BUCKET,
        **(
            {}
            if REGION == "us-east-1"
            else {"CreateBucketConfiguration": {"LocationConstraint": REGION}}
        ),
    )
    failed = []
    for function in CHECKS:
        try:
            function()
            print(f"ok      {function.__name__}")
        except Exception:
            failed.append(function.__name__)
            print(f"FAILED  {function.__name__}")
            traceback.print_exc(file=sys.stdout)
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
        objects = [{"Key": item["Key"]} for item in page.get("Contents", [])]
        if objects:
            s3.delete_objects(Bucket=BUCKET, Delete={"Objects": objects})
    s3.delete_bucket(Bucket=BUCKET)
    print(f"{len(CHECKS) - len(failed)} of {len(CHECKS)} checks passed")
    if failed:
        print("failed: " + ", ".join(failed))
        sys.exit(1)


if __name__ == "__main__":
    main()
