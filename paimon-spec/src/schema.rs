//! Table schemas.

mod bucket_mode;
mod create;
mod directive;
mod json;
mod validate;

use std::collections::BTreeMap;

use crate::{DataField, DataType, Error, FieldId, Result, TableOptions, TypeKind};

pub use bucket_mode::{BucketMode, POSTPONED_BUCKET};
pub(crate) use create::{next_id, normalize, renumber, split_keys};
pub(crate) use directive::{apply_directive, check_no_directive, forget_blob_column};
pub(crate) use validate::{check_default_value, validate};

/// Ids from here on are of system fields, such as `_KEY_<column>`.
pub const SYSTEM_FIELD_ID_START: FieldId = FieldId::MAX / 2;

/// One version of a table's schema, as in `schema/schema-<id>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSchema {
    /// Version of the table's schema, from 0.
    pub id: i64,
    /// Top-level columns.
    pub fields: Vec<DataField>,
    /// The largest field id ever used in the table, nested ones included.
    pub highest_field_id: FieldId,
    /// Names of the partition columns, in path order.
    pub partition_keys: Vec<String>,
    /// Names of the primary key columns.
    pub primary_keys: Vec<String>,
    /// Table options as stored.
    pub options: BTreeMap<String, String>,
    /// The table's comment.
    pub comment: Option<String>,
    /// When the schema was made, milliseconds since 1970; 0 when unknown.
    pub time_millis: i64,
}

/// What a user asks for when creating a table; [`TableSchema::create`] numbers the fields.
///
/// ```
/// use paimon_spec::{Schema, TableSchema};
///
/// let schema = Schema::from_json(
///     r#"{"fields": [{"name": "id", "type": "BIGINT NOT NULL"}, {"name": "day", "type": "DATE"}],
///         "partitionKeys": ["day"], "options": {"file.format": "parquet"}}"#,
/// )?;
/// let table = TableSchema::create(schema, 0)?;
/// assert_eq!(table.highest_field_id, 1);
/// # Ok::<(), paimon_spec::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Schema {
    /// Columns; ids are ignored and assigned anew.
    pub fields: Vec<DataField>,
    /// Names of the partition columns.
    pub partition_keys: Vec<String>,
    /// Names of the primary key columns.
    pub primary_keys: Vec<String>,
    /// Table options.
    pub options: BTreeMap<String, String>,
    /// The table's comment.
    pub comment: Option<String>,
}

impl TableSchema {
    /// The column named `name`.
    pub fn field(&self, name: &str) -> Option<&DataField> {
        self.fields.iter().find(|f| f.name == name)
    }

    /// The column of id `id`.
    pub fn field_by_id(&self, id: FieldId) -> Option<&DataField> {
        self.fields.iter().find(|f| f.id == id)
    }

    /// The partition columns, in path order.
    pub fn partition_fields(&self) -> Vec<DataField> {
        // That the columns exist holds for every schema that was decoded or created.
        self.partition_keys.iter().filter_map(|key| self.field(key)).cloned().collect()
    }

    /// Names of the primary key columns that are not partition columns: they make keys in data files.
    pub fn trimmed_primary_keys(&self) -> Vec<&str> {
        let keys = self.primary_keys.iter().filter(|key| !self.partition_keys.contains(key));
        keys.map(String::as_str).collect()
    }

    /// Bucket key columns: option `bucket-key`, else the trimmed primary key.
    ///
    /// # Errors
    /// `InvalidInput` when `bucket-key` names an unknown column, a partition column, or a column outside of the primary
    /// key.
    pub fn bucket_key_fields(&self) -> Result<Vec<DataField>> {
        let names = self.table_options().bucket_key();
        let explicit = !names.is_empty();
        let names = if explicit { names } else { self.trimmed_primary_keys() };
        let refused = |name: &str, reason: &str| Error::invalid(format!("the bucket key column '{name}' {reason}"));
        let field = |name: &str| {
            let field = self.field(name).ok_or_else(|| refused(name, "is no column of the table"))?;
            if self.partition_keys.iter().any(|key| key == name) {
                return Err(refused(name, "must not be a partition column"));
            }
            if explicit && !self.primary_keys.is_empty() && self.primary_keys.iter().all(|key| key != name) {
                return Err(refused(name, "must be in the primary key"));
            }
            Ok(field.clone())
        };
        names.into_iter().map(field).collect()
    }

    /// The typed options.
    pub fn table_options(&self) -> TableOptions<'_> {
        TableOptions::new(&self.options)
    }
}

/// Visits all fields, nested ones after the fields that hold them.
pub(crate) fn visit_fields<'f>(
    fields: &'f [DataField],
    visit: &mut dyn FnMut(&'f DataField) -> Result<()>,
) -> Result<()> {
    fn visit_type<'f>(data_type: &'f DataType, visit: &mut dyn FnMut(&'f DataField) -> Result<()>) -> Result<()> {
        if let TypeKind::Row(fields) = &data_type.kind {
            return visit_fields(fields, visit);
        }
        data_type.children().try_for_each(|child| visit_type(child, visit))
    }
    for field in fields {
        visit(field)?;
        visit_type(&field.data_type, visit)?;
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests;
