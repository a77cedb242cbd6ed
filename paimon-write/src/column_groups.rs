//! Columns that share files: those of a table's data files, and each BLOB column kept in `.blob` files.

use std::sync::Arc;

use arrow::array::RecordBatch;
use paimon_io::{FileTarget, TableStore};
use paimon_spec::{BlobStorage, DataField, DataFileMeta, Error, Result, TableSchema};

use crate::append::describe;
use crate::file_index::IndexLayout;
use crate::file_stats::StatsLayout;
use crate::rolling::{FileExtras, FileLimits, FileNames, FinishedFile, Pace, RollingWriter};

/// What names of files with the values of a BLOB column end with.
const BLOB_SUFFIX: &str = ".blob";

/// Columns of a table that share files, and how these are made.
#[derive(Debug)]
pub(crate) struct ColumnGroup {
    fields: Vec<DataField>,
    /// Their places among the columns of rows.
    places: Vec<usize>,
    /// `_WRITE_COLS`; `None`: the file has all columns of the table.
    write_cols: Option<Vec<String>>,
    stats: StatsLayout,
    pub(crate) names: FileNames,
    limits: FileLimits,
    extras: FileExtras,
    /// The table's, for the options.
    schema: Arc<TableSchema>,
}

/// The groups of the columns `fields` of rows of a table: that of data files, unless none of the columns is for those,
/// then one for each column in `.blob` files, in order.
///
/// # Errors
/// `InvalidInput` for options that cannot be used.
pub(crate) fn column_groups(store: &TableStore, fields: &[DataField]) -> Result<Vec<ColumnGroup>> {
    let schema = store.schema();
    let options = schema.table_options();
    let names = FileNames::of(store, schema, options.data_file_prefix())?;
    let in_blob_files = |field: &DataField| schema.blob_storage(field) == Some(BlobStorage::File);
    let (blobs, data): (Vec<_>, Vec<_>) = fields.iter().enumerate().partition(|(_, field)| in_blob_files(field));
    let group = |columns: &[(usize, &DataField)], names: FileNames, limits: FileLimits| {
        let fields: Vec<DataField> = columns.iter().map(|(_, field)| (*field).clone()).collect();
        let indexes = IndexLayout::of(schema, &fields)?.map(Arc::new);
        Ok::<_, Error>(ColumnGroup {
            places: columns.iter().map(|(place, _)| *place).collect(),
            write_cols: (fields != schema.fields).then(|| fields.iter().map(|field| field.name.clone()).collect()),
            stats: StatsLayout::of(schema, &fields)?,
            extras: FileExtras { indexes, keyed: None },
            names,
            limits,
            fields,
            schema: Arc::clone(schema),
        })
    };
    let mut groups = Vec::with_capacity(1 + blobs.len());
    if !data.is_empty() {
        let limits = FileLimits {
            target_bytes: options.target_file_bytes(false)?,
            target_rows: options.target_file_rows()?.max(1),
            pace: Pace::Rows,
        };
        groups.push(group(&data, names.clone(), limits)?);
    }
    let limits =
        FileLimits { target_bytes: options.blob_target_file_bytes()?, target_rows: u64::MAX, pace: Pace::Blobs };
    for blob in blobs {
        groups.push(group(&[blob], names.ending_with(BLOB_SUFFIX), limits)?);
    }
    Ok(groups)
}

impl ColumnGroup {
    /// Its columns of rows.
    pub(crate) fn of(&self, rows: &RecordBatch) -> Result<RecordBatch> {
        rows.project(&self.places)
            .map_err(|error| Error::internal("paimon-write", "rows without the columns of a file").with_source(error))
    }

    /// Its columns.
    pub(crate) fn fields(&self) -> &[DataField] {
        &self.fields
    }

    /// Whether it is one column in `.blob` files.
    pub(crate) fn is_blob(&self) -> bool {
        self.limits.pace == Pace::Blobs
    }

    /// The same, with files that have no end but that of their rows.
    pub(crate) fn without_limits(self) -> Self {
        Self { limits: FileLimits::NONE, ..self }
    }

    /// A writer of the files of one bucket.
    pub(crate) fn rolling(&self, bucket_path: &str) -> RollingWriter {
        let target = FileTarget {
            bucket_path: bucket_path.to_owned(),
            file_name: String::new(),
            fields: self.fields.clone(),
            schema: Arc::clone(&self.schema),
        };
        RollingWriter::new(target, self.limits, self.extras.clone())
    }

    /// The metadata of a new file; `sequence_number` is that of its first row.
    pub(crate) fn describe(&self, file: FinishedFile, now_millis: i64, sequence_number: i64) -> Result<DataFileMeta> {
        Ok(DataFileMeta {
            write_cols: self.write_cols.clone(),
            ..describe(file, self.schema.id, &self.stats, now_millis, sequence_number)?
        })
    }
}
