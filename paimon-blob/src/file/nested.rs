//! The payload of an `ARRAY<BLOB>` or `MAP<k, BLOB>` value.
//!
//! ```text
//! array   "BCBA", version (u8), count (i32), elements, lengths of the elements, bytes of the lengths (i32)
//! map     "BCBM", version (u8), count (i32), keys, blobs, lengths of the keys, lengths of the blobs, bytes of each (2 x i32)
//! ```
//!
//! Lengths are spelt as in the file's index; -1 is NULL. All but elements and blobs is at the payload's two ends, so that
//! a large value is looked at without reading what it holds.

use std::ops::Range;

use bytes::Bytes;
use paimon_spec::{Error, Result, limits};

use super::{
    index::NULL,
    varint::{Lengths, LengthsEncoder},
};

const VERSION: u8 = 1;
/// Magic, version, count.
pub(super) const HEAD_BYTES: u64 = 9;

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Array,
    Map,
}

impl Kind {
    fn magic(self) -> [u8; 4] {
        match self {
            Self::Array => *b"BCBA",
            Self::Map => *b"BCBM",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Array => "an array of blobs",
            Self::Map => "a map of blobs",
        }
    }

    /// Bytes after the lengths.
    fn footer_bytes(self) -> u64 {
        match self {
            Self::Array => 4,
            Self::Map => 8,
        }
    }

    /// The first bytes of a payload of `count` entries.
    pub(super) fn head(self, count: i32) -> [u8; HEAD_BYTES as usize] {
        let mut head = [0; HEAD_BYTES as usize];
        head[..4].copy_from_slice(&self.magic());
        head[4] = VERSION;
        head[5..].copy_from_slice(&count.to_le_bytes());
        head
    }
}

/// The end of a payload: lists of lengths, and how many bytes each takes.
///
/// # Errors
/// `InvalidInput` when a list takes more bytes than can be stated.
pub(super) fn tail(lists: &[&LengthsEncoder]) -> Result<Vec<u8>> {
    let mut tail = Vec::with_capacity(lists.iter().map(|list| list.bytes().len() + 4).sum());
    lists.iter().for_each(|list| tail.extend_from_slice(list.bytes()));
    for list in lists {
        let bytes = i32::try_from(list.bytes().len());
        let bytes = bytes.map_err(|_| Error::invalid("a value of more entries than a blob file can index"))?;
        tail.extend_from_slice(&bytes.to_le_bytes());
    }
    Ok(tail)
}

/// What is known of a payload: its first and its last bytes, which may overlap.
#[derive(Debug, Clone)]
pub(super) struct Payload {
    pub(super) kind: Kind,
    /// Bytes of all of it.
    pub(super) len: u64,
    pub(super) head: Bytes,
    pub(super) tail: Bytes,
}

/// What is to be read of a payload before it can be understood, as ranges of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Missing {
    Nothing,
    /// More of its beginning.
    Head(Range<u64>),
    /// More of its end.
    Tail(Range<u64>),
}

/// What a payload holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entries {
    /// The keys' bytes; of an array none.
    pub(super) keys: Vec<Bytes>,
    /// Where the blobs lie in the payload; `None`: NULL.
    pub(super) blobs: Vec<Option<Range<u64>>>,
}

impl Payload {
    /// How many entries it says that it has: no more than its lists have bytes.
    pub(super) fn count(&self) -> Result<u64> {
        let short = || {
            let (name, least) = (self.kind.name(), HEAD_BYTES + self.kind.footer_bytes());
            Error::corrupt(format!("expected {name} of at least {least} bytes, found {}", self.len))
        };
        if self.len < HEAD_BYTES + self.kind.footer_bytes() {
            return Err(short());
        }
        let name = self.kind.name();
        let Some((head, _)) = self.head.split_first_chunk::<{ HEAD_BYTES as usize }>() else { return Err(short()) };
        let [magic @ .., version, a, b, c, d] = *head;
        if magic != self.kind.magic() {
            let wanted = self.kind.magic();
            return Err(Error::corrupt(format!("expected {name} to begin with {wanted:02x?}, found {magic:02x?}")));
        }
        if version != VERSION {
            return Err(Error::unsupported(format!("expected {name} of version {VERSION}, found {version}")));
        }
        let count = i32::from_le_bytes([a, b, c, d]);
        let (_, lists) = self.lists()?;
        match u64::try_from(count) {
            Ok(count) if lists.iter().all(|list| count <= list.end - list.start) => Ok(count),
            _ => Err(Error::corrupt(format!("expected {name} of no more entries than lengths, found {count} entries"))),
        }
    }

