//! Keyed reads of small tables in memory against a model that sorts rows.

use std::{collections::BTreeMap, sync::Arc};

use arrow::{
    array::{ArrayRef, RecordBatch},
    compute::concat,
};
use futures::{TryStreamExt, future::BoxFuture};
use paimon_io::{FileTarget, Spawner, arrow_schema, constant_array, datum_at, testkit};
use paimon_spec::{
    BinaryRow, CompareOp, DataField, DataFileMeta, DataType, DeletionFile, DeletionVector, ErrorKind, Predicate,
    Schema, SchemaChange, TableSchema, Test, TypeKind,
};
use proptest::prelude::*;
use rstest::rstest;
use tempfile::TempDir;

use super::*;
use crate::{many_runs::RUN_ROWS, read};

const STRING: TypeKind = TypeKind::VarChar(DataType::MAX_LENGTH);

/// Values of the table's columns.
pub(crate) type Values = Vec<Option<Datum>>;

/// A row of a file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) values: Values,
    pub(crate) number: i64,
    pub(crate) kind: RowKind,
}

#[derive(Debug)]
struct Tokio;

impl Spawner for Tokio {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        tokio::spawn(task);
    }
}

/// A table with a primary key, and a split of all files written to it so far.
pub(crate) struct Fixture {
    pub(crate) store: TableStore,
    pub(crate) split: DataSplit,
    pub(crate) thin: bool,
    /// Deletion vectors are of version 2.
    pub(crate) bitmap64: bool,
    /// For temporary files.
    folder: TempDir,
}

pub(crate) fn field(name: &str, kind: TypeKind) -> DataField {
    DataField::new(0, name, DataType::nullable(kind))
}

impl Fixture {
    pub(crate) async fn new(schema: Schema, partition: &[Option<Datum>]) -> Self {
        let mut context = testkit::context();
        context.spawner = Some(Arc::new(Tokio));
        let folder = tempfile::tempdir().unwrap();
        context.spill_folder = Some(folder.path().into());
        let storage = paimon_io::Storage::open("memory://testkit/table", &BTreeMap::new(), &context).unwrap();
        Self::of(testkit::create_table_at(storage, schema, context).await, partition, folder)
    }

    fn of(store: TableStore, partition: &[Option<Datum>], folder: TempDir) -> Self {
        let types: Vec<_> = store.schema().partition_fields().into_iter().map(|f| f.data_type).collect();
        let split = DataSplit {
            snapshot_id: 1,
            partition: BinaryRow::from_values(partition, &types).unwrap(),
            bucket: 0,
            bucket_path: "bucket-0".to_owned(),
            total_buckets: Some(1),
            files: Vec::new(),
            deletions: Vec::new(),
            raw_convertible: false,
            rows: Vec::new(),
        };
        Self { store, split, thin: false, bitmap64: false, folder }
    }

    /// Sorts rows by their keys and writes them as a file of the current schema.
    pub(crate) async fn write(&mut self, extension: &str, rows: &[Row]) -> &mut Self {
        let schema = Arc::clone(self.store.schema());
        let keys = KeyComparator::of(&schema);
        let key = |row: &Row| key_of(&schema, row);
        let mut rows = rows.to_vec();
        rows.sort_by_cached_key(|row| keys.ordered(&key(row)).unwrap());
        let fields = schema.key_value_file_fields(self.thin);
        let columns = fields.iter().map(|field| {
            let value = |row: &Row| match field.id {
                SEQUENCE_NUMBER_ID => Some(Datum::BigInt(row.number)),
                VALUE_KIND_ID => Some(Datum::TinyInt(row.kind.code())),
                _ => row.values[schema.fields.iter().position(|f| field.name.ends_with(&f.name)).unwrap()].clone(),
            };
            array(&field.data_type, rows.iter().map(value))
        });
        let batch = RecordBatch::try_new(arrow_schema(&fields).unwrap(), columns.collect()).unwrap();
        let name = format!("data-{}.{extension}", self.split.files.len());
        let bucket_path = self.split.bucket_path.clone();
        let target = FileTarget { bucket_path, file_name: name.clone(), fields, schema: Arc::clone(&schema) };
        let mut writer = self.store.create_file(&target).await.unwrap();
        writer.write(&batch).await.unwrap();
        let written = writer.finish().await.unwrap();
        self.split.files.push(DataFileMeta {
            schema_id: schema.id,
            min_key: key(&rows[0]),
            max_key: key(rows.last().unwrap()),
            min_sequence_number: rows.iter().map(|row| row.number).min().unwrap(),
            max_sequence_number: rows.iter().map(|row| row.number).max().unwrap(),
            delete_row_count: Some(rows.iter().filter(|row| row.kind.is_retract()).count() as i64),
            ..testkit::data_file(&name, written.size as i64, written.rows as i64)
        });
        self.split.deletions.push(None);
        self
    }

