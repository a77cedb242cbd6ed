//! Rows to partitions and buckets.

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::{Date32Type, Int8Type, Int16Type, Int32Type, Int64Type};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};
use paimon_io::{arrow_type, datum_at};
use paimon_spec::{
    BinaryRow, BinaryRowWriter, BucketFunction, DataType, Error, Result, TableSchema, TypeKind, bucket_of,
    bucket_of_hash, murmur_hash_words,
};

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

    /// Cuts a batch of the table's columns into one piece for each bucket of each partition; rows keep their order.
    pub(crate) fn route(&self, batch: &RecordBatch) -> Result<Vec<Routed>> {
        if batch.num_rows() == 0 {
            return Ok(Vec::new());
        }
        let (partitions, partition_of) = match &self.partition {
            Some(router) => router.route(batch)?,
            None => (vec![BinaryRow::empty()], Groups::One),
        };
        let Some(bucket) = &self.bucket else {
            let pieces = partition_of.split(batch, partitions.len())?;
            return Ok(partitions
                .into_iter()
                .zip(pieces)
                .map(|(partition, rows)| Routed { partition, bucket: 0, rows })
                .collect());
        };
        let buckets = bucket.route(batch)?;
        let mut targets: Vec<(u32, i32)> = Vec::new();
        let mut known: HashMap<(u32, i32), u32> = HashMap::new();
        let group_of = (0..batch.num_rows()).map(|row| {
            let target = (partition_of.of(row), buckets[row]);
            *known.entry(target).or_insert_with(|| {
                targets.push(target);
                (targets.len() - 1) as u32
            })
        });
        let groups = Groups::Many(group_of.collect());
        let pieces = groups.split(batch, targets.len())?;
        Ok(targets
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

    /// The partitions of a batch that is not empty, and which of them each row is in.
    fn route(&self, batch: &RecordBatch) -> Result<(Vec<BinaryRow>, Groups)> {
        let columns = select(batch, &self.columns);
        let keys = self.converter.convert_columns(&columns).map_err(arrow_error)?;
        let mut first_rows: Vec<usize> = vec![0];
        let mut groups: Vec<u32> = Vec::with_capacity(batch.num_rows());
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

struct BucketRouter {
    columns: Vec<usize>,
    types: Vec<DataType>,
    function: BucketFunction,
    buckets: i32,
}

impl BucketRouter {
    fn of(schema: &TableSchema, buckets: i32) -> Result<Self> {
        let names: Vec<String> = schema.bucket_key_fields()?.into_iter().map(|field| field.name).collect();
        let (columns, types) = columns_of(schema, &names)?;
        Ok(Self { columns, types, function: schema.table_options().bucket_function()?, buckets })
    }

    fn route(&self, batch: &RecordBatch) -> Result<Vec<i32>> {
        let columns = select(batch, &self.columns);
        let keys: Vec<KeyColumn<'_>> =
            columns.iter().zip(&self.types).map(|(column, data_type)| KeyColumn::of(column, data_type)).collect();
        let mut key = BinaryRowWriter::new(keys.len());
        (0..batch.num_rows())
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
