mod evolution;
mod keyed;
mod requests;

use std::collections::BTreeSet;

use paimon_spec::{
    ColumnStats, CompareOp, DataField, DataType, Datum, ErrorKind, FieldId, FileKind, Leaf, Predicate, Test, Timestamp,
    TypeKind,
};
use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::testkit::{AMOUNT, ID, P, TestTable, data_file, stats_of, with_stats};
use crate::{ReadPoint, count_rows, live_entries};

fn int(kind: TypeKind) -> DataType {
    DataType::nullable(kind)
}

/// A file of 10 rows with ids from `min` to `max`.
fn file_of_ids(name: &str, min: i32, max: i32) -> DataFileMeta {
    let stats = ColumnStats { min: Some(Datum::Int(min)), max: Some(Datum::Int(max)), null_count: Some(0) };
    with_stats(data_file(name, 10), &[("id", int(TypeKind::Int), stats)])
}

fn id(op: CompareOp, literal: i32) -> Predicate {
    Predicate::compare(ID, op, Datum::Int(literal))
}

fn where_(predicate: Predicate) -> ScanRequest {
    ScanRequest { predicate: Some(predicate), ..ScanRequest::default() }
}

fn delete(entry: &ManifestEntry) -> ManifestEntry {
    ManifestEntry { kind: FileKind::Delete, ..entry.clone() }
}

fn names(plan: &Plan) -> Vec<&str> {
    plan.splits.iter().flat_map(|split| &split.files).map(|file| file.file_name.as_str()).collect()
}

async fn planned(table: &TestTable, request: &ScanRequest) -> Plan {
    plan(&table.store, request).await.unwrap()
}

/// The request outlives nothing but the task: that its futures are `Send` must hold for every lifetime.
#[tokio::test]
async fn planning_can_run_on_another_thread() {
    let mut table = TestTable::create(&[], &[]).await;
    let entry = table.add(&[], data_file("a", 3));
    let snapshot = table.commit(&[vec![entry]]).await;
    let store = table.store.clone();
    let planned = tokio::spawn(async move {
        let at = ReadPoint::from_options(&store, &|_| Ok(0)).await?;
        let condition = Predicate::Constant(true);
        let rows = count_rows(&store, &at, Some(&condition)).await?;
        let live = live_entries(&store, &snapshot, &|_, _| true).await?;
        Ok::<_, paimon_spec::Error>((plan(&store, &ScanRequest::default()).await?, rows, live.len()))
    });
    let (plan, rows, live) = planned.await.unwrap().unwrap();
    assert_eq!((names(&plan), rows, live), (vec!["a"], Some(3), 1));
}

#[tokio::test]
async fn an_empty_table_has_no_snapshot_and_no_splits() {
    let table = TestTable::create(&[], &[]).await;
    let plan = planned(&table, &ScanRequest::default()).await;
    assert_eq!((plan.snapshot, plan.splits), (None, vec![]));
    assert_eq!(count_rows(&table.store, &ReadPoint::Latest, None).await.unwrap(), Some(0));
}

#[tokio::test]
async fn a_snapshot_keeps_its_files_after_later_ones_delete_them() {
    let mut table = TestTable::create(&[], &[]).await;
    let (a, b) = (table.add(&[], data_file("a", 1)), table.add(&[], data_file("b", 2)));
    table.commit(&[vec![a.clone(), b]]).await;
    table.commit(&[vec![delete(&a), table.add(&[], data_file("c", 4))]]).await;

    let latest = planned(&table, &ScanRequest::default()).await;
    assert_eq!(names(&latest), ["b", "c"]);
    assert_eq!(latest.snapshot.unwrap().id, 2);
    let first = planned(&table, &ScanRequest { at: ReadPoint::Snapshot(1), ..ScanRequest::default() }).await;
    assert_eq!(names(&first), ["a", "b"]);
    assert_eq!(count_rows(&table.store, &ReadPoint::Latest, None).await.unwrap(), Some(6));
}

