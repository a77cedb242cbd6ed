//! Values as indexes have them.

use crate::split::wire::WireReader;
use crate::{Datum, Error, Result, Timestamp, TypeKind};

use super::IndexKind;

/// A value of an indexed column.
///
/// Whole numbers, booleans (0 and 1), dates (days), times (milliseconds) and short decimals (their digits) are integers;
/// timestamps are milliseconds up to precision 3, else microseconds, rounded down.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum IndexValue<'a> {
    /// A whole number.
    Int(i64),
    /// FLOAT
    Float(f32),
    /// DOUBLE
    Double(f64),
    /// Text as UTF-8, or binary.
    Bytes(&'a [u8]),
}

impl IndexValue<'_> {
    /// The microseconds or milliseconds that stand for a timestamp of a column of `precision`, and whether they say all
    /// of it. `None`: out of range.
    fn of_timestamp(timestamp: Timestamp, precision: u8) -> Option<(i64, bool)> {
        let nanos = i64::from(timestamp.nanos_of_milli);
        if precision <= 3 {
            return Some((timestamp.millis, nanos == 0));
        }
        let micros = timestamp.millis.checked_mul(1000)?.checked_add(nanos / 1000)?;
        Some((micros, nanos % 1000 == 0))
    }
}

/// A literal as the index of a column of type `kind` has it. `None`: no such value can be looked for.
pub(super) fn literal<'a>(kind: &TypeKind, literal: &'a Datum) -> Option<Literal<'a>> {
    let exact = |value| Some(Literal { value, exact: true });
    match (kind, literal) {
        (TypeKind::Boolean, Datum::Boolean(value)) => exact(IndexValue::Int((*value).into())),
        (TypeKind::TinyInt, Datum::TinyInt(value)) => exact(IndexValue::Int((*value).into())),
        (TypeKind::SmallInt, Datum::SmallInt(value)) => exact(IndexValue::Int((*value).into())),
        (TypeKind::Int, Datum::Int(value))
        | (TypeKind::Date, Datum::Date(value))
        | (TypeKind::Time(_), Datum::Time(value)) => exact(IndexValue::Int((*value).into())),
        (TypeKind::BigInt, Datum::BigInt(value)) => exact(IndexValue::Int(*value)),
        (TypeKind::Float, Datum::Float(value)) => exact(IndexValue::Float(*value)),
        (TypeKind::Double, Datum::Double(value)) => exact(IndexValue::Double(*value)),
        (TypeKind::Decimal { scale, .. }, Datum::Decimal { unscaled, scale: found }) if scale == found => {
            exact(IndexValue::Int(i64::try_from(*unscaled).ok()?))
        }
        (TypeKind::Char(_) | TypeKind::VarChar(_), Datum::String(text)) => exact(IndexValue::Bytes(text.as_bytes())),
        (TypeKind::Binary(_) | TypeKind::VarBinary(_), Datum::Bytes(bytes)) => exact(IndexValue::Bytes(bytes)),
        (TypeKind::Timestamp(precision) | TypeKind::TimestampLtz(precision), Datum::Timestamp(timestamp)) => {
            let (value, exact) = IndexValue::of_timestamp(*timestamp, *precision)?;
            // An index has no nanoseconds: several values of such a column share one of its.
            Some(Literal { value: IndexValue::Int(value), exact: exact && *precision <= 6 })
        }
        _ => None,
    }
}

/// A literal of a predicate.
#[derive(Debug, Clone, Copy)]
pub(super) struct Literal<'a> {
    pub(super) value: IndexValue<'a>,
    /// Rows with this value in the index have exactly the literal's value, and other rows do not.
    pub(super) exact: bool,
}

/// A value in the order that sorted indexes have: that of integers, of [`compare`](crate::predicate::compare) with one
/// NaN above all for floats, of bytes for text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum IndexKey {
    /// Numbers of all kinds; floats by their bits, so that they have the order of integers.
    Int(i64),
    Bytes(Vec<u8>),
}

/// The key of NaN in an index of DOUBLE or FLOAT.
pub(super) fn nan_key(key_type: KeyType) -> Option<IndexKey> {
    match key_type {
        KeyType::Float => Some(IndexValue::Float(f32::NAN).into()),
        KeyType::Double => Some(IndexValue::Double(f64::NAN).into()),
        _ => None,
    }
}

impl From<IndexValue<'_>> for IndexKey {
    fn from(value: IndexValue<'_>) -> Self {
        match value {
            IndexValue::Int(value) => Self::Int(value),
            IndexValue::Float(value) => {
                let bits = if value.is_nan() { 0x7fc0_0000 } else { value.to_bits() as i32 };
                Self::Int(i64::from(sortable_32(bits)))
            }
            IndexValue::Double(value) => {
                Self::Int(sortable_64(if value.is_nan() { 0x7ff8_0000_0000_0000 } else { value.to_bits() as i64 }))
            }
            IndexValue::Bytes(bytes) => Self::Bytes(bytes.to_vec()),
        }
    }
}

/// Bits of a float to an integer of the same order, and back.
fn sortable_32(bits: i32) -> i32 {
    bits ^ (bits >> 31) & i32::MAX
}

fn sortable_64(bits: i64) -> i64 {
    bits ^ (bits >> 63) & i64::MAX
}

/// How the values of a column are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyType {
    Boolean,
    Byte,
    Short,
    Int,
    Long,
    Float,
    Double,
    /// A length and bytes.
    Text,
}

