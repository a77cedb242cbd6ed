//! Which of several assigners decides on a row.

use arrow::array::{Int32Array, RecordBatch};
use paimon_spec::{BinaryRow, BucketMode, Error, Result, TableSchema, bucket_of_hash};

use super::hash::{assigner_of, assigners_of_partition};
use crate::route::{Groups, KeyColumns, PartitionRouter, named_columns};

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
    router: Option<PartitionRouter>,
    /// Those that share the keys of a partition.
    assigners: u32,
}

impl AssignerRouter {
    /// A router among as many of `workers` as the table's options let assign buckets (`dynamic-bucket.*`).
    ///
    /// # Errors
    /// `Unsupported` for tables whose rows find their bucket by themselves; `InvalidInput` for unusable options.
    pub fn new(schema: &TableSchema, workers: u32) -> Result<Self> {
        let parallelism = schema.table_options().dynamic_bucket_assigner_parallelism()?;
        let assigners = parallelism.map_or(workers, i32::unsigned_abs).clamp(1, i16::MAX as u32);
        let mut columns = Vec::new();
        let (key, by_partition) = match schema.bucket_mode()? {
            BucketMode::Dynamic => {
                columns.extend(schema.partition_keys.iter().cloned());
                let assigners = assigners_of_partition(schema, assigners)?;
                let by_partition = ByPartition { router: PartitionRouter::of(schema)?, assigners };
                (schema.trimmed_primary_keys().into_iter().map(str::to_owned).collect(), Some(by_partition))
            }
            // Java: `KeyPartRowChannelComputer`.
            BucketMode::KeyDynamic => (schema.primary_keys.clone(), None),
            BucketMode::Fixed | BucketMode::Postponed | BucketMode::Unaware => {
                return Err(Error::unsupported(
                    "rows of a table without dynamic buckets need nobody to assign buckets",
                ));
            }
        };
        columns.extend(key.iter().cloned());
        Ok(Self { schema: schema.clone(), key: KeyColumns::of(schema, key)?, by_partition, columns, assigners })
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
        let count = rows.num_rows();
        let hashes = self.key.hashes(&named_columns(&self.key.names, &self.schema, rows)?, count)?;
        let Some(ByPartition { router, assigners }) = self.by_partition.as_ref().filter(|_| count > 0) else {
            let assigners = self.assigners as i32;
            return Ok(hashes.into_iter().map(|hash| bucket_of_hash(hash, assigners)).collect::<Vec<_>>().into());
        };
        let (partitions, partition_of) = match router {
            Some(router) => router.route(&named_columns(&self.schema.partition_keys, &self.schema, rows)?)?,
            None => (vec![BinaryRow::empty()], Groups::One),
        };
        let partition_hashes: Vec<i32> = partitions.iter().map(BinaryRow::hash_code).collect();
        let assigner = |(row, hash)| {
            assigner_of(partition_hashes[partition_of.of(row) as usize], hash, self.assigners, *assigners) as i32
        };
        Ok(hashes.into_iter().enumerate().map(assigner).collect::<Vec<_>>().into())
    }
}
