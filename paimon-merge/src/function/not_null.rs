//! Columns that the table declares NOT NULL.

use paimon_spec::{Error, Result, TableSchema};

use super::KeyGroups;
use crate::KeyedLayout;

/// The columns of a layout that are NOT NULL in the table.
#[derive(Debug)]
pub(super) struct NotNull(Vec<(usize, String)>);

impl NotNull {
    pub(super) fn new(table: &TableSchema, layout: &KeyedLayout) -> Self {
        let fields = table.fields.iter().filter(|field| !field.data_type.nullable);
        Self(fields.filter_map(|field| Some((layout.position(field.id)?, field.name.clone()))).collect())
    }

    /// # Errors
    /// `InvalidInput` naming the column when `row` has NULL in one.
    pub(super) fn check(&self, groups: &KeyGroups<'_>, row: usize) -> Result<()> {
        self.0.iter().try_for_each(|(position, name)| match groups.is_null(*position, row)? {
            true => Err(refused(name)),
            false => Ok(()),
        })
    }

    /// # Errors
    /// As [`Self::check`], for all rows of keys whose rows are merged.
    pub(super) fn check_merged(&self, groups: &KeyGroups<'_>) -> Result<()> {
        for (position, name) in &self.0 {
            let Some(nulls) = groups.nulls(*position)? else { continue };
            if groups.groups().any(|group| !groups.stands(&group) && group.into_iter().any(|row| nulls.is_null(row))) {
                return Err(refused(name));
            }
        }
        Ok(())
    }
}

fn refused(column: &str) -> Error {
    Error::invalid("expected a value in a column that is NOT NULL, found NULL").with_context("column", column)
}
