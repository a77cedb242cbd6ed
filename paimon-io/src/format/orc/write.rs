//! Writes an ORC data file, stripe by stripe.

use std::{fmt, mem};

use arrow::{
    array::{Array, RecordBatch},
    compute::concat_batches,
    datatypes::SchemaRef,
};
use async_trait::async_trait;
use bytes::Bytes;
use paimon_spec::{ColumnStats, DataField, DataType, Datum, Error, FieldId, Result, TypeKind};

use super::{
    super::{FileTarget, FileWriter, WrittenFile},
    codec::Codec,
    encode::{Encoded, EncodedColumn},
    proto::{put_bytes, put_number, put_signed},
    read::writes_instants,
    tail::Stripe,
};
use crate::{
    Storage, StorageWriter,
    arrow::{stats::Collector, types::arrow_schema},
};

/// A stripe ends at this size in memory. As in Java.
const STRIPE_BYTES: u64 = 64 << 20;

/// Bounds of texts are left out of the file's statistics above this size. As in Java.
const BOUND_BYTES: usize = 1024;

/// The first bytes of a file.
const MAGIC: &[u8] = b"ORC";

/// The time zone that timestamps are written in.
const ZONE: &[u8] = b"UTC";

/// Key of a column's attribute that is its field id.
const FIELD_ID: &[u8] = b"paimon.id";

/// A number for "none of the known writers" and "none of their versions".
const OTHER_WRITER: u64 = u32::MAX as u64;

pub(in super::super) fn create(storage: &Storage, path: &str, target: &FileTarget) -> Result<Box<dyn FileWriter>> {
    let options = target.schema.table_options();
    let plain_instants = writes_instants(&options);
    let mut types = Vec::new();
    put_struct(&mut types, &target.fields, None, plain_instants)?;
    Ok(Box::new(OrcWriter {
        output: storage.writer(path)?,
        codec: Codec::of_option(&options.file_compression()?)?,
        level: options.file_compression_zstd_level()?,
        schema: arrow_schema(&target.fields)?,
        stats: collectors(&target.fields),
        stripe_stats: collectors(&target.fields),
        fields: target.fields.clone(),
        pending: Vec::new(),
        pending_bytes: 0,
        stripes: Vec::new(),
        statistics: Vec::new(),
        columns: vec![EncodedColumn::default(); types.len()],
        types,
        end: 0,
        raw_bytes: 0,
        rows: 0,
    }))
}

fn collectors(fields: &[DataField]) -> Vec<Collector> {
    fields.iter().map(|field| Collector::new(&field.data_type)).collect()
}

/// Appends the message of a struct and those of its fields.
fn put_struct(types: &mut Vec<Vec<u8>>, fields: &[DataField], id: Option<FieldId>, plain_instants: bool) -> Result<()> {
    let position = types.len();
    types.push(Vec::new());
    let mut message = type_message(12, id);
    for field in fields {
        put_number(&mut message, 2, types.len() as u64);
        put_bytes(&mut message, 3, field.name.as_bytes());
        put_type(types, &field.data_type, Some(field.id), plain_instants)
            .map_err(|e| if id.is_none() { e.with_context("column", &field.name) } else { e })?;
    }
    types[position] = message;
    Ok(())
}

