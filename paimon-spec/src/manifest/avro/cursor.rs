//! Reading Avro's primitive encodings from a slice.

use crate::{Error, Result};

/// Bytes, and how far they have been read.
#[derive(Debug, Clone)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How many bytes have been read.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    pub(super) fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// An `int` or `long`: base 128, lowest digits first, zig-zag.
    #[inline]
    pub(super) fn long(&mut self) -> Result<i64> {
        let Some(&first) = self.bytes.get(self.at) else {
            return Err(self.too_short(1));
        };
        self.at += 1;
        if first < 0x80 {
            return Ok(zig_zag(first.into()));
        }
        self.long_after(first)
    }

    fn long_after(&mut self, first: u8) -> Result<i64> {
        let mut value = u64::from(first & 0x7f);
        for shift in (7..70).step_by(7) {
            let Some(&byte) = self.bytes.get(self.at) else {
                return Err(self.too_short(1));
            };
            self.at += 1;
            let digits = u64::from(byte & 0x7f);
            if shift == 63 && byte > 1 {
                break;
            }
            value |= digits << shift;
            if byte < 0x80 {
                return Ok(zig_zag(value));
            }
        }
        Err(Error::corrupt(format!("expected an Avro number of at most 64 bits at byte {}, found more", self.at)))
    }

    /// The length of what follows, which is there.
    #[inline]
    pub(super) fn len(&mut self) -> Result<usize> {
        let len = self.long()?;
        match usize::try_from(len) {
            Ok(len) if len <= self.remaining() => Ok(len),
            _ => Err(self.bad_len(len)),
        }
    }

    #[inline]
    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        match self.bytes[self.at..].get(..len) {
            Some(taken) => {
                self.at += len;
                Ok(taken)
            }
            None => Err(self.too_short(len)),
        }
    }

    /// `bytes` or `string`.
    #[inline]
    pub(super) fn bytes(&mut self) -> Result<&'a [u8]> {
        let len = self.len()?;
        self.take(len)
    }

    /// The count of items in the next block of an array or map, 0 at the end; the byte size that may precede the items
    /// is not needed.
    #[inline]
    pub(super) fn block_count(&mut self) -> Result<usize> {
        let count = self.long()?;
        if count < 0 {
            self.len()?;
        }
        // Items take at least a byte, so a count beyond the bytes is a lie.
        match usize::try_from(count.unsigned_abs()) {
            Ok(count) if count <= self.remaining() => Ok(count),
            _ => Err(self.bad_len(count)),
        }
    }

    #[cold]
    fn too_short(&self, wanted: usize) -> Error {
        let (at, left) = (self.at, self.remaining());
        Error::corrupt(format!("expected {wanted} more bytes in Avro data at byte {at}, found {left}"))
    }

    #[cold]
    fn bad_len(&self, len: i64) -> Error {
        let (at, left) = (self.at, self.remaining());
        Error::corrupt(format!("expected a length of at most {left} in Avro data at byte {at}, found {len}"))
    }
}

#[inline]
fn zig_zag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}
