//! Plans of primary-key tables.

mod model;

use paimon_spec::{BinaryRow, CommitKind, FileSource};

use super::*;
use crate::testkit::keyed_file;
use crate::{Increment, Slice};

/// A file with amounts from `min` to `max`.
fn with_amounts(file: DataFileMeta, min: f64, max: f64) -> DataFileMeta {
    let bounds = ColumnStats { min: Some(Datum::Double(min)), max: Some(Datum::Double(max)), null_count: Some(0) };
    with_stats(file, &[("amount", int(TypeKind::Double), bounds)])
}

fn amount(op: CompareOp, literal: f64) -> Predicate {
    Predicate::compare(AMOUNT, op, Datum::Double(literal))
}

/// Files of one bucket, in one snapshot each.
async fn table_of(options: &[(&str, &str)], files: &[DataFileMeta]) -> TestTable {
    let mut table = TestTable::create_keyed("1", options).await;
    for file in files {
        let entry = ManifestEntry { total_buckets: 1, ..table.add(&[], file.clone()) };
        table.commit(&[vec![entry]]).await;
    }
    table
}

/// The files of each split; those of splits that are to be merged with a plus between them.
fn splits(plan: &Plan) -> Vec<String> {
    let split = |split: &DataSplit| {
        let names: Vec<_> = split.files.iter().map(|file| file.file_name.as_str()).collect();
        if split.raw_convertible { names.join(" ") } else { format!("+{}", names.join("+")) }
    };
    plan.splits.iter().map(split).collect()
}

#[rstest]
#[case::below(id(CompareOp::Lt, 10), &["+a+b"])]
#[case::in_one_file(id(CompareOp::Eq, 4), &["a"])]
#[case::in_two_files(id(CompareOp::Eq, 15), &["b"])]
#[case::where_they_meet(id(CompareOp::Eq, 10), &["+a+b"])]
#[case::above(id(CompareOp::GtEq, 100), &["c"])]
#[case::nowhere(id(CompareOp::Eq, 50), &[])]
#[case::with_a_value(Predicate::and([id(CompareOp::Eq, 15), amount(CompareOp::Gt, 100.0)]), &["b"])]
#[case::or_with_a_value(Predicate::Or(vec![id(CompareOp::Eq, 15), amount(CompareOp::Gt, 100.0)]), &["+a+b+c"])]
#[tokio::test]
async fn files_are_chosen_by_the_keys_that_they_hold(#[case] predicate: Predicate, #[case] expected: &[&str]) {
    let files = [keyed_file("a", 0, (0, 10)), keyed_file("b", 5, (5, 20)), keyed_file("c", 4, (100, 110))];
    let table = table_of(&[], &files).await;
    assert_eq!(splits(&planned(&table, &where_(predicate)).await), expected);
}

#[tokio::test]
async fn the_bounds_of_keys_tell_where_statistics_are_not_stored() {
    let file = DataFileMeta { key_stats: SimpleStats::empty(), ..keyed_file("a", 0, (1, 5)) };
    let table = table_of(&[], &[file]).await;
    assert_eq!(splits(&planned(&table, &where_(id(CompareOp::Eq, 5))).await), ["a"]);
    assert_eq!(splits(&planned(&table, &where_(id(CompareOp::Eq, 6))).await), [""; 0]);
}

#[rstest]
#[case::rows_of_whole_files(&[], &["+old+new"])]
#[case::a_row_of_two_files(&[("merge-engine", "partial-update")], &["+old+new"])]
#[tokio::test]
async fn a_new_row_that_is_not_wanted_still_hides_the_old_one(
    #[case] options: &[(&str, &str)],
    #[case] expected: &[&str],
) {
    let old = with_amounts(keyed_file("old", 5, (1, 9)), 1.0, 1.0);
    let new = with_amounts(keyed_file("new", 0, (1, 9)), 2.0, 2.0);
    let table = table_of(options, &[old, new]).await;
    assert_eq!(splits(&planned(&table, &where_(amount(CompareOp::Eq, 1.0))).await), expected);
    let plan = planned(&table, &where_(amount(CompareOp::Eq, 3.0))).await;
    assert_eq!(splits(&plan).is_empty(), options.is_empty());
    let kept = if options.is_empty() { 0 } else { 2 };
    assert_eq!(plan.report.sections, Stage { before: 2, after: kept });
}

