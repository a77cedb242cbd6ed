use paimon_spec::{BinaryRow, DataType, Datum, ErrorKind, TypeKind};
use rstest::rstest;

use super::*;
use crate::testing::data_file;

fn keys() -> KeyComparator {
    KeyComparator::new(vec![DataType::not_null(TypeKind::BigInt)])
}

fn key(value: i64) -> BinaryRow {
    BinaryRow::from_values(&[Some(Datum::BigInt(value))], keys().types()).unwrap()
}

fn file(name: &str, level: i32, keys: (i64, i64), numbers: (i64, i64)) -> DataFileMeta {
    DataFileMeta {
        level,
        min_key: key(keys.0),
        max_key: key(keys.1),
        min_sequence_number: numbers.0,
        max_sequence_number: numbers.1,
        ..data_file(name)
    }
}

fn names(levels: &Levels) -> Vec<(i32, Vec<&str>)> {
    let names = |run: &'_ Run| run.files.iter().map(|file| file.file_name.clone()).collect::<Vec<_>>();
    let names: Vec<(i32, Vec<String>)> = levels.runs.iter().map(|run| (run.level, names(run))).collect();
    names.into_iter().map(|(level, names)| (level, names.into_iter().map(|name| &*name.leak()).collect())).collect()
}

#[test]
fn files_of_level_0_are_runs_and_other_levels_one_each() {
    let files = vec![
        file("top-b", 5, (50, 90), (0, 9)),
        file("old", 0, (1, 9), (10, 11)),
        file("two", 2, (1, 9), (0, 5)),
        file("new", 0, (1, 9), (12, 13)),
        file("top-a", 5, (1, 49), (0, 9)),
    ];
    let levels = Levels::of(files, &keys(), 6).unwrap();
    let expected = vec![(0, vec!["new"]), (0, vec!["old"]), (2, vec!["two"]), (5, vec!["top-a", "top-b"])];
    let mut found = names(&levels);
    found.iter_mut().for_each(|(_, names)| names.sort_unstable());
    assert_eq!(found, expected);
    assert_eq!((levels.last_level, levels.greatest_level()), (5, 5));
    assert_eq!(levels.runs[3].bytes, 200);
}

#[test]
fn equal_largest_numbers_are_ordered_by_the_smallest_then_time_then_name() {
    let at = |name, numbers, time| DataFileMeta { creation_time_millis: time, ..file(name, 0, (1, 2), numbers) };
    let files = vec![
        at("d", (3, 9), Some(5)),
        at("c", (3, 9), Some(5)),
        at("b", (3, 9), Some(4)),
        at("a", (4, 9), Some(1)),
        at("first", (5, 10), Some(9)),
    ];
    let levels = Levels::of(files, &keys(), 6).unwrap();
    let order: Vec<&str> = names(&levels).into_iter().flat_map(|(_, names)| names).collect();
    assert_eq!(order, ["first", "b", "c", "d", "a"]);
}

#[rstest]
#[case::as_the_options_say(6, 3, 5)]
#[case::files_are_higher(3, 7, 7)]
#[case::never_less_than_two_levels(1, 0, 1)]
fn there_are_as_many_levels_as_options_and_files_need(#[case] num_levels: i32, #[case] level: i32, #[case] last: i32) {
    let levels = Levels::of(vec![file("f", level, (1, 2), (0, 0))], &keys(), num_levels).unwrap();
    assert_eq!(levels.last_level, last);
}

#[rstest]
#[case::overlapping(vec![file("a", 1, (1, 5), (0, 0)), file("b", 1, (5, 9), (1, 1))], "level 1")]
#[case::negative_level(vec![file("a", -1, (1, 5), (0, 0))], "_LEVEL")]
#[case::negative_size(vec![DataFileMeta { file_size: -1, ..file("a", 0, (1, 5), (0, 0)) }], "_FILE_SIZE")]
fn what_cannot_be_is_corrupt(#[case] files: Vec<DataFileMeta>, #[case] names: &str) {
    let error = Levels::of(files, &keys(), 6).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CorruptData);
    assert!(error.to_string().contains(names), "{error}");
}
