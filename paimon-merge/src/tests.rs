//! Reading splits of small tables in memory.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray, StructArray},
    compute::concat_batches,
    datatypes::DataType as ArrowType,
    util::display::array_value_to_string,
};
use futures::TryStreamExt;
use paimon_io::{
    FileTarget, TableStore, arrow_schema, datum_at,
    testkit::{self, DistantStore, create_table},
};
use paimon_spec::{
    BinaryRow, CompareOp, DataField, DataFileMeta, DataSplit, DataType, Datum, DeletionFile, DeletionVector, ErrorKind,
    FieldId, Leaf, Predicate, Result, Schema, SchemaChange, TableSchema, Test, TypeKind,
};
use proptest::prelude::*;
use rstest::rstest;

use super::{ReadRequest, read};

mod groups;
mod toy_blobs;

fn nullable(kind: TypeKind) -> DataType {
    DataType::nullable(kind)
}

fn field(name: &str, kind: TypeKind) -> DataField {
    DataField::new(0, name, nullable(kind))
}

const STRING: TypeKind = TypeKind::VarChar(DataType::MAX_LENGTH);

/// A table, and a split of all files written to it so far.
struct Fixture {
    store: TableStore,
    split: DataSplit,
}

impl Fixture {
    async fn new(fields: Vec<DataField>) -> Self {
        Self::with(Schema { fields, ..Schema::default() }, &[]).await
    }

    async fn with(schema: Schema, partition: &[Option<Datum>]) -> Self {
        Self::of(create_table(schema).await, partition)
    }

    /// On a store whose requests are counted.
    async fn distant(fields: Vec<DataField>) -> (Self, Arc<DistantStore>) {
        let context = testkit::context();
        let (storage, requests) = testkit::distant_folder(&context);
        let store = testkit::create_table_at(storage, Schema { fields, ..Schema::default() }, context).await;
        (Self::of(store, &[]), requests)
    }

    fn of(store: TableStore, partition: &[Option<Datum>]) -> Self {
        let types: Vec<_> = store.schema().partition_fields().into_iter().map(|f| f.data_type).collect();
        let split = DataSplit {
            snapshot_id: 1,
            partition: BinaryRow::from_values(partition, &types).unwrap(),
            bucket: 0,
            bucket_path: "bucket-0".to_owned(),
            total_buckets: None,
            files: Vec::new(),
            deletions: Vec::new(),
            raw_convertible: true,
            rows: Vec::new(),
        };
        Self { store, split }
    }

    /// Writes a file of the current schema.
    async fn write(&mut self, extension: &str, columns: Vec<ArrayRef>) -> &mut Self {
        let schema = Arc::clone(self.store.schema());
        let batch = RecordBatch::try_new(arrow_schema(&schema.fields).unwrap(), columns).unwrap();
        let name = format!("data-{}.{extension}", self.split.files.len());
        let target = FileTarget {
            bucket_path: self.split.bucket_path.clone(),
            file_name: name.clone(),
            fields: schema.fields.clone(),
            schema: Arc::clone(&schema),
        };
        let mut writer = self.store.create_file(&target).await.unwrap();
        writer.write(&batch).await.unwrap();
        let written = writer.finish().await.unwrap();
        self.split.files.push(DataFileMeta {
            schema_id: schema.id,
            ..testkit::data_file(&name, written.size as i64, written.rows as i64)
        });
        self.split.deletions.push(None);
        self
    }

    /// Deletes rows of the last file.
    async fn delete(&mut self, positions: &[u64], with_cardinality: bool) -> &mut Self {
        let vector = DeletionVector::from_positions(positions.iter().copied());
        let (bytes, places) = DeletionVector::encode_file(&[&vector], false).unwrap();
        let path = format!("index/index-{}", self.split.files.len());
        let _ = self.store.storage().put_new(&path, bytes.into()).await.unwrap();
        *self.split.deletions.last_mut().unwrap() = Some(DeletionFile {
            path,
            offset: i64::from(places[0].0),
            length: i64::from(places[0].1),
            cardinality: with_cardinality.then_some(positions.len() as i64),
        });
        self
    }

    async fn alter(&mut self, changes: &[SchemaChange]) -> &mut Self {
        let next = self.store.schema().apply(changes, true, 0).unwrap();
        let _ = self.store.commit_schema(&next).await.unwrap();
        self.store = self.store.with_schema(Arc::new(next));
        self
    }

