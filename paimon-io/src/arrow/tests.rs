//! Types, casts and filters on arrays.

use std::{collections::HashMap, sync::Arc};

use arrow::{
    array::{
        Array, ArrayRef, BinaryViewArray, BooleanArray, Decimal128Array, DictionaryArray, Float32Array, Float64Array,
        Int8Array, Int32Array, Int64Array, LargeStringArray, ListArray, RecordBatch, StringArray, StructArray,
        Time64MicrosecondArray, TimestampMicrosecondArray, TimestampMillisecondArray, UInt64Array,
    },
    datatypes::{DataType as ArrowType, Field, Int32Type, Schema, TimeUnit},
    util::display::array_value_to_string,
};
use paimon_spec::{CompareOp, DataField, DataType, Datum, ErrorKind, Leaf, Predicate, Test, Timestamp, TypeKind};
use proptest::prelude::*;
use rstest::rstest;

use super::{
    evolve::evolve_array,
    filter::filter_mask,
    fit::{fit_array, fit_batch},
    rows::{constant_array, datum_at},
    types::{arrow_schema, arrow_type, paimon_fields},
};

const STRING: TypeKind = TypeKind::VarChar(DataType::MAX_LENGTH);

fn nullable(kind: TypeKind) -> DataType {
    DataType::nullable(kind)
}

fn decimal(precision: u8, scale: u8) -> TypeKind {
    TypeKind::Decimal { precision, scale }
}

fn decimals(values: Vec<Option<i128>>, precision: u8, scale: i8) -> ArrayRef {
    Arc::new(Decimal128Array::from(values).with_precision_and_scale(precision, scale).unwrap())
}

fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

/// Values as text; NULL as `NULL`.
fn shown(array: &ArrayRef) -> Vec<String> {
    let plain = match array.data_type() {
        ArrowType::Timestamp(unit, Some(_)) => arrow::compute::cast(array, &ArrowType::Timestamp(*unit, None)).unwrap(),
        _ => Arc::clone(array),
    };
    let one = |row| if plain.is_null(row) { "NULL".to_owned() } else { array_value_to_string(&plain, row).unwrap() };
    (0..plain.len()).map(one).collect()
}

// ---- types

#[test]
fn arrow_types_survive_the_way_to_paimon_and_back() {
    let inner = vec![DataField::new(2, "x", nullable(TypeKind::Int)), DataField::new(3, "y", nullable(STRING))];
    let kinds = vec![
        TypeKind::Boolean,
        TypeKind::TinyInt,
        TypeKind::Double,
        decimal(38, 10),
        TypeKind::Date,
        TypeKind::Time(0),
        TypeKind::Timestamp(0),
        TypeKind::Timestamp(9),
        TypeKind::TimestampLtz(6),
        TypeKind::Row(inner),
        TypeKind::Array(Box::new(nullable(STRING))),
        TypeKind::Vector(Box::new(nullable(TypeKind::Float)), 3),
        TypeKind::Map(Box::new(DataType::not_null(STRING)), Box::new(nullable(TypeKind::BigInt))),
        TypeKind::Variant,
        TypeKind::Blob,
    ];
    for kind in kinds {
        let field = DataField { description: Some("why".into()), ..DataField::new(0, "c", DataType::not_null(kind)) };
        let schema = arrow_schema(std::slice::from_ref(&field)).unwrap();
        assert_eq!(schema.field(0).metadata(), &HashMap::from([("description".to_owned(), "why".to_owned())]));
        let back = paimon_fields(&schema).unwrap();
        assert_eq!(arrow_schema(&back).unwrap(), schema);
        assert_eq!(back[0].description, field.description);
    }
}

