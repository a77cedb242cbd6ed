use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{AsArray, Int32Array, Int64Array, StringArray};
use arrow::datatypes::Int64Type;
use paimon_io::{arrow_schema, constant_array, datum_at};
use paimon_spec::{BucketFunction, DataField, Datum, Schema, Timestamp, TypeKind, bucket_of};
use proptest::prelude::*;
use rstest::rstest;

use super::*;

fn table(partition_keys: &[&str], options: &[(&str, &str)]) -> TableSchema {
    let schema = Schema {
        fields: vec![
            DataField::new(0, "p", DataType::nullable(TypeKind::Int)),
            DataField::new(1, "q", DataType::string()),
            DataField::new(2, "row", DataType::nullable(TypeKind::BigInt)),
        ],
        partition_keys: partition_keys.iter().map(|key| (*key).to_owned()).collect(),
        options: options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        ..Schema::default()
    };
    TableSchema::create(schema, 0).unwrap()
}

/// Rows of (p, q); `row` numbers them.
fn batch(rows: &[(Option<i32>, Option<&str>)]) -> RecordBatch {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(rows.iter().map(|(p, _)| *p).collect::<Int32Array>()),
        Arc::new(rows.iter().map(|(_, q)| *q).collect::<StringArray>()),
        Arc::new((0..rows.len() as i64).collect::<Vec<_>>().into_iter().map(Some).collect::<Int64Array>()),
    ];
    RecordBatch::try_new(arrow_schema(&table(&[], &[]).fields).unwrap(), columns).unwrap()
}

fn routed(schema: &TableSchema, batch: &RecordBatch) -> Vec<Routed> {
    Router::of(schema).unwrap().route(batch, batch).unwrap()
}

fn numbers(rows: &RecordBatch) -> Vec<i64> {
    rows.column(2).as_primitive::<Int64Type>().values().to_vec()
}

#[test]
fn a_table_without_partitions_and_buckets_takes_the_batch_as_it_is() {
    let batch = batch(&[(Some(1), None), (Some(2), None)]);
    let routed = routed(&table(&[], &[]), &batch);
    assert_eq!(routed.len(), 1);
    assert_eq!((routed[0].bucket, &routed[0].partition), (0, &BinaryRow::empty()));
    assert_eq!(routed[0].rows, batch);
}

#[test]
fn rows_of_a_partition_keep_their_order() {
    let batch = batch(&[(Some(2), None), (None, None), (Some(2), None), (Some(1), None), (None, None)]);
    let routed = routed(&table(&["p"], &[]), &batch);
    let found: Vec<(Option<Datum>, Vec<i64>)> = routed
        .iter()
        .map(|piece| {
            let p = piece.partition.get(0, &DataType::nullable(TypeKind::Int)).unwrap();
            (p, numbers(&piece.rows))
        })
        .collect();
    assert_eq!(found, [(Some(Datum::Int(2)), vec![0, 2]), (None, vec![1, 4]), (Some(Datum::Int(1)), vec![3])]);
}

#[test]
fn partition_values_stand_in_the_order_of_the_partition_keys() {
    let batch = batch(&[(Some(1), Some("x"))]);
    let routed = routed(&table(&["q", "p"], &[]), &batch);
    let types = [DataType::string(), DataType::nullable(TypeKind::Int)];
    let values = routed[0].partition.values(&types).unwrap();
    assert_eq!(values, [Some(Datum::String("x".to_owned())), Some(Datum::Int(1))]);
}

// The buckets that the format's other writers give these keys.
#[rstest]
#[case::ints("p", &[(0, 3), (1, 2), (2, 0), (3, 1), (4, 2), (5, 0), (6, 0), (7, 3), (8, 0), (9, 3)])]
fn buckets_are_those_of_other_writers(#[case] key: &str, #[case] expected: &[(i32, i32)]) {
    let table = table(&[], &[("bucket", "4"), ("bucket-key", key)]);
    for (value, bucket) in expected {
        let routed = routed(&table, &batch(&[(Some(*value), None)]));
        assert_eq!(routed[0].bucket, *bucket, "key {value}");
    }
}

#[test]
fn without_a_bucket_key_all_rows_are_in_one_bucket() {
    let mut schema = table(&[], &[]);
    schema.options.insert("bucket".to_owned(), "4".to_owned());
    let routed = routed(&schema, &batch(&[(Some(1), None), (Some(2), None), (None, None)]));
    assert_eq!(routed.len(), 1);
    assert_eq!(routed[0].bucket, bucket_of(BucketFunction::Default, &BinaryRow::empty(), &[], 4).unwrap());
    assert_eq!(numbers(&routed[0].rows), [0, 1, 2]);
}

#[test]
fn an_empty_batch_goes_nowhere() {
    assert!(routed(&table(&["p"], &[]), &batch(&[])).is_empty());
}

