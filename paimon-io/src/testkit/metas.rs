//! What manifests say of files, where a test does not care.

use paimon_spec::{BinaryRow, DataFileMeta, ManifestFileMeta, SimpleStats};

/// A data file of `size` bytes and `rows` rows, written with schema 0, without statistics.
pub fn data_file(name: &str, size: i64, rows: i64) -> DataFileMeta {
    DataFileMeta {
        file_name: name.to_owned(),
        file_size: size,
        row_count: rows,
        min_key: BinaryRow::empty(),
        max_key: BinaryRow::empty(),
        key_stats: SimpleStats::empty(),
        value_stats: SimpleStats::empty(),
        min_sequence_number: 0,
        max_sequence_number: 0,
        schema_id: 0,
        level: 0,
        extra_files: Vec::new(),
        creation_time_millis: None,
        delete_row_count: None,
        embedded_index: None,
        file_source: None,
        value_stats_cols: None,
        external_path: None,
        first_row_id: None,
        write_cols: None,
        write_cols_sequences: None,
    }
}

/// A manifest of `size` bytes that adds one file and deletes none, without statistics.
pub fn manifest_file(name: &str, size: i64) -> ManifestFileMeta {
    ManifestFileMeta {
        file_name: name.to_owned(),
        file_size: size,
        num_added_files: 1,
        num_deleted_files: 0,
        partition_stats: SimpleStats::empty(),
        schema_id: 0,
        min_bucket: None,
        max_bucket: None,
        min_level: None,
        max_level: None,
        min_row_id: None,
        max_row_id: None,
        total_buckets: None,
        extra_files: None,
    }
}
