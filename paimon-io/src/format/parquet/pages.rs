//! Looks at the pages of column chunks before they are decoded: whether their headers are true, and how much memory their
//! values will take.

use std::{borrow::Cow, io::Read, ops::Range};

use bytes::Bytes;
use paimon_spec::{Error, Result, limits};
use parquet::{
    basic::{Compression, Encoding, Type},
    file::metadata::{ColumnChunkMetaData, ParquetMetaData},
};

use super::{
    delta::check_streams,
    page::{PageHeader, PageKind},
};

const DELTA_LENGTH_BYTE_ARRAY: i64 = 6;
const DELTA_BYTE_ARRAY: i64 = 7;

/// Bytes of a value of a type without a length.
const NUMBER_BYTES: u64 = 16;

/// What the pages of a row group take, of the columns that were fetched.
#[derive(Debug, Default)]
pub(super) struct Load {
    columns: Vec<Column>,
    /// Bytes as they are in the file.
    fetched: u64,
}

#[derive(Debug)]
struct Column {
    /// Rows of the row group.
    rows: u64,
    is_list: bool,
    /// Of data pages: values, and bytes when decompressed.
    pages: Vec<(u64, u64)>,
    /// Bytes of the dictionary.
    dictionary: u64,
    /// Bytes of the longest value that may take less room in a page.
    longest: u64,
}

impl Load {
    /// Adds parts of a row group: whole column chunks, or pages of them.
    ///
    /// # Errors
    /// `CorruptData` when a page's header contradicts its bytes or the footer, or a page exceeds a limit.
    pub(super) fn add(
        &mut self,
        metadata: &ParquetMetaData,
        row_group: usize,
        ranges: &[Range<u64>],
        parts: &[Bytes],
        batch_rows: usize,
    ) -> Result<()> {
        let group = metadata.row_group(row_group);
        let rows = group.num_rows().max(0) as u64;
        for (leaf, chunk) in group.columns().iter().enumerate() {
            let (start, length) = chunk.byte_range();
            let whole = start..start + length;
            let mut column = None;
            for (range, part) in ranges.iter().zip(parts) {
                if range.is_empty() || range.start < whole.start || range.end > whole.end {
                    continue;
                }
                let column = column.get_or_insert_with(|| Column::new(rows, chunk));
                let located = metadata.offset_index().and_then(|index| index.get(row_group)?.get(leaf));
                let wanted = if *range == whole {
                    Some(chunk.num_values() as u64)
                } else {
                    let locations = located.map(|index| index.page_locations.as_slice()).unwrap_or_default();
                    rows_at(locations, range.start, rows).filter(|_| !column.is_list)
                };
                let in_column = |error: Error| error.with_context("column", chunk.column_path().string());
                column.add(chunk, part, wanted, batch_rows).map_err(in_column)?;
                self.fetched = self.fetched.saturating_add(part.len() as u64);
            }
            self.columns.extend(column);
        }
        self.check_held()
    }

    /// How many rows a batch may have, `wanted` at most, so that it takes `most` bytes at most.
    pub(super) fn batch_rows(&self, wanted: usize, most: u64) -> usize {
        let mut rows = wanted as u64;
        while rows > 1 && self.batch_bytes(rows) > most.min(limits::BATCH_BYTES) {
            rows /= 2;
        }
        rows as usize
    }

    fn batch_bytes(&self, rows: u64) -> u64 {
        self.columns.iter().map(|column| column.batch_bytes(rows)).fold(0, u64::saturating_add)
    }

    /// While a column is decoded, its dictionary and one of its pages are there.
    fn check_held(&self) -> Result<()> {
        let held = |column: &Column| {
            column.dictionary.saturating_add(column.pages.iter().map(|(_, bytes)| *bytes).max().unwrap_or(0))
        };
        let held = self.columns.iter().map(held).fold(0, u64::saturating_add);
        let most = limits::HELD_BYTES.max(self.fetched.saturating_mul(limits::HELD_RATIO));
        if held > most {
            return Err(limits::exceeded("pages of all columns together", "HELD_BYTES", most, held));
        }
        Ok(())
    }
}

impl Column {
    fn new(rows: u64, chunk: &ColumnChunkMetaData) -> Self {
        let descriptor = chunk.column_descr();
        let longest = match chunk.column_type() {
            Type::FIXED_LEN_BYTE_ARRAY => descriptor.type_length().max(0) as u64,
            _ => 0,
        };
        Self { rows, is_list: descriptor.max_rep_level() > 0, pages: Vec::new(), dictionary: 0, longest }
    }

