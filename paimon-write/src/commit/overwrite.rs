//! Which partitions are replaced, and by that which files go.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

use paimon_io::TableStore;
use paimon_scan::live_entries;
use paimon_spec::{
    BinaryRow, BucketMode, DataType, Datum, Error, FileKind, IndexManifestEntry, ManifestEntry, Result, Snapshot,
    TableSchema,
};

use crate::existing::describe_partition;

/// The values that some of a partition's columns must have.
type PartitionSpec = Vec<(usize, Option<Datum>)>;

/// A set of partitions of one table.
#[derive(Debug, Clone)]
pub(crate) struct PartitionSet {
    types: Vec<DataType>,
    members: Members,
}

#[derive(Debug, Clone)]
enum Members {
    All,
    /// Normalised rows: equal values in other bytes are the same partition.
    Exactly(HashSet<BinaryRow>),
    /// Those that match one of the specs.
    Matching(Vec<PartitionSpec>),
}

impl PartitionSet {
    pub(crate) fn all(schema: &TableSchema) -> Self {
        Self { types: partition_types(schema), members: Members::All }
    }

    pub(crate) fn exactly(schema: &TableSchema, partitions: impl Iterator<Item = BinaryRow>) -> Result<Self> {
        let types = partition_types(schema);
        let members = partitions.map(|partition| partition.normalised(&types)).collect::<Result<_>>()?;
        Ok(Self { types, members: Members::Exactly(members) })
    }

    pub(crate) fn matching(schema: &TableSchema, specs: Vec<PartitionSpec>) -> Self {
        Self { types: partition_types(schema), members: Members::Matching(specs) }
    }

    /// # Errors
    /// `CorruptData` when the partition's bytes are not a partition of the table.
    pub(crate) fn contains(&self, partition: &BinaryRow) -> Result<bool> {
        match &self.members {
            Members::All => Ok(true),
            Members::Exactly(members) => {
                Ok(members.contains(partition) || members.contains(&partition.normalised(&self.types)?))
            }
            Members::Matching(specs) => {
                let values = partition.values(&self.types)?;
                Ok(specs.iter().any(|spec| spec.iter().all(|(at, value)| values.get(*at) == Some(value))))
            }
        }
    }

    /// Refuses to replace these partitions by new rows while others stay, in a table whose keys may be in any: nobody
    /// knows which of the new keys are in those.
    ///
    /// # Errors
    /// `Unsupported`, naming a partition that would stay.
    pub(super) async fn check_none_stays(&self, store: &TableStore, snapshot: &Snapshot) -> Result<()> {
        let stays = |partition: &BinaryRow, _bucket: i32| !self.contains(partition).unwrap_or(false);
        let Some(entry) = live_entries(store, snapshot, &stays).await?.into_iter().next() else { return Ok(()) };
        Err(Error::unsupported(format!(
            "rows of some partitions cannot be replaced in a table whose keys may move between partitions, because \
             {} stays, and may have the same keys: overwrite the whole table ('dynamic-partition-overwrite' = \
             'false'), or write without overwriting",
            describe_partition(store, &entry.partition)?
        )))
    }

    /// The live files of these partitions.
    pub(crate) async fn live_entries(&self, store: &TableStore, snapshot: &Snapshot) -> Result<Vec<ManifestEntry>> {
        // A partition that cannot be read is kept here, for its error to be reported below.
        let keep = |partition: &BinaryRow, _bucket: i32| self.contains(partition).unwrap_or(true);
        let entries = live_entries(store, snapshot, &keep).await?;
        entries.iter().try_for_each(|entry| self.contains(&entry.partition).map(|_| ()))?;
        Ok(entries)
    }
}

/// Deletions of all of `live`. Files that wait in a postponed bucket go where the table has such buckets: elsewhere they
/// are no rows, and nobody makes them some (Java `OverwriteChangesProvider`).
pub(super) fn delete_all(live: &[ManifestEntry], mode: BucketMode) -> impl Iterator<Item = ManifestEntry> + '_ {
    let goes = move |entry: &&ManifestEntry| entry.bucket >= 0 || mode == BucketMode::Postponed;
    live.iter().filter(goes).map(|entry| ManifestEntry { kind: FileKind::Delete, ..entry.clone() })
}

/// `entries`, of which those that delete a file of `base` name its partition in the bytes that its writer has: equal
/// values in other bytes are another file to other implementations.
pub(super) fn in_the_bytes_of(
    base: &[ManifestEntry],
    mut entries: Vec<ManifestEntry>,
    partitions: &PartitionSet,
) -> Result<Vec<ManifestEntry>> {
    let mut named: HashMap<(BinaryRow, i32, &str), &BinaryRow> = HashMap::new();
    for there in base {
        let partition = there.partition.normalised(&partitions.types)?;
        if partition != there.partition {
            named.insert((partition, there.bucket, &there.file.file_name), &there.partition);
        }
    }
    if named.is_empty() {
        return Ok(entries);
    }
    for entry in entries.iter_mut().filter(|entry| entry.kind == FileKind::Delete) {
        let partition = entry.partition.normalised(&partitions.types)?;
        if let Some(bytes) = named.get(&(partition, entry.bucket, entry.file.file_name.as_str())) {
            entry.partition = (*bytes).clone();
        }
    }
    Ok(entries)
}

/// The index changes of a commit that replaces `partitions`: all index files of these go, whichever of them `changes` may
/// delete, too.
pub(super) fn replace_index_files(
    previous: &[IndexManifestEntry],
    partitions: &PartitionSet,
    changes: &[IndexManifestEntry],
) -> Result<Vec<IndexManifestEntry>> {
    let mut replaced = Vec::new();
    for entry in previous {
        if partitions.contains(&entry.partition)? {
            replaced.push(IndexManifestEntry { kind: FileKind::Delete, ..entry.clone() });
        }
    }
    for change in changes {
        if change.kind == FileKind::Add || !partitions.contains(&change.partition)? {
            replaced.push(change.clone());
        }
    }
    Ok(replaced)
}

fn partition_types(schema: &TableSchema) -> Vec<DataType> {
    schema.partition_fields().into_iter().map(|field| field.data_type).collect()
}
