use paimon_spec::{BinaryRow, DataType, Datum, TypeKind};
use rstest::rstest;

use super::*;
use crate::testing::{data_file, keyed_schema};

fn keys() -> KeyComparator {
    KeyComparator::new(vec![DataType::not_null(TypeKind::BigInt)])
}

fn key(value: i64) -> BinaryRow {
    BinaryRow::from_values(&[Some(Datum::BigInt(value))], keys().types()).unwrap()
}

/// A file of so many bytes with these keys, which has no deletes.
fn file(name: &str, level: i32, bytes: i64, (min, max): (i64, i64)) -> DataFileMeta {
    DataFileMeta { level, file_size: bytes, min_key: key(min), max_key: key(max), ..data_file(name) }
}

fn deleting(file: DataFileMeta) -> DataFileMeta {
    DataFileMeta { delete_row_count: Some(1), ..file }
}

fn work(output_level: i32) -> KeyedWork {
    KeyedWork { output_level, last_level: 5, drop_deletes: output_level == 5, each_file: false }
}

/// Files up to 70 bytes are small.
fn rules(options: &[(&str, &str)], output_level: i32, has_deeper: bool) -> Rules {
    let options: Vec<_> = options.iter().copied().chain([("bucket", "1"), ("target-file-size", "100 b")]).collect();
    Rules::of(&keyed_schema(false, &options), work(output_level), has_deeper).unwrap()
}

/// `a+b` rewritten together, `^a` goes up, `?a` goes up and is looked at.
fn shown(files: Vec<DataFileMeta>, rules: &Rules) -> String {
    let name = |file: &DataFileMeta| file.file_name.clone();
    let steps = steps(sections(files, &keys()).unwrap(), rules).into_iter().map(|step| match step {
        Step::Rewrite(files) => {
            let mut names: Vec<String> = files.iter().map(name).collect();
            names.sort_unstable();
            names.join("+")
        }
        Step::Upgrade { file, looks } => format!("{}{}", if looks { "?" } else { "^" }, name(&file)),
    });
    steps.collect::<Vec<String>>().join(" ")
}

/// Java: `MergeTreeCompactTask`.
#[rstest]
#[case::overlapping_files_are_merged(vec![file("a", 0, 100, (1, 5)), file("b", 1, 100, (5, 9))], "a+b")]
#[case::large_ones_that_overlap_none_stay(vec![file("a", 5, 100, (1, 5)), file("b", 5, 100, (6, 9))], "")]
#[case::large_ones_go_up(vec![file("a", 0, 100, (1, 5)), file("b", 5, 100, (6, 9))], "^a")]
#[case::a_small_one_that_is_alone_goes_up(vec![file("a", 0, 1, (1, 5)), file("b", 5, 100, (6, 9))], "^a")]
#[case::a_small_one_that_is_alone_stays(vec![file("a", 5, 1, (1, 5)), file("b", 0, 100, (6, 9))], "^b")]
#[case::small_ones_go_together(vec![file("a", 5, 1, (1, 2)), file("b", 5, 1, (3, 4)), file("c", 0, 1, (5, 6))], "a+b+c")]
#[case::small_ones_join_what_is_merged(
    vec![file("a", 0, 100, (1, 5)), file("b", 1, 100, (5, 9)), file("c", 5, 1, (10, 11)), file("d", 5, 99, (20, 21))],
    "a+b+c"
)]
#[case::a_large_one_comes_between(
    vec![file("a", 5, 1, (1, 2)), file("b", 5, 1, (3, 4)), file("c", 0, 100, (5, 6)), file("d", 5, 1, (7, 8))],
    "a+b ^c"
)]
#[case::deletes_end_at_the_last_level(vec![deleting(file("a", 0, 100, (1, 5)))], "a")]
#[case::deletes_end_there_even_where_they_are(vec![deleting(file("a", 5, 100, (1, 5)))], "a")]
#[case::who_does_not_tell_may_have_deletes(
    vec![DataFileMeta { delete_row_count: None, ..file("a", 0, 100, (1, 5)) }], "a"
)]
fn files_are_rewritten_only_where_it_is_worth_it(#[case] files: Vec<DataFileMeta>, #[case] expected: &str) {
    assert_eq!(shown(files, &rules(&[], 5, false)), expected);
}

const VECTORS: (&str, &str) = ("deletion-vectors.enabled", "true");
const LOOKUP: (&str, &str) = ("changelog-producer", "lookup");
const PARTIAL: (&str, &str) = ("merge-engine", "partial-update");

/// Java: `upgradeStrategy` of `LookupMergeTreeCompactRewriter` and `FullChangelogMergeTreeCompactRewriter`.
#[rstest]
#[case::plain(&[], 3, 0, "^a")]
#[case::changes_are_told(&[LOOKUP], 3, 0, "?a")]
#[case::changes_are_told_on_the_last_level(&[LOOKUP], 5, 0, "?a")]
#[case::only_level_0_changes(&[LOOKUP], 3, 1, "^a")]
#[case::older_rows_are_hidden(&[VECTORS], 3, 0, "?a")]
#[case::what_is_written_depends_on_older_rows(&[LOOKUP, PARTIAL], 3, 0, "a")]
#[case::there_are_no_older_rows(&[LOOKUP, PARTIAL], 5, 0, "?a")]
#[case::the_order_depends_on_older_rows(&[VECTORS, ("sequence.field", "n")], 3, 0, "a")]
#[case::first_rows_depend_on_older_rows(&[("merge-engine", "first-row")], 3, 0, "a")]
#[case::first_rows_on_the_last_level(&[("merge-engine", "first-row")], 5, 0, "^a")]
#[case::another_format(&[VECTORS, ("file.format.per.level", "0:avro")], 3, 0, "a")]
#[case::another_format_without_look_up(&[("file.format.per.level", "0:avro")], 3, 0, "^a")]
#[case::full_compactions_tell_changes(&[("changelog-producer", "full-compaction")], 5, 0, "?a")]
#[case::other_compactions_do_not(&[("changelog-producer", "full-compaction")], 3, 0, "^a")]
#[case::all_are_rewritten(&[("compaction.force-rewrite-all-files", "true")], 3, 3, "a")]
fn what_goes_up_is_looked_at_where_it_matters(
    #[case] options: &[(&str, &str)],
    #[case] output_level: i32,
    #[case] level: i32,
    #[case] expected: &str,
) {
    let rules = rules(options, output_level, output_level < 5);
    assert_eq!(shown(vec![file("a", level, 100, (1, 5))], &rules), expected);
}

#[rstest]
#[case::vectors(&[VECTORS], "a")]
#[case::changes(&[LOOKUP], "?a")]
#[case::plain(&[], "^a")]
fn deletes_do_not_go_up_where_vectors_say_the_same(#[case] options: &[(&str, &str)], #[case] expected: &str) {
    assert_eq!(shown(vec![deleting(file("a", 0, 100, (1, 5)))], &rules(options, 3, true)), expected);
}

#[test]
fn nothing_is_looked_up_where_nothing_is_deeper() {
    assert_eq!(shown(vec![file("a", 0, 100, (1, 5))], &rules(&[VECTORS], 3, false)), "^a");
}
