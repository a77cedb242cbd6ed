//! Rows of one bucket in memory and on disk, until they are merged into files.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use futures::stream::{self, StreamExt, TryStreamExt};
use paimon_io::{BatchStream, SpilledRun, TableStore};
use paimon_merge::{KeyedLayout, MergeFunction, merge_buffer, merge_sorted};
use paimon_spec::{BinaryRow, CommitMessage, Error, Result};

use super::output::Output;
use super::table::{FileStyle, KeyedTable};
use super::unmerged::Unmerged;
use crate::append::bytes_of;

/// Memory that sorting takes for each row, besides its values.
const SORT_BYTES: u64 = 40;

/// As many spilled runs of about one size become one, so that few are open at once, each with a batch of about 256 KiB
/// in memory, however many rows there are.
const RUNS_OF_A_SIZE: usize = 16;

/// The sequence number of rows that get one when they find their bucket (Java `KeyValue.UNKNOWN_SEQUENCE`).
const UNKNOWN_SEQUENCE_NUMBER: i64 = -1;

/// Bytes of the batches that a merge makes, about, and their rows, at most.
const MERGED_BYTES: u64 = 4 << 20;
const MERGED_ROWS: u64 = 32 << 10;

/// Writes the rows of one bucket of one partition of a primary-key table.
///
/// Rows are held as they came. Each has its number in the order of the bucket; where they are merged they are sorted by
/// key, the table's sequence fields and that number. When memory is short they become a sorted run on disk, or, where
/// that is not possible, files of level 0.
pub(crate) struct KeyValueWriter {
    table: Arc<KeyedTable>,
    partition: BinaryRow,
    bucket: i32,
    held: Vec<RecordBatch>,
    held_bytes: u64,
    held_rows: u64,
    /// Runs of rows that were spilled once, of those that were merged from such runs, and so on; each in the order of
    /// arrival.
    spilled: Vec<Vec<SpilledRun>>,
    spilled_bytes: u64,
    spilled_rows: u64,
    next_sequence_number: i64,
    data: Output,
    changelog: Option<Output>,
}

/// The sequence numbers that rows have in files.
enum Numbers<'a> {
    /// Those that they were merged by.
    Own,
    /// Numbers of their own, ascending from this one, which then is the next.
    From(&'a mut i64),
    /// None yet.
    Unknown,
}

impl KeyValueWriter {
    /// `next_sequence_number`: one more than the largest that the bucket has.
    pub(crate) fn new(
        store: &TableStore,
        table: Arc<KeyedTable>,
        partition: BinaryRow,
        bucket: i32,
        next_sequence_number: i64,
    ) -> Result<Self> {
        let output = |style: &Arc<FileStyle>| Output::new(store, Arc::clone(style), &partition, bucket);
        Ok(Self {
            data: output(&table.data)?,
            changelog: table.changelog.as_ref().map(output).transpose()?,
            table,
            partition,
            bucket,
            held: Vec::new(),
            held_bytes: 0,
            held_rows: 0,
            spilled: Vec::new(),
            spilled_bytes: 0,
            spilled_rows: 0,
            next_sequence_number,
        })
    }

