//! Tables whose buckets grow with their keys: a key stays in its bucket, whoever writes it, and the HASH index says so.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int32Array, Int64Array, RecordBatch, StringArray, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::{Int32Type, Int64Type};
use futures::TryStreamExt;
use paimon_io::{TableStore, testkit};
use paimon_merge::{ReadRequest, read};
use paimon_scan::{ScanRequest, plan};
use paimon_spec::{
    CommitMessage, DataType, Datum, ErrorKind, FileKind, HASH_INDEX, IndexManifestEntry, Result, TypeKind,
    decode_hash_index, hash_of_slot,
};
use proptest::prelude::*;
use rstest::rstest;

use crate::testing::{keyed, request};
use crate::{
    AssignedBuckets, AssignedColumns, AssignerRouter, ChannelRouter, CommitMode, Committed, RowAssigner, Share,
    TableWriter, WriteOptions, abort, commit,
};

/// A row: its partition, key and value.
pub(super) type Row = (i32, i64, i32);

pub(super) async fn table(partitioned: bool, options: &[(&str, &str)]) -> TableStore {
    let all: Vec<(&str, &str)> = [("bucket", "-1")].into_iter().chain(options.iter().copied()).collect();
    testkit::create_table(keyed(partitioned, &all)).await
}

pub(super) fn batch(rows: &[Row]) -> RecordBatch {
    let columns: [(&str, ArrayRef); 4] = [
        ("p", Arc::new(Int32Array::from_iter_values(rows.iter().map(|row| row.0)))),
        ("k", Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.1)))),
        ("v", Arc::new(StringArray::from_iter_values(rows.iter().map(|_| "v")))),
        ("n", Arc::new(Int32Array::from_iter_values(rows.iter().map(|row| row.2)))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

pub(super) async fn prepare(table: &TableStore, rows: &[Row], overwrite: bool) -> Result<Vec<CommitMessage>> {
    let options = WriteOptions { overwrite, ..WriteOptions::default() };
    let mut writer = TableWriter::open(table.clone(), options).await?;
    if let Err(error) = writer.write(&batch(rows)).await {
        writer.abort().await?;
        return Err(error);
    }
    writer.prepare_commit().await
}

pub(super) async fn publish(table: &TableStore, mode: CommitMode, messages: &[CommitMessage]) -> Result<Committed> {
    commit(table, &request(table, mode).await, messages).await
}

pub(super) async fn upsert(table: &TableStore, rows: &[Row]) {
    let messages = prepare(table, rows, false).await.unwrap();
    assert!(matches!(publish(table, CommitMode::Append, &messages).await.unwrap(), Committed::Snapshot(_)));
}

/// The bucket and the value of each key; each key is in one bucket, and there once.
pub(super) async fn state(table: &TableStore) -> BTreeMap<(i32, i64), (i32, i32)> {
    let mut found = BTreeMap::new();
    for split in plan(table, &ScanRequest::default()).await.unwrap().splits {
        let batches = read(table, &split, &ReadRequest::default()).await.unwrap();
        for batch in batches.try_collect::<Vec<RecordBatch>>().await.unwrap() {
            let ints = |column: usize| batch.column(column).as_primitive::<Int32Type>();
            let keys = batch.column(1).as_primitive::<Int64Type>().values();
            for ((p, k), n) in ints(0).values().iter().zip(keys).zip(ints(3).values()) {
                assert_eq!(found.insert((*p, *k), (split.bucket, *n)), None, "key {k} is there twice");
            }
        }
    }
    found
}

pub(super) async fn hash_files(table: &TableStore) -> Vec<IndexManifestEntry> {
    let snapshot = table.latest_snapshot().await.unwrap().unwrap();
    let Some(name) = &snapshot.index_manifest else { return Vec::new() };
    table.index_manifest(name).await.unwrap().iter().filter(|entry| entry.index_type == HASH_INDEX).cloned().collect()
}

/// Checks that the HASH index has the hash of each key in the bucket where the key is, and nothing else.
pub(super) async fn check_index(table: &TableStore) {
    let partitioned = !table.schema().partition_keys.is_empty();
    let mut wanted: BTreeMap<(i32, i32), BTreeSet<i32>> = BTreeMap::new();
    for ((p, k), (bucket, _)) in state(table).await {
        let p = if partitioned { p } else { 0 };
        wanted.entry((p, bucket)).or_default().insert(hash_of_slot(k as u64));
    }
    let mut found = BTreeMap::new();
    for entry in hash_files(table).await {
        let bytes = table.hash_index(&entry, &entry.partition).await.unwrap();
        let hashes: Vec<i32> = decode_hash_index(&bytes).unwrap().collect();
        assert_eq!(entry.row_count as usize, hashes.len());
        let p = match partitioned.then(|| entry.partition.get(0, &DataType::not_null(TypeKind::Int)).unwrap()) {
            Some(Some(Datum::Int(p))) => p,
            _ => 0,
        };
        let set: BTreeSet<i32> = hashes.iter().copied().collect();
        assert_eq!(set.len(), hashes.len(), "a hash is in a file once");
        assert_eq!(found.insert((p, entry.bucket), set), None, "a bucket has one HASH index");
    }
    assert_eq!(found, wanted);
}

fn histories() -> impl Strategy<Value = Vec<(bool, Vec<Row>)>> {
    let rows = prop::collection::vec((0..3_i32, 0..60_i64, 0..1000_i32), 1..30);
    prop::collection::vec((prop::bool::weighted(0.1), rows), 1..8)
}

/// What a commit makes of a state.
fn apply(state: &mut BTreeMap<(i32, i64), i32>, partitioned: bool, overwrite: bool, rows: &[Row]) {
    if overwrite {
        let touched: BTreeSet<i32> = rows.iter().map(|row| row.0).collect();
        state.retain(|(p, _), _| partitioned && !touched.contains(p));
    }
    for (p, k, n) in rows {
        state.insert((*p, *k), *n);
    }
}

/// Rows whose partition is no part of the key are in one.
fn rows_of(partitioned: bool, rows: Vec<Row>) -> Vec<Row> {
    rows.into_iter().map(|(p, k, n)| (if partitioned { p } else { 0 }, k, n)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_key_stays_in_its_bucket_over_all_commits(
        history in histories(),
        partitioned: bool,
        beside_data: bool,
        target in 1..20_u32,
        max_buckets in prop::option::of(1..4_i32),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (target, most) = (target.to_string(), max_buckets.unwrap_or(-1).to_string());
            let beside_data = beside_data.to_string();
            let options = [
                ("dynamic-bucket.target-row-num", target.as_str()),
                ("dynamic-bucket.max-buckets", &most),
                ("index-file-in-data-file-dir", &beside_data),
            ];
            let table = table(partitioned, &options).await;
            let mut wanted = BTreeMap::new();
            let mut buckets: HashMap<(i32, i64), i32> = HashMap::new();
            for (overwrite, rows) in history {
                let rows = rows_of(partitioned, rows);
                let mode = if overwrite { CommitMode::OverwriteDynamic } else { CommitMode::Append };
                let messages = prepare(&table, &rows, overwrite).await.unwrap();
                assert!(messages.iter().all(|message| message.total_buckets == -1));
                publish(&table, mode, &messages).await.map(drop).unwrap();
                apply(&mut wanted, partitioned, overwrite, &rows);
                if overwrite {
                    buckets.clear();
                }
                let state = state(&table).await;
                for (key, (bucket, _)) in &state {
                    assert_eq!(buckets.entry(*key).or_insert(*bucket), bucket, "key {key:?} has moved");
                }
                let values = state.into_iter().map(|(key, (_, n))| (key, n)).collect::<BTreeMap<_, _>>();
                assert_eq!(values, wanted);
                check_index(&table).await;
            }
        });
    }

    #[test]
    fn several_workers_do_as_one(
        history in histories(),
        partitioned: bool,
        workers in prop::collection::vec((1..5_u32, 1..5_u32), 8),
        initial in prop::option::of(1..4_i32),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let initial = initial.map(|initial| initial.to_string());
            let mut options = vec![("dynamic-bucket.target-row-num", "5")];
            options.extend(initial.as_deref().map(|initial| ("dynamic-bucket.initial-buckets", initial)));
            let table = table(partitioned, &options).await;
            let mut wanted = BTreeMap::new();
            for ((overwrite, rows), (assigners, writers)) in history.into_iter().zip(workers) {
                let rows = rows_of(partitioned, rows);
                let messages = prepare_apart(&table, &rows, overwrite, assigners, writers).await;
                let mode = if overwrite { CommitMode::OverwriteDynamic } else { CommitMode::Append };
                publish(&table, mode, &messages).await.map(drop).unwrap();
                apply(&mut wanted, partitioned, overwrite, &rows);
                let values = state(&table).await.into_iter().map(|(key, (_, n))| (key, n)).collect::<BTreeMap<_, _>>();
                assert_eq!(values, wanted);
                check_index(&table).await;
            }
        });
    }
}

