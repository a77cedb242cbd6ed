//! What a change adds to a state of the table and deletes from it, after checking that it can.

use std::collections::HashMap;
use std::sync::Arc;

use paimon_io::TableStore;
use paimon_spec::{
    BucketMode, CommitKind, EntryHead, FileKind, IndexManifestEntry, KeyComparator, ManifestEntry, Result, Snapshot,
};

use super::blob_cover::find_uncovered;
use super::changes::Change;
use super::conflict::{find_conflict, find_key_conflict, find_left_vector, find_vector_conflict, live_after, refuse};
use super::index_files::{self, Slots};
use super::manifest_files::manifests;
use super::overwrite::{PartitionSet, delete_all, in_the_bytes_of, replace_index_files};
use super::row_ids::{RowUpdate, find_row_conflict};
use super::strict::StrictMode;

/// The files and index files that a snapshot adds and deletes.
pub(super) struct Delta {
    pub(super) entries: Vec<ManifestEntry>,
    /// The complete list, when it changes.
    pub(super) index_files: Option<Vec<IndexManifestEntry>>,
}

/// A change, and what is known by now of what it relies on.
pub(super) struct CheckedChange<'a> {
    store: &'a TableStore,
    user: &'a str,
    pub(super) change: Change,
    /// The columns of rows that change, once they are known.
    update: Option<RowUpdate>,
    strict: StrictMode,
}

impl<'a> CheckedChange<'a> {
    pub(super) fn new(store: &'a TableStore, user: &'a str, change: Change) -> Result<Self> {
        Ok(Self { store, user, change, update: None, strict: StrictMode::of(store)? })
    }

    /// What changes against the state `latest`, after checking that it can.
    pub(super) async fn against(&mut self, latest: Option<&Snapshot>) -> Result<Delta> {
        let store = self.store;
        if let Some(latest) = latest {
            self.check_update(latest).await?;
        }
        refuse(self.change.reliance.find_conflict(store, latest).await?)?;
        let change = &self.change;
        let needs_index = change.replaces.is_some() || !change.index_changes.is_empty() || change.deletes_files();
        let previous_index = match latest.and_then(|latest| latest.index_manifest.as_deref()) {
            Some(name) if needs_index => store.index_manifest(name).await?,
            _ => Arc::default(),
        };
        let mode = store.schema().bucket_mode()?;
        let (entries, index_changes) = match (&change.replaces, latest) {
            (Some(partitions), Some(latest)) => {
                if mode == BucketMode::KeyDynamic && !change.entries.is_empty() {
                    partitions.check_none_stays(store, latest).await?;
                }
                let base = partitions.live_entries(store, latest).await?;
                let entries: Vec<ManifestEntry> =
                    delete_all(&base, mode).chain(change.entries.iter().cloned()).collect();
                refuse(find_conflict(&base, &entries, CommitKind::Overwrite))?;
                self.check_keys(live_after(&base, &entries))?;
                let index_changes = replace_index_files(&previous_index, partitions, &change.index_changes)?;
                (entries, index_changes)
            }
            (None, Some(latest)) if !change.only_adds() => {
                let partitions = change
                    .entries
                    .iter()
                    .map(|entry| entry.partition.clone())
                    .chain(change.index_changes.iter().map(|change| change.partition.clone()));
                let partitions = PartitionSet::exactly(store.schema(), partitions)?;
                let base = partitions.live_entries(store, latest).await?;
                let entries = in_the_bytes_of(&base, change.entries.clone(), &partitions)?;
                refuse(find_conflict(&base, &entries, change.kind))?;
                self.check_keys(live_after(&base, &entries))?;
                refuse(find_vector_conflict(live_after(&base, &entries), &change.index_changes))?;
                self.check_row_ids(&base).await?;
                (entries, change.index_changes.clone())
            }
            (_, latest) => {
                refuse(find_conflict(&[], &change.entries, change.kind))?;
                self.check_keys(change.entries.iter())?;
                self.check_row_ids(&[]).await?;
                if let Some(latest) = latest {
                    check_bucket_numbers(store, latest, &change.entries).await?;
                }
                (change.entries.clone(), change.index_changes.clone())
            }
        };
        let index_files = if index_changes.is_empty() {
            None
        } else {
            Some(index_files::combine(&previous_index, &index_changes, &Slots::of(store.schema())?)?)
        };
        refuse(find_left_vector(&entries, index_files.as_deref().unwrap_or(&previous_index)))?;
        if let Some(latest) = latest {
            let what = (change.kind, entries.as_slice(), index_changes.as_slice());
            refuse(self.strict.find_conflict(store, self.user, latest, what).await?)?;
        }
        Ok(Delta { entries, index_files })
    }

