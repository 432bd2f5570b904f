//! Settings: what the README says of them, and what wrong ones get.

use std::path::Path;

use eventgallery::config::{Config, ENVIRONMENT};

fn config(variables: &[(&str, &str)]) -> Result<Config, String> {
    let get = |name: &str| {
        variables
            .iter()
            .find(|(n, _)| *n == name)
            .map(|(_, value)| (*value).to_owned())
    };
    Config::from_sources(Path::new("no such file.toml"), get).map_err(|error| error.to_string())
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
    for word in ["JWT_SECRET", "S3_SECRET", "worker.concurrency"] {
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
