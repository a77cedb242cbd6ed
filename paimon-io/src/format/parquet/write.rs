//! Writes a Parquet data file, row group by row group.
//!
//! The layout is Java's, but for timestamps of more than six digits: the `parquet` crate writes 64-bit nanoseconds instead
//! of 96-bit ones (pypaimon and pyarrow read both). Each page carries a checksum, which readers verify.

use std::{cmp::Ordering, fmt, sync::Arc};

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use async_trait::async_trait;
use bytes::Bytes;
use paimon_spec::{ColumnStats, DataField, Datum, Error, KEY_STATS_LENGTH, Result, StatsMode, TableSchema, TypeKind};
use parquet::{
    basic::{Compression, GzipLevel, ZstdLevel},
    errors::ParquetError,
    file::{
        metadata::ParquetMetaData,
        properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder, WriterVersion},
    },
    schema::types::{ColumnPath, SchemaDescriptor},
};

use super::{
    super::{FileTarget, FileWriter, WrittenFile},
    repeats::values_repeat,
    row_groups::RowGroups,
    schema::parquet_schema,
    stats::chunk_stats,
};
use crate::{
    Storage, StorageWriter,
    arrow::{
        stats::keep,
        stored::{stored_batch, stored_schema},
        types::arrow_schema,
    },
};

/// Uncompressed size of a page. As in Java.
const PAGE_BYTES: usize = 1 << 20;

/// Rows of a page, at most. As in Java: it is what lets a filter leave out pages.
const PAGE_ROWS: usize = 20_000;

/// Bytes of a bound in the footer, at least: what `truncate(16)` can need of 16 characters.
const BOUND_BYTES: usize = 64;

pub(in super::super) fn create(storage: &Storage, path: &str, target: &FileTarget) -> Result<Box<dyn FileWriter>> {
    let schema = arrow_schema(&target.fields)?;
    Ok(Box::new(ParquetWriter {
        row_groups: None,
        properties: properties(&target.schema, &target.fields)?,
        memory_bytes: target.schema.table_options().write_buffer_bytes()?,
        layout: parquet_schema(&target.fields)?,
        output: storage.writer(path)?,
        stored: stored_schema(&schema),
        null_counts: vec![0; target.fields.len()],
        fields: target.fields.clone(),
        rows: 0,
    }))
}

fn unwritable(error: ParquetError) -> Error {
    Error::invalid("rows cannot be written as Parquet").with_source(error)
}

fn properties(schema: &TableSchema, fields: &[DataField]) -> Result<WriterPropertiesBuilder> {
    let options = schema.table_options();
    let level = options.file_compression_zstd_level()?;
    let name = options.file_compression()?;
    let compression = match name.to_ascii_lowercase().as_str() {
        "zstd" => Compression::ZSTD(
            ZstdLevel::try_new(level)
                .map_err(|e| Error::invalid(format!("zstd has no level {level}")).with_source(e))?,
        ),
        "none" | "uncompressed" => Compression::UNCOMPRESSED,
        "snappy" => Compression::SNAPPY,
        "gzip" => Compression::GZIP(GzipLevel::default()),
        "lz4" | "lz4_raw" => Compression::LZ4_RAW,
        _ => {
            return Err(Error::unsupported(format!(
                "option file.compression of '{name}' for Parquet files; supported are zstd, lz4, snappy, gzip and none"
            )));
        }
    };
    // Statistics in the manifest are made of the footer's, so the footer keeps as much as their mode needs.
    let mut bound_bytes = Some(BOUND_BYTES);
    let keys = schema.trimmed_primary_keys();
    for field in fields {
        let mut mode = options.stats_mode(&field.name)?;
        if keys.contains(&field.name.as_str()) {
            mode = longer(mode, KEY_STATS_LENGTH);
        }
        bound_bytes = match (mode, bound_bytes) {
            // A character has four bytes at most.
            (StatsMode::Truncate(n), Some(bytes)) => Some(bytes.max(n.saturating_mul(4))),
            (StatsMode::Full, _) | (_, None) => None,
            (_, bytes) => bytes,
        };
    }
    Ok(WriterProperties::builder()
        .set_created_by(format!("paimon-io version {}", env!("CARGO_PKG_VERSION")))
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_compression(compression)
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_statistics_truncate_length(bound_bytes)
        .set_data_page_size_limit(PAGE_BYTES)
        .set_data_page_row_count_limit(PAGE_ROWS))
}

/// A mode that keeps `length` characters, if `mode` does not keep more.
fn longer(mode: StatsMode, length: usize) -> StatsMode {
    match mode {
        StatsMode::Full => StatsMode::Full,
        StatsMode::Truncate(n) => StatsMode::Truncate(n.max(length)),
        StatsMode::Counts | StatsMode::None => StatsMode::Truncate(length),
    }
}

