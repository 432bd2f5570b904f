//! Lines say whose they are and tell no secrets: the binary itself, from registration to an
//! internal error, with the log as it is by default and with all of our own code's.

use harness::Actor;
use harness::actor::text;
use harness::database::TestDatabase;
use harness::pictures::{self, Picture};
use sea_orm::{ConnectionTrait as _, Database};
use serde_json::{Value, json};

use super::process::{Process, analysed, span, until};

/// An id as a proxy in front would give it.
const REQUEST_ID: &str = "from-the-proxy.1";

#[tokio::test]
async fn the_default_log_tells_no_secrets() {
    log_of_a_life(&[]).await;
}

#[tokio::test]
async fn all_of_our_own_log_tells_no_secrets() {
    let lines = log_of_a_life(&[("RUST_LOG", "warn,eventgallery=trace,local=trace")]).await;
    let answered = lines.iter().filter(|line| line["message"] == "answered");
    let ids: Vec<&Value> = answered
        .map(|line| &span(line, "request").expect("the request's span")["request_id"])
        .collect();
    assert!(
        ids.len() > 8 && ids.contains(&&json!(REQUEST_ID)),
        "{ids:?}"
    );
}

#[tokio::test]
async fn a_manifest_of_another_release_is_a_warning_a_document() {
    const TOLD: &str = "a trusted document asks for what the schema does not have";
    let folder = tempfile::tempdir().unwrap();
    let database = TestDatabase::create(folder.path()).await;
    let manifest = folder.path().join("newer.json");
    let written = json!({ "known": "{ viewer { id } }", "one": "{ viewer { shoeSize hat } hat }",
        "other": "query($f: Future) { viewer { id } }" });
    std::fs::write(&manifest, written.to_string()).unwrap();
    let manifest = manifest.display().to_string();
    let environment = [
        ("DATABASE_URI", database.url.as_str()),
        ("GRAPHQL_MANIFEST", &manifest),
    ];
    let mut server = Process::start("serve", folder.path(), &environment);
    server.line(TOLD).await;
    server.stop().await;
    let lines = server.lines();
    let told: Vec<Value> = lines
        .iter()
        .filter(|line| line["message"] == TOLD)
        .map(|line| json!([line["level"], line["document"], line["unknown"]]))
        .collect();
    assert_eq!(
        told,
        [
            json!(["WARN", "one", "User.shoeSize"]),
            json!(["WARN", "other", "Future"])
        ]
    );
    database.drop().await;
}

