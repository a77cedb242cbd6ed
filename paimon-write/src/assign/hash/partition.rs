//! The buckets of the keys of one partition: pure. Java: `PartitionIndex`, `SimpleHashBucketAssigner`.

use std::collections::BTreeMap;

use paimon_spec::{Error, Result, TableOptions};

use super::known::{KnownHashes, LAST_BUCKET};
use crate::assign::Share;

/// How buckets are filled.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BucketLimits {
    /// Keys that fill a bucket.
    pub(crate) target_rows: u64,
    /// The most buckets that a partition may have; `None`: as many as it needs.
    pub(crate) max_buckets: Option<i32>,
}

impl BucketLimits {
    pub(crate) fn of(options: TableOptions<'_>) -> Result<Self> {
        Ok(Self {
            target_rows: options.dynamic_bucket_target_rows()?,
            max_buckets: options.dynamic_bucket_max_buckets()?,
        })
    }

    /// One more than the last bucket that may be made.
    fn end(&self) -> u32 {
        let all = u32::from(LAST_BUCKET) + 1;
        self.max_buckets.map_or(all, |most| most.unsigned_abs().min(all))
    }
}

/// Decides on the buckets of the keys of one partition that one assigner has a share of.
#[derive(Debug)]
pub(crate) struct PartitionBuckets {
    known: KnownHashes,
    buckets: OwnBuckets,
}

impl PartitionBuckets {
    /// Of a partition without keys.
    pub(crate) fn new(share: Share) -> Self {
        Self { known: KnownHashes::default(), buckets: OwnBuckets::new(share) }
    }

    /// Takes the hashes of the index file of a bucket, which is [`LAST_BUCKET`] at most. `is_mine`: whether rows of such a
    /// key come to this assigner.
    pub(crate) fn restore(
        &mut self,
        bucket: u16,
        hashes: impl ExactSizeIterator<Item = i32>,
        is_mine: impl Fn(i32) -> bool,
    ) {
        self.known.reserve(hashes.len() / self.buckets.share.assigners as usize);
        self.buckets.restore(bucket, hashes.len() as u64);
        for hash in hashes.filter(|hash| is_mine(*hash)) {
            self.known.restore(hash, bucket);
        }
    }

    /// The bucket of a key: where it is, else the first that is not full, else a new one.
    ///
    /// # Errors
    /// `InvalidInput` when there would be too many buckets.
    pub(crate) fn assign(&mut self, hash: i32, limits: &BucketLimits) -> Result<u16> {
        if let Some(bucket) = self.known.get(hash) {
            return Ok(bucket);
        }
        let bucket = self.buckets.take(hash, limits)?;
        self.known.add(hash, bucket);
        Ok(bucket)
    }

    /// Hashes of keys that are new, with their buckets.
    pub(crate) fn into_added(self) -> impl Iterator<Item = (i32, u16)> {
        self.known.into_added()
    }
}

/// The buckets of a partition that one assigner fills.
#[derive(Debug)]
pub(crate) struct OwnBuckets {
    share: Share,
    /// Rows of those that are not full.
    open: BTreeMap<u16, u64>,
    all: Vec<u16>,
    /// Buckets before this one are there, or others'.
    next: u32,
}

impl OwnBuckets {
    pub(crate) fn new(share: Share) -> Self {
        Self { share, open: BTreeMap::new(), all: Vec::new(), next: share.assigner % share.assigners }
    }

    /// A bucket that is there, and rows in it; others' buckets are passed over.
    pub(crate) fn restore(&mut self, bucket: u16, rows: u64) {
        if !self.share.owns(bucket.into()) || rows == 0 {
            return;
        }
        if let Err(place) = self.all.binary_search(&bucket) {
            self.all.insert(place, bucket);
        }
        *self.open.entry(bucket).or_insert(0) += rows;
    }

    /// A row less in a bucket, which may have room for another one now.
    pub(crate) fn release(&mut self, bucket: u16, limits: &BucketLimits) {
        if self.share.owns(bucket.into()) {
            let rows = self.open.entry(bucket).or_insert(limits.target_rows);
            *rows = rows.saturating_sub(1);
        }
    }

    /// The bucket of one more row. `hash` of its key chooses among full ones.
    ///
    /// # Errors
    /// `InvalidInput` when there would be too many.
    pub(crate) fn take(&mut self, hash: i32, limits: &BucketLimits) -> Result<u16> {
        while let Some(mut first) = self.open.first_entry() {
            if *first.get() < limits.target_rows {
                *first.get_mut() += 1;
                return Ok(*first.key());
            }
            first.remove();
        }
        while self.next < limits.end() {
            let bucket = self.next as u16;
            self.next += self.share.assigners;
            if let Err(place) = self.all.binary_search(&bucket) {
                self.all.insert(place, bucket);
                self.open.insert(bucket, 1);
                return Ok(bucket);
            }
        }
        // Java chooses one by chance.
        let chosen = hash.unsigned_abs() as usize % self.all.len().max(1);
        match self.all.get(chosen) {
            Some(bucket) if limits.max_buckets.is_some() => Ok(*bucket),
            _ => Err(Error::invalid(format!(
                "a partition has {} buckets, which is the most there can be, and all are full: raise \
                 'dynamic-bucket.target-row-num', which is {}, or overwrite the partition",
                limits.end(),
                limits.target_rows
            ))),
        }
    }
}
