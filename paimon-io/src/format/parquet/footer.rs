//! The end of a file: the footer and the page index.
//!
//! Both are looked at before the `parquet` crate decodes them, which makes room for whatever they say to have. Files of ours
//! carry a checksum of both, because the format has none: [`seal`] puts it in, and readers of other makes pass over it.

use std::{iter, ops::Range};

use bytes::Bytes;
use paimon_spec::{Error, Result, limits};
use parquet::{
    DecodeResult,
    file::{
        FOOTER_SIZE,
        metadata::{
            ColumnChunkMetaData, FooterTail, PageIndexPolicy, ParquetMetaData, ParquetMetaDataPushDecoder,
            ParquetMetaDataReader, RowGroupMetaData,
        },
    },
};

use super::{
    super::{guarded, source::Source},
    corrupt,
    thrift::{I32, LIST, STRUCT, Thrift},
};

/// Row groups are numbered with 16 bits.
const MAX_ROW_GROUPS: usize = i16::MAX as usize;

/// Bounds how deep the schema of a file is nested; a level of a type takes up to three.
const MAX_SCHEMA_DEPTH: usize = 256;

/// The footer's entry for the checksums: CRC-32 of the page index, and of the footer with zeros for its own digits.
pub(super) const CHECKSUM: &str = "paimon.crc32";

/// What stands for the checksums until they are known.
pub(super) const NO_CHECKSUM: &str = "00000000-00000000";

/// Reads the footer, and the page index when pages are to be left out.
///
/// # Errors
/// `CorruptData` when it is damaged, contradicts itself or exceeds a limit; `Unsupported` when it is encrypted.
pub(super) async fn read_footer(source: &Source, with_pages: bool) -> Result<ParquetMetaData> {
    let footer_range = footer_range(&source.tail().await?, source.size)?;
    let footer = source.read(footer_range.clone()).await?;
    let metadata = guarded(|| decode_footer(&footer, footer_range.start))?;
    let Some(range) = page_index_range(&metadata, footer_range.start)?.filter(|_| with_pages) else {
        return Ok(metadata);
    };
    let index = source.read(range.clone()).await?;
    guarded(|| decode_page_index(metadata, &footer, range, index, source.size))
}

/// Puts the checksums into the end of a file of `size` bytes, which has the entry [`CHECKSUM`].
///
/// # Errors
/// `Internal` when it does not, or its page index is not right before its footer.
pub(super) fn seal(end: &mut [u8], metadata: &ParquetMetaData, size: u64) -> Result<()> {
    let layout = || Error::internal("paimon-io", "the end of a Parquet file has another layout than expected");
    let range = footer_range(end, size).map_err(|_| layout())?;
    let index = page_index_range(metadata, range.start)?.unwrap_or(range.start..range.start);
    let start = size.checked_sub(end.len() as u64).ok_or_else(layout)?;
    if index.end != range.start || index.start < start {
        return Err(layout());
    }
    let (before, footer) = end.split_at_mut((range.start - start) as usize);
    let index = &before[(index.start - start) as usize..];
    let at = checksum_at(footer).ok_or_else(layout)?;
    let digits = |bytes: &[u8]| format!("{:08x}", crc32fast::hash(bytes)).into_bytes();
    footer[at..at + 8].copy_from_slice(&digits(index));
    let own = digits(&footer[..footer.len() - FOOTER_SIZE]);
    footer[at + 9..at + 17].copy_from_slice(&own);
    Ok(())
}

/// Where the footer is, by the last bytes of the file.
fn footer_range(tail: &[u8], size: u64) -> Result<Range<u64>> {
    let Some((_, last)) = tail.split_last_chunk::<FOOTER_SIZE>() else {
        return Err(Error::corrupt(format!("expected a Parquet file, found {size} bytes")));
    };
    let last = FooterTail::try_new(last).map_err(corrupt)?;
    if last.is_encrypted_footer() {
        return Err(Error::unsupported("Parquet files with an encrypted footer are not supported"));
    }
    let len = last.metadata_length() as u64;
    let end = size - FOOTER_SIZE as u64;
    match end.checked_sub(len) {
        Some(_) if len > limits::FOOTER_BYTES => {
            Err(limits::exceeded("a Parquet footer", "FOOTER_BYTES", limits::FOOTER_BYTES, len))
        }
        Some(start) => Ok(start..end),
        None => Err(Error::corrupt(format!("expected a footer of at most {end} bytes, found one of {len}"))),
    }
}