    async fn batches(&self, request: &ReadRequest) -> Result<Vec<RecordBatch>> {
        read(&self.store, &self.split, request).await?.try_collect().await
    }

    /// Rows as text, one line each.
    async fn rows(&self, request: &ReadRequest) -> Vec<String> {
        let batches = self.batches(request).await.unwrap();
        assert!(batches.iter().all(|batch| batch.num_rows() > 0), "no batch is empty");
        batches.iter().flat_map(show).collect()
    }
}

fn show(batch: &RecordBatch) -> Vec<String> {
    let value = |column: &ArrayRef, row: usize| {
        if column.is_null(row) { "NULL".to_owned() } else { array_value_to_string(column, row).unwrap() }
    };
    let line = |row| batch.columns().iter().map(|column| value(column, row)).collect::<Vec<_>>().join(" | ");
    (0..batch.num_rows()).map(line).collect()
}

fn ints(values: impl IntoIterator<Item = i32>) -> ArrayRef {
    Arc::new(Int32Array::from_iter_values(values))
}

fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn all() -> ReadRequest {
    ReadRequest::default()
}

fn test(field: FieldId, test: Test) -> Predicate {
    Predicate::Leaf(Leaf { field, test })
}

fn rename(from: &str, to: &str) -> SchemaChange {
    SchemaChange::RenameColumn { path: vec![from.to_owned()], new_name: to.to_owned() }
}

fn retype(path: &[&str], kind: TypeKind) -> SchemaChange {
    SchemaChange::UpdateColumnType {
        path: path.iter().map(|p| (*p).to_owned()).collect(),
        data_type: nullable(kind),
        keep_nullability: false,
    }
}

fn add(path: &[&str], kind: TypeKind) -> SchemaChange {
    SchemaChange::AddColumn {
        path: path.iter().map(|p| (*p).to_owned()).collect(),
        data_type: nullable(kind),
        description: None,
        position: None,
    }
}

fn remove(name: &str) -> SchemaChange {
    SchemaChange::DropColumn { path: vec![name.to_owned()] }
}

#[tokio::test]
async fn old_files_are_read_by_field_id_in_the_current_types() {
    let mut table = Fixture::new(vec![field("a", TypeKind::Int), field("b", STRING)]).await;
    table.write("parquet", vec![ints([1]), texts(&["x"])]).await;
    table.alter(&[retype(&["a"], TypeKind::BigInt), rename("b", "bb"), add(&["c"], TypeKind::BigInt)]).await;
    table
        .write("avro", vec![Arc::new(Int64Array::from(vec![2])), texts(&["y"]), Arc::new(Int64Array::from(vec![20]))])
        .await;
    table.alter(&[remove("c")]).await;
    table.alter(&[add(&["c"], STRING)]).await;
    table.write("parquet", vec![Arc::new(Int64Array::from(vec![3])), texts(&["z"]), texts(&["new c"])]).await;

    assert_eq!(table.rows(&all()).await, ["1 | x | NULL", "2 | y | NULL", "3 | z | new c"]);
    assert_eq!(table.store.schema().fields.iter().map(|f| f.id).collect::<Vec<_>>(), [0, 1, 3]);
    let request = ReadRequest { projection: Some(vec![3, 0]), ..all() };
    assert_eq!(table.rows(&request).await, ["NULL | 1", "NULL | 2", "new c | 3"]);
    // A test of a column that a file lacks is a test of NULL.
    let request = ReadRequest { predicate: Some(test(3, Test::IsNull)), projection: Some(vec![0]), ..all() };
    assert_eq!(table.rows(&request).await, ["1", "2"]);
    let request = ReadRequest { predicate: Some(test(0, Test::Compare(CompareOp::LtEq, Datum::BigInt(2)))), ..all() };
    assert_eq!(table.rows(&request).await, ["1 | x | NULL", "2 | y | NULL"]);
}

