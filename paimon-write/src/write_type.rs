//! Which of a table's columns rows bring, and which of them files get.

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::Arc;

use paimon_spec::{BlobStorage, DataField, Error, Result, TableSchema};

/// The columns of rows on their way into files.
#[derive(Debug, Clone)]
pub(crate) struct WriteType {
    /// The table's schema, with only those columns that files get, in the table's order.
    pub(crate) schema: Arc<TableSchema>,
    /// Those of them that rows do not bring: they are NULL.
    pub(crate) left_out: HashSet<String>,
}

impl WriteType {
    /// All columns.
    pub(crate) fn all(schema: &Arc<TableSchema>) -> Self {
        Self { schema: Arc::clone(schema), left_out: HashSet::new() }
    }

    /// These columns of `schema`, in any order; `None`: all. What is left out has its default value, else NULL; a table
    /// with data evolution does not store that NULL.
    ///
    /// Row ids follow data files, so a data file is there in any case: without any column for it, it gets one that is
    /// NULL in all rows.
    ///
    /// # Errors
    /// `InvalidInput` for columns that the table does not have, for partition columns that are left out, and for NOT NULL
    /// columns without a default that are; `Unsupported` for tables with a primary key.
    pub(crate) fn of(schema: &Arc<TableSchema>, columns: Option<&[String]>) -> Result<Self> {
        let Some(columns) = columns else { return Ok(Self::all(schema)) };
        if let Some(unknown) = columns.iter().find(|column| schema.field(column).is_none()) {
            return Err(Error::invalid(format!("Column {unknown} is not in table schema.")));
        }
        if columns.is_empty() {
            return Err(Error::invalid("expected at least one column to write, found none"));
        }
        let is_left_out = |field: &DataField| !columns.contains(&field.name) && field.default_value.is_none();
        if !schema.fields.iter().any(is_left_out) {
            return Ok(Self::all(schema));
        }
        if !schema.primary_keys.is_empty() {
            return Err(Error::unsupported("writing some columns of a table with a primary key is not supported yet"));
        }
        let needed = |field: &&DataField| !field.data_type.nullable || schema.partition_keys.contains(&field.name);
        if let Some(field) = schema.fields.iter().filter(|field| is_left_out(field)).find(needed) {
            let why = if field.data_type.nullable { "a partition column" } else { "NOT NULL and has no default" };
            return Err(Error::invalid(format!("column '{}' cannot be left out: it is {why}", field.name)));
        }
        let mut left_out: HashSet<String> = HashSet::new();
        let mut fields = schema.fields.clone();
        if schema.table_options().data_evolution_enabled()? {
            fields.retain(|field| !is_left_out(field));
            let in_data_file = |field: &&DataField| schema.blob_storage(field) != Some(BlobStorage::File);
            if !fields.iter().any(|field| in_data_file(&field)) {
                let filler =
                    schema.fields.iter().find(in_data_file).ok_or_else(|| {
                        Error::invalid("expected a column besides those kept in .blob files, found none")
                    })?;
                left_out.insert(filler.name.clone());
                fields =
                    schema.fields.iter().filter(|field| fields.contains(field) || *field == filler).cloned().collect();
            }
        } else {
            left_out.extend(fields.iter().filter(|field| is_left_out(field)).map(|field| field.name.clone()));
        }
        Ok(Self { schema: Arc::new(TableSchema { fields, ..schema.as_ref().clone() }), left_out })
    }
}
