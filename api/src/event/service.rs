//! Following a gallery.

use entity::gallery_event::{self, Kind};
use entity::{GalleryId, gallery};

use super::hub::{Follower, Hub};
use super::{cursor, outbox};
use crate::access::{self, Action, Authorized, Viewer};
use crate::db::Db;
use crate::error::{Error, Result};

/// Lets viewers follow galleries.
#[derive(Clone, Debug)]
pub struct EventService {
    db: Db,
    hub: Hub,
}

impl EventService {
    /// A service over the hub of this process.
    #[must_use]
    pub fn new(db: Db, hub: Hub) -> Self {
        Self { db, hub }
    }

    /// Follows a gallery from now on, or from after the event of the cursor `after`.
    ///
    /// # Errors
    /// `Unauthenticated`, `NotFound` (also for strangers); `BadUserInput` for what is no cursor of
    /// this gallery; [`Error::CursorTooOld`] where events after it are no longer kept, or where it
    /// lies ahead of the history (a database restored from a backup).
    pub async fn follow(
        &self,
        viewer: Viewer,
        gallery: GalleryId,
        after: Option<&str>,
    ) -> Result<Following> {
        access::gallery(self.db.read(), viewer, gallery, Action::View).await?;
        let after = after
            .map(|text| cursor::decode(gallery, text))
            .transpose()?;
        let last = outbox::last(self.db.read(), gallery)
            .await?
            .ok_or(Error::NotFound)?;
        let seq = after.unwrap_or(last);
        if seq > last {
            return Err(Error::CursorTooOld);
        }
        if seq < last {
            let next = outbox::after(self.db.read(), gallery, seq, 1).await?;
            if next.first().is_none_or(|event| event.seq != seq + 1) {
                return Err(Error::CursorTooOld);
            }
        }
        Ok(Following {
            db: self.db.clone(),
            viewer,
            gallery,
            start: seq,
            follower: self.hub.follow(gallery, seq),
        })
    }

    /// How many subscriptions this process serves.
    #[must_use]
    pub fn followers(&self) -> usize {
        self.hub.followers()
    }
}

/// A viewer who follows a gallery.
pub struct Following {
    db: Db,
    viewer: Viewer,
    gallery: GalleryId,
    start: i64,
    follower: Follower,
}

/// Events in their order, with the authority under which the viewer sees them.
pub struct Batch {
    /// The gallery as it is now; `None` where the last event says that it was deleted.
    pub gallery: Option<Authorized<gallery::Model>>,
    /// The events: at least one.
    pub events: Vec<gallery_event::Model>,
}

impl Following {
    /// Cursor of the place from which this goes on.
    #[must_use]
    pub fn start(&self) -> String {
        cursor::encode(self.gallery, self.start)
    }

    /// Who follows.
    #[must_use]
    pub fn viewer(&self) -> Viewer {
        self.viewer
    }

    /// Waits until something happens.
    ///
    /// # Errors
    /// `Internal`.
    pub async fn wait(&mut self) -> Result<()> {
        self.follower.wait().await
    }

    /// What happened since, once [`Following::wait`] has ended. The viewer's right to see the gallery
    /// is looked at anew each time.
    ///
    /// # Errors
    /// `NotFound` once the viewer is no member any more; [`Error::CursorTooOld`] for a viewer who is
    /// so slow that the next events are no longer kept; the database's. Nothing may follow an error:
    /// what it was about would be missing.
    pub async fn take(&mut self) -> Result<Batch> {
        let mut events = self.follower.take().await?;
        let seen = access::gallery(self.db.read(), self.viewer, self.gallery, Action::View).await;
        match seen {
            Ok(gallery) => Ok(Batch {
                gallery: Some(gallery),
                events,
            }),
            Err(Error::NotFound) => {
                let end = events
                    .iter()
                    .position(|event| event.kind == Kind::GalleryDeleted);
                // Nobody is a member of what is gone: of its end only this is told.
                let end = end.ok_or(Error::NotFound)?;
                Ok(Batch {
                    gallery: None,
                    events: vec![events.swap_remove(end)],
                })
            }
            Err(error) => Err(error),
        }
    }
}
