//! Partition paths and partition specs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::datum::{cast_text, legacy_text};
use crate::{BinaryRow, DataField, Datum, Error, Result, parse_datum};

/// `p1=v1/p2=v2/` with escaping ("" for no partition fields).
///
/// NULL, empty and blank values all have the name `default_name`: the path does not tell them apart, manifests do.
///
/// # Errors
/// `CorruptData` when `partition` is not a row of `fields`; as [`partition_text`].
pub fn partition_path(
    partition: &BinaryRow,
    fields: &[DataField],
    default_name: &str,
    legacy_name: bool,
) -> Result<String> {
    if partition.arity() != fields.len() {
        return Err(Error::corrupt(format!(
            "expected a partition of {} values, found {}",
            fields.len(),
            partition.arity()
        )));
    }
    let mut path = String::new();
    for (position, field) in fields.iter().enumerate() {
        let value = partition.get(position, &field.data_type)?;
        let text = partition_text(value.as_ref(), field, legacy_name)?;
        let text = text.as_deref().filter(|text| !text.chars().all(is_java_whitespace)).unwrap_or(default_name);
        escape_path_name(&field.name, &mut path);
        path.push('=');
        escape_path_name(text, &mut path);
        path.push('/');
    }
    Ok(path)
}

/// The text of a partition value (Java: legacy `toString`, or cast to string); `None` for NULL.
///
/// Timestamps with local time zone are written in UTC.
///
/// # Errors
/// `Unsupported` for BINARY values with legacy names.
pub fn partition_text(value: Option<&Datum>, field: &DataField, legacy_name: bool) -> Result<Option<String>> {
    let text = value.map(|value| if legacy_name { legacy_text(value) } else { cast_text(value, &field.data_type) });
    text.transpose().map_err(|error| error.with_context("partition column", &field.name))
}

/// Parses a user's partition spec (column -> text, default name = NULL) to position in `fields` -> value, in the order
/// of `fields`. The spec may leave columns out.
///
/// # Errors
/// `InvalidInput` for an unknown column and for a text that is no value of its column.
pub fn parse_partition_spec(
    spec: &BTreeMap<String, String>,
    fields: &[DataField],
    default_name: &str,
) -> Result<Vec<(usize, Option<Datum>)>> {
    if let Some(unknown) = spec.keys().find(|name| fields.iter().all(|field| field.name != **name)) {
        let columns: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
        return Err(Error::invalid(format!("expected a partition column ({}), found '{unknown}'", columns.join(", "))));
    }
    let mut values = Vec::with_capacity(spec.len());
    for (position, field) in fields.iter().enumerate() {
        let Some(text) = spec.get(&field.name) else { continue };
        let value = if text == default_name {
            None
        } else {
            let value = parse_datum(text, &field.data_type);
            Some(value.map_err(|error| error.with_context("partition column", &field.name))?)
        };
        values.push((position, value));
    }
    Ok(values)
}

/// Undoes the escaping of partition paths: `%XX` becomes the character of that code (Java
/// `PartitionPathUtils.unescapePathName`). A `%` without two hexadecimal digits after it stays.
pub fn unescape_path_name(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    let mut rest = name;
    while let Some((before, after)) = rest.split_once('%') {
        text.push_str(before);
        let code = after.get(..2).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        match code.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(code) => {
                text.push(char::from(code));
                rest = &after[2..];
            }
            None => {
                text.push('%');
                rest = after;
            }
        }
    }
    text.push_str(rest);
    text
}

fn escape_path_name(name: &str, path: &mut String) {
    for c in name.chars() {
        if needs_escape(c) {
            // Writing to a String does not fail.
            let _ = write!(path, "%{:02X}", u32::from(c));
        } else {
            path.push(c);
        }
    }
}

/// Java `Character.isWhitespace`: unlike [`char::is_whitespace`], without spaces that do not break, with the separators
/// U+001C to U+001F. Other engines look for files below the path that they compute, so it has to be theirs.
fn is_java_whitespace(c: char) -> bool {
    match c {
        '\u{1c}'..='\u{1f}' => true,
        '\u{85}' | '\u{a0}' | '\u{2007}' | '\u{202f}' => false,
        _ => c.is_whitespace(),
    }
}

