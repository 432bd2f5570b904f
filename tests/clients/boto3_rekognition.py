"""boto3 against the local Rekognition endpoint: every operation, its limits and its errors.

    boto3_rekognition.py ENDPOINT ACCESS_KEY SECRET_KEY REGION PHOTO_DIR

PHOTO_DIR holds sample1.jpg to sample6.jpg, the demo pictures of npm's @vladmandic/face-api: three
to five people on each. Each check prints its name; the exit code is 1 when one of them fails.
Needs boto3 and nothing else.
"""

import struct
import sys
import time
import traceback
import uuid
import zlib
from pathlib import Path

import boto3
from botocore import UNSIGNED
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


# Signatures


@check
def a_wrong_secret_is_refused():
    refused("InvalidSignatureException", client(secret="wrong").list_collections)


@check
def an_unknown_key_is_refused():
    refused("UnrecognizedClientException", client(key="AKIAUNKNOWNUNKNOWN00").list_collections)


@check
def another_region_is_refused():
    other = "eu-north-1" if REGION != "eu-north-1" else "us-east-2"
    refused("InvalidSignatureException", client(region=other).list_collections)


@check
def an_unsigned_call_is_refused():
    unsigned = client(signature_version=UNSIGNED)
    refused("MissingAuthenticationTokenException", unsigned.list_collections)


@check
def an_unserved_operation_says_so():
    refused("UnknownOperationException", rekognition.detect_text, Image=inline("sample1.jpg"))


# DetectFaces


@check
def faces_are_found_largest_first():
    for name, people in [("sample3.jpg", 3), ("sample4.jpg", 4), ("sample5.jpg", 5), ("sample6.jpg", 4)]:
        answer = rekognition.detect_faces(Image=inline(name))
        faces = answer["FaceDetails"]
        assert len(faces) == people, f"{name}: {len(faces)} faces instead of {people}"
        sizes = [area(face["BoundingBox"]) for face in faces]
        assert sizes == sorted(sizes, reverse=True), sizes
        assert "OrientationCorrection" not in answer
        for face in faces:
            box = face["BoundingBox"]
            assert 0 <= box["Left"] <= box["Left"] + box["Width"] <= 1.0001, box
            assert 0 <= box["Top"] <= box["Top"] + box["Height"] <= 1.0001, box
            assert 50 <= face["Confidence"] <= 100, face["Confidence"]
            assert set(face["Pose"]) == {"Roll", "Yaw", "Pitch"}
            assert all(0 <= value <= 100 for value in face["Quality"].values()), face["Quality"]


@check
def default_attributes_give_five_landmarks_and_all_gives_thirty():
    kinds = set(MODEL.shape_for("LandmarkType").enum)
    default = rekognition.detect_faces(Image=inline("sample6.jpg"), Attributes=["DEFAULT"])
    everything = rekognition.detect_faces(Image=inline("sample6.jpg"), Attributes=["ALL"])
    for answer, names in [
        (default, {"eyeLeft", "eyeRight", "mouthLeft", "mouthRight", "nose"}),
        (everything, kinds),
    ]:
        for face in answer["FaceDetails"]:
            points = {point["Type"]: (point["X"], point["Y"]) for point in face["Landmarks"]}
            assert set(points) == names, set(points) ^ names
            assert points["eyeLeft"][0] < points["eyeRight"][0], "left is the image's left"
            assert points["eyeLeft"][1] < points["mouthLeft"][1], "eyes are above the mouth"
    refused(
        "ValidationException", rekognition.detect_faces, Image=inline("sample6.jpg"), Attributes=["SOUL"]
    )


@check
def an_image_in_a_bucket_gives_the_same_answer():
    s3.put_object(Bucket=BUCKET, Key="a folder/ünï.jpg", Body=PHOTOS["sample5.jpg"])
    of_bucket = rekognition.detect_faces(Image=stored("a folder/ünï.jpg"))
    of_bytes = rekognition.detect_faces(Image=inline("sample5.jpg"))
    assert of_bucket["FaceDetails"] == of_bytes["FaceDetails"]


@check
def boxes_follow_the_exif_orientation():
    plain = rekognition.detect_faces(Image=inline("sample6.jpg"))["FaceDetails"]
    mirrored = oriented(PHOTOS["sample6.jpg"], 2)
    found = rekognition.detect_faces(Image={"Bytes": mirrored})["FaceDetails"]
    assert len(found) == len(plain)
    for face in plain:
        box = dict(face["BoundingBox"])
        box["Left"] = 1 - box["Left"] - box["Width"]
        assert any(same_box(box, other["BoundingBox"], 0.03) for other in found), box


