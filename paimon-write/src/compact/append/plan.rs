//! The files of buckets to tasks.

use std::collections::{HashMap, HashSet};

use paimon_io::TableStore;
use paimon_spec::{BucketMode, CompactTask, CompactWork, DataFileMeta, DataSplit, Result};

use super::policy::{Candidate, Deleted, Rules};
use crate::compact::buckets::{BucketFiles, Buckets};

/// What there is to do in these buckets. `full`: so that as few files as possible are left, without deleted rows.
///
/// # Errors
/// `InvalidInput` for options that cannot be used.
pub(crate) fn plan(store: &TableStore, buckets: &Buckets, full: bool) -> Result<Vec<CompactTask>> {
    let rules = Rules::of(&store.options(), full)?;
    let ordered = store.schema().bucket_mode()? == BucketMode::Fixed;
    let mut tasks = Vec::new();
    for bucket in &buckets.buckets {
        let mut files: Vec<&DataFileMeta> = bucket.files.iter().collect();
        if ordered {
            files.sort_by_key(|file| file.min_sequence_number);
        }
        let deleted = deleted_rows(bucket);
        let candidates: Vec<Candidate> =
            files.iter().map(|file| Candidate::new(file, deleted.get(file.file_name.as_str()).cloned())).collect();
        let chosen = if ordered { rules.stretches(&candidates) } else { rules.pack(&candidates) };
        for places in chosen {
            let files = places.iter().filter_map(|place| files.get(*place)).map(|file| (*file).clone()).collect();
            tasks.push(task(store, buckets, bucket, files)?);
        }
    }
    Ok(tasks)
}

/// What is deleted in each file.
fn deleted_rows(bucket: &BucketFiles) -> HashMap<&str, Deleted> {
    let vectors = bucket.vectors.iter().flat_map(|entry| {
        let vectors = entry.deletion_vectors.iter().flatten();
        vectors.map(move |vector| (entry, vector))
    });
    vectors
        .map(|(entry, vector)| {
            let rows = vector.cardinality.and_then(|rows| u64::try_from(rows).ok());
            (vector.data_file_name.as_str(), Deleted { index_file: entry.file_name.clone(), rows })
        })
        .collect()
}

fn task(store: &TableStore, buckets: &Buckets, bucket: &BucketFiles, files: Vec<DataFileMeta>) -> Result<CompactTask> {
    let names: HashSet<&str> = files.iter().map(|file| file.file_name.as_str()).collect();
    let vectors = bucket.vectors.iter().filter(|entry| {
        entry.deletion_vectors.iter().flatten().any(|vector| names.contains(vector.data_file_name.as_str()))
    });
    let vectors = vectors.cloned().collect();
    let files = DataSplit { raw_convertible: true, ..buckets.split(store, bucket, files)? };
    Ok(CompactTask {
        snapshot_id: buckets.snapshot.id,
        deeper: DataSplit { files: Vec::new(), deletions: Vec::new(), ..files.clone() },
        files,
        total_buckets: bucket.total_buckets,
        vectors,
        work: CompactWork::Append,
    })
}
