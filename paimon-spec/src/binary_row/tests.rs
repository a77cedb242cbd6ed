use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::ErrorKind;
use crate::data_file::arbitrary::{typed_rows, typed_values};

/// Bytes from hexadecimal digits, spaces aside.
fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<_> = digits.chars().filter_map(|c| c.to_digit(16)).collect();
    digits.chunks_exact(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()
}

fn row(values: &[Option<Datum>], kinds: &[TypeKind]) -> BinaryRow {
    BinaryRow::from_values(values, &types(kinds)).unwrap()
}

fn types(kinds: &[TypeKind]) -> Vec<DataType> {
    kinds.iter().cloned().map(DataType::nullable).collect()
}

fn text(value: &str) -> Option<Datum> {
    Some(Datum::String(value.into()))
}

fn timestamp(millis: i64, nanos_of_milli: i32) -> Option<Datum> {
    Some(Datum::Timestamp(Timestamp { millis, nanos_of_milli }))
}

const STRING: TypeKind = TypeKind::VarChar(DataType::MAX_LENGTH);
const BYTES: TypeKind = TypeKind::VarBinary(DataType::MAX_LENGTH);

// Written by pypaimon 2.1.0, except where noted.
#[rstest]
#[case::no_fields("00000000 0000000000000000", &[], &[])]
#[case::long_text(
    "00000001 0000000000000000 0a00000010000000 323032342d30312d3031 000000000000",
    &[text("2024-01-01")],
    &[STRING]
)]
#[case::null_text("00000001 0001000000000000 0000000000000000", &[None], &[STRING])]
#[case::empty_text("00000001 0000000000000000 0000000000000080", &[text("")], &[STRING])]
#[case::longest_inline_text("00000001 0000000000000000 3132333435363787", &[text("1234567")], &[STRING])]
#[case::shortest_other_text(
    "00000001 0000000000000000 0800000010000000 3132333435363738",
    &[text("12345678")],
    &[STRING]
)]
#[case::wide_timestamp(
    "00000001 0000000000000000 8813000010000000 00f451c28c010000",
    &[timestamp(1_704_067_200_000, 5000)],
    &[TypeKind::Timestamp(6)]
)]
#[case::timestamp_before_1970(
    "00000001 0000000000000000 583e0f0010000000 ffffffffffffffff",
    &[timestamp(-1, 999_000)],
    &[TypeKind::TimestampLtz(6)]
)]
#[case::int("00000001 0000000000000000 0300000000000000", &[Some(Datum::Int(3))], &[TypeKind::Int])]
#[case::negative_int("00000001 0000000000000000 fdffffff00000000", &[Some(Datum::Int(-3))], &[TypeKind::Int])]
#[case::eight_fields(
    "00000008 0000000000000000 0100000048000000 7d00000000000000 01f451c28c010000 583e0f0058000000 \
     0200000000000000 0100000000000000 000000000000f83f 0900000060000000 83000000000000000000000000000000 \
     ffffffffffffffff 313233343536373839 00000000000000",
    &[
        Some(Datum::Decimal { unscaled: -125, scale: 2 }),
        Some(Datum::Decimal { unscaled: 125, scale: 2 }),
        timestamp(1_704_067_200_001, 0),
        timestamp(-1, 999_000),
        Some(Datum::Date(2)),
        Some(Datum::Boolean(true)),
        Some(Datum::Double(1.5)),
        Some(Datum::Bytes(b"123456789".to_vec())),
    ],
    &[
        TypeKind::Decimal { precision: 20, scale: 2 },
        TypeKind::Decimal { precision: 10, scale: 2 },
        TypeKind::Timestamp(3),
        TypeKind::Timestamp(6),
        TypeKind::Date,
        TypeKind::Boolean,
        TypeKind::Double,
        BYTES,
    ]
)]
// From the source of Java's `BinaryRowWriter`.
#[case::null_of_a_wide_timestamp(
    "00000001 0001000000000000 0000000010000000 0000000000000000",
    &[None],
    &[TypeKind::Timestamp(6)]
)]
#[case::null_of_a_wide_decimal(
    "00000001 0001000000000000 0000000010000000 00000000000000000000000000000000",
    &[None],
    &[TypeKind::Decimal { precision: 19, scale: 0 }]
)]
fn rows_have_the_bytes_of_other_writers(
    #[case] metadata: &str,
    #[case] values: &[Option<Datum>],
    #[case] kinds: &[TypeKind],
) {
    let row = row(values, kinds);
    assert_eq!(row.to_metadata(), hex(metadata));
    let decoded = BinaryRow::from_metadata(&hex(metadata)).unwrap();
    assert_eq!(decoded.values(&types(kinds)).unwrap(), values);
    assert_eq!(decoded.arity(), kinds.len());
}