@check
def a_picture_without_a_face_has_none():
    assert rekognition.detect_faces(Image={"Bytes": png(200, 120)})["FaceDetails"] == []


# Images that are refused


@check
def only_jpeg_and_png_are_taken():
    for data in (
        b"GIF89a" + b"\0" * 200,
        b"RIFF\x24\0\0\0WEBPVP8 " + b"\0" * 40,
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"x",
        PHOTOS["sample1.jpg"][:100],
        png(200, 200)[:40],
    ):
        refused("InvalidImageFormatException", rekognition.detect_faces, Image={"Bytes": data})
        refused("InvalidImageFormatException", rekognition.detect_labels, Image={"Bytes": data})


@check
def eighty_pixels_are_enough_and_fewer_are_not():
    rekognition.detect_faces(Image={"Bytes": png(80, 80)})
    for size in ((79, 200), (200, 79)):
        refused("InvalidParameterException", rekognition.detect_faces, Image={"Bytes": png(*size)})


@check
def a_decompression_bomb_is_refused_at_its_header():
    start = time.monotonic()
    for width, height in ((10_001, 100), (100, 10_001), (2**31 - 1, 2**31 - 1)):
        bomb = png(width, height, rows=0)
        refused("ImageTooLargeException", rekognition.detect_labels, Image={"Bytes": bomb})
    assert time.monotonic() - start < 5, "the header should have been enough"


@check
def bytes_have_a_limit_of_five_megabytes_and_objects_of_fifteen():
    photo = PHOTOS["sample6.jpg"]

    def padded(length):
        return photo + b"\0" * (length - len(photo))

    rekognition.detect_faces(Image={"Bytes": padded(5 * 2**20)})
    for length in (5 * 2**20 + 1, 12 * 2**20):
        refused("ImageTooLargeException", rekognition.detect_faces, Image={"Bytes": padded(length)})
    s3.put_object(Bucket=BUCKET, Key="15", Body=padded(15 * 2**20))
    s3.put_object(Bucket=BUCKET, Key="15+1", Body=padded(15 * 2**20 + 1))
    rekognition.detect_faces(Image=stored("15"))
    refused("ImageTooLargeException", rekognition.detect_faces, Image=stored("15+1"))


@check
def an_object_that_is_not_there_is_an_invalid_s3_object():
    refused("InvalidS3ObjectException", rekognition.detect_faces, Image=stored("nothing"))
    nowhere = {"S3Object": {"Bucket": "no-such-bucket-here", "Name": "a"}}
    refused("InvalidS3ObjectException", rekognition.detect_labels, Image=nowhere)


@check
def an_image_is_bytes_or_an_object():
    both = {**inline("sample1.jpg"), **stored("a")}
    refused("InvalidParameterException", rekognition.detect_faces, Image=both)
    refused("InvalidParameterException", rekognition.detect_faces, Image={})


# DetectLabels


@check
def people_are_labelled_with_their_boxes():
    answer = rekognition.detect_labels(Image=inline("sample6.jpg"), MaxLabels=20)
    labels = {label["Name"]: label for label in answer["Labels"]}
    assert answer["LabelModelVersion"]
    person = labels["Person"]
    assert len(person["Instances"]) >= 3, person["Instances"]
    assert all(55 <= instance["Confidence"] <= 100 for instance in person["Instances"])
    assert person["Confidence"] == max(instance["Confidence"] for instance in person["Instances"])
    assert {"Name": "Human"} in person["Aliases"] and {"Name": "Person Description"} in person["Categories"]
    confidences = [label["Confidence"] for label in answer["Labels"]]
    assert confidences == sorted(confidences, reverse=True), confidences
    for label in answer["Labels"]:
        for parent in label["Parents"]:
            assert parent["Name"] in labels, f"{label['Name']}: parent {parent['Name']} is no label"


