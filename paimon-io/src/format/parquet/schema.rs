//! Paimon's types as Parquet's: the layout that Java's `ParquetSchemaConverter` gives a file.

use std::sync::Arc;

use paimon_spec::{DataField, DataType, Error, FieldId, Result, TypeKind};
use parquet::{
    basic::{LogicalType, Repetition, TimeUnit, Type as Physical},
    errors::ParquetError,
    schema::types::{SchemaDescriptor, Type, TypePtr},
};

/// Base of the ids of list elements and map entries, Java `SpecialFields.STRUCTURED_TYPE_FIELD_ID_BASE`.
const ENTRY_ID_BASE: i32 = 536_870_911;

/// How many levels of nesting one field's entry ids have room for.
const ENTRY_ID_DEPTH: i32 = 1 << 10;

/// The Parquet schema of a data file with `fields`.
pub(super) fn parquet_schema(fields: &[DataField]) -> Result<SchemaDescriptor> {
    let columns = fields.iter().map(column).collect::<Result<Vec<_>>>()?;
    let root = Type::group_type_builder("paimon_schema").with_fields(columns).build().map_err(invalid)?;
    Ok(SchemaDescriptor::new(Arc::new(root)))
}

fn column(field: &DataField) -> Result<TypePtr> {
    node(&field.name, &field.data_type, field.id, Nesting { field: field.id, depth: 0 })
        .map_err(|e| e.with_context("column", &field.name))
}

/// Which field a list or map belongs to, and how deep in it.
#[derive(Clone, Copy)]
struct Nesting {
    field: FieldId,
    depth: i32,
}

impl Nesting {
    fn deeper(self) -> Self {
        Self { depth: self.depth + 1, ..self }
    }

    /// Id of a list element or a map value.
    fn value_id(self) -> i32 {
        ENTRY_ID_BASE.wrapping_add(ENTRY_ID_DEPTH.wrapping_mul(self.field)).wrapping_add(self.depth)
    }

    /// Id of a map key.
    fn key_id(self) -> i32 {
        ENTRY_ID_BASE.wrapping_sub(ENTRY_ID_DEPTH.wrapping_mul(self.field)).wrapping_sub(self.depth)
    }
}

fn node(name: &str, data_type: &DataType, id: i32, nesting: Nesting) -> Result<TypePtr> {
    let repetition = if data_type.nullable { Repetition::OPTIONAL } else { Repetition::REQUIRED };
    let (physical, logical) = match &data_type.kind {
        TypeKind::Char(_) | TypeKind::VarChar(_) => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        TypeKind::Boolean => (Physical::BOOLEAN, None),
        TypeKind::Binary(_) | TypeKind::VarBinary(_) | TypeKind::Blob => (Physical::BYTE_ARRAY, None),
        TypeKind::Decimal { precision, scale } => {
            return decimal(name, *precision, *scale, repetition, id);
        }
        TypeKind::TinyInt => (Physical::INT32, Some(LogicalType::integer(8, true))),
        TypeKind::SmallInt => (Physical::INT32, Some(LogicalType::integer(16, true))),
        TypeKind::Int => (Physical::INT32, None),
        TypeKind::BigInt => (Physical::INT64, None),
        TypeKind::Float => (Physical::FLOAT, None),
        TypeKind::Double => (Physical::DOUBLE, None),
        TypeKind::Date => (Physical::INT32, Some(LogicalType::Date)),
        TypeKind::Time(_) => (Physical::INT32, Some(LogicalType::time(true, TimeUnit::MILLIS))),
        TypeKind::Timestamp(precision) => (Physical::INT64, Some(LogicalType::timestamp(false, unit(*precision)))),
        TypeKind::TimestampLtz(precision) => (Physical::INT64, Some(LogicalType::timestamp(true, unit(*precision)))),
        TypeKind::Array(element) | TypeKind::Vector(element, _) => {
            let inner = nesting.deeper();
            let element = node("element", element, inner.value_id(), inner)?;
            return group(name, repetition, id, Some(LogicalType::List), vec![repeated("list", vec![element])?]);
        }
        TypeKind::Map(key, value) => return map(name, key, value, repetition, id, nesting.deeper()),
        TypeKind::Multiset(element) => {
            return map(name, element, &DataType::not_null(TypeKind::Int), repetition, id, nesting.deeper());
        }
        TypeKind::Row(fields) => {
            let fields = fields.iter().map(column).collect::<Result<Vec<_>>>()?;
            return group(name, repetition, id, None, fields);
        }
        TypeKind::Variant => {
            let part = |name, id| leaf(name, Physical::BYTE_ARRAY, None, Repetition::REQUIRED, id);
            return group(name, repetition, id, None, vec![part("value", 0)?, part("metadata", 1)?]);
        }
        other => return Err(Error::unsupported(format!("{other:?} in Parquet files is not supported yet"))),
    };
    leaf(name, physical, logical, repetition, id)
}

/// Units as Java has them, but for more than six digits: Java writes those as INT96, which the format deprecates.
fn unit(precision: u8) -> TimeUnit {
    match precision {
        0..=3 => TimeUnit::MILLIS,
        4..=6 => TimeUnit::MICROS,
        _ => TimeUnit::NANOS,
    }
}

