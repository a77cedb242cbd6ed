//! Where a blob lies: a URL and a range, as bytes (Java `BlobDescriptor`).

use paimon_spec::{Error, Result};

use crate::fields::Fields;

/// The version that is written.
const VERSION: u8 = 2;

/// The bytes `CSEDBOLB` after the version, from version 2 on: "BLOBDESC" as a little-endian number.
const MAGIC: u64 = 0x424C_4F42_4445_5343;

/// "VIDEOFRM": the descriptor of one frame of a video, another kind of value.
const VIDEO_FRAME_MAGIC: u64 = 0x5649_4445_4F46_524D;

/// Where a blob lies: bytes of an object.
///
/// Bytes: version, magic, the length of the URL (i32), the URL, offset and length (i64), all little-endian. Version 1 has
/// no magic, so nothing sets it apart from other bytes: it is understood where a descriptor is expected, and never found
/// by [`Self::looks_like`].
///
/// ```
/// use paimon_blob::BlobDescriptor;
///
/// let descriptor = BlobDescriptor { uri: "s3://bucket/t/data-1.blob", offset: 4, length: Some(5) };
/// let bytes = descriptor.encode();
/// assert!(BlobDescriptor::looks_like(&bytes));
/// assert_eq!(BlobDescriptor::decode(&bytes)?, descriptor);
/// # Ok::<(), paimon_spec::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BlobDescriptor<'a> {
    /// The URL of the object, literally.
    pub uri: &'a str,
    /// The first byte.
    pub offset: u64,
    /// How many bytes; `None`: all up to the object's end (-1 in the bytes).
    pub length: Option<u64>,
}

impl<'a> BlobDescriptor<'a> {
    /// Whether bytes that may be anything are a descriptor: at least nine, version 2 or lower, and the magic
    /// (Java `BlobDescriptor.isBlobDescriptor`). What looks like one and cannot be decoded is damaged.
    pub fn looks_like(bytes: &[u8]) -> bool {
        bytes.first().is_some_and(|&version| version <= VERSION) && bytes[1..].starts_with(&MAGIC.to_le_bytes())
    }

    /// Understands versions 1 and 2, and nothing behind them.
    ///
    /// # Errors
    /// `CorruptData` when the bytes are no descriptor, `Unsupported` when they are one of a later version or of a frame
    /// of a video.
    pub fn decode(bytes: &'a [u8]) -> Result<Self> {
        let mut fields = Fields::new("blob descriptor", bytes);
        match fields.u8()? {
            1 if bytes[1..].starts_with(&VIDEO_FRAME_MAGIC.to_le_bytes()) => {
                return Err(Error::unsupported("the value is a frame of a video (VideoFrameDescriptor)"));
            }
            1 => {}
            VERSION => fields.magic(MAGIC)?,
            later if later > VERSION => {
                return Err(Error::unsupported(format!("expected a blob descriptor of version 1 or 2, found {later}")));
            }
            other => {
                return Err(Error::corrupt(format!("expected a blob descriptor of version 1 or 2, found {other}")));
            }
        }
        let uri = fields.text()?;
        let offset = fields.i64()?;
        let length = fields.i64()?;
        fields.end()?;
        let range = || Error::corrupt(format!("expected a range of bytes, found offset {offset} and length {length}"));
        let offset = u64::try_from(offset).map_err(|_| range().with_context("uri", uri))?;
        let length = match length {
            -1 => None,
            length => Some(u64::try_from(length).map_err(|_| range().with_context("uri", uri))?),
        };
        Ok(Self { uri, offset, length })
    }

