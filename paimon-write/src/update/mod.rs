//! Changes of rows that are there, by their ids: of tables with data evolution.
//!
//! Nothing is rewritten in place. A new file with only the changed columns takes their place for the rows of the files
//! that it covers; a deletion vector hides rows. What is prepared is committed like any other messages, by
//! [`commit`](crate::commit): it finds out whether somebody else has changed the same columns of the same rows since.
//!
//! | module | holds |
//! |---|---|
//! | `groups` | the row groups of a snapshot, and which of them has a row |
//! | `rows` | input: row ids and the values that come with them |
//! | `columns` | new values of columns, as files of these columns |
//! | `overlay` | the current values of a row group with new ones over them |
//! | `deletes` | deleted rows, as deletion vectors; whole partitions, as files that go |
//! | `matching` | rows that are there, with their ids |
//! | `upsert` | rows by key: those that are there change, the others are added |

mod columns;
mod deletes;
mod groups;
mod matching;
mod overlay;
mod rows;
#[cfg(test)]
mod tests;
mod upsert;

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex};

use arrow::array::RecordBatch;
use futures::stream::BoxStream;
use paimon_io::TableStore;
use paimon_spec::{BinaryRow, CommitMessage, DataField, Error, FieldId, Predicate, Result, Snapshot, TableSchema};

use crate::options::{UNAWARE_BUCKET, require_writable};

/// Row groups worked on at the same time.
const GROUPS_AT_ONCE: usize = 4;

/// Prepares changes of rows of one table, as of the snapshot that was the latest when it was [opened](Self::open).
///
/// All methods leave the table as it is, and give messages to commit. After an error nothing is left behind that they
/// wrote. Messages of several calls may be committed together, as far as they change other columns or other row groups;
/// the rows of one file (and those of later files of the same rows) make one row group.
///
/// Rows that are added after the snapshot are not seen: they are neither changed nor deleted.
#[derive(Debug)]
pub struct TableUpdate {
    store: TableStore,
    /// `None`: the table is empty.
    snapshot: Option<Arc<Snapshot>>,
    /// Columns of row groups, by first row id, that have new values in messages of this object.
    updated: Mutex<HashSet<(i64, FieldId)>>,
}

impl TableUpdate {
    /// Of the latest snapshot.
    ///
    /// # Errors
    /// `InvalidInput` when the table's rows do not evolve (`row-tracking.enabled`, `data-evolution.enabled`);
    /// `Unsupported` for tables that this build does not write.
    pub async fn open(store: TableStore) -> Result<Self> {
        require_writable(store.schema())?;
        let options = store.options();
        let needed = [
            ("row-tracking.enabled", options.row_tracking_enabled()?),
            ("data-evolution.enabled", options.data_evolution_enabled()?),
        ];
        if let Some((option, _)) = needed.into_iter().find(|(_, enabled)| !enabled) {
            return Err(Error::invalid(format!("changing rows that are there requires '{option}' = 'true'.")));
        }
        let snapshot = store.latest_snapshot().await?;
        Ok(Self { store, snapshot, updated: Mutex::default() })
    }

    /// The snapshot whose rows are changed; `None`: there was none.
    pub fn snapshot_id(&self) -> Option<i64> {
        self.snapshot.as_ref().map(|snapshot| snapshot.id)
    }

    /// New values of `columns` for rows by their ids: `batches` have `_ROW_ID` and the columns, in any order; other
    /// columns are passed over. NULL becomes NULL, whatever the column's default value is.
    ///
    /// Files are written for each row group that has one of the rows: normal columns whole, with the current values of
    /// the other rows; of BLOB columns in files of their own only the changed values.
    ///
    /// # Errors
    /// `InvalidInput` for columns that the table does not have, partition columns, values that do not fit, row ids that
    /// are given twice, that the table does not have or whose rows are deleted, and for columns of row groups that an
    /// earlier call has changed; `Storage` and its kin.
    pub async fn update_columns(&self, columns: &[String], batches: &[RecordBatch]) -> Result<Vec<CommitMessage>> {
        columns::update(self, columns, batches).await
    }

    /// Deletes rows by their ids, through deletion vectors. Rows that are deleted already stay so; without any other
    /// there is nothing to commit.
    ///
    /// # Errors
    /// `InvalidInput` without `deletion-vectors.enabled`, and for row ids that the table does not have; `Storage` and its
    /// kin.
    pub async fn delete_rows(&self, row_ids: &[i64]) -> Result<Vec<CommitMessage>> {
        deletes::delete_rows(self, row_ids).await
    }

    /// Deletes the rows for which a condition is true; `None`: all. When it is on partition columns alone, the files of
    /// those partitions go; else it is done as by [`Self::delete_rows`].
    ///
    /// # Errors
    /// As [`Self::delete_rows`], whose option is not needed for whole partitions; and those of reading.
    pub async fn delete_where(&self, condition: Option<&Predicate>) -> Result<Vec<CommitMessage>> {
        deletes::delete_where(self, condition).await
    }

    /// The rows for which a condition is true (`None`: all that are there): their `columns`, then `_ROW_ID`. One batch
    /// for each row group that has such rows, in the order of the plan.
    ///
    /// # Errors
    /// `InvalidInput` for columns that the table does not have; those of planning. The stream gives those of reading.
    pub async fn matching(
        &self,
        condition: Option<&Predicate>,
        columns: &[String],
    ) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        matching::matching(self, condition, columns).await
    }

    /// Rows by key: where rows of the table have the same values in `keys`, all of them get the new values of
    /// `update_columns` (`None`: all that are given); else the row is added, with all columns that are given. Of rows with
    /// one key the last counts. NULL equals NULL, and the rows of a partition are matched only with its own.
    ///
    /// # Errors
    /// `InvalidInput` for keys that are no columns, or BLOB columns, or not given, for partition columns that are not
    /// given, and without any row; then as [`Self::update_columns`] and [`TableWriter::write`](crate::TableWriter::write).
    pub async fn upsert(
        &self,
        keys: &[String],
        update_columns: Option<&[String]>,
        batches: &[RecordBatch],
    ) -> Result<Vec<CommitMessage>> {
        upsert::upsert(self, keys, update_columns, batches).await
    }

    /// An empty message for files of one bucket, which tells by what snapshot it was made.
    fn message(&self, partition: BinaryRow, bucket: i32) -> CommitMessage {
        CommitMessage {
            check_from_snapshot: self.snapshot_id(),
            ..CommitMessage::of(partition, bucket, UNAWARE_BUCKET)
        }
    }

    /// Schemas that files were written with, by id.
    async fn schemas(&self, ids: &[i64]) -> Result<BTreeMap<i64, Arc<TableSchema>>> {
        let mut schemas = BTreeMap::new();
        for id in ids {
            if !schemas.contains_key(id) {
                schemas.insert(*id, self.store.schema_at(*id).await?);
            }
        }
        Ok(schemas)
    }
}

/// The columns of these names.
///
/// # Errors
/// `InvalidInput` naming one that the table does not have.
fn named_fields(schema: &TableSchema, names: &[String]) -> Result<Vec<DataField>> {
    let field = |name: &String| {
        let field = schema.field(name).cloned();
        field.ok_or_else(|| Error::invalid(format!("Column {name} is not in table schema.")))
    };
    names.iter().map(field).collect()
}
