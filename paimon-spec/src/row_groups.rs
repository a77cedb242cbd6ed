//! Which files of a data-evolution table make rows together.
//!
//! A file of such a table has the values of some columns for a range of row ids. The files of one range make a *row
//! group*: a column of its rows comes from the newest file that has it. Columns kept in `.blob` files come from several
//! of them, each with a part of the range.

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::ops::Range;

use crate::row_tracking::blob_column;
use crate::{DataFileMeta, Error, FieldId, Result, TableSchema, is_row_tracking_field};

/// Files that make the rows of one range of row ids together. Files are named by their position in the slice that
/// [`row_groups`] was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowGroup {
    /// The ids of the rows.
    pub rows: Range<i64>,
    /// Files of columns, newest first; at least one, and each has exactly [`Self::rows`].
    pub data: Vec<usize>,
    /// `.blob` files, by their first row id, of those the newest first; each has a part of [`Self::rows`].
    pub blobs: Vec<usize>,
}

/// Where the values of a column come from; see [`RowGroup::source`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ColumnSource {
    /// From the file of this position, for all rows.
    File(usize),
    /// From `.blob` files, in the order of [`RowGroup::blobs`]: for each row from the newest file that has the row and
    /// does not leave it to older ones.
    Blobs(Vec<usize>),
    /// No file has it: NULL.
    Nowhere,
}

/// The row groups of files of one partition of a data-evolution table, by their row ids. Files of one group that are
/// equally new keep their order.
///
/// # Errors
/// `CorruptData` when a file has no row ids, when files of columns share a part of their ranges and not all, and when a
/// `.blob` file has rows that no file of columns has; `Unsupported` for vector and video files.
pub fn row_groups<F: AsRef<DataFileMeta>>(files: &[F]) -> Result<Vec<RowGroup>> {
    let meta = |at: usize| files[at].as_ref();
    let (mut data, mut blobs) = (Vec::new(), Vec::new());
    for (at, file) in files.iter().map(F::as_ref).enumerate() {
        file.check_kind()?;
        let rows = checked_rows(file)?;
        if file.is_blob() { &mut blobs } else { &mut data }.push((rows, at));
    }
    let newest_first = |at: &usize| Reverse(meta(*at).max_sequence_number);
    // Sorting is stable, so equals keep the order of the slice.
    data.sort_by_key(|(rows, at)| (rows.start, rows.end, newest_first(at)));
    blobs.sort_by_key(|(rows, at)| (rows.start, newest_first(at)));

    let mut groups: Vec<RowGroup> = Vec::new();
    for (rows, at) in data {
        match groups.last_mut() {
            Some(group) if group.rows == rows => group.data.push(at),
            Some(group) if group.rows.end > rows.start => {
                let other = group.data.first().map_or("", |other| meta(*other).file_name.as_str());
                return Err(Error::corrupt(format!(
                    "expected files of equal or distinct row ids, found {rows:?} in {} and {:?} in {other}",
                    meta(at).file_name,
                    group.rows
                )));
            }
            _ => groups.push(RowGroup { rows, data: vec![at], blobs: Vec::new() }),
        }
    }
    for (rows, at) in blobs {
        let place = groups.partition_point(|group| group.rows.end <= rows.start);
        match groups.get_mut(place).filter(|group| group.rows.start <= rows.start && rows.end <= group.rows.end) {
            Some(group) => group.blobs.push(at),
            None => {
                return Err(Error::corrupt(format!(
                    "expected a .blob file within the row ids of a data file, found {rows:?}"
                ))
                .with_context("file", &meta(at).file_name));
            }
        }
    }
    Ok(groups)
}

impl RowGroup {
    /// The files, in reading order: [`Self::data`], then [`Self::blobs`].
    pub fn files(&self) -> impl Iterator<Item = usize> + '_ {
        self.data.iter().chain(&self.blobs).copied()
    }

    /// The number of rows, deleted ones included.
    pub fn row_count(&self) -> i64 {
        self.rows.end - self.rows.start
    }

    /// The file whose deletion vector counts for the whole group: the oldest of columns (Java
    /// `DataEvolutionUtils.retrieveAnchorFile`). Positions in the vector count from the group's first row.
    pub fn anchor<F: AsRef<DataFileMeta>>(&self, files: &[F]) -> Option<usize> {
        self.data
            .iter()
            .copied()
            .min_by_key(|at| files.get(*at).map(AsRef::as_ref).map(|file| (file.max_sequence_number, &file.file_name)))
    }

    /// Where the values of the column `field` come from. `schema_of` gives the schemas that files were written with.
    ///
    /// [`SEQUENCE_NUMBER`](crate::SEQUENCE_NUMBER) and [`ROW_ID`](crate::ROW_ID) come from the newest file of columns.
    ///
    /// # Errors
    /// `CorruptData` when `schema_of` has no schema of a file, and when a `.blob` file does not have one column.
    pub fn source<'s, F: AsRef<DataFileMeta>>(
        &self,
        files: &[F],
        field: FieldId,
        schema_of: &dyn Fn(i64) -> Option<&'s TableSchema>,
    ) -> Result<ColumnSource> {
        let schema = |file: &DataFileMeta| {
            schema_of(file.schema_id).ok_or_else(|| {
                Error::corrupt(format!("expected schema {} of a data file, found none", file.schema_id))
                    .with_context("file", &file.file_name)
            })
        };
        for at in &self.data {
            let file = files[*at].as_ref();
            if is_row_tracking_field(field) || file.holds(schema(file)?, field) {
                return Ok(ColumnSource::File(*at));
            }
        }
        let mut blobs = Vec::new();
        for at in &self.blobs {
            let file = files[*at].as_ref();
            let column = blob_column(file)?;
            if schema(file)?.field(column).is_some_and(|column| column.id == field) {
                blobs.push(*at);
            }
        }
        Ok(if blobs.is_empty() { ColumnSource::Nowhere } else { ColumnSource::Blobs(blobs) })
    }
}

/// The row ids of a file, which a file of a data-evolution table has.
fn checked_rows(file: &DataFileMeta) -> Result<Range<i64>> {
    let wrong = |what: String| Error::corrupt(what).with_context("file", &file.file_name);
    let first = file.first_row_id.filter(|first| *first >= 0).ok_or_else(|| {
        wrong(format!("expected a first row id from 0 of a data file, found {:?}", file.first_row_id))
    })?;
    let end = first.checked_add(file.row_count).filter(|end| *end > first);
    let end = end.ok_or_else(|| wrong(format!("expected rows after row id {first}, found {}", file.row_count)))?;
    Ok(first..end)
}