#[tokio::test]
async fn a_delete_of_another_level_leaves_the_file() {
    let mut table = TestTable::create(&[], &[]).await;
    let old = table.add(&[], data_file("a", 1));
    let mut upgraded = old.clone();
    upgraded.file.level = 5;
    table.commit(&[vec![old.clone()]]).await;
    table.commit(&[vec![delete(&old), upgraded]]).await;
    let plan = planned(&table, &ScanRequest::default()).await;
    assert_eq!(plan.splits[0].files.iter().map(|file| file.level).collect::<Vec<_>>(), [5]);
}

#[tokio::test]
async fn a_delete_that_the_manifest_list_does_not_announce_is_corrupt() {
    let mut table = TestTable::create(&[], &[]).await;
    let entry = table.add(&[], data_file("a", 1));
    table.commit(&[vec![entry.clone(), delete(&entry)]]).await;
    let mut lists = manifests(&table.store, &table.store.latest_snapshot().await.unwrap().unwrap()).await.unwrap();
    // Such a manifest is not read with those that delete files, so the entry would be overlooked.
    (lists[0].num_added_files, lists[0].num_deleted_files) = (2, 0);
    let partitions = Partitions::new(table.store.schema(), Predicate::Constant(true));
    let error = read_chosen(&table.store, &partitions, &lists[0], &|_, _| true).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CorruptData);
    assert_eq!(error.message(), "expected 2 added and 0 deleted files in a manifest, found 1 and 1");
}

#[rstest]
#[case::between_files(id(CompareOp::Eq, 15), &[])]
#[case::in_one(id(CompareOp::Eq, 5), &["low"])]
#[case::in_both(id(CompareOp::NotEq, 5), &["low", "high"])]
#[case::negated(id(CompareOp::Lt, 10).negate(), &["high"])]
#[case::unknown_column(Predicate::compare(AMOUNT, CompareOp::Eq, Datum::Double(1.0)), &["low", "high"])]
#[tokio::test]
async fn files_are_pruned_by_their_statistics(#[case] predicate: Predicate, #[case] expected: &[&str]) {
    let mut table = TestTable::create(&[], &[]).await;
    let entries = vec![table.add(&[], file_of_ids("low", 0, 9)), table.add(&[], file_of_ids("high", 20, 29))];
    table.commit(&[entries]).await;
    assert_eq!(names(&planned(&table, &where_(predicate)).await), expected);
}

#[tokio::test]
async fn each_stage_is_reported() {
    let mut table = TestTable::create(&["p"], &[]).await;
    let partition = |p: i32| [Some(Datum::Int(p))];
    let first =
        vec![table.add(&partition(1), file_of_ids("a", 0, 9)), table.add(&partition(2), file_of_ids("b", 0, 9))];
    let second = vec![table.add(&partition(3), file_of_ids("c", 0, 9))];
    let third = vec![table.add(&partition(1), file_of_ids("d", 10, 19))];
    table.commit(&[first, second, third]).await;
    let predicate = Predicate::and([Predicate::compare(P, CompareOp::Eq, Datum::Int(1)), id(CompareOp::GtEq, 10)]);
    let plan = planned(&table, &where_(predicate)).await;
    assert_eq!(names(&plan), ["d"]);
    let expected = ScanReport {
        manifests: Stage { before: 3, after: 2 },
        partitions: Stage { before: 4, after: 2 },
        buckets: Stage { before: 2, after: 2 },
        files: Stage { before: 2, after: 1 },
        file_index: Stage { before: 1, after: 1 },
        sections: Stage { before: 1, after: 1 },
        entries_read: 3,
        limit_stopped: false,
    };
    assert_eq!(plan.report, expected);
}

