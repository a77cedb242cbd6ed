//! Protobuf messages, field by field. Nothing is allocated: what is not asked for is stepped over.

use paimon_spec::Result;

use super::corrupt;

/// A field of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl<'a> Value<'a> {
    /// The number; an error for a field of another form.
    pub(super) fn number(self) -> Result<u64> {
        match self {
            Value::Number(number) => Ok(number),
            Value::Bytes(_) => Err(corrupt("a number was wanted in a message, found bytes")),
        }
    }

    /// The number as a signed one in zigzag form (`sint64`).
    pub(super) fn signed(self) -> Result<i64> {
        self.number().map(unzigzag)
    }

    /// The bytes: a text, or a message within; an error for a field of another form.
    pub(super) fn bytes(self) -> Result<&'a [u8]> {
        match self {
            Value::Bytes(bytes) => Ok(bytes),
            Value::Number(_) => Err(corrupt("bytes were wanted in a message, found a number")),
        }
    }

    /// The numbers of a repeated field, which may be packed or single.
    pub(super) fn numbers(self, into: &mut Vec<u64>) -> Result<()> {
        match self {
            Value::Number(number) => into.push(number),
            Value::Bytes(mut packed) => {
                while !packed.is_empty() {
                    into.push(varint(&mut packed)?);
                }
            }
        }
        Ok(())
    }
}

/// The fields of a message in their order, each with its number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Value<'a>)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

impl<'a> Fields<'a> {
    fn field(&mut self) -> Result<(u64, Value<'a>)> {
        let key = varint(&mut self.0)?;
        let value = match key & 7 {
            0 => Value::Number(varint(&mut self.0)?),
            1 => Value::Number(u64::from_le_bytes(*self.array()?)),
            2 => {
                let length = varint(&mut self.0)?;
                let length = usize::try_from(length).ok().filter(|length| *length <= self.0.len());
                let (bytes, rest) = self.0.split_at(length.ok_or_else(cut_off)?);
                self.0 = rest;
                Value::Bytes(bytes)
            }
            5 => Value::Number(u64::from(u32::from_le_bytes(*self.array()?))),
            form => return Err(corrupt(format!("a message has a field of the unknown form {form}"))),
        };
        Ok((key >> 3, value))
    }

    fn array<const N: usize>(&mut self) -> Result<&'a [u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or_else(cut_off)?;
        self.0 = rest;
        Ok(bytes)
    }
}

fn cut_off() -> paimon_spec::Error {
    corrupt("a message ends within a field")
}

fn varint(bytes: &mut &[u8]) -> Result<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first().ok_or_else(cut_off)?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(corrupt("a number in a message has more than 64 bits"))
}

/// The signed number that zigzag form made this of.
pub(super) fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

/// Appends a field that is a number.
pub(super) fn put_number(message: &mut Vec<u8>, field: u64, number: u64) {
    put_varint(message, field << 3);
    put_varint(message, number);
}

/// Appends a field that is a signed number in zigzag form.
pub(super) fn put_signed(message: &mut Vec<u8>, field: u64, number: i64) {
    put_number(message, field, zigzag(number));
}

/// Appends a field of bytes: a text, or a message within.
pub(super) fn put_bytes(message: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    put_varint(message, field << 3 | 2);
    put_varint(message, bytes.len() as u64);
    message.extend_from_slice(bytes);
}

/// The zigzag form of a signed number.
pub(super) fn zigzag(number: i64) -> u64 {
    (number << 1 ^ number >> 63) as u64
}

/// Appends a number, seven bits a byte, low ones first.
pub(super) fn put_varint(message: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        message.push(number as u8 | 0x80);
        number >>= 7;
    }
    message.push(number as u8);
}
