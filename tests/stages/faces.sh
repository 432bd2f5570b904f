# Labelled photos of faces for the grouping tests. Sourced by tests/run.
# shellcheck shell=bash

need_faces() { :; }
