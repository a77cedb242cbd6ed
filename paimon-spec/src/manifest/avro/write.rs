//! Writing Avro object container files.

use super::block::Codec;
use super::container::{MAGIC, SYNC_BYTES};
use crate::Result;

/// Blocks are closed when they have so many bytes, before compression.
const BLOCK_BYTES: usize = 1 << 16;

/// Writes Avro's primitive encodings.
#[derive(Debug, Default)]
pub(in crate::manifest) struct Encoder {
    bytes: Vec<u8>,
}

impl Encoder {
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Bytes as they are.
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// An `int` or `long`.
    pub(in crate::manifest) fn long(&mut self, value: i64) {
        let mut rest = (value << 1 ^ value >> 63) as u64;
        while rest >= 0x80 {
            self.bytes.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        self.bytes.push(rest as u8);
    }

    /// `bytes` or `string`.
    pub(in crate::manifest) fn bytes(&mut self, value: &[u8]) {
        self.long(value.len() as i64);
        self.bytes.extend_from_slice(value);
    }

    /// A value of a union of null with something else.
    pub(in crate::manifest) fn nullable<T>(&mut self, value: Option<T>, encode: impl FnOnce(&mut Self, T)) {
        self.long(value.is_some().into());
        if let Some(value) = value {
            encode(self, value);
        }
    }

    pub(in crate::manifest) fn array<T>(&mut self, items: &[T], mut encode: impl FnMut(&mut Self, &T)) {
        if !items.is_empty() {
            self.long(items.len() as i64);
            items.iter().for_each(|item| encode(self, item));
        }
        self.long(0);
    }
}

/// An Avro object container file, written record by record.
#[derive(Debug)]
pub(in crate::manifest) struct ContainerWriter {
    schema: String,
    codec: Codec,
    /// The records of the block that is being filled.
    block: Encoder,
    records: i64,
    /// Whole blocks: their number of records, and their compressed bytes.
    blocks: Vec<(i64, Vec<u8>)>,
}

impl ContainerWriter {
    /// `schema` is in JSON whose texts have no spaces; `compression` is a value of the option `manifest.compression`.
    ///
    /// # Errors
    /// `Unsupported` for an unknown compression.
    pub(in crate::manifest) fn new(schema: &str, compression: &str) -> Result<Self> {
        let codec = Codec::from_option(compression)?;
        let schema = schema.split_ascii_whitespace().collect();
        Ok(Self { schema, codec, block: Encoder::default(), records: 0, blocks: Vec::new() })
    }

    pub(in crate::manifest) fn record(&mut self, encode: impl FnOnce(&mut Encoder)) -> Result<()> {
        encode(&mut self.block);
        self.records += 1;
        if self.block.bytes.len() >= BLOCK_BYTES { self.close_block() } else { Ok(()) }
    }

    pub(in crate::manifest) fn finish(mut self) -> Result<Vec<u8>> {
        if self.records > 0 {
            self.close_block()?;
        }
        let first = self.blocks.first().map_or(&[][..], |(_, block)| block);
        let sync = sync_marker(&self.schema, first);
        let mut file = Encoder { bytes: MAGIC.to_vec() };
        let header = [("avro.schema", self.schema.as_str()), ("avro.codec", self.codec.avro_name())];
        file.array(&header, |file, (key, value)| {
            file.bytes(key.as_bytes());
            file.bytes(value.as_bytes());
        });
        file.bytes.extend_from_slice(&sync);
        for (records, block) in &self.blocks {
            file.long(*records);
            file.bytes(block);
            file.bytes.extend_from_slice(&sync);
        }
        Ok(file.bytes)
    }

    fn close_block(&mut self) -> Result<()> {
        self.blocks.push((self.records, self.codec.compress(&self.block.bytes)?));
        self.block.bytes.clear();
        self.records = 0;
        Ok(())
    }
}

/// Any 16 bytes would do that are unlikely within a block. Those of a hash (FNV-1a) make equal content equal bytes.
fn sync_marker(schema: &str, first_block: &[u8]) -> [u8; SYNC_BYTES] {
    const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    let bytes = schema.as_bytes().iter().chain(first_block);
    let hash = bytes.fold(OFFSET, |hash, byte| (hash ^ u128::from(*byte)).wrapping_mul(PRIME));
    hash.to_be_bytes()
}
