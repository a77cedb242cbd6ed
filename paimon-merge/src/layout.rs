//! Columns of rows while they are merged.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, RecordBatch, RecordBatchOptions},
    datatypes::{Schema, SchemaRef},
};
use paimon_io::arrow_schema;
use paimon_spec::{
    DataField, DataType, Error, FieldId, MergeOptions, Result, TableSchema, sequence_number_field, value_kind_field,
};

/// The columns of rows under a merge, in order: `_SEQUENCE_NUMBER`, `_VALUE_KIND`, then columns of the table.
///
/// The columns of the table hold its key, its sequence fields, and whatever the merge function looks at. NULL is allowed
/// in all of them: what the table forbids is looked at when rows leave, because rows that only delete may lack values.
#[derive(Debug, Clone)]
pub struct KeyedLayout {
    fields: Vec<DataField>,
    schema: SchemaRef,
    keys: Vec<usize>,
    sequence_fields: Vec<usize>,
    sequence_descending: bool,
    nullable_key: bool,
    result: Vec<usize>,
    result_schema: SchemaRef,
}

impl KeyedLayout {
    /// Position of `_SEQUENCE_NUMBER`, Int64.
    pub const SEQUENCE: usize = 0;
    /// Position of `_VALUE_KIND`, Int8.
    pub const KIND: usize = 1;

    /// The layout of rows of `table` with these columns, in the order of the table; the columns of its key and of its
    /// option `sequence.field` are there anyway. The result of a merge has all columns.
    ///
    /// # Errors
    /// `InvalidInput` when the table has no primary key, its merge options contradict one another, or a column does not
    /// exist; `Unsupported` for columns that no
    /// file of ours can hold.
    pub fn new(table: &TableSchema, columns: &[FieldId]) -> Result<Self> {
        let key_fields = table.key_fields();
        if key_fields.is_empty() {
            return Err(Error::invalid("rows of a table without a primary key cannot be merged"));
        }
        if let Some(unknown) = columns.iter().find(|id| table.field_by_id(**id).is_none()) {
            return Err(Error::invalid(format!("the table has no column of field id {unknown}")));
        }
        let options = MergeOptions::of(table)?;
        let wanted = |field: &&DataField| {
            columns.contains(&field.id)
                || key_fields.iter().any(|key| key.id == field.id)
                || options.sequence_fields.contains(&field.id)
        };
        let loose = |field: &DataField| DataField {
            data_type: DataType { nullable: true, ..field.data_type.clone() },
            ..field.clone()
        };
        let values = table.fields.iter().filter(wanted).map(loose);
        let fields: Vec<DataField> = [sequence_number_field(), value_kind_field()].into_iter().chain(values).collect();
        let position = |id: FieldId| fields.iter().position(|field| field.id == id);
        let keys = key_fields.iter().filter_map(|key| position(key.id)).collect();
        let sequence_fields = options.sequence_fields.iter().filter_map(|id| position(*id)).collect();
        let schema = arrow_schema(&fields)?;
        Ok(Self {
            keys,
            sequence_fields,
            sequence_descending: options.sequence_descending,
            nullable_key: key_fields.iter().any(|key| key.data_type.nullable),
            result: (0..fields.len()).collect(),
            result_schema: Arc::clone(&schema),
            schema,
            fields,
        })
    }

    /// The same layout, of whose merged rows only these columns of the table are wanted, in this order, and neither
    /// sequence number nor kind.
    ///
    /// # Errors
    /// `InvalidInput` when the layout lacks a column.
    pub fn with_result(mut self, columns: &[FieldId]) -> Result<Self> {
        let position = |id: &FieldId| {
            self.position(*id).ok_or_else(|| Error::invalid(format!("the rows have no column of field id {id}")))
        };
        self.result = columns.iter().map(position).collect::<Result<_>>()?;
        let fields: Vec<_> = self.result.iter().map(|position| Arc::clone(&self.schema.fields()[*position])).collect();
        self.result_schema = Arc::new(Schema::new(fields));
        Ok(self)
    }

    /// The columns as Arrow has them: the schema of every batch that goes into a merge.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The columns as Paimon has them, the two of the system first, and all others nullable.
    pub fn fields(&self) -> &[DataField] {
        &self.fields
    }

