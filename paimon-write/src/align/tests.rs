use arrow::array::{AsArray, Int32Array, Int64Array, StringArray};
use arrow::datatypes::Int32Type;
use paimon_spec::{DataType, ErrorKind, TableSchema, TypeKind};
use rstest::rstest;

use super::*;
use crate::testing::table_schema;

fn fields() -> Vec<DataField> {
    let mut with_default = DataField::new(2, "level", DataType::not_null(TypeKind::Int));
    with_default.default_value = Some("7".to_owned());
    vec![
        DataField::new(0, "id", DataType::not_null(TypeKind::Int)),
        DataField::new(1, "note", DataType::string()),
        with_default,
    ]
}

fn write_type(fields: Vec<DataField>) -> WriteType {
    let schema = TableSchema { fields, ..table_schema(false, &[]) };
    WriteType::all(&Arc::new(schema))
}

fn ints(values: &[Option<i32>]) -> ArrayRef {
    Arc::new(Int32Array::from(values.to_vec()))
}

fn strings(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn batch(columns: &[(&str, ArrayRef)]) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.iter().map(|(name, column)| (*name, column.clone(), true)))
        .unwrap()
}

fn align(columns: &[(&str, ArrayRef)]) -> Result<RecordBatch> {
    Aligner::new(&write_type(fields())).unwrap().align(&batch(columns))
}

fn level(batch: &RecordBatch) -> Vec<i32> {
    batch.column(2).as_primitive::<Int32Type>().values().to_vec()
}

#[test]
fn columns_are_taken_by_name_and_cast() {
    let wide: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    let aligned = align(&[("note", strings(&["a", "b"])), ("level", strings(&["3", "4"])), ("id", wide)]).unwrap();
    assert_eq!(aligned.schema(), arrow_schema(&fields()).unwrap());
    assert_eq!(aligned.column(0).as_primitive::<Int32Type>().values(), &[1, 2]);
    assert_eq!(level(&aligned), [3, 4]);
}

#[test]
fn a_default_stands_where_nothing_is_given() {
    let without = align(&[("id", ints(&[Some(1), Some(2)])), ("note", strings(&["a", "b"]))]).unwrap();
    assert_eq!(level(&without), [7, 7]);
    let with_null =
        align(&[("id", ints(&[Some(1), Some(2)])), ("note", strings(&["a", "b"])), ("level", ints(&[None, Some(1)]))]);
    assert_eq!(level(&with_null.unwrap()), [7, 1]);
}

#[test]
fn a_default_that_is_no_value_of_the_column_is_refused() {
    let mut fields = fields();
    fields[2].default_value = Some("seven".to_owned());
    let error = Aligner::new(&write_type(fields)).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.message().contains("'level'"), "{error}");
}

#[rstest]
#[case::missing(&["id"], "Paimon write schema mismatch: missing fields: ['note']")]
#[case::extra(&["id", "note", "more", "most"], "Paimon write schema mismatch: extra fields: ['more', 'most']")]
#[case::both(&["note", "Id"], "Paimon write schema mismatch: missing fields: ['id']; extra fields: ['Id']")]
#[case::twice(&["id", "note", "id"], "Cannot write to Paimon with duplicate input field names: ['id', 'note', 'id']")]
fn columns_that_are_not_the_tables_are_refused(#[case] names: &[&str], #[case] message: &str) {
    let columns: Vec<(&str, ArrayRef)> = names.iter().map(|name| (*name, strings(&["1"]))).collect();
    let error = align(&columns).unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::InvalidInput, message));
}

#[rstest]
#[case::null_in_a_not_null_column(ints(&[Some(1), None]))]
#[case::a_value_too_large(Arc::new(Int64Array::from(vec![1, i64::MAX])) as ArrayRef)]
#[case::text_that_is_no_number(strings(&["1", "x"]))]
fn values_that_the_column_cannot_hold_are_refused_by_its_name(#[case] id: ArrayRef) {
    let error = align(&[("id", id), ("note", strings(&["a", "b"]))]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("id"), "{error}");
}

#[test]
fn no_rows_are_fine() {
    let aligned = align(&[("id", ints(&[])), ("note", strings(&[]))]).unwrap();
    assert_eq!((aligned.num_rows(), aligned.num_columns()), (0, 3));
}
