//! Arrays of any Arrow type as columns of a Paimon type, without changing a value.

use std::sync::Arc;

use arrow::{
    array::{
        Array, ArrayRef, AsArray, BooleanArray, FixedSizeListArray, ListArray, MapArray, RecordBatch,
        RecordBatchOptions, StructArray, make_array, new_null_array,
    },
    compute::{CastOptions, cast_with_options, kernels::cmp, nullif},
    datatypes::{DataType as ArrowType, Field, Fields, TimeUnit},
    error::ArrowError,
    util::display::array_value_to_string,
};
use paimon_spec::{DataField, DataType, Error, ErrorKind, Result, TypeKind};

use super::types::{arrow_schema, arrow_type};

/// Where arrays come from, which decides how strictly they are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Rows that a user writes.
    Input,
    /// A column of a data file: fields that an older writer did not know are NULL, and whether a timestamp is local
    /// time is the schema's to say.
    File,
}

/// The columns of `batch` as columns of `fields`, found by name, in the order of `fields`.
///
/// # Errors
/// `InvalidInput` when a column is missing or unknown, and as [`fit_array`].
pub fn fit_batch(batch: &RecordBatch, fields: &[DataField]) -> Result<RecordBatch> {
    let schema = batch.schema();
    if let Some(unknown) = schema.fields().iter().find(|c| !fields.iter().any(|f| f.name == *c.name())) {
        return Err(Error::invalid("column is not in the table").with_context("column", unknown.name()));
    }
    let columns =
        fields.iter().map(|field| match batch.column_by_name(&field.name) {
            Some(column) => fit_array(column, field),
            None => Err(Error::invalid("column of the table is missing in the rows to write")
                .with_context("column", &field.name)),
        });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(arrow_schema(fields)?, columns, &options)
        .map_err(|e| Error::invalid("rows do not fit the table").with_source(e))
}

/// `array` as a column of `field`, with the Arrow type of [`arrow_type`].
///
/// No value changes: integers widen or narrow, decimals and timestamps change their digits, times their unit, only as
/// far as every value stays the same (floats may round). Dictionaries, large and view types are unpacked; fields of
/// structs are found by name. Texts are parsed as numbers, booleans, dates, times and timestamps.
///
/// # Errors
/// `InvalidInput` naming the column and the value for one that the type cannot hold, for NULL in a NOT NULL column, and
/// for types without such a conversion.
pub fn fit_array(array: &ArrayRef, field: &DataField) -> Result<ArrayRef> {
    fit(array, &field.data_type, Origin::Input).map_err(|e| e.with_context("column", &field.name))
}

/// [`fit_array`] of a type.
pub(crate) fn fit(array: &ArrayRef, to: &DataType, origin: Origin) -> Result<ArrayRef> {
    let target = arrow_type(to)?;
    fit_to(array, to, &target, origin)
}

