use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Int32Type, Int64Type};
use futures::TryStreamExt;
use paimon_io::testkit::{self, ManualClock};
use paimon_io::{Clock, Storage, TableStore};
use paimon_merge::{ReadRequest, read};
use paimon_scan::{ScanRequest, plan};
use paimon_spec::{CommitMessage, DataField, DataType, ErrorKind, Schema, TypeKind};
use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::options::AssignedBuckets;
use crate::testing::{partition, request};
use crate::{
    AssignedColumns, AssignerRouter, CommitMode, RowAssigner, TableWriter, WriteOptions, commit, outcome_is_unknown,
};

/// What a row does, its partition, its key and its value.
type Row = (&'static str, i32, i64, Option<i32>);

/// Partition and value of each key.
type Model = BTreeMap<i64, (i32, Option<i32>)>;

const DEDUPLICATE: &[(&str, &str)] = &[];
const PARTIAL_UPDATE: &[(&str, &str)] =
    &[("merge-engine", "partial-update"), ("partial-update.remove-record-on-delete", "true")];
const AGGREGATION: &[(&str, &str)] = &[("merge-engine", "aggregation"), ("fields.n.aggregate-function", "sum")];
/// Its rows are there as soon as they are written only for readers that look at level 0.
const FIRST_ROW: &[(&str, &str)] = &[("merge-engine", "first-row"), ("ignore-delete", "true")];

/// `p INT` (the partition), `k BIGINT NOT NULL` (the key), `n INT`.
fn schema(options: &[(&str, &str)]) -> Schema {
    Schema {
        fields: vec![
            DataField::new(0, "p", DataType::nullable(TypeKind::Int)),
            DataField::new(1, "k", DataType::not_null(TypeKind::BigInt)),
            DataField::new(2, "n", DataType::nullable(TypeKind::Int)),
        ],
        partition_keys: vec!["p".to_owned()],
        primary_keys: vec!["k".to_owned()],
        options: options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        ..Schema::default()
    }
}

/// A table, and the folder that it spills to.
async fn open_table(options: &[(&str, &str)]) -> (tempfile::TempDir, TableStore) {
    let folder = tempfile::tempdir().unwrap();
    let mut context = testkit::context();
    context.spill_folder = Some(folder.path().into());
    let storage = Storage::open("memory://global/table", &BTreeMap::new(), &context).unwrap();
    (folder, testkit::create_table_at(storage, schema(options), context).await)
}

fn batch(rows: &[Row]) -> RecordBatch {
    let p: ArrayRef = Arc::new(Int32Array::from_iter_values(rows.iter().map(|row| row.1)));
    let k: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.2)));
    let n: ArrayRef = Arc::new(rows.iter().map(|row| row.3).collect::<Int32Array>());
    let kind: ArrayRef = Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.0)));
    RecordBatch::try_from_iter_with_nullable([("p", p, true), ("k", k, true), ("n", n, true), ("kind", kind, true)])
        .unwrap()
}

fn writing(memory_bytes: u64) -> WriteOptions {
    let row_kind_column = Some("kind".to_owned());
    WriteOptions { memory_bytes: Some(memory_bytes), row_kind_column, ..WriteOptions::default() }
}

async fn written(table: &TableStore, options: WriteOptions, batches: &[RecordBatch]) -> Vec<CommitMessage> {
    let mut writer = TableWriter::open(table.clone(), options).await.unwrap();
    for batch in batches {
        writer.write(batch).await.unwrap();
    }
    writer.prepare_commit().await.unwrap()
}

async fn publish(table: &TableStore, mode: CommitMode, messages: &[CommitMessage]) {
    commit(table, &request(table, mode).await, messages).await.map(drop).unwrap();
}

async fn upsert(table: &TableStore, memory_bytes: u64, batches: &[Vec<Row>]) {
    let batches: Vec<RecordBatch> = batches.iter().map(|rows| batch(rows)).collect();
    publish(table, CommitMode::Append, &written(table, writing(memory_bytes), &batches).await).await;
}

