"""Documents out of the schema, by schemathesis, against a gallery with photos in it.

    schema_fuzz.py API PHOTOS

Signs up, fills a gallery with the pictures of the folder PHOTOS, and then sends generated documents of
every field of the schema's roots, with and without a token: the same ones at every run, but for ids. What the API
says to them may be anything that it has a code for, but nothing internal and no status of 5xx. Each
field is a check that prints its name; the exit code is 1 when one of them fails.
"""

import base64
import collections
import hashlib
import json
import pathlib
import sys
import time
import traceback
import urllib.error
import urllib.request

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings, strategies
from schemathesis.graphql import nodes

API, PHOTOS = sys.argv[1:3]
# Of each field; half of them with a token.
EXAMPLES = 80
# Whose ids a field takes, by a word of its name; what has none of them takes any.
KINDS = {"requestPhoto": "gallery", "Photo": "photo", "People": "person", "Person": "person", "Galler": "gallery"}
# What takes away what the others look at comes last.
LAST = ("delete", "remove", "merge", "signOut")


def ask(query, variables=None, token=None):
    """Status and answer."""
    body = json.dumps({"query": query, "variables": variables or {}}).encode()
    headers = {"content-type": "application/json"}
    if token:
        headers["authorization"] = f"Bearer {token}"
    try:
        with urllib.request.urlopen(urllib.request.Request(API, body, headers)) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def must(query, variables=None, token=None):
    """`data` of what must not fail."""
    status, answer = ask(query, variables, token)
    assert status == 200 and "errors" not in answer, answer
    return answer["data"]


def fill():
    """Somebody with a gallery of analysed photos: their token, every id there is by kind, and a cursor."""
    account = {"email": "fuzz@example.com", "name": "Fuzz", "password": "correct horse battery"}
    registered = must(
        "mutation($input: RegisterInput!) { register(input: $input) { accessToken user { id } } }",
        {"input": account},
    )["register"]
    token = registered["accessToken"]
    gallery = must(
        'mutation { createGallery(input: { name: "Wedding" }) { gallery { id } } }', token=token
    )["createGallery"]["gallery"]["id"]
    pictures = sorted(pathlib.Path(PHOTOS).glob("*.jpg"))
    assert pictures, PHOTOS
    files = [
        {
            "clientRef": picture.name,
            "filename": picture.name,
            "contentType": "image/jpeg",
            "byteSize": picture.stat().st_size,
            "sha256": hashlib.sha256(picture.read_bytes()).hexdigest(),
        }
        for picture in pictures
    ]
    results = must(
        """mutation($input: RequestPhotoUploadsInput!) { requestPhotoUploads(input: $input) { results {
          photo { id } target { url headers { name value } } userErrors { message } } } }""",
        {"input": {"galleryId": gallery, "files": files}},
        token,
    )["requestPhotoUploads"]["results"]
    for picture, result in zip(pictures, results):
        headers = {header["name"]: header["value"] for header in result["target"]["headers"]}
        put = urllib.request.Request(
            result["target"]["url"], picture.read_bytes(), headers, method="PUT"
        )
        urllib.request.urlopen(put).close()
    photos = [result["photo"]["id"] for result in results]
    must(
        "mutation($ids: [ID!]!) { confirmPhotoUploads(input: { photoIds: $ids }) { results { photo { id } } } }",
        {"ids": photos},
        token,
    )
    deadline = time.monotonic() + 120
    while True:
        found = must(
            """query($id: ID!) { gallery(id: $id) { people(first: 100) { nodes { id } }
              photos(first: 100) { pageInfo { endCursor } nodes { status faces { id } } } } }""",
            {"id": gallery},
            token,
        )["gallery"]
        if all(photo["status"] == "READY" for photo in found["photos"]["nodes"]):
            break
        assert time.monotonic() < deadline, found
        time.sleep(0.5)
    people = [person["id"] for person in found["people"]["nodes"]]
    faces = [face["id"] for photo in found["photos"]["nodes"] for face in photo["faces"]]
    assert people and faces, found
    ids = {
        "gallery": [gallery],
        "photo": photos,
        "person": people,
        "face": faces,
        "user": [registered["user"]["id"]],
    }
    print(f"a gallery of {len(photos)} photos, {len(faces)} faces and {len(people)} people")
    return token, ids, found["photos"]["pageInfo"]["endCursor"]


