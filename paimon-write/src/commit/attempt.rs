//! One try after the other until a snapshot with the changes is published.
//!
//! A snapshot's name is its number, and publishing is one exclusive create of that name. So of all that try the same
//! number one wins; the others build their snapshot anew on top of the winner's. When an answer is lost, the file behind
//! the number tells who won: until then everything written is kept.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use futures::future::try_join;
use paimon_io::{PutOutcome, TableStore};
use paimon_scan::live_entries;
use paimon_spec::{
    BucketMode, CommitKind, EntryHead, Error, ErrorKind, FileKind, IndexManifestEntry, KeyComparator, ManifestEntry,
    ManifestFileMeta, Result, SimpleStats, Snapshot, assign_row_ids,
};

use super::changes::Change;
use super::conflict::{find_conflict, find_key_conflict, find_left_vector, find_vector_conflict, live_after};
use super::index_files;
use super::manifest_files::{ListFile, ManifestFiles};
use super::manifest_merge;
use super::overwrite::{PartitionSet, delete_all, replace_index_files};
use super::row_ids::{RowUpdate, find_row_conflict};
use super::statistics::row_count;
use super::strict::StrictMode;
use super::{CommitRequest, Committed, is_same_commit};

/// Version of the snapshots that are written.
const SNAPSHOT_VERSION: i32 = 3;

/// A table's first snapshot.
const FIRST_SNAPSHOT_ID: i64 = 1;

/// Lost races allowed for each of the option `commit.max-retries`: each is somebody else's success, so they say nothing
/// against this commit.
const RACES_PER_RETRY: u32 = 100;

/// After a lost race waits grow up to this many times the shortest: a commit takes milliseconds, so whoever waits much
/// longer only loses turns.
const LONGEST_RACE_WAIT: u64 = 16;

/// Java: `SequenceSnapshotProperties`.
const MAX_SEQUENCE_NUMBER: &str = "sequence.generation.max-sequence-number";

/// Before the first.
const NO_SEQUENCE_NUMBER: i64 = -1;

/// Publishes a snapshot with the change and clears up what it does not need.
pub(super) async fn publish(store: &TableStore, request: &CommitRequest, change: Change) -> Result<Committed> {
    let mut publication = Publication::new(store, request, change)?;
    let mut outcome = publication.run().await;
    if publication.in_doubt.is_some() {
        outcome = outcome.map_err(|error| publication.unknown(error));
    }
    match &outcome {
        Ok(Committed::Snapshot(_)) => publication.files.delete_all_but(&publication.needed).await,
        Err(error) if super::outcome_is_unknown(error) => {}
        Ok(Committed::Already(_) | Committed::Nothing) | Err(_) => {
            publication.files.delete_all_but(&HashSet::new()).await;
        }
    }
    outcome
}

/// Refuses a table that is not the one the files were written for.
pub(super) async fn check_identity(store: &TableStore, request: &CommitRequest) -> Result<()> {
    let what = match store.identity().await {
        Ok(identity) if identity == request.table_identity => return Ok(()),
        Ok(_) => "the table was dropped and created again after the rows to be committed were written",
        Err(error) if error.kind() == ErrorKind::NotFound => {
            "the table was dropped after the rows to be committed were written"
        }
        Err(error) => return Err(error),
    };
    Err(Error::new(ErrorKind::CommitConflict, what).with_context("location", store.storage().root_url()))
}

/// How a try ended.
enum Tried {
    Published(i64),
    LostRace,
    /// Nobody knows, until the file behind the number is there or somebody else's is.
    InDoubt(Error),
}

/// One snapshot that was tried.
struct Try {
    uuid: String,
    snapshot_id: i64,
    /// Metadata files that it refers to.
    files: HashSet<String>,
}

struct Publication<'a> {
    store: &'a TableStore,
    request: &'a CommitRequest,
    change: Change,
    files: ManifestFiles<'a>,
    tries: Vec<Try>,
    /// The number of the last try, while its outcome is unknown.
    in_doubt: Option<i64>,
    /// Metadata files that the published snapshot refers to.
    needed: HashSet<String>,
    /// The delta list, when it is the same whatever is there.
    delta: Option<WrittenList>,
    /// The list of changelogs, which is the same whatever is there.
    changelog: Option<WrittenList>,
    /// The columns of rows that change, once they are known.
    update: Option<RowUpdate>,
    strict: StrictMode,
    /// Manifests before and after the merge of the first try.
    merge: Option<(Vec<ManifestFileMeta>, Vec<ManifestFileMeta>)>,
}