/// Partition, key and value of each row, by the partition's folder; a key that is there twice is twice in it.
async fn rows(table: &TableStore) -> Vec<(i64, (i32, Option<i32>))> {
    let mut rows = Vec::new();
    for split in plan(table, &ScanRequest { all_levels: true, ..ScanRequest::default() }).await.unwrap().splits {
        let in_partition = |p: i32| split.partition == partition(Some(p));
        let batches = read(table, &split, &ReadRequest::default()).await.unwrap();
        for batch in batches.try_collect::<Vec<RecordBatch>>().await.unwrap() {
            let (p, k) = (batch.column(0).as_primitive::<Int32Type>(), batch.column(1).as_primitive::<Int64Type>());
            assert!(p.values().iter().all(|p| in_partition(*p)));
            let n = batch.column(2).as_primitive::<Int32Type>();
            rows.extend(k.values().iter().copied().zip(p.values().iter().copied().zip(n.iter())));
        }
    }
    rows.sort_unstable();
    rows
}

fn all(state: &Model) -> Vec<(i64, (i32, Option<i32>))> {
    state.iter().map(|(key, row)| (*key, *row)).collect()
}

/// What one commit makes of a state: the rows of each engine as its rules say, where keys are known from the start of the
/// commit on, and remembered until its end even when their row is deleted.
fn apply(engine: &[(&str, &str)], state: &mut Model, changes: &[Row]) {
    let mut index: BTreeMap<i64, i32> = state.iter().map(|(key, (p, _))| (*key, *p)).collect();
    for (kind, p, k, n) in changes {
        let takes_back = *kind == "-D";
        match engine {
            DEDUPLICATE => {
                let _ = index.insert(*k, *p);
                let _ = if takes_back { state.remove(k) } else { state.insert(*k, (*p, *n)) };
            }
            FIRST_ROW if takes_back => {}
            FIRST_ROW => {
                state.entry(*k).or_insert((*p, *n));
            }
            PARTIAL_UPDATE => {
                let p = *index.entry(*k).or_insert(*p);
                match (takes_back, state.get(k)) {
                    (true, _) => drop(state.remove(k)),
                    (false, there) => {
                        let n = n.or(there.and_then(|there| there.1));
                        let _ = state.insert(*k, (p, n));
                    }
                }
            }
            _ => {
                let p = *index.entry(*k).or_insert(*p);
                let there = state.get(k).and_then(|there| there.1);
                let sum = there.map_or(*n, |there| Some(there + n.unwrap_or(0)));
                let _ = state.insert(*k, (p, sum));
            }
        }
    }
}

/// Some commits of some batches of rows, of so many keys.
fn commits(keys: i64, rows: usize) -> impl Strategy<Value = Vec<Vec<Vec<Row>>>> {
    let kind = prop::sample::select(vec!["+I", "+U", "+I", "-D"]);
    let row = (kind, 0..4_i32, 0..keys, prop::option::weighted(0.9, 0..100_i32));
    prop::collection::vec(prop::collection::vec(prop::collection::vec(row, 0..rows), 1..4), 1..5)
}

