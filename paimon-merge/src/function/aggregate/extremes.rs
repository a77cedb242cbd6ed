//! The greatest and the smallest value. Ties go to the value that Java takes, which no one can tell from the other.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, BooleanBuilder, GenericByteArray, PrimitiveArray,
    PrimitiveBuilder,
};
use arrow::datatypes::{
    ByteArrayType, DataType as ArrowType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, Time32MillisecondType, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType,
};
use paimon_spec::{Error, Result};

use crate::function::KeyGroups;
use crate::function::history::{Aggregator, History};

/// The greatest (`max`) or the smallest value in each key; NULL counts for nothing.
pub(super) fn extreme(
    groups: &KeyGroups<'_>,
    position: usize,
    max: bool,
    history: History<'_>,
    ignore_retract: bool,
) -> Result<ArrayRef> {
    let values = groups.gather(position)?;
    let call = Call { max, history, ignore_retract };
    match values.data_type() {
        ArrowType::Boolean => call.of_booleans(values.as_boolean()),
        ArrowType::Int8 => call.of_values::<Int8Type>(&values, Ord::cmp),
        ArrowType::Int16 => call.of_values::<Int16Type>(&values, Ord::cmp),
        ArrowType::Int32 => call.of_values::<Int32Type>(&values, Ord::cmp),
        ArrowType::Int64 => call.of_values::<Int64Type>(&values, Ord::cmp),
        ArrowType::Float32 => call.of_values::<Float32Type>(&values, compare_floats),
        ArrowType::Float64 => call.of_values::<Float64Type>(&values, compare_doubles),
        ArrowType::Decimal128(..) => call.of_values::<Decimal128Type>(&values, Ord::cmp),
        ArrowType::Date32 => call.of_values::<Date32Type>(&values, Ord::cmp),
        ArrowType::Time32(TimeUnit::Millisecond) => call.of_values::<Time32MillisecondType>(&values, Ord::cmp),
        ArrowType::Timestamp(TimeUnit::Second, _) => call.of_values::<TimestampSecondType>(&values, Ord::cmp),
        ArrowType::Timestamp(TimeUnit::Millisecond, _) => call.of_values::<TimestampMillisecondType>(&values, Ord::cmp),
        ArrowType::Timestamp(TimeUnit::Microsecond, _) => call.of_values::<TimestampMicrosecondType>(&values, Ord::cmp),
        ArrowType::Timestamp(TimeUnit::Nanosecond, _) => call.of_values::<TimestampNanosecondType>(&values, Ord::cmp),
        ArrowType::Utf8 => call.of_rows(groups, position, values.as_string::<i32>()),
        ArrowType::Binary => call.of_rows(groups, position, values.as_binary::<i32>()),
        other => Err(Error::unsupported(format!("values of type {other} have no order"))),
    }
}

#[derive(Clone, Copy)]
struct Call<'a> {
    max: bool,
    history: History<'a>,
    ignore_retract: bool,
}

impl Call<'_> {
    fn of_values<T: ArrowPrimitiveType>(
        self,
        values: &ArrayRef,
        compare: impl Fn(&T::Native, &T::Native) -> Ordering,
    ) -> Result<ArrayRef> {
        let values: &PrimitiveArray<T> = super::downcast(values)?;
        let mut builder =
            PrimitiveBuilder::<T>::with_capacity(self.history.keys()).with_data_type(values.data_type().clone());
        let value = |row: usize| values.is_valid(row).then(|| values.value(row));
        let mut extreme = Extreme { max: self.max, value, compare };
        self.history.fold(&mut extreme, self.ignore_retract, |_, value| {
            builder.append_option(value);
            Ok(())
        })?;
        Ok(Arc::new(builder.finish()))
    }

    fn of_booleans(self, values: &BooleanArray) -> Result<ArrayRef> {
        let mut builder = BooleanBuilder::with_capacity(self.history.keys());
        let value = |row: usize| values.is_valid(row).then(|| values.value(row));
        let mut extreme = Extreme { max: self.max, value, compare: Ord::cmp };
        self.history.fold(&mut extreme, self.ignore_retract, |_, value| {
            builder.append_option(value);
            Ok(())
        })?;
        Ok(Arc::new(builder.finish()))
    }

    /// Values that take memory of their own stay where they are.
    fn of_rows<T: ByteArrayType>(
        self,
        groups: &KeyGroups<'_>,
        position: usize,
        values: &GenericByteArray<T>,
    ) -> Result<ArrayRef> {
        let bytes = |row: &usize| -> &[u8] { values.value(*row).as_ref() };
        let value = |row: usize| values.is_valid(row).then_some(row);
        let mut extreme = Extreme { max: self.max, value, compare: |a: &usize, b: &usize| bytes(a).cmp(bytes(b)) };
        let mut rows = Vec::with_capacity(self.history.keys());
        self.history.fold(&mut extreme, self.ignore_retract, |_, row| {
            rows.push(row);
            Ok(())
        })?;
        groups.pick_some(position, &rows)
    }
}

struct Extreme<V, C> {
    max: bool,
    value: V,
    compare: C,
}

impl<T, V: Fn(usize) -> Option<T>, C: Fn(&T, &T) -> Ordering> Aggregator for Extreme<V, C> {
    type Value = T;

    #[inline]
    fn value(&self, row: usize) -> Option<T> {
        (self.value)(row)
    }

    #[inline]
    fn add(&mut self, old: Option<T>, new: Option<T>) -> Result<Option<T>> {
        Ok(match (old, new) {
            (Some(old), Some(new)) => {
                Some(if ((self.compare)(&old, &new) == Ordering::Less) == self.max { new } else { old })
            }
            (old, new) => old.or(new),
        })
    }
}

/// Java `Float.compare`: all NaN are equal, and greater than everything.
fn compare_floats(a: &f32, b: &f32) -> Ordering {
    let one_nan = |value: f32| if value.is_nan() { f32::NAN } else { value };
    one_nan(*a).total_cmp(&one_nan(*b))
}

/// Java `Double.compare`.
fn compare_doubles(a: &f64, b: &f64) -> Ordering {
    let one_nan = |value: f64| if value.is_nan() { f64::NAN } else { value };
    one_nan(*a).total_cmp(&one_nan(*b))
}
