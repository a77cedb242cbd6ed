use std::collections::BTreeMap;
use std::sync::Arc;

use object_store::memory::InMemory;
use paimon_io::TableStore;
use paimon_io::testkit::{self, FaultyStore};
use paimon_scan::live_entries;
use paimon_spec::{
    BinaryRow, CommitMessage, DELETION_VECTORS, DataField, DataType, DeletionVectorMeta, IndexManifestEntry, Schema,
    SchemaChange, TypeKind,
};
use proptest::prelude::*;
use rstest::rstest;
use tokio::task::JoinSet;

use super::*;
use crate::testing::{data_file, entry, request, schema};
use crate::tests::stores::{create, get_ahead, open};
use crate::{CommitMode, Committed, commit, rollback};

const DATA_EVOLUTION: [(&str, &str); 2] = [("row-tracking.enabled", "true"), ("data-evolution.enabled", "true")];

/// `p INT` (the partition, when asked for), `id INT` and two BLOB columns `image` and `clip`.
fn blob_schema(partitioned: bool, options: &[(&str, &str)]) -> Schema {
    let options: Vec<_> = DATA_EVOLUTION.iter().chain(options).copied().collect();
    let mut schema = schema(partitioned, &options);
    for name in ["image", "clip"] {
        schema.fields.push(DataField::new(0, name, DataType::nullable(TypeKind::Blob)));
    }
    schema
}

async fn table() -> TableStore {
    testkit::create_table(blob_schema(false, &[])).await
}

/// A new file of some columns, before it is committed: of one BLOB column when that is all.
fn file(name: &str, rows: i64, columns: &[&str]) -> DataFileMeta {
    let is_blob = matches!(columns, ["image" | "clip"]);
    DataFileMeta {
        row_count: rows,
        min_sequence_number: 0,
        max_sequence_number: 0,
        write_cols: Some(columns.iter().map(|column| (*column).to_owned()).collect()),
        ..data_file(&if is_blob { format!("{name}-{}.blob", columns[0]) } else { name.to_owned() })
    }
}

/// A file that changes columns of rows.
fn update(name: &str, rows: Range<i64>, columns: &[&str]) -> DataFileMeta {
    DataFileMeta { first_row_id: Some(rows.start), ..file(name, rows.end - rows.start, columns) }
}

fn message(files: Vec<DataFileMeta>) -> CommitMessage {
    CommitMessage { new_files: files, ..CommitMessage::of(BinaryRow::empty(), 0, -1) }
}

fn as_of(snapshot: i64, files: Vec<DataFileMeta>) -> CommitMessage {
    CommitMessage { check_from_snapshot: Some(snapshot), ..message(files) }
}

async fn append(table: &TableStore, message: CommitMessage) -> Result<Committed> {
    commit(table, &request(table, CommitMode::Append).await, &[message]).await
}

/// New rows: a file of the columns `p` and `id`, and one of each BLOB column.
async fn append_rows(table: &TableStore, name: &str, rows: i64) {
    let _ = append(table, message(new_rows(name, rows))).await.unwrap();
}

fn new_rows(name: &str, rows: i64) -> Vec<DataFileMeta> {
    vec![file(name, rows, &["p", "id"]), file(name, rows, &["image"]), file(name, rows, &["clip"])]
}

async fn latest(table: &TableStore) -> Arc<Snapshot> {
    table.latest_snapshot().await.unwrap().unwrap()
}

/// The live files by name, with their row ids and sequence numbers.
async fn live(table: &TableStore) -> Vec<(String, Range<i64>, (i64, i64))> {
    let entries = live_entries(table, latest(table).await.as_ref(), &|_, _| true).await.unwrap();
    let describe = |entry: ManifestEntry| {
        let file = entry.file;
        let rows = file.row_ids().unwrap();
        (file.file_name, rows, (file.min_sequence_number, file.max_sequence_number))
    };
    let mut files: Vec<_> = entries.into_iter().map(describe).collect();
    files.sort_by(|a, b| (a.1.start, &a.0).cmp(&(b.1.start, &b.0)));
    files
}

