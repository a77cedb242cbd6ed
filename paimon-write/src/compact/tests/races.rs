//! What others do to a table while it is compacted: nothing of it is lost, and nothing comes back.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, RecordBatch, TimestampMicrosecondArray};
use object_store::ObjectStore;
use object_store::memory::InMemory;
use paimon_io::TableStore;
use paimon_io::testkit::{self, Call, FaultyStore, Operation};
use paimon_scan::{ReadPoint, delta_entries};
use paimon_spec::{BinaryRow, CommitMessage, DataFileMeta, DataType, ErrorKind, FileKind, ManifestEntry, TypeKind};
use rstest::rstest;

use super::model::{Changes, State, batch, check_files, compacted, entries, levels, rows, rows_at, schema, upsert};
use crate::testing::{bare_null, request};
use crate::tests::stores::{create, get_ahead, get_ahead_of, open};
use crate::{
    CommitMode, CommitRequest, CompactRequest, TableWriter, WriteOptions, after_commit, commit, commit_compaction,
    compact, plan_compaction, rollback, run_task,
};

const PLAIN: &[(&str, &str)] = &[("bucket", "1")];
const VECTORS: &[(&str, &str)] = &[("bucket", "1"), ("deletion-vectors.enabled", "true")];
const LOOKUP: &[(&str, &str)] = &[("bucket", "1"), ("changelog-producer", "lookup")];

/// The keys of a range, all with one value.
fn puts(keys: std::ops::Range<i64>, n: i32) -> Changes {
    keys.map(|key| (key, Some((Some("v".to_owned()), Some(n))))).collect()
}

/// Keys that nobody touches: so many that their file is not merged with every few new rows.
const REST: std::ops::Range<i64> = 1000..2000;

/// With the rows that nobody touches.
fn with_rest(parts: &[(std::ops::Range<i64>, i32)]) -> State {
    state(parts).into_iter().chain(state(&[(REST, 1)])).collect()
}

fn state(parts: &[(std::ops::Range<i64>, i32)]) -> State {
    let rows = parts.iter().flat_map(|(keys, n)| keys.clone().map(|key| (key, (Some("v".to_owned()), Some(*n)))));
    rows.collect()
}

/// Something that happens to a table.
#[derive(Debug, Clone, Copy)]
enum Event {
    Upsert,
    Delete,
    Overwrite,
    Truncate,
    Rescale,
}

impl Event {
    async fn happen(self, table: &TableStore) {
        match self {
            Self::Upsert => drop(upsert(table, &puts(0..3, 9)).await),
            Self::Delete => drop(upsert(table, &(0..20).map(|key| (key, None)).collect()).await),
            Self::Overwrite => overwrite(table, &puts(100..105, 9)).await,
            Self::Truncate => {
                let request = request(table, CommitMode::Truncate(Vec::new())).await;
                let _ = commit(table, &request, &[]).await.unwrap();
            }
            Self::Rescale => {
                let mut schema = table.schema().as_ref().clone();
                schema.options.insert("bucket".into(), "3".into());
                overwrite(&table.with_schema(Arc::new(schema)), &puts(100..105, 9)).await;
            }
        }
    }

    fn state(self) -> State {
        match self {
            Self::Upsert => with_rest(&[(0..3, 9), (3..5, 1), (5..8, 2), (8..20, 3)]),
            Self::Delete => with_rest(&[]),
            Self::Truncate => State::new(),
            Self::Overwrite | Self::Rescale => state(&[(100..105, 9)]),
        }
    }
}

async fn overwrite(table: &TableStore, changes: &Changes) {
    let options = WriteOptions { row_kind_column: Some("kind".into()), overwrite: true, ..WriteOptions::default() };
    let mut writer = TableWriter::open(table.clone(), options).await.unwrap();
    writer.write(&batch(changes)).await.unwrap();
    let messages = writer.prepare_commit().await.unwrap();
    let _ = commit(table, &request(table, CommitMode::OverwriteDynamic).await, &messages).await.unwrap();
}

