//! Compactions: `NativeCompactPlan` holds `NativeCompactTask`s and what there is in the buckets that these touch.

mod after_commit;

use std::collections::BTreeMap;
use std::sync::Arc;

use paimon_io::{Stop, TableStore};
use paimon_spec::{CompactTask, CompactWork, Result};
use paimon_write::{
    BATCH_IDENTIFIER, BucketStats, CommitMode, CommitRequest, CompactPlan, CompactRequest, Compacted, ManifestStats,
    commit_compaction, plan_compaction, run_task,
};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};

pub(crate) use self::after_commit::{compact_after, compact_written};
use crate::commit::values;
use crate::errors::OrRaise;
use crate::runtime::{block_on, block_on_until};
use crate::table::NativeTable;
use crate::values::partition_dict;
use crate::write::NativeCommitMessage;

/// Manifests, their bytes, and the entries in them.
type Manifests = (u64, u64, u64);

fn manifests(stats: ManifestStats) -> Manifests {
    (stats.files, stats.bytes, stats.entries)
}

/// Who publishes compactions.
fn compaction_request(user: String, table_identity: String) -> CommitRequest {
    CommitRequest {
        user,
        identifier: BATCH_IDENTIFIER,
        mode: CommitMode::Append,
        properties: BTreeMap::new(),
        table_identity,
    }
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

    #[pyo3(signature = (made, *, user, identity))]
    fn commit(
        &self,
        py: Python<'_>,
        made: Vec<Vec<PyRef<'_, NativeCommitMessage>>>,
        user: String,
        identity: String,
    ) -> PyResult<NativeCompacted> {
        let made: Vec<_> = made.iter().map(|messages| values(messages)).collect();
        let request = compaction_request(user, identity);
        let (store, full) = (self.store.clone(), self.full);
        // Whether it was published would not be known after a cancellation, nor whose the files are.
        let published = async move { commit_compaction(&store, &request, &made, full).await };
        block_on_until(py, &Stop::default(), published).map(NativeCompacted)
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

    #[pyo3(signature = (table, stop=None))]
    fn run(
        &self,
        py: Python<'_>,
        table: &NativeTable,
        stop: Option<&NativeStop>,
    ) -> PyResult<Vec<NativeCommitMessage>> {
        let stop = stop.map_or_else(Stop::default, |stop| stop.0.clone());
        let store = table.store.with_stop(stop.clone());
        let memory_bytes = task_bytes(&store).or_raise(py)?;
        let task = self.0.clone();
        let messages = block_on_until(py, &stop, async move { run_task(&store, &task, Some(memory_bytes)).await })?;
        Ok(messages.into_iter().map(|message| NativeCommitMessage(Arc::new(message))).collect())
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
            CompactWork::RowGroups => "join row groups".to_owned(),
            CompactWork::Postponed { buckets: 1 } => "move to 1 bucket".to_owned(),
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

/// Ends tasks that other threads carry out: they delete what they have written, and fail.
#[pyclass(frozen, module = "pypaimon._native")]
pub(crate) struct NativeStop(Stop);

#[pymethods]
impl NativeStop {
    #[new]
    fn py_new() -> Self {
        Self(Stop::default())
    }

    fn stop(&self) {
        self.0.stop();
    }
}
