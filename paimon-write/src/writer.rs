//! One file writer for each bucket of each partition, within a memory budget.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use futures::stream::{self, StreamExt, TryStreamExt};
use paimon_io::TableStore;
use paimon_scan::live_entries;
use paimon_spec::{BinaryRow, CommitMessage, DataType, Error, Result, TableSchema};

use crate::WriteOptions;
use crate::align::Aligner;
use crate::append::AppendWriter;
use crate::file_index::IndexLayout;
use crate::file_stats::StatsLayout;
use crate::options::{UNAWARE_BUCKET, require_writable};
use crate::rolling::{FileLimits, FileNames};
use crate::route::{Routed, Router};

/// Files completed at the same time.
const FINISH_CONCURRENCY: usize = 8;

/// Turns record batches into data files that nobody sees until they are committed.
///
/// One writer belongs to one job on one thread; any number of writers may write the same table at the same time. After
/// an error of [`write`](Self::write) the only thing left to do is [`abort`](Self::abort). A writer that is dropped
/// leaves its files behind, harmless but taking room.
pub struct TableWriter {
    store: TableStore,
    schema: Arc<TableSchema>,
    aligner: Aligner,
    router: Router,
    stats: StatsLayout,
    indexes: Option<Arc<IndexLayout>>,
    names: FileNames,
    limits: FileLimits,
    memory_bytes: u64,
    total_buckets: i32,
    writers: HashMap<(BinaryRow, i32), AppendWriter>,
    /// One more than the largest sequence number of each bucket; only bucketed tables have such an order.
    next_sequence_numbers: Option<HashMap<(BinaryRow, i32), i64>>,
}

impl std::fmt::Debug for TableWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TableWriter").field("open_buckets", &self.writers.len()).finish_non_exhaustive()
    }
}

impl TableWriter {
    /// A writer of the schema that `store` carries.
    ///
    /// # Errors
    /// `Unsupported` for tables whose rows this build does not write, naming why; `InvalidInput` for unusable options.
    pub async fn open(store: TableStore, options: WriteOptions) -> Result<Self> {
        let schema = Arc::clone(store.schema());
        require_writable(&schema)?;
        let table = schema.table_options();
        let format = table.file_format()?;
        let suffix = if table.get("file.suffix.include.compression") == Some("true") {
            format!(".{}.{format}", table.file_compression()?)
        } else {
            format!(".{format}")
        };
        let total_buckets = table.bucket()?;
        Ok(Self {
            aligner: Aligner::new(&schema.fields)?,
            router: Router::of(&schema)?,
            stats: StatsLayout::of(&schema)?,
            indexes: IndexLayout::of(&schema)?.map(Arc::new),
            names: FileNames::new(table.data_file_prefix(), &store.context().clock.unique_id(), suffix),
            limits: FileLimits {
                target_bytes: table.target_file_bytes(false)?,
                target_rows: table.target_file_rows()?.max(1),
            },
            memory_bytes: match options.memory_bytes {
                Some(bytes) => bytes,
                None => table.write_buffer_bytes()?,
            },
            total_buckets,
            writers: HashMap::new(),
            next_sequence_numbers: None,
            store,
            schema,
        })
    }

