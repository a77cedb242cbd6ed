//! Reads a Parquet data file: its footer once, then of the chosen row groups the chosen columns, page by page.

use std::{collections::BTreeSet, iter, ops::Range, sync::Arc};

use arrow::{
    array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array},
    datatypes::{DataType as ArrowType, Field, Fields, Schema, SchemaRef, TimeUnit},
    error::ArrowError,
};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use paimon_spec::{DataField, DataFileMeta, DataType, Error, Predicate, Result, Test, TypeKind};
use parquet::{
    DecodeResult,
    arrow::{
        ProjectionMask,
        arrow_reader::{ArrowPredicate, ArrowPredicateFn, ArrowReaderMetadata, ArrowReaderOptions, RowFilter},
        push_decoder::{ParquetPushDecoder, ParquetPushDecoderBuilder},
    },
    file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataPushDecoder},
    schema::types::SchemaDescriptor,
};

use super::{
    super::{BatchStream, FileRead, guarded, naming},
    corrupt,
    prune::{Leaf, Selection, select},
};
use crate::{
    MetadataCache, Storage,
    arrow::{
        filter::filter_mask,
        fit::{Origin, fit},
        types::{arrow_schema, arrow_type, time_unit},
    },
};

/// How much of a file's end is read at first: most footers, with the page index of files of ordinary size.
const FOOTER_GUESS_BYTES: u64 = 64 << 10;

/// A filter decodes its columns first and the other columns for the rows that pass. That pays when the others are
/// larger than this many times its own.
const LATE_COLUMNS_FACTOR: i64 = 1;

pub(in super::super) async fn open(
    cache: &MetadataCache,
    storage: &Storage,
    path: &str,
    file: &DataFileMeta,
    read: &FileRead,
) -> Result<BatchStream> {
    let source = Source::new(storage, path, file)?;
    let limit = read.limit.unwrap_or(usize::MAX);
    let wants_pages = read.predicate.is_some() || read.deletions.is_some() || read.limit.is_some();
    let metadata = footer(cache, &source, wants_pages).await?;
    let plan = guarded(|| Plan::new(metadata, read, file.row_count))?;
    let schema = arrow_schema(&read.columns)?;
    if plan.selection.row_count == 0 || limit == 0 {
        return Ok(stream::empty().boxed());
    }
    if plan.roots.is_empty() {
        let rows = usize::try_from(plan.selection.row_count).unwrap_or(usize::MAX).min(limit);
        return Ok(rows_alone(schema, rows, read.batch_rows.max(1)));
    }
    let columns = Columns { fields: read.columns.clone(), positions: plan.positions.clone(), schema };
    let decoder = guarded(|| plan.decoder(read))?;
    let state = Decoding { decoder, source, columns };
    let batches = stream::try_unfold(state, |mut state| async move {
        let next = state.next_batch().await.map_err(|e| naming(e, &state.source.url()))?;
        Ok(next.map(|batch| (batch, state)))
    });
    Ok(batches.try_filter(|batch| std::future::ready(batch.num_rows() > 0)).boxed())
}

/// Where the bytes come from.
#[derive(Clone)]
struct Source {
    storage: Storage,
    path: String,
    size: u64,
}

impl Source {
    fn new(storage: &Storage, path: &str, file: &DataFileMeta) -> Result<Self> {
        let size = u64::try_from(file.file_size)
            .map_err(|_| Error::corrupt(format!("the manifest gives the file {} bytes", file.file_size)))?;
        Ok(Self { storage: storage.clone(), path: path.to_owned(), size })
    }

    fn url(&self) -> String {
        self.storage.url(&self.path)
    }

    /// Ranges come out of the file itself, so they are looked at before anything is allocated for them.
    async fn fetch(&self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        if let Some(range) = ranges.iter().find(|r| r.start > r.end || r.end > self.size) {
            return Err(Error::corrupt(format!(
                "the footer places data at bytes {}..{}, but the file has {}",
                range.start, range.end, self.size
            )));
        }
        self.storage.read_ranges(&self.path, ranges).await
    }
}

