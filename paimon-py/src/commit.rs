//! Publishing what writers prepared, and taking it back.

use std::collections::BTreeMap;

use paimon_io::TableStore;
use paimon_spec::{CommitMessage, Error, Result};
use paimon_write::{CommitMode, CommitRequest, Committed};
use pyo3::prelude::*;

use crate::compact::compact_written;
use crate::runtime::block_on;
use crate::write::NativeCommitMessage;

/// The mode of that name.
///
/// # Errors
/// `InvalidInput` for another name.
pub(crate) fn commit_mode(
    name: &str,
    partition: Option<BTreeMap<String, String>>,
    partitions: Option<Vec<BTreeMap<String, String>>>,
) -> Result<CommitMode> {
    match name {
        "append" => Ok(CommitMode::Append),
        "overwrite-dynamic" => Ok(CommitMode::OverwriteDynamic),
        "overwrite-static" => Ok(CommitMode::OverwriteStatic(partition.unwrap_or_default())),
        "truncate" => Ok(CommitMode::Truncate(partitions.unwrap_or_default())),
        other => Err(Error::invalid(format!("commit mode '{other}' is unknown"))),
    }
}

/// Publishes a snapshot and compacts what that has made due; gives the snapshot's id, if there was anything to publish.
pub(crate) fn commit(
    py: Python<'_>,
    store: &TableStore,
    request: CommitRequest,
    messages: &[PyRef<'_, NativeCommitMessage>],
) -> PyResult<Option<i64>> {
    let (table, messages) = (store.clone(), values(messages));
    let (committed, request, messages) = block_on(py, async move {
        let committed = paimon_write::commit(&table, &request, &messages).await?;
        Ok((committed, request, messages))
    })?;
    let (Committed::Snapshot(id) | Committed::Already(id)) = committed else { return Ok(None) };
    compact_written(py, store, id, request, messages)?;
    Ok(Some(id))
}

/// Deletes the files of messages that are known not to be committed.
pub(crate) fn abort(py: Python<'_>, store: &TableStore, messages: &[PyRef<'_, NativeCommitMessage>]) -> PyResult<()> {
    let (store, messages) = (store.clone(), values(messages));
    block_on(py, async move { paimon_write::abort(&store, &messages).await })
}

/// What the messages hold.
pub(crate) fn values(messages: &[PyRef<'_, NativeCommitMessage>]) -> Vec<CommitMessage> {
    messages.iter().map(|message| message.0.as_ref().clone()).collect()
}
