use paimon_spec::{ErrorKind, TableSchema};
use rstest::rstest;

use super::{merge, merged, table};

const ENGINE: (&str, &str) = ("merge-engine", "partial-update");
const REMOVING: (&str, &str) = ("partial-update.remove-record-on-delete", "true");

/// Columns `a` to `f`.
fn updating(options: &[(&str, &str)]) -> TableSchema {
    table(&["a", "b", "c", "d", "e", "f"].map(|name| (name, "INT")), &[&[ENGINE], options].concat())
}

fn one(table: &TableSchema, rows: &[&str]) -> String {
    let merged = merged(table, rows).unwrap();
    assert_eq!(merged.len(), 1, "{merged:?}");
    merged[0].clone()
}

#[rstest]
#[case(&["+I 1 | 1 | 1 | 1 | NULL | 1 | 1", "+U 1 | 2 | NULL | 2 | 2 | NULL | 2"], "+I 1 | 2 | 1 | 2 | 2 | 1 | 2")]
#[case::alone(&["+U 1 | 1 | NULL | 1 | 1 | 1 | 1"], "+U 1 | 1 | NULL | 1 | 1 | 1 | 1")]
fn null_overwrites_nothing(#[case] rows: &[&str], #[case] expected: &str) {
    assert_eq!(one(&updating(&[]), rows), expected);
}

#[rstest]
#[case("-D")]
#[case("-U")]
fn rows_that_take_back_are_refused_unless_the_table_says_what_they_mean(#[case] kind: &str) {
    let taken_back = format!("{kind} 1 | 1 | 1 | 1 | 1 | 1 | 1");
    let error = merged(&updating(&[]), &["+I 1 | 1 | 1 | 1 | 1 | 1 | 1", &taken_back]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.message().contains(&format!("cannot take rows of kind {kind}")), "{error}");
}

// A row that is ignored lays its values down if it is the first, and gives no sequence number; a key of nothing but such
// rows is deleted.
#[rstest]
#[case(&["+I 1 | 1 | 1 | 1 | 1 | 1 | 1", "-D 1 | 2 | 2 | 2 | 2 | 2 | 2"], "+I 1 | 1 | 1 | 1 | 1 | 1 | 1")]
#[case(&["-D 1 | 2 | 2 | 2 | 2 | 2 | 2", "+I 1 | 1 | NULL | 1 | 1 | 1 | 1"], "+I 1 | 1 | 2 | 1 | 1 | 1 | 1")]
#[case(&["-D 1 | 2 | 2 | 2 | 2 | 2 | 2", "-D 1 | 3 | 3 | 3 | 3 | 3 | 3"], "-D 1 | 2 | 2 | 2 | 2 | 2 | 2")]
fn deletes_may_be_ignored(#[case] rows: &[&str], #[case] expected: &str) {
    for option in ["ignore-delete", "partial-update.ignore-delete"] {
        assert_eq!(one(&updating(&[(option, "true")]), rows), expected);
    }
}

// A -D resets the row to its own values; -U counts for nothing but being a row; an insert takes the deletion back.
#[rstest]
#[case(&["+I 1 | 1 | 1 | 1 | 1 | 1 | 1", "-D 1 | 2 | NULL | 2 | 2 | 2 | 2"], "-D 1 | 2 | NULL | 2 | 2 | 2 | 2")]
#[case(&["+I 1 | 1 | 1 | 1 | 1 | 1 | 1", "-D 1 | 2 | NULL | 2 | 2 | 2 | 2", "+I 1 | 3 | NULL | NULL | 3 | 3 | 3"], "+I 1 | 3 | NULL | 2 | 3 | 3 | 3")]
#[case(&["+I 1 | 1 | 1 | 1 | 1 | 1 | 1", "-U 1 | 2 | 2 | 2 | 2 | 2 | 2"], "+I 1 | 1 | 1 | 1 | 1 | 1 | 1")]
#[case(&["+I 1 | 1 | 1 | 1 | 1 | 1 | 1", "-D 1 | 2 | 2 | 2 | 2 | 2 | 2", "-U 1 | 3 | 3 | 3 | 3 | 3 | 3"], "+I 1 | 2 | 2 | 2 | 2 | 2 | 2")]
#[case(&["-U 1 | 1 | 1 | 1 | 1 | 1 | 1", "-D 1 | 2 | 2 | 2 | 2 | 2 | 2"], "-D 1 | 2 | 2 | 2 | 2 | 2 | 2")]
fn deletes_may_remove_the_record(#[case] rows: &[&str], #[case] expected: &str) {
    assert_eq!(one(&updating(&[REMOVING]), rows), expected);
}

