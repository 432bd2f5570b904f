//! Messages of graphql-transport-ws, as strict as its specification: what it does not know closes
//! the socket.

use async_graphql::{Response, ServerError};
use axum::extract::ws::CloseFrame;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::graphql::execute::Parameters;
use crate::graphql::problem::Problem;
use crate::http::parameters;

/// Name of the subprotocol.
pub(super) const SUBPROTOCOL: &str = "graphql-transport-ws";
/// Longest reason of a close frame: RFC 6455 gives a control frame 125 bytes, two are the code.
const MAX_REASON_BYTES: usize = 123;
/// Longest id of an operation. Ours are kept while it runs, and go along with each answer.
const MAX_ID_BYTES: usize = 256;

/// Why a socket is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Closing {
    pub(super) code: u16,
    pub(super) reason: String,
}

impl Closing {
    fn new(code: u16, reason: impl Into<String>) -> Self {
        let mut reason = reason.into();
        reason.truncate(reason.floor_char_boundary(MAX_REASON_BYTES));
        Self { code, reason }
    }

    /// The process stops: connect again, to another one.
    pub(super) fn going_away() -> Self {
        Self::new(1001, "Going away")
    }

    /// Frames that are none.
    pub(super) fn protocol_error() -> Self {
        Self::new(1002, "Protocol error")
    }

    /// Text that is not UTF-8.
    pub(super) fn not_utf8() -> Self {
        Self::new(1007, "Text must be UTF-8")
    }

    /// A message beyond the limit.
    pub(super) fn too_big() -> Self {
        Self::new(1009, "Message too big")
    }

    /// A message that the protocol does not know.
    pub(super) fn invalid(what: impl std::fmt::Display) -> Self {
        Self::new(4400, format!("Invalid message: {what}"))
    }

    /// An operation before the acknowledgement.
    pub(super) fn unauthorized() -> Self {
        Self::new(4401, "Unauthorized")
    }

    /// A token that is none, or none any more.
    pub(super) fn forbidden(problem: &Problem) -> Self {
        Self::new(4403, format!("Forbidden: {}", problem.message))
    }

    /// A token that does not say who asks, or of which nobody can tell for now: the registered code
    /// for what may work later, after which clients connect again.
    pub(super) fn refused(problem: &Problem) -> Self {
        match problem.code {
            "UNAVAILABLE" => Self::new(1013, format!("Try again later: {}", problem.message)),
            "INTERNAL" => Self::new(1011, "Internal error"),
            _ => Self::forbidden(problem),
        }
    }

    /// No `connection_init` in time.
    pub(super) fn init_timeout() -> Self {
        Self::new(4408, "Connection initialisation timeout")
    }

    /// An operation of this id runs already.
    pub(super) fn duplicate(id: &str) -> Self {
        let room = MAX_REASON_BYTES - "Subscriber for  already exists".len();
        let id = &id[..id.floor_char_boundary(room)];
        Self::new(4409, format!("Subscriber for {id} already exists"))
    }

    /// A second `connection_init`.
    pub(super) fn second_init() -> Self {
        Self::new(4429, "Too many initialisation requests")
    }
}

impl From<Closing> for CloseFrame {
    fn from(closing: Closing) -> Self {
        Self {
            code: closing.code,
            reason: closing.reason.into(),
        }
    }
}

/// What a client says.
#[derive(Debug)]
pub(super) enum ClientMessage {
    Init(Map<String, Value>),
    Ping(Option<Map<String, Value>>),
    Pong,
    Subscribe(String, Parameters),
    Complete(String),
}

