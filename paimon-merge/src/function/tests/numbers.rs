use paimon_spec::ErrorKind;
use rstest::rstest;

use super::{folded, table};

fn fold(data_type: &str, function: &str, rows: &[&str]) -> paimon_spec::Result<String> {
    let options = [("merge-engine", "aggregation"), ("fields.v.aggregate-function", function)];
    folded(&table(&[("v", data_type)], &options), rows)
}

// What is taken back is subtracted or divides; a sum also from nothing, a product only from something.
#[rstest]
#[case("INT", "sum", &["+I 5", "-U 2"], "3")]
#[case("INT", "sum", &["-U 2", "-U 3"], "-5")]
#[case("INT", "sum", &["+I NULL", "-U 2"], "-2")]
#[case("INT", "sum", &["+I 5", "-U NULL"], "5")]
#[case("INT", "product", &["+I 7", "-U 2"], "3")]
#[case("INT", "product", &["+I -7", "-U 2"], "-3")]
#[case("INT", "product", &["-U 2", "+I 5"], "5")]
#[case("TINYINT", "sum", &["+I -128", "+I 127"], "-1")]
#[case("SMALLINT", "product", &["+I -128", "+I 256"], "-32768")]
#[case("BIGINT", "sum", &["+I 9223372036854775806", "+I 1"], "9223372036854775807")]
#[case("DOUBLE", "sum", &["+I 0.1", "+I 0.2", "+I 0.3"], "0.6000000000000001")]
#[case("DOUBLE", "product", &["+I 1", "-U 0"], "inf")]
#[case::negated("FLOAT", "sum", &["-U 0", "+I NULL"], "-0.0")]
#[case("FLOAT", "sum", &["+I 16777216", "+I 1", "+I 1"], "16777216.0")]
fn numbers_become(#[case] data_type: &str, #[case] function: &str, #[case] rows: &[&str], #[case] expected: &str) {
    let rows = [rows, &["+I NULL"]].concat();
    assert_eq!(fold(data_type, function, &rows).unwrap(), expected);
}

#[rstest]
#[case("TINYINT", "sum", &["+I 127", "+I 1"], "127 + 1")]
#[case("TINYINT", "sum", &["-U -128", "-U NULL"], "0 - -128")]
#[case("SMALLINT", "sum", &["+I -32768", "-U 1"], "-32768 - 1")]
#[case("INT", "sum", &["+I 2147483647", "+I 1"], "2147483647 + 1")]
#[case("INT", "product", &["+I 65536", "+I 32768"], "65536 * 32768")]
#[case("INT", "product", &["+I 1", "-U 0"], "1 / 0")]
#[case("BIGINT", "product", &["+I -9223372036854775808", "-U -1"], "-9223372036854775808 / -1")]
#[case("DECIMAL(9, 0)", "sum", &["+I 999999999", "+I 999999999", "+I 999999999"], "1999999998 + 999999999")]
#[case("DECIMAL(9, 2)", "product", &["+I 1", "-U 0"], "100 / 0")]
#[case("DECIMAL(9, 2)", "product", &["+I 1", "-U 3"], "100 / 300 of decimals has no exact digits")]
fn numbers_that_do_not_fit_are_refused(
    #[case] data_type: &str,
    #[case] function: &str,
    #[case] rows: &[&str],
    #[case] expected: &str,
) {
    // Two rows at least, or the function is not asked.
    let rows = [rows, &["+I NULL"]].concat();
    let error = fold(data_type, function, &rows).unwrap_err();
    assert_eq!((error.kind(), error.context("column")), (ErrorKind::InvalidInput, Some("v")));
    assert!(error.message().contains(expected), "{error}");
}

// Java keeps up to 18 digits in a long and does not look whether a sum has more than its type; others become NULL, and
// so do products.
#[rstest]
#[case("DECIMAL(5, 2)", "sum", &["+I 999.99", "+I 0.01"], "1000.00")]
#[case("DECIMAL(18, 0)", "sum", &["+I 999999999999999999", "+I 1"], "1000000000000000000")]
#[case("DECIMAL(19, 0)", "sum", &["+I 9999999999999999999", "+I 1"], "NULL")]
#[case("DECIMAL(19, 0)", "sum", &["+I 9999999999999999999", "+I 1", "+I 4"], "4")]
#[case("DECIMAL(38, 0)", "sum", &["+I 99999999999999999999999999999999999999", "+I 1"], "NULL")]
#[case("DECIMAL(5, 2)", "product", &["+I 1.05", "+I 0.10"], "0.11")]
#[case("DECIMAL(5, 2)", "product", &["+I -1.05", "+I 0.10"], "-0.11")]
#[case("DECIMAL(5, 2)", "product", &["+I 100", "+I 10"], "NULL")]
#[case("DECIMAL(38, 10)", "product", &["+I 1234567890.5", "+I 2.5"], "3086419726.2500000000")]
#[case("DECIMAL(5, 2)", "product", &["+I 0.01", "-U 8"], "0.00")]
#[case("DECIMAL(5, 2)", "product", &["+I 3", "-U 8"], "0.38")]
#[case("DECIMAL(5, 2)", "sum", &["-U 1.50", "+I NULL"], "-1.50")]
fn decimals_become(#[case] data_type: &str, #[case] function: &str, #[case] rows: &[&str], #[case] expected: &str) {
    assert_eq!(fold(data_type, function, rows).unwrap(), expected);
}
