use std::collections::BTreeSet;

use paimon_spec::{
    ColumnStats, CompareOp, DataFileMeta, DataType, Datum, ErrorKind, FileKind, ManifestEntry, Predicate, Snapshot,
    TypeKind,
};
use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::testkit::{ID, P, TestTable, data_file, group_file, with_stats};
use crate::{Plan, ScanRequest, delta_entries, live_entries, plan};

fn delete(entry: &ManifestEntry) -> ManifestEntry {
    ManifestEntry { kind: FileKind::Delete, ..entry.clone() }
}

async fn tag(table: &TestTable, name: &str, snapshot: &Snapshot) {
    let tag = Tag { snapshot: snapshot.clone(), create_time_millis: None, time_retained_millis: None };
    assert_eq!(table.store.create_tag(name, &tag).await.unwrap(), paimon_io::PutOutcome::Created);
}

/// The table with other options.
fn with_options(table: &TestTable, options: &[(&str, &str)]) -> TableStore {
    let mut schema = (**table.store.schema()).clone();
    schema.options.extend(options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    table.store.with_schema(Arc::new(schema))
}

/// Snapshot 1 appends `a`; 2 appends `b` and `c`; 3 compacts `a` and `b` to `ab`; 4 overwrites `c` with `x`; 5 appends
/// `d`; 6 analyses. They are committed at 1,000 to 6,000. Tags `first`, `third` and `5` name snapshots 1, 3 and 2.
async fn table() -> TestTable {
    let mut table = TestTable::create(&[], &[]).await;
    let file = |name: &str| table.add(&[], data_file(name, 10));
    let (a, b, c) = (file("a"), file("b"), file("c"));
    let (ab, x, d) = (file("ab"), file("x"), file("d"));
    let one = table.commit(&[vec![a.clone()]]).await;
    let two = table.commit(&[vec![b.clone()], vec![c.clone()]]).await;
    let kind = |kind| move |snapshot: &mut Snapshot| snapshot.commit_kind = kind;
    let three = table.commit_with(&[vec![delete(&a), delete(&b), ab.clone()]], kind(CommitKind::Compact)).await;
    table.merge_manifests(&[ab, c.clone()]).await;
    table.commit_with(&[vec![delete(&c), x]], kind(CommitKind::Overwrite)).await;
    table.commit(&[vec![d]]).await;
    table.commit_with(&[], kind(CommitKind::Analyze)).await;
    for (name, snapshot) in [("first", &one), ("third", &three), ("5", &two)] {
        tag(&table, name, snapshot).await;
    }
    table
}

fn names(plan: &Plan) -> Vec<&str> {
    let mut names: Vec<_> =
        plan.splits.iter().flat_map(|split| &split.files).map(|file| file.file_name.as_str()).collect();
    names.sort_unstable();
    names
}

async fn planned(store: &TableStore, increment: Increment) -> Result<Plan> {
    plan(store, &ScanRequest { increment: Some(increment), ..ScanRequest::default() }).await
}

#[rstest]
#[case::all(0, 6, &["a", "b", "c", "d"])]
#[case::one_snapshot(1, 2, &["b", "c"])]
#[case::compaction_and_overwrite_are_passed_over(2, 4, &[])]
#[case::over_them(1, 5, &["b", "c", "d"])]
#[case::nothing_in_between(3, 3, &[])]
#[case::nothing_in_between_long_ago(-7, -7, &[])]
#[tokio::test]
async fn a_delta_gives_what_the_snapshots_in_between_appended(
    #[case] after: i64,
    #[case] up_to: i64,
    #[case] expected: &[&str],
) {
    let plan = planned(&table().await.store, Increment::Delta { after, up_to }).await.unwrap();
    assert_eq!(names(&plan), expected);
    assert!(plan.splits.iter().all(|split| split.snapshot_id == up_to));
}

#[rstest]
#[case::of_tags(Some(ReadPoint::Tag("third".into())), ReadPoint::Snapshot(5), &["d", "x"])]
#[case::a_compacted_file_is_new(Some(ReadPoint::Snapshot(1)), ReadPoint::Latest, &["ab", "d", "x"])]
#[case::of_nothing(None, ReadPoint::Snapshot(2), &["a", "b", "c"])]
#[case::of_equals(Some(ReadPoint::Snapshot(3)), ReadPoint::Tag("third".into()), &[])]
#[tokio::test]
async fn a_difference_gives_the_files_that_the_first_state_lacks(
    #[case] before: Option<ReadPoint>,
    #[case] after: ReadPoint,
    #[case] expected: &[&str],
) {
    let plan = planned(&table().await.store, Increment::Diff { before, after }).await.unwrap();
    assert_eq!(names(&plan), expected);
}

#[tokio::test]
async fn a_difference_needs_nothing_in_between() {
    let table = table().await;
    for id in 1..5 {
        table.store.storage().delete(&table.store.paths().snapshot(id)).await.unwrap();
    }
    let increment =
        Increment::Diff { before: Some(ReadPoint::Tag("first".into())), after: ReadPoint::Tag("third".into()) };
    assert_eq!(names(&planned(&table.store, increment).await.unwrap()), ["ab", "c"]);
}

#[rstest]
#[case::backwards(4, 2, ErrorKind::InvalidInput, "Ending snapshotId 2 should >= starting snapshotId 4.", None)]
#[case::expired(
    0,
    6,
    ErrorKind::NotFound,
    "The specified scan snapshotId range [0, 6] is out of available snapshotId range [2, 6].",
    Some("1")
)]
#[case::in_the_future(
    3,
    7,
    ErrorKind::NotFound,
    "The specified scan snapshotId range [3, 7] is out of available snapshotId range [2, 6].",
    Some("7")
)]
#[case::lost_in_between(
    1,
    5,
    ErrorKind::NotFound,
    "snapshot 4 is missing, which the changes from snapshot 1 to 5 need",
    Some("4")
)]
#[tokio::test]
async fn a_delta_that_cannot_be_told_is_an_error(
    #[case] after: i64,
    #[case] up_to: i64,
    #[case] kind: ErrorKind,
    #[case] message: &str,
    #[case] snapshot: Option<&str>,
) {
    let table = table().await;
    for id in [1, 4] {
        table.store.storage().delete(&table.store.paths().snapshot(id)).await.unwrap();
    }
    let error = planned(&table.store, Increment::Delta { after, up_to }).await.unwrap_err();
    assert_eq!((error.kind(), error.message()), (kind, message));
    assert_eq!(error.context("snapshot"), snapshot);
    assert_eq!(error.context("available snapshots"), snapshot.map(|_| "2 to 6"));
    // The snapshot after an expired one can still be read, because what was before it is not needed.
    assert_eq!(names(&planned(&table.store, Increment::Delta { after: 1, up_to: 2 }).await.unwrap()), ["b", "c"]);
}

