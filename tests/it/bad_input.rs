//! What cannot become a photo gets a code, and nothing else stops.

use std::time::Duration;

use harness::database::TestDatabase;
use harness::pictures::{self, Picture};
use harness::process::Server;
use harness::{Actor, TestApp, aws, bombs};
use serde_json::{Value, json};

#[tokio::test]
async fn announcements_that_cannot_work_are_refused_at_once() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let gallery = ada.gallery("g").await;
    let file = |changes: Value| {
        let mut file = pictures::plain("a.jpg", 1).file();
        for (key, value) in changes.as_object().unwrap() {
            file[key] = value.clone();
        }
        file
    };
    let cases = [
        (json!({ "byteSize": 0 }), "FILE_EMPTY"),
        (json!({ "byteSize": 60_000_000 }), "FILE_TOO_LARGE"),
        (json!({ "contentType": "image/heic" }), "HEIC_UNSUPPORTED"),
        (
            json!({ "contentType": "text/html" }),
            "UNSUPPORTED_CONTENT_TYPE",
        ),
        (
            json!({ "contentType": "image/svg+xml" }),
            "UNSUPPORTED_CONTENT_TYPE",
        ),
        (json!({ "sha256": "abc" }), "INVALID"),
        (json!({ "filename": "" }), "INVALID"),
        (json!({ "byteSize": -5 }), "INVALID"),
    ];
    let files: Vec<Value> = cases
        .iter()
        .map(|(changes, _)| file(changes.clone()))
        .collect();
    let results = ada.request(&gallery, &files).await;
    for ((changes, code), result) in cases.iter().zip(&results) {
        let got = result["userErrors"][0]["code"].as_str().unwrap_or_default();
        let empty = *code == "INVALID" && changes["byteSize"] == -5;
        assert!(
            got == *code || (empty && got == "FILE_EMPTY"),
            "{changes}: {result:#}"
        );
        assert!(result["target"].is_null());
    }
    let many: Vec<Value> = (0..101)
        .map(|i| file(json!({ "clientRef": i.to_string() })))
        .collect();
    let payload = ada
        .request_with(json!({ "galleryId": gallery, "files": many }))
        .await;
    assert_eq!(payload["userErrors"][0]["code"], "TOO_MANY_FILES");

    let names = [
        ("🎉 Feier.jpg", "🎉 Feier.jpg"),
        ("../../etc/passwd", "../../etc/passwd"),
        ("a\\b:c*?.jpg", "a\\b:c*?.jpg"),
        ("%2e%2e%2f.jpg", "%2e%2e%2f.jpg"),
        // Left out, as the schema says.
        (" two\r\nlines \u{202E}gpj.exe ", "twolines gpj.exe"),
    ];
    let files: Vec<Value> = names
        .iter()
        .enumerate()
        .map(|(i, (name, _))| {
            let mut file = pictures::plain("", i as u8 + 10).file();
            file["filename"] = json!(name);
            file
        })
        .collect();
    let results = ada.request(&gallery, &files).await;
    for (result, (name, shown)) in results.iter().zip(names) {
        let id = result["photo"]["id"]
            .as_str()
            .unwrap_or_else(|| panic!("{name}: {result:#}"));
        assert_eq!(ada.photo(id, "filename").await["filename"], shown);
        let url = result["target"]["url"].as_str().unwrap();
        assert!(
            !url.contains("passwd") && !url.contains(".."),
            "no part of a name is in a key: {url}"
        );
    }
    app.stop().await;
}

