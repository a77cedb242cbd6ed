//! What is asked of a plan.

use paimon_spec::{FieldId, Predicate};

use crate::{Increment, ReadPoint, Slice};

/// What a read wants of a table.
#[derive(Debug, Clone)]
pub struct ScanRequest {
    /// Which state of the table.
    pub at: ReadPoint,
    /// Only what came between two states; then `at` is not looked at.
    pub increment: Option<Increment>,
    /// All row conditions, partition columns included, on the columns of the store's schema and those of row tracking.
    pub predicate: Option<Predicate>,
    /// `predicate` and `partition_predicate` together say exactly which rows are wanted: no condition is left to the
    /// caller. Only then may `limit` end the planning.
    pub filter_is_exact: bool,
    /// The columns that will be read, beside those of `predicate`; `None`: all. Of data-evolution tables, files that have
    /// none of them are left out, but for one of each row group, so that only these columns can be read from the splits;
    /// others plan as without.
    pub fields: Option<Vec<FieldId>>,
    /// Exact condition on partition values alone: files of partitions for which it is not true are left out.
    pub partition_predicate: Option<Predicate>,
    /// How many rows are enough.
    pub limit: Option<usize>,
    /// Only this part of what would be planned without. A limit then does not end the planning.
    pub slice: Option<Slice>,
    /// Of primary-key tables, only what was compacted as far as can be: the files of the greatest level, where nothing is
    /// to be merged (Java `ReadOptimizedTable`). Rows that came later, and deletions, are not seen. Increments and tables
    /// without a primary key are read as without.
    pub read_optimized: bool,
    /// Of primary-key tables, files of level 0, too, where batch readers wait for a compaction to see their rows.
    pub all_levels: bool,
    /// Only these buckets.
    pub buckets: Option<Vec<i32>>,
    /// Pack files into splits of about this size; `None`: the table's option `source.split.target-size`.
    pub split_target_bytes: Option<u64>,
    /// Keep statistics and embedded indexes in the planned files, `.blob` files apart. Without, splits are smaller to send.
    pub with_stats: bool,
}

impl Default for ScanRequest {
    /// The whole table as it is now.
    fn default() -> Self {
        Self {
            at: ReadPoint::Latest,
            increment: None,
            predicate: None,
            filter_is_exact: true,
            fields: None,
            partition_predicate: None,
            limit: None,
            slice: None,
            read_optimized: false,
            all_levels: false,
            buckets: None,
            split_target_bytes: None,
            with_stats: true,
        }
    }
}

impl ScanRequest {
    /// How many rows are enough, if no more is to be planned than that.
    pub(crate) fn limit_of_certain_rows(&self) -> Option<u64> {
        self.limit.filter(|_| self.filter_is_exact && self.slice.is_none()).and_then(|limit| u64::try_from(limit).ok())
    }
}
