//! Reads a `.blob` file as descriptors of what it holds.

use std::{ops::Range, sync::Arc, vec};

use arrow::{
    array::{ArrayRef, ListArray, MapArray, RecordBatch, RecordBatchOptions, StructArray, new_null_array},
    buffer::{NullBuffer, OffsetBuffer},
    datatypes::{DataType as ArrowType, Field, FieldRef, Schema, SchemaRef},
};
use bytes::Bytes;
use futures::{StreamExt, stream};
use paimon_io::{BatchStream, FileRead, Storage, arrow_schema};
use paimon_spec::{DataFileMeta, DataType, Error, Result, limits};

use super::{
    Shape,
    descriptors::Descriptors,
    index::{BlobIndex, Record, naming},
    keys::KeyKind,
    nested::{Entries, Kind, Missing, Payload},
    record::{FRAME_BYTES, HEAD_BYTES, TRAILER_BYTES, check_length, check_magic, check_record},
};

/// Records of arrays and maps up to this size are read whole, and their checksums verified. Of larger ones only the two
/// ends are read.
const WHOLE_BYTES: u64 = 4 << 10;

/// How much of each end of a larger array or map is read at first.
const END_BYTES: u64 = 512;

/// Descriptors of the wanted values. Rows that are left to older files are NULL.
pub(super) fn open(
    index: Arc<BlobIndex>,
    storage: &Storage,
    path: &str,
    file: &DataFileMeta,
    read: &FileRead,
) -> Result<BatchStream> {
    let held = |name: &str| file.write_cols.as_ref().is_none_or(|columns| columns.iter().any(|column| column == name));
    let columns = read.columns.iter().map(|field| match held(&field.name) {
        true => Shape::of(&field.data_type).map(Some).map_err(|e| e.with_context("column", &field.name)),
        false => Ok(None),
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let held = columns.iter().flatten().count();
    if held > 1 {
        return Err(Error::corrupt(format!("expected one column in a blob file, found {held}")));
    }
    let url = storage.url(path);
    // Rows that are left open have no value, whatever the column's type says.
    let fields = arrow_schema(&read.columns)?
        .fields()
        .iter()
        .zip(&columns)
        .map(|(field, shape)| match shape {
            Some(_) => Arc::new(field.as_ref().clone().with_nullable(true)),
            None => Arc::clone(field),
        })
        .collect::<Vec<_>>();
    let schema = Arc::new(Schema::new(fields));
    let types = read.columns.iter().map(|field| field.data_type.clone()).collect();
    // Rows of one batch are as many as its descriptors have room for.
    let each_bytes = Descriptors::new(&url).each_bytes() as u64;
    let most = usize::try_from(limits::BATCH_BYTES / each_bytes).unwrap_or(usize::MAX);
    let reading = Reading {
        rows: WantedRecords {
            ranges: read.wanted_rows(0..index.rows()).into_iter(),
            index,
            left: read.limit.unwrap_or(usize::MAX),
        },
        pending: Vec::new(),
        batch_rows: read.batch_rows.clamp(1, most.max(1)),
        storage: storage.clone(),
        path: path.to_owned(),
        url,
        schema,
        types,
        columns,
    };
    let batches = stream::try_unfold(reading, |mut reading| async move {
        let next = reading.next_batch().await.map_err(|error| naming(error, &reading.url))?;
        Ok(next.map(|batch| (batch, reading)))
    });
    Ok(batches.boxed())
}

/// The records of the wanted rows.
struct WantedRecords {
    index: Arc<BlobIndex>,
    ranges: vec::IntoIter<Range<u64>>,
    /// Rows still wanted.
    left: usize,
}

impl WantedRecords {
    /// Takes up to `most` of them into `records`.
    fn take_into(&mut self, records: &mut Vec<Record>, most: usize) {
        let mut wanted = most.saturating_sub(records.len()).min(self.left);
        while wanted > 0 {
            let Some(range) = self.ranges.as_slice().first().cloned() else { break };
            let end = range.end.min(range.start.saturating_add(wanted as u64));
            let before = records.len();
            records.extend(self.index.records(range.start..end));
            wanted -= records.len() - before;
            self.left -= records.len() - before;
            match self.ranges.as_mut_slice().first_mut() {
                Some(first) if end < range.end => first.start = end,
                _ => drop(self.ranges.next()),
            }
        }
    }
}

struct Reading {
    rows: WantedRecords,
    /// Records that the last batch had no room for.
    pending: Vec<Record>,
    batch_rows: usize,
    storage: Storage,
    path: String,
    url: String,
    schema: SchemaRef,
    types: Vec<DataType>,
    /// What the values of each column are; `None`: the file does not hold the column.
    columns: Vec<Option<Shape>>,
}

impl Reading {
    async fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        let mut records = std::mem::take(&mut self.pending);
        self.rows.take_into(&mut records, self.batch_rows);
        if records.is_empty() {
            return Ok(None);
        }
        let nested = self.columns.iter().flatten().find_map(|shape| match shape {
            Shape::Blob => None,
            Shape::Array => Some(Kind::Array),
            Shape::Map(_) => Some(Kind::Map),
        });
        let entries = match nested {
            Some(kind) => {
                let entries = self.entries(kind, &records).await?;
                self.pending = records.split_off(entries.len());
                entries
            }
            None => Vec::new(),
        };
        let columns =
            self.columns.iter().zip(&self.types).zip(self.schema.fields()).map(|((shape, data_type), field)| {
                let column = match shape {
                    None => Ok(new_null_array(field.data_type(), records.len())),
                    Some(Shape::Blob) => Ok(self.blobs(&records)),
                    Some(Shape::Array) => self.arrays(&entries, field),
                    Some(Shape::Map(keys)) => self.maps(&entries, *keys, field),
                };
                if shape.is_some() && !data_type.nullable && records.contains(&Record::Null) {
                    return Err(
                        Error::corrupt("NULL in a column that is NOT NULL").with_context("column", field.name())
                    );
                }
                column.map_err(|e| e.with_context("column", field.name()))
            });
        let options = RecordBatchOptions::new().with_row_count(Some(records.len()));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns.collect::<Result<_>>()?, &options)
            .map(Some)
            .map_err(|e| Error::corrupt("blobs do not fit the file's schema").with_source(e))
    }

    fn blobs(&self, records: &[Record]) -> ArrayRef {
        let mut column = Descriptors::with_capacity(&self.url, records.len());
        for record in records {
            column.push(match record {
                Record::Value(range) => Some(payload_of(range)),
                Record::Null | Record::LeftOpen => None,
            });
        }
        Arc::new(column.finish())
    }

    /// The descriptors of all entries, and where each row's end.
    fn flattened<'a>(&self, rows: &'a [Option<Row>]) -> Result<(ArrayRef, OffsetBuffer<i32>, Option<NullBuffer>)> {
        let lengths = rows.iter().map(|row| row.as_ref().map_or(0, |row| row.entries.blobs.len()));
        let count: usize = lengths.clone().sum();
        if i32::try_from(count).is_err() {
            return Err(Error::internal("paimon-blob", format!("{count} blobs in one batch")));
        }
        let mut blobs = Descriptors::with_capacity(&self.url, count);
        let all = |row: &'a Row| row.entries.blobs.iter().map(move |blob| (row.payload_start, blob));
        for (start, blob) in rows.iter().flatten().flat_map(all) {
            blobs.push(blob.as_ref().map(|blob| start + blob.start..start + blob.end));
        }
        let nulls = NullBuffer::from_iter(rows.iter().map(Option::is_some));
        let nulls = (nulls.null_count() > 0).then_some(nulls);
        Ok((Arc::new(blobs.finish()), OffsetBuffer::from_lengths(lengths), nulls))
    }

    fn arrays(&self, rows: &[Option<Row>], field: &Field) -> Result<ArrayRef> {
        let ArrowType::List(item) = field.data_type() else { return Err(other_type(field)) };
        let (blobs, offsets, nulls) = self.flattened(rows)?;
        let arrays = ListArray::try_new(Arc::clone(item), offsets, blobs, nulls);
        Ok(Arc::new(arrays.map_err(|e| Error::corrupt("not a readable array of blobs").with_source(e))?))
    }

    fn maps(&self, rows: &[Option<Row>], kind: KeyKind, field: &Field) -> Result<ArrayRef> {
        let ArrowType::Map(entries, sorted) = field.data_type() else { return Err(other_type(field)) };
        let ArrowType::Struct(fields) = entries.data_type() else { return Err(other_type(field)) };
        for row in rows.iter().flatten() {
            if let Some(key) = kind.repeated(row.entries.keys.iter().map(Bytes::as_ref))? {
                return Err(Error::corrupt(format!(
                    "expected distinct keys in a map of blobs, found {key:02x?} twice"
                )));
            }
        }
        let keys = kind.decode(rows.iter().flatten().flat_map(|row| row.entries.keys.iter().map(Bytes::as_ref)))?;
        let (blobs, offsets, nulls) = self.flattened(rows)?;
        let corrupt = |e| Error::corrupt("not a readable map of blobs").with_source(e);
        let pairs = StructArray::try_new(fields.clone(), vec![keys, blobs], None).map_err(corrupt)?;
        let maps = MapArray::try_new(FieldRef::clone(entries), offsets, pairs, nulls, *sorted).map_err(corrupt)?;
        Ok(Arc::new(maps))
    }

    /// What the arrays or maps of the first of `records` hold: of at least one, and of as many as there is room for.
    async fn entries(&self, kind: Kind, records: &[Record]) -> Result<Vec<Option<Row>>> {
        let values: Vec<&Range<u64>> = records.iter().filter_map(value).collect();
        let mut payloads = self.ends(kind, &values).await?;
        let (most, each_bytes) = (limits::BATCH_BYTES, Descriptors::new(&self.url).each_bytes() as u64);
        let mut room = most;
        let mut fit = 0;
        for payload in &payloads {
            let wanted = payload.count()?.saturating_mul(each_bytes);
            if wanted > most {
                return Err(limits::exceeded("descriptors of the blobs of one row", "BATCH_BYTES", most, wanted));
            }
            // What is missing of the ends is of the order of the descriptors.
            let Some(left) = room.checked_sub(wanted) else { break };
            room = left;
            fit += 1;
        }
        payloads.truncate(fit);
        loop {
            let missing = payloads.iter().map(Payload::missing).collect::<Result<Vec<_>>>()?;
            let wanted = missing.iter().zip(&values).filter_map(|(missing, record)| match missing {
                Missing::Nothing => None,
                Missing::Head(range) | Missing::Tail(range) => {
                    let start = record.start + HEAD_BYTES;
                    Some(start + range.start..start + range.end)
                }
            });
            let wanted: Vec<_> = wanted.collect();
            if wanted.is_empty() {
                break;
            }
            let mut parts = self.storage.read_ranges(&self.path, &wanted).await?.into_iter();
            for (payload, missing) in payloads.iter_mut().zip(missing) {
                match missing {
                    Missing::Nothing => {}
                    Missing::Head(_) => payload.head = parts.next().unwrap_or_default(),
                    Missing::Tail(_) => payload.tail = parts.next().unwrap_or_default(),
                }
            }
        }
        let mut found = payloads.iter().zip(values);
        let mut rows = Vec::with_capacity(records.len());
        for record in records {
            rows.push(match record {
                Record::Null | Record::LeftOpen => None,
                Record::Value(_) => match found.next() {
                    Some((payload, record)) => {
                        let payload_start = record.start + HEAD_BYTES;
                        Some(Row { payload_start, entries: payload.entries()? })
                    }
                    None => break,
                },
            });
        }
        Ok(rows)
    }

    /// The payloads of records, as far as a first look knows them.
    async fn ends(&self, kind: Kind, records: &[&Range<u64>]) -> Result<Vec<Payload>> {
        let mut ranges = Vec::with_capacity(records.len() * 2);
        for &record in records {
            if record.end - record.start <= WHOLE_BYTES {
                ranges.push(record.clone());
            } else {
                ranges.push(record.start..record.start + END_BYTES);
                ranges.push(record.end - END_BYTES..record.end);
            }
        }
        let mut parts = self.storage.read_ranges(&self.path, &ranges).await?.into_iter();
        let mut part = || parts.next().unwrap_or_default();
        let payloads = records.iter().map(|record| {
            let bytes = record.end - record.start;
            let (head, tail) = if bytes <= WHOLE_BYTES {
                let payload = check_record(&part())?;
                (payload.clone(), payload)
            } else {
                let (mut head, mut tail) = (part(), part());
                check_magic(&head)?;
                let trailer = tail.split_off(tail.len().saturating_sub(TRAILER_BYTES as usize));
                check_length(&trailer, bytes)?;
                (head.split_off(HEAD_BYTES as usize), tail)
            };
            Ok(Payload { kind, len: bytes - FRAME_BYTES, head, tail })
        });
        payloads.collect()
    }
}

/// One array or map.
struct Row {
    /// Where its payload begins in the file.
    payload_start: u64,
    entries: Entries,
}

fn value(record: &Record) -> Option<&Range<u64>> {
    match record {
        Record::Value(range) => Some(range),
        Record::Null | Record::LeftOpen => None,
    }
}

/// The bytes of a record's payload.
fn payload_of(record: &Range<u64>) -> Range<u64> {
    record.start + HEAD_BYTES..record.end - TRAILER_BYTES
}

fn other_type(field: &Field) -> Error {
    Error::internal("paimon-blob", format!("{} for a column of blobs", field.data_type()))
}
