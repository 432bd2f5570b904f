//! Merging people that are one and the same.

use entity::{PersonId, PhotoId, face, gallery, person, photo};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait as _,
};

use super::service::PeopleService;
use super::tally;
use crate::access::{Action, Authorized, Viewer};
use crate::error::{Error, Result, UserErrorCode};
use crate::photo::document;

/// People that one merge takes in at most.
const MOST: usize = 100;

impl PeopleService {
    /// Moves all faces of the people `from` to `into` and removes `from`; people of `from` that are
    /// gone already count as merged, so that a second call changes nothing. `into` keeps its name
    /// and cover; without a name it takes the first one in the order of `from`.
    ///
    /// # Errors
    /// `Unauthenticated`, `NotFound`, `Forbidden` for `into`; `User` for people of other galleries
    /// and for too many of them.
    pub async fn merge_people(
        &self,
        viewer: Viewer,
        into: PersonId,
        from: &[PersonId],
    ) -> Result<Authorized<person::Model>> {
        let authorized = self.load(viewer, into, Action::EditPeople).await?;
        let invalid = |message: &str| {
            Error::user(UserErrorCode::Invalid, &["input", "fromPersonIds"], message)
        };
        if from.len() > MOST {
            return Err(invalid("one call merges at most 100 people"));
        }
        if from.contains(&into) {
            return Err(invalid("a person cannot be merged into itself"));
        }

        let txn = self.db.begin().await?;
        // Keeps the grouping job's commits out until this one is through.
        gallery::Entity::find_live(authorized.gallery_id)
            .lock_exclusive()
            .one(&*txn)
            .await?
            .ok_or(Error::NotFound)?;
        let photos = lock_photos(&*txn, from).await?;
        face::Entity::update_many()
            .set(face::ActiveModel {
                person_id: Set(Some(into)),
                assigned_by: Set(Some("user".into())),
                similarity: Set(None),
                ..Default::default()
            })
            .filter(face::Column::PersonId.is_in(from.iter().copied()))
            .filter(face::Column::GalleryId.eq(authorized.gallery_id))
            .exec(&*txn)
            .await?;
        let rows = lock_people(&*txn, into, from).await?;
        let foreign = rows
            .iter()
            .any(|row| row.gallery_id != authorized.gallery_id);
        if foreign {
            let field = ["input", "fromPersonIds"];
            let message = "no such person in this gallery";
            return Err(Error::user(UserErrorCode::NotFound, &field, message));
        }
        let find = |id: &PersonId| rows.iter().find(|row| row.id == *id);
        let kept = find(&into).ok_or(Error::NotFound)?;
        let name = from.iter().find_map(|id| find(id)?.name.clone());
        if let (None, Some(name)) = (&kept.name, name) {
            person::Entity::update_many()
                .set(person::ActiveModel {
                    name: Set(Some(name)),
                    ..Default::default()
                })
                .filter(person::Column::Id.eq(into))
                .exec(&*txn)
                .await?;
        }
        let now = self.clock.now();
        // Removes `from` too, who have no faces now.
        let touched: Vec<PersonId> = rows.iter().map(|row| row.id).collect();
        tally::recount(&txn, &touched, now).await?;
        document::rebuild(&txn, &photos, now).await?;
        let merged = person::Entity::find_by_id(into).one(&*txn).await?;
        let merged = merged.ok_or(Error::NotFound)?;
        txn.commit().await?;
        Ok(authorized.with(merged))
    }
}

/// Photos that show any of these people.
async fn lock_photos(
    connection: &impl ConnectionTrait,
    people: &[PersonId],
) -> Result<Vec<PhotoId>> {
    let shown = face::Entity::find()
        .select_only()
        .column(face::Column::PhotoId)
        .filter(face::Column::PersonId.is_in(people.iter().copied()));
    Ok(photo::Entity::find()
        .select_only()
        .column(photo::Column::Id)
        .filter(photo::Column::Id.in_subquery(shown.into_query()))
        .order_by_asc(photo::Column::Id)
        .lock_exclusive()
        .into_tuple()
        .all(connection)
        .await?)
}

async fn lock_people(
    connection: &impl ConnectionTrait,
    into: PersonId,
    from: &[PersonId],
) -> Result<Vec<person::Model>> {
    Ok(person::Entity::find()
        .filter(person::Column::Id.is_in(from.iter().copied().chain([into])))
        .order_by_asc(person::Column::Id)
        .lock_exclusive()
        .all(connection)
        .await?)
}
