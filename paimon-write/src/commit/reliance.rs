//! Whether what a commit was made from is still as it was, besides the files that it deletes.
//!
//! A compaction leaves out deletes, and writes changelogs, by what is above level 0 of its bucket. Who gives keys a bucket
//! goes by the hash index of their partition; who moves keys between partitions goes by all rows. None of it shows in the
//! files that are added and deleted, so a message says as of which snapshot it was made
//! ([`CommitMessage::check_from_snapshot`]), and the snapshots since are looked at here.

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use paimon_io::TableStore;
use paimon_scan::delta_entries;
use paimon_spec::{
    BinaryRow, BucketMode, CommitKind, CommitMessage, DataType, Error, ErrorKind, HASH_INDEX, IndexManifestEntry,
    Result, Snapshot, TableSchema,
};

use super::conflict::Conflict;
use crate::existing::describe_partition;

/// What one snapshot relies on, each with the snapshot as of which it was seen; 0: on the empty table.
#[derive(Debug, Default)]
pub(super) struct Reliance {
    /// Buckets whose files above level 0 stay as they are.
    levels: HashMap<(BinaryRow, i32), i64>,
    /// Partitions whose hash index stays as it is.
    hashes: HashMap<BinaryRow, HashIndex>,
    /// All rows stay as they are.
    rows: Option<i64>,
}

/// How a commit relies on the hash index of a partition.
#[derive(Debug, Clone, Copy)]
struct HashIndex {
    as_of: i64,
    /// Whether new keys get a bucket: nobody else may have given them one. Else the known keys must be known still.
    grows: bool,
}

impl Reliance {
    /// What the compactions of `messages` rely on.
    pub(super) fn of_compactions(schema: &TableSchema, messages: &[CommitMessage]) -> Result<Self> {
        let types = partition_types(schema);
        let mut levels = HashMap::new();
        let keyed = !schema.primary_keys.is_empty();
        for message in messages.iter().filter(|message| keyed && message.compacts()) {
            if let Some(as_of) = message.check_from_snapshot {
                let bucket = (message.partition.normalised(&types)?, message.bucket);
                let oldest = levels.entry(bucket).or_insert(as_of);
                *oldest = as_of.min(*oldest);
            }
        }
        Ok(Self { levels, ..Self::default() })
    }

    /// What the rows that `messages` add rely on.
    pub(super) fn of_rows(schema: &TableSchema, messages: &[CommitMessage]) -> Result<Self> {
        match schema.bucket_mode()? {
            BucketMode::Dynamic => Self::of_hashed_rows(schema, messages),
            BucketMode::KeyDynamic => {
                let writes = messages.iter().filter(|message| adds_rows(message) || !message.deleted_files.is_empty());
                let oldest = writes.map(|message| message.check_from_snapshot).reduce(oldest_named);
                Ok(Self { rows: oldest.map(|oldest| oldest.unwrap_or(0)), ..Self::default() })
            }
            BucketMode::Fixed | BucketMode::Postponed | BucketMode::Unaware => Ok(Self::default()),
        }
    }

    fn of_hashed_rows(schema: &TableSchema, messages: &[CommitMessage]) -> Result<Self> {
        let types = partition_types(schema);
        let mut hashes = HashMap::new();
        for message in messages {
            let grows = message.index_changes.iter().any(|change| change.index_type == HASH_INDEX);
            let as_of = match message.check_from_snapshot {
                None if !grows => continue,
                as_of => as_of.unwrap_or(0),
            };
            if grows || adds_rows(message) {
                let known = hashes.entry(message.partition.normalised(&types)?).or_insert(HashIndex { as_of, grows });
                *known = HashIndex { as_of: as_of.min(known.as_of), grows: grows || known.grows };
            }
        }
        Ok(Self { hashes, ..Self::default() })
    }

    /// What has changed up to `latest`, if anything; what has not is not looked at again.
    ///
    /// # Errors
    /// `CommitConflict` when that cannot be told, because snapshots are gone; those of reading them.
    pub(super) async fn find_conflict(
        &mut self,
        store: &TableStore,
        latest: Option<&Snapshot>,
    ) -> Result<Option<Conflict>> {
        let latest_id = latest.map_or(0, |latest| latest.id);
        let seen = self.levels.values().chain(self.hashes.values().map(|index| &index.as_of)).chain(&self.rows);
        if let Some(newer) = seen.copied().find(|as_of| *as_of > latest_id) {
            return Err(gone(newer));
        }
        let Some(latest) = latest else { return Ok(None) };
        if let Some(conflict) = self.find_compacted(store, latest).await? {
            return Ok(Some(conflict));
        }
        if let Some(conflict) = self.find_written(store, latest).await? {
            return Ok(Some(conflict));
        }
        self.find_hashed(store, latest).await
    }

