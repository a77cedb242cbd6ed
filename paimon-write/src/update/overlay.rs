//! The current values of a row group with new ones over them.

use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::compute::interleave;
use paimon_spec::{Error, Result};

use super::rows::Place;

/// New values for rows of a group, by position in it.
#[derive(Debug)]
pub(super) struct Overlay<'a> {
    /// Ascending.
    pub(super) positions: Vec<u64>,
    /// Where the values of each are, in `batches`.
    pub(super) places: &'a [Place],
    pub(super) batches: &'a [RecordBatch],
}

impl Overlay<'_> {
    /// The rows of `current`, which are those from `first` on, with the new values. `column_of` gives the place of a
    /// column of `current` in the batches.
    pub(super) fn over(&self, current: &RecordBatch, first: u64, column_of: &[usize]) -> Result<RecordBatch> {
        let rows = current.num_rows();
        let end = first.saturating_add(rows as u64);
        let from = self.positions.partition_point(|position| *position < first);
        let to = self.positions.partition_point(|position| *position < end);
        if from == to {
            return Ok(current.clone());
        }
        // Of each batch that has some of the rows, its place among the sources; the current rows are the first.
        let mut sources: BTreeMap<usize, usize> = BTreeMap::new();
        for place in &self.places[from..to] {
            let next = sources.len() + 1;
            sources.entry(place.batch).or_insert(next);
        }
        let mut picked: Vec<(usize, usize)> = (0..rows).map(|row| (0, row)).collect();
        for (position, place) in self.positions[from..to].iter().zip(&self.places[from..to]) {
            if let (Some(slot), Some(source)) = (picked.get_mut((position - first) as usize), sources.get(&place.batch))
            {
                *slot = (*source, place.row);
            }
        }
        let mut by_number: Vec<(usize, usize)> = sources.into_iter().map(|(batch, source)| (source, batch)).collect();
        by_number.sort_unstable();
        let columns = current.columns().iter().zip(column_of).map(|(column, place)| {
            let new = by_number.iter().map(|(_, batch)| self.batches[*batch].column(*place).as_ref());
            let arrays: Vec<&dyn Array> = std::iter::once(column.as_ref()).chain(new).collect();
            interleave(&arrays, &picked).map_err(|error| {
                Error::invalid("new values do not go together with those that are there").with_source(error)
            })
        });
        let columns = columns.collect::<Result<Vec<ArrayRef>>>()?;
        RecordBatch::try_new(current.schema(), columns).map_err(|error| Error::internal("paimon-write", error))
    }

    /// Runs of changed rows: the position of the first, and their values of a column, without copies.
    pub(super) fn runs(&self, column: usize) -> Result<Vec<(u64, RecordBatch)>> {
        let mut runs: Vec<(u64, Place, usize)> = Vec::new();
        for (position, place) in self.positions.iter().zip(self.places) {
            match runs.last_mut() {
                Some((first, start, length))
                    if *first + *length as u64 == *position
                        && *start == (Place { batch: place.batch, row: place.row.wrapping_sub(*length) }) =>
                {
                    *length += 1;
                }
                _ => runs.push((*position, *place, 1)),
            }
        }
        let slice = |(position, Place { batch, row }, length)| {
            let values = self.batches[batch].slice(row, length).project(&[column]);
            Ok((position, values.map_err(|error| Error::internal("paimon-write", error))?))
        };
        runs.into_iter().map(slice).collect()
    }
}
