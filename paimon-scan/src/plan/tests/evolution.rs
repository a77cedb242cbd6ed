//! Plans of data-evolution tables, and of others with row tracking.

mod model;

use std::ops::Range;

use paimon_spec::{ROW_ID, ROW_ID_ID, SEQUENCE_NUMBER_ID, SimpleStats};

use super::*;
use crate::testkit::{IMAGE, group_file};

const ALL: &[&str] = &["id", "name", "amount", "p", "t"];

/// A file of some columns, `id` among them, with ids from `min` to `max`.
fn ids_of(file: DataFileMeta, min: i32, max: i32) -> DataFileMeta {
    let stats = ColumnStats { min: Some(Datum::Int(min)), max: Some(Datum::Int(max)), null_count: Some(0) };
    with_stats(file, &[("id", int(TypeKind::Int), stats)])
}

fn row_id(op: CompareOp, id: i64) -> Predicate {
    Predicate::compare(ROW_ID_ID, op, Datum::BigInt(id))
}

fn only(fields: &[FieldId]) -> ScanRequest {
    ScanRequest { fields: Some(fields.to_vec()), ..ScanRequest::default() }
}

/// Rows 0 to 9: their columns, and images in two files. Then amounts are updated, then an image. Rows 10 to 19 are as
/// they were written.
async fn table_of_two_groups() -> TestTable {
    let mut table = TestTable::create_evolving(&[], &[]).await;
    let first = ["a", "a0.blob", "a1.blob", "b"].into_iter().zip([0..10, 0..6, 6..10, 10..20]);
    let first = first.map(|(name, rows)| {
        let columns = if name.ends_with(".blob") { &["image"] } else { ALL };
        table.add(&[], group_file(name, rows, 1, columns))
    });
    let first = first.collect();
    table.commit(&[first]).await;
    let amounts = table.add(&[], group_file("a2", 0..10, 2, &["amount"]));
    table.commit(&[vec![amounts]]).await;
    let image = table.add(&[], group_file("a2.blob", 2..3, 3, &["image"]));
    table.commit(&[vec![image]]).await;
    table
}

#[tokio::test]
async fn files_of_the_same_rows_are_in_one_split_in_reading_order() {
    let table = table_of_two_groups().await;
    let plan = planned(&table, &ScanRequest::default()).await;
    assert_eq!(names(&plan), ["a2", "a", "a0.blob", "a2.blob", "a1.blob", "b"]);
    assert_eq!(plan.splits.len(), 1);
    assert!(!plan.splits[0].raw_convertible);
    assert_eq!(plan.splits[0].merged_row_count(), Some(20));
    let request = ScanRequest { split_target_bytes: Some(1), ..ScanRequest::default() };
    let plan = planned(&table, &request).await;
    let found: Vec<_> = plan.splits.iter().map(|split| (split.files.len(), split.raw_convertible)).collect();
    assert_eq!(found, [(5, false), (1, true)]);
    assert_eq!(count_rows(&table.store, &ReadPoint::Latest, None).await.unwrap(), Some(20));
    let first = ScanRequest { at: ReadPoint::Snapshot(1), ..ScanRequest::default() };
    assert_eq!(names(&planned(&table, &first).await), ["a", "a0.blob", "a1.blob", "b"]);
}

#[rstest]
#[case::no_column(&[], None, &["a", "b"])]
#[case::row_ids_are_in_no_file(&[ROW_ID_ID], None, &["a", "b"])]
#[case::a_column_of_the_first_file(&[ID], None, &["a", "b"])]
#[case::an_overwritten_column(&[AMOUNT], None, &["a2", "b"])]
#[case::columns_of_both(&[ID, AMOUNT], None, &["a2", "a", "b"])]
#[case::images(&[IMAGE], None, &["a", "a0.blob", "a2.blob", "a1.blob", "b"])]
#[case::sequence_numbers_are_the_newest_file_s(&[ID, SEQUENCE_NUMBER_ID], None, &["a2", "a", "b"])]
#[case::columns_of_the_condition(&[ID], Some(Predicate::leaf(AMOUNT, Test::IsNotNull)), &["a2", "a", "b"])]
#[case::images_of_the_condition(
    &[ID],
    Some(Predicate::leaf(IMAGE, Test::IsNotNull)),
    &["a", "a0.blob", "a2.blob", "a1.blob", "b"]
)]
#[case::a_column_that_is_not_there(&[99], None, &["a", "b"])]
#[tokio::test]
async fn files_without_wanted_columns_are_left_out(
    #[case] fields: &[FieldId],
    #[case] predicate: Option<Predicate>,
    #[case] expected: &[&str],
) {
    let table = table_of_two_groups().await;
    let plan = planned(&table, &ScanRequest { predicate, ..only(fields) }).await;
    assert_eq!(names(&plan), expected);
    assert_eq!(plan.splits[0].raw_convertible, expected.len() == 2);
    assert_eq!(plan.splits.iter().map(|split| split.merged_row_count().unwrap()).sum::<i64>(), 20);
}

