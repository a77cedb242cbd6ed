//! Row groups: columns of several files, BLOB columns, row ids and sequence numbers.

use std::sync::atomic::Ordering;

use paimon_spec::{FileSource, ROW_ID, ROW_ID_ID, SEQUENCE_NUMBER, SEQUENCE_NUMBER_ID, row_groups};

use super::{
    toy_blobs::{Toy, ToyBlobs, toy_file},
    *,
};

const P: FieldId = 0;
const A: FieldId = 1;
const S: FieldId = 2;
const BLOB: FieldId = 3;
const LATE: FieldId = 4;

fn columns() -> Vec<DataField> {
    vec![field("p", TypeKind::Int), field("a", TypeKind::Int), field("s", STRING), field("b", TypeKind::Blob)]
}

/// A table with column groups: `p` (partition), `a` INT, `s` STRING, `b` BLOB.
struct Groups {
    table: Fixture,
    blobs: Arc<ToyBlobs>,
}

impl Groups {
    async fn new() -> Self {
        Self::of(vec![
            field("p", TypeKind::Int),
            field("a", TypeKind::Int),
            field("s", STRING),
            field("b", TypeKind::Blob),
        ])
        .await
    }

    async fn of(fields: Vec<DataField>) -> Self {
        Self::with(fields, &[]).await.0
    }

    /// With options of the table, on a store that counts requests.
    async fn with(fields: Vec<DataField>, options: &[(&str, &str)]) -> (Self, Arc<DistantStore>) {
        let (context, blobs) = ToyBlobs::register(testkit::context());
        let options = [("row-tracking.enabled", "true"), ("data-evolution.enabled", "true")].iter().chain(options);
        let schema = Schema {
            fields,
            partition_keys: vec!["p".to_owned()],
            options: options.map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            ..Schema::default()
        };
        let (storage, requests) = testkit::distant_folder(&context);
        let store = testkit::create_table_at(storage, schema, context).await;
        (Self { table: Fixture::of(store, &[Some(Datum::Int(5))]), blobs }, requests)
    }

    /// A file of some columns under the current schema.
    async fn data(
        &mut self,
        extension: &str,
        first_row_id: i64,
        sequence: i64,
        columns: Vec<(FieldId, ArrayRef)>,
    ) -> &mut Self {
        let schema = Arc::clone(self.table.store.schema());
        let system = schema.with_row_tracking_fields();
        let fields: Vec<_> = columns
            .iter()
            .map(|(id, _)| {
                let field = system.iter().find(|field| field.id == *id).unwrap();
                DataField { data_type: nullable(field.data_type.kind.clone()), ..field.clone() }
            })
            .collect();
        let arrays = columns.into_iter().map(|(_, array)| array).collect();
        let batch = RecordBatch::try_new(arrow_schema(&fields).unwrap(), arrays).unwrap();
        let name = format!("data-{}.{extension}", self.table.split.files.len());
        let write_cols = Some(fields.iter().map(|field| field.name.clone()).collect());
        let target = FileTarget {
            bucket_path: self.table.split.bucket_path.clone(),
            file_name: name.clone(),
            fields,
            schema: Arc::clone(&schema),
        };
        let mut writer = self.table.store.create_file(&target).await.unwrap();
        writer.write(&batch).await.unwrap();
        let written = writer.finish().await.unwrap();
        let meta = testkit::data_file(&name, written.size as i64, written.rows as i64);
        self.add(DataFileMeta { write_cols, ..meta }, first_row_id, sequence)
    }

    /// A file of the column `b`.
    async fn blob(&mut self, first_row_id: i64, sequence: i64, rows: &[Toy]) -> &mut Self {
        let name = format!("data-{}.blob", self.table.split.files.len());
        let bytes = toy_file(rows);
        let meta = testkit::data_file(&name, bytes.len() as i64, rows.len() as i64);
        let path = format!("{}/{name}", self.table.split.bucket_path);
        let _ = self.table.store.storage().put_new(&path, bytes.into()).await.unwrap();
        let column = self.table.store.schema().field_by_id(BLOB).unwrap().name.clone();
        self.add(DataFileMeta { write_cols: Some(vec![column]), ..meta }, first_row_id, sequence)
    }

    fn add(&mut self, meta: DataFileMeta, first_row_id: i64, sequence: i64) -> &mut Self {
        self.table.split.files.push(DataFileMeta {
            schema_id: self.table.store.schema().id,
            first_row_id: Some(first_row_id),
            min_sequence_number: sequence,
            max_sequence_number: sequence,
            file_source: Some(FileSource::Append),
            ..meta
        });
        self.table.split.deletions.push(None);
        self
    }

