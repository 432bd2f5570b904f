"""Who may do what, and roles."""

import datetime

import boto3
from botocore.config import Config

from s3_checks import (
    ACCESS_KEY,
    BUCKET,
    ENDPOINT,
    REGION,
    ROLE,
    SECRET_KEY,
    absent,
    check,
    client,
    expect,
    get,
    put,
    refused,
    s3,
    send,
)


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
