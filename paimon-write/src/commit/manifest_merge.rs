//! Fewer, larger manifests. Java: `ManifestFileMerger`.
//!
//! Each commit adds a manifest, so each commit also merges some of those before it: a *minor* merge joins neighbours up to
//! the target size; a *full* merge, once enough has gathered, also drops the files that were deleted.
//!
//! A full merge holds the names of all deleted files, and as many entries as make a manifest of the target size and as are
//! read at the same time: about 0.9 KB for each file with statistics of ten numbers, which takes 45 bytes in its manifest.

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::ops::Range;

use futures::stream::{self, StreamExt, TryStreamExt};
use paimon_io::TableStore;
use paimon_spec::{
    DataType, Datum, EntryHead, FileIdentifier, FileKind, ManifestEntry, ManifestFileMeta, Result, merge_entries,
};

use super::manifest_files::{ManifestFiles, Waiting};
use super::statistics::may_hold;

/// Manifests read at the same time, at most.
const READ_CONCURRENCY: usize = 8;

/// Bytes of manifests that a full merge reads at the same time, about: their entries take several times as much.
const READ_BYTES: u64 = 4 << 20;

/// When to merge.
#[derive(Debug, Clone, Copy)]
struct Policy {
    target_bytes: u64,
    min_count: usize,
    full_merge_bytes: u64,
}

impl Policy {
    fn of(store: &TableStore) -> Result<Self> {
        let options = store.options();
        Ok(Self {
            target_bytes: options.manifest_target_bytes()?,
            min_count: options.manifest_merge_min_count()?,
            full_merge_bytes: options.manifest_full_compaction_bytes()?,
        })
    }

    /// To merge as many as possible, however small the gain (Java `compactManifest`).
    fn everything(self) -> Self {
        Self { min_count: 1, full_merge_bytes: 1, ..self }
    }

    /// Whether a full merge rewrites this manifest whatever is in it.
    fn rewrites(self, manifest: &ManifestFileMeta) -> bool {
        manifest.num_deleted_files > 0 || size(manifest) < self.target_bytes
    }
}

/// The manifests of a state of the table, some of them merged, or as many as possible (`all`). New ones are added to
/// `files`.
pub(super) async fn merge(
    store: &TableStore,
    all: bool,
    manifests: &[ManifestFileMeta],
    files: &mut ManifestFiles<'_>,
) -> Result<Vec<ManifestFileMeta>> {
    let policy = if all { Policy::of(store)?.everything() } else { Policy::of(store)? };
    match full_merge(store, policy, manifests, files).await? {
        Some(merged) => Ok(merged),
        None => minor_merge(store, policy, manifests, files).await,
    }
}

/// `current` with the run `before` replaced by `after`, when it is still there: the merge of a try that lost its race is
/// good for the next one.
pub(super) fn reuse(
    current: &[ManifestFileMeta],
    before: &[ManifestFileMeta],
    after: &[ManifestFileMeta],
) -> Option<Vec<ManifestFileMeta>> {
    if before.is_empty() {
        return None;
    }
    let at = current.windows(before.len()).position(|run| run == before)?;
    Some([&current[..at], after, &current[at + before.len()..]].concat())
}

/// Neighbours that a minor merge puts together: as many as reach the target size, and the rest when it is many.
fn minor_groups(manifests: &[ManifestFileMeta], policy: Policy) -> Vec<Range<usize>> {
    let mut groups = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (at, manifest) in manifests.iter().enumerate() {
        bytes += size(manifest);
        if bytes >= policy.target_bytes {
            groups.push(start..at + 1);
            (start, bytes) = (at + 1, 0);
        }
    }
    if manifests.len() - start >= policy.min_count {
        groups.push(start..manifests.len());
    }
    groups
}

/// Deletions whose files are not among the merged manifests stay.
async fn minor_merge(
    store: &TableStore,
    policy: Policy,
    manifests: &[ManifestFileMeta],
    files: &mut ManifestFiles<'_>,
) -> Result<Vec<ManifestFileMeta>> {
    let mut merged = Vec::new();
    let mut done = 0;
    for group in minor_groups(manifests, policy).into_iter().filter(|group| group.len() > 1) {
        merged.extend_from_slice(&manifests[done..group.start]);
        let entries = read_all(store, &manifests[group.clone()], &|_| true).await?;
        merged.extend(files.add_manifests(&merge_entries(entries)?)?);
        done = group.end;
    }
    merged.extend_from_slice(&manifests[done..]);
    Ok(merged)
}