impl ClientMessage {
    /// Reads a message.
    pub(super) fn parse(text: &str) -> Result<Self, Closing> {
        let Ok(Value::Object(mut message)) = serde_json::from_str(text) else {
            return Err(Closing::invalid("no JSON object"));
        };
        let ty = match message.remove("type") {
            Some(Value::String(ty)) => ty,
            _ => return Err(Closing::invalid("`type` must be a string")),
        };
        match ty.as_str() {
            "connection_init" => Ok(Self::Init(payload(&mut message)?.unwrap_or_default())),
            "ping" => Ok(Self::Ping(payload(&mut message)?)),
            "pong" => payload(&mut message).map(|_| Self::Pong),
            "subscribe" => {
                let id = id(&mut message)?;
                let payload = payload(&mut message)?
                    .ok_or_else(|| Closing::invalid("`payload` must be an object"))?;
                let parameters = parameters::from_object(payload)
                    .map_err(|problem| Closing::invalid(problem.message))?;
                Ok(Self::Subscribe(id, parameters))
            }
            "complete" => id(&mut message).map(Self::Complete),
            // Not repeated at length: a reason has to fit into a control frame.
            _ => Err(Closing::invalid("unknown `type`")),
        }
    }
}

fn id(message: &mut Map<String, Value>) -> Result<String, Closing> {
    match message.remove("id") {
        Some(Value::String(id)) if (1..=MAX_ID_BYTES).contains(&id.len()) => Ok(id),
        _ => Err(Closing::invalid("`id` must be a string of 1 to 256 bytes")),
    }
}

fn payload(message: &mut Map<String, Value>) -> Result<Option<Map<String, Value>>, Closing> {
    match message.remove("payload") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(payload)) => Ok(Some(payload)),
        Some(_) => Err(Closing::invalid("`payload` must be an object")),
    }
}

/// What we say.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum ServerMessage<'a> {
    ConnectionAck,
    Pong {
        #[serde(skip_serializing_if = "Option::is_none")]
        payload: Option<Map<String, Value>>,
    },
    Next {
        id: &'a str,
        payload: &'a Response,
    },
    Error {
        id: &'a str,
        payload: &'a [ServerError],
    },
    Complete {
        id: &'a str,
    },
}

impl ServerMessage<'_> {
    /// As it is sent.
    pub(super) fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|error| {
            tracing::error!(%error, "a message cannot be written as JSON");
            String::new()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_protocol_does_not_know_is_refused() {
        for text in [
            "",
            "[]",
            "{}",
            r#"{"type":1}"#,
            r#"{"type":"start","id":"1"}"#,
            r#"{"type":"next","id":"1","payload":{}}"#,
            r#"{"type":"connection_ack"}"#,
            r#"{"type":"connection_init","payload":"token"}"#,
            r#"{"type":"ping","payload":[]}"#,
            r#"{"type":"subscribe","payload":{"query":"{a}"}}"#,
            r#"{"type":"subscribe","id":"","payload":{"query":"{a}"}}"#,
            r#"{"type":"subscribe","id":1,"payload":{"query":"{a}"}}"#,
            r#"{"type":"subscribe","id":"1"}"#,
            r#"{"type":"subscribe","id":"1","payload":{"query":1}}"#,
            r#"{"type":"subscribe","id":"1","payload":{"query":"{a}","variables":"x"}}"#,
            r#"{"type":"complete"}"#,
        ] {
            let closing = ClientMessage::parse(text).unwrap_err();
            assert_eq!(closing.code, 4400, "{text}");
        }
        let long = format!(r#"{{"type":"complete","id":"{}"}}"#, "x".repeat(257));
        assert_eq!(ClientMessage::parse(&long).unwrap_err().code, 4400);
    }

    #[test]
    fn reasons_fit_into_a_control_frame() {
        let long = "ü".repeat(4096);
        for closing in [
            Closing::duplicate(&long),
            Closing::invalid(&long),
            Closing::forbidden(&Problem::bad_request(&long)),
        ] {
            assert!(closing.reason.len() <= MAX_REASON_BYTES);
        }
        assert!(
            Closing::duplicate(&long)
                .reason
                .ends_with(" already exists")
        );
    }
}
