//! The issuer's keys: rotated, cached, and not to be had.

use std::time::Duration;

use harness::issuer::{Issuer, SigningKey};
use harness::{Socket, TestApp};
use serde_json::json;

use super::{VIEWER, asked, bearer, ok, refused, unavailable};

#[tokio::test]
async fn keys_are_rotated_without_anybody_being_signed_out() {
    let (old, new) = (SigningKey::rsa("old"), SigningKey::ec("new"));
    let issuer = Issuer::start(&[&old]).await;
    let app = TestApp::with(&issuer.settings()).await;
    let claims = issuer.claims("ada", &app.clock);
    assert_eq!(asked(&app, old.token(&claims)).await, ok());

    issuer.publish(&[&old, &new]);
    app.clock.advance(30);
    assert_eq!(
        asked(&app, new.token(&claims)).await,
        ok(),
        "fetched for it"
    );
    assert_eq!(asked(&app, old.token(&claims)).await, ok());
    assert_eq!(issuer.fetches(), 2);

    // What is taken back is refused once the time is over for which keys may be kept.
    issuer.publish(&[&new]);
    app.clock.advance(599);
    assert_eq!(asked(&app, old.token(&claims)).await, ok());
    app.clock.advance(2);
    assert_eq!(asked(&app, old.token(&claims)).await, refused());
    assert_eq!(asked(&app, new.token(&claims)).await, ok());
    assert_eq!(issuer.fetches(), 3);
    app.stop().await;
}

#[tokio::test]
async fn within_the_pause_a_new_key_is_asked_to_come_again() {
    let (old, new) = (SigningKey::rsa("old"), SigningKey::ec("new"));
    let issuer = Issuer::start(&[&old]).await;
    let app = TestApp::with(&issuer.settings()).await;
    let ask = async |key: &SigningKey, issued: Option<i64>| {
        let mut claims = issuer.claims("ada", &app.clock);
        claims["iat"] = json!(issued.map(|ago| app.clock.now().seconds() - ago));
        asked(&app, key.token(&claims)).await
    };
    assert_eq!(ask(&old, Some(0)).await, ok());
    app.clock.advance(5);
    issuer.publish(&[&new]);
    for issued in [Some(0), Some(34), None] {
        assert_eq!(ask(&new, issued).await, unavailable(), "{issued:?}");
    }
    // This one was signed when its key should have been there.
    assert_eq!(ask(&new, Some(35)).await, refused());
    app.clock.advance(25);
    assert_eq!(ask(&new, Some(0)).await, ok());
    // Its tokens of before are refused, at last, and not asked to come again for ever.
    assert_eq!(ask(&old, Some(100)).await, refused());
    for issued in [Some(0), None] {
        app.clock.advance(30);
        assert_eq!(ask(&old, issued).await, refused(), "{issued:?}");
    }
    app.stop().await;
}

#[tokio::test]
async fn cache_control_counts_within_bounds() {
    let key = SigningKey::ed("k");
    let issuer = Issuer::start(&[&key]).await;
    issuer.cache_control("no-store");
    let app = TestApp::with(&issuer.settings()).await;
    let ask = async || {
        let token = key.token(&issuer.claims("ada", &app.clock));
        assert_eq!(asked(&app, token).await, ok());
        issuer.fetches()
    };
    assert_eq!(ask().await, 1);
    app.clock.advance(59);
    assert_eq!(ask().await, 1);
    issuer.cache_control("public, max-age=999999999");
    app.clock.advance(1);
    assert_eq!(ask().await, 2);
    app.clock.advance(24 * 3600 - 1);
    assert_eq!(ask().await, 2);
    app.clock.advance(1);
    assert_eq!(ask().await, 3);
    app.stop().await;
}

#[tokio::test]
async fn a_flood_of_unknown_keys_does_not_reach_it() {
    let key = SigningKey::ec("k");
    let issuer = Issuer::start(&[&key]).await;
    let app = TestApp::with(&issuer.settings()).await;
    let claims = issuer.claims("ada", &app.clock);
    assert_eq!(asked(&app, key.token(&claims)).await, ok());
    let flood = async |round: usize| {
        let asks = (0..100).map(|i| {
            let header = json!({ "alg": "ES256", "kid": format!("{round}-{i}") });
            asked(&app, key.token_with(&header, &claims))
        });
        let mut answers = futures::future::join_all(asks).await;
        answers.dedup();
        answers
    };
    // They might be newer than what was fetched.
    assert_eq!(flood(0).await, [unavailable()]);
    assert_eq!(issuer.fetches(), 1, "within the pause nobody is asked");
    for round in 1..4 {
        app.clock.advance(30);
        assert_eq!(flood(round).await, [refused()]);
        assert_eq!(issuer.fetches(), 1 + round, "once a pause");
    }
    assert_eq!(asked(&app, key.token(&claims)).await, ok());
    app.stop().await;
}

