//! Whether a dictionary of a column's values is worth its while.

use std::collections::HashSet;

use arrow::{
    array::{Array, ArrayRef, AsArray},
    datatypes::DataType as ArrowType,
};

/// Values that are looked at.
const SAMPLE: usize = 1024;

/// Of so many values one comes again, at least, where a dictionary pays: with fewer it has tens of thousands of entries,
/// and is given up at its size limit after every value was looked up in it.
const REPEATED_ONE_IN: usize = 64;

/// Whether values of a column come again, as far as its first ones tell. It is assumed where too few are there, and of
/// nested values.
pub(super) fn values_repeat(column: &ArrayRef) -> bool {
    let sample = column.slice(0, column.len().min(SAMPLE));
    match sample.data_type() {
        ArrowType::Utf8 => repeat(sample.as_string::<i32>().iter().flatten().map(str::as_bytes)),
        ArrowType::Binary => repeat(sample.as_binary::<i32>().iter().flatten()),
        other => {
            let data = sample.to_data();
            let (Some(width), [values]) = (other.primitive_width(), data.buffers()) else { return true };
            let values = values.as_slice().chunks_exact(width).skip(data.offset()).take(data.len());
            repeat(values.enumerate().filter(|(row, _)| data.is_valid(*row)).map(|(_, value)| value))
        }
    }
}

fn repeat<'a>(values: impl Iterator<Item = &'a [u8]>) -> bool {
    let mut distinct = HashSet::with_capacity(SAMPLE);
    let count = values.map(|value| distinct.insert(value)).count();
    count < SAMPLE / 2 || (count - distinct.len()) * REPEATED_ONE_IN >= count
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, NullArray, StringArray};
    use rstest::rstest;

    use super::*;

    fn texts(value: impl Fn(i64) -> i64) -> ArrayRef {
        Arc::new((0..2000).map(|row| Some(value(row).to_string())).collect::<StringArray>())
    }

    #[rstest]
    #[case::different_numbers(Arc::new((0..2000).collect::<Int64Array>()), false)]
    #[case::different_texts(texts(|row| row), false)]
    #[case::few_numbers(Arc::new((0..2000).map(|row| Some(row % 900)).collect::<Int64Array>()), true)]
    #[case::few_texts(texts(|row| row % 50), true)]
    #[case::one_of_sixty_four_comes_again(texts(|row| row - row % 64 / 63), true)]
    #[case::too_few_to_tell(Arc::new((0..500).collect::<Int64Array>()), true)]
    #[case::nulls_are_no_values(Arc::new((0..2000).map(|row| (row % 3 == 0).then_some(row)).collect::<Int64Array>()), true)]
    #[case::what_stands_below_nulls_does_not_count(
        Arc::new((0..2000).map(|row| (row % 4 > 0).then_some(row)).collect::<Int64Array>()),
        false
    )]
    #[case::no_values_at_all(Arc::new(NullArray::new(2000)), true)]
    fn a_dictionary_pays_where_values_come_again(#[case] column: ArrayRef, #[case] expected: bool) {
        assert_eq!(values_repeat(&column), expected);
        let rows = column.len() - 3;
        assert_eq!(values_repeat(&column.slice(3, rows)), expected, "of a slice");
    }
}
