//! A warehouse folder as a catalog: `<warehouse>/<database>.db/<table>/`.
//!
//! A database exists when its folder does, a table when its `schema/` folder holds a schema file. Java:
//! `FileSystemCatalog`.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use futures::stream::{self, StreamExt, TryStreamExt};
use paimon_io::{FileSnapshotCommit, IoContext, PutOutcome, Storage, TableStore};
use paimon_spec::{Error, ErrorKind, Identifier, Result, Schema, SchemaChange, TableSchema, validate_name};

use crate::Catalog;
use crate::errors::{
    database_in_the_way, database_missing, database_not_empty, of_table, table_in_the_way, table_missing,
};

/// Options of the catalog with this prefix are defaults for the options of new tables.
const TABLE_DEFAULT_PREFIX: &str = "table-default.";

/// Suffix of a database's folder.
const DATABASE_SUFFIX: &str = ".db";

/// How often a change of a schema is tried again because somebody else changed it first.
const ALTER_ATTEMPTS: u32 = 100;

/// Folders of tables looked into at the same time.
const LIST_CONCURRENCY: usize = 16;

/// The catalog that a warehouse folder is.
pub struct FileSystemCatalog {
    warehouse: Storage,
    options: BTreeMap<String, String>,
    context: IoContext,
}

impl FileSystemCatalog {
    /// The catalog of the folder that `warehouse` is rooted at.
    #[must_use]
    pub fn new(warehouse: Storage, options: BTreeMap<String, String>, context: IoContext) -> Self {
        Self { warehouse, options, context }
    }

    fn storage_of(&self, identifier: &Identifier) -> Result<Storage> {
        self.warehouse.at(&table_folder(identifier)?)
    }

