use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int32Array, Int64Array, LargeBinaryArray, LargeStringArray, StringArray, StructArray,
};
use arrow::datatypes::{DataType as ArrowType, Field, Fields, Int32Type, Int64Type};
use futures::TryStreamExt;
use paimon_blob::BlobReferences;
use paimon_io::{TableStore, testkit};
use paimon_merge::{ReadRequest, read};
use paimon_scan::{ScanRequest, plan};
use paimon_spec::{
    CommitKind, CommitMessage, CompareOp, DataField, DataType, Datum, ErrorKind, Predicate, ROW_ID, ROW_ID_ID, Schema,
    TypeKind,
};
use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::testing::request;
use crate::{CommitMode, Committed, TableWriter, WriteOptions, commit};

/// `p`, `id`, `name`, and the bytes of `b` and `c`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    p: i32,
    id: i32,
    name: Option<String>,
    b: Option<Vec<u8>>,
    c: Option<Vec<u8>>,
}

fn row(p: i32, id: i32) -> Row {
    let bytes = |letter: char| Some(format!("{letter}{id}").into_bytes());
    Row { p, id, name: Some(format!("n{id}")), b: bytes('b'), c: bytes('c') }
}

const EVOLVING: [(&str, &str); 3] =
    [("row-tracking.enabled", "true"), ("data-evolution.enabled", "true"), ("deletion-vectors.enabled", "true")];

fn fields() -> Vec<DataField> {
    let blob = || DataType::nullable(TypeKind::Blob);
    vec![
        DataField::new(0, "p", DataType::nullable(TypeKind::Int)),
        DataField::new(1, "id", DataType::nullable(TypeKind::Int)),
        DataField::new(2, "name", DataType::string()),
        DataField::new(3, "b", blob()),
        DataField::new(4, "c", blob()),
    ]
}

async fn table_of(partitioned: bool, options: &[(&str, &str)]) -> TableStore {
    let options = EVOLVING.iter().chain(options);
    let schema = Schema {
        fields: fields(),
        partition_keys: if partitioned { vec!["p".to_owned()] } else { Vec::new() },
        options: options.map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        ..Schema::default()
    };
    let context = paimon_blob::register(testkit::context());
    let storage = paimon_io::Storage::open("memory://testkit/table", &BTreeMap::new(), &context).unwrap();
    testkit::create_table_at(storage, schema, context).await
}

fn bytes_of(values: impl Iterator<Item = Option<Vec<u8>>>) -> ArrayRef {
    Arc::new(LargeBinaryArray::from_iter(values))
}

fn batch(rows: &[Row]) -> RecordBatch {
    let p: ArrayRef = Arc::new(rows.iter().map(|row| Some(row.p)).collect::<Int32Array>());
    let id: ArrayRef = Arc::new(rows.iter().map(|row| Some(row.id)).collect::<Int32Array>());
    let name: ArrayRef = Arc::new(rows.iter().map(|row| row.name.clone()).collect::<StringArray>());
    let b = bytes_of(rows.iter().map(|row| row.b.clone()));
    let c = bytes_of(rows.iter().map(|row| row.c.clone()));
    let columns = [("p", p), ("id", id), ("name", name), ("b", b), ("c", c)];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true))).unwrap()
}

fn columns(columns: &[(&str, ArrayRef)]) -> RecordBatch {
    let columns = columns.iter().map(|(name, column)| (*name, Arc::clone(column), true));
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

fn ids(ids: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(ids.to_vec()))
}

fn names(names: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(names.to_vec()))
}

fn blobs(values: &[Option<&[u8]>]) -> ArrayRef {
    Arc::new(LargeBinaryArray::from(values.to_vec()))
}

async fn publish(table: &TableStore, messages: &[CommitMessage]) -> paimon_spec::Result<Committed> {
    commit(table, &request(table, CommitMode::Append).await, messages).await
}

async fn append(table: &TableStore, rows: &[Row]) -> Vec<CommitMessage> {
    let mut writer = TableWriter::open(table.clone(), WriteOptions::default()).await.unwrap();
    writer.write(&batch(rows)).await.unwrap();
    let messages = writer.prepare_commit().await.unwrap();
    let _ = publish(table, &messages).await.unwrap();
    messages
}

