//! One batch of blobs: what is asked for together, where it goes, what is checked.
//!
//! A batch is one piece of memory. It is cut into a piece for each blob, which is filled where it lies, and the pieces are
//! joined again: on the way from the storage's bytes to the column nothing is copied, unless one blob stands twice.

use std::{mem::take, ops::Range};

use arrow::{
    array::LargeBinaryArray,
    buffer::{Buffer, NullBuffer, OffsetBuffer},
};
use bytes::{Bytes, BytesMut};
use futures::{StreamExt, stream};
use paimon_io::FilePart;
use paimon_spec::{Error, Result};

use super::{FetchLimits, Payload, Ranges};
use crate::{
    file::{FRAME_BYTES, HEAD_BYTES, TRAILER_BYTES, check_magic, check_trailer},
    source::Object,
};

/// No request asks for more, and larger blobs come by several at a time.
const REQUEST_BYTES: u64 = 8 << 20;

/// What one trip to the local disk reads: enough for the trip not to matter, and little enough to be checked while it is
/// still in a processor's cache.
const LOCAL_TRIP_BYTES: u64 = 1 << 20;

/// Trips to the local disk at one time.
const LOCAL_TRIPS: usize = 16;

/// The blobs of a range of rows.
pub(super) async fn read(ranges: &Ranges, rows: Range<usize>, limits: FetchLimits) -> Result<LargeBinaryArray> {
    let payloads = &ranges.rows[rows.clone()];
    let lengths = payloads.iter().map(|payload| payload.map_or(0, |payload| payload.size as usize));
    let offsets = OffsetBuffer::<i64>::from_lengths(lengths);
    let nulls: NullBuffer = payloads.iter().map(Option::is_some).collect();
    let values = Buffer::from(read_bytes(ranges, rows, limits).await?);
    LargeBinaryArray::try_new(offsets, values, Some(nulls).filter(|nulls| nulls.null_count() > 0))
        .map_err(|error| Error::internal("paimon-blob", error))
}

/// The bytes of the blobs of a range of rows, one after the other.
pub(super) async fn read_bytes(ranges: &Ranges, rows: Range<usize>, limits: FetchLimits) -> Result<Bytes> {
    let payloads = &ranges.rows[rows.clone()];
    let mut memory = Memory::new(payloads)?;
    let requests = memory.requests(&ranges.objects, limits);
    let is_local = ranges.objects.iter().all(|object| object.storage.is_local());
    let at_once = if is_local { limits.in_flight.min(LOCAL_TRIPS) } else { limits.in_flight };
    let asked: Vec<_> = requests.into_iter().map(|request| request.send(&ranges.objects, limits.gap)).collect();
    let mut answers = stream::iter(asked).buffer_unordered(at_once.max(1));
    while let Some(answer) = answers.next().await {
        let answer = answer.map_err(|(row, error)| error.with_context("row", rows.start + row))?;
        for (slot, bytes) in answer {
            let row = memory.slots[slot].row;
            memory.fill(slot, bytes).map_err(|error| {
                let object = payloads[row].map(|payload| ranges.objects[payload.object].url());
                error.with_context("file", object.unwrap_or_default()).with_context("row", rows.start + row)
            })?;
        }
    }
    Ok(memory.join().freeze())
}

/// The memory of a batch, in pieces.
struct Memory {
    slots: Vec<Slot>,
    rows: Vec<RowSlots>,
    /// Rows in the order of their places.
    order: Vec<usize>,
}

/// A piece of memory, and the part of an object that goes into it.
struct Slot {
    row: usize,
    start: u64,
    bytes: BytesMut,
}

/// The slots of a row: head of the record, payload in one or several, trailer.
#[derive(Default)]
struct RowSlots {
    slots: Range<usize>,
    is_framed: bool,
    /// How many are still empty.
    missing: usize,
    /// The row before it, in the order of places, that has the same blob.
    same_as: Option<usize>,
    object: usize,
}

impl RowSlots {
    fn payload(&self) -> Range<usize> {
        let frame = usize::from(self.is_framed);
        self.slots.start + frame..self.slots.end - frame
    }
}

impl Memory {
    fn new(payloads: &[Option<Payload>]) -> Result<Self> {
        let mut order: Vec<usize> =
            (0..payloads.len()).filter(|&row| payloads[row].is_some_and(|payload| payload.size > 0)).collect();
        order.sort_by_key(|&row| payloads[row]);
        let mut same_as = vec![None; payloads.len()];
        for pair in order.windows(2) {
            if payloads[pair[0]] == payloads[pair[1]] {
                same_as[pair[1]] = Some(same_as[pair[0]].unwrap_or(pair[0]));
            }
        }
        let total: u64 = payloads.iter().flatten().map(|payload| payload.size).sum();
        let framed = payloads.iter().flatten().filter(|payload| payload.is_framed).count() as u64;
        // Zeroed pages cost nothing until they are touched, which is by the read.
        let mut values = zeroed(total)?;
        let mut frames = zeroed(framed * FRAME_BYTES)?;
        let (mut slots, mut rows) = (Vec::with_capacity(order.len() * 3), Vec::with_capacity(payloads.len()));
        for (row, payload) in payloads.iter().enumerate() {
            let mut row_slots = RowSlots { same_as: same_as[row], ..RowSlots::default() };
            row_slots.slots = slots.len()..slots.len();
            if let Some(payload) = payload.filter(|payload| payload.size > 0) {
                row_slots.object = payload.object;
                // What is copied needs no frame, and is one piece.
                row_slots.is_framed = payload.is_framed && same_as[row].is_none();
                let segment = if same_as[row].is_some() { payload.size } else { REQUEST_BYTES };
                let (mut start, end) = (payload.start, payload.start + payload.size);
                if row_slots.is_framed {
                    slots.push(Slot { row, start: start - HEAD_BYTES, bytes: frames.split_to(HEAD_BYTES as usize) });
                }
                while start < end {
                    let size = (end - start).min(segment);
                    slots.push(Slot { row, start, bytes: values.split_to(size as usize) });
                    start += size;
                }
                if row_slots.is_framed {
                    slots.push(Slot { row, start, bytes: frames.split_to(TRAILER_BYTES as usize) });
                }
                row_slots.slots.end = slots.len();
                row_slots.missing = row_slots.slots.len();
            }
            rows.push(row_slots);
        }
        Ok(Self { slots, rows, order })
    }

