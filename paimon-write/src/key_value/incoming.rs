//! What rows do to their keys, and in which order: the columns that a caller gives for it.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int8Array, RecordBatch};
use arrow::compute::{filter, filter_record_batch};
use arrow::datatypes::{DataType as ArrowType, Field, Schema, SchemaRef};
use paimon_io::{arrow_schema, fit_array};
use paimon_merge::KeyedLayout;
use paimon_spec::{
    DataField, DataType, Error, MergeEngine, MergeOptions, Result, RowKind, SEQUENCE_NUMBER, TableSchema, TypeKind,
    VALUE_KIND,
};

use crate::WriteOptions;
use crate::align::Aligner;

/// Turns what a caller writes into rows of a primary-key table that know what they do.
#[derive(Debug)]
pub(crate) struct Incoming {
    kinds: Kinds,
    order: Option<String>,
    bucket: Option<String>,
    /// Primary key, partition columns among it.
    keys: Vec<usize>,
    /// Java `RowKindFilter`.
    ignore_delete: bool,
    ignore_update_before: bool,
    /// The merge engine knows no rows that take back.
    only_adds: bool,
    schema: SchemaRef,
}

/// Where it is said what rows do.
#[derive(Debug)]
enum Kinds {
    /// Nowhere: all are inserted.
    Inserted,
    /// In a column of the table.
    Field(usize),
    /// In a column of the input alone.
    Column(String),
}

/// Rows of a table.
#[derive(Debug)]
pub(crate) struct IncomingRows {
    /// The table's columns.
    pub(crate) values: RecordBatch,
    /// The place in the caller's order, if it gives one; what the row does (Int8); the table's columns.
    pub(crate) rows: RecordBatch,
    /// The bucket of the row (Int32), when it was decided elsewhere.
    pub(crate) buckets: Option<ArrayRef>,
}

impl IncomingRows {
    /// Rows as files of the table have them, with all columns. Their sequence numbers are not kept.
    ///
    /// # Errors
    /// `Internal` for rows with other columns.
    pub(crate) fn of_layout(rows: &RecordBatch) -> Result<Self> {
        let from = |first: usize| rows.project(&(first..rows.num_columns()).collect::<Vec<_>>()).map_err(internal);
        Ok(Self { values: from(KeyedLayout::KIND + 1)?, rows: from(KeyedLayout::KIND)?, buckets: None })
    }
}

/// A caller's rows, without the columns that only say what they do, in which order and where; and those columns.
struct OwnColumns {
    batch: RecordBatch,
    kinds: Option<ArrayRef>,
    order: Option<ArrayRef>,
    buckets: Option<ArrayRef>,
}

impl Incoming {
    /// # Errors
    /// `InvalidInput` when options contradict each other or the table.
    pub(crate) fn of(schema: &TableSchema, options: &WriteOptions) -> Result<Self> {
        let merging = MergeOptions::of(schema)?;
        // Rows that know their bucket come from an assigner: what is ignored was left out there, and what it added to take
        // rows back has a kind of its own.
        let assigned = options.assigned.as_ref();
        let bucket = assigned.map(|assigned| assigned.column.clone());
        for column in [&options.row_kind_column, &options.order_column, &bucket].into_iter().flatten() {
            if schema.field(column).is_some() {
                return Err(Error::invalid(format!(
                    "column '{column}' is to say what rows do to their keys, or where, and is a column of the table: rename it, or \
                     set the table's option 'rowkind.field' or 'sequence.field'"
                )));
            }
        }
        let field = merging.rowkind_field.and_then(|id| schema.fields.iter().position(|field| field.id == id));
        let kinds = match (field, &options.row_kind_column) {
            (None, None) => Kinds::Inserted,
            (Some(field), None) => Kinds::Field(field),
            (None, Some(column)) => Kinds::Column(column.clone()),
            (Some(_), Some(column)) if assigned.is_some() => Kinds::Column(column.clone()),
            (Some(field), Some(column)) => {
                return Err(Error::invalid(format!(
                    "column '{column}' is to hold the kinds of rows, but the table's option 'rowkind.field' says that \
                     they are in column '{}'",
                    schema.fields[field].name
                )));
            }
        };
        let order = options.order_column.as_ref().map(|_| Field::new(SEQUENCE_NUMBER, ArrowType::Int64, false));
        let kind = Field::new(VALUE_KIND, ArrowType::Int8, false);
        let values = arrow_schema(&schema.fields)?;
        let fields = order.into_iter().chain([kind]).map(Arc::new).chain(values.fields().iter().cloned());
        let place = |key: &String| schema.fields.iter().position(|field| field.name == *key);
        Ok(Self {
            kinds,
            order: options.order_column.clone(),
            bucket,
            keys: schema.primary_keys.iter().filter_map(place).collect(),
            ignore_delete: merging.ignore_delete && assigned.is_none(),
            ignore_update_before: merging.ignore_update_before && assigned.is_none(),
            only_adds: merging.engine == MergeEngine::FirstRow,
            schema: Arc::new(Schema::new(fields.collect::<Vec<_>>())),
        })
    }

