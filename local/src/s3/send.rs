//! Giving out a body: in large pieces, one piece read ahead, never the whole.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures::Stream;
use s3s::StdError;
use s3s::stream::{ByteStream, RemainingLength};
use tokio::task::JoinHandle;

use super::files::{Files, Pinned};
use super::index::Blob;

/// One read and one write to the socket. Small pieces cost a trip to the blocking pool each
/// (4 KiB pieces made reads eight times slower).
const PIECE_BYTES: u64 = 512 << 10;

/// The bytes of a range of an object, in order.
#[derive(Debug)]
pub(super) struct Source {
    files: Arc<Files>,
    /// What is still to be read of each file.
    extents: VecDeque<(Blob, Range<u64>)>,
    /// The file of the first extent, at its position.
    file: Option<File>,
    remaining: u64,
    _pinned: Pinned,
}

impl Source {
    /// `range` counts bytes of all the files together and lies within them.
    pub(super) fn new(
        files: &Arc<Files>,
        blobs: &[Blob],
        pinned: Pinned,
        range: &Range<u64>,
    ) -> Self {
        let mut extents = VecDeque::new();
        let mut start = 0;
        for blob in blobs {
            let end = start + blob.size;
            let (from, to) = (range.start.max(start), range.end.min(end));
            if from < to {
                extents.push_back((blob.clone(), from - start..to - start));
            }
            start = end;
        }
        Self {
            files: Arc::clone(files),
            extents,
            file: None,
            remaining: range.end - range.start,
            _pinned: pinned,
        }
    }

    pub(super) fn remaining(&self) -> u64 {
        self.remaining
    }

    /// The next bytes, at most `limit`. Blocks.
    pub(super) fn read(&mut self, limit: u64) -> io::Result<Bytes> {
        let Some((blob, range)) = self.extents.front_mut() else {
            return Ok(Bytes::new());
        };
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                let mut file = self.files.open_blob(blob)?;
                file.seek(SeekFrom::Start(range.start))?;
                none.insert(file)
            }
        };
        let length = limit.min(range.end - range.start);
        let mut piece = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
        file.read_exact(&mut piece)?;
        range.start += length;
        self.remaining -= length;
        if range.start == range.end {
            self.extents.pop_front();
            self.file = None;
        }
        Ok(Bytes::from(piece))
    }

    /// All of it, for what is known to be small. Blocks.
    pub(super) fn read_all(mut self) -> io::Result<Bytes> {
        let first = self.read(u64::MAX)?;
        if self.remaining == 0 {
            return Ok(first);
        }
        let mut whole = Vec::from(first);
        while self.remaining > 0 {
            whole.extend_from_slice(&self.read(PIECE_BYTES)?);
        }
        Ok(Bytes::from(whole))
    }

    /// Small enough to be answered from memory, in one trip to the disk.
    pub(super) fn is_small(&self) -> bool {
        self.remaining <= PIECE_BYTES
    }

    pub(super) fn into_stream(self) -> Pieces {
        Pieces {
            remaining: self.remaining,
            next: Some(fetch(self)),
        }
    }
}

type Fetch = JoinHandle<io::Result<(Source, Bytes)>>;

fn fetch(mut source: Source) -> Fetch {
    tokio::task::spawn_blocking(move || {
        let piece = source.read(PIECE_BYTES)?;
        Ok((source, piece))
    })
}

/// A [`Source`] as a stream.
#[derive(Debug)]
pub(super) struct Pieces {
    next: Option<Fetch>,
    remaining: u64,
}

impl Stream for Pieces {
    type Item = Result<Bytes, StdError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(fetching) = &mut self.next else {
            return Poll::Ready(None);
        };
        let fetched = ready!(Pin::new(fetching).poll(cx));
        self.next = None;
        Poll::Ready(Some(match fetched {
            Ok(Ok((source, piece))) => {
                self.remaining = source.remaining();
                if self.remaining > 0 {
                    self.next = Some(fetch(source));
                }
                Ok(piece)
            }
            Ok(Err(error)) => Err(error.into()),
            Err(error) => Err(error.into()),
        }))
    }
}

impl ByteStream for Pieces {
    fn remaining_length(&self) -> RemainingLength {
        usize::try_from(self.remaining)
            .map_or_else(|_| RemainingLength::unknown(), RemainingLength::new_exact)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use futures::TryStreamExt as _;

    use super::*;

    #[tokio::test]
    async fn every_range_over_several_files_gives_its_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let files = Arc::new(Files::open(folder.path()).unwrap());
        let content: Vec<u8> = (0..=255).cycle().take(2000).map(|byte: u8| byte).collect();
        let blobs: Vec<Blob> = [&content[..700], &content[700..701], &content[701..]]
            .into_iter()
            .map(|part| {
                let (mut file, temporary) = files.create().unwrap();
                file.write_all(part).unwrap();
                temporary.keep(part.len() as u64).unwrap()
            })
            .collect();
        let source = |range: Range<u64>| Source::new(&files, &blobs, files.pin(&blobs), &range);
        for (from, to) in [
            (0, 2000),
            (0, 1),
            (699, 702),
            (700, 701),
            (1999, 2000),
            (5, 5),
        ] {
            let wanted = &content[from..to];
            let range = from as u64..to as u64;
            assert_eq!(source(range.clone()).read_all().unwrap(), wanted);
            let streamed: Vec<Bytes> = source(range).into_stream().try_collect().await.unwrap();
            assert_eq!(streamed.concat(), wanted);
        }
    }
}
