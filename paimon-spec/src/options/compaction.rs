//! Options of compactions.

use std::fmt::Display;
use std::str::FromStr;

use super::{TableOptions, invalid_value};
use crate::Result;

/// When tables that [need look-up](TableOptions::need_lookup) compact level 0 (option `lookup-compact`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookupCompactMode {
    /// After each commit, so that its rows are seen at once.
    Radical,
    /// As other tables do, and at the latest after so many commits (`lookup-compact.max-interval`).
    Gentle,
}

impl<'a> TableOptions<'a> {
    /// `write-only`: others compact.
    pub fn write_only(&self) -> Result<bool> {
        self.boolean("write-only", false)
    }

    /// `overwrite-upgrade`: new files of an overwrite go to the last level when they do not overlap.
    pub fn overwrite_upgrade(&self) -> Result<bool> {
        self.boolean("overwrite-upgrade", true)
    }

    /// `commit.force-compact`: a commit waits for a compaction of what it wrote.
    pub fn commit_force_compact(&self) -> Result<bool> {
        self.boolean("commit.force-compact", false)
    }

    /// `commit.strict-mode.last-safe-snapshot`: a commit fails when others have changed its partitions since this
    /// snapshot; `None`: it does not look.
    pub fn commit_last_safe_snapshot(&self) -> Result<Option<i64>> {
        let key = "commit.strict-mode.last-safe-snapshot";
        self.get(key).map(|_| self.number(key, -1)).transpose()
    }

    /// `num-sorted-run.compaction-trigger`: so many sorted runs of a bucket make a compaction due; level 0 has one for
    /// each file, the others have one each.
    pub fn compaction_trigger(&self) -> Result<usize> {
        self.at_least("num-sorted-run.compaction-trigger", 5, 1)
    }

    /// `num-sorted-run.stop-trigger`: so many sorted runs make writers wait for a compaction; no fewer than make one
    /// due.
    pub fn stop_trigger(&self) -> Result<usize> {
        let due = self.compaction_trigger()?;
        Ok(self.number("num-sorted-run.stop-trigger", due.saturating_add(3))?.max(due))
    }

    /// `num-levels`: levels of a bucket's files, from 0; by default one more than sorted runs that make a compaction due.
    pub fn num_levels(&self) -> Result<i32> {
        let trigger: i32 = self.number("num-sorted-run.compaction-trigger", 5)?;
        self.number("num-levels", trigger.saturating_add(1))
    }

    /// `compaction.max-size-amplification-percent`: how much larger than the last sorted run all others may be together.
    pub fn max_size_amplification_percent(&self) -> Result<u64> {
        self.number("compaction.max-size-amplification-percent", 200)
    }

    /// `compaction.size-ratio`: percent by which the next sorted run may be larger than those before it to be compacted
    /// with them.
    pub fn compaction_size_ratio_percent(&self) -> Result<u64> {
        self.number("compaction.size-ratio", 1)
    }

    /// `compaction.optimization-interval`: a full compaction is due when the last one is so long ago; `None`: never.
    pub fn compaction_optimization_interval_millis(&self) -> Result<Option<u64>> {
        self.millis("compaction.optimization-interval")
    }

    /// `compaction.total-size-threshold`: smaller buckets are always compacted fully; `None`: none is.
    pub fn compaction_total_size_bytes(&self) -> Result<Option<u64>> {
        self.optional_bytes("compaction.total-size-threshold")
    }

    /// `compaction.incremental-size-threshold`: a bucket is compacted fully when what is above its last sorted run is
    /// larger; `None`: never for that.
    pub fn compaction_incremental_size_bytes(&self) -> Result<Option<u64>> {
        self.optional_bytes("compaction.incremental-size-threshold")
    }

    /// `compaction.force-up-level-0`: each compaction takes all of level 0.
    pub fn compaction_force_up_level_zero(&self) -> Result<bool> {
        self.boolean("compaction.force-up-level-0", false)
    }

    /// `compaction.force-rewrite-all-files`: a full compaction also rewrites files that could stay.
    pub fn compaction_force_rewrite_all_files(&self) -> Result<bool> {
        self.boolean("compaction.force-rewrite-all-files", false)
    }

