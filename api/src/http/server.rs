//! Serving until the process is told to stop, and ending without a failed request.
//!
//! Told to stop, a process is not ready any more but still answers: whoever sends requests here needs
//! a moment to hear of it. Every answer then carries `Connection: close`, so that clients move on by
//! themselves; a connection that is merely closed could be closed while a request is on its way. After
//! the drain nothing is accepted, and what runs is finished.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::serve::ListenerExt as _;
use bytes::Bytes;
use http::header::CONNECTION;
use http::{HeaderValue, StatusCode};
use http_body::Frame;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// After the drain, how long no request must run before the connections that are left are cut.
const QUIET: Duration = Duration::from_millis(300);

/// Serves `router`. From the cancellation of `stop` on it drains, then ends as soon as no request
/// runs; bounding that is the caller's.
///
/// # Errors
/// The listener's.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    stop: CancellationToken,
    drain: Duration,
) -> std::io::Result<()> {
    // Nagle's algorithm holds the end of an answer back for 40 ms.
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY");
        }
    });
    let running = Running {
        count: watch::Sender::new(0),
        stop: stop.clone(),
    };
    let running = Arc::new(running);
    let service = router
        .layer(from_fn_with_state(Arc::clone(&running), follow))
        .into_make_service_with_connect_info::<SocketAddr>();
    let drained = || {
        let stop = stop.clone();
        async move {
            stop.cancelled().await;
            tokio::time::sleep(drain).await;
        }
    };
    let server = axum::serve(listener, service).with_graceful_shutdown(drained());
    // The server itself waits for every connection, also for those that never sent a byte.
    let idle = async {
        drained().await;
        let mut count = running.count.subscribe();
        loop {
            // For requests that are on their way in, and for answers on their way out.
            tokio::time::sleep(QUIET).await;
            if *count.borrow_and_update() == 0 {
                break;
            }
            // The sender is held above: there is no other end.
            let _ = count.wait_for(|count| *count == 0).await;
        }
    };
    tokio::select! {
        served = server => served,
        () = idle => Ok(()),
    }
}

/// Requests that run.
struct Running {
    count: watch::Sender<usize>,
    stop: CancellationToken,
}

/// Counts a request until the last byte of its answer is handed over.
async fn follow(State(running): State<Arc<Running>>, request: Request, next: Next) -> Response {
    running.count.send_modify(|count| *count += 1);
    let guard = Guard(Arc::clone(&running));
    let mut response = next.run(request).await;
    let upgrades = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    if running.stop.is_cancelled() && !upgrades {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
    }
    response.map(|body| {
        Body::new(Followed {
            body,
            _guard: guard,
        })
    })
}

struct Guard(Arc<Running>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.count.send_modify(|count| *count -= 1);
    }
}

/// A body with its request's guard.
struct Followed {
    body: Body,
    _guard: Guard,
}

impl http_body::Body for Followed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}
