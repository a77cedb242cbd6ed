//! `collect` and `nested_update`: lists of elements of others.

use std::collections::{HashMap, HashSet};

use arrow::array::{Array, ArrayRef, AsArray, ListArray};
use arrow::datatypes::DataType as ArrowType;
use arrow::row::Rows;
use paimon_spec::{NullKeys, Result};

use super::items::{Builder, Items, Keyed, identities, range, sortable};
use super::nested::NestedKeys;
use crate::function::history::{Aggregator, History};

/// The elements of each key, one list after another.
pub(super) fn collect(
    values: &ArrayRef,
    distinct: bool,
    history: History<'_>,
    ignore_retract: bool,
) -> Result<ArrayRef> {
    let lists = values.as_list::<i32>();
    let takes_back = matches!(history, History::Steps(_));
    let identities = if distinct || takes_back { identities(&[lists.values().clone()])? } else { Vec::new() };
    let keeps_old = distinct && compares_by_value(&lists.value_type());
    let mut elements = Elements { lists, identities, distinct, keeps_old };
    let mut builder = Builder::with_capacity(history.keys());
    history
        .fold(&mut elements, ignore_retract, |elements, list| builder.push(list.map(|list| elements.items(list))))?;
    builder.finish(values.data_type(), lists.values())
}

/// Types whose elements Java compares by a comparison of its own, and then leaves old elements as they are.
fn compares_by_value(element: &ArrowType) -> bool {
    element.is_nested() || *element == ArrowType::Binary
}

struct Elements<'a> {
    lists: &'a ListArray,
    /// Of each element, where elements are compared.
    identities: Vec<u32>,
    distinct: bool,
    keeps_old: bool,
}

#[derive(Default)]
struct Collected {
    items: Vec<usize>,
    /// The identities of the items, once they are distinct.
    seen: Option<HashSet<u32>>,
}

impl Elements<'_> {
    fn items(&self, list: Items<Collected>) -> Vec<usize> {
        match list {
            Items::OfRow(row) => range(self.lists.value_offsets(), row).collect(),
            Items::Built(collected) => collected.items,
        }
    }

    fn identity(&self, item: usize) -> u32 {
        self.identities.get(item).copied().unwrap_or_default()
    }

    /// `list` with what it has already; each element once, unless old ones are kept.
    fn made_distinct(&self, list: Option<Items<Collected>>) -> (Vec<usize>, HashSet<u32>) {
        match list {
            Some(Items::Built(Collected { items, seen: Some(seen) })) => (items, seen),
            list => {
                let mut items = list.map(|list| self.items(list)).unwrap_or_default();
                let mut seen = HashSet::new();
                items.retain(|item| seen.insert(self.identity(*item)) || self.keeps_old);
                (items, seen)
            }
        }
    }
}

impl Aggregator for Elements<'_> {
    type Value = Items<Collected>;

    fn value(&self, row: usize) -> Option<Self::Value> {
        self.lists.is_valid(row).then_some(Items::OfRow(row))
    }

    fn add(&mut self, old: Option<Self::Value>, new: Option<Self::Value>) -> Result<Option<Self::Value>> {
        let (items, seen) = match (old, new) {
            (None, None) => return Ok(None),
            (old, new) if self.distinct => {
                let (mut items, mut seen) = self.made_distinct(old);
                let new = new.map(|new| self.items(new)).unwrap_or_default();
                items.extend(new.into_iter().filter(|item| seen.insert(self.identity(*item))));
                (items, Some(seen))
            }
            (Some(old), Some(new)) => {
                let mut items = self.items(old);
                items.extend(self.items(new));
                (items, None)
            }
            (old, new) => return Ok(old.or(new)),
        };
        Ok(Some(Items::Built(Collected { items, seen })))
    }

    /// Older elements too come last (Java `FieldCollectAgg.aggReversed`).
    fn add_older(&mut self, old: Option<Self::Value>, new: Option<Self::Value>) -> Result<Option<Self::Value>> {
        self.add(old, new)
    }

    /// Each element that is taken back takes one that equals it.
    fn retract(&mut self, old: Option<Self::Value>, gone: Option<Self::Value>) -> Result<Option<Self::Value>> {
        let (Some(old), gone) = (old, gone.map(|gone| self.items(gone)).unwrap_or_default()) else { return Ok(None) };
        if gone.is_empty() {
            return Ok(Some(old));
        }
        let mut counts: HashMap<u32, usize> = HashMap::new();
        for item in gone {
            *counts.entry(self.identity(item)).or_default() += 1;
        }
        let mut items = self.items(old);
        items.retain(|item| match counts.get_mut(&self.identity(*item)) {
            Some(count) if *count > 0 => {
                *count -= 1;
                false
            }
            _ => true,
        });
        Ok(Some(Items::Built(Collected { items, seen: None })))
    }
}

/// The options of `nested_update`.
pub(super) struct NestedRules<'a> {
    pub(super) key: &'a [usize],
    pub(super) sequence: &'a [usize],
    pub(super) count_limit: usize,
    pub(super) null_keys: NullKeys,
}

