//! Deletion vectors of a snapshot, by data file.

use std::collections::HashMap;

use paimon_io::TableStore;
use paimon_spec::{
    BinaryRow, DELETION_VECTORS, DeletionFile, DeletionVectorMeta, Error, FileKind, IndexManifestEntry, ManifestEntry,
    Predicate, Result, Snapshot,
};

use crate::partitions::Partitions;

/// Deletion files by partition, bucket and data file name.
#[derive(Debug, Default)]
pub struct DeletionIndex {
    partitions: Option<Partitions>,
    by_file: HashMap<String, Vec<Place>>,
}

#[derive(Debug)]
struct Place {
    partition: BinaryRow,
    bucket: i32,
    deletion: DeletionFile,
}

impl DeletionIndex {
    /// Reads the index manifest of a snapshot, if it names one.
    ///
    /// # Errors
    /// `NotFound` when the snapshot names an index manifest and it is missing: without it, deleted rows would come back.
    /// `CorruptData` when it cannot be decoded, or gives one data file two deletion vectors.
    pub async fn load(store: &TableStore, snapshot: &Snapshot) -> Result<Self> {
        let Some(name) = &snapshot.index_manifest else { return Ok(Self::default()) };
        let entries = store.index_manifest(name).await?;
        let partitions = Partitions::new(store.schema(), Predicate::Constant(true));
        let mut index = Self { partitions: Some(partitions), by_file: HashMap::new() };
        for entry in entries.iter().filter(|entry| entry.index_type == DELETION_VECTORS) {
            index.add(store, entry).map_err(|error| error.with_context("index manifest", name))?;
        }
        Ok(index)
    }

    /// Whether no file has deletions.
    pub fn is_empty(&self) -> bool {
        self.by_file.is_empty()
    }

    /// The deletion file of a data file.
    pub fn get(&self, partition: &BinaryRow, bucket: i32, file_name: &str) -> Option<&DeletionFile> {
        let places = self.by_file.get(file_name)?;
        let find = |partition: &BinaryRow| {
            places.iter().find(|place| place.bucket == bucket && place.partition == *partition).map(|p| &p.deletion)
        };
        // Entries may have another form of NULL than this index.
        find(partition).or_else(|| find(&self.partitions.as_ref()?.get(partition.as_metadata()).ok()?.row))
    }

    /// The deletion file of an entry's file.
    pub(crate) fn of(&self, entry: &ManifestEntry) -> Option<&DeletionFile> {
        if self.is_empty() { None } else { self.get(&entry.partition, entry.bucket, &entry.file.file_name) }
    }

    fn add(&mut self, store: &TableStore, entry: &IndexManifestEntry) -> Result<()> {
        if entry.kind != FileKind::Add {
            let message =
                format!("expected an index manifest without DELETE entries, found one for {}", entry.file_name);
            return Err(Error::corrupt(message));
        }
        let partition = match &self.partitions {
            Some(partitions) => partitions.get(entry.partition.as_metadata())?.row.clone(),
            None => entry.partition.clone(),
        };
        let path = store.index_path(entry, &partition)?;
        for vector in entry.deletion_vectors.iter().flatten() {
            let places = self.by_file.entry(vector.data_file_name.clone()).or_default();
            if places.iter().any(|place| place.bucket == entry.bucket && place.partition == partition) {
                let message =
                    format!("expected one deletion vector for data file {}, found two", vector.data_file_name);
                return Err(Error::corrupt(message));
            }
            places.push(Place { partition: partition.clone(), bucket: entry.bucket, deletion: place(&path, vector) });
        }
        Ok(())
    }
}

/// Where an index file has the deletion vectors of data files, in its order.
///
/// # Errors
/// `CorruptData` when the entry's partition is none of the table.
pub fn deletion_files(store: &TableStore, entry: &IndexManifestEntry) -> Result<Vec<DeletionFile>> {
    let path = store.index_path(entry, &entry.partition)?;
    Ok(entry.deletion_vectors.iter().flatten().map(|vector| place(&path, vector)).collect())
}

fn place(path: &str, vector: &DeletionVectorMeta) -> DeletionFile {
    DeletionFile {
        path: path.to_owned(),
        offset: i64::from(vector.offset),
        length: i64::from(vector.length),
        cardinality: vector.cardinality,
    }
}
