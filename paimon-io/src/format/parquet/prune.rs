//! Which row groups and which rows of a Parquet file are worth reading.

use std::ops::Range;

use paimon_spec::{ColumnStats, DataField, Error, FieldId, Predicate, Result};
use parquet::{
    arrow::arrow_reader::RowSelection,
    file::{
        metadata::{ParquetMetaData, RowGroupMetaData},
        page_index::column_index::ColumnIndexMetaData,
    },
};

use super::{
    super::batches::WantedRows,
    stats::{chunk_stats, page_stats},
};

/// A column of the read that statistics can be had for: its field, and its leaf in the file.
pub(super) struct Leaf<'a> {
    pub(super) field: &'a DataField,
    pub(super) index: usize,
}

/// What to read of a file.
#[derive(Debug)]
pub(super) struct Selection {
    /// Row groups, ascending.
    pub(super) row_groups: Vec<usize>,
    /// Rows of these row groups, counted through them; `None`: all.
    pub(super) rows: Option<RowSelection>,
    /// How many rows that is.
    pub(super) row_count: u64,
}

/// Leaves out row groups and pages in which no row passes, and rows that are not wanted.
///
/// Rows are wanted by their positions in the file, which are turned into rows of the chosen row groups here, where both
/// counts are known.
pub(super) fn select(
    metadata: &ParquetMetaData,
    leaves: &[Leaf<'_>],
    predicate: Option<&Predicate>,
    wanted: &WantedRows,
) -> Result<Selection> {
    let (mut row_groups, mut kept, mut chosen_rows) = (Vec::new(), Vec::new(), 0usize);
    for group in worth_reading(metadata, leaves, predicate, wanted)? {
        row_groups.push(group.index);
        // Rows are counted through the chosen row groups.
        kept.extend(group.ranges.into_iter().map(|r| r.start + chosen_rows..r.end + chosen_rows));
        chosen_rows = chosen_rows.checked_add(group.rows).ok_or_else(too_many_rows)?;
    }
    let row_count = kept.iter().map(|r| r.len()).sum::<usize>();
    let rows = (row_count < chosen_rows).then(|| RowSelection::from_consecutive_ranges(kept.into_iter(), chosen_rows));
    Ok(Selection { row_groups, rows, row_count: row_count as u64 })
}

/// The same rows by their positions in the file, ascending.
pub(super) fn positions(
    metadata: &ParquetMetaData,
    leaves: &[Leaf<'_>],
    predicate: Option<&Predicate>,
    wanted: &WantedRows,
) -> Result<Vec<Range<u64>>> {
    let in_file = |group: Group| {
        group.ranges.into_iter().map(move |range| group.start + range.start as u64..group.start + range.end as u64)
    };
    Ok(worth_reading(metadata, leaves, predicate, wanted)?.into_iter().flat_map(in_file).collect())
}

/// A row group with rows that are worth reading.
struct Group {
    index: usize,
    /// Rows of the file before it.
    start: u64,
    /// Rows of the group.
    rows: usize,
    /// The rows that are worth reading, counted from the first one of the group.
    ranges: Vec<Range<usize>>,
}

fn worth_reading(
    metadata: &ParquetMetaData,
    leaves: &[Leaf<'_>],
    predicate: Option<&Predicate>,
    wanted: &WantedRows,
) -> Result<Vec<Group>> {
    let mut groups = Vec::new();
    // Rows of the file before the group.
    let mut file_rows = 0u64;
    for (index, group) in metadata.row_groups().iter().enumerate() {
        let rows = usize::try_from(group.num_rows())
            .map_err(|_| Error::corrupt(format!("row group {index} has {} rows", group.num_rows())))?;
        let start = file_rows;
        file_rows = file_rows.checked_add(rows as u64).ok_or_else(too_many_rows)?;
        if rows == 0 || predicate.is_some_and(|p| !p.may_match(rows as i64, &|id| group_stats(group, leaves, id))) {
            continue;
        }
        let in_group = |range: Range<u64>| (range.start - start) as usize..(range.end - start) as usize;
        let mut ranges: Vec<_> = wanted.within(start..file_rows).into_iter().map(in_group).collect();
        if let Some(predicate) = predicate.filter(|_| !ranges.is_empty()) {
            skip_pages(metadata, index, rows, leaves, predicate, &mut ranges);
        }
        if ranges.is_empty() {
            continue;
        }
        groups.push(Group { index, start, rows, ranges });
    }
    Ok(groups)
}

fn too_many_rows() -> Error {
    Error::corrupt("row counts overflow")
}

fn group_stats(group: &RowGroupMetaData, leaves: &[Leaf<'_>], id: FieldId) -> ColumnStats {
    let leaf = leaves.iter().find(|leaf| leaf.field.id == id);
    match leaf.and_then(|leaf| Some((leaf, group.columns().get(leaf.index)?))) {
        Some((leaf, chunk)) => chunk_stats(chunk, &leaf.field.data_type),
        None => ColumnStats::default(),
    }
}

/// Takes out of `ranges` the pages in which no row passes. Pages of two columns have different borders, so each part of
/// the condition is asked about the pages of its one column; parts on several columns are left to the filter.
fn skip_pages(
    metadata: &ParquetMetaData,
    group: usize,
    rows: usize,
    leaves: &[Leaf<'_>],
    predicate: &Predicate,
    ranges: &mut Vec<Range<usize>>,
) {
    let (Some(columns), Some(offsets)) = (metadata.column_index(), metadata.offset_index()) else {
        return;
    };
    let (Some(columns), Some(offsets)) = (columns.get(group), offsets.get(group)) else {
        return;
    };
    let parts = match predicate {
        Predicate::And(parts) => parts.as_slice(),
        other => std::slice::from_ref(other),
    };
    for part in parts {
        let [id] = part.fields()[..] else { continue };
        let Some(leaf) = leaves.iter().find(|leaf| leaf.field.id == id) else { continue };
        let (Some(column), Some(offset)) = (columns.get(leaf.index), offsets.get(leaf.index)) else { continue };
        // A column may have no index of its own, for example one with NaN.
        if matches!(column, ColumnIndexMetaData::NONE) {
            continue;
        }
        let pages = offset.page_locations();
        if column.num_pages() != pages.len() as u64 {
            continue;
        }
        let descriptor = metadata.row_group(group).column(leaf.index).column_descr();
        let mut passing: Vec<Range<usize>> = Vec::new();
        for (page, location) in pages.iter().enumerate() {
            let end = pages.get(page + 1).map_or(rows as i64, |next| next.first_row_index);
            let (Ok(start), Ok(end)) = (usize::try_from(location.first_row_index), usize::try_from(end)) else {
                return;
            };
            if start > end || end > rows {
                return;
            }
            let stats = page_stats(column, page, descriptor, &leaf.field.data_type);
            if part.may_match((end - start) as i64, &|_| stats.clone()) {
                match passing.last_mut() {
                    Some(last) if last.end == start => last.end = end,
                    _ => passing.push(start..end),
                }
            }
        }
        *ranges = intersect(ranges, &passing);
    }
}

fn intersect(a: &[Range<usize>], b: &[Range<usize>]) -> Vec<Range<usize>> {
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    let mut both = Vec::new();
    while let (Some(x), Some(y)) = (a.peek(), b.peek()) {
        let (start, end) = (x.start.max(y.start), x.end.min(y.end));
        if start < end {
            both.push(start..end);
        }
        if x.end <= y.end {
            a.next()
        } else {
            b.next()
        };
    }
    both
}
