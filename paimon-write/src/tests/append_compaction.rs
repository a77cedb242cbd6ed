//! Append tables whose files are compacted: the same rows, in the same order where they have one, without those that were
//! deleted, whatever others do meanwhile and wherever it stops.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Int32Type, Int64Type};
use futures::TryStreamExt;
use object_store::ObjectStore;
use object_store::memory::InMemory;
use paimon_io::{PutOutcome, TableStore, testkit};
use paimon_merge::{ReadRequest, read};
use paimon_scan::{ReadPoint, ScanRequest, plan};
use paimon_spec::{
    BinaryRow, BucketMode, CommitKind, CommitMessage, DataField, DataSplit, DataType, DeletionVector, ErrorKind,
    FileSource, ROW_ID_ID, SEQUENCE_NUMBER_ID, Schema, TypeKind,
};
use proptest::prelude::*;
use rstest::rstest;

use super::stores::{create, dying_at_each_call, open};
use crate::compact::{CompactRequest, Compacted, commit_compaction, compact, plan_compaction, run_task};
use crate::testing::{request, schema};
use crate::vector_files::{VectorPlace, Vectors, index_files, replace_vectors};
use crate::{CommitMode, TableWriter, WriteOptions, commit};

const NO_BUCKETS: &[(&str, &str)] = &[];
const TWO_BUCKETS: &[(&str, &str)] = &[("bucket", "2"), ("bucket-key", "id")];
const VECTORS: (&str, &str) = ("deletion-vectors.enabled", "true");

/// One row: partition, and number.
type Row = (i32, i32);

/// The rows of each bucket of each partition, in the order in which they are read.
type Rows = BTreeMap<(i32, i32), Vec<i32>>;

fn with<'a>(options: &[(&'a str, &'a str)], more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [options, more].concat()
}

fn table_of(options: &[(&str, &str)]) -> Schema {
    schema(true, options)
}

async fn append(table: &TableStore, ids: Range<i32>) {
    let p: ArrayRef = Arc::new(ids.clone().map(|id| Some(id % 2)).collect::<Int32Array>());
    let id: ArrayRef = Arc::new(ids.map(Some).collect::<Int32Array>());
    let batch = RecordBatch::try_from_iter_with_nullable([("p", p, true), ("id", id, true)]).unwrap();
    let mut writer = TableWriter::open(table.clone(), WriteOptions::default()).await.unwrap();
    writer.write(&batch).await.unwrap();
    let messages = writer.prepare_commit().await.unwrap();
    let _ = commit(table, &request(table, CommitMode::Append).await, &messages).await.unwrap();
}

async fn splits(table: &TableStore, at: ReadPoint) -> Vec<DataSplit> {
    plan(table, &ScanRequest { at, ..ScanRequest::default() }).await.unwrap().splits
}

async fn rows_of(table: &TableStore, split: &DataSplit) -> Vec<Row> {
    let batches: Vec<RecordBatch> =
        read(table, split, &ReadRequest::default()).await.unwrap().try_collect().await.unwrap();
    let rows = batches.iter().flat_map(|batch| {
        let (p, id) = (batch.column(0).as_primitive::<Int32Type>(), batch.column(1).as_primitive::<Int32Type>());
        p.values().iter().copied().zip(id.values().iter().copied())
    });
    rows.collect()
}

async fn buckets(table: &TableStore, at: ReadPoint) -> Rows {
    let mut buckets = Rows::new();
    for split in splits(table, at).await {
        for (p, id) in rows_of(table, &split).await {
            buckets.entry((p, split.bucket)).or_default().push(id);
        }
    }
    buckets
}

async fn rows(table: &TableStore) -> Vec<Row> {
    let buckets = buckets(table, ReadPoint::Latest).await;
    let mut rows: Vec<Row> = buckets.iter().flat_map(|((p, _), ids)| ids.iter().map(|id| (*p, *id))).collect();
    rows.sort_unstable();
    rows
}

