//! Sets of rows of one file.

use std::ops::Range;

use roaring::RoaringBitmap;

use crate::{DeletionVector, Error, Result};

/// Positions of rows of one data file, physical and from 0: the rows to read.
///
/// ```
/// use paimon_spec::RowSet;
///
/// let rows = RowSet::from_positions([1, 2, 3, 7]);
/// assert_eq!(rows.ranges_in(2, 8).collect::<Vec<_>>(), [2..4, 7..8]);
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RowSet(pub(super) RoaringBitmap);

impl RowSet {
    /// From positions below 2^32.
    pub fn from_positions(positions: impl IntoIterator<Item = u32>) -> Self {
        Self(positions.into_iter().collect())
    }

    /// The rows of a range.
    ///
    /// # Errors
    /// `Unsupported` when it ends after row 2^32.
    pub fn from_range(range: Range<u64>) -> Result<Self> {
        Self::from_ranges([range])
    }

    /// The rows of all ranges.
    ///
    /// # Errors
    /// `Unsupported` when one ends after row 2^32.
    pub fn from_ranges(ranges: impl IntoIterator<Item = Range<u64>>) -> Result<Self> {
        let mut rows = RoaringBitmap::new();
        for range in ranges {
            if range.end > 1 << 32 {
                let message =
                    format!("choosing rows of a file of more than 2^32 rows ({} here) is not supported", range.end);
                return Err(Error::unsupported(message));
            }
            if range.start < range.end {
                rows.insert_range(range.start as u32..=(range.end - 1) as u32);
            }
        }
        Ok(Self(rows))
    }

    /// The rows that are in both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self(&self.0 & &other.0)
    }

    /// The rows that are in one of them, or in both.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        Self(&self.0 | &other.0)
    }

    /// The rows that are not in `other`.
    #[must_use]
    pub fn and_not(&self, other: &Self) -> Self {
        Self(&self.0 - &other.0)
    }

    /// The first `count` rows.
    #[must_use]
    pub fn first(&self, count: u64) -> Self {
        let mut rows = self.0.clone();
        if let Some(end) = u32::try_from(count).ok().and_then(|count| rows.select(count)) {
            rows.remove_range(end..);
        }
        Self(rows)
    }

    /// Each row `by` positions later, or earlier where it is negative. Rows that would have no position are left out.
    #[must_use]
    pub fn shifted(&self, by: i64) -> Self {
        if by == 0 {
            return self.clone();
        }
        let mut rows = RoaringBitmap::new();
        for range in self.ranges_in(0, 1 << 32) {
            let place = |position: u64| position.saturating_add_signed(by).min(1 << 32);
            let (start, end) = (place(range.start), place(range.end));
            if start < end {
                rows.insert_range(start as u32..=(end - 1) as u32);
            }
        }
        Self(rows)
    }

    /// Number of rows.
    pub fn len(&self) -> u64 {
        self.0.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the row at `position` is one of them.
    pub fn contains(&self, position: u64) -> bool {
        u32::try_from(position).is_ok_and(|position| self.0.contains(position))
    }

    /// The positions, ascending.
    pub fn positions(&self) -> impl Iterator<Item = u64> + '_ {
        self.0.iter().map(u64::from)
    }

    /// The rows from `start` (inclusive) to `end` (exclusive) as ranges, ascending, with a row between any two of them
    /// that is not in the set.
    pub fn ranges_in(&self, start: u64, end: u64) -> impl Iterator<Item = Range<u64>> + '_ {
        let first = u32::try_from(start).ok();
        let last = u32::try_from(end.saturating_sub(1)).unwrap_or(u32::MAX);
        let rows = first.filter(|first| start < end && *first <= last).map(|first| self.0.range(first..=last));
        rows.into_iter().flat_map(|mut rows| {
            std::iter::from_fn(move || rows.next_range())
                .map(|range| u64::from(*range.start())..u64::from(*range.end()) + 1)
        })
    }

    /// The rows that are not deleted.
    #[must_use]
    pub fn without(&self, deleted: &DeletionVector) -> Self {
        Self(&self.0 - &deleted.first_positions())
    }
}

/// Decodes the bitmap that `bytes` start with, of rows of a file of `row_count` rows; gives the bytes after it.
pub(super) fn decode_rows(bytes: &[u8], row_count: u32) -> Result<(RoaringBitmap, &[u8])> {
    const NO_RUNS: u32 = 12_346;
    let word = |at: usize| bytes.get(at..at + 4).and_then(|word| word.try_into().ok()).map(u32::from_le_bytes);
    let containers = match word(0) {
        Some(NO_RUNS) => word(4),
        Some(cookie) => Some((cookie >> 16) + 1),
        None => None,
    };
    // A container holds 2^16 rows and takes up to 8 KiB of memory, whatever it takes here.
    let most = row_count.div_ceil(1 << 16);
    match containers {
        Some(containers) if containers <= most => {}
        _ => return Err(Error::corrupt(format!("expected a Roaring bitmap of {row_count} rows, found other bytes"))),
    }
    let mut rest = bytes;
    let rows = RoaringBitmap::deserialize_from(&mut rest).map_err(|error| {
        Error::corrupt(format!("expected a Roaring bitmap of {row_count} rows, found other bytes")).with_source(error)
    })?;
    match rows.max() {
        Some(max) if max >= row_count => {
            Err(Error::corrupt(format!("expected rows below {row_count} in a bitmap, found {max}")))
        }
        _ => Ok((rows, rest)),
    }
}

/// Decodes a bitmap that is all of `bytes`.
pub(super) fn decode_all_rows(bytes: &[u8], row_count: u32) -> Result<RoaringBitmap> {
    match decode_rows(bytes, row_count)? {
        (rows, []) => Ok(rows),
        (_, rest) => Err(Error::corrupt(format!("expected the end of a bitmap, found {} more bytes", rest.len()))),
    }
}

/// The portable form, with runs where they are smaller, as Java writes it.
pub(super) fn encode_rows(mut rows: RoaringBitmap) -> Result<Vec<u8>> {
    rows.optimize();
    let mut bytes = Vec::with_capacity(rows.serialized_size());
    rows.serialize_into(&mut bytes).map_err(|error| Error::internal("paimon-spec", error))?;
    Ok(bytes)
}
