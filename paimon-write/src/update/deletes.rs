//! Deleted rows, as deletion vectors; whole partitions, as files that go.

use std::collections::{BTreeMap, HashMap, HashSet};

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use futures::TryStreamExt;
use paimon_io::{PutOutcome, TableStore};
use paimon_scan::{DeletionIndex, ReadPoint, ScanRequest, plan};
use paimon_spec::{
    BinaryRow, CommitMessage, DELETION_VECTORS, DataType, DeletionVector, DeletionVectorMeta, Error, ErrorKind,
    FileKind, IndexManifestEntry, Predicate, Result, Snapshot,
};

use super::groups::{around, deletions, groups, place};
use super::{TableUpdate, matching};

/// What names of index files start with.
const INDEX_PREFIX: &str = "index-";

/// Deletion vectors of a bucket, by data file.
type Vectors = BTreeMap<String, DeletionVector>;

pub(super) async fn delete_rows(table: &TableUpdate, row_ids: &[i64]) -> Result<Vec<CommitMessage>> {
    let options = table.store.options();
    if !options.deletion_vectors_enabled()? {
        return Err(Error::invalid("delete requires 'deletion-vectors.enabled' = 'true'."));
    }
    if options.index_files_beside_data()? {
        return Err(Error::unsupported("deleting rows with 'index-file-in-data-file-dir' is not supported yet"));
    }
    let mut ids = row_ids.to_vec();
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let Some(snapshot) = &table.snapshot else {
        place(&[], &ids)?;
        return Ok(Vec::new());
    };
    let groups = groups(&table.store, snapshot, Some(around(&ids))).await?;
    let mut changed: HashMap<(BinaryRow, i32), Vectors> = HashMap::new();
    let touched = place(&groups, &ids)?;
    let deleted = deletions(&table.store, &touched).await?;
    for ((group, range), old) in touched.into_iter().zip(deleted) {
        let first = group.rows().start;
        let positions = ids[range].iter().map(|id| (id - first).unsigned_abs());
        let (anchor, _) = group.anchor()?;
        let vector = DeletionVector::from_positions(old.positions().chain(positions));
        if vector.cardinality() > old.cardinality() {
            let bucket = (group.split.partition.clone(), group.split.bucket);
            changed.entry(bucket).or_default().insert(anchor.to_owned(), vector);
        }
    }
    let mut changed: Vec<_> = changed.into_iter().collect();
    changed.sort_unstable_by(|((a, _), _), ((b, _), _)| a.as_bytes().cmp(b.as_bytes()));
    let there = IndexFiles::of(&table.store, snapshot).await?;
    let mut messages = Vec::with_capacity(changed.len());
    for ((partition, bucket), vectors) in changed {
        match replace_vectors(&table.store, &there, &partition, bucket, vectors).await {
            Ok(index_changes) => {
                messages.push(CommitMessage { index_changes, ..table.message(partition, bucket) });
            }
            Err(error) => {
                // What counts is why the files could not be completed.
                let _ = crate::abort(&table.store, &messages).await;
                return Err(error);
            }
        }
    }
    Ok(messages)
}

pub(super) async fn delete_where(table: &TableUpdate, condition: Option<&Predicate>) -> Result<Vec<CommitMessage>> {
    let fields = table.store.schema().partition_fields();
    let is_partition = |id: &i32| fields.iter().any(|field| field.id == *id);
    if let Some(condition) = condition
        && !condition.fields().is_empty()
        && condition.fields().iter().all(is_partition)
    {
        return delete_partitions(table, condition).await;
    }
    let batches: Vec<_> = matching::matching(table, condition, &[]).await?.try_collect().await?;
    let ids: Vec<i64> =
        batches.iter().flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().values().iter().copied()).collect();
    delete_rows(table, &ids).await
}

