//! The steps FACES and LABELS.

use std::collections::HashSet;

use entity::analysis_step::Step;
use entity::document::{BoundingBox, FaceDetail};
use entity::gallery::Matcher;
use entity::{Timestamp, face, photo, photo_label};
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _,
};

use super::job::{AnalyseHandler, Ended, Round};
use super::quality::{self, Quality};
use super::step::{self, Change};
use crate::clock::Clock;
use crate::job::JobError;
use crate::people::overdue;
use crate::storage::ObjectKey;
use crate::vision::{Label, Picture};

/// Boxes that overlap more than this (intersection over union) are the same face.
const SAME_FACE: f32 = 0.5;

/// Longest label name kept.
const LABEL_CHARS: usize = 128;

impl AnalyseHandler {
    pub(super) async fn find_faces(&self, round: &Round<'_>) -> Result<Ended, JobError> {
        let photo = &round.photo;
        if !round.face_analysis {
            let Some(transaction) = self.open(round).await? else {
                return Ok(Ended::Gone);
            };
            for step in [Step::Faces, Step::Grouping] {
                let change = Change::Skipped(None);
                step::set(&*transaction, photo.id, step, change, self.clock.now()).await?;
            }
            self.close(transaction, round).await?;
            return Ok(Ended::Recorded);
        }
        let picture = Picture::Object(ObjectKey::preview(photo.gallery_id, photo.id));
        let faces = match self.analyser.detect_faces(&picture).await {
            Ok(faces) => faces,
            Err(error) => {
                let grouping = [Step::Grouping];
                return self
                    .record_failure(round, Step::Faces, error.into(), &grouping)
                    .await;
            }
        };
        let Some(transaction) = self.open(round).await? else {
            return Ok(Ended::Gone);
        };
        let now = self.clock.now();
        let kept = keep_faces(&*transaction, &self.clock, photo, faces).await?;
        step::set(&*transaction, photo.id, Step::Faces, Change::Done, now).await?;
        settle_grouping(&*transaction, &self.clock, photo, &kept, round.matcher).await?;
        self.close(transaction, round).await?;
        Ok(Ended::Recorded)
    }

    pub(super) async fn find_labels(&self, round: &Round<'_>) -> Result<Ended, JobError> {
        let photo = &round.photo;
        let picture = Picture::Object(ObjectKey::preview(photo.gallery_id, photo.id));
        let labels = match self.analyser.detect_labels(&picture).await {
            Ok(labels) => labels,
            Err(error) => {
                return self
                    .record_failure(round, Step::Labels, error.into(), &[])
                    .await;
            }
        };
        let Some(transaction) = self.open(round).await? else {
            return Ok(Ended::Gone);
        };
        let least = self.settings.min_label_confidence;
        keep_labels(&*transaction, photo, labels, least).await?;
        let now = self.clock.now();
        step::set(&*transaction, photo.id, Step::Labels, Change::Done, now).await?;
        self.close(transaction, round).await?;
        Ok(Ended::Recorded)
    }
}

/// Sets the step GROUPING after these faces of the photo, and asks for the job where one waits.
pub(super) async fn settle_grouping(
    connection: &impl ConnectionTrait,
    clock: &Clock,
    photo: &photo::Model,
    faces: &[face::Grouping],
    matcher: Matcher,
) -> Result<(), JobError> {
    let waiting = faces.contains(&face::Grouping::Waiting);
    let change = if waiting {
        Change::Waits
    } else if faces.is_empty() {
        Change::Skipped(None)
    } else {
        Change::Done
    };
    step::set(connection, photo.id, Step::Grouping, change, clock.now()).await?;
    if waiting {
        overdue::ask(connection, clock, photo.gallery_id, matcher).await?;
    }
    Ok(())
}

/// Writes the faces found. A face that was there before keeps its row, so its person and what
/// people corrected survive a second detection; one that is not found again is removed unless it
/// has a person. Answers where each face of the photo stands in the grouping.
async fn keep_faces(
    connection: &impl ConnectionTrait,
    clock: &Clock,
    photo: &photo::Model,
    found: Vec<FaceDetail>,
) -> Result<Vec<face::Grouping>, DbErr> {
    let mut before = face::Entity::find()
        .filter(face::Column::PhotoId.eq(photo.id))
        .order_by_asc(face::Column::Ordinal)
        .lock_exclusive()
        .all(connection)
        .await?;
    if !before.is_empty() {
        // Out of the way of the new numbers, which are unique within the photo.
        face::Entity::update_many()
            .col_expr(
                face::Column::Ordinal,
                Expr::value(-1).sub(Expr::col(face::Column::Ordinal)),
            )
            .filter(face::Column::PhotoId.eq(photo.id))
            .exec(connection)
            .await?;
    }
    let (mut groupings, mut new) = (Vec::new(), Vec::new());
    let mut ordinal = 0;
    for detail in found {
        let quality = rate(&detail, photo);
        let same = best_overlap(&detail.bounding_box, &before);
        if let Some(old) = same.map(|index| before.swap_remove(index)) {
            let grouping = match old.grouping {
                face::Grouping::Assigned => face::Grouping::Assigned,
                // Tried again: people may have changed.
                face::Grouping::Waiting | face::Grouping::Unmatched => face::Grouping::Waiting,
            };
            let change = face::ActiveModel {
                id: Set(old.id),
                ordinal: Set(ordinal),
                detail: Set(detail),
                quality: Set(quality.score),
                can_found: Set(quality.can_found),
                grouping: Set(grouping),
                ..Default::default()
            };
            face::Entity::update(change).exec(connection).await?;
            groupings.push(grouping);
        } else {
            new.push(row(clock, photo, ordinal, detail, quality));
            groupings.push(face::Grouping::Waiting);
        }
        ordinal += 1;
    }
    if !new.is_empty() {
        face::Entity::insert_many(new)
            .exec_without_returning(connection)
            .await?;
    }
    for old in before {
        if old.person_id.is_none() {
            face::Entity::delete_by_id(old.id).exec(connection).await?;
            continue;
        }
        let change = face::ActiveModel {
            id: Set(old.id),
            ordinal: Set(ordinal),
            ..Default::default()
        };
        face::Entity::update(change).exec(connection).await?;
        groupings.push(old.grouping);
        ordinal += 1;
    }
    Ok(groupings)
}

