//! Reading: tasks that fill a bounded channel, and the stream that Python (or any Arrow consumer) empties.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arrow::array::{RecordBatch, StructArray};
use arrow::datatypes::{DataType, Field, SchemaRef};
use arrow::error::ArrowError;
use futures::StreamExt;
use paimon_blob::Presenter;
use paimon_io::TableStore;
use paimon_merge::ReadRequest;
use paimon_spec::{DataSplit, Error, ErrorKind, Result};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyTuple};
use pyo3_arrow::ffi::{ArrayIterator, ArrayReader, to_array_pycapsules, to_schema_pycapsule, to_stream_pycapsule};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::errors::{OrRaise, to_py_err};
use crate::leaving::outside;
use crate::runtime::{Home, Process, SLICE, block_on, caught, interruption, panic_error};

/// Batches that wait between the tasks and the consumer.
const READ_AHEAD_BATCHES: usize = 2;

/// What to read.
pub(crate) struct Reading {
    pub(crate) store: TableStore,
    pub(crate) splits: Vec<Arc<DataSplit>>,
    pub(crate) request: ReadRequest,
    /// Arrow schema of the batches.
    pub(crate) schema: SchemaRef,
    /// Gives BLOB columns their form; `None` when there are none.
    pub(crate) presenter: Option<Presenter>,
    /// Splits that are read at the same time, at least 1.
    pub(crate) parallelism: usize,
}

impl Reading {
    /// A stream of batches as they become ready; with parallelism 1, in the order of the splits.
    pub(crate) fn stream(self) -> PyResult<NativeStream> {
        let process = Process::current()?;
        let (sender, receiver) = mpsc::channel(READ_AHEAD_BATCHES);
        let schema = self.schema.clone();
        let remaining = self.request.limit;
        let workers = self.workers();
        let reading = Arc::new(self);
        let next = Arc::new(AtomicUsize::new(0));
        let tasks = (0..workers).map(|_| {
            let (reading, next, sender, busy) = (reading.clone(), next.clone(), sender.clone(), process.busy());
            let task = process.handle().spawn(async move {
                let _busy = busy;
                if let Err(error) = caught(reading.work(&next, &sender)).await {
                    // A consumer that is gone does not want the error either.
                    let _ = sender.send(Err(error)).await;
                }
            });
            task.abort_handle()
        });
        let tasks = Arc::new(Tasks { handles: tasks.collect(), cut_short: AtomicBool::new(false) });
        let source = Source::Live { receiver, remaining, tasks: tasks.clone() };
        Ok(NativeStream { schema, home: Home::here(), source: Mutex::new(Some(source)), tasks })
    }

    /// Everything, in the order of the splits.
    pub(crate) fn collect(self, py: Python<'_>) -> PyResult<NativeStream> {
        let schema = self.schema.clone();
        let limit = self.request.limit;
        let workers = self.workers();
        let batches = block_on(py, async move {
            let reading = Arc::new(self);
            let next = Arc::new(AtomicUsize::new(0));
            let (sender, mut receiver) = mpsc::channel(READ_AHEAD_BATCHES.max(workers));
            let mut tasks = tokio::task::JoinSet::new();
            for _ in 0..workers {
                let (reading, next, sender) = (reading.clone(), next.clone(), sender.clone());
                tasks.spawn(async move {
                    if let Err(error) = caught(reading.work(&next, &sender)).await {
                        let _ = sender.send(Err(error)).await;
                    }
                });
            }
            drop(sender);
            let mut parts = vec![Vec::new(); reading.splits.len()];
            while let Some(received) = receiver.recv().await {
                let (index, batch) = received?;
                if let Some(part) = parts.get_mut(index) {
                    part.push(batch);
                }
            }
            Ok(parts.into_iter().flatten().collect::<VecDeque<RecordBatch>>())
        })?;
        let source = Source::Collected { batches, remaining: limit };
        Ok(NativeStream { schema, home: Home::here(), source: Mutex::new(Some(source)), tasks: Arc::default() })
    }

    /// The number of rows, without handing them out.
    pub(crate) fn count(self, py: Python<'_>) -> PyResult<u64> {
        let workers = self.workers();
        block_on(py, async move {
            let reading = Arc::new(self);
            let next = Arc::new(AtomicUsize::new(0));
            let mut tasks = tokio::task::JoinSet::new();
            for _ in 0..workers {
                let (reading, next) = (reading.clone(), next.clone());
                tasks.spawn(async move { caught(reading.count_some(&next)).await });
            }
            let mut rows = 0;
            while let Some(counted) = tasks.join_next().await {
                let gone = |error| Error::internal("paimon-py", "a task that counts is gone").with_source(error);
                rows += counted.map_err(gone)??;
            }
            Ok(rows)
        })
    }

    /// Rows of split after split, as `next` hands them out.
    async fn count_some(&self, next: &AtomicUsize) -> Result<u64> {
        let mut rows = 0;
        while let Some(split) = self.splits.get(next.fetch_add(1, Ordering::Relaxed)) {
            let opened = paimon_merge::read(&self.store, split, &self.request).await;
            let mut read = self.named(split, opened).await?;
            while let Some(batch) = read.next().await {
                rows += self.named(split, batch).await?.num_rows() as u64;
            }
        }
        Ok(rows)
    }

