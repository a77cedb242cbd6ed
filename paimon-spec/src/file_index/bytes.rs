//! The bytes of a container, as far as they are at hand.

use std::cell::RefCell;
use std::ops::Range;

use bytes::Bytes;

use crate::{Error, Result};

/// How much is asked for at once where the end of what is read is not known beforehand.
const READ_AHEAD_BYTES: u64 = 64 << 10;

/// The bytes of a container of file indexes: all of them, or parts that are added as they are asked for.
///
/// ```
/// use paimon_spec::IndexBytes;
///
/// let mut bytes = IndexBytes::none_yet();
/// bytes.add(0..1024, vec![1, 2, 3].into());
/// assert_eq!(bytes.len(), Some(3));
/// ```
#[derive(Debug, Clone, Default)]
pub struct IndexBytes {
    parts: Vec<(u64, Bytes)>,
    len: Option<u64>,
}

impl IndexBytes {
    /// The whole container.
    pub fn whole(bytes: Bytes) -> Self {
        Self { len: Some(bytes.len() as u64), parts: vec![(0, bytes)] }
    }

    /// A container of which nothing has been read.
    pub fn none_yet() -> Self {
        Self::default()
    }

    /// Adds what was read for `wanted`. Less than that means that the container ends there.
    pub fn add(&mut self, wanted: Range<u64>, found: Bytes) {
        let end = wanted.start.saturating_add(found.len() as u64);
        if end < wanted.end {
            self.len = Some(self.len.map_or(end, |len| len.min(end)));
        }
        self.parts.push((wanted.start, found));
    }

    /// The length of the container, once it is known.
    pub fn len(&self) -> Option<u64> {
        self.len
    }

    /// Whether the container is known to have no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == Some(0)
    }

    fn find(&self, range: &Range<u64>) -> Option<Bytes> {
        self.parts.iter().find_map(|(start, bytes)| {
            let from = usize::try_from(range.start.checked_sub(*start)?).ok()?;
            let to = usize::try_from(range.end.checked_sub(*start)?).ok()?;
            (from <= to && to <= bytes.len()).then(|| bytes.slice(from..to))
        })
    }
}

/// Why decoding did not come to an end.
#[derive(Debug)]
pub(super) enum Stop {
    /// Bytes are not at hand; [`IndexReader::missing`] has which.
    Missing,
    /// The bytes are no index.
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

pub(super) type Step<T> = Result<T, Stop>;

/// Reads from a container and notes what is missing.
#[derive(Debug)]
pub(super) struct IndexReader<'a> {
    bytes: &'a IndexBytes,
    missing: RefCell<Vec<Range<u64>>>,
}

impl<'a> IndexReader<'a> {
    pub(super) fn new(bytes: &'a IndexBytes) -> Self {
        Self { bytes, missing: RefCell::default() }
    }

    /// A part of the container.
    pub(super) fn get(&self, range: Range<u64>) -> Step<Bytes> {
        self.get_ahead(range, 0)
    }

    /// A part of the container; when it is missing, `at_least` bytes of what follows it are asked for too.
    fn get_ahead(&self, range: Range<u64>, at_least: u64) -> Step<Bytes> {
        if let Some(len) = self.bytes.len
            && (range.start > range.end || range.end > len)
        {
            return Err(ends_early(&range, len).into());
        }
        if let Some(found) = self.bytes.find(&range) {
            return Ok(found);
        }
        let end = range.end.max(range.start.saturating_add(at_least));
        let end = self.bytes.len.map_or(end, |len| end.min(len));
        self.missing.borrow_mut().push(range.start..end);
        Err(Stop::Missing)
    }

    /// What was asked for and is not at hand.
    pub(super) fn missing(self) -> Vec<Range<u64>> {
        let mut missing = self.missing.into_inner();
        missing.sort_unstable_by_key(|range| (range.start, range.end));
        missing.dedup();
        missing
    }
}

fn ends_early(range: &Range<u64>, len: u64) -> Error {
    Error::corrupt(format!("expected bytes {}..{} of a file index, found {len} bytes", range.start, range.end))
}

/// Where one index is in a container.
#[derive(Debug, Clone)]
pub(super) struct Place<'a> {
    pub(super) reader: &'a IndexReader<'a>,
    pub(super) start: u64,
    pub(super) end: u64,
}

impl Place<'_> {
    /// `len` bytes at `at`, counted from the start of the index.
    pub(super) fn get(&self, at: u64, len: u64) -> Step<Bytes> {
        let start = self.start.saturating_add(at);
        let end = start.saturating_add(len);
        if end > self.end {
            return Err(self.too_short(at.saturating_add(len)).into());
        }
        self.reader.get(start..end)
    }

    /// All bytes from `at`.
    pub(super) fn rest(&self, at: u64) -> Step<Bytes> {
        self.get(at, (self.end - self.start).saturating_sub(at))
    }

    fn too_short(&self, wanted: u64) -> Error {
        Error::corrupt(format!("expected an index of at least {wanted} bytes, found {}", self.end - self.start))
    }
}

/// Reads forward from the start of an index, where the length of what is read is not known beforehand.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    place: &'a Place<'a>,
    at: u64,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(place: &'a Place<'a>) -> Self {
        Self { place, at: 0 }
    }

    /// Bytes read so far.
    pub(super) fn position(&self) -> u64 {
        self.at
    }

    pub(super) fn take(&mut self, len: u64) -> Step<Bytes> {
        let start = self.place.start.saturating_add(self.at);
        let end = start.saturating_add(len);
        if end > self.place.end {
            return Err(self.place.too_short(self.at.saturating_add(len)).into());
        }
        // Twice as much each time, so that a long head does not take many steps.
        let ahead = READ_AHEAD_BYTES.max(self.at).min(self.place.end - start);
        let found = self.place.reader.get_ahead(start..end, ahead)?;
        self.at += len;
        Ok(found)
    }

    fn array<const N: usize>(&mut self) -> Step<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(&self.take(N as u64)?);
        Ok(array)
    }

    pub(super) fn u8(&mut self) -> Step<u8> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    pub(super) fn i32(&mut self) -> Step<i32> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    /// A number that counts something.
    pub(super) fn count(&mut self, what: &str) -> Step<u32> {
        let count = self.i32()?;
        Ok(counted(count, what)?)
    }
}

/// A number that counts something, so it is not negative.
pub(super) fn counted(count: i32, what: &str) -> Result<u32> {
    u32::try_from(count).map_err(|_| Error::corrupt(format!("expected the number of {what}, found {count}")))
}
