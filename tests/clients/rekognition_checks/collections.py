"""The operations on collections: their life, IndexFaces, SearchFaces and the like."""

import time
import uuid

from . import (
    MODEL,
    REGION,
    Collection,
    area,
    check,
    inline,
    png,
    refused,
    rekognition,
)

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
