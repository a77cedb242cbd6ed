//! Live entries: what the manifests of a snapshot add and do not delete.
//!
//! Manifests that delete files are read before the others: of no file it is known that it is live before all is known
//! that is deleted. Each manifest is read once, for what it deletes and for what it adds.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use paimon_io::TableStore;
use paimon_spec::{
    BinaryRow, EntryHead, Error, FileKind, ManifestEntry, ManifestFileMeta, Predicate, Result, Snapshot,
};

use crate::ahead::{Ahead, Placed};
use crate::partitions::{Partition, PartitionCursor, Partitions};

/// An entry and its partition.
pub(crate) type Found = (Arc<Partition>, ManifestEntry);

/// The entries of files that are in a snapshot, in the order of its manifests. `keep` chooses by partition (in the form
/// that [`BinaryRow::from_values`] gives, whatever form the entry has) and bucket.
///
/// # Errors
/// `NotFound` when a manifest is missing, `CorruptData` when one cannot be decoded.
pub fn live_entries<'a>(
    store: &'a TableStore,
    snapshot: &'a Snapshot,
    keep: &'a (dyn Fn(&BinaryRow, i32) -> bool + Send + Sync),
) -> BoxFuture<'a, Result<Vec<ManifestEntry>>> {
    Box::pin(async move {
        let manifests = manifests(store, snapshot).await?;
        let partitions = Partitions::new(store.schema(), Predicate::Constant(true));
        let accept = |partition: &Partition, head: &EntryHead<'_>| keep(&partition.row, head.bucket);
        let (deleting, adding) = by_deletions(manifests.iter());
        let read = |manifest| with_nothing_else(read_chosen(store, &partitions, manifest, &accept)).boxed();
        let mut deleted = FileSet::default();
        let undecided = read_deleting(store, &mut deleted, deleting, read).await?;
        let mut live: Vec<(usize, Vec<Found>)> =
            undecided.into_iter().map(|(place, (), found)| (place, found)).collect();
        let mut reads =
            Ahead::new(store, adding, |manifest| read_chosen(store, &partitions, manifest, &accept).boxed());
        while let Some((place, mut found)) = reads.next().await? {
            found.retain(|(partition, entry)| !deleted.contains(partition, entry));
            live.push((place, found));
        }
        live.sort_unstable_by_key(|(place, _)| *place);
        Ok(live.into_iter().flat_map(|(_, found)| found).map(|(_, entry)| entry).collect())
    })
}

/// What one snapshot added and deleted, in order.
///
/// # Errors
/// As [`live_entries`].
pub fn delta_entries<'a>(store: &'a TableStore, snapshot: &'a Snapshot) -> BoxFuture<'a, Result<Vec<ManifestEntry>>> {
    Box::pin(async move {
        let manifests = delta_manifests(store, snapshot).await?;
        let partitions = Partitions::new(store.schema(), Predicate::Constant(true));
        let read = |manifest| read_chosen(store, &partitions, manifest, &|_, _| true).boxed();
        let mut reads = Ahead::new(store, manifests.iter().enumerate().collect(), read);
        let mut entries = Vec::new();
        while let Some((_, found)) = reads.next().await? {
            entries.extend(found.into_iter().map(|(_, entry)| entry));
        }
        Ok(entries)
    })
}

/// The manifests of a snapshot's own changes.
pub(crate) async fn delta_manifests(store: &TableStore, snapshot: &Snapshot) -> Result<Vec<ManifestFileMeta>> {
    let list = store.manifest_list(&snapshot.delta_manifest_list, snapshot.delta_manifest_list_size).await;
    list.map(|list| list.to_vec()).map_err(|error| error.with_context("snapshot", snapshot.id))
}

/// All manifests of a snapshot: those of its base, then those of its own changes.
pub(crate) async fn manifests(store: &TableStore, snapshot: &Snapshot) -> Result<Vec<ManifestFileMeta>> {
    let in_snapshot = |error: Error| error.with_context("snapshot", snapshot.id);
    let (base, delta) = futures::try_join!(
        store.manifest_list(&snapshot.base_manifest_list, snapshot.base_manifest_list_size),
        store.manifest_list(&snapshot.delta_manifest_list, snapshot.delta_manifest_list_size),
    )
    .map_err(in_snapshot)?;
    let mut names = HashSet::new();
    if let Some(twice) = base.iter().chain(delta.iter()).find(|manifest| !names.insert(manifest.file_name.as_str())) {
        let message =
            format!("expected each manifest once in the lists of a snapshot, found {} twice", twice.file_name);
        let list = store.paths().manifest(&snapshot.base_manifest_list);
        return Err(in_snapshot(Error::corrupt(message).with_context("file", store.storage().url(&list))));
    }
    Ok(base.iter().chain(delta.iter()).cloned().collect())
}

/// Splits manifests into those that delete files and those that only add some.
pub(crate) fn by_deletions<'a>(
    manifests: impl Iterator<Item = &'a ManifestFileMeta>,
) -> (Vec<Placed<'a>>, Vec<Placed<'a>>) {
    let used = manifests.enumerate().filter(|(_, manifest)| manifest.num_added_files > 0 || deletes(manifest));
    used.partition(|(_, manifest)| deletes(manifest))
}

