use std::collections::BTreeMap;

use proptest::prelude::*;
use rstest::rstest;

use super::container::ColumnIndex;
use super::key::literal;
use super::*;
use crate::{
    CompareOp, DataField, DataType, Datum, DeletionVector, ErrorKind, Predicate, Result, TableSchema, Test, Timestamp,
    TypeKind,
};

fn schema(columns: &[(&str, TypeKind)]) -> TableSchema {
    let field =
        |(id, (name, kind)): (i32, &(&str, TypeKind))| DataField::new(id, *name, DataType::nullable(kind.clone()));
    TableSchema {
        id: 0,
        fields: (0..).zip(columns).map(field).collect(),
        highest_field_id: columns.len() as i32,
        partition_keys: Vec::new(),
        primary_keys: Vec::new(),
        options: BTreeMap::new(),
        comment: None,
        time_millis: 0,
    }
}

fn asked(kind: IndexKind, options: &[(&str, &str)]) -> IndexedColumn {
    IndexedColumn {
        kind,
        column: "c".to_owned(),
        map_key: None,
        options: options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
    }
}

fn build(index: &IndexedColumn, kind: &TypeKind, rows: &[Option<Datum>]) -> Result<ColumnIndex> {
    let mut builder = IndexBuilder::new(index, &DataType::nullable(kind.clone()))?;
    for row in rows {
        builder.add(row.as_ref().map(|row| literal(kind, row).unwrap().value))?;
    }
    builder.finish()
}

fn ints(rows: &[Option<i32>]) -> Vec<Option<Datum>> {
    rows.iter().map(|row| row.map(Datum::Int)).collect()
}

fn texts(rows: &[Option<&str>]) -> Vec<Option<Datum>> {
    rows.iter().map(|row| row.map(|text| Datum::String(text.to_owned()))).collect()
}

const STRING: TypeKind = TypeKind::VarChar(DataType::MAX_LENGTH);

fn leaf(test: Test) -> Predicate {
    Predicate::leaf(0, test)
}

fn verdict(container: &[u8], predicate: &Predicate, kind: &TypeKind, rows: usize) -> Result<IndexVerdict> {
    let bytes = IndexBytes::whole(container.to_vec().into());
    match evaluate_file_index(&bytes, predicate, &schema(&[("c", kind.clone())]), rows as i64)? {
        IndexAnswer::Verdict(verdict) => Ok(verdict),
        IndexAnswer::Needs(ranges) => panic!("all bytes are there, and {ranges:?} are asked for"),
    }
}

/// The verdict when bytes come as they are asked for, and how many came.
fn verdict_by_parts(container: &[u8], predicate: &Predicate, kind: &TypeKind, rows: usize) -> (IndexVerdict, usize) {
    let mut bytes = IndexBytes::none_yet();
    let mut read = 0;
    for _ in 0..100 {
        match evaluate_file_index(&bytes, predicate, &schema(&[("c", kind.clone())]), rows as i64).unwrap() {
            IndexAnswer::Verdict(verdict) => return (verdict, read),
            IndexAnswer::Needs(ranges) => {
                for range in ranges {
                    let end = (range.end as usize).min(container.len());
                    let part = container[(range.start as usize).min(end)..end].to_vec();
                    read += part.len();
                    bytes.add(range, part.into());
                }
            }
        }
    }
    panic!("asks for ever more bytes");
}

fn rows_of(verdict: &IndexVerdict, row_count: usize) -> Vec<u64> {
    match verdict {
        IndexVerdict::Skip => Vec::new(),
        IndexVerdict::Keep => (0..row_count as u64).collect(),
        IndexVerdict::Rows(rows) => rows.positions().collect(),
    }
}

fn passing(predicate: &Predicate, rows: &[Option<Datum>]) -> Vec<u64> {
    let passes = |row: &Option<Datum>| predicate.evaluate(&|_| row.clone()) == Some(true);
    (0..).zip(rows).filter(|(_, row)| passes(row)).map(|(at, _)| at).collect()
}

