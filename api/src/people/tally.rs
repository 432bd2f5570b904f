//! What a person's row repeats of its faces: counts and cover.

use std::collections::{HashMap, HashSet};

use entity::{FaceId, PersonId, Timestamp, face, person};
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter,
    QueryOrder, QuerySelect,
};

use crate::db::Transaction;
use crate::error::Result;
use crate::event::Happening;

/// Best quality among each person's faces. One statement.
///
/// # Errors
/// The database's.
pub async fn best_quality(
    connection: &impl ConnectionTrait,
    people: &[PersonId],
) -> Result<HashMap<PersonId, f32>> {
    let rows: Vec<(PersonId, f32)> = face::Entity::find()
        .select_only()
        .column(face::Column::PersonId)
        .expr(Expr::col(face::Column::Quality).max())
        .filter(face::Column::PersonId.is_in(people.iter().copied()))
        .group_by(face::Column::PersonId)
        .into_tuple()
        .all(connection)
        .await?;
    Ok(rows.into_iter().collect())
}

/// Writes counts anew for these people after their faces changed, gives a new cover to those whose
/// cover left, and removes people without faces; the outbox tells of all of them. Call it in the
/// transaction of the change, after it; it locks the rows of `person`.
///
/// # Errors
/// The database's.
pub async fn recount(transaction: &Transaction, people: &[PersonId], now: Timestamp) -> Result<()> {
    // Far below the databases' limits on binds.
    for chunk in people.chunks(500) {
        recount_chunk(transaction, chunk, now).await?;
    }
    Ok(())
}

async fn recount_chunk(
    transaction: &Transaction,
    people: &[PersonId],
    now: Timestamp,
) -> Result<()> {
    let connection: &DatabaseTransaction = transaction;
    let rows = person::Entity::find()
        .filter(person::Column::Id.is_in(people.iter().copied()))
        .order_by_asc(person::Column::Id)
        .lock_exclusive()
        .all(connection)
        .await?;
    let counts = counts(connection, people).await?;
    let kept = kept_covers(connection, &rows).await?;
    let mut empty = Vec::new();
    for row in rows {
        let Some((faces, photos)) = counts.get(&row.id) else {
            empty.push(row.id);
            transaction.record(Happening::person_deleted(row.gallery_id, row.id, now));
            continue;
        };
        let mut change = person::ActiveModel {
            face_count: Set(i32::try_from(*faces).unwrap_or(i32::MAX)),
            photo_count: Set(i32::try_from(*photos).unwrap_or(i32::MAX)),
            updated_at: Set(now),
            ..Default::default()
        };
        if !kept.contains(&row.id) {
            change.cover_face_id = Set(best_face(connection, row.id).await?);
            // The next run of the grouping job draws the new cover.
            change.sheet_id = Set(None);
            change.sheet_cell = Set(None);
        }
        person::Entity::update_many()
            .set(change)
            .filter(person::Column::Id.eq(row.id))
            .exec(connection)
            .await?;
        transaction.record(Happening::person_changed(row.gallery_id, row.id, now));
    }
    if !empty.is_empty() {
        person::Entity::delete_many()
            .filter(person::Column::Id.is_in(empty))
            .exec(connection)
            .await?;
    }
    Ok(())
}

/// Faces and photos of each person that has any.
async fn counts(
    connection: &impl ConnectionTrait,
    people: &[PersonId],
) -> Result<HashMap<PersonId, (i64, i64)>> {
    let rows: Vec<(PersonId, i64, i64)> = face::Entity::find()
        .select_only()
        .column(face::Column::PersonId)
        .expr(Expr::col(face::Column::Id).count())
        .expr(Expr::col(face::Column::PhotoId).count_distinct())
        .filter(face::Column::PersonId.is_in(people.iter().copied()))
        .group_by(face::Column::PersonId)
        .into_tuple()
        .all(connection)
        .await?;
    Ok(rows
        .into_iter()
        .map(|(person, faces, photos)| (person, (faces, photos)))
        .collect())
}

/// People whose cover is still one of their faces.
async fn kept_covers(
    connection: &impl ConnectionTrait,
    rows: &[person::Model],
) -> Result<HashSet<PersonId>> {
    let covers = rows.iter().filter_map(|row| row.cover_face_id);
    let owners: HashMap<FaceId, Option<PersonId>> = face::Entity::find()
        .select_only()
        .columns([face::Column::Id, face::Column::PersonId])
        .filter(face::Column::Id.is_in(covers))
        .into_tuple::<(FaceId, Option<PersonId>)>()
        .all(connection)
        .await?
        .into_iter()
        .collect();
    let keeps = |row: &&person::Model| {
        let owner = row.cover_face_id.and_then(|cover| owners.get(&cover));
        owner == Some(&Some(row.id))
    };
    Ok(rows.iter().filter(keeps).map(|row| row.id).collect())
}

async fn best_face(connection: &impl ConnectionTrait, person: PersonId) -> Result<Option<FaceId>> {
    Ok(face::Entity::find()
        .select_only()
        .column(face::Column::Id)
        .filter(face::Column::PersonId.eq(person))
        .order_by_desc(face::Column::Quality)
        .order_by_asc(face::Column::Id)
        .into_tuple()
        .one(connection)
        .await?)
}
