//! Writers of one table, each compacting what it commits, and two processes beside them that compact all the time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{ArrayRef, AsArray, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Int32Type, Int64Type};
use futures::TryStreamExt;
use object_store::ObjectStore;
use object_store::memory::InMemory;
use paimon_io::TableStore;
use paimon_merge::{ReadRequest, read};
use paimon_scan::{ScanRequest, plan};
use paimon_spec::{CommitMessage, ErrorKind};
use rstest::rstest;

use super::stores::{create, open};
use crate::compact::{CompactRequest, after_commit, compact};
use crate::testing::{keyed, request};
use crate::{CommitMode, TableWriter, WriteOptions, abort, commit, outcome_is_unknown};

const WRITERS: i64 = 3;
const UPSERTS: i32 = 4;
/// Keys that all writers write.
const SHARED: i64 = 6;

/// The keys of a writer's own that its n-th upsert brings: one that it always writes, and a new one.
fn own_keys(writer: i64, n: i32) -> [i64; 2] {
    [100 + writer, 1000 + 100 * writer + i64::from(n)]
}

async fn prepare(table: &TableStore, keys: &[i64], n: i32) -> Vec<CommitMessage> {
    let columns: [(&str, ArrayRef); 4] = [
        ("p", Arc::new(Int32Array::from(vec![0; keys.len()]))),
        ("k", Arc::new(Int64Array::from(keys.to_vec()))),
        ("v", Arc::new(StringArray::from_iter_values(keys.iter().map(|_| "v")))),
        ("n", Arc::new(Int32Array::from(vec![n; keys.len()]))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer = TableWriter::open(table.clone(), WriteOptions::default()).await.unwrap();
    writer.write(&batch).await.unwrap();
    writer.prepare_commit().await.unwrap()
}

/// Upserts, again where another commit is in the way, and makes the rows visible.
async fn upsert(table: &TableStore, keys: &[i64], n: i32) {
    let request = request(table, CommitMode::Append).await;
    loop {
        let messages = prepare(table, keys, n).await;
        match commit(table, &request, &messages).await {
            Ok(_) => {
                after_commit(table, &request, &messages, None).await.unwrap();
                return;
            }
            Err(error) => {
                assert!(error.kind() == ErrorKind::CommitConflict && !outcome_is_unknown(&error), "{error}");
                abort(table, &messages).await.unwrap();
            }
        }
    }
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
#[case::keys(&[("bucket", "2")])]
#[case::deletion_vectors(&[("bucket", "2"), ("deletion-vectors.enabled", "true")])]
#[case::first_row(&[("bucket", "2"), ("merge-engine", "first-row")])]
#[case::dynamic_buckets(&[("bucket", "-1"), ("dynamic-bucket.target-row-num", "8")])]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_row_of_many_writers_is_lost_doubled_or_hidden(#[case] options: &[(&str, &str)]) {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let options = [options, &[("num-sorted-run.compaction-trigger", "2"), ("commit.max-retries", "100")]].concat();
    let table = create(Arc::clone(&store), keyed(false, &options)).await;
    let is_first_row = options.contains(&("merge-engine", "first-row"));
    let ended = Arc::new(AtomicBool::new(false));

    let writer = |writer: i64| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let table = open(store, writer as u64).await;
            for n in 0..UPSERTS {
                let own = own_keys(writer, n);
                let keys: Vec<i64> = own.into_iter().chain(0..SHARED).collect();
                upsert(&table, &keys, n).await;
                let found = rows(&table).await;
                assert_eq!(found.get(&own[1]), Some(&n), "what is committed is seen");
                assert_eq!(found.get(&own[0]), Some(if is_first_row { &0 } else { &n }));
            }
        })
    };
    let compactor = |number: u64| {
        let (store, ended) = (Arc::clone(&store), Arc::clone(&ended));
        tokio::spawn(async move {
            let table = open(store, 100 + number).await;
            let mut full = false;
            while !ended.load(Ordering::Relaxed) {
                let wanted = CompactRequest { full, ..CompactRequest::default() };
                compact(&table, &wanted, &request(&table, CommitMode::Append).await, &|_| {}).await.unwrap();
                full = !full;
                tokio::task::yield_now().await;
            }
        })
    };
    let compactors: Vec<_> = (0..2).map(compactor).collect();
    for task in (0..WRITERS).map(writer).collect::<Vec<_>>() {
        task.await.unwrap();
    }
    ended.store(true, Ordering::Relaxed);
    for task in compactors {
        task.await.unwrap();
    }

    let check = |found: BTreeMap<i64, i32>| {
        for writer in 0..WRITERS {
            assert!((0..UPSERTS).all(|n| found.get(&own_keys(writer, n)[1]) == Some(&n)), "{found:?}");
        }
        assert_eq!(found.len() as i64, SHARED + WRITERS * (1 + i64::from(UPSERTS)));
    };
    check(rows(&table).await);
    let wanted = CompactRequest { full: true, ..CompactRequest::default() };
    compact(&table, &wanted, &request(&table, CommitMode::Append).await, &|_| {}).await.unwrap();
    check(rows(&table).await);
}