    /// Takes rows that belong here, as [`Incoming`](super::Incoming) makes them.
    pub(crate) fn add(&mut self, rows: &RecordBatch) -> Result<()> {
        let columns = if self.table.ordered {
            rows.columns().to_vec()
        } else {
            let end = self.after(rows.num_rows())?;
            let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(self.next_sequence_number..end));
            self.next_sequence_number = end;
            std::iter::once(numbers).chain(rows.columns().iter().cloned()).collect()
        };
        let rows = with_schema(&self.table.layout, columns)?;
        self.held_bytes += bytes_of(&rows);
        self.held_rows += rows.num_rows() as u64;
        self.held.push(rows);
        Ok(())
    }

    /// Bytes held in memory, and those that it takes to sort them.
    pub(crate) fn memory(&self) -> u64 {
        self.held_bytes + self.held_rows * SORT_BYTES
    }

    /// Whether rows wait on disk.
    pub(crate) fn has_spilled(&self) -> bool {
        !self.spilled.is_empty()
    }

    /// Frees the memory.
    ///
    /// # Errors
    /// `InvalidInput` when the rows have to wait for others and there is no room on disk; `Storage` and its kin.
    pub(crate) async fn relieve(&mut self, store: &TableStore) -> Result<()> {
        match &self.table.space {
            Some(space) if space.has_room() => self.spill().await,
            _ if self.table.one_run => Err(Error::invalid(format!(
                "the rows of bucket {} take more than the write buffer, have to wait until all are there, and cannot be \
                 spilled to disk: raise 'write-buffer-size', or give temporary files room ('write-buffer-spillable', \
                 'write-buffer-spill.max-disk-size')",
                self.bucket
            ))),
            _ => self.flush(store).await,
        }
    }

    /// Merges all rows that are there into files, and completes the files.
    pub(crate) async fn flush(&mut self, store: &TableStore) -> Result<()> {
        if self.held.is_empty() && self.spilled.is_empty() {
            return Ok(());
        }
        let batch_rows = self.batch_rows();
        let table = Arc::clone(&self.table);
        let held = std::mem::take(&mut self.held);
        // Those that were merged more often are older.
        let spilled: Vec<SpilledRun> = std::mem::take(&mut self.spilled).into_iter().rev().flatten().collect();
        let mut first = self.next_sequence_number;
        if let Some(output) = &mut self.changelog {
            let rows = sorted(&table, held.clone(), &spilled, Box::new(Unmerged), batch_rows)?;
            let numbers = if table.ordered { Numbers::From(&mut first) } else { Numbers::Own };
            write(output, store, &table, rows, numbers).await?;
        }
        let rows = sorted(&table, held, &spilled, table.function()?, batch_rows)?;
        let numbers = match (table.postponed, table.ordered) {
            (true, _) => Numbers::Unknown,
            (false, true) => Numbers::From(&mut self.next_sequence_number),
            (false, false) => Numbers::Own,
        };
        write(&mut self.data, store, &table, rows, numbers).await?;
        self.next_sequence_number = self.next_sequence_number.max(first);
        (self.held_bytes, self.held_rows, self.spilled_bytes, self.spilled_rows) = (0, 0, 0, 0);
        Ok(())
    }

    /// Turns complete files into their metadata.
    pub(crate) fn describe(&mut self, now_millis: i64) -> Result<()> {
        self.data.describe(now_millis)?;
        if self.table.postponed {
            // Their order is told by their age.
            for (file, millis) in self.data.files_mut().iter_mut().zip(now_millis..) {
                file.creation_time_millis = Some(millis);
            }
        }
        self.changelog.as_mut().map_or(Ok(()), |output| output.describe(now_millis))
    }

    /// What was done here; `None` when nothing was written.
    pub(crate) fn into_message(self, total_buckets: i32) -> Option<CommitMessage> {
        let message = CommitMessage {
            new_files: self.data.into_files(),
            changelog_files: self.changelog.map(Output::into_files).unwrap_or_default(),
            ..CommitMessage::of(self.partition, self.bucket, total_buckets)
        };
        (!message.is_empty()).then_some(message)
    }

    /// Deletes all files of this writer; goes on after a failure and returns the first.
    pub(crate) async fn abort(&mut self, store: &TableStore) -> Result<()> {
        self.held.clear();
        self.spilled.clear();
        let mut outcome = self.data.abort(store).await;
        if let Some(changelog) = &mut self.changelog {
            outcome = outcome.and(changelog.abort(store).await);
        }
        outcome
    }

    /// Moves the rows in memory into a sorted run on disk.
    async fn spill(&mut self) -> Result<()> {
        let Some(space) = self.table.space.clone() else { return Ok(()) };
        let (table, batch_rows) = (Arc::clone(&self.table), self.batch_rows());
        let held = std::mem::take(&mut self.held);
        let run = sorted(&table, held, &[], table.part_function()?, batch_rows)?;
        let mut run = space.spill(table.layout.schema(), run).await?;
        self.spilled_bytes += std::mem::take(&mut self.held_bytes);
        self.spilled_rows += std::mem::take(&mut self.held_rows);
        for size in 0.. {
            if size == self.spilled.len() {
                self.spilled.push(Vec::new());
            }
            let runs = &mut self.spilled[size];
            runs.push(run);
            if runs.len() < RUNS_OF_A_SIZE {
                break;
            }
            let merged = sorted(&table, Vec::new(), &std::mem::take(runs), table.part_function()?, batch_rows)?;
            run = space.spill(table.layout.schema(), merged).await?;
        }
        Ok(())
    }

    /// Rows of the batches that a merge makes.
    fn batch_rows(&self) -> usize {
        let (bytes, rows) = (self.held_bytes + self.spilled_bytes, self.held_rows + self.spilled_rows);
        let row_bytes = bytes.checked_div(rows).unwrap_or(0).max(1);
        (MERGED_BYTES / row_bytes).clamp(1, MERGED_ROWS) as usize
    }

    /// The sequence number after those of `rows` more rows.
    fn after(&self, rows: usize) -> Result<i64> {
        let end = i64::try_from(rows).ok().and_then(|rows| self.next_sequence_number.checked_add(rows));
        end.ok_or_else(|| {
            let bucket = self.bucket;
            Error::invalid(format!("bucket {bucket} has no sequence numbers left for {rows} more rows"))
        })
    }
}