/// A manifest list, and the files it refers to, itself among them.
#[derive(Clone)]
struct WrittenList {
    list: ListFile,
    files: HashSet<String>,
}

/// The files and index files that a try adds and deletes.
struct Delta {
    entries: Vec<ManifestEntry>,
    /// The complete list, when it changes.
    index_files: Option<Vec<IndexManifestEntry>>,
}

impl<'a> Publication<'a> {
    fn new(store: &'a TableStore, request: &'a CommitRequest, change: Change) -> Result<Self> {
        Ok(Self {
            store,
            request,
            change,
            files: ManifestFiles::new(store)?,
            tries: Vec::new(),
            in_doubt: None,
            needed: HashSet::new(),
            delta: None,
            changelog: None,
            update: None,
            strict: StrictMode::of(store)?,
            merge: None,
        })
    }

    async fn run(&mut self) -> Result<Committed> {
        let options = self.store.options();
        let clock = Arc::clone(&self.store.context().clock);
        let started = clock.now_millis();
        let timeout = options.commit_timeout_millis()?;
        let max_failures = options.commit_max_retries()?;
        let max_races = max_failures.saturating_mul(RACES_PER_RETRY);
        let shortest_wait = options.commit_min_retry_wait_millis()?;
        let longest_wait = options.commit_max_retry_wait_millis()?;
        let (mut races, mut failures) = (0_u32, 0_u32);
        loop {
            let latest = self.store.latest_snapshot().await?;
            if let Some(found) = self.find_own(latest.as_deref()).await? {
                return Ok(found);
            }
            if !self.tries.is_empty() {
                check_identity(self.store, self.request).await?;
            }
            let Some(snapshot) = self.prepare(latest.as_deref()).await? else { return Ok(Committed::Nothing) };
            let (error, wait) = match self.put(&snapshot).await? {
                Tried::Published(id) => return Ok(Committed::Snapshot(id)),
                Tried::LostRace => {
                    races += 1;
                    let longest = longest_wait.min(shortest_wait.saturating_mul(LONGEST_RACE_WAIT));
                    (None, (clock.random() * backoff_millis(shortest_wait, longest, races) as f64) as u64)
                }
                Tried::InDoubt(error) => {
                    failures += 1;
                    let wait = backoff_millis(shortest_wait, longest_wait, failures);
                    (Some(error), wait + (clock.random() * 0.2 * wait as f64) as u64)
                }
            };
            let elapsed = clock.now_millis().saturating_sub(started);
            let out_of_time = timeout.is_some_and(|timeout| elapsed.unsigned_abs() > timeout);
            if out_of_time || races > max_races || failures > max_failures {
                let gave_up = Error::new(
                    ErrorKind::CommitConflict,
                    format!(
                        "gave up committing snapshot {} after {elapsed} ms, {races} races lost to other commits and \
                         {failures} failures",
                        snapshot.id
                    ),
                )
                .retryable();
                return Err(match error {
                    Some(cause) => gave_up.with_source(cause),
                    None => gave_up,
                });
            }
            clock.sleep(wait).await;
        }
    }

    /// Looks for this commit among the snapshots from the last try's number on, which also tells how that try ended.
    async fn find_own(&mut self, latest: Option<&Snapshot>) -> Result<Option<Committed>> {
        let (Some(last_try), Some(latest)) = (self.tries.last(), latest) else { return Ok(None) };
        let first = last_try.snapshot_id;
        for id in first..=latest.id {
            match self.store.snapshot(id).await? {
                Some(snapshot) => {
                    if let Some(found) = self.recognise(&snapshot) {
                        return Ok(Some(found));
                    }
                }
                None if self.in_doubt == Some(id) => {
                    return Err(Error::new(
                        ErrorKind::Storage,
                        format!("snapshot {id} has expired before it could be read back"),
                    ));
                }
                None => {}
            }
        }
        if first <= latest.id {
            self.in_doubt = None;
        }
        Ok(None)
    }

    /// Whether a snapshot is one of the tries, or the same commit by its key.
    fn recognise(&mut self, snapshot: &Snapshot) -> Option<Committed> {
        if let Some(own) = self.tries.iter().find(|own| Some(&own.uuid) == snapshot.uuid.as_ref()) {
            self.needed.clone_from(&own.files);
            self.in_doubt = None;
            return Some(Committed::Snapshot(snapshot.id));
        }
        if is_same_commit(snapshot, self.request, self.change.kind) {
            self.in_doubt = None;
            return Some(Committed::Already(snapshot.id));
        }
        None
    }