#[tokio::test]
async fn nested_fields_are_matched_by_id_too() {
    let inner = |fields: Vec<DataField>| TypeKind::Row(fields);
    let row = inner(vec![field("x", TypeKind::Int), field("y", STRING)]);
    let list = TypeKind::Array(Box::new(nullable(inner(vec![field("p", TypeKind::Int)]))));
    let mut table = Fixture::new(vec![field("r", row), field("l", list)]).await;
    let columns = |schema: &TableSchema| {
        let arrow = arrow_schema(&schema.fields).unwrap();
        let ArrowType::Struct(fields) = arrow.field(0).data_type() else { panic!() };
        let r =
            StructArray::new(fields.clone(), vec![ints([1, 2]), texts(&["a", "b"])], Some(vec![true, false].into()));
        let ArrowType::List(item) = arrow.field(1).data_type() else { panic!() };
        let ArrowType::Struct(fields) = item.data_type() else { panic!() };
        let values = StructArray::new(fields.clone(), vec![ints([7, 8])], None);
        let offsets = arrow::buffer::OffsetBuffer::from_lengths([2, 0]);
        let l = arrow::array::ListArray::new(Arc::clone(item), offsets, Arc::new(values), None);
        vec![Arc::new(r) as ArrayRef, Arc::new(l)]
    };
    let written = columns(table.store.schema());
    table.write("parquet", written.clone()).await;
    table.write("avro", written).await;
    table
        .alter(&[
            SchemaChange::RenameColumn { path: vec!["r".into(), "x".into()], new_name: "xx".into() },
            retype(&["r", "xx"], TypeKind::BigInt),
            SchemaChange::DropColumn { path: vec!["r".into(), "y".into()] },
            add(&["r", "y"], TypeKind::Double),
            add(&["l", "element", "q"], STRING),
            retype(&["l", "element", "p"], STRING),
        ])
        .await;
    let expected = ["{xx: 1, y: } | [{p: 7, q: }, {p: 8, q: }]", "NULL | []"];
    assert_eq!(table.rows(&all()).await, [expected, expected].concat());
}

#[tokio::test]
async fn partition_columns_come_from_the_metadata() {
    let schema = Schema {
        fields: vec![field("dt", STRING), field("v", TypeKind::Int)],
        partition_keys: vec!["dt".to_owned()],
        ..Schema::default()
    };
    let mut table = Fixture::with(schema, &[Some(Datum::String("monday".to_owned()))]).await;
    table.write("parquet", vec![texts(&["what the file says", "is not asked"]), ints([1, 2])]).await;
    assert_eq!(table.rows(&all()).await, ["monday | 1", "monday | 2"]);
    let day = |day: &str| test(0, Test::Compare(CompareOp::Eq, Datum::String(day.to_owned())));
    let request = ReadRequest { predicate: Some(day("monday")), limit: Some(1), ..all() };
    assert_eq!(table.rows(&request).await, ["monday | 1"]);
    let request = ReadRequest { predicate: Some(day("is not asked")), ..all() };
    assert!(table.rows(&request).await.is_empty());
    let either = Predicate::Or(vec![day("tuesday"), test(1, Test::Compare(CompareOp::Gt, Datum::Int(1)))]);
    let request = ReadRequest { predicate: Some(either), projection: Some(vec![0]), ..all() };
    assert_eq!(table.rows(&request).await, ["monday"]);
    let request = ReadRequest { projection: Some(vec![]), ..all() };
    let batches = table.batches(&request).await.unwrap();
    assert_eq!(batches.iter().map(|b| (b.num_columns(), b.num_rows())).collect::<Vec<_>>(), [(0, 2)]);

    table.split.partition = BinaryRow::from_values(&[None], &[nullable(STRING)]).unwrap();
    assert_eq!(table.rows(&all()).await, ["NULL | 1", "NULL | 2"]);
    let request = ReadRequest { predicate: Some(test(0, Test::IsNull)), ..all() };
    assert_eq!(table.rows(&request).await.len(), 2);
    let request = ReadRequest { predicate: Some(Predicate::Not(Box::new(day("monday")))), ..all() };
    assert!(table.rows(&request).await.is_empty(), "NULL is not unequal");
}

