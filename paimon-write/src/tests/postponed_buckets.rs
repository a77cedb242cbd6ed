//! Tables whose rows find their bucket later: written, compacted into buckets, and written straight into them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Int8Type, Int32Type, Int64Type};
use futures::TryStreamExt;
use object_store::ObjectStore;
use object_store::memory::InMemory;
use paimon_io::{Storage, TableStore, testkit};
use paimon_merge::{KeyedLayout, ReadRequest, read, read_unmerged};
use paimon_scan::{ReadPoint, ScanRequest, live_entries, plan};
use paimon_spec::{
    BinaryRow, CommitKind, CommitMessage, CompareOp, DataSplit, Datum, ManifestEntry, POSTPONED_BUCKET, Predicate,
    RowKind,
};
use proptest::prelude::*;
use rstest::rstest;

use super::stores::{create, dying_at_each_call, open};
use crate::compact::{CompactRequest, Compacted, after_commit, commit_compaction, compact, plan_compaction, run_task};
use crate::testing::{keyed, request};
use crate::{CommitMode, CommitRequest, TableWriter, WriteOptions, commit};

/// Partition and key, to the value.
type State = BTreeMap<(i32, i64), i32>;

/// One after the other, to keys new values, or none.
type Changes = Vec<((i32, i64), Option<i32>)>;

const WAIT: (&str, &str) = ("postpone.batch-write-fixed-bucket", "false");

async fn table(options: &[(&str, &str)]) -> TableStore {
    testkit::create_table(keyed(true, &[&[("bucket", "-2")], options].concat())).await
}

