//! A client of graphql-transport-ws that does nothing by itself: tests say every frame.

use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

/// Longest wait for a frame that must come.
const PATIENCE: Duration = Duration::from_secs(20);
/// The subprotocol.
pub const SUBPROTOCOL: &str = "graphql-transport-ws";

/// An open socket.
pub struct Socket {
    /// The WebSocket itself, for what the methods do not say.
    pub stream: WebSocketStream<TcpStream>,
    /// The subprotocol that the server chose.
    pub subprotocol: String,
}

impl Socket {
    /// Opens one, without any message.
    pub async fn open(url: &str) -> Self {
        let opened = Self::try_open(url, &[("sec-websocket-protocol", SUBPROTOCOL)]).await;
        opened.unwrap_or_else(|status| panic!("no socket: {status}"))
    }

    /// Opens one and initialises it with this token.
    pub async fn initialised(url: &str, token: Option<&str>) -> Self {
        let mut socket = Self::open(url).await;
        let payload = token.map(|token| json!({ "Authorization": format!("Bearer {token}") }));
        socket
            .send(json!({ "type": "connection_init", "payload": payload }))
            .await;
        assert_eq!(socket.receive().await, json!({ "type": "connection_ack" }));
        socket
    }

    /// Opens one with these headers; the HTTP status where it is refused.
    pub async fn try_open(url: &str, headers: &[(&str, &str)]) -> Result<Self, u16> {
        let address = url.strip_prefix("http://").expect("an http URL");
        let stream = TcpStream::connect(address).await.expect("connected");
        let mut request = format!("ws://{address}/graphql")
            .into_client_request()
            .expect("a request");
        for (name, value) in headers {
            let name: tungstenite::http::HeaderName = name.parse().expect("a name");
            let value = HeaderValue::from_str(value).expect("a value");
            request.headers_mut().insert(name, value);
        }
        match client_async(request, stream).await {
            Ok((stream, response)) => Ok(Self {
                stream,
                subprotocol: response
                    .headers()
                    .get("sec-websocket-protocol")
                    .and_then(|value| value.to_str().ok())
                    .unwrap_or_default()
                    .to_owned(),
            }),
            Err(tungstenite::Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("no handshake: {error}"),
        }
    }

    /// Sends a message.
    pub async fn send(&mut self, message: Value) {
        self.send_text(&message.to_string()).await;
    }

    /// Sends a text, whatever it is.
    pub async fn send_text(&mut self, text: &str) {
        let message = Message::Text(text.into());
        self.stream.send(message).await.expect("sent");
    }

    /// Asks for an operation.
    pub async fn subscribe(&mut self, id: &str, query: &str, variables: Value) {
        let payload = json!({ "query": query, "variables": variables });
        self.send(json!({ "type": "subscribe", "id": id, "payload": payload }))
            .await;
    }

    /// The next frame of the WebSocket.
    pub async fn frame(&mut self) -> Option<Result<Message, tungstenite::Error>> {
        tokio::time::timeout(PATIENCE, self.stream.next())
            .await
            .expect("a frame in time")
    }

    /// The next message; pings of the WebSocket are answered and left out.
    pub async fn receive(&mut self) -> Value {
        loop {
            match self.frame().await {
                Some(Ok(Message::Text(text))) => {
                    return serde_json::from_str(&text).expect("JSON");
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("no message: {other:?}"),
            }
        }
    }

    /// The code and reason that the server closes with; messages before it are dropped. Nothing but
    /// the end of the connection may follow.
    pub async fn closed(mut self) -> (u16, String) {
        loop {
            match self.frame().await {
                Some(Ok(Message::Close(Some(frame)))) => {
                    let after = self.frame().await;
                    assert!(!matches!(after, Some(Ok(_))), "after the close: {after:?}");
                    return (frame.code.into(), frame.reason.to_string());
                }
                Some(Ok(_)) => {}
                other => panic!("not closed: {other:?}"),
            }
        }
    }

    /// Asserts that nothing was said that is not read yet, by a ping and its pong.
    pub async fn is_quiet(&mut self) {
        self.send(json!({ "type": "ping" })).await;
        assert_eq!(self.receive().await, json!({ "type": "pong" }));
    }
}
