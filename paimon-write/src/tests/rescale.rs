//! Partitions that get another number of buckets, by being overwritten.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Int32Type, Int64Type};
use futures::TryStreamExt;
use paimon_io::{TableStore, testkit};
use paimon_merge::{ReadRequest, read};
use paimon_scan::{ReadPoint, ScanRequest, live_entries, plan};
use paimon_spec::{CommitMessage, CompareOp, DataSplit, Datum, Error, ErrorKind, Predicate, Result, Schema};
use rstest::rstest;

use crate::compact::{CompactRequest, compact};
use crate::testing::{keyed, request};
use crate::{CommitMode, TableWriter, WriteOptions, commit};

const STRICT: &str = "commit.strict-mode.last-safe-snapshot";

/// A table of two partitions, with a primary key or without.
fn schema_of(has_key: bool) -> Schema {
    let mut schema = keyed(true, &[("bucket", "2")]);
    if !has_key {
        schema.primary_keys.clear();
        schema.options.insert("bucket-key".into(), "k".into());
    }
    schema
}

/// The same table after an option was altered.
fn altered(table: &TableStore, option: &str, value: &str) -> TableStore {
    let mut schema = table.schema().as_ref().clone();
    schema.options.insert(option.into(), value.into());
    table.with_schema(Arc::new(schema))
}

