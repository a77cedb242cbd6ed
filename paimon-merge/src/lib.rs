//! Reads one split of an Apache Paimon table.
//!
//! `paimon-scan` says which files answer a request and may keep too much; this crate is exact. [`read`] gives the rows of
//! a split as the table's current schema sees them: columns of older files by field id and in their current types,
//! partition columns from the metadata, without deleted rows, and only rows for which the predicate is true.
//!
//! ```no_run
//! use futures::TryStreamExt;
//! use paimon_io::TableStore;
//! use paimon_merge::{ReadRequest, read};
//! use paimon_spec::{CompareOp, DataSplit, Datum, Leaf, Predicate, Result, Test};
//!
//! async fn expensive_ids(table: &TableStore, split: &DataSplit) -> Result<usize> {
//!     let request = ReadRequest {
//!         projection: Some(vec![0]),
//!         predicate: Some(Predicate::Leaf(Leaf { field: 3, test: Test::Compare(CompareOp::Gt, Datum::Int(100)) })),
//!         limit: Some(1000),
//!         ..ReadRequest::default()
//!     };
//!     let batches = read(table, split, &request).await?;
//!     batches.try_fold(0, |rows, batch| async move { Ok(rows + batch.num_rows()) }).await
//! }
//! ```
//!
//! | module | holds |
//! |---|---|
//! | `plan` | what of a file is read, and how it becomes the rows asked for: pure |
//! | `read` | the stream: files in order, the next one opened while this one is decoded |
//! | `opening` | a file before it is read: its indexes are asked, then it is opened |
//! | `files` | the next files opened while one is decoded: one on local disks, many small ones from afar |
//! | `names` | when a file may be read by column names, without any of this |
//!
//! Invariant: nothing here looks at the latest state of a table; a split and a schema decide the rows.
//! Not here: which splits there are (`paimon-scan`), formats of files (`paimon-io`), merging of primary keys, which is
//! not supported yet.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod files;
mod names;
mod opening;
mod plan;
mod read;

pub use self::{
    names::same_by_name,
    read::{ReadRequest, read},
};

#[cfg(test)]
mod tests;