#[tokio::test]
async fn files_of_older_schemas_are_pruned_in_their_own_types() {
    let mut table = TestTable::create(&[], &[]).await;
    let old = [file_of_ids("old-low", 0, 9), file_of_ids("old-high", 20, 29)];
    table.commit(&[old.map(|file| table.add(&[], file)).to_vec()]).await;
    table
        .evolve(|schema| {
            schema.fields[0].data_type.kind = TypeKind::BigInt;
            schema.fields.push(DataField::new(9, "added", DataType::string()));
        })
        .await;
    let stats = ColumnStats { min: Some(Datum::BigInt(5)), max: Some(Datum::BigInt(1 << 40)), null_count: Some(0) };
    let new = with_stats(data_file("new", 10), &[("id", int(TypeKind::BigInt), stats)]);
    let entry = table.add(&[], DataFileMeta { schema_id: 1, ..new });
    table.commit(&[vec![entry]]).await;

    let of_id = |op, literal| where_(Predicate::compare(ID, op, Datum::BigInt(literal)));
    assert_eq!(names(&planned(&table, &of_id(CompareOp::Eq, 25)).await), ["old-high", "new"]);
    assert_eq!(names(&planned(&table, &of_id(CompareOp::Gt, 1 << 35)).await), ["new"]);
    let added = |test| where_(Predicate::Leaf(Leaf { field: 9, test }));
    assert_eq!(names(&planned(&table, &added(Test::IsNull)).await), ["old-low", "old-high", "new"]);
    assert_eq!(names(&planned(&table, &added(Test::IsNotNull)).await), ["new"]);
}

#[tokio::test]
async fn one_partition_in_two_forms_of_null_is_one() {
    let mut table = TestTable::create(&["t"], &[]).await;
    let java = table.add(&[None], data_file("java", 1));
    // pypaimon reserves no space for a NULL timestamp of high precision.
    let mut bytes = java.partition.to_metadata();
    bytes.truncate(4 + 16);
    bytes[4 + 8..].fill(0);
    let short = paimon_spec::BinaryRow::from_metadata(&bytes).unwrap();
    assert_ne!(short, java.partition);
    let python = ManifestEntry { partition: short.clone(), ..table.add(&[None], data_file("python", 1)) };
    let gone = ManifestEntry { partition: short, ..table.add(&[None], data_file("gone", 1)) };
    let deleted = ManifestEntry { partition: java.partition.clone(), ..delete(&gone) };
    table.commit(&[vec![java, python, gone]]).await;
    table.commit(&[vec![deleted]]).await;

    let plan = planned(&table, &ScanRequest::default()).await;
    assert_eq!(plan.splits.len(), 1);
    assert_eq!(names(&plan), ["java", "python"]);
    let is_null = ScanRequest { partition_predicate: Some(Predicate::leaf(4, Test::IsNull)), ..ScanRequest::default() };
    assert_eq!(names(&planned(&table, &is_null).await), ["java", "python"]);
}

#[tokio::test]
async fn a_partition_predicate_is_exact_also_where_statistics_are_not() {
    let mut table = TestTable::create(&["t"], &[]).await;
    let at = |millis| Datum::Timestamp(Timestamp { millis, nanos_of_milli: 1_000 });
    let entries =
        [Some(at(1)), Some(at(2)), None].map(|t| table.add(std::slice::from_ref(&t), data_file(&format!("{t:?}"), 1)));
    let expected = entries[1].file.file_name.clone();
    table.commit(&[entries.to_vec()]).await;
    let request = ScanRequest {
        partition_predicate: Some(Predicate::compare(4, CompareOp::NotEq, at(1))),
        filter_is_exact: false,
        ..ScanRequest::default()
    };
    assert_eq!(names(&planned(&table, &request).await), [expected]);
}

