//! The index at the end of a `.blob` file: where each row's value lies.

use std::{ops::Range, sync::Arc};

use paimon_io::{IoContext, Storage};
use paimon_spec::{DataFileMeta, Error, Result, limits};

use super::{
    record::{FRAME_BYTES, HEAD_BYTES, TRAILER_BYTES},
    varint::Lengths,
};

/// Bytes after the index: its length (i32, little-endian) and the version.
pub(super) const FOOTER_BYTES: u64 = 5;

/// The version that is read and written.
pub(super) const VERSION: u8 = 1;

/// The length that stands for NULL.
pub(super) const NULL: i64 = -1;

/// The length that stands for a row that is left to older files.
pub(super) const LEFT_OPEN: i64 = -2;

/// How much of a file's end is read at first when nothing is known of its rows.
const TAIL_BYTES: u64 = 64 << 10;

/// How much of a file's end is read at first, at most.
const LONGEST_TAIL_BYTES: u64 = 4 << 20;

/// Rows between two places where the list of lengths may be taken up.
const STEP_ROWS: u64 = 128;

/// What a row of a `.blob` file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Record {
    /// The record at these bytes of the file.
    Value(Range<u64>),
    /// NULL.
    Null,
    /// Whatever an older file of the column holds.
    LeftOpen,
}

impl Record {
    /// Of a row with this length in the index, when the records of rows before it end at `offset`.
    fn new(length: i64, offset: u64) -> Option<Self> {
        match u64::try_from(length) {
            Ok(bytes) if bytes >= FRAME_BYTES => Some(Self::Value(offset..offset.checked_add(bytes)?)),
            Ok(_) => None,
            Err(_) if length == NULL => Some(Self::Null),
            Err(_) if length == LEFT_OPEN => Some(Self::LeftOpen),
            Err(_) => None,
        }
    }

    fn end(&self, offset: u64) -> u64 {
        if let Self::Value(record) = self { record.end } else { offset }
    }
}

/// Where the values of a `.blob` file lie, row by row: all that a read of the file needs.
///
/// Kept as the file keeps it (a few bytes a row) with places to take it up, and looked at as a whole before it is believed:
/// the lengths are possible ones, and their sum is what the file has before its index. The index has no checksum: a row
/// that is damaged from NULL to left open is not found out, anything else is, here or by the records' own checksums.
#[derive(Debug)]
pub struct BlobIndex {
    lengths: Box<[u8]>,
    steps: Vec<Step>,
    rows: u64,
    file_bytes: u64,
}

/// The state before each [`STEP_ROWS`]th row.
#[derive(Debug, Clone, Copy, Default)]
struct Step {
    /// Bytes of the list before it.
    at: usize,
    previous: i64,
    /// Bytes of the file before its record.
    offset: u64,
}

impl BlobIndex {
    /// The index of the `.blob` file at `path`, from the context's cache if it is there. `size` is that of the file if it is
    /// known; otherwise the storage is asked for it.
    ///
    /// # Errors
    /// `NotFound` when the file is missing; `CorruptData` when it has another size or is no `.blob` file.
    pub async fn load(context: &IoContext, storage: &Storage, path: &str, size: Option<u64>) -> Result<Arc<Self>> {
        let load = async {
            let size = match size {
                Some(size) => size,
                None => storage.size(path).await?.ok_or_else(|| Error::not_found("file not found"))?,
            };
            Self::read(storage, path, size, TAIL_BYTES).await
        };
        Self::cached(context, storage, path, size, load).await
    }

