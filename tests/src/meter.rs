//! A proxy that counts what goes through it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::net::{TcpListener, TcpStream};

/// Stands between a client and a server and counts bytes, headers included.
#[derive(Clone, Debug)]
pub struct Meter {
    /// Base URL for the client.
    pub url: String,
    bytes: Arc<AtomicU64>,
}

impl Meter {
    /// A meter before the server at `url`.
    pub async fn before(url: &str) -> Self {
        let server = url.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let bytes = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&bytes);
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let (server, count) = (server.clone(), Arc::clone(&count));
                tokio::spawn(async move { carry(&mut client, &server, &count).await });
            }
        });
        Self { url, bytes }
    }

    /// Bytes so far, both ways.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::SeqCst)
    }
}

/// Counts each piece as it passes, not when the connection ends: clients keep connections open.
async fn carry(client: &mut TcpStream, server: &str, count: &AtomicU64) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut server = TcpStream::connect(server)
        .await
        .expect("the server answers");
    let (mut up, mut down) = (vec![0; 16 << 10], vec![0; 16 << 10]);
    loop {
        let (from, length) = tokio::select! {
            read = client.read(&mut up) => (true, read),
            read = server.read(&mut down) => (false, read),
        };
        let Ok(length @ 1..) = length else { return };
        count.fetch_add(length as u64, Ordering::SeqCst);
        let sent = match from {
            true => server.write_all(&up[..length]).await,
            false => client.write_all(&down[..length]).await,
        };
        if sent.is_err() {
            return;
        }
    }
}
