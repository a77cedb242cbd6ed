//! Writes a `.blob` file.

use std::ops::Range;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use crc32fast::Hasher;
use futures::StreamExt;
use paimon_io::{FileTarget, FileWriter, StorageWriter, TableStore, WrittenFile};
use paimon_spec::{ColumnStats, DataField, Error, Result};

use super::{
    Shape,
    copy::{Blobs, Copier, Opened},
    index::{LEFT_OPEN, NULL, VERSION},
    keys::KeyKind,
    nested::{Kind, tail},
    record::{MAGIC, TRAILER_BYTES},
    varint::LengthsEncoder,
};

/// Pieces up to this size are copied, to be written together with what is around them.
const SMALL_BYTES: usize = 4 << 10;

/// Small pieces that are collected before they are written.
const COLLECTED_BYTES: usize = 64 << 10;

pub(super) fn create(store: &TableStore, path: &str, target: &FileTarget) -> Result<Box<dyn FileWriter>> {
    let [column] = target.fields.as_slice() else {
        let found = target.fields.len();
        return Err(Error::invalid(format!("expected one column in a blob file, found {found}")));
    };
    let shape = Shape::of(&column.data_type).map_err(|e| e.with_context("column", &column.name))?;
    let options = target.schema.table_options();
    Ok(Box::new(BlobWriter {
        shape,
        copier: Copier::new(store, column, &options)?,
        column: column.clone(),
        output: Output::new(store.storage().writer(path)?),
        is_whole: true,
    }))
}

#[derive(Debug)]
struct BlobWriter {
    shape: Shape,
    column: DataField,
    copier: Copier,
    output: Output,
    /// Whether no record was left half written.
    is_whole: bool,
}

impl BlobWriter {
    async fn append(&mut self, column: &ArrayRef) -> Result<()> {
        let other_type = || Error::invalid(format!("expected {}, found {}", self.column.data_type, column.data_type()));
        match self.shape {
            Shape::Blob => self.append_blobs(column).await,
            Shape::Array => {
                let arrays = column.as_list_opt::<i32>().ok_or_else(other_type)?;
                let rows = entries_of(arrays, arrays.value_offsets());
                self.append_nested(Kind::Array, &rows, None, arrays.values()).await
            }
            Shape::Map(keys) => {
                let maps = column.as_map_opt().ok_or_else(other_type)?;
                let rows = entries_of(maps, maps.value_offsets());
                self.append_nested(Kind::Map, &rows, Some((keys, maps.keys())), maps.values()).await
            }
        }
    }

    async fn append_blobs(&mut self, column: &ArrayRef) -> Result<()> {
        let (copier, output) = (&self.copier, &mut self.output);
        let blobs = Blobs::of(column)?;
        let mut opened = copier.open_all(&blobs, (output.rows..).zip(0..column.len()));
        while let Some(blob) = opened.next().await {
            match blob? {
                Opened::Null => output.skip(NULL),
                blob => {
                    output.begin();
                    output.value(copier, blob).await?;
                    output.end();
                }
            }
        }
        Ok(())
    }

    /// Arrays or maps, whose entries are at these ranges of `blobs` (and of the keys); `None`: NULL.
    async fn append_nested(
        &mut self,
        kind: Kind,
        rows: &[Option<Range<usize>>],
        keys: Option<(KeyKind, &ArrayRef)>,
        blobs: &ArrayRef,
    ) -> Result<()> {
        let (copier, output) = (&self.copier, &mut self.output);
        let blobs = Blobs::of(blobs)?;
        let numbered = (output.rows..).zip(rows).filter_map(|(row, range)| Some((row, range.clone()?)));
        let numbered = numbered.flat_map(|(row, range)| range.map(move |position| (row, position)));
        let mut opened = copier.open_all(&blobs, numbered);
        for range in rows {
            let Some(range) = range else {
                if !self.column.data_type.nullable {
                    return Err(Error::invalid("NULL in a column that is NOT NULL").with_context("row", output.rows));
                }
                output.skip(NULL);
                continue;
            };
            let count = i32::try_from(range.len()).map_err(|_| {
                Error::invalid(format!("expected at most 2^31 - 1 blobs in a row, found {}", range.len()))
            })?;
            output.begin();
            output.small(&kind.head(count));
            let mut key_lengths = LengthsEncoder::default();
            if let Some((kind, column)) = keys {
                let keys = range.clone().map(|row| kind.encode(column, row)).collect::<Result<Vec<_>>>()?;
                if let Some(key) = kind.repeated(keys.iter().map(AsRef::as_ref))? {
                    let message = format!("expected distinct keys in a map of blobs, found {key:02x?} twice");
                    return Err(Error::invalid(message).with_context("row", output.rows));
                }
                for key in &keys {
                    key_lengths.push(key.len() as i64);
                    output.bytes(Bytes::copy_from_slice(key)).await?;
                }
            }
            let mut lengths = LengthsEncoder::default();
            for _ in range.clone() {
                match opened.next().await {
                    Some(blob) => lengths.push(match blob? {
                        Opened::Null => NULL,
                        blob => output.value(copier, blob).await?,
                    }),
                    None => return Err(Error::internal("paimon-blob", "fewer values than entries")),
                }
            }
            let lists = [&key_lengths, &lengths];
            let lists = if keys.is_some() { &lists[..] } else { &lists[1..] };
            output.bytes(tail(lists)?.into()).await?;
            output.end();
        }
        Ok(())
    }
}

