//! Files of ours.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray},
    compute::{cast, unary},
    datatypes::{
        DataType as ArrowType, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
        TimestampSecondType,
    },
};
use paimon_spec::{CompareOp, DataField, DataType, Datum, ErrorKind, Predicate, TypeKind};
use proptest::prelude::*;
use rstest::rstest;

use super::{
    super::super::{
        FileRead,
        tests::{BUCKET, Dice, RUNTIME, all_of, batch, meta, random_array, read, table, together, write},
    },
    some,
};
use crate::arrow_type;

/// Types that are written; `deep` more levels of nesting. Within others there are no timestamps, for [`holdable`].
fn any_written_type(deep: u32) -> BoxedStrategy<DataType> {
    let times = prop_oneof![(0u8..=9).prop_map(TypeKind::Timestamp), (0u8..=9).prop_map(TypeKind::TimestampLtz)];
    let atomic = prop_oneof![
        Just(TypeKind::Boolean),
        Just(TypeKind::TinyInt),
        Just(TypeKind::SmallInt),
        Just(TypeKind::Int),
        Just(TypeKind::BigInt),
        Just(TypeKind::Float),
        Just(TypeKind::Double),
        Just(TypeKind::Date),
        (0u8..=9).prop_map(TypeKind::Time),
        Just(TypeKind::VarChar(DataType::MAX_LENGTH)),
        Just(TypeKind::VarChar(50)),
        Just(TypeKind::Char(50)),
        Just(TypeKind::VarBinary(DataType::MAX_LENGTH)),
        Just(TypeKind::Binary(4)),
        (1u8..=38, 0u8..=38)
            .prop_map(|(precision, scale)| TypeKind::Decimal { precision, scale: scale.min(precision) }),
    ];
    let kind = match deep {
        0 => atomic.boxed(),
        _ => {
            let inner = move || {
                any_written_type(deep - 1)
                    .prop_filter("no time", |t| !matches!(t.kind, TypeKind::Timestamp(_) | TypeKind::TimestampLtz(_)))
            };
            let key = || any_written_type(0).prop_map(|t| Box::new(DataType { nullable: false, ..t }));
            prop_oneof![
                4 => atomic,
                2 => times,
                1 => inner().prop_map(|t| TypeKind::Array(Box::new(t))),
                1 => (key(), inner()).prop_map(|(key, value)| TypeKind::Map(key, Box::new(value))),
                1 => key().prop_map(TypeKind::Multiset),
                1 => prop::collection::vec(inner(), 1..4).prop_map(|types| TypeKind::Row(
                    types.into_iter().enumerate().map(|(i, t)| DataField::new(i as i32, format!("f{i}"), t)).collect()
                )),
            ]
            .boxed()
        }
    };
    (kind, any::<bool>()).prop_map(|(kind, nullable)| DataType { kind, nullable }).boxed()
}

/// Out of the second before 1970, of which ORC holds no fractions.
fn holdable(array: ArrayRef) -> ArrayRef {
    macro_rules! holdable {
        ($kind:ty, $per_second:literal) => {{
            let held = unary::<_, _, $kind>(array.as_primitive::<$kind>(), |value| {
                if (-$per_second..0).contains(&value) { -value } else { value }
            });
            Arc::new(held.with_data_type(array.data_type().clone()))
        }};
    }
    match array.data_type() {
        ArrowType::Timestamp(TimeUnit::Second, _) => holdable!(TimestampSecondType, 1),
        ArrowType::Timestamp(TimeUnit::Millisecond, _) => holdable!(TimestampMillisecondType, 1_000),
        ArrowType::Timestamp(TimeUnit::Microsecond, _) => holdable!(TimestampMicrosecondType, 1_000_000),
        ArrowType::Timestamp(TimeUnit::Nanosecond, _) => holdable!(TimestampNanosecondType, 1_000_000_000),
        _ => array,
    }
}

