//! What a client says about an object besides its bytes, and when a reader gets it.

use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

use s3s::dto::{
    ETag, ETagCondition, ObjectCannedACL, ServerSideEncryption, Timestamp, TimestampFormat,
};
use s3s::{S3Error, S3Result, s3_error};
use serde::{Deserialize, Serialize};

use super::error::custom;
use super::index::Entry;

/// Headers that are stored with an object and given back with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Attributes {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cache_control: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content_disposition: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content_encoding: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content_language: Option<String>,
    /// An HTTP date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) expires: Option<String>,
    /// `x-amz-meta-*`, without the prefix.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) metadata: BTreeMap<String, String>,
}

/// Reads [`Attributes`] out of an s3s input that has the fields of `PutObjectInput`.
macro_rules! attributes {
    ($input:expr) => {
        $crate::s3::attributes::Attributes {
            content_type: $input.content_type.clone(),
            cache_control: $input.cache_control.clone(),
            content_disposition: $input.content_disposition.clone(),
            content_encoding: $crate::s3::attributes::stored_encoding(
                $input.content_encoding.as_deref(),
            ),
            content_language: $input.content_language.clone(),
            expires: $input
                .expires
                .as_ref()
                .and_then($crate::s3::attributes::http_date),
            metadata: $input
                .metadata
                .clone()
                .unwrap_or_default()
                .into_iter()
                .collect(),
        }
    };
}
pub(super) use attributes;

/// Refuses what this store would silently drop, so that nobody believes it was kept.
macro_rules! refuse_unkept {
    ($input:expr) => {
        $crate::s3::attributes::refuse_what_is_not_kept(
            $input.acl.as_ref(),
            $input.tagging.is_some(),
            $input.sse_customer_key.is_some(),
            $input.server_side_encryption.as_ref(),
        )
    };
}
pub(super) use refuse_unkept;

pub(super) fn refuse_what_is_not_kept(
    acl: Option<&ObjectCannedACL>,
    tagged: bool,
    customer_key: bool,
    encryption: Option<&ServerSideEncryption>,
) -> S3Result<()> {
    // As a bucket with "bucket owner enforced" ownership, which is S3's default.
    if acl.is_some_and(|acl| !matches!(acl.as_str(), "private" | "bucket-owner-full-control")) {
        return Err(s3_error!(
            AccessControlListNotSupported,
            "The bucket does not allow ACLs"
        ));
    }
    if tagged {
        return Err(s3_error!(NotImplemented, "Object tags are not implemented"));
    }
    if customer_key || encryption.is_some_and(|kind| kind.as_str() != "AES256") {
        return Err(s3_error!(
            NotImplemented,
            "Encryption with customer or KMS keys is not implemented"
        ));
    }
    Ok(())
}

/// `aws-chunked` describes the transfer, not the object: S3 does not store it.
pub(super) fn stored_encoding(value: Option<&str>) -> Option<String> {
    let kept: Vec<&str> = value?
        .split(',')
        .map(str::trim)
        .filter(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("aws-chunked"))
        .collect();
    (!kept.is_empty()).then(|| kept.join(", "))
}

pub(super) fn http_date(time: &Timestamp) -> Option<String> {
    let mut text = Vec::new();
    time.format(TimestampFormat::HttpDate, &mut text).ok()?;
    String::from_utf8(text).ok()
}

impl Attributes {
    /// `Expires` as s3s wants it.
    pub(super) fn expires(&self) -> Option<Timestamp> {
        Timestamp::parse(TimestampFormat::HttpDate, self.expires.as_deref()?).ok()
    }

    pub(super) fn content_type(&self) -> &str {
        // S3's default for an upload that states none.
        self.content_type
            .as_deref()
            .unwrap_or("binary/octet-stream")
    }

    /// The stored disposition, except that a browser shall never render what is not a picture:
    /// this port shares its host, and so its cookies, with the application. A signed
    /// `response-content-disposition` still overrides it. SVG counts as a document: it runs
    /// scripts.
    pub(super) fn safe_disposition(&self) -> Option<String> {
        let kind = self.content_type().trim().to_ascii_lowercase();
        let picture = kind.starts_with("image/") && !kind.starts_with("image/svg");
        match &self.content_disposition {
            Some(stored) if picture || is_attachment(stored) => Some(stored.clone()),
            _ if picture => None,
            _ => Some("attachment".to_owned()),
        }
    }
}

fn is_attachment(disposition: &str) -> bool {
    disposition
        .split(';')
        .next()
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("attachment"))
}

