use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Int32Array, Int64Array, MapBuilder, RecordBatch, StringArray, StringBuilder};
use arrow::datatypes::Int32Type;
use futures::TryStreamExt;
use paimon_io::testkit::{self, DistantStore, Operation, Requests};
use paimon_merge::{ReadRequest, read};
use paimon_scan::{Plan, ScanRequest, Slice, Stage, plan};
use paimon_spec::{
    CommitMessage, CompareOp, DataField, DataFileMeta, Datum, ErrorKind, IndexAnswer, IndexBytes, IndexVerdict,
    Predicate, Schema, Test, evaluate_file_index,
};
use rstest::rstest;

use super::*;
use crate::testing::request;
use crate::{CommitMode, TableWriter, WriteOptions, abort, commit};

/// `id INT, name STRING, n BIGINT, m MAP<STRING, INT>`
fn schema(options: &[(&str, &str)]) -> Schema {
    let map = TypeKind::Map(
        Box::new(DataType { nullable: false, ..DataType::string() }),
        Box::new(DataType::nullable(TypeKind::Int)),
    );
    Schema {
        fields: vec![
            DataField::new(0, "id", DataType::nullable(TypeKind::Int)),
            DataField::new(1, "name", DataType::string()),
            DataField::new(2, "n", DataType::nullable(TypeKind::BigInt)),
            DataField::new(3, "m", DataType::nullable(map)),
        ],
        options: options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        ..Schema::default()
    }
}

