use paimon_spec::{Datum, Schema, TypeKind};
use rstest::rstest;

use super::*;

fn layout(options: &[(&str, &str)]) -> StatsLayout {
    let schema = Schema {
        fields: vec![
            DataField::new(0, "id", DataType::not_null(TypeKind::Int)),
            DataField::new(1, "note", DataType::string()),
        ],
        options: options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        ..Schema::default()
    };
    let schema = TableSchema::create(schema, 0).unwrap();
    StatsLayout::of(&schema, &schema.fields).unwrap()
}

fn known(min: Datum, max: Datum) -> ColumnStats {
    ColumnStats { min: Some(min), max: Some(max), null_count: Some(3) }
}

fn stats() -> Vec<ColumnStats> {
    let text = |text: &str| Datum::String(text.to_owned());
    vec![known(Datum::Int(1), Datum::Int(9)), known(text("abcdefghijklmnopqrst"), text("zzzzzzzzzzzzzzzzzzzz"))]
}

const TYPES: fn() -> [DataType; 2] = || [DataType::nullable(TypeKind::Int), DataType::string()];

#[test]
fn bounds_are_cut_to_16_characters_by_default() {
    let (stats, columns) = layout(&[]).apply(&stats()).unwrap();
    assert_eq!(columns, None, "all columns are there");
    let text = |text: &str| Some(Datum::String(text.to_owned()));
    assert_eq!(stats.min_values.values(&TYPES()).unwrap(), [Some(Datum::Int(1)), text("abcdefghijklmnop")]);
    assert_eq!(stats.max_values.values(&TYPES()).unwrap(), [Some(Datum::Int(9)), text("zzzzzzzzzzzzzzz{")]);
    assert_eq!(stats.null_counts, [Some(3), Some(3)]);
}

#[rstest]
#[case::nothing_at_all(&[("metadata.stats-mode", "none")], Some(&[][..]))]
#[case::one_column(&[("fields.note.stats-mode", "none")], Some(&["id"][..]))]
#[case::the_first_columns(&[("metadata.stats-keep-first-n-columns", "1")], Some(&["id"][..]))]
#[case::a_column_by_its_own_mode(
    &[("metadata.stats-keep-first-n-columns", "0"), ("fields.note.stats-mode", "full")],
    Some(&["note"][..])
)]
#[case::whole_bounds(&[("metadata.stats-mode", "full")], None)]
#[case::counts_alone(&[("metadata.stats-mode", "counts")], None)]
#[case::not_dense(&[("metadata.stats-mode", "none"), ("metadata.stats-dense-store", "false")], None)]
fn columns_without_statistics_are_left_out(#[case] options: &[(&str, &str)], #[case] expected: Option<&[&str]>) {
    let (stats, columns) = layout(options).apply(&stats()).unwrap();
    let expected = expected.map(|names| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    assert_eq!(columns, expected);
    assert_eq!(stats.min_values.arity(), expected.map_or(2, |names| names.len()));
}

#[test]
fn counts_have_no_bounds() {
    let (stats, _) = layout(&[("metadata.stats-mode", "counts")]).apply(&stats()).unwrap();
    assert_eq!(stats.min_values.values(&TYPES()).unwrap(), [None, None]);
    assert_eq!(stats.null_counts, [Some(3), Some(3)]);
}

#[test]
fn a_maximum_that_cannot_be_cut_takes_the_minimum_with_it() {
    let text = |text: String| Datum::String(text);
    let highest = known(text("a".to_owned()), text("\u{10FFFF}".repeat(17)));
    let cut = cut(Some(&highest), StatsMode::Truncate(16));
    assert_eq!(cut, ColumnStats { min: None, max: None, null_count: Some(3) });
}

#[test]
fn a_column_that_the_format_knows_nothing_of_is_left_out() {
    let (_, columns) = layout(&[]).apply(&[ColumnStats::default(), stats().remove(1)]).unwrap();
    assert_eq!(columns, Some(vec!["note".to_owned()]));
}
