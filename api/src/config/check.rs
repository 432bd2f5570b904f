//! What the types of settings do not say.

use std::fmt::Display;
use std::ops::RangeInclusive;

use secrecy::{ExposeSecret as _, SecretString};

use super::{Config, ConfigError, address, message};
use crate::graphql::documents::Mode;

/// Longest life of a signed URL that S3 takes.
const WEEK: u32 = 604_800;
const SECRET_BYTES: usize = 32;

#[derive(Default)]
struct Wrong(Vec<String>);

impl Wrong {
    fn says(&mut self, key: &str, text: impl Display) {
        self.0.push(format!("{} {text}", message::name(key)));
    }

    fn unless_within<T: PartialOrd + Display>(
        &mut self,
        key: &str,
        value: T,
        range: RangeInclusive<T>,
    ) {
        if !range.contains(&value) {
            let (least, most) = range.into_inner();
            self.says(
                key,
                format_args!("must be from {least} to {most}, not {value}"),
            );
        }
    }

    fn unless_at_least<T: PartialOrd + Display>(&mut self, key: &str, value: T, least: T) {
        if value < least {
            self.says(key, format_args!("must be at least {least}, not {value}"));
        }
    }

    fn unless_positive(&mut self, key: &str, value: f64) {
        if value.is_nan() || value <= 0.0 {
            self.says(key, format_args!("must be above 0, not {value}"));
        }
    }

    fn unless_both(&mut self, id: (&str, bool), secret: (&str, bool)) {
        if id.1 != secret.1 {
            let (here, missing) = if id.1 { (id, secret) } else { (secret, id) };
            self.says(
                missing.0,
                format_args!("is missing: it goes with {}", message::name(here.0)),
            );
        }
    }

    fn if_short(&mut self, key: &str, secret: Option<&SecretString>) {
        let length = secret.map(|secret| secret.expose_secret().len());
        if let Some(length) = length.filter(|length| *length < SECRET_BYTES) {
            self.says(
                key,
                format_args!("must have at least {SECRET_BYTES} bytes, not {length}"),
            );
        }
    }

    fn unless_http(&mut self, key: &str, url: Option<&str>) {
        let is_http = |url: &str| {
            reqwest::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
        };
        if let Some(url) = url.filter(|url| !is_http(url)) {
            self.says(
                key,
                format_args!("must be a URL like https://s3.example.com, not {url:?}"),
            );
        }
    }
}

