//! The first schema of a table: options that are keys, nullability of keys, field ids.

use std::collections::HashSet;

use super::{SYSTEM_FIELD_ID_START, Schema, TableSchema, apply_directive, validate};
use crate::data_type::check_names;
use crate::{DataField, DataType, Error, FieldId, Result, TableOptions, TypeKind, check_option};

impl TableSchema {
    /// Schema 0 of a new table: validates, numbers fields, folds `primary-key` / `partition` options into the keys, and
    /// makes primary key columns NOT NULL (nullable with `primary-key.nullable`). A comment `__BLOB_FIELD`,
    /// `__BLOB_DESCRIPTOR_FIELD` or `__BLOB_VIEW_FIELD`, alone or followed by `;` and a comment, makes a BLOB column of a
    /// column of bytes.
    ///
    /// # Errors
    /// `InvalidInput` when the columns, keys or options break a rule; `Unsupported` for types that keys cannot have and
    /// for comments that order vectors.
    pub fn create(schema: Schema, time_millis: i64) -> Result<Self> {
        let mut schema = normalize(schema)?;
        for field in &mut schema.fields {
            apply_directive(&field.name, &mut field.data_type, &mut field.description, &mut schema.options)?;
        }
        let mut highest_field_id = -1;
        for field in &mut schema.fields {
            // At the top a column takes its id before its parts.
            field.id = next_id(&mut highest_field_id)?;
            renumber(&mut field.data_type, &mut highest_field_id)?;
        }
        let table = Self {
            id: 0,
            fields: schema.fields,
            highest_field_id,
            partition_keys: schema.partition_keys,
            primary_keys: schema.primary_keys,
            options: schema.options,
            comment: schema.comment,
            time_millis,
        };
        for (key, value) in &table.options {
            check_option(key, value)?;
        }
        validate(&table)?;
        Ok(table)
    }
}

/// Folds options into keys and keys into columns (Java `Schema`): columns are checked as far as that needs it.
pub(crate) fn normalize(mut schema: Schema) -> Result<Schema> {
    schema.partition_keys = fold_keys(&mut schema, "partition", |schema| &schema.partition_keys)?;
    schema.primary_keys = fold_keys(&mut schema, "primary-key", |schema| &schema.primary_keys)?;
    check_names(&schema.fields)?;
    check_keys(&schema.fields, &schema.partition_keys, "partition")?;
    check_keys(&schema.fields, &schema.primary_keys, "primary")?;
    let nullable = TableOptions::new(&schema.options).boolean("primary-key.nullable", false)?;
    for field in &mut schema.fields {
        if schema.primary_keys.contains(&field.name) {
            field.data_type.nullable = nullable;
        }
    }
    Ok(schema)
}

/// The keys, taken from the option when it is set.
fn fold_keys(schema: &mut Schema, option: &str, keys: fn(&Schema) -> &Vec<String>) -> Result<Vec<String>> {
    let Some(text) = schema.options.remove(option) else {
        return Ok(keys(schema).clone());
    };
    if !keys(schema).is_empty() {
        return Err(Error::invalid(format!("the option '{option}' must not be set when the schema has such keys")));
    }
    Ok(split_keys(&text))
}

/// Names between commas, trimmed.
pub(crate) fn split_keys(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|key| !key.is_empty()).map(str::to_owned).collect()
}

fn check_keys(fields: &[DataField], keys: &[String], what: &str) -> Result<()> {
    let mut seen = HashSet::new();
    for key in keys {
        if !seen.insert(key) {
            return Err(Error::invalid(format!("{what} keys must be unique, found '{key}' twice")));
        }
        if fields.iter().all(|field| field.name != *key) {
            return Err(Error::invalid(format!("expected a column for the {what} key '{key}', found none")));
        }
    }
    Ok(())
}

/// Gives the fields of rows within `data_type` new ids; a field takes its id after the fields within it (Java
/// `ReassignFieldId`).
pub(crate) fn renumber(data_type: &mut DataType, highest: &mut FieldId) -> Result<()> {
    match &mut data_type.kind {
        TypeKind::Array(element) | TypeKind::Multiset(element) | TypeKind::Vector(element, _) => {
            renumber(element, highest)
        }
        TypeKind::Map(key, value) => {
            renumber(key, highest)?;
            renumber(value, highest)
        }
        TypeKind::Row(fields) => fields.iter_mut().try_for_each(|field| {
            renumber(&mut field.data_type, highest)?;
            field.id = next_id(highest)?;
            Ok(())
        }),
        _ => Ok(()),
    }
}

/// The id after `highest`, which becomes the highest.
pub(crate) fn next_id(highest: &mut FieldId) -> Result<FieldId> {
    let next = highest.checked_add(1).filter(|id| *id < SYSTEM_FIELD_ID_START);
    *highest = next.ok_or_else(|| Error::invalid("expected a free field id, found all in use"))?;
    Ok(*highest)
}