async fn check_against_model(
    engine: &'static [(&'static str, &'static str)],
    memory_bytes: u64,
    commits: &[Vec<Vec<Row>>],
) -> Result<(), TestCaseError> {
    // Small buckets, so that there are many of them.
    let options: Vec<_> = engine.iter().copied().chain([("dynamic-bucket.target-row-num", "60")]).collect();
    let (folder, table) = open_table(&options).await;
    let mut state = Model::new();
    for batches in commits {
        let mut batches = batches.clone();
        if engine == PARTIAL_UPDATE {
            // A deletion is forgotten when a file has a later row of its key; what comes after it in another file begins
            // with the deletion's values.
            let mut later = HashSet::new();
            for row in batches.iter_mut().flatten().rev() {
                let is_last = later.insert(row.2);
                match (row.0, is_last) {
                    ("-D", true) => row.3 = None,
                    ("-D", false) => row.0 = "+I",
                    _ => {}
                }
            }
        }
        if engine == AGGREGATION {
            // What the engine makes of rows that take back is not the question here.
            batches.iter_mut().flatten().for_each(|row| row.0 = "+I");
        }
        upsert(&table, memory_bytes, &batches).await;
        apply(engine, &mut state, &batches.concat());
        prop_assert_eq!(rows(&table).await, all(&state));
    }
    prop_assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_engine_keeps_a_key_in_one_place(
        engine in prop::sample::select(vec![DEDUPLICATE, PARTIAL_UPDATE, AGGREGATION, FIRST_ROW]),
        commits in commits(20, 12),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(check_against_model(engine, 1 << 20, &commits))?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn little_memory_changes_nothing(
        engine in prop::sample::select(vec![DEDUPLICATE, PARTIAL_UPDATE, AGGREGATION, FIRST_ROW]),
        commits in commits(800, 500),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        // About a hundred keys fit.
        runtime.block_on(check_against_model(engine, 8 << 10, &commits))?;
    }
}

#[rstest]
#[case::a_move(DEDUPLICATE, &[("+I", 1, 7, Some(1))], &[("+U", 2, 7, Some(2))], &[(7, (2, Some(2)))])]
#[case::there_and_back(
    DEDUPLICATE,
    &[("+I", 1, 7, Some(1))],
    &[("+U", 2, 7, Some(2)), ("+U", 1, 7, Some(3))],
    &[(7, (1, Some(3)))]
)]
#[case::a_delete_in_another_partition(DEDUPLICATE, &[("+I", 1, 7, Some(1))], &[("-D", 2, 7, Some(2))], &[])]
#[case::an_update_that_says_what_was(
    DEDUPLICATE,
    &[("+I", 1, 7, Some(1))],
    &[("-U", 1, 7, Some(1)), ("+U", 2, 7, Some(2))],
    &[(7, (2, Some(2)))]
)]
#[case::a_change_of_a_part(PARTIAL_UPDATE, &[("+I", 1, 7, Some(1))], &[("+I", 2, 7, None)], &[(7, (1, Some(1)))])]
#[case::a_delete_follows(PARTIAL_UPDATE, &[("+I", 1, 7, Some(1))], &[("-D", 2, 7, None)], &[])]
#[case::a_sum(AGGREGATION, &[("+I", 1, 7, Some(1))], &[("+I", 2, 7, Some(4))], &[(7, (1, Some(5)))])]
#[case::a_later_row(FIRST_ROW, &[("+I", 1, 7, Some(1))], &[("+I", 2, 7, Some(4))], &[(7, (1, Some(1)))])]
#[tokio::test]
async fn a_key_that_is_elsewhere_moves_or_stays(
    #[case] engine: &[(&str, &str)],
    #[case] first: &[Row],
    #[case] second: &[Row],
    #[case] expected: &[(i64, (i32, Option<i32>))],
) {
    let (_folder, table) = open_table(engine).await;
    upsert(&table, 1 << 20, &[first.to_vec()]).await;
    upsert(&table, 1 << 20, &[second.to_vec()]).await;
    assert_eq!(rows(&table).await, expected);
    // In one commit, too.
    let (_folder, table) = open_table(engine).await;
    upsert(&table, 1 << 20, &[[first, second].concat()]).await;
    assert_eq!(rows(&table).await, expected);
}

#[tokio::test]
async fn the_old_row_is_deleted_whatever_the_column_of_kinds_says() {
    let mut schema = schema(&[("rowkind.field", "kind")]);
    schema.fields.push(DataField::new(3, "kind", DataType::string()));
    let table = testkit::create_table(schema).await;
    for rows in [[("+I", 1, 7, Some(1))], [("+I", 2, 7, Some(2))]] {
        let messages = written(&table, WriteOptions::default(), &[batch(&rows)]).await;
        publish(&table, CommitMode::Append, &messages).await;
    }
    assert_eq!(rows(&table).await, [(7, (2, Some(2)))]);
}

#[tokio::test]
async fn buckets_are_filled_again_where_keys_left() {
    let (_folder, table) = open_table(&[("dynamic-bucket.target-row-num", "2")]).await;
    let insert = |k: i64| ("+I", 1, k, None);
    upsert(&table, 1 << 20, &[(0..5).map(insert).collect()]).await;
    // 0 and 1 leave bucket 0 of partition 1, in which there is room for two then.
    upsert(&table, 1 << 20, &[vec![("+I", 2, 0, None), ("+I", 2, 1, None)]]).await;
    let messages = written(&table, writing(1 << 20), &[batch(&[insert(10), insert(11), insert(12), insert(13)])]).await;
    let counts: Vec<_> = messages.iter().map(|message| (message.bucket, message.new_files[0].row_count)).collect();
    assert_eq!(counts, [(0, 2), (2, 1), (3, 1)]);
    assert!(messages.iter().all(|message| message.check_from_snapshot == Some(2) && message.total_buckets == -1));
}

