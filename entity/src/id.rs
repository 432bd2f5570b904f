//! Typed ids, so that a photo's id cannot be passed where a gallery's is meant.

use sea_orm::DeriveValueType;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! typed_id {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, DeriveValueType,
        )]
        #[sea_orm(column_type = "Uuid")]
        pub struct $name(pub Uuid);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl sea_orm::TryFromU64 for $name {
            /// Ids are made by us, never by the database: always an error.
            fn try_from_u64(_: u64) -> Result<Self, sea_orm::DbErr> {
                Err(sea_orm::DbErr::ConvertFromU64(stringify!($name)))
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }
    )+};
}

typed_id! {
    /// Id of a [user](crate::user).
    UserId,
    /// Id of a [gallery](crate::gallery).
    GalleryId,
    /// Id of a [photo](crate::photo).
    PhotoId,
    /// Id of a [face](crate::face).
    FaceId,
    /// Id of a [person](crate::person).
    PersonId,
    /// Id of a [job](crate::job).
    JobId,
    /// Id of a [contact sheet](crate::sheet).
    SheetId,
    /// Id of a [share link](crate::share_link).
    ShareLinkId,
    /// Id of an [upload request](crate::upload_request).
    UploadRequestId,
}
