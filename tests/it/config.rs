//! Settings: what the README says of them, and what wrong ones get.

use std::path::Path;

use eventgallery::config::{Config, ENVIRONMENT};

fn config(variables: &[(&str, &str)]) -> Result<Config, String> {
    read(Path::new("no such file.toml"), variables)
}

fn read(file: &Path, variables: &[(&str, &str)]) -> Result<Config, String> {
    let get = |name: &str| {
        variables
            .iter()
            .find(|(n, _)| *n == name)
            .map(|(_, value)| (*value).to_owned())
    };
    Config::from_sources(file, get).map_err(|error| error.to_string())
}

#[test]
fn the_readme_lists_every_setting() {
    let readme =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md"))
            .unwrap();
    for variable in ENVIRONMENT {
        let names: Vec<String> = variable
            .names
            .iter()
            .map(|name| format!("`{name}`"))
            .collect();
        let row = format!("| `{}` | {} |", variable.key, names.join(", "));
        assert!(readme.contains(&row), "README.md lacks: {row}");
    }
}

#[test]
fn names_that_people_use_already_work() {
    let config = config(&[
        ("DATABASE_URI", "mysql+pymysql://u:p@h/d"),
        ("BUCKET_NAME", "pictures"),
        ("AWS_KEY", "id"),
        ("AWS_SECRET", "secret"),
        ("GRAPHIQL", "off"),
        ("WORKER_CONCURRENCY", "7"),
    ])
    .unwrap();
    assert_eq!(config.database_url(), "mysql://u:p@h/d");
    assert_eq!(config.s3.bucket.as_deref(), Some("pictures"));
    assert!(!config.graphiql && !config.is_local());
    assert_eq!(config.worker.concurrency, 7);
}

#[test]
fn each_wrong_value_is_named_and_secrets_are_not_shown() {
    let error = config(&[
        ("JWT_SECRET", "short"),
        ("S3_KEY", "alone"),
        ("WORKER_CONCURRENCY", "0"),
    ])
    .unwrap_err();
    for word in ["JWT_SECRET", "S3_SECRET", "WORKER_CONCURRENCY"] {
        assert!(error.contains(word), "{error}");
    }
    assert!(
        config(&[("WORKER_CONCURRENCY", "many")])
            .unwrap_err()
            .contains("WORKER_CONCURRENCY")
    );
    assert!(
        config(&[("EVENTGALLERY_LISTEN", "nowhere")])
            .unwrap_err()
            .contains("listen")
    );
    let shown = format!(
        "{:?}",
        config(&[("S3_KEY", "id"), ("S3_SECRET", "hush"), ("S3_BUCKET", "b")]).unwrap()
    );
    assert!(!shown.contains("hush"));
}

#[test]
fn an_issuer_is_reached_safely_or_not_at_all() {
    let with = |issuer: &str| config(&[("OIDC_ISSUER", issuer), ("OIDC_AUDIENCE", "photos")]);
    for good in [
        "https://id.example.com",
        "https://id.example.com/realms/a/",
        "http://127.0.0.1:8081",
    ] {
        assert!(with(good).is_ok(), "{good}");
    }
    let long = format!("https://id.example.com/{}", "x".repeat(255));
    for bad in [
        "http://id.example.com",
        "https://user:hush@id.example.com",
        "https://id.example.com?x=1",
        "https://id.example.com#x",
        "id.example.com",
        long.as_str(),
    ] {
        let error = with(bad).unwrap_err();
        assert!(error.contains("OIDC_ISSUER"), "{error}");
        assert!(!error.contains("hush"), "{error}");
    }
    let error = config(&[("OIDC_ISSUER", "https://id.example.com")]).unwrap_err();
    assert!(error.contains("OIDC_AUDIENCE"), "{error}");
    let error = config(&[("OWN_ACCOUNTS", "false")]).unwrap_err();
    assert!(
        error.contains("OWN_ACCOUNTS") && error.contains("OIDC_ISSUER"),
        "{error}"
    );
}

