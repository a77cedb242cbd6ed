//! The rows of a split, file by file.

use std::{
    collections::VecDeque,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use arrow::array::RecordBatch;
use futures::{Stream, StreamExt, TryStreamExt, future::BoxFuture, stream};
use paimon_io::{BatchStream, FileRead, TableStore};
use paimon_spec::{DataFileMeta, DataSplit, DeletionFile, Error, FieldId, Predicate, Result, TableSchema, TypeKind};

use crate::plan::{FilePlan, Target};

/// Rows of a batch when the request leaves it open. Large, because what takes batches over (Python, Daft) pays per batch.
const BATCH_ROWS: usize = 128 << 10;

/// What is wanted of a split.
#[derive(Debug, Clone, Default)]
pub struct ReadRequest {
    /// Output columns in order; `None`: all of the table's.
    pub projection: Option<Vec<FieldId>>,
    /// Only rows for which it is true. Exact, and on any columns of the table.
    pub predicate: Option<Predicate>,
    /// Stop after this many rows of the split.
    pub limit: Option<usize>,
    /// Rows of a batch, at most.
    pub batch_rows: Option<usize>,
}

/// The rows of one split in the table's current schema (`store.schema()`): columns by field id, partition columns from
/// metadata, without deleted rows, filtered exactly, in the order of the split's files and their rows.
///
/// No batch is empty. With an empty projection the batches have rows and no columns.
///
/// # Errors
/// `Unsupported` for tables whose rows are not supported yet and for files of other formats; `InvalidInput` when the
/// request names columns that the table does not have; `NotFound` when a file is gone; `CorruptData` when one is not
/// what the metadata says. Errors of a file come when the stream arrives there, and end it.
pub async fn read(store: &TableStore, split: &DataSplit, request: &ReadRequest) -> Result<BatchStream> {
    let current = store.schema();
    check_supported(store, current)?;
    if !split.deletions.is_empty() && split.deletions.len() != split.files.len() {
        return Err(Error::invalid(format!(
            "the split has {} files and deletions for {}",
            split.files.len(),
            split.deletions.len()
        )));
    }
    let fields = current.partition_fields();
    let types: Vec<_> = fields.iter().map(|f| f.data_type.clone()).collect();
    let values = if fields.is_empty() { Vec::new() } else { split.partition.values(&types)? };
    let partition = fields.iter().map(|f| f.id).zip(values).collect();
    let target =
        Target::new(Arc::clone(current), request.projection.as_deref(), request.predicate.as_ref(), partition)?;
    let target = Arc::new(target);

    let limit = request.limit.unwrap_or(usize::MAX);
    let mut missing = limit as u64;
    let mut files = VecDeque::with_capacity(split.files.len());
    for (position, file) in split.files.iter().enumerate() {
        if missing == 0 {
            break;
        }
        let written =
            if file.schema_id == current.id { Arc::clone(current) } else { store.schema_at(file.schema_id).await? };
        let Some(plan) = FilePlan::new(&target, &written, file)? else { continue };
        let deletions = split.deletions.get(position).cloned().flatten();
        let limit = plan.keeps_all().then(|| usize::try_from(missing).unwrap_or(usize::MAX));
        if plan.keeps_all() {
            missing = missing.saturating_sub(rows_at_least(file, deletions.as_ref()));
        }
        files.push_back(Opening {
            store: store.clone(),
            bucket_path: split.bucket_path.clone(),
            file: file.clone(),
            deletions,
            plan,
            limit: limit.filter(|limit| *limit < usize::MAX),
            batch_rows: request.batch_rows.unwrap_or(BATCH_ROWS).max(1),
        });
    }
    Ok(limited(FilesInOrder::new(files), limit))
}

fn check_supported(store: &TableStore, schema: &TableSchema) -> Result<()> {
    let options = store.options();
    if options.table_type() != "table" {
        return Err(Error::unsupported(format!(
            "reading rows of a table of type '{}' is not supported yet",
            options.table_type()
        )));
    }
    if !schema.primary_keys.is_empty() {
        return Err(Error::unsupported("reading rows of a primary-key table is not supported yet"));
    }
    if options.data_evolution_enabled()? {
        return Err(Error::unsupported("reading rows of a data-evolution table is not supported yet"));
    }
    if options.row_tracking_enabled()? {
        return Err(Error::unsupported("reading rows of a row-tracking table is not supported yet"));
    }
    if let Some(field) = schema.fields.iter().find(|field| matches!(field.data_type.kind, TypeKind::Blob)) {
        return Err(Error::unsupported("reading rows of a table with BLOB columns is not supported yet")
            .with_context("column", &field.name));
    }
    Ok(())
}

/// Rows that a file surely gives.
fn rows_at_least(file: &DataFileMeta, deletions: Option<&DeletionFile>) -> u64 {
    let deleted = match deletions {
        None => 0,
        Some(deletions) => deletions.cardinality.unwrap_or(file.row_count),
    };
    u64::try_from(file.row_count.saturating_sub(deleted)).unwrap_or(0)
}

/// Ends the stream after `limit` rows.
fn limited(batches: impl Stream<Item = Result<RecordBatch>> + Send + 'static, limit: usize) -> BatchStream {
    if limit == usize::MAX {
        return batches.boxed();
    }
    let state = (batches.boxed(), limit);
    stream::try_unfold(state, |(mut batches, missing)| async move {
        if missing == 0 {
            return Ok(None);
        }
        let Some(batch) = batches.try_next().await? else { return Ok(None) };
        let batch = batch.slice(0, batch.num_rows().min(missing));
        let missing = missing - batch.num_rows();
        Ok(Some((batch, (batches, missing))))
    })
    .boxed()
}

/// A file that is not open yet.
struct Opening {
    store: TableStore,
    bucket_path: String,
    file: DataFileMeta,
    deletions: Option<DeletionFile>,
    plan: FilePlan,
    limit: Option<usize>,
    batch_rows: usize,
}

impl Opening {
    /// Opens the file and waits for its first batch, so that both are there when their turn comes.
    async fn open(self) -> Result<BatchStream> {
        let deletions = match &self.deletions {
            Some(deletions) => Some(self.store.deletion_vector(deletions).await?),
            None => None,
        };
        let request = FileRead {
            columns: self.plan.columns.clone(),
            predicate: self.plan.pushed.clone(),
            deletions,
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

/// The rows of several files, one after the other. While one is read the next one is opened: two are open at most.
struct FilesInOrder {
    files: VecDeque<Opening>,
    next: Next,
    current: Option<BatchStream>,
}

/// The file after the current one.
enum Next {
    NotStarted,
    Opening(BoxFuture<'static, Result<BatchStream>>),
    Open(Result<BatchStream>),
}

impl FilesInOrder {
    fn new(files: VecDeque<Opening>) -> Self {
        Self { files, next: Next::NotStarted, current: None }
    }

    /// Lets the next file come closer, without waiting for it.
    fn advance_next(&mut self, context: &mut Context<'_>) {
        if matches!(self.next, Next::NotStarted)
            && let Some(file) = self.files.pop_front()
        {
            self.next = Next::Opening(Box::pin(file.open()));
        }
        if let Next::Opening(opening) = &mut self.next
            && let Poll::Ready(opened) = opening.as_mut().poll(context)
        {
            self.next = Next::Open(opened);
        }
    }

    /// Drops everything, so that the stream ends after its first error.
    fn end(&mut self) {
        self.files.clear();
        self.next = Next::NotStarted;
        self.current = None;
    }
}

impl Stream for FilesInOrder {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            self.advance_next(context);
            if let Some(current) = &mut self.current {
                let Poll::Ready(batch) = current.as_mut().poll_next(context) else {
                    return Poll::Pending;
                };
                match batch {
                    Some(Ok(batch)) => return Poll::Ready(Some(Ok(batch))),
                    Some(Err(error)) => {
                        self.end();
                        return Poll::Ready(Some(Err(error)));
                    }
                    None => self.current = None,
                }
            }
            match mem::replace(&mut self.next, Next::NotStarted) {
                Next::Open(Ok(batches)) => self.current = Some(batches),
                Next::Open(Err(error)) => {
                    self.end();
                    return Poll::Ready(Some(Err(error)));
                }
                Next::Opening(opening) => {
                    self.next = Next::Opening(opening);
                    return Poll::Pending;
                }
                Next::NotStarted => return Poll::Ready(None),
            }
        }
    }
}