    /// Deletes rows of the last file, by their places in it.
    pub(crate) async fn delete(&mut self, positions: &[u64]) -> &mut Self {
        let vector = DeletionVector::from_positions(positions.iter().copied());
        let (bytes, places) = DeletionVector::encode_file(&[&vector], self.bitmap64).unwrap();
        let path = format!("index/index-{}", self.split.files.len());
        let _ = self.store.storage().put_new(&path, bytes.into()).await.unwrap();
        let (offset, length) = (i64::from(places[0].0), i64::from(places[0].1));
        let cardinality = Some(positions.len() as i64);
        *self.split.deletions.last_mut().unwrap() = Some(DeletionFile { path, offset, length, cardinality });
        self
    }

    async fn alter(&mut self, changes: &[SchemaChange]) -> &mut Self {
        let next = self.store.schema().apply(changes, true, 0).unwrap();
        let _ = self.store.commit_schema(&next).await.unwrap();
        self.store = self.store.with_schema(Arc::new(next));
        self
    }

    /// Whoever reads ahead may hold a file a moment longer than the rows are wanted.
    pub(crate) async fn leaves_no_temporary_file(&self) -> bool {
        for _ in 0..1000 {
            if std::fs::read_dir(self.folder.path()).unwrap().next().is_none() {
                return true;
            }
            tokio::task::yield_now().await;
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        false
    }

    pub(crate) fn last_file(&mut self) -> &mut DataFileMeta {
        self.split.files.last_mut().unwrap()
    }

    async fn batches(&self, request: &ReadRequest) -> Result<Vec<RecordBatch>> {
        read(&self.store, &self.split, request).await?.try_collect().await
    }

    pub(crate) async fn rows(&self, request: &ReadRequest) -> Vec<Values> {
        let batches = self.batches(request).await.unwrap();
        assert!(batches.iter().all(|batch| batch.num_rows() > 0), "no batch is empty");
        let schema = self.store.schema();
        let types: Vec<_> = match &request.projection {
            None => schema.fields.iter().map(|field| &field.data_type).collect(),
            Some(ids) => ids.iter().map(|id| &schema.field_by_id(*id).unwrap().data_type).collect(),
        };
        let row = |batch: &RecordBatch, row| {
            batch.columns().iter().zip(&types).map(|(column, t)| datum_at(column, t, row).unwrap()).collect()
        };
        batches.iter().flat_map(|batch| (0..batch.num_rows()).map(move |r| row(batch, r)).collect::<Vec<_>>()).collect()
    }
}

pub(crate) fn key_of(schema: &TableSchema, row: &Row) -> BinaryRow {
    let keys = schema.key_fields();
    let position = |key: &DataField| schema.fields.iter().position(|field| field.id == key.id).unwrap();
    let values: Vec<_> = keys.iter().map(|key| row.values[position(key)].clone()).collect();
    BinaryRow::from_values(&values, &keys.into_iter().map(|key| key.data_type).collect::<Vec<_>>()).unwrap()
}

pub(crate) fn array(data_type: &DataType, values: impl Iterator<Item = Option<Datum>>) -> ArrayRef {
    let values: Vec<_> = values.map(|value| constant_array(value.as_ref(), data_type, 1).unwrap()).collect();
    concat(&values.iter().map(AsRef::as_ref).collect::<Vec<_>>()).unwrap()
}

pub(crate) fn int(value: i32) -> Option<Datum> {
    Some(Datum::Int(value))
}

fn add(key: i32, value: i32, number: i64) -> Row {
    Row { values: vec![int(key), int(value)], number, kind: RowKind::Insert }
}

fn take_back(key: i32, number: i64) -> Row {
    Row { kind: RowKind::Delete, ..add(key, 0, number) }
}

/// `k` INT, the key, and `v` INT.
fn plain_schema(options: &[(&str, &str)]) -> Schema {
    Schema {
        fields: vec![field("k", TypeKind::Int), field("v", TypeKind::Int)],
        primary_keys: vec!["k".to_owned()],
        options: [("bucket", "1")].iter().chain(options).map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        ..Schema::default()
    }
}

fn pairs(rows: &[(i32, i32)]) -> Vec<Values> {
    rows.iter().map(|(key, value)| vec![int(*key), int(*value)]).collect()
}

fn compare(field: FieldId, op: CompareOp, value: i32) -> Predicate {
    Predicate::compare(field, op, Datum::Int(value))
}

fn filtered(predicate: Predicate) -> ReadRequest {
    ReadRequest { predicate: Some(predicate), ..ReadRequest::default() }
}

#[tokio::test]
async fn no_value_predicate_brings_an_old_version_back() {
    let mut table = Fixture::new(plain_schema(&[]), &[]).await;
    table.write("parquet", &[add(1, 100, 1), add(2, 200, 2), add(3, 300, 3), add(9, 100, 4)]).await;
    table.write("parquet", &[add(1, 10, 5), take_back(2, 6), add(4, 400, 7), add(8, 1, 8)]).await;
    assert_eq!(table.rows(&ReadRequest::default()).await, pairs(&[(1, 10), (3, 300), (4, 400), (8, 1), (9, 100)]));
    let above = |value| filtered(compare(1, CompareOp::GtEq, value));
    assert_eq!(table.rows(&above(100)).await, pairs(&[(3, 300), (4, 400), (9, 100)]));
    assert_eq!(table.rows(&above(1000)).await, pairs(&[]));
    let either = Predicate::or([compare(0, CompareOp::Eq, 1), compare(1, CompareOp::Eq, 200)]);
    assert_eq!(table.rows(&filtered(either)).await, pairs(&[(1, 10)]));
    let not = Predicate::Not(Box::new(Predicate::and([compare(0, CompareOp::Lt, 4), compare(1, CompareOp::Lt, 300)])));
    assert_eq!(table.rows(&filtered(not)).await, pairs(&[(3, 300), (4, 400), (8, 1), (9, 100)]));
}

#[tokio::test]
async fn sections_of_one_run_are_not_merged_and_lose_their_deletions() {
    let mut table = Fixture::new(plain_schema(&[]), &[]).await;
    table.write("parquet", &[add(1, 1, 1), take_back(2, 2)]).await;
    table.write("orc", &[add(3, 1, 3), add(5, 1, 4)]).await;
    table.write("avro", &[add(5, 2, 5), add(6, 2, 6)]).await;
    table.write("parquet", &[add(7, 1, 7), take_back(8, 8)]).await.last_file().delete_row_count = None;
    table.write("parquet", &[add(9, 1, 9)]).await;
    let expected = pairs(&[(1, 1), (3, 1), (5, 2), (6, 2), (7, 1), (9, 1)]);
    assert_eq!(table.rows(&ReadRequest::default()).await, expected);
    let ones = pairs(&[(1, 1), (3, 1), (7, 1), (9, 1)]);
    assert_eq!(table.rows(&filtered(compare(1, CompareOp::Eq, 1))).await, ones);
    for limit in 0..8 {
        let request = ReadRequest { limit: Some(limit), batch_rows: Some(1), ..ReadRequest::default() };
        assert_eq!(table.rows(&request).await, expected[..limit.min(6)]);
        let count = ReadRequest { projection: Some(vec![]), ..request };
        assert_eq!(table.batches(&count).await.unwrap().iter().map(RecordBatch::num_rows).sum::<usize>(), limit.min(6));
    }
    // A split that has nothing to merge is read as it stands.
    table.split.raw_convertible = true;
    assert_eq!(table.rows(&ReadRequest::default()).await.len(), 7, "the key that stands twice");
}

#[tokio::test]
async fn equal_sequence_numbers_give_the_same_row_under_every_filter() {
    let mut table = Fixture::new(plain_schema(&[]), &[]).await;
    // Two writers that did not know of each other.
    table.write("parquet", &[add(1, 10, 0), add(2, 10, 1), add(3, 10, 2)]).await;
    table.write("parquet", &[add(2, 20, 1), add(3, 20, 2)]).await.last_file().creation_time_millis = Some(1);
    table.write("parquet", &[take_back(3, 2)]).await.last_file().creation_time_millis = Some(2);
    let all = table.rows(&ReadRequest::default()).await;
    assert_eq!(all, pairs(&[(1, 10), (2, 20), (3, 20)]), "what takes back is older");
    table.split.files.reverse();
    assert_eq!(table.rows(&ReadRequest::default()).await, all);
    for key in 1..=3 {
        let request = filtered(compare(0, CompareOp::Eq, key));
        assert_eq!(table.rows(&request).await, [all[key as usize - 1].clone()]);
    }
}

#[tokio::test]
async fn partition_columns_of_the_key_come_from_the_metadata() {
    let schema = Schema {
        fields: vec![field("p", STRING), field("k", TypeKind::Int), field("v", TypeKind::Int)],
        partition_keys: vec!["p".to_owned()],
        primary_keys: vec!["k".to_owned(), "p".to_owned()],
        options: [("bucket".to_owned(), "1".to_owned())].into(),
        ..Schema::default()
    };
    let text = |text: &str| Some(Datum::String(text.to_owned()));
    let mut table = Fixture::new(schema, &[text("monday")]).await;
    let row = |key, value, number| Row {
        values: vec![text("not asked"), int(key), int(value)],
        number,
        kind: RowKind::Insert,
    };
    table.write("parquet", &[row(1, 1, 1), row(2, 1, 2)]).await.write("parquet", &[row(2, 2, 3), row(3, 2, 4)]).await;
    let expected =
        |rows: &[(i32, i32)]| rows.iter().map(|(k, v)| vec![text("monday"), int(*k), int(*v)]).collect::<Vec<_>>();
    assert_eq!(table.rows(&ReadRequest::default()).await, expected(&[(1, 1), (2, 2), (3, 2)]));
    let day = |day: &str| Predicate::compare(0, CompareOp::Eq, Datum::String(day.to_owned()));
    let old = compare(2, CompareOp::Eq, 1);
    assert_eq!(table.rows(&filtered(day("not asked"))).await, expected(&[]));
    assert_eq!(table.rows(&filtered(Predicate::and([day("monday"), old.clone()]))).await, expected(&[(1, 1)]));
    assert_eq!(table.rows(&filtered(Predicate::or([day("tuesday"), old]))).await, expected(&[(1, 1)]));
    let request = ReadRequest { projection: Some(vec![0]), ..filtered(compare(1, CompareOp::Gt, 1)) };
    assert_eq!(table.rows(&request).await, vec![vec![text("monday")]; 2]);
}

#[tokio::test]
async fn ranges_of_rows_and_damaged_files_are_errors() {
    let mut table = Fixture::new(plain_schema(&[]), &[]).await;
    table.write("parquet", &[add(1, 1, 1), add(2, 1, 2)]).await.write("avro", &[add(1, 2, 3), add(2, 2, 4)]).await;
    table.split.rows = vec![Some(0..1), None];
    assert_eq!(table.batches(&ReadRequest::default()).await.unwrap_err().kind(), ErrorKind::Unsupported);
    table.split.rows = Vec::new();

    let whole = table.store.storage().read("bucket-0/data-1.avro").await.unwrap();
    for at in (0..whole.len()).step_by(whole.len() / 40) {
        let mut bytes = whole.to_vec();
        bytes[at] ^= 0x55;
        table.store.storage().delete("bucket-0/data-1.avro").await.unwrap();
        let _ = table.store.storage().put_new("bucket-0/data-1.avro", bytes.into()).await.unwrap();
        // Avro blocks of ours carry a checksum.
        if let Ok(batches) = table.batches(&ReadRequest::default()).await {
            assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 2, "a byte that says nothing");
        }
    }
    table.store.storage().delete("bucket-0/data-1.avro").await.unwrap();
    let error = table.batches(&ReadRequest::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("data-1.avro"), "{error}");
}

