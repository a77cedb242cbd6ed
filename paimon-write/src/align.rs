//! A caller's columns to the table's columns.

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, Scalar, UInt32Array};
use arrow::compute::kernels::zip::zip;
use arrow::compute::{is_not_null, take};
use arrow::datatypes::{FieldRef, Schema as ArrowSchema, SchemaRef};
use paimon_io::{arrow_schema, constant_array, fit_array};
use paimon_spec::{BlobStorage, DataField, Error, Result, parse_datum};

use crate::blob_input::fit_blobs;
use crate::write_type::WriteType;

/// Puts a batch's columns into the order and types of a table.
pub(crate) struct Aligner {
    fields: Vec<DataField>,
    schema: SchemaRef,
    /// One row: the default value of each column that has one; NULL for those that rows do not bring.
    defaults: Vec<Option<ArrayRef>>,
    /// How BLOB columns are kept.
    blobs: Vec<Option<BlobStorage>>,
    /// Columns that rows do not bring.
    left_out: HashSet<String>,
}

impl Aligner {
    /// # Errors
    /// `InvalidInput` for default values that are none of their columns.
    pub(crate) fn new(write_type: &WriteType) -> Result<Self> {
        let WriteType { schema, left_out } = write_type;
        let null = |field: &DataField| constant_array(None, &field.data_type, 1).map(Some);
        let default =
            |field: &DataField| if left_out.contains(&field.name) { null(field) } else { default_value(field) };
        Ok(Self {
            defaults: schema.fields.iter().map(default).collect::<Result<_>>()?,
            blobs: schema.fields.iter().map(|field| schema.blob_storage(field)).collect(),
            schema: arrow_schema(&schema.fields)?,
            fields: schema.fields.clone(),
            left_out: left_out.clone(),
        })
    }

    /// Columns are taken by name, in any order, and cast as far as no value changes. Where a column with a default value
    /// is NULL or not given, the default stands (Java `DefaultValueRow`). BLOB columns may hold references instead of
    /// bytes, see [`fit_blobs`]; then their Arrow type is not that of the table's schema.
    ///
    /// # Errors
    /// `InvalidInput` for missing, unknown and repeated columns, for NULL in a column that is NOT NULL, and for a value
    /// that the column's type cannot hold.
    pub(crate) fn align(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let found = batch.schema();
        self.check_names(&found)?;
        let columns: Vec<ArrayRef> = self
            .fields
            .iter()
            .zip(&self.defaults)
            .zip(&self.blobs)
            .map(|((field, default), blob)| {
                let given = found.fields().find(&field.name).map(|(at, _)| batch.column(at));
                match (given, default) {
                    (Some(column), None) => match blob {
                        Some(storage) => fit_blobs(column, field, *storage),
                        None => fit_array(column, field),
                    },
                    (Some(column), Some(default)) => fill(&fit_array(column, &nullable(field))?, default, field),
                    (None, Some(default)) => repeat(default, batch.num_rows()),
                    (None, None) => Err(Error::internal("paimon-write", "a missing column passed the check")),
                }
            })
            .collect::<Result<_>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(self.schema_of(&columns), columns, &options)
            .map_err(|error| Error::internal("paimon-write", "columns do not fit the table").with_source(error))
    }

    /// The table's schema, with the types that these columns have.
    fn schema_of(&self, columns: &[ArrayRef]) -> SchemaRef {
        let is_other = |(field, column): (&FieldRef, &ArrayRef)| field.data_type() != column.data_type();
        if !self.schema.fields().iter().zip(columns).any(is_other) {
            return Arc::clone(&self.schema);
        }
        let fields = self.schema.fields().iter().zip(columns);
        let fields = fields.map(|(field, column)| field.as_ref().clone().with_data_type(column.data_type().clone()));
        Arc::new(ArrowSchema::new(fields.collect::<Vec<_>>()))
    }

    fn check_names(&self, found: &ArrowSchema) -> Result<()> {
        let names: Vec<&str> = found.fields().iter().map(|field| field.name().as_str()).collect();
        let distinct: HashSet<&str> = names.iter().copied().collect();
        if distinct.len() != names.len() {
            return Err(Error::invalid(format!(
                "Cannot write to Paimon with duplicate input field names: {}",
                quoted(&names)
            )));
        }
        let missing: Vec<&str> = self
            .fields
            .iter()
            .zip(&self.defaults)
            .filter(|(field, default)| default.is_none() && !distinct.contains(field.name.as_str()))
            .map(|(field, _)| field.name.as_str())
            .collect();
        let known = self.fields.iter().map(|field| field.name.as_str());
        let known: HashSet<&str> = known.filter(|name| !self.left_out.contains(*name)).collect();
        let extra: Vec<&str> = names.into_iter().filter(|name| !known.contains(name)).collect();
        let details: Vec<String> = [("missing fields", missing), ("extra fields", extra)]
            .into_iter()
            .filter(|(_, names)| !names.is_empty())
            .map(|(what, names)| format!("{what}: {}", quoted(&names)))
            .collect();
        if details.is_empty() {
            return Ok(());
        }
        Err(Error::invalid(format!("Paimon write schema mismatch: {}", details.join("; "))))
    }
}

/// The default is stored as text, whatever the column's type.
fn default_value(field: &DataField) -> Result<Option<ArrayRef>> {
    let Some(text) = &field.default_value else { return Ok(None) };
    let value = parse_datum(text, &field.data_type).map_err(|error| {
        Error::invalid(format!("unusable default value of column '{}'", field.name)).with_source(error)
    })?;
    constant_array(Some(&value), &field.data_type, 1).map(Some)
}

fn nullable(field: &DataField) -> DataField {
    let mut field = field.clone();
    field.data_type.nullable = true;
    field
}

fn fill(column: &ArrayRef, default: &ArrayRef, field: &DataField) -> Result<ArrayRef> {
    if column.null_count() == 0 {
        return Ok(Arc::clone(column));
    }
    is_not_null(column).and_then(|given| zip(&given, column, &Scalar::new(Arc::clone(default)))).map_err(|error| {
        Error::internal("paimon-write", format_args!("default of column '{}'", field.name)).with_source(error)
    })
}

fn repeat(default: &ArrayRef, rows: usize) -> Result<ArrayRef> {
    take(default, &UInt32Array::from_value(0, rows), None)
        .map_err(|error| Error::internal("paimon-write", "repeating a default value").with_source(error))
}

fn quoted(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
    format!("[{}]", quoted.join(", "))
}
