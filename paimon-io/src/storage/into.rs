//! Reading parts of a file into memory that the caller brings.

use std::{
    io::{self, IoSliceMut, Read, Seek, SeekFrom},
    ops::Range,
};

use bytes::BytesMut;
use futures::StreamExt;
use object_store::{GetOptions, GetRange, ObjectStore, path::Path};
use paimon_spec::Result;

use super::Storage;
use crate::convert_error::storage_error;

/// A part of a file, and the memory that it goes into.
#[derive(Debug, Default)]
pub struct FilePart {
    /// Its first byte in the file.
    pub start: u64,
    /// As long as the part.
    pub bytes: BytesMut,
}

impl FilePart {
    /// The bytes of the file that it wants.
    pub fn range(&self) -> Range<u64> {
        self.start..self.start.saturating_add(self.bytes.len() as u64)
    }
}

impl Storage {
    /// Fills parts of a file, in the order given; `gap` bytes between two of them are no reason for another request. On
    /// local files gaps are passed over, neighbours are read by one call of the system, and nothing is copied.
    ///
    /// # Errors
    /// `NotFound` when the file is absent, `CorruptData` when a part ends after the file.
    pub async fn read_into(&self, path: &str, parts: Vec<FilePart>, gap: u64) -> Result<Vec<FilePart>> {
        let location = self.path(path)?;
        let wanted: Vec<Range<u64>> = parts.iter().map(FilePart::range).collect();
        let read = match &self.shared.local {
            Some(local) => local.read_into(&location, parts).await,
            None => fetch_into(self.shared.store.as_ref(), &location, parts, gap).await,
        };
        match read {
            Ok(parts) => Ok(parts),
            Err(error @ object_store::Error::Generic { .. }) => {
                Err(self.outside(path, &wanted).await.unwrap_or_else(|| storage_error(&self.url(path))(error)))
            }
            Err(error) => Err(storage_error(&self.url(path))(error)),
        }
    }
}

/// Cuts the parts into runs that follow one another with at most `gap` bytes between, as ranges of their indexes. Not
/// every store takes an empty range, and none is needed for it: empty parts neither begin nor end a run.
fn runs(parts: &[FilePart], gap: u64) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    let mut end = 0;
    for (index, part) in parts.iter().enumerate().filter(|(_, part)| !part.bytes.is_empty()) {
        match runs.last_mut() {
            Some(run) if part.start.checked_sub(end).is_some_and(|between| between <= gap) => {
                run.end = index + 1;
            }
            _ => runs.push(index..index + 1),
        }
        end = part.range().end;
    }
    runs
}

/// Fills the parts from a local file.
pub(super) fn read_parts(mut file: impl Read + Seek, parts: &mut [FilePart]) -> io::Result<()> {
    for run in runs(parts, 0) {
        let run = &mut parts[run];
        file.seek(SeekFrom::Start(run[0].start))?;
        let mut slices: Vec<IoSliceMut<'_>> =
            run.iter_mut().filter(|part| !part.bytes.is_empty()).map(|part| IoSliceMut::new(&mut part.bytes)).collect();
        let mut left = slices.as_mut_slice();
        while !left.is_empty() {
            match file.read_vectored(left) {
                Ok(0) => {
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file ends before the part does"));
                }
                Ok(count) => IoSliceMut::advance_slices(&mut left, count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

/// Fills the parts by one request for each run. What comes is copied as it comes, gaps are dropped.
async fn fetch_into(
    store: &dyn ObjectStore,
    location: &Path,
    mut parts: Vec<FilePart>,
    gap: u64,
) -> object_store::Result<Vec<FilePart>> {
    for run in runs(&parts, gap) {
        let run = &mut parts[run];
        let wanted = run[0].start..run[run.len() - 1].range().end;
        let options = GetOptions { range: Some(GetRange::Bounded(wanted.clone())), ..GetOptions::default() };
        let mut chunks = store.get_opts(location, options).await?.into_stream();
        let mut at = wanted.start;
        let mut part = 0;
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk?;
            let chunk_end = at + chunk.len() as u64;
            while let Some(FilePart { start, bytes }) = run.get_mut(part) {
                let end = *start + bytes.len() as u64;
                let (from, to) = (at.max(*start), chunk_end.min(end));
                if from < to {
                    // Both ranges are inside: of the part as well as of the chunk.
                    let target = &mut bytes[(from - *start) as usize..(to - *start) as usize];
                    target.copy_from_slice(&chunk[(from - at) as usize..(to - at) as usize]);
                }
                if chunk_end < end && !bytes.is_empty() {
                    break;
                }
                part += 1;
            }
            at = chunk_end;
        }
        if at < wanted.end {
            return Err(short(location, &wanted, at - wanted.start));
        }
    }
    Ok(parts)
}

fn short(location: &Path, wanted: &Range<u64>, received: u64) -> object_store::Error {
    let text = format!("wanted bytes {}..{} of {location}, found {received}", wanted.start, wanted.end);
    object_store::Error::Generic { store: "storage", source: io::Error::new(io::ErrorKind::UnexpectedEof, text).into() }
}

#[cfg(test)]
mod tests;
