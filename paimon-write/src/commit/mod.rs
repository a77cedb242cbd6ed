//! Data files to snapshots, atomically.
//!
//! | module | holds |
//! |---|---|
//! | `changes` | a request and its messages to the changes they mean |
//! | `attempt` | one try after the other until a snapshot with the changes is published |
//! | `snapshot` | the next snapshot, and the metadata files that it refers to |
//! | `delta` | what a change adds to a state and deletes from it, after checking that it can |
//! | `conflict` | whether changes can be applied to a state of the table |
//! | `strict` | whether others have changed the same partitions since a snapshot |
//! | `reliance` | whether what a commit was made from is still as it was |
//! | `overwrite` | which partitions are replaced, and by that which files go |
//! | `upgrade` | new files of an overwrite straight to the last level |
//! | `index_files` | the index files of the next snapshot |
//! | `row_ids` | whether rows that are changed by their ids are still there as they were |
//! | `blob_cover` | whether `.blob` files have all rows of a row group, or none |
//! | `manifest_merge` | fewer, larger manifests |
//! | `manifest_files` | the metadata files that a commit writes, and which of them are still needed |
//! | `statistics` | what manifests and snapshots say about the files in them |

mod attempt;
mod blob_cover;
mod changes;
mod conflict;
mod delta;
mod index_files;
mod manifest_files;
mod manifest_merge;
mod overwrite;
mod reliance;
mod row_ids;
mod snapshot;
mod statistics;
mod strict;
mod upgrade;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use futures::future::BoxFuture;
use futures::stream::{self, StreamExt, TryStreamExt};
use paimon_io::TableStore;
use paimon_spec::{CommitKind, CommitMessage, DataFileMeta, Error, FileKind, Result, Snapshot, check_file_name};

pub(crate) use attempt::check_identity;
pub(crate) use changes::partition_set;
pub use conflict::{Conflict, find_conflict};
pub(crate) use overwrite::PartitionSet;
pub(crate) use snapshot::largest_sequence_number;
pub use statistics::ManifestStats;
pub(crate) use statistics::manifest_stats;

use self::changes::Change;
use crate::options::require_committable;

/// The identifier of commits that are not to be found again: each call of [`commit`] with it makes a new snapshot.
pub const BATCH_IDENTIFIER: i64 = i64::MAX;

/// Snapshots read at the same time when looking for a commit.
const SEARCH_CONCURRENCY: usize = 16;

/// Files deleted at the same time by [`abort`].
const DELETE_CONCURRENCY: usize = 16;

/// What a commit does to the rows that are there.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum CommitMode {
    /// Keeps them.
    Append,
    /// Replaces the partitions that the new files are in: nothing when there are no new files, the whole table when it
    /// is not partitioned.
    OverwriteDynamic,
    /// Replaces all partitions that match the spec (column to value as text; columns may be left out, no column means
    /// the whole table), even with no rows. New files outside are refused.
    OverwriteStatic(BTreeMap<String, String>),
    /// Deletes all rows of the partitions that match one of the specs; no spec: of the whole table.
    Truncate(Vec<BTreeMap<String, String>>),
}

/// Who commits what how.
#[derive(Debug, Clone)]
pub struct CommitRequest {
    /// Names the job. With [`BATCH_IDENTIFIER`] it should be new for each job.
    pub user: String,
    /// Numbers the commits of one user. A commit that the table already has under the same user and identifier is not
    /// made again; [`BATCH_IDENTIFIER`] switches that off.
    pub identifier: i64,
    /// What happens to the rows that are there.
    pub mode: CommitMode,
    /// Goes into the snapshot as it is.
    pub properties: BTreeMap<String, String>,
    /// [`TableStore::identity`] when the files were written: a table that was dropped and created again since is refused.
    pub table_identity: String,
}

/// What a commit came to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Committed {
    /// This call published the snapshot of this id.
    Snapshot(i64),
    /// The snapshot of this id has the same user and identifier: an earlier call had published it.
    Already(i64),
    /// There was nothing to commit.
    Nothing,
}

