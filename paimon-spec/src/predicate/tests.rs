use std::collections::BTreeMap;

use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::{ColumnStats, DataField, DataType, Schema, TableSchema, Timestamp, TypeKind};

const INT: FieldId = 0;
const TEXT: FieldId = 1;
const DOUBLE: FieldId = 2;

type Row = [Option<Datum>; 3];

fn value_of(row: &Row) -> impl Fn(FieldId) -> Option<Datum> + '_ {
    |field| row[field as usize].clone()
}

fn doubles() -> impl Strategy<Value = f64> {
    prop_oneof![
        Just(f64::NAN),
        Just(-f64::NAN),
        Just(-0.0),
        Just(0.0),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
        (-2i8..3).prop_map(f64::from),
    ]
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof!["[ab]{0,3}", "[a\u{e9}\u{ffff}\u{10000}]{0,2}"]
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let row = (proptest::option::of(-3i32..4), proptest::option::of(texts()), proptest::option::of(doubles()))
        .prop_map(|(int, text, double)| [int.map(Datum::Int), text.map(Datum::String), double.map(Datum::Double)]);
    proptest::collection::vec(row, 0..5)
}

fn ops() -> impl Strategy<Value = CompareOp> {
    use CompareOp::*;
    prop::sample::select(vec![Eq, NotEq, Lt, LtEq, Gt, GtEq])
}

fn leaves() -> impl Strategy<Value = Predicate> {
    let int = || (-4i32..5).prop_map(Datum::Int);
    let text = || texts().prop_map(Datum::String);
    let double = || doubles().prop_map(Datum::Double);
    prop_oneof![
        (0i32..3).prop_map(|field| Predicate::leaf(field, Test::IsNull)),
        (0i32..3).prop_map(|field| Predicate::leaf(field, Test::IsNotNull)),
        (ops(), int()).prop_map(|(op, literal)| Predicate::compare(INT, op, literal)),
        (ops(), text()).prop_map(|(op, literal)| Predicate::compare(TEXT, op, literal)),
        (ops(), double()).prop_map(|(op, literal)| Predicate::compare(DOUBLE, op, literal)),
        proptest::collection::vec(int(), 0..3).prop_map(|literals| Predicate::leaf(INT, Test::In(literals))),
        proptest::collection::vec(text(), 0..3).prop_map(|literals| Predicate::leaf(TEXT, Test::In(literals))),
        proptest::collection::vec(double(), 0..3).prop_map(|literals| Predicate::leaf(DOUBLE, Test::In(literals))),
        texts().prop_map(|prefix| Predicate::leaf(TEXT, Test::StartsWith(prefix))),
        texts().prop_map(|suffix| Predicate::leaf(TEXT, Test::EndsWith(suffix))),
        texts().prop_map(|part| Predicate::leaf(TEXT, Test::Contains(part))),
        // Literals of another type: unknown for every value.
        ops().prop_map(|op| Predicate::compare(TEXT, op, Datum::Int(1))),
        any::<bool>().prop_map(Predicate::Constant),
        Just(Predicate::Unknown),
    ]
}

fn predicates() -> impl Strategy<Value = Predicate> {
    leaves().prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Predicate::And),
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Predicate::Or),
            inner.prop_map(|inner| Predicate::Not(Box::new(inner))),
        ]
    })
}

/// How a writer may describe a column: without some parts, with cut text, with zeros of either sign.
#[derive(Debug, Clone, Copy)]
struct Writer {
    min: bool,
    max: bool,
    nulls: bool,
    truncate: bool,
    zero_is_positive: bool,
}

fn writers() -> impl Strategy<Value = Writer> {
    any::<(bool, bool, bool, bool, bool)>().prop_map(|(min, max, nulls, truncate, zero_is_positive)| Writer {
        min,
        max,
        nulls,
        truncate,
        zero_is_positive,
    })
}

