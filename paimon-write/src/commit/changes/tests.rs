use object_store::ObjectStore;
use object_store::memory::InMemory;
use paimon_io::{Storage, TableStore, testkit};
use paimon_spec::{BinaryRow, ErrorKind, Schema, Snapshot};
use proptest::prelude::*;
use rstest::rstest;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::testing::{keyed, keyed_schema, live_files, request, schema, sorted_file, table_schema};
use crate::tests::stores::{create, dying_at_each_call, get_ahead, open};
use crate::{Committed, abort, commit, outcome_is_unknown};

fn unpartitioned(bucket: i32, total_buckets: i32) -> CommitMessage {
    CommitMessage::of(BinaryRow::empty(), bucket, total_buckets)
}

fn vectors(kind: FileKind, name: &str, file: &str) -> IndexManifestEntry {
    IndexManifestEntry {
        kind,
        partition: BinaryRow::empty(),
        bucket: 0,
        index_type: DELETION_VECTORS.to_owned(),
        file_name: name.to_owned(),
        file_size: 1,
        row_count: 1,
        deletion_vectors: Some(vec![paimon_spec::DeletionVectorMeta {
            data_file_name: file.to_owned(),
            offset: 1,
            length: 2,
            cardinality: Some(1),
        }]),
        external_path: None,
        global_index: None,
    }
}

/// Rows `new` were written, with a changelog, and compacted with `old` at once, with a changelog of that.
fn written_and_compacted() -> CommitMessage {
    let new = sorted_file("new", 0, 0..10);
    CommitMessage {
        new_files: vec![new.clone()],
        changelog_files: vec![sorted_file("changes", 0, 0..10)],
        compact_before: vec![new, sorted_file("old", 0, 0..10)],
        compact_after: vec![sorted_file("merged", 5, 0..10)],
        compact_changelog: vec![sorted_file("computed", 0, 0..10)],
        compact_index_changes: vec![vectors(FileKind::Add, "index", "merged")],
        ..unpartitioned(0, 1)
    }
}

async fn table_with_old(schema: Schema) -> TableStore {
    let table = testkit::create_table(schema).await;
    let old = CommitMessage { new_files: vec![sorted_file("old", 0, 0..10)], ..unpartitioned(0, 1) };
    let _ = commit(&table, &request(&table, CommitMode::Append).await, &[old]).await.unwrap();
    table
}

async fn snapshot(table: &TableStore, id: i64) -> Arc<Snapshot> {
    table.snapshot(id).await.unwrap().unwrap()
}

#[tokio::test]
async fn rows_and_their_compaction_are_two_snapshots() {
    let table = table_with_old(keyed(false, &[("bucket", "1")])).await;
    let request = CommitRequest { identifier: 3, ..request(&table, CommitMode::Append).await };

    let committed = commit(&table, &request, &[written_and_compacted()]).await.unwrap();

    assert_eq!(committed, Committed::Snapshot(3));
    let (written, compacted) = (snapshot(&table, 2).await, snapshot(&table, 3).await);
    assert_eq!((written.commit_kind, compacted.commit_kind), (CommitKind::Append, CommitKind::Compact));
    assert_eq!((written.changelog_record_count, compacted.changelog_record_count), (Some(10), Some(10)));
    assert_eq!((written.index_manifest.is_some(), compacted.index_manifest.is_some()), (false, true));
    assert_eq!((written.total_record_count, compacted.total_record_count), (Some(20), Some(10)));
    assert_eq!(live_files(&table).await, ["merged"]);
    assert_eq!(commit(&table, &request, &[written_and_compacted()]).await.unwrap(), Committed::Already(3));
}

#[tokio::test]
async fn an_overwrite_and_its_compaction_have_no_changelog() {
    let table = table_with_old(keyed(false, &[("bucket", "1")])).await;
    let mut message = written_and_compacted();
    message.compact_before.truncate(1);
    let _ = commit(&table, &request(&table, CommitMode::OverwriteDynamic).await, &[message]).await.unwrap();
    for (id, kind) in [(2, CommitKind::Overwrite), (3, CommitKind::Compact)] {
        let snapshot = snapshot(&table, id).await;
        assert_eq!((snapshot.commit_kind, &snapshot.changelog_manifest_list), (kind, &None));
    }
    assert_eq!(live_files(&table).await, ["merged"]);
}

