//! The hashes of `bloom-filter` (Java `FastHash`).

use twox_hash::XxHash64;

use super::IndexValue;

/// The 64-bit hash of a value.
pub(super) fn hash(value: IndexValue<'_>) -> u64 {
    match value {
        IndexValue::Int(value) => hash_integer(value),
        // Java gives every NaN the same bits.
        IndexValue::Float(value) => {
            hash_integer(i64::from(if value.is_nan() { 0x7fc0_0000 } else { value.to_bits() as i32 }))
        }
        IndexValue::Double(value) => {
            hash_integer(if value.is_nan() { 0x7ff8_0000_0000_0000 } else { value.to_bits() as i64 })
        }
        IndexValue::Bytes(bytes) => XxHash64::oneshot(0, bytes),
    }
}

/// Thomas Wang's hash of 64-bit integers, but with shifts that keep the sign, as Java has it.
fn hash_integer(value: i64) -> u64 {
    let mut key = (!value).wrapping_add(value << 21);
    key ^= key >> 24;
    key = key.wrapping_add(key << 3).wrapping_add(key << 8);
    key ^= key >> 14;
    key = key.wrapping_add(key << 2).wrapping_add(key << 4);
    key ^= key >> 28;
    key.wrapping_add(key << 31) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    // By the definition in Java, worked out with arbitrary-precision integers in Python.
    #[rstest]
    #[case(0, 0)]
    #[case(1, 6_614_235_796_240_398_542)]
    #[case(-1, 6_614_246_905_173_314_819)]
    #[case(42, 1_098_236_396_662_648_698)]
    #[case(i64::MAX, 9_344_215_449_356_265_527)]
    #[case(i64::MIN, 4_316_648_529_147_585_864)]
    fn integers_hash_as_in_java(#[case] value: i64, #[case] wanted: u64) {
        assert_eq!(hash_integer(value), wanted);
    }

    #[test]
    fn all_nan_hash_alike_and_zeros_do_not() {
        let negative = f64::from_bits(f64::NAN.to_bits() | 1 << 63 | 1);
        assert_eq!(hash(IndexValue::Double(negative)), hash(IndexValue::Double(f64::NAN)));
        assert_eq!(hash(IndexValue::Float(-f32::NAN)), hash(IndexValue::Float(f32::NAN)));
        assert_ne!(hash(IndexValue::Float(-0.0)), hash(IndexValue::Float(0.0)));
    }
}