/// Statistics as Parquet writers make them: NaN left out of the bounds.
fn stats_of(rows: &[Row], field: FieldId, writer: Writer) -> ColumnStats {
    let column = || rows.iter().filter_map(|row| row[field as usize].clone());
    let mut values: Vec<_> = column().filter(|value| !matches!(value, Datum::Double(v) if v.is_nan())).collect();
    values.sort_by(|a, b| compare(a, b).unwrap());
    let zero = |value: Datum| match value {
        Datum::Double(0.0) => Datum::Double(if writer.zero_is_positive { 0.0 } else { -0.0 }),
        value => value,
    };
    let (mut min, mut max) = (values.first().cloned().map(zero), values.last().cloned().map(zero));
    if writer.truncate {
        if let Some(Datum::String(text)) = &mut min {
            *text = text.chars().take(1).collect();
        }
        if let Some(Datum::String(text)) = &mut max
            && text.chars().count() > 1
        {
            *text = text.chars().take(1).map(|c| char::from_u32(c as u32 + 1).unwrap()).collect();
        }
    }
    ColumnStats {
        min: min.filter(|_| writer.min),
        max: max.filter(|_| writer.max),
        null_count: writer.nulls.then_some((rows.len() - column().count()) as i64),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_verdict_never_contradicts_the_rows(predicate in predicates(), rows in rows(), writer in writers()) {
        let verdict = predicate.verdict(rows.len() as i64, &|field| stats_of(&rows, field, writer));
        let passes = |row: &Row| predicate.evaluate(&value_of(row)) == Some(true);
        match verdict {
            Verdict::None => prop_assert!(!rows.iter().any(passes)),
            Verdict::All => prop_assert!(rows.iter().all(passes)),
            Verdict::Maybe => {}
        }
    }

    #[test]
    fn negation_flips_true_and_false_and_keeps_unknown(predicate in predicates(), rows in rows()) {
        let negated = predicate.clone().negate();
        for row in &rows {
            prop_assert_eq!(negated.evaluate(&value_of(row)), predicate.evaluate(&value_of(row)).map(|value| !value));
        }
    }

    #[test]
    fn folding_keeps_the_meaning(parts in proptest::collection::vec(predicates(), 0..4), rows in rows()) {
        for row in &rows {
            let row = value_of(row);
            prop_assert_eq!(
                Predicate::and(parts.clone()).evaluate(&row),
                Predicate::And(parts.clone()).evaluate(&row)
            );
            prop_assert_eq!(Predicate::or(parts.clone()).evaluate(&row), Predicate::Or(parts.clone()).evaluate(&row));
        }
    }

    #[test]
    fn the_part_on_some_columns_passes_every_row_that_the_whole_passes(predicate in predicates(), rows in rows()) {
        for fields in [&[INT][..], &[TEXT, DOUBLE], &[]] {
            let Some(part) = predicate.only_on(fields) else { continue };
            prop_assert!(part.fields().iter().all(|field| fields.contains(field)));
            for row in rows.iter().filter(|row| predicate.evaluate(&value_of(row)) == Some(true)) {
                prop_assert_eq!(part.evaluate(&value_of(row)), Some(true));
            }
        }
    }

    #[test]
    fn substituting_known_columns_keeps_the_meaning(predicate in predicates(), rows in rows()) {
        for row in &rows {
            let rest = predicate.substitute(&|field| (field != TEXT).then(|| row[field as usize].clone()));
            prop_assert!(rest.fields().iter().all(|field| *field == TEXT));
            prop_assert_eq!(rest.evaluate(&value_of(row)), predicate.evaluate(&value_of(row)));
        }
    }
}

#[test]
fn text_compares_by_bytes_and_not_by_utf16_units() {
    let (bmp, astral) = (Datum::String("\u{ffff}".into()), Datum::String("\u{10000}".into()));
    assert_eq!(compare(&bmp, &astral), Some(Ordering::Less));
}

#[rstest]
#[case::equal_outside(CompareOp::Eq, 9.0, Verdict::None)]
#[case::equal_inside(CompareOp::Eq, 2.0, Verdict::Maybe)]
#[case::positive_nan_may_be_above(CompareOp::Gt, 9.0, Verdict::Maybe)]
#[case::negative_nan_may_be_below(CompareOp::Lt, -9.0, Verdict::Maybe)]
#[case::nan_may_be_unequal(CompareOp::NotEq, 1.0, Verdict::Maybe)]
#[case::nan_is_never_certain_to_be_absent(CompareOp::LtEq, 3.0, Verdict::Maybe)]
#[case::nan_may_be_there(CompareOp::Eq, f64::NAN, Verdict::Maybe)]
fn float_bounds_say_nothing_about_nan(#[case] op: CompareOp, #[case] literal: f64, #[case] expected: Verdict) {
    let stats = ColumnStats { min: Some(Datum::Double(1.0)), max: Some(Datum::Double(3.0)), null_count: Some(0) };
    let predicate = Predicate::compare(DOUBLE, op, Datum::Double(literal));
    assert_eq!(predicate.verdict(10, &|_| stats.clone()), expected);
}

#[rstest]
#[case::apart(4.0, 5.0, Verdict::None)]
#[case::touching(3.0, 5.0, Verdict::Maybe)]
#[case::to_nan(4.0, f64::NAN, Verdict::Maybe)]
fn a_float_range_with_two_ends_is_pruned(#[case] low: f64, #[case] high: f64, #[case] expected: Verdict) {
    let stats = ColumnStats { min: Some(Datum::Double(1.0)), max: Some(Datum::Double(3.0)), null_count: Some(0) };
    let between = Predicate::and([
        Predicate::compare(DOUBLE, CompareOp::GtEq, Datum::Double(low)),
        Predicate::compare(DOUBLE, CompareOp::LtEq, Datum::Double(high)),
    ]);
    assert_eq!(between.verdict(10, &|_| stats.clone()), expected);
}

#[rstest]
#[case::all_start_with_it("ab", "abz", Verdict::All)]
#[case::the_largest_is_the_prefix("aa", "ab", Verdict::Maybe)]
#[case::the_smallest_is_the_prefix("ab", "b", Verdict::Maybe)]
#[case::around("a", "b", Verdict::Maybe)]
#[case::all_below("a", "aa", Verdict::None)]
#[case::all_above("ac", "b", Verdict::None)]
fn a_prefix_is_looked_for_between_the_bounds(#[case] min: &str, #[case] max: &str, #[case] expected: Verdict) {
    let bound = |text: &str| Some(Datum::String(text.into()));
    let stats = ColumnStats { min: bound(min), max: bound(max), null_count: Some(0) };
    let predicate = Predicate::leaf(TEXT, Test::StartsWith("ab".into()));
    assert_eq!(predicate.verdict(10, &|_| stats.clone()), expected);
}

#[test]
fn statistics_that_contradict_themselves_prune_nothing() {
    let stats = ColumnStats { min: Some(Datum::Int(9)), max: Some(Datum::Int(1)), null_count: Some(-5) };
    for test in [Test::IsNull, Test::IsNotNull, Test::Compare(CompareOp::Eq, Datum::Int(5))] {
        assert_eq!(Predicate::leaf(INT, test).verdict(3, &|_| stats.clone()), Verdict::Maybe);
    }
}

#[test]
fn missing_statistics_give_maybe() {
    for test in [Test::IsNull, Test::IsNotNull, Test::Compare(CompareOp::Lt, Datum::Int(5)), Test::In(vec![])] {
        let verdict = Predicate::leaf(INT, test.clone()).verdict(3, &|_| ColumnStats::default());
        let expected = if test == Test::In(vec![]) { Verdict::None } else { Verdict::Maybe };
        assert_eq!(verdict, expected, "{test:?}");
    }
}

// ---- binding

fn column(kind: TypeKind) -> DataField {
    DataField::new(INT, "c", DataType::nullable(kind))
}

fn bound(kind: TypeKind, method: Method, literals: &[Literal]) -> Option<Predicate> {
    bind(&column(kind), method, literals).unwrap()
}

fn eq(literal: Datum) -> Predicate {
    Predicate::compare(INT, CompareOp::Eq, literal)
}

fn never() -> Predicate {
    Predicate::leaf(INT, Test::In(vec![]))
}

fn string(text: &str) -> Literal {
    Literal::String(text.into())
}

fn instant(nanos: i128, utc: bool) -> Literal {
    Literal::Timestamp { nanos, utc }
}

const DAY: i128 = 86_400_000_000_000;

#[rstest]
#[case::fraction(TypeKind::Int, Literal::Float(1.5), Some(never()))]
#[case::whole_float(TypeKind::Int, Literal::Float(2.0), Some(eq(Datum::Int(2))))]
#[case::out_of_range(TypeKind::TinyInt, Literal::Int(300), Some(never()))]
#[case::float_too_large_to_be_exact(TypeKind::BigInt, Literal::Float(9_007_199_254_740_992.0), None)]
#[case::integer_too_large_for_double(TypeKind::Double, Literal::Int((1 << 53) + 1), None)]
#[case::integer_on_double(TypeKind::Double, Literal::Int(3), Some(eq(Datum::Double(3.0))))]
#[case::not_a_float32(TypeKind::Float, Literal::Float(0.1), Some(never()))]
#[case::float32(TypeKind::Float, Literal::Float(0.5), Some(eq(Datum::Float(0.5))))]
#[case::decimal_rescaled(
    TypeKind::Decimal { precision: 10, scale: 2 },
    Literal::Decimal { unscaled: 1500, scale: 3 },
    Some(eq(Datum::Decimal { unscaled: 150, scale: 2 }))
)]
#[case::decimal_of_negative_scale(
    TypeKind::Decimal { precision: 10, scale: 2 },
    Literal::Decimal { unscaled: 2, scale: -3 },
    Some(eq(Datum::Decimal { unscaled: 200_000, scale: 2 }))
)]
#[case::decimal_with_more_digits(
    TypeKind::Decimal { precision: 10, scale: 2 },
    Literal::Decimal { unscaled: 1501, scale: 3 },
    Some(never())
)]
#[case::float_on_decimal(TypeKind::Decimal { precision: 10, scale: 2 }, Literal::Float(1.5), None)]
#[case::midnight_on_date(TypeKind::Date, instant(2 * DAY, false), Some(eq(Datum::Date(2))))]
#[case::noon_on_date(TypeKind::Date, instant(DAY / 2, false), None)]
#[case::instant_on_date(TypeKind::Date, instant(0, true), None)]
#[case::date_on_timestamp(
    TypeKind::Timestamp(6),
    Literal::Date(-1),
    Some(eq(Datum::Timestamp(Timestamp { millis: -86_400_000, nanos_of_milli: 0 })))
)]
#[case::before_1970(
    TypeKind::Timestamp(9),
    instant(-1, false),
    Some(eq(Datum::Timestamp(Timestamp { millis: -1, nanos_of_milli: 999_999 })))
)]
#[case::wall_clock_on_instants(TypeKind::TimestampLtz(6), instant(0, false), None)]
#[case::instant_on_wall_clock(TypeKind::Timestamp(6), instant(0, true), None)]
#[case::text_on_timestamp(TypeKind::Timestamp(6), string("2024-01-01"), None)]
#[case::text_on_date(TypeKind::Date, string("2024-01-01"), None)]
#[case::number_on_text(TypeKind::VarChar(9), Literal::Int(1), None)]
#[case::number_on_boolean(TypeKind::Boolean, Literal::Int(1), None)]
#[case::half_a_milli(TypeKind::Time(3), Literal::Time { nanos: 500_000 }, Some(never()))]
#[case::null(TypeKind::Int, Literal::Null, Some(Predicate::Unknown))]
#[case::nested(TypeKind::Array(Box::new(DataType::string())), string("a"), None)]
fn equality_binds_exactly_or_not_at_all(
    #[case] kind: TypeKind,
    #[case] literal: Literal,
    #[case] expected: Option<Predicate>,
) {
    assert_eq!(bound(kind, Method::Compare(CompareOp::Eq), &[literal]), expected);
}

