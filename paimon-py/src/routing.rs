//! Where rows of one frame go when several workers write them: `NativeRouting`.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, RecordBatch};
use arrow::compute::concat_batches;
use paimon_io::TableStore;
use paimon_spec::{Error, Result};
use paimon_write::{AssignedColumns, AssignerRouter, ChannelRouter, RowAssigner, Share, WriteOptions};
use pyo3::prelude::*;
use pyo3_arrow::PyRecordBatch;
use pyo3_arrow::error::PyArrowError;

use crate::errors::OrRaise;
use crate::leaving::outside;
use crate::runtime::block_on;
use crate::stream::NativeBatch;

/// Divides rows among the writers of one table, and decides their buckets apart from where they are written.
#[pyclass(frozen, module = "pypaimon._native")]
pub(crate) struct NativeRouting(pub(crate) TableStore);

impl NativeRouting {
    fn routed(&self, py: Python<'_>, route: impl FnOnce() -> Result<Int32Array> + Send) -> PyResult<NativeBatch> {
        let routed = outside(py, route).or_raise(py)?;
        let batch = RecordBatch::try_from_iter([("channel", Arc::new(routed) as ArrayRef)]);
        Ok(NativeBatch(batch.map_err(PyArrowError::from)?))
    }
}

#[pymethods]
impl NativeRouting {
    fn columns(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        Ok(ChannelRouter::new(self.0.schema(), 1).or_raise(py)?.columns().to_vec())
    }

    fn route(&self, py: Python<'_>, rows: PyRecordBatch, channels: u32) -> PyResult<NativeBatch> {
        self.routed(py, || ChannelRouter::new(self.0.schema(), channels)?.route(rows.as_ref()))
    }

    fn assigning_columns(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        Ok(AssignerRouter::new(self.0.schema(), 1).or_raise(py)?.columns().to_vec())
    }

    fn assigners(&self, py: Python<'_>, workers: u32) -> PyResult<u32> {
        Ok(AssignerRouter::new(self.0.schema(), workers).or_raise(py)?.assigners())
    }

    fn route_to_assigners(&self, py: Python<'_>, rows: PyRecordBatch, workers: u32) -> PyResult<NativeBatch> {
        self.routed(py, || AssignerRouter::new(self.0.schema(), workers)?.route(rows.as_ref()))
    }

    fn route_assigned(
        &self,
        py: Python<'_>,
        rows: PyRecordBatch,
        bucket_column: &str,
        channels: u32,
    ) -> PyResult<NativeBatch> {
        let route = || ChannelRouter::of_assigned(self.0.schema(), bucket_column, channels)?.route(rows.as_ref());
        self.routed(py, route)
    }

    #[pyo3(signature = (
        rows, *, assigner, assigners, bucket_column, kind_column, row_kind_column=None, order_column=None, overwrite=false
    ))]
    #[expect(clippy::too_many_arguments, reason = "keywords of a Python method")]
    fn assign_buckets(
        &self,
        py: Python<'_>,
        rows: PyRecordBatch,
        assigner: u32,
        assigners: u32,
        bucket_column: String,
        kind_column: String,
        row_kind_column: Option<String>,
        order_column: Option<String>,
        overwrite: bool,
    ) -> PyResult<NativeBatch> {
        let options = WriteOptions { row_kind_column, order_column, overwrite, ..WriteOptions::default() };
        let columns = AssignedColumns { bucket: bucket_column, row_kind: kind_column };
        let share = Share { assigner, assigners };
        let (store, rows) = (self.0.clone(), rows.into_inner());
        block_on(py, async move { assign(store, rows, share, &columns, &options).await }).map(NativeBatch)
    }
}

/// All rows that are to be written when an assigner gets these rows, with their buckets.
async fn assign(
    store: TableStore,
    rows: RecordBatch,
    share: Share,
    columns: &AssignedColumns,
    options: &WriteOptions,
) -> Result<RecordBatch> {
    let mut assigner = RowAssigner::open(store, share, columns, options).await?;
    let mut assigned = assigner.assign(&rows).await?;
    drop(rows);
    while let Some(held) = assigner.finish().await? {
        assigned.extend(held);
    }
    let all = concat_batches(assigner.schema(), &assigned);
    all.map_err(|error| Error::internal("paimon-py", "rows do not fit").with_source(error))
}
