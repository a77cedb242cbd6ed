use std::collections::BTreeMap;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::memory::InMemory;
use paimon_io::TableStore;
use paimon_io::testkit::{self, Call, CountingStore, FaultyStore, Operation};
use paimon_spec::{DELETION_VECTORS, DeletionVectorMeta, ErrorKind, FileKind, IndexManifestEntry};
use rstest::rstest;

use super::*;
use crate::testing::{adds, data_file, live_files, partition, request, schema};
use crate::tests::stores::{self, create, creates_snapshot, open};

fn unpartitioned() -> paimon_spec::BinaryRow {
    paimon_spec::BinaryRow::empty()
}

async fn append(table: &TableStore, names: &[&str]) -> Result<Committed> {
    commit(table, &request(table, CommitMode::Append).await, &[adds(unpartitioned(), names)]).await
}

#[tokio::test]
async fn the_first_commit_makes_snapshot_1() {
    let table = testkit::create_table(schema(false, &[])).await;
    let mut request = request(&table, CommitMode::Append).await;
    request.properties.insert("key".to_owned(), "value".to_owned());

    let committed = commit(&table, &request, &[adds(unpartitioned(), &["a", "b"])]).await.unwrap();

    assert_eq!(committed, Committed::Snapshot(1));
    let snapshot = table.latest_snapshot().await.unwrap().unwrap();
    assert_eq!((snapshot.version, snapshot.id, snapshot.schema_id), (Some(3), 1, 0));
    assert_eq!((snapshot.commit_user.as_str(), snapshot.commit_identifier), ("tester", BATCH_IDENTIFIER));
    assert_eq!(snapshot.commit_kind, CommitKind::Append);
    assert_eq!((snapshot.total_record_count, snapshot.delta_record_count), (Some(20), Some(20)));
    assert_eq!(snapshot.next_row_id, Some(0));
    assert_eq!(snapshot.properties.as_ref().unwrap()["key"], "value");
    assert!(snapshot.uuid.is_some());
    assert_eq!(live_files(&table).await, ["a", "b"]);
    let base = table.manifest_list(&snapshot.base_manifest_list, snapshot.base_manifest_list_size).await.unwrap();
    assert!(base.is_empty());
}

#[tokio::test]
async fn commits_follow_one_another() {
    let table = testkit::create_table(schema(false, &[])).await;
    for (at, name) in ["a", "b", "c"].into_iter().enumerate() {
        assert_eq!(append(&table, &[name]).await.unwrap(), Committed::Snapshot(at as i64 + 1));
    }
    assert_eq!(live_files(&table).await, ["a", "b", "c"]);
    let snapshot = table.latest_snapshot().await.unwrap().unwrap();
    assert_eq!((snapshot.total_record_count, snapshot.delta_record_count), (Some(30), Some(10)));
}

#[tokio::test]
async fn nothing_to_append_makes_no_snapshot() {
    let table = testkit::create_table(schema(false, &[])).await;
    let committed = commit(&table, &request(&table, CommitMode::Append).await, &[]).await.unwrap();
    assert_eq!(committed, Committed::Nothing);
    assert_eq!(table.latest_snapshot_id().await.unwrap(), None);
}

#[tokio::test]
async fn what_a_snapshot_hands_on_is_handed_on() {
    let table = testkit::create_table(schema(false, &[])).await;
    let _ = append(&table, &["a"]).await.unwrap();
    let mut foreign = (*table.latest_snapshot().await.unwrap().unwrap()).clone();
    foreign.id = 2;
    foreign.uuid = None;
    foreign.watermark = Some(77);
    foreign.statistics = Some("stat-1".to_owned());
    foreign.next_row_id = Some(5);
    foreign.total_record_count = None;
    foreign.properties = Some(BTreeMap::from([
        ("sequence.generation.max-sequence-number".to_owned(), "4".to_owned()),
        ("mine".to_owned(), "x".to_owned()),
    ]));
    assert_eq!(table.commit(&foreign).await.unwrap(), paimon_io::PutOutcome::Created);

    let _ = append(&table, &["b"]).await.unwrap();

    let next = table.latest_snapshot().await.unwrap().unwrap();
    assert_eq!((next.watermark, next.next_row_id), (Some(77), Some(5)));
    assert_eq!(next.statistics.as_deref(), Some("stat-1"));
    assert_eq!(next.total_record_count, Some(20), "counted, as the snapshot before did not tell");
    let properties = next.properties.as_ref().unwrap();
    assert_eq!(properties.get("sequence.generation.max-sequence-number").map(String::as_str), Some("9"));
    assert_eq!(properties.get("mine"), None);
}

