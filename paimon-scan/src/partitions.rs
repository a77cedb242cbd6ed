//! Partitions by value.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use paimon_spec::{BinaryRow, DataType, Datum, FieldId, Predicate, Result, RowView, TableSchema};

/// One partition of the table.
#[derive(Debug)]
pub(crate) struct Partition {
    /// In Java's form for NULL, whichever form the entries have.
    pub(crate) row: BinaryRow,
    /// Whether rows of it are wanted.
    pub(crate) wanted: bool,
    /// Different for different partitions of one [`Partitions`].
    pub(crate) number: usize,
}

/// The partitions seen so far. Engines write NULL in different bytes; here one partition is one value.
#[derive(Debug)]
pub(crate) struct Partitions {
    fields: Vec<(FieldId, DataType)>,
    types: Vec<DataType>,
    condition: Predicate,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    by_bytes: HashMap<Box<[u8]>, Arc<Partition>>,
    by_value: HashMap<BinaryRow, Arc<Partition>>,
}

impl Partitions {
    /// `condition` names partition columns only; partitions for which it is not true are not wanted.
    pub(crate) fn new(schema: &TableSchema, condition: Predicate) -> Self {
        let fields: Vec<_> = schema.partition_fields().into_iter().map(|field| (field.id, field.data_type)).collect();
        let types = fields.iter().map(|(_, data_type)| data_type.clone()).collect();
        Self { fields, types, condition, known: Mutex::default() }
    }

    /// The partition of a row in metadata form.
    pub(crate) fn get(&self, metadata: &[u8]) -> Result<Arc<Partition>> {
        // A panic while the lock is held leaves at most an entry out.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(partition) = known.by_bytes.get(metadata) {
            return Ok(Arc::clone(partition));
        }
        let values = RowView::from_metadata(metadata)?.values(&self.types)?;
        let row = BinaryRow::from_values(&values, &self.types)?;
        let number = known.by_value.len();
        let partition = known
            .by_value
            .entry(row)
            .or_insert_with_key(|row| Arc::new(Partition { row: row.clone(), wanted: self.wants(&values), number }));
        let partition = Arc::clone(partition);
        known.by_bytes.insert(metadata.into(), Arc::clone(&partition));
        Ok(partition)
    }

    fn wants(&self, values: &[Option<Datum>]) -> bool {
        let value =
            |id| self.fields.iter().zip(values).find(|((field, _), _)| *field == id).and_then(|(_, v)| v.clone());
        self.condition.evaluate(&value) == Some(true)
    }
}

/// Looks up the partitions of entries in their order, which is mostly one partition many times.
#[derive(Debug)]
pub(crate) struct PartitionCursor<'a> {
    partitions: &'a Partitions,
    last: Option<(Vec<u8>, Arc<Partition>)>,
}

impl<'a> PartitionCursor<'a> {
    pub(crate) fn new(partitions: &'a Partitions) -> Self {
        Self { partitions, last: None }
    }

    pub(crate) fn get(&mut self, metadata: &[u8]) -> Result<&Arc<Partition>> {
        let found = match self.last.take() {
            Some(last) if last.0 == metadata => last,
            Some((mut bytes, _)) => {
                bytes.clear();
                bytes.extend_from_slice(metadata);
                (bytes, self.partitions.get(metadata)?)
            }
            None => (metadata.to_vec(), self.partitions.get(metadata)?),
        };
        Ok(&self.last.insert(found).1)
    }
}