#[tokio::test]
async fn a_compaction_that_fails_after_its_rows_were_published_keeps_them() {
    let table = table_with_old(keyed(false, &[("bucket", "1")])).await;
    let mut message = written_and_compacted();
    message.compact_before.push(sorted_file("gone", 0, 0..10));

    let error = commit(&table, &request(&table, CommitMode::Append).await, &[message]).await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::CommitConflict);
    assert!(outcome_is_unknown(&error), "the files of snapshot 2 must not be deleted: {error}");
    assert_eq!(live_files(&table).await, ["new", "old"]);
}

#[tokio::test]
async fn abort_deletes_what_a_compaction_wrote_and_not_what_it_moved() {
    let table = testkit::create_table(keyed(false, &[("bucket", "1")])).await;
    for name in ["moved", "merged", "computed"] {
        table.storage().put(&format!("bucket-0/{name}"), "x".into()).await.unwrap();
    }
    table.storage().put("index/index", "x".into()).await.unwrap();
    let message = CommitMessage {
        compact_before: vec![sorted_file("moved", 0, 0..5)],
        compact_after: vec![sorted_file("moved", 5, 0..5), sorted_file("merged", 5, 5..10)],
        compact_changelog: vec![sorted_file("computed", 0, 0..10)],
        compact_index_changes: vec![vectors(FileKind::Add, "index", "moved")],
        ..unpartitioned(0, 1)
    };

    abort(&table, &[message]).await.unwrap();

    let left = async |storage: &Storage, folder| storage.list(folder).await.unwrap().len();
    assert_eq!((left(table.storage(), "bucket-0").await, left(table.storage(), "index").await), (1, 0));
    assert!(table.storage().list("bucket-0").await.unwrap().iter().all(|file| file.name == "moved"));
}

#[rstest]
#[case::fixed(&[("bucket", "4")], 3, 4, None)]
#[case::one_too_many(&[("bucket", "4")], 4, 4, Some("a bucket from 0 to 3"))]
#[case::below(&[("bucket", "4")], -1, 4, Some("a bucket from 0 to 3"))]
#[case::dynamic(&[("bucket", "-1")], 9, -1, None)]
#[case::dynamic_below(&[("bucket", "-1")], -2, -1, Some("a bucket from 0"))]
#[case::postponed(&[("bucket", "-2")], -2, -2, None)]
#[case::postponed_in_a_bucket(&[("bucket", "-2")], 7, 8, None)]
#[case::postponed_elsewhere(&[("bucket", "-2")], 0, -2, Some("the bucket -2"))]
#[case::postponed_among_some(&[("bucket", "-2")], -2, 8, Some("a bucket from 0 to 7"))]
#[case::postponed_in_a_table_with_buckets(&[("bucket", "4")], -2, -2, Some("the bucket 0"))]
fn buckets_of_messages_fit_their_table(
    #[case] options: &[(&str, &str)],
    #[case] bucket: i32,
    #[case] total_buckets: i32,
    #[case] wanted: Option<&str>,
) {
    let outcome = check_message(&keyed_schema(false, options), &unpartitioned(bucket, total_buckets));
    match (outcome, wanted) {
        (Ok(()), None) => {}
        (Err(error), Some(wanted)) => {
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.message().contains(&format!("expected {wanted} in")), "{error}");
        }
        (outcome, wanted) => panic!("wanted {wanted:?}, found {outcome:?}"),
    }
}

#[test]
fn only_rows_that_wait_for_a_bucket_have_several_writers() {
    let message = |bucket, total, name| CommitMessage {
        new_files: vec![sorted_file(name, 0, 0..1)],
        ..unpartitioned(bucket, total)
    };
    let schema = keyed_schema(false, &[("bucket", "-2")]);
    check_writers(&schema, &[message(-2, -2, "a"), message(-2, -2, "b")]).unwrap();
    let error = check_writers(&schema, &[message(0, 1, "a"), message(0, 1, "b")]).unwrap_err();
    assert!(error.message().contains("two writers"), "{error}");
}

#[test]
fn tables_without_buckets_have_bucket_0_alone() {
    let schema = table_schema(false, &[]);
    check_message(&schema, &unpartitioned(0, -1)).unwrap();
    assert!(check_message(&schema, &unpartitioned(1, -1)).is_err());
}

// ---- deletion vectors and compactions

