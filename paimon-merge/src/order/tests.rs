//! The order of keys against the one of metadata, `KeyComparator`.

use std::sync::Arc;

use arrow::{array::RecordBatch, compute::concat};
use paimon_io::constant_array;
use paimon_spec::{
    BinaryRow, DataField, DataType, Datum, KeyComparator, Schema, TableSchema, Timestamp, TypeKind,
    sequence_number_field, value_kind_field,
};
use proptest::prelude::*;
use rstest::rstest;

use super::*;

/// A value that is often equal to another one, or next to it.
fn value(kind: &TypeKind) -> BoxedStrategy<Datum> {
    match kind {
        TypeKind::Boolean => any::<bool>().prop_map(Datum::Boolean).boxed(),
        TypeKind::TinyInt => prop_oneof![-2_i8..2, any::<i8>()].prop_map(Datum::TinyInt).boxed(),
        TypeKind::SmallInt => prop_oneof![-2_i16..2, any::<i16>()].prop_map(Datum::SmallInt).boxed(),
        TypeKind::Int => prop_oneof![-2..2, any::<i32>()].prop_map(Datum::Int).boxed(),
        TypeKind::BigInt => prop_oneof![-2_i64..2, any::<i64>()].prop_map(Datum::BigInt).boxed(),
        TypeKind::Date => prop_oneof![-2..2, any::<i32>()].prop_map(Datum::Date).boxed(),
        TypeKind::Time(_) => (0..86_400_000).prop_map(Datum::Time).boxed(),
        TypeKind::Float => prop_oneof![any::<u32>().prop_map(f32::from_bits), Just(0.0), Just(-0.0), Just(-f32::NAN)]
            .prop_map(Datum::Float)
            .boxed(),
        TypeKind::Double => prop_oneof![any::<u64>().prop_map(f64::from_bits), Just(0.0), Just(-0.0), Just(-f64::NAN)]
            .prop_map(Datum::Double)
            .boxed(),
        TypeKind::Decimal { precision, scale } => {
            let (most, scale) = (10_i128.pow((*precision).into()) - 1, *scale);
            prop_oneof![-2_i128..2, -most..=most].prop_map(move |unscaled| Datum::Decimal { unscaled, scale }).boxed()
        }
        TypeKind::Timestamp(precision) | TypeKind::TimestampLtz(precision) => {
            let unit = match precision {
                0 => 1_000_000_000_i64,
                1..=3 => 1_000_000,
                4..=6 => 1_000,
                _ => 1,
            };
            let nanos = prop_oneof![-2_i64..2, i64::MIN / 2 / 1_000_000..i64::MAX / 2 / 1_000_000];
            nanos
                .prop_map(move |units| {
                    let nanos = i128::from(units) * i128::from(unit);
                    let (millis, rest) = (nanos.div_euclid(1_000_000) as i64, nanos.rem_euclid(1_000_000) as i32);
                    Datum::Timestamp(Timestamp { millis, nanos_of_milli: rest })
                })
                .boxed()
        }
        TypeKind::Binary(_) | TypeKind::VarBinary(_) => {
            prop::collection::vec(prop::sample::select(vec![0_u8, 1, 0x7f, 0x80, 0xff]), 0..12)
                .prop_map(Datum::Bytes)
                .boxed()
        }
        _ => "[\u{0}ab~é€😀]{0,10}".prop_map(Datum::String).boxed(),
    }
}

const STRING: TypeKind = TypeKind::VarChar(DataType::MAX_LENGTH);
const BYTES: TypeKind = TypeKind::VarBinary(DataType::MAX_LENGTH);

fn decimal(precision: u8) -> TypeKind {
    TypeKind::Decimal { precision, scale: 2 }
}

