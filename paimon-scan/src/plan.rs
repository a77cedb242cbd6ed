//! From a request to splits.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::FutureExt;
use futures::future::BoxFuture;
use paimon_io::TableStore;
use paimon_spec::{
    DataFileMeta, DataSplit, EntryHead, Error, FileKind, IndexVerdict, ManifestEntry, ManifestFileMeta, Result,
    SimpleStats, Snapshot, Verdict,
};

use crate::ahead::Ahead;
use crate::choice::Choice;
use crate::entries::{
    FileSet, Found, by_deletions, manifests, read_chosen, read_deleting, read_entries, with_nothing_else,
};
use crate::evolution::{Evolution, NewRows, Settled};
use crate::keyed::Keyed;
use crate::partitions::{Partition, Partitions};
use crate::prune::Pruner;
use crate::regions::Regions;
use crate::report::{ScanReport, Stage};
use crate::splits::{Planned, PlannedSplit, Rows, Sizes, generate_splits};
use crate::{DeletionIndex, ScanRequest, Slice, check_readable, resolve};

/// With a limit the first manifest is mostly enough, so few are read at first.
const MANIFESTS_AT_ONCE_WITH_LIMIT: usize = 2;

/// The splits that answer a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The state that was planned; `None`: there are no rows, because the table has no snapshot or the increment is empty.
    pub snapshot: Option<Arc<Snapshot>>,
    /// What to read. Each row of the snapshot that the request wants is in one of them, unless a limit is covered
    /// without it.
    pub splits: Vec<DataSplit>,
    /// What was seen and left out.
    pub report: ScanReport,
}

/// Plans a read.
///
/// # Errors
/// - `Unsupported` as [`check_readable`], and the errors of [`resolve`].
/// - `NotFound` when a manifest, a schema or the index manifest that the snapshot needs is missing.
/// - `CorruptData` when one of them cannot be decoded.
pub fn plan<'a>(store: &'a TableStore, request: &'a ScanRequest) -> BoxFuture<'a, Result<Plan>> {
    Box::pin(async move {
        check_readable(store.schema())?;
        let keyed = Keyed::find(store.schema(), request)?;
        if let (Some(Slice::Rows { .. }), Some(_)) = (request.slice, &keyed) {
            return Err(Error::unsupported("Primary key tables do not support with_slice(); use with_shard instead"));
        }
        let source = match &request.increment {
            None => state(store, request).await?,
            Some(increment) => increment.source(store).await?,
        };
        let Some(source) = source else {
            return Ok(Plan { snapshot: None, splits: Vec::new(), report: ScanReport::default() });
        };
        let pruner = Pruner::new(store.schema(), request, keyed.as_ref())?;
        let Source { snapshot, deletions, .. } = &source;
        let planner = Planner { store, request, keyed: keyed.as_ref(), pruner: &pruner, deletions };
        let (files, mut report) = planner.files(&source).await?;
        let grouped = pruner.evolution().is_some();
        let options = store.options();
        let sizes = Sizes {
            target_bytes: request.split_target_bytes.map_or_else(|| options.split_target_bytes(), Ok)?,
            open_file_cost: options.split_open_file_cost_bytes()?,
        };
        let rows = match &keyed {
            Some(keyed) => Rows::Merged(keyed),
            None if grouped => Rows::Grouped { blobs_weigh: options.blob_split_by_file_size()? },
            None => Rows::OfFiles,
        };
        let splits = generate_splits(store, rows, snapshot.id, files, deletions, sizes)?;
        report.sections.after = splits.iter().map(|planned| planned.split.files.len() as u64).sum();
        let mut splits = match request.limit_of_certain_rows().filter(|_| keyed.is_some() || grouped) {
            Some(limit) => covering(splits, limit, &mut report),
            None => splits.into_iter().map(|planned| planned.split).collect(),
        };
        if let Some(slice) = request.slice {
            splits = slice.cut(splits, grouped)?;
        }
        Ok(Plan { snapshot: Some(source.snapshot), splits, report })
    })
}

