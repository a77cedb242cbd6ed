//! Jobs that commit what they made from an older snapshot, with and without losing a race to the other job.

use std::collections::BTreeMap;

use object_store::ObjectStore;
use object_store::memory::InMemory;
use paimon_io::testkit::FaultyStore;
use paimon_spec::{DataFileMeta, FileKind, Schema};
use rstest::rstest;

use super::*;
use crate::testing::{keyed, live_files, partition, request, sorted_file};
use crate::tests::stores::{create, get_ahead, open};
use crate::{CommitMode, Committed, commit, outcome_is_unknown};

fn new_file(name: &str) -> DataFileMeta {
    sorted_file(name, 0, 0..10)
}

/// What a job commits.
#[derive(Clone, Debug)]
struct Job {
    mode: CommitMode,
    message: CommitMessage,
}

impl Job {
    fn appends(message: CommitMessage) -> Self {
        Self { mode: CommitMode::Append, message }
    }

    fn overwrites(message: CommitMessage) -> Self {
        Self { mode: CommitMode::OverwriteDynamic, message }
    }

    /// Overwrites the whole table.
    fn replaces(message: CommitMessage) -> Self {
        Self { mode: CommitMode::OverwriteStatic(BTreeMap::new()), message }
    }

    fn truncates(p: i32) -> Self {
        let spec = BTreeMap::from([("p".to_owned(), p.to_string())]);
        Self { mode: CommitMode::Truncate(vec![spec]), message: CommitMessage::of(partition(Some(p)), 0, -1) }
    }

    async fn run(self, table: &TableStore) -> Result<Committed> {
        let nothing = matches!(self.mode, CommitMode::Truncate(_));
        let messages = if nothing { Vec::new() } else { vec![self.message] };
        commit(table, &request(table, self.mode).await, &messages).await
    }
}

/// A table in which jobs have been, and what comes of `ours` when `rival` is there first: before it looks, or between its
/// look and its publication (`race`).
async fn meet(
    schema: Schema,
    before: Vec<CommitMessage>,
    rival: Option<fn() -> Job>,
    race: bool,
    ours: Job,
) -> (TableStore, Result<Committed>) {
    let memory = Arc::new(InMemory::new());
    let table = create(Arc::clone(&memory) as Arc<dyn ObjectStore>, schema).await;
    for message in before {
        let _ = Job::appends(message).run(&table).await.unwrap();
    }
    let faulty = FaultyStore::new(Arc::clone(&memory) as Arc<dyn ObjectStore>);
    let own = open(Arc::clone(&faulty) as Arc<dyn ObjectStore>, 7).await;
    match rival {
        Some(rival) if race => get_ahead(&faulty, &memory, 1, move |table, _| async move {
            let _ = rival().run(&table).await.unwrap();
        }),
        Some(rival) => {
            let _ = rival().run(&table).await.unwrap();
        }
        None => {}
    }
    let outcome = ours.run(&own).await;
    (table, outcome)
}

fn by(job: fn() -> Job) -> Option<fn() -> Job> {
    Some(job)
}

/// `Ok`, or a conflict with this text; then nothing of `ours` may be there.
async fn check(table: &TableStore, outcome: Result<Committed>, own_file: &str, expected: Option<&str>) {
    let there = live_files(table).await.iter().any(|name| name == own_file);
    match (outcome, expected) {
        (Ok(Committed::Snapshot(_)), None) => assert!(there),
        (Err(error), Some(text)) => {
            assert_eq!(error.kind(), ErrorKind::CommitConflict);
            assert!(error.message().contains(text), "{error}");
            assert!(!there && !outcome_is_unknown(&error));
        }
        (outcome, expected) => panic!("expected {expected:?}, found {outcome:?}"),
    }
}

// ---- compactions

fn in_bucket(bucket: i32, new: &[DataFileMeta]) -> CommitMessage {
    CommitMessage { new_files: new.to_vec(), ..CommitMessage::of(BinaryRow::empty(), bucket, 2) }
}

fn compacts(bucket: i32, from: Option<i64>, before: DataFileMeta, after: DataFileMeta) -> CommitMessage {
    CommitMessage {
        compact_before: vec![before],
        compact_after: vec![after],
        check_from_snapshot: from,
        ..CommitMessage::of(BinaryRow::empty(), bucket, 2)
    }
}