/// The entries of each row of a list or of a map, as a range of all; `None`: NULL.
fn entries_of(rows: &dyn Array, offsets: &[i32]) -> Vec<Option<Range<usize>>> {
    // Arrow has checked that offsets are ascending and not negative.
    let ranges = offsets.windows(2).map(|pair| pair[0] as usize..pair[1] as usize);
    ranges.enumerate().map(|(row, range)| rows.is_valid(row).then_some(range)).collect()
}

#[async_trait]
impl FileWriter for BlobWriter {
    /// The batch has the column alone: `large_binary`, whose values may be serialised descriptors, or a struct of `url`,
    /// `position` and `size`; in lists and maps likewise.
    async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let [column] = batch.columns() else {
            let found = batch.num_columns();
            return Err(Error::invalid(format!("expected one column for a blob file, found {found}")));
        };
        self.is_whole = false;
        self.append(column).await.map_err(|error| match error.context("column") {
            Some(_) => error,
            None => error.with_context("column", &self.column.name),
        })?;
        self.is_whole = true;
        Ok(())
    }

    async fn leave_open(&mut self, rows: u64) -> Result<()> {
        (0..rows).for_each(|_| self.output.skip(LEFT_OPEN));
        Ok(())
    }

    fn bytes(&self) -> u64 {
        self.output.written()
    }

    fn rows(&self) -> u64 {
        self.output.rows
    }

    fn memory(&self) -> u64 {
        let output = &self.output;
        output.file.memory() + (output.collected.len() + output.lengths.bytes().len()) as u64
    }

    async fn finish(self: Box<Self>) -> Result<WrittenFile> {
        if !self.is_whole {
            let error = Error::internal("paimon-blob", "a blob file is to be finished after a write that failed");
            return Err(error.with_context("file", self.output.file.url()));
        }
        let rows = self.output.rows;
        let size = self.output.finish().await?;
        // As Java: nothing is said of blobs.
        Ok(WrittenFile { size, rows, stats: vec![ColumnStats::default()] })
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        self.output.file.abort().await
    }
}

/// The file in the making.
struct Output {
    file: StorageWriter,
    /// Small pieces that are to be written before anything else.
    collected: BytesMut,
    /// Of the record so far.
    crc: Hasher,
    record_bytes: u64,
    lengths: LengthsEncoder,
    rows: u64,
}

impl Output {
    fn new(file: StorageWriter) -> Self {
        Self {
            file,
            collected: BytesMut::new(),
            crc: Hasher::new(),
            record_bytes: 0,
            lengths: LengthsEncoder::default(),
            rows: 0,
        }
    }

    fn written(&self) -> u64 {
        self.file.written() + self.collected.len() as u64
    }

    /// Appends a row without a record.
    fn skip(&mut self, length: i64) {
        self.lengths.push(length);
        self.rows += 1;
    }

    fn begin(&mut self) {
        self.crc = Hasher::new();
        self.record_bytes = 0;
        self.small(&MAGIC);
    }

    /// Appends some bytes to the record.
    fn small(&mut self, bytes: &[u8]) {
        self.crc.update(bytes);
        self.record_bytes += bytes.len() as u64;
        self.collected.extend_from_slice(bytes);
    }

    /// Appends any number of bytes to the record.
    async fn bytes(&mut self, bytes: Bytes) -> Result<()> {
        if bytes.len() <= SMALL_BYTES {
            self.small(&bytes);
            if self.collected.len() < COLLECTED_BYTES {
                return Ok(());
            }
            return self.file.write(self.collected.split().freeze()).await;
        }
        self.crc.update(&bytes);
        self.record_bytes += bytes.len() as u64;
        self.file.write(self.collected.split().freeze()).await?;
        self.file.write(bytes).await
    }

    /// Appends a value to the record. Returns its length.
    async fn value(&mut self, copier: &Copier, blob: Opened) -> Result<i64> {
        let before = self.record_bytes;
        match blob {
            Opened::Null => {}
            Opened::Bytes(bytes) => self.bytes(bytes).await?,
            Opened::Copy(copy) => {
                let mut pieces = copier.pieces(*copy);
                while let Some(piece) = pieces.next().await {
                    self.bytes(piece?).await?;
                }
            }
        }
        Ok((self.record_bytes - before).cast_signed())
    }

    fn end(&mut self) {
        let bytes = (self.record_bytes + TRAILER_BYTES).cast_signed();
        self.small(&bytes.to_le_bytes());
        let crc = std::mem::take(&mut self.crc).finalize();
        self.collected.extend_from_slice(&crc.to_le_bytes());
        self.skip(bytes);
    }

    async fn finish(mut self) -> Result<u64> {
        let index = self.lengths.bytes();
        let index_bytes = i32::try_from(index.len()).map_err(|_| {
            Error::invalid(format!("expected at most 2^31 - 1 bytes of a blob file's index, found {}", index.len()))
        })?;
        self.collected.extend_from_slice(index);
        self.collected.extend_from_slice(&index_bytes.to_le_bytes());
        self.collected.extend_from_slice(&[VERSION]);
        self.file.write(self.collected.freeze()).await?;
        self.file.finish().await
    }
}

impl std::fmt::Debug for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Output").field("file", &self.file).field("rows", &self.rows).finish_non_exhaustive()
    }
}
