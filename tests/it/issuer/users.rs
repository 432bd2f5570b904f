//! Whom the issuer vouches for.

use harness::actor::text;
use harness::issuer::{self, AUDIENCE, Issuer, SigningKey};
use harness::{Socket, TestApp, pictures};
use serde_json::{Value, json};

use super::{VIEWER, asked, bearer, ok};

#[tokio::test]
async fn whom_it_vouches_for_is_a_user() {
    let keys = [
        SigningKey::rsa("r"),
        SigningKey::ec("c"),
        SigningKey::ed("d"),
    ];
    let issuer = Issuer::start(&[&keys[0], &keys[1], &keys[2]]).await;
    let app = TestApp::with(&issuer.settings()).await;
    let mut ids = Vec::new();
    for key in &keys {
        let mut claims = issuer.claims("ada", &app.clock);
        claims["name"] = json!("Ada");
        claims["email"] = json!("ada@example.org");
        claims["email_verified"] = json!(true);
        // One of several audiences is ours.
        claims["aud"] = json!(["others", AUDIENCE]);
        let ada = bearer(&app, key.token(&claims));
        let viewer = ada.query(VIEWER, json!({})).await["viewer"].take();
        assert_eq!(viewer["name"], "Ada");
        assert_eq!(viewer["email"], "ada@example.org");
        ids.push(text(&viewer["id"]));
    }
    assert!(ids.iter().all(|id| *id == ids[0]), "one subject, one user");
    assert_eq!(issuer.fetches(), 1);

    let bob = bearer(&app, keys[0].token(&issuer.claims("bob", &app.clock)));
    let viewer = bob.query(VIEWER, json!({})).await["viewer"].take();
    assert_ne!(text(&viewer["id"]), ids[0]);
    assert_eq!(
        (&viewer["name"], &viewer["email"]),
        (&json!("Unnamed"), &Value::Null)
    );
    // A user like any other, whom others find by the verified address.
    let gallery = bob.gallery("of bob").await;
    let input = json!({ "galleryId": gallery, "email": "ADA@example.org", "role": "VIEWER" });
    let admitted = bob
        .mutate(
            "setGalleryMember",
            "SetGalleryMemberInput",
            input,
            "member { user { id } }",
        )
        .await;
    assert_eq!(text(&admitted["member"]["user"]["id"]), ids[0]);

    // Another process knows them, too; and without an account of ours there is no password.
    let app = app.restart().await;
    let mut ada = bearer(&app, keys[0].token(&issuer.claims("ada", &app.clock)));
    let viewer = ada.query(VIEWER, json!({})).await["viewer"].take();
    assert_eq!(text(&viewer["id"]), ids[0]);
    let input = json!({ "currentPassword": "", "newPassword": "long enough" });
    let payload = ada
        .attempt(
            "changePassword",
            "ChangePasswordInput",
            input,
            "accessToken",
        )
        .await;
    assert_eq!(payload["userErrors"][0]["code"], "INVALID_STATE");
    for password in ["", "long enough"] {
        let input = json!({ "email": "ada@example.org", "password": password });
        ada.token = None;
        let payload = ada
            .attempt("signIn", "SignInInput", input, "accessToken")
            .await;
        assert_eq!(payload["userErrors"][0]["code"], "WRONG_CREDENTIALS");
    }
    app.stop().await;
}

#[tokio::test]
async fn an_address_makes_nobody_somebody_else() {
    let key = SigningKey::ec("k");
    let issuer = Issuer::start(&[&key]).await;
    let app = TestApp::with(&issuer.settings()).await;
    let local = app.user("ada").await;
    let seen = async |subject: &str, verified: Value, address: &str| {
        let mut claims = issuer.claims(subject, &app.clock);
        claims["email"] = json!(address);
        claims["email_verified"] = verified;
        let actor = bearer(&app, key.token(&claims));
        actor.query(VIEWER, json!({})).await["viewer"].take()
    };
    for (subject, verified) in [("a", json!(true)), ("b", json!(false)), ("c", Value::Null)] {
        let viewer = seen(subject, verified, &local.email).await;
        assert_ne!(text(&viewer["id"]), local.id, "{subject}");
        assert_eq!(viewer["email"], Value::Null, "{subject}");
    }
    let viewer = seen("d", json!("true"), "d@example.org").await;
    assert_eq!(viewer["email"], "d@example.org");
    let viewer = seen("e", json!(false), "e@example.org").await;
    assert_eq!(viewer["email"], Value::Null);
    let viewer = seen("f", json!(true), "no address").await;
    assert_eq!(viewer["email"], Value::Null);
    // Two subjects never are one.
    let viewer = seen("g", json!(true), "D@example.org").await;
    assert_eq!(viewer["email"], Value::Null);
    // Subjects differ by case.
    let (lower, upper) = (
        seen("x", json!(false), "").await,
        seen("X", json!(false), "").await,
    );
    assert_ne!(lower["id"], upper["id"]);
    app.stop().await;
}

