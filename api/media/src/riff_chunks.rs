//! The chunks of a WebP file, walked without decoding anything.

/// Kind and data (cut off where the file is) of the chunks from the beginning of `bytes` on.
pub(crate) fn chunks(bytes: &[u8]) -> impl Iterator<Item = (&[u8; 4], &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (kind, after) = rest.split_first_chunk::<4>()?;
        let (length, after) = after.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let data = &after[..length.min(after.len())];
        let padded = length.saturating_add(length % 2);
        rest = after.get(padded..).unwrap_or_default();
        Some((kind, data))
    })
}

/// What follows the declared end of a file.
pub(crate) fn behind(bytes: &[u8]) -> &[u8] {
    let length = bytes.get(4..).and_then(|rest| rest.first_chunk());
    let length = length.map_or(0, |length| u32::from_le_bytes(*length));
    let end = usize::try_from(length).unwrap_or(usize::MAX);
    bytes.get(end.saturating_add(8)..).unwrap_or_default()
}

/// The chunks of a whole file, those behind its declared end included.
pub(crate) fn of_file(bytes: &[u8]) -> impl Iterator<Item = (&[u8; 4], &[u8])> {
    chunks(bytes.get(12..).unwrap_or_default())
}
