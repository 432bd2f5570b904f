//! Accounts and sessions.

use harness::TestApp;
use harness::actor::text;
use serde_json::json;

const SESSION: &str = "accessToken refreshToken user { id email name }";

#[tokio::test]
async fn an_account_signs_in_and_sees_itself() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let viewer = ada.query("{ viewer { id name email } }", json!({})).await;
    assert_eq!(
        viewer["viewer"],
        json!({ "id": ada.id, "name": "ada", "email": ada.email })
    );

    let input = json!({ "email": ada.email.to_uppercase(), "password": ada.password });
    let session = app
        .anonymous()
        .mutate("signIn", "SignInInput", input, SESSION)
        .await;
    assert_eq!(text(&session["user"]["id"]), ada.id);
    app.stop().await;
}

#[tokio::test]
async fn wrong_credentials_say_the_same_for_known_and_unknown_accounts() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let mut answers = Vec::new();
    for email in [ada.email.as_str(), "nobody@example.com"] {
        let input = json!({ "email": email, "password": "not the password" });
        let payload = app
            .anonymous()
            .attempt("signIn", "SignInInput", input, "accessToken")
            .await;
        assert_eq!(payload["userErrors"][0]["code"], "WRONG_CREDENTIALS");
        answers.push(payload);
    }
    assert_eq!(answers[0], answers[1]);
    app.stop().await;
}

#[tokio::test]
async fn an_address_is_taken_once_and_wrong_fields_are_named() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let input =
        json!({ "email": ada.email.to_uppercase(), "name": "Other", "password": "long enough" });
    let payload = app
        .anonymous()
        .attempt("register", "RegisterInput", input, "accessToken")
        .await;
    assert_eq!(payload["userErrors"][0]["code"], "TAKEN");

    let input = json!({ "email": "no address", "name": " ", "password": "short" });
    let payload = app
        .anonymous()
        .attempt("register", "RegisterInput", input, "accessToken")
        .await;
    let fields: Vec<_> = payload["userErrors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["field"][1].clone())
        .collect();
    assert_eq!(fields, [json!("email"), json!("name"), json!("password")]);
    app.stop().await;
}

#[tokio::test]
async fn a_refresh_token_works_once_and_its_reuse_ends_the_family() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let first = ada.refresh_token.clone().unwrap();
    let refresh = |token: String| {
        let actor = app.anonymous();
        async move {
            let input = json!({ "refreshToken": token });
            actor
                .attempt(
                    "refreshTokens",
                    "RefreshTokensInput",
                    input,
                    "accessToken refreshToken",
                )
                .await
        }
    };
    let second = refresh(first.clone()).await;
    assert_eq!(second["userErrors"], json!([]));
    let second = text(&second["refreshToken"]);
    assert_ne!(second, first);

    assert_eq!(
        refresh(first).await["userErrors"][0]["code"],
        "INVALID_REFRESH_TOKEN"
    );
    // The thief and the owner cannot be told apart: both have to sign in again.
    assert_eq!(
        refresh(second).await["userErrors"][0]["code"],
        "INVALID_REFRESH_TOKEN"
    );
    app.stop().await;
}

#[tokio::test]
async fn signing_out_ends_the_session_and_expiry_ends_tokens() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let token = ada.refresh_token.clone().unwrap();
    ada.mutate(
        "signOut",
        "SignOutInput",
        json!({ "refreshToken": token }),
        "",
    )
    .await;
    let input = json!({ "refreshToken": token });
    let payload = ada
        .attempt("refreshTokens", "RefreshTokensInput", input, "accessToken")
        .await;
    assert_eq!(payload["userErrors"][0]["code"], "INVALID_REFRESH_TOKEN");

    app.clock.advance(16 * 60);
    assert_eq!(
        ada.error_code("{ viewer { id } }", json!({})).await,
        "UNAUTHENTICATED"
    );
    app.stop().await;
}

#[tokio::test]
async fn guessing_is_limited_within_one_request() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let aliases: String = (0..20)
        .map(|i| {
            format!(
                "a{i}: signIn(input: {{ email: \"{}\", password: \"guess number {i}\" }}) {{ userErrors {{ code }} }} ",
                ada.email
            )
        })
        .collect();
    let (_, answer) = app
        .anonymous()
        .send(&format!("mutation {{ {aliases} }}"), json!({}))
        .await;
    let refused = answer["errors"].as_array().map_or(0, Vec::len);
    let whole = answer["data"].is_null();
    assert!(whole || refused >= 10, "{answer:#}");
    app.stop().await;
}
