//! The chunks of a PNG file, walked without inflating anything.

/// A chunk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chunk<'a> {
    pub(crate) kind: &'a [u8; 4],
    /// Cut off where the file is.
    pub(crate) data: &'a [u8],
    /// The file from this chunk on.
    pub(crate) from_here: &'a [u8],
    /// The file behind this chunk.
    pub(crate) after: &'a [u8],
}

impl<'a> Chunk<'a> {
    /// The chunk with its length and checksum.
    pub(crate) fn whole(&self) -> &'a [u8] {
        &self.from_here[..self.from_here.len() - self.after.len()]
    }
}

/// The chunks up to IEND.
pub(crate) fn chunks(bytes: &[u8]) -> impl Iterator<Item = Chunk<'_>> {
    let mut rest = bytes.get(8..).unwrap_or_default();
    std::iter::from_fn(move || {
        let from_here = rest;
        let (length, after) = rest.split_first_chunk::<4>()?;
        let (kind, after) = after.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        let data = &after[..length.min(after.len())];
        // The data is followed by its checksum.
        let after = after.get(length.saturating_add(4)..).unwrap_or_default();
        rest = if kind == b"IEND" { &[] } else { after };
        Some(Chunk {
            kind,
            data,
            from_here,
            after,
        })
    })
}
