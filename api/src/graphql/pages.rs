//! How many lists are read at a time, for one document and for one client.
//!
//! Fields of a document are resolved side by side, so a single one could take every connection to the
//! database with its pages, and everybody else would wait until theirs were UNAVAILABLE. So a document
//! has few places, and a client few for all of its documents, which take turns there.

use std::net::IpAddr;
use std::sync::Arc;

use async_graphql::Context;
use tokio::sync::Semaphore;

use super::error::GraphResult;
use crate::access::Viewer;
use crate::auth::limiter::Network;
use crate::lines::{self, Lines, Place};
use crate::page::PageRequest;

/// Lists of one document, and of one client, that are read at a time.
const PLACES: usize = 2;
/// The same for guests and strangers of one IPv6 site, which many may share.
const OF_SITE: usize = 2 * PLACES;

/// Who counts as one client: a user; or all guests of one link, or those without a token, who come from
/// one network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Reader {
    viewer: Viewer,
    network: Option<Network>,
}

/// The lines of all readers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Readers {
    hosts: Arc<Lines<Reader>>,
    sites: Arc<Lines<Reader>>,
}

/// The lines of the document that asks, from the narrowest to the widest.
#[derive(Clone, Debug)]
pub struct Reading {
    document: Arc<Semaphore>,
    host: Reader,
    site: Reader,
    readers: Readers,
}

/// The right to read a list, as long as it is held.
#[derive(Debug)]
pub struct Turn {
    _site: Place,
    _host: Place,
    _document: Place,
}

impl Default for Readers {
    fn default() -> Self {
        Self {
            hosts: Arc::new(Lines::new(PLACES)),
            sites: Arc::new(Lines::new(OF_SITE)),
        }
    }
}

impl Readers {
    /// The lines of one document.
    #[must_use]
    pub fn reading(&self, viewer: Viewer, address: Option<IpAddr>) -> Reading {
        let address = match viewer {
            Viewer::User(_) => None,
            Viewer::Guest(_) | Viewer::Anonymous => address,
        };
        let reader = |network| Reader { viewer, network };
        Reading {
            document: Arc::new(Semaphore::new(PLACES)),
            host: reader(address.map(Network::host)),
            site: reader(address.map(Network::widest)),
            readers: self.clone(),
        }
    }
}

/// What a list field asks for, once it is its turn, which is over when the second is dropped.
///
/// # Errors
/// As [`PageRequest::new`].
pub async fn turn(
    ctx: &Context<'_>,
    first: i32,
    after: Option<&str>,
) -> GraphResult<(PageRequest, Turn)> {
    let request = PageRequest::new(first, after)?;
    let reading = ctx.data_unchecked::<Reading>();
    let document = lines::next(&reading.document).await?;
    let host = reading.readers.hosts.stand(reading.host).await?;
    let turn = Turn {
        _site: reading.readers.sites.stand(reading.site).await?,
        _host: host,
        _document: document,
    };
    Ok((request, turn))
}
