//! Buckets of rows.

use crate::{BucketFunction, DataType, Datum, Error, Result, RowView, TypeKind};

/// The bucket of a row by its bucket key, 0 to `buckets` - 1.
///
/// `key` holds the bucket key columns in the order of the option `bucket-key`; a `&BinaryRow` will do. For many rows
/// under [`BucketFunction::Default`] see [`bucket_of_hash`] and [`crate::BinaryRowWriter`].
///
/// # Errors
/// `InvalidInput` when `buckets` is not positive or the function does not take such keys (Java `ModBucketFunction`,
/// `HiveBucketFunction`); `CorruptData` when the key's bytes are not of `key_types`.
pub fn bucket_of<'a>(
    function: BucketFunction,
    key: impl Into<RowView<'a>>,
    key_types: &[DataType],
    buckets: i32,
) -> Result<i32> {
    if buckets < 1 {
        return Err(Error::invalid(format!("expected a positive number of buckets, found {buckets}")));
    }
    let key = key.into();
    match function {
        BucketFunction::Default => Ok(bucket_of_hash(key.hash_code(), buckets)),
        BucketFunction::Mod => mod_bucket(key, key_types, buckets),
        BucketFunction::Hive => hive_bucket(key, key_types, buckets),
    }
}

/// The bucket under [`BucketFunction::Default`] of a key with this [`hash_code`](crate::BinaryRow::hash_code):
/// the absolute value of a truncated remainder, as Java `DefaultBucketFunction`. `buckets` is positive.
pub fn bucket_of_hash(hash: i32, buckets: i32) -> i32 {
    hash.wrapping_rem(buckets).abs()
}

/// The [`hash_code`](crate::BinaryRow::hash_code) of a row of one column that is not NULL and whose value is in the row's
/// slot, as the value of an INT (its upper half zero) or of a BIGINT.
///
/// ```
/// use paimon_spec::{BinaryRowWriter, hash_of_slot};
///
/// let mut row = BinaryRowWriter::new(1);
/// row.set_i64(0, -7);
/// assert_eq!(hash_of_slot(-7_i64 as u64), row.to_row().hash_code());
/// ```
#[inline]
pub fn hash_of_slot(slot: u64) -> i32 {
    let mut row = [0; 16];
    row[8..].copy_from_slice(&slot.to_le_bytes());
    murmur_hash_words(&row)
}

/// The format's variant of Murmur3 over whole little-endian 4-byte words, seed 42; bytes after the last whole word
/// do not count (rows have none).
#[inline]
pub fn murmur_hash_words(bytes: &[u8]) -> i32 {
    let mut hash = 42_u32;
    for word in bytes.as_chunks().0 {
        let word = u32::from_le_bytes(*word).wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593);
        hash = (hash ^ word).rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64);
    }
    hash ^= bytes.len() as u32;
    hash = (hash ^ hash >> 16).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ hash >> 13).wrapping_mul(0xc2b2_ae35);
    (hash ^ hash >> 16) as i32
}

fn mod_bucket(key: RowView<'_>, types: &[DataType], buckets: i32) -> Result<i32> {
    let [data_type] = types else {
        return Err(Error::invalid(format!("bucket function mod takes one bucket key column, found {}", types.len())));
    };
    let value = match (&data_type.kind, key.values(types)?.pop().flatten()) {
        (TypeKind::Int, Some(Datum::Int(value))) => i64::from(value),
        (TypeKind::BigInt, Some(Datum::BigInt(value))) => value,
        (TypeKind::Int | TypeKind::BigInt, _) => {
            return Err(Error::invalid("bucket function mod takes no NULL as bucket key"));
        }
        _ => {
            return Err(Error::invalid(format!(
                "bucket function mod takes a bucket key of INT or BIGINT, found {data_type}"
            )));
        }
    };
    Ok(value.rem_euclid(i64::from(buckets)) as i32)
}

fn hive_bucket(key: RowView<'_>, types: &[DataType], buckets: i32) -> Result<i32> {
    let mut hash = 0_i32;
    for value in key.values(types)? {
        hash = hash.wrapping_mul(31).wrapping_add(hive_hash(value)?);
    }
    Ok((hash & i32::MAX) % buckets)
}