#[test]
fn nested_fields_are_numbered_child_first() {
    let leaf = |name| Field::new(name, ArrowType::Int32, true);
    let z = ArrowType::Struct(vec![leaf("z")].into());
    let y = Field::new("y", ArrowType::List(Arc::new(Field::new("item", z, true))), true);
    let r = Field::new("r", ArrowType::Struct(vec![leaf("x"), y].into()), true);
    let fields = paimon_fields(&Schema::new(vec![leaf("a"), r, leaf("b")])).unwrap();
    let TypeKind::Row(r) = &fields[1].data_type.kind else { panic!() };
    let TypeKind::Array(item) = &r[1].data_type.kind else { panic!() };
    let TypeKind::Row(item) = &item.kind else { panic!() };
    assert_eq!((fields[1].id, r[0].id, item[0].id, r[1].id, fields[2].id), (1, 2, 3, 4, 5));
}

#[rstest]
#[case(ArrowType::UInt8, "uint8")]
#[case(ArrowType::Float16, "halffloat")]
#[case(ArrowType::Null, "null")]
#[case(ArrowType::Date64, "date64[ms]")]
#[case(ArrowType::Duration(TimeUnit::Microsecond), "duration[us]")]
#[case(ArrowType::List(Arc::new(Field::new("item", ArrowType::UInt64, true))), "uint64")]
fn types_without_a_counterpart_are_named_as_pyarrow_does(#[case] arrow: ArrowType, #[case] name: &str) {
    let error = paimon_fields(&Schema::new(vec![Field::new("c", arrow, true)])).unwrap_err();
    assert_eq!(error.message(), format!("Unsupported pyarrow type: {name}"));
    assert_eq!((error.kind(), error.context("column")), (ErrorKind::InvalidInput, Some("c")));
}

// ---- single values

#[rstest]
#[case(TypeKind::Boolean, Datum::Boolean(true))]
#[case(TypeKind::SmallInt, Datum::SmallInt(-2))]
#[case(decimal(20, 3), Datum::Decimal { unscaled: -12345, scale: 3 })]
#[case(STRING, Datum::String("é".into()))]
#[case(TypeKind::VarBinary(9), Datum::Bytes(vec![0, 255]))]
#[case(TypeKind::Date, Datum::Date(-1))]
#[case(TypeKind::Time(3), Datum::Time(1))]
#[case(TypeKind::Timestamp(0), Datum::Timestamp(Timestamp { millis: -2000, nanos_of_milli: 0 }))]
#[case(TypeKind::TimestampLtz(3), Datum::Timestamp(Timestamp { millis: -1, nanos_of_milli: 0 }))]
#[case(TypeKind::Timestamp(6), Datum::Timestamp(Timestamp { millis: -1, nanos_of_milli: 999_000 }))]
#[case(TypeKind::Timestamp(9), Datum::Timestamp(Timestamp { millis: i64::MIN / 1_000_000, nanos_of_milli: 999_999 }))]
fn a_constant_array_holds_its_value(#[case] kind: TypeKind, #[case] value: Datum) {
    let data_type = nullable(kind);
    let array = constant_array(Some(&value), &data_type, 3).unwrap();
    assert_eq!((array.len(), array.data_type()), (3, &arrow_type(&data_type).unwrap()));
    assert_eq!(datum_at(&array, &data_type, 2).unwrap(), Some(value));
    let array = constant_array(None, &data_type, 3).unwrap();
    assert_eq!(datum_at(&array, &data_type, 2).unwrap(), None);
    assert!(datum_at(&array, &data_type, 3).is_err());
    assert!(constant_array(Some(&Datum::Float(1.0)), &data_type, 3).is_err());
}

// ---- casts of schema evolution

fn evolved(array: ArrayRef, from: TypeKind, to: TypeKind) -> Vec<String> {
    let result = evolve_array(&array, &nullable(from), &nullable(to.clone())).unwrap();
    assert_eq!(result.data_type(), &arrow_type(&nullable(to)).unwrap());
    shown(&result)
}

