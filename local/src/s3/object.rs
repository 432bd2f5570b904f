//! The operations on one object, and on many at once.

use std::ops::Range;

use s3s::dto::{
    ChecksumType, CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopySource,
    DeleteObjectsInput, DeleteObjectsOutput, DeletedObject, ETag, ETagCondition, Error,
    GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput, MetadataDirective,
    PutObjectInput, PutObjectOutput,
};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Result, s3_error};

use super::attributes::{ReadCondition, attributes, refuse_unkept, timestamp};
use super::checksum::Checksums;
use super::error::custom;
use super::index::{Condition, Detail, Entry};
use super::receive::{Promise, receive};
use super::store::{Store, body};
use crate::clock;

/// The most keys of one `DeleteObjects`.
const MAX_DELETES: usize = 1000;

/// Fills the checksum fields of an s3s output.
macro_rules! set_checksums {
    ($output:expr, $checksums:expr) => {{
        let checksums: $crate::s3::checksum::Checksums = $checksums;
        $output.checksum_type = checksums
            .algorithm()
            .map(|_| $crate::s3::object::checksum_type(&checksums));
        $output.checksum_crc32 = checksums.crc32;
        $output.checksum_crc32c = checksums.crc32c;
        $output.checksum_crc64nvme = checksums.crc64nvme;
        $output.checksum_sha1 = checksums.sha1;
        $output.checksum_sha256 = checksums.sha256;
    }};
}
pub(super) use set_checksums;

pub(super) fn checksum_type(checksums: &Checksums) -> ChecksumType {
    ChecksumType::from(
        checksums
            .kind
            .clone()
            .unwrap_or_else(|| ChecksumType::FULL_OBJECT.to_owned()),
    )
}

/// Turns the conditional headers of a write into what the index checks.
pub(super) fn write_condition(
    if_match: Option<&ETagCondition>,
    if_none_match: Option<&ETagCondition>,
) -> S3Result<Condition> {
    match (if_match, if_none_match) {
        (None, None) => Ok(Condition::Always),
        (None, Some(ETagCondition::Any)) => Ok(Condition::Absent),
        (Some(ETagCondition::ETag(etag)), None) => Ok(Condition::Matches(etag.value().to_owned())),
        _ => Err(s3_error!(
            NotImplemented,
            "A header you provided implies functionality that is not implemented"
        )),
    }
}

pub(super) async fn put(
    store: &Store,
    max_bytes: u64,
    mut request: S3Request<PutObjectInput>,
) -> S3Result<PutObjectOutput> {
    let content = request.input.body.take();
    let input = &request.input;
    refuse_unkept!(input)?;
    let condition = write_condition(input.if_match.as_ref(), input.if_none_match.as_ref())?;
    let promise = Promise::of(
        &request,
        input.content_length,
        input.content_md5.as_deref(),
        input.checksum_algorithm.as_ref().map(|kind| kind.as_str()),
    )?;
    // Before a long body is read in vain. The index asks again when it publishes.
    store.index.check_bucket(&input.bucket).await?;
    if condition == Condition::Absent && store.index.object(&input.bucket, &input.key).await.is_ok()
    {
        return Err(super::index::IndexError::PreconditionFailed.into());
    }
    let received = receive(&store.files, content, promise, max_bytes).await?;
    let entry = Entry {
        size: received.blob.size,
        etag: received.md5.clone(),
        modified: clock::now_millis(),
        detail: Detail {
            attributes: attributes!(input),
            checksums: received.checksums.clone(),
            blobs: vec![received.blob],
        },
    };
    store
        .publish(&input.bucket, &input.key, entry, condition)
        .await?;
    let mut output = PutObjectOutput {
        e_tag: Some(ETag::Strong(received.md5)),
        ..PutObjectOutput::default()
    };
    set_checksums!(output, received.checksums);
    Ok(output)
}

