//! Which of several assigners decides on a row.

use arrow::array::{Int32Array, RecordBatch};
use paimon_spec::{BucketMode, Error, Result, TableSchema, bucket_of_hash};

use super::hash::{assigner_of, assigners_of_partition};
use crate::route::{KeyColumns, PartitionRouter, named_columns};

/// Tells which of several [`RowAssigner`](super::RowAssigner)s decides on a row, so that all rows of a key go one way.
#[derive(Debug)]
pub struct AssignerRouter {
    schema: TableSchema,
    key: KeyColumns,
    /// `None` where keys go by themselves, because they may move between partitions.
    by_partition: Option<ByPartition>,
    columns: Vec<String>,
    assigners: u32,
}

/// Where the assigners of a partition are.
#[derive(Debug)]
struct ByPartition {
    router: PartitionRouter,
    /// Those that share the keys of a partition.
    assigners: u32,
}

impl AssignerRouter {
    /// A router among `workers`, or as many as the table's options want: `dynamic-bucket.assigner-parallelism`, and where
    /// keys stay in their partition `dynamic-bucket.initial-buckets` at least (Java `DynamicBucketSink`).
    ///
    /// # Errors
    /// `Unsupported` for tables whose rows find their bucket by themselves; `InvalidInput` for unusable options.
    pub fn new(schema: &TableSchema, workers: u32) -> Result<Self> {
        let options = schema.table_options();
        let parallelism = options.dynamic_bucket_assigner_parallelism()?;
        let assigners = |wanted: Option<i32>| wanted.map_or(workers, i32::unsigned_abs).clamp(1, i16::MAX as u32);
        let mut columns = Vec::new();
        let (key, assigners, by_partition) = match schema.bucket_mode()? {
            BucketMode::Dynamic => {
                columns.extend(schema.partition_keys.iter().cloned());
                let assigners = assigners(parallelism.max(options.dynamic_bucket_initial_buckets()?));
                let of_partition = assigners_of_partition(schema, assigners)?;
                let by_partition = ByPartition { router: PartitionRouter::of(schema)?, assigners: of_partition };
                (KeyColumns::of_trimmed_key(schema)?, assigners, Some(by_partition))
            }
            // Java: `KeyPartRowChannelComputer`.
            BucketMode::KeyDynamic => {
                (KeyColumns::of(schema, schema.primary_keys.clone())?, assigners(parallelism), None)
            }
            BucketMode::Fixed | BucketMode::Postponed | BucketMode::Unaware => {
                return Err(Error::unsupported(
                    "rows of a table without dynamic buckets need nobody to assign buckets",
                ));
            }
        };
        columns.extend(key.names.iter().cloned());
        Ok(Self { schema: schema.clone(), key, by_partition, columns, assigners })
    }

    /// The columns that it goes by.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// How many assigners there are.
    pub fn assigners(&self) -> u32 {
        self.assigners
    }

    /// The assigner of each row, from 0. Columns are taken by name and cast; others are not looked at.
    ///
    /// # Errors
    /// `InvalidInput` for columns that are missing or do not fit.
    pub fn route(&self, rows: &RecordBatch) -> Result<Int32Array> {
        let keys = named_columns(&self.key.names, &self.schema, rows)?;
        let hashes = self.key.hashes(&keys, rows.num_rows())?;
        let Some(ByPartition { router, assigners }) = &self.by_partition else {
            let assigners = self.assigners as i32;
            return Ok(hashes.into_iter().map(|hash| bucket_of_hash(hash, assigners)).collect::<Vec<_>>().into());
        };
        let partitioned = router.route_named(&self.schema, rows)?;
        let of_partitions = partitioned.hashes();
        let assigner =
            |(row, hash)| assigner_of(of_partitions[partitioned.of(row)], hash, self.assigners, *assigners) as i32;
        Ok(hashes.into_iter().enumerate().map(assigner).collect::<Vec<_>>().into())
    }
}
