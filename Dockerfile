# syntax=docker/dockerfile:1
#
#   docker build -t registry.example.com/eventgallery:0.1.0 .
#
# `tests/run image` does the same steps without an engine. The stages are of one Debian (13), so that the binary finds
# the C library that it was linked with.

# Model weights, GraphiQL, sample pictures: files only, none of their code runs.
FROM node:24-trixie-slim AS assets
WORKDIR /assets
COPY assets/package.json assets/package-lock.json assets/.npmrc ./
RUN --mount=type=cache,target=/root/.npm \
    npm ci --ignore-scripts --no-audit --no-fund --omit=dev --omit=peer

FROM rust:1.95-trixie AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY api api
COPY assets assets
COPY entity entity
COPY local local
COPY migration migration
COPY tests/Cargo.toml tests/
# Cargo wants each member of the workspace to have its files; the tests' own would only spoil the cache.
RUN mkdir -p tests/src tests/it tests/benches && touch tests/src/lib.rs tests/it/main.rs tests/benches/sizing.rs
COPY --from=assets /assets/node_modules /assets/node_modules
ENV EVENTGALLERY_ASSETS_DIR=/assets
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target,sharing=locked \
    cargo build --release --locked -p eventgallery && \
    install -D target/release/eventgallery /out/eventgallery && \
    mkdir /out/data

# The C library and libgcc are there; nothing is installed.
FROM debian:trixie-slim
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="EventGallery" \
      org.opencontainers.image.description="GraphQL backend for event photos" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# Authorities of AWS's endpoints and of the database's.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/eventgallery /usr/local/bin/eventgallery
# Owned by the account that it runs as, and so is a new volume that is mounted there.
COPY --from=build --chown=65532:65532 /out/data /data
ENV EVENTGALLERY_LISTEN=0.0.0.0:8080 \
    EVENTGALLERY_DATA_DIR=/data \
    LOG_JSON=true \
    MIMALLOC_ALLOW_THP=0 \
    MIMALLOC_PURGE_DELAY=0
WORKDIR /data
# By number, so that Kubernetes can tell that it is not root.
USER 65532:65532
EXPOSE 8080 9090
ENTRYPOINT ["/usr/local/bin/eventgallery"]
CMD ["serve"]