#[rstest]
#[case(TypeKind::Timestamp(6), "00000001 0001000000000000 0000000000000000")]
#[case(TypeKind::Decimal { precision: 20, scale: 2 }, "00000001 0001000000000000 0000000000000000")]
fn the_short_null_of_pypaimon_is_read_and_normalised(#[case] kind: TypeKind, #[case] metadata: &str) {
    let types = types(&[kind]);
    let short = BinaryRow::from_metadata(&hex(metadata)).unwrap();
    assert_eq!(short.values(&types).unwrap(), [None]);
    let ours = BinaryRow::from_values(&[None], &types).unwrap();
    assert_ne!(short, ours);
    assert_eq!(short.normalised(&types).unwrap(), ours);
    assert_eq!(ours.normalised(&types).unwrap(), ours);
}

#[rstest]
#[case(0, 8)]
#[case(55, 8)]
#[case(56, 8)]
#[case(57, 16)]
#[case(120, 16)]
#[case(121, 24)]
fn null_bits_share_words_with_the_row_kind(#[case] arity: usize, #[case] bytes: usize) {
    assert_eq!(null_bytes(arity), bytes);
    let values = vec![None; arity];
    let kinds = vec![TypeKind::Int; arity];
    let row = row(&values, &kinds);
    assert_eq!(row.as_bytes().len(), bytes + 8 * arity);
    assert_eq!(row.values(&types(&kinds)).unwrap(), values);
}

#[rstest]
#[case(0, "00")]
#[case(-1, "ff")]
#[case(127, "7f")]
#[case(128, "0080")]
#[case(-128, "80")]
#[case(-129, "ff7f")]
fn wide_decimals_take_as_few_bytes_as_keep_the_sign(#[case] unscaled: i128, #[case] bytes: &str) {
    let kind = TypeKind::Decimal { precision: 38, scale: 0 };
    let row = row(&[Some(Datum::Decimal { unscaled, scale: 0 })], &[kind]);
    assert_eq!(row.view().section_at(0).unwrap(), hex(bytes));
}

#[rstest]
#[case::no_arity("0000")]
#[case::negative_arity("ffffffff 0000000000000000")]
#[case::huge_arity("7fffffff 0000000000000000")]
#[case::no_slots("00000001 0000000000000000")]
#[case::half_a_slot("00000001 0000000000000000 00000000")]
fn rows_too_short_for_their_arity_are_corrupt(#[case] metadata: &str) {
    let error = BinaryRow::from_metadata(&hex(metadata)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CorruptData);
}

#[rstest]
#[case::text_beyond_the_end(STRING, "0a00000010000000")]
#[case::text_at_a_huge_offset(STRING, "ffffffffffffff7f")]
#[case::inline_text_too_long(STRING, "0000000000000088")]
#[case::text_not_utf8(STRING, "ff00000000000081")]
#[case::wide_timestamp_beyond_the_end(TypeKind::Timestamp(9), "0000000010000000")]
#[case::nanos_out_of_range(TypeKind::Timestamp(9), "40420f0000000000")]
#[case::decimal_of_no_bytes(TypeKind::Decimal { precision: 20, scale: 0 }, "0000000000000000")]
#[case::decimal_of_17_bytes(TypeKind::Decimal { precision: 20, scale: 0 }, "1100000000000000")]
fn slots_that_hold_no_value_are_corrupt(#[case] kind: TypeKind, #[case] slot: &str) {
    let row = BinaryRow::from_metadata(&hex(&format!("00000001 0000000000000000 {slot}"))).unwrap();
    let error = row.get(0, &DataType::nullable(kind)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CorruptData);
}

#[test]
fn fields_beyond_the_arity_are_corrupt() {
    let row = row(&[None], &[TypeKind::Int]);
    let int = DataType::nullable(TypeKind::Int);
    assert_eq!(row.get(1, &int).unwrap_err().kind(), ErrorKind::CorruptData);
    assert_eq!(row.values(&[int.clone(), int]).unwrap_err().kind(), ErrorKind::CorruptData);
}

