//! Writes an Avro data file. Compression has the codec's own default level; the level of the table's options is for
//! Parquet. Blocks carry a checksum, where the codec has a place for one.

use std::{
    fmt, io, mem,
    sync::{Arc, Mutex, PoisonError},
};

use arrow::{
    array::{Array, ArrayRef, AsArray, FixedSizeListArray, ListArray, MapArray, RecordBatch, StructArray},
    datatypes::{DataType as ArrowType, Field, FieldRef, Schema, SchemaRef},
};
use arrow_avro::{
    errors::AvroError,
    schema::SCHEMA_METADATA_KEY,
    writer::{Writer, WriterBuilder, format::AvroOcfFormat},
};
use async_trait::async_trait;
use bytes::Bytes;
use paimon_spec::{AvroCompressor, Error, Result};

use super::{
    super::{FileTarget, FileWriter, WrittenFile},
    schema::avro_schema,
};
use crate::{
    Storage, StorageWriter,
    arrow::{
        stats::Collector,
        stored::{stored_batch, stored_schema},
        types::arrow_schema,
    },
};

/// Rows of a block: what a reader decodes at a time.
const BLOCK_ROWS: usize = 4096;

pub(in super::super) fn create(storage: &Storage, path: &str, target: &FileTarget) -> Result<Box<dyn FileWriter>> {
    let options = target.schema.table_options();
    let name = options.file_compression()?;
    let compressor = AvroCompressor::new(&name).map_err(|_| {
        Error::unsupported(format!(
            "option file.compression of '{name}' for Avro files; supported are zstd, snappy, deflate and none"
        ))
    })?;
    let stored = stored_schema(&arrow_schema(&target.fields)?);
    let written = paired_schema(&stored);
    let json = avro_schema(&target.fields)?;
    let sink = Sink::default();
    let described = written.as_ref().clone().with_metadata([(SCHEMA_METADATA_KEY.to_owned(), json)].into());
    let writer = WriterBuilder::new(described).build(sink.clone()).map_err(unwritable)?;
    Ok(Box::new(AvroWriter {
        writer,
        sink,
        compressor,
        output: storage.writer(path)?,
        stored,
        written,
        stats: target.fields.iter().map(|field| Collector::new(&field.data_type)).collect(),
        rows: 0,
    }))
}

fn unwritable(error: AvroError) -> Error {
    Error::invalid("rows cannot be written as Avro").with_source(error)
}

/// `schema` with lists of pairs for maps whose keys are not text: Avro has no such maps.
fn paired_schema(schema: &SchemaRef) -> SchemaRef {
    Arc::new(Schema::new(schema.fields().iter().map(paired_field).collect::<Vec<_>>()))
}

fn paired_field(field: &FieldRef) -> FieldRef {
    Arc::new(field.as_ref().clone().with_data_type(paired_type(field.data_type())))
}

fn paired_type(arrow: &ArrowType) -> ArrowType {
    match arrow {
        ArrowType::Map(entries, sorted) => match entries.data_type() {
            ArrowType::Struct(fields) if fields.first().is_some_and(|key| key.data_type() != &ArrowType::Utf8) => {
                let pair = ArrowType::Struct(fields.iter().map(paired_field).collect());
                ArrowType::List(Arc::new(Field::new("item", pair, false)))
            }
            _ => ArrowType::Map(paired_field(entries), *sorted),
        },
        ArrowType::List(item) => ArrowType::List(paired_field(item)),
        ArrowType::FixedSizeList(item, length) => ArrowType::FixedSizeList(paired_field(item), *length),
        ArrowType::Struct(fields) => ArrowType::Struct(fields.iter().map(paired_field).collect()),
        other => other.clone(),
    }
}

