//! The endpoint: attacks and rough handling.

use harness::TestApp;
use serde_json::json;

#[tokio::test]
async fn fragment_bombs_are_refused_before_they_cost_anything() {
    let app = TestApp::start().await;
    let deep: String = (0..31)
        .map(|i| format!("fragment F{i} on Query {{ ...F{} ...F{} }} ", i + 1, i + 1))
        .collect();
    let deep = format!("{{ ...F0 }} {deep} fragment F31 on Query {{ __typename }}");
    let spreads = |i: usize| format!("...F{i} ").repeat(100);
    let wide: String = (0..5)
        .map(|i| format!("fragment F{i} on Query {{ {} }} ", spreads(i + 1)))
        .collect();
    let wide = format!("{{ ...F0 }} {wide} fragment F5 on Query {{ __typename }}");
    for bomb in [deep, wide] {
        let (status, answer) = app.anonymous().send(&bomb, json!({})).await;
        assert!(status == 400 || answer["errors"].is_array(), "{answer:#}");
        assert!(answer["data"].is_null());
        let health = app
            .anonymous()
            .http()
            .get(format!("{}/health/live", app.url))
            .send()
            .await
            .unwrap();
        assert_eq!(health.status(), 200);
    }
    app.stop().await;
}

#[tokio::test]
async fn mutations_come_by_post_and_json_only() {
    let app = TestApp::start().await;
    let http = app.anonymous().http().clone();
    let url = format!("{}/graphql", app.url);
    let mutation = "mutation{signOut(input:{refreshToken:\"x\"}){userErrors{code}}}";
    let get = http.get(format!(
        "{url}?query={}",
        mutation
            .replace('{', "%7B")
            .replace('}', "%7D")
            .replace('"', "%22")
    ));
    assert_eq!(get.send().await.unwrap().status(), 405);
    for content_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
    ] {
        let body = json!({ "query": mutation }).to_string();
        let status = http
            .post(&url)
            .header("content-type", content_type)
            .body(body)
            .send()
            .await
            .unwrap()
            .status();
        assert_eq!(status, 415, "{content_type}");
    }
    let batch = json!([{ "query": "{ __typename }" }, { "query": "{ __typename }" }]);
    assert_eq!(
        http.post(&url).json(&batch).send().await.unwrap().status(),
        400
    );
    let huge = json!({ "query": format!("{{ __typename }} #{}", "x".repeat(2_000_000)) });
    assert_eq!(
        http.post(&url).json(&huge).send().await.unwrap().status(),
        413
    );
    app.stop().await;
}

#[tokio::test]
async fn a_forged_token_is_no_token() {
    let app = TestApp::start().await;
    let mut ada = app.user("ada").await;
    let token = ada.token.clone().unwrap();
    let (head, rest) = token.split_once('.').unwrap();
    let (claims, _) = rest.split_once('.').unwrap();
    // alg none, no signature; a signature of something else; a refresh token in place of an access token.
    let forged = [
        format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{claims}."),
        format!("{head}.{claims}.AAAA"),
        ada.refresh_token.clone().unwrap(),
        "nonsense".into(),
    ];
    for token in forged {
        ada.token = Some(token);
        assert_eq!(
            ada.error_code("{ viewer { id } }", json!({})).await,
            "UNAUTHENTICATED"
        );
    }
    app.stop().await;
}

#[tokio::test]
async fn graphiql_is_served_without_the_internet() {
    let app = TestApp::start().await;
    let http = app.anonymous().http().clone();
    let page = http
        .get(format!("{}/graphql", app.url))
        .header("accept", "text/html")
        .send()
        .await
        .unwrap();
    assert_eq!(page.status(), 200);
    let policy = page.headers()["content-security-policy"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(
        policy.contains("default-src") && !policy.contains("unsafe-eval"),
        "{policy}"
    );
    let page = page.text().await.unwrap();
    assert!(
        !page.contains("https://"),
        "nothing is fetched from elsewhere"
    );
    for name in page
        .split('"')
        .filter(|part| part.starts_with("/graphiql/"))
    {
        let file = http.get(format!("{}{name}", app.url)).send().await.unwrap();
        assert_eq!(file.status(), 200, "{name}");
        assert_eq!(
            file.headers()["x-content-type-options"],
            "nosniff",
            "{name}"
        );
    }
    app.stop().await;

    let app = TestApp::with(&[("GRAPHIQL", "off")]).await;
    let page = http
        .get(format!("{}/graphql", app.url))
        .header("accept", "text/html")
        .send()
        .await
        .unwrap();
    assert_ne!(page.status(), 200);
    app.stop().await;
}

#[tokio::test]
async fn the_examples_in_graphiql_fit_the_schema() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let gallery = ada.gallery("g").await;
    for (name, document, variables) in eventgallery::http::EXAMPLES {
        let variables = variables
            .replace("$GALLERY_ID", &gallery)
            .replace("$PHOTO_ID", "unknown");
        let variables = serde_json::from_str(&variables).unwrap_or_else(|_| json!({}));
        // As the page sends them.
        let subscribes = document.contains("\nsubscription ");
        let answer = match subscribes {
            true => ada.first_event(document, variables).await,
            false => ada.send(document, variables).await.1,
        };
        let code = answer["errors"][0]["extensions"]["code"]
            .as_str()
            .unwrap_or_default();
        assert!(
            ["", "BAD_USER_INPUT", "NOT_FOUND"].contains(&code),
            "{name}: {answer:#}"
        );
    }
    app.stop().await;
}

#[tokio::test]
async fn an_answers_fields_come_in_the_order_of_the_document() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let gallery = ada.gallery("g").await;
    let document = "query($id: ID!) { gallery(id: $id) { photoCount labels { name } name
      people(first: 1) { pageInfo { hasNextPage } nodes { id } } ...Rest id } }
      fragment Rest on Gallery { photos(first: 1) { nodes { id } } viewerRole members(first: 1) { nodes { role } } }";
    let body = json!({ "query": document, "variables": { "id": gallery } });
    let answer = ada
        .http()
        .post(ada.endpoint())
        .bearer_auth(ada.token.as_ref().unwrap())
        .json(&body)
        .send()
        .await
        .unwrap();
    let text = answer.text().await.unwrap();
    let place = |key: &str| {
        text.find(&format!("\"{key}\":"))
            .unwrap_or_else(|| panic!("{key}: {text}"))
    };
    let keys = [
        "photoCount",
        "labels",
        "name",
        "people",
        "pageInfo",
        "photos",
        "viewerRole",
        "members",
        "id",
    ];
    assert!(keys.is_sorted_by_key(|key| place(key)), "{text}");
    app.stop().await;
}

#[tokio::test]
async fn a_name_stands_once_in_an_input_object() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let gallery = ada.gallery("g").await;
    let labels = "labels: [\"Dog\"], ".repeat(300);
    for (filter, page) in [(labels.as_str(), "first: 1"), ("", "first: 1, first: 2")] {
        let document = format!(
            "query {{ gallery(id: \"{gallery}\") {{ photos({page}, filter: {{ {filter} }}) {{ nodes {{ id }} }} }} }}"
        );
        let code = ada.error_code(&document, json!({})).await;
        assert_eq!(code, "GRAPHQL_VALIDATION_FAILED");
    }
    let document = format!(
        "query {{ gallery(id: \"{gallery}\") {{ photos(first: 1, filter: {{ labels: [\"labels: x\"], text: \"x\" }}) {{ nodes {{ id }} }} }} }}"
    );
    ada.query(&document, json!({})).await;
    app.stop().await;
}
