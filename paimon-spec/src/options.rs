//! Typed table options.

mod buckets;
mod compaction;
mod keys;
mod misspelt;
mod per_level;
mod value;

use std::collections::BTreeMap;

use self::keys::{FALLBACK_KEYS, KEYS, ValueType};
use self::value::parse_bytes;
use crate::{Error, Result};

pub use compaction::LookupCompactMode;
pub use keys::IMMUTABLE_OPTIONS;
pub use misspelt::{misspelt_options, nearest_key};
pub use value::parse_duration_millis;

const MB: u64 = 1 << 20;

/// A typed view of a table's options, with the format's defaults and fallback keys (Java `CoreOptions`).
///
/// Errors are `InvalidInput` and name the key and its value.
///
/// ```
/// use std::collections::BTreeMap;
/// use paimon_spec::TableOptions;
///
/// let map = BTreeMap::from([("target-file-size".to_owned(), "64 mb".to_owned())]);
/// let options = TableOptions::new(&map);
/// assert_eq!(options.target_file_bytes(false)?, 64 << 20);
/// assert_eq!(options.bucket()?, -1);
/// # Ok::<(), paimon_spec::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct TableOptions<'a> {
    map: &'a BTreeMap<String, String>,
}

/// Which statistics of a column are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatsMode {
    /// Nothing.
    None,
    /// Null counts only.
    Counts,
    /// Min and max cut to n characters or bytes.
    Truncate(usize),
    /// Min and max whole.
    Full,
}

impl StatsMode {
    /// Parses `none`, `counts`, `full` or `truncate(n)`, in any case. `None` when the text is none of them.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        match text.as_str() {
            "none" => Some(Self::None),
            "counts" => Some(Self::Counts),
            "full" => Some(Self::Full),
            _ => {
                let length = text.strip_prefix("truncate(")?.strip_suffix(')')?.trim().parse().ok()?;
                (length > 0).then_some(Self::Truncate(length))
            }
        }
    }
}

/// How rows find their bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BucketFunction {
    /// Murmur hash of the bucket key.
    Default,
    /// Floored modulus of one integer.
    Mod,
    /// Hive's hash.
    Hive,
}

impl<'a> TableOptions<'a> {
    /// A view of `map`.
    pub fn new(map: &'a BTreeMap<String, String>) -> Self {
        Self { map }
    }