async fn update(table: &TableStore, names: &[&str], rows: RecordBatch) -> Vec<CommitMessage> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let update = TableUpdate::open(table.clone()).await.unwrap();
    let messages = update.update_columns(&names, &[rows]).await.unwrap();
    let _ = publish(table, &messages).await.unwrap();
    messages
}

/// What a descriptor points at, in the table's own files.
async fn payload(table: &TableStore, descriptor: &[u8]) -> Vec<u8> {
    let descriptor = paimon_blob::BlobDescriptor::decode(descriptor).unwrap();
    let path = table.storage().relative(descriptor.uri).unwrap();
    let file = table.storage().read(&path).await.unwrap();
    let start = descriptor.offset as usize;
    let end = descriptor.length.map_or(file.len(), |length| start + length as usize);
    file[start..end].to_vec()
}

/// All rows by row id.
async fn rows(table: &TableStore) -> BTreeMap<i64, Row> {
    let mut found = BTreeMap::new();
    let projection = Some(vec![0, 1, 2, 3, 4, ROW_ID_ID]);
    let request = ReadRequest { projection, ..ReadRequest::default() };
    for split in plan(table, &ScanRequest::default()).await.unwrap().splits {
        let batches: Vec<RecordBatch> = read(table, &split, &request).await.unwrap().try_collect().await.unwrap();
        for batch in batches {
            let (p, id) = (batch.column(0).as_primitive::<Int32Type>(), batch.column(1).as_primitive::<Int32Type>());
            let name = batch.column(2).as_string::<i32>();
            let row_ids = batch.column(5).as_primitive::<Int64Type>();
            for at in 0..batch.num_rows() {
                let mut values = [None, None];
                for (value, column) in values.iter_mut().zip([3, 4]) {
                    let column = batch.column(column).as_binary::<i64>();
                    if column.is_valid(at) {
                        *value = Some(payload(table, column.value(at)).await);
                    }
                }
                let [b, c] = values;
                let name = name.is_valid(at).then(|| name.value(at).to_owned());
                let row = Row { p: p.value(at), id: id.value(at), name, b, c };
                assert!(found.insert(row_ids.value(at), row).is_none(), "row {} twice", row_ids.value(at));
            }
        }
    }
    found
}

async fn all_files(table: &TableStore) -> usize {
    let mut files = 0;
    for folder in ["bucket-0", "p=1/bucket-0", "p=2/bucket-0", "index"] {
        files += table.storage().list(folder).await.map_or(0, |found| found.len());
    }
    files
}

#[tokio::test]
async fn a_data_file_is_followed_by_the_files_of_its_blob_columns() {
    let table = table_of(false, &[("target-file-row-num", "3"), ("blob.target-file-size", "30 b")]).await;
    let messages = append(&table, &(0..5).map(|id| row(1, id)).collect::<Vec<_>>()).await;
    let described: Vec<_> = messages[0]
        .new_files
        .iter()
        .map(|file| {
            let kind = file.file_name.rsplit('.').next().unwrap();
            (kind, file.row_count, file.write_cols.clone().unwrap().join(","))
        })
        .collect();
    // A value of two bytes takes 18 in a file, so that the second one fills it.
    let data = |rows| ("parquet", rows, "p,id,name".to_owned());
    let blob = |rows, column: &str| ("blob", rows, column.to_owned());
    let expected =
        [data(3), blob(2, "b"), blob(1, "b"), blob(2, "c"), blob(1, "c"), data(2), blob(2, "b"), blob(2, "c")];
    assert_eq!(described, expected);
    for file in &messages[0].new_files {
        assert_eq!((file.min_sequence_number, file.max_sequence_number), (0, file.row_count - 1));
        assert_eq!((file.level, file.first_row_id, file.delete_row_count), (0, None, Some(0)));
        if file.is_blob() {
            assert_eq!((&file.value_stats_cols, &file.value_stats.null_counts), (&Some(Vec::new()), &Vec::new()));
        }
    }
    let ids: Vec<&str> = messages[0].new_files.iter().map(|file| &file.file_name[..41]).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "one writer, one identifier: {ids:?}");
    assert_eq!(rows(&table).await, (0..5).map(|id| (i64::from(id), row(1, id))).collect());
}

