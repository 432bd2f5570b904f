//! Who guesses passwords or addresses has to wait, and nobody else.

use harness::actor::text;
use harness::{Actor, TestApp};
use sea_orm::{EntityTrait as _, PaginatorTrait as _};
use serde_json::{Value, json};

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
    assert!(whole || refused >= 15, "{answer:#}");
    app.stop().await;
}

/// Code of a sign-in from behind a proxy that saw this address, `OK` where it worked.
async fn sign_in_from(app: &TestApp, address: &str, email: &str, password: &str) -> String {
    let input = json!({ "email": email, "password": password });
    sign_in_with(app, address, input).await
}

async fn sign_in_with(app: &TestApp, address: &str, input: Value) -> String {
    app.anonymous().sign_in_from(address, input).await
}

#[tokio::test]
async fn who_guesses_locks_nobody_out_but_themselves() {
    let app = TestApp::with(&[("TRUSTED_PROXIES", "1")]).await;
    let ada = app.user("ada").await;
    for _ in 0..5 {
        let code = sign_in_from(&app, "203.0.113.1", &ada.email, "a wrong guess").await;
        assert_eq!(code, "WRONG_CREDENTIALS");
    }
    let code = sign_in_from(&app, "203.0.113.1", &ada.email, &ada.password).await;
    assert_eq!(code, "RATE_LIMITED", "even with the right password");
    let code = sign_in_from(&app, "203.0.113.2", &ada.email, &ada.password).await;
    assert_eq!(code, "OK");

    // Many together: each has one attempt left, and so has the owner, wherever she is.
    for guesser in 3..12 {
        for _ in 0..5 {
            let address = format!("203.0.113.{guesser}");
            sign_in_from(&app, &address, &ada.email, "a wrong guess").await;
        }
    }
    let guess = async |address: &str| sign_in_from(&app, address, &ada.email, "guess").await;
    assert_eq!(guess("203.0.113.12").await, "WRONG_CREDENTIALS");
    assert_eq!(guess("203.0.113.12").await, "RATE_LIMITED");
    let code = sign_in_from(&app, "203.0.113.13", &ada.email, &ada.password).await;
    assert_eq!(code, "OK");
    app.clock.advance(15 * 60);
    let code = sign_in_from(&app, "203.0.113.1", &ada.email, &ada.password).await;
    assert_eq!(code, "OK");
    app.stop().await;
}

/// The device token that a mutation of the session's answers with.
async fn device_token(actor: &Actor, mutation: &str, input: Value) -> String {
    let of = format!("{}Input", mutation[..1].to_uppercase() + &mutation[1..]);
    let payload = actor.mutate(mutation, &of, input, "deviceToken").await;
    text(&payload["deviceToken"])
}

#[tokio::test]
async fn nobody_at_the_same_address_keeps_a_known_device_out() {
    let app = TestApp::with(&[("TRUSTED_PROXIES", "1")]).await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let credentials = json!({ "email": ada.email, "password": ada.password });
    let device = device_token(&app.anonymous(), "signIn", credentials).await;
    let theirs = json!({ "email": bob.email, "password": bob.password });
    let other = device_token(&app.anonymous(), "signIn", theirs).await;
    // Somebody behind the same address guesses at Ada's account, and at many more.
    for n in 0..60 {
        let email = [ada.email.clone(), format!("{n}@example.com")][usize::from(n > 5)].clone();
        sign_in_from(&app, "203.0.113.1", &email, "a wrong guess").await;
    }
    let sign_in = async |password: &str, token: Value| {
        let input = json!({ "email": ada.email, "password": password, "deviceToken": token });
        sign_in_with(&app, "203.0.113.1", input).await
    };
    assert_eq!(sign_in(&ada.password, json!(device)).await, "OK");
    // Nobody else's token, no other token of hers and nothing made up.
    let access = ada.token.clone().unwrap();
    for token in [
        json!(other),
        json!(access),
        json!("made up"),
        json!(""),
        Value::Null,
    ] {
        assert_eq!(sign_in(&ada.password, token).await, "RATE_LIMITED");
    }
    // It opens nothing, and guesses no more than others may.
    let mut thief = app.anonymous();
    thief.token = Some(device.clone());
    let code = thief.error_code("{ viewer { id } }", json!({})).await;
    assert_eq!(code, "UNAUTHENTICATED");
    for _ in 0..5 {
        assert_eq!(sign_in("a guess", json!(device)).await, "WRONG_CREDENTIALS");
    }
    assert_eq!(sign_in(&ada.password, json!(device)).await, "RATE_LIMITED");
    app.clock.advance(12 * 60);
    assert_eq!(sign_in(&ada.password, json!(device)).await, "OK");
    app.stop().await;
}

#[tokio::test]
async fn a_known_device_has_its_own_attempts_and_no_others() {
    let app = TestApp::with(&[("TRUSTED_PROXIES", "1")]).await;
    let ada = app.user("ada").await;
    let credentials = json!({ "email": ada.email, "password": ada.password });
    let device = device_token(&app.anonymous(), "signIn", credentials).await;
    let guess = json!({ "email": ada.email, "password": "a guess", "deviceToken": device });
    let mut wrong = 0;
    for n in 0..20 {
        let address = format!("203.0.113.{n}");
        let code = sign_in_with(&app, &address, guess.clone()).await;
        wrong += u32::from(code == "WRONG_CREDENTIALS");
    }
    assert_eq!(wrong, 5, "from whatever network");
    app.stop().await;
}