#[tokio::test]
async fn entries_of_blob_files_that_nobody_reads_are_not_built() {
    let table = table_of_two_groups().await;
    let report = planned(&table, &only(&[ID])).await.report;
    let expected = ScanReport {
        manifests: Stage { before: 3, after: 3 },
        partitions: Stage { before: 6, after: 6 },
        buckets: Stage { before: 6, after: 6 },
        files: Stage { before: 6, after: 3 },
        file_index: Stage { before: 3, after: 3 },
        sections: Stage { before: 3, after: 2 },
        entries_read: 6,
        limit_stopped: false,
    };
    assert_eq!(report, expected);
}

#[rstest]
#[case::of_the_newest_file(id(CompareOp::Eq, 105), &["new", "old"])]
#[case::overwritten(id(CompareOp::Eq, 5), &["next"])]
#[case::in_no_group(id(CompareOp::Eq, 50), &[])]
#[case::in_no_file(Predicate::leaf(AMOUNT, Test::IsNotNull), &[])]
#[case::null_in_no_file(Predicate::leaf(AMOUNT, Test::IsNull), &["new", "old", "next"])]
#[case::images_without_a_file(Predicate::leaf(IMAGE, Test::IsNotNull), &["new", "old", "next"])]
#[case::with_row_ids(Predicate::or([id(CompareOp::Eq, 50), row_id(CompareOp::GtEq, 10)]), &["next"])]
#[case::sequence_numbers_are_not_known(
    Predicate::compare(SEQUENCE_NUMBER_ID, CompareOp::Eq, Datum::BigInt(99)),
    &["new", "old", "next"]
)]
#[tokio::test]
async fn whole_groups_are_pruned_by_the_newest_file_of_each_column(
    #[case] predicate: Predicate,
    #[case] expected: &[&str],
) {
    let mut table = TestTable::create_evolving(&[], &[]).await;
    let old = table.add(&[], ids_of(group_file("old", 0..10, 1, &["id", "name"]), 0, 9));
    let next = table.add(&[], ids_of(group_file("next", 10..20, 1, &["id", "name"]), 0, 9));
    table.commit(&[vec![old, next]]).await;
    let new = table.add(&[], ids_of(group_file("new", 0..10, 2, &["id"]), 100, 109));
    table.commit(&[vec![new]]).await;
    assert_eq!(names(&planned(&table, &where_(predicate)).await), expected);
}

#[tokio::test]
async fn statistics_of_blob_files_and_embedded_indexes_say_nothing() {
    let mut table = TestTable::create_evolving(&[], &[]).await;
    let images = ColumnStats { null_count: Some(10), ..ColumnStats::default() };
    let images = [("image", int(TypeKind::Blob), images)];
    let data = DataFileMeta { embedded_index: Some(vec![1, 2, 3].into()), ..group_file("a", 0..10, 1, ALL) };
    let blob = with_stats(group_file("a.blob", 0..10, 1, &["image"]), &images);
    let entries = vec![table.add(&[], data), table.add(&[], blob)];
    table.commit(&[entries]).await;
    let plan = planned(&table, &where_(Predicate::leaf(IMAGE, Test::IsNotNull))).await;
    assert_eq!(names(&plan), ["a", "a.blob"]);
    let file = &plan.splits[0].files[1];
    assert_eq!((&file.value_stats, &file.value_stats_cols), (&SimpleStats::empty(), &Some(Vec::new())));
}

