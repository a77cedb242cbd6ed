use std::{
    collections::BTreeMap,
    fs,
    sync::atomic::{AtomicUsize, Ordering},
};

use object_store::memory::InMemory;
use paimon_spec::{
    BinaryRow, CommitKind, DataFileMeta, DataType, FileKind, Predicate, Schema, Tag, TypeKind, encode_index_manifest,
    encode_manifest, encode_manifest_list,
};
use rstest::rstest;
use tempfile::TempDir;

use super::*;
use crate::{
    FileRead, FileSnapshotCommit, MetadataCache,
    testkit::{self, CountingStore, FaultyStore, Operation},
};

fn schema(options: &[(&str, &str)]) -> Schema {
    let options = options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Schema { fields: vec![DataField::new(0, "id", DataType::nullable(TypeKind::Int))], options, ..Schema::default() }
}

async fn empty_table() -> TableStore {
    testkit::create_table(schema(&[])).await
}

async fn table_on(store: Arc<dyn object_store::ObjectStore>) -> TableStore {
    let context = testkit::context();
    testkit::create_table_at(Storage::from_store(store, "test://table", &context), schema(&[]), context).await
}

fn snapshot(id: i64) -> Snapshot {
    Snapshot {
        version: Some(3),
        uuid: None,
        id,
        schema_id: 0,
        base_manifest_list: "manifest-list-a-0".to_owned(),
        base_manifest_list_size: None,
        delta_manifest_list: "manifest-list-a-1".to_owned(),
        delta_manifest_list_size: None,
        changelog_manifest_list: None,
        changelog_manifest_list_size: None,
        index_manifest: None,
        commit_user: "tests".to_owned(),
        writer_version: None,
        commit_identifier: i64::MAX,
        commit_kind: CommitKind::Append,
        time_millis: 1_704_067_200_000 + id % 1_000,
        total_record_count: Some(0),
        delta_record_count: Some(0),
        changelog_record_count: None,
        watermark: None,
        statistics: None,
        properties: None,
        next_row_id: None,
        operation: None,
    }
}

fn entry(name: &str) -> ManifestEntry {
    ManifestEntry {
        kind: FileKind::Add,
        partition: BinaryRow::empty(),
        bucket: 0,
        total_buckets: -1,
        file: testkit::data_file(name, 7, 1),
    }
}

const EVERYTHING: FileRead = FileRead {
    columns: Vec::new(),
    predicate: None::<Predicate>,
    deletions: None,
    rows: None,
    limit: None,
    batch_rows: 1024,
    held_bytes: None,
};

async fn put_snapshots(table: &TableStore, ids: &[i64]) {
    for id in ids {
        let json = snapshot(*id).to_json().unwrap();
        table.storage().put(&table.paths().snapshot(*id), json.into()).await.unwrap();
    }
}

async fn put_hint(table: &TableStore, path: String, hint: Option<&'static str>) {
    if let Some(hint) = hint {
        table.storage().put(&path, hint.into()).await.unwrap();
    }
}

// ---- which snapshot is the latest

#[rstest]
#[case::no_snapshot(&[], None, None)]
#[case::hint_right(&[1, 2, 3], Some("3"), Some(3))]
#[case::hint_behind(&[1, 2, 3], Some("1"), Some(3))]
#[case::hint_one_behind(&[1, 2, 3], Some("2"), Some(3))]
#[case::hint_names_an_expired_one(&[3, 4], Some("1"), Some(4))]
#[case::hint_names_an_expired_one_without_successor(&[5, 6], Some("3"), Some(6))]
#[case::no_hint(&[7, 8], None, Some(8))]
#[case::empty_hint(&[1, 2], Some(""), Some(2))]
#[case::garbage_hint(&[1, 2], Some("two"), Some(2))]
#[case::zero_hint(&[1, 2], Some("0"), Some(2))]
#[case::negative_hint(&[1, 2], Some("-1"), Some(2))]
#[case::hint_out_of_range(&[1, 2], Some("99999999999999999999"), Some(2))]
#[case::hint_with_line_end(&[1, 2], Some("2\n"), Some(2))]
#[case::only_expired_before(&[41], Some("41"), Some(41))]
#[case::greatest_number(&[1, i64::MAX - 1], Some("9223372036854775806"), Some(i64::MAX - 1))]
#[tokio::test]
async fn the_latest_snapshot_is_found(
    #[case] there: &[i64],
    #[case] hint: Option<&'static str>,
    #[case] expected: Option<i64>,
) {
    let table = empty_table().await;
    put_snapshots(&table, there).await;
    put_hint(&table, table.paths().latest_hint(), hint).await;
    assert_eq!(table.latest_snapshot_id().await.unwrap(), expected);
    assert_eq!(table.latest_snapshot().await.unwrap().map(|snapshot| snapshot.id), expected);
}