/// Java `HiveBucketFunction.computeHash`.
fn hive_hash(value: Option<Datum>) -> Result<i32> {
    Ok(match value {
        None => 0,
        Some(Datum::Boolean(value)) => value.into(),
        Some(Datum::TinyInt(value)) => value.into(),
        Some(Datum::SmallInt(value)) => value.into(),
        Some(Datum::Int(value) | Datum::Date(value) | Datum::Time(value)) => value,
        Some(Datum::BigInt(value)) => fold_long(value as u64),
        Some(Datum::Float(0.0)) => 0,
        // Java has one NaN here.
        Some(Datum::Float(value)) if value.is_nan() => 0x7fc0_0000,
        Some(Datum::Float(value)) => value.to_bits() as i32,
        Some(Datum::Double(0.0)) => 0,
        Some(Datum::Double(value)) if value.is_nan() => 0x7ff8_0000,
        Some(Datum::Double(value)) => fold_long(value.to_bits()),
        Some(Datum::String(value)) => hash_bytes(value.as_bytes()),
        Some(Datum::Bytes(value)) => hash_bytes(&value),
        Some(Datum::Decimal { unscaled, scale }) => hash_decimal(unscaled, scale),
        Some(Datum::Timestamp(_)) => {
            return Err(Error::invalid("bucket function hive takes no bucket key of TIMESTAMP"));
        }
    })
}

fn fold_long(value: u64) -> i32 {
    (value ^ value >> 32) as i32
}

fn hash_bytes(bytes: &[u8]) -> i32 {
    bytes.iter().fold(0_i32, |hash, byte| hash.wrapping_mul(31).wrapping_add((*byte as i8).into()))
}

