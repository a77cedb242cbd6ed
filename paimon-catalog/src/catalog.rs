//! What every catalog promises.

use std::collections::BTreeMap;
use std::fmt::Debug;

use paimon_io::TableStore;
use paimon_spec::{Identifier, Result, Schema, SchemaChange};

/// Names to tables.
///
/// Errors say what was missing or in the way: [`NotFound`](paimon_spec::ErrorKind::NotFound) and
/// [`AlreadyExists`](paimon_spec::ErrorKind::AlreadyExists) carry either the context `table` (`database.table`) or the
/// context `database`. A database that is not empty is refused with
/// [`InvalidInput`](paimon_spec::ErrorKind::InvalidInput), as are unusable names.
///
/// An implementation validates every name before it becomes part of a path or of a request, and of several callers that
/// create or alter the same table at the same time exactly one wins each step.
#[async_trait::async_trait]
pub trait Catalog: Send + Sync + Debug {
    /// The options that the catalog was opened with.
    fn options(&self) -> &BTreeMap<String, String>;

    /// Names of all databases, sorted.
    async fn list_databases(&self) -> Result<Vec<String>>;

    /// Creates a database.
    ///
    /// # Errors
    /// `AlreadyExists`, unless `ignore_if_exists`.
    async fn create_database(&self, name: &str, ignore_if_exists: bool) -> Result<()>;

    /// Drops a database; with `cascade` its tables too.
    ///
    /// # Errors
    /// `NotFound`, unless `ignore_if_missing`; `InvalidInput` when it holds tables and not `cascade`.
    async fn drop_database(&self, name: &str, ignore_if_missing: bool, cascade: bool) -> Result<()>;

    /// Whether there is such a database.
    async fn database_exists(&self, name: &str) -> Result<bool>;

    /// Names of a database's tables, sorted.
    ///
    /// # Errors
    /// `NotFound` when there is no such database.
    async fn list_tables(&self, database: &str) -> Result<Vec<String>>;

    /// Creates a table; the catalog's `table-default.*` options are put where `schema` does not set them.
    ///
    /// # Errors
    /// `NotFound` when the database is missing; `AlreadyExists`, unless `ignore_if_exists`; what
    /// [`TableSchema::create`](paimon_spec::TableSchema::create) refuses.
    async fn create_table(&self, identifier: &Identifier, schema: Schema, ignore_if_exists: bool) -> Result<()>;

    /// The table, with its latest schema (of the branch, when the identifier names one).
    ///
    /// # Errors
    /// `NotFound`; `Unsupported` for system tables.
    async fn table(&self, identifier: &Identifier) -> Result<TableStore>;

    /// Changes a table's schema: all of `changes` in one new schema version, or none.
    ///
    /// # Errors
    /// `NotFound`, unless `ignore_if_missing`; what [`TableSchema::apply`](paimon_spec::TableSchema::apply) refuses;
    /// `CommitConflict` when others keep changing the table.
    async fn alter_table(
        &self,
        identifier: &Identifier,
        changes: &[SchemaChange],
        ignore_if_missing: bool,
    ) -> Result<()>;

    /// Gives a table another name, possibly in another database.
    ///
    /// # Errors
    /// `NotFound` for the table, unless `ignore_if_missing`, and for the new database; `AlreadyExists` for the new name.
    async fn rename_table(&self, from: &Identifier, to: &Identifier, ignore_if_missing: bool) -> Result<()>;

    /// Drops a table and its data.
    ///
    /// # Errors
    /// `NotFound`, unless `ignore_if_missing`.
    async fn drop_table(&self, identifier: &Identifier, ignore_if_missing: bool) -> Result<()>;
}