fn deletes(manifest: &ManifestFileMeta) -> bool {
    manifest.num_deleted_files > 0
}

/// Adds what manifests delete to `deleted`, and gives of each of them its position, what else `read` gave, and the files
/// that it adds and nothing deletes. `read` gives the entries it chose, whatever their kind.
pub(crate) async fn read_deleting<'a, T: Send + 'a>(
    store: &TableStore,
    deleted: &mut FileSet,
    manifests: Vec<Placed<'a>>,
    read: impl Fn(&'a ManifestFileMeta) -> BoxFuture<'a, Result<(T, Vec<Found>)>> + Send + 'a,
) -> Result<Vec<(usize, T, Vec<Found>)>> {
    let mut undecided = Vec::new();
    let mut reads = Ahead::new(store, manifests, read);
    while let Some((place, (more, mut found))) = reads.next().await? {
        for (partition, entry) in found.extract_if(.., |(_, entry)| entry.kind == FileKind::Delete) {
            deleted.insert(&partition, entry);
        }
        undecided.push((place, more, found));
    }
    for (_, _, found) in &mut undecided {
        found.retain(|(partition, entry)| !deleted.contains(partition, entry));
    }
    Ok(undecided)
}

/// The entries of one manifest that `accept` chooses, and its DELETE entries in wanted partitions.
pub(crate) async fn read_chosen(
    store: &TableStore,
    partitions: &Partitions,
    manifest: &ManifestFileMeta,
    accept: &(dyn Fn(&Partition, &EntryHead<'_>) -> bool + Send + Sync),
) -> Result<Vec<Found>> {
    let mut found = Vec::new();
    let mut accept = |partition: &Arc<Partition>, head: &EntryHead<'_>| Ok(accept(partition, head));
    let mut take = |partition: &Arc<Partition>, entry| {
        found.push((Arc::clone(partition), entry));
        Ok(())
    };
    read_entries(store, partitions, manifest, &mut accept, &mut take).await?;
    Ok(found)
}

pub(crate) async fn with_nothing_else<T>(read: impl Future<Output = Result<T>>) -> Result<((), T)> {
    read.await.map(|found| ((), found))
}

/// Reads the entries of one manifest: of those that add files the ones that `accept` chooses by their heads, of those
/// that delete files the ones of wanted partitions. `take` gets what was chosen.
pub(crate) async fn read_entries(
    store: &TableStore,
    partitions: &Partitions,
    manifest: &ManifestFileMeta,
    accept: &mut (dyn FnMut(&Arc<Partition>, &EntryHead<'_>) -> Result<bool> + Send),
    take: &mut (dyn FnMut(&Arc<Partition>, ManifestEntry) -> Result<()> + Send),
) -> Result<()> {
    let mut cursor = PartitionCursor::new(partitions);
    let mut failure = None;
    let mut keep = |head: &EntryHead<'_>| {
        if failure.is_some() {
            return false;
        }
        let accepted = cursor.get(head.partition).and_then(|partition| match head.kind {
            FileKind::Add => accept(partition, head),
            FileKind::Delete => Ok(partition.wanted),
        });
        accepted.unwrap_or_else(|error| {
            failure = Some(error);
            false
        })
    };
    let mut built = PartitionCursor::new(partitions);
    let mut visit = |entry: ManifestEntry| {
        let partition = built.get(entry.partition.as_metadata())?;
        take(partition, entry)
    };
    let read = store.read_manifest(manifest, &mut keep, &mut visit).await;
    let read = read.and(failure.map_or(Ok(()), Err));
    read.map_err(|error| error.with_context("manifest", &manifest.file_name))
}

/// The files that some entries are about. Two entries are about the same file when partition, bucket, level, name, extra
/// files, embedded index and external path are the same (Java `FileEntry.Identifier`).
#[derive(Debug, Default)]
pub(crate) struct FileSet {
    by_name: HashMap<String, Vec<FileIdentity>>,
}

#[derive(Debug)]
struct FileIdentity {
    partition: usize,
    bucket: i32,
    level: i32,
    extra_files: Vec<String>,
    embedded_index: Option<Bytes>,
    external_path: Option<String>,
}

impl FileSet {
    pub(crate) fn insert(&mut self, partition: &Partition, entry: ManifestEntry) {
        let ManifestEntry { bucket, file, .. } = entry;
        let identity = FileIdentity {
            partition: partition.number,
            bucket,
            level: file.level,
            extra_files: file.extra_files,
            embedded_index: file.embedded_index,
            external_path: file.external_path,
        };
        self.by_name.entry(file.file_name).or_default().push(identity);
    }

    /// Whether there is a file of that name, perhaps another one.
    pub(crate) fn may_contain(&self, file_name: &str) -> bool {
        self.by_name.contains_key(file_name)
    }

    /// Whether the file of this entry is there.
    pub(crate) fn contains(&self, partition: &Partition, entry: &ManifestEntry) -> bool {
        self.by_name.get(&entry.file.file_name).is_some_and(|files| {
            files.iter().any(|file| {
                file.partition == partition.number
                    && file.bucket == entry.bucket
                    && file.level == entry.file.level
                    && file.extra_files == entry.file.extra_files
                    && file.embedded_index == entry.file.embedded_index
                    && file.external_path == entry.file.external_path
            })
        })
    }
}
