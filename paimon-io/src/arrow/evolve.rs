//! Columns of old files in the table's current types: Java's casts of schema evolution.

use std::sync::Arc;

use arrow::{
    array::{
        Array, ArrayRef, ArrowPrimitiveType, AsArray, BinaryArray, BooleanArray, Decimal128Array, FixedSizeListArray,
        ListArray, MapArray, PrimitiveArray, StringArray, StructArray, new_null_array,
    },
    buffer::BooleanBuffer,
    datatypes::{
        DataType as ArrowType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
        Int64Type, Time32MillisecondType, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
        TimestampNanosecondType, TimestampSecondType,
    },
    error::ArrowError,
};
use paimon_spec::{DataField, DataType, Error, Result, Timestamp, TypeKind};

use super::{
    fit::visible,
    rows::timestamp_in,
    text::{self, ParsedDecimal},
    types::{UTC, arrow_type},
};

const MILLIS_PER_DAY: i64 = 86_400_000;

/// `array`, a column of the old type `from`, as a column of the current type `to`.
///
/// The rules are those of Java's `casting` package: narrowed integers wrap, a decimal that does not fit becomes NULL,
/// digits of a decimal are rounded half up, those of a timestamp are cut, floats become integers toward zero within
/// their range. Fields of a ROW are matched by id; one that the old type lacks is NULL. Local time is UTC.
///
/// # Errors
/// `InvalidInput` naming the value when a text is not of the type it is read as; `Unsupported` naming both types when
/// the format has no such cast.
pub fn evolve_array(array: &ArrayRef, from: &DataType, to: &DataType) -> Result<ArrayRef> {
    if same_values(&from.kind, &to.kind) {
        return Ok(Arc::clone(array));
    }
    let expected = arrow_type(from)?;
    if !array.data_type().equals_datatype(&expected) {
        return Err(Error::internal("paimon-io", format!("column of {} taken for {expected}", array.data_type())));
    }
    match (&from.kind, &to.kind) {
        (TypeKind::Row(old), TypeKind::Row(new)) => evolve_row(array, old, new, to),
        (TypeKind::Array(old), TypeKind::Array(new)) => {
            let list = array.as_list::<i32>();
            let ArrowType::List(item) = arrow_type(to)? else {
                return Err(not_nested(to));
            };
            let values = evolve_array(list.values(), old, new)?;
            let list = ListArray::try_new(item, list.offsets().clone(), values, list.nulls().cloned());
            Ok(Arc::new(list.map_err(nested_error)?))
        }
        (TypeKind::Vector(old, old_length), TypeKind::Vector(new, length)) if old_length == length => {
            let list = array.as_fixed_size_list();
            let ArrowType::FixedSizeList(item, length) = arrow_type(to)? else {
                return Err(not_nested(to));
            };
            let values = evolve_array(list.values(), old, new)?;
            let list = FixedSizeListArray::try_new(item, length, values, list.nulls().cloned());
            Ok(Arc::new(list.map_err(nested_error)?))
        }
        (TypeKind::Map(old_key, old_value), TypeKind::Map(key, value)) => {
            let map = array.as_map();
            let ArrowType::Map(entries, sorted) = arrow_type(to)? else {
                return Err(not_nested(to));
            };
            let ArrowType::Struct(fields) = entries.data_type() else {
                return Err(not_nested(to));
            };
            let columns = vec![evolve_array(map.keys(), old_key, key)?, evolve_array(map.values(), old_value, value)?];
            let columns = StructArray::try_new(fields.clone(), columns, None).map_err(nested_error)?;
            let map = MapArray::try_new(entries, map.offsets().clone(), columns, map.nulls().cloned(), sorted);
            Ok(Arc::new(map.map_err(nested_error)?))
        }
        _ => evolve_atomic(array, from, to),
    }
}

