//! File indexes: what a data file holds, told without opening it.
//!
//! The indexes of one data file are one container of bytes, in its manifest entry (`_EMBEDDED_FILE_INDEX`) or, when
//! larger, in a file `<data file>.index` beside it (`_EXTRA_FILES`). A head says which column has which indexes and where
//! their bytes are; all numbers are big-endian, Roaring bitmaps are in their portable form.
//!
//! | index | answers | with |
//! |---|---|---|
//! | `bloom-filter` | `=`, `IN` | no row, or maybe some |
//! | `bitmap` | `=`, `<>`, `IN`, NULL | rows |
//! | `bsi`, `range-bitmap` | the same, ranges, prefixes of texts | rows |
//!
//! - [`evaluate_file_index`] tells what a predicate leaves of a file. It reads no more than it needs: where bytes are not
//!   at hand yet it says which.
//! - [`IndexBuilder`] makes an index of a column's values, [`encode_file_index`] a container of them.
//! - [`FileIndexOptions`] is what a table's options ask for.
//!
//! Invariant: a verdict may keep too much, never too little. An index of a kind or version that is not known here says
//! nothing; one that is damaged is an error as far as that can be told.

mod bit_slices;
mod bitmap;
mod bloom;
mod bsi;
mod build;
mod bytes;
mod container;
mod evaluate;
mod hash;
mod key;
mod options;
mod range_bitmap;
mod rows;

#[cfg(test)]
mod tests;

pub use build::IndexBuilder;
pub use bytes::IndexBytes;
pub use container::{ColumnIndex, encode_file_index};
pub use evaluate::{IndexAnswer, IndexVerdict, evaluate_file_index};
pub use key::IndexValue;
pub use options::{FileIndexOptions, IndexKind, IndexedColumn, file_index_may_answer};
pub use rows::RowSet;