    /// Raw value by key, looking at fallback keys too.
    pub fn get(&self, key: &str) -> Option<&'a str> {
        if let Some(value) = self.map.get(key) {
            return Some(value);
        }
        let (_, old_keys) = FALLBACK_KEYS.iter().find(|(new, _)| *new == key)?;
        old_keys.iter().find_map(|old| self.map.get(*old)).map(String::as_str)
    }

    /// `bucket`: a number of buckets, -1 unaware or dynamic, -2 postponed.
    pub fn bucket(&self) -> Result<i32> {
        self.number("bucket", -1)
    }

    /// `bucket-function.type`
    pub fn bucket_function(&self) -> Result<BucketFunction> {
        let key = "bucket-function.type";
        match self.get(key).map(str::to_ascii_lowercase).as_deref() {
            None | Some("default") => Ok(BucketFunction::Default),
            Some("mod") => Ok(BucketFunction::Mod),
            Some("hive") => Ok(BucketFunction::Hive),
            Some(value) => Err(invalid_value(key, value, "'default', 'mod' or 'hive'")),
        }
    }

    /// `bucket-key`: column names; empty when not set.
    pub fn bucket_key(&self) -> Vec<&'a str> {
        // Names are not trimmed: `a, b` names the columns `a` and ` b`, as in Java.
        let text = self.get("bucket-key").filter(|text| !text.trim().is_empty());
        text.map(|text| text.split(',').collect()).unwrap_or_default()
    }

    /// `file.format`, in lower case.
    pub fn file_format(&self) -> Result<String> {
        Ok(self.text("file.format", "parquet").to_ascii_lowercase())
    }

    /// `file.compression`, in lower case.
    pub fn file_compression(&self) -> Result<String> {
        Ok(self.text("file.compression", "zstd").to_ascii_lowercase())
    }

    /// `file.compression.zstd-level`
    pub fn file_compression_zstd_level(&self) -> Result<i32> {
        self.number("file.compression.zstd-level", 1)
    }

    /// `target-file-size`
    pub fn target_file_bytes(&self, has_primary_key: bool) -> Result<u64> {
        self.bytes("target-file-size", if has_primary_key { 128 * MB } else { 256 * MB })
    }

    /// `target-file-row-num`
    pub fn target_file_rows(&self) -> Result<u64> {
        let key = "target-file-row-num";
        let rows: i64 = self.number(key, i64::MAX)?;
        u64::try_from(rows).ok().filter(|rows| *rows > 0).ok_or_else(|| invalid_value(key, rows, "at least 1"))
    }

    /// `fields.<column>.stats-mode`, else `metadata.stats-mode`.
    pub fn stats_mode(&self, column: &str) -> Result<StatsMode> {
        let column_key = format!("fields.{column}.stats-mode");
        let (key, value) = match self.get(&column_key) {
            Some(value) => (column_key.as_str(), value),
            None => ("metadata.stats-mode", self.text("metadata.stats-mode", "truncate(16)")),
        };
        StatsMode::parse(value)
            .ok_or_else(|| invalid_value(key, value, "'none', 'counts', 'full' or 'truncate(n)' with n from 1"))
    }

    /// Whether `fields.<column>.stats-mode` is set: then `metadata.stats-keep-first-n-columns` does not count.
    pub fn has_own_stats_mode(&self, column: &str) -> bool {
        self.map.contains_key(&format!("fields.{column}.stats-mode"))
    }

    /// `metadata.stats-dense-store`: columns without statistics are left out of `_VALUE_STATS`.
    pub fn stats_dense_store(&self) -> Result<bool> {
        self.boolean("metadata.stats-dense-store", true)
    }

    /// `metadata.stats-keep-first-n-columns`: negative for all.
    pub fn stats_keep_first_n_columns(&self) -> Result<i32> {
        self.number("metadata.stats-keep-first-n-columns", -1)
    }

    /// `source.split.target-size`
    pub fn split_target_bytes(&self) -> Result<u64> {
        self.bytes("source.split.target-size", 128 * MB)
    }

    /// `source.split.open-file-cost`
    pub fn split_open_file_cost_bytes(&self) -> Result<u64> {
        self.bytes("source.split.open-file-cost", 4 * MB)
    }

    /// `manifest.target-file-size`
    pub fn manifest_target_bytes(&self) -> Result<u64> {
        self.bytes("manifest.target-file-size", 8 * MB)
    }

    /// `manifest.merge-min-count`
    pub fn manifest_merge_min_count(&self) -> Result<usize> {
        self.count("manifest.merge-min-count", 30)
    }

    /// `manifest.full-compaction-threshold-size`
    pub fn manifest_full_compaction_bytes(&self) -> Result<u64> {
        self.bytes("manifest.full-compaction-threshold-size", 16 * MB)
    }

    /// `manifest.delete-file-drop-stats`: deletions of files have no statistics.
    pub fn manifest_delete_file_drop_stats(&self) -> Result<bool> {
        self.boolean("manifest.delete-file-drop-stats", false)
    }

    /// `manifest.compression`, in lower case.
    pub fn manifest_compression(&self) -> Result<String> {
        Ok(self.text("manifest.compression", "zstd").to_ascii_lowercase())
    }

    /// `partition.default-name`: the name of NULL and blank values.
    pub fn partition_default_name(&self) -> &'a str {
        self.text("partition.default-name", "__DEFAULT_PARTITION__")
    }

    /// `partition.legacy-name`: names are Java texts, not casts.
    pub fn partition_legacy_name(&self) -> Result<bool> {
        self.boolean("partition.legacy-name", true)
    }

    /// `dynamic-partition-overwrite`
    pub fn dynamic_partition_overwrite(&self) -> Result<bool> {
        self.boolean("dynamic-partition-overwrite", true)
    }

    /// `commit.max-retries`
    pub fn commit_max_retries(&self) -> Result<u32> {
        self.number("commit.max-retries", 10)
    }

    /// `commit.min-retry-wait`
    pub fn commit_min_retry_wait_millis(&self) -> Result<u64> {
        self.millis("commit.min-retry-wait").map(|millis| millis.unwrap_or(10))
    }

    /// `commit.max-retry-wait`
    pub fn commit_max_retry_wait_millis(&self) -> Result<u64> {
        self.millis("commit.max-retry-wait").map(|millis| millis.unwrap_or(10_000))
    }

    /// `commit.timeout`: `None` for no limit.
    pub fn commit_timeout_millis(&self) -> Result<Option<u64>> {
        self.millis("commit.timeout")
    }

    /// `commit.user-prefix`
    pub fn commit_user_prefix(&self) -> Option<&'a str> {
        self.get("commit.user-prefix")
    }

    /// `data-file.prefix`
    pub fn data_file_prefix(&self) -> &'a str {
        self.text("data-file.prefix", "data-")
    }

    /// `data-file.path-directory`: where data files are below the table root.
    pub fn data_file_path_directory(&self) -> Option<&'a str> {
        self.get("data-file.path-directory")
    }

    /// `write-buffer-size`
    pub fn write_buffer_bytes(&self) -> Result<u64> {
        self.bytes("write-buffer-size", 256 * MB)
    }

    /// `write-buffer-spillable`
    pub fn write_buffer_spillable(&self) -> Result<bool> {
        self.boolean("write-buffer-spillable", true)
    }

    /// `write-buffer-spill.max-disk-size`
    pub fn write_buffer_spill_max_disk_bytes(&self) -> Result<u64> {
        self.bytes("write-buffer-spill.max-disk-size", u64::MAX)
    }

    /// `data-file.thin-mode`: keys are not stored a second time beside the columns that they are made of.
    pub fn data_file_thin_mode(&self) -> Result<bool> {
        self.boolean("data-file.thin-mode", false)
    }

    /// `changelog-file.prefix`
    pub fn changelog_file_prefix(&self) -> &'a str {
        self.text("changelog-file.prefix", "changelog-")
    }

    /// `write.sequence-number-init-mode`: whether new sequence numbers follow the largest one that snapshots keep
    /// (`snapshot`), too, and not only those of the files that are there (`scan`).
    pub fn sequence_numbers_follow_snapshot(&self) -> Result<bool> {
        let key = "write.sequence-number-init-mode";
        match self.get(key).map(str::to_ascii_lowercase).as_deref() {
            None | Some("scan") => Ok(false),
            Some("snapshot") => Ok(true),
            Some(value) => Err(invalid_value(key, value, "'scan' or 'snapshot'")),
        }
    }

    /// Whether files of level 0 of a primary-key table are no rows to batch readers until they are compacted: those of
    /// merge engine `first-row`, and those of tables with deletion vectors that are not merged on read (Java
    /// `CoreOptions.batchScanSkipLevel0`).
    pub fn batch_reads_skip_level_zero(&self) -> Result<bool> {
        if self.deletion_vectors_enabled()? {
            return Ok(!self.boolean("deletion-vectors.merge-on-read", false)?);
        }
        Ok(self.get("merge-engine").is_some_and(|engine| engine.eq_ignore_ascii_case("first-row")))
    }

    /// `deletion-vectors.enabled`
    pub fn deletion_vectors_enabled(&self) -> Result<bool> {
        self.boolean("deletion-vectors.enabled", false)
    }

    /// `deletion-vectors.bitmap64`: new vectors have 64-bit positions.
    pub fn deletion_vectors_bitmap64(&self) -> Result<bool> {
        self.boolean("deletion-vectors.bitmap64", false)
    }

    /// `deletion-vector.index-file.target-size`
    pub fn deletion_vector_index_file_bytes(&self) -> Result<u64> {
        self.bytes("deletion-vector.index-file.target-size", 2 << 20)
    }

    /// `index-file-in-data-file-dir`: index files are beside the data files of their bucket.
    pub fn index_files_beside_data(&self) -> Result<bool> {
        self.boolean("index-file-in-data-file-dir", false)
    }

    /// `row-tracking.enabled`
    pub fn row_tracking_enabled(&self) -> Result<bool> {
        self.boolean("row-tracking.enabled", false)
    }

    /// `data-evolution.enabled`
    pub fn data_evolution_enabled(&self) -> Result<bool> {
        self.boolean("data-evolution.enabled", false)
    }

    /// `blob-field`: columns whose values are kept in `.blob` files.
    pub fn blob_fields(&self) -> Vec<&'a str> {
        self.names("blob-field")
    }

    /// `blob-descriptor-field`: BLOB columns kept as descriptors in data files.
    pub fn blob_descriptor_fields(&self) -> Vec<&'a str> {
        self.names("blob-descriptor-field")
    }

    /// `blob-view-field`: BLOB columns kept as references to other tables in data files.
    pub fn blob_view_fields(&self) -> Vec<&'a str> {
        self.names("blob-view-field")
    }

    /// `blob-as-descriptor`: readers get descriptors of BLOB values instead of their bytes.
    pub fn blob_as_descriptor(&self) -> Result<bool> {
        self.boolean("blob-as-descriptor", false)
    }

    /// `blob-view.resolve.enabled`: readers get what references to other tables stand for.
    pub fn blob_view_resolve_enabled(&self) -> Result<bool> {
        self.boolean("blob-view.resolve.enabled", true)
    }

    /// `blob.target-file-size`
    pub fn blob_target_file_bytes(&self) -> Result<u64> {
        self.bytes("blob.target-file-size", self.target_file_bytes(false)?)
    }

    /// `blob.split-by-file-size`: `.blob` files count with their size when splits are made.
    pub fn blob_split_by_file_size(&self) -> Result<bool> {
        self.boolean("blob.split-by-file-size", !self.blob_as_descriptor()?)
    }

    /// `blob-write-null-on-missing-file`: a descriptor to be copied whose object is not there becomes NULL.
    pub fn blob_write_null_on_missing_file(&self) -> Result<bool> {
        self.boolean("blob-write-null-on-missing-file", false)
    }

    /// `blob-write-null-on-fetch-failure`: a descriptor to be copied whose object cannot be read becomes NULL.
    pub fn blob_write_null_on_fetch_failure(&self) -> Result<bool> {
        self.boolean("blob-write-null-on-fetch-failure", false)
    }

    /// `blob-descriptor.allowed-prefixes` (ours, of the caller: a table does not set it for itself): where descriptors in
    /// data may point, besides the table's own places:
    /// URLs between commas.
    pub fn blob_allowed_prefixes(&self) -> Vec<&'a str> {
        self.names("blob-descriptor.allowed-prefixes")
    }

    /// `file-io.read-coalesce.max-gap` (pypaimon's): ranges of one file with at most so many bytes between them are read
    /// together.
    pub fn read_coalesce_gap_bytes(&self) -> Result<Option<u64>> {
        let key = "file-io.read-coalesce.max-gap";
        self.get(key).map(|_| self.bytes(key, 0)).transpose()
    }

    /// `row-tracking.partition-group-on-commit`: row ids are given partition by partition.
    pub fn row_tracking_partition_group_on_commit(&self) -> Result<bool> {
        self.boolean("row-tracking.partition-group-on-commit", true)
    }

    /// Option `type`: `table` when absent.
    pub fn table_type(&self) -> &'a str {
        self.text("type", "table")
    }

    /// A value that is `true` or `false`, in any case.
    pub(crate) fn boolean(&self, key: &str, default: bool) -> Result<bool> {
        match self.get(key) {
            None => Ok(default),
            Some(value) => parse_boolean(value).ok_or_else(|| invalid_value(key, value, "'true' or 'false'")),
        }
    }

    pub(crate) fn number<T: std::str::FromStr>(&self, key: &str, default: T) -> Result<T> {
        match self.get(key) {
            None => Ok(default),
            Some(value) => value.trim().parse().map_err(|_| invalid_value(key, value, "a number in range")),
        }
    }

    fn count(&self, key: &str, default: usize) -> Result<usize> {
        self.number(key, default)
    }

    pub(crate) fn bytes(&self, key: &str, default: u64) -> Result<u64> {
        match self.get(key) {
            None => Ok(default),
            Some(value) => parse_bytes(value).ok_or_else(|| invalid_value(key, value, BYTES_WANTED)),
        }
    }

    fn millis(&self, key: &str) -> Result<Option<u64>> {
        let parse = |value| parse_duration_millis(value).ok_or_else(|| invalid_value(key, value, DURATION_WANTED));
        self.get(key).map(parse).transpose()
    }

    /// Names between commas, trimmed; empty ones do not count.
    pub(crate) fn names(&self, key: &str) -> Vec<&'a str> {
        self.text(key, "").split(',').map(str::trim).filter(|name| !name.is_empty()).collect()
    }

    fn text(&self, key: &str, default: &'a str) -> &'a str {
        self.get(key).unwrap_or(default)
    }
}