    /// Tries to publish a prepared snapshot.
    async fn put(&mut self, snapshot: &Snapshot) -> Result<Tried> {
        let id = snapshot.id;
        // Whatever happens from here on, even that this future is dropped, the outcome is unknown until told otherwise.
        self.in_doubt = Some(id);
        let failure = match self.store.commit(snapshot).await {
            Ok(PutOutcome::Created) => {
                self.recognise(snapshot);
                return Ok(Tried::Published(id));
            }
            Ok(PutOutcome::AlreadyExists) => None,
            Err(error) => Some(error),
        };
        // The name may be taken by this very try, when an answer was lost on the way.
        match self.store.snapshot(id).await {
            Ok(Some(found)) => match self.recognise(&found) {
                Some(Committed::Snapshot(id)) => Ok(Tried::Published(id)),
                // The next look finds it; everybody else's is a lost race.
                _ => {
                    self.in_doubt = None;
                    Ok(Tried::LostRace)
                }
            },
            Ok(None) => match failure {
                Some(error) if error.is_retryable() => Ok(Tried::InDoubt(error)),
                Some(error) => {
                    self.in_doubt = None;
                    Err(error)
                }
                // Taken a moment ago and gone now.
                None => Ok(Tried::InDoubt(Error::new(
                    ErrorKind::Storage,
                    format!("snapshot {id} exists, but cannot be found"),
                ))),
            },
            Err(error) => Ok(Tried::InDoubt(failure.unwrap_or(error))),
        }
    }

    /// Writes all that the next snapshot refers to; `None` when there is nothing to do.
    async fn prepare(&mut self, latest: Option<&Snapshot>) -> Result<Option<Snapshot>> {
        let store = self.store;
        let Some(schema) = store.latest_schema().await? else {
            return Err(Error::new(ErrorKind::CommitConflict, "the table was dropped while it was committed to")
                .with_context("location", store.storage().root_url()));
        };
        let id = next_id(latest)?;
        let mut delta = self.delta(latest).await?;
        let mut next_row_id = latest.and_then(|latest| latest.next_row_id).unwrap_or(0);
        if store.options().row_tracking_enabled()? {
            let group = store.options().row_tracking_partition_group_on_commit()?;
            (delta.entries, next_row_id) = assign_row_ids(delta.entries, next_row_id, id, group)?;
        }
        if store.options().manifest_delete_file_drop_stats()? {
            delta.entries.iter_mut().filter(|entry| entry.kind == FileKind::Delete).for_each(drop_statistics);
        }
        let delta_rows = row_count(&delta.entries)?;
        let changelog = &self.change.changelog;
        let changelog_record_count = if changelog.is_empty() { None } else { Some(row_count(changelog)?) };
        let previous_rows = previous_rows(store, latest).await?;
        let total_rows = previous_rows
            .checked_add(delta_rows)
            .ok_or_else(|| Error::corrupt("expected a table whose rows can be counted, found more than 2^63"))?;

        let Some((manifests, mut files)) = self.base_manifests(latest).await? else { return Ok(None) };
        let base_list = self.files.add_list(&manifests)?;
        files.insert(base_list.name.clone());
        let delta_list = self.delta_list(&delta.entries, store.options().row_tracking_enabled()?)?;
        let changelog_list = self.changelog_list()?;
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
            commit_kind: self.change.kind,
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
        let uuid = snapshot.uuid.clone().unwrap_or_default();
        self.tries.push(Try { uuid, snapshot_id: snapshot.id, files });
        Ok(Some(snapshot))
    }