/// Rows of these ids; every third name and number is NULL, every map has the id under `k` unless it is a multiple of 5.
fn batch(ids: impl Iterator<Item = i32> + Clone) -> RecordBatch {
    let mut maps = MapBuilder::new(None, StringBuilder::new(), arrow::array::Int32Builder::new());
    for id in ids.clone() {
        maps.keys().append_value("other");
        maps.values().append_value(-1);
        if id % 5 != 0 {
            maps.keys().append_value("k");
            maps.values().append_value(id);
        }
        maps.append(true).unwrap();
    }
    let some = |id: &i32| id % 3 != 0;
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("id", Arc::new(Int32Array::from_iter_values(ids.clone()))),
        ("name", Arc::new(ids.clone().map(|id| some(&id).then(|| format!("n{id}"))).collect::<StringArray>())),
        ("n", Arc::new(ids.map(|id| some(&id).then_some(i64::from(id))).collect::<Int64Array>())),
        ("m", Arc::new(maps.finish())),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

async fn write(table: &TableStore, batches: &[RecordBatch]) -> Vec<CommitMessage> {
    let mut writer = TableWriter::open(table.clone(), WriteOptions::default()).await.unwrap();
    for batch in batches {
        writer.write(batch).await.unwrap();
    }
    writer.prepare_commit().await.unwrap()
}

async fn write_and_commit(table: &TableStore, batches: &[RecordBatch]) -> Vec<DataFileMeta> {
    let messages = write(table, batches).await;
    let _ = commit(table, &request(table, CommitMode::Append).await, &messages).await.unwrap();
    messages.into_iter().flat_map(|message| message.new_files).collect()
}

async fn planned(table: &TableStore, predicate: &Predicate) -> Plan {
    let request = ScanRequest { predicate: Some(predicate.clone()), with_stats: false, ..ScanRequest::default() };
    plan(table, &request).await.unwrap()
}

/// The ids of the rows that pass, sorted.
async fn ids(table: &TableStore, predicate: &Predicate) -> Result<Vec<i32>> {
    rows_of(table, planned(table, predicate).await, predicate).await
}

async fn rows_of(table: &TableStore, plan: Plan, predicate: &Predicate) -> Result<Vec<i32>> {
    let mut ids = Vec::new();
    for split in plan.splits {
        let wanted = ReadRequest { predicate: Some(predicate.clone()), ..ReadRequest::default() };
        let batches: Vec<RecordBatch> = read(table, &split, &wanted).await?.try_collect().await?;
        ids.extend(batches.iter().flat_map(|batch| batch.column(0).as_primitive::<Int32Type>().values().to_vec()));
    }
    ids.sort_unstable();
    Ok(ids)
}

fn equals(field: i32, value: Datum) -> Predicate {
    Predicate::compare(field, CompareOp::Eq, value)
}

const ALL_KINDS: [(&str, &str); 4] = [
    ("file-index.bloom-filter.columns", "id,name"),
    ("file-index.bloom-filter.id.items", "1000"),
    ("file-index.bitmap.columns", "name,n"),
    ("file-index.range-bitmap.columns", "name,n"),
];

#[rstest]
#[tokio::test]
async fn rows_that_indexes_choose_are_those_that_pass(
    #[values("parquet", "avro", "orc")] format: &str,
    #[values("0 b", "1 mb")] threshold: &str,
) {
    let mut options = ALL_KINDS.to_vec();
    options.extend([("file.format", format), ("file-index.in-manifest-threshold", threshold)]);
    options.extend([("file-index.bsi.columns", "n"), ("file-index.bloom-filter.name.items", "1000")]);
    let table = testkit::create_table(schema(&options)).await;
    let batches = [0, 1, 2].map(|start| batch((0..2000).map(move |row| start + 3 * row)));
    for batch in &batches {
        let [file] = write_and_commit(&table, std::slice::from_ref(batch)).await.try_into().unwrap();
        match threshold {
            "0 b" => assert_eq!(
                (&file.extra_files, file.embedded_index.is_some()),
                (&vec![format!("{}.index", file.file_name)], false)
            ),
            _ => assert_eq!((file.extra_files.len(), file.embedded_index.is_some()), (0, true)),
        }
    }
    let all: Vec<i32> = (0..6000).collect();
    let some = |id: &i32| id % 3 != 0;
    let n = |op, value| Predicate::compare(2, op, Datum::BigInt(value));
    let name = |text: &str| Datum::String(text.to_owned());
    type Passes = Box<dyn Fn(&i32) -> bool>;
    let questions: Vec<(Predicate, Passes)> = vec![
        (equals(0, Datum::Int(4711)), Box::new(|id| *id == 4711)),
        (equals(0, Datum::Int(-1)), Box::new(|_| false)),
        (equals(1, name("n100")), Box::new(|id| *id == 100)),
        (
            Predicate::leaf(1, Test::StartsWith("n12".to_owned())),
            Box::new(move |id| some(id) && format!("n{id}").starts_with("n12")),
        ),
        (Predicate::leaf(1, Test::IsNull), Box::new(move |id| !some(id))),
        (
            Predicate::leaf(2, Test::In(vec![Datum::BigInt(7), Datum::BigInt(8), Datum::BigInt(9)])),
            Box::new(|id| *id == 7 || *id == 8),
        ),
        (
            Predicate::and([n(CompareOp::Gt, 100), n(CompareOp::LtEq, 110)]),
            Box::new(move |id| some(id) && *id > 100 && *id <= 110),
        ),
        (n(CompareOp::NotEq, 5).negate().negate(), Box::new(move |id| some(id) && *id != 5)),
        (Predicate::or([n(CompareOp::Eq, 50), equals(0, Datum::Int(51))]), Box::new(|id| *id == 50 || *id == 51)),
    ];
    for (predicate, passes) in questions {
        let wanted: Vec<i32> = all.iter().copied().filter(|id| passes(id)).collect();
        assert_eq!(ids(&table, &predicate).await.unwrap(), wanted, "{predicate:?}");
    }
}

/// A table of `files` files on a distant store: the rows of file f are those whose id is f modulo the number of files.
async fn distant_table(files: i32, options: &[(&str, &str)]) -> (TableStore, Arc<DistantStore>) {
    let context = testkit::context();
    let (storage, store) = testkit::distant_folder(&context);
    let table = testkit::create_table_at(storage, schema(options), context).await;
    let mut messages = Vec::new();
    for file in 0..files {
        messages.extend(write(&table, &[batch((0..20).map(|row| file + row * files))]).await);
    }
    let _ = commit(&table, &request(&table, CommitMode::Append).await, &messages).await.unwrap();
    (table, store)
}

fn opened(requests: &Requests, end: &str) -> usize {
    let mut paths: Vec<&str> =
        requests.calls.iter().map(|call| call.path.as_str()).filter(|path| path.ends_with(end)).collect();
    paths.sort_unstable();
    paths.dedup();
    paths.len()
}

#[tokio::test]
async fn a_point_look_up_opens_only_the_files_that_can_hold_it() {
    let options = [
        ("file-index.bloom-filter.columns", "id"),
        ("file-index.bloom-filter.id.items", "400"),
        ("file-index.bloom-filter.id.fpp", "0.0001"),
    ];
    let (table, store) = distant_table(200, &options).await;
    let predicate = equals(0, Datum::Int(1234));
    let (found, requests) = store.requests_of(ids(&table, &predicate)).await;
    assert_eq!(found.unwrap(), [1234]);
    assert_eq!((opened(&requests, ".index"), opened(&requests, ".parquet")), (200, 1));
    let sizes_asked = requests.calls.iter().filter(|call| call.operation == Operation::Head);
    assert!(sizes_asked.clone().all(|call| call.path.contains("snapshot-")), "{:?}", sizes_asked.collect::<Vec<_>>());
    // All index files of a split at once.
    assert!(requests.rounds < 30, "{}", requests.rounds);

    // The indexes are in the cache now.
    let (found, requests) = store.requests_of(ids(&table, &equals(0, Datum::Int(-7)))).await;
    assert!(found.unwrap().is_empty());
    assert_eq!((opened(&requests, ".index"), opened(&requests, ".parquet")), (0, 0));

    // Not asked about the column, and not asked at all.
    let (_, requests) = store.requests_of(ids(&table, &Predicate::leaf(0, Test::IsNull))).await;
    assert_eq!(opened(&requests, ".index"), 0);
}

#[tokio::test]
async fn embedded_indexes_leave_files_out_of_the_plan() {
    let options = [("file-index.bitmap.columns", "id"), ("file-index.in-manifest-threshold", "10 kb")];
    let (table, store) = distant_table(20, &options).await;
    let predicate = equals(0, Datum::Int(123));
    let found = planned(&table, &predicate).await;
    assert_eq!(found.report.file_index, Stage { before: 20, after: 1 });
    let files: Vec<_> = found.splits.iter().flat_map(|split| &split.files).collect();
    let [file] = files.as_slice() else { panic!("{files:?}") };
    // It chooses one row of twenty, so readers get it too.
    assert!(file.embedded_index.is_some());
    let (found, requests) = store.requests_of(ids(&table, &predicate)).await;
    assert_eq!(found.unwrap(), [123]);
    assert_eq!(opened(&requests, ".parquet"), 1);

    let most = planned(&table, &Predicate::compare(0, CompareOp::NotEq, Datum::Int(123))).await;
    assert_eq!(most.report.file_index, Stage { before: 20, after: 20 });
    assert!(most.splits.iter().flat_map(|split| &split.files).all(|file| file.embedded_index.is_none()));
}

#[rstest]
#[case::embedded("10 kb")]
#[case::beside_the_file("0 b")]
#[tokio::test]
async fn indexes_are_not_read_where_the_table_says_so(#[case] threshold: &str) {
    let options = [("file-index.bitmap.columns", "id"), ("file-index.in-manifest-threshold", threshold)];
    let (table, store) = distant_table(3, &options).await;
    let mut schema = table.schema().as_ref().clone();
    schema.options.insert("file-index.read.enabled".to_owned(), "false".to_owned());
    let table = table.with_schema(Arc::new(schema));
    let (found, requests) = store.requests_of(ids(&table, &equals(0, Datum::Int(28)))).await;
    assert_eq!(found.unwrap(), [28]);
    assert_eq!(opened(&requests, ".index"), 0);
    assert_eq!(planned(&table, &equals(0, Datum::Int(28))).await.report.file_index, Stage { before: 3, after: 3 });
}

#[tokio::test]
async fn index_files_go_with_their_data_files() {
    let table = testkit::create_table(schema(&[("file-index.bitmap.columns", "id")])).await;
    let messages = write(&table, &[batch(0..500)]).await;
    let folder = table.bucket_path(&messages[0].partition, 0).unwrap();
    assert_eq!(table.storage().list(&folder).await.unwrap().len(), 2);
    abort(&table, &messages).await.unwrap();
    assert_eq!(table.storage().list(&folder).await.unwrap().len(), 0);

    // Two files are complete, and a third one is open.
    let mut schema = table.schema().as_ref().clone();
    schema.options.insert("target-file-row-num".to_owned(), "200".to_owned());
    let mut writer = TableWriter::open(
        table.with_schema(Arc::new(schema)),
        WriteOptions { memory_bytes: Some(0), ..WriteOptions::default() },
    )
    .await
    .unwrap();
    writer.write(&batch(0..500)).await.unwrap();
    assert!(table.storage().list(&folder).await.unwrap().iter().any(|file| file.name.ends_with(".index")));
    writer.abort().await.unwrap();
    assert_eq!(table.storage().list(&folder).await.unwrap().len(), 0);
}

#[tokio::test]
async fn parts_of_a_table_have_the_chosen_rows_between_them() {
    let options = [("file-index.bitmap.columns", "id"), ("file-index.in-manifest-threshold", "0 b")];
    let table = testkit::create_table(schema(&options)).await;
    write_and_commit(&table, &[batch(0..100)]).await;
    let wanted = [3, 33, 34, 66, 99];
    let predicate = Predicate::leaf(0, Test::In(wanted.map(Datum::Int).into()));
    let mut found = Vec::new();
    for index in 0..3 {
        let slice = Some(Slice::Shard { index, total: 3 });
        let request = ScanRequest { predicate: Some(predicate.clone()), slice, ..ScanRequest::default() };
        let part = rows_of(&table, plan(&table, &request).await.unwrap(), &predicate).await.unwrap();
        assert!(part.len() < 4, "{part:?}");
        found.extend(part);
    }
    assert_eq!(found, wanted);
}

#[tokio::test]
async fn a_damaged_embedded_index_is_an_error_that_names_its_data_file() {
    let options = [("file-index.bitmap.columns", "id"), ("file-index.in-manifest-threshold", "1 mb")];
    let table = testkit::create_table(schema(&options)).await;
    let mut messages = write(&table, &[batch(0..20)]).await;
    let file = &mut messages[0].new_files[0];
    let index = file.embedded_index.take().unwrap();
    file.embedded_index = Some(index.slice(..index.len() / 2));
    let name = file.file_name.clone();
    let _ = commit(&table, &request(&table, CommitMode::Append).await, &messages).await.unwrap();
    let predicate = Some(equals(0, Datum::Int(3)));
    let error = plan(&table, &ScanRequest { predicate, ..ScanRequest::default() }).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CorruptData);
    assert!(error.to_string().contains(&name), "{error}");
}

