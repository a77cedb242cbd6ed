//! What the buckets of a table hold before they are written to.

use std::collections::HashMap;

use paimon_io::TableStore;
use paimon_scan::live_entries;
use paimon_spec::{BinaryRow, BucketMode, DataType, Error, POSTPONED_BUCKET, Result, partition_path};

use crate::assign::HashFiles;
use crate::commit::largest_sequence_number;

/// The order and the number of the buckets of the latest snapshot.
#[derive(Debug, Default)]
pub(crate) struct Existing {
    /// One more than the largest sequence number of each bucket.
    next_sequence_numbers: HashMap<(BinaryRow, i32), i64>,
    /// The same, of buckets of which nothing is known.
    first_sequence_number: i64,
    /// How many buckets each partition has, of those whose rows are in buckets; -1: as many as its keys need.
    total_buckets: HashMap<BinaryRow, i32>,
    /// Of partitions in which nobody knows all keys, a bucket that is to blame.
    unindexed: HashMap<BinaryRow, i32>,
}

impl Existing {
    /// `ignored`: what is there is going to be replaced, so that the order begins anew, with any number of buckets (Java
    /// `withIgnorePreviousFiles`).
    pub(crate) async fn read(store: &TableStore, ignored: bool) -> Result<Self> {
        let types: Vec<DataType> = store.schema().partition_fields().into_iter().map(|field| field.data_type).collect();
        let mut existing = Self::default();
        let Some(snapshot) = store.latest_snapshot().await? else { return Ok(existing) };
        if store.options().sequence_numbers_follow_snapshot()? {
            existing.first_sequence_number = largest_sequence_number(&snapshot).unwrap_or(-1).saturating_add(1);
        }
        if ignored {
            return Ok(existing);
        }
        let indexes = match store.schema().bucket_mode()? {
            BucketMode::Dynamic => Some(HashFiles::of(store, &snapshot).await?),
            _ => None,
        };
        for entry in live_entries(store, &snapshot, &|_, _| true).await? {
            let next = entry.file.max_sequence_number.checked_add(1).ok_or_else(|| {
                Error::corrupt("expected a sequence number that can be followed by another, found the largest")
                    .with_context("file", &entry.file.file_name)
            })?;
            let partition = entry.partition.normalised(&types)?;
            if entry.bucket >= 0 {
                existing.total_buckets.insert(partition.clone(), entry.total_buckets);
            }
            if indexes.as_ref().is_some_and(|indexes| !indexes.has(&partition, entry.bucket)) {
                existing.unindexed.insert(partition.clone(), entry.bucket);
            }
            let number = existing.next_sequence_numbers.entry((partition, entry.bucket)).or_insert(0);
            *number = next.max(*number);
        }
        Ok(existing)
    }

    /// The sequence number of the next row of a bucket: rows of one bucket are ordered by it, so new ones come after
    /// those that are there (Java `AbstractFileStoreWrite`).
    pub(crate) fn next_sequence_number(&self, partition: &BinaryRow, bucket: i32) -> i64 {
        let next = self.next_sequence_numbers.get(&(partition.clone(), bucket)).copied().unwrap_or(0);
        next.max(self.first_sequence_number)
    }

    /// The number of buckets of each partition that has a fixed number.
    pub(crate) fn into_total_buckets(self) -> impl Iterator<Item = (BinaryRow, i32)> {
        self.total_buckets.into_iter().filter(|(_, number)| *number > 0)
    }

    /// Refuses to write rows into buckets of a partition where those that are there would not meet them: rows of one key
    /// would be in two places. `new` is the number of buckets; rows that wait for a bucket (-2) go anywhere.
    ///
    /// # Errors
    /// `InvalidInput` when the partition has another number of buckets; `CorruptData` when a dynamic bucket has rows, but
    /// no HASH index.
    pub(crate) fn check_takes(&self, store: &TableStore, partition: &BinaryRow, new: i32) -> Result<()> {
        if new == POSTPONED_BUCKET {
            return Ok(());
        }
        if let Some(there) = self.total_buckets.get(partition).filter(|there| **there != new) {
            return Err(Error::invalid(format!(
                "the rows of {} are in {}, and the option 'bucket' says {}: overwrite them to change their number of \
                 buckets",
                describe_partition(store, partition)?,
                describe_number(*there),
                store.options().bucket()?,
            )));
        }
        if let Some(bucket) = self.unindexed.get(partition) {
            return Err(Error::corrupt(format!(
                "expected a HASH index of bucket {bucket} of {}, which has rows, found none: their keys would come into \
                 another bucket once more; overwrite the partition",
                describe_partition(store, partition)?,
            ))
            .with_context("table", store.storage().root_url()));
        }
        Ok(())
    }
}

fn describe_number(total_buckets: i32) -> String {
    match total_buckets {
        -1 => "dynamic buckets".to_owned(),
        number => format!("{number} buckets"),
    }
}

/// How errors name a partition.
pub(crate) fn describe_partition(store: &TableStore, partition: &BinaryRow) -> Result<String> {
    let (fields, options) = (store.schema().partition_fields(), store.options());
    let path = partition_path(partition, &fields, options.partition_default_name(), options.partition_legacy_name()?)?;
    Ok(if path.is_empty() { "the table".to_owned() } else { format!("partition {}", path.trim_end_matches('/')) })
}
