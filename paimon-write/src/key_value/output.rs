//! Merged rows of one bucket to files of one kind.

use std::sync::Arc;

use arrow::array::RecordBatch;
use paimon_io::TableStore;
use paimon_spec::{BinaryRow, DataFileMeta, Result};

use super::table::FileStyle;
use crate::rolling::{FinishedFile, RollingWriter};

/// Writes files of one kind.
pub(crate) struct Output {
    style: Arc<FileStyle>,
    rolling: RollingWriter,
    finished: Vec<FinishedFile>,
    files: Vec<DataFileMeta>,
}

impl Output {
    pub(crate) fn new(store: &TableStore, style: Arc<FileStyle>, partition: &BinaryRow, bucket: i32) -> Result<Self> {
        let rolling = style.rolling(store, partition, bucket)?;
        Ok(Self { style, rolling, finished: Vec::new(), files: Vec::new() })
    }

    /// Writes rows of all columns, whose keys come after those of the current file.
    pub(crate) async fn push(&mut self, store: &TableStore, rows: &RecordBatch) -> Result<()> {
        if rows.num_rows() == 0 {
            return Ok(());
        }
        let rows = self.style.columns.to_file(rows)?;
        self.rolling.write(store, &self.style.names, &rows, &mut self.finished).await
    }

    /// Completes the current file: what comes next goes into another one.
    pub(crate) async fn complete(&mut self, store: &TableStore) -> Result<()> {
        self.finished.extend(self.rolling.roll(store).await?);
        Ok(())
    }

    /// Turns complete files into their metadata.
    pub(crate) fn describe(&mut self, now_millis: i64) -> Result<()> {
        for file in std::mem::take(&mut self.finished) {
            self.files.push(self.style.describe(file, now_millis)?);
        }
        Ok(())
    }

    /// The files that were described, in the order of their rows.
    pub(crate) fn files_mut(&mut self) -> &mut Vec<DataFileMeta> {
        &mut self.files
    }

    pub(crate) fn into_files(self) -> Vec<DataFileMeta> {
        self.files
    }

    /// Deletes all files ever begun; goes on after a failure and returns the first.
    pub(crate) async fn abort(&mut self, store: &TableStore) -> Result<()> {
        self.rolling.abort(store).await
    }
}