#[tokio::test]
async fn a_key_looks_into_the_bucket_of_each_files_own_number_of_buckets() {
    let mut table = TestTable::create(&[], &[("bucket", "4"), ("bucket-key", "id")]).await;
    let entries = [(0, 4), (3, 4), (0, 2), (1, 2)].map(|(bucket, total_buckets)| ManifestEntry {
        bucket,
        total_buckets,
        ..table.add(&[], data_file(&format!("{bucket}-of-{total_buckets}"), 1))
    });
    table.commit(&[entries.to_vec()]).await;
    // The hash of key 0 is 0xee18d2a5: bucket 3 of 4 and 1 of 2.
    let plan = planned(&table, &where_(id(CompareOp::Eq, 0))).await;
    assert_eq!(names(&plan), ["3-of-4", "1-of-2"]);
    assert_eq!(plan.report.buckets, Stage { before: 4, after: 2 });
    let some = ScanRequest { buckets: Some(vec![0]), ..ScanRequest::default() };
    assert_eq!(names(&planned(&table, &some).await), ["0-of-4", "0-of-2"]);
    assert_eq!(planned(&table, &some).await.splits.len(), 2);
}

#[tokio::test]
async fn a_bucket_key_that_changed_its_type_prunes_only_newer_files() {
    let mut table = TestTable::create(&[], &[("bucket", "4"), ("bucket-key", "id")]).await;
    let old = ManifestEntry { bucket: 0, total_buckets: 4, ..table.add(&[], data_file("old", 1)) };
    table.commit(&[vec![old]]).await;
    table.evolve(|schema| schema.fields[0].data_type.kind = TypeKind::BigInt).await;
    let new = DataFileMeta { schema_id: 1, ..data_file("new", 1) };
    let new = ManifestEntry { bucket: 0, total_buckets: 4, ..table.add(&[], new) };
    table.commit(&[vec![new]]).await;
    let request = where_(Predicate::compare(ID, CompareOp::Eq, Datum::BigInt(0)));
    assert_eq!(names(&planned(&table, &request).await), ["old"]);
}

// ---- deletion vectors

#[tokio::test]
async fn deletion_files_are_joined_to_their_data_files() {
    let mut table = TestTable::create(&[], &[]).await;
    let entries = ["a", "b"].map(|name| table.add(&[], data_file(name, 10)));
    let index = table.write_deletions(&[(&entries[1], Some(3))]).await;
    table.commit_with(&[entries.to_vec()], |snapshot| snapshot.index_manifest = Some(index)).await;
    let plan = planned(&table, &ScanRequest::default()).await;
    let paths: Vec<_> =
        plan.splits[0].deletions.iter().map(|deletion| deletion.as_ref().map(|d| d.path.as_str())).collect();
    assert_eq!(paths, [None, Some("index/index-of-b")]);
    assert_eq!(plan.splits[0].merged_row_count(), Some(17));
    assert_eq!(count_rows(&table.store, &ReadPoint::Latest, None).await.unwrap(), Some(17));
}

#[tokio::test]
async fn rows_cannot_be_counted_when_a_cardinality_is_unknown() {
    let mut table = TestTable::create(&[], &[]).await;
    let entry = table.add(&[], data_file("a", 10));
    let index = table.write_deletions(&[(&entry, None)]).await;
    table.commit_with(&[vec![entry]], |snapshot| snapshot.index_manifest = Some(index)).await;
    assert_eq!(count_rows(&table.store, &ReadPoint::Latest, None).await.unwrap(), None);
}

#[tokio::test]
async fn a_missing_index_manifest_is_an_error() {
    let mut table = TestTable::create(&[], &[]).await;
    let entry = table.add(&[], data_file("a", 10));
    table.commit_with(&[vec![entry]], |snapshot| snapshot.index_manifest = Some("index-manifest-gone".into())).await;
    let error = plan(&table.store, &ScanRequest::default()).await.unwrap_err();
    assert!(error.to_string().contains("index-manifest-gone"), "{error}");
    assert!(count_rows(&table.store, &ReadPoint::Latest, None).await.is_err());
}