#[tokio::test]
async fn an_overwrite_knows_no_keys() {
    let (_folder, table) = open_table(PARTIAL_UPDATE).await;
    upsert(&table, 1 << 20, &[vec![("+I", 1, 7, Some(1)), ("+I", 1, 8, Some(1))]]).await;
    let overwrite = WriteOptions { overwrite: true, ..writing(1 << 20) };
    let messages = written(&table, overwrite, &[batch(&[("+I", 2, 7, None)])]).await;
    publish(&table, CommitMode::OverwriteStatic(BTreeMap::new()), &messages).await;
    assert_eq!(rows(&table).await, [(7, (2, None))]);
}

#[tokio::test]
async fn some_partitions_are_not_replaced_while_others_stay() {
    let (_folder, table) = open_table(DEDUPLICATE).await;
    upsert(&table, 1 << 20, &[vec![("+I", 1, 7, Some(1)), ("+I", 2, 8, Some(2))]]).await;
    let overwriting = || WriteOptions { overwrite: true, ..writing(1 << 20) };
    let mut messages = written(&table, overwriting(), &[batch(&[("+I", 1, 8, Some(3))])]).await;
    let one = BTreeMap::from([("p".to_owned(), "1".to_owned())]);
    for mode in [CommitMode::OverwriteDynamic, CommitMode::OverwriteStatic(one.clone())] {
        let error = commit(&table, &request(&table, mode).await, &messages).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("partition p=2 stays"), "{error}");
    }
    // Without new rows, or without partitions that stay, no key can be there twice.
    publish(&table, CommitMode::Truncate(vec![one]), &[]).await;
    assert_eq!(rows(&table).await, [(8, (2, Some(2)))]);
    messages.extend(written(&table, overwriting(), &[batch(&[("+I", 2, 9, Some(4))])]).await);
    publish(&table, CommitMode::OverwriteDynamic, &messages).await;
    assert_eq!(rows(&table).await, [(8, (1, Some(3))), (9, (2, Some(4)))]);
}

#[tokio::test]
async fn several_workers_divide_keys_and_buckets_among_them() {
    let (_folder, table) = open_table(&[("dynamic-bucket.target-row-num", "20")]).await;
    let mut state = Model::new();
    for round in 0..3 {
        let new: Vec<Row> =
            (0..200).map(|k| ("+I", ((k + round * (k % 3)) % 4) as i32, k, Some(round as i32))).collect();
        apply(DEDUPLICATE, &mut state, &new);
        let incoming = batch(&new);
        let base_snapshot = table.latest_snapshot().await.unwrap().map(|snapshot| snapshot.id);
        let router = AssignerRouter::new(table.schema(), 3).unwrap();
        let owners = router.route(&incoming).unwrap();
        let columns = AssignedColumns { bucket: "_bucket".to_owned(), row_kind: "_kind".to_owned() };
        let mut assigned = Vec::new();
        let mut new_buckets: Vec<Vec<i32>> = Vec::new();
        for assigner in 0..3 {
            let own = owners.values().iter().map(|owner| Some(*owner == assigner as i32)).collect();
            let own = arrow::compute::filter_record_batch(&incoming, &own).unwrap();
            let share = Share { assigner, assigners: 3 };
            let mut assigner = RowAssigner::open(table.clone(), share, &columns, &writing(1 << 20)).await.unwrap();
            let mut some = assigner.assign(&own).await.unwrap();
            while let Some(more) = assigner.finish().await.unwrap() {
                some.extend(more);
            }
            let bucket = |rows: &RecordBatch| rows["_bucket"].as_primitive::<Int32Type>().value(0);
            new_buckets.push(some.iter().map(bucket).collect());
            assigned.extend(some);
        }
        if round == 0 {
            let is_own =
                |(assigner, buckets): (usize, &Vec<i32>)| buckets.iter().all(|bucket| bucket % 3 == assigner as i32);
            assert!(new_buckets.iter().enumerate().all(is_own), "{new_buckets:?}");
        }
        let given = WriteOptions {
            row_kind_column: Some("_kind".to_owned()),
            assigned: Some(AssignedBuckets { column: "_bucket".to_owned(), base_snapshot }),
            ..WriteOptions::default()
        };
        let messages = written(&table, given, &assigned).await;
        assert!(messages.iter().all(|message| message.check_from_snapshot == base_snapshot));
        publish(&table, CommitMode::Append, &messages).await;
        assert_eq!(rows(&table).await, all(&state));
    }
}