// ---- overwriting

async fn table_of_two_partitions(options: &[(&str, &str)]) -> TableStore {
    let table = testkit::create_table(schema(true, options)).await;
    let messages = [adds(partition(Some(1)), &["one"]), adds(partition(Some(2)), &["two"])];
    let _ = commit(&table, &request(&table, CommitMode::Append).await, &messages).await.unwrap();
    table
}

fn spec(p: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("p".to_owned(), p.to_owned())])
}

#[rstest]
#[case::dynamic(CommitMode::OverwriteDynamic, &[(1, "new")], Committed::Snapshot(2), &["new", "two"])]
#[case::dynamic_with_nothing(CommitMode::OverwriteDynamic, &[], Committed::Nothing, &["one", "two"])]
#[case::static_of_one(CommitMode::OverwriteStatic(spec("1")), &[(1, "new")], Committed::Snapshot(2), &["new", "two"])]
#[case::static_with_nothing(CommitMode::OverwriteStatic(spec("2")), &[], Committed::Snapshot(2), &["one"])]
#[case::static_of_all(CommitMode::OverwriteStatic(BTreeMap::new()), &[(1, "new")], Committed::Snapshot(2), &["new"])]
#[case::truncate_one(CommitMode::Truncate(vec![spec("1")]), &[], Committed::Snapshot(2), &["two"])]
#[case::truncate_several(CommitMode::Truncate(vec![spec("1"), spec("2")]), &[], Committed::Snapshot(2), &[])]
#[case::truncate_all(CommitMode::Truncate(Vec::new()), &[], Committed::Snapshot(2), &[])]
#[case::truncate_what_is_not_there(CommitMode::Truncate(vec![spec("9")]), &[], Committed::Snapshot(2), &["one", "two"])]
#[tokio::test]
async fn overwriting_replaces_partitions(
    #[case] mode: CommitMode,
    #[case] files: &[(i32, &str)],
    #[case] expected: Committed,
    #[case] live: &[&str],
) {
    let table = table_of_two_partitions(&[]).await;
    let messages: Vec<CommitMessage> = files.iter().map(|(p, name)| adds(partition(Some(*p)), &[name])).collect();

    let committed = commit(&table, &request(&table, mode).await, &messages).await.unwrap();

    assert_eq!(committed, expected);
    assert_eq!(live_files(&table).await, live);
    let snapshot = table.latest_snapshot().await.unwrap().unwrap();
    assert_eq!(snapshot.total_record_count, Some(10 * live.len() as i64));
    let kind = if expected == Committed::Nothing { CommitKind::Append } else { CommitKind::Overwrite };
    assert_eq!(snapshot.commit_kind, kind);
}

#[rstest]
#[case::with_rows(&["b"], &["b"])]
#[case::with_nothing(&[], &[])]
#[tokio::test]
async fn overwriting_a_table_without_partitions_replaces_all(#[case] new: &[&str], #[case] live: &[&str]) {
    let table = testkit::create_table(schema(false, &[])).await;
    let _ = append(&table, &["a"]).await.unwrap();
    let messages: Vec<CommitMessage> = if new.is_empty() { Vec::new() } else { vec![adds(unpartitioned(), new)] };
    let request = request(&table, CommitMode::OverwriteDynamic).await;
    assert_eq!(commit(&table, &request, &messages).await.unwrap(), Committed::Snapshot(2));
    assert_eq!(live_files(&table).await, live);
}

