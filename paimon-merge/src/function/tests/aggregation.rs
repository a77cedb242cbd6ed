use paimon_spec::ErrorKind;
use rstest::rstest;

use super::{folded, merge, merged, table};

/// A table whose column `v` has this function.
fn aggregating(data_type: &str, function: &str, options: &[(&str, &str)]) -> paimon_spec::TableSchema {
    let fixed = [("merge-engine", "aggregation"), ("fields.v.aggregate-function", function)];
    table(&[("v", data_type)], &[&fixed, options].concat())
}

// NULL counts for nothing, but as a last or first value. A last value that is taken back leaves NULL, the last one that
// is not NULL only when what is taken back is not NULL.
#[rstest]
#[case("last_value", &["+I 1", "+I 2"], "2")]
#[case("last_value", &["+I 1", "+I NULL"], "NULL")]
#[case("last_value", &["+I 1", "-U 1"], "NULL")]
#[case("last_non_null_value", &["+I 1", "+I NULL"], "1")]
#[case("last_non_null_value", &["+I 1", "-D NULL"], "1")]
#[case("last_non_null_value", &["+I 1", "-D 7"], "NULL")]
#[case("last_non_null_value", &["+I 1", "-D 7", "+I 3"], "3")]
#[case("first_value", &["+I NULL", "+I 2"], "NULL")]
#[case("first_value", &["+I 1", "+I 2", "+U 3"], "1")]
#[case("first_non_null_value", &["+I NULL", "+I 2", "+I 3"], "2")]
#[case("first_not_null_value", &["+I NULL", "+I NULL"], "NULL")]
#[case("primary-key", &["+I 1", "+I NULL"], "NULL")]
#[case("primary-key", &["+I 1", "-D 2"], "2")]
#[case("max", &["+I 1", "+I NULL", "+I 3", "+I 2"], "3")]
#[case("min", &["+I 2", "+I 1", "+I NULL", "+I 3"], "1")]
#[case("max", &["+I NULL", "+I NULL"], "NULL")]
#[case("sum", &["+I NULL", "+I 2", "+I 3"], "5")]
#[case("product", &["+I 2", "+I NULL", "+I 3"], "6")]
fn a_column_of_integers_becomes(#[case] function: &str, #[case] rows: &[&str], #[case] expected: &str) {
    assert_eq!(folded(&aggregating("INT", function, &[]), rows).unwrap(), expected);
}

#[rstest]
#[case("BOOLEAN", "bool_or", &["+I false", "+I true", "+I NULL"], "true")]
#[case("BOOLEAN", "bool_and", &["+I true", "+I NULL", "+I true"], "true")]
#[case("BOOLEAN", "bool_and", &["+I true", "+I false"], "false")]
#[case("BOOLEAN", "max", &["+I false", "+I true"], "true")]
#[case("BOOLEAN", "min", &["+I false", "+I true"], "false")]
#[case("STRING", "max", &["+I a", "+I é", "+I z"], "é")]
#[case("STRING", "min", &["+I b", "+I NULL", "+I ab"], "ab")]
#[case("BYTES", "max", &["+I 7f", "+I 80", "+I 7fff"], "80")]
#[case("DECIMAL(20, 2)", "max", &["+I -1.50", "+I -1.25"], "-1.25")]
#[case("DATE", "min", &["+I 2024-02-01", "+I 1969-02-01"], "1969-02-01")]
#[case("TIMESTAMP(3)", "max", &["+I 2024-01-01T00:00:00.001", "+I 2024-01-01T00:00:00"], "2024-01-01T00:00:00.001")]
#[case("TIMESTAMP(9)", "min", &["+I 2024-01-01T00:00:00.000000002", "+I 2024-01-01T00:00:00.000000001"], "2024-01-01T00:00:00.000000001")]
#[case::nan_is_the_greatest("DOUBLE", "max", &["+I inf", "+I NaN", "+I 1"], "NaN")]
#[case::zero_is_above_its_negative("DOUBLE", "min", &["+I 0", "+I -0.0"], "-0.0")]
#[case("FLOAT", "min", &["+I NaN", "+I 2.5"], "2.5")]
fn extremes_follow_the_order_of_the_type(
    #[case] data_type: &str,
    #[case] function: &str,
    #[case] rows: &[&str],
    #[case] expected: &str,
) {
    assert_eq!(folded(&aggregating(data_type, function, &[]), rows).unwrap(), expected);
}