const BYTES_WANTED: &str = "a size such as '128 mb'";
const DURATION_WANTED: &str = "a duration such as '10 s'";

/// Checks that the value of a known key is of the key's type; values of other keys are free.
///
/// # Errors
/// `InvalidInput` that names key and value.
pub fn check_option(key: &str, value: &str) -> Result<()> {
    if key.starts_with("fields.") && key.ends_with(".stats-mode") && StatsMode::parse(value).is_none() {
        return Err(invalid_value(key, value, "'none', 'counts', 'full' or 'truncate(n)' with n from 1"));
    }
    let Some((value_type, _)) = KEYS.iter().find(|(_, keys)| keys.contains(&key)) else {
        return Ok(());
    };
    let trimmed = value.trim();
    let (valid, wanted) = match value_type {
        ValueType::Boolean => (parse_boolean(value).is_some(), "'true' or 'false'"),
        ValueType::Int => (trimmed.parse::<i32>().is_ok(), "a 32-bit number"),
        ValueType::Long => (trimmed.parse::<i64>().is_ok(), "a 64-bit number"),
        ValueType::Double => (trimmed.parse::<f64>().is_ok(), "a number"),
        ValueType::Bytes => (parse_bytes(value).is_some(), BYTES_WANTED),
        ValueType::Duration => (parse_duration_millis(value).is_some(), DURATION_WANTED),
        ValueType::Text => (true, ""),
    };
    if valid { Ok(()) } else { Err(invalid_value(key, value, wanted)) }
}

fn parse_boolean(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

fn invalid_value(key: &str, value: impl std::fmt::Display, wanted: &str) -> Error {
    Error::invalid(format!("option '{key}' must be {wanted}, found '{value}'"))
}

#[cfg(test)]
mod tests;
