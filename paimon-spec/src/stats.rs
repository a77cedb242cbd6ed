//! Statistics of files.

use crate::{BinaryRow, BinaryRowWriter, DataType, Datum, Error, FieldId, Result, RowView, TableSchema, TypeKind};

/// Statistics of several columns as stored (`_KEY_STATS`, `_VALUE_STATS`, `_PARTITION_STATS`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimpleStats {
    /// Smallest values; NULL: unknown.
    pub min_values: BinaryRow,
    /// Largest values; NULL: unknown.
    pub max_values: BinaryRow,
    /// Null counts; `None`: unknown. Empty when the list itself is null.
    pub null_counts: Vec<Option<i64>>,
}

/// Statistics of one column of one file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ColumnStats {
    /// Not larger than any value; `None`: unknown.
    pub min: Option<Datum>,
    /// Not smaller than any value; `None`: unknown.
    pub max: Option<Datum>,
    /// Number of NULLs; `None`: unknown.
    pub null_count: Option<i64>,
}

impl ColumnStats {
    /// Whether nothing is known of the column.
    pub fn is_unknown(&self) -> bool {
        *self == Self::default()
    }
}

impl SimpleStats {
    /// Statistics of no columns.
    pub fn empty() -> Self {
        Self { min_values: BinaryRow::empty(), max_values: BinaryRow::empty(), null_counts: Vec::new() }
    }

