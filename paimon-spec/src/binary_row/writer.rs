//! Writing rows.

use super::{
    ARITY_BYTES, BinaryRow, HEADER_BITS, MAX_COMPACT_DECIMAL, MAX_COMPACT_TIMESTAMP, MAX_INLINE, RowView, fixed_bytes,
    null_bytes,
};
use crate::{DataType, Datum, Error, Result, Timestamp, TypeKind};

/// Encodes one row after another into one buffer, for paths that hash or compare millions of rows.
///
/// Set every field once, in ascending order (so the variable part is as Java writes it), then take what is wanted:
/// [`hash_code`](Self::hash_code), [`view`](Self::view), [`as_metadata`](Self::as_metadata) or an owned
/// [`to_row`](Self::to_row). [`reset`](Self::reset) starts the next row and keeps the memory.
///
/// ```
/// use paimon_spec::{BinaryRowWriter, bucket_of_hash};
///
/// let mut key = BinaryRowWriter::new(1);
/// let mut buckets = Vec::new();
/// for id in [1_i32, 2, 3] {
///     key.reset();
///     key.set_i32(0, id);
///     buckets.push(bucket_of_hash(key.hash_code(), 4));
/// }
/// assert_eq!(buckets, [2, 0, 1]);
/// ```
///
/// # Panics
/// The setters panic when `pos` is not less than the number of fields.
#[derive(Debug, Clone)]
pub struct BinaryRowWriter {
    arity: usize,
    /// Metadata form.
    section: SectionWriter,
}

impl BinaryRowWriter {
    /// A writer of rows of `arity` fields. All are zero (not NULL) until set.
    pub fn new(arity: usize) -> Self {
        let mut buffer = Vec::with_capacity(ARITY_BYTES + 2 * fixed_bytes(arity));
        buffer.extend_from_slice(&(arity as u32).to_be_bytes());
        let first_null_bit = 8 * ARITY_BYTES + HEADER_BITS;
        let slots = ARITY_BYTES + null_bytes(arity);
        let mut writer = Self { arity, section: SectionWriter { buffer, start: ARITY_BYTES, first_null_bit, slots } };
        writer.reset();
        writer
    }

    /// Starts the next row.
    pub fn reset(&mut self) {
        let buffer = &mut self.section.buffer;
        buffer.truncate(ARITY_BYTES);
        buffer.resize(ARITY_BYTES + fixed_bytes(self.arity), 0);
    }

    /// NULL of `data_type`, as Java writes it: wide decimals and timestamps keep room in the variable part.
    pub fn set_null(&mut self, pos: usize, data_type: &DataType) {
        let room: &[u8] = match data_type.kind {
            TypeKind::Decimal { precision, .. } if precision > MAX_COMPACT_DECIMAL => &[0; 16],
            TypeKind::Timestamp(p) | TypeKind::TimestampLtz(p) if p > MAX_COMPACT_TIMESTAMP => &[0; 8],
            _ => &[],
        };
        self.section.set_null(pos);
        if !room.is_empty() {
            self.section.append(pos, room, 0);
        }
    }

    /// NULL of a type that has one form of it: any but wide decimals and timestamps.
    pub(crate) fn set_compact_null(&mut self, pos: usize) {
        self.section.set_null(pos);
    }

    /// BOOLEAN
    pub fn set_bool(&mut self, pos: usize, value: bool) {
        self.section.set_slot(pos, value.into());
    }

    /// TINYINT
    pub fn set_i8(&mut self, pos: usize, value: i8) {
        self.section.set_slot(pos, (value as u8).into());
    }

    /// SMALLINT
    pub fn set_i16(&mut self, pos: usize, value: i16) {
        self.section.set_slot(pos, (value as u16).into());
    }

    /// INT, DATE, TIME
    pub fn set_i32(&mut self, pos: usize, value: i32) {
        self.section.set_slot(pos, (value as u32).into());
    }

    /// BIGINT
    pub fn set_i64(&mut self, pos: usize, value: i64) {
        self.section.set_slot(pos, value as u64);
    }

    /// FLOAT
    pub fn set_f32(&mut self, pos: usize, value: f32) {
        self.section.set_slot(pos, value.to_bits().into());
    }