/// Snapshots 1 to 3: `a` and `c` in bucket 0, `b` in bucket 1.
fn buckets() -> Vec<CommitMessage> {
    let c = sorted_file("c", 0, 20..30);
    vec![in_bucket(0, &[new_file("a")]), in_bucket(1, &[new_file("b")]), in_bucket(0, &[c])]
}

#[rstest]
#[case::nobody(None, None)]
#[case::rows_in_the_bucket(by(|| Job::appends(in_bucket(0, &[new_file("d")]))), None)]
#[case::a_compaction_of_another_bucket(
    by(|| Job::appends(compacts(1, Some(3), new_file("b"), sorted_file("b2", 5, 0..10)))),
    None
)]
#[case::a_compaction_to_level_zero(
    by(|| Job::appends(compacts(0, Some(3), sorted_file("c", 0, 20..30), sorted_file("c2", 0, 20..30)))),
    None
)]
#[case::a_compaction_of_other_files_of_the_bucket(
    by(|| Job::appends(compacts(0, Some(3), sorted_file("c", 0, 20..30), sorted_file("c2", 4, 20..30)))),
    Some("above level 0")
)]
#[case::a_compaction_of_the_same_file(
    by(|| Job::appends(compacts(0, Some(3), new_file("a"), sorted_file("a3", 4, 0..10)))),
    Some("above level 0")
)]
#[case::a_compaction_of_the_same_file_to_level_zero(
    by(|| Job::appends(compacts(0, Some(3), new_file("a"), sorted_file("a3", 0, 0..10)))),
    Some("another commit has removed it")
)]
#[case::an_overwrite(by(|| Job::overwrites(in_bucket(0, &[new_file("d")]))), Some("data file d"))]
#[case::an_overwrite_to_level_zero(
    by(|| Job::overwrites(in_bucket(0, &[new_file("d"), new_file("e")]))),
    Some("another commit has removed it")
)]
#[tokio::test]
async fn a_compaction_gives_way_to_what_changes_its_levels(
    #[case] rival: Option<fn() -> Job>,
    #[case] expected: Option<&str>,
    #[values(false, true)] race: bool,
) {
    let ours = Job::appends(compacts(0, Some(3), new_file("a"), sorted_file("a2", 5, 0..10)));
    let (table, outcome) = meet(keyed(false, &[("bucket", "2")]), buckets(), rival, race, ours).await;
    check(&table, outcome, "a2", expected).await;
}

#[tokio::test]
async fn a_compaction_that_says_nothing_of_its_snapshot_is_not_compared() {
    let rival = by(|| Job::appends(compacts(0, None, sorted_file("c", 0, 20..30), sorted_file("c2", 4, 20..30))));
    let ours = Job::appends(compacts(0, None, new_file("a"), sorted_file("a2", 5, 0..10)));
    let (table, outcome) = meet(keyed(false, &[("bucket", "2")]), buckets(), rival, false, ours).await;
    check(&table, outcome, "a2", None).await;
}

#[rstest]
#[case::one_in_between(4, 3, Some("snapshot 4 is gone"))]
#[case::its_own_which_nobody_needs(3, 3, None)]
#[case::one_before(2, 3, None)]
#[case::a_rollback(5, 9, Some("snapshot 9 is gone"))]
#[tokio::test]
async fn a_compaction_gives_way_where_snapshots_are_gone(
    #[case] gone: i64,
    #[case] from: i64,
    #[case] expected: Option<&str>,
) {
    let table = create(Arc::new(InMemory::new()), keyed(false, &[("bucket", "2")])).await;
    let later = [in_bucket(1, &[new_file("d")]), in_bucket(1, &[new_file("e")])];
    for message in buckets().into_iter().chain(later) {
        let _ = Job::appends(message).run(&table).await.unwrap();
    }
    if gone < 5 {
        table.storage().delete(&table.paths().snapshot(gone)).await.unwrap();
    }
    let ours = Job::appends(compacts(0, Some(from), new_file("a"), sorted_file("a2", 5, 0..10)));
    let outcome = ours.run(&table).await;
    check(&table, outcome, "a2", expected).await;
}

