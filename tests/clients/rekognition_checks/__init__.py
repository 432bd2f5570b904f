"""What the checks share: the clients, the list of checks, and pictures made for them.

Arguments come from the command line, see boto3_rekognition.py.
"""

import struct
import sys
import uuid
import zlib
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ENDPOINT, ACCESS_KEY, SECRET_KEY, REGION, PHOTO_DIR = sys.argv[1:6]
PHOTOS = {path.name: path.read_bytes() for path in sorted(Path(PHOTO_DIR).glob("sample*.jpg"))}
ONCE = {"max_attempts": 1, "mode": "standard"}
CHECKS = []


def client(service="rekognition", key=ACCESS_KEY, secret=SECRET_KEY, region=REGION, **config):
    return boto3.client(
        service,
        endpoint_url=ENDPOINT,
        region_name=region,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        config=Config(retries=ONCE, read_timeout=300, s3={"addressing_style": "path"}, **config),
    )


rekognition = client()
s3 = client("s3")
BUCKET = f"rekognition-{uuid.uuid4().hex[:8]}"
MODEL = rekognition.meta.service_model


def check(function):
    CHECKS.append(function)
    return function


def refused(code, call, **arguments):
    """Runs `call`, which must fail with `code` and HTTP 400; returns the message."""
    try:
        call(**arguments)
    except ClientError as error:
        response = error.response
        found = response["Error"]["Code"]
        assert found == code, f"{found} ({response['Error']['Message']}) instead of {code}"
        metadata = response["ResponseMetadata"]
        assert metadata["HTTPStatusCode"] == 400, metadata
        assert metadata["HTTPHeaders"]["x-amzn-errortype"] == code, metadata
        assert metadata["RequestId"], metadata
        return response["Error"]["Message"]
    raise AssertionError(f"no {code}")


def inline(name):
    return {"Bytes": PHOTOS[name]}


def stored(key):
    return {"S3Object": {"Bucket": BUCKET, "Name": key}}


def png(width, height, rows=None):
    """A grey PNG; with `rows`, only that many rows of pixels are really there."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = height if rows is None else rows
    pixels = (b"\0" + b"\x80" * width) * rows if rows else b""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(pixels))
        + chunk(b"IEND", b"")
    )


def oriented(jpeg, orientation):
    """The JPEG with an EXIF segment that holds its orientation, and with no other EXIF segment."""
    tiff = b"II*\0" + struct.pack("<IH", 8, 1)
    tiff += struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0) + struct.pack("<I", 0)
    body = b"Exif\0\0" + tiff
    segments, at = [b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body], 2
    while jpeg[at + 1] != 0xDA:
        end = at + 2 + struct.unpack(">H", jpeg[at + 2 : at + 4])[0]
        if jpeg[at + 4 : at + 10] != b"Exif\0\0":
            segments.append(jpeg[at:end])
        at = end
    return jpeg[:2] + b"".join(segments) + jpeg[at:]


def area(box):
    return box["Width"] * box["Height"]


def same_box(a, b, within=0.01):
    return all(abs(a[side] - b[side]) <= within for side in ("Left", "Top", "Width", "Height"))


class Collection:
    """A collection that is gone at the end of the check."""

    def __enter__(self):
        self.id = f"check-{uuid.uuid4()}"
        rekognition.create_collection(CollectionId=self.id)
        return self.id

    def __exit__(self, *_):
        rekognition.delete_collection(CollectionId=self.id)
