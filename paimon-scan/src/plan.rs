//! From a request to splits.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::{StreamExt, TryStreamExt, stream};
use paimon_io::TableStore;
use paimon_spec::{
    DataFileMeta, DataSplit, EntryHead, ManifestEntry, ManifestFileMeta, Result, SimpleStats, Snapshot, Verdict,
};

use crate::entries::{DeletedFiles, MANIFESTS_AT_ONCE, manifests, read_added};
use crate::partitions::{Partition, Partitions};
use crate::prune::{Decision, Pruner};
use crate::report::{ScanReport, Stage};
use crate::{DeletionIndex, ScanRequest, check_readable, generate_splits, resolve};

/// With a limit the first manifest is mostly enough, so few are read ahead.
const MANIFESTS_AT_ONCE_WITH_LIMIT: usize = 2;

/// The splits that answer a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The state that was planned; `None`: the table has no snapshot, and so no rows.
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
pub async fn plan(store: &TableStore, request: &ScanRequest) -> Result<Plan> {
    check_readable(store.schema())?;
    let Some(snapshot) = resolve(store, &request.at).await? else {
        return Ok(Plan { snapshot: None, splits: Vec::new(), report: ScanReport::default() });
    };
    let pruner = Pruner::new(store.schema(), request)?;
    let (manifests, deletions) =
        futures::try_join!(manifests(store, &snapshot), DeletionIndex::load(store, &snapshot))?;
    let (entries, report) =
        Planner { store, request, pruner: &pruner, deletions: &deletions }.entries(&manifests).await?;
    let options = store.options();
    let target_bytes = request.split_target_bytes.map_or_else(|| options.split_target_bytes(), Ok)?;
    let open_file_cost = options.split_open_file_cost_bytes()?;
    let splits = generate_splits(store, snapshot.id, entries, &deletions, target_bytes, open_file_cost)?;
    Ok(Plan { snapshot: Some(snapshot), splits, report })
}

struct Planner<'a> {
    store: &'a TableStore,
    request: &'a ScanRequest,
    pruner: &'a Pruner<'a>,
    deletions: &'a DeletionIndex,
}

impl Planner<'_> {
    async fn entries(&self, manifests: &[ManifestFileMeta]) -> Result<(Vec<ManifestEntry>, ScanReport)> {
        let added = |manifest: &ManifestFileMeta| u64::try_from(manifest.num_added_files).unwrap_or(0);
        let mut report = ScanReport::default();
        let mut wanted = Vec::new();
        for manifest in manifests.iter().filter(|manifest| manifest.num_added_files > 0) {
            report.partitions.before += added(manifest);
            if report.manifests.count(self.pruner.keeps_manifest(manifest)?) {
                wanted.push(manifest);
            }
        }
        let limit = self.limit();
        if limit == Some(0) {
            report.limit_stopped = true;
            return Ok((Vec::new(), report));
        }
        let partitions = Partitions::new(self.store.schema(), self.pruner.on_partitions().clone());
        let deleting = manifests.iter().filter(|manifest| self.pruner.has_wanted_partitions(manifest)).collect();
        let deleted = DeletedFiles::read(self.store, &partitions, deleting).await?;

        let at_once = if limit.is_some() { MANIFESTS_AT_ONCE_WITH_LIMIT } else { MANIFESTS_AT_ONCE };
        let reads: Vec<_> = wanted.into_iter().map(|manifest| self.read(&partitions, &deleted, manifest)).collect();
        let mut reads = stream::iter(reads).buffered(at_once);
        let mut entries = Vec::new();
        let mut certain_rows = 0;
        while let Some(read) = reads.try_next().await? {
            entries.extend(read.entries);
            report.partitions.after += read.report.partitions.after;
            report.buckets += read.report.buckets;
            report.files += read.report.files;
            report.entries_read += read.report.entries_read;
            certain_rows += read.certain_rows;
            if limit.is_some_and(|limit| certain_rows >= limit) {
                report.limit_stopped = true;
                break;
            }
        }
        Ok((entries, report))
    }

    /// The number of rows that ends planning. Only rows that nothing can take away count towards it.
    fn limit(&self) -> Option<u64> {
        self.request.limit.filter(|_| self.request.filter_is_exact).and_then(|limit| u64::try_from(limit).ok())
    }

    async fn read(&self, partitions: &Partitions, deleted: &DeletedFiles, manifest: &ManifestFileMeta) -> Result<Read> {
        // The newest schema of its entries, and mostly of all of them.
        self.pruner.load_schema(self.store, manifest.schema_id).await?;
        loop {
            let (read, missing_schemas) = self.read_with_known_schemas(partitions, deleted, manifest).await?;
            if missing_schemas.is_empty() {
                return Ok(read);
            }
            for id in missing_schemas {
                self.pruner.load_schema(self.store, id).await?;
            }
        }
    }

    /// What it gives is complete only if no schema is missing.
    async fn read_with_known_schemas(
        &self,
        partitions: &Partitions,
        deleted: &DeletedFiles,
        manifest: &ManifestFileMeta,
    ) -> Result<(Read, Vec<i64>)> {
        let limit = self.limit();
        let mut read = Read::default();
        let mut report = ScanReport::default();
        let mut missing_schemas = Vec::new();
        // Rows of this manifest alone may cover the limit; what follows in it is then not needed.
        let covered = AtomicBool::new(false);
        read_added(
            self.store,
            partitions,
            deleted,
            manifest,
            &mut |partition: &Arc<Partition>, head: &EntryHead<'_>| {
                if covered.load(Ordering::Relaxed) {
                    return Ok(false);
                }
                report.entries_read += 1;
                Ok(match self.pruner.decide(partition, head, &mut report)? {
                    Decision::Keep => missing_schemas.is_empty(),
                    Decision::Drop => false,
                    Decision::NeedsSchema(id) => {
                        if !missing_schemas.contains(&id) {
                            missing_schemas.push(id);
                        }
                        false
                    }
                })
            },
            &mut |partition, mut entry| {
                if let Some(limit) = limit {
                    read.certain_rows += self.certain_rows(partition, &entry);
                    covered.store(read.certain_rows >= limit, Ordering::Relaxed);
                }
                if !self.request.with_stats {
                    drop_stats(&mut entry.file);
                }
                read.entries.push(entry);
                Ok(())
            },
        )
        .await?;
        report.files = Stage { after: read.entries.len() as u64, ..report.files };
        Ok((Read { report, ..read }, missing_schemas))
    }

    /// Rows of a file that are certainly wanted.
    fn certain_rows(&self, partition: &Partition, entry: &ManifestEntry) -> u64 {
        if self.pruner.verdict(entry) != Verdict::All {
            return 0;
        }
        let rows = match self.deletions.get(&partition.row, entry.bucket, &entry.file.file_name) {
            None => Some(entry.file.row_count),
            Some(deletion) => deletion.cardinality.map(|deleted| entry.file.row_count.saturating_sub(deleted)),
        };
        rows.and_then(|rows| u64::try_from(rows).ok()).unwrap_or(0)
    }
}

/// What one manifest gave.
#[derive(Default)]
struct Read {
    entries: Vec<ManifestEntry>,
    certain_rows: u64,
    report: ScanReport,
}

/// As Java's scan that drops statistics: nothing is known of any column.
fn drop_stats(file: &mut DataFileMeta) {
    file.value_stats = SimpleStats::empty();
    file.value_stats_cols = Some(Vec::new());
    file.embedded_index = None;
}
