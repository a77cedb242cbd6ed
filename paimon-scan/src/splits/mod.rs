//! Files to splits.

mod keyed;
mod pack;
mod row_id;

use std::collections::HashMap;
use std::sync::Arc;

use paimon_io::TableStore;
use paimon_spec::{ColumnStats, DataFileMeta, DataSplit, DeletionFile, ManifestEntry, Predicate, Result};

use crate::DeletionIndex;
use crate::keyed::Keyed;
use crate::partitions::{Partition, Partitions};
use keyed::Pack;
pub(crate) use pack::Sizes;
pub(crate) use row_id::group_lengths;

/// A live file that is planned.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) entry: ManifestEntry,
    /// Whether one of its rows, as they stand in it, may be wanted.
    pub(crate) may_match: bool,
    /// Whether all of its rows, as they stand in it, are wanted.
    pub(crate) is_certain: bool,
    /// What it says of the columns that row groups are judged by.
    pub(crate) stats: Box<[ColumnStats]>,
}

impl AsRef<DataFileMeta> for Planned {
    fn as_ref(&self) -> &DataFileMeta {
        &self.entry.file
    }
}

/// What the files of a bucket mean together.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Rows<'a> {
    /// Each file has rows of its own.
    OfFiles,
    /// Rows of one key in several files are merged.
    Merged(&'a Keyed),
    /// Files of one row group have columns of the same rows. They come by row id, groups whole and in reading order.
    Grouped {
        /// Whether `.blob` files weigh their bytes.
        blobs_weigh: bool,
    },
}

/// A split, and what is known of its rows.
#[derive(Debug)]
pub(crate) struct PlannedSplit {
    pub(crate) split: DataSplit,
    /// How many of its rows are certainly wanted.
    pub(crate) certain_rows: u64,
}

/// Packs files into splits: those of one partition and bucket. Files of append tables are packed in the order of their
/// sequence numbers (Java `AppendOnlySplitGenerator`), those of primary-key tables by their keys, those of row groups by
/// their row ids.
///
/// No I/O. Groups come in the order of their first entry.
///
/// # Errors
/// `CorruptData` when a partition or a key cannot be decoded, or row ids contradict one another.
pub(crate) fn generate_splits(
    store: &TableStore,
    rows: Rows<'_>,
    snapshot_id: i64,
    files: Vec<Planned>,
    deletions: &DeletionIndex,
    sizes: Sizes,
) -> Result<Vec<PlannedSplit>> {
    let mut splits = Vec::new();
    for group in groups(store, matches!(rows, Rows::Merged(_)), files)? {
        let Group { partition, bucket, total_buckets, files } = group;
        let bucket_path = store.bucket_path(&partition.row, bucket)?;
        let packs = match rows {
            Rows::OfFiles => pack_rows(files, sizes),
            Rows::Merged(keyed) => keyed::pack(keyed, files, sizes)?,
            Rows::Grouped { blobs_weigh } => row_id::pack(files, blobs_weigh, sizes),
        };
        for Pack { files, raw } in packs {
            let all_wanted = files.iter().all(|file| file.is_certain);
            let files: Vec<DataFileMeta> = files.into_iter().map(|file| file.meta).collect();
            let mut deletions = deletions_of(deletions, &partition, bucket, &files);
            if let Rows::Grouped { .. } = rows {
                row_id::keep_those_of_anchors(&mut deletions, &files)?;
            }
            let split = DataSplit {
                snapshot_id,
                partition: partition.row.clone(),
                bucket,
                bucket_path: bucket_path.clone(),
                total_buckets,
                deletions,
                files,
                raw_convertible: raw,
                rows: Vec::new(),
            };
            let certain_rows = split.merged_row_count().filter(|_| all_wanted);
            let certain_rows = certain_rows.and_then(|rows| u64::try_from(rows).ok()).unwrap_or(0);
            splits.push(PlannedSplit { split, certain_rows });
        }
    }
    Ok(splits)
}

/// Files of an append table, which have nothing to do with one another.
fn pack_rows(mut files: Vec<Candidate>, sizes: Sizes) -> Vec<Pack> {
    files.sort_by_key(|file| file.meta.min_sequence_number);
    let packs = sizes.pack(files, |file| pack::bytes_of(&file.meta));
    packs.into_iter().map(|files| Pack { files, raw: true }).collect()
}

/// A planned file of a bucket.
#[derive(Debug)]
struct Candidate {
    meta: DataFileMeta,
    may_match: bool,
    is_certain: bool,
}

impl AsRef<DataFileMeta> for Candidate {
    fn as_ref(&self) -> &DataFileMeta {
        &self.meta
    }
}

struct Group {
    partition: Arc<Partition>,
    bucket: i32,
    /// `None`: its files do not agree.
    total_buckets: Option<i32>,
    files: Vec<Candidate>,
}

/// The files of each bucket. Where they are not merged, those of another number of buckets are of another bucket.
fn groups(store: &TableStore, merged: bool, files: Vec<Planned>) -> Result<Vec<Group>> {
    let partitions = Partitions::new(store.schema(), Predicate::Constant(true));
    let mut groups: Vec<Group> = Vec::new();
    let mut places: HashMap<(usize, i32, Option<i32>), usize> = HashMap::new();
    for Planned { entry, may_match, is_certain, .. } in files {
        let ManifestEntry { partition, bucket, total_buckets, file: meta, .. } = entry;
        let partition = partitions.get(partition.as_metadata())?;
        let total_buckets = Some(total_buckets);
        let key = (partition.number, bucket, total_buckets.filter(|_| !merged));
        let place = *places.entry(key).or_insert(groups.len());
        let file = Candidate { meta, may_match, is_certain };
        match groups.get_mut(place) {
            Some(group) => {
                group.total_buckets = group.total_buckets.filter(|total| Some(*total) == total_buckets);
                group.files.push(file);
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::{TestTable, data_file};

    #[tokio::test]
    async fn files_of_append_tables_come_in_the_order_of_their_sequence_numbers() {
        let table = TestTable::create(&[], &[]).await;
        let planned = |(name, min_sequence_number)| {
            let file = DataFileMeta { min_sequence_number, ..data_file(name, 1) };
            Planned { entry: table.add(&[], file), may_match: true, is_certain: true, stats: Box::default() }
        };
        let files = [("0", 30), ("1", 10), ("2", 20)].map(planned).into();
        let sizes = Sizes { target_bytes: 1_000, open_file_cost: 1 };
        let splits = generate_splits(&table.store, Rows::OfFiles, 1, files, &DeletionIndex::default(), sizes).unwrap();
        let [PlannedSplit { split, certain_rows }] = splits.as_slice() else { panic!("one split: {splits:?}") };
        assert_eq!(split.files.iter().map(|file| file.file_name.as_str()).collect::<Vec<_>>(), ["1", "2", "0"]);
        assert_eq!(*certain_rows, 3);
    }
}
