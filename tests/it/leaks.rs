//! What must not get out: causes of failures, and what a browser could be made to run.

use entity::share_link;
use harness::actor::text;
use harness::gate::{Fault, Gate, Rule};
use harness::{Actor, Socket, TestApp, aws, pictures};
use sea_orm::{ConnectionTrait as _, EntityName as _, EntityTrait as _};
use serde_json::{Value, json};

/// What the store says, and nobody may hear.
const MARKER: &str = "marker-of-the-store";

/// An internal error with an id and nothing else.
fn assert_masked(answer: &Value, causes: &[&str]) {
    let error = &answer["errors"][0];
    assert_eq!(error["message"], "internal error", "{answer:#}");
    assert_eq!(error["extensions"]["code"], "INTERNAL");
    assert_eq!(text(&error["extensions"]["errorId"]).len(), 36);
    let answer = answer.to_string();
    for cause in causes {
        assert!(!answer.contains(cause), "{cause} in {answer}");
    }
}

fn refusal() -> Fault {
    let body = format!("<Error><Code>{MARKER}</Code><Message>{MARKER}</Message></Error>");
    let headers = vec![
        ("x-amz-request-id", MARKER.to_owned()),
        ("x-amz-id-2", MARKER.to_owned()),
    ];
    Fault::Answer(403, "application/xml", headers, body)
}

#[tokio::test]
async fn what_a_store_says_stays_with_us() {
    let gate = Gate::before(&aws::s3().url).await;
    let public = aws::s3().url;
    let app = TestApp::with(&[("S3_ENDPOINT", &gate.url), ("S3_PUBLIC_ENDPOINT", &public)]).await;
    let ada = app.user("ada").await;
    let gallery = ada.gallery("g").await;
    let picture = pictures::plain("a.jpg", 1);
    let result = ada.request(&gallery, &[picture.file()]).await.remove(0);
    assert_eq!(ada.put(&result["target"], &picture.bytes).await.0, 200);
    let photo = text(&result["photo"]["id"]);

    gate.add(Rule::s3("HEAD", "original", refusal()));
    let document = "mutation($input: ConfirmPhotoUploadsInput!) { confirmPhotoUploads(input: $input) { userErrors { code } } }";
    let variables = json!({ "input": { "photoIds": [photo] } });
    let (_, answer) = ada.send(document, variables.clone()).await;
    assert_masked(&answer, &[MARKER, &app.bucket, "127.0.0.1"]);
    let mut events = ada.try_events(document, variables.clone()).await.unwrap();
    let answer = events.next_answer().await.unwrap();
    assert_masked(&answer, &[MARKER, &app.bucket, "127.0.0.1"]);
    let mut socket = Socket::initialised(&app.url, ada.token.as_deref()).await;
    socket.subscribe("1", document, variables).await;
    let next = socket.receive().await;
    assert_masked(&next["payload"], &[MARKER, &app.bucket, "127.0.0.1"]);
    gate.clear();

    // Nor through what a photo tells of its analysis.
    ada.confirm(std::slice::from_ref(&photo)).await;
    gate.add(Rule::s3("GET", "original", refusal()));
    for _ in 0..4 {
        app.run_jobs().await;
        app.clock.advance(60);
    }
    let jobs = entity::job::Entity::find()
        .all(app.db().read())
        .await
        .unwrap();
    let knows = |job: &entity::job::Model| {
        let error = job.last_error.as_deref().unwrap_or_default();
        error.contains(MARKER)
    };
    assert!(jobs.iter().any(knows), "it did get as far as us: {jobs:#?}");
    let seen = ada
        .photo(&photo, "analysis { attempts error { code message } }")
        .await;
    assert!(
        seen["analysis"][0]["attempts"].as_i64() > Some(0),
        "{seen:#}"
    );
    for secret in [MARKER, &app.bucket, "127.0.0.1", "galleries/"] {
        assert!(!seen.to_string().contains(secret), "{secret} in {seen:#}");
    }
    app.stop().await;
}