/// All live files by name, with their row ids.
async fn row_ids(table: &TableStore) -> Vec<(String, Range<i64>)> {
    live(table).await.into_iter().map(|(name, rows, _)| (name, rows)).collect()
}

fn named(files: &[(&str, Range<i64>)]) -> Vec<(String, Range<i64>)> {
    files.iter().map(|(name, rows)| ((*name).to_owned(), rows.clone())).collect()
}

// ---- new rows

#[tokio::test]
async fn new_rows_get_the_next_ids_and_the_number_of_the_snapshot() {
    let table = table().await;
    append_rows(&table, "a", 3).await;
    append_rows(&table, "b", 2).await;
    let expected = [("a", 0..3, 1), ("a-clip.blob", 0..3, 1), ("a-image.blob", 0..3, 1)];
    let expected = expected.into_iter().chain([("b", 3..5, 2), ("b-clip.blob", 3..5, 2), ("b-image.blob", 3..5, 2)]);
    let expected: Vec<_> = expected.map(|(name, rows, id)| (name.to_owned(), rows, (id, id))).collect();
    assert_eq!(live(&table).await, expected);
    let snapshot = latest(&table).await;
    assert_eq!(snapshot.next_row_id, Some(5));
    assert_eq!((snapshot.delta_record_count, snapshot.total_record_count), (Some(6), Some(15)), "rows of all files");
}

#[tokio::test]
async fn tables_with_row_tracking_alone_get_ids_too() {
    let table = testkit::create_table(schema(false, &DATA_EVOLUTION[..1])).await;
    for name in ["a", "b"] {
        let _ = append(&table, message(vec![file(name, 10, &["p", "id"])])).await.unwrap();
    }
    assert_eq!(row_ids(&table).await, named(&[("a", 0..10), ("b", 10..20)]));
}

#[rstest]
#[case::partitions_together("true", &[("x", 0..2), ("x2", 2..4), ("y", 4..7)])]
#[case::as_they_come("false", &[("x", 0..2), ("y", 2..5), ("x2", 5..7)])]
#[tokio::test]
async fn ids_follow_the_partitions_if_the_table_says_so(#[case] group: &str, #[case] expected: &[(&str, Range<i64>)]) {
    let option = ("row-tracking.partition-group-on-commit", group);
    let table = testkit::create_table(blob_schema(true, &[option])).await;
    let partition = |p| crate::testing::partition(Some(p));
    let in_partition = |p, name, rows| CommitMessage {
        new_files: vec![file(name, rows, &["p", "id"])],
        ..CommitMessage::of(partition(p), 0, -1)
    };
    let messages = [in_partition(1, "x", 2), in_partition(2, "y", 3), in_partition(1, "x2", 2)];
    let _ = commit(&table, &request(&table, CommitMode::Append).await, &messages).await.unwrap();
    assert_eq!(row_ids(&table).await, named(expected));
}

#[rstest]
#[case::overwriting(CommitMode::OverwriteDynamic, new_rows("b", 2), &[("b", 3..5), ("b-clip.blob", 3..5), ("b-image.blob", 3..5)])]
#[case::truncating(CommitMode::Truncate(Vec::new()), Vec::new(), &[])]
#[tokio::test]
async fn ids_of_rows_that_are_gone_are_not_given_again(
    #[case] mode: CommitMode,
    #[case] files: Vec<DataFileMeta>,
    #[case] expected: &[(&str, Range<i64>)],
) {
    let table = table().await;
    append_rows(&table, "a", 3).await;
    let messages: Vec<CommitMessage> = if files.is_empty() { Vec::new() } else { vec![message(files)] };
    let _ = commit(&table, &request(&table, mode).await, &messages).await.unwrap();
    assert_eq!(row_ids(&table).await, named(expected));
    let next = latest(&table).await.next_row_id.unwrap();
    append_rows(&table, "c", 1).await;
    assert_eq!(row_ids(&table).await.last(), Some(&("c-image.blob".to_owned(), next..next + 1)));
    assert_eq!(next, 3 + expected.first().map_or(0, |(_, rows)| rows.end - rows.start));
}

