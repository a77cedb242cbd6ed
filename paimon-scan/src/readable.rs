//! Which tables can be read.

use paimon_spec::{DataType, Error, Result, TableSchema, TypeKind};

/// Refuses tables whose rows this build cannot give completely and correctly.
///
/// # Errors
/// `Unsupported`, naming the kind of table: primary-key tables, tables with row tracking or data evolution, tables with
/// BLOB columns, tables whose option `type` is not `table`, and tables that fall back to another branch.
/// `CorruptData` or `InvalidInput` when an option cannot be parsed.
pub fn check_readable(schema: &TableSchema) -> Result<()> {
    let options = schema.table_options();
    if options.table_type() != "table" {
        return Err(unsupported(format!("tables of type '{}'", options.table_type())));
    }
    if !schema.primary_keys.is_empty() {
        let engine = options.get("merge-engine").unwrap_or("deduplicate");
        return Err(unsupported("primary-key tables".to_owned())
            .with_context("primary key", schema.primary_keys.join(", "))
            .with_context("merge engine", engine));
    }
    if options.data_evolution_enabled()? {
        return Err(unsupported("data evolution tables (option 'data-evolution.enabled')".to_owned()));
    }
    if options.row_tracking_enabled()? {
        return Err(unsupported("tables with row tracking (option 'row-tracking.enabled')".to_owned()));
    }
    if let Some(branch) = options.get("scan.fallback-branch") {
        return Err(unsupported(format!("tables that fall back to branch '{branch}' (option 'scan.fallback-branch')")));
    }
    match schema.fields.iter().find(|field| holds_blob(&field.data_type)) {
        Some(field) => Err(unsupported(format!("tables with BLOB columns ('{}')", field.name))),
        None => Ok(()),
    }
}

fn unsupported(what: String) -> Error {
    Error::unsupported(format!("reading {what} is not supported yet"))
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

#[cfg(test)]
mod tests {
    use paimon_spec::{DataField, ErrorKind};
    use rstest::rstest;

    use super::*;
    use crate::testkit::append_schema;

    #[rstest]
    #[case::object_table(&[("type", "object-table")], "reading tables of type 'object-table' is not supported yet")]
    #[case::data_evolution(
        &[("row-tracking.enabled", "true"), ("data-evolution.enabled", "true")],
        "reading data evolution tables (option 'data-evolution.enabled') is not supported yet"
    )]
    #[case::row_tracking(
        &[("row-tracking.enabled", "true")],
        "reading tables with row tracking (option 'row-tracking.enabled') is not supported yet"
    )]
    #[case::fallback(
        &[("scan.fallback-branch", "b")],
        "reading tables that fall back to branch 'b' (option 'scan.fallback-branch') is not supported yet"
    )]
    fn options_that_change_what_rows_are_are_refused(#[case] options: &[(&str, &str)], #[case] expected: &str) {
        let mut schema = append_schema(&[]);
        schema.options.extend(options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        let error = check_readable(&schema).unwrap_err();
        assert_eq!((error.kind(), error.message()), (ErrorKind::Unsupported, expected));
    }

    #[test]
    fn primary_key_tables_are_refused_by_name() {
        let mut schema = append_schema(&[]);
        schema.primary_keys = vec!["id".into()];
        let error = check_readable(&schema).unwrap_err();
        assert_eq!(error.message(), "reading primary-key tables is not supported yet");
        assert_eq!(error.context("primary key"), Some("id"));
    }

    #[test]
    fn blobs_are_refused_even_inside_other_types() {
        let mut schema = append_schema(&[]);
        let blobs = DataType::nullable(TypeKind::Array(Box::new(DataType::nullable(TypeKind::Blob))));
        schema.fields.push(DataField::new(9, "pictures", blobs));
        let error = check_readable(&schema).unwrap_err();
        assert_eq!(error.message(), "reading tables with BLOB columns ('pictures') is not supported yet");
    }

    #[test]
    fn append_tables_are_readable() {
        check_readable(&append_schema(&["p"])).unwrap();
    }
}