#[rstest]
#[case("abc", Some(Test::Compare(CompareOp::Eq, Datum::String("abc".into()))))]
#[case("abc%", Some(Test::StartsWith("abc".into())))]
#[case("%abc", Some(Test::EndsWith("abc".into())))]
#[case("%abc%", Some(Test::Contains("abc".into())))]
#[case("%", Some(Test::Contains(String::new())))]
#[case("", Some(Test::Compare(CompareOp::Eq, Datum::String(String::new()))))]
#[case("a%b", None)]
#[case("a_", None)]
#[case("100\\%", None)]
fn like_binds_when_its_wildcards_are_at_the_ends(#[case] pattern: &str, #[case] expected: Option<Test>) {
    let expected = expected.map(|test| Predicate::leaf(INT, test));
    assert_eq!(bound(TypeKind::VarChar(9), Method::Like, &[string(pattern)]), expected);
}

#[test]
fn in_with_null_is_true_or_unknown_and_its_negation_never_passes() {
    let literals = [Literal::Int(1), Literal::Null];
    let listed = bound(TypeKind::Int, Method::In, &literals).unwrap();
    let not_listed = bound(TypeKind::Int, Method::NotIn, &literals).unwrap();
    for (value, is_listed, is_not_listed) in
        [(Some(1), Some(true), Some(false)), (Some(2), None, None), (None, None, None)]
    {
        assert_eq!(listed.evaluate(&|_| value.map(Datum::Int)), is_listed);
        assert_eq!(not_listed.evaluate(&|_| value.map(Datum::Int)), is_not_listed);
    }
}

