//! Writing and forgetting events.

use std::collections::{BTreeMap, HashSet};

use entity::{GalleryId, Timestamp, event_sequence, gallery_event};
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait, DatabaseTransaction, DbErr,
    EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};

use super::Happening;

/// Rows of one INSERT: five binds each, far below every database's limit.
const ROWS_PER_INSERT: usize = 500;

/// Begins the history of a new gallery, in the transaction that makes it.
///
/// # Errors
/// The database's.
pub async fn begin(connection: &impl ConnectionTrait, gallery: GalleryId) -> Result<(), DbErr> {
    let row = event_sequence::ActiveModel {
        gallery_id: Set(gallery),
        last: Set(0),
    };
    event_sequence::Entity::insert(row)
        .exec_without_returning(connection)
        .await?;
    Ok(())
}

/// Numbers these and writes them; the same thing twice within a transaction is one event. Answers how
/// many were written. Only [`crate::db::Transaction::commit`] calls it, as the last thing of all.
///
/// Galleries are taken in the order of their ids, so that two transactions over several galleries
/// cannot wait for each other.
///
/// # Errors
/// The database's.
pub(crate) async fn append(
    connection: &DatabaseTransaction,
    happened: Vec<Happening>,
) -> Result<u64, DbErr> {
    let mut galleries: BTreeMap<GalleryId, Vec<Happening>> = BTreeMap::new();
    let mut seen = HashSet::new();
    for happening in happened {
        // The time does not tell them apart.
        if seen.insert((happening.gallery, happening.kind as u8, happening.subject)) {
            galleries
                .entry(happening.gallery)
                .or_default()
                .push(happening);
        }
    }
    let mut written = 0;
    for (gallery, events) in galleries {
        let count = events.len() as i64;
        let raised = event_sequence::Entity::update_many()
            .col_expr(
                event_sequence::Column::Last,
                Expr::col(event_sequence::Column::Last).add(count),
            )
            .filter(event_sequence::Column::GalleryId.eq(gallery))
            .exec(connection)
            .await?;
        if raised.rows_affected == 0 {
            // The gallery is removed for good: nobody follows it any more.
            continue;
        }
        let last = last(connection, gallery).await?.unwrap_or(count);
        let rows: Vec<gallery_event::ActiveModel> = events
            .iter()
            .zip(last - count + 1..)
            .map(|(event, seq)| gallery_event::ActiveModel {
                gallery_id: Set(gallery),
                seq: Set(seq),
                kind: Set(event.kind),
                subject: Set(event.subject),
                created_at: Set(event.at),
            })
            .collect();
        for chunk in rows.chunks(ROWS_PER_INSERT) {
            gallery_event::Entity::insert_many(chunk.iter().cloned())
                .exec_without_returning(connection)
                .await?;
        }
        written += events.len() as u64;
    }
    Ok(written)
}

/// Number of the gallery's last event; `None` where it has no history.
///
/// # Errors
/// The database's.
pub async fn last(
    connection: &impl ConnectionTrait,
    gallery: GalleryId,
) -> Result<Option<i64>, DbErr> {
    let row = event_sequence::Entity::find_by_id(gallery)
        .one(connection)
        .await?;
    Ok(row.map(|row| row.last))
}

/// At most `limit` events of a gallery after number `seq`, in their order.
///
/// # Errors
/// The database's.
pub async fn after(
    connection: &impl ConnectionTrait,
    gallery: GalleryId,
    seq: i64,
    limit: u64,
) -> Result<Vec<gallery_event::Model>, DbErr> {
    gallery_event::Entity::find()
        .filter(gallery_event::Column::GalleryId.eq(gallery))
        .filter(gallery_event::Column::Seq.gt(seq))
        .order_by_asc(gallery_event::Column::Seq)
        .limit(limit)
        .all(connection)
        .await
}

/// Deletes at most `limit` events from before `before`, oldest first; answers how many there were.
///
/// # Errors
/// The database's.
pub async fn forget_before(
    connection: &impl ConnectionTrait,
    before: Timestamp,
    limit: u64,
) -> Result<usize, DbErr> {
    let old: Vec<(GalleryId, i64)> = gallery_event::Entity::find()
        .select_only()
        .columns([gallery_event::Column::GalleryId, gallery_event::Column::Seq])
        .filter(gallery_event::Column::CreatedAt.lt(before))
        .order_by_asc(gallery_event::Column::CreatedAt)
        .limit(limit)
        .into_tuple()
        .all(connection)
        .await?;
    // A gallery loses a beginning of its history and nothing in the middle, even where the clocks of
    // two replicas disagree about what came first.
    let mut ends: BTreeMap<GalleryId, i64> = BTreeMap::new();
    for (gallery, seq) in &old {
        let end = ends.entry(*gallery).or_default();
        *end = std::cmp::max(*end, *seq);
    }
    for (gallery, end) in ends {
        gallery_event::Entity::delete_many()
            .filter(gallery_event::Column::GalleryId.eq(gallery))
            .filter(gallery_event::Column::Seq.lte(end))
            .exec(connection)
            .await?;
    }
    Ok(old.len())
}

/// Forgets the whole history of a gallery that is removed for good.
///
/// # Errors
/// The database's.
pub async fn forget(connection: &impl ConnectionTrait, gallery: GalleryId) -> Result<(), DbErr> {
    gallery_event::Entity::delete_many()
        .filter(gallery_event::Column::GalleryId.eq(gallery))
        .exec(connection)
        .await?;
    event_sequence::Entity::delete_by_id(gallery)
        .exec(connection)
        .await?;
    Ok(())
}
