//! What of a table a writer goes by, and which tables are not written yet.

use paimon_spec::{DataType, Error, Result, TableSchema, TypeKind};

/// Bucket number of tables that have no buckets (all files are in bucket 0).
pub(crate) const UNAWARE_BUCKET: i32 = -1;

/// How a [`TableWriter`](crate::TableWriter) works.
#[derive(Debug, Clone, Default)]
pub struct WriteOptions {
    /// Bytes of memory that rows on their way into files may take; `None`: the table's option `write-buffer-size`.
    pub memory_bytes: Option<u64>,
}

/// Refuses tables whose rows this build cannot write correctly.
///
/// # Errors
/// `Unsupported`, naming what; `InvalidInput` for options that contradict each other.
pub(crate) fn require_writable(schema: &TableSchema) -> Result<()> {
    let options = schema.table_options();
    let unsupported = |what: String| Err(Error::unsupported(format!("writing {what} is not supported yet")));
    if options.table_type() != "table" {
        return unsupported(format!("tables of type '{}'", options.table_type()));
    }
    if !schema.primary_keys.is_empty() {
        return unsupported("primary-key tables".to_owned());
    }
    if options.row_tracking_enabled()? {
        return unsupported("tables with 'row-tracking.enabled'".to_owned());
    }
    if options.data_evolution_enabled()? {
        return unsupported("tables with 'data-evolution.enabled'".to_owned());
    }
    if let Some(field) = schema.fields.iter().find(|field| holds_blob(&field.data_type)) {
        return unsupported(format!("BLOB columns ('{}')", field.name));
    }
    if options.get("data-file.external-paths").is_some() {
        return unsupported("tables with 'data-file.external-paths'".to_owned());
    }
    match options.bucket()? {
        UNAWARE_BUCKET => Ok(()),
        -2 => unsupported("tables with postponed buckets ('bucket' = -2)".to_owned()),
        // Without a bucket key, which other writers allow, all rows have the same empty key and share one bucket.
        buckets if buckets > 0 => Ok(()),
        other => Err(Error::invalid(format!("expected 'bucket' to be -1 or positive, found {other}"))),
    }
}

fn holds_blob(data_type: &DataType) -> bool {
    match &data_type.kind {
        TypeKind::Blob => true,
        TypeKind::Array(element) | TypeKind::Multiset(element) | TypeKind::Vector(element, _) => holds_blob(element),
        TypeKind::Map(key, value) => holds_blob(key) || holds_blob(value),
        TypeKind::Row(fields) => fields.iter().any(|field| holds_blob(&field.data_type)),
        _ => false,
    }
}
