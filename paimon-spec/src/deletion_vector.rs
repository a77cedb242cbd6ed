//! Deletion vectors.
//!
//! An index file is a version byte (1), then `length | payload | CRC-32 of the payload` for each vector, numbers
//! big-endian. The payload starts with a magic number that tells its version: 1 (a 32-bit Roaring bitmap) or 2 (a list
//! of them by the upper half of the position, as in Iceberg). What a manifest records as the length of a vector is the
//! payload for version 1, and everything for version 2.

use roaring::{RoaringBitmap, RoaringTreemap};

use crate::{Error, Result};

/// First byte of an index file, whichever version its vectors have.
const FILE_VERSION: u8 = 1;
/// Big-endian.
const MAGIC_V1: u32 = 1_581_511_376;
/// Little-endian.
const MAGIC_V2: u32 = 1_681_511_377;
/// The length before a payload, or the checksum after it.
const WORD: usize = 4;

/// Positions of deleted rows of one data file.
///
/// ```
/// use paimon_spec::DeletionVector;
///
/// let deleted = DeletionVector::from_positions([1, 3]);
/// let (file, places) = DeletionVector::encode_file(&[&deleted], false)?;
/// let (offset, length) = places[0];
/// assert_eq!(DeletionVector::decode(&file[offset as usize..], length.into())?, deleted);
/// # Ok::<(), paimon_spec::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DeletionVector {
    positions: RoaringTreemap,
}

/// Where the deletion vector of a data file is (Java `DeletionFile`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeletionFile {
    /// Relative to the table root, or absolute.
    pub path: String,
    /// Where the vector starts, at its length.
    pub offset: i64,
    /// As the manifest has it: the payload for version 1; length, payload and checksum for version 2.
    pub length: i64,
    /// Number of deleted rows; `None`: unknown.
    pub cardinality: Option<i64>,
}

/// Offset and length of a vector in its file, as the manifest stores them.
type Place = (i32, i32);

impl DeletionVector {
    /// Decodes the vector of a deletion vector index file at a [`DeletionFile`]'s offset and length.
    ///
    /// `bytes` start at the offset; `length + 8` of them are enough for either version. Bytes after the vector do not
    /// matter.
    ///
    /// # Errors
    /// `CorruptData` when the length, the magic number, the checksum or the bitmap is not right.
    pub fn decode(bytes: &[u8], length: i64) -> Result<Self> {
        let (size, rest) = split_word(bytes)?;
        let payload_len = u32::from_be_bytes(size);
        let (payload, rest) = rest.split_at_checked(payload_len as usize).ok_or_else(|| {
            Error::corrupt(format!("expected a deletion vector of {payload_len} bytes, found {}", rest.len()))
        })?;
        let (checksum, _) = split_word(rest)?;
        let (magic, bitmaps) = split_word(payload)?;
        let version = match (u32::from_be_bytes(magic), u32::from_le_bytes(magic)) {
            (MAGIC_V1, _) => 1,
            (_, MAGIC_V2) => 2,
            (other, _) => {
                return Err(Error::corrupt(format!(
                    "expected magic number {MAGIC_V1} (version 1) or {MAGIC_V2} (version 2) of a deletion vector, \
                     found {other}"
                )));
            }
        };
        let recorded = i64::from(payload_len) + if version == 1 { 0 } else { 2 * WORD as i64 };
        if recorded != length {
            return Err(Error::corrupt(format!("expected a deletion vector of length {length}, found {recorded}")));
        }
        let (wanted, found) = (u32::from_be_bytes(checksum), crc32fast::hash(payload));
        if wanted != found {
            return Err(Error::corrupt(format!(
                "expected checksum {wanted:08x} of a deletion vector, found {found:08x}"
            )));
        }
        let positions = if version == 1 { decode_v1(bitmaps)? } else { decode_v2(bitmaps)? };
        Ok(Self { positions })
    }