    /// Writes all rows of a batch.
    ///
    /// Columns are taken by name, in any order, and cast to the table's types as far as no value changes. A column with
    /// a default value may be missing, and its default stands where the value is NULL.
    ///
    /// # Errors
    /// `InvalidInput` for missing, unknown and repeated columns, for NULL where the table has NOT NULL, and for values
    /// that the table's types cannot hold; `Storage` and its kin when a file cannot be written.
    pub async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let batch = self.aligner.align(batch)?;
        for Routed { partition, bucket, rows } in self.router.route(&batch)? {
            let key = (partition, bucket);
            if !self.writers.contains_key(&key) {
                let writer = self.open_bucket(&key.0, bucket).await?;
                self.writers.insert(key.clone(), writer);
            }
            if let Some(writer) = self.writers.get_mut(&key) {
                writer.write(&self.store, &self.names, &rows).await?;
            }
        }
        self.free_memory().await
    }

    /// Completes all files and says what was written: one message for each bucket of each partition, by the bucket's
    /// place in the table. None when no row was written.
    ///
    /// # Errors
    /// `Storage` and its kin; all files of this writer are deleted then, as far as that succeeds.
    pub async fn prepare_commit(mut self) -> Result<Vec<CommitMessage>> {
        if let Err(error) = self.finish().await {
            // What counts is why the files could not be completed.
            let _ = self.abort().await;
            return Err(error);
        }
        let mut messages: Vec<CommitMessage> =
            self.writers.into_values().filter_map(|writer| writer.into_message(self.total_buckets)).collect();
        messages.sort_by(|a, b| (a.partition.as_bytes(), a.bucket).cmp(&(b.partition.as_bytes(), b.bucket)));
        Ok(messages)
    }

    /// Deletes all files of this writer.
    ///
    /// # Errors
    /// The first failure; the rest is deleted all the same.
    pub async fn abort(mut self) -> Result<()> {
        let mut outcome = Ok(());
        for writer in self.writers.values_mut() {
            outcome = outcome.and(writer.abort(&self.store).await);
        }
        outcome
    }

    async fn finish(&mut self) -> Result<()> {
        let (store, names) = (&self.store, &self.names);
        let rolls: Vec<_> = self.writers.values_mut().map(|writer| writer.roll(store, names)).collect();
        stream::iter(rolls).buffer_unordered(FINISH_CONCURRENCY).try_collect::<()>().await?;
        let now_millis = self.store.context().clock.now_millis();
        self.writers.values_mut().try_for_each(|writer| writer.describe(self.schema.id, &self.stats, now_millis))
    }

    async fn open_bucket(&mut self, partition: &BinaryRow, bucket: i32) -> Result<AppendWriter> {
        let next_sequence_number = self.next_sequence_number(partition, bucket).await?;
        let (limits, indexes) = (self.limits, self.indexes.clone());
        AppendWriter::new(&self.store, &self.schema, partition.clone(), bucket, limits, indexes, next_sequence_number)
    }

    /// Rows of one bucket are ordered by sequence number, so new ones come after those that are there (Java
    /// `AbstractFileStoreWrite`); tables without buckets have no such order and begin at 0 (Java
    /// `AppendFileStoreWrite`).
    async fn next_sequence_number(&mut self, partition: &BinaryRow, bucket: i32) -> Result<i64> {
        if self.total_buckets == UNAWARE_BUCKET {
            return Ok(0);
        }
        let numbers = match &mut self.next_sequence_numbers {
            Some(numbers) => numbers,
            none => none.insert(next_sequence_numbers(&self.store).await?),
        };
        Ok(numbers.get(&(partition.clone(), bucket)).copied().unwrap_or(0))
    }

    /// While the rows in memory take more than the budget, completes the file that holds most of them.
    async fn free_memory(&mut self) -> Result<()> {
        loop {
            let taken: u64 = self.writers.values().map(AppendWriter::memory).sum();
            if taken <= self.memory_bytes {
                return Ok(());
            }
            match self.writers.values_mut().max_by_key(|writer| writer.memory()) {
                Some(largest) if largest.memory() > 0 => largest.roll(&self.store, &self.names).await?,
                _ => return Ok(()),
            }
        }
    }
}

/// One more than the largest sequence number of each bucket of the latest snapshot.
async fn next_sequence_numbers(store: &TableStore) -> Result<HashMap<(BinaryRow, i32), i64>> {
    let types: Vec<DataType> = store.schema().partition_fields().into_iter().map(|field| field.data_type).collect();
    let mut numbers = HashMap::new();
    let Some(snapshot) = store.latest_snapshot().await? else { return Ok(numbers) };
    for entry in live_entries(store, &snapshot, &|_, _| true).await? {
        let next = entry.file.max_sequence_number.checked_add(1).ok_or_else(|| {
            Error::corrupt("expected a sequence number that can be followed by another, found the largest")
                .with_context("file", &entry.file.file_name)
        })?;
        let number = numbers.entry((entry.partition.normalised(&types)?, entry.bucket)).or_insert(0);
        *number = next.max(*number);
    }
    Ok(numbers)
}
