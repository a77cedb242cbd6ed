//! Buckets for rows that other workers write.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int32Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType as ArrowType, Field, Int8Type, Schema, SchemaRef};
use paimon_io::{TableStore, arrow_schema};
use paimon_spec::{BucketMode, Error, Result, RowKind};

use super::{Assigner, Share};
use crate::WriteOptions;
use crate::align::Aligner;
use crate::key_value::{Incoming, IncomingRows};
use crate::options::require_writable;
use crate::route::Routed;
use crate::write_type::WriteType;

/// Names for the columns that a [`RowAssigner`] adds to those of the table, which has none of these names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssignedColumns {
    /// The bucket of the row, for [`AssignedBuckets`](crate::AssignedBuckets).
    pub bucket: String,
    /// What the row does, for [`WriteOptions::row_kind_column`].
    pub row_kind: String,
}

/// Decides on the buckets of rows of a table with dynamic buckets that [`TableWriter`](crate::TableWriter)s elsewhere
/// write, with [`WriteOptions::assigned`].
///
/// Of several assigners each gets the rows that an [`AssignerRouter`](super::AssignerRouter) sends it. Nothing is written
/// here, and nothing has to be taken back.
pub struct RowAssigner {
    store: TableStore,
    assigner: Assigner,
    incoming: Incoming,
    aligner: Aligner,
    has_order: bool,
    schema: SchemaRef,
}

impl std::fmt::Debug for RowAssigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RowAssigner").field("store", &self.store).finish_non_exhaustive()
    }
}

impl RowAssigner {
    /// An assigner as of the latest snapshot. `options` are those of a writer that would take the rows themselves.
    ///
    /// # Errors
    /// `InvalidInput` for a table without dynamic buckets, for unusable options and for names that are taken.
    pub async fn open(
        store: TableStore,
        share: Share,
        columns: &AssignedColumns,
        options: &WriteOptions,
    ) -> Result<Self> {
        let table = store.schema();
        require_writable(table)?;
        if !matches!(table.bucket_mode()?, BucketMode::Dynamic | BucketMode::KeyDynamic) {
            return Err(Error::invalid("expected a table with dynamic buckets, found one without"));
        }
        let incoming = Incoming::of(table, options)?;
        let aligner = Aligner::new(&WriteType::of(table, None)?)?;
        let memory_bytes = match options.memory_bytes {
            Some(bytes) => bytes,
            None => store.options().write_buffer_bytes()?,
        };
        let rows = arrow_schema(&table.fields)?;
        let order = options.order_column.as_ref().map(|name| Field::new(name, ArrowType::Int64, false));
        let kind = Field::new(&columns.row_kind, ArrowType::Utf8, false);
        let bucket = Field::new(&columns.bucket, ArrowType::Int32, false);
        let added: Vec<Field> = order.into_iter().chain([kind, bucket]).collect();
        if let Some(taken) = added.iter().find(|field| rows.field_with_name(field.name()).is_ok()) {
            return Err(Error::invalid(format!("column '{}' is a column of the table", taken.name())));
        }
        let fields = added.into_iter().map(Arc::new).chain(rows.fields().iter().cloned());
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let assigner = Assigner::open(&store, share, options, memory_bytes).await?;
        Ok(Self { assigner, incoming, aligner, has_order: options.order_column.is_some(), schema, store })
    }

    /// Rows of the table with what they do, the caller's order column, and their bucket, in the order in which they are to
    /// be written. More may come out than went in, and they may come out later: see [`Self::finish`].
    ///
    /// # Errors
    /// As [`TableWriter::write`](crate::TableWriter::write); `NotFound` and `CorruptData` for index files.
    pub async fn assign(&mut self, batch: &RecordBatch) -> Result<Vec<RecordBatch>> {
        let incoming: IncomingRows = self.incoming.rows(&self.aligner, batch)?;
        let routed = self.assigner.assign(&self.store, incoming).await?;
        routed.into_iter().map(|routed| self.with_bucket(routed)).collect()
    }

    /// Rows that were held back, some of them; `None`: there are no more. Call it until then.
    ///
    /// # Errors
    /// As [`Self::assign`].
    pub async fn finish(&mut self) -> Result<Option<Vec<RecordBatch>>> {
        let Some(routed) = self.assigner.finish().await? else { return Ok(None) };
        routed.into_iter().map(|routed| self.with_bucket(routed)).collect::<Result<_>>().map(Some)
    }

    /// The columns of what comes out.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn with_bucket(&self, routed: Routed) -> Result<RecordBatch> {
        let mut columns = routed.rows.columns().to_vec();
        let kind = usize::from(self.has_order);
        let codes = columns[kind].as_primitive::<Int8Type>().values();
        let texts = codes.iter().map(|code| RowKind::from_code(*code).map(RowKind::text));
        columns[kind] = Arc::new(StringArray::from(texts.collect::<Result<Vec<_>>>()?)) as ArrayRef;
        columns.insert(kind + 1, Arc::new(Int32Array::from_value(routed.bucket, routed.rows.num_rows())));
        RecordBatch::try_new(Arc::clone(&self.schema), columns)
            .map_err(|error| Error::internal("paimon-write", "rows do not fit their buckets").with_source(error))
    }
}