/// Everything that holds whatever is logged; the lines.
async fn log_of_a_life(environment: &[(&str, &str)]) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let database = TestDatabase::create(folder.path()).await;
    let mut environment = environment.to_vec();
    environment.push(("DATABASE_URI", &database.url));
    environment.push(("WORKER_MAX_ATTEMPTS", "1"));
    let mut server = Process::start("serve", folder.path(), &environment);
    let mut secrets = Secrets::default();

    let mut ada = Actor::at(&server.url, "ada-of-the-log").await;
    secrets.add(&ada.email);
    secrets.add(&ada.password);
    secrets.add(ada.token.as_ref().unwrap());
    secrets.add(ada.refresh_token.as_ref().unwrap());
    let wrong = json!({ "email": ada.email, "password": secrets.made("wrong-password") });
    let refused = ada
        .attempt("signIn", "SignInInput", wrong, "accessToken")
        .await;
    assert_eq!(refused["userErrors"][0]["code"], "WRONG_CREDENTIALS");

    let gallery = ada.gallery(&secrets.made("gallery-name")).await;
    let mut photo = pictures::samples().remove(0);
    photo.name = secrets.made("file-name.jpg");
    let text_file = Picture::jpeg(&secrets.made("no-picture.jpg"), b"no picture".repeat(30));
    let files = [photo.file(), text_file.file()];
    let mut ids = Vec::new();
    for (result, picture) in ada
        .request(&gallery, &files)
        .await
        .iter()
        .zip([&photo, &text_file])
    {
        secrets.add_url(&text(&result["target"]["url"]));
        assert_eq!(ada.put(&result["target"], &picture.bytes).await.0, 200);
        ids.push(text(&result["photo"]["id"]));
    }
    ada.confirm(&ids).await;
    assert_eq!(analysed(&ada, &ids[0]).await, "READY");
    assert_eq!(analysed(&ada, &ids[1]).await, "FAILED");
    let page = ada.photo(&ids[0], "downloadUrl image { url }").await;
    secrets.add_url(&text(&page["downloadUrl"]));
    secrets.add_url(&text(&page["image"]["url"]));
    assert_eq!(
        ada.http()
            .get(text(&page["image"]["url"]))
            .send()
            .await
            .unwrap()
            .status(),
        200
    );

    let input = json!({ "galleryId": gallery, "label": secrets.made("link-label") });
    let link = ada
        .mutate("createShareLink", "CreateShareLinkInput", input, "token")
        .await;
    secrets.add(&text(&link["token"]));
    for token in [text(&link["token"]), secrets.made("share-token")] {
        let redeemed = ada
            .attempt(
                "redeemShareLink",
                "RedeemShareLinkInput",
                json!({ "token": token }),
                "accessToken",
            )
            .await;
        if let Some(token) = redeemed["accessToken"].as_str() {
            secrets.add(token);
        }
    }
    let input = json!({ "currentPassword": ada.password, "newPassword": secrets.made("password") });
    let session = ada
        .mutate(
            "changePassword",
            "ChangePasswordInput",
            input,
            "accessToken refreshToken deviceToken",
        )
        .await;
    ada.password = "secret-password".to_owned();
    secrets.add(&text(&session["accessToken"]));
    secrets.add(&text(&session["refreshToken"]));
    secrets.add(&text(&session["deviceToken"]));

    let good = ada.token.replace(secrets.made("forged.token.x"));
    assert_eq!(
        ada.error_code("{ viewer { id } }", json!({})).await,
        "UNAUTHENTICATED"
    );
    ada.token = good;

    break_store(folder.path());
    let again = json!({ "photoIds": [ids[0]], "steps": ["RENDITIONS"] });
    ada.mutate(
        "retryPhotoAnalysis",
        "RetryPhotoAnalysisInput",
        again,
        "results { photo { id } }",
    )
    .await;
    let buried = server
        .line("job given up and buried, unless it was asked for again meanwhile")
        .await;
    let job = span(&buried, "job").unwrap();
    assert_eq!(
        (&buried["level"], &job["kind"], &job["attempt"]),
        (&json!("ERROR"), &json!("analyse"), &json!(1))
    );
    assert_eq!(buried["job"], job["job_id"]);

    // The table behind refresh tokens is gone: signing in is an internal error.
    let connection = Database::connect(&database.url).await.unwrap();
    connection
        .execute_unprepared("DROP TABLE refresh_token")
        .await
        .unwrap();
    connection.close().await.unwrap();
    let document = "mutation($input: SignInInput!) { signIn(input: $input) { accessToken } }";
    let variables = json!({ "input": { "email": ada.email, "password": ada.password } });
    let answer: Value = ada
        .http()
        .post(format!("{}/graphql", server.url))
        .header("x-request-id", REQUEST_ID)
        .json(&json!({ "query": document, "variables": variables }))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let error = &answer["errors"][0]["extensions"];
    assert_eq!(error["code"], "INTERNAL", "{answer:#}");
    let lines = until("line with the error's id", async || {
        let lines = server.lines();
        lines
            .iter()
            .any(|line| line["error_id"] == error["errorId"])
            .then_some(lines)
    })
    .await;
    let internal = lines
        .iter()
        .find(|line| line["error_id"] == error["errorId"])
        .unwrap();
    let request = span(internal, "request").unwrap();
    assert_eq!(
        (&request["request_id"], &request["route"]),
        (&json!(REQUEST_ID), &json!("/graphql"))
    );

    server.stop().await;
    let lines = server.lines();
    for message in ["the worker starts", "the worker has stopped"] {
        assert!(
            lines.iter().any(|line| line["message"] == message),
            "{message}"
        );
    }
    let unusable = lines
        .iter()
        .find(|line| line["message"] == "photo not usable")
        .unwrap();
    let job = span(unusable, "job").unwrap();
    assert!(
        job["job_id"].is_string() && job["subject"].is_string(),
        "{unusable:#}"
    );
    secrets.add_files(folder.path());
    secrets.assert_absent(&server.text());
    database.drop().await;
    lines
}