/// Milliseconds since 1970 as s3s wants them.
pub(super) fn timestamp(millis: i64) -> Timestamp {
    Timestamp::from(UNIX_EPOCH + Duration::from_millis(u64::try_from(millis).unwrap_or(0)))
}

/// The conditional headers of a read, or of the source of a copy.
#[derive(Clone, Debug, Default)]
pub(super) struct ReadCondition<'a> {
    pub(super) matches: Option<&'a ETagCondition>,
    pub(super) none_match: Option<&'a ETagCondition>,
    pub(super) modified_since: Option<&'a Timestamp>,
    pub(super) unmodified_since: Option<&'a Timestamp>,
}

impl ReadCondition<'_> {
    /// Order and meaning of RFC 9110, section 13.2.2.
    ///
    /// # Errors
    /// `PreconditionFailed`, or a 304 that carries the entity tag.
    pub(super) fn check(&self, entry: &Entry) -> S3Result<()> {
        let etag = ETag::Strong(entry.etag.clone());
        // HTTP dates have whole seconds.
        let modified = timestamp(entry.modified / 1000 * 1000);
        let hit = |condition: &ETagCondition| match condition {
            ETagCondition::Any => true,
            ETagCondition::ETag(other) => other.value() == etag.value(),
        };
        match (self.matches, self.unmodified_since) {
            (Some(condition), _) if !hit(condition) => return Err(failed()),
            (None, Some(time)) if modified > *time => return Err(failed()),
            _ => {}
        }
        let unchanged = match (self.none_match, self.modified_since) {
            (Some(condition), _) => hit(condition),
            (None, Some(time)) => modified <= *time,
            (None, None) => false,
        };
        if unchanged {
            return Err(not_modified(entry));
        }
        Ok(())
    }

    /// The same for a copy, which knows no 304.
    pub(super) fn check_source(&self, entry: &Entry) -> S3Result<()> {
        self.check(entry).map_err(|_| failed())
    }
}

fn failed() -> S3Error {
    s3_error!(
        PreconditionFailed,
        "At least one of the pre-conditions you specified did not hold"
    )
}

fn not_modified(entry: &Entry) -> S3Error {
    let mut headers = http::HeaderMap::new();
    let attributes = &entry.detail.attributes;
    let etag = format!("\"{}\"", entry.etag);
    let modified = http_date(&timestamp(entry.modified));
    for (name, value) in [
        (http::header::ETAG, Some(etag.as_str())),
        (http::header::LAST_MODIFIED, modified.as_deref()),
        (
            http::header::CACHE_CONTROL,
            attributes.cache_control.as_deref(),
        ),
        (http::header::EXPIRES, attributes.expires.as_deref()),
    ] {
        if let Some(value) = value.and_then(|value| value.parse().ok()) {
            headers.insert(name, value);
        }
    }
    let mut error = custom(
        "NotModified",
        http::StatusCode::NOT_MODIFIED,
        "Not Modified",
    );
    error.set_headers(headers);
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_type(content_type: &str, disposition: Option<&str>) -> Option<String> {
        Attributes {
            content_type: Some(content_type.to_owned()),
            content_disposition: disposition.map(str::to_owned),
            ..Attributes::default()
        }
        .safe_disposition()
    }

    #[test]
    fn only_pictures_may_be_shown_inline() {
        assert_eq!(of_type("image/jpeg", None), None);
        assert_eq!(
            of_type("image/png", Some("inline")).as_deref(),
            Some("inline")
        );
        for risky in [
            "text/html",
            "image/svg+xml",
            "IMAGE/SVG+XML",
            "application/pdf",
            "",
        ] {
            assert_eq!(of_type(risky, None).as_deref(), Some("attachment"));
            assert_eq!(
                of_type(risky, Some("inline; filename=a")).as_deref(),
                Some("attachment")
            );
        }
        assert_eq!(
            of_type("text/html", Some("Attachment; filename=\"a\"")).as_deref(),
            Some("Attachment; filename=\"a\"")
        );
    }

    #[test]
    fn the_transfer_coding_is_not_stored() {
        assert_eq!(stored_encoding(Some("aws-chunked")), None);
        assert_eq!(
            stored_encoding(Some("aws-chunked, gzip")).as_deref(),
            Some("gzip")
        );
        assert_eq!(stored_encoding(Some("br")).as_deref(), Some("br"));
        assert_eq!(stored_encoding(None), None);
    }
}