@check
def labels_can_be_limited_and_filtered():
    def names(**arguments):
        found = rekognition.detect_labels(Image=inline("sample1.jpg"), **arguments)["Labels"]
        return [label["Name"] for label in found]

    every = names(MinConfidence=30)
    assert "Person" in every and len(every) > 1, every
    assert set(names(MinConfidence=90)) < set(every)
    assert names(MinConfidence=30, MaxLabels=1) == every[:1]

    def filtered(**filters):
        settings = {"GeneralLabels": filters}
        return names(MinConfidence=30, Features=["GENERAL_LABELS"], Settings=settings)

    assert filtered(LabelInclusionFilters=["Person"]) == ["Person"]
    assert filtered(LabelExclusionFilters=["Person"]) == [name for name in every if name != "Person"]
    assert filtered(LabelCategoryInclusionFilters=["Person Description"]) == ["Person"]
    assert "Person" not in filtered(LabelCategoryExclusionFilters=["Person Description"])
    image = inline("sample1.jpg")
    refused("ValidationException", rekognition.detect_labels, Image=image, MinConfidence=101)
    refused("InvalidParameterException", rekognition.detect_labels, Image=image, Features=["IMAGE_PROPERTIES"])


# CompareFaces


@check
def the_largest_face_of_a_picture_matches_itself_alone():
    largest = rekognition.detect_faces(Image=inline("sample6.jpg"))["FaceDetails"][0]
    answer = rekognition.compare_faces(SourceImage=inline("sample6.jpg"), TargetImage=inline("sample6.jpg"))
    assert same_box(answer["SourceImageFace"]["BoundingBox"], largest["BoundingBox"], 0)
    best = answer["FaceMatches"][0]
    assert best["Similarity"] > 99, best["Similarity"]
    assert same_box(best["Face"]["BoundingBox"], largest["BoundingBox"], 0)
    assert len(best["Face"]["Landmarks"]) == 5
    assert len(answer["FaceMatches"]) + len(answer["UnmatchedFaces"]) == 4
    assert len(answer["FaceMatches"]) == 1, "four different people"


@check
def the_threshold_divides_matches_from_the_rest():
    def compare(threshold):
        return rekognition.compare_faces(
            SourceImage=inline("sample3.jpg"), TargetImage=inline("sample4.jpg"), SimilarityThreshold=threshold
        )

    everybody = compare(0)
    assert len(everybody["FaceMatches"]) == 4 and not everybody["UnmatchedFaces"]
    scores = [match["Similarity"] for match in everybody["FaceMatches"]]
    assert scores == sorted(scores, reverse=True) and all(0 < score < 100 for score in scores), scores
    nobody = compare(100)
    assert not nobody["FaceMatches"] and len(nobody["UnmatchedFaces"]) == 4
    strangers = compare(80)
    assert not strangers["FaceMatches"], "different people"


@check
def a_source_without_a_face_is_refused_and_a_target_without_one_is_not():
    empty = {"Bytes": png(200, 200)}
    refused(
        "InvalidParameterException", rekognition.compare_faces, SourceImage=empty, TargetImage=inline("sample1.jpg")
    )
    answer = rekognition.compare_faces(SourceImage=inline("sample6.jpg"), TargetImage=empty)
    assert answer["FaceMatches"] == [] and answer["UnmatchedFaces"] == []


# Collections


@check
def a_collection_is_made_described_listed_and_deleted():
    name = f"life-{uuid.uuid4()}"
    made = rekognition.create_collection(CollectionId=name, Tags={"a": "b"})
    assert made["StatusCode"] == 200 and made["CollectionArn"].endswith(f":collection/{name}"), made
    described = rekognition.describe_collection(CollectionId=name)
    assert described["FaceCount"] == 0 and described["FaceModelVersion"] == made["FaceModelVersion"]
    assert described["CollectionARN"].startswith(f"arn:aws:rekognition:{REGION}:"), described
    age = time.time() - described["CreationTimestamp"].timestamp()
    assert -5 < age < 60, described["CreationTimestamp"]
    assert name in rekognition.list_collections()["CollectionIds"]
    assert "already exists" in refused(
        "ResourceAlreadyExistsException", rekognition.create_collection, CollectionId=name
    )
    assert rekognition.delete_collection(CollectionId=name)["StatusCode"] == 200
    assert name not in rekognition.list_collections()["CollectionIds"]
    refused("ResourceNotFoundException", rekognition.delete_collection, CollectionId=name)
    refused("ResourceNotFoundException", rekognition.describe_collection, CollectionId=name)


@check
def collection_names_have_a_pattern():
    for name in ("with space", "a/b", "é", "a" * 256):
        refused("ValidationException", rekognition.create_collection, CollectionId=name)
    name = "aZ09_.-" + uuid.uuid4().hex
    rekognition.create_collection(CollectionId=name)
    rekognition.delete_collection(CollectionId=name)


