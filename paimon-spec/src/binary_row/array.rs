//! Arrays inside rows, as far as metadata has them: of texts and of longs.

use super::bytes_of_slot;
use super::writer::SectionWriter;
use crate::{Error, Result};

/// The number of elements before an array.
const COUNT_BYTES: usize = 4;

/// A borrowed array of 8-byte elements: longs, or texts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ArrayView<'a> {
    len: usize,
    bytes: &'a [u8],
}

impl<'a> ArrayView<'a> {
    /// # Errors
    /// `CorruptData` when the bytes are too short for the number of elements they start with.
    pub(crate) fn new(bytes: &'a [u8]) -> Result<Self> {
        let count = bytes.first_chunk().map(|count| i32::from_le_bytes(*count));
        count
            .and_then(|count| usize::try_from(count).ok())
            .filter(|len| *len <= bytes.len() / 8 && slots_at(*len) + 8 * len <= bytes.len())
            .map(|len| Self { len, bytes })
            .ok_or_else(|| {
                let count = count.unwrap_or_default();
                Error::corrupt(format!("expected an array of {count} elements, found {} bytes", bytes.len()))
            })
    }

    /// The elements as longs.
    pub(crate) fn longs(self) -> impl Iterator<Item = Option<i64>> + 'a {
        (0..self.len).map(move |pos| {
            let at = slots_at(self.len) + 8 * pos;
            let mut word = [0; 8];
            word.copy_from_slice(&self.bytes[at..at + 8]);
            (!self.is_null(pos)).then(|| i64::from_le_bytes(word))
        })
    }

    /// The elements as texts; NULL is corrupt, as no list of names has one.
    pub(crate) fn strings(self) -> impl Iterator<Item = Result<String>> + 'a {
        (0..self.len).map(move |pos| {
            if self.is_null(pos) {
                return Err(Error::corrupt("expected a name in an array, found NULL"));
            }
            let bytes = bytes_of_slot(self.bytes, slots_at(self.len) + 8 * pos)?;
            String::from_utf8(bytes.to_vec()).map_err(|error| {
                Error::corrupt("expected text in an array, found bytes that are not UTF-8").with_source(error)
            })
        })
    }

    fn is_null(&self, pos: usize) -> bool {
        self.bytes[COUNT_BYTES + pos / 8] & 1 << (pos % 8) != 0
    }
}

/// Encodes an array of texts.
pub(crate) fn string_array(values: &[String]) -> Vec<u8> {
    let mut writer = array_writer(values.len());
    for (pos, value) in values.iter().enumerate() {
        writer.set_bytes(pos, value.as_bytes());
    }
    writer.buffer
}

/// Encodes an array of longs.
pub(crate) fn long_array(values: impl ExactSizeIterator<Item = Option<i64>>) -> Vec<u8> {
    let mut writer = array_writer(values.len());
    for (pos, value) in values.enumerate() {
        match value {
            Some(value) => writer.set_slot(pos, value as u64),
            None => writer.set_null(pos),
        }
    }
    writer.buffer
}

fn array_writer(len: usize) -> SectionWriter {
    let slots = slots_at(len);
    // The fixed part is padded to words as a whole; the slots are not aligned.
    let mut buffer = vec![0; (slots + 8 * len).next_multiple_of(8)];
    buffer[..COUNT_BYTES].copy_from_slice(&(len as u32).to_le_bytes());
    SectionWriter { buffer, start: 0, first_null_bit: 8 * COUNT_BYTES, slots }
}

/// Where the slots of an array of `len` elements start: after the count and the NULL bits in 4-byte words.
fn slots_at(len: usize) -> usize {
    COUNT_BYTES + len.div_ceil(32) * 4
}