/// Rows of an input that are deleted while it is compacted stay deleted: the compaction gives way.
#[rstest]
#[case::of_an_input("old", Some("another commit has deleted rows of it"))]
#[case::of_another_file("other", None)]
#[tokio::test]
async fn rows_that_are_deleted_meanwhile_stay_deleted(
    #[case] file: &'static str,
    #[case] expected: Option<&str>,
    #[values(false, true)] race: bool,
) {
    let memory = Arc::new(InMemory::new());
    let options = [("deletion-vectors.enabled", "true")];
    let table = create(Arc::clone(&memory) as Arc<dyn ObjectStore>, schema(false, &options)).await;
    let written = CommitMessage {
        new_files: vec![sorted_file("old", 0, 0..9), sorted_file("other", 0, 0..9)],
        ..unpartitioned(0, -1)
    };
    let _ = commit(&table, &request(&table, CommitMode::Append).await, &[written]).await.unwrap();
    let deletes = move |table: TableStore, _: u32| async move {
        let message =
            CommitMessage { index_changes: vec![vectors(FileKind::Add, "index", file)], ..unpartitioned(0, -1) };
        let _ = commit(&table, &request(&table, CommitMode::Append).await, &[message]).await.unwrap();
    };
    let faulty = testkit::FaultyStore::new(Arc::clone(&memory) as Arc<dyn ObjectStore>);
    let own = open(Arc::clone(&faulty) as Arc<dyn ObjectStore>, 5).await;
    if race {
        get_ahead(&faulty, &memory, 1, deletes)
    } else {
        deletes(table.clone(), 0).await
    }

    let compaction = CommitMessage {
        compact_before: vec![sorted_file("old", 0, 0..9)],
        compact_after: vec![sorted_file("merged", 0, 0..9)],
        ..unpartitioned(0, -1)
    };
    let outcome = commit(&own, &request(&own, CommitMode::Append).await, &[compaction]).await;

    match (outcome, expected) {
        (Ok(committed), None) => assert_eq!(committed, Committed::Snapshot(3)),
        (Err(error), Some(text)) => {
            assert_eq!(error.kind(), ErrorKind::CommitConflict);
            assert!(error.message().contains(text), "{error}");
            assert_eq!(live_files(&table).await, ["old", "other"]);
        }
        (outcome, expected) => panic!("expected {expected:?}, found {outcome:?}"),
    }
}

// ---- many jobs

/// One step of the history below: a job makes something of the latest snapshot, or commits what it made.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// Adds a file to a bucket.
    Append(i32),
    /// Makes a compaction of files of a bucket, those whose bit is set, to a level.
    Plan { bucket: i32, files: u8, level: i32 },
    /// Commits the oldest compaction that was made and not committed yet.
    Commit,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (0..2).prop_map(Step::Append),
        2 => (0..2, 1..=u8::MAX, 0..3).prop_map(|(bucket, files, level)| Step::Plan { bucket, files, level }),
        3 => Just(Step::Commit),
    ];
    prop::collection::vec(step, 1..40)
}

/// Files of both buckets as they should be, by name, with their levels.
type Model = [BTreeMap<String, i32>; 2];

struct Planned {
    bucket: i32,
    as_of: i64,
    message: CommitMessage,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is committed in between, a compaction is published exactly when its files are there and nothing above
    /// level 0 of its bucket has changed.
    #[test]
    fn compactions_give_way_to_one_another_and_to_nothing_else(steps in steps()) {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
            let table = testkit::create_table(keyed(false, &[("bucket", "2")])).await;
            let request = request(&table, CommitMode::Append).await;
            let mut model = Model::default();
            let mut changed_levels: Vec<(i32, i64)> = Vec::new();
            let mut planned: Vec<Planned> = Vec::new();
            let (mut latest, mut names) = (0_i64, 0_i64);
            for step in steps {
                match step {
                    Step::Append(bucket) => {
                        names += 1;
                        let name = format!("{names:03}");
                        let file = sorted_file(&name, 0, names..names + 1);
                        let message = CommitMessage { new_files: vec![file], ..unpartitioned(bucket, 2) };
                        latest += 1;
                        let committed = commit(&table, &request, &[message]).await.unwrap();
                        assert_eq!(committed, Committed::Snapshot(latest));
                        model[bucket as usize].insert(name, 0);
                    }
                    Step::Plan { bucket, files, level } => {
                        let chosen = model[bucket as usize].iter().enumerate().filter(|(at, _)| files >> (at % 8) & 1 == 1);
                        let file = |name: &str, level| {
                            let number: i64 = name.parse().unwrap();
                            sorted_file(name, level, number..number + 1)
                        };
                        let before: Vec<DataFileMeta> = chosen.map(|(_, (name, level))| file(name, *level)).collect();
                        if before.is_empty() {
                            continue;
                        }
                        names += 1;
                        let message = CommitMessage {
                            compact_before: before,
                            compact_after: vec![file(&format!("{names:03}"), level)],
                            check_from_snapshot: Some(latest),
                            ..unpartitioned(bucket, 2)
                        };
                        planned.push(Planned { bucket, as_of: latest, message });
                    }
                    Step::Commit => {
                        if planned.is_empty() {
                            continue;
                        }
                        let Planned { bucket, as_of, message } = planned.remove(0);
                        let there = &mut model[bucket as usize];
                        let is_there = |file: &DataFileMeta| there.get(&file.file_name) == Some(&file.level);
                        let fits = message.compact_before.iter().all(is_there)
                            && !changed_levels.iter().any(|(of, id)| *of == bucket && *id > as_of);
                        match commit(&table, &request, std::slice::from_ref(&message)).await {
                            Ok(committed) => {
                                latest += 1;
                                assert!(fits, "published, though it should give way");
                                assert_eq!(committed, Committed::Snapshot(latest));
                                there.retain(|name, _| message.compact_before.iter().all(|file| file.file_name != *name));
                                there.extend(message.compact_after.iter().map(|file| (file.file_name.clone(), file.level)));
                                if message.files().any(|file| file.level > 0) {
                                    changed_levels.push((bucket, latest));
                                }
                            }
                            Err(error) => {
                                assert_eq!(error.kind(), ErrorKind::CommitConflict);
                                assert!(!fits, "gave way to nothing: {error}");
                            }
                        }
                    }
                }
            }
            let mut expected: Vec<String> = model.into_iter().flat_map(BTreeMap::into_keys).collect();
            expected.sort_unstable();
            assert_eq!(live_files(&table).await, expected);
        });
    }
}