/// Index changes that delete the rows for which `is_gone`, as somebody prepares them now.
async fn deletions(table: &TableStore, is_gone: impl Fn(i32) -> bool) -> Vec<CommitMessage> {
    let Some(snapshot) = table.latest_snapshot().await.unwrap() else { return Vec::new() };
    let mut vectors: HashMap<(BinaryRow, i32), Vectors> = HashMap::new();
    for split in splits(table, ReadPoint::Latest).await {
        for (place, file) in split.files.iter().enumerate() {
            let whole = DataSplit { files: vec![file.clone()], deletions: Vec::new(), ..split.clone() };
            let ids = rows_of(table, &whole).await;
            let old = match split.deletions.get(place).and_then(Option::as_ref) {
                Some(deleted) => table.deletion_vector(deleted).await.unwrap().positions().collect(),
                None => Vec::new(),
            };
            let new = (0..).zip(&ids).filter(|(_, (_, id))| is_gone(*id)).map(|(position, _)| position);
            let vector = DeletionVector::from_positions(old.iter().copied().chain(new));
            if vector.cardinality() > old.len() as u64 {
                let bucket = vectors.entry((split.partition.clone(), split.bucket)).or_default();
                bucket.insert(file.file_name.clone(), vector);
            }
        }
    }
    let there = index_files(table, &snapshot).await.unwrap();
    let in_one_file = table.schema().bucket_mode().unwrap() == BucketMode::Fixed;
    let total = table.options().bucket().unwrap();
    let mut messages = Vec::new();
    for ((partition, bucket), changed) in vectors {
        let place = VectorPlace { partition: &partition, bucket, in_one_file };
        let index_changes = replace_vectors(table, &there, place, changed, &HashSet::new()).await.unwrap();
        messages.push(CommitMessage { index_changes, ..CommitMessage::of(partition, bucket, total) });
    }
    messages
}

async fn delete(table: &TableStore, is_gone: impl Fn(i32) -> bool) {
    let messages = deletions(table, is_gone).await;
    let _ = commit(table, &request(table, CommitMode::Append).await, &messages).await.unwrap();
}

async fn compacted(table: &TableStore, full: bool) -> Compacted {
    let what = CompactRequest { full, ..CompactRequest::default() };
    compact(table, &what, &request(table, CommitMode::Append).await, &|_| {}).await.unwrap()
}

/// Live files of each bucket, and how many of them have deletions.
async fn files(table: &TableStore) -> BTreeMap<(Vec<u8>, i32), (usize, usize)> {
    let mut files: BTreeMap<(Vec<u8>, i32), (usize, usize)> = BTreeMap::new();
    for split in splits(table, ReadPoint::Latest).await {
        let (count, deleted) = files.entry((split.partition.to_metadata(), split.bucket)).or_default();
        *count += split.files.len();
        *deleted += split.deletions.iter().flatten().count();
    }
    files
}

