# Stages of the Rust tests, on each database and on a third party's S3. Sourced by tests/run.
# shellcheck shell=bash

stage_test_sqlite() {
  need_faces
  cargo test --workspace --no-fail-fast
}

stage_test_mariadb() {
  need_faces
  start_mariadb
  cargo test -p eventgallery-tests
}

stage_test_postgres() {
  need_faces
  start_postgres
  cargo test -p eventgallery-tests
}

# The stand-in of Rekognition cannot read another server's objects: what is analysed is left out.
stage_test_seaweedfs() {
  start_seaweedfs
  cargo test -p eventgallery-tests -- upload:: page::
}
