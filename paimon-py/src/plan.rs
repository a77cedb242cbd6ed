//! What planning gives: `NativePlan`, its `NativeSplit`s and their `NativeFile`s.

use std::sync::Arc;

use paimon_io::TableStore;
use paimon_scan::{Plan, ScanReport, Stage};
use paimon_spec::{DataFileMeta, DataSplit};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};

use crate::errors::OrRaise;
use crate::table::NativeTable;
use crate::values::partition_dict;

/// The splits of one snapshot that answer a request.
#[pyclass(frozen, module = "pypaimon._native")]
pub(crate) struct NativePlan {
    #[pyo3(get)]
    snapshot_id: Option<i64>,
    splits: Vec<Py<NativeSplit>>,
    report: ScanReport,
}

impl NativePlan {
    pub(crate) fn new(table: &Bound<'_, NativeTable>, plan: Option<Plan>) -> PyResult<Self> {
        let Some(plan) = plan else {
            return Ok(Self { snapshot_id: None, splits: Vec::new(), report: ScanReport::default() });
        };
        let split = |split| Py::new(table.py(), NativeSplit::new(split, table));
        Ok(Self {
            snapshot_id: plan.snapshot.map(|snapshot| snapshot.id),
            splits: plan.splits.into_iter().map(split).collect::<PyResult<_>>()?,
            report: plan.report,
        })
    }
}

#[pymethods]
impl NativePlan {
    #[getter]
    fn splits(&self, py: Python<'_>) -> Vec<Py<NativeSplit>> {
        self.splits.iter().map(|split| split.clone_ref(py)).collect()
    }

    #[getter]
    fn report<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let report = PyDict::new(py);
        let stages = [
            ("manifests", self.report.manifests),
            ("partitions", self.report.partitions),
            ("buckets", self.report.buckets),
            ("files", self.report.files),
            ("sections", self.report.sections),
            ("file_index", self.report.file_index),
        ];
        for (name, Stage { before, after }) in stages {
            report.set_item(name, (before, after))?;
        }
        report.set_item("entries_read", self.report.entries_read)?;
        report.set_item("limit_stopped", self.report.limit_stopped)?;
        Ok(report)
    }
}

/// Files of one bucket that are read together.
#[pyclass(frozen, module = "pypaimon._native")]
pub(crate) struct NativeSplit {
    pub(crate) split: Arc<DataSplit>,
    /// Shared by all splits of a plan, so that a pickle of many holds it once.
    table: Py<NativeTable>,
}

impl NativeSplit {
    pub(crate) fn new(split: DataSplit, table: &Bound<'_, NativeTable>) -> Self {
        Self { split: Arc::new(split), table: table.clone().unbind() }
    }

    fn store(&self) -> &TableStore {
        &self.table.get().store
    }
}

#[pymethods]
impl NativeSplit {
    #[new]
    fn py_new(py: Python<'_>, data: &[u8], table: &Bound<'_, NativeTable>) -> PyResult<Self> {
        Ok(Self::new(DataSplit::from_bytes(data).or_raise(py)?, table))
    }

    #[staticmethod]
    fn from_bytes(py: Python<'_>, data: &[u8], table: &Bound<'_, NativeTable>) -> PyResult<Self> {
        Self::py_new(py, data, table)
    }

    fn to_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.split.to_bytes().or_raise(py)?))
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        let py = slf.py();
        let arguments = (slf.get().to_bytes(py)?, slf.get().table.clone_ref(py));
        (slf.get_type(), arguments).into_pyobject(py)
    }

    #[getter]
    fn snapshot_id(&self) -> i64 {
        self.split.snapshot_id
    }

    #[getter]
    fn bucket(&self) -> i32 {
        self.split.bucket
    }

    #[getter]
    fn total_buckets(&self) -> Option<i32> {
        self.split.total_buckets
    }

    #[getter]
    fn row_count(&self) -> i64 {
        self.split.row_count()
    }

    #[getter]
    fn merged_row_count(&self) -> Option<i64> {
        self.split.merged_row_count()
    }

    #[getter]
    fn file_size(&self) -> i64 {
        self.split.files.iter().map(|file| file.file_size).sum()
    }

    #[getter]
    fn file_count(&self) -> usize {
        self.split.files.len()
    }

    #[getter]
    fn raw_convertible(&self) -> bool {
        self.split.raw_convertible
    }

    #[getter]
    fn files(&self, py: Python<'_>) -> PyResult<Vec<NativeFile>> {
        let deletions = self.split.deletions.iter().map(Option::is_some).chain(std::iter::repeat(false));
        self.split
            .files
            .iter()
            .zip(deletions)
            .map(|(file, has_deletions)| {
                let path = self.store().data_file_url(&self.split.bucket_path, file).or_raise(py)?;
                Ok(NativeFile::new(file, path, has_deletions))
            })
            .collect()
    }

    fn partition<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        partition_dict(py, self.store().schema(), &self.split.partition)
    }

    fn __repr__(&self) -> String {
        let (files, rows) = (self.split.files.len(), self.split.row_count());
        let (snapshot, folder) = (self.split.snapshot_id, &self.split.bucket_path);
        format!("NativeSplit(snapshot_id={snapshot}, folder='{folder}', files={files}, rows={rows})")
    }
}

/// One data file.
#[pyclass(frozen, get_all, module = "pypaimon._native")]
pub(crate) struct NativeFile {
    file_name: String,
    path: String,
    file_size: i64,
    row_count: i64,
    schema_id: i64,
    level: i32,
    has_deletions: bool,
    is_blob: bool,
}

impl NativeFile {
    pub(crate) fn new(file: &DataFileMeta, path: String, has_deletions: bool) -> Self {
        Self {
            file_name: file.file_name.clone(),
            path,
            file_size: file.file_size,
            row_count: file.row_count,
            schema_id: file.schema_id,
            level: file.level,
            has_deletions,
            is_blob: file.is_blob(),
        }
    }
}

#[pymethods]
impl NativeFile {
    fn __repr__(&self) -> String {
        format!("NativeFile(path='{}', file_size={}, row_count={})", self.path, self.file_size, self.row_count)
    }
}
