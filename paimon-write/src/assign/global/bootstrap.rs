//! The keys of a table, from its rows (Java `IndexBootstrap`).

use std::sync::Arc;

use arrow::array::RecordBatch;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use paimon_io::{TableStore, background};
use paimon_merge::{ReadRequest, read};
use paimon_scan::{ReadPoint, ScanRequest, plan};
use paimon_spec::{BinaryRow, DataField, DataSplit, Error, Result, Snapshot};

/// Splits that are read at the same time.
const CONCURRENCY: usize = 4;

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
}

impl Bootstrap {
    /// Of all levels: a row that waits for a compaction to be seen has its key, too.
    pub(super) async fn plan(store: &TableStore, snapshot: Arc<Snapshot>) -> Result<Self> {
        let request = ScanRequest {
            at: ReadPoint::Resolved(snapshot),
            all_levels: true,
            with_stats: false,
            ..ScanRequest::default()
        };
        Ok(Self { splits: plan(store, &request).await?.splits })
    }

    /// As many keys as there are at most.
    pub(super) fn most_keys(&self) -> u64 {
        self.splits.iter().map(|split| u64::try_from(split.row_count()).unwrap_or(0)).fold(0, u64::saturating_add)
    }

    /// All keys of rows that are there, in any order, within `memory_bytes`.
    pub(super) fn read(
        self,
        store: &TableStore,
        key: &[DataField],
        memory_bytes: u64,
    ) -> BoxStream<'static, Result<FoundKeys>> {
        let request = ReadRequest {
            projection: Some(key.iter().map(|field| field.id).collect()),
            batch_rows: Some(BATCH_ROWS),
            memory_bytes: Some(memory_bytes / CONCURRENCY as u64),
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
        stream::iter(self.splits).map(of_split).flatten_unordered(CONCURRENCY).boxed()
    }
}