#[tokio::test]
async fn a_file_that_is_not_sorted_is_an_error_that_names_the_bucket() {
    let mut table = Fixture::new(plain_schema(&[]), &[]).await;
    table.write("parquet", &[add(1, 1, 1), add(2, 1, 2)]).await;
    // Sorted by another column: the schema that wrote it had another key.
    let mut other = TableSchema::clone(table.store.schema());
    other.primary_keys = vec!["v".to_owned()];
    let store = table.store.clone();
    table.store = store.with_schema(Arc::new(other));
    table.write("parquet", &[add(2, 1, 3), add(1, 2, 4)]).await;
    table.store = store;
    let error = table.batches(&ReadRequest::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CorruptData);
    assert!(error.to_string().contains("order of their keys") && error.to_string().contains("bucket-0"), "{error}");
}

/// Six runs of three rows, of which each has the key 0.
#[rstest]
#[case::all(ReadRequest::default(), 13)]
#[case::a_key(filtered(compare(0, CompareOp::Eq, 0)), 1)]
#[case::a_value(filtered(compare(1, CompareOp::Eq, 5)), 3)]
#[tokio::test]
async fn runs_that_are_far_away_come_together(#[case] request: ReadRequest, #[case] rows: usize) {
    let context = testkit::context();
    let (storage, requests) = testkit::distant_folder(&context);
    let store = testkit::create_table_at(storage, plain_schema(&[]), context).await;
    let mut table = Fixture::of(store, &[], tempfile::tempdir().unwrap());
    for run in 0..6 {
        let number = i64::from(run) * 10;
        let rows = [add(0, run, number), add(run * 2 + 1, run, number + 1), add(run * 2 + 2, run, number + 2)];
        table.write("parquet", &rows).await;
    }
    let (found, requests) = requests.requests_of(table.rows(&request)).await;
    assert_eq!(found.len(), rows);
    assert_eq!((requests.count(), requests.rounds), (6, 1), "{:?}", requests.calls);
}

