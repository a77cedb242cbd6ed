//! What of a row group's files stands against rewriting them, and against joining the group with its neighbours.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use paimon_io::TableStore;
use paimon_spec::{
    BlobStorage, ColumnSource, DataFileMeta, Error, FieldId, Result, RowGroup, TableSchema, is_row_tracking_field_name,
};

/// The BLOB columns that a row group has `.blob` files of, each with the schemas of these files and its names there.
///
/// Row groups that differ in it stay apart. Where only a part of a file's rows had `.blob` files of a column, nobody could
/// say what the others have, and Java reads only files of one schema and one name together.
pub(super) type Layout = BTreeMap<FieldId, BTreeSet<(i64, String)>>;

/// What files are looked at with.
#[derive(Debug)]
pub(super) struct Layouts<'a> {
    current: &'a TableSchema,
    /// Of the files.
    schemas: BTreeMap<i64, Arc<TableSchema>>,
    /// The snapshot that the files are of.
    snapshot_id: i64,
}

impl<'a> Layouts<'a> {
    /// # Errors
    /// As [`TableStore::schema_at`].
    pub(super) async fn load(store: &'a TableStore, files: &[DataFileMeta], snapshot_id: i64) -> Result<Self> {
        let ids: BTreeSet<i64> = files.iter().map(|file| file.schema_id).collect();
        let mut schemas = BTreeMap::new();
        for id in ids {
            schemas.insert(id, store.schema_at(id).await?);
        }
        Ok(Self { current: store.schema(), schemas, snapshot_id })
    }

    /// The layout of a group of `files`; `None` when it has to stay as it is.
    ///
    /// # Errors
    /// `CorruptData` when a `.blob` file does not have one column of its schema.
    pub(super) fn of(&self, group: &RowGroup, files: &[DataFileMeta]) -> Result<Option<Layout>> {
        let data = || group.data.iter().filter_map(|at| files.get(*at));
        if !data().all(|file| self.is_ordinary(file)) || self.changes_storage(group, files)? {
            return Ok(None);
        }
        let mut layout = Layout::new();
        for file in group.blobs.iter().filter_map(|at| files.get(*at)) {
            let field = blob_field(file, self.schemas.get(&file.schema_id).map(Arc::as_ref))?;
            let columns = file.write_cols.iter().flatten().cloned();
            layout.entry(field).or_default().extend(columns.map(|column| (file.schema_id, column)));
        }
        Ok(Some(layout))
    }

    /// Whether the numbers of a file's rows are those of commits, and none stands in the file itself. A file with a number
    /// of its own (some writers count rows) would hide later changes of rows that it had nothing to do with.
    fn is_ordinary(&self, file: &DataFileMeta) -> bool {
        let stores = |column: &String| is_row_tracking_field_name(column);
        file.min_sequence_number > 0
            && file.max_sequence_number <= self.snapshot_id
            && !file.write_cols.iter().flatten().any(stores)
    }

    /// Whether values of a BLOB column are kept otherwise than the table's options want by now: those that are in data files
    /// would be lost in a file without the column, the others were not made to be kept there.
    fn changes_storage(&self, group: &RowGroup, files: &[DataFileMeta]) -> Result<bool> {
        let schema_of = |id: i64| self.schemas.get(&id).map(Arc::as_ref);
        for field in &self.current.fields {
            let Some(storage) = self.current.blob_storage(field) else { continue };
            let fits = match group.source(files, field.id, &schema_of)? {
                ColumnSource::Nowhere => true,
                ColumnSource::File(_) => storage != BlobStorage::File,
                ColumnSource::Blobs(_) => storage == BlobStorage::File,
            };
            if !fits {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The column that a `.blob` file has values of.
fn blob_field(file: &DataFileMeta, schema: Option<&TableSchema>) -> Result<FieldId> {
    let column = match file.write_cols.as_deref() {
        Some([column]) => schema.and_then(|schema| schema.field(column)),
        _ => None,
    };
    column.map(|field| field.id).ok_or_else(|| {
        let message = format!("expected one column of schema {} in _WRITE_COLS of a .blob file", file.schema_id);
        Error::corrupt(format!("{message}, found {}", file.write_cols.as_deref().unwrap_or_default().join(", ")))
            .with_context("file", &file.file_name)
    })
}
