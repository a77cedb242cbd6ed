//! What a merge says of each key beside the values of its columns.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int8Array, Int64Array, RecordBatch};
use paimon_spec::{Result, RowKind};

use super::KeyGroups;
use crate::KeyedLayout;

/// The keys that have a result, in order.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    kinds: Vec<RowKind>,
    /// The rows that gave their sequence numbers; none where no row counted.
    newest: Vec<Option<usize>>,
}

impl Outcome {
    pub(super) fn push(&mut self, kind: RowKind, newest: Option<usize>) {
        self.kinds.push(kind);
        self.newest.push(newest);
    }

    /// The merged rows; `column` computes the columns of the table.
    pub(super) fn rows(
        &self,
        groups: &KeyGroups<'_>,
        mut column: impl FnMut(usize) -> Result<ArrayRef>,
    ) -> Result<RecordBatch> {
        groups.layout().result(self.kinds.len(), |position| match position {
            KeyedLayout::KIND => Ok(Arc::new(self.kinds.iter().map(|kind| kind.code()).collect::<Int8Array>())),
            KeyedLayout::SEQUENCE => {
                let numbers = groups.sequence_numbers()?;
                let number = |row: &Option<usize>| row.and_then(|row| numbers.get(row)).copied().unwrap_or(0);
                Ok(Arc::new(self.newest.iter().map(number).collect::<Int64Array>()))
            }
            position => column(position),
        })
    }
}
