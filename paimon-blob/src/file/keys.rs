//! Keys of `MAP<k, BLOB>` values as bytes (Java `MapBlobElementSerializer.KeySerializer`).

use std::{borrow::Cow, collections::HashSet, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, AsArray, BinaryBuilder, BooleanBuilder, Decimal128Array, PrimitiveArray, StringBuilder},
    datatypes::{
        ArrowPrimitiveType, Date32Type, Decimal128Type, Int8Type, Int16Type, Int32Type, Int64Type,
        Time32MillisecondType,
    },
};
use paimon_spec::{DataType, Error, Result, TypeKind};

/// The most digits of decimals that are 8 bytes.
const COMPACT_DIGITS: u8 = 18;

/// How keys are spelt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyKind {
    Boolean,
    TinyInt,
    SmallInt,
    Int,
    BigInt,
    Date,
    Time,
    /// Of up to 18 digits: the unscaled value in 8 bytes; of more: in as few bytes as it takes, big-endian.
    Decimal {
        precision: u8,
        scale: i8,
    },
    Text,
    Bytes,
}

impl KeyKind {
    /// # Errors
    /// `Unsupported` for types that no implementation has as keys of blobs.
    pub(super) fn of(key: &DataType) -> Result<Self> {
        Ok(match &key.kind {
            TypeKind::Boolean => Self::Boolean,
            TypeKind::TinyInt => Self::TinyInt,
            TypeKind::SmallInt => Self::SmallInt,
            TypeKind::Int => Self::Int,
            TypeKind::BigInt => Self::BigInt,
            TypeKind::Date => Self::Date,
            TypeKind::Time(_) => Self::Time,
            TypeKind::Decimal { precision, scale } => Self::Decimal { precision: *precision, scale: *scale as i8 },
            TypeKind::Char(_) | TypeKind::VarChar(_) => Self::Text,
            TypeKind::Binary(_) | TypeKind::VarBinary(_) => Self::Bytes,
            _ => return Err(Error::unsupported(format!("keys of type {key} in maps of blobs"))),
        })
    }

