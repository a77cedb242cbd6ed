//! `deduplicate`: the newest row of a key is its row.

use arrow::array::RecordBatch;
use paimon_spec::Result;

use super::{KeyGroups, MergeFunction};

/// The newest row wins; a key whose newest row takes it back is deleted (Java `DeduplicateMergeFunction`).
#[derive(Debug)]
pub(super) struct Deduplicate {
    ignore_delete: bool,
}

impl Deduplicate {
    /// With `ignore_delete`, rows that take back are left out before the newest is chosen.
    pub(super) fn new(ignore_delete: bool) -> Self {
        Self { ignore_delete }
    }
}

impl MergeFunction for Deduplicate {
    fn merge(&mut self, groups: &KeyGroups<'_>, keep_deletes: bool) -> Result<RecordBatch> {
        // No group is empty.
        let newest = |end: usize| end.saturating_sub(1);
        if !self.ignore_delete {
            return groups.pick_result(groups.ends().iter().map(|end| newest(*end)).collect(), keep_deletes);
        }
        let kinds = groups.kinds()?;
        let chosen = groups.groups().filter_map(|mut group| match groups.stands(&group) {
            true => Some(group.start),
            false => group.rfind(|row| !kinds[*row].is_retract()),
        });
        groups.pick_result(chosen.collect(), keep_deletes)
    }
}