#[tokio::test]
async fn columns_are_found_under_the_schema_of_their_file() {
    let mut table = TestTable::create_evolving(&[], &[]).await;
    let old = table.add(&[], ids_of(group_file("old", 0..10, 1, &["id", "name"]), 0, 9));
    table.commit(&[vec![old]]).await;
    table
        .evolve(|schema| {
            schema.fields[0].name = "number".into();
            schema.fields[0].data_type.kind = TypeKind::BigInt;
            schema.fields.push(DataField::new(6, "id", int(TypeKind::Int)));
        })
        .await;
    let number = |value: i64| where_(Predicate::compare(ID, CompareOp::Eq, Datum::BigInt(value)));
    assert_eq!(names(&planned(&table, &number(50)).await), ["old"], "bounds of another type");
    let added = |test: Test| where_(Predicate::leaf(6, test));
    assert!(planned(&table, &added(Test::IsNotNull)).await.splits.is_empty());
    assert_eq!(names(&planned(&table, &added(Test::IsNull)).await), ["old"]);

    let stats = ColumnStats { min: Some(Datum::BigInt(7)), max: Some(Datum::BigInt(8)), null_count: Some(0) };
    let new = with_stats(group_file("new", 0..10, 2, &["number"]), &[("number", int(TypeKind::BigInt), stats)]);
    let new = table.add(&[], DataFileMeta { schema_id: 1, ..new });
    table.commit(&[vec![new]]).await;
    assert!(planned(&table, &number(50)).await.splits.is_empty());
    assert_eq!(names(&planned(&table, &only(&[ID])).await), ["new"]);
    assert_eq!(names(&planned(&table, &only(&[1])).await), ["old"]);
}

#[rstest]
#[case::one_row(row_id(CompareOp::Eq, 4), 1, &["a", "a0.blob"])]
#[case::a_list(Predicate::leaf(ROW_ID_ID, Test::In(vec![Datum::BigInt(7), Datum::BigInt(25)])), 2, &["a", "a1.blob", "c"])]
#[case::beyond_the_last(row_id(CompareOp::Gt, 29), 0, &[])]
#[case::a_part_of_a_condition(
    Predicate::and([row_id(CompareOp::Lt, 20), row_id(CompareOp::GtEq, 10), id(CompareOp::Eq, 1)]),
    1,
    &["b"]
)]
#[tokio::test]
async fn row_ids_prune_manifests_and_files(
    #[case] predicate: Predicate,
    #[case] manifests: u64,
    #[case] expected: &[&str],
) {
    let mut table = TestTable::create_evolving(&[], &[]).await;
    let file = |name: &str, rows: Range<i64>| {
        let columns = if name.ends_with(".blob") { &["image"] } else { ALL };
        table.add(&[], group_file(name, rows, 1, columns))
    };
    let first = vec![file("a", 0..10), file("a0.blob", 0..5), file("a1.blob", 5..10)];
    let rest = [vec![file("b", 10..20)], vec![file("c", 20..30)]];
    table.commit(&[first]).await;
    table.commit(&rest).await;
    let plan = planned(&table, &where_(predicate)).await;
    assert_eq!(names(&plan), expected);
    assert_eq!(plan.report.manifests, Stage { before: 3, after: manifests });
}

#[tokio::test]
async fn the_anchor_stays_when_rows_are_deleted_and_no_other_vector_counts() {
    let mut table = TestTable::create_evolving(&[], &[]).await;
    let old = table.add(&[], group_file("old", 0..10, 1, ALL));
    let new = table.add(&[], group_file("new", 0..10, 2, ALL));
    let other = table.add(&[], group_file("other", 10..20, 2, ALL));
    table.commit(&[vec![old.clone(), new.clone(), other]]).await;
    let index = table.write_deletions(&[(&old, Some(3)), (&new, Some(5))]).await;
    table.commit_with(&[], |snapshot| snapshot.index_manifest = Some(index)).await;

    let plan = planned(&table, &only(&[ID])).await;
    assert_eq!(names(&plan), ["new", "old", "other"]);
    let paths = |plan: &Plan| -> Vec<_> {
        let deletions = plan.splits.iter().flat_map(|split| &split.deletions);
        deletions.map(|deletion| deletion.as_ref().map(|deletion| deletion.cardinality.unwrap())).collect()
    };
    assert_eq!(paths(&plan), [None, Some(3), None]);
    assert_eq!(plan.splits[0].merged_row_count(), Some(17));
    let plan = planned(&table, &only(&[])).await;
    assert_eq!((names(&plan), paths(&plan)), (vec!["old", "other"], vec![Some(3), None]));
    assert!(plan.splits[0].raw_convertible);
    assert_eq!(count_rows(&table.store, &ReadPoint::Latest, None).await.unwrap(), Some(17));

    let index = table.write_deletions(&[(&old, None)]).await;
    table.commit_with(&[], |snapshot| snapshot.index_manifest = Some(index)).await;
    assert_eq!(count_rows(&table.store, &ReadPoint::Latest, None).await.unwrap(), None);
}