#[rstest]
#[case::zero(0.0)]
#[case::negative_zero(-0.0)]
#[case::nan(f64::NAN)]
fn in_with_floats_on_which_engines_differ_stays_residual(#[case] literal: f64) {
    assert_eq!(bound(TypeKind::Double, Method::In, &[Literal::Float(1.0), Literal::Float(literal)]), None);
}

#[test]
fn empty_lists_are_false_for_all_and_true_for_what_is_not_null() {
    assert_eq!(bound(TypeKind::Int, Method::In, &[]), Some(Predicate::Constant(false)));
    assert_eq!(bound(TypeKind::Int, Method::NotIn, &[]), Some(Predicate::leaf(INT, Test::IsNotNull)));
}

#[test]
fn a_wrong_number_of_literals_is_refused() {
    let error = bind(&column(TypeKind::Int), Method::Between, &[Literal::Int(1)]).unwrap_err();
    assert_eq!(error.kind(), crate::ErrorKind::InvalidInput);
    assert_eq!(error.message(), "expected two literals for Between, found 1");
}

/// What a literal and a value are on the number line: exact, in units of 10^-6, or a float in total order.
#[derive(Debug)]
enum Number {
    Micros(i128),
    Float(f64),
}

fn number_of(value: &Datum) -> Number {
    match value {
        Datum::TinyInt(v) => Number::Micros(i128::from(*v) * 1_000_000),
        Datum::BigInt(v) => Number::Micros(i128::from(*v) * 1_000_000),
        Datum::Decimal { unscaled, scale } => Number::Micros(unscaled * 10i128.pow(6 - u32::from(*scale))),
        Datum::Float(v) => Number::Float(f64::from(*v)),
        Datum::Double(v) => Number::Float(*v),
        other => panic!("{other:?}"),
    }
}

