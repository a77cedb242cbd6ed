//! Writes Apache Paimon tables: record batches to data files, data files to snapshots, atomically.
//!
//! Writing has two halves. Any number of [`TableWriter`]s, on any machines, turn record batches into data files that
//! nobody sees yet, and say what they wrote in [`CommitMessage`](paimon_spec::CommitMessage)s. Then one call of
//! [`commit`] makes all of it visible at once, as one new snapshot.
//!
//! ```
//! use std::collections::BTreeMap;
//! use std::sync::Arc;
//! use arrow::array::{ArrayRef, Int32Array, RecordBatch};
//! use paimon_io::testkit;
//! use paimon_spec::{DataField, DataType, Schema, TypeKind};
//! use paimon_write::{CommitMode, CommitRequest, Committed, TableWriter, WriteOptions, commit};
//!
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! let fields = vec![DataField::new(0, "id", DataType::nullable(TypeKind::Int))];
//! let table = testkit::create_table(Schema { fields, ..Schema::default() }).await;
//!
//! let mut writer = TableWriter::open(table.clone(), WriteOptions::default()).await?;
//! let ids: ArrayRef = Arc::new(Int32Array::from(vec![1, 2, 3]));
//! writer.write(&RecordBatch::try_from_iter([("id", ids)]).unwrap()).await?;
//! let messages = writer.prepare_commit().await?;
//!
//! let request = CommitRequest {
//!     user: "a-job".to_owned(),
//!     identifier: paimon_write::BATCH_IDENTIFIER,
//!     mode: CommitMode::Append,
//!     properties: BTreeMap::new(),
//!     table_identity: table.identity().await?,
//! };
//! assert_eq!(commit(&table, &request, &messages).await?, Committed::Snapshot(1));
//! assert_eq!(table.latest_snapshot().await?.unwrap().total_record_count, Some(3));
//! # Ok::<(), paimon_spec::Error>(())
//! # }).unwrap();
//! ```
//!
//! | module | holds |
//! |---|---|
//! | `options` | what of a table a writer goes by, and which tables are not written yet |
//! | `writer` | [`TableWriter`]: one file writer for each bucket of each partition, within a memory budget |
//! | `write_type` | which of a table's columns rows bring, and which of them files get |
//! | `align` | a caller's columns to the table's columns |
//! | `blob_input` | values of BLOB columns: bytes, references, and what is kept in data files |
//! | `route` | rows to partitions and buckets |
//! | `assign` | rows to dynamic buckets; see there for its modules |
//! | `existing` | the order and the number of the buckets that are there |
//! | `bucket_writer` | what writes the rows of one bucket, by the kind of its table |
//! | `append` | one bucket's rows of an append table to files, and files to their metadata |
//! | `key_value` | one bucket's rows of a primary-key table to sorted files; see there for its modules |
//! | `column_groups` | columns that share files: data files, and each BLOB column in `.blob` files |
//! | `blob_sizes` | how many values of a BLOB column fill a file |
//! | `rolling` | one file after another, each about as large as wanted |
//! | `file_index` | indexes of a file, as the options ask for them |
//! | `file_stats` | statistics of a file's columns, as the table's options want them |
//! | `vector_files` | index files with deletion vectors, written anew where vectors change |
//! | `update` | [`TableUpdate`]: changes of rows that are there; see there for its modules |
//! | `commit` | [`commit`] and [`abort`]; see there for its modules |
//! | `compact` | [`compact()`] and its parts: fewer files, new rows made visible; see there for its modules |
//! | `tag` | snapshots under names, for as long as it is said |
//! | `branch` | branches, and what makes one of them the main history |
//! | `rollback` | back to an older state |
//! | `history` | the steps that rollbacks and fast-forwards share |
//!
//! Invariants: neither `commit` nor a change of the history ever deletes a data file; nothing is acknowledged before the
//! snapshot is published by one exclusive create; nothing that may be referenced is deleted while the outcome of a
//! publication is unknown.
//! Not here: primary-key tables that have BLOB columns, expiry.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod align;
mod append;
mod assign;
mod blob_input;
mod blob_sizes;
mod branch;
mod bucket_writer;
mod column_groups;
mod commit;
mod compact;
mod existing;
mod file_index;
mod file_stats;
mod history;
mod key_value;
mod options;
mod rollback;
mod rolling;
mod route;
mod tag;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod update;
mod vector_files;
mod write_type;
mod writer;

pub use assign::{AssignedColumns, AssignerRouter, RowAssigner, Share};
pub use branch::{create_branch, drop_branch, fast_forward, rename_branch};
pub use commit::{
    BATCH_IDENTIFIER, CommitMode, CommitRequest, Committed, Conflict, ManifestStats, abort, commit, find_commit,
    find_conflict, merge_manifests, outcome_is_unknown,
};
pub use compact::{
    BucketStats, CompactPlan, CompactProgress, CompactRequest, Compacted, after_commit, commit_compaction, compact,
    plan_compaction, run_task,
};
pub use options::{AssignedBuckets, WriteOptions};
pub use rollback::rollback;
pub use route::{ChannelRouter, bucket_of_rows};
pub use tag::{Retention, create_tag, expire_tags, rename_tag, replace_tag};
pub use update::TableUpdate;
pub use writer::TableWriter;