#[rstest]
#[tokio::test]
async fn null_and_no_bytes_are_two_things(#[values(false, true)] partitioned: bool) {
    let table = table_of(partitioned, &[]).await;
    let given = [
        Row { b: None, c: Some(Vec::new()), ..row(1, 0) },
        Row { b: Some(Vec::new()), c: None, ..row(2, 1) },
        row(1, 2),
    ];
    append(&table, &given).await;
    let mut found: Vec<Row> = rows(&table).await.into_values().collect();
    found.sort_by_key(|row| row.id);
    assert_eq!(found, given);
}

#[tokio::test]
async fn references_are_copied_into_the_table() {
    let table = table_of(false, &[]).await;
    append(&table, &[row(1, 0), row(1, 1)]).await;
    let request = ReadRequest { projection: Some(vec![3]), ..ReadRequest::default() };
    let splits = plan(&table, &ScanRequest::default()).await.unwrap().splits;
    let read: Vec<RecordBatch> = read(&table, &splits[0], &request).await.unwrap().try_collect().await.unwrap();
    let references = BlobReferences::from_array(read[0].column(0)).unwrap();
    let files: ArrayRef = Arc::new(references.to_files(None));
    let descriptors = Arc::clone(read[0].column(0));
    let mut given: Vec<(&str, ArrayRef)> = vec![("p", Arc::new(Int32Array::from(vec![1, 1])))];
    given.extend([("id", Arc::new(Int32Array::from(vec![2, 3])) as ArrayRef), ("name", names(&["x", "y"]))]);
    given.extend([("b", files), ("c", descriptors)]);
    let mut writer = TableWriter::open(table.clone(), WriteOptions::default()).await.unwrap();
    writer.write(&columns(&given)).await.unwrap();
    let _ = publish(&table, &writer.prepare_commit().await.unwrap()).await.unwrap();
    let found = rows(&table).await;
    assert_eq!((&found[&2].b, &found[&2].c), (&row(1, 0).b, &row(1, 0).b));
    assert_eq!((&found[&3].b, &found[&3].c), (&row(1, 1).b, &row(1, 1).b));
    let folder = table.storage().url("bucket-0");
    let batches = plan(&table, &ScanRequest::default()).await.unwrap().splits;
    assert!(batches.iter().all(|split| split.bucket_path == "bucket-0"), "{folder}");
}

#[tokio::test]
async fn a_missing_source_is_named_and_leaves_nothing_behind() {
    let table = table_of(false, &[]).await;
    let fields = Fields::from(vec![
        Field::new("url", ArrowType::LargeUtf8, true),
        Field::new("position", ArrowType::Int64, true),
        Field::new("size", ArrowType::Int64, true),
    ]);
    let url = table.storage().url("bucket-0/gone");
    let columns_of: Vec<ArrayRef> = vec![
        Arc::new(LargeStringArray::from(vec![url.as_str()])),
        Arc::new(Int64Array::from(vec![0])),
        Arc::new(Int64Array::from(vec![3])),
    ];
    let files: ArrayRef = Arc::new(StructArray::new(fields, columns_of, None));
    let mut given = batch(&[row(1, 0)]).columns().to_vec();
    given[4] = files;
    let names = ["p", "id", "name", "b", "c"];
    let given: Vec<(&str, ArrayRef)> = names.into_iter().zip(given).collect();
    let mut writer = TableWriter::open(table.clone(), WriteOptions::default()).await.unwrap();
    writer.write(&columns(&given)).await.unwrap();
    let error = writer.prepare_commit().await.unwrap_err();
    assert_eq!((error.kind(), error.context("column")), (ErrorKind::NotFound, Some("c")), "{error}");
    assert!(error.to_string().contains("bucket-0/gone"), "{error}");
    assert_eq!(all_files(&table).await, 0);
}

