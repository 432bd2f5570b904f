//! Documents by hash and by id.

use harness::document::bomb;
use harness::transport::Transport;
use harness::{Actor, TestApp};
use serde_json::{Value, json};

use super::sha256;

const VIEWER: &str = "query V { viewer { email } }";
const FOLLOW: &str = "subscription F($g: ID!) { galleryEvents(galleryId: $g) { __typename } }";
const CREATE: &str =
    "mutation C($input: CreateGalleryInput!) { createGallery(input: $input) { gallery { name } } }";

/// Apollo's extension.
fn apollo(hash: &str) -> Value {
    json!({ "persistedQuery": { "version": 1, "sha256Hash": hash } })
}

fn registers(query: &str) -> Value {
    json!({ "query": query, "extensions": apollo(&sha256(query)) })
}

fn by_hash(query: &str) -> Value {
    json!({ "extensions": apollo(&sha256(query)) })
}

async fn is_unknown(actor: &Actor, transport: Transport, body: &Value) {
    let answer = actor.ask(transport, body).await;
    assert_eq!(answer.code(), "PERSISTED_QUERY_NOT_FOUND", "{transport:?}");
    let error = &answer.body["errors"][0];
    assert_eq!(error["message"], "PersistedQueryNotFound");
    assert!(answer.body.get("data").is_none());
    let status = answer.status;
    let expected = match transport {
        Transport::Post | Transport::Get => Some(400),
        Transport::Events => Some(200),
        Transport::Socket => None,
    };
    assert_eq!(status, expected, "{transport:?}");
}

#[tokio::test]
async fn apollos_protocol_on_every_transport() {
    for transport in Transport::ALL {
        let app = TestApp::start().await;
        let ada = app.user("ada").await;
        let expected = json!({ "viewer": { "email": ada.email } });
        is_unknown(&ada, transport, &by_hash(VIEWER)).await;
        let registered = ada.ask(transport, &registers(VIEWER)).await;
        assert_eq!(registered.body["data"], expected, "{transport:?}");
        // From now on on every transport, in every way to name it.
        for transport in Transport::ALL {
            for body in [
                by_hash(VIEWER),
                registers(VIEWER),
                json!({ "documentId": format!("sha256:{}", sha256(VIEWER)) }),
                json!({ "doc_id": format!("sha256:{}", sha256(VIEWER)), "operationName": "V" }),
            ] {
                let answer = ada.ask(transport, &body).await;
                assert_eq!(answer.body["data"], expected, "{transport:?} {body}");
            }
        }
        app.stop().await;
    }
}

#[tokio::test]
async fn apollo_clients_of_plain_json_hear_with_200_and_send_the_text() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let url = format!("{}/graphql", app.url);
    let request = ada.http().post(&url).header("accept", "application/json");
    let response = request.json(&by_hash(VIEWER)).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["cache-control"], "no-store");
    let answer: Value = response.json().await.unwrap();
    let expected = json!({ "errors": [{ "message": "PersistedQueryNotFound",
        "extensions": { "code": "PERSISTED_QUERY_NOT_FOUND" } }] });
    assert_eq!(answer, expected);
    app.stop().await;
}

#[tokio::test]
async fn what_does_not_fit_together_is_refused() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let hash = sha256(VIEWER);
    let persisted =
        |value: Value| json!({ "query": VIEWER, "extensions": { "persistedQuery": value } });
    for transport in [Transport::Post, Transport::Get, Transport::Events] {
        for (body, message) in [
            (
                json!({ "query": VIEWER, "extensions": apollo(&sha256("{ other }")) }),
                "provided sha does not match query",
            ),
            (
                json!({ "query": VIEWER, "extensions": apollo(&hash.to_uppercase()) }),
                "provided sha does not match query",
            ),
            (
                persisted(json!({ "version": 2, "sha256Hash": hash })),
                "Unsupported persisted query version",
            ),
            (
                persisted(json!({ "sha256Hash": hash })),
                "Unsupported persisted query version",
            ),
            (
                json!({ "documentId": hash, "extensions": apollo(&hash) }),
                "one of `documentId`, `doc_id` and `extensions.persistedQuery` names a document",
            ),
        ] {
            let answer = ada.ask(transport, &body).await;
            assert_eq!(
                answer.body["errors"][0]["message"], message,
                "{transport:?}"
            );
            assert_eq!(answer.code(), "BAD_REQUEST", "{transport:?} {body}");
        }
        is_unknown(&ada, transport, &by_hash(VIEWER)).await;
    }
    app.stop().await;
}

