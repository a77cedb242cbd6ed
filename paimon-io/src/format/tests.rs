//! Data files of all formats, through the table's own entrance.

use std::sync::{Arc, LazyLock};

use ::parquet::{arrow::ArrowWriter, file::properties::WriterProperties};
use arrow::{
    array::{
        Array, ArrayRef, BinaryArray, BooleanArray, Decimal128Array, FixedSizeListArray, Int32Array, Int64Array,
        LargeBinaryArray, ListArray, MapArray, PrimitiveArray, RecordBatch, StringArray, StructArray,
    },
    buffer::{BooleanBuffer, NullBuffer, OffsetBuffer},
    compute::{concat_batches, filter_record_batch},
    datatypes::{
        ArrowPrimitiveType, DataType as ArrowType, Date32Type, Float32Type, Float64Type, Int8Type, Int16Type,
        Int32Type, Int64Type, Time32MillisecondType, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
        TimestampNanosecondType, TimestampSecondType,
    },
};
use bytes::Bytes;
use futures::TryStreamExt;
use paimon_spec::{
    ColumnStats, CompareOp, DataField, DataFileMeta, DataType, Datum, DeletionVector, ErrorKind, Leaf, Predicate,
    Result, Schema, Test, TypeKind,
};
use proptest::prelude::*;
use rstest::rstest;

use super::{FileRead, FileTarget, WrittenFile};
use crate::{TableStore, arrow_schema, arrow_type, datum_at, filter_mask, testkit};

mod damage;

pub(super) static RUNTIME: LazyLock<tokio::runtime::Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap());

pub(super) const BUCKET: &str = "bucket-0";

pub(super) fn table(fields: &[DataField], options: &[(&str, &str)]) -> TableStore {
    let options = options.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    RUNTIME.block_on(testkit::create_table(Schema { fields: fields.to_vec(), options, ..Schema::default() }))
}

pub(super) fn meta(name: &str, size: u64, rows: u64) -> DataFileMeta {
    testkit::data_file(name, size as i64, rows as i64)
}

pub(super) fn write(
    table: &TableStore,
    name: &str,
    fields: &[DataField],
    batches: &[RecordBatch],
) -> Result<WrittenFile> {
    RUNTIME.block_on(async {
        let target = FileTarget {
            bucket_path: BUCKET.to_owned(),
            file_name: name.to_owned(),
            fields: fields.to_vec(),
            schema: Arc::clone(table.schema()),
        };
        let mut writer = table.create_file(&target).await?;
        for batch in batches {
            writer.write(batch).await?;
        }
        writer.finish().await
    })
}

pub(super) fn all_of(fields: &[DataField]) -> FileRead {
    FileRead {
        columns: fields.to_vec(),
        predicate: None,
        deletions: None,
        rows: None,
        limit: None,
        batch_rows: 1000,
        held_bytes: None,
    }
}

pub(super) fn read(table: &TableStore, file: &DataFileMeta, read: &FileRead) -> Result<Vec<RecordBatch>> {
    RUNTIME.block_on(async { table.open_file(BUCKET, file, read).await?.try_collect().await })
}

pub(super) fn together(fields: &[DataField], batches: &[RecordBatch]) -> RecordBatch {
    concat_batches(&arrow_schema(fields).unwrap(), batches).unwrap()
}

pub(super) fn batch(fields: &[DataField], columns: Vec<ArrayRef>) -> RecordBatch {
    RecordBatch::try_new(arrow_schema(fields).unwrap(), columns).unwrap()
}

// ---- random values of any type

/// Chance from a seed: the same seed, the same values.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn next(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// Small numbers half of the time, so that values repeat.
    fn number(&mut self) -> i64 {
        if self.below(2) == 0 { self.below(7) as i64 - 3 } else { self.next() as i64 }
    }
}

fn random_nulls(dice: &mut Dice, data_type: &DataType, rows: usize) -> Option<NullBuffer> {
    data_type.nullable.then(|| (0..rows).map(|_| dice.below(4) > 0).collect::<BooleanBuffer>().into())
}

