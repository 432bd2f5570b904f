//! What any process wrote to the outbox, for the subscriptions of this one.
//!
//! One reader per process asks the database, in one statement, for what is new in all galleries that
//! somebody follows: at once after this process wrote something, and at every tick for what others
//! wrote. Where nobody follows anything there is no reader.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use entity::{GalleryId, gallery_event};
use sea_orm::{
    ColumnTrait as _, Condition, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};
use tokio::sync::{Notify, watch};

use super::outbox;
use crate::db::Db;
use crate::error::{Error, Result};

/// Events of a gallery that are kept in memory for its subscriptions.
const RECENT: usize = 1_000;
/// Events of one look.
const LOOK: u64 = 1_000;
/// Galleries of one statement: its conditions must not outgrow the databases' parsers.
const GALLERIES: usize = 200;
/// After a look, news of this process are gathered for so long: an analysis commits often.
const GATHER: Duration = Duration::from_millis(20);
/// Longest statement: a server that vanishes without a word would be waited for as long as TCP does.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// Events that a follower takes at a time.
const BATCH: usize = 50;

/// The galleries that are followed in this process. Cheap to clone.
#[derive(Clone)]
pub struct Hub(Arc<Inner>);

struct Inner {
    db: Db,
    poll: Duration,
    galleries: Mutex<Followed>,
    /// Somebody new follows: they may have much to catch up on.
    newcomer: Notify,
}

#[derive(Default)]
struct Followed {
    tails: HashMap<GalleryId, Arc<Tail>>,
    /// Whether the reader runs.
    reading: bool,
}

/// The end of a gallery's history.
struct Tail {
    /// Number of the last event that is known to stand.
    last: watch::Sender<i64>,
    /// The newest events, without a gap, the last one last.
    recent: Mutex<VecDeque<gallery_event::Model>>,
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub").finish_non_exhaustive()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Hub {
    /// A hub that looks for the events of other processes every `poll`.
    #[must_use]
    pub fn new(db: Db, poll: Duration) -> Self {
        Self(Arc::new(Inner {
            db,
            poll,
            galleries: Mutex::default(),
            newcomer: Notify::new(),
        }))
    }

    /// Follows a gallery from after event number `seq`, which must not lie ahead.
    #[must_use]
    pub fn follow(&self, gallery: GalleryId, seq: i64) -> Follower {
        let mut followed = locked(&self.0.galleries);
        let tail = followed.tails.entry(gallery).or_insert_with(|| {
            Arc::new(Tail {
                last: watch::Sender::new(seq),
                recent: Mutex::default(),
            })
        });
        let follower = Follower {
            db: self.0.db.clone(),
            gallery,
            seq,
            last: tail.last.subscribe(),
            tail: Arc::clone(tail),
        };
        if !followed.reading {
            followed.reading = true;
            let inner = Arc::clone(&self.0);
            tokio::spawn(async move { inner.read().await });
        }
        self.0.newcomer.notify_one();
        follower
    }

    /// How many subscriptions there are.
    #[must_use]
    pub fn followers(&self) -> usize {
        let followed = locked(&self.0.galleries);
        let tails = followed.tails.values();
        tails.map(|tail| tail.last.receiver_count()).sum()
    }
}

impl Inner {
    async fn read(&self) {
        let mut news = self.db.news();
        loop {
            let Some(wanted) = self.wanted() else { return };
            for galleries in wanted.chunks(GALLERIES) {
                // After an error the next tick tries again; subscribers wait meanwhile.
                while match tokio::time::timeout(PATIENCE, self.look(galleries)).await {
                    Ok(Ok(more)) => more,
                    Ok(Err(error)) => {
                        tracing::warn!(%error, "events cannot be read");
                        false
                    }
                    Err(_) => {
                        tracing::warn!("events cannot be read: the database does not answer");
                        false
                    }
                } {}
            }
            tokio::time::sleep(GATHER.min(self.poll)).await;
            tokio::select! {
                () = tokio::time::sleep(self.poll) => {}
                () = self.newcomer.notified() => {}
                changed = news.changed() => if changed.is_err() { return },
            }
        }
    }

