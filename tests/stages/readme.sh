# Stages that do what the README tells a newcomer to do. Sourced by tests/run.
# shellcheck shell=bash

# The fenced block after the marker line `<!-- tour: ... -->`.
tour() { awk '/^<!-- tour:/ { marked = 1 } /^```/ { if (inside) exit; inside = marked; next } inside' README.md; }

stage_tour() {
  need curl curl
  need zsh zsh
  need_npm
  need_scratch
  local port=8080
  tour >"$SCRATCH/tour.sh"
  [ -s "$SCRATCH/tour.sh" ] || die "README.md has no block after <!-- tour:"
  if ! port_is_free $port; then
    read -r port < <(free_ports 1)
    echo "port 8080 is taken: the tour runs on $port instead"
    sed -i "s/127\.0\.0\.1:8080/127.0.0.1:$port/" "$SCRATCH/tour.sh"
  fi
  start_api "$port"
  # As it stands, but in a folder of its own, so that the checkout stays clean.
  cat >"$SCRATCH/cargo.sh" <<'SHELL'
cargo() { command cargo "$1" --manifest-path "$ROOT/Cargo.toml" "${@:2}"; }
SHELL
  (cd "$SCRATCH" && ROOT=$ROOT BASH_ENV=$SCRATCH/cargo.sh timeout 300 bash -eu tour.sh) | check_tour bash
  mkdir "$SCRATCH/zsh"
  cp "$SCRATCH/cargo.sh" "$SCRATCH/zsh/.zshenv"
  (cd "$SCRATCH" && ROOT=$ROOT ZDOTDIR=$SCRATCH/zsh timeout 300 zsh -eu tour.sh) | check_tour zsh
}

# check_tour SHELL: what the tour prints in it ends with the answer to its last question.
check_tour() {
  tee "$SCRATCH/output"
  sed '1,/^The gallery:$/d' "$SCRATCH/output" | python3 -c '
import json, sys
answer = json.load(sys.stdin)
assert not answer.get("errors"), answer["errors"]
gallery = answer["data"]["gallery"]
(photo,) = gallery["photos"]["nodes"]
assert photo["status"] == "READY", photo
assert photo["image"]["url"].startswith("http"), photo
assert photo["faces"] and all(face["person"] for face in photo["faces"]), photo
assert photo["labels"] and gallery["people"]["nodes"], gallery
print(sys.argv[1], "one READY photo,", len(photo["faces"]), "faces,", len(gallery["people"]["nodes"]), "people")
' "$1"
}

port_is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

stage_demo() {
  need_eventgallery
  need_scratch
  local port pictures
  # Nobody listens there, so the demo starts a server of its own.
  read -r port < <(free_ports 1)
  EVENTGALLERY_LISTEN=127.0.0.1:$port EVENTGALLERY_DATA_DIR=$SCRATCH/data \
    "$EVENTGALLERY" demo --output "$SCRATCH/demo.html"
  pictures=$(grep -o '<img [^>]*src="data:image/' "$SCRATCH/demo.html" | wc -l)
  echo "$pictures pictures in the contact sheet"
  [ "$pictures" = 6 ]
}
