//! What becomes of the files of a compaction that is not published: they are deleted, but never when a snapshot has them.
//!
//! Whoever publishes the same messages a second time is in conflict with himself, and the files are the table's by then.

use std::collections::HashSet;

use paimon_io::TableStore;
use paimon_scan::delta_entries;
use paimon_spec::{CommitMessage, DataFileMeta, FileKind, ManifestEntry, Result, Snapshot};

use crate::abort;

/// How far the clocks of whoever wrote a file and of whoever published it may be apart, in milliseconds.
const CLOCKS_APART_MILLIS: i64 = 3_600_000;

/// Whether a snapshot has brought files.
enum Published {
    By(i64),
    No,
    /// Snapshots that may have are expired by now.
    Unknown,
}

/// Deletes the files of messages that belong together, or gives the snapshot that has them. Files of which that is not
/// known are left: they take room and do no harm.
///
/// # Errors
/// Those of reading snapshots: then nothing is deleted.
pub(super) async fn discard(store: &TableStore, messages: &[CommitMessage]) -> Result<Option<i64>> {
    match find_published(store, messages).await? {
        Published::By(id) => return Ok(Some(id)),
        Published::Unknown => {}
        Published::No => {
            // A file that cannot be deleted takes room and does no harm, either.
            let _ = abort(store, messages).await;
        }
    }
    Ok(None)
}

/// Looks at the snapshots that may have brought a file of these messages, the newest first.
async fn find_published(store: &TableStore, messages: &[CommitMessage]) -> Result<Published> {
    let Some(latest) = store.latest_snapshot().await? else { return Ok(Published::No) };
    let names = written_names(messages);
    let as_of = messages.iter().filter_map(|message| message.check_from_snapshot).max();
    let oldest = messages.iter().flat_map(written).filter_map(|file| file.creation_time_millis).min();
    let oldest = oldest.unwrap_or(i64::MIN).saturating_sub(CLOCKS_APART_MILLIS);
    for id in (as_of.unwrap_or(0).saturating_add(1)..=latest.id).rev() {
        let Some(snapshot) = store.snapshot(id).await? else { return Ok(Published::Unknown) };
        if as_of.is_none() && snapshot.time_millis < oldest {
            break;
        }
        if brings(store, &snapshot, &names).await? {
            return Ok(Published::By(id));
        }
    }
    Ok(Published::No)
}

/// The files that messages have brought into being.
fn written_names(messages: &[CommitMessage]) -> HashSet<&str> {
    let indexes = messages.iter().flat_map(CommitMessage::all_index_changes);
    let indexes = indexes.filter(|change| change.kind == FileKind::Add).map(|change| change.file_name.as_str());
    messages.iter().flat_map(written).map(|file| file.file_name.as_str()).chain(indexes).collect()
}

fn written(message: &CommitMessage) -> impl Iterator<Item = &DataFileMeta> {
    // Others only change their level.
    let moved: HashSet<&str> = message.compact_before.iter().map(|file| file.file_name.as_str()).collect();
    let after = message.compact_after.iter().filter(move |file| !moved.contains(file.file_name.as_str()));
    after.chain(&message.compact_changelog)
}

/// Whether a snapshot has one of these files among what it adds, its changelog or its index files.
async fn brings(store: &TableStore, snapshot: &Snapshot, names: &HashSet<&str>) -> Result<bool> {
    if delta_entries(store, snapshot).await?.iter().any(|entry| names.contains(entry.file.file_name.as_str())) {
        return Ok(true);
    }
    if let Some(name) = &snapshot.index_manifest
        && store.index_manifest(name).await?.iter().any(|entry| names.contains(entry.file_name.as_str()))
    {
        return Ok(true);
    }
    let Some(list) = &snapshot.changelog_manifest_list else { return Ok(false) };
    let mut found = false;
    for manifest in store.manifest_list(list, snapshot.changelog_manifest_list_size).await?.iter() {
        let mut look = |entry: ManifestEntry| {
            found |= names.contains(entry.file.file_name.as_str());
            Ok(())
        };
        store.read_manifest(manifest, &mut |_| true, &mut look).await?;
    }
    Ok(found)
}
