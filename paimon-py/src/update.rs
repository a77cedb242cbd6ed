//! Changing rows that are there: `NativeUpdate`, and `NativeMatches`, the rows it finds.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use futures::StreamExt;
use futures::stream::BoxStream;
use paimon_blob::Presenter;
use paimon_io::TableStore;
use paimon_spec::{CommitMessage, ROW_ID, Result, row_id_field};
use paimon_write::TableUpdate;
use pyo3::prelude::*;
use pyo3_arrow::error::PyArrowError;
use pyo3_arrow::input::AnyRecordBatch;
use tokio::sync::Mutex;

use crate::blob::whole_presenter;
use crate::errors::OrRaise;
use crate::leaving::outside;
use crate::predicate::NativePredicate;
use crate::runtime::{Home, block_on};
use crate::stream::NativeBatch;
use crate::write::NativeCommitMessage;

/// Prepares changes of rows of one table, as of one snapshot.
#[pyclass(frozen, module = "pypaimon._native")]
pub(crate) struct NativeUpdate {
    home: Home,
    store: TableStore,
    catalog_options: BTreeMap<String, String>,
    update: Arc<TableUpdate>,
}

impl NativeUpdate {
    pub(crate) fn open(py: Python<'_>, store: TableStore, catalog_options: BTreeMap<String, String>) -> PyResult<Self> {
        let opened = store.clone();
        let update = block_on(py, async move { TableUpdate::open(opened).await })?;
        Ok(Self { home: Home::here(), store, catalog_options, update: Arc::new(update) })
    }

    /// What makes bytes of what BLOB columns hold; `None` without any.
    fn presenter(&self, columns: &[String]) -> Result<Option<Presenter>> {
        let fields = columns.iter().filter_map(|name| self.store.schema().field(name)).cloned();
        let fields: Vec<_> = fields.chain([row_id_field()]).collect();
        whole_presenter(&self.store, &self.catalog_options, &fields)
    }

    /// What a method of the update gives.
    fn prepare<F>(&self, py: Python<'_>, work: impl FnOnce(Arc<TableUpdate>) -> F) -> PyResult<Vec<NativeCommitMessage>>
    where
        F: Future<Output = Result<Vec<CommitMessage>>> + Send + 'static,
    {
        self.home.check("update")?;
        let messages = block_on(py, work(self.update.clone()))?;
        Ok(messages.into_iter().map(|message| NativeCommitMessage(Arc::new(message))).collect())
    }
}

#[pymethods]
impl NativeUpdate {
    #[getter]
    fn snapshot_id(&self) -> Option<i64> {
        self.update.snapshot_id()
    }

    #[pyo3(signature = (rows, columns=None))]
    fn update_columns(
        &self,
        py: Python<'_>,
        rows: AnyRecordBatch,
        columns: Option<Vec<String>>,
    ) -> PyResult<Vec<NativeCommitMessage>> {
        let (batches, names) = collect(py, rows)?;
        let columns = columns.unwrap_or_else(|| names.into_iter().filter(|name| name != ROW_ID).collect());
        self.prepare(py, |update| async move { update.update_columns(&columns, &batches).await })
    }

    fn delete_rows(&self, py: Python<'_>, row_ids: Vec<i64>) -> PyResult<Vec<NativeCommitMessage>> {
        self.prepare(py, |update| async move { update.delete_rows(&row_ids).await })
    }

    #[pyo3(signature = (predicate=None))]
    fn delete_where(
        &self,
        py: Python<'_>,
        predicate: Option<PyRef<'_, NativePredicate>>,
    ) -> PyResult<Vec<NativeCommitMessage>> {
        let predicate = predicate.map(|predicate| predicate.predicate.clone());
        self.prepare(py, |update| async move { update.delete_where(predicate.as_ref()).await })
    }

    #[pyo3(signature = (predicate=None, columns=Vec::new()))]
    fn matching(
        &self,
        py: Python<'_>,
        predicate: Option<PyRef<'_, NativePredicate>>,
        columns: Vec<String>,
    ) -> PyResult<NativeMatches> {
        self.home.check("update")?;
        let predicate = predicate.map(|predicate| predicate.predicate.clone());
        let update = self.update.clone();
        let presenter = self.presenter(&columns).or_raise(py)?;
        let batches = block_on(py, async move { update.matching(predicate.as_ref(), &columns).await })?;
        let batches = match presenter {
            Some(presenter) => presenter.present(batches),
            None => batches,
        };
        Ok(NativeMatches { home: Home::here(), batches: Arc::new(Mutex::new(batches)) })
    }

    #[pyo3(signature = (rows, keys, update_columns=None))]
    fn upsert(
        &self,
        py: Python<'_>,
        rows: AnyRecordBatch,
        keys: Vec<String>,
        update_columns: Option<Vec<String>>,
    ) -> PyResult<Vec<NativeCommitMessage>> {
        let (batches, _) = collect(py, rows)?;
        self.prepare(py, |update| async move { update.upsert(&keys, update_columns.as_deref(), &batches).await })
    }
}

/// All batches, and the names of their columns.
fn collect(py: Python<'_>, rows: AnyRecordBatch) -> PyResult<(Vec<RecordBatch>, Vec<String>)> {
    let batches = rows.into_reader()?;
    let names = batches.schema().fields().iter().map(|field| field.name().clone()).collect();
    // They may come from Python code: that takes the GIL again for itself.
    let batches = outside(py, || batches.collect::<std::result::Result<_, _>>()).map_err(PyArrowError::from)?;
    Ok((batches, names))
}

/// Rows that an update found, row group by row group.
#[pyclass(frozen, module = "pypaimon._native")]
pub(crate) struct NativeMatches {
    home: Home,
    batches: Arc<Mutex<BoxStream<'static, Result<RecordBatch>>>>,
}

#[pymethods]
impl NativeMatches {
    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<NativeBatch>> {
        self.home.check("update")?;
        let batches = self.batches.clone();
        let next = block_on(py, async move { batches.lock_owned().await.next().await.transpose() })?;
        Ok(next.map(NativeBatch))
    }
}
