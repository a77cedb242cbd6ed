//! Files for tests, and strategies for property tests.

use std::ops::Range;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;

use super::{DataFileMeta, FileSource};
use crate::{
    BinaryRow, DELETION_VECTORS, DataType, Datum, DeletionVectorMeta, FileKind, GlobalIndexMeta, IndexManifestEntry,
    ManifestEntry, ManifestFileMeta, SimpleStats, Timestamp, TypeKind,
};

/// A file of 100 rows of which nothing more is said.
pub(crate) fn plain_file() -> DataFileMeta {
    DataFileMeta {
        file_name: "f".into(),
        file_size: 1,
        row_count: 100,
        min_key: BinaryRow::empty(),
        max_key: BinaryRow::empty(),
        key_stats: SimpleStats::empty(),
        value_stats: SimpleStats::empty(),
        min_sequence_number: 0,
        max_sequence_number: 0,
        schema_id: 0,
        level: 0,
        extra_files: vec![],
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

/// An atomic type, and a value of it or NULL.
pub(crate) fn typed_values() -> impl Strategy<Value = (DataType, Option<Datum>)> {
    let timestamp =
        (any::<i64>(), 0..1_000_000).prop_map(|(millis, nanos)| Timestamp { millis, nanos_of_milli: nanos });
    let decimal = (1..=38_u8).prop_flat_map(|precision| {
        let limit = 10_i128.pow(precision.into()) - 1;
        (Just(precision), 0..=precision, -limit..=limit)
    });
    let value = prop_oneof![
        any::<bool>().prop_map(|v| (TypeKind::Boolean, Datum::Boolean(v))),
        any::<i8>().prop_map(|v| (TypeKind::TinyInt, Datum::TinyInt(v))),
        any::<i16>().prop_map(|v| (TypeKind::SmallInt, Datum::SmallInt(v))),
        any::<i32>().prop_map(|v| (TypeKind::Int, Datum::Int(v))),
        any::<i64>().prop_map(|v| (TypeKind::BigInt, Datum::BigInt(v))),
        any::<f32>().prop_map(|v| (TypeKind::Float, Datum::Float(v))),
        any::<f64>().prop_map(|v| (TypeKind::Double, Datum::Double(v))),
        any::<i32>().prop_map(|v| (TypeKind::Date, Datum::Date(v))),
        (0..86_400_000).prop_map(|v| (TypeKind::Time(3), Datum::Time(v))),
        ".{0,12}".prop_map(|v| (TypeKind::VarChar(DataType::MAX_LENGTH), Datum::String(v))),
        vec(any::<u8>(), 0..12).prop_map(|v| (TypeKind::VarBinary(DataType::MAX_LENGTH), Datum::Bytes(v))),
        decimal.prop_map(|(precision, scale, unscaled)| {
            (TypeKind::Decimal { precision, scale }, Datum::Decimal { unscaled, scale })
        }),
        (0..=3_u8, any::<i64>()).prop_map(|(precision, millis)| {
            (TypeKind::Timestamp(precision), Datum::Timestamp(Timestamp { millis, nanos_of_milli: 0 }))
        }),
        (4..=9_u8, timestamp).prop_map(|(precision, v)| (TypeKind::TimestampLtz(precision), Datum::Timestamp(v))),
    ];
    (value, any::<bool>()).prop_map(|((kind, value), is_null)| (DataType::nullable(kind), (!is_null).then_some(value)))
}

/// Types, and values of them.
pub(crate) fn typed_rows() -> impl Strategy<Value = (Vec<DataType>, Vec<Option<Datum>>)> {
    vec(typed_values(), 0..70).prop_map(|fields| fields.into_iter().unzip())
}

/// Rows of few fields.
pub(crate) fn rows() -> impl Strategy<Value = BinaryRow> {
    vec(typed_values(), 0..4).prop_map(|fields| {
        let (types, values): (Vec<_>, Vec<_>) = fields.into_iter().unzip();
        BinaryRow::from_values(&values, &types).unwrap()
    })
}

fn stats() -> impl Strategy<Value = SimpleStats> {
    (rows(), rows(), vec(of(any::<i64>()), 0..40)).prop_map(|(min_values, max_values, null_counts)| SimpleStats {
        min_values,
        max_values,
        null_counts,
    })
}

fn file_names() -> impl Strategy<Value = String> {
    "[-a-zA-Z0-9._ü]{1,20}x"
}

fn names() -> impl Strategy<Value = Vec<String>> {
    vec(".{0,12}", 0..4)
}

fn blobs() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..20).prop_map(Bytes::from)
}

