//! New files of an overwrite straight to the last level. Java: `FileStoreCommitImpl.tryUpgrade`.

use std::collections::HashMap;

use paimon_spec::{BinaryRow, DataFileMeta, KeyComparator, ManifestEntry, Result, TableSchema, are_disjoint};

/// `entries` with the files of each bucket on the last level where they do not overlap, so that they are read without a
/// merge, and by readers that leave out level 0; when the table has keys and its options do not say otherwise, and no
/// file is on another level already.
pub(super) fn upgrade(schema: &TableSchema, entries: Vec<ManifestEntry>) -> Result<Vec<ManifestEntry>> {
    let options = schema.table_options();
    let is_new = |entry: &ManifestEntry| entry.file.level == 0 && entry.bucket >= 0;
    if schema.primary_keys.is_empty() || !options.overwrite_upgrade()? || !entries.iter().all(is_new) {
        return Ok(entries);
    }
    let (keys, last_level) = (KeyComparator::of(schema), options.num_levels()?.saturating_sub(1).max(0));
    let mut places: HashMap<(BinaryRow, i32), usize> = HashMap::new();
    let mut buckets: Vec<Vec<ManifestEntry>> = Vec::new();
    for entry in entries {
        let place = *places.entry((entry.partition.clone(), entry.bucket)).or_insert(buckets.len());
        if place == buckets.len() {
            buckets.push(Vec::new());
        }
        buckets[place].push(entry);
    }
    let mut upgraded = Vec::new();
    for files in buckets {
        let level = if are_disjoint(&files, &keys)? { last_level } else { 0 };
        let to_level = |entry: ManifestEntry| ManifestEntry { file: DataFileMeta { level, ..entry.file }, ..entry };
        upgraded.extend(files.into_iter().map(to_level));
    }
    Ok(upgraded)
}
