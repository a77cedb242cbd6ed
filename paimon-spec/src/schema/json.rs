//! The JSON of schema files and of requests to create tables.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Map, Value};

use super::{SYSTEM_FIELD_ID_START, Schema, TableSchema, visit_fields};
use crate::data_type::{fields_from_value, fields_to_value};
use crate::names::check_names;
use crate::unique_keys::UniqueKeys;
use crate::{Error, FieldId, Result};

/// The version of the layout that is written now.
const VERSION: i64 = 3;

/// The keys that a schema may lack.
const KEYS: [&str; 6] = ["version", "highestFieldId", "partitionKeys", "primaryKeys", "options", "timeMillis"];

impl TableSchema {
    /// Decodes `schema-<id>` of any version; unknown keys are ignored.
    ///
    /// The options of old versions get the defaults that held then: one bucket in version 1, ORC files up to version 2.
    ///
    /// # Errors
    /// `CorruptData` when the bytes are no schema, or a schema that breaks the format's rules.
    pub fn from_json(json: &[u8]) -> Result<Self> {
        let UniqueKeys(value) = serde_json::from_slice(json)
            .map_err(|error| Error::corrupt(format!("expected a schema as JSON, found: {error}")))?;
        let Value::Object(object) = value else {
            return Err(Error::corrupt("expected a schema as JSON, found no object"));
        };
        check_names("a schema", KEYS, object.keys().map(String::as_str))?;
        read_table_schema(&object).map_err(Error::into_corrupt)
    }

    /// Encodes `schema-<id>`, keys in Java's order.
    ///
    /// # Errors
    /// None for a valid schema.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        let mut object = Map::new();
        object.insert("version".into(), VERSION.into());
        object.insert("id".into(), self.id.into());
        object.insert("fields".into(), fields_to_value(&self.fields));
        object.insert("highestFieldId".into(), self.highest_field_id.into());
        object.insert("partitionKeys".into(), self.partition_keys.clone().into());
        object.insert("primaryKeys".into(), self.primary_keys.clone().into());
        let options = self.options.iter().map(|(key, value)| (key.clone(), Value::from(value.clone())));
        object.insert("options".into(), Value::Object(options.collect()));
        // Java reads a null here as the text "null".
        if let Some(comment) = &self.comment {
            object.insert("comment".into(), comment.clone().into());
        }
        object.insert("timeMillis".into(), self.time_millis.into());
        serde_json::to_vec_pretty(&object)
            .map_err(|error| Error::internal("paimon-spec", "a schema cannot be written as JSON").with_source(error))
    }
}

impl Schema {
    /// Parses `{"fields", "partitionKeys", "primaryKeys", "options", "comment"}`, as in the REST protocol; all but
    /// `fields` may be absent.
    ///
    /// # Errors
    /// `InvalidInput`.
    pub fn from_json(json: &str) -> Result<Self> {
        let object: Map<String, Value> = serde_json::from_str(json)
            .map_err(|error| Error::invalid(format!("expected a schema as JSON, found: {error}")))?;
        Ok(Self {
            fields: fields_from_value(object.get("fields").unwrap_or(&Value::Null))?,
            partition_keys: read_texts(&object, "partitionKeys")?,
            primary_keys: read_texts(&object, "primaryKeys")?,
            options: read_options(&object)?,
            comment: read_comment(&object)?,
        })
    }
}

fn read_table_schema(object: &Map<String, Value>) -> Result<TableSchema> {
    let version = read_number(object, "version")?.unwrap_or(1);
    let id = read_number(object, "id")?.filter(|id| *id >= 0);
    let id = id.ok_or_else(|| Error::corrupt("expected a schema id from 0 in 'id'"))?;
    let fields = fields_from_value(object.get("fields").unwrap_or(&Value::Null))?;
    let mut options = read_options(object)?;
    if version <= 1 {
        options.entry("bucket".into()).or_insert_with(|| "1".into());
    }
    if version <= 2 {
        options.entry("file.format".into()).or_insert_with(|| "orc".into());
    }
    let partition_keys = read_texts(object, "partitionKeys")?;
    let primary_keys = read_texts(object, "primaryKeys")?;
    for key in partition_keys.iter().chain(&primary_keys) {
        if fields.iter().all(|field| field.name != *key) {
            return Err(Error::corrupt(format!("expected a column for the key '{key}', found none")));
        }
    }
    let stored = read_number(object, "highestFieldId")?.unwrap_or(-1);
    let stored = FieldId::try_from(stored)
        .map_err(|_| Error::corrupt(format!("expected a 32-bit number in 'highestFieldId', found {stored}")))?;
    Ok(TableSchema {
        id,
        // A field id must not be given twice, whatever the file says.
        highest_field_id: highest_field_id(&fields)?.max(stored),
        fields,
        partition_keys,
        primary_keys,
        options,
        comment: read_comment(object)?,
        time_millis: read_number(object, "timeMillis")?.unwrap_or(0),
    })
}

/// The highest id of all fields below those of the system, -1 for none.
fn highest_field_id(fields: &[crate::DataField]) -> Result<FieldId> {
    let mut seen = HashSet::new();
    let mut highest = -1;
    visit_fields(fields, &mut |field| {
        if !seen.insert(field.id) {
            return Err(Error::corrupt(format!("expected field ids to be unique, found {} twice", field.id)));
        }
        if field.id < SYSTEM_FIELD_ID_START {
            highest = highest.max(field.id);
        }
        Ok(())
    })?;
    Ok(highest)
}

fn read_number(object: &Map<String, Value>, key: &str) -> Result<Option<i64>> {
    match object.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_i64() {
            Some(number) => Ok(Some(number)),
            None => Err(Error::invalid(format!("expected a 64-bit number in '{key}', found {value}"))),
        },
    }
}

fn read_texts(object: &Map<String, Value>, key: &str) -> Result<Vec<String>> {
    let malformed = || Error::invalid(format!("expected an array of texts in '{key}'"));
    match object.get(key) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(values)) => {
            values.iter().map(|value| value.as_str().map(str::to_owned).ok_or_else(malformed)).collect()
        }
        Some(_) => Err(malformed()),
    }
}

fn read_options(object: &Map<String, Value>) -> Result<BTreeMap<String, String>> {
    let malformed = || Error::invalid("expected an object of texts in 'options'");
    match object.get("options") {
        None | Some(Value::Null) => Ok(BTreeMap::new()),
        Some(Value::Object(options)) => {
            let text = |(key, value): (&String, &Value)| match value {
                Value::String(text) => Ok((key.clone(), text.clone())),
                Value::Number(_) | Value::Bool(_) => Ok((key.clone(), value.to_string())),
                _ => Err(malformed()),
            };
            options.iter().map(text).collect()
        }
        Some(_) => Err(malformed()),
    }
}

fn read_comment(object: &Map<String, Value>) -> Result<Option<String>> {
    match object.get("comment") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(comment)) => Ok(Some(comment.clone())),
        Some(_) => Err(Error::invalid("expected a text in 'comment'")),
    }
}