#[rstest]
#[case::with_room(None, RUN_ROWS)]
#[case::with_little(Some(8 << 20), 300)]
#[case::with_none(Some(1), 64)]
#[tokio::test]
async fn batches_of_wide_rows_are_short(#[case] memory_bytes: Option<u64>, #[case] most: usize) {
    let mut schema = plain_schema(&[]);
    schema.fields.push(field("wide", STRING));
    let mut table = Fixture::new(schema, &[]).await;
    for file in 0..10 {
        let rows: Vec<_> = (0..200)
            .map(|key| {
                let text = Datum::String(format!("{key}-{file}"));
                Row {
                    values: vec![int(key), int(file), Some(text)],
                    number: i64::from(file * 1000 + key),
                    kind: RowKind::Insert,
                }
            })
            .collect();
        table.write("avro", &rows).await;
        // What the reader goes by: rows of about 1.5 kB.
        let meta = table.last_file();
        meta.row_count = 200;
    }
    let files: Vec<_> = {
        let mut files = Vec::new();
        for position in 0..10 {
            let mut file = split_file(&table.store, &table.split, position).await.unwrap().unwrap();
            file.file.file_size = 200 * 1500 / 4;
            files.push(file);
        }
        files
    };
    let layout = KeyedLayout::new(table.store.schema(), &[0, 1, 2]).unwrap();
    assert!(BatchSize::within(memory_bytes, 10, &layout, files.iter()).rows <= most);
    let request = ReadRequest { memory_bytes, projection: Some(vec![0, 1]), ..ReadRequest::default() };
    assert_eq!(table.rows(&request).await, pairs(&(0..200).map(|key| (key, 9)).collect::<Vec<_>>()));
}