fn number_of_literal(literal: &Literal) -> Number {
    match literal {
        Literal::Int(v) => Number::Micros(v * 1_000_000),
        Literal::Decimal { unscaled, scale } => Number::Micros(unscaled * 10i128.pow((6 - i32::from(*scale)) as u32)),
        Literal::Float(v) => Number::Float(*v),
        other => panic!("{other:?}"),
    }
}

/// Exact on the number line; as soon as a float takes part, in the order of floats (the numbers here are exact in it).
fn order(a: &Number, b: &Number) -> Ordering {
    let float = |n: &Number| match n {
        Number::Micros(v) => *v as f64 / 1e6,
        Number::Float(v) => *v,
    };
    match (a, b) {
        (Number::Micros(a), Number::Micros(b)) => a.cmp(b),
        (a, b) => float(a).total_cmp(&float(b)),
    }
}

fn numeric_values() -> impl Strategy<Value = (TypeKind, Datum)> {
    let halves = || (-6i32..7).prop_map(|half| f64::from(half) / 2.0);
    prop_oneof![
        prop::sample::select(vec![i8::MIN, -2, -1, 0, 1, 2, i8::MAX])
            .prop_map(|v| (TypeKind::TinyInt, Datum::TinyInt(v))),
        prop::sample::select(vec![i64::MIN, -2, -1, 0, 1, 2, i64::MAX])
            .prop_map(|v| (TypeKind::BigInt, Datum::BigInt(v))),
        (-9999i128..10000)
            .prop_map(|unscaled| (TypeKind::Decimal { precision: 4, scale: 2 }, Datum::Decimal { unscaled, scale: 2 })),
        prop_oneof![doubles(), halves()].prop_map(|v| (TypeKind::Float, Datum::Float(v as f32))),
        prop_oneof![doubles(), halves()].prop_map(|v| (TypeKind::Double, Datum::Double(v))),
    ]
}

