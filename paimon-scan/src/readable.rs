//! Which tables can be read.

use paimon_spec::{DataField, Error, MergeOptions, Result, TableSchema, check_merge_supported};

/// Refuses tables whose rows this build cannot give completely and correctly.
///
/// # Errors
/// `Unsupported`, naming the kind of table: tables with BLOB columns and a primary key, or without data evolution, or with
/// BLOB inside other types than ARRAY and MAP, tables whose option `type` is not `table`, chain tables, tables that fall
/// back to another branch, tables that merge what is not in a bucket yet, and what [`MergeOptions::of`] and
/// [`check_merge_supported`] refuse.
/// `CorruptData` or `InvalidInput` when an option cannot be parsed.
pub fn check_readable(schema: &TableSchema) -> Result<()> {
    let options = schema.table_options();
    if options.table_type() != "table" {
        return Err(unsupported(format!("tables of type '{}'", options.table_type())));
    }
    if !schema.primary_keys.is_empty() {
        MergeOptions::of(schema)?;
        check_merge_supported(schema)?;
    }
    if let Some(option) = ["chain-table.enabled", "postpone.merge-on-read"]
        .into_iter()
        .find(|option| options.get(option).is_some_and(|value| value.eq_ignore_ascii_case("true")))
    {
        return Err(unsupported(format!("tables with option '{option}' = 'true'")));
    }
    if let Some(branch) = options.get("scan.fallback-branch") {
        return Err(unsupported(format!("tables that fall back to branch '{branch}' (option 'scan.fallback-branch')")));
    }
    let Some(blob) = schema.fields.iter().find(|field| field.data_type.holds_blob()) else { return Ok(()) };
    let refuse = |tables: &str| Err(unsupported(format!("{tables} with BLOB columns ('{}')", blob.name)));
    if !schema.primary_keys.is_empty() {
        return refuse("primary-key tables");
    }
    if !options.data_evolution_enabled()? {
        return refuse("tables without data evolution (option 'data-evolution.enabled')");
    }
    let is_nested = |field: &&DataField| field.data_type.holds_blob() && schema.blob_storage(field).is_none();
    match schema.fields.iter().find(is_nested) {
        Some(field) => Err(unsupported(format!("BLOB inside the type of column '{}'", field.name))),
        None => Ok(()),
    }
}

fn unsupported(what: String) -> Error {
    Error::unsupported(format!("reading {what} is not supported yet"))
}

#[cfg(test)]
mod tests {
    use paimon_spec::{DataField, DataType, ErrorKind, TypeKind};
    use rstest::rstest;

    use super::*;
    use crate::testkit::{append_schema, keyed_schema};

    #[rstest]
    #[case::object_table(&[("type", "object-table")], "reading tables of type 'object-table' is not supported yet")]
    #[case::chain(
        &[("chain-table.enabled", "true")],
        "reading tables with option 'chain-table.enabled' = 'true' is not supported yet"
    )]
    #[case::postponed_rows(
        &[("postpone.merge-on-read", "TRUE")],
        "reading tables with option 'postpone.merge-on-read' = 'true' is not supported yet"
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

    fn array_of(kind: TypeKind) -> TypeKind {
        TypeKind::Array(Box::new(DataType::nullable(kind)))
    }

    const EVOLVING: &[(&str, &str)] = &[("row-tracking.enabled", "true"), ("data-evolution.enabled", "true")];

    #[rstest]
    #[case::tracked_rows(&[("row-tracking.enabled", "true")], TypeKind::Int, None)]
    #[case::blobs(EVOLVING, TypeKind::Blob, None)]
    #[case::lists_of_blobs(EVOLVING, array_of(TypeKind::Blob), None)]
    #[case::lists_of_lists_of_blobs(
        EVOLVING,
        array_of(array_of(TypeKind::Blob)),
        Some("reading BLOB inside the type of column 'pictures' is not supported yet")
    )]
    #[case::without_data_evolution(
        &[],
        TypeKind::Blob,
        Some(
            "reading tables without data evolution (option 'data-evolution.enabled') with BLOB columns ('pictures') is \
             not supported yet"
        )
    )]
    fn blobs_are_columns_of_data_evolution_tables(
        #[case] options: &[(&str, &str)],
        #[case] kind: TypeKind,
        #[case] expected: Option<&str>,
    ) {
        let mut schema = append_schema(&[]);
        schema.options.extend(options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        schema.fields.push(DataField::new(9, "pictures", DataType::nullable(kind)));
        let found = check_readable(&schema);
        assert_eq!(found.as_ref().err().map(Error::message), expected);
        assert!(found.is_ok() || found.unwrap_err().kind() == ErrorKind::Unsupported);
    }

    #[test]
    fn blobs_of_primary_key_tables_are_refused() {
        let mut schema = keyed_schema(&[]);
        schema.fields.push(DataField::new(9, "picture", DataType::nullable(TypeKind::Blob)));
        let error = check_readable(&schema).unwrap_err();
        assert_eq!(error.message(), "reading primary-key tables with BLOB columns ('picture') is not supported yet");
    }

    #[test]
    fn append_tables_are_readable() {
        check_readable(&append_schema(&["p"])).unwrap();
    }

    #[rstest]
    #[case::dynamic_buckets("-1")]
    #[case::postponed_buckets("-2")]
    #[case::fixed_buckets("2")]
    fn primary_key_tables_are_readable_however_rows_find_their_bucket(#[case] bucket: &str) {
        check_readable(&keyed_schema(&[("bucket", bucket)])).unwrap();
    }

    #[test]
    fn a_primary_key_table_whose_rows_are_not_merged_by_key_alone_is_refused() {
        let error = check_readable(&keyed_schema(&[("pk-clustering-override", "true")])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }
}
