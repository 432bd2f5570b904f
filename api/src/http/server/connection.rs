//! One connection.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::response::Response;
use bytes::Bytes;
use http::header::CONNECTION;
use http::{HeaderValue, Request, StatusCode};
use http_body::Frame;
use hyper::body::Incoming;
use hyper::rt::{Read, ReadBufCursor, Sleep, Timer, Write};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::Limits;
use super::places::Places;

/// Longest header of a request; also what waits of a body, per connection.
const BUFFER_BYTES: usize = 64 << 10;

/// What the connections of a server share.
pub(super) struct Shared {
    pub(super) router: Router,
    pub(super) limits: Limits,
    pub(super) places: Places,
    /// Requests that run.
    pub(super) running: watch::Sender<usize>,
    pub(super) stop: CancellationToken,
    /// Cancelled when connections are to end with what runs on them.
    pub(super) drained: CancellationToken,
}

impl Shared {
    /// Answers what comes through a connection, until its end.
    pub(super) async fn connected(
        self: Arc<Self>,
        stream: TcpStream,
        peer: SocketAddr,
        place: OwnedSemaphorePermit,
    ) {
        let cut = CancellationToken::new();
        let open = Open {
            id: self.places.opened(cut.clone()),
            shared: Arc::clone(&self),
        };
        let answer = |request| answer(Running::new(&self, open.id), peer, request);
        let io = Io {
            stream: TokioIo::new(stream),
            patience: self.limits.stalled,
            stalled: None,
            _place: place,
        };
        let connection = http1::Builder::new()
            .timer(HeaderTimer::new(self.limits))
            .header_read_timeout(self.limits.header)
            .max_buf_size(BUFFER_BYTES)
            .serve_connection(io, service_fn(answer))
            .with_upgrades();
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = cut.cancelled() => return,
            () = self.drained.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, %peer, "a connection ended early");
        }
    }
}

/// Ends with the connection.
struct Open {
    id: u64,
    shared: Arc<Shared>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.shared.places.closed(self.id);
    }
}

async fn answer(
    running: Running,
    peer: SocketAddr,
    request: Request<Incoming>,
) -> Result<Response, Infallible> {
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(ConnectInfo(peer));
    let mut response = running.shared.router.clone().oneshot(request).await?;
    let upgrades = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    if running.shared.stop.is_cancelled() && !upgrades {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
    }
    Ok(response.map(|body| {
        Body::new(Followed {
            body,
            _running: running,
        })
    }))
}

/// A request, until the last byte of its answer is handed over.
struct Running {
    shared: Arc<Shared>,
    connection: u64,
}

impl Running {
    fn new(shared: &Arc<Shared>, connection: u64) -> Self {
        shared.running.send_modify(|count| *count += 1);
        shared.places.busy(connection);
        Self {
            shared: Arc::clone(shared),
            connection,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shared.running.send_modify(|count| *count -= 1);
        self.shared.places.idle(self.connection);
    }
}

/// A body with its request.
struct Followed {
    body: Body,
    _running: Running,
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

/// hyper has one time for headers, and counts the wait for a next request to it. This gives the first
/// header of a connection that time, and later ones the one of kept connections.
struct HeaderTimer {
    more: Duration,
    first: AtomicBool,
    timer: TokioTimer,
}

impl HeaderTimer {
    fn new(limits: Limits) -> Self {
        Self {
            more: limits.keep_alive.saturating_sub(limits.header),
            first: AtomicBool::new(true),
            timer: TokioTimer::new(),
        }
    }
}

impl Timer for HeaderTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.timer.sleep(duration)
    }

    /// hyper asks once for each header.
    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        if self.first.swap(false, Ordering::Relaxed) {
            self.timer.sleep_until(deadline)
        } else {
            self.timer.sleep_until(deadline + self.more)
        }
    }
}

/// A stream that gives its place up when it is closed, be it by HTTP or, later, by a socket; and that
/// breaks where the other side takes nothing of what is written: answers wait here in memory.
struct Io {
    stream: TokioIo<TcpStream>,
    patience: Duration,
    /// Ends when patience does. None while what is written is taken.
    stalled: Option<Pin<Box<tokio::time::Sleep>>>,
    _place: OwnedSemaphorePermit,
}

impl Io {
    /// What came of writing, in time.
    fn in_time<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<std::io::Result<T>>,
    ) -> Poll<std::io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let patience = self.patience;
        let stalled = self
            .stalled
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        match stalled.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(std::io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl Read for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl Write for Io {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.in_time(context, written)
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.in_time(context, flushed)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.in_time(context, written)
    }
}
