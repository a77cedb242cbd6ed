//! Paimon's types as Avro's: the schema that Java's `AvroSchemaConverter` gives a file.

use paimon_spec::{DataField, DataType, Error, Result, TypeKind};

/// Name of the record of a row.
const ROW: &str = "org.apache.paimon.avro.generated.record";

/// The Avro schema of a data file with `fields`, as JSON.
///
/// # Errors
/// `Unsupported` for columns that Avro files cannot hold; `InvalidInput` for names that Avro does not allow.
pub(super) fn avro_schema(fields: &[DataField]) -> Result<String> {
    record(ROW, fields)
}

fn record(name: &str, fields: &[DataField]) -> Result<String> {
    let fields = fields.iter().map(|field| {
        let named = |e: Error| e.with_context("column", &field.name);
        check_name(&field.name).map_err(named)?;
        let inner = avro_type(&format!("{name}_{}", field.name), &field.data_type).map_err(named)?;
        let default = if field.data_type.nullable { r#","default":null"# } else { "" };
        Ok(format!(r#"{{"name":"{}","type":{inner}{default}}}"#, field.name))
    });
    let fields = fields.collect::<Result<Vec<_>>>()?.join(",");
    let (namespace, name) = name.rsplit_once('.').unwrap_or(("", name));
    Ok(format!(r#"{{"type":"record","name":"{name}","namespace":"{namespace}","fields":[{fields}]}}"#))
}

fn check_name(name: &str) -> Result<()> {
    let mut bytes = name.bytes();
    let first = bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    if first && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        return Ok(());
    }
    Err(Error::invalid("Avro allows only letters, digits and underscores in column names"))
}

/// `name` is that of the record that a row of the type becomes.
fn avro_type(name: &str, data_type: &DataType) -> Result<String> {
    let logical = |physical: &str, logical: &str| format!(r#"{{"type":"{physical}","logicalType":"{logical}"}}"#);
    let inner = match &data_type.kind {
        TypeKind::Boolean => r#""boolean""#.to_owned(),
        TypeKind::TinyInt | TypeKind::SmallInt | TypeKind::Int => r#""int""#.to_owned(),
        TypeKind::BigInt => r#""long""#.to_owned(),
        TypeKind::Float => r#""float""#.to_owned(),
        TypeKind::Double => r#""double""#.to_owned(),
        TypeKind::Char(_) | TypeKind::VarChar(_) => r#""string""#.to_owned(),
        TypeKind::Binary(_) | TypeKind::VarBinary(_) | TypeKind::Blob => r#""bytes""#.to_owned(),
        TypeKind::Decimal { precision, scale } => {
            format!(r#"{{"type":"bytes","logicalType":"decimal","precision":{precision},"scale":{scale}}}"#)
        }
        TypeKind::Date => logical("int", "date"),
        TypeKind::Time(0..=3) => logical("int", "time-millis"),
        // The format has these two the other way round than Avro means them.
        TypeKind::Timestamp(0..=3) => logical("long", "timestamp-millis"),
        TypeKind::Timestamp(4..=6) => logical("long", "timestamp-micros"),
        TypeKind::TimestampLtz(0..=3) => logical("long", "local-timestamp-millis"),
        TypeKind::TimestampLtz(4..=6) => logical("long", "local-timestamp-micros"),
        TypeKind::Array(element) | TypeKind::Vector(element, _) => {
            format!(r#"{{"type":"array","items":{}}}"#, avro_type(name, element)?)
        }
        TypeKind::Map(key, value) => map(name, key, value)?,
        TypeKind::Multiset(element) => map(name, element, &DataType::not_null(TypeKind::Int))?,
        TypeKind::Row(fields) => record(name, fields)?,
        other => return Err(Error::unsupported(format!("{other:?} in Avro files is not supported"))),
    };
    Ok(if data_type.nullable { format!(r#"["null",{inner}]"#) } else { inner })
}

fn map(name: &str, key: &DataType, value: &DataType) -> Result<String> {
    if has_text_keys(key) {
        return Ok(format!(r#"{{"type":"map","values":{}}}"#, avro_type(name, value)?));
    }
    let (namespace, short) = name.rsplit_once('.').unwrap_or(("", name));
    let key = avro_type(&format!("{name}_key"), key)?;
    let default = if value.nullable { r#","default":null"# } else { "" };
    let value = avro_type(&format!("{name}_value"), value)?;
    Ok(format!(
        r#"{{"type":"array","items":{{"type":"record","name":"{short}","namespace":"{namespace}","fields":[{{"name":"key","type":{key}}},{{"name":"value","type":{value}{default}}}]}},"logicalType":"map"}}"#
    ))
}

/// Whether maps of such keys are Avro's maps; others are lists of pairs.
pub(super) fn has_text_keys(key: &DataType) -> bool {
    matches!(key.kind, TypeKind::Char(_) | TypeKind::VarChar(_))
}
