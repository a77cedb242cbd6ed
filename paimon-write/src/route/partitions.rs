//! The partition of each row.

use std::collections::HashMap;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::row::{RowConverter, SortField};
use paimon_io::{arrow_type, datum_at};
use paimon_spec::{BinaryRow, DataType, Result, TableSchema};

use super::groups::{Groups, Targets};
use super::{Routed, arrow_error, columns_of, named_columns, select};

/// Tells the partitions of rows of a table, which may have none.
#[derive(Debug)]
pub(crate) struct PartitionRouter {
    /// Of the partition columns, among those of the table.
    places: Vec<usize>,
    types: Vec<DataType>,
    converter: RowConverter,
}

/// The partitions that some rows are in.
#[derive(Debug)]
pub(crate) struct Partitioned {
    partitions: Vec<BinaryRow>,
    partition_of: Groups,
}

impl PartitionRouter {
    pub(crate) fn of(schema: &TableSchema) -> Result<Self> {
        let (places, types) = columns_of(schema, &schema.partition_keys)?;
        let sort_fields =
            types.iter().map(|data_type| Ok(SortField::new(arrow_type(data_type)?))).collect::<Result<_>>()?;
        let converter = RowConverter::new(sort_fields).map_err(arrow_error)?;
        Ok(Self { places, types, converter })
    }

    /// The partitions of rows that have the columns of the table.
    pub(crate) fn route(&self, values: &RecordBatch) -> Result<Partitioned> {
        self.route_columns(&select(values, &self.places), values.num_rows())
    }

    /// The partitions of rows that have the partition columns of the table under their names.
    ///
    /// # Errors
    /// `InvalidInput` for columns that are missing or do not fit.
    pub(crate) fn route_named(&self, schema: &TableSchema, rows: &RecordBatch) -> Result<Partitioned> {
        self.route_columns(&named_columns(&schema.partition_keys, schema, rows)?, rows.num_rows())
    }

    /// The partitions of `rows` rows, by their partition columns.
    pub(crate) fn route_columns(&self, columns: &[ArrayRef], rows: usize) -> Result<Partitioned> {
        if rows == 0 {
            return Ok(Partitioned { partitions: Vec::new(), partition_of: Groups::One });
        }
        if columns.is_empty() {
            return Ok(Partitioned::one(BinaryRow::empty()));
        }
        let keys = self.converter.convert_columns(columns).map_err(arrow_error)?;
        let mut first_rows: Vec<usize> = vec![0];
        let mut groups: Vec<u32> = Vec::with_capacity(rows);
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
        let partition = |row: &usize| {
            let values = columns.iter().zip(&self.types);
            let values = values.map(|(column, data_type)| datum_at(column.as_ref(), data_type, *row));
            BinaryRow::from_values(&values.collect::<Result<Vec<_>>>()?, &self.types)
        };
        let partitions = first_rows.iter().map(partition).collect::<Result<Vec<_>>>()?;
        let partition_of = if partitions.len() == 1 { Groups::One } else { Groups::Many(groups) };
        Ok(Partitioned { partitions, partition_of })
    }
}

impl Partitioned {
    /// All rows are in one partition.
    pub(crate) fn one(partition: BinaryRow) -> Self {
        Self { partitions: vec![partition], partition_of: Groups::One }
    }

    /// The partitions, by first appearance.
    pub(crate) fn partitions(&self) -> &[BinaryRow] {
        &self.partitions
    }

    /// The [`hash_code`](BinaryRow::hash_code) of each partition.
    pub(crate) fn hashes(&self) -> Vec<i32> {
        self.partitions.iter().map(BinaryRow::hash_code).collect()
    }

    /// Which of the partitions a row is in.
    pub(crate) fn of(&self, row: usize) -> usize {
        self.partition_of.of(row) as usize
    }

    /// Cuts the rows into one piece for each partition, all of them for `bucket`; rows keep their order.
    pub(crate) fn split(self, bucket: i32, rows: &RecordBatch) -> Result<Vec<Routed>> {
        let pieces = self.partition_of.split(rows, self.partitions.len())?;
        let routed = self.partitions.into_iter().zip(pieces);
        Ok(routed.map(|(partition, rows)| Routed { partition, bucket, rows }).collect())
    }

    /// Cuts the rows into one piece for each bucket of each partition; rows keep their order. Buckets are not negative.
    pub(crate) fn split_by_bucket(&self, buckets: &[i32], rows: &RecordBatch) -> Result<Vec<Routed>> {
        let most = buckets.iter().copied().max().unwrap_or(0).saturating_add(1);
        let mut targets = Targets::new(self.partitions.len(), most);
        let place = |(row, bucket): (usize, &i32)| targets.group_of(self.partition_of.of(row), *bucket);
        let groups = Groups::Many(buckets.iter().enumerate().map(place).collect());
        let pieces = groups.split(rows, targets.found.len())?;
        let routed = targets.found.into_iter().zip(pieces).map(|((partition, bucket), rows)| Routed {
            partition: self.partitions[partition as usize].clone(),
            bucket,
            rows,
        });
        Ok(routed.collect())
    }
}
