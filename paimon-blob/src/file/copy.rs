//! Where the bytes of values to write come from: the rows themselves, or objects that they refer to.

use std::{fmt, ops::Range};

use arrow::{
    array::{Array, ArrayRef, AsArray, LargeBinaryArray},
    buffer::Buffer,
    datatypes::DataType as ArrowType,
};
use bytes::Bytes;
use crc32fast::Hasher;
use futures::{StreamExt, stream, stream::BoxStream};
use paimon_io::{TableStore, redact};
use paimon_spec::{DataField, DataType, Error, ErrorKind, Result, TableOptions, TypeKind};

use super::{
    index::BlobIndex,
    record::{FRAME_BYTES, HEAD_BYTES, MAGIC, TRAILER_BYTES, check_magic, check_record, check_trailer},
};
use crate::{BlobDescriptor, BlobReference, BlobReferences, BlobSource, Trust, source::Object};

/// Bytes of an object that are read at a time.
const PIECE_BYTES: u64 = 1 << 20;

/// Pieces of one object on their way at one time.
const PIECES_IN_FLIGHT: usize = 4;

/// Objects whose first pieces are on their way, or wait to be written, at one time.
const OBJECTS_IN_FLIGHT: usize = 16;

/// A column of values to write.
#[derive(Debug)]
pub(super) enum Blobs {
    /// As bytes, or as bytes that are a descriptor.
    Bytes { values: LargeBinaryArray, data: Bytes },
    /// As references of the caller's own.
    References(Box<BlobReferences>),
}

/// One of them.
#[derive(Debug)]
pub(super) enum Value<'a> {
    Null,
    Bytes(Bytes),
    Reference(BlobReference<'a>, Trust),
}

/// A buffer that its slices keep alive.
struct Shared(Buffer);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Blobs {
    /// # Errors
    /// `InvalidInput` when the column holds neither bytes nor references.
    pub(super) fn of(column: &ArrayRef) -> Result<Self> {
        match column.data_type() {
            ArrowType::LargeBinary => {
                let values = column.as_binary::<i64>().clone();
                let data = Bytes::from_owner(Shared(values.values().clone()));
                Ok(Self::Bytes { values, data })
            }
            ArrowType::Struct(_) => {
                BlobReferences::from_files(column.as_struct()).map(|files| Self::References(Box::new(files)))
            }
            other => Err(Error::invalid(format!("expected blobs as large_binary or as references, found {other}"))),
        }
    }

    /// The value of a row.
    ///
    /// # Errors
    /// As [`BlobDescriptor::decode`], for bytes that look like a descriptor.
    pub(super) fn get(&self, row: usize) -> Result<Value<'_>> {
        match self {
            Self::Bytes { values, .. } if values.is_null(row) => Ok(Value::Null),
            Self::Bytes { values, data } => {
                let bytes = values.value(row);
                if !BlobDescriptor::looks_like(bytes) {
                    // Arrow has checked the offsets of its own array.
                    let range = values.value_offsets()[row] as usize..values.value_offsets()[row + 1] as usize;
                    return Ok(Value::Bytes(data.slice(range)));
                }
                let BlobDescriptor { uri, offset, length } = BlobDescriptor::decode(bytes)?;
                Ok(Value::Reference(BlobReference { url: uri, position: offset, size: length }, Trust::Data))
            }
            Self::References(references) => {
                Ok(references.get(row).map_or(Value::Null, |reference| Value::Reference(reference, Trust::Caller)))
            }
        }
    }
}

/// Opens what values refer to.
#[derive(Debug)]
pub(super) struct Copier {
    source: BlobSource,
    column: String,
    nullable: bool,
    null_on_missing_file: bool,
    null_on_fetch_failure: bool,
}

/// A value whose first bytes are there.
#[derive(Debug)]
pub(super) enum Opened {
    Null,
    Bytes(Bytes),
    Copy(Box<Copy>),
}

/// The bytes of an object, a piece at a time.
pub(super) struct Copy {
    object: Object,
    first: Bytes,
    /// What follows, as a range of the object.
    rest: Range<u64>,
    /// What to compare with at the end.
    check: Option<Check>,
    row: u64,
}

/// The checksum of a record, so far, and its end.
struct Check {
    crc: Hasher,
    record_bytes: u64,
    trailer: Bytes,
}

