//! Compactions beside one another, and beside writers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use object_store::ObjectStore;
use object_store::memory::InMemory;
use paimon_io::TableStore;
use paimon_io::testkit::{self, FaultyStore};
use paimon_spec::{CommitKind, CommitMessage, ErrorKind};
use rstest::rstest;

use super::model::{Changes, State, check_files, compacted, levels, prepare, rows, schema, upsert};
use crate::testing::request;
use crate::tests::stores::{create, get_ahead, open};
use crate::{
    CommitMode, CompactPlan, CompactProgress, CompactRequest, Compacted, after_commit, commit, commit_compaction,
    compact, plan_compaction, run_task,
};

const VECTORS: &[(&str, &str)] = &[("bucket", "1"), ("deletion-vectors.enabled", "true")];
const PLAIN: &[(&str, &str)] = &[("bucket", "1")];
const LOOKUP: &[(&str, &str)] = &[("bucket", "1"), ("changelog-producer", "lookup")];

/// The keys of a range, all with one value.
fn puts(keys: std::ops::Range<i64>, n: i32) -> Changes {
    keys.map(|key| (key, Some((Some("v".to_owned()), Some(n))))).collect()
}

fn state(parts: &[(std::ops::Range<i64>, i32)]) -> State {
    let rows = parts.iter().flat_map(|(keys, n)| keys.clone().map(|key| (key, (Some("v".to_owned()), Some(*n)))));
    rows.collect()
}

async fn planned(table: &TableStore, full: bool) -> (CompactPlan, Vec<Vec<CommitMessage>>) {
    let plan = plan_compaction(table, &CompactRequest { full, ..CompactRequest::default() }).await.unwrap();
    let mut done = Vec::new();
    for task in &plan.tasks {
        // As it comes to a worker.
        let task = paimon_spec::CompactTask::from_bytes(&task.to_bytes().unwrap()).unwrap();
        done.push(run_task(table, &task, None).await.unwrap());
    }
    (plan, done)
}

async fn published(table: &TableStore, done: &[Vec<CommitMessage>]) -> Compacted {
    commit_compaction(table, &request(table, CommitMode::Append).await, done, false).await.unwrap()
}

async fn check(table: &TableStore) {
    check_files(table, &table.latest_snapshot().await.unwrap().unwrap()).await;
}

async fn exists(table: &TableStore, message: &CommitMessage, name: &str) -> bool {
    let folder = table.bucket_path(&message.partition, message.bucket).unwrap();
    table.storage().exists(&format!("{folder}/{name}")).await.unwrap()
}

#[rstest]
#[case::plain(PLAIN)]
#[case::vectors(VECTORS)]
#[case::lookup(LOOKUP)]
#[tokio::test]
async fn of_two_compactions_one_gives_way(#[case] options: &[(&str, &str)]) {
    let table = testkit::create_table(schema(options)).await;
    upsert(&table, &puts(0..10, 1)).await;
    compacted(&table, true).await;
    upsert(&table, &puts(5..15, 2)).await;
    let (_, ours) = planned(&table, true).await;
    let (_, theirs) = planned(&table, true).await;
    let theirs_first = published(&table, &theirs).await;
    assert!(theirs_first.snapshot.is_some() && theirs_first.gave_way.is_empty(), "{theirs_first:?}");
    let gave_way = published(&table, &ours).await;
    assert_eq!((gave_way.snapshot, gave_way.gave_way), (None, vec![0]));
    assert_eq!(rows(&table).await, state(&[(0..5, 1), (5..15, 2)]));
    check(&table).await;
    for message in ours.iter().flatten() {
        for file in message.compact_after.iter().chain(&message.compact_changelog) {
            assert!(!exists(&table, message, &file.file_name).await, "{} is left behind", file.file_name);
        }
    }
}

/// Large files only change their level: what gives way must leave them.
#[rstest]
#[case::plain(PLAIN)]
#[case::vectors(VECTORS)]
#[tokio::test]
async fn who_gives_way_leaves_files_that_were_there(#[case] options: &[(&str, &str)]) {
    let options: Vec<_> = options.iter().copied().chain([("target-file-size", "1 b")]).collect();
    let table = testkit::create_table(schema(&options)).await;
    upsert(&table, &puts(0..10, 1)).await;
    let (_, ours) = planned(&table, true).await;
    assert_eq!(ours[0][0].compact_before[0].file_name, ours[0][0].compact_after[0].file_name);
    compacted(&table, true).await;
    let gave_way = published(&table, &ours).await.gave_way;
    assert_eq!(gave_way, [0]);
    assert_eq!(rows(&table).await, state(&[(0..10, 1)]));
    check(&table).await;
}

