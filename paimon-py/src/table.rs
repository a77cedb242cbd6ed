//! `NativeTable`: one table at one schema, and what can be done with it.

mod native_parquet;
mod options;
mod partition_batch;
mod read_point;
mod view;

use std::collections::BTreeMap;
use std::sync::Arc;

use paimon_blob::BlobSource;
use paimon_io::{FileSnapshotCommit, Storage, TableStore, arrow_schema};
use paimon_merge::ReadRequest;
use paimon_scan::{ScanRequest, Slice};
use paimon_spec::{DataField, DataSplit, Error, Result, TableSchema};
use paimon_write::{
    AssignedBuckets, AssignedColumns, AssignerRouter, BATCH_IDENTIFIER, ChannelRouter, CommitMode, CommitRequest,
    Committed, Share, WriteOptions,
};
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use pyo3_arrow::{PyArray, PyRecordBatch};

use self::native_parquet::why_not_native;
use self::options::{changed_options, on_branch, travels, with_options};
use self::partition_batch::partition_batch;
use self::read_point::{Pin, State, StateReader, StateTuple, latest_schema};
pub(crate) use self::view::{View, column, known_columns};
use crate::assign;
use crate::blob::{NativeBlobStream, fetch_blobs, presenter};
use crate::branches::NativeBranches;
use crate::compact::{NativeCompactPlan, NativeCompactTask, NativeCompacted, compact_written, messages_of};
use crate::context::adapt_context;
use crate::errors::OrRaise;
use crate::options::without_secrets;
use crate::plan::{NativePlan, NativeSplit};
use crate::predicate::NativePredicate;
use crate::runtime::{Process, block_on};
use crate::schema::{NativeSchema, schema_text};
use crate::snapshots::NativeSnapshots;
use crate::stream::{NativeBatch, NativeStream, Reading};
use crate::tags::NativeTags;
use crate::update::NativeUpdate;
use crate::write::{NativeCommitMessage, NativeWriter};

