//! `BinaryRow`: the format's row layout, used for partitions, keys and statistics.
//!
//! A row is `row kind (1 byte) | NULL bits | 8-byte slots | variable part`, all little-endian: the NULL bits start at
//! bit 8 and are padded to whole words, every field has a slot, and what does not fit a slot lies in the variable
//! part, padded to words, with offset and length in the slot. In metadata a row is preceded by its number of fields
//! as a big-endian `i32`: its *metadata form*.

mod array;
#[cfg(test)]
mod tests;
mod writer;

use bytes::Bytes;

pub(crate) use array::{ArrayView, long_array, string_array};
pub use writer::BinaryRowWriter;

use crate::bucket::murmur_hash_words;
use crate::{DataType, Datum, Error, Result, Timestamp, TypeKind};

/// Decimals of up to so many digits are stored in the slot (Java `Decimal.isCompact`).
const MAX_COMPACT_DECIMAL: u8 = 18;
/// Timestamps of up to so many digits of a second are stored in the slot (Java `Timestamp.isCompact`).
const MAX_COMPACT_TIMESTAMP: u8 = 3;
/// Strings and bytes of up to this length are stored in the slot.
const MAX_INLINE: usize = 7;
/// The row kind stands before the NULL bits and shares their words.
const HEADER_BITS: usize = 8;
/// The number of fields before a row in metadata form.
const ARITY_BYTES: usize = 4;

/// An owned row in the format's binary layout (Java `BinaryRow`). Equality and hash are of the bytes.
///
/// Two implementations write NULL of `DECIMAL(19+)` and `TIMESTAMP(4+)` differently; to compare rows by value, bring
/// both to one form with [`BinaryRow::normalised`].
///
/// ```
/// use paimon_spec::{BinaryRow, DataType, Datum, TypeKind};
///
/// let types = [DataType::not_null(TypeKind::Int), DataType::string()];
/// let row = BinaryRow::from_values(&[Some(Datum::Int(7)), None], &types)?;
/// assert_eq!(row.get(0, &types[0])?, Some(Datum::Int(7)));
/// assert_eq!(row.get(1, &types[1])?, None);
/// assert_eq!(BinaryRow::from_metadata(&row.to_metadata())?, row);
/// # Ok::<(), paimon_spec::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BinaryRow {
    /// Metadata form; never shorter than the fixed part of its arity.
    metadata: Bytes,
}

/// A borrowed row in the format's binary layout: [`BinaryRow`] without ownership.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RowView<'a> {
    arity: usize,
    /// Never shorter than the fixed part of `arity`.
    bytes: &'a [u8],
}

impl BinaryRow {
    /// The row of no fields, in metadata form.
    pub(crate) const EMPTY_METADATA: &[u8] = &[0; ARITY_BYTES + 8];

    /// The row of no fields.
    pub fn empty() -> Self {
        Self { metadata: Bytes::from_static(Self::EMPTY_METADATA) }
    }

    /// From metadata form: 4-byte big-endian arity, then the row.
    ///
    /// # Errors
    /// `CorruptData` when the bytes are too short for their arity.
    pub fn from_metadata(bytes: &[u8]) -> Result<Self> {
        Self::from_metadata_bytes(Bytes::copy_from_slice(bytes))
    }

    /// Like [`Self::from_metadata`] without a copy.
    ///
    /// # Errors
    /// As [`Self::from_metadata`].
    pub fn from_metadata_bytes(bytes: Bytes) -> Result<Self> {
        RowView::from_metadata(&bytes)?;
        Ok(Self { metadata: bytes })
    }

    /// To metadata form.
    pub fn to_metadata(&self) -> Vec<u8> {
        self.metadata.to_vec()
    }

    /// The metadata form, borrowed.
    pub fn as_metadata(&self) -> &[u8] {
        &self.metadata
    }