#[test]
fn numbers_are_cast_as_java_casts_them() {
    let ints = || Arc::new(Int32Array::from(vec![Some(300), Some(-129), None])) as ArrayRef;
    assert_eq!(evolved(ints(), TypeKind::Int, TypeKind::TinyInt), ["44", "127", "NULL"]);
    assert_eq!(evolved(ints(), TypeKind::Int, TypeKind::BigInt), ["300", "-129", "NULL"]);
    assert_eq!(evolved(ints(), TypeKind::Int, decimal(4, 1)), ["300.0", "-129.0", "NULL"]);
    assert_eq!(evolved(ints(), TypeKind::Int, decimal(3, 1)), ["NULL", "NULL", "NULL"]);
    assert_eq!(evolved(ints(), TypeKind::Int, TypeKind::Boolean), ["true", "true", "NULL"]);
    assert_eq!(
        evolved(ints(), TypeKind::Int, TypeKind::Timestamp(3)),
        ["1970-01-01T00:05:00", "1969-12-31T23:57:51", "NULL"]
    );
    let doubles = || Arc::new(Float64Array::from(vec![1e10, -1.9, f64::NAN, 300.5])) as ArrayRef;
    assert_eq!(evolved(doubles(), TypeKind::Double, TypeKind::Int), ["2147483647", "-1", "0", "300"]);
    assert_eq!(evolved(doubles(), TypeKind::Double, TypeKind::TinyInt), ["-1", "-1", "0", "44"]);
    assert_eq!(evolved(doubles(), TypeKind::Double, TypeKind::BigInt)[0], "10000000000");
    let singles = Arc::new(Float32Array::from(vec![0.1, 2.5])) as ArrayRef;
    assert_eq!(evolved(singles, TypeKind::Float, decimal(10, 1)), ["0.1", "2.5"]);
}

#[test]
fn decimals_round_half_up_and_overflow_to_null() {
    let values = || decimals(vec![Some(1235), Some(-1235), Some(1234), Some(99995), None], 6, 3);
    assert_eq!(evolved(values(), decimal(6, 3), decimal(5, 2)), ["1.24", "-1.24", "1.23", "100.00", "NULL"]);
    assert_eq!(evolved(values(), decimal(6, 3), decimal(4, 2)), ["1.24", "-1.24", "1.23", "NULL", "NULL"]);
    assert_eq!(evolved(values(), decimal(6, 3), decimal(38, 10))[0], "1.2350000000");
    assert_eq!(evolved(values(), decimal(6, 3), decimal(38, 38)), ["NULL"; 5]);
    assert_eq!(evolved(values(), decimal(6, 3), TypeKind::Int), ["1", "-1", "1", "99", "NULL"]);
    assert_eq!(evolved(values(), decimal(6, 3), TypeKind::Double)[0], "1.235");
    assert_eq!(evolved(values(), decimal(6, 3), STRING)[1], "-1.235");
}

#[test]
fn values_become_texts_as_java_prints_them() {
    let doubles =
        Arc::new(Float64Array::from(vec![1.0, 1e7, 0.001, 1.5e-4, -0.0, 123456.75, f64::NEG_INFINITY])) as ArrayRef;
    let expected = ["1.0", "1.0E7", "0.001", "1.5E-4", "-0.0", "123456.75", "-Infinity"];
    assert_eq!(evolved(doubles, TypeKind::Double, STRING), expected);
    let ints = || Arc::new(Int32Array::from(vec![12345, -1])) as ArrayRef;
    assert_eq!(evolved(ints(), TypeKind::Int, TypeKind::VarChar(3)), ["123", "-1"]);
    assert_eq!(evolved(ints(), TypeKind::Int, TypeKind::Char(3)), ["123", "-1 "]);
    assert_eq!(evolved(texts(&["é漢x"]), STRING, TypeKind::VarChar(2)), ["é漢"]);
    let instants = || Arc::new(TimestampMicrosecondArray::from(vec![-1, 1_500_000, 0])) as ArrayRef;
    let expected = ["1969-12-31 23:59:59.999999", "1970-01-01 00:00:01.500000", "1970-01-01 00:00:00.000000"];
    assert_eq!(evolved(instants(), TypeKind::Timestamp(6), STRING), expected);
    assert_eq!(evolved(instants(), TypeKind::Timestamp(6), TypeKind::Date), ["1969-12-31", "1970-01-01", "1970-01-01"]);
    assert_eq!(evolved(instants(), TypeKind::Timestamp(6), TypeKind::BigInt), ["-1", "1", "0"]);
    let cut = evolved(instants(), TypeKind::Timestamp(6), TypeKind::Timestamp(3));
    assert_eq!(cut, ["1969-12-31T23:59:59.999", "1970-01-01T00:00:01.500", "1970-01-01T00:00:00"]);
    assert_eq!(evolved(instants(), TypeKind::Timestamp(6), TypeKind::TimestampLtz(9))[1], "1970-01-01T00:00:01.500");
}

