//! What writes the rows of one bucket, by the kind of its table.

use std::sync::Arc;

use arrow::array::RecordBatch;
use paimon_io::TableStore;
use paimon_spec::{BinaryRow, BucketMode, CommitMessage, Result};

use crate::WriteOptions;
use crate::align::Aligner;
use crate::append::{AppendTable, AppendWriter};
use crate::key_value::{Incoming, IncomingRows, KeyValueWriter, KeyedTable};
use crate::write_type::WriteType;

/// How rows of a table are written, whatever their bucket.
#[derive(Debug)]
pub(crate) enum TableKind {
    Append(Arc<AppendTable>),
    Keyed(Arc<KeyedTable>, Incoming),
}

/// Writes the rows of one bucket of one partition.
pub(crate) enum BucketWriter {
    Append(Box<AppendWriter>),
    Keyed(Box<KeyValueWriter>),
}

impl TableKind {
    /// # Errors
    /// `InvalidInput` for options that cannot be used, or not with such a table.
    pub(crate) fn new(store: &TableStore, options: &WriteOptions, write_type: &WriteType) -> Result<Self> {
        if store.schema().primary_keys.is_empty() {
            if let Some(column) = options.row_kind_column.as_ref().or(options.order_column.as_ref()) {
                return Err(paimon_spec::Error::invalid(format!(
                    "column '{column}' is to say what rows do to their keys, but the table has no primary key"
                )));
            }
            return Ok(Self::Append(Arc::new(AppendTable::new(store, &write_type.schema.fields)?)));
        }
        let waits = store.schema().bucket_mode()? == BucketMode::Postponed
            && !store.options().postpone_batch_write_fixed_bucket()?;
        let table = if waits { KeyedTable::postponed(store, options)? } else { KeyedTable::new(store, options)? };
        Ok(Self::Keyed(Arc::new(table), Incoming::of(store.schema(), options)?))
    }

    /// What of a caller's batch goes to buckets.
    pub(crate) fn rows(&self, aligner: &Aligner, batch: &RecordBatch) -> Result<IncomingRows> {
        match self {
            Self::Append(_) => {
                let values = aligner.align(batch)?;
                Ok(IncomingRows { rows: values.clone(), values, buckets: None })
            }
            Self::Keyed(_, incoming) => incoming.rows(aligner, batch),
        }
    }

    /// `next_sequence_number`: one more than the largest that the bucket has.
    pub(crate) fn open(
        &self,
        store: &TableStore,
        partition: BinaryRow,
        bucket: i32,
        next_sequence_number: i64,
    ) -> Result<BucketWriter> {
        match self {
            Self::Append(table) => AppendWriter::new(store, Arc::clone(table), partition, bucket, next_sequence_number)
                .map(|writer| BucketWriter::Append(Box::new(writer))),
            Self::Keyed(table, _) => {
                KeyValueWriter::new(store, Arc::clone(table), partition, bucket, next_sequence_number)
                    .map(|writer| BucketWriter::Keyed(Box::new(writer)))
            }
        }
    }
}

impl BucketWriter {
    /// Takes rows that belong here.
    pub(crate) async fn write(&mut self, store: &TableStore, rows: &RecordBatch) -> Result<()> {
        match self {
            Self::Append(writer) => writer.write(store, rows).await,
            Self::Keyed(writer) => writer.add(rows),
        }
    }

    /// Bytes held in memory.
    pub(crate) fn memory(&self) -> u64 {
        match self {
            Self::Append(writer) => writer.memory(),
            Self::Keyed(writer) => writer.memory(),
        }
    }

    /// Whether there are more rows than memory had room for.
    pub(crate) fn has_spilled(&self) -> bool {
        match self {
            Self::Append(_) => false,
            Self::Keyed(writer) => writer.has_spilled(),
        }
    }

    /// Frees the memory.
    pub(crate) async fn relieve(&mut self, store: &TableStore) -> Result<()> {
        match self {
            Self::Append(writer) => writer.flush(store).await,
            Self::Keyed(writer) => writer.relieve(store).await,
        }
    }

    /// Completes all files and their metadata.
    pub(crate) async fn finish(&mut self, store: &TableStore) -> Result<()> {
        let now_millis = store.context().clock.now_millis();
        match self {
            Self::Append(writer) => {
                writer.flush(store).await?;
                writer.describe(now_millis)
            }
            Self::Keyed(writer) => {
                writer.flush(store).await?;
                writer.describe(now_millis)
            }
        }
    }

    /// What was done here; `None` when nothing was written.
    pub(crate) fn into_message(self, total_buckets: i32) -> Option<CommitMessage> {
        match self {
            Self::Append(writer) => writer.into_message(total_buckets),
            Self::Keyed(writer) => writer.into_message(total_buckets),
        }
    }

    /// Deletes all files of this writer; goes on after a failure and returns the first.
    pub(crate) async fn abort(&mut self, store: &TableStore) -> Result<()> {
        match self {
            Self::Append(writer) => writer.abort(store).await,
            Self::Keyed(writer) => writer.abort(store).await,
        }
    }
}
