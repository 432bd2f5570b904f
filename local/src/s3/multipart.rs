//! Uploads in parts. A completed object is the list of its parts' files: completing moves no
//! bytes, and happens in one transaction or not at all.

use std::collections::HashMap;

use s3s::dto::{
    ChecksumAlgorithm, ChecksumType, CompleteMultipartUploadInput, CompleteMultipartUploadOutput,
    CompletedPart, CopyPartResult, CreateMultipartUploadInput, CreateMultipartUploadOutput, ETag,
    UploadPartCopyInput, UploadPartCopyOutput, UploadPartInput, UploadPartOutput,
};
use s3s::{S3Request, S3Result, s3_error};

use super::attributes::{ReadCondition, attributes, refuse_unkept, timestamp};
use super::checksum::{Algorithm, Checksums, Digester, composite, multipart_etag};
use super::index::{Blob, Detail, Entry, Part, Plan, Upload};
use super::object::{copy_source, set_checksums, write_condition};
use super::receive::{Promise, Received, blocking, disk, receive};
use super::send::Source;
use super::store::{Store, body};
use crate::clock;

const MAX_PARTS: usize = 10_000;
/// Every part but the last has at least 5 MiB.
const MIN_PART_BYTES: u64 = 5 << 20;
const MAX_OBJECT_BYTES: u64 = 5 << 40;

pub(super) async fn create(
    store: &Store,
    input: CreateMultipartUploadInput,
) -> S3Result<CreateMultipartUploadOutput> {
    refuse_unkept!(input)?;
    let algorithm = input
        .checksum_algorithm
        .as_ref()
        .and_then(|kind| Algorithm::parse(kind.as_str()));
    let full_object = algorithm == Some(Algorithm::Crc64Nvme)
        || input
            .checksum_type
            .as_ref()
            .is_some_and(|kind| kind.as_str() == ChecksumType::FULL_OBJECT);
    let upload = Upload {
        id: clock::new_id().simple().to_string(),
        bucket: input.bucket.clone(),
        key: input.key.clone(),
        initiated: clock::now_millis(),
        plan: Plan {
            attributes: attributes!(input),
            algorithm,
            full_object,
        },
    };
    store.index.begin_upload(&upload).await?;
    Ok(CreateMultipartUploadOutput {
        checksum_type: algorithm.map(|_| upload.plan.checksum_type()),
        checksum_algorithm: algorithm.map(algorithm_dto),
        bucket: Some(input.bucket),
        key: Some(input.key),
        upload_id: Some(upload.id),
        ..CreateMultipartUploadOutput::default()
    })
}

pub(super) fn algorithm_dto(algorithm: Algorithm) -> ChecksumAlgorithm {
    ChecksumAlgorithm::from(algorithm.name().to_owned())
}

impl Plan {
    pub(super) fn checksum_type(&self) -> ChecksumType {
        ChecksumType::from_static(if self.full_object {
            ChecksumType::FULL_OBJECT
        } else {
            ChecksumType::COMPOSITE
        })
    }
}

fn check_number(number: i32) -> S3Result<()> {
    match usize::try_from(number) {
        Ok(1..=MAX_PARTS) => Ok(()),
        _ => Err(s3_error!(
            InvalidArgument,
            "Part number must be an integer between 1 and {MAX_PARTS}, inclusive"
        )),
    }
}

async fn store_part(
    store: &Store,
    upload: Upload,
    number: i32,
    received: Received,
) -> S3Result<Entry> {
    let entry = Entry {
        size: received.blob.size,
        etag: received.md5,
        modified: clock::now_millis(),
        detail: Detail {
            checksums: received.checksums,
            blobs: vec![received.blob],
            ..Detail::default()
        },
    };
    let part = entry.clone();
    store
        .settle(move |store| async move {
            let stored = store.index.put_part(&upload, number, &part).await;
            (stored, part.detail.blobs)
        })
        .await?;
    Ok(entry)
}