    /// The index of a data file, which is to have as many rows as its metadata says.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub(super) async fn of_file(
        context: &IoContext,
        storage: &Storage,
        path: &str,
        file: &DataFileMeta,
    ) -> Result<Arc<Self>> {
        let stated = |what, number: i64| {
            u64::try_from(number).map_err(|_| Error::corrupt(format!("the manifest gives the file {number} {what}")))
        };
        let (size, rows) = (stated("bytes", file.file_size)?, stated("rows", file.row_count)?);
        let load = Self::read(storage, path, size, likely_tail(size, rows));
        let index = Self::cached(context, storage, path, Some(size), load).await?;
        if index.rows == rows {
            return Ok(index);
        }
        Err(Error::corrupt(format!("wanted {rows} rows as the manifest says, found {}", index.rows)))
    }

    /// Names of data files are unique, so an index goes by its file's URL.
    async fn cached(
        context: &IoContext,
        storage: &Storage,
        path: &str,
        size: Option<u64>,
        load: impl Future<Output = Result<Self>>,
    ) -> Result<Arc<Self>> {
        let url = storage.url(path);
        let named = async { load.await.map_err(|error| naming(error, &url)) };
        let index = context.cache.get_or_load(url.as_str(), Self::weight, named).await?;
        match size {
            Some(size) if size != index.file_bytes => {
                let message = format!("expected a file of {size} bytes, found {}", index.file_bytes);
                Err(Error::corrupt(message).with_context("file", url))
            }
            _ => Ok(index),
        }
    }

    /// Reads the file's last `tail` bytes, and more where the index is longer.
    async fn read(storage: &Storage, path: &str, size: u64, tail: u64) -> Result<Self> {
        let part = async |range: Range<u64>| {
            storage.read_ranges(path, &[range]).await.map(|mut parts| parts.pop().unwrap_or_default())
        };
        let short = || Error::corrupt(format!("expected a blob file of at least {FOOTER_BYTES} bytes, found {size}"));
        let index_end = size.checked_sub(FOOTER_BYTES).ok_or_else(short)?;
        let mut start = size.saturating_sub(tail.max(FOOTER_BYTES));
        let mut end = part(start..size).await?;
        let index_bytes = match *end {
            [.., a, b, c, d, VERSION] => i32::from_le_bytes([a, b, c, d]),
            [.., version] => {
                return Err(Error::corrupt(format!("expected a blob file of version {VERSION}, found {version}")));
            }
            [] => return Err(short()),
        };
        let index_start = u64::try_from(index_bytes).ok().and_then(|bytes| index_end.checked_sub(bytes));
        let index_start = index_start.ok_or_else(|| {
            Error::corrupt(format!("expected an index of at most {index_end} bytes, found one of {index_bytes}"))
        })?;
        if index_end - index_start > limits::FOOTER_BYTES {
            let found = index_end - index_start;
            return Err(limits::exceeded("an index of a blob file", "FOOTER_BYTES", limits::FOOTER_BYTES, found));
        }
        if index_start < start {
            end = part(index_start..index_end).await?;
            start = index_start;
        }
        // Both ends lie in what was read: the index is after `start`, and before the footer.
        Self::parse(&end[(index_start - start) as usize..(index_end - start) as usize], index_start, size)
    }

    /// The index with these bytes, of a file with `data_bytes` before it.
    pub(super) fn parse(bytes: &[u8], data_bytes: u64, file_bytes: u64) -> Result<Self> {
        let mut steps = Vec::new();
        let (mut rows, mut offset, mut step) = (0_u64, 0_u64, Step::default());
        let mut lengths = Lengths::new(bytes);
        loop {
            if rows.is_multiple_of(STEP_ROWS) {
                step.at = bytes.len() - lengths.remaining();
                step.offset = offset;
                steps.push(step);
            }
            let Some(length) = lengths.next().transpose()? else { break };
            let record = Record::new(length, offset).filter(|record| record.end(offset) <= data_bytes);
            let record = record.ok_or_else(|| {
                let room = data_bytes - offset;
                let message =
                    format!("expected a record of {FRAME_BYTES} to {room} bytes in row {rows}, found {length}");
                Error::corrupt(message)
            })?;
            offset = record.end(offset);
            step.previous = length;
            rows += 1;
        }
        if offset != data_bytes {
            let message = format!("expected records of {data_bytes} bytes before the index, found {offset}");
            return Err(Error::corrupt(message));
        }
        steps.shrink_to_fit();
        Ok(Self { lengths: bytes.into(), steps, rows, file_bytes })
    }

    /// How many rows the file has.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The bytes of the record that holds the value at `offset`, of `length` bytes, as a descriptor states them; `None`
    /// when the file has no such value. An element of an array or of a map is a part of a value.
    pub fn find(&self, offset: u64, length: u64) -> Option<Range<u64>> {
        let record = self.around(offset, length)?;
        (record.start + HEAD_BYTES == offset && record.end - record.start == length + FRAME_BYTES).then_some(record)
    }

    /// The bytes of the record whose payload has the `length` bytes at `offset`, all of it or a part; `None` when no single
    /// record has them.
    pub fn around(&self, offset: u64, length: u64) -> Option<Range<u64>> {
        let start = offset.checked_sub(HEAD_BYTES)?;
        let end = offset.checked_add(length)?.checked_add(TRAILER_BYTES)?;
        // The last step at or before it: records of no bytes come before the one that begins there.
        let step = self.steps.partition_point(|step| step.offset <= start).checked_sub(1)?;
        let mut records = self.records_from(step as u64 * STEP_ROWS).filter_map(|record| match record {
            Record::Value(bytes) => Some(bytes),
            Record::Null | Record::LeftOpen => None,
        });
        records.find(|record| record.end > start).filter(|record| record.start <= start && end <= record.end)
    }

    /// What the rows of a range hold.
    pub(super) fn records(&self, rows: Range<u64>) -> impl Iterator<Item = Record> + '_ {
        let count = rows.end.min(self.rows).saturating_sub(rows.start);
        self.records_from(rows.start).take(usize::try_from(count).unwrap_or(usize::MAX))
    }

    fn records_from(&self, row: u64) -> impl Iterator<Item = Record> + '_ {
        let number = usize::try_from(row / STEP_ROWS).unwrap_or(usize::MAX);
        let (step, rest) = match self.steps.get(number) {
            Some(step) => (*step, self.lengths.get(step.at..).unwrap_or_default()),
            None => (Step::default(), &[][..]),
        };
        let mut offset = step.offset;
        // The index was looked at as a whole, so that nothing ends this before its last row.
        let records = Lengths::after(step.previous, rest).map_while(move |length| {
            let record = Record::new(length.ok()?, offset)?;
            offset = record.end(offset);
            Some(record)
        });
        records.skip((row % STEP_ROWS) as usize)
    }

    fn weight(&self) -> usize {
        self.lengths.len() + self.steps.len() * size_of::<Step>()
    }
}

/// Adds the file's URL to an error that does not name a file yet.
pub(super) fn naming(error: Error, url: &str) -> Error {
    if error.context("file").is_some() { error } else { error.with_context("file", url) }
}

/// As much of a file's end as its index most likely takes, so that hardly a byte of a value is read with it: lengths that
/// differ by no more than four times the mean.
fn likely_tail(size: u64, rows: u64) -> u64 {
    let mean = size / rows.max(1);
    // A bit more for the sign, and seven to a byte.
    let bits = u64::from(u64::BITS - mean.saturating_mul(4).leading_zeros()) + 1;
    rows.saturating_mul(bits.div_ceil(7)).saturating_add(FOOTER_BYTES).min(LONGEST_TAIL_BYTES)
}