impl fmt::Debug for Copy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Copy").field("object", &self.object).field("rest", &self.rest).finish_non_exhaustive()
    }
}

impl Copier {
    /// # Errors
    /// `InvalidInput` when an option has a value that it cannot have.
    pub(super) fn new(store: &TableStore, column: &DataField, options: &TableOptions<'_>) -> Result<Self> {
        Ok(Self {
            source: BlobSource::of(store)?,
            column: column.name.clone(),
            nullable: blobs_are_nullable(&column.data_type),
            null_on_missing_file: options.blob_write_null_on_missing_file()?,
            null_on_fetch_failure: options.blob_write_null_on_fetch_failure()?,
        })
    }

    /// The values of `rows` of a column, in order, opened some ahead of the one that is asked for. `row` gives the number
    /// that errors name.
    pub(super) fn open_all<'a>(
        &'a self,
        blobs: &'a Blobs,
        rows: impl Iterator<Item = (u64, usize)> + Send + 'a,
    ) -> BoxStream<'a, Result<Opened>> {
        let opened = rows.map(move |(row, position)| async move {
            match blobs.get(position).map_err(|error| self.naming(error, row))? {
                Value::Null if self.nullable => Ok(Opened::Null),
                Value::Null => Err(self.naming(Error::invalid("NULL in place of a blob that is NOT NULL"), row)),
                Value::Bytes(bytes) => Ok(Opened::Bytes(bytes)),
                Value::Reference(reference, trust) => self.open(reference, trust, row).await,
            }
        });
        stream::iter(opened).buffered(OBJECTS_IN_FLIGHT).boxed()
    }

    async fn open(&self, reference: BlobReference<'_>, trust: Trust, row: u64) -> Result<Opened> {
        let naming = |error: Error| {
            let error = if error.context("file").is_none() && error.context("url").is_none() {
                error.with_context("url", redact(reference.url))
            } else {
                error
            };
            self.naming(error, row)
        };
        // A place that is refused is an error whatever the options say.
        let object = match self.source.object(reference.url, trust).await {
            Ok(object) => object,
            Err(error) if self.is_forgiven(&error, false) => return Ok(Opened::Null),
            Err(error) => return Err(naming(error)),
        };
        match self.begin(object, reference, row).await {
            Ok(opened) => Ok(opened),
            Err(error) if self.is_forgiven(&error, true) => Ok(Opened::Null),
            Err(error) => Err(naming(error)),
        }
    }

    /// Whether NULL takes the place of a value that could not be opened.
    fn is_forgiven(&self, error: &Error, while_fetching: bool) -> bool {
        self.nullable
            && match error.kind() {
                ErrorKind::NotFound => self.null_on_missing_file,
                ErrorKind::Storage | ErrorKind::PermissionDenied => while_fetching && self.null_on_fetch_failure,
                _ => false,
            }
    }

    /// Reads the first piece.
    async fn begin(&self, object: Object, reference: BlobReference<'_>, row: u64) -> Result<Opened> {
        let Object { storage, path, .. } = &object;
        if let Some(record) = self.record_of(&object, reference).await? {
            return Self::begin_record(object, record, row).await;
        }
        let BlobReference { position, size, .. } = reference;
        let end = match size {
            Some(size) if size > 0 => position.checked_add(size),
            size => {
                let found = storage.size(path).await?.ok_or_else(|| Error::not_found("file not found"))?;
                (position <= found).then_some(if size.is_none() { found } else { position })
            }
        };
        let end = end.ok_or_else(|| {
            Error::corrupt(format!("the object has no {} bytes from byte {position}", size.unwrap_or_default()))
        })?;
        let first_end = end.min(position.saturating_add(PIECE_BYTES));
        let first = read_one(&object, position..first_end).await?;
        Ok(if first_end == end {
            Opened::Bytes(first)
        } else {
            Opened::Copy(Box::new(Copy { object, first, rest: first_end..end, check: None, row }))
        })
    }

    /// The record of a `.blob` file whose whole value is referred to: then its checksum is verified. Of the table's own
    /// files nothing but values and their parts is copied.
    async fn record_of(&self, object: &Object, reference: BlobReference<'_>) -> Result<Option<Range<u64>>> {
        let BlobReference { position, size, .. } = reference;
        let may_be_a_value = object.path.ends_with(".blob") && size.is_some() && position >= HEAD_BYTES;
        if !object.is_own && !may_be_a_value {
            return Ok(None);
        }
        let index = match BlobIndex::load(self.source.context(), &object.storage, &object.path, None).await {
            Ok(index) => index,
            // Elsewhere a file of that name may be anything.
            Err(error) if !object.is_own && error.kind() == ErrorKind::CorruptData => return Ok(None),
            Err(error) => return Err(error),
        };
        if object.is_own && size.and_then(|size| index.around(position, size)).is_none() {
            let message =
                format!("expected a blob at byte {position}, found no value of the blob file that has its bytes");
            return Err(Error::corrupt(message).with_context("file", object.url()));
        }
        Ok(size.and_then(|size| index.find(position, size)))
    }

    async fn begin_record(object: Object, record: Range<u64>, row: u64) -> Result<Opened> {
        let record_bytes = record.end - record.start;
        if record_bytes <= PIECE_BYTES + FRAME_BYTES {
            let bytes = read_one(&object, record).await?;
            return check_record(&bytes).map(Opened::Bytes).map_err(|e| e.with_context("file", object.url()));
        }
        let (first_end, payload_end) = (record.start + HEAD_BYTES + PIECE_BYTES, record.end - TRAILER_BYTES);
        let parts = read(&object, &[record.start..first_end, payload_end..record.end]).await?;
        let Ok([mut first, trailer]) = <[Bytes; 2]>::try_from(parts) else {
            return Err(Error::internal("paimon-blob", "a storage gave another number of ranges than asked for"));
        };
        check_magic(&first).map_err(|e| e.with_context("file", object.url()))?;
        let _magic = first.split_to(HEAD_BYTES as usize);
        let mut crc = Hasher::new();
        crc.update(&MAGIC);
        let check = Some(Check { crc, record_bytes, trailer });
        Ok(Opened::Copy(Box::new(Copy { object, first, rest: first_end..payload_end, check, row })))
    }

    /// The bytes of a value, a piece at a time. The last thing that comes is an error if they are not those that were
    /// written.
    pub(super) fn pieces(&self, copy: Copy) -> BoxStream<'_, Result<Bytes>> {
        let Copy { object, first, rest, mut check, row } = copy;
        let end = rest.end;
        let starts = stream::iter((rest.start..end).step_by(PIECE_BYTES as usize));
        let following = object.clone();
        let following = starts.map(move |start| {
            let object = following.clone();
            async move { read_one(&object, start..end.min(start + PIECE_BYTES)).await }
        });
        let following = following.buffered(PIECES_IN_FLIGHT);
        let pieces = stream::once(async { Ok(first) }).chain(following).map(Some).chain(stream::once(async { None }));
        let checked = pieces.filter_map(move |piece| {
            let piece = match (piece, &mut check) {
                (Some(Ok(piece)), Some(check)) => {
                    check.crc.update(&piece);
                    Some(Ok(piece))
                }
                (None, check) => {
                    let wrong = check.take().and_then(|check| check.finish().err());
                    wrong.map(|error| Err(error.with_context("file", object.url())))
                }
                (piece, _) => piece,
            };
            async { piece }
        });
        checked.map(move |piece| piece.map_err(|error| self.naming(error, row))).boxed()
    }

    fn naming(&self, error: Error, row: u64) -> Error {
        error.with_context("column", &self.column).with_context("row", row)
    }
}

impl Check {
    fn finish(mut self) -> Result<()> {
        self.crc.update(&self.trailer[..self.trailer.len().min(8)]);
        check_trailer(&self.trailer, self.record_bytes, self.crc.finalize())
    }
}

async fn read_one(object: &Object, range: Range<u64>) -> Result<Bytes> {
    read(object, &[range]).await.map(|mut parts| parts.pop().unwrap_or_default())
}

async fn read(object: &Object, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
    object.storage.read_ranges(&object.path, ranges).await
}

/// Whether there may be NULL in place of a blob of the column.
fn blobs_are_nullable(column: &DataType) -> bool {
    match &column.kind {
        TypeKind::Array(element) => element.nullable,
        TypeKind::Map(_, value) => value.nullable,
        _ => column.nullable,
    }
}
