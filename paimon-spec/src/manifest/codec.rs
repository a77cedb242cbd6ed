//! Decoding and encoding manifests.

use super::avro::{ContainerWriter, Encoder, Field, Shape, Slot};
use super::record::{
    self, Bounds, Row, STATS, decode_records, encode_optional_blob, encode_optional_long, encode_optional_string,
    encode_stats, encode_strings,
};
use super::{EntryHead, FileKind, ManifestEntry, ManifestFileMeta};
use crate::{BinaryRow, DataFileMeta, Error, FileSource, Result, limits};

/// `_VERSION` of entries, for good.
const VERSION: i64 = 2;

/// What is read of an entry. The places of the values are in [`slot`].
const FIELDS: &[Field] = &[
    record::VERSION,
    Field::required("_KIND", Shape::Number),
    Field::required("_PARTITION", Shape::Bytes),
    Field::required("_BUCKET", Shape::Number),
    Field::required("_TOTAL_BUCKETS", Shape::Number),
    Field::required("_FILE", Shape::Record(FILE_FIELDS)),
];

const FILE_FIELDS: &[Field] = &[
    Field::required("_FILE_NAME", Shape::Bytes),
    Field::required("_FILE_SIZE", Shape::Number),
    Field::required("_ROW_COUNT", Shape::Number),
    Field::required("_MIN_KEY", Shape::Bytes),
    Field::required("_MAX_KEY", Shape::Bytes),
    Field::required("_KEY_STATS", STATS),
    Field::required("_VALUE_STATS", STATS),
    Field::required("_MIN_SEQUENCE_NUMBER", Shape::Number),
    Field::required("_MAX_SEQUENCE_NUMBER", Shape::Number),
    Field::required("_SCHEMA_ID", Shape::Number),
    Field::required("_LEVEL", Shape::Number),
    Field::optional("_EXTRA_FILES", Shape::Array(&Shape::Bytes)),
    Field::optional("_CREATION_TIME", Shape::Number),
    Field::optional("_DELETE_ROW_COUNT", Shape::Number),
    Field::optional("_EMBEDDED_FILE_INDEX", Shape::Bytes),
    Field::optional("_FILE_SOURCE", Shape::Number),
    Field::optional("_VALUE_STATS_COLS", Shape::Array(&Shape::Bytes)),
    Field::optional("_EXTERNAL_PATH", Shape::Bytes),
    Field::optional("_FIRST_ROW_ID", Shape::Number),
    Field::optional("_WRITE_COLS", Shape::Array(&Shape::Bytes)),
    Field::optional("_WRITE_COLS_SEQUENCES", Shape::Array(&Shape::Number)),
];

/// Where the values of [`FIELDS`] are in a record.
pub(super) mod slot {
    use super::Slot;

    pub(in crate::manifest) const KIND: Slot = 1;
    pub(in crate::manifest) const PARTITION: Slot = 2;
    pub(in crate::manifest) const BUCKET: Slot = 3;
    pub(in crate::manifest) const TOTAL_BUCKETS: Slot = 4;
    pub(in crate::manifest) const FILE_NAME: Slot = 5;
    pub(in crate::manifest) const FILE_SIZE: Slot = 6;
    pub(in crate::manifest) const ROW_COUNT: Slot = 7;
    pub(in crate::manifest) const MIN_KEY: Slot = 8;
    pub(in crate::manifest) const MAX_KEY: Slot = 9;
    pub(in crate::manifest) const KEY_STATS: Slot = 10;
    pub(in crate::manifest) const VALUE_STATS: Slot = 13;
    pub(in crate::manifest) const MIN_SEQUENCE_NUMBER: Slot = 16;
    pub(in crate::manifest) const MAX_SEQUENCE_NUMBER: Slot = 17;
    pub(in crate::manifest) const SCHEMA_ID: Slot = 18;
    pub(in crate::manifest) const LEVEL: Slot = 19;
    pub(in crate::manifest) const EXTRA_FILES: Slot = 20;
    pub(in crate::manifest) const CREATION_TIME: Slot = 21;
    pub(in crate::manifest) const DELETE_ROW_COUNT: Slot = 22;
    pub(in crate::manifest) const EMBEDDED_FILE_INDEX: Slot = 23;
    pub(in crate::manifest) const FILE_SOURCE: Slot = 24;
    pub(in crate::manifest) const VALUE_STATS_COLS: Slot = 25;
    pub(in crate::manifest) const EXTERNAL_PATH: Slot = 26;
    pub(in crate::manifest) const FIRST_ROW_ID: Slot = 27;
    pub(in crate::manifest) const WRITE_COLS: Slot = 28;
    pub(in crate::manifest) const WRITE_COLS_SEQUENCES: Slot = 29;
}

/// The schema that is written: Java's, names included.
const SCHEMA: &str = include_str!("schema/manifest.avsc");

/// How many entries a manifest has, as the manifest list says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryCounts {
    /// Entries that add a file.
    pub added: i64,
    /// Entries that remove a file.
    pub deleted: i64,
}

impl From<&ManifestFileMeta> for EntryCounts {
    fn from(meta: &ManifestFileMeta) -> Self {
        Self { added: meta.num_added_files, deleted: meta.num_deleted_files }
    }
}

