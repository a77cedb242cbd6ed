//! Changes of schemas.

mod apply;
mod casts;
mod json;
mod options;

use crate::DataType;

pub use casts::supports_cast;

/// Where a column goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ColumnMove {
    /// Before all others.
    First,
    /// Right after the named column.
    After(String),
    /// Right before the named column.
    Before(String),
    /// After all others.
    Last,
}

/// One change; nested columns are named by their path.
///
/// A path goes through ROW columns by the names of fields, through an ARRAY by `element`, through a MAP by `value`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SchemaChange {
    /// Sets a table option.
    SetOption {
        /// The option's key.
        key: String,
        /// Its new value.
        value: String,
    },
    /// Removes a table option.
    RemoveOption {
        /// The option's key.
        key: String,
    },
    /// Sets or removes the table's comment.
    UpdateComment {
        /// The new comment.
        comment: Option<String>,
    },
    /// Adds a column, which must be nullable.
    AddColumn {
        /// The new column.
        path: Vec<String>,
        /// Its type; ids of fields within are given anew.
        data_type: DataType,
        /// Its comment.
        description: Option<String>,
        /// Where it goes among its siblings; last when `None`, or before the partition columns with the option
        /// `add-column-before-partition`.
        position: Option<ColumnMove>,
    },
    /// Renames a column.
    RenameColumn {
        /// The column.
        path: Vec<String>,
        /// Its new name, without path.
        new_name: String,
    },
    /// Drops a column.
    DropColumn {
        /// The column.
        path: Vec<String>,
    },
    /// Changes the type of a column, or of the elements or values of one.
    UpdateColumnType {
        /// The column.
        path: Vec<String>,
        /// Its new type.
        data_type: DataType,
        /// Whether the nullability of `data_type` is ignored.
        keep_nullability: bool,
    },
    /// Changes the nullability of a column, or of the elements or values of one.
    UpdateColumnNullability {
        /// The column.
        path: Vec<String>,
        /// Whether NULL is a value from now on.
        nullable: bool,
    },
    /// Sets or removes the comment of a column.
    UpdateColumnComment {
        /// The column.
        path: Vec<String>,
        /// The new comment.
        comment: Option<String>,
    },
    /// Sets or removes what writers put where no value is given.
    UpdateColumnDefaultValue {
        /// The column.
        path: Vec<String>,
        /// The new default value.
        default_value: Option<String>,
    },
    /// Moves a top-level column.
    UpdateColumnPosition {
        /// The column.
        column: String,
        /// Where it goes.
        position: ColumnMove,
    },
    /// Makes a table without primary key of an empty table.
    DropPrimaryKey,
}

#[cfg(test)]
mod tests;
