//! BLOB columns of what was read, in the form that a caller wants.

use std::{fmt, ops::Range, sync::Arc};

use arrow::{
    array::{
        Array, ArrayRef, AsArray, LargeBinaryArray, LargeBinaryBuilder, ListArray, MapArray, RecordBatch, StructArray,
    },
    buffer::OffsetBuffer,
    compute::interleave,
    datatypes::{DataType, Field, FieldRef, Schema, SchemaRef},
};
use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, stream, stream::BoxStream};
use paimon_io::{BatchStream, TableStore, arrow_schema};
use paimon_spec::{BlobStorage, DataField, Error, Result};

use crate::{
    BlobDescriptor, BlobReference, BlobReferences, BlobSource, BlobView, FetchLimits, Trust,
    fetch::{Ranges, cut},
};

/// What a value of a BLOB column becomes.
#[derive(Debug, Clone)]
pub enum BlobForm {
    /// Its bytes, as `LargeBinary`: they are fetched, and batches are split so that each holds at most `limits.bytes`.
    Bytes(FetchLimits),
    /// A serialised [`BlobDescriptor`], as `LargeBinary`. No blob is read.
    Descriptors,
    /// Daft's `File`: a struct of `url`, `io_config`, `position` and `size`. No blob is read.
    Files {
        /// How Daft opens the files, in its own serialised form; each value gets a copy.
        io_config: Option<Arc<[u8]>>,
    },
}