    /// Opens a table whatever the identifier's kind; `None` when it has no schema.
    async fn open(&self, identifier: &Identifier) -> Result<Option<TableStore>> {
        let storage = self.storage_of(identifier)?;
        let branch = identifier.branch.as_deref();
        match TableStore::open(storage, branch, Arc::new(FileSnapshotCommit), self.context.clone()).await {
            Ok(store) => Ok(Some(store)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn table_exists(&self, identifier: &Identifier) -> Result<bool> {
        has_schema(&self.warehouse, &table_folder(identifier)?).await
    }

    async fn require_database(&self, name: &str) -> Result<()> {
        if self.database_exists(name).await? { Ok(()) } else { Err(database_missing(name)) }
    }

    fn with_table_defaults(&self, mut schema: Schema) -> Schema {
        for (key, value) in &self.options {
            if let Some(key) = key.strip_prefix(TABLE_DEFAULT_PREFIX) {
                schema.options.entry(key.to_owned()).or_insert_with(|| value.clone());
            }
        }
        schema
    }

    /// Takes a folder with these tables in it away: first out of sight, so that nobody ever sees half a table, then for
    /// good. Where a folder is not renamed in one step, a table is out of sight once its schemas are gone.
    async fn remove_folder(&self, folder: &str, tables: &[String]) -> Result<()> {
        if !self.warehouse.is_local() {
            for table in tables {
                self.warehouse.delete_dir(&format!("{table}/schema")).await?;
            }
            return self.warehouse.delete_dir(folder).await;
        }
        let parent = folder.rsplit_once('/').map_or("", |(parent, _)| parent);
        let separator = if parent.is_empty() { "" } else { "/" };
        let hidden = format!("{parent}{separator}.dropped-{}", self.context.clock.unique_id());
        self.warehouse.rename_dir(folder, &hidden).await?;
        self.warehouse.delete_dir(&hidden).await
    }

    /// Moves a table's folder. Where that takes many steps, the table has neither name meanwhile: its schemas wait under
    /// a hidden one.
    async fn move_folder(&self, from: &str, to: &str) -> Result<()> {
        if self.warehouse.is_local() {
            return self.warehouse.rename_dir(from, to).await;
        }
        let hidden = format!(".renamed-{}", self.context.clock.unique_id());
        self.warehouse.rename_dir(&format!("{from}/schema"), &format!("{from}/{hidden}")).await?;
        if let Err(error) = self.warehouse.rename_dir(from, to).await {
            if error.kind() == ErrorKind::AlreadyExists {
                self.warehouse.rename_dir(&format!("{from}/{hidden}"), &format!("{from}/schema")).await?;
            }
            return Err(error.with_context("schemas", self.warehouse.url(&format!("{from}/{hidden}"))));
        }
        self.warehouse.rename_dir(&format!("{to}/{hidden}"), &format!("{to}/schema")).await
    }
}

impl fmt::Debug for FileSystemCatalog {
    /// Names the warehouse only: options may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileSystemCatalog").field("warehouse", &self.warehouse.root_url()).finish_non_exhaustive()
    }
}

#[async_trait::async_trait]
impl Catalog for FileSystemCatalog {
    fn options(&self) -> &BTreeMap<String, String> {
        &self.options
    }

    async fn list_databases(&self) -> Result<Vec<String>> {
        let mut names = folders(&self.warehouse, "").await?;
        names.retain_mut(|name| match name.strip_suffix(DATABASE_SUFFIX) {
            Some(database) if validate_name("database", database).is_ok() => {
                name.truncate(name.len() - DATABASE_SUFFIX.len());
                true
            }
            _ => false,
        });
        names.sort_unstable();
        Ok(names)
    }

    async fn create_database(&self, name: &str, ignore_if_exists: bool) -> Result<()> {
        if self.database_exists(name).await? {
            return if ignore_if_exists { Ok(()) } else { Err(database_in_the_way(name)) };
        }
        self.warehouse.create_dir(&database_folder(name)?).await
    }

    async fn drop_database(&self, name: &str, ignore_if_missing: bool, cascade: bool) -> Result<()> {
        if !self.database_exists(name).await? {
            return if ignore_if_missing { Ok(()) } else { Err(database_missing(name)) };
        }
        let folder = database_folder(name)?;
        let tables = self.list_tables(name).await?;
        if !cascade && !tables.is_empty() {
            return Err(database_not_empty(name));
        }
        let tables: Vec<String> = tables.into_iter().map(|table| format!("{folder}/{table}")).collect();
        self.remove_folder(&folder, &tables).await
    }

    async fn database_exists(&self, name: &str) -> Result<bool> {
        self.warehouse.dir_exists(&database_folder(name)?).await
    }

    async fn list_tables(&self, database: &str) -> Result<Vec<String>> {
        self.require_database(database).await?;
        let database = database_folder(database)?;
        let mut names = folders(&self.warehouse, &database).await?;
        names.retain(|name| validate_name("table", name).is_ok());
        let looks: Vec<_> = names.into_iter().map(|name| keep_table(&self.warehouse, &database, name)).collect();
        let found: Vec<Option<String>> = stream::iter(looks).buffer_unordered(LIST_CONCURRENCY).try_collect().await?;
        let mut tables: Vec<String> = found.into_iter().flatten().collect();
        tables.sort_unstable();
        Ok(tables)
    }

    async fn create_table(&self, identifier: &Identifier, schema: Schema, ignore_if_exists: bool) -> Result<()> {
        require_plain(identifier, "create")?;
        self.require_database(&identifier.database).await?;
        if self.table_exists(identifier).await? {
            return if ignore_if_exists { Ok(()) } else { Err(table_in_the_way(identifier)) };
        }
        if schema.options.contains_key("path") {
            return Err(Error::invalid(
                "a filesystem catalog decides where a table is: option 'path' cannot be set when creating one",
            ));
        }
        let folder = table_folder(identifier)?;
        // Snapshots without a schema are what is left of another table; a new one must not inherit them.
        if !files(&self.warehouse, &format!("{folder}/snapshot")).await?.is_empty() {
            return Err(of_table(
                ErrorKind::InvalidInput,
                format!("the folder of the new table holds snapshots of another one: {}", self.warehouse.url(&folder)),
                identifier,
            ));
        }
        let schema = self.with_table_defaults(schema);
        let schema = Arc::new(TableSchema::create(schema, self.context.clock.now_millis())?);
        let store = TableStore::new(
            self.storage_of(identifier)?,
            Arc::clone(&schema),
            None,
            Arc::new(FileSnapshotCommit),
            self.context.clone(),
        )?;
        match store.commit_schema(&schema).await? {
            PutOutcome::Created => Ok(()),
            PutOutcome::AlreadyExists if ignore_if_exists => Ok(()),
            PutOutcome::AlreadyExists => Err(table_in_the_way(identifier)),
        }
    }

    async fn table(&self, identifier: &Identifier) -> Result<TableStore> {
        if let Some(system_table) = &identifier.system_table {
            return Err(of_table(
                ErrorKind::Unsupported,
                format!("system table '{system_table}' is not supported yet"),
                identifier,
            ));
        }
        self.open(identifier).await?.ok_or_else(|| table_missing(identifier))
    }

    async fn alter_table(
        &self,
        identifier: &Identifier,
        changes: &[SchemaChange],
        ignore_if_missing: bool,
    ) -> Result<()> {
        require_no_system_table(identifier, "alter")?;
        let Some(store) = self.open(identifier).await? else {
            return if ignore_if_missing { Ok(()) } else { Err(table_missing(identifier)) };
        };
        for _ in 0..ALTER_ATTEMPTS {
            let Some(current) = store.latest_schema().await? else {
                return Err(table_missing(identifier));
            };
            let has_snapshots = store.latest_snapshot_id().await?.is_some();
            let next = current.apply(changes, has_snapshots, self.context.clock.now_millis())?;
            if store.commit_schema(&next).await? == PutOutcome::Created {
                return Ok(());
            }
        }
        Err(of_table(
            ErrorKind::CommitConflict,
            format!("the schema was changed by others {ALTER_ATTEMPTS} times while this change was tried"),
            identifier,
        ))
    }

    async fn rename_table(&self, from: &Identifier, to: &Identifier, ignore_if_missing: bool) -> Result<()> {
        require_plain(from, "rename")?;
        require_plain(to, "rename")?;
        if !self.table_exists(from).await? {
            return if ignore_if_missing { Ok(()) } else { Err(table_missing(from)) };
        }
        self.require_database(&to.database).await?;
        if self.table_exists(to).await? {
            return Err(table_in_the_way(to));
        }
        match self.move_folder(&table_folder(from)?, &table_folder(to)?).await {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(table_in_the_way(to).with_source(error)),
            other => other,
        }
    }

    async fn drop_table(&self, identifier: &Identifier, ignore_if_missing: bool) -> Result<()> {
        require_plain(identifier, "drop")?;
        if !self.table_exists(identifier).await? {
            return if ignore_if_missing { Ok(()) } else { Err(table_missing(identifier)) };
        }
        let folder = table_folder(identifier)?;
        self.remove_folder(&folder, std::slice::from_ref(&folder)).await
    }
}

fn database_folder(name: &str) -> Result<String> {
    validate_name("database", name)?;
    Ok(format!("{name}{DATABASE_SUFFIX}"))
}

/// The identifier's fields are public, so they are validated again where they become a path.
fn table_folder(identifier: &Identifier) -> Result<String> {
    let database = database_folder(&identifier.database)?;
    validate_name("table", &identifier.table)?;
    if let Some(branch) = &identifier.branch {
        validate_name("branch", branch)?;
    }
    Ok(format!("{database}/{}", identifier.table))
}

/// Only whole tables are created, renamed and dropped.
fn require_plain(identifier: &Identifier, verb: &str) -> Result<()> {
    require_no_system_table(identifier, verb)?;
    if identifier.branch.is_some() {
        return Err(of_table(
            ErrorKind::InvalidInput,
            format!("cannot {verb} a branch through its table name"),
            identifier,
        ));
    }
    Ok(())
}

fn require_no_system_table(identifier: &Identifier, verb: &str) -> Result<()> {
    match &identifier.system_table {
        Some(name) => {
            Err(of_table(ErrorKind::InvalidInput, format!("cannot {verb} the system table '{name}'"), identifier))
        }
        None => Ok(()),
    }
}

/// `name`, if that folder of the database is a table.
async fn keep_table(warehouse: &Storage, database: &str, name: String) -> Result<Option<String>> {
    Ok(has_schema(warehouse, &format!("{database}/{name}")).await?.then_some(name))
}

async fn has_schema(warehouse: &Storage, folder: &str) -> Result<bool> {
    let names = files(warehouse, &format!("{folder}/schema")).await?;
    Ok(names.iter().any(|name| name.strip_prefix("schema-").is_some_and(|id| id.parse::<i64>().is_ok())))
}

async fn folders(warehouse: &Storage, folder: &str) -> Result<Vec<String>> {
    children(warehouse, folder, true).await
}

async fn files(warehouse: &Storage, folder: &str) -> Result<Vec<String>> {
    children(warehouse, folder, false).await
}

/// Names of a folder's children; none when there is no such folder.
async fn children(warehouse: &Storage, folder: &str, dirs: bool) -> Result<Vec<String>> {
    match warehouse.list(folder).await {
        Ok(children) => Ok(children.into_iter().filter(|child| child.is_dir == dirs).map(|child| child.name).collect()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}
