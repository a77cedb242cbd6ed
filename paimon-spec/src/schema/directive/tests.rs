use rstest::rstest;

use super::*;
use crate::schema::tests::schema;
use crate::{ErrorKind, SchemaChange, TableSchema};

const EVOLUTION: [(&str, &str); 2] = [("row-tracking.enabled", "true"), ("data-evolution.enabled", "true")];

fn column(data_type: &str, comment: &str, options: &[(&str, &str)]) -> Result<TableSchema> {
    let options: Vec<_> = EVOLUTION.iter().chain(options).copied().collect();
    let mut table = schema(&[("id", "INT"), ("c", data_type)], &options);
    table.fields[1].description = Some(comment.to_owned());
    TableSchema::create(table, 0)
}

#[rstest]
#[case("BYTES", "__BLOB_FIELD", "BLOB", None, "blob-field")]
#[case("BYTES", " __BLOB_FIELD; a picture ", "BLOB", Some("a picture"), "blob-field")]
#[case("BINARY(3) NOT NULL", "__BLOB_FIELD;", "BLOB NOT NULL", None, "blob-field")]
#[case("BLOB", "__BLOB_DESCRIPTOR_FIELD;x;y", "BLOB", Some("x;y"), "blob-descriptor-field")]
#[case("VARBINARY(9)", "__BLOB_VIEW_FIELD", "BLOB", None, "blob-view-field")]
#[case("ARRAY<BYTES NOT NULL> NOT NULL", "__BLOB_FIELD", "ARRAY<BLOB NOT NULL> NOT NULL", None, "blob-field")]
#[case("MAP<STRING, BYTES>", "__BLOB_FIELD", "MAP<STRING, BLOB>", None, "blob-field")]
fn a_comment_makes_a_blob_column(
    #[case] data_type: &str,
    #[case] comment: &str,
    #[case] expected: &str,
    #[case] rest: Option<&str>,
    #[case] option: &str,
) {
    let table = column(data_type, comment, &[]).unwrap();
    assert_eq!(table.fields[1].data_type, expected.parse().unwrap());
    assert_eq!(table.fields[1].description.as_deref(), rest);
    assert_eq!(table.options.get(option).map(String::as_str), Some("c"));
    assert_eq!(table.options.len(), 3);
}

#[rstest]
#[case("INT", "__BLOB_FIELD", ErrorKind::InvalidInput, "found INT")]
#[case("ARRAY<INT>", "__BLOB_FIELD", ErrorKind::InvalidInput, "found ARRAY<INT>")]
#[case("ARRAY<ARRAY<BYTES>>", "__BLOB_FIELD", ErrorKind::InvalidInput, "found ARRAY<ARRAY<BYTES>>")]
#[case("MAP<BYTES, INT>", "__BLOB_FIELD", ErrorKind::InvalidInput, "found MAP<BYTES, INT>")]
#[case("ARRAY<BYTES>", "__BLOB_DESCRIPTOR_FIELD", ErrorKind::InvalidInput, "'blob-descriptor-field'")]
#[case("MAP<INT, BLOB>", "__BLOB_VIEW_FIELD", ErrorKind::InvalidInput, "'blob-view-field'")]
#[case("BYTES", "__BLOB_FIELDS", ErrorKind::InvalidInput, "__BLOB_FIELD, __BLOB_DESCRIPTOR_FIELD, __BLOB_VIEW_FIELD")]
#[case("BYTES", "__BLOB_FIELD ;x", ErrorKind::InvalidInput, "must start with one of")]
#[case("ARRAY<FLOAT>", "__VECTOR_FIELD;3", ErrorKind::Unsupported, "__VECTOR_FIELD;3")]
fn other_orders_are_refused(
    #[case] data_type: &str,
    #[case] comment: &str,
    #[case] kind: ErrorKind,
    #[case] reason: &str,
) {
    let error = column(data_type, comment, &[]).unwrap_err();
    assert_eq!((error.kind(), error.context("column")), (kind, Some("c")), "{error}");
    assert!(error.message().contains(reason), "{error}");
}

#[test]
fn other_comments_are_comments() {
    for comment in ["", "a __BLOB_FIELD", "_BLOB_FIELD", "blob"] {
        let table = column("BYTES", comment, &[]).unwrap();
        assert_eq!(table.fields[1].description.as_deref(), Some(comment));
        assert_eq!(table.fields[1].data_type, "BYTES".parse().unwrap());
    }
}

#[test]
fn columns_are_added_to_those_that_an_option_lists() {
    let options: Vec<_> = EVOLUTION.into_iter().chain([("blob.stored-descriptor-fields", "a, b")]).collect();
    let mut table = schema(&[("id", "INT"), ("a", "BLOB"), ("b", "BLOB"), ("c", "BLOB")], &options);
    table.fields[3].description = Some("__BLOB_DESCRIPTOR_FIELD".to_owned());
    table.fields[1].description = Some("__BLOB_DESCRIPTOR_FIELD".to_owned());
    let table = TableSchema::create(table, 0).unwrap();
    assert_eq!(table.options.get("blob-descriptor-field").map(String::as_str), Some("a,b,c"));
    assert_eq!(table.options.get("blob.stored-descriptor-fields"), None, "the old key would be hidden by the new one");
}

#[test]
fn a_column_is_added_as_blob_and_dropped_again() {
    let old = column("BLOB", "", &[("blob.stored-descriptor-fields", "c")]).unwrap();
    let add = SchemaChange::AddColumn {
        path: vec!["d".to_owned()],
        data_type: "BYTES".parse().unwrap(),
        description: Some("__BLOB_FIELD; new".to_owned()),
        position: None,
    };
    // The options may not be changed by hand once there is a snapshot.
    let new = old.apply(&[add], true, 0).unwrap();
    let added = new.field("d").unwrap();
    assert_eq!((added.data_type.clone(), added.description.as_deref()), ("BLOB".parse().unwrap(), Some("new")));
    assert_eq!(new.options.get("blob-field").map(String::as_str), Some("d"));
    let drop = |name: &str| SchemaChange::DropColumn { path: vec![name.to_owned()] };
    let dropped = new.apply(&[drop("c"), drop("d")], true, 0).unwrap();
    assert_eq!(dropped.options.len(), EVOLUTION.len());
}

#[test]
fn only_new_columns_at_the_top_become_blob() {
    let old = TableSchema::create(schema(&[("id", "INT"), ("r", "ROW<x INT>")], &EVOLUTION), 0).unwrap();
    let nested = SchemaChange::AddColumn {
        path: vec!["r".to_owned(), "y".to_owned()],
        data_type: "BYTES".parse().unwrap(),
        description: Some("__BLOB_FIELD".to_owned()),
        position: None,
    };
    let comment =
        SchemaChange::UpdateColumnComment { path: vec!["id".to_owned()], comment: Some("__BLOB_FIELD".to_owned()) };
    for change in [nested, comment] {
        let error = old.apply(&[change], false, 0).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.message().contains("new top-level column"), "{error}");
    }
}
