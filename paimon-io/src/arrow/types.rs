//! Paimon's types as Arrow's, and back.

use std::{collections::HashMap, sync::Arc};

use arrow::datatypes::{DataType as ArrowType, Field, FieldRef, Fields, Schema, SchemaRef, TimeUnit};
use paimon_spec::{DataField, DataType, Error, FieldId, Result, TypeKind};

/// The time zone of `TIMESTAMP WITH LOCAL TIME ZONE` columns in Arrow.
pub(crate) const UTC: &str = "UTC";

/// Key of a field's metadata that holds its description, in both directions.
const DESCRIPTION: &str = "description";

/// The Arrow schema of `fields`: what our readers produce and our writers take.
///
/// A field's description becomes its metadata entry `description`.
///
/// # Errors
/// `Unsupported` naming the column, for types that no file of ours can hold; see [`arrow_type`].
pub fn arrow_schema(fields: &[DataField]) -> Result<SchemaRef> {
    let fields = fields.iter().map(arrow_field).collect::<Result<Vec<_>>>()?;
    Ok(Arc::new(Schema::new(fields)))
}

/// One top-level column of [`arrow_schema`].
pub(crate) fn arrow_field(field: &DataField) -> Result<Field> {
    let arrow = arrow_type(&field.data_type).map_err(|e| e.with_context("column", &field.name))?;
    let result = Field::new(&field.name, arrow, field.data_type.nullable);
    Ok(match &field.description {
        Some(text) => result.with_metadata(HashMap::from([(DESCRIPTION.to_owned(), text.clone())])),
        None => result,
    })
}

/// The Arrow type of a Paimon type.
///
/// | Paimon | Arrow |
/// |---|---|
/// | `CHAR`, `VARCHAR`, `STRING` | utf8 |
/// | `BINARY`, `VARBINARY`, `BYTES` | binary |
/// | `DECIMAL(p, s)` | decimal128(p, s) |
/// | `DATE`, `TIME(p)` | date32, time32(ms) |
/// | `TIMESTAMP(p)` | timestamp: p = 0 in s, to 3 in ms, to 6 in us, to 9 in ns |
/// | `TIMESTAMP(p) WITH LOCAL TIME ZONE` | the same with the time zone "UTC" |
/// | `ARRAY<t>`, `VECTOR<t, n>` | list, fixed size list of `item` |
/// | `MAP<k, v>`, `MULTISET<t>` | map of `entries(key, value)`; a multiset's value is its int32 count |
/// | `ROW<..>` | struct |
/// | `VARIANT` | struct of the binary columns `value` and `metadata` |
/// | `BLOB` | large_binary |
///
/// # Errors
/// `Unsupported` for `GEOMETRY` and `GEOGRAPHY`.
pub fn arrow_type(data_type: &DataType) -> Result<ArrowType> {
    Ok(match &data_type.kind {
        TypeKind::Char(_) | TypeKind::VarChar(_) => ArrowType::Utf8,
        TypeKind::Boolean => ArrowType::Boolean,
        TypeKind::Binary(_) | TypeKind::VarBinary(_) => ArrowType::Binary,
        TypeKind::Decimal { precision, scale } => ArrowType::Decimal128(*precision, *scale as i8),
        TypeKind::TinyInt => ArrowType::Int8,
        TypeKind::SmallInt => ArrowType::Int16,
        TypeKind::Int => ArrowType::Int32,
        TypeKind::BigInt => ArrowType::Int64,
        TypeKind::Float => ArrowType::Float32,
        TypeKind::Double => ArrowType::Float64,
        TypeKind::Date => ArrowType::Date32,
        TypeKind::Time(_) => ArrowType::Time32(TimeUnit::Millisecond),
        TypeKind::Timestamp(precision) => ArrowType::Timestamp(time_unit(*precision), None),
        TypeKind::TimestampLtz(precision) => ArrowType::Timestamp(time_unit(*precision), Some(UTC.into())),
        TypeKind::Variant => ArrowType::Struct(variant_fields()),
        TypeKind::Blob => ArrowType::LargeBinary,
        TypeKind::Array(element) => ArrowType::List(item_field(element)?),
        TypeKind::Vector(element, length) => {
            let length = i32::try_from(*length)
                .map_err(|_| Error::invalid(format!("VECTOR length {length} is larger than {}", i32::MAX)))?;
            ArrowType::FixedSizeList(item_field(element)?, length)
        }
        TypeKind::Map(key, value) => map_type(key, value)?,
        TypeKind::Multiset(element) => map_type(element, &DataType::not_null(TypeKind::Int))?,
        TypeKind::Row(fields) => {
            let fields = fields
                .iter()
                .map(|f| Ok(Arc::new(Field::new(&f.name, arrow_type(&f.data_type)?, f.data_type.nullable))))
                .collect::<Result<Vec<FieldRef>>>()?;
            ArrowType::Struct(fields.into())
        }
        other => return Err(Error::unsupported(format!("columns of type {} are not supported yet", kind_name(other)))),
    })
}