#[tokio::test]
async fn rows_outside_the_partitions_to_overwrite_are_refused() {
    let table = table_of_two_partitions(&[]).await;
    let request = request(&table, CommitMode::OverwriteStatic(spec("1"))).await;
    let error = commit(&table, &request, &[adds(partition(Some(2)), &["new"])]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(live_files(&table).await, ["one", "two"]);
}

fn index_entry(p: i32, name: &str, data_file: &str) -> IndexManifestEntry {
    let vector =
        DeletionVectorMeta { data_file_name: data_file.to_owned(), offset: 1, length: 2, cardinality: Some(1) };
    IndexManifestEntry {
        kind: FileKind::Add,
        partition: partition(Some(p)),
        bucket: 0,
        index_type: DELETION_VECTORS.to_owned(),
        file_name: name.to_owned(),
        file_size: 1,
        row_count: 1,
        deletion_vectors: Some(vec![vector]),
        external_path: None,
        global_index: None,
    }
}

#[tokio::test]
async fn index_files_go_with_the_partitions_that_are_overwritten() {
    let table = table_of_two_partitions(&[("deletion-vectors.enabled", "true")]).await;
    let mut vectors = adds(partition(Some(1)), &[]);
    vectors.index_changes = vec![index_entry(1, "index-1", "one"), index_entry(2, "index-2", "two")];
    let _ = commit(&table, &request(&table, CommitMode::Append).await, &[vectors]).await.unwrap();
    let deleted_rows = table.latest_snapshot().await.unwrap().unwrap();
    assert_eq!(deleted_rows.commit_kind, CommitKind::Overwrite, "a commit that removes rows is no append");

    let new = [adds(partition(Some(1)), &["new"])];
    let _ = commit(&table, &request(&table, CommitMode::OverwriteDynamic).await, &new).await.unwrap();

    let snapshot = table.latest_snapshot().await.unwrap().unwrap();
    let left = table.index_manifest(snapshot.index_manifest.as_ref().unwrap()).await.unwrap();
    assert_eq!(left.iter().map(|entry| entry.file_name.as_str()).collect::<Vec<_>>(), ["index-2"]);

    let appended = commit(&table, &request(&table, CommitMode::Append).await, &new_in(1, "more")).await.unwrap();
    assert_eq!(appended, Committed::Snapshot(4));
    let next = table.latest_snapshot().await.unwrap().unwrap();
    assert_eq!(next.index_manifest, snapshot.index_manifest, "an append hands the index files on as they are");

    let _ = commit(&table, &request(&table, CommitMode::Truncate(Vec::new())).await, &[]).await.unwrap();
    assert_eq!(table.latest_snapshot().await.unwrap().unwrap().index_manifest, None);
}

fn new_in(p: i32, name: &str) -> [CommitMessage; 1] {
    [adds(partition(Some(p)), &[name])]
}

#[tokio::test]
async fn rows_of_a_file_that_is_gone_cannot_be_deleted() {
    let table = table_of_two_partitions(&[("deletion-vectors.enabled", "true")]).await;
    let _ = commit(&table, &request(&table, CommitMode::Truncate(vec![spec("1")])).await, &[]).await.unwrap();
    let mut vectors = adds(partition(Some(1)), &[]);
    vectors.index_changes = vec![index_entry(1, "index-1", "one")];
    let error = commit(&table, &request(&table, CommitMode::Append).await, &[vectors]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CommitConflict);
    assert!(error.message().contains("one"), "{error}");
}

// ---- refusals

fn compaction(before: &str, after: &str) -> CommitMessage {
    CommitMessage {
        compact_before: vec![data_file(before)],
        compact_after: vec![data_file(after)],
        compact_changelog: vec![data_file("changelog")],
        ..adds(unpartitioned(), &[])
    }
}

#[tokio::test]
async fn a_file_that_is_gone_cannot_be_replaced() {
    let table = testkit::create_table(schema(false, &[])).await;
    let _ = append(&table, &["a"]).await.unwrap();
    let mut compaction = compaction("a", "a2");
    let request = request(&table, CommitMode::Append).await;
    assert_eq!(commit(&table, &request, std::slice::from_ref(&compaction)).await.unwrap(), Committed::Snapshot(2));
    assert_eq!(table.latest_snapshot().await.unwrap().unwrap().commit_kind, CommitKind::Compact);
    assert_eq!(live_files(&table).await, ["a2"]);

    compaction.compact_after = vec![data_file("a3")];
    let error = commit(&table, &request, &[compaction]).await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::CommitConflict);
    assert!(!outcome_is_unknown(&error));
    assert_eq!(live_files(&table).await, ["a2"]);
}