/// The bytes that a read asks for: all, a range, or a part of a multipart object.
fn selected(
    entry: &Entry,
    range: Option<&s3s::dto::Range>,
    part: Option<i32>,
) -> S3Result<Range<u64>> {
    match (range, part) {
        (None, None) => Ok(0..entry.size),
        // No range of an empty object has bytes; s3s gives one for a suffix.
        (Some(range), None) => match range.check(entry.size) {
            Ok(bytes) if !bytes.is_empty() => Ok(bytes),
            Ok(_) => Err(S3Error::new(S3ErrorCode::InvalidRange)),
            Err(error) => Err(S3Error::from(error)),
        }
        .map_err(|mut error| {
            error.set_message("The requested range is not satisfiable");
            let mut headers = http::HeaderMap::new();
            if let Ok(value) = format!("bytes */{}", entry.size).parse() {
                headers.insert(http::header::CONTENT_RANGE, value);
            }
            error.set_headers(headers);
            error
        }),
        (None, Some(number)) => {
            let blobs = &entry.detail.blobs;
            let index = usize::try_from(number).unwrap_or(0).wrapping_sub(1);
            let Some(blob) = blobs.get(index) else {
                return Err(custom(
                    "InvalidPartNumber",
                    http::StatusCode::RANGE_NOT_SATISFIABLE,
                    "The requested partnumber is not satisfiable",
                ));
            };
            let start: u64 = blobs.iter().take(index).map(|blob| blob.size).sum();
            Ok(start..start + blob.size)
        }
        (Some(_), Some(_)) => Err(s3_error!(
            InvalidRequest,
            "Cannot specify both Range header and partNumber query parameter"
        )),
    }
}

fn content_range(entry: &Entry, range: &Range<u64>, partial: bool) -> Option<String> {
    (partial && range.start < range.end)
        .then(|| format!("bytes {}-{}/{}", range.start, range.end - 1, entry.size))
}

fn parts_count(entry: &Entry, part: Option<i32>) -> Option<i32> {
    part.filter(|_| entry.etag.contains('-'))
        .and_then(|_| i32::try_from(entry.detail.blobs.len()).ok())
}

/// Fills what `GetObject` and `HeadObject` both answer.
macro_rules! describe {
    ($output:expr, $input:expr, $entry:expr, $range:expr, $partial:expr) => {{
        let (entry, range, partial): (Entry, Range<u64>, bool) = ($entry, $range, $partial);
        $output.accept_ranges = Some("bytes".to_owned());
        $output.content_length = i64::try_from(range.end - range.start).ok();
        $output.content_range = content_range(&entry, &range, partial);
        $output.parts_count = parts_count(&entry, $input.part_number);
        $output.last_modified = Some(timestamp(entry.modified));
        $output.e_tag = Some(ETag::Strong(entry.etag));
        // A checksum of the whole says nothing about a piece.
        if $input.checksum_mode.is_some() && range == (0..entry.size) {
            set_checksums!($output, entry.detail.checksums);
        }
        let attributes = entry.detail.attributes;
        $output.content_disposition = attributes.safe_disposition();
        $output.content_type = Some(attributes.content_type().to_owned());
        $output.expires = attributes.expires();
        $output.cache_control = attributes.cache_control;
        $output.content_encoding = attributes.content_encoding;
        $output.content_language = attributes.content_language;
        $output.metadata =
            (!attributes.metadata.is_empty()).then(|| attributes.metadata.into_iter().collect());
    }};
}

pub(super) async fn get(store: &Store, input: &GetObjectInput) -> S3Result<GetObjectOutput> {
    let condition = ReadCondition {
        matches: input.if_match.as_ref(),
        none_match: input.if_none_match.as_ref(),
        modified_since: input.if_modified_since.as_ref(),
        unmodified_since: input.if_unmodified_since.as_ref(),
    };
    let (entry, source, range) = store
        .open_object(&input.bucket, &input.key, |entry| {
            condition.check(entry)?;
            selected(entry, input.range.as_ref(), input.part_number)
        })
        .await?;
    let partial = input.range.is_some() || input.part_number.is_some();
    let mut output = GetObjectOutput {
        body: Some(body(source).await?),
        ..GetObjectOutput::default()
    };
    describe!(output, input, entry, range, partial);
    Ok(output)
}

pub(super) async fn head(store: &Store, input: &HeadObjectInput) -> S3Result<HeadObjectOutput> {
    let entry = store.index.object(&input.bucket, &input.key).await?;
    ReadCondition {
        matches: input.if_match.as_ref(),
        none_match: input.if_none_match.as_ref(),
        modified_since: input.if_modified_since.as_ref(),
        unmodified_since: input.if_unmodified_since.as_ref(),
    }
    .check(&entry)?;
    let range = selected(&entry, input.range.as_ref(), input.part_number)?;
    let partial = input.range.is_some() || input.part_number.is_some();
    let mut output = HeadObjectOutput::default();
    describe!(output, input, entry, range, partial);
    Ok(output)
}

