//! The next snapshot: what a change makes of the latest one, and the metadata files that say so.

use std::collections::{BTreeMap, HashSet};

use paimon_io::TableStore;
use paimon_scan::live_entries;
use paimon_spec::{
    Error, ErrorKind, FileKind, ManifestEntry, ManifestFileMeta, Result, SimpleStats, Snapshot, assign_row_ids,
};

use super::CommitRequest;
use super::changes::Change;
use super::delta::CheckedChange;
use super::manifest_files::{ListFile, ManifestFiles, manifests};
use super::manifest_merge;
use super::statistics::row_count;

/// Version of the snapshots that are written.
const SNAPSHOT_VERSION: i32 = 3;

/// A table's first snapshot.
const FIRST_SNAPSHOT_ID: i64 = 1;

/// Java: `SequenceSnapshotProperties`.
const MAX_SEQUENCE_NUMBER: &str = "sequence.generation.max-sequence-number";

/// Before the first.
const NO_SEQUENCE_NUMBER: i64 = -1;

/// A snapshot that is not published yet.
pub(super) struct Prepared {
    pub(super) snapshot: Snapshot,
    /// Names of the metadata files that it refers to.
    pub(super) files: HashSet<String>,
}

/// Makes snapshots of one change, each on top of another state.
pub(super) struct NextSnapshot<'a> {
    store: &'a TableStore,
    request: &'a CommitRequest,
    checked: CheckedChange<'a>,
    files: ManifestFiles<'a>,
    /// The delta list, when it is the same whatever is there.
    delta_list: Option<WrittenList>,
    /// The list of changelogs, which is the same whatever is there.
    changelog_list: Option<WrittenList>,
    /// Manifests before and after the merge of the first try.
    merge: Option<(Vec<ManifestFileMeta>, Vec<ManifestFileMeta>)>,
}

/// A manifest list, and the files it refers to, itself among them.
#[derive(Clone)]
struct WrittenList {
    list: ListFile,
    files: HashSet<String>,
}

impl<'a> NextSnapshot<'a> {
    pub(super) fn new(store: &'a TableStore, request: &'a CommitRequest, change: Change) -> Result<Self> {
        Ok(Self {
            store,
            request,
            checked: CheckedChange::new(store, &request.user, change)?,
            files: ManifestFiles::new(store)?,
            delta_list: None,
            changelog_list: None,
            merge: None,
        })
    }

    /// Deletes the metadata files that were written, but for `needed`.
    pub(super) async fn delete_all_but(&self, needed: &HashSet<String>) {
        self.files.delete_all_but(needed).await;
    }

    /// What follows `latest`, with all that it refers to written; `None` when there is nothing to do.
    pub(super) async fn after(&mut self, latest: Option<&Snapshot>) -> Result<Option<Prepared>> {
        let store = self.store;
        let Some(schema) = store.latest_schema().await? else {
            return Err(Error::new(ErrorKind::CommitConflict, "the table was dropped while it was committed to")
                .with_context("location", store.storage().root_url()));
        };
        let id = next_id(latest)?;
        let mut delta = self.checked.against(latest).await?;
        let mut next_row_id = latest.and_then(|latest| latest.next_row_id).unwrap_or(0);
        if store.options().row_tracking_enabled()? {
            let group = store.options().row_tracking_partition_group_on_commit()?;
            (delta.entries, next_row_id) = assign_row_ids(delta.entries, next_row_id, id, group)?;
        }
        if store.options().manifest_delete_file_drop_stats()? {
            delta.entries.iter_mut().filter(|entry| entry.kind == FileKind::Delete).for_each(drop_statistics);
        }
        let delta_rows = row_count(&delta.entries)?;
        let changelog = &self.checked.change.changelog;
        let changelog_record_count = if changelog.is_empty() { None } else { Some(row_count(changelog)?) };
        let previous_rows = previous_rows(store, latest).await?;
        let total_rows = previous_rows
            .checked_add(delta_rows)
            .ok_or_else(|| Error::corrupt("expected a table whose rows can be counted, found more than 2^63"))?;

        let Some((manifests, mut files)) = self.base_manifests(latest).await? else { return Ok(None) };
        let base_list = self.files.add_list(&manifests)?;
        files.insert(base_list.name.clone());
        let delta_list = self.list_of_delta(&delta.entries, store.options().row_tracking_enabled()?)?;
        let changelog_list = self.list_of_changelog()?;
        files.extend(
            [Some(&delta_list), changelog_list.as_ref()].into_iter().flatten().flat_map(|list| list.files.clone()),
        );
        let index_manifest = match &delta.index_files {
            None => latest.and_then(|latest| latest.index_manifest.clone()),
            Some(index_files) if index_files.is_empty() => None,
            Some(index_files) => Some(self.files.add_index_manifest(index_files)?),
        };
        files.extend(index_manifest.clone());
        self.files.flush().await?;

        let properties = properties(store, self.request, latest, &delta.entries).await?;
        let clock = &store.context().clock;
        let snapshot = Snapshot {
            version: Some(SNAPSHOT_VERSION),
            uuid: Some(clock.unique_id()),
            id,
            schema_id: schema.id,
            base_manifest_list: base_list.name,
            base_manifest_list_size: Some(base_list.size),
            delta_manifest_list: delta_list.list.name,
            delta_manifest_list_size: Some(delta_list.list.size),
            changelog_manifest_list_size: changelog_list.as_ref().map(|written| written.list.size),
            changelog_manifest_list: changelog_list.map(|written| written.list.name),
            index_manifest,
            commit_user: self.request.user.clone(),
            writer_version: Some(concat!("paimon-rs-", env!("CARGO_PKG_VERSION")).to_owned()),
            commit_identifier: self.request.identifier,
            commit_kind: self.checked.change.kind,
            time_millis: clock.now_millis(),
            total_record_count: Some(total_rows),
            delta_record_count: Some(delta_rows),
            changelog_record_count,
            watermark: latest.and_then(|latest| latest.watermark),
            // Statistics are of the schema they were gathered with; the snapshot that brought them has it too.
            statistics: latest
                .filter(|latest| latest.schema_id == schema.id)
                .and_then(|latest| latest.statistics.clone()),
            properties,
            next_row_id: Some(next_row_id),
            operation: None,
        };
        Ok(Some(Prepared { snapshot, files }))
    }

