//! The keys of a table, from its rows (Java `IndexBootstrap`).

use std::sync::Arc;

use arrow::array::RecordBatch;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use paimon_io::{TableStore, background};
use paimon_merge::{ReadRequest, read};
use paimon_scan::{ReadPoint, ScanRequest, plan};
use paimon_spec::{BinaryRow, DataField, DataFileMeta, DataSplit, Error, Result, Snapshot};

/// Bytes that a split in reading takes, about, whatever less it is given.
const SPLIT_BYTES: u64 = 32 << 20;

/// Rows of a batch of keys: they are in memory several times while they are taken.
const BATCH_ROWS: usize = 16 << 10;

/// Keys of a bucket.
#[derive(Debug)]
pub(super) struct FoundKeys {
    pub(super) partition: BinaryRow,
    pub(super) bucket: i32,
    /// The columns of the primary key.
    pub(super) rows: RecordBatch,
}

/// What has to be read to know the keys of a snapshot.
#[derive(Debug)]
pub(super) struct Bootstrap {
    splits: Vec<DataSplit>,
    /// Splits that are read at the same time, at most.
    parallelism: usize,
}

impl Bootstrap {
    /// Of all levels: a row that waits for a compaction to be seen has its key, too. Splits of files that are all older
    /// than the table's option `cross-partition-upsert.index-ttl` are left out, as if their keys were new.
    ///
    /// # Errors
    /// `InvalidInput` for unusable options; those of planning.
    pub(super) async fn plan(store: &TableStore, snapshot: Arc<Snapshot>) -> Result<Self> {
        let request = ScanRequest {
            at: ReadPoint::Resolved(snapshot),
            all_levels: true,
            with_stats: false,
            ..ScanRequest::default()
        };
        let mut splits = plan(store, &request).await?.splits;
        if let Some(ttl_millis) = store.options().cross_partition_index_ttl_millis()? {
            let now_millis = store.context().clock.now_millis();
            splits.retain(|split| is_remembered(&split.files, ttl_millis, now_millis));
        }
        Ok(Self { splits, parallelism: store.options().cross_partition_bootstrap_parallelism()? })
    }

    /// As many keys as there are at most.
    pub(super) fn most_keys(&self) -> u64 {
        self.splits.iter().map(|split| u64::try_from(split.row_count()).unwrap_or(0)).fold(0, u64::saturating_add)
    }

    /// All keys of rows that are there, in any order. `memory_bytes` divide into splits that are read at the same time: one
    /// at least, and no more than the option `cross-partition-upsert.bootstrap-parallelism` says.
    pub(super) fn read(
        self,
        store: &TableStore,
        key: &[DataField],
        memory_bytes: u64,
    ) -> BoxStream<'static, Result<FoundKeys>> {
        let room = usize::try_from(memory_bytes / SPLIT_BYTES).unwrap_or(self.parallelism);
        let concurrency = room.clamp(1, self.parallelism.max(1));
        let request = ReadRequest {
            projection: Some(key.iter().map(|field| field.id).collect()),
            batch_rows: Some(BATCH_ROWS),
            memory_bytes: Some(memory_bytes / concurrency as u64),
            ..ReadRequest::default()
        };
        let store = store.clone();
        let of_split = move |split: DataSplit| {
            let (context, store, request) = (store.context().clone(), store.clone(), request.clone());
            let rows = async move {
                let rows = read(&store, &split, &request).await?;
                let DataSplit { partition, bucket, .. } = split;
                Ok::<_, Error>(rows.map_ok(move |rows| FoundKeys { partition: partition.clone(), bucket, rows }))
            };
            background(&context, stream::once(rows).try_flatten().boxed(), 1)
        };
        stream::iter(self.splits).map(of_split).flatten_unordered(concurrency).boxed()
    }
}

/// Whether some file of a split is no older than `ttl_millis` (Java `IndexBootstrap.filterSplit`).
fn is_remembered(files: &[DataFileMeta], ttl_millis: u64, now_millis: i64) -> bool {
    let age = |created: i64| i128::from(now_millis) - i128::from(created);
    files.iter().any(|file| file.creation_time_millis.is_none_or(|at| age(at) <= i128::from(ttl_millis)))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::testing::data_file;

    #[rstest]
    #[case::just_in_time(&[Some(0)], 100, true)]
    #[case::too_old(&[Some(0)], 101, false)]
    #[case::one_is_young_enough(&[Some(0), Some(50)], 150, true)]
    #[case::of_the_future(&[Some(900)], 0, true)]
    #[case::of_unknown_age(&[None], 1_000, true)]
    fn splits_are_forgotten_when_all_their_files_are_old(
        #[case] created: &[Option<i64>],
        #[case] now: i64,
        #[case] remembered: bool,
    ) {
        let file = |at: &Option<i64>| DataFileMeta { creation_time_millis: *at, ..data_file("f") };
        let files: Vec<DataFileMeta> = created.iter().map(file).collect();
        assert_eq!(is_remembered(&files, 100, now), remembered);
    }
}
