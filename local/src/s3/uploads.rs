//! What is underway: listing uploads and their parts, and ending an upload.

use s3s::dto::{
    AbortMultipartUploadInput, ETag, ListMultipartUploadsInput, ListMultipartUploadsOutput,
    ListPartsInput, ListPartsOutput, MultipartUpload, Part,
};
use s3s::{S3Result, s3_error};

use super::attributes::timestamp;
use super::index::UploadMarker;
use super::list::{Encoder, after_prefix};
use super::multipart::algorithm_dto;
use super::store::Store;

const MAX_PAGE: usize = 1000;

fn page_size(value: Option<i32>) -> usize {
    value
        .and_then(|value| usize::try_from(value).ok())
        .map_or(MAX_PAGE, |value| value.min(MAX_PAGE))
}

pub(super) async fn abort(store: &Store, input: AbortMultipartUploadInput) -> S3Result<()> {
    let upload = store
        .index
        .upload(&input.bucket, &input.key, &input.upload_id)
        .await?;
    store
        .settle(move |store| async move { (store.index.abort_upload(&upload).await, Vec::new()) })
        .await
}

pub(super) async fn list_parts(store: &Store, input: ListPartsInput) -> S3Result<ListPartsOutput> {
    let upload = store
        .index
        .upload(&input.bucket, &input.key, &input.upload_id)
        .await?;
    let limit = page_size(input.max_parts);
    let after = input.part_number_marker.unwrap_or(0);
    let mut parts = store.index.parts(&upload, after, limit + 1).await?;
    let truncated = parts.len() > limit;
    parts.truncate(limit);
    Ok(ListPartsOutput {
        is_truncated: Some(truncated),
        next_part_number_marker: parts.last().map(|part| part.number).filter(|_| truncated),
        part_number_marker: Some(after),
        max_parts: i32::try_from(limit).ok(),
        checksum_algorithm: upload.plan.algorithm.map(algorithm_dto),
        checksum_type: upload.plan.algorithm.map(|_| upload.plan.checksum_type()),
        parts: Some(
            parts
                .into_iter()
                .map(|part| {
                    let checksums = part.entry.detail.checksums;
                    Part {
                        part_number: Some(part.number),
                        size: i64::try_from(part.entry.size).ok(),
                        e_tag: Some(ETag::Strong(part.entry.etag)),
                        last_modified: Some(timestamp(part.entry.modified)),
                        checksum_crc32: checksums.crc32,
                        checksum_crc32c: checksums.crc32c,
                        checksum_crc64nvme: checksums.crc64nvme,
                        checksum_sha1: checksums.sha1,
                        checksum_sha256: checksums.sha256,
                    }
                })
                .collect(),
        ),
        bucket: Some(input.bucket),
        key: Some(input.key),
        upload_id: Some(input.upload_id),
        ..ListPartsOutput::default()
    })
}

pub(super) async fn list_uploads(
    store: &Store,
    input: ListMultipartUploadsInput,
) -> S3Result<ListMultipartUploadsOutput> {
    if input
        .delimiter
        .as_deref()
        .is_some_and(|text| !text.is_empty())
    {
        return Err(s3_error!(
            NotImplemented,
            "A delimiter in ListMultipartUploads is not implemented"
        ));
    }
    store.index.check_bucket(&input.bucket).await?;
    let prefix = input.prefix.clone().unwrap_or_default();
    let limit = page_size(input.max_uploads);
    let after = UploadMarker {
        key: input.key_marker.clone().unwrap_or_default(),
        id: input.upload_id_marker.clone(),
    };
    let mut uploads = store
        .index
        .uploads(
            &input.bucket,
            prefix.as_bytes(),
            after_prefix(prefix.as_bytes()).as_deref(),
            &after,
            limit + 1,
        )
        .await?;
    let truncated = uploads.len() > limit;
    uploads.truncate(limit);
    let last = uploads.last().filter(|_| truncated);
    let encoder = Encoder::new(input.encoding_type.as_ref());
    Ok(ListMultipartUploadsOutput {
        is_truncated: Some(truncated),
        next_key_marker: last.map(|upload| encoder.encode(&upload.key)),
        next_upload_id_marker: last.map(|upload| upload.id.clone()),
        max_uploads: i32::try_from(limit).ok(),
        key_marker: input.key_marker.map(|text| encoder.encode(&text)),
        upload_id_marker: input.upload_id_marker,
        prefix: Some(encoder.encode(&prefix)),
        encoding_type: input.encoding_type,
        bucket: Some(input.bucket),
        uploads: Some(
            uploads
                .into_iter()
                .map(|upload| MultipartUpload {
                    key: Some(encoder.encode(&upload.key)),
                    upload_id: Some(upload.id),
                    initiated: Some(timestamp(upload.initiated)),
                    checksum_algorithm: upload.plan.algorithm.map(algorithm_dto),
                    ..MultipartUpload::default()
                })
                .collect(),
        ),
        ..ListMultipartUploadsOutput::default()
    })
}
