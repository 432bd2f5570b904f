//! What a call and each of its files must be like. Plain functions.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use entity::photo;
use sha2::{Digest as _, Sha256};

use crate::config::Uploads;
use crate::error::{Error, Result, UserError, UserErrorCode};
use crate::storage::{ObjectHead, picture_type};
use crate::text::{is_plain, is_plain_char};

/// Photos that one call may confirm or cancel.
pub const MAX_PHOTO_IDS: usize = 100;

const MAX_FILENAME_CHARS: usize = 255;
const MAX_CLIENT_REF_CHARS: usize = 255;
const MAX_KEY_BYTES: usize = 128;

/// A file that a client wants to send.
#[derive(Clone, Debug)]
pub struct FileRequest {
    /// The client's own name for it.
    pub client_ref: Option<String>,
    /// File name, for people.
    pub filename: String,
    /// MIME type.
    pub content_type: String,
    /// Length in bytes.
    pub byte_size: i64,
    /// SHA-256: 64 hex digits, or 44 characters of base64.
    pub sha256: String,
}

/// A file that passed the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptedFile {
    /// The client's own name for it.
    pub client_ref: Option<String>,
    /// File name without control characters.
    pub filename: String,
    /// MIME type, one that we take.
    pub content_type: &'static str,
    /// Length in bytes.
    pub byte_size: i64,
    /// SHA-256, lower-case hex.
    pub sha256: String,
}

/// Checks what concerns the call as a whole.
///
/// # Errors
/// [`Error::User`]: no files, too many files, or an idempotency key of the wrong form.
pub fn check_call(key: Option<&str>, files: usize, limits: &Uploads) -> Result<()> {
    let most = limits.max_files_per_request as usize;
    if files == 0 {
        return Err(Error::user(
            UserErrorCode::Invalid,
            &["input", "files"],
            "ask for at least one file",
        ));
    }
    if files > most {
        return Err(Error::user(
            UserErrorCode::TooManyFiles,
            &["input", "files"],
            format!("at most {most} files a call"),
        ));
    }
    // Blanks are out: MySQL takes keys for equal that differ in blanks at the end only.
    let good = |key: &str| {
        (1..=MAX_KEY_BYTES).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic())
    };
    if key.is_some_and(|key| !good(key)) {
        return Err(Error::user(
            UserErrorCode::Invalid,
            &["input", "idempotencyKey"],
            format!("1 to {MAX_KEY_BYTES} visible ASCII characters, for example a UUID"),
        ));
    }
    Ok(())
}

/// Checks the length of a list of photo ids.
///
/// # Errors
/// [`Error::User`] above [`MAX_PHOTO_IDS`].
pub fn check_ids(ids: usize) -> Result<()> {
    if ids > MAX_PHOTO_IDS {
        return Err(Error::user(
            UserErrorCode::TooManyFiles,
            &["input", "photoIds"],
            format!("at most {MAX_PHOTO_IDS} photos a call"),
        ));
    }
    Ok(())
}

