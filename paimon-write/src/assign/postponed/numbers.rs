//! How many buckets a partition gets whose rows waited for them (Java `PostponeUtils`).

use paimon_spec::{Error, Result, TableOptions};

/// What the number of buckets of a partition without any goes by.
#[derive(Debug, Clone)]
pub(crate) struct BucketNumbers {
    /// Exactly so many.
    default: Option<i32>,
    /// Rows of a bucket; `None`: it is told by bytes.
    target_rows: Option<u64>,
    /// Bytes of a bucket.
    target_bytes: u64,
    /// The most that a batch of rows may ask for.
    most: i32,
}

impl BucketNumbers {
    /// # Errors
    /// `InvalidInput` for unusable options.
    pub(crate) fn of(options: &TableOptions<'_>) -> Result<Self> {
        Ok(Self {
            default: options.postpone_default_buckets()?,
            target_rows: options.postpone_target_rows_per_bucket()?,
            target_bytes: options.postpone_target_bytes_per_bucket()?,
            most: options.postpone_max_buckets()?,
        })
    }

    /// The number that is the same for all partitions.
    pub(crate) fn default(&self) -> Option<i32> {
        self.default
    }

    /// For rows that are written straight into their buckets: a power of two, so that the number fits for a while.
    pub(crate) fn of_batch(&self, rows: u64, bytes: u64) -> i32 {
        let most = u64::from(self.most.unsigned_abs());
        let needed = self.needed(rows, bytes).min(most);
        let rounded = needed.checked_next_power_of_two().unwrap_or(most).min(most);
        self.default.unwrap_or(i32::try_from(rounded).unwrap_or(self.most))
    }

    /// For files that a compaction takes out of bucket -2.
    ///
    /// # Errors
    /// `InvalidInput` where no table can have so many.
    pub(crate) fn of_files(&self, rows: u64, bytes: u64) -> Result<i32> {
        if let Some(default) = self.default {
            return Ok(default);
        }
        let needed = self.needed(rows, bytes);
        i32::try_from(needed).map_err(|_| {
            Error::invalid(format!(
                "the rows that wait for a bucket would get {needed} of them: raise 'postpone.target-row-num-per-bucket' \
                 or 'postpone.target-size-per-bucket'"
            ))
        })
    }

    fn needed(&self, rows: u64, bytes: u64) -> u64 {
        let needed = match self.target_rows {
            Some(target) => rows.div_ceil(target.max(1)),
            None => bytes.div_ceil(self.target_bytes.max(1)),
        };
        needed.max(1)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::testing::keyed_schema;

    #[rstest]
    #[case::default_is_exact(&[("postpone.default-bucket-num", "3")], 1_000, 9 << 30, 3, 3)]
    #[case::nothing_needs_one(&[], 0, 0, 1, 1)]
    #[case::one_target(&[], 10, 1 << 30, 1, 1)]
    #[case::one_byte_more(&[], 10, (1 << 30) + 1, 2, 2)]
    #[case::rounded_up_for_a_batch(&[("postpone.target-size-per-bucket", "1 kb")], 10, 2_100, 4, 3)]
    #[case::rows_come_first(
        &[("postpone.target-row-num-per-bucket", "10"), ("postpone.target-size-per-bucket", "1 kb")], 41, 1 << 20, 8, 5
    )]
    #[case::no_more_than_the_most(
        &[("postpone.target-row-num-per-bucket", "1"), ("postpone.batch-write-fixed-bucket.max-parallelism", "6")],
        100, 0, 6, 100
    )]
    fn a_partition_gets_the_number_that_java_gives_it(
        #[case] options: &[(&str, &str)],
        #[case] rows: u64,
        #[case] bytes: u64,
        #[case] of_batch: i32,
        #[case] of_files: i32,
    ) {
        let schema = keyed_schema(false, &[&[("bucket", "-2")], options].concat());
        let numbers = BucketNumbers::of(&schema.table_options()).unwrap();
        assert_eq!((numbers.of_batch(rows, bytes), numbers.of_files(rows, bytes).unwrap()), (of_batch, of_files));
    }

    #[test]
    fn more_buckets_than_a_table_can_have_are_refused() {
        let schema = keyed_schema(false, &[("bucket", "-2"), ("postpone.target-size-per-bucket", "1 b")]);
        let numbers = BucketNumbers::of(&schema.table_options()).unwrap();
        let error = numbers.of_files(1, u64::MAX).unwrap_err();
        assert!(error.message().contains("postpone.target-size-per-bucket"), "{error}");
    }
}