#[tokio::test]
async fn a_limit_counts_the_rows_of_a_group_once() {
    let (mut table, requests) = TestTable::create_distant_evolving().await;
    for number in 0..20 {
        let rows = number * 10..(number + 1) * 10;
        let file = table.add(&[], group_file(&format!("{number:02}"), rows.clone(), number, ALL));
        let more = table.add(&[], group_file(&format!("{number:02}-2"), rows, number + 100, &["amount"]));
        table.commit(&[vec![file], vec![more]]).await;
    }
    let request = ScanRequest { limit: Some(11), ..ScanRequest::default() };
    let (plan, limited) = requests.requests_of(planned(&table, &request)).await;
    assert_eq!(names(&plan), ["00-2", "00", "01-2", "01"]);
    assert!(plan.report.limit_stopped);
    let (plan, all) = requests.requests_of(planned(&table, &ScanRequest::default())).await;
    assert_eq!(names(&plan).len(), 40);
    assert_eq!(all.count() - limited.count(), 40 - 10, "two manifests at first, then more");
    let request = ScanRequest { predicate: Some(row_id(CompareOp::Eq, 55)), ..ScanRequest::default() };
    let (plan, found) = requests.requests_of(planned(&table, &request)).await;
    assert_eq!(names(&plan), ["05-2", "05"]);
    assert_eq!(all.count() - found.count(), 38);
}

#[tokio::test]
async fn groups_are_read_in_whole_whatever_manifests_they_are_in() {
    let (mut table, requests) = TestTable::create_distant_evolving().await;
    let base = table.add(&[], group_file("base", 0..10, 1, ALL));
    table.commit(&[vec![base.clone()]]).await;
    let gone = table.add(&[], ids_of(group_file("gone", 0..10, 2, &["id"]), 0, 9));
    table.commit(&[vec![gone.clone()]]).await;
    let now = table.add(&[], ids_of(group_file("now", 0..10, 3, &["id"]), 50, 59));
    table.commit(&[vec![delete(&gone), now]]).await;
    assert!(planned(&table, &where_(id(CompareOp::Eq, 5))).await.splits.is_empty());
    let (plan, requests) = requests.requests_of(planned(&table, &where_(id(CompareOp::Eq, 55)))).await;
    assert_eq!(names(&plan), ["now", "base"]);
    // The newest snapshot takes three, its lists two; then the manifest that deletes, and in the last round the others.
    assert_eq!((requests.count(), requests.rounds), (8, 5));
}

#[rstest]
#[case::beside_the_range_of_its_manifest(Some((0, 8)), "expected 10 rows of a within row ids 0 to 8 of its manifest, found them from Some(0)")]
#[case::before_it(Some((1, 20)), "expected 10 rows of a within row ids 1 to 20 of its manifest, found them from Some(0)")]
#[tokio::test]
async fn row_ids_that_a_manifest_does_not_announce_are_corrupt(
    #[case] bounds: Option<(i64, i64)>,
    #[case] message: &str,
) {
    let mut table = TestTable::create_evolving(&[], &[]).await;
    let entry = table.add(&[], group_file("a", 0..10, 1, ALL));
    table.commit(&[vec![entry]]).await;
    table.edit_manifests(|manifest| (manifest.min_row_id, manifest.max_row_id) = bounds.unzip());
    table.commit(&[]).await;
    let error = plan(&table.store, &ScanRequest::default()).await.unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::CorruptData, message));
}

#[rstest]
#[case::a_part_of_the_rows("b", 5..15, ErrorKind::CorruptData)]
#[case::images_of_no_rows("b.blob", 10..12, ErrorKind::CorruptData)]
#[case::vectors("b.vector.lance", 0..10, ErrorKind::Unsupported)]
#[case::video("b.video", 0..10, ErrorKind::Unsupported)]
#[tokio::test]
async fn files_that_do_not_fit_together_are_refused(
    #[case] name: &str,
    #[case] rows: Range<i64>,
    #[case] kind: ErrorKind,
) {
    let mut table = TestTable::create_evolving(&[], &[]).await;
    let columns = if name.ends_with(".blob") { &["image"] } else { ALL };
    let entries =
        vec![table.add(&[], group_file("a", 0..10, 1, ALL)), table.add(&[], group_file(name, rows, 2, columns))];
    table.commit(&[entries]).await;
    let error = plan(&table.store, &ScanRequest::default()).await.unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
}