/// What the options of a random table say.
#[derive(Debug, Clone, Copy)]
struct Engine {
    first_row: bool,
    ignore_delete: bool,
    sequenced: bool,
    descending: bool,
}

impl Engine {
    fn options(self) -> Vec<(&'static str, &'static str)> {
        let mut options = Vec::new();
        options.extend(self.first_row.then_some(("merge-engine", "first-row")));
        options.extend((self.ignore_delete || self.first_row).then_some(("ignore-delete", "true")));
        if self.sequenced && !self.first_row {
            options.push(("sequence.field", "s"));
            options.push(("sequence.field.sort-order", if self.descending { "descending" } else { "ascending" }));
        }
        options
    }

    /// The row of a key, whose versions are in the order of their numbers.
    fn merge(self, mut versions: Vec<Row>) -> Option<Row> {
        if self.sequenced && !self.first_row {
            let sequence = |row: &Row| match &row.values[SEQUENCE] {
                Some(Datum::Int(value)) => Some(if self.descending { -*value } else { *value }),
                _ => None,
            };
            versions.sort_by_key(sequence);
        }
        if versions.len() > 1 && (self.ignore_delete || self.first_row) {
            versions.retain(|row| !row.kind.is_retract());
        }
        let chosen = if self.first_row { versions.into_iter().next() } else { versions.pop() };
        chosen.filter(|row| !row.kind.is_retract())
    }
}

