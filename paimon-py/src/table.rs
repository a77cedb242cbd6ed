//! `NativeTable`: one table at one schema, and what can be done with it.

mod copying;
mod native_parquet;
mod opening;
mod partition_batch;
mod read_point;
mod reading;
mod view;

use std::collections::BTreeMap;

use paimon_blob::BlobSource;
use paimon_io::{TableStore, arrow_schema};
use paimon_scan::ScanRequest;
use paimon_spec::{DataField, DataSplit, Result};
use paimon_write::{AssignedBuckets, CommitRequest, WriteOptions};
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use pyo3_arrow::PyArray;

use self::copying::{copied, refreshed, require_latest};
use self::native_parquet::reasons_not_native;
use self::opening::open;
use self::partition_batch::partition_batch;
use self::read_point::{Pin, State, StateReader, StateTuple, latest_schema};
use self::reading::{Form, Wanted, slice};
pub(crate) use self::view::{View, column, known_columns};
use crate::blob::{NativeBlobStream, fetch_blobs};
use crate::branches::NativeBranches;
use crate::commit::{abort, commit, commit_mode};
use crate::compact::{NativeCompactPlan, compact_after};
use crate::errors::OrRaise;
use crate::options::without_secrets;
use crate::plan::{NativePlan, NativeSplit};
use crate::predicate::{NativePredicate, bound};
use crate::routing::NativeRouting;
use crate::runtime::block_on;
use crate::schema::{NativeSchema, schema_text};
use crate::snapshots::NativeSnapshots;
use crate::stream::{NativeBatch, NativeStream};
use crate::tags::NativeTags;
use crate::update::NativeUpdate;
use crate::write::{NativeCommitMessage, NativeWriter};

/// A table with one schema and its dynamic options. Never changes.
#[pyclass(frozen, module = "pypaimon._native")]
pub(crate) struct NativeTable {
    pub(crate) store: TableStore,
    catalog_options: BTreeMap<String, String>,
    /// Options that `copy` set or removed, on top of the stored ones.
    dynamic: BTreeMap<String, Option<String>>,
    pin: Option<Pin>,
    view: View,
}

impl NativeTable {
    pub(crate) fn new(store: TableStore, catalog_options: BTreeMap<String, String>, view: View) -> Self {
        Self { store, catalog_options, dynamic: BTreeMap::new(), pin: None, view }
    }

    fn with(&self, store: TableStore, pin: Option<Pin>) -> Self {
        let (catalog_options, dynamic) = (self.catalog_options.clone(), self.dynamic.clone());
        Self { store, catalog_options, dynamic, pin, view: self.view }
    }

    /// What it takes to find what this table reads, to be used off the Python thread.
    fn reader(&self, py: Python<'_>) -> PyResult<StateReader> {
        StateReader::new(py, self.store.clone(), self.pin.clone())
    }

    fn fields(&self, columns: Option<&[String]>) -> Result<Vec<DataField>> {
        let Some(columns) = columns else { return Ok(self.view.columns(&self.store)) };
        let known = known_columns(&self.store)?;
        columns.iter().map(|name| column(&known, name).cloned()).collect()
    }
}

#[pymethods]
impl NativeTable {
    #[staticmethod]
    #[pyo3(signature = (location, catalog_options, schema_json=None, branch=None, view=None))]
    fn open(
        py: Python<'_>,
        location: String,
        catalog_options: BTreeMap<String, String>,
        schema_json: Option<&str>,
        branch: Option<String>,
        view: Option<&str>,
    ) -> PyResult<Self> {
        open(py, location, catalog_options, schema_json, branch, view)
    }