/// Wherever a process dies, its compaction is there as a whole, deletion vectors and changelog with it, or not at all, and
/// the next one works.
#[tokio::test]
async fn a_process_that_dies_leaves_no_half_of_a_compaction() {
    let compaction = |input: &str, output: &str, old_index: Option<(&str, &str)>| CommitMessage {
        compact_before: vec![sorted_file(input, if old_index.is_some() { 5 } else { 0 }, 0..10)],
        compact_after: vec![sorted_file(output, 5, 0..10)],
        compact_changelog: vec![sorted_file("computed", 0, 0..10)],
        compact_index_changes: old_index
            .map(|(index, file)| vectors(FileKind::Delete, index, file))
            .into_iter()
            .chain([vectors(FileKind::Add, &format!("index-{output}"), output)])
            .collect(),
        check_from_snapshot: Some(if old_index.is_some() { 2 } else { 1 }),
        ..unpartitioned(0, 1)
    };
    let state = async |table: &TableStore| {
        let latest = table.latest_snapshot().await.unwrap().unwrap();
        let index = match &latest.index_manifest {
            Some(name) => table.index_manifest(name).await.unwrap(),
            None => Arc::default(),
        };
        let index: Vec<String> = index.iter().map(|entry| entry.file_name.clone()).collect();
        (live_files(table).await, index, latest.changelog_record_count)
    };
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    dying_at_each_call(
        async || {
            let store = Arc::new(InMemory::new());
            let schema = keyed(false, &[("bucket", "1"), ("deletion-vectors.enabled", "true"), ("write-only", "true")]);
            let table = create(Arc::clone(&store) as Arc<dyn ObjectStore>, schema).await;
            let old = CommitMessage { new_files: vec![sorted_file("old", 0, 0..10)], ..unpartitioned(0, 1) };
            let _ = commit(&table, &request(&table, CommitMode::Append).await, &[old]).await.unwrap();
            store
        },
        async |table| {
            let request = CommitRequest {
                user: "tester".to_owned(),
                identifier: 1,
                mode: CommitMode::Append,
                properties: BTreeMap::new(),
                table_identity: table.identity().await?,
            };
            let _ = commit(&table, &request, &[compaction("old", "merged", None)]).await?;
            // A hint that could not be written goes unnoticed; the next call of a dead process does not.
            table.storage().list("snapshot").await.map(drop)
        },
        async |store, done| {
            let table = open(store, 99).await;
            let after = (names(&["merged"]), names(&["index-merged"]), Some(10));
            let found = state(&table).await;
            assert!(found == after || (!done && found == (names(&["old"]), Vec::new(), None)), "{found:?}");
            let request = CommitRequest { identifier: 1, ..request(&table, CommitMode::Append).await };
            let _ = commit(&table, &request, &[compaction("old", "merged", None)]).await.unwrap();
            assert_eq!(state(&table).await, after);
            let next = CommitRequest { identifier: 2, ..request };
            let again = compaction("merged", "again", Some(("index-merged", "merged")));
            assert_eq!(commit(&table, &next, &[again]).await.unwrap(), Committed::Snapshot(3));
            assert_eq!(state(&table).await, (names(&["again"]), names(&["index-again"]), Some(10)));
        },
    )
    .await;
}