#[tokio::test]
async fn a_difference_backwards_is_an_error() {
    let increment = Increment::Diff { before: Some(ReadPoint::Snapshot(5)), after: ReadPoint::Tag("first".into()) };
    let error = planned(&table().await.store, increment).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(
        error.message(),
        "the state at the end, snapshot 1, should not be older than that at the start, snapshot 5"
    );
}

#[tokio::test]
async fn an_append_that_deletes_is_corrupt() {
    let mut table = TestTable::create(&[], &[]).await;
    let a = table.add(&[], data_file("a", 10));
    table.commit(&[vec![a.clone()]]).await;
    table.commit(&[vec![delete(&a)]]).await;
    let error = planned(&table.store, Increment::Delta { after: 1, up_to: 2 }).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CorruptData);
    assert!(error.context("manifest").is_some(), "{error}");
}

#[tokio::test]
async fn a_table_without_snapshots_has_no_increments() {
    let table = TestTable::create(&[], &[]).await;
    let plan = planned(&table.store, Increment::Delta { after: 1, up_to: 9 }).await.unwrap();
    assert_eq!((plan.snapshot, plan.splits), (None, Vec::new()));
}

fn snapshots(before: i64, after: i64) -> Increment {
    Increment::Diff { before: Some(ReadPoint::Snapshot(before)), after: ReadPoint::Snapshot(after) }
}

fn tags(before: &str, after: &str) -> Increment {
    Increment::Diff { before: Some(ReadPoint::Tag(before.into())), after: ReadPoint::Tag(after.into()) }
}

const DELTA: (&str, &str) = (SCAN_MODE, "DELTA");
const DIFF: (&str, &str) = (SCAN_MODE, "diff");
const AS_SNAPSHOTS: (&str, &str) = (TAG_TO_SNAPSHOT, "true");

