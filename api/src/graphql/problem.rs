//! Why a request is refused before anything of it is executed.

use async_graphql::{ErrorExtensionValues, Pos, ServerError};

use super::error::RETRY_AFTER_SECONDS;
use crate::error::UNAVAILABLE_SECONDS;

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
}

impl Problem {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        let message: String = message.into();
        Self {
            code,
            message: clip(&message),
            locations: Vec::new(),
            retry_after_seconds: None,
        }
    }

    /// The request itself is not formed well.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new("BAD_REQUEST", message)
    }

    /// The document breaks a rule of the language.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new("GRAPHQL_VALIDATION_FAILED", message)
    }

    /// The document passes a limit.
    pub fn too_complex(message: impl Into<String>) -> Self {
        Self::new("QUERY_TOO_COMPLEX", message)
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

    /// The process takes no more of these for now.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self {
            retry_after_seconds: Some(UNAVAILABLE_SECONDS),
            ..Self::new("UNAVAILABLE", message)
        }
    }

    /// The request took too long.
    #[must_use]
    pub fn timeout() -> Self {
        Self::unavailable("the request took too long; try again later or ask for less")
    }

    /// A document that does not parse. The parser draws the line in question, all 100 kB of it if
    /// need be; its last line says what it expected.
    #[must_use]
    pub fn syntax(error: &async_graphql::parser::Error) -> Self {
        let text = error.to_string();
        let expected = text.lines().rev().find_map(|line| {
            let line = line.trim_start();
            line.strip_prefix("= ")
        });
        let message = match expected {
            Some(expected) => format!("syntax error: {expected}"),
            None => format!("syntax error: {text}"),
        };
        Self {
            locations: error.positions().collect(),
            ..Self::new("GRAPHQL_PARSE_FAILED", message)
        }
    }

    /// With a place in the document.
    #[must_use]
    pub fn at(mut self, pos: Pos) -> Self {
        self.locations.push(pos);
        self
    }
}

impl From<Problem> for ServerError {
    fn from(problem: Problem) -> Self {
        let mut extensions = ErrorExtensionValues::default();
        extensions.set("code", problem.code);
        if let Some(seconds) = problem.retry_after_seconds {
            extensions.set(RETRY_AFTER_SECONDS, seconds);
        }
        let mut error = Self::new(problem.message, None);
        error.locations = problem.locations;
        error.extensions = Some(extensions);
        error
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
