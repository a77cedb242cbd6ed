//! Rows whose bucket was decided elsewhere.

use std::collections::HashMap;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int32Type;
use paimon_io::TableStore;
use paimon_spec::{BinaryRow, BucketMode, Error, Result, decode_hash_index};

use super::IndexChanges;
use super::hash::{HashFiles, KnownHashes, LAST_BUCKET};
use crate::key_value::IncomingRows;
use crate::options::AssignedBuckets;
use crate::route::{KeyColumns, PartitionRouter, Routed};

/// Puts rows into the buckets that they say. In a table with dynamic buckets the hashes of their keys go into the HASH
/// indexes of these buckets (Java `DynamicBucketIndexMaintainer`).
pub(crate) struct GivenBuckets {
    partition: PartitionRouter,
    base_snapshot: Option<i64>,
    hashes: Option<BucketHashes>,
}

/// The hashes of the keys of some buckets.
struct BucketHashes {
    key: KeyColumns,
    files: HashFiles,
    known: HashMap<(BinaryRow, u16), KnownHashes>,
}

impl GivenBuckets {
    /// `ignores_existing`: what is there is going to be replaced.
    pub(super) async fn open(
        store: &TableStore,
        assigned: &AssignedBuckets,
        mode: BucketMode,
        ignores_existing: bool,
    ) -> Result<Self> {
        let schema = store.schema();
        let hashes = match mode {
            BucketMode::Dynamic => {
                // A newer one than the assigners had is no harm: the commit finds that it is newer.
                let snapshot = if ignores_existing { None } else { store.latest_snapshot().await? };
                let files = match &snapshot {
                    Some(snapshot) => HashFiles::of(store, snapshot).await?,
                    None => HashFiles::default(),
                };
                Some(BucketHashes { key: KeyColumns::of_trimmed_key(schema)?, files, known: HashMap::new() })
            }
            BucketMode::KeyDynamic => None,
            BucketMode::Fixed | BucketMode::Postponed | BucketMode::Unaware => {
                return Err(Error::invalid(format!(
                    "column '{}' is to hold the buckets of rows, but the table has no dynamic buckets",
                    assigned.column
                )));
            }
        };
        let base_snapshot = if ignores_existing { None } else { assigned.base_snapshot };
        Ok(Self { partition: PartitionRouter::of(schema)?, base_snapshot, hashes })
    }

    pub(super) fn base_snapshot(&self) -> Option<i64> {
        self.base_snapshot
    }

    pub(super) async fn assign(&mut self, store: &TableStore, incoming: &IncomingRows) -> Result<Vec<Routed>> {
        let IncomingRows { values, rows, buckets } = incoming;
        let buckets = buckets.as_ref().and_then(|column| column.as_primitive_opt::<Int32Type>()).ok_or_else(|| {
            Error::internal("paimon-write", "rows whose bucket was decided elsewhere came without it")
        })?;
        let last = i32::from(LAST_BUCKET);
        if let Some(wrong) = buckets.values().iter().find(|bucket| !(0..=last).contains(*bucket)) {
            return Err(Error::invalid(format!("expected a bucket from 0 to {last} for a row, found {wrong}")));
        }
        let partitioned = self.partition.route(values)?;
        if let Some(hashes) = &mut self.hashes {
            for Routed { partition, bucket, rows } in partitioned.split_by_bucket(buckets.values(), values)? {
                hashes.add(store, partition, bucket as u16, &rows).await?;
            }
        }
        partitioned.split_by_bucket(buckets.values(), rows)
    }

    /// Ends the assigner.
    pub(super) async fn write_indexes(&mut self, store: &TableStore, written: &mut IndexChanges) -> Result<()> {
        let Some(BucketHashes { files, known, .. }) = &mut self.hashes else { return Ok(()) };
        let hashes = |known: KnownHashes| known.into_added().map(|(hash, _)| hash).collect::<Vec<_>>();
        let added = known.drain().map(|(bucket, known)| (bucket, hashes(known)));
        let added = added.filter(|(_, hashes)| !hashes.is_empty()).collect();
        files.write(store, added, written).await
    }
}

impl BucketHashes {
    /// Adds the hashes of the keys of a bucket's rows.
    async fn add(&mut self, store: &TableStore, partition: BinaryRow, bucket: u16, values: &RecordBatch) -> Result<()> {
        let hashes = self.key.hashes_of(values)?;
        let place = (partition, bucket);
        if !self.known.contains_key(&place) {
            let mut known = KnownHashes::default();
            if let Some(file) = self.files.file(&place.0, bucket) {
                let bytes = store.hash_index(file, &place.0).await?;
                let hashes = decode_hash_index(&bytes)?;
                known.reserve(hashes.len());
                hashes.for_each(|hash| known.restore(hash, bucket));
            }
            self.known.insert(place.clone(), known);
        }
        if let Some(known) = self.known.get_mut(&place) {
            for hash in hashes {
                if known.get(hash).is_none() {
                    known.add(hash, bucket);
                }
            }
        }
        Ok(())
    }
}