/// The footer, from the cache or from the file; with the page index when pages are to be left out.
async fn footer(cache: &MetadataCache, source: &Source, with_pages: bool) -> Result<Arc<ParquetMetaData>> {
    let name = format!("{}#{}{}", source.url(), source.size, if with_pages { "+pages" } else { "" });
    let load = async {
        let policy = if with_pages { PageIndexPolicy::Optional } else { PageIndexPolicy::Skip };
        let decoder = ParquetMetaDataPushDecoder::try_new(source.size).map_err(corrupt)?;
        let mut decoder = decoder.with_page_index_policy(policy);
        let mut ranges = Vec::from_iter(iter::once(source.size.saturating_sub(FOOTER_GUESS_BYTES)..source.size));
        loop {
            let buffers = source.fetch(&ranges).await?;
            decoder.push_ranges(ranges, buffers).map_err(corrupt)?;
            match guarded(|| decoder.try_decode().map_err(corrupt))? {
                DecodeResult::NeedsData(needed) => ranges = needed,
                DecodeResult::Data(metadata) => return Ok(metadata),
                DecodeResult::Finished => return Err(Error::internal("paimon-io", "the footer was decoded before")),
            }
        }
    };
    cache.get_or_load(name, ParquetMetaData::memory_size, load).await
}

/// What of a file is read, and how it maps to the columns asked for.
struct Plan {
    metadata: ArrowReaderMetadata,
    selection: Selection,
    /// The file's root columns that are decoded, ascending: the order in which a batch has them.
    roots: Vec<usize>,
    /// For each column asked for, which of `roots` it is; `None`: the file lacks it.
    positions: Vec<Option<usize>>,
    filter: Option<LateFilter>,
}

/// A condition to decide before the other columns are decoded.
struct LateFilter {
    predicate: Predicate,
    /// Its columns in the order of the file.
    fields: Vec<DataField>,
    roots: Vec<usize>,
}

impl Plan {
    fn new(metadata: Arc<ParquetMetaData>, read: &FileRead, row_count: i64) -> Result<Self> {
        let file_rows = metadata.file_metadata().num_rows();
        if file_rows != row_count {
            return Err(Error::corrupt(format!("wanted {row_count} rows as the manifest says, found {file_rows}")));
        }
        let schema = metadata.file_metadata().schema_descr_ptr();
        let found: Vec<Option<usize>> = read.columns.iter().map(|field| root_of(&schema, &field.name)).collect();
        let roots: Vec<usize> = found.iter().flatten().copied().collect::<BTreeSet<_>>().into_iter().collect();
        let positions = found.iter().map(|root| root.and_then(|root| roots.binary_search(&root).ok())).collect();
        let leaves: Vec<Leaf<'_>> = read
            .columns
            .iter()
            .zip(&found)
            .filter_map(|(field, root)| Some(Leaf { field, index: only_leaf(&schema, (*root)?)? }))
            .collect();
        let predicate = read.predicate.as_ref();
        let selection = select(&metadata, &leaves, predicate, read.deletions.as_deref())?;
        let filter = predicate.and_then(|p| LateFilter::new(p, &read.columns, &found, &roots, &metadata, &selection));
        let metadata = arrow_metadata(metadata, &read.columns, &found)?;
        Ok(Self { metadata, selection, roots, positions, filter })
    }

    fn decoder(self, read: &FileRead) -> Result<ParquetPushDecoder> {
        let schema = self.metadata.parquet_schema();
        let projection = ProjectionMask::roots(schema, self.roots.iter().copied());
        let filter = self.filter.map(|filter| filter.into_row_filter(schema));
        let mut builder = ParquetPushDecoderBuilder::new_with_metadata(self.metadata.clone())
            .with_batch_size(read.batch_rows.max(1))
            .with_projection(projection)
            .with_row_groups(self.selection.row_groups);
        if let Some(rows) = self.selection.rows {
            builder = builder.with_row_selection(rows);
        }
        if let Some(filter) = filter {
            builder = builder.with_row_filter(filter);
        }
        if let Some(limit) = read.limit {
            builder = builder.with_limit(limit);
        }
        builder.build().map_err(corrupt)
    }
}

/// The root column of a name.
fn root_of(schema: &SchemaDescriptor, name: &str) -> Option<usize> {
    schema.root_schema().get_fields().iter().position(|field| field.name() == name)
}

/// The leaf of a root column that is no group.
fn only_leaf(schema: &SchemaDescriptor, root: usize) -> Option<usize> {
    if !schema.root_schema().get_fields().get(root)?.is_primitive() {
        return None;
    }
    (0..schema.num_columns()).find(|leaf| schema.get_column_root_idx(*leaf) == root)
}

