//! The loop of one socket: frames in, frames out, deadlines.
//!
//! At most one frame is on its way out at a time. While the client does not take it, none is made
//! after it, and after a few messages none is read either: what a slow or hostile client can make
//! us keep is bounded.

use std::collections::VecDeque;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use entity::Timestamp;
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt as _, StreamExt as _};
use tokio_tungstenite::tungstenite;

use super::protocol::Closing;
use super::session::Session;
use crate::clock::Clock;
use crate::http::live::Place;

/// Between two pings.
const PING_SECONDS: i64 = 12;
/// Pings during which a frame may be on its way out: a minute for a slow line.
const MAX_BLOCKED_PINGS: u32 = 5;
/// Answers that wait behind the frame on its way out, those to pings included.
const MAX_REPLIES: usize = 16;
/// How long a client that is told to go may take.
const FAREWELL: Duration = Duration::from_secs(5);

/// Why a connection ends.
enum End {
    /// We close it.
    Close(Closing),
    /// The client closed it.
    Closed,
    /// There is nobody any more.
    Gone,
}

/// Serves a socket until it ends.
pub(super) async fn run(socket: WebSocket, session: Session, clock: Clock, place: Place) {
    let (sink, stream) = socket.split();
    let mut connection = Connection {
        sink,
        stream,
        session,
        next_ping: clock.now().plus_seconds(PING_SECONDS),
        clock,
        replies: VecDeque::new(),
        is_sending: false,
        pongs: 0,
        is_alive: true,
        blocked_pings: 0,
    };
    let end = connection.serve(&place).await;
    // What still runs ends now, not after the farewell.
    drop(connection.session);
    let (mut sink, mut stream) = (connection.sink, connection.stream);
    let farewell = async {
        match end {
            End::Close(closing) => {
                tracing::debug!(
                    code = closing.code,
                    reason = closing.reason,
                    "socket closed"
                );
                let frame = Message::Close(Some(CloseFrame::from(closing)));
                if sink.send(frame).await.is_ok() {
                    // Whoever closes first waits for the other's frame.
                    while let Some(Ok(_)) = stream.next().await {}
                }
            }
            End::Closed => drop(sink.close().await),
            End::Gone => {}
        }
    };
    // Late or not, the connection goes with the variables.
    let _ = tokio::time::timeout(FAREWELL, farewell).await;
}

struct Connection {
    sink: SplitSink<WebSocket, Message>,
    stream: SplitStream<WebSocket>,
    session: Session,
    clock: Clock,
    replies: VecDeque<Message>,
    /// A frame is on its way out.
    is_sending: bool,
    /// Pings that came since everything was on its way.
    pongs: usize,
    next_ping: Timestamp,
    /// Something came since the last ping.
    is_alive: bool,
    /// Pings since the frame on its way out was put there.
    blocked_pings: u32,
}

impl Connection {
    async fn serve(&mut self, place: &Place) -> End {
        let mut is_stopping = false;
        loop {
            if !self.is_sending
                && let Some(reply) = self.replies.pop_front()
                && let Err(end) = self.put(reply).await
            {
                return end;
            }
            if self.session.has_stopped() && !self.is_sending {
                return End::Close(Closing::going_away());
            }
            let deadline = self.session.deadline().min(self.next_ping);
            let reads = self.replies.len() + self.pongs < MAX_REPLIES;
            tokio::select! {
                () = place.stopping(), if !is_stopping => {
                    is_stopping = true;
                    self.session.stop();
                }
                () = self.clock.reach(deadline) => {
                    if let Err(end) = self.keep_time() {
                        return end;
                    }
                }
                sent = self.sink.flush(), if self.is_sending => match sent {
                    Ok(()) => {
                        self.is_sending = false;
                        self.pongs = 0;
                        self.blocked_pings = 0;
                    }
                    Err(_) => return End::Gone,
                },
                frame = self.stream.next(), if reads => {
                    self.is_alive = true;
                    if let Err(end) = self.take(frame).await {
                        return end;
                    }
                }
                message = self.session.operations.next(), if !self.is_sending => {
                    if let Err(end) = self.put(Message::Text(message.into())).await {
                        return end;
                    }
                }
            }
        }
    }

    /// Puts a frame on its way. Only called while none is, so that it does not wait.
    async fn put(&mut self, message: Message) -> Result<(), End> {
        self.is_sending = true;
        self.sink.feed(message).await.map_err(|_| End::Gone)
    }

    async fn take(&mut self, frame: Option<Result<Message, axum::Error>>) -> Result<(), End> {
        match frame {
            Some(Ok(Message::Text(text))) => match self.session.receive(&text).await {
                Ok(reply) => {
                    let reply = reply.map(|text| Message::Text(text.into()));
                    self.replies.extend(reply);
                    Ok(())
                }
                Err(closing) => Err(End::Close(closing)),
            },
            Some(Ok(Message::Binary(_))) => Err(End::Close(Closing::invalid("messages are text"))),
            // The library answers pings by itself, and keeps the answers of a client that takes none.
            Some(Ok(Message::Ping(_))) => {
                self.pongs += 1;
                self.is_sending = true;
                Ok(())
            }
            Some(Ok(Message::Pong(_))) => Ok(()),
            Some(Ok(Message::Close(_))) => Err(End::Closed),
            Some(Err(error)) => Err(end_of(&error)),
            None => Err(End::Gone),
        }
    }

    fn keep_time(&mut self) -> Result<(), End> {
        let now = self.clock.now();
        if let Some(closing) = self.session.overdue(now) {
            return Err(End::Close(closing));
        }
        if now < self.next_ping {
            return Ok(());
        }
        self.blocked_pings += u32::from(self.is_sending);
        if !self.is_alive || self.blocked_pings > MAX_BLOCKED_PINGS {
            tracing::debug!("a socket's client does not answer any more");
            return Err(End::Gone);
        }
        self.is_alive = false;
        self.next_ping = now.plus_seconds(PING_SECONDS);
        self.replies.push_back(Message::Ping(Default::default()));
        Ok(())
    }
}

/// What a client hears when its frames cannot be read.
fn end_of(error: &axum::Error) -> End {
    let source = std::error::Error::source(error);
    match source.and_then(|source| source.downcast_ref::<tungstenite::Error>()) {
        Some(tungstenite::Error::Capacity(_)) => End::Close(Closing::too_big()),
        Some(tungstenite::Error::Utf8(_)) => End::Close(Closing::not_utf8()),
        Some(tungstenite::Error::Protocol(_)) => End::Close(Closing::protocol_error()),
        _ => End::Gone,
    }
}
