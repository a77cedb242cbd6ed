//! Compactions: `NativeCompactPlan` holds `NativeCompactTask`s and what there is in the buckets that these touch.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::sync::Arc;

use paimon_io::TableStore;
use paimon_scan::delta_entries;
use paimon_spec::{CommitMessage, CompactTask, CompactWork, Error, FileKind, ManifestEntry, Result, TableSchema};
use paimon_write::{
    BATCH_IDENTIFIER, BucketStats, CommitMode, CommitRequest, CompactPlan, CompactRequest, Compacted, ManifestStats,
    after_commit, commit_compaction, plan_compaction, run_task,
};
use pyo3::exceptions::PyRuntimeWarning;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};

use crate::errors::OrRaise;
use crate::runtime::block_on;
use crate::values::partition_dict;
use crate::write::NativeCommitMessage;

/// Manifests, their bytes, and the entries in them.
type Manifests = (u64, u64, u64);

fn manifests(stats: ManifestStats) -> Manifests {
    (stats.files, stats.bytes, stats.entries)
}

/// Compacts what a commit has made due. Whatever happens here, its snapshot stays.
///
/// # Errors
/// `NotVisibleError` where readers see nothing of the snapshot before that is done. Elsewhere a failure is a warning.
pub(crate) fn compact_written(
    py: Python<'_>,
    store: &TableStore,
    snapshot_id: i64,
    request: CommitRequest,
    messages: Vec<CommitMessage>,
) -> PyResult<()> {
    let table = store.clone();
    let failure = block_on(py, async move {
        let mut done = after_commit(&table, &request, &messages, None).await;
        if let (Err(_), Some(newer)) = (&done, newer_schema(&table).await?) {
            done = after_commit(&newer, &request, &messages, None).await;
        }
        Ok(done.err())
    })?;
    let Some(error) = failure else { return Ok(()) };
    if store.schema().primary_keys.is_empty() || !store.options().need_lookup().or_raise(py)? {
        let text = format!(
            "the rows are committed as snapshot {snapshot_id}, but the compaction after it failed; a later commit, or \
             table.compact(), will do it: {error}"
        );
        return PyErr::warn(py, &py.get_type::<PyRuntimeWarning>(), &CString::new(text)?, 1);
    }
    Err(error.with_context("committed snapshot", snapshot_id)).or_raise(py)
}

/// The same table and options with the columns that it has got meanwhile; `None`: there are no others.
async fn newer_schema(store: &TableStore) -> Result<Option<TableStore>> {
    let latest = store.latest_schema().await?.filter(|latest| latest.id != store.schema().id);
    Ok(latest.map(|latest| {
        let options = store.schema().options.clone();
        store.with_schema(Arc::new(TableSchema { options, ..TableSchema::clone(&latest) }))
    }))
}

/// What a snapshot was made of, as far as compactions ask.
///
/// # Errors
/// `NotFound` when there is no such snapshot.
pub(crate) async fn messages_of(store: &TableStore, snapshot_id: i64) -> Result<Vec<CommitMessage>> {
    let missing = || Error::not_found(format!("Snapshot id '{snapshot_id}' doesn't exist."));
    let snapshot = store.snapshot(snapshot_id).await?.ok_or_else(missing)?;
    let added = delta_entries(store, &snapshot).await?.into_iter().filter(|entry| entry.kind == FileKind::Add);
    let message = |entry: ManifestEntry| CommitMessage {
        new_files: vec![entry.file],
        ..CommitMessage::of(entry.partition, entry.bucket, entry.total_buckets)
    };
    Ok(added.map(message).collect())
}

/// What a compaction of one snapshot is going to do.
#[pyclass(frozen, module = "pypaimon._native")]
pub(crate) struct NativeCompactPlan {
    plan: CompactPlan,
    store: TableStore,
    full: bool,
}

impl NativeCompactPlan {
    pub(crate) fn make(
        py: Python<'_>,
        store: TableStore,
        full: bool,
        partitions: Vec<BTreeMap<String, String>>,
    ) -> PyResult<Self> {
        let request = CompactRequest { full, partitions, memory_bytes: None };
        let planned = store.clone();
        let plan = block_on(py, async move { plan_compaction(&planned, &request).await })?;
        Ok(Self { plan, store, full })
    }

    /// Publishes what its tasks made.
    pub(crate) fn commit(
        &self,
        py: Python<'_>,
        made: &[Vec<PyRef<'_, NativeCommitMessage>>],
        user: String,
        identity: String,
    ) -> PyResult<NativeCompacted> {
        let made: Vec<Vec<CommitMessage>> =
            made.iter().map(|messages| messages.iter().map(|message| message.0.as_ref().clone()).collect()).collect();
        let request = CommitRequest {
            user,
            identifier: BATCH_IDENTIFIER,
            mode: CommitMode::Append,
            properties: BTreeMap::new(),
            table_identity: identity,
        };
        let (store, full) = (self.store.clone(), self.full);
        block_on(py, async move { commit_compaction(&store, &request, &made, full).await }).map(NativeCompacted)
    }
}

#[pymethods]
impl NativeCompactPlan {
    #[getter]
    fn snapshot_id(&self) -> Option<i64> {
        self.plan.snapshot_id
    }

