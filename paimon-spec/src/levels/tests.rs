use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use rstest::rstest;

use super::*;
use crate::data_file::arbitrary::plain_file;
use crate::predicate::compare::compare;
use crate::{SimpleStats, Timestamp, TypeKind};

fn int() -> KeyComparator {
    KeyComparator::new(vec![DataType::not_null(TypeKind::Int)])
}

fn key(value: i32) -> BinaryRow {
    BinaryRow::from_values(&[Some(Datum::Int(value))], int().types()).unwrap()
}

fn file(min: i32, max: i32) -> DataFileMeta {
    let file_name = format!("{min}..={max}");
    DataFileMeta { file_name, row_count: 1, min_key: key(min), max_key: key(max), ..plain_file() }
}

/// The bounds of the files of the runs of the sections of such files.
fn sections_of(files: &[(i32, i32)]) -> Vec<Vec<Vec<(i32, i32)>>> {
    let bounds = |file: &DataFileMeta| {
        let value = |row: &BinaryRow| match row.get(0, &int().types()[0]).unwrap() {
            Some(Datum::Int(value)) => value,
            other => panic!("expected an INT, found {other:?}"),
        };
        (value(&file.min_key), value(&file.max_key))
    };
    let files = files.iter().map(|(min, max)| file(*min, *max)).collect();
    let runs = |runs: Vec<SortedRun>| runs.iter().map(|run| run.files.iter().map(bounds).collect()).collect();
    sections(files, &int()).unwrap().into_iter().map(runs).collect()
}

#[test]
fn files_apart_are_sections_of_one_run() {
    assert_eq!(sections_of(&[]), Vec::<Vec<Vec<_>>>::new());
    assert_eq!(sections_of(&[(4, 6), (1, 3)]), [[[(1, 3)]], [[(4, 6)]]]);
}

#[test]
fn files_that_share_a_bound_are_in_one_section() {
    assert_eq!(sections_of(&[(1, 3), (3, 5)]), [[[(1, 3)], [(3, 5)]]]);
    assert_eq!(sections_of(&[(2, 2), (2, 2)]), [[[(2, 2)], [(2, 2)]]]);
}

#[test]
fn the_run_that_ends_first_takes_the_next_file() {
    assert_eq!(
        sections_of(&[(0, 10), (1, 2), (3, 4), (5, 12), (11, 13), (14, 15)]),
        [vec![vec![(0, 10), (11, 13)], vec![(1, 2), (3, 4), (5, 12)]], vec![vec![(14, 15)]]]
    );
}

#[test]
fn a_file_whose_bounds_are_the_wrong_way_around_is_corrupt() {
    let error = sections(vec![file(1, 2), file(5, 4)], &int()).unwrap_err();
    assert_eq!(error.to_string(), "expected the smallest key of 5..=4 not to be greater than its largest");
    assert!(are_disjoint(&[file(1, 2), file(5, 4)], &int()).is_err());
}

