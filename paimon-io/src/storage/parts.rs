//! Parts of a file, each with the memory that it goes into.

use std::{
    io::{self, IoSliceMut, Read, Seek, SeekFrom},
    ops::Range,
};

use bytes::BytesMut;

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

/// Cuts the parts into runs that follow one another with at most `gap` bytes between, as ranges of their indexes. Not
/// every store takes an empty range, and none is needed for it: empty parts neither begin nor end a run.
pub(super) fn runs(parts: &[FilePart], gap: u64) -> Vec<Range<usize>> {
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
