//! Bitmaps of 64-bit numbers as Java's `Roaring64Bitmap` writes them: a radix tree of the upper 48 bits of the numbers
//! leads to containers of the lower 16. (Not the portable form of 64-bit roaring bitmaps, which Java calls navigable.)
//!
//! ```text
//! 0 | 1, count of keys i64, tree, containers
//! tree        type u8, children u16, prefix length u8, prefix, then of the type; after it the children, ascending
//!             leaf: key 6 bytes big-endian, container i64 | 4: keys u32 | 16: keys 2 x u64
//!             | 48: child of each byte, 32 x u64 | 256: which bytes, 4 x u64
//! containers  lists u32 (1), -2 i8, slots u32; slot: 0 | 1, type u8, numbers u32, of the type;
//!             then containers i64, last list i32, last slot i32
//!             run: runs u16, (start u16, length - 1 u16)* | bitmap: 1024 x u64 | array: u16*
//! ```
//! Numbers are little-endian; keys within a number of the tree begin in its highest byte.

use std::collections::BTreeMap;

use paimon_spec::{Error, Result};
use roaring::RoaringBitmap;

use super::sets::{Set, corrupt};

const NODE_4: u8 = 0;
const NODE_16: u8 = 1;
const NODE_48: u8 = 2;
const NODE_256: u8 = 3;
const LEAF: u8 = 4;

const RUNS: u8 = 0;
const BITS: u8 = 1;
const VALUES: u8 = 2;

const NOT_TRIMMED: u8 = 0xfe;
/// Bytes of the upper part of a number.
const KEY_BYTES: usize = 6;
const BITMAP_BYTES: usize = 8192;

/// A set of 64-bit numbers.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Bitmap64 {
    /// The slot of each upper part.
    by_key: BTreeMap<u64, usize>,
    /// The lower parts; Java leaves room at the end.
    slots: Vec<Option<RoaringBitmap>>,
    /// The number of slots that were taken.
    taken: usize,
}

impl Set for Bitmap64 {
    fn read(bytes: &[u8]) -> Result<Self> {
        read(&mut Bytes(bytes)).ok_or_else(|| corrupt("a roaring bitmap of 64-bit numbers", bytes))
    }

    fn union(mut self, mut other: Self) -> Result<Self> {
        for (key, slot) in &other.by_key {
            let Some(added) = other.slots.get_mut(*slot).and_then(Option::take) else { continue };
            match self.by_key.get(key) {
                Some(slot) => {
                    if let Some(Some(numbers)) = self.slots.get_mut(*slot) {
                        *numbers |= added;
                    }
                }
                None => self.add(*key, added),
            }
        }
        Ok(self)
    }

    fn write(self) -> Result<Vec<u8>> {
        let mut bytes = vec![u8::from(!self.by_key.is_empty())];
        if self.by_key.is_empty() {
            return Ok(bytes);
        }
        bytes.extend((self.by_key.len() as u64).to_le_bytes());
        let keys: Vec<([u8; KEY_BYTES], usize)> =
            self.by_key.iter().map(|(key, slot)| (key_bytes(*key), *slot)).collect();
        write_node(&mut bytes, &keys, 0);
        bytes.extend(1_u32.to_le_bytes());
        bytes.push(NOT_TRIMMED);
        let too_many = |_| Error::invalid("expected fewer than 2^31 containers in a bitmap, found more");
        bytes.extend(u32::try_from(self.slots.len()).map_err(too_many)?.to_le_bytes());
        for numbers in &self.slots {
            bytes.push(u8::from(numbers.is_some()));
            if let Some(numbers) = numbers {
                write_container(&mut bytes, numbers);
            }
        }
        bytes.extend((self.by_key.len() as u64).to_le_bytes());
        bytes.extend(0_u32.to_le_bytes());
        bytes.extend(u32::try_from(self.taken.saturating_sub(1)).map_err(too_many)?.to_le_bytes());
        Ok(bytes)
    }
}

impl Bitmap64 {
    /// Takes the next slot; the slots grow by half as Java's do.
    fn add(&mut self, key: u64, numbers: RoaringBitmap) {
        if self.taken >= self.slots.len() {
            let grown = self.slots.len() + (self.slots.len() >> 1);
            self.slots.resize(grown.max(self.taken + 1), None);
        }
        if let Some(slot) = self.slots.get_mut(self.taken) {
            *slot = Some(numbers);
        }
        self.by_key.insert(key, self.taken);
        self.taken += 1;
    }
}

fn key_bytes(key: u64) -> [u8; KEY_BYTES] {
    let [_, _, bytes @ ..] = key.to_be_bytes();
    bytes
}

/// Writes the node of keys that share their first `depth` bytes.
fn write_node(bytes: &mut Vec<u8>, keys: &[([u8; KEY_BYTES], usize)], depth: usize) {
    let (Some((first, slot)), Some((last, _))) = (keys.first(), keys.last()) else { return };
    if keys.len() == 1 {
        bytes.extend([LEAF, 0, 0, 0]);
        bytes.extend(first);
        return bytes.extend((*slot as u64).to_le_bytes());
    }
    // Keys differ, so that there is a byte after what all have in common.
    let common = depth + first[depth..].iter().zip(&last[depth..]).take_while(|(a, b)| a == b).count();
    let children: Vec<&[([u8; KEY_BYTES], usize)]> = keys.chunk_by(|(a, _), (b, _)| a[common] == b[common]).collect();
    let labels: Vec<u8> = children.iter().filter_map(|child| child.first()).map(|(key, _)| key[common]).collect();
    let node = match labels.len() {
        ..=4 => NODE_4,
        5..=16 => NODE_16,
        17..=48 => NODE_48,
        _ => NODE_256,
    };
    bytes.push(node);
    bytes.extend((labels.len() as u16).to_le_bytes());
    bytes.push((common - depth) as u8);
    bytes.extend(&first[depth..common]);
    match node {
        NODE_4 => bytes.extend(padded::<4>(&labels).iter().rev()),
        NODE_16 => padded::<16>(&labels).chunks(8).for_each(|keys| bytes.extend(keys.iter().rev())),
        NODE_48 => {
            let mut positions = [u8::MAX; 256];
            labels.iter().zip(0..).for_each(|(label, at)| positions[usize::from(*label)] = at);
            positions.chunks(8).for_each(|positions| bytes.extend(positions.iter().rev()));
        }
        _ => {
            let mut bits = [0_u64; 4];
            labels.iter().for_each(|label| bits[usize::from(label / 64)] |= 1 << (label % 64));
            bits.iter().for_each(|bits| bytes.extend(bits.to_le_bytes()));
        }
    }
    for child in children {
        write_node(bytes, child, common + 1);
    }
}

