//! The step RENDITIONS: from the original to preview, thumbnail and the photo's columns.

use entity::analysis_step::Step;
use entity::{Timestamp, photo};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, DatabaseTransaction, DbErr, EntityTrait as _,
    PaginatorTrait as _, QueryFilter as _, TransactionTrait as _,
};

use super::job::{AnalyseHandler, Ended, Round};
use super::media::{Format, Processed};
use super::step::{self, Change, Failure};
use crate::db::{Transaction, unless_taken};
use crate::job::JobError;
use crate::storage::ObjectKey;

/// How far ahead of us a camera's clock may be, in seconds: zones without a name reach 14 hours.
const CLOCK_AHEAD: i64 = 86_400;

impl AnalyseHandler {
    pub(super) async fn render(&self, round: &Round<'_>) -> Result<Ended, JobError> {
        match self.make_renditions(&round.photo).await {
            Ok(processed) => self.record_renditions(round, processed).await,
            Err(failure) if failure.again => {
                self.record_failure(round, Step::Renditions, failure, &[])
                    .await
            }
            Err(failure) => {
                let Some(transaction) = self.open(round).await? else {
                    return Ok(Ended::Gone);
                };
                tracing::warn!(photo = %round.photo.id, cause = failure.cause, "photo not usable");
                self.unusable(&transaction, round, failure).await?;
                self.close(transaction, round).await?;
                Ok(Ended::Recorded)
            }
        }
    }

    /// Writes the objects. Their keys are the photo's own and their content follows from the
    /// original: writing them twice changes nothing.
    async fn make_renditions(&self, photo: &photo::Model) -> Result<Processed, Failure> {
        let (gallery, id) = (photo.gallery_id, photo.id);
        let extension =
            Format::from_content_type(&photo.content_type).map_or("jpg", Format::extension);
        let length = u64::try_from(photo.byte_size).unwrap_or_default();
        let room = self.media.room_for(length).await;
        let bytes = self
            .store
            .get(
                &ObjectKey::original(gallery, id, extension),
                self.settings.max_byte_size,
            )
            .await
            .map_err(Failure::of_original)?;
        let processed = self.media.process(bytes, room, &photo.content_type).await?;
        for (key, rendition) in [
            (ObjectKey::preview(gallery, id), &processed.preview),
            (ObjectKey::thumbnail(gallery, id), &processed.thumbnail),
        ] {
            self.store
                .put(&key, "image/jpeg", rendition.bytes.clone())
                .await?;
        }
        Ok(processed)
    }

    async fn record_renditions(
        &self,
        round: &Round<'_>,
        processed: Processed,
    ) -> Result<Ended, JobError> {
        let photo = &round.photo;
        let Some(transaction) = self.open(round).await? else {
            // Deleted meanwhile: the deletion may have swept before our objects were written.
            let keys = [
                ObjectKey::preview(photo.gallery_id, photo.id),
                ObjectKey::thumbnail(photo.gallery_id, photo.id),
            ];
            if let Err(error) = self.store.delete(&keys).await {
                tracing::warn!(photo = %photo.id, %error, "renditions of a deleted photo stay");
            }
            return Ok(Ended::Gone);
        };
        let now = self.clock.now();
        let change = columns(photo, processed, now);
        photo::Entity::update(change).exec(&*transaction).await?;
        if photo.dedup_key != photo.sha256 {
            count_for_duplicates(&transaction, photo).await?;
        }
        step::set(&*transaction, photo.id, Step::Renditions, Change::Done, now).await?;
        self.close(transaction, round).await?;
        Ok(Ended::Recorded)
    }

    /// Records that the photo cannot be shown: the other steps have nothing to work on, and the same
    /// bytes may be uploaded again.
    pub(super) async fn unusable(
        &self,
        transaction: &Transaction,
        round: &Round<'_>,
        failure: Failure,
    ) -> Result<(), JobError> {
        let (id, now) = (round.photo.id, self.clock.now());
        let change = photo::ActiveModel {
            id: Set(id),
            failure_code: Set(Some(failure.code.chars().take(64).collect())),
            dedup_key: Set(id.to_string()),
            ..Default::default()
        };
        photo::Entity::update(change).exec(&**transaction).await?;
        let failed = Change::Failed(failure);
        step::set(&**transaction, id, Step::Renditions, failed, now).await?;
        for step in [Step::Faces, Step::Labels, Step::Grouping] {
            if round.is_pending(step) {
                step::set(&**transaction, id, step, Change::Skipped(None), now).await?;
            }
        }
        Ok(())
    }
}

fn columns(photo: &photo::Model, processed: Processed, now: Timestamp) -> photo::ActiveModel {
    let pixels = |length: u32| Set(Some(i32::try_from(length).unwrap_or(i32::MAX)));
    let facts = processed.facts;
    // A camera whose clock is far ahead would lead every page for years.
    let taken_at = facts
        .taken_at
        .map(Timestamp::from)
        .filter(|time| *time <= now.plus_seconds(CLOCK_AHEAD));
    photo::ActiveModel {
        id: Set(photo.id),
        failure_code: Set(None),
        width: pixels(processed.width),
        height: pixels(processed.height),
        preview_width: pixels(processed.preview.width),
        preview_height: pixels(processed.preview.height),
        thumbnail_width: pixels(processed.thumbnail.width),
        thumbnail_height: pixels(processed.thumbnail.height),
        taken_at: Set(taken_at.unwrap_or(photo.created_at)),
        taken_at_known: Set(taken_at.is_some()),
        camera: Set(facts.camera),
        latitude: Set(facts.location.map(|(latitude, _)| latitude)),
        longitude: Set(facts.location.map(|(_, longitude)| longitude)),
        may_tell_location: Set(facts.may_tell_location),
        thumbhash: Set(Some(processed.thumbhash)),
        ..Default::default()
    }
}

/// A photo that had failed counts for duplicates again, unless the same bytes came anew meanwhile.
async fn count_for_duplicates(
    connection: &DatabaseTransaction,
    photo: &photo::Model,
) -> Result<(), DbErr> {
    let taken = photo::Entity::find()
        .filter(photo::Column::GalleryId.eq(photo.gallery_id))
        .filter(photo::Column::DedupKey.eq(photo.sha256.as_str()))
        .count(connection)
        .await?;
    if taken > 0 {
        return Ok(());
    }
    let change = photo::ActiveModel {
        id: Set(photo.id),
        dedup_key: Set(photo.sha256.clone()),
        ..Default::default()
    };
    let savepoint = connection.begin().await?;
    let updated = photo::Entity::update(change).exec(&savepoint).await;
    // Taken: somebody uploads the same bytes at this moment, and theirs counts.
    unless_taken(savepoint, updated).await?;
    Ok(())
}
