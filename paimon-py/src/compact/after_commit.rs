//! What is compacted when rows are committed.

use std::ffi::CString;
use std::sync::Arc;

use paimon_io::{Stop, TableStore};
use paimon_scan::delta_entries;
use paimon_spec::{CommitMessage, Error, FileKind, ManifestEntry, Result, TableSchema};
use paimon_write::{CommitRequest, after_commit};
use pyo3::exceptions::PyRuntimeWarning;
use pyo3::prelude::*;

use super::compaction_request;
use crate::errors::OrRaise;
use crate::runtime::{block_on, block_on_until};

/// Compacts what a commit has made due. Whatever happens here, its snapshot stays.
///
/// # Errors
/// `NotVisibleError` where readers see nothing of the snapshot before that is done. Elsewhere a failure is a warning.
pub(crate) fn compact_written(
    py: Python<'_>,
    store: &TableStore,
    snapshot_id: i64,
    request: CommitRequest,
    messages: Vec<CommitMessage>,
) -> PyResult<()> {
    let stop = Stop::default();
    let table = store.with_stop(stop.clone());
    let failure = block_on_until(py, &stop, async move {
        let mut done = after_commit(&table, &request, &messages, None).await;
        if let (Err(_), Some(newer)) = (&done, newer_schema(&table).await?) {
            done = after_commit(&newer, &request, &messages, None).await;
        }
        Ok(done.err())
    })?;
    let Some(error) = failure else { return Ok(()) };
    if store.schema().primary_keys.is_empty() || !store.options().need_lookup().or_raise(py)? {
        let text = format!(
            "the rows are committed as snapshot {snapshot_id}, but the compaction after it failed; a later commit, or \
             table.compact(), will do it: {error}"
        );
        return PyErr::warn(py, &py.get_type::<PyRuntimeWarning>(), &CString::new(text)?, 1);
    }
    Err(error.with_context("committed snapshot", snapshot_id)).or_raise(py)
}

/// The same table and options with the columns that it has got meanwhile; `None`: there are no others.
async fn newer_schema(store: &TableStore) -> Result<Option<TableStore>> {
    let latest = store.latest_schema().await?.filter(|latest| latest.id != store.schema().id);
    Ok(latest.map(|latest| {
        let options = store.schema().options.clone();
        store.with_schema(Arc::new(TableSchema { options, ..TableSchema::clone(&latest) }))
    }))
}

/// Compacts what a snapshot of rows has made due, where that was not come to when it was committed.
///
/// # Errors
/// `NotFoundError` when there is no such snapshot, else as [`compact_written`].
pub(crate) fn compact_after(
    py: Python<'_>,
    store: &TableStore,
    snapshot_id: i64,
    user: String,
    identity: String,
) -> PyResult<()> {
    let table = store.clone();
    let messages = block_on(py, async move { messages_of(&table, snapshot_id).await })?;
    compact_written(py, store, snapshot_id, compaction_request(user, identity), messages)
}

/// What a snapshot was made of, as far as compactions ask.
async fn messages_of(store: &TableStore, snapshot_id: i64) -> Result<Vec<CommitMessage>> {
    let missing = || Error::not_found(format!("Snapshot id '{snapshot_id}' doesn't exist."));
    let snapshot = store.snapshot(snapshot_id).await?.ok_or_else(missing)?;
    let added = delta_entries(store, &snapshot).await?.into_iter().filter(|entry| entry.kind == FileKind::Add);
    let message = |entry: ManifestEntry| CommitMessage {
        new_files: vec![entry.file],
        ..CommitMessage::of(entry.partition, entry.bucket, entry.total_buckets)
    };
    Ok(added.map(message).collect())
}