type Row = (Option<i32>, Option<String>);

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let q = prop::option::of(prop::sample::select(vec!["", "a", "seven77", "eight888", "longer than a slot"]));
    let row = (prop::option::of(-2..3_i32), q.prop_map(|q| q.map(str::to_owned)));
    prop::collection::vec(row, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_row_goes_where_it_belongs(
        rows in rows(),
        function in prop::sample::select(vec!["default", "hive"]),
        partitioned in any::<bool>(),
    ) {
        let keys: &[&str] = if partitioned { &["p"] } else { &[] };
        let key = if partitioned { "q,row" } else { "p,q" };
        let options = [("bucket", "3"), ("bucket-key", key), ("bucket-function.type", function)];
        let schema = table(keys, &options);
        let function = schema.table_options().bucket_function().unwrap();
        let views: Vec<(Option<i32>, Option<&str>)> = rows.iter().map(|(p, q)| (*p, q.as_deref())).collect();

        let (int, text) = (DataType::nullable(TypeKind::Int), DataType::string());
        let long = DataType::nullable(TypeKind::BigInt);
        let mut expected: BTreeMap<(Vec<u8>, i32), Vec<i64>> = BTreeMap::new();
        for (at, (p, q)) in rows.iter().enumerate() {
            let p_value = p.map(Datum::Int);
            let q_value = q.clone().map(Datum::String);
            let (key_row, types) = if partitioned {
                ([q_value, Some(Datum::BigInt(at as i64))], [text.clone(), long.clone()])
            } else {
                ([p_value.clone(), q_value], [int.clone(), text.clone()])
            };
            let key_row = BinaryRow::from_values(&key_row, &types).unwrap();
            let bucket = bucket_of(function, &key_row, &types, 3).unwrap();
            let partition = if partitioned {
                BinaryRow::from_values(&[p_value], std::slice::from_ref(&int)).unwrap()
            } else {
                BinaryRow::empty()
            };
            expected.entry((partition.to_metadata(), bucket)).or_default().push(at as i64);
        }

        let routed = routed(&schema, &batch(&views));
        let found: BTreeMap<(Vec<u8>, i32), Vec<i64>> = routed
            .iter()
            .map(|piece| ((piece.partition.to_metadata(), piece.bucket), numbers(&piece.rows)))
            .collect();
        prop_assert_eq!(found.len(), routed.len());
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn integers_without_null_take_a_shorter_way_to_the_same_bucket(
        rows in prop::collection::vec((any::<i32>(), any::<i64>()), 1..40),
        buckets in 1..50_i32,
    ) {
        let columns: [(&str, ArrayRef, TypeKind); 2] = [
            ("p", Arc::new(rows.iter().map(|row| Some(row.0)).collect::<Int32Array>()), TypeKind::Int),
            ("row", Arc::new(rows.iter().map(|row| Some(row.1)).collect::<Int64Array>()), TypeKind::BigInt),
        ];
        let count = buckets.to_string();
        for (name, column, kind) in columns {
            let schema = table(&[], &[("bucket", &count), ("bucket-key", name)]);
            let batch = RecordBatch::try_from_iter([(name, column.clone())]).unwrap();
            let found = bucket_of_rows(&schema, &batch).unwrap();
            let types = [DataType::nullable(kind)];
            for row in 0..rows.len() {
                let key = BinaryRow::from_values(&[datum_at(&column, &types[0], row).unwrap()], &types).unwrap();
                let wanted = bucket_of(BucketFunction::Default, &key, &types, buckets).unwrap();
                prop_assert_eq!(found.value(row), wanted);
            }
        }
    }

    #[test]
    fn all_rows_of_a_bucket_go_through_one_channel(rows in rows(), channels in 1..9_u32, partitioned in any::<bool>()) {
        let keys: &[&str] = if partitioned { &["p"] } else { &[] };
        let schema = table(keys, &[("bucket", "3"), ("bucket-key", "q")]);
        let views: Vec<(Option<i32>, Option<&str>)> = rows.iter().map(|(p, q)| (*p, q.as_deref())).collect();
        let batch = batch(&views);
        let router = ChannelRouter::new(&schema, channels).unwrap();
        prop_assert_eq!(router.columns(), if partitioned { &["p", "q"][..] } else { &["q"] });
        let found = router.route(&batch).unwrap();
        prop_assert!(found.values().iter().all(|channel| (0..channels as i32).contains(channel)));
        for piece in routed(&schema, &batch) {
            let rows = numbers(&piece.rows);
            prop_assert!(rows.iter().all(|row| found.value(*row as usize) == found.value(rows[0] as usize)));
            let place = i64::from(piece.partition.hash_code()) + i64::from(piece.bucket);
            prop_assert_eq!(i64::from(found.value(rows[0] as usize)), place.rem_euclid(i64::from(channels)));
        }
    }
}

/// Values whose types keep them in a slot of the key, and values that stand behind the slots.
#[rstest]
#[case("BOOLEAN", Datum::Boolean(true))]
#[case("TINYINT", Datum::TinyInt(-1))]
#[case("SMALLINT", Datum::SmallInt(-300))]
#[case("INT", Datum::Int(i32::MIN))]
#[case("BIGINT", Datum::BigInt(-2))]
#[case("FLOAT", Datum::Float(-0.0))]
#[case("DOUBLE", Datum::Double(f64::NAN))]
#[case("DATE", Datum::Date(-1))]
#[case("TIME(3)", Datum::Time(86_399_999))]
#[case("CHAR(3)", Datum::String("ab ".into()))]
#[case("STRING", Datum::String("longer than a slot".into()))]
#[case("BINARY(2)", Datum::Bytes(vec![0, 255]))]
#[case("BYTES", Datum::Bytes(vec![7; 20]))]
#[case("DECIMAL(10, 2)", Datum::Decimal { unscaled: -125, scale: 2 })]
#[case("DECIMAL(38, 4)", Datum::Decimal { unscaled: -(10_i128.pow(30)), scale: 4 })]
#[case("TIMESTAMP(3)", Datum::Timestamp(Timestamp { millis: -1_000_001, nanos_of_milli: 0 }))]
#[case("TIMESTAMP(6)", Datum::Timestamp(Timestamp { millis: -1_000_001, nanos_of_milli: 999_000 }))]
#[case("TIMESTAMP(9) WITH LOCAL TIME ZONE", Datum::Timestamp(Timestamp { millis: 1, nanos_of_milli: 999_999 }))]
fn a_key_of_any_type_has_the_hash_of_its_row(#[case] kind: &str, #[case] value: Datum) {
    let json = format!(r#"{{"fields": [{{"name": "a", "type": "{kind}"}}, {{"name": "b", "type": "INT"}}]}}"#);
    let schema = TableSchema::create(Schema::from_json(&json).unwrap(), 0).unwrap();
    let types: Vec<DataType> = schema.fields.iter().map(|field| field.data_type.clone()).collect();
    for key in [vec!["a"], vec!["a", "b"]] {
        let columns = KeyColumns::of(&schema, key.iter().map(|name| (*name).to_owned()).collect()).unwrap();
        for value in [Some(value.clone()), None] {
            let row = [value, Some(Datum::Int(-7))];
            let arrays: Vec<ArrayRef> =
                row.iter().zip(&types).map(|(value, kind)| constant_array(value.as_ref(), kind, 2).unwrap()).collect();
            let count = key.len();
            let wanted = BinaryRow::from_values(&row[..count], &types[..count]).unwrap().hash_code();
            assert_eq!(columns.hashes(&arrays[..count], 2).unwrap(), [wanted; 2], "{kind} {row:?}");
        }
    }
}

#[test]
fn more_buckets_than_a_table_is_made_for_are_told_apart() {
    let schema = table(&["p"], &[("bucket", "40000"), ("bucket-key", "q")]);
    let texts: Vec<String> = (0..50).map(|n| n.to_string()).collect();
    let rows: Vec<_> = (0..100).map(|n| (Some(n % 2), Some(texts[n as usize / 2].as_str()))).collect();
    let found = routed(&schema, &batch(&rows));
    assert_eq!(found.iter().map(|piece| piece.rows.num_rows()).sum::<usize>(), 100);
    let places: std::collections::HashSet<_> = found.iter().map(|piece| (&piece.partition, piece.bucket)).collect();
    assert_eq!(places.len(), found.len());
}

#[test]
fn rows_are_routed_by_the_names_of_columns() {
    let schema = table(&[], &[("bucket", "4"), ("bucket-key", "row")]);
    let ids: ArrayRef = Arc::new(Int32Array::from(vec![7, 8]));
    let other: ArrayRef = Arc::new(StringArray::from(vec!["x", "y"]));
    let rows = RecordBatch::try_from_iter([("other", other.clone()), ("row", ids)]).unwrap();
    assert_eq!(bucket_of_rows(&schema, &rows).unwrap().values(), &[3, 0]);

    let rows = RecordBatch::try_from_iter([("other", other)]).unwrap();
    let error = bucket_of_rows(&schema, &rows).unwrap_err();
    assert_eq!(error.kind(), paimon_spec::ErrorKind::InvalidInput);
    assert!(error.message().contains("'row'"), "{error}");
    let error = bucket_of_rows(&table(&[], &[]), &rows).unwrap_err();
    assert_eq!(error.kind(), paimon_spec::ErrorKind::Unsupported);
    assert!(ChannelRouter::new(&schema, 0).is_err());
}
