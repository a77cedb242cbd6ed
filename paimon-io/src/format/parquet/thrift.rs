//! Thrift's compact encoding, as far as it takes to look at Parquet's metadata before the `parquet` crate decodes it.
//!
//! That crate makes room for as many row groups, pages and children of a schema as their lists say to have, and follows
//! the nesting of a schema by recursion; so lengths and depths are looked at here first.

use paimon_spec::{Error, Result};

/// Bounds how deep structs and lists are nested. Parquet's own definitions nest less than ten deep.
const MAX_DEPTH: usize = 32;

/// A boolean field, whose value is in its type.
pub(super) const FALSE: u8 = 2;
pub(super) const I32: u8 = 5;
pub(super) const LIST: u8 = 9;
pub(super) const STRUCT: u8 = 12;

/// Bytes, and how far they have been read.
#[derive(Debug, Clone)]
pub(super) struct Thrift<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Thrift<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How many bytes have been read.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// The type of the next field of a struct, whose number is then in `field`; `None` at the end of the struct.
    /// `field` starts at 0.
    pub(super) fn field(&mut self, field: &mut i64) -> Result<Option<u8>> {
        let head = self.byte()?;
        if head & 0x0f == 0 {
            return Ok(None);
        }
        *field = match head >> 4 {
            0 => self.number()?,
            step => field.saturating_add(step.into()),
        };
        Ok(Some(head & 0x0f))
    }

    /// The type and the number of the items of a list.
    pub(super) fn list(&mut self) -> Result<(u8, usize)> {
        let head = self.byte()?;
        let len = match head >> 4 {
            15 => self.varint()?,
            len => len.into(),
        };
        Ok((head & 0x0f, self.fitting(len)?))
    }

    /// An integer of any width but a byte.
    pub(super) fn number(&mut self) -> Result<i64> {
        let value = self.varint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// Moves over a field of a struct of type `kind`.
    pub(super) fn skip(&mut self, kind: u8) -> Result<()> {
        self.skip_nested(kind, false, 0)
    }

    fn skip_nested(&mut self, kind: u8, in_list: bool, depth: usize) -> Result<()> {
        if depth > MAX_DEPTH {
            return Err(Error::corrupt(format!("expected at most {MAX_DEPTH} nested structs, found more")));
        }
        match kind {
            // A boolean field has its value in its type.
            1 | 2 if !in_list => {}
            1..=3 => {
                self.byte()?;
            }
            4..=6 => {
                self.varint()?;
            }
            7 => self.take(8)?,
            8 => {
                let len = self.varint()?;
                let len = self.fitting(len)?;
                self.take(len)?;
            }
            LIST | 10 => {
                let (kind, len) = self.list()?;
                for _ in 0..len {
                    self.skip_nested(kind, true, depth + 1)?;
                }
            }
            11 => {
                let len = self.varint()?;
                let len = self.fitting(len)?;
                let kinds = if len == 0 { 0 } else { self.byte()? };
                for _ in 0..len {
                    self.skip_nested(kinds >> 4, true, depth + 1)?;
                    self.skip_nested(kinds & 0x0f, true, depth + 1)?;
                }
            }
            STRUCT => {
                let mut field = 0;
                while let Some(kind) = self.field(&mut field)? {
                    self.skip_nested(kind, false, depth + 1)?;
                }
            }
            13 => self.take(16)?,
            other => return Err(Error::corrupt(format!("expected a type of Thrift, found number {other}"))),
        }
        Ok(())
    }

    /// A length of things that take at least a byte each.
    fn fitting(&self, len: u64) -> Result<usize> {
        let left = self.bytes.len() - self.at;
        usize::try_from(len).ok().filter(|len| *len <= left).ok_or_else(|| {
            Error::corrupt(format!("expected a length of at most {left} at byte {}, found {len}", self.at))
        })
    }

    fn take(&mut self, len: usize) -> Result<()> {
        self.at += self.fitting(len as u64)?;
        Ok(())
    }

    fn byte(&mut self) -> Result<u8> {
        let byte = self.bytes.get(self.at).copied();
        self.at += 1;
        byte.ok_or_else(|| {
            self.at = self.bytes.len();
            Error::corrupt("expected more bytes of Parquet metadata, found their end")
        })
    }

    fn varint(&mut self) -> Result<u64> {
        let mut value = 0_u64;
        for shift in (0..70).step_by(7) {
            let byte = self.byte()?;
            if shift == 63 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Error::corrupt(format!("expected a number of at most 64 bits at byte {}, found more", self.at)))
    }
}

#[cfg(test)]
mod tests {
    use paimon_spec::ErrorKind;
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::struct_of_each_kind(
        STRUCT,
        b"\x11\x12\x13\x7f\x14\x02\x15\x02\x16\x02\x17\0\0\0\0\0\0\0\0\x18\x01x\x19\x21\x01\x02\0"
    )]
    #[case::map(11, b"\x01\x58\x02\x01x")]
    #[case::empty_map(11, b"\0")]
    #[case::long_list(LIST, b"\xf5\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0")]
    fn values_are_skipped_whole(#[case] kind: u8, #[case] bytes: &[u8]) {
        let mut thrift = Thrift::new(bytes);
        thrift.skip(kind).unwrap();
        assert_eq!(thrift.position(), bytes.len());
    }

    #[rstest]
    #[case::list_of_more_than_there_is(LIST, b"\xfc\xff\xff\xff\xff\x07")]
    #[case::bytes_beyond_the_end(8, b"\x05abc")]
    #[case::no_end_of_a_struct(STRUCT, b"\x15\x02")]
    #[case::unknown_type(STRUCT, b"\x1e\0")]
    #[case::a_number_of_eleven_bytes(6, &[0xff; 11])]
    fn other_bytes_are_corrupt(#[case] kind: u8, #[case] bytes: &[u8]) {
        assert_eq!(Thrift::new(bytes).skip(kind).unwrap_err().kind(), ErrorKind::CorruptData);
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = [0x1c; 1 << 20];
        assert_eq!(Thrift::new(&deep).skip(STRUCT).unwrap_err().kind(), ErrorKind::CorruptData);
    }

    proptest! {
        #[test]
        fn any_bytes_end(kind in 0..16_u8, bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut thrift = Thrift::new(&bytes);
            let _ = thrift.skip(kind);
            prop_assert!(thrift.position() <= bytes.len());
        }
    }
}
