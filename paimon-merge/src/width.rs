//! How much memory rows take, as far as metadata tells.

use arrow::datatypes::DataType as ArrowType;

use crate::{KeyedLayout, opening::SplitFile};

/// How often bytes of a file become bytes of rows, where nothing else is known.
const DECOMPRESSED: u64 = 4;

/// The fewest rows of a batch: fewer make no progress worth the work.
const LEAST_ROWS: u64 = 64;

/// Rows of the layout that take about `bytes` when they come from these files.
pub(crate) fn batch_rows_within<'a>(
    bytes: u64,
    layout: &KeyedLayout,
    files: impl Iterator<Item = &'a SplitFile>,
) -> usize {
    usize::try_from((bytes / row_width(layout, files).max(1)).max(LEAST_ROWS)).unwrap_or(usize::MAX)
}

/// Bytes of the rows of a file in the columns of the layout.
pub(crate) fn file_bytes(layout: &KeyedLayout, file: &SplitFile) -> u64 {
    row_width(layout, [file].into_iter()).saturating_mul(u64::try_from(file.file.row_count).unwrap_or(0))
}

/// Bytes of the widest rows of files.
fn row_width<'a>(layout: &KeyedLayout, files: impl Iterator<Item = &'a SplitFile>) -> u64 {
    let fields = layout.schema().fields();
    let fixed: u64 = fields.iter().filter_map(|field| fixed_width(field.data_type())).sum();
    let varies = fields.iter().any(|field| fixed_width(field.data_type()).is_none());
    let varying = if varies { files.map(file_width).max().unwrap_or(0) } else { 0 };
    fixed.saturating_add(varying)
}

/// Bytes that a row of a file takes, about.
fn file_width(file: &SplitFile) -> u64 {
    let number = |value: i64| u64::try_from(value).unwrap_or(0);
    (number(file.file.file_size) / number(file.file.row_count).max(1)).saturating_mul(DECOMPRESSED)
}

/// Bytes of a value; `None` when values differ.
fn fixed_width(data_type: &ArrowType) -> Option<u64> {
    match data_type {
        ArrowType::Boolean => Some(1),
        other => other.primitive_width().map(|width| width as u64),
    }
}
