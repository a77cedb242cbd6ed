//! Fewer files with fewer rows that do not count any more.
//!
//! A compaction is planned ([`plan_compaction`]), carried out task by task on any worker ([`run_task`]), and published as
//! one snapshot ([`commit_compaction`]). Whatever stands against a task by then goes first: the task gives way, its files
//! are deleted, and nothing else is the worse for it. [`compact`] does all of it here. What a commit of rows asks for is
//! done by [`after_commit`].
//!
//! | module | holds |
//! |---|---|
//! | `buckets` | the files of a snapshot by bucket, and what is known of them |
//! | `plan` | a request to tasks |
//! | `levels` | the sorted runs of a bucket of a primary-key table |
//! | `policy` | which of these runs are merged next |
//! | `keyed` | a task of a primary-key table: what is rewritten, what only changes its level |
//! | `vectors` | the deletion vectors of a bucket after its files have changed |
//! | `append` | tables without a primary key; see there for its modules |
//! | `evolving` | tables with data evolution; see there for its modules |
//! | `postponed` | rows that wait for a bucket |
//! | `batches` | how many rows go through at a time |
//! | `publish` | messages of tasks to snapshots |
//! | `published` | what becomes of files that are not published |
//! | `after_commit` | what rows that were just committed ask for |
//!
//! Invariants: a task reads one snapshot; the files that it replaces are deleted from the table by the very snapshot that
//! adds the new ones; of what is published no file is ever deleted here.

mod after_commit;
mod append;
mod batches;
mod buckets;
mod evolving;
mod keyed;
mod levels;
mod plan;
mod policy;
mod postponed;
mod publish;
mod published;
mod run;
#[cfg(test)]
mod tests;
mod vectors;

use std::collections::BTreeMap;

use paimon_spec::{BinaryRow, CompactTask};

use crate::commit::ManifestStats;
pub use after_commit::after_commit;
pub use plan::plan_compaction;
pub use publish::{commit_compaction, compact};
pub use run::run_task;

/// What is to be compacted.
#[derive(Debug, Clone, Default)]
pub struct CompactRequest {
    /// Whether all files of a bucket are to become one sorted run, or as few files as possible, and manifests as few as
    /// possible; else only what the table's options find worth it.
    pub full: bool,
    /// Only partitions that match one of these specs (column to value as text; columns may be left out); none: all.
    pub partitions: Vec<BTreeMap<String, String>>,
    /// Bytes of memory for the rows of all tasks that run at the same time; `None`: the table's `write-buffer-size`.
    pub memory_bytes: Option<u64>,
}

/// What a compaction is going to do.
#[derive(Debug, Clone, PartialEq)]
pub struct CompactPlan {
    /// The snapshot that was planned; `None`: the table is empty.
    pub snapshot_id: Option<i64>,
    /// What is to be done, each for itself, in any order.
    pub tasks: Vec<CompactTask>,
    /// The buckets that tasks touch, by partition and bucket: all that is in them.
    pub buckets: Vec<BucketStats>,
    /// The manifests of the snapshot.
    pub manifests: ManifestStats,
}

/// What is in one bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketStats {
    /// Values of the partition columns.
    pub partition: BinaryRow,
    /// The bucket.
    pub bucket: i32,
    /// Data files.
    pub files: u64,
    /// Of these, files of level 0.
    pub level_0_files: u64,
    /// Bytes of the data files.
    pub bytes: u64,
    /// Physical rows of the data files.
    pub rows: u64,
}

/// What a compaction came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compacted {
    /// The last snapshot that was published; `None`: there was nothing to publish.
    pub snapshot: Option<i64>,
    /// Which tasks gave way to other commits, by their places: their files are deleted, the table's are as they were.
    pub gave_way: Vec<usize>,
    /// The manifests afterwards.
    pub manifests_after: ManifestStats,
}

/// How far a compaction is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CompactProgress {
    /// Tasks that are done.
    pub tasks_done: usize,
    /// Tasks that are planned.
    pub tasks: usize,
    /// Bytes of the files that were rewritten.
    pub bytes_done: u64,
    /// Bytes of the files of all tasks.
    pub bytes: u64,
}
