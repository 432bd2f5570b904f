//! Global object ids: opaque to clients, typed to us.

use async_graphql::ID;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use entity::{FaceId, GalleryId, PersonId, PhotoId, ShareLinkId, UserId};
use uuid::Uuid;

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
    let mut bytes = [0u8; 17];
    bytes[0] = T::TAG;
    bytes[1..].copy_from_slice(id.uuid().as_bytes());
    ID(URL_SAFE_NO_PAD.encode(bytes))
}

/// Splits a global id into tag and id; `None` for anything that we did not make.
#[must_use]
pub fn split(id: &ID) -> Option<(u8, Uuid)> {
    let bytes: [u8; 17] = URL_SAFE_NO_PAD
        .decode(id.as_bytes())
        .ok()?
        .try_into()
        .ok()?;
    let (tag, uuid) = bytes.split_first()?;
    Some((*tag, Uuid::from_slice(uuid).ok()?))
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