    async fn find_compacted(&mut self, store: &TableStore, latest: &Snapshot) -> Result<Option<Conflict>> {
        let Some(oldest) = self.levels.values().copied().min() else { return Ok(None) };
        let types = partition_types(store.schema());
        for id in oldest.saturating_add(1)..=latest.id {
            for entry in delta_entries(store, &*snapshot_since(store, latest, id).await?).await? {
                if entry.file.level == 0 {
                    continue;
                }
                let bucket = (entry.partition.normalised(&types)?, entry.bucket);
                if self.levels.get(&bucket).is_some_and(|as_of| *as_of < id) {
                    return Ok(Some(Conflict::BucketCompacted { file: entry.file.file_name, snapshot: id }));
                }
            }
        }
        self.levels.values_mut().for_each(|as_of| *as_of = latest.id);
        Ok(None)
    }

    async fn find_written(&mut self, store: &TableStore, latest: &Snapshot) -> Result<Option<Conflict>> {
        let Some(as_of) = self.rows else { return Ok(None) };
        for id in as_of.saturating_add(1)..=latest.id {
            match snapshot_since(store, latest, id).await?.commit_kind {
                CommitKind::Compact | CommitKind::Analyze => {}
                CommitKind::Append | CommitKind::Overwrite => {
                    return Ok(Some(Conflict::RowsWritten { as_of, snapshot: id }));
                }
            }
        }
        self.rows = Some(latest.id);
        Ok(None)
    }

    async fn find_hashed(&mut self, store: &TableStore, latest: &Snapshot) -> Result<Option<Conflict>> {
        if self.hashes.is_empty() {
            return Ok(None);
        }
        let types = partition_types(store.schema());
        let now = hash_files(&index_files(store, latest).await?, &types)?;
        // Most commits rely on one snapshot.
        let mut then: HashMap<i64, HashMap<BinaryRow, BTreeSet<String>>> = HashMap::new();
        for (partition, HashIndex { as_of, grows }) in &mut self.hashes {
            if *as_of == latest.id {
                continue;
            }
            if !then.contains_key(as_of) {
                let files = match *as_of {
                    0 => HashMap::new(),
                    id => hash_files(&index_files(store, &*snapshot_since(store, latest, id).await?).await?, &types)?,
                };
                then.insert(*as_of, files);
            }
            let is_same = then.get(as_of).and_then(|files| files.get(partition)) == now.get(partition);
            if !is_same && (*grows || was_overwritten(store, latest, *as_of).await?) {
                let partition = describe_partition(store, partition)?;
                return Ok(Some(Conflict::BucketsGiven { partition, as_of: *as_of }));
            }
            *as_of = latest.id;
        }
        Ok(None)
    }
}

fn adds_rows(message: &CommitMessage) -> bool {
    !message.new_files.is_empty()
}

/// The older of two snapshots, where either is named.
fn oldest_named(a: Option<i64>, b: Option<i64>) -> Option<i64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (named, None) | (None, named) => named,
    }
}

/// Names of the hash index files of each partition.
fn hash_files(index: &[IndexManifestEntry], types: &[DataType]) -> Result<HashMap<BinaryRow, BTreeSet<String>>> {
    let mut files: HashMap<BinaryRow, BTreeSet<String>> = HashMap::new();
    for entry in index.iter().filter(|entry| entry.index_type == HASH_INDEX) {
        files.entry(entry.partition.normalised(types)?).or_default().insert(entry.file_name.clone());
    }
    Ok(files)
}

async fn index_files(store: &TableStore, snapshot: &Snapshot) -> Result<Arc<Vec<IndexManifestEntry>>> {
    match &snapshot.index_manifest {
        Some(name) => store.index_manifest(name).await,
        None => Ok(Arc::default()),
    }
}

/// Whether a snapshot since `as_of` has replaced rows: a hash index that is another one by then may have lost keys.
async fn was_overwritten(store: &TableStore, latest: &Snapshot, as_of: i64) -> Result<bool> {
    for id in as_of.saturating_add(1)..=latest.id {
        if snapshot_since(store, latest, id).await?.commit_kind == CommitKind::Overwrite {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A snapshot between one that something was made from and the latest.
///
/// # Errors
/// `CommitConflict` when it has expired.
pub(super) async fn snapshot_since(store: &TableStore, latest: &Snapshot, id: i64) -> Result<Arc<Snapshot>> {
    if id == latest.id {
        return Ok(Arc::new(latest.clone()));
    }
    store.snapshot(id).await?.ok_or_else(|| gone(id))
}

fn partition_types(schema: &TableSchema) -> Vec<DataType> {
    schema.partition_fields().into_iter().map(|field| field.data_type).collect()
}

fn gone(snapshot: i64) -> Error {
    Error::new(
        ErrorKind::CommitConflict,
        format!(
            "whether what was committed since has changed what this commit was made from cannot be told, because snapshot \
             {snapshot} is gone: make the commit again from a newer snapshot"
        ),
    )
}