    /// The requests that fill the slots: near parts of one object together.
    fn requests(&mut self, objects: &[Object], limits: FetchLimits) -> Vec<Request> {
        let mut requests: Vec<Request> = Vec::new();
        for &row in self.order.iter().filter(|&&row| self.rows[row].same_as.is_none()) {
            let object = self.rows[row].object;
            let is_local = objects[object].storage.is_local();
            for number in self.rows[row].slots.clone() {
                let slot = &mut self.slots[number];
                let part = FilePart { start: slot.start, bytes: take(&mut slot.bytes) };
                let joined = requests.last_mut().filter(|last| {
                    let end = part.range().end.max(last.end);
                    last.object == object
                        && match is_local {
                            // Nothing between is read, so distance does not matter.
                            true => last.bytes < LOCAL_TRIP_BYTES,
                            false => {
                                part.start.saturating_sub(last.end) <= limits.gap
                                    && end - last.start <= REQUEST_BYTES + FRAME_BYTES
                            }
                        }
                });
                match joined {
                    Some(request) => request.push(number, part),
                    None => {
                        let mut request = Request { object, row, start: part.start, ..Request::default() };
                        request.push(number, part);
                        requests.push(request);
                    }
                }
            }
        }
        requests
    }

    /// Takes what came for a slot. With the last one of a framed blob the whole record is checked.
    fn fill(&mut self, slot: usize, bytes: BytesMut) -> Result<()> {
        let row = &mut self.rows[self.slots[slot].row];
        self.slots[slot].bytes = bytes;
        row.missing -= 1;
        if row.missing > 0 || !row.is_framed {
            return Ok(());
        }
        let record = &self.slots[row.slots.clone()];
        let (Some(head), Some(trailer)) = (record.first(), record.last()) else { return Ok(()) };
        check_magic(&head.bytes)?;
        let mut hasher = crc32fast::Hasher::new();
        record[..record.len() - 1].iter().for_each(|slot| hasher.update(&slot.bytes));
        hasher.update(&trailer.bytes[..8]);
        let record_bytes = record.iter().map(|slot| slot.bytes.len() as u64).sum();
        check_trailer(&trailer.bytes, record_bytes, hasher.finalize())
    }

    /// The payloads as one piece again, in the order of rows.
    fn join(mut self) -> BytesMut {
        for row in 0..self.rows.len() {
            let Some(original) = self.rows[row].same_as else { continue };
            let copy = self.rows[row].payload().start;
            let mut bytes = take(&mut self.slots[copy].bytes);
            let mut at = 0;
            for slot in &self.slots[self.rows[original].payload()] {
                bytes[at..at + slot.bytes.len()].copy_from_slice(&slot.bytes);
                at += slot.bytes.len();
            }
            self.slots[copy].bytes = bytes;
        }
        let mut whole = BytesMut::new();
        for row in &self.rows {
            for slot in &mut self.slots[row.payload()] {
                // Neighbours of one allocation: joined without copying.
                whole.unsplit(take(&mut slot.bytes));
            }
        }
        whole
    }
}

/// Parts of one object that are asked for together.
#[derive(Default)]
struct Request {
    object: usize,
    /// The first row that wants it.
    row: usize,
    start: u64,
    end: u64,
    /// Of the parts alone.
    bytes: u64,
    slots: Vec<usize>,
    parts: Vec<FilePart>,
}

impl Request {
    fn push(&mut self, slot: usize, part: FilePart) {
        self.end = self.end.max(part.range().end);
        self.bytes += part.bytes.len() as u64;
        self.slots.push(slot);
        self.parts.push(part);
    }

    /// What came for each slot; an error with the row.
    async fn send(self, objects: &[Object], gap: u64) -> Result<Vec<(usize, BytesMut)>, (usize, Error)> {
        let object = &objects[self.object];
        let parts = object.storage.read_into(&object.path, self.parts, gap).await;
        let parts = parts.map_err(|error| (self.row, error))?;
        Ok(self.slots.into_iter().zip(parts.into_iter().map(|part| part.bytes)).collect())
    }
}

fn zeroed(bytes: u64) -> Result<BytesMut> {
    let length = usize::try_from(bytes).ok().filter(|&length| isize::try_from(length).is_ok());
    length
        .map(BytesMut::zeroed)
        .ok_or_else(|| Error::invalid(format!("{bytes} bytes of blobs are too many for one batch")))
}