    async fn rows(&self, projection: &[FieldId], predicate: Option<Predicate>) -> Vec<String> {
        self.table.rows(&ReadRequest { projection: Some(projection.to_vec()), predicate, ..all() }).await
    }

    async fn error(&self, projection: &[FieldId]) -> String {
        let error =
            self.table.batches(&ReadRequest { projection: Some(projection.to_vec()), ..all() }).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CorruptData);
        error.to_string()
    }
}

fn values(values: &[&str]) -> Vec<Toy> {
    let toy = |value: &&str| match *value {
        "?" => Toy::Open,
        "-" => Toy::Null,
        value => Toy::Value(value.to_owned()),
    };
    values.iter().map(toy).collect()
}

fn compare(field: FieldId, op: CompareOp, value: i32) -> Predicate {
    Predicate::compare(field, op, Datum::Int(value))
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn a_column_comes_from_the_newest_file_that_has_it() {
    let mut groups = Groups::new().await;
    groups.data("parquet", 10, 1, vec![(A, ints(0..3)), (S, texts(&["x", "y", "z"]))]).await;
    groups.data("avro", 10, 2, vec![(S, texts(&["X", "Y", "Z"]))]).await;
    groups.data("orc", 13, 1, vec![(S, texts(&["w"])), (A, ints([7]))]).await;
    assert_eq!(groups.rows(&[S, P, A], None).await, ["X | 5 | 0", "Y | 5 | 1", "Z | 5 | 2", "w | 5 | 7"]);
    assert_eq!(groups.rows(&[S], None).await, ["X", "Y", "Z", "w"]);
    assert_eq!(groups.rows(&[], None).await, ["", "", "", ""]);
    let old = Predicate::leaf(S, Test::Compare(CompareOp::Eq, Datum::String("y".to_owned())));
    assert_eq!(groups.rows(&[A], Some(old)).await, [] as [&str; 0]);
    let new = Predicate::leaf(S, Test::Compare(CompareOp::Eq, Datum::String("Y".to_owned())));
    assert_eq!(groups.rows(&[A, ROW_ID_ID], Some(new)).await, ["1 | 11"]);
}

#[tokio::test]
async fn row_ids_and_sequence_numbers_are_columns_and_conditions() {
    let mut groups = Groups::new().await;
    groups.data("parquet", 10, 1, vec![(A, ints(0..4))]).await;
    groups.data("parquet", 14, 2, vec![(A, ints(4..6))]).await;
    groups.data("parquet", 10, 3, vec![(S, texts(&["a", "b", "c", "d"]))]).await;
    groups.table.split.files.swap(0, 2);
    let columns = [ROW_ID_ID, SEQUENCE_NUMBER_ID, A];
    let all_rows = ["10 | 3 | 0", "11 | 3 | 1", "12 | 3 | 2", "13 | 3 | 3", "14 | 2 | 4", "15 | 2 | 5"];
    assert_eq!(groups.rows(&columns, None).await, all_rows);
    let batches = groups.table.batches(&ReadRequest { projection: Some(columns.to_vec()), ..all() }).await.unwrap();
    let schema = batches[0].schema();
    assert_eq!((schema.field(0).name().as_str(), schema.field(0).is_nullable()), (ROW_ID, false));
    assert_eq!((schema.field(1).name().as_str(), schema.field(1).is_nullable()), (SEQUENCE_NUMBER, false));
    let id = |op, id| Predicate::compare(ROW_ID_ID, op, Datum::BigInt(id));
    let number = |number| Predicate::compare(SEQUENCE_NUMBER_ID, CompareOp::Eq, Datum::BigInt(number));
    for (predicate, expected) in [
        (id(CompareOp::Gt, 12), &all_rows[3..]),
        (number(2), &all_rows[4..]),
        (number(1), &all_rows[..0]),
        (Predicate::and([id(CompareOp::LtEq, 14), number(2)]), &all_rows[4..5]),
        (Predicate::and([id(CompareOp::LtEq, 11), compare(A, CompareOp::Gt, 0)]), &all_rows[1..2]),
        (Predicate::or([id(CompareOp::Eq, 10), compare(A, CompareOp::Eq, 1)]), &all_rows[..2]),
    ] {
        assert_eq!(groups.rows(&columns, Some(predicate.clone())).await, expected, "{predicate:?}");
        assert_eq!(groups.rows(&[], Some(predicate)).await.len(), expected.len());
    }
    assert_eq!(groups.rows(&[ROW_ID_ID], None).await, ["10", "11", "12", "13", "14", "15"]);
}

/// Files of a compaction without column groups have the row ids that their rows had before.
#[tokio::test]
async fn stored_row_ids_and_sequence_numbers_win_where_there_are_some() {
    let longs = |values: Vec<Option<i64>>| -> ArrayRef { Arc::new(Int64Array::from(values)) };
    let mut groups = Groups::new().await;
    let columns = vec![
        (A, ints([1, 2, 3])),
        (ROW_ID_ID, longs(vec![Some(8), Some(2), Some(5)])),
        (SEQUENCE_NUMBER_ID, longs(vec![Some(1), None, Some(2)])),
    ];
    groups.data("parquet", 0, 4, columns).await;
    groups.table.split.files[0].first_row_id = None;
    groups.table.split.files[0].file_source = Some(FileSource::Compact);
    groups.table.split.files[0].write_cols = None;
    groups.data("parquet", 20, 3, vec![(A, ints([4]))]).await;
    let mut schema = TableSchema::clone(groups.table.store.schema());
    schema.options.insert("data-evolution.enabled".to_owned(), "false".to_owned());
    schema.fields.retain(|field| field.id != BLOB);
    groups.table.store = groups.table.store.with_schema(Arc::new(schema));
    let columns = [ROW_ID_ID, SEQUENCE_NUMBER_ID, A];
    assert_eq!(groups.rows(&columns, None).await, ["8 | 1 | 1", "2 | 4 | 2", "5 | 2 | 3", "20 | 3 | 4"]);
    let id = Predicate::compare(ROW_ID_ID, CompareOp::GtEq, Datum::BigInt(5));
    assert_eq!(groups.rows(&[A], Some(id)).await, ["1", "3", "4"]);
    let number = Predicate::compare(SEQUENCE_NUMBER_ID, CompareOp::Gt, Datum::BigInt(2));
    assert_eq!(groups.rows(&[A], Some(number)).await, ["2", "4"]);
    assert_eq!(groups.rows(&[A], None).await, ["1", "2", "3", "4"]);
}

#[tokio::test]
async fn deletions_of_the_anchor_count_for_all_files() {
    let mut groups = Groups::new().await;
    groups.data("parquet", 10, 1, vec![(A, ints(0..5))]).await;
    groups.table.delete(&[0, 3], true).await;
    groups.blob(10, 1, &values(&["a", "b"])).await;
    groups.blob(12, 1, &values(&["c", "d", "e"])).await;
    groups.data("parquet", 10, 2, vec![(S, texts(&["v", "w", "x", "y", "z"]))]).await;
    let text = |row: &str, id: usize, s: &str, b: &str| format!("{row} | {id} | {s} | {}", hex(b));
    let expected = [text("1", 11, "w", "b"), text("2", 12, "x", "c"), text("4", 14, "z", "e")];
    assert_eq!(groups.rows(&[A, ROW_ID_ID, S, BLOB], None).await, expected);
    assert_eq!(groups.rows(&[S], None).await, ["w", "x", "z"]);
    assert_eq!(groups.rows(&[], None).await.len(), 3);
    groups.table.split.rows = vec![Some(1..4), None, None, Some(1..4)];
    assert_eq!(groups.rows(&[A, ROW_ID_ID, S, BLOB], None).await, expected[..2]);
    assert_eq!(groups.rows(&[S], None).await, ["w", "x"]);
}

#[tokio::test]
async fn indexes_of_blob_files_are_asked_for_when_files_overlap() {
    let mut groups = Groups::new().await;
    groups.data("parquet", 0, 1, vec![(A, ints(0..6))]).await;
    groups.blob(0, 1, &values(&["a", "b"])).await;
    groups.blob(2, 1, &values(&["c", "-", "e", "f"])).await;
    let asked = |groups: &Groups| groups.blobs.indexes.swap(0, Ordering::Relaxed);
    let rows =
        |rows: &[&str]| rows.iter().map(|b| if *b == "-" { "NULL".to_owned() } else { hex(b) }).collect::<Vec<_>>();
    assert_eq!(groups.rows(&[BLOB], None).await, rows(&["a", "b", "c", "-", "e", "f"]));
    assert_eq!(asked(&groups), 0);
    groups.blob(0, 2, &values(&["?", "?", "C"])).await;
    groups.blob(4, 3, &values(&["-"])).await;
    assert_eq!(groups.rows(&[BLOB], None).await, rows(&["a", "b", "C", "-", "-", "f"]));
    assert_eq!(asked(&groups), 2, "those that have older ones below them");
    assert_eq!(groups.rows(&[A], Some(Predicate::leaf(BLOB, Test::IsNull))).await, ["3", "4"]);
    let _ = (asked(&groups), groups.blobs.rows.swap(0, Ordering::Relaxed));
    assert_eq!(groups.rows(&[BLOB], Some(compare(A, CompareOp::Eq, 5))).await, rows(&["f"]));
    assert_eq!((asked(&groups), groups.blobs.rows.load(Ordering::Relaxed)), (0, 1), "no other row is looked at");
}

#[tokio::test]
async fn rows_that_every_file_leaves_open_are_null() {
    let mut groups = Groups::new().await;
    groups.data("parquet", 0, 1, vec![(A, ints(0..3))]).await;
    groups.blob(0, 1, &values(&["a", "?", "c"])).await;
    groups.blob(0, 2, &values(&["?", "?"])).await;
    assert_eq!(groups.rows(&[BLOB], None).await, [hex("a"), "NULL".to_owned(), hex("c")]);
}

#[tokio::test]
async fn rows_without_a_blob_file_are_damage() {
    let mut groups = Groups::new().await;
    groups.data("parquet", 10, 1, vec![(A, ints(0..6))]).await;
    groups.blob(10, 1, &values(&["a"])).await;
    groups.blob(13, 1, &values(&["d", "e"])).await;
    let error = groups.error(&[BLOB]).await;
    for part in ["row id 11 to 12", "data-1.blob", "data-2.blob", "column: b"] {
        assert!(error.contains(part), "{error}");
    }
    assert_eq!(groups.rows(&[A], None).await.len(), 6, "nobody asked for the column");
    groups.blob(10, 1, &values(&["x", "y", "z"])).await;
    let error = groups.error(&[BLOB]).await;
    assert!(error.contains("distinct rows"), "{error}");
}

#[tokio::test]
async fn a_column_that_no_file_has_is_null_or_damage() {
    let mut groups = Groups::new().await;
    groups.data("parquet", 0, 1, vec![(A, ints(0..2))]).await;
    groups.data("parquet", 0, 2, vec![(A, ints(2..4))]).await;
    assert_eq!(groups.rows(&[S, A, BLOB], None).await, ["NULL | 2 | NULL", "NULL | 3 | NULL"]);
    assert_eq!(groups.rows(&[S], None).await, ["NULL", "NULL"]);
    assert_eq!(groups.rows(&[A], Some(Predicate::leaf(S, Test::IsNotNull))).await, [] as [&str; 0]);
    let mut schema = TableSchema::clone(groups.table.store.schema());
    schema.fields[2].data_type.nullable = false;
    groups.table.store = groups.table.store.with_schema(Arc::new(schema));
    let error = groups.error(&[S]).await;
    assert!(error.contains("NOT NULL") && error.contains("column: s") && error.contains("data-0.parquet"), "{error}");
}

#[tokio::test]
async fn files_with_fewer_rows_than_their_group_are_damage() {
    let mut groups = Groups::new().await;
    groups.data("avro", 0, 1, vec![(A, ints(0..3))]).await;
    groups.blob(0, 1, &values(&["a", "b"])).await;
    groups.table.split.files[1].row_count = 3;
    let error = groups.error(&[A, BLOB]).await;
    assert!(error.contains("expected 3 rows, found 2") && error.contains("data-1.blob"), "{error}");
}

#[tokio::test]
async fn few_rows_that_pass_are_all_that_is_read_of_other_columns() {
    let mut groups = Groups::new().await;
    groups.data("parquet", 0, 1, vec![(A, ints(0..1000))]).await;
    groups.blob(0, 1, &vec![Toy::Value("v".to_owned()); 1000]).await;
    let read = |groups: &Groups| groups.blobs.rows.swap(0, Ordering::Relaxed);
    for (predicate, limit, passing, looked_at) in [
        (compare(A, CompareOp::Lt, 100), None, 100, 100..=192),
        (compare(A, CompareOp::GtEq, 900), None, 100, 100..=100),
        (compare(A, CompareOp::GtEq, 0), None, 1000, 1000..=1000),
        (compare(A, CompareOp::GtEq, 900), Some(3), 3, 3..=64),
        (Predicate::Constant(true), Some(3), 3, 3..=3),
    ] {
        let request = ReadRequest {
            projection: Some(vec![BLOB]),
            predicate: Some(predicate.clone()),
            limit,
            batch_rows: Some(64),
            ..all()
        };
        assert_eq!(groups.table.rows(&request).await.len(), passing, "{predicate:?}");
        let rows = read(&groups);
        assert!(looked_at.contains(&rows), "{predicate:?} {limit:?}: {rows}");
    }
}

#[tokio::test]
async fn blob_files_that_no_wanted_row_id_needs_may_be_left_out_of_the_split() {
    let mut groups = Groups::new().await;
    groups.data("parquet", 10, 1, vec![(A, ints(0..6))]).await;
    groups.blob(12, 1, &values(&["c", "d"])).await;
    let id = |id| Predicate::compare(ROW_ID_ID, CompareOp::Eq, Datum::BigInt(id));
    let either = Predicate::or([Predicate::and([id(12), compare(A, CompareOp::Gt, 0)]), id(13)]);
    assert_eq!(groups.rows(&[BLOB], Some(either)).await, [hex("c"), hex("d")]);
}

#[rstest]
#[case::all(&[A, S, BLOB], None, 3, 1)]
#[case::a_condition_on_one_file(&[A, S, BLOB], Some(compare(A, CompareOp::Lt, 0)), 1, 1)]
#[case::few_pass(&[A, S, BLOB, ROW_ID_ID], Some(compare(A, CompareOp::Eq, 7)), 3, 2)]
#[case::a_file_is_asked_once(&[ROW_ID_ID, A, S], Some(compare(A, CompareOp::Eq, 7)), 2, 2)]
#[case::nothing_but_row_ids(&[ROW_ID_ID], None, 0, 0)]
#[tokio::test]
async fn files_of_a_group_that_are_far_away_are_asked_together(
    #[case] projection: &[FieldId],
    #[case] predicate: Option<Predicate>,
    #[case] count: usize,
    #[case] rounds: usize,
) {
    let (mut groups, store) = Groups::with(columns(), &[]).await;
    groups.data("parquet", 0, 1, vec![(A, ints(0..20))]).await;
    groups.data("parquet", 0, 1, vec![(S, texts(&["s"; 20]))]).await;
    groups.blob(0, 1, &vec![Toy::Null; 20]).await;
    let (_, requests) = store.requests_of(groups.rows(projection, predicate)).await;
    assert_eq!((requests.count(), requests.rounds), (count, rounds), "{:?}", requests.calls);
}

#[tokio::test]
async fn indexes_tell_nothing_of_columns_that_were_overwritten() {
    let options = [("file-index.bitmap.columns", "a,s")];
    let (mut groups, store) = Groups::with(columns(), &options).await;
    let options = options.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    let index = |column: &str, values: &[&str]| {
        let indexes = paimon_spec::FileIndexOptions::parse(&options).unwrap().indexes;
        let index = indexes.into_iter().find(|index| index.column == column).unwrap();
        let kind = if column == "a" { TypeKind::Int } else { STRING };
        let mut builder = paimon_spec::IndexBuilder::new(&index, &nullable(kind)).unwrap();
        for value in values {
            let value = match value.parse() {
                Ok(number) => paimon_spec::IndexValue::Int(number),
                Err(_) => paimon_spec::IndexValue::Bytes(value.as_bytes()),
            };
            builder.add(Some(value)).unwrap();
        }
        builder.finish().unwrap()
    };
    let embedded = |indexes: &[paimon_spec::ColumnIndex]| Some(paimon_spec::encode_file_index(indexes).unwrap().into());
    groups.data("parquet", 0, 1, vec![(A, ints([1, 2, 3])), (S, texts(&["x", "y", "z"]))]).await;
    groups.table.split.files[0].embedded_index =
        embedded(&[index("a", &["1", "2", "3"]), index("s", &["x", "y", "z"])]);
    groups.data("parquet", 0, 2, vec![(S, texts(&["X", "Y", "Z"]))]).await;
    groups.table.split.files[1].embedded_index = embedded(&[index("s", &["X", "Y", "Z"])]);
    let is = |text: &str| Predicate::compare(S, CompareOp::Eq, Datum::String(text.to_owned()));
    for (predicate, expected, files) in [
        (is("Y"), vec!["2 | Y"], 2),
        (is("y"), vec![], 0),
        (compare(A, CompareOp::Eq, 3), vec!["3 | Z"], 2),
        (compare(A, CompareOp::Eq, 4), vec![], 0),
        (Predicate::and([is("Y"), compare(A, CompareOp::Eq, 3)]), vec![], 0),
        (Predicate::or([is("Y"), compare(A, CompareOp::Eq, 3)]), vec!["2 | Y", "3 | Z"], 2),
    ] {
        let (rows, requests) = store.requests_of(groups.rows(&[A, S], Some(predicate.clone()))).await;
        assert_eq!(
            (rows, requests.count()),
            (expected.into_iter().map(str::to_owned).collect(), files),
            "{predicate:?}"
        );
    }
}

#[tokio::test]
async fn blobs_that_are_kept_in_data_files_come_as_they_are() {
    let (mut groups, _) = Groups::with(columns(), &[("blob-field", "b"), ("blob-descriptor-field", "b")]).await;
    let kept: ArrayRef = Arc::new(arrow::array::LargeBinaryArray::from_opt_vec(vec![Some(b"one"), None]));
    groups.data("parquet", 0, 1, vec![(A, ints([1, 2])), (BLOB, kept)]).await;
    groups.data("parquet", 0, 2, vec![(A, ints([3, 4]))]).await;
    assert_eq!(groups.rows(&[A, BLOB], None).await, [format!("3 | {}", hex("one")), "4 | NULL".to_owned()]);
    assert_eq!(groups.rows(&[A], Some(Predicate::leaf(BLOB, Test::IsNull))).await, ["4"]);
}

#[tokio::test]
async fn splits_that_contradict_themselves_are_invalid() {
    let mut groups = Groups::new().await;
    groups.data("parquet", 0, 1, vec![(A, ints(0..3))]).await;
    groups.data("parquet", 0, 2, vec![(S, texts(&["x", "y", "z"]))]).await;
    groups.table.split.rows = vec![Some(0..2), None];
    let error = groups.table.batches(&all()).await.unwrap_err();
    assert!(error.kind() == ErrorKind::InvalidInput && error.to_string().contains("ranges of rows"), "{error}");
    groups.table.split.rows = Vec::new();
    groups.table.delete(&[1], true).await;
    assert_eq!(groups.rows(&[A, S], None).await, ["0 | x", "2 | z"]);
    let other = DeletionFile { path: "index/other".to_owned(), ..groups.table.split.deletions[1].clone().unwrap() };
    groups.table.split.deletions[0] = Some(other);
    let error = groups.table.batches(&all()).await.unwrap_err();
    assert!(error.kind() == ErrorKind::InvalidInput && error.to_string().contains("deletion vectors"), "{error}");
}

/// A row of the model.
#[derive(Debug, Clone, Default)]
struct Row {
    a: Option<i64>,
    s: Option<String>,
    late: Option<i32>,
    blob: Option<String>,
    id: i64,
    number: i64,
}

impl Row {
    fn value(&self, id: FieldId) -> Option<Datum> {
        match id {
            P => Some(Datum::Int(5)),
            A => self.a.map(Datum::BigInt),
            S => self.s.clone().map(Datum::String),
            LATE => self.late.map(Datum::Int),
            BLOB => self.blob.clone().map(|value| Datum::Bytes(value.into_bytes())),
            ROW_ID_ID => Some(Datum::BigInt(self.id)),
            _ => Some(Datum::BigInt(self.number)),
        }
    }
}

/// What is done to a row group, newer and newer.
#[derive(Debug, Clone)]
enum Update {
    A(Vec<Option<i64>>),
    LateAndS(Vec<(Option<i32>, Option<String>)>),
    /// From a row on.
    Blob(usize, Vec<Toy>),
}

#[derive(Debug, Clone)]
struct RandomGroup {
    rows: Vec<(Option<i32>, Option<String>, Toy)>,
    /// Where a new `.blob` file starts.
    rolls: Vec<usize>,
    updates: Vec<Update>,
    deleted: Vec<u64>,
    cut: Option<(u64, u64)>,
    extensions: [&'static str; 2],
    /// Columns of the first files in one or in two.
    apart: bool,
}

fn toy() -> impl Strategy<Value = Toy> {
    prop_oneof![4 => "[a-c]{0,2}".prop_map(Toy::Value), 1 => Just(Toy::Null)]
}

fn text() -> impl Strategy<Value = Option<String>> {
    prop::option::of("[0-9a]{0,2}")
}

fn random_group() -> impl Strategy<Value = RandomGroup> {
    (1..40_usize).prop_flat_map(|n| {
        let update = prop_oneof![
            prop::collection::vec(prop::option::of(-2i64..12), n).prop_map(Update::A),
            prop::collection::vec((prop::option::of(0i32..4), text()), n).prop_map(Update::LateAndS),
            (0..n).prop_flat_map(move |start| {
                let open = prop_oneof![1 => toy(), 1 => Just(Toy::Open)];
                (Just(start), prop::collection::vec(open, 1..=n - start))
                    .prop_map(|(start, rows)| Update::Blob(start, rows))
            }),
        ];
        let extension = || prop::sample::select(vec!["parquet", "avro", "orc"]);
        (
            prop::collection::vec((prop::option::of(-2i32..12), text(), toy()), n),
            prop::collection::btree_set(1..n.max(2), 0..3),
            prop::collection::vec(update, 0..5),
            prop::collection::btree_set(0..n as u64, 0..=n / 2),
            prop::option::of((0..n as u64, 1..40_u64)),
            [extension(), extension()],
            any::<bool>(),
        )
            .prop_map(|(rows, rolls, updates, deleted, cut, extensions, apart)| RandomGroup {
                rows,
                rolls: rolls.into_iter().collect(),
                updates,
                deleted: deleted.into_iter().collect(),
                cut,
                extensions,
                apart,
            })
    })
}

fn any_condition() -> impl Strategy<Value = Predicate> {
    use CompareOp::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
    let op = || prop::sample::select(vec![Eq, NotEq, Lt, LtEq, Gt, GtEq]);
    let field = || prop::sample::select(vec![P, A, S, BLOB, LATE, ROW_ID_ID, SEQUENCE_NUMBER_ID]);
    let leaf = prop_oneof![
        (op(), -3i64..13).prop_map(|(op, v)| Predicate::compare(A, op, Datum::BigInt(v))),
        (op(), 90i64..180).prop_map(|(op, v)| Predicate::compare(ROW_ID_ID, op, Datum::BigInt(v))),
        prop::collection::vec(90i64..180, 0..5)
            .prop_map(|ids| Predicate::leaf(ROW_ID_ID, Test::In(ids.into_iter().map(Datum::BigInt).collect()))),
        (op(), 0i64..7).prop_map(|(op, v)| Predicate::compare(SEQUENCE_NUMBER_ID, op, Datum::BigInt(v))),
        (op(), "[0-9a]{0,2}").prop_map(|(op, v)| Predicate::compare(S, op, Datum::String(v))),
        (op(), 0i32..4).prop_map(|(op, v)| Predicate::compare(LATE, op, Datum::Int(v))),
        (field(), any::<bool>()).prop_map(|(id, null)| test(id, if null { Test::IsNull } else { Test::IsNotNull })),
    ];
    leaf.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            2 => prop::collection::vec(inner.clone(), 1..3).prop_map(Predicate::And),
            1 => prop::collection::vec(inner.clone(), 1..3).prop_map(Predicate::Or),
            1 => inner.prop_map(|p| Predicate::Not(Box::new(p))),
        ]
    })
}