fn batch(changes: &[((i32, i64), Option<i32>)]) -> RecordBatch {
    let p: ArrayRef = Arc::new(Int32Array::from_iter_values(changes.iter().map(|((p, _), _)| *p)));
    let k: ArrayRef = Arc::new(Int64Array::from_iter_values(changes.iter().map(|((_, k), _)| *k)));
    let v: ArrayRef = Arc::new(StringArray::new_null(changes.len()));
    let n: ArrayRef = Arc::new(changes.iter().map(|(_, n)| *n).collect::<Int32Array>());
    let kinds = changes.iter().map(|(_, n)| if n.is_some() { "+U" } else { "-D" });
    let kinds: ArrayRef = Arc::new(StringArray::from_iter_values(kinds));
    let columns = [("p", p, true), ("k", k, true), ("v", v, true), ("n", n, true), ("kind", kinds, true)];
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

fn options(overwrite: bool, memory_bytes: Option<u64>) -> WriteOptions {
    WriteOptions {
        row_kind_column: Some("kind".into()),
        commit_user: Some("some-job".into()),
        overwrite,
        memory_bytes,
        ..WriteOptions::default()
    }
}

async fn prepare(table: &TableStore, options: WriteOptions, changes: &Changes) -> Vec<CommitMessage> {
    let mut writer = TableWriter::open(table.clone(), options).await.unwrap();
    for changes in changes.chunks(4) {
        writer.write(&batch(changes)).await.unwrap();
    }
    writer.prepare_commit().await.unwrap()
}

async fn upsert(table: &TableStore, changes: &Changes) -> Vec<CommitMessage> {
    let messages = prepare(table, options(false, None), changes).await;
    let _ = commit(table, &request(table, CommitMode::Append).await, &messages).await.unwrap();
    messages
}

fn apply(state: &mut State, changes: &Changes) {
    for (key, value) in changes {
        match value {
            Some(value) => state.insert(*key, *value),
            None => state.remove(key),
        };
    }
}

fn inserts(partition: i32, keys: std::ops::Range<i64>) -> Changes {
    keys.map(|k| ((partition, k), Some(k as i32))).collect()
}

async fn splits(table: &TableStore, scan: &ScanRequest) -> Vec<DataSplit> {
    plan(table, scan).await.unwrap().splits
}

/// What is read; each key is there once.
async fn state_of(table: &TableStore, splits: &[DataSplit]) -> State {
    let mut state = State::new();
    for split in splits {
        let batches = read(table, split, &ReadRequest::default()).await.unwrap();
        for batch in batches.try_collect::<Vec<RecordBatch>>().await.unwrap() {
            let (p, k) = (batch.column(0).as_primitive::<Int32Type>(), batch.column(1).as_primitive::<Int64Type>());
            let n = batch.column(3).as_primitive::<Int32Type>();
            for row in 0..batch.num_rows() {
                let before = state.insert((p.value(row), k.value(row)), n.value(row));
                assert_eq!(before, None, "key {} is there twice", k.value(row));
            }
        }
    }
    state
}

async fn state(table: &TableStore) -> State {
    state_of(table, &splits(table, &ScanRequest::default()).await).await
}

async fn entries(table: &TableStore) -> Vec<ManifestEntry> {
    let Some(snapshot) = table.latest_snapshot().await.unwrap() else { return Vec::new() };
    live_entries(table, &snapshot, &|_, _| true).await.unwrap()
}

/// The numbers of buckets of each partition, and whether rows wait in it.
async fn numbers(table: &TableStore) -> BTreeMap<i32, BTreeSet<i32>> {
    let types: Vec<_> = table.schema().partition_fields().into_iter().map(|field| field.data_type).collect();
    let mut numbers: BTreeMap<i32, BTreeSet<i32>> = BTreeMap::new();
    for entry in entries(table).await {
        let Some(Some(Datum::Int(p))) = entry.partition.values(&types).unwrap().pop() else { panic!("{entry:?}") };
        numbers.entry(p).or_default().insert(entry.total_buckets);
    }
    numbers
}

async fn compacted(table: &TableStore, full: bool) -> Compacted {
    let what = CompactRequest { full, ..CompactRequest::default() };
    compact(table, &what, &request(table, CommitMode::Append).await, &|_| {}).await.unwrap()
}

fn changes() -> impl Strategy<Value = Changes> {
    prop::collection::vec(((0..2_i32, 0..20_i64), prop::option::weighted(0.8, 0..1_000)), 1..24)
}

#[derive(Debug, Clone)]
enum Step {
    /// Rows that wait, or not.
    Write(bool, Changes),
    Overwrite(bool, Changes),
    Compact {
        full: bool,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        5 => (any::<bool>(), changes()).prop_map(|(wait, changes)| Step::Write(wait, changes)),
        1 => (any::<bool>(), changes()).prop_map(|(wait, changes)| Step::Overwrite(wait, changes)),
        3 => any::<bool>().prop_map(|full| Step::Compact { full }),
    ];
    prop::collection::vec(step, 1..10)
}

/// The same table, as one whose rows wait, or do not.
fn waiting(table: &TableStore, wait: bool) -> TableStore {
    let mut schema = table.schema().as_ref().clone();
    schema.options.insert(WAIT.0.into(), (!wait).to_string());
    table.with_schema(Arc::new(schema))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn after_a_compaction_all_rows_are_there_as_they_were_written(
        steps in steps(),
        number in prop::sample::select(vec![
            ("postpone.default-bucket-num", "3"),
            ("postpone.target-row-num-per-bucket", "4"),
            ("postpone.target-size-per-bucket", "1 kb"),
        ]),
        memory_bytes in prop::sample::select(vec![None, Some(1_u64), Some(4_000)]),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let table = table(&[number]).await;
            // What was written, and what is not waiting any more.
            let (mut written, mut seen) = (State::new(), State::new());
            let mut waits: Vec<Changes> = Vec::new();
            for step in steps {
                match step {
                    Step::Write(wait, changes) => {
                        // Rows in buckets are older than those that wait, whenever they were written.
                        let messages = prepare(&waiting(&table, wait), options(false, memory_bytes), &changes).await;
                        let mode = request(&table, CommitMode::Append).await;
                        let _ = commit(&table, &mode, &messages).await.unwrap();
                        if wait {
                            waits.push(changes);
                        } else {
                            apply(&mut seen, &changes);
                        }
                    }
                    Step::Overwrite(wait, changes) => {
                        let messages = prepare(&waiting(&table, wait), options(true, memory_bytes), &changes).await;
                        let mode = request(&table, CommitMode::OverwriteDynamic).await;
                        let _ = commit(&table, &mode, &messages).await.unwrap();
                        let replaced: BTreeSet<i32> = changes.iter().map(|((p, _), _)| *p).collect();
                        seen.retain(|(p, _), _| !replaced.contains(p));
                        waits.iter_mut().for_each(|waits| waits.retain(|((p, _), _)| !replaced.contains(p)));
                        if wait {
                            waits.push(changes);
                        } else {
                            apply(&mut seen, &changes);
                        }
                    }
                    Step::Compact { full } => {
                        let done = compacted(&table, full).await;
                        prop_assert_eq!(done.gave_way, Vec::<usize>::new());
                        waits.drain(..).for_each(|changes| apply(&mut seen, &changes));
                        prop_assert!(entries(&table).await.iter().all(|entry| entry.bucket >= 0));
                    }
                }
                prop_assert_eq!(state(&table).await, seen.clone());
                for (p, numbers) in numbers(&table).await {
                    let real = numbers.iter().filter(|number| **number != POSTPONED_BUCKET);
                    prop_assert!(real.count() <= 1, "{}: {:?}", p, numbers);
                }
                written = seen.clone();
            }
            waits.drain(..).for_each(|changes| apply(&mut written, &changes));
            compacted(&table, true).await;
            prop_assert_eq!(state(&table).await, written);
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn files_that_wait_are_as_java_writes_and_reads_them() {
    let table = table(&[WAIT]).await;
    let changes = vec![((0, 7), Some(1)), ((0, 3), Some(2)), ((0, 7), None), ((0, 7), Some(4))];
    let messages = upsert(&table, &changes).await;
    let [message] = messages.as_slice() else { panic!("one message: {messages:?}") };
    assert_eq!((message.bucket, message.total_buckets), (POSTPONED_BUCKET, POSTPONED_BUCKET));
    let [file] = message.new_files.as_slice() else { panic!("one file: {message:?}") };
    let rest = file.file_name.strip_prefix("data--u-some-job-s-").unwrap();
    let (writer, rest) = rest.split_once("-w-").unwrap();
    assert!(writer.parse::<i32>().is_ok_and(|writer| writer >= 0), "{writer}");
    assert!(rest.ends_with("-0.avro"), "{rest}");
    assert_eq!((file.row_count, file.level, file.delete_row_count), (4, 0, Some(1)));
    assert_eq!((file.min_sequence_number, file.max_sequence_number), (-1, -1));
    assert_eq!(file.value_stats_cols.as_deref(), Some(&[][..]));
    assert!(splits(&table, &ScanRequest::default()).await.is_empty(), "rows that wait are not seen");

    let split = DataSplit {
        snapshot_id: 1,
        partition: message.partition.clone(),
        bucket: POSTPONED_BUCKET,
        bucket_path: table.bucket_path(&message.partition, POSTPONED_BUCKET).unwrap(),
        total_buckets: None,
        files: message.new_files.clone(),
        deletions: Vec::new(),
        raw_convertible: false,
        rows: Vec::new(),
    };
    assert_eq!(split.bucket_path, "p=0/bucket-postpone");
    let all: Vec<_> = table.schema().fields.iter().map(|field| field.id).collect();
    let layout = KeyedLayout::new(table.schema(), &all).unwrap();
    let batches: Vec<RecordBatch> =
        read_unmerged(&table, &split, &layout, 1 << 20).await.unwrap().try_collect().await.unwrap();
    let [batch] = batches.as_slice() else { panic!("one batch: {batches:?}") };
    let kinds = batch.column(KeyedLayout::KIND).as_primitive::<Int8Type>();
    let keys = batch.column(3).as_primitive::<Int64Type>();
    let rows: Vec<(i64, RowKind)> = keys
        .values()
        .iter()
        .zip(kinds.values())
        .map(|(key, kind)| (*key, RowKind::from_code(*kind).unwrap()))
        .collect();
    let (update, delete) = (RowKind::UpdateAfter, RowKind::Delete);
    assert_eq!(rows, [(3, update), (7, update), (7, delete), (7, update)], "rows of a key are in their order");
}

#[tokio::test]
async fn a_user_that_would_make_no_file_name_is_left_out() {
    let table = table(&[WAIT]).await;
    for user in ["a/b", "a-s-b", "x-w-", "", "job-s", "s", "job-w", "w"] {
        let options = WriteOptions { commit_user: Some(user.into()), ..options(false, None) };
        let messages = prepare(&table, options, &inserts(0, 0..3)).await;
        let name = &messages[0].new_files[0].file_name;
        // As Java's `PostponeBucketFileStoreWrite` reads them.
        let writer = name.split("-s-").nth(1).and_then(|rest| rest.split('-').next()).unwrap();
        assert!(writer.parse::<i32>().is_ok(), "{name}");
        let (of_writer, rest) = name.rsplit_once("-w-").unwrap();
        assert!(of_writer.ends_with(writer) && rest.ends_with("-0.avro"), "{name}");
        assert!(!name.contains('/'), "{name}");
    }
}

#[tokio::test]
async fn files_of_one_writer_tell_their_order_by_their_age() {
    let table = table(&[WAIT, ("target-file-size", "1 b")]).await;
    let messages = prepare(&table, options(false, None), &inserts(0, 0..4_000)).await;
    let ages: Vec<i64> = messages[0].new_files.iter().map(|file| file.creation_time_millis.unwrap()).collect();
    assert!(ages.len() > 1 && ages.is_sorted_by(|a, b| a < b), "{ages:?}");
}

#[rstest]
#[case::by_rows(&[("postpone.target-row-num-per-bucket", "10")], 35, 4)]
#[case::by_default(&[("postpone.default-bucket-num", "5")], 35, 5)]
#[case::one_at_least(&[], 35, 1)]
#[tokio::test]
async fn a_compaction_gives_a_partition_its_number_once(
    #[case] more: &[(&str, &str)],
    #[case] rows: i64,
    #[case] number: i32,
) {
    let table = table(&[&[WAIT], more].concat()).await;
    upsert(&table, &inserts(0, 0..rows)).await;
    compacted(&table, false).await;
    assert_eq!(numbers(&table).await, BTreeMap::from([(0, BTreeSet::from([number]))]));
    // It stays, however many rows come.
    upsert(&table, &inserts(0, 0..400)).await;
    upsert(&table, &inserts(1, 0..1)).await;
    compacted(&table, true).await;
    let numbers = numbers(&table).await;
    assert_eq!(numbers[&0], BTreeSet::from([number]));
    assert_eq!(state(&table).await.len(), 401);
    let snapshot = table.latest_snapshot().await.unwrap().unwrap();
    assert_eq!(snapshot.commit_kind, CommitKind::Compact);
    assert_eq!(snapshot.total_record_count, Some(401));
}

#[tokio::test]
async fn rows_go_straight_into_as_many_buckets_as_their_partition_has() {
    let table = table(&[("postpone.target-row-num-per-bucket", "10")]).await;
    upsert(&table, &[inserts(0, 0..35), inserts(1, 0..5)].concat()).await;
    let four = BTreeMap::from([(0, BTreeSet::from([4])), (1, BTreeSet::from([1]))]);
    assert_eq!(numbers(&table).await, four);
    assert_eq!(state(&table).await.len(), 40, "they are seen at once");
    upsert(&table, &[inserts(0, 30..90), inserts(1, 0..50)].concat()).await;
    assert_eq!(numbers(&table).await, four, "the numbers stay");
    assert_eq!(state(&table).await.len(), 140);
    for key in [0, 17, 89] {
        let predicate = Predicate::and([
            Predicate::compare(0, CompareOp::Eq, Datum::Int(0)),
            Predicate::compare(1, CompareOp::Eq, Datum::BigInt(key)),
        ]);
        let scan = ScanRequest { predicate: Some(predicate), ..ScanRequest::default() };
        let splits = splits(&table, &scan).await;
        assert_eq!(
            splits.iter().map(|split| split.bucket).collect::<BTreeSet<_>>().len(),
            1,
            "one bucket has key {key}"
        );
        assert!(state_of(&table, &splits).await.contains_key(&(0, key)));
    }
    // What replaces a partition gives it another number.
    let messages = prepare(&table, options(true, None), &inserts(1, 0..25)).await;
    let _ = commit(&table, &request(&table, CommitMode::OverwriteDynamic).await, &messages).await.unwrap();
    let numbers = numbers(&table).await;
    assert_eq!((&numbers[&0], &numbers[&1]), (&BTreeSet::from([4]), &BTreeSet::from([4])));
    assert_eq!(state(&table).await.len(), 115);
}

#[rstest]
#[case::to_disk(true)]
#[case::nowhere(false)]
#[tokio::test]
async fn more_rows_than_memory_has_room_for_wait_on_disk_or_not_at_all(#[case] spills: bool) {
    let folder = tempfile::tempdir().unwrap();
    let mut context = testkit::context();
    context.spill_folder = spills.then(|| folder.path().into());
    let storage = Storage::open("memory://postponed/table", &BTreeMap::new(), &context).unwrap();
    let schema = keyed(true, &[("bucket", "-2"), ("postpone.target-row-num-per-bucket", "100")]);
    let table = testkit::create_table_at(storage, schema, context).await;
    let mut writer = TableWriter::open(table.clone(), options(false, Some(32 << 10))).await.unwrap();
    for start in (0..1_200).step_by(400) {
        writer.write(&batch(&inserts(0, start..start + 400))).await.unwrap();
    }
    // The last word on some keys comes when the first rows are long gone.
    writer.write(&batch(&[((0, 3), Some(-3)), ((0, 1_199), None)])).await.unwrap();
    let messages = writer.prepare_commit().await.unwrap();
    let _ = commit(&table, &request(&table, CommitMode::Append).await, &messages).await.unwrap();
    let numbers = numbers(&table).await;
    let numbers: Vec<i32> = numbers[&0].iter().copied().collect();
    // Without room the number is decided by what had come until then.
    assert!(if spills { numbers == [16] } else { numbers.len() == 1 && numbers[0] < 16 }, "{numbers:?}");
    let state = state(&table).await;
    assert_eq!((state.len(), state[&(0, 3)]), (1_199, -3));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left on disk");
}

#[rstest]
#[case::first_row(&[("merge-engine", "first-row")], 1)]
#[case::sums(&[("merge-engine", "aggregation"), ("fields.n.aggregate-function", "sum")], 111)]
#[case::the_newest(&[], 100)]
#[tokio::test]
async fn rows_of_several_commits_are_merged_in_the_order_in_which_they_came(
    #[case] engine: &[(&str, &str)],
    #[case] expected: i32,
) {
    let table = table(&[&[WAIT, ("postpone.default-bucket-num", "2")], engine].concat()).await;
    for (number, value) in [1, 10, 100].into_iter().enumerate() {
        let mut writer = TableWriter::open(table.clone(), WriteOptions::default()).await.unwrap();
        let mut rows = batch(&[((0, 5), Some(value)), ((0, 6 + number as i64), Some(value))]);
        rows.remove_column(4);
        writer.write(&rows).await.unwrap();
        let messages = writer.prepare_commit().await.unwrap();
        let _ = commit(&table, &request(&table, CommitMode::Append).await, &messages).await.unwrap();
    }
    compacted(&table, true).await;
    let state = state(&table).await;
    assert_eq!((state.len(), state[&(0, 5)]), (4, expected));
}

#[rstest]
#[case::vectors(&[("deletion-vectors.enabled", "true")])]
#[case::first_row(&[("merge-engine", "first-row")])]
#[tokio::test]
async fn rows_that_went_straight_into_their_buckets_are_seen_after_their_commit(#[case] engine: &[(&str, &str)]) {
    let table = table(&[&[("postpone.default-bucket-num", "2")], engine].concat()).await;
    for start in [0, 5] {
        let mut writer = TableWriter::open(table.clone(), WriteOptions::default()).await.unwrap();
        let mut rows = batch(&inserts(0, start..start + 10));
        rows.remove_column(4);
        writer.write(&rows).await.unwrap();
        let messages = writer.prepare_commit().await.unwrap();
        let mine = request(&table, CommitMode::Append).await;
        let _ = commit(&table, &mine, &messages).await.unwrap();
        assert!(after_commit(&table, &mine, &messages, None).await.unwrap().is_some());
        assert_eq!(state(&table).await.len() as i64, start + 10);
    }
    // Those that wait are left alone.
    let waits = waiting(&table, true);
    let mut writer = TableWriter::open(waits.clone(), WriteOptions::default()).await.unwrap();
    let mut rows = batch(&inserts(0, 100..110));
    rows.remove_column(4);
    writer.write(&rows).await.unwrap();
    let messages = writer.prepare_commit().await.unwrap();
    let mine = request(&table, CommitMode::Append).await;
    let _ = commit(&waits, &mine, &messages).await.unwrap();
    assert_eq!(after_commit(&waits, &mine, &messages, None).await.unwrap(), None);
    assert_eq!(state(&table).await.len(), 15);
    compacted(&table, false).await;
    assert_eq!(state(&table).await.len(), 25);
}

#[tokio::test]
async fn the_changelog_of_rows_that_waited_is_written_when_they_get_their_bucket() {
    let table = table(&[WAIT, ("changelog-producer", "input")]).await;
    upsert(&table, &vec![((0, 1), Some(1)), ((0, 1), None), ((0, 2), Some(2))]).await;
    let snapshot = table.latest_snapshot().await.unwrap().unwrap();
    assert_eq!(snapshot.changelog_record_count.unwrap_or(0), 0);
    compacted(&table, false).await;
    let snapshot = table.snapshot(2).await.unwrap().unwrap();
    assert_eq!((snapshot.commit_kind, snapshot.changelog_record_count), (CommitKind::Compact, Some(3)));
}

#[tokio::test]
async fn a_compaction_whose_partition_got_buckets_meanwhile_gives_way_and_uses_them() {
    let table = table(&[WAIT, ("postpone.target-row-num-per-bucket", "10")]).await;
    upsert(&table, &inserts(0, 0..35)).await;
    let planned = plan_compaction(&table, &CompactRequest::default()).await.unwrap();
    let mut done = vec![run_task(&table, &planned.tasks[0], None).await.unwrap()];
    assert_eq!(done[0][1].total_buckets, 4);
    // Somebody writes rows straight into as many as these need.
    let messages = prepare(&waiting(&table, false), options(false, None), &inserts(0, 100..110)).await;
    let _ = commit(&table, &request(&table, CommitMode::Append).await, &messages).await.unwrap();
    let outcome = commit_compaction(&table, &request(&table, CommitMode::Append).await, &done, false).await.unwrap();
    assert_eq!((outcome.snapshot, outcome.gave_way), (None, vec![0]));
    assert_eq!(state(&table).await.len(), 10);
    // The plan is old, but whoever carries it out now sees that there are buckets.
    done[0] = run_task(&table, &planned.tasks[0], None).await.unwrap();
    assert_eq!(done[0][1].total_buckets, 1);
    let outcome = commit_compaction(&table, &request(&table, CommitMode::Append).await, &done, false).await.unwrap();
    assert_eq!(outcome.gave_way, Vec::<usize>::new());
    assert_eq!(state(&table).await.len(), 45);
}

#[tokio::test]
async fn of_two_compactions_of_the_same_rows_one_gives_way() {
    let table = table(&[WAIT]).await;
    upsert(&table, &inserts(0, 0..5)).await;
    let planned = plan_compaction(&table, &CompactRequest::default()).await.unwrap();
    let done = vec![run_task(&table, &planned.tasks[0], None).await.unwrap()];
    compacted(&table, false).await;
    // Rows that came later wait on.
    upsert(&table, &inserts(0, 0..9)).await;
    let outcome = commit_compaction(&table, &request(&table, CommitMode::Append).await, &done, false).await.unwrap();
    assert_eq!((outcome.snapshot, outcome.gave_way), (None, vec![0]));
    assert_eq!(state(&table).await.len(), 5);
    compacted(&table, false).await;
    assert_eq!(state(&table).await.len(), 9);
}

#[tokio::test]
async fn a_compaction_of_waiting_rows_that_dies_anywhere_loses_none() {
    let changes: Changes = [inserts(0, 0..40), inserts(1, 0..3), vec![((0, 7), None), ((0, 8), Some(-8))]].concat();
    let mut expected = State::new();
    apply(&mut expected, &changes);
    let made = async || {
        let store = Arc::new(InMemory::new());
        let schema = keyed(true, &[("bucket", "-2"), WAIT, ("postpone.target-row-num-per-bucket", "20")]);
        let table = create(Arc::clone(&store) as Arc<dyn ObjectStore>, schema).await;
        for changes in [&changes[..20], &changes[20..]] {
            upsert(&table, &changes.to_vec()).await;
        }
        store
    };
    let work = async |table: TableStore| {
        let commit = CommitRequest {
            user: "compactor".to_owned(),
            identifier: crate::BATCH_IDENTIFIER,
            mode: CommitMode::Append,
            properties: BTreeMap::new(),
            table_identity: table.identity().await?,
        };
        compact(&table, &CompactRequest::default(), &commit, &|_| {}).await.map(drop)
    };
    dying_at_each_call(made, work, async |store: Arc<InMemory>, done| {
        let table = open(store as Arc<dyn ObjectStore>, 77).await;
        let latest = table.latest_snapshot().await.unwrap().unwrap();
        let found = state(&table).await;
        if latest.id == 2 {
            assert!(!done && found.is_empty());
        } else {
            assert_eq!(found, expected);
        }
        compacted(&table, false).await;
        assert_eq!(state(&table).await, expected);
        let old = ScanRequest { at: ReadPoint::Snapshot(2), ..ScanRequest::default() };
        assert!(splits(&table, &old).await.is_empty());
        assert!(entries(&table).await.iter().all(|entry: &ManifestEntry| entry.partition != BinaryRow::empty()));
    })
    .await;
}