#[tokio::test]
async fn what_a_database_says_stays_with_us() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let gallery = ada.gallery("g").await;
    let table = share_link::Entity.table_name().to_owned();
    let txn = app.db().begin().await.unwrap();
    txn.execute_unprepared(&format!("DROP TABLE {table}"))
        .await
        .unwrap();
    txn.commit().await.unwrap();
    let document =
        "mutation($input: CreateShareLinkInput!) { createShareLink(input: $input) { token } }";
    let variables = json!({ "input": { "galleryId": gallery, "label": MARKER } });
    let (_, answer) = ada.send(document, variables).await;
    let causes = [
        MARKER, &table, "SELECT", "no such", "exist", "sqlx", "Sqlx", "Query",
    ];
    assert_masked(&answer, &causes);
    app.stop().await;
}

/// Headers of an answer of any kind.
async fn headers(
    actor: &Actor,
    method: reqwest::Method,
    url: String,
    accept: &str,
) -> (u16, Vec<(String, String)>) {
    let answer = actor
        .http()
        .request(method, url)
        .header("accept", accept)
        .send()
        .await
        .unwrap();
    let headers = answer.headers().iter();
    let headers = headers.map(|(name, value)| {
        let value = value.to_str().unwrap().to_owned();
        (name.to_string(), value)
    });
    (answer.status().as_u16(), headers.collect())
}

#[tokio::test]
async fn every_answer_tells_a_browser_to_do_nothing_with_it() {
    let app = TestApp::start().await;
    let actor = app.anonymous();
    let get = reqwest::Method::GET;
    let cases = [
        (get.clone(), "/graphql?query=%7B__typename%7D", "*/*", 200),
        (
            get.clone(),
            "/graphql?query=%7B__typename%7D",
            "text/event-stream",
            200,
        ),
        (get.clone(), "/graphql?query=%7B", "application/json", 200),
        (get.clone(), "/graphql", "text/html", 200),
        (get.clone(), "/graphql", "image/png", 406),
        (get.clone(), "/graphiql/app.js", "*/*", 200),
        (get.clone(), "/graphiql/none.js", "*/*", 404),
        (get.clone(), "/health/live", "*/*", 200),
        (get.clone(), "/health/ready", "*/*", 200),
        (get, "/nothing/here", "*/*", 404),
        (reqwest::Method::POST, "/graphql", "*/*", 415),
        (reqwest::Method::DELETE, "/graphql", "*/*", 405),
    ];
    for (method, path, accept, expected) in cases {
        let what = format!("{method} {path} as {accept}");
        let (status, headers) = headers(&actor, method, format!("{}{path}", app.url), accept).await;
        assert_eq!(status, expected, "{what}");
        let get = |name: &str| {
            let found = headers.iter().find(|(header, _)| header == name);
            found.map(|(_, value)| value.as_str())
        };
        assert_eq!(get("x-content-type-options"), Some("nosniff"), "{what}");
        assert_eq!(get("x-frame-options"), Some("DENY"), "{what}");
        assert_eq!(get("referrer-policy"), Some("no-referrer"), "{what}");
        let policy = get("content-security-policy").unwrap_or_default();
        assert!(policy.starts_with("default-src 'none'"), "{what}: {policy}");
        assert!(
            policy.contains("frame-ancestors 'none'"),
            "{what}: {policy}"
        );
        assert_eq!(get("server"), None, "{what}");
    }
    app.stop().await;
}

#[tokio::test]
async fn what_somebody_uploaded_is_saved_and_not_opened() {
    if !aws::analysis_works() {
        return;
    }
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let gallery = ada.gallery("g").await;
    let photo = ada
        .upload(&gallery, &[pictures::plain("a \"b\".jpg", 1)])
        .await
        .remove(0);
    app.run_jobs().await;
    let selection = "downloadUrl original: image(size: ORIGINAL) { url } preview: image { url }";
    let seen = ada.photo(&photo, selection).await;
    let get = async |url: &Value| ada.http().get(text(url)).send().await.unwrap();
    for url in [&seen["downloadUrl"], &seen["original"]["url"]] {
        let answer = get(url).await;
        assert_eq!(answer.status(), 200);
        let disposition = answer.headers()["content-disposition"].to_str().unwrap();
        assert!(disposition.starts_with("attachment"), "{disposition}");
        assert_eq!(answer.headers()["content-type"], "image/jpeg");
    }
    // Ours: drawn anew out of pixels.
    let answer = get(&seen["preview"]["url"]).await;
    assert_eq!(answer.headers()["content-type"], "image/jpeg");
    app.stop().await;
}