struct ParquetWriter {
    /// Absent before the first rows, which tell how to encode columns.
    row_groups: Option<RowGroups>,
    properties: WriterPropertiesBuilder,
    memory_bytes: u64,
    layout: SchemaDescriptor,
    output: StorageWriter,
    stored: SchemaRef,
    fields: Vec<DataField>,
    null_counts: Vec<i64>,
    rows: u64,
}

impl fmt::Debug for ParquetWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParquetWriter")
            .field("url", &self.output.url())
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}

impl ParquetWriter {
    /// The file's row groups; `first`, in the stored schema, are its first rows.
    fn row_groups(&mut self, first: &RecordBatch) -> Result<&mut RowGroups> {
        match &mut self.row_groups {
            Some(row_groups) => Ok(row_groups),
            absent => {
                let columns = self.fields.iter().zip(first.columns());
                let once = columns.filter(|(_, column)| !values_repeat(column));
                let properties = once.fold(self.properties.clone(), |properties, (field, _)| {
                    properties.set_column_dictionary_enabled(ColumnPath::new(vec![field.name.clone()]), false)
                });
                let stored = Arc::clone(&self.stored);
                let row_groups = RowGroups::new(stored, &self.layout, properties.build(), self.memory_bytes);
                Ok(absent.insert(row_groups.map_err(unwritable)?))
            }
        }
    }

    /// Sends the row groups that are complete.
    async fn send(&mut self) -> Result<()> {
        let bytes = self.row_groups.as_mut().map(RowGroups::take_bytes).unwrap_or_default();
        if bytes.is_empty() {
            return Ok(());
        }
        self.output.write(Bytes::from(bytes)).await
    }
}

#[async_trait]
impl FileWriter for ParquetWriter {
    async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let stored = stored_batch(batch, &self.stored)?;
        for (count, column) in self.null_counts.iter_mut().zip(batch.columns()) {
            *count += column.null_count() as i64;
        }
        self.row_groups(&stored)?.write(&stored).map_err(unwritable)?;
        self.rows += batch.num_rows() as u64;
        self.send().await
    }

    fn bytes(&self) -> u64 {
        self.row_groups.as_ref().map_or(0, RowGroups::bytes) as u64
    }

    fn rows(&self) -> u64 {
        self.rows
    }

    fn memory(&self) -> u64 {
        self.row_groups.as_ref().map_or(0, RowGroups::memory) as u64 + self.output.memory()
    }

    async fn finish(mut self: Box<Self>) -> Result<WrittenFile> {
        let empty = RecordBatch::new_empty(Arc::clone(&self.stored));
        self.row_groups(&empty)?.flush().map_err(unwritable)?;
        self.send().await?;
        let (metadata, end) = self.row_groups(&empty)?.finish().map_err(unwritable)?;
        self.output.write(Bytes::from(end)).await?;
        let stats = self.fields.iter().enumerate().map(|(column, field)| ColumnStats {
            null_count: Some(self.null_counts[column]),
            ..bounds(&metadata, column, field)
        });
        let stats = stats.collect();
        let size = self.output.finish().await?;
        Ok(WrittenFile { size, rows: self.rows, stats })
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        self.output.abort().await
    }
}

/// The bounds of a column over all row groups; none for nested columns and where a row group has none but has values.
fn bounds(metadata: &ParquetMetaData, column: usize, field: &DataField) -> ColumnStats {
    let none = ColumnStats::default();
    let schema = metadata.file_metadata().schema_descr();
    if !schema.root_schema().get_fields().get(column).is_some_and(|root| root.is_primitive()) {
        return none;
    }
    let Some(leaf) = (0..schema.num_columns()).find(|leaf| schema.get_column_root_idx(*leaf) == column) else {
        return none;
    };
    let (mut min, mut max): (Option<Datum>, Option<Datum>) = (None, None);
    for group in metadata.row_groups() {
        let stats = chunk_stats(group.column(leaf), &field.data_type);
        if stats.null_count == Some(group.num_rows()) {
            continue;
        }
        match (stats.min, stats.max) {
            (Some(low), Some(high)) => {
                keep(&mut min, Some(low), Ordering::Less);
                keep(&mut max, Some(high), Ordering::Greater);
            }
            // Nothing but NaN, which bounds leave out anyway.
            _ if matches!(field.data_type.kind, TypeKind::Float | TypeKind::Double) => {}
            _ => return none,
        }
    }
    ColumnStats { min, max, null_count: None }
}