// ---- dynamic buckets

fn hashes(kind: FileKind, p: i32, bucket: i32, name: &str) -> IndexManifestEntry {
    IndexManifestEntry {
        kind,
        partition: partition(Some(p)),
        bucket,
        index_type: HASH_INDEX.to_owned(),
        file_name: name.to_owned(),
        file_size: 4,
        row_count: 1,
        deletion_vectors: None,
        external_path: None,
        global_index: None,
    }
}

fn in_partition(p: i32, bucket: i32, from: Option<i64>, file: &str, index: &[IndexManifestEntry]) -> CommitMessage {
    CommitMessage {
        new_files: vec![new_file(file)],
        index_changes: index.to_vec(),
        check_from_snapshot: from,
        ..CommitMessage::of(partition(Some(p)), bucket, -1)
    }
}

/// Snapshots 1 and 2: bucket 0 of partition 1 (`a`), and of partition 2 (`b`).
fn hashed() -> Vec<CommitMessage> {
    vec![
        in_partition(1, 0, None, "a", &[hashes(FileKind::Add, 1, 0, "h1")]),
        in_partition(2, 0, Some(1), "b", &[hashes(FileKind::Add, 2, 0, "h2")]),
    ]
}

fn grows_the_bucket() -> CommitMessage {
    let index = [hashes(FileKind::Delete, 1, 0, "h1"), hashes(FileKind::Add, 1, 0, "own")];
    in_partition(1, 0, Some(2), "own", &index)
}

fn makes_a_bucket() -> CommitMessage {
    in_partition(1, 1, Some(2), "own", &[hashes(FileKind::Add, 1, 1, "own")])
}

fn has_known_keys() -> CommitMessage {
    in_partition(1, 0, Some(2), "own", &[])
}

fn compacts_rows() -> Job {
    Job::appends(CommitMessage {
        compact_before: vec![new_file("a")],
        compact_after: vec![sorted_file("a2", 5, 0..10)],
        check_from_snapshot: Some(2),
        ..CommitMessage::of(partition(Some(1)), 0, -1)
    })
}

/// What a rival leaves to the three kinds of writers above.
const NONE: [bool; 3] = [false; 3];
const NEW_KEYS: [bool; 3] = [true, true, false];
const ALL: [bool; 3] = [true; 3];

#[rstest]
#[case::nobody(None, NONE)]
#[case::known_keys(by(|| Job::appends(in_partition(1, 0, Some(2), "r", &[]))), NONE)]
#[case::new_keys_of_another_partition(
    by(|| Job::appends(in_partition(2, 1, Some(2), "r", &[hashes(FileKind::Add, 2, 1, "h3")]))),
    NONE
)]
#[case::new_keys_in_another_bucket(
    by(|| Job::appends(in_partition(1, 7, Some(2), "r", &[hashes(FileKind::Add, 1, 7, "h3")]))),
    NEW_KEYS
)]
#[case::an_overwrite_of_the_partition(
    by(|| Job::overwrites(in_partition(1, 0, None, "r", &[hashes(FileKind::Add, 1, 0, "h3")]))),
    ALL
)]
#[case::an_overwrite_of_another_partition(
    by(|| Job::overwrites(in_partition(2, 0, None, "r", &[hashes(FileKind::Add, 2, 0, "h3")]))),
    NONE
)]
#[case::a_truncation(by(|| Job::truncates(1)), ALL)]
#[case::a_compaction(by(compacts_rows), NONE)]
#[tokio::test]
async fn keys_get_buckets_from_one_job_at_a_time(
    #[case] rival: Option<fn() -> Job>,
    #[case] conflicts: [bool; 3],
    #[values(false, true)] race: bool,
) {
    for (ours, conflict) in [grows_the_bucket(), makes_a_bucket(), has_known_keys()].into_iter().zip(conflicts) {
        let schema = keyed(true, &[("bucket", "-1")]);
        let (table, outcome) = meet(schema, hashed(), rival, race, Job::appends(ours)).await;
        check(&table, outcome, "own", conflict.then_some("keys of partition p=1")).await;
    }
}