    /// A limit is reached soonest by one reader that stops there.
    fn workers(&self) -> usize {
        if self.request.limit.is_some() { 1 } else { self.parallelism.clamp(1, self.splits.len().max(1)) }
    }

    /// Reads split after split, as `next` hands them out, and sends the batches with their split's position.
    async fn work(&self, next: &AtomicUsize, batches: &mpsc::Sender<Result<(usize, RecordBatch)>>) -> Result<()> {
        let mut request = self.request.clone();
        while request.limit != Some(0) {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(split) = self.splits.get(index) else { return Ok(()) };
            let opened = paimon_merge::read(&self.store, split, &request).await;
            let mut read = self.named(split, opened).await?;
            if let Some(presenter) = &self.presenter {
                read = presenter.present(read);
            }
            while let Some(batch) = read.next().await {
                let batch = self.named(split, batch).await?;
                if let Some(limit) = &mut request.limit {
                    *limit = limit.saturating_sub(batch.num_rows());
                }
                if batches.send(Ok((index, batch))).await.is_err() {
                    // The consumer is gone.
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// A missing file of a snapshot that has been expired is told as that.
    async fn named<T>(&self, split: &DataSplit, result: Result<T>) -> Result<T> {
        let error = match result {
            Err(error) if error.kind() == ErrorKind::NotFound => error,
            other => return other,
        };
        if self.store.storage().exists(&self.store.paths().snapshot(split.snapshot_id)).await? {
            return Err(error);
        }
        Err(Error::not_found(format!(
            "snapshot {id} was expired while it was being read; read again to see the latest snapshot, or keep it: \
             create a tag on it, or raise 'snapshot.time-retained' and 'snapshot.num-retained.min'",
            id = split.snapshot_id
        ))
        .with_context("expired snapshot", split.snapshot_id)
        .with_source(error))
    }
}

/// Tasks that end when this is dropped.
#[derive(Default)]
struct Tasks {
    handles: Vec<AbortHandle>,
    /// Whether they were ended before they had read everything, so that the end of the batches is not the end of the
    /// rows.
    cut_short: AtomicBool,
}

impl Tasks {
    fn abort(&self) {
        self.cut_short.store(true, Ordering::Release);
        self.handles.iter().for_each(AbortHandle::abort);
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.abort();
    }
}

/// Where a stream's batches come from.
enum Source {
    Live { receiver: mpsc::Receiver<Result<(usize, RecordBatch)>>, remaining: Option<usize>, tasks: Arc<Tasks> },
    Collected { batches: VecDeque<RecordBatch>, remaining: Option<usize> },
}

/// What a wait on a [`Source`] gave.
enum Next {
    Batch(RecordBatch),
    End,
    Failed(Error),
    /// Nothing yet.
    Pending,
}

impl Source {
    /// The next batch with rows, waiting as long as it takes; runs on the consumer's thread, without Python.
    fn wait(&mut self) -> Next {
        loop {
            let received = match self {
                Self::Live { receiver, .. } => receiver.blocking_recv().map(unnumbered),
                Self::Collected { batches, .. } => batches.pop_front().map(Ok),
            };
            if let Some(next) = self.limited(received) {
                return next;
            }
        }
    }

    /// Like [`Self::wait`], for at most `time`.
    fn wait_for(&mut self, handle: &Handle, time: Duration) -> Next {
        loop {
            let received = match self {
                Self::Live { receiver, .. } => match receiver.try_recv() {
                    Ok(batch) => Some(unnumbered(batch)),
                    Err(mpsc::error::TryRecvError::Disconnected) => None,
                    Err(mpsc::error::TryRecvError::Empty) => {
                        match handle.block_on(async { tokio::time::timeout(time, receiver.recv()).await }) {
                            Ok(received) => received.map(unnumbered),
                            Err(_) => return Next::Pending,
                        }
                    }
                },
                Self::Collected { batches, .. } => batches.pop_front().map(Ok),
            };
            if let Some(next) = self.limited(received) {
                return next;
            }
        }
    }

    fn cut_short(&self) -> bool {
        matches!(self, Self::Live { tasks, .. } if tasks.cut_short.load(Ordering::Acquire))
    }

    /// Cuts at the limit; `None` for an empty batch.
    fn limited(&mut self, received: Option<Result<RecordBatch>>) -> Option<Next> {
        if matches!(self, Self::Live { remaining: Some(0), .. } | Self::Collected { remaining: Some(0), .. }) {
            return Some(Next::End);
        }
        let batch = match received {
            None if self.cut_short() => return Some(Next::Failed(cut_short())),
            None => return Some(Next::End),
            Some(Err(error)) => return Some(Next::Failed(error)),
            Some(Ok(batch)) if batch.num_rows() == 0 => return None,
            Some(Ok(batch)) => batch,
        };
        let (Self::Live { remaining, .. } | Self::Collected { remaining, .. }) = self;
        let Some(rows) = remaining else { return Some(Next::Batch(batch)) };
        let kept = batch.num_rows().min(*rows);
        *rows -= kept;
        Some(Next::Batch(batch.slice(0, kept)))
    }
}

fn cut_short() -> Error {
    Error::invalid("this reader was closed or interrupted before its end; read again to get a new one")
}

fn unnumbered(received: Result<(usize, RecordBatch)>) -> Result<RecordBatch> {
    received.map(|(_, batch)| batch)
}

/// Batches of a read, given once: through the Arrow C stream interface or one by one.
#[pyclass(frozen, module = "pypaimon._native")]
pub(crate) struct NativeStream {
    schema: SchemaRef,
    home: Home,
    source: Mutex<Option<Source>>,
    tasks: Arc<Tasks>,
}

impl NativeStream {
    /// Waits for the next batch without Python.
    fn wait_for(&self, handle: &Handle, time: Duration) -> Next {
        let mut source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
        let next = match source.as_mut() {
            Some(source) => source.wait_for(handle, time),
            None if self.tasks.cut_short.load(Ordering::Acquire) => return Next::Failed(cut_short()),
            None => return Next::End,
        };
        if matches!(next, Next::End | Next::Failed(_)) {
            *source = None;
        }
        next
    }
}

#[pymethods]
impl NativeStream {
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyCapsule>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        self.home.check("reader")?;
        let taken = outside(py, || self.source.lock().unwrap_or_else(PoisonError::into_inner).take());
        let used = || Error::invalid("this reader was consumed or closed; read again to get a new one");
        let mut source = taken.ok_or_else(used).or_raise(py)?;
        let field = Arc::new(Field::new_struct("", self.schema.fields().clone(), false));
        let field = Arc::new(Field::clone(&field).with_metadata(self.schema.metadata().clone()));
        let mut done = false;
        let batches = std::iter::from_fn(move || {
            if done {
                return None;
            }
            // A panic must not cross the C interface.
            let next = catch_unwind(AssertUnwindSafe(|| source.wait()))
                .unwrap_or_else(|panic| Next::Failed(panic_error(panic.as_ref())));
            match next {
                Next::Batch(batch) => Some(Ok(Arc::new(StructArray::from(batch)) as _)),
                Next::End | Next::Pending => {
                    done = true;
                    None
                }
                Next::Failed(error) => {
                    done = true;
                    Some(Err(c_error(&error)))
                }
            }
        });
        let reader: Box<dyn ArrayReader + Send> = Box::new(ArrayIterator::new(batches, field));
        Ok(to_stream_pycapsule(py, reader, requested_schema)?)
    }

    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        Ok(to_schema_pycapsule(py, self.schema.as_ref())?)
    }

    fn read_next(&self, py: Python<'_>) -> PyResult<Option<NativeBatch>> {
        self.home.check("reader")?;
        let handle = Process::current()?.handle();
        loop {
            match outside(py, || self.wait_for(handle, SLICE)) {
                Next::Batch(batch) => return Ok(Some(NativeBatch(batch))),
                Next::End => return Ok(None),
                Next::Failed(error) => return Err(to_py_err(py, &error)),
                Next::Pending => {
                    if let Some(interrupt) = interruption(py) {
                        self.tasks.abort();
                        return Err(interrupt);
                    }
                }
            }
        }
    }

    fn close(&self, py: Python<'_>) {
        // First the tasks: that wakes a thread which waits in `read_next` and holds the lock.
        self.tasks.abort();
        outside(py, || self.source.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<NativeBatch>> {
        self.read_next(py)
    }
}

/// The error as Arrow's C interface takes it: by number and text, which ends at the first NUL.
fn c_error(error: &Error) -> ArrowError {
    let text = error.to_string().replace('\0', "\\0");
    match error.kind() {
        ErrorKind::Unsupported => ArrowError::NotYetImplemented(text),
        ErrorKind::Storage | ErrorKind::NotFound | ErrorKind::PermissionDenied => {
            ArrowError::IoError(text.clone(), std::io::Error::other(text))
        }
        _ => ArrowError::InvalidArgumentError(text),
    }
}

/// One record batch, for any library that speaks the Arrow C data interface.
#[pyclass(frozen, module = "pypaimon._native")]
pub(crate) struct NativeBatch(pub(crate) RecordBatch);

#[pymethods]
impl NativeBatch {
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_array__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyCapsule>>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let schema = self.0.schema();
        let field = Field::new("", DataType::Struct(schema.fields().clone()), false);
        let field = Arc::new(field.with_metadata(schema.metadata().clone()));
        Ok(to_array_pycapsules(py, field, &StructArray::from(self.0.clone()), requested_schema)?)
    }

    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        Ok(to_schema_pycapsule(py, self.0.schema().as_ref())?)
    }

    #[getter]
    fn num_rows(&self) -> usize {
        self.0.num_rows()
    }
}
