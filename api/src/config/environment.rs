//! Every name of the environment that counts, and the key that it sets.

/// How the text of a variable becomes a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// As it stands.
    Text,
    /// A number or `true`/`false`.
    Literal,
}

/// One setting that the environment can give: names in order of precedence, key, kind.
#[derive(Clone, Copy, Debug)]
pub struct Variable {
    /// Names; the first that is set and not empty counts.
    pub names: &'static [&'static str],
    /// Key in `eventgallery.toml`.
    pub key: &'static str,
    /// How it is read.
    pub kind: Kind,
}

const fn text(names: &'static [&'static str], key: &'static str) -> Variable {
    Variable {
        names,
        key,
        kind: Kind::Text,
    }
}

const fn literal(names: &'static [&'static str], key: &'static str) -> Variable {
    Variable {
        names,
        key,
        kind: Kind::Literal,
    }
}

/// Every name of the environment that counts.
pub const ENVIRONMENT: &[Variable] = &[
    text(&["EVENTGALLERY_LISTEN", "LISTEN"], "listen"),
    text(&["EVENTGALLERY_DATA_DIR", "DATA_DIR"], "data_dir"),
    literal(&["TRUSTED_PROXIES"], "trusted_proxies"),
    literal(&["GRAPHIQL"], "graphiql"),
    text(&["GRAPHQL_PERSISTED"], "graphql.persisted"),
    text(&["GRAPHQL_MANIFEST"], "graphql.manifest"),
    literal(&["GRAPHQL_REGISTERED_MB"], "graphql.registered_mb"),
    literal(&["GRAPHQL_MAX_COST"], "graphql.max_cost"),
    literal(&["LOG_JSON"], "log_json"),
    literal(&["SHUTDOWN_SECONDS"], "shutdown_seconds"),
    text(&["DATABASE_URI", "DATABASE_URL"], "database.url"),
    literal(&["DATABASE_MAX_CONNECTIONS"], "database.max_connections"),
    literal(&["DATABASE_ACQUIRE_SECONDS"], "database.acquire_seconds"),
    literal(&["DATABASE_MIGRATE"], "database.migrate"),
    text(&["AWS_REGION", "AWS_DEFAULT_REGION"], "aws.region"),
    text(&["S3_BUCKET", "BUCKET_NAME"], "s3.bucket"),
    text(&["S3_ENDPOINT"], "s3.endpoint"),
    text(&["S3_PUBLIC_ENDPOINT"], "s3.public_endpoint"),
    literal(&["S3_PATH_STYLE"], "s3.path_style"),
    text(&["S3_KEY", "AWS_KEY"], "s3.access_key"),
    text(&["S3_SECRET", "AWS_SECRET"], "s3.secret_key"),
    literal(&["S3_GET_URL_SECONDS"], "s3.get_url_seconds"),
    text(&["REKOGNITION_ENDPOINT"], "rekognition.endpoint"),
    text(&["AWS_REKOGNITION_KEY"], "rekognition.access_key"),
    text(&["AWS_REKOGNITION_SECRET"], "rekognition.secret_key"),
    text(&["REKOGNITION_MATCHER"], "rekognition.matcher"),
    literal(
        &["REKOGNITION_SIMILARITY_THRESHOLD"],
        "rekognition.similarity_threshold",
    ),
    literal(
        &["REKOGNITION_MIN_LABEL_CONFIDENCE"],
        "rekognition.min_label_confidence",
    ),
    literal(
        &["REKOGNITION_FACES_PER_SECOND"],
        "rekognition.faces_per_second",
    ),
    literal(
        &["REKOGNITION_LABELS_PER_SECOND"],
        "rekognition.labels_per_second",
    ),
    literal(
        &["REGISTRATIONS_PER_MINUTE"],
        "accounts.registrations_per_minute",
    ),
    literal(&["OWN_ACCOUNTS"], "accounts.own"),
    text(&["OIDC_ISSUER"], "oidc.issuer"),
    text(&["OIDC_AUDIENCE"], "oidc.audience"),
    text(&["JWT_SECRET"], "tokens.jwt_secret"),
    text(&["JWT_SECRET_FILE"], "tokens.jwt_secret_file"),
    text(&["JWT_SECRET_PREVIOUS"], "tokens.jwt_secret_previous"),
    text(
        &["JWT_SECRET_PREVIOUS_FILE"],
        "tokens.jwt_secret_previous_file",
    ),
    text(&["JWT_ISSUER"], "tokens.issuer"),
    text(&["JWT_AUDIENCE"], "tokens.audience"),
    literal(&["ACCESS_TOKEN_SECONDS"], "tokens.access_seconds"),
    literal(&["REFRESH_TOKEN_SECONDS"], "tokens.refresh_seconds"),
    literal(&["UPLOAD_MAX_BYTE_SIZE"], "uploads.max_byte_size"),
    literal(
        &["UPLOAD_MAX_FILES_PER_REQUEST"],
        "uploads.max_files_per_request",
    ),
    literal(
        &["UPLOAD_MAX_PHOTOS_PER_GALLERY"],
        "uploads.max_photos_per_gallery",
    ),
    literal(&["UPLOAD_URL_SECONDS"], "uploads.put_url_seconds"),
    literal(&["UPLOAD_REAP_AFTER_SECONDS"], "uploads.reap_after_seconds"),
    literal(&["UPLOAD_MAX_PIXELS"], "uploads.max_pixels"),
    literal(&["WORKER_ENABLED"], "worker.enabled"),
    literal(&["WORKER_CONCURRENCY"], "worker.concurrency"),
    literal(&["WORKER_LEASE_SECONDS"], "worker.lease_seconds"),
    literal(&["WORKER_MAX_ATTEMPTS"], "worker.max_attempts"),
    literal(&["WORKER_DECODE_MEMORY_MB"], "worker.decode_memory_mb"),
    literal(&["EVENT_RETENTION_SECONDS"], "events.retention_seconds"),
    literal(&["EVENT_POLL_MILLISECONDS"], "events.poll_milliseconds"),
    text(&["METRICS_LISTEN"], "metrics.listen"),
    text(&["OTEL_EXPORTER_OTLP_ENDPOINT"], "telemetry.otlp_endpoint"),
    text(&["OTEL_SERVICE_NAME"], "telemetry.service_name"),
];
