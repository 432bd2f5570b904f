# Stages where other people's clients talk to the program. Sourced by tests/run.
# shellcheck shell=bash

# start_eventgallery ARGUMENT...: in the background with a data folder of its own, for this stage.
start_eventgallery() {
  need_eventgallery
  server_folder eventgallery
  EVENTGALLERY_DATA_DIR=$FOLDER serve "$EVENTGALLERY" "$@"
}

# start_api PORT: the API with everything local; its address in $API.
start_api() {
  EVENTGALLERY_LISTEN=127.0.0.1:$1 start_eventgallery
  wait_for 60 EventGallery grep -q '^EventGallery is ready' "$FOLDER.log"
  # shellcheck disable=SC2034
  API=$(grep -o 'http://[^ ]*/graphql' "$FOLDER.log" | head -n 1)
}

# json FIELD: of the one JSON line that `eventgallery local --json` prints.
json() { grep '^{' "$FOLDER.log" | python3 -c 'import json, sys; print(eval("json.load(sys.stdin)" + sys.argv[1]))' "$1"; }

stage_boto3() {
  python_tools -r tests/clients/requirements.txt
  need_scratch
  start_eventgallery local --port 0 --json
  wait_for 60 "eventgallery local" grep -q '^{' "$FOLDER.log"
  "$EVENTGALLERY" samples "$SCRATCH/photos"
  local python=$TOOLS/venv/bin/python status=0 keys
  keys=("$(json '["accessKeyId"]')" "$(json '["secretAccessKey"]')" "$(json '["region"]')")
  # Both run, whatever the first one says.
  "$python" tests/clients/boto3_s3.py "$(json '["endpoints"]["s3"]')" "${keys[@]}" || status=1
  "$python" tests/clients/boto3_rekognition.py "$(json '["endpoints"]["rekognition"]')" "${keys[@]}" \
    "$SCRATCH/photos" || status=1
  return $status
}

stage_graphql_http() {
  need_npm
  need_scratch
  # Installed outside the repository: node_modules is none of its files.
  cp -r tests/clients/graphql-http/. "$SCRATCH"
  (cd "$SCRATCH" && npm ci --no-audit --no-fund --ignore-scripts)
  start_api 0
  node "$SCRATCH/audit.mjs" "$API"
}

stage_subscriptions() {
  need_npm
  need_scratch
  cp -r tests/clients/subscriptions/. "$SCRATCH"
  (cd "$SCRATCH" && npm ci --no-audit --no-fund --ignore-scripts)
  start_api 0
  "$EVENTGALLERY" samples "$SCRATCH/photos"
  node "$SCRATCH/follow.mjs" "$API" "$SCRATCH/photos"
}

stage_persisted() {
  need_npm
  need_scratch
  npm_folder persisted
  mkdir "$SCRATCH/drive"
  cp tests/clients/drive/checks.mjs "$SCRATCH/drive"
  cp schema.graphql "$SCRATCH/persisted"
  (cd "$SCRATCH/persisted" && npm run manifests)
  local mode addresses=()
  for mode in apq off; do
    GRAPHQL_PERSISTED=$mode start_api 0
    addresses+=("$API")
  done
  GRAPHQL_PERSISTED=trusted-only GRAPHQL_MANIFEST=$SCRATCH/persisted/manifests start_api 0
  (cd "$SCRATCH/persisted" && node drive.mjs "${addresses[@]}" "$API")
  ! grep 'what the schema does not have' "$FOLDER.log" || die "a manifest of this schema asks for more"
}