#[rstest]
#[case::nothing(&[("scan.snapshot-id", "1")], None)]
#[case::numbers(&[(BETWEEN, "1,3")], Some(Increment::Delta { after: 1, up_to: 3 }))]
#[case::numbers_with_a_blank(&[(BETWEEN, "1, 3"), DELTA], Some(Increment::Delta { after: 1, up_to: 3 }))]
#[case::difference_of_numbers(&[(BETWEEN, "1,3"), DIFF], Some(snapshots(1, 3)))]
#[case::a_tag_and_a_number_are_numbers(&[(BETWEEN, "1,5")], Some(Increment::Delta { after: 1, up_to: 5 }))]
#[case::tags(&[(BETWEEN, "first,third")], Some(tags("first", "third")))]
#[case::numbers_that_are_tags(&[(BETWEEN, "first,5")], Some(tags("first", "5")))]
#[case::tags_as_snapshots(&[(BETWEEN, "first,5"), AS_SNAPSHOTS], Some(Increment::Delta { after: 1, up_to: 2 }))]
#[case::the_difference_of_tags_stays_one(&[(BETWEEN, "first,5"), AS_SNAPSHOTS, DIFF], Some(tags("first", "5")))]
#[case::times(&[(BETWEEN_TIMESTAMP, "1500,3000")], Some(Increment::Delta { after: 1, up_to: 3 }))]
#[case::from_before_the_first(&[(BETWEEN_TIMESTAMP, "1,9999999")], Some(Increment::Delta { after: 0, up_to: 6 }))]
#[case::difference_of_times(&[(BETWEEN_TIMESTAMP, "1500,3000"), DIFF], Some(snapshots(1, 3)))]
#[case::difference_from_before_the_first(
    &[(BETWEEN_TIMESTAMP, "1,3000"), DIFF],
    Some(Increment::Diff { before: None, after: ReadPoint::Snapshot(3) })
)]
#[case::times_after_all(&[(BETWEEN_TIMESTAMP, "7000,8000")], Some(Increment::Delta { after: 6, up_to: 6 }))]
#[case::times_before_all(&[(BETWEEN_TIMESTAMP, "1,999")], Some(Increment::Delta { after: 6, up_to: 6 }))]
#[case::the_same_time(&[(BETWEEN_TIMESTAMP, "2000,2000")], Some(Increment::Delta { after: 6, up_to: 6 }))]
#[case::local_times(&[(BETWEEN_TIMESTAMP, "dawn,noon")], Some(Increment::Delta { after: 2, up_to: 4 }))]
#[tokio::test]
async fn options_ask_for_an_increment(#[case] options: &[(&str, &str)], #[case] expected: Option<Increment>) {
    let local = |text: &str| Ok(if text == "dawn" { 2_000 } else { 4_500 });
    let table = table().await;
    let store = with_options(&table, options);
    let found = Increment::from_options(&store, &local).await.unwrap();
    assert_eq!(found, expected);
    if found.is_some() {
        assert_eq!(ReadPoint::from_options(&store, &local).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    }
}

#[rstest]
#[case::one_part(&[(BETWEEN, "1")], ErrorKind::InvalidInput, "expected start (exclusive) and end in option 'incremental-between', found '1'")]
#[case::three_parts(&[(BETWEEN, "1,2,3")], ErrorKind::InvalidInput, "expected start (exclusive) and end in option 'incremental-between', found '1,2,3'")]
#[case::no_tag(
    &[(BETWEEN, "first,../x")], ErrorKind::InvalidInput,
    "Didn't find two tags for start 'first' and end '../x', and they are not two snapshot Ids. Please set two tags or \
     two snapshot Ids."
)]
#[case::times_backwards(&[(BETWEEN_TIMESTAMP, "2,1")], ErrorKind::InvalidInput, "Ending timestamp 1 should be >= starting timestamp 2.")]
#[case::two_increments(
    &[(BETWEEN, "1,2"), (BETWEEN_TIMESTAMP, "1,2")], ErrorKind::InvalidInput,
    "expected only one of the options incremental-between and incremental-between-timestamp, found both"
)]
#[case::a_state_too(
    &[(BETWEEN, "1,2"), ("scan.tag-name", "first")], ErrorKind::InvalidInput,
    "expected only one of the options incremental-between and scan.tag-name, found both"
)]
#[case::auto_tag(&[(TO_AUTO_TAG, "2024-01-01")], ErrorKind::Unsupported, "reading with option 'incremental-to-auto-tag' is not supported yet")]
#[case::changelog(
    &[(BETWEEN, "1,2"), (SCAN_MODE, "changelog")], ErrorKind::Unsupported,
    "reading with option 'incremental-between-scan-mode' = 'changelog' is not supported yet"
)]
#[case::changelog_by_default(
    &[(BETWEEN, "1,2"), ("changelog-producer", "input")], ErrorKind::Unsupported,
    "reading with option 'changelog-producer' = 'input' is not supported yet"
)]
#[case::unknown_mode(
    &[(BETWEEN, "1,2"), (SCAN_MODE, "all")], ErrorKind::InvalidInput,
    "expected auto, delta, changelog or diff in option 'incremental-between-scan-mode', found 'all'"
)]
#[tokio::test]
async fn options_that_ask_for_no_increment_are_refused(
    #[case] options: &[(&str, &str)],
    #[case] kind: ErrorKind,
    #[case] message: &str,
) {
    let store = with_options(&table().await, options);
    let error = Increment::from_options(&store, &|_| Ok(0)).await.unwrap_err();
    assert_eq!((error.kind(), error.message()), (kind, message));
}

