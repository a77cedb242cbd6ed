//! Writing: `NativeWriter` takes batches, `NativeCommitMessage` says what it wrote.

use std::sync::Arc;

use paimon_io::TableStore;
use paimon_spec::{CommitMessage, DataFileMeta, Error};
use paimon_write::{TableWriter, WriteOptions};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};
use pyo3_arrow::error::PyArrowError;
use pyo3_arrow::input::AnyRecordBatch;
use tokio::sync::Mutex;

use crate::errors::OrRaise;
use crate::leaving::outside;
use crate::plan::NativeFile;
use crate::runtime::{Home, block_on};

/// A writer of one table. Threads may share it: one writes at a time.
#[pyclass(frozen, module = "pypaimon._native")]
pub(crate) struct NativeWriter {
    home: Home,
    state: Arc<Mutex<State>>,
}

/// A writer, and whether a write into it did not come to its end.
struct State {
    writer: Option<TableWriter>,
    broken: bool,
}

impl State {
    fn open(&mut self) -> Result<&mut TableWriter, Error> {
        if self.broken {
            return Err(Error::invalid("an earlier write of this writer failed; abort it and start a new one"));
        }
        self.writer.as_mut().ok_or_else(closed)
    }
}

fn closed() -> Error {
    Error::invalid("this writer has prepared its commit or was closed; start a new one")
}

impl NativeWriter {
    pub(crate) fn open(py: Python<'_>, store: TableStore, options: WriteOptions) -> PyResult<Self> {
        let writer = block_on(py, async move { TableWriter::open(store, options).await })?;
        let state = State { writer: Some(writer), broken: false };
        Ok(Self { home: Home::here(), state: Arc::new(Mutex::new(state)) })
    }
}

#[pymethods]
impl NativeWriter {
    fn write(&self, py: Python<'_>, batch: AnyRecordBatch) -> PyResult<()> {
        self.home.check("writer")?;
        let mut batches = batch.into_reader()?;
        // The next batch may come from Python code: that takes the GIL again for itself.
        while let Some(batch) = outside(py, || batches.next()) {
            let batch = batch.map_err(PyArrowError::from)?;
            let state = self.state.clone();
            block_on(py, async move {
                let mut state = state.lock_owned().await;
                state.open()?;
                // Stays so when this task is cancelled in the middle.
                state.broken = true;
                let Some(writer) = &mut state.writer else { return Err(closed()) };
                writer.write(&batch).await?;
                state.broken = false;
                Ok(())
            })?;
        }
        Ok(())
    }

    fn prepare_commit(&self, py: Python<'_>) -> PyResult<Vec<NativeCommitMessage>> {
        self.home.check("writer")?;
        let state = self.state.clone();
        let messages = block_on(py, async move {
            let mut state = state.lock_owned().await;
            state.open()?;
            state.writer.take().ok_or_else(closed)?.prepare_commit().await
        })?;
        Ok(messages.into_iter().map(|message| NativeCommitMessage(Arc::new(message))).collect())
    }

    fn abort(&self, py: Python<'_>) -> PyResult<()> {
        self.home.check("writer")?;
        let state = self.state.clone();
        block_on(py, async move {
            match state.lock_owned().await.writer.take() {
                Some(writer) => writer.abort().await,
                None => Ok(()),
            }
        })
    }
}

/// What a writer prepared for one bucket of one partition.
#[pyclass(frozen, module = "pypaimon._native")]
pub(crate) struct NativeCommitMessage(pub(crate) Arc<CommitMessage>);

#[pymethods]
impl NativeCommitMessage {
    #[new]
    fn py_new(py: Python<'_>, data: &[u8]) -> PyResult<Self> {
        Ok(Self(Arc::new(CommitMessage::from_bytes(data).or_raise(py)?)))
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
        PyBytes::new(py, &self.0.partition.to_metadata())
    }

    #[getter]
    fn bucket(&self) -> i32 {
        self.0.bucket
    }

    #[getter]
    fn new_files(&self) -> Vec<NativeFile> {
        native_files(&self.0.new_files)
    }

    #[getter]
    fn compact_before(&self) -> Vec<NativeFile> {
        native_files(&self.0.compact_before)
    }

    #[getter]
    fn compact_after(&self) -> Vec<NativeFile> {
        native_files(&self.0.compact_after)
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn __repr__(&self) -> String {
        format!("NativeCommitMessage(bucket={}, new_files={})", self.0.bucket, self.0.new_files.len())
    }
}

fn native_files(files: &[DataFileMeta]) -> Vec<NativeFile> {
    let path = |file: &DataFileMeta| file.external_path.clone().unwrap_or_else(|| file.file_name.clone());
    files.iter().map(|file| NativeFile::new(file, path(file), false)).collect()
}
