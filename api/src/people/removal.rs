//! Taking a deleted photo's faces out of people and collection.

use entity::{PersonId, PhotoId, face, gallery, photo_label};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};

use super::service::PeopleService;
use super::{overdue, tally};
use crate::job::JobError;

impl PeopleService {
    /// Forgets the faces and labels of a deleted photo, here and at Rekognition, and counts its
    /// people anew; those without a face left go. Twice is the same as once.
    ///
    /// # Errors
    /// The database's and Rekognition's, to be tried again.
    pub async fn remove_photo(
        &self,
        gallery: &gallery::Model,
        photo: PhotoId,
    ) -> Result<(), JobError> {
        let faces = face::Entity::find()
            .filter(face::Column::PhotoId.eq(photo))
            .all(self.database().read())
            .await?;
        let kept_there: Vec<String> = faces
            .iter()
            .filter_map(|face| face.collection_face_id.clone())
            .collect();
        if !kept_there.is_empty() {
            let forgotten = self.forget_faces(gallery.id, &kept_there).await;
            forgotten.map_err(|error| JobError::Retry {
                error: error.into(),
                after: None,
            })?;
        }
        let txn = self.database().begin().await?;
        // The grouping job may write meanwhile; it locks the gallery first, and so does this.
        gallery::Entity::find_by_id(gallery.id)
            .lock_exclusive()
            .one(&*txn)
            .await?;
        let people: Vec<Option<PersonId>> = face::Entity::find()
            .select_only()
            .column(face::Column::PersonId)
            .distinct()
            .filter(face::Column::PhotoId.eq(photo))
            .into_tuple()
            .all(&*txn)
            .await?;
        let people: Vec<PersonId> = people.into_iter().flatten().collect();
        face::Entity::delete_many()
            .filter(face::Column::PhotoId.eq(photo))
            .exec(&*txn)
            .await?;
        photo_label::Entity::delete_many()
            .filter(photo_label::Column::PhotoId.eq(photo))
            .exec(&*txn)
            .await?;
        if !people.is_empty() {
            tally::recount(&txn, &people, self.now()).await?;
            // Contact sheets may still show a face of this photo: the grouping draws them anew.
            overdue::ask(&*txn, self.clock(), gallery.id, gallery.matcher).await?;
        }
        txn.commit().await?;
        Ok(())
    }
}
