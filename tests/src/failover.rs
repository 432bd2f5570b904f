//! A client of several replicas that tries again where a client may.

use std::time::Duration;

use serde_json::Value;

use crate::actor::Actor;

/// What counts as a failure that may be tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Only a connection that is refused, or reset before it ever carried an answer.
    NewConnections,
    /// Whatever can pass: broken connections, 5xx, UNAVAILABLE.
    Whatever,
}

/// What a client went through.
#[derive(Clone, Copy, Debug, Default)]
pub struct Journey {
    /// Requests that were answered well.
    pub answered: u64,
    /// Tries that were made again.
    pub retried: u64,
    /// Answers that told it to go elsewhere.
    pub told: u64,
}

/// Somebody who knows several addresses.
#[derive(Debug)]
pub struct Failover {
    actor: Actor,
    urls: Vec<String>,
    at: usize,
    fresh: bool,
    patience: Patience,
    /// So far.
    pub journey: Journey,
}

impl Failover {
    /// A client that is signed in as `actor`.
    #[must_use]
    pub fn new(actor: &Actor, urls: &[String], at: usize, patience: Patience) -> Self {
        let mut client = Self {
            actor: actor.clone(),
            urls: urls.to_vec(),
            at,
            fresh: true,
            patience,
            journey: Journey::default(),
        };
        client.connect();
        client
    }

    /// Somebody as plain as the actor that it acts for, at the present address.
    #[must_use]
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// The next address, with a new connection.
    pub fn move_on(&mut self) {
        self.at += 1;
        self.connect();
    }

    fn connect(&mut self) {
        self.actor.move_to(&self.urls[self.at % self.urls.len()]);
        self.actor.reconnect();
        self.fresh = true;
    }

    /// `data` of a document.
    ///
    /// # Errors
    /// What may not be tried again, in words.
    pub async fn ask(&mut self, document: &str, variables: &Value) -> Result<Value, String> {
        loop {
            match self.attempt(document, variables).await {
                Ok(data) => {
                    self.journey.answered += 1;
                    return Ok(data);
                }
                Err((true, _)) => {
                    self.journey.retried += 1;
                    self.move_on();
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                Err((false, failure)) => return Err(failure),
            }
        }
    }

    /// One try; of a failure, whether it may be tried again.
    async fn attempt(
        &mut self,
        document: &str,
        variables: &Value,
    ) -> Result<Value, (bool, String)> {
        let any = self.patience == Patience::Whatever;
        let response = match self.actor.post(document, variables.clone()).await {
            Ok(response) => response,
            Err(error) => {
                let again = any || self.fresh || error.is_connect();
                return Err((again, format!("no answer: {error:?}")));
            }
        };
        self.fresh = false;
        let status = response.status();
        let closes = response.headers().get("connection");
        let told = closes.is_some_and(|value| value == "close");
        let answer = response.json::<Value>().await;
        let mut answer = answer.map_err(|error| (any, format!("{status}, cut: {error:?}")))?;
        if told {
            self.journey.told += 1;
            self.move_on();
        }
        let passes = answer["errors"].as_array().is_some_and(|errors| {
            errors
                .iter()
                .all(|error| error["extensions"]["code"] == "UNAVAILABLE")
        });
        if status.is_server_error() || !answer["errors"].is_null() {
            return Err((any && passes, format!("{status}: {answer}")));
        }
        Ok(answer["data"].take())
    }
}
