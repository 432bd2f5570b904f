//! The writing transactions of the grouping job.

use std::collections::HashSet;

use entity::analysis_step::{State, Step};
use entity::{
    FaceId, GalleryId, PersonId, PhotoId, Timestamp, analysis_step, face, gallery, person, photo,
    sheet,
};
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ActiveEnum as _, ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction,
    EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};

use super::matcher::SheetChanges;
use super::plan::Plan;
use super::tally;
use crate::db::Transaction;
use crate::error::Result;
use crate::photo::document;

/// Writes a plan: people, faces, counts, covers, sheets, steps and documents.
///
/// Rows are locked in the order gallery, photo, face, person. What changed since the plan was made
/// wins: a face that is gone or decided stays so, and faces of a person that is gone go on waiting.
/// Answers how many faces were decided; `None` where the gallery is gone.
///
/// # Errors
/// The database's.
pub async fn write(
    transaction: &Transaction,
    gallery: GalleryId,
    plan: &Plan,
    sheets: &SheetChanges,
    now: Timestamp,
) -> Result<Option<usize>> {
    let connection: &DatabaseTransaction = transaction;
    if !lock_gallery(connection, gallery).await? {
        return Ok(None);
    }
    let photos = lock_photos(connection, plan).await?;
    let open = lock_open_faces(connection, plan).await?;
    let mut people = lock_people(connection, &plan.people()).await?;
    found(connection, gallery, plan, &open, now, &mut people).await?;

    let mut decided = 0;
    for assignment in &plan.assignments {
        let known = assignment.person.is_none_or(|p| people.contains(&p));
        if !known || !open.contains(&assignment.face.id) {
            continue;
        }
        decided += 1;
        let grouping = match assignment.person {
            Some(_) => face::Grouping::Assigned,
            None => face::Grouping::Unmatched,
        };
        let change = face::ActiveModel {
            grouping: Set(grouping),
            person_id: Set(assignment.person),
            assigned_by: Set(assignment.person.map(|_| "matcher".to_owned())),
            similarity: Set(assignment.similarity),
            ..Default::default()
        };
        face::Entity::update_many()
            .set(change)
            .filter(face::Column::Id.eq(assignment.face.id))
            .exec(connection)
            .await?;
    }
    set_covers(connection, plan, &open).await?;
    write_sheets(connection, gallery, sheets, now).await?;
    let touched: Vec<PersonId> = people.into_iter().collect();
    tally::recount(transaction, &touched, now).await?;
    let done = without_waiting(connection, &photos).await?;
    end_steps(connection, &done, State::Done, None, now).await?;
    document::rebuild(transaction, &photos, now).await?;
    Ok(Some(decided))
}

/// Records new pictures of contact sheets and who is drawn where.
///
/// # Errors
/// The database's.
pub async fn write_sheets(
    connection: &impl ConnectionTrait,
    gallery: GalleryId,
    changes: &SheetChanges,
    now: Timestamp,
) -> Result<()> {
    for version in &changes.sheets {
        let row = sheet::ActiveModel {
            id: Set(version.id),
            gallery_id: Set(gallery),
            version: Set(version.version),
            cells: Set(i32::try_from(version.cells).unwrap_or(i32::MAX)),
            updated_at: Set(now),
        };
        if version.is_new {
            sheet::Entity::insert(row)
                .exec_without_returning(connection)
                .await?;
        } else {
            sheet::Entity::update_many()
                .set(row)
                .filter(sheet::Column::Id.eq(version.id))
                .exec(connection)
                .await?;
        }
    }
    for (person, sheet, cell) in &changes.places {
        let change = person::ActiveModel {
            sheet_id: Set(Some(*sheet)),
            sheet_cell: Set(i32::try_from(*cell).ok()),
            ..Default::default()
        };
        person::Entity::update_many()
            .set(change)
            .filter(person::Column::Id.eq(*person))
            .exec(connection)
            .await?;
    }
    Ok(())
}

/// A failure of the grouping step, for people.
#[derive(Clone, Copy, Debug)]
pub struct StepFailure<'a> {
    /// Error code.
    pub code: &'a str,
    /// In words.
    pub message: &'a str,
}

/// Ends the grouping step of every photo of the gallery that has waiting faces.
///
/// # Errors
/// The database's.
pub async fn end_waiting(
    transaction: &Transaction,
    gallery: GalleryId,
    state: State,
    failure: Option<StepFailure<'_>>,
    now: Timestamp,
) -> Result<()> {
    let connection: &DatabaseTransaction = transaction;
    let mut photos: Vec<PhotoId> = face::Entity::find_waiting(gallery)
        .select_only()
        .column(face::Column::PhotoId)
        .distinct()
        .into_tuple()
        .all(connection)
        .await?;
    photos.sort_unstable();
    for chunk in photos.chunks(500) {
        end_steps(connection, chunk, state, failure, now).await?;
        document::rebuild(transaction, chunk, now).await?;
    }
    Ok(())
}