fn batch(p: i32, keys: &[i64]) -> RecordBatch {
    let column: ArrayRef = Arc::new(Int32Array::from(vec![p; keys.len()]));
    let k: ArrayRef = Arc::new(Int64Array::from(keys.to_vec()));
    let v: ArrayRef = Arc::new(StringArray::new_null(keys.len()));
    let n: ArrayRef = Arc::new(Int32Array::from_iter_values(keys.iter().map(|key| *key as i32)));
    let columns = [("p", column, true), ("k", k, true), ("v", v, true), ("n", n, true)];
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

async fn prepare(table: &TableStore, overwrite: bool, batches: &[RecordBatch]) -> Result<Vec<CommitMessage>> {
    let options = WriteOptions { overwrite, ..WriteOptions::default() };
    let mut writer = TableWriter::open(table.clone(), options).await?;
    for batch in batches {
        writer.write(batch).await?;
    }
    writer.prepare_commit().await
}

async fn append(table: &TableStore, p: i32, keys: &[i64]) -> Result<()> {
    let messages = prepare(table, false, &[batch(p, keys)]).await?;
    commit(table, &request(table, CommitMode::Append).await, &messages).await.map(drop)
}

async fn splits(table: &TableStore, predicate: Option<Predicate>) -> Vec<DataSplit> {
    plan(table, &ScanRequest { predicate, ..ScanRequest::default() }).await.unwrap().splits
}

async fn batches(table: &TableStore, splits: &[DataSplit]) -> Vec<RecordBatch> {
    let mut batches = Vec::new();
    for split in splits {
        let read = read(table, split, &ReadRequest::default()).await.unwrap();
        batches.extend(read.try_collect::<Vec<_>>().await.unwrap());
    }
    batches
}

fn keys_of(batches: &[RecordBatch]) -> Vec<(i32, i64)> {
    let mut keys: Vec<(i32, i64)> = batches
        .iter()
        .flat_map(|batch| {
            let p = batch.column(0).as_primitive::<Int32Type>().values().to_vec();
            p.into_iter().zip(batch.column(1).as_primitive::<Int64Type>().values().to_vec())
        })
        .collect();
    keys.sort_unstable();
    keys
}

async fn keys(table: &TableStore) -> Vec<(i32, i64)> {
    keys_of(&batches(table, &splits(table, None).await).await)
}

fn in_partition(p: i32) -> Predicate {
    Predicate::compare(0, CompareOp::Eq, Datum::Int(p))
}

/// Reads a partition and puts its rows back, in the number of buckets that the table says now.
async fn rescale(table: &TableStore, p: i32) -> Vec<CommitMessage> {
    let rows = batches(table, &splits(table, Some(in_partition(p))).await).await;
    prepare(table, true, &rows).await.unwrap()
}

async fn overwrite(table: &TableStore, messages: &[CommitMessage]) -> Result<()> {
    commit(table, &request(table, CommitMode::OverwriteDynamic).await, messages).await.map(drop)
}

/// The numbers of buckets in each partition.
async fn numbers(table: &TableStore) -> BTreeMap<Vec<u8>, BTreeSet<i32>> {
    let snapshot = table.latest_snapshot().await.unwrap().unwrap();
    let mut numbers: BTreeMap<Vec<u8>, BTreeSet<i32>> = BTreeMap::new();
    for entry in live_entries(table, &snapshot, &|_, _| true).await.unwrap() {
        assert!(entry.bucket < entry.total_buckets, "{entry:?}");
        numbers.entry(entry.partition.to_metadata()).or_default().insert(entry.total_buckets);
    }
    numbers
}

async fn all_numbers(table: &TableStore) -> Vec<Vec<i32>> {
    numbers(table).await.into_values().map(|numbers| numbers.into_iter().collect()).collect()
}

/// Each key is found, in one bucket.
async fn check_look_ups(table: &TableStore, keys: &[(i32, i64)]) {
    for (p, key) in keys {
        let of_key = Predicate::compare(1, CompareOp::Eq, Datum::BigInt(*key));
        let splits = splits(table, Some(Predicate::and([in_partition(*p), of_key]))).await;
        let buckets: BTreeSet<i32> = splits.iter().map(|split| split.bucket).collect();
        assert_eq!(buckets.len(), 1, "key {key} of partition {p} is looked for in {buckets:?}");
        assert!(keys_of(&batches(table, &splits).await).contains(&(*p, *key)));
    }
}

#[rstest]
#[tokio::test]
async fn partitions_are_rescaled_one_by_one(#[values(false, true)] has_key: bool, #[values("1", "5")] number: &str) {
    let two = testkit::create_table(schema_of(has_key)).await;
    let all: Vec<i64> = (0..24).collect();
    for p in [0, 1] {
        append(&two, p, &all[..12]).await.unwrap();
        append(&two, p, &all[12..]).await.unwrap();
    }
    let before = keys(&two).await;
    let table = altered(&two, "bucket", number);
    assert_eq!(keys(&table).await, before, "the number of new buckets says nothing of old rows");
    check_look_ups(&table, &before).await;
    let error = append(&table, 0, &[99]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.message().contains("in 2 buckets") && error.message().contains("overwrite"), "{error}");

    let messages = rescale(&table, 0).await;
    overwrite(&table, &messages).await.unwrap();
    let number: i32 = number.parse().unwrap();
    assert_eq!(all_numbers(&table).await, [[number], [2]]);
    assert_eq!(keys(&table).await, before);
    check_look_ups(&table, &before).await;
    append(&table, 0, &[99]).await.unwrap();
    let error = append(&table, 1, &[99]).await.unwrap_err();
    assert!(error.message().contains("p=1") && error.message().contains("in 2 buckets"), "{error}");
    let error = append(&two, 0, &[98]).await.unwrap_err();
    assert!(error.message().contains(&format!("in {number} buckets")), "{error}");

    // Compactions leave the numbers as they are.
    let what = CompactRequest { full: true, ..CompactRequest::default() };
    compact(&table, &what, &request(&table, CommitMode::Append).await, &|_| {}).await.unwrap();
    assert_eq!(all_numbers(&table).await, [[number], [2]]);
    let messages = rescale(&table, 1).await;
    overwrite(&table, &messages).await.unwrap();
    assert_eq!(all_numbers(&table).await, [[number], [number]]);
    let after: Vec<(i32, i64)> = keys(&table).await.into_iter().filter(|(_, key)| *key != 99).collect();
    assert_eq!(after, before);
    check_look_ups(&table, &before).await;

    let first = ScanRequest { at: ReadPoint::Snapshot(4), ..ScanRequest::default() };
    let old = plan(&table, &first).await.unwrap().splits;
    assert_eq!(keys_of(&batches(&table, &old).await), before, "the old state is there");
}

/// Each partition's kind of buckets is its own, until it is overwritten.
#[rstest]
#[case::dynamic_to_fixed("-1", "2", "in dynamic buckets")]
#[case::fixed_to_dynamic("2", "-1", "in 2 buckets")]
#[case::dynamic_to_postponed("-1", "-2", "in dynamic buckets")]
#[tokio::test]
async fn rows_join_only_buckets_of_their_kind(#[case] from: &str, #[case] to: &str, #[case] said: &str) {
    let full = ("dynamic-bucket.target-row-num", "3");
    let old = testkit::create_table(keyed(true, &[("bucket", from), full])).await;
    for p in [0, 1] {
        append(&old, p, &[1, 2, 3, 4, 5]).await.unwrap();
    }
    let before = keys(&old).await;
    let late = prepare(&old, false, &[batch(0, &[1, 9])]).await.unwrap();
    let late_and_known = prepare(&old, false, &[batch(0, &[1])]).await.unwrap();
    let new = altered(&old, "bucket", to);
    let refused = |error: Error| {
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
        assert!(error.message().contains(said) && error.message().contains("'bucket'"), "{error}");
    };
    refused(append(&new, 0, &[1]).await.unwrap_err());
    refused(append(&new, 1, &[99]).await.unwrap_err());
    assert_eq!(keys(&new).await, before);

    let messages = rescale(&new, 0).await;
    overwrite(&new, &messages).await.unwrap();
    append(&new, 0, &[1, 3, 5]).await.unwrap();
    assert_eq!(keys(&new).await, before, "each key is there once");
    refused(append(&new, 1, &[1]).await.unwrap_err());
    append(&new, 2, &[1]).await.unwrap();
    // What was written for the old buckets comes too late.
    for messages in [late, late_and_known] {
        let error = commit(&old, &request(&old, CommitMode::Append).await, &messages).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CommitConflict, "{error}");
    }
    let messages = rescale(&new, 1).await;
    overwrite(&new, &messages).await.unwrap();
    append(&new, 1, &[1, 3, 5]).await.unwrap();
    assert_eq!(keys(&new).await, [before.as_slice(), &[(2, 1)]].concat());
}

