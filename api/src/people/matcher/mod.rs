//! How faces are told apart: the port, and its two implementations.

mod ballot;
pub mod collection;
pub mod compare;
mod crops;
mod drawing;
mod source;

use std::collections::HashMap;

use async_trait::async_trait;
use entity::{FaceId, PersonId, SheetId};
use sea_orm::DatabaseTransaction;

use super::roster::{Batch, KnownFace, Roster};
use crate::job::JobError;
use crate::storage::{ObjectKey, StorageError};
use crate::vision::VisionError;

/// A person, or one that this batch founds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Group {
    /// Somebody of the roster.
    Person(PersonId),
    /// Somebody new; numbers are the batch's own.
    New(usize),
}

/// What becomes of a face.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Decision {
    /// It belongs to this group.
    Joins {
        /// The group.
        group: Group,
        /// Similarity that decided it; none for the founder.
        similarity: Option<f32>,
    },
    /// It matches nobody and may not found a person, or it cannot be analysed.
    Unmatched,
}

/// What a matcher decided on a batch.
#[derive(Clone, Debug, Default)]
pub struct Decided {
    /// Decisions; faces without one go on waiting, which happens only if the matcher stopped.
    pub decisions: HashMap<FaceId, Decision>,
    /// Faces outside of the batch, so far unmatched, that are decided on too.
    pub claimed: Vec<KnownFace>,
    /// Why the matcher stopped before the end of the batch; worth another try later.
    pub stopped: Option<VisionError>,
}

impl Decided {
    /// People of the roster that gain faces; may repeat.
    pub fn joined(&self) -> impl Iterator<Item = PersonId> {
        self.decisions
            .values()
            .filter_map(|decision| match decision {
                Decision::Joins {
                    group: Group::Person(person),
                    ..
                } => Some(*person),
                _ => None,
            })
    }
}

/// A new picture of a contact sheet. The object stands already; the row does not name it yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SheetVersion {
    /// Its id.
    pub id: SheetId,
    /// Version of the new picture.
    pub version: i32,
    /// Cells in use.
    pub cells: u32,
    /// Whether it has no row yet.
    pub is_new: bool,
}

/// What the database must record of contact sheets.
#[derive(Clone, Debug, Default)]
pub struct SheetChanges {
    /// New pictures.
    pub sheets: Vec<SheetVersion>,
    /// Who is drawn where.
    pub places: Vec<(PersonId, SheetId, u32)>,
    /// Objects that nobody needs once this is recorded.
    pub replaced: Vec<ObjectKey>,
}

impl SheetChanges {
    /// Whether there is nothing to record.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sheets.is_empty() && self.places.is_empty()
    }
}

/// Proof that a run may still write. Matchers know no queue.
#[async_trait]
pub trait Fence: Send + Sync {
    /// Proves it within `transaction`, as its last statement before the commit.
    ///
    /// # Errors
    /// [`JobError::LeaseLost`]: roll back.
    async fn hold(&self, transaction: &DatabaseTransaction) -> Result<(), JobError>;
}

/// Tells the faces of one gallery apart, for one run of the grouping job.
#[async_trait]
pub trait FaceMatcher: Send + Sync {
    /// Called once before the first batch: brings what the matcher keeps in line with the rows.
    ///
    /// # Errors
    /// What ends the run.
    async fn begin(&mut self, roster: &mut Roster) -> Result<SheetChanges, JobError>;

    /// Decides on every waiting face of the batch, or stops at an error that is worth another try.
    ///
    /// # Errors
    /// What ends the run with nothing decided, such as a lost lease.
    async fn decide(
        &mut self,
        roster: &Roster,
        batch: &Batch,
        fence: &dyn Fence,
    ) -> Result<Decided, JobError>;

    /// Draws covers that are new or better than before.
    ///
    /// # Errors
    /// What ends the run.
    async fn draw(
        &mut self,
        roster: &Roster,
        covers: &[(PersonId, KnownFace)],
    ) -> Result<SheetChanges, JobError>;

    /// Called after sheets were recorded: removes what they replaced.
    async fn recorded(&mut self, changes: &SheetChanges);

    /// Whether unmatched faces are worth a try of their own after a person was founded.
    fn retries_unmatched(&self) -> bool;
}

/// What a vision error means for a run.
pub(super) fn vision_error(error: VisionError) -> JobError {
    match error {
        VisionError::Permanent { .. } => JobError::Fail(error.into()),
        VisionError::Retryable { .. } | VisionError::NoSuchCollection | VisionError::NoFace => {
            JobError::Retry {
                error: error.into(),
                after: None,
            }
        }
    }
}

/// What a storage error means for a run.
pub(super) fn storage_error(error: StorageError) -> JobError {
    JobError::Retry {
        error: error.into(),
        after: None,
    }
}

/// A picture that cannot be written: a fault of ours.
pub(super) fn internal_error(error: impl Into<anyhow::Error>) -> JobError {
    JobError::Fail(error.into())
}