/// A table with rows on the last level, rows above it, where it has vectors deletions of the former, and rows of level 0.
/// With a handle on it that can be got ahead of.
async fn table(options: &[(&str, &str)]) -> (Arc<InMemory>, Arc<FaultyStore>, TableStore) {
    let memory = Arc::new(InMemory::new());
    let table = create(Arc::clone(&memory) as Arc<dyn ObjectStore>, schema(options)).await;
    upsert(&table, &puts(0..10, 1).into_iter().chain(puts(REST, 1)).collect()).await;
    compacted(&table, true).await;
    upsert(&table, &puts(5..15, 2)).await;
    compacted(&table, false).await;
    let latest = table.latest_snapshot().await.unwrap().unwrap();
    assert_eq!(latest.index_manifest.is_some(), options == VECTORS, "{:?}", levels(&table).await);
    upsert(&table, &puts(8..20, 3)).await;
    let faulty = FaultyStore::new(Arc::clone(&memory) as Arc<dyn ObjectStore>);
    let table = open(Arc::clone(&faulty) as Arc<dyn ObjectStore>, 1).await;
    (memory, faulty, table)
}

async fn commit_request(table: &TableStore) -> CommitRequest {
    request(table, CommitMode::Append).await
}

async fn compact_fully(table: &TableStore) -> paimon_spec::Result<crate::Compacted> {
    let request = CompactRequest { full: true, ..CompactRequest::default() };
    compact(table, &request, &commit_request(table).await, &|_| {}).await
}

async fn planned(table: &TableStore) -> Vec<Vec<CommitMessage>> {
    let request = CompactRequest { full: true, ..CompactRequest::default() };
    let mut done = Vec::new();
    for task in plan_compaction(table, &request).await.unwrap().tasks {
        done.push(run_task(table, &task, None).await.unwrap());
    }
    done
}

async fn check(table: &TableStore, expected: &State) {
    check_files(table, &table.latest_snapshot().await.unwrap().unwrap()).await;
    assert_eq!(rows(table).await, *expected);
}

#[rstest]
#[tokio::test]
async fn what_happens_while_a_compaction_is_published_stays(
    #[values(PLAIN, VECTORS, LOOKUP)] options: &[(&str, &str)],
    #[values(Event::Upsert, Event::Delete, Event::Overwrite, Event::Truncate, Event::Rescale)] event: Event,
) {
    let (memory, faulty, table) = table(options).await;
    get_ahead(&faulty, &memory, 1, move |rival, _| async move { event.happen(&rival).await });
    assert!(compact_fully(&table).await.unwrap().gave_way.is_empty());
    compacted(&table, true).await;
    check(&table, &event.state()).await;
}

/// Snapshots have the numbers again that the compaction went by, and other rows.
#[rstest]
#[tokio::test]
async fn a_state_that_was_gone_back_from_does_not_return(
    #[values(PLAIN, VECTORS, LOOKUP)] options: &[(&str, &str)],
    #[values(1, 2, 3, 4)] to: i64,
    #[values(0, 1, 2, 3)] later: i64,
) {
    let (memory, _, table) = table(options).await;
    let rival = open(memory, 2).await;
    let done = planned(&table).await;
    rollback(&rival, &ReadPoint::Snapshot(to)).await.unwrap();
    for round in 0..later {
        upsert(&rival, &puts(50..52 + round, 7)).await;
        compacted(&rival, round == 1).await;
    }
    compacted(&rival, false).await;
    let expected = rows(&rival).await;
    let published = commit_compaction(&table, &commit_request(&table).await, &done, false).await.unwrap();
    assert_eq!(published.gave_way, [0]);
    check(&table, &expected).await;
    compacted(&table, true).await;
    check(&table, &expected).await;
}

/// All that the latest snapshot does not have goes, as when snapshots expire.
async fn expire(table: &TableStore) {
    let latest = table.latest_snapshot().await.unwrap().unwrap();
    let live: Vec<ManifestEntry> = entries(table, &latest).await;
    let mut keep: HashSet<String> = live.into_iter().map(|entry| entry.file.file_name).collect();
    if let Some(name) = &latest.index_manifest {
        keep.extend(table.index_manifest(name).await.unwrap().iter().map(|entry| entry.file_name.clone()));
    }
    for folder in ["bucket-0", "index"] {
        for file in table.storage().list(folder).await.unwrap() {
            if !keep.contains(&file.name) {
                table.storage().delete(&format!("{folder}/{}", file.name)).await.unwrap();
            }
        }
    }
    for id in 1..latest.id {
        table.storage().delete(&table.paths().snapshot(id)).await.unwrap();
    }
}

