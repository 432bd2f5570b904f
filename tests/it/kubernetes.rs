//! `k8s/` against the program: settings, metrics, permissions. `tests/run k8s` checks the rest of it.

mod metrics;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use eventgallery::config::{Config, ENVIRONMENT};
use eventgallery::vision::pace::Operation;
use yaml_rust2::{Yaml, YamlLoader};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn text(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn documents(path: &str) -> Vec<Yaml> {
    YamlLoader::load_from_str(&text(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Every YAML document under `k8s/`, patches within kustomizations included.
fn all() -> Vec<Yaml> {
    let mut found = Vec::new();
    let mut folders = vec![root().join("k8s")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "yaml") {
                let text = std::fs::read_to_string(&path).unwrap();
                found.extend(YamlLoader::load_from_str(&text).unwrap());
            }
        }
    }
    let patches: Vec<Yaml> = found
        .iter()
        .flat_map(|document| document["patches"].as_vec().into_iter().flatten())
        .filter_map(|patch| patch["patch"].as_str())
        .flat_map(|patch| YamlLoader::load_from_str(patch).unwrap())
        .collect();
    found.extend(patches);
    found
}

/// Names and values of a ConfigMap or Secret.
fn entries(document: &Yaml) -> BTreeMap<String, String> {
    ["data", "stringData"]
        .iter()
        .filter_map(|key| document[*key].as_hash())
        .flatten()
        .map(|(name, value)| {
            let value = value
                .as_str()
                .unwrap_or_else(|| panic!("{name:?}: quote the value"));
            (name.as_str().unwrap().to_owned(), value.to_owned())
        })
        .collect()
}

fn is_settings(document: &Yaml) -> bool {
    matches!(
        document["metadata"]["name"].as_str(),
        Some("backend-config" | "backend-secret")
    )
}

fn our_containers(document: &Yaml) -> Vec<&Yaml> {
    let containers = document["spec"]["template"]["spec"]["containers"].as_vec();
    let ours = |container: &&Yaml| container["image"].as_str() == Some("eventgallery");
    containers.into_iter().flatten().filter(ours).collect()
}

/// The settings of the base, with an overlay's on top.
fn settings(overlay: Option<&str>) -> BTreeMap<String, String> {
    let mut files = vec![
        "k8s/base/config.yaml".to_owned(),
        "k8s/base/secret.yaml".to_owned(),
    ];
    files.extend(overlay.map(|name| format!("k8s/overlays/{name}/settings.yaml")));
    files
        .iter()
        .flat_map(|file| documents(file))
        .filter(is_settings)
        .flat_map(|document| entries(&document))
        .collect()
}

fn config(settings: &BTreeMap<String, String>) -> Result<Config, String> {
    Config::from_sources(Path::new("no such file.toml"), |name| {
        settings.get(name).cloned()
    })
    .map_err(|error| error.to_string())
}

fn with(settings: &BTreeMap<String, String>, given: &[(&str, &str)]) -> BTreeMap<String, String> {
    let given = given
        .iter()
        .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
    settings.clone().into_iter().chain(given).collect()
}

const GIVEN: [(&str, &str); 3] = [
    ("AWS_REGION", "eu-west-1"),
    ("S3_BUCKET", "pictures"),
    ("JWT_SECRET", "0123456789abcdef0123456789abcdef"),
];

#[test]
fn every_variable_is_one_that_the_program_reads() {
    let known: BTreeSet<&str> = ENVIRONMENT.iter().flat_map(|v| v.names).copied().collect();
    let mut seen = BTreeSet::new();
    for document in all() {
        if is_settings(&document) {
            seen.extend(entries(&document).into_keys());
        }
        for container in our_containers(&document) {
            for entry in container["env"].as_vec().into_iter().flatten() {
                seen.insert(entry["name"].as_str().unwrap().to_owned());
                let from = &entry["valueFrom"];
                for source in ["secretKeyRef", "configMapKeyRef"] {
                    seen.extend(from[source]["key"].as_str().map(str::to_owned));
                }
            }
        }
    }
    assert!(seen.len() > 15, "{seen:?}");
    let strangers: Vec<_> = seen
        .iter()
        .filter(|n| !known.contains(n.as_str()))
        .collect();
    assert!(strangers.is_empty(), "no setting: {strangers:?}");
}

#[test]
fn the_base_names_what_production_must_decide() {
    let settings = settings(None);
    for name in [
        "DATABASE_URI",
        "DATABASE_MIGRATE",
        "AWS_REGION",
        "S3_BUCKET",
        "S3_KEY",
        "S3_SECRET",
        "AWS_REKOGNITION_KEY",
        "AWS_REKOGNITION_SECRET",
        "JWT_SECRET",
        "EVENTGALLERY_LISTEN",
        "EVENTGALLERY_DATA_DIR",
        "METRICS_LISTEN",
        "SHUTDOWN_SECONDS",
        "GRAPHIQL",
        "LOG_JSON",
    ] {
        assert!(settings.contains_key(name), "{name}");
    }
}

/// A forgotten bucket would be somebody else's, and a forgotten database a file that ends with the pod.
#[test]
fn placeholders_are_refused_by_name() {
    let error = config(&settings(None)).unwrap_err();
    for name in ["AWS_REGION", "S3_BUCKET", "DATABASE_URI", "JWT_SECRET"] {
        assert!(error.contains(name), "{error}");
    }
    assert!(!error.contains("S3_KEY"), "{error}");
    let error = config(&with(&settings(Some("mysql")), &GIVEN[..2])).unwrap_err();
    assert!(
        error.contains("JWT_SECRET") && !error.contains("S3_BUCKET"),
        "{error}"
    );
}

#[test]
fn filled_in_it_is_a_production_configuration() {
    for (overlay, scheme) in [("mysql", "mysql://"), ("postgres", "postgres://")] {
        let settings = with(&settings(Some(overlay)), &GIVEN);
        let config = config(&settings).unwrap();
        assert!(config.database_url().starts_with(scheme));
        assert!(!config.is_local() && !config.graphiql && !config.database.migrate);
        assert!(config.log_json);
        // The ingress: failed sign-ins are counted by the address that it saw.
        assert_eq!(config.trusted_proxies, 1);
        assert_eq!(config.listen.to_string(), "0.0.0.0:8080");
        assert_eq!(config.metrics.listen.unwrap().to_string(), "0.0.0.0:9090");
        assert_eq!(config.data_dir, Path::new("/data"));
        // With a role the keys are empty, which is as good as not there.
        assert!(config.s3.access_key.is_none() && config.rekognition.access_key.is_none());
        let keys = [("S3_KEY", "id"), ("S3_SECRET", "secret")];
        assert!(
            self::config(&with(&settings, &keys))
                .unwrap()
                .s3
                .access_key
                .is_some()
        );
    }
}

#[test]
fn the_runbooks_policy_allows_the_calls_that_are_made() {
    let runbook = text("docs/operations/runbook.md");
    let allowed: BTreeSet<&str> = runbook
        .split("\"rekognition:")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    let made: BTreeSet<&str> = Operation::ALL.iter().map(|o| o.name()).collect();
    assert_eq!(allowed, made);
}

/// What the runbook says of rolling back: the older program's migration fails and changes nothing.
#[tokio::test]
async fn an_older_program_refuses_to_migrate_a_newer_schema() {
    use sea_orm::ConnectionTrait as _;

    let folder = tempfile::tempdir().unwrap();
    let database = harness::database::TestDatabase::create(folder.path()).await;
    eventgallery::db::migrate(&database.url).await.unwrap();
    let connection = sea_orm::Database::connect(&database.url).await.unwrap();
    connection
        .execute_unprepared(
            "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m29990101_000001_newer', 1)",
        )
        .await
        .unwrap();
    connection.close().await.unwrap();
    let error = eventgallery::db::migrate(&database.url).await.unwrap_err();
    assert!(
        error.to_string().contains("m29990101_000001_newer"),
        "{error}"
    );
    database.drop().await;
}