pub(super) async fn delete(store: &Store, bucket: String, keys: Vec<String>) -> S3Result<()> {
    store
        .settle(move |store| async move { (store.index.remove(&bucket, &keys).await, Vec::new()) })
        .await
}

pub(super) async fn delete_many(
    store: &Store,
    input: DeleteObjectsInput,
) -> S3Result<DeleteObjectsOutput> {
    let objects = input.delete.objects;
    if objects.is_empty() || objects.len() > MAX_DELETES {
        return Err(s3_error!(
            MalformedXML,
            "The XML you provided was not well-formed or did not validate against our published \
             schema"
        ));
    }
    let (mut keys, mut errors) = (Vec::new(), Vec::new());
    for object in objects {
        if object
            .version_id
            .as_deref()
            .is_none_or(|version| version == "null")
        {
            keys.push(object.key);
        } else {
            errors.push(Error {
                code: Some("NoSuchVersion".to_owned()),
                message: Some("The specified version does not exist.".to_owned()),
                key: Some(object.key),
                version_id: object.version_id,
            });
        }
    }
    delete(store, input.bucket, keys.clone()).await?;
    let deleted = keys
        .into_iter()
        .map(|key| DeletedObject {
            key: Some(key),
            ..DeletedObject::default()
        })
        .collect();
    Ok(DeleteObjectsOutput {
        deleted: (!input.delete.quiet.unwrap_or(false)).then_some(deleted),
        errors: (!errors.is_empty()).then_some(errors),
        ..DeleteObjectsOutput::default()
    })
}

/// Bucket and key of a copy's source.
pub(super) fn copy_source(source: &CopySource) -> S3Result<(&str, &str)> {
    match source {
        CopySource::Bucket {
            bucket,
            key,
            version_id,
        } if version_id
            .as_deref()
            .is_none_or(|version| version == "null") =>
        {
            Ok((bucket, key))
        }
        CopySource::Bucket { .. } => Err(s3_error!(
            NoSuchVersion,
            "The specified version does not exist."
        )),
        _ => Err(s3_error!(
            NotImplemented,
            "Copies from access points are not implemented"
        )),
    }
}

pub(super) async fn copy(store: &Store, input: CopyObjectInput) -> S3Result<CopyObjectOutput> {
    refuse_unkept!(input)?;
    let (from_bucket, from_key) = copy_source(&input.copy_source)?;
    let replaces = input
        .metadata_directive
        .as_ref()
        .is_some_and(|directive| directive.as_str() == MetadataDirective::REPLACE);
    if !replaces && from_bucket == input.bucket && from_key == input.key {
        return Err(s3_error!(
            InvalidRequest,
            "This copy request is illegal because it is trying to copy an object to itself \
             without changing the object's metadata, storage class, website redirect location \
             or encryption attributes."
        ));
    }
    store.index.check_bucket(&input.bucket).await?;
    let condition = ReadCondition {
        matches: input.copy_source_if_match.as_ref(),
        none_match: input.copy_source_if_none_match.as_ref(),
        modified_since: input.copy_source_if_modified_since.as_ref(),
        unmodified_since: input.copy_source_if_unmodified_since.as_ref(),
    };
    let (source, blobs) = store
        .link(from_bucket, from_key, |entry| condition.check_source(entry))
        .await?;
    let attributes = if replaces {
        attributes!(input)
    } else {
        source.detail.attributes
    };
    let entry = Entry {
        size: source.size,
        etag: source.etag.clone(),
        modified: clock::now_millis(),
        detail: Detail {
            attributes,
            checksums: source.detail.checksums.clone(),
            blobs,
        },
    };
    let modified = entry.modified;
    store
        .publish(&input.bucket, &input.key, entry, Condition::Always)
        .await?;
    let mut result = CopyObjectResult {
        e_tag: Some(ETag::Strong(source.etag)),
        last_modified: Some(timestamp(modified)),
        ..CopyObjectResult::default()
    };
    set_checksums!(result, source.detail.checksums);
    Ok(CopyObjectOutput {
        copy_object_result: Some(result),
        ..CopyObjectOutput::default()
    })
}
