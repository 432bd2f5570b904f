//! Listings: keys in byte order, rolled up at a delimiter, page by page.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use s3s::dto::{
    CommonPrefix, ETag, EncodingType, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input,
    ListObjectsV2Output, Object, ObjectStorageClass,
};
use s3s::{S3Result, s3_error};

use super::attributes::timestamp;
use super::index::{Index, ListedObject};

const MAX_KEYS: usize = 1000;

/// What is asked for.
struct Query<'a> {
    bucket: &'a str,
    prefix: &'a str,
    delimiter: Option<&'a str>,
    /// First key of the page, in bytes, inclusive.
    from: Vec<u8>,
    max_keys: usize,
}

/// One page.
#[derive(Default)]
struct Page {
    objects: Vec<ListedObject>,
    prefixes: Vec<String>,
    /// Where the next page begins, inclusive.
    next: Option<Vec<u8>>,
}

impl Page {
    fn len(&self) -> usize {
        self.objects.len() + self.prefixes.len()
    }
}

async fn page(index: &Index, query: Query<'_>) -> S3Result<Page> {
    index.check_bucket(query.bucket).await?;
    let mut page = Page::default();
    if query.max_keys == 0 {
        return Ok(page);
    }
    let end = after_prefix(query.prefix.as_bytes());
    let mut from = query.from.max(query.prefix.as_bytes().to_vec());
    loop {
        let wanted = query.max_keys + 1 - page.len();
        let rows = index
            .walk(query.bucket, &from, end.as_deref(), wanted)
            .await?;
        let last = rows.len() < wanted;
        for row in rows {
            let group = rolled_up(&row.key, query.prefix, query.delimiter);
            if group.is_some() && group == page.prefixes.last().map(String::as_str) {
                continue;
            }
            if page.len() == query.max_keys {
                page.next = Some(row.key.into_bytes());
                return Ok(page);
            }
            // A whole group is one range: the next query starts behind it.
            from = match group {
                Some(group) => after_prefix(group.as_bytes()).unwrap_or_default(),
                None => behind(row.key.as_bytes()),
            };
            match group {
                Some(group) => page.prefixes.push(group.to_owned()),
                None => page.objects.push(row),
            }
        }
        if last {
            return Ok(page);
        }
    }
}

/// The common prefix that stands for a key, if it has the delimiter behind the prefix.
fn rolled_up<'a>(key: &'a str, prefix: &str, delimiter: Option<&str>) -> Option<&'a str> {
    let delimiter = delimiter.filter(|delimiter| !delimiter.is_empty())?;
    let at = key.get(prefix.len()..)?.find(delimiter)?;
    key.get(..prefix.len() + at + delimiter.len())
}

/// The first byte string behind every key with this prefix. `None`: there is none.
pub(super) fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut bound = prefix.to_vec();
    // UTF-8 has no byte 0xFF, so the last byte can always be raised.
    *bound.last_mut()? += 1;
    Some(bound)
}

/// The first byte string behind a key.
fn behind(key: &[u8]) -> Vec<u8> {
    let mut bound = key.to_vec();
    bound.push(0);
    bound
}

fn max_keys(value: Option<i32>) -> S3Result<usize> {
    match value {
        None => Ok(MAX_KEYS),
        Some(value) => usize::try_from(value)
            .map(|value| value.min(MAX_KEYS))
            .map_err(|_| s3_error!(InvalidArgument, "max-keys must be between 0 and 2147483647")),
    }
}

/// Percent-encodes as `encoding-type=url` asks for.
pub(super) struct Encoder(bool);

impl Encoder {
    pub(super) fn new(kind: Option<&EncodingType>) -> Self {
        Self(kind.is_some_and(|kind| kind.as_str() == EncodingType::URL))
    }

    pub(super) fn encode(&self, text: &str) -> String {
        if !self.0 {
            return text.to_owned();
        }
        let mut encoded = String::with_capacity(text.len());
        for byte in text.bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' | b'/' => {
                    encoded.push(char::from(byte));
                }
                _ => {
                    // Writing to a string cannot fail.
                    let _ = write!(encoded, "%{byte:02X}");
                }
            }
        }
        encoded
    }
}

