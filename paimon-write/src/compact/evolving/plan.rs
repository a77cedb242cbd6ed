//! The files of buckets to tasks.

use paimon_io::TableStore;
use paimon_spec::{
    BlobStorage, CompactTask, CompactWork, DataField, DataFileMeta, DataSplit, Error, Result, RowGroup, TableSchema,
    row_groups,
};

use super::layout::{Layout, Layouts};
use super::policy::{Candidate, Rules};
use crate::compact::buckets::{BucketFiles, Buckets};
use crate::vector_files::require_index_folder;

/// Whether files of BLOB columns are compacted as well (Java `CoreOptions.BLOB_COMPACTION_ENABLED`).
const BLOB_COMPACTION: &str = "blob-compaction.enabled";

/// What there is to do in these buckets. `full`: so that as few files as possible are left.
///
/// # Errors
/// `InvalidInput` for options that cannot be used; `Unsupported` for tables whose `.blob` files are to be compacted, too, for
/// vector and video files, and for deletion vectors where index files are beside data files; `CorruptData` when files do not
/// make rows together.
pub(crate) async fn plan(store: &TableStore, buckets: &Buckets, full: bool) -> Result<Vec<CompactTask>> {
    require_blobs_left_alone(store.schema())?;
    let rules = Rules::of(&store.options(), full)?;
    let mut tasks = Vec::new();
    for bucket in &buckets.buckets {
        if !bucket.vectors.is_empty() {
            require_index_folder(store, "moving deletion vectors")?;
        }
        let groups = row_groups(&bucket.files)?;
        let layouts = Layouts::load(store, &bucket.files, buckets.snapshot.id).await?;
        let candidate = |group: &RowGroup| candidate(group, &bucket.files, &layouts);
        let candidates = groups.iter().map(candidate).collect::<Result<Vec<_>>>()?;
        for stretch in rules.stretches(&candidates) {
            let places = groups.get(stretch).unwrap_or_default().iter().flat_map(|group| &group.data);
            let files = places.filter_map(|place| bucket.files.get(*place)).cloned().collect();
            tasks.push(task(store, buckets, bucket, files)?);
        }
    }
    Ok(tasks)
}

/// # Errors
/// `Unsupported`
fn require_blobs_left_alone(schema: &TableSchema) -> Result<()> {
    let in_blob_files = |field: &DataField| schema.blob_storage(field) == Some(BlobStorage::File);
    if schema.table_options().get(BLOB_COMPACTION) == Some("true") && schema.fields.iter().any(in_blob_files) {
        return Err(Error::unsupported(format!("compacting .blob files ('{BLOB_COMPACTION}') is not supported yet")));
    }
    Ok(())
}

fn candidate(group: &RowGroup, files: &[DataFileMeta], layouts: &Layouts<'_>) -> Result<Candidate<Layout>> {
    let bytes = |place: &usize| files.get(*place).map_or(0, |file| u64::try_from(file.file_size).unwrap_or(0));
    Ok(Candidate {
        rows: group.rows.clone(),
        files: group.data.iter().map(bytes).collect(),
        layout: layouts.of(group, files)?,
    })
}

/// Deleted rows stay, so the task has no deletions.
fn task(store: &TableStore, buckets: &Buckets, bucket: &BucketFiles, files: Vec<DataFileMeta>) -> Result<CompactTask> {
    let files = DataSplit { deletions: Vec::new(), ..buckets.split(store, bucket, files)? };
    Ok(CompactTask {
        snapshot_id: buckets.snapshot.id,
        deeper: DataSplit { files: Vec::new(), ..files.clone() },
        files,
        total_buckets: bucket.total_buckets,
        vectors: Vec::new(),
        work: CompactWork::RowGroups,
    })
}
