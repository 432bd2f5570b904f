//! AWS on this machine: S3, Rekognition and STS behind one loopback port.
//!
//! The application talks to AWS only through the AWS SDKs. With no bucket configured it starts
//! [`LocalAws`] and points the SDKs at [`LocalAws::endpoint`], so that a laptop, a test and
//! production run the same code path. This crate knows nothing of the application.
//!
//! One port serves three services, told apart as AWS clients address them:
//! - `X-Amz-Target: RekognitionService.*`: [`rekognition`];
//! - `POST /` with a form body (`Action=AssumeRole&…`): [`sts`];
//! - everything else: [`s3`], path style (`/bucket/key`).

pub mod clock;
mod dispatch;
pub mod faults;
mod folder;
pub mod rekognition;
pub mod s3;
mod server;
mod sigv4;
pub mod stats;
pub mod sts;
mod wire;

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

pub use faults::{Fault, FaultControl, FaultRule, Faults};
pub use rekognition::{ObjectError, ObjectSource};
pub use server::LocalAws;
pub use stats::{OperationStats, Stats};
pub use sts::credentials::{Credentials, load_or_create_credentials};

/// What [`LocalAws::start`] needs to know.
#[derive(Clone)]
pub struct LocalConfig {
    /// Folder that holds objects, indexes and collections. Made when missing. One running
    /// server owns it at a time.
    pub data_dir: PathBuf,
    /// Address to listen on. [`LocalConfig::new`] takes a port of the loopback
    /// interface: the one that the folder had before, or else a free one.
    pub listen: SocketAddr,
    /// Region that signatures must name, such as `us-east-1`.
    pub region: String,
    /// The one long-lived access key id that is accepted.
    pub access_key_id: String,
    /// The secret that belongs to `access_key_id`.
    pub secret_access_key: String,
    /// Faults to inject from the start. None by default.
    pub faults: Faults,
    /// Roles that STS may assume: role ARN to the external id that the caller must present.
    /// Empty by default: no role can be assumed.
    pub trusted_roles: HashMap<String, String>,
    /// Largest object or part that one PUT may carry, in bytes. S3's own limit is 5 GiB.
    pub max_object_bytes: u64,
    /// Connections at a time; more wait to be taken.
    pub max_connections: usize,
}

impl std::fmt::Debug for LocalConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalConfig")
            .field("data_dir", &self.data_dir)
            .field("listen", &self.listen)
            .field("region", &self.region)
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

impl LocalConfig {
    /// The defaults: loopback, a free port, `us-east-1`, no faults, no roles, S3's size limit,
    /// 1024 connections.
    #[must_use]
    pub fn new(data_dir: impl AsRef<Path>, credentials: Credentials) -> Self {
        Self {
            data_dir: data_dir.as_ref().to_path_buf(),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            region: "us-east-1".to_owned(),
            access_key_id: credentials.access_key_id,
            secret_access_key: credentials.secret_access_key,
            faults: Faults::default(),
            trusted_roles: HashMap::new(),
            max_object_bytes: s3::MAX_OBJECT_BYTES,
            max_connections: 1024,
        }
    }
}

/// Why the local AWS cannot start or keep its data.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// The data folder or the socket refused an operation.
    #[error("{action}: {source}")]
    Io {
        /// What was being done, with the path or address.
        action: String,
        /// The operating system's answer.
        #[source]
        source: std::io::Error,
    },
    /// Another running server owns the data folder.
    #[error("{} is in use by another running server", .0.display())]
    InUse(PathBuf),
    /// The index of objects cannot be opened.
    #[error("the index of objects: {0}")]
    Index(#[from] sea_orm::sqlx::Error),
    /// The stored access key pair is not readable as such.
    #[error("{}: {reason}", path.display())]
    Credentials {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The stored objects cannot be read.
    #[error("the object store: {0}")]
    Store(String),
    /// The Rekognition endpoint cannot be opened.
    #[error("rekognition: {0}")]
    Rekognition(String),
}

impl LocalError {
    pub(crate) fn io(action: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let action = action.into();
        move |source| Self::Io { action, source }
    }
}
