use paimon_spec::{DataType, ErrorKind, TypeKind};
use rstest::rstest;

use super::*;

/// `p` (the partition), `id NOT NULL`, `level DEFAULT 7`, `name`, `b BLOB`, `d BLOB` kept as descriptors.
fn schema(evolves: bool) -> Arc<TableSchema> {
    let field = |id, name: &str, kind| DataField::new(id, name, DataType::nullable(kind));
    let mut level = field(2, "level", TypeKind::Int);
    level.default_value = Some("7".to_owned());
    let fields = vec![
        field(0, "p", TypeKind::Int),
        DataField::new(1, "id", DataType::not_null(TypeKind::Int)),
        level,
        field(3, "name", TypeKind::Int),
        field(4, "b", TypeKind::Blob),
        field(5, "d", TypeKind::Blob),
    ];
    let options = [("data-evolution.enabled", if evolves { "true" } else { "false" }), ("blob-descriptor-field", "d")];
    let options = options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Arc::new(TableSchema {
        fields,
        options,
        partition_keys: vec!["p".to_owned()],
        ..crate::testing::table_schema(false, &[])
    })
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[rstest]
#[case::all(&["p", "id", "level", "name", "b", "d"], &["p", "id", "level", "name", "b", "d"])]
#[case::some_in_another_order(&["name", "id", "p"], &["p", "id", "level", "name"])]
#[case::a_blob_beside(&["p", "id", "b"], &["p", "id", "level", "b"])]
fn files_get_the_columns_that_rows_bring_and_defaults(#[case] given: &[&str], #[case] written: &[&str]) {
    let write_type = WriteType::of(&schema(true), Some(&names(given))).unwrap();
    let found: Vec<&str> = write_type.schema.fields.iter().map(|field| field.name.as_str()).collect();
    assert_eq!(found, written);
    assert!(write_type.left_out.is_empty());
}

#[test]
fn a_data_file_without_any_column_gets_one() {
    let mut schema = schema(true).as_ref().clone();
    schema.partition_keys.clear();
    schema.fields.remove(1);
    schema.fields[1].default_value = None;
    let write_type = WriteType::of(&Arc::new(schema), Some(&names(&["b"]))).unwrap();
    let found: Vec<&str> = write_type.schema.fields.iter().map(|field| field.name.as_str()).collect();
    assert_eq!((found, write_type.left_out), (vec!["p", "b"], HashSet::from(["p".to_owned()])));
}

#[test]
fn files_of_other_tables_have_all_columns() {
    let write_type = WriteType::of(&schema(false), Some(&names(&["id", "p"]))).unwrap();
    assert_eq!(write_type.schema.fields.len(), 6);
    assert_eq!(write_type.left_out, ["name", "b", "d"].map(str::to_owned).into());
}

#[rstest]
#[case::unknown(&["p", "id", "x"], "Column x is not in table schema")]
#[case::nothing(&[], "at least one column")]
#[case::without_the_partition(&["id", "name"], "'p' cannot be left out: it is a partition column")]
#[case::without_a_required_column(&["p", "name"], "'id' cannot be left out: it is NOT NULL")]
fn what_cannot_be_left_out_is_named(#[case] given: &[&str], #[case] text: &str) {
    let error = WriteType::of(&schema(true), Some(&names(given))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.message().contains(text), "{error}");
}

#[test]
fn rows_with_a_key_bring_all_columns() {
    let keyed = TableSchema { primary_keys: vec!["id".to_owned()], ..schema(false).as_ref().clone() };
    let error = WriteType::of(&Arc::new(keyed), Some(&names(&["p", "id"]))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}
