//! Splits: units of reading.

#[cfg(test)]
mod tests;
pub(crate) mod wire;

use std::ops::Range;

use wire::{WireReader, WireWriter};

use crate::data_file;
use crate::{BinaryRow, BinaryRowWriter, DataFileMeta, DeletionFile, Error, Result, RowGroup, RowView, row_groups};

/// Starts the bytes of a split since version 2.
const MAGIC: i64 = -2_394_839_472_490_812_314;
/// The version that is written.
const VERSION: i32 = 9;
/// Starts the bytes of a split of which not all rows are read, before those of the split itself: Java has no such thing.
const SLICED_MAGIC: i64 = -8_241_771_320_945_610_377;

/// Files of one bucket that are read together, as of one snapshot (Java `DataSplit`).
#[derive(Debug, Clone, PartialEq)]
pub struct DataSplit {
    /// The snapshot that was planned.
    pub snapshot_id: i64,
    /// Values of the partition columns.
    pub partition: BinaryRow,
    /// The bucket, from 0.
    pub bucket: i32,
    /// Folder of the files, relative to the table root.
    pub bucket_path: String,
    /// The number of buckets when the files were written; `None`: unknown.
    pub total_buckets: Option<i32>,
    /// The files, in the order in which they are to be read.
    pub files: Vec<DataFileMeta>,
    /// One for each file, or empty when no file has one.
    pub deletions: Vec<Option<DeletionFile>>,
    /// Whether every row of the files that is not deleted is a row of the table, so nothing has to be merged. Otherwise
    /// the files are of one key range, or of whole row groups of a data-evolution table.
    pub raw_convertible: bool,
    /// One for each file, or empty when all rows of all files are to be read: the physical positions (0-based) of the
    /// rows to read; `None`: all of that file. A range is not empty and ends within its file.
    pub rows: Vec<Option<Range<u64>>>,
}

impl DataSplit {
    /// Physical rows that are to be read.
    pub fn row_count(&self) -> i64 {
        let whole = self.files.iter().map(|file| file.row_count);
        let cut = |(file, rows): (i64, &Option<Range<u64>>)| match rows {
            None => file,
            Some(rows) => i64::try_from(rows.end.saturating_sub(rows.start)).unwrap_or(i64::MAX),
        };
        match self.rows.as_slice() {
            [] => whole.fold(0, i64::saturating_add),
            rows => whole.zip(rows).map(cut).fold(0, i64::saturating_add),
        }
    }

    /// Rows that a read gives, when deletions tell their cardinality; `None` when only reading can tell.
    pub fn merged_row_count(&self) -> Option<i64> {
        if self.raw_convertible {
            return self.rows_left(self.row_count(), 0..self.files.len());
        }
        // Files with row ids make rows together, the same ones: they are of a data-evolution table.
        if self.files.iter().any(|file| file.first_row_id.is_none()) {
            return None;
        }
        let groups = row_groups(&self.files).ok()?;
        let rows_of = |group: &RowGroup| {
            let ranges = group.data.first().and_then(|at| self.rows.get(*at)).and_then(Option::as_ref);
            let rows = match ranges {
                None => group.row_count(),
                Some(rows) => i64::try_from(rows.end.checked_sub(rows.start)?).ok()?,
            };
            self.rows_left(rows, group.data.iter().copied())
        };
        groups.iter().try_fold(0_i64, |sum, group| sum.checked_add(rows_of(group)?))
    }

    /// `rows` less those that the deletions of `files` take away.
    fn rows_left(&self, mut rows: i64, files: impl Iterator<Item = usize>) -> Option<i64> {
        for position in files {
            let Some(Some(deletion)) = self.deletions.get(position) else { continue };
            if self.rows.get(position).is_some_and(Option::is_some) {
                return None;
            }
            rows = rows.checked_sub(deletion.cardinality?)?;
        }
        (rows >= 0).then_some(rows)
    }

