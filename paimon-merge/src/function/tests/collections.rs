use paimon_spec::{ErrorKind, TableSchema};
use rstest::rstest;

use super::{folded, table};

fn aggregating(data_type: &str, options: &[(&str, &str)]) -> TableSchema {
    table(&[("v", data_type)], &[&[("merge-engine", "aggregation")], options].concat())
}

const COLLECT: (&str, &str) = ("fields.v.aggregate-function", "collect");
const DISTINCT: (&str, &str) = ("fields.v.distinct", "true");

// Each element that is taken back takes one that equals it away. Without two rows nothing is made distinct.
#[rstest]
#[case("ARRAY<INT>", &[COLLECT], &["+I [1, 2]", "+I NULL", "+I [2, NULL]", "+I []"], "[1, 2, 2, NULL]")]
#[case("ARRAY<INT>", &[COLLECT], &["+I NULL", "+I NULL"], "NULL")]
#[case("ARRAY<INT>", &[COLLECT], &["+I [1, 2, 2, NULL]", "-U [2, 3, NULL]"], "[1, 2]")]
#[case("ARRAY<INT>", &[COLLECT], &["+I [1]", "-U NULL"], "[1]")]
#[case("ARRAY<INT>", &[COLLECT], &["-U [1]", "+I [2]"], "[2]")]
#[case("ARRAY<INT>", &[COLLECT, DISTINCT], &["+I [1, 1, NULL]", "+I [2, 1, NULL]"], "[1, NULL, 2]")]
#[case("ARRAY<INT>", &[COLLECT, DISTINCT], &["+I [1, 1]", "+I NULL"], "[1]")]
#[case("ARRAY<INT>", &[COLLECT, DISTINCT], &["+I NULL", "+I NULL"], "NULL")]
#[case::alone("ARRAY<INT>", &[COLLECT, DISTINCT], &["+I [1, 1]"], "[1, 1]")]
#[case("ARRAY<INT>", &[COLLECT, DISTINCT], &["+I [1, 2]", "-U [1]", "+I [1, 2]"], "[2, 1]")]
#[case("ARRAY<STRING>", &[COLLECT, DISTINCT], &["+I [a]", "+I [b, a]"], "[a, b]")]
#[case("ARRAY<ROW<a INT, b STRING>>", &[COLLECT, DISTINCT], &["+I [(1, x)]", "+I [(1, y), (1, x)]"], "[(1, x), (1, y)]")]
#[case("ARRAY<ARRAY<INT>>", &[COLLECT], &["+I [[1], [2]]", "-U [[2]]"], "[[1]]")]
fn lists_collect_elements(
    #[case] data_type: &str,
    #[case] options: &[(&str, &str)],
    #[case] rows: &[&str],
    #[case] expected: &str,
) {
    assert_eq!(folded(&aggregating(data_type, options), rows).unwrap(), expected);
}

#[rstest]
#[case(&["+I {1: a, 2: b}", "+I NULL", "+I {2: c, 3: NULL}"], "{1: a, 2: c, 3: NULL}")]
#[case(&["+I {1: a, 2: b}", "-U {2: z, 4: z}"], "{1: a}")]
#[case(&["-U {1: a}", "+I {2: b}"], "{2: b}")]
#[case(&["+I {1: a}", "-U NULL"], "{1: a}")]
#[case(&["+I {}", "+I {1: a}", "+I {1: b}"], "{1: b}")]
fn maps_take_the_newest_value_of_a_key(#[case] rows: &[&str], #[case] expected: &str) {
    let table = aggregating("MAP<INT, STRING>", &[("fields.v.aggregate-function", "merge_map")]);
    assert_eq!(folded(&table, rows).unwrap(), expected);
}

// The latest time wins, the older entry where times are equal; NULL removes a key; a NULL time counts for nothing.
#[rstest]
#[case(&["+I {a: (1, t2), b: (1, t1)}", "+I {a: (2, t1), b: (2, t2)}"], "{a: (1, t2), b: (2, t2)}")]
#[case(&["+I {a: (1, t1)}", "+I {a: (2, t1)}"], "{a: (1, t1)}")]
#[case(&["+I {a: (1, t1), b: (1, t1)}", "+I {a: NULL, c: NULL}"], "{b: (1, t1)}")]
#[case(&["+I {a: (1, t1)}", "+I {a: (2, NULL), b: (2, NULL)}"], "{a: (1, t1)}")]
#[case(&["+I {a: (1, NULL), b: NULL}", "+I {a: (2, t1), b: (2, t1)}"], "{a: (2, t1), b: (2, t1)}")]
#[case(&["+I NULL", "+I {a: (2, NULL)}"], "{a: (2, NULL)}")]
fn maps_take_the_value_of_the_latest_time(#[case] rows: &[&str], #[case] expected: &str) {
    let table =
        aggregating("MAP<STRING, ROW<v INT, t STRING>>", &[("fields.v.aggregate-function", "merge_map_with_keytime")]);
    assert_eq!(folded(&table, rows).unwrap(), expected);
}

