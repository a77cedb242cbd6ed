//! Single values in and out of Arrow arrays.

use std::sync::Arc;

use arrow::{
    array::{
        Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array,
        Int8Array, Int16Array, Int32Array, Int64Array, LargeBinaryArray, StringArray, Time32MillisecondArray,
        TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray,
        new_null_array,
    },
    datatypes::{
        ArrowPrimitiveType, DataType as ArrowType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type,
        Int16Type, Int32Type, Int64Type, Time32MillisecondType, TimeUnit, TimestampMicrosecondType,
        TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
    },
};
use paimon_spec::{DataType, Datum, Error, Result, Timestamp, TypeKind};

use super::types::{UTC, arrow_type};

/// The value at `row` of an array that holds `data_type` (as [`arrow_type`] maps it); `None` for NULL.
///
/// # Errors
/// `InvalidInput` when the array is of another type or `row` is outside; `Unsupported` for nested types, which have no
/// [`Datum`].
pub fn datum_at(array: &dyn Array, data_type: &DataType, row: usize) -> Result<Option<Datum>> {
    if row >= array.len() {
        return Err(Error::invalid(format!("row {row} of an array of {} values", array.len())));
    }
    if array.is_null(row) {
        return Ok(None);
    }
    fn primitive<T: ArrowPrimitiveType>(array: &dyn Array, row: usize) -> Option<T::Native> {
        array.as_primitive_opt::<T>().map(|values| values.value(row))
    }
    let value = match &data_type.kind {
        TypeKind::Char(_) | TypeKind::VarChar(_) => {
            array.as_string_opt::<i32>().map(|values| Datum::String(values.value(row).to_owned()))
        }
        TypeKind::Binary(_) | TypeKind::VarBinary(_) => {
            array.as_binary_opt::<i32>().map(|values| Datum::Bytes(values.value(row).to_vec()))
        }
        TypeKind::Blob => array.as_binary_opt::<i64>().map(|values| Datum::Bytes(values.value(row).to_vec())),
        TypeKind::Boolean => array.as_boolean_opt().map(|values| Datum::Boolean(values.value(row))),
        TypeKind::Decimal { scale, .. } => match array.data_type() {
            ArrowType::Decimal128(_, found) if *found == *scale as i8 => {
                primitive::<Decimal128Type>(array, row).map(|unscaled| Datum::Decimal { unscaled, scale: *scale })
            }
            _ => None,
        },
        TypeKind::TinyInt => primitive::<Int8Type>(array, row).map(Datum::TinyInt),
        TypeKind::SmallInt => primitive::<Int16Type>(array, row).map(Datum::SmallInt),
        TypeKind::Int => primitive::<Int32Type>(array, row).map(Datum::Int),
        TypeKind::BigInt => primitive::<Int64Type>(array, row).map(Datum::BigInt),
        TypeKind::Float => primitive::<Float32Type>(array, row).map(Datum::Float),
        TypeKind::Double => primitive::<Float64Type>(array, row).map(Datum::Double),
        TypeKind::Date => primitive::<Date32Type>(array, row).map(Datum::Date),
        TypeKind::Time(_) => primitive::<Time32MillisecondType>(array, row).map(Datum::Time),
        TypeKind::Timestamp(_) | TypeKind::TimestampLtz(_) => match array.data_type() {
            ArrowType::Timestamp(unit, _) => match unit {
                TimeUnit::Second => primitive::<TimestampSecondType>(array, row),
                TimeUnit::Millisecond => primitive::<TimestampMillisecondType>(array, row),
                TimeUnit::Microsecond => primitive::<TimestampMicrosecondType>(array, row),
                TimeUnit::Nanosecond => primitive::<TimestampNanosecondType>(array, row),
            }
            .map(|value| timestamp_datum(value, *unit))
            .transpose()?,
            _ => None,
        },
        other => return Err(Error::unsupported(format!("single values of nested type {other:?}"))),
    };
    match value {
        Some(value) => Ok(Some(value)),
        None => {
            Err(Error::invalid(format!("wanted an array of {}, found {}", arrow_type(data_type)?, array.data_type())))
        }
    }
}

fn timestamp_datum(value: i64, unit: TimeUnit) -> Result<Datum> {
    let (millis, nanos) = match unit {
        TimeUnit::Second => (
            value
                .checked_mul(1000)
                .ok_or_else(|| Error::invalid(format!("timestamp of {value} seconds is out of range")))?,
            0,
        ),
        TimeUnit::Millisecond => (value, 0),
        TimeUnit::Microsecond => (value.div_euclid(1000), value.rem_euclid(1000) * 1000),
        TimeUnit::Nanosecond => (value.div_euclid(1_000_000), value.rem_euclid(1_000_000)),
    };
    // The remainder is below 1,000,000.
    Ok(Datum::Timestamp(Timestamp { millis, nanos_of_milli: nanos as i32 }))
}

