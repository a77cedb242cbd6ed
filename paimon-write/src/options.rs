//! What of a table a writer goes by, and which tables are not written yet.

#[cfg(test)]
mod tests;

use paimon_spec::{Error, Result, TableSchema, check_merge_supported};

/// Bucket number of tables that have no buckets (all files are in bucket 0).
pub(crate) const UNAWARE_BUCKET: i32 = -1;

/// Options of primary-key tables that ask writers for more than rows, when they are set.
const UNSUPPORTED_KEYED_OPTIONS: [&str; 5] = [
    "pk-bitmap.index.columns",
    "pk-btree.index.columns",
    "pk-full-text.index.columns",
    "pk-multivalue.index.columns",
    "pk-vector.index.columns",
];

/// How a [`TableWriter`](crate::TableWriter) works.
#[derive(Debug, Clone, Default)]
pub struct WriteOptions {
    /// Bytes of memory that rows on their way into files may take; `None`: the table's option `write-buffer-size`.
    pub memory_bytes: Option<u64>,
    /// A column of the input, which the table does not have, with what each row does to its key: `+I`, `-U`, `+U` or
    /// `-D`. Only for primary-key tables. `None`: as the table's option `rowkind.field` says, else all rows are inserted.
    pub row_kind_column: Option<String>,
    /// A column of the input, which the table does not have, of 64-bit integers: of rows of one key, the one with the
    /// greater number is the newer one, in whatever order they come. Only for primary-key tables. Rows then wait for one
    /// another until all are there, in memory or spilled to disk. `None`: what is written later is newer.
    pub order_column: Option<String>,
    /// Whether what is written replaces what is there. Then the number of buckets may be another one, and no changelog
    /// is written.
    pub overwrite: bool,
    /// The columns that rows bring, in any order; `None`: all. Columns that are left out have their default value, else
    /// NULL. Only for tables without a primary key.
    pub write_type: Option<Vec<String>>,
    /// Of rows whose bucket was decided elsewhere, by a [`RowAssigner`](crate::RowAssigner): where it is. Only for tables
    /// with dynamic buckets. `None`: the writer decides.
    pub assigned: Option<AssignedBuckets>,
    /// Who is going to commit: files of rows that wait for a bucket have it in their names. `None`: nobody in particular.
    pub commit_user: Option<String>,
}

/// Rows that know their bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssignedBuckets {
    /// A column of the input, which the table does not have, of 32-bit integers from 0.
    pub column: String,
    /// The latest snapshot at some time before the first assigner was opened; `None`: there was none. When keys have got
    /// buckets since, the commit is a conflict.
    pub base_snapshot: Option<i64>,
}

/// Refuses tables whose history may have more than schemas, snapshots, tags and changelogs.
///
/// # Errors
/// `Unsupported`, naming what.
pub(crate) fn require_known_history(schema: &TableSchema) -> Result<()> {
    match schema.table_options().table_type() {
        "table" => Ok(()),
        other => Err(Error::unsupported(format!("writing tables of type '{other}' is not supported yet"))),
    }
}

/// Refuses tables to which this build cannot commit files.
///
/// # Errors
/// `Unsupported`, naming what; `InvalidInput` for options that contradict each other.
pub(crate) fn require_committable(schema: &TableSchema) -> Result<()> {
    require_known_history(schema)?;
    let options = schema.table_options();
    let unsupported = |what: String| Err(Error::unsupported(format!("writing {what} is not supported yet")));
    let keyed = !schema.primary_keys.is_empty();
    if let Some(field) = schema.fields.iter().find(|field| keyed && field.data_type.holds_blob()) {
        return unsupported(format!("BLOB columns of primary-key tables ('{}')", field.name));
    }
    if options.get("data-file.external-paths").is_some() {
        return unsupported("tables with 'data-file.external-paths'".to_owned());
    }
    if keyed {
        check_merge_supported(schema)?;
        let is_set = |key: &&str| options.get(key).is_some_and(|value| !value.is_empty());
        if let Some(option) = UNSUPPORTED_KEYED_OPTIONS.into_iter().find(is_set) {
            return unsupported(format!("primary-key tables with '{option}'"));
        }
    }
    Ok(())
}

/// Refuses tables whose rows this build cannot write correctly.
///
/// # Errors
/// As [`require_committable`].
pub(crate) fn require_writable(schema: &TableSchema) -> Result<()> {
    require_committable(schema)?;
    // Without a bucket key, which other writers allow, all rows have the same empty key and share one bucket.
    schema.bucket_mode().map(|_| ())
}