#[rstest]
#[case::other_type(TypeKind::Int, Datum::BigInt(1), ErrorKind::InvalidInput)]
#[case::other_scale(
    TypeKind::Decimal { precision: 5, scale: 2 },
    Datum::Decimal { unscaled: 1, scale: 1 },
    ErrorKind::InvalidInput
)]
#[case::too_many_digits(
    TypeKind::Decimal { precision: 2, scale: 0 },
    Datum::Decimal { unscaled: -100, scale: 0 },
    ErrorKind::InvalidInput
)]
#[case::nanos_out_of_range(
    TypeKind::Timestamp(9),
    Datum::Timestamp(Timestamp { millis: 0, nanos_of_milli: 1_000_000 }),
    ErrorKind::InvalidInput
)]
#[case::nested(TypeKind::Array(Box::new(DataType::string())), Datum::Int(1), ErrorKind::Unsupported)]
fn values_that_are_not_of_the_type_are_refused(#[case] kind: TypeKind, #[case] value: Datum, #[case] error: ErrorKind) {
    let found = BinaryRow::from_values(&[Some(value)], &[DataType::nullable(kind)]).unwrap_err();
    assert_eq!(found.kind(), error);
}

#[test]
fn a_writer_starts_each_row_anew() {
    let mut writer = BinaryRowWriter::new(2);
    writer.set_str(0, "a long text to the left");
    writer.set_null(1, &DataType::nullable(TypeKind::Timestamp(6)));
    writer.reset();
    writer.set_i32(0, 1);
    writer.set_i64(1, -1);
    let wanted = row(&[Some(Datum::Int(1)), Some(Datum::BigInt(-1))], &[TypeKind::Int, TypeKind::BigInt]);
    assert_eq!(writer.to_row(), wanted);
    assert_eq!(writer.as_metadata(), wanted.as_metadata());
    assert_eq!(writer.hash_code(), wanted.hash_code());
}

#[test]
fn arrays_are_laid_out_as_java_does() {
    let strings = string_array(&["ab".into(), "12345678".into()]);
    let wanted = "02000000 00000000 6162000000000082 0800000018000000 3132333435363738";
    assert_eq!(strings, hex(wanted));
    let longs = long_array([Some(1), None, Some(-1)].into_iter());
    assert_eq!(longs, hex("03000000 02000000 0100000000000000 0000000000000000 ffffffffffffffff"));
    assert_eq!(string_array(&[]), hex("00000000 00000000"));
}

proptest! {
    #[test]
    fn values_survive_a_row((types, values) in typed_rows()) {
        let row = BinaryRow::from_values(&values, &types).unwrap();
        let decoded = BinaryRow::from_metadata(&row.to_metadata()).unwrap();
        prop_assert_eq!(&decoded, &row);
        prop_assert_eq!(decoded.view().to_row(), row.clone());
        prop_assert_eq!(format!("{:?}", decoded.values(&types).unwrap()), format!("{values:?}"));
        prop_assert_eq!(row.normalised(&types).unwrap(), row);
    }

    #[test]
    fn arbitrary_bytes_are_values_or_corrupt(
        bytes in prop::collection::vec(any::<u8>(), 0..64),
        (data_type, _) in typed_values(),
    ) {
        if let Ok(row) = RowView::new(2, &bytes) {
            for pos in 0..3 {
                if let Err(error) = row.get(pos, &data_type) {
                    prop_assert_eq!(error.kind(), ErrorKind::CorruptData);
                }
            }
        }
        if let Ok(array) = ArrayView::new(&bytes) {
            prop_assert!(array.longs().count() <= bytes.len());
            array.strings().for_each(drop);
        }
    }

    #[test]
    fn arrays_survive(
        longs in prop::collection::vec(any::<Option<i64>>(), 0..70),
        strings in prop::collection::vec(".{0,12}", 0..70),
    ) {
        let bytes = long_array(longs.iter().copied());
        prop_assert!(ArrayView::new(&bytes).unwrap().longs().eq(longs));
        let bytes = string_array(&strings);
        let decoded: Result<Vec<_>> = ArrayView::new(&bytes).unwrap().strings().collect();
        prop_assert_eq!(decoded.unwrap(), strings);
    }
}
