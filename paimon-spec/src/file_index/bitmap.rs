//! `bitmap`: the rows of each value (Java `BitmapFileIndex`).
//!
//! Version 1 lists all values with the places of their bitmaps. Version 2 lists them sorted, in blocks, with a list of
//! the blocks' first values, so that a look-up reads one block. A bitmap of one row is not stored: its place is
//! `-1 - row`.

use std::ops::Range;

use roaring::RoaringBitmap;

use super::build::DistinctRows;
use super::bytes::{Cursor, Place, Step, Stop, counted};
use super::evaluate::RowIndex;
use super::key::{IndexKey, KeyType, length};
use super::rows::{decode_all_rows, decode_rows, encode_rows};
use crate::split::wire::WireReader;
use crate::{Error, Result};

/// The versions that are known here.
pub(super) const VERSIONS: std::ops::RangeInclusive<u8> = 1..=2;

/// The head of an index.
#[derive(Debug)]
pub(super) struct Bitmap<'a> {
    place: Place<'a>,
    key_type: KeyType,
    row_count: u32,
    nulls: Option<Stored>,
    dictionary: Dictionary,
    /// Where bitmaps are counted from.
    body: u64,
}

#[derive(Debug)]
enum Dictionary {
    /// Sorted.
    Values(Vec<Entry>),
    /// The first value of each block, ascending, and where the block is.
    Blocks(Vec<(IndexKey, Range<u64>)>),
}

/// A value and its rows.
type Entry = (IndexKey, Stored);

/// Where a bitmap is, from the body on; its length when it is stated.
#[derive(Debug, Clone, Copy)]
struct Stored {
    offset: i32,
    len: Option<u32>,
}

impl<'a> Bitmap<'a> {
    /// `None`: of a version that is not known here.
    pub(super) fn open(place: Place<'a>, key_type: KeyType) -> Step<Option<Self>> {
        let mut head = Cursor::new(&place);
        let version = head.u8()?;
        if !VERSIONS.contains(&version) {
            return Ok(None);
        }
        let row_count = head.count("rows")?;
        let values = head.count("values")?;
        let nulls = match (head.u8()? != 0, version) {
            (false, _) => None,
            (true, 1) => Some(Stored { offset: head.i32()?, len: None }),
            (true, _) => Some(Stored { offset: head.i32()?, len: Some(head.count("bytes of a bitmap")?) }),
        };
        let (dictionary, body) = if version == 1 {
            let mut entries = Vec::new();
            for _ in 0..values {
                entries.push((read_key(&mut head, key_type)?, Stored { offset: head.i32()?, len: None }));
            }
            entries.sort_by(|(a, _), (b, _)| a.cmp(b));
            check_ascending(entries.iter().map(|(key, _)| key))?;
            (Dictionary::Values(entries), head.position())
        } else {
            let blocks = head.count("blocks")?;
            let mut starts = Vec::new();
            for _ in 0..blocks {
                starts.push((read_key(&mut head, key_type)?, u64::from(head.count("bytes before a block")?)));
            }
            let blocks_len = u64::from(head.count("bytes of blocks")?);
            check_ascending(starts.iter().map(|(key, _)| key))?;
            let first = head.position();
            let ends = starts.iter().skip(1).map(|(_, start)| *start).chain([blocks_len]).collect::<Vec<_>>();
            let mut blocks = Vec::with_capacity(starts.len());
            for ((key, start), end) in starts.into_iter().zip(ends) {
                if start >= end || end > blocks_len {
                    return Err(Error::corrupt(format!(
                        "expected blocks that follow one another, found {start}..{end}"
                    ))
                    .into());
                }
                blocks.push((key, first + start..first + end));
            }
            (Dictionary::Blocks(blocks), first + blocks_len)
        };
        Ok(Some(Self { place: place.clone(), key_type, row_count, nulls, dictionary, body }))
    }

    /// Where the rows of a value are. `block` is the one that was looked at last.
    fn find(&self, key: &IndexKey, block: &mut Option<(u64, Vec<Entry>)>) -> Step<Option<Stored>> {
        let find =
            |entries: &[Entry]| entries.binary_search_by(|(entry, _)| entry.cmp(key)).ok().map(|at| entries[at].1);
        let blocks = match &self.dictionary {
            Dictionary::Values(entries) => return Ok(find(entries)),
            Dictionary::Blocks(blocks) => blocks,
        };
        let after = blocks.partition_point(|(first, _)| first <= key);
        let Some((first, range)) = after.checked_sub(1).and_then(|at| blocks.get(at)) else { return Ok(None) };
        if let Some((start, entries)) = block
            && *start == range.start
        {
            return Ok(find(entries));
        }
        let bytes = self.place.get(range.start, range.end - range.start)?;
        let entries = decode_block(&bytes, self.key_type)?;
        check_ascending(entries.iter().map(|(key, _)| key))?;
        if entries.first().map(|(key, _)| key) != Some(first) {
            return Err(Error::corrupt("expected a block to begin with the value that its list has").into());
        }
        let found = find(&entries);
        *block = Some((range.start, entries));
        Ok(found)
    }

    fn read(&self, stored: Stored) -> Step<RoaringBitmap> {
        let Ok(offset) = u64::try_from(stored.offset) else {
            let row = (-1 - i64::from(stored.offset)) as u32;
            return if row < self.row_count {
                Ok(RoaringBitmap::from([row]))
            } else {
                Err(Error::corrupt(format!("expected a row below {}, found {row}", self.row_count)).into())
            };
        };
        let at = self.body + offset;
        Ok(match stored.len {
            Some(len) => decode_all_rows(&self.place.get(at, len.into())?, self.row_count)?,
            None => decode_rows(&self.place.rest(at)?, self.row_count)?.0,
        })
    }
}