#[tokio::test]
async fn nothing_that_is_refused_is_kept() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let bombs = [bomb(31, 2), bomb(5, 100)];
    for transport in Transport::ALL {
        for (query, code) in [
            (bombs[0].as_str(), "QUERY_TOO_COMPLEX"),
            (bombs[1].as_str(), "QUERY_TOO_COMPLEX"),
            ("{ unknown }", "GRAPHQL_VALIDATION_FAILED"),
            ("{ viewer { id }", "GRAPHQL_PARSE_FAILED"),
            (
                "{ photo(id: \"a\", id: \"b\") { id } }",
                "GRAPHQL_VALIDATION_FAILED",
            ),
            (
                "query($id: ID!) { photo(id: $id) { id } }",
                "BAD_USER_INPUT",
            ),
        ] {
            let answer = ada.ask(transport, &registers(query)).await;
            assert_eq!(answer.code(), code, "{transport:?} {}", answer.body);
            is_unknown(&ada, transport, &by_hash(query)).await;
        }
    }
    app.stop().await;
}

#[tokio::test]
async fn variables_of_a_known_document_are_checked_and_priced_each_time() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let gallery = ada.gallery("g").await;
    let query = "query($id: ID!, $n: Int! = 1) { gallery(id: $id) { photos(first: 50) { nodes { faces { person
      { photos(first: $n) { nodes { id filename } } } } } } } }";
    let with = |variables: Value| {
        let mut body = by_hash(query);
        body["variables"] = variables;
        body
    };
    let mut first = registers(query);
    first["variables"] = json!({ "id": gallery });
    assert_eq!(ada.ask(Transport::Post, &first).await.code(), "");
    for transport in Transport::ALL {
        for (variables, code) in [
            (json!({ "id": gallery }), ""),
            (json!({ "id": gallery, "n": 100 }), "QUERY_TOO_COMPLEX"),
            (json!({}), "BAD_USER_INPUT"),
            (json!({ "id": 1.5 }), "BAD_USER_INPUT"),
        ] {
            let answer = ada.ask(transport, &with(variables)).await;
            assert_eq!(answer.code(), code, "{transport:?} {}", answer.body);
        }
    }
    app.stop().await;
}

#[tokio::test]
async fn a_mutation_by_hash_is_none_of_get() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let mut body = registers(CREATE);
    body["variables"] = json!({ "input": { "name": "Marathon" } });
    // Neither while it is registered nor afterwards.
    assert_eq!(ada.ask(Transport::Get, &body).await.status, Some(405));
    let answer = ada.ask(Transport::Post, &body).await;
    assert_eq!(
        answer.body["data"]["createGallery"]["gallery"]["name"],
        "Marathon"
    );
    let mut body = by_hash(CREATE);
    body["variables"] = json!({ "input": { "name": "Marathon" } });
    assert_eq!(ada.ask(Transport::Get, &body).await.status, Some(405));
    assert_eq!(ada.ask(Transport::Socket, &body).await.code(), "");
    app.stop().await;
}

#[tokio::test]
async fn a_replica_that_knows_nothing_is_told() {
    let app = TestApp::start().await;
    let mut ada = app.user("ada").await;
    ada.ask(Transport::Post, &registers(VIEWER)).await;
    assert_eq!(ada.ask(Transport::Post, &by_hash(VIEWER)).await.code(), "");
    let replica = app.replica().await;
    ada.move_to(&replica.url);
    is_unknown(&ada, Transport::Post, &by_hash(VIEWER)).await;
    ada.ask(Transport::Post, &registers(VIEWER)).await;
    assert_eq!(ada.ask(Transport::Post, &by_hash(VIEWER)).await.code(), "");
    replica.stop().await;
    app.stop().await;
}