#[rstest]
#[case::truncated(|bytes: &mut Vec<u8>| bytes.truncate(60), ErrorKind::CorruptData)]
#[case::of_other_rows(|bytes: &mut Vec<u8>| *bytes = encode_other_rows(), ErrorKind::CorruptData)]
#[case::no_index(|bytes: &mut Vec<u8>| bytes[3] ^= 1, ErrorKind::CorruptData)]
#[tokio::test]
async fn a_damaged_index_file_is_an_error_that_names_it(#[case] damage: fn(&mut Vec<u8>), #[case] kind: ErrorKind) {
    let table = testkit::create_table(schema(&[("file-index.bitmap.columns", "id")])).await;
    let [file] = write_and_commit(&table, &[batch(0..500)]).await.try_into().unwrap();
    let path = format!("bucket-0/{}", file.extra_files[0]);
    let mut bytes = table.storage().read(&path).await.unwrap().to_vec();
    damage(&mut bytes);
    table.storage().put(&path, bytes.into()).await.unwrap();
    let error = ids(&table, &equals(0, Datum::Int(3))).await.unwrap_err();
    assert_eq!(error.kind(), kind);
    assert!(error.context("file").is_some_and(|file| file.ends_with(&path)), "{error}");

    table.storage().delete(&path).await.unwrap();
    // The damaged one is still in the cache of this handle.
    let fresh = table.with_schema(Arc::clone(table.schema()));
    let error = ids(&fresh, &equals(0, Datum::Int(3))).await.unwrap_err();
    assert!(error.context("file").is_some_and(|file| file.ends_with(&path)), "{error}");
}