/// The rows of each channel; they keep their order.
fn shuffled(rows: &RecordBatch, channels: &Int32Array, count: u32) -> Vec<RecordBatch> {
    (0..count as i32)
        .map(|channel| {
            let places = channels.values().iter().enumerate().filter(|(_, found)| **found == channel);
            take_record_batch(rows, &UInt32Array::from_iter_values(places.map(|(at, _)| at as u32))).unwrap()
        })
        .collect()
}

/// Writes as workers do: two exchanges of rows, after which nobody knows their order but by its column.
async fn prepare_apart(
    table: &TableStore,
    rows: &[Row],
    overwrite: bool,
    assigners: u32,
    writers: u32,
) -> Vec<CommitMessage> {
    let base_snapshot = table.latest_snapshot().await.unwrap().map(|snapshot| snapshot.id);
    let mut options = WriteOptions { order_column: Some("at".into()), overwrite, ..WriteOptions::default() };
    let rows = batch(rows);
    let order: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows.num_rows() as i64));
    let mut columns: Vec<(String, ArrayRef)> = vec![("at".into(), order)];
    columns.extend(rows.schema().fields().iter().map(|field| field.name().clone()).zip(rows.columns().iter().cloned()));
    let rows = RecordBatch::try_from_iter(columns).unwrap();

    let router = AssignerRouter::new(table.schema(), assigners).unwrap();
    let names = AssignedColumns { bucket: "b".into(), row_kind: "kind".into() };
    let mut assigned = Vec::new();
    for (assigner, rows) in shuffled(&rows, &router.route(&rows).unwrap(), router.assigners()).into_iter().enumerate() {
        let share = Share { assigner: assigner as u32, assigners: router.assigners() };
        let mut assigner = RowAssigner::open(table.clone(), share, &names, &options).await.unwrap();
        assigned.extend(assigner.assign(&rows).await.unwrap());
        assert!(assigner.finish().await.unwrap().is_none());
    }
    assigned.reverse();
    let rows = concat_batches(&assigned[0].schema(), &assigned).unwrap();
    let router = ChannelRouter::of_assigned(table.schema(), "b", writers).unwrap();
    options.row_kind_column = Some("kind".into());
    options.assigned = Some(AssignedBuckets { column: "b".into(), base_snapshot });
    let mut messages = Vec::new();
    for rows in shuffled(&rows, &router.route(&rows).unwrap(), writers) {
        let mut writer = TableWriter::open(table.clone(), options.clone()).await.unwrap();
        writer.write(&rows).await.unwrap();
        messages.extend(writer.prepare_commit().await.unwrap());
    }
    messages
}