#[tokio::test]
async fn another_number_of_buckets_is_refused_unless_overwritten() {
    let options = [("bucket", "2"), ("bucket-key", "id")];
    let table = testkit::create_table(schema(true, &options)).await;
    let message =
        |p: i32, name: &str, total_buckets| CommitMessage { total_buckets, ..adds(partition(Some(p)), &[name]) };
    let append = request(&table, CommitMode::Append).await;
    let _ = commit(&table, &append, &[message(1, "a", 2)]).await.unwrap();

    let error = commit(&table, &append, &[message(1, "b", 4)]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CommitConflict);
    assert!(error.message().contains("4 buckets"), "{error}");
    let _ = commit(&table, &append, &[message(2, "c", 4)]).await.unwrap();

    let overwrite = request(&table, CommitMode::OverwriteDynamic).await;
    let _ = commit(&table, &overwrite, &[message(1, "d", 4)]).await.unwrap();
    let _ = commit(&table, &append, &[message(1, "e", 4)]).await.unwrap();
    assert_eq!(live_files(&table).await, ["c", "d", "e"]);
}

#[tokio::test]
async fn a_table_that_was_dropped_or_created_again_is_refused() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let table = create(Arc::clone(&store), schema(false, &[])).await;
    let prepared = request(&table, CommitMode::Append).await;
    table.storage().delete_dir("schema").await.unwrap();

    let error = commit(&table, &prepared, &[adds(unpartitioned(), &["a"])]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CommitConflict);
    assert!(error.message().contains("was dropped"), "{error}");

    let again = create(Arc::clone(&store), schema(false, &[("other", "option")])).await;
    let error = commit(&again, &prepared, &[adds(unpartitioned(), &["a"])]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CommitConflict);
    assert!(error.message().contains("created again"), "{error}");
    assert_eq!(again.latest_snapshot_id().await.unwrap(), None);
}

#[rstest]
#[case::another_table("a/b")]
#[case::a_parent("..")]
#[case::nothing("")]
#[tokio::test]
async fn file_names_that_are_paths_are_refused(#[case] name: &str) {
    let table = testkit::create_table(schema(false, &[])).await;
    let message = adds(unpartitioned(), &[name]);
    let request = request(&table, CommitMode::Append).await;
    assert_eq!(
        commit(&table, &request, std::slice::from_ref(&message)).await.unwrap_err().kind(),
        ErrorKind::CorruptData
    );
    assert_eq!(abort(&table, &[message]).await.unwrap_err().kind(), ErrorKind::CorruptData);
}

