//! Clients behind proxies: whose failed sign-ins count.

use harness::TestApp;
use serde_json::{Value, json};

/// Codes that five failed sign-ins, each at another account, get from behind the proxy.
async fn guess(app: &TestApp, forwarded_for: &str, round: usize) -> Vec<String> {
    let tries: String = (0..5)
        .map(|i| {
            format!(
                "t{i}: signIn(input: {{ email: \"nobody{round}x{i}@example.com\", password: \"wrong password\" }}) \
                 {{ userErrors {{ code }} }} "
            )
        })
        .collect();
    let answer: Value = app
        .anonymous()
        .http()
        .post(format!("{}/graphql", app.url))
        .header("x-forwarded-for", forwarded_for)
        .json(&json!({ "query": format!("mutation {{ {tries} }}") }))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let refused = answer["errors"].as_array().cloned().unwrap_or_default();
    let wrong = (0..5).filter_map(|i| answer["data"][format!("t{i}")]["userErrors"].as_array());
    refused
        .iter()
        .map(|error| error["extensions"]["code"].clone())
        .chain(wrong.flatten().map(|error| error["code"].clone()))
        .map(|code| code.as_str().unwrap().to_owned())
        .collect()
}

fn all(codes: &[String], code: &str) -> bool {
    !codes.is_empty() && codes.iter().all(|c| c == code)
}

#[tokio::test]
async fn behind_an_ingress_one_guest_does_not_lock_out_the_others() {
    let app = TestApp::with(&[("TRUSTED_PROXIES", "1")]).await;
    for round in 0..10 {
        // What the client itself wrote before the proxy's entry changes nothing.
        let forwarded = format!("198.51.100.{round}, 203.0.113.7");
        let codes = guess(&app, &forwarded, round).await;
        assert!(all(&codes, "WRONG_CREDENTIALS"), "{round}: {codes:?}");
    }
    let codes = guess(&app, "203.0.113.7", 10).await;
    assert!(all(&codes, "RATE_LIMITED"), "{codes:?}");
    let codes = guess(&app, "203.0.113.7, 203.0.113.8", 11).await;
    assert!(all(&codes, "WRONG_CREDENTIALS"), "{codes:?}");
    app.stop().await;
}

#[tokio::test]
async fn without_a_proxy_nobody_chooses_an_address() {
    let app = TestApp::start().await;
    for round in 0..10 {
        guess(&app, &format!("203.0.113.{round}"), round).await;
    }
    let codes = guess(&app, "203.0.113.99", 10).await;
    assert!(all(&codes, "RATE_LIMITED"), "{codes:?}");
    app.stop().await;
}