/// `array` as an array of its [`paired_type`].
fn paired(array: &ArrayRef, target: &ArrowType) -> Result<ArrayRef> {
    if array.data_type() == target {
        return Ok(Arc::clone(array));
    }
    let unfit = |e| Error::internal("paimon-io", e);
    Ok(match (array.data_type(), target) {
        (ArrowType::Map(..), ArrowType::List(item)) => {
            let map = array.as_map();
            let entries: ArrayRef = Arc::new(map.entries().clone());
            let pairs = paired(&entries, item.data_type())?;
            let list = ListArray::try_new(Arc::clone(item), map.offsets().clone(), pairs, map.nulls().cloned());
            Arc::new(list.map_err(unfit)?) as ArrayRef
        }
        (ArrowType::Map(..), ArrowType::Map(entries, sorted)) => {
            let map = array.as_map();
            let pairs: ArrayRef = Arc::new(map.entries().clone());
            let pairs = paired(&pairs, entries.data_type())?.as_struct().clone();
            let offsets = map.offsets().clone();
            let map = MapArray::try_new(Arc::clone(entries), offsets, pairs, map.nulls().cloned(), *sorted);
            Arc::new(map.map_err(unfit)?)
        }
        (ArrowType::List(_), ArrowType::List(item)) => {
            let list = array.as_list::<i32>();
            let values = paired(list.values(), item.data_type())?;
            let list = ListArray::try_new(Arc::clone(item), list.offsets().clone(), values, list.nulls().cloned());
            Arc::new(list.map_err(unfit)?)
        }
        (ArrowType::FixedSizeList(..), ArrowType::FixedSizeList(item, length)) => {
            let list = array.as_fixed_size_list();
            let values = paired(list.values(), item.data_type())?;
            let list = FixedSizeListArray::try_new(Arc::clone(item), *length, values, list.nulls().cloned());
            Arc::new(list.map_err(unfit)?)
        }
        (ArrowType::Struct(_), ArrowType::Struct(fields)) => {
            let row = array.as_struct();
            let columns = row.columns().iter().zip(fields).map(|(c, f)| paired(c, f.data_type()));
            let columns = columns.collect::<Result<Vec<_>>>()?;
            let row = StructArray::try_new_with_length(fields.clone(), columns, row.nulls().cloned(), row.len());
            Arc::new(row.map_err(unfit)?)
        }
        (found, wanted) => return Err(Error::internal("paimon-io", format!("{found} taken for {wanted}"))),
    })
}

/// The encoder's output. The encoder owns its sink, so this is a handle on shared bytes.
#[derive(Debug, Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Sink {
    fn take(&self) -> Vec<u8> {
        mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct AvroWriter {
    writer: Writer<Sink, AvroOcfFormat>,
    sink: Sink,
    compressor: AvroCompressor,
    output: StorageWriter,
    stored: SchemaRef,
    written: SchemaRef,
    stats: Vec<Collector>,
    rows: u64,
}

impl fmt::Debug for AvroWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AvroWriter").field("url", &self.output.url()).field("rows", &self.rows).finish_non_exhaustive()
    }
}

impl AvroWriter {
    async fn send(&mut self) -> Result<()> {
        let compressed = self.compressor.compress(&self.sink.take())?;
        self.output.write(Bytes::from(compressed)).await
    }
}

#[async_trait]
impl FileWriter for AvroWriter {
    async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        for (stats, column) in self.stats.iter_mut().zip(batch.columns()) {
            stats.update(column)?;
        }
        let stored = stored_batch(batch, &self.stored)?;
        for start in (0..stored.num_rows()).step_by(BLOCK_ROWS) {
            let rows = BLOCK_ROWS.min(stored.num_rows() - start);
            let block = stored.slice(start, rows);
            let columns = block.columns().iter().zip(self.written.fields());
            let columns = columns.map(|(column, field)| paired(column, field.data_type()));
            let block = RecordBatch::try_new(Arc::clone(&self.written), columns.collect::<Result<_>>()?)
                .map_err(|e| Error::internal("paimon-io", e))?;
            self.writer.write(&block).map_err(unwritable)?;
            self.rows += rows as u64;
            self.send().await?;
        }
        Ok(())
    }

    fn bytes(&self) -> u64 {
        self.output.written()
    }

    fn rows(&self) -> u64 {
        self.rows
    }

    fn memory(&self) -> u64 {
        self.output.memory()
    }

    async fn finish(mut self: Box<Self>) -> Result<WrittenFile> {
        self.writer.finish().map_err(unwritable)?;
        self.send().await?;
        let stats = self.stats.into_iter().map(Collector::finish).collect();
        let size = self.output.finish().await?;
        Ok(WrittenFile { size, rows: self.rows, stats })
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        self.output.abort().await
    }
}