impl RowIndex for Bitmap<'_> {
    fn row_count(&self) -> u32 {
        self.row_count
    }

    fn not_null(&self) -> Step<RoaringBitmap> {
        let mut rows = RoaringBitmap::new();
        rows.insert_range(0..self.row_count);
        match self.nulls {
            Some(nulls) => Ok(rows - self.read(nulls)?),
            None => Ok(rows),
        }
    }

    fn one_of(&self, keys: &[IndexKey]) -> Step<RoaringBitmap> {
        let mut rows = RoaringBitmap::new();
        let (mut block, mut is_missing) = (None, false);
        let mut keys: Vec<&IndexKey> = keys.iter().collect();
        keys.sort_unstable();
        for key in keys {
            let found = self.find(key, &mut block);
            // All that is missing is noted at once.
            match found.and_then(|stored| stored.map(|stored| self.read(stored)).transpose()) {
                Ok(found) => rows |= found.unwrap_or_default(),
                Err(Stop::Missing) => is_missing = true,
                Err(failed) => return Err(failed),
            }
        }
        if is_missing { Err(Stop::Missing) } else { Ok(rows) }
    }
}

fn read_key(head: &mut Cursor<'_>, key_type: KeyType) -> Step<IndexKey> {
    let bytes = match key_type {
        KeyType::Text => {
            let len = head.count("bytes of a value")?;
            return Ok(IndexKey::Bytes(head.take(len.into())?.to_vec()));
        }
        fixed => head.take(fixed.size(&IndexKey::Int(0)) as u64)?,
    };
    Ok(key_type.decode(&mut WireReader::new(&bytes))?)
}

fn decode_block(bytes: &[u8], key_type: KeyType) -> Result<Vec<Entry>> {
    let mut block = WireReader::new(bytes);
    let mut entries = Vec::new();
    for _ in 0..block.len()? {
        let (key, offset, len) = (key_type.decode(&mut block)?, block.i32()?, block.i32()?);
        // -1: not stated.
        let len = if len == -1 { None } else { Some(counted(len, "bytes of a bitmap")?) };
        entries.push((key, Stored { offset, len }));
    }
    block.finish()?;
    Ok(entries)
}

/// Values are looked up by halving, which would miss some if they were in disorder.
pub(super) fn check_ascending<'k>(keys: impl Iterator<Item = &'k IndexKey> + Clone) -> Result<()> {
    match keys.clone().zip(keys.skip(1)).all(|(key, next)| key < next) {
        true => Ok(()),
        false => Err(Error::corrupt("expected ascending values in an index, found them in disorder")),
    }
}

/// Encodes an index whose blocks take up to `block_bytes`; a value that alone takes more has a block of its own.
pub(super) fn encode(rows: DistinctRows, key_type: KeyType, version: u8, block_bytes: usize) -> Result<Vec<u8>> {
    let mut body: Vec<u8> = Vec::new();
    let mut store = |rows: RoaringBitmap| -> Result<(i32, i32)> {
        if let (1, Some(row)) = (rows.len(), rows.min()) {
            return Ok((-1 - row as i32, -1));
        }
        let bytes = encode_rows(rows)?;
        let offset = length(body.len(), "bitmaps")?;
        body.extend(&bytes);
        Ok((offset, length(bytes.len(), "a bitmap")?))
    };
    let nulls = match rows.nulls.is_empty() {
        true => None,
        // Java states the length even where the bitmap is not stored.
        false => Some((length(encode_rows(rows.nulls.clone())?.len(), "a bitmap")?, store(rows.nulls)?.0)),
    };
    let entries = rows.values.into_iter().map(|(key, rows)| Ok((key, store(rows)?))).collect::<Result<Vec<_>>>()?;

    let mut out = vec![version];
    out.extend(rows.row_count.to_be_bytes());
    out.extend(length(entries.len(), "values")?.to_be_bytes());
    out.push(u8::from(nulls.is_some()));
    if let Some((len, offset)) = nulls {
        out.extend(offset.to_be_bytes());
        if version >= 2 {
            out.extend(len.to_be_bytes());
        }
    }
    if version == 1 {
        for (key, (offset, _)) in &entries {
            key_type.encode(key, &mut out)?;
            out.extend(offset.to_be_bytes());
        }
    } else {
        encode_blocks(&entries, key_type, block_bytes, &mut out)?;
    }
    out.extend(body);
    Ok(out)
}

fn encode_blocks(
    entries: &[(IndexKey, (i32, i32))],
    key_type: KeyType,
    block_bytes: usize,
    out: &mut Vec<u8>,
) -> Result<()> {
    let mut blocks: Vec<&[(IndexKey, (i32, i32))]> = Vec::new();
    let (mut first, mut size) = (0, 4);
    for (at, (key, _)) in entries.iter().enumerate() {
        let entry = key_type.size(key) + 8;
        if at > first && size + entry > block_bytes {
            blocks.push(&entries[first..at]);
            (first, size) = (at, 4);
        }
        size += entry;
    }
    if first < entries.len() {
        blocks.push(&entries[first..]);
    }
    let mut encoded = Vec::new();
    out.extend(length(blocks.len(), "blocks")?.to_be_bytes());
    for block in blocks {
        key_type.encode(&block[0].0, out)?;
        out.extend(length(encoded.len(), "blocks")?.to_be_bytes());
        encoded.extend(length(block.len(), "values")?.to_be_bytes());
        for (key, (offset, len)) in block {
            key_type.encode(key, &mut encoded)?;
            encoded.extend(offset.to_be_bytes());
            encoded.extend(len.to_be_bytes());
        }
    }
    out.extend(length(encoded.len(), "blocks")?.to_be_bytes());
    out.extend(encoded);
    Ok(())
}
