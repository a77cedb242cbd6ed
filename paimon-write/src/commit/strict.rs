//! What others have committed since a snapshot that a job goes by: nothing of it may be lost (option
//! `commit.strict-mode.last-safe-snapshot`; Java: `StrictModeChecker`).
//!
//! Whoever reads partitions and then overwrites them, with another number of buckets say, would undo what others have
//! written meanwhile.

use paimon_io::TableStore;
use paimon_scan::delta_entries;
use paimon_spec::{CommitKind, IndexManifestEntry, ManifestEntry, POSTPONED_BUCKET, Result, Snapshot};

use super::Conflict;
use super::overwrite::PartitionSet;
use super::reliance::snapshot_since;

/// The last snapshot of which it is known that nothing of it gets lost; `None`: nobody asks.
#[derive(Debug)]
pub(super) struct StrictMode {
    last_safe: Option<i64>,
}

impl StrictMode {
    /// # Errors
    /// `InvalidInput` when the option is no number.
    pub(super) fn of(store: &TableStore) -> Result<Self> {
        // With -1 Java looks at nothing before a job's first commit, which is the only one here.
        let last_safe = store.options().commit_last_safe_snapshot()?.filter(|id| *id >= 0);
        Ok(Self { last_safe })
    }

    /// Whether somebody else has changed the partitions of `entries` and `index_changes` up to `latest`: compacted or
    /// overwritten them, or added rows to what is overwritten. Rows that wait for a bucket stay and do no harm.
    pub(super) async fn find_conflict(
        &mut self,
        store: &TableStore,
        user: &str,
        latest: &Snapshot,
        (kind, entries, index_changes): (CommitKind, &[ManifestEntry], &[IndexManifestEntry]),
    ) -> Result<Option<Conflict>> {
        let Some(last_safe) = self.last_safe else { return Ok(None) };
        let changed = entries.iter().map(|entry| &entry.partition);
        let changed = changed.chain(index_changes.iter().map(|change| &change.partition)).cloned();
        let changed = PartitionSet::exactly(store.schema(), changed)?;
        for id in last_safe.saturating_add(1)..=latest.id {
            let since = snapshot_since(store, latest, id).await?;
            if since.commit_user != user && takes_away(store, &since, kind, &changed).await? {
                return Ok(Some(Conflict::Overtaken { snapshot: id, user: since.commit_user.clone() }));
            }
        }
        self.last_safe = Some(last_safe.max(latest.id));
        Ok(None)
    }
}

/// Whether a commit of `kind` that changes these partitions would take something away from what `since` did.
async fn takes_away(store: &TableStore, since: &Snapshot, kind: CommitKind, changed: &PartitionSet) -> Result<bool> {
    let is_append = match since.commit_kind {
        CommitKind::Compact | CommitKind::Overwrite => false,
        CommitKind::Append if kind == CommitKind::Overwrite => true,
        CommitKind::Append | CommitKind::Analyze => return Ok(false),
    };
    for entry in delta_entries(store, since).await? {
        if !(is_append && entry.bucket == POSTPONED_BUCKET) && changed.contains(&entry.partition)? {
            return Ok(true);
        }
    }
    let Some(name) = since.index_manifest.as_ref().filter(|_| !is_append) else { return Ok(false) };
    let before = match since.id.checked_sub(1) {
        Some(id) => store.snapshot(id).await?,
        None => None,
    };
    // The name stays when no index file changes.
    if before.is_some_and(|before| before.index_manifest.as_ref() == Some(name)) {
        return Ok(false);
    }
    for entry in store.index_manifest(name).await?.iter() {
        if changed.contains(&entry.partition)? {
            return Ok(true);
        }
    }
    Ok(false)
}
