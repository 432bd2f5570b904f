//! The queue.

use sea_orm::entity::prelude::*;

use crate::{JobId, Timestamp};

/// One job. At most one exists per `kind` and `subject`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "job")]
pub struct Model {
    /// Primary key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: JobId,
    /// Which handler runs it.
    pub kind: String,
    /// What it is about, usually an id; unique with `kind`.
    pub subject: String,
    /// Raised by every request for a job that already stands: a worker that finishes an older
    /// generation puts the job back instead of deleting it, so no wake-up is lost.
    pub generation: i32,
    /// Larger runs earlier among the jobs that are due.
    pub priority: i32,
    /// Not before this time; while leased, the end of the lease.
    pub available_at: Timestamp,
    /// Token of the worker that holds it.
    pub lease_token: Option<Uuid>,
    /// Attempts so far, counted when claimed, so that a crash counts too.
    pub attempts: i32,
    /// Attempts allowed.
    pub max_attempts: i32,
    /// Set when the attempts are spent: kept for people to look at, never run again.
    pub buried_at: Option<Timestamp>,
    /// The last failure, for people.
    pub last_error: Option<String>,
    /// Where it goes on, of a job that does not end in one run.
    pub place: Option<String>,
    /// When it was first asked for.
    pub created_at: Timestamp,
}

/// Relations of the table.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