fn fit_to(array: &ArrayRef, to: &DataType, target: &ArrowType, origin: Origin) -> Result<ArrayRef> {
    if !to.nullable && array.logical_null_count() > 0 {
        return Err(rejected(origin, "NULL in a column that is NOT NULL"));
    }
    if array.data_type() == target {
        // Arrow has checked NOT NULL of nested fields when the array was made.
        return Ok(Arc::clone(array));
    }
    if array.data_type() == &ArrowType::Null {
        return Ok(new_null_array(target, array.len()));
    }
    if let ArrowType::Dictionary(_, values) = array.data_type() {
        return fit_to(&cast(array, values)?, to, target, origin);
    }
    match (&to.kind, target) {
        (TypeKind::Array(element), ArrowType::List(item)) => {
            let list = match array.data_type() {
                ArrowType::List(_) => Arc::clone(array),
                ArrowType::LargeList(found)
                | ArrowType::ListView(found)
                | ArrowType::LargeListView(found)
                | ArrowType::FixedSizeList(found, _) => cast(array, &ArrowType::List(Arc::clone(found)))?,
                _ => return Err(no_conversion(array, target, origin)),
            };
            let list = list.as_list::<i32>();
            let values = fit_to(list.values(), element, item.data_type(), origin)?;
            let list = ListArray::try_new(Arc::clone(item), list.offsets().clone(), values, list.nulls().cloned());
            Ok(Arc::new(list.map_err(|e| nested(origin, e))?))
        }
        (TypeKind::Vector(element, _), ArrowType::FixedSizeList(item, length)) => {
            let list = match array.data_type() {
                ArrowType::FixedSizeList(_, found) if found == length => Arc::clone(array),
                ArrowType::List(found) | ArrowType::LargeList(found) => {
                    let list = cast(array, &ArrowType::FixedSizeList(Arc::clone(found), *length))?;
                    refuse_new_nulls(array, &list, target, origin)?;
                    list
                }
                _ => return Err(no_conversion(array, target, origin)),
            };
            let list = list.as_fixed_size_list();
            // Values of a NULL vector may be NULL whatever the type says; `try_new` looks at the others.
            let loose = DataType { nullable: true, ..element.as_ref().clone() };
            let values = fit_to(list.values(), &loose, item.data_type(), origin)?;
            let list = FixedSizeListArray::try_new(Arc::clone(item), *length, values, list.nulls().cloned());
            Ok(Arc::new(list.map_err(|e| nested(origin, e))?))
        }
        (TypeKind::Map(..) | TypeKind::Multiset(_), ArrowType::Map(entries, sorted)) => {
            fit_map(array, to, target, entries, *sorted, origin)
        }
        (TypeKind::Row(wanted), ArrowType::Struct(fields)) => fit_row(array, wanted, target, fields, origin),
        (TypeKind::Variant, ArrowType::Struct(fields)) => fit_variant(array, target, fields, origin),
        _ => fit_atomic(array, target, origin),
    }
}

fn fit_map(
    array: &ArrayRef,
    to: &DataType,
    target: &ArrowType,
    entries: &Arc<Field>,
    sorted: bool,
    origin: Origin,
) -> Result<ArrayRef> {
    let count = DataType::not_null(TypeKind::Int);
    let (key, value) = match &to.kind {
        TypeKind::Map(key, value) => (key.as_ref(), value.as_ref()),
        TypeKind::Multiset(element) => (element.as_ref(), &count),
        _ => return Err(no_conversion(array, target, origin)),
    };
    let ArrowType::Struct(fields) = entries.data_type() else {
        return Err(no_conversion(array, target, origin));
    };
    // The pairs, whether as a map or, in formats whose maps have text keys only, as a list.
    let (offsets, pairs, nulls) = if let Some(map) = array.as_map_opt() {
        (map.offsets(), map.entries(), map.nulls())
    } else if let (Origin::File, Some(list)) = (origin, array.as_list_opt::<i32>()) {
        match list.values().as_struct_opt() {
            Some(pairs) => (list.offsets(), pairs, list.nulls()),
            None => return Err(no_conversion(array, target, origin)),
        }
    } else {
        return Err(no_conversion(array, target, origin));
    };
    let [keys, values] = pairs.columns() else {
        return Err(no_conversion(array, target, origin));
    };
    // A key is never NULL, whatever the type says.
    let key = DataType { nullable: false, ..key.clone() };
    let columns =
        vec![fit_to(keys, &key, fields[0].data_type(), origin)?, fit_to(values, value, fields[1].data_type(), origin)?];
    let columns = StructArray::try_new(fields.clone(), columns, None).map_err(|e| nested(origin, e))?;
    let map = MapArray::try_new(Arc::clone(entries), offsets.clone(), columns, nulls.cloned(), sorted);
    Ok(Arc::new(map.map_err(|e| nested(origin, e))?))
}