/// Checks the file at `index` of the call; every fault is named at once.
///
/// # Errors
/// The faults.
pub fn check_file(
    index: usize,
    file: &FileRequest,
    limits: &Uploads,
) -> std::result::Result<AcceptedFile, Vec<UserError>> {
    let mut faults = Vec::new();
    let mut fault = |field: &str, code: UserErrorCode, message: String| {
        let path = ["input", "files", &index.to_string(), field];
        faults.push(UserError::new(code, &path, message));
    };

    let filename = filename(&file.filename);
    if filename.is_none() {
        fault(
            "filename",
            UserErrorCode::Invalid,
            format!("1 to {MAX_FILENAME_CHARS} characters"),
        );
    }
    let client_ref = file.client_ref.as_deref();
    if client_ref.is_some_and(|text| text.chars().count() > MAX_CLIENT_REF_CHARS || !is_plain(text))
    {
        fault(
            "clientRef",
            UserErrorCode::Invalid,
            format!("at most {MAX_CLIENT_REF_CHARS} characters, none of them a control character"),
        );
    }
    let content_type = picture_type(&file.content_type);
    if content_type.is_none() {
        if is_heic(&file.content_type) {
            fault(
                "contentType",
                UserErrorCode::HeicUnsupported,
                "HEIC and HEIF are not decoded yet: send JPEG, PNG or WebP".into(),
            );
        } else {
            fault(
                "contentType",
                UserErrorCode::UnsupportedContentType,
                "must be image/jpeg, image/png or image/webp".into(),
            );
        }
    }
    let most = limits.max_byte_size;
    if file.byte_size == 0 {
        fault(
            "byteSize",
            UserErrorCode::FileEmpty,
            "the file is empty".into(),
        );
    } else if file.byte_size < 0 {
        fault(
            "byteSize",
            UserErrorCode::Invalid,
            "must be the file's length in bytes".into(),
        );
    } else if u64::try_from(file.byte_size).is_ok_and(|size| size > most) {
        fault(
            "byteSize",
            UserErrorCode::FileTooLarge,
            format!("at most {most} bytes"),
        );
    }
    let sha256 = sha256_hex(&file.sha256);
    if sha256.is_none() {
        fault(
            "sha256",
            UserErrorCode::Invalid,
            "must be a SHA-256 as 64 hex digits or as base64".into(),
        );
    }
    match (filename, content_type, sha256) {
        (Some(filename), Some(content_type), Some(sha256)) if faults.is_empty() => {
            Ok(AcceptedFile {
                client_ref: file.client_ref.clone(),
                filename,
                content_type,
                byte_size: file.byte_size,
                sha256,
            })
        }
        _ => Err(faults),
    }
}

/// The name without outer blanks, control characters and what turns the direction of text. They are
/// left out, not refused as in names that people write: a device made this one, and whoever sends the
/// photo cannot mend it. Slashes and dots stay: it is shown to people and never part of a path.
fn filename(text: &str) -> Option<String> {
    let clean: String = text.chars().filter(|c| is_plain_char(*c)).collect();
    let clean = clean.trim();
    (1..=MAX_FILENAME_CHARS)
        .contains(&clean.chars().count())
        .then(|| clean.to_owned())
}

fn is_heic(content_type: &str) -> bool {
    [
        "image/heic",
        "image/heif",
        "image/heic-sequence",
        "image/heif-sequence",
    ]
    .iter()
    .any(|name| name.eq_ignore_ascii_case(content_type))
}

fn sha256_hex(text: &str) -> Option<String> {
    let bytes = match text.len() {
        64 => hex::decode(text).ok()?,
        44 => STANDARD.decode(text).ok()?,
        _ => return None,
    };
    (bytes.len() == 32).then(|| hex::encode(bytes))
}

/// Whether what stands in the store is the file that was announced, and nothing is said about it that
/// was not: a PUT may carry headers that no signature covers, and the store answers every GET with
/// them. A picture that comes as `gzip` shows nowhere; one that comes as an attachment is offered
/// under any name that its sender likes.
#[must_use]
pub fn is_as_announced(head: &ObjectHead, photo: &photo::Model) -> bool {
    let is_identity = |encoding: &str| encoding.is_empty() || encoding == "identity";
    let encoding = head.content_encoding.as_deref();
    let disposition = head.content_disposition.as_deref();
    head.byte_size == photo.byte_size
        && head.sha256.as_ref().is_none_or(|sum| *sum == photo.sha256)
        && head.content_type.as_ref().is_none_or(|ty| ty.eq_ignore_ascii_case(&photo.content_type))
        && encoding.is_none_or(is_identity)
        // Some stores say this of every object.
        && disposition.is_none_or(|disposition| disposition.starts_with("inline"))
}

/// SHA-256 of the files as they were asked for, hex: two calls with one idempotency key must agree
/// in it.
#[must_use]
pub fn fingerprint(files: &[FileRequest]) -> String {
    let mut hash = Sha256::new();
    // With their lengths, so that text cannot wander from one field to the next.
    let mut field = |text: &str| {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    };
    for file in files {
        field(match &file.client_ref {
            Some(_) => "some",
            None => "none",
        });
        field(file.client_ref.as_deref().unwrap_or_default());
        field(&file.filename);
        field(&file.content_type);
        field(&file.byte_size.to_string());
        field(&file.sha256);
    }
    hex::encode(hash.finalize())
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