#[rstest]
#[case::nobody(None, None)]
#[case::the_same_partition(
    by(|| Job::appends(in_partition(1, 3, None, "r", &[hashes(FileKind::Add, 1, 3, "h3")]))),
    Some("keys of partition p=1")
)]
#[case::another_partition(
    by(|| Job::appends(in_partition(2, 0, None, "r", &[hashes(FileKind::Add, 2, 0, "h3")]))),
    None
)]
#[tokio::test]
async fn the_first_keys_of_a_table_get_buckets_from_one_job(
    #[case] rival: Option<fn() -> Job>,
    #[case] expected: Option<&str>,
    #[values(false, true)] race: bool,
) {
    let ours = Job::appends(in_partition(1, 0, None, "own", &[hashes(FileKind::Add, 1, 0, "own")]));
    let (table, outcome) = meet(keyed(true, &[("bucket", "-1")]), Vec::new(), rival, race, ours).await;
    check(&table, outcome, "own", expected).await;
}

#[rstest]
#[case::without_a_word_of_the_old_ones(&[])]
#[case::by_name(&[hashes(FileKind::Delete, 1, 0, "h1")])]
#[tokio::test]
async fn an_overwrite_takes_the_hash_index_with_it(#[case] deleted: &[IndexManifestEntry]) {
    let index = [deleted, &[hashes(FileKind::Add, 1, 0, "own")]].concat();
    let ours = Job::overwrites(in_partition(1, 0, None, "own", &index));
    let (table, outcome) = meet(keyed(true, &[("bucket", "-1")]), hashed(), None, false, ours).await;
    check(&table, outcome, "own", None).await;
    let latest = table.latest_snapshot().await.unwrap().unwrap();
    let index = index_files(&table, &latest).await.unwrap();
    let names: Vec<&str> = index.iter().map(|entry| entry.file_name.as_str()).collect();
    assert_eq!(names, ["h2", "own"]);
}

// ---- keys that may move between partitions

fn moving_keys() -> Schema {
    Schema { primary_keys: vec!["k".to_owned()], ..keyed(true, &[("bucket", "-1")]) }
}

/// Snapshots 1 and 2, one partition each.
fn moving() -> Vec<CommitMessage> {
    vec![in_partition(1, 0, None, "a", &[]), in_partition(2, 0, Some(1), "b", &[])]
}

#[rstest]
#[case::nobody(None, None)]
#[case::rows_of_another_partition(
    by(|| Job::appends(in_partition(3, 0, Some(2), "r", &[]))),
    Some("snapshot 3 has changed rows since snapshot 2")
)]
#[case::an_overwrite(by(|| Job::replaces(in_partition(2, 0, None, "r", &[]))), Some("snapshot 3 has changed rows"))]
#[case::a_truncation(by(|| Job::truncates(2)), Some("snapshot 3 has changed rows"))]
#[case::a_compaction(by(compacts_rows), None)]
#[tokio::test]
async fn keys_are_moved_by_one_job_at_a_time(
    #[case] rival: Option<fn() -> Job>,
    #[case] expected: Option<&str>,
    #[values(false, true)] race: bool,
) {
    let ours = Job::appends(in_partition(1, 0, Some(2), "own", &[]));
    let (table, outcome) = meet(moving_keys(), moving(), rival, race, ours).await;
    check(&table, outcome, "own", expected).await;
}

#[rstest]
#[case::of_an_empty_table(Vec::new(), Job::appends(in_partition(1, 0, None, "own", &[])), None)]
#[case::of_a_table_with_rows(
    moving(),
    Job::appends(in_partition(1, 0, None, "own", &[])),
    Some("snapshot 1 has changed rows")
)]
#[case::that_replace_what_is_there(moving(), Job::replaces(in_partition(1, 0, None, "own", &[])), None)]
#[tokio::test]
async fn rows_that_say_nothing_of_their_snapshot_are(
    #[case] before: Vec<CommitMessage>,
    #[case] ours: Job,
    #[case] expected: Option<&str>,
) {
    let (table, outcome) = meet(moving_keys(), before, None, false, ours).await;
    check(&table, outcome, "own", expected).await;
}