    #[getter]
    fn tasks(&self) -> Vec<NativeCompactTask> {
        self.plan.tasks.iter().map(|task| NativeCompactTask(Arc::new(task.clone()))).collect()
    }

    #[getter]
    fn buckets(&self) -> Vec<NativeBucket> {
        let bucket = |stats: &BucketStats| NativeBucket { stats: stats.clone(), store: self.store.clone() };
        self.plan.buckets.iter().map(bucket).collect()
    }

    #[getter]
    fn manifests(&self) -> Manifests {
        manifests(self.plan.manifests)
    }

    fn __repr__(&self) -> String {
        let snapshot = self.plan.snapshot_id.map_or_else(|| "None".to_owned(), |id| id.to_string());
        format!("NativeCompactPlan(snapshot_id={snapshot}, tasks={})", self.plan.tasks.len())
    }
}

/// What there is in one bucket of one partition.
#[pyclass(frozen, module = "pypaimon._native")]
pub(crate) struct NativeBucket {
    stats: BucketStats,
    store: TableStore,
}

#[pymethods]
impl NativeBucket {
    #[getter]
    fn partition_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.stats.partition.to_metadata())
    }

    fn partition<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        partition_dict(py, self.store.schema(), &self.stats.partition)
    }

    #[getter]
    fn bucket(&self) -> i32 {
        self.stats.bucket
    }

    #[getter]
    fn file_count(&self) -> u64 {
        self.stats.files
    }

    #[getter]
    fn level_0_count(&self) -> u64 {
        self.stats.level_0_files
    }

    #[getter]
    fn file_size(&self) -> u64 {
        self.stats.bytes
    }

    #[getter]
    fn row_count(&self) -> u64 {
        self.stats.rows
    }
}

/// What a compaction came to.
#[pyclass(frozen, module = "pypaimon._native")]
pub(crate) struct NativeCompacted(Compacted);

#[pymethods]
impl NativeCompacted {
    #[getter]
    fn snapshot_id(&self) -> Option<i64> {
        self.0.snapshot
    }

    #[getter]
    fn gave_way(&self) -> Vec<usize> {
        self.0.gave_way.clone()
    }

    #[getter]
    fn manifests(&self) -> Manifests {
        manifests(self.0.manifests_after)
    }

    fn __repr__(&self) -> String {
        let snapshot = self.0.snapshot.map_or_else(|| "None".to_owned(), |id| id.to_string());
        format!("NativeCompacted(snapshot_id={snapshot}, gave_way={:?})", self.0.gave_way)
    }
}

/// A piece of a compaction, for any worker.
#[pyclass(frozen, module = "pypaimon._native")]
pub(crate) struct NativeCompactTask(Arc<CompactTask>);

impl NativeCompactTask {
    /// Carries it out.
    pub(crate) fn run(&self, py: Python<'_>, store: TableStore) -> PyResult<Vec<NativeCommitMessage>> {
        let memory_bytes = task_bytes(&store).or_raise(py)?;
        let task = self.0.clone();
        let messages = block_on(py, async move { run_task(&store, &task, Some(memory_bytes)).await })?;
        Ok(messages.into_iter().map(|message| NativeCommitMessage(Arc::new(message))).collect())
    }
}

/// Memory for the rows of one task: each processor may have one, and together they have what a writer has.
fn task_bytes(store: &TableStore) -> Result<u64> {
    let processors = std::thread::available_parallelism().map_or(1, |count| count.get() as u64);
    Ok(store.options().write_buffer_bytes()? / processors)
}

#[pymethods]
impl NativeCompactTask {
    #[new]
    fn py_new(py: Python<'_>, data: &[u8]) -> PyResult<Self> {
        Ok(Self(Arc::new(CompactTask::from_bytes(data).or_raise(py)?)))
    }

    #[staticmethod]
    fn from_bytes(py: Python<'_>, data: &[u8]) -> PyResult<Self> {
        Self::py_new(py, data)
    }

    fn to_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.0.to_bytes().or_raise(py)?))
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        (slf.get_type(), (slf.get().to_bytes(slf.py())?,)).into_pyobject(slf.py())
    }

    /// The partition's row in the form that manifests hold.
    #[getter]
    fn partition<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.partition().to_metadata())
    }

    #[getter]
    fn bucket(&self) -> i32 {
        self.0.bucket()
    }

    #[getter]
    fn work(&self) -> String {
        match self.0.work {
            CompactWork::Keyed(work) => format!("merge to level {}", work.output_level),
            CompactWork::Append => "join small files".to_owned(),
            CompactWork::Postponed { buckets } => format!("move to {buckets} buckets"),
        }
    }

    #[getter]
    fn file_count(&self) -> usize {
        self.0.files.files.len()
    }

    #[getter]
    fn file_size(&self) -> u64 {
        self.0.input_bytes()
    }

    fn __repr__(&self) -> String {
        let (bucket, files, work) = (self.0.bucket(), self.file_count(), self.work());
        format!("NativeCompactTask(bucket={bucket}, files={files}, work='{work}')")
    }
}