/// The Arrow schema of the file: what its physical types say, but for 96-bit timestamps. Those span more years than
/// 64 bits of nanoseconds, so they are read in the unit of the column's type.
fn arrow_metadata(
    metadata: Arc<ParquetMetaData>,
    columns: &[DataField],
    roots: &[Option<usize>],
) -> Result<ArrowReaderMetadata> {
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let natural = ArrowReaderMetadata::try_new(Arc::clone(&metadata), options).map_err(corrupt)?;
    let mut fields: Vec<_> = natural.schema().fields().iter().map(Arc::clone).collect();
    let mut changed = false;
    for (column, root) in columns.iter().zip(roots) {
        let Some(field) = root.and_then(|root| fields.get_mut(root)) else { continue };
        if let Some(hinted) = hinted_type(field.data_type(), &column.data_type) {
            *field = Arc::new(field.as_ref().clone().with_data_type(hinted));
            changed = true;
        }
    }
    if !changed {
        return Ok(natural);
    }
    let schema = Schema::new_with_metadata(fields, natural.schema().metadata().clone());
    ArrowReaderMetadata::try_new(metadata, ArrowReaderOptions::new().with_schema(Arc::new(schema))).map_err(corrupt)
}

/// `found` with the units of timestamps as `wanted` has them, if that differs. Only INT96 columns take another unit than
/// their own; the others are converted after decoding.
fn hinted_type(found: &ArrowType, wanted: &DataType) -> Option<ArrowType> {
    let inner = |field: &Arc<Field>, wanted: &DataType| {
        hinted_type(field.data_type(), wanted).map(|hinted| Arc::new(field.as_ref().clone().with_data_type(hinted)))
    };
    match (found, &wanted.kind) {
        (ArrowType::Timestamp(TimeUnit::Nanosecond, None), TypeKind::Timestamp(p) | TypeKind::TimestampLtz(p)) => {
            let unit = time_unit(*p);
            (unit != TimeUnit::Nanosecond).then_some(ArrowType::Timestamp(unit, None))
        }
        (ArrowType::List(item), TypeKind::Array(element)) => inner(item, element).map(ArrowType::List),
        (ArrowType::Map(entries, sorted), TypeKind::Map(key, value)) => {
            let ArrowType::Struct(fields) = entries.data_type() else { return None };
            let [key_field, value_field] = &fields[..] else { return None };
            let hinted = (inner(key_field, key), inner(value_field, value));
            if hinted.0.is_none() && hinted.1.is_none() {
                return None;
            }
            let fields = [
                hinted.0.unwrap_or_else(|| Arc::clone(key_field)),
                hinted.1.unwrap_or_else(|| Arc::clone(value_field)),
            ];
            let entries = entries.as_ref().clone().with_data_type(ArrowType::Struct(Fields::from_iter(fields)));
            Some(ArrowType::Map(Arc::new(entries), *sorted))
        }
        (ArrowType::Struct(fields), TypeKind::Row(row)) => {
            let hinted: Vec<_> = fields
                .iter()
                .map(|field| row.iter().find(|f| f.name == *field.name()).and_then(|f| inner(field, &f.data_type)))
                .collect();
            if hinted.iter().all(Option::is_none) {
                return None;
            }
            let fields = fields.iter().zip(hinted).map(|(field, hinted)| hinted.unwrap_or_else(|| Arc::clone(field)));
            Some(ArrowType::Struct(fields.collect()))
        }
        _ => None,
    }
}

impl LateFilter {
    /// The part of the predicate on columns of the file, when it is worth a pass of its own.
    fn new(
        predicate: &Predicate,
        columns: &[DataField],
        found: &[Option<usize>],
        roots: &[usize],
        metadata: &ParquetMetaData,
        selection: &Selection,
    ) -> Option<Self> {
        let present: Vec<_> = columns.iter().zip(found).filter(|(_, root)| root.is_some()).map(|(f, _)| f.id).collect();
        let predicate = predicate.only_on(&present)?;
        if !may_be_selective(&predicate) {
            return None;
        }
        let ids = predicate.fields();
        let mut fields: Vec<(usize, DataField)> = columns
            .iter()
            .zip(found)
            .filter(|(field, _)| ids.contains(&field.id))
            .filter_map(|(field, root)| Some(((*root)?, field.clone())))
            .collect();
        fields.sort_by_key(|(root, _)| *root);
        let (own, fields): (Vec<usize>, Vec<DataField>) = fields.into_iter().unzip();
        let schema = metadata.file_metadata().schema_descr();
        let size_of = |wanted: &dyn Fn(usize) -> bool| -> i64 {
            let groups = selection.row_groups.iter().filter_map(|group| metadata.row_groups().get(*group));
            let chunks = groups.flat_map(|group| group.columns().iter().enumerate());
            let chunks = chunks.filter(|(leaf, _)| wanted(schema.get_column_root_idx(*leaf)));
            chunks.map(|(_, chunk)| chunk.uncompressed_size().max(0)).fold(0, i64::saturating_add)
        };
        let own_size = size_of(&|root| own.contains(&root));
        let late_size = size_of(&|root| roots.contains(&root) && !own.contains(&root));
        (late_size > own_size.saturating_mul(LATE_COLUMNS_FACTOR)).then_some(Self { predicate, fields, roots: own })
    }

