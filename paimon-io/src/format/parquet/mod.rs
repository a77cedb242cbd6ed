//! Parquet data files.

mod checksum;
mod decode;
mod delta;
mod footer;
mod late_filter;
mod page;
mod pages;
mod pieces;
mod prune;
mod read;
mod repeats;
mod row_groups;
mod schema;
mod stats;
mod thrift;
mod write;

pub(super) use self::{
    read::{open, rows_in_question},
    write::create,
};

use paimon_spec::Error;
use parquet::errors::ParquetError;

/// An error of decoding.
fn corrupt(error: ParquetError) -> Error {
    Error::corrupt("not a readable Parquet file").with_source(error)
}
