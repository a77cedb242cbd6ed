//! Arrays as file formats take them.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, RecordBatch},
    compute::cast,
    datatypes::{DataType as ArrowType, FieldRef, Schema, SchemaRef, TimeUnit},
};
use paimon_spec::{Error, Result};

/// `schema` with milliseconds for seconds: neither Parquet nor Avro has a timestamp in seconds.
pub(crate) fn stored_schema(schema: &SchemaRef) -> SchemaRef {
    Arc::new(Schema::new(schema.fields().iter().map(stored_field).collect::<Vec<_>>()))
}

fn stored_field(field: &FieldRef) -> FieldRef {
    let stored = stored_type(field.data_type());
    if stored == *field.data_type() {
        Arc::clone(field)
    } else {
        Arc::new(field.as_ref().clone().with_data_type(stored))
    }
}

fn stored_type(arrow: &ArrowType) -> ArrowType {
    match arrow {
        ArrowType::Timestamp(TimeUnit::Second, zone) => ArrowType::Timestamp(TimeUnit::Millisecond, zone.clone()),
        ArrowType::List(item) => ArrowType::List(stored_field(item)),
        ArrowType::FixedSizeList(item, length) => ArrowType::FixedSizeList(stored_field(item), *length),
        ArrowType::Map(entries, sorted) => ArrowType::Map(stored_field(entries), *sorted),
        ArrowType::Struct(fields) => ArrowType::Struct(fields.iter().map(stored_field).collect()),
        other => other.clone(),
    }
}

/// `batch` as a batch of `stored`, its [`stored_schema`].
///
/// # Errors
/// `InvalidInput` when the batch has other columns, or a timestamp is out of the range of milliseconds.
pub(crate) fn stored_batch(batch: &RecordBatch, stored: &SchemaRef) -> Result<RecordBatch> {
    if batch.num_columns() != stored.fields().len() {
        return Err(Error::invalid(format!("wanted {} columns, found {}", stored.fields().len(), batch.num_columns())));
    }
    let columns = batch.columns().iter().zip(stored.fields()).map(|(column, field)| -> Result<ArrayRef> {
        if column.data_type() == field.data_type() {
            return Ok(Arc::clone(column));
        }
        cast(column, field.data_type())
            .map_err(|e| Error::invalid("column cannot be stored").with_context("column", field.name()).with_source(e))
    });
    RecordBatch::try_new(Arc::clone(stored), columns.collect::<Result<_>>()?)
        .map_err(|e| Error::invalid("rows do not fit the file's columns").with_source(e))
}