#[rstest]
#[case::newest_lost(&[1, 2, 3], "9")]
#[case::all_lost(&[], "1")]
#[tokio::test]
async fn a_lost_newest_snapshot_is_an_error_that_names_it(#[case] there: &[i64], #[case] hint: &'static str) {
    let table = empty_table().await;
    put_snapshots(&table, there).await;
    put_hint(&table, table.paths().latest_hint(), Some(hint)).await;
    for error in [table.latest_snapshot_id().await.unwrap_err(), table.latest_snapshot().await.unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::CorruptData);
        assert!(error.message().contains(&format!("snapshot {hint} is missing")), "{error}");
    }
}

#[tokio::test]
async fn a_hint_that_moves_back_while_it_is_read_is_believed() {
    // Roll-back to 2 between the first look at LATEST, which said 5, and the listing.
    let inner: Arc<InMemory> = Arc::default();
    let faulty = FaultyStore::new(inner.clone());
    let table = table_on(faulty.clone()).await;
    put_snapshots(&table, &[1, 2]).await;
    put_hint(&table, table.paths().latest_hint(), Some("5")).await;
    faulty.fail_before(move |call| {
        if call.operation == Operation::List {
            let latest = object_store::path::Path::from("snapshot/LATEST");
            let back = object_store::ObjectStoreExt::put(inner.as_ref(), &latest, "2".into());
            futures::executor::block_on(back).unwrap();
        }
        false
    });
    assert_eq!(table.latest_snapshot_id().await.unwrap(), Some(2));
}

#[tokio::test]
async fn other_files_among_the_snapshots_do_not_count() {
    let table = empty_table().await;
    put_snapshots(&table, &[1, 2]).await;
    for name in [
        "snapshot-",
        "snapshot-x",
        "snapshot-03",
        "snapshot-+4",
        "snapshot-5.tmp",
        ".snapshot-6.a.tmp",
        "snapshot--7",
        "other-8",
    ] {
        table.storage().put(&format!("snapshot/{name}"), "x".into()).await.unwrap();
    }
    table.storage().put("snapshot/snapshot-9/file", "x".into()).await.unwrap();
    assert_eq!(table.snapshot_ids().await.unwrap(), [1, 2]);
    assert_eq!(table.latest_snapshot_id().await.unwrap(), Some(2));
}

#[rstest]
#[case::no_hint(&[3, 4], None, Some(3))]
#[case::hint_right(&[3, 4], Some("3"), Some(3))]
#[case::hint_expired(&[3, 4], Some("1"), Some(3))]
#[case::garbage(&[3, 4], Some("?"), Some(3))]
#[case::none(&[], Some("1"), None)]
#[tokio::test]
async fn the_earliest_snapshot_is_found(
    #[case] there: &[i64],
    #[case] hint: Option<&'static str>,
    #[case] expected: Option<i64>,
) {
    let table = empty_table().await;
    put_snapshots(&table, there).await;
    put_hint(&table, table.paths().earliest_hint(), hint).await;
    assert_eq!(table.earliest_snapshot_id().await.unwrap(), expected);
}

#[tokio::test]
async fn a_snapshot_of_another_number_than_its_name_is_corrupt() {
    let table = empty_table().await;
    table.storage().put("snapshot/snapshot-5", snapshot(4).to_json().unwrap().into()).await.unwrap();
    let error = table.snapshot(5).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CorruptData);
    assert!(error.to_string().contains("snapshot-5"), "{error}");
    assert_eq!(table.snapshot(6).await.unwrap(), None);
}

#[tokio::test]
async fn finding_the_latest_snapshot_takes_three_calls() {
    let counting = CountingStore::new(Arc::new(InMemory::new()));
    let table = table_on(counting.clone()).await;
    put_snapshots(&table, &[1, 2]).await;
    put_hint(&table, table.paths().latest_hint(), Some("2")).await;
    counting.take_log();
    assert_eq!(table.latest_snapshot().await.unwrap().unwrap().id, 2);
    let log: Vec<(Operation, String)> =
        counting.take_log().into_iter().map(|call| (call.operation, call.path)).collect();
    let expected = [
        (Operation::Get, "snapshot/LATEST"),
        (Operation::Get, "snapshot/snapshot-2"),
        (Operation::Head, "snapshot/snapshot-3"),
    ];
    assert_eq!(log, expected.map(|(operation, path)| (operation, path.to_owned())));
}

// ---- publishing

#[tokio::test]
async fn a_commit_publishes_once_and_writes_the_hints() {
    let table = empty_table().await;
    assert_eq!(table.commit(&snapshot(1)).await.unwrap(), PutOutcome::Created);
    let mut rival = snapshot(1);
    rival.commit_user = "rival".to_owned();
    assert_eq!(table.commit(&rival).await.unwrap(), PutOutcome::AlreadyExists);
    assert_eq!(table.commit(&snapshot(2)).await.unwrap(), PutOutcome::Created);
    assert_eq!(table.snapshot(1).await.unwrap().unwrap().commit_user, "tests");
    assert_eq!(table.storage().read("snapshot/LATEST").await.unwrap(), "2");
    assert_eq!(table.storage().read("snapshot/EARLIEST").await.unwrap(), "1");
}

