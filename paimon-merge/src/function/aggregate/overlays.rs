//! `nested_partial_update`: rows of lists that are laid over each other.

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, StructArray, UInt64Array};
use arrow::buffer::NullBuffer;
use arrow::compute::take;
use paimon_spec::{NullKeys, Result};

use super::items::{Builder, Items, internal, range};
use super::nested::NestedKeys;
use crate::function::history::{Aggregator, History};

/// One row for each nested key of a list, of the newest values that are not NULL.
pub(super) fn nested_partial_update(
    values: &ArrayRef,
    key: &[usize],
    null_keys: NullKeys,
    history: History<'_>,
    ignore_retract: bool,
) -> Result<ArrayRef> {
    let lists = values.as_list::<i32>();
    let rows = lists.values().as_struct();
    let mut overlays = Overlays { lists, rows, keys: NestedKeys::new(lists, key, null_keys)? };
    let mut builder = Builder::with_capacity(history.keys());
    // The rows of all results, column by column, and whether they are rows at all.
    let mut chosen: Vec<Vec<Option<u64>>> = vec![Vec::new(); rows.num_columns()];
    let mut valid: Vec<bool> = Vec::new();
    history.fold(&mut overlays, ignore_retract, |overlays, list| {
        let start = valid.len();
        match &list {
            None => {}
            Some(Items::OfRow(row)) => {
                for item in range(overlays.lists.value_offsets(), *row) {
                    valid.push(overlays.rows.is_valid(item));
                    chosen.iter_mut().for_each(|column| column.push(Some(item as u64)));
                }
            }
            Some(Items::Built(overlay)) => {
                for (_, parts) in &overlay.rows {
                    valid.push(true);
                    chosen.iter_mut().zip(parts).for_each(|(column, part)| column.push(part.map(|item| item as u64)));
                }
            }
        }
        builder.push(list.map(|_| start..valid.len()))
    })?;
    let columns = rows.columns().iter().zip(chosen);
    let columns = columns.map(|(column, chosen)| take(column, &UInt64Array::from(chosen), None).map_err(internal));
    let nulls = Some(NullBuffer::from(valid)).filter(|nulls| nulls.null_count() > 0);
    let merged =
        StructArray::try_new(rows.fields().clone(), columns.collect::<Result<_>>()?, nulls).map_err(internal)?;
    builder.finish(values.data_type(), &merged)
}

struct Overlays<'a> {
    lists: &'a ListArray,
    rows: &'a StructArray,
    keys: NestedKeys,
}

/// Rows put together of elements.
#[derive(Default)]
struct Overlay {
    /// The key of each, and for each column the element that has its value.
    rows: Vec<(u32, Vec<Option<usize>>)>,
    by_key: HashMap<u32, usize>,
}

impl Overlay {
    fn lay(&mut self, key: u32, parts: impl ExactSizeIterator<Item = Option<usize>>) {
        let next = self.rows.len();
        let at = *self.by_key.entry(key).or_insert(next);
        if at == next {
            self.rows.push((key, vec![None; parts.len()]));
        }
        if let Some((_, row)) = self.rows.get_mut(at) {
            row.iter_mut().zip(parts).for_each(|(old, new)| *old = new.or(*old));
        }
    }
}

impl Overlays<'_> {
    fn lay(&self, overlay: &mut Overlay, list: Items<Overlay>) -> Result<()> {
        match list {
            Items::OfRow(row) => {
                for item in range(self.lists.value_offsets(), row) {
                    if let Some(key) = self.keys.of(item)? {
                        overlay
                            .lay(key, self.rows.columns().iter().map(|column| column.is_valid(item).then_some(item)));
                    }
                }
            }
            Items::Built(newer) => {
                newer.rows.into_iter().for_each(|(key, parts)| overlay.lay(key, parts.into_iter()));
            }
        }
        Ok(())
    }
}

impl Aggregator for Overlays<'_> {
    type Value = Items<Overlay>;

    fn value(&self, row: usize) -> Option<Self::Value> {
        self.lists.is_valid(row).then_some(Items::OfRow(row))
    }

    fn add(&mut self, old: Option<Self::Value>, new: Option<Self::Value>) -> Result<Option<Self::Value>> {
        let Some(new) = new else { return Ok(old) };
        let mut overlay = Overlay::default();
        match old {
            Some(Items::Built(old)) => overlay = old,
            Some(old) => self.lay(&mut overlay, old)?,
            None => {}
        }
        self.lay(&mut overlay, new)?;
        Ok(Some(Items::Built(overlay)))
    }
}
