//! Tags: snapshots under names, kept from expiry for as long as it is said.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use paimon_io::{PutOutcome, TableStore};
use paimon_spec::{Error, Result, Snapshot, Tag, validate_name};

use crate::history::{all_tags, tag_in_the_way, tag_missing};

/// How long a tag is kept. Tags without are kept until they are deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// When the tag is made, as milliseconds of the local wall clock: tag files say it without a time zone.
    pub created_local_millis: i64,
    /// For how long after that it is kept.
    pub retained_millis: i64,
}

/// Names a snapshot: the one of this number, or else the latest. A number whose snapshot expired is looked for among the
/// tags, which keep it.
///
/// # Errors
/// `InvalidInput` when `name` cannot be a tag's, or the retention is negative; `NotFound` (context `snapshot`) when there
/// is no such snapshot.
pub async fn create_tag(
    store: &TableStore,
    name: &str,
    snapshot_id: Option<i64>,
    retention: Option<Retention>,
) -> Result<PutOutcome> {
    validate_name("tag", name)?;
    store.create_tag(name, &tag_of(store, snapshot_id, retention, "create").await?).await
}

/// Lets a tag name another snapshot, chosen as by [`create_tag`], with another retention.
///
/// # Errors
/// As [`create_tag`]; `NotFound` (context `tag`) when there is no such tag.
pub async fn replace_tag(
    store: &TableStore,
    name: &str,
    snapshot_id: Option<i64>,
    retention: Option<Retention>,
) -> Result<()> {
    if store.tag(name).await?.is_none() {
        return Err(tag_missing(name));
    }
    store.replace_tag(name, &tag_of(store, snapshot_id, retention, "replace").await?).await
}

/// Gives a tag another name. Whoever is stopped on the way leaves it under both.
///
/// # Errors
/// `InvalidInput` when `new` cannot be a tag's name; `NotFound` and `AlreadyExists` (context `tag`).
pub async fn rename_tag(store: &TableStore, old: &str, new: &str) -> Result<()> {
    validate_name("tag", old)?;
    validate_name("tag", new)?;
    let (storage, paths) = (store.storage(), store.paths());
    // As it is, with whatever other engines have in it.
    let Some(bytes) = storage.read_if_exists(&paths.tag(old)).await? else { return Err(tag_missing(old)) };
    match storage.put_new(&paths.tag(new), bytes).await? {
        PutOutcome::Created => storage.delete(&paths.tag(old)).await,
        PutOutcome::AlreadyExists => Err(tag_in_the_way(new)),
    }
}

/// Deletes the tags whose retention is over by `now_local_millis`, a time of the local wall clock; returns their names
/// (Java `TagTimeExpire`). Data files that only they kept stay, until orphan files are cleaned.
///
/// # Errors
/// `CorruptData` when a tag cannot be read; then none is deleted.
pub async fn expire_tags(store: &TableStore, now_local_millis: i64) -> Result<Vec<String>> {
    let is_over = |tag: &Tag| match (tag.create_time_millis, tag.time_retained_millis) {
        (Some(created), Some(retained)) => now_local_millis > created.saturating_add(retained),
        _ => false,
    };
    let mut expired = Vec::new();
    for (name, tag) in all_tags(store).await? {
        if is_over(&tag) {
            store.delete_tag(&name).await?;
            expired.push(name);
        }
    }
    Ok(expired)
}

async fn tag_of(store: &TableStore, snapshot_id: Option<i64>, retention: Option<Retention>, verb: &str) -> Result<Tag> {
    if let Some(retention) = retention.filter(|retention| retention.retained_millis < 0) {
        let message = format!("expected a time from 0 on to keep a tag for, found {} ms", retention.retained_millis);
        return Err(Error::invalid(message));
    }
    let snapshot = match snapshot_id {
        None => store.latest_snapshot().await?.ok_or_else(|| {
            Error::not_found(format!("Cannot {verb} tag because latest snapshot doesn't exist."))
                .with_context("snapshot", "latest")
        })?,
        Some(id) => find_snapshot(store, id).await?.ok_or_else(|| {
            Error::not_found(format!("Cannot {verb} tag because given snapshot #{id} doesn't exist."))
                .with_context("snapshot", id)
        })?,
    };
    Ok(Tag {
        snapshot: Arc::unwrap_or_clone(snapshot),
        create_time_millis: retention.map(|retention| retention.created_local_millis),
        time_retained_millis: retention.map(|retention| retention.retained_millis),
    })
}

/// The snapshot of this number, which may be there only in a tag.
pub(crate) async fn find_snapshot(store: &TableStore, id: i64) -> Result<Option<Arc<Snapshot>>> {
    if let Some(snapshot) = store.snapshot(id).await? {
        return Ok(Some(snapshot));
    }
    let tags = all_tags(store).await?;
    Ok(tags.into_iter().map(|(_, tag)| tag.snapshot).find(|snapshot| snapshot.id == id).map(Arc::new))
}
