//! Checksums of pages, which the `parquet` crate verifies but does not write.
//!
//! Encoders hand each finished page to a [`PageStore`], its header first. Ours puts the CRC-32 of the page into the header.
//! That makes the header longer than the encoder takes it to be, so sizes and offsets of the chunk are counted anew.

use std::{
    io::{self, Read},
    mem,
    sync::{Arc, Mutex, PoisonError},
    vec,
};

use bytes::{Buf, Bytes};
use parquet::{
    arrow::arrow_writer::{ArrowColumnWriter, PageKey, PageStore, PageStoreArgs, PageStoreFactory},
    column::writer::ColumnCloseResult,
    errors::{ParquetError, Result},
    file::{
        reader::{ChunkReader, Length},
        writer::SerializedRowGroupWriter,
    },
};

use super::page::{PageHeader, PageKind};

/// Makes the stores for the pages of columns.
#[derive(Debug, Default)]
pub(super) struct SealedPages {
    /// Of the columns of a row group that [`Self::take`] has not given yet.
    columns: Mutex<Vec<ColumnPages>>,
}

impl SealedPages {
    /// Where the pages of each column go whose writer was made since the last call.
    pub(super) fn take(&self) -> Vec<ColumnPages> {
        mem::take(&mut *self.columns.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl PageStoreFactory for SealedPages {
    fn create(&self, _: &PageStoreArgs<'_>) -> Result<Box<dyn PageStore>> {
        let pages = ColumnPages::default();
        self.columns.lock().unwrap_or_else(PoisonError::into_inner).push(pages.clone());
        Ok(Box::new(SealingStore { pages, header: None, next_key: 0 }))
    }
}

/// The finished pages of a column chunk. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct ColumnPages(Arc<Mutex<Vec<Page>>>);

#[derive(Debug)]
struct Page {
    is_dictionary: bool,
    /// By how much its header is longer than its encoder takes it to be.
    growth: usize,
    header: Bytes,
    body: Bytes,
}

impl Page {
    fn len(&self) -> usize {
        self.header.len() + self.body.len()
    }
}

impl ColumnPages {
    /// Ends a column chunk, and appends it to a row group.
    pub(super) fn append(
        self,
        column: ArrowColumnWriter,
        row_group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    ) -> Result<()> {
        let chunk = column.close()?.close().clone();
        let pages = mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let (dictionary, data): (Vec<_>, Vec<_>) = pages.into_iter().partition(|page| page.is_dictionary);
        let close = moved(chunk, &dictionary, &data)?;
        row_group.append_column(&Chunk(dictionary.into_iter().chain(data).collect()), close)
    }
}

/// The metadata of a chunk that starts at 0, with its dictionary first.
fn moved(chunk: ColumnCloseResult, dictionary: &[Page], data: &[Page]) -> Result<ColumnCloseResult> {
    let length = |pages: &[Page]| pages.iter().map(Page::len).sum::<usize>();
    let growth: usize = dictionary.iter().chain(data).map(|page| page.growth).sum();
    let first_data = length(dictionary) as i64;
    let mut offset_index = chunk.offset_index;
    if let Some(index) = &mut offset_index {
        if index.page_locations.len() != data.len() {
            return Err(ParquetError::General("a column has other pages than its offset index".to_owned()));
        }
        let mut offset = first_data;
        for (location, page) in index.page_locations.iter_mut().zip(data) {
            location.offset = offset;
            location.compressed_page_size = i32::try_from(page.len())?;
            offset += page.len() as i64;
        }
    }
    let uncompressed = chunk.metadata.uncompressed_size() + growth as i64;
    let metadata = chunk
        .metadata
        .into_builder()
        .set_total_compressed_size(first_data + length(data) as i64)
        .set_total_uncompressed_size(uncompressed)
        .set_dictionary_page_offset((!dictionary.is_empty()).then_some(0))
        .set_data_page_offset(first_data)
        .build()?;
    Ok(ColumnCloseResult { bytes_written: chunk.bytes_written + growth as u64, metadata, offset_index, ..chunk })
}

/// Takes pages in two parts, header and body.
struct SealingStore {
    pages: ColumnPages,
    header: Option<Bytes>,
    next_key: u64,
}

impl PageStore for SealingStore {
    fn put(&mut self, value: Bytes) -> Result<PageKey> {
        match self.header.take() {
            None => self.header = Some(value),
            Some(header) => {
                let page = seal(&header, value).map_err(|error| ParquetError::External(Box::new(error)))?;
                self.pages.0.lock().unwrap_or_else(PoisonError::into_inner).push(page);
            }
        }
        self.next_key += 1;
        Ok(PageKey::new(self.next_key))
    }

    fn take(&mut self, _: PageKey) -> Result<Bytes> {
        Err(ParquetError::General("the pages of a chunk are appended by `ColumnPages`".to_owned()))
    }

    fn memory_size(&self) -> usize {
        self.pages.0.lock().unwrap_or_else(PoisonError::into_inner).iter().map(Page::len).sum()
    }
}

fn seal(header: &Bytes, body: Bytes) -> paimon_spec::Result<Page> {
    let decoded = PageHeader::decode(header)?;
    if decoded.compressed != body.len() || decoded.len != header.len() {
        return Err(paimon_spec::Error::internal("paimon-io", "a page came without its header"));
    }
    let sealed = decoded.with_checksum(header, crc32fast::hash(&body))?;
    let is_dictionary = decoded.kind == PageKind::Dictionary;
    Ok(Page { is_dictionary, growth: sealed.len() - header.len(), header: sealed.into(), body })
}

/// A column chunk as its pages, to be read once.
struct Chunk(Vec<Page>);

impl Length for Chunk {
    fn len(&self) -> u64 {
        self.0.iter().map(|page| page.len() as u64).sum()
    }
}

impl ChunkReader for Chunk {
    type T = PageReader;

    fn get_read(&self, start: u64) -> Result<PageReader> {
        debug_assert_eq!(start, 0, "chunks are appended whole");
        let parts = self.0.iter().flat_map(|page| [page.header.clone(), page.body.clone()]);
        Ok(PageReader { parts: parts.collect::<Vec<_>>().into_iter(), current: Bytes::new() })
    }

    fn get_bytes(&self, _: u64, _: usize) -> Result<Bytes> {
        Err(ParquetError::General("a chunk is appended by reading it".to_owned()))
    }
}

struct PageReader {
    parts: vec::IntoIter<Bytes>,
    current: Bytes,
}

impl Read for PageReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.parts.next() {
                Some(part) => self.current = part,
                None => return Ok(0),
            }
        }
        let len = self.current.len().min(into.len());
        self.current.copy_to_slice(&mut into[..len]);
        Ok(len)
    }
}