/// Appends the message of a type and those of the types within it, in the order in which values are encoded.
fn put_type(types: &mut Vec<Vec<u8>>, data_type: &DataType, id: Option<FieldId>, plain_instants: bool) -> Result<()> {
    let count = DataType::not_null(TypeKind::Int);
    let (kind, within): (u64, &[&DataType]) = match &data_type.kind {
        TypeKind::Boolean => (0, &[]),
        TypeKind::TinyInt => (1, &[]),
        TypeKind::SmallInt => (2, &[]),
        TypeKind::Int | TypeKind::Time(_) => (3, &[]),
        TypeKind::BigInt => (4, &[]),
        TypeKind::Float => (5, &[]),
        TypeKind::Double => (6, &[]),
        TypeKind::VarChar(DataType::MAX_LENGTH) => (7, &[]),
        TypeKind::Binary(_) | TypeKind::VarBinary(_) | TypeKind::Blob => (8, &[]),
        TypeKind::Timestamp(_) => (9, &[]),
        TypeKind::Array(element) => (10, &[element]),
        TypeKind::Map(key, value) => (11, &[key, value]),
        TypeKind::Multiset(element) => (11, &[element, &count]),
        TypeKind::Row(fields) => return put_struct(types, fields, Some(id.unwrap_or(-1)), plain_instants),
        TypeKind::Decimal { .. } => (14, &[]),
        TypeKind::Date => (15, &[]),
        TypeKind::VarChar(_) => (16, &[]),
        TypeKind::Char(_) => (17, &[]),
        TypeKind::TimestampLtz(_) if plain_instants => (18, &[]),
        TypeKind::TimestampLtz(_) => {
            return Err(Error::unsupported(
                "columns of type TIMESTAMP WITH LOCAL TIME ZONE in ORC files are read by Java as of its own time zone, \
                 and are written only where the table's option orc.timestamp-ltz.legacy.type is false",
            ));
        }
        _ => {
            return Err(Error::unsupported(format!("columns of type {data_type} are not written to ORC files")));
        }
    };
    let position = types.len();
    types.push(Vec::new());
    let mut message = type_message(kind, id);
    match data_type.kind {
        TypeKind::Char(length) => put_number(&mut message, 4, u64::from(length)),
        TypeKind::VarChar(length) if length < DataType::MAX_LENGTH => put_number(&mut message, 4, u64::from(length)),
        TypeKind::Decimal { precision, scale } => {
            put_number(&mut message, 5, u64::from(precision));
            put_number(&mut message, 6, u64::from(scale));
        }
        _ => {}
    }
    for data_type in within {
        put_number(&mut message, 2, types.len() as u64);
        put_type(types, data_type, None, plain_instants)?;
    }
    types[position] = message;
    Ok(())
}

fn type_message(kind: u64, id: Option<FieldId>) -> Vec<u8> {
    let mut message = Vec::new();
    put_number(&mut message, 1, kind);
    if let Some(id) = id.filter(|id| *id >= 0) {
        let mut attribute = Vec::new();
        put_bytes(&mut attribute, 1, FIELD_ID);
        put_bytes(&mut attribute, 2, id.to_string().as_bytes());
        put_bytes(&mut message, 7, &attribute);
    }
    message
}

struct OrcWriter {
    output: StorageWriter,
    codec: Option<Codec>,
    /// For zstd.
    level: i32,
    schema: SchemaRef,
    fields: Vec<DataField>,
    /// The messages of the types.
    types: Vec<Vec<u8>>,
    /// Statistics of the file, and of the stripe in the making.
    stats: Vec<Collector>,
    stripe_stats: Vec<Collector>,
    /// Rows of the stripe in the making.
    pending: Vec<RecordBatch>,
    pending_bytes: u64,
    stripes: Vec<Stripe>,
    /// The message of the stripes' statistics so far, and the columns of all stripes.
    statistics: Vec<u8>,
    columns: Vec<EncodedColumn>,
    /// Bytes given to the output.
    end: u64,
    /// What the rows in these bytes took in memory.
    raw_bytes: u64,
    rows: u64,
}

impl fmt::Debug for OrcWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OrcWriter").field("url", &self.output.url()).field("rows", &self.rows).finish_non_exhaustive()
    }
}

impl OrcWriter {
    async fn send(&mut self, bytes: Vec<u8>) -> Result<()> {
        self.end += bytes.len() as u64;
        self.output.write(Bytes::from(bytes)).await
    }

    fn folded(&self, bytes: Vec<u8>) -> Result<Vec<u8>> {
        match self.codec {
            Some(codec) => codec.fold(&bytes, self.level),
            None => Ok(bytes),
        }
    }

