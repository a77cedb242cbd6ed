//! Sorted rows that memory has no room for, in temporary files of this machine.

use std::{
    fmt,
    fs::{File, OpenOptions},
    io::{self, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use arrow::{array::RecordBatch, datatypes::Schema, error::ArrowError};
use arrow_ipc::{reader::StreamReader, writer::StreamWriter};
use futures::{StreamExt, TryStreamExt, stream};
use paimon_spec::{Error, Result};

use crate::{BatchStream, IoContext, convert_error::file_error, storage::local::blocking};

/// Bytes of a batch in a spilled run, about: what each run takes of memory while runs are merged.
const BATCH_BYTES: usize = 256 << 10;

/// Bytes on their way into a file or out of one.
const BUFFER_BYTES: usize = 64 << 10;

/// Room for the spilled rows of one writer: local files that nobody else knows, as Arrow IPC, uncompressed (they are
/// read once, soon). Each is deleted when its [`SpilledRun`] is dropped.
#[derive(Debug, Clone)]
pub struct SpillSpace {
    /// Folder and start of the files' names.
    prefix: PathBuf,
    max_bytes: u64,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    files: AtomicU64,
    bytes: AtomicU64,
}

impl SpillSpace {
    /// Room in the context's folder for temporary files; `None` when it has none. `max_bytes`: see [`Self::has_room`].
    pub fn new(context: &IoContext, max_bytes: u64) -> Option<Self> {
        let folder = context.spill_folder.as_ref()?;
        let prefix = folder.join(format!("paimon-spill-{}", context.clock.unique_id()));
        Some(Self { prefix, max_bytes, shared: Arc::default() })
    }

    /// Whether files are smaller together than they may be. The last one may go beyond.
    pub fn has_room(&self) -> bool {
        self.shared.bytes.load(Ordering::Relaxed) < self.max_bytes
    }

    /// Writes rows of `schema` to a file of their own.
    ///
    /// # Errors
    /// `Storage` and its kin when the file cannot be written; those of `rows`. Nothing is left behind.
    pub async fn spill(&self, schema: &Schema, mut rows: BatchStream) -> Result<SpilledRun> {
        let number = self.shared.files.fetch_add(1, Ordering::Relaxed);
        let path = PathBuf::from(format!("{}-{number}.arrow", self.prefix.display()));
        let (schema, shared) = (schema.clone(), Arc::clone(&self.shared));
        let mut writing = in_background(move || Writing::begin(path, &schema, shared)).await?;
        while let Some(batch) = rows.try_next().await? {
            writing = in_background(move || writing.write(&batch)).await?;
        }
        in_background(move || writing.finish()).await
    }
}

/// A file that takes rows.
struct Writing {
    writer: StreamWriter<BufWriter<File>>,
    file: SpillFile,
}

impl Writing {
    fn begin(path: PathBuf, schema: &Schema, shared: Arc<Shared>) -> Result<Self> {
        let opened = OpenOptions::new().write(true).create_new(true).open(&path).map_err(|e| failed(&path, e))?;
        let file = SpillFile { path, bytes: 0, shared };
        let writer = StreamWriter::try_new(BufWriter::with_capacity(BUFFER_BYTES, opened), schema);
        Ok(Self { writer: writer.map_err(|e| failed(&file.path, into_io(e)))?, file })
    }

    fn write(mut self, batch: &RecordBatch) -> Result<Self> {
        let row_bytes = batch.get_array_memory_size() / batch.num_rows().max(1);
        let mut written = 0;
        while written < batch.num_rows() {
            let rows = (BATCH_BYTES / row_bytes.max(1)).clamp(1, batch.num_rows() - written);
            let outcome = self.writer.write(&batch.slice(written, rows));
            outcome.map_err(|e| failed(&self.file.path, into_io(e)))?;
            written += rows;
        }
        Ok(self)
    }

    fn finish(self) -> Result<SpilledRun> {
        let Self { writer, mut file } = self;
        let finish = || {
            let mut output = writer.into_inner().map_err(into_io)?;
            output.flush()?;
            Ok(output.get_ref().metadata()?.len())
        };
        file.bytes = finish().map_err(|e| failed(&file.path, e))?;
        file.shared.bytes.fetch_add(file.bytes, Ordering::Relaxed);
        Ok(SpilledRun { file: Arc::new(file) })
    }
}

/// Rows in a temporary file, in the order in which they were spilled.
#[derive(Debug, Clone)]
pub struct SpilledRun {
    file: Arc<SpillFile>,
}

impl SpilledRun {
    /// Reads all rows, a small batch at a time; as often as wanted.
    pub fn read(&self) -> BatchStream {
        stream::try_unfold(Reading::NotYet(Arc::clone(&self.file)), |reading| in_background(move || reading.next()))
            .boxed()
    }
}

/// A file that goes with its last user.
#[derive(Debug)]
struct SpillFile {
    path: PathBuf,
    bytes: u64,
    shared: Arc<Shared>,
}

impl Drop for SpillFile {
    fn drop(&mut self) {
        self.shared.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        // Whoever cleans folders for temporary files takes what cannot be deleted now.
        let _ = std::fs::remove_file(&self.path);
    }
}

enum Reading {
    NotYet(Arc<SpillFile>),
    Open(Box<StreamReader<BufReader<File>>>, Arc<SpillFile>),
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reading")
    }
}

impl Reading {
    fn next(self) -> Result<Option<(RecordBatch, Self)>> {
        let (mut reader, file) = match self {
            Self::Open(reader, file) => (reader, file),
            Self::NotYet(file) => {
                let opened = File::open(&file.path).map_err(|e| failed(&file.path, e))?;
                let reader = StreamReader::try_new(BufReader::with_capacity(BUFFER_BYTES, opened), None);
                (Box::new(reader.map_err(|e| failed(&file.path, into_io(e)))?), file)
            }
        };
        match reader.next() {
            None => Ok(None),
            Some(Ok(batch)) => Ok(Some((batch, Self::Open(reader, file)))),
            Some(Err(error)) => Err(failed(&file.path, into_io(error))),
        }
    }
}

/// Where waiting for a disk holds up nobody else.
async fn in_background<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let finished: io::Result<Result<T>> = blocking(move || Ok(work())).await;
    finished.map_err(|error| Error::internal("paimon-io", error))?
}

