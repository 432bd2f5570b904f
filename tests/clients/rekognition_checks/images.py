"""Signatures, and the operations on images: DetectFaces, DetectLabels, CompareFaces."""

import time

from botocore import UNSIGNED

from . import (
    BUCKET,
    MODEL,
    PHOTOS,
    REGION,
    area,
    check,
    client,
    inline,
    oriented,
    png,
    refused,
    rekognition,
    s3,
    same_box,
    stored,
)

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