/// Splits whose rows are enough, if there are such; else all.
fn covering(splits: Vec<PlannedSplit>, limit: u64, report: &mut ScanReport) -> Vec<DataSplit> {
    let certain_rows = splits.iter().map(|planned| planned.certain_rows).fold(0, u64::saturating_add);
    let is_covered = certain_rows >= limit;
    report.limit_stopped |= is_covered;
    let mut missing = limit;
    let mut is_needed = |planned: &PlannedSplit| {
        let adds = missing > 0 && planned.certain_rows > 0;
        missing = missing.saturating_sub(planned.certain_rows);
        adds || !is_covered
    };
    splits.into_iter().filter(|planned| is_needed(planned)).map(|planned| planned.split).collect()
}

/// Where planned files come from.
#[derive(Debug)]
pub(crate) struct Source {
    /// Their state.
    pub(crate) snapshot: Arc<Snapshot>,
    /// What these manifests add and do not delete is planned,
    pub(crate) adding: Vec<ManifestFileMeta>,
    /// but not what these delete,
    pub(crate) deleting: Vec<ManifestFileMeta>,
    /// nor what these add.
    pub(crate) known: Vec<ManifestFileMeta>,
    /// Deleted rows of what is planned.
    pub(crate) deletions: DeletionIndex,
    /// Which rows are new, when these are not all rows of a state.
    pub(crate) new_rows: Option<NewRows>,
}

/// A whole state of the table.
async fn state(store: &TableStore, request: &ScanRequest) -> Result<Option<Source>> {
    let Some(snapshot) = resolve(store, &request.at).await? else { return Ok(None) };
    let (adding, deletions) = futures::try_join!(manifests(store, &snapshot), DeletionIndex::load(store, &snapshot))?;
    Ok(Some(Source { snapshot, adding, deleting: Vec::new(), known: Vec::new(), deletions, new_rows: None }))
}

struct Planner<'a> {
    store: &'a TableStore,
    request: &'a ScanRequest,
    keyed: Option<&'a Keyed>,
    pruner: &'a Pruner<'a>,
    deletions: &'a DeletionIndex,
}

