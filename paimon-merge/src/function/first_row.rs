//! `first-row`: the oldest row of a key is its row.

use arrow::array::RecordBatch;
use paimon_spec::{Error, Result, RowKind};

use super::{KeyGroups, MergeFunction};

/// The oldest row wins (Java `FirstRowMergeFunction`). Rows that take back are refused, or ignored where the table says
/// so.
#[derive(Debug)]
pub(super) struct FirstRow {
    ignore_delete: bool,
}

impl FirstRow {
    /// With `ignore_delete`, rows that take back are left out instead of being refused.
    pub(super) fn new(ignore_delete: bool) -> Self {
        Self { ignore_delete }
    }
}

impl MergeFunction for FirstRow {
    fn merge(&mut self, groups: &KeyGroups<'_>, keep_deletes: bool) -> Result<RecordBatch> {
        let kinds = groups.kinds()?;
        let mut oldest = Vec::with_capacity(groups.keys());
        for mut group in groups.groups() {
            if groups.stands(&group) {
                oldest.push(group.start);
                continue;
            }
            if !self.ignore_delete
                && let Some(row) = group.clone().find(|row| kinds[*row].is_retract())
            {
                return Err(refused(kinds[row]));
            }
            oldest.extend(group.find(|row| !kinds[*row].is_retract()));
        }
        groups.pick_result(oldest, keep_deletes)
    }
}

fn refused(kind: RowKind) -> Error {
    Error::invalid(format!(
        "merge engine 'first-row' cannot take rows of kind {kind}; set 'ignore-delete' to 'true' to ignore them"
    ))
}
