//! Many blobs at once.

use std::{collections::HashMap, ops::Range, sync::Arc};

use arrow::array::LargeBinaryArray;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream, stream::BoxStream};
use paimon_io::TableStore;
use paimon_spec::{Error, Result, TableOptions};

use crate::{BlobIndex, BlobReferences, BlobSource, Trust, source::Object};

mod batch;

/// Bytes that references may claim of one object before its size is asked: memory is taken for what an object has, not
/// for what a reference says of it.
const BELIEVED_BYTES: u64 = 4 << 20;

/// How much is fetched at one time, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct FetchLimits {
    /// Requests at one time, at least 1.
    pub in_flight: usize,
    /// Bytes of blobs in one batch; one larger blob is a batch of its own.
    pub bytes: u64,
    /// Blobs of one object with at most so many bytes between them are asked for together, where requests take their
    /// time. On local files nothing between blobs is ever read.
    pub gap: u64,
}

impl Default for FetchLimits {
    /// 64 requests, 64 MiB, 1 MiB: from afar a megabyte takes about as long as another request.
    fn default() -> Self {
        Self { in_flight: 64, bytes: 64 << 20, gap: 1 << 20 }
    }
}

impl FetchLimits {
    /// The default, with the gap of the option `file-io.read-coalesce.max-gap` of the catalog, or else of the table.
    ///
    /// # Errors
    /// `InvalidInput` when the option is no size.
    pub fn of(table: &TableStore) -> Result<Self> {
        let default = Self::default();
        let gap = match TableOptions::new(table.storage().options()).read_coalesce_gap_bytes()? {
            Some(gap) => Some(gap),
            None => table.options().read_coalesce_gap_bytes()?,
        };
        Ok(Self { gap: gap.unwrap_or(default.gap), ..default })
    }

    /// The same, with `in_flight` requests at one time.
    #[must_use]
    pub fn with_in_flight(self, in_flight: usize) -> Self {
        Self { in_flight, ..self }
    }

    /// The same, with batches of `bytes` bytes.
    #[must_use]
    pub fn with_bytes(self, bytes: u64) -> Self {
        Self { bytes, ..self }
    }
}

/// The bytes that references point at: the same rows in the same order, in batches of at most `limits.bytes`. A null
/// reference gives NULL, an empty one no bytes.
///
/// Blobs are read object by object in the order of their positions, near ones together, the same one once in a batch, and
/// none before its batch is asked for. A reference without a size is read up to the end of its object, whose size is
/// asked once.
///
/// **What is checked.** Every range is compared with its object. References to `.blob` files of the table itself must
/// point into a value that the file's index knows; a whole value is read with its frame, and its magic, length and
/// checksum are verified. A part of a value, such as an element of an array, has no checksum of its own: that it is
/// undamaged cannot be known.
///
/// # Errors
/// Each names the `row` among the references, and the `file` or `url`.
/// * As [`BlobSource::open`] for references that are refused.
/// * `NotFound` when an object is absent.
/// * `CorruptData` when a range ends after its object, or a blob is damaged.
pub fn fetch(
    source: &BlobSource,
    references: BlobReferences,
    trust: Trust,
    limits: FetchLimits,
) -> BoxStream<'static, Result<LargeBinaryArray>> {
    let source = source.clone();
    let batches = async move {
        let ranges = Ranges::of(&source, &references, trust, limits).await?;
        let rows = ranges.batches(limits.bytes);
        let ranges = Arc::new(ranges);
        Ok(stream::iter(rows).then(move |rows| {
            let ranges = Arc::clone(&ranges);
            async move { ranges.read(rows, limits).await }
        }))
    };
    stream::once(batches).try_flatten().boxed()
}

/// What is to be read for each row, checked as far as it can be before anything is read.
#[derive(Debug)]
pub(crate) struct Ranges {
    objects: Vec<Object>,
    rows: Vec<Option<Payload>>,
}

/// A blob in its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Payload {
    /// Position among the objects.
    object: usize,
    start: u64,
    size: u64,
    /// The whole payload of a record: its frame is around it.
    is_framed: bool,
}