/// Decodes a manifest. `keep` sees each entry's head first; only kept ones are built and passed to `visit`. With
/// `counts`, decoding ends as soon as there are more entries.
///
/// The rows of an entry share the memory of its block, unless that is large. A manifest grows to 1 GiB at
/// most and its blocks to 256 MiB, so that damaged or hostile bytes cannot exhaust the memory.
///
/// ```
/// use paimon_spec::{FileKind, decode_manifest, encode_manifest};
///
/// let manifest = encode_manifest(&[], "zstd")?;
/// let mut added = Vec::new();
/// decode_manifest(&manifest, None, &mut |head| head.kind == FileKind::Add, &mut |entry| {
///     added.push(entry);
///     Ok(())
/// })?;
/// assert!(added.is_empty());
/// # Ok::<(), paimon_spec::Error>(())
/// ```
///
/// # Errors
/// `CorruptData` when the bytes are not a manifest, or have other `counts`; `Unsupported` for an unknown `_VERSION` or codec; those of `visit`.
pub fn decode_manifest(
    avro: &[u8],
    counts: Option<EntryCounts>,
    keep: &mut dyn FnMut(&EntryHead<'_>) -> bool,
    visit: &mut dyn FnMut(ManifestEntry) -> Result<()>,
) -> Result<()> {
    let records = counts.map_or(u64::MAX, |counts| counts.added.saturating_add(counts.deleted).max(0) as u64);
    let bounds = Bounds { bytes: limits::MANIFEST_BYTES, records };
    let mut partition = BinaryRow::empty();
    let mut found = EntryCounts { added: 0, deleted: 0 };
    decode_records(avro, FIELDS, VERSION, bounds, &mut |row| {
        let head = EntryHead::new(&row)?;
        match head.kind {
            FileKind::Add => found.added += 1,
            FileKind::Delete => found.deleted += 1,
        }
        if !keep(&head) {
            return Ok(());
        }
        // Entries of one partition tend to follow one another.
        if partition.as_metadata() != head.partition {
            partition = row.row(slot::PARTITION)?;
        }
        let (kind, bucket, total_buckets) = (head.kind, head.bucket, head.total_buckets);
        let file = decode_file(&row)?;
        visit(ManifestEntry { kind, partition: partition.clone(), bucket, total_buckets, file })
    })?;
    match counts {
        Some(counts) if counts != found => Err(Error::corrupt(format!(
            "expected {} added and {} deleted files in a manifest, found {} and {}",
            counts.added, counts.deleted, found.added, found.deleted
        ))),
        _ => Ok(()),
    }
}

fn decode_file(row: &Row<'_>) -> Result<DataFileMeta> {
    let file = DataFileMeta {
        file_name: row.string(slot::FILE_NAME)?,
        file_size: row.long(slot::FILE_SIZE),
        row_count: row.long(slot::ROW_COUNT),
        min_key: row.row(slot::MIN_KEY)?,
        max_key: row.row(slot::MAX_KEY)?,
        key_stats: row.stats(slot::KEY_STATS)?,
        value_stats: row.stats(slot::VALUE_STATS)?,
        min_sequence_number: row.long(slot::MIN_SEQUENCE_NUMBER),
        max_sequence_number: row.long(slot::MAX_SEQUENCE_NUMBER),
        schema_id: row.long(slot::SCHEMA_ID),
        level: row.int(slot::LEVEL)?,
        extra_files: row.strings(slot::EXTRA_FILES)?.unwrap_or_default(),
        creation_time_millis: row.record.optional_number(slot::CREATION_TIME),
        delete_row_count: row.record.optional_number(slot::DELETE_ROW_COUNT),
        embedded_index: row.optional_blob(slot::EMBEDDED_FILE_INDEX),
        file_source: row.optional_int(slot::FILE_SOURCE)?.map(FileSource::from_code).transpose()?,
        value_stats_cols: row.strings(slot::VALUE_STATS_COLS)?,
        external_path: row.optional_string(slot::EXTERNAL_PATH)?,
        first_row_id: row.record.optional_number(slot::FIRST_ROW_ID),
        write_cols: row.strings(slot::WRITE_COLS)?,
        write_cols_sequences: row.longs(slot::WRITE_COLS_SEQUENCES)?,
    };
    file.check_names()?;
    Ok(file)
}

/// Encodes a manifest with Java's record names; `compression` is `zstd`, `deflate`, `snappy` or `none`.
///
/// # Errors
/// `Unsupported` for another compression.
pub fn encode_manifest(entries: &[ManifestEntry], compression: &str) -> Result<Vec<u8>> {
    let mut writer = ContainerWriter::new(SCHEMA, compression)?;
    for entry in entries {
        writer.record(|out| {
            out.long(VERSION);
            out.long(entry.kind.code().into());
            out.bytes(entry.partition.as_metadata());
            out.long(entry.bucket.into());
            out.long(entry.total_buckets.into());
            encode_file(out, &entry.file);
        })?;
    }
    writer.finish()
}

fn encode_file(out: &mut Encoder, file: &DataFileMeta) {
    out.bytes(file.file_name.as_bytes());
    out.long(file.file_size);
    out.long(file.row_count);
    out.bytes(file.min_key.as_metadata());
    out.bytes(file.max_key.as_metadata());
    encode_stats(out, &file.key_stats);
    encode_stats(out, &file.value_stats);
    out.long(file.min_sequence_number);
    out.long(file.max_sequence_number);
    out.long(file.schema_id);
    out.long(file.level.into());
    encode_strings(out, &file.extra_files);
    encode_optional_long(out, file.creation_time_millis);
    encode_optional_long(out, file.delete_row_count);
    encode_optional_blob(out, file.embedded_index.as_ref());
    encode_optional_long(out, file.file_source.map(|source| source.code().into()));
    let strings = |out: &mut Encoder, names: &Vec<String>| encode_strings(out, names);
    out.nullable(file.value_stats_cols.as_ref(), strings);
    encode_optional_string(out, file.external_path.as_ref());
    encode_optional_long(out, file.first_row_id);
    out.nullable(file.write_cols.as_ref(), strings);
    out.nullable(file.write_cols_sequences.as_ref(), |out, values| {
        out.array(values, |out, value| out.long(*value));
    });
}