/// Java `BigDecimal.hashCode` of the value without trailing zeros after the point.
fn hash_decimal(mut unscaled: i128, mut scale: u8) -> i32 {
    while scale > 0 && unscaled % 10 == 0 {
        unscaled /= 10;
        scale -= 1;
    }
    let magnitude = unscaled.unsigned_abs();
    let words = [96, 64, 32, 0].map(|shift| (magnitude >> shift) as u32 as i32);
    let magnitude = words.iter().fold(0_i32, |hash, word| hash.wrapping_mul(31).wrapping_add(*word));
    let hash = if unscaled < 0 { magnitude.wrapping_neg() } else { magnitude };
    hash.wrapping_mul(31).wrapping_add(scale.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BinaryRow, BinaryRowWriter};
    use proptest::prelude::*;
    use rstest::rstest;

    fn int_key(value: i32) -> BinaryRow {
        let mut key = BinaryRowWriter::new(1);
        key.set_i32(0, value);
        key.to_row()
    }

    fn string_key(value: &str) -> BinaryRow {
        let mut key = BinaryRowWriter::new(1);
        key.set_str(0, value);
        key.to_row()
    }

    fn key_of(value: Datum, kind: TypeKind) -> (BinaryRow, Vec<DataType>) {
        let types = vec![DataType::nullable(kind)];
        (BinaryRow::from_values(&[Some(value)], &types).unwrap(), types)
    }

    #[rstest]
    #[case(0, 0xee18_d2a5, 3)]
    #[case(1, 0x5759_f99e, 2)]
    #[case(2, 0x4fe4_bbf0, 0)]
    #[case(3, 0xd206_e547, 1)]
    #[case(4, 0x5647_70ca, 2)]
    #[case(5, 0x0f82_48f4, 0)]
    #[case(6, 0x3232_3de8, 0)]
    #[case(7, 0xeb3f_5e0d, 3)]
    #[case(8, 0x3985_af88, 0)]
    #[case(9, 0x5476_553f, 3)]
    fn int_keys_hash_and_fall_into_buckets_as_pypaimon_does(#[case] key: i32, #[case] hash: u32, #[case] bucket: i32) {
        let key = int_key(key);
        assert_eq!(key.hash_code() as u32, hash);
        let types = [DataType::not_null(TypeKind::Int)];
        assert_eq!(bucket_of(BucketFunction::Default, &key, &types, 4).unwrap(), bucket);
    }

    #[rstest]
    #[case("a", 943_281_246)]
    #[case("hello", 243_722_546)]
    #[case("hello world", 161_593_394)]
    #[case("1234567", 199_144_172)]
    #[case("12345678", -391_021_801)]
    fn string_keys_hash_as_pypaimon_does(#[case] key: &str, #[case] hash: i32) {
        assert_eq!(string_key(key).hash_code(), hash);
    }

    #[rstest]
    #[case(i32::MIN, 1, 0)]
    #[case(i32::MIN, 3, 2)]
    #[case(i32::MIN, i32::MAX, 1)]
    #[case(-7, 4, 3)]
    #[case(7, 4, 3)]
    fn a_hash_falls_into_the_absolute_value_of_its_remainder(#[case] hash: i32, #[case] n: i32, #[case] bucket: i32) {
        assert_eq!(bucket_of_hash(hash, n), bucket);
    }

    #[rstest]
    #[case(-7, 1)]
    #[case(-1, 3)]
    #[case(0, 0)]
    #[case(5, 1)]
    #[case(i32::MAX, 3)]
    fn mod_is_a_floored_remainder(#[case] value: i32, #[case] bucket: i32) {
        for (value, kind) in [(Datum::Int(value), TypeKind::Int), (Datum::BigInt(value.into()), TypeKind::BigInt)] {
            let (key, types) = key_of(value, kind);
            assert_eq!(bucket_of(BucketFunction::Mod, &key, &types, 4).unwrap(), bucket);
        }
    }

    // The expected hashes follow from the definitions of Java's `hashCode`s.
    #[rstest]
    #[case(Datum::Boolean(true), TypeKind::Boolean, 1)]
    #[case(Datum::TinyInt(-1), TypeKind::TinyInt, -1)]
    #[case(Datum::Int(-7), TypeKind::Int, -7)]
    #[case(Datum::BigInt(-1), TypeKind::BigInt, 0)]
    #[case(Datum::BigInt(1 << 32), TypeKind::BigInt, 1)]
    #[case(Datum::Float(-0.0), TypeKind::Float, 0)]
    #[case(Datum::Float(1.5), TypeKind::Float, 0x3fc0_0000)]
    #[case(Datum::Double(-0.0), TypeKind::Double, 0)]
    #[case(Datum::Double(1.5), TypeKind::Double, 0x3ff8_0000)]
    #[case(Datum::String("hello".into()), TypeKind::VarChar(9), 99_162_322)]
    #[case(Datum::Bytes(vec![0xff, 1]), TypeKind::VarBinary(9), -30)]
    #[case(Datum::Date(3), TypeKind::Date, 3)]
    #[case(Datum::Decimal { unscaled: 1250, scale: 3 }, TypeKind::Decimal { precision: 10, scale: 3 }, 31 * 125 + 2)]
    #[case(Datum::Decimal { unscaled: -100, scale: 2 }, TypeKind::Decimal { precision: 10, scale: 2 }, -31)]
    #[case(Datum::Decimal { unscaled: 1 << 32, scale: 0 }, TypeKind::Decimal { precision: 38, scale: 0 }, 31 * 31)]
    #[case(Datum::Decimal { unscaled: 0, scale: 9 }, TypeKind::Decimal { precision: 38, scale: 9 }, 0)]
    fn hive_hashes_as_java_does(#[case] value: Datum, #[case] kind: TypeKind, #[case] hash: i32) {
        assert_eq!(hive_hash(Some(value.clone())).unwrap(), hash);
        let (key, types) = key_of(value, kind);
        let bucket = bucket_of(BucketFunction::Hive, &key, &types, 7).unwrap();
        assert_eq!(bucket, (hash & i32::MAX) % 7);
    }

    #[test]
    fn hive_combines_columns_and_takes_null_as_zero() {
        let types = [DataType::nullable(TypeKind::Int), DataType::nullable(TypeKind::Int), DataType::string()];
        let key =
            BinaryRow::from_values(&[Some(Datum::Int(2)), None, Some(Datum::String("a".into()))], &types).unwrap();
        let bucket = bucket_of(BucketFunction::Hive, &key, &types, 1000).unwrap();
        assert_eq!(bucket, (2 * 31 * 31 + 97) % 1000);
    }

    #[rstest]
    #[case::no_buckets(BucketFunction::Default, TypeKind::Int, Some(Datum::Int(1)), 0)]
    #[case::mod_of_null(BucketFunction::Mod, TypeKind::Int, None, 4)]
    #[case::mod_of_text(BucketFunction::Mod, TypeKind::VarChar(9), Some(Datum::String("1".into())), 4)]
    #[case::hive_of_timestamp(
        BucketFunction::Hive,
        TypeKind::Timestamp(3),
        Some(Datum::Timestamp(crate::Timestamp { millis: 1, nanos_of_milli: 0 })),
        4
    )]
    fn keys_that_a_function_does_not_take_are_refused(
        #[case] function: BucketFunction,
        #[case] kind: TypeKind,
        #[case] value: Option<Datum>,
        #[case] buckets: i32,
    ) {
        let types = [DataType::nullable(kind)];
        let key = BinaryRow::from_values(&[value], &types).unwrap();
        let error = bucket_of(function, &key, &types, buckets).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::InvalidInput);
    }

    proptest! {
        #[test]
        fn every_function_gives_a_bucket_in_range(value: i64, buckets in 1..=i32::MAX) {
            let (key, types) = key_of(Datum::BigInt(value), TypeKind::BigInt);
            for function in [BucketFunction::Default, BucketFunction::Mod, BucketFunction::Hive] {
                let bucket = bucket_of(function, &key, &types, buckets).unwrap();
                prop_assert!((0..buckets).contains(&bucket));
            }
        }
    }
}