#[tokio::test]
async fn whoever_loses_a_race_gets_the_ids_after_the_winners() {
    let memory = Arc::new(InMemory::new());
    let faulty = FaultyStore::new(memory.clone());
    let table = create(faulty.clone(), blob_schema(false, &[])).await;
    append_rows(&table, "a", 3).await;
    get_ahead(&faulty, &memory, 2, |table, number| async move {
        append_rows(&table, &format!("rival-{number}"), 2).await;
    });

    let _ =
        append(&table, message(vec![file("late", 5, &["p", "id"]), update("change", 0..3, &["id"])])).await.unwrap();

    let files = live(&open(memory, 99).await).await;
    let of = |name: &str| files.iter().find(|(found, _, _)| found == name).map(|(_, rows, seq)| (rows.clone(), *seq));
    assert_eq!(of("late"), Some((7..12, (4, 4))));
    assert_eq!(of("change"), Some((0..3, (4, 4))));
    assert_eq!(latest(&table).await.next_row_id, Some(12));
    check_manifests(&table).await;
}

#[tokio::test]
async fn no_id_is_given_twice_by_many_committers() {
    let memory = Arc::new(InMemory::new());
    create(memory.clone(), blob_schema(false, &[("manifest.merge-min-count", "3")])).await;
    let mut committers = JoinSet::new();
    for committer in 0..6_u64 {
        let memory = memory.clone();
        committers.spawn(async move {
            let table = open(memory, committer).await;
            for round in 0..5_u64 {
                append_rows(&table, &format!("{committer}-{round}"), (committer + round) as i64 % 3 + 1).await;
            }
        });
    }
    while let Some(done) = committers.join_next().await {
        done.unwrap();
    }
    let table = open(memory, 77).await;
    let files = row_ids(&table).await;
    for kind in [false, true] {
        let mut ids: Vec<i64> = files
            .iter()
            .filter(|(name, _)| name.ends_with(".blob") == kind)
            .flat_map(|(_, rows)| rows.clone())
            .collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids, (0..latest(&table).await.next_row_id.unwrap()).collect::<Vec<_>>());
    }
    check_manifests(&table).await;
}

/// What manifest lists say about the row ids in manifests is so.
async fn check_manifests(table: &TableStore) {
    let snapshot = latest(table).await;
    let mut count = 0;
    for (list, size) in [
        (&snapshot.base_manifest_list, snapshot.base_manifest_list_size),
        (&snapshot.delta_manifest_list, snapshot.delta_manifest_list_size),
    ] {
        for manifest in table.manifest_list(list, size).await.unwrap().iter() {
            let mut rows: Vec<Range<i64>> = Vec::new();
            let mut visit = |entry: ManifestEntry| {
                rows.push(entry.file.row_ids().unwrap());
                Ok(())
            };
            table.read_manifest(manifest, &mut |_| true, &mut visit).await.unwrap();
            let bounds = (rows.iter().map(|rows| rows.start).min(), rows.iter().map(|rows| rows.end - 1).max());
            assert_eq!((manifest.min_row_id, manifest.max_row_id), bounds);
            count += 1;
        }
    }
    assert!(count > 0);
}

#[tokio::test]
async fn merged_manifests_know_their_row_ids() {
    let table = testkit::create_table(blob_schema(false, &[("manifest.merge-min-count", "2")])).await;
    for at in 0..5 {
        append_rows(&table, &format!("f{at}"), at + 1).await;
        let _ = append(&table, message(vec![update(&format!("u{at}"), 0..1, &["id"])])).await.unwrap();
        check_manifests(&table).await;
    }
}

// ---- changes of rows

