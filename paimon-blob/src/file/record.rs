//! One value in a `.blob` file: a magic number, the payload, the length of all, a checksum.

use bytes::Bytes;
use paimon_spec::{Error, Result};

/// The first bytes of a record: 1481511375, little-endian.
pub(super) const MAGIC: [u8; 4] = [0xcf, 0x11, 0x4e, 0x58];

/// Bytes of a record before its payload.
pub(crate) const HEAD_BYTES: u64 = 4;

/// Bytes of a record after its payload: the length of the record (i64) and the CRC32 of all before it (u32).
pub(crate) const TRAILER_BYTES: u64 = 12;

/// Bytes of a record beside its payload.
pub(crate) const FRAME_BYTES: u64 = HEAD_BYTES + TRAILER_BYTES;

/// The payload of a whole record of a `.blob` file, once magic, length and checksum (over magic, payload and length) have
/// been found to be right.
///
/// # Errors
/// `CorruptData` when they are not.
///
/// ```
/// use paimon_blob::check_record;
///
/// // Written by pypaimon 2.1.0.
/// let record = b"\xcf\x11\x4e\x58hello\x15\0\0\0\0\0\0\0\xc8\xf6\xa7\x51";
/// assert_eq!(check_record(&record.as_slice().into())?, "hello");
/// let damaged = b"\xcf\x11\x4e\x58jello\x15\0\0\0\0\0\0\0\xc8\xf6\xa7\x51";
/// assert!(check_record(&damaged.as_slice().into()).is_err());
/// # Ok::<(), paimon_spec::Error>(())
/// ```
pub fn check_record(record: &Bytes) -> Result<Bytes> {
    let payload_end = record.len().checked_sub(TRAILER_BYTES as usize).filter(|&end| end >= HEAD_BYTES as usize);
    let Some(payload_end) = payload_end else {
        let found = record.len();
        return Err(Error::corrupt(format!("expected a blob record of at least {FRAME_BYTES} bytes, found {found}")));
    };
    check_magic(record)?;
    check_trailer(&record[payload_end..], record.len() as u64, crc32fast::hash(&record[..payload_end + 8]))?;
    Ok(record.slice(HEAD_BYTES as usize..payload_end))
}

/// Whether the bytes begin as a record does.
pub(crate) fn check_magic(record: &[u8]) -> Result<()> {
    if record.starts_with(&MAGIC) {
        return Ok(());
    }
    let found = &record[..record.len().min(MAGIC.len())];
    Err(Error::corrupt(format!("expected a blob record to begin with {MAGIC:02x?}, found {found:02x?}")))
}

/// Whether the bytes end a record of `record_bytes` bytes, whose others (with the length) have the checksum `crc`.
pub(crate) fn check_trailer(trailer: &[u8], record_bytes: u64, crc: u32) -> Result<()> {
    check_length(trailer, record_bytes)?;
    let stated = trailer.get(8..).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
    match stated {
        Some(stated) if stated == crc => Ok(()),
        _ => Err(Error::corrupt(format!(
            "the blob is damaged: expected the checksum {:08x}, found {crc:08x}",
            stated.unwrap_or_default()
        ))),
    }
}

/// Whether the bytes say that they end a record of `record_bytes` bytes.
pub(super) fn check_length(trailer: &[u8], record_bytes: u64) -> Result<()> {
    let stated = trailer.get(..8).and_then(|bytes| bytes.try_into().ok()).map(i64::from_le_bytes);
    match stated {
        Some(stated) if u64::try_from(stated) == Ok(record_bytes) => Ok(()),
        _ => Err(Error::corrupt(format!(
            "expected a blob record of {record_bytes} bytes as the index says, found one of {}",
            stated.unwrap_or_default()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_and_every_cut_of_a_record_is_found() {
        let record = b"\xcf\x11\x4e\x58hello\x15\0\0\0\0\0\0\0\xc8\xf6\xa7\x51";
        for bit in 0..record.len() * 8 {
            let mut damaged = record.to_vec();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(check_record(&damaged.into()).is_err(), "bit {bit}");
        }
        for len in 0..record.len() {
            assert!(check_record(&Bytes::copy_from_slice(&record[..len])).is_err(), "{len} bytes");
        }
    }
}