#[tokio::test]
async fn bytes_that_are_no_picture_fail_with_a_code_and_the_others_go_on() {
    if !aws::analysis_works() {
        return;
    }
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let gallery = ada.gallery("g").await;
    let whole = pictures::jpeg(&pictures::gradient(640, 480, 3));
    let mut heic = Vec::from(*b"\0\0\0\x18ftypheic\0\0\0\0heicmif1");
    heic.extend([0; 200]);
    let cases: Vec<(&str, &'static str, Vec<u8>, &str)> = vec![
        (
            "text.jpg",
            "image/jpeg",
            b"this is no picture at all, only text".repeat(5),
            "UNSUPPORTED_FORMAT",
        ),
        (
            "cut.jpg",
            "image/jpeg",
            whole[..whole.len() / 3].to_vec(),
            "CORRUPT",
        ),
        (
            "bomb.png",
            "image/png",
            pictures::huge_png(50_000, 50_000),
            "TOO_MANY_PIXELS",
        ),
        ("phone.jpg", "image/jpeg", heic, "UNSUPPORTED_FORMAT"),
        (
            "other.jpg",
            "image/jpeg",
            pictures::png(&pictures::gradient(200, 200, 4)),
            "CONTENT_TYPE_MISMATCH",
        ),
        ("good.jpg", "image/jpeg", whole, ""),
    ];
    let pictures: Vec<Picture> = cases
        .iter()
        .map(|(name, content_type, bytes, _)| Picture {
            name: (*name).into(),
            content_type,
            bytes: bytes.clone(),
        })
        .collect();
    let ids = ada.upload(&gallery, &pictures).await;
    app.run_jobs().await;
    for (id, (name, _, _, code)) in ids.iter().zip(&cases) {
        let photo = ada
            .photo(
                id,
                "status failureCode analysis { step state error { code message retryable } }",
            )
            .await;
        if code.is_empty() {
            assert_eq!(photo["status"], "READY", "{name}: {photo:#}");
        } else {
            assert_eq!(photo["status"], "FAILED", "{name}: {photo:#}");
            let got = photo["failureCode"].as_str().unwrap_or_default();
            assert!(
                got == *code || (*code == "CORRUPT" && got == "TRUNCATED"),
                "{name}: {photo:#}"
            );
            assert_eq!(photo["analysis"][0]["error"]["retryable"], false, "{name}");
        }
    }
    // A failed file may be sent again.
    let again = ada.request(&gallery, &[pictures[1].file()]).await.remove(0);
    assert!(again["target"].is_object(), "{again:#}");
    app.stop().await;
}

