//! Row tracking: each row has an id for life, and the number of the snapshot that changed it last.
//!
//! Neither is in data files, most of the time: the manifest says which row id a file starts with, and the rows after it
//! follow in order. Ids are given when files are committed, so they are dense and never given twice.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::ops::Range;

use crate::{
    BinaryRow, BlobStorage, DataField, DataFileMeta, DataType, Error, FieldId, FileKind, FileSource, ManifestEntry,
    Result, SEQUENCE_NUMBER, SEQUENCE_NUMBER_ID, TableSchema, TypeKind, sequence_number_field,
};

/// The column of row ids, BIGINT NOT NULL.
pub const ROW_ID: &str = "_ROW_ID";

/// The id of [`ROW_ID`].
pub const ROW_ID_ID: FieldId = FieldId::MAX - 5;

/// What names of files with BLOB values end with.
const BLOB_SUFFIX: &str = ".blob";

/// What the names of files with vectors contain.
const VECTOR_INFIX: &str = ".vector.";

/// What names of files with video streams end with.
const VIDEO_SUFFIX: &str = ".video";

/// The column [`ROW_ID`].
pub fn row_id_field() -> DataField {
    DataField::new(ROW_ID_ID, ROW_ID, DataType::not_null(TypeKind::BigInt))
}

/// Whether a column is [`ROW_ID`] or [`SEQUENCE_NUMBER`], which tables with row tracking have
/// beside their own.
pub fn is_row_tracking_field(field: FieldId) -> bool {
    field == ROW_ID_ID || field == SEQUENCE_NUMBER_ID
}

/// [`is_row_tracking_field`], by name.
pub fn is_row_tracking_field_name(name: &str) -> bool {
    name == ROW_ID || name == SEQUENCE_NUMBER
}

impl TableSchema {
    /// The table's columns, [`ROW_ID`] and [`SEQUENCE_NUMBER`] (Java `RowTrackingTable`): for
    /// tables with row tracking.
    pub fn with_row_tracking_fields(&self) -> Vec<DataField> {
        self.fields.iter().cloned().chain([row_id_field(), sequence_number_field()]).collect()
    }

    /// Whether a file of this schema with the columns `write_cols` holds the values of the column `field`.
    ///
    /// A file that does not say which columns it has (`None`) has all of its schema, but for BLOB columns kept in files of
    /// their own. Columns that a row-tracking table has beside its own are not looked at.
    pub fn file_holds(&self, write_cols: Option<&[String]>, field: FieldId) -> bool {
        let Some(field) = self.field_by_id(field) else { return false };
        match write_cols {
            Some(columns) => columns.contains(&field.name),
            None => self.blob_storage(field) != Some(BlobStorage::File),
        }
    }
}

impl DataFileMeta {
    /// The ids of the rows, which are in order; `None` when the file has none (yet).
    pub fn row_ids(&self) -> Option<Range<i64>> {
        let first = self.first_row_id?;
        Some(first..first.saturating_add(self.row_count))
    }

    /// Whether it holds the values of one BLOB column, and nothing else.
    pub fn is_blob(&self) -> bool {
        is_blob_file(&self.file_name)
    }

    /// Whether it has a column of row ids, so that rows may have other ids than those of their places.
    pub fn stores_row_ids(&self) -> bool {
        self.write_cols.iter().flatten().any(|column| column == ROW_ID)
    }

    /// Whether it holds the values of the column `field`, under `file_schema`, which [`Self::schema_id`] names; see
    /// [`TableSchema::file_holds`].
    pub fn holds(&self, file_schema: &TableSchema, field: FieldId) -> bool {
        file_schema.file_holds(self.write_cols.as_deref(), field)
    }

    /// Refuses kinds of files that go beside data files and that this build does not know.
    pub(crate) fn check_kind(&self) -> Result<()> {
        let what = if self.file_name.contains(VECTOR_INFIX) {
            "vectors in files of their own"
        } else if self.file_name.ends_with(VIDEO_SUFFIX) {
            "video files"
        } else {
            return Ok(());
        };
        Err(Error::unsupported(format!("{what} are not supported yet")).with_context("file", &self.file_name))
    }
}