fn fit_row(
    array: &ArrayRef,
    wanted: &[DataField],
    target: &ArrowType,
    fields: &Fields,
    origin: Origin,
) -> Result<ArrayRef> {
    let Some(row) = array.as_struct_opt() else {
        return Err(no_conversion(array, target, origin));
    };
    if origin == Origin::Input
        && let Some(unknown) = row.column_names().iter().find(|name| !wanted.iter().any(|f| f.name == **name))
    {
        return Err(Error::invalid(format!("the row has no field '{unknown}'")));
    }
    let columns = wanted.iter().zip(fields).map(|(field, arrow)| {
        match row.column_by_name(&field.name) {
            // Whether a NULL of a NOT NULL field counts depends on the row above it, which `try_new` looks at.
            Some(column) => {
                let loose = DataType { nullable: true, ..field.data_type.clone() };
                fit_to(&visible(column, row)?, &loose, arrow.data_type(), origin)
            }
            None if origin == Origin::File => Ok(new_null_array(arrow.data_type(), row.len())),
            None => Err(Error::invalid("field is missing in the rows to write")),
        }
        .map_err(|e| e.with_context("field", &field.name))
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let row = StructArray::try_new_with_length(fields.clone(), columns, row.nulls().cloned(), row.len());
    Ok(Arc::new(row.map_err(|e| nested(origin, e))?))
}

/// A field of a row, NULL where the row is: what stands there instead may be no value of the type.
pub(super) fn visible(column: &ArrayRef, row: &StructArray) -> Result<ArrayRef> {
    match row.nulls() {
        None => Ok(Arc::clone(column)),
        Some(nulls) => {
            let hidden = BooleanArray::new(!nulls.inner(), None);
            nullif(column, &hidden).map_err(|e| Error::internal("paimon-io", e))
        }
    }
}

fn fit_variant(array: &ArrayRef, target: &ArrowType, fields: &Fields, origin: Origin) -> Result<ArrayRef> {
    let Some(row) = array.as_struct_opt() else {
        return Err(no_conversion(array, target, origin));
    };
    if row.num_columns() != fields.len() {
        return Err(Error::unsupported("shredded VARIANT columns are not supported yet"));
    }
    let columns = fields.iter().map(|field| match row.column_by_name(field.name()) {
        Some(column) => fit_atomic(column, field.data_type(), origin),
        None => Err(no_conversion(array, target, origin)),
    });
    let row = StructArray::try_new(fields.clone(), columns.collect::<Result<_>>()?, row.nulls().cloned());
    Ok(Arc::new(row.map_err(|e| nested(origin, e))?))
}

fn rejected(origin: Origin, message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    match origin {
        Origin::Input => Error::invalid(message),
        Origin::File => Error::corrupt(message),
    }
}

fn nested(origin: Origin, error: ArrowError) -> Error {
    rejected(origin, "nested values do not fit the column").with_source(error)
}

fn no_conversion(array: &ArrayRef, target: &ArrowType, origin: Origin) -> Error {
    rejected(origin, format!("wanted values of {target}, found {}", array.data_type()))
}

fn cast(array: &ArrayRef, target: &ArrowType) -> Result<ArrayRef> {
    cast_with_options(array, target, &CastOptions { safe: true, ..CastOptions::default() })
        .map_err(|e| Error::new(ErrorKind::InvalidInput, format!("wanted values of {target}")).with_source(e))
}

/// What is to be checked of a conversion between atomic types.
enum Conversion {
    /// Every value has a counterpart.
    Free,
    /// Values out of range become NULL, which is found out.
    Ranged,
    /// Digits may be lost as well, which casting back finds out.
    Digits,
}

fn conversion(from: &ArrowType, to: &ArrowType, origin: Origin) -> Option<Conversion> {
    use ArrowType as A;
    Some(match (from, to) {
        (A::Utf8 | A::LargeUtf8 | A::Utf8View, A::Utf8) => Conversion::Free,
        (A::Binary | A::LargeBinary | A::BinaryView | A::FixedSizeBinary(_), A::Binary | A::LargeBinary) => {
            Conversion::Free
        }
        // Files without the annotation of text.
        (A::Binary | A::LargeBinary, A::Utf8) if origin == Origin::File => Conversion::Ranged,
        (A::Utf8 | A::LargeUtf8, A::Binary) if origin == Origin::File => Conversion::Free,
        (from, to) if from.is_integer() && to.is_signed_integer() => Conversion::Ranged,
        (from, A::Float32 | A::Float64) if from.is_integer() => Conversion::Digits,
        (A::Float16 | A::Float32 | A::Float64, A::Float32 | A::Float64) => Conversion::Free,
        (from, A::Decimal128(..)) if from.is_integer() => Conversion::Ranged,
        (A::Decimal32(..) | A::Decimal64(..) | A::Decimal128(..) | A::Decimal256(..), A::Decimal128(..)) => {
            Conversion::Digits
        }
        (A::Date64, A::Date32) => Conversion::Digits,
        (A::Int32, A::Date32 | A::Time32(TimeUnit::Millisecond)) if origin == Origin::File => Conversion::Free,
        (A::Time32(_) | A::Time64(_), A::Time32(_)) => Conversion::Digits,
        (A::Int64, A::Timestamp(..)) if origin == Origin::File => Conversion::Free,
        (
            A::Utf8 | A::LargeUtf8 | A::Utf8View,
            A::Boolean | A::Decimal128(..) | A::Date32 | A::Time32(_) | A::Timestamp(..),
        ) if origin == Origin::Input => Conversion::Ranged,
        (A::Utf8 | A::LargeUtf8 | A::Utf8View, to) if origin == Origin::Input && to.is_numeric() => Conversion::Ranged,
        (A::Timestamp(_, found), A::Timestamp(_, wanted)) if found.is_some() == wanted.is_some() => Conversion::Digits,
        _ => return None,
    })
}

fn fit_atomic(array: &ArrayRef, target: &ArrowType, origin: Origin) -> Result<ArrayRef> {
    if let (Origin::File, ArrowType::Timestamp(unit, found), ArrowType::Timestamp(_, zone)) =
        (origin, array.data_type(), target)
        && found != zone
    {
        let relabelled = relabelled(array, &ArrowType::Timestamp(*unit, zone.clone()))?;
        return fit_atomic(&relabelled, target, origin);
    }
    if array.data_type() == target {
        return Ok(Arc::clone(array));
    }
    if let (ArrowType::Utf8 | ArrowType::LargeUtf8 | ArrowType::Utf8View, ArrowType::Timestamp(unit, Some(_))) =
        (array.data_type(), target)
    {
        // Texts without an offset are times of UTC.
        let naive = fit_atomic(array, &ArrowType::Timestamp(*unit, None), origin)?;
        return relabelled(&naive, target);
    }
    let Some(conversion) = conversion(array.data_type(), target, origin) else {
        return Err(no_conversion(array, target, origin));
    };
    let result = cast(array, target)?;
    match conversion {
        Conversion::Free => {}
        Conversion::Ranged => refuse_new_nulls(array, &result, target, origin)?,
        Conversion::Digits => {
            refuse_new_nulls(array, &result, target, origin)?;
            let back = cast(&result, array.data_type())?;
            refuse_new_nulls(array, &back, target, origin)?;
            let changed = cmp::neq(array, &back).map_err(|e| no_conversion(array, target, origin).with_source(e))?;
            if let Some(row) = (0..changed.len()).find(|row| changed.is_valid(*row) && changed.value(*row)) {
                return Err(lost(array, row, target, origin));
            }
        }
    }
    Ok(result)
}

/// The same numbers as values of another type of the same layout.
fn relabelled(array: &ArrayRef, target: &ArrowType) -> Result<ArrayRef> {
    let data = array.to_data().into_builder().data_type(target.clone()).build();
    Ok(make_array(data.map_err(|e| Error::internal("paimon-io", e))?))
}

fn refuse_new_nulls(array: &ArrayRef, result: &ArrayRef, target: &ArrowType, origin: Origin) -> Result<()> {
    if array.null_count() == result.null_count() {
        return Ok(());
    }
    match (0..array.len()).find(|row| array.is_valid(*row) && result.is_null(*row)) {
        Some(row) => Err(lost(array, row, target, origin)),
        None => Ok(()),
    }
}

fn lost(array: &ArrayRef, row: usize, target: &ArrowType, origin: Origin) -> Error {
    let shown = match array.data_type() {
        // Without its time zone, whose rules are not at hand here.
        ArrowType::Timestamp(unit, Some(_)) => cast(array, &ArrowType::Timestamp(*unit, None)),
        _ => Ok(Arc::clone(array)),
    };
    let value = shown.ok().and_then(|array| array_value_to_string(&array, row).ok()).unwrap_or_default();
    rejected(origin, format!("value {value} does not fit {target}"))
}