#[tokio::test]
async fn times_on_an_empty_table_ask_for_nothing() {
    let store = with_options(&TestTable::create(&[], &[]).await, &[(BETWEEN_TIMESTAMP, "1,2")]);
    let increment = Increment::from_options(&store, &|_| Ok(0)).await.unwrap().unwrap();
    assert_eq!(planned(&store, increment).await.unwrap().splits, []);
}

fn of_ids(name: &str, min: i32, max: i32) -> DataFileMeta {
    let stats = ColumnStats { min: Some(Datum::Int(min)), max: Some(Datum::Int(max)), null_count: Some(0) };
    with_stats(data_file(name, 10), &[("id", DataType::nullable(TypeKind::Int), stats)])
}

#[rstest]
#[case::all(ScanRequest::default(), &["b", "c", "d"])]
#[case::partition(
    ScanRequest { partition_predicate: Some(Predicate::compare(P, CompareOp::Eq, Datum::Int(2))), ..ScanRequest::default() },
    &["c", "d"]
)]
#[case::statistics(
    ScanRequest { predicate: Some(Predicate::compare(ID, CompareOp::Lt, Datum::Int(10))), ..ScanRequest::default() },
    &["b", "c"]
)]
#[case::limit(ScanRequest { limit: Some(15), ..ScanRequest::default() }, &["b", "c"])]
#[case::bucket(ScanRequest { buckets: Some(vec![7]), ..ScanRequest::default() }, &["d"])]
#[tokio::test]
async fn increments_are_pruned_like_states(
    #[case] request: ScanRequest,
    #[case] expected: &[&str],
    #[values(false, true)] by_difference: bool,
) {
    let mut table = TestTable::create(&["p"], &[]).await;
    let file = |p, file| table.add(&[Some(Datum::Int(p))], file);
    let (a, b, c) = (file(1, of_ids("a", 0, 9)), file(1, of_ids("b", 0, 9)), file(2, of_ids("c", 5, 20)));
    let d = ManifestEntry { bucket: 7, ..file(2, of_ids("d", 30, 40)) };
    table.commit(&[vec![a]]).await;
    table.commit(&[vec![b], vec![c]]).await;
    table.commit(&[vec![d]]).await;
    let increment = if by_difference { snapshots(1, 3) } else { Increment::Delta { after: 1, up_to: 3 } };
    let plan = plan(&table.store, &ScanRequest { increment: Some(increment), ..request }).await.unwrap();
    assert_eq!(names(&plan), expected);
}

#[tokio::test]
async fn only_a_difference_leaves_out_deleted_rows() {
    let mut table = TestTable::create(&[], &[]).await;
    let (a, b) = (table.add(&[], data_file("a", 10)), table.add(&[], data_file("b", 10)));
    table.commit(&[vec![a.clone()]]).await;
    table.commit(&[vec![b.clone()]]).await;
    let index = table.write_deletions(&[(&a, Some(1)), (&b, Some(2))]).await;
    table
        .commit_with(&[], |snapshot| {
            snapshot.index_manifest = Some(index);
            snapshot.commit_kind = CommitKind::Overwrite;
        })
        .await;
    let rows = |plan: Plan| plan.splits.iter().map(|split| split.merged_row_count().unwrap()).sum::<i64>();
    assert_eq!(rows(planned(&table.store, snapshots(1, 3)).await.unwrap()), 8);
    assert_eq!(rows(planned(&table.store, Increment::Delta { after: 1, up_to: 3 }).await.unwrap()), 10);
}

