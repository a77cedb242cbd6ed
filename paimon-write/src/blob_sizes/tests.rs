use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, Int64Array, LargeStringArray, ListArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, Fields};
use proptest::prelude::*;
use rstest::rstest;

use super::*;

fn batch(column: ArrayRef) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable([("b", column, true)]).unwrap()
}

fn values(values: &[Option<&[u8]>]) -> RecordBatch {
    batch(Arc::new(LargeBinaryArray::from(values.to_vec())))
}

fn references(sizes: &[Option<i64>], valid: &[bool]) -> RecordBatch {
    let text = |name| Field::new(name, DataType::LargeUtf8, true);
    let number = |name| Field::new(name, DataType::Int64, true);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(LargeStringArray::from(vec![Some("s3://b/k"); sizes.len()])),
        Arc::new(Int64Array::from(vec![Some(0); sizes.len()])),
        Arc::new(Int64Array::from(sizes.to_vec())),
    ];
    let fields = Fields::from(vec![text("url"), number("position"), number("size")]);
    batch(Arc::new(StructArray::new(fields, columns, Some(NullBuffer::from(valid.to_vec())))))
}

#[rstest]
#[case::all_fit(1_000, 3)]
#[case::the_second_reaches_it(35, 2)]
#[case::the_second_reaches_it_exactly(36, 2)]
#[case::the_third_reaches_it(37, 3)]
#[case::a_full_file_takes_one(0, 1)]
fn a_file_ends_with_the_value_that_reaches_its_size(#[case] room: u64, #[case] expected: usize) {
    // 18 bytes each with what is around them.
    assert_eq!(rows_that_reach(room, &values(&[Some(b"ab"), Some(b"cd"), Some(b"ef")])), expected);
}

#[test]
fn nulls_take_nothing() {
    assert_eq!(rows_that_reach(17, &values(&[None, None, Some(b"a"), Some(b"b")])), 3);
    assert_eq!(rows_that_reach(17, &references(&[None, Some(1), Some(1)], &[false, true, true])), 2);
}

#[test]
fn descriptors_count_with_what_they_point_at() {
    let of = |length| BlobDescriptor { uri: "s3://b/k", offset: 0, length }.encode();
    let (known, open) = (of(Some(100)), of(None));
    assert_eq!(rows_that_reach(1_000, &values(&[Some(&known), Some(&open), Some(b"a")])), 2);
    assert_eq!(rows_that_reach(200, &values(&[Some(&known), Some(&known), Some(&known)])), 2);
    assert_eq!(rows_that_reach(1_000, &references(&[Some(9), None, Some(9)], &[true; 3])), 2);
}

#[test]
fn lists_are_written_one_by_one() {
    let item = Arc::new(Field::new("element", DataType::Binary, true));
    let values: ArrayRef = Arc::new(BinaryArray::from(vec![&b"a"[..]; 4]));
    let list = ListArray::new(item, OffsetBuffer::from_lengths([2, 2]), values, None);
    assert_eq!(rows_that_reach(1_000, &batch(Arc::new(list))), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn it_is_what_a_look_after_each_value_would_give(
        lengths in prop::collection::vec(prop::option::of(0..60_usize), 1..40),
        room in 0..900_u64,
    ) {
        let bytes = [7_u8; 60];
        let column: Vec<Option<&[u8]>> = lengths.iter().map(|length| length.map(|length| &bytes[..length])).collect();
        let mut taken = 0;
        let naive = lengths.iter().position(|length| {
            taken += length.map_or(0, |length| length as u64 + 16);
            taken >= room
        });
        prop_assert_eq!(rows_that_reach(room, &values(&column)), naive.map_or(lengths.len(), |row| row + 1));
    }
}
