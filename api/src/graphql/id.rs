//! Global object ids: opaque to clients, typed to us.

use async_graphql::ID;
use entity::{FaceId, GalleryId, PersonId, PhotoId, ShareLinkId, UserId};
use uuid::Uuid;
use wire::opaque;

use crate::error::{Error, Result};

/// A typed id that clients see as a global `ID`.
pub trait GlobalId: Copy + From<Uuid> {
    /// Tells the types apart; the first byte of the encoded id.
    const TAG: u8;
    /// Name of the GraphQL type, for messages.
    const TYPE: &'static str;

    /// The id within its table.
    fn uuid(self) -> Uuid;
}

macro_rules! global_id {
    ($($id:ident $tag:literal $name:literal),+ $(,)?) => {$(
        impl GlobalId for $id {
            const TAG: u8 = $tag;
            const TYPE: &'static str = $name;

            fn uuid(self) -> Uuid {
                self.0
            }
        }
    )+};
}

global_id! {
    GalleryId b'g' "Gallery",
    PhotoId b'p' "Photo",
    FaceId b'f' "Face",
    PersonId b'h' "Person",
    UserId b'u' "User",
    ShareLinkId b's' "ShareLink",
}

/// The global id.
pub fn encode<T: GlobalId>(id: T) -> ID {
    ID(opaque::write_id(T::TAG, id.uuid()))
}

/// Splits a global id into tag and id; `None` for anything that we did not make.
#[must_use]
pub fn split(id: &ID) -> Option<(u8, Uuid)> {
    opaque::read_id(id)
}

/// Reads the global id of a `T`.
///
/// # Errors
/// [`Error::BadUserInput`] for anything else.
pub fn decode<T: GlobalId>(id: &ID) -> Result<T> {
    match split(id) {
        Some((tag, uuid)) if tag == T::TAG => Ok(uuid.into()),
        _ => Err(Error::BadUserInput(format!("not an id of a {}", T::TYPE))),
    }
}

/// Reads many, in order.
///
/// # Errors
/// As [`decode`].
pub fn decode_all<T: GlobalId>(ids: &[ID]) -> Result<Vec<T>> {
    ids.iter().map(decode).collect()
}