fn decode_footer(footer: &Bytes, start: u64) -> Result<ParquetMetaData> {
    check_layout(footer)?;
    if let Some(at) = checksum_at(footer) {
        let mut cleared = footer.to_vec();
        cleared[at + 9..at + 17].fill(b'0');
        verify("the footer", &footer[at + 9..at + 17], &cleared)?;
    }
    let metadata = ParquetMetaDataReader::decode_metadata(footer).map_err(corrupt)?;
    check_counts(&metadata, start)?;
    Ok(metadata)
}

fn decode_page_index(
    metadata: ParquetMetaData,
    footer: &[u8],
    range: Range<u64>,
    index: Bytes,
    size: u64,
) -> Result<ParquetMetaData> {
    if let Some(at) = checksum_at(footer) {
        verify("the page index", &footer[at..at + 8], &index)?;
    }
    for part in index_parts(&metadata) {
        let part = part?;
        let bytes = &index[(part.start - range.start) as usize..(part.end - range.start) as usize];
        Thrift::new(bytes).skip(STRUCT)?;
    }
    let decoder = ParquetMetaDataPushDecoder::try_new_with_metadata(size, metadata).map_err(corrupt)?;
    let mut decoder = decoder.with_page_index_policy(PageIndexPolicy::Optional);
    decoder.push_range(range, index).map_err(corrupt)?;
    match decoder.try_decode().map_err(corrupt)? {
        DecodeResult::Data(metadata) => Ok(metadata),
        _ => Err(Error::internal("paimon-io", "the page index was not decoded")),
    }
}

fn verify(what: &str, wanted: &[u8], bytes: &[u8]) -> Result<()> {
    let found = format!("{:08x}", crc32fast::hash(bytes));
    if wanted == found.as_bytes() {
        return Ok(());
    }
    let wanted = String::from_utf8_lossy(wanted);
    Err(Error::corrupt(format!("expected checksum {wanted} of {what}, found {found}")))
}

/// Where the value of the entry [`CHECKSUM`] is in the bytes of a footer: after the key, a field's type and the length.
fn checksum_at(footer: &[u8]) -> Option<usize> {
    let entry = [CHECKSUM.as_bytes(), &[0x18, NO_CHECKSUM.len() as u8]].concat();
    let at = footer.windows(entry.len() + NO_CHECKSUM.len()).rposition(|window| window.starts_with(&entry))?;
    Some(at + entry.len())
}

/// Looks at everything that the footer gives a length or a nesting of.
fn check_layout(footer: &[u8]) -> Result<()> {
    let mut thrift = Thrift::new(footer);
    let mut field = 0;
    while let Some(kind) = thrift.field(&mut field)? {
        match (field, kind) {
            (2, LIST) => check_schema(&mut thrift)?,
            (4, LIST) => {
                let (kind, len) = thrift.list()?;
                if len > MAX_ROW_GROUPS {
                    return Err(Error::corrupt(format!("expected at most {MAX_ROW_GROUPS} row groups, found {len}")));
                }
                for _ in 0..len {
                    thrift.skip(kind)?;
                }
            }
            (_, kind) => thrift.skip(kind)?,
        }
    }
    Ok(())
}

/// Elements of a schema come depth first, each with the number of its children.
fn check_schema(thrift: &mut Thrift<'_>) -> Result<()> {
    let (kind, elements) = thrift.list()?;
    if kind != STRUCT {
        return Err(Error::corrupt("expected the elements of a schema in a footer, found something else"));
    }
    // How many children are still to come, for each level.
    let mut open: Vec<usize> = Vec::new();
    for element in 0..elements {
        let mut children = 0;
        let mut field = 0;
        while let Some(kind) = thrift.field(&mut field)? {
            match (field, kind) {
                (5, I32) => children = thrift.number()?,
                (_, kind) => thrift.skip(kind)?,
            }
        }
        if let Some(siblings) = open.last_mut() {
            *siblings -= 1;
        }
        match usize::try_from(children) {
            Ok(children) if children < elements - element => {
                if children > 0 {
                    open.push(children);
                }
            }
            _ => {
                return Err(Error::corrupt(format!(
                    "expected a schema of {elements} elements, found {children} children"
                )));
            }
        }
        if open.len() > MAX_SCHEMA_DEPTH {
            return Err(Error::corrupt(format!("expected a schema of at most {MAX_SCHEMA_DEPTH} levels, found more")));
        }
        while open.last() == Some(&0) {
            open.pop();
        }
    }
    Ok(())
}