#[test]
fn a_key_of_too_few_columns_is_corrupt() {
    let keyless = DataFileMeta { min_key: BinaryRow::empty(), ..file(1, 2) };
    assert!(sections(vec![file(0, 1), keyless], &int()).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn sections_are_disjoint_and_runs_are_as_few_as_can_be(
        files in vec((0..40, 0..8).prop_map(|(min, len)| (min, min + len)), 0..12)
    ) {
        let sections = sections_of(&files);
        let mut kept: Vec<_> = sections.iter().flatten().flatten().copied().collect();
        let mut given = files.clone();
        kept.sort_unstable();
        given.sort_unstable();
        prop_assert_eq!(kept, given);

        let covered: Vec<BTreeSet<i32>> = sections
            .iter()
            .map(|runs| runs.iter().flatten().flat_map(|(min, max)| *min..=*max).collect())
            .collect();
        for pair in covered.windows(2) {
            prop_assert!(pair[0].last() < pair[1].first(), "{:?}", sections);
        }
        for runs in &sections {
            // As many runs as the files that hold one key need, at the key where they are most.
            let depth = |key: i32| runs.iter().flatten().filter(|(min, max)| (*min..=*max).contains(&key)).count();
            prop_assert_eq!(runs.len(), (0..=50).map(depth).max().unwrap_or(0));
            for run in runs {
                prop_assert!(run.windows(2).all(|pair| pair[0].1 < pair[1].0), "{:?}", run);
            }
        }
        let metas: Vec<_> = files.iter().map(|(min, max)| file(*min, *max)).collect();
        let disjoint = sections.iter().flatten().count() == files.len() && sections.len() == files.len();
        prop_assert_eq!(are_disjoint(&metas, &int()).unwrap(), disjoint);
    }
}

fn decimal(unscaled: i128) -> Datum {
    Datum::Decimal { unscaled, scale: 2 }
}

fn timestamp(millis: i64, nanos_of_milli: i32) -> Datum {
    Datum::Timestamp(Timestamp { millis, nanos_of_milli })
}

#[rstest]
#[case::boolean(TypeKind::Boolean, vec![Datum::Boolean(false), Datum::Boolean(true)])]
#[case::tinyint(TypeKind::TinyInt, [i8::MIN, -1, 0, 1, i8::MAX].map(Datum::TinyInt).to_vec())]
#[case::smallint(TypeKind::SmallInt, [i16::MIN, -1, 0, 1, i16::MAX].map(Datum::SmallInt).to_vec())]
#[case::int(TypeKind::Int, [i32::MIN, -256, -1, 0, 1, 256, i32::MAX].map(Datum::Int).to_vec())]
#[case::bigint(TypeKind::BigInt, [i64::MIN, -1, 0, 1, i64::MAX].map(Datum::BigInt).to_vec())]
#[case::date(TypeKind::Date, [-1, 0, 20_000].map(Datum::Date).to_vec())]
#[case::time(TypeKind::Time(3), [0, 1, 86_399_999].map(Datum::Time).to_vec())]
#[case::float(
    TypeKind::Float,
    [f32::NEG_INFINITY, f32::MIN, -1.5, -f32::from_bits(1), -0.0, 0.0, f32::from_bits(1), 1.5, f32::INFINITY, f32::NAN]
        .map(Datum::Float).to_vec()
)]
#[case::double(
    TypeKind::Double,
    [f64::NEG_INFINITY, f64::MIN, -1.5, -0.0, 0.0, 1.5, f64::MAX, f64::INFINITY, f64::NAN].map(Datum::Double).to_vec()
)]
#[case::compact_decimal(TypeKind::Decimal { precision: 9, scale: 2 }, [-999, -1, 0, 1, 999].map(decimal).to_vec())]
#[case::decimal(
    TypeKind::Decimal { precision: 38, scale: 2 },
    [-(10_i128.pow(37)), -256, -1, 0, 1, 256, 10_i128.pow(37)].map(decimal).to_vec()
)]
#[case::compact_timestamp(TypeKind::Timestamp(3), [-1, 0, 1].map(|millis| timestamp(millis, 0)).to_vec())]
#[case::timestamp(
    TypeKind::TimestampLtz(9),
    [(-1, 0), (-1, 999_999), (0, 0), (0, 1), (1, 0)].map(|(millis, nanos)| timestamp(millis, nanos)).to_vec()
)]
#[case::string(
    TypeKind::VarChar(100),
    ["", "\0", "\0\0", "\0\u{1}", "a", "a\0", "a\u{1}", "ab", "longer than a slot", "z", "ä", "\u{ffff}", "😀"]
        .map(|text| Datum::String(text.into())).to_vec()
)]
#[case::bytes(
    TypeKind::VarBinary(100),
    [&[][..], &[0], &[0, 0], &[0, 1], &[0, 1, 0], &[0, 255], &[1], &[127], &[128], &[255], &[255, 255]]
        .map(|bytes| Datum::Bytes(bytes.to_vec())).to_vec()
)]
fn keys_are_ordered_by_value(#[case] kind: TypeKind, #[case] ascending: Vec<Datum>) {
    let types = vec![DataType::nullable(kind), DataType::not_null(TypeKind::Int)];
    let keys = KeyComparator::new(types.clone());
    let values: Vec<_> = std::iter::once(None).chain(ascending.into_iter().map(Some)).collect();
    for (i, a) in values.iter().enumerate() {
        for (j, b) in values.iter().enumerate() {
            let row = |value: &Option<Datum>, second| BinaryRow::from_values(&[value.clone(), second], &types).unwrap();
            // The second column counts among keys of the same first column only.
            let (a_row, b_row) = (row(a, Some(Datum::Int(1))), row(b, Some(Datum::Int(0))));
            assert_eq!(keys.compare(&a_row, &b_row).unwrap(), i.cmp(&j).then(Ordering::Greater), "{a:?} {b:?}");
            if let (Some(a), Some(b)) = (a, b) {
                assert_eq!(compare(a, b), Some(i.cmp(&j)), "{a:?} {b:?}");
            }
        }
    }
}