    /// The bytes of the key at `row` of a column of such keys.
    ///
    /// # Errors
    /// `InvalidInput` when the column holds other values.
    pub(super) fn encode(self, column: &dyn Array, row: usize) -> Result<Cow<'_, [u8]>> {
        fn number<T: ArrowPrimitiveType>(column: &dyn Array, row: usize) -> Option<T::Native> {
            column.as_primitive_opt::<T>().map(|values| values.value(row))
        }
        let owned = |bytes: &[u8]| Cow::Owned(bytes.to_vec());
        let bytes = match self {
            Self::Boolean => column.as_boolean_opt().map(|values| owned(&[u8::from(values.value(row))])),
            Self::TinyInt => number::<Int8Type>(column, row).map(|key| owned(&key.to_le_bytes())),
            Self::SmallInt => number::<Int16Type>(column, row).map(|key| owned(&key.to_le_bytes())),
            Self::Int => number::<Int32Type>(column, row).map(|key| owned(&key.to_le_bytes())),
            Self::BigInt => number::<Int64Type>(column, row).map(|key| owned(&key.to_le_bytes())),
            Self::Date => number::<Date32Type>(column, row).map(|key| owned(&key.to_le_bytes())),
            Self::Time => number::<Time32MillisecondType>(column, row).map(|key| owned(&key.to_le_bytes())),
            Self::Decimal { precision, .. } => {
                let key = number::<Decimal128Type>(column, row);
                let compact = |key: i128| i64::try_from(key).ok().map(|key| owned(&key.to_le_bytes()));
                if precision <= COMPACT_DIGITS { key.and_then(compact) } else { key.map(|key| owned(&shortest(key))) }
            }
            Self::Text => column.as_string_opt::<i32>().map(|values| Cow::Borrowed(values.value(row).as_bytes())),
            Self::Bytes => column.as_binary_opt::<i32>().map(|values| Cow::Borrowed(values.value(row))),
        };
        bytes.ok_or_else(|| Error::invalid(format!("wanted keys of kind {self:?}, found {}", column.data_type())))
    }

    /// A column of the keys with these bytes.
    ///
    /// # Errors
    /// `CorruptData` when one is no key of this kind.
    pub(super) fn decode<'a>(self, keys: impl Iterator<Item = &'a [u8]> + 'a) -> Result<ArrayRef> {
        fn numbers<T: ArrowPrimitiveType, const N: usize>(
            keys: impl Iterator<Item = Result<[u8; N]>>,
            number: impl Fn([u8; N]) -> T::Native,
        ) -> Result<PrimitiveArray<T>> {
            let values = keys.map(|key| key.map(&number)).collect::<Result<Vec<_>>>()?;
            Ok(PrimitiveArray::from_iter_values(values))
        }
        Ok(match self {
            Self::Boolean => {
                let mut column = BooleanBuilder::new();
                for key in keys.map(sized::<1>) {
                    match key? {
                        [value @ 0..=1] => column.append_value(value == 1),
                        [other] => {
                            return Err(Error::corrupt(format!("expected a boolean key of 0 or 1, found {other}")));
                        }
                    }
                }
                Arc::new(column.finish()) as ArrayRef
            }
            Self::TinyInt => Arc::new(numbers::<Int8Type, 1>(keys.map(sized), i8::from_le_bytes)?),
            Self::SmallInt => Arc::new(numbers::<Int16Type, 2>(keys.map(sized), i16::from_le_bytes)?),
            Self::Int => Arc::new(numbers::<Int32Type, 4>(keys.map(sized), i32::from_le_bytes)?),
            Self::BigInt => Arc::new(numbers::<Int64Type, 8>(keys.map(sized), i64::from_le_bytes)?),
            Self::Date => Arc::new(numbers::<Date32Type, 4>(keys.map(sized), i32::from_le_bytes)?),
            Self::Time => Arc::new(numbers::<Time32MillisecondType, 4>(keys.map(sized), i32::from_le_bytes)?),
            Self::Decimal { precision, scale } => {
                let values = keys.map(|key| self.unscaled(key)).collect::<Result<Vec<_>>>()?;
                let column = Decimal128Array::from_iter_values(values).with_precision_and_scale(precision, scale);
                let column = column.and_then(|column| column.validate_decimal_precision(precision).map(|()| column));
                Arc::new(
                    column.map_err(|e| {
                        Error::corrupt("a decimal key of a map of blobs is out of range").with_source(e)
                    })?,
                )
            }
            Self::Text => {
                let mut column = StringBuilder::new();
                for key in keys {
                    let text = std::str::from_utf8(key);
                    column.append_value(
                        text.map_err(|e| Error::corrupt("a key of a map of blobs is not UTF-8").with_source(e))?,
                    );
                }
                Arc::new(column.finish())
            }
            Self::Bytes => {
                let mut column = BinaryBuilder::new();
                keys.for_each(|key| column.append_value(key));
                Arc::new(column.finish())
            }
        })
    }

    /// A key that stands twice among those of one map.
    ///
    /// # Errors
    /// `CorruptData` when one is no key of this kind.
    pub(super) fn repeated<'a>(self, keys: impl ExactSizeIterator<Item = &'a [u8]>) -> Result<Option<&'a [u8]>> {
        let mut seen = HashSet::with_capacity(keys.len());
        for key in keys {
            // Long decimals may be spelt with more bytes than they take.
            let spelt = match self {
                Self::Decimal { precision, .. } if precision > COMPACT_DIGITS => {
                    Cow::Owned(shortest(self.unscaled(key)?))
                }
                _ => Cow::Borrowed(key),
            };
            if !seen.insert(spelt) {
                return Ok(Some(key));
            }
        }
        Ok(None)
    }

    fn unscaled(self, key: &[u8]) -> Result<i128> {
        match self {
            Self::Decimal { precision, .. } if precision <= COMPACT_DIGITS => {
                sized::<8>(key).map(|key| i128::from(i64::from_le_bytes(key)))
            }
            _ if key.is_empty() || key.len() > 16 => {
                Err(Error::corrupt(format!("expected a decimal key of 1 to 16 bytes, found {}", key.len())))
            }
            _ => {
                let sign = if key[0] >= 0x80 { 0xff } else { 0 };
                let mut bytes = [sign; 16];
                bytes[16 - key.len()..].copy_from_slice(key);
                Ok(i128::from_be_bytes(bytes))
            }
        }
    }
}

fn sized<const N: usize>(key: &[u8]) -> Result<[u8; N]> {
    key.try_into()
        .map_err(|_| Error::corrupt(format!("expected a key of {N} bytes in a map of blobs, found {}", key.len())))
}

/// The fewest bytes of a number in two's complement, big-endian.
fn shortest(number: i128) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    let redundant = bytes.windows(2).take_while(|pair| match pair[0] {
        0 => pair[1] < 0x80,
        0xff => pair[1] >= 0x80,
        _ => false,
    });
    bytes[redundant.count()..].to_vec()
}
