//! The rules between keys, columns and options of merging (Java `SchemaValidation`).

use super::{ChangelogProducer, MergeEngine, MergeOptions, changelog_producer, named_field, ordering_field};
use crate::{Error, Result, TableSchema, TypeKind};

/// Checks what a schema says about merging before it is written.
pub(crate) fn validate_merging(table: &TableSchema) -> Result<()> {
    validate_column_options(table)?;
    let options = table.table_options();
    if table.primary_keys.is_empty() {
        return validate_without_key(table);
    }
    let merge = MergeOptions::of(table)?;
    if merge.engine == MergeEngine::FirstRow {
        validate_first_row(&merge)?;
    }
    if table.has_keys_across_partitions() && !merge.sequence_fields.is_empty() {
        return Err(Error::invalid(format!(
            "option 'sequence.field' needs a primary key with all partition columns, found the primary key ({}) and the \
             partition columns ({})",
            table.primary_keys.join(", "),
            table.partition_keys.join(", ")
        )));
    }
    if options.deletion_vectors_enabled()? {
        if merge.changelog_producer == ChangelogProducer::FullCompaction {
            let wanted = "'none', 'input' or 'lookup' with 'deletion-vectors.enabled', found 'full-compaction'";
            return Err(Error::invalid(format!("option 'changelog-producer' must be {wanted}")));
        }
        if merge.engine == MergeEngine::FirstRow && !options.boolean("pk-clustering-override", false)? {
            return Err(contradiction("deletion-vectors.enabled", "merge-engine' = 'first-row"));
        }
    }
    if options.boolean(SNAPSHOT_ORDERING, false)? {
        if !merge.sequence_fields.is_empty() {
            return Err(contradiction(SNAPSHOT_ORDERING, "sequence.field"));
        }
        if !options.boolean("write-only", false)? {
            return Err(Error::invalid(format!("option '{SNAPSHOT_ORDERING}' needs 'write-only' = 'true'")));
        }
    }
    validate_changelog(table, merge.changelog_producer)?;
    validate_expiry(table)?;
    validate_clustering(table, &merge)
}

const SNAPSHOT_ORDERING: &str = "sequence.snapshot-ordering";

fn validate_first_row(merge: &MergeOptions) -> Result<()> {
    if !matches!(merge.changelog_producer, ChangelogProducer::None | ChangelogProducer::Lookup) {
        let wanted = "'none' or 'lookup' with 'merge-engine' = 'first-row'";
        return Err(Error::invalid(format!("option 'changelog-producer' must be {wanted}")));
    }
    if !merge.sequence_fields.is_empty() {
        return Err(contradiction("sequence.field", "merge-engine' = 'first-row"));
    }
    Ok(())
}

/// Options that mean nothing without a primary key.
fn validate_without_key(table: &TableSchema) -> Result<()> {
    let options = table.table_options();
    if changelog_producer(&options)? != ChangelogProducer::None {
        let found = options.get("changelog-producer").unwrap_or_default();
        return Err(Error::invalid(format!("the option 'changelog-producer' needs a primary key, found '{found}'")));
    }
    for option in [SNAPSHOT_ORDERING, "table-read.sequence-number.enabled", "streaming-read-overwrite"] {
        if options.boolean(option, false)? {
            return Err(Error::invalid(format!("the option '{option}' needs a primary key")));
        }
    }
    for name in options.sequence_fields() {
        ordering_field(table, name, "sequence.field")?;
    }
    if let Some(name) = options.get("rowkind.field").filter(|name| table.field(name).is_none()) {
        return Err(Error::invalid(format!("option 'rowkind.field' must name a column of the table, found '{name}'")));
    }
    Ok(())
}