/// # Errors
/// Everything that is wrong, each with its names.
pub(super) fn check(config: &Config) -> Result<(), ConfigError> {
    let mut wrong = Wrong::default();
    if let Some(url) = &config.database.url {
        let url = address::normal(url.expose_secret());
        if !address::SCHEMES
            .iter()
            .any(|scheme| url.starts_with(scheme))
        {
            wrong.says(
                "database.url",
                "must begin with mysql://, postgres:// or sqlite:",
            );
        } else if !address::is_well_formed(&url) {
            wrong.says(
                "database.url",
                "is not a URL; write @ : / ? # % in the password as %40 %3A %2F %3F %23 %25",
            );
        }
    }
    let graphql = &config.graphql;
    let has_manifest = graphql.manifest.is_some();
    match (Mode::parse(&graphql.persisted), has_manifest) {
        (None, _) => wrong.says(
            "graphql.persisted",
            format_args!(
                "must be off, apq or trusted-only, not {:?}",
                graphql.persisted
            ),
        ),
        (Some(Mode::Off), true) => {
            wrong.says(
                "graphql.manifest",
                "is of no use with graphql.persisted off",
            );
        }
        (Some(Mode::TrustedOnly), false) => wrong.says(
            "graphql.manifest",
            "is missing: it goes with graphql.persisted trusted-only",
        ),
        (Some(_), _) => {}
    }
    wrong.unless_within("graphql.registered_mb", graphql.registered_mb, 1..=4096);
    wrong.unless_within("graphql.max_cost", graphql.max_cost, 100..=100_000_000);
    let (s3, rekognition) = (&config.s3, &config.rekognition);
    wrong.unless_both(
        ("s3.access_key", s3.access_key.is_some()),
        ("s3.secret_key", s3.secret_key.is_some()),
    );
    wrong.unless_both(
        ("rekognition.access_key", rekognition.access_key.is_some()),
        ("rekognition.secret_key", rekognition.secret_key.is_some()),
    );
    for (key, url) in [
        ("s3.endpoint", &s3.endpoint),
        ("s3.public_endpoint", &s3.public_endpoint),
        ("rekognition.endpoint", &rekognition.endpoint),
    ] {
        wrong.unless_http(key, url.as_deref());
    }
    if let Some(matcher) = rekognition.matcher.as_deref()
        && !matches!(matcher, "compare" | "collection")
    {
        wrong.says(
            "rekognition.matcher",
            format_args!("must be compare or collection, not {matcher:?}"),
        );
    }
    if let Some(threshold) = rekognition.similarity_threshold {
        wrong.unless_within("rekognition.similarity_threshold", threshold, 0.0..=100.0);
    }
    wrong.unless_positive("rekognition.faces_per_second", rekognition.faces_per_second);
    wrong.unless_positive(
        "rekognition.labels_per_second",
        rekognition.labels_per_second,
    );
    check_issuer(config, &mut wrong);
    let tokens = &config.tokens;
    wrong.if_short("tokens.jwt_secret", tokens.jwt_secret.as_ref());
    wrong.if_short(
        "tokens.jwt_secret_previous",
        tokens.jwt_secret_previous.as_ref(),
    );
    let uploads = &config.uploads;
    wrong.unless_within("uploads.put_url_seconds", uploads.put_url_seconds, 1..=WEEK);
    wrong.unless_within("s3.get_url_seconds", s3.get_url_seconds, 120..=WEEK);
    wrong.unless_within(
        "uploads.max_files_per_request",
        uploads.max_files_per_request,
        1..=1000,
    );
    let worker = &config.worker;
    wrong.unless_within("worker.concurrency", worker.concurrency, 1..=256);
    wrong.unless_at_least("worker.lease_seconds", worker.lease_seconds, 10);
    wrong.unless_at_least("worker.max_attempts", worker.max_attempts, 1);
    wrong.unless_within(
        "worker.decode_memory_mb",
        worker.decode_memory_mb,
        16..=65_536,
    );
    wrong.unless_at_least(
        "database.acquire_seconds",
        config.database.acquire_seconds,
        1,
    );
    wrong.unless_at_least(
        "accounts.registrations_per_minute",
        config.accounts.registrations_per_minute,
        1,
    );
    let events = &config.events;
    wrong.unless_at_least("events.retention_seconds", events.retention_seconds, 60);
    wrong.unless_within(
        "events.poll_milliseconds",
        events.poll_milliseconds,
        10..=60_000,
    );
    if wrong.0.is_empty() {
        Ok(())
    } else {
        Err(ConfigError(wrong.0.join("; ")))
    }
}

/// What comes over plain HTTP anybody on the way can write: keys of their own, and be everybody.
fn check_issuer(config: &Config, wrong: &mut Wrong) {
    let oidc = &config.oidc;
    wrong.unless_both(
        ("oidc.issuer", oidc.issuer.is_some()),
        ("oidc.audience", oidc.audience.is_some()),
    );
    if let Some(issuer) = &oidc.issuer {
        let extra = issuer.contains(['?', '#']);
        if issuer.len() > 255 || extra || !crate::auth::oidc::is_safe(issuer) {
            // Not shown: it may hold a password, which is one of the things that are wrong.
            wrong.says(
                "oidc.issuer",
                "must be a URL like https://id.example.com, without user, query and fragment; \
                 http only on this machine",
            );
        }
    } else if !config.accounts.own {
        wrong.says(
            "accounts.own",
            format_args!(
                "can only be false with {}: nobody could sign in",
                message::name("oidc.issuer")
            ),
        );
    }
}
