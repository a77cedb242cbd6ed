//! How much room the values of a BLOB column take in a `.blob` file, before they are written.

#[cfg(test)]
mod tests;

use arrow::array::{Array, AsArray, LargeBinaryArray, RecordBatch, StructArray};
use arrow::datatypes::{DataType as ArrowType, Int64Type};
use paimon_blob::BlobDescriptor;

/// What a value takes beside its bytes: magic, length and checksum (format facts §13).
const RECORD_OVERHEAD: u64 = 16;

/// How many rows of the one column of `batch`, which has at least one row, to write before looking at the size of the
/// file again: `blob.target-file-size` holds value by value, so that the last of them may reach `room`, but no other.
/// After a value whose size is not known, the file is looked at.
pub(crate) fn rows_that_reach(room: u64, batch: &RecordBatch) -> usize {
    let column = batch.column(0);
    let size_at: Box<dyn Fn(usize) -> Option<u64>> = match column.data_type() {
        ArrowType::LargeBinary => {
            let values = column.as_binary::<i64>();
            Box::new(|row| size_of_value(values, row))
        }
        ArrowType::Struct(_) => {
            let references = column.as_struct();
            Box::new(|row| size_of_reference(references, row))
        }
        _ => return 1,
    };
    let mut taken = 0_u64;
    for row in 0..column.len() {
        let Some(size) = size_at(row) else { return row + 1 };
        taken = taken.saturating_add(size);
        if taken >= room {
            return row + 1;
        }
    }
    column.len()
}

fn size_of_value(values: &LargeBinaryArray, row: usize) -> Option<u64> {
    if values.is_null(row) {
        return Some(0);
    }
    let value = values.value(row);
    let length = if BlobDescriptor::looks_like(value) {
        BlobDescriptor::decode(value).ok()?.length?
    } else {
        value.len() as u64
    };
    Some(length.saturating_add(RECORD_OVERHEAD))
}

fn size_of_reference(references: &StructArray, row: usize) -> Option<u64> {
    if references.is_null(row) {
        return Some(0);
    }
    let sizes = references.column_by_name("size")?.as_primitive_opt::<Int64Type>()?;
    let size = if sizes.is_valid(row) { u64::try_from(sizes.value(row)).ok()? } else { return None };
    Some(size.saturating_add(RECORD_OVERHEAD))
}