fn into_io(error: ArrowError) -> io::Error {
    match error {
        ArrowError::IoError(_, error) => error,
        other => io::Error::other(other),
    }
}

fn failed(path: &Path, error: io::Error) -> Error {
    file_error(&path.display().to_string())(error)
        .with_context("doing", "keeping rows that memory has no room for in a temporary file")
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Int64Array, StringArray};
    use paimon_spec::ErrorKind;

    fn space(max_bytes: u64) -> (tempfile::TempDir, SpillSpace) {
        let folder = tempfile::tempdir().unwrap();
        let mut context = crate::testkit::context();
        context.spill_folder = Some(folder.path().into());
        let space = SpillSpace::new(&context, max_bytes).unwrap();
        (folder, space)
    }

    fn batch(ids: std::ops::Range<i64>, text: &str) -> RecordBatch {
        let texts: ArrayRef = Arc::new(StringArray::from_iter(ids.clone().map(|id| (id % 3 > 0).then_some(text))));
        let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(ids));
        RecordBatch::try_from_iter_with_nullable([("id", ids, false), ("text", texts, true)]).unwrap()
    }

    fn files(folder: &tempfile::TempDir) -> usize {
        std::fs::read_dir(folder.path()).unwrap().count()
    }

    #[tokio::test]
    async fn rows_come_back_in_small_batches_as_often_as_wanted() {
        let (folder, space) = space(u64::MAX);
        let rows = [batch(0..1000, &"x".repeat(5000)), batch(1000..1001, "y")];
        let run = space.spill(&rows[0].schema(), stream::iter(rows.clone().map(Ok)).boxed()).await.unwrap();
        for _ in 0..2 {
            let batches: Vec<RecordBatch> = run.read().try_collect().await.unwrap();
            assert!(batches.len() > 3, "{}", batches.len());
            assert!(batches.iter().all(|batch| batch.num_rows() < 100));
            let [wanted, found] =
                [&rows[..], &batches].map(|part| arrow::compute::concat_batches(&rows[0].schema(), part).unwrap());
            assert_eq!(wanted, found);
        }
        assert_eq!(files(&folder), 1);
        drop(run);
        assert_eq!(files(&folder), 0);
    }

    #[tokio::test]
    async fn what_is_being_read_stays_until_it_is_read() {
        let (folder, space) = space(u64::MAX);
        let rows = batch(0..10, "x");
        let run = space.spill(&rows.schema(), stream::iter([Ok(rows.clone())]).boxed()).await.unwrap();
        let stream = run.read();
        drop(run);
        assert_eq!(stream.try_collect::<Vec<_>>().await.unwrap(), [rows]);
        assert_eq!(files(&folder), 0);
    }

    #[tokio::test]
    async fn room_is_given_back() {
        let (_folder, space) = space(1000);
        let rows = batch(0..1000, "x");
        let run = space.spill(&rows.schema(), stream::iter([Ok(rows.clone())]).boxed()).await.unwrap();
        assert!(!space.has_room());
        drop(run);
        assert!(space.has_room());
    }

    #[tokio::test]
    async fn a_spill_that_fails_leaves_nothing_behind() {
        let (folder, space) = space(1000);
        let rows = batch(0..10, "x");
        let broken = [Ok(rows.clone()), Err(Error::invalid("no more rows"))];
        let error = space.spill(&rows.schema(), stream::iter(broken).boxed()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!(files(&folder), 0);
        assert!(space.has_room());

        std::fs::remove_dir(folder.path()).unwrap();
        let error = space.spill(&rows.schema(), stream::iter([Ok(rows.clone())]).boxed()).await.unwrap_err();
        assert!(error.to_string().contains("temporary file"), "{error}");
    }

    #[tokio::test]
    async fn a_context_without_a_folder_has_no_room() {
        assert!(SpillSpace::new(&crate::testkit::context(), 1).is_none());
    }
}