#[tokio::test]
async fn new_values_take_their_place_and_the_others_stay() {
    let table = table_of(false, &[]).await;
    append(&table, &(0..4).map(|id| row(1, id)).collect::<Vec<_>>()).await;
    append(&table, &(4..6).map(|id| row(1, id)).collect::<Vec<_>>()).await;
    let given = columns(&[
        ("name", names(&["five", "one"])),
        (ROW_ID, ids(&[5, 1])),
        ("b", blobs(&[None, Some(b"new")])),
        ("passed over", names(&["", ""])),
    ]);
    let messages = update(&table, &["name", "b"], given).await;
    let [message] = messages.as_slice() else { panic!("{messages:?}") };
    assert_eq!(message.check_from_snapshot, Some(2));
    let described: Vec<_> = message
        .new_files
        .iter()
        .map(|file| (file.first_row_id.unwrap(), file.row_count, file.write_cols.clone().unwrap().join(",")))
        .collect();
    let file = |first, rows, columns: &str| (first, rows, columns.to_owned());
    // Of a BLOB column what comes after the last new value is left out.
    assert_eq!(described, [file(0, 4, "name"), file(0, 2, "b"), file(4, 2, "name"), file(4, 2, "b")]);

    let mut expected: BTreeMap<i64, Row> = (0..6).map(|id| (i64::from(id), row(1, id))).collect();
    *expected.get_mut(&1).unwrap() = Row { name: Some("one".to_owned()), b: Some(b"new".to_vec()), ..row(1, 1) };
    *expected.get_mut(&5).unwrap() = Row { name: Some("five".to_owned()), b: None, ..row(1, 5) };
    assert_eq!(rows(&table).await, expected);

    update(&table, &["b"], columns(&[("b", blobs(&[Some(b"newer")])), (ROW_ID, ids(&[2]))])).await;
    expected.get_mut(&2).unwrap().b = Some(b"newer".to_vec());
    assert_eq!(rows(&table).await, expected);
    let snapshot = table.latest_snapshot().await.unwrap().unwrap();
    assert_eq!((snapshot.next_row_id, snapshot.commit_kind), (Some(6), CommitKind::Append));
}

#[tokio::test]
async fn a_column_that_was_added_later_gets_values() {
    let table = table_of(false, &[]).await;
    append(&table, &[row(1, 0), row(1, 1), row(1, 2)]).await;
    let mut schema = table.schema().as_ref().clone();
    schema.id = 1;
    schema.highest_field_id = 6;
    schema.fields.push(DataField::new(5, "d", DataType::nullable(TypeKind::Blob)));
    schema.fields.push(DataField::new(6, "n", DataType::nullable(TypeKind::Int)));
    let _ = table.commit_schema(&schema).await.unwrap();
    let table = table.with_schema(Arc::new(schema));
    let n: ArrayRef = Arc::new(Int32Array::from(vec![7]));
    let given = columns(&[("d", blobs(&[Some(b"d1")])), ("n", n), (ROW_ID, ids(&[1]))]);
    let messages = update(&table, &["d", "n"], given).await;
    let counts: Vec<i64> = messages[0].new_files.iter().map(|file| file.row_count).collect();
    assert_eq!(counts, [3, 3], "without older values, all other rows are NULL");
    let request = ReadRequest { projection: Some(vec![5, 6]), ..ReadRequest::default() };
    let splits = plan(&table, &ScanRequest::default()).await.unwrap().splits;
    let read: Vec<RecordBatch> = read(&table, &splits[0], &request).await.unwrap().try_collect().await.unwrap();
    let read = arrow::compute::concat_batches(&read[0].schema(), &read).unwrap();
    let d = read.column(0).as_binary::<i64>();
    assert_eq!((0..3).map(|at| d.is_valid(at)).collect::<Vec<_>>(), [false, true, false]);
    assert_eq!(payload(&table, d.value(1)).await, b"d1");
    assert_eq!(read.column(1).as_primitive::<Int32Type>().iter().collect::<Vec<_>>(), [None, Some(7), None]);
}