impl Planner<'_> {
    async fn files(&self, source: &Source) -> Result<(Vec<Planned>, ScanReport)> {
        let mut report = ScanReport::default();
        let wanted = self.wanted(&source.adding, &mut report)?;
        let limit = self.limit();
        if self.request.limit_of_certain_rows() == Some(0) {
            report.limit_stopped = true;
            return Ok((Vec::new(), report));
        }
        let partitions = Partitions::new(self.store.schema(), self.pruner.on_partitions().clone());
        let (mut left_out, known) = self.left_out(source, &partitions).await?;
        let (deleting, mut adding) = by_deletions(wanted.into_iter());
        let undecided = |manifest| self.read_undecided(&partitions, manifest).boxed();
        let mut groups = self.pruner.evolution().map(|evolution| {
            let regions = Regions::of(&[deleting.as_slice(), adding.as_slice()].concat());
            adding.sort_by_key(|(place, _)| regions.number(*place));
            Groups { evolution, regions, settled: Settled::default() }
        });
        let mut reads = Vec::new();
        for (place, report, found) in read_deleting(self.store, &mut left_out, deleting, undecided).await? {
            let mut read = Read { report, ..Read::default() };
            for (partition, entry) in found {
                if !known.contains(&partition, &entry) {
                    self.take(&mut read, &partition, entry)?;
                }
            }
            if let Some(groups) = &mut groups {
                self.settle(groups, place, &mut read, source.new_rows)?;
            }
            reads.push((place, read));
        }

        let mut certain_rows: u64 = reads.iter().map(|(_, read)| read.certain_rows).sum();
        let covers = |certain_rows| limit.is_some_and(|limit| certain_rows >= limit);
        report.limit_stopped = covers(certain_rows);
        let live = |partition: &Partition, entry: &ManifestEntry| {
            !left_out.contains(partition, entry) && !known.contains(partition, entry)
        };
        let mut ahead = Ahead::new(self.store, adding, |manifest| self.read(&partitions, &live, manifest).boxed());
        if limit.is_some() {
            ahead = ahead.starting_with(MANIFESTS_AT_ONCE_WITH_LIMIT);
        }
        while !report.limit_stopped
            && let Some((place, mut read)) = ahead.next().await?
        {
            if let Some(groups) = &mut groups {
                self.settle(groups, place, &mut read, source.new_rows)?;
            }
            certain_rows = certain_rows.saturating_add(read.certain_rows);
            report.limit_stopped = covers(certain_rows);
            reads.push((place, read));
        }
        reads.sort_unstable_by_key(|(place, _)| *place);
        let mut files = Vec::new();
        for (_, read) in reads {
            report.partitions.after += read.report.partitions.after;
            report.buckets += read.report.buckets;
            report.files += Stage { after: read.file_index.before, ..read.report.files };
            report.file_index += read.file_index;
            report.entries_read += read.report.entries_read;
            report.sections.before += read.file_index.after;
            files.extend(read.files);
        }
        files.extend(groups.map(|groups| groups.settled.in_order()).unwrap_or_default());
        Ok((files, report))
    }

    /// Takes what a manifest has into row groups, of which those that are complete are settled.
    fn settle(&self, groups: &mut Groups<'_>, place: usize, read: &mut Read, new_rows: Option<NewRows>) -> Result<()> {
        if let Some(files) = groups.regions.add(place, std::mem::take(&mut read.files)) {
            let settled = groups.evolution.settle(files, &self.pruner.schemas(), self.deletions, new_rows)?;
            read.certain_rows = settled.certain_rows;
            groups.settled.files.extend(settled.files);
        }
        Ok(())
    }

    /// The manifests that may add wanted files, and those that may delete some.
    fn wanted<'m>(
        &self,
        manifests: &'m [ManifestFileMeta],
        report: &mut ScanReport,
    ) -> Result<Vec<&'m ManifestFileMeta>> {
        let mut wanted = Vec::new();
        for manifest in manifests {
            let mut keeps = manifest.num_deleted_files > 0 && self.pruner.has_wanted_partitions(manifest);
            if manifest.num_added_files > 0 {
                report.partitions.before += u64::try_from(manifest.num_added_files).unwrap_or(0);
                keeps |= report.manifests.count(self.pruner.keeps_manifest(manifest)?);
            }
            if keeps {
                wanted.push(manifest);
            }
        }
        Ok(wanted)
    }

    /// What manifests delete whose added files are not planned, and the files that are known already.
    async fn left_out(&self, source: &Source, partitions: &Partitions) -> Result<(FileSet, FileSet)> {
        let wanted = |manifest: &&ManifestFileMeta| self.pruner.has_wanted_partitions(manifest);
        let (mut deleted, mut known) = (FileSet::default(), FileSet::default());
        let nothing = |_: &Partition, _: &EntryHead<'_>| false;
        let deletes = |manifest| with_nothing_else(read_chosen(self.store, partitions, manifest, &nothing)).boxed();
        let (deleting, _) = by_deletions(source.deleting.iter().filter(wanted));
        read_deleting(self.store, &mut deleted, deleting, deletes).await?;

        let added = |partition: &Partition, _: &EntryHead<'_>| partition.wanted;
        let manifests = source.known.iter().filter(wanted).enumerate().collect();
        let mut reads =
            Ahead::new(self.store, manifests, |manifest| read_chosen(self.store, partitions, manifest, &added).boxed());
        while let Some((_, found)) = reads.next().await? {
            for (partition, entry) in found.into_iter().filter(|(_, entry)| entry.kind == FileKind::Add) {
                known.insert(&partition, entry);
            }
        }
        Ok((deleted, known))
    }

    /// The number of rows that ends planning: those of any files, which those of other files cannot take away.
    fn limit(&self) -> Option<u64> {
        self.request.limit_of_certain_rows().filter(|_| self.keyed.is_none())
    }

    /// What a manifest that also deletes files has: whether those that it adds are live is not known yet.
    async fn read_undecided(
        &self,
        partitions: &Partitions,
        manifest: &ManifestFileMeta,
    ) -> Result<(ScanReport, Vec<Found>)> {
        self.pruner.load_schema(self.store, manifest.schema_id).await?;
        loop {
            let mut found = Vec::new();
            let mut choice = Choice::new(self.pruner, manifest);
            let mut take = |partition: &Arc<Partition>, entry| {
                found.push((Arc::clone(partition), entry));
                Ok(())
            };
            let mut accept = |partition: &Arc<Partition>, head: &EntryHead<'_>| choice.accept(partition, head);
            read_entries(self.store, partitions, manifest, &mut accept, &mut take).await?;
            if choice.is_complete(self.store).await? {
                return Ok((choice.report, found));
            }
        }
    }

    async fn read(
        &self,
        partitions: &Partitions,
        live: &(dyn Fn(&Partition, &ManifestEntry) -> bool + Send + Sync),
        manifest: &ManifestFileMeta,
    ) -> Result<Read> {
        // The newest schema of its entries, and mostly of all of them.
        self.pruner.load_schema(self.store, manifest.schema_id).await?;
        let limit = self.limit();
        loop {
            let mut read = Read::default();
            let mut choice = Choice::new(self.pruner, manifest);
            // Rows of this manifest alone may cover the limit; what follows in it is then not needed.
            let covered = AtomicBool::new(false);
            let mut take = |partition: &Arc<Partition>, entry| {
                if live(partition, &entry) {
                    self.take(&mut read, partition, entry)?;
                    covered.store(limit.is_some_and(|limit| read.certain_rows >= limit), Ordering::Relaxed);
                }
                Ok(())
            };
            let mut accept = |partition: &Arc<Partition>, head: &EntryHead<'_>| {
                if covered.load(Ordering::Relaxed) { Ok(false) } else { choice.accept(partition, head) }
            };
            read_entries(self.store, partitions, manifest, &mut accept, &mut take).await?;
            if choice.is_complete(self.store).await? {
                return Ok(Read { report: choice.report, ..read });
            }
        }
    }

    /// Takes a live file into the plan, unless its index says that it has no wanted row.
    fn take(&self, read: &mut Read, partition: &Partition, mut entry: ManifestEntry) -> Result<()> {
        if self.pruner.evolution().is_some() {
            self.take_of_group(read, partition, entry);
            return Ok(());
        }
        let verdict = self.pruner.index_verdict(&entry)?;
        if !read.file_index.count(verdict != IndexVerdict::Skip) {
            return Ok(());
        }
        let may_match = self.pruner.may_match(&entry)?;
        let is_certain = self.request.limit.is_some() && self.pruner.verdict(&entry) == Verdict::All;
        if is_certain {
            read.certain_rows = read.certain_rows.saturating_add(self.rows(partition, &entry));
        }
        // What was decoded shares the memory of its block, which one file in a thousand must not keep.
        entry.partition = partition.row.clone();
        if !self.request.with_stats {
            drop_stats(&mut entry.file, &verdict);
        }
        read.files.push(Planned { entry, may_match, is_certain, stats: Box::default() });
        Ok(())
    }

    /// Takes a live file whose row group is judged when it is complete.
    fn take_of_group(&self, read: &mut Read, partition: &Partition, mut entry: ManifestEntry) {
        read.file_index.count(true);
        let stats = self.pruner.stats_for_group(&entry);
        entry.partition = partition.row.clone();
        // Those of `.blob` files are wrong in the wild, and a data file may have thousands of them.
        if !self.request.with_stats || entry.file.is_blob() {
            drop_stats(&mut entry.file, &IndexVerdict::Keep);
        }
        read.files.push(Planned { entry, may_match: true, is_certain: false, stats });
    }

    /// Rows of a file, if its deletions are counted.
    fn rows(&self, partition: &Partition, entry: &ManifestEntry) -> u64 {
        let rows = match self.deletions.get(&partition.row, entry.bucket, &entry.file.file_name) {
            None => Some(entry.file.row_count),
            Some(deletion) => deletion.cardinality.map(|deleted| entry.file.row_count.saturating_sub(deleted)),
        };
        rows.and_then(|rows| u64::try_from(rows).ok()).unwrap_or(0)
    }
}

/// Row groups of the manifests that were read so far.
struct Groups<'a> {
    evolution: &'a Evolution,
    regions: Regions,
    settled: Settled,
}

/// What one manifest gave.
#[derive(Default)]
struct Read {
    files: Vec<Planned>,
    certain_rows: u64,
    report: ScanReport,
    file_index: Stage,
}

/// As Java's scan that drops statistics: nothing is known of any column. An index stays if it spares a reader half of the
/// rows, or more.
fn drop_stats(file: &mut DataFileMeta, verdict: &IndexVerdict) {
    file.value_stats = SimpleStats::empty();
    file.value_stats_cols = Some(Vec::new());
    let row_count = u64::try_from(file.row_count).unwrap_or(0);
    let spares_rows = matches!(verdict, IndexVerdict::Rows(rows) if rows.len() <= row_count / 2);
    file.embedded_index = file.embedded_index.take().filter(|_| spares_rows).map(|index| index.to_vec().into());
}