#[tokio::test]
async fn rows_of_another_job_in_between_are_a_conflict() {
    let (_folder, table) = open_table(DEDUPLICATE).await;
    upsert(&table, 1 << 20, &[vec![("+I", 1, 7, Some(1))]]).await;
    let mine = written(&table, writing(1 << 20), &[batch(&[("+I", 2, 8, Some(2))])]).await;
    upsert(&table, 1 << 20, &[vec![("+I", 3, 8, Some(3))]]).await;
    let error = commit(&table, &request(&table, CommitMode::Append).await, &mine).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CommitConflict, "{error}");
    assert!(!outcome_is_unknown(&error));
    assert_eq!(rows(&table).await, [(7, (1, Some(1))), (8, (3, Some(3)))]);
}

#[tokio::test]
async fn ignored_deletes_would_leave_old_rows_behind() {
    let (_folder, table) = open_table(&[("ignore-delete", "true")]).await;
    let mut writer = TableWriter::open(table, writing(1 << 20)).await.unwrap();
    let error = writer.write(&batch(&[("+I", 1, 7, None)])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("'ignore-delete'"), "{error}");
}

/// Java's own documentation says of the option that it may lead to rows of one key in several partitions.
#[rstest]
#[case::forgotten("1 s", &[(7, (1, Some(1))), (7, (2, Some(2)))])]
#[case::remembered("1 d", &[(7, (2, Some(2)))])]
#[tokio::test]
async fn keys_are_forgotten_as_the_table_says(#[case] ttl: &str, #[case] expected: &[(i64, (i32, Option<i32>))]) {
    let clock = Arc::new(ManualClock::new(1));
    let mut context = testkit::context();
    context.clock = Arc::clone(&clock) as Arc<dyn Clock>;
    let storage = Storage::open("memory://forgetful/table", &BTreeMap::new(), &context).unwrap();
    let options = [("cross-partition-upsert.index-ttl", ttl)];
    let table = testkit::create_table_at(storage, schema(&options), context).await;
    upsert(&table, 1 << 20, &[vec![("+I", 1, 7, Some(1))]]).await;
    clock.advance(60_000);
    upsert(&table, 1 << 20, &[vec![("+I", 2, 7, Some(2))]]).await;
    assert_eq!(rows(&table).await, expected);
}

#[test]
fn a_sequence_field_is_refused_by_name() {
    let error = paimon_spec::TableSchema::create(schema(&[("sequence.field", "n")]), 0).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("sequence.field"), "{error}");
}

/// Rows to an assigner, as a writer gives them.
fn incoming(table: &TableStore, rows: &[Row]) -> IncomingRows {
    let options = writing(0);
    let aligner = crate::align::Aligner::new(&crate::write_type::WriteType::of(table.schema(), None).unwrap()).unwrap();
    crate::key_value::Incoming::of(table.schema(), &options).unwrap().rows(&aligner, &batch(rows)).unwrap()
}

