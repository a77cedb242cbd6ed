//! Statistics of columns as they are written, for formats whose files keep none.

use std::cmp::Ordering;

use arrow::{
    array::{Array, ArrayRef, ArrowPrimitiveType, AsArray},
    datatypes::{
        DataType as ArrowType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
        Int64Type, Time32MillisecondType, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
        TimestampNanosecondType, TimestampSecondType,
    },
};
use paimon_spec::{ColumnStats, DataType, Datum, Result, TypeKind, predicate::compare};

use super::rows::datum_at;

/// Collects the statistics of one column, batch by batch. NaN is left out of bounds; nested columns have none.
#[derive(Debug)]
pub(crate) struct Collector {
    data_type: DataType,
    min: Option<Datum>,
    max: Option<Datum>,
    null_count: i64,
}

impl Collector {
    pub(crate) fn new(data_type: &DataType) -> Self {
        Self { data_type: data_type.clone(), min: None, max: None, null_count: 0 }
    }

    /// Looks at an array of the column's type.
    pub(crate) fn update(&mut self, array: &ArrayRef) -> Result<()> {
        self.null_count += array.null_count() as i64;
        let Some((low, high)) = rows_of_bounds(array, &self.data_type.kind) else {
            return Ok(());
        };
        let low = datum_at(array, &self.data_type, low)?;
        let high = datum_at(array, &self.data_type, high)?;
        keep(&mut self.min, low, Ordering::Less);
        keep(&mut self.max, high, Ordering::Greater);
        Ok(())
    }

    pub(crate) fn finish(self) -> ColumnStats {
        ColumnStats { min: self.min, max: self.max, null_count: Some(self.null_count) }
    }
}

/// Replaces `bound` by `value` when that lies beyond it, in the direction of `beyond`.
pub(crate) fn keep(bound: &mut Option<Datum>, value: Option<Datum>, beyond: Ordering) {
    let Some(value) = value else { return };
    if bound.as_ref().is_none_or(|bound| compare(&value, bound) == Some(beyond)) {
        *bound = Some(value);
    }
}

/// Rows of a smallest and a largest value; `None` when there is no value, or the type has no order.
fn rows_of_bounds(array: &ArrayRef, kind: &TypeKind) -> Option<(usize, usize)> {
    match (kind, array.data_type()) {
        (TypeKind::Boolean, _) => {
            let values = array.as_boolean_opt()?;
            extremes(array, |row| values.value(row), |_| true, Ord::cmp)
        }
        (TypeKind::TinyInt, _) => ordered::<Int8Type>(array),
        (TypeKind::SmallInt, _) => ordered::<Int16Type>(array),
        (TypeKind::Int, _) => ordered::<Int32Type>(array),
        (TypeKind::BigInt, _) => ordered::<Int64Type>(array),
        (TypeKind::Float, _) => {
            let values = array.as_primitive_opt::<Float32Type>()?;
            extremes(array, |row| values.value(row), |v| !v.is_nan(), f32::total_cmp)
        }
        (TypeKind::Double, _) => {
            let values = array.as_primitive_opt::<Float64Type>()?;
            extremes(array, |row| values.value(row), |v| !v.is_nan(), f64::total_cmp)
        }
        (TypeKind::Decimal { .. }, _) => ordered::<Decimal128Type>(array),
        (TypeKind::Date, _) => ordered::<Date32Type>(array),
        (TypeKind::Time(_), _) => ordered::<Time32MillisecondType>(array),
        (TypeKind::Timestamp(_) | TypeKind::TimestampLtz(_), ArrowType::Timestamp(unit, _)) => match unit {
            TimeUnit::Second => ordered::<TimestampSecondType>(array),
            TimeUnit::Millisecond => ordered::<TimestampMillisecondType>(array),
            TimeUnit::Microsecond => ordered::<TimestampMicrosecondType>(array),
            TimeUnit::Nanosecond => ordered::<TimestampNanosecondType>(array),
        },
        (TypeKind::Char(_) | TypeKind::VarChar(_), _) => {
            let values = array.as_string_opt::<i32>()?;
            extremes(array, |row| values.value(row).as_bytes(), |_| true, Ord::cmp)
        }
        (TypeKind::Binary(_) | TypeKind::VarBinary(_), _) => {
            let values = array.as_binary_opt::<i32>()?;
            extremes(array, |row| values.value(row), |_| true, Ord::cmp)
        }
        _ => None,
    }
}

fn ordered<T: ArrowPrimitiveType<Native: Ord>>(array: &ArrayRef) -> Option<(usize, usize)> {
    let values = array.as_primitive_opt::<T>()?;
    extremes(array, |row| values.value(row), |_| true, Ord::cmp)
}

fn extremes<V: Copy>(
    array: &ArrayRef,
    value: impl Fn(usize) -> V,
    counts: impl Fn(&V) -> bool,
    order: impl Fn(&V, &V) -> Ordering,
) -> Option<(usize, usize)> {
    let mut found: Option<((usize, V), (usize, V))> = None;
    for row in 0..array.len() {
        if array.is_null(row) {
            continue;
        }
        let v = value(row);
        if !counts(&v) {
            continue;
        }
        found = Some(match found {
            None => ((row, v), (row, v)),
            Some((low, high)) => (
                if order(&v, &low.1).is_lt() { (row, v) } else { low },
                if order(&v, &high.1).is_gt() { (row, v) } else { high },
            ),
        });
    }
    found.map(|(low, high)| (low.0, high.0))
}
