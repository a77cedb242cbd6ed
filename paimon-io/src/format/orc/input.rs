//! The bytes of a stream, decompressed block by block.

use bytes::Bytes;
use paimon_spec::{Error, Result};

use super::{codec::Codec, corrupt, proto::unzigzag};

/// A position in a stream. A copy is another position in the same bytes.
#[derive(Debug, Clone, Default)]
pub(super) struct Input {
    codec: Option<Codec>,
    /// What is not decompressed yet.
    rest: Bytes,
    block: Bytes,
    /// How much of `block` was read.
    at: usize,
}

impl Input {
    /// The stream of these bytes.
    pub(super) fn new(bytes: Bytes, codec: Option<Codec>) -> Self {
        match codec {
            Some(_) => Self { codec, rest: bytes, ..Self::default() },
            None => Self { block: bytes, ..Self::default() },
        }
    }

    /// What of the block is left; decompresses the next one if nothing is. Empty only at the end of the stream.
    fn available(&mut self) -> Result<&[u8]> {
        while self.at == self.block.len() && !self.rest.is_empty() {
            let Some(codec) = self.codec else { break };
            self.block = codec.next_block(&mut self.rest)?;
            self.at = 0;
        }
        Ok(&self.block[self.at..])
    }

    /// The next byte.
    pub(super) fn byte(&mut self) -> Result<u8> {
        let byte = match self.block.get(self.at) {
            Some(byte) => *byte,
            None => *self.available()?.first().ok_or_else(ended)?,
        };
        self.at += 1;
        Ok(byte)
    }

    /// The next bytes, as many as `out` has room for.
    pub(super) fn fill(&mut self, mut out: &mut [u8]) -> Result<()> {
        while !out.is_empty() {
            let part = self.available()?;
            let length = part.len().min(out.len());
            if length == 0 {
                return Err(ended());
            }
            let (head, tail) = out.split_at_mut(length);
            head.copy_from_slice(&part[..length]);
            self.at += length;
            out = tail;
        }
        Ok(())
    }

    /// The next `length` bytes, put behind those in `out`. Memory is taken as bytes are found, not as they are stated.
    pub(super) fn append(&mut self, mut length: usize, out: &mut Vec<u8>) -> Result<()> {
        while length > 0 {
            let part = self.available()?;
            let step = part.len().min(length);
            if step == 0 {
                return Err(ended());
            }
            out.extend_from_slice(&part[..step]);
            self.at += step;
            length -= step;
        }
        Ok(())
    }

    /// A number of seven bits a byte, low ones first.
    pub(super) fn varint(&mut self) -> Result<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(corrupt("a number has more than 64 bits"))
    }

    /// The same for signed numbers, in zigzag form.
    pub(super) fn signed_varint(&mut self) -> Result<i64> {
        self.varint().map(unzigzag)
    }

    /// The same for signed numbers of 128 bits.
    pub(super) fn wide_varint(&mut self) -> Result<i128> {
        let mut number = 0u128;
        for shift in (0..128).step_by(7) {
            let byte = self.byte()?;
            number |= u128::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok((number >> 1) as i128 ^ -((number & 1) as i128));
            }
        }
        Err(corrupt("a number has more than 128 bits"))
    }

    /// A number of `bytes` bytes (8 at most), high ones first.
    pub(super) fn big_endian(&mut self, bytes: usize) -> Result<u64> {
        let mut number = 0;
        for _ in 0..bytes {
            number = number << 8 | u64::from(self.byte()?);
        }
        Ok(number)
    }
}

fn ended() -> Error {
    corrupt("a stream ends before its last value")
}
