//! One file after another, each about as large as wanted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::RecordBatch;
use paimon_io::{FileTarget, FileWriter, TableStore, WrittenFile, index_file_name};
use paimon_spec::{Result, TableSchema};

use crate::blob_sizes::rows_that_reach;
use crate::file_index::{FileIndexes, IndexLayout, WrittenIndex};
use crate::key_value::{KeyedColumns, KeyedSummary};

/// Rows written between two looks at a file's size, at least (Java: 1,000).
const LEAST_ROWS_BETWEEN_CHECKS: u64 = 1_000;

/// When a file is full.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FileLimits {
    pub(crate) target_bytes: u64,
    pub(crate) target_rows: u64,
    /// How often its size is looked at.
    pub(crate) pace: Pace,
}

impl FileLimits {
    /// Never.
    pub(crate) const NONE: Self = Self { target_bytes: u64::MAX, target_rows: u64::MAX, pace: Pace::Rows };
}

/// How often the size of a file is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// After many rows, as these are small.
    Rows,
    /// After each value of the BLOB column that is all the file has.
    Blobs,
}

/// Names of new data files: `<prefix><id>-<n><suffix>`, with one id for a whole writer.
#[derive(Debug, Clone)]
pub(crate) struct FileNames {
    prefix: String,
    suffix: String,
    next: Arc<AtomicU64>,
}

impl FileNames {
    /// Names of files whose format and compression are those of the options of `schema`.
    pub(crate) fn of(store: &TableStore, schema: &TableSchema, prefix: &str) -> Result<Self> {
        let options = schema.table_options();
        let format = options.file_format()?;
        let suffix = if options.get("file.suffix.include.compression") == Some("true") {
            format!(".{}.{format}", options.file_compression()?)
        } else {
            format!(".{format}")
        };
        let prefix = format!("{prefix}{}-", store.context().clock.unique_id());
        Ok(Self { prefix, suffix, next: Arc::default() })
    }

    /// Names of the same writer for files that end otherwise.
    pub(crate) fn ending_with(&self, suffix: &str) -> Self {
        Self { suffix: suffix.to_owned(), ..self.clone() }
    }

    fn next(&self) -> String {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        format!("{}{number}{}", self.prefix, self.suffix)
    }
}

/// A complete file.
pub(crate) struct FinishedFile {
    pub(crate) name: String,
    pub(crate) written: WrittenFile,
    pub(crate) index: Option<WrittenIndex>,
    /// Of files of primary-key tables.
    pub(crate) keyed: Option<KeyedSummary>,
}

struct OpenFile {
    name: String,
    writer: Box<dyn FileWriter>,
    indexes: Option<FileIndexes>,
    keyed: Option<KeyedSummary>,
}

/// What the files of a table get besides their rows.
#[derive(Debug, Clone, Default)]
pub(crate) struct FileExtras {
    pub(crate) indexes: Option<Arc<IndexLayout>>,
    /// Where the columns of a primary-key table are in its files.
    pub(crate) keyed: Option<Arc<KeyedColumns>>,
}

/// Writes rows to files of one folder, beginning a new one when the current one is full.
pub(crate) struct RollingWriter {
    /// All but the name.
    target: FileTarget,
    limits: FileLimits,
    extras: FileExtras,
    open: Option<OpenFile>,
    /// Names of all files ever begun, complete or not, and of their indexes.
    begun: Vec<String>,
}

impl RollingWriter {
    pub(crate) fn new(target: FileTarget, limits: FileLimits, extras: FileExtras) -> Self {
        Self { target, limits, extras, open: None, begun: Vec::new() }
    }

    /// Writes all rows; files that became full are added to `finished`.
    pub(crate) async fn write(
        &mut self,
        store: &TableStore,
        names: &FileNames,
        batch: &RecordBatch,
        finished: &mut Vec<FinishedFile>,
    ) -> Result<()> {
        let mut written = 0;
        while written < batch.num_rows() {
            written += self.write_some(store, names, &batch.slice(written, batch.num_rows() - written)).await?;
            if self.is_full() {
                finished.extend(self.roll(store).await?);
            }
        }
        Ok(())
    }