#[tokio::test]
async fn keys_are_divided_when_they_grow_and_again_when_a_shard_does() {
    let (folder, table) = open_table(DEDUPLICATE).await;
    let mut assigner = GlobalAssigner::open(&table, Share::default(), 8 << 10, false, false).await.unwrap();
    assert_eq!((assigner.base_snapshot(), assigner.memory()), (None, 0));
    let insert = |p: i32| move |k: i64| ("+I", p, k, Some(0));
    let first = assigner.assign(incoming(&table, &(0..50).map(insert(0)).collect::<Vec<_>>())).await.unwrap();
    assert_eq!(first.iter().map(|routed| routed.rows.num_rows()).sum::<usize>(), 50);
    assert!(matches!(assigner.state, State::Known(_)) && assigner.memory() > 50 * 8);
    let _ = assigner.assign(incoming(&table, &(50..300).map(insert(0)).collect::<Vec<_>>())).await.unwrap();
    assert!(matches!(assigner.state, State::Divided(_)));
    // Most are new; the others move.
    let mut waiting = 0;
    for start in (0..20_000).step_by(1000) {
        let rows: Vec<Row> = (start..start + 1000).map(insert(1)).collect();
        waiting += assigner.assign(incoming(&table, &rows)).await.unwrap().len();
        assert!(assigner.memory() <= 2 << 10);
    }
    assert_eq!(waiting, 0);
    assert!(std::fs::read_dir(folder.path()).unwrap().count() > 8);
    let (mut inserted, mut deleted, mut most_shards) = (0, 0, 0);
    while let Some(routed) = assigner.finish().await.unwrap() {
        if let State::Finishing { waiting, .. } = &assigner.state {
            most_shards = most_shards.max(waiting.len());
        }
        for Routed { partition: into, rows, .. } in routed {
            let deletes = rows.column(0).as_primitive::<arrow::datatypes::Int8Type>();
            let deletes = deletes.values().iter().filter(|kind| **kind == 3).count();
            let p = rows.column(1).as_primitive::<Int32Type>().value(0);
            assert_eq!(into, partition(Some(p)));
            // Only what moves out of partition 0 is deleted, and nothing else goes there.
            assert_eq!(deletes, if p == 0 { rows.num_rows() } else { 0 });
            deleted += deletes;
            inserted += rows.num_rows() - deletes;
        }
    }
    assert_eq!((inserted, deleted), (20_000, 300));
    assert!(most_shards > 8, "{most_shards}");
    drop(assigner);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn more_keys_than_memory_and_no_room_on_disk_are_an_error_that_says_what_to_do() {
    let table = testkit::create_table(schema(DEDUPLICATE)).await;
    let mut writer = TableWriter::open(table, writing(8 << 10)).await.unwrap();
    let rows: Vec<Row> = (0..2000).map(|k| ("+I", 0, k, Some(0))).collect();
    let error = writer.write(&batch(&rows)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("'write-buffer-size'"), "{error}");
}

#[tokio::test]
async fn a_key_in_two_partitions_is_said_with_both() {
    let (_folder, table) = open_table(DEDUPLICATE).await;
    let mut rules = Rules::of(table.schema(), Share::default(), 1).unwrap();
    let places = [(1, 0), (2, 5)].map(|(p, bucket)| {
        let partition = rules.partitions.number(&partition(Some(p))).unwrap();
        Place { partition, bucket }
    });
    let column: ArrayRef = Arc::new(Int64Array::from(vec![77]));
    let keys = rules.keys.rows(&[column]).unwrap();
    let key = keys.iter().next().unwrap();
    let mut index = KeyIndex::with_room_for(0);
    restore(&mut index, &table, &rules, key, places[0]).unwrap();
    let error = restore(&mut index, &table, &rules, key, places[1]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CorruptData);
    for part in ["k = 77", "bucket 0 of partition p=1", "bucket 5 of partition p=2"] {
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[tokio::test]
async fn a_table_that_cannot_be_read_is_not_written() {
    let context = testkit::context();
    let (storage, faults) = testkit::faulty_folder(&context);
    let table = testkit::create_table_at(storage, schema(DEDUPLICATE), context).await;
    upsert(&table, 1 << 20, &[vec![("+I", 1, 7, Some(1))]]).await;
    let rows_to_write = batch(&[("+U", 2, 7, Some(2)), ("+I", 2, 8, Some(3))]);
    for operation in 0.. {
        let before = faults.failed();
        faults.fail_before(testkit::nth(faults.calls() + operation));
        let outcome = async {
            let mut writer = TableWriter::open(table.clone(), writing(1 << 20)).await?;
            match writer.write(&rows_to_write).await {
                Ok(()) => writer.prepare_commit().await,
                Err(error) => writer.abort().await.and(Err(error)),
            }
        };
        let outcome = outcome.await;
        faults.heal();
        let Ok(messages) = outcome else { continue };
        if faults.failed() == before {
            assert!(operation > 3);
            publish(&table, CommitMode::Append, &messages).await;
            break;
        }
    }
    assert_eq!(rows(&table).await, [(7, (2, Some(2))), (8, (2, Some(3)))]);
}