#[tokio::test]
async fn a_wrong_signature_at_the_local_s3_is_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let database = TestDatabase::create(folder.path()).await;
    let mut server = Process::start("serve", folder.path(), &[("DATABASE_URI", &database.url)]);
    let ada = Actor::at(&server.url, "ada").await;
    let gallery = ada.gallery("g").await;
    let picture = pictures::plain("a.jpg", 1);
    let mut target = ada.request(&gallery, &[picture.file()]).await.remove(0)["target"].take();
    let mut secrets = vec![text(&target["url"])];
    let (rest, signature) = secrets[0].split_once("X-Amz-Signature=").unwrap();
    // Of the same length, and surely another one.
    let wrong: String = signature[..64].chars().rev().collect();
    target["url"] = json!(format!("{rest}X-Amz-Signature={wrong}{}", &signature[64..]));
    let signature = signature[..64].to_owned();
    secrets.extend([signature, wrong]);
    assert_eq!(ada.put(&target, &picture.bytes).await.0, 403);
    let line = server.line("the local S3 refused a request").await;
    assert_eq!(
        (&line["level"], &line["code"]),
        (&json!("WARN"), &json!("SignatureDoesNotMatch"))
    );
    server.stop().await;
    let loud = |line: &&Value| line["level"] == "WARN" || line["level"] == "ERROR";
    let lines = server.lines();
    let loud: Vec<&Value> = lines.iter().filter(loud).collect();
    assert_eq!(loud.len(), 1, "{loud:#?}");
    let log = server.text();
    assert!(
        secrets.iter().all(|secret| !log.contains(secret.as_str())),
        "{log}"
    );
    database.drop().await;
}

/// Takes the objects away from under the server, as a disk that went.
fn break_store(folder: &std::path::Path) {
    let blobs = folder.join("data/s3/blobs");
    assert!(blobs.is_dir(), "{}", blobs.display());
    std::fs::rename(&blobs, folder.join("gone")).unwrap();
}

/// What must not be found in a log.
#[derive(Default)]
struct Secrets(Vec<String>);

impl Secrets {
    fn add(&mut self, secret: &str) {
        assert!(secret.len() >= 8, "too short to be looked for: {secret}");
        self.0.push(secret.to_owned());
    }

    /// A secret of the test's own.
    fn made(&mut self, name: &str) -> String {
        let secret = format!("secret-{name}");
        self.add(&secret);
        secret
    }

    /// A signed URL: the whole and its signature.
    fn add_url(&mut self, url: &str) {
        let (_, signature) = url.split_once("X-Amz-Signature=").unwrap();
        self.add(&signature[..64]);
        self.add(url);
        if !self.0.iter().any(|secret| secret == "X-Amz-Signature") {
            self.add("X-Amz-Signature");
        }
    }

    /// Keys that the server made for itself.
    fn add_files(&mut self, folder: &std::path::Path) {
        let jwt = std::fs::read(folder.join("data/jwt_secret")).unwrap();
        self.add(String::from_utf8_lossy(&jwt).trim());
        let credentials = local::load_or_create_credentials(&folder.join("data")).unwrap();
        self.add(&credentials.secret_access_key);
    }

    fn assert_absent(&self, log: &str) {
        assert!(self.0.len() > 12);
        for line in log.lines() {
            for secret in &self.0 {
                assert!(!line.contains(secret.as_str()), "{secret} in: {line}");
            }
        }
    }
}
