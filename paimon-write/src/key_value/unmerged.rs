//! A merge function that keeps all rows.

use arrow::array::RecordBatch;
use paimon_merge::{KeyGroups, MergeFunction};
use paimon_spec::Result;

/// Sorts and does not merge: for rows that are merged later, and for changelogs.
#[derive(Debug)]
pub(super) struct Unmerged;

impl MergeFunction for Unmerged {
    fn merge(&mut self, groups: &KeyGroups<'_>, _keep_deletes: bool) -> Result<RecordBatch> {
        groups.layout().result(groups.rows(), |column| groups.gather(column))
    }
}
