//! One bucket's rows to files, and files to their metadata.

use std::sync::Arc;

use arrow::array::{Array, RecordBatch};
use paimon_io::{FileTarget, TableStore};
use paimon_spec::{BinaryRow, CommitMessage, DataFileMeta, Error, FileSource, Result, SimpleStats, TableSchema};

use crate::file_index::{IndexLayout, WrittenIndex};
use crate::file_stats::StatsLayout;
use crate::rolling::{FileExtras, FileLimits, FileNames, FinishedFile, RollingWriter};

/// Rows are held as they are up to this many bytes before they are encoded. An encoder takes several times the memory
/// of few rows, so writing to many partitions at once must not mean to have as many encoders.
const HELD_BYTES: u64 = 8 << 20;

/// How rows of one append table become files, whatever their bucket.
#[derive(Debug)]
pub(crate) struct AppendTable {
    schema: Arc<TableSchema>,
    stats: StatsLayout,
    indexes: Option<Arc<IndexLayout>>,
    names: FileNames,
    limits: FileLimits,
}

impl AppendTable {
    /// # Errors
    /// `InvalidInput` for options that cannot be used.
    pub(crate) fn new(store: &TableStore) -> Result<Self> {
        let schema = Arc::clone(store.schema());
        let options = schema.table_options();
        Ok(Self {
            stats: StatsLayout::of(&schema)?,
            indexes: IndexLayout::of(&schema)?.map(Arc::new),
            names: FileNames::of(store, &schema, options.data_file_prefix())?,
            limits: FileLimits {
                target_bytes: options.target_file_bytes(false)?,
                target_rows: options.target_file_rows()?.max(1),
            },
            schema,
        })
    }
}

/// Writes the rows of one bucket of one partition of an append table (Java `AppendOnlyWriter`).
pub(crate) struct AppendWriter {
    table: Arc<AppendTable>,
    partition: BinaryRow,
    bucket: i32,
    held: Vec<RecordBatch>,
    held_bytes: u64,
    rolling: RollingWriter,
    finished: Vec<FinishedFile>,
    files: Vec<DataFileMeta>,
    next_sequence_number: i64,
}

impl AppendWriter {
    /// `next_sequence_number`: one more than the largest that the bucket has.
    pub(crate) fn new(
        store: &TableStore,
        table: Arc<AppendTable>,
        partition: BinaryRow,
        bucket: i32,
        next_sequence_number: i64,
    ) -> Result<Self> {
        let target = FileTarget {
            bucket_path: store.bucket_path(&partition, bucket)?,
            file_name: String::new(),
            fields: table.schema.fields.clone(),
            schema: Arc::clone(&table.schema),
        };
        let extras = FileExtras { indexes: table.indexes.clone(), keyed: None };
        Ok(Self {
            rolling: RollingWriter::new(target, table.limits, extras),
            table,
            partition,
            bucket,
            held: Vec::new(),
            held_bytes: 0,
            finished: Vec::new(),
            files: Vec::new(),
            next_sequence_number,
        })
    }

    /// Writes rows that have the table's columns and belong here.
    pub(crate) async fn write(&mut self, store: &TableStore, rows: &RecordBatch) -> Result<()> {
        self.held_bytes += bytes_of(rows);
        self.held.push(rows.clone());
        if self.held_bytes >= HELD_BYTES {
            self.encode(store).await?;
        }
        Ok(())
    }

    /// Completes the current file, which frees its memory.
    pub(crate) async fn flush(&mut self, store: &TableStore) -> Result<()> {
        self.encode(store).await?;
        self.finished.extend(self.rolling.roll(store).await?);
        Ok(())
    }

    /// Bytes held in memory.
    pub(crate) fn memory(&self) -> u64 {
        self.held_bytes + self.rolling.memory()
    }

    async fn encode(&mut self, store: &TableStore) -> Result<()> {
        self.held_bytes = 0;
        for batch in std::mem::take(&mut self.held) {
            self.rolling.write(store, &self.table.names, &batch, &mut self.finished).await?;
        }
        Ok(())
    }

    /// Turns complete files into their metadata.
    pub(crate) fn describe(&mut self, now_millis: i64) -> Result<()> {
        let (schema_id, stats) = (self.table.schema.id, &self.table.stats);
        for file in std::mem::take(&mut self.finished) {
            let meta = describe(file, schema_id, stats, now_millis, self.next_sequence_number)?;
            self.next_sequence_number = meta.max_sequence_number + 1;
            self.files.push(meta);
        }
        Ok(())
    }

    /// What was done here; `None` when nothing was written.
    pub(crate) fn into_message(self, total_buckets: i32) -> Option<CommitMessage> {
        (!self.files.is_empty()).then(|| CommitMessage {
            new_files: self.files,
            ..CommitMessage::of(self.partition, self.bucket, total_buckets)
        })
    }

    /// Deletes all files of this writer; goes on after a failure and returns the first.
    pub(crate) async fn abort(&mut self, store: &TableStore) -> Result<()> {
        self.held.clear();
        self.finished.clear();
        self.files.clear();
        self.rolling.abort(store).await
    }
}

/// What the rows of a batch take, without what they share with other batches.
pub(crate) fn bytes_of(batch: &RecordBatch) -> u64 {
    let bytes = |column: &dyn Array| column.to_data().get_slice_memory_size().unwrap_or(column.get_array_memory_size());
    batch.columns().iter().map(|column| bytes(column) as u64).sum()
}

/// `DataFileMeta` of a new file of an append table (Java `DataFileMeta.forAppend`).
pub(crate) fn describe(
    file: FinishedFile,
    schema_id: i64,
    stats: &StatsLayout,
    now_millis: i64,
    sequence_number: i64,
) -> Result<DataFileMeta> {
    let (value_stats, value_stats_cols) = stats.apply(&file.written.stats)?;
    let signed = |number: u64| {
        i64::try_from(number).map_err(|_| Error::internal("paimon-write", format_args!("{number} of {}", file.name)))
    };
    let (embedded_index, extra_files) = match file.index {
        None => (None, Vec::new()),
        Some(WrittenIndex::Embedded(index)) => (Some(index), Vec::new()),
        Some(WrittenIndex::File(name)) => (None, vec![name]),
    };
    let (file_size, row_count) = (signed(file.written.size)?, signed(file.written.rows)?);
    Ok(DataFileMeta {
        file_size,
        row_count,
        min_key: BinaryRow::empty(),
        max_key: BinaryRow::empty(),
        key_stats: SimpleStats::empty(),
        value_stats,
        min_sequence_number: sequence_number,
        max_sequence_number: sequence_number.saturating_add(row_count) - 1,
        schema_id,
        level: 0,
        extra_files,
        creation_time_millis: Some(now_millis),
        delete_row_count: Some(0),
        embedded_index,
        file_source: Some(FileSource::Append),
        value_stats_cols,
        external_path: None,
        first_row_id: None,
        write_cols: None,
        write_cols_sequences: None,
        file_name: file.name,
    })
}
