//! Taking in a body: to a temporary file, checked before anyone can see it.

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::StreamExt as _;
use http::HeaderMap;
use s3s::dto::StreamingBlob;
use s3s::{S3Error, S3Request, S3Result, TrailingHeaders, s3_error};

use super::checksum::{Algorithm, Checksums, Digester};
use super::error::{custom, full, internal};
use super::files::{Files, Temporary};
use super::index::Blob;

/// How much is gathered before it is hashed and written: large enough that handing it to the
/// blocking pool costs nothing, small enough that an upload holds little memory.
const BATCH_BYTES: usize = 1 << 20;

/// What the client promised about the body.
#[derive(Debug, Default)]
pub(super) struct Promise {
    length: Option<u64>,
    md5: Option<[u8; 16]>,
    checksums: Checksums,
    wanted: Vec<Algorithm>,
    /// Checksums that `x-amz-trailer` announces.
    trailing: Vec<Algorithm>,
    trailers: Option<TrailingHeaders>,
}

impl Promise {
    /// Reads it off a request for `PutObject` or `UploadPart`.
    pub(super) fn of<T>(
        request: &S3Request<T>,
        length: Option<i64>,
        md5: Option<&str>,
        algorithm: Option<&str>,
    ) -> S3Result<Self> {
        let checksums = Checksums::from_headers(&request.headers)?;
        let trailing: Vec<Algorithm> = Algorithm::ALL
            .into_iter()
            .filter(|kind| in_trailer(&request.headers, *kind))
            .collect();
        let mut wanted: Vec<Algorithm> = Algorithm::ALL
            .into_iter()
            .filter(|kind| checksums.get(*kind).is_some() || trailing.contains(kind))
            .collect();
        wanted.extend(
            algorithm
                .and_then(Algorithm::parse)
                .filter(|kind| !wanted.contains(kind)),
        );
        Ok(Self {
            length: length.map(|length| u64::try_from(length).unwrap_or(0)),
            md5: md5.map(parse_md5).transpose()?,
            checksums,
            wanted,
            trailing,
            trailers: request.trailing_headers.clone(),
        })
    }

    /// Computes this checksum too (for a part of an upload that was begun with it).
    pub(super) fn want(mut self, algorithm: Option<Algorithm>) -> Self {
        self.wanted
            .extend(algorithm.filter(|kind| !self.wanted.contains(kind)));
        self
    }
}

fn in_trailer(headers: &HeaderMap, algorithm: Algorithm) -> bool {
    headers
        .get_all("x-amz-trailer")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|name| name.trim().eq_ignore_ascii_case(algorithm.header()))
}

fn parse_md5(text: &str) -> S3Result<[u8; 16]> {
    STANDARD
        .decode(text.trim())
        .ok()
        .and_then(|digest| digest.try_into().ok())
        .ok_or_else(|| s3_error!(InvalidDigest, "The Content-MD5 you specified is not valid."))
}

/// A body on disk, under its final name, not in the index yet.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) blob: Blob,
    /// In hex: S3's entity tag of an object that was sent in one piece.
    pub(super) md5: String,
    pub(super) checksums: Checksums,
}

/// Stores a body that keeps its promise; leaves nothing behind otherwise.
///
/// # Errors
/// `EntityTooLarge`, `IncompleteBody`, `BadDigest` and what else S3 says of broken bodies.
pub(super) async fn receive(
    files: &Arc<Files>,
    body: Option<StreamingBlob>,
    promise: Promise,
    max_bytes: u64,
) -> S3Result<Received> {
    if promise.length.is_some_and(|length| length > max_bytes) {
        return Err(too_large(max_bytes));
    }
    let mut sink = Sink::new(files, &promise)?;
    if let Some(mut body) = body {
        let mut batch = Vec::new();
        let mut batched = 0;
        while let Some(chunk) = body.next().await {
            let chunk: Bytes = chunk.map_err(|error| broken_body(error.as_ref()))?;
            batched += chunk.len();
            if sink.written + batched as u64 > max_bytes {
                return Err(too_large(max_bytes));
            }
            batch.push(chunk);
            if batched >= BATCH_BYTES {
                sink = sink.write(std::mem::take(&mut batch)).await?;
                batched = 0;
            }
        }
        return sink.finish(batch, promise).await;
    }
    sink.finish(Vec::new(), promise).await
}