fn random_lengths(dice: &mut Dice, rows: usize) -> OffsetBuffer<i32> {
    OffsetBuffer::from_lengths((0..rows).map(|_| dice.below(4) as usize).collect::<Vec<_>>())
}

pub(super) fn random_array(dice: &mut Dice, data_type: &DataType, rows: usize) -> ArrayRef {
    fn primitive<T: ArrowPrimitiveType>(
        dice: &mut Dice,
        nulls: Option<NullBuffer>,
        rows: usize,
        value: impl Fn(&mut Dice) -> T::Native,
        arrow: &ArrowType,
    ) -> ArrayRef {
        let values: Vec<T::Native> = (0..rows).map(|_| value(dice)).collect();
        Arc::new(PrimitiveArray::<T>::new(values.into(), nulls).with_data_type(arrow.clone()))
    }
    let arrow = arrow_type(data_type).unwrap();
    let nulls = random_nulls(dice, data_type, rows);
    let valid = |row: usize| nulls.as_ref().is_none_or(|n| n.is_valid(row));
    let text = |dice: &mut Dice| {
        "aé漢😀z".chars().cycle().skip(dice.below(5) as usize).take(dice.below(9) as usize).collect::<String>()
    };
    match &arrow {
        ArrowType::Boolean => {
            let values: BooleanBuffer = (0..rows).map(|_| dice.below(2) == 0).collect();
            Arc::new(BooleanArray::new(values, nulls))
        }
        ArrowType::Int8 => primitive::<Int8Type>(dice, nulls, rows, |d| d.number() as i8, &arrow),
        ArrowType::Int16 => primitive::<Int16Type>(dice, nulls, rows, |d| d.number() as i16, &arrow),
        ArrowType::Int32 => primitive::<Int32Type>(dice, nulls, rows, |d| d.number() as i32, &arrow),
        ArrowType::Int64 => primitive::<Int64Type>(dice, nulls, rows, Dice::number, &arrow),
        ArrowType::Float32 => primitive::<Float32Type>(
            dice,
            nulls,
            rows,
            |d| [f32::NAN, -0.0, 0.0, 1.5, -f32::INFINITY][d.below(5) as usize],
            &arrow,
        ),
        ArrowType::Float64 => primitive::<Float64Type>(
            dice,
            nulls,
            rows,
            |d| [f64::NAN, -0.0, 0.0, 1e300, f64::INFINITY][d.below(5) as usize],
            &arrow,
        ),
        ArrowType::Date32 => primitive::<Date32Type>(dice, nulls, rows, |d| d.number() as i32, &arrow),
        ArrowType::Time32(_) => {
            primitive::<Time32MillisecondType>(dice, nulls, rows, |d| d.below(86_400_000) as i32, &arrow)
        }
        ArrowType::Timestamp(TimeUnit::Second, _) => {
            primitive::<TimestampSecondType>(dice, nulls, rows, |d| d.number() / 1000, &arrow)
        }
        ArrowType::Timestamp(TimeUnit::Millisecond, _) => {
            primitive::<TimestampMillisecondType>(dice, nulls, rows, Dice::number, &arrow)
        }
        ArrowType::Timestamp(TimeUnit::Microsecond, _) => {
            primitive::<TimestampMicrosecondType>(dice, nulls, rows, Dice::number, &arrow)
        }
        ArrowType::Timestamp(TimeUnit::Nanosecond, _) => {
            primitive::<TimestampNanosecondType>(dice, nulls, rows, Dice::number, &arrow)
        }
        ArrowType::Decimal128(precision, _) => {
            let limit = 10i128.pow(u32::from(*precision));
            let wide = |d: &mut Dice| (i128::from(d.next()) << 63 | i128::from(d.next() >> 1)) % limit;
            let values: Vec<i128> =
                (0..rows).map(|_| if dice.below(2) == 0 { wide(dice) } else { -wide(dice) }).collect();
            Arc::new(Decimal128Array::new(values.into(), nulls).with_data_type(arrow.clone()))
        }
        ArrowType::Utf8 => Arc::new(
            (0..rows)
                .map(|row| {
                    let t = text(dice);
                    valid(row).then_some(t)
                })
                .collect::<StringArray>(),
        ),
        ArrowType::Binary => Arc::new(
            (0..rows)
                .map(|row| {
                    let t = text(dice);
                    valid(row).then_some(t.into_bytes())
                })
                .collect::<BinaryArray>(),
        ),
        ArrowType::LargeBinary => {
            let values = (0..rows).map(|row| {
                let t = text(dice);
                valid(row).then_some(t.into_bytes())
            });
            Arc::new(values.collect::<LargeBinaryArray>())
        }
        ArrowType::List(item) => {
            let (TypeKind::Array(element) | TypeKind::Multiset(element)) = &data_type.kind else { panic!() };
            let offsets = random_lengths(dice, rows);
            let values = random_array(dice, element, *offsets.last().unwrap() as usize);
            Arc::new(ListArray::new(Arc::clone(item), offsets, values, nulls))
        }
        ArrowType::FixedSizeList(item, length) => {
            let TypeKind::Vector(element, _) = &data_type.kind else { panic!() };
            let values = random_array(dice, element, rows * *length as usize);
            Arc::new(FixedSizeListArray::new(Arc::clone(item), *length, values, nulls))
        }
        ArrowType::Map(entries, _) => {
            let ArrowType::Struct(fields) = entries.data_type() else { panic!() };
            let count = DataType::not_null(TypeKind::Int);
            let (key, value) = match &data_type.kind {
                TypeKind::Map(key, value) => (key.as_ref(), value.as_ref()),
                TypeKind::Multiset(element) => (element.as_ref(), &count),
                _ => panic!(),
            };
            let key = DataType { nullable: false, ..key.clone() };
            let offsets = random_lengths(dice, rows);
            let total = *offsets.last().unwrap() as usize;
            let columns = vec![random_array(dice, &key, total), random_array(dice, value, total)];
            let pairs = StructArray::new(fields.clone(), columns, None);
            Arc::new(MapArray::new(Arc::clone(entries), offsets, pairs, nulls, false))
        }
        ArrowType::Struct(fields) => {
            let columns = match &data_type.kind {
                TypeKind::Row(row) => row.iter().map(|f| random_array(dice, &f.data_type, rows)).collect(),
                TypeKind::Variant => {
                    let part = DataType::not_null(TypeKind::VarBinary(DataType::MAX_LENGTH));
                    vec![random_array(dice, &part, rows), random_array(dice, &part, rows)]
                }
                _ => panic!(),
            };
            Arc::new(StructArray::new(fields.clone(), columns, nulls))
        }
        other => panic!("no values of {other}"),
    }
}

