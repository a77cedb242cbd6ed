//! Counting rows without reading them.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use paimon_io::TableStore;
use paimon_spec::{DeletionFile, EntryHead, Error, ManifestEntry, ManifestFileMeta, Predicate, Result};

use crate::entries::{DeletedFiles, MANIFESTS_AT_ONCE, manifests, read_added};
use crate::partitions::{Partition, Partitions};
use crate::prune::Pruner;
use crate::{DeletionIndex, ReadPoint, ScanRequest, check_readable, resolve};

/// Rows by metadata alone (row counts less deletions) under an exact partition condition.
///
/// `None` when it cannot be told: the condition names other columns, or a deletion vector's cardinality is not stored.
///
/// # Errors
/// As [`plan`](crate::plan).
pub async fn count_rows(
    store: &TableStore,
    at: &ReadPoint,
    partition_predicate: Option<&Predicate>,
) -> Result<Option<u64>> {
    check_readable(store.schema())?;
    let partition_fields = store.schema().partition_fields();
    let names = partition_predicate.map(Predicate::fields).unwrap_or_default();
    if !names.iter().all(|id| partition_fields.iter().any(|field| field.id == *id)) {
        return Ok(None);
    }
    let Some(snapshot) = resolve(store, at).await? else { return Ok(Some(0)) };
    let request = ScanRequest { partition_predicate: partition_predicate.cloned(), ..ScanRequest::default() };
    let pruner = Pruner::new(store.schema(), &request)?;
    let partitions = Partitions::new(store.schema(), pruner.on_partitions().clone());
    let (manifests, deletions) =
        futures::try_join!(manifests(store, &snapshot), DeletionIndex::load(store, &snapshot))?;
    let wanted: Vec<_> = manifests.iter().filter(|manifest| pruner.has_wanted_partitions(manifest)).collect();
    let deleted = DeletedFiles::read(store, &partitions, wanted.clone()).await?;
    let adding = wanted.into_iter().filter(|manifest| manifest.num_added_files > 0);
    let counts: Vec<_> =
        adding.map(|manifest| count_manifest(store, &partitions, &deleted, &deletions, manifest)).collect();
    let mut counts = stream::iter(counts).buffer_unordered(MANIFESTS_AT_ONCE);
    let mut total = Count::default();
    while let Some(count) = counts.try_next().await? {
        total = total.plus(count);
    }
    Ok(total.rows)
}

async fn count_manifest(
    store: &TableStore,
    partitions: &Partitions,
    deleted: &DeletedFiles,
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
        of_entries.add(entry.file.row_count, deletions.get(&partition.row, entry.bucket, &entry.file.file_name))
    };
    read_added(store, partitions, deleted, manifest, &mut accept, &mut take).await?;
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