#[rstest]
#[case::latest("LATEST")]
#[case::earliest("EARLIEST")]
#[tokio::test]
async fn a_commit_does_not_fail_for_a_hint(#[case] hint: &'static str) {
    let faulty = FaultyStore::new(Arc::new(InMemory::new()));
    let table = table_on(faulty.clone()).await;
    faulty.fail_before(move |call| call.path.ends_with(hint));
    assert_eq!(table.commit(&snapshot(1)).await.unwrap(), PutOutcome::Created);
    assert!(faulty.failed() > 0);
    faulty.heal();
    assert_eq!(table.latest_snapshot_id().await.unwrap(), Some(1));
    assert_eq!(table.earliest_snapshot_id().await.unwrap(), Some(1));
}

#[tokio::test]
async fn a_hint_that_fails_twice_is_written_the_third_time() {
    let faulty = FaultyStore::new(Arc::new(InMemory::new()));
    let table = table_on(faulty.clone()).await;
    let tries = AtomicUsize::new(0);
    faulty.fail_before(move |call| call.path.ends_with("LATEST") && tries.fetch_add(1, Ordering::Relaxed) < 2);
    assert_eq!(table.commit(&snapshot(1)).await.unwrap(), PutOutcome::Created);
    assert_eq!(table.storage().read("snapshot/LATEST").await.unwrap(), "1");
}

#[tokio::test]
async fn a_lost_answer_to_a_commit_says_that_the_outcome_is_unknown() {
    let faulty = FaultyStore::new(Arc::new(InMemory::new()));
    let table = table_on(faulty.clone()).await;
    faulty.fail_after(|call| call.operation == Operation::PutNew && call.path.contains("snapshot-"));
    let error = table.commit(&snapshot(1)).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Storage, true));
    assert_eq!(table.latest_snapshot().await.unwrap().as_deref(), Some(&snapshot(1)), "here it was published");
}

#[tokio::test]
async fn a_failed_commit_publishes_nothing_at_any_call() {
    for call in 0.. {
        let faulty = FaultyStore::new(Arc::new(InMemory::new()));
        let table = table_on(faulty.clone()).await;
        let first = faulty.calls() + call;
        faulty.fail_before(testkit::nth(first));
        let outcome = table.commit(&snapshot(1)).await;
        let hit = faulty.failed() > 0;
        faulty.heal();
        let published = table.snapshot(1).await.unwrap().is_some();
        assert_eq!(published, outcome.is_ok(), "call {call}");
        if !hit {
            assert!(call >= 3, "a commit has more calls than {call}");
            break;
        }
    }
}

// ---- schemas, identity, tags

#[tokio::test]
async fn schemas_are_created_once_and_found() {
    let table = empty_table().await;
    let mut next = TableSchema::clone(table.schema());
    next.id = 1;
    next.comment = Some("second".to_owned());
    assert_eq!(table.commit_schema(&next).await.unwrap(), PutOutcome::Created);
    assert_eq!(table.commit_schema(&next).await.unwrap(), PutOutcome::AlreadyExists);
    assert_eq!(table.latest_schema().await.unwrap().unwrap().comment.as_deref(), Some("second"));
    assert_eq!(*table.schema_at(0).await.unwrap(), **table.schema());
    let missing = table.schema_at(2).await.unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    assert!(missing.message().contains("schema/schema-2"), "{missing}");
    table.storage().put("schema/schema-3", next.to_json().unwrap().into()).await.unwrap();
    assert_eq!(table.schema_at(3).await.unwrap_err().kind(), ErrorKind::CorruptData, "it says that it is schema 1");
}

#[tokio::test]
async fn a_table_made_anew_is_another_table() {
    let context = testkit::context();
    let storage = Storage::open("memory://x/table", &BTreeMap::new(), &context).unwrap();
    let old = testkit::create_table_at(storage.clone(), schema(&[]), context.clone()).await;
    let identity = old.identity().await.unwrap();
    assert_eq!(old.schema_at(0).await.unwrap().comment, None);
    assert_eq!(identity.len(), 32);
    storage.delete_dir("").await.unwrap();
    assert_eq!(old.identity().await.unwrap_err().kind(), ErrorKind::NotFound);

    let mut other = schema(&[]);
    other.comment = Some("new".to_owned());
    let new = testkit::create_table_at(storage, other, context).await;
    assert_ne!(new.identity().await.unwrap(), identity);
    assert_eq!(old.identity().await.unwrap(), new.identity().await.unwrap(), "the old handle sees what is there now");
    // Same name, same cache, and yet no schema of the old table.
    assert_eq!(new.schema_at(0).await.unwrap().comment.as_deref(), Some("new"));
}

#[tokio::test]
async fn an_existing_table_is_opened_with_its_newest_schema() {
    let context = testkit::context();
    let storage = Storage::open("memory://x", &BTreeMap::new(), &context).unwrap();
    let open = || TableStore::open(storage.clone(), None, Arc::new(FileSnapshotCommit), context.clone());
    assert_eq!(open().await.unwrap_err().kind(), ErrorKind::NotFound);
    let table = testkit::create_table_at(storage.clone(), schema(&[]), context.clone()).await;
    let mut next = TableSchema::clone(table.schema());
    next.id = 10;
    assert_eq!(table.commit_schema(&next).await.unwrap(), PutOutcome::Created);
    assert_eq!(open().await.unwrap().schema().id, 10);
}

