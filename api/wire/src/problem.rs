//! Why a request is refused before anything of it is executed.

use async_graphql_parser::Pos;

use crate::price::Cost;

/// Longest message that a client sees: the parser quotes the document.
const MAX_MESSAGE_CHARS: usize = 300;

/// A request error: `errors` without `data`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// `extensions.code`.
    pub code: &'static str,
    /// For people.
    pub message: String,
    /// Places in the document.
    pub locations: Vec<Pos>,
    /// Seconds after which the same request may work, where waiting helps.
    pub retry_after_seconds: Option<u64>,
    /// What the document would have cost, where that is why it is refused.
    pub cost: Option<Box<Cost>>,
}

impl Problem {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        let message: String = message.into();
        Self {
            code,
            message: clip(&message),
            locations: Vec::new(),
            retry_after_seconds: None,
            cost: None,
        }
    }

    /// The request itself is not formed well.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new("BAD_REQUEST", message)
    }

    /// The document does not parse.
    #[must_use]
    pub fn malformed(what: &str) -> Self {
        Self::new("GRAPHQL_PARSE_FAILED", format!("syntax error: {what}"))
    }

    /// The document breaks a rule of the language.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new("GRAPHQL_VALIDATION_FAILED", message)
    }

    /// The document passes a limit.
    pub fn too_complex(message: impl Into<String>) -> Self {
        Self::new("QUERY_TOO_COMPLEX", message)
    }

    /// No document is known by this hash or id. The message is Apollo's: its clients look for it, and
    /// send the text then.
    #[must_use]
    pub fn not_persisted() -> Self {
        Self::new("PERSISTED_QUERY_NOT_FOUND", "PersistedQueryNotFound")
    }

    /// Documents come as text only. The message is Apollo's: its clients send hashes no more then.
    #[must_use]
    pub fn persisted_unsupported() -> Self {
        Self::new(
            "PERSISTED_QUERY_NOT_SUPPORTED",
            "PersistedQueryNotSupported",
        )
    }

    /// Only documents that the server was started with run, and this is none of them.
    #[must_use]
    pub fn not_trusted() -> Self {
        Self::new(
            "QUERY_NOT_TRUSTED",
            "this document is none of those that this server runs",
        )
    }

    /// A variable or argument is not what its type asks for.
    pub fn input(message: impl Into<String>) -> Self {
        Self::new("BAD_USER_INPUT", message)
    }

    /// The token is none that we take.
    #[must_use]
    pub fn unauthenticated() -> Self {
        let message = "the access token is not valid or has ended";
        Self::new("UNAUTHENTICATED", message)
    }

    /// Something that was not foreseen; the log has it.
    #[must_use]
    pub fn internal() -> Self {
        Self::new("INTERNAL", "internal error")
    }

    /// The process takes no more of these for this many seconds.
    pub fn unavailable(message: impl Into<String>, seconds: u64) -> Self {
        Self {
            retry_after_seconds: Some(seconds),
            ..Self::new("UNAVAILABLE", message)
        }
    }

    /// The request took too long; it may work after this many seconds.
    #[must_use]
    pub fn timeout(seconds: u64) -> Self {
        let message = "the request took too long; try again later or ask for less";
        Self::unavailable(message, seconds)
    }

    /// A document that does not parse. The parser draws the line in question, all 100 kB of it if
    /// need be; its last line says what it expected.
    #[must_use]
    pub fn syntax(error: &async_graphql_parser::Error) -> Self {
        let text = error.to_string();
        let expected = text.lines().rev().find_map(|line| {
            let line = line.trim_start();
            line.strip_prefix("= ")
        });
        Self {
            locations: error.positions().collect(),
            ..Self::malformed(expected.unwrap_or(&text))
        }
    }

    /// With a place in the document.
    #[must_use]
    pub fn at(mut self, pos: Pos) -> Self {
        self.locations.push(pos);
        self
    }
}

/// A message of bearable length.
#[must_use]
pub fn clip(message: &str) -> String {
    match message.char_indices().nth(MAX_MESSAGE_CHARS) {
        Some((end, _)) => format!("{}…", &message[..end]),
        None => message.to_owned(),
    }
}
