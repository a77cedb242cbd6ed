//! Rows of a batch under way to the buckets that they were given.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int8Array, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::Int8Type;
use paimon_spec::{Error, Result, RowKind};

use super::index::Place;
use super::partitions::Partitions;
use crate::route::Routed;

/// Where columns are in a batch of incoming rows.
#[derive(Debug, Clone)]
pub(super) struct Columns {
    /// What a row does to its key.
    pub(super) kind: usize,
    /// The partition columns.
    pub(super) partition: Vec<usize>,
}

/// Rows of one batch for each bucket, in their order.
#[derive(Debug, Default)]
pub(super) struct Output {
    numbers: HashMap<Place, usize>,
    last: usize,
    groups: Vec<Group>,
}

#[derive(Debug)]
struct Group {
    place: Place,
    rows: Vec<u32>,
    /// Which of `rows` take back what is there, instead of what they do themselves.
    retracts: Vec<usize>,
    /// Whether some rows say that they are in another partition.
    moved: bool,
}

impl Output {
    /// A row as it is.
    pub(super) fn keep(&mut self, row: usize, place: Place) {
        self.group(place).rows.push(row as u32);
    }

    /// A row of another partition, which is to be one of `place`.
    pub(super) fn redirect(&mut self, row: usize, place: Place) {
        let group = self.group(place);
        group.moved = true;
        group.rows.push(row as u32);
    }

    /// A deletion in `place` of the key of a row of another partition.
    pub(super) fn retract(&mut self, row: usize, place: Place) {
        let group = self.group(place);
        group.moved = true;
        group.retracts.push(group.rows.len());
        group.rows.push(row as u32);
    }

    /// The rows, taken from `batch`.
    pub(super) fn finish(self, batch: &RecordBatch, columns: &Columns, partitions: &Partitions) -> Result<Vec<Routed>> {
        self.groups.into_iter().map(|group| group.finish(batch, columns, partitions)).collect()
    }

    fn group(&mut self, place: Place) -> &mut Group {
        // Rows of one bucket often stand together.
        if self.groups.get(self.last).is_none_or(|group| group.place != place) {
            self.last = *self.numbers.entry(place).or_insert_with(|| {
                self.groups.push(Group { place, rows: Vec::new(), retracts: Vec::new(), moved: false });
                self.groups.len() - 1
            });
        }
        &mut self.groups[self.last]
    }
}

impl Group {
    fn finish(self, batch: &RecordBatch, columns: &Columns, partitions: &Partitions) -> Result<Routed> {
        let Self { place, rows, retracts, moved } = self;
        let mut taken = taken(batch, rows)?;
        if moved {
            let mut arrays = taken.columns().to_vec();
            let values = partitions.columns(place.partition, taken.num_rows())?;
            columns.partition.iter().zip(values).for_each(|(at, column)| arrays[*at] = column);
            arrays[columns.kind] = with_deletes(&arrays[columns.kind], &retracts);
            taken = RecordBatch::try_new(taken.schema(), arrays).map_err(failed)?;
        }
        Ok(Routed { partition: partitions.row(place.partition).clone(), bucket: place.bucket, rows: taken })
    }
}

/// Rows that stand together are not copied, unless they would keep all of a batch that is mostly other rows.
fn taken(batch: &RecordBatch, rows: Vec<u32>) -> Result<RecordBatch> {
    let first = rows.first().copied().unwrap_or(0);
    if rows.len() > batch.num_rows() / 2 && rows.iter().zip(first..).all(|(row, wanted)| *row == wanted) {
        return Ok(batch.slice(first as usize, rows.len()));
    }
    take_record_batch(batch, &UInt32Array::from(rows)).map_err(failed)
}

fn with_deletes(kinds: &ArrayRef, deletes: &[usize]) -> ArrayRef {
    let mut kinds: Vec<i8> = kinds.as_primitive::<Int8Type>().values().to_vec();
    deletes.iter().for_each(|row| kinds[*row] = RowKind::Delete.code());
    Arc::new(Int8Array::from(kinds))
}

fn failed(error: arrow::error::ArrowError) -> Error {
    Error::internal("paimon-write", "rows of moved keys could not be put together").with_source(error)
}
