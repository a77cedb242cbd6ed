//! The rules between columns, keys and options (Java `SchemaValidation`).

use super::{BucketMode, TableSchema, visit_fields};
use crate::data_type::check_names;
use crate::merge_options::validate_merging;
use crate::{DataField, DataType, Error, Result, TypeKind, parse_datum};

const SYSTEM_NAMES: [&str; 5] = ["_SEQUENCE_NUMBER", "_VALUE_KIND", "_LEVEL", "rowkind", "_ROW_ID"];
const KEY_PREFIX: &str = "_KEY_";
const FILE_FORMATS: [&str; 10] = ["avro", "csv", "json", "lance", "mosaic", "orc", "parquet", "row", "text", "vortex"];

/// Checks a schema before it is written.
pub(crate) fn validate(table: &TableSchema) -> Result<()> {
    if table.fields.is_empty() {
        return Err(Error::invalid("expected a column at least, found none"));
    }
    check_names(&table.fields)?;
    for field in &table.fields {
        let in_column = |error: Error| error.with_context("column", &field.name);
        check_not_of_system(&field.name)?;
        field.data_type.validate().map_err(in_column)?;
    }
    visit_fields(&table.fields, &mut |field| check_default_value(&field.data_type, field.default_value.as_deref()))?;
    validate_keys(table)?;
    validate_bucket(table)?;
    validate_files(table)?;
    validate_row_ids(table)?;
    validate_blobs(table)?;
    validate_merging(table)
}

/// Default values of atomic types must be readable as such; those of other types are read only when written.
pub(crate) fn check_default_value(data_type: &DataType, default_value: Option<&str>) -> Result<()> {
    match default_value {
        Some(text) if data_type.is_atomic() => {
            parse_datum(text, data_type).map(drop).map_err(|error| error.with_context("default value", text))
        }
        _ => Ok(()),
    }
}

fn check_not_of_system(name: &str) -> Result<()> {
    if SYSTEM_NAMES.contains(&name) || name.starts_with(KEY_PREFIX) {
        return Err(Error::invalid(format!(
            "column names must not be one of {} nor start with {KEY_PREFIX}, found '{name}'",
            SYSTEM_NAMES.join(", ")
        )));
    }
    Ok(())
}

fn validate_keys(table: &TableSchema) -> Result<()> {
    let keys = |names: &[String], what: &'static str| {
        names.iter().try_for_each(|name| match table.field(name) {
            None => Err(Error::invalid(format!("expected a column for the {what} key '{name}', found none"))),
            Some(field) if can_be_key(&field.data_type) => Ok(()),
            Some(field) => Err(Error::unsupported(format!(
                "the {what} key '{name}' has type {}, which keys cannot have",
                field.data_type
            ))),
        })
    };
    keys(&table.primary_keys, "primary")?;
    keys(&table.partition_keys, "partition")?;
    let legacy_name = table.table_options().partition_legacy_name()?;
    let is_binary = |data_type: &DataType| matches!(data_type.kind, TypeKind::Binary(_) | TypeKind::VarBinary(_));
    if let Some(field) = table.partition_fields().iter().find(|field| legacy_name && is_binary(&field.data_type)) {
        // Java would name the folder by an object's address.
        return Err(Error::unsupported(format!(
            "the partition key '{}' has type {}, which has no folder name: set 'partition.legacy-name' to 'false'",
            field.name, field.data_type
        )));
    }
    if table.trimmed_primary_keys().is_empty() && !table.primary_keys.is_empty() {
        return Err(Error::invalid("the primary key must have a column besides the partition columns"));
    }
    if table.primary_keys.is_empty() && table.table_options().boolean("primary-key.nullable", false)? {
        return Err(Error::invalid("the option 'primary-key.nullable' needs a primary key"));
    }
    Ok(())
}

fn can_be_key(data_type: &DataType) -> bool {
    use TypeKind::{Blob, Geography, Geometry, Variant};
    data_type.is_atomic() && !matches!(data_type.kind, Variant | Geometry(_) | Geography(..) | Blob)
}