/// The unit of a timestamp of `precision` digits after the second.
pub(crate) fn time_unit(precision: u8) -> TimeUnit {
    match precision {
        0 => TimeUnit::Second,
        1..=3 => TimeUnit::Millisecond,
        4..=6 => TimeUnit::Microsecond,
        _ => TimeUnit::Nanosecond,
    }
}

fn item_field(element: &DataType) -> Result<FieldRef> {
    Ok(Arc::new(Field::new("item", arrow_type(element)?, element.nullable)))
}

fn map_type(key: &DataType, value: &DataType) -> Result<ArrowType> {
    let entries = ArrowType::Struct(Fields::from(vec![
        Field::new("key", arrow_type(key)?, false),
        Field::new("value", arrow_type(value)?, value.nullable),
    ]));
    Ok(ArrowType::Map(Arc::new(Field::new("entries", entries, false)), false))
}

fn variant_fields() -> Fields {
    Fields::from(vec![Field::new("value", ArrowType::Binary, false), Field::new("metadata", ArrowType::Binary, false)])
}

fn kind_name(kind: &TypeKind) -> &'static str {
    match kind {
        TypeKind::Geometry(_) => "GEOMETRY",
        TypeKind::Geography(..) => "GEOGRAPHY",
        _ => "unknown to this build",
    }
}

/// The Paimon fields of an Arrow schema, for creating a table.
///
/// Ids count from 0 as the format does: a column before its nested fields, a nested field after its own.
/// Dictionaries count as their values; large, view and plain strings and lists are one type; `large_binary` is `BLOB`,
/// `fixed_size_binary(n)` is `BINARY(n)`; times of any unit are `TIME(0)`; any time zone is local time zone.
///
/// # Errors
/// `InvalidInput` "Unsupported pyarrow type: ..." naming the column, for types without a Paimon counterpart.
pub fn paimon_fields(schema: &Schema) -> Result<Vec<DataField>> {
    let mut next_id = 0;
    schema
        .fields()
        .iter()
        .map(|field| {
            let id = take_id(&mut next_id);
            paimon_field(field, id, &mut next_id).map_err(|e| e.with_context("column", field.name()))
        })
        .collect()
}

fn take_id(next_id: &mut FieldId) -> FieldId {
    let id = *next_id;
    *next_id += 1;
    id
}

fn paimon_field(field: &Field, id: FieldId, next_id: &mut FieldId) -> Result<DataField> {
    let kind = paimon_kind(field.data_type(), next_id)?;
    let mut result = DataField::new(id, field.name(), DataType { kind, nullable: field.is_nullable() });
    result.description = field.metadata().get(DESCRIPTION).cloned();
    Ok(result)
}

