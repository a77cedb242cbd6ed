//! Reading Avro object container files.

use bytes::Bytes;

use super::block::{Codec, Decompressor};
use super::cursor::Cursor;
use crate::{Error, Result};

pub(super) const MAGIC: [u8; 4] = *b"Obj\x01";
pub(super) const SYNC_BYTES: usize = 16;

/// An Avro object container file, read block by block.
pub(in crate::manifest) struct Container<'a> {
    /// The writer's schema, in JSON.
    schema: &'a [u8],
    decompressor: Decompressor,
    sync: &'a [u8],
    rest: Cursor<'a>,
}

impl<'a> Container<'a> {
    /// Reads the header.
    ///
    /// # Errors
    /// `CorruptData` when the bytes are not an Avro file; `Unsupported` for an unknown codec.
    pub(in crate::manifest) fn open(avro: &'a [u8]) -> Result<Self> {
        let Some(header) = avro.strip_prefix(&MAGIC) else {
            return Err(Error::corrupt(format!("expected an Avro file, found {} other bytes", avro.len())));
        };
        let mut rest = Cursor::new(header);
        let (mut schema, mut codec) = (None, Codec::Null);
        loop {
            let count = rest.block_count()?;
            if count == 0 {
                break;
            }
            for _ in 0..count {
                let (key, value) = (rest.bytes()?, rest.bytes()?);
                match key {
                    b"avro.schema" => schema = Some(value),
                    b"avro.codec" => codec = Codec::from_avro_name(value)?,
                    _ => {}
                }
            }
        }
        let schema = schema.ok_or_else(|| Error::corrupt("expected avro.schema in an Avro file, found none"))?;
        let sync = rest.take(SYNC_BYTES)?;
        Ok(Self { schema, decompressor: Decompressor::new(codec), sync, rest })
    }

    /// With another bound on what all blocks together decompress to; each block keeps its own.
    pub(in crate::manifest) fn with_budget(mut self, bytes: u64) -> Self {
        self.decompressor.budget = usize::try_from(bytes).unwrap_or(usize::MAX);
        self
    }

    /// How to decompress blocks, the sync marker, and how many bytes follow the header.
    pub(super) fn into_parts(self) -> (Decompressor, [u8; SYNC_BYTES], usize) {
        let mut sync = [0; SYNC_BYTES];
        sync.copy_from_slice(self.sync);
        (self.decompressor, sync, self.rest.remaining())
    }

    pub(in crate::manifest) fn schema(&self) -> &'a [u8] {
        self.schema
    }

    /// The next block, decompressed, and how many records it says to have; `None` at the end.
    ///
    /// # Errors
    /// `CorruptData` when the block is cut short, damaged, or grows too large.
    pub(in crate::manifest) fn next_block(&mut self) -> Result<Option<(u64, Bytes)>> {
        if self.rest.is_at_end() {
            return Ok(None);
        }
        let count = self.rest.long()?;
        let count =
            u64::try_from(count).map_err(|_| Error::corrupt(format!("expected a count of records, found {count}")))?;
        let block = self.rest.bytes()?;
        if self.rest.take(SYNC_BYTES)? != self.sync {
            return Err(Error::corrupt("expected the sync marker of the Avro file after a block, found other bytes"));
        }
        Ok(Some((count, self.decompressor.decompress(block)?.into())))
    }
}