#[rstest]
#[case::equal(Test::Compare(CompareOp::Eq, Datum::Int(7)), &[0, 3])]
#[case::absent(Test::Compare(CompareOp::Eq, Datum::Int(8)), &[])]
#[case::not_equal_leaves_null_out(Test::Compare(CompareOp::NotEq, Datum::Int(7)), &[1, 4])]
#[case::among(Test::In(vec![Datum::Int(9), Datum::Int(-1), Datum::Int(100)]), &[1, 4])]
#[case::null(Test::IsNull, &[2, 5])]
#[case::not_null(Test::IsNotNull, &[0, 1, 3, 4])]
fn an_index_of_rows_gives_exactly_the_rows(#[case] test: Test, #[case] wanted: &[u64]) {
    let rows = ints(&[Some(7), Some(9), None, Some(7), Some(-1), None]);
    for kind in [IndexKind::Bitmap, IndexKind::Bsi, IndexKind::RangeBitmap] {
        let container = encode_file_index(&[build(&asked(kind, &[]), &TypeKind::Int, &rows).unwrap()]).unwrap();
        let found = verdict(&container, &leaf(test.clone()), &TypeKind::Int, rows.len()).unwrap();
        assert_eq!(rows_of(&found, rows.len()), wanted, "{kind:?}");
    }
}

#[test]
fn several_indexes_of_a_column_and_parts_of_a_condition_are_taken_together() {
    let rows = ints(&[Some(1), Some(2), Some(3), None]);
    let index = |kind| build(&asked(kind, &[("items", "100")]), &TypeKind::Int, &rows).unwrap();
    let container = encode_file_index(&[index(IndexKind::BloomFilter), index(IndexKind::RangeBitmap)]).unwrap();
    let compare = |op, value| Predicate::compare(0, op, Datum::Int(value));
    let verdict = |predicate: &Predicate| verdict(&container, predicate, &TypeKind::Int, 4).unwrap();

    let between = Predicate::and([compare(CompareOp::Gt, 1), compare(CompareOp::LtEq, 3)]);
    assert_eq!(verdict(&between), IndexVerdict::Rows(RowSet::from_positions([1, 2])));
    let outside = Predicate::Not(Box::new(between));
    assert_eq!(verdict(&outside), IndexVerdict::Rows(RowSet::from_positions([0])));
    let either = Predicate::or([compare(CompareOp::Eq, 3), leaf(Test::IsNull)]);
    assert_eq!(verdict(&either), IndexVerdict::Rows(RowSet::from_positions([2, 3])));
    let other_column = Predicate::or([compare(CompareOp::Eq, 3), Predicate::leaf(9, Test::IsNull)]);
    assert_eq!(verdict(&other_column), IndexVerdict::Keep);
    assert_eq!(verdict(&Predicate::and([compare(CompareOp::Eq, 7), other_column])), IndexVerdict::Skip);
}

#[test]
fn indexes_of_another_column_say_nothing() {
    let index = build(&asked(IndexKind::BloomFilter, &[("items", "10")]), &TypeKind::Int, &ints(&[Some(1)])).unwrap();
    let container = encode_file_index(&[ColumnIndex { column: "d".to_owned(), ..index }]).unwrap();
    let predicate = Predicate::compare(0, CompareOp::Eq, Datum::Int(2));
    assert_eq!(verdict(&container, &predicate, &TypeKind::Int, 1).unwrap(), IndexVerdict::Keep);
}

/// An index of one key of a map is called like this column, whose values it does not have.
#[test]
fn indexes_of_single_keys_of_maps_say_nothing() {
    let index = build(&asked(IndexKind::BloomFilter, &[("items", "10")]), &TypeKind::Int, &ints(&[Some(1)])).unwrap();
    let container = encode_file_index(&[ColumnIndex { column: "c[k]".to_owned(), ..index }]).unwrap();
    let bytes = IndexBytes::whole(container.into());
    let predicate = Predicate::compare(0, CompareOp::Eq, Datum::Int(2));
    let answer = evaluate_file_index(&bytes, &predicate, &schema(&[("c[k]", TypeKind::Int)]), 1).unwrap();
    assert_eq!(answer, IndexAnswer::Verdict(IndexVerdict::Keep));
}