#[tokio::test]
async fn no_picture_takes_the_process_its_memory() {
    let camera = |megapixels: u32, seed| {
        let (width, height) = match megapixels {
            24 => (6000, 4000),
            _ => (9504, 6336),
        };
        pictures::jpeg(&pictures::gradient(width, height, seed))
    };
    let mut long = pictures::plain("", 7).bytes;
    long.resize(50 << 20, 0);
    let (jpeg, png, webp) = ("image/jpeg", "image/png", "image/webp");
    let mut cases = vec![
        ("exif.jpg", jpeg, bombs::exif_jpeg(), ""),
        ("exif.png", png, bombs::exif_png(), ""),
        ("profile.png", png, bombs::profile_png(900 << 20), ""),
        ("deep.png", png, bombs::deep_png(10_950, false), ""),
        (
            "interlaced.png",
            png,
            bombs::deep_png(10_950, true),
            "PIXELS_EXCEED_MEMORY",
        ),
        (
            "progressive.jpg",
            jpeg,
            bombs::lying_jpeg(0xc2, (12_000, 9_900)),
            "PIXELS_EXCEED_MEMORY",
        ),
        (
            "animated.webp",
            webp,
            bombs::animated_webp(),
            "PIXELS_EXCEED_MEMORY",
        ),
        (
            "groups.webp",
            webp,
            bombs::groups_webp(65_536),
            "PIXELS_EXCEED_MEMORY",
        ),
        ("fewer groups.webp", webp, bombs::groups_webp(1_000), ""),
        (
            "narrow.png",
            png,
            bombs::narrow_png(),
            "PIXELS_EXCEED_MEMORY",
        ),
        (
            "segments.jpg",
            jpeg,
            bombs::segments_jpeg(&pictures::plain("", 6).bytes),
            "CORRUPT",
        ),
        (
            "lie.jpg",
            jpeg,
            bombs::lying_jpeg(0xc0, (10_900, 10_900)),
            "TRUNCATED",
        ),
        (
            "half.jpg",
            jpeg,
            bombs::half(&pictures::plain("", 8).bytes),
            "TRUNCATED",
        ),
        ("61.jpg", jpeg, camera(61, 9), ""),
    ];
    for seed in 0..4 {
        cases.push(("24.jpg", jpeg, camera(24, seed), ""));
        let mut long = long.clone();
        long.push(seed);
        long.remove(long.len() - 2);
        cases.push(("long.jpg", jpeg, long, ""));
    }
    for sample in pictures::samples() {
        cases.push(("sample.jpg", jpeg, sample.bytes, ""));
    }
    let pictures: Vec<Picture> = cases
        .iter()
        .map(|(name, content_type, bytes, _)| Picture {
            name: (*name).to_owned(),
            content_type,
            bytes: bytes.clone(),
        })
        .collect();
    // Only now: drawing them takes longer than a server waits for the next request of a connection.
    let folder = tempfile::tempdir().unwrap();
    let database = TestDatabase::create(folder.path()).await;
    let server = Server::start(folder.path(), &database.url);
    let ada = Actor::at(&server.url, "ada").await;
    let gallery = ada.gallery("g").await;
    let mut events = ada.follow(&gallery, None).await;
    let ids = ada.upload(&gallery, &pictures).await;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(300);
    for (id, (name, _, _, code)) in ids.iter().zip(&cases) {
        let photo = loop {
            let photo = ada.photo(id, "status failureCode").await;
            if photo["status"] != "PROCESSING" {
                break photo;
            }
            let event = tokio::time::timeout_at(deadline, events.next()).await;
            assert!(
                matches!(event, Ok(Some(_))),
                "{name}: {}",
                server.process.log()
            );
        };
        if code.is_empty() {
            assert_eq!(photo["status"], "READY", "{name}: {photo:#}");
        } else {
            assert_eq!(photo["status"], "FAILED", "{name}: {photo:#}");
            assert_eq!(photo["failureCode"], *code, "{name}");
        }
    }
    if let Some(bytes) = server.process.peak_memory() {
        let megabytes = bytes >> 20;
        assert!(megabytes < 400, "{megabytes} MB with the models loaded");
        println!("{megabytes} MB at most");
    }
    drop(server);
    database.drop().await;
}

#[tokio::test]
async fn oversized_arguments_are_refused_without_an_internal_error() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let gallery = ada.gallery("g").await;
    let people: Vec<Value> = (0..300).map(|_| json!("aGVsbG8")).collect();
    let page = "query($id: ID!, $filter: PhotoFilter) { gallery(id: $id) { photos(first: 5, filter: $filter) { nodes { id } } } }";
    let cases = [
        (page.to_owned(), json!({ "id": gallery, "filter": { "people": people } })),
        (page.to_owned(), json!({ "id": gallery, "filter": { "text": "x".repeat(5000) } })),
        (page.to_owned(), json!({ "id": "nonsense" })),
        ("query($id: ID!) { gallery(id: $id) { photos(first: 101) { nodes { id } } } }".into(), json!({ "id": gallery })),
        ("query($id: ID!) { gallery(id: $id) { photos(first: 0) { nodes { id } } } }".into(), json!({ "id": gallery })),
        (
            "query($id: ID!) { gallery(id: $id) { photos(first: 5, after: \"forged\") { nodes { id } } } }".into(),
            json!({ "id": gallery }),
        ),
    ];
    for (document, variables) in cases {
        let (_, answer) = ada.send(&document, variables.clone()).await;
        let code = answer["errors"][0]["extensions"]["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        assert!(
            [
                "BAD_USER_INPUT",
                "BAD_REQUEST",
                "GRAPHQL_VALIDATION_FAILED",
                "QUERY_TOO_COMPLEX"
            ]
            .contains(&code.as_str()),
            "{document} {answer:#}"
        );
    }
    let filter = json!({ "text": "100%_' OR 1=1 --" });
    let found = ada
        .query(page, json!({ "id": gallery, "filter": filter }))
        .await;
    assert_eq!(found["gallery"]["photos"]["nodes"], json!([]));
    app.stop().await;
}