#[tokio::test]
async fn it_may_be_down_at_the_start() {
    let key = SigningKey::ec("k");
    let issuer = Issuer::start(&[&key]).await;
    issuer.set_down(true);
    let app = TestApp::with(&issuer.settings()).await;
    let token = key.token(&issuer.claims("ada", &app.clock));
    let response = bearer(&app, token.clone())
        .post(VIEWER, json!({}))
        .await
        .unwrap();
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["retry-after"], "5");
    for _ in 0..20 {
        assert_eq!(asked(&app, token.clone()).await, unavailable());
    }
    assert_eq!(issuer.fetches(), 1, "not asked again at once");
    // Whoever has an account of ours does not notice.
    let local = app.user("local").await;
    local.query(VIEWER, json!({})).await;
    let mut socket = Socket::open(&app.url).await;
    let payload = json!({ "Authorization": format!("Bearer {token}") });
    socket
        .send(json!({ "type": "connection_init", "payload": payload }))
        .await;
    assert_eq!(socket.closed().await.0, 1013, "clients try that again");

    issuer.set_down(false);
    app.clock.advance(10);
    assert_eq!(asked(&app, token.clone()).await, ok());
    assert_eq!(issuer.fetches(), 2);
    app.stop().await;
}

#[tokio::test]
async fn its_keys_outlive_an_outage_for_a_day() {
    let key = SigningKey::ec("k");
    let issuer = Issuer::start(&[&key]).await;
    let app = TestApp::with(&issuer.settings()).await;
    let fresh = || key.token(&issuer.claims("ada", &app.clock));
    assert_eq!(asked(&app, fresh()).await, ok());
    issuer.set_down(true);
    app.clock.advance(3600);
    for _ in 0..5 {
        assert_eq!(asked(&app, fresh()).await, ok());
    }
    assert_eq!(issuer.fetches(), 2);
    let unknown = json!({ "alg": "ES256", "kid": "rotated meanwhile" });
    let token = key.token_with(&unknown, &issuer.claims("ada", &app.clock));
    assert_eq!(asked(&app, token).await, unavailable(), "nobody knows");
    app.clock.advance(23 * 3600);
    assert_eq!(asked(&app, fresh()).await, ok());
    app.clock.advance(3600);
    assert_eq!(asked(&app, fresh()).await, unavailable());
    issuer.set_down(false);
    app.clock.advance(10);
    assert_eq!(asked(&app, fresh()).await, ok());
    app.stop().await;
}

#[tokio::test]
async fn who_calls_itself_otherwise_is_not_it() {
    let key = SigningKey::ec("k");
    let issuer = Issuer::start(&[&key]).await;
    issuer.call_itself(Some("https://id.example.com"));
    let app = TestApp::with(&issuer.settings()).await;
    let token = key.token(&issuer.claims("ada", &app.clock));
    assert_eq!(asked(&app, token.clone()).await, unavailable());
    issuer.call_itself(None);
    // A set without a key of use is no answer either.
    issuer.publish_raw(vec![json!({ "kty": "oct", "k": "c2VjcmV0", "kid": "k" })]);
    app.clock.advance(10);
    assert_eq!(asked(&app, token.clone()).await, unavailable());
    issuer.publish(&[&key]);
    app.clock.advance(10);
    assert_eq!(asked(&app, token).await, ok());
    app.stop().await;
}

#[tokio::test]
async fn it_may_hang_and_is_asked_once_all_the_same() {
    let key = SigningKey::ec("k");
    let issuer = Issuer::start(&[&key]).await;
    let app = TestApp::with(&issuer.settings()).await;
    let fresh = || key.token(&issuer.claims("ada", &app.clock));
    assert_eq!(asked(&app, fresh()).await, ok());
    issuer.hang();
    app.clock.advance(601);
    let began = std::time::Instant::now();
    // Clients that give up do not make us ask again.
    for _ in 0..5 {
        let asks = asked(&app, fresh());
        let given_up = tokio::time::timeout(Duration::from_millis(100), asks).await;
        drop(given_up);
    }
    // Whose key is known does not wait for it.
    let waits = (0..20).map(|_| asked(&app, fresh()));
    for answer in futures::future::join_all(waits).await {
        assert_eq!(answer, ok());
    }
    let unknown = json!({ "alg": "ES256", "kid": "x" });
    let token = key.token_with(&unknown, &issuer.claims("ada", &app.clock));
    assert_eq!(asked(&app, token).await, unavailable());
    assert!(began.elapsed() < Duration::from_secs(30));
    assert_eq!(issuer.fetches(), 2);
    app.stop().await;
}