#[tokio::test]
async fn tags_are_created_listed_and_deleted() {
    let table = empty_table().await;
    let tag = Tag { snapshot: snapshot(3), create_time_millis: None, time_retained_millis: None };
    assert_eq!(table.create_tag("b", &tag).await.unwrap(), PutOutcome::Created);
    assert_eq!(table.create_tag("b", &tag).await.unwrap(), PutOutcome::AlreadyExists);
    assert_eq!(table.create_tag("a", &tag).await.unwrap(), PutOutcome::Created);
    assert_eq!(table.tags().await.unwrap(), ["a", "b"]);
    assert_eq!(table.tag("a").await.unwrap(), Some(tag.clone()));
    assert_eq!(table.tag("c").await.unwrap(), None);
    let replaced = Tag { time_retained_millis: Some(5), ..tag.clone() };
    table.replace_tag("a", &replaced).await.unwrap();
    assert_eq!(table.tag("a").await.unwrap(), Some(replaced));
    assert!(table.delete_tag("a").await.unwrap());
    assert!(!table.delete_tag("a").await.unwrap());
    for name in ["", "../x", "a/b"] {
        assert_eq!(table.create_tag(name, &tag).await.unwrap_err().kind(), ErrorKind::InvalidInput, "tag {name:?}");
        assert_eq!(table.replace_tag(name, &tag).await.unwrap_err().kind(), ErrorKind::InvalidInput, "tag {name:?}");
    }
}

// ---- metadata files

#[tokio::test]
async fn manifests_come_back_as_written() {
    let table = empty_table().await;
    let manifest = encode_manifest(&[entry("a.parquet"), entry("b.parquet")], "zstd").unwrap();
    let size = table.write_manifest_file("manifest-x-0", manifest).await.unwrap();
    let again = table.write_manifest_file("manifest-x-0", vec![1]).await.unwrap_err();
    assert_eq!(again.kind(), ErrorKind::AlreadyExists);
    let meta = ManifestFileMeta { num_added_files: 2, ..testkit::manifest_file("manifest-x-0", size) };
    let list = encode_manifest_list(&[meta], "zstd").unwrap();
    let list_size = table.write_manifest_file("manifest-list-x-0", list).await.unwrap();

    let metas = table.manifest_list("manifest-list-x-0", Some(list_size)).await.unwrap();
    let mut names = Vec::new();
    let mut keep = |head: &EntryHead<'_>| head.file_name != "a.parquet";
    let mut visit = |entry: ManifestEntry| {
        names.push(entry.file.file_name);
        Ok(())
    };
    table.read_manifest(&metas[0], &mut keep, &mut visit).await.unwrap();
    assert_eq!(names, ["b.parquet"]);
}

#[rstest]
#[case::fewer_added(3, 0)]
#[case::more_added(1, 0)]
#[case::a_deleted_one(1, 1)]
#[case::very_many(i64::MAX, i64::MAX)]
#[case::less_than_none(-1, 3)]
#[tokio::test]
async fn a_manifest_with_other_counts_than_its_list_states_is_corrupt(#[case] added: i64, #[case] deleted: i64) {
    let table = empty_table().await;
    let manifest = encode_manifest(&[entry("a.parquet"), entry("b.parquet")], "zstd").unwrap();
    let size = table.write_manifest_file("manifest-x-0", manifest).await.unwrap();
    let meta = testkit::manifest_file("manifest-x-0", size);
    let meta = ManifestFileMeta { num_added_files: added, num_deleted_files: deleted, ..meta };
    let error = read_all(&table, &meta).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CorruptData, "{error}");
    assert!(error.context("file").is_some(), "{error}");
}

#[rstest]
#[case("snapshot/snapshot-1")]
#[case("snapshot/LATEST")]
#[case("tag/tag-t")]
#[case("schema/schema-1")]
#[tokio::test]
async fn a_file_of_metadata_that_is_too_large_is_not_read(#[case] path: &str) {
    let table = empty_table().await;
    let bytes = vec![b' '; paimon_spec::limits::JSON_FILE_BYTES as usize + 1];
    table.storage().put(path, bytes.into()).await.unwrap();
    let error = match path {
        "tag/tag-t" => table.tag("t").await.map(drop),
        "schema/schema-1" => table.schema_at(1).await.map(drop),
        _ => table.snapshot(1).await.and(table.latest_snapshot().await).map(drop),
    };
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CorruptData, "{error}");
    assert!(error.context("file").is_some_and(|file| file.ends_with(path)), "{error}");
}

async fn read_all(table: &TableStore, meta: &ManifestFileMeta) -> Result<usize> {
    let mut count = 0;
    let mut visit = |_| {
        count += 1;
        Ok(())
    };
    table.read_manifest(meta, &mut |_| true, &mut visit).await?;
    Ok(count)
}

