//! Back to an older state.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;
use paimon_io::{PutOutcome, TableStore};
use paimon_scan::{ReadPoint, resolve};
use paimon_spec::{Error, ErrorKind, Result, Snapshot};

use crate::history::{all_tags, delete_changelogs, delete_snapshots, forget_latest, write_hints};
use crate::options::require_known_history;
use crate::tag::find_snapshot;

/// Makes an older state the latest one: deletes the snapshots after it, and the tags and changelogs of these (Java
/// `RollbackHelper`). A state whose snapshot expired, but that a tag keeps, gets its snapshot back. Returns its number.
///
/// Whoever is stopped on the way leaves a table that can be read, at the new state or at one in between; rolling back
/// again ends it. Schemas stay as they are. Data files that only the deleted snapshots had stay, until orphan files are
/// cleaned. Do not commit to the branch at the same time.
///
/// # Errors
/// `NotFound` (context `snapshot` or `tag`) when there is no such state, else as [`resolve`]; `CommitConflict` when
/// somebody committed meanwhile; `Unsupported` for tables whose history has more than this build knows of.
pub async fn rollback(store: &TableStore, to: &ReadPoint) -> Result<i64> {
    require_known_history(store.schema())?;
    let target = find(store, to).await?;
    let id = target.id;
    let file = store.paths().snapshot(id);
    let json = Bytes::from(target.to_json()?);
    // The state is there before what is after it goes.
    let another = match store.snapshot(id).await? {
        Some(found) => !is_same_state(&found, &target),
        None => {
            if store.storage().put_new(&file, json.clone()).await? == PutOutcome::AlreadyExists {
                let message = format!("snapshot {id} was committed while the table was rolled back to another one");
                return Err(Error::new(ErrorKind::CommitConflict, message));
            }
            false
        }
    };
    forget_latest(store).await?;
    let newer = store.snapshot_ids().await?.into_iter().filter(|newer| *newer > id).collect();
    delete_snapshots(store, newer).await?;
    if another {
        store.storage().put(&file, json).await?;
    }
    delete_changelogs(store, id.saturating_add(1)).await?;
    write_hints(store, id).await?;
    for (name, tag) in all_tags(store).await? {
        if tag.snapshot.id > id {
            store.delete_tag(&name).await?;
        }
    }
    Ok(id)
}

async fn find(store: &TableStore, to: &ReadPoint) -> Result<Arc<Snapshot>> {
    if let ReadPoint::Snapshot(id) = to
        && let Some(snapshot) = find_snapshot(store, *id).await?
    {
        return Ok(snapshot);
    }
    let found = resolve(store, to).await?;
    found.ok_or_else(|| {
        Error::not_found("cannot roll back: the table has no snapshot").with_context("snapshot", "latest")
    })
}

/// Tags may keep a state that a rollback took out of the history, where another one has its number now. The names of
/// manifest lists are never used twice.
fn is_same_state(one: &Snapshot, other: &Snapshot) -> bool {
    one.base_manifest_list == other.base_manifest_list && one.delta_manifest_list == other.delta_manifest_list
}
