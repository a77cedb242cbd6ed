//! A task to messages.

use std::collections::HashSet;

use futures::future::BoxFuture;
use paimon_io::TableStore;
use paimon_spec::{CommitMessage, CompactTask, CompactWork, ErrorKind, Result};

use super::buckets::{Buckets, Wanted};
use super::plan::require_compactable;
use super::{append, evolving, keyed, postponed};

/// Carries out a task, on any worker: writes files that nobody sees yet, and says what is to be published of it. All of
/// that belongs together: it is committed together, or [aborted](crate::abort).
///
/// No message at all when other commits have replaced files of the task, and these have expired since: the task gives way,
/// as [`commit_compaction`](super::commit_compaction) tells.
///
/// `memory_bytes` bounds the rows that are held; `None`: the table's `write-buffer-size`. Beside it, writing takes up to
/// two files in the making, of 128 MiB each at most.
///
/// # Errors
/// `NotFound` when a file is gone that is the table's; `CorruptData` naming a file that is damaged; `Storage` and its kin:
/// nothing is left behind then.
pub fn run_task<'a>(
    store: &'a TableStore,
    task: &'a CompactTask,
    memory_bytes: Option<u64>,
) -> BoxFuture<'a, Result<Vec<CommitMessage>>> {
    Box::pin(async move {
        require_compactable(store)?;
        let memory_bytes = match memory_bytes {
            Some(bytes) => bytes,
            None => store.options().write_buffer_bytes()?,
        };
        let done = match task.work {
            CompactWork::Keyed(work) => keyed::run(store, task, work, memory_bytes).await.map(|message| vec![message]),
            CompactWork::Append => append::run(store, task).await,
            CompactWork::RowGroups => evolving::run(store, task).await,
            CompactWork::Postponed { .. } => postponed::run(store, task, memory_bytes).await,
        };
        let done = match done {
            // What counts is why the task failed, if that cannot be told.
            Err(error) if error.kind() == ErrorKind::NotFound && !is_there(store, task).await.unwrap_or(true) => {
                Ok(Vec::new())
            }
            done => done,
        };
        done.map_err(|error| {
            error.with_context("bucket", task.bucket()).with_context("table", store.storage().root_url())
        })
    })
}

/// Whether the table still has all that the task reads.
async fn is_there(store: &TableStore, task: &CompactTask) -> Result<bool> {
    let Some(latest) = store.latest_snapshot().await? else { return Ok(false) };
    let bucket = Wanted::Buckets(HashSet::from([(task.partition().clone(), task.bucket())]));
    let now = Buckets::read(store, latest, &bucket).await?;
    let data = now.buckets.iter().flat_map(|bucket| &bucket.files).map(|file| file.file_name.as_str());
    let vectors = now.buckets.iter().flat_map(|bucket| &bucket.vectors).map(|entry| entry.file_name.as_str());
    let there: HashSet<&str> = data.chain(vectors).collect();
    let files = task.files.files.iter().chain(&task.deeper.files).map(|file| file.file_name.as_str());
    let vectors = task.vectors.iter().map(|entry| entry.file_name.as_str());
    Ok(files.chain(vectors).all(|name| there.contains(name)))
}
