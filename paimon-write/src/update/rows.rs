//! Input: row ids and the values that come with them.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use paimon_io::fit_array;
use paimon_spec::{DataField, Error, ROW_ID, Result, TableSchema, row_id_field};

use super::groups::named;
use crate::align::Aligner;
use crate::write_type::WriteType;

/// A row of some batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) batch: usize,
    pub(super) row: usize,
}

/// New values of columns, for rows by their ids.
#[derive(Debug)]
pub(super) struct NewValues {
    /// Sorted.
    pub(super) ids: Vec<i64>,
    /// Where the values of each id are.
    pub(super) places: Vec<Place>,
    /// The columns, in the table's order and types.
    pub(super) batches: Vec<RecordBatch>,
    pub(super) fields: Vec<DataField>,
}

impl NewValues {
    /// `given`: ids and where their values are, in any order; `batches` have the columns of `fields`, and perhaps more.
    ///
    /// # Errors
    /// `InvalidInput` for ids that are given twice, and as [`Aligner::align`].
    pub(super) fn new(
        schema: &TableSchema,
        fields: &[DataField],
        mut given: Vec<(i64, Place)>,
        batches: &[RecordBatch],
    ) -> Result<Self> {
        given.sort_unstable_by_key(|(id, _)| *id);
        let mut repeated: Vec<i64> =
            given.iter().zip(given.iter().skip(1)).filter(|(a, b)| a.0 == b.0).map(|(a, _)| a.0).collect();
        repeated.dedup();
        if !repeated.is_empty() {
            let message =
                format!("Input data contains duplicate _ROW_ID values: {} given twice", named("are", &repeated));
            return Err(Error::invalid(message));
        }
        let is_updated = |field: &&DataField| fields.iter().any(|updated| updated.id == field.id);
        // An update to NULL means NULL.
        let without_default = |field: &DataField| DataField { default_value: None, ..field.clone() };
        let fields: Vec<DataField> = schema.fields.iter().filter(is_updated).map(without_default).collect();
        let schema = Arc::new(TableSchema { fields: fields.clone(), ..schema.clone() });
        let aligner = Aligner::new(&WriteType::all(&schema))?;
        let align = |batch: &RecordBatch| aligner.align(&selected(batch, &fields)?);
        let batches = batches.iter().map(align).collect::<Result<_>>()?;
        let (ids, places) = given.into_iter().unzip();
        Ok(Self { ids, places, batches, fields })
    }
}

/// The row ids of batches.
///
/// # Errors
/// `InvalidInput` when there is no such column, for other types, and for NULL.
pub(super) fn row_ids(batches: &[RecordBatch]) -> Result<Vec<(i64, Place)>> {
    let mut ids = Vec::with_capacity(batches.iter().map(RecordBatch::num_rows).sum());
    for (number, batch) in batches.iter().enumerate() {
        let column = batch.column_by_name(ROW_ID);
        let column = column.ok_or_else(|| Error::invalid(format!("Input data must contain {ROW_ID} column")))?;
        let column: ArrayRef = fit_array(column, &row_id_field())?;
        let values = column.as_primitive::<Int64Type>().values();
        ids.extend(values.iter().enumerate().map(|(row, id)| (*id, Place { batch: number, row })));
    }
    Ok(ids)
}

/// The columns of these names, of those that are there.
pub(super) fn selected(batch: &RecordBatch, fields: &[DataField]) -> Result<RecordBatch> {
    let names = batch.schema();
    let is_wanted = |at: &usize| fields.iter().any(|field| field.name == *names.field(*at).name());
    let places: Vec<usize> = (0..batch.num_columns()).filter(is_wanted).collect();
    batch.project(&places).map_err(|error| Error::internal("paimon-write", error))
}