#[test]
fn a_wrong_value_is_told_with_all_its_names_and_what_would_be_right() {
    for (name, value, expected) in [
        (
            "LISTEN",
            "localhost:8098",
            r#"listen (EVENTGALLERY_LISTEN, LISTEN): "localhost:8098" is not an address like 127.0.0.1:8080"#,
        ),
        (
            "METRICS_LISTEN",
            "9090",
            r#"metrics.listen (METRICS_LISTEN): "9090" is not an address like 127.0.0.1:8080"#,
        ),
        (
            "GRAPHIQL",
            "1",
            "graphiql (GRAPHIQL): 1 is not true or false",
        ),
        (
            "TRUSTED_PROXIES",
            "300",
            "trusted_proxies (TRUSTED_PROXIES): 300 is not a whole number from 0 to 255",
        ),
        (
            "WORKER_CONCURRENCY",
            "-1",
            "worker.concurrency (WORKER_CONCURRENCY): -1 is not a whole number from 0 to 4294967295",
        ),
        (
            "WORKER_CONCURRENCY",
            "0",
            "worker.concurrency (WORKER_CONCURRENCY) must be from 1 to 256, not 0",
        ),
        (
            "S3_ENDPOINT",
            "minio:9000",
            r#"s3.endpoint (S3_ENDPOINT) must be a URL like https://s3.example.com, not "minio:9000""#,
        ),
        (
            "GRAPHQL_PERSISTED",
            "on",
            r#"graphql.persisted (GRAPHQL_PERSISTED) must be off, apq or trusted-only, not "on""#,
        ),
        (
            "GRAPHQL_PERSISTED",
            "trusted-only",
            "graphql.manifest (GRAPHQL_MANIFEST) is missing: it goes with graphql.persisted trusted-only",
        ),
        (
            "DATABASE_URL",
            "foo://u:hunter2@h/x",
            "database.url (DATABASE_URI, DATABASE_URL) must begin with mysql://, postgres:// or sqlite:",
        ),
        (
            "DATABASE_URI",
            "mysql://u:hunter2/b@h/x",
            "database.url (DATABASE_URI, DATABASE_URL) is not a URL; write @ : / ? # % in the password as %40 %3A %2F %3F %23 %25",
        ),
    ] {
        let error = config(&[(name, value)]).unwrap_err();
        assert_eq!(error, format!("configuration: {expected}"));
    }
}

#[test]
fn a_wrong_file_is_told_in_one_line_without_its_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("eventgallery.toml");
    for (text, expected) in [
        (
            "[database]\nurl = 17",
            "database.url (DATABASE_URI, DATABASE_URL): is not a text (in quotation marks)",
        ),
        (
            "[worker]\nconcurrent = 3",
            "worker.concurrent: there is no such setting, but enabled, concurrency, lease_seconds, max_attempts",
        ),
        (
            "[tokens]\njwt_secret = \"hunter2hunter2",
            "not TOML at line 2, column ",
        ),
    ] {
        std::fs::write(&file, text).unwrap();
        let error = read(&file, &[]).unwrap_err();
        assert!(error.contains(expected), "{error}");
        assert!(
            error.contains(&format!("(in {})", file.display())),
            "{error}"
        );
        assert!(
            !error.contains('\n') && !error.contains("hunter2"),
            "{error}"
        );
        assert!(!error.contains("17"), "{error}");
    }
}

#[test]
fn what_fails_at_the_database_is_told_without_the_password() {
    let config = config(&[("DATABASE_URI", "mariadb://u:hunter2@h/x")]).unwrap();
    let driver = sea_orm::DbErr::Custom("mysql://u:hunter2@h/x and u:hunter2".to_owned());
    let error = config.database_failure("cannot connect to the database", driver);
    for text in [format!("{error:#}"), format!("{error:?}")] {
        assert!(!text.contains("hunter2"), "{text}");
        let place =
            "cannot connect to the database h:3306/x of database.url (DATABASE_URI, DATABASE_URL)";
        assert!(text.contains(place), "{text}");
    }
}
