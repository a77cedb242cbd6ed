//! Live entries: what the manifests of a snapshot add and do not delete.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use paimon_io::TableStore;
use paimon_spec::{
    BinaryRow, EntryHead, Error, FileKind, ManifestEntry, ManifestFileMeta, Predicate, Result, Snapshot,
};

use crate::partitions::{Partition, PartitionCursor, Partitions};

/// How many manifests are read at the same time.
pub(crate) const MANIFESTS_AT_ONCE: usize = 16;

/// The entries of files that are in a snapshot, in the order of its manifests. `keep` chooses by partition (in the form
/// that [`BinaryRow::from_values`] gives, whatever form the entry has) and bucket.
///
/// # Errors
/// `NotFound` when a manifest is missing, `CorruptData` when one cannot be decoded.
pub async fn live_entries(
    store: &TableStore,
    snapshot: &Snapshot,
    keep: &(dyn Fn(&BinaryRow, i32) -> bool + Send + Sync),
) -> Result<Vec<ManifestEntry>> {
    let manifests = manifests(store, snapshot).await?;
    let partitions = Partitions::new(store.schema(), Predicate::Constant(true));
    let deleted = DeletedFiles::read(store, &partitions, manifests.iter().collect()).await?;
    let adding = manifests.iter().filter(|manifest| manifest.num_added_files > 0);
    let reads: Vec<_> = adding.map(|manifest| read_live(store, &partitions, &deleted, manifest, keep)).collect();
    let live: Vec<_> = stream::iter(reads).buffered(MANIFESTS_AT_ONCE).try_collect().await?;
    Ok(live.concat())
}

async fn read_live(
    store: &TableStore,
    partitions: &Partitions,
    deleted: &DeletedFiles,
    manifest: &ManifestFileMeta,
    keep: &(dyn Fn(&BinaryRow, i32) -> bool + Send + Sync),
) -> Result<Vec<ManifestEntry>> {
    let mut entries = Vec::new();
    let mut accept = |partition: &Arc<Partition>, head: &EntryHead<'_>| Ok(keep(&partition.row, head.bucket));
    let mut take = |_: &Arc<Partition>, entry: ManifestEntry| {
        entries.push(entry);
        Ok(())
    };
    read_added(store, partitions, deleted, manifest, &mut accept, &mut take).await?;
    Ok(entries)
}

/// All manifests of a snapshot: those of its base, then those of its own changes.
pub(crate) async fn manifests(store: &TableStore, snapshot: &Snapshot) -> Result<Vec<ManifestFileMeta>> {
    let in_snapshot = |error: Error| error.with_context("snapshot", snapshot.id);
    let (base, delta) = futures::try_join!(
        store.manifest_list(&snapshot.base_manifest_list, snapshot.base_manifest_list_size),
        store.manifest_list(&snapshot.delta_manifest_list, snapshot.delta_manifest_list_size),
    )
    .map_err(in_snapshot)?;
    Ok(base.iter().chain(delta.iter()).cloned().collect())
}

/// Reads the entries of one manifest that add files which no manifest deletes. `accept` chooses by the head, `take`
/// gets what it chose.
pub(crate) async fn read_added(
    store: &TableStore,
    partitions: &Partitions,
    deleted: &DeletedFiles,
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
        let accepted = match head.kind {
            FileKind::Add => cursor.get(head.partition).and_then(|partition| accept(partition, head)),
            FileKind::Delete if manifest.num_deleted_files > 0 => Ok(false),
            // Its file was not looked for when the deleted ones were collected.
            FileKind::Delete => Err(Error::corrupt(format!(
                "expected no DELETE entries by the manifest list, found one of {}",
                head.file_name
            ))),
        };
        accepted.unwrap_or_else(|error| {
            failure = Some(error);
            false
        })
    };
    let mut built = PartitionCursor::new(partitions);
    let mut visit = |entry: ManifestEntry| {
        let partition = built.get(entry.partition.as_metadata())?;
        if deleted.contains(partition, &entry) { Ok(()) } else { take(partition, entry) }
    };
    let read = store.read_manifest(manifest, &mut keep, &mut visit).await;
    let read = read.and(failure.map_or(Ok(()), Err));
    read.map_err(|error| error.with_context("manifest", &manifest.file_name))
}

/// The files that DELETE entries name. An entry is about the same file when partition, bucket, level, name, extra
/// files, embedded index and external path are the same (Java `FileEntry.Identifier`).
#[derive(Debug, Default)]
pub(crate) struct DeletedFiles {
    by_name: HashMap<String, Vec<DeletedFile>>,
}

#[derive(Debug)]
struct DeletedFile {
    partition: usize,
    bucket: i32,
    level: i32,
    extra_files: Vec<String>,
    embedded_index: Option<Bytes>,
    external_path: Option<String>,
}

impl DeletedFiles {
    /// Collects the DELETE entries of wanted partitions. Only manifests with deleted files are read.
    pub(crate) async fn read(
        store: &TableStore,
        partitions: &Partitions,
        manifests: Vec<&ManifestFileMeta>,
    ) -> Result<Self> {
        let deleting = manifests.into_iter().filter(|manifest| manifest.num_deleted_files > 0);
        let reads: Vec<_> = deleting.map(|manifest| Self::read_one(store, partitions, manifest)).collect();
        let mut reads = stream::iter(reads).buffer_unordered(MANIFESTS_AT_ONCE);
        let mut deleted = Self::default();
        while let Some(files) = reads.try_next().await? {
            for (name, file) in files {
                deleted.by_name.entry(name).or_default().push(file);
            }
        }
        Ok(deleted)
    }

    async fn read_one(
        store: &TableStore,
        partitions: &Partitions,
        manifest: &ManifestFileMeta,
    ) -> Result<Vec<(String, DeletedFile)>> {
        let mut found = Vec::new();
        let mut keep = |head: &EntryHead<'_>| head.kind == FileKind::Delete;
        let mut visit = |ManifestEntry { partition, bucket, file, .. }: ManifestEntry| {
            let partition = partitions.get(partition.as_metadata())?;
            if partition.wanted {
                let deleted = DeletedFile {
                    partition: partition.number,
                    bucket,
                    level: file.level,
                    extra_files: file.extra_files,
                    embedded_index: file.embedded_index,
                    external_path: file.external_path,
                };
                found.push((file.file_name, deleted));
            }
            Ok(())
        };
        let read = store.read_manifest(manifest, &mut keep, &mut visit).await;
        read.map_err(|error| error.with_context("manifest", &manifest.file_name))?;
        Ok(found)
    }

    /// Whether a file of that name was deleted, perhaps another one.
    pub(crate) fn may_contain(&self, file_name: &str) -> bool {
        self.by_name.contains_key(file_name)
    }

    fn contains(&self, partition: &Partition, entry: &ManifestEntry) -> bool {
        self.by_name.get(&entry.file.file_name).is_some_and(|files| {
            files.iter().any(|deleted| {
                deleted.partition == partition.number
                    && deleted.bucket == entry.bucket
                    && deleted.level == entry.file.level
                    && deleted.extra_files == entry.file.extra_files
                    && deleted.embedded_index == entry.file.embedded_index
                    && deleted.external_path == entry.file.external_path
            })
        })
    }
}
