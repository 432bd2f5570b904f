//! The document on a photo's row, and the photo's status, out of the rows behind them.

use std::collections::HashMap;

use entity::analysis_step::{State, Step};
use entity::document::{DocumentFace, DocumentLabel, DocumentStep, PhotoDocument};
use entity::{PhotoId, Timestamp, analysis_step, face, photo, photo_label};
use sea_orm::{
    ActiveEnum as _, ActiveValue::Set, ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter,
    QueryOrder,
};

use crate::db::Transaction;
use crate::error::Result;
use crate::event::Happening;

/// Writes document and status of these photos anew. Call it in the transaction that changed their
/// steps, faces or labels, after the change; the outbox tells of it. Photos that await upload or are
/// deleted keep their status.
///
/// # Errors
/// The database's.
pub async fn rebuild(transaction: &Transaction, photos: &[PhotoId], now: Timestamp) -> Result<()> {
    // Binds are limited (SQLite 32,766, MySQL 65,535): far above any batch, but a bound all the same.
    for chunk in photos.chunks(500) {
        rebuild_chunk(transaction, chunk, now).await?;
    }
    Ok(())
}

async fn rebuild_chunk(transaction: &Transaction, ids: &[PhotoId], now: Timestamp) -> Result<()> {
    let connection: &DatabaseTransaction = transaction;
    let within = ids.iter().copied();
    let mut documents: HashMap<PhotoId, PhotoDocument> = HashMap::new();
    let mut steps: HashMap<PhotoId, Vec<analysis_step::Model>> = HashMap::new();
    for row in analysis_step::Entity::find()
        .filter(analysis_step::Column::PhotoId.is_in(within.clone()))
        .all(connection)
        .await?
    {
        steps.entry(row.photo_id).or_default().push(row);
    }
    for row in face::Entity::find()
        .filter(face::Column::PhotoId.is_in(within.clone()))
        .order_by_asc(face::Column::Ordinal)
        .all(connection)
        .await?
    {
        documents
            .entry(row.photo_id)
            .or_default()
            .faces
            .push(DocumentFace {
                id: row.id,
                detail: row.detail,
                quality: row.quality,
                person_id: row.person_id,
                assigned_by: row.assigned_by,
                similarity: row.similarity,
            });
    }
    for row in photo_label::Entity::find()
        .filter(photo_label::Column::PhotoId.is_in(within.clone()))
        .order_by_desc(photo_label::Column::Confidence)
        .order_by_asc(photo_label::Column::Name)
        .all(connection)
        .await?
    {
        let label = DocumentLabel {
            name: row.name,
            confidence: row.confidence,
            detail: row.detail,
        };
        documents
            .entry(row.photo_id)
            .or_default()
            .labels
            .push(label);
    }
    let statuses = photo::Entity::find()
        .filter(photo::Column::Id.is_in(within))
        .all(connection)
        .await?;
    for row in statuses {
        let mut document = documents.remove(&row.id).unwrap_or_default();
        let mut own = steps.remove(&row.id).unwrap_or_default();
        own.sort_by_key(|step| order(step.step));
        let status = status(row.status, &own);
        document.steps = own.into_iter().map(document_step).collect();
        let change = photo::ActiveModel {
            id: Set(row.id),
            status: Set(status),
            document: Set(Some(document)),
            updated_at: Set(now),
            ..Default::default()
        };
        photo::Entity::update(change).exec(connection).await?;
        if row.status != photo::Status::Deleting {
            let changed = Happening::photo_changed(row.gallery_id, row.id, now);
            transaction.record(changed);
        }
    }
    Ok(())
}

/// A photo's status out of its steps.
#[must_use]
pub fn status(current: photo::Status, steps: &[analysis_step::Model]) -> photo::Status {
    if matches!(
        current,
        photo::Status::AwaitingUpload | photo::Status::Deleting
    ) || steps.is_empty()
    {
        return current;
    }
    let any = |state: State| steps.iter().any(|step| step.state == state);
    if steps
        .iter()
        .any(|step| step.step == Step::Renditions && step.state == State::Failed)
    {
        photo::Status::Failed
    } else if any(State::Pending) {
        photo::Status::Processing
    } else if any(State::Failed) {
        photo::Status::Partial
    } else {
        photo::Status::Ready
    }
}

fn order(step: Step) -> u8 {
    match step {
        Step::Renditions => 0,
        Step::Faces => 1,
        Step::Labels => 2,
        Step::Grouping => 3,
    }
}

fn document_step(row: analysis_step::Model) -> DocumentStep {
    DocumentStep {
        step: row.step.to_value(),
        state: row.state.to_value(),
        attempts: row.attempts,
        retry_at: row.retry_at.map(|time| time.0),
        error_code: row.error_code,
        error_message: row.error_message,
        retryable: row.retryable,
    }
}