/// Writes merged rows and completes the file.
async fn write(
    output: &mut Output,
    store: &TableStore,
    table: &KeyedTable,
    mut rows: BatchStream,
    mut numbers: Numbers<'_>,
) -> Result<()> {
    while let Some(mut batch) = rows.try_next().await? {
        match &mut numbers {
            Numbers::Own => {}
            Numbers::From(next) => batch = renumbered(&table.layout, &batch, next)?,
            Numbers::Unknown => {
                let unknown = Int64Array::from_value(UNKNOWN_SEQUENCE_NUMBER, batch.num_rows());
                batch = with_numbers(&table.layout, &batch, unknown)?;
            }
        }
        output.push(store, &batch).await?;
    }
    output.complete(store).await
}

/// Rows in memory and on disk, sorted and merged. Those on disk are older.
fn sorted(
    table: &KeyedTable,
    held: Vec<RecordBatch>,
    spilled: &[SpilledRun],
    function: Box<dyn MergeFunction>,
    batch_rows: usize,
) -> Result<BatchStream> {
    let buffer = |function| {
        let rows = merge_buffer(Arc::clone(&table.layout), held, function, batch_rows, true)?;
        Ok::<_, Error>(stream::iter(rows).boxed())
    };
    if spilled.is_empty() {
        return buffer(function);
    }
    let mut runs: Vec<BatchStream> = spilled.iter().map(SpilledRun::read).collect();
    runs.push(buffer(table.part_function()?)?);
    Ok(merge_sorted(Arc::clone(&table.layout), runs, function, batch_rows, true))
}

/// The rows with numbers of their own, ascending from `next`: what orders them is only known among themselves.
fn renumbered(layout: &KeyedLayout, rows: &RecordBatch, next: &mut i64) -> Result<RecordBatch> {
    let end = i64::try_from(rows.num_rows()).ok().and_then(|rows| next.checked_add(rows));
    let end = end.ok_or_else(|| Error::invalid("a bucket has no sequence numbers left"))?;
    let rows = with_numbers(layout, rows, Int64Array::from_iter_values(*next..end))?;
    *next = end;
    Ok(rows)
}

fn with_numbers(layout: &KeyedLayout, rows: &RecordBatch, numbers: Int64Array) -> Result<RecordBatch> {
    let mut columns = rows.columns().to_vec();
    columns[KeyedLayout::SEQUENCE] = Arc::new(numbers);
    with_schema(layout, columns)
}

fn with_schema(layout: &KeyedLayout, columns: Vec<ArrayRef>) -> Result<RecordBatch> {
    RecordBatch::try_new(Arc::clone(layout.schema()), columns)
        .map_err(|error| Error::internal("paimon-write", "rows do not fit the table").with_source(error))
}