prop_compose! {
    fn data_file()(
        (file_name, file_size, row_count) in (file_names(), any::<i64>(), any::<i64>()),
        (min_key, max_key, key_stats, value_stats) in (rows(), rows(), stats(), stats()),
        (min_sequence_number, max_sequence_number) in any::<(i64, i64)>(),
        (schema_id, level, extra_files) in (any::<i64>(), any::<i32>(), vec(file_names(), 0..3)),
        (creation_time_millis, delete_row_count) in any::<(Option<i64>, Option<i64>)>(),
        embedded_index in of(blobs()),
        file_source in of(prop_oneof![Just(FileSource::Append), Just(FileSource::Compact)]),
        (value_stats_cols, external_path) in (of(names()), of(".{0,20}")),
        (first_row_id, write_cols) in (any::<Option<i64>>(), of(names())),
        write_cols_sequences in of(vec(any::<i64>(), 0..4)),
    ) -> DataFileMeta {
        DataFileMeta {
            file_name, file_size, row_count, min_key, max_key, key_stats, value_stats, min_sequence_number,
            max_sequence_number, schema_id, level, extra_files, creation_time_millis, delete_row_count, embedded_index,
            file_source, value_stats_cols, external_path, first_row_id, write_cols, write_cols_sequences,
        }
    }
}

pub(crate) fn data_files(count: Range<usize>) -> impl Strategy<Value = Vec<DataFileMeta>> {
    vec(data_file(), count)
}

fn kinds() -> impl Strategy<Value = FileKind> {
    prop_oneof![Just(FileKind::Add), Just(FileKind::Delete)]
}

pub(crate) fn manifest_entries(count: Range<usize>) -> impl Strategy<Value = Vec<ManifestEntry>> {
    let entry = (kinds(), rows(), any::<i32>(), any::<i32>(), data_file()).prop_map(
        |(kind, partition, bucket, total_buckets, file)| ManifestEntry { kind, partition, bucket, total_buckets, file },
    );
    vec(entry, count)
}

prop_compose! {
    fn manifest_file()(
        (file_name, file_size) in (file_names(), any::<i64>()),
        (num_added_files, num_deleted_files, partition_stats, schema_id) in
            (any::<i64>(), any::<i64>(), stats(), any::<i64>()),
        (min_bucket, max_bucket, min_level, max_level) in any::<(Option<i32>, Option<i32>, Option<i32>, Option<i32>)>(),
        (min_row_id, max_row_id, total_buckets) in any::<(Option<i64>, Option<i64>, Option<i32>)>(),
        extra_files in of(names()),
    ) -> ManifestFileMeta {
        ManifestFileMeta {
            file_name, file_size, num_added_files, num_deleted_files, partition_stats, schema_id, min_bucket,
            max_bucket, min_level, max_level, min_row_id, max_row_id, total_buckets, extra_files,
        }
    }
}

pub(crate) fn manifest_files(count: Range<usize>) -> impl Strategy<Value = Vec<ManifestFileMeta>> {
    vec(manifest_file(), count)
}

prop_compose! {
    fn deletion_vector_meta()(
        data_file_name in ".{0,12}",
        (offset, length, cardinality) in any::<(i32, i32, Option<i64>)>(),
    ) -> DeletionVectorMeta {
        DeletionVectorMeta { data_file_name, offset, length, cardinality }
    }
}

prop_compose! {
    fn global_index()(
        (row_range_start, row_range_end, index_field_id) in any::<(i64, i64, i32)>(),
        extra_field_ids in of(vec(any::<i32>(), 0..3)),
        (index_meta, source_meta) in (of(blobs()), of(blobs())),
    ) -> GlobalIndexMeta {
        GlobalIndexMeta { row_range_start, row_range_end, index_field_id, extra_field_ids, index_meta, source_meta }
    }
}

prop_compose! {
    fn index_entry()(
        (kind, partition, bucket) in (kinds(), rows(), any::<i32>()),
        (index_type, file_name) in ("[A-Z_]{0,12}", file_names()),
        (file_size, row_count) in any::<(i64, i64)>(),
        deletion_vectors in of(vec(deletion_vector_meta(), 0..3)),
        (external_path, global_index) in (of(".{0,20}"), of(global_index())),
    ) -> IndexManifestEntry {
        let index_type = if deletion_vectors.is_some() { DELETION_VECTORS.to_owned() } else { index_type };
        IndexManifestEntry {
            kind, partition, bucket, index_type, file_name, file_size, row_count, deletion_vectors, external_path,
            global_index,
        }
    }
}

pub(crate) fn index_entries(count: Range<usize>) -> impl Strategy<Value = Vec<IndexManifestEntry>> {
    vec(index_entry(), count)
}