/// By the description of the format: head with one column "c" and one bitmap index of version 2 of [1, NULL, 1, 2].
#[test]
fn a_bitmap_container_has_the_bytes_that_the_format_describes() {
    let rows = ints(&[Some(1), None, Some(1), Some(2)]);
    let container =
        encode_file_index(&[build(&asked(IndexKind::Bitmap, &[]), &TypeKind::Int, &rows).unwrap()]).unwrap();
    let mut wanted = Vec::new();
    wanted.extend(b"\x00\x05\x4e\x4e\xd9\x0c\xee\x2e"); // magic, replaced below
    wanted.splice(0..8, 1_493_475_289_347_502_i64.to_be_bytes());
    wanted.extend(b"\0\0\0\x01\0\0\0\x2f\0\0\0\x01\0\x01c\0\0\0\x01\0\x06bitmap");
    wanted.extend(b"\0\0\0\x2f\0\0\0\x58\0\0\0\0");
    // version, 4 rows, 2 values, NULL in row 1 alone (whose bitmap would take 18 bytes), one block, from 1, at 0
    wanted.extend(b"\x02\0\0\0\x04\0\0\0\x02\x01\xff\xff\xff\xfe\0\0\0\x12\0\0\0\x01\0\0\0\x01\0\0\0\0");
    // 28 bytes of blocks: two entries: 1 at 0, 20 bytes; 2 in row 3 alone
    wanted.extend(b"\0\0\0\x1c\0\0\0\x02\0\0\0\x01\0\0\0\0\0\0\0\x14\0\0\0\x02\xff\xff\xff\xfc\xff\xff\xff\xff");
    wanted.extend(b"\x3a\x30\0\0\x01\0\0\0\0\0\x01\0\x10\0\0\0\0\0\x02\0");
    let head_len = 16 + 4 + 3 + 4 + 8 + 8 + 4;
    wanted[12..16].copy_from_slice(&(head_len as i32).to_be_bytes());
    let place = 16 + 4 + 3 + 4 + 8;
    wanted[place..place + 4].copy_from_slice(&(head_len as i32).to_be_bytes());
    let body_len = (wanted.len() - head_len) as i32;
    wanted[place + 4..place + 8].copy_from_slice(&body_len.to_be_bytes());
    assert_eq!(container, wanted);
}

#[test]
fn a_bloom_filter_has_java_s_size() {
    let filter = |items: &str, fpp: &str| {
        let index = asked(IndexKind::BloomFilter, &[("items", items), ("fpp", fpp)]);
        build(&index, &TypeKind::Int, &[]).unwrap().bytes
    };
    // 4,792,529 bits, rounded up to a multiple of 8; 3 functions.
    assert_eq!(filter("1000000", "0.1").len(), 4 + 4_792_536 / 8);
    assert_eq!(filter("1000000", "0.1")[..4], [0, 0, 0, 3]);
    // 95 bits, and 7 functions.
    assert_eq!(filter("10", "0.01").len(), 4 + 96 / 8);
    assert_eq!(filter("10", "0.01")[..4], [0, 0, 0, 7]);
}

#[rstest]
#[case::items(IndexKind::BloomFilter, TypeKind::Int, &[("items", "0")], ErrorKind::InvalidInput, "file-index.bloom-filter.c.items")]
#[case::fpp(IndexKind::BloomFilter, TypeKind::Int, &[("fpp", "1")], ErrorKind::InvalidInput, "file-index.bloom-filter.c.fpp")]
#[case::size(IndexKind::BloomFilter, TypeKind::Int, &[("items", "2147483647"), ("fpp", "0.0001")], ErrorKind::InvalidInput, "256 MiB")]
#[case::version(IndexKind::Bitmap, TypeKind::Int, &[("version", "3")], ErrorKind::InvalidInput, "file-index.bitmap.c.version")]
#[case::block(IndexKind::Bitmap, TypeKind::Int, &[("index-block-size", "big")], ErrorKind::InvalidInput, "file-index.bitmap.c.index-block-size")]
#[case::boolean(IndexKind::BloomFilter, TypeKind::Boolean, &[], ErrorKind::Unsupported, "file-index.bloom-filter.columns")]
#[case::binary(IndexKind::Bitmap, TypeKind::VarBinary(9), &[], ErrorKind::Unsupported, "file-index.bitmap.columns")]
#[case::floats(IndexKind::Bsi, TypeKind::Double, &[], ErrorKind::Unsupported, "file-index.bsi.columns")]
#[case::decimal(IndexKind::RangeBitmap, TypeKind::Decimal { precision: 19, scale: 2 }, &[], ErrorKind::Unsupported, "DECIMAL(19, 2)")]
#[case::nanos(IndexKind::RangeBitmap, TypeKind::Timestamp(9), &[], ErrorKind::Unsupported, "TIMESTAMP(9)")]
fn an_index_that_cannot_be_built_is_refused(
    #[case] kind: IndexKind,
    #[case] column: TypeKind,
    #[case] options: &[(&str, &str)],
    #[case] error_kind: ErrorKind,
    #[case] named: &str,
) {
    let error = IndexBuilder::new(&asked(kind, options), &DataType::nullable(column)).unwrap_err();
    assert_eq!(error.kind(), error_kind);
    assert!(error.to_string().contains(named), "{error}");
}