#[tokio::test]
async fn two_deletion_vectors_for_one_file_are_corrupt() {
    let mut table = TestTable::create(&[], &[]).await;
    let entry = table.add(&[], data_file("a", 10));
    let index = table.write_deletions(&[(&entry, Some(1)), (&entry, Some(2))]).await;
    table.commit_with(&[vec![entry]], |snapshot| snapshot.index_manifest = Some(index)).await;
    let error = plan(&table.store, &ScanRequest::default()).await.unwrap_err();
    assert_eq!(error.message(), "expected one deletion vector for data file a, found two");
}

// ---- limits

/// Ten manifests of three files of ten rows each; ids ascend.
async fn ten_manifests() -> TestTable {
    let mut table = TestTable::create(&[], &[]).await;
    let manifests: Vec<Vec<_>> = (0..10)
        .map(|m| (0..3).map(|f| table.add(&[], file_of_ids(&format!("{m}-{f}"), m * 10, m * 10 + 9))).collect())
        .collect();
    table.commit(&manifests).await;
    table
}

#[rstest]
#[case::one_row(1, &["0-0"])]
#[case::exactly_one_file(10, &["0-0"])]
#[case::one_more(11, &["0-0", "0-1"])]
#[case::over_manifests(35, &["0-0", "0-1", "0-2", "1-0"])]
#[tokio::test]
async fn a_limit_ends_planning_when_it_is_covered(#[case] limit: usize, #[case] expected: &[&str]) {
    let request = ScanRequest { limit: Some(limit), ..ScanRequest::default() };
    let plan = planned(&ten_manifests().await, &request).await;
    assert!(names(&plan).starts_with(expected), "{:?}", names(&plan));
    assert!(plan.splits.iter().map(DataSplit::row_count).sum::<i64>() < limit as i64 + 30);
    assert!(plan.report.limit_stopped);
    assert!(plan.report.entries_read < 10, "{:?}", plan.report);
}

#[rstest]
#[case::all_rows_pass(id(CompareOp::Lt, 1000), true, true)]
#[case::some_rows_may_fail(id(CompareOp::NotEq, 5), true, true)]
#[case::no_row_is_certain(Predicate::leaf(1, Test::IsNull), true, false)]
#[case::a_condition_is_left_to_the_caller(id(CompareOp::Lt, 1000), false, false)]
#[tokio::test]
async fn only_certain_rows_count_towards_a_limit(
    #[case] predicate: Predicate,
    #[case] filter_is_exact: bool,
    #[case] stopped: bool,
) {
    let request = ScanRequest { limit: Some(1), filter_is_exact, ..where_(predicate.clone()) };
    let table = ten_manifests().await;
    let plan = planned(&table, &request).await;
    assert_eq!(plan.report.limit_stopped, stopped);
    if predicate == id(CompareOp::NotEq, 5) {
        // The files of the first manifest may have no other id.
        assert_eq!(names(&plan), ["0-0", "0-1", "0-2", "1-0"]);
    }
    if !stopped {
        assert_eq!(names(&plan).len(), 30);
    }
}

#[tokio::test]
async fn deleted_rows_do_not_count_towards_a_limit() {
    let mut table = TestTable::create(&[], &[]).await;
    let entries = ["a", "b", "c"].map(|name| table.add(&[], data_file(name, 10)));
    let index = table.write_deletions(&[(&entries[0], Some(10)), (&entries[1], None)]).await;
    table.commit_with(&[entries.to_vec()], |snapshot| snapshot.index_manifest = Some(index)).await;
    let request = ScanRequest { limit: Some(1), ..ScanRequest::default() };
    assert_eq!(names(&planned(&table, &request).await), ["a", "b", "c"]);
}

#[tokio::test]
async fn a_limit_of_no_rows_reads_no_manifest() {
    let request = ScanRequest { limit: Some(0), ..ScanRequest::default() };
    let plan = planned(&ten_manifests().await, &request).await;
    assert_eq!((plan.splits, plan.report.entries_read), (vec![], 0));
}