#[rstest]
#[case::first_row(&[("merge-engine", "first-row")])]
#[case::deletion_vectors(&[("deletion-vectors.enabled", "true")])]
#[tokio::test]
async fn level_0_is_left_out_until_it_is_compacted(#[case] options: &[(&str, &str)]) {
    let files = [keyed_file("new", 0, (1, 9)), keyed_file("a", 4, (1, 9)), keyed_file("b", 5, (1, 9))];
    let table = table_of(options, &files).await;
    let plan = planned(&table, &ScanRequest::default()).await;
    assert_eq!(splits(&plan), ["a b"]);
    // The manifest of level 0 is not read.
    assert_eq!((plan.report.manifests, plan.report.entries_read), (Stage { before: 3, after: 2 }, 2));
    let request = ScanRequest { read_optimized: true, ..ScanRequest::default() };
    assert_eq!(splits(&planned(&table, &request).await), ["b"]);
    assert_eq!(count_rows(&table.store, &ReadPoint::Latest, None).await.unwrap(), Some(18));
}

#[tokio::test]
async fn deletion_vectors_may_be_merged_on_read() {
    let options = [("deletion-vectors.enabled", "true"), ("deletion-vectors.merge-on-read", "true")];
    let files = [keyed_file("new", 0, (1, 9)), keyed_file("a", 4, (1, 9)), keyed_file("b", 5, (20, 29))];
    let table = table_of(&options, &files).await;
    assert_eq!(splits(&planned(&table, &ScanRequest::default()).await), ["+new+a+b"]);
    assert_eq!(splits(&planned(&table, &where_(id(CompareOp::Gt, 19))).await), ["b"]);
}

#[tokio::test]
async fn read_optimised_reads_see_the_greatest_level_alone() {
    let files = [keyed_file("new", 0, (1, 9)), keyed_file("a", 4, (1, 9)), keyed_file("b", 5, (1, 9))];
    let request = ScanRequest { read_optimized: true, ..ScanRequest::default() };
    let table = table_of(&[], &files).await;
    assert_eq!(splits(&planned(&table, &request).await), ["b"]);
    let table = table_of(&[("num-levels", "5")], &files).await;
    assert_eq!(splits(&planned(&table, &request).await), ["a"]);
    let plain = TestTable::create(&[], &[]).await;
    assert_eq!(planned(&plain, &request).await.splits, []);
}

#[tokio::test]
async fn rows_that_have_no_bucket_yet_are_not_read() {
    let mut table = TestTable::create_keyed("-2", &[]).await;
    let entry = |bucket, name| ManifestEntry {
        bucket,
        total_buckets: bucket.max(-1),
        ..table.add(&[], keyed_file(name, 0, (1, 9)))
    };
    let (postponed, real) = (vec![entry(-2, "postponed")], vec![entry(0, "real"), entry(-2, "postponed too")]);
    table.commit(&[postponed, real]).await;
    let plan = planned(&table, &ScanRequest::default()).await;
    assert_eq!(splits(&plan), ["real"]);
    assert_eq!(plan.report.manifests, Stage { before: 2, after: 1 });
    let increment = Some(Increment::Delta { after: 0, up_to: 1 });
    assert_eq!(splits(&planned(&table, &ScanRequest { increment, ..ScanRequest::default() }).await), ["real"]);
}

#[tokio::test]
async fn a_key_looks_into_its_bucket_of_each_partitions_number_of_buckets() {
    let mut table = TestTable::create_keyed("4", &[]).await;
    // By murmur: 2 falls into bucket 0 of 4 and of 2, 1 into bucket 2 of 4 and bucket 0 of 2.
    let entry = |(bucket, total_buckets): (i32, i32)| ManifestEntry {
        bucket,
        total_buckets,
        ..table.add(&[], keyed_file(&format!("{bucket} of {total_buckets}"), 0, (0, 9)))
    };
    let entries = [(0, 4), (1, 4), (2, 4), (3, 4), (0, 2), (1, 2)].map(entry).to_vec();
    table.commit(&[entries]).await;
    let found = |plan: Plan| names(&plan).into_iter().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(found(planned(&table, &where_(id(CompareOp::Eq, 2))).await), ["0 of 4", "0 of 2"]);
    assert_eq!(found(planned(&table, &where_(id(CompareOp::Eq, 1))).await), ["2 of 4", "0 of 2"]);
}

#[rstest]
#[case::compacted(vec![keyed_file("a", 5, (1, 5)), keyed_file("b", 5, (6, 9))], Some(9))]
#[case::one_new_file(vec![keyed_file("a", 0, (1, 5))], Some(5))]
#[case::overlapping(vec![keyed_file("a", 0, (1, 5)), keyed_file("b", 5, (3, 9))], None)]
#[case::with_deletes(vec![DataFileMeta { delete_row_count: Some(1), ..keyed_file("a", 5, (1, 5)) }], None)]
#[case::untold(vec![DataFileMeta { delete_row_count: None, ..keyed_file("a", 5, (1, 5)) }], None)]
#[tokio::test]
async fn rows_are_counted_where_nothing_is_to_be_merged(
    #[case] files: Vec<DataFileMeta>,
    #[case] expected: Option<u64>,
) {
    let table = table_of(&[], &files).await;
    assert_eq!(count_rows(&table.store, &ReadPoint::Latest, None).await.unwrap(), expected);
}