#[rstest]
#[case::known(true)]
#[case::unknown(false)]
#[tokio::test]
async fn limits_count_rows_that_are_not_deleted(#[case] with_cardinality: bool) {
    let mut table = Fixture::new(vec![field("v", TypeKind::Int)]).await;
    table.write("parquet", vec![ints(0..10)]).await.delete(&[0, 1, 2, 3, 9], with_cardinality).await;
    table.write("avro", vec![ints(10..20)]).await.delete(&[0, 5], with_cardinality).await;
    table.write("parquet", vec![ints(20..30)]).await;
    let live = [4, 5, 6, 7, 8, 11, 12, 13, 14, 16, 17, 18, 19].into_iter().chain(20..30).map(|v| v.to_string());
    let live: Vec<String> = live.collect();
    for limit in [0, 1, 5, 6, 13, 14, 100] {
        let request = ReadRequest { limit: Some(limit), batch_rows: Some(4), ..all() };
        assert_eq!(table.rows(&request).await, live[..limit.min(live.len())], "{limit}");
        let above = test(0, Test::Compare(CompareOp::Gt, Datum::Int(6)));
        let request = ReadRequest { predicate: Some(above), ..request };
        assert_eq!(table.rows(&request).await, live[3..(limit + 3).min(live.len())], "{limit}");
        let request = ReadRequest { projection: Some(vec![]), predicate: None, ..request };
        let counted: usize = table.batches(&request).await.unwrap().iter().map(RecordBatch::num_rows).sum();
        assert_eq!(counted, limit.min(live.len()));
    }
}

#[tokio::test]
async fn files_after_the_limit_are_not_opened() {
    let mut table = Fixture::new(vec![field("v", TypeKind::Int)]).await;
    table.write("parquet", vec![ints(0..10)]).await.write("parquet", vec![ints(10..20)]).await;
    table.store.storage().delete("bucket-0/data-1.parquet").await.unwrap();
    let request = ReadRequest { limit: Some(10), ..all() };
    assert_eq!(table.rows(&request).await.len(), 10);
    let error = table.batches(&all()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("data-1.parquet"), "{error}");
}

/// 20 files of 3 rows, whose column counts on from file to file.
#[rstest]
#[case::all(all(), 20, 20, 2)]
#[case::a_limit(ReadRequest { limit: Some(4), ..all() }, 2, 2, 2)]
#[case::a_limit_of_none(ReadRequest { limit: Some(0), ..all() }, 0, 0, 0)]
#[case::a_filter(ReadRequest { predicate: Some(test(0, Test::Compare(CompareOp::Lt, Datum::Int(6)))), ..all() }, 20, 20, 2)]
#[case::a_filter_and_a_limit(
    ReadRequest { predicate: Some(test(0, Test::Compare(CompareOp::Lt, Datum::Int(6)))), limit: Some(2), ..all() }, 1, 2, 2
)]
#[tokio::test]
async fn small_files_that_are_far_away_take_one_request_each_and_come_together(
    #[case] request: ReadRequest,
    #[case] least: usize,
    #[case] most: usize,
    #[case] rounds: usize,
) {
    let (mut table, store) = Fixture::distant(vec![field("n", TypeKind::Int)]).await;
    for file in 0..20 {
        table.write("parquet", vec![ints(file * 3..file * 3 + 3)]).await;
    }
    let (rows, requests) = store.requests_of(table.rows(&request)).await;
    let predicate = request.predicate.is_some();
    let wanted = (0..if predicate { 6 } else { 60 }).take(request.limit.unwrap_or(usize::MAX));
    assert_eq!(rows, wanted.map(|n| n.to_string()).collect::<Vec<_>>());
    assert!((least..=most).contains(&requests.count()), "{:?}", requests.calls);
    assert!(requests.rounds <= rounds, "{} rounds: {:?}", requests.rounds, requests.calls);
    assert_eq!(requests.heads(), 0, "sizes are known: {:?}", requests.calls);
}

#[tokio::test]
async fn values_that_no_longer_fit_follow_javas_casts() {
    let decimal = |precision, scale| TypeKind::Decimal { precision, scale };
    let mut table = Fixture::new(vec![field("i", TypeKind::Int), field("s", STRING)]).await;
    table.write("parquet", vec![ints([300, -1]), texts(&["1.45", "-7"])]).await;
    table.alter(&[retype(&["i"], TypeKind::TinyInt), retype(&["s"], decimal(2, 1))]).await;
    assert_eq!(table.rows(&all()).await, ["44 | 1.5", "-1 | -7.0"]);
    table.alter(&[retype(&["s"], TypeKind::Int)]).await;
    assert_eq!(table.rows(&all()).await, ["44 | 1", "-1 | -7"]);
    table.alter(&[retype(&["s"], STRING)]).await;
    table.write("parquet", vec![Arc::new(arrow::array::Int8Array::from(vec![1])), texts(&["seven"])]).await;
    table.alter(&[retype(&["s"], TypeKind::Int)]).await;
    assert_eq!(table.rows(&ReadRequest { limit: Some(2), ..all() }).await, ["44 | 1", "-1 | -7"]);
    let error = table.batches(&all()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("'seven'") && error.to_string().contains("column: s"), "{error}");
}