fn validate_bucket(table: &TableSchema) -> Result<()> {
    let options = table.table_options();
    let bucket = options.bucket()?;
    let mode = table.bucket_mode()?;
    let bucket_key = table.bucket_key_fields()?;
    let explicit_key = !options.bucket_key().is_empty();
    options.bucket_function()?;
    if bucket == -1 {
        if explicit_key {
            return Err(Error::invalid("the option 'bucket-key' needs a number of buckets, found 'bucket' = -1"));
        }
        if mode == BucketMode::Unaware && options.get("full-compaction.delta-commits").is_some() {
            return Err(Error::invalid(
                "the option 'full-compaction.delta-commits' needs a primary key or a number of buckets, found 'bucket' = -1",
            ));
        }
        return Ok(());
    }
    // Java wants a key here too, pypaimon never does: with one bucket there is nothing to choose.
    if bucket_key.is_empty() && bucket != 1 {
        return Err(Error::invalid(format!(
            "a table without primary key and with 'bucket' = {bucket} needs 'bucket-key'"
        )));
    }
    if let Some(field) = bucket_key.iter().find(|field| !can_be_key(&field.data_type)) {
        return Err(Error::unsupported(format!(
            "the bucket key '{}' has type {}, which keys cannot have",
            field.name, field.data_type
        )));
    }
    Ok(())
}

fn validate_files(table: &TableSchema) -> Result<()> {
    let options = table.table_options();
    let format = options.file_format()?;
    if !FILE_FORMATS.contains(&format.as_str()) {
        return Err(Error::invalid(format!(
            "option 'file.format' must be one of {}, found '{format}'",
            FILE_FORMATS.join(", ")
        )));
    }
    options.target_file_rows()?;
    let directory = options.data_file_path_directory().unwrap_or_default();
    if directory.split(['/', '\\']).any(|part| part == "..") || directory.contains(':') {
        return Err(Error::invalid(format!(
            "option 'data-file.path-directory' must be a folder below the table, found '{directory}'"
        )));
    }
    Ok(())
}

/// Row tracking and data evolution.
fn validate_row_ids(table: &TableSchema) -> Result<()> {
    let options = table.table_options();
    let tracking = options.row_tracking_enabled()?;
    let evolution = options.data_evolution_enabled()?;
    if tracking && !table.primary_keys.is_empty() {
        return Err(Error::invalid("the option 'row-tracking.enabled' must not be set for a table with a primary key"));
    }
    if tracking && options.bucket()? != -1 {
        return Err(Error::invalid("the option 'row-tracking.enabled' needs 'bucket' = -1"));
    }
    if evolution && !tracking {
        return Err(Error::invalid("the option 'data-evolution.enabled' needs 'row-tracking.enabled'"));
    }
    if evolution && options.boolean("clustering.incremental", false)? {
        return Err(Error::invalid("the option 'data-evolution.enabled' excludes 'clustering.incremental'"));
    }
    Ok(())
}

/// BLOB columns, and the options that list them.
fn validate_blobs(table: &TableSchema) -> Result<()> {
    let options = table.table_options();
    for DataField { name, data_type, .. } in &table.fields {
        if data_type.holds_blob() && !data_type.is_blob() {
            return Err(Error::invalid(format!(
                "BLOB must be the type of a column, or of the elements or values of one, found {data_type} as that of '{name}'"
            )));
        }
    }
    let blobs = table.fields.iter().filter(|field| field.data_type.is_blob()).count();
    if blobs > 0 && table.primary_keys.is_empty() && !options.data_evolution_enabled()? {
        return Err(Error::invalid("BLOB columns need the option 'data-evolution.enabled'"));
    }
    if blobs > 0 && blobs == table.fields.len() {
        return Err(Error::invalid("a table with BLOB columns needs another column"));
    }
    let check_listed = |key: &str, columns: &[&str], fits: fn(&DataType) -> bool, wanted: &str| match columns
        .iter()
        .find(|name| !table.field(name).is_some_and(|field| fits(&field.data_type)))
    {
        None => Ok(()),
        Some(name) => Err(Error::invalid(format!("the option '{key}' must list columns of {wanted}, found '{name}'"))),
    };
    let (descriptors, views) = (options.blob_descriptor_fields(), options.blob_view_fields());
    let is_blob_itself = |data_type: &DataType| data_type.kind == TypeKind::Blob;
    check_listed("blob-field", &options.blob_fields(), DataType::is_blob, "type BLOB, or ARRAY or MAP of it")?;
    check_listed("blob-descriptor-field", &descriptors, is_blob_itself, "type BLOB")?;
    check_listed("blob-view-field", &views, is_blob_itself, "type BLOB")?;
    match views.iter().find(|name| descriptors.contains(name)) {
        None => Ok(()),
        Some(name) => Err(Error::invalid(format!(
            "the options 'blob-view-field' and 'blob-descriptor-field' must list different columns, found '{name}' in both"
        ))),
    }
}
