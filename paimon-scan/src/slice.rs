//! A part of the rows of a plan, for one of several readers.

#[cfg(test)]
mod tests;

use std::ops::Range;

use paimon_spec::{DataSplit, Error, Result};

/// A part of the rows that a request may want, by their places in the planned files: one file after the other, deleted
/// rows counted too, files that were left out not counted (pypaimon `with_shard`, `with_slice`). Splits whose rows are
/// to be merged are not cut: they are where their first row is.
///
/// Of requests that are equal but for the slice, on one state of the table, the shards from 0 to `total` are disjoint and
/// complete, and so are slices that meet. A request for the latest state may see another one each time: name the snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Slice {
    /// The `index`-th of `total` parts, from 0, whose sizes differ by one row at most.
    Shard {
        /// Less than `total`.
        index: u32,
        /// From 1.
        total: u32,
    },
    /// The rows from `start` up to but without `end`; there may be fewer.
    Rows {
        /// Less than `end`.
        start: u64,
        /// From 1.
        end: u64,
    },
}

impl Slice {
    /// Cuts files, and leaves out those of which nothing is left.
    ///
    /// # Errors
    /// `InvalidInput` when there is no such slice, `CorruptData` when a file has less than no rows.
    pub(crate) fn cut(self, splits: Vec<DataSplit>) -> Result<Vec<DataSplit>> {
        let mut counts = Vec::new();
        let mut total = 0_u64;
        for file in splits.iter().flat_map(|split| &split.files) {
            let rows = u64::try_from(file.row_count).map_err(|_| {
                Error::corrupt(format!("expected a number of rows of {}, found {}", file.file_name, file.row_count))
            })?;
            total = total.saturating_add(rows);
            counts.push(rows);
        }
        let wanted = self.positions(total)?;
        let mut counts = counts.into_iter();
        let mut first = 0_u64;
        let mut cut = Vec::new();
        for mut split in splits {
            let counts = counts.by_ref().take(split.files.len());
            if !split.raw_convertible {
                if wanted.contains(&first) {
                    cut.push(split);
                }
                first = counts.fold(first, u64::saturating_add);
                continue;
            }
            let rows: Vec<Range<u64>> = counts
                .map(|rows| {
                    let within = |position: u64| position.saturating_sub(first).min(rows);
                    let part = within(wanted.start)..within(wanted.end);
                    first = first.saturating_add(rows);
                    part
                })
                .collect();
            let kept: Vec<bool> = rows.iter().map(|part| !part.is_empty()).collect();
            retain(&mut split.files, &kept);
            retain(&mut split.deletions, &kept);
            let mut ranges: Vec<_> = rows.into_iter().map(Some).collect();
            retain(&mut ranges, &kept);
            for (range, file) in ranges.iter_mut().zip(&split.files) {
                if range.as_ref().is_some_and(|rows| rows.start == 0 && i64::try_from(rows.end) == Ok(file.row_count)) {
                    *range = None;
                }
            }
            if ranges.iter().any(Option::is_some) {
                split.rows = ranges;
            }
            if split.deletions.iter().all(Option::is_none) {
                split.deletions.clear();
            }
            if !split.files.is_empty() {
                cut.push(split);
            }
        }
        Ok(cut)
    }

    /// The places of its rows among `total`.
    fn positions(self, total_rows: u64) -> Result<Range<u64>> {
        match self {
            Self::Shard { total: 0, .. } => Err(Error::invalid("number_of_para_subtasks must be a positive integer")),
            Self::Shard { index, total } if index >= total => {
                Err(Error::invalid("idx_of_this_subtask must be less than number_of_para_subtasks"))
            }
            Self::Shard { index, total } => {
                let (index, total) = (u64::from(index), u64::from(total));
                let (size, larger) = (total_rows / total, total_rows % total);
                let start = index * size + index.min(larger);
                Ok(start..start + size + u64::from(index < larger))
            }
            Self::Rows { start, end } if start >= end => {
                Err(Error::invalid("start_pos must be non-negative and less than end_pos"))
            }
            Self::Rows { start, end } => Ok(start..end),
        }
    }
}

/// Keeps the values whose place is true; no values stay none.
fn retain<T>(values: &mut Vec<T>, kept: &[bool]) {
    let mut kept = kept.iter();
    values.retain(|_| kept.next().copied().unwrap_or(false));
}
