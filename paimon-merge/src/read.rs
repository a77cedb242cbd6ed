//! The rows of a split, file by file.

use std::sync::Arc;

use arrow::array::RecordBatch;
use futures::future::BoxFuture;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use paimon_io::{BatchStream, TableStore};
use paimon_spec::{DataSplit, Error, Result, TableSchema, check_merge_supported};

use crate::{
    ReadRequest,
    files::in_order,
    group::{Group, groups_of},
    keyed::read_keyed,
    plan::Target,
};

/// The rows of one split in the table's current schema (`store.schema()`): columns by field id, partition columns from
/// metadata, without deleted rows, filtered exactly, in the order of the split's files and their rows. Rows of a table
/// with a primary key are merged, unless the split says that there is nothing to merge; they come in the order of keys.
///
/// No batch is empty. With an empty projection the batches have rows and no columns.
///
/// # Errors
/// `Unsupported` for tables whose rows are not supported yet and for files of other formats; `InvalidInput` when the
/// request names columns that the table does not have; `NotFound` when a file is gone; `CorruptData` when one is not
/// what the metadata says. Errors of a file come when the stream arrives there, and end it.
pub fn read<'a>(
    store: &'a TableStore,
    split: &'a DataSplit,
    request: &'a ReadRequest,
) -> BoxFuture<'a, Result<BatchStream>> {
    Box::pin(async move {
        let current = store.schema();
        check_supported(store, current)?;
        check_split(split)?;
        let target = Arc::new(target_of(store, split, request)?);

        let limit = request.limit.unwrap_or(usize::MAX);
        if !current.primary_keys.is_empty() && !split.raw_convertible {
            return Ok(limited(read_keyed(store, split, request, &target).await?, limit));
        }
        let mut missing = limit as u64;
        let groups = groups_of(split, store.options().data_evolution_enabled()?)?;
        let mut files = Vec::with_capacity(groups.len());
        for group in groups {
            if missing == 0 {
                break;
            }
            let Some(mut file) = Group::load(store, split, group).await?.plan(&target, request)? else { continue };
            if file.keeps_all() {
                if limit < usize::MAX {
                    file.limit(usize::try_from(missing).unwrap_or(usize::MAX));
                }
                missing = missing.saturating_sub(file.rows_at_least());
            }
            files.push(file);
        }
        Ok(limited(in_order(store, files, limit).map_ok(|(_, batch)| batch), limit))
    })
}

/// What is asked of every file of a split.
///
/// # Errors
/// `InvalidInput` when the request names columns that the table does not have; `CorruptData` when the split's partition is
/// none of the table.
pub(crate) fn target_of(store: &TableStore, split: &DataSplit, request: &ReadRequest) -> Result<Target> {
    let current = store.schema();
    let fields = current.partition_fields();
    let types: Vec<_> = fields.iter().map(|f| f.data_type.clone()).collect();
    let values = if fields.is_empty() { Vec::new() } else { split.partition.values(&types)? };
    let partition = fields.iter().map(|f| f.id).zip(values).collect();
    Target::new(Arc::clone(current), request.projection.as_deref(), request.predicate.as_ref(), partition)
}

/// # Errors
/// `InvalidInput` when the split has not as many deletions or ranges as files.
pub(crate) fn check_split(split: &DataSplit) -> Result<()> {
    let (files, deletions, rows) = (split.files.len(), split.deletions.len(), split.rows.len());
    if deletions > 0 && deletions != files {
        return Err(Error::invalid(format!("the split has {files} files and deletions for {deletions}")));
    }
    if rows > 0 && rows != files {
        return Err(Error::invalid(format!("the split has {files} files and ranges of rows for {rows}")));
    }
    Ok(())
}

pub(crate) fn check_supported(store: &TableStore, schema: &TableSchema) -> Result<()> {
    let options = store.options();
    if options.table_type() != "table" {
        return Err(Error::unsupported(format!(
            "reading rows of a table of type '{}' is not supported yet",
            options.table_type()
        )));
    }
    check_merge_supported(schema)?;
    if let Some(field) = schema.fields.iter().find(|field| field.data_type.is_blob())
        && !options.data_evolution_enabled()?
    {
        let message = "reading BLOB columns of a table without data evolution is not supported yet";
        return Err(Error::unsupported(message).with_context("column", &field.name));
    }
    Ok(())
}

/// Ends the stream after `limit` rows.
fn limited(batches: impl Stream<Item = Result<RecordBatch>> + Send + 'static, limit: usize) -> BatchStream {
    if limit == usize::MAX {
        return batches.boxed();
    }
    let state = (batches.boxed(), limit);
    stream::try_unfold(state, |(mut batches, missing)| async move {
        if missing == 0 {
            return Ok(None);
        }
        let Some(batch) = batches.try_next().await? else { return Ok(None) };
        let batch = batch.slice(0, batch.num_rows().min(missing));
        let missing = missing - batch.num_rows();
        Ok(Some((batch, (batches, missing))))
    })
    .boxed()
}