def teach_ids(label, ids):
    """Mostly ids that the field takes: it is all the same to it which of its arguments they come in."""
    kind = next((kind for word, kind in KINDS.items() if word.lower() in label.lower()), None)
    fitting = ids[kind] if kind else [id for of_kind in ids.values() for id in of_kind]
    others = [id for of_kind in ids.values() for id in of_kind]
    # An id of the right form that is nobody's, and what is no id at all.
    nobody = base64.urlsafe_b64encode(b"p" + bytes(16)).decode().rstrip("=")
    others += [nobody, nobody + "=", "", " ", "7", "\u00e9", "x" * 300]
    pool = fitting * (1 + 9 * len(others) // len(fitting)) + others
    schemathesis.graphql.scalar("ID", strategies.sampled_from(pool).map(nodes.String))


def teach(cursor):
    """How values look that get further than the first check."""
    texts = strategies.one_of(
        # The API takes no NUL in any text.
        strategies.text(strategies.characters(exclude_characters="\x00"), max_size=40),
        strategies.sampled_from([cursor, "fuzz@example.com", "image/jpeg", "a" * 64, "%", "\u202e", "\x00"]),
    )
    schemathesis.graphql.scalar("String", texts.map(nodes.String))
    small = strategies.integers(min_value=-1, max_value=120)
    whole = strategies.integers(min_value=-(2**31), max_value=2**31 - 1)
    schemathesis.graphql.scalar("Int", strategies.one_of(small, small, whole).map(nodes.Int))
    moments = strategies.one_of(
        strategies.datetimes().map(lambda moment: moment.isoformat() + "Z"),
        strategies.text(max_size=20),
    )
    schemathesis.graphql.scalar("DateTime", moments.map(nodes.String))


def fuzz(operation, token, codes):
    """Sends documents of one root field."""

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    @given(case=operation.as_strategy(), with_token=strategies.booleans())
    def send(case, with_token):
        query = case.body if isinstance(case.body, str) else case.body["query"]
        status, answer = ask(query, token=token if with_token else None)
        errors = answer.get("errors", [])
        found = [error.get("extensions", {}).get("code") for error in errors]
        codes.update(found or ["no error"])
        wrong = status >= 500 or "INTERNAL" in found or None in found
        # UNAVAILABLE goes with 5xx by itself; here nothing has a reason to be so.
        assert not wrong and "UNAVAILABLE" not in found, f"{status}\n{query}\n{json.dumps(answer)}"

    send()


def order(label):
    root, field = label.split(".")
    return root != "Query", field.startswith(LAST), label


def main():
    token, ids, cursor = fill()
    teach(cursor)
    schema = schemathesis.graphql.from_url(API)
    operations = [result.ok() for result in schema.get_all_operations()]
    operations.sort(key=lambda operation: order(operation.label))
    codes, failed = collections.Counter(), []
    for operation in operations:
        start = time.monotonic()
        teach_ids(operation.label, ids)
        try:
            fuzz(operation, token, codes)
            verdict = "ok"
        except Exception:
            traceback.print_exc(limit=1)
            failed.append(operation.label)
            verdict = "FAILED"
        print(f"{operation.label:32} {time.monotonic() - start:6.1f} s  {verdict}", flush=True)
    print("answers:", ", ".join(f"{count} x {code}" for code, count in codes.most_common()))
    print(f"{len(operations) - len(failed)} of {len(operations)} checks passed")
    for label in failed:
        print(f"failed: {label}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
