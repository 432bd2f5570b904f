//! An external issuer of tokens: whom it vouches for, what is refused, and what happens when it
//! rotates its keys or does not answer.

mod keys;
mod refusals;
mod users;

use harness::{Actor, TestApp};
use serde_json::json;

const VIEWER: &str = "{ viewer { id name email } }";

/// Somebody who comes with this token.
fn bearer(app: &TestApp, token: String) -> Actor {
    let mut actor = app.anonymous();
    actor.token = Some(token);
    actor
}

/// Status, and code of the error if there is one.
async fn asked(app: &TestApp, token: String) -> (u16, Option<String>) {
    let (status, answer) = bearer(app, token).send(VIEWER, json!({})).await;
    let code = answer["errors"][0]["extensions"]["code"].as_str();
    (status, code.map(str::to_owned))
}

fn ok() -> (u16, Option<String>) {
    (200, None)
}

fn refused() -> (u16, Option<String>) {
    (401, Some("UNAUTHENTICATED".into()))
}

fn unavailable() -> (u16, Option<String>) {
    (503, Some("UNAVAILABLE".into()))
}