/// The rows of each key's lists: all, or with a nested key the newest of each.
pub(super) fn nested_update(
    values: &ArrayRef,
    rules: &NestedRules<'_>,
    history: History<'_>,
    ignore_retract: bool,
) -> Result<ArrayRef> {
    let lists = values.as_list::<i32>();
    let mut builder = Builder::with_capacity(history.keys());
    if rules.key.is_empty() {
        let takes_back = matches!(history, History::Steps(_));
        let identities = if takes_back { identities(&[lists.values().clone()])? } else { Vec::new() };
        let mut rows = NestedRows { lists, identities, count_limit: rules.count_limit };
        history.fold(&mut rows, ignore_retract, |rows, list| builder.push(list.map(|list| rows.items(list))))?;
    } else {
        let sequence: Vec<ArrayRef> = super::nested::columns(lists, rules.sequence)?;
        let mut table = NestedTable {
            lists,
            keys: NestedKeys::new(lists, rules.key, rules.null_keys)?,
            sequence: if sequence.is_empty() { None } else { Some(sortable(&sequence)?) },
            count_limit: rules.count_limit,
        };
        history.fold(&mut table, ignore_retract, |table, list| {
            builder.push(list.map(|list| match list {
                Items::OfRow(row) => range(table.lists.value_offsets(), row).collect(),
                Items::Built(rows) => rows.items(),
            }))
        })?;
    }
    builder.finish(values.data_type(), lists.values())
}

/// Rows without a key.
struct NestedRows<'a> {
    lists: &'a ListArray,
    identities: Vec<u32>,
    count_limit: usize,
}

impl NestedRows<'_> {
    fn items(&self, list: Items<Vec<usize>>) -> Vec<usize> {
        match list {
            Items::OfRow(row) => range(self.lists.value_offsets(), row).collect(),
            Items::Built(items) => items,
        }
    }

    fn is_row(&self, item: usize) -> bool {
        self.lists.values().is_valid(item)
    }
}

impl Aggregator for NestedRows<'_> {
    type Value = Items<Vec<usize>>;

    fn value(&self, row: usize) -> Option<Self::Value> {
        self.lists.is_valid(row).then_some(Items::OfRow(row))
    }

    fn add(&mut self, old: Option<Self::Value>, new: Option<Self::Value>) -> Result<Option<Self::Value>> {
        let Some(new) = new else { return Ok(old) };
        let mut rows = old.map(|old| self.items(old)).unwrap_or_default();
        let room = self.count_limit.saturating_sub(rows.len());
        if room == 0 && !rows.is_empty() {
            return Ok(Some(Items::Built(rows)));
        }
        rows.retain(|item| self.is_row(*item));
        rows.extend(self.items(new).into_iter().filter(|item| self.is_row(*item)).take(room));
        Ok(Some(Items::Built(rows)))
    }

    /// Every row that equals one of those goes.
    fn retract(&mut self, old: Option<Self::Value>, gone: Option<Self::Value>) -> Result<Option<Self::Value>> {
        let (old, gone) = match (old, gone) {
            (Some(old), Some(gone)) => (old, gone),
            (old, _) => return Ok(old),
        };
        let identity = |item: usize| self.identities.get(item).copied().unwrap_or_default();
        let gone: HashSet<u32> = self.items(gone).into_iter().filter(|item| self.is_row(*item)).map(identity).collect();
        let mut rows = self.items(old);
        rows.retain(|item| self.is_row(*item) && !gone.contains(&identity(*item)));
        Ok(Some(Items::Built(rows)))
    }
}

/// Rows with a key.
struct NestedTable<'a> {
    lists: &'a ListArray,
    keys: NestedKeys,
    /// What tells newer rows from older ones.
    sequence: Option<Rows>,
    count_limit: usize,
}

impl NestedTable<'_> {
    fn items(&self, list: Items<Keyed>) -> Vec<usize> {
        match list {
            Items::OfRow(row) => range(self.lists.value_offsets(), row).collect(),
            Items::Built(rows) => rows.items(),
        }
    }

    fn lay(&self, rows: &mut Keyed, items: Vec<usize>, limit: usize) -> Result<()> {
        for item in items {
            let Some(key) = self.keys.of(item)? else { continue };
            let is_new = |sequence: &Rows, old: usize| sequence.row(item) >= sequence.row(old);
            let counts = match (rows.get(key), &self.sequence) {
                (Some(old), Some(sequence)) => is_new(sequence, old),
                (Some(_), None) => true,
                (None, _) => rows.len() < limit,
            };
            if counts {
                rows.put(key, item);
            }
        }
        Ok(())
    }
}

impl Aggregator for NestedTable<'_> {
    type Value = Items<Keyed>;

    fn value(&self, row: usize) -> Option<Self::Value> {
        self.lists.is_valid(row).then_some(Items::OfRow(row))
    }

    fn add(&mut self, old: Option<Self::Value>, new: Option<Self::Value>) -> Result<Option<Self::Value>> {
        let Some(new) = new else { return Ok(old) };
        let mut rows = match old {
            Some(Items::Built(rows)) => rows,
            old => {
                let mut rows = Keyed::default();
                self.lay(&mut rows, old.map(|old| self.items(old)).unwrap_or_default(), usize::MAX)?;
                rows
            }
        };
        self.lay(&mut rows, self.items(new), self.count_limit)?;
        Ok(Some(Items::Built(rows)))
    }

    fn retract(&mut self, old: Option<Self::Value>, gone: Option<Self::Value>) -> Result<Option<Self::Value>> {
        let (old, gone) = match (old, gone) {
            (Some(old), Some(gone)) => (old, gone),
            (old, _) => return Ok(old),
        };
        let mut rows = match old {
            Items::Built(rows) => rows,
            old => {
                let mut rows = Keyed::default();
                for item in self.items(old) {
                    if let Some(key) = self.keys.of(item)? {
                        rows.put(key, item);
                    }
                }
                rows
            }
        };
        for item in self.items(gone) {
            if let Some(key) = self.keys.of(item)? {
                rows.remove(key);
            }
        }
        Ok(Some(Items::Built(rows)))
    }
}