    /// The manifests of the state before, some of them merged, and the names of all of them; `None` when merging them is
    /// all there is to do, and none would go.
    async fn base_manifests(
        &mut self,
        latest: Option<&Snapshot>,
    ) -> Result<Option<(Vec<ManifestFileMeta>, HashSet<String>)>> {
        let merges_all = self.checked.change.merges_manifests;
        let current = match latest {
            Some(latest) => manifests(self.store, latest).await?,
            None => Vec::new(),
        };
        let merged = match &self.merge {
            // The merge of the first try is used again while it fits; another one would make the next race longer.
            Some((before, after)) => manifest_merge::reuse(&current, before, after).unwrap_or(current),
            None => {
                let merged = manifest_merge::merge(self.store, merges_all, &current, &mut self.files).await?;
                if merges_all && merged == current {
                    return Ok(None);
                }
                self.merge = Some((current, merged.clone()));
                merged
            }
        };
        let names = merged.iter().map(|manifest| manifest.file_name.clone()).collect();
        Ok(Some((merged, names)))
    }

    /// The list of the manifests of `entries`, which are what the state before makes of the change.
    fn list_of_delta(&mut self, entries: &[ManifestEntry], row_tracking: bool) -> Result<WrittenList> {
        let depends_on_base = self.checked.change.replaces.is_some() || row_tracking;
        if let Some(written) = self.delta_list.as_ref().filter(|_| !depends_on_base) {
            return Ok(written.clone());
        }
        let written = write_list(&mut self.files, entries)?;
        self.delta_list = Some(written.clone());
        Ok(written)
    }

    /// The list of the manifests of changelogs, when there are some.
    fn list_of_changelog(&mut self) -> Result<Option<WrittenList>> {
        if self.changelog_list.is_none() && !self.checked.change.changelog.is_empty() {
            self.changelog_list = Some(write_list(&mut self.files, &self.checked.change.changelog)?);
        }
        Ok(self.changelog_list.clone())
    }
}

/// Whoever reads deletions wants to know the file alone.
fn drop_statistics(entry: &mut ManifestEntry) {
    entry.file.value_stats = SimpleStats::empty();
    entry.file.value_stats_cols = Some(Vec::new());
}

fn write_list(files: &mut ManifestFiles<'_>, entries: &[ManifestEntry]) -> Result<WrittenList> {
    let manifests = files.add_manifests(entries)?;
    let list = files.add_list(&manifests)?;
    let names = manifests.into_iter().map(|manifest| manifest.file_name).chain([list.name.clone()]).collect();
    Ok(WrittenList { list, files: names })
}

fn next_id(latest: Option<&Snapshot>) -> Result<i64> {
    let Some(latest) = latest else { return Ok(FIRST_SNAPSHOT_ID) };
    latest.id.checked_add(1).ok_or_else(|| Error::corrupt("expected a snapshot id below 2^63 - 1, found the largest"))
}

/// Old snapshots do not say how many rows there are; then they are counted.
async fn previous_rows(store: &TableStore, latest: Option<&Snapshot>) -> Result<i64> {
    match latest {
        None => Ok(0),
        Some(Snapshot { total_record_count: Some(count), .. }) => Ok(*count),
        Some(latest) => row_count(&live_entries(store, latest, &|_, _| true).await?),
    }
}

/// The request's, and the largest sequence number where the table keeps it there (Java `SequenceSnapshotProperties`).
async fn properties(
    store: &TableStore,
    request: &CommitRequest,
    latest: Option<&Snapshot>,
    entries: &[ManifestEntry],
) -> Result<Option<BTreeMap<String, String>>> {
    let kept = match (latest.and_then(largest_sequence_number), latest) {
        (None, _) if !store.options().sequence_numbers_follow_snapshot()? => None,
        (None, None) => Some(NO_SEQUENCE_NUMBER),
        (None, Some(latest)) => {
            let live = live_entries(store, latest, &|_, _| true).await?;
            Some(live.iter().map(|entry| entry.file.max_sequence_number).fold(NO_SEQUENCE_NUMBER, i64::max))
        }
        (kept, _) => kept,
    };
    let mut properties = request.properties.clone();
    if let Some(kept) = kept {
        let added =
            entries.iter().filter(|entry| entry.kind == FileKind::Add).map(|entry| entry.file.max_sequence_number);
        let largest = added.fold(kept, i64::max);
        properties.insert(MAX_SEQUENCE_NUMBER.to_owned(), largest.to_string());
    }
    Ok((!properties.is_empty()).then_some(properties))
}

/// The largest sequence number that a snapshot keeps, of all rows that the table ever had.
pub(crate) fn largest_sequence_number(snapshot: &Snapshot) -> Option<i64> {
    snapshot.properties.as_ref()?.get(MAX_SEQUENCE_NUMBER)?.parse().ok()
}
