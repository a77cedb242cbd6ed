//! Rows of primary-key tables as their data files hold them: a key, a sequence number, a kind, and the columns.

use std::fmt;

use crate::{DataField, DataType, Error, FieldId, Result, SYSTEM_FIELD_ID_START, TableSchema, TypeKind};

/// What a row does to its key (Java `RowKind`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RowKind {
    /// A new row, `+I`.
    Insert,
    /// What a row was before it changed, `-U`.
    UpdateBefore,
    /// What a row is after it changed, `+U`.
    UpdateAfter,
    /// The row is gone, `-D`.
    Delete,
}

impl RowKind {
    /// All kinds, by their codes.
    pub const ALL: [Self; 4] = [Self::Insert, Self::UpdateBefore, Self::UpdateAfter, Self::Delete];

    /// The number that stands for it in the column `_VALUE_KIND`.
    pub fn code(self) -> i8 {
        match self {
            Self::Insert => 0,
            Self::UpdateBefore => 1,
            Self::UpdateAfter => 2,
            Self::Delete => 3,
        }
    }

    /// The inverse of [`Self::code`].
    ///
    /// # Errors
    /// `CorruptData` for any other number.
    pub fn from_code(code: i8) -> Result<Self> {
        let kind = usize::try_from(code).ok().and_then(|code| Self::ALL.get(code).copied());
        kind.ok_or_else(|| Error::corrupt(format!("expected 0, 1, 2 or 3 as {VALUE_KIND}, found {code}")))
    }

    /// The text that stands for it in a column of row kinds: `+I`, `-U`, `+U`, `-D`.
    pub fn text(self) -> &'static str {
        match self {
            Self::Insert => "+I",
            Self::UpdateBefore => "-U",
            Self::UpdateAfter => "+U",
            Self::Delete => "-D",
        }
    }

    /// The inverse of [`Self::text`], in any case; `None` for other texts.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.text().eq_ignore_ascii_case(text))
    }

    /// Whether it takes something back: `-U` and `-D`.
    pub fn is_retract(self) -> bool {
        matches!(self, Self::UpdateBefore | Self::Delete)
    }
}

impl fmt::Display for RowKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// What the names of key columns in data files start with: `_KEY_<column>`.
pub const KEY_PREFIX: &str = "_KEY_";

/// Characters or bytes of the bounds in the statistics of keys, whatever the table's options say.
pub const KEY_STATS_LENGTH: usize = 128;

/// The column of sequence numbers, BIGINT NOT NULL: in one bucket, what was written later has the greater one.
pub const SEQUENCE_NUMBER: &str = "_SEQUENCE_NUMBER";

/// The column of row kinds, TINYINT NOT NULL; see [`RowKind::code`].
pub const VALUE_KIND: &str = "_VALUE_KIND";

/// The id of [`SEQUENCE_NUMBER`].
pub const SEQUENCE_NUMBER_ID: FieldId = FieldId::MAX - 1;

/// The id of [`VALUE_KIND`].
pub const VALUE_KIND_ID: FieldId = FieldId::MAX - 2;

/// The column [`SEQUENCE_NUMBER`].
pub fn sequence_number_field() -> DataField {
    DataField::new(SEQUENCE_NUMBER_ID, SEQUENCE_NUMBER, DataType::not_null(TypeKind::BigInt))
}

/// The column [`VALUE_KIND`].
pub fn value_kind_field() -> DataField {
    DataField::new(VALUE_KIND_ID, VALUE_KIND, DataType::not_null(TypeKind::TinyInt))
}

impl TableSchema {
    /// The columns by which rows are merged and files are sorted: the primary key without partition columns, in the
    /// order of the key. Empty for tables without a primary key.
    pub fn key_fields(&self) -> Vec<DataField> {
        // That the columns exist holds for every schema that was decoded or created.
        self.trimmed_primary_keys().into_iter().filter_map(|key| self.field(key)).cloned().collect()
    }

    /// The columns of a data file of a primary-key table, in order (Java `KeyValue.schema`, `SpecialFields`): the key as
    /// `_KEY_<column>` unless `thin`, [`SEQUENCE_NUMBER`], [`VALUE_KIND`], and all columns of the table.
    pub fn key_value_file_fields(&self, thin: bool) -> Vec<DataField> {
        let keys = if thin { Vec::new() } else { self.key_fields() };
        let keys = keys.into_iter().map(|key| {
            // Ids of columns are below the start of system ids, so the sum fits.
            let id = SYSTEM_FIELD_ID_START.saturating_add(key.id);
            DataField::new(id, format!("{KEY_PREFIX}{}", key.name), key.data_type)
        });
        keys.chain([sequence_number_field(), value_kind_field()]).chain(self.fields.iter().cloned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Schema;
    use rstest::rstest;

    #[rstest]
    #[case(RowKind::Insert, 0, "+I", false)]
    #[case(RowKind::UpdateBefore, 1, "-U", true)]
    #[case(RowKind::UpdateAfter, 2, "+U", false)]
    #[case(RowKind::Delete, 3, "-D", true)]
    fn kinds_have_javas_codes_and_texts(
        #[case] kind: RowKind,
        #[case] code: i8,
        #[case] text: &str,
        #[case] retract: bool,
    ) {
        assert_eq!((kind.code(), kind.text(), kind.is_retract()), (code, text, retract));
        assert_eq!(RowKind::from_code(code).unwrap(), kind);
        assert_eq!(RowKind::from_text(&text.to_lowercase()), Some(kind));
    }

    #[test]
    fn other_codes_and_texts_are_no_kinds() {
        for code in [-1, 4, i8::MIN, i8::MAX] {
            assert_eq!(RowKind::from_code(code).unwrap_err().kind(), crate::ErrorKind::CorruptData);
        }
        for text in ["", "I", "+I ", "insert", "+D"] {
            assert_eq!(RowKind::from_text(text), None);
        }
    }

    #[test]
    fn files_hold_the_key_in_its_own_order_then_the_row() {
        let schema = Schema::from_json(
            r#"{"fields": [{"name": "v", "type": "INT"}, {"name": "a", "type": "STRING NOT NULL"},
                           {"name": "day", "type": "DATE NOT NULL"}, {"name": "b", "type": "INT NOT NULL"}],
                "partitionKeys": ["day"], "primaryKeys": ["b", "day", "a"], "options": {"bucket": "1"}}"#,
        );
        let table = TableSchema::create(schema.unwrap(), 0).unwrap();
        let names = |thin| {
            let fields = table.key_value_file_fields(thin);
            fields.into_iter().map(|f| format!("{} {}", f.id, f.name)).collect::<Vec<_>>()
        };
        let row = ["2147483646 _SEQUENCE_NUMBER", "2147483645 _VALUE_KIND", "0 v", "1 a", "2 day", "3 b"];
        assert_eq!(names(true), row);
        assert_eq!(names(false), [["1073741826 _KEY_b", "1073741824 _KEY_a"].as_slice(), &row].concat());
        let keys = table.key_value_file_fields(false).into_iter().take(2).map(|f| f.data_type).collect::<Vec<_>>();
        assert_eq!(keys, table.key_fields().into_iter().map(|f| f.data_type).collect::<Vec<_>>());
    }
}