#[rstest]
#[case(TypeKind::Int, "12.9", Some("12"))]
#[case(TypeKind::Int, "-2147483648", Some("-2147483648"))]
#[case(TypeKind::Int, "2147483648", None)]
#[case(TypeKind::TinyInt, "128", None)]
#[case(TypeKind::BigInt, " 1", None)]
#[case(TypeKind::Double, " 1e3 ", Some("1000.0"))]
#[case(TypeKind::Double, "inf", None)]
#[case(TypeKind::Boolean, "YES", Some("true"))]
#[case(TypeKind::Boolean, "2", None)]
#[case(decimal(4, 2), "1.235e1", Some("12.35"))]
#[case(decimal(4, 2), "0.005", Some("0.01"))]
#[case(decimal(4, 2), "99.995", Some("NULL"))]
#[case(decimal(4, 2), "1e400", Some("NULL"))]
#[case(decimal(4, 2), "1,5", None)]
#[case(TypeKind::Date, "2024-2-29", Some("2024-02-29"))]
#[case(TypeKind::Date, "2023-02-29", None)]
#[case(TypeKind::Date, "2017-12-12 09:30:00.0", Some("2017-12-12"))]
#[case(TypeKind::Time(3), "1:2:3.4567", Some("01:02:03.457"))]
#[case(TypeKind::Timestamp(3), "2024-01-02T03:04:05.123456", Some("2024-01-02T03:04:05.123"))]
#[case(TypeKind::Timestamp(3), "1000", Some("1970-01-01T00:00:01"))]
#[case(TypeKind::TimestampLtz(6), "1969-12-31 23:59:59.5", Some("1969-12-31T23:59:59.500"))]
#[case(TypeKind::Timestamp(6), "yesterday", None)]
#[case(TypeKind::Binary(3), "a", Some("610000"))]
fn texts_are_parsed_as_java_parses_them(#[case] to: TypeKind, #[case] text: &str, #[case] expected: Option<&str>) {
    let result = evolve_array(&texts(&[text]), &nullable(STRING), &nullable(to));
    match expected {
        Some(expected) => assert_eq!(shown(&result.unwrap()), [expected]),
        None => {
            let error = result.unwrap_err();
            assert!(error.kind() == ErrorKind::InvalidInput && error.to_string().contains(text), "{error}");
        }
    }
}

