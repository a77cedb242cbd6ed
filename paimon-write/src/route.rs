//! Rows to partitions and buckets.
//!
//! | module | holds |
//! |---|---|
//! | `partitions` | the partition of each row |
//! | `keys` | keys of rows, as their hashes |
//! | `buckets` | the bucket of each row, by the hash of its bucket key |
//! | `groups` | rows that belong together, cut out of a batch |
//! | `channels` | [`ChannelRouter`]: which of several workers takes a row |
//!
//! Buckets that go by what the table holds are decided in [`assign`](crate::assign), of the same parts.

mod buckets;
mod channels;
mod groups;
mod keys;
mod partitions;
#[cfg(test)]
mod tests;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::error::ArrowError;
use paimon_io::fit_array;
use paimon_spec::{BinaryRow, DataType, Error, POSTPONED_BUCKET, Result, TableSchema};

pub(crate) use self::buckets::BucketRouter;
pub use self::buckets::bucket_of_rows;
pub use self::channels::ChannelRouter;
pub(crate) use self::keys::KeyColumns;
pub(crate) use self::partitions::{PartitionRouter, Partitioned};

/// Rows that belong together.
pub(crate) struct Routed {
    pub(crate) partition: BinaryRow,
    pub(crate) bucket: i32,
    pub(crate) rows: RecordBatch,
}

/// Tells the partition and the bucket of each row of a table whose rows say both by themselves.
pub(crate) struct Router {
    partition: PartitionRouter,
    buckets: Buckets,
}

enum Buckets {
    /// So many, by the bucket key.
    Many(BucketRouter, i32),
    /// The one of all rows.
    One(i32),
}

impl Router {
    pub(crate) fn of(schema: &TableSchema) -> Result<Self> {
        let buckets = match schema.table_options().bucket()? {
            number @ 1.. => Buckets::Many(BucketRouter::of(schema)?, number),
            POSTPONED_BUCKET => Buckets::One(POSTPONED_BUCKET),
            _ => Buckets::One(0),
        };
        Ok(Self { partition: PartitionRouter::of(schema)?, buckets })
    }

    /// Cuts `rows` into one piece for each bucket of each partition; rows keep their order. `values` are the table's
    /// columns of the same rows.
    pub(crate) fn route(&self, values: &RecordBatch, rows: &RecordBatch) -> Result<Vec<Routed>> {
        let partitioned = self.partition.route(values)?;
        match &self.buckets {
            Buckets::One(bucket) => partitioned.split(*bucket, rows),
            Buckets::Many(router, number) => {
                let buckets = router.route(&select(values, &router.key.places), values.num_rows(), *number)?;
                partitioned.split_by_bucket(&buckets, rows)
            }
        }
    }
}

/// Columns of a table in rows that have them under their names.
pub(crate) fn named_columns(names: &[String], schema: &TableSchema, rows: &RecordBatch) -> Result<Vec<ArrayRef>> {
    names
        .iter()
        .map(|name| {
            let (Some(column), Some(field)) = (rows.column_by_name(name), schema.field(name)) else {
                return Err(Error::invalid(format!("the rows have no column '{name}', which their bucket goes by")));
            };
            fit_array(column, field)
        })
        .collect()
}

/// Columns by their places.
pub(crate) fn select(batch: &RecordBatch, columns: &[usize]) -> Vec<ArrayRef> {
    columns.iter().map(|at| batch.column(*at).clone()).collect()
}

/// Positions and types of the named columns.
fn columns_of(schema: &TableSchema, names: &[String]) -> Result<(Vec<usize>, Vec<DataType>)> {
    names
        .iter()
        .map(|name| {
            let found = schema.fields.iter().position(|field| field.name == *name);
            let at =
                found.ok_or_else(|| Error::corrupt(format!("key column '{name}' is not a column of the table")))?;
            Ok((at, schema.fields[at].data_type.clone()))
        })
        .collect()
}

fn arrow_error(error: ArrowError) -> Error {
    Error::internal("paimon-write", "rows could not be grouped").with_source(error)
}
