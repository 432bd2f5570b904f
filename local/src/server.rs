//! One loopback port for every service.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::dispatch::Services;
use crate::faults::FaultControl;
use crate::folder::FolderLock;
use crate::rekognition::{ObjectSource, Rekognition, RekognitionOptions};
use crate::s3::S3;
use crate::sigv4::CredentialStore;
use crate::stats::{Counters, Stats};
use crate::sts::keyring::Keyring;
use crate::sts::{ACCOUNT_ID, Sts};
use crate::{LocalConfig, LocalError};

/// How long requests that are underway may take to finish when the server stops.
const GRACE: Duration = Duration::from_secs(10);
/// Pause after a failed accept: with no file descriptor left, the next one fails as fast.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Bytes of a request or answer that wait between socket and service, per connection.
const CONNECTION_BUFFER: usize = 1 << 20;

/// Takes the address. Where any port will do, the folder's last one first: URLs that were signed
/// before name it.
async fn listen(folder: &Path, address: SocketAddr) -> std::io::Result<TcpListener> {
    if address.port() != 0 {
        return TcpListener::bind(address).await;
    }
    let file = folder.join("port");
    let last = std::fs::read_to_string(&file).ok();
    let last = last.and_then(|port| port.trim().parse().ok());
    if let Some(port) = last
        && let Ok(listener) = TcpListener::bind(SocketAddr::new(address.ip(), port)).await
    {
        return Ok(listener);
    }
    let listener = TcpListener::bind(address).await?;
    if let Err(error) = std::fs::write(&file, listener.local_addr()?.port().to_string()) {
        warn!(%error, "the port is not kept: URLs signed now end with this process");
    }
    Ok(listener)
}

/// A running S3, Rekognition and STS. Stops when dropped; [`LocalAws::shutdown`] lets requests
/// finish first.
#[derive(Debug)]
pub struct LocalAws {
    address: SocketAddr,
    endpoint: String,
    services: Arc<Services>,
    stop: CancellationToken,
    server: Option<JoinHandle<()>>,
    /// Held until the services are closed.
    _lock: FolderLock,
}

impl LocalAws {
    /// Opens the data folder, removes what a crash left there and listens.
    ///
    /// # Errors
    /// [`LocalError`] when another server runs on the folder, when it cannot be read or written,
    /// or when the address is taken.
    pub async fn start(config: LocalConfig) -> Result<Self, LocalError> {
        let folder = &config.data_dir;
        let lock = FolderLock::take(folder)?;
        let keyring = Arc::new(Keyring::open(
            folder,
            config.access_key_id,
            config.secret_access_key,
        )?);
        let credentials: Arc<dyn CredentialStore> = Arc::<Keyring>::clone(&keyring);
        let s3 = Arc::new(
            S3::open(
                &folder.join("s3"),
                config.region.clone(),
                Arc::clone(&credentials),
                config.max_object_bytes,
            )
            .await?,
        );
        let objects: Arc<dyn ObjectSource> = Arc::<S3>::clone(&s3);
        let rekognition = Rekognition::open(RekognitionOptions {
            data_dir: folder.join("rekognition"),
            region: config.region,
            account_id: ACCOUNT_ID.to_owned(),
            credentials,
            objects,
        })
        .await
        .map_err(|error| LocalError::Rekognition(error.to_string()))?;
        let listener = listen(folder, config.listen)
            .await
            .map_err(LocalError::io(format!("listen on {}", config.listen)))?;
        let address = listener
            .local_addr()
            .map_err(LocalError::io(format!("listen on {}", config.listen)))?;
        let services = Arc::new(Services {
            s3,
            rekognition,
            sts: Sts::new(keyring, config.trusted_roles),
            faults: FaultControl::new(config.faults),
            counters: Counters::default(),
        });
        let stop = CancellationToken::new();
        let places = Arc::new(Semaphore::new(config.max_connections));
        let serving = serve(listener, places, Arc::clone(&services), stop.clone());
        let server = tokio::spawn(serving);
        Ok(Self {
            address,
            endpoint: format!("http://{address}"),
            services,
            stop,
            server: Some(server),
            _lock: lock,
        })
    }

    /// `http://127.0.0.1:PORT`: the endpoint of S3 (path style), Rekognition and STS.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The address that the server listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What was called since the start.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.services.counters.snapshot()
    }

    /// Adds and removes injected faults.
    #[must_use]
    pub fn faults(&self) -> &FaultControl {
        &self.services.faults
    }

    /// Takes no new connections, lets requests finish (ten seconds at most), closes the stores.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        if let Some(server) = self.server.take()
            && let Err(error) = server.await
        {
            warn!(%error, "the local AWS ended badly");
        }
        self.services.s3.close().await;
        self.services.rekognition.close().await;
    }
}

impl Drop for LocalAws {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn serve(
    listener: TcpListener,
    places: Arc<Semaphore>,
    services: Arc<Services>,
    stop: CancellationToken,
) {
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    loop {
        let next = async {
            // Nobody closes the semaphore. More connections wait in the operating system.
            let place = Arc::clone(&places).acquire_owned().await.ok();
            (listener.accept().await, place)
        };
        let (accepted, place) = tokio::select! {
            () = stop.cancelled() => break,
            next = next => next,
            Some(_) = connections.join_next() => continue,
        };
        match accepted {
            Ok((stream, _)) => {
                let connection = connect(stream, Arc::clone(&services));
                match connection {
                    Ok(connection) => {
                        let connection = graceful.watch(connection);
                        connections.spawn(async move {
                            let _place = place;
                            // A client that hangs up, or a connection that was reset on request.
                            if let Err(error) = connection.await {
                                debug!(%error, "a connection ended early");
                            }
                        });
                    }
                    Err(error) => debug!(%error, "a connection ended at once"),
                }
            }
            Err(error) => {
                warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(GRACE, graceful.shutdown())
        .await
        .is_err()
    {
        warn!("requests that did not finish were cut off");
    }
    connections.shutdown().await;
}

fn connect(
    stream: TcpStream,
    services: Arc<Services>,
) -> std::io::Result<impl hyper_util::server::graceful::GracefulConnection<Error = hyper::Error>> {
    // Without this every answer waits 40 ms for the client's delayed acknowledgement.
    stream.set_nodelay(true)?;
    let handler = service_fn(move |request| {
        let services = Arc::clone(&services);
        async move { services.handle(request).await }
    });
    Ok(http1::Builder::new()
        // With it, who does not end a header within hyper's 30 seconds is sent away.
        .timer(TokioTimer::new())
        .max_buf_size(CONNECTION_BUFFER)
        .serve_connection(TokioIo::new(stream), handler))
}
