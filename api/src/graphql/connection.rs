//! Relay connections out of [`Page`]s.

use async_graphql::OutputType;
use async_graphql::connection::{Connection, CursorType, Edge};

use crate::page::{Cursor, Page};

impl CursorType for Cursor {
    type Error = String;

    fn decode_cursor(text: &str) -> Result<Self, Self::Error> {
        Self::decode(text).map_err(|error| error.to_string())
    }

    fn encode_cursor(&self) -> String {
        self.encode()
    }
}

/// A page as a connection.
pub fn connection<T: OutputType>(page: Page<T>, has_previous: bool) -> Connection<Cursor, T> {
    let mut connection = Connection::new(has_previous, page.has_next);
    connection.edges = page
        .rows
        .into_iter()
        .map(|(cursor, node)| Edge::new(cursor, node))
        .collect();
    connection
}
