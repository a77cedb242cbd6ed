//! A task of an append table.

use std::collections::HashSet;
use std::sync::Arc;

use futures::TryStreamExt;
use paimon_io::{TableStore, background};
use paimon_merge::{ReadRequest, read};
use paimon_spec::{
    BucketMode, CommitMessage, CompactTask, DataFileMeta, DataType, FieldId, IndexManifestEntry, Result,
};

use crate::append::{AppendTable, AppendWriter};
use crate::compact::batches::batch_rows;
use crate::vector_files::{VectorPlace, Vectors, replace_vectors};

/// Batches that are decoded while one is encoded.
const AHEAD: usize = 1;

/// Copies the rows of the task's files that are not deleted into new files, in their order, and takes the files'
/// deletion vectors out of their index files. Rows keep their ids and sequence numbers where the table tracks them.
///
/// # Errors
/// As [`paimon_merge::read()`], `Storage` and its kin: then all that was written is deleted, as far as that succeeds.
pub(crate) async fn run(store: &TableStore, task: &CompactTask) -> Result<Vec<CommitMessage>> {
    let table = Arc::new(AppendTable::of_compaction(store)?);
    let first = task.files.files.iter().map(|file| file.min_sequence_number).min().unwrap_or(0);
    let mut writer = AppendWriter::new(store, Arc::clone(&table), task.partition().clone(), task.bucket(), first)?;
    let done = async {
        copy(store, task, &table.columns(), &mut writer).await?;
        writer.describe(store.context().clock.now_millis())?;
        replaced_vectors(store, task).await
    };
    match done.await {
        Ok(compact_index_changes) => Ok(vec![CommitMessage {
            compact_before: task.files.files.clone(),
            compact_after: writer.into_files(),
            compact_index_changes,
            ..CommitMessage::of(task.files.partition.clone(), task.bucket(), task.total_buckets)
        }]),
        Err(error) => {
            // What counts is why the rows could not be copied.
            let _ = writer.abort(store).await;
            Err(error)
        }
    }
}

async fn copy(store: &TableStore, task: &CompactTask, columns: &[FieldId], writer: &mut AppendWriter) -> Result<()> {
    let request = ReadRequest {
        projection: Some(columns.to_vec()),
        batch_rows: usize::try_from(batch_rows(task.input_bytes(), rows_in(&task.files.files))).ok(),
        ..ReadRequest::default()
    };
    let rows = read(store, &task.files, &request).await?;
    let mut rows = background(store.context(), rows, AHEAD);
    while let Some(batch) = rows.try_next().await? {
        writer.write(store, &batch).await?;
    }
    writer.flush(store).await
}

fn rows_in(files: &[DataFileMeta]) -> u64 {
    files.iter().map(|file| u64::try_from(file.row_count).unwrap_or(0)).fold(0, u64::saturating_add)
}

/// The index files without the vectors of the task's files.
async fn replaced_vectors(store: &TableStore, task: &CompactTask) -> Result<Vec<IndexManifestEntry>> {
    if task.vectors.is_empty() {
        return Ok(Vec::new());
    }
    let types: Vec<DataType> = store.schema().partition_fields().into_iter().map(|field| field.data_type).collect();
    let mut there = task.vectors.clone();
    for entry in &mut there {
        entry.partition = entry.partition.normalised(&types)?;
    }
    let gone: HashSet<&str> = task.files.files.iter().map(|file| file.file_name.as_str()).collect();
    let in_one_file = store.schema().bucket_mode()? == BucketMode::Fixed;
    let place = VectorPlace { partition: task.partition(), bucket: task.bucket(), in_one_file };
    replace_vectors(store, &there, place, Vectors::new(), &gone).await
}
