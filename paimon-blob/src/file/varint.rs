//! Lists of lengths as blob files keep them: each but the first as its difference to the one before, zigzag, LEB128 (Java
//! `DeltaVarintCompressor`).

use paimon_spec::{Error, Result};

/// A list in the making.
#[derive(Debug, Default)]
pub(super) struct LengthsEncoder {
    bytes: Vec<u8>,
    previous: i64,
}

impl LengthsEncoder {
    /// Appends a length.
    pub(super) fn push(&mut self, length: i64) {
        // Wraps where Java does; readers refuse what lies that far apart.
        let difference = length.wrapping_sub(self.previous);
        self.previous = length;
        let mut rest = ((difference << 1) ^ (difference >> 63)).cast_unsigned();
        while rest > 0x7f {
            self.bytes.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        self.bytes.push(rest as u8);
    }

    /// The list's bytes so far.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// The lengths of a list, one by one; nothing follows an error.
#[derive(Debug, Clone)]
pub(super) struct Lengths<'a> {
    rest: &'a [u8],
    previous: i64,
}

impl<'a> Lengths<'a> {
    /// Of a whole list.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self::after(0, bytes)
    }

    /// Of the part of a list that follows the length `previous`.
    pub(super) fn after(previous: i64, bytes: &'a [u8]) -> Self {
        Self { rest: bytes, previous }
    }

    /// How many bytes are to come.
    pub(super) fn remaining(&self) -> usize {
        self.rest.len()
    }

    fn difference(&mut self) -> Result<i64> {
        let mut value = 0_u64;
        for (place, &byte) in self.rest.iter().enumerate() {
            // The tenth byte has room for one bit.
            if place > 9 || place == 9 && byte > 1 {
                return Err(Error::corrupt("expected a length of at most 64 bits in the index, found more"));
            }
            value |= u64::from(byte & 0x7f) << (7 * place);
            if byte < 0x80 {
                self.rest = &self.rest[place + 1..];
                return Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed());
            }
        }
        Err(Error::corrupt("the index ends within a length"))
    }
}

impl Iterator for Lengths<'_> {
    type Item = Result<i64>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let length = self.difference().and_then(|difference| {
            self.previous.checked_add(difference).ok_or_else(|| {
                let previous = self.previous;
                Error::corrupt(format!(
                    "expected lengths of at most 63 bits in the index, found {previous} + {difference}"
                ))
            })
        });
        match &length {
            Ok(length) => self.previous = *length,
            Err(_) => self.rest = &[],
        }
        Some(length)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn encoded(lengths: &[i64]) -> Vec<u8> {
        let mut encoder = LengthsEncoder::default();
        lengths.iter().for_each(|&length| encoder.push(length));
        encoder.bytes().to_vec()
    }

    #[rstest]
    #[case::nothing(&[], "")]
    #[case::pypaimon_values_and_a_null(&[21, -1, 19], "2a2b28")]
    #[case::pypaimon_arrays(&[35, -1, 29], "46473c")]
    #[case::pypaimon_elements(&[1, -1, 2], "020306")]
    #[case::pypaimon_a_placeholder(&[-2, 18], "0328")]
    #[case::the_largest(&[i64::MAX], "feffffffffffffffff01")]
    #[case::two_bytes(&[64, 0], "80017f")]
    fn lists_are_those_of_others(#[case] lengths: &[i64], #[case] hex: &str) {
        let bytes = encoded(lengths);
        assert_eq!(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>(), hex);
        assert_eq!(Lengths::new(&bytes).collect::<Result<Vec<_>>>().unwrap(), lengths);
    }

    #[rstest]
    #[case::half_a_length(&[0x80], "ends within a length")]
    #[case::no_end(&[0xff; 40], "at most 64 bits")]
    #[case::a_65th_bit(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02], "at most 64 bits")]
    #[case::a_sum_too_large(&[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0x02], "+ 1")]
    fn damaged_lists_end_with_an_error(#[case] bytes: &[u8], #[case] text: &str) {
        let found: Vec<_> = Lengths::new(bytes).collect();
        let error = found.last().unwrap().as_ref().unwrap_err();
        assert!(error.to_string().contains(text), "{error}");
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(lengths in proptest::collection::vec(-2..i64::MAX - 2, 0..50), cut in 0_usize..50) {
            let bytes = encoded(&lengths);
            prop_assert_eq!(Lengths::new(&bytes).collect::<Result<Vec<_>>>().unwrap(), lengths.clone());
            // A list may be taken up anywhere.
            let mut rest = Lengths::new(&bytes);
            let cut = cut.min(lengths.len());
            rest.by_ref().take(cut).for_each(drop);
            let at = bytes.len() - rest.remaining();
            let previous = cut.checked_sub(1).map_or(0, |last| lengths[last]);
            let found: Vec<_> = Lengths::after(previous, &bytes[at..]).collect::<Result<_>>().unwrap();
            prop_assert_eq!(&found[..], &lengths[cut..]);
        }

        #[test]
        fn any_bytes_come_to_an_end(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            prop_assert!(Lengths::new(&bytes).count() <= bytes.len());
        }
    }
}