#[tokio::test]
async fn a_metadata_file_of_another_size_than_stated_is_corrupt() {
    let table = empty_table().await;
    let list = encode_manifest_list(&[], "zstd").unwrap();
    let size = table.write_manifest_file("list", list).await.unwrap();
    for stated in [size - 1, size + 1, 0, -1] {
        let error = table.manifest_list("list", Some(stated)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CorruptData);
        assert!(error.message().contains(&format!("{stated} bytes, found {size}")), "{error}");
        assert_eq!(
            read_all(&table, &testkit::manifest_file("list", stated)).await.unwrap_err().kind(),
            ErrorKind::CorruptData
        );
    }
    assert!(table.manifest_list("list", None).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_missing_metadata_file_is_named_with_what_names_it() {
    let table = empty_table().await;
    let vector = DeletionFile { path: "index/gone".to_owned(), offset: 1, length: 24, cardinality: None };
    for (error, file, namer) in [
        (table.manifest_list("gone", None).await.unwrap_err(), "manifest/gone", "a snapshot"),
        (table.index_manifest("gone").await.unwrap_err(), "manifest/gone", "a snapshot"),
        (read_all(&table, &testkit::manifest_file("gone", 5)).await.unwrap_err(), "manifest/gone", "a manifest list"),
        (table.deletion_vector(&vector).await.unwrap_err(), "index/gone", "an index manifest"),
        (
            table.open_file("bucket-0", &testkit::data_file("gone.parquet", 500, 1), &EVERYTHING).await.err().unwrap(),
            "gone.parquet",
            "a manifest",
        ),
    ] {
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.message().contains(file) && error.message().contains(namer), "{error}");
        assert!(error.context("file").is_some_and(|url| url.ends_with(file)), "{error}");
    }
}

#[tokio::test]
async fn index_manifests_come_back_and_damaged_ones_do_not() {
    let table = empty_table().await;
    table.write_manifest_file("index-manifest-a-0", encode_index_manifest(&[], "zstd").unwrap()).await.unwrap();
    assert!(table.index_manifest("index-manifest-a-0").await.unwrap().is_empty());
    table.write_manifest_file("damaged", b"not avro".to_vec()).await.unwrap();
    let error = table.index_manifest("damaged").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CorruptData);
    assert!(error.to_string().contains("manifest/damaged"), "{error}");
}

#[rstest]
#[case::v1(false)]
#[case::v2(true)]
#[tokio::test]
async fn deletion_vectors_are_read_from_their_place(#[case] bitmap64: bool) {
    let table = empty_table().await;
    let vectors = [DeletionVector::from_positions([1, 5, 9]), DeletionVector::from_positions([0])];
    let (bytes, places) = DeletionVector::encode_file(&vectors.each_ref(), bitmap64).unwrap();
    table.storage().put("index/index-a-0", bytes.into()).await.unwrap();
    for (vector, (offset, length)) in vectors.iter().zip(places) {
        let place = |cardinality| DeletionFile {
            path: "index/index-a-0".to_owned(),
            offset: offset.into(),
            length: length.into(),
            cardinality,
        };
        assert_eq!(*table.deletion_vector(&place(None)).await.unwrap(), *vector);
        let stated = i64::try_from(vector.cardinality()).unwrap();
        assert_eq!(*table.deletion_vector(&place(Some(stated))).await.unwrap(), *vector);
        assert_eq!(table.deletion_vector(&place(Some(stated + 1))).await.unwrap_err().kind(), ErrorKind::CorruptData);
    }
    for (offset, length) in [(-1, 24), (1, -1), (1 << 40, 24), (2, 24)] {
        let place = DeletionFile { path: "index/index-a-0".to_owned(), offset, length, cardinality: None };
        assert_eq!(
            table.deletion_vector(&place).await.unwrap_err().kind(),
            ErrorKind::CorruptData,
            "{offset}+{length}"
        );
    }
}

// ---- the cache

#[tokio::test]
async fn metadata_is_read_once() {
    let counting = CountingStore::new(Arc::new(InMemory::new()));
    let table = table_on(counting.clone()).await;
    let manifest = encode_manifest(&[entry("a.parquet")], "zstd").unwrap();
    let size = table.write_manifest_file("m", manifest).await.unwrap();
    let list_size = table.write_manifest_file("l", encode_manifest_list(&[], "zstd").unwrap()).await.unwrap();
    counting.take_log();
    for _ in 0..3 {
        // Clones and other views of the table share what is read.
        let view = table.with_schema(Arc::clone(table.schema()));
        view.schema_at(0).await.unwrap();
        view.manifest_list("l", Some(list_size)).await.unwrap();
        assert_eq!(read_all(&view, &testkit::manifest_file("m", size)).await.unwrap(), 1);
    }
    let paths: Vec<String> = counting.take_log().into_iter().map(|call| call.path).collect();
    assert_eq!(paths, ["schema/schema-0", "manifest/l", "manifest/m"]);
}

