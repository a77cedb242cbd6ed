//! `DataFileMeta`.

#[cfg(test)]
pub(crate) mod arbitrary;
mod binary;
#[cfg(test)]
mod tests;

pub(crate) use binary::FIELDS;
use bytes::Bytes;

use crate::paths::check_file_name;
use crate::stats::{FileStats, place};
use crate::{BinaryRow, ColumnStats, Error, FieldId, Result, SimpleStats, TableSchema};

/// What made a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileSource {
    /// a write
    Append,
    /// a compaction
    Compact,
}

impl FileSource {
    /// The number that stands for it in metadata.
    pub fn code(self) -> i8 {
        match self {
            Self::Append => 0,
            Self::Compact => 1,
        }
    }

    /// The inverse of [`Self::code`].
    ///
    /// # Errors
    /// `CorruptData` for any other number.
    pub fn from_code(code: i32) -> Result<Self> {
        match code {
            0 => Ok(Self::Append),
            1 => Ok(Self::Compact),
            _ => Err(Error::corrupt(format!("expected 0 or 1 as _FILE_SOURCE, found {code}"))),
        }
    }
}

/// A data file, as `_FILE` in a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFileMeta {
    /// Without a folder.
    pub file_name: String,
    /// Bytes.
    pub file_size: i64,
    /// Physical rows, deletions of keyed tables included.
    pub row_count: i64,
    /// Smallest trimmed primary key; of no fields in append tables.
    pub min_key: BinaryRow,
    /// Largest trimmed primary key; of no fields in append tables.
    pub max_key: BinaryRow,
    /// Statistics of the trimmed primary key.
    pub key_stats: SimpleStats,
    /// Statistics of the columns that `value_stats_cols` names; see [`Self::column_stats`].
    pub value_stats: SimpleStats,
    /// Smallest sequence number of the rows.
    pub min_sequence_number: i64,
    /// Largest sequence number of the rows.
    pub max_sequence_number: i64,
    /// Schema that the file was written with.
    pub schema_id: i64,
    /// Level in the LSM tree; 0 in append tables.
    pub level: i32,
    /// Files that live and die with this one, named relative to its folder.
    pub extra_files: Vec<String>,
    /// Wall clock of the writer, which may be in its local time zone: for people only.
    pub creation_time_millis: Option<i64>,
    /// How many rows are deletions of keys; `None`: unknown.
    pub delete_row_count: Option<i64>,
    /// The file index, when small.
    pub embedded_index: Option<Bytes>,
    /// What made the file; `None`: unknown.
    pub file_source: Option<FileSource>,
    /// Columns that `value_stats` covers: `None`: all of the file's; empty: none, all unknown.
    pub value_stats_cols: Option<Vec<String>>,
    /// Full URI of a file outside the table's folder.
    pub external_path: Option<String>,
    /// Row id of the first row, in tables with row tracking.
    pub first_row_id: Option<i64>,
    /// Columns in the file; `None`: all of its schema.
    pub write_cols: Option<Vec<String>>,
    /// Largest sequence numbers by column, parallel to `write_cols`.
    pub write_cols_sequences: Option<Vec<i64>>,
}

impl DataFileMeta {
    /// Refuses names that lead out of the file's folder.
    pub(crate) fn check_names(&self) -> Result<()> {
        check_file_name("_FILE_NAME", &self.file_name)?;
        self.extra_files.iter().try_for_each(|name| check_file_name("_EXTRA_FILES", name))
    }

    /// What is known of the column `field` in this file, under the schema that [`Self::schema_id`] names.
    ///
    /// Best-effort in the safe direction: what is not stored, or stored in a form that cannot be decoded, is unknown.
    /// A column which `file_schema` does not have is NULL in all rows.
    pub fn column_stats(&self, file_schema: &TableSchema, field: FieldId) -> ColumnStats {
        let stats = FileStats {
            row_count: self.row_count,
            min_values: self.value_stats.min_values.view(),
            max_values: self.value_stats.max_values.view(),
        };
        let covered = self.value_stats_cols.as_ref().or(self.write_cols.as_ref());
        stats.column(
            file_schema,
            field,
            |name| covered.map(|names| place(names.iter().map(String::as_str), name)),
            |pos| self.value_stats.null_counts.get(pos).copied().flatten(),
        )
    }
}
