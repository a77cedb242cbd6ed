//! One stripe: its footer, and the bytes of its streams.

use std::{collections::HashMap, ops::Range};

use bytes::Bytes;
use paimon_spec::{Error, Result};

use super::{
    codec::Codec,
    corrupt,
    input::Input,
    proto::Fields,
    rle::Version,
    tail::{Stripe, text},
    zone::Zone,
};

/// Bytes of a stripe's footer, decompressed: far above those of real files.
const MAX_FOOTER_BYTES: usize = 16 << 20;

/// The streams that hold values; others are indexes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum StreamKind {
    Present,
    Data,
    Length,
    DictionaryData,
    Secondary,
}

impl StreamKind {
    const ALL: [Self; 5] = [Self::Present, Self::Data, Self::Length, Self::DictionaryData, Self::Secondary];

    /// The number that stands for it.
    pub(super) fn number(self) -> u64 {
        match self {
            Self::Present => 0,
            Self::Data => 1,
            Self::Length => 2,
            Self::DictionaryData => 3,
            Self::Secondary => 5,
        }
    }
}

/// A column's encoding in a stripe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Encoding {
    pub(super) version: Version,
    /// Entries of the dictionary, for a column that has one.
    pub(super) dictionary: Option<usize>,
}

/// What a stripe's footer says.
#[derive(Debug)]
pub(super) struct Layout {
    encodings: Vec<Encoding>,
    /// The streams of values, by column and kind, and where they are in the file.
    streams: HashMap<(usize, StreamKind), Range<u64>>,
    /// The writer's time zone.
    pub(super) zone: Zone,
}

impl Layout {
    /// Decodes the footer of `stripe`.
    pub(super) fn decode(footer: Bytes, codec: Option<Codec>, stripe: &Stripe) -> Result<Self> {
        let footer = match codec {
            Some(codec) => codec.all_blocks(footer, MAX_FOOTER_BYTES)?,
            None => footer,
        };
        let mut layout = Self { encodings: Vec::new(), streams: HashMap::new(), zone: Zone::utc() };
        let (mut offset, end) = (stripe.offset, stripe.streams_end());
        for field in Fields(&footer) {
            match field? {
                (1, stream) => {
                    let (mut kind, mut column, mut length) = (0, 0, 0);
                    for field in Fields(stream.bytes()?) {
                        match field? {
                            (1, value) => kind = value.number()?,
                            (2, value) => column = value.number()?,
                            (3, value) => length = value.number()?,
                            _ => {}
                        }
                    }
                    let stream_end = offset.checked_add(length).filter(|stream_end| *stream_end <= end);
                    let stream_end = stream_end.ok_or_else(|| {
                        corrupt(format!("a stream of {length} bytes at byte {offset} ends behind its stripe"))
                    })?;
                    let kind = StreamKind::ALL.into_iter().find(|known| known.number() == kind);
                    if let (Some(kind), Ok(column)) = (kind, usize::try_from(column)) {
                        layout.streams.insert((column, kind), offset..stream_end);
                    }
                    offset = stream_end;
                }
                (2, encoding) => layout.encodings.push(Encoding::decode(encoding.bytes()?)?),
                (3, zone) => layout.zone = Zone::parse(&text(zone)?)?,
                (4, _) => return Err(Error::unsupported("encrypted ORC files are not supported")),
                _ => {}
            }
        }
        Ok(layout)
    }

    /// The encoding of a column.
    pub(super) fn encoding(&self, column: usize) -> Result<Encoding> {
        let encoding = self.encodings.get(column).copied();
        encoding.ok_or_else(|| corrupt(format!("the stripe does not say how column {column} is encoded")))
    }

    /// Where the streams of a column are.
    pub(super) fn ranges_of(&self, column: usize) -> impl Iterator<Item = Range<u64>> {
        StreamKind::ALL.into_iter().filter_map(move |kind| self.streams.get(&(column, kind)).cloned())
    }
}

impl Encoding {
    fn decode(message: &[u8]) -> Result<Self> {
        let (mut kind, mut size) = (0, 0);
        for field in Fields(message) {
            match field? {
                (1, value) => kind = value.number()?,
                (2, value) => size = value.number()?,
                _ => {}
            }
        }
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        Ok(match kind {
            0 => Self { version: Version::V1, dictionary: None },
            1 => Self { version: Version::V1, dictionary: Some(size) },
            2 => Self { version: Version::V2, dictionary: None },
            3 => Self { version: Version::V2, dictionary: Some(size) },
            other => return Err(Error::unsupported(format!("ORC column encoding {other} is not supported"))),
        })
    }
}

/// A stripe's streams, as far as they were fetched.
#[derive(Debug)]
pub(super) struct Streams {
    pub(super) layout: Layout,
    pub(super) codec: Option<Codec>,
    /// Bytes by their place in the file.
    pub(super) fetched: HashMap<u64, Bytes>,
}

impl Streams {
    /// A stream of a column, if the stripe has it.
    pub(super) fn get(&self, column: usize, kind: StreamKind) -> Option<Input> {
        let range = self.layout.streams.get(&(column, kind))?;
        // An empty stream shares its place with the next one.
        let bytes = if range.is_empty() { Bytes::new() } else { self.fetched.get(&range.start)?.clone() };
        Some(Input::new(bytes, self.codec))
    }

    /// A stream of a column; a stripe leaves out those without values.
    pub(super) fn stream(&self, column: usize, kind: StreamKind) -> Input {
        self.get(column, kind).unwrap_or_default()
    }
}
