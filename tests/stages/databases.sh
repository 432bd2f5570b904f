# Stages of the Rust tests, on each database and on a third party's S3. Sourced by tests/run.
# shellcheck shell=bash

# The behaviour suite, as the workspace's tests build it: `-p` would build the dependencies again.
behaviour() {
  local suite
  suite=$(cargo test --workspace --no-run --message-format=json |
    python3 -c 'import json, sys
for line in sys.stdin:
    message = json.loads(line)
    target = message.get("target", {})
    if target.get("name") == "it" and "eventgallery-tests" in message.get("package_id", "") and message.get("executable"):
        print(message["executable"])')
  [ -n "$suite" ] || die "the behaviour suite was not built"
  (cd tests && "$suite" "$@")
}

stage_test_sqlite() {
  need_faces
  need_eventgallery
  cargo test --workspace --no-fail-fast
}

stage_test_mariadb() {
  need_eventgallery
  start_mariadb
  behaviour
}

stage_test_postgres() {
  need_eventgallery
  start_postgres
  behaviour
}

# By itself: it wants all cores, and would starve other tests.
stage_chaos() {
  need_eventgallery
  start_postgres
  behaviour chaos:: --ignored --nocapture
  start_mariadb
  behaviour chaos:: --ignored --nocapture
}

# The stand-in of Rekognition cannot read another server's objects: what is analysed is left out.
stage_test_seaweedfs() {
  start_seaweedfs
  behaviour upload:: page:: reaper:: deletion::
}
