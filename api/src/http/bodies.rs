//! Bodies of requests, of which few large ones may be held at a time.
//!
//! A body of the longest size is nothing; hundreds that arrive slowly, or whose operations wait for
//! something, are the memory of the process. So what goes on after the first [`SMALL`] bytes needs a place
//! from there on until it is answered, of those of its network and of all. Almost every request is a
//! small one, and needs none.

use std::net::IpAddr;
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http_body::Body as _;
use http_body_util::BodyExt as _;

use crate::auth::limiter::Network;
use crate::error::UNAVAILABLE_SECONDS;
use crate::graphql::problem::Problem;
use crate::lines::{Lines, Place};

/// Longest body in bytes.
const LONGEST: usize = 1024 * 1024;
/// Longest body, in bytes, that needs no place.
const SMALL: usize = 64 * 1024;
/// Large bodies of one network at a time, and of all.
const OF_NETWORK: usize = 8;
const OF_ALL: usize = 64;
/// Longest time for a body to arrive, the wait for a place included.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longest wait for a place.
const WAIT: Duration = Duration::from_secs(10);

/// The places.
#[derive(Debug)]
pub(super) struct LargeBodies {
    networks: Lines<Option<Network>>,
    all: Lines<()>,
}

/// A body, and its place if it is a large one.
pub(super) struct Received {
    pub(super) bytes: Bytes,
    pub(super) place: Option<(Place, Place)>,
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
    /// Reads a body to its end.
    ///
    /// # Errors
    /// 413 for more than [`LONGEST`] bytes, 408 for what takes too long, 503 where no place gets free,
    /// 400 for one that breaks off. It is not read to its end then.
    pub(super) async fn receive(
        &self,
        body: Body,
        address: Option<IpAddr>,
    ) -> Result<Received, (StatusCode, Problem)> {
        if body.size_hint().lower() > LONGEST as u64 {
            return Err(too_long());
        }
        let received = tokio::time::timeout(PATIENCE, self.collect(body, address)).await;
        received.unwrap_or_else(|_| {
            let problem = Problem::bad_request("the body took too long");
            Err((StatusCode::REQUEST_TIMEOUT, problem))
        })
    }

    async fn collect(
        &self,
        mut body: Body,
        address: Option<IpAddr>,
    ) -> Result<Received, (StatusCode, Problem)> {
        let (mut bytes, mut place) = (BytesMut::new(), None);
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| {
                let problem = Problem::bad_request(format!("the body breaks off: {error}"));
                (StatusCode::BAD_REQUEST, problem)
            })?;
            // Trailers mean nothing to us.
            let Ok(data) = frame.into_data() else {
                continue;
            };
            let length = bytes.len() + data.len();
            if length > LONGEST {
                return Err(too_long());
            }
            if length > SMALL && place.is_none() {
                place = Some(self.place(address).await?);
            }
            bytes.extend_from_slice(&data);
        }
        let bytes = bytes.freeze();
        Ok(Received { bytes, place })
    }

    async fn place(
        &self,
        address: Option<IpAddr>,
    ) -> Result<(Place, Place), (StatusCode, Problem)> {
        let places = async {
            let network = self.networks.stand(address.map(Network::widest)).await;
            (network, self.all.stand(()).await)
        };
        match tokio::time::timeout(WAIT, places).await {
            Ok((Ok(network), Ok(all))) => Ok((network, all)),
            _ => {
                let message = "too many large requests at once; try again soon";
                let problem = Problem::unavailable(message, UNAVAILABLE_SECONDS);
                Err((StatusCode::SERVICE_UNAVAILABLE, problem))
            }
        }
    }
}

fn too_long() -> (StatusCode, Problem) {
    let problem = Problem::bad_request(format!("the body has more than {LONGEST} bytes"));
    (StatusCode::PAYLOAD_TOO_LARGE, problem)
}