/// What somebody else does after snapshot 2, by which it was decided to change the column `id` of the rows 0..3.
#[derive(Debug, Clone, Copy)]
enum Meanwhile {
    Nothing,
    AppendsRows,
    Changes(&'static str, i64, i64),
    ChangesAll,
    Overwrites,
    /// Makes one file of files.
    Compacts(&'static [&'static str], i64, i64),
    DeletesRows,
    Expires,
    RollsBack,
}

async fn meanwhile(table: &TableStore, what: Meanwhile) {
    let live = live_entries(table, latest(table).await.as_ref(), &|_, _| true).await.unwrap();
    let by_name = |name: &str| live.iter().find(|entry| entry.file.file_name == name).unwrap().file.clone();
    match what {
        Meanwhile::Nothing => {}
        Meanwhile::AppendsRows => append_rows(table, "other", 4).await,
        Meanwhile::Changes(column, start, end) => {
            let _ = append(table, as_of(2, vec![update("other", start..end, &[column])])).await.unwrap();
        }
        Meanwhile::ChangesAll => {
            let all = DataFileMeta { write_cols: None, ..update("other", 0..3, &[]) };
            let _ = append(table, as_of(2, vec![all])).await.unwrap();
        }
        Meanwhile::Overwrites => {
            let request = request(table, CommitMode::OverwriteDynamic).await;
            let _ = commit(table, &request, &[message(new_rows("other", 3))]).await.unwrap();
        }
        Meanwhile::Compacts(files, start, end) => {
            let compacted = DataFileMeta {
                file_source: Some(paimon_spec::FileSource::Compact),
                min_sequence_number: 1,
                max_sequence_number: 2,
                ..update("compacted", start..end, &["p", "id"])
            };
            let message = CommitMessage {
                compact_before: files.iter().map(|name| by_name(name)).collect(),
                compact_after: vec![compacted],
                ..message(Vec::new())
            };
            let _ = append(table, message).await.unwrap();
        }
        Meanwhile::DeletesRows => {
            let _ = append(table, deletes("vectors", "a")).await.unwrap();
        }
        Meanwhile::Expires => {
            append_rows(table, "other", 4).await;
            append_rows(table, "another", 4).await;
            for id in 1..4 {
                table.storage().delete(&table.paths().snapshot(id)).await.unwrap();
            }
        }
        Meanwhile::RollsBack => {
            rollback(table, &paimon_scan::ReadPoint::Snapshot(1)).await.unwrap();
        }
    }
}

/// A message that deletes rows of a data file.
fn deletes(name: &str, data_file: &str) -> CommitMessage {
    let vector =
        DeletionVectorMeta { data_file_name: data_file.to_owned(), offset: 1, length: 22, cardinality: Some(1) };
    let index = IndexManifestEntry {
        kind: FileKind::Add,
        partition: BinaryRow::empty(),
        bucket: 0,
        index_type: DELETION_VECTORS.to_owned(),
        file_name: name.to_owned(),
        file_size: 31,
        row_count: 1,
        deletion_vectors: Some(vec![vector]),
        external_path: None,
        global_index: None,
    };
    CommitMessage { index_changes: vec![index], ..message(Vec::new()) }
}

const CHANGED: &str = "has changed the same columns of the same rows";
const GONE: &str = "not in files of the same row ids any more";
const UNKNOWN: &str = "cannot be told, because snapshot";

