//! Reads an Avro data file.
//!
//! Avro has neither an index nor statistics: the file is decoded from its start, a number of blocks at a time. The columns
//! are those of the schema in the file, found by name.

use std::io::Cursor;

use arrow::{
    array::{Array, AsArray, RecordBatch},
    error::ArrowError,
};
use arrow_avro::reader::{Reader, ReaderBuilder};
use bytes::{Buf, Bytes};
use futures::{StreamExt, stream};
use paimon_spec::{AvroBlock, AvroBlocks, DataFileMeta, Error, Result};

use super::super::{
    BatchStream, FileRead,
    batches::{Columns, WantedRows},
    guarded, naming,
    source::Source,
};
use crate::Storage;

/// How much of a file is read at a time, and how much of it is decoded at a time, decompressed. Blocks that are larger
/// are read and decoded whole.
const WINDOW_BYTES: usize = 16 << 20;

pub(in super::super) async fn open(
    storage: &Storage,
    path: &str,
    file: &DataFileMeta,
    read: &FileRead,
) -> Result<BatchStream> {
    let source = Source::new(storage, path, file)?;
    let row_count = u64::try_from(file.row_count)
        .map_err(|_| Error::corrupt(format!("the manifest gives the file {} rows", file.row_count)))?;
    let read_to = source.size.min(WINDOW_BYTES as u64);
    let mut ahead = source.read(0..read_to).await?;
    let (blocks, header_bytes) = guarded(|| AvroBlocks::open(&ahead))?;
    ahead.advance(header_bytes);
    let decoding = Decoding {
        source,
        blocks,
        ahead,
        read_to,
        window: None,
        columns: Columns::new(&read.columns)?,
        wanted: WantedRows::of(read),
        limit: read.limit.unwrap_or(usize::MAX),
        batch_rows: read.batch_rows.max(1),
        position: 0,
        row_count,
    };
    let batches = stream::try_unfold(decoding, |mut decoding| async move {
        let next = decoding.next_batch().await.map_err(|error| naming(error, &decoding.source.url()))?;
        Ok(next.map(|batch| (batch, decoding)))
    });
    Ok(batches.boxed())
}

fn corrupt(error: ArrowError) -> Error {
    Error::corrupt("not a readable Avro file").with_source(error)
}

/// The columns of records that are the only field of others.
fn inner(records: &RecordBatch) -> Result<RecordBatch> {
    let column = records.columns().first().and_then(|column| column.as_struct_opt());
    match column.filter(|column| column.null_count() == 0) {
        Some(column) => Ok(RecordBatch::from(column)),
        None => Err(Error::corrupt("expected records in an Avro file, found NULL or something else")),
    }
}

struct Decoding {
    source: Source,
    blocks: AvroBlocks,
    /// What was read and not looked at yet.
    ahead: Bytes,
    /// Where reading goes on.
    read_to: u64,
    window: Option<Window>,
    columns: Columns,
    wanted: WantedRows,
    /// Rows still wanted.
    limit: usize,
    /// Rows of a batch, at most.
    batch_rows: usize,
    /// Rows decoded.
    position: u64,
    row_count: u64,
}

/// Some blocks, decompressed and looked at: the decoder never comes back from one that lies.
struct Window {
    reader: Reader<Cursor<Vec<u8>>>,
    /// The position after their rows.
    end: u64,
}

impl Decoding {
    async fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        while self.limit > 0 {
            let Some(window) = &mut self.window else {
                self.window = self.next_window().await?;
                match self.window {
                    Some(_) => continue,
                    None if self.position == self.row_count => return Ok(None),
                    None => return Err(self.other_row_count(self.position)),
                }
            };
            let Some(batch) = guarded(|| window.reader.next().transpose().map_err(corrupt))? else {
                if self.position != window.end {
                    let (wanted, found) = (window.end, self.position);
                    return Err(Error::corrupt(format!("wanted {wanted} rows of the blocks, found {found}")));
                }
                self.window = None;
                continue;
            };
            let batch = if self.blocks.nullable() { inner(&batch)? } else { batch };
            let start = self.position;
            self.position += batch.num_rows() as u64;
            let wanted = guarded(|| {
                let arranged = self.columns.arrange(batch.num_rows(), |_, field| batch.column_by_name(&field.name))?;
                self.wanted.keep(arranged, start)
            })?;
            let rows = wanted.num_rows().min(self.limit);
            if rows > 0 {
                self.limit -= rows;
                return Ok(Some(wanted.slice(0, rows)));
            }
        }
        Ok(None)
    }

    /// The next blocks; `None` at the end of the file.
    async fn next_window(&mut self) -> Result<Option<Window>> {
        let mut plain = self.blocks.head().to_vec();
        let mut end = self.position;
        while plain.len() < WINDOW_BYTES {
            match guarded(|| self.blocks.next(&self.ahead, &mut plain))? {
                AvroBlock::Whole { records, len } => {
                    self.ahead.advance(len);
                    end = end.saturating_add(records);
                }
                AvroBlock::Part { .. } if self.read_to == self.source.size => {
                    if self.ahead.is_empty() {
                        break;
                    }
                    return Err(Error::corrupt("expected a whole block at the end of an Avro file, found a part"));
                }
                AvroBlock::Part { len } => self.read_on(len.max(WINDOW_BYTES)).await?,
            }
        }
        if plain.len() == self.blocks.head().len() {
            return Ok(None);
        }
        if end > self.row_count {
            return Err(self.other_row_count(end));
        }
        let reader = guarded(|| {
            let builder = ReaderBuilder::new().with_batch_size(self.batch_rows);
            builder.build(Cursor::new(plain)).map_err(corrupt)
        });
        Ok(Some(Window { reader: reader?, end }))
    }

    /// Reads until `wanted` bytes are ahead, or to the end of the file.
    async fn read_on(&mut self, wanted: usize) -> Result<()> {
        let missing = wanted.saturating_sub(self.ahead.len()) as u64;
        let read_to = self.read_to.saturating_add(missing).min(self.source.size);
        let more = self.source.read(self.read_to..read_to).await?;
        self.ahead = if self.ahead.is_empty() { more } else { [&self.ahead[..], &more].concat().into() };
        self.read_to = read_to;
        Ok(())
    }

    fn other_row_count(&self, found: u64) -> Error {
        Error::corrupt(format!("wanted {} rows as the manifest says, found {found}", self.row_count))
    }
}
