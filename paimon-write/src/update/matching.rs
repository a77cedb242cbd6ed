//! Rows that are there, with their ids.

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use futures::future;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use paimon_io::TableStore;
use paimon_merge::{ReadRequest, read};
use paimon_spec::{Error, FieldId, Predicate, ROW_ID_ID, Result};

use super::groups::{Group, groups};
use super::{GROUPS_AT_ONCE, TableUpdate, named_fields};

pub(super) async fn matching(
    table: &TableUpdate,
    condition: Option<&Predicate>,
    columns: &[String],
) -> Result<BoxStream<'static, Result<RecordBatch>>> {
    let fields = named_fields(table.store.schema(), columns)?;
    let Some(snapshot) = &table.snapshot else { return Ok(stream::empty().boxed()) };
    let groups = groups(&table.store, snapshot, condition.cloned()).await?;
    let projection: Vec<FieldId> = fields.iter().map(|field| field.id).chain([ROW_ID_ID]).collect();
    let request = ReadRequest { projection: Some(projection), predicate: condition.cloned(), ..ReadRequest::default() };
    let store = table.store.clone();
    let batches = stream::iter(groups)
        .map(move |group| read_group(store.clone(), group, request.clone()))
        .buffered(GROUPS_AT_ONCE)
        .try_filter_map(|batch| future::ready(Ok(batch)));
    Ok(batches.boxed())
}

/// The rows of a group, if there are any.
async fn read_group(store: TableStore, group: Group, request: ReadRequest) -> Result<Option<RecordBatch>> {
    let batches: Vec<RecordBatch> = read(&store, &group.split, &request).await?.try_collect().await?;
    match batches.as_slice() {
        [] => Ok(None),
        [batch] => Ok(Some(batch.clone())),
        [first, ..] => {
            let whole = concat_batches(&first.schema(), &batches);
            whole.map(Some).map_err(|error| {
                Error::invalid("the matching rows of one row group are too many for one batch").with_source(error)
            })
        }
    }
}