/// Makes what `messages` say visible, all of it in one snapshot or nothing.
///
/// When somebody else publishes a snapshot first, the commit is rebuilt on top of that and tried again, so that no
/// append is ever lost or refused because of another one. How often: a lost race means that somebody else got ahead, so
/// up to 100 for each of the option `commit.max-retries`; failures whose outcome is not known count once each; the option
/// `commit.timeout` bounds both. Between tries it waits, from `commit.min-retry-wait` to `commit.max-retry-wait`.
///
/// New files of an overwrite of a primary-key table go to the last level where they do not overlap (option
/// `overwrite-upgrade`). Changelog files are committed by [`CommitMode::Append`] alone: to readers of changelogs an
/// overwrite has no changes.
///
/// What messages say of a compaction is published after what they say was written, in a snapshot of its own. When only
/// the first of the two could be published, the error is one for which [`outcome_is_unknown`] holds.
///
/// In a table with row tracking new rows get their ids here, and files their sequence numbers; both follow the snapshot
/// that the commit is built on. What a message was made from must be as it was: see
/// [`CommitMessage::check_from_snapshot`].
///
/// The messages' data files are never deleted here. See [`abort`] for that, and do not call it after an error for which
/// [`outcome_is_unknown`] holds.
///
/// # Errors
/// `CommitConflict` when what is to be replaced or deleted is no longer there, when what a message was made from has
/// changed, when a bucket number differs from that of the rows that are there, when files of one level would overlap,
/// when the table is another one by now, and (retryable) when too many races were lost; `InvalidInput` for messages that do not fit the request, for two of one bucket of a
/// primary-key table, and for two changes of one column of a row; `Unsupported` for tables that this build does not write, and for new rows that nobody would see
/// before a compaction.
pub fn commit<'a>(
    store: &'a TableStore,
    request: &'a CommitRequest,
    messages: &'a [CommitMessage],
) -> BoxFuture<'a, Result<Committed>> {
    Box::pin(async move {
        require_committable(store.schema())?;
        let mut outcome = Committed::Nothing;
        for change in changes::plan(store.schema(), request, messages)? {
            outcome = match (publish_once(store, request, change).await, &outcome) {
                (Ok(outcome), _) => outcome,
                (Err(error), Committed::Nothing) => return Err(error),
                (Err(error), Committed::Snapshot(id) | Committed::Already(id)) => {
                    return Err(error.with_context(PUBLISHED, id));
                }
            };
        }
        Ok(outcome)
    })
}

async fn publish_once(store: &TableStore, request: &CommitRequest, change: Change) -> Result<Committed> {
    attempt::check_identity(store, request).await?;
    match find_committed(store, request, change.kind).await? {
        Some(id) => Ok(Committed::Already(id)),
        None => attempt::publish(store, request, change).await,
    }
}

/// Publishes a snapshot of the same rows whose manifests are as few as possible, and have no deleted files (Java
/// `FileStoreCommit.compactManifest`); large ones that have none stay. The request's mode does not count, and its
/// identifier is [`BATCH_IDENTIFIER`] in any case.
///
/// # Errors
/// Those of [`commit`].
pub fn merge_manifests<'a>(store: &'a TableStore, request: &'a CommitRequest) -> BoxFuture<'a, Result<Committed>> {
    Box::pin(async move {
        require_committable(store.schema())?;
        let request = CommitRequest { identifier: BATCH_IDENTIFIER, ..request.clone() };
        publish_once(store, &request, Change::merge_of_manifests()).await
    })
}

/// The context of errors that has the snapshot in which a part of the commit was published.
const PUBLISHED: &str = "committed snapshot";

/// Whether a failed [`commit`] may have succeeded all the same, or has in part, so that its files have to stay.
pub fn outcome_is_unknown(error: &Error) -> bool {
    error.context("outcome") == Some("unknown") || error.context(PUBLISHED).is_some()
}