#[tokio::test]
async fn the_entries_of_one_snapshot_are_its_changes() {
    let table = table().await;
    let snapshot = table.store.snapshot(4).await.unwrap().unwrap();
    let entries = delta_entries(&table.store, &snapshot).await.unwrap();
    let found: Vec<_> = entries.iter().map(|entry| (entry.kind, entry.file.file_name.as_str())).collect();
    assert_eq!(found, [(FileKind::Delete, "c"), (FileKind::Add, "x")]);
}

/// One commit: how many files it adds, which of the live ones it deletes, and whether manifests are merged before.
type Step = (usize, Vec<prop::sample::Index>, bool);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let deleted = prop_oneof![3 => Just(Vec::new()), 1 => prop::collection::vec(any::<prop::sample::Index>(), 1..3)];
    prop::collection::vec((0..3_usize, deleted, prop::bool::weighted(0.3)), 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn increments_are_what_a_naive_history_says(steps in steps(), cuts in prop::collection::vec(0..8_i64, 0..4)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut table = TestTable::create(&[], &[]).await;
            let mut live: Vec<ManifestEntry> = Vec::new();
            // Of each snapshot, from the empty table on: what is there, and what was appended.
            let mut states: Vec<BTreeSet<String>> = vec![BTreeSet::new()];
            let mut appended: Vec<Vec<String>> = vec![Vec::new()];
            let mut deleted_any = false;
            for (number, (added, deleted, merge)) in steps.into_iter().enumerate() {
                if merge {
                    table.merge_manifests(&live).await;
                }
                let mut changes = Vec::new();
                for index in deleted {
                    if !live.is_empty() {
                        changes.push(delete(&live.swap_remove(index.index(live.len()))));
                    }
                }
                deleted_any |= !changes.is_empty();
                let kind = if changes.is_empty() { CommitKind::Append } else { CommitKind::Overwrite };
                let new: Vec<_> =
                    (0..added).map(|n| table.add(&[], data_file(&format!("f{number}-{n}"), 1))).collect();
                live.extend(new.iter().cloned());
                changes.extend(new.iter().cloned());
                table.commit_with(&[changes], |snapshot| snapshot.commit_kind = kind).await;
                let names = |entries: &[ManifestEntry]| -> Vec<String> {
                    entries.iter().map(|entry| entry.file.file_name.clone()).collect()
                };
                states.push(names(&live).into_iter().collect());
                appended.push(if kind == CommitKind::Append { names(&new) } else { Vec::new() });
            }
            let last = states.len() - 1;
            let mut cuts: Vec<i64> = cuts.into_iter().map(|cut| cut.min(last as i64)).chain([0, last as i64]).collect();
            cuts.sort_unstable();
            let mut replayed = Vec::new();
            for ends in cuts.windows(2) {
                let (after, up_to) = (ends[0], ends[1]);
                let delta = planned(&table.store, Increment::Delta { after, up_to }).await.unwrap();
                let expected = appended[after as usize + 1..=up_to as usize].concat();
                prop_assert_eq!(names(&delta), expected.iter().collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>());
                replayed.extend(names(&delta).into_iter().map(str::to_owned));
                if up_to > 0 {
                    let before = (after > 0).then_some(ReadPoint::Snapshot(after));
                    let diff = Increment::Diff { before, after: ReadPoint::Snapshot(up_to) };
                    let diff = planned(&table.store, diff).await.unwrap();
                    let expected = states[up_to as usize].difference(&states[after as usize]);
                    prop_assert_eq!(names(&diff), expected.collect::<Vec<_>>());
                }
            }
            prop_assert_eq!(replayed.len(), appended.concat().len());
            // Where nothing was deleted, all increments together are the table.
            let latest = table.store.latest_snapshot().await.unwrap().unwrap();
            let found = live_entries(&table.store, &latest, &|_, _| true).await.unwrap();
            if !deleted_any {
                let found: BTreeSet<_> = found.into_iter().map(|entry| entry.file.file_name).collect();
                prop_assert_eq!(replayed.into_iter().collect::<BTreeSet<_>>(), found);
            }
            Ok(())
        })?;
    }
}

