//! Little-endian fields of a small structure, read in order.

use paimon_spec::{Error, Result};

/// What is left of a structure; nothing is taken that is not there.
pub(crate) struct Fields<'a> {
    what: &'static str,
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// `what` names the structure in errors.
    pub(crate) fn new(what: &'static str, bytes: &'a [u8]) -> Self {
        Self { what, rest: bytes }
    }

    pub(crate) fn u8(&mut self) -> Result<u8> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    pub(crate) fn i32(&mut self) -> Result<i32> {
        self.array().map(i32::from_le_bytes)
    }

    pub(crate) fn i64(&mut self) -> Result<i64> {
        self.array().map(i64::from_le_bytes)
    }

    /// Exactly this number.
    pub(crate) fn magic(&mut self, wanted: u64) -> Result<()> {
        let found = u64::from_le_bytes(self.array()?);
        if found == wanted {
            return Ok(());
        }
        Err(Error::corrupt(format!("expected the magic {wanted:#018x} of a {}, found {found:#018x}", self.what)))
    }

    /// A text after its length in bytes (i32).
    pub(crate) fn text(&mut self) -> Result<&'a str> {
        let length = self.i32()?;
        let wrong = |found: &dyn std::fmt::Display| {
            Error::corrupt(format!("expected a text of {length} bytes in a {}, found {found}", self.what))
        };
        let length = usize::try_from(length).map_err(|_| wrong(&"a negative length"))?;
        let (text, rest) =
            self.rest.split_at_checked(length).ok_or_else(|| wrong(&format_args!("{}", self.rest.len())))?;
        let text = std::str::from_utf8(text).map_err(|error| wrong(&"what is not UTF-8").with_source(error))?;
        self.rest = rest;
        Ok(text)
    }

    /// Nothing comes after.
    pub(crate) fn end(&self) -> Result<()> {
        if self.rest.is_empty() {
            return Ok(());
        }
        Err(Error::corrupt(format!("expected the end of a {}, found {} more bytes", self.what, self.rest.len())))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (field, rest) = self.rest.split_first_chunk().ok_or_else(|| {
            Error::corrupt(format!("expected {N} more bytes of a {}, found {}", self.what, self.rest.len()))
        })?;
        self.rest = rest;
        Ok(*field)
    }
}