#[derive(Debug, Clone)]
enum Step {
    Append(i32),
    /// Rows whose number has this remainder by seven go.
    Delete(i32),
    Compact {
        full: bool,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (1..12_i32).prop_map(Step::Append),
        2 => (0..7_i32).prop_map(Step::Delete),
        2 => any::<bool>().prop_map(|full| Step::Compact { full }),
    ];
    prop::collection::vec(step, 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn compacted_rows_are_the_rows_that_were_there_and_old_states_stay(
        steps in steps(),
        has_buckets: bool,
        bitmap64: bool,
        index_bytes in prop::sample::select(vec!["1 b", "2 mb"]),
        format in prop::sample::select(vec!["parquet", "avro", "orc"]),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut options = with(if has_buckets { TWO_BUCKETS } else { NO_BUCKETS }, &[
                VECTORS,
                ("deletion-vectors.bitmap64", if bitmap64 { "true" } else { "false" }),
                ("deletion-vector.index-file.target-size", index_bytes),
                ("file.format", format),
            ]);
            // Four small files are enough.
            options.push(("compaction.min.file-num", "4"));
            let table = testkit::create_table(table_of(&options)).await;
            let mut next = 0;
            let mut states: Vec<(i64, Rows)> = Vec::new();
            for step in steps {
                let before = buckets(&table, ReadPoint::Latest).await;
                match step {
                    Step::Append(count) => {
                        append(&table, next..next + count).await;
                        next += count;
                    }
                    Step::Delete(rest) => {
                        delete(&table, |id| id % 7 == rest).await;
                        let after = buckets(&table, ReadPoint::Latest).await;
                        prop_assert!(after.values().flatten().all(|id| id % 7 != rest));
                    }
                    Step::Compact { full } => {
                        let done = compacted(&table, full).await;
                        prop_assert_eq!(&done.gave_way, &Vec::<usize>::new());
                        let mut after = buckets(&table, ReadPoint::Latest).await;
                        let mut before = before;
                        if !has_buckets {
                            before.values_mut().chain(after.values_mut()).for_each(|ids| ids.sort_unstable());
                        }
                        prop_assert_eq!(after, before);
                        if full {
                            for (bucket, (files, deleted)) in files(&table).await {
                                prop_assert!(files <= 1 && deleted == 0, "{:?}: {} and {}", bucket, files, deleted);
                            }
                            prop_assert_eq!(compacted(&table, true).await.snapshot, None, "there is nothing left");
                        }
                    }
                }
                if let Some(latest) = table.latest_snapshot().await.unwrap() {
                    states.push((latest.id, buckets(&table, ReadPoint::Latest).await));
                }
            }
            for (id, state) in states {
                prop_assert_eq!(buckets(&table, ReadPoint::Snapshot(id)).await, state);
            }
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn files_of_older_schemas_become_files_of_the_newest() {
    let table = testkit::create_table(table_of(NO_BUCKETS)).await;
    append(&table, 0..10).await;
    let mut newer = table.schema().as_ref().clone();
    newer.id += 1;
    newer.fields[1].data_type = DataType::nullable(TypeKind::BigInt);
    newer.fields.push(DataField::new(2, "late", DataType::string()));
    newer.highest_field_id = 2;
    assert_eq!(table.commit_schema(&newer).await.unwrap(), PutOutcome::Created);
    let newer = table.with_schema(Arc::new(newer));
    let p: ArrayRef = Arc::new(Int32Array::from(vec![0, 1]));
    let id: ArrayRef = Arc::new(Int64Array::from(vec![10, 1 << 40]));
    let late: ArrayRef = Arc::new(StringArray::from(vec!["x", "y"]));
    let columns = [("p", p, true), ("id", id, true), ("late", late, true)];
    let mut writer = TableWriter::open(newer.clone(), WriteOptions::default()).await.unwrap();
    writer.write(&RecordBatch::try_from_iter_with_nullable(columns).unwrap()).await.unwrap();
    let messages = writer.prepare_commit().await.unwrap();
    let _ = commit(&newer, &request(&newer, CommitMode::Append).await, &messages).await.unwrap();

    let what = CompactRequest { full: true, ..CompactRequest::default() };
    let error = plan_compaction(&table, &what).await.unwrap_err();
    assert!(error.is_retryable() && error.message().contains("schema has changed"), "{error}");
    compacted(&newer, true).await;
    let mut found = Vec::new();
    for split in splits(&newer, ReadPoint::Latest).await {
        assert!(split.files.iter().all(|file| file.schema_id == 1 && file.write_cols.is_none()), "{split:?}");
        let rows = read(&newer, &split, &ReadRequest::default()).await.unwrap();
        for batch in rows.try_collect::<Vec<RecordBatch>>().await.unwrap() {
            let (id, late) = (batch.column(1).as_primitive::<Int64Type>(), batch.column(2).as_string::<i32>());
            found.extend(id.values().iter().zip(late).map(|(id, late)| (*id, late.map(str::to_owned))));
        }
    }
    found.sort_unstable();
    let old = (0..10).map(|id| (id, None));
    let new = [(10, Some("x".to_owned())), (1 << 40, Some("y".to_owned()))];
    assert_eq!(found, old.chain(new).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_torn_deletion_vector_stops_the_compaction_and_is_named() {
    let table = testkit::create_table(table_of(&with(NO_BUCKETS, &[VECTORS]))).await;
    append(&table, 0..20).await;
    append(&table, 20..40).await;
    delete(&table, |id| id % 4 == 0).await;
    let before = table.latest_snapshot().await.unwrap().unwrap().id;
    let index = index_files(&table, &table.latest_snapshot().await.unwrap().unwrap()).await.unwrap();
    for entry in &index {
        let path = table.paths().index(&entry.file_name);
        table.storage().delete(&path).await.unwrap();
        let torn = vec![1_u8; usize::try_from(entry.file_size).unwrap() / 2];
        let _ = table.storage().put_new(&path, torn.into()).await.unwrap();
    }
    // As another process has it: nothing is cached.
    let table = table.at_branch(None).await.unwrap().unwrap();
    let what = CompactRequest { full: true, ..CompactRequest::default() };
    let request = request(&table, CommitMode::Append).await;
    let error = compact(&table, &what, &request, &|_| {}).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CorruptData, "{error}");
    assert!(index.iter().any(|entry| error.to_string().contains(&entry.file_name)), "{error}");
    assert_eq!(table.latest_snapshot().await.unwrap().unwrap().id, before);
}

#[tokio::test]
async fn new_files_say_that_a_compaction_made_them_and_take_the_place_of_the_old_ones() {
    let table = testkit::create_table(table_of(&with(TWO_BUCKETS, &[]))).await;
    for start in [0, 40, 80] {
        append(&table, start..start + 40).await;
    }
    let done = compacted(&table, true).await;
    let snapshot = table.latest_snapshot().await.unwrap().unwrap();
    assert_eq!((done.snapshot, snapshot.commit_kind), (Some(snapshot.id), CommitKind::Compact));
    assert_eq!(snapshot.total_record_count, Some(120));
    for split in splits(&table, ReadPoint::Latest).await {
        let [file] = split.files.as_slice() else { panic!("one file: {split:?}") };
        assert_eq!(file.file_source, Some(FileSource::Compact));
        assert_eq!((file.min_sequence_number, file.max_sequence_number), (0, file.row_count - 1));
        assert_eq!(file.schema_id, table.schema().id);
    }
    // What is written next comes after it.
    append(&table, 120..160).await;
    let order = buckets(&table, ReadPoint::Latest).await;
    assert!(order.values().all(|ids| ids.is_sorted()), "{order:?}");
}

#[rstest]
#[case::rows_of_an_input(|id: i32| id < 10, true)]
#[case::rows_of_a_file_that_came_later(|id: i32| id >= 60, false)]
#[tokio::test]
async fn rows_that_others_delete_meanwhile_stay_deleted(#[case] is_gone: fn(i32) -> bool, #[case] gives_way: bool) {
    let table = testkit::create_table(table_of(&with(NO_BUCKETS, &[VECTORS]))).await;
    for start in [0, 20, 40] {
        append(&table, start..start + 20).await;
    }
    let planned = plan_compaction(&table, &CompactRequest { full: true, ..CompactRequest::default() }).await.unwrap();
    assert_eq!(planned.tasks.len(), 2, "one for each partition");
    let mut done = Vec::new();
    for task in &planned.tasks {
        done.push(run_task(&table, task, None).await.unwrap());
    }
    append(&table, 60..80).await;
    delete(&table, is_gone).await;
    let before = rows(&table).await;
    let outcome = commit_compaction(&table, &request(&table, CommitMode::Append).await, &done, false).await.unwrap();
    assert_eq!(outcome.gave_way, if gives_way { vec![0, 1] } else { Vec::new() });
    assert_eq!(rows(&table).await, before);
    for message in done.iter().flatten() {
        let path = table.bucket_path(&message.partition, message.bucket).unwrap();
        for file in &message.compact_after {
            let size = table.storage().size(&format!("{path}/{}", file.file_name)).await.unwrap();
            assert_eq!(size.is_none(), gives_way, "what gives way leaves nothing behind");
        }
    }
}

#[tokio::test]
async fn whoever_deletes_rows_of_files_that_were_compacted_meanwhile_is_told() {
    let table = testkit::create_table(table_of(&with(NO_BUCKETS, &[VECTORS]))).await;
    append(&table, 0..20).await;
    append(&table, 20..40).await;
    let late = deletions(&table, |id| id == 3).await;
    compacted(&table, true).await;
    let before = rows(&table).await;
    let error = commit(&table, &request(&table, CommitMode::Append).await, &late).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CommitConflict, "{error}");
    assert_eq!(rows(&table).await, before);
}

#[tokio::test]
async fn of_two_compactions_of_the_same_files_one_gives_way() {
    let table = testkit::create_table(table_of(NO_BUCKETS)).await;
    append(&table, 0..20).await;
    append(&table, 20..40).await;
    let what = CompactRequest { full: true, ..CompactRequest::default() };
    let planned = plan_compaction(&table, &what).await.unwrap();
    let mut done = Vec::new();
    for task in &planned.tasks {
        done.push(run_task(&table, task, None).await.unwrap());
    }
    compacted(&table, true).await;
    let before = rows(&table).await;
    let outcome = commit_compaction(&table, &request(&table, CommitMode::Append).await, &done, false).await.unwrap();
    assert_eq!((outcome.snapshot, outcome.gave_way), (None, vec![0, 1]));
    assert_eq!(rows(&table).await, before);
}

#[tokio::test]
async fn rows_keep_their_ids_and_sequence_numbers_where_the_table_tracks_them() {
    let table = testkit::create_table(table_of(&[("row-tracking.enabled", "true")])).await;
    for start in [0, 10, 20] {
        append(&table, start..start + 10).await;
    }
    async fn tracked(table: &TableStore) -> Vec<(i64, i64, i32)> {
        let projection = Some(vec![ROW_ID_ID, SEQUENCE_NUMBER_ID, 1]);
        let mut rows = Vec::new();
        for split in splits(table, ReadPoint::Latest).await {
            let request = ReadRequest { projection: projection.clone(), ..ReadRequest::default() };
            let batches: Vec<RecordBatch> = read(table, &split, &request).await.unwrap().try_collect().await.unwrap();
            for batch in batches {
                let long = |at: usize| batch.column(at).as_primitive::<Int64Type>().values().to_vec();
                let ids = batch.column(2).as_primitive::<Int32Type>().values().to_vec();
                rows.extend(long(0).into_iter().zip(long(1)).zip(ids).map(|((row, number), id)| (row, number, id)));
            }
        }
        rows.sort_unstable();
        rows
    }
    let before = tracked(&table).await;
    assert_eq!(before.len(), 30);
    compacted(&table, true).await;
    assert_eq!(tracked(&table).await, before);
    for split in splits(&table, ReadPoint::Latest).await {
        let [file] = split.files.as_slice() else { panic!("one file: {split:?}") };
        assert_eq!(file.first_row_id, None);
        let columns = ["p", "id", "_ROW_ID", "_SEQUENCE_NUMBER"].map(str::to_owned).to_vec();
        assert_eq!(file.write_cols, Some(columns));
    }
    // Once more, with rows that came later.
    append(&table, 30..40).await;
    let before = tracked(&table).await;
    let ids: HashSet<i64> = before.iter().map(|(row, _, _)| *row).collect();
    assert_eq!(ids.len(), 40);
    compacted(&table, true).await;
    assert_eq!(tracked(&table).await, before);
}

#[rstest]
#[case::no_buckets(NO_BUCKETS)]
#[case::two_buckets(TWO_BUCKETS)]
#[tokio::test]
async fn a_compaction_that_dies_anywhere_leaves_the_rows_as_they_were(#[case] options: &'static [(&str, &str)]) {
    let made = async || {
        let store = Arc::new(InMemory::new());
        let table = create(Arc::clone(&store) as Arc<dyn ObjectStore>, table_of(&with(options, &[VECTORS]))).await;
        for start in [0, 30, 60] {
            append(&table, start..start + 30).await;
        }
        delete(&table, |id| id % 5 == 0).await;
        store
    };
    let expected: Vec<Row> = {
        let mut rows: Vec<Row> = (0..90).filter(|id| id % 5 != 0).map(|id| (id % 2, id)).collect();
        rows.sort_unstable();
        rows
    };
    let work = async |table: TableStore| {
        let what = CompactRequest { full: true, ..CompactRequest::default() };
        compact(&table, &what, &request_of(&table).await?, &|_| {}).await.map(drop)
    };
    dying_at_each_call(made, work, async |store: Arc<InMemory>, done| {
        let table = open(store as Arc<dyn ObjectStore>, 77).await;
        assert_eq!(rows(&table).await, expected);
        let order = buckets(&table, ReadPoint::Latest).await;
        assert!(options.is_empty() || order.values().all(|ids| ids.is_sorted()), "{order:?}");
        assert_eq!(rows_at(&table, 4).await, expected, "the state before is there");
        // Whatever it left, the next one comes through.
        compacted(&table, true).await;
        assert_eq!(rows(&table).await, expected);
        assert!(files(&table).await.values().all(|counts| *counts == (1, 0)), "done at once: {done}");
    })
    .await;
}

/// As [`request`], by a process that may die.
async fn request_of(table: &TableStore) -> paimon_spec::Result<crate::CommitRequest> {
    Ok(crate::CommitRequest {
        user: "compactor".to_owned(),
        identifier: crate::BATCH_IDENTIFIER,
        mode: CommitMode::Append,
        properties: BTreeMap::new(),
        table_identity: table.identity().await?,
    })
}

async fn rows_at(table: &TableStore, snapshot: i64) -> Vec<Row> {
    let buckets = buckets(table, ReadPoint::Snapshot(snapshot)).await;
    let mut rows: Vec<Row> = buckets.iter().flat_map(|((p, _), ids)| ids.iter().map(|id| (*p, *id))).collect();
    rows.sort_unstable();
    rows
}