#[test]
fn deleted_keys_are_left_out_unless_they_are_wanted() {
    let rows = ["-D 1 | 1 | 1 | 1 | 1 | 1 | 1", "-D 1 | 2 | 2 | 2 | 2 | 2 | 2", "+I 2 | 1 | 1 | 1 | 1 | 1 | 1"];
    assert_eq!(merged(&updating(&[REMOVING]), &rows).unwrap().len(), 2);
    assert_eq!(merge(&updating(&[REMOVING]), &rows, false).unwrap(), ["+I 2 | 1 | 1 | 1 | 1 | 1 | 1"]);
}

const GROUPS: [(&str, &str); 2] = [("fields.c.sequence-group", "a,b"), ("fields.f.sequence-group", "d,e")];

// Columns a and b follow c, d and e follow f: not older rows overwrite, with NULL too; where c or f is NULL the group
// stays as it is.
#[rstest]
#[case(&["+I 1 | 1 | 1 | 1 | 1 | 1 | 1", "+I 1 | 2 | 2 | 2 | 2 | 2 | NULL"], "+I 1 | 2 | 2 | 2 | 1 | 1 | 1")]
#[case(&["+I 1 | 1 | 1 | 2 | 1 | 1 | 1", "+I 1 | 2 | 2 | 1 | NULL | 2 | 1"], "+I 1 | 1 | 1 | 2 | NULL | 2 | 1")]
#[case(&["+I 1 | NULL | NULL | NULL | 1 | 1 | 1", "+I 1 | 1 | NULL | 0 | 2 | 2 | 0"], "+I 1 | 1 | NULL | 0 | 1 | 1 | 1")]
// A retraction that is not older empties the group; an older one is forgotten.
#[case(&["+I 1 | 1 | 1 | 1 | 1 | 1 | 1", "-U 1 | 1 | 1 | 3 | 1 | 1 | NULL"], "+I 1 | NULL | NULL | 3 | 1 | 1 | 1")]
#[case(&["+I 1 | 1 | 1 | 2 | 1 | 1 | 1", "-D 1 | 1 | 1 | 1 | 1 | 1 | 1"], "+I 1 | 1 | 1 | 2 | NULL | NULL | 1")]
#[case(&["-D 1 | 1 | 1 | 2 | 1 | 1 | 1", "+I 1 | 2 | 2 | 1 | 2 | 2 | 2"], "+I 1 | NULL | NULL | 2 | 2 | 2 | 2")]
#[case(&["-D 1 | 1 | 1 | 1 | 1 | 1 | 1", "-D 1 | 2 | 2 | 2 | 2 | 2 | 2"], "-D 1 | NULL | NULL | 2 | NULL | NULL | 2")]
fn sequence_groups_have_an_order_of_their_own(#[case] rows: &[&str], #[case] expected: &str) {
    assert_eq!(one(&updating(&GROUPS), rows), expected);
}

// Several columns order by the first that differs, NULL lowest; the group is left alone only where all are NULL.
#[rstest]
#[case("+I 1 | 2 | 1 | 1 | 2 | 2 | 2", "+I 1 | 2 | 1 | 1 | 2 | 2 | 2")]
#[case("+I 1 | 2 | 1 | NULL | 2 | 2 | 2", "+I 1 | 1 | 1 | 1 | 2 | 2 | 2")]
#[case("+I 1 | 2 | 2 | NULL | 2 | 2 | 2", "+I 1 | 2 | 2 | NULL | 2 | 2 | 2")]
#[case("+I 1 | 2 | NULL | NULL | 2 | 2 | 2", "+I 1 | 1 | 1 | 1 | 2 | 2 | 2")]
#[case("+I 1 | 2 | NULL | 9 | 2 | 2 | 2", "+I 1 | 1 | 1 | 1 | 2 | 2 | 2")]
fn several_columns_may_order_a_group(#[case] second: &str, #[case] expected: &str) {
    let table = updating(&[("fields.b,c.sequence-group", "a")]);
    assert_eq!(one(&table, &["+I 1 | 1 | 1 | 1 | 1 | 1 | 1", second]), expected);
}

// Only a -D that is not older, by the group that is named, removes; it leaves its own values.
#[rstest]
#[case("-D 1 | 5 | 5 | 1 | 5 | 5 | NULL", "-D 1 | 5 | 5 | 1 | 5 | 5 | NULL")]
#[case("-D 1 | 5 | 5 | 0 | 5 | 5 | NULL", "+I 1 | 1 | 1 | 1 | 1 | 1 | 1")]
#[case("-D 1 | 5 | 5 | NULL | 5 | 5 | 2", "+I 1 | 1 | 1 | 1 | NULL | NULL | 2")]
#[case("-U 1 | 5 | 5 | 2 | 5 | 5 | NULL", "+I 1 | NULL | NULL | 2 | 1 | 1 | 1")]
fn deletes_may_remove_the_record_by_the_order_of_a_group(#[case] second: &str, #[case] expected: &str) {
    let removing = ("partial-update.remove-record-on-sequence-group", "c");
    let table = updating(&[&GROUPS[..], &[removing]].concat());
    assert_eq!(one(&table, &["+I 1 | 1 | 1 | 1 | 1 | 1 | 1", second]), expected);
}

