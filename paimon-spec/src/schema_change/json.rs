//! The JSON of schema changes in the REST protocol (Java `SchemaChange`).

use serde_json::{Map, Value};

use super::{ColumnMove, SchemaChange};
use crate::data_type::data_type_from_json;
use crate::{Error, Result};

impl SchemaChange {
    /// Parses a JSON array of changes, or one change. Each is an object with `action` and the action's own keys, such as
    /// `{"action": "addColumn", "fieldNames": ["a"], "dataType": "INT"}`.
    ///
    /// # Errors
    /// `InvalidInput`.
    pub fn from_json(json: &str) -> Result<Vec<Self>> {
        let value: Value = serde_json::from_str(json)
            .map_err(|error| Error::invalid(format!("expected schema changes as JSON, found: {error}")))?;
        match &value {
            Value::Array(changes) => changes.iter().map(read_change).collect(),
            change => Ok(vec![read_change(change)?]),
        }
    }
}

fn read_change(value: &Value) -> Result<SchemaChange> {
    let object = value.as_object().ok_or_else(|| Error::invalid("expected a schema change as a JSON object"))?;
    let action = text(object, "action")?;
    let change = match action.as_str() {
        "setOption" => SchemaChange::SetOption { key: text(object, "key")?, value: text(object, "value")? },
        "removeOption" => SchemaChange::RemoveOption { key: text(object, "key")? },
        "updateComment" => SchemaChange::UpdateComment { comment: optional_text(object, "comment")? },
        "addColumn" => SchemaChange::AddColumn {
            path: path(object)?,
            data_type: data_type(object, "dataType")?,
            description: optional_text(object, "comment")?,
            position: match object.get("move") {
                None | Some(Value::Null) => None,
                Some(position) => Some(read_move(position)?.1),
            },
        },
        "renameColumn" => SchemaChange::RenameColumn { path: path(object)?, new_name: text(object, "newName")? },
        "dropColumn" => SchemaChange::DropColumn { path: path(object)? },
        "updateColumnType" => SchemaChange::UpdateColumnType {
            path: path(object)?,
            data_type: data_type(object, "newDataType")?,
            keep_nullability: match object.get("keepNullability") {
                None => false,
                Some(_) => boolean(object, "keepNullability")?,
            },
        },
        "updateColumnNullability" => {
            SchemaChange::UpdateColumnNullability { path: path(object)?, nullable: boolean(object, "newNullability")? }
        }
        "updateColumnComment" => {
            SchemaChange::UpdateColumnComment { path: path(object)?, comment: optional_text(object, "newComment")? }
        }
        "updateColumnDefaultValue" => SchemaChange::UpdateColumnDefaultValue {
            path: path(object)?,
            default_value: optional_text(object, "newDefaultValue")?,
        },
        "updateColumnPosition" => {
            let position = object.get("move").unwrap_or(&Value::Null);
            let (column, position) = read_move(position)?;
            SchemaChange::UpdateColumnPosition { column, position }
        }
        "dropPrimaryKey" => SchemaChange::DropPrimaryKey,
        _ => return Err(Error::invalid(format!("expected a schema change as 'action', found '{action}'"))),
    };
    Ok(change)
}

/// `{"fieldName", "referenceFieldName", "type"}`
fn read_move(value: &Value) -> Result<(String, ColumnMove)> {
    let object = value.as_object().ok_or_else(|| Error::invalid("expected a JSON object in 'move'"))?;
    let reference = || text(object, "referenceFieldName");
    let kind = text(object, "type")?;
    let position = match kind.to_ascii_uppercase().as_str() {
        "FIRST" => ColumnMove::First,
        "AFTER" => ColumnMove::After(reference()?),
        "BEFORE" => ColumnMove::Before(reference()?),
        "LAST" => ColumnMove::Last,
        _ => return Err(Error::invalid(format!("expected FIRST, AFTER, BEFORE or LAST in 'move', found '{kind}'"))),
    };
    Ok((text(object, "fieldName")?, position))
}

fn path(object: &Map<String, Value>) -> Result<Vec<String>> {
    let names = object.get("fieldNames").and_then(Value::as_array).filter(|names| !names.is_empty());
    let names = names.and_then(|names| names.iter().map(|name| name.as_str().map(str::to_owned)).collect());
    names.ok_or_else(|| Error::invalid("expected an array of names in 'fieldNames'"))
}

fn data_type(object: &Map<String, Value>, key: &str) -> Result<crate::DataType> {
    let value = object.get(key).ok_or_else(|| Error::invalid(format!("expected a type in '{key}', found none")))?;
    data_type_from_json(value)
}

fn text(object: &Map<String, Value>, key: &str) -> Result<String> {
    optional_text(object, key)?.ok_or_else(|| Error::invalid(format!("expected a text in '{key}', found none")))
}

fn optional_text(object: &Map<String, Value>, key: &str) -> Result<Option<String>> {
    match object.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(value) => Err(Error::invalid(format!("expected a text in '{key}', found {value}"))),
    }
}

fn boolean(object: &Map<String, Value>, key: &str) -> Result<bool> {
    let value = object.get(key).and_then(Value::as_bool);
    value.ok_or_else(|| Error::invalid(format!("expected true or false in '{key}'")))
}