#[test]
fn the_smallest_number_has_no_place_in_a_bsi_index() {
    let error = build(&asked(IndexKind::Bsi, &[]), &TypeKind::BigInt, &[Some(Datum::BigInt(i64::MIN))]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(error.context("column"), Some("c"));
}

/// Java's index has microseconds, and one NaN.
#[rstest]
#[case::nanos_not_equal(
    TypeKind::Timestamp(9), &[(0, 1), (0, 2)], CompareOp::NotEq, (0, 1), &[0, 1]
)]
#[case::nanos_below(TypeKind::Timestamp(9), &[(0, 1), (0, 2), (0, 1000)], CompareOp::Lt, (0, 2), &[0, 1])]
#[case::nanos_above(TypeKind::Timestamp(9), &[(0, 1), (0, 2), (-1, 999_999)], CompareOp::GtEq, (0, 2), &[0, 1])]
#[case::a_literal_between_two_values(TypeKind::Timestamp(3), &[(0, 0), (1, 0)], CompareOp::Lt, (0, 500_000), &[0])]
#[case::a_literal_that_no_value_equals(TypeKind::Timestamp(3), &[(0, 0), (1, 0)], CompareOp::NotEq, (0, 5), &[0, 1])]
fn timestamps_that_an_index_does_not_tell_apart_are_kept(
    #[case] column: TypeKind,
    #[case] rows: &[(i64, i32)],
    #[case] op: CompareOp,
    #[case] literal: (i64, i32),
    #[case] wanted: &[u64],
) {
    let timestamp = |(millis, nanos_of_milli)| Datum::Timestamp(Timestamp { millis, nanos_of_milli });
    let data: Vec<_> = rows.iter().map(|row| Some(timestamp(*row))).collect();
    let kind = IndexKind::Bsi;
    let container = encode_file_index(&[build(&asked(kind, &[]), &column, &data).unwrap()]).unwrap();
    let found = verdict(&container, &Predicate::compare(0, op, timestamp(literal)), &column, rows.len()).unwrap();
    assert_eq!(rows_of(&found, rows.len()), wanted);
}

#[rstest]
#[case::below_all(CompareOp::Lt, -1e300, &[1, 2])]
#[case::above_all(CompareOp::GtEq, 1e300, &[1, 2])]
#[case::negative_zero_is_below_zero(CompareOp::Lt, 0.0, &[0, 1, 2, 4])]
#[case::equal_nan(CompareOp::Eq, f64::NAN, &[1, 2])]
#[case::not_nan(CompareOp::NotEq, f64::NAN, &[0, 1, 2, 3, 4])]
fn nan_is_never_left_out_of_a_range(#[case] op: CompareOp, #[case] literal: f64, #[case] wanted: &[u64]) {
    let rows = [-0.0, f64::NAN, -f64::NAN, 0.0, -5.0].map(|value| Some(Datum::Double(value)));
    let index = build(&asked(IndexKind::RangeBitmap, &[]), &TypeKind::Double, &rows).unwrap();
    let container = encode_file_index(&[index]).unwrap();
    let found = verdict(&container, &Predicate::compare(0, op, Datum::Double(literal)), &TypeKind::Double, 5).unwrap();
    assert_eq!(rows_of(&found, 5), wanted);
}