    /// Encodes an index file of several vectors, of version 2 if `bitmap64`; returns its bytes and, per vector, offset
    /// and length as the manifest stores them.
    ///
    /// # Errors
    /// `InvalidInput` when a position is beyond 2^31 - 1 (version 1) or 2^63 - 2^32 - 1 (version 2), or the file would
    /// pass 2 GiB.
    pub fn encode_file(vectors: &[&DeletionVector], bitmap64: bool) -> Result<(Vec<u8>, Vec<Place>)> {
        let mut file = vec![FILE_VERSION];
        let mut places = Vec::with_capacity(vectors.len());
        for vector in vectors {
            let offset = file.len();
            file.extend_from_slice(&[0; WORD]);
            let start = file.len();
            vector.encode_payload(bitmap64, &mut file)?;
            let payload_len = file.len() - start;
            let checksum = crc32fast::hash(&file[start..]);
            file.extend_from_slice(&checksum.to_be_bytes());
            if i32::try_from(file.len()).is_err() {
                return Err(Error::invalid("expected deletion vectors of less than 2 GiB in a file, found more"));
            }
            file[offset..start].copy_from_slice(&(payload_len as u32).to_be_bytes());
            let recorded = payload_len + if bitmap64 { 2 * WORD } else { 0 };
            places.push((offset as i32, recorded as i32));
        }
        Ok((file, places))
    }

    /// From positions.
    pub fn from_positions(positions: impl IntoIterator<Item = u64>) -> Self {
        Self { positions: positions.into_iter().collect() }
    }

    /// Whether row `position` (0-based, physical) is deleted.
    pub fn contains(&self, position: u64) -> bool {
        self.positions.contains(position)
    }

    /// Number of deleted rows.
    pub fn cardinality(&self) -> u64 {
        self.positions.len()
    }

    /// The deleted positions, ascending.
    pub fn positions(&self) -> impl Iterator<Item = u64> + '_ {
        self.positions.iter()
    }

    /// The deleted positions from `start` (inclusive) to `end` (exclusive), ascending.
    pub fn positions_in(&self, start: u64, end: u64) -> impl Iterator<Item = u64> + '_ {
        let mut positions = self.positions.iter();
        positions.advance_to(start);
        positions.take_while(move |position| *position < end)
    }

    /// The deleted positions below 2^32.
    pub(crate) fn first_positions(&self) -> RoaringBitmap {
        let first = self.positions.bitmaps().find(|(key, _)| *key == 0);
        first.map(|(_, positions)| positions.clone()).unwrap_or_default()
    }

    fn encode_payload(&self, bitmap64: bool, out: &mut Vec<u8>) -> Result<()> {
        let limit = if bitmap64 { (i32::MAX as u64) << 32 } else { 1 << 31 };
        if let Some(position) = self.positions.max().filter(|position| *position >= limit) {
            return Err(Error::invalid(format!("expected deleted positions below {limit}, found {position}")));
        }
        let empty = RoaringBitmap::new();
        let bitmaps: Vec<_> = self.positions.bitmaps().filter(|(_, bitmap)| !bitmap.is_empty()).collect();
        if !bitmap64 {
            out.extend_from_slice(&MAGIC_V1.to_be_bytes());
            return encode_bitmap(bitmaps.first().map_or(&empty, |(_, bitmap)| bitmap), out);
        }
        out.extend_from_slice(&MAGIC_V2.to_le_bytes());
        out.extend_from_slice(&(bitmaps.len() as u64).to_le_bytes());
        for (key, bitmap) in bitmaps {
            out.extend_from_slice(&key.to_le_bytes());
            encode_bitmap(bitmap, out)?;
        }
        Ok(())
    }
}

impl Extend<u64> for DeletionVector {
    fn extend<I: IntoIterator<Item = u64>>(&mut self, positions: I) {
        self.positions.extend(positions);
    }
}

/// The portable form, with runs where they are smaller, as Java writes it.
fn encode_bitmap(bitmap: &RoaringBitmap, out: &mut Vec<u8>) -> Result<()> {
    let mut bitmap = bitmap.clone();
    bitmap.optimize();
    bitmap.serialize_into(out).map_err(|error| Error::internal("paimon-spec", error))
}

fn decode_v1(mut bytes: &[u8]) -> Result<RoaringTreemap> {
    let bitmap = decode_bitmap(&mut bytes)?;
    expect_end(bytes)?;
    Ok(RoaringTreemap::from_bitmaps([(0, bitmap)]))
}

