//! How BLOB columns are kept.

use crate::{DataField, TableSchema, TypeKind};

/// How the values of a BLOB column are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlobStorage {
    /// In `.blob` files beside the data files.
    File,
    /// As descriptors in data files: they say where the bytes are (option `blob-descriptor-field`).
    Descriptor,
    /// As references in data files to a column of a row of another table (option `blob-view-field`).
    View,
}

impl TableSchema {
    /// How the values of the column `field` are kept; `None` when it is no BLOB column.
    pub fn blob_storage(&self, field: &DataField) -> Option<BlobStorage> {
        if !field.data_type.is_blob() {
            return None;
        }
        let options = self.table_options();
        // Only BLOB itself can be kept in data files, not lists or maps.
        let listed =
            |columns: Vec<&str>| field.data_type.kind == TypeKind::Blob && columns.contains(&field.name.as_str());
        Some(if listed(options.blob_descriptor_fields()) {
            BlobStorage::Descriptor
        } else if listed(options.blob_view_fields()) {
            BlobStorage::View
        } else {
            BlobStorage::File
        })
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::schema::tests::schema;

    #[rstest]
    #[case("a", None)]
    #[case("b", Some(BlobStorage::File))]
    #[case("c", Some(BlobStorage::Descriptor))]
    #[case("d", Some(BlobStorage::View))]
    #[case("e", Some(BlobStorage::File))]
    #[case("f", Some(BlobStorage::File))]
    fn options_say_how_blobs_are_kept(#[case] name: &str, #[case] expected: Option<BlobStorage>) {
        let columns = [
            ("a", "BYTES"),
            ("b", "BLOB"),
            ("c", "BLOB"),
            ("d", "BLOB"),
            ("e", "ARRAY<BLOB>"),
            ("f", "MAP<INT, BLOB>"),
        ];
        let options = [
            ("row-tracking.enabled", "true"),
            ("data-evolution.enabled", "true"),
            ("blob.stored-descriptor-fields", " c ,"),
            ("blob-view-field", "d"),
        ];
        let table = TableSchema::create(schema(&columns, &options), 0).unwrap();
        assert_eq!(table.blob_storage(table.field(name).unwrap()), expected);
    }
}
