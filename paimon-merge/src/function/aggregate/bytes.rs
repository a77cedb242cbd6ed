//! Unions of sets that bytes hold: roaring bitmaps and sketches.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, BinaryBuilder};
use paimon_spec::Result;

use super::sets::Set;
use crate::function::history::{Aggregator, History};

/// The union of the sets of each key. A set that is alone keeps its bytes.
pub(super) fn union<S: Set>(values: &ArrayRef, history: History<'_>, ignore_retract: bool) -> Result<ArrayRef> {
    let values = values.as_binary::<i32>();
    let mut builder = BinaryBuilder::with_capacity(history.keys(), values.value_data().len());
    let mut unions = Unions::<S> { values, set: std::marker::PhantomData };
    history.fold(&mut unions, ignore_retract, |unions, value| {
        match value {
            None => builder.append_null(),
            Some(Union::OfRow(row)) => builder.append_value(unions.values.value(row)),
            Some(Union::Of(set)) => builder.append_value(set.write()?),
        }
        Ok(())
    })?;
    Ok(Arc::new(builder.finish()))
}

struct Unions<'a, S> {
    values: &'a BinaryArray,
    set: std::marker::PhantomData<S>,
}

enum Union<S> {
    OfRow(usize),
    Of(S),
}

impl<S: Set> Unions<'_, S> {
    fn set(&self, union: Union<S>) -> Result<S> {
        match union {
            Union::OfRow(row) => S::read(self.values.value(row)),
            Union::Of(set) => Ok(set),
        }
    }
}

impl<S: Set> Aggregator for Unions<'_, S> {
    type Value = Union<S>;

    fn value(&self, row: usize) -> Option<Union<S>> {
        self.values.is_valid(row).then_some(Union::OfRow(row))
    }

    fn add(&mut self, old: Option<Union<S>>, new: Option<Union<S>>) -> Result<Option<Union<S>>> {
        match (old, new) {
            (Some(old), Some(new)) => {
                let new = self.set(new)?;
                self.set(old)?.union(new).map(|union| Some(Union::Of(union)))
            }
            (old, new) => Ok(old.or(new)),
        }
    }
}
