use paimon_spec::ErrorKind;
use rstest::rstest;

use super::*;
use crate::testing::keyed_schema;

#[rstest]
#[case::an_index_of_keys(&[("bucket", "1"), ("pk-btree.index.columns", "v")], false, "pk-btree.index.columns")]
#[case::numbers_of_snapshots(
    &[("bucket", "1"), ("sequence.snapshot-ordering", "TRUE"), ("write-only", "true")],
    false,
    "sequence.snapshot-ordering"
)]
fn keyed_tables_that_are_not_written_say_why(
    #[case] options: &[(&str, &str)],
    #[case] partitioned: bool,
    #[case] named: &str,
) {
    let error = require_writable(&keyed_schema(partitioned, options)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.message().contains(named) && error.message().contains("not supported yet"), "{error}");
}