fn reads_rows(call: &Call) -> bool {
    call.operation == Operation::Get && call.path.contains("bucket-0/")
}

fn reads_vectors(call: &Call) -> bool {
    call.operation == Operation::Get && call.path.contains("index/")
}

#[rstest]
#[case::rows(PLAIN, reads_rows)]
#[case::rows_with_vectors(VECTORS, reads_rows)]
#[case::vectors(VECTORS, reads_vectors)]
#[tokio::test]
async fn a_task_whose_files_have_expired_is_planned_again(
    #[case] options: &[(&str, &str)],
    #[case] wanted: fn(&Call) -> bool,
) {
    let (memory, faulty, table) = table(options).await;
    get_ahead_of(wanted, &faulty, &memory, 1, |rival, _| async move {
        compacted(&rival, true).await;
        upsert(&rival, &puts(30..33, 4)).await;
        expire(&rival).await;
    });
    assert!(compact_fully(&table).await.unwrap().gave_way.is_empty());
    check(&table, &with_rest(&[(0..5, 1), (5..8, 2), (8..20, 3), (30..33, 4)])).await;
    assert!(levels(&table).await.iter().all(|level| *level == 5));
}

/// The rows of a commit must not be called invisible because others have made them visible.
#[tokio::test]
async fn rows_whose_files_others_have_compacted_and_expired_are_visible() {
    let (memory, faulty, table) = table(VECTORS).await;
    let messages = upsert(&table, &puts(30..33, 4)).await;
    get_ahead_of(reads_rows, &faulty, &memory, 1, |rival, _| async move {
        compacted(&rival, true).await;
        expire(&rival).await;
    });
    assert_eq!(after_commit(&table, &commit_request(&table).await, &messages, None).await.unwrap(), None);
    check(&table, &with_rest(&[(0..5, 1), (5..8, 2), (8..20, 3), (30..33, 4)])).await;
}

/// Another table has nothing to give way to.
#[tokio::test]
async fn a_compaction_of_a_table_that_is_another_one_by_now_fails() {
    let (_, _, table) = table(PLAIN).await;
    let other = CommitRequest { table_identity: "another table".to_owned(), ..commit_request(&table).await };
    let before = table.storage().list("bucket-0").await.unwrap().len();
    let request = CompactRequest { full: true, ..CompactRequest::default() };
    let error = compact(&table, &request, &other, &|_| {}).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CommitConflict);
    assert!(error.message().contains("dropped"), "{error}");
    assert_eq!(table.storage().list("bucket-0").await.unwrap().len(), before);
}

/// Messages that come twice are published once, and nobody deletes the files of a snapshot.
#[rstest]
#[tokio::test]
async fn what_is_published_twice_stays(
    #[values(PLAIN, VECTORS, LOOKUP, &[("bucket", "1"), ("changelog-producer", "lookup"), ("target-file-size", "1 b")])]
    options: &[(&str, &str)],
    #[values(false, true)] at_once: bool,
    #[values(false, true)] is_compacted_again: bool,
) {
    let (_, _, table) = table(options).await;
    let request = commit_request(&table).await;
    let done = planned(&table).await;
    let twice = [done[0].clone(), done[0].clone()];
    let published = if at_once {
        commit_compaction(&table, &request, &twice, false).await.unwrap()
    } else {
        commit_compaction(&table, &request, &done, false).await.map(drop).unwrap();
        if is_compacted_again {
            upsert(&table, &puts(30..33, 4)).await;
            compacted(&table, true).await;
        }
        commit_compaction(&table, &request, &done, false).await.unwrap()
    };
    assert_eq!(published.gave_way, [0_usize; 0]);
    let added = state(&[(30..33, 4)]).into_iter().filter(|_| !at_once && is_compacted_again);
    check(&table, &with_rest(&[(0..5, 1), (5..8, 2), (8..20, 3)]).into_iter().chain(added).collect()).await;
    for id in 1..=table.latest_snapshot().await.unwrap().unwrap().id {
        check_files(&table, &table.snapshot(id).await.unwrap().unwrap()).await;
    }
    for file in done.iter().flatten().flat_map(|message| &message.compact_changelog) {
        assert!(table.storage().exists(&format!("bucket-0/{}", file.file_name)).await.unwrap());
    }
}

