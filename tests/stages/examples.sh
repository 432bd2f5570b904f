# Stages of what client developers use: tools over the schema, the example clients, GraphiQL. Sourced by tests/run.
# shellcheck shell=bash

# npm_folder NAME: tests/clients/NAME in $SCRATCH with its packages: node_modules is none of the repository's files.
npm_folder() {
  cp -r "tests/clients/$1" "$SCRATCH"
  (cd "$SCRATCH/$1" && npm ci --no-audit --no-fund --ignore-scripts)
}

# The example clients in $SCRATCH/examples, with the schema that their types are made of.
need_examples() {
  npm_folder examples
  cp schema.graphql "$SCRATCH/examples"
}

# A headless browser, its path in $CHROMIUM.
need_chromium() {
  need chromium chromium fonts-dejavu-core
  CHROMIUM=$(command -v chromium)
  export CHROMIUM
}

stage_client_tools() {
  need_npm
  need_scratch
  npm_folder client-tools
  need_examples
  cd "$SCRATCH/client-tools"
  cp "$ROOT/schema.graphql" .
  cp -r "$ROOT/api/src/http/graphiql/examples" graphiql
  # Inside, because eslint looks at nothing outside of its folder.
  mv "$SCRATCH/examples" .
  node check.mjs
}

stage_graphiql() {
  need_npm
  need_chromium
  need_scratch
  npm_folder drive
  GRAPHIQL=off start_api 0
  local without_it=$API
  start_api 0
  "$EVENTGALLERY" samples "$SCRATCH/photos"
  rm -f "$LOGS"/graphiql*.png
  node "$SCRATCH/drive/graphiql.mjs" "$API" "$without_it" "$SCRATCH/photos" "$LOGS/graphiql.png"
}

stage_clients() {
  need curl curl
  need_npm
  need_chromium
  need_scratch
  need_examples
  npm_folder drive
  (cd "$SCRATCH/examples" && npm run generate && npm run build)
  need_eventgallery
  "$EVENTGALLERY" samples "$SCRATCH/photos"
  uploader_on_a_bad_day "$SCRATCH/examples/dist/uploader/main.js"

  # So short that tokens are renewed on the way.
  ACCESS_TOKEN_SECONDS=15 start_api 0
  rm -f "$LOGS"/clients*.png
  node "$SCRATCH/drive/web.mjs" "$API" "$SCRATCH/examples/dist/web" "$SCRATCH/photos" "$LOGS/clients.png"
}

# The uploader against an API whose URLs lead through a proxy: the bucket is elsewhere, as on AWS.
uploader_on_a_bad_day() {
  local port store keys empty
  read -r port < <(free_ports 1)
  start_eventgallery local --port 0 --json
  wait_for 60 "eventgallery local" grep -q '^{' "$FOLDER.log"
  store=$(json '["endpoints"]["s3"]')
  keys=("$(json '["accessKeyId"]')" "$(json '["secretAccessKey"]')")
  empty=$(sha256sum </dev/null | cut -d ' ' -f 1)
  curl -sS --fail --aws-sigv4 aws:amz:us-east-1:s3 -u "${keys[0]}:${keys[1]}" -H "x-amz-content-sha256: $empty" \
    -X PUT "$store/uploads"
  S3_BUCKET=uploads S3_ENDPOINT=$store S3_PUBLIC_ENDPOINT=http://127.0.0.1:$port S3_PATH_STYLE=true \
    S3_KEY=${keys[0]} S3_SECRET=${keys[1]} REKOGNITION_ENDPOINT=$store REKOGNITION_MATCHER=collection \
    REKOGNITION_SIMILARITY_THRESHOLD=86 REKOGNITION_FACES_PER_SECOND=1000 REKOGNITION_LABELS_PER_SECOND=1000 \
    UPLOAD_URL_SECONDS=15 ACCESS_TOKEN_SECONDS=15 start_api 0
  mkdir "$SCRATCH/phone"
  node "$SCRATCH/drive/uploader.mjs" "$API" "$store" "$port" "$1" "$SCRATCH/photos" "$SCRATCH/phone"
}
