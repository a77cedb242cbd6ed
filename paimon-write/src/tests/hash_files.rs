//! HASH index files that Java 1.4.2 wrote (one assigner, two keys to a bucket), against ours of the same rows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Array, Decimal128Array, Int8Array, Int16Array, Int32Array, Int64Array, RecordBatch, StringArray,
};
use paimon_io::testkit;
use paimon_spec::{Schema, decode_hash_index};
use rstest::rstest;

use crate::{TableWriter, WriteOptions};

fn ints(values: &[i32]) -> ArrayRef {
    Arc::new(Int32Array::from(values.to_vec()))
}

fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn decimals(values: &[i128], precision: u8, scale: i8) -> ArrayRef {
    Arc::new(Decimal128Array::from(values.to_vec()).with_precision_and_scale(precision, scale).unwrap())
}

fn hashes(file: &str) -> BTreeSet<i32> {
    let bytes: Vec<u8> =
        (0..file.len()).step_by(2).map(|at| u8::from_str_radix(&file[at..at + 2], 16).unwrap()).collect();
    decode_hash_index(&bytes).unwrap().collect()
}

/// `columns` with their types; `java`: the file of each bucket.
#[rstest]
#[case::int(
    &[("k", "INT", ints(&[0, 1, -7, i32::MAX, i32::MIN]))],
    &["k"],
    &["5759f99eee18d2a5", "bce7d51758861e4b", "369c7cc3"]
)]
#[case::bigint(
    &[("k", "BIGINT", Arc::new(Int64Array::from(vec![0, 1, -7, i64::MAX])) as ArrayRef)],
    &["k"],
    &["5759f99eee18d2a5", "a2a00d7944469cb7"]
)]
#[case::text(
    &[("k", "STRING", texts(&["", "a", "1234567", "12345678", "h\u{e9}llo w\u{f6}rld"]))],
    &["k"],
    &["120204873839545e", "e8b17b170bdeb2ec", "2ddb06dd"]
)]
#[case::several_in_the_order_of_the_key(
    &[
        ("a", "SMALLINT", Arc::new(Int16Array::from(vec![1, -2])) as ArrayRef),
        ("b", "STRING", texts(&["x", "a longer text"])),
        ("c", "DATE", Arc::new(Date32Array::from(vec![19_000, 0]))),
        ("d", "TINYINT", Arc::new(Int8Array::from(vec![-1, 5]))),
    ],
    &["b", "a", "d", "c"],
    &["8a1fb506915aa4a4"]
)]
#[case::decimals(
    &[
        ("k", "DECIMAL(10, 2)", decimals(&[125, -9999], 10, 2)),
        ("l", "DECIMAL(30, 5)", decimals(&[-300_001, 1_234_567_890_123_456_789_012_345], 30, 5)),
    ],
    &["k", "l"],
    &["8bf09d10db5a6ebc"]
)]
#[tokio::test]
async fn hashes_are_those_in_java_files(
    #[case] columns: &[(&str, &str, ArrayRef)],
    #[case] key: &[&str],
    #[case] java: &[&str],
) {
    let fields: Vec<String> =
        columns.iter().map(|(name, kind, _)| format!(r#"{{"name": "{name}", "type": "{kind} NOT NULL"}}"#)).collect();
    let schema = format!(
        r#"{{"fields": [{}], "primaryKeys": {key:?}, "options": {{"bucket": "-1", "dynamic-bucket.target-row-num": "2"}}}}"#,
        fields.join(", ")
    );
    let table = testkit::create_table(Schema::from_json(&schema).unwrap()).await;
    let rows = columns.iter().map(|(name, _, values)| (*name, Arc::clone(values)));
    let mut writer = TableWriter::open(table.clone(), WriteOptions::default()).await.unwrap();
    writer.write(&RecordBatch::try_from_iter(rows).unwrap()).await.unwrap();

    let mut found = BTreeMap::new();
    for message in writer.prepare_commit().await.unwrap() {
        let [entry] = message.index_changes.as_slice() else { panic!("{:?}", message.index_changes) };
        let bytes = table.hash_index(entry, &entry.partition).await.unwrap();
        found.insert(message.bucket, decode_hash_index(&bytes).unwrap().collect::<BTreeSet<i32>>());
    }
    let wanted: BTreeMap<i32, BTreeSet<i32>> = (0..).zip(java.iter().map(|file| hashes(file))).collect();
    assert_eq!(found, wanted);
}
