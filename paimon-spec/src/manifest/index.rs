//! Index manifests.

use bytes::Bytes;

use super::FileKind;
use super::avro::{ContainerWriter, Encoder, Field, Record, Shape};
use super::record::{
    self, Bounds, Row, decode_records, encode_optional_blob, encode_optional_long, encode_optional_string,
};
use crate::paths::check_file_name;
use crate::{BinaryRow, Error, Result};

/// `_VERSION` of entries, for good.
const VERSION: i64 = 1;

/// Index type of deletion vectors.
pub const DELETION_VECTORS: &str = "DELETION_VECTORS";

/// An entry of an index manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexManifestEntry {
    /// Whether the file is added or removed; an index manifest has additions only.
    pub kind: FileKind,
    /// Values of the partition columns.
    pub partition: BinaryRow,
    /// The bucket, from 0.
    pub bucket: i32,
    /// [`DELETION_VECTORS`], `HASH`, or the name of a global index.
    pub index_type: String,
    /// Name in the folder `index`.
    pub file_name: String,
    /// Bytes.
    pub file_size: i64,
    /// Vectors, for deletion vectors; else rows or hashes.
    pub row_count: i64,
    /// Where the vectors are in the file, for deletion vectors.
    pub deletion_vectors: Option<Vec<DeletionVectorMeta>>,
    /// Full URI of a file outside the table's folder.
    pub external_path: Option<String>,
    /// What a global index covers.
    pub global_index: Option<GlobalIndexMeta>,
}

/// Where the deletion vector of one data file is: `f0`, `f1`, `f2`, `_CARDINALITY` of `_DELETIONS_VECTORS_RANGES`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeletionVectorMeta {
    /// Without a folder; unique within a bucket of a partition.
    pub data_file_name: String,
    /// Where the vector starts in the index file.
    pub offset: i32,
    /// As [`crate::DeletionFile::length`].
    pub length: i32,
    /// Number of deleted rows; `None`: unknown.
    pub cardinality: Option<i64>,
}

/// `_GLOBAL_INDEX` of an index manifest entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GlobalIndexMeta {
    /// First row id that is covered.
    pub row_range_start: i64,
    /// Last row id that is covered.
    pub row_range_end: i64,
    /// The indexed column.
    pub index_field_id: i32,
    /// Further columns in the index.
    pub extra_field_ids: Option<Vec<i32>>,
    /// Whatever the index type keeps.
    pub index_meta: Option<Bytes>,
    /// What the index was built from.
    pub source_meta: Option<Bytes>,
}

/// What is read, in slots 0 to 15: `_GLOBAL_INDEX` takes six.
const FIELDS: &[Field] = &[
    record::VERSION,
    Field::required("_KIND", Shape::Number),
    Field::required("_PARTITION", Shape::Bytes),
    Field::required("_BUCKET", Shape::Number),
    Field::required("_INDEX_TYPE", Shape::Bytes),
    Field::required("_FILE_NAME", Shape::Bytes),
    Field::required("_FILE_SIZE", Shape::Number),
    Field::required("_ROW_COUNT", Shape::Number),
    Field::optional("_DELETIONS_VECTORS_RANGES", Shape::Array(&Shape::Record(RANGE_FIELDS))),
    Field::optional("_EXTERNAL_PATH", Shape::Bytes),
    Field::optional("_GLOBAL_INDEX", Shape::Record(GLOBAL_INDEX_FIELDS)),
];

const RANGE_FIELDS: &[Field] = &[
    Field::required("f0", Shape::Bytes),
    Field::required("f1", Shape::Number),
    Field::required("f2", Shape::Number),
    Field::optional("_CARDINALITY", Shape::Number),
];

const GLOBAL_INDEX_FIELDS: &[Field] = &[
    Field::required("_ROW_RANGE_START", Shape::Number),
    Field::required("_ROW_RANGE_END", Shape::Number),
    Field::required("_INDEX_FIELD_ID", Shape::Number),
    Field::optional("_EXTRA_FIELD_IDS", Shape::Array(&Shape::Number)),
    Field::optional("_INDEX_META", Shape::Bytes),
    Field::optional("_SOURCE_META", Shape::Bytes),
];

