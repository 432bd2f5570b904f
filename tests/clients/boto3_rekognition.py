"""boto3 against the local Rekognition endpoint: every operation, its limits and its errors.

    boto3_rekognition.py ENDPOINT ACCESS_KEY SECRET_KEY REGION PHOTO_DIR

PHOTO_DIR holds sample1.jpg to sample6.jpg, the demo pictures of npm's @vladmandic/face-api: three
to five people on each. Each check prints its name; the exit code is 1 when one of them fails.
Needs boto3 and nothing else.
"""

import sys
import time
import traceback

from rekognition_checks import BUCKET, CHECKS, PHOTO_DIR, PHOTOS, REGION, s3

# Each adds its checks to the list.
import rekognition_checks.images  # noqa: F401
import rekognition_checks.collections  # noqa: F401


def main():
    assert len(PHOTOS) >= 6, f"sample1.jpg to sample6.jpg are missing in {PHOTO_DIR}"
    s3.create_bucket(
        Bucket=BUCKET,
        **({} if REGION == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": REGION}}),
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
    print(f"{len(CHECKS) - len(failed)} of {len(CHECKS)} checks passed")
    for name in failed:
        print(f"failed: {name}")
    return 1 if failed else 0


sys.exit(main())
