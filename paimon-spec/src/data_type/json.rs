//! The JSON spelling of types and fields in schema files (Java `DataTypeJsonParser`, `DataField.serializeJson`).

use serde_json::{Map, Value, json};

use super::{DataField, DataType, FieldId, TypeKind, nesting_error};
use crate::{Error, Result};

/// The JSON array of fields that schema files and the REST protocol use.
pub fn fields_to_json(fields: &[DataField]) -> String {
    fields_to_value(fields).to_string()
}

/// Parses a JSON array of fields. Fields without `id` are numbered as [`crate::TableSchema::create`] numbers them; either
/// all fields have an id or none.
///
/// # Errors
/// `InvalidInput` when the text is no such array.
pub fn fields_from_json(json: &str) -> Result<Vec<DataField>> {
    let value: Value = serde_json::from_str(json)
        .map_err(|error| Error::invalid("expected a JSON array of fields").with_source(error))?;
    fields_from_value(&value)
}

pub(crate) fn fields_to_value(fields: &[DataField]) -> Value {
    Value::Array(fields.iter().map(field_to_json).collect())
}

/// Errors are `InvalidInput`; readers of stored bytes turn them into `CorruptData`.
pub(crate) fn fields_from_value(value: &Value) -> Result<Vec<DataField>> {
    let mut ids = Ids::default();
    let fields = read_fields(value, &mut ids, 0)?;
    for field in &fields {
        field.data_type.validate().map_err(|error| error.with_context("column", &field.name))?;
    }
    super::check_names(&fields)?;
    Ok(fields)
}

/// A type alone, as in a schema change.
pub(crate) fn data_type_from_json(value: &Value) -> Result<DataType> {
    let data_type = read_type(value, &mut Ids::default(), 1)?;
    data_type.validate()?;
    Ok(data_type)
}

fn field_to_json(field: &DataField) -> Value {
    let mut object = Map::new();
    object.insert("id".into(), field.id.into());
    object.insert("name".into(), field.name.clone().into());
    object.insert("type".into(), type_to_json(&field.data_type));
    if let Some(description) = &field.description {
        object.insert("description".into(), description.clone().into());
    }
    if let Some(default_value) = &field.default_value {
        object.insert("defaultValue".into(), default_value.clone().into());
    }
    Value::Object(object)
}

fn type_to_json(data_type: &DataType) -> Value {
    let name = |name: &str| if data_type.nullable { name.to_owned() } else { format!("{name} NOT NULL") };
    match &data_type.kind {
        TypeKind::Array(element) => json!({"type": name("ARRAY"), "element": type_to_json(element)}),
        TypeKind::Multiset(element) => json!({"type": name("MULTISET"), "element": type_to_json(element)}),
        TypeKind::Vector(element, length) => {
            json!({"type": name("VECTOR"), "element": type_to_json(element), "length": length})
        }
        TypeKind::Map(key, value) => {
            json!({"type": name("MAP"), "key": type_to_json(key), "value": type_to_json(value)})
        }
        TypeKind::Row(fields) => json!({"type": name("ROW"), "fields": fields_to_value(fields)}),
        _ => Value::String(data_type.to_string()),
    }
}

/// Numbers fields that have no id.
#[derive(Default)]
struct Ids {
    next: FieldId,
    explicit: bool,
}

fn read_fields(value: &Value, ids: &mut Ids, depth: usize) -> Result<Vec<DataField>> {
    let fields = value.as_array().ok_or_else(|| unexpected("an array of fields", value))?;
    fields.iter().map(|field| read_field(field, ids, depth)).collect()
}