/// A timestamp in `unit`; digits below the unit are cut (rounded down). `None` when it does not fit 64 bits.
pub(crate) fn timestamp_in(value: Timestamp, unit: TimeUnit) -> Option<i64> {
    let nanos = i64::from(value.nanos_of_milli);
    match unit {
        TimeUnit::Second => Some(value.millis.div_euclid(1000)),
        TimeUnit::Millisecond => Some(value.millis),
        TimeUnit::Microsecond => value.millis.checked_mul(1000)?.checked_add(nanos / 1000),
        TimeUnit::Nanosecond => {
            // In 128 bits, as millis x 1,000,000 may overflow by itself for the first representable millisecond.
            i64::try_from(i128::from(value.millis) * 1_000_000 + i128::from(nanos)).ok()
        }
    }
}

/// An array of `rows` copies of `value`, of the Arrow type of `data_type`; `None` is NULL (of any type).
///
/// # Errors
/// `InvalidInput` when the value is not of the type; `Unsupported` for values of nested types.
pub fn constant_array(value: Option<&Datum>, data_type: &DataType, rows: usize) -> Result<ArrayRef> {
    let arrow = arrow_type(data_type)?;
    let Some(value) = value else {
        return Ok(new_null_array(&arrow, rows));
    };
    let mismatch = || Error::invalid(format!("wanted a value of {arrow}, found {value:?}"));
    Ok(match (value, &arrow) {
        (Datum::Boolean(v), ArrowType::Boolean) => Arc::new(BooleanArray::from(vec![*v; rows])),
        (Datum::TinyInt(v), ArrowType::Int8) => Arc::new(Int8Array::from_value(*v, rows)),
        (Datum::SmallInt(v), ArrowType::Int16) => Arc::new(Int16Array::from_value(*v, rows)),
        (Datum::Int(v), ArrowType::Int32) => Arc::new(Int32Array::from_value(*v, rows)),
        (Datum::BigInt(v), ArrowType::Int64) => Arc::new(Int64Array::from_value(*v, rows)),
        (Datum::Float(v), ArrowType::Float32) => Arc::new(Float32Array::from_value(*v, rows)),
        (Datum::Double(v), ArrowType::Float64) => Arc::new(Float64Array::from_value(*v, rows)),
        (Datum::Date(v), ArrowType::Date32) => Arc::new(Date32Array::from_value(*v, rows)),
        (Datum::Time(v), ArrowType::Time32(TimeUnit::Millisecond)) => {
            Arc::new(Time32MillisecondArray::from_value(*v, rows))
        }
        (Datum::Decimal { unscaled, scale }, ArrowType::Decimal128(precision, wanted)) if *scale as i8 == *wanted => {
            let array = Decimal128Array::from_value(*unscaled, rows);
            Arc::new(array.with_precision_and_scale(*precision, *wanted).map_err(|e| mismatch().with_source(e))?)
        }
        (Datum::String(v), ArrowType::Utf8) => Arc::new(StringArray::from_iter_values(std::iter::repeat_n(v, rows))),
        (Datum::Bytes(v), ArrowType::Binary) => Arc::new(BinaryArray::from_iter_values(std::iter::repeat_n(v, rows))),
        (Datum::Bytes(v), ArrowType::LargeBinary) => {
            Arc::new(LargeBinaryArray::from_iter_values(std::iter::repeat_n(v, rows)))
        }
        (Datum::Timestamp(v), ArrowType::Timestamp(unit, zone)) => {
            let value = timestamp_in(*v, *unit).ok_or_else(mismatch)?;
            let zone = zone.as_ref().map(|_| UTC);
            match unit {
                TimeUnit::Second => {
                    Arc::new(TimestampSecondArray::from_value(value, rows).with_timezone_opt(zone)) as ArrayRef
                }
                TimeUnit::Millisecond => {
                    Arc::new(TimestampMillisecondArray::from_value(value, rows).with_timezone_opt(zone))
                }
                TimeUnit::Microsecond => {
                    Arc::new(TimestampMicrosecondArray::from_value(value, rows).with_timezone_opt(zone))
                }
                TimeUnit::Nanosecond => {
                    Arc::new(TimestampNanosecondArray::from_value(value, rows).with_timezone_opt(zone))
                }
            }
        }
        _ => return Err(mismatch()),
    })
}