/// Takes the files of partitions out, and their index files.
async fn delete_partitions(table: &TableUpdate, condition: &Predicate) -> Result<Vec<CommitMessage>> {
    let Some(snapshot) = &table.snapshot else { return Ok(Vec::new()) };
    let request = ScanRequest {
        at: ReadPoint::Snapshot(snapshot.id),
        partition_predicate: Some(condition.clone()),
        ..ScanRequest::default()
    };
    let mut messages: BTreeMap<(Vec<u8>, i32), CommitMessage> = BTreeMap::new();
    for split in plan(&table.store, &request).await?.splits {
        let key = (split.partition.to_metadata(), split.bucket);
        let message = messages.entry(key).or_insert_with(|| table.message(split.partition, split.bucket));
        message.deleted_files.extend(split.files);
    }
    for entry in IndexFiles::of(&table.store, snapshot).await?.entries {
        let key = (entry.partition.to_metadata(), entry.bucket);
        if let Some(message) = messages.get_mut(&key) {
            message.index_changes.push(IndexManifestEntry { kind: FileKind::Delete, ..entry });
        }
    }
    Ok(messages.into_values().collect())
}

/// Index files with `changed` vectors, in place of those that have vectors of the same data files now. Other vectors of
/// these files go with them; other index files stay.
async fn replace_vectors(
    store: &TableStore,
    there: &IndexFiles,
    partition: &BinaryRow,
    bucket: i32,
    mut changed: Vectors,
) -> Result<Vec<IndexManifestEntry>> {
    let names: HashSet<String> = changed.keys().cloned().collect();
    let mut changes = Vec::new();
    for entry in &there.entries {
        let vectors = entry.deletion_vectors.as_deref().unwrap_or_default();
        let is_touched = vectors.iter().any(|vector| names.contains(&vector.data_file_name));
        if entry.index_type != DELETION_VECTORS
            || entry.bucket != bucket
            || entry.partition != *partition
            || !is_touched
        {
            continue;
        }
        for vector in vectors.iter().filter(|vector| !names.contains(&vector.data_file_name)) {
            let name = &vector.data_file_name;
            let place = there.places.get(partition, bucket, name).ok_or_else(|| {
                Error::internal("paimon-write", format_args!("the deletion vector of {name} has no place"))
            })?;
            changed.insert(name.clone(), store.deletion_vector(place).await?.as_ref().clone());
        }
        changes.push(IndexManifestEntry { kind: FileKind::Delete, ..entry.clone() });
    }
    let mut written = Vec::new();
    match write_vectors(store, partition, bucket, &changed, &mut written).await {
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

/// Writes index files of about `deletion-vector.index-file.target-size`.
async fn write_vectors(
    store: &TableStore,
    partition: &BinaryRow,
    bucket: i32,
    vectors: &Vectors,
    written: &mut Vec<IndexManifestEntry>,
) -> Result<()> {
    let options = store.options();
    let bitmap64 = options.deletion_vectors_bitmap64()?;
    let target_bytes = options.deletion_vector_index_file_bytes()?;
    let id = store.context().clock.unique_id();
    let mut files: Vec<Vec<(&str, &DeletionVector)>> = Vec::new();
    let mut filled = u64::MAX;
    for (name, vector) in vectors {
        if filled >= target_bytes {
            files.push(Vec::new());
            filled = 0;
        }
        filled += DeletionVector::encode_file(&[vector], bitmap64)?.0.len() as u64;
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
            partition: partition.clone(),
            bucket,
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

/// The index files of a snapshot.
struct IndexFiles {
    /// With partitions in the form that splits have.
    entries: Vec<IndexManifestEntry>,
    /// Where deletion vectors are.
    places: DeletionIndex,
}

impl IndexFiles {
    async fn of(store: &TableStore, snapshot: &Snapshot) -> Result<Self> {
        let types: Vec<DataType> = store.schema().partition_fields().into_iter().map(|field| field.data_type).collect();
        let mut entries = match &snapshot.index_manifest {
            Some(name) => store.index_manifest(name).await?.as_ref().clone(),
            None => Vec::new(),
        };
        for entry in &mut entries {
            entry.partition = entry.partition.normalised(&types)?;
        }
        Ok(Self { entries, places: DeletionIndex::load(store, snapshot).await? })
    }
}