    /// Writes the first rows, up to the next look at the file's size; gives their number. The caller is to [roll](
    /// Self::roll) when the file [is full](Self::is_full) then.
    pub(crate) async fn write_some(
        &mut self,
        store: &TableStore,
        names: &FileNames,
        batch: &RecordBatch,
    ) -> Result<usize> {
        let (limits, keyed) = (self.limits, self.extras.keyed.clone());
        let file = self.open(store, names).await?;
        let rows = rows_until_check(limits, file.writer.as_ref(), batch).min(batch.num_rows() as u64) as usize;
        let slice = batch.slice(0, rows);
        file.writer.write(&slice).await?;
        let mut values = slice.columns();
        if let Some(columns) = &keyed {
            values = columns.values(&slice);
            columns.summarise(&slice, &mut file.keyed)?;
        }
        file.indexes.as_mut().map_or(Ok(()), |indexes| indexes.add(values))?;
        Ok(rows)
    }

    /// Appends rows that the file leaves to older files of its column.
    pub(crate) async fn leave_open(&mut self, store: &TableStore, names: &FileNames, rows: u64) -> Result<()> {
        self.open(store, names).await?.writer.leave_open(rows).await
    }

    /// Whether the current file should take no more rows.
    pub(crate) fn is_full(&self) -> bool {
        self.open.as_ref().is_some_and(|file| {
            file.writer.rows() >= self.limits.target_rows || file.writer.bytes() >= self.limits.target_bytes
        })
    }

    async fn open(&mut self, store: &TableStore, names: &FileNames) -> Result<&mut OpenFile> {
        let open = match self.open.take() {
            Some(open) => open,
            None => {
                let name = names.next();
                self.begun.push(name.clone());
                let target = FileTarget { file_name: name.clone(), ..self.target.clone() };
                let indexes = self.extras.indexes.as_ref().map(|layout| layout.start()).transpose()?;
                OpenFile { name, writer: store.create_file(&target).await?, indexes, keyed: None }
            }
        };
        Ok(self.open.insert(open))
    }

    /// Completes the current file, if there is one.
    pub(crate) async fn roll(&mut self, store: &TableStore) -> Result<Option<FinishedFile>> {
        let Some(OpenFile { name, writer, indexes, keyed }) = self.open.take() else { return Ok(None) };
        let written = writer.finish().await?;
        let index = match indexes {
            Some(indexes) => {
                self.begun.push(index_file_name(&name));
                Some(indexes.finish(store, &self.target.bucket_path, &name).await?)
            }
            None => None,
        };
        Ok(Some(FinishedFile { name, written, index, keyed }))
    }

    /// Deletes all files ever begun; goes on after a failure and returns the first.
    pub(crate) async fn abort(&mut self, store: &TableStore) -> Result<()> {
        let mut outcome = match self.open.take() {
            Some(file) => file.writer.abort().await,
            None => Ok(()),
        };
        for name in self.begun.drain(..) {
            let deleted = store.storage().delete(&format!("{}/{name}", self.target.bucket_path)).await;
            outcome = outcome.and(deleted);
        }
        outcome
    }

    /// Bytes held in memory.
    pub(crate) fn memory(&self) -> u64 {
        let indexes = |file: &OpenFile| file.indexes.as_ref().map_or(0, FileIndexes::memory);
        self.open.as_ref().map_or(0, |file| file.writer.memory() + indexes(file))
    }
}

/// How many rows to write before looking at the size again: as many as should fill the file, by its rows so far (or, for
/// a new file, by their size in memory), so that large batches are cut only where a file ends.
fn rows_until_check(limits: FileLimits, writer: &dyn FileWriter, batch: &RecordBatch) -> u64 {
    let (bytes, rows) = (writer.bytes(), writer.rows());
    if limits.pace == Pace::Blobs {
        return rows_that_reach(limits.target_bytes.saturating_sub(bytes), batch) as u64;
    }
    let row_bytes = match bytes.checked_div(rows) {
        Some(row_bytes) => row_bytes,
        None => batch.get_array_memory_size() as u64 / batch.num_rows().max(1) as u64,
    };
    let by_size = limits.target_bytes.saturating_sub(bytes) / row_bytes.max(1);
    by_size.max(LEAST_ROWS_BETWEEN_CHECKS).min(limits.target_rows.saturating_sub(rows)).max(1)
}