    /// Ends the stripe in the making.
    async fn send_stripe(&mut self) -> Result<()> {
        if self.end == 0 {
            self.send(MAGIC.to_vec()).await?;
        }
        let pending = mem::take(&mut self.pending);
        let rows = concat_batches(&self.schema, &pending).map_err(|e| Error::internal("paimon-io", e))?;
        drop(pending);
        if rows.num_rows() == 0 {
            return Ok(());
        }
        let mut encoded = Encoded::default();
        encoded.columns.push(EncodedColumn { values: rows.num_rows() as u64, ..EncodedColumn::default() });
        for (field, column) in self.fields.iter().zip(rows.columns()) {
            encoded.column(column).map_err(|e| e.with_context("column", &field.name))?;
        }
        drop(rows);
        let row_count = encoded.columns.first().map_or(0, |root| root.values);
        self.note_statistics(&encoded);

        let (mut bytes, mut footer) = (Vec::new(), Vec::new());
        for (column, kind, stream) in encoded.streams {
            let stream = self.folded(stream)?;
            let mut message = Vec::new();
            put_number(&mut message, 1, kind.number());
            put_number(&mut message, 2, column as u64);
            put_number(&mut message, 3, stream.len() as u64);
            put_bytes(&mut footer, 1, &message);
            bytes.extend_from_slice(&stream);
        }
        for column in &encoded.columns {
            let mut message = Vec::new();
            put_number(&mut message, 1, if column.integers { 2 } else { 0 });
            put_bytes(&mut footer, 2, &message);
        }
        put_bytes(&mut footer, 3, ZONE);
        let footer = self.folded(footer)?;
        self.stripes.push(Stripe {
            offset: self.end,
            index_length: 0,
            data_length: bytes.len() as u64,
            footer_length: footer.len() as u64,
            row_count,
        });
        bytes.extend_from_slice(&footer);
        self.raw_bytes += mem::take(&mut self.pending_bytes);
        self.send(bytes).await
    }

    fn note_statistics(&mut self, stripe: &Encoded) {
        let stats = mem::replace(&mut self.stripe_stats, collectors(&self.fields));
        let stats: Vec<_> = stats.into_iter().map(Collector::finish).collect();
        let mut message = Vec::new();
        self.put_statistics(&mut message, 1, &stripe.columns, &stats);
        put_bytes(&mut self.statistics, 1, &message);
        for (all, column) in self.columns.iter_mut().zip(&stripe.columns) {
            all.values += column.values;
            all.has_null |= column.has_null;
        }
    }

    /// Statistics of all columns, each as a message in `field`; `stats` are those of the columns of the table.
    fn put_statistics(&self, message: &mut Vec<u8>, field: u64, columns: &[EncodedColumn], stats: &[ColumnStats]) {
        // Columns of the table are right below the root, with their own columns behind them.
        let mut stats = stats.iter().zip(&self.fields);
        let mut next = 1;
        for (position, column) in columns.iter().enumerate() {
            let mut inner = Vec::new();
            put_number(&mut inner, 1, column.values);
            if position == next
                && let Some((stats, field)) = stats.next()
            {
                next += columns_of(&field.data_type);
                if let (Some(min), Some(max)) = (&stats.min, &stats.max)
                    && let Some((kind, bounds)) = bounds(min, max)
                {
                    put_bytes(&mut inner, kind, &bounds);
                }
            }
            put_number(&mut inner, 10, u64::from(column.has_null));
            put_bytes(message, field, &inner);
        }
    }

    /// The statistics of the stripes, the footer, and the postscript.
    fn tail(&self, stats: &[ColumnStats]) -> Result<Vec<u8>> {
        let mut footer = Vec::new();
        put_number(&mut footer, 1, MAGIC.len() as u64);
        put_number(&mut footer, 2, self.end);
        for stripe in &self.stripes {
            let mut message = Vec::new();
            put_number(&mut message, 1, stripe.offset);
            put_number(&mut message, 2, stripe.index_length);
            put_number(&mut message, 3, stripe.data_length);
            put_number(&mut message, 4, stripe.footer_length);
            put_number(&mut message, 5, stripe.row_count);
            put_bytes(&mut footer, 3, &message);
        }
        for data_type in &self.types {
            put_bytes(&mut footer, 4, data_type);
        }
        put_number(&mut footer, 6, self.rows);
        self.put_statistics(&mut footer, 7, &self.columns, stats);
        put_number(&mut footer, 9, OTHER_WRITER);

        let (statistics, footer) = (self.folded(self.statistics.clone())?, self.folded(footer)?);
        let (compression, block_bytes) = self.codec.map_or((0, 0), |codec| codec.stated());
        let mut postscript = Vec::new();
        put_number(&mut postscript, 1, footer.len() as u64);
        put_number(&mut postscript, 2, compression);
        if block_bytes > 0 {
            put_number(&mut postscript, 3, block_bytes);
        }
        // Version 0.12, that of the encodings.
        put_bytes(&mut postscript, 4, &[0, 12]);
        put_number(&mut postscript, 5, statistics.len() as u64);
        put_number(&mut postscript, 6, OTHER_WRITER);
        put_bytes(&mut postscript, 8000, MAGIC);
        let length = postscript.len() as u8;
        Ok([statistics, footer, postscript, vec![length]].concat())
    }
}

