"""Buckets, objects, conditions, copies."""

import datetime
import hashlib
import threading

from botocore.exceptions import ClientError

from s3_checks import BUCKET, REGION, absent, check, client, get, put, refused, s3


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
    for asked in ["bytes=-1", "bytes=0-", "bytes=0-0"]:
        refused("InvalidRange", 416, s3.get_object, Bucket=BUCKET, Key="empty", Range=asked)


@check
def large_object_streams_both_ways():
    body = b"0123456789abcdef" * (3 << 16) + b"tail"
    put("large", body)
    assert get("large") == body


@check
def endless_list_of_deletes_is_refused():
    objects = [{"Key": "k" * 1000}] * 12_000
    refused("MalformedXML", 400, s3.delete_objects, Bucket=BUCKET, Delete={"Objects": objects})


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
                results.append(("won", number))
            except ClientError as error:
                status = error.response["ResponseMetadata"]["HTTPStatusCode"]
                results.append((status, number))

        threads = [threading.Thread(target=race, args=(number,)) for number in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        winners = [number for outcome, number in results if outcome == "won"]
        losers = [number for outcome, number in results if outcome == 412]
        assert len(winners) == 1 and len(losers) == 11, results
        assert get(f"race/{turn}") == f"racer {winners[0]}".encode() * 3000


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
