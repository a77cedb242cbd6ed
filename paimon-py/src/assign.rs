//! Buckets of rows for tables with dynamic buckets, decided apart from where rows are written.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, RecordBatch};
use arrow::compute::concat_batches;
use paimon_io::TableStore;
use paimon_spec::{Error, Result};
use paimon_write::{AssignedColumns, RowAssigner, Share, WriteOptions};
use pyo3::prelude::*;
use pyo3_arrow::error::PyArrowError;

use crate::runtime::block_on;
use crate::stream::NativeBatch;

/// Channels of rows, in a column of that name.
pub(crate) fn channels(routed: Int32Array) -> PyResult<NativeBatch> {
    let batch = RecordBatch::try_from_iter([("channel", Arc::new(routed) as ArrayRef)]);
    Ok(NativeBatch(batch.map_err(PyArrowError::from)?))
}

/// All rows that are to be written when an assigner gets these rows, with their buckets.
pub(crate) fn assign_buckets(
    py: Python<'_>,
    store: TableStore,
    rows: RecordBatch,
    share: Share,
    columns: AssignedColumns,
    options: WriteOptions,
) -> PyResult<NativeBatch> {
    block_on(py, async move {
        let mut assigner = RowAssigner::open(store, share, &columns, &options).await?;
        let mut assigned = assigner.assign(&rows).await?;
        drop(rows);
        while let Some(held) = assigner.finish().await? {
            assigned.extend(held);
        }
        let all = concat_batches(assigner.schema(), &assigned);
        let all: Result<_> = all.map_err(|error| Error::internal("paimon-py", "rows do not fit").with_source(error));
        Ok(NativeBatch(all?))
    })
}