    /// Encodes values, NULLs in Java's form.
    ///
    /// # Errors
    /// `InvalidInput` when the numbers of values and types differ or a value is not of its type; `Unsupported` for a
    /// value of a nested type.
    pub fn from_values(values: &[Option<Datum>], types: &[DataType]) -> Result<Self> {
        if values.len() != types.len() {
            return Err(Error::invalid(format!("expected {} values for a row, found {}", types.len(), values.len())));
        }
        let mut writer = BinaryRowWriter::new(types.len());
        for (pos, (value, data_type)) in values.iter().zip(types).enumerate() {
            writer.set_datum(pos, value.as_ref(), data_type)?;
        }
        Ok(writer.to_row())
    }

    /// Decodes the value at `pos`; see [`RowView::get`].
    ///
    /// # Errors
    /// As [`RowView::get`].
    pub fn get(&self, pos: usize, data_type: &DataType) -> Result<Option<Datum>> {
        self.view().get(pos, data_type)
    }

    /// Decodes all values.
    ///
    /// # Errors
    /// As [`RowView::get`]; `CorruptData` also when the row has another number of fields.
    pub fn values(&self, types: &[DataType]) -> Result<Vec<Option<Datum>>> {
        self.view().values(types)
    }

    /// The same values in Java's form, so that equal values are equal bytes whoever wrote them.
    ///
    /// # Errors
    /// As [`Self::values`].
    pub fn normalised(&self, types: &[DataType]) -> Result<Self> {
        let view = self.view();
        view.expect_arity(types.len())?;
        let two_forms = |(pos, data_type): (usize, &DataType)| !is_compact(data_type) && view.is_null(pos);
        if types.iter().enumerate().any(two_forms) {
            Self::from_values(&view.values(types)?, types)
        } else {
            Ok(self.clone())
        }
    }

    /// Number of fields.
    pub fn arity(&self) -> usize {
        self.view().arity
    }

    /// The row's bytes, without the arity prefix.
    pub fn as_bytes(&self) -> &[u8] {
        &self.metadata[ARITY_BYTES..]
    }

    /// Murmur hash of the row's bytes (seed 42), as for buckets.
    pub fn hash_code(&self) -> i32 {
        self.view().hash_code()
    }

    /// The row, borrowed.
    pub fn view(&self) -> RowView<'_> {
        let (arity, bytes) = self.metadata.split_at(ARITY_BYTES);
        let arity = arity.iter().fold(0, |arity, byte| arity << 8 | usize::from(*byte));
        RowView { arity, bytes }
    }
}

impl<'a> From<&'a BinaryRow> for RowView<'a> {
    fn from(row: &'a BinaryRow) -> Self {
        row.view()
    }
}

impl<'a> RowView<'a> {
    /// From metadata form: 4-byte big-endian arity, then the row.
    ///
    /// # Errors
    /// `CorruptData` when the bytes are too short for their arity.
    pub fn from_metadata(bytes: &'a [u8]) -> Result<Self> {
        let Some((arity, bytes)) = bytes.split_first_chunk() else {
            return Err(Error::corrupt(format!(
                "expected a row with its number of fields, found {} bytes",
                bytes.len()
            )));
        };
        let arity = i32::from_be_bytes(*arity);
        let Ok(arity) = usize::try_from(arity) else {
            return Err(Error::corrupt(format!("expected a row's number of fields, found {arity}")));
        };
        Self::new(arity, bytes)
    }

    /// A row of `arity` fields from its bytes alone.
    ///
    /// # Errors
    /// `CorruptData` when the bytes are too short for `arity`.
    pub fn new(arity: usize, bytes: &'a [u8]) -> Result<Self> {
        // Compared without multiplying, as `arity` may be anything.
        let fits = arity <= bytes.len() / 8 && fixed_bytes(arity) <= bytes.len();
        if !fits {
            return Err(Error::corrupt(format!("expected a row of {arity} fields, found {} bytes", bytes.len())));
        }
        Ok(Self { arity, bytes })
    }

    /// Number of fields.
    pub fn arity(&self) -> usize {
        self.arity
    }

