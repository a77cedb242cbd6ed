//! Tables whose rows find their bucket later (`bucket` = -2), when rows are written straight into buckets all the same.
//!
//! Each partition has its own number of buckets. That of a partition with buckets stays; of others it is known when all of
//! their rows are there (Java `PostponeFixedBucketWriteBuilder`, `PostponeUtils.decideFixedBucketNum`), so these wait, in
//! memory or spilled.

mod numbers;
mod waiting;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use arrow::array::RecordBatch;
use futures::TryStreamExt;
use paimon_io::{BatchStream, SpillSpace, TableStore};
use paimon_spec::{BinaryRow, Error, Result};

pub(crate) use self::numbers::BucketNumbers;
use self::waiting::Waiting;
use crate::existing::Existing;
use crate::key_value::IncomingRows;
use crate::route::{BucketRouter, PartitionRouter, Partitioned, Routed, select};

/// Chooses buckets by the bucket function, of as many as each partition has or gets.
pub(crate) struct PostponedAssigner {
    partition: PartitionRouter,
    bucket: BucketRouter,
    numbers: BucketNumbers,
    /// Of partitions whose number is known.
    decided: HashMap<BinaryRow, i32>,
    /// By the bytes of the partition.
    waiting: BTreeMap<Vec<u8>, (BinaryRow, Waiting)>,
    /// Rows that waited, and come out now. (The lock only lets others look at the assigner.)
    leaving: Option<(BinaryRow, Mutex<BatchStream>)>,
    /// Bytes that waiting rows may take.
    memory_bytes: u64,
    space: Option<SpillSpace>,
    /// Columns of the table.
    columns: usize,
}

impl PostponedAssigner {
    /// An assigner as of the latest snapshot. `ignores_existing`: what is there is going to be replaced, so that partitions
    /// get their number anew.
    ///
    /// # Errors
    /// `InvalidInput` for unusable options; those of reading manifests.
    pub(crate) async fn open(store: &TableStore, ignores_existing: bool, memory_bytes: u64) -> Result<Self> {
        let schema = store.schema();
        let options = schema.table_options();
        let space = SpillSpace::new(store.context(), options.write_buffer_spill_max_disk_bytes()?);
        let spillable = options.write_buffer_spillable()?;
        Ok(Self {
            partition: PartitionRouter::of(schema)?,
            bucket: BucketRouter::of(schema)?,
            numbers: BucketNumbers::of(&options)?,
            decided: Existing::read(store, ignores_existing).await?.into_total_buckets().collect(),
            waiting: BTreeMap::new(),
            leaving: None,
            // The other half is for those that have a bucket.
            memory_bytes: memory_bytes / 2,
            space: space.filter(|_| spillable),
            columns: schema.fields.len(),
        })
    }

    /// How many buckets a partition has that has some.
    pub(crate) fn total_buckets(&self, partition: &BinaryRow) -> Option<i32> {
        self.decided.get(partition).copied()
    }

    /// Bytes of waiting rows in memory.
    pub(crate) fn memory(&self) -> u64 {
        self.waiting.values().map(|(_, waiting)| waiting.memory()).sum()
    }

    /// The rows of partitions whose number of buckets is known; the others wait.
    ///
    /// # Errors
    /// `InvalidInput` for keys that the bucket function does not take; `Storage` and its kin for temporary files.
    pub(crate) async fn assign(&mut self, incoming: IncomingRows) -> Result<Vec<Routed>> {
        let mut ready = Vec::new();
        for Routed { partition, rows, .. } in self.partition.route(&incoming.values)?.split(0, &incoming.rows)? {
            if let Some(number) = self.number(&partition) {
                ready.extend(self.route(&partition, number, &rows)?);
            } else {
                let entry = self.waiting.entry(partition.to_metadata());
                entry.or_insert_with(|| (partition, Waiting::default())).1.push(rows);
            }
        }
        while self.memory() > self.memory_bytes {
            ready.extend(self.relieve().await?);
        }
        Ok(ready)
    }

    /// Rows that waited, some of them; `None`: there are no more.
    ///
    /// # Errors
    /// As [`Self::assign`].
    pub(crate) async fn finish(&mut self) -> Result<Option<Vec<Routed>>> {
        loop {
            if let Some((partition, rows)) = &mut self.leaving {
                let rows = rows.get_mut().unwrap_or_else(PoisonError::into_inner);
                if let Some(batch) = rows.try_next().await? {
                    let number = self.decided.get(partition).copied().ok_or_else(undecided)?;
                    let partition = partition.clone();
                    return self.route(&partition, number, &batch).map(Some);
                }
            }
            self.leaving = None;
            let Some((_, (partition, waiting))) = self.waiting.pop_first() else { return Ok(None) };
            self.leaving = Some((partition.clone(), Mutex::new(self.decide(partition, waiting))));
        }
    }

    /// Frees the memory of the partition with the most waiting rows: they go to disk, or where there is no room for them
    /// the number of its buckets is decided by what is there.
    async fn relieve(&mut self) -> Result<Vec<Routed>> {
        let largest = self.waiting.iter().max_by_key(|(_, (_, waiting))| waiting.memory()).map(|(key, _)| key.clone());
        let Some(key) = largest else { return Ok(Vec::new()) };
        if let Some((_, waiting)) = self.waiting.get_mut(&key)
            && let Some(space) = self.space.as_ref().filter(|space| space.has_room())
        {
            waiting.spill(space).await?;
            return Ok(Vec::new());
        }
        let Some((partition, waiting)) = self.waiting.remove(&key) else { return Ok(Vec::new()) };
        let mut rows = self.decide(partition.clone(), waiting);
        let number = self.number(&partition).ok_or_else(undecided)?;
        let mut ready = Vec::new();
        while let Some(batch) = rows.try_next().await? {
            ready.extend(self.route(&partition, number, &batch)?);
        }
        Ok(ready)
    }

    /// The number of buckets of a partition, which from then on stays.
    fn number(&mut self, partition: &BinaryRow) -> Option<i32> {
        if let Some(number) = self.decided.get(partition) {
            return Some(*number);
        }
        let number = self.numbers.default()?;
        self.decided.insert(partition.clone(), number);
        Some(number)
    }

    /// Decides on the number of buckets of a partition by its rows, and gives them back.
    fn decide(&mut self, partition: BinaryRow, waiting: Waiting) -> BatchStream {
        let (rows, bytes) = waiting.size();
        self.decided.insert(partition, self.numbers.of_batch(rows, bytes));
        waiting.read()
    }

    /// Rows of one partition to its buckets.
    fn route(&self, partition: &BinaryRow, number: i32, rows: &RecordBatch) -> Result<Vec<Routed>> {
        // What the rows do, and in which order, stands before the table's columns.
        let first = rows.num_columns().saturating_sub(self.columns);
        let places: Vec<usize> = self.bucket.key.places.iter().map(|place| first + place).collect();
        let buckets = self.bucket.route(&select(rows, &places), rows.num_rows(), number)?;
        Partitioned::one(partition.clone()).split_by_bucket(&buckets, rows)
    }
}

fn undecided() -> Error {
    Error::internal("paimon-write", "rows came out before their partition had a number of buckets")
}