    /// Bytes below which a file is small, and worth being compacted with others: `compaction.small-file-ratio` of
    /// `target-file-size`.
    pub fn compaction_file_bytes(&self, has_primary_key: bool) -> Result<u64> {
        let key = "compaction.small-file-ratio";
        let ratio: f64 = self.number(key, 0.7)?;
        if !ratio.is_finite() || ratio < 0.0 {
            return Err(invalid_value(key, ratio, "a number from 0"));
        }
        Ok((self.target_file_bytes(has_primary_key)? as f64 * ratio) as u64)
    }

    /// `compaction.min.file-num`: so many small files of an append table are worth a compaction.
    pub fn compaction_min_files(&self) -> Result<usize> {
        self.count("compaction.min.file-num", 5)
    }

    /// `compaction.file-num-limit`: at most so many small files of an append table are held while a compaction is
    /// planned.
    pub fn compaction_file_limit(&self) -> Result<usize> {
        self.at_least("compaction.file-num-limit", 100_000, 1)
    }

    /// `compaction.delete-ratio-threshold`: the part of a file's rows that must be deleted for the file to be rewritten
    /// whatever its size.
    pub fn compaction_delete_ratio(&self) -> Result<f64> {
        self.number("compaction.delete-ratio-threshold", 0.2)
    }

    /// `full-compaction.delta-commits`: a full compaction is due after so many commits; `None`: never for that.
    pub fn full_compaction_delta_commits(&self) -> Result<Option<u64>> {
        let key = "full-compaction.delta-commits";
        self.get(key).map(|_| self.at_least(key, 1, 1)).transpose()
    }

    /// Whether a compaction of level 0 needs to know the rows below it: to write a changelog of it, deletion vectors for
    /// rows that are superseded, to keep the first row of a key, or because `force-lookup` says so (Java
    /// `LookupStrategy`). Only of tables with a primary key.
    pub fn need_lookup(&self) -> Result<bool> {
        let is = |key: &str, value: &str| self.get(key).is_some_and(|found| found.eq_ignore_ascii_case(value));
        Ok(is("merge-engine", "first-row")
            || is("changelog-producer", "lookup")
            || self.deletion_vectors_enabled()?
            || self.boolean("force-lookup", false)?)
    }

    /// `lookup-wait`: commits to tables that [need look-up](Self::need_lookup) wait for the compaction that shows their
    /// rows.
    pub fn lookup_wait(&self) -> Result<bool> {
        self.boolean("lookup-wait", true)
    }

    /// `lookup-compact`
    pub fn lookup_compact(&self) -> Result<LookupCompactMode> {
        let modes = [("radical", LookupCompactMode::Radical), ("gentle", LookupCompactMode::Gentle)];
        self.choice("lookup-compact", LookupCompactMode::Radical, &modes)
    }

    /// `lookup-compact.max-interval`: in mode [`Gentle`](LookupCompactMode::Gentle), commits after which level 0 is
    /// compacted at the latest; no fewer than sorted runs that make a compaction due.
    pub fn lookup_compact_max_interval(&self) -> Result<usize> {
        let due = self.compaction_trigger()?;
        Ok(self.number("lookup-compact.max-interval", due.saturating_mul(2))?.max(due))
    }

    /// `changelog-producer.row-deduplicate`: updates that change nothing are no changes.
    pub fn changelog_row_deduplicate(&self) -> Result<bool> {
        self.boolean("changelog-producer.row-deduplicate", false)
    }

    /// `changelog-producer.row-deduplicate-ignore-fields`: columns that do not count for that.
    pub fn changelog_row_deduplicate_ignore_fields(&self) -> Vec<&'a str> {
        // Names are not trimmed, as in Java.
        let names = self.get("changelog-producer.row-deduplicate-ignore-fields");
        names.map(|names| names.split(',').collect()).unwrap_or_default()
    }

    fn optional_bytes(&self, key: &str) -> Result<Option<u64>> {
        self.get(key).map(|_| self.bytes(key, 0)).transpose()
    }

    /// A number that is `least` or more.
    pub(super) fn at_least<T: FromStr + PartialOrd + Display>(&self, key: &str, default: T, least: T) -> Result<T> {
        let value = self.number(key, default)?;
        if value < least {
            return Err(invalid_value(key, value, &format!("at least {least}")));
        }
        Ok(value)
    }
}
