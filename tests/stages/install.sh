# Gets what a stage needs and does not find. Sourced by tests/run.
# shellcheck shell=bash

die() { echo "tests/run: $*" >&2; exit 1; }

# install_debian WHAT PACKAGE...: from Debian's packages where this may install them.
install_debian() {
  local what=$1
  shift
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || die "$what is missing; install it (Debian: $*)"
  # A stage is a subshell: what one learned the next one reads from a file.
  [ -e "$TOOLS/apt-updated" ] || { apt-get update -q && touch "$TOOLS/apt-updated"; }
  # RUNLEVEL=1 keeps the packages from starting servers of their own.
  RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@"
  hash -r
}

# need COMMAND PACKAGE...: the command, installed where it is missing.
need() {
  command -v "$1" >/dev/null || install_debian "$@"
  command -v "$1" >/dev/null || die "$1 is missing though $2 is installed"
}

# python_tools REQUIREMENT...: into the venv whose programs are in $TOOLS/venv/bin.
python_tools() {
  need python3 python3 python3-venv
  python3 -c 'import ensurepip' 2>/dev/null || install_debian "Python's venv" python3-venv
  [ -x "$TOOLS/venv/bin/pip" ] || python3 -m venv "$TOOLS/venv"
  "$TOOLS/venv/bin/pip" install --disable-pip-version-check -q "$@"
}

# The program under test, as the stages that start it want it: built, and its path in $EVENTGALLERY.
need_eventgallery() {
  # The whole workspace, as the tests build it: other selections mean other features of the
  # dependencies, and so a second build of them.
  cargo build --workspace
  EVENTGALLERY=$CARGO_TARGET_DIR/debug/eventgallery
}

# A folder of this stage's own, removed with it (it is in TMPDIR); its path in $SCRATCH.
need_scratch() {
  SCRATCH=$(mktemp -d)
}

# Node.js and npm: the build itself wants them as well.
need_npm() {
  need node nodejs npm
  need npm npm
}
