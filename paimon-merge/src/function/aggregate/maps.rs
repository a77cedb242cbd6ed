//! `merge_map` and `merge_map_with_keytime`: maps of entries of others.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, MapArray, StringArray};
use paimon_spec::{Error, Result};

use super::items::{Builder, Items, Keyed, identities, range};
use crate::function::history::{Aggregator, History};

/// The entries of each key; of those with the same map key the newest.
pub(super) fn merge_map(values: &ArrayRef, history: History<'_>, ignore_retract: bool) -> Result<ArrayRef> {
    merged(values, None, history, ignore_retract)
}

/// The entries of each key; of those with the same map key the one with the latest time, and none once it was NULL.
pub(super) fn merge_map_with_key_time(
    values: &ArrayRef,
    time: usize,
    history: History<'_>,
    ignore_retract: bool,
) -> Result<ArrayRef> {
    let rows = values.as_map().values().as_struct_opt();
    let times = rows.and_then(|rows| rows.columns().get(time)).and_then(|times| times.as_string_opt::<i32>());
    let times = times.ok_or_else(|| Error::internal("paimon-merge", format!("{} has no times", values.data_type())))?;
    merged(values, Some(times), history, ignore_retract)
}

fn merged(
    values: &ArrayRef,
    times: Option<&StringArray>,
    history: History<'_>,
    ignore_retract: bool,
) -> Result<ArrayRef> {
    let maps = values.as_map();
    let mut entries = Entries { maps, keys: identities(&[Arc::clone(maps.keys())])?, times };
    let mut builder = Builder::with_capacity(history.keys());
    history.fold(&mut entries, ignore_retract, |entries, map| builder.push(map.map(|map| entries.items(&map))))?;
    builder.finish(values.data_type(), maps.entries())
}

struct Entries<'a> {
    maps: &'a MapArray,
    /// The map key of each entry.
    keys: Vec<u32>,
    /// The time of each entry, where that decides.
    times: Option<&'a StringArray>,
}

impl Entries<'_> {
    fn items(&self, map: &Items<Keyed>) -> Vec<usize> {
        match map {
            Items::OfRow(row) => range(self.maps.value_offsets(), *row).collect(),
            Items::Built(entries) => entries.items(),
        }
    }

    fn key(&self, item: usize) -> u32 {
        self.keys.get(item).copied().unwrap_or_default()
    }

    fn keyed(&self, map: Items<Keyed>) -> Keyed {
        match map {
            Items::Built(entries) => entries,
            map => {
                let mut entries = Keyed::default();
                self.items(&map).into_iter().for_each(|item| entries.put(self.key(item), item));
                entries
            }
        }
    }

    fn lay(&self, entries: &mut Keyed, item: usize) {
        let key = self.key(item);
        let Some(times) = self.times else { return entries.put(key, item) };
        let is_row = |item: usize| self.maps.values().is_valid(item);
        let is_timed = |item: usize| is_row(item) && times.is_valid(item);
        if !is_row(item) {
            entries.remove(key);
        } else if is_timed(item) {
            let old = entries.get(key).filter(|old| is_timed(*old));
            if old.is_none_or(|old| is_later(times.value(item), times.value(old))) {
                entries.put(key, item);
            }
        }
    }
}

/// By UTF-16 units, as Java compares texts.
fn is_later(time: &str, other: &str) -> bool {
    time.encode_utf16().gt(other.encode_utf16())
}

impl Aggregator for Entries<'_> {
    type Value = Items<Keyed>;

    fn value(&self, row: usize) -> Option<Self::Value> {
        self.maps.is_valid(row).then_some(Items::OfRow(row))
    }

    fn add(&mut self, old: Option<Self::Value>, new: Option<Self::Value>) -> Result<Option<Self::Value>> {
        match (old, new) {
            (Some(old), Some(new)) => {
                let mut entries = self.keyed(old);
                self.items(&new).into_iter().for_each(|item| self.lay(&mut entries, item));
                Ok(Some(Items::Built(entries)))
            }
            (old, new) => Ok(old.or(new)),
        }
    }

    /// Map keys that are taken back go, whatever their values.
    fn retract(&mut self, old: Option<Self::Value>, gone: Option<Self::Value>) -> Result<Option<Self::Value>> {
        if self.times.is_some() {
            return Err(crate::function::history::cannot_retract());
        }
        let (old, gone) = match (old, gone) {
            (Some(old), Some(gone)) => (old, gone),
            (old, _) => return Ok(old),
        };
        let mut entries = self.keyed(old);
        self.items(&gone).into_iter().for_each(|item| entries.remove(self.key(item)));
        Ok(Some(Items::Built(entries)))
    }
}
