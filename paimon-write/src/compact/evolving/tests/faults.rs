//! Compactions that are cut short, and storage that fails.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use object_store::ObjectStore;
use paimon_io::TableStore;
use paimon_io::testkit::{FaultyStore, nth};
use paimon_scan::ReadPoint;
use paimon_spec::{ErrorKind, Result};

use super::model::{Pick, Rows, Table, evolving, live, read_rows};
use crate::tests::stores::{dying_at_each_call, open};
use crate::{BATCH_IDENTIFIER, CommitMode, CommitRequest, CompactRequest, compact, outcome_is_unknown};

/// Two partitions, each with row groups that follow one another, newer columns, and rows that are deleted.
async fn table() -> Table {
    let mut table = Table::new(evolving(true, &[])).await;
    for _ in 0..5 {
        table.append(4).await;
    }
    table.update(&["n", "b"], Pick { modulus: 3, remainder: 0 }).await;
    table.delete(Pick { modulus: 5, remainder: 2 }).await;
    table
}

async fn work(table: TableStore) -> Result<()> {
    let table_identity = table.identity().await?;
    let commit = CommitRequest {
        user: "compactor".to_owned(),
        identifier: BATCH_IDENTIFIER,
        mode: CommitMode::Append,
        properties: BTreeMap::new(),
        table_identity,
    };
    compact(&table, &CompactRequest { full: true, ..CompactRequest::default() }, &commit, &|_| {}).await.map(drop)
}

async fn rows(table: &TableStore) -> Rows {
    read_rows(table, ReadPoint::Latest).await.into_iter().map(|(key, (_, row))| (key, row)).collect()
}

/// Files in the folders of buckets and of indexes.
async fn files(table: &TableStore) -> HashSet<String> {
    let mut names = HashSet::new();
    for folder in ["p=0/bucket-0", "p=1/bucket-0", "index"] {
        names.extend(table.storage().list(folder).await.unwrap().into_iter().map(|listed| listed.name));
    }
    names
}

/// How many data files there are.
async fn data_files(table: &TableStore) -> usize {
    live(table).await.iter().filter(|file| !file.is_blob()).count()
}

#[tokio::test]
async fn a_compaction_that_dies_at_any_call_has_happened_or_not() {
    let expected = table().await.rows;
    let mut found = HashSet::new();
    let look = async |memory: Arc<object_store::memory::InMemory>, done: bool| {
        let table = open(memory, 1 << 30).await;
        assert_eq!(rows(&table).await, expected);
        let left = data_files(&table).await;
        assert!(!done || left == 2, "{left}");
        found.insert(left);
        // Whoever comes next finds a table that works.
        work(table.clone()).await.unwrap();
        assert_eq!((data_files(&table).await, rows(&table).await), (2, expected.clone()));
    };
    dying_at_each_call(async || table().await.memory, async |table| work(table).await, look).await;
    assert_eq!(found.len(), 2, "nothing or all: {found:?}");
}

#[tokio::test]
async fn a_call_that_fails_leaves_no_file_behind() {
    for call in 1.. {
        let Table { memory, rows: expected, .. } = table().await;
        let faulty = FaultyStore::new(Arc::clone(&memory) as Arc<dyn ObjectStore>);
        let store = open(Arc::clone(&faulty) as Arc<dyn ObjectStore>, 5).await;
        let (there, before) = (files(&store).await, data_files(&store).await);
        faulty.fail_before(nth(faulty.calls() + call));
        let outcome = work(store).await;
        if faulty.failed() == 0 {
            assert!(outcome.is_ok() && call > 10, "{outcome:?} after {call} calls");
            return;
        }
        let store = open(memory, 1 << 30).await;
        assert_eq!(rows(&store).await, expected);
        if let Err(error) = &outcome
            && data_files(&store).await == before
            && !outcome_is_unknown(error)
        {
            let left: Vec<String> = files(&store).await.difference(&there).cloned().collect();
            // The call that failed may have been the one that deletes.
            assert!(left.len() <= 1, "{left:?} are left behind by {error}");
        }
    }
}

#[tokio::test]
async fn a_file_that_is_gone_is_named() {
    let table = table().await;
    let (files, indexes) = (table.live().await, table.store.storage().list("index").await.unwrap());
    let data = files.iter().find(|file| !file.is_blob() && file.row_count == 4).unwrap();
    let folders = ["p=0/bucket-0", "p=1/bucket-0"].map(|folder| format!("{folder}/{}", data.file_name));
    for path in folders {
        let _ = table.store.storage().delete(&path).await;
    }
    let error = work(open(Arc::clone(&table.memory) as Arc<dyn ObjectStore>, 8).await).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert!(format!("{error:?} {error}").contains(&data.file_name), "{error:?}");

    let table = self::table().await;
    for index in &indexes {
        let _ = table.store.storage().delete(&format!("index/{}", index.name)).await;
    }
    let there = self::files(&table.store).await;
    let error = work(open(Arc::clone(&table.memory) as Arc<dyn ObjectStore>, 8).await).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert_eq!(self::files(&table.store).await, there, "nothing is left behind");
}
