//! `range-bitmap`: the rows by the bits of their value's place in the order of all values (Java `RangeBitmap`).
//!
//! A head, a sorted dictionary of the values, and the bits. The dictionary is cut into chunks; a chunk's first value is in
//! the list of chunks, the others are in its own area, so that a look-up reads one chunk.

use std::cell::OnceCell;
use std::ops::Bound;

use roaring::RoaringBitmap;

use super::bit_slices::BitSlices;
use super::bitmap::check_ascending;
use super::build::DistinctRows;
use super::bytes::{Place, Step, counted};
use super::evaluate::{KeyRange, RowIndex};
use super::key::{IndexKey, KeyType, length};
use super::rows::{decode_all_rows, encode_rows};
use crate::split::wire::WireReader;
use crate::{Error, Result};

/// The version that is known here, of all parts.
const VERSION: u8 = 1;

/// The head of an index.
#[derive(Debug)]
pub(super) struct RangeBitmap<'a> {
    place: Place<'a>,
    key_type: KeyType,
    row_count: u32,
    /// How many values there are.
    values: u32,
    dictionary: u64,
    bits: u64,
    slices: OnceCell<BitSlices>,
    chunks: OnceCell<Chunks>,
}

/// The list of chunks of the dictionary.
#[derive(Debug)]
struct Chunks {
    /// The first value of each, ascending.
    first: Vec<IndexKey>,
    chunks: Vec<Chunk>,
}

#[derive(Debug)]
struct Chunk {
    /// The place of its first value in the order of all values.
    code: u32,
    /// Where its other values are in the index, and how many they are.
    keys: u64,
    offsets_len: u32,
    keys_len: u32,
    size: u32,
}

impl<'a> RangeBitmap<'a> {
    /// `None`: of a version that is not known here.
    pub(super) fn open(place: Place<'a>, key_type: KeyType) -> Step<Option<Self>> {
        let (head, after) = section(&place, 0)?;
        let mut head = WireReader::new(&head);
        if head.array::<1>()? != [VERSION] {
            return Ok(None);
        }
        let row_count = counted(head.i32()?, "rows")?;
        let values = counted(head.i32()?, "values")?;
        if values > 0 {
            // The smallest and the largest.
            key_type.decode(&mut head)?;
            key_type.decode(&mut head)?;
        }
        let bits = after + u64::from(counted(head.i32()?, "bytes of a dictionary")?);
        let (slices, chunks) = Default::default();
        Ok(Some(Self { place, key_type, row_count, values, dictionary: after, bits, slices, chunks }))
    }

    fn slices(&self) -> Step<&BitSlices> {
        if let Some(slices) = self.slices.get() {
            return Ok(slices);
        }
        let (head, body) = section(&self.place, self.bits)?;
        let mut head = WireReader::new(&head);
        let version = head.array::<1>()?;
        let [bits] = head.array()?;
        let wanted = (u32::BITS - self.values.saturating_sub(1).leading_zeros()).max(1);
        if version != [VERSION] || u32::from(bits) != wanted {
            let message = format!("expected {wanted} bits of places among {} values, found {bits}", self.values);
            return Err(Error::corrupt(message).into());
        }
        let rows_len = counted(head.i32()?, "bytes of a bitmap")?;
        head.i32()?;
        let mut places = Vec::new();
        for _ in 0..bits {
            places.push((counted(head.i32()?, "bytes before a bitmap")?, counted(head.i32()?, "bytes of a bitmap")?));
        }
        let end = places.iter().map(|(start, len)| u64::from(*start) + u64::from(*len)).max().unwrap_or(0);
        let bytes = self.place.get(body, u64::from(rows_len) + end)?;
        let (rows, bytes) = bytes.split_at(rows_len as usize);
        let rows = decode_all_rows(rows, self.row_count)?;
        let slice = |(start, len): (u32, u32)| {
            let slice = bytes.get(start as usize..start as usize + len as usize).unwrap_or_default();
            decode_all_rows(slice, self.row_count)
        };
        let slices = BitSlices::new(rows, places.into_iter().map(slice).collect::<Result<_>>()?)?;
        Ok(self.slices.get_or_init(|| slices))
    }