/// Types that both formats can hold; `deep` more levels of nesting.
fn any_type(deep: u32) -> BoxedStrategy<DataType> {
    let atomic = prop_oneof![
        Just(TypeKind::Boolean),
        Just(TypeKind::TinyInt),
        Just(TypeKind::SmallInt),
        Just(TypeKind::Int),
        Just(TypeKind::BigInt),
        Just(TypeKind::Float),
        Just(TypeKind::Double),
        Just(TypeKind::Date),
        (0u8..=3).prop_map(TypeKind::Time),
        (0u8..=6).prop_map(TypeKind::Timestamp),
        (0u8..=6).prop_map(TypeKind::TimestampLtz),
        Just(TypeKind::VarChar(DataType::MAX_LENGTH)),
        Just(TypeKind::VarBinary(DataType::MAX_LENGTH)),
        (1u8..=38, 0u8..=38)
            .prop_map(|(precision, scale)| TypeKind::Decimal { precision, scale: scale.min(precision) }),
    ];
    let kind = if deep == 0 {
        atomic.boxed()
    } else {
        let inner = || any_type(deep - 1);
        prop_oneof![
            2 => atomic,
            1 => inner().prop_map(|t| TypeKind::Array(Box::new(t))),
            1 => (any::<bool>(), 1u32..4).prop_map(|(nullable, n)| {
                TypeKind::Vector(Box::new(DataType { kind: TypeKind::Float, nullable }), n)
            }),
            1 => (any_type(0), inner()).prop_map(|(k, v)| TypeKind::Map(Box::new(DataType { nullable: false, ..k }), Box::new(v))),
            1 => any_type(0).prop_map(|t| TypeKind::Multiset(Box::new(DataType { nullable: false, ..t }))),
            1 => prop::collection::vec(inner(), 1..4).prop_map(|types| TypeKind::Row(
                types.into_iter().enumerate().map(|(i, t)| DataField::new(i as i32, format!("f{i}"), t)).collect()
            )),
        ]
        .boxed()
    };
    (kind, any::<bool>()).prop_map(|(kind, nullable)| DataType { kind, nullable }).boxed()
}

