//! The index files of the next snapshot. Java: `IndexManifestFileHandler`.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

use paimon_spec::{
    BinaryRow, BucketMode, DELETION_VECTORS, DataType, Error, ErrorKind, FileKind, IndexManifestEntry, Result,
    TableSchema,
};

/// What there can be one index file for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Slot {
    /// The file itself: global indexes, and deletion vectors of tables without buckets.
    File(String),
    /// One of each type for each bucket.
    Bucket(BinaryRow, i32, String),
}

/// What index files of a table are for.
#[derive(Debug, Clone)]
pub(super) struct Slots {
    has_buckets: bool,
    partition_types: Vec<DataType>,
}

impl Slots {
    pub(super) fn of(schema: &TableSchema) -> Result<Self> {
        let partition_types = schema.partition_fields().into_iter().map(|field| field.data_type).collect();
        Ok(Self { has_buckets: schema.bucket_mode()? != BucketMode::Unaware, partition_types })
    }

    fn slot(&self, entry: &IndexManifestEntry) -> Result<Slot> {
        if entry.global_index.is_some() || (entry.index_type == DELETION_VECTORS && !self.has_buckets) {
            return Ok(Slot::File(entry.file_name.clone()));
        }
        // Equal values in other bytes are the same partition.
        let partition = entry.partition.normalised(&self.partition_types)?;
        Ok(Slot::Bucket(partition, entry.bucket, entry.index_type.clone()))
    }
}

/// The complete list of live index files after `changes`: deletions first, then additions, whatever their order.
///
/// Stricter than Java, where a bucket's new index file takes the place of whatever is there by then: what another commit
/// has deleted, or the keys that it has added, would be forgotten.
///
/// # Errors
/// `CommitConflict` when a file to be deleted is not there, when one to be added is there, or another one in its place,
/// and when a data file would have two deletion vectors: then another commit has changed the same rows' files;
/// `CorruptData` for partitions that are none of the table's.
pub(super) fn combine(
    previous: &[IndexManifestEntry],
    changes: &[IndexManifestEntry],
    slots: &Slots,
) -> Result<Vec<IndexManifestEntry>> {
    let mut live: Vec<Option<&IndexManifestEntry>> = previous.iter().map(Some).collect();
    let mut places: HashMap<Slot, usize> =
        previous.iter().enumerate().map(|(at, entry)| Ok((slots.slot(entry)?, at))).collect::<Result<_>>()?;
    for change in changes.iter().filter(|change| change.kind == FileKind::Delete) {
        let slot = slots.slot(change)?;
        match places.remove(&slot) {
            Some(at) if live[at].is_some_and(|entry| entry.file_name == change.file_name) => live[at] = None,
            Some(_) | None => {
                return Err(conflict(change, "was to be replaced, but another commit has removed it"));
            }
        }
    }
    for change in changes.iter().filter(|change| change.kind == FileKind::Add) {
        let slot = slots.slot(change)?;
        let what = match slot {
            Slot::File(_) => "is committed more than once",
            Slot::Bucket(..) => "was written without knowing that of another commit for the same bucket",
        };
        if places.insert(slot, live.len()).is_some() {
            return Err(conflict(change, what));
        }
        live.push(Some(change));
    }
    let live: Vec<IndexManifestEntry> = live.into_iter().flatten().cloned().collect();
    check_vectors(&live, slots.has_buckets)?;
    Ok(live)
}

/// A data file of a table without buckets has one deletion vector at most.
fn check_vectors(live: &[IndexManifestEntry], has_buckets: bool) -> Result<()> {
    let mut seen = HashSet::new();
    for entry in live.iter().filter(|entry| entry.index_type == DELETION_VECTORS && !has_buckets) {
        for vector in entry.deletion_vectors.iter().flatten() {
            if !seen.insert((&entry.partition, vector.data_file_name.as_str())) {
                let what = format!("deletes rows of {}, as another commit does", vector.data_file_name);
                return Err(conflict(entry, &what));
            }
        }
    }
    Ok(())
}

fn conflict(entry: &IndexManifestEntry, what: &str) -> Error {
    Error::new(ErrorKind::CommitConflict, format!("index file {} {what}", entry.file_name))
}
