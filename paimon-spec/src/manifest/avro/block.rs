//! Compression of blocks.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use zstd::zstd_safe::{self, DCtx, InBuffer, OutBuffer};

use crate::{Error, Result, limits};

const ZSTD_LEVEL: i32 = 3;
const CRC_BYTES: usize = 4;

/// How the blocks of a file are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    Null,
    Deflate,
    Snappy,
    Zstandard,
}

impl Codec {
    /// By the name in an Avro file.
    pub(super) fn from_avro_name(name: &[u8]) -> Result<Self> {
        Ok(match name {
            b"null" => Self::Null,
            b"deflate" => Self::Deflate,
            b"snappy" => Self::Snappy,
            b"zstandard" => Self::Zstandard,
            other => {
                let name = String::from_utf8_lossy(other);
                return Err(Error::unsupported(format!("the Avro codec {name} is not supported yet")));
            }
        })
    }

    pub(super) fn avro_name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Deflate => "deflate",
            Self::Snappy => "snappy",
            Self::Zstandard => "zstandard",
        }
    }

    /// By the value of the option `manifest.compression`.
    pub(super) fn from_option(value: &str) -> Result<Self> {
        Ok(match value.to_ascii_lowercase().as_str() {
            "none" | "null" | "uncompressed" => Self::Null,
            "deflate" => Self::Deflate,
            "snappy" => Self::Snappy,
            "zstd" | "zstandard" => Self::Zstandard,
            _ => {
                return Err(Error::unsupported(format!(
                    "manifest compression {value} is not supported yet: choose zstd, deflate, snappy or none"
                )));
            }
        })
    }

    pub(super) fn compress(self, block: &[u8]) -> Result<Vec<u8>> {
        match self {
            Self::Null => Ok(block.to_vec()),
            Self::Deflate => deflate(block),
            Self::Snappy => {
                let mut out = snap::raw::Encoder::new().compress_vec(block).map_err(bug)?;
                out.extend_from_slice(&crc32fast::hash(block).to_be_bytes());
                Ok(out)
            }
            Self::Zstandard => {
                let mut compressor = zstd::bulk::Compressor::new(ZSTD_LEVEL).map_err(bug)?;
                compressor.include_checksum(true).map_err(bug)?;
                compressor.compress(block).map_err(bug)
            }
        }
    }
}

/// Decompresses the blocks of one file, within bounds.
pub(super) struct Decompressor {
    codec: Codec,
    zstd: Option<DCtx<'static>>,
    /// What the rest of the file may grow to.
    pub(super) budget: usize,
}

impl std::fmt::Debug for Decompressor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decompressor").field("codec", &self.codec).field("budget", &self.budget).finish_non_exhaustive()
    }
}

impl Decompressor {
    pub(super) fn new(codec: Codec) -> Self {
        Self { codec, zstd: None, budget: limits::MANIFEST_BYTES as usize }
    }

    pub(super) fn decompress(&mut self, block: &[u8]) -> Result<Vec<u8>> {
        let by_ratio = block.len().saturating_mul(limits::BLOCK_RATIO as usize).saturating_add(1 << 20);
        let limit = by_ratio.min(limits::BLOCK_BYTES as usize).min(self.budget);
        let out = match self.codec {
            Codec::Null if block.len() > limit => return Err(too_large(limit)),
            Codec::Null => block.to_vec(),
            Codec::Deflate => inflate(block, limit)?,
            Codec::Snappy => unsnap(block, limit)?,
            Codec::Zstandard => unzstd(self.zstd.get_or_insert_with(DCtx::create), block, limit)?,
        };
        self.budget -= out.len();
        Ok(out)
    }
}

fn unsnap(block: &[u8], limit: usize) -> Result<Vec<u8>> {
    let Some((block, checksum)) = block.split_last_chunk::<CRC_BYTES>() else {
        return Err(Error::corrupt(format!("expected a snappy block with its checksum, found {} bytes", block.len())));
    };
    let len = snap::raw::decompress_len(block).map_err(|error| damaged("snappy", error))?;
    if len > limit {
        return Err(too_large(limit));
    }
    let out = snap::raw::Decoder::new().decompress_vec(block).map_err(|error| damaged("snappy", error))?;
    let (wanted, found) = (u32::from_be_bytes(*checksum), crc32fast::hash(&out));
    if wanted != found {
        return Err(Error::corrupt(format!("expected checksum {wanted:08x} of an Avro block, found {found:08x}")));
    }
    Ok(out)
}

