//! Compression: blocks with a header of three bytes, of which each unfolds to at most the size that the file states.

use std::io::Cursor;

use bytes::Bytes;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use paimon_spec::{Error, Result};

use super::corrupt;

/// Bytes of a block's header.
const HEADER_BYTES: usize = 3;

/// A block's header has 23 bits for its length, so no writer makes larger ones.
const MAX_BLOCK_BYTES: u64 = 1 << 23;

/// The decoder of LZO takes no limit, and LZO unfolds to 255 times its size at most: this keeps it below 256 MiB.
const MAX_LZO_BLOCK_BYTES: u64 = 1 << 20;

/// Size of a block when the file does not say, as the specification has it.
const DEFAULT_BLOCK_BYTES: u64 = 256 << 10;

/// How the blocks of a file are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Codec {
    method: Method,
    /// No block unfolds to more.
    block_bytes: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    Zlib,
    Snappy,
    Lzo,
    Lz4,
    Zstd,
}

impl Codec {
    /// The codec that a postscript states; `None`: the file is not compressed.
    pub(super) fn new(kind: u64, block_bytes: Option<u64>) -> Result<Option<Self>> {
        let method = match kind {
            0 => return Ok(None),
            1 => Method::Zlib,
            2 => Method::Snappy,
            3 => Method::Lzo,
            4 => Method::Lz4,
            5 => Method::Zstd,
            6 => return Err(Error::unsupported("ORC files with Brotli compression are not supported")),
            other => return Err(Error::unsupported(format!("ORC files with compression {other} are not supported"))),
        };
        let block_bytes = block_bytes.unwrap_or(DEFAULT_BLOCK_BYTES);
        let limit = if method == Method::Lzo { MAX_LZO_BLOCK_BYTES } else { MAX_BLOCK_BYTES };
        if block_bytes == 0 || block_bytes > limit {
            return Err(corrupt(format!("wanted compressed blocks of 1 to {limit} bytes, found {block_bytes}")));
        }
        Ok(Some(Self { method, block_bytes: block_bytes as usize }))
    }

    /// The codec of files of ours, by the name that the table's options have for it.
    ///
    /// # Errors
    /// `Unsupported` for compressions that are not written.
    pub(super) fn of_option(name: &str) -> Result<Option<Self>> {
        let method = match name.to_ascii_lowercase().as_str() {
            "zstd" => Method::Zstd,
            "zlib" => Method::Zlib,
            "snappy" => Method::Snappy,
            "lz4" => Method::Lz4,
            "none" | "uncompressed" => return Ok(None),
            _ => {
                return Err(Error::unsupported(format!(
                    "option file.compression of '{name}' for ORC files; supported are zstd, zlib, snappy, lz4 and none"
                )));
            }
        };
        Ok(Some(Self { method, block_bytes: DEFAULT_BLOCK_BYTES as usize }))
    }

    /// What a postscript states: the number of the compression, and the size of a block.
    pub(super) fn stated(&self) -> (u64, u64) {
        let kind = match self.method {
            Method::Zlib => 1,
            Method::Snappy => 2,
            Method::Lzo => 3,
            Method::Lz4 => 4,
            Method::Zstd => 5,
        };
        (kind, self.block_bytes as u64)
    }

    /// `bytes` as blocks; `level` is for zstd.
    pub(super) fn fold(&self, bytes: &[u8], level: i32) -> Result<Vec<u8>> {
        let mut stream = Vec::new();
        for block in bytes.chunks(self.block_bytes) {
            let folded = self.fold_block(block, level)?;
            // What zstd folded has a checksum, which is worth its bytes also where nothing else is gained.
            let most = if matches!(self.method, Method::Zstd) { self.block_bytes } else { block.len() - 1 };
            let (original, part) = match &folded {
                Some(folded) if folded.len() <= most => (0, folded.as_slice()),
                _ => (1, block),
            };
            stream.extend_from_slice(&((part.len() as u32) << 1 | original).to_le_bytes()[..HEADER_BYTES]);
            stream.extend_from_slice(part);
        }
        Ok(stream)
    }