/// The file and digests of one upload. Moves to the blocking pool for each batch.
struct Sink {
    file: File,
    temporary: Temporary,
    digester: Digester,
    written: u64,
}

impl Sink {
    fn new(files: &Arc<Files>, promise: &Promise) -> S3Result<Self> {
        let (file, temporary) = files.create().map_err(disk)?;
        Ok(Self {
            file,
            temporary,
            digester: Digester::new(promise.wanted.iter().copied()),
            written: 0,
        })
    }

    async fn write(mut self, batch: Vec<Bytes>) -> S3Result<Self> {
        blocking(move || {
            self.append(&batch)?;
            Ok(self)
        })
        .await
    }

    fn append(&mut self, batch: &[Bytes]) -> S3Result<()> {
        for chunk in batch {
            self.digester.update(chunk);
            self.file.write_all(chunk).map_err(disk)?;
            self.written += chunk.len() as u64;
        }
        Ok(())
    }

    /// Everything that can be wrong is checked before the file is synced and named.
    async fn finish(mut self, batch: Vec<Bytes>, promise: Promise) -> S3Result<Received> {
        blocking(move || {
            self.append(&batch)?;
            if promise.length.is_some_and(|length| length != self.written) {
                return Err(incomplete());
            }
            let (md5, checksums) = self.digester.finish();
            if promise.md5.is_some_and(|expected| expected != md5) {
                return Err(s3_error!(
                    BadDigest,
                    "The Content-MD5 you specified did not match what we received."
                ));
            }
            checksums.verify(&promise.checksums)?;
            if let Some(trailers) = &promise.trailers {
                let sent = Checksums::from_headers(&trailers.take().unwrap_or_default())?;
                if promise
                    .trailing
                    .iter()
                    .any(|kind| sent.get(*kind).is_none())
                {
                    return Err(malformed_trailer());
                }
                checksums.verify(&sent)?;
            }
            self.file.sync_all().map_err(disk)?;
            Ok(Received {
                blob: self.temporary.keep(self.written).map_err(disk)?,
                md5: hex::encode(md5),
                checksums,
            })
        })
        .await
    }
}

/// Runs file work where it may block.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> S3Result<T> + Send + 'static,
) -> S3Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(internal)?
}

/// What the disk's refusal is to a client.
pub(super) fn disk(error: std::io::Error) -> S3Error {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => full(),
        _ => internal(error),
    }
}

fn too_large(max_bytes: u64) -> S3Error {
    s3_error!(
        EntityTooLarge,
        "Your proposed upload exceeds the maximum allowed size of {max_bytes} bytes"
    )
}

fn malformed_trailer() -> S3Error {
    custom(
        "MalformedTrailerError",
        http::StatusCode::BAD_REQUEST,
        "The request contained trailing data that was not well-formed or did not conform to our \
         published schema.",
    )
}

fn incomplete() -> S3Error {
    s3_error!(
        IncompleteBody,
        "You did not provide the number of bytes specified by the Content-Length HTTP header"
    )
}

/// s3s checks signed bodies as they stream by, and its error types are private: the text of
/// the error is what tells them apart.
fn broken_body(error: &(dyn std::error::Error + Send + Sync)) -> S3Error {
    let text = error.to_string();
    if text.contains("Sha256Mismatch") {
        custom(
            "XAmzContentSHA256Mismatch",
            http::StatusCode::BAD_REQUEST,
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
        )
    } else if text.contains("SignatureMismatch") {
        s3_error!(
            SignatureDoesNotMatch,
            "The chunk signature we calculated does not match the signature you provided."
        )
    } else {
        incomplete()
    }
}
