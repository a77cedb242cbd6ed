//! Counting rows without reading them.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use paimon_io::TableStore;
use paimon_spec::{DeletionFile, EntryHead, Error, ManifestEntry, ManifestFileMeta, Predicate, Result};

use crate::ahead::Ahead;
use crate::entries::{FileSet, by_deletions, manifests, read_chosen, read_deleting, read_entries, with_nothing_else};
use crate::partitions::{Partition, Partitions};
use crate::prune::Pruner;
use crate::{DeletionIndex, ReadPoint, ScanRequest, check_readable, plan, resolve};

/// Rows by metadata alone (row counts less deletions) under an exact partition condition.
///
/// `None` when it cannot be told: the condition names other columns, a deletion vector's cardinality is not stored, or
/// rows of a primary-key table are to be merged.
///
/// # Errors
/// As [`plan`](crate::plan).
pub fn count_rows<'a>(
    store: &'a TableStore,
    at: &'a ReadPoint,
    partition_predicate: Option<&'a Predicate>,
) -> BoxFuture<'a, Result<Option<u64>>> {
    Box::pin(async move {
        check_readable(store.schema())?;
        let partition_fields = store.schema().partition_fields();
        let names = partition_predicate.map(Predicate::fields).unwrap_or_default();
        if !names.iter().all(|id| partition_fields.iter().any(|field| field.id == *id)) {
            return Ok(None);
        }
        let request = ScanRequest { partition_predicate: partition_predicate.cloned(), ..ScanRequest::default() };
        if !store.schema().primary_keys.is_empty() || store.options().data_evolution_enabled()? {
            // Of rows that are in several files, one file tells how many there are.
            let request = ScanRequest { at: at.clone(), fields: Some(Vec::new()), with_stats: false, ..request };
            return count_planned(store, request).await;
        }
        let Some(snapshot) = resolve(store, at).await? else { return Ok(Some(0)) };
        let pruner = Pruner::new(store.schema(), &request, None)?;
        let partitions = Partitions::new(store.schema(), pruner.on_partitions().clone());
        let (manifests, deletions) =
            futures::try_join!(manifests(store, &snapshot), DeletionIndex::load(store, &snapshot))?;
        let (deleting, adding) =
            by_deletions(manifests.iter().filter(|manifest| pruner.has_wanted_partitions(manifest)));
        let wanted = |partition: &Partition, _: &EntryHead<'_>| partition.wanted;
        let read = |manifest| with_nothing_else(read_chosen(store, &partitions, manifest, &wanted)).boxed();
        let mut deleted = FileSet::default();
        let live = read_deleting(store, &mut deleted, deleting, read).await?;
        let mut total = Count::default();
        for (partition, entry) in live.iter().flat_map(|(_, (), found)| found) {
            total.add(entry.file.row_count, deletions.get(&partition.row, entry.bucket, &entry.file.file_name))?;
        }
        let count = |manifest| count_manifest(store, &partitions, &deleted, &deletions, manifest).boxed();
        let mut counts = Ahead::new(store, adding, count);
        while let Some((_, count)) = counts.next().await? {
            total = total.plus(count);
        }
        Ok(total.rows)
    })
}

/// Rows of splits, where none is to be merged.
async fn count_planned(store: &TableStore, request: ScanRequest) -> Result<Option<u64>> {
    let plan = plan(store, &request).await?;
    let mut rows = plan.splits.iter().map(|split| u64::try_from(split.merged_row_count()?).ok());
    Ok(rows.try_fold(0, |total: u64, rows| Some(total.saturating_add(rows?))))
}

async fn count_manifest(
    store: &TableStore,
    partitions: &Partitions,
    deleted: &FileSet,
    deletions: &DeletionIndex,
    manifest: &ManifestFileMeta,
) -> Result<Count> {
    let mut of_heads = Count::default();
    let mut of_entries = Count::default();
    let mut accept = |partition: &Arc<Partition>, head: &EntryHead<'_>| {
        // Only what may have been deleted is worth building.
        let build = partition.wanted && deleted.may_contain(head.file_name);
        if partition.wanted && !build {
            of_heads.add(head.row_count, deletions.get(&partition.row, head.bucket, head.file_name))?;
        }
        Ok(build)
    };
    let mut take = |partition: &Arc<Partition>, entry: ManifestEntry| {
        if deleted.contains(partition, &entry) {
            return Ok(());
        }
        of_entries.add(entry.file.row_count, deletions.get(&partition.row, entry.bucket, &entry.file.file_name))
    };
    read_entries(store, partitions, manifest, &mut accept, &mut take).await?;
    Ok(of_heads.plus(of_entries))
}

/// A number of rows; `None` when one of its parts is not known.
#[derive(Debug)]
struct Count {
    rows: Option<u64>,
}

impl Default for Count {
    fn default() -> Self {
        Self { rows: Some(0) }
    }
}

impl Count {
    fn add(&mut self, row_count: i64, deletion: Option<&DeletionFile>) -> Result<()> {
        let live = match deletion {
            None => Some(row_count),
            Some(deletion) => deletion.cardinality.map(|deleted| row_count.saturating_sub(deleted)),
        };
        let Some(live) = live else {
            self.rows = None;
            return Ok(());
        };
        let live = u64::try_from(live)
            .map_err(|_| Error::corrupt(format!("expected a number of rows of a data file, found {live}")))?;
        self.rows = self.rows.map(|rows| rows.saturating_add(live));
        Ok(())
    }

    fn plus(self, other: Self) -> Self {
        Self { rows: self.rows.zip(other.rows).map(|(a, b)| a.saturating_add(b)) }
    }
}