#[rstest]
#[case("a", &[0, 1, 3])]
#[case("ab", &[1])]
#[case("\u{7f}", &[])]
#[case("", &[0, 1, 3, 4])]
fn prefixes_are_ranges_of_texts(#[case] prefix: &str, #[case] wanted: &[u64]) {
    let rows = texts(&[Some("a"), Some("abc"), None, Some("a\u{10ffff}"), Some("b")]);
    let container = encode_file_index(&[build(&asked(IndexKind::RangeBitmap, &[]), &STRING, &rows).unwrap()]).unwrap();
    let found = verdict(&container, &leaf(Test::StartsWith(prefix.to_owned())), &STRING, rows.len()).unwrap();
    assert_eq!(rows_of(&found, rows.len()), wanted);
}

#[test]
fn a_look_up_in_a_large_index_reads_a_small_part_of_it() {
    let rows: Vec<_> = (0..200_000).map(|row| Some(Datum::BigInt(row / 2))).collect();
    for kind in [IndexKind::Bitmap, IndexKind::RangeBitmap] {
        let container = encode_file_index(&[build(&asked(kind, &[]), &TypeKind::BigInt, &rows).unwrap()]).unwrap();
        let predicate = Predicate::compare(0, CompareOp::Eq, Datum::BigInt(77_777));
        let (verdict, read) = verdict_by_parts(&container, &predicate, &TypeKind::BigInt, rows.len());
        assert_eq!(rows_of(&verdict, rows.len()), [155_554, 155_555]);
        let share = if kind == IndexKind::Bitmap { 30 } else { 2 };
        assert!(read < container.len() / share, "{kind:?}: {read} of {} bytes", container.len());
        let absent = Predicate::compare(0, CompareOp::Eq, Datum::BigInt(1 << 40));
        let (verdict, read) = verdict_by_parts(&container, &absent, &TypeKind::BigInt, rows.len());
        assert_eq!(verdict, IndexVerdict::Skip);
        assert!(read < container.len() / 10, "{kind:?}: {read} of {} bytes", container.len());
    }
}

#[rstest]
#[case::magic(0, "magic number")]
#[case::head_length(12, "length of a head")]
#[case::rows_of_the_file(48, "4 rows")]
fn a_damaged_container_is_an_error(#[case] at: usize, #[case] text: &str) {
    let rows = ints(&[Some(1), None, Some(1), Some(2)]);
    let index = build(&asked(IndexKind::Bitmap, &[]), &TypeKind::Int, &rows).unwrap();
    let mut container = encode_file_index(&[index]).unwrap();
    container[at] ^= 0x40;
    let error = verdict(&container, &leaf(Test::IsNull), &TypeKind::Int, 4).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CorruptData);
    assert!(error.to_string().contains(text), "{error}");
}

#[test]
fn a_later_version_of_the_container_is_not_supported_and_one_of_an_index_says_nothing() {
    let rows = ints(&[Some(1)]);
    for kind in [IndexKind::Bitmap, IndexKind::Bsi] {
        let mut index = build(&asked(kind, &[]), &TypeKind::Int, &rows).unwrap();
        index.bytes[0] = 9;
        let mut container = encode_file_index(&[index]).unwrap();
        assert_eq!(verdict(&container, &leaf(Test::IsNull), &TypeKind::Int, 1).unwrap(), IndexVerdict::Keep);
        container[11] = 2;
        let error = verdict(&container, &leaf(Test::IsNull), &TypeKind::Int, 1).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }
}

#[test]
fn a_truncated_container_is_an_error() {
    let rows: Vec<_> = (0..50).map(|row| Some(Datum::String(format!("v{}", row % 7)))).collect();
    let predicate = Predicate::compare(0, CompareOp::Eq, Datum::String("v3".to_owned()));
    for kind in IndexKind::ALL.into_iter().filter(|kind| kind.supports(&STRING) && *kind != IndexKind::BloomFilter) {
        let container = encode_file_index(&[build(&asked(kind, &[]), &STRING, &rows).unwrap()]).unwrap();
        for len in 0..container.len() / 2 {
            let error = verdict(&container[..len], &predicate, &STRING, rows.len()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::CorruptData, "{kind:?} cut to {len}");
        }
    }
}