/// Three snapshots: two files of columns with images, rows 0 to 9 and 10 to 19, then new values of `amount` in the first.
async fn evolving_table(columns: &[&str], update: &[&str]) -> TestTable {
    let mut table = TestTable::create_evolving(&[], &[]).await;
    for (snapshot, rows) in [(1, 0..10), (2, 10..20)] {
        let end = rows.end;
        let file = table.add(&[], group_file(&format!("{snapshot}"), rows.clone(), snapshot, columns));
        let images = table.add(&[], group_file(&format!("{snapshot}.blob"), rows, snapshot, &["image"]));
        table.commit_with(&[vec![file, images]], |snapshot| snapshot.next_row_id = Some(end)).await;
    }
    let name = if update == ["image"] { "3.blob" } else { "3" };
    let file = table.add(&[], group_file(name, 0..10, 3, update));
    table.commit_with(&[vec![file]], |snapshot| snapshot.next_row_id = Some(20)).await;
    table
}

const COLUMNS: &[&str] = &["id", "name", "amount", "p", "t"];

#[rstest]
#[case::new_rows((1, 2), COLUMNS, &["amount"], &["2", "2.blob"])]
#[case::new_rows_without_some_columns((1, 2), &["id"], &["amount"], &["2", "2.blob"])]
#[case::all_and_what_became_of_them((0, 3), COLUMNS, &["amount"], &["3", "1", "1.blob", "2", "2.blob"])]
#[case::columns_of_older_rows((2, 3), COLUMNS, &["amount"], &[])]
#[case::images_of_older_rows((2, 3), COLUMNS, &["image"], &[])]
#[case::both((1, 3), COLUMNS, &["amount"], &[])]
#[case::all_columns_of_older_rows((2, 3), COLUMNS, &["id", "name", "amount", "p", "t", "image"], &["3"])]
#[tokio::test]
async fn increments_of_evolving_tables_have_whole_rows(
    #[case] (after, up_to): (i64, i64),
    #[case] columns: &[&str],
    #[case] update: &[&str],
    #[case] expected: &[&str],
) {
    let table = evolving_table(columns, update).await;
    let before = (after > 0).then_some(ReadPoint::Snapshot(after));
    let diff = Increment::Diff { before, after: ReadPoint::Snapshot(up_to) };
    for increment in [Increment::Delta { after, up_to }, diff] {
        // What is read of the rows does not matter.
        for fields in [None, Some(vec![ID])] {
            let request = ScanRequest { increment: Some(increment.clone()), fields, ..ScanRequest::default() };
            let planned = plan(&table.store, &request).await;
            if expected.is_empty() {
                assert_eq!(planned.unwrap_err().kind(), ErrorKind::Unsupported);
                continue;
            }
            let planned = planned.unwrap();
            let files = planned.splits.iter().flat_map(|split| &split.files);
            let names: Vec<_> = files.map(|file| file.file_name.as_str()).collect();
            match request.fields {
                None => assert_eq!(names, expected, "{increment:?}"),
                Some(_) => assert!(names.iter().all(|name| !name.ends_with(".blob")), "{names:?}"),
            }
        }
    }
}

#[tokio::test]
async fn an_update_of_older_rows_is_named() {
    let table = evolving_table(COLUMNS, &["amount"]).await;
    let request = ScanRequest { increment: Some(Increment::Delta { after: 2, up_to: 3 }), ..ScanRequest::default() };
    let error = plan(&table.store, &request).await.unwrap_err();
    let expected = "reading what came in between is not supported yet where columns of older rows were updated, as \
                    those of row ids 0 to 9 were";
    assert_eq!(error.message(), expected);
    assert!(error.to_string().contains("file: 3"), "{error}");
}

#[rstest]
#[case::whole_rows(COLUMNS, true)]
#[case::nobody_knows(&["id"], false)]
#[tokio::test]
async fn rows_are_whole_or_refused_when_the_state_before_is_gone(#[case] columns: &[&str], #[case] readable: bool) {
    let table = evolving_table(columns, &["amount"]).await;
    table.store.storage().delete(&table.store.paths().snapshot(1)).await.unwrap();
    let request = ScanRequest { increment: Some(Increment::Delta { after: 1, up_to: 2 }), ..ScanRequest::default() };
    let found = plan(&table.store, &request).await;
    assert_eq!(found.is_ok(), readable, "{found:?}");
}