    /// The manifests of the state before, some of them merged, and the names of all of them; `None` when merging them is
    /// all there is to do, and none would go.
    async fn base_manifests(
        &mut self,
        latest: Option<&Snapshot>,
    ) -> Result<Option<(Vec<ManifestFileMeta>, HashSet<String>)>> {
        let merges_all = self.change.merges_manifests;
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
    fn delta_list(&mut self, entries: &[ManifestEntry], row_tracking: bool) -> Result<WrittenList> {
        let depends_on_base = self.change.replaces.is_some() || row_tracking;
        if let Some(written) = self.delta.as_ref().filter(|_| !depends_on_base) {
            return Ok(written.clone());
        }
        let written = write_list(&mut self.files, entries)?;
        self.delta = Some(written.clone());
        Ok(written)
    }

    /// The list of the manifests of changelogs, when there are some.
    fn changelog_list(&mut self) -> Result<Option<WrittenList>> {
        if self.changelog.is_none() && !self.change.changelog.is_empty() {
            self.changelog = Some(write_list(&mut self.files, &self.change.changelog)?);
        }
        Ok(self.changelog.clone())
    }

    /// What changes against the state `latest`, after checking that it can.
    async fn delta(&mut self, latest: Option<&Snapshot>) -> Result<Delta> {
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
                refuse(find_conflict(&base, &change.entries, change.kind))?;
                self.check_keys(live_after(&base, &change.entries))?;
                refuse(find_vector_conflict(live_after(&base, &change.entries), &change.index_changes))?;
                self.check_row_ids(&base)?;
                (change.entries.clone(), change.index_changes.clone())
            }
            (_, latest) => {
                refuse(find_conflict(&[], &change.entries, change.kind))?;
                self.check_keys(change.entries.iter())?;
                self.check_row_ids(&[])?;
                if let Some(latest) = latest {
                    check_bucket_numbers(store, latest, &change.entries).await?;
                }
                (change.entries.clone(), change.index_changes.clone())
            }
        };
        let index_files = if index_changes.is_empty() {
            None
        } else {
            Some(index_files::combine(&previous_index, &index_changes, mode != BucketMode::Unaware)?)
        };
        refuse(find_left_vector(&entries, index_files.as_deref().unwrap_or(&previous_index)))?;
        if let Some(latest) = latest {
            let what = (change.kind, entries.as_slice(), index_changes.as_slice());
            refuse(self.strict.find_conflict(store, &self.request.user, latest, what).await?)?;
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
    fn check_row_ids(&self, base: &[ManifestEntry]) -> Result<()> {
        if !self.store.options().data_evolution_enabled()? {
            return Ok(());
        }
        let Change { entries, kind, check_from_snapshot, .. } = &self.change;
        refuse(find_row_conflict(base, entries, *kind, check_from_snapshot.is_some())?)
    }

    /// Refuses a state whose levels of sorted files would not be sorted any more.
    fn check_keys<'e>(&self, live: impl Iterator<Item = &'e ManifestEntry>) -> Result<()> {
        let schema = self.store.schema();
        if schema.primary_keys.is_empty() {
            return Ok(());
        }
        refuse(find_key_conflict(live, &KeyComparator::of(schema))?)
    }

    /// An error that says that everything was kept, and why.
    fn unknown(&self, cause: Error) -> Error {
        let id = self.in_doubt.unwrap_or_default();
        Error::new(
            ErrorKind::Storage,
            format!(
                "the outcome of the commit is unknown: snapshot {id} may or may not have been published, and all of its \
                 files were kept; look for a snapshot of the same user before committing again"
            ),
        )
        .with_context("outcome", "unknown")
        .with_context("snapshot", id)
        .with_context("user", &self.request.user)
        .with_context("location", self.store.storage().root_url())
        .with_source(cause)
        .retryable()
    }
}

/// The wait before retry `count` (from 1): doubling from `shortest` up to `longest`.
fn backoff_millis(shortest: u64, longest: u64, count: u32) -> u64 {
    let factor = 1_u64.checked_shl(count.saturating_sub(1)).unwrap_or(u64::MAX);
    shortest.saturating_mul(factor).min(longest)
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

fn refuse(conflict: Option<super::Conflict>) -> Result<()> {
    conflict.map_or(Ok(()), |conflict| Err(conflict.into()))
}

fn next_id(latest: Option<&Snapshot>) -> Result<i64> {
    let Some(latest) = latest else { return Ok(FIRST_SNAPSHOT_ID) };
    latest.id.checked_add(1).ok_or_else(|| Error::corrupt("expected a snapshot id below 2^63 - 1, found the largest"))
}

/// All manifests of a snapshot, oldest first.
async fn manifests(store: &TableStore, snapshot: &Snapshot) -> Result<Vec<ManifestFileMeta>> {
    let (base, delta) = try_join(
        store.manifest_list(&snapshot.base_manifest_list, snapshot.base_manifest_list_size),
        store.manifest_list(&snapshot.delta_manifest_list, snapshot.delta_manifest_list_size),
    )
    .await?;
    Ok(base.iter().chain(delta.iter()).cloned().collect())
}

/// Old snapshots do not say how many rows there are; then they are counted.
async fn previous_rows(store: &TableStore, latest: Option<&Snapshot>) -> Result<i64> {
    match latest {
        None => Ok(0),
        Some(Snapshot { total_record_count: Some(count), .. }) => Ok(*count),
        Some(latest) => row_count(&live_entries(store, latest, &|_, _| true).await?),
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
            let number = numbers.get(head.partition).filter(|_| head.kind == FileKind::Add && head.total_buckets > 0);
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