fn round_trip(extension: &str, types: &[DataType], seed: u64, rows: usize, compression: &str) {
    let fields: Vec<DataField> =
        types.iter().enumerate().map(|(i, t)| DataField::new(i as i32, format!("c{i}"), t.clone())).collect();
    let table = table(&fields, &[("file.compression", compression)]);
    // The table numbers nested fields; names and types stay.
    let fields = table.schema().fields.clone();
    let mut dice = Dice(seed);
    let batches: Vec<RecordBatch> = [rows, 0, rows / 2]
        .iter()
        .map(|rows| batch(&fields, fields.iter().map(|f| random_array(&mut dice, &f.data_type, *rows)).collect()))
        .collect();
    let name = format!("data.{extension}");
    let written = write(&table, &name, &fields, &batches).unwrap();
    let expected = together(&fields, &batches);
    assert_eq!(written.rows as usize, expected.num_rows());
    for (column, stats) in expected.columns().iter().zip(&written.stats) {
        assert_eq!(stats.null_count, Some(column.null_count() as i64));
    }
    let file = meta(&name, written.size, written.rows);
    let found = read(&table, &file, &FileRead { batch_rows: 7, ..all_of(&fields) }).unwrap();
    assert!(found.iter().all(|b| b.num_rows() > 0 && b.num_rows() <= 7));
    assert_eq!(together(&fields, &found), expected);
    // Backwards, and but one column.
    let reversed: Vec<DataField> = fields.iter().rev().cloned().collect();
    let found = read(&table, &file, &all_of(&reversed)).unwrap();
    assert_eq!(together(&reversed, &found).column(0), expected.columns().last().unwrap());
    let found = read(&table, &file, &all_of(&fields[..1])).unwrap();
    assert_eq!(together(&fields[..1], &found).column(0), expected.column(0));
    // No column: rows alone.
    let found = read(&table, &file, &all_of(&[])).unwrap();
    assert_eq!(found.iter().map(RecordBatch::num_rows).sum::<usize>(), expected.num_rows());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_as_parquet_is_read(
        types in prop::collection::vec(any_type(2), 1..5), seed: u64, rows in 1usize..60,
        compression in prop::sample::select(vec!["zstd", "lz4", "snappy", "gzip", "none"]),
    ) {
        round_trip("parquet", &types, seed, rows, compression);
    }

    #[test]
    fn what_is_written_as_avro_is_read(
        types in prop::collection::vec(any_type(2), 1..5), seed: u64, rows in 1usize..60,
        compression in prop::sample::select(vec!["zstd", "snappy", "deflate", "none"]),
    ) {
        round_trip("avro", &types, seed, rows, compression);
    }
}

