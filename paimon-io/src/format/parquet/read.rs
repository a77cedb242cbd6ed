//! Reads a Parquet data file: its footer once, then of the chosen row groups the chosen columns, page by page.

use std::{collections::BTreeSet, sync::Arc};

use arrow::datatypes::{DataType as ArrowType, Field, Fields, Schema, TimeUnit};
use futures::{StreamExt, TryStreamExt, stream};
use paimon_spec::{DataField, DataFileMeta, DataType, Error, Result, RowSet, TypeKind};
use parquet::{
    arrow::{
        ProjectionMask,
        arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions},
    },
    file::metadata::ParquetMetaData,
    schema::types::{SchemaDescriptor, TypePtr},
};

use super::{
    super::{
        BatchStream, FileRead,
        batches::{Columns, WantedRows},
        guarded, naming,
        source::Source,
    },
    corrupt,
    decode::{Decoding, row_groups},
    footer::read_footer,
    late_filter::LateFilter,
    prune::{Leaf, Selection, positions, select},
};
use crate::{MetadataCache, Storage, arrow::types::time_unit};

pub(in super::super) async fn open(
    cache: &MetadataCache,
    storage: &Storage,
    path: &str,
    file: &DataFileMeta,
    read: &FileRead,
) -> Result<BatchStream> {
    let source = Source::new(storage, path, file)?;
    let limit = read.limit.unwrap_or(usize::MAX);
    let wants_pages = read.predicate.is_some()
        || read.deletions.is_some()
        || read.rows.is_some()
        || read.limit.is_some()
        || read.held_bytes.is_some_and(|most| most < source.size);
    let metadata = footer(cache, &source, wants_pages).await?;
    let plan = guarded(|| Plan::new(metadata, read, file.row_count))?;
    let columns = Columns::new(&read.columns)?;
    if plan.selection.row_count == 0 || limit == 0 {
        return Ok(stream::empty().boxed());
    }
    if plan.roots.is_empty() {
        let rows = usize::try_from(plan.selection.row_count).unwrap_or(usize::MAX).min(limit);
        return Ok(columns.rows_alone(rows, read.batch_rows.max(1)));
    }
    let state = Decoding {
        source,
        projection: ProjectionMask::roots(plan.metadata.parquet_schema(), plan.roots.iter().copied()),
        filter: plan.filter,
        columns,
        positions: plan.positions,
        batch_rows: read.batch_rows.max(1),
        limit: read.limit,
        most_bytes: read.held_bytes.unwrap_or(u64::MAX),
        waiting: row_groups(plan.selection, &plan.metadata, &plan.roots, read.held_bytes),
        current: None,
        metadata: plan.metadata,
    };
    let batches = stream::try_unfold(state, |mut state| async move {
        let next = state.next_batch().await.map_err(|e| naming(e, &state.source.url()))?;
        Ok(next.map(|batch| (batch, state)))
    });
    Ok(batches.try_filter(|batch| std::future::ready(batch.num_rows() > 0)).boxed())
}

/// The rows that [`open`] does not leave out by statistics, by their positions.
pub(in super::super) async fn rows_in_question(
    cache: &MetadataCache,
    storage: &Storage,
    path: &str,
    file: &DataFileMeta,
    read: &FileRead,
) -> Result<RowSet> {
    let metadata = footer(cache, &Source::new(storage, path, file)?, true).await?;
    let positions = guarded(|| {
        check_rows(&metadata, file.row_count)?;
        let schema = metadata.file_metadata().schema_descr_ptr();
        let found = read.columns.iter().map(|field| root_of(&schema, field)).collect::<Result<Vec<_>>>()?;
        let leaves = leaves(&schema, &read.columns, &found);
        positions(&metadata, &leaves, read.predicate.as_ref(), &WantedRows::of(read))
    });
    RowSet::from_ranges(positions?)
}

/// The footer, from the cache or from the file; with the page index when pages are to be left out.
async fn footer(cache: &MetadataCache, source: &Source, with_pages: bool) -> Result<Arc<ParquetMetaData>> {
    let name = format!("{}#{}{}", source.url(), source.size, if with_pages { "+pages" } else { "" });
    cache.get_or_load(name, ParquetMetaData::memory_size, read_footer(source, with_pages)).await
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

impl Plan {
    fn new(metadata: Arc<ParquetMetaData>, read: &FileRead, row_count: i64) -> Result<Self> {
        check_rows(&metadata, row_count)?;
        let schema = metadata.file_metadata().schema_descr_ptr();
        let found = read.columns.iter().map(|field| root_of(&schema, field)).collect::<Result<Vec<_>>>()?;
        let roots: Vec<usize> = found.iter().flatten().copied().collect::<BTreeSet<_>>().into_iter().collect();
        let positions = found.iter().map(|root| root.and_then(|root| roots.binary_search(&root).ok())).collect();
        let leaves = leaves(&schema, &read.columns, &found);
        let predicate = read.predicate.as_ref();
        let selection = select(&metadata, &leaves, predicate, &WantedRows::of(read))?;
        let filter = predicate.and_then(|p| LateFilter::new(p, &read.columns, &found, &roots, &metadata, &selection));
        let metadata = arrow_metadata(metadata, &read.columns, &found)?;
        Ok(Self { metadata, selection, roots, positions, filter })
    }
}

fn check_rows(metadata: &ParquetMetaData, wanted: i64) -> Result<()> {
    match metadata.file_metadata().num_rows() {
        found if found == wanted => Ok(()),
        found => Err(Error::corrupt(format!("wanted {wanted} rows as the manifest says, found {found}"))),
    }
}

/// The columns that statistics can be had for; `found` has the root of each.
fn leaves<'a>(schema: &SchemaDescriptor, columns: &'a [DataField], found: &[Option<usize>]) -> Vec<Leaf<'a>> {
    let leaf =
        |(field, root): (&'a DataField, &Option<usize>)| Some(Leaf { field, index: only_leaf(schema, (*root)?)? });
    columns.iter().zip(found).filter_map(leaf).collect()
}

/// The root column of a field, by its name; `None`: the file lacks it. Where a file has the ids of fields, its names and
/// those of its schema must not differ.
fn root_of(schema: &SchemaDescriptor, field: &DataField) -> Result<Option<usize>> {
    let roots = schema.root_schema().get_fields();
    if let Some(root) = roots.iter().position(|root| root.name() == field.name) {
        return Ok(Some(root));
    }
    let id = |root: &TypePtr| root.get_basic_info().has_id().then(|| root.get_basic_info().id());
    match roots.iter().find(|root| id(root) == Some(field.id)) {
        Some(root) => Err(Error::corrupt(format!(
            "expected field {} to be named '{}' as in the schema, found '{}' in the file",
            field.id,
            field.name,
            root.name()
        ))),
        None => Ok(None),
    }
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
