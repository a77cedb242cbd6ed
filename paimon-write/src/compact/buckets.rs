//! The files of a snapshot by bucket, and what is known of them.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use paimon_io::TableStore;
use paimon_scan::{DeletionIndex, live_entries};
use paimon_spec::{
    BinaryRow, DELETION_VECTORS, DataFileMeta, DataSplit, DataType, Error, IndexManifestEntry, Result, Snapshot,
};

use super::BucketStats;
use crate::commit::PartitionSet;

/// The buckets that somebody asks for.
#[derive(Debug, Clone)]
pub(crate) enum Wanted {
    /// All of these partitions.
    Partitions(PartitionSet),
    /// These, with partitions in normal form.
    Buckets(HashSet<(BinaryRow, i32)>),
}

/// Files of a snapshot.
#[derive(Debug)]
pub(crate) struct Buckets {
    pub(crate) snapshot: Arc<Snapshot>,
    /// By partition and bucket.
    pub(crate) buckets: Vec<BucketFiles>,
    places: DeletionIndex,
}

/// The files of one bucket of one partition.
#[derive(Debug)]
pub(crate) struct BucketFiles {
    /// In the form that [`BinaryRow::from_values`] gives.
    pub(crate) partition: BinaryRow,
    pub(crate) bucket: i32,
    pub(crate) total_buckets: i32,
    pub(crate) files: Vec<DataFileMeta>,
    /// Index files with deletion vectors of these files.
    pub(crate) vectors: Vec<IndexManifestEntry>,
}

impl Wanted {
    fn contains(&self, partition: &BinaryRow, bucket: i32) -> Result<bool> {
        match self {
            Self::Partitions(partitions) => partitions.contains(partition),
            Self::Buckets(buckets) => Ok(buckets.contains(&(partition.clone(), bucket))),
        }
    }
}

impl Buckets {
    /// # Errors
    /// Those of reading manifests.
    pub(crate) async fn read(store: &TableStore, snapshot: Arc<Snapshot>, wanted: &Wanted) -> Result<Self> {
        let types: Vec<DataType> = store.schema().partition_fields().into_iter().map(|field| field.data_type).collect();
        // A partition that cannot be read is kept here, for its error to be reported below.
        let keep = |partition: &BinaryRow, bucket: i32| wanted.contains(partition, bucket).unwrap_or(true);
        let mut buckets: BTreeMap<(Vec<u8>, i32), BucketFiles> = BTreeMap::new();
        for entry in live_entries(store, &snapshot, &keep).await? {
            wanted.contains(&entry.partition, entry.bucket)?;
            let partition = entry.partition.normalised(&types)?;
            let bucket = buckets.entry((partition.to_metadata(), entry.bucket)).or_insert_with(|| BucketFiles {
                partition,
                bucket: entry.bucket,
                total_buckets: entry.total_buckets,
                files: Vec::new(),
                vectors: Vec::new(),
            });
            bucket.files.push(entry.file);
        }
        if let Some(name) = &snapshot.index_manifest {
            for entry in store.index_manifest(name).await?.iter() {
                let partition = entry.partition.normalised(&types)?;
                let bucket = buckets.get_mut(&(partition.to_metadata(), entry.bucket));
                if let Some(bucket) = bucket.filter(|_| entry.index_type == DELETION_VECTORS) {
                    bucket.vectors.push(IndexManifestEntry { partition, ..entry.clone() });
                }
            }
        }
        let places = DeletionIndex::load(store, &snapshot).await?;
        Ok(Self { snapshot, buckets: buckets.into_values().collect(), places })
    }

    /// Some files of one bucket, with their deletions, in the order given.
    pub(crate) fn split(
        &self,
        store: &TableStore,
        bucket: &BucketFiles,
        files: Vec<DataFileMeta>,
    ) -> Result<DataSplit> {
        let deletion =
            |file: &DataFileMeta| self.places.get(&bucket.partition, bucket.bucket, &file.file_name).cloned();
        let mut deletions: Vec<_> = files.iter().map(deletion).collect();
        if deletions.iter().all(Option::is_none) {
            deletions.clear();
        }
        Ok(DataSplit {
            snapshot_id: self.snapshot.id,
            partition: bucket.partition.clone(),
            bucket: bucket.bucket,
            bucket_path: store.bucket_path(&bucket.partition, bucket.bucket)?,
            total_buckets: Some(bucket.total_buckets),
            files,
            deletions,
            raw_convertible: false,
            rows: Vec::new(),
        })
    }
}

impl BucketFiles {
    /// Whether an index file has deletions of this file.
    pub(crate) fn has_deletions(&self, file: &DataFileMeta) -> bool {
        let vectors = self.vectors.iter().filter_map(|entry| entry.deletion_vectors.as_ref()).flatten();
        vectors.into_iter().any(|vector| vector.data_file_name == file.file_name)
    }

    pub(crate) fn stats(&self) -> Result<BucketStats> {
        let mut stats = BucketStats {
            partition: self.partition.clone(),
            bucket: self.bucket,
            files: self.files.len() as u64,
            level_0_files: self.files.iter().filter(|file| file.level == 0).count() as u64,
            bytes: 0,
            rows: 0,
        };
        for file in &self.files {
            let unsigned = |what: &str, value: i64| {
                u64::try_from(value).map_err(|_| {
                    Error::corrupt(format!("expected {what} from 0, found {value}"))
                        .with_context("file", &file.file_name)
                })
            };
            stats.bytes = stats.bytes.saturating_add(unsigned("_FILE_SIZE", file.file_size)?);
            stats.rows = stats.rows.saturating_add(unsigned("_ROW_COUNT", file.row_count)?);
        }
        Ok(stats)
    }
}