    /// Position of a column of the table.
    pub fn position(&self, id: FieldId) -> Option<usize> {
        self.fields.iter().position(|field| field.id == id)
    }

    /// Positions of the key columns, in the order of the key.
    pub fn keys(&self) -> &[usize] {
        &self.keys
    }

    /// Positions of the columns of `sequence.field`, in its order.
    pub fn sequence_fields(&self) -> &[usize] {
        &self.sequence_fields
    }

    /// Whether the smallest value of the sequence fields is the newest.
    pub fn sequence_descending(&self) -> bool {
        self.sequence_descending
    }

    /// Whether the table allows NULL in a key column.
    pub(crate) fn has_nullable_key(&self) -> bool {
        self.nullable_key
    }

    /// The schema of merged rows: [`Self::schema`], or the columns of [`Self::with_result`].
    pub fn result_schema(&self) -> &SchemaRef {
        &self.result_schema
    }

    /// Puts merged rows together: `column` is asked for each column that is wanted, by its position in the layout, and
    /// gives `rows` values. What nobody wants is so never computed.
    ///
    /// # Errors
    /// Those of `column`; `Internal` when a column has another type or length.
    pub fn result(&self, rows: usize, column: impl FnMut(usize) -> Result<ArrayRef>) -> Result<RecordBatch> {
        let columns = self.result.iter().copied().map(column).collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::clone(&self.result_schema), columns, &options)
            .map_err(|e| Error::internal("paimon-merge", e))
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::new_null_array;
    use paimon_spec::{ErrorKind, Schema};

    use super::*;

    fn table(keys: &str, options: &str) -> TableSchema {
        let schema = format!(
            r#"{{"fields": [{{"name": "v", "type": "INT NOT NULL"}}, {{"name": "a", "type": "STRING"}}, {{"name": "s", "type": "DATE"}},
                            {{"name": "b", "type": "INT"}}], "primaryKeys": [{keys}], "options": {{"bucket": "1" {options}}}}}"#
        );
        TableSchema::create(Schema::from_json(&schema).unwrap(), 0).unwrap()
    }

    fn names(schema: &SchemaRef) -> Vec<&str> {
        schema.fields().iter().map(|field| field.name().as_str()).collect()
    }

    #[test]
    fn keys_and_sequence_fields_are_there_in_the_order_of_the_table() {
        let layout = KeyedLayout::new(&table(r#""b", "a""#, r#", "sequence.field": "s""#), &[]).unwrap();
        assert_eq!(names(layout.schema()), ["_SEQUENCE_NUMBER", "_VALUE_KIND", "a", "s", "b"]);
        assert_eq!((layout.keys(), layout.sequence_fields()), ([4, 2].as_slice(), [3].as_slice()));
        assert!(layout.schema().fields().iter().skip(2).all(|field| field.is_nullable()));
        assert_eq!(layout.result_schema(), layout.schema());
        let all = KeyedLayout::new(&table(r#""a""#, ""), &[3, 0]).unwrap();
        assert_eq!(names(all.schema()), ["_SEQUENCE_NUMBER", "_VALUE_KIND", "v", "a", "b"]);
        assert_eq!((all.position(3), all.position(2)), (Some(4), None));
    }

    #[test]
    fn columns_that_nobody_wants_are_not_asked_for() {
        let layout = KeyedLayout::new(&table(r#""a""#, ""), &[0, 3]).unwrap().with_result(&[3, 1]).unwrap();
        let mut asked = Vec::new();
        let result = layout.result(2, |column| {
            asked.push(column);
            Ok(new_null_array(layout.schema().field(column).data_type(), 2))
        });
        assert_eq!((asked, result.unwrap().num_rows()), (vec![4, 3], 2));
        let none = layout.with_result(&[]).unwrap();
        assert_eq!(none.result(7, |_| Err(Error::internal("test", "nobody asks"))).unwrap().num_rows(), 7);
    }

    #[test]
    fn what_the_table_does_not_have_is_invalid() {
        for refused in [
            KeyedLayout::new(&table("", ""), &[]),
            KeyedLayout::new(&table(r#""a""#, ""), &[9]),
            KeyedLayout::new(&table(r#""a""#, ""), &[]).and_then(|layout| layout.with_result(&[0])),
        ] {
            assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidInput);
        }
    }
}