fn read_field(value: &Value, ids: &mut Ids, depth: usize) -> Result<DataField> {
    let object = value.as_object().ok_or_else(|| unexpected("a field as a JSON object", value))?;
    let name = object.get("name").and_then(Value::as_str).ok_or_else(|| unexpected("a field with a name", value))?;
    let in_field = |error: Error| error.with_context("column", name);
    let id = match object.get("id") {
        Some(id) => {
            if ids.next > 0 {
                return Err(in_field(Error::invalid("either all fields have an id or none, found an id after none")));
            }
            ids.explicit = true;
            Some(read_id(id).map_err(in_field)?)
        }
        None if ids.explicit => {
            return Err(in_field(Error::invalid("either all fields have an id or none, found a field without")));
        }
        None => None,
    };
    // At the top a column takes its id before its parts; below, after them.
    let take_id = |ids: &mut Ids| {
        ids.next += 1;
        ids.next - 1
    };
    let early = if depth == 0 { id.or_else(|| Some(take_id(ids))) } else { id };
    let data_type = object.get("type").ok_or_else(|| in_field(Error::invalid("expected a type, found none")))?;
    let data_type = read_type(data_type, ids, depth + 1).map_err(in_field)?;
    let id = early.unwrap_or_else(|| take_id(ids));
    let text = |key: &str| object.get(key).filter(|value| !value.is_null()).map(scalar_text).transpose();
    Ok(DataField {
        id,
        name: name.to_owned(),
        data_type,
        description: text("description")?,
        default_value: text("defaultValue")?,
    })
}

fn read_id(value: &Value) -> Result<FieldId> {
    let id = value.as_i64().and_then(|id| FieldId::try_from(id).ok()).filter(|id| *id >= 0);
    id.ok_or_else(|| unexpected("a field id", value))
}

/// Texts, and numbers and booleans as text (Java `JsonNode.asText`).
fn scalar_text(value: &Value) -> Result<String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(_) | Value::Bool(_) => Ok(value.to_string()),
        _ => Err(unexpected("a text", value)),
    }
}

fn read_type(value: &Value, ids: &mut Ids, depth: usize) -> Result<DataType> {
    if depth > DataType::MAX_NESTING {
        return Err(nesting_error());
    }
    let object = match value {
        Value::String(text) => return DataType::parse(text),
        Value::Object(object) => object,
        _ => return Err(unexpected("a type", value)),
    };
    let name = object.get("type").and_then(Value::as_str).ok_or_else(|| unexpected("a type with a name", value))?;
    let mut part = |key: &str| match object.get(key) {
        Some(part) => read_type(part, ids, depth + 1).map(Box::new),
        None => Err(Error::invalid(format!("expected '{key}' in a type of name '{name}'"))),
    };
    // Java looks at the start of the name alone.
    let kind = if name.starts_with("ARRAY") {
        TypeKind::Array(part("element")?)
    } else if name.starts_with("VECTOR") {
        let length = object.get("length").and_then(Value::as_u64).and_then(|length| u32::try_from(length).ok());
        let length = length.ok_or_else(|| Error::invalid("expected the length of VECTOR as a 32-bit number"))?;
        TypeKind::Vector(part("element")?, length)
    } else if name.starts_with("MULTISET") {
        TypeKind::Multiset(part("element")?)
    } else if name.starts_with("MAP") {
        let key = part("key")?;
        TypeKind::Map(key, part("value")?)
    } else if name.starts_with("ROW") {
        let fields = object.get("fields").ok_or_else(|| Error::invalid("expected 'fields' in a type of name 'ROW'"))?;
        TypeKind::Row(read_fields(fields, ids, depth)?)
    } else {
        return Err(Error::invalid(format!("expected ARRAY, MAP, MULTISET, ROW or VECTOR, found '{name}'")));
    };
    Ok(DataType { kind, nullable: !name.contains("NOT NULL") })
}

/// `found` is cut, it may be large.
fn unexpected(wanted: &str, found: &Value) -> Error {
    let mut found = found.to_string();
    if let Some((cut, _)) = found.char_indices().nth(100) {
        found.truncate(cut);
        found.push_str("..");
    }
    Error::invalid(format!("expected {wanted}, found {found}"))
}
