//! Deleted rows, as deletion vectors; whole partitions, as files that go.

use std::collections::{BTreeMap, HashMap, HashSet};

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use futures::TryStreamExt;
use paimon_scan::{ReadPoint, ScanRequest, plan};
use paimon_spec::{BinaryRow, CommitMessage, DeletionVector, Error, FileKind, IndexManifestEntry, Predicate, Result};

use super::groups::{around, deletions, groups, place};
use super::{TableUpdate, matching};
use crate::vector_files::{VectorPlace, Vectors, index_files, replace_vectors, require_index_folder};

pub(super) async fn delete_rows(table: &TableUpdate, row_ids: &[i64]) -> Result<Vec<CommitMessage>> {
    let options = table.store.options();
    if !options.deletion_vectors_enabled()? {
        return Err(Error::invalid("delete requires 'deletion-vectors.enabled' = 'true'."));
    }
    require_index_folder(&table.store, "deleting rows")?;
    let mut ids = row_ids.to_vec();
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let Some(snapshot) = &table.snapshot else {
        place(&[], &ids)?;
        return Ok(Vec::new());
    };
    let groups = groups(&table.store, snapshot, Some(around(&ids))).await?;
    let mut changed: HashMap<(BinaryRow, i32), Vectors> = HashMap::new();
    let touched = place(&groups, &ids)?;
    let deleted = deletions(&table.store, &touched).await?;
    for ((group, range), old) in touched.into_iter().zip(deleted) {
        let first = group.rows().start;
        let positions = ids[range].iter().map(|id| (id - first).unsigned_abs());
        let (anchor, _) = group.anchor()?;
        let vector = DeletionVector::from_positions(old.positions().chain(positions));
        if vector.cardinality() > old.cardinality() {
            let bucket = (group.split.partition.clone(), group.split.bucket);
            changed.entry(bucket).or_default().insert(anchor.to_owned(), vector);
        }
    }
    let mut changed: Vec<_> = changed.into_iter().collect();
    changed.sort_unstable_by(|((a, _), _), ((b, _), _)| a.as_bytes().cmp(b.as_bytes()));
    let there = index_files(&table.store, snapshot).await?;
    let mut messages = Vec::with_capacity(changed.len());
    for ((partition, bucket), vectors) in changed {
        let place = VectorPlace { partition: &partition, bucket, in_one_file: false };
        match replace_vectors(&table.store, &there, place, vectors, &HashSet::new()).await {
            Ok(index_changes) => {
                messages.push(CommitMessage { index_changes, ..table.message(partition, bucket) });
            }
            Err(error) => {
                // What counts is why the files could not be completed.
                let _ = crate::abort(&table.store, &messages).await;
                return Err(error);
            }
        }
    }
    Ok(messages)
}

pub(super) async fn delete_where(table: &TableUpdate, condition: Option<&Predicate>) -> Result<Vec<CommitMessage>> {
    let fields = table.store.schema().partition_fields();
    let is_partition = |id: &i32| fields.iter().any(|field| field.id == *id);
    if let Some(condition) = condition
        && !condition.fields().is_empty()
        && condition.fields().iter().all(is_partition)
    {
        return delete_partitions(table, condition).await;
    }
    let batches: Vec<_> = matching::matching(table, condition, &[]).await?.try_collect().await?;
    let ids: Vec<i64> =
        batches.iter().flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().values().iter().copied()).collect();
    delete_rows(table, &ids).await
}

/// Takes the files of partitions out, and their index files.
async fn delete_partitions(table: &TableUpdate, condition: &Predicate) -> Result<Vec<CommitMessage>> {
    let Some(snapshot) = &table.snapshot else { return Ok(Vec::new()) };
    let request = ScanRequest {
        at: ReadPoint::Snapshot(snapshot.id),
        partition_predicate: Some(condition.clone()),
        ..ScanRequest::default()
    };
    let mut messages: BTreeMap<(Vec<u8>, i32), CommitMessage> = BTreeMap::new();
    for split in plan(&table.store, &request).await?.splits {
        let key = (split.partition.to_metadata(), split.bucket);
        let message = messages.entry(key).or_insert_with(|| table.message(split.partition, split.bucket));
        message.deleted_files.extend(split.files);
    }
    for entry in index_files(&table.store, snapshot).await? {
        let key = (entry.partition.to_metadata(), entry.bucket);
        if let Some(message) = messages.get_mut(&key) {
            message.index_changes.push(IndexManifestEntry { kind: FileKind::Delete, ..entry });
        }
    }
    Ok(messages.into_values().collect())
}
