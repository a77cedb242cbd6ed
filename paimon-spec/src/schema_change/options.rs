//! Options that mention columns, and options that may not change.

use std::collections::BTreeMap;

use crate::schema::split_keys;
use crate::{Error, IMMUTABLE_OPTIONS, Result, TableOptions, TableSchema, check_option};

/// Checks `SET key = value`; false when nothing changes.
pub(super) fn check_set(table: &TableSchema, key: &str, value: &str, has_snapshots: bool) -> Result<bool> {
    if is_unchanged(table, key, value) {
        return Ok(false);
    }
    check_settable(key)?;
    check_option(key, value)?;
    if has_snapshots {
        check_mutable(table, key)?;
        check_transition(table, key, value)?;
    }
    Ok(true)
}

/// Checks `RESET key`.
pub(super) fn check_remove(table: &TableSchema, key: &str, has_snapshots: bool) -> Result<()> {
    check_settable(key)?;
    if !has_snapshots || !table.options.contains_key(key) {
        return Ok(());
    }
    check_mutable(table, key)?;
    match key {
        "bucket" => Err(Error::unsupported("the option 'bucket' cannot be reset")),
        "deletion-vectors.enabled" => check_transition(table, key, "false"),
        _ => Ok(()),
    }
}

/// Options with the mentions of a top-level column renamed (Java `SchemaManager.applyRenameColumnsToOptions`, which
/// forgets the last two lists of columns here and leaves a table that nobody can read).
pub(super) fn rename_column(options: BTreeMap<String, String>, from: &str, to: &str) -> BTreeMap<String, String> {
    options.into_iter().map(|(key, value)| rename_in_option(key, value, from, to)).collect()
}

fn rename_in_option(key: String, value: String, from: &str, to: &str) -> (String, String) {
    const LISTS_OF_COLUMNS: [&str; 4] =
        ["bucket-key", "sequence.field", "partial-update.remove-record-on-sequence-group", "rowkind.field"];
    const OF_ONE_COLUMN: [&str; 9] = [
        "aggregate-function",
        "ignore-retract",
        "distinct",
        "list-agg-delimiter",
        "stats-mode",
        "map.storage-layout",
        "map.shared-shredding.max-columns",
        "map.shared-shredding.column-placement-policy",
        "count-limit",
    ];
    const OF_COLUMNS_NAMING_COLUMNS: [&str; 2] = ["sequence-group", "nested-key"];

    if LISTS_OF_COLUMNS.contains(&key.as_str()) {
        let value = rename_in_list(&value, from, to);
        return (key, value);
    }
    let Some(rest) = key.strip_prefix("fields.") else { return (key, value) };
    for suffix in OF_COLUMNS_NAMING_COLUMNS {
        if let Some(columns) = rest.strip_suffix(suffix).and_then(|columns| columns.strip_suffix('.')) {
            let key = format!("fields.{}.{suffix}", rename_in_list(columns, from, to));
            return (key, rename_in_list(&value, from, to));
        }
    }
    for suffix in OF_ONE_COLUMN {
        if rest.strip_suffix(suffix).and_then(|column| column.strip_suffix('.')) == Some(from) {
            return (format!("fields.{to}.{suffix}"), value);
        }
    }
    (key, value)
}

fn rename_in_list(columns: &str, from: &str, to: &str) -> String {
    let renamed: Vec<&str> = columns.split(',').map(|column| if column == from { to } else { column }).collect();
    renamed.join(",")
}

/// Keys have left the options for the schema; `type` is the same in any case.
fn is_unchanged(table: &TableSchema, key: &str, value: &str) -> bool {
    match (key, table.options.get(key)) {
        ("type", _) => table.table_options().table_type().eq_ignore_ascii_case(value),
        (_, Some(old)) => old == value,
        ("primary-key", None) => split_keys(value) == table.primary_keys,
        ("partition", None) => split_keys(value) == table.partition_keys,
        (_, None) => false,
    }
}

/// What no table may change, not even an empty one.
fn check_settable(key: &str) -> Result<()> {
    if key == "type" || key.eq_ignore_ascii_case("path") {
        return Err(Error::unsupported(format!("the option '{key}' cannot change")));
    }
    Ok(())
}

fn check_mutable(table: &TableSchema, key: &str) -> Result<()> {
    if IMMUTABLE_OPTIONS.contains(&key) {
        return Err(Error::unsupported(format!("the option '{key}' cannot change once the table has a snapshot")));
    }
    if key == "clustering.columns" && table.options.contains_key("pk-clustering-override") {
        return Err(Error::unsupported("the option 'clustering.columns' cannot change with 'pk-clustering-override'"));
    }
    Ok(())
}

/// Options that change only in one direction once there is data.
fn check_transition(table: &TableSchema, key: &str, value: &str) -> Result<()> {
    let options = table.table_options();
    let refused = |reason: &str| Err(Error::unsupported(format!("the option '{key}' cannot change {reason}")));
    let new = BTreeMap::from([(key.to_owned(), value.to_owned())]);
    let new = TableOptions::new(&new);
    match key {
        "bucket" if options.bucket()? == -1 => refused("from -1 once the table has a snapshot"),
        "bucket" if new.bucket()? == -1 => refused("to -1 once the table has a snapshot"),
        "deletion-vectors.enabled" => {
            let changes = options.deletion_vectors_enabled()? != new.deletion_vectors_enabled()?;
            if changes && !options.boolean("deletion-vectors.modifiable", false)? {
                return refused("once the table has a snapshot, unless 'deletion-vectors.modifiable' is 'true'");
            }
            Ok(())
        }
        "ignore-delete" | "ignore-update-before" if options.boolean(key, false)? && !new.boolean(key, false)? => {
            refused("from true to false")
        }
        _ => Ok(()),
    }
}
