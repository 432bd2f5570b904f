//! Large bodies, of which few may be held at a time.
//!
//! A body of the longest size is nothing; hundreds that arrive slowly, or whose operations wait for
//! something, are the memory of the process. So a large one needs a place from its first byte until it
//! is answered, of those of its network and of all. Almost every request is a small one, and needs none.

use std::net::IpAddr;
use std::time::Duration;

use crate::auth::limiter::Network;
use crate::error::UNAVAILABLE_SECONDS;
use crate::graphql::problem::Problem;
use crate::lines::{Lines, Place};

/// Longest body, in bytes, that needs no place.
const SMALL: u64 = 64 * 1024;
/// Large bodies of one network at a time, and of all.
const OF_NETWORK: usize = 8;
const OF_ALL: usize = 32;
/// Longest wait for a place.
const PATIENCE: Duration = Duration::from_secs(30);

/// The places.
#[derive(Debug)]
pub(super) struct LargeBodies {
    networks: Lines<Option<Network>>,
    all: Lines<()>,
}

/// The right to send a body, as long as it is held.
pub(super) struct Admitted {
    _places: Option<(Place, Place)>,
}

impl Default for LargeBodies {
    fn default() -> Self {
        Self {
            networks: Lines::new(OF_NETWORK),
            all: Lines::new(OF_ALL),
        }
    }
}

impl LargeBodies {
    /// Waits until a body of this length may be read; one that does not tell its length is a large one.
    ///
    /// # Errors
    /// `UNAVAILABLE` after [`PATIENCE`].
    pub(super) async fn admit(
        &self,
        length: Option<u64>,
        address: Option<IpAddr>,
    ) -> Result<Admitted, Problem> {
        if length.is_some_and(|length| length <= SMALL) {
            return Ok(Admitted { _places: None });
        }
        let places = async {
            let network = self.networks.stand(address.map(Network::widest)).await;
            (network, self.all.stand(()).await)
        };
        match tokio::time::timeout(PATIENCE, places).await {
            Ok((Ok(network), Ok(all))) => Ok(Admitted {
                _places: Some((network, all)),
            }),
            _ => {
                let message = "too many large requests at once; try again soon";
                Err(Problem::unavailable(message, UNAVAILABLE_SECONDS))
            }
        }
    }
}
