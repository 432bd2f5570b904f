//! Accounts and sessions.

use entity::refresh_token;
use harness::TestApp;
use harness::actor::text;
use sea_orm::{EntityTrait as _, PaginatorTrait as _};
use serde_json::{Value, json};

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
async fn look_alike_addresses_are_one_account_or_none() {
    let app = TestApp::start().await;
    let register = async |email: &str, name: &str| {
        let input = json!({ "email": email, "name": name, "password": "long enough" });
        let payload = app
            .anonymous()
            .attempt("register", "RegisterInput", input, "accessToken")
            .await;
        payload["userErrors"][0]["code"].clone()
    };
    assert_eq!(
        register("zo\u{eb}@example.com", "Zo\u{eb}").await,
        Value::Null
    );
    assert_eq!(register("zoe\u{308}@example.com", "Zoe").await, "TAKEN");
    assert_eq!(register("ZOE\u{308}@example.com", "Zoe").await, "TAKEN");
    assert_eq!(register("z\u{200b}oe@example.com", "Zoe").await, "INVALID");
    assert_eq!(register("\u{202e}eoz@example.com", "Zoe").await, "INVALID");
    assert_eq!(register("zoe@example.com", "\u{202e}eoZ").await, "INVALID");
    let input = json!({ "email": "ZOE\u{308}@example.com", "password": "long enough" });
    app.anonymous()
        .mutate("signIn", "SignInInput", input, "accessToken")
        .await;
    app.stop().await;
}

#[tokio::test]
async fn ended_refresh_tokens_are_swept() {
    let app = TestApp::start().await;
    let tokens = async || {
        let found = refresh_token::Entity::find().count(app.db().read()).await;
        found.unwrap()
    };
    app.user("ada").await;
    app.run_jobs().await;
    assert_eq!(tokens().await, 1);
    app.clock.advance(20 * 24 * 3600);
    app.user("bob").await;
    app.run_jobs().await;
    assert_eq!(tokens().await, 2);
    app.clock.advance(11 * 24 * 3600);
    app.run_jobs().await;
    assert_eq!(tokens().await, 1, "Ada's has ended");
    app.stop().await;
}

#[tokio::test]
async fn another_password_signs_every_other_session_out() {
    let app = TestApp::start().await;
    let mut ada = app.user("ada").await;
    let elsewhere = app.fresh(&ada).await;
    let stolen = ada.refresh_token.clone().unwrap();
    let change = async |current: &str, new: &str| {
        let input = json!({ "currentPassword": current, "newPassword": new });
        ada.attempt("changePassword", "ChangePasswordInput", input, SESSION)
            .await
    };
    let wrong = change("not the password", "a new password").await;
    let error = &wrong["userErrors"][0];
    assert_eq!(error["code"], "WRONG_CREDENTIALS");
    assert_eq!(error["field"], json!(["input", "currentPassword"]));
    let short = change(&ada.password, "short").await;
    let error = &short["userErrors"][0];
    assert_eq!(error["code"], "INVALID");
    assert_eq!(error["field"], json!(["input", "newPassword"]));

    let session = change(&ada.password, "a new password").await;
    assert_eq!(session["userErrors"], json!([]));
    assert_eq!(text(&session["user"]["id"]), ada.id);
    let refresh = async |token: &str| {
        let input = json!({ "refreshToken": token });
        let payload = app
            .anonymous()
            .attempt("refreshTokens", "RefreshTokensInput", input, "refreshToken")
            .await;
        payload["userErrors"][0]["code"].clone()
    };
    assert_eq!(refresh(&stolen).await, "INVALID_REFRESH_TOKEN");
    assert_eq!(refresh(&text(&session["refreshToken"])).await, Value::Null);
    let sign_in = async |password: &str| {
        let input = json!({ "email": ada.email, "password": password });
        let payload = app
            .anonymous()
            .attempt("signIn", "SignInInput", input, "accessToken")
            .await;
        payload["userErrors"][0]["code"].clone()
    };
    assert_eq!(sign_in(&ada.password).await, "WRONG_CREDENTIALS");
    assert_eq!(sign_in("a new password").await, Value::Null);

    // Access tokens of before run out within their minutes.
    let viewer = "{ viewer { id } }";
    elsewhere.query(viewer, json!({})).await;
    app.clock.advance(905);
    let code = elsewhere.error_code(viewer, json!({})).await;
    assert_eq!(code, "UNAUTHENTICATED");
    ada.token = None;
    let input = json!({ "currentPassword": "x", "newPassword": "long enough" });
    let document =
        "mutation($input: ChangePasswordInput!) { changePassword(input: $input) { accessToken } }";
    let code = ada.error_code(document, json!({ "input": input })).await;
    assert_eq!(code, "UNAUTHENTICATED");
    app.stop().await;
}

#[tokio::test]
async fn a_found_token_does_not_find_the_password() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let aliases: String = (0..20)
        .map(|i| {
            format!(
                "a{i}: changePassword(input: {{ currentPassword: \"guess number {i}\", newPassword: \"long enough\" }}) \
                 {{ userErrors {{ code }} }} "
            )
        })
        .collect();
    let (_, answer) = ada
        .send(&format!("mutation {{ {aliases} }}"), json!({}))
        .await;
    let errors = answer["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 15, "{answer:#}");
    assert!(
        errors
            .iter()
            .all(|error| error["extensions"]["code"] == "RATE_LIMITED")
    );
    app.stop().await;
}

#[tokio::test]
async fn a_password_of_before_begins_no_session_after_its_change() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let change = async {
        let input = json!({ "currentPassword": ada.password, "newPassword": "a new password" });
        ada.mutate(
            "changePassword",
            "ChangePasswordInput",
            input,
            "refreshToken",
        )
        .await
    };
    let sign_in = async {
        let input = json!({ "email": ada.email, "password": ada.password });
        app.anonymous()
            .attempt("signIn", "SignInInput", input, "refreshToken")
            .await
    };
    let (_, session) = futures::join!(change, sign_in);
    // Whichever came first: what the old password began is over.
    if let Some(token) = session["refreshToken"].as_str() {
        let input = json!({ "refreshToken": token });
        let payload = app
            .anonymous()
            .attempt("refreshTokens", "RefreshTokensInput", input, "refreshToken")
            .await;
        assert_eq!(payload["userErrors"][0]["code"], "INVALID_REFRESH_TOKEN");
    } else {
        assert_eq!(session["userErrors"][0]["code"], "WRONG_CREDENTIALS");
    }
    app.stop().await;
}

/// The shortest of several times is what the work itself takes. On a busy machine it takes some
/// rounds to find; what is not the same work never comes near.
#[tokio::test]
async fn an_unknown_account_takes_as_long_as_a_wrong_password() {
    let app = TestApp::start().await;
    let mut shortest = [std::time::Duration::MAX; 2];
    for round in 0..24 {
        let known = app.user("known").await;
        let unknown = format!("nobody{round}@example.com");
        for (kind, email) in [known.email, unknown].iter().enumerate() {
            let input = json!({ "email": email, "password": "not the password" });
            let began = std::time::Instant::now();
            let payload = app
                .anonymous()
                .attempt("signIn", "SignInInput", input, "accessToken")
                .await;
            shortest[kind] = shortest[kind].min(began.elapsed());
            assert_eq!(payload["userErrors"][0]["code"], "WRONG_CREDENTIALS");
        }
        let [known, unknown] = shortest;
        if round >= 4 && unknown > known / 2 && known > unknown / 2 {
            return app.stop().await;
        }
    }
    panic!("known and unknown: {shortest:?}");
}
