//! How the rows of a table find their bucket.

use super::TableSchema;
use crate::{Error, Result};

/// [`CommitMessage::bucket`](crate::CommitMessage::bucket) and `_BUCKET` of rows that wait for a compaction to give them
/// one, and the option `bucket` of tables that have such rows.
pub const POSTPONED_BUCKET: i32 = -2;

/// How the rows of a table find their bucket (Java `BucketMode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BucketMode {
    /// By the hash of the bucket key, among so many; in tables without a primary key, too. Keys of several partitions
    /// are not compared, whatever columns the primary key has.
    Fixed,
    /// By an index of the hashes of keys, kept beside each bucket: a partition's buckets grow in number with its keys.
    Dynamic,
    /// As [`Dynamic`](Self::Dynamic), but a key may be in any partition, and is known by reading the table.
    KeyDynamic,
    /// By a compaction, later: until then they are in bucket -2.
    Postponed,
    /// There are none: all files are in bucket 0.
    Unaware,
}

impl TableSchema {
    /// How rows find their bucket, by the option `bucket` and the keys.
    ///
    /// # Errors
    /// `InvalidInput` when no such table can have that many buckets.
    pub fn bucket_mode(&self) -> Result<BucketMode> {
        let keyed = !self.primary_keys.is_empty();
        match self.table_options().bucket()? {
            1.. => Ok(BucketMode::Fixed),
            -1 if !keyed => Ok(BucketMode::Unaware),
            -1 if self.has_keys_across_partitions() => Ok(BucketMode::KeyDynamic),
            -1 => Ok(BucketMode::Dynamic),
            POSTPONED_BUCKET if keyed => Ok(BucketMode::Postponed),
            other => {
                let found = format!("the option 'bucket' must be positive, or -1 for no fixed buckets, found {other}");
                Err(Error::invalid(found))
            }
        }
    }

    /// Whether rows of one key may be in several partitions, because the key does not say in which.
    pub fn has_keys_across_partitions(&self) -> bool {
        !self.primary_keys.is_empty() && self.partition_keys.iter().any(|key| !self.primary_keys.contains(key))
    }
}