    /// The galleries with followers; `None` where there are none: the reader ends.
    fn wanted(&self) -> Option<Vec<GalleryId>> {
        let mut followed = locked(&self.galleries);
        followed
            .tails
            .retain(|_, tail| tail.last.receiver_count() > 0);
        followed.reading = !followed.tails.is_empty();
        followed
            .reading
            .then(|| followed.tails.keys().copied().collect())
    }

    /// Hands out what is new in these galleries; `true` where there may be more.
    async fn look(&self, galleries: &[GalleryId]) -> Result<bool, DbErr> {
        let tails: HashMap<GalleryId, Arc<Tail>> = {
            let followed = locked(&self.galleries);
            let found = galleries
                .iter()
                .filter_map(|id| followed.tails.get_key_value(id));
            found.map(|(id, tail)| (*id, Arc::clone(tail))).collect()
        };
        let mut new = Condition::any();
        for (id, tail) in &tails {
            let beyond = gallery_event::Column::Seq.gt(*tail.last.borrow());
            let own = gallery_event::Column::GalleryId.eq(*id);
            new = new.add(Condition::all().add(own).add(beyond));
        }
        let rows = gallery_event::Entity::find()
            .filter(new)
            .order_by_asc(gallery_event::Column::GalleryId)
            .order_by_asc(gallery_event::Column::Seq)
            .limit(LOOK)
            .all(self.db.read())
            .await?;
        let more = rows.len() as u64 == LOOK;
        for row in rows {
            if let Some(tail) = tails.get(&row.gallery_id) {
                tail.push(row);
            }
        }
        Ok(more)
    }
}

impl Tail {
    fn push(&self, row: gallery_event::Model) {
        let seq = row.seq;
        let mut recent = locked(&self.recent);
        if recent.back().is_some_and(|last| last.seq + 1 != seq) {
            recent.clear();
        }
        if recent.len() == RECENT {
            recent.pop_front();
        }
        recent.push_back(row);
        drop(recent);
        self.last.send_replace(seq);
    }

    /// Events right after `seq`; empty where they are not in memory.
    fn after(&self, seq: i64) -> Vec<gallery_event::Model> {
        let recent = locked(&self.recent);
        let first = recent.front().map_or(i64::MAX, |row| row.seq);
        let Ok(skip) = usize::try_from(seq + 1 - first) else {
            return Vec::new();
        };
        recent.iter().skip(skip).take(BATCH).cloned().collect()
    }
}

/// One subscription's place in a gallery's history.
pub struct Follower {
    db: Db,
    gallery: GalleryId,
    seq: i64,
    last: watch::Receiver<i64>,
    tail: Arc<Tail>,
}

impl Follower {
    /// Waits until there are more events.
    ///
    /// # Errors
    /// `Internal`.
    pub async fn wait(&mut self) -> Result<()> {
        // Only the tail's owner could close the channel, and this is one of them.
        while *self.last.borrow_and_update() <= self.seq {
            let changed = self.last.changed().await;
            changed.map_err(|_| Error::internal("the hub is gone"))?;
        }
        Ok(())
    }

    /// The next events once there are some: at least one, without a gap.
    ///
    /// # Errors
    /// [`Error::CursorTooOld`] where the next ones are no longer kept; the database's.
    pub async fn take(&mut self) -> Result<Vec<gallery_event::Model>> {
        let mut rows = self.tail.after(self.seq);
        if rows.is_empty() {
            rows = outbox::after(self.db.read(), self.gallery, self.seq, BATCH as u64).await?;
        }
        let unbroken = rows
            .iter()
            .zip(self.seq + 1..)
            .all(|(row, seq)| row.seq == seq);
        match rows.last() {
            Some(last) if unbroken => {
                self.seq = last.seq;
                Ok(rows)
            }
            _ => Err(Error::CursorTooOld),
        }
    }
}