/// Looks at whether the parts of the footer agree with one another and with the size of the file.
fn check_counts(metadata: &ParquetMetaData, footer_start: u64) -> Result<()> {
    let rows = metadata.file_metadata().num_rows();
    let mut found = 0_i64;
    for (number, group) in metadata.row_groups().iter().enumerate() {
        found = found.saturating_add(group.num_rows());
        for chunk in group.columns() {
            check_chunk(group, chunk, footer_start).map_err(|error| {
                error.with_context("row group", number).with_context("column", chunk.column_path().string())
            })?;
        }
    }
    if rows < 0 || rows != found {
        return Err(Error::corrupt(format!("the footer states {rows} rows, but its row groups have {found}")));
    }
    Ok(())
}

fn check_chunk(group: &RowGroupMetaData, chunk: &ColumnChunkMetaData, footer_start: u64) -> Result<()> {
    let start = chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset());
    let end = start.checked_add(chunk.compressed_size());
    let inside = |end: i64| u64::try_from(end).is_ok_and(|end| end <= footer_start);
    if start < 0 || chunk.compressed_size() < 0 || !end.is_some_and(inside) || chunk.uncompressed_size() < 0 {
        return Err(Error::corrupt(format!(
            "the footer places {} bytes at byte {start}, but it starts itself at {footer_start}",
            chunk.compressed_size()
        )));
    }
    let (values, rows) = (chunk.num_values(), group.num_rows());
    let is_list = chunk.column_descr().max_rep_level() > 0;
    if rows < 0 || values < rows || values > rows && !is_list {
        return Err(Error::corrupt(format!("expected {rows} values of as many rows, found {values}")));
    }
    let most = limits::LIST_ITEMS.max((chunk.compressed_size() as u64).saturating_mul(8));
    if is_list && values as u64 > most {
        return Err(limits::exceeded("items of the lists of a column", "LIST_ITEMS", most, values as u64));
    }
    Ok(())
}

/// Where the page index is, if there is one.
fn page_index_range(metadata: &ParquetMetaData, footer_start: u64) -> Result<Option<Range<u64>>> {
    let mut all: Option<Range<u64>> = None;
    for part in index_parts(metadata) {
        let part = part?;
        if part.end > footer_start {
            return Err(Error::corrupt(format!(
                "the footer places its page index at bytes {}..{}, but it starts itself at {footer_start}",
                part.start, part.end
            )));
        }
        all = Some(match all {
            Some(all) => all.start.min(part.start)..all.end.max(part.end),
            None => part,
        });
    }
    match all.as_ref().map(|all| all.end - all.start) {
        Some(len) if len > limits::FOOTER_BYTES => {
            Err(limits::exceeded("a page index", "FOOTER_BYTES", limits::FOOTER_BYTES, len))
        }
        _ => Ok(all),
    }
}

/// Where the page index of each column chunk is.
fn index_parts(metadata: &ParquetMetaData) -> impl Iterator<Item = Result<Range<u64>>> {
    let chunks = metadata.row_groups().iter().flat_map(RowGroupMetaData::columns);
    let places = chunks.flat_map(|chunk| {
        let columns = iter::once((chunk.column_index_offset(), chunk.column_index_length()));
        columns.chain([(chunk.offset_index_offset(), chunk.offset_index_length())])
    });
    places.filter_map(|(offset, length)| Some((offset?, length?))).map(|(offset, length)| {
        let place = u64::try_from(offset).ok().zip(u64::try_from(length).ok());
        let range = place.and_then(|(start, length)| Some(start..start.checked_add(length)?));
        range.ok_or_else(|| Error::corrupt(format!("expected the place of a page index, found {offset} and {length}")))
    })
}