/// A table with these keys, and a batch of its rows.
fn keyed(types: &[DataType], rows: &[Vec<Option<Datum>>], options: &[(&str, &str)]) -> (Arc<KeyedLayout>, RecordBatch) {
    let names: Vec<String> = (0..types.len()).map(|n| format!("k{n}")).collect();
    let fields = names.iter().zip(types).map(|(name, data_type)| DataField::new(0, name, data_type.clone()));
    let sequenced = options.iter().any(|(key, _)| *key == "sequence.field");
    let mut schema = Schema {
        fields: fields.collect(),
        primary_keys: if sequenced { vec!["id".to_owned()] } else { names },
        options: [("bucket", "1")].iter().chain(options).map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        ..Schema::default()
    };
    if sequenced {
        schema.fields.push(DataField::new(0, "id", DataType::not_null(TypeKind::Int)));
    }
    let mut table = TableSchema::create(schema, 0).unwrap();
    // Schemas of others may allow NULL in keys.
    table.fields.iter_mut().zip(types).for_each(|(field, data_type)| field.data_type.nullable = data_type.nullable);
    let ids: Vec<_> = table.fields.iter().map(|field| field.id).collect();
    let layout = KeyedLayout::new(&table, &ids).unwrap();
    let system = [(Datum::BigInt(0), sequence_number_field()), (Datum::TinyInt(0), value_kind_field())];
    let system = system.map(|(value, field)| constant_array(Some(&value), &field.data_type, rows.len()).unwrap());
    let columns = table.fields.iter().enumerate().map(|(position, field)| {
        let one = |row: &Vec<Option<Datum>>| match row.get(position) {
            Some(value) => constant_array(value.as_ref(), &field.data_type, 1).unwrap(),
            None => constant_array(Some(&Datum::Int(0)), &field.data_type, 1).unwrap(),
        };
        let values: Vec<_> = rows.iter().map(one).collect();
        concat(&values.iter().map(AsRef::as_ref).collect::<Vec<_>>()).unwrap()
    });
    let columns = system.into_iter().chain(columns).collect();
    let batch = RecordBatch::try_new(layout.schema().clone(), columns).unwrap();
    (Arc::new(layout), batch)
}

fn check_keys(types: &[DataType], rows: &[Vec<Option<Datum>>]) {
    let (layout, batch) = keyed(types, rows, &[]);
    let order = KeyOrder::new(&layout).unwrap();
    let (left, right) = (order.keys(&batch).unwrap(), order.keys(&batch).unwrap());
    let comparator = KeyComparator::new(types.to_vec());
    let keys: Vec<_> = rows.iter().map(|row| BinaryRow::from_values(row, types).unwrap()).collect();
    for (i, a) in keys.iter().enumerate() {
        for (j, b) in keys.iter().enumerate() {
            let expected = comparator.compare(a, b).unwrap();
            assert_eq!(left.compare(i, &right, j), expected, "{:?} to {:?}", rows[i], rows[j]);
            let by_lead = left.lead()[i].cmp(&right.lead()[j]);
            assert!(by_lead == expected || by_lead.is_eq() && !order.is_exact(), "{:?} to {:?}", rows[i], rows[j]);
        }
    }
}

fn any_types() -> impl Strategy<Value = Vec<DataType>> {
    let kind = prop::sample::select(vec![
        TypeKind::Boolean,
        TypeKind::TinyInt,
        TypeKind::SmallInt,
        TypeKind::Int,
        TypeKind::BigInt,
        TypeKind::Float,
        TypeKind::Double,
        TypeKind::Date,
        TypeKind::Time(3),
        TypeKind::Timestamp(0),
        TypeKind::Timestamp(3),
        TypeKind::Timestamp(6),
        TypeKind::TimestampLtz(9),
        decimal(9),
        decimal(18),
        decimal(19),
        decimal(38),
        STRING,
        BYTES,
        TypeKind::Char(3),
        TypeKind::Binary(4),
    ]);
    let data_type = (kind, prop::bool::weighted(0.3)).prop_map(|(kind, nullable)| DataType { kind, nullable });
    prop::collection::vec(data_type, 1..4)
}