    /// The rows of a batch, without those that the table ignores.
    ///
    /// # Errors
    /// As [`Aligner::align`]; `InvalidInput` for NULL in a key, for texts that are no row kinds, for columns of the
    /// caller's that are missing or of another type, and for rows that the merge engine does not take.
    pub(crate) fn rows(&self, aligner: &Aligner, batch: &RecordBatch) -> Result<IncomingRows> {
        let OwnColumns { batch, kinds, order, buckets } = self.take_own_columns(batch)?;
        let values = aligner.align(&batch)?;
        self.check_keys(&values)?;
        let kinds = match (&self.kinds, kinds) {
            (Kinds::Field(at), _) => Some(codes(values.column(*at), values.schema().field(*at).name())?),
            (Kinds::Column(name), Some(kinds)) => Some(codes(&kinds, name)?),
            _ => None,
        };
        let kept = kinds.as_ref().map_or(Ok(None), |kinds| self.filter(kinds))?;
        let kinds = kinds.unwrap_or_else(|| Int8Array::from_value(RowKind::Insert.code(), values.num_rows()));
        let columns = order.into_iter().chain([Arc::new(kinds) as ArrayRef]).chain(values.columns().iter().cloned());
        let rows = RecordBatch::try_new(Arc::clone(&self.schema), columns.collect()).map_err(internal)?;
        match kept {
            None => Ok(IncomingRows { values, rows, buckets }),
            Some(kept) => Ok(IncomingRows {
                values: filter_record_batch(&values, &kept).map_err(internal)?,
                rows: filter_record_batch(&rows, &kept).map_err(internal)?,
                buckets: buckets.map(|buckets| filter(&buckets, &kept)).transpose().map_err(internal)?,
            }),
        }
    }

    fn take_own_columns(&self, batch: &RecordBatch) -> Result<OwnColumns> {
        let mut batch = batch.clone();
        let mut take = |name: &str, kind: TypeKind| {
            let Ok(at) = batch.schema().index_of(name) else {
                return Err(Error::invalid(format!("the rows to be written have no column '{name}'")));
            };
            let column = batch.remove_column(at);
            fit_array(&column, &DataField::new(0, name, DataType::not_null(kind)))
        };
        let kinds = match &self.kinds {
            Kinds::Column(name) => Some(take(name, TypeKind::VarChar(DataType::MAX_LENGTH))?),
            Kinds::Inserted | Kinds::Field(_) => None,
        };
        let order = self.order.as_ref().map(|name| take(name, TypeKind::BigInt)).transpose()?;
        let buckets = self.bucket.as_ref().map(|name| take(name, TypeKind::Int)).transpose()?;
        Ok(OwnColumns { batch, kinds, order, buckets })
    }

    fn check_keys(&self, values: &RecordBatch) -> Result<()> {
        let found = self.keys.iter().find(|key| values.column(**key).null_count() > 0);
        found.map_or(Ok(()), |key| {
            let name = values.schema().field(*key).name().clone();
            Err(Error::invalid(format!("column '{name}' of the primary key holds NULL")))
        })
    }

    /// The rows that are not ignored; `None`: all of them.
    fn filter(&self, kinds: &Int8Array) -> Result<Option<BooleanArray>> {
        let (before, delete) = (RowKind::UpdateBefore.code(), RowKind::Delete.code());
        let kinds = kinds.values();
        let ignored = |kind: &i8| match *kind {
            kind if kind == before => self.ignore_delete || self.ignore_update_before,
            kind if kind == delete => self.ignore_delete,
            _ => false,
        };
        let refused = |kind: &&i8| (**kind == before || **kind == delete) && !ignored(kind);
        if self.only_adds
            && let Some(kind) = kinds.iter().find(refused)
        {
            let kind = RowKind::from_code(*kind)?;
            return Err(Error::invalid(format!(
                "tables with 'merge-engine' = 'first-row' take no rows of kind {kind}; with 'ignore-delete' = 'true' they \
                 are ignored"
            )));
        }
        let any = kinds.iter().any(ignored);
        Ok(any.then(|| kinds.iter().map(|kind| Some(!ignored(kind))).collect()))
    }
}

/// The codes of row kinds that are given as texts.
fn codes(texts: &ArrayRef, column: &str) -> Result<Int8Array> {
    let Some(texts) = texts.as_string_opt::<i32>() else {
        return Err(Error::invalid(format!("column '{column}' of row kinds is not of a text type")));
    };
    let code = |text: Option<&str>| {
        text.and_then(RowKind::from_text).map(RowKind::code).ok_or_else(|| {
            let found = text.map_or("NULL".to_owned(), |text| format!("'{text}'"));
            Error::invalid(format!("expected '+I', '-U', '+U' or '-D' as row kind in column '{column}', found {found}"))
        })
    };
    Ok(Int8Array::from(texts.iter().map(code).collect::<Result<Vec<i8>>>()?))
}

fn internal(error: arrow::error::ArrowError) -> Error {
    Error::internal("paimon-write", "rows and what they do could not be put together").with_source(error)
}
