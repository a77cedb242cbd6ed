//! Columns of descriptors of values in one `.blob` file.

use std::ops::Range;

use arrow::array::{LargeBinaryArray, LargeBinaryBuilder};

use crate::BlobDescriptor;

/// A column of descriptors in the making. They differ in offset and length alone.
#[derive(Debug)]
pub(super) struct Descriptors {
    template: Vec<u8>,
    column: LargeBinaryBuilder,
}

/// Bytes of a descriptor after its URL.
const RANGE_BYTES: usize = 16;

impl Descriptors {
    /// Of values in the file at `url`.
    pub(super) fn new(url: &str) -> Self {
        let template = BlobDescriptor { uri: url, offset: 0, length: Some(0) }.encode();
        Self { template, column: LargeBinaryBuilder::new() }
    }

    /// Makes room for as many values.
    pub(super) fn with_capacity(url: &str, values: usize) -> Self {
        let Self { template, .. } = Self::new(url);
        let column = LargeBinaryBuilder::with_capacity(values, values.saturating_mul(template.len()));
        Self { template, column }
    }

    /// How many bytes one takes.
    pub(super) fn each_bytes(&self) -> usize {
        self.template.len()
    }

    /// Appends the descriptor of a range of the file, or NULL.
    pub(super) fn push(&mut self, range: Option<Range<u64>>) {
        let Some(range) = range else {
            self.column.append_null();
            return;
        };
        let at = self.template.len() - RANGE_BYTES;
        let (offset, length) = self.template[at..].split_at_mut(RANGE_BYTES / 2);
        offset.copy_from_slice(&range.start.to_le_bytes());
        length.copy_from_slice(&(range.end - range.start).to_le_bytes());
        self.column.append_value(&self.template);
    }

    /// The column.
    pub(super) fn finish(mut self) -> LargeBinaryArray {
        self.column.finish()
    }
}