impl Ranges {
    /// Opens the objects, and asks for indexes and sizes where they are needed.
    pub(crate) async fn of(
        source: &BlobSource,
        references: &BlobReferences,
        trust: Trust,
        limits: FetchLimits,
    ) -> Result<Self> {
        let mut named: Vec<Named<'_>> = Vec::new();
        let mut numbers: HashMap<&str, usize> = HashMap::new();
        let mut wanted: Vec<Option<(usize, u64, Option<u64>)>> = Vec::with_capacity(references.len());
        for (row, reference) in references.iter().enumerate() {
            let Some(reference) = reference else {
                wanted.push(None);
                continue;
            };
            // Most rows follow one of the same object.
            let object = match wanted.last() {
                Some(&Some((last, _, _))) if named[last].url == reference.url => last,
                _ => *numbers.entry(reference.url).or_insert_with(|| {
                    named.push(Named { url: reference.url, row, claimed: 0, to_the_end: false });
                    named.len() - 1
                }),
            };
            let claims = &mut named[object];
            claims.claimed = claims.claimed.saturating_add(reference.size.unwrap_or(0));
            claims.to_the_end |= reference.size.is_none();
            wanted.push(Some((object, reference.position, reference.size)));
        }
        let asked: Vec<_> = named.iter().map(|named| named.look_up(source, trust)).collect();
        let known: Vec<Known> = stream::iter(asked).buffered(limits.in_flight.max(1)).try_collect().await?;
        let rows = wanted.into_iter().enumerate().map(|(row, wanted)| {
            let Some((object, start, size)) = wanted else { return Ok(None) };
            let payload = known[object].payload(object, start, size);
            payload
                .map(Some)
                .map_err(|error| error.with_context("file", known[object].object.url()).with_context("row", row))
        });
        let rows = rows.collect::<Result<_>>()?;
        Ok(Self { objects: known.into_iter().map(|known| known.object).collect(), rows })
    }

    /// Sizes of the blobs, 0 for NULL.
    pub(crate) fn sizes(&self) -> impl ExactSizeIterator<Item = u64> {
        self.rows.iter().map(|row| row.map_or(0, |payload| payload.size))
    }

    /// The blobs of a range of rows, as a column.
    pub(crate) async fn read(&self, rows: Range<usize>, limits: FetchLimits) -> Result<LargeBinaryArray> {
        batch::read(self, rows, limits).await
    }

    /// The blobs of all rows, one after the other.
    pub(crate) async fn read_bytes(&self, limits: FetchLimits) -> Result<Bytes> {
        batch::read_bytes(self, 0..self.rows.len(), limits).await
    }

    /// Cuts the rows so that each batch has at most `bytes` bytes, or one row.
    fn batches(&self, bytes: u64) -> Vec<Range<usize>> {
        cut(self.sizes(), bytes)
    }
}

/// Cuts rows with these sizes into ranges of at most `bytes` bytes each, or one row. Without a row there is one, empty.
pub(crate) fn cut(sizes: impl ExactSizeIterator<Item = u64>, bytes: u64) -> Vec<Range<usize>> {
    let rows = sizes.len();
    let (mut batches, mut start, mut held) = (Vec::new(), 0, 0_u64);
    for (row, size) in sizes.enumerate() {
        if row > start && held.saturating_add(size) > bytes {
            batches.push(start..row);
            (start, held) = (row, 0);
        }
        held = held.saturating_add(size);
    }
    batches.push(start..rows);
    batches
}

/// An object as references name it.
struct Named<'a> {
    url: &'a str,
    /// The first row that does.
    row: usize,
    /// Bytes of all ranges.
    claimed: u64,
    to_the_end: bool,
}

/// An object, and what limits the ranges in it.
struct Known {
    object: Object,
    index: Option<Arc<BlobIndex>>,
    size: Option<u64>,
}

impl Named<'_> {
    async fn look_up(&self, source: &BlobSource, trust: Trust) -> Result<Known> {
        let known = async {
            let object = source.object(self.url, trust).await?;
            let index = match object.is_own {
                true => Some(BlobIndex::load(source.context(), &object.storage, &object.path, None).await?),
                false => None,
            };
            let is_asked = self.to_the_end || index.is_none() && self.claimed > BELIEVED_BYTES;
            let size = match is_asked {
                true => Some(object.size().await?),
                false => None,
            };
            Ok(Known { object, index, size })
        };
        known.await.map_err(|error: Error| error.with_context("row", self.row))
    }
}

impl Known {
    fn payload(&self, object: usize, start: u64, size: Option<u64>) -> Result<Payload> {
        let object_bytes = self.size.unwrap_or(i64::MAX.cast_unsigned());
        let size = size.unwrap_or_else(|| object_bytes.saturating_sub(start));
        if start.checked_add(size).is_none_or(|end| end > object_bytes) {
            let message = format!("wanted {size} bytes at {start}, but the object has {object_bytes} bytes");
            return Err(Error::corrupt(message));
        }
        let Some(index) = &self.index else { return Ok(Payload { object, start, size, is_framed: false }) };
        if index.around(start, size).is_none() {
            let message = format!("wanted {size} bytes at {start}, but no value of the blob file has such bytes");
            return Err(Error::corrupt(message));
        }
        Ok(Payload { object, start, size, is_framed: index.find(start, size).is_some() })
    }
}

#[cfg(test)]
mod tests;