#[rstest]
#[case::nothing(Meanwhile::Nothing, None)]
#[case::new_rows(Meanwhile::AppendsRows, None)]
#[case::the_column(Meanwhile::Changes("id", 0, 3), Some(CHANGED))]
#[case::another_column(Meanwhile::Changes("p", 0, 3), None)]
#[case::a_blob_column(Meanwhile::Changes("image", 0, 2), None)]
#[case::other_rows(Meanwhile::Changes("id", 3, 5), None)]
#[case::all_columns(Meanwhile::ChangesAll, Some(CHANGED))]
#[case::an_overwrite(Meanwhile::Overwrites, Some(CHANGED))]
#[case::a_compaction_of_columns(Meanwhile::Compacts(&["a"], 0, 3), None)]
#[case::a_compaction_of_rows(Meanwhile::Compacts(&["a", "b"], 0, 5), Some(GONE))]
#[case::deletions(Meanwhile::DeletesRows, None)]
#[case::an_expired_snapshot(Meanwhile::Expires, Some(UNKNOWN))]
#[case::rolled_back(Meanwhile::RollsBack, Some(UNKNOWN))]
#[tokio::test]
async fn a_change_of_rows_is_refused_when_somebody_else_has_changed_them(
    #[case] what: Meanwhile,
    #[case] reason: Option<&str>,
) {
    let table = table().await;
    append_rows(&table, "a", 3).await;
    append_rows(&table, "b", 2).await;
    meanwhile(&table, what).await;
    let before = latest(&table).await;

    let outcome = append(&table, as_of(2, vec![update("change", 0..3, &["id"])])).await;

    let after = latest(&table).await;
    match reason {
        None => {
            assert_eq!(outcome.unwrap(), Committed::Snapshot(before.id + 1));
            assert_eq!((after.commit_kind, after.next_row_id), (CommitKind::Append, before.next_row_id));
            assert_eq!(after.delta_record_count, Some(3));
            let files = live(&table).await;
            let change = files.iter().find(|(name, _, _)| name == "change").unwrap();
            assert_eq!((change.1.clone(), change.2), (0..3, (after.id, after.id)));
        }
        Some(reason) => {
            let error = outcome.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::CommitConflict, "{error}");
            assert!(error.message().contains(reason) && error.message().contains("run the update again"), "{error}");
            assert!(!error.is_retryable(), "the same files will not do");
            assert_eq!(after, before);
        }
    }
}

#[tokio::test]
async fn a_change_that_does_not_say_as_of_when_overwrites_others() {
    let table = table().await;
    append_rows(&table, "a", 3).await;
    for name in ["one", "two"] {
        let _ = append(&table, message(vec![update(name, 0..3, &["id"])])).await.unwrap();
    }
    assert_eq!(latest(&table).await.id, 3);
}

#[tokio::test]
async fn of_several_messages_the_oldest_snapshot_counts() {
    let table = table().await;
    append_rows(&table, "a", 3).await;
    append_rows(&table, "b", 2).await;
    let _ = append(&table, as_of(2, vec![update("one", 0..3, &["id"])])).await.unwrap();
    let messages = [as_of(3, vec![update("x", 3..5, &["id"])]), as_of(2, vec![update("two", 0..3, &["id"])])];
    let error = commit(&table, &request(&table, CommitMode::Append).await, &messages).await.unwrap_err();
    assert!(error.message().contains("snapshot 3 has changed"), "{error}");
}

#[tokio::test]
async fn a_renamed_column_is_the_same_column() {
    let memory = Arc::new(InMemory::new());
    let table = create(memory.clone(), blob_schema(false, &[])).await;
    append_rows(&table, "a", 3).await;
    let rename = SchemaChange::RenameColumn { path: vec!["id".to_owned()], new_name: "number".to_owned() };
    let renamed = table.schema().apply(&[rename], true, 0).unwrap();
    let _ = table.commit_schema(&renamed).await.unwrap();
    let new = DataFileMeta { schema_id: renamed.id, ..update("new", 0..3, &["number"]) };
    let _ = append(&open(memory, 3).await, as_of(1, vec![new])).await.unwrap();
    let error = append(&table, as_of(1, vec![update("old", 0..3, &["id"])])).await.unwrap_err();
    assert!(error.message().contains(CHANGED), "{error}");
}