/// How many columns of a file a type takes.
fn columns_of(data_type: &DataType) -> usize {
    1 + match &data_type.kind {
        TypeKind::Array(element) => columns_of(element),
        TypeKind::Map(key, value) => columns_of(key) + columns_of(value),
        TypeKind::Multiset(element) => columns_of(element) + 1,
        TypeKind::Row(fields) => fields.iter().map(|field| columns_of(&field.data_type)).sum(),
        _ => 0,
    }
}

/// Bounds of integers, texts and dates, as the message of a column's statistics has them; others are left out.
fn bounds(min: &Datum, max: &Datum) -> Option<(u64, Vec<u8>)> {
    let mut message = Vec::new();
    let (field, min, max) = match (min, max) {
        (Datum::TinyInt(min), Datum::TinyInt(max)) => (2, i64::from(*min), i64::from(*max)),
        (Datum::SmallInt(min), Datum::SmallInt(max)) => (2, i64::from(*min), i64::from(*max)),
        (Datum::Int(min), Datum::Int(max)) | (Datum::Time(min), Datum::Time(max)) => {
            (2, i64::from(*min), i64::from(*max))
        }
        (Datum::BigInt(min), Datum::BigInt(max)) => (2, *min, *max),
        (Datum::Date(min), Datum::Date(max)) => (7, i64::from(*min), i64::from(*max)),
        (Datum::String(min), Datum::String(max)) if min.len().max(max.len()) <= BOUND_BYTES => {
            put_bytes(&mut message, 1, min.as_bytes());
            put_bytes(&mut message, 2, max.as_bytes());
            return Some((4, message));
        }
        _ => return None,
    };
    put_signed(&mut message, 1, min);
    put_signed(&mut message, 2, max);
    Some((field, message))
}

#[async_trait]
impl FileWriter for OrcWriter {
    async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        for (stats, column) in self.stats.iter_mut().zip(batch.columns()) {
            stats.update(column)?;
        }
        for (stats, column) in self.stripe_stats.iter_mut().zip(batch.columns()) {
            stats.update(column)?;
        }
        self.rows += batch.num_rows() as u64;
        let bytes = batch.columns().iter().map(|column| column.to_data().get_slice_memory_size().unwrap_or(0) as u64);
        self.pending_bytes += bytes.sum::<u64>();
        self.pending.push(batch.clone());
        if self.pending_bytes >= STRIPE_BYTES { self.send_stripe().await } else { Ok(()) }
    }

    fn bytes(&self) -> u64 {
        // What is pending will be compressed as what was sent.
        let pending = match self.raw_bytes {
            0 => self.pending_bytes,
            raw => (u128::from(self.pending_bytes) * u128::from(self.end) / u128::from(raw)) as u64,
        };
        self.end + pending
    }

    fn rows(&self) -> u64 {
        self.rows
    }

    fn memory(&self) -> u64 {
        self.pending_bytes + self.output.memory()
    }

    async fn finish(mut self: Box<Self>) -> Result<WrittenFile> {
        self.send_stripe().await?;
        let stats: Vec<_> = mem::take(&mut self.stats).into_iter().map(Collector::finish).collect();
        let tail = self.tail(&stats)?;
        self.send(tail).await?;
        let size = self.output.finish().await?;
        Ok(WrittenFile { size, rows: self.rows, stats })
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        self.output.abort().await
    }
}
