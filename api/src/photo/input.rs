//! What clients say to pick photos.

use async_graphql::{Enum, ID, InputObject};
use chrono::{DateTime, Utc};
use entity::photo::Status;

use super::query::{Filter, Order};
use crate::error::{Error, Result};
use crate::graphql::id;

/// Entries a list of a filter may have.
const MAX_ENTRIES: usize = 20;
/// Longest text and longest label of a filter in characters.
const MAX_TEXT: usize = 200;

/// Which photos: everything named must hold.
#[derive(InputObject, Default)]
pub struct PhotoFilter {
    /// All of these people are in the photo. At most 20.
    people: Option<Vec<ID>>,
    /// The photo carries all of these labels. At most 20, of at most 200 characters.
    labels: Option<Vec<String>>,
    /// When it was taken.
    taken_between: Option<TimeRange>,
    /// Uploaded by one of these users. At most 20; FORBIDDEN for guests, who do not see members.
    uploaders: Option<Vec<ID>>,
    /// In one of these states; none: every state but AWAITING_UPLOAD, which guests never see.
    status: Option<Vec<PhotoStatus>>,
    /// File name, a label or a person's name contains this text, in any case. At most 200 characters.
    text: Option<String>,
}

/// A stretch of time.
#[derive(InputObject)]
pub struct TimeRange {
    /// From this time on.
    from: Option<DateTime<Utc>>,
    /// Up to this time, itself left out.
    before: Option<DateTime<Utc>>,
}

/// Where a photo stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum PhotoStatus {
    /// A presigned URL was handed out; the upload is not confirmed.
    AwaitingUpload,
    /// Confirmed; the analysis is under way.
    Processing,
    /// Every step is done.
    Ready,
    /// Viewable, but a step failed for good; see `analysis`.
    Partial,
    /// The bytes are no picture that we take; see `analysis`.
    Failed,
}

impl From<PhotoStatus> for Status {
    fn from(status: PhotoStatus) -> Self {
        match status {
            PhotoStatus::AwaitingUpload => Self::AwaitingUpload,
            PhotoStatus::Processing => Self::Processing,
            PhotoStatus::Ready => Self::Ready,
            PhotoStatus::Partial => Self::Partial,
            PhotoStatus::Failed => Self::Failed,
        }
    }
}

impl From<Status> for PhotoStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::AwaitingUpload => Self::AwaitingUpload,
            Status::Processing => Self::Processing,
            Status::Ready => Self::Ready,
            Status::Partial => Self::Partial,
            // A deleted photo reaches a client only as what a cancelled upload was before.
            Status::Failed | Status::Deleting => Self::Failed,
        }
    }
}

/// By what photos are ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Enum)]
#[graphql(remote = "Order")]
pub enum PhotoOrder {
    /// Newest picture first.
    #[default]
    TakenAtDesc,
    /// Oldest picture first.
    TakenAtAsc,
    /// Latest upload first.
    CreatedAtDesc,
    /// Earliest upload first.
    CreatedAtAsc,
}

impl PhotoFilter {
    /// Checks and converts.
    ///
    /// # Errors
    /// `BadUserInput` for lists or texts beyond their limits and for ids of other types.
    pub fn read(self) -> Result<Filter> {
        let people = bounded("people", self.people)?;
        let labels = bounded("labels", self.labels)?;
        let longest = labels.iter().map(|label| label.chars().count()).max();
        if longest > Some(MAX_TEXT) {
            return Err(Error::BadUserInput(format!(
                "`filter.labels` has one of more than {MAX_TEXT} characters"
            )));
        }
        let uploaders = bounded("uploaders", self.uploaders)?;
        let statuses = bounded("status", self.status)?;
        let text = self
            .text
            .map(|text| text.trim().to_owned())
            .filter(|text| !text.is_empty());
        if text
            .as_ref()
            .is_some_and(|text| text.chars().count() > MAX_TEXT)
        {
            return Err(Error::BadUserInput(format!(
                "`filter.text` has more than {MAX_TEXT} characters"
            )));
        }
        let (from, before) = self
            .taken_between
            .map_or((None, None), |range| (range.from, range.before));
        Ok(Filter {
            people: id::decode_all(&people)?,
            labels,
            taken_from: from.map(Into::into),
            taken_before: before.map(Into::into),
            uploaders: id::decode_all(&uploaders)?,
            statuses: statuses.into_iter().map(Into::into).collect(),
            text,
        })
    }
}

fn bounded<T>(name: &str, list: Option<Vec<T>>) -> Result<Vec<T>> {
    let list = list.unwrap_or_default();
    if list.len() > MAX_ENTRIES {
        return Err(Error::BadUserInput(format!(
            "`filter.{name}` has more than {MAX_ENTRIES} entries"
        )));
    }
    Ok(list)
}
