//! Several processes write one primary-key table at the same time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Int32Type, Int64Type};
use futures::TryStreamExt;
use object_store::ObjectStore;
use object_store::memory::InMemory;
use paimon_io::TableStore;
use paimon_merge::{ReadRequest, read};
use paimon_scan::{ScanRequest, plan};
use rstest::rstest;

use super::stores::{create, dying_at_each_call, open};
use crate::testing::{keyed, live_files, request};
use crate::{CommitMode, CommitRequest, Committed, TableWriter, WriteOptions, commit};

const PROCESSES: i64 = 6;
const UPSERTS: i32 = 5;
/// Keys that all processes write.
const SHARED: i64 = 8;

/// Rows of the keys, all with the value `n`.
fn batch(keys: &[i64], n: i32) -> RecordBatch {
    let k: ArrayRef = Arc::new(Int64Array::from(keys.to_vec()));
    let columns: [(&str, ArrayRef); 4] = [
        ("p", Arc::new(Int32Array::from(vec![0; keys.len()]))),
        ("k", k),
        ("v", Arc::new(StringArray::from_iter_values(keys.iter().map(|_| "v")))),
        ("n", Arc::new(Int32Array::from(vec![n; keys.len()]))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

async fn write(table: &TableStore, mode: CommitMode, keys: &[i64], n: i32) -> Committed {
    let overwrite = !matches!(mode, CommitMode::Append);
    let mut writer =
        TableWriter::open(table.clone(), WriteOptions { overwrite, ..WriteOptions::default() }).await.unwrap();
    writer.write(&batch(keys, n)).await.unwrap();
    let messages = writer.prepare_commit().await.unwrap();
    commit(table, &request(table, mode).await, &messages).await.unwrap()
}

/// The value of each key; each is there once.
async fn rows(table: &TableStore) -> BTreeMap<i64, i32> {
    let mut found = BTreeMap::new();
    for split in plan(table, &ScanRequest::default()).await.unwrap().splits {
        let batches = read(table, &split, &ReadRequest::default()).await.unwrap();
        for batch in batches.try_collect::<Vec<RecordBatch>>().await.unwrap() {
            let (k, n) = (batch.column(1).as_primitive::<Int64Type>(), batch.column(3).as_primitive::<Int32Type>());
            for (k, n) in k.values().iter().zip(n.values()) {
                assert_eq!(found.insert(*k, *n), None, "key {k} is there twice");
            }
        }
    }
    found
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn upserts_of_many_processes_are_all_there(#[values("1", "3")] buckets: &str) {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let schema = keyed(false, &[("bucket", buckets), ("commit.max-retries", "100")]);
    let table = create(Arc::clone(&store), schema).await;
    let process = |process: i64| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let table = open(store, process as u64).await;
            for n in 0..UPSERTS {
                // A key of the process's own, a new one each time, and those that all write.
                let own = [1000 + process, 10_000 + process * 100 + i64::from(n)];
                let keys: Vec<i64> = own.into_iter().chain(0..SHARED).collect();
                assert!(matches!(write(&table, CommitMode::Append, &keys, n).await, Committed::Snapshot(_)));
            }
        })
    };
    for task in (0..PROCESSES).map(process).collect::<Vec<_>>() {
        task.await.unwrap();
    }
    assert_eq!(table.latest_snapshot().await.unwrap().unwrap().id, PROCESSES * i64::from(UPSERTS));
    let found = rows(&table).await;
    for process in 0..PROCESSES {
        assert_eq!(found[&(1000 + process)], UPSERTS - 1, "a process sees its own upserts in their order");
        assert!((0..UPSERTS).all(|n| found[&(10_000 + process * 100 + i64::from(n))] == n));
    }
    let keys = SHARED + PROCESSES * (1 + i64::from(UPSERTS));
    assert_eq!(found.len() as i64, keys);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_overwrite_takes_what_was_there_and_nothing_that_came_after() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let table = create(Arc::clone(&store), keyed(false, &[("bucket", "2"), ("commit.max-retries", "100")])).await;
    let process = |process: i64| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let table = open(store, process as u64).await;
            let mut committed = Vec::new();
            for n in 0..UPSERTS {
                let key = process * 100 + i64::from(n);
                let mode = if process % 2 == 0 { CommitMode::Append } else { CommitMode::OverwriteDynamic };
                let overwrite = !matches!(mode, CommitMode::Append);
                match write(&table, mode, &[key, 7], n).await {
                    Committed::Snapshot(id) => committed.push((id, overwrite, key)),
                    other => panic!("{other:?}"),
                }
            }
            committed
        })
    };
    let mut history = Vec::new();
    for task in (0..PROCESSES).map(process).collect::<Vec<_>>() {
        history.extend(task.await.unwrap());
    }
    history.sort_unstable();
    let mut wanted = BTreeSet::from([7]);
    for (_, overwrite, key) in history {
        if overwrite {
            wanted = BTreeSet::from([7]);
        }
        wanted.insert(key);
    }
    assert_eq!(rows(&table).await.into_keys().collect::<BTreeSet<_>>(), wanted);
}

/// Wherever the process dies, the upsert is there as a whole or not at all, and the same commit after it is not made
/// twice.
#[tokio::test]
async fn a_process_that_dies_leaves_no_half_of_an_upsert() {
    const KEYS: [i64; 4] = [1, 2, 3, 4];
    let upsert = async |table: &TableStore, n: i32| {
        let mut writer = TableWriter::open(table.clone(), WriteOptions::default()).await?;
        writer.write(&batch(&KEYS, n)).await?;
        let messages = writer.prepare_commit().await?;
        let request = CommitRequest {
            user: "dying".to_owned(),
            identifier: 1,
            mode: CommitMode::Append,
            properties: BTreeMap::new(),
            table_identity: table.identity().await?,
        };
        commit(table, &request, &messages).await.map(drop)
    };
    dying_at_each_call(
        async || {
            let store = Arc::new(InMemory::new());
            let schema = keyed(false, &[("bucket", "2"), ("changelog-producer", "input"), ("commit.max-retries", "0")]);
            let table = create(Arc::clone(&store) as Arc<dyn ObjectStore>, schema).await;
            assert_eq!(write(&table, CommitMode::Append, &KEYS, 0).await, Committed::Snapshot(1));
            store
        },
        async |table| {
            upsert(&table, 1).await?;
            // A hint that could not be written goes unnoticed; the next call of a dead process does not.
            table.storage().list("snapshot").await.map(drop)
        },
        async |store, last| {
            let table = open(store, 99).await;
            let found: BTreeSet<i32> = rows(&table).await.into_values().collect();
            assert!(found.len() == 1, "an upsert is there in parts: {found:?}");
            assert!(!last || found.contains(&1));
            upsert(&table, 2).await.unwrap();
            let after: BTreeSet<i32> = rows(&table).await.into_values().collect();
            // Only a commit that is not there is made.
            let wanted = if found.contains(&1) { 1 } else { 2 };
            assert_eq!(after, BTreeSet::from([wanted]));
            assert!(live_files(&table).await.len() <= 4);
        },
    )
    .await;
}
