//! Which of several workers takes a row.

use arrow::array::{AsArray, Int32Array, RecordBatch};
use arrow::datatypes::Int32Type;
use paimon_spec::{BucketMode, Error, Result, TableSchema};

use super::buckets::{BucketRouter, fixed_buckets};
use super::named_columns;
use super::partitions::PartitionRouter;

/// Tells which of several channels takes a row, so that all rows of one bucket of one partition go one way.
#[derive(Debug)]
pub struct ChannelRouter {
    schema: TableSchema,
    partition: PartitionRouter,
    bucket: ChannelBucket,
    columns: Vec<String>,
    channels: u32,
}

/// Where the bucket of a row is.
#[derive(Debug)]
enum ChannelBucket {
    /// Among so many, by its bucket key.
    Key(BucketRouter, i32),
    /// In a column that the table does not have.
    Column(String),
    /// Nobody knows yet: it takes all rows of a partition to tell how many buckets there are.
    Unknown,
}

impl ChannelBucket {
    fn route(&self, schema: &TableSchema, rows: &RecordBatch) -> Result<Vec<i32>> {
        match self {
            Self::Key(router, buckets) => {
                router.route(&named_columns(&router.key.names, schema, rows)?, rows.num_rows(), *buckets)
            }
            Self::Column(name) => {
                let buckets = rows.column_by_name(name).and_then(|column| column.as_primitive_opt::<Int32Type>());
                let wanted =
                    || Error::invalid(format!("expected the buckets of rows in column '{name}' (INT), found none"));
                Ok(buckets.ok_or_else(wanted)?.values().to_vec())
            }
            Self::Unknown => Ok(vec![0; rows.num_rows()]),
        }
    }
}

impl ChannelRouter {
    /// For rows of tables with fixed or postponed buckets. Rows that wait for a bucket go by their key (Java
    /// `PostponeBucketChannelComputer`); where they get one at once, all of a partition go one way.
    ///
    /// # Errors
    /// `Unsupported` for tables whose rows have no such bucket; `InvalidInput` without any channel.
    pub fn new(schema: &TableSchema, channels: u32) -> Result<Self> {
        let options = schema.table_options();
        let buckets = match schema.bucket_mode()? {
            BucketMode::Postponed if options.postpone_batch_write_fixed_bucket()? => {
                return Self::by(schema, ChannelBucket::Unknown, &[], channels);
            }
            BucketMode::Postponed => i32::try_from(channels.max(1)).unwrap_or(i32::MAX),
            _ => fixed_buckets(schema)?,
        };
        let bucket = BucketRouter::of(schema)?;
        let columns = bucket.key.names.clone();
        Self::by(schema, ChannelBucket::Key(bucket, buckets), &columns, channels)
    }

    /// For rows that say their bucket, in a column of 32-bit integers.
    ///
    /// # Errors
    /// `InvalidInput` without any channel.
    pub fn of_assigned(schema: &TableSchema, bucket_column: &str, channels: u32) -> Result<Self> {
        let column = bucket_column.to_owned();
        Self::by(schema, ChannelBucket::Column(column.clone()), &[column], channels)
    }

    fn by(schema: &TableSchema, bucket: ChannelBucket, bucket_columns: &[String], channels: u32) -> Result<Self> {
        if channels == 0 {
            return Err(Error::invalid("expected at least one channel, found none"));
        }
        let mut columns = schema.partition_keys.clone();
        columns.extend(bucket_columns.iter().filter(|name| !schema.partition_keys.contains(name)).cloned());
        Ok(Self { schema: schema.clone(), partition: PartitionRouter::of(schema)?, bucket, columns, channels })
    }

    /// The columns that it goes by.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The channel of each row, from 0. Columns are taken by name and cast; others are not looked at. Buckets that follow
    /// one another are in channels that follow one another, as in Java's `ChannelComputer`.
    ///
    /// # Errors
    /// `InvalidInput` for columns that are missing or do not fit.
    pub fn route(&self, rows: &RecordBatch) -> Result<Int32Array> {
        let buckets = self.bucket.route(&self.schema, rows)?;
        let partitioned = self.partition.route_named(&self.schema, rows)?;
        let hashes = partitioned.hashes();
        let channel = |(row, bucket): (usize, i32)| {
            let place = i64::from(hashes[partitioned.of(row)]) + i64::from(bucket);
            place.rem_euclid(i64::from(self.channels)) as i32
        };
        Ok(buckets.into_iter().enumerate().map(channel).collect::<Vec<_>>().into())
    }
}