// Blank texts are left out, once there are two rows; `distinct` looks at what is between delimiters.
#[rstest]
#[case(&[], &["+I a", "+I b", "+I a"], "a,b,a")]
#[case(&[], &["+I a", "+I '  '", "+I NULL", "+I b"], "a,b")]
#[case(&[], &["+I '  '", "+I b"], "b")]
#[case::alone(&[], &["+I '  '"], "  ")]
#[case(&[], &["+I '  '", "+I NULL"], "NULL")]
#[case(&[("fields.v.list-agg-delimiter", "; ")], &["+I a", "+I b"], "a; b")]
#[case(&[("fields.v.distinct", "true")], &["+I a,b", "+I b,c,,c", "+I a"], "a,b,c")]
#[case(&[("fields.v.distinct", "true")], &["+I a,a", "+I a"], "a,a")]
#[case(&[("fields.v.distinct", "true"), ("fields.v.list-agg-delimiter", "")], &["+I a b", "+I b c"], "a bc")]
fn texts_are_listed(#[case] options: &[(&str, &str)], #[case] rows: &[&str], #[case] expected: &str) {
    assert_eq!(folded(&aggregating("STRING", "listagg", options), rows).unwrap(), expected);
}

#[rstest]
#[case("INT", "max")]
#[case("INT", "min")]
#[case("INT", "first_value")]
#[case("INT", "first_non_null_value")]
#[case("BOOLEAN", "bool_or")]
#[case("STRING", "listagg")]
fn what_cannot_be_taken_back_is_an_error_or_stays(#[case] data_type: &str, #[case] function: &str) {
    let value = if data_type == "BOOLEAN" { "true" } else { "1" };
    let rows = [format!("+I {value}"), format!("-U {value}")];
    let rows = [rows[0].as_str(), rows[1].as_str()];
    let error = folded(&aggregating(data_type, function, &[]), &rows).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!((error.context("column"), error.context("aggregate function")), (Some("v"), Some(function)));
    let ignoring = aggregating(data_type, function, &[("fields.v.ignore-retract", "true")]);
    assert_eq!(folded(&ignoring, &rows).unwrap(), value);
}

#[test]
fn a_key_of_one_row_is_that_row() {
    let table = aggregating("INT", "sum", &[]);
    let rows = ["+U 1 | 5", "-D 2 | 5", "-U 3 | 5", "+I 4 | 5", "-D 4 | 2"];
    assert_eq!(merged(&table, &rows).unwrap(), ["+U 1 | 5", "-D 2 | 5", "-U 3 | 5", "+I 4 | 3"]);
    assert_eq!(merge(&table, &rows, false).unwrap(), ["+U 1 | 5", "+I 4 | 3"]);
    assert_eq!(merged(&table, &rows[..1]).unwrap(), ["+U 1 | 5"]);
}

// A -D leaves its own values; what comes later is aggregated on top of them, but for a first value that has been.
#[test]
fn a_delete_removes_the_record_where_that_is_wanted() {
    let functions = [
        ("merge-engine", "aggregation"),
        ("aggregation.remove-record-on-delete", "true"),
        ("fields.s.aggregate-function", "sum"),
        ("fields.f.aggregate-function", "first_value"),
    ];
    let table = table(&[("s", "INT"), ("f", "INT")], &functions);
    let deleted = ["+I 1 | 1 | 1", "+I 1 | 2 | 2", "-D 1 | 9 | 9"];
    assert_eq!(merged(&table, &deleted).unwrap(), ["-D 1 | 9 | 9"]);
    assert_eq!(merge(&table, &deleted, false).unwrap(), [""; 0]);
    let again = [&deleted[..], &["+I 1 | 1 | 1"]].concat();
    assert_eq!(merged(&table, &again).unwrap(), ["+I 1 | 10 | 9"]);
    assert_eq!(merged(&table, &["-D 1 | 9 | 9", "+I 1 | 1 | 1"]).unwrap(), ["+I 1 | 10 | 1"]);
    assert_eq!(merged(&table, &["+I 1 | 1 | NULL", "-U 1 | 1 | 1"]).unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[test]
fn a_delete_that_removes_needs_values_where_the_table_does() {
    let options = [("merge-engine", "aggregation"), ("aggregation.remove-record-on-delete", "true")];
    let table = table(&[("v", "INT NOT NULL")], &options);
    let error = merged(&table, &["+I 1 | 1", "-D 1 | NULL"]).unwrap_err();
    assert_eq!((error.kind(), error.context("column")), (ErrorKind::InvalidInput, Some("v")));
}

#[test]
fn columns_have_functions_of_their_own_or_the_default() {
    let options = [
        ("merge-engine", "aggregation"),
        ("sequence.field", "g"),
        ("fields.default-aggregate-function", "sum"),
        ("fields.b.aggregate-function", "max"),
    ];
    let table = table(&[("a", "INT"), ("b", "INT"), ("g", "INT")], &options);
    let rows = ["+I 1 | 1 | 1 | 3", "+I 1 | 2 | 5 | 4", "+I 1 | 3 | 2 | NULL"];
    assert_eq!(merged(&table, &rows).unwrap(), ["+I 1 | 6 | 5 | NULL"]);
}

#[test]
fn without_a_function_the_last_value_that_is_not_null_stays() {
    let table = table(&[("a", "STRING")], &[("merge-engine", "aggregation")]);
    assert_eq!(folded(&table, &["+I x", "+I y", "+I NULL"]).unwrap(), "y");
}
