//! Batched look-ups for gallery fields.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::dataloader::Loader;
use entity::photo::Status;
use entity::{GalleryId, PhotoId, Timestamp, gallery, photo};
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect};

use crate::access::{self, Authorized, Viewer};
use crate::db::Db;
use crate::error::Error;

/// Galleries of one viewer by id. One statement a batch.
pub struct GalleryLoader {
    /// Database.
    pub db: Db,
    /// Whose eyes.
    pub viewer: Viewer,
}

impl Loader<GalleryId> for GalleryLoader {
    type Value = Authorized<gallery::Model>;
    type Error = Arc<Error>;

    async fn load(
        &self,
        ids: &[GalleryId],
    ) -> Result<HashMap<GalleryId, Self::Value>, Self::Error> {
        let rows = access::galleries(self.db.read(), self.viewer, ids)
            .await
            .map_err(Arc::new)?;
        Ok(rows.into_iter().map(|row| (row.id, row)).collect())
    }
}

/// Confirmed photos by gallery. One statement a batch.
pub struct PhotoCountLoader {
    /// Database.
    pub db: Db,
}

#[derive(FromQueryResult)]
struct Count {
    gallery_id: GalleryId,
    photos: i64,
}

impl Loader<GalleryId> for PhotoCountLoader {
    type Value = i64;
    type Error = Arc<Error>;

    async fn load(&self, ids: &[GalleryId]) -> Result<HashMap<GalleryId, i64>, Self::Error> {
        let rows = photo::Entity::find()
            .select_only()
            .column(photo::Column::GalleryId)
            .column_as(photo::Column::Id.count(), "photos")
            .filter(photo::Column::GalleryId.is_in(ids.iter().copied()))
            .filter(photo::Column::Status.is_not_in([Status::AwaitingUpload, Status::Deleting]))
            .group_by(photo::Column::GalleryId)
            .into_model::<Count>()
            .all(self.db.read())
            .await
            .map_err(|error| Arc::new(error.into()))?;
        Ok(rows
            .into_iter()
            .map(|row| (row.gallery_id, row.photos))
            .collect())
    }
}

/// Covers: the chosen photo where there is one, else the newest viewable. At most three
/// statements a batch.
pub struct CoverLoader {
    /// Database.
    pub db: Db,
}

#[derive(FromQueryResult)]
struct Newest {
    gallery_id: GalleryId,
    taken_at: Timestamp,
}

impl Loader<(GalleryId, Option<PhotoId>)> for CoverLoader {
    type Value = photo::Model;
    type Error = Arc<Error>;

    async fn load(
        &self,
        keys: &[(GalleryId, Option<PhotoId>)],
    ) -> Result<HashMap<(GalleryId, Option<PhotoId>), photo::Model>, Self::Error> {
        self.covers(keys)
            .await
            .map_err(|error| Arc::new(error.into()))
    }
}

impl CoverLoader {
    async fn covers(
        &self,
        keys: &[(GalleryId, Option<PhotoId>)],
    ) -> Result<HashMap<(GalleryId, Option<PhotoId>), photo::Model>, sea_orm::DbErr> {
        let viewable = || photo::Column::Status.is_in([Status::Ready, Status::Partial]);
        let chosen: Vec<PhotoId> = keys.iter().filter_map(|(_, cover)| *cover).collect();
        let mut found: HashMap<GalleryId, photo::Model> = HashMap::new();
        if !chosen.is_empty() {
            let rows = photo::Entity::find()
                .filter(photo::Column::Id.is_in(chosen))
                .filter(viewable());
            found.extend(
                rows.all(self.db.read())
                    .await?
                    .into_iter()
                    .map(|row| (row.gallery_id, row)),
            );
        }
        let missing: Vec<GalleryId> = keys
            .iter()
            .map(|(gallery, _)| *gallery)
            .filter(|id| !found.contains_key(id))
            .collect();
        if !missing.is_empty() {
            let newest = photo::Entity::find()
                .select_only()
                .column(photo::Column::GalleryId)
                .column_as(Expr::col(photo::Column::TakenAt).max(), "taken_at")
                .filter(photo::Column::GalleryId.is_in(missing.iter().copied()))
                .filter(viewable())
                .group_by(photo::Column::GalleryId)
                .into_model::<Newest>()
                .all(self.db.read())
                .await?;
            let rows = photo::Entity::find()
                .filter(photo::Column::GalleryId.is_in(newest.iter().map(|row| row.gallery_id)))
                .filter(photo::Column::TakenAt.is_in(newest.iter().map(|row| row.taken_at)))
                .filter(viewable())
                .order_by_asc(photo::Column::Id)
                .all(self.db.read())
                .await?;
            for row in rows {
                if newest
                    .iter()
                    .any(|n| n.gallery_id == row.gallery_id && n.taken_at == row.taken_at)
                {
                    found.insert(row.gallery_id, row);
                }
            }
        }
        Ok(keys
            .iter()
            .filter_map(|key| Some((*key, found.get(&key.0)?.clone())))
            .collect())
    }
}