#[rstest]
#[case::both_new(&[], &[(0, 1, 1)], &[(0, 2, 2)], true)]
#[case::one_new(&[(0, 1, 0)], &[(0, 1, 1)], &[(0, 2, 2)], false)]
#[case::other_partition(&[(0, 1, 0)], &[(0, 2, 1)], &[(1, 2, 2)], false)]
#[case::new_after_new(&[(0, 1, 0)], &[(0, 2, 1)], &[(0, 3, 2)], true)]
#[case::both_known(&[(0, 1, 0), (0, 2, 0)], &[(0, 1, 1)], &[(0, 2, 2)], false)]
#[tokio::test]
async fn of_two_writers_that_bring_new_keys_one_gets_a_conflict(
    #[case] there: &[Row],
    #[case] first: &[Row],
    #[case] second: &[Row],
    #[case] conflict: bool,
) {
    let table = table(true, &[("dynamic-bucket.target-row-num", "1")]).await;
    if !there.is_empty() {
        upsert(&table, there).await;
    }
    let messages = [prepare(&table, first, false).await.unwrap(), prepare(&table, second, false).await.unwrap()];
    // Known keys come last, so that what they rely on has changed.
    publish(&table, CommitMode::Append, &messages[1]).await.map(drop).unwrap();
    let outcome = publish(&table, CommitMode::Append, &messages[0]).await;
    if conflict {
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::CommitConflict);
        abort(&table, &messages[0]).await.unwrap();
        upsert(&table, first).await;
    } else {
        outcome.map(drop).unwrap();
    }
    let found: BTreeMap<_, _> = state(&table).await.into_iter().map(|(key, (_, n))| (key, n)).collect();
    let mut wanted = BTreeMap::new();
    for rows in [there, second, first] {
        apply(&mut wanted, true, false, rows);
    }
    assert_eq!(found, wanted, "nothing is lost");
    check_index(&table).await;
}