#[tokio::test]
async fn a_whole_table_is_rescaled_at_once() {
    let two = testkit::create_table(schema_of(true)).await;
    for p in [0, 1] {
        append(&two, p, &[1, 2, 3, 4, 5]).await.unwrap();
    }
    let before = keys(&two).await;
    let table = altered(&two, "bucket", "3");
    let rows = batches(&table, &splits(&table, None).await).await;
    let messages = prepare(&table, true, &rows).await.unwrap();
    let all = CommitMode::OverwriteStatic(BTreeMap::new());
    commit(&table, &request(&table, all).await, &messages).await.map(drop).unwrap();
    assert_eq!(all_numbers(&table).await, [[3], [3]]);
    assert_eq!(keys(&table).await, before);
}

#[tokio::test]
async fn rows_that_were_written_for_the_old_number_are_refused_when_they_come_too_late() {
    let two = testkit::create_table(schema_of(true)).await;
    append(&two, 0, &[1, 2, 3]).await.unwrap();
    let late = prepare(&two, false, &[batch(0, &[4])]).await.unwrap();
    let table = altered(&two, "bucket", "4");
    let messages = rescale(&table, 0).await;
    overwrite(&table, &messages).await.unwrap();
    let error = commit(&two, &request(&two, CommitMode::Append).await, &late).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CommitConflict);
    assert!(error.message().contains("2 buckets") && error.message().contains("in 4"), "{error}");
    assert_eq!(keys(&table).await, [(0, 1), (0, 2), (0, 3)]);
}

#[rstest]
#[case::an_append_to_the_partition(0, true)]
#[case::an_append_to_another_partition(1, false)]
#[tokio::test]
async fn what_others_wrote_since_the_rows_were_read_is_not_lost(#[case] p: i32, #[case] refused: bool) {
    let two = testkit::create_table(schema_of(true)).await;
    append(&two, 0, &[1, 2, 3]).await.unwrap();
    let read_at = two.latest_snapshot().await.unwrap().unwrap().id;
    let table = altered(&altered(&two, "bucket", "4"), STRICT, &read_at.to_string());
    let messages = rescale(&table, 0).await;
    append(&two, p, &[7]).await.unwrap();
    let mut mine = request(&table, CommitMode::OverwriteDynamic).await;
    mine.user = "rescaler".to_owned();
    let outcome = commit(&table, &mine, &messages).await;
    if refused {
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CommitConflict);
        assert!(error.message().contains("snapshot 2 of user 'tester'") && error.message().contains(STRICT), "{error}");
        assert_eq!(keys(&table).await, [(0, 1), (0, 2), (0, 3), (0, 7)]);
        // Once more, from what is there now.
        let table = altered(&table, STRICT, "2");
        let messages = rescale(&table, 0).await;
        commit(&table, &mine, &messages).await.map(drop).unwrap();
        assert_eq!(keys(&table).await, [(0, 1), (0, 2), (0, 3), (0, 7)]);
    } else {
        outcome.map(drop).unwrap();
        assert_eq!(keys(&table).await, [(0, 1), (0, 2), (0, 3), (1, 7)]);
    }
}

#[rstest]
#[case::rows_that_are_added(false, false)]
#[case::rows_that_replace(true, true)]
#[tokio::test]
async fn a_strict_commit_looks_at_what_takes_something_away(#[case] overwrites: bool, #[case] refused: bool) {
    let table = testkit::create_table(schema_of(true)).await;
    append(&table, 0, &[1, 2, 3]).await.unwrap();
    let strict = altered(&table, STRICT, "1");
    let messages = prepare(&strict, false, &[batch(0, &[9])]).await.unwrap();
    if overwrites {
        let other = prepare(&table, true, &[batch(0, &[5])]).await.unwrap();
        overwrite(&table, &other).await.unwrap();
    } else {
        append(&table, 0, &[5]).await.unwrap();
    }
    let mut mine = request(&strict, CommitMode::Append).await;
    mine.user = "adder".to_owned();
    assert_eq!(commit(&strict, &mine, &messages).await.is_err(), refused);
    // Nobody minds what they did themselves, and -1 looks at nothing.
    mine.user = "tester".to_owned();
    let messages = prepare(&strict, false, &[batch(0, &[10])]).await.unwrap();
    commit(&strict, &mine, &messages).await.map(drop).unwrap();
    mine.user = "another".to_owned();
    let loose = altered(&table, STRICT, "-1");
    let messages = prepare(&loose, false, &[batch(0, &[11])]).await.unwrap();
    commit(&loose, &mine, &messages).await.map(drop).unwrap();
}