pub(super) async fn upload_part(
    store: &Store,
    max_bytes: u64,
    mut request: S3Request<UploadPartInput>,
) -> S3Result<UploadPartOutput> {
    let content = request.input.body.take();
    let input = &request.input;
    check_number(input.part_number)?;
    let upload = store
        .index
        .upload(&input.bucket, &input.key, &input.upload_id)
        .await?;
    let promise = Promise::of(
        &request,
        input.content_length,
        input.content_md5.as_deref(),
        input.checksum_algorithm.as_ref().map(|kind| kind.as_str()),
    )?
    .want(upload.plan.algorithm);
    let received = receive(&store.files, content, promise, max_bytes).await?;
    let part = store_part(store, upload, input.part_number, received).await?;
    let checksums = part.detail.checksums;
    Ok(UploadPartOutput {
        e_tag: Some(ETag::Strong(part.etag)),
        checksum_crc32: checksums.crc32,
        checksum_crc32c: checksums.crc32c,
        checksum_crc64nvme: checksums.crc64nvme,
        checksum_sha1: checksums.sha1,
        checksum_sha256: checksums.sha256,
        ..UploadPartOutput::default()
    })
}

pub(super) async fn upload_part_copy(
    store: &Store,
    max_bytes: u64,
    input: UploadPartCopyInput,
) -> S3Result<UploadPartCopyOutput> {
    check_number(input.part_number)?;
    let upload = store
        .index
        .upload(&input.bucket, &input.key, &input.upload_id)
        .await?;
    let (bucket, key) = copy_source(&input.copy_source)?;
    let condition = ReadCondition {
        matches: input.copy_source_if_match.as_ref(),
        none_match: input.copy_source_if_none_match.as_ref(),
        modified_since: input.copy_source_if_modified_since.as_ref(),
        unmodified_since: input.copy_source_if_unmodified_since.as_ref(),
    };
    let wanted = input
        .copy_source_range
        .as_deref()
        .map(s3s::dto::Range::parse)
        .transpose()
        .map_err(|_| {
            s3_error!(
                InvalidArgument,
                "The x-amz-copy-source-range value must be of the form bytes=first-last where \
                 first and last are the zero-based offsets of the first and last bytes to copy"
            )
        })?;
    let (_, source, _) = store
        .open_object(bucket, key, |entry| {
            condition.check_source(entry)?;
            match &wanted {
                Some(range) => Ok(range.check(entry.size)?),
                None => Ok(0..entry.size),
            }
        })
        .await?;
    let promise = Promise::default().want(upload.plan.algorithm);
    let content = body(source).await?;
    let received = receive(&store.files, Some(content), promise, max_bytes).await?;
    let part = store_part(store, upload, input.part_number, received).await?;
    let checksums = part.detail.checksums;
    Ok(UploadPartCopyOutput {
        copy_part_result: Some(CopyPartResult {
            e_tag: Some(ETag::Strong(part.etag)),
            last_modified: Some(timestamp(part.modified)),
            checksum_crc32: checksums.crc32,
            checksum_crc32c: checksums.crc32c,
            checksum_crc64nvme: checksums.crc64nvme,
            checksum_sha1: checksums.sha1,
            checksum_sha256: checksums.sha256,
        }),
        ..UploadPartCopyOutput::default()
    })
}

/// The stored parts that a completion names, in its order.
fn chosen(named: &[CompletedPart], stored: Vec<Part>) -> S3Result<Vec<Entry>> {
    let mut stored: HashMap<i32, Entry> = stored
        .into_iter()
        .map(|part| (part.number, part.entry))
        .collect();
    let mut previous = 0;
    let mut parts = Vec::new();
    for part in named {
        let number = part.part_number.unwrap_or(0);
        if number <= previous {
            return Err(s3_error!(
                InvalidPartOrder,
                "The list of parts was not in ascending order. Parts must be ordered by part \
                 number."
            ));
        }
        previous = number;
        let promised = Checksums {
            crc32: part.checksum_crc32.clone(),
            crc32c: part.checksum_crc32c.clone(),
            crc64nvme: part.checksum_crc64nvme.clone(),
            sha1: part.checksum_sha1.clone(),
            sha256: part.checksum_sha256.clone(),
            kind: None,
        };
        let found = stored.remove(&number).filter(|entry| {
            part.e_tag
                .as_ref()
                .is_none_or(|etag| etag.value() == entry.etag)
                && entry.detail.checksums.verify(&promised).is_ok()
        });
        parts.push(found.ok_or_else(|| {
            s3_error!(
                InvalidPart,
                "One or more of the specified parts could not be found. The part may not have \
                 been uploaded, or the specified entity tag may not match the part's entity tag."
            )
        })?);
    }
    let all_but_last = parts.len().saturating_sub(1);
    if parts
        .iter()
        .take(all_but_last)
        .any(|part| part.size < MIN_PART_BYTES)
    {
        return Err(s3_error!(
            EntityTooSmall,
            "Your proposed upload is smaller than the minimum allowed size"
        ));
    }
    Ok(parts)
}