/// Deletes the new files of messages that are known not to be committed. Only files in the table's own folder are
/// touched: a file that a message places elsewhere stays.
///
/// # Errors
/// The first failure; the rest is deleted all the same.
pub fn abort<'a>(store: &'a TableStore, messages: &'a [CommitMessage]) -> BoxFuture<'a, Result<()>> {
    Box::pin(async move {
        let mut paths = Vec::new();
        for message in messages {
            let folder = store.bucket_path(&message.partition, message.bucket)?;
            for file in
                [&message.new_files, &message.changelog_files, &message.compact_after, &message.compact_changelog]
                    .into_iter()
                    .flatten()
                    .filter(|file| !is_there_before(message, file))
            {
                if file.external_path.is_none() {
                    for name in std::iter::once(&file.file_name).chain(&file.extra_files) {
                        check_file_name("commit message", name)?;
                        paths.push(format!("{folder}/{name}"));
                    }
                }
            }
            for index in message.all_index_changes() {
                if index.kind == FileKind::Add && index.external_path.is_none() {
                    paths.push(store.index_path(index, &index.partition)?);
                }
            }
        }
        let deletions: Vec<_> = paths.iter().map(|path| store.storage().delete(path)).collect();
        let outcomes: Vec<Result<()>> = stream::iter(deletions).buffer_unordered(DELETE_CONCURRENCY).collect().await;
        outcomes.into_iter().collect()
    })
}

/// Whether a compaction only moves this file to another level.
fn is_there_before(message: &CommitMessage, file: &DataFileMeta) -> bool {
    message.compact_before.iter().any(|before| before.file_name == file.file_name)
}

/// The newest snapshot that is still there of a user's commit, by the identifier that the commit was made with. Commits
/// with [`BATCH_IDENTIFIER`] are not told apart by it, so they are never found.
///
/// # Errors
/// Those of reading snapshots.
pub fn find_commit<'a>(store: &'a TableStore, user: &'a str, identifier: i64) -> BoxFuture<'a, Result<Option<i64>>> {
    Box::pin(async move {
        let is_it = |snapshot: &Snapshot| {
            identifier != BATCH_IDENTIFIER && snapshot.commit_user == user && snapshot.commit_identifier == identifier
        };
        find_snapshot(store, &is_it).await
    })
}

/// The snapshot that already has this commit; a batch commit is not looked for, which would mean to read all snapshots.
async fn find_committed(store: &TableStore, request: &CommitRequest, kind: CommitKind) -> Result<Option<i64>> {
    if request.identifier == BATCH_IDENTIFIER {
        return Ok(None);
    }
    find_snapshot(store, &|snapshot: &Snapshot| is_same_commit(snapshot, request, kind)).await
}

/// The newest snapshot that is `wanted`.
async fn find_snapshot(store: &TableStore, wanted: &(dyn Fn(&Snapshot) -> bool + Send + Sync)) -> Result<Option<i64>> {
    let mut ids = store.snapshot_ids().await?;
    ids.sort_unstable();
    let reads: Vec<_> = ids.into_iter().rev().map(|id| store.snapshot(id)).collect();
    let mut snapshots = stream::iter(reads).buffered(SEARCH_CONCURRENCY);
    while let Some(snapshot) = snapshots.try_next().await? {
        // An expired snapshot may vanish while we look.
        if let Some(snapshot) = snapshot.filter(|snapshot| wanted(snapshot)) {
            return Ok(Some(snapshot.id));
        }
    }
    Ok(None)
}

/// Whether a snapshot is what the request asks for, by its key.
fn is_same_commit(snapshot: &Snapshot, request: &CommitRequest, kind: CommitKind) -> bool {
    request.identifier != BATCH_IDENTIFIER
        && snapshot.commit_user == request.user
        && snapshot.commit_identifier == request.identifier
        && snapshot.commit_kind == kind
}
