//! ORC data files.
//!
//! The format is read from the bytes up: every length, count and nesting in a file is looked at before it is believed,
//! so that a damaged file ends in an error and never takes more memory than its sound parts.
//!
//! ```text
//! tail     the end of the file: types, stripes, statistics          (proto: protobuf messages, codec: compression)
//! stripe   one stripe: which streams it has, and where
//! input    the bytes of a stream, block by block
//! rle      runs of bytes, of bits and of integers
//! shape    which columns are read, and what of them
//! column   streams -> arrays                                       (zone, timestamp: what a timestamp means)
//! prune    statistics -> stripes that may hold a match
//! read     the whole file
//!
//! encode   arrays -> streams
//! write    streams -> stripes, and the tail
//! ```

mod codec;
mod column;
mod encode;
mod input;
mod proto;
mod prune;
mod read;
mod rle;
mod shape;
mod stripe;
mod tail;
mod timestamp;
mod write;
mod zone;

pub(super) use self::{
    read::{open, rows_in_question},
    write::create,
};

use paimon_spec::Error;

/// An error of decoding.
fn corrupt(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::corrupt(message)
}

#[cfg(test)]
mod tests;