    /// Refuses to change rows that another commit has changed since it was decided what to change, and columns that have
    /// an index.
    async fn check_update(&mut self, latest: &Snapshot) -> Result<()> {
        let changes_rows = |entry: &ManifestEntry| entry.kind == FileKind::Add && entry.file.first_row_id.is_some();
        if self.change.kind == CommitKind::Compact || !self.change.entries.iter().any(changes_rows) {
            return Ok(());
        }
        let mut update = match self.update.take() {
            Some(update) => update,
            None => RowUpdate::of(self.store, self.change.check_from_snapshot, &self.change.entries).await?,
        };
        let conflict = update.find_conflict(self.store, latest).await?;
        if let Some(name) = &latest.index_manifest {
            update.check_indexes(&self.store.index_manifest(name).await?)?;
        }
        self.update = Some(update);
        refuse(conflict)
    }

    /// Refuses changes of rows whose files are not as they were.
    async fn check_row_ids(&self, base: &[ManifestEntry]) -> Result<()> {
        if !self.store.options().data_evolution_enabled()? {
            return Ok(());
        }
        let Change { entries, kind, check_from_snapshot, .. } = &self.change;
        refuse(find_row_conflict(base, entries, *kind, check_from_snapshot.is_some())?)?;
        refuse(find_uncovered(self.store, base, entries, *kind).await?)
    }

    /// Refuses a state whose levels of sorted files would not be sorted any more.
    fn check_keys<'e>(&self, live: impl Iterator<Item = &'e ManifestEntry>) -> Result<()> {
        let schema = self.store.schema();
        if schema.primary_keys.is_empty() {
            return Ok(());
        }
        refuse(find_key_conflict(live, &KeyComparator::of(schema))?)
    }
}

/// Refuses new files of a bucketed table whose partitions are there with another number of buckets: rows of one key would
/// be in two places.
///
/// Most of the time the numbers agree, so entries are only glanced at first; deleted ones are told apart when they do
/// not.
async fn check_bucket_numbers(store: &TableStore, latest: &Snapshot, entries: &[ManifestEntry]) -> Result<()> {
    let numbers: HashMap<Vec<u8>, i32> = entries
        .iter()
        .filter(|entry| entry.total_buckets > 0)
        .map(|entry| (entry.partition.to_metadata(), entry.total_buckets))
        .collect();
    if numbers.is_empty() {
        return Ok(());
    }
    let mut agree = true;
    for manifest in manifests(store, latest).await? {
        let mut glance = |head: &EntryHead<'_>| {
            let number = numbers.get(head.partition).filter(|_| head.kind == FileKind::Add && head.bucket >= 0);
            agree &= number.is_none_or(|number| *number == head.total_buckets);
            false
        };
        store.read_manifest(&manifest, &mut glance, &mut |_| Ok(())).await?;
    }
    if agree {
        return Ok(());
    }
    let partitions = PartitionSet::exactly(store.schema(), entries.iter().map(|entry| entry.partition.clone()))?;
    let base = partitions.live_entries(store, latest).await?;
    refuse(find_conflict(&base, entries, CommitKind::Append))
}