/// Positions of the columns of random tables: `a` STRING, `v`, `s` INT, `b` DECIMAL(20, 0), `late` INT. The key is (b, a)
/// or b or a.
const SEQUENCE: usize = 2;

fn any_row() -> impl Strategy<Value = Row> {
    let kinds = prop_oneof![3 => Just(RowKind::Insert), 1 => Just(RowKind::UpdateAfter), 1 => Just(RowKind::Delete), 1 => Just(RowKind::UpdateBefore)];
    ("[ab]", prop::option::of(0..9), prop::option::of(0..3), 0_i128..5, prop::option::of(0..3), kinds).prop_map(
        |(a, v, s, b, late, kind)| Row {
            values: vec![
                Some(Datum::String(a)),
                v.map(Datum::Int),
                s.map(Datum::Int),
                Some(Datum::Decimal { unscaled: b, scale: 0 }),
                late.map(Datum::Int),
            ],
            number: 0,
            kind,
        },
    )
}

fn any_predicate() -> impl Strategy<Value = Predicate> {
    let op = prop::sample::select(vec![CompareOp::Eq, CompareOp::Lt, CompareOp::GtEq, CompareOp::NotEq]);
    let leaf =
        (op, prop::sample::select(vec![0, 1, 2, 3, 4]), 0..5_i32).prop_map(|(op, field, value)| match (field, value) {
            (field, 4) => Predicate::leaf(field, Test::IsNull),
            (0, value) => Predicate::compare(0, op, Datum::String(if value < 2 { "a" } else { "b" }.to_owned())),
            (1, value) => Predicate::compare(1, op, Datum::BigInt(value.into())),
            (3, value) => Predicate::compare(3, op, Datum::Decimal { unscaled: value.into(), scale: 0 }),
            (field, value) => Predicate::compare(field, op, Datum::Int(value)),
        });
    leaf.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..3).prop_map(Predicate::And),
            prop::collection::vec(inner.clone(), 1..3).prop_map(Predicate::Or),
            inner.prop_map(|p| Predicate::Not(Box::new(p))),
        ]
    })
}

