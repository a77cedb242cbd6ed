//! Rows of whole keys become one row each, or none.

use std::sync::Arc;

use arrow::array::RecordBatch;
use paimon_spec::Result;

use crate::{
    KeyGroups, KeyedLayout, MergeFunction,
    chunk::{Chunk, RowOrder, Ties},
    levels::{Origin, leave_newest_level},
};

/// How rows become keys with one row each.
pub(crate) struct Merging {
    pub(crate) order: RowOrder,
    function: Box<dyn MergeFunction>,
    keep_deletes: bool,
    /// By rank, where of the rows above level 0 only those of the smallest level count; otherwise nothing.
    levels: Vec<Origin>,
}

impl Merging {
    /// # Errors
    /// As [`RowOrder::new`].
    pub(crate) fn new(
        layout: Arc<KeyedLayout>,
        function: Box<dyn MergeFunction>,
        ties: Ties,
        keep_deletes: bool,
    ) -> Result<Self> {
        Ok(Self { order: RowOrder::new(layout, ties)?, function, keep_deletes, levels: Vec::new() })
    }

    /// Counts of the rows of a key above level 0 only those of the smallest level: that one was merged with all deeper
    /// ones when it was written (Java `LookupMergeFunction`).
    pub(crate) fn with_levels(self, origins: &[Origin]) -> Self {
        Self { levels: origins.to_vec(), ..self }
    }

    /// Merges the rows of a chunk and forgets them; the batches stay. No key may be cut.
    pub(crate) fn merge(&mut self, chunk: &mut Chunk) -> Result<RecordBatch> {
        if !self.levels.is_empty() {
            leave_newest_level(chunk, &self.levels);
        }
        let merged = merge_rows(&self.order, &mut *self.function, chunk, self.keep_deletes, true)?;
        chunk.forget_rows();
        Ok(merged)
    }
}

/// Merges the rows of a chunk. Those that are alone with their keys may stand as they are, see [`KeyGroups::stands`].
pub(crate) fn merge_rows(
    order: &RowOrder,
    function: &mut dyn MergeFunction,
    chunk: &mut Chunk,
    keep_deletes: bool,
    lone_rows_stand: bool,
) -> Result<RecordBatch> {
    chunk.order_within_keys(order);
    let groups = KeyGroups::new(&order.layout, &chunk.batches, &chunk.rows, &chunk.ends);
    let groups = if lone_rows_stand { groups } else { groups.merging_lone_rows() };
    function.merge(&groups, keep_deletes)
}
