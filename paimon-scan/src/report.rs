//! What planning saw and left out.

use std::ops::AddAssign;

/// Before / after counts of each pruning stage. The stages follow one another, so that what one leaves is what the next
/// one gets; with a limit, planning may stop before it has seen all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScanReport {
    /// Manifests of the snapshot that add files, and those that were read.
    pub manifests: Stage,
    /// Added files in all manifests, and those in wanted partitions.
    pub partitions: Stage,
    /// Files in wanted partitions, and those in wanted buckets.
    pub buckets: Stage,
    /// Files in wanted buckets, and those that are live and may have wanted rows; `.blob` files of columns that nobody
    /// reads go here, too.
    pub files: Stage,
    /// Files that may have wanted rows by their statistics, and those left by the file indexes in their entries.
    pub file_index: Stage,
    /// Files left by their indexes, and those left when files whose rows are merged or pieced together are looked at
    /// together.
    pub sections: Stage,
    /// Manifest entries that were decoded.
    pub entries_read: u64,
    /// Planning ended early because the limit was covered.
    pub limit_stopped: bool,
}

/// One stage of pruning.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stage {
    /// How many went in.
    pub before: u64,
    /// How many were left.
    pub after: u64,
}

impl Stage {
    /// Counts one more; returns `kept`.
    pub(crate) fn count(&mut self, kept: bool) -> bool {
        self.before += 1;
        self.after += u64::from(kept);
        kept
    }
}

impl AddAssign for Stage {
    fn add_assign(&mut self, other: Self) {
        self.before += other.before;
        self.after += other.after;
    }
}
