//! Rows to partitions and buckets.

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::{Date32Type, Int8Type, Int16Type, Int32Type, Int64Type};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};
use paimon_io::{arrow_type, datum_at, fit_array};
use paimon_spec::{
    BinaryRow, BinaryRowWriter, BucketFunction, DataType, Error, Result, TableSchema, TypeKind, bucket_of,
    bucket_of_hash, hash_of_slot, murmur_hash_words,
};

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
    let columns = named_columns(&router.names, schema, rows)?;
    router.route(&columns, rows.num_rows()).map(Int32Array::from)
}

/// Tells which of several channels takes a row, so that all rows of one bucket of one partition go one way.
#[derive(Debug)]
pub struct ChannelRouter {
    schema: TableSchema,
    partition: Option<PartitionRouter>,
    bucket: BucketRouter,
    columns: Vec<String>,
    channels: u32,
}

impl ChannelRouter {
    /// # Errors
    /// `Unsupported` for tables whose rows have no fixed bucket; `InvalidInput` without any channel.
    pub fn new(schema: &TableSchema, channels: u32) -> Result<Self> {
        if channels == 0 {
            return Err(Error::invalid("expected at least one channel, found none"));
        }
        let bucket = BucketRouter::of(schema, fixed_buckets(schema)?)?;
        let mut columns = schema.partition_keys.clone();
        columns.extend(bucket.names.iter().filter(|name| !schema.partition_keys.contains(name)).cloned());
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
        let count = rows.num_rows();
        let columns = named_columns(&self.bucket.names, &self.schema, rows)?;
        let buckets = self.bucket.route(&columns, count)?;
        let channel = |bucket: i32, partition: i32| {
            (i64::from(partition) + i64::from(bucket)).rem_euclid(i64::from(self.channels)) as i32
        };
        let Some(partition) = self.partition.as_ref().filter(|_| count > 0) else {
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
fn named_columns(names: &[String], schema: &TableSchema, rows: &RecordBatch) -> Result<Vec<ArrayRef>> {
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
}

impl Router {
    pub(crate) fn of(schema: &TableSchema) -> Result<Self> {
        let buckets = schema.table_options().bucket()?;
        Ok(Self {
            partition: PartitionRouter::of(schema)?,
            bucket: if buckets > 0 { Some(BucketRouter::of(schema, buckets)?) } else { None },
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
                .map(|(partition, rows)| Routed { partition, bucket: 0, rows })
                .collect());
        };
        let buckets = bucket.route(&select(values, &bucket.columns), values.num_rows())?;
        let mut targets = Targets::new(partitions.len(), bucket.buckets);
        let groups = (0..rows.num_rows()).map(|row| targets.group_of(partition_of.of(row), buckets[row])).collect();
        let pieces = Groups::Many(groups).split(rows, targets.found.len())?;
        Ok(targets
            .found
            .into_iter()
            .zip(pieces)
            .map(|((partition, bucket), rows)| Routed {
                partition: partitions[partition as usize].clone(),
                bucket,
                rows,
            })
            .collect())
    }
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
enum Groups {
    One,
    Many(Vec<u32>),
}

impl Groups {
    fn of(&self, row: usize) -> u32 {
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
struct PartitionRouter {
    columns: Vec<usize>,
    types: Vec<DataType>,
    converter: RowConverter,
}

impl PartitionRouter {
    fn of(schema: &TableSchema) -> Result<Option<Self>> {
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
    fn route(&self, columns: &[ArrayRef]) -> Result<(Vec<BinaryRow>, Groups)> {
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
    names: Vec<String>,
    columns: Vec<usize>,
    types: Vec<DataType>,
    function: BucketFunction,
    buckets: i32,
}

impl BucketRouter {
    fn of(schema: &TableSchema, buckets: i32) -> Result<Self> {
        let names: Vec<String> = schema.bucket_key_fields()?.into_iter().map(|field| field.name).collect();
        let (columns, types) = columns_of(schema, &names)?;
        Ok(Self { names, columns, types, function: schema.table_options().bucket_function()?, buckets })
    }

    /// The bucket of each of `rows` rows, by the columns of the bucket key.
    fn route(&self, columns: &[ArrayRef], rows: usize) -> Result<Vec<i32>> {
        if self.function == BucketFunction::Default
            && let Some(hashes) = hashes_of_integers(columns)
        {
            return Ok(hashes.into_iter().map(|hash| bucket_of_hash(hash, self.buckets)).collect());
        }
        let keys: Vec<KeyColumn<'_>> =
            columns.iter().zip(&self.types).map(|(column, data_type)| KeyColumn::of(column, data_type)).collect();
        let mut key = BinaryRowWriter::new(keys.len());
        (0..rows)
            .map(|row| {
                key.reset();
                for (at, column) in keys.iter().enumerate() {
                    column.put(row, at, &mut key)?;
                }
                match self.function {
                    BucketFunction::Default => Ok(bucket_of_hash(murmur_hash_words(key.as_bytes()), self.buckets)),
                    other => bucket_of(other, &key.to_row(), &self.types, self.buckets),
                }
            })
            .collect()
    }
}

/// The hashes of keys of one column of INT or BIGINT without NULL, which are the most common ones.
fn hashes_of_integers(columns: &[ArrayRef]) -> Option<Vec<i32>> {
    let [column] = columns else { return None };
    if column.null_count() > 0 {
        return None;
    }
    if let Some(values) = column.as_primitive_opt::<Int64Type>() {
        return Some(values.values().iter().map(|value| hash_of_slot(*value as u64)).collect());
    }
    let values = column.as_primitive_opt::<Int32Type>()?;
    Some(values.values().iter().map(|value| hash_of_slot(u64::from(*value as u32))).collect())
}

/// A column of the bucket key, with the types that are common there unpacked.
struct KeyColumn<'a> {
    array: &'a ArrayRef,
    data_type: &'a DataType,
    no_nulls: bool,
}

impl<'a> KeyColumn<'a> {
    fn of(array: &'a ArrayRef, data_type: &'a DataType) -> Self {
        Self { array, data_type, no_nulls: array.null_count() == 0 }
    }

    fn put(&self, row: usize, at: usize, key: &mut BinaryRowWriter) -> Result<()> {
        if !self.no_nulls && self.array.is_null(row) {
            key.set_null(at, self.data_type);
            return Ok(());
        }
        match self.data_type.kind {
            TypeKind::TinyInt => key.set_i8(at, self.array.as_primitive::<Int8Type>().value(row)),
            TypeKind::SmallInt => key.set_i16(at, self.array.as_primitive::<Int16Type>().value(row)),
            TypeKind::Int => key.set_i32(at, self.array.as_primitive::<Int32Type>().value(row)),
            TypeKind::BigInt => key.set_i64(at, self.array.as_primitive::<Int64Type>().value(row)),
            TypeKind::Date => key.set_i32(at, self.array.as_primitive::<Date32Type>().value(row)),
            TypeKind::Char(_) | TypeKind::VarChar(_) => key.set_str(at, self.array.as_string::<i32>().value(row)),
            _ => key.set_datum(at, datum_at(self.array.as_ref(), self.data_type, row)?.as_ref(), self.data_type)?,
        }
        Ok(())
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

fn select(batch: &RecordBatch, columns: &[usize]) -> Vec<ArrayRef> {
    columns.iter().map(|at| batch.column(*at).clone()).collect()
}

fn arrow_error(error: ArrowError) -> Error {
    Error::internal("paimon-write", "rows could not be grouped").with_source(error)
}