// Aggregates take older rows as well, as if they had come before; and take values back whatever the order.
#[rstest]
#[case::sum("sum", &["+I 1 | 1 | 0 | 2", "+I 1 | 2 | 0 | 1", "+I 1 | 4 | 0 | NULL"], "3")]
#[case::sum_taken_back("sum", &["+I 1 | 5 | 0 | 2", "-U 1 | 2 | 0 | 1", "-U 1 | 1 | 0 | 3", "-U 1 | 1 | 0 | NULL"], "2")]
#[case::first("first_value", &["+I 1 | 1 | 0 | 2", "+I 1 | 2 | 0 | 3", "+I 1 | 3 | 0 | 1"], "3")]
#[case::first_non_null("first_non_null_value", &["+I 1 | NULL | 0 | 2", "+I 1 | 2 | 0 | 3", "+I 1 | 3 | 0 | 1"], "3")]
#[case::last("last_value", &["+I 1 | 1 | 0 | 2", "+I 1 | 2 | 0 | 1"], "1")]
#[case::last_non_null("last_non_null_value", &["+I 1 | NULL | 0 | 2", "+I 1 | 2 | 0 | 1"], "2")]
#[case::last_non_null("last_non_null_value", &["+I 1 | 1 | 0 | 2", "+I 1 | NULL | 0 | 3"], "1")]
#[case::max("max", &["+I 1 | 1 | 0 | 2", "+I 1 | 2 | 0 | 1"], "2")]
fn groups_aggregate(#[case] function: &str, #[case] rows: &[&str], #[case] expected: &str) {
    let options = [ENGINE, ("fields.c.sequence-group", "a,b"), ("fields.a.aggregate-function", function)];
    let table = table(&["a", "b", "c"].map(|name| (name, "INT")), &options);
    let cells = one(&table, rows);
    assert_eq!(cells.split(" | ").nth(1).unwrap(), expected, "{cells}");
}

#[rstest]
#[case(&[], &["+I 1 | b | 2", "+I 1 | a | 1", "+I 1 | c | 3"], "a,b,c")]
#[case::blank_is_left_out(&[], &["+I 1 | b | 2", "+I 1 | NULL | 1"], "b")]
fn older_texts_are_listed_before(#[case] options: &[(&str, &str)], #[case] rows: &[&str], #[case] expected: &str) {
    let options =
        [&[ENGINE, ("fields.s.sequence-group", "t"), ("fields.t.aggregate-function", "listagg")], options].concat();
    assert_eq!(one(&table(&[("t", "STRING"), ("s", "INT")], &options), rows).split(" | ").nth(1), Some(expected));
}

// Java's collect appends older elements too, unless it is asked to ignore retractions.
#[rstest]
#[case(&[], "[2, 1]")]
#[case(&[("fields.l.ignore-retract", "true")], "[1, 2]")]
fn older_elements_are_collected_after_newer_ones(#[case] options: &[(&str, &str)], #[case] expected: &str) {
    let fixed = [ENGINE, ("fields.s.sequence-group", "l"), ("fields.l.aggregate-function", "collect")];
    let table = table(&[("l", "ARRAY<INT>"), ("s", "INT")], &[&fixed, options].concat());
    assert_eq!(one(&table, &["+I 1 | [2] | 2", "+I 1 | [1] | 1"]), format!("+I 1 | {expected} | 2"));
}

#[rstest]
#[case::from_a_row(&[], &["+I 1 | 1", "+I 1 | NULL"])]
#[case::from_a_first_delete(&[("ignore-delete", "true")], &["-D 1 | NULL", "+I 1 | 1"])]
#[case::from_a_delete_that_removes(&[REMOVING], &["+I 1 | 1", "-D 1 | NULL"])]
fn null_in_a_column_that_is_not_null_is_an_error(#[case] options: &[(&str, &str)], #[case] rows: &[&str]) {
    let table = table(&[("v", "INT NOT NULL")], &[&[ENGINE], options].concat());
    let error = merged(&table, rows).unwrap_err();
    assert_eq!((error.kind(), error.context("column")), (ErrorKind::InvalidInput, Some("v")));
}

#[test]
fn the_default_function_is_that_of_protected_columns() {
    let options =
        [ENGINE, ("fields.b.sequence-group", "a"), ("fields.default-aggregate-function", "last_non_null_value")];
    let table = table(&[("a", "INT"), ("b", "INT"), ("c", "INT")], &options);
    assert_eq!(one(&table, &["+I 1 | 1 | 1 | 1", "+I 1 | NULL | 2 | NULL"]), "+I 1 | 1 | 2 | 1");
}