#[rstest]
#[case::part_of_a_file(update("u", 0..2, &["id"]), false)]
#[case::two_files(update("u", 0..5, &["id"]), false)]
#[case::no_rows(update("u", 5..8, &["id"]), false)]
#[case::some_rows(update("u", 3..6, &["id"]), false)]
#[case::a_file(update("u", 3..5, &["id"]), true)]
#[case::blobs_of_some_rows(update("u", 1..3, &["image"]), true)]
#[case::blobs_of_two_files(update("u", 2..4, &["image"]), false)]
#[tokio::test]
async fn rows_are_changed_by_files_of_the_same_rows(
    #[case] change: DataFileMeta,
    #[case] fits: bool,
    #[values(false, true)] says_as_of_when: bool,
) {
    let table = table().await;
    append_rows(&table, "a", 3).await;
    append_rows(&table, "b", 2).await;
    let message = CommitMessage { check_from_snapshot: says_as_of_when.then_some(2), ..message(vec![change]) };
    match append(&table, message).await {
        Ok(_) => assert!(fits),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::CommitConflict);
            assert!(!fits && error.message().contains(GONE), "{error}");
        }
    }
}

#[tokio::test]
async fn rows_of_an_empty_table_cannot_be_changed() {
    let error = append(&table().await, message(vec![update("u", 0..3, &["id"])])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CommitConflict);
}

#[rstest]
#[case::columns(vec![update("x", 0..3, &["id"]), update("y", 0..3, &["p", "id"])], true)]
#[case::blobs(vec![update("x", 0..2, &["image"]), update("y", 1..3, &["image"])], true)]
#[case::other_columns(vec![update("x", 0..3, &["id"]), update("y", 0..3, &["p"])], false)]
#[case::other_blobs(vec![update("x", 0..2, &["image"]), update("y", 1..3, &["clip"])], false)]
#[case::blobs_of_other_rows(vec![update("x", 0..2, &["image"]), update("y", 2..3, &["image"])], false)]
#[tokio::test]
async fn a_value_is_changed_once_in_a_commit(#[case] files: Vec<DataFileMeta>, #[case] refused: bool) {
    let table = table().await;
    append_rows(&table, "a", 3).await;
    match append(&table, as_of(1, files)).await {
        Ok(_) => assert!(!refused),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(refused && error.message().contains("the same column of the same rows"), "{error}");
        }
    }
}