#[tokio::test]
async fn sign_ins_that_succeed_have_a_limit_too() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let field = format!(
        "signIn(input: {{ email: \"{}\", password: \"{}\" }}) {{ accessToken }} ",
        ada.email, ada.password
    );
    let aliases: String = (0..21).map(|n| format!("a{n}: {field}")).collect();
    let mut codes = Vec::new();
    for _ in 0..3 {
        let (_, answer) = app
            .anonymous()
            .send(&format!("mutation {{ {aliases} }}"), json!({}))
            .await;
        codes.extend(answer["errors"].as_array().into_iter().flatten().map(|e| {
            (
                text(&e["extensions"]["code"]),
                e["extensions"]["retryAfterSeconds"].clone(),
            )
        }));
    }
    assert_eq!(codes, vec![("RATE_LIMITED".to_owned(), json!(1)); 3]);
    app.stop().await;
}

#[tokio::test]
async fn exchanges_of_refresh_tokens_have_a_limit() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let mut token = ada.refresh_token.clone().unwrap();
    let document =
        "mutation($t: String!) { refreshTokens(input: { refreshToken: $t }) { refreshToken } }";
    let exchange = async |token: &str| {
        app.anonymous()
            .send(document, json!({ "t": token }))
            .await
            .1
    };
    for _ in 0..60 {
        let answer = exchange(&token).await;
        token = text(&answer["data"]["refreshTokens"]["refreshToken"]);
    }
    let answer = exchange(&token).await;
    let error = &answer["errors"][0]["extensions"];
    assert_eq!(error["code"], "RATE_LIMITED");
    assert_eq!(error["retryAfterSeconds"], 1);
    // It was not used up.
    app.clock.advance(1);
    let answer = exchange(&token).await;
    assert!(
        answer["data"]["refreshTokens"]["refreshToken"].is_string(),
        "{answer:#}"
    );
    app.stop().await;
}

#[tokio::test]
async fn nobody_tries_addresses_by_naming_members() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let gallery = ada.gallery("g").await;
    let name = |n: usize| {
        format!(
            "a{n}: setGalleryMember(input: {{ galleryId: \"{gallery}\", \
             email: \"{n}@example.com\", role: VIEWER }}) {{ userErrors {{ code }} }} "
        )
    };
    let mut refused = 0;
    for round in 0..5 {
        let aliases: String = (round * 21..(round + 1) * 21).map(name).collect();
        let (_, answer) = ada
            .send(&format!("mutation {{ {aliases} }}"), json!({}))
            .await;
        refused += answer["errors"].as_array().map_or(0, Vec::len);
    }
    assert_eq!(refused, 5, "of 105");
    app.stop().await;
}

#[tokio::test]
async fn a_device_is_known_as_long_as_the_password_stays_and_its_token_lives() {
    let app = TestApp::with(&[("TRUSTED_PROXIES", "1")]).await;
    let ada = app.user("ada").await;
    let refreshed = json!({ "refreshToken": ada.refresh_token });
    let device = device_token(&ada, "refreshTokens", refreshed).await;
    let change = json!({ "currentPassword": ada.password, "newPassword": "another one" });
    // Guesses at signing in do not keep her from it.
    let lock = async || {
        for _ in 0..6 {
            sign_in_from(&app, "203.0.113.1", &ada.email, "a wrong guess").await;
        }
    };
    lock().await;
    let next = device_token(&ada, "changePassword", change).await;
    let sign_in = async |token: &str| {
        let password = "another one";
        let input = json!({ "email": ada.email, "password": password, "deviceToken": token });
        sign_in_with(&app, "203.0.113.1", input).await
    };
    assert_eq!(sign_in(&device).await, "RATE_LIMITED");
    assert_eq!(sign_in(&next).await, "OK");
    app.clock.advance(180 * 24 * 3600);
    lock().await;
    assert_eq!(sign_in(&next).await, "RATE_LIMITED");
    app.stop().await;
}

#[tokio::test]
async fn registrations_from_one_address_have_a_limit() {
    let app = TestApp::with(&[("REGISTRATIONS_PER_MINUTE", "10")]).await;
    let register = |round: u32| -> String {
        let aliases = (0..30).map(|i| {
            format!(
                "a{i}: register(input: {{ email: \"{round}x{i}@example.com\", name: \"n\", \
                 password: \"long enough\" }}) {{ user {{ id }} }} "
            )
        });
        format!("mutation {{ {} }}", aliases.collect::<String>())
    };
    for round in 0..2 {
        let (_, answer) = app.anonymous().send(&register(round), json!({})).await;
        let users = entity::user::Entity::find().count(app.db().read()).await;
        assert_eq!(users.unwrap(), 10 * u64::from(round + 1), "{answer:#}");
        let errors = answer["errors"].as_array().unwrap();
        assert!(
            errors
                .iter()
                .all(|error| error["extensions"]["code"] == "RATE_LIMITED"
                    && error["extensions"]["retryAfterSeconds"] == 6)
        );
        app.clock.advance(60);
    }
    app.stop().await;
}