    /// Statistics of these columns, all of them stored (Java `SimpleStatsConverter.toBinaryAllMode`).
    ///
    /// ```
    /// use paimon_spec::{ColumnStats, DataType, Datum, SimpleStats, TypeKind};
    ///
    /// let column = ColumnStats { min: Some(Datum::Int(1)), max: Some(Datum::Int(9)), null_count: Some(0) };
    /// let types = [DataType::nullable(TypeKind::Int)];
    /// let stats = SimpleStats::from_columns(std::slice::from_ref(&column), &types)?;
    /// assert_eq!(stats.column(0, &types[0])?, column);
    /// # Ok::<(), paimon_spec::Error>(())
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` when the numbers of columns and types differ or a bound is not a value of its type.
    pub fn from_columns(columns: &[ColumnStats], types: &[DataType]) -> Result<Self> {
        if columns.len() != types.len() {
            let (wanted, found) = (types.len(), columns.len());
            return Err(Error::invalid(format!("expected statistics of {wanted} columns, found {found}")));
        }
        let bounds = |bound: fn(&ColumnStats) -> Option<&Datum>| {
            let mut row = BinaryRowWriter::new(columns.len());
            for (pos, (column, data_type)) in columns.iter().zip(types).enumerate() {
                row.set_datum(pos, bound(column), data_type)?;
            }
            Ok(row.to_row())
        };
        Ok(Self {
            min_values: bounds(|column| column.min.as_ref())?,
            max_values: bounds(|column| column.max.as_ref())?,
            null_counts: columns.iter().map(|column| column.null_count).collect(),
        })
    }

    /// Statistics without the columns of which nothing is known, and the value of `_VALUE_STATS_COLS` that says so:
    /// `None` when all columns are there (Java `SimpleStatsConverter.toBinaryDenseMode`).
    ///
    /// # Errors
    /// As [`Self::from_columns`]; `InvalidInput` also when the number of names differs.
    pub fn dense(names: &[&str], columns: &[ColumnStats], types: &[DataType]) -> Result<(Self, Option<Vec<String>>)> {
        if names.len() != columns.len() || columns.len() != types.len() {
            let (wanted, found, typed) = (names.len(), columns.len(), types.len());
            return Err(Error::invalid(format!(
                "expected statistics and types of {wanted} columns, found {found} and {typed}"
            )));
        }
        if !columns.iter().any(ColumnStats::is_unknown) {
            return Ok((Self::from_columns(columns, types)?, None));
        }
        let known = || (0..columns.len()).filter(|pos| !columns[*pos].is_unknown());
        let names = known().map(|pos| names[pos].to_owned()).collect();
        let types: Vec<_> = known().map(|pos| types[pos].clone()).collect();
        let columns: Vec<_> = known().map(|pos| columns[pos].clone()).collect();
        Ok((Self::from_columns(&columns, &types)?, Some(names)))
    }

    /// Statistics of the column at `pos`. Bounds of nested types are unknown.
    ///
    /// # Errors
    /// `CorruptData` when a row has no such field or its value is not one of the type.
    pub fn column(&self, pos: usize, data_type: &DataType) -> Result<ColumnStats> {
        let null_count = self.null_counts.get(pos).copied().flatten();
        column_at(pos, data_type, self.min_values.view(), self.max_values.view(), null_count)
    }
}

/// The value statistics of one file, wherever they are stored.
pub(crate) struct FileStats<'a> {
    pub(crate) row_count: i64,
    pub(crate) min_values: RowView<'a>,
    pub(crate) max_values: RowView<'a>,
}

impl FileStats<'_> {
    /// Statistics of one column. What is not stored or cannot be decoded is unknown; a column that the file's schema
    /// does not have is all NULL.
    ///
    /// `place` tells where a column is among `_VALUE_STATS_COLS`, else `_WRITE_COLS`, as [`place`] does, or `None` when
    /// neither is there. `null_count` gives the null count at a place.
    pub(crate) fn column(
        &self,
        file_schema: &TableSchema,
        field: FieldId,
        place_of: impl FnOnce(&str) -> Option<(Option<usize>, usize)>,
        null_count: impl FnOnce(usize) -> Option<i64>,
    ) -> ColumnStats {
        let Some(column) = file_schema.field_by_id(field) else {
            return ColumnStats { min: None, max: None, null_count: Some(self.row_count) };
        };
        let (pos, len) = place_of(&column.name)
            .unwrap_or_else(|| place(file_schema.fields.iter().map(|field| field.name.as_str()), &column.name));
        // A writer may drop statistics without saying so (option `manifest.delete-file-drop-stats`).
        let covered = self.min_values.arity() == len && self.max_values.arity() == len;
        let Some(pos) = pos.filter(|_| covered) else {
            return ColumnStats::default();
        };
        let null_count = match column.data_type.kind {
            // Other writers count 0 where there are NULLs.
            TypeKind::Blob => None,
            _ => null_count(pos),
        };
        column_at(pos, &column.data_type, self.min_values, self.max_values, null_count).unwrap_or_default()
    }
}

/// Where `name` is among `names`, and how many there are.
pub(crate) fn place<'a>(names: impl Iterator<Item = &'a str>, name: &str) -> (Option<usize>, usize) {
    names.fold((None, 0), |(found, len), candidate| (found.or((candidate == name).then_some(len)), len + 1))
}

fn column_at(
    pos: usize,
    data_type: &DataType,
    min_values: RowView<'_>,
    max_values: RowView<'_>,
    null_count: Option<i64>,
) -> Result<ColumnStats> {
    if !has_bounds(&data_type.kind) {
        return Ok(ColumnStats { min: None, max: None, null_count });
    }
    Ok(ColumnStats { min: min_values.get(pos, data_type)?, max: max_values.get(pos, data_type)?, null_count })
}

/// Whether values of the type have an order in which statistics are kept.
fn has_bounds(kind: &TypeKind) -> bool {
    !matches!(
        kind,
        TypeKind::Variant
            | TypeKind::Blob
            | TypeKind::Geometry(_)
            | TypeKind::Geography(..)
            | TypeKind::Array(_)
            | TypeKind::Map(..)
            | TypeKind::Multiset(_)
            | TypeKind::Row(_)
            | TypeKind::Vector(..)
    )
}

/// `truncate(n)` of a lower bound: its first `n` characters (strings) or bytes.
pub fn truncate_min(value: Datum, n: usize) -> Datum {
    match value {
        Datum::String(mut text) => {
            text.truncate(prefix_len(&text, n));
            Datum::String(text)
        }
        Datum::Bytes(mut bytes) => {
            bytes.truncate(n);
            Datum::Bytes(bytes)
        }
        other => other,
    }
}

/// `truncate(n)` of an upper bound: cut and incremented; `None` when nothing can be incremented (then min is dropped
/// too).
///
/// ```
/// use paimon_spec::{Datum, truncate_max};
///
/// let text = |s: &str| Datum::String(s.into());
/// assert_eq!(truncate_max(text("paimon"), 3), Some(text("paj")));
/// assert_eq!(truncate_max(text("pai"), 3), Some(text("pai")));
/// ```
pub fn truncate_max(value: Datum, n: usize) -> Option<Datum> {
    match value {
        Datum::String(mut text) => {
            let keep = prefix_len(&text, n);
            if keep < text.len() {
                text.truncate(keep);
                let next = loop {
                    if let Some(next) = next_char(text.pop()?) {
                        break next;
                    }
                };
                text.push(next);
            }
            Some(Datum::String(text))
        }
        Datum::Bytes(mut bytes) => {
            if bytes.len() > n {
                bytes.truncate(n);
                let kept = bytes.iter().rposition(|byte| *byte != 0xff)?;
                bytes.truncate(kept + 1);
                bytes[kept] += 1;
            }
            Some(Datum::Bytes(bytes))
        }
        other => Some(other),
    }
}

/// Bytes of the first `n` characters.
fn prefix_len(text: &str, n: usize) -> usize {
    text.char_indices().nth(n).map_or(text.len(), |(at, _)| at)
}

/// The next character by code point, stepping over the surrogates, which UTF-8 cannot encode.
fn next_char(c: char) -> Option<char> {
    match c {
        '\u{d7ff}' => Some('\u{e000}'),
        c => char::from_u32(u32::from(c) + 1),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn text(value: &str) -> Datum {
        Datum::String(value.into())
    }

    #[rstest]
    #[case::short("a", 16, "a", Some("a"))]
    #[case::as_long("aaaa", 4, "aaaa", Some("aaaa"))]
    #[case::longer("aaaaa", 4, "aaaa", Some("aaab"))]
    #[case::characters_not_bytes("üüü", 2, "üü", Some("üý"))]
    #[case::beyond_the_basic_plane("😀😀😀", 2, "😀😀", Some("😀😁"))]
    #[case::carries("a\u{10ffff}b", 2, "a\u{10ffff}", Some("b"))]
    #[case::steps_over_the_surrogates("\u{d7ff}b", 1, "\u{d7ff}", Some("\u{e000}"))]
    #[case::nothing_above("\u{10ffff}\u{10ffff}\u{10ffff}", 2, "\u{10ffff}\u{10ffff}", None)]
    fn texts_are_cut_by_characters(
        #[case] value: &str,
        #[case] n: usize,
        #[case] min: &str,
        #[case] max: Option<&str>,
    ) {
        assert_eq!(truncate_min(text(value), n), text(min));
        assert_eq!(truncate_max(text(value), n), max.map(text));
    }

    #[rstest]
    #[case::short(&[1, 2], 2, &[1, 2], Some(vec![1, 2]))]
    #[case::longer(&[1, 2, 3], 2, &[1, 2], Some(vec![1, 3]))]
    #[case::carries(&[1, 0xff, 3], 2, &[1, 0xff], Some(vec![2]))]
    #[case::nothing_above(&[0xff, 0xff, 3], 2, &[0xff, 0xff], None)]
    fn bytes_are_cut_by_bytes(
        #[case] value: &[u8],
        #[case] n: usize,
        #[case] min: &[u8],
        #[case] max: Option<Vec<u8>>,
    ) {
        assert_eq!(truncate_min(Datum::Bytes(value.to_vec()), n), Datum::Bytes(min.to_vec()));
        assert_eq!(truncate_max(Datum::Bytes(value.to_vec()), n), max.map(Datum::Bytes));
    }

    #[test]
    fn numbers_are_not_cut() {
        assert_eq!(truncate_min(Datum::BigInt(i64::MIN), 1), Datum::BigInt(i64::MIN));
        assert_eq!(truncate_max(Datum::BigInt(i64::MAX), 1), Some(Datum::BigInt(i64::MAX)));
    }

    #[test]
    fn columns_of_which_nothing_is_known_are_left_out() {
        let int = DataType::nullable(TypeKind::Int);
        let array = DataType::nullable(TypeKind::Array(Box::new(int.clone())));
        let known = ColumnStats { min: Some(Datum::Int(1)), max: Some(Datum::Int(2)), null_count: Some(0) };
        let counted = ColumnStats { null_count: Some(3), ..ColumnStats::default() };
        let columns = [ColumnStats::default(), known.clone(), counted.clone()];
        let types = [int.clone(), int.clone(), array.clone()];
        let (stats, names) = SimpleStats::dense(&["a", "b", "c"], &columns, &types).unwrap();
        assert_eq!(names, Some(vec!["b".to_owned(), "c".to_owned()]));
        assert_eq!(stats.column(0, &int).unwrap(), known);
        assert_eq!(stats.column(1, &array).unwrap(), counted);
        assert_eq!(stats.null_counts.len(), 2);
    }

    #[test]
    fn no_names_are_stored_when_all_columns_are_there() {
        let counted = ColumnStats { null_count: Some(3), ..ColumnStats::default() };
        let (stats, names) = SimpleStats::dense(&["a"], std::slice::from_ref(&counted), &[DataType::string()]).unwrap();
        assert_eq!(names, None);
        assert_eq!(stats.column(0, &DataType::string()).unwrap(), counted);
        let (stats, names) = SimpleStats::dense(&["a"], &[ColumnStats::default()], &[DataType::string()]).unwrap();
        assert_eq!((stats, names), (SimpleStats::empty(), Some(vec![])));
    }

    #[test]
    fn statistics_and_types_are_of_as_many_columns() {
        assert!(SimpleStats::from_columns(&[], &[DataType::string()]).is_err());
        assert!(SimpleStats::dense(&["a"], &[], &[]).is_err());
    }

    proptest! {
        #[test]
        fn cut_texts_are_bounds(value in "[ab\u{d7ff}\u{e000}\u{ffff}\u{10000}\u{10ffff}]{0,8}", n in 1..6_usize) {
            let (Datum::String(min), max) = (truncate_min(text(&value), n), truncate_max(text(&value), n)) else {
                unreachable!("a text stays a text");
            };
            prop_assert!(min <= value);
            prop_assert!(min.chars().count() <= n);
            match max {
                Some(Datum::String(max)) => {
                    prop_assert!(max >= value);
                    prop_assert!(max.chars().count() <= n);
                }
                _ => prop_assert!(value.chars().take(n).all(|c| c == char::MAX)),
            }
        }

        #[test]
        fn cut_bytes_are_bounds(value in prop::collection::vec(prop_oneof![Just(0xff_u8), any::<u8>()], 0..8), n in 1..6_usize) {
            let (Datum::Bytes(min), max) = (truncate_min(Datum::Bytes(value.clone()), n), truncate_max(Datum::Bytes(value.clone()), n)) else {
                unreachable!("bytes stay bytes");
            };
            prop_assert!(min <= value && min.len() <= n);
            match max {
                Some(Datum::Bytes(max)) => prop_assert!(max >= value && max.len() <= n),
                _ => prop_assert!(value[..n].iter().all(|byte| *byte == 0xff)),
            }
        }
    }
}