    /// `open`, with a pin as `__reduce__` gives it.
    #[new]
    #[pyo3(signature = (location, catalog_options, schema_json, branch=None, dynamic=BTreeMap::new(), pin=None,
                        view=None))]
    #[expect(clippy::too_many_arguments, reason = "what a pickle holds")]
    fn py_new(
        py: Python<'_>,
        location: String,
        catalog_options: BTreeMap<String, String>,
        schema_json: &str,
        branch: Option<String>,
        dynamic: BTreeMap<String, Option<String>>,
        pin: Option<(StateTuple, i64)>,
        view: Option<&str>,
    ) -> PyResult<Self> {
        let table = Self::open(py, location, catalog_options, Some(schema_json), branch, view)?;
        let pin = match pin {
            Some((state, at_millis)) => Some(Pin::new(State::try_from(state).or_raise(py)?, at_millis)),
            None => None,
        };
        Ok(Self { dynamic, pin, ..table })
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        let table = slf.get();
        let pin = table.pin.as_ref().map(|pin| (StateTuple::from(pin.state), pin.at_millis));
        let options = without_secrets(table.catalog_options.clone());
        let (branch, dynamic) = (table.branch(), table.dynamic.clone());
        let schema = table.schema_json(slf.py())?;
        let arguments = (table.location(), options, schema, branch, dynamic, pin, table.view.name());
        (slf.get_type(), arguments).into_pyobject(slf.py())
    }

    #[getter]
    fn location(&self) -> String {
        self.store.storage().root_url()
    }

    #[getter]
    fn branch(&self) -> Option<String> {
        self.store.branch().map(str::to_owned)
    }

    #[getter]
    fn view(&self) -> Option<&'static str> {
        self.view.name()
    }

    #[getter]
    fn pinned(&self) -> Option<StateTuple> {
        self.pin.as_ref().map(|pin| pin.state.into())
    }

    fn catalog_options(&self) -> BTreeMap<String, String> {
        self.catalog_options.clone()
    }

    fn schema_json(&self, py: Python<'_>) -> PyResult<String> {
        schema_text(self.store.schema()).or_raise(py)
    }

    fn arrow_schema(&self, py: Python<'_>) -> PyResult<NativeSchema> {
        Ok(NativeSchema(arrow_schema(&self.view.columns(&self.store)).or_raise(py)?))
    }

    fn latest_schema_json(&self, py: Python<'_>) -> PyResult<String> {
        let store = self.store.clone();
        block_on(py, async move {
            let schema = latest_schema(&store).await?;
            schema_text(&schema)
        })
    }

    fn copy(&self, py: Python<'_>, options: BTreeMap<String, Option<String>>) -> PyResult<Self> {
        copied(py, self, options)
    }

    fn tracking_rows(&self, py: Python<'_>) -> PyResult<Self> {
        View::RowTracking.check(&self.store).or_raise(py)?;
        Ok(Self { view: View::RowTracking, ..self.with(self.store.clone(), self.pin.clone()) })
    }

    fn snapshots(&self) -> NativeSnapshots {
        NativeSnapshots { store: self.store.clone() }
    }

    fn tags(&self) -> NativeTags {
        NativeTags { store: self.store.clone() }
    }

    fn branches(&self) -> NativeBranches {
        NativeBranches { store: self.store.clone() }
    }

    fn refresh(&self, py: Python<'_>) -> PyResult<Self> {
        refreshed(py, self)
    }

    #[pyo3(signature = (state=None))]
    fn pin(&self, py: Python<'_>, state: Option<StateTuple>) -> PyResult<Self> {
        let pin = match state {
            Some(state) => Pin::new(State::try_from(state).or_raise(py)?, self.store.context().clock.now_millis()),
            None => {
                let reader = self.reader(py)?;
                block_on(py, async move { reader.pin().await })?
            }
        };
        Ok(self.with(self.store.clone(), Some(pin)))
    }

    fn check_pin(&self, py: Python<'_>) -> PyResult<()> {
        let reader = self.reader(py)?;
        block_on(py, async move { reader.check().await })
    }

    fn identity(&self, py: Python<'_>) -> PyResult<String> {
        let store = self.store.clone();
        block_on(py, async move { store.identity().await })
    }

    fn predicate(&self, py: Python<'_>, tree: &Bound<'_, PyAny>) -> PyResult<NativePredicate> {
        NativePredicate::bind(py, &known_columns(&self.store).or_raise(py)?, tree)
    }

    #[pyo3(signature = (*, predicate=None, filter_is_exact=true, partition_predicate=None, limit=None, buckets=None,
                        split_target_bytes=None, shard=None, rows=None, columns=None))]
    #[expect(clippy::too_many_arguments, reason = "keywords of a Python method")]
    fn plan(
        slf: &Bound<'_, Self>,
        predicate: Option<PyRef<'_, NativePredicate>>,
        filter_is_exact: bool,
        partition_predicate: Option<PyRef<'_, NativePredicate>>,
        limit: Option<usize>,
        buckets: Option<Vec<i32>>,
        split_target_bytes: Option<u64>,
        shard: Option<(u32, u32)>,
        rows: Option<(u64, u64)>,
        columns: Option<Vec<String>>,
    ) -> PyResult<NativePlan> {
        let slice = slice(shard, rows).or_raise(slf.py())?;
        let table = slf.get();
        let columns = columns.map(|names| table.fields(Some(&names))).transpose().or_raise(slf.py())?;
        let reader = table.reader(slf.py())?;
        let request = ScanRequest {
            predicate: bound(predicate),
            filter_is_exact,
            partition_predicate: bound(partition_predicate),
            limit,
            buckets,
            split_target_bytes,
            slice,
            read_optimized: table.view == View::ReadOptimized,
            fields: columns.map(|columns| columns.iter().map(|field| field.id).collect()),
            // What is planned is sent to workers: statistics have done their work by then.
            with_stats: false,
            ..ScanRequest::default()
        };
        let planned = block_on(slf.py(), async move { reader.plan(request).await })?;
        NativePlan::new(slf, planned)
    }

    #[pyo3(signature = (splits, *, columns=None, predicate=None, limit=None, batch_rows=None, parallelism=1, blobs=None,
                        io_config=None))]
    #[expect(clippy::too_many_arguments, reason = "keywords of a Python method")]
    fn read(
        &self,
        py: Python<'_>,
        splits: Vec<PyRef<'_, NativeSplit>>,
        columns: Option<Vec<String>>,
        predicate: Option<PyRef<'_, NativePredicate>>,
        limit: Option<usize>,
        batch_rows: Option<usize>,
        parallelism: usize,
        blobs: Option<String>,
        io_config: Option<Vec<u8>>,
    ) -> PyResult<NativeStream> {
        let form = Form { blobs, io_config };
        let wanted = Wanted { columns, predicate: bound(predicate), limit, batch_rows, parallelism, form };
        wanted.of(self, &splits).or_raise(py)?.stream()
    }

    #[pyo3(signature = (splits, *, columns=None, predicate=None, limit=None, parallelism=1, blobs=None, io_config=None))]
    #[expect(clippy::too_many_arguments, reason = "keywords of a Python method")]
    fn read_all(
        &self,
        py: Python<'_>,
        splits: Vec<PyRef<'_, NativeSplit>>,
        columns: Option<Vec<String>>,
        predicate: Option<PyRef<'_, NativePredicate>>,
        limit: Option<usize>,
        parallelism: usize,
        blobs: Option<String>,
        io_config: Option<Vec<u8>>,
    ) -> PyResult<NativeStream> {
        let form = Form { blobs, io_config };
        let wanted = Wanted { columns, predicate: bound(predicate), limit, batch_rows: None, parallelism, form };
        wanted.of(self, &splits).or_raise(py)?.collect(py)
    }

    #[pyo3(signature = (files, *, max_concurrency=64, column=""))]
    fn fetch_blobs(
        &self,
        py: Python<'_>,
        files: PyArray,
        max_concurrency: usize,
        column: &str,
    ) -> PyResult<NativeBatch> {
        fetch_blobs(py, &self.store, files.array(), max_concurrency, column)
    }

    fn open_blob(
        &self,
        py: Python<'_>,
        url: &str,
        position: Option<u64>,
        size: Option<u64>,
    ) -> PyResult<NativeBlobStream> {
        NativeBlobStream::open(py, &BlobSource::of(&self.store).or_raise(py)?, url, position, size)
    }

    #[pyo3(signature = (splits, parallelism=1))]
    fn count_splits(&self, py: Python<'_>, splits: Vec<PyRef<'_, NativeSplit>>, parallelism: usize) -> PyResult<u64> {
        Wanted { columns: Some(Vec::new()), parallelism, ..Wanted::default() }.of(self, &splits).or_raise(py)?.count(py)
    }

    #[pyo3(signature = (partition_predicate=None))]
    fn count_rows(
        &self,
        py: Python<'_>,
        partition_predicate: Option<PyRef<'_, NativePredicate>>,
    ) -> PyResult<Option<u64>> {
        if self.view == View::ReadOptimized {
            return Ok(None);
        }
        let reader = self.reader(py)?;
        let predicate = bound(partition_predicate);
        block_on(py, async move { reader.count_rows(predicate.as_ref()).await })
    }

    #[pyo3(signature = (splits, columns=None, predicate=None))]
    fn native_parquet(
        &self,
        py: Python<'_>,
        splits: Vec<PyRef<'_, NativeSplit>>,
        columns: Option<Vec<String>>,
        predicate: Option<PyRef<'_, NativePredicate>>,
    ) -> PyResult<Vec<Option<String>>> {
        let fields = self.fields(columns.as_deref()).or_raise(py)?;
        let splits: Vec<_> = splits.iter().map(|split| split.split.clone()).collect();
        let (store, predicate) = (self.store.clone(), bound(predicate));
        block_on(py, async move { reasons_not_native(&store, &splits, &fields, predicate.as_ref()).await })
    }

    fn partition_batch(&self, py: Python<'_>, splits: Vec<PyRef<'_, NativeSplit>>) -> PyResult<NativeBatch> {
        let splits: Vec<&DataSplit> = splits.iter().map(|split| split.split.as_ref()).collect();
        Ok(NativeBatch(partition_batch(self.store.schema(), &splits).or_raise(py)?))
    }

    #[pyo3(signature = (
        memory_bytes=None, *, row_kind_column=None, order_column=None, overwrite=false, write_type=None, assigned=None,
        commit_user=None
    ))]
    #[expect(clippy::too_many_arguments, reason = "keywords of a Python method")]
    fn writer(
        &self,
        py: Python<'_>,
        memory_bytes: Option<u64>,
        row_kind_column: Option<String>,
        order_column: Option<String>,
        overwrite: bool,
        write_type: Option<Vec<String>>,
        assigned: Option<(String, Option<i64>)>,
        commit_user: Option<String>,
    ) -> PyResult<NativeWriter> {
        self.view.require_writable().or_raise(py)?;
        let assigned = assigned.map(|(column, base_snapshot)| AssignedBuckets { column, base_snapshot });
        let options =
            WriteOptions { memory_bytes, row_kind_column, order_column, overwrite, write_type, assigned, commit_user };
        NativeWriter::open(py, self.store.clone(), options)
    }

    fn updater(&self, py: Python<'_>) -> PyResult<NativeUpdate> {
        self.view.require_writable().or_raise(py)?;
        NativeUpdate::open(py, self.store.clone(), self.catalog_options.clone())
    }

    fn routing(&self, py: Python<'_>) -> PyResult<NativeRouting> {
        self.view.require_writable().or_raise(py)?;
        Ok(NativeRouting(self.store.clone()))
    }

    #[pyo3(signature = (messages, *, user, identifier, mode, partition, partitions, properties, identity))]
    #[expect(clippy::too_many_arguments, reason = "keywords of a Python method")]
    fn commit(
        &self,
        py: Python<'_>,
        messages: Vec<PyRef<'_, NativeCommitMessage>>,
        user: String,
        identifier: i64,
        mode: &str,
        partition: Option<BTreeMap<String, String>>,
        partitions: Option<Vec<BTreeMap<String, String>>>,
        properties: BTreeMap<String, String>,
        identity: String,
    ) -> PyResult<Option<i64>> {
        self.view.require_writable().or_raise(py)?;
        let mode = commit_mode(mode, partition, partitions).or_raise(py)?;
        commit(
            py,
            &self.store,
            CommitRequest { user, identifier, mode, properties, table_identity: identity },
            &messages,
        )
    }

    fn compact_after(&self, py: Python<'_>, snapshot_id: i64, user: String, identity: String) -> PyResult<()> {
        compact_after(py, &self.store, snapshot_id, user, identity)
    }

    #[pyo3(signature = (*, full=false, partitions=None))]
    fn plan_compaction(
        &self,
        py: Python<'_>,
        full: bool,
        partitions: Option<Vec<BTreeMap<String, String>>>,
    ) -> PyResult<NativeCompactPlan> {
        self.view.require_writable().or_raise(py)?;
        require_latest(&self.dynamic).or_raise(py)?;
        NativeCompactPlan::make(py, self.store.clone(), full, partitions.unwrap_or_default())
    }

    fn abort(&self, py: Python<'_>, messages: Vec<PyRef<'_, NativeCommitMessage>>) -> PyResult<()> {
        abort(py, &self.store, &messages)
    }

    fn __repr__(&self) -> String {
        let pin = self.pin.as_ref().map_or(String::new(), |pin| format!(", pinned to {}", pin.state));
        format!("NativeTable(location='{}', schema_id={}{pin})", self.location(), self.store.schema().id)
    }
}
