//! Blobs: the form in which reads give them, their bytes by reference, and streams over single ones.

use std::collections::BTreeMap;
use std::io::SeekFrom;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use futures::future::BoxFuture;
use futures::{FutureExt, TryStreamExt};
use paimon_blob::{
    BlobDescriptor, BlobForm, BlobReference, BlobReferences, BlobSource, BlobStream, BlobView, FetchLimits, Presenter,
    Trust, fetch,
};
use paimon_io::TableStore;
use paimon_spec::{DataField, Error, FieldId, Result};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use pyo3_arrow::error::PyArrowError;
use tokio::sync::Mutex;

use crate::blob_views::CatalogViews;
use crate::context::adapt_context;
use crate::errors::OrRaise;
use crate::leaving::outside;
use crate::runtime::{Home, Process, block_on, caught};
use crate::stream::NativeBatch;

/// What a read makes of BLOB columns: `form` is `bytes`, `descriptors` or `files`, or what the table's option
/// `blob-as-descriptor` says. `None` when there is no such column.
///
/// # Errors
/// `InvalidInput` for another form, and what [`Presenter::new`] gives.
pub(crate) fn presenter(
    store: &TableStore,
    catalog_options: &BTreeMap<String, String>,
    fields: &[DataField],
    form: Option<&str>,
    io_config: Option<Vec<u8>>,
) -> Result<Option<Presenter>> {
    if !fields.iter().any(|field| field.data_type.is_blob()) {
        return Ok(None);
    }
    let form = match form {
        Some("bytes") => BlobForm::Bytes(FetchLimits::of(store)?),
        Some("descriptors") => BlobForm::Descriptors,
        Some("files") => BlobForm::Files { io_config: io_config.map(Arc::from) },
        None if store.options().blob_as_descriptor()? => BlobForm::Descriptors,
        None => BlobForm::Bytes(FetchLimits::of(store)?),
        Some(other) => {
            return Err(Error::invalid(format!(
                "expected 'bytes', 'descriptors' or 'files' for blobs, found '{other}'"
            )));
        }
    };
    presenter_of(store, catalog_options, fields, form)
}

/// [`presenter`] of bytes, each batch of which stays whole, however many these are.
pub(crate) fn whole_presenter(
    store: &TableStore,
    catalog_options: &BTreeMap<String, String>,
    fields: &[DataField],
) -> Result<Option<Presenter>> {
    let limits = FetchLimits::of(store)?.with_bytes(u64::MAX);
    presenter_of(store, catalog_options, fields, BlobForm::Bytes(limits))
}

fn presenter_of(
    store: &TableStore,
    catalog_options: &BTreeMap<String, String>,
    fields: &[DataField],
    form: BlobForm,
) -> Result<Option<Presenter>> {
    let views = match store.options().blob_view_resolve_enabled()? {
        true => Some(Arc::new(CatalogViews::new(catalog_options.clone(), store.context().clone())) as _),
        false => None,
    };
    Presenter::new(store, fields, form, views)
}

/// The bytes that File values point at, as one column `bytes` of as many rows; they are the caller's own.
pub(crate) fn fetch_blobs(
    py: Python<'_>,
    store: &TableStore,
    files: &ArrayRef,
    max_concurrency: usize,
    column: &str,
) -> PyResult<NativeBatch> {
    let column = column.to_owned();
    let named = move |error: Error| if column.is_empty() { error } else { error.with_context("column", &column) };
    let references = BlobReferences::from_array(files).map_err(&named).or_raise(py)?;
    let source = BlobSource::of(store).or_raise(py)?;
    // Whoever asks knows how much it is: one column, which nobody has to join.
    let limits = FetchLimits::of(store).or_raise(py)?.with_in_flight(max_concurrency).with_bytes(u64::MAX);
    let fetched = block_on(py, async move {
        let mut batches = fetch(&source, references, Trust::Caller, limits);
        let fetched = batches.try_next().await.map_err(named)?;
        fetched.ok_or_else(|| Error::internal("paimon-blob", "a fetch gave no batch"))
    })?;
    let batch = RecordBatch::try_from_iter_with_nullable([("bytes", Arc::new(fetched) as ArrayRef, true)]);
    Ok(NativeBatch(batch.map_err(PyArrowError::from)?))
}

/// A seekable stream over one blob.
#[pyclass(frozen, module = "pypaimon._native")]
pub(crate) struct NativeBlobStream {
    home: Home,
    is_local: bool,
    /// `None`: closed.
    stream: Arc<Mutex<Option<BlobStream>>>,
}

impl NativeBlobStream {
    pub(crate) fn open(
        py: Python<'_>,
        source: &BlobSource,
        url: &str,
        position: Option<u64>,
        size: Option<u64>,
    ) -> PyResult<Self> {
        let (source, url) = (source.clone(), url.to_owned());
        let opened = async move {
            let reference = BlobReference { url: &url, position: position.unwrap_or(0), size };
            BlobStream::open(&source, reference, Trust::Caller).await
        };
        // The caller's own word is not looked up, so nothing waits.
        let stream = here_if_ready(py, opened)?;
        let is_local = stream.is_local();
        Ok(Self { home: Home::here(), is_local, stream: Arc::new(Mutex::new(Some(stream))) })
    }