#[test]
fn a_cast_that_the_format_lacks_is_unsupported() {
    let array: ArrayRef = Arc::new(BooleanArray::from(vec![true]));
    let error = evolve_array(&array, &nullable(TypeKind::Boolean), &nullable(TypeKind::Date)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

// ---- columns of writers

fn fit(array: ArrayRef, data_type: DataType) -> paimon_spec::Result<Vec<String>> {
    fit_array(&array, &DataField::new(0, "c", data_type)).map(|array| shown(&array))
}

#[test]
fn all_arrow_forms_of_a_column_are_taken() {
    let dictionary: DictionaryArray<Int32Type> = vec![Some("a"), None, Some("a")].into_iter().collect();
    assert_eq!(fit(Arc::new(dictionary), nullable(STRING)).unwrap(), ["a", "NULL", "a"]);
    assert_eq!(fit(Arc::new(LargeStringArray::from(vec!["é"])), nullable(STRING)).unwrap(), ["é"]);
    assert_eq!(
        fit(Arc::new(BinaryViewArray::from(vec![b"x" as &[u8]])), nullable(TypeKind::Binary(1))).unwrap(),
        ["78"]
    );
    assert_eq!(fit(Arc::new(UInt64Array::from(vec![7])), nullable(TypeKind::TinyInt)).unwrap(), ["7"]);
    assert_eq!(fit(Arc::new(Int32Array::from(vec![7])), nullable(decimal(5, 2))).unwrap(), ["7.00"]);
    assert_eq!(
        fit(Arc::new(Time64MicrosecondArray::from(vec![1000])), nullable(TypeKind::Time(0))).unwrap(),
        ["00:00:00.001"]
    );
    let zoned = TimestampMillisecondArray::from(vec![1]).with_timezone("+02:00");
    assert_eq!(fit(Arc::new(zoned), nullable(TypeKind::TimestampLtz(6))).unwrap(), ["1970-01-01T00:00:00.001"]);
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>(vec![Some(vec![Some(1), None])]);
    let wide = nullable(TypeKind::Array(Box::new(nullable(TypeKind::BigInt))));
    assert_eq!(fit(Arc::new(list), wide).unwrap(), ["[1, ]"]);
    assert_eq!(fit(texts(&["7"]), nullable(TypeKind::Int)).unwrap(), ["7"]);
    assert_eq!(
        fit(texts(&["2024-01-02T00:00:00"]), nullable(TypeKind::TimestampLtz(3))).unwrap(),
        ["2024-01-02T00:00:00"]
    );
    assert_eq!(fit(Arc::new(arrow::array::NullArray::new(1)), nullable(TypeKind::Int)).unwrap(), ["NULL"]);
}

#[rstest]
#[case(Arc::new(Int64Array::from(vec![1, 300])), nullable(TypeKind::TinyInt), "300")]
#[case(Arc::new(Int64Array::from(vec![(1 << 53) + 1])), nullable(TypeKind::Double), "9007199254740993")]
#[case(decimals(vec![Some(12345)], 10, 3), nullable(decimal(10, 2)), "12.345")]
#[case(decimals(vec![Some(123)], 10, 0), nullable(decimal(2, 0)), "123")]
#[case(Arc::new(Time64MicrosecondArray::from(vec![1])), nullable(TypeKind::Time(3)), "00:00:00.000001")]
#[case(Arc::new(TimestampMicrosecondArray::from(vec![1])), nullable(TypeKind::Timestamp(3)), "1970-01-01T00:00:00.000001")]
#[case(texts(&["seven"]), nullable(TypeKind::Int), "seven")]
#[case(Arc::new(Int32Array::from(vec![None])), DataType::not_null(TypeKind::Int), "NULL")]
#[case(Arc::new(Float64Array::from(vec![1.5])), nullable(TypeKind::Int), "Float64")]
#[case(Arc::new(TimestampMicrosecondArray::from(vec![1])), nullable(TypeKind::TimestampLtz(6)), "Timestamp")]
fn a_value_that_would_change_is_refused(#[case] array: ArrayRef, #[case] data_type: DataType, #[case] named: &str) {
    let error = fit(array, data_type).unwrap_err();
    assert_eq!((error.kind(), error.context("column")), (ErrorKind::InvalidInput, Some("c")));
    assert!(error.to_string().contains(named), "{error}");
}

#[test]
fn columns_are_found_by_name() {
    let fields = vec![DataField::new(0, "a", nullable(TypeKind::Int)), DataField::new(1, "b", nullable(STRING))];
    let given =
        RecordBatch::try_from_iter(vec![("b", texts(&["x"])), ("a", Arc::new(Int8Array::from(vec![1])) as ArrayRef)]);
    let found = fit_batch(&given.unwrap(), &fields).unwrap();
    assert_eq!(found.columns().iter().flat_map(shown).collect::<Vec<_>>(), ["1", "x"]);
    let missing = RecordBatch::try_from_iter(vec![("b", texts(&["x"]))]).unwrap();
    assert_eq!(fit_batch(&missing, &fields).unwrap_err().context("column"), Some("a"));
    let row = nullable(TypeKind::Row(fields.clone()));
    let pairs = vec![
        (Arc::new(Field::new("b", ArrowType::Utf8, true)), texts(&["x"])),
        (Arc::new(Field::new("a", ArrowType::Int32, true)), Arc::new(Int32Array::from(vec![1])) as ArrayRef),
    ];
    assert_eq!(fit(Arc::new(StructArray::from(pairs)), row).unwrap(), ["{a: 1, b: x}"]);
}

// ---- filters

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_mask_is_what_each_row_evaluates_to(
        numbers in prop::collection::vec(prop::option::of(-3i64..4), 0..20),
        doubles in prop::collection::vec(prop::option::of(prop::sample::select(vec![f64::NAN, -f64::NAN, -0.0, 0.0, 1.0, f64::INFINITY])), 20),
        instants in prop::collection::vec(prop::option::of(-3i64..4), 20), op_index in 0usize..6, number in -3i64..4,
        double in prop::sample::select(vec![f64::NAN, -0.0, 0.0, 1.0]), millis in -3i64..4, nanos in 0i32..3, shape in 0u8..6,
        list in prop::collection::vec(-3i64..4, 0..4),
    ) {
        use CompareOp::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
        let op = [Eq, NotEq, Lt, LtEq, Gt, GtEq][op_index];
        let fields = vec![
            DataField::new(4, "n", nullable(TypeKind::BigInt)),
            DataField::new(2, "d", nullable(TypeKind::Double)),
            DataField::new(9, "t", nullable(TypeKind::Timestamp(3))),
        ];
        let rows = numbers.len();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(numbers)),
            Arc::new(Float64Array::from(doubles[..rows].to_vec())),
            Arc::new(TimestampMillisecondArray::from(instants[..rows].to_vec())),
        ];
        let batch = RecordBatch::try_new(arrow_schema(&fields).unwrap(), columns).unwrap();
        let leaf = |field, test| Predicate::Leaf(Leaf { field, test });
        let n = leaf(4, Test::Compare(op, Datum::BigInt(number)));
        let d = leaf(2, Test::Compare(op, Datum::Double(double)));
        let t = leaf(9, Test::Compare(op, Datum::Timestamp(Timestamp { millis, nanos_of_milli: nanos })));
        let predicate = match shape {
            0 => Predicate::And(vec![n, d, t]),
            1 => Predicate::Or(vec![n, d, t]),
            2 => Predicate::Not(Box::new(Predicate::And(vec![n, Predicate::Not(Box::new(t))]))),
            3 => leaf(4, Test::In(list.into_iter().map(Datum::BigInt).collect())),
            4 => Predicate::Not(Box::new(leaf(2, Test::In(vec![Datum::Double(double), Datum::Double(1.0)])))),
            _ => Predicate::Or(vec![Predicate::Unknown, leaf(9, Test::IsNull), d]),
        };
        let mask = filter_mask(&batch, &fields, &predicate).unwrap();
        prop_assert_eq!(mask.null_count(), 0);
        for row in 0..rows {
            let value = |id| {
                let position = fields.iter().position(|f| f.id == id).unwrap();
                datum_at(batch.column(position), &fields[position].data_type, row).unwrap()
            };
            prop_assert_eq!(mask.value(row), predicate.evaluate(&value) == Some(true), "row {}", row);
        }
    }
}

#[test]
fn a_literal_of_another_type_is_invalid() {
    let fields = vec![DataField::new(0, "n", nullable(TypeKind::Int))];
    let batch =
        RecordBatch::try_new(arrow_schema(&fields).unwrap(), vec![Arc::new(Int32Array::from(vec![1]))]).unwrap();
    for test in
        [Test::Compare(CompareOp::Eq, Datum::BigInt(1)), Test::In(vec![Datum::BigInt(1)]), Test::Contains("x".into())]
    {
        let error = filter_mask(&batch, &fields, &Predicate::Leaf(Leaf { field: 0, test })).unwrap_err();
        assert_eq!((error.kind(), error.context("column")), (ErrorKind::InvalidInput, Some("n")));
    }
    let elsewhere = Predicate::Leaf(Leaf { field: 1, test: Test::IsNull });
    assert_eq!(filter_mask(&batch, &fields, &elsewhere).unwrap_err().kind(), ErrorKind::InvalidInput);
}
