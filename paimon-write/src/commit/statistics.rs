//! What manifests and snapshots say about the files in them.

#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::collections::HashMap;

use futures::future::try_join;
use paimon_io::TableStore;
use paimon_spec::predicate::compare;
use paimon_spec::{
    BinaryRow, DataField, DataType, Datum, Error, FileKind, ManifestEntry, ManifestFileMeta, Result, SimpleStats,
    Snapshot,
};

/// The entry of a manifest list for a manifest of `entries`, of which there is at least one (Java `ManifestFile`).
pub(super) fn describe_manifest(
    file_name: String,
    file_size: i64,
    entries: &[ManifestEntry],
    partition_fields: &[DataField],
) -> Result<ManifestFileMeta> {
    let deleted = entries.iter().filter(|entry| entry.kind == FileKind::Delete).count() as i64;
    let range = |value: fn(&ManifestEntry) -> i32| (entries.iter().map(value).min(), entries.iter().map(value).max());
    let (min_bucket, max_bucket) = range(|entry| entry.bucket);
    let (min_level, max_level) = range(|entry| entry.file.level);
    let (min_row_id, max_row_id) = row_ids(entries).unzip();
    Ok(ManifestFileMeta {
        file_name,
        file_size,
        num_added_files: entries.len() as i64 - deleted,
        num_deleted_files: deleted,
        partition_stats: partition_stats(entries, partition_fields)?,
        schema_id: entries.iter().map(|entry| entry.file.schema_id).max().unwrap_or(0),
        min_bucket,
        max_bucket,
        min_level,
        max_level,
        min_row_id,
        max_row_id,
        total_buckets: None,
        extra_files: None,
    })
}

/// What a plan has to read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ManifestStats {
    /// Manifests.
    pub files: u64,
    /// Bytes of these.
    pub bytes: u64,
    /// Entries in these, deletions of files among them.
    pub entries: u64,
}

/// How many manifests a plan of `snapshot` reads, and how much is in them.
pub(crate) async fn manifest_stats(store: &TableStore, snapshot: &Snapshot) -> Result<ManifestStats> {
    let (base, delta) = try_join(
        store.manifest_list(&snapshot.base_manifest_list, snapshot.base_manifest_list_size),
        store.manifest_list(&snapshot.delta_manifest_list, snapshot.delta_manifest_list_size),
    )
    .await?;
    let mut stats = ManifestStats::default();
    for manifest in base.iter().chain(delta.iter()) {
        stats.files += 1;
        stats.bytes = stats.bytes.saturating_add(u64::try_from(manifest.file_size).unwrap_or(0));
        let entries = manifest.num_added_files.saturating_add(manifest.num_deleted_files);
        stats.entries = stats.entries.saturating_add(u64::try_from(entries).unwrap_or(0));
    }
    Ok(stats)
}

/// Rows added less rows deleted.
///
/// # Errors
/// `CorruptData` when the sum is not a number of rows any more.
pub(super) fn row_count(entries: &[ManifestEntry]) -> Result<i64> {
    let signed = |entry: &ManifestEntry| match entry.kind {
        FileKind::Add => entry.file.row_count,
        FileKind::Delete => entry.file.row_count.saturating_neg(),
    };
    entries
        .iter()
        .try_fold(0_i64, |sum, entry| sum.checked_add(signed(entry)))
        .ok_or_else(|| Error::corrupt("expected files whose rows can be counted, found more than 2^63 rows"))
}

/// Smallest and largest row id of the entries' files, when all have some.
fn row_ids(entries: &[ManifestEntry]) -> Option<(i64, i64)> {
    entries.iter().try_fold((i64::MAX, i64::MIN), |(min, max), entry| {
        let first = entry.file.first_row_id?;
        Some((min.min(first), max.max(first.checked_add(entry.file.row_count)? - 1)))
    })
}

/// Smallest, largest and missing partition values, uncut.
fn partition_stats(entries: &[ManifestEntry], fields: &[DataField]) -> Result<SimpleStats> {
    let types: Vec<DataType> = fields.iter().map(|field| field.data_type.clone()).collect();
    let mut files_of: HashMap<&BinaryRow, i64> = HashMap::new();
    for entry in entries {
        *files_of.entry(&entry.partition).or_default() += 1;
    }
    let mut min: Vec<Option<Datum>> = vec![None; types.len()];
    let mut max = min.clone();
    let mut null_counts = vec![0; types.len()];
    for (partition, files) in files_of {
        for (at, value) in partition.values(&types)?.into_iter().enumerate() {
            let Some(value) = value else {
                null_counts[at] += files;
                continue;
            };
            let beats = |bound: &Option<Datum>, wanted: Ordering| {
                bound.as_ref().is_none_or(|bound| compare::compare(&value, bound) == Some(wanted))
            };
            if beats(&min[at], Ordering::Less) {
                min[at] = Some(value.clone());
            }
            if beats(&max[at], Ordering::Greater) {
                max[at] = Some(value);
            }
        }
    }
    let types: Vec<DataType> = types.into_iter().map(|data_type| DataType::nullable(data_type.kind)).collect();
    Ok(SimpleStats {
        min_values: BinaryRow::from_values(&min, &types)?,
        max_values: BinaryRow::from_values(&max, &types)?,
        null_counts: null_counts.into_iter().map(Some).collect(),
    })
}

/// Whether a manifest may hold entries of one of `partitions` (their values), by its partition statistics.
pub(super) fn may_hold(manifest: &ManifestFileMeta, partitions: &[Vec<Option<Datum>>], types: &[DataType]) -> bool {
    let stats = &manifest.partition_stats;
    let (Ok(min), Ok(max)) = (stats.min_values.values(types), stats.max_values.values(types)) else { return true };
    let field_may = |at: usize, value: &Option<Datum>| match value {
        None => !matches!(stats.null_counts.get(at), Some(Some(0))),
        Some(value) => {
            let within = |bound: &Option<Datum>, outside: Ordering| {
                bound.as_ref().is_none_or(|bound| compare::compare(value, bound) != Some(outside))
            };
            within(&min[at], Ordering::Less) && within(&max[at], Ordering::Greater)
        }
    };
    partitions.iter().any(|values| values.iter().enumerate().all(|(at, value)| field_may(at, value)))
}