    /// Adds consecutive pages that have `wanted` values, if that is known.
    fn add(&mut self, chunk: &ColumnChunkMetaData, part: &Bytes, wanted: Option<u64>, batch_rows: usize) -> Result<()> {
        let mut at = 0;
        let mut found = 0_u64;
        while at < part.len() && wanted.is_none_or(|wanted| found < wanted) {
            let header = PageHeader::decode(&part[at..])?;
            let body_at = at + header.len;
            let body =
                body_at.checked_add(header.compressed).and_then(|end| part.get(body_at..end)).ok_or_else(|| {
                    Error::corrupt(format!(
                        "expected a page of {} bytes at byte {body_at} of a column chunk, found {}",
                        header.compressed,
                        part.len() - body_at
                    ))
                })?;
            check_size(&header, chunk.compression())?;
            match header.kind {
                PageKind::Data => {
                    check_encoding(&header, chunk)?;
                    found = found.saturating_add(header.values);
                    self.pages.push((header.values, header.uncompressed as u64));
                    let streams = match header.encoding {
                        DELTA_LENGTH_BYTE_ARRAY => 1,
                        DELTA_BYTE_ARRAY => 2,
                        _ => 0,
                    };
                    if streams > 0 {
                        check_lengths(&header, chunk, body, streams)?;
                    }
                    // Such values share their beginnings, so a page of any size may have a long one many times.
                    if header.encoding == DELTA_BYTE_ARRAY {
                        self.longest = self.longest.max(header.uncompressed as u64);
                    }
                }
                PageKind::Dictionary => {
                    self.dictionary = header.uncompressed as u64;
                    if chunk.column_type() == Type::BYTE_ARRAY {
                        let longest = self.longest_in_dictionary(chunk.compression(), &header, body, batch_rows)?;
                        self.longest = self.longest.max(longest);
                    }
                }
                PageKind::Other => {}
            }
            at = body_at + header.compressed;
        }
        match wanted {
            Some(wanted) if wanted != found => {
                Err(Error::corrupt(format!("expected pages of {wanted} values in all, found {found}")))
            }
            _ => Ok(()),
        }
    }

    /// Bytes of the longest value in a dictionary, or a bound that is low enough.
    fn longest_in_dictionary(
        &self,
        compression: Compression,
        header: &PageHeader,
        body: &[u8],
        batch_rows: usize,
    ) -> Result<u64> {
        let all = header.uncompressed as u64;
        let rows = if self.is_list { u64::MAX } else { self.rows.min(batch_rows as u64) };
        // Most dictionaries are small enough not to matter.
        if all.saturating_mul(rows) <= limits::BATCH_BYTES / 8 {
            return Ok(all);
        }
        let Some(page) = decompress(compression, body, header.uncompressed)? else { return Ok(all) };
        let (mut longest, mut rest) = (0, &page[..]);
        while let Some((len, after)) = rest.split_first_chunk() {
            let len = u32::from_le_bytes(*len);
            longest = longest.max(u64::from(len));
            rest = after.get(len as usize..).ok_or_else(|| {
                Error::corrupt(format!("expected a value of {len} bytes in a dictionary, found {}", after.len()))
            })?;
        }
        Ok(longest)
    }

    /// Bytes that a batch of `rows` may take, wherever it starts.
    fn batch_bytes(&self, rows: u64) -> u64 {
        if self.is_list {
            // Where rows start is not known, so lists are taken to be of about the same length.
            let (values, bytes) = self.pages.iter().fold((0_u64, 0_u64), |(values, bytes), page| {
                (values.saturating_add(page.0), bytes.saturating_add(page.1))
            });
            let all = bytes.saturating_add(values.saturating_mul(self.longest.max(NUMBER_BYTES)));
            return if rows >= self.rows { all } else { share(all, rows, self.rows) };
        }
        let repeated = rows.min(self.rows).saturating_mul(self.longest);
        let mut most = 0;
        for (first, page) in self.pages.iter().enumerate() {
            let mut bytes = share(page.1, rows, page.0);
            let mut before = 0_u64;
            for (values, page) in &self.pages[first + 1..] {
                if before >= rows {
                    break;
                }
                bytes = bytes.saturating_add(share(*page, rows, *values));
                before = before.saturating_add(*values);
            }
            most = most.max(bytes);
        }
        repeated.saturating_add(most)
    }
}

/// The part of `bytes` of `all` things that `some` of them take.
fn share(bytes: u64, some: u64, all: u64) -> u64 {
    if some >= all { bytes } else { (u128::from(bytes) * u128::from(some)).div_ceil(u128::from(all.max(1))) as u64 }
}

