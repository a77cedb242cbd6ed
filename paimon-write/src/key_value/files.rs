//! Columns of a data file, and its metadata.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, RecordBatch};
use arrow::datatypes::{Int8Type, Int64Type, SchemaRef};
use paimon_io::{arrow_schema, datum_at};
use paimon_merge::KeyedLayout;
use paimon_spec::{BinaryRow, DataField, DataFileMeta, DataType, Error, Result, RowKind, TableSchema};

use crate::append;
use crate::file_stats::{StatsLayout, key_stats};
use crate::rolling::FinishedFile;

/// Where the columns of a primary-key table are in its data files: `_KEY_*` unless the table is thin,
/// `_SEQUENCE_NUMBER`, `_VALUE_KIND`, then the table's columns.
#[derive(Debug)]
pub(crate) struct KeyedColumns {
    fields: Vec<DataField>,
    schema: SchemaRef,
    /// Columns of the key, among those of the table.
    keys: Vec<usize>,
    key_types: Vec<DataType>,
    sequence: usize,
    kind: usize,
    /// The first column of the table.
    values: usize,
}

/// What is known of the rows of a file after they are written.
#[derive(Debug)]
pub(crate) struct KeyedSummary {
    min_key: BinaryRow,
    max_key: BinaryRow,
    min_sequence_number: i64,
    max_sequence_number: i64,
    delete_rows: i64,
}

impl KeyedColumns {
    pub(super) fn of(schema: &TableSchema) -> Result<Self> {
        let thin = schema.table_options().data_file_thin_mode()?;
        let key_fields = schema.key_fields();
        let place = |key: &DataField| schema.fields.iter().position(|field| field.id == key.id);
        let fields = schema.key_value_file_fields(thin);
        let sequence = if thin { 0 } else { key_fields.len() };
        Ok(Self {
            schema: arrow_schema(&fields)?,
            fields,
            keys: key_fields.iter().filter_map(place).collect(),
            key_types: key_fields.into_iter().map(|key| key.data_type).collect(),
            sequence,
            kind: sequence + 1,
            values: sequence + 2,
        })
    }

    /// All columns, in order.
    pub(super) fn fields(&self) -> &[DataField] {
        &self.fields
    }

    /// Rows of a merge (of all columns) as a file holds them.
    ///
    /// # Errors
    /// `InvalidInput` where the merge made a NULL that the table forbids.
    pub(super) fn to_file(&self, rows: &RecordBatch) -> Result<RecordBatch> {
        // A layout has the same columns but the keys in front.
        let values = &rows.columns()[KeyedLayout::KIND + 1..];
        let keys = self.keys.iter().take(self.sequence).map(|key| &values[*key]);
        let columns: Vec<ArrayRef> = keys.chain(rows.columns()).cloned().collect();
        let forbidden =
            |(field, column): &(&DataField, &ArrayRef)| !field.data_type.nullable && column.null_count() > 0;
        if let Some((field, _)) = self.fields.iter().zip(&columns).find(forbidden) {
            return Err(Error::invalid(format!(
                "column '{}' is NOT NULL, but merging the rows of a key made it NULL",
                field.name
            )));
        }
        RecordBatch::try_new(Arc::clone(&self.schema), columns)
            .map_err(|error| Error::internal("paimon-write", "merged rows do not fit a data file").with_source(error))
    }

    /// The columns of the table in a batch of a file.
    pub(crate) fn values<'b>(&self, batch: &'b RecordBatch) -> &'b [ArrayRef] {
        &batch.columns()[self.values..]
    }

    /// Adds the next rows of a file, of which there is at least one; they are sorted by key.
    pub(crate) fn summarise(&self, batch: &RecordBatch, summary: &mut Option<KeyedSummary>) -> Result<()> {
        let sequence_numbers = primitive::<Int64Type>(batch, self.sequence)?;
        let kinds = primitive::<Int8Type>(batch, self.kind)?;
        let summary = match summary {
            Some(summary) => summary,
            none => none.insert(KeyedSummary {
                min_key: self.key_at(batch, 0)?,
                max_key: BinaryRow::empty(),
                min_sequence_number: i64::MAX,
                max_sequence_number: i64::MIN,
                delete_rows: 0,
            }),
        };
        summary.max_key = self.key_at(batch, batch.num_rows().saturating_sub(1))?;
        for number in sequence_numbers {
            summary.min_sequence_number = summary.min_sequence_number.min(*number);
            summary.max_sequence_number = summary.max_sequence_number.max(*number);
        }
        let deletes = |kind: &&i8| **kind == RowKind::UpdateBefore.code() || **kind == RowKind::Delete.code();
        summary.delete_rows += kinds.iter().filter(deletes).count() as i64;
        Ok(())
    }

    /// `DataFileMeta` of a new file.
    pub(super) fn describe(
        &self,
        mut file: FinishedFile,
        schema_id: i64,
        stats: &StatsLayout,
        now_millis: i64,
    ) -> Result<DataFileMeta> {
        let Some(keyed) = file.keyed.take() else {
            return Err(Error::internal("paimon-write", "a file of a primary-key table was written without its keys"));
        };
        let values = file.written.stats.split_off(self.values.min(file.written.stats.len()));
        let key_stats = key_stats(self.keys.iter().map(|key| values.get(*key)), &self.key_types)?;
        file.written.stats = values;
        Ok(DataFileMeta {
            min_key: keyed.min_key,
            max_key: keyed.max_key,
            key_stats,
            min_sequence_number: keyed.min_sequence_number,
            max_sequence_number: keyed.max_sequence_number,
            delete_row_count: Some(keyed.delete_rows),
            ..append::describe(file, schema_id, stats, now_millis, 0)?
        })
    }

    fn key_at(&self, batch: &RecordBatch, row: usize) -> Result<BinaryRow> {
        let values = self.values(batch);
        let value = |(key, data_type): (&usize, &DataType)| datum_at(values[*key].as_ref(), data_type, row);
        let values = self.keys.iter().zip(&self.key_types).map(value).collect::<Result<Vec<_>>>()?;
        BinaryRow::from_values(&values, &self.key_types)
    }
}

fn primitive<T: ArrowPrimitiveType>(batch: &RecordBatch, column: usize) -> Result<&[T::Native]> {
    let found = batch.columns().get(column).and_then(|column| column.as_primitive_opt::<T>());
    found.map(|values| values.values().as_ref()).ok_or_else(|| {
        Error::internal("paimon-write", format_args!("column {column} of a keyed data file is not of its type"))
    })
}