    /// The row's bytes, without the arity prefix.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Murmur hash of the row's bytes (seed 42), as for buckets.
    pub fn hash_code(&self) -> i32 {
        murmur_hash_words(self.bytes)
    }

    /// Whether the field at `pos` is NULL; fields that do not exist are.
    pub fn is_null(&self, pos: usize) -> bool {
        let bit = pos + HEADER_BITS;
        pos >= self.arity || self.bytes[bit / 8] & 1 << (bit % 8) != 0
    }

    /// Decodes the value at `pos`, accepting both forms of NULL.
    ///
    /// # Errors
    /// `CorruptData` when the row has no such field or its bytes are not a value of the type; `Unsupported` for a
    /// value of a nested type.
    pub fn get(&self, pos: usize, data_type: &DataType) -> Result<Option<Datum>> {
        if pos >= self.arity {
            return Err(Error::corrupt(format!("expected field {pos} in a row, found {} fields", self.arity)));
        }
        if self.is_null(pos) {
            return Ok(None);
        }
        let slot = self.slot(pos);
        let low = slot as u32;
        Ok(Some(match &data_type.kind {
            TypeKind::Boolean => Datum::Boolean(slot as u8 != 0),
            TypeKind::TinyInt => Datum::TinyInt(slot as i8),
            TypeKind::SmallInt => Datum::SmallInt(slot as i16),
            TypeKind::Int => Datum::Int(low as i32),
            TypeKind::BigInt => Datum::BigInt(slot as i64),
            TypeKind::Float => Datum::Float(f32::from_bits(low)),
            TypeKind::Double => Datum::Double(f64::from_bits(slot)),
            TypeKind::Date => Datum::Date(low as i32),
            TypeKind::Time(_) => Datum::Time(low as i32),
            TypeKind::Char(_) | TypeKind::VarChar(_) => Datum::String(self.str_at(pos)?.to_owned()),
            TypeKind::Binary(_) | TypeKind::VarBinary(_) | TypeKind::Blob => Datum::Bytes(self.bytes_at(pos)?.to_vec()),
            TypeKind::Decimal { precision, scale } => {
                let unscaled = if *precision <= MAX_COMPACT_DECIMAL {
                    i128::from(slot as i64)
                } else {
                    decode_decimal(self.section_at(pos)?)?
                };
                Datum::Decimal { unscaled, scale: *scale }
            }
            TypeKind::Timestamp(precision) | TypeKind::TimestampLtz(precision) => {
                Datum::Timestamp(if *precision <= MAX_COMPACT_TIMESTAMP {
                    Timestamp { millis: slot as i64, nanos_of_milli: 0 }
                } else {
                    self.wide_timestamp(slot)?
                })
            }
            _ => return Err(Error::unsupported(format!("a value of {data_type} in a row is not supported yet"))),
        }))
    }

    /// Decodes all values.
    ///
    /// # Errors
    /// As [`Self::get`]; `CorruptData` also when the row has another number of fields.
    pub fn values(&self, types: &[DataType]) -> Result<Vec<Option<Datum>>> {
        self.expect_arity(types.len())?;
        types.iter().enumerate().map(|(pos, data_type)| self.get(pos, data_type)).collect()
    }

    /// The row, owned.
    pub fn to_row(&self) -> BinaryRow {
        let mut metadata = Vec::with_capacity(ARITY_BYTES + self.bytes.len());
        // `new` allows no more fields than the bytes have words, so the number fits.
        metadata.extend_from_slice(&(self.arity as u32).to_be_bytes());
        metadata.extend_from_slice(self.bytes);
        BinaryRow { metadata: metadata.into() }
    }

    /// The slot of the field at `pos`, whether NULL or not.
    pub(crate) fn slot(&self, pos: usize) -> u64 {
        let at = null_bytes(self.arity) + 8 * pos;
        let mut word = [0; 8];
        word.copy_from_slice(&self.bytes[at..at + 8]);
        u64::from_le_bytes(word)
    }