    fn chunks(&self) -> Step<&Chunks> {
        if let Some(chunks) = self.chunks.get() {
            return Ok(chunks);
        }
        let (head, body) = section(&self.place, self.dictionary)?;
        let mut head = WireReader::new(&head);
        if head.array::<1>()? != [VERSION] {
            return Err(Error::corrupt("expected a dictionary of the index's version, found another").into());
        }
        let [count, offsets_len, list_len] =
            [counted(head.i32()?, "chunks")?, counted(head.i32()?, "bytes")?, counted(head.i32()?, "bytes")?];
        // One after the other, as their offsets say too.
        let list = self.place.get(body + u64::from(offsets_len), list_len.into())?;
        let keys = body + u64::from(offsets_len) + u64::from(list_len);
        let mut list = WireReader::new(&list);
        let (mut first, mut chunks) = (Vec::new(), Vec::new());
        let mut next_code = 0_u32;
        for _ in 0..count {
            if list.array::<1>()? != [VERSION] {
                return Err(Error::corrupt("expected a chunk of the index's version, found another").into());
            }
            first.push(self.key_type.decode(&mut list)?);
            let [code, start, size] =
                [counted(list.i32()?, "values")?, counted(list.i32()?, "bytes")?, counted(list.i32()?, "values")?];
            let (a, b) = (counted(list.i32()?, "bytes")?, counted(list.i32()?, "bytes")?);
            // Of values of one size: all their bytes and those of one. Of texts: of their offsets and of the texts.
            let (offsets_len, keys_len) = if self.key_type == KeyType::Text { (a, b) } else { (0, a) };
            let after = code.checked_add(size).and_then(|last| last.checked_add(1));
            let Some(after) = after.filter(|after| code == next_code && *after <= self.values) else {
                let message = format!("expected a chunk from value {next_code} on, found {size} values from {code}");
                return Err(Error::corrupt(message).into());
            };
            next_code = after;
            chunks.push(Chunk { code, keys: keys + u64::from(start), offsets_len, keys_len, size });
        }
        check_ascending(first.iter())?;
        if next_code != self.values {
            let message = format!("expected a dictionary of {} values, found {next_code}", self.values);
            return Err(Error::corrupt(message).into());
        }
        Ok(self.chunks.get_or_init(|| Chunks { first, chunks }))
    }

    /// The place of a value in the order of all, or that of the first value above it; and whether it is there.
    fn code(&self, key: &IndexKey) -> Step<(u32, bool)> {
        let Chunks { first, chunks } = self.chunks()?;
        let Some(at) = first.partition_point(|first| first <= key).checked_sub(1) else { return Ok((0, false)) };
        let chunk = &chunks[at];
        if first[at] == *key {
            return Ok((chunk.code, true));
        }
        let bytes = self.place.get(chunk.keys, u64::from(chunk.offsets_len) + u64::from(chunk.keys_len))?;
        let mut bytes = WireReader::new(&bytes);
        bytes.take(chunk.offsets_len as usize)?;
        let mut keys = vec![first[at].clone()];
        for _ in 0..chunk.size {
            keys.push(self.key_type.decode(&mut bytes)?);
        }
        check_ascending(keys.iter())?;
        let below = keys.partition_point(|other| other < key);
        Ok((chunk.code + below as u32, keys.get(below) == Some(key)))
    }
}

/// A length and as many bytes, and where they end.
fn section(place: &Place<'_>, at: u64) -> Step<(bytes::Bytes, u64)> {
    let len = place.get(at, 4)?;
    let len = counted(WireReader::new(&len).i32()?, "bytes of a head")?;
    Ok((place.get(at + 4, len.into())?, at + 4 + u64::from(len)))
}

impl RowIndex for RangeBitmap<'_> {
    fn row_count(&self) -> u32 {
        self.row_count
    }

    fn not_null(&self) -> Step<RoaringBitmap> {
        if self.values == 0 {
            return Ok(RoaringBitmap::new());
        }
        Ok(self.slices()?.rows.clone())
    }

    fn one_of(&self, keys: &[IndexKey]) -> Step<RoaringBitmap> {
        let mut rows = RoaringBitmap::new();
        for key in keys.iter().filter(|_| self.values > 0) {
            if let (code, true) = self.code(key)? {
                rows |= self.slices()?.between(code.into(), code.into());
            }
        }
        Ok(rows)
    }

    fn between(&self, range: &KeyRange) -> Step<Option<RoaringBitmap>> {
        if self.values == 0 {
            return Ok(Some(RoaringBitmap::new()));
        }
        let first = match &range.low {
            Bound::Unbounded => 0,
            Bound::Included(key) => self.code(key)?.0,
            Bound::Excluded(key) => self.code(key).map(|(code, found)| code + u32::from(found))?,
        };
        let end = match &range.high {
            Bound::Unbounded => self.values,
            Bound::Included(key) => self.code(key).map(|(code, found)| code + u32::from(found))?,
            Bound::Excluded(key) => self.code(key)?.0,
        };
        if first >= end {
            return Ok(Some(RoaringBitmap::new()));
        }
        Ok(Some(self.slices()?.between(first.into(), u64::from(end) - 1)))
    }
}