/// Latest by hint: the hint, then the snapshot and whether there is a next one. Without one, or with an old one: a listing.
#[rstest]
#[case::true_hint("3", 3, 2)]
#[case::old_hint("2", 5, 4)]
#[case::no_hint("", 3, 3)]
#[tokio::test]
async fn the_latest_snapshot_takes_few_requests(#[case] hint: &str, #[case] count: usize, #[case] rounds: usize) {
    let context = testkit::context();
    let (storage, store) = testkit::distant_folder(&context);
    let table = testkit::create_table_at(storage, schema(&[]), context.clone()).await;
    for id in 1..=3 {
        assert_eq!(table.commit(&snapshot(id)).await.unwrap(), PutOutcome::Created);
    }
    table.storage().put("snapshot/LATEST", Bytes::copy_from_slice(hint.as_bytes())).await.unwrap();
    let (latest, requests) = store.requests_of(table.latest_snapshot()).await;
    assert_eq!(latest.unwrap().unwrap().id, 3);
    assert_eq!((requests.count(), requests.rounds), (count, rounds), "{:?}", requests.calls);
}

#[tokio::test]
async fn the_schema_of_an_opened_table_is_read_once() {
    let context = testkit::context();
    let (storage, store) = testkit::distant_folder(&context);
    testkit::create_table_at(storage.clone(), schema(&[]), context.clone()).await;
    let work = async {
        let table = TableStore::open(storage, None, Arc::new(FileSnapshotCommit), context).await.unwrap();
        table.schema_at(0).await.unwrap()
    };
    let (_, requests) = store.requests_of(work).await;
    assert_eq!((requests.count(), requests.heads()), (2, 0), "{:?}", requests.calls);
}

#[tokio::test]
async fn snapshots_and_hints_are_never_cached() {
    let table = empty_table().await;
    assert_eq!(table.commit(&snapshot(1)).await.unwrap(), PutOutcome::Created);
    assert_eq!(table.latest_snapshot().await.unwrap().unwrap().commit_user, "tests");
    // Rolled back by another process, which then reused the number.
    let mut other = snapshot(1);
    other.commit_user = "another".to_owned();
    table.storage().put("snapshot/snapshot-1", other.to_json().unwrap().into()).await.unwrap();
    assert_eq!(table.latest_snapshot().await.unwrap().unwrap().commit_user, "another");
}

// ---- data files

#[test]
fn all_calls_can_be_spawned() {
    fn spawnable(_: impl Future<Output = Result<()>> + Send + 'static) {}
    let _ = |table: TableStore, storage: Storage, meta: ManifestFileMeta, place: DeletionFile, file: DataFileMeta| {
        spawnable(async move {
            table.latest_snapshot().await?;
            table.latest_snapshot_id().await?;
            let _ = table.commit(&snapshot(1)).await?;
            table.manifest_list("", None).await?;
            table.read_manifest(&meta, &mut |_| true, &mut |_| Ok(())).await?;
            table.index_manifest("").await?;
            table.deletion_vector(&place).await?;
            table.schema_at(0).await?;
            table.identity().await?;
            table.tags().await?;
            let _ = table.open_file("", &file, &EVERYTHING).await?;
            table.delete_data_file("", &file).await?;
            storage.delete_dir("").await?;
            storage.rename_dir("", "").await?;
            storage.list("").await?;
            storage.read_ranges("", &[]).await?;
            let mut writer = storage.writer("")?;
            writer.write(Bytes::new()).await?;
            writer.finish().await.map(drop)
        });
    };
}

#[tokio::test]
async fn a_data_file_of_another_size_than_stated_is_corrupt() {
    let table = empty_table().await;
    let bytes = vec![7; 5_000];
    let size = i64::try_from(bytes.len()).unwrap();
    for extension in ["parquet", "avro"] {
        let name = format!("a.{extension}");
        table.storage().put(&format!("bucket-0/{name}"), bytes.clone().into()).await.unwrap();
        for stated in [size - 1, size + 1, size * 2, 0, -1] {
            let error =
                table.open_file("bucket-0", &testkit::data_file(&name, stated, 1), &EVERYTHING).await.err().unwrap();
            assert_eq!(error.kind(), ErrorKind::CorruptData, "{name}, {stated}: {error}");
            assert!(error.to_string().contains(&format!("bucket-0/{name}")), "{error}");
        }
    }
}

#[rstest]
#[case::folder_up("..", "a.parquet")]
#[case::folder_absolute("/etc", "passwd")]
#[case::folder_hidden_up("bucket-0/../../..", "a.parquet")]
#[case::folder_empty("", "a.parquet")]
#[case::name_up("bucket-0", "..")]
#[case::name_path_up("bucket-0", "../../x.parquet")]
#[case::name_absolute("bucket-0", "/etc/passwd")]
#[case::name_folder("bucket-0", "x/y.parquet")]
#[case::name_backslash("bucket-0", "..\\x.parquet")]
#[case::name_empty("bucket-0", "")]
#[case::name_control("bucket-0", "a\n.parquet")]
#[tokio::test]
async fn names_that_lead_out_of_the_table_are_refused(#[case] folder: &str, #[case] name: &str) {
    let (_dir, outside, table) = local_table(&[]).await;
    let file = testkit::data_file(name, 1, 1);
    let mut extra = testkit::data_file("a.parquet", 1, 1);
    extra.extra_files = vec![name.to_owned()];
    let extra_error = table.delete_data_file(folder, &extra).await.unwrap_err();
    for error in [
        table.open_file(folder, &file, &EVERYTHING).await.err().unwrap(),
        table.data_file_url(folder, &file).unwrap_err(),
        table.delete_data_file(folder, &file).await.unwrap_err(),
        extra_error,
    ] {
        assert_eq!(error.kind(), ErrorKind::CorruptData, "{error}");
        assert!(error.message().contains("refused"), "{error}");
    }
    assert!(outside.path().join("secret.parquet").exists());
}

#[rstest]
#[case("../x")]
#[case("a/b")]
#[case("..")]
#[tokio::test]
async fn names_of_metadata_that_lead_out_of_the_table_are_refused(#[case] name: &str) {
    let table = empty_table().await;
    let vector = DeletionFile { path: format!("index/../{name}/.."), offset: 1, length: 1, cardinality: None };
    for error in [
        table.manifest_list(name, None).await.unwrap_err(),
        table.index_manifest(name).await.unwrap_err(),
        read_all(&table, &testkit::manifest_file(name, 5)).await.unwrap_err(),
        table.write_manifest_file(name, vec![]).await.unwrap_err(),
        table.deletion_vector(&vector).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::CorruptData, "{error}");
        assert!(error.message().contains("refused"), "{error}");
    }
}