/// The schema that is written: Java's, names included.
const SCHEMA: &str = include_str!("schema/index_manifest.avsc");

/// Decodes an index manifest.
///
/// # Errors
/// `CorruptData` when the bytes are not an index manifest, or exceed a [limit](crate::limits); `Unsupported` for an unknown `_VERSION` or codec.
pub fn decode_index_manifest(avro: &[u8]) -> Result<Vec<IndexManifestEntry>> {
    let mut entries = Vec::new();
    decode_records(avro, FIELDS, VERSION, Bounds::LIST, &mut |row| {
        entries.push(decode(&row)?);
        Ok(())
    })?;
    Ok(entries)
}

fn decode(row: &Row<'_>) -> Result<IndexManifestEntry> {
    let entry = IndexManifestEntry {
        kind: FileKind::from_code(row.int(1)?)?,
        partition: row.row(2)?,
        bucket: row.int(3)?,
        index_type: row.string(4)?,
        file_name: row.string(5)?,
        file_size: row.long(6),
        row_count: row.long(7),
        deletion_vectors: row.list(8, |range| decode_range(row, range))?,
        external_path: row.optional_string(9)?,
        global_index: row.record.is_present(10).then(|| decode_global_index(row)).transpose()?,
    };
    check_file_name("_FILE_NAME", &entry.file_name)?;
    // Deletion vectors that nobody finds would bring rows back to life.
    if entry.deletion_vectors.is_some() != (entry.index_type == DELETION_VECTORS) {
        return Err(Error::corrupt(format!(
            "expected the places of deletion vectors in an index of type {DELETION_VECTORS} and in no other, found one \
             of type {}",
            entry.index_type
        )));
    }
    Ok(entry)
}

fn decode_range(row: &Row<'_>, range: &Record<'_>) -> Result<DeletionVectorMeta> {
    Ok(DeletionVectorMeta {
        data_file_name: row.text(8, range.bytes(0))?.to_owned(),
        offset: row.to_int(8, range.number(1))?,
        length: row.to_int(8, range.number(2))?,
        cardinality: range.optional_number(3),
    })
}

fn decode_global_index(row: &Row<'_>) -> Result<GlobalIndexMeta> {
    Ok(GlobalIndexMeta {
        row_range_start: row.long(10),
        row_range_end: row.long(11),
        index_field_id: row.int(12)?,
        extra_field_ids: row.list(13, |item| row.to_int(13, item.number(0)))?,
        index_meta: row.optional_blob(14),
        source_meta: row.optional_blob(15),
    })
}

/// Encodes an index manifest; `compression` is `zstd`, `deflate`, `snappy` or `none`.
///
/// # Errors
/// `Unsupported` for another compression.
pub fn encode_index_manifest(entries: &[IndexManifestEntry], compression: &str) -> Result<Vec<u8>> {
    let mut writer = ContainerWriter::new(SCHEMA, compression)?;
    for entry in entries {
        writer.record(|out| encode(out, entry))?;
    }
    writer.finish()
}

fn encode(out: &mut Encoder, entry: &IndexManifestEntry) {
    out.long(VERSION);
    out.long(entry.kind.code().into());
    out.bytes(entry.partition.as_metadata());
    out.long(entry.bucket.into());
    out.bytes(entry.index_type.as_bytes());
    out.bytes(entry.file_name.as_bytes());
    out.long(entry.file_size);
    out.long(entry.row_count);
    out.nullable(entry.deletion_vectors.as_ref(), |out, ranges| {
        out.array(ranges, |out, range| {
            out.bytes(range.data_file_name.as_bytes());
            out.long(range.offset.into());
            out.long(range.length.into());
            encode_optional_long(out, range.cardinality);
        });
    });
    encode_optional_string(out, entry.external_path.as_ref());
    out.nullable(entry.global_index.as_ref(), |out, index| {
        out.long(index.row_range_start);
        out.long(index.row_range_end);
        out.long(index.index_field_id.into());
        out.nullable(index.extra_field_ids.as_ref(), |out, ids| out.array(ids, |out, id| out.long((*id).into())));
        encode_optional_blob(out, index.index_meta.as_ref());
        encode_optional_blob(out, index.source_meta.as_ref());
    });
}