#[rstest]
#[case::kind(TypeKind::Int, &[("type", "object-table")], "object-table")]
#[case::blobs_alone(TypeKind::Blob, &[("row-tracking.enabled", "true")], "without data evolution")]
#[tokio::test]
async fn tables_of_other_kinds_are_refused_by_name(
    #[case] column: TypeKind,
    #[case] options: &[(&str, &str)],
    #[case] named: &str,
) {
    let table = Fixture::new(vec![field("v", TypeKind::Int)]).await;
    let mut schema = TableSchema::clone(table.store.schema());
    schema.fields[0].data_type = nullable(column);
    schema.options = options.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<BTreeMap<_, _>>();
    let store = table.store.with_schema(Arc::new(schema));
    let Err(error) = read(&store, &table.split, &all()).await else { panic!("rows of {named}") };
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains(named) && error.to_string().contains("not supported yet"), "{error}");
}

#[tokio::test]
async fn unknown_columns_are_invalid() {
    let mut table = Fixture::new(vec![field("v", TypeKind::Int)]).await;
    table.write("parquet", vec![ints(0..3)]).await;
    for request in [
        ReadRequest { projection: Some(vec![9]), ..all() },
        ReadRequest { predicate: Some(test(9, Test::IsNull)), ..all() },
    ] {
        assert_eq!(table.batches(&request).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    }
}

#[test]
fn reads_can_be_spawned() {
    fn spawnable<T: Send + 'static>(_: impl Future<Output = T> + Send + 'static) {}
    let _ = |table: Fixture, request: ReadRequest| {
        spawnable(async move { read(&table.store, &table.split, &request).await.map(drop) });
    };
}