/// The snapshot that has the files may be the one that nobody can look at any more.
#[tokio::test]
async fn what_may_have_been_published_by_an_expired_snapshot_stays() {
    let (_, _, table) = table(PLAIN).await;
    let request = commit_request(&table).await;
    let done = planned(&table).await;
    commit_compaction(&table, &request, &done, false).await.map(drop).unwrap();
    let published = table.latest_snapshot().await.unwrap().unwrap().id;
    upsert(&table, &puts(30..33, 4)).await;
    table.storage().delete(&format!("snapshot/snapshot-{published}")).await.unwrap();

    let again = commit_compaction(&table, &request, &done, false).await.unwrap();
    assert_eq!(again.gave_way, [0]);
    check(&table, &with_rest(&[(0..5, 1), (5..8, 2), (8..20, 3), (30..33, 4)])).await;
    check_files(&table, &table.latest_snapshot().await.unwrap().unwrap()).await;
}

/// What a writer in Java publishes that knows of nobody else's new rows: the file of the last level is another one.
async fn rewrite_last_file(table: &TableStore, number: u32) {
    let latest = table.latest_snapshot().await.unwrap().unwrap();
    let files = entries(table, &latest).await.into_iter().map(|entry| entry.file);
    let deepest = files.max_by_key(|file| file.level).unwrap();
    let file_name = format!("data-rival-{number}.parquet");
    let bytes = table.storage().read(&format!("bucket-0/{}", deepest.file_name)).await.unwrap();
    table.storage().put(&format!("bucket-0/{file_name}"), bytes).await.unwrap();
    let message = CommitMessage {
        compact_after: vec![DataFileMeta { file_name, ..deepest.clone() }],
        compact_before: vec![deepest],
        ..CommitMessage::of(BinaryRow::empty(), 0, 1)
    };
    let _ = commit(table, &commit_request(table).await, &[message]).await.unwrap();
}

#[tokio::test]
async fn a_writer_that_always_loses_says_that_its_rows_are_there_and_not_seen() {
    let memory = Arc::new(InMemory::new());
    let created = create(Arc::clone(&memory) as Arc<dyn ObjectStore>, schema(VECTORS)).await;
    upsert(&created, &puts(0..10, 1)).await;
    compacted(&created, true).await;
    let faulty = FaultyStore::new(Arc::clone(&memory) as Arc<dyn ObjectStore>);
    let table = open(Arc::clone(&faulty) as Arc<dyn ObjectStore>, 1).await;
    let messages = upsert(&table, &puts(5..15, 2)).await;
    let before = table.latest_snapshot().await.unwrap().unwrap().id;
    get_ahead(&faulty, &memory, 1 << 20, |rival, number| async move { rewrite_last_file(&rival, number).await });
    let error = after_commit(&table, &commit_request(&table).await, &messages, None).await.unwrap_err();
    faulty.heal();
    assert_eq!(error.kind(), ErrorKind::CommitConflict);
    assert!(error.is_retryable(), "{error}");
    let said = "the rows are committed, but not all of them are visible yet: others changed their buckets before each of 32 \
                compactions could be published (buckets left: 1); the next compaction of these makes them visible";
    assert_eq!(error.message(), said);
    // It is true,
    check(&table, &state(&[(0..10, 1)])).await;
    assert_eq!(levels(&table).await[0], 0);
    // nothing is left behind of what was tried,
    let latest = table.latest_snapshot().await.unwrap().unwrap();
    assert_eq!(latest.id, before + 32, "one snapshot of the rival's for each try");
    let mut there = entries(&table, &table.snapshot(before).await.unwrap().unwrap()).await;
    there.extend(entries(&table, &latest).await);
    let there: HashSet<String> = there.into_iter().map(|entry| entry.file.file_name).collect();
    for file in table.storage().list("bucket-0").await.unwrap() {
        assert!(there.contains(&file.name) || file.name.contains("rival"), "{} is left behind", file.name);
    }
    assert!(table.storage().list("index").await.unwrap().is_empty());
    // and the next compaction does what it says.
    compacted(&table, false).await;
    check(&table, &state(&[(0..5, 1), (5..15, 2)])).await;
}