fn validate_changelog(table: &TableSchema, producer: ChangelogProducer) -> Result<()> {
    let options = table.table_options();
    let is_computed = matches!(producer, ChangelogProducer::FullCompaction | ChangelogProducer::Lookup);
    if is_computed && options.boolean("streaming-read-overwrite", false)? {
        return Err(Error::invalid(
            "option 'streaming-read-overwrite' needs a 'changelog-producer' of 'none' or 'input': changes would be read \
             twice",
        ));
    }
    if producer == ChangelogProducer::Lookup && options.get("full-compaction.delta-commits").is_some() {
        return Err(contradiction("full-compaction.delta-commits", "changelog-producer' = 'lookup"));
    }
    Ok(())
}

/// The time that rows expire by.
fn validate_expiry(table: &TableSchema) -> Result<()> {
    use TypeKind::{BigInt, Int, Timestamp, TimestampLtz};
    const OPTION: &str = "record-level.time-field";
    let Some(name) = table.table_options().get(OPTION) else { return Ok(()) };
    let field = named_field(table, name, OPTION)?;
    if !matches!(field.data_type.kind, Int | BigInt | Timestamp(_) | TimestampLtz(_)) {
        let found = format!("found '{name}' of type {}", field.data_type);
        return Err(Error::invalid(format!(
            "option '{OPTION}' must name a column of type INT, BIGINT or TIMESTAMP, {found}"
        )));
    }
    Ok(())
}

/// Java `validatePkClusteringOverride`.
fn validate_clustering(table: &TableSchema, merge: &MergeOptions) -> Result<()> {
    let options = table.table_options();
    if !options.boolean("pk-clustering-override", false)? {
        return Ok(());
    }
    let first_row = merge.engine == MergeEngine::FirstRow;
    let rules = [
        (options.get("clustering.columns").is_some(), "'clustering.columns'"),
        (
            options.deletion_vectors_enabled()? || first_row,
            "'deletion-vectors.enabled' or 'merge-engine' = 'first-row'",
        ),
        (options.get("record-level.expire-time").is_none(), "no 'record-level.expire-time'"),
        (first_row || merge.engine == MergeEngine::Deduplicate, "'merge-engine' = 'deduplicate' or 'first-row'"),
        (merge.sequence_fields.is_empty(), "no 'sequence.field'"),
        (
            matches!(merge.changelog_producer, ChangelogProducer::None | ChangelogProducer::Input),
            "'changelog-producer' = 'none' or 'input'",
        ),
    ];
    match rules.iter().find(|(holds, _)| !holds) {
        Some((_, wanted)) => Err(Error::invalid(format!("the option 'pk-clustering-override' needs {wanted}"))),
        None => Ok(()),
    }
}

/// Options of columns, `fields.<columns>.<option>`, must name columns (Java `validateFieldsPrefix`).
fn validate_column_options(table: &TableSchema) -> Result<()> {
    const OF_ALL: &str = "default-aggregate-function";
    for option in table.options.keys() {
        let Some(rest) = option.strip_prefix("fields.").filter(|rest| *rest != OF_ALL) else { continue };
        // A name may have dots of its own.
        let is_of = |name: &str| rest.strip_prefix(name).is_some_and(|option| option.starts_with('.'));
        if let Some(field) = table.fields.iter().find(|field| is_of(&field.name)) {
            let suffix = rest.strip_prefix(&field.name).unwrap_or_default();
            if matches!(field.data_type.kind, TypeKind::Row(_)) && suffix.trim_start_matches('.').contains('.') {
                return Err(Error::invalid(format!(
                    "option '{option}' must not reach into the ROW column '{}'",
                    field.name
                )));
            }
            continue;
        }
        let names = rest.split('.').next().unwrap_or_default();
        if let Some(name) = names.split(',').find(|name| table.field(name).is_none()) {
            return Err(Error::invalid(format!("option '{option}' must name columns of the table, found '{name}'")));
        }
    }
    Ok(())
}

fn contradiction(a: &str, b: &str) -> Error {
    Error::invalid(format!("the options '{a}' and '{b}' contradict each other"))
}
