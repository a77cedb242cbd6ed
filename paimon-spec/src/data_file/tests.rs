use std::collections::BTreeMap;

use super::arbitrary::plain_file;
use super::*;
use crate::{DataField, DataType, Datum, TypeKind};

fn schema() -> TableSchema {
    let int = || DataType::nullable(TypeKind::Int);
    let blob = DataType::nullable(TypeKind::Blob);
    TableSchema {
        id: 0,
        fields: vec![DataField::new(3, "a", int()), DataField::new(5, "b", int()), DataField::new(6, "blob", blob)],
        highest_field_id: 6,
        partition_keys: vec![],
        primary_keys: vec![],
        options: BTreeMap::new(),
        comment: None,
        time_millis: 0,
    }
}

/// Statistics of so many columns: of the nth, bounds n x 10 and n x 10 + 1 and n NULLs.
fn stats(columns: i32) -> SimpleStats {
    let columns: Vec<_> = (0..columns).map(nth).collect();
    SimpleStats::from_columns(&columns, &vec![DataType::nullable(TypeKind::Int); columns.len()]).unwrap()
}

fn nth(n: i32) -> ColumnStats {
    ColumnStats { min: Some(Datum::Int(n * 10)), max: Some(Datum::Int(n * 10 + 1)), null_count: Some(n.into()) }
}

fn file(value_stats: SimpleStats, stats_cols: Option<&[&str]>, write_cols: Option<&[&str]>) -> DataFileMeta {
    let names = |names: Option<&[&str]>| names.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
    DataFileMeta { value_stats, value_stats_cols: names(stats_cols), write_cols: names(write_cols), ..plain_file() }
}

#[test]
fn statistics_of_all_columns_are_in_the_order_of_the_schema() {
    let file = file(stats(3), None, None);
    assert_eq!(file.column_stats(&schema(), 3), nth(0));
    assert_eq!(file.column_stats(&schema(), 5), nth(1));
}

#[test]
fn statistics_of_some_columns_are_in_their_order() {
    let file = file(stats(2), Some(&["b", "a"]), Some(&["blob", "a", "b"]));
    assert_eq!(file.column_stats(&schema(), 5), nth(0));
    assert_eq!(file.column_stats(&schema(), 3), nth(1));
    assert!(file.column_stats(&schema(), 6).is_unknown());
}

#[test]
fn statistics_follow_the_written_columns_when_they_name_none() {
    let file = file(stats(2), None, Some(&["_ROW_ID", "b"]));
    assert_eq!(file.column_stats(&schema(), 5), nth(1));
    assert!(file.column_stats(&schema(), 3).is_unknown());
}

#[test]
fn no_statistics_are_unknown_and_not_all_null() {
    for file in [file(stats(0), Some(&[]), None), file(stats(0), None, None), file(stats(2), None, None)] {
        assert!(file.column_stats(&schema(), 3).is_unknown());
    }
}

#[test]
fn a_column_added_later_is_all_null() {
    let wanted = ColumnStats { min: None, max: None, null_count: Some(100) };
    assert_eq!(file(stats(3), None, None).column_stats(&schema(), 99), wanted);
}

#[test]
fn null_counts_of_blobs_are_not_believed() {
    assert!(file(stats(3), None, None).column_stats(&schema(), 6).is_unknown());
}

#[test]
fn statistics_that_cannot_be_decoded_are_unknown() {
    let mut schema = schema();
    schema.fields[1].data_type = DataType::nullable(TypeKind::Decimal { precision: 20, scale: 0 });
    assert_eq!(file(stats(3), None, None).column_stats(&schema, 3), nth(0));
    // The slot of the int 10 says 10 bytes at the start of the row, of the int 110 so many that there are not.
    let mut damaged = stats(3);
    damaged.max_values = stats(12).max_values;
    assert!(file(damaged, None, None).column_stats(&schema, 5).is_unknown());
    let mut wide = stats(3);
    wide.min_values = BinaryRow::from_metadata(&[&[0, 0, 0, 3][..], &[0; 8], &[0xff; 24]].concat()).unwrap();
    assert!(file(wide, None, None).column_stats(&schema, 5).is_unknown());
}