/// Whether values of the old type are, as they stand, values of the new one. NOT NULL is not looked at.
fn same_values(from: &TypeKind, to: &TypeKind) -> bool {
    match (from, to) {
        (TypeKind::VarChar(old), TypeKind::VarChar(new)) | (TypeKind::VarBinary(old), TypeKind::VarBinary(new)) => {
            old <= new
        }
        // Times have milliseconds whatever the precision.
        (TypeKind::Time(_), TypeKind::Time(_)) => true,
        (TypeKind::Timestamp(old), TypeKind::Timestamp(new))
        | (TypeKind::TimestampLtz(old), TypeKind::TimestampLtz(new)) => {
            old <= new && super::types::time_unit(*old) == super::types::time_unit(*new)
        }
        _ => from == to,
    }
}

fn not_nested(to: &DataType) -> Error {
    Error::internal("paimon-io", format!("{to:?} has another Arrow type than it had"))
}

fn nested_error(error: ArrowError) -> Error {
    Error::corrupt("nested column breaks a rule of its current type").with_source(error)
}

fn evolve_row(array: &ArrayRef, old: &[DataField], new: &[DataField], to: &DataType) -> Result<ArrayRef> {
    let row = array.as_struct();
    let ArrowType::Struct(fields) = arrow_type(to)? else {
        return Err(not_nested(to));
    };
    let columns = new.iter().map(|field| match old.iter().position(|o| o.id == field.id) {
        Some(position) => visible(row.column(position), row)
            .and_then(|column| evolve_array(&column, &old[position].data_type, &field.data_type))
            .map_err(|e| e.with_context("field", &field.name)),
        None => Ok(new_null_array(&arrow_type(&field.data_type)?, row.len())),
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    // With its length, so that a ROW of which no field is left keeps its rows.
    let row = StructArray::try_new_with_length(fields, columns, row.nulls().cloned(), row.len());
    Ok(Arc::new(row.map_err(nested_error)?))
}

/// Runs `$body` with `$values` as the primitive array of a numeric kind.
macro_rules! with_numbers {
    ($array:expr, $kind:expr, |$values:ident| $body:expr, else $other:expr) => {
        match $kind {
            TypeKind::TinyInt => {
                let $values = $array.as_primitive::<Int8Type>();
                $body
            }
            TypeKind::SmallInt => {
                let $values = $array.as_primitive::<Int16Type>();
                $body
            }
            TypeKind::Int => {
                let $values = $array.as_primitive::<Int32Type>();
                $body
            }
            TypeKind::BigInt => {
                let $values = $array.as_primitive::<Int64Type>();
                $body
            }
            TypeKind::Float => {
                let $values = $array.as_primitive::<Float32Type>();
                $body
            }
            TypeKind::Double => {
                let $values = $array.as_primitive::<Float64Type>();
                $body
            }
            _ => $other,
        }
    };
}

/// The same for integers alone.
macro_rules! with_integers {
    ($array:expr, $kind:expr, |$values:ident| $body:expr, else $other:expr) => {
        match $kind {
            TypeKind::TinyInt => {
                let $values = $array.as_primitive::<Int8Type>();
                $body
            }
            TypeKind::SmallInt => {
                let $values = $array.as_primitive::<Int16Type>();
                $body
            }
            TypeKind::Int => {
                let $values = $array.as_primitive::<Int32Type>();
                $body
            }
            TypeKind::BigInt => {
                let $values = $array.as_primitive::<Int64Type>();
                $body
            }
            _ => $other,
        }
    };
}

fn evolve_atomic(array: &ArrayRef, from: &DataType, to: &DataType) -> Result<ArrayRef> {
    use TypeKind as K;
    let unsupported =
        || Error::unsupported(format!("reading a file written when a column was {:?} as {:?}", from.kind, to.kind));
    match (&from.kind, &to.kind) {
        (source, K::TinyInt | K::SmallInt | K::Int | K::BigInt | K::Float | K::Double) => {
            numbers_of(array, source, &to.kind)?.ok_or_else(unsupported)
        }
        (source, K::Decimal { precision, scale }) => {
            decimals_of(array, source, *precision, *scale)?.ok_or_else(unsupported)
        }
        (source, K::Boolean) => booleans_of(array, source)?.ok_or_else(unsupported),
        (source, K::Char(_) | K::VarChar(_)) => texts_of(array, source, &to.kind)?.ok_or_else(unsupported),
        (K::Char(_) | K::VarChar(_), K::Binary(_) | K::VarBinary(_)) => {
            let values = array.as_string::<i32>().iter();
            Ok(Arc::new(values.map(|v| v.map(|v| fit_bytes(v.as_bytes(), &to.kind))).collect::<BinaryArray>()))
        }
        (K::Binary(_) | K::VarBinary(_), K::Binary(_) | K::VarBinary(_)) => {
            let values = array.as_binary::<i32>().iter();
            Ok(Arc::new(values.map(|v| v.map(|v| fit_bytes(v, &to.kind))).collect::<BinaryArray>()))
        }
        (K::Char(_) | K::VarChar(_), K::Date) => Ok(Arc::new(parsed::<Date32Type>(array, "DATE", text::parse_date)?)),
        (K::Timestamp(_) | K::TimestampLtz(_), K::Date) => {
            let days = timestamps(array)?.into_iter().map(|v| v.map(|v| v.millis.div_euclid(MILLIS_PER_DAY) as i32));
            Ok(Arc::new(days.collect::<PrimitiveArray<Date32Type>>()))
        }
        (K::Char(_) | K::VarChar(_), K::Time(_)) => {
            Ok(Arc::new(parsed::<Time32MillisecondType>(array, "TIME", text::parse_time)?))
        }
        (K::Timestamp(_) | K::TimestampLtz(_), K::Time(_)) => {
            let times = timestamps(array)?.into_iter().map(|v| v.map(|v| v.millis.rem_euclid(MILLIS_PER_DAY) as i32));
            Ok(Arc::new(times.collect::<PrimitiveArray<Time32MillisecondType>>()))
        }
        (source, K::Timestamp(_) | K::TimestampLtz(_)) => timestamps_of(array, source, to)?.ok_or_else(unsupported),
        _ => Err(unsupported()),
    }
}

fn parsed<T: ArrowPrimitiveType>(
    array: &ArrayRef,
    name: &str,
    parse: impl Fn(&str) -> Option<T::Native>,
) -> Result<PrimitiveArray<T>> {
    let values = array.as_string::<i32>().iter();
    values.map(|v| v.map(|v| parse(v).ok_or_else(|| unreadable(v, name))).transpose()).collect()
}

fn unreadable(value: &str, name: &str) -> Error {
    Error::invalid(format!("value '{value}' of an old file cannot be read as {name}"))
}

fn numbers_of(array: &ArrayRef, source: &TypeKind, target: &TypeKind) -> Result<Option<ArrayRef>> {
    /// From numbers, booleans, decimals and texts to one integer type.
    macro_rules! integers {
        ($target:ty, $native:ty, $name:literal) => {
            match source {
                TypeKind::Float if <$native>::BITS == 64 => {
                    Arc::new(array.as_primitive::<Float32Type>().unary::<_, $target>(|v| v as $native)) as ArrayRef
                }
                TypeKind::Double if <$native>::BITS == 64 => {
                    Arc::new(array.as_primitive::<Float64Type>().unary::<_, $target>(|v| v as $native))
                }
                // Java narrows floats to 32 bits first, within their range, and cuts the rest.
                TypeKind::Float => {
                    Arc::new(array.as_primitive::<Float32Type>().unary::<_, $target>(|v| v as i32 as $native))
                }
                TypeKind::Double => {
                    Arc::new(array.as_primitive::<Float64Type>().unary::<_, $target>(|v| v as i32 as $native))
                }
                TypeKind::Boolean => Arc::new(from_booleans::<$target>(array, 1, 0)),
                TypeKind::Decimal { scale, .. } => {
                    let unit = 10i128.pow(u32::from(*scale));
                    Arc::new(array.as_primitive::<Decimal128Type>().unary::<_, $target>(|v| (v / unit) as $native))
                }
                TypeKind::Char(_) | TypeKind::VarChar(_) => Arc::new(parsed::<$target>(array, $name, |v| {
                    text::parse_integer(v).and_then(|v| <$native>::try_from(v).ok())
                })?),
                TypeKind::Timestamp(_) | TypeKind::TimestampLtz(_) if <$native>::BITS >= 32 => {
                    let seconds = timestamps(array)?.into_iter().map(|v| v.map(|v| v.millis.div_euclid(1000) as $native));
                    Arc::new(seconds.collect::<PrimitiveArray<$target>>())
                }
                _ => with_integers!(
                    array,
                    source,
                    |values| Arc::new(values.unary::<_, $target>(|v| v as $native)),
                    else return Ok(None)
                ),
            }
        };
    }
    macro_rules! floats {
        ($target:ty, $native:ty, $name:literal, $parse:path) => {
            match source {
                TypeKind::Boolean => Arc::new(from_booleans::<$target>(array, 1.0, 0.0)) as ArrayRef,
                TypeKind::Decimal { precision, scale } => {
                    let values = array.as_primitive::<Decimal128Type>();
                    Arc::new(values.unary::<_, $target>(|v| decimal_to_double(v, *precision, *scale) as $native))
                }
                TypeKind::Char(_) | TypeKind::VarChar(_) => Arc::new(parsed::<$target>(array, $name, $parse)?),
                _ => with_numbers!(
                    array,
                    source,
                    |values| Arc::new(values.unary::<_, $target>(|v| v as $native)),
                    else return Ok(None)
                ),
            }
        };
    }
    Ok(Some(match target {
        TypeKind::TinyInt => integers!(Int8Type, i8, "TINYINT"),
        TypeKind::SmallInt => integers!(Int16Type, i16, "SMALLINT"),
        TypeKind::Int => integers!(Int32Type, i32, "INT"),
        TypeKind::BigInt => integers!(Int64Type, i64, "BIGINT"),
        TypeKind::Float => floats!(Float32Type, f32, "FLOAT", text::parse_single),
        TypeKind::Double => floats!(Float64Type, f64, "DOUBLE", text::parse_double),
        _ => return Ok(None),
    }))
}

fn from_booleans<T: ArrowPrimitiveType>(array: &ArrayRef, yes: T::Native, no: T::Native) -> PrimitiveArray<T> {
    let values = array.as_boolean();
    let numbers = values.values().iter().map(|v| if v { yes } else { no }).collect::<Vec<_>>();
    PrimitiveArray::new(numbers.into(), values.nulls().cloned())
}

fn decimal_to_double(unscaled: i128, precision: u8, scale: u8) -> f64 {
    if precision <= 18 {
        return unscaled as f64 / 10f64.powi(i32::from(scale));
    }
    // Correctly rounded, which a division of two rounded numbers is not.
    text::decimal(unscaled, scale).parse().unwrap_or(f64::NAN)
}

fn decimals_of(array: &ArrayRef, source: &TypeKind, precision: u8, scale: u8) -> Result<Option<ArrayRef>> {
    let limit = 10i128.pow(u32::from(precision));
    let fits = |v: i128| (v > -limit && v < limit).then_some(v);
    let unit = 10i128.pow(u32::from(scale));
    let decimals: Decimal128Array = match source {
        TypeKind::Decimal { scale: old, .. } => {
            let values = array.as_primitive::<Decimal128Type>();
            if *old <= scale {
                let factor = 10i128.pow(u32::from(scale - old));
                values.unary_opt(|v| v.checked_mul(factor).and_then(fits))
            } else {
                let divisor = 10i128.pow(u32::from(old - scale));
                values.unary_opt(|v| {
                    let (quotient, rest) = (v / divisor, v % divisor);
                    let away = rest.unsigned_abs() >= divisor.unsigned_abs() / 2;
                    fits(if away { quotient + v.signum() } else { quotient })
                })
            }
        }
        TypeKind::Boolean => {
            let values = array.as_boolean().iter();
            values.map(|v| v.and_then(|v| fits(if v { unit } else { 0 }))).collect()
        }
        TypeKind::Float => {
            let values = array.as_primitive::<Float32Type>();
            doubles_to_decimals(values.iter().map(|v| v.map(f64::from)), precision, scale)?
        }
        TypeKind::Double => doubles_to_decimals(array.as_primitive::<Float64Type>().iter(), precision, scale)?,
        TypeKind::Char(_) | TypeKind::VarChar(_) => {
            texts_to_decimals(array.as_string::<i32>().iter(), precision, scale)?
        }
        _ => with_integers!(
            array,
            source,
            |values| values.unary_opt(|v| i128::from(v).checked_mul(unit).and_then(fits)),
            else return Ok(None)
        ),
    };
    let decimals = decimals.with_precision_and_scale(precision, scale as i8);
    Ok(Some(Arc::new(decimals.map_err(|e| Error::internal("paimon-io", e))?)))
}

fn doubles_to_decimals(values: impl Iterator<Item = Option<f64>>, precision: u8, scale: u8) -> Result<Decimal128Array> {
    // By its shortest digits, as Java's `BigDecimal.valueOf` has it.
    let texts: Vec<_> = values.map(|v| v.map(|v| format!("{v:e}"))).collect();
    texts_to_decimals(texts.iter().map(Option::as_deref), precision, scale)
}

fn texts_to_decimals<'a>(
    values: impl Iterator<Item = Option<&'a str>>,
    precision: u8,
    scale: u8,
) -> Result<Decimal128Array> {
    values
        .map(|value| match value {
            None => Ok(None),
            Some(value) => match text::parse_decimal(value, precision, scale) {
                ParsedDecimal::Value(unscaled) => Ok(Some(unscaled)),
                ParsedDecimal::Overflow => Ok(None),
                ParsedDecimal::Malformed => Err(unreadable(value, "DECIMAL")),
            },
        })
        .collect()
}

fn booleans_of(array: &ArrayRef, source: &TypeKind) -> Result<Option<ArrayRef>> {
    Ok(Some(match source {
        TypeKind::Char(_) | TypeKind::VarChar(_) => {
            let values = array.as_string::<i32>().iter();
            let values =
                values.map(|v| v.map(|v| text::parse_boolean(v).ok_or_else(|| unreadable(v, "BOOLEAN"))).transpose());
            Arc::new(values.collect::<Result<BooleanArray>>()?)
        }
        _ => with_integers!(
            array,
            source,
            |values| Arc::new(BooleanArray::new(
                values.values().iter().map(|v| *v != 0).collect::<BooleanBuffer>(),
                values.nulls().cloned()
            )),
            else return Ok(None)
        ),
    }))
}

fn texts_of(array: &ArrayRef, source: &TypeKind, target: &TypeKind) -> Result<Option<ArrayRef>> {
    let fit = |v: String| fit_text(v, target);
    let texts: StringArray = match source {
        TypeKind::Char(_) | TypeKind::VarChar(_) => {
            array.as_string::<i32>().iter().map(|v| v.map(|v| fit(v.to_owned()))).collect()
        }
        TypeKind::Boolean => array.as_boolean().iter().map(|v| v.map(|v| fit(v.to_string()))).collect(),
        TypeKind::Float => {
            array.as_primitive::<Float32Type>().iter().map(|v| v.map(|v| fit(text::single(v)))).collect()
        }
        TypeKind::Double => {
            array.as_primitive::<Float64Type>().iter().map(|v| v.map(|v| fit(text::double(v)))).collect()
        }
        TypeKind::Decimal { scale, .. } => {
            array.as_primitive::<Decimal128Type>().iter().map(|v| v.map(|v| fit(text::decimal(v, *scale)))).collect()
        }
        // Java does not cut or pad these.
        TypeKind::Date => {
            array.as_primitive::<Date32Type>().iter().map(|v| v.map(|v| text::date(i64::from(v)))).collect()
        }
        TypeKind::Time(precision) => {
            let values = array.as_primitive::<Time32MillisecondType>().iter();
            values.map(|v| v.map(|v| text::time(v, *precision))).collect()
        }
        TypeKind::Timestamp(precision) | TypeKind::TimestampLtz(precision) => {
            timestamps(array)?.into_iter().map(|v| v.map(|v| text::timestamp(v, *precision))).collect()
        }
        TypeKind::Binary(_) | TypeKind::VarBinary(_) => {
            let values = array.as_binary::<i32>().iter().map(|v| match v.map(std::str::from_utf8) {
                None => Ok(None),
                Some(Ok(text)) => Ok(Some(text.to_owned())),
                Some(Err(error)) => Err(Error::invalid("bytes of an old file are not UTF-8").with_source(error)),
            });
            values.collect::<Result<_>>()?
        }
        _ => with_integers!(
            array,
            source,
            |values| values.iter().map(|v| v.map(|v| fit(v.to_string()))).collect(),
            else return Ok(None)
        ),
    };
    Ok(Some(Arc::new(texts)))
}

/// Cut to the length of the type in characters; CHAR is filled with blanks.
fn fit_text(mut text: String, target: &TypeKind) -> String {
    let (TypeKind::Char(length) | TypeKind::VarChar(length)) = target else {
        return text;
    };
    let length = *length as usize;
    // As many bytes as characters at least, so most texts need no counting.
    if text.len() > length
        && let Some((end, _)) = text.char_indices().nth(length)
    {
        text.truncate(end);
    }
    if matches!(target, TypeKind::Char(_)) {
        let missing = length.saturating_sub(text.chars().count());
        text.extend(std::iter::repeat_n(' ', missing));
    }
    text
}

/// Cut to the length of the type; BINARY is filled with zeros.
fn fit_bytes(bytes: &[u8], target: &TypeKind) -> Vec<u8> {
    match target {
        TypeKind::Binary(length) => {
            let mut bytes = bytes.to_vec();
            bytes.resize(*length as usize, 0);
            bytes
        }
        TypeKind::VarBinary(length) => bytes[..bytes.len().min(*length as usize)].to_vec(),
        _ => bytes.to_vec(),
    }
}

/// The values of a timestamp column of any unit.
fn timestamps(array: &ArrayRef) -> Result<Vec<Option<Timestamp>>> {
    let ArrowType::Timestamp(unit, _) = array.data_type() else {
        return Err(Error::internal("paimon-io", format!("{} taken for timestamps", array.data_type())));
    };
    let (whole, part) = match unit {
        TimeUnit::Second => {
            let values = array.as_primitive::<TimestampSecondType>().iter();
            return values
                .map(|v| v.map(|v| v.checked_mul(1000).ok_or_else(|| out_of_range(v))).transpose())
                .map(|v| Ok(v?.map(|millis| Timestamp { millis, nanos_of_milli: 0 })))
                .collect();
        }
        TimeUnit::Millisecond => (1, 1_000_000),
        TimeUnit::Microsecond => (1_000, 1_000),
        TimeUnit::Nanosecond => (1_000_000, 1),
    };
    let values = match unit {
        TimeUnit::Microsecond => array.as_primitive::<TimestampMicrosecondType>().iter().collect::<Vec<_>>(),
        TimeUnit::Nanosecond => array.as_primitive::<TimestampNanosecondType>().iter().collect(),
        _ => array.as_primitive::<TimestampMillisecondType>().iter().collect(),
    };
    let split = |v: i64| Timestamp { millis: v.div_euclid(whole), nanos_of_milli: (v.rem_euclid(whole) * part) as i32 };
    Ok(values.into_iter().map(|v| v.map(split)).collect())
}

fn out_of_range(value: i64) -> Error {
    Error::invalid(format!("timestamp of {value} seconds is out of range"))
}

fn timestamps_of(array: &ArrayRef, source: &TypeKind, to: &DataType) -> Result<Option<ArrayRef>> {
    let (TypeKind::Timestamp(precision) | TypeKind::TimestampLtz(precision)) = &to.kind else {
        return Ok(None);
    };
    let from_millis = |millis: i64| Timestamp { millis, nanos_of_milli: 0 };
    let values: Vec<Option<Timestamp>> = match source {
        TypeKind::Timestamp(old) | TypeKind::TimestampLtz(old) => {
            let values = timestamps(array)?;
            if old <= precision {
                values
            } else {
                values.into_iter().map(|v| v.map(|v| cut_digits(v, *precision))).collect()
            }
        }
        TypeKind::Date => {
            let values = array.as_primitive::<Date32Type>().iter();
            values.map(|v| v.map(|v| from_millis(i64::from(v) * MILLIS_PER_DAY))).collect()
        }
        TypeKind::Time(_) => {
            let values = array.as_primitive::<Time32MillisecondType>().iter();
            values.map(|v| v.map(|v| from_millis(i64::from(v)))).collect()
        }
        TypeKind::Int => {
            let values = array.as_primitive::<Int32Type>().iter();
            values.map(|v| v.map(|v| from_millis(i64::from(v) * 1000))).collect()
        }
        TypeKind::BigInt => {
            let values = array.as_primitive::<Int64Type>().iter();
            let values = values.map(|v| v.map(|v| v.checked_mul(1000).ok_or_else(|| out_of_range(v))).transpose());
            values.map(|v| Ok(v?.map(from_millis))).collect::<Result<_>>()?
        }
        TypeKind::Char(_) | TypeKind::VarChar(_) => {
            let numbers = matches!(to.kind, TypeKind::Timestamp(_));
            let parse =
                |v: &str| text::parse_timestamp(v, *precision, numbers).ok_or_else(|| unreadable(v, "TIMESTAMP"));
            array.as_string::<i32>().iter().map(|v| v.map(parse).transpose()).collect::<Result<_>>()?
        }
        _ => return Ok(None),
    };
    let ArrowType::Timestamp(unit, zone) = arrow_type(to)? else {
        return Ok(None);
    };
    let in_unit = |v: Timestamp| {
        timestamp_in(v, unit).ok_or_else(|| {
            Error::invalid(format!("timestamp of {} milliseconds does not fit {unit:?}s in 64 bits", v.millis))
        })
    };
    let values = values.into_iter().map(|v| v.map(in_unit).transpose()).collect::<Result<Vec<_>>>()?;
    let zone = zone.map(|_| UTC);
    Ok(Some(match unit {
        TimeUnit::Second => {
            Arc::new(PrimitiveArray::<TimestampSecondType>::from(values).with_timezone_opt(zone)) as ArrayRef
        }
        TimeUnit::Millisecond => {
            Arc::new(PrimitiveArray::<TimestampMillisecondType>::from(values).with_timezone_opt(zone))
        }
        TimeUnit::Microsecond => {
            Arc::new(PrimitiveArray::<TimestampMicrosecondType>::from(values).with_timezone_opt(zone))
        }
        TimeUnit::Nanosecond => {
            Arc::new(PrimitiveArray::<TimestampNanosecondType>::from(values).with_timezone_opt(zone))
        }
    }))
}

/// Java's `DateTimeUtils.truncate`: up to three digits are cut toward 1970, more toward the past.
fn cut_digits(value: Timestamp, precision: u8) -> Timestamp {
    if precision <= 3 {
        let unit = 10i64.pow(u32::from(3 - precision));
        // A value without the digits to cut stays, so only the digits below the millisecond decide for precision 3.
        return Timestamp { millis: value.millis / unit * unit, nanos_of_milli: 0 };
    }
    let unit = 10i32.pow(u32::from(9 - precision.min(9)));
    Timestamp { millis: value.millis, nanos_of_milli: value.nanos_of_milli / unit * unit }
}