#[rstest]
#[case::of_rows_that_are_not_merged(15, None, true, &["d", "e"])]
#[case::of_more_rows(16, None, false, &["+a+b", "+c", "d", "e"])]
#[case::of_rows_that_are_wanted(5, Some(id(CompareOp::Gt, 34)), true, &["e"])]
#[case::of_rows_that_may_be_wanted(6, Some(id(CompareOp::Gt, 34)), false, &["d", "e"])]
#[tokio::test]
async fn a_limit_is_covered_by_rows_that_nothing_can_hide(
    #[case] limit: usize,
    #[case] predicate: Option<Predicate>,
    #[case] is_covered: bool,
    #[case] expected: &[&str],
) {
    let untold = DataFileMeta { delete_row_count: None, ..keyed_file("c", 0, (20, 29)) };
    let files = [
        keyed_file("a", 5, (1, 9)),
        keyed_file("b", 0, (1, 9)),
        untold,
        keyed_file("d", 0, (30, 39)),
        keyed_file("e", 0, (40, 44)),
    ];
    let table = table_of(&[], &files).await;
    let limit = Some(limit);
    let request = ScanRequest { predicate, limit, split_target_bytes: Some(1), ..ScanRequest::default() };
    let plan = planned(&table, &request).await;
    assert_eq!(splits(&plan), expected);
    assert_eq!(plan.report.limit_stopped, is_covered);
}

#[tokio::test]
async fn an_increment_gives_what_came_in_file_by_file() {
    let deletes = DataFileMeta { delete_row_count: Some(2), ..keyed_file("b", 0, (1, 9)) };
    let mut table = table_of(&[], &[keyed_file("a", 0, (1, 9)), deletes, keyed_file("c", 0, (2, 5))]).await;
    let compacted = DataFileMeta { file_source: Some(FileSource::Compact), ..keyed_file("d", 5, (1, 9)) };
    let compacted = table.add(&[], compacted);
    table.commit_with(&[vec![compacted]], |snapshot| snapshot.commit_kind = CommitKind::Compact).await;
    let increment =
        |after, up_to| ScanRequest { increment: Some(Increment::Delta { after, up_to }), ..ScanRequest::default() };
    assert_eq!(splits(&planned(&table, &increment(0, 4)).await), ["a c", "+b"]);
    assert_eq!(splits(&planned(&table, &increment(2, 4)).await), ["c"]);
    let request = ScanRequest { predicate: Some(id(CompareOp::Gt, 5)), ..increment(0, 4) };
    assert_eq!(splits(&planned(&table, &request).await), ["a", "+b"]);

    let after = ReadPoint::Latest;
    let request = ScanRequest { increment: Some(Increment::Diff { before: None, after }), ..ScanRequest::default() };
    let error = plan(&table.store, &request).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.message().starts_with("the difference of two states of a primary-key table is not supported yet"));
}

#[tokio::test]
async fn rows_by_their_place_are_refused() {
    let table = table_of(&[], &[keyed_file("a", 0, (1, 9))]).await;
    let request = ScanRequest { slice: Some(Slice::Rows { start: 0, end: 1 }), ..ScanRequest::default() };
    let error = plan(&table.store, &request).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert_eq!(error.message(), "Primary key tables do not support with_slice(); use with_shard instead");
}

#[tokio::test]
async fn files_of_one_bucket_are_merged_whatever_number_of_buckets_they_name() {
    let mut table = TestTable::create_keyed("1", &[]).await;
    let entry = |name, total_buckets| ManifestEntry { total_buckets, ..table.add(&[], keyed_file(name, 0, (1, 9))) };
    let entries = vec![entry("a", 1), entry("b", 2)];
    table.commit(&[entries]).await;
    let plan = planned(&table, &ScanRequest::default()).await;
    assert_eq!((splits(&plan), plan.splits[0].total_buckets), (vec!["+a+b".to_owned()], None));
}

#[tokio::test]
async fn a_key_that_cannot_be_decoded_is_corrupt() {
    let file = DataFileMeta { min_key: BinaryRow::empty(), ..keyed_file("a", 0, (1, 9)) };
    let table = table_of(&[], &[file, keyed_file("b", 0, (1, 9))]).await;
    let error = plan(&table.store, &ScanRequest::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CorruptData);
}
