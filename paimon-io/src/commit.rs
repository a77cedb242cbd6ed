//! Publishing snapshots.

use bytes::Bytes;
use paimon_spec::{Result, Snapshot};

use crate::{PutOutcome, TableStore};

/// How often a hint is tried.
const HINT_TRIES: u32 = 3;

/// How a snapshot becomes the latest state of its table.
///
/// An implementation answers `Created` only if exactly this snapshot is now `snapshot-<id>` for everybody, and
/// `AlreadyExists` only if another one is. When it cannot know, it gives a retryable error; the caller then reads the
/// snapshot back and, until it has seen a different one under that id, deletes nothing that the snapshot names.
#[async_trait::async_trait]
pub trait SnapshotCommit: Send + Sync + std::fmt::Debug {
    /// Publishes `snapshot` as number `snapshot.id`.
    async fn commit(&self, store: &TableStore, snapshot: &Snapshot) -> Result<PutOutcome>;
}

/// Publishes by creating `snapshot/snapshot-<id>` exclusively.
///
/// The hints follow, as best they can: `LATEST` always, `EARLIEST` where there is none. A commit does not fail for a
/// hint, and nobody relies on one (see [`TableStore::latest_snapshot_id`]).
#[derive(Debug, Clone, Copy, Default)]
pub struct FileSnapshotCommit;

#[async_trait::async_trait]
impl SnapshotCommit for FileSnapshotCommit {
    async fn commit(&self, store: &TableStore, snapshot: &Snapshot) -> Result<PutOutcome> {
        let json = Bytes::from(snapshot.to_json()?);
        let outcome = store.storage().put_new(&store.paths().snapshot(snapshot.id), json).await?;
        if outcome == PutOutcome::Created {
            write_latest_hint(store, snapshot.id).await;
            // Missing hints are found by listing, so an error here is nobody's concern.
            let _ = write_earliest_hint(store).await;
        }
        Ok(outcome)
    }
}

async fn write_latest_hint(store: &TableStore, id: i64) {
    let path = store.paths().latest_hint();
    for attempt in 1..=HINT_TRIES {
        if store.storage().put(&path, Bytes::from(id.to_string())).await.is_ok() {
            return;
        }
        if attempt < HINT_TRIES {
            let millis = 10.0 * f64::from(attempt) * (0.5 + store.context().clock.random());
            store.context().clock.sleep(millis as u64).await;
        }
    }
}

async fn write_earliest_hint(store: &TableStore) -> Result<()> {
    let path = store.paths().earliest_hint();
    if store.storage().exists(&path).await? {
        return Ok(());
    }
    if let Some(id) = store.snapshot_ids().await?.first() {
        // Losing to another hint is as good.
        let _ = store.storage().put_new(&path, Bytes::from(id.to_string())).await?;
    }
    Ok(())
}
