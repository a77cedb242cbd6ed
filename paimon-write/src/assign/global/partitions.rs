//! Partitions by number.

use std::collections::HashMap;

use arrow::array::ArrayRef;
use paimon_io::constant_array;
use paimon_spec::{BinaryRow, DataType, Error, Result, TableSchema};

/// The partitions that keys were seen in, numbered from 0 by first appearance: there are few of them, and many keys.
#[derive(Debug)]
pub(super) struct Partitions {
    types: Vec<DataType>,
    rows: Vec<BinaryRow>,
    numbers: HashMap<BinaryRow, u32>,
}

impl Partitions {
    pub(super) fn of(schema: &TableSchema) -> Self {
        let types = schema.partition_fields().into_iter().map(|field| field.data_type).collect();
        Self { types, rows: Vec::new(), numbers: HashMap::new() }
    }

    /// The number of a partition. Equal values in other bytes are the same partition.
    ///
    /// # Errors
    /// `CorruptData` when the bytes are not a partition of the table.
    pub(super) fn number(&mut self, partition: &BinaryRow) -> Result<u32> {
        if let Some(number) = self.numbers.get(partition) {
            return Ok(*number);
        }
        let partition = partition.normalised(&self.types)?;
        if let Some(number) = self.numbers.get(&partition) {
            return Ok(*number);
        }
        let number =
            u32::try_from(self.rows.len()).map_err(|_| Error::internal("paimon-write", "too many partitions"))?;
        self.rows.push(partition.clone());
        self.numbers.insert(partition, number);
        Ok(number)
    }

    /// The partition of a number that was given.
    pub(super) fn row(&self, number: u32) -> &BinaryRow {
        &self.rows[number as usize]
    }

    /// The partition columns of rows that are all in one partition.
    pub(super) fn columns(&self, number: u32, rows: usize) -> Result<Vec<ArrayRef>> {
        let values = self.row(number).values(&self.types)?;
        values.iter().zip(&self.types).map(|(value, kind)| constant_array(value.as_ref(), kind, rows)).collect()
    }
}
