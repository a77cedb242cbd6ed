//! Java's `DataOutput` encoding: big-endian numbers, booleans of one byte, texts in modified UTF-8.

use crate::{BinaryRow, Error, Result};

#[derive(Debug, Default)]
pub(crate) struct WireWriter {
    pub(crate) bytes: Vec<u8>,
}

impl WireWriter {
    /// Begins a value that [`Self::seal`] ends, in a form that [`WireReader::unseal`] reads.
    pub(crate) fn start(magic: [u8; 4], version: i32) -> Self {
        let mut out = Self { bytes: magic.to_vec() };
        out.i32(version);
        out
    }

    /// The bytes, with their checksum.
    pub(crate) fn seal(mut self) -> Vec<u8> {
        let checksum = crc32fast::hash(&self.bytes);
        self.i32(checksum as i32);
        self.bytes
    }

    pub(crate) fn bool(&mut self, value: bool) {
        self.bytes.push(value.into());
    }

    pub(crate) fn i32(&mut self, value: i32) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    pub(crate) fn i64(&mut self, value: i64) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    /// The length of a list or of bytes.
    pub(crate) fn len(&mut self, len: usize) -> Result<()> {
        let fits =
            i32::try_from(len).map_err(|_| Error::invalid(format!("expected less than 2^31 bytes, found {len}")))?;
        self.i32(fits);
        Ok(())
    }

    pub(crate) fn bytes(&mut self, value: &[u8]) -> Result<()> {
        self.len(value.len())?;
        self.bytes.extend_from_slice(value);
        Ok(())
    }

    pub(crate) fn row(&mut self, row: &BinaryRow) -> Result<()> {
        self.bytes(row.as_metadata())
    }

    /// Modified UTF-8: NUL takes two bytes, and characters beyond U+FFFF are written as two surrogates.
    pub(crate) fn utf(&mut self, text: &str) -> Result<()> {
        let at = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 2]);
        for unit in text.encode_utf16() {
            match unit {
                1..=0x7f => self.bytes.push(unit as u8),
                0 | 0x80..=0x7ff => self.bytes.extend([0xc0 | (unit >> 6) as u8, continuation(unit)]),
                _ => self.bytes.extend([0xe0 | (unit >> 12) as u8, continuation(unit >> 6), continuation(unit)]),
            }
        }
        let len = self.bytes.len() - at - 2;
        let len = u16::try_from(len)
            .map_err(|_| Error::invalid(format!("expected a text of less than 64 kB, found {len} bytes")))?;
        self.bytes[at..at + 2].copy_from_slice(&len.to_be_bytes());
        Ok(())
    }
}

fn continuation(unit: u16) -> u8 {
    0x80 | (unit & 0x3f) as u8
}

#[derive(Debug)]
pub(crate) struct WireReader<'a> {
    rest: &'a [u8],
}

impl<'a> WireReader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What is between the version and the checksum of a sealed value; `what` names it in errors.
    ///
    /// # Errors
    /// `CorruptData` when the bytes are not such a value, `Unsupported` when they are one of another version.
    pub(crate) fn unseal(bytes: &'a [u8], magic: [u8; 4], version: i32, what: &str) -> Result<Self> {
        let mut input = Self::new(bytes);
        if input.array()? != magic {
            return Err(Error::corrupt(format!("expected a {what}, found other bytes")));
        }
        let found = input.i32()?;
        if found != version {
            return Err(Error::unsupported(format!(
                "version {found} of {what}s is not supported: workers and committer must run the same release"
            )));
        }
        let Some((content, checksum)) = input.rest.split_last_chunk() else {
            return Err(Error::corrupt(format!("expected a {what}, found {} bytes", bytes.len())));
        };
        let (wanted, found) = (u32::from_be_bytes(*checksum), crc32fast::hash(&bytes[..bytes.len() - checksum.len()]));
        if wanted != found {
            return Err(Error::corrupt(format!("expected checksum {wanted:08x} of a {what}, found {found:08x}")));
        }
        Ok(Self { rest: content })
    }

    /// # Errors
    /// `CorruptData` when bytes are left.
    pub(crate) fn finish(self) -> Result<()> {
        match self.rest.len() {
            0 => Ok(()),
            left => Err(Error::corrupt(format!("expected the end, found {left} more bytes"))),
        }
    }

    /// What has not been read yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        let found = self.rest.len();
        let (taken, rest) = self
            .rest
            .split_at_checked(len)
            .ok_or_else(|| Error::corrupt(format!("expected {len} more bytes, found {found}")))?;
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub(crate) fn bool(&mut self) -> Result<bool> {
        Ok(self.array::<1>()? != [0])
    }

    pub(crate) fn i32(&mut self) -> Result<i32> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    pub(crate) fn i64(&mut self) -> Result<i64> {
        Ok(i64::from_be_bytes(self.array()?))
    }

    /// The length of a list whose elements take at least one byte each, or of bytes.
    pub(crate) fn len(&mut self) -> Result<usize> {
        let len = self.i32()?;
        usize::try_from(len).ok().filter(|len| *len <= self.rest.len()).ok_or_else(|| {
            let left = self.rest.len();
            Error::corrupt(format!("expected a length of at most the {left} bytes left, found {len}"))
        })
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8]> {
        let len = self.len()?;
        self.take(len)
    }

    pub(crate) fn row(&mut self) -> Result<BinaryRow> {
        BinaryRow::from_metadata(self.bytes()?)
    }

    pub(crate) fn utf(&mut self) -> Result<String> {
        let len = u16::from_be_bytes(self.array()?);
        let bytes = self.take(len.into())?;
        decode_modified_utf8(bytes)
            .ok_or_else(|| Error::corrupt("expected a text in modified UTF-8, found other bytes"))
    }
}

fn decode_modified_utf8(bytes: &[u8]) -> Option<String> {
    let mut units = Vec::with_capacity(bytes.len());
    let mut rest = bytes.iter().copied();
    while let Some(first) = rest.next() {
        let mut next = || rest.next().filter(|byte| byte & 0xc0 == 0x80).map(|byte| u16::from(byte & 0x3f));
        units.push(match first {
            0..=0x7f => u16::from(first),
            0xc0..=0xdf => u16::from(first & 0x1f) << 6 | next()?,
            0xe0..=0xef => u16::from(first & 0x0f) << 12 | next()? << 6 | next()?,
            _ => return None,
        });
    }
    String::from_utf16(&units).ok()
}