#[rstest]
#[case::plain(PLAIN)]
#[case::vectors(VECTORS)]
#[case::lookup(LOOKUP)]
#[tokio::test]
async fn rows_that_come_meanwhile_are_kept(#[case] options: &[(&str, &str)]) {
    let table = testkit::create_table(schema(options)).await;
    upsert(&table, &puts(0..10, 1)).await;
    upsert(&table, &puts(5..15, 2)).await;
    let (_, done) = planned(&table, true).await;
    upsert(&table, &puts(10..20, 3)).await;
    assert!(published(&table, &done).await.gave_way.is_empty());
    compacted(&table, false).await;
    assert_eq!(rows(&table).await, state(&[(0..5, 1), (5..10, 2), (10..20, 3)]));
    check(&table).await;
}

#[tokio::test]
async fn only_buckets_in_conflict_give_way() {
    let table = testkit::create_table(schema(&[("bucket", "4")])).await;
    upsert(&table, &puts(0..40, 1)).await;
    upsert(&table, &puts(0..40, 2)).await;
    let (plan, done) = planned(&table, true).await;
    assert_eq!(plan.tasks.len(), 4);
    let stats = &plan.buckets[2];
    assert_eq!((stats.bucket, stats.files, stats.level_0_files), (2, 2, 2));
    let (_, mut theirs) = planned(&table, true).await;
    theirs.retain(|messages| messages[0].bucket == 2);
    assert!(published(&table, &theirs).await.gave_way.is_empty());
    let compacted = published(&table, &done).await;
    assert_eq!(compacted.gave_way, [2]);
    assert_eq!(levels(&table).await, [5; 4]);
    assert_eq!(rows(&table).await, state(&[(0..40, 2)]));
    check(&table).await;
}

/// Somebody else compacts just before the snapshot is published, as often as `times` says.
#[rstest]
#[case::once(1)]
#[case::again_and_again(3)]
#[tokio::test]
async fn what_gave_way_is_planned_again(#[case] times: u32) {
    let memory = Arc::new(InMemory::new());
    let faulty = FaultyStore::new(Arc::clone(&memory) as Arc<dyn ObjectStore>);
    create(Arc::clone(&memory) as Arc<dyn ObjectStore>, schema(VECTORS)).await;
    let table = open(Arc::clone(&faulty) as Arc<dyn ObjectStore>, 1).await;
    upsert(&table, &puts(0..10, 1)).await;
    upsert(&table, &puts(5..15, 2)).await;
    get_ahead(&faulty, &memory, times, |rival, number| async move {
        compacted(&rival, true).await;
        upsert(&rival, &puts(100..110, number as i32)).await;
    });
    let shown = AtomicUsize::new(0);
    let progress = |progress: CompactProgress| {
        assert!(progress.tasks_done <= progress.tasks && progress.bytes_done <= progress.bytes);
        shown.fetch_max(progress.tasks_done, Ordering::Relaxed);
    };
    let commit = request(&table, CommitMode::Append).await;
    let request = CompactRequest { full: true, ..CompactRequest::default() };
    let compacted = compact(&table, &request, &commit, &progress).await.unwrap();
    assert!(compacted.gave_way.is_empty());
    assert!(shown.load(Ordering::Relaxed) > 1, "nothing was planned again");
    assert_eq!(rows(&table).await, state(&[(0..5, 1), (5..15, 2), (100..110, 0)]));
    assert!(levels(&table).await.iter().all(|level| *level == 5));
    check(&table).await;
}

#[rstest]
#[case::vectors(VECTORS)]
#[case::first_row(&[("bucket", "1"), ("merge-engine", "first-row")])]
#[case::lookup(LOOKUP)]
#[tokio::test]
async fn rows_are_visible_after_each_commit_of_many_writers(#[case] options: &[(&str, &str)]) {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let table = create(Arc::clone(&store), schema(options)).await;
    let writer = |number: u64| {
        let store = Arc::clone(&store);
        async move {
            let table = open(store, number).await;
            for round in 0..5 {
                let first = (number as i64) * 100 + round * 10;
                let messages = prepare(&table, &puts(first..first + 5, 1)).await.unwrap();
                let request = request(&table, CommitMode::Append).await;
                commit(&table, &request, &messages).await.map(drop).unwrap();
                after_commit(&table, &request, &messages, None).await.unwrap();
                let rows = rows(&table).await;
                assert!((first..first + 5).all(|key| rows.contains_key(&key)), "{first} is not visible");
            }
        }
    };
    futures::future::join_all((1..5).map(writer)).await;
    assert_eq!(rows(&table).await.len(), 4 * 5 * 5);
    check(&table).await;
}

/// Whoever gets ahead has made our rows visible, too, so that there is nothing left to do.
#[tokio::test]
async fn a_writer_whose_rows_others_have_compacted_is_done() {
    let memory = Arc::new(InMemory::new());
    let faulty = FaultyStore::new(Arc::clone(&memory) as Arc<dyn ObjectStore>);
    create(Arc::clone(&memory) as Arc<dyn ObjectStore>, schema(VECTORS)).await;
    let table = open(Arc::clone(&faulty) as Arc<dyn ObjectStore>, 1).await;
    let messages = upsert(&table, &puts(0..10, 1)).await;
    let request = request(&table, CommitMode::Append).await;
    get_ahead(&faulty, &memory, u32::MAX, |rival, _| async move { drop(compacted(&rival, true).await) });
    assert_eq!(after_commit(&table, &request, &messages, None).await.unwrap(), None);
    assert_eq!(rows(&table).await, state(&[(0..10, 1)]));
}