/// Readers of a table that needs look-up may see a commit bucket by bucket, but no bucket by halves.
#[tokio::test]
async fn a_commit_is_seen_bucket_by_bucket_where_compactions_cross() {
    let options: Vec<_> = VECTORS[1..].iter().copied().chain([("bucket", "2")]).collect();
    let table = testkit::create_table(schema(&options)).await;
    upsert(&table, &puts(0..20, 1)).await;
    compacted(&table, true).await;
    upsert(&table, &puts(0..20, 2)).await;
    let ours = planned(&table).await;
    let mut theirs = planned(&table).await;
    theirs.remove(0);
    commit_compaction(&table, &commit_request(&table).await, &theirs, false).await.unwrap();
    let between = table.latest_snapshot().await.unwrap().unwrap().id;
    let published = commit_compaction(&table, &commit_request(&table).await, &ours, false).await.unwrap();
    assert_eq!(published.gave_way, [1]);
    let seen = rows_at(&table, ReadPoint::Snapshot(between)).await;
    let values: HashSet<Option<i32>> = seen.values().map(|(_, n)| *n).collect();
    assert_eq!((seen.len(), values), (20, HashSet::from([Some(1), Some(2)])));
    check(&table, &state(&[(0..20, 2)])).await;
}

/// Some writers leave out the room for the value of a NULL. Such a file is the table's like any other, and what takes it
/// away has to name it as its writer did.
#[rstest]
#[case::no_buckets(&[])]
#[case::buckets(&[("bucket", "1"), ("bucket-key", "id")])]
#[tokio::test]
async fn files_of_a_partition_in_another_writers_bytes_are_compacted(#[case] options: &[(&str, &str)]) {
    let timestamp = DataType::nullable(TypeKind::Timestamp(6));
    let mut schema = crate::testing::schema(true, options);
    schema.fields[0].data_type = timestamp.clone();
    let table = testkit::create_table(schema).await;
    let java = BinaryRow::from_values(&[None], &[timestamp]).unwrap();
    let bare = bare_null();
    let p: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![None::<i64>; 10]));
    let id: ArrayRef = Arc::new(Int32Array::from_iter_values(0..10));
    let rows = RecordBatch::try_from_iter_with_nullable([("p", p, true), ("id", id, true)]).unwrap();
    for round in 0..6 {
        let mut writer = TableWriter::open(table.clone(), WriteOptions::default()).await.unwrap();
        writer.write(&rows).await.unwrap();
        let mut messages = writer.prepare_commit().await.unwrap();
        assert_eq!(messages[0].partition, java);
        if round % 2 == 0 {
            messages[0].partition = bare.clone();
        }
        let _ = commit(&table, &commit_request(&table).await, &messages).await.unwrap();
        if round % 3 == 2 {
            compact_fully(&table).await.unwrap();
            let latest = table.latest_snapshot().await.unwrap().unwrap();
            let live = entries(&table, &latest).await;
            assert_eq!((live.len(), live[0].file.row_count), (1, 10 * (round + 1)));
            let mut deleted = HashSet::new();
            for id in 1..=latest.id {
                let changes = delta_entries(&table, &table.snapshot(id).await.unwrap().unwrap()).await.unwrap();
                let deletions = changes.into_iter().filter(|entry| entry.kind == FileKind::Delete);
                deleted.extend(deletions.map(|entry| entry.partition));
            }
            assert_eq!(
                deleted,
                HashSet::from([bare.clone(), java.clone()]),
                "others look for files by their very bytes"
            );
        }
    }
}
