//! Headers of pages.

use paimon_spec::{Error, Result};

use super::thrift::{FALSE, I32, STRUCT, Thrift};

/// What the header of a page says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PageHeader {
    pub(super) kind: PageKind,
    /// Bytes after the header.
    pub(super) compressed: usize,
    /// Bytes after decompression.
    pub(super) uncompressed: usize,
    /// CRC-32 of the bytes after the header.
    pub(super) checksum: Option<u32>,
    /// Values, NULLs included.
    pub(super) values: u64,
    /// Number of the encoding of the values.
    pub(super) encoding: i64,
    /// Bytes of levels before the values that are never compressed; `None`: levels are compressed with the values.
    pub(super) levels: Option<usize>,
    /// Whether the values are compressed, if the column chunk is.
    pub(super) is_compressed: bool,
    /// Bytes of the header.
    pub(super) len: usize,
    /// Where in the header the checksum stands, or would.
    checksum_at: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PageKind {
    Data,
    Dictionary,
    /// Of a kind that readers pass over.
    Other,
}

impl PageHeader {
    /// Decodes the header at the start of `bytes`.
    ///
    /// # Errors
    /// `CorruptData` when there is none, or a size is negative.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self> {
        let mut thrift = Thrift::new(bytes);
        let (mut kind, mut uncompressed, mut compressed) = (None, None, None);
        let (mut checksum, mut details) = (None, Details { values: 0, ..Details::default() });
        let (mut field, mut checksum_at) = (0, 0);
        while let Some(found) = thrift.field(&mut field)? {
            match (field, found) {
                (1, I32) => kind = Some(thrift.number()?),
                (2, I32) => uncompressed = Some(thrift.number()?),
                (3, I32) => {
                    compressed = Some(thrift.number()?);
                    checksum_at = thrift.position();
                }
                // A 32-bit number, signed or not.
                (4, I32) => checksum = Some(thrift.number()? as u32),
                (5 | 7, STRUCT) => details = Details::decode(&mut thrift, 2)?,
                (8, STRUCT) => details = Details::decode(&mut thrift, 4)?,
                (_, other) => thrift.skip(other)?,
            }
        }
        let size = |size: Option<i64>| {
            size.and_then(|size| i32::try_from(size).ok())
                .and_then(|size| usize::try_from(size).ok())
                .ok_or_else(|| Error::corrupt("expected a size in the header of a page, found none"))
        };
        let Details { values, encoding, levels, is_compressed } = details;
        Ok(Self {
            kind: match kind {
                Some(0 | 3) => PageKind::Data,
                Some(2) => PageKind::Dictionary,
                Some(_) => PageKind::Other,
                None => return Err(Error::corrupt("expected the kind of a page in its header, found none")),
            },
            compressed: size(compressed)?,
            uncompressed: size(uncompressed)?,
            checksum,
            values: u64::try_from(values)
                .map_err(|_| Error::corrupt(format!("expected the number of values of a page, found {values}")))?,
            encoding,
            levels: (kind == Some(3)).then(|| usize::try_from(levels).unwrap_or(usize::MAX)),
            is_compressed,
            len: thrift.position(),
            checksum_at,
        })
    }

    /// The header with a checksum, of one that has none: `bytes` are those that it was decoded from.
    ///
    /// # Errors
    /// `Internal` when the fields are not where all writers have them.
    pub(super) fn with_checksum(&self, bytes: &[u8], checksum: u32) -> Result<Vec<u8>> {
        let (before, after) = bytes.split_at_checked(self.checksum_at).unwrap_or((bytes, &[]));
        let [next, rest @ ..] = after else { return Err(other_layout()) };
        // The next field is 5 or more, and is numbered by its distance, from 3 until now.
        let (step, kind) = (next >> 4, next & 0x0f);
        if self.checksum.is_some() || self.checksum_at == 0 || step < 2 {
            return Err(other_layout());
        }
        let mut sealed = Vec::with_capacity(bytes.len() + 6);
        sealed.extend_from_slice(before);
        sealed.push(1 << 4 | I32);
        let checksum = checksum as i32;
        let mut digits = ((checksum << 1) ^ (checksum >> 31)) as u32;
        while digits >= 0x80 {
            sealed.push(digits as u8 | 0x80);
            digits >>= 7;
        }
        sealed.push(digits as u8);
        sealed.push((step - 1) << 4 | kind);
        sealed.extend_from_slice(rest);
        Ok(sealed)
    }
}

/// What the part of a header says that each kind of page has of its own.
struct Details {
    values: i64,
    encoding: i64,
    /// Bytes.
    levels: i64,
    is_compressed: bool,
}

impl Default for Details {
    fn default() -> Self {
        Self { values: -1, encoding: -1, levels: 0, is_compressed: true }
    }
}

impl Details {
    /// The encoding is field 2, or field 4 of pages of version 2, which have more fields.
    fn decode(thrift: &mut Thrift<'_>, encoding_field: i64) -> Result<Self> {
        let mut details = Self::default();
        let mut field = 0;
        while let Some(kind) = thrift.field(&mut field)? {
            match (field, kind) {
                (1, I32) => details.values = thrift.number()?,
                (found, I32) if found == encoding_field => details.encoding = thrift.number()?,
                (5 | 6, I32) if encoding_field == 4 => {
                    details.levels = details.levels.saturating_add(thrift.number()?);
                }
                (7, FALSE) if encoding_field == 4 => details.is_compressed = false,
                (_, other) => thrift.skip(other)?,
            }
        }
        Ok(details)
    }
}

#[cold]
fn other_layout() -> Error {
    Error::internal("paimon-io", "a page header has another layout than expected")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A data page of 100 bytes, 40 compressed, of 10 values in encoding 8.
    const HEADER: &[u8] = b"\x15\0\x15\xc8\x01\x15\x50\x2c\x15\x14\x15\x10\x15\x06\x15\x06\0\0";

    #[test]
    fn a_header_is_decoded() {
        let header = PageHeader::decode(&[HEADER, b"page"].concat()).unwrap();
        assert_eq!((header.kind, header.checksum), (PageKind::Data, None));
        assert_eq!((header.uncompressed, header.compressed), (100, 40));
        assert_eq!((header.values, header.encoding, header.len), (10, 8, HEADER.len()));
    }

    proptest! {
        #[test]
        fn a_checksum_is_put_into_a_header(checksum: u32) {
            let plain = PageHeader::decode(HEADER).unwrap();
            let sealed = plain.with_checksum(HEADER, checksum).unwrap();
            let found = PageHeader::decode(&sealed).unwrap();
            let wanted =
                PageHeader { checksum: Some(checksum), len: sealed.len(), ..plain };
            prop_assert_eq!(found, wanted);
            prop_assert!(found.with_checksum(&sealed, checksum).is_err());
        }

        #[test]
        fn any_bytes_are_a_header_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(header) = PageHeader::decode(&bytes) {
                prop_assert!(header.len <= bytes.len());
            }
        }
    }
}