    /// Where the entries' bytes end, and the lists of lengths, in the payload.
    fn lists(&self) -> Result<(u64, Vec<Range<u64>>)> {
        let footer_bytes = self.kind.footer_bytes();
        let footer = self.tail.len().checked_sub(footer_bytes as usize).map(|at| &self.tail[at..]).unwrap_or_default();
        let stated = footer.chunks_exact(4).map(|bytes| bytes.try_into().map_or(-1, i32::from_le_bytes));
        let room = self.len.saturating_sub(HEAD_BYTES + footer_bytes);
        let wrong = || {
            let (name, stated) = (self.kind.name(), stated.clone().collect::<Vec<_>>());
            Error::corrupt(format!("expected {name} with lists of lengths of at most {room} bytes, found {stated:?}"))
        };
        let sizes: Vec<u64> = stated.clone().map(u64::try_from).collect::<Result<_, _>>().map_err(|_| wrong())?;
        let all: u64 = sizes.iter().sum();
        if sizes.is_empty() || all > room {
            return Err(wrong());
        }
        if all > limits::FOOTER_BYTES {
            return Err(limits::exceeded("the lengths of one value", "FOOTER_BYTES", limits::FOOTER_BYTES, all));
        }
        let entries_end = self.len - footer_bytes - all;
        let lists = sizes.iter().scan(entries_end, |end, size| {
            let start = *end;
            *end += size;
            Some(start..*end)
        });
        Ok((entries_end, lists.collect()))
    }

    /// A part of the payload, if it is among its known last bytes.
    fn known(&self, range: &Range<u64>) -> Option<&[u8]> {
        let tail_start = self.len.checked_sub(self.tail.len() as u64)?;
        let start = usize::try_from(range.start.checked_sub(tail_start)?).ok()?;
        let end = usize::try_from(range.end.checked_sub(tail_start)?).ok()?;
        self.tail.get(start..end)
    }

    /// What is to be read yet.
    ///
    /// # Errors
    /// `CorruptData` when what is known makes no sense.
    pub(super) fn missing(&self) -> Result<Missing> {
        let (entries_end, lists) = self.lists()?;
        let mut known = Vec::with_capacity(lists.len());
        for list in &lists {
            match self.known(list) {
                Some(bytes) => known.push(bytes),
                None => return Ok(Missing::Tail(entries_end..self.len)),
            }
        }
        let (Kind::Map, Some(keys)) = (self.kind, known.first()) else { return Ok(Missing::Nothing) };
        let room = entries_end - HEAD_BYTES;
        let keys = self.offsets(Lengths::new(keys), HEAD_BYTES, room)?.1;
        if keys - HEAD_BYTES > limits::BATCH_BYTES {
            let found = keys - HEAD_BYTES;
            return Err(limits::exceeded("the keys of one map", "BATCH_BYTES", limits::BATCH_BYTES, found));
        }
        Ok(if keys <= self.head.len() as u64 { Missing::Nothing } else { Missing::Head(0..keys) })
    }

    /// Where things of these lengths lie, one after another from `start`, and where they end; they have `room` bytes.
    fn offsets(&self, lengths: Lengths<'_>, start: u64, room: u64) -> Result<(Vec<Option<Range<u64>>>, u64)> {
        let (mut offset, end) = (start, start + room);
        let ranges = lengths.map(|length| match length? {
            NULL => Ok(None),
            length => {
                let next = u64::try_from(length).ok().and_then(|length| offset.checked_add(length));
                let next = next.filter(|next| *next <= end).ok_or_else(|| {
                    let (name, left) = (self.kind.name(), end - offset);
                    Error::corrupt(format!("expected an entry of at most {left} bytes in {name}, found {length}"))
                })?;
                Ok(Some(std::mem::replace(&mut offset, next)..next))
            }
        });
        let ranges = ranges.collect::<Result<_>>()?;
        Ok((ranges, offset))
    }

    /// What the payload holds, once nothing is missing.
    ///
    /// # Errors
    /// `CorruptData` when its lists do not fit the payload, `Unsupported` for NULL keys.
    pub(super) fn entries(&self) -> Result<Entries> {
        let (count, name) = (self.count()?, self.kind.name());
        let (entries_end, lists) = self.lists()?;
        let incomplete = || Error::internal("paimon-blob", format!("{name} was looked at before it was read"));
        let lengths = |number: usize| {
            lists.get(number).and_then(|list| self.known(list)).map(Lengths::new).ok_or_else(incomplete)
        };
        let (keys, blobs, end) = match self.kind {
            Kind::Array => {
                let (blobs, end) = self.offsets(lengths(0)?, HEAD_BYTES, entries_end - HEAD_BYTES)?;
                (None, blobs, end)
            }
            Kind::Map => {
                let (keys, keys_end) = self.offsets(lengths(0)?, HEAD_BYTES, entries_end - HEAD_BYTES)?;
                let (blobs, end) = self.offsets(lengths(1)?, keys_end, entries_end - keys_end)?;
                (Some(keys), blobs, end)
            }
        };
        if end != entries_end {
            return Err(Error::corrupt(format!("expected the entries of {name} to end at {entries_end}, found {end}")));
        }
        for found in [keys.as_ref(), Some(&blobs)].into_iter().flatten() {
            if found.len() as u64 != count {
                let found = found.len();
                return Err(Error::corrupt(format!("expected {name} with {count} lengths, found {found}")));
            }
        }
        let keys = keys.unwrap_or_default().into_iter().map(|key| match key {
            Some(key) => {
                // Both are below the payload's length, and that of its known head.
                let range = key.start as usize..key.end as usize;
                if range.end <= self.head.len() { Ok(self.head.slice(range)) } else { Err(incomplete()) }
            }
            None => Err(Error::unsupported("a NULL key in a map of blobs, which Arrow cannot hold")),
        });
        Ok(Entries { keys: keys.collect::<Result<_>>()?, blobs })
    }
}