#[rstest]
#[case(CommitMode::OverwriteDynamic)]
#[case(CommitMode::OverwriteStatic(BTreeMap::new()))]
#[tokio::test]
async fn rows_are_not_changed_and_replaced_at_once(#[case] mode: CommitMode) {
    let table = table().await;
    append_rows(&table, "a", 3).await;
    let messages = [message(vec![update("u", 0..3, &["id"])])];
    let error = commit(&table, &request(&table, mode).await, &messages).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn rows_of_a_file_that_is_gone_are_not_deleted() {
    let table = table().await;
    append_rows(&table, "a", 3).await;
    let _ = append(&table, deletes("one", "a")).await.unwrap();
    let error = append(&table, deletes("two", "a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CommitConflict, "a file has one deletion vector");
    meanwhile(&table, Meanwhile::Overwrites).await;
    let error = append(&table, deletes("three", "a")).await.unwrap_err();
    assert!(error.message().contains("another commit has removed the file"), "{error}");
    let snapshot = latest(&table).await;
    assert_eq!((snapshot.commit_kind, snapshot.index_manifest.as_ref()), (CommitKind::Overwrite, None));
}

#[tokio::test]
async fn an_update_that_lost_a_race_is_checked_against_the_winner() {
    let memory = Arc::new(InMemory::new());
    let faulty = FaultyStore::new(memory.clone());
    let table = create(faulty.clone(), blob_schema(false, &[])).await;
    append_rows(&table, "a", 3).await;
    get_ahead(&faulty, &memory, 1, |table, _| async move {
        let _ = append(&table, as_of(1, vec![update("winner", 0..3, &["id"])])).await.unwrap();
    });
    let error = append(&table, as_of(1, vec![update("loser", 0..3, &["id"])])).await.unwrap_err();
    assert!(error.message().contains("snapshot 2 has changed"), "{error}");
    let table = open(memory, 6).await;
    assert_eq!(latest(&table).await.id, 2);
    let lists = table.storage().list("manifest").await.unwrap();
    let lists = lists.iter().filter(|file| file.name.starts_with("manifest-list-")).count();
    assert_eq!(lists, 4, "what the loser wrote is gone");
}

#[rstest]
#[case::its_column(update("u", 0..3, &["id"]), true)]
#[case::an_extra_column(update("u", 0..3, &["p"]), true)]
#[case::another_column(update("u", 0..3, &["image"]), false)]
#[case::other_rows(update("u", 3..5, &["id"]), false)]
#[case::new_rows(file("u", 3, &["p", "id"]), false)]
#[tokio::test]
async fn columns_with_a_global_index_are_not_changed(#[case] change: DataFileMeta, #[case] refused: bool) {
    let table = table().await;
    append_rows(&table, "a", 3).await;
    append_rows(&table, "b", 2).await;
    let mut index = deletes("index", "a");
    index.index_changes[0].index_type = "btree".to_owned();
    index.index_changes[0].deletion_vectors = None;
    index.index_changes[0].global_index = Some(paimon_spec::GlobalIndexMeta {
        row_range_start: 0,
        row_range_end: 2,
        index_field_id: 1,
        extra_field_ids: Some(vec![0]),
        index_meta: None,
        source_meta: None,
    });
    let _ = append(&table, index).await.unwrap();
    match append(&table, as_of(2, vec![change])).await {
        Ok(_) => assert!(!refused),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
            assert!(refused && error.context("index") == Some("index"), "{error}");
        }
    }
}

#[tokio::test]
async fn a_rollback_gives_ids_back() {
    let table = table().await;
    append_rows(&table, "a", 3).await;
    append_rows(&table, "b", 2).await;
    meanwhile(&table, Meanwhile::RollsBack).await;
    append_rows(&table, "c", 1).await;
    assert_eq!(row_ids(&table).await.last(), Some(&("c-image.blob".to_owned(), 3..4)));
}

// ---- states and changes, without a store

fn add(file: DataFileMeta) -> ManifestEntry {
    ManifestEntry { file, ..entry(FileKind::Add, "") }
}

fn delete(file: DataFileMeta) -> ManifestEntry {
    ManifestEntry { file, ..entry(FileKind::Delete, "") }
}

#[rstest]
#[case::fits(vec![delete(update("a", 0..3, &["id"])), add(update("x", 0..3, &["id"]))], None)]
#[case::covers(
    vec![delete(update("a", 0..3, &["id"])), delete(update("b", 3..5, &["id"])), add(update("x", 0..5, &["id"]))], None
)]
#[case::moved(vec![delete(update("a", 7..10, &["id"]))], Some("data file a"))]
#[case::shrunk(vec![delete(update("a", 0..2, &["id"]))], Some("data file a"))]
#[case::out_of_thin_air(vec![add(update("x", 4..9, &["id"]))], Some("data file x"))]
#[case::leaves_a_blob_file_alone(
    vec![delete(update("a", 0..3, &["id"])), delete(update("a", 0..3, &["image"]))], None
)]
#[case::cuts_rows(vec![delete(update("b", 3..5, &["id"])), add(update("x", 2..4, &["id"]))], Some("equal or distinct"))]
#[case::takes_the_file_of_blobs(vec![delete(update("a", 0..3, &["id"]))], Some("within the row ids of a data file"))]
fn compactions_keep_rows_together(#[case] delta: Vec<ManifestEntry>, #[case] reason: Option<&str>) {
    let base = [
        add(update("a", 0..3, &["id"])),
        add(update("a", 0..3, &["image"])),
        add(update("b", 3..5, &["id"])),
        add(update("c", 9..12, &["id"])),
    ];
    let found = find_row_conflict(&base, &delta, CommitKind::Compact, false).unwrap();
    let found = found.map(|conflict| conflict.to_string());
    match (&found, reason) {
        (None, None) => {}
        (Some(found), Some(reason)) => assert!(found.contains(reason), "{found}"),
        _ => panic!("wanted {reason:?}, found {found:?}"),
    }
}

