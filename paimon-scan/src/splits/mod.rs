//! Files to splits.

mod append;

use std::collections::HashMap;
use std::sync::Arc;

use paimon_io::TableStore;
use paimon_spec::{DataFileMeta, DataSplit, DeletionFile, ManifestEntry, Predicate, Result};

use crate::DeletionIndex;
use crate::partitions::{Partition, Partitions};

/// Packs live entries into splits: the files of one partition, bucket and number of buckets, in the order of their
/// sequence numbers, up to about `target_bytes` a split, where a file weighs at least `open_file_cost` bytes.
///
/// No I/O. Groups come in the order of their first entry.
///
/// # Errors
/// `CorruptData` when a partition cannot be decoded.
pub fn generate_splits(
    store: &TableStore,
    snapshot_id: i64,
    entries: Vec<ManifestEntry>,
    deletions: &DeletionIndex,
    target_bytes: u64,
    open_file_cost: u64,
) -> Result<Vec<DataSplit>> {
    let mut splits = Vec::new();
    for group in groups(store, entries)? {
        let Group { partition, bucket, total_buckets, files } = group;
        let bucket_path = store.bucket_path(&partition.row, bucket)?;
        for files in append::pack(files, target_bytes, open_file_cost) {
            splits.push(DataSplit {
                snapshot_id,
                partition: partition.row.clone(),
                bucket,
                bucket_path: bucket_path.clone(),
                total_buckets: Some(total_buckets),
                deletions: deletions_of(deletions, &partition, bucket, &files),
                files,
                raw_convertible: true,
                rows: Vec::new(),
            });
        }
    }
    Ok(splits)
}

struct Group {
    partition: Arc<Partition>,
    bucket: i32,
    total_buckets: i32,
    files: Vec<DataFileMeta>,
}

fn groups(store: &TableStore, entries: Vec<ManifestEntry>) -> Result<Vec<Group>> {
    let partitions = Partitions::new(store.schema(), Predicate::Constant(true));
    let mut groups: Vec<Group> = Vec::new();
    let mut places: HashMap<(usize, i32, i32), usize> = HashMap::new();
    for ManifestEntry { partition, bucket, total_buckets, file, .. } in entries {
        let partition = partitions.get(partition.as_metadata())?;
        let place = *places.entry((partition.number, bucket, total_buckets)).or_insert(groups.len());
        match groups.get_mut(place) {
            Some(group) => group.files.push(file),
            None => groups.push(Group { partition, bucket, total_buckets, files: vec![file] }),
        }
    }
    Ok(groups)
}

/// One for each file, or none at all.
fn deletions_of(
    deletions: &DeletionIndex,
    partition: &Partition,
    bucket: i32,
    files: &[DataFileMeta],
) -> Vec<Option<DeletionFile>> {
    if deletions.is_empty() {
        return Vec::new();
    }
    let of_files: Vec<_> =
        files.iter().map(|file| deletions.get(&partition.row, bucket, &file.file_name).cloned()).collect();
    if of_files.iter().any(Option::is_some) { of_files } else { Vec::new() }
}
