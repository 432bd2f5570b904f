//! Objects: taken in, given out, copied, removed. Files first, then the index: a crash at any
//! moment leaves the old object or the new one.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use s3s::dto::StreamingBlob;
use s3s::{Body, S3Error, S3Result, s3_error};
use tracing::info;

use super::cors::{CorsCache, CorsRule};
use super::error::internal;
use super::files::Files;
use super::index::{Blob, Condition, Entry, Index, IndexError};
use super::receive::blocking;
use super::send::Source;
use crate::LocalError;

/// How often a reader looks again when the object it found was replaced before it could open
/// its file. Each turn needs another overwrite at just that moment.
const READ_ATTEMPTS: usize = 16;

/// The store of one data folder. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Store {
    pub(super) index: Arc<Index>,
    pub(super) files: Arc<Files>,
    cors: Arc<CorsCache>,
}

impl Store {
    pub(super) async fn open(data_dir: &Path) -> Result<Self, LocalError> {
        let files = Arc::new(Files::open(data_dir)?);
        let index = Arc::new(Index::open(&data_dir.join("index.sqlite3")).await?);
        let known = index
            .blob_names()
            .await
            .map_err(|error| LocalError::Store(error.to_string()))?;
        let sweeper = Arc::clone(&files);
        let removed = tokio::task::spawn_blocking(move || sweeper.sweep(&known))
            .await
            .map_err(|error| LocalError::Store(error.to_string()))??;
        if removed > 0 {
            info!(removed, "files of interrupted uploads were removed");
        }
        Ok(Self {
            index,
            files,
            cors: Arc::default(),
        })
    }

    pub(super) async fn close(&self) {
        self.index.close().await;
    }

    /// Makes `entry` (whose files are on disk) the object of `key`. Runs to its end even when
    /// the client hangs up: the index must not be left in doubt about who owns a file.
    pub(super) async fn publish(
        &self,
        bucket: &str,
        key: &str,
        entry: Entry,
        condition: Condition,
    ) -> S3Result<()> {
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        self.settle(move |store| async move {
            let blobs = entry.detail.blobs.clone();
            let published = store.index.publish(&bucket, &key, &entry, &condition).await;
            (published, blobs)
        })
        .await
    }

    /// Runs an index change as a task of its own. The change answers with the files that
    /// nobody owns any more, and with those that it was to make somebody's own: they go when it
    /// was refused. After a database error they stay for the next start's sweep, since the
    /// commit may have happened.
    pub(super) async fn settle<F, C>(&self, change: C) -> S3Result<()>
    where
        C: FnOnce(Self) -> F + Send + 'static,
        F: Future<Output = (Result<Vec<Blob>, IndexError>, Vec<Blob>)> + Send,
    {
        let store = self.clone();
        tokio::spawn(async move {
            let (outcome, fresh) = change(store.clone()).await;
            let (freed, answer) = match outcome {
                Ok(freed) => (freed, Ok(())),
                Err(error @ (IndexError::Database(_) | IndexError::Corrupt(_))) => {
                    (Vec::new(), Err(error))
                }
                Err(refusal) => (fresh, Err(refusal)),
            };
            if !freed.is_empty() {
                let files = store.files;
                // What is not unlinked now is litter for the next start.
                let _ = tokio::task::spawn_blocking(move || files.discard(&freed)).await;
            }
            answer
        })
        .await
        .map_err(internal)?
        .map_err(S3Error::from)
    }

    /// The object, with its files held until they were read. `select` picks the bytes, once the
    /// object is known.
    pub(super) async fn open_object(
        &self,
        bucket: &str,
        key: &str,
        select: impl Fn(&Entry) -> S3Result<Range<u64>>,
    ) -> S3Result<(Entry, Source, Range<u64>)> {
        for _ in 0..READ_ATTEMPTS {
            let entry = self.index.object(bucket, key).await?;
            let range = select(&entry)?;
            let blobs = &entry.detail.blobs;
            let pinned = self.files.pin(blobs);
            // From here on the files stay. They may have gone since the index was asked: then
            // it has another object by now.
            let source = Source::new(&self.files, blobs, pinned, &range);
            let whole = match blobs.as_slice() {
                [only] => self.files.exists(only),
                _ => self.index.object(bucket, key).await?.detail.blobs == *blobs,
            };
            if whole {
                return Ok((entry, source, range));
            }
        }
        Err(s3_error!(
            SlowDown,
            "The object is being overwritten too often"
        ))
    }

    /// Names of their own for the files of an object, for a copy that outlives it.
    pub(super) async fn link(
        &self,
        bucket: &str,
        key: &str,
        check: impl Fn(&Entry) -> S3Result<()>,
    ) -> S3Result<(Entry, Vec<Blob>)> {
        let (entry, source, _) = self
            .open_object(bucket, key, |entry| {
                check(entry)?;
                Ok(0..entry.size)
            })
            .await?;
        let (files, blobs) = (Arc::clone(&self.files), entry.detail.blobs.clone());
        let linked = blocking(move || {
            let linked: std::io::Result<Vec<Blob>> =
                blobs.iter().map(|blob| files.link(blob)).collect();
            // Until here the source's files were held.
            drop(source);
            linked.map_err(internal)
        })
        .await?;
        Ok((entry, linked))
    }

    /// A whole object in memory, for callers that know it to be small.
    pub(super) async fn read_whole(&self, bucket: &str, key: &str, max: u64) -> S3Result<Bytes> {
        let (_, source, _) = self
            .open_object(bucket, key, |entry| {
                if entry.size > max {
                    return Err(s3_error!(EntityTooLarge, "{}", entry.size));
                }
                Ok(0..entry.size)
            })
            .await?;
        blocking(move || source.read_all().map_err(internal)).await
    }

    /// The CORS rules of a bucket; none when there is no such bucket.
    pub(super) async fn cors_rules(&self, bucket: &str) -> S3Result<Arc<[CorsRule]>> {
        let generation = match self.cors.get(bucket) {
            Ok(rules) => return Ok(rules),
            Err(generation) => generation,
        };
        match self.index.cors_rules(bucket).await {
            Ok(rules) => Ok(self
                .cors
                .insert(bucket, rules.unwrap_or_default(), generation)),
            // Not remembered: the names of buckets that are not there have no end.
            Err(IndexError::NoSuchBucket) => Ok(Arc::from([])),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) async fn set_cors_rules(
        &self,
        bucket: &str,
        rules: Option<Vec<CorsRule>>,
    ) -> S3Result<()> {
        let stored = self.index.set_cors_rules(bucket, rules.as_deref()).await;
        self.cors.forget(bucket);
        Ok(stored?)
    }

    pub(super) async fn delete_bucket(&self, bucket: &str) -> S3Result<()> {
        let deleted = self.index.delete_bucket(bucket).await;
        self.cors.forget(bucket);
        Ok(deleted?)
    }
}

/// A body for s3s: from memory in one trip to the disk when small, in pieces otherwise.
pub(super) async fn body(source: Source) -> S3Result<StreamingBlob> {
    if source.is_small() {
        let bytes = blocking(move || source.read_all().map_err(internal)).await?;
        return Ok(StreamingBlob::from(Body::from(bytes)));
    }
    Ok(StreamingBlob::new(source.into_stream()))
}