fn objects(listed: Vec<ListedObject>, encoder: &Encoder) -> Vec<Object> {
    listed
        .into_iter()
        .map(|object| Object {
            key: Some(encoder.encode(&object.key)),
            size: i64::try_from(object.size).ok(),
            e_tag: Some(ETag::Strong(object.etag)),
            last_modified: Some(timestamp(object.modified)),
            storage_class: Some(ObjectStorageClass::from_static(
                ObjectStorageClass::STANDARD,
            )),
            ..Object::default()
        })
        .collect()
}

fn prefixes(groups: &[String], encoder: &Encoder) -> Option<Vec<CommonPrefix>> {
    let list: Vec<_> = groups
        .iter()
        .map(|prefix| CommonPrefix {
            prefix: Some(encoder.encode(prefix)),
        })
        .collect();
    (!list.is_empty()).then_some(list)
}

pub(super) async fn list_v2(
    index: &Index,
    input: ListObjectsV2Input,
) -> S3Result<ListObjectsV2Output> {
    let from = match (&input.continuation_token, &input.start_after) {
        (Some(token), _) => URL_SAFE_NO_PAD.decode(token).map_err(|_| {
            s3_error!(
                InvalidArgument,
                "The continuation token provided is incorrect"
            )
        })?,
        (None, Some(key)) => behind(key.as_bytes()),
        (None, None) => Vec::new(),
    };
    let max_keys = max_keys(input.max_keys)?;
    let page = page(
        index,
        Query {
            bucket: &input.bucket,
            prefix: input.prefix.as_deref().unwrap_or_default(),
            delimiter: input.delimiter.as_deref(),
            from,
            max_keys,
        },
    )
    .await?;
    let encoder = Encoder::new(input.encoding_type.as_ref());
    Ok(ListObjectsV2Output {
        key_count: i32::try_from(page.len()).ok(),
        max_keys: i32::try_from(max_keys).ok(),
        is_truncated: Some(page.next.is_some()),
        next_continuation_token: page.next.as_ref().map(|key| URL_SAFE_NO_PAD.encode(key)),
        common_prefixes: prefixes(&page.prefixes, &encoder),
        contents: Some(objects(page.objects, &encoder)),
        prefix: Some(encoder.encode(input.prefix.as_deref().unwrap_or_default())),
        delimiter: input.delimiter.map(|text| encoder.encode(&text)),
        start_after: input.start_after.map(|text| encoder.encode(&text)),
        continuation_token: input.continuation_token,
        encoding_type: input.encoding_type,
        name: Some(input.bucket),
        ..ListObjectsV2Output::default()
    })
}

pub(super) async fn list_v1(index: &Index, input: ListObjectsInput) -> S3Result<ListObjectsOutput> {
    let marker = input.marker.clone().unwrap_or_default();
    // A marker that is itself a common prefix stands for all its keys.
    let rolled = rolled_up(
        &marker,
        input.prefix.as_deref().unwrap_or_default(),
        input.delimiter.as_deref(),
    );
    let from = match rolled {
        Some(group) if group == marker => after_prefix(group.as_bytes()).unwrap_or_default(),
        _ if marker.is_empty() => Vec::new(),
        _ => behind(marker.as_bytes()),
    };
    let max_keys = max_keys(input.max_keys)?;
    let page = page(
        index,
        Query {
            bucket: &input.bucket,
            prefix: input.prefix.as_deref().unwrap_or_default(),
            delimiter: input.delimiter.as_deref(),
            from,
            max_keys,
        },
    )
    .await?;
    let encoder = Encoder::new(input.encoding_type.as_ref());
    let last_key = page.objects.last().map(|object| object.key.as_str());
    let last_prefix = page.prefixes.last().map(String::as_str);
    let next_marker = last_key
        .max(last_prefix)
        .filter(|_| page.next.is_some())
        .map(|last| encoder.encode(last));
    Ok(ListObjectsOutput {
        next_marker,
        max_keys: i32::try_from(max_keys).ok(),
        is_truncated: Some(page.next.is_some()),
        common_prefixes: prefixes(&page.prefixes, &encoder),
        contents: Some(objects(page.objects, &encoder)),
        prefix: Some(encoder.encode(input.prefix.as_deref().unwrap_or_default())),
        marker: Some(encoder.encode(&marker)),
        delimiter: input.delimiter.map(|text| encoder.encode(&text)),
        encoding_type: input.encoding_type,
        name: Some(input.bucket),
        ..ListObjectsOutput::default()
    })
}