#[test]
fn rows_of_another_partition_are_other_rows() {
    let elsewhere = ManifestEntry { bucket: 1, ..add(update("u", 0..3, &["id"])) };
    let base = [add(update("a", 0..3, &["id"]))];
    let found = find_row_conflict(&base, &[elsewhere], CommitKind::Append, false).unwrap();
    assert_eq!(found, Some(Conflict::RowsGone { file: "u".to_owned() }));
}

#[rstest]
#[case(vec![0..3, 5..8, 2..4], false, vec![0..4, 5..8])]
#[case(vec![3..5, 0..3], false, vec![0..3, 3..5])]
#[case(vec![3..5, 0..3], true, vec![0..5])]
#[case(vec![0..9, 2..4, 8..10], true, vec![0..10])]
#[case(vec![], true, vec![])]
fn ranges_are_joined(#[case] ranges: Vec<Range<i64>>, #[case] adjacent: bool, #[case] expected: Vec<Range<i64>>) {
    assert_eq!(join(ranges, adjacent), expected);
}

// ---- two committers

const COLUMNS: [&str; 4] = ["p", "id", "image", "clip"];

/// Which columns of which of three files of rows somebody changes; of BLOB columns the first so many rows.
fn changes() -> impl Strategy<Value = Vec<(usize, Vec<bool>, i64)>> {
    prop::collection::vec((0..3_usize, prop::collection::vec(any::<bool>(), 4), 1..4_i64), 1..3).prop_map(
        |mut changes| {
            changes.sort_unstable_by_key(|(file, _, _)| *file);
            changes.dedup_by_key(|(file, _, _)| *file);
            changes
        },
    )
}

fn files_of(changes: &[(usize, Vec<bool>, i64)], name: &str) -> Vec<DataFileMeta> {
    let mut files = Vec::new();
    for (file, columns, blob_rows) in changes {
        let start = *file as i64 * 3;
        for (column, _) in COLUMNS.iter().zip(columns).filter(|(_, set)| **set) {
            let rows = if matches!(*column, "image" | "clip") { start..start + blob_rows } else { start..start + 3 };
            files.push(update(&format!("{name}-{file}-{column}"), rows, &[column]));
        }
    }
    files
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The model is a table of values: files of one commit that overlap change all their columns of all their rows.
    #[test]
    fn of_two_changes_the_second_is_refused_when_both_change_a_value(ours in changes(), theirs in changes()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (ours, theirs) = (files_of(&ours, "ours"), files_of(&theirs, "theirs"));
        prop_assume!(!ours.is_empty() && !theirs.is_empty());
        // All files of one range start with it, so they overlap: the longest says which rows, all say which columns.
        let changed = |file: &DataFileMeta| -> Vec<(i64, String)> {
            let start = file.first_row_id.unwrap();
            let group: Vec<_> = ours.iter().filter(|other| other.first_row_id == Some(start)).collect();
            let rows = group.iter().map(|file| file.row_count).max().unwrap_or(0);
            let columns = group.iter().flat_map(|file| file.write_cols.clone().unwrap());
            columns.flat_map(|column| (start..start + rows).map(move |row| (row, column.clone()))).collect()
        };
        let ours_changed: HashSet<(i64, String)> = ours.iter().flat_map(changed).collect();
        let conflict = theirs.iter().any(|file| {
            let column = &file.write_cols.as_ref().unwrap()[0];
            file.row_ids().unwrap().any(|row| ours_changed.contains(&(row, column.clone())))
        });
        runtime.block_on(async {
            let table = table().await;
            for name in ["a", "b", "c"] {
                append_rows(&table, name, 3).await;
            }
            let _ = append(&table, as_of(3, theirs.clone())).await.unwrap();
            let outcome = append(&table, as_of(3, ours.clone())).await;
            assert_eq!(outcome.is_err(), conflict, "{outcome:?}");
            check_manifests(&table).await;
        });
    }
}