#[test]
fn all_nan_are_one_key() {
    let keys = KeyComparator::new(vec![DataType::not_null(TypeKind::Double), DataType::not_null(TypeKind::Float)]);
    let row = |a: f64, b: f32| BinaryRow::from_values(&[Some(Datum::Double(a)), Some(Datum::Float(b))], keys.types());
    let nan = row(-f64::NAN, f32::from_bits(0xffc0_0001)).unwrap();
    assert_eq!(keys.compare(&nan, &row(f64::NAN, f32::NAN).unwrap()).unwrap(), Ordering::Equal);
    assert_eq!(keys.compare(&nan, &row(f64::INFINITY, 0.0).unwrap()).unwrap(), Ordering::Greater);
}

proptest! {
    #[test]
    fn texts_and_bytes_are_ordered_as_their_bytes(
        a in vec(select(vec![0_u8, 1, 2, 254, 255]), 0..6), b in vec(select(vec![0_u8, 1, 2, 254, 255]), 0..6)
    ) {
        let keys = KeyComparator::new(vec![DataType::not_null(TypeKind::VarBinary(9)); 2]);
        let row = |first: &[u8]| {
            let values = [Some(Datum::Bytes(first.to_vec())), Some(Datum::Bytes(vec![7]))];
            BinaryRow::from_values(&values, keys.types()).unwrap()
        };
        prop_assert_eq!(keys.compare(&row(&a), &row(&b)).unwrap(), a.cmp(&b));
    }
}

/// Statistics of integers, `None` where nothing is stored.
fn int_stats(bounds: &[Option<(i32, i32)>]) -> SimpleStats {
    let of = |bounds: &Option<(i32, i32)>| match bounds {
        Some((min, max)) => {
            ColumnStats { min: Some(Datum::Int(*min)), max: Some(Datum::Int(*max)), null_count: Some(0) }
        }
        None => ColumnStats::default(),
    };
    let columns: Vec<_> = bounds.iter().map(of).collect();
    SimpleStats::from_columns(&columns, &vec![DataType::nullable(TypeKind::Int); columns.len()]).unwrap()
}

#[rstest]
#[case::first_column_by_the_keys([1, 5], [3, 2], &[Some((0, 9)), None], [Some((1, 3)), None])]
#[case::second_column_by_statistics([1, 5], [3, 2], &[Some((0, 9)), Some((2, 7))], [Some((1, 3)), Some((2, 7))])]
#[case::second_column_below_one_value([4, 2], [4, 5], &[None, Some((0, 9))], [Some((4, 4)), Some((2, 5))])]
#[case::nothing_stored([1, 5], [3, 2], &[], [Some((1, 3)), None])]
#[case::other_columns([1, 5], [3, 2], &[Some((0, 9)); 3], [Some((1, 3)), None])]
fn key_columns_are_bounded_by_keys_else_by_statistics(
    #[case] min_key: [i32; 2],
    #[case] max_key: [i32; 2],
    #[case] stats: &[Option<(i32, i32)>],
    #[case] expected: [Option<(i32, i32)>; 2],
) {
    let keys = KeyComparator::new(vec![DataType::not_null(TypeKind::Int); 2]);
    let key = |values: [i32; 2]| BinaryRow::from_values(&values.map(|v| Some(Datum::Int(v))), keys.types()).unwrap();
    let (min_key, max_key) = (key(min_key), key(max_key));
    let file = DataFileMeta { min_key, max_key, key_stats: int_stats(stats), ..file(0, 0) };
    for (pos, expected) in expected.into_iter().enumerate() {
        let found = file.key_column_stats(&keys, pos);
        let bounds = expected.map(|(min, max)| (Datum::Int(min), Datum::Int(max)));
        assert_eq!(found.min.zip(found.max), bounds, "column {pos}");
    }
    assert_eq!(file.key_column_stats(&keys, 0).null_count, (stats.len() == 2 && stats[0].is_some()).then_some(0));
}

#[test]
fn the_zeros_are_two_values_of_a_key() {
    let keys = KeyComparator::new(vec![DataType::not_null(TypeKind::Double), DataType::not_null(TypeKind::Int)]);
    let key = |zero, value| {
        BinaryRow::from_values(&[Some(Datum::Double(zero)), Some(Datum::Int(value))], keys.types()).unwrap()
    };
    let file = DataFileMeta { min_key: key(-0.0, 1), max_key: key(0.0, 2), ..file(0, 0) };
    assert_eq!(file.key_column_stats(&keys, 1), ColumnStats::default());
}
