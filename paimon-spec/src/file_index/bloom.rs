//! `bloom-filter`: the number of hash functions, then bits (Java `BloomFilterFileIndex`).

use super::IndexValue;
use super::bytes::{Place, Step};
use super::hash::hash;
use super::options::IndexedColumn;
use crate::{Error, Result};

/// Whether one of `values` may be in the file.
pub(super) fn may_contain(index: &Place<'_>, values: &[IndexValue<'_>]) -> Step<bool> {
    let head = index.get(0, 4)?;
    let bits = index.rest(4)?;
    let mut functions = [0; 4];
    functions.copy_from_slice(&head);
    let functions = i32::from_be_bytes(functions);
    if functions < 1 || bits.is_empty() {
        let message = format!("expected a bloom filter, found one of {functions} functions and {} bytes", bits.len());
        return Err(Error::corrupt(message).into());
    }
    let mut may = false;
    for value in values {
        let mut places = places(hash(*value), functions, bits.len());
        may |= places.all(|(byte, mask)| bits.get(byte).is_some_and(|byte| byte & mask != 0));
    }
    Ok(may)
}

/// The bits of a hash: a byte and a mask for each function (Java `BloomFilter64`).
fn places(hash: u64, functions: i32, bytes: usize) -> impl Iterator<Item = (usize, u8)> {
    let (low, high) = (hash as i32, (hash >> 32) as i32);
    let bits = bytes as u64 * 8;
    (1..=functions).map(move |function| {
        let combined = low.wrapping_add(function.wrapping_mul(high));
        let positive = if combined < 0 { !combined } else { combined };
        let bit = positive as u64 % bits;
        ((bit / 8) as usize, 1 << (bit % 8))
    })
}

/// A bloom filter in the making.
#[derive(Debug)]
pub(super) struct BloomFilterBuilder {
    functions: i32,
    bits: Vec<u8>,
}

impl BloomFilterBuilder {
    /// By the options `items` (how many values are expected) and `fpp` (how often an absent one may seem present).
    ///
    /// # Errors
    /// `InvalidInput` for options that make no filter.
    pub(super) fn new(index: &IndexedColumn) -> Result<Self> {
        let option = |name: &str, default: f64, valid: &dyn Fn(f64) -> bool, wanted: &str| match index.options.get(name)
        {
            None => Ok(default),
            Some(text) => text.trim().parse().ok().filter(|value| valid(*value)).ok_or_else(|| {
                Error::invalid(format!("option '{}' must be {wanted}, found '{text}'", index.option_key(name)))
            }),
        };
        let is_count = |items: f64| items >= 1.0 && items <= f64::from(i32::MAX) && items.fract() == 0.0;
        let items = option("items", 1e6, &is_count, "a number of values, from 1 to 2147483647")?;
        let fpp = option("fpp", 0.1, &|fpp| fpp > 0.0 && fpp < 1.0, "between 0 and 1")?;
        let bits = -items * fpp.ln() / (std::f64::consts::LN_2 * std::f64::consts::LN_2);
        // Java counts the bits in 32 bits.
        if bits > f64::from(i32::MAX - 8) {
            let message = format!("expected a bloom filter of less than 256 MiB, found {items} values with fpp {fpp}");
            return Err(Error::invalid(message).with_context("option", index.option_key("items")));
        }
        // A multiple of 8 gets 8 more, as in Java.
        let bytes = bits as usize / 8 + 1;
        let functions = ((bytes * 8) as f64 / items * std::f64::consts::LN_2).round().max(1.0);
        Ok(Self { functions: functions as i32, bits: vec![0; bytes] })
    }

    pub(super) fn add(&mut self, value: IndexValue<'_>) {
        for (byte, mask) in places(hash(value), self.functions, self.bits.len()) {
            self.bits[byte] |= mask;
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.bits.len()
    }

    pub(super) fn finish(self) -> Vec<u8> {
        let mut bytes = self.functions.to_be_bytes().to_vec();
        bytes.extend(self.bits);
        bytes
    }
}