/// `None` when there is too little to gain.
async fn full_merge(
    store: &TableStore,
    policy: Policy,
    manifests: &[ManifestFileMeta],
    files: &mut ManifestFiles<'_>,
) -> Result<Option<Vec<ManifestFileMeta>>> {
    let gathered: u64 = manifests.iter().filter(|manifest| policy.rewrites(manifest)).map(size).sum();
    if gathered < policy.full_merge_bytes {
        return Ok(None);
    }
    let deleted = deleted_files(store, manifests).await?;
    let types: Vec<DataType> = store.schema().partition_fields().into_iter().map(|field| field.data_type).collect();
    let partitions = distinct_partitions(&deleted, &types)?;

    let (candidates, mut merged): (Vec<_>, Vec<_>) = manifests
        .iter()
        .cloned()
        .partition(|manifest| policy.rewrites(manifest) || may_hold(manifest, &partitions, &types));
    if candidates.len() <= 1 {
        return Ok(None);
    }
    let mut kept = Waiting::new();
    let reads: Vec<_> = candidates.iter().map(|manifest| read(store, manifest, &is_add)).collect();
    let mut reads = stream::iter(reads).buffered(reads_at_once(&candidates));
    for manifest in &candidates {
        let Some(entries) = reads.try_next().await? else { break };
        let count = entries.len();
        let live: Vec<ManifestEntry> =
            entries.into_iter().filter(|entry| !deleted.contains(&entry.identifier())).collect();
        if live.len() == count && !policy.rewrites(manifest) {
            merged.push(manifest.clone());
        } else {
            kept.entries.extend(live);
            files.write_filled(&mut kept, false).await?;
        }
    }
    files.write_filled(&mut kept, true).await?;
    merged.extend(kept.manifests);
    Ok(Some(merged))
}

/// The files that manifests delete.
async fn deleted_files(store: &TableStore, manifests: &[ManifestFileMeta]) -> Result<HashSet<FileIdentifier>> {
    let with_deletions: Vec<ManifestFileMeta> =
        manifests.iter().filter(|manifest| manifest.num_deleted_files > 0).cloned().collect();
    let reads: Vec<_> = with_deletions.iter().map(|manifest| read(store, manifest, &is_delete)).collect();
    let mut reads = stream::iter(reads).buffer_unordered(reads_at_once(&with_deletions));
    let mut deleted = HashSet::new();
    while let Some(entries) = reads.try_next().await? {
        deleted.extend(entries.iter().map(ManifestEntry::identifier));
    }
    Ok(deleted)
}

/// Manifests that are read at the same time: fewer of large ones.
fn reads_at_once(manifests: &[ManifestFileMeta]) -> usize {
    let largest = manifests.iter().map(size).max().unwrap_or(0).max(1);
    usize::try_from(READ_BYTES / largest).map_or(READ_CONCURRENCY, |count| count.clamp(1, READ_CONCURRENCY))
}

fn distinct_partitions(files: &HashSet<FileIdentifier>, types: &[DataType]) -> Result<Vec<Vec<Option<Datum>>>> {
    let distinct: HashSet<_> = files.iter().map(|file| &file.partition).collect();
    distinct.into_iter().map(|partition| partition.values(types)).collect()
}

fn is_add(head: &EntryHead<'_>) -> bool {
    head.kind == FileKind::Add
}

fn is_delete(head: &EntryHead<'_>) -> bool {
    head.kind == FileKind::Delete
}

type Keep<'a> = &'a (dyn Fn(&EntryHead<'_>) -> bool + Send + Sync);

/// Entries of all manifests, in order.
async fn read_all(store: &TableStore, manifests: &[ManifestFileMeta], keep: Keep<'_>) -> Result<Vec<ManifestEntry>> {
    let reads: Vec<_> = manifests.iter().map(|manifest| read(store, manifest, keep)).collect();
    let parts: Vec<Vec<ManifestEntry>> = stream::iter(reads).buffered(READ_CONCURRENCY).try_collect().await?;
    Ok(parts.into_iter().flatten().collect())
}

async fn read(store: &TableStore, manifest: &ManifestFileMeta, keep: Keep<'_>) -> Result<Vec<ManifestEntry>> {
    let mut entries = Vec::new();
    let mut visit = |entry| {
        entries.push(entry);
        Ok(())
    };
    store.read_manifest(manifest, &mut |head: &EntryHead<'_>| keep(head), &mut visit).await?;
    Ok(entries)
}

fn size(manifest: &ManifestFileMeta) -> u64 {
    u64::try_from(manifest.file_size).unwrap_or(0)
}
