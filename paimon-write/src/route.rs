//! Rows to partitions and buckets.

mod keys;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use arrow::array::{ArrayRef, AsArray, Int32Array, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::Int32Type;
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};
use paimon_io::{arrow_type, datum_at, fit_array};
use paimon_spec::{
    BinaryRow, BucketFunction, BucketMode, DataType, Error, POSTPONED_BUCKET, Result, TableSchema, bucket_of,
    bucket_of_hash,
};

pub(crate) use keys::KeyColumns;

/// Partitions times buckets up to which a table of all of them is cheaper than a map of those that occur.
const DENSE_TARGETS: usize = 1 << 16;

/// The bucket of each row of a table with fixed buckets, by the columns that the buckets go by. Those are taken by name and
/// cast; others are not looked at.
///
/// # Errors
/// `Unsupported` for tables whose rows have no fixed bucket; `InvalidInput` for columns that are missing or do not fit.
///
/// ```
/// use std::sync::Arc;
/// use arrow::array::{ArrayRef, Int64Array, RecordBatch};
/// use paimon_spec::{Schema, TableSchema};
///
/// let schema = Schema::from_json(
///     r#"{"fields": [{"name": "id", "type": "BIGINT"}], "primaryKeys": ["id"], "options": {"bucket": "4"}}"#,
/// )?;
/// let ids: ArrayRef = Arc::new(Int64Array::from(vec![0, 1, 2]));
/// let rows = RecordBatch::try_from_iter([("id", ids)]).unwrap();
/// let buckets = paimon_write::bucket_of_rows(&TableSchema::create(schema, 0)?, &rows)?;
/// assert_eq!(buckets.values(), &[3, 2, 0]);
/// # Ok::<(), paimon_spec::Error>(())
/// ```
pub fn bucket_of_rows(schema: &TableSchema, rows: &RecordBatch) -> Result<Int32Array> {
    let buckets = fixed_buckets(schema)?;
    let router = BucketRouter::of(schema, buckets)?;
    let columns = named_columns(&router.key.names, schema, rows)?;
    router.route(&columns, rows.num_rows()).map(Int32Array::from)
}

/// Tells which of several channels takes a row, so that all rows of one bucket of one partition go one way.
#[derive(Debug)]
pub struct ChannelRouter {
    schema: TableSchema,
    partition: Option<PartitionRouter>,
    bucket: ChannelBucket,
    columns: Vec<String>,
    channels: u32,
}

/// Where the bucket of a row is.
#[derive(Debug)]
enum ChannelBucket {
    /// In its bucket key.
    Key(BucketRouter),
    /// In a column that the table does not have.
    Column(String),
    /// Nobody knows yet: it takes all rows of a partition to tell how many buckets there are.
    Unknown,
}

