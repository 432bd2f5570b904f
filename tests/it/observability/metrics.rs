//! Each metric moves with what it counts, and with nothing else.

use std::path::Path;

use eventgallery::metrics::{Kind, NAMES};
use harness::actor::text;
use harness::pictures::{self, Picture};
use harness::{TestApp, aws};
use serde_json::json;

use super::exposition::Operations;

#[tokio::test]
async fn an_upload_and_its_analysis_move_what_they_should() {
    if !aws::analysis_works() {
        return;
    }
    let app = TestApp::start().await;
    let operations = Operations::of(&app).await;
    let before = operations.scrape().await;
    let ada = app.user("ada").await;
    let gallery = ada.gallery("g").await;
    let photos = ada.upload(&gallery, &[pictures::samples().remove(0)]).await;

    app.clock.advance(30);
    let waiting = operations.scrape().await;
    assert_eq!(
        waiting.value(r#"eventgallery_jobs{kind="analyse",state="due"}"#),
        1.0
    );
    let oldest = waiting.value(r#"eventgallery_job_oldest_due_seconds{kind="analyse"}"#);
    assert_eq!(oldest, 30.0);

    app.run_jobs().await;
    let photo = ada.photo(&photos[0], "status image { url }").await;
    assert_eq!(photo["status"], "READY");
    app.clock.advance(30);
    let after = operations.scrape().await;
    for (series, moved) in [
        (
            r#"graphql_requests_total{operation="mutation",field="register",outcome="ok"}"#,
            1.0,
        ),
        (
            r#"graphql_requests_total{operation="mutation",field="requestPhotoUploads",outcome="ok"}"#,
            1.0,
        ),
        (
            r#"graphql_requests_total{operation="mutation",field="confirmPhotoUploads",outcome="ok"}"#,
            1.0,
        ),
        (
            r#"graphql_requests_total{operation="query",field="photo",outcome="ok"}"#,
            1.0,
        ),
        (
            r#"graphql_request_seconds_count{operation="query",field="photo"}"#,
            1.0,
        ),
        (
            r#"s3_calls_total{operation="HeadObject",outcome="ok"}"#,
            1.0,
        ),
        (r#"s3_calls_total{operation="GetObject",outcome="ok"}"#, 1.0),
        (r#"s3_calls_total{operation="PutObject",outcome="ok"}"#, 2.0),
        (
            r#"s3_calls_total{operation="PutObject",outcome="unavailable"}"#,
            0.0,
        ),
        (r#"s3_call_seconds_count{operation="PutObject"}"#, 2.0),
        (
            r#"rekognition_calls_total{operation="DetectFaces",outcome="ok"}"#,
            1.0,
        ),
        (
            r#"rekognition_calls_total{operation="DetectLabels",outcome="ok"}"#,
            1.0,
        ),
        (
            r#"rekognition_calls_total{operation="DetectLabels",outcome="throttled"}"#,
            0.0,
        ),
        (
            r#"rekognition_calls_total{operation="CreateCollection",outcome="ok"}"#,
            1.0,
        ),
        (
            r#"rekognition_call_seconds_count{operation="DetectFaces"}"#,
            1.0,
        ),
        (r#"job_runs_total{kind="analyse",outcome="done"}"#, 1.0),
        (r#"job_runs_total{kind="group",outcome="done"}"#, 1.0),
        (r#"job_runs_total{kind="analyse",outcome="retry"}"#, 0.0),
        (
            r#"job_runs_total{kind="sweep_events",outcome="again"}"#,
            1.0,
        ),
        (r#"job_run_seconds_count{kind="analyse"}"#, 1.0),
        (r#"urls_signed_total{method="PUT"}"#, 1.0),
        (r#"urls_signed_total{method="GET"}"#, 1.0),
    ] {
        let series = format!("eventgallery_{series}");
        let value = after.value(&series) - before.get(&series).unwrap_or_default();
        assert_eq!(value, moved, "{series}\n{}", after.text);
    }
    for (kind, state, jobs) in [
        ("analyse", "due", 0.0),
        ("analyse", "leased", 0.0),
        ("group", "buried", 0.0),
        ("sweep_events", "scheduled", 1.0),
    ] {
        let series = format!(r#"eventgallery_jobs{{kind="{kind}",state="{state}"}}"#);
        assert_eq!(after.value(&series), jobs, "{series}");
    }
    let statements = "eventgallery_database_statements_total";
    assert!(after.value(statements) > before.value(statements) + 20.0);
    let open: f64 = ["idle", "used"]
        .iter()
        .map(|state| {
            format!(r#"eventgallery_database_connections{{pool="write",state="{state}"}}"#)
        })
        .map(|series| after.value(&series))
        .sum();
    assert!((1.0..=5.0).contains(&open), "{open}");
    let version = after.labels("eventgallery_build_info", "version");
    assert_eq!(version.len(), 1);
    app.stop().await;
}

#[tokio::test]
async fn errors_count_by_code() {
    let app = TestApp::start().await;
    let operations = Operations::of(&app).await;
    let mut ada = app.user("ada").await;
    let wrong = json!({ "email": ada.email, "password": "not the password" });
    for _ in 0..2 {
        let payload = ada
            .attempt("signIn", "SignInInput", wrong.clone(), "accessToken")
            .await;
        assert_eq!(payload["userErrors"][0]["code"], "WRONG_CREDENTIALS");
    }
    let gallery = ada.gallery("g").await;
    let bob = app.user("bob").await;
    let strange = json!({ "id": gallery });
    let document = "query($id: ID!) { gallery(id: $id) { name } }";
    assert_eq!(bob.error_code(document, strange).await, "NOT_FOUND");
    ada.token = Some("nonsense".into());
    assert_eq!(
        ada.error_code("{ viewer { id } }", json!({})).await,
        "UNAUTHENTICATED"
    );
    let found = operations.scrape().await;
    for (series, value) in [
        (r#"user_errors_total{code="WRONG_CREDENTIALS"}"#, 2.0),
        // Known beforehand, so that the first one is seen as an increase.
        (r#"user_errors_total{code="TAKEN"}"#, 0.0),
        (r#"graphql_errors_total{code="NOT_FOUND"}"#, 1.0),
        (r#"graphql_errors_total{code="UNAUTHENTICATED"}"#, 1.0),
        (r#"graphql_errors_total{code="INTERNAL"}"#, 0.0),
        (
            r#"graphql_requests_total{operation="mutation",field="signIn",outcome="ok"}"#,
            2.0,
        ),
        (
            r#"graphql_requests_total{operation="query",field="gallery",outcome="error"}"#,
            1.0,
        ),
        (
            r#"graphql_requests_total{operation="other",field="other",outcome="refused"}"#,
            1.0,
        ),
    ] {
        assert_eq!(
            found.value(&format!("eventgallery_{series}")),
            value,
            "{series}"
        );
    }
    app.stop().await;
}

#[tokio::test]
async fn what_clients_make_up_becomes_no_label() {
    let app = TestApp::start().await;
    let operations = Operations::of(&app).await;
    let ada = app.user("ada").await;
    for document in [
        "{ madeUpField { id } }",
        "query madeUpName { madeUpAlias: viewer { id } }",
        "mutation madeUpName { madeUpMutation(input: 1) { id } }",
        "subscription { madeUpSubscription { id } }",
        "query { ...madeUpFragment } fragment madeUpFragment on Query { viewer { id } }",
        "{ ... on Query { ... on Query { viewer { id } } } }",
        "{ ...madeUpA } fragment madeUpA on Query { ...madeUpB } fragment madeUpB on Query { ...madeUpA }",
        "{ __schema { types { name } } }",
        "{ madeUp garbage ((",
        "",
    ] {
        ada.send(document, json!({})).await;
    }
    let found = operations.scrape().await;
    assert!(!found.text.contains("madeUp"), "{}", found.text);
    let metric = "eventgallery_graphql_requests_total";
    let fields = found.labels(metric, "field");
    let expected = ["__schema", "other", "register", "viewer"];
    assert_eq!(
        fields.iter().map(String::as_str).collect::<Vec<_>>(),
        expected
    );
    let viewer = r#"{operation="query",field="viewer",outcome="ok"}"#;
    assert_eq!(
        found.value(&format!("{metric}{viewer}")),
        3.0,
        "{}",
        found.text
    );
    let unknown = r#"{operation="query",field="other",outcome="refused"}"#;
    assert_eq!(
        found.value(&format!("{metric}{unknown}")),
        2.0,
        "{}",
        found.text
    );
    app.stop().await;
}

#[tokio::test]
async fn the_reaper_counts_what_it_did() {
    let app = TestApp::start().await;
    let operations = Operations::of(&app).await;
    let ada = app.user("ada").await;
    let gallery = ada.gallery("g").await;
    let pictures = [
        pictures::plain("never.jpg", 1),
        pictures::plain("neither.jpg", 2),
        pictures::plain("vanished.jpg", 3),
    ];
    let files: Vec<_> = pictures.iter().map(Picture::file).collect();
    let results = ada.request(&gallery, &files).await;
    let (status, _) = ada.put(&results[2]["target"], &pictures[2].bytes).await;
    assert_eq!(status, 200);
    app.clock.advance(900 + 900 + 60);
    app.run_jobs().await;
    let found = operations.scrape().await;
    let reaped = |outcome: &str| {
        found.value(&format!(
            r#"eventgallery_uploads_reaped_total{{outcome="{outcome}"}}"#
        ))
    };
    assert_eq!((reaped("removed"), reaped("confirmed")), (2.0, 1.0));
    let missing = r#"eventgallery_s3_calls_total{operation="HeadObject",outcome="not_found"}"#;
    assert_eq!(found.value(missing), 2.0);
    app.stop().await;
}

#[tokio::test]
async fn outages_of_aws_count_as_what_they_are() {
    if !aws::analysis_works() {
        return;
    }
    use local::{Fault, FaultRule};
    // Stand-ins of its own: faults would hit other tests too.
    let app = TestApp::with(&[("S3_BUCKET", "")]).await;
    let operations = Operations::of(&app).await;
    let faults = app.app().local().unwrap().faults();
    let ada = app.user("ada").await;
    let gallery = ada.gallery("g").await;
    let picture = pictures::samples().remove(0);
    let result = ada.request(&gallery, &[picture.file()]).await.remove(0);
    assert_eq!(ada.put(&result["target"], &picture.bytes).await.0, 200);
    let id = text(&result["photo"]["id"]);
    // Three each: as often as the SDK asks by itself.
    faults.add(FaultRule::next("s3:HeadObject", Fault::InternalError, 3));
    faults.add(FaultRule::next(
        "rekognition:DetectLabels",
        Fault::Throttle,
        3,
    ));
    faults.add(FaultRule::next(
        "rekognition:DetectFaces",
        Fault::InternalError,
        3,
    ));
    let document = "mutation($input: ConfirmPhotoUploadsInput!) { confirmPhotoUploads(input: $input) { results { userErrors { code } } } }";
    let input = json!({ "input": { "photoIds": [id] } });
    ada.send(document, input).await;
    assert_eq!(
        ada.confirm(std::slice::from_ref(&id)).await[0]["userErrors"],
        json!([])
    );
    app.run_jobs().await;
    let found = operations.scrape().await;
    for series in [
        r#"s3_calls_total{operation="HeadObject",outcome="unavailable"}"#,
        r#"s3_calls_total{operation="HeadObject",outcome="ok"}"#,
        r#"rekognition_calls_total{operation="DetectLabels",outcome="throttled"}"#,
        r#"rekognition_calls_total{operation="DetectFaces",outcome="unavailable"}"#,
    ] {
        assert_eq!(
            found.value(&format!("eventgallery_{series}")),
            1.0,
            "{series}\n{}",
            found.text
        );
    }
    app.stop().await;
}

#[tokio::test]
async fn every_metric_is_there_as_documented() {
    let app = TestApp::start().await;
    let operations = Operations::of(&app).await;
    let ada = app.user("ada").await;
    app.run_jobs().await;
    let gallery = ada.gallery("g").await;
    let mut events = ada.follow(&gallery, None).await;
    events.until("GalleryEventsStarted").await;
    for name in ["a", "b", "c"] {
        let input = json!({ "galleryId": gallery, "name": name });
        ada.mutate(
            "updateGallery",
            "UpdateGalleryInput",
            input,
            "gallery { id }",
        )
        .await;
        events.until("GalleryChanged").await;
    }
    let found = operations.scrape().await;
    assert_eq!(found.value("eventgallery_events_written_total"), 3.0);
    assert_eq!(found.value("eventgallery_subscriptions"), 1.0);
    let followed = r#"eventgallery_graphql_requests_total{operation="subscription",field="galleryEvents",outcome="ok"}"#;
    assert_eq!(found.value(followed), 1.0, "{}", found.text);

    let document =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operations/observability.md");
    let document = std::fs::read_to_string(document).unwrap();
    for name in NAMES {
        let (stem, kind) = match name.kind {
            Kind::Counter => (name.name.strip_suffix("_total").unwrap(), "counter"),
            Kind::Gauge => (name.name, "gauge"),
            Kind::Histogram => (name.name, "histogram"),
        };
        assert_eq!(
            found.kinds.get(stem).map(String::as_str),
            Some(kind),
            "{}",
            name.name
        );
        let labels: Vec<String> = name
            .labels
            .iter()
            .map(|label| format!("`{label}`"))
            .collect();
        let row = format!(
            "| `{}` | {kind} | {} | {} |",
            name.name,
            labels.join(" "),
            name.help
        );
        let row = row.replace("|  |", "| |");
        assert!(
            document.contains(&row),
            "docs/operations/observability.md lacks: {row}"
        );
    }
    assert_eq!(
        found.kinds.len(),
        NAMES.len(),
        "all that is served is in NAMES"
    );
    let rows = document
        .lines()
        .filter(|line| line.starts_with("| `eventgallery_"));
    assert_eq!(
        rows.count(),
        NAMES.len(),
        "all that is documented is in NAMES"
    );

    // Another application in this process counts for itself.
    let other = TestApp::start().await;
    let own = Operations::of(&other).await.scrape().await;
    assert_eq!(own.value("eventgallery_events_written_total"), 0.0);
    other.stop().await;
    app.stop().await;
}
