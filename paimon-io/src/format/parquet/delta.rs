//! Lengths that are stored as differences: encodings DELTA_LENGTH_BYTE_ARRAY and DELTA_BYTE_ARRAY.
//!
//! Their decoders make room for as many lengths as the stream says to have, so that number is looked at first.

use paimon_spec::{Error, Result};

/// Checks that each of the `streams` at the start of `bytes` has `most` numbers at most.
pub(super) fn check_streams(mut bytes: &[u8], streams: usize, most: u64) -> Result<()> {
    for _ in 0..streams {
        bytes = check_stream(bytes, most)?;
    }
    Ok(())
}

/// What follows a stream of numbers (DELTA_BINARY_PACKED).
fn check_stream(mut bytes: &[u8], most: u64) -> Result<&[u8]> {
    let block = varint(&mut bytes)?;
    let parts = varint(&mut bytes)?;
    let count = varint(&mut bytes)?;
    varint(&mut bytes)?;
    if count > most {
        return Err(Error::corrupt(format!("expected at most {most} lengths in a page, found {count}")));
    }
    // As the format has it; parts then hold whole bytes.
    let part = block.checked_div(parts).filter(|part| block % parts == 0 && *part > 0 && part % 32 == 0);
    let part =
        part.ok_or_else(|| Error::corrupt(format!("expected a block of lengths, found one of {block} in {parts}")))?;
    // The first number stands in front.
    let mut left = count.saturating_sub(1);
    while left > 0 {
        varint(&mut bytes)?;
        let widths = usize::try_from(parts).ok().and_then(|parts| bytes.split_at_checked(parts));
        let (widths, rest) = widths.ok_or_else(too_short)?;
        bytes = rest;
        for width in widths {
            if left == 0 {
                break;
            }
            let len = part.checked_mul(u64::from(*width)).and_then(|bits| usize::try_from(bits / 8).ok());
            // Writers may leave out the end of the last part.
            bytes = match len.and_then(|len| bytes.get(len..)) {
                Some(rest) => rest,
                None if left <= part => &[],
                None => return Err(too_short()),
            };
            left = left.saturating_sub(part);
        }
    }
    Ok(bytes)
}

fn varint(bytes: &mut &[u8]) -> Result<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let Some((byte, rest)) = bytes.split_first() else { return Err(too_short()) };
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            return Ok(value);
        }
    }
    Err(Error::corrupt("expected a number of at most 64 bits in a page, found more"))
}

#[cold]
fn too_short() -> Error {
    Error::corrupt("expected more lengths in a page, found its end")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    /// 128 to a block, 4 parts; numbers 5, 7 and 9, of which one step is stored in no bits.
    const THREE: &[u8] = b"\x80\x01\x04\x03\x0a\x04\0\0\0\0";

    #[rstest]
    #[case::one(THREE, 1, 3, true)]
    #[case::two(&[THREE, THREE].concat(), 2, 3, true)]
    #[case::only_one_of_two(THREE, 2, 3, false)]
    #[case::more_than_values(THREE, 1, 2, false)]
    #[case::very_many(b"\x80\x01\x04\xff\xff\xff\xff\xff\x7f\0", 1, 1000, false)]
    #[case::no_parts(b"\x80\x01\0\x03\x0a\x04\0\0\0\0", 1, 3, false)]
    #[case::cut(&THREE[..5], 1, 3, false)]
    fn streams_have_as_many_lengths_as_they_may(
        #[case] bytes: &[u8],
        #[case] streams: usize,
        #[case] most: u64,
        #[case] fine: bool,
    ) {
        let checked = check_streams(bytes, streams, most);
        assert_eq!(checked.is_ok(), fine, "{checked:?}");
    }

    proptest! {
        #[test]
        fn any_bytes_end(bytes in proptest::collection::vec(any::<u8>(), 0..100), streams in 1..3_usize) {
            let _ = check_streams(&bytes, streams, 1000);
        }
    }
}