fn needs_escape(c: char) -> bool {
    const SYMBOLS: &str = "\"#%'*/:=?\\{}[]^\u{7f}";
    c < ' ' || SYMBOLS.contains(c)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;
    use crate::{DataType, ErrorKind, Timestamp};

    fn fields(columns: &[(&str, &str)]) -> Vec<DataField> {
        let field = |(id, (name, data_type)): (usize, &(&str, &str))| {
            DataField::new(id.try_into().unwrap(), *name, DataType::parse(data_type).unwrap())
        };
        columns.iter().enumerate().map(field).collect()
    }

    fn path(columns: &[(&str, &str)], values: &[Option<Datum>], legacy_name: bool) -> Result<String> {
        let fields = fields(columns);
        let types: Vec<DataType> = fields.iter().map(|field| field.data_type.clone()).collect();
        let row = BinaryRow::from_values(values, &types).unwrap();
        partition_path(&row, &fields, "__DEFAULT_PARTITION__", legacy_name)
    }

    fn text(text: &str) -> Option<Datum> {
        Some(Datum::String(text.to_owned()))
    }

    #[rstest]
    #[case(text("2024-01-01"), "p=2024-01-01/")]
    #[case(text("a/b c%=é"), "p=a%2Fb c%25%3Dé/")]
    #[case(text("\"#'*:?\\{}[]^\u{7f}\t&+,"), "p=%22%23%27%2A%3A%3F%5C%7B%7D%5B%5D%5E%7F%09&+,/")]
    #[case(text("%2F"), "p=%252F/")]
    #[case(text(".."), "p=../")]
    #[case(text(""), "p=__DEFAULT_PARTITION__/")]
    #[case(text("  \t"), "p=__DEFAULT_PARTITION__/")]
    #[case(text("\u{1f}\u{3000}"), "p=__DEFAULT_PARTITION__/")]
    #[case(text("\u{a0}"), "p=\u{a0}/")]
    #[case(None, "p=__DEFAULT_PARTITION__/")]
    fn texts_are_escaped_and_blanks_have_the_default_name(#[case] value: Option<Datum>, #[case] expected: &str) {
        assert_eq!(path(&[("p", "STRING")], &[value], true).unwrap(), expected);
    }

    #[rstest]
    #[case("DATE", Datum::Date(19_724), "p=19724/", "p=2024-01-02/")]
    #[case("INT", Datum::Int(-7), "p=-7/", "p=-7/")]
    #[case("BOOLEAN", Datum::Boolean(true), "p=true/", "p=true/")]
    #[case("DECIMAL(10, 2)", Datum::Decimal { unscaled: 150, scale: 2 }, "p=1.50/", "p=1.50/")]
    #[case(
        "TIMESTAMP(3)",
        Datum::Timestamp(Timestamp::from_millis(1_704_164_640_000)),
        "p=2024-01-02T03%3A04/",
        "p=2024-01-02 03%3A04%3A00.000/"
    )]
    fn legacy_names_are_java_texts_and_others_are_casts(
        #[case] data_type: &str,
        #[case] value: Datum,
        #[case] legacy: &str,
        #[case] cast: &str,
    ) {
        let values = [Some(value)];
        assert_eq!(path(&[("p", data_type)], &values, true).unwrap(), legacy);
        assert_eq!(path(&[("p", data_type)], &values, false).unwrap(), cast);
    }

    #[test]
    fn columns_follow_in_order_and_their_names_are_escaped_too() {
        let columns = [("a=b", "INT"), ("c", "STRING")];
        assert_eq!(path(&columns, &[Some(Datum::Int(1)), text("x")], true).unwrap(), "a%3Db=1/c=x/");
        assert_eq!(path(&[], &[], true).unwrap(), "");
    }

    #[test]
    fn a_partition_of_another_arity_is_corrupt() {
        let error = partition_path(&BinaryRow::empty(), &fields(&[("p", "INT")]), "d", true).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CorruptData);
    }

    #[test]
    fn specs_are_parsed_by_type_and_the_default_name_is_null() {
        let fields = fields(&[("dt", "DATE"), ("h", "INT"), ("s", "STRING")]);
        let spec = [("h", "5"), ("dt", "19724"), ("s", "D")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        let values = parse_partition_spec(&spec.into(), &fields, "D").unwrap();
        assert_eq!(values, [(0, Some(Datum::Date(19_724))), (1, Some(Datum::Int(5))), (2, None)]);
    }

    #[rstest]
    #[case("x", "1", "expected a partition column (h), found 'x'")]
    #[case("h", "one", "found 'one'")]
    fn specs_that_do_not_fit_are_refused(#[case] column: &str, #[case] value: &str, #[case] reason: &str) {
        let spec = BTreeMap::from([(column.to_owned(), value.to_owned())]);
        let error = parse_partition_spec(&spec, &fields(&[("h", "INT")]), "D").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.message().contains(reason), "{error}");
    }

    #[rstest]
    #[case("a%2Fb c%25%3Dé", "a/b c%=é")]
    #[case("%2f", "/")]
    #[case("100%", "100%")]
    #[case("%zz%4", "%zz%4")]
    #[case("%+1", "%+1")]
    #[case("%é", "%é")]
    fn escapes_are_undone_and_other_percents_stay(#[case] name: &str, #[case] expected: &str) {
        assert_eq!(unescape_path_name(name), expected);
    }

    proptest! {
        #[test]
        fn unescaping_gives_the_name_back(name in "\\PC{0,12}|[%/=0-9A-F\\x00-\\x1f]{0,12}") {
            let mut escaped = String::new();
            escape_path_name(&name, &mut escaped);
            prop_assert!(!escaped.contains('/'));
            prop_assert_eq!(unescape_path_name(&escaped), name);
        }
    }
}