/// Writes the files of the groups, and gives the rows that are there then.
async fn write(groups: &mut Groups, plan: &[RandomGroup]) -> Vec<Row> {
    let mut first = 100;
    let mut model = Vec::new();
    for group in plan {
        let a: ArrayRef = Arc::new(group.rows.iter().map(|row| row.0).collect::<Int32Array>());
        let s: ArrayRef = Arc::new(group.rows.iter().map(|row| row.1.clone()).collect::<StringArray>());
        if group.apart {
            groups.data(group.extensions[0], first, 1, vec![(A, a)]).await;
            groups.table.delete(&group.deleted, true).await;
            groups.data(group.extensions[1], first, 1, vec![(S, s)]).await;
        } else {
            groups.data(group.extensions[0], first, 1, vec![(S, s), (A, a)]).await;
            groups.table.delete(&group.deleted, false).await;
        }
        let toys: Vec<_> = group.rows.iter().map(|row| row.2.clone()).collect();
        let bounds: Vec<_> = [0].into_iter().chain(group.rolls.iter().copied()).chain([toys.len()]).collect();
        for part in bounds.windows(2).filter(|part| part[0] < part[1]) {
            groups.blob(first + part[0] as i64, 1, &toys[part[0]..part[1]]).await;
        }
        let value = |toy: &Toy| if let Toy::Value(value) = toy { Some(value.clone()) } else { None };
        model.push(
            (first..)
                .zip(&group.rows)
                .map(|(id, (a, s, toy))| Row {
                    a: a.map(i64::from),
                    s: s.clone(),
                    blob: value(toy),
                    id,
                    number: 1,
                    late: None,
                })
                .collect::<Vec<_>>(),
        );
        first += group.rows.len() as i64;
    }
    groups.table.alter(&[retype(&["a"], TypeKind::BigInt), rename("s", "text"), add(&["late"], TypeKind::Int)]).await;
    for (group, rows) in plan.iter().zip(&mut model) {
        let (first, extension) = (rows[0].id, group.extensions[1]);
        for (number, update) in (2..).zip(&group.updates) {
            match update {
                Update::A(new) => {
                    groups.data(extension, first, number, vec![(A, Arc::new(Int64Array::from(new.clone())))]).await;
                    rows.iter_mut().zip(new).for_each(|(row, a)| (row.a, row.number) = (*a, number));
                }
                Update::LateAndS(new) => {
                    let late: ArrayRef = Arc::new(new.iter().map(|row| row.0).collect::<Int32Array>());
                    let s: ArrayRef = Arc::new(new.iter().map(|row| row.1.clone()).collect::<StringArray>());
                    groups.data(extension, first, number, vec![(LATE, late), (S, s)]).await;
                    for (row, (late, s)) in rows.iter_mut().zip(new) {
                        (row.late, row.s, row.number) = (*late, s.clone(), number);
                    }
                }
                Update::Blob(start, new) => {
                    groups.blob(first + *start as i64, number, new).await;
                    for (row, toy) in rows[*start..].iter_mut().zip(new) {
                        match toy {
                            Toy::Value(value) => row.blob = Some(value.clone()),
                            Toy::Null => row.blob = None,
                            Toy::Open => {}
                        }
                    }
                }
            }
        }
    }
    let groups_of_files = row_groups(&groups.table.split.files).unwrap();
    groups.table.split.rows = vec![None; groups.table.split.files.len()];
    for ((group, files), rows) in plan.iter().zip(groups_of_files).zip(&mut model) {
        let n = group.rows.len() as u64;
        let cut = group.cut.map(|(start, len)| start..(start + len).min(n));
        files.data.iter().for_each(|at| groups.table.split.rows[*at] = cut.clone());
        let mut position = 0..;
        rows.retain(|_| {
            let position = position.next().unwrap();
            cut.as_ref().is_none_or(|cut| cut.contains(&position)) && !group.deleted.contains(&position)
        });
    }
    model.into_iter().flatten().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_read_of_row_groups_gives_the_rows_that_a_naive_one_gives(
        plan in prop::collection::vec(random_group(), 1..3),
        predicate in prop::option::of(any_condition()),
        projection in prop::sample::subsequence(vec![BLOB, A, ROW_ID_ID, S, P, SEQUENCE_NUMBER_ID, LATE], 0..=7),
        limit in prop::option::weighted(0.3, 0usize..30),
        batch_rows in 1usize..25,
        swaps in any::<u64>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut groups = Groups::new().await;
            let model = write(&mut groups, &plan).await;
            // Files may stand in any order, but the anchor's place among equals is by name.
            let count = groups.table.split.files.len();
            let split = &mut groups.table.split;
            let (a, b) = (swaps as usize % count, (swaps >> 32) as usize % count);
            split.files.swap(a, b);
            split.deletions.swap(a, b);
            split.rows.swap(a, b);

            let expected: Vec<Vec<Option<Datum>>> = model.iter()
                .filter(|row| predicate.as_ref().is_none_or(|p| p.evaluate(&|id| row.value(id)) == Some(true)))
                .take(limit.unwrap_or(usize::MAX))
                .map(|row| projection.iter().map(|id| row.value(*id)).collect())
                .collect();
            let request = ReadRequest {
                projection: Some(projection.clone()), predicate, limit, batch_rows: Some(batch_rows), memory_bytes: None,
            };
            let batches = groups.table.batches(&request).await.unwrap();
            let fields = groups.table.store.schema().with_row_tracking_fields();
            let kind = |id: &FieldId| fields.iter().find(|field| field.id == *id).unwrap().data_type.clone();
            let types: Vec<DataType> = projection.iter().map(kind).collect();
            let found: Vec<Vec<Option<Datum>>> = batches.iter()
                .flat_map(|batch| (0..batch.num_rows()).map(|row| {
                    batch.columns().iter().zip(&types).map(|(c, t)| datum_at(c, t, row).unwrap()).collect()
                }).collect::<Vec<_>>())
                .collect();
            assert!(batches.iter().all(|b| (1..=batch_rows).contains(&b.num_rows())));
            assert_eq!(found, expected);
        });
    }
}
