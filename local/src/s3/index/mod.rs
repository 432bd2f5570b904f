//! What the store knows about its objects: one SQLite file.
//!
//! One writer, many readers (WAL). `synchronous = FULL`: an answered request survives a power
//! cut. Keys are stored as bytes, so that SQLite sorts them as S3 does and a prefix is a range.

mod bucket;
mod object;
mod upload;

use std::path::Path;
use std::time::Duration;

use s3s::S3Error;
use sea_orm::sqlx;
use sea_orm::sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use serde::{Deserialize, Serialize};

use super::attributes::Attributes;
use super::checksum::Checksums;

pub(super) use object::{Condition, ListedObject};
pub(super) use upload::{Part, Plan, Upload, UploadMarker};

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS bucket (
    name TEXT PRIMARY KEY NOT NULL,
    created INTEGER NOT NULL,
    cors TEXT
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS object (
    bucket TEXT NOT NULL,
    key BLOB NOT NULL,
    size INTEGER NOT NULL,
    etag TEXT NOT NULL,
    modified INTEGER NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (bucket, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS upload (
    id TEXT PRIMARY KEY NOT NULL,
    bucket TEXT NOT NULL,
    key BLOB NOT NULL,
    initiated INTEGER NOT NULL,
    detail TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS upload_by_key ON upload (bucket, key, id);
CREATE TABLE IF NOT EXISTS part (
    upload TEXT NOT NULL,
    number INTEGER NOT NULL,
    size INTEGER NOT NULL,
    etag TEXT NOT NULL,
    modified INTEGER NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (upload, number)
) WITHOUT ROWID;
";

/// A file of the store and its length in bytes. Files never change once they have a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Blob {
    pub(super) name: String,
    pub(super) size: u64,
}

/// An object or part as the index keeps it.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) size: u64,
    pub(super) etag: String,
    /// Milliseconds since 1970.
    pub(super) modified: i64,
    pub(super) detail: Detail,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Detail {
    #[serde(default)]
    pub(super) attributes: Attributes,
    #[serde(default)]
    pub(super) checksums: Checksums,
    /// In order. More than one for an object that was uploaded in parts.
    pub(super) blobs: Vec<Blob>,
}

/// Why the index could not answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum IndexError {
    #[error("no such bucket")]
    NoSuchBucket,
    #[error("no such key")]
    NoSuchKey,
    #[error("no such upload")]
    NoSuchUpload,
    #[error("the bucket exists")]
    BucketExists,
    #[error("the bucket is not empty")]
    BucketNotEmpty,
    #[error("a condition of the request does not hold")]
    PreconditionFailed,
    #[error("the disk is full")]
    Full,
    #[error(transparent)]
    Database(sqlx::Error),
    #[error("a row of the index does not parse: {0}")]
    Corrupt(String),
}

impl From<sqlx::Error> for IndexError {
    fn from(error: sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(|error| error.code());
        // SQLITE_FULL: the transaction is rolled back, at its commit too.
        match code.as_deref() {
            Some("13") => Self::Full,
            _ => Self::Database(error),
        }
    }
}

impl From<serde_json::Error> for IndexError {
    fn from(error: serde_json::Error) -> Self {
        Self::Corrupt(error.to_string())
    }
}

impl From<IndexError> for S3Error {
    fn from(error: IndexError) -> Self {
        use s3s::s3_error;
        match error {
            IndexError::NoSuchBucket => {
                s3_error!(NoSuchBucket, "The specified bucket does not exist")
            }
            IndexError::NoSuchKey => s3_error!(NoSuchKey, "The specified key does not exist."),
            IndexError::NoSuchUpload => s3_error!(
                NoSuchUpload,
                "The specified upload does not exist. The upload ID may be invalid, or the \
                 upload may have been aborted or completed."
            ),
            IndexError::BucketExists => s3_error!(
                BucketAlreadyOwnedByYou,
                "Your previous request to create the named bucket succeeded and you already own it."
            ),
            IndexError::BucketNotEmpty => {
                s3_error!(
                    BucketNotEmpty,
                    "The bucket you tried to delete is not empty"
                )
            }
            IndexError::PreconditionFailed => s3_error!(
                PreconditionFailed,
                "At least one of the pre-conditions you specified did not hold"
            ),
            IndexError::Full => super::error::full(),
            IndexError::Database(_) | IndexError::Corrupt(_) => super::error::internal(error),
        }
    }
}

type Result<T> = std::result::Result<T, IndexError>;

/// The index, open.
#[derive(Debug)]
pub(super) struct Index {
    /// One connection: SQLite has one writer, and here its transactions queue in order.
    writer: SqlitePool,
    readers: SqlitePool,
}

impl Index {
    pub(super) async fn open(path: &Path) -> std::result::Result<Self, sqlx::Error> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(30))
            .row_buffer_size(1024);
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(Duration::from_secs(120))
            .connect_with(options.clone())
            .await?;
        sqlx::raw_sql(SCHEMA).execute(&writer).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(4)
            .acquire_timeout(Duration::from_secs(120))
            .connect_with(options.read_only(true))
            .await?;
        Ok(Self { writer, readers })
    }

    pub(super) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    /// Every file that an object or a part owns.
    pub(super) async fn blob_names(&self) -> Result<std::collections::HashSet<String>> {
        use futures::TryStreamExt as _;
        let mut names = std::collections::HashSet::new();
        let mut rows = sqlx::query_as::<_, (String,)>(
            "SELECT detail FROM object UNION ALL SELECT detail FROM part",
        )
        .fetch(&self.readers);
        while let Some((detail,)) = rows.try_next().await? {
            let detail: Detail = serde_json::from_str(&detail)?;
            names.extend(detail.blobs.into_iter().map(|blob| blob.name));
        }
        Ok(names)
    }
}

fn to_i64(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

fn to_u64(size: i64) -> u64 {
    u64::try_from(size).unwrap_or(0)
}

fn key_text(key: Vec<u8>) -> Result<String> {
    String::from_utf8(key).map_err(|error| IndexError::Corrupt(error.to_string()))
}

fn entry(
    (size, etag, modified, detail): (i64, String, i64, String),
) -> std::result::Result<Entry, IndexError> {
    Ok(Entry {
        size: to_u64(size),
        etag,
        modified,
        detail: serde_json::from_str(&detail)?,
    })
}
