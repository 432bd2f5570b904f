"""Keys as they are, and lists of them."""

import hashlib

from s3_checks import BUCKET, check, get, put, refused, s3


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
    for operation in (s3.list_objects_v2, s3.list_objects):
        refused("InvalidArgument", 400, operation, Bucket=BUCKET, EncodingType="bad")
