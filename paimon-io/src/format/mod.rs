//! Data files: what to read, what to write, and the choice of a format by a file's name.

mod avro;
mod batches;
mod orc;
mod parquet;
mod registry;
mod source;

use std::{fmt, ops::Range, sync::Arc};

use ::arrow::array::RecordBatch;
use async_trait::async_trait;
use futures::stream::BoxStream;
use paimon_spec::{
    ColumnStats, DataField, DataFileMeta, DeletionVector, Error, Predicate, Result, RowSet, TableSchema,
};

pub use self::registry::{FileFormat, Formats};
use crate::{Storage, TableStore};

/// Record batches that arrive one by one. Dropping it ends the read.
pub type BatchStream = BoxStream<'static, Result<RecordBatch>>;

/// What to read of one file.
#[derive(Debug, Clone)]
pub struct FileRead {
    /// Columns of the file to read, as the file's schema names and types them. Empty: only row counts.
    pub columns: Vec<DataField>,
    /// A condition over `columns`, by field id. Rows that fail it may be left out; rows may also come that fail it. Parts
    /// on other columns are ignored.
    pub predicate: Option<Predicate>,
    /// Rows to leave out, by their position in the file.
    pub deletions: Option<Arc<DeletionVector>>,
    /// Only rows at these positions in the file; `None`: all.
    pub rows: Option<Arc<RowSet>>,
    /// Stop after this many rows; deleted rows do not count, and neither do rows that are left out.
    pub limit: Option<usize>,
    /// Rows of a batch, at most.
    pub batch_rows: usize,
    /// Bytes that a batch may take, and what is fetched for the next ones, about; `None`: as much as is convenient. Of
    /// formats that can tell beforehand (Parquet, by the index of its pages).
    pub held_bytes: Option<u64>,
}

impl FileRead {
    /// Those of the positions `within` that [`Self::rows`] and [`Self::deletions`] leave, as ranges, ascending.
    pub fn wanted_rows(&self, within: Range<u64>) -> Vec<Range<u64>> {
        batches::WantedRows::of(self).within(within)
    }
}

/// A file to write.
#[derive(Debug, Clone)]
pub struct FileTarget {
    /// Folder of the file, relative to the table root.
    pub bucket_path: String,
    /// Name of the file; its extension is the format.
    pub file_name: String,
    /// Columns, in order.
    pub fields: Vec<DataField>,
    /// The table's schema, for the options: compression and its level, and which statistics are kept.
    pub schema: Arc<TableSchema>,
}

/// A data file in the making.
#[async_trait]
pub trait FileWriter: Send + fmt::Debug {
    /// Appends rows. `batch` has the Arrow schema of [`crate::arrow_schema`] for the target's fields.
    async fn write(&mut self, batch: &RecordBatch) -> Result<()>;
    /// Appends rows that the file leaves to older files of its column: they are neither a value nor NULL.
    ///
    /// # Errors
    /// `Unsupported` unless the format knows such rows.
    async fn leave_open(&mut self, rows: u64) -> Result<()> {
        Err(Error::unsupported(format!("{rows} rows left to older files, in a format that cannot say so")))
    }
    /// Size of the file so far, in bytes: what is written, and an estimate of what is buffered.
    fn bytes(&self) -> u64;
    /// Rows so far.
    fn rows(&self) -> u64;
    /// Bytes held in memory, about.
    fn memory(&self) -> u64;
    /// Makes the file appear.
    async fn finish(self: Box<Self>) -> Result<WrittenFile>;
    /// Drops what was written; the file does not appear.
    async fn abort(self: Box<Self>) -> Result<()>;
}

/// A finished data file.
#[derive(Debug, Clone, PartialEq)]
pub struct WrittenFile {
    /// Size in bytes.
    pub size: u64,
    /// Rows.
    pub rows: u64,
    /// Statistics of each column, in the order of the target's fields. Bounds are as exact as the table's statistics
    /// mode asks for; those of floats leave out NaN; nested columns have null counts only.
    pub stats: Vec<ColumnStats>,
}

/// The formats of data files that this crate reads and writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    Parquet,
    Orc,
    Avro,
}

/// The format of one file.
#[derive(Debug, Clone)]
enum Format {
    Known(Known),
    Registered(Arc<dyn FileFormat>),
}