/// Looks up what views stand for: the table, its column, the row with that id.
#[async_trait]
pub trait ViewResolver: Send + Sync + fmt::Debug {
    /// For each view the descriptor of its blob, or `None` where that is NULL. What comes may be trusted: it was checked by
    /// the rules of the table that it is from.
    ///
    /// # Errors
    /// `CorruptData` when there is no such table, column or row.
    async fn resolve(&self, views: &[BlobView<'_>]) -> Result<Vec<Option<Vec<u8>>>>;
}

/// Gives the BLOB columns of batches their form. Cheap to clone.
///
/// What a table keeps in `.blob` files arrives as descriptors, and in lists and maps as lists and maps of descriptors.
/// What it keeps in its data files (options `blob-descriptor-field` and `blob-view-field`) arrives as it is there: as a view,
/// a descriptor or the bytes themselves, recognised in this order (Java `Blob.fromBytes`). Descriptors are data, and may
/// lead only where [`BlobSource`] lets data lead.
#[derive(Debug, Clone)]
pub struct Presenter(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    source: BlobSource,
    form: BlobForm,
    columns: Vec<Column>,
    schema: SchemaRef,
    /// `None`: views stay what they are.
    views: Option<Arc<dyn ViewResolver>>,
}

#[derive(Debug)]
struct Column {
    index: usize,
    name: String,
    /// Whether values may be something else than descriptors.
    is_inline: bool,
}

/// The blobs of a column, however deep they lie, one after the other.
struct Values {
    references: BlobReferences,
    /// Blobs that lie here: rows without a reference may have one.
    inline: Option<LargeBinaryArray>,
}

impl Presenter {
    /// For batches of these fields of a table; `None` when none of them holds blobs. Without `views` a view stays the
    /// bytes that it is.
    ///
    /// # Errors
    /// As [`BlobSource::of`].
    pub fn new(
        table: &TableStore,
        fields: &[DataField],
        form: BlobForm,
        views: Option<Arc<dyn ViewResolver>>,
    ) -> Result<Option<Self>> {
        let columns = fields.iter().enumerate().filter_map(|(index, field)| {
            let storage = table.schema().blob_storage(field)?;
            Some(Column { index, name: field.name.clone(), is_inline: storage != BlobStorage::File })
        });
        let columns: Vec<Column> = columns.collect();
        if columns.is_empty() {
            return Ok(None);
        }
        let read = arrow_schema(fields)?;
        let mut presented: Vec<FieldRef> = read.fields().iter().cloned().collect();
        if let BlobForm::Files { .. } = form {
            for column in &columns {
                let field = &presented[column.index];
                presented[column.index] = Arc::new(with_leaf(field, &DataType::Struct(BlobReferences::file_fields())));
            }
        }
        let schema = Arc::new(Schema::new_with_metadata(presented, read.metadata().clone()));
        let source = BlobSource::of(table)?;
        Ok(Some(Self(Arc::new(Inner { source, form, columns, schema, views }))))
    }

    /// The schema of the batches that come out.
    pub fn schema(&self) -> &SchemaRef {
        &self.0.schema
    }

    /// The same rows in the same order. A batch may become several, where blobs are fetched.
    ///
    /// # Errors
    /// Each names `column` and `row` (in its batch): those of [`crate::fetch()`], of the resolver, and `CorruptData` where a
    /// value is no descriptor.
    pub fn present(&self, batches: BatchStream) -> BatchStream {
        let inner = Arc::clone(&self.0);
        batches.map_ok(move |batch| inner.clone().present(batch)).try_flatten().boxed()
    }
}

impl Inner {
    fn present(self: Arc<Self>, batch: RecordBatch) -> BatchStream {
        let presented = async move {
            let mut columns = Vec::with_capacity(self.columns.len());
            for column in &self.columns {
                let array = batch.column(column.index);
                let values = self.values(column, array).await;
                columns.push(values.map_err(|error| error.with_context("column", &column.name))?);
            }
            match self.form {
                BlobForm::Bytes(limits) => self.fetched(batch, columns, limits).await,
                _ => Ok(stream::once(async move { self.unfetched(&batch, &columns) }).boxed()),
            }
        };
        stream::once(presented).try_flatten().boxed()
    }

    /// The blobs of a column, their views looked up, and every reference among them checked.
    async fn values(&self, column: &Column, array: &ArrayRef) -> Result<Values> {
        let leaf = leaf(array)?;
        if !column.is_inline {
            let references = BlobReferences::from_array(&leaf)?;
            self.check(&references).await?;
            return Ok(Values { references, inline: None });
        }
        let stored = leaf.as_binary_opt::<i64>().ok_or_else(|| not_binary(leaf.data_type()))?;
        let resolved = self.resolve(stored).await?;
        let mut references = Vec::with_capacity(stored.len());
        let mut inline = LargeBinaryBuilder::new();
        let mut from_data = Vec::with_capacity(stored.len());
        for row in 0..stored.len() {
            let bytes = stored.is_valid(row).then(|| stored.value(row));
            let found = resolved.iter().find(|(view, _)| *view == row);
            let descriptor = match (bytes, found) {
                (_, Some((_, descriptor))) => descriptor.as_deref(),
                (Some(bytes), None) if BlobDescriptor::looks_like(bytes) => Some(bytes),
                // A file has to be somewhere: a descriptor of the first version, or an error.
                (Some(bytes), None) if matches!(self.form, BlobForm::Files { .. }) => Some(bytes),
                _ => None,
            };
            let descriptor = descriptor.map(BlobDescriptor::decode).transpose();
            let descriptor = descriptor.map_err(|error| error.with_context("row", row))?;
            let reference = descriptor.map(|BlobDescriptor { uri, offset, length }| BlobReference {
                url: uri,
                position: offset,
                size: length,
            });
            references.push(reference);
            from_data.push(reference.filter(|_| found.is_none()));
            inline.append_option(bytes.filter(|_| reference.is_none() && found.is_none()));
        }
        self.check(&from_data.into_iter().collect()).await?;
        let inline = Some(inline.finish()).filter(|inline| inline.null_count() < inline.len());
        Ok(Values { references: references.into_iter().collect(), inline })
    }

    /// The rows that are views, with what they stand for.
    async fn resolve(&self, stored: &LargeBinaryArray) -> Result<Vec<(usize, Option<Vec<u8>>)>> {
        let Some(resolver) = &self.views else { return Ok(Vec::new()) };
        let is_view = |&row: &usize| stored.is_valid(row) && BlobView::looks_like(stored.value(row));
        let rows: Vec<usize> = (0..stored.len()).filter(is_view).collect();
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let decode = |&row: &usize| BlobView::decode(stored.value(row)).map_err(|error| error.with_context("row", row));
        let views: Vec<BlobView<'_>> = rows.iter().map(decode).collect::<Result<_>>()?;
        let resolved = resolver.resolve(&views).await?;
        Ok(rows.into_iter().zip(resolved).collect())
    }

    /// Refuses references that data may not make.
    async fn check(&self, references: &BlobReferences) -> Result<()> {
        let mut last = None;
        for (row, reference) in references.iter().enumerate() {
            let Some(url) = reference.map(|reference| reference.url).filter(|&url| last != Some(url)) else { continue };
            self.source.object(url, Trust::Data).await.map_err(|error| error.with_context("row", row))?;
            last = Some(url);
        }
        Ok(())
    }

    /// The batch with descriptors or files.
    fn unfetched(&self, batch: &RecordBatch, columns: &[Values]) -> Result<RecordBatch> {
        let mut arrays = batch.columns().to_vec();
        for (column, values) in self.columns.iter().zip(columns) {
            let leaf: ArrayRef = match &self.form {
                BlobForm::Files { io_config } => Arc::new(values.references.to_files(io_config.as_deref())),
                _ => values.with_inline(values.references.to_descriptors())?,
            };
            let rows = 0..batch.num_rows();
            arrays[column.index] = replace_leaf(&arrays[column.index], rows, self.schema.field(column.index), leaf)?;
        }
        self.batch(arrays)
    }

    /// The batch with the blobs' bytes, in pieces.
    async fn fetched(
        self: Arc<Self>,
        batch: RecordBatch,
        columns: Vec<Values>,
        limits: FetchLimits,
    ) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let mut row_bytes = vec![0_u64; batch.num_rows()];
        let mut ranges = Vec::with_capacity(columns.len());
        for (column, values) in self.columns.iter().zip(&columns) {
            // Whoever may not be trusted was checked.
            let found = Ranges::of(&self.source, &values.references, Trust::Caller, limits).await;
            let found = found.map_err(|error| error.with_context("column", &column.name))?;
            let sizes: Vec<u64> = found.sizes().collect();
            for (row, bytes) in row_bytes.iter_mut().enumerate() {
                let leaves = leaf_rows(batch.column(column.index), row..row + 1)?;
                let inline = values.inline.as_ref().map_or(0, |inline| {
                    leaves.clone().map(|leaf| inline.value_length(leaf)).sum::<i64>().cast_unsigned()
                });
                *bytes = sizes[leaves].iter().fold(bytes.saturating_add(inline), |sum, size| sum.saturating_add(*size));
            }
            ranges.push(found);
        }
        let pieces = cut(row_bytes.into_iter(), limits.bytes);
        let read = Arc::new((batch, columns, ranges));
        let pieces = stream::iter(pieces).then(move |rows| {
            let (inner, read) = (Arc::clone(&self), Arc::clone(&read));
            async move {
                let (batch, columns, ranges) = read.as_ref();
                inner.piece(batch, columns, ranges, rows, limits).await
            }
        });
        Ok(pieces.boxed())
    }

    async fn piece(
        &self,
        batch: &RecordBatch,
        columns: &[Values],
        ranges: &[Ranges],
        rows: Range<usize>,
        limits: FetchLimits,
    ) -> Result<RecordBatch> {
        let mut arrays = batch.slice(rows.start, rows.len()).columns().to_vec();
        for ((column, values), ranges) in self.columns.iter().zip(columns).zip(ranges) {
            let whole = batch.column(column.index);
            let leaves = leaf_rows(whole, rows.clone())?;
            let fetched = ranges.read(leaves.clone(), limits).await;
            let fetched = fetched.map_err(|error| error.with_context("column", &column.name))?;
            let inline = values.inline.as_ref().map(|inline| inline.slice(leaves.start, leaves.len()));
            let leaf = merged(fetched, inline.as_ref())?;
            arrays[column.index] = replace_leaf(whole, rows.clone(), self.schema.field(column.index), leaf)?;
        }
        self.batch(arrays)
    }

    fn batch(&self, arrays: Vec<ArrayRef>) -> Result<RecordBatch> {
        RecordBatch::try_new(Arc::clone(&self.schema), arrays).map_err(|error| Error::internal("paimon-blob", error))
    }
}

impl Values {
    fn with_inline(&self, referenced: LargeBinaryArray) -> Result<ArrayRef> {
        merged(referenced, self.inline.as_ref())
    }
}

/// Rows of `inline` where it has some, else those of `referenced`.
fn merged(referenced: LargeBinaryArray, inline: Option<&LargeBinaryArray>) -> Result<ArrayRef> {
    let Some(inline) = inline else { return Ok(Arc::new(referenced)) };
    let choice: Vec<(usize, usize)> = (0..inline.len()).map(|row| (usize::from(inline.is_valid(row)), row)).collect();
    interleave(&[&referenced, inline], &choice).map_err(|error| Error::internal("paimon-blob", error))
}

/// The blobs of a column: itself, or the elements of its lists, or the values of its maps.
fn leaf(array: &ArrayRef) -> Result<ArrayRef> {
    match array.data_type() {
        DataType::LargeBinary => Ok(Arc::clone(array)),
        DataType::List(_) => Ok(Arc::clone(array.as_list::<i32>().values())),
        DataType::Map(..) => Ok(Arc::clone(array.as_map().values())),
        other => Err(not_binary(other)),
    }
}

/// Which blobs of a column those of a range of its rows are.
fn leaf_rows(array: &ArrayRef, rows: Range<usize>) -> Result<Range<usize>> {
    let offsets = match array.data_type() {
        DataType::LargeBinary => return Ok(rows),
        DataType::List(_) => array.as_list::<i32>().value_offsets(),
        DataType::Map(..) => array.as_map().value_offsets(),
        other => return Err(not_binary(other)),
    };
    // Offsets of an Arrow array are not negative.
    Ok(offsets[rows.start] as usize..offsets[rows.end] as usize)
}

/// The rows of a range of a column, with `leaf` for their blobs, of the type of `field`.
fn replace_leaf(array: &ArrayRef, rows: Range<usize>, field: &Field, leaf: ArrayRef) -> Result<ArrayRef> {
    let leaves = leaf_rows(array, rows.clone())?;
    let leaf = if leaf.len() == leaves.len() { leaf } else { leaf.slice(leaves.start, leaves.len()) };
    let rebased = |offsets: &[i32]| {
        let first = offsets[rows.start];
        OffsetBuffer::new(offsets[rows.start..=rows.end].iter().map(|offset| offset - first).collect())
    };
    let nulls = array.nulls().map(|nulls| nulls.slice(rows.start, rows.len()));
    let internal = |error| Error::internal("paimon-blob", error);
    match field.data_type() {
        DataType::List(item) => {
            let offsets = rebased(array.as_list::<i32>().value_offsets());
            Ok(Arc::new(ListArray::try_new(Arc::clone(item), offsets, leaf, nulls).map_err(internal)?))
        }
        DataType::Map(entries, sorted) => {
            let map = array.as_map();
            let offsets = rebased(map.value_offsets());
            let DataType::Struct(fields) = entries.data_type() else { return Err(not_binary(entries.data_type())) };
            let keys = map.keys().slice(leaves.start, leaves.len());
            let pairs = StructArray::try_new(fields.clone(), vec![keys, leaf], None).map_err(internal)?;
            let map = MapArray::try_new(Arc::clone(entries), offsets, pairs, nulls, *sorted);
            Ok(Arc::new(map.map_err(internal)?))
        }
        _ => Ok(leaf),
    }
}

/// The field with another type for its blobs.
fn with_leaf(field: &Field, leaf: &DataType) -> Field {
    let data_type = match field.data_type() {
        DataType::List(item) => DataType::List(Arc::new(with_leaf(item, leaf))),
        DataType::Map(entries, sorted) => {
            let pairs = match entries.data_type() {
                DataType::Struct(fields) => {
                    let value = |(index, field): (usize, &FieldRef)| match index {
                        0 => Arc::clone(field),
                        _ => Arc::new(with_leaf(field, leaf)),
                    };
                    DataType::Struct(fields.iter().enumerate().map(value).collect())
                }
                other => other.clone(),
            };
            DataType::Map(Arc::new(entries.as_ref().clone().with_data_type(pairs)), *sorted)
        }
        _ => leaf.clone(),
    };
    field.clone().with_data_type(data_type)
}

fn not_binary(found: &DataType) -> Error {
    Error::internal("paimon-blob", format!("a BLOB column was read as {found}"))
}

#[cfg(test)]
mod tests;
