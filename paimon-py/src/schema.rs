//! Schemas and their changes, between the JSON that Python passes and the crates' types.

use std::collections::BTreeMap;

use arrow::datatypes::SchemaRef;
use paimon_io::{arrow_schema, paimon_fields};
use paimon_spec::{ColumnMove, DataField, DataType, Error, Result, Schema, SchemaChange, TableSchema};
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use pyo3_arrow::PySchema;
use pyo3_arrow::ffi::to_schema_pycapsule;
use serde_json::{Map, Value, json};

use crate::errors::OrRaise;

/// An Arrow schema, for any library that speaks the Arrow C data interface.
#[pyclass(frozen, module = "pypaimon._native")]
pub(crate) struct NativeSchema(pub(crate) SchemaRef);

#[pymethods]
impl NativeSchema {
    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        Ok(to_schema_pycapsule(py, self.0.as_ref())?)
    }
}

/// The fields of an Arrow schema, as the JSON list of a schema file.
#[pyfunction]
#[pyo3(signature = (schema))]
pub(crate) fn fields_from_arrow(py: Python<'_>, schema: PySchema) -> PyResult<String> {
    let fields = paimon_fields(schema.as_ref()).or_raise(py)?;
    fields_json(fields).or_raise(py)
}

/// The Arrow schema that reads give for the fields of a schema file's JSON list.
#[pyfunction]
#[pyo3(signature = (fields_json))]
pub(crate) fn fields_to_arrow(py: Python<'_>, fields_json: &str) -> PyResult<NativeSchema> {
    let fields =
        parse(fields_json.as_bytes()).and_then(|fields: Value| parse_schema(&json!({ "fields": fields }).to_string()));
    let schema = fields.and_then(|schema| arrow_schema(&schema.fields)).or_raise(py)?;
    Ok(NativeSchema(schema))
}

fn fields_json(fields: Vec<DataField>) -> Result<String> {
    let schema = TableSchema {
        id: 0,
        highest_field_id: -1,
        fields,
        partition_keys: Vec::new(),
        primary_keys: Vec::new(),
        options: BTreeMap::new(),
        comment: None,
        time_millis: 0,
    };
    let document: Value = parse(&schema.to_json()?)?;
    Ok(document.get("fields").unwrap_or(&Value::Null).to_string())
}

/// A schema file's text.
pub(crate) fn schema_text(schema: &TableSchema) -> Result<String> {
    String::from_utf8(schema.to_json()?).map_err(|error| Error::internal("paimon-spec", error))
}

/// What a user asks for when creating a table: `fields`, `partitionKeys`, `primaryKeys`, `options`, `comment`.
pub(crate) fn parse_schema(json: &str) -> Result<Schema> {
    let mut document: Value = parse(json.as_bytes())?;
    let fields = document.get("fields").cloned().unwrap_or_else(|| json!([]));
    let wanted = object(&mut document)?;
    let get = |key: &str, default: Value| wanted.get(key).filter(|value| !value.is_null()).cloned().unwrap_or(default);
    let file = json!({
        "version": 3, "id": 0, "highestFieldId": highest_id(&fields), "timeMillis": 0, "fields": fields,
        "partitionKeys": get("partitionKeys", json!([])), "primaryKeys": get("primaryKeys", json!([])),
        "options": get("options", json!({})), "comment": get("comment", Value::Null),
    });
    let schema = TableSchema::from_json(file.to_string().as_bytes()).map_err(as_input)?;
    Ok(Schema {
        fields: schema.fields,
        partition_keys: schema.partition_keys,
        primary_keys: schema.primary_keys,
        options: schema.options,
        comment: schema.comment,
    })
}

/// A list of schema changes, each an object with `action` as in Paimon's REST API.
pub(crate) fn parse_changes(json: &str) -> Result<Vec<SchemaChange>> {
    match parse(json.as_bytes())? {
        Value::Array(changes) => changes.into_iter().map(parse_change).collect(),
        other => Err(Error::invalid(format!("expected a list of schema changes, found {other}"))),
    }
}