    /// Java's `DataSplit` v9 bytes; a split of which not all rows are read has its ranges before them.
    ///
    /// # Errors
    /// `InvalidInput` when there are deletions or ranges of rows, but not one for each file, or a text is too long for
    /// the format.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut out = WireWriter::default();
        self.write_rows(&mut out)?;
        out.i64(MAGIC);
        out.i32(VERSION);
        out.i64(self.snapshot_id);
        out.row(&self.partition)?;
        out.i32(self.bucket);
        out.utf(&self.bucket_path)?;
        out.bool(self.total_buckets.is_some());
        if let Some(total) = self.total_buckets {
            out.i32(total);
        }
        // Once the files before a change, and their deletions.
        out.i32(0);
        out.bool(false);
        write_files(&mut out, &self.files)?;
        self.write_deletions(&mut out)?;
        // Whether a streaming read planned it.
        out.bool(false);
        out.bool(self.raw_convertible);
        Ok(out.bytes)
    }

    /// Reads Java's `DataSplit` bytes, of version 1 to 9, and what [`Self::to_bytes`] gives.
    ///
    /// # Errors
    /// `Unsupported` for other versions, and for splits of streaming reads; `CorruptData` when the bytes are not a
    /// split.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let mut input = WireReader::new(bytes);
        let mut first = input.i64()?;
        let mut rows = Vec::new();
        if first == SLICED_MAGIC {
            rows = read_rows(&mut input)?;
            first = input.i64()?;
        }
        // Version 1 had no magic: it started with the snapshot.
        let (version, snapshot_id) = match first {
            MAGIC => (input.i32()?, input.i64()?),
            snapshot_id => (1, snapshot_id),
        };
        let file_fields = match version {
            1 => 15,
            2 => 16,
            3 | 4 => 17,
            5 | 6 => 18,
            7 => 19,
            8 => 20,
            9 => data_file::FIELDS,
            _ => return Err(Error::unsupported(format!("version {version} of splits is not supported yet"))),
        };
        let has_cardinality = version >= 4;
        let partition = input.row()?;
        let bucket = input.i32()?;
        let bucket_path = input.utf()?;
        let total_buckets = if version >= 6 && input.bool()? { Some(input.i32()?) } else { None };
        if input.i32()? != 0 || input.bool()? {
            return Err(Error::unsupported("splits with files before a change are not supported"));
        }
        let files = read_files(&mut input, file_fields)?;
        let deletions = read_deletions(&mut input, has_cardinality, files.len())?;
        if input.bool()? {
            return Err(Error::unsupported("splits of streaming reads are not supported yet"));
        }
        let raw_convertible = input.bool()?;
        input.finish()?;
        let split = Self {
            snapshot_id,
            partition,
            bucket,
            bucket_path,
            total_buckets,
            files,
            deletions,
            raw_convertible,
            rows,
        };
        split.check_rows().map_err(Error::corrupt)?;
        Ok(split)
    }

    /// What is wrong with the ranges of rows.
    fn check_rows(&self) -> std::result::Result<(), String> {
        if !self.rows.is_empty() && self.rows.len() != self.files.len() {
            return Err(format!("expected rows for each of {} files, found {}", self.files.len(), self.rows.len()));
        }
        for (file, rows) in self.files.iter().zip(&self.rows) {
            let fits =
                |rows: &Range<u64>| rows.start < rows.end && i64::try_from(rows.end).is_ok_and(|e| e <= file.row_count);
            if let Some(rows) = rows.as_ref().filter(|rows| !fits(rows)) {
                return Err(format!(
                    "expected a range within the {} rows of {}, found {}..{}",
                    file.row_count, file.file_name, rows.start, rows.end
                ));
            }
        }
        Ok(())
    }

    fn write_rows(&self, out: &mut WireWriter) -> Result<()> {
        self.check_rows().map_err(Error::invalid)?;
        if self.rows.iter().all(Option::is_none) {
            return Ok(());
        }
        out.i64(SLICED_MAGIC);
        out.len(self.rows.len())?;
        for rows in &self.rows {
            out.bool(rows.is_some());
            if let Some(rows) = rows {
                // Checked: no range ends after its file, whose rows an i64 counts.
                out.i64(rows.start.cast_signed());
                out.i64(rows.end.cast_signed());
            }
        }
        Ok(())
    }

    fn write_deletions(&self, out: &mut WireWriter) -> Result<()> {
        let (files, deletions) = (self.files.len(), self.deletions.len());
        out.bool(deletions > 0);
        if deletions == 0 {
            return Ok(());
        }
        if deletions != files {
            return Err(Error::invalid(format!("expected a deletion for each of {files} files, found {deletions}")));
        }
        out.len(deletions)?;
        for deletion in &self.deletions {
            out.bool(deletion.is_some());
            if let Some(deletion) = deletion {
                out.utf(&deletion.path)?;
                out.i64(deletion.offset);
                out.i64(deletion.length);
                out.i64(deletion.cardinality.unwrap_or(-1));
            }
        }
        Ok(())
    }
}

/// Writes a list of data files.
pub(crate) fn write_files(out: &mut WireWriter, files: &[DataFileMeta]) -> Result<()> {
    out.len(files.len())?;
    let mut row = BinaryRowWriter::new(data_file::FIELDS);
    for file in files {
        file.encode_row(&mut row);
        out.bytes(row.as_bytes())?;
    }
    Ok(())
}

/// Reads a list of data files whose rows have `fields` fields.
pub(crate) fn read_files(input: &mut WireReader<'_>, fields: usize) -> Result<Vec<DataFileMeta>> {
    (0..input.len()?).map(|_| DataFileMeta::decode_row(RowView::new(fields, input.bytes()?)?)).collect()
}

fn read_rows(input: &mut WireReader<'_>) -> Result<Vec<Option<Range<u64>>>> {
    let len = input.len()?;
    let mut rows = Vec::with_capacity(len);
    for _ in 0..len {
        // Whether it fits is checked against the files.
        let range = if input.bool()? { Some(input.i64()?.cast_unsigned()..input.i64()?.cast_unsigned()) } else { None };
        rows.push(range);
    }
    Ok(rows)
}

fn read_deletions(
    input: &mut WireReader<'_>,
    has_cardinality: bool,
    files: usize,
) -> Result<Vec<Option<DeletionFile>>> {
    if !input.bool()? {
        return Ok(Vec::new());
    }
    let len = input.len()?;
    if len != files {
        return Err(Error::corrupt(format!("expected a deletion for each of {files} files, found {len}")));
    }
    let mut deletions = Vec::with_capacity(len);
    for _ in 0..len {
        deletions.push(if input.bool()? { Some(read_deletion(input, has_cardinality)?) } else { None });
    }
    if deletions.iter().all(Option::is_none) {
        deletions.clear();
    }
    Ok(deletions)
}

fn read_deletion(input: &mut WireReader<'_>, has_cardinality: bool) -> Result<DeletionFile> {
    let (path, offset, length) = (input.utf()?, input.i64()?, input.i64()?);
    let cardinality = if has_cardinality { Some(input.i64()?).filter(|cardinality| *cardinality != -1) } else { None };
    Ok(DeletionFile { path, offset, length, cardinality })
}
