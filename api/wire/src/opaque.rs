//! Texts that clients keep and give back without reading them: ids and cursors.
//!
//! Bytes of one length in base64url without padding. Each kind has a length or a first byte of its
//! own, and only the text that was written is read: no second spelling of the same bytes.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

/// First byte of an event's cursor, so that no other text of ours passes for one.
const EVENT: u8 = b'e';

/// A global id: which kind of thing, and its id there.
#[must_use]
pub fn write_id(tag: u8, id: Uuid) -> String {
    let mut bytes = [0u8; 17];
    bytes[0] = tag;
    bytes[1..].copy_from_slice(id.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads what [`write_id`] wrote; none for anything else.
#[must_use]
pub fn read_id(text: &str) -> Option<(u8, Uuid)> {
    let (tag, id) = read::<17>(text)?
        .split_first()
        .map(|(t, id)| (*t, uuid(id)))?;
    Some((tag, id?))
}

/// The place of a row in its order: its key, then its id.
#[must_use]
pub fn write_place(key: i64, id: Uuid) -> String {
    let mut bytes = [0u8; 24];
    bytes[..8].copy_from_slice(&key.to_be_bytes());
    bytes[8..].copy_from_slice(id.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads what [`write_place`] wrote; none for anything else.
#[must_use]
pub fn read_place(text: &str) -> Option<(i64, Uuid)> {
    let bytes = read::<24>(text)?;
    let (key, id) = bytes.split_at(8);
    Some((i64::from_be_bytes(key.try_into().ok()?), uuid(id)?))
}

/// The place of an event in the history of a gallery.
#[must_use]
pub fn write_event(gallery: Uuid, number: i64) -> String {
    let mut bytes = [0u8; 25];
    bytes[0] = EVENT;
    bytes[1..17].copy_from_slice(gallery.as_bytes());
    bytes[17..].copy_from_slice(&number.to_be_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads what [`write_event`] wrote; none for anything else.
#[must_use]
pub fn read_event(text: &str) -> Option<(Uuid, i64)> {
    let bytes = read::<25>(text)?;
    let (tag, rest) = bytes.split_first()?;
    let (gallery, number) = rest.split_at(16);
    let number = i64::from_be_bytes(number.try_into().ok()?);
    (*tag == EVENT).then_some((uuid(gallery)?, number))
}

fn read<const N: usize>(text: &str) -> Option<[u8; N]> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

fn uuid(bytes: &[u8]) -> Option<Uuid> {
    Uuid::from_slice(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_nothing_else() {
        let id = Uuid::from_u128(0xfeed);
        assert_eq!(read_id(&write_id(b'p', id)), Some((b'p', id)));
        for number in [i64::MIN, -1, 0, i64::MAX] {
            assert_eq!(read_place(&write_place(number, id)), Some((number, id)));
            assert_eq!(read_event(&write_event(id, number)), Some((id, number)));
        }
        // One kind is none of another, padding and other spellings are none at all.
        for text in [write_id(b'e', id), write_place(1, id), String::new()] {
            assert_eq!(read_event(&text), None);
        }
        let place = write_place(1, id);
        for text in [
            format!("{place}="),
            format!("{place}A"),
            format!(" {place}"),
            write_id(b'p', id),
            write_event(id, 1),
        ] {
            assert_eq!(read_place(&text), None, "{text}");
        }
    }
}