#[tokio::test]
async fn registrations_make_room_for_each_other() {
    let app = TestApp::with(&[("GRAPHQL_REGISTERED_MB", "1")]).await;
    let ada = app.user("ada").await;
    // Each less than a kilobyte as text, and far more once it is parsed.
    let long = |i: usize| format!("{{ a{i}: viewer {{{} }} }}", " id".repeat(200));
    let count = 20;
    for i in 0..count {
        let answer = ada.ask(Transport::Post, &registers(&long(i))).await;
        assert_eq!(answer.code(), "", "{}", answer.body);
    }
    is_unknown(&ada, Transport::Post, &by_hash(&long(0))).await;
    let last = by_hash(&long(count - 1));
    assert_eq!(ada.ask(Transport::Post, &last).await.code(), "");
    app.stop().await;
}

#[tokio::test]
async fn switched_off_clients_are_told_not_to_try() {
    let app = TestApp::with(&[("GRAPHQL_PERSISTED", "off")]).await;
    let ada = app.user("ada").await;
    for transport in Transport::ALL {
        let by_id = json!({ "documentId": "x" });
        for body in [by_hash(VIEWER), registers(VIEWER), by_id] {
            let answer = ada.ask(transport, &body).await;
            assert_eq!(
                answer.code(),
                "PERSISTED_QUERY_NOT_SUPPORTED",
                "{transport:?}"
            );
            let message = &answer.body["errors"][0]["message"];
            assert_eq!(message, "PersistedQueryNotSupported");
        }
        let answer = ada.ask(transport, &json!({ "query": VIEWER })).await;
        assert_eq!(answer.code(), "", "{transport:?}");
    }
    app.stop().await;
}

/// Ada, who registers by a manifest's document `register`: where no other runs.
async fn registered(app: &TestApp) -> Actor {
    let mut ada = app.anonymous();
    let input =
        json!({ "email": "ada@example.com", "name": "Ada", "password": "correct horse battery" });
    let register = json!({ "doc_id": "register", "variables": { "input": input } });
    let registered = ada.ask(Transport::Post, &register).await.body;
    ada.token = registered["data"]["register"]["accessToken"]
        .as_str()
        .map(str::to_owned);
    ada
}

#[tokio::test]
async fn where_only_trusted_documents_run_no_other_does() {
    let folder = tempfile::tempdir().unwrap();
    let apollo_manifest = json!({ "format": "apollo-persisted-query-manifest", "version": 1, "operations": [
        { "id": sha256(VIEWER), "name": "V", "type": "query", "body": VIEWER },
        { "id": "follow", "name": "F", "type": "subscription", "body": FOLLOW },
    ] });
    // Of another client, and of Relay.
    let relay_manifest = json!({ "5d41402abc4b2a76b9719d911017c592": CREATE,
        "register": "mutation R($input: RegisterInput!) { register(input: $input) { accessToken } }" });
    std::fs::write(folder.path().join("web.json"), apollo_manifest.to_string()).unwrap();
    std::fs::write(folder.path().join("app.json"), relay_manifest.to_string()).unwrap();
    let manifest = folder.path().display().to_string();
    let settings = [
        ("GRAPHQL_PERSISTED", "trusted-only"),
        ("GRAPHQL_MANIFEST", manifest.as_str()),
    ];
    let app = TestApp::with(&settings).await;
    let ada = registered(&app).await;

    let introspection = "{ __schema { queryType { name } } }";
    for transport in Transport::ALL {
        for body in [
            by_hash(VIEWER),
            registers(VIEWER),
            json!({ "query": VIEWER }),
            json!({ "documentId": format!("sha256:{}", sha256(VIEWER)) }),
            json!({ "documentId": sha256(VIEWER) }),
        ] {
            let answer = ada.ask(transport, &body).await;
            assert_eq!(
                answer.body["data"]["viewer"]["email"], "ada@example.com",
                "{transport:?} {body}"
            );
        }
        for query in [
            "{ __typename }",
            "query V { viewer { email id } }",
            "query V {  viewer { email } }",
            introspection,
            "{",
            &bomb(31, 2),
        ] {
            for body in [json!({ "query": query }), registers(query)] {
                let answer = ada.ask(transport, &body).await;
                assert_eq!(answer.code(), "QUERY_NOT_TRUSTED", "{transport:?} {body}");
                if matches!(transport, Transport::Post | Transport::Get) {
                    assert_eq!(answer.status, Some(400));
                }
            }
            is_unknown(&ada, transport, &by_hash(query)).await;
        }
        let input = json!({ "input": { "name": "Wedding" } });
        let create =
            json!({ "documentId": "5d41402abc4b2a76b9719d911017c592", "variables": input });
        let answer = ada.ask(transport, &create).await;
        match transport {
            Transport::Get => assert_eq!(answer.status, Some(405)),
            _ => assert_eq!(
                answer.body["data"]["createGallery"]["gallery"]["name"],
                "Wedding"
            ),
        }
        let follow = json!({ "extensions": apollo("follow"), "variables": { "g": "unknown" } });
        let expected = match transport {
            Transport::Post | Transport::Get => "BAD_REQUEST",
            Transport::Events | Transport::Socket => "BAD_USER_INPUT",
        };
        assert_eq!(
            ada.ask(transport, &follow).await.code(),
            expected,
            "{transport:?}"
        );
    }
    // GraphiQL writes documents of its own.
    let page = ada
        .http()
        .get(format!("{}/graphql", app.url))
        .header("accept", "text/html");
    assert_eq!(page.send().await.unwrap().status(), 406);
    app.stop().await;
}

