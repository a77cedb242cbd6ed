//! HASH index files: which keys a dynamic bucket holds. Java: `HashIndexFile`.

use crate::{Error, Result};

/// Index type of the hashes of the keys in a dynamic bucket.
pub const HASH_INDEX: &str = "HASH";

/// Bytes of one hash.
const HASH_BYTES: usize = 4;

/// The key hashes of a HASH index file, in the order of the file: [`hash_code`](crate::BinaryRow::hash_code)s of the
/// primary key without the partition columns. They are a set, of which a file may have any order.
///
/// # Errors
/// `CorruptData` when the file ends within a hash.
///
/// ```
/// use paimon_spec::{append_hash_index, decode_hash_index};
///
/// let mut file = Vec::new();
/// append_hash_index(&mut file, [7, -1]);
/// assert_eq!(file, [0, 0, 0, 7, 0xff, 0xff, 0xff, 0xff]);
/// assert_eq!(decode_hash_index(&file)?.collect::<Vec<_>>(), [7, -1]);
/// # Ok::<(), paimon_spec::Error>(())
/// ```
pub fn decode_hash_index(bytes: &[u8]) -> Result<impl ExactSizeIterator<Item = i32> + '_> {
    let (hashes, rest) = bytes.as_chunks::<HASH_BYTES>();
    if !rest.is_empty() {
        return Err(Error::corrupt(format!(
            "expected a HASH index of whole hashes of {HASH_BYTES} bytes, found {} bytes",
            bytes.len()
        )));
    }
    Ok(hashes.iter().map(|hash| i32::from_be_bytes(*hash)))
}

/// Adds hashes to the bytes of a HASH index file. What is there may be another file's bytes: files have no head.
pub fn append_hash_index(bytes: &mut Vec<u8>, hashes: impl IntoIterator<Item = i32>) {
    bytes.extend(hashes.into_iter().flat_map(i32::to_be_bytes));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn hashes_survive_and_torn_files_are_refused(hashes: Vec<i32>, torn in 1..HASH_BYTES) {
            let mut file = Vec::new();
            let (first, second) = hashes.split_at(hashes.len() / 2);
            append_hash_index(&mut file, first.iter().copied());
            append_hash_index(&mut file, second.iter().copied());
            prop_assert_eq!(decode_hash_index(&file).unwrap().collect::<Vec<_>>(), hashes);
            file.extend(vec![0; torn]);
            let error = decode_hash_index(&file).map(|_| ()).unwrap_err();
            prop_assert_eq!(error.kind(), ErrorKind::CorruptData);
        }
    }
}
