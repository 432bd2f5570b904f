//! Serving until the process is told to stop, and ending without a failed request.
//!
//! Told to stop, a process is not ready any more but still answers: whoever sends requests here needs
//! a moment to hear of it. Every answer then carries `Connection: close`, so that clients move on by
//! themselves; a connection that is merely closed could be closed while a request is on its way. After
//! the drain nothing is accepted, and what runs is finished.
//!
//! Connections are few: each holds a descriptor, and with none left the process cannot reach its
//! database either. So their number has a [limit](Limits), who sends nothing is sent away, and where
//! the limit is reached whoever has asked for nothing the longest makes room.

mod connection;
mod places;

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use connection::Shared;
use places::Places;

/// After the drain, how long no request must run before the connections that are left are cut.
const QUIET: Duration = Duration::from_millis(300);
/// Pause after a failed accept: with no descriptor left, the next one fails as fast.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What connections may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From a connection's begin to the end of its first request's header.
    pub header: Duration,
    /// From an answer to the end of the next request's header. Longer than load balancers keep
    /// connections that they do not use, or they send requests to where nobody is any more.
    pub keep_alive: Duration,
    /// How long a client may take nothing of what is written to it.
    pub stalled: Duration,
    /// Connections at a time, sockets included.
    pub connections: usize,
}

impl Limits {
    /// The usual times, and this many connections.
    #[must_use]
    pub fn new(connections: usize) -> Self {
        Self {
            header: Duration::from_secs(10),
            keep_alive: Duration::from_secs(75),
            stalled: Duration::from_secs(60),
            connections,
        }
    }
}

/// Serves `router`. From the cancellation of `stop` on it drains, then ends as soon as no request
/// runs; bounding that is the caller's.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    stop: CancellationToken,
    drain: Duration,
) {
    let shared = Arc::new(Shared {
        router,
        limits,
        places: Places::new(limits.connections),
        running: watch::Sender::new(0),
        stop: stop.clone(),
        drained: CancellationToken::new(),
    });
    let mut connections = JoinSet::new();
    let drained = async {
        stop.cancelled().await;
        tokio::time::sleep(drain).await;
    };
    tokio::select! {
        () = accept(&listener, &shared, &mut connections) => {}
        () = drained => {}
    }
    drop(listener);
    shared.drained.cancel();
    // Not only for the connections: some never sent a byte.
    let quiet = async {
        let mut running = shared.running.subscribe();
        loop {
            // For requests that are on their way in, and for answers on their way out.
            tokio::time::sleep(QUIET).await;
            if *running.borrow_and_update() == 0 {
                break;
            }
            // The sender is held above: there is no other end.
            let _ = running.wait_for(|running| *running == 0).await;
        }
    };
    let ended = async { while connections.join_next().await.is_some() {} };
    tokio::select! {
        () = ended => {}
        () = quiet => {}
    }
}

/// Takes connections, for ever.
async fn accept(listener: &TcpListener, shared: &Arc<Shared>, connections: &mut JoinSet<()>) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) if is_of_the_client(&error) => continue,
            Err(error) => {
                tracing::error!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        send_at_once(&stream);
        let place = shared.places.take().await;
        connections.spawn(Arc::clone(shared).connected(stream, peer, place));
    }
}

/// Nagle's algorithm holds the end of an answer back for 40 ms.
fn send_at_once(stream: &TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY");
    }
}

/// Whether the client was gone before its connection was taken.
fn is_of_the_client(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset
    )
}
