//! A data file before it is read: its indexes are asked, then it is opened.

use std::{ops::Range, sync::Arc};

use futures::{StreamExt, TryStreamExt, stream};
use paimon_io::{BatchStream, FileRead, TableStore};
use paimon_spec::{DataFileMeta, DataSplit, DeletionFile, IndexVerdict, Result, RowSet, TableSchema};

use crate::plan::FilePlan;

/// A file of a split, with what the split says of it.
#[derive(Debug, Clone)]
pub(crate) struct SplitFile {
    pub(crate) file: DataFileMeta,
    /// Its place among the files of the split; it comes with the file's batches.
    pub(crate) rank: usize,
    pub(crate) deletions: Option<DeletionFile>,
    /// Positions of the rows to read; `None`: all.
    pub(crate) rows: Option<Range<u64>>,
    /// The schema that the file was written with.
    pub(crate) written: Arc<TableSchema>,
}

impl SplitFile {
    /// Rows that are surely there.
    pub(crate) fn rows_at_least(&self) -> u64 {
        let physical = u64::try_from(self.file.row_count).unwrap_or(0);
        let read = self.rows.as_ref().map_or(physical, |rows| rows.end.saturating_sub(rows.start));
        let deleted = match &self.deletions {
            None => 0,
            Some(deletions) => {
                deletions.cardinality.and_then(|deleted| u64::try_from(deleted).ok()).unwrap_or(u64::MAX)
            }
        };
        read.saturating_sub(deleted)
    }
}

impl AsRef<DataFileMeta> for SplitFile {
    fn as_ref(&self) -> &DataFileMeta {
        &self.file
    }
}

/// A file of a split; `None` behind the last one.
pub(crate) async fn split_file(store: &TableStore, split: &DataSplit, position: usize) -> Result<Option<SplitFile>> {
    let Some(file) = split.files.get(position) else { return Ok(None) };
    let current = store.schema();
    let written =
        if file.schema_id == current.id { Arc::clone(current) } else { store.schema_at(file.schema_id).await? };
    Ok(Some(SplitFile {
        file: file.clone(),
        rank: position,
        deletions: split.deletions.get(position).cloned().flatten(),
        rows: split.rows.get(position).cloned().flatten(),
        written,
    }))
}

/// A file that is not open yet.
pub(crate) struct Opening {
    pub(crate) store: TableStore,
    pub(crate) bucket_path: String,
    pub(crate) file: SplitFile,
    /// Positions of the rows to read, as far as indexes have told; `None`: all.
    pub(crate) rows: Option<Arc<RowSet>>,
    pub(crate) plan: FilePlan,
    pub(crate) limit: Option<usize>,
    pub(crate) batch_rows: usize,
    /// As in [`FileRead`].
    pub(crate) held_bytes: Option<u64>,
}

impl Opening {
    /// # Errors
    /// `InvalidInput` when the rows to read are no range.
    pub(crate) fn new(
        store: &TableStore,
        bucket_path: &str,
        file: SplitFile,
        plan: FilePlan,
        batch_rows: usize,
    ) -> Result<Self> {
        let rows = file.rows.clone().map(RowSet::from_range).transpose()?.map(Arc::new);
        let (store, bucket_path) = (store.clone(), bucket_path.to_owned());
        Ok(Self { store, bucket_path, file, rows, plan, batch_rows, limit: None, held_bytes: None })
    }

    /// Asks the file's indexes which rows are worth reading; `None`: no row is.
    pub(crate) async fn screen(mut self) -> Result<Option<Self>> {
        let Some(predicate) = &self.plan.pushed else { return Ok(Some(self)) };
        let SplitFile { file, written, .. } = &self.file;
        let verdict = self.store.file_index_verdict(&self.bucket_path, file, predicate, written).await?;
        match verdict {
            IndexVerdict::Skip => return Ok(None),
            IndexVerdict::Keep => {}
            IndexVerdict::Rows(rows) => {
                let rows = self.rows.map_or_else(|| rows.clone(), |wanted| wanted.and(&rows));
                if rows.is_empty() {
                    return Ok(None);
                }
                self.rows = Some(Arc::new(rows));
            }
        }
        Ok(Some(self))
    }

    /// Opens the file and waits for its first batch, so that both are there when their turn comes.
    pub(crate) async fn open(mut self) -> Result<BatchStream> {
        let mut deletions = match &self.file.deletions {
            Some(deletions) => Some(self.store.deletion_vector(deletions).await?),
            None => None,
        };
        if let (Some(rows), Some(deleted)) = (&self.rows, &deletions) {
            let left = rows.without(deleted);
            if left.is_empty() {
                return Ok(stream::empty().boxed());
            }
            (self.rows, deletions) = (Some(Arc::new(left)), None);
        }
        let request = FileRead {
            columns: self.plan.columns.clone(),
            predicate: self.plan.pushed.clone(),
            deletions,
            rows: self.rows,
            limit: self.limit,
            batch_rows: self.batch_rows,
            held_bytes: self.held_bytes,
        };
        let batches = self.store.open_file(&self.bucket_path, &self.file.file, &request).await?;
        let plan = self.plan;
        let mut rows = batches
            .map(move |batch| plan.finish(&batch?))
            .try_filter(|batch| std::future::ready(batch.num_rows() > 0))
            .boxed();
        let first = rows.next().await;
        Ok(stream::iter(first).chain(rows).boxed())
    }
}
