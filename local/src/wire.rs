//! Bodies on the wire: counted, and read to their end even when nobody wants them.

use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::header::EXPECT;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use s3s::StdError;

use crate::stats::Counter;

/// How much of an unwanted body is read, and for how long.
const DRAIN_BYTES: usize = 64 << 20;
const DRAIN_TIME: Duration = Duration::from_secs(30);

/// The body of a request. Clones read the same stream.
#[derive(Clone, Debug)]
pub(crate) struct Inbound {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    counter: OnceLock<Arc<Counter>>,
    /// The client sends nothing before it is told to.
    waits: bool,
}

#[derive(Debug)]
struct State {
    body: Incoming,
    begun: bool,
    /// What arrived before the counter was known.
    uncounted: usize,
}

impl Inbound {
    pub(crate) fn new(body: Incoming, headers: &HeaderMap) -> Self {
        Self {
            shared: Arc::new(Shared {
                state: Mutex::new(State {
                    body,
                    begun: false,
                    uncounted: 0,
                }),
                counter: OnceLock::new(),
                waits: headers.contains_key(EXPECT),
            }),
        }
    }

    /// Counts what arrives from now on, and what arrived already.
    pub(crate) fn count(&self, counter: Arc<Counter>) {
        counter.received(std::mem::take(&mut self.lock().uncounted));
        // Set once by the dispatcher; a second counter would count bytes twice.
        let _ = self.shared.counter.set(counter);
    }

    /// Reads on, in the background, so that a client which sends its whole body before it looks
    /// at the answer gets to see the answer rather than a broken pipe.
    pub(crate) fn drain(self) {
        let state = self.lock();
        let idle = state.body.is_end_stream() || (self.shared.waits && !state.begun);
        drop(state);
        if !idle {
            tokio::spawn(tokio::time::timeout(DRAIN_TIME, self.read_on()));
        }
    }

    async fn read_on(mut self) {
        let mut read = 0;
        while read < DRAIN_BYTES {
            let frame = std::future::poll_fn(|cx| Pin::new(&mut self).poll_frame(cx)).await;
            match frame {
                Some(Ok(frame)) => read += frame.data_ref().map_or(0, Bytes::len),
                Some(Err(_)) | None => return,
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Body for Inbound {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let mut state = self.lock();
        state.begun = true;
        let polled = Pin::new(&mut state.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            let bytes = frame.data_ref().map_or(0, Bytes::len);
            match self.shared.counter.get() {
                Some(counter) => counter.received(bytes),
                None => state.uncounted += bytes,
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.lock().body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.lock().body.size_hint()
    }
}

/// The body of an answer.
#[derive(Debug)]
pub(crate) struct Outbound {
    body: s3s::Body,
    counter: Arc<Counter>,
}

impl Outbound {
    pub(crate) fn new(body: s3s::Body, counter: Arc<Counter>) -> Self {
        Self { body, counter }
    }
}

impl Body for Outbound {
    type Data = Bytes;
    type Error = StdError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StdError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            self.counter.sent(frame.data_ref().map_or(0, Bytes::len));
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