#[test]
fn the_time_of_a_map_entry_may_be_another_field() {
    let options = [("fields.v.aggregate-function", "merge_map_with_keytime"), ("fields.v.ts-field", "t")];
    let table = aggregating("MAP<STRING, ROW<t STRING, v INT>>", &options);
    let rows = ["+I {a: (t2, 1)}", "+I {a: (t1, 2)}"];
    assert_eq!(folded(&table, &rows).unwrap(), "{a: (t2, 1)}");
    assert_eq!(folded(&table, &["+I {a: (t2, 1)}", "-U {a: (t1, 2)}"]).unwrap_err().kind(), ErrorKind::InvalidInput);
}

const NESTED: (&str, &str) = ("fields.v.aggregate-function", "nested_update");
const KEY: (&str, &str) = ("fields.v.nested-key", "a");

#[rstest]
#[case::no_key(&[NESTED], &["+I [(1, x), NULL]", "+I [(1, x), (2, y)]"], "[(1, x), (1, x), (2, y)]")]
#[case::no_key_taken_back(&[NESTED], &["+I [(1, x), (2, y), (1, x)]", "-U [(1, x), (3, z)]"], "[(2, y)]")]
#[case::limit(&[NESTED, ("fields.v.count-limit", "2")], &["+I [(1, x)]", "+I [(2, x), (3, x)]"], "[(1, x), (2, x)]")]
#[case::limit_of_one_row(&[NESTED, ("fields.v.count-limit", "1")], &["+I NULL", "+I [(2, x), (3, x)]"], "[(2, x)]")]
#[case::key(&[NESTED, KEY], &["+I [(1, x), (2, y)]", "+I [(2, z), (3, NULL), NULL]"], "[(1, x), (2, z), (3, NULL)]")]
#[case::key_taken_back(&[NESTED, KEY], &["+I [(1, x), (2, y)]", "-U [(2, q)]"], "[(1, x)]")]
#[case::key_and_nothing(&[NESTED, KEY], &["-U [(1, x)]", "+I NULL"], "NULL")]
#[case::key_and_limit(
    &[NESTED, KEY, ("fields.v.count-limit", "2")],
    &["+I [(1, x)]", "+I [(2, x), (3, x), (1, y)]"],
    "[(1, y), (2, x)]"
)]
#[case::sequence(
    &[NESTED, KEY, ("fields.v.nested-sequence-field", "b")],
    &["+I [(1, b), (2, b), (3, b)]", "+I [(1, a), (2, c), (3, NULL)]"],
    "[(1, b), (2, c), (3, b)]"
)]
#[case::null_is_a_key(&[NESTED, KEY], &["+I [(NULL, x)]", "+I [(NULL, y)]"], "[(NULL, y)]")]
#[case::null_is_no_key(
    &[NESTED, KEY, ("fields.v.nested-key-null-strategy", "ignore")],
    &["+I [(NULL, x), (1, x)]", "+I [(NULL, y)]"],
    "[(1, x)]"
)]
fn nested_tables_are_updated(#[case] options: &[(&str, &str)], #[case] rows: &[&str], #[case] expected: &str) {
    assert_eq!(folded(&aggregating("ARRAY<ROW<a INT, b STRING>>", options), rows).unwrap(), expected);
}

const OVERLAY: (&str, &str) = ("fields.v.aggregate-function", "nested_partial_update");

#[rstest]
#[case(&[], &["+I [(1, x, NULL)]", "+I [(1, NULL, 2), (2, y, NULL)]"], "[(1, x, 2), (2, y, NULL)]")]
#[case::alone(&[], &["+I [(1, x, NULL), NULL, (1, NULL, 3)]"], "[(1, x, NULL), NULL, (1, NULL, 3)]")]
#[case(&[], &["+I [(1, x, NULL), NULL, (1, NULL, 3)]", "+I NULL"], "[(1, x, 3)]")]
#[case(&[], &["+I NULL", "+I [(1, x, NULL), (1, NULL, 3)]"], "[(1, x, 3)]")]
#[case(&[], &["+I [(NULL, x, 1)]", "+I [(NULL, NULL, 2)]"], "[(NULL, x, 2)]")]
#[case(&[("fields.v.nested-key-null-strategy", "ignore")], &["+I [(NULL, x, 1)]", "+I [(1, x, 1)]"], "[(1, x, 1)]")]
fn nested_rows_are_laid_over_each_other(
    #[case] options: &[(&str, &str)],
    #[case] rows: &[&str],
    #[case] expected: &str,
) {
    let options = [&[OVERLAY, KEY], options].concat();
    assert_eq!(folded(&aggregating("ARRAY<ROW<a INT, b STRING, c INT>>", &options), rows).unwrap(), expected);
}

#[rstest]
#[case(NESTED)]
#[case(OVERLAY)]
fn null_in_a_nested_key_may_be_refused(#[case] function: (&str, &str)) {
    let options = [function, KEY, ("fields.v.nested-key-null-strategy", "error")];
    let table = aggregating("ARRAY<ROW<a INT, b STRING>>", &options);
    let error = folded(&table, &["+I [(1, x)]", "+I [(NULL, x)]"]).unwrap_err();
    assert_eq!((error.kind(), error.context("column")), (ErrorKind::InvalidInput, Some("v")));
    assert!(error.message().contains("nested key"), "{error}");
}