// ---- against a naive model

type Row = [Option<Datum>; 4];

#[derive(Debug, Clone)]
struct ModelFile {
    partition: Option<i32>,
    ids: Vec<Option<i32>>,
    amounts: Vec<Option<f64>>,
    stats: bool,
    deleted_rows: Option<usize>,
    /// Deleted by a later commit.
    dropped: bool,
}

impl ModelFile {
    /// Rows that are not deleted, by column.
    fn rows(&self) -> Vec<Row> {
        let partition = self.partition.map(Datum::Int);
        let rows = self
            .ids
            .iter()
            .zip(&self.amounts)
            .map(|(id, amount)| [id.map(Datum::Int), None, amount.map(Datum::Double), partition.clone()]);
        rows.skip(self.deleted_rows.unwrap_or(0)).collect()
    }

    fn meta(&self, name: &str) -> DataFileMeta {
        let file = data_file(name, self.ids.len() as i64);
        if !self.stats {
            return file;
        }
        let ids: Vec<_> = self.ids.iter().map(|id| id.map(Datum::Int)).collect();
        let amounts: Vec<_> = self.amounts.iter().map(|amount| amount.map(Datum::Double)).collect();
        let nulls = amounts.iter().filter(|amount| amount.is_none()).count() as i64;
        let numbers: Vec<_> =
            amounts.into_iter().filter(|v| !matches!(v, Some(Datum::Double(v)) if v.is_nan())).collect();
        let amounts = ColumnStats { null_count: Some(nulls), ..stats_of(&numbers) };
        with_stats(file, &[("amount", int(TypeKind::Double), amounts), ("id", int(TypeKind::Int), stats_of(&ids))])
    }
}

fn model_files() -> impl Strategy<Value = Vec<ModelFile>> {
    let amounts = prop_oneof![Just(f64::NAN), Just(-0.0), Just(0.0), Just(1.5), Just(-3.0)];
    let row = (proptest::option::of(-3i32..4), proptest::option::of(amounts));
    let file = (
        proptest::option::of(0i32..3),
        proptest::collection::vec(row, 1..4),
        any::<bool>(),
        proptest::option::of(0usize..2),
        any::<bool>(),
    );
    let file = file.prop_map(|(partition, rows, stats, deleted_rows, dropped)| {
        let (ids, amounts) = rows.into_iter().unzip();
        ModelFile { partition, ids, amounts, stats, deleted_rows: deleted_rows.filter(|_| !dropped), dropped }
    });
    proptest::collection::vec(file, 0..12)
}

fn conditions() -> impl Strategy<Value = Predicate> {
    let op = prop::sample::select(vec![CompareOp::Eq, CompareOp::NotEq, CompareOp::Lt, CompareOp::GtEq]);
    let leaf = prop_oneof![
        (op.clone(), -3i32..4).prop_map(|(op, v)| id(op, v)),
        (op.clone(), 0i32..3).prop_map(|(op, v)| Predicate::compare(P, op, Datum::Int(v))),
        (op, prop::sample::select(vec![-0.0, 0.0, 1.0, f64::NAN])).prop_map(|(op, v)| Predicate::compare(
            AMOUNT,
            op,
            Datum::Double(v)
        )),
        prop::sample::select(vec![ID, AMOUNT, P]).prop_map(|field| Predicate::leaf(field, Test::IsNull)),
    ];
    leaf.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 1..3).prop_map(Predicate::And),
            proptest::collection::vec(inner.clone(), 1..3).prop_map(Predicate::Or),
            inner.prop_map(|inner| Predicate::Not(Box::new(inner))),
        ]
    })
}