fn numeric_literals() -> impl Strategy<Value = Literal> {
    prop_oneof![
        prop::sample::select(vec![-1_000_000i128, -129, -128, -2, -1, 0, 1, 2, 127, 128, i128::from(i64::MAX) + 1])
            .prop_map(Literal::Int),
        prop_oneof![doubles(), (-300i32..300).prop_map(|tenth| f64::from(tenth) / 10.0)].prop_map(Literal::Float),
        ((-30000i128..30000), -2i8..5).prop_map(|(unscaled, scale)| Literal::Decimal { unscaled, scale }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn a_bound_comparison_means_what_the_number_line_says(
        (kind, value) in numeric_values(),
        literal in numeric_literals(),
        op in ops(),
    ) {
        if let Some(predicate) = bound(kind, Method::Compare(op), std::slice::from_ref(&literal)) {
            let expected = op.holds(order(&number_of(&value), &number_of_literal(&literal)));
            prop_assert_eq!(predicate.evaluate(&|_| Some(value.clone())), Some(expected), "{:?}", predicate);
            prop_assert_eq!(predicate.evaluate(&|_| None), None);
        }
    }

    #[test]
    fn bound_lists_and_ranges_mean_what_their_comparisons_mean(
        (kind, value) in numeric_values(),
        literals in proptest::collection::vec(numeric_literals(), 2),
    ) {
        let one = |op, literal: &Literal| {
            bound(kind.clone(), Method::Compare(op), std::slice::from_ref(literal))
                .map(|predicate| predicate.evaluate(&|_| Some(value.clone())) == Some(true))
        };
        let evaluate = |method| {
            bound(kind.clone(), method, &literals).map(|predicate| predicate.evaluate(&|_| Some(value.clone())))
        };
        if let Some(listed) = evaluate(Method::In) {
            let expected = literals.iter().any(|literal| one(CompareOp::Eq, literal).unwrap());
            prop_assert_eq!(listed, Some(expected));
            prop_assert_eq!(evaluate(Method::NotIn), Some(Some(!expected)));
        }
        if let Some(between) = evaluate(Method::Between) {
            let expected = one(CompareOp::GtEq, &literals[0]).unwrap() && one(CompareOp::LtEq, &literals[1]).unwrap();
            prop_assert_eq!(between, Some(expected));
            prop_assert_eq!(evaluate(Method::NotBetween), Some(Some(!expected)));
        }
    }
}

// ---- older schemas

fn schema(id: i64, fields: Vec<DataField>) -> TableSchema {
    TableSchema {
        id,
        highest_field_id: fields.iter().map(|field| field.id).max().unwrap_or(-1),
        fields,
        partition_keys: vec![],
        primary_keys: vec![],
        options: BTreeMap::new(),
        comment: None,
        time_millis: 0,
    }
}

/// A value as it is in the file, and as the cast to the table's current type reads it.
fn evolved_values() -> impl Strategy<Value = (TypeKind, Datum, TypeKind, Datum)> {
    let small = -4i8..5;
    prop_oneof![
        small.clone().prop_map(|v| (TypeKind::TinyInt, Datum::TinyInt(v), TypeKind::Int, Datum::Int(i32::from(v)))),
        small
            .clone()
            .prop_map(|v| { (TypeKind::TinyInt, Datum::TinyInt(v), TypeKind::Double, Datum::Double(f64::from(v))) }),
        small.clone().prop_map(|v| (
            TypeKind::Int,
            Datum::Int(i32::from(v)),
            TypeKind::Decimal { precision: 12, scale: 1 },
            Datum::Decimal { unscaled: i128::from(v) * 10, scale: 1 }
        )),
        doubles().prop_map(|v| (
            TypeKind::Float,
            Datum::Float(v as f32),
            TypeKind::Double,
            Datum::Double(f64::from(v as f32))
        )),
        // Narrowed: wraps.
        (-400i32..400).prop_map(|v| (TypeKind::Int, Datum::Int(v), TypeKind::TinyInt, Datum::TinyInt(v as i8))),
    ]
}

fn tests_of(kind: &TypeKind) -> BoxedStrategy<Test> {
    let literal: BoxedStrategy<Datum> = match kind {
        TypeKind::TinyInt => (-4i8..5).prop_map(Datum::TinyInt).boxed(),
        TypeKind::Int => prop_oneof![-4i32..5, Just(1000), Just(-1000)].prop_map(Datum::Int).boxed(),
        TypeKind::Double => {
            prop_oneof![doubles(), Just(0.1), Just(1e300), Just(-1e-300)].prop_map(Datum::Double).boxed()
        }
        _ => (-45i128..45).prop_map(|unscaled| Datum::Decimal { unscaled, scale: 1 }).boxed(),
    };
    prop_oneof![
        Just(Test::IsNull),
        Just(Test::IsNotNull),
        (ops(), literal.clone()).prop_map(|(op, literal)| Test::Compare(op, literal)),
        proptest::collection::vec(literal, 0..3).prop_map(Test::In),
    ]
    .boxed()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_predicate_for_an_older_file_is_implied_and_exact_when_it_says_so(
        ((written, in_file, read, in_table), tests) in evolved_values().prop_flat_map(|values| {
            let tests = proptest::collection::vec((tests_of(&values.2), any::<bool>()), 1..3);
            (Just(values), tests)
        }),
        is_null in any::<bool>(),
        disjunction in any::<bool>(),
        negated in any::<bool>(),
    ) {
        let added = DataField::new(9, "added", DataType::string());
        let current = schema(1, vec![column(read), added]);
        let file = schema(0, vec![column(written)]);
        let parts = tests.into_iter().map(|(test, on_added)| match (on_added, test) {
            (true, test @ (Test::IsNull | Test::IsNotNull)) => Predicate::leaf(9, test),
            (_, test) => Predicate::leaf(INT, test),
        }).collect();
        let predicate = if disjunction { Predicate::Or(parts) } else { Predicate::And(parts) };
        let predicate = if negated { Predicate::Not(Box::new(predicate)) } else { predicate };

        let for_file = predicate.for_file(&current, &file);
        prop_assert!(for_file.predicate.fields().iter().all(|field| *field == INT));
        let original = predicate.evaluate(&|field| (field == INT && !is_null).then(|| in_table.clone()));
        let rewritten = for_file.predicate.evaluate(&|_| (!is_null).then(|| in_file.clone()));
        if for_file.exact {
            prop_assert_eq!(original, rewritten, "{:?}", for_file);
        } else if original == Some(true) {
            prop_assert_eq!(rewritten, Some(true), "{:?}", for_file);
        }
    }
}

#[test]
fn a_column_that_the_file_lacks_is_null() {
    let current = schema(1, vec![column(TypeKind::Int), DataField::new(9, "added", DataType::string())]);
    let file = schema(0, vec![column(TypeKind::Int)]);
    let on_added = |test| Predicate::leaf(9, test).for_file(&current, &file);
    let exact = |predicate| FilePredicate { predicate, exact: true };
    assert_eq!(on_added(Test::IsNull), exact(Predicate::Constant(true)));
    assert_eq!(on_added(Test::IsNotNull), exact(Predicate::Constant(false)));
    assert_eq!(on_added(Test::Compare(CompareOp::Eq, Datum::String("x".into()))), exact(Predicate::Unknown));
}

#[test]
fn tests_of_a_column_whose_type_changed_for_good_are_dropped() {
    let current = schema(1, vec![column(TypeKind::Int)]);
    let file = schema(0, vec![column(TypeKind::VarChar(9))]);
    let dropped = Predicate::compare(INT, CompareOp::Gt, Datum::Int(5)).for_file(&current, &file);
    assert_eq!(dropped, FilePredicate { predicate: Predicate::Constant(true), exact: false });
}

#[test]
fn below_a_merge_goes_what_the_key_decides_alone() {
    let schema = Schema::from_json(
        r#"{"fields": [{"name": "k", "type": "INT"}, {"name": "p", "type": "INT"}, {"name": "v", "type": "INT"}],
            "partitionKeys": ["p"], "primaryKeys": ["k", "p"], "options": {"bucket": "1"}}"#,
    );
    let table = TableSchema::create(schema.unwrap(), 0).unwrap();
    let is = |field, value| Predicate::compare(field, CompareOp::Eq, Datum::Int(value));
    let all = Predicate::Constant(true);
    for (predicate, below) in [
        (is(0, 1), is(0, 1)),
        (is(1, 1), is(1, 1)),
        (is(2, 1), all.clone()),
        (Predicate::and([is(0, 1), is(2, 1)]), is(0, 1)),
        (Predicate::or([is(0, 1), is(2, 1)]), all.clone()),
        (
            Predicate::or([Predicate::and([is(0, 1), is(2, 1)]), Predicate::and([is(0, 2), is(2, 2)])]),
            Predicate::or([is(0, 1), is(0, 2)]),
        ),
        (Predicate::Not(Box::new(is(2, 1))), all.clone()),
        (Predicate::Not(Box::new(Predicate::or([is(0, 1), is(2, 1)]))), is(0, 1).negate()),
        (Predicate::Constant(false), Predicate::Constant(false)),
    ] {
        assert_eq!(predicate.below_merge(&table), below, "{predicate:?}");
    }
}
