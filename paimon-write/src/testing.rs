//! Values that tests are made of.

use std::collections::BTreeMap;
use std::ops::Range;

use paimon_io::{TableStore, testkit};
use paimon_spec::{
    BinaryRow, CommitMessage, DataField, DataFileMeta, DataType, Datum, FileKind, FileSource, ManifestEntry, Schema,
    TableSchema, TypeKind,
};

use crate::{BATCH_IDENTIFIER, CommitMode, CommitRequest};

/// `p INT` (the partition, when asked for), `id INT`, and options.
pub(crate) fn schema(partitioned: bool, options: &[(&str, &str)]) -> Schema {
    let int = || DataType::nullable(TypeKind::Int);
    Schema {
        fields: vec![DataField::new(0, "p", int()), DataField::new(1, "id", int())],
        partition_keys: if partitioned { vec!["p".to_owned()] } else { Vec::new() },
        options: options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        ..Schema::default()
    }
}

pub(crate) fn table_schema(partitioned: bool, options: &[(&str, &str)]) -> TableSchema {
    TableSchema::create(schema(partitioned, options), 0).unwrap()
}

pub(crate) fn partition(p: Option<i32>) -> BinaryRow {
    BinaryRow::from_values(&[p.map(Datum::Int)], &[DataType::nullable(TypeKind::Int)]).unwrap()
}

/// A partition of one NULL as some writers have it: the null bit and an empty slot, without room for the value.
pub(crate) fn bare_null() -> BinaryRow {
    let metadata = [&1_u32.to_be_bytes()[..], &[0, 1, 0, 0, 0, 0, 0, 0], &[0; 8]].concat();
    BinaryRow::from_metadata(&metadata).unwrap()
}

pub(crate) fn data_file(name: &str) -> DataFileMeta {
    DataFileMeta {
        max_sequence_number: 9,
        creation_time_millis: Some(0),
        delete_row_count: Some(0),
        file_source: Some(FileSource::Append),
        value_stats_cols: Some(Vec::new()),
        ..testkit::data_file(name, 100, 10)
    }
}

/// A file of a [`keyed`] table, on a level, of these keys.
pub(crate) fn sorted_file(name: &str, level: i32, keys: Range<i64>) -> DataFileMeta {
    let key = |k| BinaryRow::from_values(&[Some(Datum::BigInt(k))], &[DataType::not_null(TypeKind::BigInt)]).unwrap();
    DataFileMeta { level, min_key: key(keys.start), max_key: key(keys.end - 1), ..data_file(name) }
}

/// An entry of a table without partitions and buckets.
pub(crate) fn entry(kind: FileKind, name: &str) -> ManifestEntry {
    entry_in(kind, BinaryRow::empty(), name)
}

pub(crate) fn entry_in(kind: FileKind, partition: BinaryRow, name: &str) -> ManifestEntry {
    ManifestEntry { kind, partition, bucket: 0, total_buckets: -1, file: data_file(name) }
}

/// A message of new files.
pub(crate) fn adds(partition: BinaryRow, names: &[&str]) -> CommitMessage {
    CommitMessage {
        new_files: names.iter().map(|name| data_file(name)).collect(),
        ..CommitMessage::of(partition, 0, -1)
    }
}

/// A batch commit.
pub(crate) async fn request(table: &TableStore, mode: CommitMode) -> CommitRequest {
    CommitRequest {
        user: "tester".to_owned(),
        identifier: BATCH_IDENTIFIER,
        mode,
        properties: BTreeMap::new(),
        table_identity: table.identity().await.unwrap(),
    }
}

/// Names of the live files of the latest snapshot, sorted.
pub(crate) async fn live_files(table: &TableStore) -> Vec<String> {
    let Some(snapshot) = table.latest_snapshot().await.unwrap() else { return Vec::new() };
    let entries = paimon_scan::live_entries(table, &snapshot, &|_, _| true).await.unwrap();
    let mut names: Vec<String> = entries.into_iter().map(|entry| entry.file.file_name).collect();
    names.sort_unstable();
    names
}

/// `p INT NOT NULL` (the partition, when asked for), `k BIGINT NOT NULL` (the key), `v STRING`, `n INT`, and options.
pub(crate) fn keyed(partitioned: bool, options: &[(&str, &str)]) -> Schema {
    let required = DataType::not_null;
    let keys = if partitioned { vec!["p".to_owned(), "k".to_owned()] } else { vec!["k".to_owned()] };
    Schema {
        fields: vec![
            DataField::new(0, "p", required(TypeKind::Int)),
            DataField::new(1, "k", required(TypeKind::BigInt)),
            DataField::new(2, "v", DataType::string()),
            DataField::new(3, "n", DataType::nullable(TypeKind::Int)),
        ],
        primary_keys: keys,
        ..schema(partitioned, options)
    }
}

pub(crate) fn keyed_schema(partitioned: bool, options: &[(&str, &str)]) -> TableSchema {
    TableSchema::create(keyed(partitioned, options), 0).unwrap()
}
