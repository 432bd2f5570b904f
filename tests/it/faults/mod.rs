//! What the application does while what it needs does not answer: clear answers in time, jobs that
//! wait, and nothing lost, doubled or left behind.

mod clocks;
mod database;
mod disk;
mod store;
mod vision;

use harness::gate::{Fault, Gate, Rule};
use harness::{Actor, TestApp, aws};
use serde_json::{Value, json};

/// An application whose S3 and Rekognition are behind one gate. Clients go straight to the store.
async fn gated() -> (TestApp, Gate) {
    let gate = Gate::before(&aws::s3().url).await;
    let app = TestApp::with(&[
        ("S3_ENDPOINT", &gate.url),
        ("S3_PUBLIC_ENDPOINT", &aws::s3().url),
        ("REKOGNITION_ENDPOINT", &gate.url),
    ])
    .await;
    (app, gate)
}

/// What is seen of an analysis.
const ANALYSIS: &str =
    "status analysis { step state attempts retryAt error { code message retryable } }";

/// A step out of [`ANALYSIS`].
fn step<'a>(photo: &'a Value, name: &str) -> &'a Value {
    let steps = photo["analysis"].as_array().unwrap();
    steps.iter().find(|step| step["step"] == name).unwrap()
}

/// Runs jobs and lets time pass until nothing has failed for a while.
async fn wait_out(app: &TestApp) {
    for _ in 0..6 {
        app.run_jobs().await;
        app.clock.advance(60);
    }
}

/// Asserts that an answer says that it may work later, in every place where clients look.
async fn assert_unavailable(actor: &Actor, document: &str, variables: Value) {
    let response = actor.post(document, variables).await.unwrap();
    // Executed, so by the specification no failure of HTTP.
    let (status, header) = (response.status(), response.headers().get("retry-after"));
    let header: u64 = header
        .unwrap_or_else(|| panic!("no Retry-After with {status}"))
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    let answer: Value = response.json().await.unwrap();
    let extensions = &answer["errors"][0]["extensions"];
    assert_eq!(extensions["code"], "UNAVAILABLE", "{answer:#}");
    assert_eq!(extensions["retryAfterSeconds"], json!(header));
    assert!(extensions["errorId"].is_string());
    let text = answer.to_string();
    for secret in ["127.0.0.1", "postgres", "mysql", "sqlx", "SqlxError"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

const CONFIRM: &str =
    "mutation($input: ConfirmPhotoUploadsInput!) { confirmPhotoUploads(input: $input) {
  results { photoId photo { id status } userErrors { code } } } }";
