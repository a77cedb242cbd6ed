//! New values of columns, as files of these columns.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{RecordBatch, new_null_array};
use futures::stream::{self, StreamExt, TryStreamExt};
use paimon_merge::{ReadRequest, read};
use paimon_spec::{ColumnSource, CommitMessage, DataField, DataFileMeta, Error, Result, TableSchema};

use super::groups::{Group, Placed, around, deletions, groups, named, place};
use super::overlay::Overlay;
use super::rows::{NewValues, Place, row_ids};
use super::{GROUPS_AT_ONCE, TableUpdate, named_fields};
use crate::column_groups::{ColumnGroup, column_groups};
use crate::rolling::{FinishedFile, RollingWriter};

pub(super) async fn update(
    table: &TableUpdate,
    columns: &[String],
    batches: &[RecordBatch],
) -> Result<Vec<CommitMessage>> {
    update_rows(table, columns, row_ids(batches)?, batches).await
}

/// New values for rows, given as ids and places in the batches.
pub(super) async fn update_rows(
    table: &TableUpdate,
    columns: &[String],
    given: Vec<(i64, Place)>,
    batches: &[RecordBatch],
) -> Result<Vec<CommitMessage>> {
    let schema = table.store.schema();
    let fields = named_fields(schema, columns)?;
    if fields.is_empty() {
        return Err(Error::invalid("column_names cannot be empty"));
    }
    if let Some(field) = fields.iter().find(|field| schema.partition_keys.contains(&field.name)) {
        return Err(Error::invalid(format!(
            "rows do not change their partition: column '{}' is a key of it",
            field.name
        )));
    }
    let values = NewValues::new(schema, &fields, given, batches)?;
    if values.ids.is_empty() {
        return Ok(Vec::new());
    }
    let groups = match &table.snapshot {
        Some(snapshot) => groups(&table.store, snapshot, Some(around(&values.ids))).await?,
        None => Vec::new(),
    };
    let touched = place(&groups, &values.ids)?;
    check_not_deleted(table, &touched, &values.ids).await?;
    table.check_first_update(&touched, &values.fields)?;

    // A data file has all rows of its row group.
    let endless = |columns: ColumnGroup| if columns.is_blob() { columns } else { columns.without_limits() };
    let column_groups: Vec<_> = column_groups(&table.store, &values.fields)?.into_iter().map(endless).collect();
    let files = touched.iter().flat_map(|(group, _)| &group.split.files);
    let schema_ids: Vec<i64> = files.map(|file| file.schema_id).collect();
    let schemas = table.schemas(&schema_ids).await?;
    let work = Work { table, values: &values, column_groups: &column_groups, schemas: &schemas };
    let messages = work.all(&touched).await?;
    table.remember(&touched, &values.fields);
    Ok(messages)
}

