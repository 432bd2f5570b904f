//! What the issuer did not sign, or not for us, or not for now.

use harness::TestApp;
use harness::actor::text;
use harness::issuer::{self, Issuer, SigningKey};
use serde_json::{Value, json};

use super::{asked, ok, refused};

#[tokio::test]
async fn what_it_did_not_sign_for_us_now_is_refused() {
    let (rsa, ec, other) = (
        SigningKey::rsa("r"),
        SigningKey::ec("c"),
        SigningKey::rsa("r"),
    );
    let issuer = Issuer::start(&[&rsa, &ec]).await;
    let app = TestApp::with(&issuer.settings()).await;
    let now = app.clock.now().seconds();
    let good = issuer.claims("ada", &app.clock);
    let header = json!({ "alg": "RS256", "typ": "JWT", "kid": "r" });
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        rsa.token(&claims)
    };
    let headed = |name: &str, value: Value| {
        let mut header = header.clone();
        header[name] = value;
        rsa.token_with(&header, &good)
    };
    assert_eq!(asked(&app, rsa.token(&good)).await, ok());
    // Within the clocks' difference.
    for (name, value) in [("exp", now - 29), ("nbf", now + 29), ("iat", now + 29)] {
        assert_eq!(asked(&app, with(name, json!(value))).await, ok(), "{name}");
    }
    for typ in ["at+jwt", "application/at+jwt", "jwt"] {
        assert_eq!(asked(&app, headed("typ", json!(typ))).await, ok(), "{typ}");
    }
    let wrong: Vec<(&str, String)> = vec![
        ("expired", with("exp", json!(now - 30))),
        ("never ends", with("exp", Value::Null)),
        ("not yet valid", with("nbf", json!(now + 31))),
        ("from the future", with("iat", json!(now + 31))),
        ("audience", with("aud", json!("others"))),
        ("audiences", with("aud", json!(["others", "more"]))),
        ("no audience", with("aud", Value::Null)),
        ("issuer", with("iss", json!("http://127.0.0.1:1"))),
        (
            "issuer and a slash",
            with("iss", json!(format!("{}/", issuer.url))),
        ),
        ("no issuer", with("iss", Value::Null)),
        ("issuers", with("iss", json!([issuer.url]))),
        ("no subject", with("sub", json!(""))),
        ("long subject", with("sub", json!("x".repeat(256)))),
        ("a notice of a log-out", headed("typ", json!("logout+jwt"))),
        (
            "a notice without a type of its own",
            with(
                "events",
                json!({ "http://schemas.openid.net/event/backchannel-logout": {} }),
            ),
        ),
        ("bound to a key", with("cnf", json!({ "jkt": "x" }))),
        ("for refreshing", with("typ", json!("Refresh"))),
        (
            "for refreshing while offline",
            with("typ", json!("Offline")),
        ),
        ("for logging out", with("typ", json!("Logout"))),
        (
            "for refreshing, as Cognito says",
            with("token_use", json!("refresh")),
        ),
        ("critical", headed("crit", json!(["b64"]))),
        ("key of another type", headed("kid", json!("c"))),
        ("another hash", headed("alg", json!("RS512"))),
        ("another padding", headed("alg", json!("PS256"))),
        ("another algorithm", headed("alg", json!("ES256"))),
        ("somebody else's key of that name", other.token(&good)),
        (
            "a key in the header",
            other.token_with(
                &json!({ "alg": "RS256", "typ": "JWT", "jwk": other.jwk() }),
                &good,
            ),
        ),
        (
            "no algorithm",
            format!(
                "{}.",
                issuer::unsigned(&json!({ "alg": "none", "kid": "r" }), &good)
            ),
        ),
    ];
    for (what, token) in wrong {
        assert_eq!(asked(&app, token).await, refused(), "{what}");
    }
    // The public key as a shared secret, in every form in which it can be had.
    let jwk = rsa.jwk();
    let secrets = [
        rsa.public(),
        text(&jwk["n"]).into_bytes(),
        jwk.to_string().into_bytes(),
        ec.public(),
    ];
    for secret in secrets {
        for kid in ["r", "c"] {
            let header = json!({ "alg": "HS256", "typ": "JWT", "kid": kid });
            let token = issuer::with_secret(&header, &good, &secret);
            assert_eq!(asked(&app, token).await, refused(), "{kid}");
        }
    }
    let token = rsa.token(&good);
    let (head, signature) = token.rsplit_once('.').unwrap();
    let other = issuer::unsigned(&header, &issuer.claims("eve", &app.clock));
    assert_eq!(asked(&app, format!("{other}.{signature}")).await, refused());
    assert_eq!(asked(&app, format!("{head}.")).await, refused());
    app.stop().await;
}

#[tokio::test]
async fn a_token_without_a_key_id_means_the_only_key() {
    let (rsa, ec) = (SigningKey::rsa("r"), SigningKey::ec("c"));
    let issuer = Issuer::start(&[&rsa, &ec]).await;
    let app = TestApp::with(&issuer.settings()).await;
    let claims = issuer.claims("ada", &app.clock);
    let token = ec.token_with(&json!({ "alg": "ES256" }), &claims);
    assert_eq!(asked(&app, token.clone()).await, ok());
    issuer.publish(&[&ec, &SigningKey::ec("more")]);
    app.clock.advance(601);
    for _ in 0..2 {
        let answer = asked(&app, token.clone()).await;
        assert_eq!(answer, refused(), "which of the two?");
    }
    app.stop().await;
}

#[tokio::test]
async fn without_it_nobody_elses_token_counts() {
    let key = SigningKey::ec("k");
    let issuer = Issuer::start(&[&key]).await;
    let app = TestApp::start().await;
    let token = key.token(&issuer.claims("ada", &app.clock));
    assert_eq!(asked(&app, token).await, refused());
    assert_eq!(issuer.fetches(), 0);
    app.stop().await;
}
