//! What one socket may do: the rules of graphql-transport-ws, without any frame.

use std::sync::Arc;

use async_graphql::ServerError;
use async_graphql::parser::types::OperationType;
use entity::Timestamp;
use serde_json::{Map, Value};

use super::operations::{MAX_OPERATIONS, Operations};
use super::protocol::{ClientMessage, Closing, ServerMessage};
use crate::auth::{Access, ClientAddress};
use crate::graphql::execute::Parameters;
use crate::graphql::problem::{self, Problem};
use crate::graphql::signature::Signature;
use crate::http::{Shared, bearer};

/// A client has this long for its `connection_init`.
const INIT_SECONDS: i64 = 3;

/// The state of one socket.
pub(super) struct Session {
    shared: Arc<Shared>,
    address: Option<ClientAddress>,
    access: Access,
    /// Until when `connection_init` must have come; none since it came.
    init_by: Option<Timestamp>,
    /// The process stops: nothing new begins.
    is_stopping: bool,
    /// What runs.
    pub(super) operations: Operations,
}

impl Session {
    /// A new socket of somebody whom the headers of its request named.
    pub(super) fn new(shared: Arc<Shared>, address: Option<ClientAddress>, access: Access) -> Self {
        let init_by = shared.clock.now().plus_seconds(INIT_SECONDS);
        Self {
            shared,
            address,
            access,
            init_by: Some(init_by),
            is_stopping: false,
            operations: Operations::default(),
        }
    }

    /// When [`Session::overdue`] has to be asked.
    pub(super) fn deadline(&self) -> Timestamp {
        let never = Timestamp(i64::MAX);
        let init_by = self.init_by.unwrap_or(never);
        init_by.min(self.access.until.unwrap_or(never))
    }

    /// What is over by now.
    pub(super) fn overdue(&self, now: Timestamp) -> Option<Closing> {
        if self.init_by.is_some_and(|by| by <= now) {
            Some(Closing::init_timeout())
        } else if self.access.until.is_some_and(|until| until <= now) {
            Some(Closing::forbidden(&Problem::unauthenticated()))
        } else {
            None
        }
    }

    /// The process stops. Queries and mutations that run may finish; what would go on by itself
    /// ends, and begins anew at another process.
    pub(super) fn stop(&mut self) {
        self.is_stopping = true;
        self.operations.stop_lasting();
    }

    /// Whether the socket can be closed because the process stops.
    pub(super) fn has_stopped(&self) -> bool {
        self.is_stopping && self.operations.is_empty()
    }

    /// Takes a message; answers what to say to it at once.
    pub(super) async fn receive(&mut self, text: &str) -> Result<Option<String>, Closing> {
        match ClientMessage::parse(text)? {
            ClientMessage::Init(payload) => self.init(&payload).await.map(Some),
            ClientMessage::Ping(payload) => Ok(Some(ServerMessage::Pong { payload }.to_json())),
            ClientMessage::Pong => Ok(None),
            ClientMessage::Subscribe(id, parameters) => self.subscribe(id, parameters),
            ClientMessage::Complete(id) => {
                self.operations.stop(&id);
                Ok(None)
            }
        }
    }

    async fn init(&mut self, payload: &Map<String, Value>) -> Result<String, Closing> {
        if self.init_by.take().is_none() {
            return Err(Closing::second_init());
        }
        let token = payload
            .iter()
            .find(|(name, value)| name.eq_ignore_ascii_case("authorization") && !value.is_null());
        if let Some((_, token)) = token {
            self.access = bearer::from_text(&self.shared.auth, token.as_str())
                .await
                .map_err(|problem| Closing::refused(&problem))?;
        }
        Ok(ServerMessage::ConnectionAck.to_json())
    }

    fn subscribe(&mut self, id: String, parameters: Parameters) -> Result<Option<String>, Closing> {
        if self.init_by.is_some() {
            return Err(Closing::unauthorized());
        }
        if self.operations.contains(&id) {
            return Err(Closing::duplicate(&id));
        }
        if self.is_stopping {
            // The client hears 1001 and asks another process.
            return Ok(None);
        }
        if self.operations.is_full() {
            let problem = Problem::bad_request(format!(
                "a socket runs {MAX_OPERATIONS} operations at a time"
            ));
            let executor = &self.shared.executor;
            executor.refused(&Signature::unknown(), problem.code);
            return Ok(Some(refused(&id, problem)));
        }
        match self.shared.executor.prepare(parameters) {
            Ok(prepared) => {
                let lasts = prepared.operation == OperationType::Subscription;
                let answers =
                    self.shared
                        .executor
                        .stream(prepared, self.access.viewer, self.address);
                self.operations.start(id, lasts, answers);
                Ok(None)
            }
            Err(problem) => Ok(Some(refused(&id, problem))),
        }
    }
}

fn refused(id: &str, problem: Problem) -> String {
    let payload: &[ServerError] = &[problem::error(problem)];
    ServerMessage::Error { id, payload }.to_json()
}
