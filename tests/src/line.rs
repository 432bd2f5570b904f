//! A line to a database server that a test can cut, close, hold and move.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What the line does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// Nobody listens: connections are refused.
    Closed,
    /// Connections stand and are taken, but nothing passes: a network that drops packets.
    Held,
}

/// Carries bytes between a client and a server, as long as it is told to.
#[derive(Clone, Debug)]
pub struct Line {
    address: SocketAddr,
    server: Arc<Mutex<String>>,
    taken: Arc<AtomicUsize>,
    state: Arc<watch::Sender<State>>,
    cuts: Arc<watch::Sender<u64>>,
    strands: Arc<watch::Sender<u64>>,
}

impl Line {
    /// A line to `server`, open.
    pub async fn to(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let line = Self {
            address,
            server: Arc::new(Mutex::new(server.to_owned())),
            taken: Arc::default(),
            state: Arc::new(watch::Sender::new(State::Open)),
            cuts: Arc::new(watch::Sender::new(0)),
            strands: Arc::new(watch::Sender::new(0)),
        };
        tokio::spawn(line.clone().run(listener));
        line
    }

    /// A line to the server of a database URL, and the URL that leads through it.
    pub async fn to_database(url: &str) -> (Self, String) {
        let (_, rest) = url.split_once("://").expect("a scheme");
        let (authority, _) = rest.split_once('/').expect("a database name");
        let host = authority.rsplit('@').next().expect("a host");
        let line = Self::to(host).await;
        let through = url.replacen(host, &line.address.to_string(), 1);
        (line, through)
    }

    /// Where it begins.
    #[must_use]
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Connections taken so far.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::SeqCst)
    }

    /// Leads to another server from now on; what leads to the old one ends.
    pub fn move_to(&self, server: &str) {
        *self.server.lock().unwrap_or_else(PoisonError::into_inner) = server.to_owned();
        self.cut();
    }

    /// As [`Self::move_to`], but what leads to the old one stands and hears nothing any more: a machine
    /// that lost its power.
    pub fn strand(&self, server: &str) {
        *self.server.lock().unwrap_or_else(PoisonError::into_inner) = server.to_owned();
        self.strands.send_modify(|count| *count += 1);
    }

    /// Ends every connection; new ones are taken.
    pub fn cut(&self) {
        self.cuts.send_modify(|count| *count += 1);
    }

    /// Ends every connection and refuses new ones.
    pub async fn close(&self) {
        self.state.send_replace(State::Closed);
        while TcpStream::connect(self.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    }

    /// Lets nothing pass any more, without telling anybody.
    pub fn hold(&self) {
        self.state.send_replace(State::Held);
    }

    /// Carries again.
    pub async fn open(&self) {
        self.state.send_replace(State::Open);
        while TcpStream::connect(self.address).await.is_err() {
            tokio::task::yield_now().await;
        }
    }

    async fn run(self, first: TcpListener) {
        let mut listener = Some(first);
        let mut state = self.state.subscribe();
        let mut connections = JoinSet::new();
        loop {
            if *state.borrow_and_update() == State::Closed {
                listener = None;
                connections.shutdown().await;
            } else if listener.is_none() {
                // The port is ours: nobody else is given it so soon.
                listener = TcpListener::bind(self.address).await.ok();
            }
            let accepted = async {
                match &listener {
                    Some(listener) => listener.accept().await.ok(),
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                changed = state.changed() => if changed.is_err() { return },
                client = accepted => if let Some((client, _)) = client {
                    let (state, cuts) = (self.state.subscribe(), self.cuts.subscribe());
                    let strands = self.strands.subscribe();
                    let server = self.server.lock().unwrap_or_else(PoisonError::into_inner).clone();
                    self.taken.fetch_add(1, Ordering::SeqCst);
                    connections.spawn(carry(client, server, state, cuts, strands));
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }
}

async fn carry(
    mut client: TcpStream,
    server: String,
    mut state: watch::Receiver<State>,
    mut cuts: watch::Receiver<u64>,
    mut strands: watch::Receiver<u64>,
) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    cuts.mark_unchanged();
    strands.mark_unchanged();
    let Ok(mut server) = TcpStream::connect(server).await else {
        return;
    };
    let (mut up, mut down) = (vec![0; 16 << 10], vec![0; 16 << 10]);
    loop {
        let (from, length) = tokio::select! {
            read = client.read(&mut up) => (true, read),
            read = server.read(&mut down) => (false, read),
            _ = cuts.changed() => return,
            _ = strands.changed() => {
                let _ = cuts.changed().await;
                return;
            }
        };
        let Ok(length @ 1..) = length else { return };
        if state.wait_for(|state| *state != State::Held).await.is_err() {
            return;
        }
        let sent = match from {
            true => server.write_all(&up[..length]).await,
            false => client.write_all(&down[..length]).await,
        };
        if sent.is_err() {
            return;
        }
    }
}