async fn object_checksums(
    store: &Store,
    plan: &Plan,
    parts: &[Entry],
    blobs: &[Blob],
    size: u64,
) -> S3Result<Checksums> {
    let Some(algorithm) = plan.algorithm else {
        return Ok(Checksums::default());
    };
    if !plan.full_object {
        let sums: Vec<&Checksums> = parts.iter().map(|part| &part.detail.checksums).collect();
        let mut checksums = Checksums {
            kind: Some(ChecksumType::COMPOSITE.to_owned()),
            ..Checksums::default()
        };
        if let Some(sum) = composite(algorithm, &sums) {
            checksums.set(algorithm, sum);
        }
        return Ok(checksums);
    }
    // A checksum of the whole has to see the whole: the parts are read once more.
    let pinned = store.files.pin(blobs);
    let mut source = Source::new(&store.files, blobs, pinned, &(0..size));
    blocking(move || {
        let mut digester = Digester::new([algorithm]);
        while source.remaining() > 0 {
            digester.update(&source.read(1 << 20).map_err(disk)?);
        }
        let (_, mut checksums) = digester.finish();
        checksums.kind = Some(ChecksumType::FULL_OBJECT.to_owned());
        Ok(checksums)
    })
    .await
}

pub(super) async fn complete(
    store: &Store,
    input: CompleteMultipartUploadInput,
) -> S3Result<CompleteMultipartUploadOutput> {
    let condition = write_condition(input.if_match.as_ref(), input.if_none_match.as_ref())?;
    let upload = store
        .index
        .upload(&input.bucket, &input.key, &input.upload_id)
        .await?;
    let named = input
        .multipart_upload
        .and_then(|list| list.parts)
        .unwrap_or_default();
    if named.is_empty() {
        return Err(s3_error!(
            MalformedXML,
            "The XML you provided was not well-formed or did not validate against our published \
             schema"
        ));
    }
    let parts = chosen(&named, store.index.parts(&upload, 0, MAX_PARTS).await?)?;
    let size: u64 = parts.iter().map(|part| part.size).sum();
    if size > MAX_OBJECT_BYTES {
        return Err(s3_error!(
            EntityTooLarge,
            "Your proposed upload exceeds the maximum allowed object size"
        ));
    }
    if input
        .mpu_object_size
        .is_some_and(|expected| u64::try_from(expected) != Ok(size))
    {
        return Err(s3_error!(
            InvalidRequest,
            "The provided 'x-amz-mp-object-size' header does not match what was computed"
        ));
    }
    let blobs: Vec<Blob> = parts
        .iter()
        .flat_map(|part| part.detail.blobs.clone())
        .collect();
    let checksums = object_checksums(store, &upload.plan, &parts, &blobs, size).await?;
    checksums.verify(&Checksums {
        crc32: input.checksum_crc32,
        crc32c: input.checksum_crc32c,
        crc64nvme: input.checksum_crc64nvme,
        sha1: input.checksum_sha1,
        sha256: input.checksum_sha256,
        kind: None,
    })?;
    let etags: Vec<String> = parts.into_iter().map(|part| part.etag).collect();
    let etag = multipart_etag(&etags).ok_or_else(|| {
        tracing::error!("a part in the index of the local S3 has no entity tag");
        s3_error!(InternalError, "A part has no entity tag")
    })?;
    let entry = Entry {
        size,
        etag: etag.clone(),
        modified: clock::now_millis(),
        detail: Detail {
            attributes: upload.plan.attributes.clone(),
            checksums: checksums.clone(),
            blobs,
        },
    };
    store
        .settle(move |store| async move {
            let completed = store
                .index
                .complete_upload(&upload, &entry, &condition)
                .await;
            // Refused, the parts stay the upload's: the client may try again.
            (completed, Vec::new())
        })
        .await?;
    let mut output = CompleteMultipartUploadOutput {
        location: Some(format!("/{}/{}", input.bucket, input.key)),
        bucket: Some(input.bucket),
        key: Some(input.key),
        e_tag: Some(ETag::Strong(etag)),
        ..CompleteMultipartUploadOutput::default()
    };
    set_checksums!(output, checksums);
    Ok(output)
}