#[rstest]
#[case::twice(&["name"], &[0, 1, 0], "Row ID 0 is given twice")]
#[case::unknown(&["name"], &[0, 9, 7], "Row IDs 7, 9 do not belong")]
#[case::negative(&["name"], &[-1], "Row ID -1 does not belong")]
#[case::deleted(&["name"], &[1], "Row ID 1 is deleted")]
#[case::a_partition_column(&["p"], &[0], "'p' is a key")]
#[case::no_column(&[], &[0], "cannot be empty")]
#[case::an_unknown_column(&["x"], &[0], "Column x is not in table schema")]
#[tokio::test]
async fn what_cannot_be_updated_is_named(#[case] updated: &[&str], #[case] row_ids: &[i64], #[case] text: &str) {
    let table = table_of(true, &[]).await;
    append(&table, &[row(1, 0), row(1, 1), row(2, 2)]).await;
    let update = TableUpdate::open(table.clone()).await.unwrap();
    let _ = publish(&table, &update.delete_rows(&[1]).await.unwrap()).await.unwrap();
    let before = all_files(&table).await;
    let update = TableUpdate::open(table.clone()).await.unwrap();
    let given = columns(&[("name", names(&vec!["n"; row_ids.len()])), (ROW_ID, ids(row_ids))]);
    let updated: Vec<String> = updated.iter().map(|name| (*name).to_owned()).collect();
    let error = update.update_columns(&updated, &[given]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains(text), "{error}");
    assert_eq!(all_files(&table).await, before);
}

#[tokio::test]
async fn two_updates_of_one_column_of_a_row_group_are_one_too_many() {
    let table = table_of(false, &[]).await;
    append(&table, &[row(1, 0), row(1, 1)]).await;
    let update = TableUpdate::open(table.clone()).await.unwrap();
    let given = |id| columns(&[("name", names(&["x"])), ("b", blobs(&[None])), (ROW_ID, ids(&[id]))]);
    let mut messages = update.update_columns(&["name".to_owned()], &[given(0)]).await.unwrap();
    let error = update.update_columns(&["name".to_owned()], &[given(1)]).await.unwrap_err();
    assert!(error.message().contains("overlapping first_row_ids"), "{error}");
    messages.extend(update.update_columns(&["b".to_owned()], &[given(1)]).await.unwrap());
    let _ = publish(&table, &messages).await.unwrap();
    let found = rows(&table).await;
    assert_eq!((found[&0].name.as_deref(), &found[&1].b), (Some("x"), &None));

    // Of two jobs, the one that comes second is told.
    let (first, second) =
        (TableUpdate::open(table.clone()).await.unwrap(), TableUpdate::open(table.clone()).await.unwrap());
    let first = first.update_columns(&["name".to_owned()], &[given(0)]).await.unwrap();
    let second = second.update_columns(&["name".to_owned()], &[given(1)]).await.unwrap();
    let _ = publish(&table, &first).await.unwrap();
    assert_eq!(publish(&table, &second).await.unwrap_err().kind(), ErrorKind::CommitConflict);
}

#[rstest]
#[tokio::test]
async fn deleted_rows_are_gone_and_other_vectors_stay(#[values(false, true)] bitmap64: bool) {
    let bitmap64 = if bitmap64 { "true" } else { "false" };
    let table = table_of(true, &[("deletion-vectors.bitmap64", bitmap64)]).await;
    append(&table, &[row(1, 0), row(1, 1), row(2, 2), row(2, 3)]).await;
    append(&table, &[row(1, 4), row(1, 5)]).await;
    let mut expected = rows(&table).await;
    for deleted in [&[1_i64, 4][..], &[0], &[1, 3], &[]] {
        let update = TableUpdate::open(table.clone()).await.unwrap();
        let messages = update.delete_rows(deleted).await.unwrap();
        assert_eq!(messages.is_empty(), deleted.is_empty());
        if !messages.is_empty() {
            let _ = publish(&table, &messages).await.unwrap();
        }
        expected.retain(|id, _| !deleted.contains(id));
        assert_eq!(rows(&table).await, expected);
    }
    let update = TableUpdate::open(table.clone()).await.unwrap();
    assert!(update.delete_rows(&[0, 1]).await.unwrap().is_empty(), "they are deleted already");
    let snapshot = table.latest_snapshot().await.unwrap().unwrap();
    assert_eq!(snapshot.commit_kind, CommitKind::Overwrite);
    let error = update.delete_rows(&[99]).await.unwrap_err();
    assert!(error.message().contains("Row ID 99 does not belong"), "{error}");
}

