//! Reading parts of a file of any storage into memory that the caller brings.

use std::{io, ops::Range};

use futures::StreamExt;
use object_store::{GetOptions, GetRange, ObjectStore, path::Path};
use paimon_spec::Result;

use super::{
    Storage,
    parts::{FilePart, runs},
};
use crate::convert_error::storage_error;

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
