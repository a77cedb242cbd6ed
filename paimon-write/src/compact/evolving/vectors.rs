//! Deletion vectors that follow their rows into new files.

use std::collections::{BTreeMap, HashMap, HashSet};

use paimon_io::TableStore;
use paimon_scan::deletion_files;
use paimon_spec::{
    CommitMessage, DELETION_VECTORS, DataFileMeta, DeletionFile, DeletionVector, Error, IndexManifestEntry, Result,
    row_groups,
};

use crate::vector_files::{VectorPlace, Vectors, index_files, replace_vectors};

/// What makes the deletion vectors of row groups, as of the latest snapshot, those of the files that take their place by
/// `messages`: to be committed with them. Rows that are deleted until then stay so; of those that are deleted later the
/// commit is told, as their vector is one of a file that is gone.
///
/// All messages of a commit are looked at together, because row groups share index files.
///
/// # Errors
/// As [`replace_vectors`]: nothing is left behind then.
pub(crate) async fn move_vectors(store: &TableStore, messages: &[CommitMessage]) -> Result<Vec<CommitMessage>> {
    let Some(snapshot) = store.latest_snapshot().await? else { return Ok(Vec::new()) };
    let there = index_files(store, &snapshot).await?;
    let mut buckets: BTreeMap<(Vec<u8>, i32), Vec<&CommitMessage>> = BTreeMap::new();
    for message in messages.iter().filter(|message| message.compacts()) {
        buckets.entry((message.partition.to_metadata(), message.bucket)).or_default().push(message);
    }
    let mut moved: Vec<CommitMessage> = Vec::new();
    for messages in buckets.values() {
        match of_bucket(store, &there, messages).await {
            Ok(message) => moved.extend(message),
            Err(error) => {
                // What counts is why the vectors could not be moved.
                let _ = crate::abort(store, &moved).await;
                return Err(error);
            }
        }
    }
    Ok(moved)
}

async fn of_bucket(
    store: &TableStore,
    there: &[IndexManifestEntry],
    messages: &[&CommitMessage],
) -> Result<Option<CommitMessage>> {
    let Some(CommitMessage { partition, bucket, total_buckets, .. }) = messages.first() else { return Ok(None) };
    let mut vectors: HashMap<&str, DeletionFile> = HashMap::new();
    let of_bucket = |entry: &&IndexManifestEntry| {
        entry.index_type == DELETION_VECTORS && entry.bucket == *bucket && entry.partition == *partition
    };
    for entry in there.iter().filter(of_bucket) {
        let names = entry.deletion_vectors.iter().flatten().map(|vector| vector.data_file_name.as_str());
        vectors.extend(names.zip(deletion_files(store, entry)?));
    }
    let mut changed = Vectors::new();
    let mut gone = HashSet::new();
    for message in messages {
        let before: Vec<&DataFileMeta> = message.compact_before.iter().filter(|file| !file.is_blob()).collect();
        gone.extend(before.iter().map(|file| file.file_name.as_str()).filter(|name| vectors.contains_key(name)));
        if let Some(after) = message.compact_after.iter().find(|file| !file.is_blob()) {
            let vector = joined(store, &before, after, &vectors).await?;
            if vector.cardinality() > 0 {
                changed.insert(after.file_name.clone(), vector);
            }
        }
    }
    if gone.is_empty() {
        return Ok(None);
    }
    let place = VectorPlace { partition, bucket: *bucket, in_one_file: false };
    let compact_index_changes = replace_vectors(store, there, place, changed, &gone).await?;
    let message = CommitMessage::of(partition.clone(), *bucket, *total_buckets);
    Ok(Some(CommitMessage { compact_index_changes, ..message }))
}

/// The deleted rows of the groups that `before` makes, as positions in `after`.
async fn joined(
    store: &TableStore,
    before: &[&DataFileMeta],
    after: &DataFileMeta,
    vectors: &HashMap<&str, DeletionFile>,
) -> Result<DeletionVector> {
    let Some(rows) = after.row_ids() else {
        return Err(Error::internal("paimon-write", "a compaction of row groups has made a file without row ids"));
    };
    let mut positions = Vec::new();
    for group in row_groups(before)? {
        let anchor = group.anchor(before).and_then(|at| before.get(at));
        if let Some(deleted) = anchor.and_then(|anchor| vectors.get(anchor.file_name.as_str())) {
            let shift = group.rows.start.abs_diff(rows.start);
            positions.extend(store.deletion_vector(deleted).await?.positions().map(|position| position + shift));
        }
    }
    Ok(DeletionVector::from_positions(positions))
}