fn any_engine() -> impl Strategy<Value = Engine> {
    (prop::bool::weighted(0.2), prop::bool::weighted(0.3), any::<bool>(), any::<bool>()).prop_map(
        |(first_row, ignore_delete, sequenced, descending)| Engine { first_row, ignore_delete, sequenced, descending },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Files of two schemas (`v` INT then BIGINT and renamed, `late` added) in three formats, thin or not, whose sequence
    /// numbers ascend from file to file or not, with deleted rows.
    #[test]
    fn a_keyed_read_gives_the_rows_that_a_naive_one_gives(
        files in prop::collection::vec((prop::collection::vec(any_row(), 1..12), prop::collection::btree_set(0_u64..12, 0..3)), 1..7),
        engine in any_engine(), keys in prop::sample::select(vec![vec!["b", "a"], vec!["b"], vec!["a"]]),
        formats in prop::collection::vec(prop::sample::select(vec!["parquet", "orc", "avro"]), 7), thin in any::<bool>(),
        numbers_apart in any::<bool>(), changed_at in 0usize..7, predicate in prop::option::of(any_predicate()),
        projection in prop::sample::subsequence(vec![4, 1, 0, 3, 2], 0..=5), limit in prop::option::of(0usize..6), batch_rows in 1usize..9,
        memory_bytes in prop::option::of(1_u64..100),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        runtime.block_on(async {
            let schema = Schema {
                fields: vec![
                    field("a", STRING), field("v", TypeKind::Int), field("s", TypeKind::Int),
                    field("b", TypeKind::Decimal { precision: 20, scale: 0 }),
                ],
                primary_keys: keys.iter().map(|&key| key.to_owned()).collect(),
                ..plain_schema(&engine.options())
            };
            let mut table = Fixture::new(schema, &[]).await;
            table.thin = thin;
            let mut versions: BTreeMap<_, Vec<Row>> = BTreeMap::new();
            let order = KeyComparator::of(table.store.schema());
            let mut file_count = 0;
            for (number, (rows, deleted)) in files.iter().enumerate() {
                if number == changed_at {
                    table.alter(&[
                        SchemaChange::UpdateColumnType { path: vec!["v".into()], data_type: DataType::nullable(TypeKind::BigInt), keep_nullability: false },
                        SchemaChange::RenameColumn { path: vec!["v".into()], new_name: "w".into() },
                        SchemaChange::AddColumn { path: vec!["late".into()], data_type: DataType::nullable(TypeKind::Int), description: None, position: None },
                    ]).await;
                }
                let changed = number >= changed_at;
                // A key stands once in a file.
                let mut of_key: BTreeMap<_, Row> = BTreeMap::new();
                for (place, row) in rows.iter().enumerate() {
                    let mut row = row.clone();
                    // Interleaved or one after the other; never equal.
                    row.number = (if numbers_apart { number * 100 + place } else { place * 100 + number }) as i64;
                    if changed {
                        row.values[1] = row.values[1].take().map(|v| match v { Datum::Int(v) => Datum::BigInt(v.into()), v => v });
                    }
                    of_key.insert(order.ordered(&key_of(table.store.schema(), &row)).unwrap(), row);
                }
                let kept = deleted.iter().copied().filter(|place| (*place as usize) < of_key.len()).collect::<Vec<_>>();
                let written: Vec<Row> = of_key.values().cloned().collect();
                table.write(formats[number], &written).await;
                file_count += 1;
                if !kept.is_empty() {
                    table.delete(&kept).await;
                }
                for (place, (key, mut row)) in of_key.into_iter().enumerate() {
                    if kept.contains(&(place as u64)) {
                        continue;
                    }
                    if !changed {
                        row.values[1] = row.values[1].take().map(|v| match v { Datum::Int(v) => Datum::BigInt(v.into()), v => v });
                        row.values[4] = None;
                    }
                    versions.entry(key).or_default().push(row);
                }
            }
            if changed_at >= file_count {
                table.alter(&[
                    SchemaChange::UpdateColumnType { path: vec!["v".into()], data_type: DataType::nullable(TypeKind::BigInt), keep_nullability: false },
                    SchemaChange::AddColumn { path: vec!["late".into()], data_type: DataType::nullable(TypeKind::Int), description: None, position: None },
                ]).await;
            }
            let model: Vec<Values> = versions.into_values()
                .filter_map(|mut rows| {
                    rows.sort_by_key(|row| row.number);
                    engine.merge(rows)
                })
                .filter(|row| predicate.as_ref().is_none_or(|p| p.evaluate(&|id| row.values[id as usize].clone()) == Some(true)))
                .take(limit.unwrap_or(usize::MAX))
                .map(|row| projection.iter().map(|id| row.values[*id as usize].clone()).collect())
                .collect();
            let request = ReadRequest { projection: Some(projection.clone()), predicate, limit, batch_rows: Some(batch_rows), memory_bytes };
            assert_eq!(table.rows(&request).await, model);
            table.split.files.reverse();
            table.split.deletions.reverse();
            assert_eq!(table.rows(&request).await, model, "whatever the order of files");
            assert!(table.leaves_no_temporary_file().await);
        });
    }
}

#[rstest]
#[case::the_newest_row_decides(&[], true)]
#[case::sequence_fields_may_make_an_older_file_the_newest(&[("sequence.field", "v")], false)]
#[case::deletes_that_are_ignored_show_the_row_before(&[("ignore-delete", "true")], false)]
#[case::all_rows_count(&[("merge-engine", "partial-update"), ("ignore-delete", "true")], false)]
#[tokio::test]
async fn a_look_up_on_local_files_stops_at_the_newest_that_has_the_key(
    #[case] options: &[(&str, &str)],
    #[case] stops: bool,
) {
    let folder = tempfile::tempdir().unwrap();
    let context = testkit::context();
    let storage = paimon_io::Storage::open(folder.path().to_str().unwrap(), &BTreeMap::new(), &context).unwrap();
    let store = testkit::create_table_at(storage, plain_schema(options), context).await;
    let mut table = Fixture::of(store, &[], folder);
    table.write("parquet", &[add(1, 1, 0), add(2, 2, 1), add(3, 3, 2), add(4, 4, 3)]).await;
    table.write("parquet", &[add(1, 11, 4), add(2, 12, 5), add(4, 14, 6)]).await;
    table.write("parquet", &[add(1, 21, 7), take_back(4, 8)]).await;
    let look_up = |key| filtered(compare(0, CompareOp::Eq, key));
    let all = table.rows(&ReadRequest::default()).await;
    for key in 0..5 {
        let expected: Vec<_> = all.iter().filter(|row| row[0] == int(key)).cloned().collect();
        assert_eq!(table.rows(&look_up(key)).await, expected, "key {key}");
    }
    table.store.storage().delete("bucket-0/data-0.parquet").await.unwrap();
    for key in [1, 2, 4] {
        let found = table.batches(&look_up(key)).await.map(|batches| batches.len());
        let expected = usize::from(key != 4);
        assert!(if stops { found.as_ref().ok() == Some(&expected) } else { found.is_err() }, "key {key}: {found:?}");
    }
    assert_eq!(table.batches(&look_up(3)).await.unwrap_err().kind(), ErrorKind::NotFound);
}