#[tokio::test]
async fn vectors_that_changed_since_are_a_conflict() {
    let table = table_of(false, &[]).await;
    append(&table, &[row(1, 0), row(1, 1), row(1, 2)]).await;
    let first = TableUpdate::open(table.clone()).await.unwrap().delete_rows(&[0]).await.unwrap();
    let second = TableUpdate::open(table.clone()).await.unwrap().delete_rows(&[1]).await.unwrap();
    let _ = publish(&table, &first).await.unwrap();
    let error = publish(&table, &second).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CommitConflict, "{error}");
    crate::abort(&table, &second).await.unwrap();
    assert_eq!(rows(&table).await.keys().copied().collect::<Vec<_>>(), [1, 2]);
}

#[tokio::test]
async fn deleting_needs_its_option_and_updating_needs_row_ids() {
    let table = table_of(false, &[("deletion-vectors.enabled", "false")]).await;
    append(&table, &[row(1, 0)]).await;
    let error = TableUpdate::open(table).await.unwrap().delete_rows(&[0]).await.unwrap_err();
    assert!(error.message().contains("'deletion-vectors.enabled'"), "{error}");
    let plain = testkit::create_table(crate::testing::schema(false, &[])).await;
    let error = TableUpdate::open(plain).await.unwrap_err();
    assert!(error.message().contains("'row-tracking.enabled'"), "{error}");
}

#[tokio::test]
async fn rows_are_deleted_by_what_they_hold() {
    let table = table_of(true, &[]).await;
    append(&table, &(0..6).map(|id| row(1 + id % 2, id)).collect::<Vec<_>>()).await;
    let update = TableUpdate::open(table.clone()).await.unwrap();
    let condition = Predicate::compare(1, CompareOp::Gt, Datum::Int(3));
    let _ = publish(&table, &update.delete_where(Some(&condition)).await.unwrap()).await.unwrap();
    let left =
        |found: BTreeMap<i64, Row>| found.into_values().map(|row| row.id).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(left(rows(&table).await), (0..4).collect());

    // A condition on partitions takes their files away, and their vectors.
    let update = TableUpdate::open(table.clone()).await.unwrap();
    let condition = Predicate::compare(0, CompareOp::Eq, Datum::Int(1));
    let messages = update.delete_where(Some(&condition)).await.unwrap();
    assert_eq!(messages.iter().map(|message| message.deleted_files.len()).sum::<usize>(), 3);
    let _ = publish(&table, &messages).await.unwrap();
    assert_eq!(left(rows(&table).await), [1, 3].into());
    let update = TableUpdate::open(table.clone()).await.unwrap();
    let _ = publish(&table, &update.delete_where(None).await.unwrap()).await.unwrap();
    assert!(rows(&table).await.is_empty());
}

#[tokio::test]
async fn matching_rows_come_with_their_ids_group_by_group() {
    let table = table_of(false, &[]).await;
    append(&table, &[row(1, 0), row(1, 1)]).await;
    append(&table, &[row(1, 2)]).await;
    append(&table, &[row(1, 3), row(1, 4)]).await;
    let update = TableUpdate::open(table.clone()).await.unwrap();
    append(&table, &[row(1, 5)]).await;
    let condition = Predicate::compare(1, CompareOp::NotEq, Datum::Int(2));
    let found = update.matching(Some(&condition), &["name".to_owned()]).await.unwrap();
    let found: Vec<RecordBatch> = found.try_collect().await.unwrap();
    let ids: Vec<Vec<i64>> =
        found.iter().map(|batch| batch.column(1).as_primitive::<Int64Type>().values().to_vec()).collect();
    assert_eq!(ids, [vec![0, 1], vec![3, 4]], "what came later is not seen");
    assert_eq!(found[1].column(0).as_string::<i32>().value(1), "n4");
}

