//! A data file before it is read: its indexes are asked, then it is opened.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use paimon_io::{BatchStream, FileRead, TableStore};
use paimon_spec::{DataFileMeta, DeletionFile, IndexVerdict, Result, RowSet, TableSchema};

use crate::plan::FilePlan;

/// A file that is not open yet.
pub(crate) struct Opening {
    pub(crate) store: TableStore,
    pub(crate) bucket_path: String,
    pub(crate) file: DataFileMeta,
    pub(crate) deletions: Option<DeletionFile>,
    /// Positions of the rows to read; `None`: all.
    pub(crate) rows: Option<Arc<RowSet>>,
    /// The schema that the file was written with.
    pub(crate) written: Arc<TableSchema>,
    pub(crate) plan: FilePlan,
    pub(crate) limit: Option<usize>,
    pub(crate) batch_rows: usize,
}

impl Opening {
    /// Asks the file's indexes which rows are worth reading; `None`: no row is.
    pub(crate) async fn screen(mut self) -> Result<Option<Self>> {
        let Some(predicate) = &self.plan.pushed else { return Ok(Some(self)) };
        let verdict = self.store.file_index_verdict(&self.bucket_path, &self.file, predicate, &self.written).await?;
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
        let mut deletions = match &self.deletions {
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
        };
        let batches = self.store.open_file(&self.bucket_path, &self.file, &request).await?;
        let plan = self.plan;
        let mut rows = batches
            .map(move |batch| plan.finish(&batch?))
            .try_filter(|batch| std::future::ready(batch.num_rows() > 0))
            .boxed();
        let first = rows.next().await;
        Ok(stream::iter(first).chain(rows).boxed())
    }
}