    /// Does something with the stream: right here for files of this machine, which take no longer than a system call.
    fn with<T: Send + 'static>(
        &self,
        py: Python<'_>,
        work: impl for<'a> FnOnce(&'a mut BlobStream) -> BoxFuture<'a, Result<T>> + Send + 'static,
    ) -> PyResult<T> {
        self.home.check("blob stream")?;
        let stream = Arc::clone(&self.stream);
        let done = async move {
            let mut stream = stream.lock_owned().await;
            let stream = stream.as_mut().ok_or_else(|| Error::invalid("this blob stream is closed"))?;
            work(stream).await
        };
        if self.is_local { here_if_ready(py, done) } else { block_on(py, done) }
    }
}

/// Does on this thread what need not wait, such as reading a local file, and hands the rest to the runtime: a trip there
/// and back takes longer than a small read.
fn here_if_ready<T, F>(py: Python<'_>, work: F) -> PyResult<T>
where
    T: Send + 'static,
    F: Future<Output = Result<T>> + Send + 'static,
{
    let mut work = Box::pin(caught(work));
    match outside(py, || work.as_mut().now_or_never()) {
        Some(done) => done.or_raise(py),
        None => block_on(py, work),
    }
}

#[pymethods]
impl NativeBlobStream {
    #[pyo3(signature = (size=-1))]
    fn read<'py>(&self, py: Python<'py>, size: i64) -> PyResult<Bound<'py, PyBytes>> {
        let most = u64::try_from(size).unwrap_or(u64::MAX);
        let bytes = self.with(py, move |stream| Box::pin(stream.read(most)))?;
        Ok(PyBytes::new(py, &bytes))
    }

    #[pyo3(signature = (position, whence=0))]
    fn seek(&self, py: Python<'_>, position: i64, whence: i32) -> PyResult<u64> {
        let start =
            || u64::try_from(position).map_err(|_| Error::invalid(format!("negative seek position {position}")));
        let to = match whence {
            0 => start().map(SeekFrom::Start),
            1 => Ok(SeekFrom::Current(position)),
            2 => Ok(SeekFrom::End(position)),
            other => Err(Error::invalid(format!("expected 0, 1 or 2 for whence, found {other}"))),
        };
        let to = to.or_raise(py)?;
        self.with(py, move |stream| Box::pin(stream.seek(to)))
    }

    fn tell(&self, py: Python<'_>) -> PyResult<u64> {
        self.with(py, |stream| Box::pin(futures::future::ok(stream.position())))
    }

    #[getter]
    fn size(&self, py: Python<'_>) -> PyResult<u64> {
        self.with(py, |stream| Box::pin(stream.size()))
    }

    fn close(&self, py: Python<'_>) {
        outside(py, || *self.stream.blocking_lock() = None);
    }
}

/// A stream over a file of any place that `options` open.
#[pyfunction]
#[pyo3(signature = (options, url, position=None, size=None))]
pub(crate) fn open_file(
    py: Python<'_>,
    options: BTreeMap<String, String>,
    url: &str,
    position: Option<u64>,
    size: Option<u64>,
) -> PyResult<NativeBlobStream> {
    let context = adapt_context(py, Process::current()?.context(), |_| None)?;
    NativeBlobStream::open(py, &BlobSource::anywhere(options, context), url, position, size)
}

/// The bytes of a descriptor; -1 is a length up to the end.
#[pyfunction]
pub(crate) fn encode_descriptor(py: Python<'_>, uri: &str, offset: i64, length: i64) -> PyResult<Vec<u8>> {
    let wrong = || Error::invalid(format!("expected a range of bytes, found offset {offset} and length {length}"));
    let offset = u64::try_from(offset).map_err(|_| wrong()).or_raise(py)?;
    let length = match length {
        -1 => None,
        length => Some(u64::try_from(length).map_err(|_| wrong()).or_raise(py)?),
    };
    Ok(BlobDescriptor { uri, offset, length }.encode())
}

/// Version, URI, offset and length of a descriptor.
#[pyfunction]
pub(crate) fn decode_descriptor(py: Python<'_>, data: &[u8]) -> PyResult<(u8, String, u64, i64)> {
    let BlobDescriptor { uri, offset, length } = BlobDescriptor::decode(data).or_raise(py)?;
    let version = data.first().copied().unwrap_or_default();
    Ok((version, uri.to_owned(), offset, length.map_or(-1, u64::cast_signed)))
}

/// Whether bytes are a descriptor.
#[pyfunction]
pub(crate) fn looks_like_descriptor(data: &[u8]) -> bool {
    BlobDescriptor::looks_like(data)
}

/// The bytes of a view.
#[pyfunction]
pub(crate) fn encode_view(table: &str, field_id: FieldId, row_id: i64) -> Vec<u8> {
    BlobView { table, field: field_id, row_id }.encode()
}

/// Table, field and row of a view.
#[pyfunction]
pub(crate) fn decode_view(py: Python<'_>, data: &[u8]) -> PyResult<(String, FieldId, i64)> {
    let BlobView { table, field, row_id } = BlobView::decode(data).or_raise(py)?;
    Ok((table.to_owned(), field, row_id))
}