fn inflate(block: &[u8], limit: usize) -> Result<Vec<u8>> {
    let mut stream = Decompress::new(false);
    let mut out = Vec::with_capacity(first_guess(block, limit));
    loop {
        let (read, written) = (stream.total_in() as usize, out.len());
        let status = stream
            .decompress_vec(&block[read..], &mut out, FlushDecompress::None)
            .map_err(|error| damaged("deflate", error))?;
        if out.len() > limit {
            return Err(too_large(limit));
        }
        match status {
            Status::StreamEnd => return Ok(out),
            _ if out.len() == out.capacity() => grow(&mut out, limit),
            _ if stream.total_in() as usize == read && out.len() == written => {
                return Err(Error::corrupt("expected a whole deflate block, found a part"));
            }
            _ => {}
        }
    }
}

fn unzstd(context: &mut DCtx<'_>, block: &[u8], limit: usize) -> Result<Vec<u8>> {
    let damaged = |code| damaged("zstandard", zstd_safe::get_error_name(code));
    let declared = zstd_safe::get_frame_content_size(block).ok().flatten();
    let declared = declared.map(|len| usize::try_from(len).unwrap_or(usize::MAX));
    if declared.is_some_and(|len| len > limit) {
        return Err(too_large(limit));
    }
    // With room for all, the frame is decoded in one go and without a window.
    let mut out = Vec::with_capacity(declared.unwrap_or_else(|| first_guess(block, limit)));
    let mut input = InBuffer::around(block);
    context.reset(zstd_safe::ResetDirective::SessionOnly).map_err(damaged)?;
    loop {
        let (read, written) = (input.pos(), out.len());
        let left = {
            let mut buffer = OutBuffer::around_pos(&mut out, written);
            context.decompress_stream(&mut buffer, &mut input).map_err(damaged)?
        };
        if out.len() > limit {
            return Err(too_large(limit));
        }
        let all_read = input.pos() == block.len();
        if left == 0 && all_read {
            return Ok(out);
        }
        if out.len() == out.capacity() {
            grow(&mut out, limit);
        } else if input.pos() == read && out.len() == written || all_read && left > 0 {
            return Err(Error::corrupt("expected a whole zstandard block, found a part"));
        }
    }
}

/// Metadata shrinks to a fifth or so.
fn first_guess(block: &[u8], limit: usize) -> usize {
    block.len().saturating_mul(6).max(1 << 12).min(limit.saturating_add(1))
}

/// Doubles the room, up to one byte beyond the limit, which tells that there is too much.
fn grow(out: &mut Vec<u8>, limit: usize) {
    let wanted = out.capacity().saturating_mul(2).clamp(1, limit.saturating_add(1));
    out.reserve_exact(wanted.saturating_sub(out.len()).max(1));
}

fn deflate(block: &[u8]) -> Result<Vec<u8>> {
    let mut stream = Compress::new(Compression::default(), false);
    let mut out = Vec::with_capacity(block.len() / 2 + 64);
    loop {
        let read = stream.total_in() as usize;
        let status = stream.compress_vec(&block[read..], &mut out, FlushCompress::Finish).map_err(bug)?;
        if matches!(status, Status::StreamEnd) {
            return Ok(out);
        }
        out.reserve(out.capacity().max(64));
    }
}

#[cold]
fn too_large(limit: usize) -> Error {
    Error::corrupt(format!(
        "expected an Avro block of at most {limit} bytes when decompressed (limits BLOCK_BYTES, BLOCK_RATIO), found more"
    ))
}

#[cold]
fn damaged(codec: &'static str, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::corrupt(format!("expected a {codec} block in an Avro file, found other bytes")).with_source(error)
}

#[cold]
fn bug(error: impl std::error::Error) -> Error {
    Error::internal("paimon-spec", error)
}