#[rstest]
#[case(TypeKind::Timestamp(9))]
#[case(TypeKind::TimestampLtz(7))]
#[case(TypeKind::Time(9))]
#[case(TypeKind::Variant)]
fn parquet_also_has_types_that_avro_lacks(#[case] kind: TypeKind) {
    let data_type = DataType::nullable(kind);
    round_trip("parquet", std::slice::from_ref(&data_type), 1, 50, "zstd");
    let fields = vec![DataField::new(0, "a", data_type)];
    let error = write(&table(&fields, &[]), "data.avro", &fields, &[]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert_eq!(error.context("column"), Some("a"));
}

// ---- what is left out while reading

/// A table with a file of many small row groups and pages; columns `id`, `word`, `wide`.
fn file_of_small_pages(
    ids: &[Option<i32>],
    group_rows: usize,
    page_rows: usize,
) -> (TableStore, DataFileMeta, RecordBatch) {
    let fields = vec![
        DataField::new(0, "id", DataType::nullable(TypeKind::Int)),
        DataField::new(1, "word", DataType::string()),
        DataField::new(2, "wide", DataType::not_null(TypeKind::BigInt)),
    ];
    let table = table(&fields, &[]);
    let words = ids.iter().map(|id| id.map(|id| format!("word {}", id.rem_euclid(10))));
    let rows = batch(
        &fields,
        vec![
            Arc::new(ids.iter().copied().collect::<Int32Array>()),
            Arc::new(words.collect::<StringArray>()),
            Arc::new((0..ids.len() as i64).collect::<Int64Array>()),
        ],
    );
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(group_rows))
        .set_data_page_row_count_limit(page_rows)
        .set_write_batch_size(page_rows)
        .build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, rows.schema(), Some(properties)).unwrap();
    writer.write(&rows).unwrap();
    writer.close().unwrap();
    let file = meta("data.parquet", bytes.len() as u64, ids.len() as u64);
    let _ = RUNTIME.block_on(table.storage().put_new("bucket-0/data.parquet", Bytes::from(bytes))).unwrap();
    (table, file, rows)
}

fn leaf(field: i32, test: Test) -> Predicate {
    Predicate::Leaf(Leaf { field, test })
}