    fn into_row_filter(self, schema: &SchemaDescriptor) -> RowFilter {
        let projection = ProjectionMask::roots(schema, self.roots);
        let Self { predicate, fields, .. } = self;
        let evaluate = move |batch: RecordBatch| {
            let mask = || -> Result<_> {
                let columns = batch.columns().iter().zip(&fields);
                let columns = columns.map(|(column, field)| fit(column, &field.data_type, Origin::File));
                let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
                let batch = RecordBatch::try_new_with_options(
                    arrow_schema(&fields)?,
                    columns.collect::<Result<_>>()?,
                    &options,
                )
                .map_err(|e| Error::corrupt("columns do not fit together").with_source(e))?;
                filter_mask(&batch, &fields, &predicate)
            };
            mask().map_err(|e| ArrowError::ExternalError(Box::new(e)))
        };
        let filter: Vec<Box<dyn ArrowPredicate>> = vec![Box::new(ArrowPredicateFn::new(projection, evaluate))];
        RowFilter::new(filter)
    }
}

/// Whether a condition is of a kind that seldom holds. IS NOT NULL, <> and the like keep nearly all rows.
fn may_be_selective(predicate: &Predicate) -> bool {
    match predicate {
        Predicate::And(parts) => parts.iter().any(may_be_selective),
        Predicate::Or(parts) => parts.iter().all(may_be_selective),
        Predicate::Leaf(leaf) => match &leaf.test {
            Test::IsNotNull => false,
            Test::Compare(op, _) => *op != paimon_spec::CompareOp::NotEq,
            _ => true,
        },
        _ => false,
    }
}

/// Batches of no columns.
fn rows_alone_batch(schema: &SchemaRef, rows: usize) -> Result<RecordBatch> {
    let columns = schema.fields().iter().map(|field| new_null_array(field.data_type(), rows)).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
        .map_err(|e| Error::corrupt("the file lacks a column that is NOT NULL").with_source(e))
}

/// Rows of which the file has no column: their number is all there is to know.
fn rows_alone(schema: SchemaRef, rows: usize, batch_rows: usize) -> BatchStream {
    let starts = (0..rows).step_by(batch_rows);
    let batches = starts.map(move |start| rows_alone_batch(&schema, batch_rows.min(rows - start)));
    stream::iter(batches).boxed()
}

/// How the columns of the file become those asked for.
struct Columns {
    fields: Vec<DataField>,
    positions: Vec<Option<usize>>,
    schema: SchemaRef,
}

impl Columns {
    fn arrange(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let columns = self.fields.iter().zip(&self.positions).map(|(field, position)| -> Result<ArrayRef> {
            match position.and_then(|position| batch.columns().get(position)) {
                Some(column) => fit(column, &field.data_type, Origin::File),
                None => Ok(new_null_array(&arrow_type(&field.data_type)?, batch.num_rows())),
            }
            .map_err(|e| e.with_context("column", &field.name))
        });
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns.collect::<Result<_>>()?, &options)
            .map_err(|e| Error::corrupt("columns do not fit the file's schema").with_source(e))
    }
}

/// A read on its way.
struct Decoding {
    decoder: ParquetPushDecoder,
    source: Source,
    columns: Columns,
}

impl Decoding {
    async fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            match guarded(|| self.decoder.try_decode().map_err(corrupt))? {
                DecodeResult::NeedsData(ranges) => {
                    let buffers = self.source.fetch(&ranges).await?;
                    guarded(|| self.decoder.push_ranges(ranges, buffers).map_err(corrupt))?;
                }
                DecodeResult::Data(batch) => return guarded(|| self.columns.arrange(&batch)).map(Some),
                DecodeResult::Finished => return Ok(None),
            }
        }
    }
}
