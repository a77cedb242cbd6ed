//! `.blob` files, byte for byte and against a naive model. Fixtures say who wrote them.

use std::sync::Arc;

use arrow::{
    array::{
        Array, ArrayRef, AsArray, Int64Array, LargeBinaryArray, LargeStringArray, ListArray, MapArray, RecordBatch,
        StructArray,
    },
    buffer::OffsetBuffer,
    datatypes::{DataType as ArrowType, Field, Fields, Schema as ArrowSchema},
};
use bytes::Bytes;
use futures::TryStreamExt;
use paimon_io::{
    FileRead, FileTarget, FileWriter, IoContext, Storage, TableStore, WrittenFile,
    testkit::{self, data_file},
};
use paimon_spec::{DataField, DataFileMeta, DeletionVector, ErrorKind, Result, RowSet, Schema};
use proptest::prelude::*;
use rstest::rstest;

use super::{check_record, register};
use crate::BlobDescriptor;

mod copying;
mod damage;
mod nested;
mod requests;

/// What a row holds.
#[derive(Debug, Clone, PartialEq)]
enum Row {
    Value(Vec<u8>),
    Null,
    LeftOpen,
}

/// pypaimon 2.1.0: ["hello", null, "wor"].
const VALUES: &str = "cf114e5868656c6c6f1500000000000000c8f6a751cf114e58776f72130000000000000059e2125a2a2b280300000001";

