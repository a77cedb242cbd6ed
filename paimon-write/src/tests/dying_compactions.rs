//! Compactions that die, or whose storage fails, at each of their calls.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Int32Type, Int64Type};
use futures::TryStreamExt;
use object_store::ObjectStore;
use object_store::memory::InMemory;
use paimon_io::TableStore;
use paimon_io::testkit::{Call, FaultyStore};
use paimon_merge::{ReadRequest, read};
use paimon_scan::{ScanRequest, plan};
use paimon_spec::{Result, Schema};
use rstest::rstest;

use super::stores::{create, dying_at_each_call, open};
use crate::compact::{CompactRequest, compact};
use crate::testing::{keyed, request};
use crate::{BATCH_IDENTIFIER, CommitMode, CommitRequest, TableWriter, WriteOptions, commit};

/// Tables whose compaction changes different things.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// Levels alone.
    Keyed,
    /// Deletion vectors, too; new rows are seen only afterwards.
    Vectors,
    /// A changelog, too.
    Changelog,
    /// Small files of a table without keys.
    Append,
    /// Rows get their bucket; before, they are not seen.
    Postponed,
}

impl Kind {
    fn schema(self) -> Schema {
        let keyed = |options: &[(&str, &str)]| {
            keyed(false, &[options, &[("write-only", "true"), ("commit.max-retries", "1")]].concat())
        };
        match self {
            Self::Keyed => keyed(&[("bucket", "2")]),
            Self::Vectors => keyed(&[("bucket", "2"), ("deletion-vectors.enabled", "true")]),
            Self::Changelog => keyed(&[("bucket", "1"), ("changelog-producer", "full-compaction")]),
            Self::Append => Schema { primary_keys: Vec::new(), ..keyed(&[("bucket", "-1")]) },
            Self::Postponed => keyed(&[("bucket", "-2"), ("postpone.default-bucket-num", "2")]),
        }
    }
}

/// Keys of each commit; the value of a row is the number of its commit.
const COMMITS: [std::ops::Range<i64>; 4] = [0..6, 3..9, 8..9, 0..2];