#[tokio::test]
async fn rows_with_one_id_in_two_partitions_are_corrupt() {
    let mut table = TestTable::create_evolving(&["p"], &[]).await;
    let file = |p, name| table.add(&[Some(Datum::Int(p))], group_file(name, 0..10, 1, ALL));
    let entries = vec![file(1, "a"), file(2, "b")];
    table.commit(&[entries]).await;
    let error = plan(&table.store, &ScanRequest::default()).await.unwrap_err();
    assert_eq!(error.message(), "expected files that share row ids 0 to 9 in one bucket, found a and b in several");
}

#[tokio::test]
async fn a_split_has_the_groups_of_one_partition() {
    let mut table = TestTable::create_evolving(&["p"], &[]).await;
    let file = |p: Option<i32>, name, rows| table.add(&[p.map(Datum::Int)], group_file(name, rows, 1, ALL));
    let entries = vec![file(Some(1), "d", 30..40), file(None, "b", 10..20), file(Some(1), "a", 0..10)];
    table.commit(&[entries]).await;
    let plan = planned(&table, &ScanRequest::default()).await;
    let found: Vec<Vec<_>> =
        plan.splits.iter().map(|split| split.files.iter().map(|file| file.file_name.as_str()).collect()).collect();
    assert_eq!(found, [vec!["a", "d"], vec!["b"]]);
    let wanted = Predicate::compare(P, CompareOp::Eq, Datum::Int(1));
    assert_eq!(count_rows(&table.store, &ReadPoint::Latest, Some(&wanted)).await.unwrap(), Some(20));
}

#[rstest]
#[case::by_row_ids(row_id(CompareOp::Lt, 10), &["low", "moved"])]
#[case::by_both(Predicate::and([row_id(CompareOp::Lt, 30), id(CompareOp::Eq, 5)]), &["low", "moved"])]
#[case::either(Predicate::or([row_id(CompareOp::Lt, 0), id(CompareOp::Eq, 15)]), &["low", "high", "moved"])]
#[case::sequence_numbers(Predicate::leaf(SEQUENCE_NUMBER_ID, Test::IsNull), &["low", "high", "moved"])]
#[tokio::test]
async fn tables_with_row_ids_alone_plan_file_by_file(#[case] predicate: Predicate, #[case] expected: &[&str]) {
    let mut table = TestTable::create(&[], &[("row-tracking.enabled", "true")]).await;
    let tracked = |file, first| DataFileMeta { first_row_id: Some(first), ..file };
    let moved = DataFileMeta {
        write_cols: Some([ALL, &[ROW_ID]].concat().into_iter().map(str::to_owned).collect()),
        ..data_file("moved", 10)
    };
    let entries = vec![
        table.add(&[], tracked(file_of_ids("low", 0, 9), 0)),
        table.add(&[], tracked(file_of_ids("high", 10, 19), 10)),
        table.add(&[], tracked(moved, 20)),
    ];
    table.commit(&[entries]).await;
    let plan = planned(&table, &where_(predicate)).await;
    assert_eq!(names(&plan), expected);
    assert!(plan.splits.iter().all(|split| split.raw_convertible));
    let limited = ScanRequest { limit: Some(1), ..where_(row_id(CompareOp::GtEq, 0)) };
    assert_eq!(names(&planned(&table, &limited).await).len(), 3, "which rows a condition on ids takes is not counted");
}

#[rstest]
#[case(Slice::Rows { start: 0, end: 10 }, &[("a2", None), ("a", None), ("a0.blob", None), ("a2.blob", None), ("a1.blob", None)])]
#[case(Slice::Rows { start: 12, end: 14 }, &[("b", Some(2..4))])]
#[case(
    Slice::Shard { index: 1, total: 3 },
    &[("a2", Some(7..10)), ("a", Some(7..10)), ("a0.blob", None), ("a2.blob", None), ("a1.blob", None), ("b", Some(0..4))]
)]
#[tokio::test]
async fn files_of_a_group_are_cut_together(#[case] slice: Slice, #[case] expected: &[(&str, Option<Range<u64>>)]) {
    let table = table_of_two_groups().await;
    let plan = planned(&table, &ScanRequest { slice: Some(slice), ..ScanRequest::default() }).await;
    let split = &plan.splits[0];
    let rows: Vec<_> = (0..split.files.len()).map(|at| split.rows.get(at).cloned().flatten()).collect();
    assert_eq!(names(&plan).into_iter().zip(rows).collect::<Vec<_>>(), expected);
    assert_eq!(&DataSplit::from_bytes(&split.to_bytes().unwrap()).unwrap(), split);
}