impl TableUpdate {
    fn check_first_update(&self, touched: &[Placed<'_>], fields: &[DataField]) -> Result<()> {
        let updated = self.updated.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for (group, _) in touched {
            let first = group.rows().start;
            if let Some(field) = fields.iter().find(|field| updated.contains(&(first, field.id))) {
                return Err(Error::invalid(format!(
                    "Input batches contain overlapping first_row_ids by column: an earlier call has updated '{}' of the \
                     rows {first} to {}; give all rows of one row group at once",
                    field.name,
                    group.rows().end - 1
                )));
            }
        }
        Ok(())
    }

    fn remember(&self, touched: &[Placed<'_>], fields: &[DataField]) {
        let mut updated = self.updated.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for (group, _) in touched {
            updated.extend(fields.iter().map(|field| (group.rows().start, field.id)));
        }
    }
}

/// # Errors
/// `InvalidInput` naming ids of deleted rows.
async fn check_not_deleted(table: &TableUpdate, touched: &[Placed<'_>], ids: &[i64]) -> Result<()> {
    let mut deleted = Vec::new();
    for ((group, range), vector) in touched.iter().zip(deletions(&table.store, touched).await?) {
        let is_deleted = |id: &&i64| vector.contains((*id - group.rows().start).unsigned_abs());
        deleted.extend(ids[range.clone()].iter().filter(is_deleted).copied());
    }
    if deleted.is_empty() { Ok(()) } else { Err(Error::invalid(format!("{} deleted", named("are", &deleted)))) }
}

/// What the updates of all row groups share.
struct Work<'a> {
    table: &'a TableUpdate,
    values: &'a NewValues,
    column_groups: &'a [ColumnGroup],
    /// Of the files that are there.
    schemas: &'a BTreeMap<i64, Arc<TableSchema>>,
}

impl Work<'_> {
    async fn all(&self, touched: &[Placed<'_>]) -> Result<Vec<CommitMessage>> {
        let failed = AtomicBool::new(false);
        let work = touched.iter().map(|(group, ids)| async {
            if failed.load(Ordering::Relaxed) {
                return Ok(Vec::new());
            }
            let files = self.group(group, ids.clone()).await;
            failed.fetch_or(files.is_err(), Ordering::Relaxed);
            files
        });
        let work: Vec<_> = work.collect();
        // Every group comes to its end, so that none leaves files behind.
        let outcomes: Vec<Result<Vec<DataFileMeta>>> = stream::iter(work).buffered(GROUPS_AT_ONCE).collect().await;
        let mut messages: BTreeMap<(Vec<u8>, i32), CommitMessage> = BTreeMap::new();
        let mut outcome = Ok(());
        for ((group, _), files) in touched.iter().zip(outcomes) {
            let split = &group.split;
            let new = || self.table.message(split.partition.clone(), split.bucket);
            let message = messages.entry((split.partition.to_metadata(), split.bucket)).or_insert_with(new);
            match files {
                Ok(files) => message.new_files.extend(files),
                Err(error) => outcome = outcome.and(Err(error)),
            }
        }
        let messages: Vec<CommitMessage> = messages.into_values().collect();
        if let Err(error) = outcome {
            // What counts is why the files could not be completed.
            let _ = crate::abort(&self.table.store, &messages).await;
            return Err(error);
        }
        Ok(messages)
    }

    /// The new files of one row group; none is left after an error.
    async fn group(&self, group: &Group, ids: Range<usize>) -> Result<Vec<DataFileMeta>> {
        let first = group.rows().start;
        let overlay = Overlay {
            positions: self.values.ids[ids.clone()].iter().map(|id| (id - first).unsigned_abs()).collect(),
            places: &self.values.places[ids],
            batches: &self.values.batches,
        };
        let mut rolling: Vec<RollingWriter> =
            self.column_groups.iter().map(|columns| columns.rolling(&group.split.bucket_path)).collect();
        let outcome = self.write(group, &overlay, &mut rolling).await;
        if outcome.is_err() {
            for rolling in &mut rolling {
                let _ = rolling.abort(&self.table.store).await;
            }
        }
        outcome
    }

    async fn write(
        &self,
        group: &Group,
        overlay: &Overlay<'_>,
        rolling: &mut [RollingWriter],
    ) -> Result<Vec<DataFileMeta>> {
        let now_millis = self.table.store.context().clock.now_millis();
        let mut files = Vec::new();
        for (columns, rolling) in self.column_groups.iter().zip(rolling) {
            let mut finished = Vec::new();
            if columns.is_blob() {
                self.write_blobs(group, overlay, columns, rolling, &mut finished).await?;
            } else {
                self.write_columns(group, overlay, columns, rolling, &mut finished).await?;
            }
            finished.extend(rolling.roll(&self.table.store).await?);
            let mut first = group.rows().start;
            for file in finished {
                let file = DataFileMeta { first_row_id: Some(first), ..columns.describe(file, now_millis, 0)? };
                first += file.row_count;
                files.push(file);
            }
        }
        Ok(files)
    }

    /// All rows of the group, in one file.
    async fn write_columns(
        &self,
        group: &Group,
        overlay: &Overlay<'_>,
        columns: &ColumnGroup,
        rolling: &mut RollingWriter,
        finished: &mut Vec<FinishedFile>,
    ) -> Result<()> {
        let store = &self.table.store;
        let request = ReadRequest {
            projection: Some(columns.fields().iter().map(|field| field.id).collect()),
            ..ReadRequest::default()
        };
        let column_of = columns.fields().iter().map(|field| self.column_of(field)).collect::<Result<Vec<_>>>()?;
        let mut current = read(store, &group.with_deleted_rows(), &request).await?;
        let mut position = 0;
        while let Some(batch) = current.try_next().await? {
            let batch = overlay.over(&batch, position, &column_of)?;
            position += batch.num_rows() as u64;
            rolling.write(store, &columns.names, &batch, finished).await?;
        }
        if position != group.files.row_count().unsigned_abs() {
            let message = format!("expected {} rows of a row group, found {position}", group.files.row_count());
            return Err(Error::corrupt(message).with_context("first row id", group.rows().start));
        }
        Ok(())
    }

    /// The changed values of a BLOB column, up to the last of them; the rows between are left to the files that are
    /// there. Where there are none, the other rows are NULL, all of them.
    async fn write_blobs(
        &self,
        group: &Group,
        overlay: &Overlay<'_>,
        columns: &ColumnGroup,
        rolling: &mut RollingWriter,
        finished: &mut Vec<FinishedFile>,
    ) -> Result<()> {
        let store = &self.table.store;
        let [field] = columns.fields() else {
            return Err(Error::internal("paimon-write", "a .blob file of several columns"));
        };
        let schema_of = |id: i64| self.schemas.get(&id).map(Arc::as_ref);
        let has_older = group.files.source(&group.split.files, field.id, &schema_of)? != ColumnSource::Nowhere;
        let rows = group.files.row_count().unsigned_abs();
        let mut written = 0;
        for (position, values) in overlay.runs(self.column_of(field)?)? {
            self.skip(columns, rolling, finished, has_older, position - written).await?;
            rolling.write(store, &columns.names, &values, finished).await?;
            written = position + values.num_rows() as u64;
        }
        if !has_older {
            self.skip(columns, rolling, finished, has_older, rows - written).await?;
        }
        Ok(())
    }

    /// Rows that do not change.
    async fn skip(
        &self,
        columns: &ColumnGroup,
        rolling: &mut RollingWriter,
        finished: &mut Vec<FinishedFile>,
        has_older: bool,
        rows: u64,
    ) -> Result<()> {
        let store = &self.table.store;
        if rows == 0 {
            return Ok(());
        }
        if has_older {
            return rolling.leave_open(store, &columns.names, rows).await;
        }
        let schema = paimon_io::arrow_schema(columns.fields())?;
        let length = usize::try_from(rows).map_err(|error| Error::internal("paimon-write", error))?;
        let nulls = schema.fields().iter().map(|field| new_null_array(field.data_type(), length)).collect();
        let nulls = RecordBatch::try_new(schema, nulls).map_err(|error| {
            Error::invalid("a NOT NULL column without older values needs a new one in every row").with_source(error)
        })?;
        rolling.write(store, &columns.names, &nulls, finished).await
    }

    /// The place of a column among the new values.
    fn column_of(&self, field: &DataField) -> Result<usize> {
        let place = self.values.fields.iter().position(|other| other.id == field.id);
        place.ok_or_else(|| Error::internal("paimon-write", "a column without new values"))
    }
}