#[tokio::test]
async fn an_upsert_changes_what_is_there_and_adds_the_rest() {
    let table = table_of(true, &[]).await;
    append(&table, &[row(1, 0), row(1, 1), row(2, 1), row(1, 1)]).await;
    let update = TableUpdate::open(table.clone()).await.unwrap();
    let given = columns(&[
        ("p", Arc::new(Int32Array::from(vec![1, 1, 2, 2]))),
        ("id", Arc::new(Int32Array::from(vec![1, 1, 0, 7]))),
        ("name", names(&["first", "last", "new", "newer"])),
    ]);
    let messages = update.upsert(&["id".to_owned()], None, &[given]).await.unwrap();
    let _ = publish(&table, &messages).await.unwrap();
    let mut found: Vec<Row> = rows(&table).await.into_values().collect();
    found.sort();
    let changed = Row { name: Some("last".to_owned()), ..row(1, 1) };
    let added = |id, name: &str| Row { p: 2, id, name: Some(name.to_owned()), b: None, c: None };
    assert_eq!(found, [row(1, 0), changed.clone(), changed, added(0, "new"), row(2, 1), added(7, "newer")]);
}

#[tokio::test]
async fn null_is_a_key_like_others() {
    let table = table_of(false, &[]).await;
    let of = |name: Option<&str>, id| Row { name: name.map(str::to_owned), ..row(1, id) };
    append(&table, &[of(None, 0), of(Some("x"), 1)]).await;
    let given = |names: Vec<Option<&str>>, ids: Vec<i32>| {
        let name: ArrayRef = Arc::new(StringArray::from(names));
        columns(&[("name", name), ("id", Arc::new(Int32Array::from(ids)))])
    };
    // More rows than are looked for by their values, and few.
    let many = given((0..1_001).map(|at| (at == 7).then_some("y")).collect(), (0..1_001).collect());
    for (given, expected) in
        [(given(vec![None, Some("z")], vec![10, 11]), vec![10, 1, 11]), (many, vec![1_000, 1, 11, 7])]
    {
        let update = TableUpdate::open(table.clone()).await.unwrap();
        let messages = update.upsert(&["name".to_owned()], None, &[given]).await.unwrap();
        let _ = publish(&table, &messages).await.unwrap();
        assert_eq!(rows(&table).await.into_values().map(|row| row.id).collect::<Vec<_>>(), expected);
    }
}

#[rstest]
#[case::no_key(&[], "must not be empty")]
#[case::an_unknown_key(&["x"], "Column x")]
#[case::a_blob(&["b"], "'b' cannot be an upsert key")]
#[case::a_key_that_is_not_given(&["c", "id"], "'c' cannot be")]
#[case::a_key_without_values(&["name"], "'name' is not in input")]
#[tokio::test]
async fn an_upsert_without_usable_keys_is_refused(#[case] keys: &[&str], #[case] text: &str) {
    let table = table_of(false, &[]).await;
    let update = TableUpdate::open(table).await.unwrap();
    let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
    let given = columns(&[("id", Arc::new(Int32Array::from(vec![1])))]);
    let error = update.upsert(&keys, None, &[given]).await.unwrap_err();
    assert!(error.message().contains(text), "{error}");
}

/// One step of a history.
#[derive(Debug, Clone)]
enum Step {
    /// New rows, with some columns.
    Append {
        rows: Vec<(i32, u8)>,
        columns: Vec<usize>,
    },
    /// New values for some of the rows, by their place among those that are there.
    Update {
        rows: Vec<prop::sample::Index>,
        columns: Vec<usize>,
        null: bool,
    },
    Delete(Vec<prop::sample::Index>),
}

const UPDATABLE: [&str; 4] = ["id", "name", "b", "c"];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let columns = || prop::sample::subsequence((0..4_usize).collect::<Vec<_>>(), 1..=4);
    let some_rows = || prop::collection::vec(any::<prop::sample::Index>(), 1..4);
    let append = (prop::collection::vec((1..3_i32, any::<u8>()), 1..7), columns())
        .prop_map(|(rows, columns)| Step::Append { rows, columns });
    let update =
        (some_rows(), columns(), any::<bool>()).prop_map(|(rows, columns, null)| Step::Update { rows, columns, null });
    prop::collection::vec(prop_oneof![2 => append, 3 => update, 1 => some_rows().prop_map(Step::Delete)], 1..8)
}

/// Sets some columns of a row to values that tell where they are from.
fn set(row: &mut Row, columns: &[usize], stamp: &str, null: bool) {
    let text = || (!null).then(|| stamp.to_owned());
    for column in columns {
        match column {
            0 => row.id = stamp.len() as i32 * 1_000 + i32::from(stamp.as_bytes()[stamp.len() - 1]),
            1 => row.name = text(),
            2 => row.b = text().map(|text| format!("b {text}").into_bytes()),
            _ => row.c = text().map(|text| text.into_bytes()),
        }
    }
}

