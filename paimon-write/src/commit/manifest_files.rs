//! The metadata files that a commit writes, and which of them are still needed.

use std::collections::HashSet;

use futures::future::try_join;
use futures::stream::{self, StreamExt, TryStreamExt};
use paimon_io::TableStore;
use paimon_spec::{
    DataField, IndexManifestEntry, ManifestEntry, ManifestFileMeta, Result, Snapshot, encode_index_manifest,
    encode_manifest, encode_manifest_list,
};

use super::statistics::describe_manifest;

/// Files written or deleted at the same time.
const CONCURRENCY: usize = 8;

/// So many entries are tried first, where they come bit by bit.
const FIRST_FILLING: usize = 8 << 10;

/// A manifest list that was or will be written.
#[derive(Debug, Clone)]
pub(super) struct ListFile {
    pub(super) name: String,
    pub(super) size: i64,
}

/// How many entries make a manifest of the target size, as far as is known.
#[derive(Debug)]
struct Filling {
    count: usize,
    may_shrink: bool,
}

impl Filling {
    fn new(count: usize) -> Self {
        Self { count, may_shrink: true }
    }
}

/// Entries that come bit by bit, and the manifests that they have filled.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) entries: Vec<ManifestEntry>,
    pub(super) manifests: Vec<ManifestFileMeta>,
    filling: Filling,
}

impl Waiting {
    pub(super) fn new() -> Self {
        Self { entries: Vec::new(), manifests: Vec::new(), filling: Filling::new(FIRST_FILLING) }
    }
}

/// Names, encodes and writes the manifests, manifest lists and index manifests of one commit.
pub(super) struct ManifestFiles<'a> {
    store: &'a TableStore,
    /// One id in all names, as Java has one for each path factory.
    id: String,
    compression: String,
    target_bytes: u64,
    partition_fields: Vec<DataField>,
    manifests: u32,
    lists: u32,
    indexes: u32,
    pending: Vec<(String, Vec<u8>)>,
    written: Vec<String>,
}

impl<'a> ManifestFiles<'a> {
    pub(super) fn new(store: &'a TableStore) -> Result<Self> {
        let options = store.options();
        Ok(Self {
            store,
            id: store.context().clock.unique_id(),
            compression: options.manifest_compression()?,
            target_bytes: options.manifest_target_bytes()?,
            partition_fields: store.schema().partition_fields(),
            manifests: 0,
            lists: 0,
            indexes: 0,
            pending: Vec::new(),
            written: Vec::new(),
        })
    }

    /// Manifests of `entries`, in order; each but the last has about the target size, and not less: smaller ones would be
    /// merged again.
    pub(super) fn add_manifests(&mut self, entries: &[ManifestEntry]) -> Result<Vec<ManifestFileMeta>> {
        let (mut metas, mut rest, mut filling) = (Vec::new(), entries, Filling::new(entries.len()));
        while let Some((count, meta)) = self.next_manifest(rest, &mut filling, true)? {
            metas.push(meta);
            rest = &rest[count..];
        }
        Ok(metas)
    }

    /// Writes manifests of the first of the entries that `waiting` has, as long as these fill some, or all that is `left`.
    pub(super) async fn write_filled(&mut self, waiting: &mut Waiting, left: bool) -> Result<()> {
        while left || waiting.entries.len() >= waiting.filling.count {
            let Some((count, meta)) = self.next_manifest(&waiting.entries, &mut waiting.filling, left)? else { break };
            waiting.manifests.push(meta);
            waiting.entries.drain(..count);
            self.flush().await?;
        }
        Ok(())
    }

    /// A manifest of the first entries, and of how many. `None` when there are none, or when they do not fill one and more
    /// may come.
    fn next_manifest(
        &mut self,
        entries: &[ManifestEntry],
        filling: &mut Filling,
        is_all: bool,
    ) -> Result<Option<(usize, ManifestFileMeta)>> {
        while !entries.is_empty() {
            let count = filling.count.min(entries.len());
            let bytes = encode_manifest(&entries[..count], &self.compression)?;
            let size = bytes.len() as u64;
            if filling.may_shrink && count > 1 && size > self.target_bytes.saturating_add(self.target_bytes / 2) {
                filling.may_shrink = false;
                let share = self.target_bytes as f64 * 1.1 / size as f64;
                filling.count = ((count as f64 * share) as usize).clamp(1, count);
                continue;
            }
            if size < self.target_bytes && (count < entries.len() || !is_all) {
                let wanted = count as f64 * self.target_bytes as f64 / size.max(1) as f64;
                filling.count = (wanted as usize).max(count + count / 4 + 1);
                if count == entries.len() {
                    return Ok(None);
                }
                continue;
            }
            filling.count = count;
            let name = format!("manifest-{}-{}", self.id, self.manifests);
            self.manifests += 1;
            let meta = describe_manifest(name.clone(), bytes.len() as i64, &entries[..count], &self.partition_fields)?;
            self.pending.push((name, bytes));
            return Ok(Some((count, meta)));
        }
        Ok(None)
    }

    pub(super) fn add_list(&mut self, manifests: &[ManifestFileMeta]) -> Result<ListFile> {
        let name = format!("manifest-list-{}-{}", self.id, self.lists);
        self.lists += 1;
        let bytes = encode_manifest_list(manifests, &self.compression)?;
        let list = ListFile { name: name.clone(), size: bytes.len() as i64 };
        self.pending.push((name, bytes));
        Ok(list)
    }

    pub(super) fn add_index_manifest(&mut self, entries: &[IndexManifestEntry]) -> Result<String> {
        let name = format!("index-manifest-{}-{}", self.id, self.indexes);
        self.indexes += 1;
        let bytes = encode_index_manifest(entries, &self.compression)?;
        self.pending.push((name.clone(), bytes));
        Ok(name)
    }

    /// Writes what was added, at the same time: no file refers to another before the snapshot does.
    pub(super) async fn flush(&mut self) -> Result<()> {
        let pending = std::mem::take(&mut self.pending);
        self.written.extend(pending.iter().map(|(name, _)| name.clone()));
        let writes: Vec<_> = pending.into_iter().map(|(name, bytes)| write(self.store, name, bytes)).collect();
        stream::iter(writes).buffer_unordered(CONCURRENCY).try_collect().await
    }

    /// Deletes what was written but for `needed`. A file that cannot be deleted takes room and does no harm, so failures
    /// do not count.
    pub(super) async fn delete_all_but(&self, needed: &HashSet<String>) {
        let unneeded = self.written.iter().filter(|name| !needed.contains(*name));
        let deletions: Vec<_> = unneeded.map(|name| delete(self.store, name)).collect();
        stream::iter(deletions).buffer_unordered(CONCURRENCY).collect::<()>().await;
    }
}

/// All manifests of a snapshot, oldest first.
pub(super) async fn manifests(store: &TableStore, snapshot: &Snapshot) -> Result<Vec<ManifestFileMeta>> {
    let (base, delta) = try_join(
        store.manifest_list(&snapshot.base_manifest_list, snapshot.base_manifest_list_size),
        store.manifest_list(&snapshot.delta_manifest_list, snapshot.delta_manifest_list_size),
    )
    .await?;
    Ok(base.iter().chain(delta.iter()).cloned().collect())
}

async fn write(store: &TableStore, name: String, bytes: Vec<u8>) -> Result<()> {
    store.write_manifest_file(&name, bytes).await.map(|_size| ())
}

async fn delete(store: &TableStore, name: &str) {
    let _ = store.storage().delete(&store.paths().manifest(name)).await;
}
