//! The part of an entry that is read before deciding whether to build it.

use std::fmt;

use super::codec::slot;
use super::record::Row;
use crate::row_tracking::is_blob_file;
use crate::stats::FileStats;
use crate::{ColumnStats, FieldId, FileKind, ROW_ID, Result, RowView, TableSchema};

/// What of an entry is read before deciding whether to build it. Fields borrow from the decoded block.
///
/// Rows are in metadata form and not checked yet: see [`RowView::from_metadata`]. Lists are Avro arrays as stored, empty
/// when null or absent (an empty list has one byte), so that equal lists need decoding once.
#[derive(Clone, Copy)]
pub struct EntryHead<'a> {
    /// Whether the file is added or removed.
    pub kind: FileKind,
    /// Values of the partition columns: arity prefix, then the row.
    pub partition: &'a [u8],
    /// The bucket, from 0.
    pub bucket: i32,
    /// The table's bucket number when the file was written: -1 unaware.
    pub total_buckets: i32,
    /// Without a folder.
    pub file_name: &'a str,
    /// Physical rows.
    pub row_count: i64,
    /// Bytes.
    pub file_size: i64,
    /// Schema that the file was written with.
    pub schema_id: i64,
    /// Level in the LSM tree.
    pub level: i32,
    /// `_MIN_KEY`
    pub min_key: &'a [u8],
    /// `_MAX_KEY`
    pub max_key: &'a [u8],
    /// `_KEY_STATS`: smallest values.
    pub key_stats_min: &'a [u8],
    /// `_KEY_STATS`: largest values.
    pub key_stats_max: &'a [u8],
    /// `_VALUE_STATS`: smallest values.
    pub value_stats_min: &'a [u8],
    /// `_VALUE_STATS`: largest values.
    pub value_stats_max: &'a [u8],
    /// `_VALUE_STATS`: null counts, as a list; see [`Self::value_stats_nulls`].
    pub value_stats_nulls: &'a [u8],
    /// `_VALUE_STATS_COLS`, as a list; see [`Self::value_stats_cols`].
    pub value_stats_cols: &'a [u8],
    /// `_WRITE_COLS`, as a list; see [`Self::write_cols`].
    pub write_cols: &'a [u8],
    row: &'a Row<'a>,
}

impl<'a> EntryHead<'a> {
    pub(super) fn new(row: &'a Row<'a>) -> Result<Self> {
        let record = row.record;
        Ok(Self {
            kind: FileKind::from_code(row.int(slot::KIND)?)?,
            partition: record.bytes(slot::PARTITION),
            bucket: row.int(slot::BUCKET)?,
            total_buckets: row.int(slot::TOTAL_BUCKETS)?,
            file_name: row.text(slot::FILE_NAME, record.bytes(slot::FILE_NAME))?,
            row_count: record.number(slot::ROW_COUNT),
            file_size: record.number(slot::FILE_SIZE),
            schema_id: record.number(slot::SCHEMA_ID),
            level: row.int(slot::LEVEL)?,
            min_key: record.bytes(slot::MIN_KEY),
            max_key: record.bytes(slot::MAX_KEY),
            key_stats_min: record.bytes(slot::KEY_STATS),
            key_stats_max: record.bytes(slot::KEY_STATS + 1),
            value_stats_min: record.bytes(slot::VALUE_STATS),
            value_stats_max: record.bytes(slot::VALUE_STATS + 1),
            value_stats_nulls: record.bytes(slot::VALUE_STATS + 2),
            value_stats_cols: record.bytes(slot::VALUE_STATS_COLS),
            write_cols: record.bytes(slot::WRITE_COLS),
            row,
        })
    }

    /// Null counts of the columns that value statistics cover, into a list that is cleared before; empty when null.
    ///
    /// # Errors
    /// `CorruptData` when the list cannot be decoded.
    pub fn value_stats_nulls(&self, into: &mut Vec<Option<i64>>) -> Result<()> {
        self.row.optional_longs(slot::VALUE_STATS + 2, into)
    }

    /// Names of the columns that value statistics cover; `None`: all of the file's; empty: none.
    ///
    /// # Errors
    /// `CorruptData` when the list cannot be decoded.
    pub fn value_stats_cols(&self) -> Result<Option<Vec<String>>> {
        self.row.strings(slot::VALUE_STATS_COLS)
    }

    /// Names of the columns in the file; `None`: all of its schema.
    ///
    /// # Errors
    /// `CorruptData` when the list cannot be decoded.
    pub fn write_cols(&self) -> Result<Option<Vec<String>>> {
        self.row.strings(slot::WRITE_COLS)
    }

    /// Row id of the first row, in tables with row tracking.
    pub fn first_row_id(&self) -> Option<i64> {
        self.row.record.optional_number(slot::FIRST_ROW_ID)
    }

    /// As [`crate::DataFileMeta::is_blob`].
    pub fn is_blob(&self) -> bool {
        is_blob_file(self.file_name)
    }

    /// As [`crate::DataFileMeta::stores_row_ids`].
    ///
    /// # Errors
    /// `CorruptData` when the list of columns cannot be decoded.
    pub fn stores_row_ids(&self) -> Result<bool> {
        Ok(self.write_cols()?.iter().flatten().any(|column| column == ROW_ID))
    }

    /// What is known of the column `field` in the file: as [`crate::DataFileMeta::column_stats`], without building the
    /// entry.
    pub fn column_stats(&self, file_schema: &TableSchema, field: FieldId) -> ColumnStats {
        let rows = [self.value_stats_min, self.value_stats_max].map(RowView::from_metadata);
        let [Ok(min_values), Ok(max_values)] = rows else {
            return ColumnStats::default();
        };
        let stats = FileStats { row_count: self.row_count, min_values, max_values };
        let lists = [slot::VALUE_STATS_COLS, slot::WRITE_COLS];
        let covered = lists.into_iter().find(|list| self.row.record.is_present(*list));
        stats.column(
            file_schema,
            field,
            |name| covered.map(|list| self.place(list, name)),
            |pos| self.null_count(slot::VALUE_STATS + 2, pos),
        )
    }

    /// The null count of the `pos`-th column of the key, if it is stored.
    pub(crate) fn key_null_count(&self, pos: usize) -> Option<i64> {
        self.null_count(slot::KEY_STATS + 2, pos)
    }

    /// Where `name` is in a list of names, and how many there are.
    fn place(&self, list: usize, name: &str) -> (Option<usize>, usize) {
        let (mut found, mut len) = (None, 0);
        let read = self.row.program.for_each_item(self.row.record, list, |item| {
            if found.is_none() && item.bytes(0) == name.as_bytes() {
                found = Some(len);
            }
            len += 1;
            Ok(())
        });
        (found.filter(|_| read.is_ok()), len)
    }

    fn null_count(&self, list: usize, pos: usize) -> Option<i64> {
        let (mut at, mut count) = (0, None);
        let read = self.row.program.for_each_item(self.row.record, list, |item| {
            if at == pos {
                count = item.optional_number(0);
            }
            at += 1;
            Ok(())
        });
        count.filter(|_| read.is_ok())
    }
}

impl fmt::Debug for EntryHead<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EntryHead")
            .field("kind", &self.kind)
            .field("file_name", &self.file_name)
            .field("bucket", &self.bucket)
            .field("row_count", &self.row_count)
            .finish_non_exhaustive()
    }
}
