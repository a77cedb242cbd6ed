//! Row groups in the making.

use std::{mem, sync::Arc};

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use parquet::{
    arrow::arrow_writer::{ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves},
    errors::{ParquetError, Result},
    file::{
        metadata::{KeyValue, ParquetMetaData},
        properties::WriterProperties,
        writer::SerializedFileWriter,
    },
    schema::types::SchemaDescriptor,
};

use super::{
    checksum::{ColumnPages, SealedPages},
    footer,
};

/// A row group ends at this size, before compression of its last pages. As in Java. It is held in memory until then, so
/// whoever has less memory for rows gets smaller ones.
const ROW_GROUP_BYTES: usize = 128 << 20;

/// A row group ends at this many rows, so that narrow rows do not make readers hold very many.
const ROW_GROUP_ROWS: usize = 1 << 20;

/// Encodes rows into row groups, and puts those that are finished into a buffer.
///
/// Does what `ArrowWriter` does, and adds checksums to pages.
pub(super) struct RowGroups {
    file: SerializedFileWriter<Vec<u8>>,
    columns: ArrowRowGroupWriterFactory,
    pages: Arc<SealedPages>,
    schema: SchemaRef,
    /// Bytes of a row group, about.
    group_bytes: usize,
    open: Option<RowGroup>,
}

/// The row group that takes rows.
struct RowGroup {
    columns: Vec<(ArrowColumnWriter, ColumnPages)>,
    rows: usize,
    most_bytes: usize,
}

impl RowGroups {
    /// `memory_bytes`: what rows may take in memory.
    pub(super) fn new(
        schema: SchemaRef,
        stored: &SchemaDescriptor,
        properties: WriterProperties,
        memory_bytes: u64,
    ) -> Result<Self> {
        let file = SerializedFileWriter::new(Vec::new(), stored.root_schema_ptr(), Arc::new(properties))?;
        let pages = Arc::new(SealedPages::default());
        let columns = ArrowRowGroupWriterFactory::new(&file, Arc::clone(&schema));
        let columns = columns.with_page_store_factory(Arc::clone(&pages) as _);
        let group_bytes = usize::try_from(memory_bytes).unwrap_or(usize::MAX).min(ROW_GROUP_BYTES);
        Ok(Self { file, columns, pages, schema, group_bytes, open: None })
    }

    /// Encodes rows. Row groups that are full are finished on the way.
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let mut start = 0;
        while start < batch.num_rows() {
            let group = match &mut self.open {
                Some(group) => group,
                closed => {
                    let index = self.file.flushed_row_groups().len();
                    let columns = self.columns.create_column_writers(index)?;
                    let columns = columns.into_iter().zip(self.pages.take()).collect();
                    closed.insert(RowGroup { columns, rows: 0, most_bytes: self.group_bytes })
                }
            };
            let rows = group.room().min(batch.num_rows() - start);
            group.write(&self.schema, &batch.slice(start, rows))?;
            start += rows;
            if group.room() == 0 {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Finishes the file after its last row group was flushed and taken; gives its end. Nothing may be written afterwards.
    pub(super) fn finish(&mut self) -> Result<(ParquetMetaData, Vec<u8>)> {
        let checksum = KeyValue::new(footer::CHECKSUM.to_owned(), footer::NO_CHECKSUM.to_owned());
        self.file.append_key_value_metadata(checksum);
        let metadata = self.file.finish()?;
        let mut end = self.take_bytes();
        let size = self.file.bytes_written() as u64;
        footer::seal(&mut end, &metadata, size).map_err(|error| ParquetError::External(Box::new(error)))?;
        Ok((metadata, end))
    }

    /// The bytes that are finished since the last call.
    pub(super) fn take_bytes(&mut self) -> Vec<u8> {
        mem::take(self.file.inner_mut())
    }

    /// Bytes of all row groups, as far as is known of the last one.
    pub(super) fn bytes(&self) -> usize {
        self.file.bytes_written() + self.open.as_ref().map_or(0, RowGroup::bytes)
    }

    /// Bytes held in memory, about.
    pub(super) fn memory(&self) -> usize {
        let columns = self.open.iter().flat_map(|group| &group.columns);
        columns.map(|(column, _)| column.memory_size()).sum()
    }

    /// Finishes the row group that takes rows, if there is one.
    pub(super) fn flush(&mut self) -> Result<()> {
        let Some(group) = self.open.take() else { return Ok(()) };
        // Room for all of it at once: a buffer that grows would be there twice.
        self.file.inner_mut().reserve_exact(group.bytes());
        let mut row_group = self.file.next_row_group()?;
        for (column, pages) in group.columns {
            pages.append(column, &mut row_group)?;
        }
        row_group.close()?;
        Ok(())
    }
}

impl RowGroup {
    /// How many rows still go in, judged by those that are there.
    fn room(&self) -> usize {
        let by_rows = ROW_GROUP_ROWS - self.rows;
        let bytes = self.bytes();
        match bytes.checked_div(self.rows) {
            Some(row_bytes) if bytes < self.most_bytes => {
                by_rows.min(((self.most_bytes - bytes) / row_bytes.max(1)).max(1))
            }
            Some(_) => 0,
            None => by_rows,
        }
    }

    fn bytes(&self) -> usize {
        self.columns.iter().map(|(column, _)| column.get_estimated_total_bytes()).sum()
    }

    fn write(&mut self, schema: &SchemaRef, batch: &RecordBatch) -> Result<()> {
        let mut columns = self.columns.iter_mut();
        for (field, array) in schema.fields().iter().zip(batch.columns()) {
            for leaf in compute_leaves(field, array)? {
                let (column, _) = columns.next().ok_or_else(|| {
                    ParquetError::General(format!("the column {} has more parts than its type", field.name()))
                })?;
                column.write(&leaf)?;
            }
        }
        self.rows += batch.num_rows();
        Ok(())
    }
}
