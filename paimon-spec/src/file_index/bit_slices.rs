//! Numbers of rows, stored bit by bit: one bitmap for each bit, with the rows whose number has it.

use roaring::RoaringBitmap;

use super::rows::encode_rows;
use crate::{Error, Result};

/// The numbers of some rows.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct BitSlices {
    /// The rows that have a number.
    pub(super) rows: RoaringBitmap,
    /// By bit, the lowest first.
    slices: Vec<RoaringBitmap>,
}

impl BitSlices {
    /// # Errors
    /// `CorruptData` when a bit belongs to a row that has no number.
    pub(super) fn new(rows: RoaringBitmap, slices: Vec<RoaringBitmap>) -> Result<Self> {
        match slices.iter().position(|slice| !slice.is_subset(&rows)) {
            None => Ok(Self { rows, slices }),
            Some(bit) => {
                Err(Error::corrupt(format!("expected bit {bit} of rows that have values, found it of others")))
            }
        }
    }

    /// From numbers of `bits` bits, and the rows that have them.
    pub(super) fn from_numbers(numbers: impl Iterator<Item = (u64, RoaringBitmap)>, bits: usize) -> Self {
        let mut by_row: Vec<(u32, u64)> =
            numbers.flat_map(|(number, rows)| rows.into_iter().map(move |row| (row, number))).collect();
        by_row.sort_unstable();
        // Bitmaps are quick to fill in the order of their rows.
        let rows_of = |wanted: &dyn Fn(u64) -> bool| {
            let mut rows = RoaringBitmap::new();
            by_row.iter().filter(|(_, number)| wanted(*number)).for_each(|(row, _)| _ = rows.insert(*row));
            rows
        };
        let slices = (0..bits).map(|bit| rows_of(&|number| number >> bit & 1 == 1)).collect();
        Self { rows: rows_of(&|_| true), slices }
    }

    /// The bitmaps of the bits, encoded.
    pub(super) fn encode_slices(self) -> Result<Vec<Vec<u8>>> {
        self.slices.into_iter().map(encode_rows).collect()
    }

    /// Rows with a number below `bound` (P. O'Neil and D. Quass, "Improved query performance with variant indexes").
    pub(super) fn below(&self, bound: u64) -> RoaringBitmap {
        let bits = self.slices.len();
        if bits < 64 && bound >> bits != 0 {
            return self.rows.clone();
        }
        let (mut below, mut equal) = (RoaringBitmap::new(), self.rows.clone());
        for (bit, slice) in self.slices.iter().enumerate().rev() {
            if bound >> bit & 1 == 1 {
                below |= &equal - slice;
                equal &= slice;
            } else {
                equal -= slice;
            }
        }
        below
    }

    /// Rows with a number from `first` to `last`, both included.
    pub(super) fn between(&self, first: u64, last: u64) -> RoaringBitmap {
        let up_to_last = match last.checked_add(1) {
            Some(bound) => self.below(bound),
            None => self.rows.clone(),
        };
        up_to_last - self.below(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ranges_are_those_of_a_plain_look(
            numbers in proptest::collection::vec(0u64..40, 0..60),
            wide in proptest::collection::vec(any::<u64>(), 0..5),
            first in 0u64..50,
            len in 0u64..50,
        ) {
            for (numbers, bits, first, last) in [
                (&numbers, 6, first, first + len),
                (&numbers, 6, 0, u64::MAX),
                (&wide, 64, first << 58, u64::MAX - len),
            ] {
                let rows = numbers.iter().zip(0u32..).map(|(number, row)| (*number, RoaringBitmap::from([row])));
                let slices = BitSlices::from_numbers(rows, bits);
                let wanted = numbers.iter().zip(0u32..).filter(|(n, _)| (first..=last).contains(*n)).map(|(_, row)| row);
                prop_assert!(slices.between(first, last).iter().eq(wanted));
            }
        }
    }
}