impl KeyType {
    /// The form of the values of a type in an index; `None` when there is no such index of that type. For a bloom filter,
    /// which stores no values, it says no more than that it can be.
    pub(super) fn of(index: IndexKind, kind: &TypeKind) -> Option<Self> {
        use IndexKind::{Bitmap, BloomFilter, Bsi, RangeBitmap};
        Some(match (kind, index) {
            (TypeKind::Char(_) | TypeKind::VarChar(_), BloomFilter | Bitmap | RangeBitmap) => Self::Text,
            (TypeKind::Binary(_) | TypeKind::VarBinary(_), BloomFilter) => Self::Text,
            (TypeKind::Boolean, Bitmap | RangeBitmap) => Self::Boolean,
            (TypeKind::TinyInt, _) => Self::Byte,
            (TypeKind::SmallInt, _) => Self::Short,
            (TypeKind::Int | TypeKind::Date | TypeKind::Time(_), _) => Self::Int,
            (TypeKind::BigInt, _) => Self::Long,
            (TypeKind::Float, BloomFilter | Bitmap | RangeBitmap) => Self::Float,
            (TypeKind::Double, BloomFilter | Bitmap | RangeBitmap) => Self::Double,
            (TypeKind::Decimal { precision, .. }, Bsi | RangeBitmap) if *precision <= 18 => Self::Long,
            (TypeKind::Timestamp(precision) | TypeKind::TimestampLtz(precision), index)
                if *precision <= 6 || index != RangeBitmap =>
            {
                Self::Long
            }
            _ => return None,
        })
    }

    pub(super) fn decode(self, bytes: &mut WireReader<'_>) -> Result<IndexKey> {
        Ok(IndexKey::Int(match self {
            Self::Boolean => i64::from(bytes.bool()?),
            Self::Byte => i64::from(i8::from_be_bytes(bytes.array()?)),
            Self::Short => i64::from(i16::from_be_bytes(bytes.array()?)),
            Self::Int => i64::from(bytes.i32()?),
            Self::Long => bytes.i64()?,
            Self::Float => i64::from(sortable_32(bytes.i32()?)),
            Self::Double => sortable_64(bytes.i64()?),
            Self::Text => return Ok(IndexKey::Bytes(bytes.bytes()?.to_vec())),
        }))
    }

    /// # Errors
    /// `Internal` when the key is of another type.
    pub(super) fn encode(self, key: &IndexKey, out: &mut Vec<u8>) -> Result<()> {
        match (self, key) {
            (Self::Boolean, IndexKey::Int(value)) => out.push(u8::from(*value != 0)),
            (Self::Byte, IndexKey::Int(value)) => out.extend((*value as i8).to_be_bytes()),
            (Self::Short, IndexKey::Int(value)) => out.extend((*value as i16).to_be_bytes()),
            (Self::Int, IndexKey::Int(value)) => out.extend((*value as i32).to_be_bytes()),
            (Self::Long, IndexKey::Int(value)) => out.extend(value.to_be_bytes()),
            (Self::Float, IndexKey::Int(value)) => out.extend(sortable_32(*value as i32).to_be_bytes()),
            (Self::Double, IndexKey::Int(value)) => out.extend(sortable_64(*value).to_be_bytes()),
            (Self::Text, IndexKey::Bytes(bytes)) => {
                out.extend(length(bytes.len(), "a value")?.to_be_bytes());
                out.extend(bytes);
            }
            _ => return Err(Error::internal("paimon-spec", "a value of an index is of another type")),
        }
        Ok(())
    }

    /// Bytes of an encoded key.
    pub(super) fn size(self, key: &IndexKey) -> usize {
        match (self, key) {
            (Self::Boolean | Self::Byte, _) => 1,
            (Self::Short, _) => 2,
            (Self::Int | Self::Float, _) => 4,
            (Self::Text, IndexKey::Bytes(bytes)) => 4 + bytes.len(),
            (Self::Long | Self::Double | Self::Text, _) => 8,
        }
    }
}

/// A length or an offset as an index stores it.
///
/// # Errors
/// `InvalidInput` when it is too large.
pub(super) fn length(len: usize, what: &str) -> Result<i32> {
    i32::try_from(len)
        .map_err(|_| Error::invalid(format!("expected {what} of a file index of less than 2 GiB, found {len} bytes")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn keys_of_floats_have_the_order_of_predicates(a: f64, b: f64, c: f32, d: f32) {
            let key = |value: f64| IndexKey::from(IndexValue::Double(value));
            prop_assert_eq!(key(a).cmp(&key(b)), a.total_cmp(&b));
            let key = |value: f32| IndexKey::from(IndexValue::Float(value));
            prop_assert_eq!(key(c).cmp(&key(d)), c.total_cmp(&d));
            prop_assert!(key(c) < key(f32::NAN));
        }

        #[test]
        fn keys_are_decoded_as_encoded(value: i64, float: f32, text: Vec<u8>) {
            for (key_type, key) in [
                (KeyType::Boolean, IndexKey::Int(value & 1)),
                (KeyType::Byte, IndexKey::Int(i64::from(value as i8))),
                (KeyType::Short, IndexKey::Int(i64::from(value as i16))),
                (KeyType::Int, IndexKey::Int(i64::from(value as i32))),
                (KeyType::Long, IndexKey::Int(value)),
                (KeyType::Float, IndexValue::Float(float).into()),
                (KeyType::Double, IndexValue::Double(float.into()).into()),
                (KeyType::Text, IndexKey::Bytes(text)),
            ] {
                let mut bytes = Vec::new();
                key_type.encode(&key, &mut bytes).unwrap();
                prop_assert_eq!(bytes.len(), key_type.size(&key));
                prop_assert_eq!(key_type.decode(&mut WireReader::new(&bytes)).unwrap(), key);
            }
        }
    }
}
