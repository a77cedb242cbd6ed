//! Manifest lists.

use super::avro::{ContainerWriter, Encoder, Field, Shape};
use super::record::{
    self, Bounds, Row, STATS, decode_records, encode_optional_int, encode_optional_long, encode_stats, encode_strings,
};
use crate::paths::check_file_name;
use crate::{Result, SimpleStats};

/// `_VERSION` of entries, for good.
const VERSION: i64 = 2;

/// A manifest, as an entry of a manifest list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestFileMeta {
    /// Name in the folder `manifest`.
    pub file_name: String,
    /// Bytes.
    pub file_size: i64,
    /// Entries that add a file.
    pub num_added_files: i64,
    /// Entries that remove a file.
    pub num_deleted_files: i64,
    /// Statistics of the partition columns over all entries.
    pub partition_stats: SimpleStats,
    /// The largest schema id of the entries.
    pub schema_id: i64,
    /// Smallest bucket; `None`, here and below: unknown.
    pub min_bucket: Option<i32>,
    /// Largest bucket.
    pub max_bucket: Option<i32>,
    /// Smallest level.
    pub min_level: Option<i32>,
    /// Largest level.
    pub max_level: Option<i32>,
    /// Smallest row id, in tables with row tracking.
    pub min_row_id: Option<i64>,
    /// Largest row id, inclusive.
    pub max_row_id: Option<i64>,
    /// The number of buckets, when all entries agree.
    pub total_buckets: Option<i32>,
    /// Files beside the manifest that speed up reading it.
    pub extra_files: Option<Vec<String>>,
}

/// What is read, in slots 0 to 16: the statistics take three.
const FIELDS: &[Field] = &[
    record::VERSION,
    Field::required("_FILE_NAME", Shape::Bytes),
    Field::required("_FILE_SIZE", Shape::Number),
    Field::required("_NUM_ADDED_FILES", Shape::Number),
    Field::required("_NUM_DELETED_FILES", Shape::Number),
    Field::required("_PARTITION_STATS", STATS),
    Field::required("_SCHEMA_ID", Shape::Number),
    Field::optional("_MIN_BUCKET", Shape::Number),
    Field::optional("_MAX_BUCKET", Shape::Number),
    Field::optional("_MIN_LEVEL", Shape::Number),
    Field::optional("_MAX_LEVEL", Shape::Number),
    Field::optional("_MIN_ROW_ID", Shape::Number),
    Field::optional("_MAX_ROW_ID", Shape::Number),
    Field::optional("_TOTAL_BUCKETS", Shape::Number),
    Field::optional("_EXTRA_FILES", Shape::Array(&Shape::Bytes)),
];

/// The schema that is written: Java's, names included, with the last two fields as pypaimon has them.
const SCHEMA: &str = include_str!("schema/manifest_list.avsc");

/// Decodes a manifest list.
///
/// # Errors
/// `CorruptData` when the bytes are not a manifest list, or exceed a [limit](crate::limits); `Unsupported` for an unknown `_VERSION` or codec.
pub fn decode_manifest_list(avro: &[u8]) -> Result<Vec<ManifestFileMeta>> {
    let mut manifests = Vec::new();
    decode_records(avro, FIELDS, VERSION, Bounds::LIST, &mut |row| {
        manifests.push(decode(&row)?);
        Ok(())
    })?;
    Ok(manifests)
}

fn decode(row: &Row<'_>) -> Result<ManifestFileMeta> {
    let manifest = ManifestFileMeta {
        file_name: row.string(1)?,
        file_size: row.long(2),
        num_added_files: row.long(3),
        num_deleted_files: row.long(4),
        partition_stats: row.stats(5)?,
        schema_id: row.long(8),
        min_bucket: row.optional_int(9)?,
        max_bucket: row.optional_int(10)?,
        min_level: row.optional_int(11)?,
        max_level: row.optional_int(12)?,
        min_row_id: row.record.optional_number(13),
        max_row_id: row.record.optional_number(14),
        total_buckets: row.optional_int(15)?,
        extra_files: row.strings(16)?,
    };
    check_file_name("_FILE_NAME", &manifest.file_name)?;
    Ok(manifest)
}

/// Encodes a manifest list; `compression` is `zstd`, `deflate`, `snappy` or `none`.
///
/// # Errors
/// `Unsupported` for another compression.
pub fn encode_manifest_list(manifests: &[ManifestFileMeta], compression: &str) -> Result<Vec<u8>> {
    let mut writer = ContainerWriter::new(SCHEMA, compression)?;
    for manifest in manifests {
        writer.record(|out| encode(out, manifest))?;
    }
    writer.finish()
}

fn encode(out: &mut Encoder, manifest: &ManifestFileMeta) {
    out.long(VERSION);
    out.bytes(manifest.file_name.as_bytes());
    out.long(manifest.file_size);
    out.long(manifest.num_added_files);
    out.long(manifest.num_deleted_files);
    encode_stats(out, &manifest.partition_stats);
    out.long(manifest.schema_id);
    for value in [manifest.min_bucket, manifest.max_bucket, manifest.min_level, manifest.max_level] {
        encode_optional_int(out, value);
    }
    encode_optional_long(out, manifest.min_row_id);
    encode_optional_long(out, manifest.max_row_id);
    encode_optional_int(out, manifest.total_buckets);
    out.nullable(manifest.extra_files.as_ref(), |out, names| encode_strings(out, names));
}
