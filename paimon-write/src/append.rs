//! One bucket's rows to files (with BLOB columns, to several side by side), and files to their metadata.

use std::sync::Arc;

use arrow::array::{Array, RecordBatch};
use paimon_io::TableStore;
use paimon_spec::{
    BinaryRow, CommitMessage, DataField, DataFileMeta, Error, FieldId, FileSource, Result, SimpleStats, row_id_field,
    sequence_number_field,
};

use crate::column_groups::{ColumnGroup, column_groups};
use crate::file_index::WrittenIndex;
use crate::file_stats::StatsLayout;
use crate::rolling::{FinishedFile, RollingWriter};

/// Rows are held as they are up to this many bytes before they are encoded. An encoder takes several times the memory
/// of few rows, so writing to many partitions at once must not mean to have as many encoders.
const HELD_BYTES: u64 = 8 << 20;

/// How rows of one append table become files, whatever their bucket.
#[derive(Debug)]
pub(crate) struct AppendTable {
    /// That of data files first.
    groups: Vec<ColumnGroup>,
    /// Sequence numbers are given when files are committed.
    numbered_by_commit: bool,
    /// What makes the files.
    source: FileSource,
}

impl AppendTable {
    /// `fields`: the columns of the rows.
    ///
    /// # Errors
    /// `InvalidInput` for options that cannot be used.
    pub(crate) fn new(store: &TableStore, fields: &[DataField]) -> Result<Self> {
        let groups = column_groups(store, fields)?;
        let numbered_by_commit = store.options().row_tracking_enabled()?;
        Ok(Self { groups, numbered_by_commit, source: FileSource::Append })
    }

    /// How rows that are there are rewritten: all columns of the table, and where it tracks rows, their ids and sequence
    /// numbers, which they keep.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub(crate) fn of_compaction(store: &TableStore) -> Result<Self> {
        let mut fields = store.schema().fields.clone();
        if store.options().row_tracking_enabled()? {
            fields.extend([row_id_field(), sequence_number_field()]);
        }
        Ok(Self { groups: column_groups(store, &fields)?, numbered_by_commit: false, source: FileSource::Compact })
    }

    /// The columns of the rows.
    pub(crate) fn columns(&self) -> Vec<FieldId> {
        self.groups.iter().flat_map(ColumnGroup::fields).map(|field| field.id).collect()
    }
}

/// Writes the rows of one bucket of one partition of an append table (Java `AppendOnlyWriter`,
/// `DedicatedFormatRollingFileWriter`).
///
/// A data file and the `.blob` files with the rest of its rows end together. They follow one another: the data file, then
/// the files of each BLOB column, because row ids are given in that order.
pub(crate) struct AppendWriter {
    table: Arc<AppendTable>,
    partition: BinaryRow,
    bucket: i32,
    held: Vec<RecordBatch>,
    held_bytes: u64,
    /// For each group, its files, and those that are finished while the data file is not.
    chains: Vec<(RollingWriter, Vec<FinishedFile>)>,
    /// With the group.
    finished: Vec<(usize, FinishedFile)>,
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
        let bucket_path = store.bucket_path(&partition, bucket)?;
        Ok(Self {
            chains: table.groups.iter().map(|group| (group.rolling(&bucket_path), Vec::new())).collect(),
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

    /// Completes the current files, which frees their memory.
    pub(crate) async fn flush(&mut self, store: &TableStore) -> Result<()> {
        self.encode(store).await?;
        self.roll(store).await
    }

    /// Bytes held in memory.
    pub(crate) fn memory(&self) -> u64 {
        self.held_bytes + self.chains.iter().map(|(rolling, _)| rolling.memory()).sum::<u64>()
    }

    async fn encode(&mut self, store: &TableStore) -> Result<()> {
        self.held_bytes = 0;
        for batch in std::mem::take(&mut self.held) {
            self.encode_batch(store, &batch).await?;
        }
        Ok(())
    }

    async fn encode_batch(&mut self, store: &TableStore, batch: &RecordBatch) -> Result<()> {
        let columns = self.table.groups.iter().map(|group| group.of(batch)).collect::<Result<Vec<_>>>()?;
        let mut written = 0;
        while written < batch.num_rows() {
            let mut rows = batch.num_rows() - written;
            let mut data_is_full = false;
            let parts = self.chains.iter_mut().zip(&self.table.groups).zip(&columns).enumerate();
            for (at, (((rolling, finished), group), columns)) in parts {
                let part = columns.slice(written, rows);
                if at == 0 {
                    rows = rolling.write_some(store, &group.names, &part).await?;
                    data_is_full = rolling.is_full();
                } else {
                    rolling.write(store, &group.names, &part, finished).await?;
                }
            }
            written += rows;
            if data_is_full {
                self.roll(store).await?;
            }
        }
        Ok(())
    }

    /// Completes the current data file, and the `.blob` files with it.
    async fn roll(&mut self, store: &TableStore) -> Result<()> {
        for (group, (rolling, finished)) in self.chains.iter_mut().enumerate() {
            finished.extend(rolling.roll(store).await?);
            self.finished.extend(finished.drain(..).map(|file| (group, file)));
        }
        Ok(())
    }

    /// Turns complete files into their metadata.
    pub(crate) fn describe(&mut self, now_millis: i64) -> Result<()> {
        for (group, file) in std::mem::take(&mut self.finished) {
            let Some(group) = self.table.groups.get(group) else { continue };
            let sequence_number = if self.table.numbered_by_commit { 0 } else { self.next_sequence_number };
            let meta = group.describe(file, now_millis, sequence_number)?;
            self.next_sequence_number = meta.max_sequence_number + 1;
            self.files.push(DataFileMeta { file_source: Some(self.table.source), ..meta });
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

    /// The files that were described.
    pub(crate) fn into_files(self) -> Vec<DataFileMeta> {
        self.files
    }

    /// Deletes all files of this writer; goes on after a failure and returns the first.
    pub(crate) async fn abort(&mut self, store: &TableStore) -> Result<()> {
        self.held.clear();
        self.finished.clear();
        self.files.clear();
        let mut outcome = Ok(());
        for (rolling, finished) in &mut self.chains {
            finished.clear();
            outcome = outcome.and(rolling.abort(store).await);
        }
        outcome
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
