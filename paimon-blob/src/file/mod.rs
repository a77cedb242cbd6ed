//! `.blob` files: one column of large values each (`BLOB`, `ARRAY<BLOB>` or `MAP<k, BLOB>`).
//!
//! ```text
//! record*   magic (4 bytes), payload, length of the record (i64), CRC32 of all before (u32)
//! index     the lengths of all rows' records: differences, zigzag, LEB128; -1: NULL, -2: left to older files
//! footer    length of the index (i32), version (u8)
//! ```
//!
//! Little-endian throughout. Who wrote what: Java `BlobFormatWriter`, `ArrayBlobElementSerializer`,
//! `MapBlobElementSerializer`.

mod copy;
mod descriptors;
mod index;
mod keys;
mod nested;
mod read;
mod record;
mod varint;
mod write;

use std::sync::Arc;

use async_trait::async_trait;
use paimon_io::{BatchStream, FileFormat, FileRead, FileTarget, FileWriter, IoContext, Storage, TableStore};
use paimon_spec::{DataFileMeta, DataType, Error, Result, RowSet, TypeKind};

use self::index::Record;
pub(crate) use self::record::{FRAME_BYTES, HEAD_BYTES, TRAILER_BYTES, check_magic, check_trailer};
pub use self::{index::BlobIndex, record::check_record};

/// `context` with `.blob` files among its formats.
#[must_use]
pub fn register(mut context: IoContext) -> IoContext {
    context.formats = context.formats.with(Arc::new(BlobFormat));
    context
}

/// `.blob` files.
#[derive(Debug)]
struct BlobFormat;

#[async_trait]
impl FileFormat for BlobFormat {
    fn extension(&self) -> &'static str {
        "blob"
    }

    async fn open(
        &self,
        store: &TableStore,
        storage: &Storage,
        path: &str,
        file: &DataFileMeta,
        read: &FileRead,
    ) -> Result<BatchStream> {
        let index = BlobIndex::of_file(store.context(), storage, path, file).await?;
        read::open(index, storage, path, file, read)
    }

    async fn rows_left_open(
        &self,
        store: &TableStore,
        storage: &Storage,
        path: &str,
        file: &DataFileMeta,
    ) -> Result<RowSet> {
        let index = BlobIndex::of_file(store.context(), storage, path, file).await?;
        // An index is of at most 2^26 bytes, and each row takes one.
        let rows = (0_u32..).zip(index.records(0..index.rows()));
        Ok(RowSet::from_positions(rows.filter(|(_, record)| *record == Record::LeftOpen).map(|(row, _)| row)))
    }

    fn create(&self, store: &TableStore, path: &str, target: &FileTarget) -> Result<Box<dyn FileWriter>> {
        write::create(store, path, target)
    }
}

/// What a value of a column of `.blob` files is.
#[derive(Debug, Clone, PartialEq)]
enum Shape {
    /// One blob.
    Blob,
    /// Blobs in an order.
    Array,
    /// Blobs by key.
    Map(keys::KeyKind),
}

impl Shape {
    /// # Errors
    /// `Unsupported` for columns of other types, which have their place in other files.
    fn of(data_type: &DataType) -> Result<Self> {
        match &data_type.kind {
            TypeKind::Blob => Ok(Self::Blob),
            TypeKind::Array(element) if element.is_blob() => Ok(Self::Array),
            TypeKind::Map(key, value) if value.is_blob() => Ok(Self::Map(keys::KeyKind::of(key)?)),
            _ => Err(Error::unsupported(format!("columns of type {data_type} in blob files"))),
        }
    }
}

#[cfg(test)]
mod tests;