async fn end_steps(
    connection: &impl ConnectionTrait,
    photos: &[PhotoId],
    state: State,
    failure: Option<StepFailure<'_>>,
    now: Timestamp,
) -> Result<()> {
    if photos.is_empty() {
        return Ok(());
    }
    let change = analysis_step::ActiveModel {
        state: Set(state),
        retry_at: Set(None),
        error_code: Set(failure.map(|failure| failure.code.to_owned())),
        error_message: Set(failure.map(|failure| failure.message.to_owned())),
        retryable: Set(failure.is_some()),
        updated_at: Set(now),
        ..Default::default()
    };
    let attempts = Expr::col(analysis_step::Column::Attempts).add(1);
    analysis_step::Entity::update_many()
        .set(change)
        .col_expr(analysis_step::Column::Attempts, attempts)
        .filter(analysis_step::Column::PhotoId.is_in(photos.iter().copied()))
        .filter(analysis_step::Column::Step.eq(Step::Grouping))
        .filter(analysis_step::Column::State.is_in([State::Pending, State::Failed]))
        .exec(connection)
        .await?;
    Ok(())
}

async fn lock_gallery(connection: &impl ConnectionTrait, gallery: GalleryId) -> Result<bool> {
    Ok(gallery::Entity::find_live(gallery)
        .lock_exclusive()
        .one(connection)
        .await?
        .is_some())
}

async fn lock_photos(connection: &impl ConnectionTrait, plan: &Plan) -> Result<Vec<PhotoId>> {
    let photos = plan.assignments.iter().map(|a| a.face.photo_id);
    Ok(photo::Entity::find()
        .select_only()
        .column(photo::Column::Id)
        .filter(photo::Column::Id.is_in(photos))
        .order_by_asc(photo::Column::Id)
        .lock_exclusive()
        .into_tuple()
        .all(connection)
        .await?)
}

/// Faces of the plan that still stand and that nobody decided on since.
async fn lock_open_faces(
    connection: &impl ConnectionTrait,
    plan: &Plan,
) -> Result<HashSet<FaceId>> {
    let faces = plan.assignments.iter().map(|a| a.face.id);
    Ok(face::Entity::find()
        .select_only()
        .column(face::Column::Id)
        .filter(face::Column::Id.is_in(faces))
        .filter(face::Column::Grouping.ne(face::Grouping::Assigned.to_value()))
        .order_by_asc(face::Column::Id)
        .lock_exclusive()
        .into_tuple()
        .all(connection)
        .await?
        .into_iter()
        .collect())
}

async fn lock_people(
    connection: &impl ConnectionTrait,
    people: &[PersonId],
) -> Result<HashSet<PersonId>> {
    Ok(person::Entity::find()
        .select_only()
        .column(person::Column::Id)
        .filter(person::Column::Id.is_in(people.iter().copied()))
        .order_by_asc(person::Column::Id)
        .lock_exclusive()
        .into_tuple()
        .all(connection)
        .await?
        .into_iter()
        .collect())
}

/// Inserts the people that are founded and still get a face.
async fn found(
    connection: &impl ConnectionTrait,
    gallery: GalleryId,
    plan: &Plan,
    open: &HashSet<FaceId>,
    now: Timestamp,
    people: &mut HashSet<PersonId>,
) -> Result<()> {
    let with_face: HashSet<PersonId> = plan
        .assignments
        .iter()
        .filter(|assignment| open.contains(&assignment.face.id))
        .filter_map(|assignment| assignment.person)
        .collect();
    let founded: Vec<_> = plan
        .founded
        .iter()
        .copied()
        .filter(|id| with_face.contains(id))
        .collect();
    if founded.is_empty() {
        return Ok(());
    }
    let rows = founded.iter().map(|id| person::ActiveModel {
        id: Set(*id),
        gallery_id: Set(gallery),
        name: Set(None),
        hidden: Set(false),
        cover_face_id: Set(None),
        face_count: Set(0),
        photo_count: Set(0),
        sheet_id: Set(None),
        sheet_cell: Set(None),
        created_at: Set(now),
        updated_at: Set(now),
    });
    person::Entity::insert_many(rows)
        .exec_without_returning(connection)
        .await?;
    people.extend(founded);
    Ok(())
}

async fn set_covers(
    connection: &impl ConnectionTrait,
    plan: &Plan,
    open: &HashSet<FaceId>,
) -> Result<()> {
    for cover in &plan.covers {
        if !open.contains(&cover.to.id) {
            continue;
        }
        let unchanged = match cover.from {
            Some(face) => person::Column::CoverFaceId.eq(face),
            None => person::Column::CoverFaceId.is_null(),
        };
        person::Entity::update_many()
            .col_expr(person::Column::CoverFaceId, Expr::value(Some(cover.to.id)))
            .filter(person::Column::Id.eq(cover.person))
            .filter(unchanged)
            .exec(connection)
            .await?;
    }
    Ok(())
}

/// Those of `photos` on which no face waits.
async fn without_waiting(
    connection: &impl ConnectionTrait,
    photos: &[PhotoId],
) -> Result<Vec<PhotoId>> {
    let waiting: HashSet<PhotoId> = face::Entity::find()
        .select_only()
        .column(face::Column::PhotoId)
        .filter(face::Column::PhotoId.is_in(photos.iter().copied()))
        .filter(face::Column::Grouping.eq(face::Grouping::Waiting))
        .into_tuple()
        .all(connection)
        .await?
        .into_iter()
        .collect();
    Ok(photos
        .iter()
        .copied()
        .filter(|photo| !waiting.contains(photo))
        .collect())
}