/// A table with a column `blob` of a type, in `storage`.
async fn table_at(storage: Storage, context: IoContext, data_type: &str, options: &[(&str, &str)]) -> TableStore {
    let json = format!(
        r#"{{"fields": [{{"name": "id", "type": "INT"}}, {{"name": "blob", "type": {}}}]}}"#,
        type_json(data_type)
    );
    let mut schema = Schema::from_json(&json).unwrap();
    let required = [("row-tracking.enabled", "true"), ("data-evolution.enabled", "true")];
    schema.options.extend(required.iter().chain(options).map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    testkit::create_table_at(storage, schema, context).await
}

/// `BLOB`, `ARRAY<BLOB>` or `MAP<k, BLOB>` as a schema's JSON spells it.
fn type_json(text: &str) -> String {
    if let Some(key) = text.strip_prefix("MAP<").and_then(|rest| rest.strip_suffix(", BLOB>")) {
        format!(r#"{{"type": "MAP", "key": "{key} NOT NULL", "value": "BLOB"}}"#)
    } else if text == "ARRAY<BLOB>" {
        r#"{"type": "ARRAY", "element": "BLOB"}"#.to_owned()
    } else {
        format!("\"{text}\"")
    }
}

async fn table(data_type: &str) -> TableStore {
    let context = register(testkit::context());
    let storage = Storage::open("memory://blobs/table", &Default::default(), &context).unwrap();
    table_at(storage, context, data_type, &[]).await
}

fn column(store: &TableStore) -> DataField {
    store.schema().fields[1].clone()
}

fn target(store: &TableStore, name: &str) -> FileTarget {
    FileTarget {
        bucket_path: "bucket-0".to_owned(),
        file_name: name.to_owned(),
        fields: vec![column(store)],
        schema: Arc::clone(store.schema()),
    }
}

/// Rows of the one column, whatever its Arrow type.
fn batch(column: ArrayRef) -> RecordBatch {
    let field = Field::new("blob", column.data_type().clone(), true);
    RecordBatch::try_new(Arc::new(ArrowSchema::new(vec![field])), vec![column]).unwrap()
}

async fn create(store: &TableStore, name: &str) -> Box<dyn FileWriter> {
    store.create_file(&target(store, name)).await.unwrap()
}

/// What the manifest would say of a file.
fn meta(name: &str, written: &WrittenFile) -> DataFileMeta {
    let file = data_file(name, written.size as i64, written.rows as i64);
    DataFileMeta { write_cols: Some(vec!["blob".to_owned()]), ..file }
}

async fn write_column(store: &TableStore, name: &str, column: ArrayRef) -> Result<DataFileMeta> {
    let mut writer = create(store, name).await;
    writer.write(&batch(column)).await?;
    Ok(meta(name, &writer.finish().await?))
}

async fn write_rows(store: &TableStore, name: &str, rows: &[Row]) -> DataFileMeta {
    let mut writer = create(store, name).await;
    let mut rest = rows;
    while let Some(first) = rest.first() {
        let open = *first == Row::LeftOpen;
        let count = rest.iter().take_while(|row| (**row == Row::LeftOpen) == open).count();
        if open {
            writer.leave_open(count as u64).await.unwrap();
        } else {
            let values = LargeBinaryArray::from_iter(rest[..count].iter().map(|row| match row {
                Row::Value(bytes) => Some(bytes.as_slice()),
                _ => None,
            }));
            writer.write(&batch(Arc::new(values))).await.unwrap();
        }
        rest = &rest[count..];
    }
    assert_eq!(writer.rows(), rows.len() as u64);
    meta(name, &writer.finish().await.unwrap())
}

fn all(store: &TableStore) -> FileRead {
    FileRead {
        columns: vec![column(store)],
        predicate: None,
        deletions: None,
        rows: None,
        limit: None,
        batch_rows: 1024,
        held_bytes: None,
    }
}

async fn read(store: &TableStore, file: &DataFileMeta, read: &FileRead) -> Result<Vec<RecordBatch>> {
    store.open_file("bucket-0", file, read).await?.try_collect().await
}

/// The descriptors of a column of blobs.
async fn descriptors(store: &TableStore, file: &DataFileMeta, wanted: &FileRead) -> Result<Vec<Option<Vec<u8>>>> {
    let batches = read(store, file, wanted).await?;
    let column =
        |batch: &RecordBatch| batch.column(0).as_binary::<i64>().iter().map(|v| v.map(<[u8]>::to_vec)).collect();
    Ok(batches.iter().flat_map(|batch| -> Vec<_> { column(batch) }).collect())
}

async fn bytes_of(store: &TableStore, file: &DataFileMeta) -> Bytes {
    store.storage().read(&format!("bucket-0/{}", file.file_name)).await.unwrap()
}

/// What a descriptor points at, with nothing but its numbers.
fn pointed_at(bytes: &Bytes, url: &str, descriptor: &[u8]) -> Vec<u8> {
    let BlobDescriptor { uri, offset, length } = BlobDescriptor::decode(descriptor).unwrap();
    assert_eq!(uri, url);
    bytes.slice(offset as usize..(offset + length.unwrap()) as usize).to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Bytes {
    let digits: Vec<_> = text.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_digit(16).unwrap() as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect::<Vec<_>>().into()
}

/// A file that somebody else wrote.
async fn put(store: &TableStore, name: &str, bytes: Bytes, rows: i64) -> DataFileMeta {
    let written = WrittenFile { size: bytes.len() as u64, rows: rows as u64, stats: vec![] };
    store.storage().put(&format!("bucket-0/{name}"), bytes).await.unwrap();
    meta(name, &written)
}

fn value(text: &str) -> Row {
    Row::Value(text.into())
}

#[rstest]
#[case::values(&[value("hello"), Row::Null, value("wor")], VALUES)]
#[case::a_row_left_open(&[Row::LeftOpen, value("ab")], "cf114e5861621200000000000000c80275450328 0200000001")]
#[case::nothing(&[], "0000000001")]
#[case::empty_is_not_null(&[value("")], "cf114e58 1000000000000000 537fdf03 20 01000000 01")]
#[tokio::test]
async fn files_are_those_of_others(#[case] rows: &[Row], #[case] text: &str) {
    let store = table("BLOB").await;
    let file = write_rows(&store, "data-1-0.blob", rows).await;
    assert_eq!(hex(&bytes_of(&store, &file).await), hex(&unhex(text)));
    let file = put(&store, "data-2-0.blob", unhex(text), rows.len() as i64).await;
    check(&store, &file, rows, &all(&store)).await;
}

/// Compares what is read with what is wanted of `rows`.
async fn check(store: &TableStore, file: &DataFileMeta, rows: &[Row], wanted: &FileRead) {
    let bytes = bytes_of(store, file).await;
    let url = store.data_file_url("bucket-0", file).unwrap();
    let left_out = |row: u64| {
        wanted.rows.as_ref().is_some_and(|rows| !rows.contains(row))
            || wanted.deletions.as_ref().is_some_and(|deleted| deleted.contains(row))
    };
    let expected = (0..).zip(rows).filter(|(row, _)| !left_out(*row)).map(|(_, row)| match row {
        Row::Value(bytes) => Some(bytes.clone()),
        Row::Null | Row::LeftOpen => None,
    });
    let expected: Vec<_> = expected.take(wanted.limit.unwrap_or(usize::MAX)).collect();
    let found = descriptors(store, file, wanted).await.unwrap();
    let found: Vec<_> = found.iter().map(|d| d.as_ref().map(|d| pointed_at(&bytes, &url, d))).collect();
    assert_eq!(found, expected);
    let open = (0..).zip(rows).filter(|(_, row)| **row == Row::LeftOpen).map(|(row, _)| row);
    assert_eq!(store.rows_left_open("bucket-0", file).await.unwrap(), RowSet::from_positions(open));
}

fn any_rows() -> impl Strategy<Value = Vec<Row>> {
    let bytes = prop_oneof![4 => 0..40_usize, 1 => 3_000..9_000_usize, 1 => 60_000..70_000_usize]
        .prop_flat_map(|size| any::<u8>().prop_map(move |byte| vec![byte; size]));
    let row = prop_oneof![6 => bytes.prop_map(Row::Value), 2 => Just(Row::Null), 2 => Just(Row::LeftOpen)];
    prop_oneof![4 => proptest::collection::vec(row.clone(), 0..30), 1 => proptest::collection::vec(row, 250..400)]
}

fn block<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_rows_are_read_as_a_naive_model_says(
        rows in any_rows(),
        chosen in proptest::option::of(proptest::collection::btree_set(0_u32..400, 0..100)),
        deleted in proptest::option::of(proptest::collection::btree_set(0_u32..400, 0..100)),
        limit in proptest::option::of(0_usize..50),
        batch_rows in 1_usize..200,
    ) {
        block(async {
            let store = table("BLOB").await;
            let file = write_rows(&store, "data-1-0.blob", &rows).await;
            let count = rows.len() as u32;
            let wanted = FileRead {
                rows: chosen.map(|rows| Arc::new(RowSet::from_positions(rows.into_iter().filter(|row| *row < count)))),
                deletions: deleted.map(|rows| Arc::new(DeletionVector::from_positions(rows.into_iter().map(u64::from)))),
                limit,
                batch_rows,
                ..all(&store)
            };
            check(&store, &file, &rows, &wanted).await;
            let read = read(&store, &file, &wanted).await.unwrap();
            assert!(read.iter().all(|batch| (1..=batch_rows).contains(&batch.num_rows())));

            // Whole values are found, each with a record that is right, and nothing else is.
            let index = super::BlobIndex::load(store.context(), store.storage(), "bucket-0/data-1-0.blob", None).await.unwrap();
            assert_eq!(index.rows(), u64::from(count));
            let bytes = bytes_of(&store, &file).await;
            let mut offset = 0;
            for row in &rows {
                let Row::Value(value) = row else { continue };
                let length = value.len() as u64;
                let record = index.find(offset + 4, length).unwrap();
                assert_eq!(record, offset..offset + length + 16);
                assert_eq!(check_record(&bytes.slice(record.start as usize..record.end as usize)).unwrap(), value);
                for (offset, length) in [(offset, length), (offset + 5, length), (offset + 4, length + 1), (offset + 4, u64::MAX)] {
                    assert_eq!(index.find(offset, length), None);
                }
                offset += length + 16;
            }
            for offset in [0, 3, offset + 4, u64::MAX] {
                assert_eq!(index.find(offset, 0), None);
            }
        });
    }
}

#[tokio::test]
async fn columns_that_the_file_does_not_hold_are_null_and_no_columns_are_rows_alone() {
    let store = table("BLOB").await;
    let file = write_rows(&store, "data-1-0.blob", &[value("a"), Row::Null]).await;
    let columns = [1, 0].map(|column| store.schema().fields[column].clone()).to_vec();
    let batches = read(&store, &file, &FileRead { columns, ..all(&store) }).await.unwrap();
    assert_eq!(batches[0].column(0).null_count(), 1);
    assert_eq!(batches[0].column(1).null_count(), 2);
    let twice = FileRead { columns: vec![column(&store); 2], ..all(&store) };
    assert_eq!(read(&store, &file, &twice).await.unwrap_err().kind(), ErrorKind::CorruptData);
    let batches = read(&store, &file, &FileRead { columns: vec![], ..all(&store) }).await.unwrap();
    assert_eq!((batches[0].num_columns(), batches[0].num_rows()), (0, 2));
}

#[tokio::test]
async fn null_is_refused_where_the_column_has_none_and_left_open_is_not() {
    let store = table("BLOB NOT NULL").await;
    let null: ArrayRef = Arc::new(LargeBinaryArray::from_iter([None::<&[u8]>]));
    let error = write_column(&store, "data-1-0.blob", null).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    assert_eq!(error.context("column"), Some("blob"));
    let file = write_rows(&store, "data-2-0.blob", &[Row::LeftOpen, value("a")]).await;
    assert_eq!(read(&store, &file, &all(&store)).await.unwrap()[0].column(0).null_count(), 1);
    let file = put(&store, "data-3-0.blob", unhex(VALUES), 3).await;
    let error = read(&store, &file, &all(&store)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CorruptData, "{error}");
}

#[tokio::test]
async fn the_size_so_far_is_that_of_the_records() {
    let store = table("BLOB").await;
    let mut writer = create(&store, "data-1-0.blob").await;
    assert_eq!(writer.bytes(), 0);
    for (rows, size) in [(1, 100), (2, 200_000)] {
        writer.write(&batch(Arc::new(LargeBinaryArray::from_iter_values([vec![7_u8; size]])))).await.unwrap();
        assert_eq!(writer.rows(), rows);
    }
    writer.leave_open(3).await.unwrap();
    assert_eq!(writer.bytes(), 200_100 + 2 * 16);
    assert_eq!(writer.finish().await.unwrap().rows, 5);
}

#[tokio::test]
async fn a_file_is_not_finished_after_a_write_that_failed() {
    let store = table("BLOB").await;
    let mut writer = create(&store, "data-1-0.blob").await;
    let error = writer.write(&batch(Arc::new(Int64Array::from(vec![1])))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    assert_eq!(writer.finish().await.unwrap_err().kind(), ErrorKind::Internal);
    assert!(!store.storage().exists("bucket-0/data-1-0.blob").await.unwrap());
}

#[tokio::test]
async fn formats_that_are_not_registered_are_unsupported_by_name() {
    let context = testkit::context();
    let storage = Storage::open("memory://blobs/table", &Default::default(), &context).unwrap();
    let store = table_at(storage, context, "BLOB", &[]).await;
    let error = store.create_file(&target(&store, "data-1-0.blob")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("format BLOB"), "{error}");
    let error = store.rows_left_open("bucket-0", &data_file("data-1-0.blob", 5, 0)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn other_formats_leave_no_row_open() {
    let store = table("BLOB").await;
    assert!(store.rows_left_open("bucket-0", &data_file("data-1-0.parquet", 5, 3)).await.unwrap().is_empty());
    let fields = vec![store.schema().fields[0].clone()];
    let parquet = FileTarget { fields, ..target(&store, "data-1-0.parquet") };
    let error = store.create_file(&parquet).await.unwrap().leave_open(1).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[rstest]
#[case("INT")]
#[case("MAP<DOUBLE, BLOB>")]
#[tokio::test]
async fn columns_of_other_types_have_no_place_in_blob_files(#[case] data_type: &str) {
    let store = table("BLOB").await;
    let json = format!(r#"{{"fields": [{{"name": "blob", "type": {}}}]}}"#, type_json(data_type));
    let fields = Schema::from_json(&json).unwrap().fields;
    let error = store.create_file(&FileTarget { fields, ..target(&store, "a.blob") }).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert_eq!(error.context("column"), Some("blob"));
}
