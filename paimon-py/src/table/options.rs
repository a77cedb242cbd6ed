//! What `copy` may change of a table, and what it gives.

use std::collections::BTreeMap;
use std::sync::Arc;

use paimon_io::TableStore;
use paimon_spec::{Error, Result, SchemaChange, TableSchema};

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

/// Whether one of the options chooses what is read.
pub(super) fn travels(changed: &BTreeMap<String, Option<String>>) -> bool {
    changed.keys().any(|key| TRAVEL_OPTIONS.contains(&key.as_str()))
}

/// What `options` change of the schema's own, refusing what must stay.
pub(super) fn changed_options(
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
pub(super) fn with_options(schema: &TableSchema, changed: BTreeMap<String, Option<String>>) -> Result<TableSchema> {
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
pub(super) async fn on_branch(store: &TableStore, branch: Option<&str>, schema: &TableSchema) -> Result<TableStore> {
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
