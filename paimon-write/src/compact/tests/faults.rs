//! Compactions that are cut short, and storage that fails.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::memory::InMemory;
use paimon_io::TableStore;
use paimon_io::testkit::{FaultyStore, nth};
use paimon_spec::{ErrorKind, Result};
use rstest::rstest;

use super::model::{Changes, State, check_files, compacted, entries, rows, schema, upsert};
use crate::tests::stores::{create, dying_at_each_call, open};
use crate::{BATCH_IDENTIFIER, CommitMode, CommitRequest, CompactRequest, compact, outcome_is_unknown};

const OPTIONS: &[(&str, &str)] = &[
    ("bucket", "2"),
    ("deletion-vectors.enabled", "true"),
    ("changelog-producer", "lookup"),
    ("target-file-row-num", "6"),
    ("num-levels", "3"),
    ("compaction.size-ratio", "0"),
];

fn puts(keys: std::ops::Range<i64>, n: i32) -> Changes {
    keys.map(|key| (key, Some((Some("v".to_owned()), Some(n))))).collect()
}

/// Files on the last level, with deletions and new rows above them.
async fn store() -> Arc<InMemory> {
    let memory = Arc::new(InMemory::new());
    let table = create(Arc::clone(&memory) as Arc<dyn ObjectStore>, schema(OPTIONS)).await;
    upsert(&table, &puts(0..40, 1)).await;
    compacted(&table, true).await;
    upsert(&table, &puts(10..13, 2)).await;
    compacted(&table, false).await;
    upsert(&table, &puts(11..15, 3)).await;
    upsert(&table, &puts(50..52, 3)).await;
    memory
}

fn before() -> State {
    [puts(0..40, 1), puts(10..13, 2)].into_iter().flatten().map(|(key, values)| (key, values.unwrap())).collect()
}

fn after() -> State {
    let later = [puts(11..15, 3), puts(50..52, 3)].into_iter().flatten().map(|(key, values)| (key, values.unwrap()));
    before().into_iter().chain(later).collect()
}

fn request() -> CommitRequest {
    CommitRequest {
        user: "compactor".to_owned(),
        identifier: BATCH_IDENTIFIER,
        mode: CommitMode::Append,
        properties: BTreeMap::new(),
        table_identity: String::new(),
    }
}

async fn work(table: TableStore, full: bool) -> Result<()> {
    let table_identity = table.identity().await?;
    let commit = CommitRequest { table_identity, ..request() };
    compact(&table, &CompactRequest { full, ..CompactRequest::default() }, &commit, &|_| {}).await.map(drop)
}

async fn check(table: &TableStore) -> State {
    check_files(table, &table.latest_snapshot().await.unwrap().unwrap()).await;
    rows(table).await
}

#[rstest]
#[case::what_is_due(false)]
#[case::fully(true)]
#[tokio::test]
async fn a_compaction_that_dies_at_any_call_has_happened_or_not(#[case] full: bool) {
    let mut found = HashSet::new();
    let look = async |memory: Arc<InMemory>, done: bool| {
        let table = open(memory, 1 << 30).await;
        let rows = check(&table).await;
        assert!(rows == before() || rows == after(), "{rows:?}");
        assert!(!done || rows == after());
        found.insert(rows == after());
        // Whoever comes next finds a table that works.
        upsert(&table, &puts(60..61, 4)).await;
        compacted(&table, full).await;
        let mut expected = after();
        expected.extend(puts(60..61, 4).into_iter().map(|(key, values)| (key, values.unwrap())));
        assert_eq!(check(&table).await, expected);
    };
    dying_at_each_call(async || store().await, async |table| work(table, full).await, look).await;
    assert_eq!(found.len(), 2);
}

#[rstest]
#[case::what_is_due(false)]
#[case::fully(true)]
#[tokio::test]
async fn a_call_that_fails_leaves_no_file_behind(#[case] full: bool) {
    for call in 1.. {
        let memory = store().await;
        let faulty = FaultyStore::new(Arc::clone(&memory) as Arc<dyn ObjectStore>);
        let table = open(Arc::clone(&faulty) as Arc<dyn ObjectStore>, 5).await;
        let there = data_files(&table).await;
        faulty.fail_before(nth(faulty.calls() + call));
        let outcome = work(table, full).await;
        if faulty.failed() == 0 {
            assert!(outcome.is_ok() && call > 10, "{outcome:?} after {call} calls");
            return;
        }
        let table = open(memory, 1 << 30).await;
        let rows = check(&table).await;
        assert!(rows == before() || rows == after());
        if let Err(error) = &outcome
            && rows == before()
            && !outcome_is_unknown(error)
        {
            let left: Vec<String> = data_files(&table).await.difference(&there).cloned().collect();
            // The call that failed may have been the one that deletes.
            assert!(left.len() <= 1, "{left:?} are left behind by {error}");
        }
        assert!(outcome.is_err() || rows == after());
    }
}

/// Files in the folders of buckets and of indexes.
async fn data_files(table: &TableStore) -> HashSet<String> {
    let mut names = HashSet::new();
    for folder in ["bucket-0", "bucket-1", "index"] {
        names.extend(table.storage().list(folder).await.unwrap().into_iter().map(|listed| listed.name));
    }
    names
}

#[rstest]
#[case::data(|path: &str| path.contains("bucket-"))]
#[case::vectors(|path: &str| path.contains("index/"))]
#[tokio::test]
async fn a_file_that_is_gone_is_named(#[case] goes: fn(&str) -> bool) {
    let memory = store().await;
    let table = open(Arc::clone(&memory) as Arc<dyn ObjectStore>, 7).await;
    let snapshot = table.latest_snapshot().await.unwrap().unwrap();
    let folder = |entry: &paimon_spec::ManifestEntry| table.bucket_path(&entry.partition, entry.bucket).unwrap();
    let live = entries(&table, &snapshot).await;
    let mut paths: Vec<String> =
        live.iter().map(|entry| format!("{}/{}", folder(entry), entry.file.file_name)).collect();
    let indexes = table.index_manifest(snapshot.index_manifest.as_ref().unwrap()).await.unwrap();
    paths.extend(indexes.iter().map(|entry| table.paths().index(&entry.file_name)));
    let path = paths.into_iter().find(|path| goes(path)).unwrap();
    table.storage().delete(&path).await.unwrap();
    let error = work(open(memory, 8).await, true).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    let name = path.rsplit('/').next().unwrap();
    assert!(format!("{error:?} {error}").contains(name), "{error:?} does not name {name}");
}
