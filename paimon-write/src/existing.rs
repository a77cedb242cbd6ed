//! What the buckets of a table hold before they are written to.

use std::collections::HashMap;

use paimon_io::TableStore;
use paimon_scan::live_entries;
use paimon_spec::{BinaryRow, DataType, Error, Result, partition_path};

use crate::commit::largest_sequence_number;

/// The order and the number of the buckets of the latest snapshot.
#[derive(Debug, Default)]
pub(crate) struct Existing {
    /// One more than the largest sequence number of each bucket.
    next_sequence_numbers: HashMap<(BinaryRow, i32), i64>,
    /// The same, of buckets of which nothing is known.
    first_sequence_number: i64,
    total_buckets: HashMap<BinaryRow, i32>,
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
        for entry in live_entries(store, &snapshot, &|_, _| true).await? {
            let next = entry.file.max_sequence_number.checked_add(1).ok_or_else(|| {
                Error::corrupt("expected a sequence number that can be followed by another, found the largest")
                    .with_context("file", &entry.file.file_name)
            })?;
            let partition = entry.partition.normalised(&types)?;
            if entry.total_buckets > 0 {
                existing.total_buckets.insert(partition.clone(), entry.total_buckets);
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

    /// The number of buckets of each partition that has some.
    pub(crate) fn into_total_buckets(self) -> HashMap<BinaryRow, i32> {
        self.total_buckets
    }

    /// Refuses to write rows into another number of buckets than that of the rows of their partition: those of one key
    /// would be in two places. Rows that wait for a bucket (`new` is -2) go anywhere.
    ///
    /// # Errors
    /// `InvalidInput`, naming both numbers.
    pub(crate) fn check_total_buckets(&self, store: &TableStore, partition: &BinaryRow, new: i32) -> Result<()> {
        match self.total_buckets.get(partition) {
            Some(there) if new > 0 && *there != new => {
                let of = describe_partition(store, partition)?;
                Err(Error::invalid(format!(
                    "the rows of {of} are in {there} buckets, and the option 'bucket' says {new}: overwrite them to \
                     change their number of buckets"
                )))
            }
            _ => Ok(()),
        }
    }
}

/// How errors name a partition.
pub(crate) fn describe_partition(store: &TableStore, partition: &BinaryRow) -> Result<String> {
    let (fields, options) = (store.schema().partition_fields(), store.options());
    let path = partition_path(partition, &fields, options.partition_default_name(), options.partition_legacy_name()?)?;
    Ok(if path.is_empty() { "the table".to_owned() } else { format!("partition {}", path.trim_end_matches('/')) })
}
