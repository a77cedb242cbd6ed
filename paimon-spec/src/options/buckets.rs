//! Options of tables without a fixed number of buckets.

use super::{TableOptions, invalid_value};
use crate::Result;

impl TableOptions<'_> {
    /// `dynamic-bucket.target-row-num`: a bucket of so many keys is full.
    pub fn dynamic_bucket_target_rows(&self) -> Result<u64> {
        self.at_least("dynamic-bucket.target-row-num", 2_000_000, 1)
    }

    /// `dynamic-bucket.initial-buckets`: buckets that a new partition starts with; `None`: one for each assigner.
    pub fn dynamic_bucket_initial_buckets(&self) -> Result<Option<i32>> {
        self.optional_count("dynamic-bucket.initial-buckets")
    }

    /// `dynamic-bucket.max-buckets`: buckets that a partition has at most; `None`: no limit.
    pub fn dynamic_bucket_max_buckets(&self) -> Result<Option<i32>> {
        let key = "dynamic-bucket.max-buckets";
        match self.number(key, -1)? {
            -1 => Ok(None),
            limit if limit > 0 => Ok(Some(limit)),
            other => Err(invalid_value(key, other, "-1 or positive")),
        }
    }

    /// `dynamic-bucket.assigner-parallelism`: workers that share the keys of a table among them to give them buckets.
    pub fn dynamic_bucket_assigner_parallelism(&self) -> Result<Option<i32>> {
        self.optional_count("dynamic-bucket.assigner-parallelism")
    }

    /// `cross-partition-upsert.index-ttl`: keys of rows that are older may be forgotten; `None`: never.
    pub fn cross_partition_index_ttl_millis(&self) -> Result<Option<u64>> {
        self.millis("cross-partition-upsert.index-ttl")
    }

    /// `cross-partition-upsert.bootstrap-parallelism`: files that are read at a time to learn where keys are.
    pub fn cross_partition_bootstrap_parallelism(&self) -> Result<usize> {
        self.at_least("cross-partition-upsert.bootstrap-parallelism", 10, 1)
    }

    /// `postpone.batch-write-fixed-bucket`: batch writers of tables with postponed buckets put rows straight into
    /// buckets.
    pub fn postpone_batch_write_fixed_bucket(&self) -> Result<bool> {
        self.boolean("postpone.batch-write-fixed-bucket", true)
    }

    /// `postpone.batch-write-fixed-bucket.max-parallelism`: the largest number of buckets that is estimated for a
    /// partition.
    pub fn postpone_max_buckets(&self) -> Result<i32> {
        self.at_least("postpone.batch-write-fixed-bucket.max-parallelism", 2048, 1)
    }

    /// `postpone.batch-write-fixed-bucket.rescale-load-factor`: how many times more buckets than there are have to be
    /// needed for a batch write to make more.
    pub fn postpone_rescale_load_factor(&self) -> Result<i32> {
        self.at_least("postpone.batch-write-fixed-bucket.rescale-load-factor", 32, 1)
    }

    /// `postpone.default-bucket-num`: buckets of a partition that gets its first; `None`: estimated from its rows.
    pub fn postpone_default_buckets(&self) -> Result<Option<i32>> {
        self.optional_count("postpone.default-bucket-num")
    }

    /// `postpone.target-row-num-per-bucket`: rows of a bucket when the number of buckets is estimated; `None`: it is
    /// estimated by [size](Self::postpone_target_bytes_per_bucket).
    pub fn postpone_target_rows_per_bucket(&self) -> Result<Option<u64>> {
        let key = "postpone.target-row-num-per-bucket";
        self.get(key).map(|_| self.at_least(key, 1, 1)).transpose()
    }

    /// `postpone.target-size-per-bucket`: bytes of a bucket when the number of buckets is estimated.
    pub fn postpone_target_bytes_per_bucket(&self) -> Result<u64> {
        self.bytes("postpone.target-size-per-bucket", 1 << 30)
    }

    /// `postpone.merge-on-read`: batch readers merge rows that wait for a bucket with those in buckets.
    pub fn postpone_merge_on_read(&self) -> Result<bool> {
        self.boolean("postpone.merge-on-read", false)
    }

    fn optional_count(&self, key: &str) -> Result<Option<i32>> {
        self.get(key).map(|_| self.at_least(key, 1, 1)).transpose()
    }
}