fn any_predicate() -> impl Strategy<Value = Predicate> {
    use CompareOp::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
    let op = || prop::sample::select(vec![Eq, NotEq, Lt, LtEq, Gt, GtEq]);
    let leaf = prop_oneof![
        (op(), -3i64..13).prop_map(|(op, v)| test(1, Test::Compare(op, Datum::BigInt(v)))),
        prop::collection::vec(-3i64..13, 0..3)
            .prop_map(|v| test(1, Test::In(v.into_iter().map(Datum::BigInt).collect()))),
        (op(), 0i32..2).prop_map(|(op, v)| test(0, Test::Compare(op, Datum::Int(v)))),
        prop::sample::select(vec![Test::IsNull, Test::IsNotNull])
            .prop_flat_map(|t| (0..4).prop_map(move |id| test(id, t.clone()))),
        (op(), "[0-9a]{0,2}").prop_map(|(op, v)| test(2, Test::Compare(op, Datum::String(v)))),
        "[0-9]".prop_map(|v| test(2, Test::StartsWith(v))),
        (op(), 0i32..4).prop_map(|(op, v)| test(3, Test::Compare(op, Datum::Int(v)))),
    ];
    leaf.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..3).prop_map(Predicate::And),
            prop::collection::vec(inner.clone(), 1..3).prop_map(Predicate::Or),
            inner.prop_map(|p| Predicate::Not(Box::new(p))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    /// Files of two schemas (`v` INT then BIGINT, `s` INT then STRING, `late` added), deleted rows, a partition column:
    /// the same rows as evaluating the predicate on each row.
    #[test]
    fn a_read_gives_the_rows_that_a_naive_one_gives(
        old in prop::collection::vec((prop::option::of(-2i32..12), prop::option::of(0i32..100)), 1..40),
        new in prop::collection::vec((prop::option::of(-2i64..12), prop::option::of("[0-9a]{0,2}"), prop::option::of(0i32..4)), 1..40),
        deleted in prop::collection::btree_set(0u64..40, 0..20), formats in prop::array::uniform2(prop::sample::select(vec!["parquet", "avro", "orc"])),
        cuts in prop::array::uniform2(prop::option::of((0u64..40, 1u64..40))),
        partition in prop::option::of(0i32..2), predicate in prop::option::of(any_predicate()),
        projection in prop::sample::subsequence(vec![3, 1, 0, 2], 0..=4), limit in prop::option::of(0usize..30), batch_rows in 1usize..20,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let schema = Schema {
                fields: vec![field("p", TypeKind::Int), field("v", TypeKind::Int), field("s", TypeKind::Int)],
                partition_keys: vec!["p".to_owned()],
                ..Schema::default()
            };
            let mut table = Fixture::with(schema, &[partition.map(Datum::Int)]).await;
            let in_file: ArrayRef = Arc::new(Int32Array::from(vec![77; old.len()]));
            table.write(formats[0], vec![
                in_file,
                Arc::new(old.iter().map(|r| r.0).collect::<Int32Array>()),
                Arc::new(old.iter().map(|r| r.1).collect::<Int32Array>()),
            ]).await;
            let deleted: Vec<u64> = deleted.into_iter().filter(|d| *d < old.len() as u64).collect();
            if !deleted.is_empty() {
                table.delete(&deleted, deleted.len().is_multiple_of(2)).await;
            }
            table.alter(&[retype(&["v"], TypeKind::BigInt), retype(&["s"], STRING), add(&["late"], TypeKind::Int)]).await;
            table.write(formats[1], vec![
                Arc::new(Int32Array::from(vec![78; new.len()])),
                Arc::new(new.iter().map(|r| r.0).collect::<Int64Array>()),
                Arc::new(new.iter().map(|r| r.1.clone()).collect::<StringArray>()),
                Arc::new(new.iter().map(|r| r.2).collect::<Int32Array>()),
            ]).await;

            // Rows from the first number on, at most as many as the second says, and at least one.
            let cuts: Vec<Option<Range<u64>>> = cuts.into_iter().zip([old.len() as u64, new.len() as u64])
                .map(|(cut, rows)| cut.map(|(start, len)| start.min(rows - 1)..(start.min(rows - 1) + len).min(rows)))
                .collect();
            let wanted = |file: usize, i: usize| cuts[file].as_ref().is_none_or(|rows| rows.contains(&(i as u64)));
            table.split.rows = cuts.clone();

            let p = partition.map(Datum::Int);
            let model: Vec<Vec<Option<Datum>>> = old.iter().enumerate()
                .filter(|(i, _)| wanted(0, *i) && !deleted.contains(&(*i as u64)))
                .map(|(_, (v, s))| vec![p.clone(), v.map(|v| Datum::BigInt(v.into())), s.map(|s| Datum::String(s.to_string())), None])
                .chain(new.iter().enumerate().filter(|(i, _)| wanted(1, *i)).map(|(_, (v, s, l))| vec![p.clone(), v.map(Datum::BigInt), s.clone().map(Datum::String), l.map(Datum::Int)]))
                .filter(|row| predicate.as_ref().is_none_or(|p| p.evaluate(&|id| row[id as usize].clone()) == Some(true)))
                .take(limit.unwrap_or(usize::MAX))
                .map(|row| projection.iter().map(|id| row[*id as usize].clone()).collect())
                .collect();

            let request = ReadRequest { projection: Some(projection.clone()), predicate, limit, batch_rows: Some(batch_rows), memory_bytes: None };
            let batches = table.batches(&request).await.unwrap();
            let types: Vec<DataType> = projection.iter().map(|id| table.store.schema().fields[*id as usize].data_type.clone()).collect();
            let found: Vec<Vec<Option<Datum>>> = batches.iter()
                .flat_map(|batch| (0..batch.num_rows()).map(|row| {
                    batch.columns().iter().zip(&types).map(|(c, t)| datum_at(c, t, row).unwrap()).collect()
                }).collect::<Vec<_>>())
                .collect();
            assert!(batches.iter().all(|b| (1..=batch_rows).contains(&b.num_rows())));
            assert_eq!(found, model);
            if let Some(first) = batches.first() {
                concat_batches(&first.schema(), &batches).unwrap();
            }
        });
    }
}