fn any_predicate() -> impl Strategy<Value = Predicate> {
    let op = prop::sample::select(vec![
        CompareOp::Eq,
        CompareOp::NotEq,
        CompareOp::Lt,
        CompareOp::LtEq,
        CompareOp::Gt,
        CompareOp::GtEq,
    ]);
    let number = -5i32..105;
    let leaf = prop_oneof![
        (op, number.clone()).prop_map(|(op, n)| leaf(0, Test::Compare(op, Datum::Int(n)))),
        prop::collection::vec(number, 0..4).prop_map(|n| leaf(0, Test::In(n.into_iter().map(Datum::Int).collect()))),
        Just(leaf(0, Test::IsNull)),
        Just(leaf(1, Test::IsNotNull)),
        (0i32..10).prop_map(|n| leaf(1, Test::Compare(CompareOp::Eq, Datum::String(format!("word {n}"))))),
        Just(leaf(1, Test::StartsWith("word 3".to_owned()))),
        Just(leaf(1, Test::EndsWith("7".to_owned()))),
        Just(leaf(1, Test::Contains("d 5".to_owned()))),
        (0i64..200).prop_map(|n| leaf(2, Test::Compare(CompareOp::GtEq, Datum::BigInt(n)))),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..3).prop_map(Predicate::And),
            prop::collection::vec(inner.clone(), 1..3).prop_map(Predicate::Or),
            inner.prop_map(|p| Predicate::Not(Box::new(p))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pages_are_left_out_by_physical_position(
        mut ids in prop::collection::vec(prop::option::weighted(0.9, 0i32..100), 1..200), sorted: bool,
        group_rows in 5usize..60, page_rows in 1usize..20, predicate in prop::option::of(any_predicate()),
        deleted in prop::option::of(prop::collection::btree_set(0u64..220, 0..120)), batch_rows in 1usize..50,
        held_bytes in prop::option::of(0_u64..2_000),
    ) {
        if sorted {
            ids.sort_unstable();
        }
        let (table, file, rows) = file_of_small_pages(&ids, group_rows, page_rows);
        let fields = table.schema().fields.clone();
        let deletions = deleted.clone().map(|d| Arc::new(DeletionVector::from_positions(d)));
        let request = FileRead { predicate: predicate.clone(), deletions, batch_rows, held_bytes, ..all_of(&fields) };
        let found = together(&fields, &read(&table, &file, &request).unwrap());

        let passes = |row: usize| {
            let value = |id: i32| datum_at(rows.column(id as usize), &fields[id as usize].data_type, row).unwrap();
            predicate.as_ref().is_none_or(|p| p.evaluate(&value) == Some(true))
        };
        let live = |row: usize| !deleted.as_ref().is_some_and(|d| d.contains(&(row as u64)));
        let keep = |wanted: &dyn Fn(usize) -> bool| -> RecordBatch {
            filter_record_batch(&rows, &(0..rows.num_rows()).map(|row| Some(wanted(row))).collect::<BooleanArray>()).unwrap()
        };
        let exact = keep(&|row| live(row) && passes(row));
        // What comes may be too much, but filtered it is what was asked for, and nothing deleted comes.
        let filtered = match &predicate {
            None => found.clone(),
            Some(p) => filter_record_batch(&found, &filter_mask(&found, &fields, p).unwrap()).unwrap(),
        };
        prop_assert_eq!(&filtered, &exact);
        let wide = |batch: &RecordBatch| batch.column(2).as_any().downcast_ref::<Int64Array>().unwrap().values().to_vec();
        let all_live = wide(&keep(&live));
        prop_assert!(wide(&found).iter().all(|row| all_live.contains(row)));

        // A limit cuts what comes, and the predicate may need columns that are not read.
        let limited = FileRead { limit: Some(7), predicate: None, ..request.clone() };
        let found = together(&fields, &read(&table, &file, &limited).unwrap());
        prop_assert_eq!(wide(&found), all_live.iter().copied().take(7).collect::<Vec<_>>());
        let narrow = FileRead { columns: fields[2..].to_vec(), ..request };
        let found = read(&table, &file, &narrow).unwrap();
        let found: usize = found.iter().map(RecordBatch::num_rows).sum();
        prop_assert!(found >= exact.num_rows() && found <= all_live.len());
    }
}

#[test]
fn a_condition_that_statistics_decide_reads_nothing_else() {
    let ids: Vec<_> = (0..1000).map(Some).collect();
    let (table, file, _) = file_of_small_pages(&ids, 100, 10);
    let fields = table.schema().fields.clone();
    let predicate = leaf(0, Test::Compare(CompareOp::Eq, Datum::Int(555)));
    let found = read(&table, &file, &FileRead { predicate: Some(predicate), ..all_of(&fields) }).unwrap();
    assert_eq!(found.iter().map(RecordBatch::num_rows).sum::<usize>(), 1, "the late filter is exact");
    let predicate = leaf(0, Test::Compare(CompareOp::Gt, Datum::Int(2000)));
    let found = read(&table, &file, &FileRead { predicate: Some(predicate), ..all_of(&fields) }).unwrap();
    assert!(found.is_empty());
}

#[test]
fn a_column_with_nan_has_no_page_index_and_is_read_all_the_same() {
    let fields = vec![
        DataField::new(0, "id", DataType::nullable(TypeKind::Int)),
        DataField::new(1, "x", DataType::nullable(TypeKind::Double)),
    ];
    let table = table(&fields, &[]);
    let x: PrimitiveArray<Float64Type> = vec![Some(1.0), Some(f64::NAN), None, Some(7.0)].into();
    let rows = batch(&fields, vec![Arc::new(Int32Array::from(vec![1, 2, 3, 4])), Arc::new(x)]);
    let written = write(&table, "data.parquet", &fields, std::slice::from_ref(&rows)).unwrap();
    let predicate = leaf(1, Test::Compare(CompareOp::Gt, Datum::Double(1.0)));
    let request = FileRead { predicate: Some(predicate.clone()), ..all_of(&fields) };
    let found = together(&fields, &read(&table, &meta("data.parquet", written.size, 4), &request).unwrap());
    let mask = filter_mask(&found, &fields, &predicate).unwrap();
    let found = filter_record_batch(&found, &mask).unwrap();
    assert_eq!(found.column(0).as_ref(), &Int32Array::from(vec![2, 4]));
}

// ---- statistics

#[test]
fn statistics_are_those_of_the_rows() {
    let fields = vec![
        DataField::new(0, "i", DataType::nullable(TypeKind::Int)),
        DataField::new(1, "s", DataType::string()),
        DataField::new(2, "d", DataType::nullable(TypeKind::Double)),
        DataField::new(3, "a", DataType::nullable(TypeKind::Array(Box::new(DataType::nullable(TypeKind::Int))))),
        DataField::new(4, "n", DataType::nullable(TypeKind::Int)),
    ];
    let long = "x".repeat(300);
    let rows = batch(
        &fields,
        vec![
            Arc::new(Int32Array::from(vec![Some(3), None, Some(-1)])),
            Arc::new(StringArray::from(vec![Some("b"), Some(&long), None])),
            Arc::new(PrimitiveArray::<Float64Type>::from(vec![f64::NAN, 1.5, -2.0])),
            Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(vec![
                Some(vec![None, Some(1)]),
                None,
                Some(vec![]),
            ])),
            Arc::new(Int32Array::from(vec![None, None, None])),
        ],
    );
    let stats = |min, max, null_count| ColumnStats { min, max, null_count: Some(null_count) };
    let expected = vec![
        stats(Some(Datum::Int(-1)), Some(Datum::Int(3)), 1),
        stats(Some(Datum::String("b".into())), Some(Datum::String(long)), 1),
        stats(Some(Datum::Double(-2.0)), Some(Datum::Double(1.5)), 0),
        stats(None, None, 1),
        stats(None, None, 3),
    ];
    for extension in ["parquet", "avro"] {
        let table = table(&fields, &[("metadata.stats-mode", "full")]);
        let written = write(&table, &format!("data.{extension}"), &fields, std::slice::from_ref(&rows)).unwrap();
        assert_eq!(written.stats, expected, "{extension}");
    }
}