/// The rows of the page at `start`, by the offset index; `None`: no page starts there.
fn rows_at(locations: &[parquet::file::page_index::offset_index::PageLocation], start: u64, rows: u64) -> Option<u64> {
    let at = locations.iter().position(|location| u64::try_from(location.offset) == Ok(start))?;
    let first = u64::try_from(locations[at].first_row_index).ok()?;
    let end = locations.get(at + 1).map_or(Some(rows), |next| u64::try_from(next.first_row_index).ok())?;
    end.checked_sub(first)
}

fn check_size(header: &PageHeader, compression: Compression) -> Result<()> {
    let (compressed, uncompressed) = (header.compressed as u64, header.uncompressed as u64);
    if uncompressed > limits::BLOCK_BYTES {
        return Err(limits::exceeded("a page, decompressed,", "BLOCK_BYTES", limits::BLOCK_BYTES, uncompressed));
    }
    match compression {
        Compression::UNCOMPRESSED if compressed != uncompressed => {
            Err(Error::corrupt(format!("expected an uncompressed page of {uncompressed} bytes, found {compressed}")))
        }
        // Their decoders go on to the end of what is compressed, whatever size the header states.
        Compression::GZIP(_) | Compression::LZ4 if compressed.saturating_mul(1032) > 4 * limits::BLOCK_BYTES => {
            let most = 4 * limits::BLOCK_BYTES / 1032;
            Err(limits::exceeded("a page, compressed,", "BLOCK_BYTES", most, compressed))
        }
        _ => Ok(()),
    }
}

/// Looks at the lengths of texts in a page, which come before them in one or two streams.
fn check_lengths(header: &PageHeader, chunk: &ColumnChunkMetaData, body: &[u8], streams: usize) -> Result<()> {
    let cut = || Error::corrupt("expected the levels of a page, found its end");
    let (values, levels) = match header.levels {
        Some(levels) => (body.get(levels..).ok_or_else(cut)?, 0),
        None => {
            let descriptor = chunk.column_descr();
            (body, [descriptor.max_rep_level(), descriptor.max_def_level()].iter().filter(|level| **level > 0).count())
        }
    };
    let compression = if header.is_compressed { chunk.compression() } else { Compression::UNCOMPRESSED };
    let len = header.uncompressed.checked_sub(body.len() - values.len()).ok_or_else(cut)?;
    let Some(page) = decompress(compression, values, len)? else { return Ok(()) };
    let mut values = &page[..];
    for _ in 0..levels {
        let (len, rest) = values.split_first_chunk().ok_or_else(cut)?;
        values = rest.get(u32::from_le_bytes(*len) as usize..).ok_or_else(cut)?;
    }
    // A page of NULLs alone has no lengths.
    if values.is_empty() { Ok(()) } else { check_streams(values, streams, header.values) }
}

/// The footer names all encodings of a chunk.
fn check_encoding(header: &PageHeader, chunk: &ColumnChunkMetaData) -> Result<()> {
    // The two names of dictionary encoding are used for one another.
    let number = |encoding: Encoding| if encoding == Encoding::PLAIN_DICTIONARY { 8 } else { encoding as i64 };
    let found = if header.encoding == 2 { 8 } else { header.encoding };
    if chunk.encodings().any(|encoding| number(encoding) == found) {
        return Ok(());
    }
    Err(Error::corrupt(format!("expected a page of an encoding that the footer names, found number {found}")))
}

/// The bytes of a page; `None` for a compression that is not looked into here.
fn decompress(compression: Compression, body: &[u8], len: usize) -> Result<Option<Cow<'_, [u8]>>> {
    let damaged = |error: Box<dyn std::error::Error + Send + Sync>| {
        Error::corrupt("expected a compressed page, found other bytes").with_source(error)
    };
    let page = match compression {
        Compression::UNCOMPRESSED => return Ok(Some(Cow::Borrowed(body))),
        Compression::SNAPPY if snap::raw::decompress_len(body).is_ok_and(|stated| stated != len) => None,
        Compression::SNAPPY => {
            Some(snap::raw::Decoder::new().decompress_vec(body).map_err(|error| damaged(error.into()))?)
        }
        Compression::ZSTD(_) => Some(zstd::bulk::decompress(body, len).map_err(|error| damaged(error.into()))?),
        Compression::LZ4_RAW => Some(lz4_flex::block::decompress(body, len).map_err(|error| damaged(error.into()))?),
        Compression::GZIP(_) => {
            let mut page = Vec::with_capacity(len);
            let mut decoder = flate2::read::MultiGzDecoder::new(body).take(len as u64 + 1);
            decoder.read_to_end(&mut page).map_err(|error| damaged(error.into()))?;
            Some(page)
        }
        _ => return Ok(None),
    };
    match page {
        Some(page) if page.len() == len => Ok(Some(Cow::Owned(page))),
        _ => Err(Error::corrupt(format!("expected a page of {len} bytes when decompressed, found another size"))),
    }
}