fn passes(predicate: Option<&Predicate>, row: &Row) -> bool {
    let value = |field: FieldId| row[field as usize].clone();
    predicate.is_none_or(|predicate| predicate.evaluate(&value) == Some(true))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_plan_has_every_wanted_row_and_no_file_that_is_not_live(
        files in model_files(),
        manifest_files in 1usize..4,
        predicate in proptest::option::of(conditions()),
        partition_literal in proptest::option::of(0i32..3),
        limit in proptest::option::of(0usize..8),
    ) {
        let partition_predicate =
            partition_literal.map(|v| Predicate::compare(P, CompareOp::NotEq, Datum::Int(v)));
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
            let mut table = TestTable::create(&["p"], &[]).await;
            let entries: Vec<_> = files.iter().enumerate()
                .map(|(name, file)| table.add(&[file.partition.map(Datum::Int)], file.meta(&name.to_string())))
                .collect();
            let manifests: Vec<_> = entries.chunks(manifest_files).map(<[_]>::to_vec).collect();
            table.commit(&manifests).await;
            let dropped: Vec<_> =
                entries.iter().zip(&files).filter(|(_, file)| file.dropped).map(|(entry, _)| delete(entry)).collect();
            let vectors: Vec<_> = entries.iter().zip(&files)
                .filter_map(|(entry, file)| Some((entry, Some(file.deleted_rows? as i64))))
                .collect();
            let index = table.write_deletions(&vectors).await;
            table.commit_with(&[dropped], |snapshot| snapshot.index_manifest = Some(index)).await;

            let request = ScanRequest { predicate, partition_predicate, limit, ..ScanRequest::default() };
            let plan = planned(&table, &request).await;
            let planned: BTreeSet<usize> = names(&plan).into_iter().map(|name| name.parse().unwrap()).collect();
            prop_assert_eq!(planned.len(), names(&plan).len());
            let wanted = |file: &ModelFile| {
                file.rows().iter()
                    .filter(|row| {
                        passes(request.predicate.as_ref(), row) && passes(request.partition_predicate.as_ref(), row)
                    })
                    .count()
            };
            let mut wanted_rows = 0;
            for (name, file) in files.iter().enumerate() {
                if planned.contains(&name) {
                    prop_assert!(!file.dropped);
                    let in_partition = partition_literal.is_none_or(|v| file.partition.is_some_and(|p| p != v));
                    prop_assert!(in_partition, "the partition predicate is exact");
                    wanted_rows += wanted(file);
                } else if !file.dropped && wanted(file) > 0 {
                    prop_assert!(limit.is_some(), "file {name} is missing");
                }
            }
            let all_wanted: usize = files.iter().filter(|file| !file.dropped).map(wanted).sum();
            prop_assert!(wanted_rows >= all_wanted.min(limit.unwrap_or(usize::MAX)));

            let rows_in_partitions: usize = files.iter()
                .filter(|file| !file.dropped)
                .flat_map(ModelFile::rows)
                .filter(|row| passes(request.partition_predicate.as_ref(), row))
                .count();
            let counted = count_rows(&table.store, &ReadPoint::Latest, request.partition_predicate.as_ref()).await;
            prop_assert_eq!(counted.unwrap(), Some(rows_in_partitions as u64));

            let snapshot = plan.snapshot.unwrap();
            let live = live_entries(&table.store, &snapshot, &|_, bucket| bucket == 0).await.unwrap();
            let live: Vec<usize> = live.iter().map(|entry| entry.file.file_name.parse().unwrap()).collect();
            let expected: Vec<_> = (0..files.len()).filter(|name| !files[*name].dropped).collect();
            prop_assert_eq!(live, expected);
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn statistics_can_be_left_out_of_a_plan() {
    let mut table = TestTable::create(&[], &[]).await;
    let entry = table.add(&[], file_of_ids("a", 0, 9));
    table.commit(&[vec![entry]]).await;
    let request = ScanRequest { with_stats: false, ..ScanRequest::default() };
    let file = planned(&table, &request).await.splits.remove(0).files.remove(0);
    assert_eq!(file.column_stats(table.store.schema(), ID), ColumnStats::default());
}
