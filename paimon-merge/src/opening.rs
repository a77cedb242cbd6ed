//! A data file before it is read: its indexes are asked, then it is opened.

use std::{ops::Range, sync::Arc, vec};

use arrow::{
    array::{ArrayRef, RecordBatch, UInt64Array},
    datatypes::{DataType, Field, Schema},
};
use futures::{StreamExt, TryStreamExt, stream};
use paimon_io::{BatchStream, FileRead, TableStore};
use paimon_spec::{DataFileMeta, DataSplit, DeletionFile, Error, IndexVerdict, Result, RowSet, TableSchema};

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
    /// Whether batches have one more column: the positions of their rows in the file. Then all rows come that statistics
    /// do not rule out.
    pub(crate) with_positions: bool,
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
        Ok(Self {
            store,
            bucket_path,
            file,
            rows,
            plan,
            batch_rows,
            limit: None,
            held_bytes: None,
            with_positions: false,
        })
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
        let mut request = FileRead {
            columns: self.plan.columns.clone(),
            predicate: self.plan.pushed.clone(),
            deletions,
            rows: self.rows,
            limit: self.limit,
            batch_rows: self.batch_rows,
            held_bytes: self.held_bytes,
        };
        let mut positions = None;
        if self.with_positions {
            let rows = self.store.rows_in_question(&self.bucket_path, &self.file.file, &request).await?;
            if rows.is_empty() {
                return Ok(stream::empty().boxed());
            }
            positions = Some(Positions::new(&rows));
            (request.predicate, request.deletions, request.rows) = (None, None, Some(Arc::new(rows)));
        }
        let batches = self.store.open_file(&self.bucket_path, &self.file.file, &request).await?;
        let plan = self.plan;
        let mut rows = batches
            .map(move |batch| {
                let rows = plan.finish(&batch?)?;
                match &mut positions {
                    Some(positions) => positions.beside(&rows),
                    None => Ok(rows),
                }
            })
            .try_filter(|batch| std::future::ready(batch.num_rows() > 0))
            .boxed();
        let first = rows.next().await;
        Ok(stream::iter(first).chain(rows).boxed())
    }
}

/// The positions of rows that come.
struct Positions {
    /// Those of the rows after `current`.
    ranges: vec::IntoIter<Range<u64>>,
    current: Range<u64>,
}

impl Positions {
    fn new(rows: &RowSet) -> Self {
        let ranges: Vec<_> = rows.ranges_in(0, u64::MAX).collect();
        Self { ranges: ranges.into_iter(), current: 0..0 }
    }

    /// The rows, and one more column with their positions.
    fn beside(&mut self, rows: &RecordBatch) -> Result<RecordBatch> {
        let mut positions = Vec::with_capacity(rows.num_rows());
        while positions.len() < rows.num_rows() {
            if self.current.is_empty() {
                let more = || Error::corrupt("expected no more rows than were asked for, found more");
                self.current = self.ranges.next().ok_or_else(more)?;
            }
            let missing = (rows.num_rows() - positions.len()) as u64;
            let end = self.current.end.min(self.current.start.saturating_add(missing));
            positions.extend(self.current.start..end);
            self.current.start = end;
        }
        let column = Arc::new(Field::new("_POSITION", DataType::UInt64, false));
        let fields = rows.schema_ref().fields().iter().cloned().chain([column]);
        let columns = rows.columns().iter().cloned().chain([Arc::new(UInt64Array::from(positions)) as ArrayRef]);
        RecordBatch::try_new(Arc::new(Schema::new(fields.collect::<Vec<_>>())), columns.collect())
            .map_err(|error| Error::internal("paimon-merge", error))
    }
}
