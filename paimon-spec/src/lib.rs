//! The Apache Paimon table format as values and bytes.
//!
//! A table is a folder. Its `schema/` has the versions of the [`TableSchema`]; its `snapshot/` has one [`Snapshot`] for
//! each commit. A snapshot names lists of [`manifest`]s, a manifest lists data files ([`ManifestEntry`],
//! [`DataFileMeta`]) with the partition and bucket they belong to and statistics of their columns, and an index manifest
//! names the [`DeletionVector`]s that hide rows of them. This crate decodes, checks and encodes all of that; a path or
//! byte slice comes in, a value goes out.
//!
//! # Tour
//!
//! - Columns: [`DataType`], [`DataField`], [`Datum`], and [`calendar`] for what dates and timestamps need.
//! - A table's definition: [`Schema`] (asked for), [`TableSchema`] (stored), [`SchemaChange`], [`TableOptions`].
//! - Its names and places: [`Identifier`], [`TablePaths`], [`partition_path`].
//! - Its state: [`Snapshot`], [`Tag`], [`manifest`], [`DeletionVector`].
//! - Rows made of several files: [`row_groups`], [`assign_row_ids`], and [`BlobStorage`] for values in files of their own.
//! - Its rows, as far as metadata has them: [`BinaryRow`], [`SimpleStats`], [`bucket_of`].
//! - Questions to it: [`Predicate`], answered from statistics or a row.
//! - What travels between processes: [`DataSplit`], [`CommitMessage`], [`CompactTask`].
//!
//! ```
//! use paimon_spec::{Schema, SchemaChange, TablePaths, TableSchema};
//!
//! let schema = Schema::from_json(
//!     r#"{"fields": [{"name": "id", "type": "BIGINT"}, {"name": "day", "type": "DATE"}], "partitionKeys": ["day"]}"#,
//! )?;
//! let first = TableSchema::create(schema, 1_732_260_000_000)?;
//! assert_eq!(TablePaths::new(None, None).schema(first.id), "schema/schema-0");
//!
//! let changes = r#"{"action": "addColumn", "fieldNames": ["note"], "dataType": "STRING"}"#;
//! let second = first.apply(&SchemaChange::from_json(changes)?, true, 1_732_260_001_000)?;
//! assert_eq!(second.field("note").map(|field| field.id), Some(2));
//! assert_eq!(TableSchema::from_json(&second.to_json()?)?, second);
//! # Ok::<(), paimon_spec::Error>(())
//! ```
//!
//! # What is absent
//!
//! Invariant: no I/O, no async code, no clock, no randomness, no Arrow. Data files themselves are read and written by
//! `paimon-io`. Bytes are never trusted: whatever is decoded here was checked, or is an [`Error`] of kind
//! [`ErrorKind::CorruptData`].

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod binary_row;
mod blob_columns;
mod bucket;
pub mod calendar;
mod commit_message;
mod compact_task;
mod data_file;
mod data_type;
mod datum;
mod deletion_vector;
mod error;
mod file_index;
mod hash_index;
mod identifier;
mod key_value;
mod levels;
pub mod limits;
pub mod manifest;
mod merge_options;
mod names;
mod options;
mod partition;
mod paths;
pub mod predicate;
mod row_groups;
mod row_ids;
mod row_tracking;
mod schema;
mod schema_change;
mod snapshot;
mod split;
mod stats;
mod unique_keys;

pub use binary_row::*;
pub use blob_columns::*;
pub use bucket::*;
pub use commit_message::*;
pub use compact_task::*;
pub use data_file::*;
pub use data_type::*;
pub use datum::*;
pub use deletion_vector::*;
pub use error::*;
pub use file_index::*;
pub use hash_index::*;
pub use identifier::*;
pub use key_value::*;
pub use levels::*;
pub use manifest::*;
pub use merge_options::*;
pub use options::*;
pub use partition::*;
pub use paths::*;
pub use predicate::{CompareOp, Leaf, Predicate, Test, Verdict};
pub use row_groups::*;
pub use row_ids::*;
pub use row_tracking::*;
pub use schema::*;
pub use schema_change::*;
pub use snapshot::*;
pub use split::*;
pub use stats::*;
