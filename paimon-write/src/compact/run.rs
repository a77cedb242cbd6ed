//! A task to messages.

use futures::future::BoxFuture;
use paimon_io::TableStore;
use paimon_spec::{CommitMessage, CompactTask, CompactWork, Result};

use super::plan::require_compactable;
use super::{append, keyed, postponed};

/// Carries out a task, on any worker: writes files that nobody sees yet, and says what is to be published of it. All of
/// that belongs together: it is committed together, or [aborted](crate::abort).
///
/// `memory_bytes` bounds the rows that are held; `None`: the table's `write-buffer-size`. Beside it, writing takes up to
/// two files in the making, of 128 MiB each at most.
///
/// # Errors
/// `NotFound` when a file is gone, which means that another compaction has replaced it and that its old state expired;
/// `CorruptData` naming a file that is damaged; `Storage` and its kin: nothing is left behind then.
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
        match task.work {
            CompactWork::Keyed(work) => keyed::run(store, task, work, memory_bytes).await.map(|message| vec![message]),
            CompactWork::Append => append::run(store, task).await,
            CompactWork::Postponed { .. } => postponed::run(store, task, memory_bytes).await,
        }
        .map_err(|error| error.with_context("bucket", task.bucket()).with_context("table", store.storage().root_url()))
    })
}