/// Apollo's generator sorts definitions by their names; its clients send them as the app has them: with a
/// subscription over a WebSocket beside the id.
#[tokio::test]
async fn trusted_definitions_come_in_any_order() {
    const QUERY: &str = "query V { viewer { ...Name ...Mail } }";
    const NAME: &str = "fragment Name on User { name }";
    const MAIL: &str = "fragment Mail on User { email }";
    let folder = tempfile::tempdir().unwrap();
    let manifest = folder.path().join("web.json");
    let body = format!("{QUERY}\n\n{MAIL}\n\n{NAME}");
    let operation = json!({ "id": "v", "name": "V", "type": "query", "body": body });
    let register = json!({ "id": "register", "name": "R", "type": "mutation",
        "body": "mutation R($input: RegisterInput!) { register(input: $input) { accessToken } }" });
    let written = json!({ "format": "apollo-persisted-query-manifest", "version": 1,
        "operations": [operation, register] });
    std::fs::write(&manifest, written.to_string()).unwrap();
    let manifest = manifest.display().to_string();
    let settings = [
        ("GRAPHQL_PERSISTED", "trusted-only"),
        ("GRAPHQL_MANIFEST", manifest.as_str()),
    ];
    let app = TestApp::with(&settings).await;
    let ada = registered(&app).await;

    let sent = format!("{QUERY}\n\n{NAME}\n\n{MAIL}");
    let expected = json!({ "viewer": { "name": "Ada", "email": "ada@example.com" } });
    for transport in Transport::ALL {
        for body in [
            json!({ "query": sent }),
            json!({ "query": sent, "extensions": apollo("v") }),
            json!({ "query": sent, "documentId": "v" }),
            registers(&sent),
        ] {
            let answer = ada.ask(transport, &body).await;
            assert_eq!(answer.body["data"], expected, "{transport:?} {body}");
        }
        let other = format!("{sent}\n\nfragment Id on User {{ id }}");
        let alone = ada.ask(transport, &json!({ "query": other })).await;
        assert_eq!(alone.code(), "QUERY_NOT_TRUSTED", "{transport:?}");
        let named = json!({ "query": other, "extensions": apollo("v") });
        assert_eq!(ada.ask(transport, &named).await.code(), "BAD_REQUEST");
    }
    app.stop().await;
}

#[tokio::test]
async fn a_document_of_a_newer_release_is_refused_when_it_is_called() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = folder.path().join("newer.json");
    let written = json!({ "v": VIEWER, "newer": "query N { viewer { shoeSize } }" });
    std::fs::write(&manifest, written.to_string()).unwrap();
    let manifest = manifest.display().to_string();
    let app = TestApp::with(&[("GRAPHQL_MANIFEST", &manifest)]).await;
    let ada = app.user("ada").await;
    for transport in Transport::ALL {
        let answer = ada.ask(transport, &json!({ "documentId": "newer" })).await;
        assert_eq!(answer.code(), "GRAPHQL_VALIDATION_FAILED", "{transport:?}");
        let answer = ada.ask(transport, &json!({ "documentId": "v" })).await;
        assert_eq!(answer.code(), "", "{transport:?}");
    }
    app.stop().await;
}
