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
//! Rows of a table with a primary key are merged: of the rows that share a key, the table's merge engine makes one
//! (format facts §9). The same merge serves writers, with [`merge_buffer`] for rows in memory and [`merge_sorted`] for
//! runs of them.
//!
//! Tables with column groups (data evolution) keep a row in several files. Those that have the same rows are stitched:
//! each column comes from the newest file that has it, BLOB columns row by row from several files; `_ROW_ID` and
//! `_SEQUENCE_NUMBER` are columns like others where the table tracks rows (format facts §12 and §13).
//!
//! ```text
//! split -> row groups -> all columns in one file:  read as it stands
//!                        otherwise:                rows that may be wanted -> lanes of columns, row by row side by side
//! split -> sections -> one run:   read as it stands, under the whole predicate
//!                      more runs: each decoded under what the key says of the predicate -> loser tree
//!                                 -> chunks of whole keys -> merge function -> the predicate, exactly
//! ```
//!
//! | module | holds |
//! |---|---|
//! | `plan` | what of a file is read, and how it becomes the rows asked for: pure |
//! | `request` | [`ReadRequest`]: what is asked of a split |
//! | `read` | the rows of a split: file after file, stitched, or merged |
//! | `group` | which files make which rows, and how these are read |
//! | `stitch` | a row group: rows that may be wanted, the condition first, then the other columns |
//! | `lanes` | columns of several files in step |
//! | `blobs` | a BLOB column in files of its own: which file gives which row |
//! | `row_ids` | row ids and sequence numbers, as conditions and as columns |
//! | `opening` | a file of a split before it is read: its indexes are asked, then it is opened |
//! | `files` | files in order: the next ones opened while one is decoded: one on local disks, many small ones from afar |
//! | `names` | when a file may be read by column names, without any of this |
//! | `keyed` | splits whose files overlap: sections, and what is read of each |
//! | `unmerged` | [`read_unmerged`]: rows of keyed files as they stand |
//! | `rewrite` | [`rewrite()`]: what a compaction writes of the files of a bucket |
//! | `levels` | which rows of a key count, by the levels of their files |
//! | `look_up` | one key: the newest run that has it decides |
//! | `width` | how many rows fit a number of bytes |
//! | `layout` | [`KeyedLayout`]: the columns of rows under a merge |
//! | `order` | keys and sequence fields in forms that compare fast |
//! | `loser_tree` | the least of several heads |
//! | `stretches` | files by age and by keys: which are read one after the other, which are merged |
//! | `many_runs` | runs on their way into a merge, within a number of bytes |
//! | `chunk` | rows of whole keys, oldest first, on their way into a function |
//! | `merging` | rows of whole keys become one each |
//! | `sorted`, `buffer` | [`merge_sorted`] and [`merge_buffer`] |
//! | `function` | [`MergeFunction`] and the merge engines |
//!
//! Invariants: nothing here looks at the latest state of a table; a split and a schema decide the rows. No condition on a
//! column outside the key is looked at before rows are merged. No file of a row group leaves rows out by itself. In
//! memory of a merge are a few batches of each run, within [`ReadRequest::memory_bytes`].
//! Not here: which splits there are (`paimon-scan`), formats of files (`paimon-io`), files of merged rows
//! (`paimon-write`).
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod blobs;
mod buffer;
mod chunk;
mod columns;
mod files;
mod function;
mod group;
mod keyed;
mod lanes;
mod layout;
mod levels;
mod look_up;
mod loser_tree;
mod many_runs;
mod merging;
mod names;
mod opening;
mod order;
mod plan;
mod read;
mod request;
mod rewrite;
mod row_ids;
mod sorted;
mod stitch;
mod stretches;
mod unmerged;
mod width;

pub use self::{
    buffer::merge_buffer,
    function::{KeyGroups, MergeFunction, merge_function},
    layout::KeyedLayout,
    names::same_by_name,
    read::read,
    request::ReadRequest,
    rewrite::{Changelog, Rewrite, Rewritten, rewrite},
    sorted::merge_sorted,
    unmerged::read_unmerged,
};

#[cfg(test)]
mod tests;
