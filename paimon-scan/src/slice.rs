//! A part of the rows of a plan, for one of several readers.

#[cfg(test)]
mod tests;

use std::ops::Range;

use paimon_spec::{DataFileMeta, DataSplit, Error, Result};

use crate::splits::group_lengths;

/// A part of the rows that a request may want, by their places in the planned files: one file after the other, deleted
/// rows counted too, files that were left out not counted (pypaimon `with_shard`, `with_slice`). The rows of a row group
/// count once, whatever the number of its files. Splits whose rows are to be merged by key are not cut: they are where
/// their first row is.
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
    /// Cuts files, and leaves out those of which nothing is left. Where splits have row groups (`grouped`), the files of a
    /// group are cut together.
    ///
    /// # Errors
    /// `InvalidInput` when there is no such slice, `CorruptData` when a file has less than no rows.
    pub(crate) fn cut(self, splits: Vec<DataSplit>, grouped: bool) -> Result<Vec<DataSplit>> {
        let mut parts_of_splits = Vec::with_capacity(splits.len());
        let mut total = 0_u64;
        for split in &splits {
            let parts = parts(split, grouped)?;
            total = parts.iter().fold(total, |total, part| total.saturating_add(part.rows));
            parts_of_splits.push(parts);
        }
        let wanted = self.positions(total)?;
        let mut first = 0_u64;
        let mut cut = Vec::new();
        for (mut split, parts) in splits.into_iter().zip(parts_of_splits) {
            if !split.raw_convertible && !grouped {
                if wanted.contains(&first) {
                    cut.push(split);
                }
                first = parts.iter().fold(first, |first, part| first.saturating_add(part.rows));
                continue;
            }
            let mut kept = Vec::with_capacity(split.files.len());
            let mut ranges = Vec::new();
            for Part { files, rows } in parts {
                let within = |position: u64| position.saturating_sub(first).min(rows);
                let range = within(wanted.start)..within(wanted.end);
                first = first.saturating_add(rows);
                kept.resize(kept.len() + files, !range.is_empty());
                if !range.is_empty() {
                    ranges.resize(ranges.len() + files, (range != (0..rows)).then_some(range));
                }
            }
            retain(&mut split.files, &kept);
            retain(&mut split.deletions, &kept);
            if ranges.iter().any(Option::is_some) {
                // The places of rows in `.blob` files follow from those in the others.
                let is_cut = |(range, file): (_, &DataFileMeta)| if file.is_blob() { None } else { range };
                split.rows = ranges.into_iter().zip(&split.files).map(is_cut).collect();
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

/// Files of a split that have the same rows, one after the other.
struct Part {
    files: usize,
    rows: u64,
}

fn parts(split: &DataSplit, grouped: bool) -> Result<Vec<Part>> {
    let lengths = if grouped { group_lengths(&split.files) } else { vec![1; split.files.len()] };
    let mut files = split.files.iter();
    let part = |length: usize| {
        // The first file of a row group has all of its rows.
        let file = files.next();
        let rows = file.map_or(Ok(0), |file| {
            u64::try_from(file.row_count).map_err(|_| {
                Error::corrupt(format!("expected a number of rows of {}, found {}", file.file_name, file.row_count))
            })
        });
        files.by_ref().take(length.saturating_sub(1)).for_each(drop);
        Ok(Part { files: length, rows: rows? })
    };
    lengths.into_iter().map(part).collect()
}

/// Keeps the values whose place is true; no values stay none.
fn retain<T>(values: &mut Vec<T>, kept: &[bool]) {
    let mut kept = kept.iter();
    values.retain(|_| kept.next().copied().unwrap_or(false));
}