#[test]
fn options_name_indexes_and_their_settings() {
    let map = [
        ("file-index.bitmap.columns", "a , m[x],m[y]"),
        ("file-index.bitmap.m.version", "1"),
        ("file-index.bitmap.m[y].version", "2"),
        ("file-index.bloom-filter.columns", "a"),
        ("file-index.bloom-filter.a.fpp", "0.05"),
        ("file-index.read.enabled", "true"),
        ("file-index.in-manifest-threshold", "1 kb"),
    ];
    let map: BTreeMap<_, _> = map.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    let indexes = FileIndexOptions::parse(&map).unwrap().indexes;
    let names: Vec<_> = indexes.iter().map(|index| (index.kind.name(), index.name_in_container())).collect();
    let name = |kind, name: &str| (kind, name.to_owned());
    assert_eq!(names, [name("bitmap", "a"), name("bitmap", "m[x]"), name("bitmap", "m[y]"), name("bloom-filter", "a")]);
    assert_eq!(indexes[1].options["version"], "1");
    assert_eq!(indexes[2].options["version"], "2");
    assert_eq!(indexes[3].options["fpp"], "0.05");
    assert!(indexes[0].options.is_empty());
}

#[rstest]
#[case::kind("file-index.skiplist.columns", "a", ErrorKind::Unsupported)]
#[case::empty_name("file-index.bitmap.columns", "a,,b", ErrorKind::InvalidInput)]
#[case::of_no_index("file-index.bitmap.z.version", "1", ErrorKind::InvalidInput)]
fn wrong_options_are_refused_by_name(#[case] key: &str, #[case] value: &str, #[case] kind: ErrorKind) {
    let error = FileIndexOptions::parse(&BTreeMap::from([(key.to_owned(), value.to_owned())])).unwrap_err();
    assert_eq!(error.kind(), kind);
    assert!(error.to_string().contains(key), "{error}");
}

#[test]
fn an_index_is_looked_for_where_options_ask_for_one_that_answers() {
    let mut written = schema(&[("old", TypeKind::Int), ("d", TypeKind::Int)]);
    let mut current = schema(&[("new", TypeKind::Int), ("d", TypeKind::Int)]);
    let equal = Predicate::compare(0, CompareOp::Eq, Datum::Int(1));
    let above = Predicate::compare(0, CompareOp::Gt, Datum::Int(1));
    assert!(!file_index_may_answer(&equal, &written, &current));
    written.options = BTreeMap::from([("file-index.bloom-filter.columns".to_owned(), "old".to_owned())]);
    assert!(file_index_may_answer(&equal, &written, &current));
    assert!(file_index_may_answer(&equal.clone().negate().negate(), &written, &current));
    assert!(!file_index_may_answer(&above, &written, &current));
    assert!(!file_index_may_answer(&Predicate::leaf(1, Test::IsNull), &written, &current));
    current.options = BTreeMap::from([("file-index.range-bitmap.columns".to_owned(), "d, new".to_owned())]);
    assert!(file_index_may_answer(&above, &written, &current));
}

#[test]
fn rows_without_the_deleted_ones() {
    let rows = RowSet::from_positions([1, 2, 5]);
    let deleted = DeletionVector::from_positions([2, 4, 1 << 33]);
    assert_eq!(rows.without(&deleted), RowSet::from_positions([1, 5]));
    assert!(rows.contains(5) && !rows.contains(1 << 33 | 5));
    assert_eq!(rows.ranges_in(0, u64::MAX).collect::<Vec<_>>(), [1..3, 5..6]);
    assert_eq!(
        rows.ranges_in(2, 2).count() + rows.ranges_in(6, 9).count() + rows.ranges_in(1 << 40, 1 << 41).count(),
        0
    );
}

