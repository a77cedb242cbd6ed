//! Data files: what to read, what to write, and the choice of a format by a file's name.

mod avro;
mod batches;
mod orc;
mod parquet;
mod source;

use std::{fmt, sync::Arc};

use ::arrow::array::RecordBatch;
use async_trait::async_trait;
use futures::stream::BoxStream;
use paimon_spec::{
    ColumnStats, DataField, DataFileMeta, DeletionVector, Error, Predicate, Result, RowSet, TableSchema,
};

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

/// The formats of data files that this build reads and writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Parquet,
    Orc,
    Avro,
}

impl Format {
    /// The format of a file by its name: the last extension, or the one before when the last names a compression.
    fn of(file_name: &str) -> Result<Self> {
        const COMPRESSIONS: [&str; 7] = ["gz", "bz2", "deflate", "snappy", "lz4", "lzo", "zst"];
        let mut extensions = file_name.rsplit('.').filter(|e| !COMPRESSIONS.contains(e));
        match extensions.next() {
            Some("parquet") => Ok(Self::Parquet),
            Some("orc") => Ok(Self::Orc),
            Some("avro") => Ok(Self::Avro),
            Some(other) if other.len() < file_name.len() => {
                let format = other.to_ascii_uppercase();
                Err(Error::unsupported(format!("data files of format {format} are not supported yet")))
            }
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
    let opened = match Format::of(&file.file_name)? {
        Format::Parquet => parquet::open(&store.context().cache, storage, path, file, read).await,
        Format::Orc => orc::open(store, storage, path, file, read).await,
        Format::Avro => avro::open(storage, path, file, read).await,
    };
    opened.map_err(|e| naming(e, &storage.url(path)))
}

/// Creates a data file at `path` in `storage`.
///
/// # Errors
/// `Unsupported` naming the format, or a column that the format cannot hold.
pub(crate) fn create(storage: &Storage, path: &str, target: &FileTarget) -> Result<Box<dyn FileWriter>> {
    let created = match Format::of(&target.file_name)? {
        Format::Parquet => parquet::create(storage, path, target),
        Format::Orc => orc::create(storage, path, target),
        Format::Avro => avro::create(storage, path, target),
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