#[tokio::test]
async fn many_first_requests_at_once_are_one_user() {
    let key = SigningKey::ed("k");
    let issuer = Issuer::start(&[&key]).await;
    let app = TestApp::with(&issuer.settings()).await;
    let replica = app.replica().await;
    let mut claims = issuer.claims("ada", &app.clock);
    claims["email"] = json!("ada@example.org");
    claims["email_verified"] = json!(true);
    let token = key.token(&claims);
    let asks = (0..12).map(|i| {
        let mut actor = bearer(&app, token.clone());
        if i % 2 == 1 {
            actor.move_to(&replica.url);
        }
        async move { text(&actor.query(VIEWER, json!({})).await["viewer"]["id"]) }
    });
    let ids = futures::future::join_all(asks).await;
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    replica.stop().await;
    app.stop().await;
}

#[tokio::test]
async fn its_tokens_count_on_every_transport_and_end_there() {
    let key = SigningKey::ec("k");
    let issuer = Issuer::start(&[&key]).await;
    let app = TestApp::with(&issuer.settings()).await;
    let mut claims = issuer.claims("ada", &app.clock);
    claims["exp"] = json!(app.clock.now().seconds() + 60);
    let ada = bearer(&app, key.token(&claims));
    let gallery = ada.gallery("marathon").await;
    let mut events = ada.follow(&gallery, None).await;
    let mut socket = Socket::initialised(&app.url, ada.token.as_deref()).await;
    socket.subscribe("1", VIEWER, json!({})).await;
    let next = socket.receive().await;
    assert_eq!(
        next["payload"]["data"]["viewer"]["name"], "Unnamed",
        "{next:#}"
    );
    assert_eq!(socket.receive().await["type"], "complete");
    ada.upload(&gallery, &[pictures::plain("a.jpg", 1)]).await;
    events.until("PhotoChanged").await;

    app.clock.advance(90);
    assert_eq!(socket.closed().await.0, 4403);
    assert_eq!(events.error_code().await, "UNAUTHENTICATED");
    let wrong = issuer::with_secret(&json!({ "alg": "HS256" }), &claims, &key.public());
    let mut socket = Socket::open(&app.url).await;
    let payload = json!({ "Authorization": format!("Bearer {wrong}") });
    socket
        .send(json!({ "type": "connection_init", "payload": payload }))
        .await;
    assert_eq!(socket.closed().await.0, 4403);
    let response = bearer(&app, wrong)
        .subscribe(
            "subscription($g: ID!) { galleryEvents(galleryId: $g) { cursor } }",
            json!({ "g": gallery }),
        )
        .await;
    assert_eq!(response.status(), 401);
    app.stop().await;
}

#[tokio::test]
async fn own_accounts_can_be_left_to_it() {
    let key = SigningKey::ec("k");
    let issuer = Issuer::start(&[&key]).await;
    let [one, two] = issuer.settings();
    let app = TestApp::with(&[one, two, ("OWN_ACCOUNTS", "false")]).await;
    let cases = [
        (
            "register",
            "RegisterInput",
            json!({ "email": "a@example.com", "name": "a", "password": "long enough" }),
        ),
        (
            "signIn",
            "SignInInput",
            json!({ "email": "a@example.com", "password": "long enough" }),
        ),
        (
            "refreshTokens",
            "RefreshTokensInput",
            json!({ "refreshToken": "x" }),
        ),
    ];
    for (field, input_type, input) in cases {
        let payload = app
            .anonymous()
            .attempt(field, input_type, input, "accessToken")
            .await;
        let error = &payload["userErrors"][0];
        assert_eq!(error["code"], "SIGN_IN_ELSEWHERE", "{field}");
        assert!(text(&error["message"]).contains(&issuer.url), "{error:#}");
    }
    let token = key.token(&issuer.claims("ada", &app.clock));
    assert_eq!(asked(&app, token).await, ok());
    app.stop().await;
}