fn any_rows(types: &[DataType], least: usize) -> impl Strategy<Value = Vec<Vec<Option<Datum>>>> + use<> {
    let column = |data_type: &DataType| match data_type.nullable {
        true => prop::option::of(value(&data_type.kind)).boxed(),
        false => value(&data_type.kind).prop_map(Some).boxed(),
    };
    prop::collection::vec(types.iter().map(column).collect::<Vec<_>>(), least..12)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn keys_of_all_types_compare_as_in_metadata(
        (types, rows) in any_types().prop_flat_map(|types| any_rows(&types, 1).prop_map(move |rows| (types.clone(), rows))),
    ) {
        check_keys(&types, &rows);
    }

    #[test]
    fn sequence_fields_compare_as_keys_do_with_null_the_oldest_in_both_directions(
        (types, rows) in any_types().prop_flat_map(|mut types| {
            types.iter_mut().for_each(|data_type| data_type.nullable = true);
            any_rows(&types, 1).prop_map(move |rows| (types.clone(), rows))
        }),
        descending in any::<bool>(),
    ) {
        let names: Vec<String> = (0..types.len()).map(|n| format!("k{n}")).collect();
        let direction = if descending { "descending" } else { "ascending" };
        let options = [("sequence.field", names.join(",")), ("sequence.field.sort-order", direction.to_owned())];
        let options: Vec<_> = options.iter().map(|(key, value)| (*key, value.as_str())).collect();
        let (layout, batch) = keyed(&types, &rows, &options);
        let sequences = SequenceOrder::new(&layout).unwrap().sequences(&batch).unwrap();
        let compare_one = |data_type: &DataType, a: &Option<Datum>, b: &Option<Datum>| {
            let one = |value| BinaryRow::from_values(std::slice::from_ref(value), std::slice::from_ref(data_type)).unwrap();
            let ascending = KeyComparator::new(vec![data_type.clone()]).compare(&one(a), &one(b)).unwrap();
            if descending && a.is_some() && b.is_some() { ascending.reverse() } else { ascending }
        };
        for (i, a) in rows.iter().enumerate() {
            for (j, b) in rows.iter().enumerate() {
                let columns = types.iter().zip(a.iter().zip(b));
                let expected = columns.map(|(t, (a, b))| compare_one(t, a, b)).find(|o| o.is_ne()).unwrap_or(Ordering::Equal);
                prop_assert_eq!(sequences.compare(i, &sequences, j), expected, "{:?} to {:?}", a, b);
            }
        }
    }
}

#[rstest]
#[case::one_number(vec![TypeKind::BigInt], true)]
#[case::numbers_that_fit(vec![TypeKind::Int, TypeKind::SmallInt, TypeKind::Boolean, TypeKind::TinyInt], true)]
#[case::numbers_that_do_not(vec![TypeKind::BigInt, TypeKind::Boolean], false)]
#[case::short_decimal(vec![decimal(18)], true)]
#[case::long_decimal(vec![decimal(19)], false)]
#[case::text(vec![STRING], false)]
fn keys_of_64_bits_are_compared_as_numbers(#[case] kinds: Vec<TypeKind>, #[case] exact: bool) {
    let types: Vec<_> = kinds.into_iter().map(DataType::not_null).collect();
    let (layout, _) = keyed(&types, &[types.iter().map(|_| None).collect()], &[]);
    assert_eq!(KeyOrder::new(&layout).unwrap().is_exact(), exact);
}

#[test]
fn null_in_a_key_that_has_none_is_damage() {
    for kind in [TypeKind::Int, STRING] {
        let (layout, batch) = keyed(&[DataType::not_null(kind)], &[vec![None]], &[]);
        let error = KeyOrder::new(&layout).unwrap().keys(&batch).unwrap_err();
        assert_eq!(error.kind(), paimon_spec::ErrorKind::CorruptData);
        assert!(error.to_string().contains("column: k0"), "{error}");
    }
}