#[test]
fn an_aborted_file_does_not_appear() {
    let fields = vec![DataField::new(0, "i", DataType::nullable(TypeKind::Int))];
    for name in ["data.parquet", "data.orc", "data.avro"] {
        let table = table(&fields, &[]);
        RUNTIME.block_on(async {
            let target = FileTarget {
                bucket_path: BUCKET.to_owned(),
                file_name: name.to_owned(),
                fields: fields.clone(),
                schema: Arc::clone(table.schema()),
            };
            let mut writer = table.create_file(&target).await.unwrap();
            writer.write(&batch(&fields, vec![Arc::new(Int32Array::from(vec![1, 2]))])).await.unwrap();
            assert_eq!(writer.rows(), 2);
            writer.abort().await.unwrap();
            assert!(!table.storage().exists(&format!("{BUCKET}/{name}")).await.unwrap());
        });
    }
}

// ---- files that are not what they should be

#[rstest]
#[case("data.lance", "LANCE")]
#[case("data.csv.gz", "CSV")]
fn other_formats_are_named(#[case] name: &str, #[case] expected: &str) {
    let fields = vec![DataField::new(0, "i", DataType::nullable(TypeKind::Int))];
    let table = table(&fields, &[]);
    let _ = RUNTIME.block_on(table.storage().put_new(&format!("{BUCKET}/{name}"), Bytes::from_static(b"x"))).unwrap();
    let error = read(&table, &meta(name, 1, 1), &all_of(&fields)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains(expected) && error.to_string().contains(name), "{error}");
}

