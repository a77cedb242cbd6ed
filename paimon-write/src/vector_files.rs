//! Index files with deletion vectors: written anew where vectors change, with the vectors that stay.

use std::collections::{BTreeMap, HashMap, HashSet};

use futures::stream::{self, StreamExt};
use futures::{FutureExt, TryStreamExt};
use paimon_io::{PutOutcome, TableStore};
use paimon_scan::deletion_files;
use paimon_spec::{
    BinaryRow, DELETION_VECTORS, DataType, DeletionFile, DeletionVector, DeletionVectorMeta, Error, ErrorKind,
    FileKind, IndexManifestEntry, Result, Snapshot,
};

/// What names of index files start with.
const INDEX_PREFIX: &str = "index-";

/// Vectors that are read at the same time.
const READS_AT_ONCE: usize = 16;

/// Deletion vectors of a bucket, by data file.
pub(crate) type Vectors = BTreeMap<String, DeletionVector>;

/// The bucket that vectors are of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct VectorPlace<'a> {
    pub(crate) partition: &'a BinaryRow,
    pub(crate) bucket: i32,
    /// Whether all vectors of a bucket are in one file (Java `BucketedDvMaintainer`); else in as many as it takes.
    pub(crate) in_one_file: bool,
}

/// Refuses tables whose index files are not where this writes them.
///
/// # Errors
/// `Unsupported`
pub(crate) fn require_index_folder(store: &TableStore, what: &str) -> Result<()> {
    if store.options().index_files_beside_data()? {
        return Err(Error::unsupported(format!("{what} with 'index-file-in-data-file-dir' is not supported yet")));
    }
    Ok(())
}

/// The index files of a snapshot, with partitions in the form that splits have.
pub(crate) async fn index_files(store: &TableStore, snapshot: &Snapshot) -> Result<Vec<IndexManifestEntry>> {
    let types: Vec<DataType> = store.schema().partition_fields().into_iter().map(|field| field.data_type).collect();
    let Some(name) = &snapshot.index_manifest else { return Ok(Vec::new()) };
    let mut entries = store.index_manifest(name).await?.as_ref().clone();
    for entry in &mut entries {
        entry.partition = entry.partition.normalised(&types)?;
    }
    Ok(entries)
}

/// Index files with the vectors `changed`, in place of those of `there` that have vectors of the same data files, or of
/// the data files `gone`. Other vectors of these files go with them, those of `gone` do not; other index files stay, and
/// those of other buckets are not looked at.
///
/// # Errors
/// `Unsupported` where index files are beside data files; `Storage` and its kin, `CorruptData` naming an index file that is
/// torn: nothing is left behind then.
pub(crate) async fn replace_vectors(
    store: &TableStore,
    there: &[IndexManifestEntry],
    place: VectorPlace<'_>,
    mut changed: Vectors,
    gone: &HashSet<&str>,
) -> Result<Vec<IndexManifestEntry>> {
    require_index_folder(store, "changing deletion vectors")?;
    let names: HashSet<String> = changed.keys().cloned().collect();
    let is_old = |name: &str| names.contains(name) || gone.contains(name);
    let of_bucket = |entry: &&IndexManifestEntry| {
        entry.index_type == DELETION_VECTORS && entry.bucket == place.bucket && entry.partition == *place.partition
    };
    let mut changes = Vec::new();
    let mut staying: Vec<(String, DeletionFile)> = Vec::new();
    for entry in there.iter().filter(of_bucket) {
        let vectors = entry.deletion_vectors.as_deref().unwrap_or_default();
        // Where a bucket has one file, new vectors go into that of the others.
        let joins = place.in_one_file && !changed.is_empty();
        let is_touched = vectors.iter().any(|vector| is_old(&vector.data_file_name));
        if !is_touched && !joins {
            continue;
        }
        for (vector, file) in vectors.iter().zip(deletion_files(store, entry)?) {
            if !is_old(&vector.data_file_name) {
                staying.push((vector.data_file_name.clone(), file));
            }
        }
        changes.push(IndexManifestEntry { kind: FileKind::Delete, ..entry.clone() });
    }
    let reads: Vec<_> = staying.into_iter().map(|(name, file)| read_vector(store, name, file).boxed()).collect();
    let staying: HashMap<String, DeletionVector> = stream::iter(reads).buffered(READS_AT_ONCE).try_collect().await?;
    changed.extend(staying);
    let mut written = Vec::new();
    match write_vectors(store, place, &changed, &mut written).await {
        Ok(()) => Ok(changes.into_iter().chain(written).collect()),
        Err(error) => {
            for entry in written {
                // What counts is why the others could not be written.
                let _ = store.storage().delete(&store.paths().index(&entry.file_name)).await;
            }
            Err(error)
        }
    }
}

async fn read_vector(store: &TableStore, name: String, file: DeletionFile) -> Result<(String, DeletionVector)> {
    let vector = store.deletion_vector(&file).await?;
    Ok((name, vector.as_ref().clone()))
}

/// Writes index files of about `deletion-vector.index-file.target-size`, or one.
async fn write_vectors(
    store: &TableStore,
    place: VectorPlace<'_>,
    vectors: &Vectors,
    written: &mut Vec<IndexManifestEntry>,
) -> Result<()> {
    let options = store.options();
    let bitmap64 = options.deletion_vectors_bitmap64()?;
    let target_bytes = if place.in_one_file { u64::MAX } else { options.deletion_vector_index_file_bytes()? };
    let id = store.context().clock.unique_id();
    let mut files: Vec<Vec<(&str, &DeletionVector)>> = Vec::new();
    let mut filled = u64::MAX;
    for (name, vector) in vectors {
        if files.is_empty() || filled >= target_bytes {
            files.push(Vec::new());
            filled = 0;
        }
        filled = filled.saturating_add(DeletionVector::encode_file(&[vector], bitmap64)?.0.len() as u64);
        if let Some(file) = files.last_mut() {
            file.push((name, vector));
        }
    }
    for (number, vectors) in files.into_iter().enumerate() {
        let (names, vectors): (Vec<&str>, Vec<&DeletionVector>) = vectors.into_iter().unzip();
        let (bytes, places) = DeletionVector::encode_file(&vectors, bitmap64)?;
        let file_name = format!("{INDEX_PREFIX}{id}-{number}");
        let metas =
            names.iter().zip(&vectors).zip(places).map(|((name, vector), (offset, length))| DeletionVectorMeta {
                data_file_name: (*name).to_owned(),
                offset,
                length,
                cardinality: i64::try_from(vector.cardinality()).ok(),
            });
        let entry = IndexManifestEntry {
            kind: FileKind::Add,
            partition: place.partition.clone(),
            bucket: place.bucket,
            index_type: DELETION_VECTORS.to_owned(),
            file_size: bytes.len() as i64,
            row_count: vectors.len() as i64,
            deletion_vectors: Some(metas.collect()),
            external_path: None,
            global_index: None,
            file_name,
        };
        let path = store.paths().index(&entry.file_name);
        if store.storage().put_new(&path, bytes.into()).await? == PutOutcome::AlreadyExists {
            let message = format!("cannot create {}: it exists already", entry.file_name);
            return Err(Error::new(ErrorKind::AlreadyExists, message).with_context("file", store.storage().url(&path)));
        }
        written.push(entry);
    }
    Ok(())
}