/// A table in a folder, and a folder outside with a file of 6 bytes in it. `{outside}` in options is that folder.
async fn local_table(options: &[(&str, &str)]) -> (TempDir, TempDir, TableStore) {
    let (dir, outside) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    fs::write(outside.path().join("secret.parquet"), "secret").unwrap();
    let filled: Vec<(&str, String)> = options
        .iter()
        .map(|(key, value)| (*key, value.replace("{outside}", outside.path().to_str().unwrap())))
        .collect();
    let options: Vec<(&str, &str)> = filled.iter().map(|(key, value)| (*key, value.as_str())).collect();
    let context = testkit::context();
    let storage = Storage::open(dir.path().to_str().unwrap(), &BTreeMap::new(), &context).unwrap();
    let table = testkit::create_table_at(storage, schema(&options), context).await;
    (dir, outside, table)
}

fn external(url: String) -> DataFileMeta {
    DataFileMeta { external_path: Some(url), ..testkit::data_file("secret.parquet", 6, 1) }
}

#[rstest]
#[case::no_option(&[])]
#[case::another_folder(&[("data-file.external-paths", "{outside}/other")])]
#[case::a_longer_name(&[("data-file.external-paths", "{outside}/secret")])]
#[case::the_file_is_no_folder(&[("data-file.external-paths", "{outside}/secret.parquet")])]
#[tokio::test]
async fn an_external_file_is_refused_unless_an_option_allows_its_folder(#[case] options: &[(&str, &str)]) {
    let (_dir, outside, table) = local_table(options).await;
    let path = outside.path().display();
    let sneaky =
        format!("file://{}/x/../../{}", table.storage().root_url().trim_start_matches("file://"), "etc/passwd");
    for url in [
        format!("{path}/secret.parquet"),
        format!("file:{path}/secret.parquet"),
        format!("file://{path}/secret.parquet"),
        sneaky,
    ] {
        let error = table.open_file("bucket-0", &external(url.clone()), &EVERYTHING).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{url}: {error}");
        assert!(error.message().contains("data-file.external-paths"), "{error}");
        let place = DeletionFile { path: url, offset: 0, length: 1, cardinality: None };
        assert_eq!(table.deletion_vector(&place).await.unwrap_err().kind(), ErrorKind::PermissionDenied);
    }
}

#[rstest]
#[case::path("{outside}")]
#[case::java("file:{outside}/")]
#[case::one_of_two("file:///nowhere, file://{outside}")]
#[tokio::test]
async fn an_external_file_in_an_allowed_folder_is_found_but_not_deleted(#[case] option: &str) {
    let (_dir, outside, table) = local_table(&[("data-file.external-paths", option)]).await;
    let path = outside.path().join("secret.parquet");
    let file = external(format!("file:{}", path.display()));
    assert_eq!(table.data_file_url("bucket-0", &file).unwrap(), format!("file://{}", path.display()));
    assert_eq!(
        table.open_file("bucket-0", &file, &EVERYTHING).await.err().unwrap().kind(),
        ErrorKind::CorruptData,
        "it was opened"
    );
    assert_eq!(table.delete_data_file("bucket-0", &file).await.unwrap_err().kind(), ErrorKind::PermissionDenied);
    assert!(path.exists());
}

#[tokio::test]
async fn an_absolute_path_into_the_table_itself_is_fine() {
    let (dir, _outside, table) = local_table(&[]).await;
    let file = external(format!("file:{}/bucket-0/secret.parquet", dir.path().display()));
    assert_eq!(
        table.data_file_url("bucket-0", &file).unwrap(),
        format!("file://{}/bucket-0/secret.parquet", dir.path().display())
    );
}