    /// `None`: it does not get smaller.
    fn fold_block(&self, block: &[u8], level: i32) -> Result<Option<Vec<u8>>> {
        Ok(Some(match self.method {
            Method::Zlib => {
                let mut out = Vec::with_capacity(block.len());
                let mut deflate = Compress::new(Compression::default(), false);
                let status = deflate.compress_vec(block, &mut out, FlushCompress::Finish);
                match status.map_err(|e| Error::internal("paimon-io", e))? {
                    Status::StreamEnd => out,
                    _ => return Ok(None),
                }
            }
            Method::Snappy => {
                snap::raw::Encoder::new().compress_vec(block).map_err(|e| Error::internal("paimon-io", e))?
            }
            Method::Lz4 => lz4_flex::block::compress(block),
            Method::Zstd => {
                let internal = |e| Error::internal("paimon-io", e);
                let mut compressor = zstd::bulk::Compressor::new(level).map_err(internal)?;
                compressor.include_checksum(true).map_err(internal)?;
                compressor.compress(block).map_err(internal)?
            }
            Method::Lzo => return Ok(None),
        }))
    }

    /// The next block of `stream`, unfolded, which must not be at its end.
    pub(super) fn next_block(&self, stream: &mut Bytes) -> Result<Bytes> {
        let header = stream.first_chunk::<HEADER_BYTES>().ok_or_else(|| corrupt("a stream ends within a header"))?;
        let header = u32::from_le_bytes([header[0], header[1], header[2], 0]);
        let (original, length) = (header & 1 == 1, (header >> 1) as usize);
        if stream.len() - HEADER_BYTES < length {
            return Err(corrupt(format!(
                "wanted a block of {length} bytes, found {} in its stream",
                stream.len() - HEADER_BYTES
            )));
        }
        if length > self.block_bytes {
            return Err(corrupt(format!("a block has {length} bytes, where {} is the limit", self.block_bytes)));
        }
        let _ = stream.split_to(HEADER_BYTES);
        let block = stream.split_to(length);
        if original { Ok(block) } else { self.unfold(&block) }
    }

    /// All blocks of `stream`, which are `limit` bytes at most.
    pub(super) fn all_blocks(&self, mut stream: Bytes, limit: usize) -> Result<Bytes> {
        let mut all = Vec::new();
        while !stream.is_empty() {
            let block = self.next_block(&mut stream)?;
            if all.len() + block.len() > limit {
                return Err(corrupt(format!("a part of the file's metadata has more than {limit} bytes")));
            }
            if stream.is_empty() && all.is_empty() {
                return Ok(block);
            }
            all.extend_from_slice(&block);
        }
        Ok(all.into())
    }

    fn unfold(&self, block: &[u8]) -> Result<Bytes> {
        let limit = self.block_bytes;
        let unfolded = match self.method {
            Method::Zlib => {
                let mut out = Vec::with_capacity(limit);
                let mut inflate = Decompress::new(false);
                match inflate.decompress_vec(block, &mut out, FlushDecompress::Finish).map_err(bad_block)? {
                    Status::StreamEnd => out,
                    _ => return Err(corrupt("a compressed block is cut off, or larger than the file says")),
                }
            }
            Method::Snappy => {
                let length = snap::raw::decompress_len(block).map_err(bad_block)?;
                let mut out = vec![0; length.min(limit)];
                snap::raw::Decoder::new().decompress(block, &mut out).map_err(bad_block)?;
                out
            }
            Method::Lzo => {
                let out = lzokay_native::decompress(&mut Cursor::new(block), None).map_err(bad_block)?;
                if out.len() > limit {
                    return Err(corrupt("a compressed block is larger than the file says"));
                }
                out
            }
            Method::Lz4 => {
                let mut out = vec![0; limit];
                let length = lz4_flex::block::decompress_into(block, &mut out).map_err(bad_block)?;
                out.truncate(length);
                out
            }
            Method::Zstd => zstd::bulk::decompress(block, limit).map_err(bad_block)?,
        };
        Ok(unfolded.into())
    }
}

fn bad_block(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    corrupt("a compressed block cannot be decompressed").with_source(error)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// Also where the block does not get smaller.
    #[rstest]
    #[case::compressible(&[7; 300])]
    #[case::incompressible(b"0123456789abcdef")]
    fn a_flipped_bit_of_what_zstd_folded_is_an_error(#[case] block: &'static [u8]) {
        let codec = Codec::of_option("zstd").unwrap().unwrap();
        let stream = codec.fold(block, 1).unwrap();
        assert_eq!(codec.all_blocks(stream.clone().into(), block.len()).unwrap(), block);
        for bit in HEADER_BYTES * 8..stream.len() * 8 {
            let mut damaged = stream.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            match codec.all_blocks(damaged.into(), block.len()) {
                Err(_) => {}
                Ok(found) => assert_eq!(found, block, "bit {bit}"),
            }
        }
    }
}
