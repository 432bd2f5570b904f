# Stages that send what nobody would write: generated documents, and any bytes at all. Sourced by tests/run.
# shellcheck shell=bash

stage_schemathesis() {
  python_tools schemathesis==4.32.5
  need_scratch
  start_api 0
  "$EVENTGALLERY" samples "$SCRATCH/photos"
  "$TOOLS/venv/bin/python" tests/clients/schema_fuzz.py "$API" "$SCRATCH/photos"
}

# LLVM's coverage for libFuzzer, as cargo-fuzz asks for it without a sanitizer: it needs no nightly compiler.
# With --target it is not for build scripts and macros.
FUZZ_FLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing"
# Of each target. FUZZ_SECONDS=3600 tests/run fuzz looks longer.
FUZZ_SECONDS=${FUZZ_SECONDS:-40}

stage_fuzz() {
  need g++ g++
  need_scratch
  local host target status=0 log
  host=$(rustc -vV | sed -n 's/^host: //p')
  RUSTFLAGS=$FUZZ_FLAGS cargo build --locked --release --target "$host" \
    --target-dir "$CARGO_TARGET_DIR/fuzz" --manifest-path tests/fuzz/Cargo.toml
  mkdir "$SCRATCH/price" "$SCRATCH/opaque"
  cp api/src/http/graphiql/examples/*.graphql tests/fuzz/seeds/*.graphql "$SCRATCH/price"
  # An id, a cursor of a page and one of events, as the API writes them.
  printf cAAAAAAAAAAAAAAAAAAAAAA >"$SCRATCH/opaque/id"
  printf AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA >"$SCRATCH/opaque/place"
  printf ZQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA >"$SCRATCH/opaque/event"
  for target in price opaque; do
    log=$LOGS/fuzz-$target.log
    # What breaks it is left beside the log, to be made a test.
    "$CARGO_TARGET_DIR/fuzz/$host/release/$target" -max_total_time="$FUZZ_SECONDS" -seed=1 -timeout=10 \
      -rss_limit_mb=1024 -max_len=4096 -dict=tests/fuzz/graphql.dict -artifact_prefix="$LOGS/fuzz-$target-" \
      "$SCRATCH/$target" >"$log" 2>&1 || status=1
    grep -E '^INFO: Loaded|^Done|ERROR|panicked' "$log" || status=1
    # Without its counters it would be guessing blindly.
    grep -q 'inline 8-bit counters' "$log" || die "$target is not instrumented"
  done
  return $status
}