#[rstest]
#[case::another_partitioning(adds(partition(Some(1)), &["a"]))]
#[case::a_bucket_of_its_own(CommitMessage { bucket: 1, ..adds(unpartitioned(), &["a"]) })]
#[tokio::test]
async fn messages_of_another_shape_are_refused(#[case] message: CommitMessage) {
    let table = testkit::create_table(schema(false, &[])).await;
    let error = commit(&table, &request(&table, CommitMode::Append).await, &[message]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn abort_deletes_the_new_files_and_no_others() {
    let table = testkit::create_table(schema(false, &[])).await;
    for name in ["a", "b", "kept"] {
        table.storage().put(&format!("bucket-0/{name}"), "x".into()).await.unwrap();
    }
    let mut elsewhere = data_file("elsewhere");
    elsewhere.external_path = Some("memory://testkit/table/bucket-0/kept".to_owned());
    let mut message = adds(unpartitioned(), &["a", "b"]);
    message.new_files.push(elsewhere);

    abort(&table, &[message]).await.unwrap();

    let mut left: Vec<String> = table.storage().list("bucket-0").await.unwrap().into_iter().map(|f| f.name).collect();
    left.sort();
    assert_eq!(left, ["kept"]);
}

// ---- exactly once

#[tokio::test]
async fn a_commit_is_made_once_by_user_and_identifier() {
    let table = testkit::create_table(schema(false, &[])).await;
    let numbered = |identifier| {
        let table = table.clone();
        async move { CommitRequest { identifier, ..request(&table, CommitMode::Append).await } }
    };
    let (first, second) = (numbered(1).await, numbered(2).await);
    assert_eq!(commit(&table, &first, &[adds(unpartitioned(), &["a"])]).await.unwrap(), Committed::Snapshot(1));
    assert_eq!(commit(&table, &second, &[adds(unpartitioned(), &["b"])]).await.unwrap(), Committed::Snapshot(2));
    assert_eq!(commit(&table, &first, &[adds(unpartitioned(), &["a"])]).await.unwrap(), Committed::Already(1));
    let other_user = CommitRequest { user: "other".to_owned(), ..first };
    assert_eq!(commit(&table, &other_user, &[adds(unpartitioned(), &["c"])]).await.unwrap(), Committed::Snapshot(3));
    assert_eq!(live_files(&table).await, ["a", "b", "c"]);
    assert_eq!(find_commit(&table, "tester", 2).await.unwrap(), Some(2));
    assert_eq!(find_commit(&table, "tester", 3).await.unwrap(), None);
}

#[tokio::test]
async fn batch_commits_of_one_user_are_all_made() {
    let table = testkit::create_table(schema(false, &[])).await;
    assert_eq!(append(&table, &["a"]).await.unwrap(), Committed::Snapshot(1));
    assert_eq!(append(&table, &["b"]).await.unwrap(), Committed::Snapshot(2));
    assert_eq!(find_commit(&table, "tester", BATCH_IDENTIFIER).await.unwrap(), None);
}

#[rstest]
#[case::once(1)]
#[case::more_often_than_is_tried(1_000)]
#[tokio::test]
async fn a_lost_answer_is_looked_up(#[case] mut times: u32) {
    let faulty = FaultyStore::new(Arc::new(InMemory::new()));
    let table = create(faulty.clone(), schema(false, &[])).await;
    faulty.fail_after(move |call| {
        let hit = creates_snapshot(call) && times > 0;
        times -= u32::from(hit);
        hit
    });
    assert_eq!(append(&table, &["a"]).await.unwrap(), Committed::Snapshot(1));
    assert_eq!(append(&table, &["b"]).await.unwrap(), Committed::Snapshot(2));
    assert!(faulty.failed() > 0);
    assert_eq!(live_files(&table).await, ["a", "b"]);
}

#[tokio::test]
async fn an_outcome_that_cannot_be_found_out_is_said_to_be_unknown_and_keeps_all_files() {
    let memory = Arc::new(InMemory::new());
    let faulty = FaultyStore::new(memory.clone());
    let table = create(faulty.clone(), schema(false, &[("commit.max-retries", "2")])).await;
    // The snapshot is there, but nobody can see it.
    faulty.fail_after(creates_snapshot);
    faulty.fail_before(|call| call.operation != Operation::PutNew && call.path.contains("snapshot"));
    let mut armed = false;
    faulty.fail_before(move |call| {
        armed |= creates_snapshot(call);
        armed && call.operation == Operation::List
    });

    let error = append(&table, &["a"]).await.unwrap_err();

    if outcome_is_unknown(&error) {
        assert_eq!(error.kind(), ErrorKind::Storage);
        let healthy = open(memory, 7).await;
        assert_eq!(live_files(&healthy).await, ["a"], "nothing that the snapshot names was deleted");
    } else {
        // The state of the table could not be read to begin with.
        assert_eq!(open(memory, 7).await.latest_snapshot_id().await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_commit_that_fails_for_good_leaves_nothing_behind() {
    let memory = Arc::new(InMemory::new());
    let faulty = FaultyStore::new(memory.clone());
    let table = create(faulty.clone(), schema(false, &[])).await;
    faulty.fail_before(|call| call.operation == Operation::PutNew && call.path.contains("manifest-list"));
    let error = append(&table, &["a"]).await.unwrap_err();
    assert!(!outcome_is_unknown(&error), "{error}");
    faulty.heal();
    assert!(table.storage().list("manifest").await.unwrap().is_empty());
    assert_eq!(append(&table, &["a"]).await.unwrap(), Committed::Snapshot(1));
}

/// What is done to a table that holds the file "old" in each fault run.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Action {
    Append,
    Overwrite,
    Truncate,
    Compact,
}

#[rstest]
#[tokio::test]
async fn whichever_call_fails_a_commit_is_made_whole_or_not_at_all(
    #[values(Action::Append, Action::Overwrite, Action::Truncate, Action::Compact)] action: Action,
    #[values(false, true)] answer_is_lost: bool,
    #[values(1, 3)] failing_calls: u64,
) {
    let (mode, new, before, after): (_, Vec<CommitMessage>, &[&str], &[&str]) = match action {
        Action::Append => (CommitMode::Append, vec![adds(unpartitioned(), &["new"])], &["old"], &["new", "old"]),
        Action::Overwrite => (CommitMode::OverwriteDynamic, vec![adds(unpartitioned(), &["new"])], &["old"], &["new"]),
        Action::Truncate => (CommitMode::Truncate(Vec::new()), Vec::new(), &["old"], &[]),
        Action::Compact => (CommitMode::Append, vec![compaction("old", "new")], &["old"], &["new"]),
    };
    let mut call = 0;
    loop {
        let memory = Arc::new(InMemory::new());
        let table = create(memory.clone(), schema(false, &[])).await;
        let _ = append(&table, &["old"]).await.unwrap();
        // A process of its own, so that all is read anew.
        let faulty = FaultyStore::new(memory.clone());
        let table = open(faulty.clone(), 1).await;
        let request = CommitRequest { identifier: 5, ..request(&table, mode.clone()).await };
        let first = faulty.calls() + call;
        let hit = move |seen: &Call| (first..first + failing_calls).contains(&seen.number);
        if answer_is_lost {
            faulty.fail_after(hit)
        } else {
            faulty.fail_before(hit)
        }

        let outcome = commit(&table, &request, &new).await;

        // An answer that is an error already is not lost, but it counts.
        let reached = faulty.calls() > first;
        faulty.heal();
        let fresh = open(memory.clone(), 2).await;
        let live = live_files(&fresh).await;
        let at = format!("{action:?}, call {call}: {outcome:?}");
        match &outcome {
            Ok(committed) => {
                assert_eq!(*committed, Committed::Snapshot(2), "{at}");
                assert_eq!(live, after, "{at}");
            }
            Err(error) if outcome_is_unknown(error) => assert!(live == before || live == after, "{at}: {live:?}"),
            Err(_) => assert_eq!(live, before, "{at}"),
        }
        // Asked again, it is there, and there once.
        let again = commit(&fresh, &request, &new).await.unwrap();
        assert!(matches!(again, Committed::Snapshot(2) | Committed::Already(2)), "{at}: {again:?}");
        assert_eq!(live_files(&fresh).await, after, "{at}");
        assert_eq!(fresh.latest_snapshot_id().await.unwrap(), Some(2), "{at}");
        if !reached {
            assert!(call > 5, "the faults never struck");
            break;
        }
        call += 1;
    }
}

// ---- races

#[tokio::test]
async fn a_small_commit_takes_few_calls() {
    let counting = CountingStore::new(Arc::new(InMemory::new()));
    let table = create(counting.clone(), schema(false, &[])).await;
    for name in ["a", "b", "c"] {
        let _ = append(&table, &[name]).await.unwrap();
    }
    let prepared = request(&table, CommitMode::Append).await;
    let _ = counting.take_log();

    let _ = commit(&table, &prepared, &[adds(unpartitioned(), &["d"])]).await.unwrap();

    let calls = counting.take_log();
    let of = |operation| calls.iter().filter(|call| call.operation == operation).count();
    // Two lists, one manifest and the snapshot; then the hint.
    assert_eq!((of(Operation::PutNew), of(Operation::Put)), (4, 1), "{calls:?}");
    assert!(calls.len() <= 16, "{calls:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_append_of_many_committers_is_lost() {
    let (committers, commits) = (8, 25);
    let memory: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let table = create(Arc::clone(&memory), schema(false, &[])).await;
    let mut tasks = Vec::new();
    for committer in 0..committers {
        let table = open(Arc::clone(&memory), committer).await;
        tasks.push(tokio::spawn(async move {
            for number in 0..commits {
                let committed = append(&table, &[&format!("{committer}-{number}")]).await.unwrap();
                assert!(matches!(committed, Committed::Snapshot(_)));
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let live = live_files(&table).await;
    assert_eq!(live.len(), (committers * commits) as usize);
    let snapshot = table.latest_snapshot().await.unwrap().unwrap();
    assert_eq!(snapshot.id, (committers * commits) as i64);
    assert_eq!(snapshot.total_record_count, Some(10 * live.len() as i64));
    // What lost tries wrote is gone: each snapshot has two lists and one manifest of its own, merges come on top.
    let lists = table.storage().list("manifest").await.unwrap();
    let lists = lists.iter().filter(|file| file.name.starts_with("manifest-list-")).count();
    assert_eq!(lists, 2 * live.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn appends_and_overwrites_at_the_same_time_keep_to_their_partitions() {
    let memory: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let table = create(Arc::clone(&memory), schema(true, &[])).await;
    let mut tasks = Vec::new();
    for committer in 0..6_i32 {
        let table = open(Arc::clone(&memory), committer as u64).await;
        tasks.push(tokio::spawn(async move {
            for number in 0..15 {
                // Even ones append to their partition, odd ones overwrite theirs.
                let mode = if committer % 2 == 0 { CommitMode::Append } else { CommitMode::OverwriteDynamic };
                let new = new_in(committer, &format!("{committer}-{number:02}"));
                let _ = commit(&table, &request(&table, mode).await, &new).await.unwrap();
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let live = live_files(&table).await;
    for committer in 0..6 {
        let own: Vec<&String> = live.iter().filter(|name| name.starts_with(&format!("{committer}-"))).collect();
        if committer % 2 == 0 {
            assert_eq!(own.len(), 15);
        } else {
            assert_eq!(own, [&format!("{committer}-14")]);
        }
    }
}

/// Somebody else publishes a snapshot just before each of the next `times` tries.
fn get_ahead(faulty: &FaultyStore, memory: &Arc<InMemory>, times: u32) {
    stores::get_ahead(faulty, memory, times, |table, number| async move {
        let _ = append(&table, &[&format!("rival-{number}")]).await.unwrap();
    });
}

#[tokio::test]
async fn lost_races_are_tried_again_on_top_of_the_winner() {
    let memory = Arc::new(InMemory::new());
    let faulty = FaultyStore::new(memory.clone());
    let table = create(faulty.clone(), schema(false, &[])).await;
    get_ahead(&faulty, &memory, 20);
    assert_eq!(append(&table, &["a"]).await.unwrap(), Committed::Snapshot(21));
    assert_eq!(live_files(&table).await.len(), 21);
}

#[tokio::test]
async fn a_committer_may_be_told_not_to_try_again() {
    let memory = Arc::new(InMemory::new());
    let faulty = FaultyStore::new(memory.clone());
    let table = create(faulty.clone(), schema(false, &[("commit.max-retries", "0")])).await;
    get_ahead(&faulty, &memory, 1);
    let error = append(&table, &["a"]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CommitConflict);
    assert!(error.is_retryable() && !outcome_is_unknown(&error), "{error}");
    assert_eq!(live_files(&table).await, ["rival-0"]);
    let files = table.storage().list("manifest").await.unwrap();
    assert_eq!(
        files.len(),
        3,
        "only the winner's files are left: {:?}",
        files.iter().map(|f| &f.name).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn an_overwrite_replaces_what_came_in_between() {
    let memory = Arc::new(InMemory::new());
    let faulty = FaultyStore::new(memory.clone());
    let table = create(faulty.clone(), schema(false, &[])).await;
    get_ahead(&faulty, &memory, 1);
    let request = request(&table, CommitMode::OverwriteDynamic).await;
    assert_eq!(commit(&table, &request, &[adds(unpartitioned(), &["a"])]).await.unwrap(), Committed::Snapshot(2));
    assert_eq!(live_files(&table).await, ["a"]);
}

#[tokio::test]
async fn a_thousand_files_of_metadata_do_not_gather() {
    let table = testkit::create_table(schema(false, &[])).await;
    for number in 0..100 {
        let _ = append(&table, &[&number.to_string()]).await.unwrap();
    }
    let snapshot = table.latest_snapshot().await.unwrap().unwrap();
    let base = table.manifest_list(&snapshot.base_manifest_list, None).await.unwrap();
    assert!(base.len() < 31, "{}", base.len());
    assert_eq!(live_files(&table).await.len(), 100);
}

/// Callers run these on other threads.
#[test]
fn futures_can_be_spawned() {
    fn check<T: Send>(_: T) {}
    let _ = |table: TableStore, request: CommitRequest, messages: Vec<CommitMessage>| {
        check(async move {
            let _ = commit(&table, &request, &messages).await;
        });
    };
    let _ = |table: TableStore, messages: Vec<CommitMessage>| check(async move { abort(&table, &messages).await });
    let _ = |table: TableStore| check(async move { find_commit(&table, "", 0).await });
    let _ = |table: TableStore, batch: arrow::array::RecordBatch| {
        check(async move {
            let mut writer = crate::TableWriter::open(table, crate::WriteOptions::default()).await.unwrap();
            writer.write(&batch).await.unwrap();
            writer.prepare_commit().await
        });
    };
}