@check
def collections_come_in_pages():
    with Collection() as a, Collection() as b, Collection() as c:
        seen, token, pages = [], {}, 0
        while True:
            page = rekognition.list_collections(MaxResults=2, **token)
            assert len(page["CollectionIds"]) == len(page["FaceModelVersions"]) <= 2
            seen += page["CollectionIds"]
            pages += 1
            if "NextToken" not in page:
                break
            token = {"NextToken": page["NextToken"]}
        assert len(seen) == len(set(seen)) and {a, b, c} <= set(seen) and pages >= 2, seen
        refused("InvalidPaginationTokenException", rekognition.list_collections, NextToken="nonsense")
        refused("ValidationException", rekognition.list_collections, MaxResults=4097)


@check
def operations_on_a_collection_that_is_not_there_say_so():
    name, face = f"none-{uuid.uuid4()}", str(uuid.uuid4())
    image = inline("sample1.jpg")
    for call, arguments in (
        (rekognition.index_faces, {"Image": image}),
        (rekognition.list_faces, {}),
        (rekognition.search_faces, {"FaceId": face}),
        (rekognition.search_faces_by_image, {"Image": image}),
        (rekognition.delete_faces, {"FaceIds": [face]}),
    ):
        refused("ResourceNotFoundException", call, CollectionId=name, **arguments)


# IndexFaces, ListFaces, DeleteFaces


def index(collection, name, **arguments):
    return rekognition.index_faces(CollectionId=collection, Image=inline(name), **arguments)


@check
def indexed_faces_are_those_that_are_detected():
    detected = rekognition.detect_faces(Image=inline("sample5.jpg"))["FaceDetails"]
    with Collection() as collection:
        answer = index(collection, "sample5.jpg", ExternalImageId="event:photo-5_a.jpg", QualityFilter="NONE")
        records = answer["FaceRecords"]
        assert [record["FaceDetail"] for record in records] == detected
        assert answer["UnindexedFaces"] == [] and "OrientationCorrection" not in answer
        assert len({record["Face"]["ImageId"] for record in records}) == 1
        for record in records:
            assert record["Face"]["ExternalImageId"] == "event:photo-5_a.jpg"
            assert record["Face"]["BoundingBox"] == record["FaceDetail"]["BoundingBox"]
        listed = rekognition.list_faces(CollectionId=collection)
        assert listed["Faces"] == [record["Face"] for record in records]
        assert rekognition.describe_collection(CollectionId=collection)["FaceCount"] == len(records)
        refused(
            "ValidationException",
            rekognition.index_faces,
            CollectionId=collection,
            Image=inline("sample5.jpg"),
            ExternalImageId="a/b",
        )


@check
def the_same_picture_twice_is_twice_the_faces():
    with Collection() as collection:
        first = index(collection, "sample3.jpg")["FaceRecords"]
        second = index(collection, "sample3.jpg")["FaceRecords"]
        ids = {record["Face"]["FaceId"] for record in first + second}
        assert len(ids) == len(first) + len(second) == rekognition.describe_collection(CollectionId=collection)["FaceCount"]
        assert first[0]["Face"]["ImageId"] != second[0]["Face"]["ImageId"]


@check
def the_smallest_faces_are_over_the_limit():
    with Collection() as collection:
        answer = index(collection, "sample5.jpg", MaxFaces=2, QualityFilter="NONE")
        assert len(answer["FaceRecords"]) == 2 and len(answer["UnindexedFaces"]) == 3
        assert all(face["Reasons"] == ["EXCEEDS_MAX_FACES"] for face in answer["UnindexedFaces"])
        kept = min(area(record["Face"]["BoundingBox"]) for record in answer["FaceRecords"])
        assert all(area(face["FaceDetail"]["BoundingBox"]) <= kept for face in answer["UnindexedFaces"])
        assert rekognition.describe_collection(CollectionId=collection)["FaceCount"] == 2


@check
def stricter_quality_keeps_fewer_faces_and_says_why():
    reasons = set(MODEL.shape_for("Reason").enum)
    counts = []
    for quality in ("NONE", "LOW", "MEDIUM", "HIGH"):
        with Collection() as collection:
            answer = index(collection, "sample1.jpg", QualityFilter=quality)
            counts.append(len(answer["FaceRecords"]))
            for face in answer["UnindexedFaces"]:
                assert face["Reasons"] and set(face["Reasons"]) <= reasons, face["Reasons"]
    assert counts == sorted(counts, reverse=True) and counts[0] > 0, counts