const INSTANTS: (&str, &str) = ("orc.timestamp-ltz.legacy.type", "false");

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read(
        types in prop::collection::vec(any_written_type(2), 1..6), seed: u64, rows in 0usize..1000,
        compression in prop::sample::select(vec!["zstd", "zlib", "lz4", "snappy", "none"]),
    ) {
        let fields: Vec<DataField> =
            types.iter().enumerate().map(|(i, t)| DataField::new(i as i32, format!("c{i}"), t.clone())).collect();
        let table = table(&fields, &[("file.compression", compression), INSTANTS]);
        // The table numbers nested fields.
        let fields = table.schema().fields.clone();
        let mut dice = Dice(seed);
        let mut random = |rows| {
            let columns = fields.iter().map(|f| holdable(random_array(&mut dice, &f.data_type, rows)));
            batch(&fields, columns.collect())
        };
        let batches = [random(rows), random(0), random(rows / 3)];
        let written = write(&table, "data.orc", &fields, &batches).unwrap();
        let expected = together(&fields, &batches);
        let file = meta("data.orc", written.size, expected.num_rows() as u64);
        let found = read(&table, &file, &FileRead { batch_rows: 333, ..all_of(&fields) }).unwrap();
        prop_assert_eq!(together(&fields, &found), expected.clone());
        for (column, stats) in expected.columns().iter().zip(&written.stats) {
            prop_assert_eq!(stats.null_count, Some(column.null_count() as i64));
        }
        // Another decoder of the format, which has its own mind about times out of the calendar.
        let bytes = RUNTIME.block_on(table.storage().read("bucket-0/data.orc")).unwrap();
        let other = orc_rust::ArrowReaderBuilder::try_new(bytes).unwrap();
        let names: Vec<_> = fields
            .iter()
            .filter(|field| {
                let arrow = arrow_type(&field.data_type).unwrap();
                !arrow.is_nested() && !matches!(arrow, ArrowType::Timestamp(..))
            })
            .map(|field| &field.name)
            .collect();
        let mask = orc_rust::projection::ProjectionMask::named_roots(other.file_metadata().root_data_type(), &names);
        let mut start = 0;
        for batch in other.with_projection(mask).build() {
            let batch = batch.unwrap();
            for name in &names {
                let expected = expected.column_by_name(name).unwrap().slice(start, batch.num_rows());
                let found = cast(batch.column_by_name(name).unwrap(), expected.data_type()).unwrap();
                prop_assert_eq!(&found, &expected);
            }
            start += batch.num_rows();
        }
        prop_assert_eq!(start, expected.num_rows());
    }
}

#[rstest]
#[case::vector(TypeKind::Vector(Box::new(DataType::nullable(TypeKind::Float)), 2), "VECTOR<FLOAT, 2>")]
#[case::variant(TypeKind::Variant, "VARIANT")]
#[case::nested(TypeKind::Array(Box::new(DataType::nullable(TypeKind::Variant))), "VARIANT")]
#[case::biased(TypeKind::TimestampLtz(6), "orc.timestamp-ltz.legacy.type")]
fn types_that_cannot_be_written_are_named_before_a_byte_is(#[case] kind: TypeKind, #[case] expected: &str) {
    let fields = some(kind);
    let table = table(&fields, &[]);
    let error = write(&table, "data.orc", &table.schema().fields, &[]).unwrap_err();
    assert_eq!((error.kind(), error.context("column")), (ErrorKind::Unsupported, Some("a")));
    assert!(error.to_string().contains(expected), "{error}");
    assert!(!RUNTIME.block_on(table.storage().exists(&format!("{BUCKET}/data.orc"))).unwrap());
}

#[test]
fn a_compression_that_orc_lacks_is_named() {
    let fields = some(TypeKind::Int);
    let error = write(&table(&fields, &[("file.compression", "gzip")]), "data.orc", &fields, &[]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("gzip"), "{error}");
}

#[test]
fn a_time_that_orc_cannot_hold_is_refused() {
    let fields = some(TypeKind::Timestamp(6));
    let rows = batch(&fields, vec![Arc::new(TimestampMicrosecondArray::from(vec![-1]))]);
    let error = write(&table(&fields, &[]), "data.orc", &fields, &[rows]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("1000 nanoseconds before 1970"), "{error}");
    assert_eq!(error.context("column"), Some("a"));
}

#[test]
fn a_large_file_has_stripes_with_statistics() {
    let fields = vec![
        DataField::new(0, "id", DataType::not_null(TypeKind::BigInt)),
        DataField::new(1, "text", DataType::string()),
    ];
    let table = table(&fields, &[("file.compression", "lz4")]);
    let wide = "x".repeat(1000);
    let batches: Vec<_> = (0..20i64)
        .map(|part| {
            let ids = Int64Array::from_iter_values(part * 10_000..(part + 1) * 10_000);
            let texts = StringArray::from_iter((0..10_000).map(|row| (row % 9 > 0).then_some(&wide)));
            batch(&fields, vec![Arc::new(ids), Arc::new(texts)])
        })
        .collect();
    let written = write(&table, "data.orc", &fields, &batches).unwrap();
    let file = meta("data.orc", written.size, written.rows);
    let condition = |op, id| Some(Predicate::compare(0, op, Datum::BigInt(id)));
    let count = |predicate| {
        let found = read(&table, &file, &FileRead { predicate, ..all_of(&fields[..1]) }).unwrap();
        found.iter().map(RecordBatch::num_rows).sum::<usize>()
    };
    assert_eq!(count(None), 200_000);
    let (first, last) = (count(condition(CompareOp::Lt, 1)), count(condition(CompareOp::GtEq, 199_999)));
    assert!((1..150_000).contains(&first) && (1..150_000).contains(&last), "{first} and {last} rows");
    assert_eq!(count(condition(CompareOp::Lt, 0)), 0);
}
