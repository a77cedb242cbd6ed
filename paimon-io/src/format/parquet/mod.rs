//! Parquet data files.

mod prune;
mod read;
mod schema;
mod stats;
mod write;

pub(super) use self::{read::open, write::create};

use paimon_spec::Error;
use parquet::errors::ParquetError;

/// An error of decoding.
fn corrupt(error: ParquetError) -> Error {
    Error::corrupt("not a readable Parquet file").with_source(error)
}