fn decode_v2(bytes: &[u8]) -> Result<RoaringTreemap> {
    let Some((count, mut rest)) = bytes.split_first_chunk() else {
        return Err(Error::corrupt(format!("expected the number of bitmaps, found {} bytes", bytes.len())));
    };
    // Each iteration takes bytes, so a count without bitmaps ends at once.
    let count = u64::from_le_bytes(*count);
    let mut last_key = None;
    let mut bitmaps = Vec::new();
    for _ in 0..count {
        let (key, after) = split_word(rest)?;
        rest = after;
        let key = u32::from_le_bytes(key);
        if last_key.is_some_and(|last| key <= last) || key >= i32::MAX as u32 {
            return Err(Error::corrupt(format!("expected ascending keys of bitmaps, found {key}")));
        }
        last_key = Some(key);
        bitmaps.push((key, decode_bitmap(&mut rest)?));
    }
    expect_end(rest)?;
    Ok(RoaringTreemap::from_bitmaps(bitmaps))
}

fn decode_bitmap(bytes: &mut &[u8]) -> Result<RoaringBitmap> {
    // Checks its input, and allocates for one container at a time.
    RoaringBitmap::deserialize_from(bytes)
        .map_err(|error| Error::corrupt("expected a Roaring bitmap, found other bytes").with_source(error))
}

fn expect_end(rest: &[u8]) -> Result<()> {
    match rest.len() {
        0 => Ok(()),
        left => Err(Error::corrupt(format!("expected the end of a deletion vector, found {left} more bytes"))),
    }
}

