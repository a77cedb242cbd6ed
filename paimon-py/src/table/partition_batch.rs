//! The partition columns of splits, as Arrow.

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::concat;
use paimon_io::{arrow_schema, constant_array};
use paimon_spec::{DataField, DataSplit, Error, Result, TableSchema};

/// One row for each split, with the values of its partition.
pub(super) fn partition_batch(schema: &TableSchema, splits: &[&DataSplit]) -> Result<RecordBatch> {
    let fields = schema.partition_fields();
    let column = |(position, field): (usize, &DataField)| {
        let parts = splits.iter().map(|split| {
            let value = split.partition.get(position, &field.data_type)?;
            constant_array(value.as_ref(), &field.data_type, 1)
        });
        let parts: Vec<ArrayRef> = parts.collect::<Result<_>>()?;
        match parts.as_slice() {
            [] => constant_array(None, &field.data_type, 0),
            _ => concat(&parts.iter().map(AsRef::as_ref).collect::<Vec<_>>()).map_err(partition_error),
        }
    };
    let columns = fields.iter().enumerate().map(column).collect::<Result<_>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(splits.len()));
    // The default partition is NULL, whatever the column says.
    let nullable: Vec<_> = fields
        .iter()
        .map(|field| {
            let mut field = field.clone();
            field.data_type.nullable = true;
            field
        })
        .collect();
    RecordBatch::try_new_with_options(arrow_schema(&nullable)?, columns, &options).map_err(partition_error)
}

fn partition_error(error: arrow::error::ArrowError) -> Error {
    Error::internal("paimon-py", error)
}
