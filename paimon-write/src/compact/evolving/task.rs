//! A task of a data-evolution table.

use std::ops::Range;

use futures::TryStreamExt;
use paimon_io::{TableStore, background};
use paimon_merge::{ReadRequest, read};
use paimon_spec::{CommitMessage, CompactTask, DataFileMeta, Error, FileSource, Result, row_groups};

use crate::column_groups::{ColumnGroup, column_groups};
use crate::compact::batches::batch_rows;
use crate::rolling::{FinishedFile, RollingWriter};

/// Batches that are decoded while one is encoded.
const AHEAD: usize = 1;

/// Makes one file of the data files of neighbouring row groups: all columns of the table that are not in `.blob` files, all
/// rows, with their ids.
///
/// # Errors
/// `CorruptData` when the files do not have the rows that they should; as [`paimon_merge::read()`], `Storage` and its kin:
/// then nothing is left of what was written, as far as deleting it succeeds.
pub(crate) async fn run(store: &TableStore, task: &CompactTask) -> Result<Vec<CommitMessage>> {
    let rows = rows_of(&task.files.files)?;
    let groups = column_groups(store, &store.schema().fields)?;
    let Some(columns) = groups.into_iter().find(|group| !group.is_blob()).map(ColumnGroup::without_limits) else {
        return Err(Error::internal("paimon-write", "a table of BLOB columns alone has data files"));
    };
    let mut rolling = columns.rolling(&task.files.bucket_path);
    let written = async {
        let file = write(store, task, &columns, &rows, &mut rolling).await?;
        described(&columns, file, task, rows.start, store.context().clock.now_millis())
    };
    match written.await {
        Ok(file) => Ok(vec![CommitMessage {
            compact_before: task.files.files.clone(),
            compact_after: vec![file],
            check_from_snapshot: Some(task.snapshot_id),
            ..CommitMessage::of(task.files.partition.clone(), task.bucket(), task.total_buckets)
        }]),
        Err(error) => {
            // What counts is why the rows could not be copied.
            let _ = rolling.abort(store).await;
            Err(error)
        }
    }
}

/// The row ids of files, which follow one another.
fn rows_of(files: &[DataFileMeta]) -> Result<Range<i64>> {
    let mut rows: Option<Range<i64>> = None;
    for group in row_groups(files)? {
        match &mut rows {
            None => rows = Some(group.rows),
            Some(rows) if rows.end == group.rows.start => rows.end = group.rows.end,
            Some(rows) => {
                return Err(Error::corrupt(format!(
                    "expected row groups that follow one another in a compaction task, found {rows:?} and {:?}",
                    group.rows
                )));
            }
        }
    }
    rows.ok_or_else(|| Error::corrupt("expected a compaction task with files, found none"))
}

async fn write(
    store: &TableStore,
    task: &CompactTask,
    columns: &ColumnGroup,
    rows: &Range<i64>,
    rolling: &mut RollingWriter,
) -> Result<FinishedFile> {
    let expected = rows.end.abs_diff(rows.start);
    let request = ReadRequest {
        projection: Some(columns.fields().iter().map(|field| field.id).collect()),
        batch_rows: usize::try_from(batch_rows(task.input_bytes(), expected)).ok(),
        ..ReadRequest::default()
    };
    let mut batches = background(store.context(), read(store, &task.files, &request).await?, AHEAD);
    let (mut finished, mut found) = (Vec::new(), 0);
    while let Some(batch) = batches.try_next().await? {
        found += batch.num_rows() as u64;
        rolling.write(store, &columns.names, &batch, &mut finished).await?;
    }
    if found != expected {
        return Err(Error::corrupt(format!("expected {expected} rows from row id {} on, found {found}", rows.start)));
    }
    finished.extend(rolling.roll(store).await?);
    match <[FinishedFile; 1]>::try_from(finished) {
        Ok([file]) => Ok(file),
        Err(files) => Err(Error::internal("paimon-write", format_args!("{} files of one row group", files.len()))),
    }
}

/// As new as the newest file: not newer, as changes of columns may have been committed meanwhile.
fn described(
    columns: &ColumnGroup,
    file: FinishedFile,
    task: &CompactTask,
    first_row_id: i64,
    now_millis: i64,
) -> Result<DataFileMeta> {
    let old = || task.files.files.iter();
    let described = columns.describe(file, now_millis, 0)?;
    Ok(DataFileMeta {
        min_sequence_number: old().map(|file| file.min_sequence_number).min().unwrap_or(0),
        max_sequence_number: old().map(|file| file.max_sequence_number).max().unwrap_or(0),
        first_row_id: Some(first_row_id),
        file_source: Some(FileSource::Compact),
        ..described
    })
}