fn split_word(bytes: &[u8]) -> Result<([u8; WORD], &[u8])> {
    match bytes.split_first_chunk() {
        Some((word, rest)) => Ok((*word, rest)),
        None => Err(Error::corrupt(format!("expected {WORD} more bytes of a deletion vector, found {}", bytes.len()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use proptest::prelude::*;
    use rstest::rstest;

    // Written by pypaimon 2.1.0.
    const ROWS_1_3: &[u8] =
        b"\x01\0\0\0\x18\x5e\x43\xf2\xd0\x3a\x30\0\0\x01\0\0\0\0\0\x01\0\x10\0\0\0\x01\0\x03\0\xda\x2d\x59\xd3";
    const ROWS_1_3_4: &[u8] =
        b"\x01\0\0\0\x1a\x5e\x43\xf2\xd0\x3a\x30\0\0\x01\0\0\0\0\0\x02\0\x10\0\0\0\x01\0\x03\0\x04\0\xea\x89\xa0\xaa";

    #[rstest]
    #[case(ROWS_1_3, &[1, 3])]
    #[case(ROWS_1_3_4, &[1, 3, 4])]
    fn files_of_pypaimon_are_decoded_and_encoded(#[case] file: &[u8], #[case] rows: &[u64]) {
        let vector = DeletionVector::decode(&file[1..], file.len() as i64 - 9).unwrap();
        assert_eq!(vector.positions().collect::<Vec<_>>(), rows);
        let (encoded, places) = DeletionVector::encode_file(&[&vector], false).unwrap();
        assert_eq!(encoded, file);
        assert_eq!(places, [(1, file.len() as i32 - 9)]);
    }

    // The contents of these files are of Java Paimon's own tests of compatibility.
    #[rstest]
    #[case(include_bytes!("../tests/data/java-deletion-vectors-v1.bin"), false, [24, 22])]
    #[case(include_bytes!("../tests/data/java-deletion-vectors-v2.bin"), true, [44, 42])]
    fn files_of_java_are_decoded_and_encoded(#[case] file: &[u8], #[case] bitmap64: bool, #[case] lengths: [i64; 2]) {
        let first = DeletionVector::decode(&file[1..], lengths[0]).unwrap();
        assert!(first.positions().eq([2, 3]));
        let second_at = 1 + lengths[0] as usize + if bitmap64 { 0 } else { 8 };
        let second = DeletionVector::decode(&file[second_at..], lengths[1]).unwrap();
        assert!(second.positions().eq([1]));
        let (encoded, places) = DeletionVector::encode_file(&[&first, &second], bitmap64).unwrap();
        assert_eq!(encoded, file);
        assert_eq!(places, [(1, lengths[0] as i32), (second_at as i32, lengths[1] as i32)]);
    }

    #[test]
    fn version_2_is_laid_out_as_java_does() {
        let vector = DeletionVector::from_positions([1, 3, 1 << 32]);
        let (file, places) = DeletionVector::encode_file(&[&vector], true).unwrap();
        let mut wanted = MAGIC_V2.to_le_bytes().to_vec();
        wanted.extend([2, 0, 0, 0, 0, 0, 0, 0]);
        wanted.extend(b"\0\0\0\0\x3a\x30\0\0\x01\0\0\0\0\0\x01\0\x10\0\0\0\x01\0\x03\0");
        wanted.extend(b"\x01\0\0\0\x3a\x30\0\0\x01\0\0\0\0\0\0\0\x10\0\0\0\0\0");
        assert_eq!(file[5..file.len() - 4], wanted);
        assert_eq!(places, [(1, file.len() as i32 - 1)]);
        assert_eq!(DeletionVector::decode(&file[1..], places[0].1.into()).unwrap(), vector);
    }

    #[test]
    fn a_run_of_rows_is_stored_as_a_run() {
        let vector = DeletionVector::from_positions(0..100_000);
        let (file, _) = DeletionVector::encode_file(&[&vector], false).unwrap();
        assert!(file.len() < 60, "{}", file.len());
    }

    #[rstest]
    #[case::wrong_length(23, 0, 0)]
    #[case::length_of_version_2(32, 0, 0)]
    #[case::payload_beyond_the_end(24, 2, 1)]
    #[case::magic(24, 5, 1)]
    #[case::bitmap(24, 13, 1)]
    #[case::checksum(24, 30, 1)]
    fn damaged_vectors_are_corrupt(#[case] length: i64, #[case] at: usize, #[case] flip: u8) {
        let mut file = ROWS_1_3.to_vec();
        file[at] ^= flip;
        let error = DeletionVector::decode(&file[1..], length).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CorruptData);
    }

    #[rstest]
    #[case(1 << 31, false)]
    #[case((i32::MAX as u64) << 32, true)]
    fn positions_that_the_format_cannot_hold_are_refused(#[case] position: u64, #[case] bitmap64: bool) {
        let vector = DeletionVector::from_positions([position]);
        let error = DeletionVector::encode_file(&[&vector], bitmap64).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }

    #[test]
    fn positions_in_a_range_exclude_its_end() {
        let vector = DeletionVector::from_positions([1, 3, 5, 7]);
        assert_eq!(vector.positions_in(3, 7).collect::<Vec<_>>(), [3, 5]);
        assert_eq!(vector.positions_in(8, 9).count(), 0);
    }

    fn vectors() -> impl Strategy<Value = Vec<DeletionVector>> {
        let position = prop_oneof![0..200_u64, 0..1_u64 << 31];
        let ranges = proptest::collection::vec((position, 0..300_u64), 0..10);
        let vector = ranges.prop_map(|ranges| {
            let limit = 1 << 31;
            let positions = ranges.into_iter().flat_map(|(start, len)| start..(start + len).min(limit));
            DeletionVector::from_positions(positions)
        });
        proptest::collection::vec(vector, 0..4)
    }

    proptest! {
        #[test]
        fn every_vector_of_a_file_is_found_again(vectors in vectors(), bitmap64: bool) {
            let borrowed: Vec<_> = vectors.iter().collect();
            let (file, places) = DeletionVector::encode_file(&borrowed, bitmap64).unwrap();
            for (vector, (offset, length)) in vectors.iter().zip(places) {
                let found = DeletionVector::decode(&file[offset as usize..], length.into()).unwrap();
                prop_assert!(found.positions().eq(vector.positions()));
                let end = (offset + length) as usize + 8;
                if end <= file.len() {
                    DeletionVector::decode(&file[offset as usize..end], length.into()).unwrap();
                }
            }
        }

        #[test]
        fn a_hostile_bitmap_with_a_right_checksum_does_not_panic(
            bitmap64: bool,
            mut payload in proptest::collection::vec(any::<u8>(), 0..64),
            cookie in prop_oneof![Just(12346_u32), Just(12347), Just(0xffff_303b), any::<u32>()],
        ) {
            let magic = if bitmap64 { MAGIC_V2.to_le_bytes() } else { MAGIC_V1.to_be_bytes() };
            let head = if bitmap64 { vec![1_u8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] } else { vec![] };
            payload.splice(0..0, magic.into_iter().chain(head).chain(cookie.to_le_bytes()));
            let mut bytes = (payload.len() as u32).to_be_bytes().to_vec();
            bytes.extend(&payload);
            bytes.extend(crc32fast::hash(&payload).to_be_bytes());
            let length = payload.len() as i64 + if bitmap64 { 8 } else { 0 };
            if let Ok(vector) = DeletionVector::decode(&bytes, length) {
                prop_assert_eq!(vector.positions().count() as u64, vector.cardinality());
            }
        }
    }
}
