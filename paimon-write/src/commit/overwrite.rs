//! Which partitions are replaced, and by that which files go.

#[cfg(test)]
mod tests;

use std::collections::HashSet;

use paimon_io::TableStore;
use paimon_scan::live_entries;
use paimon_spec::{
    BinaryRow, DataType, Datum, FileKind, IndexManifestEntry, ManifestEntry, Result, Snapshot, TableSchema,
};

/// The values that some of a partition's columns must have.
type PartitionSpec = Vec<(usize, Option<Datum>)>;

/// A set of partitions of one table.
#[derive(Debug, Clone)]
pub(super) struct PartitionSet {
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
    pub(super) fn all(schema: &TableSchema) -> Self {
        Self { types: partition_types(schema), members: Members::All }
    }

    pub(super) fn exactly(schema: &TableSchema, partitions: impl Iterator<Item = BinaryRow>) -> Result<Self> {
        let types = partition_types(schema);
        let members = partitions.map(|partition| partition.normalised(&types)).collect::<Result<_>>()?;
        Ok(Self { types, members: Members::Exactly(members) })
    }

    pub(super) fn matching(schema: &TableSchema, specs: Vec<PartitionSpec>) -> Self {
        Self { types: partition_types(schema), members: Members::Matching(specs) }
    }

    /// # Errors
    /// `CorruptData` when the partition's bytes are not a partition of the table.
    pub(super) fn contains(&self, partition: &BinaryRow) -> Result<bool> {
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

    /// The live files of these partitions.
    pub(super) async fn live_entries(&self, store: &TableStore, snapshot: &Snapshot) -> Result<Vec<ManifestEntry>> {
        // A partition that cannot be read is kept here, for its error to be reported below.
        let keep = |partition: &BinaryRow, _bucket: i32| self.contains(partition).unwrap_or(true);
        let entries = live_entries(store, snapshot, &keep).await?;
        entries.iter().try_for_each(|entry| self.contains(&entry.partition).map(|_| ()))?;
        Ok(entries)
    }
}

/// Deletions of all of `live`, but for files that wait in a postponed bucket: those are not rows of the table yet.
pub(super) fn delete_all(live: &[ManifestEntry]) -> impl Iterator<Item = ManifestEntry> + '_ {
    live.iter().filter(|entry| entry.bucket >= 0).map(|entry| ManifestEntry { kind: FileKind::Delete, ..entry.clone() })
}

/// Deletions of all index files of `partitions`.
pub(super) fn delete_index_files(
    previous: &[IndexManifestEntry],
    partitions: &PartitionSet,
) -> Result<Vec<IndexManifestEntry>> {
    let mut deletions = Vec::new();
    for entry in previous {
        if partitions.contains(&entry.partition)? {
            deletions.push(IndexManifestEntry { kind: FileKind::Delete, ..entry.clone() });
        }
    }
    Ok(deletions)
}

fn partition_types(schema: &TableSchema) -> Vec<DataType> {
    schema.partition_fields().into_iter().map(|field| field.data_type).collect()
}