#[tokio::test]
async fn known_keys_are_a_conflict_when_an_overwrite_took_them_away() {
    let table = table(false, &[]).await;
    upsert(&table, &[(0, 1, 0), (0, 2, 0)]).await;
    let late = prepare(&table, &[(0, 1, 7)], false).await.unwrap();
    let replaced = prepare(&table, &[(0, 3, 1)], true).await.unwrap();
    publish(&table, CommitMode::OverwriteDynamic, &replaced).await.map(drop).unwrap();
    let error = publish(&table, CommitMode::Append, &late).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CommitConflict);
    check_index(&table).await;
}

#[derive(Debug, Clone, Copy)]
enum Damage {
    Missing,
    Torn,
    Longer,
}

#[rstest]
#[case(Damage::Missing, ErrorKind::NotFound)]
#[case(Damage::Torn, ErrorKind::CorruptData)]
#[case(Damage::Longer, ErrorKind::CorruptData)]
#[tokio::test]
async fn a_damaged_index_is_named(#[case] damage: Damage, #[case] kind: ErrorKind) {
    let table = table(false, &[("dynamic-bucket.target-row-num", "2")]).await;
    upsert(&table, &[(0, 1, 0), (0, 2, 0), (0, 3, 0)]).await;
    let file = hash_files(&table).await.into_iter().find(|entry| entry.bucket == 1).unwrap();
    let path = table.paths().index(&file.file_name);
    let bytes = table.storage().read(&path).await.unwrap();
    match damage {
        Damage::Missing => table.storage().delete(&path).await.unwrap(),
        Damage::Torn => table.storage().put(&path, bytes.slice(..bytes.len() - 1)).await.unwrap(),
        Damage::Longer => table.storage().put(&path, [bytes.as_ref(), &[0; 4]].concat().into()).await.unwrap(),
    }
    let error = prepare(&table, &[(0, 1, 1)], false).await.unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    let text = format!("{error:?}");
    for named in [file.file_name.as_str(), "bucket", &table.storage().root_url()] {
        assert!(text.contains(named), "{named} in {text}");
    }
    // What is there is replaced without being looked at.
    let replaced = prepare(&table, &[(0, 1, 1)], true).await.unwrap();
    publish(&table, CommitMode::OverwriteDynamic, &replaced).await.map(drop).unwrap();
    check_index(&table).await;
}

#[tokio::test]
async fn an_index_of_other_hashes_than_stated_is_named() {
    let table = table(false, &[]).await;
    let mut messages = prepare(&table, &[(0, 1, 0), (0, 2, 0)], false).await.unwrap();
    messages[0].index_changes[0].row_count = 3;
    publish(&table, CommitMode::Append, &messages).await.map(drop).unwrap();
    let error = prepare(&table, &[(0, 1, 1)], false).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CorruptData, "{error}");
    let text = format!("{error:?}");
    for named in [messages[0].index_changes[0].file_name.as_str(), "3 hashes, found 2"] {
        assert!(text.contains(named), "{named} in {text}");
    }
}