    /// The text at `pos`, which is not NULL.
    pub(crate) fn str_at(&self, pos: usize) -> Result<&'a str> {
        let bytes = self.bytes_at(pos)?;
        std::str::from_utf8(bytes).map_err(|error| {
            Error::corrupt("expected text in a row, found bytes that are not UTF-8").with_source(error)
        })
    }

    /// The bytes or text at `pos`, which is not NULL.
    pub(crate) fn bytes_at(&self, pos: usize) -> Result<&'a [u8]> {
        bytes_of_slot(self.bytes, null_bytes(self.arity) + 8 * pos)
    }

    /// What the slot at `pos` refers to in the variable part: a nested row or array, or a wide decimal.
    pub(crate) fn section_at(&self, pos: usize) -> Result<&'a [u8]> {
        section(self.bytes, self.slot(pos))
    }

    fn wide_timestamp(&self, slot: u64) -> Result<Timestamp> {
        let millis = section(self.bytes, slot & !u64::from(u32::MAX) | 8)?;
        let millis = millis.iter().rev().fold(0, |value: u64, byte| value << 8 | u64::from(*byte));
        let nanos = slot as u32;
        if nanos > 999_999 {
            return Err(Error::corrupt(format!("expected 0 to 999999 nanoseconds of a millisecond, found {nanos}")));
        }
        Ok(Timestamp { millis: millis as i64, nanos_of_milli: nanos as i32 })
    }

    fn expect_arity(&self, arity: usize) -> Result<()> {
        if self.arity == arity {
            Ok(())
        } else {
            Err(Error::corrupt(format!("expected a row of {arity} fields, found {}", self.arity)))
        }
    }
}

/// Bytes of the row kind and the NULL bits of a row.
fn null_bytes(arity: usize) -> usize {
    (arity + HEADER_BITS).div_ceil(64) * 8
}

/// Bytes of a row without its variable part.
fn fixed_bytes(arity: usize) -> usize {
    null_bytes(arity) + 8 * arity
}

/// Whether NULL of the type has one form only: its bit, and a zero slot.
fn is_compact(data_type: &DataType) -> bool {
    match data_type.kind {
        TypeKind::Decimal { precision, .. } => precision <= MAX_COMPACT_DECIMAL,
        TypeKind::Timestamp(precision) | TypeKind::TimestampLtz(precision) => precision <= MAX_COMPACT_TIMESTAMP,
        _ => true,
    }
}

/// The bytes that the slot at `at` holds or refers to, in a row or array that starts at 0.
fn bytes_of_slot(bytes: &[u8], at: usize) -> Result<&[u8]> {
    let slot = &bytes[at..at + 8];
    if slot[MAX_INLINE] & 0x80 == 0 {
        let mut word = [0; 8];
        word.copy_from_slice(slot);
        return section(bytes, u64::from_le_bytes(word));
    }
    let len = usize::from(slot[MAX_INLINE] & 0x7f);
    slot[..MAX_INLINE]
        .get(..len)
        .ok_or_else(|| Error::corrupt(format!("expected at most 7 bytes in a slot, found {len}")))
}

/// The part of a row or array that `offset << 32 | length` names.
fn section(bytes: &[u8], slot: u64) -> Result<&[u8]> {
    let (offset, len) = ((slot >> 32) as usize, (slot & u64::from(u32::MAX)) as usize);
    bytes.get(offset..).and_then(|rest| rest.get(..len)).ok_or_else(|| {
        Error::corrupt(format!("expected {len} bytes at offset {offset} of a row, found {} bytes in all", bytes.len()))
    })
}

/// A big-endian two's complement integer of 1 to 16 bytes.
fn decode_decimal(bytes: &[u8]) -> Result<i128> {
    let Some(first) = bytes.first().filter(|_| bytes.len() <= 16) else {
        return Err(Error::corrupt(format!("expected a decimal of 1 to 16 bytes, found {}", bytes.len())));
    };
    let sign = if *first & 0x80 == 0 { 0 } else { -1 };
    Ok(bytes.iter().fold(sign, |value, byte| value << 8 | i128::from(*byte)))
}
