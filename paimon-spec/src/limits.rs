//! Bounds on what is made of bytes from storage, so that a damaged or hostile file ends in an error and not in a process
//! without memory.
//!
//! Sizes that a file states are compared with these before anything is allocated for them. All bounds are far above what
//! writers make; each says what it is derived from. Together they keep what a file decodes to below a gibibyte at a time.

use crate::Error;

/// Bytes of a file in JSON: a schema, a snapshot, a tag. A schema of 10,000 columns has about two million.
pub const JSON_FILE_BYTES: u64 = 64 << 20;

/// Bytes of a hint file, which holds a number.
pub const HINT_FILE_BYTES: u64 = 1 << 10;

/// Bytes that one block of a file may decompress to: a block of an Avro file, a page of a Parquet file. Writers make
/// blocks of a mebibyte or less, or of a single value where that is larger.
pub const BLOCK_BYTES: u64 = 256 << 20;

/// How many times its compressed size a block of an Avro file may grow to, above a first mebibyte.
pub const BLOCK_RATIO: u64 = 4096;

/// Bytes that all blocks of a manifest may decompress to. Manifests are split at some megabytes.
pub const MANIFEST_BYTES: u64 = 1 << 30;

/// Bytes that all blocks of a manifest list or an index manifest may decompress to. These are held whole, decoded.
pub const MANIFEST_LIST_BYTES: u64 = 128 << 20;

/// Entries of a manifest list or an index manifest, which name manifests of thousands of files each.
pub const MANIFEST_LIST_ENTRIES: u64 = 1 << 20;

/// Bytes of the metadata at the end of a data file, of each kind: the footer, the page index. What is decoded from it
/// takes about eight times as much.
pub const FOOTER_BYTES: u64 = 64 << 20;

/// Bytes that the values of a batch may take when they are decoded from blocks that hold more; a batch has as many rows
/// fewer, but at least one.
pub const BATCH_BYTES: u64 = 256 << 20;

/// Bytes of blocks of all columns that are held at the same time, decompressed: one for each column. Above this many, no
/// more than [`HELD_RATIO`] times what was read.
pub const HELD_BYTES: u64 = 512 << 20;

/// See [`HELD_BYTES`].
pub const HELD_RATIO: u64 = 64;

/// Items of the lists of a column that a row group may have. Above this many, no more than a bit of the file for each.
pub const LIST_ITEMS: u64 = 1 << 26;

/// The error of something that exceeds a limit: `what` is more than the `limit` called `name` allows.
pub fn exceeded(what: &str, name: &'static str, limit: u64, found: u64) -> Error {
    Error::corrupt(format!("expected {what} of at most {limit} (limit {name}), found {found}"))
}