fn parse_change(mut change: Value) -> Result<SchemaChange> {
    let fields = object(&mut change)?;
    let path = |fields: &Map<String, Value>| match fields.get("fieldNames") {
        Some(Value::Array(names)) if !names.is_empty() => {
            names.iter().map(|name| text(Some(name), "fieldNames")).collect::<Result<Vec<_>>>()
        }
        other => Err(missing("fieldNames", other)),
    };
    let optional = |key: &str| match fields.get(key) {
        None | Some(Value::Null) => Ok(None),
        value => text(value, key).map(Some),
    };
    let required = |key: &str| text(fields.get(key), key);
    let action = required("action")?;
    Ok(match action.as_str() {
        "setOption" => SchemaChange::SetOption { key: required("key")?, value: required("value")? },
        "removeOption" => SchemaChange::RemoveOption { key: required("key")? },
        "updateComment" => SchemaChange::UpdateComment { comment: optional("comment")? },
        "addColumn" => SchemaChange::AddColumn {
            path: path(fields)?,
            data_type: data_type(fields.get("dataType"), "dataType")?,
            description: optional("comment")?,
            position: match fields.get("move") {
                None | Some(Value::Null) => None,
                Some(position) => Some(column_move(position)?.1),
            },
        },
        "renameColumn" => SchemaChange::RenameColumn { path: path(fields)?, new_name: required("newName")? },
        "dropColumn" => SchemaChange::DropColumn { path: path(fields)? },
        "updateColumnType" => SchemaChange::UpdateColumnType {
            path: path(fields)?,
            data_type: data_type(fields.get("newDataType"), "newDataType")?,
            keep_nullability: flag(fields, "keepNullability")?,
        },
        "updateColumnNullability" => {
            SchemaChange::UpdateColumnNullability { path: path(fields)?, nullable: flag(fields, "newNullability")? }
        }
        "updateColumnComment" => {
            SchemaChange::UpdateColumnComment { path: path(fields)?, comment: optional("newComment")? }
        }
        "updateColumnDefaultValue" => {
            SchemaChange::UpdateColumnDefaultValue { path: path(fields)?, default_value: optional("newDefaultValue")? }
        }
        "updateColumnPosition" => {
            let position = fields.get("move").ok_or_else(|| missing("move", None))?;
            let (column, position) = column_move(position)?;
            SchemaChange::UpdateColumnPosition { column, position }
        }
        "dropPrimaryKey" => SchemaChange::DropPrimaryKey,
        other => return Err(Error::unsupported(format!("schema change '{other}' is not supported yet"))),
    })
}

fn column_move(position: &Value) -> Result<(String, ColumnMove)> {
    let column = text(position.get("fieldName"), "fieldName")?;
    let reference = || text(position.get("referenceFieldName"), "referenceFieldName");
    let kind = text(position.get("type"), "type")?;
    Ok((
        column,
        match kind.as_str() {
            "FIRST" => ColumnMove::First,
            "LAST" => ColumnMove::Last,
            "AFTER" => ColumnMove::After(reference()?),
            "BEFORE" => ColumnMove::Before(reference()?),
            other => {
                return Err(Error::invalid(format!("expected a move FIRST, LAST, AFTER or BEFORE, found '{other}'")));
            }
        },
    ))
}

/// A type as a schema file has it: text, or an object for nested types.
fn data_type(json: Option<&Value>, key: &str) -> Result<DataType> {
    let json = json.ok_or_else(|| missing(key, None))?;
    let fields = json!([{ "id": 0, "name": "column", "type": json }]);
    let schema = parse_schema(&json!({ "fields": fields }).to_string())?;
    let field = schema.fields.into_iter().next();
    field.map(|field| field.data_type).ok_or_else(|| missing(key, Some(json)))
}

/// The largest `id` of a field at any depth.
fn highest_id(json: &Value) -> i64 {
    match json {
        Value::Array(items) => items.iter().map(highest_id).max().unwrap_or(-1),
        Value::Object(fields) => {
            let own = fields.get("id").and_then(Value::as_i64).unwrap_or(-1);
            fields.values().map(highest_id).max().unwrap_or(-1).max(own)
        }
        _ => -1,
    }
}

fn parse(json: &[u8]) -> Result<Value> {
    serde_json::from_slice(json).map_err(|error| Error::invalid(format!("expected JSON: {error}")))
}

fn object(json: &mut Value) -> Result<&mut Map<String, Value>> {
    match json {
        Value::Object(fields) => Ok(fields),
        other => Err(Error::invalid(format!("expected a JSON object, found {other}"))),
    }
}

fn text(json: Option<&Value>, key: &str) -> Result<String> {
    json.and_then(Value::as_str).map(str::to_owned).ok_or_else(|| missing(key, json))
}

fn flag(fields: &Map<String, Value>, key: &str) -> Result<bool> {
    fields.get(key).and_then(Value::as_bool).ok_or_else(|| missing(key, fields.get(key)))
}

fn missing(key: &str, found: Option<&Value>) -> Error {
    match found {
        Some(found) => Error::invalid(format!("'{key}' of a schema change or field cannot be {found}")),
        None => Error::invalid(format!("a schema change or field lacks '{key}'")),
    }
}

/// The schema came from a caller, not from a table: what is wrong with it is no corruption.
fn as_input(error: Error) -> Error {
    match error.kind() {
        paimon_spec::ErrorKind::CorruptData => Error::invalid(error.to_string()),
        _ => error,
    }
}