    /// The bytes, of version 2. Offset and length are below 2^63, as no object is larger.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.encoded_len());
        self.encode_into(&mut bytes);
        bytes
    }

    /// How many bytes [`Self::encode`] gives.
    pub fn encoded_len(&self) -> usize {
        1 + 8 + 4 + self.uri.len() + 8 + 8
    }

    /// Appends what [`Self::encode`] gives.
    pub fn encode_into(&self, bytes: &mut Vec<u8>) {
        bytes.push(VERSION);
        bytes.extend_from_slice(&MAGIC.to_le_bytes());
        bytes.extend_from_slice(&(self.uri.len() as u32).to_le_bytes());
        bytes.extend_from_slice(self.uri.as_bytes());
        bytes.extend_from_slice(&self.offset.to_le_bytes());
        bytes.extend_from_slice(&self.length.map_or(-1, u64::cast_signed).to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use paimon_spec::ErrorKind;
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    /// Version 1 of the same.
    fn version_one(descriptor: &BlobDescriptor<'_>) -> Vec<u8> {
        [&[1][..], &descriptor.encode()[9..]].concat()
    }

    #[test]
    fn the_bytes_are_those_of_pypaimon() {
        // pypaimon 2.1.0: BlobDescriptor("s3://b/k", 4, 5).serialize().
        let bytes = b"\x02CSEDBOLB\x08\0\0\0s3://b/k\x04\0\0\0\0\0\0\0\x05\0\0\0\0\0\0\0";
        let descriptor = BlobDescriptor { uri: "s3://b/k", offset: 4, length: Some(5) };
        assert_eq!(descriptor.encode(), bytes);
        assert_eq!(BlobDescriptor::decode(bytes).unwrap(), descriptor);
        let to_the_end = BlobDescriptor { length: None, ..descriptor };
        assert!(to_the_end.encode().ends_with(&[0xff; 8]));
    }

    #[rstest]
    #[case::nothing(b"", false)]
    #[case::one_byte(b"\x02", false)]
    #[case::eight_bytes(b"\x02CSEDBOL", false)]
    #[case::nine_bytes(b"\x02CSEDBOLB", true)]
    #[case::an_older_version_with_the_magic(b"\x01CSEDBOLB", true)]
    #[case::a_later_version(b"\x03CSEDBOLB", false)]
    #[case::the_magic_backwards(b"\x02BLOBDESC", false)]
    #[case::a_picture(b"\x89PNG\r\n\x1a\n\0\0\0\0", false)]
    fn nine_bytes_tell_a_descriptor(#[case] bytes: &[u8], #[case] expected: bool) {
        assert_eq!(BlobDescriptor::looks_like(bytes), expected);
    }

    #[rstest]
    #[case::nothing(b"", "found 0", ErrorKind::CorruptData)]
    #[case::version_zero(b"\0", "version 1 or 2, found 0", ErrorKind::CorruptData)]
    #[case::version_three(b"\x03CSEDBOLB", "version 1 or 2, found 3", ErrorKind::Unsupported)]
    #[case::a_video_frame(b"\x01MRFOEDIV\0\0\0\0", "VideoFrameDescriptor", ErrorKind::Unsupported)]
    #[case::another_magic(b"\x02CSEDBOLX\0\0\0\0", "magic", ErrorKind::CorruptData)]
    #[case::a_negative_text(b"\x01\xff\xff\xff\xff", "-1", ErrorKind::CorruptData)]
    #[case::a_text_beyond_the_end(b"\x01\xff\xff\xff\x7faa", "2147483647", ErrorKind::CorruptData)]
    #[case::no_text(b"\x01\x01\0\0\0\xff\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", "UTF-8", ErrorKind::CorruptData)]
    #[case::a_negative_offset(
        b"\x01\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0\0\0\0\0",
        "offset -1",
        ErrorKind::CorruptData
    )]
    #[case::a_negative_length(
        b"\x01\0\0\0\0\0\0\0\0\0\0\0\0\xfe\xff\xff\xff\xff\xff\xff\xff",
        "length -2",
        ErrorKind::CorruptData
    )]
    #[case::more_behind_it(b"\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0!", "1 more", ErrorKind::CorruptData)]
    fn damaged_descriptors_are_told(#[case] bytes: &[u8], #[case] text: &str, #[case] kind: ErrorKind) {
        let error = BlobDescriptor::decode(bytes).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(text), "{error}");
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(uri in ".{0,40}", offset in 0..=i64::MAX as u64, length in proptest::option::of(0..=i64::MAX as u64)) {
            let descriptor = BlobDescriptor { uri: &uri, offset, length };
            let bytes = descriptor.encode();
            prop_assert_eq!(bytes.len(), descriptor.encoded_len());
            prop_assert!(BlobDescriptor::looks_like(&bytes));
            prop_assert_eq!(BlobDescriptor::decode(&bytes).unwrap(), descriptor);
            let older = version_one(&descriptor);
            prop_assert_eq!(BlobDescriptor::decode(&older).unwrap(), descriptor);
        }

        #[test]
        fn a_part_of_a_descriptor_is_none(uri in ".{0,10}", cut in 0usize..29) {
            let bytes = BlobDescriptor { uri: &uri, offset: 1, length: Some(2) }.encode();
            prop_assert!(BlobDescriptor::decode(&bytes[..cut.min(bytes.len() - 1)]).is_err());
        }

        #[test]
        fn any_bytes_get_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            if let Ok(descriptor) = BlobDescriptor::decode(&bytes) {
                let again = descriptor.encode();
                prop_assert_eq!(BlobDescriptor::decode(&again).unwrap(), descriptor);
            }
        }
    }
}
