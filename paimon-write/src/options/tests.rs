use paimon_spec::ErrorKind;
use rstest::rstest;

use super::*;
use crate::testing::keyed_schema;

#[rstest]
#[case::dynamic(&[("bucket", "-1")], false, "dynamic buckets")]
#[case::postponed(&[("bucket", "-2")], false, "postponed buckets")]
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

#[test]
fn keys_that_move_between_partitions_are_not_written() {
    let mut schema = keyed_schema(true, &[("bucket", "-1")]);
    schema.primary_keys = vec!["k".to_owned()];
    let error = require_writable(&schema).unwrap_err();
    assert!(error.message().contains("move between partitions"), "{error}");
}

#[rstest]
#[case::plain(&[], None)]
#[case::first_row(&[("merge-engine", "first-row")], Some("'merge-engine' = 'first-row'"))]
#[case::vectors(&[("deletion-vectors.enabled", "true")], Some("'deletion-vectors.enabled'"))]
#[case::vectors_that_are_merged(
    &[("deletion-vectors.enabled", "true"), ("deletion-vectors.merge-on-read", "true")],
    None
)]
#[case::somebody_compacts(&[("merge-engine", "first-row"), ("write-only", "true")], None)]
fn rows_that_nobody_would_see_are_refused(#[case] options: &[(&str, &str)], #[case] named: Option<&str>) {
    let options: Vec<_> = options.iter().copied().chain([("bucket", "1")]).collect();
    let schema = keyed_schema(false, &options);
    require_writable(&schema).unwrap();
    match (require_visible(&schema), named) {
        (Ok(()), None) => {}
        (Err(error), Some(named)) => {
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            assert!(error.message().contains(named) && error.message().contains("needs compaction"), "{error}");
        }
        (outcome, named) => panic!("wanted {named:?}, found {outcome:?}"),
    }
}