#[rstest]
#[case::none(&[])]
#[case::scattered(&[1, 2, 3, 7, 9])]
#[case::at_the_ends(&[0, u32::MAX - 1, u32::MAX])]
fn sets_of_rows_are_joined_cut_and_moved(#[case] positions: &[u32]) {
    let rows = RowSet::from_positions(positions.iter().copied());
    let others = RowSet::from_ranges([2..4, 8..10]).unwrap();
    let expected = |keep: &dyn Fn(u32) -> bool| -> RowSet {
        RowSet::from_positions(positions.iter().copied().chain([2, 3, 8, 9]).filter(|row| keep(*row)))
    };
    let in_others = |row: u32| [2, 3, 8, 9].contains(&row);
    assert_eq!(rows.or(&others), expected(&|_| true));
    assert_eq!(rows.and_not(&others), expected(&|row| positions.contains(&row) && !in_others(row)));
    for count in [0, 1, 2, 100] {
        let first = RowSet::from_positions(positions.iter().copied().take(count));
        assert_eq!(rows.first(count as u64), first);
    }
    for by in [0, 2, -2, i64::from(u32::MAX), -i64::from(u32::MAX)] {
        let moved = positions.iter().filter_map(|row| u32::try_from(i64::from(*row) + by).ok());
        assert_eq!(rows.shifted(by), RowSet::from_positions(moved), "by {by}");
    }
    assert_eq!(RowSet::from_ranges([0..1, 5..1 << 33]).unwrap_err().kind(), ErrorKind::Unsupported);
}

/// Types, with a few values of each that are near one another.
fn column() -> impl Strategy<Value = (TypeKind, Vec<Datum>)> {
    let timestamps = |step: i32| {
        (-2_i64..2, 0..3)
            .prop_map(move |(millis, at)| Datum::Timestamp(Timestamp { millis, nanos_of_milli: at * step }))
    };
    let of = |kind: TypeKind, values: BoxedStrategy<Datum>| {
        proptest::collection::vec(values, 1..12).prop_map(move |values| (kind.clone(), values))
    };
    let doubles = prop_oneof![Just(f64::NAN), Just(-f64::NAN), Just(-0.0), Just(0.0), Just(f64::INFINITY), -2.0..2.0];
    let texts = prop_oneof!["[ab]{0,3}", Just("\u{10ffff}".to_owned())];
    prop_oneof![
        of(TypeKind::Boolean, any::<bool>().prop_map(Datum::Boolean).boxed()),
        of(TypeKind::TinyInt, any::<i8>().prop_map(Datum::TinyInt).boxed()),
        of(TypeKind::SmallInt, (-3_i16..3).prop_map(Datum::SmallInt).boxed()),
        of(TypeKind::Int, (-5..5).prop_map(Datum::Int).boxed()),
        of(
            TypeKind::BigInt,
            prop_oneof![-5_i64..5, Just(i64::MAX), Just(i64::MIN + 1)].prop_map(Datum::BigInt).boxed()
        ),
        of(TypeKind::Float, doubles.clone().prop_map(|value| Datum::Float(value as f32)).boxed()),
        of(TypeKind::Double, doubles.prop_map(Datum::Double).boxed()),
        of(
            TypeKind::Decimal { precision: 9, scale: 2 },
            (-500_i128..500).prop_map(|unscaled| Datum::Decimal { unscaled, scale: 2 }).boxed()
        ),
        of(STRING, texts.clone().prop_map(Datum::String).boxed()),
        of(TypeKind::Char(3), texts.prop_map(Datum::String).boxed()),
        of(TypeKind::VarBinary(9), proptest::collection::vec(0_u8..2, 0..3).prop_map(Datum::Bytes).boxed()),
        of(TypeKind::Date, (-3..3).prop_map(Datum::Date).boxed()),
        of(TypeKind::Time(3), (0..5).prop_map(Datum::Time).boxed()),
        of(TypeKind::Timestamp(3), timestamps(0).boxed()),
        of(TypeKind::TimestampLtz(6), timestamps(1000).boxed()),
        of(TypeKind::Timestamp(9), timestamps(1).boxed()),
    ]
}

/// A column of a file, and a condition on it whose literals are values of it and others.
fn question() -> impl Strategy<Value = (TypeKind, Vec<Option<Datum>>, Predicate)> {
    (column(), proptest::collection::vec(proptest::option::weighted(0.85, any::<prop::sample::Index>()), 1..40))
        .prop_flat_map(|((kind, values), picks)| {
            // Not all of the values are in the file.
            let in_file = &values[..values.len().div_ceil(2)];
            let rows: Vec<_> = picks.iter().map(|pick| pick.map(|pick| pick.get(in_file).clone())).collect();
            let mut literals = values.clone();
            if let TypeKind::Timestamp(_) = kind {
                literals.push(Datum::Timestamp(Timestamp { millis: 0, nanos_of_milli: 1 }));
            }
            (Just(kind), Just(rows), condition(literals))
        })
}