fn padded<const N: usize>(labels: &[u8]) -> [u8; N] {
    let mut padded = [0; N];
    padded.iter_mut().zip(labels).for_each(|(padded, label)| *padded = *label);
    padded
}

/// Writes the numbers in the smallest form (Java `runOptimize`).
fn write_container(bytes: &mut Vec<u8>, numbers: &RoaringBitmap) {
    let numbers: Vec<u16> = numbers.iter().map(|number| number as u16).collect();
    let runs: Vec<&[u16]> = numbers.chunk_by(|a, b| *b == a + 1).collect();
    let in_runs = 2 + 4 * runs.len();
    let (kind, size) =
        if 2 * numbers.len() > BITMAP_BYTES { (BITS, BITMAP_BYTES) } else { (VALUES, 2 * numbers.len()) };
    let kind = if in_runs < size { RUNS } else { kind };
    bytes.push(kind);
    bytes.extend((numbers.len() as u32).to_le_bytes());
    match kind {
        RUNS => {
            bytes.extend((runs.len() as u16).to_le_bytes());
            for run in runs {
                bytes.extend(run.first().copied().unwrap_or_default().to_le_bytes());
                bytes.extend((run.len().saturating_sub(1) as u16).to_le_bytes());
            }
        }
        BITS => {
            let mut bits = vec![0_u8; BITMAP_BYTES];
            numbers.iter().for_each(|number| bits[usize::from(number / 8)] |= 1 << (number % 8));
            bytes.extend(bits);
        }
        _ => numbers.iter().for_each(|number| bytes.extend(number.to_le_bytes())),
    }
}

/// The bytes that are left.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn u8(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn size(&mut self) -> Option<usize> {
        self.array().map(u64::from_le_bytes).and_then(|size| usize::try_from(size).ok())
    }
}

fn read(bytes: &mut Bytes<'_>) -> Option<Bitmap64> {
    if bytes.u8()? == 0 {
        return Some(Bitmap64::default());
    }
    let keys = bytes.size()?;
    let mut by_key = BTreeMap::new();
    read_node(bytes, &mut by_key, KEY_BYTES)?;
    let (lists, _, count) = (bytes.u32()?, bytes.u8()?, bytes.u32()?);
    let mut slots = Vec::new();
    for _ in 0..count {
        slots.push(if bytes.u8()? == 0 { None } else { Some(read_container(bytes)?) });
    }
    let (_containers, _last_list, last) = (bytes.size()?, bytes.u32()?, bytes.u32()?);
    let taken = usize::try_from(last).ok()?.checked_add(1)?;
    let has_slot = |slot: &usize| slots.get(*slot).is_some_and(Option::is_some);
    let is_whole = lists == 1 && by_key.len() == keys && taken <= slots.len() && by_key.values().all(has_slot);
    is_whole.then_some(Bitmap64 { by_key, slots, taken })
}

/// Reads the leaves below a node; `depth` bytes of the key are left to tell them apart.
fn read_node(bytes: &mut Bytes<'_>, by_key: &mut BTreeMap<u64, usize>, depth: usize) -> Option<()> {
    let (node, children, prefix) = (bytes.u8()?, bytes.u16()?, usize::from(bytes.u8()?));
    bytes.take(prefix)?;
    if node == LEAF {
        let [a, b, c, d, e, f] = bytes.array::<KEY_BYTES>()?;
        let slot = bytes.size()?;
        return by_key.insert(u64::from_be_bytes([0, 0, a, b, c, d, e, f]), slot).is_none().then_some(());
    }
    let body = match node {
        NODE_4 => 4,
        NODE_16 => 16,
        NODE_48 => 256,
        NODE_256 => 32,
        _ => return None,
    };
    bytes.take(body)?;
    let depth = depth.checked_sub(prefix)?.checked_sub(1)?;
    (0..children).try_for_each(|_| read_node(bytes, by_key, depth))
}

fn read_container(bytes: &mut Bytes<'_>) -> Option<RoaringBitmap> {
    let (kind, count) = (bytes.u8()?, bytes.u32()?);
    let mut numbers = RoaringBitmap::new();
    match kind {
        RUNS => {
            for _ in 0..bytes.u16()? {
                let (start, length) = (u32::from(bytes.u16()?), u32::from(bytes.u16()?));
                let end = Some(start + length).filter(|end| *end <= u32::from(u16::MAX))?;
                numbers.insert_range(start..=end);
            }
        }
        BITS => numbers = RoaringBitmap::from_lsb0_bytes(0, bytes.take(BITMAP_BYTES)?),
        VALUES => {
            for _ in 0..count {
                numbers.insert(u32::from(bytes.u16()?));
            }
        }
        _ => return None,
    }
    (numbers.len() == u64::from(count)).then_some(numbers)
}

#[cfg(test)]
mod tests;