    /// DOUBLE
    pub fn set_f64(&mut self, pos: usize, value: f64) {
        self.section.set_slot(pos, value.to_bits());
    }

    /// CHAR, VARCHAR, STRING
    pub fn set_str(&mut self, pos: usize, value: &str) {
        self.set_bytes(pos, value.as_bytes());
    }

    /// BINARY, VARBINARY, BYTES
    pub fn set_bytes(&mut self, pos: usize, value: &[u8]) {
        self.section.set_bytes(pos, value);
    }

    /// DECIMAL(`precision`, any scale); `unscaled` has at most `precision` digits.
    pub fn set_decimal(&mut self, pos: usize, unscaled: i128, precision: u8) {
        if precision <= MAX_COMPACT_DECIMAL {
            return self.set_i64(pos, unscaled as i64);
        }
        let bytes = unscaled.to_be_bytes();
        // As few bytes as keep the sign, as Java's `BigInteger.toByteArray`.
        let sign_bits = if unscaled < 0 { unscaled.leading_ones() } else { unscaled.leading_zeros() };
        let minimal = &bytes[(sign_bits as usize - 1) / 8..];
        let mut room = [0; 16];
        room[..minimal.len()].copy_from_slice(minimal);
        self.section.append(pos, &room, minimal.len() as u32);
    }

    /// TIMESTAMP(`precision`), with or without local time zone. What is below a millisecond is dropped for a
    /// precision of up to 3.
    pub fn set_timestamp(&mut self, pos: usize, value: Timestamp, precision: u8) {
        if precision <= MAX_COMPACT_TIMESTAMP {
            self.set_i64(pos, value.millis);
        } else {
            self.section.append(pos, &value.millis.to_le_bytes(), value.nanos_of_milli as u32);
        }
    }

    /// A nested row or array, already encoded.
    pub(crate) fn set_section(&mut self, pos: usize, section: &[u8]) {
        self.section.append(pos, section, section.len() as u32);
    }

    /// Any value of any atomic type, or NULL in Java's form.
    ///
    /// # Errors
    /// `InvalidInput` when the value is not one of the type; `Unsupported` for a nested type, unless NULL.
    pub fn set_datum(&mut self, pos: usize, value: Option<&Datum>, data_type: &DataType) -> Result<()> {
        let Some(value) = value else {
            self.set_null(pos, data_type);
            return Ok(());
        };
        match (&data_type.kind, value) {
            (TypeKind::Boolean, Datum::Boolean(v)) => self.set_bool(pos, *v),
            (TypeKind::TinyInt, Datum::TinyInt(v)) => self.set_i8(pos, *v),
            (TypeKind::SmallInt, Datum::SmallInt(v)) => self.set_i16(pos, *v),
            (TypeKind::Int, Datum::Int(v)) | (TypeKind::Date, Datum::Date(v)) | (TypeKind::Time(_), Datum::Time(v)) => {
                self.set_i32(pos, *v)
            }
            (TypeKind::BigInt, Datum::BigInt(v)) => self.set_i64(pos, *v),
            (TypeKind::Float, Datum::Float(v)) => self.set_f32(pos, *v),
            (TypeKind::Double, Datum::Double(v)) => self.set_f64(pos, *v),
            (TypeKind::Char(_) | TypeKind::VarChar(_), Datum::String(v)) => self.set_str(pos, v),
            (TypeKind::Binary(_) | TypeKind::VarBinary(_) | TypeKind::Blob, Datum::Bytes(v)) => self.set_bytes(pos, v),
            (TypeKind::Decimal { precision, scale }, Datum::Decimal { unscaled, scale: found }) => {
                let digits = unscaled.unsigned_abs().checked_ilog10().map_or(0, |log| log + 1);
                if scale != found || digits > u32::from(*precision) {
                    return Err(Error::invalid(format!(
                        "expected a value of DECIMAL({precision}, {scale}), found {digits} digits of scale {found}"
                    )));
                }
                self.set_decimal(pos, *unscaled, *precision);
            }
            (TypeKind::Timestamp(precision) | TypeKind::TimestampLtz(precision), Datum::Timestamp(v)) => {
                if !(0..1_000_000).contains(&v.nanos_of_milli) {
                    return Err(Error::invalid(format!(
                        "expected 0 to 999999 nanoseconds of a millisecond, found {}",
                        v.nanos_of_milli
                    )));
                }
                self.set_timestamp(pos, *v, *precision);
            }
            (
                TypeKind::Variant
                | TypeKind::Geometry(_)
                | TypeKind::Geography(..)
                | TypeKind::Array(_)
                | TypeKind::Map(..)
                | TypeKind::Multiset(_)
                | TypeKind::Row(_)
                | TypeKind::Vector(..),
                _,
            ) => return Err(Error::unsupported(format!("a value of {data_type} in a row is not supported yet"))),
            (_, value) => {
                let found = datum_name(value);
                return Err(Error::invalid(format!("expected a value of {data_type} for a row, found one of {found}")));
            }
        }
        Ok(())
    }

