//! How many lists one client has read at a time.
//!
//! Fields of a document are resolved side by side, so a single one could take every connection to the
//! database with its pages, and everybody else would wait until theirs were UNAVAILABLE. A client has
//! few places, whatever and over how many requests it asks; the others' statements come in between.

use std::net::IpAddr;
use std::sync::Arc;

use async_graphql::Context;

use super::error::GraphResult;
use crate::access::Viewer;
use crate::auth::limiter::Network;
use crate::lines::{Lines, Place};
use crate::page::PageRequest;

/// Lists that one client has read at a time.
const PLACES: usize = 2;

/// Who counts as one client: a user; or all guests of one link, or those without a token, who come from
/// one network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Reader {
    viewer: Viewer,
    network: Option<Network>,
}

/// The lines of all readers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Readers(Arc<Lines<Reader>>);

/// The line of the reader who asks.
#[derive(Clone, Debug)]
pub struct Reading {
    reader: Reader,
    lines: Readers,
}

impl Default for Readers {
    fn default() -> Self {
        Self(Arc::new(Lines::new(PLACES)))
    }
}

impl Readers {
    /// The line of one.
    #[must_use]
    pub fn reading(&self, viewer: Viewer, address: Option<IpAddr>) -> Reading {
        let network = match viewer {
            Viewer::User(_) => None,
            Viewer::Guest(_) | Viewer::Anonymous => address.map(Network::widest),
        };
        Reading {
            reader: Reader { viewer, network },
            lines: self.clone(),
        }
    }
}

/// What a list field asks for, once it is the client's turn: it is theirs as long as the place is held.
///
/// # Errors
/// As [`PageRequest::new`].
pub async fn turn(
    ctx: &Context<'_>,
    first: i32,
    after: Option<&str>,
) -> GraphResult<(PageRequest, Place)> {
    let request = PageRequest::new(first, after)?;
    let reading = ctx.data_unchecked::<Reading>();
    let place = reading.lines.0.stand(reading.reader).await?;
    Ok((request, place))
}