@check
def faces_come_in_pages_and_by_id():
    with Collection() as collection, Collection() as other:
        ids = [record["Face"]["FaceId"] for record in index(collection, "sample5.jpg", QualityFilter="NONE")["FaceRecords"]]
        pages = list(
            rekognition.get_paginator("list_faces").paginate(
                CollectionId=collection, PaginationConfig={"PageSize": 2}
            )
        )
        assert [len(page["Faces"]) for page in pages] == [2, 2, 1]
        assert [face["FaceId"] for page in pages for face in page["Faces"]] == ids
        chosen = rekognition.list_faces(CollectionId=collection, FaceIds=[ids[3], ids[1], str(uuid.uuid4())])
        assert {face["FaceId"] for face in chosen["Faces"]} == {ids[1], ids[3]}
        token = pages[0]["NextToken"]
        refused("InvalidPaginationTokenException", rekognition.list_faces, CollectionId=other, NextToken=token)


@check
def faces_are_deleted_once():
    with Collection() as collection:
        ids = [record["Face"]["FaceId"] for record in index(collection, "sample3.jpg", QualityFilter="NONE")["FaceRecords"]]
        unknown = str(uuid.uuid4())
        answer = rekognition.delete_faces(CollectionId=collection, FaceIds=[ids[0], unknown])
        assert answer["DeletedFaces"] == [ids[0]]
        assert answer["UnsuccessfulFaceDeletions"] == [{"FaceId": unknown, "Reasons": ["FACE_NOT_FOUND"]}]
        left = rekognition.list_faces(CollectionId=collection)["Faces"]
        assert [face["FaceId"] for face in left] == ids[1:]
        refused("InvalidParameterException", rekognition.search_faces, CollectionId=collection, FaceId=ids[0])
        refused("ValidationException", rekognition.delete_faces, CollectionId=collection, FaceIds=["NO-UUID"])


# SearchFaces, SearchFacesByImage


@check
def a_face_finds_its_other_copies_and_not_itself():
    with Collection() as collection:
        first, second = (index(collection, "sample6.jpg", QualityFilter="NONE")["FaceRecords"] for _ in range(2))
        searched = first[2]["Face"]["FaceId"]
        answer = rekognition.search_faces(CollectionId=collection, FaceId=searched)
        assert answer["SearchedFaceId"] == searched and answer["FaceModelVersion"]
        found = [match["Face"]["FaceId"] for match in answer["FaceMatches"]]
        assert searched not in found
        assert found[0] == second[2]["Face"]["FaceId"], "the copy is the most similar"
        assert answer["FaceMatches"][0]["Similarity"] > 99
        every = rekognition.search_faces(CollectionId=collection, FaceId=searched, FaceMatchThreshold=0, MaxFaces=4096)
        assert len(every["FaceMatches"]) == 7
        scores = [match["Similarity"] for match in every["FaceMatches"]]
        assert scores == sorted(scores, reverse=True), scores
        three = rekognition.search_faces(CollectionId=collection, FaceId=searched, FaceMatchThreshold=0, MaxFaces=3)
        assert three["FaceMatches"] == every["FaceMatches"][:3]


@check
def a_picture_finds_its_largest_face():
    with Collection() as collection:
        records = index(collection, "sample6.jpg", QualityFilter="NONE")["FaceRecords"]
        index(collection, "sample3.jpg", QualityFilter="NONE")
        answer = rekognition.search_faces_by_image(CollectionId=collection, Image=inline("sample6.jpg"))
        assert answer["SearchedFaceBoundingBox"] == records[0]["Face"]["BoundingBox"]
        assert answer["SearchedFaceConfidence"] == records[0]["Face"]["Confidence"]
        assert [match["Face"]["FaceId"] for match in answer["FaceMatches"]] == [records[0]["Face"]["FaceId"]]
        refused(
            "InvalidParameterException",
            rekognition.search_faces_by_image,
            CollectionId=collection,
            Image={"Bytes": png(200, 200)},
        )


@check
def collections_do_not_share_faces_even_under_one_name():
    with Collection() as a, Collection() as b:
        face = index(a, "sample6.jpg")["FaceRecords"][0]["Face"]["FaceId"]
        assert rekognition.search_faces_by_image(CollectionId=b, Image=inline("sample6.jpg"))["FaceMatches"] == []
        refused("InvalidParameterException", rekognition.search_faces, CollectionId=b, FaceId=face)
        rekognition.delete_collection(CollectionId=a)
        rekognition.create_collection(CollectionId=a)
        assert rekognition.list_faces(CollectionId=a)["Faces"] == []
        assert rekognition.search_faces_by_image(CollectionId=a, Image=inline("sample6.jpg"))["FaceMatches"] == []


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