/// A container of an index of two rows.
fn encode_other_rows() -> Vec<u8> {
    let options = FileIndexOptions::parse(&BTreeMap::from([("file-index.bitmap.columns".to_owned(), "id".to_owned())]));
    let mut builder = IndexBuilder::new(&options.unwrap().indexes[0], &DataType::nullable(TypeKind::Int)).unwrap();
    builder.add(None).unwrap();
    builder.add(Some(IndexValue::Int(1))).unwrap();
    encode_file_index(&[builder.finish().unwrap()]).unwrap()
}

#[tokio::test]
async fn values_of_one_key_of_a_map_are_indexed_under_its_name() {
    let options = [("file-index.bitmap.columns", "m[k],m[absent]"), ("file-index.in-manifest-threshold", "1 mb")];
    let table = testkit::create_table(schema(&options)).await;
    let [file] = write_and_commit(&table, &[batch(1..8)]).await.try_into().unwrap();
    // Asked as if it were the index of a column of another name: that is what tells a name with brackets apart.
    let bytes = file.embedded_index.unwrap().to_vec();
    let renamed = String::from_utf8_lossy(&bytes).contains("m[absent]") && bytes.windows(4).any(|w| w == b"m[k]");
    assert!(renamed);
    let mut as_column = bytes.clone();
    let at = as_column.windows(4).position(|name| name == b"m[k]").unwrap();
    as_column[at..at + 4].copy_from_slice(b"m_k_");
    let mut written = table.schema().as_ref().clone();
    written.fields = vec![DataField::new(0, "m_k_", DataType::nullable(TypeKind::Int))];
    let rows = |predicate: &Predicate| {
        let bytes = IndexBytes::whole(as_column.clone().into());
        match evaluate_file_index(&bytes, predicate, &written, 7).unwrap() {
            IndexAnswer::Verdict(IndexVerdict::Rows(rows)) => rows.positions().collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(rows(&equals(0, Datum::Int(3))), [2]);
    assert_eq!(rows(&Predicate::leaf(0, Test::IsNull)), [4]);
}

#[rstest]
#[case::no_such_column(&[("file-index.bitmap.columns", "x")], ErrorKind::InvalidInput, "column 'x'")]
#[case::unknown_kind(&[("file-index.skiplist.columns", "id")], ErrorKind::Unsupported, "file-index.skiplist.columns")]
#[case::wrong_type(&[("file-index.bsi.columns", "name")], ErrorKind::Unsupported, "file-index.bsi.columns")]
#[case::whole_map(&[("file-index.bitmap.columns", "m")], ErrorKind::Unsupported, "MAP")]
#[case::no_map(&[("file-index.bitmap.columns", "id[k]")], ErrorKind::Unsupported, "id[k]")]
#[case::setting(&[("file-index.bloom-filter.columns", "id"), ("file-index.bloom-filter.id.fpp", "2")], ErrorKind::InvalidInput, "file-index.bloom-filter.id.fpp")]
#[tokio::test]
async fn indexes_that_cannot_be_written_are_refused_before_a_row_is(
    #[case] options: &[(&str, &str)],
    #[case] kind: ErrorKind,
    #[case] named: &str,
) {
    let table = testkit::create_table(schema(options)).await;
    let error = TableWriter::open(table, WriteOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), kind);
    assert!(error.to_string().contains(named), "{error}");
}

/// Values as Paimon's other writers index them, for every Arrow type that a table's column has.
#[rstest]
#[case::seconds(TypeKind::Timestamp(0), Arc::new(arrow::array::TimestampSecondArray::from(vec![-2])), -2000)]
#[case::millis(TypeKind::Timestamp(3), Arc::new(arrow::array::TimestampMillisecondArray::from(vec![-2])), -2)]
#[case::micros(TypeKind::Timestamp(6), Arc::new(arrow::array::TimestampMicrosecondArray::from(vec![-2])), -2)]
#[case::nanos(TypeKind::Timestamp(9), Arc::new(arrow::array::TimestampNanosecondArray::from(vec![-1001])), -2)]
#[case::date(TypeKind::Date, Arc::new(arrow::array::Date32Array::from(vec![-5])), -5)]
#[case::time(TypeKind::Time(3), Arc::new(arrow::array::Time32MillisecondArray::from(vec![5])), 5)]
#[case::byte(TypeKind::TinyInt, Arc::new(arrow::array::Int8Array::from(vec![-128])), -128)]
#[case::short(TypeKind::SmallInt, Arc::new(arrow::array::Int16Array::from(vec![300])), 300)]
#[case::decimal(TypeKind::Decimal { precision: 10, scale: 2 }, Arc::new(arrow::array::Decimal128Array::from(vec![-123]).with_precision_and_scale(10, 2).unwrap()), -123)]
fn values_are_indexed_in_the_units_of_the_format(#[case] kind: TypeKind, #[case] column: ArrayRef, #[case] value: i64) {
    let options = BTreeMap::from([("file-index.bsi.columns".to_owned(), "c".to_owned())]);
    let index = FileIndexOptions::parse(&options).unwrap().indexes.remove(0);
    let bytes = |add: &dyn Fn(&mut IndexBuilder)| {
        let mut builder = IndexBuilder::new(&index, &DataType::nullable(kind.clone())).unwrap();
        add(&mut builder);
        builder.finish().unwrap()
    };
    let from_arrow = bytes(&|builder| add_values(&column, &kind, builder).unwrap());
    assert_eq!(from_arrow, bytes(&|builder| builder.add(Some(IndexValue::Int(value))).unwrap()));
}