fn leaf(
    name: &str,
    physical: Physical,
    logical: Option<LogicalType>,
    repetition: Repetition,
    id: i32,
) -> Result<TypePtr> {
    let builder = Type::primitive_type_builder(name, physical)
        .with_logical_type(logical)
        .with_repetition(repetition)
        .with_id(Some(id));
    Ok(Arc::new(builder.build().map_err(invalid)?))
}

/// Small decimals as integers: what Java readers take, and the smallest form.
fn decimal(name: &str, precision: u8, scale: u8, repetition: Repetition, id: i32) -> Result<TypePtr> {
    let (physical, length) = match precision {
        0..=9 => (Physical::INT32, -1),
        10..=18 => (Physical::INT64, -1),
        _ => (Physical::FIXED_LEN_BYTE_ARRAY, decimal_bytes(precision)),
    };
    let builder = Type::primitive_type_builder(name, physical)
        .with_logical_type(Some(LogicalType::decimal(i32::from(scale), i32::from(precision))))
        .with_precision(i32::from(precision))
        .with_scale(i32::from(scale))
        .with_length(length)
        .with_repetition(repetition)
        .with_id(Some(id));
    Ok(Arc::new(builder.build().map_err(invalid)?))
}

/// The fewest bytes that hold every number of `precision` digits with its sign.
fn decimal_bytes(precision: u8) -> i32 {
    let largest = 10u128.saturating_pow(u32::from(precision)) - 1;
    let bits = u128::BITS - largest.leading_zeros() + 1;
    bits.div_ceil(8) as i32
}

fn group(
    name: &str,
    repetition: Repetition,
    id: i32,
    logical: Option<LogicalType>,
    fields: Vec<TypePtr>,
) -> Result<TypePtr> {
    let builder = Type::group_type_builder(name)
        .with_repetition(repetition)
        .with_logical_type(logical)
        .with_fields(fields)
        .with_id(Some(id));
    Ok(Arc::new(builder.build().map_err(invalid)?))
}

fn repeated(name: &str, fields: Vec<TypePtr>) -> Result<TypePtr> {
    let builder = Type::group_type_builder(name).with_repetition(Repetition::REPEATED).with_fields(fields);
    Ok(Arc::new(builder.build().map_err(invalid)?))
}

fn map(
    name: &str,
    key: &DataType,
    value: &DataType,
    repetition: Repetition,
    id: i32,
    nesting: Nesting,
) -> Result<TypePtr> {
    // Parquet has no NULL among keys.
    let key = DataType { nullable: false, ..key.clone() };
    let key = node("key", &key, nesting.key_id(), nesting)?;
    let value = node("value", value, nesting.value_id(), nesting)?;
    group(name, repetition, id, Some(LogicalType::Map), vec![repeated("key_value", vec![key, value])?])
}

fn invalid(error: ParquetError) -> Error {
    Error::invalid("columns cannot be written as Parquet").with_source(error)
}

#[cfg(test)]
mod tests {
    use parquet::schema::printer::print_schema;

    use super::*;

    #[test]
    fn the_layout_is_javas() {
        let nullable = DataType::nullable;
        let text = || nullable(TypeKind::VarChar(DataType::MAX_LENGTH));
        let decimal = |precision| nullable(TypeKind::Decimal { precision, scale: 2 });
        let map =
            TypeKind::Map(Box::new(text()), Box::new(nullable(TypeKind::Array(Box::new(nullable(TypeKind::Int))))));
        let fields = vec![
            DataField::new(0, "id", DataType::not_null(TypeKind::BigInt)),
            DataField::new(1, "tiny", nullable(TypeKind::TinyInt)),
            DataField::new(2, "small", decimal(9)),
            DataField::new(3, "medium", decimal(18)),
            DataField::new(4, "large", decimal(20)),
            DataField::new(5, "local", nullable(TypeKind::TimestampLtz(3))),
            DataField::new(6, "instant", nullable(TypeKind::Timestamp(6))),
            DataField::new(7, "time", nullable(TypeKind::Time(3))),
            DataField::new(8, "m", nullable(map)),
            DataField::new(9, "r", nullable(TypeKind::Row(vec![DataField::new(10, "x", text())]))),
        ];
        let mut printed = Vec::new();
        print_schema(&mut printed, parquet_schema(&fields).unwrap().root_schema());
        let expected = "\
message paimon_schema {
  REQUIRED INT64 id [0];
  OPTIONAL INT32 tiny [1] (INTEGER(8,true));
  OPTIONAL INT32 small [2] (DECIMAL(9,2));
  OPTIONAL INT64 medium [3] (DECIMAL(18,2));
  OPTIONAL FIXED_LEN_BYTE_ARRAY (9) large [4] (DECIMAL(20,2));
  OPTIONAL INT64 local [5] (TIMESTAMP(MILLIS,true));
  OPTIONAL INT64 instant [6] (TIMESTAMP(MICROS,false));
  OPTIONAL INT32 time [7] (TIME(MILLIS,true));
  OPTIONAL group m [8] (MAP) {
    REPEATED group key_value {
      REQUIRED BYTE_ARRAY key [536862718] (STRING);
      OPTIONAL group value [536879104] (LIST) {
        REPEATED group list {
          OPTIONAL INT32 element [536879105];
        }
      }
    }
  }
  OPTIONAL group r [9] {
    OPTIONAL BYTE_ARRAY x [10] (STRING);
  }
}
";
        assert_eq!(String::from_utf8(printed).unwrap(), expected);
    }
}
