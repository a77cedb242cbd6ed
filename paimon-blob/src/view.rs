//! A blob of another table, by its name, column and row id (Java `BlobViewStruct`).

use paimon_spec::{Error, FieldId, Result};

use crate::fields::Fields;

const VERSION: u8 = 1;

/// "BLOBVIEW", little-endian.
const MAGIC: u64 = 0x424C_4F42_5649_4557;

/// A blob of another table. The bytes hold no place in storage: whoever reads them looks the row up in that table.
///
/// Bytes: version, magic, the length of the table's name (i32), the name `db.table`, field id (i32), row id (i64), all
/// little-endian.
///
/// ```
/// use paimon_blob::BlobView;
///
/// let view = BlobView { table: "db.pictures", field: 3, row_id: 41 };
/// let bytes = view.encode();
/// assert!(BlobView::looks_like(&bytes));
/// assert_eq!(BlobView::decode(&bytes)?, view);
/// # Ok::<(), paimon_spec::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BlobView<'a> {
    /// The full name of the table, `db.table`.
    pub table: &'a str,
    /// The BLOB column.
    pub field: FieldId,
    /// The row's `_ROW_ID`.
    pub row_id: i64,
}

impl<'a> BlobView<'a> {
    /// Whether bytes that may be anything are a view: at least nine, version 1, and the magic. Asked before
    /// [`crate::BlobDescriptor::looks_like`].
    pub fn looks_like(bytes: &[u8]) -> bool {
        bytes.first() == Some(&VERSION) && bytes[1..].starts_with(&MAGIC.to_le_bytes())
    }

    /// Understands version 1, and nothing behind it.
    ///
    /// # Errors
    /// `CorruptData` when the bytes are no view, `Unsupported` when they are of a later version.
    pub fn decode(bytes: &'a [u8]) -> Result<Self> {
        let mut fields = Fields::new("blob view", bytes);
        match fields.u8()? {
            VERSION => fields.magic(MAGIC)?,
            0 => return Err(Error::corrupt("expected a blob view of version 1, found 0")),
            later => return Err(Error::unsupported(format!("expected a blob view of version 1, found {later}"))),
        }
        let table = fields.text()?;
        let field = fields.i32()?;
        let row_id = fields.i64()?;
        fields.end()?;
        if row_id < 0 {
            return Err(Error::corrupt(format!("expected a row id, found {row_id}")).with_context("table", table));
        }
        Ok(Self { table, field, row_id })
    }

    /// The bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(1 + 8 + 4 + self.table.len() + 4 + 8);
        bytes.push(VERSION);
        bytes.extend_from_slice(&MAGIC.to_le_bytes());
        bytes.extend_from_slice(&(self.table.len() as u32).to_le_bytes());
        bytes.extend_from_slice(self.table.as_bytes());
        bytes.extend_from_slice(&self.field.to_le_bytes());
        bytes.extend_from_slice(&self.row_id.to_le_bytes());
        bytes
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[test]
    fn the_bytes_are_those_of_pypaimon() {
        // pypaimon 2.1.0: BlobViewStruct(Identifier.from_string("d.t"), 3, 41).serialize().
        let bytes = b"\x01WEIVBOLB\x03\0\0\0d.t\x03\0\0\0\x29\0\0\0\0\0\0\0";
        let view = BlobView { table: "d.t", field: 3, row_id: 41 };
        assert_eq!(view.encode(), bytes);
        assert_eq!(BlobView::decode(bytes).unwrap(), view);
        assert!(BlobView::looks_like(bytes) && !crate::BlobDescriptor::looks_like(bytes));
    }

    #[rstest]
    #[case::nothing(b"", "found 0")]
    #[case::another_version(b"\x02WEIVBOLB", "version 1, found 2")]
    #[case::another_magic(b"\x01WEIVBOLX", "magic")]
    #[case::a_name_beyond_the_end(b"\x01WEIVBOLB\x09\0\0\0d.t", "9 bytes")]
    #[case::no_row(b"\x01WEIVBOLB\x03\0\0\0d.t\x03\0\0\0", "8 more bytes")]
    #[case::a_negative_row(b"\x01WEIVBOLB\x03\0\0\0d.t\x03\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff", "row id, found -1")]
    #[case::more_behind_it(b"\x01WEIVBOLB\x03\0\0\0d.t\x03\0\0\0\x29\0\0\0\0\0\0\0!", "1 more")]
    fn damaged_views_are_told(#[case] bytes: &[u8], #[case] text: &str) {
        let error = BlobView::decode(bytes).unwrap_err();
        assert!(error.to_string().contains(text), "{error}");
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(table in ".{0,20}", field: i32, row_id in 0..i64::MAX) {
            let view = BlobView { table: &table, field, row_id };
            let bytes = view.encode();
            prop_assert_eq!(BlobView::decode(&bytes).unwrap(), view);
        }

        #[test]
        fn any_bytes_get_an_answer(mut bytes in proptest::collection::vec(any::<u8>(), 0..60), marked: bool) {
            if marked {
                let mark = b"\x01WEIVBOLB";
                bytes.splice(..bytes.len().min(mark.len()), mark.iter().copied());
            }
            if let Ok(view) = BlobView::decode(&bytes) {
                prop_assert_eq!(view.encode(), bytes);
            }
        }
    }
}