/// Bytes of rows that the merges of one read hold, about, however many splits are read at the same time.
const MERGE_BYTES: u64 = 256 << 20;

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

    #[expect(clippy::too_many_arguments, reason = "what the two ways to read have in common")]
    fn reading(
        &self,
        splits: &[PyRef<'_, NativeSplit>],
        columns: Option<&[String]>,
        predicate: Option<&NativePredicate>,
        limit: Option<usize>,
        batch_rows: Option<usize>,
        parallelism: usize,
        (blobs, io_config): (Option<&str>, Option<Vec<u8>>),
    ) -> Result<Reading> {
        let fields = self.fields(columns)?;
        let presenter = presenter(&self.store, &self.catalog_options, &fields, blobs, io_config)?;
        Ok(Reading {
            schema: presenter
                .as_ref()
                .map_or_else(|| arrow_schema(&fields), |presenter| Ok(presenter.schema().clone()))?,
            presenter,
            store: self.store.clone(),
            splits: splits.iter().map(|split| split.split.clone()).collect(),
            request: ReadRequest {
                projection: Some(fields.iter().map(|field| field.id).collect()),
                predicate: predicate.map(|predicate| predicate.predicate.clone()),
                limit,
                batch_rows,
                memory_bytes: Some(MERGE_BYTES / parallelism.clamp(1, splits.len().max(1)) as u64),
            },
            parallelism,
        })
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
        let flag = |key: &str| catalog_options.get(key).and_then(|text| text.trim().to_ascii_lowercase().parse().ok());
        let context = adapt_context(py, Process::current()?.context(), flag)?;
        let schema = schema_json.map(|text| TableSchema::from_json(text.as_bytes())).transpose().or_raise(py)?;
        let options = catalog_options.clone();
        let store = block_on(py, async move {
            let storage = Storage::open(&location, &options, &context)?;
            let committer = Arc::new(FileSnapshotCommit);
            match schema {
                Some(schema) => TableStore::new(storage, Arc::new(schema), branch.as_deref(), committer, context),
                None => TableStore::open(storage, branch.as_deref(), committer, context).await,
            }
        })?;
        let unknown = |name| Error::invalid(format!("expected 'ro' or 'row_tracking' for a view, found '{name}'"));
        let view = view.map_or(Ok(View::Whole), |name| View::from_name(name).ok_or_else(|| unknown(name)));
        let view = view.and_then(|view| view.check(&store).map(|()| view)).or_raise(py)?;
        Ok(Self::new(store, catalog_options, view))
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
        let changed = changed_options(self.store.schema(), options).or_raise(py)?;
        if changed.is_empty() {
            return Ok(self.with(self.store.clone(), self.pin.clone()));
        }
        let dynamic = self.dynamic.clone().into_iter().chain(changed.clone()).collect();
        let branch = changed.get("branch").cloned();
        let travels = travels(&changed);
        let schema = with_options(self.store.schema(), changed).or_raise(py)?;
        let store = match &branch {
            None => self.store.with_schema(Arc::new(schema)),
            Some(branch) => {
                let (store, branch) = (self.store.clone(), branch.clone());
                block_on(py, async move { on_branch(&store, branch.as_deref(), &schema).await })?
            }
        };
        // Snapshots of another branch, or another state, are not what was pinned.
        let pin = self.pin.clone().filter(|_| !travels && branch.is_none());
        let table = Self { dynamic, ..self.with(store, pin) };
        if !travels {
            return Ok(table);
        }
        let reader = table.reader(py)?;
        let store = block_on(py, async move { reader.travelled().await })?;
        Ok(Self { store, ..table })
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
        let store = self.store.clone();
        let schema = block_on(py, async move { latest_schema(&store).await })?;
        let schema =
            with_options(&schema, changed_options(&schema, self.dynamic.clone()).or_raise(py)?).or_raise(py)?;
        Ok(self.with(self.store.with_schema(Arc::new(schema)), None))
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
        let slice = match (shard, rows) {
            (None, None) => None,
            (Some((index, total)), None) => Some(Slice::Shard { index, total }),
            (None, Some((start, end))) => Some(Slice::Rows { start, end }),
            _ => return Err(Error::invalid("a plan is cut by shard or by rows, not by both")).or_raise(slf.py()),
        };
        let table = slf.get();
        let columns = columns.map(|names| table.fields(Some(&names))).transpose().or_raise(slf.py())?;
        let reader = table.reader(slf.py())?;
        let request = ScanRequest {
            predicate: predicate.map(|predicate| predicate.predicate.clone()),
            filter_is_exact,
            partition_predicate: partition_predicate.map(|predicate| predicate.predicate.clone()),
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
        blobs: Option<&str>,
        io_config: Option<Vec<u8>>,
    ) -> PyResult<NativeStream> {
        let form = (blobs, io_config);
        self.reading(&splits, columns.as_deref(), predicate.as_deref(), limit, batch_rows, parallelism, form)
            .or_raise(py)?
            .stream()
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
        blobs: Option<&str>,
        io_config: Option<Vec<u8>>,
    ) -> PyResult<NativeStream> {
        let form = (blobs, io_config);
        self.reading(&splits, columns.as_deref(), predicate.as_deref(), limit, None, parallelism, form)
            .or_raise(py)?
            .collect(py)
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
        self.reading(&splits, Some(&[]), None, None, None, parallelism, (None, None)).or_raise(py)?.count(py)
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
        let predicate = partition_predicate.map(|predicate| predicate.predicate.clone());
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
        let (store, predicate) = (self.store.clone(), predicate.map(|predicate| predicate.predicate.clone()));
        block_on(py, async move {
            let mut reasons = Vec::with_capacity(splits.len());
            for split in splits {
                reasons.push(why_not_native(&store, &split, &fields, predicate.as_ref()).await?);
            }
            Ok(reasons)
        })
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

    fn routing_columns(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        Ok(ChannelRouter::new(self.store.schema(), 1).or_raise(py)?.columns().to_vec())
    }

    fn route(&self, py: Python<'_>, rows: PyRecordBatch, channels: u32) -> PyResult<NativeBatch> {
        let schema = self.store.schema();
        assign::channels(py.detach(|| ChannelRouter::new(schema, channels)?.route(rows.as_ref())).or_raise(py)?)
    }

    fn assigning_columns(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        Ok(AssignerRouter::new(self.store.schema(), 1).or_raise(py)?.columns().to_vec())
    }

    fn assigners(&self, py: Python<'_>, workers: u32) -> PyResult<u32> {
        Ok(AssignerRouter::new(self.store.schema(), workers).or_raise(py)?.assigners())
    }

    fn route_to_assigners(&self, py: Python<'_>, rows: PyRecordBatch, workers: u32) -> PyResult<NativeBatch> {
        let schema = self.store.schema();
        assign::channels(py.detach(|| AssignerRouter::new(schema, workers)?.route(rows.as_ref())).or_raise(py)?)
    }

    fn route_assigned(
        &self,
        py: Python<'_>,
        rows: PyRecordBatch,
        bucket_column: &str,
        channels: u32,
    ) -> PyResult<NativeBatch> {
        let schema = self.store.schema();
        let route = || ChannelRouter::of_assigned(schema, bucket_column, channels)?.route(rows.as_ref());
        assign::channels(py.detach(route).or_raise(py)?)
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
        self.view.require_writable().or_raise(py)?;
        let options = WriteOptions { row_kind_column, order_column, overwrite, ..WriteOptions::default() };
        let columns = AssignedColumns { bucket: bucket_column, row_kind: kind_column };
        let share = Share { assigner, assigners };
        assign::assign_buckets(py, self.store.clone(), rows.into_inner(), share, columns, options)
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
        let mode = match mode {
            "append" => CommitMode::Append,
            "overwrite-dynamic" => CommitMode::OverwriteDynamic,
            "overwrite-static" => CommitMode::OverwriteStatic(partition.unwrap_or_default()),
            "truncate" => CommitMode::Truncate(partitions.unwrap_or_default()),
            other => return Err(Error::invalid(format!("commit mode '{other}' is unknown"))).or_raise(py),
        };
        let request = CommitRequest { user, identifier, mode, properties, table_identity: identity };
        let messages: Vec<_> = messages.iter().map(|message| message.0.as_ref().clone()).collect();
        let store = self.store.clone();
        let (committed, request, messages) = block_on(py, async move {
            let committed = paimon_write::commit(&store, &request, &messages).await?;
            Ok((committed, request, messages))
        })?;
        let (Committed::Snapshot(id) | Committed::Already(id)) = committed else { return Ok(None) };
        compact_written(py, &self.store, id, request, messages)?;
        Ok(Some(id))
    }

    fn compact_after(&self, py: Python<'_>, snapshot_id: i64, user: String, identity: String) -> PyResult<()> {
        let store = self.store.clone();
        let messages = block_on(py, async move { messages_of(&store, snapshot_id).await })?;
        let request = CommitRequest {
            user,
            identifier: BATCH_IDENTIFIER,
            mode: CommitMode::Append,
            properties: BTreeMap::new(),
            table_identity: identity,
        };
        compact_written(py, &self.store, snapshot_id, request, messages)
    }

    #[pyo3(signature = (*, full=false, partitions=None))]
    fn plan_compaction(
        &self,
        py: Python<'_>,
        full: bool,
        partitions: Option<Vec<BTreeMap<String, String>>>,
    ) -> PyResult<NativeCompactPlan> {
        self.view.require_writable().or_raise(py)?;
        NativeCompactPlan::make(py, self.store.clone(), full, partitions.unwrap_or_default())
    }

    fn run_compaction(&self, py: Python<'_>, task: &NativeCompactTask) -> PyResult<Vec<NativeCommitMessage>> {
        task.run(py, self.store.clone())
    }

    #[pyo3(signature = (plan, made, *, user, identity))]
    #[expect(clippy::unused_self, reason = "a method of the table, beside those that lead to it")]
    fn commit_compaction(
        &self,
        py: Python<'_>,
        plan: &NativeCompactPlan,
        made: Vec<Vec<PyRef<'_, NativeCommitMessage>>>,
        user: String,
        identity: String,
    ) -> PyResult<NativeCompacted> {
        plan.commit(py, &made, user, identity)
    }

    fn abort(&self, py: Python<'_>, messages: Vec<PyRef<'_, NativeCommitMessage>>) -> PyResult<()> {
        let messages: Vec<_> = messages.iter().map(|message| message.0.as_ref().clone()).collect();
        let store = self.store.clone();
        block_on(py, async move { paimon_write::abort(&store, &messages).await })
    }

    fn __repr__(&self) -> String {
        let pin = self.pin.as_ref().map_or(String::new(), |pin| format!(", pinned to {}", pin.state));
        format!("NativeTable(location='{}', schema_id={}{pin})", self.location(), self.store.schema().id)
    }
}