/// Encodes an index whose chunks take up to `chunk_bytes` beyond their first value.
pub(super) fn encode(rows: DistinctRows, key_type: KeyType, chunk_bytes: usize) -> Result<Vec<u8>> {
    let values = rows.values.len();
    let keys: Vec<&IndexKey> = rows.values.iter().map(|(key, _)| key).collect();
    let mut head = vec![VERSION];
    head.extend(rows.row_count.to_be_bytes());
    head.extend(length(values, "values")?.to_be_bytes());
    for key in keys.first().into_iter().chain(keys.last()) {
        key_type.encode(key, &mut head)?;
    }
    let dictionary = encode_dictionary(&keys, key_type, chunk_bytes)?;
    head.extend(length(dictionary.len(), "a dictionary")?.to_be_bytes());

    // Java takes 64 bits where there is no value.
    let bits = match values as u64 {
        0 => u64::BITS,
        values => (u64::BITS - (values - 1).leading_zeros()).max(1),
    };
    let numbers = (0..).zip(rows.values).map(|(code, (_, rows))| (code, rows));
    let slices = BitSlices::from_numbers(numbers, bits as usize);
    let not_null = encode_rows(slices.rows.clone())?;
    let slices = slices.encode_slices()?;
    let mut bits_head = vec![VERSION, bits as u8];
    bits_head.extend(length(not_null.len(), "a bitmap")?.to_be_bytes());
    bits_head.extend(length(8 * slices.len(), "places of bitmaps")?.to_be_bytes());
    let mut start = 0;
    for slice in &slices {
        bits_head.extend(length(start, "bitmaps")?.to_be_bytes());
        bits_head.extend(length(slice.len(), "a bitmap")?.to_be_bytes());
        start += slice.len();
    }

    let mut out = Vec::new();
    push_section(&head, &mut out)?;
    out.extend(dictionary);
    push_section(&bits_head, &mut out)?;
    out.extend(not_null);
    slices.iter().for_each(|slice| out.extend(slice));
    Ok(out)
}

fn encode_dictionary(keys: &[&IndexKey], key_type: KeyType, chunk_bytes: usize) -> Result<Vec<u8>> {
    let (mut offsets, mut list, mut areas) = (Vec::new(), Vec::new(), Vec::new());
    let mut at = 0;
    let mut chunks = 0;
    while let Some(first) = keys.get(at) {
        let (mut key_offsets, mut others) = (Vec::new(), Vec::new());
        let code = at;
        at += 1;
        while let Some(key) = keys.get(at) {
            let full = others.len() + key_type.size(key) > chunk_bytes
                || key_type == KeyType::Text && key_offsets.len() + 4 > chunk_bytes;
            if full {
                break;
            }
            key_offsets.extend(length(others.len(), "a chunk")?.to_be_bytes());
            key_type.encode(key, &mut others)?;
            at += 1;
        }
        offsets.extend(length(list.len(), "chunks")?.to_be_bytes());
        list.push(VERSION);
        key_type.encode(first, &mut list)?;
        list.extend(length(code, "values")?.to_be_bytes());
        list.extend(length(areas.len(), "values")?.to_be_bytes());
        list.extend(length(at - code - 1, "values")?.to_be_bytes());
        if key_type == KeyType::Text {
            list.extend(length(key_offsets.len(), "a chunk")?.to_be_bytes());
            list.extend(length(others.len(), "a chunk")?.to_be_bytes());
            areas.extend(key_offsets);
        } else {
            list.extend(length(others.len(), "a chunk")?.to_be_bytes());
            list.extend(length(key_type.size(first), "a value")?.to_be_bytes());
        }
        areas.extend(others);
        chunks += 1;
    }
    let mut head = vec![VERSION];
    head.extend(length(chunks, "chunks")?.to_be_bytes());
    head.extend(length(offsets.len(), "chunks")?.to_be_bytes());
    head.extend(length(list.len(), "chunks")?.to_be_bytes());
    let mut out = Vec::new();
    push_section(&head, &mut out)?;
    out.extend([offsets, list, areas].concat());
    Ok(out)
}

fn push_section(head: &[u8], out: &mut Vec<u8>) -> Result<()> {
    out.extend(length(head.len(), "a head")?.to_be_bytes());
    out.extend(head);
    Ok(())
}