fn picked(batch: &RecordBatch, wanted: &[&str]) -> RecordBatch {
    let schema = batch.schema();
    let places: Vec<usize> = wanted.iter().map(|name| schema.index_of(name).unwrap()).collect();
    batch.project(&places).unwrap()
}

async fn play(steps: Vec<Step>, partitioned: bool, options: &[(&str, &str)]) {
    let table = table_of(partitioned, options).await;
    let mut model: BTreeMap<i64, Row> = BTreeMap::new();
    let mut next_row_id = 0;
    for (number, step) in steps.into_iter().enumerate() {
        let there: Vec<i64> = model.keys().copied().collect();
        let chosen = |rows: &[prop::sample::Index]| {
            let mut chosen: Vec<i64> =
                rows.iter().filter(|_| !there.is_empty()).map(|row| there[row.index(there.len())]).collect();
            chosen.sort_unstable();
            chosen.dedup();
            // In any order.
            let turns = number % chosen.len().max(1);
            chosen.rotate_left(turns);
            chosen
        };
        match step {
            Step::Append { rows, columns } => {
                let mut wanted: Vec<&str> = columns.iter().map(|at| UPDATABLE[*at]).collect();
                wanted.extend(["id", "p"].iter().filter(|name| !columns.iter().any(|at| UPDATABLE[*at] == **name)));
                let mut new: Vec<Row> = rows
                    .iter()
                    .enumerate()
                    .map(|(at, (p, letter))| {
                        let mut row = Row { p: *p, id: at as i32, name: None, b: None, c: None };
                        set(&mut row, &columns, &format!("{number} {letter} {at}"), false);
                        row
                    })
                    .collect();
                let write_type = Some(wanted.iter().map(|name| (*name).to_owned()).collect());
                let options = WriteOptions { write_type, ..WriteOptions::default() };
                let mut writer = TableWriter::open(table.clone(), options).await.unwrap();
                writer.write(&picked(&batch(&new), &wanted)).await.unwrap();
                let _ = publish(&table, &writer.prepare_commit().await.unwrap()).await.unwrap();
                if partitioned {
                    // Ids are given partition by partition.
                    new.sort_by_key(|row| row.p);
                }
                for row in new {
                    model.insert(next_row_id, row);
                    next_row_id += 1;
                }
            }
            Step::Update { rows, columns, null } => {
                let chosen = chosen(&rows);
                let mut new = Vec::new();
                for id in &chosen {
                    let row = model.get_mut(id).unwrap();
                    set(row, &columns, &format!("{number} {id}"), null);
                    new.push(row.clone());
                }
                if chosen.is_empty() {
                    continue;
                }
                let wanted: Vec<&str> = columns.iter().map(|at| UPDATABLE[*at]).collect();
                let values = picked(&batch(&new), &wanted);
                let mut given: Vec<(&str, ArrayRef)> =
                    wanted.iter().copied().zip(values.columns().iter().cloned()).collect();
                given.push((ROW_ID, ids(&chosen)));
                update(&table, &wanted, self::columns(&given)).await;
            }
            Step::Delete(rows) => {
                let chosen = chosen(&rows);
                let update = TableUpdate::open(table.clone()).await.unwrap();
                let messages = update.delete_rows(&chosen).await.unwrap();
                if !messages.is_empty() {
                    let _ = publish(&table, &messages).await.unwrap();
                }
                chosen.iter().for_each(|id| drop(model.remove(id)));
            }
        }
        assert_eq!(rows(&table).await, model, "after step {number}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_history_leaves_what_a_model_says(
        steps in steps(),
        partitioned in any::<bool>(),
        rows in prop::sample::select(vec!["2", "3", "1000"]),
        blob_bytes in prop::sample::select(vec!["1 b", "60 b", "1 mb"]),
        format in prop::sample::select(vec!["parquet", "avro"]),
    ) {
        let options = [("target-file-row-num", rows), ("blob.target-file-size", blob_bytes), ("file.format", format)];
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(play(steps, partitioned, &options));
    }
}
