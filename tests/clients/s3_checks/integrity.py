"""Checksums, trailers, uploads in parts."""

import base64
import hashlib
import io
import zlib

from boto3.s3.transfer import TransferConfig

from s3_checks import (
    BUCKET,
    absent,
    check,
    expect,
    get,
    put,
    refused,
    s3,
    sha256,
    signed_header_request,
)


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
