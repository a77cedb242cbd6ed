//! One file writer for each bucket of each partition, within a memory budget.

#[cfg(test)]
mod tests;

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use arrow::array::RecordBatch;
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt, TryStreamExt};
use paimon_io::{TableStore, background};
use paimon_spec::{BinaryRow, BucketMode, CommitMessage, FileKind, Result};

use crate::WriteOptions;
use crate::align::Aligner;
use crate::assign::{Assigner, IndexChanges, Share};
use crate::bucket_writer::{BucketWriter, TableKind};
use crate::existing::Existing;
use crate::key_value::IncomingRows;
use crate::options::require_writable;
use crate::route::Routed;
use crate::write_type::WriteType;

/// Buckets completed at the same time.
const FINISH_CONCURRENCY: usize = 8;

/// The same when there are more rows than memory had room for: each bucket has a file in the making.
const SPILLED_FINISH_CONCURRENCY: usize = 2;

/// Turns record batches into data files that nobody sees until they are committed.
///
/// One writer belongs to one job on one thread; any number of writers may write the same table at the same time. Of a
/// primary-key table, a bucket has one writer in one commit: rows of one key are in the order in which their writer gets
/// them. Writers of different commits may write to one bucket at the same time; which of two rows of a key is the newer one
/// is then open, as with Java's writers.
///
/// Rows of a primary-key table are merged when they become files. Until then they are held in memory; more rows than
/// [`WriteOptions::memory_bytes`] are spilled to sorted runs in the [`IoContext`](paimon_io::IoContext)'s folder for
/// temporary files (options `write-buffer-spillable` and `write-buffer-spill.max-disk-size`; `spill-compression` is passed
/// over, spilled rows are not compressed), or become files of level 0 early. Beside the budget, writing takes the batch
/// at hand, up to two files in the making (128 MiB each at most), and 64 MiB for batches of the spilled runs that are merged
/// and of what they become. In tables with dynamic buckets come about 12 bytes for each key of the partitions that rows are
/// written to.
///
/// After an error of [`write`](Self::write) the only thing left to do is [`abort`](Self::abort). A writer that is dropped
/// leaves its files behind, harmless but taking room.
pub struct TableWriter {
    store: TableStore,
    kind: TableKind,
    aligner: Aligner,
    memory_bytes: u64,
    total_buckets: i32,
    has_buckets: bool,
    overwrites: bool,
    options: WriteOptions,
    /// Decides on the buckets of rows; `None`: it goes by what the table holds, and there were no rows yet.
    assigner: Option<Assigner>,
    writers: HashMap<(BinaryRow, i32), BucketWriter>,
    /// Index files that are written.
    indexes: IndexChanges,
    /// What is there of bucketed tables, once it was needed.
    existing: Option<Existing>,
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
    /// `Unsupported` for tables whose rows this build does not write, naming why; `InvalidInput` for unusable
    /// options.
    pub fn open(store: TableStore, options: WriteOptions) -> BoxFuture<'static, Result<Self>> {
        Box::pin(async move {
            let schema = store.schema();
            require_writable(schema)?;
            let write_type = WriteType::of(schema, options.write_type.as_deref())?;
            Ok(Self {
                kind: TableKind::new(&store, &options, &write_type)?,
                aligner: Aligner::new(&write_type)?,
                memory_bytes: match options.memory_bytes {
                    Some(bytes) => bytes,
                    None => store.options().write_buffer_bytes()?,
                },
                total_buckets: store.options().bucket()?,
                overwrites: options.overwrite,
                has_buckets: schema.bucket_mode()? != BucketMode::Unaware,
                assigner: Assigner::of_rows(&write_type.schema, &options)?,
                writers: HashMap::new(),
                indexes: HashMap::new(),
                existing: None,
                options,
                store,
            })
        })
    }

    /// Writes all rows of a batch.
    ///
    /// Columns are taken by name, in any order, and cast to the table's types as far as no value changes. A column with
    /// a default value may be missing, and its default stands where the value is NULL.
    ///
    /// # Errors
    /// `InvalidInput` for missing, unknown and repeated columns, for NULL where the table has NOT NULL, for values that
    /// the table's types cannot hold, for rows whose kind is none or that the merge engine does not take, and for
    /// partitions whose rows are in another number of buckets: nothing of the batch is written then. `Storage` and its
    /// kin when a file cannot be written, or one that says where keys are cannot be read.
    pub fn write<'a>(&'a mut self, batch: &'a RecordBatch) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let incoming = self.kind.rows(&self.aligner, batch)?;
            self.write_incoming(incoming).await
        })
    }

    /// Writes rows that are known to be of the table.
    pub(crate) async fn write_incoming(&mut self, incoming: IncomingRows) -> Result<()> {
        let assigner = match &mut self.assigner {
            Some(assigner) => assigner,
            none => {
                let open = Assigner::open(&self.store, Share::default(), &self.options, self.memory_bytes);
                none.insert(open.await?)
            }
        };
        let routed = assigner.assign(&self.store, incoming).await?;
        self.write_routed(routed).await
    }

    async fn write_routed(&mut self, routed: Vec<Routed>) -> Result<()> {
        self.open_buckets(&routed).await?;
        for Routed { partition, bucket, rows } in routed {
            if let Some(writer) = self.writers.get_mut(&(partition, bucket)) {
                writer.write(&self.store, &rows).await?;
            }
        }
        self.free_memory().await
    }

    /// Completes all files and says what was written: one message for each bucket of each partition, by the bucket's
    /// place in the table. None when no row was written.
    ///
    /// # Errors
    /// `Storage` and its kin, and what merging rows refuses; all files of this writer are deleted then, as far as that
    /// succeeds.
    pub fn prepare_commit(mut self) -> BoxFuture<'static, Result<Vec<CommitMessage>>> {
        Box::pin(async move {
            if let Err(error) = self.finish().await {
                // What counts is why the files could not be completed.
                let _ = self.abort().await;
                return Err(error);
            }
            let Self { writers, mut indexes, assigner, total_buckets, .. } = self;
            let messages = writers.into_iter().filter_map(|(place, writer)| {
                let index_changes = indexes.remove(&place).unwrap_or_default();
                let (partition, bucket) = place;
                let own = assigner.as_ref().and_then(|assigner| assigner.total_buckets(&partition));
                let total_buckets = own.unwrap_or(total_buckets);
                let written = writer.into_message(total_buckets);
                let mut message = written.unwrap_or_else(|| CommitMessage::of(partition, bucket, total_buckets));
                message.index_changes.extend(index_changes);
                message.check_from_snapshot = assigner.as_ref().and_then(Assigner::base_snapshot);
                (!message.is_empty()).then_some(message)
            });
            let mut messages: Vec<CommitMessage> = messages.collect();
            messages.sort_by(|a, b| (a.partition.as_bytes(), a.bucket).cmp(&(b.partition.as_bytes(), b.bucket)));
            Ok(messages)
        })
    }

    /// Deletes all files of this writer.
    ///
    /// # Errors
    /// The first failure; the rest is deleted all the same.
    pub fn abort(mut self) -> BoxFuture<'static, Result<()>> {
        Box::pin(async move {
            let mut outcome = Ok(());
            for writer in self.writers.values_mut() {
                outcome = outcome.and(writer.abort(&self.store).await);
            }
            for entry in std::mem::take(&mut self.indexes).into_values().flatten() {
                if entry.kind == FileKind::Add {
                    let path = self.store.index_path(&entry, &entry.partition)?;
                    outcome = outcome.and(self.store.storage().delete(&path).await);
                }
            }
            outcome
        })
    }

    async fn finish(&mut self) -> Result<()> {
        while let Some(assigner) = &mut self.assigner
            && let Some(routed) = assigner.finish().await?
        {
            self.write_routed(routed).await?;
        }
        self.finish_buckets().await?;
        match &mut self.assigner {
            Some(assigner) => assigner.write_indexes(&self.store, &mut self.indexes).await,
            None => Ok(()),
        }
    }

    async fn finish_buckets(&mut self) -> Result<()> {
        let spilled = self.writers.values().any(BucketWriter::has_spilled);
        let concurrency = if spilled { SPILLED_FINISH_CONCURRENCY } else { FINISH_CONCURRENCY };
        let mut tasks = stream::iter(self.writers.drain().collect::<Vec<_>>())
            .map(|(key, mut writer)| {
                let store = self.store.clone();
                let finish = async move {
                    let outcome = writer.finish(&store).await;
                    Ok((key, writer, outcome))
                };
                background(self.store.context(), stream::once(finish).boxed(), 1)
            })
            .flatten_unordered(concurrency);
        let mut outcome = Ok(());
        while let Some((key, writer, finished)) = tasks.try_next().await? {
            self.writers.insert(key, writer);
            outcome = outcome.and(finished);
        }
        outcome
    }

    /// Opens the buckets that are new to this writer, all or none.
    async fn open_buckets(&mut self, routed: &[Routed]) -> Result<()> {
        let is_new = |piece: &&Routed| !self.writers.contains_key(&(piece.partition.clone(), piece.bucket));
        let new: Vec<&Routed> = routed.iter().filter(is_new).collect();
        if new.is_empty() {
            return Ok(());
        }
        // Tables without buckets have no order, and begin at 0 (Java `AppendFileStoreWrite`).
        if self.existing.is_none() && self.has_buckets {
            self.existing = Some(Existing::read(&self.store, self.overwrites).await?);
        }
        if let Some(existing) = &self.existing {
            let partitions: HashSet<&BinaryRow> = new.iter().map(|piece| &piece.partition).collect();
            for partition in partitions {
                let own = self.assigner.as_ref().and_then(|assigner| assigner.total_buckets(partition));
                existing.check_takes(&self.store, partition, own.unwrap_or(self.total_buckets))?;
            }
        }
        for Routed { partition, bucket, .. } in new {
            if let Entry::Vacant(place) = self.writers.entry((partition.clone(), *bucket)) {
                let next = self.existing.as_ref().map_or(0, |there| there.next_sequence_number(partition, *bucket));
                place.insert(self.kind.open(&self.store, partition.clone(), *bucket, next)?);
            }
        }
        Ok(())
    }

    /// While the rows in memory take more than the budget, relieves the bucket that holds most of them.
    async fn free_memory(&mut self) -> Result<()> {
        loop {
            let assigner = self.assigner.as_ref().map_or(0, Assigner::memory);
            let taken: u64 = self.writers.values().map(BucketWriter::memory).sum::<u64>() + assigner;
            if taken <= self.memory_bytes {
                return Ok(());
            }
            match self.writers.values_mut().max_by_key(|writer| writer.memory()) {
                Some(largest) if largest.memory() > 0 => largest.relieve(&self.store).await?,
                _ => return Ok(()),
            }
        }
    }
}
