//! Which bucket of its partition a new key gets.

use paimon_spec::{Result, TableSchema};

use crate::assign::Share;
use crate::assign::hash::{BucketLimits, OwnBuckets, assigners_of_partition};

/// How many keys the buckets of each partition have (Java `crosspartition.BucketAssigner`).
#[derive(Debug)]
pub(super) struct Buckets {
    share: Share,
    limits: BucketLimits,
    /// By the partition's number.
    partitions: Vec<OwnBuckets>,
}

impl Buckets {
    /// # Errors
    /// `InvalidInput` for options that are no numbers of rows or buckets.
    pub(super) fn of(schema: &TableSchema, share: Share) -> Result<Self> {
        let assigners = assigners_of_partition(schema, share.assigners)?;
        let limits = BucketLimits::of(schema.table_options())?;
        Ok(Self { share: Share { assigners, ..share }, limits, partitions: Vec::new() })
    }

    /// Counts keys that are there.
    pub(super) fn count(&mut self, partition: u32, bucket: i32, keys: u64) {
        if let Ok(bucket) = u16::try_from(bucket) {
            self.partition(partition).restore(bucket, keys);
        }
    }

    /// Counts a key that is there no longer.
    pub(super) fn uncount(&mut self, partition: u32, bucket: i32) {
        let limits = self.limits;
        if let Ok(bucket) = u16::try_from(bucket) {
            self.partition(partition).release(bucket, &limits);
        }
    }

    /// The bucket of a new key. `hash`: the key's.
    ///
    /// # Errors
    /// `InvalidInput` when there would be too many buckets.
    pub(super) fn assign(&mut self, partition: u32, hash: u64) -> Result<i32> {
        let limits = self.limits;
        self.partition(partition).take(hash as i32, &limits).map(i32::from)
    }

    fn partition(&mut self, number: u32) -> &mut OwnBuckets {
        let (number, share) = (number as usize, self.share);
        if number >= self.partitions.len() {
            self.partitions.resize_with(number + 1, || OwnBuckets::new(share));
        }
        &mut self.partitions[number]
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::testing::table_schema;

    fn buckets(options: &[(&str, &str)], assigner: u32, assigners: u32) -> Buckets {
        let full = ("dynamic-bucket.target-row-num", "2");
        let options: Vec<_> = options.iter().copied().chain([full]).collect();
        Buckets::of(&table_schema(true, &options), Share { assigner, assigners }).unwrap()
    }

    fn assigned(buckets: &mut Buckets, keys: usize) -> Vec<i32> {
        (0..keys).map(|key| buckets.assign(0, key as u64).unwrap()).collect()
    }

    #[rstest]
    #[case::alone(0, 1, &[], &[0, 0, 1, 1, 2, 2, 3])]
    #[case::the_second_of_three(1, 3, &[], &[1, 1, 4, 4, 7, 7, 10])]
    #[case::more_workers_than_buckets(3, 4, &[("dynamic-bucket.max-buckets", "2")], &[1, 1, 1, 1, 1, 1, 1])]
    fn new_keys_fill_bucket_after_bucket(
        #[case] assigner: u32,
        #[case] assigners: u32,
        #[case] options: &[(&str, &str)],
        #[case] expected: &[i32],
    ) {
        assert_eq!(assigned(&mut buckets(options, assigner, assigners), expected.len()), expected);
    }

    #[test]
    fn room_that_keys_leave_is_taken_again() {
        let mut buckets = buckets(&[], 0, 1);
        assert_eq!(assigned(&mut buckets, 6), [0, 0, 1, 1, 2, 2]);
        buckets.uncount(0, 1);
        buckets.uncount(0, 0);
        buckets.uncount(0, 0);
        assert_eq!(assigned(&mut buckets, 4), [0, 0, 1, 3]);
    }

    #[test]
    fn what_is_there_counts_in_its_partition_and_gaps_are_filled() {
        let mut buckets = buckets(&[], 1, 2);
        for (bucket, keys) in [(0, 2), (3, 1), (3, 1), (5, 1)] {
            buckets.count(0, bucket, keys);
        }
        // Bucket 0 is another worker's, and 1 is not there yet.
        assert_eq!(assigned(&mut buckets, 4), [5, 1, 1, 7]);
        assert_eq!(buckets.assign(1, 0).unwrap(), 1);
    }
}
