//! What becomes of the rows of one key: the merge engines (format facts §9.2).
//!
//! | module | option `merge-engine` | a key becomes |
//! |---|---|---|
//! | `deduplicate` | `deduplicate` | its newest row |
//! | `first_row` | `first-row` | its oldest row |
//! | `partial_update` | `partial-update` | the newest values that are not NULL, by column or by sequence group |
//! | `aggregation` | `aggregation` | the aggregates of its columns |
//!
//! Rows are never boxed. The last two engines decide which rows do what to a column ([`history`]), then compute column
//! by column ([`aggregate`]); rows that only add, the common case, need no list of steps.

mod aggregate;
mod aggregation;
mod deduplicate;
mod first_row;
mod groups;
mod history;
mod not_null;
mod outcome;
mod partial_update;

use arrow::array::RecordBatch;
use paimon_spec::{MergeEngine, MergeOptions, Result, TableSchema};

pub use self::groups::KeyGroups;
use self::{
    aggregation::Aggregation, deduplicate::Deduplicate, first_row::FirstRow, not_null::NotNull,
    partial_update::PartialUpdate,
};
use crate::KeyedLayout;

/// Merges the rows of each key into one row or none (Java `MergeFunction`).
pub trait MergeFunction: Send {
    /// One row for each key that has a result, in the order of `groups`; built with [`KeyedLayout::result`]. A key whose
    /// result is a deletion has one only with `keep_deletes`; its kind is then `-D` or `-U`. Sequence number and kind
    /// are those that Java's `getResult` gives. A key of one row becomes that row as it stands, whatever the engine (Java
    /// `ReducerMergeFunctionWrapper`), unless `groups` [say otherwise](KeyGroups::stands).
    ///
    /// # Errors
    /// `InvalidInput` where the engine refuses rows, `CorruptData` for kinds that do not exist.
    fn merge(&mut self, groups: &KeyGroups<'_>, keep_deletes: bool) -> Result<RecordBatch>;
}

/// The function of the table's merge engine, for rows of `layout`.
///
/// # Errors
/// `InvalidInput` for options that do not fit together.
pub fn merge_function(table: &TableSchema, layout: &KeyedLayout) -> Result<Box<dyn MergeFunction>> {
    let options = MergeOptions::of(table)?;
    Ok(match options.engine {
        MergeEngine::Deduplicate => Box::new(Deduplicate::new(options.ignore_delete)),
        MergeEngine::FirstRow => Box::new(FirstRow::new(options.ignore_delete)),
        MergeEngine::PartialUpdate => Box::new(PartialUpdate::new(&options, layout, NotNull::new(table, layout))?),
        MergeEngine::Aggregation => Box::new(Aggregation::new(&options, layout, NotNull::new(table, layout))),
    })
}

#[cfg(test)]
mod tests;