fn row(
    clock: &Clock,
    photo: &photo::Model,
    ordinal: i32,
    detail: FaceDetail,
    quality: Quality,
) -> face::ActiveModel {
    face::ActiveModel {
        id: Set(clock.new_id()),
        gallery_id: Set(photo.gallery_id),
        photo_id: Set(photo.id),
        ordinal: Set(ordinal),
        detail: Set(detail),
        quality: Set(quality.score),
        can_found: Set(quality.can_found),
        grouping: Set(face::Grouping::Waiting),
        person_id: Set(None),
        assigned_by: Set(None),
        similarity: Set(None),
        collection_face_id: Set(None),
        created_at: Set::<Timestamp>(clock.now()),
    }
}

fn rate(detail: &FaceDetail, photo: &photo::Model) -> Quality {
    let pixels = |length: Option<i32>| length.and_then(|n| u32::try_from(n).ok());
    quality::rate(
        detail,
        pixels(photo.preview_width).unwrap_or_default(),
        pixels(photo.preview_height).unwrap_or_default(),
    )
}

/// Index of the row whose box overlaps the most, if it overlaps enough to be the same face.
fn best_overlap(found: &BoundingBox, rows: &[face::Model]) -> Option<usize> {
    rows.iter()
        .map(|row| overlap(found, &row.detail.bounding_box))
        .enumerate()
        .filter(|(_, overlap)| *overlap > SAME_FACE)
        .max_by(|(_, a), (_, b)| a.total_cmp(b))
        .map(|(index, _)| index)
}

/// Intersection over union, 0 to 1.
fn overlap(a: &BoundingBox, b: &BoundingBox) -> f32 {
    let shared = |a_from: f32, a_length: f32, b_from: f32, b_length: f32| {
        ((a_from + a_length).min(b_from + b_length) - a_from.max(b_from)).max(0.0)
    };
    let both = shared(a.left, a.width, b.left, b.width) * shared(a.top, a.height, b.top, b.height);
    let either = a.width.mul_add(a.height, b.width * b.height) - both;
    if either > 0.0 { both / either } else { 0.0 }
}

/// Replaces the photo's labels.
async fn keep_labels(
    connection: &impl ConnectionTrait,
    photo: &photo::Model,
    labels: Vec<Label>,
    least: f32,
) -> Result<(), DbErr> {
    photo_label::Entity::delete_many()
        .filter(photo_label::Column::PhotoId.eq(photo.id))
        .exec(connection)
        .await?;
    let mut names = HashSet::new();
    let rows: Vec<photo_label::ActiveModel> = labels
        .into_iter()
        .filter(|label| label.confidence >= least && label.name.chars().count() <= LABEL_CHARS)
        .filter(|label| names.insert(label.name.clone()))
        .map(|label| photo_label::ActiveModel {
            photo_id: Set(photo.id),
            name: Set(label.name),
            gallery_id: Set(photo.gallery_id),
            confidence: Set(label.confidence),
            detail: Set(label.detail),
        })
        .collect();
    if !rows.is_empty() {
        photo_label::Entity::insert_many(rows)
            .exec_without_returning(connection)
            .await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square(left: f32, top: f32, side: f32) -> BoundingBox {
        BoundingBox {
            left,
            top,
            width: side,
            height: side,
        }
    }

    #[test]
    fn overlap_is_intersection_over_union() {
        let a = square(0.2, 0.2, 0.4);
        assert!((overlap(&a, &a) - 1.0).abs() < 1e-6);
        assert_eq!(overlap(&a, &square(0.7, 0.7, 0.2)), 0.0);
        // Half shared: 0.08 of 0.24.
        assert!((overlap(&a, &square(0.4, 0.2, 0.4)) - 1.0 / 3.0).abs() < 1e-5);
        assert_eq!(overlap(&square(0.1, 0.1, 0.0), &square(0.1, 0.1, 0.0)), 0.0);
    }
}
