//! The same table with other options, and with the columns that it has got meanwhile.

use std::collections::BTreeMap;
use std::sync::Arc;

use paimon_io::TableStore;
use paimon_spec::{Error, Result, SchemaChange, TableSchema};
use pyo3::prelude::*;

use super::NativeTable;
use super::read_point::latest_schema;
use crate::errors::OrRaise;
use crate::runtime::block_on;

/// Options that choose a state or an increment.
const TRAVEL_OPTIONS: [&str; 11] = [
    "incremental-between",
    "incremental-between-scan-mode",
    "incremental-between-tag-to-snapshot",
    "incremental-between-timestamp",
    "incremental-to-auto-tag",
    "scan.snapshot-id",
    "scan.tag-name",
    "scan.timestamp",
    "scan.timestamp-millis",
    "scan.version",
    "scan.watermark",
];

/// Options that say where the table's files are: no dynamic option may change them.
const FIXED_OPTIONS: [&str; 3] = ["bucket", "path", "data-file.path-directory"];

/// The table with options set or removed (`None`).
pub(super) fn copied(
    py: Python<'_>,
    table: &NativeTable,
    options: BTreeMap<String, Option<String>>,
) -> PyResult<NativeTable> {
    let changed = changed_options(table.store.schema(), options).or_raise(py)?;
    if changed.is_empty() {
        return Ok(table.with(table.store.clone(), table.pin.clone()));
    }
    let dynamic = table.dynamic.clone().into_iter().chain(changed.clone()).collect();
    let branch = changed.get("branch").cloned();
    let travels = travels(&changed);
    let schema = with_options(table.store.schema(), changed).or_raise(py)?;
    let store = match &branch {
        None => table.store.with_schema(Arc::new(schema)),
        Some(branch) => {
            let (store, branch) = (table.store.clone(), branch.clone());
            block_on(py, async move { on_branch(&store, branch.as_deref(), &schema).await })?
        }
    };
    // Snapshots of another branch, or another state, are not what was pinned.
    let pin = table.pin.clone().filter(|_| !travels && branch.is_none());
    let copy = NativeTable { dynamic, ..table.with(store, pin) };
    if !travels {
        return Ok(copy);
    }
    let reader = copy.reader(py)?;
    let store = block_on(py, async move { reader.travelled().await })?;
    Ok(NativeTable { store, ..copy })
}

/// The table with its newest schema and the same dynamic options.
pub(super) fn refreshed(py: Python<'_>, table: &NativeTable) -> PyResult<NativeTable> {
    let store = table.store.clone();
    let schema = block_on(py, async move { latest_schema(&store).await })?;
    let changed = changed_options(&schema, table.dynamic.clone()).or_raise(py)?;
    let schema = with_options(&schema, changed).or_raise(py)?;
    Ok(table.with(table.store.with_schema(Arc::new(schema)), None))
}

/// Refuses tables that were asked to show another state than the latest.
///
/// # Errors
/// `InvalidInput` naming what chose that state.
pub(super) fn require_latest(dynamic: &BTreeMap<String, Option<String>>) -> Result<()> {
    let chosen = dynamic.iter().find(|(key, value)| value.is_some() && TRAVEL_OPTIONS.contains(&key.as_str()));
    let Some((key, Some(value))) = chosen else { return Ok(()) };
    Err(Error::invalid(format!(
        "only the latest state of a table is compacted, and this table object shows another one, by its option \
         {key} = {value}: get the table anew, or copy({{'{key}': None}})"
    )))
}

/// Whether one of the options chooses what is read.
fn travels(changed: &BTreeMap<String, Option<String>>) -> bool {
    changed.keys().any(|key| TRAVEL_OPTIONS.contains(&key.as_str()))
}

/// What `options` change of the schema's own, refusing what must stay.
fn changed_options(
    schema: &TableSchema,
    options: BTreeMap<String, Option<String>>,
) -> Result<BTreeMap<String, Option<String>>> {
    let changed: BTreeMap<_, _> =
        options.into_iter().filter(|(key, value)| schema.options.get(key) != value.as_ref()).collect();
    match changed.keys().find(|key| FIXED_OPTIONS.contains(&key.as_str())) {
        Some(key) => Err(Error::invalid(format!("option '{key}' cannot be changed by copy()"))),
        None => Ok(changed),
    }
}

/// The same schema with options set or removed.
fn with_options(schema: &TableSchema, changed: BTreeMap<String, Option<String>>) -> Result<TableSchema> {
    let changes: Vec<_> = changed
        .into_iter()
        .map(|(key, value)| match value {
            Some(value) => SchemaChange::SetOption { key, value },
            None => SchemaChange::RemoveOption { key },
        })
        .collect();
    Ok(TableSchema { id: schema.id, ..schema.apply(&changes, true, schema.time_millis)? })
}

/// The same table on another branch, with that branch's latest schema and the options of `schema`.
async fn on_branch(store: &TableStore, branch: Option<&str>, schema: &TableSchema) -> Result<TableStore> {
    let Some(store) = store.at_branch(branch).await? else {
        let branch = branch.unwrap_or("main");
        return Err(Error::not_found(format!("Branch name '{branch}' doesn't exist."))
            .with_context("branch", branch)
            .with_context("table", store.storage().root_url()));
    };
    let options = schema.options.clone();
    let schema = TableSchema { options, ..TableSchema::clone(store.schema()) };
    Ok(store.with_schema(Arc::new(schema)))
}