#[rstest]
#[case("parquet")]
#[case("orc")]
#[case("avro")]
fn a_file_with_another_row_count_than_its_metadata_is_corrupt(#[case] extension: &str) {
    let fields = vec![DataField::new(0, "i", DataType::nullable(TypeKind::Int))];
    let table = table(&fields, &[]);
    let name = format!("data.{extension}");
    let rows = batch(&fields, vec![Arc::new(Int32Array::from(vec![1, 2, 3]))]);
    let written = write(&table, &name, &fields, &[rows]).unwrap();
    let error = read(&table, &meta(&name, written.size, 4), &all_of(&fields)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CorruptData);
    assert!(error.to_string().contains("wanted 4 rows") && error.to_string().contains(&name), "{error}");
    let error = read(&table, &meta(&name, written.size - 1, 3), &all_of(&fields)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CorruptData, "{error}");
    let error = read(&table, &meta("absent.parquet", 100, 3), &all_of(&fields)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
}

// ---- what other writers make of the same columns

#[test]
fn forms_of_other_writers_become_the_columns_type() {
    use ::parquet::{
        data_type::{ByteArray, ByteArrayType, FixedLenByteArray, FixedLenByteArrayType, Int96, Int96Type},
        file::writer::SerializedFileWriter,
        schema::parser::parse_message_type,
    };
    let message = "message spark_schema {
        required int96 micros; required int96 nanos; required int96 local;
        required binary text; required fixed_len_byte_array(4) fixed;
        required fixed_len_byte_array(3) small (DECIMAL(5,2)); required binary large (DECIMAL(20,1));
    }";
    let schema = Arc::new(parse_message_type(message).unwrap());
    let mut bytes = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut bytes, schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    // 1970-01-02 00:00:00.000001 and .000000001: nanoseconds of the day, then the Julian day.
    let int96 = |nanos: u32, day: u32| {
        let mut v = Int96::new();
        v.set_data(nanos, 0, day);
        v
    };
    let late = int96(1000, 2_440_588 + 400_000);
    for value in [late, int96(1, 2_440_589), int96(1000, 2_440_589)] {
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<Int96Type>().write_batch(&[value], None, None).unwrap();
        column.close().unwrap();
    }
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<ByteArrayType>().write_batch(&[ByteArray::from("é")], None, None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column
        .typed::<FixedLenByteArrayType>()
        .write_batch(&[FixedLenByteArray::from(vec![0, 1, 2, 255])], None, None)
        .unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column
        .typed::<FixedLenByteArrayType>()
        .write_batch(&[FixedLenByteArray::from(vec![255, 255, 254])], None, None)
        .unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<ByteArrayType>().write_batch(&[ByteArray::from(vec![1, 0])], None, None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();

    let kinds = [
        ("micros", TypeKind::Timestamp(6)),
        ("nanos", TypeKind::Timestamp(9)),
        ("local", TypeKind::TimestampLtz(3)),
        ("text", TypeKind::VarChar(DataType::MAX_LENGTH)),
        ("fixed", TypeKind::Binary(4)),
        ("small", TypeKind::Decimal { precision: 5, scale: 2 }),
        ("large", TypeKind::Decimal { precision: 20, scale: 1 }),
        ("absent", TypeKind::Int),
    ];
    let fields: Vec<DataField> = kinds
        .into_iter()
        .enumerate()
        .map(|(i, (name, kind))| DataField::new(i as i32, name, DataType::nullable(kind)))
        .collect();
    let table = table(&fields, &[]);
    let file = meta("data.parquet", bytes.len() as u64, 1);
    let _ = RUNTIME.block_on(table.storage().put_new("bucket-0/data.parquet", Bytes::from(bytes))).unwrap();
    let found = together(&fields, &read(&table, &file, &all_of(&fields)).unwrap());
    let plain = |column: &ArrayRef| match column.data_type() {
        ArrowType::Timestamp(unit, Some(_)) => {
            arrow::compute::cast(column, &ArrowType::Timestamp(*unit, None)).unwrap()
        }
        _ => Arc::clone(column),
    };
    let shown = found.columns().iter().map(|c| arrow::util::display::array_value_to_string(&plain(c), 0).unwrap());
    let shown: Vec<_> = shown.collect();
    assert_eq!(
        shown,
        [
            "3065-03-01T00:00:00.000001",
            "1970-01-02T00:00:00.000000001",
            "1970-01-02T00:00:00",
            "é",
            "000102ff",
            "-0.02",
            "25.6",
            ""
        ]
    );
}