impl ChannelBucket {
    fn route(&self, schema: &TableSchema, rows: &RecordBatch) -> Result<Vec<i32>> {
        match self {
            Self::Key(router) => router.route(&named_columns(&router.key.names, schema, rows)?, rows.num_rows()),
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
        let bucket = BucketRouter::of(schema, buckets)?;
        let columns = bucket.key.names.clone();
        Self::by(schema, ChannelBucket::Key(bucket), &columns, channels)
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
        let channel = |bucket: i32, partition: i32| {
            (i64::from(partition) + i64::from(bucket)).rem_euclid(i64::from(self.channels)) as i32
        };
        let Some(partition) = self.partition.as_ref().filter(|_| rows.num_rows() > 0) else {
            return Ok(buckets.into_iter().map(|bucket| channel(bucket, 0)).collect::<Vec<_>>().into());
        };
        let columns = named_columns(&self.schema.partition_keys, &self.schema, rows)?;
        let (partitions, partition_of) = partition.route(&columns)?;
        let hashes: Vec<i32> = partitions.iter().map(BinaryRow::hash_code).collect();
        let channels = buckets.into_iter().enumerate();
        Ok(channels
            .map(|(row, bucket)| channel(bucket, hashes[partition_of.of(row) as usize]))
            .collect::<Vec<_>>()
            .into())
    }
}

fn fixed_buckets(schema: &TableSchema) -> Result<i32> {
    let buckets = schema.table_options().bucket()?;
    if buckets > 0 {
        return Ok(buckets);
    }
    Err(Error::unsupported(format!("rows of a table with 'bucket' = {buckets} have no fixed bucket")))
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

/// Rows that belong together.
pub(crate) struct Routed {
    pub(crate) partition: BinaryRow,
    pub(crate) bucket: i32,
    pub(crate) rows: RecordBatch,
}

/// Tells the partition and the bucket of each row of a table.
pub(crate) struct Router {
    partition: Option<PartitionRouter>,
    bucket: Option<BucketRouter>,
    /// The one of all rows, where no other is chosen.
    only: i32,
}

impl Router {
    pub(crate) fn of(schema: &TableSchema) -> Result<Self> {
        let buckets = schema.table_options().bucket()?;
        Ok(Self {
            partition: PartitionRouter::of(schema)?,
            bucket: if buckets > 0 { Some(BucketRouter::of(schema, buckets)?) } else { None },
            only: if buckets == POSTPONED_BUCKET { POSTPONED_BUCKET } else { 0 },
        })
    }

    /// Cuts `rows` into one piece for each bucket of each partition; rows keep their order. `values` are the table's
    /// columns of the same rows.
    pub(crate) fn route(&self, values: &RecordBatch, rows: &RecordBatch) -> Result<Vec<Routed>> {
        if rows.num_rows() == 0 {
            return Ok(Vec::new());
        }
        let (partitions, partition_of) = match &self.partition {
            Some(router) => router.route(&select(values, &router.columns))?,
            None => (vec![BinaryRow::empty()], Groups::One),
        };
        let Some(bucket) = &self.bucket else {
            let pieces = partition_of.split(rows, partitions.len())?;
            return Ok(partitions
                .into_iter()
                .zip(pieces)
                .map(|(partition, rows)| Routed { partition, bucket: self.only, rows })
                .collect());
        };
        let buckets = bucket.route(&select(values, &bucket.key.places), values.num_rows())?;
        split_by_bucket(&partitions, &partition_of, &buckets, rows)
    }
}

/// One piece of `rows` for each bucket of each partition; rows keep their order. Buckets are not negative.
pub(crate) fn split_by_bucket(
    partitions: &[BinaryRow],
    partition_of: &Groups,
    buckets: &[i32],
    rows: &RecordBatch,
) -> Result<Vec<Routed>> {
    let most = buckets.iter().copied().max().unwrap_or(0).saturating_add(1);
    let mut targets = Targets::new(partitions.len(), most);
    let groups = buckets.iter().enumerate().map(|(row, bucket)| targets.group_of(partition_of.of(row), *bucket));
    let groups = Groups::Many(groups.collect());
    let pieces = groups.split(rows, targets.found.len())?;
    let routed = targets.found.into_iter().zip(pieces).map(|((partition, bucket), rows)| Routed {
        partition: partitions[partition as usize].clone(),
        bucket,
        rows,
    });
    Ok(routed.collect())
}

/// The buckets of partitions that occur, numbered from 0 by first appearance.
struct Targets {
    found: Vec<(u32, i32)>,
    /// Of each bucket of each partition, one more than its number; 0: it has none yet. Empty: there are too many.
    dense: Vec<u32>,
    sparse: HashMap<(u32, i32), u32>,
    buckets: usize,
}

impl Targets {
    /// `buckets` is positive.
    fn new(partitions: usize, buckets: i32) -> Self {
        let buckets = buckets as usize;
        let all = partitions.checked_mul(buckets).filter(|all| *all <= DENSE_TARGETS);
        Self { found: Vec::new(), dense: vec![0; all.unwrap_or(0)], sparse: HashMap::new(), buckets }
    }

    fn group_of(&mut self, partition: u32, bucket: i32) -> u32 {
        let next = self.found.len() as u32;
        let group = match self.dense.get_mut(partition as usize * self.buckets + bucket as usize) {
            Some(place) => {
                if *place == 0 {
                    *place = next + 1;
                }
                *place - 1
            }
            None => *self.sparse.entry((partition, bucket)).or_insert(next),
        };
        if group == next {
            self.found.push((partition, bucket));
        }
        group
    }
}

/// The group of each row, numbered from 0 by first appearance.
pub(crate) enum Groups {
    One,
    Many(Vec<u32>),
}

impl Groups {
    pub(crate) fn of(&self, row: usize) -> u32 {
        match self {
            Self::One => 0,
            Self::Many(groups) => groups[row],
        }
    }

    /// The rows of each group. Rows that stand together are not copied.
    fn split(&self, batch: &RecordBatch, count: usize) -> Result<Vec<RecordBatch>> {
        let Self::Many(groups) = self else { return Ok(vec![batch.clone()]) };
        if count == 1 {
            return Ok(vec![batch.clone()]);
        }
        // A counting sort: `ends[g]` is where group g ends in `rows`.
        let mut ends = vec![0_usize; count];
        for group in groups {
            ends[*group as usize] += 1;
        }
        let mut at = 0;
        let mut next: Vec<usize> = Vec::with_capacity(count);
        for end in &mut ends {
            next.push(at);
            at += *end;
            *end = at;
        }
        let mut rows = vec![0_u32; groups.len()];
        for (row, group) in groups.iter().enumerate() {
            let place = &mut next[*group as usize];
            rows[*place] = row as u32;
            *place += 1;
        }
        let mut start = 0;
        ends.into_iter()
            .map(|end| {
                let rows = &rows[start..end];
                start = end;
                let (first, last) = (rows[0] as usize, rows[rows.len() - 1] as usize);
                if last - first + 1 == rows.len() {
                    return Ok(batch.slice(first, rows.len()));
                }
                take_record_batch(batch, &UInt32Array::from(rows.to_vec())).map_err(arrow_error)
            })
            .collect()
    }
}

#[derive(Debug)]
pub(crate) struct PartitionRouter {
    pub(crate) columns: Vec<usize>,
    types: Vec<DataType>,
    converter: RowConverter,
}

impl PartitionRouter {
    pub(crate) fn of(schema: &TableSchema) -> Result<Option<Self>> {
        if schema.partition_keys.is_empty() {
            return Ok(None);
        }
        let (columns, types) = columns_of(schema, &schema.partition_keys)?;
        let sort_fields =
            types.iter().map(|data_type| Ok(SortField::new(arrow_type(data_type)?))).collect::<Result<_>>()?;
        let converter = RowConverter::new(sort_fields).map_err(arrow_error)?;
        Ok(Some(Self { columns, types, converter }))
    }

    /// The partitions of rows, of which there is at least one, by their partition columns; and which of them each row is
    /// in.
    pub(crate) fn route(&self, columns: &[ArrayRef]) -> Result<(Vec<BinaryRow>, Groups)> {
        let keys = self.converter.convert_columns(columns).map_err(arrow_error)?;
        let mut first_rows: Vec<usize> = vec![0];
        let mut groups: Vec<u32> = Vec::with_capacity(keys.num_rows());
        let mut known = HashMap::from([(keys.row(0), 0_u32)]);
        let (mut previous, mut group) = (keys.row(0), 0);
        for (at, key) in keys.iter().enumerate() {
            // Rows of one partition often stand together.
            if key != previous {
                group = *known.entry(key).or_insert_with(|| {
                    first_rows.push(at);
                    (first_rows.len() - 1) as u32
                });
                previous = key;
            }
            groups.push(group);
        }
        let partitions = first_rows
            .iter()
            .map(|row| {
                let values = columns
                    .iter()
                    .zip(&self.types)
                    .map(|(column, data_type)| datum_at(column.as_ref(), data_type, *row))
                    .collect::<Result<Vec<_>>>()?;
                BinaryRow::from_values(&values, &self.types)
            })
            .collect::<Result<Vec<_>>>()?;
        let groups = if partitions.len() == 1 { Groups::One } else { Groups::Many(groups) };
        Ok((partitions, groups))
    }
}

#[derive(Debug)]
struct BucketRouter {
    key: KeyColumns,
    function: BucketFunction,
    buckets: i32,
}

impl BucketRouter {
    fn of(schema: &TableSchema, buckets: i32) -> Result<Self> {
        let names: Vec<String> = schema.bucket_key_fields()?.into_iter().map(|field| field.name).collect();
        let key = KeyColumns::of(schema, names)?;
        Ok(Self { key, function: schema.table_options().bucket_function()?, buckets })
    }

    /// The bucket of each of `rows` rows, by the columns of the bucket key.
    fn route(&self, columns: &[ArrayRef], rows: usize) -> Result<Vec<i32>> {
        if self.function == BucketFunction::Default {
            let hashes = self.key.hashes(columns, rows)?;
            return Ok(hashes.into_iter().map(|hash| bucket_of_hash(hash, self.buckets)).collect());
        }
        self.key.each(columns, rows, |key| bucket_of(self.function, &key.to_row(), &self.key.types, self.buckets))
    }
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

pub(crate) fn select(batch: &RecordBatch, columns: &[usize]) -> Vec<ArrayRef> {
    columns.iter().map(|at| batch.column(*at).clone()).collect()
}

fn arrow_error(error: ArrowError) -> Error {
    Error::internal("paimon-write", "rows could not be grouped").with_source(error)
}
