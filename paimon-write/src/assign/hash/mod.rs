//! Buckets by the hashes of keys, which stay in their partition. Java: `HashBucketAssigner`.
//!
//! A key that was seen before is in the bucket whose HASH index file has its hash; keys whose hashes are equal share a
//! bucket. Files are read when a partition's first row comes, and written anew when they get new hashes.
//!
//! | module | holds |
//! |---|---|
//! | `known` | hashes and their buckets, in little memory |
//! | `partition` | which bucket a key gets: pure |
//! | `files` | the HASH index files of a table |

mod files;
mod known;
mod partition;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use futures::TryStreamExt;
use paimon_io::TableStore;
use paimon_spec::{BinaryRow, Result, TableSchema, decode_hash_index};

pub(crate) use self::files::HashFiles;
pub(crate) use self::known::{KnownHashes, LAST_BUCKET};
pub(crate) use self::partition::{BucketLimits, OwnBuckets};

use self::partition::PartitionBuckets;
use super::{IndexChanges, Share};
use crate::key_value::IncomingRows;
use crate::route::{KeyColumns, PartitionRouter, Routed};

/// The assigner of a row, among `channels` of them, `assigners` of which share the keys of a partition (Java
/// `BucketAssigner.computeAssigner`). Neither is 0.
pub(super) fn assigner_of(partition_hash: i32, key_hash: i32, channels: u32, assigners: u32) -> u32 {
    let part = |hash: i32, of: u32| (i64::from(hash) % i64::from(of)).unsigned_abs();
    ((part(partition_hash, channels) + part(key_hash, assigners)) % u64::from(channels)) as u32
}

/// How many of `channels` assigners share the keys of a partition: each makes buckets of its own.
pub(super) fn assigners_of_partition(schema: &TableSchema, channels: u32) -> Result<u32> {
    let options = schema.table_options();
    let limits = [options.dynamic_bucket_initial_buckets()?, options.dynamic_bucket_max_buckets()?];
    Ok(limits.into_iter().flatten().map(i32::unsigned_abs).fold(channels, u32::min).max(1))
}

/// Decides on the buckets of rows of a table with dynamic buckets.
pub(crate) struct HashAssigner {
    key: KeyColumns,
    partition: PartitionRouter,
    /// Of all assigners of the table.
    share: Share,
    /// Of those that a partition has.
    own: Share,
    limits: BucketLimits,
    base_snapshot: Option<i64>,
    files: HashFiles,
    places: HashMap<BinaryRow, usize>,
    partitions: Vec<PartitionBuckets>,
}

impl HashAssigner {
    /// `ignores_existing`: what is there is going to be replaced.
    pub(super) async fn open(store: &TableStore, share: Share, ignores_existing: bool) -> Result<Self> {
        let schema = store.schema();
        let snapshot = if ignores_existing { None } else { store.latest_snapshot().await? };
        let files = match &snapshot {
            Some(snapshot) => HashFiles::of(store, snapshot).await?,
            None => HashFiles::default(),
        };
        Ok(Self {
            key: KeyColumns::of_trimmed_key(schema)?,
            partition: PartitionRouter::of(schema)?,
            own: Share { assigners: assigners_of_partition(schema, share.assigners)?, ..share },
            share,
            limits: BucketLimits::of(store.options())?,
            base_snapshot: snapshot.map(|snapshot| snapshot.id),
            files,
            places: HashMap::new(),
            partitions: Vec::new(),
        })
    }

    pub(super) fn base_snapshot(&self) -> Option<i64> {
        self.base_snapshot
    }

    pub(super) async fn assign(&mut self, store: &TableStore, incoming: &IncomingRows) -> Result<Vec<Routed>> {
        let IncomingRows { values, rows, .. } = incoming;
        let partitioned = self.partition.route(values)?;
        let mut places = Vec::with_capacity(partitioned.partitions().len());
        for partition in partitioned.partitions() {
            places.push(self.place(store, partition).await?);
        }
        let mut buckets = Vec::with_capacity(values.num_rows());
        for (row, hash) in self.key.hashes_of(values)?.into_iter().enumerate() {
            let place = places[partitioned.of(row)];
            buckets.push(i32::from(self.partitions[place].assign(hash, &self.limits)?));
        }
        partitioned.split_by_bucket(&buckets, rows)
    }

    /// Ends the assigner.
    pub(super) async fn write_indexes(&mut self, store: &TableStore, written: &mut IndexChanges) -> Result<()> {
        let mut places: Vec<(BinaryRow, usize)> = self.places.drain().collect();
        places.sort_unstable_by_key(|(_, place)| *place);
        let mut added: HashMap<(BinaryRow, u16), Vec<i32>> = HashMap::new();
        for ((partition, _), buckets) in places.into_iter().zip(self.partitions.drain(..)) {
            let mut of_partition: HashMap<u16, Vec<i32>> = HashMap::new();
            for (hash, bucket) in buckets.into_added() {
                of_partition.entry(bucket).or_default().push(hash);
            }
            added.extend(of_partition.into_iter().map(|(bucket, hashes)| ((partition.clone(), bucket), hashes)));
        }
        self.files.write(store, added, written).await
    }

    /// Where the buckets of a partition are, read from its index files the first time.
    async fn place(&mut self, store: &TableStore, partition: &BinaryRow) -> Result<usize> {
        if let Some(place) = self.places.get(partition) {
            return Ok(*place);
        }
        let partition_hash = partition.hash_code();
        let (Share { assigner, assigners: channels }, assigners) = (self.share, self.own.assigners);
        let is_mine = |hash| channels == 1 || assigner_of(partition_hash, hash, channels, assigners) == assigner;
        let mut buckets = PartitionBuckets::new(self.own);
        let mut files = self.files.read(store, partition);
        while let Some((bucket, bytes)) = files.try_next().await? {
            buckets.restore(bucket, decode_hash_index(&bytes)?, is_mine);
        }
        drop(files);
        self.partitions.push(buckets);
        self.places.insert(partition.clone(), self.partitions.len() - 1);
        Ok(self.partitions.len() - 1)
    }
}