async fn write(table: &TableStore, keys: impl Iterator<Item = i64>, n: i32) {
    let keys: Vec<i64> = keys.collect();
    let columns: [(&str, ArrayRef); 4] = [
        ("p", Arc::new(Int32Array::from(vec![0; keys.len()]))),
        ("k", Arc::new(Int64Array::from(keys.clone()))),
        ("v", Arc::new(StringArray::from_iter_values(keys.iter().map(|_| "v")))),
        ("n", Arc::new(Int32Array::from(vec![n; keys.len()]))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer = TableWriter::open(table.clone(), WriteOptions::default()).await.unwrap();
    writer.write(&batch).await.unwrap();
    let messages = writer.prepare_commit().await.unwrap();
    let _ = commit(table, &request(table, CommitMode::Append).await, &messages).await.unwrap();
}

async fn compact_fully(table: &TableStore) -> Result<()> {
    let commit = CommitRequest {
        user: "compactor".to_owned(),
        identifier: BATCH_IDENTIFIER,
        mode: CommitMode::Append,
        properties: BTreeMap::new(),
        table_identity: table.identity().await?,
    };
    let wanted = CompactRequest { full: true, ..CompactRequest::default() };
    compact(table, &wanted, &commit, &|_| {}).await.map(drop)
}

/// How often each key and value is there.
type Rows = BTreeMap<(i64, i32), usize>;

async fn rows(table: &TableStore) -> Rows {
    let mut found = Rows::new();
    for split in plan(table, &ScanRequest::default()).await.unwrap().splits {
        let batches = read(table, &split, &ReadRequest::default()).await.unwrap();
        for batch in batches.try_collect::<Vec<RecordBatch>>().await.unwrap() {
            let (k, n) = (batch.column(1).as_primitive::<Int64Type>(), batch.column(3).as_primitive::<Int32Type>());
            for (k, n) in k.values().iter().zip(n.values()) {
                *found.entry((*k, *n)).or_default() += 1;
            }
        }
    }
    found
}

/// A table with commits that wait for a compaction, on top of the first one, which does not.
async fn prepared(kind: Kind) -> (Arc<InMemory>, Rows) {
    let store = Arc::new(InMemory::new());
    let table = create(Arc::clone(&store) as Arc<dyn ObjectStore>, kind.schema()).await;
    for (n, keys) in COMMITS.into_iter().enumerate() {
        write(&table, keys, n as i32).await;
        if n == 0 {
            compact_fully(&table).await.unwrap();
        }
    }
    let before = rows(&table).await;
    (store, before)
}

/// What is there once all is compacted.
fn wanted(kind: Kind) -> Rows {
    let all = COMMITS.into_iter().enumerate().flat_map(|(n, keys)| keys.map(move |key| (key, n as i32)));
    match kind {
        Kind::Append => all.map(|row| (row, 1)).collect(),
        _ => all.collect::<BTreeMap<i64, i32>>().into_iter().map(|row| (row, 1)).collect(),
    }
}

/// Commits and compactions go on as if nothing had been.
async fn goes_on(table: &TableStore, kind: Kind) {
    compact_fully(table).await.unwrap();
    assert_eq!(rows(table).await, wanted(kind), "{kind:?}");
    write(table, [100].into_iter(), 9).await;
    compact_fully(table).await.unwrap();
    let mut more = wanted(kind);
    more.insert((100, 9), 1);
    assert_eq!(rows(table).await, more, "{kind:?}");
}

#[rstest]
#[tokio::test]
async fn a_compaction_that_dies_leaves_the_table_as_it_was_or_compacted(
    #[values(Kind::Keyed, Kind::Vectors, Kind::Changelog, Kind::Append, Kind::Postponed)] kind: Kind,
) {
    let (_, before) = prepared(kind).await;
    dying_at_each_call(
        async || prepared(kind).await.0,
        async |table| {
            compact_fully(&table).await?;
            // A hint that could not be written goes unnoticed; the next call of a dead process does not.
            table.storage().list("snapshot").await.map(drop)
        },
        async |store, done| {
            let table = open(store, 99).await;
            let found = rows(&table).await;
            let after = wanted(kind);
            assert!(found == after || (!done && found == before), "{kind:?}: {found:?}");
            goes_on(&table, kind).await;
        },
    )
    .await;
}

#[rstest]
#[tokio::test]
async fn whichever_call_of_a_compaction_fails_no_row_is_lost_and_the_next_one_works(
    #[values(Kind::Keyed, Kind::Vectors, Kind::Changelog, Kind::Append, Kind::Postponed)] kind: Kind,
    #[values(false, true)] answer_is_lost: bool,
) {
    let (mut call, mut failures) = (0, 0);
    loop {
        let (memory, before) = prepared(kind).await;
        let faulty = FaultyStore::new(Arc::clone(&memory) as Arc<dyn ObjectStore>);
        let table = open(Arc::clone(&faulty) as Arc<dyn ObjectStore>, 5).await;
        let first = faulty.calls() + call;
        let hit = move |seen: &Call| seen.number == first;
        if answer_is_lost {
            faulty.fail_after(hit)
        } else {
            faulty.fail_before(hit)
        }
        let outcome = compact_fully(&table).await;
        let reached = faulty.calls() > first;
        faulty.heal();

        let fresh = open(Arc::clone(&memory) as Arc<dyn ObjectStore>, 6).await;
        let (found, after) = (rows(&fresh).await, wanted(kind));
        assert!(
            found == after || (outcome.is_err() && found == before),
            "{kind:?}, call {call}, {outcome:?}: {found:?}"
        );
        goes_on(&fresh, kind).await;
        failures += u32::from(outcome.is_err());
        if !reached {
            assert!(call > 5 && failures > 5, "the faults never struck");
            break;
        }
        call += 1;
    }
}
