//! Taking snapshots and tags back: the steps that rollbacks and fast-forwards share.
//!
//! Whoever is stopped between two steps leaves a table whose latest snapshot is one that it had, or was to get.

use bytes::Bytes;
use futures::stream::{self, StreamExt, TryStreamExt};
use paimon_io::TableStore;
use paimon_spec::{Error, ErrorKind, Result, Tag};

/// Tags read at the same time.
const TAGS_AT_ONCE: usize = 16;

/// Takes the hint of the latest snapshot away: until there is one again, the largest number listed is the latest for
/// everybody. A hint would hold as long as the number after it is free, and hide what is above.
pub(crate) async fn forget_latest(store: &TableStore) -> Result<()> {
    store.storage().delete(&store.paths().latest_hint()).await
}

/// Deletes snapshots, the newest first, so that none is ever left above a gap: the commit that closes the gap would
/// bring it back.
pub(crate) async fn delete_snapshots(store: &TableStore, mut ids: Vec<i64>) -> Result<()> {
    ids.sort_unstable();
    for id in ids.into_iter().rev() {
        store.storage().delete(&store.paths().snapshot(id)).await?;
    }
    Ok(())
}

/// Deletes the changelogs from `first` on that outlived their snapshots, the newest first.
pub(crate) async fn delete_changelogs(store: &TableStore, first: i64) -> Result<()> {
    let (storage, paths) = (store.storage(), store.paths());
    let files = storage.list(&paths.changelog_dir()).await?;
    let ids = files.iter().filter_map(|file| file.name.strip_prefix("changelog-")?.parse().ok());
    let mut ids: Vec<i64> = ids.filter(|id| *id >= first).collect();
    if ids.is_empty() {
        return Ok(());
    }
    // Without a hint, the largest number listed is the latest.
    storage.delete(&paths.changelog_latest_hint()).await?;
    ids.sort_unstable();
    for id in ids.into_iter().rev() {
        storage.delete(&paths.changelog(id)).await?;
    }
    Ok(())
}

/// Writes the hints anew: `latest`, and the smallest number there is.
///
/// # Errors
/// `CommitConflict` when there is a snapshot after `latest`; then nothing is written.
pub(crate) async fn write_hints(store: &TableStore, latest: i64) -> Result<()> {
    let ids = store.snapshot_ids().await?;
    if let Some(newer) = ids.last().filter(|id| **id > latest) {
        let message = format!(
            "snapshot {newer} was committed while the snapshots after {latest} were replaced: the table is at {newer} now"
        );
        return Err(Error::new(ErrorKind::CommitConflict, message).with_context("table", store.storage().root_url()));
    }
    let (storage, paths) = (store.storage(), store.paths());
    if let Some(earliest) = ids.first() {
        storage.put(&paths.earliest_hint(), Bytes::from(earliest.to_string())).await?;
    }
    storage.put(&paths.latest_hint(), Bytes::from(latest.to_string())).await
}

/// All tags, by name.
pub(crate) async fn all_tags(store: &TableStore) -> Result<Vec<(String, Tag)>> {
    let reads: Vec<_> = store.tags().await?.into_iter().map(|name| read_tag(store, name)).collect();
    let tags: Vec<_> = stream::iter(reads).buffered(TAGS_AT_ONCE).try_collect().await?;
    Ok(tags.into_iter().flatten().collect())
}

/// `None` when it was deleted meanwhile.
async fn read_tag(store: &TableStore, name: String) -> Result<Option<(String, Tag)>> {
    Ok(store.tag(&name).await?.map(|tag| (name, tag)))
}

pub(crate) fn tag_missing(name: &str) -> Error {
    Error::not_found(format!("Tag '{name}' doesn't exist.")).with_context("tag", name)
}

pub(crate) fn tag_in_the_way(name: &str) -> Error {
    Error::new(ErrorKind::AlreadyExists, format!("Tag '{name}' already exists.")).with_context("tag", name)
}
