//! Elements of lists and entries of maps by their position among those of all rows.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, MapArray, UInt64Array};
use arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::compute::{SortOptions, take};
use arrow::datatypes::DataType as ArrowType;
use arrow::row::Rows;
use paimon_spec::{Error, Result};

use crate::order;

/// The items of a list or map: those of a row, or a selection.
#[derive(Debug)]
pub(super) enum Items<B> {
    OfRow(usize),
    Built(B),
}

/// One item of each key, in the order in which the keys came.
#[derive(Debug, Default)]
pub(super) struct Keyed {
    by_key: HashMap<u32, (usize, usize)>,
    next: usize,
}

impl Keyed {
    /// The item of a key becomes `item`.
    pub(super) fn put(&mut self, key: u32, item: usize) {
        let next = self.next;
        self.by_key.entry(key).or_insert((next, item)).1 = item;
        self.next += 1;
    }

    pub(super) fn get(&self, key: u32) -> Option<usize> {
        self.by_key.get(&key).map(|(_, item)| *item)
    }

    pub(super) fn remove(&mut self, key: u32) {
        self.by_key.remove(&key);
    }

    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }

    pub(super) fn items(&self) -> Vec<usize> {
        let mut items: Vec<(usize, usize)> = self.by_key.values().copied().collect();
        items.sort_unstable();
        items.into_iter().map(|(_, item)| item).collect()
    }
}

/// Numbers that are equal where all of `columns` are.
pub(super) fn identities(columns: &[ArrayRef]) -> Result<Vec<u32>> {
    let rows = sortable(columns)?;
    let mut numbers: HashMap<&[u8], u32> = HashMap::new();
    let number = |row: usize| {
        let next = u32::try_from(numbers.len()).map_err(|_| too_many())?;
        Ok(*numbers.entry(rows.row(row).data()).or_insert(next))
    };
    (0..rows.num_rows()).map(number).collect()
}

/// `columns` in a form that compares as their values do, in order, NULL first.
pub(super) fn sortable(columns: &[ArrayRef]) -> Result<Rows> {
    let types: Vec<_> = columns.iter().map(|column| column.data_type().clone()).collect();
    order::encoded(&order::converter(&types, SortOptions::default())?, columns)
}

/// The items of a row, given the offsets of all.
pub(super) fn range(offsets: &[i32], row: usize) -> Range<usize> {
    let at = |index: usize| offsets.get(index).and_then(|offset| usize::try_from(*offset).ok()).unwrap_or(0);
    at(row)..at(row + 1)
}

/// Lists or maps under construction.
#[derive(Debug)]
pub(super) struct Builder {
    ends: Vec<i32>,
    valid: Vec<bool>,
    items: Vec<u64>,
}

impl Builder {
    pub(super) fn with_capacity(lists: usize) -> Self {
        let mut ends = Vec::with_capacity(lists + 1);
        ends.push(0);
        Self { ends, valid: Vec::with_capacity(lists), items: Vec::new() }
    }

    /// Adds a list of these items, or NULL.
    pub(super) fn push(&mut self, items: Option<impl IntoIterator<Item = usize>>) -> Result<()> {
        self.valid.push(items.is_some());
        self.items.extend(items.into_iter().flatten().map(|item| item as u64));
        self.ends.push(i32::try_from(self.items.len()).map_err(|_| too_many())?);
        Ok(())
    }

    /// The lists or maps as an array of `data_type`, with items out of `items`.
    pub(super) fn finish(self, data_type: &ArrowType, items: &dyn Array) -> Result<ArrayRef> {
        let chosen = take(items, &UInt64Array::from(self.items), None).map_err(internal)?;
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.ends));
        let nulls = Some(NullBuffer::from(self.valid)).filter(|nulls| nulls.null_count() > 0);
        Ok(match data_type {
            ArrowType::List(field) => {
                Arc::new(ListArray::try_new(Arc::clone(field), offsets, chosen, nulls).map_err(internal)?)
            }
            ArrowType::Map(field, ordered) => {
                let entries = chosen.as_struct().clone();
                Arc::new(MapArray::try_new(Arc::clone(field), offsets, entries, nulls, *ordered).map_err(internal)?)
            }
            other => return Err(Error::internal("paimon-merge", format!("{other} is no list or map"))),
        })
    }
}

pub(super) fn too_many() -> Error {
    Error::invalid("expected fewer than 2^31 elements of merged rows, found more")
}

pub(super) fn internal(error: impl std::fmt::Display) -> Error {
    Error::internal("paimon-merge", error)
}