fn paimon_kind(arrow: &ArrowType, next_id: &mut FieldId) -> Result<TypeKind> {
    let mut nested = |field: &Field| -> Result<Box<DataType>> {
        Ok(Box::new(DataType { kind: paimon_kind(field.data_type(), next_id)?, nullable: field.is_nullable() }))
    };
    Ok(match arrow {
        ArrowType::Boolean => TypeKind::Boolean,
        ArrowType::Int8 => TypeKind::TinyInt,
        ArrowType::Int16 => TypeKind::SmallInt,
        ArrowType::Int32 => TypeKind::Int,
        ArrowType::Int64 => TypeKind::BigInt,
        ArrowType::Float32 => TypeKind::Float,
        ArrowType::Float64 => TypeKind::Double,
        ArrowType::Utf8 | ArrowType::LargeUtf8 | ArrowType::Utf8View => TypeKind::VarChar(DataType::MAX_LENGTH),
        ArrowType::Binary | ArrowType::BinaryView => TypeKind::VarBinary(DataType::MAX_LENGTH),
        ArrowType::FixedSizeBinary(length) => match u32::try_from(*length) {
            Ok(length) if length > 0 => TypeKind::Binary(length),
            _ => return Err(no_counterpart(arrow)),
        },
        ArrowType::LargeBinary => TypeKind::Blob,
        ArrowType::Decimal32(precision, scale)
        | ArrowType::Decimal64(precision, scale)
        | ArrowType::Decimal128(precision, scale)
        | ArrowType::Decimal256(precision, scale) => match u8::try_from(*scale) {
            Ok(scale) if (1..=38).contains(precision) && scale <= *precision => {
                TypeKind::Decimal { precision: *precision, scale }
            }
            _ => return Err(no_counterpart(arrow)),
        },
        ArrowType::Date32 => TypeKind::Date,
        ArrowType::Time32(_) | ArrowType::Time64(_) => TypeKind::Time(0),
        ArrowType::Timestamp(unit, zone) => {
            let precision = match unit {
                TimeUnit::Second => 0,
                TimeUnit::Millisecond => 3,
                TimeUnit::Microsecond => 6,
                TimeUnit::Nanosecond => 9,
            };
            if zone.is_some() { TypeKind::TimestampLtz(precision) } else { TypeKind::Timestamp(precision) }
        }
        ArrowType::List(item)
        | ArrowType::LargeList(item)
        | ArrowType::ListView(item)
        | ArrowType::LargeListView(item) => TypeKind::Array(nested(item)?),
        ArrowType::FixedSizeList(item, length) => match u32::try_from(*length) {
            Ok(length) if length > 0 => TypeKind::Vector(nested(item)?, length),
            _ => return Err(no_counterpart(arrow)),
        },
        ArrowType::Map(entries, _) => match entries.data_type() {
            ArrowType::Struct(fields) if fields.len() == 2 => {
                let key = nested(&fields[0])?;
                TypeKind::Map(Box::new(DataType::not_null(key.kind)), nested(&fields[1])?)
            }
            _ => return Err(no_counterpart(arrow)),
        },
        ArrowType::Struct(fields) if *fields == variant_fields() => TypeKind::Variant,
        ArrowType::Struct(fields) => {
            let fields = fields.iter().map(|field| {
                let mut result = paimon_field(field, 0, next_id)?;
                result.id = take_id(next_id);
                Ok(result)
            });
            TypeKind::Row(fields.collect::<Result<_>>()?)
        }
        ArrowType::Dictionary(_, values) => paimon_kind(values, next_id)?,
        _ => return Err(no_counterpart(arrow)),
    })
}

fn no_counterpart(arrow: &ArrowType) -> Error {
    // The wording is pypaimon's, which callers match on.
    Error::invalid(format!("Unsupported pyarrow type: {}", pyarrow_name(arrow)))
}

/// The name that pyarrow prints for a type, as far as types without a counterpart go.
fn pyarrow_name(arrow: &ArrowType) -> String {
    let unit_name = |unit: &TimeUnit| match unit {
        TimeUnit::Second => "s",
        TimeUnit::Millisecond => "ms",
        TimeUnit::Microsecond => "us",
        TimeUnit::Nanosecond => "ns",
    };
    match arrow {
        ArrowType::UInt8 => "uint8".to_owned(),
        ArrowType::UInt16 => "uint16".to_owned(),
        ArrowType::UInt32 => "uint32".to_owned(),
        ArrowType::UInt64 => "uint64".to_owned(),
        ArrowType::Float16 => "halffloat".to_owned(),
        ArrowType::Date64 => "date64[ms]".to_owned(),
        ArrowType::Null => "null".to_owned(),
        ArrowType::Duration(unit) => format!("duration[{}]", unit_name(unit)),
        ArrowType::Interval(_) => "month_day_nano_interval".to_owned(),
        ArrowType::FixedSizeBinary(length) => format!("fixed_size_binary[{length}]"),
        ArrowType::Decimal32(p, s) => format!("decimal32({p}, {s})"),
        ArrowType::Decimal64(p, s) => format!("decimal64({p}, {s})"),
        ArrowType::Decimal128(p, s) => format!("decimal128({p}, {s})"),
        ArrowType::Decimal256(p, s) => format!("decimal256({p}, {s})"),
        other => other.to_string(),
    }
}
