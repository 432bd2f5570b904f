"""boto3 against the local S3 and STS endpoint.

    boto3_s3.py ENDPOINT ACCESS_KEY SECRET_KEY REGION [ROLE_ARN EXTERNAL_ID]

With a role (which the server must trust under that external id), AssumeRole is checked as well.
Each check prints its name; the exit code is 1 when one of them fails, and the last lines name
them. Needs boto3 and nothing else: presigned URLs are sent with http.client, byte for byte.
"""

import sys
import time
import traceback

from s3_checks import BUCKET, CHECKS, REGION, s3

# Each adds its checks to the list.
import s3_checks.objects  # noqa: F401
import s3_checks.listings  # noqa: F401
import s3_checks.integrity  # noqa: F401
import s3_checks.signed_urls  # noqa: F401
import s3_checks.identity  # noqa: F401
import s3_checks.browsers  # noqa: F401


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
        start = time.monotonic()
        try:
            function()
            verdict = "ok"
        except Exception:
            verdict = "FAILED"
            failed.append(function.__name__)
            traceback.print_exc()
        print(f"{verdict:6} {function.__name__} ({time.monotonic() - start:.2f} s)", flush=True)
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
        objects = [{"Key": item["Key"]} for item in page.get("Contents", [])]
        if objects:
            s3.delete_objects(Bucket=BUCKET, Delete={"Objects": objects})
    s3.delete_bucket(Bucket=BUCKET)
    print(f"{len(CHECKS) - len(failed)} of {len(CHECKS)} checks passed")
    for name in failed:
        print(f"failed: {name}")
    return 1 if failed else 0


sys.exit(main())
