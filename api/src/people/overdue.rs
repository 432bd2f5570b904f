//! Asking for a gallery's grouping, which may wait for other jobs, but not for long.

use std::time::Duration;

use async_trait::async_trait;
use entity::GalleryId;
use entity::gallery::Matcher;
use sea_orm::ConnectionTrait;

use super::GROUP;
use crate::clock::Clock;
use crate::db::Db;
use crate::error::Result;
use crate::job::{Handler, JobError, Lease, NewJob, Outcome, queue};

/// Kind of the job that lets a grouping go first; its subject is the gallery's id.
pub const GROUP_OVERDUE: &str = "group_overdue";

/// How long a grouping with CompareFaces waits for the analyses that are due. At some photos a second
/// that makes batches of hundreds of faces, and somebody who looks on sees people within a minute.
const PATIENCE: Duration = Duration::from_secs(60);

/// Before the analyses, which have 0.
const FIRST: i32 = 1;

/// Asks for the grouping of a gallery whose faces wait.
///
/// With a collection it runs before the analyses that are due: those of an event's upload were all
/// asked for earlier, and no photo would be READY, no person seen, until the last of thousands is
/// analysed. With CompareFaces it lets them go first for a while: faces that match nobody are
/// compared with each other, and a larger batch finds more of them (recall .53 against .37, on the
/// labelled faces of the tests, where each photo was grouped by itself).
///
/// # Errors
/// The database's.
pub(crate) async fn ask(
    connection: &impl ConnectionTrait,
    clock: &Clock,
    gallery: GalleryId,
    matcher: Matcher,
) -> Result<()> {
    let job = |kind, priority, delay| NewJob {
        kind,
        subject: gallery.to_string(),
        priority,
        delay,
    };
    match matcher {
        Matcher::Collection => {
            let group = job(GROUP, FIRST, Duration::ZERO);
            queue::enqueue(connection, clock, group).await
        }
        Matcher::Compare => {
            let group = job(GROUP, 0, Duration::ZERO);
            queue::enqueue(connection, clock, group).await?;
            // It stands already where faces have waited for a while, and keeps its earlier time.
            let overdue = job(GROUP_OVERDUE, FIRST + 1, PATIENCE);
            queue::enqueue(connection, clock, overdue).await
        }
    }
}

/// Handler of [`GROUP_OVERDUE`].
#[derive(Debug)]
pub struct GroupOverdue {
    /// Database.
    pub db: Db,
}

#[async_trait]
impl Handler for GroupOverdue {
    fn kind(&self) -> &'static str {
        GROUP_OVERDUE
    }

    async fn run(&self, lease: &Lease) -> Result<Outcome, JobError> {
        let transaction = self.db.begin().await?;
        queue::prefer(&*transaction, GROUP, &lease.subject, FIRST).await?;
        transaction.commit().await?;
        Ok(Outcome::Done)
    }

    async fn given_up(&self, lease: &Lease, error: &str) -> Result<(), JobError> {
        let gallery = &lease.subject;
        tracing::error!(
            gallery,
            error,
            "its grouping waits for the analyses that are due"
        );
        Ok(())
    }
}
