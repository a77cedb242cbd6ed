//! One bucket's rows of a primary-key table to sorted files of level 0. Java: `MergeTreeWriter`.
//!
//! | module | holds |
//! |---|---|
//! | `incoming` | what rows do to their keys, and in which order: the columns that a caller gives for it |
//! | `table` | what all buckets of a table share: layouts, functions, names of files, room on disk |
//! | `bucket` | [`KeyValueWriter`]: rows in memory and on disk, until they are merged into files |
//! | `output` | merged rows of one bucket to files of one kind |
//! | `unmerged` | a merge function that keeps all rows |
//! | `files` | columns of a data file, and its metadata |

mod bucket;
mod files;
mod incoming;
mod output;
mod table;
mod unmerged;

#[cfg(test)]
mod tests;

pub(crate) use bucket::KeyValueWriter;
pub(crate) use files::{KeyedColumns, KeyedSummary};
pub(crate) use incoming::{Incoming, IncomingRows};
pub(crate) use output::Output;
pub(crate) use table::{FileStyle, KeyedTable};