#[tokio::test]
async fn a_bucket_with_rows_and_without_an_index_takes_no_more() {
    let table = table(true, &[("dynamic-bucket.target-row-num", "1")]).await;
    upsert(&table, &[(1, 1, 0)]).await;
    // As writers do that know nothing of indexes.
    let mut messages = prepare(&table, &[(0, 1, 0), (0, 2, 0)], false).await.unwrap();
    messages.iter_mut().filter(|message| message.bucket == 1).for_each(|message| message.index_changes.clear());
    publish(&table, CommitMode::Append, &messages).await.map(drop).unwrap();
    let before = state(&table).await;
    // Key 2 is in the bucket that nobody knows the keys of; key 1 is known, but who tells?
    for key in [1, 2] {
        let error = prepare(&table, &[(0, key, 1)], false).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CorruptData, "{error}");
        assert!(error.message().contains("HASH index of bucket 1 of partition p=0"), "{error}");
    }
    assert_eq!(state(&table).await, before);
    upsert(&table, &[(1, 1, 1)]).await;
    let replaced = prepare(&table, &[(0, 1, 1), (0, 2, 1)], true).await.unwrap();
    publish(&table, CommitMode::OverwriteDynamic, &replaced).await.map(drop).unwrap();
    upsert(&table, &[(0, 2, 2)]).await;
    check_index(&table).await;
}

#[rstest]
#[case::workers(&[], 3, 3)]
#[case::parallelism(&[("dynamic-bucket.assigner-parallelism", "2")], 3, 2)]
#[case::buckets_at_first(&[("dynamic-bucket.initial-buckets", "5")], 3, 5)]
#[case::the_larger_one(&[("dynamic-bucket.initial-buckets", "2"), ("dynamic-bucket.assigner-parallelism", "4")], 3, 4)]
#[tokio::test]
async fn there_are_as_many_assigners_as_options_want(
    #[case] options: &[(&str, &str)],
    #[case] workers: u32,
    #[case] wanted: u32,
) {
    let table = table(false, options).await;
    assert_eq!(AssignerRouter::new(table.schema(), workers).unwrap().assigners(), wanted);
}

#[rstest]
#[tokio::test]
async fn what_is_not_committed_leaves_no_index_file(#[values(false, true)] beside_data: bool) {
    let beside_data = beside_data.to_string();
    let table = table(true, &[("index-file-in-data-file-dir", &beside_data)]).await;
    let messages = prepare(&table, &[(0, 1, 0), (1, 1, 0)], false).await.unwrap();
    let added: Vec<String> = messages
        .iter()
        .flat_map(|message| &message.index_changes)
        .inspect(|change| assert_eq!(change.kind, FileKind::Add))
        .map(|change| table.index_path(change, &change.partition).unwrap())
        .collect();
    assert_eq!(added.len(), 2);
    for path in &added {
        assert!(table.storage().exists(path).await.unwrap(), "{path}");
    }
    abort(&table, &messages).await.unwrap();
    for path in &added {
        assert!(!table.storage().exists(path).await.unwrap(), "{path}");
    }
}

#[tokio::test]
async fn buckets_of_rows_are_refused_where_there_are_none_or_they_are_none() {
    let assigned = Some(AssignedBuckets { column: "b".into(), base_snapshot: None });
    let options = WriteOptions { assigned, ..WriteOptions::default() };
    let fixed = testkit::create_table(keyed(false, &[("bucket", "2")])).await;
    let dynamic = table(false, &[]).await;
    let mut rows = batch(&[(0, 1, 1)]);
    for (table, bucket) in [(fixed, 0), (dynamic.clone(), -1), (dynamic, 32_767)] {
        let mut columns: Vec<(String, ArrayRef)> = rows
            .schema()
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .zip(rows.columns().iter().cloned())
            .collect();
        columns.truncate(4);
        columns.push(("b".into(), Arc::new(Int32Array::from(vec![bucket]))));
        rows = RecordBatch::try_from_iter(columns).unwrap();
        let mut writer = TableWriter::open(table, options.clone()).await.unwrap();
        let error = writer.write(&rows).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    }
}
