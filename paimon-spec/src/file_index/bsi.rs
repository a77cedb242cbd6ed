//! `bsi`: the rows by the bits of their numbers; positive and negative numbers apart (Java
//! `BitSliceIndexBitmapFileIndex`). The bits are those of the distance from a smallest number.

use std::ops::Bound;

use roaring::RoaringBitmap;

use super::bit_slices::BitSlices;
use super::build::DistinctRows;
use super::bytes::{Place, Step, counted};
use super::evaluate::{KeyRange, RowIndex};
use super::key::{IndexKey, length};
use super::rows::{decode_rows, encode_rows};
use crate::split::wire::WireReader;
use crate::{Error, Result};

/// The version that is known here, of the index and of its two halves.
const VERSION: u8 = 1;

/// A decoded index.
#[derive(Debug)]
pub(super) struct Bsi {
    row_count: u32,
    positive: Half,
    /// Of the numbers without their sign.
    negative: Half,
}

#[derive(Debug, Default)]
struct Half {
    smallest: u64,
    slices: BitSlices,
}

impl Bsi {
    /// `None`: of a version that is not known here.
    pub(super) fn open(place: &Place<'_>) -> Step<Option<Self>> {
        let bytes = place.rest(0)?;
        let mut bytes = WireReader::new(&bytes);
        if bytes.array::<1>()? != [VERSION] {
            return Ok(None);
        }
        let row_count = counted(bytes.i32()?, "rows")?;
        let mut halves = [Half::default(), Half::default()];
        for half in &mut halves {
            if bytes.bool()? {
                let Some(decoded) = Half::decode(&mut bytes, row_count)? else { return Ok(None) };
                *half = decoded;
            }
        }
        let [positive, negative] = halves;
        if !positive.slices.rows.is_disjoint(&negative.slices.rows) {
            return Err(Error::corrupt("expected rows of one sign, found some of both").into());
        }
        Ok(Some(Self { row_count, positive, negative }))
    }
}

impl Half {
    fn decode(bytes: &mut WireReader<'_>, row_count: u32) -> Result<Option<Self>> {
        if bytes.array::<1>()? != [VERSION] {
            return Ok(None);
        }
        let (smallest, largest) = (bytes.i64()?, bytes.i64()?);
        let span = largest.checked_sub(smallest).and_then(|span| u64::try_from(span).ok()).filter(|_| smallest >= 0);
        let bits = span.map(|span| u64::BITS - span.leading_zeros());
        let rows = next_rows(bytes, row_count)?;
        let slices = bytes.i32()?;
        if bits.map(i64::from) != Some(i64::from(slices)) {
            return Err(Error::corrupt(format!(
                "expected as many bits as numbers from {smallest} to {largest} need, found {slices}"
            )));
        }
        let slices = (0..slices).map(|_| next_rows(bytes, row_count)).collect::<Result<_>>()?;
        Ok(Some(Self { smallest: smallest as u64, slices: BitSlices::new(rows, slices)? }))
    }

    /// Rows with a number from `first` to `last`, both included.
    fn between(&self, first: u64, last: u64) -> RoaringBitmap {
        match last.checked_sub(self.smallest) {
            Some(last) => self.slices.between(first.saturating_sub(self.smallest), last),
            None => RoaringBitmap::new(),
        }
    }
}

fn next_rows(bytes: &mut WireReader<'_>, row_count: u32) -> Result<RoaringBitmap> {
    let all = bytes.rest();
    let (rows, after) = decode_rows(all, row_count)?;
    bytes.take(all.len() - after.len())?;
    Ok(rows)
}

impl RowIndex for Bsi {
    fn row_count(&self) -> u32 {
        self.row_count
    }

    fn not_null(&self) -> Step<RoaringBitmap> {
        Ok(&self.positive.slices.rows | &self.negative.slices.rows)
    }

    fn one_of(&self, keys: &[IndexKey]) -> Step<RoaringBitmap> {
        let mut rows = RoaringBitmap::new();
        for key in keys {
            let range = KeyRange { low: Bound::Included(key.clone()), high: Bound::Included(key.clone()) };
            rows |= self.between(&range)?.unwrap_or_default();
        }
        Ok(rows)
    }

    fn between(&self, range: &KeyRange) -> Step<Option<RoaringBitmap>> {
        let (first, last) = match (&range.low, &range.high) {
            (Bound::Included(IndexKey::Bytes(_)) | Bound::Excluded(IndexKey::Bytes(_)), _)
            | (_, Bound::Included(IndexKey::Bytes(_)) | Bound::Excluded(IndexKey::Bytes(_))) => return Ok(None),
            (low, high) => {
                let first = match low {
                    Bound::Included(IndexKey::Int(value)) => Some(*value),
                    Bound::Excluded(IndexKey::Int(value)) => value.checked_add(1),
                    _ => Some(i64::MIN),
                };
                let last = match high {
                    Bound::Included(IndexKey::Int(value)) => Some(*value),
                    Bound::Excluded(IndexKey::Int(value)) => value.checked_sub(1),
                    _ => Some(i64::MAX),
                };
                (first, last)
            }
        };
        let Some((first, last)) = first.zip(last).filter(|(first, last)| first <= last) else {
            return Ok(Some(RoaringBitmap::new()));
        };
        let mut rows = RoaringBitmap::new();
        if last >= 0 {
            rows |= self.positive.between(first.max(0) as u64, last as u64);
        }
        if first < 0 {
            rows |= self.negative.between(last.min(-1).unsigned_abs(), first.unsigned_abs());
        }
        Ok(Some(rows))
    }
}

/// Encodes an index.
///
/// # Errors
/// `InvalidInput` for the number -2^63, which has no place in the format.
pub(super) fn encode(rows: DistinctRows) -> Result<Vec<u8>> {
    let mut halves = [Vec::new(), Vec::new()];
    for (key, rows) in rows.values {
        match key {
            IndexKey::Int(value @ 0..) => halves[0].push((value.unsigned_abs(), rows)),
            IndexKey::Int(value) if value > i64::MIN => halves[1].push((value.unsigned_abs(), rows)),
            IndexKey::Int(value) => {
                return Err(Error::invalid(format!("expected numbers that a bsi index can hold, found {value}")));
            }
            IndexKey::Bytes(_) => return Err(Error::internal("paimon-spec", "a bsi index of texts")),
        }
    }
    let mut out = vec![VERSION];
    out.extend(rows.row_count.to_be_bytes());
    for half in halves {
        out.push(u8::from(!half.is_empty()));
        if half.is_empty() {
            continue;
        }
        let largest = half.iter().map(|(number, _)| *number).max().unwrap_or(0);
        let bits = u64::BITS - largest.leading_zeros();
        let slices = BitSlices::from_numbers(half.into_iter(), bits as usize);
        out.push(VERSION);
        // Java's smallest number is always 0: it begins to look for it from there.
        out.extend(0_u64.to_be_bytes());
        out.extend(largest.to_be_bytes());
        out.extend(encode_rows(slices.rows.clone())?);
        let encoded = slices.encode_slices()?;
        out.extend(length(encoded.len(), "bits")?.to_be_bytes());
        encoded.iter().for_each(|slice| out.extend(slice));
    }
    Ok(out)
}