/// Gives new files of a row-tracking table what only a commit can tell (Java `RowTrackingCommitUtils`): sequence numbers,
/// which are the snapshot's id, and row ids from `next_row_id` on. Returns the entries and the next free row id.
///
/// A file gets row ids when a write made it, it has none and no column of them. Files follow one another; a `.blob` file
/// belongs to the file before it: the files of one BLOB column share the row ids of that one, in order. Sequence numbers
/// of 0 stand for changed rows: a file whose smallest is 0 gets the snapshot's id for both, one whose largest is 0 for
/// that.
///
/// With `group_partitions` (option `row-tracking.partition-group-on-commit`) the entries of one partition are put together
/// first, partitions in the order in which they appear.
///
/// # Errors
/// `InvalidInput` when a file does not say what made it, or a `.blob` file has rows that the file before it has not;
/// `CorruptData` when there are not enough row ids; `Unsupported` for vector and video files.
pub fn assign_row_ids(
    entries: Vec<ManifestEntry>,
    next_row_id: i64,
    snapshot_id: i64,
    group_partitions: bool,
) -> Result<(Vec<ManifestEntry>, i64)> {
    let mut entries = if group_partitions { by_partition(entries) } else { entries };
    let mut next = next_row_id;
    // The next row id of each BLOB column in the last file that got some.
    let mut last_file = next..next;
    let mut blobs: HashMap<String, i64> = HashMap::new();
    for ManifestEntry { file, .. } in entries.iter_mut().filter(|entry| entry.kind == FileKind::Add) {
        file.check_kind()?;
        stamp(file, snapshot_id);
        if !wants_row_ids(file)? {
            continue;
        }
        if file.is_blob() {
            let column = blob_column(file)?;
            let first = blobs.get(column).copied().unwrap_or(last_file.start);
            let end = first.checked_add(file.row_count).filter(|end| first < last_file.end && *end <= last_file.end);
            let Some(end) = end else {
                return Err(Error::invalid(format!(
                    "expected a .blob file of at most {} rows after its data file, found {}",
                    last_file.end - first,
                    file.row_count
                ))
                .with_context("file", &file.file_name)
                .with_context("column", column));
            };
            blobs.insert(column.to_owned(), end);
            file.first_row_id = Some(first);
        } else {
            let end = next.checked_add(file.row_count).filter(|end| *end >= next).ok_or_else(|| {
                Error::corrupt(format!("expected row ids for {} rows after {next}, found none left", file.row_count))
                    .with_context("file", &file.file_name)
            })?;
            file.first_row_id = Some(next);
            last_file = next..end;
            blobs.clear();
            next = end;
        }
    }
    Ok((entries, next))
}

/// Whether a file of that name holds the values of one BLOB column.
pub(crate) fn is_blob_file(file_name: &str) -> bool {
    file_name.ends_with(BLOB_SUFFIX)
}

/// The column that a `.blob` file has values of.
pub(crate) fn blob_column(file: &DataFileMeta) -> Result<&str> {
    match file.write_cols.as_deref() {
        Some([column]) => Ok(column),
        columns => {
            let found = columns.map_or_else(|| "none".to_owned(), |columns| columns.len().to_string());
            Err(Error::corrupt(format!("expected one column in _WRITE_COLS of a .blob file, found {found}"))
                .with_context("file", &file.file_name))
        }
    }
}

fn by_partition(entries: Vec<ManifestEntry>) -> Vec<ManifestEntry> {
    let mut places: HashMap<BinaryRow, usize> = HashMap::new();
    let mut groups: Vec<Vec<ManifestEntry>> = Vec::new();
    for entry in entries {
        let place = *places.entry(entry.partition.clone()).or_insert(groups.len());
        match groups.get_mut(place) {
            Some(group) => group.push(entry),
            None => groups.push(vec![entry]),
        }
    }
    groups.into_iter().flatten().collect()
}

fn stamp(file: &mut DataFileMeta, snapshot_id: i64) {
    if file.min_sequence_number == 0 {
        (file.min_sequence_number, file.max_sequence_number) = (snapshot_id, snapshot_id);
    } else if file.max_sequence_number == 0 {
        file.max_sequence_number = snapshot_id;
    }
}

fn wants_row_ids(file: &DataFileMeta) -> Result<bool> {
    let Some(source) = file.file_source else {
        return Err(Error::invalid("expected a file of a row-tracking table to say what made it, found nothing")
            .with_context("file", &file.file_name));
    };
    Ok(source == FileSource::Append && file.first_row_id.is_none() && !file.stores_row_ids())
}