    /// Murmur hash of the row (seed 42), as for buckets.
    pub fn hash_code(&self) -> i32 {
        self.view().hash_code()
    }

    /// The row's bytes, without the arity prefix.
    pub fn as_bytes(&self) -> &[u8] {
        &self.section.buffer[ARITY_BYTES..]
    }

    /// The row in metadata form.
    pub fn as_metadata(&self) -> &[u8] {
        &self.section.buffer
    }

    /// The row, borrowed.
    pub fn view(&self) -> RowView<'_> {
        RowView { arity: self.arity, bytes: self.as_bytes() }
    }

    /// The row, copied.
    pub fn to_row(&self) -> BinaryRow {
        BinaryRow { metadata: bytes::Bytes::copy_from_slice(&self.section.buffer) }
    }
}

/// What rows and arrays have in common: NULL bits, then 8-byte slots, then a variable part.
#[derive(Debug, Clone)]
pub(super) struct SectionWriter {
    pub(super) buffer: Vec<u8>,
    /// Where the row or array starts in `buffer`; offsets in slots count from there.
    pub(super) start: usize,
    /// Bit of `buffer` that is the first NULL bit.
    pub(super) first_null_bit: usize,
    /// Where the slots start in `buffer`.
    pub(super) slots: usize,
}

impl SectionWriter {
    pub(super) fn set_slot(&mut self, pos: usize, value: u64) {
        let at = self.slots + 8 * pos;
        self.buffer[at..at + 8].copy_from_slice(&value.to_le_bytes());
    }

    pub(super) fn set_null(&mut self, pos: usize) {
        let bit = self.first_null_bit + pos;
        self.buffer[bit / 8] |= 1 << (bit % 8);
        self.set_slot(pos, 0);
    }

    pub(super) fn set_bytes(&mut self, pos: usize, value: &[u8]) {
        if value.len() > MAX_INLINE {
            return self.append(pos, value, value.len() as u32);
        }
        let mut slot = [0; 8];
        slot[..value.len()].copy_from_slice(value);
        slot[MAX_INLINE] = 0x80 | value.len() as u8;
        self.set_slot(pos, u64::from_le_bytes(slot));
    }

    /// Appends `value`, padded to words, and refers to it from the slot; `low` is the slot's lower half.
    pub(super) fn append(&mut self, pos: usize, value: &[u8], low: u32) {
        let offset = self.buffer.len() - self.start;
        self.buffer.extend_from_slice(value);
        let end = self.start + offset + value.len().next_multiple_of(8);
        self.buffer.resize(end, 0);
        self.set_slot(pos, (offset as u64) << 32 | u64::from(low));
    }
}

/// The SQL name of a value's type.
fn datum_name(value: &Datum) -> &'static str {
    match value {
        Datum::Boolean(_) => "BOOLEAN",
        Datum::TinyInt(_) => "TINYINT",
        Datum::SmallInt(_) => "SMALLINT",
        Datum::Int(_) => "INT",
        Datum::BigInt(_) => "BIGINT",
        Datum::Float(_) => "FLOAT",
        Datum::Double(_) => "DOUBLE",
        Datum::Decimal { .. } => "DECIMAL",
        Datum::String(_) => "STRING",
        Datum::Bytes(_) => "BYTES",
        Datum::Date(_) => "DATE",
        Datum::Time(_) => "TIME",
        Datum::Timestamp(_) => "TIMESTAMP",
    }
}