#[tokio::test]
async fn a_bucket_is_compacted_when_it_has_too_many_runs() {
    let table = testkit::create_table(schema(&[("bucket", "1"), ("num-sorted-run.compaction-trigger", "3")])).await;
    for n in 0..12 {
        let messages = upsert(&table, &puts(0..10, n)).await;
        let request = request(&table, CommitMode::Append).await;
        after_commit(&table, &request, &messages, None).await.unwrap();
        let runs = levels(&table).await.len();
        assert!(runs <= 3, "{runs} runs after {n} commits");
        assert_eq!(rows(&table).await, state(&[(0..10, n)]));
    }
    let mut kinds = Vec::new();
    for id in 1..=table.latest_snapshot().await.unwrap().unwrap().id {
        kinds.push(table.snapshot(id).await.unwrap().unwrap().commit_kind);
    }
    let compactions = kinds.iter().filter(|kind| **kind == CommitKind::Compact).count();
    assert!((4..12).contains(&compactions), "{kinds:?}");
}

#[tokio::test]
async fn full_compactions_come_after_as_many_commits_as_asked_for() {
    let options = [("bucket", "1"), ("changelog-producer", "full-compaction"), ("full-compaction.delta-commits", "2")];
    let table = testkit::create_table(schema(&options)).await;
    let mut found = Vec::new();
    for n in 0..4 {
        let messages = upsert(&table, &puts(0..10, n)).await;
        let request = request(&table, CommitMode::Append).await;
        after_commit(&table, &request, &messages, None).await.unwrap();
        found.push(levels(&table).await);
    }
    assert_eq!(found, [vec![0], vec![5], vec![0, 5], vec![5]]);
}

#[rstest]
#[case::write_only(&[("bucket", "1"), ("merge-engine", "first-row"), ("write-only", "true")])]
#[case::gentle(&[("bucket", "1"), ("merge-engine", "first-row"), ("lookup-compact", "gentle")])]
#[tokio::test]
async fn rows_wait_where_the_table_says_so(#[case] options: &[(&str, &str)]) {
    let table = testkit::create_table(schema(options)).await;
    let messages = upsert(&table, &puts(0..10, 1)).await;
    let request = request(&table, CommitMode::Append).await;
    assert_eq!(after_commit(&table, &request, &messages, None).await.unwrap(), None);
    assert_eq!(rows(&table).await, State::new());
    compacted(&table, false).await;
    assert_eq!(rows(&table).await, state(&[(0..10, 1)]));
}

#[tokio::test]
async fn only_partitions_that_are_asked_for_are_compacted() {
    let options = [("bucket", "1")];
    let table = testkit::create_table(crate::testing::keyed(true, &options)).await;
    upsert(&table, &puts(0..10, 1)).await;
    let spec = |p: &str| vec![[("p".to_owned(), p.to_owned())].into()];
    let request = |p| CompactRequest { full: true, partitions: spec(p), memory_bytes: None };
    assert!(plan_compaction(&table, &request("7")).await.unwrap().tasks.is_empty());
    assert_eq!(plan_compaction(&table, &request("0")).await.unwrap().tasks.len(), 1);
    let unknown = CompactRequest { partitions: vec![[("q".to_owned(), "1".to_owned())].into()], ..request("0") };
    assert_eq!(plan_compaction(&table, &unknown).await.unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn a_table_that_is_compacted_stays_as_it_is() {
    let table = testkit::create_table(schema(VECTORS)).await;
    assert_eq!(compacted(&table, true).await, Compacted::default());
    upsert(&table, &puts(0..10, 1)).await;
    compacted(&table, true).await;
    let before = table.latest_snapshot().await.unwrap().unwrap().id;
    let again = compacted(&table, true).await;
    assert_eq!((again.snapshot, again.gave_way.len()), (None, 0));
    assert_eq!(table.latest_snapshot().await.unwrap().unwrap().id, before);
}

/// A new column would be lost by a compaction that does not know it.
#[tokio::test]
async fn files_of_a_newer_schema_are_not_compacted() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let old = create(Arc::clone(&store), schema(PLAIN)).await;
    upsert(&old, &puts(0..10, 1)).await;
    let change = r#"{"action": "setOption", "key": "snapshot.num-retained.min", "value": "7"}"#;
    let change = paimon_spec::SchemaChange::from_json(change).unwrap();
    let newer = old.schema().apply(&change, true, 1).unwrap();
    let _ = old.commit_schema(&newer).await.unwrap();
    upsert(&open(store, 2).await, &puts(0..10, 2)).await;
    let error = plan_compaction(&old, &CompactRequest::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CommitConflict);
    assert!(error.is_retryable() && error.message().contains("schema 1"), "{error}");
}
