use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Int32Array, Int64Array, StringArray};
use arrow::datatypes::Int64Type;
use paimon_io::arrow_schema;
use paimon_spec::{DataField, Datum, Schema};
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

fn numbers(rows: &RecordBatch) -> Vec<i64> {
    rows.column(2).as_primitive::<Int64Type>().values().to_vec()
}

#[test]
fn a_table_without_partitions_and_buckets_takes_the_batch_as_it_is() {
    let batch = batch(&[(Some(1), None), (Some(2), None)]);
    let routed = Router::of(&table(&[], &[])).unwrap().route(&batch).unwrap();
    assert_eq!(routed.len(), 1);
    assert_eq!((routed[0].bucket, &routed[0].partition), (0, &BinaryRow::empty()));
    assert_eq!(routed[0].rows, batch);
}

#[test]
fn rows_of_a_partition_keep_their_order() {
    let batch = batch(&[(Some(2), None), (None, None), (Some(2), None), (Some(1), None), (None, None)]);
    let routed = Router::of(&table(&["p"], &[])).unwrap().route(&batch).unwrap();
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
    let routed = Router::of(&table(&["q", "p"], &[])).unwrap().route(&batch).unwrap();
    let types = [DataType::string(), DataType::nullable(TypeKind::Int)];
    let values = routed[0].partition.values(&types).unwrap();
    assert_eq!(values, [Some(Datum::String("x".to_owned())), Some(Datum::Int(1))]);
}

// The buckets that the format's other writers give these keys.
#[rstest]
#[case::ints("p", &[(0, 3), (1, 2), (2, 0), (3, 1), (4, 2), (5, 0), (6, 0), (7, 3), (8, 0), (9, 3)])]
fn buckets_are_those_of_other_writers(#[case] key: &str, #[case] expected: &[(i32, i32)]) {
    let router = Router::of(&table(&[], &[("bucket", "4"), ("bucket-key", key)])).unwrap();
    for (value, bucket) in expected {
        let routed = router.route(&batch(&[(Some(*value), None)])).unwrap();
        assert_eq!(routed[0].bucket, *bucket, "key {value}");
    }
}

#[test]
fn without_a_bucket_key_all_rows_are_in_one_bucket() {
    let mut schema = table(&[], &[]);
    schema.options.insert("bucket".to_owned(), "4".to_owned());
    let routed = Router::of(&schema).unwrap().route(&batch(&[(Some(1), None), (Some(2), None), (None, None)])).unwrap();
    assert_eq!(routed.len(), 1);
    assert_eq!(routed[0].bucket, bucket_of(BucketFunction::Default, &BinaryRow::empty(), &[], 4).unwrap());
    assert_eq!(numbers(&routed[0].rows), [0, 1, 2]);
}

#[test]
fn an_empty_batch_goes_nowhere() {
    assert!(Router::of(&table(&["p"], &[])).unwrap().route(&batch(&[])).unwrap().is_empty());
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

        let routed = Router::of(&schema).unwrap().route(&batch(&views)).unwrap();
        let found: BTreeMap<(Vec<u8>, i32), Vec<i64>> = routed
            .iter()
            .map(|piece| ((piece.partition.to_metadata(), piece.bucket), numbers(&piece.rows)))
            .collect();
        prop_assert_eq!(found.len(), routed.len());
        prop_assert_eq!(found, expected);
    }
}