#[tokio::test]
async fn a_data_file_is_deleted_with_its_extra_files() {
    let table = empty_table().await;
    for name in ["a.parquet", "a.parquet.index", "b.parquet"] {
        table.storage().put(&format!("p=1/bucket-0/{name}"), "x".into()).await.unwrap();
    }
    let file = DataFileMeta {
        extra_files: vec!["a.parquet.index".to_owned(), "absent".to_owned()],
        ..testkit::data_file("a.parquet", 1, 1)
    };
    table.delete_data_file("p=1/bucket-0", &file).await.unwrap();
    let left = table.storage().list("p=1/bucket-0").await.unwrap();
    assert_eq!(left.iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>(), ["b.parquet"]);
}

#[rstest]
#[case::main(None, &[], "bucket-3")]
#[case::directory(None, &[("data-file.path-directory", "data")], "data/bucket-3")]
#[case::branch(Some("dev"), &[], "bucket-3")]
#[tokio::test]
async fn buckets_have_their_folders(
    #[case] branch: Option<&str>,
    #[case] options: &[(&str, &str)],
    #[case] expected: &str,
) {
    let table = testkit::create_table(schema(options)).await;
    let table = TableStore::new(
        table.storage().clone(),
        Arc::clone(table.schema()),
        branch,
        Arc::new(FileSnapshotCommit),
        table.context().clone(),
    );
    assert_eq!(table.unwrap().bucket_path(&BinaryRow::empty(), 3).unwrap(), expected);
}

#[tokio::test]
async fn a_branch_has_snapshots_of_its_own_and_the_identity_of_its_table() {
    let main = empty_table().await;
    let schema = Arc::clone(main.schema());
    let dev = TableStore::new(
        main.storage().clone(),
        schema,
        Some("dev"),
        Arc::new(FileSnapshotCommit),
        main.context().clone(),
    )
    .unwrap();
    assert_eq!(dev.commit(&snapshot(1)).await.unwrap(), PutOutcome::Created);
    assert_eq!(main.latest_snapshot_id().await.unwrap(), None);
    assert_eq!(dev.latest_snapshot_id().await.unwrap(), Some(1));
    assert_eq!(dev.identity().await.unwrap(), main.identity().await.unwrap());
}

#[tokio::test]
async fn branches_are_listed_and_opened_with_their_newest_schema() {
    let main = empty_table().await;
    assert!(main.branches().await.unwrap().is_empty());
    let paths = TablePaths::new(Some("dev"), None);
    for id in [0, 3] {
        let schema = TableSchema { id, ..(**main.schema()).clone() };
        main.storage().put(&paths.schema(id), schema.to_json().unwrap().into()).await.unwrap();
    }
    // Of one that was never finished, and what is no branch.
    main.storage().put("branch/branch-begun/snapshot/snapshot-1", "{}".into()).await.unwrap();
    main.storage().put("branch/branch-file", "".into()).await.unwrap();
    main.storage().put("branch/other/schema/schema-0", "".into()).await.unwrap();
    assert_eq!(main.branches().await.unwrap(), ["begun", "dev"]);

    let dev = main.at_branch(Some("dev")).await.unwrap().unwrap();
    assert_eq!((dev.branch(), dev.schema().id, dev.schema_ids().await.unwrap()), (Some("dev"), 3, vec![0, 3]));
    let back = dev.at_branch(None).await.unwrap().unwrap();
    assert_eq!((back.branch(), back.schema().id), (None, 0));
    assert!(main.at_branch(Some("begun")).await.unwrap().is_none());
    assert!(main.at_branch(Some("nope")).await.unwrap().is_none());
    assert_eq!(main.at_branch(Some("../x")).await.unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn debug_texts_tell_no_option() {
    let context = testkit::context();
    let options = BTreeMap::from([("token".to_owned(), "SECRET".to_owned())]);
    let storage = Storage::open("memory://x", &options, &context).unwrap();
    let table = testkit::create_table_at(storage.clone(), schema(&[("token", "SECRET")]), context).await;
    let text = format!("{table:?} {storage:?} {:?}", table.context());
    assert!(!text.contains("SECRET"), "{text}");
    assert!(text.contains("memory://x"), "{text}");
}

#[test]
fn the_hash_is_the_published_one() {
    // From the test vectors of FNV-1a, 128 bits.
    assert_eq!(fnv1a_128(b""), 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d);
    assert_eq!(fnv1a_128(b"a"), 0xd228_cb69_6f1a_8caf_7891_2b70_4e4a_8964);
}

#[tokio::test]
async fn a_cache_of_no_size_reads_every_time() {
    let counting = CountingStore::new(Arc::new(InMemory::new()));
    let context = IoContext::new(Arc::clone(&testkit::context().clock), MetadataCache::new(0));
    let storage = Storage::from_store(counting.clone(), "test://table", &context);
    let table = testkit::create_table_at(storage, schema(&[]), context).await;
    counting.take_log();
    for _ in 0..2 {
        table.schema_at(0).await.unwrap();
    }
    assert_eq!(counting.take_log().len(), 2);
}