fn condition(literals: Vec<Datum>) -> impl Strategy<Value = Predicate> {
    use CompareOp::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
    let one = prop::sample::select(literals.clone());
    let ops = prop::sample::select(vec![Eq, NotEq, Lt, LtEq, Gt, GtEq]);
    let tests = prop_oneof![
        4 => (ops, one.clone()).prop_map(|(op, literal)| Test::Compare(op, literal)),
        2 => proptest::collection::vec(one.clone(), 0..3).prop_map(Test::In),
        1 => Just(Test::IsNull),
        1 => Just(Test::IsNotNull),
        1 => one.prop_map(|literal| match literal {
            Datum::String(text) => Test::StartsWith(text.chars().take(1).collect()),
            _ => Test::EndsWith("a".to_owned()),
        }),
    ];
    tests.prop_map(leaf).prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Predicate::And),
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Predicate::Or),
            inner.prop_map(|inner| Predicate::Not(Box::new(inner))),
        ]
    })
}

/// Indexes of all kinds that the type has, in small blocks.
fn all_indexes(kind: &TypeKind, rows: &[Option<Datum>]) -> Vec<ColumnIndex> {
    let kinds = IndexKind::ALL.into_iter().filter(|index| index.supports(kind));
    let mut indexes: Vec<_> = kinds
        .map(|index| {
            let options = [("items", "20"), ("index-block-size", "40"), ("chunk-size", "24")];
            build(&asked(index, &options), kind, rows).unwrap()
        })
        .collect();
    if IndexKind::Bitmap.supports(kind) {
        indexes.push(build(&asked(IndexKind::Bitmap, &[("version", "1")]), kind, rows).unwrap());
    }
    indexes
}

/// What each kind of index is sure of: tests that it answers with exactly the rows that pass.
fn is_exact(index: &ColumnIndex, kind: &TypeKind, predicate: &Predicate) -> bool {
    let Predicate::Leaf(leaf) = predicate else { return false };
    let loose = matches!(kind, TypeKind::Float | TypeKind::Double | TypeKind::Timestamp(_));
    index.kind != IndexKind::BloomFilter && index.kind.answers(&leaf.test) && !loose
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn no_row_that_passes_is_left_out((kind, rows, predicate) in question()) {
        let wanted = passing(&predicate, &rows);
        let indexes = all_indexes(&kind, &rows);
        let whole = encode_file_index(&indexes).unwrap();
        for index in &indexes {
            let container = encode_file_index(std::slice::from_ref(index)).unwrap();
            let found = verdict(&container, &predicate, &kind, rows.len()).unwrap();
            let left = rows_of(&found, rows.len());
            prop_assert!(wanted.iter().all(|row| left.contains(row)), "{:?} leaves {left:?} of {wanted:?}", index.kind);
            if is_exact(index, &kind, &predicate) {
                prop_assert_eq!(&left, &wanted, "{:?}", index.kind);
            }
            if let IndexVerdict::Rows(rows_left) = &found {
                prop_assert!(!rows_left.is_empty() && rows_left.len() < rows.len() as u64);
            }
            prop_assert_eq!(verdict_by_parts(&container, &predicate, &kind, rows.len()).0, found);
        }
        let left = rows_of(&verdict(&whole, &predicate, &kind, rows.len()).unwrap(), rows.len());
        prop_assert!(wanted.iter().all(|row| left.contains(row)));
    }

    #[test]
    fn damaged_bytes_give_an_error_or_a_verdict(
        (kind, rows, predicate) in question(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        for index in all_indexes(&kind, &rows) {
            let mut container = encode_file_index(&[index]).unwrap();
            for (at, byte) in &damage {
                let at = at.index(container.len());
                container[at] = *byte;
            }
            if let Some(cut) = cut {
                container.truncate(cut.index(container.len()));
            }
            if let Err(error) = verdict(&container, &predicate, &kind, rows.len()) {
                prop_assert!(matches!(error.kind(), ErrorKind::CorruptData | ErrorKind::Unsupported), "{}", error);
            }
        }
    }
}