impl Format {
    /// The format of a file by its name: the last extension, or the one before when the last names a compression.
    fn of(file_name: &str, formats: &Formats) -> Result<Self> {
        const COMPRESSIONS: [&str; 7] = ["gz", "bz2", "deflate", "snappy", "lz4", "lzo", "zst"];
        let mut extensions = file_name.rsplit('.').filter(|e| !COMPRESSIONS.contains(e));
        match extensions.next() {
            Some("parquet") => Ok(Self::Known(Known::Parquet)),
            Some("orc") => Ok(Self::Known(Known::Orc)),
            Some("avro") => Ok(Self::Known(Known::Avro)),
            Some(other) if other.len() < file_name.len() => formats.get(other).map(Self::Registered).ok_or_else(|| {
                let format = other.to_ascii_uppercase();
                Error::unsupported(format!("data files of format {format} are not supported yet"))
            }),
            _ => Err(Error::corrupt("data file name has no extension to tell its format")),
        }
        .map_err(|e| e.with_context("file", file_name))
    }
}

/// Opens a data file at `path` in `storage`.
///
/// # Errors
/// `Unsupported` naming the format; `CorruptData` when the file is not what its metadata says.
pub(crate) async fn open(
    store: &TableStore,
    storage: &Storage,
    path: &str,
    file: &DataFileMeta,
    read: &FileRead,
) -> Result<BatchStream> {
    let opened = match Format::of(&file.file_name, &store.context().formats)? {
        Format::Known(Known::Parquet) => parquet::open(&store.context().cache, storage, path, file, read).await,
        Format::Known(Known::Orc) => orc::open(store, storage, path, file, read).await,
        Format::Known(Known::Avro) => avro::open(storage, path, file, read).await,
        Format::Registered(format) => format.open(store, storage, path, file, read).await,
    };
    opened.map_err(|e| naming(e, &storage.url(path)))
}

/// The rows of a data file that `read` asks for and statistics do not rule out, by their positions.
///
/// # Errors
/// As [`open`].
pub(crate) async fn rows_in_question(
    store: &TableStore,
    storage: &Storage,
    path: &str,
    file: &DataFileMeta,
    read: &FileRead,
) -> Result<RowSet> {
    let cache = &store.context().cache;
    let rows = match Format::of(&file.file_name, &store.context().formats)? {
        Format::Known(Known::Parquet) => parquet::rows_in_question(cache, storage, path, file, read).await,
        Format::Known(Known::Orc) => orc::rows_in_question(cache, storage, path, file, read).await,
        // These keep no statistics.
        Format::Known(Known::Avro) | Format::Registered(_) => {
            let rows = u64::try_from(file.row_count)
                .map_err(|_| Error::corrupt(format!("the manifest gives the file {} rows", file.row_count)))?;
            RowSet::from_ranges(read.wanted_rows(0..rows))
        }
    };
    rows.map_err(|e| naming(e, &storage.url(path)))
}

/// The rows that a data file leaves to older files of its columns.
///
/// # Errors
/// As [`open`].
pub(crate) async fn rows_left_open(
    store: &TableStore,
    storage: &Storage,
    path: &str,
    file: &DataFileMeta,
) -> Result<RowSet> {
    match Format::of(&file.file_name, &store.context().formats)? {
        Format::Known(_) => Ok(RowSet::default()),
        Format::Registered(format) => {
            let rows = format.rows_left_open(store, storage, path, file).await;
            rows.map_err(|e| naming(e, &storage.url(path)))
        }
    }
}

/// Creates a data file at `path` in the table's folder.
///
/// # Errors
/// `Unsupported` naming the format, or a column that the format cannot hold.
pub(crate) fn create(store: &TableStore, path: &str, target: &FileTarget) -> Result<Box<dyn FileWriter>> {
    let storage = store.storage();
    let created = match Format::of(&target.file_name, &store.context().formats)? {
        Format::Known(Known::Parquet) => parquet::create(storage, path, target),
        Format::Known(Known::Orc) => orc::create(storage, path, target),
        Format::Known(Known::Avro) => avro::create(storage, path, target),
        Format::Registered(format) => format.create(store, path, target),
    };
    created.map_err(|e| naming(e, &storage.url(path)))
}

/// Adds the file's URL to an error that does not name a file yet.
fn naming(error: Error, url: &str) -> Error {
    if error.context("file").is_some() { error } else { error.with_context("file", url) }
}

/// Runs a decoder over bytes from storage. The libraries that decode files check most of what they read, but not all:
/// a damaged file may trip an assertion in them. That is an error of the file, so a panic becomes one.
fn guarded<T>(decode: impl FnOnce() -> Result<T>) -> Result<T> {
    // What the decoder held is never used again after an error: the streams end with it.
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(decode)).unwrap_or_else(|payload| {
        let text = payload.downcast_ref::<&str>().map(|s| (*s).to_owned());
        let text = text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_default();
        Err(Error::corrupt(format!("the decoder could not make sense of the file: {text}")))
    })
}

#[cfg(test)]
mod tests;
