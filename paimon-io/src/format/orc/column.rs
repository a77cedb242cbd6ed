//! A column of a stripe: its streams become arrays, batch by batch.

use std::sync::Arc;

use arrow::{
    array::{
        ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int8Array,
        Int16Array, Int32Array, Int64Array, ListArray, MapArray, StringArray, StructArray, TimestampMicrosecondArray,
        TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray, UInt32Array,
    },
    buffer::{NullBuffer, OffsetBuffer, ScalarBuffer},
    compute::take,
    datatypes::{ArrowNativeType, DataType as ArrowType, Field, Fields, TimeUnit},
    error::ArrowError,
};
use paimon_spec::{Error, Result, limits::BATCH_BYTES};

use super::{
    corrupt,
    input::Input,
    rle::{Bits, ByteRuns, Integers},
    shape::Shape,
    stripe::{StreamKind, Streams},
    tail::Kind,
    timestamp::Reading,
    zone::Zone,
};
use crate::arrow::types::UTC;

/// What a value of a fixed size takes while it is decoded, at most.
const VALUE_BYTES: usize = 16;

/// Why a batch could not be read.
#[derive(Debug)]
pub(super) enum Fault {
    /// For good.
    Bad(Error),
    /// Its arrays would take too much memory; fewer rows may do.
    TooLarge,
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Bad(error)
    }
}

type Decoded<T> = std::result::Result<T, Fault>;

/// Memory that the arrays of a batch may still take, about.
#[derive(Debug)]
pub(super) struct Budget(usize);

impl Budget {
    pub(super) fn new() -> Self {
        Self(BATCH_BYTES as usize)
    }

    fn take(&mut self, count: usize, bytes_each: usize) -> Decoded<()> {
        let left = count.checked_mul(bytes_each).and_then(|bytes| self.0.checked_sub(bytes));
        self.0 = left.ok_or(Fault::TooLarge)?;
        Ok(())
    }
}

/// A column in the middle of being read. A copy reads the same rows again.
#[derive(Debug, Clone)]
pub(super) struct Column {
    /// Which rows have a value; `None`: all.
    present: Option<Bits>,
    values: Values,
}

#[derive(Debug, Clone)]
enum Values {
    Boolean(Bits),
    Byte(ByteRuns),
    Short(Integers),
    Int(Integers),
    Long(Integers),
    Date(Integers),
    Float(Input),
    Double(Input),
    Bytes { lengths: Integers, data: Input, form: Form },
    Dictionary { indexes: Integers, entries: Arc<Entries>, form: Form },
    Decimal { digits: Input, scales: Integers, precision: u8, scale: u8 },
    Timestamp { seconds: Integers, nanos: Integers, reading: Reading, zone: Option<&'static str> },
    List { lengths: Integers, element: Box<Column> },
    Map { lengths: Integers, key: Box<Column>, value: Box<Column> },
    Struct { names: Vec<String>, columns: Vec<Column> },
}

/// What bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Binary,
    Text,
    /// Text that was filled up with spaces to its length.
    Padded,
}

/// A dictionary, entry after entry.
#[derive(Debug)]
struct Entries {
    ends: Vec<usize>,
    bytes: Vec<u8>,
}

impl Entries {
    fn read(mut lengths: Integers, mut data: Input, size: usize, budget: &mut Budget) -> Decoded<Self> {
        budget.take(size, VALUE_BYTES)?;
        let mut end = 0usize;
        let ends = lengths.read(size)?.into_iter().map(|length| {
            end = usize::try_from(length).ok().and_then(|length| end.checked_add(length)).ok_or(Fault::TooLarge)?;
            Ok(end)
        });
        let ends = ends.collect::<Decoded<Vec<_>>>()?;
        budget.take(end, 1)?;
        let mut bytes = Vec::new();
        data.append(end, &mut bytes)?;
        Ok(Self { ends, bytes })
    }

    fn get(&self, index: i64) -> Result<&[u8]> {
        let found = usize::try_from(index).ok().and_then(|index| {
            let start = if index == 0 { 0 } else { *self.ends.get(index - 1)? };
            self.bytes.get(start..*self.ends.get(index)?)
        });
        found.ok_or_else(|| corrupt(format!("a dictionary of {} entries has no entry {index}", self.ends.len())))
    }
}

impl Column {
    /// The column of a stripe. `biased`: whose clock local-zone timestamps show, `None`: they are times of UTC.
    pub(super) fn open(shape: &Shape, streams: &Streams, biased: Option<Zone>, budget: &mut Budget) -> Result<Self> {
        let position = shape.position;
        let encoding = streams.layout.encoding(position)?;
        let stream = |kind| streams.stream(position, kind);
        let integers = |kind, signed| Integers::new(stream(kind), encoding.version, signed);
        let children = shape.children.iter().map(|(_, child)| Self::open(child, streams, biased, budget));
        let mut children = children.collect::<Result<Vec<_>>>()?.into_iter();
        let mut child = || {
            let child = children.next().map(Box::new);
            child.ok_or_else(|| corrupt(format!("column {position} has too few columns within")))
        };
        let values = match shape.kind {
            Kind::Boolean => Values::Boolean(Bits::new(stream(StreamKind::Data))),
            Kind::Byte => Values::Byte(ByteRuns::new(stream(StreamKind::Data))),
            Kind::Short => Values::Short(integers(StreamKind::Data, true)),
            Kind::Int => Values::Int(integers(StreamKind::Data, true)),
            Kind::Long => Values::Long(integers(StreamKind::Data, true)),
            Kind::Date => Values::Date(integers(StreamKind::Data, true)),
            Kind::Float => Values::Float(stream(StreamKind::Data)),
            Kind::Double => Values::Double(stream(StreamKind::Data)),
            Kind::String | Kind::VarChar | Kind::Char | Kind::Binary => {
                let form = match shape.kind {
                    Kind::Binary => Form::Binary,
                    Kind::Char => Form::Padded,
                    _ => Form::Text,
                };
                match encoding.dictionary {
                    None => Values::Bytes {
                        lengths: integers(StreamKind::Length, false),
                        data: stream(StreamKind::Data),
                        form,
                    },
                    Some(size) => {
                        let (lengths, data) = (integers(StreamKind::Length, false), stream(StreamKind::DictionaryData));
                        let entries = Entries::read(lengths, data, size, budget).map_err(|fault| match fault {
                            Fault::Bad(error) => error,
                            Fault::TooLarge => {
                                Error::unsupported(format!("dictionaries of more than {BATCH_BYTES} bytes"))
                            }
                        })?;
                        Values::Dictionary {
                            indexes: integers(StreamKind::Data, false),
                            entries: Arc::new(entries),
                            form,
                        }
                    }
                }
            }
            Kind::Decimal { precision, scale } => Values::Decimal {
                digits: stream(StreamKind::Data),
                scales: integers(StreamKind::Secondary, true),
                precision,
                scale,
            },
            Kind::Timestamp | Kind::TimestampInstant => {
                let (reading, zone) = match shape.kind {
                    Kind::Timestamp => (Reading::wall_clock(streams.layout.zone, shape.unit), None),
                    _ => (Reading::instant(biased, shape.unit), Some(UTC)),
                };
                let (seconds, nanos) = (integers(StreamKind::Data, true), integers(StreamKind::Secondary, false));
                Values::Timestamp { seconds, nanos, reading, zone }
            }
            Kind::List => Values::List { lengths: integers(StreamKind::Length, false), element: child()? },
            Kind::Map => Values::Map { lengths: integers(StreamKind::Length, false), key: child()?, value: child()? },
            Kind::Struct => Values::Struct {
                names: shape.children.iter().map(|(name, _)| name.clone()).collect(),
                columns: children.collect(),
            },
        };
        let present = streams.get(position, StreamKind::Present).map(Bits::new);
        Ok(Self { present, values })
    }

    /// The next `rows` rows.
    pub(super) fn read(&mut self, rows: usize, budget: &mut Budget) -> Decoded<ArrayRef> {
        let nulls = match &mut self.present {
            None => None,
            Some(present) => {
                budget.take(rows, 1)?;
                Some(NullBuffer::new(present.read(rows)?)).filter(|nulls| nulls.null_count() > 0)
            }
        };
        self.values.read(&Slots { rows, nulls }, budget)
    }
}

/// The rows of a batch, and which of them have no value.
struct Slots {
    rows: usize,
    nulls: Option<NullBuffer>,
}

impl Slots {
    /// How many rows have a value.
    fn count(&self) -> usize {
        self.rows - self.nulls.as_ref().map_or(0, NullBuffer::null_count)
    }

    /// The values at their rows.
    fn spread<T: ArrowNativeType>(&self, values: Vec<T>) -> ScalarBuffer<T> {
        let Some(nulls) = &self.nulls else { return values.into() };
        let mut spread = vec![T::default(); self.rows];
        for (row, value) in nulls.valid_indices().zip(values) {
            spread[row] = value;
        }
        spread.into()
    }

    /// Where values of these lengths start and end, those of rows without a value being empty; and the end of all.
    fn offsets(&self, lengths: &[i64]) -> Decoded<(OffsetBuffer<i32>, usize)> {
        let mut ends = Vec::with_capacity(lengths.len());
        let mut end = 0i32;
        for length in lengths {
            if *length < 0 {
                return Err(corrupt(format!("a value has the length {}", *length as u64)).into());
            }
            end = i32::try_from(*length).ok().and_then(|length| end.checked_add(length)).ok_or(Fault::TooLarge)?;
            ends.push(end);
        }
        let mut offsets = Vec::with_capacity(self.rows + 1);
        offsets.push(0);
        match &self.nulls {
            None => offsets.extend(ends),
            Some(nulls) => {
                let (mut ends, mut last) = (ends.into_iter(), 0);
                offsets.extend(nulls.iter().map(|valid| {
                    if valid {
                        last = ends.next().unwrap_or(last);
                    }
                    last
                }));
            }
        }
        Ok((OffsetBuffer::new(offsets.into()), end as usize))
    }

    /// Bytes at their rows, each of `lengths` long.
    fn bytes(&self, lengths: &[i64], data: Vec<u8>, form: Form) -> Decoded<ArrayRef> {
        let (offsets, _) = self.offsets(lengths)?;
        let nulls = self.nulls.clone();
        Ok(match form {
            Form::Binary => Arc::new(BinaryArray::try_new(offsets, data.into(), nulls).map_err(unfit)?),
            _ => Arc::new(StringArray::try_new(offsets, data.into(), nulls).map_err(unfit)?),
        })
    }
}

fn unfit(error: ArrowError) -> Error {
    corrupt("values do not fit their type").with_source(error)
}

impl Values {
    fn read(&mut self, slots: &Slots, budget: &mut Budget) -> Decoded<ArrayRef> {
        let (count, nulls) = (slots.count(), slots.nulls.clone());
        budget.take(slots.rows, if matches!(self, Values::Boolean(_) | Values::Byte(_)) { 2 } else { VALUE_BYTES })?;
        Ok(match self {
            Values::Boolean(bits) => {
                let values = bits.read(count)?;
                let values = match &nulls {
                    None => values,
                    Some(nulls) => {
                        let mut values = values.iter();
                        nulls.iter().map(|valid| valid && values.next().unwrap_or(false)).collect()
                    }
                };
                Arc::new(BooleanArray::new(values, nulls))
            }
            Values::Byte(bytes) => {
                let values = bytes.read(count)?.into_iter().map(|byte| byte as i8).collect();
                Arc::new(Int8Array::new(slots.spread(values), nulls))
            }
            Values::Short(values) => Arc::new(Int16Array::new(slots.spread(narrow(values.read(count)?)?), nulls)),
            Values::Int(values) => Arc::new(Int32Array::new(slots.spread(narrow(values.read(count)?)?), nulls)),
            Values::Long(values) => Arc::new(Int64Array::new(slots.spread(values.read(count)?), nulls)),
            Values::Date(values) => Arc::new(Date32Array::new(slots.spread(narrow(values.read(count)?)?), nulls)),
            Values::Float(data) => {
                let values = fixed(data, count)?.map(f32::from_le_bytes).collect();
                Arc::new(Float32Array::new(slots.spread(values), nulls))
            }
            Values::Double(data) => {
                let values = fixed(data, count)?.map(f64::from_le_bytes).collect();
                Arc::new(Float64Array::new(slots.spread(values), nulls))
            }
            Values::Bytes { lengths, data, form } => {
                let mut lengths = lengths.read(count)?;
                let total = slots.offsets(&lengths)?.1;
                budget.take(total, 1)?;
                let mut bytes = Vec::new();
                data.append(total, &mut bytes)?;
                if *form == Form::Padded {
                    bytes = trimmed(&bytes, &mut lengths);
                }
                slots.bytes(&lengths, bytes, *form)?
            }
            Values::Dictionary { indexes, entries, form } => {
                let mut lengths = indexes.read(count)?;
                let mut bytes = Vec::new();
                for slot in &mut lengths {
                    let mut entry = entries.get(*slot)?;
                    if *form == Form::Padded {
                        entry = trim(entry);
                    }
                    budget.take(entry.len(), 1)?;
                    bytes.extend_from_slice(entry);
                    *slot = entry.len() as i64;
                }
                slots.bytes(&lengths, bytes, *form)?
            }
            Values::Decimal { digits, scales, precision, scale } => {
                let limit = 10i128.pow(u32::from(*precision));
                let mut values = Vec::new();
                for found in scales.read(count)? {
                    let value = rescaled(digits.wide_varint()?, found, i64::from(*scale));
                    let value = value.filter(|value| (1 - limit..limit).contains(value));
                    values.push(
                        value.ok_or_else(|| corrupt(format!("a value does not fit DECIMAL({precision}, {scale})")))?,
                    );
                }
                let array = Decimal128Array::new(slots.spread(values), nulls);
                Arc::new(array.with_precision_and_scale(*precision, *scale as i8).map_err(unfit)?)
            }
            Values::Timestamp { seconds, nanos, reading, zone } => {
                let (seconds, nanos) = (seconds.read(count)?, nanos.read(count)?);
                let values = seconds.into_iter().zip(nanos).map(|(seconds, nanos)| reading.value(seconds, nanos));
                let values = slots.spread(values.collect::<Result<Vec<i64>>>()?);
                let nulls = slots.nulls.clone();
                match reading.unit() {
                    TimeUnit::Second => Arc::new(TimestampSecondArray::new(values, nulls).with_timezone_opt(*zone)),
                    TimeUnit::Millisecond => {
                        Arc::new(TimestampMillisecondArray::new(values, nulls).with_timezone_opt(*zone))
                    }
                    TimeUnit::Microsecond => {
                        Arc::new(TimestampMicrosecondArray::new(values, nulls).with_timezone_opt(*zone))
                    }
                    TimeUnit::Nanosecond => {
                        Arc::new(TimestampNanosecondArray::new(values, nulls).with_timezone_opt(*zone))
                    }
                }
            }
            Values::List { lengths, element } => {
                let (offsets, total) = slots.offsets(&lengths.read(count)?)?;
                let values = element.read(total, budget)?;
                let item = Arc::new(Field::new("item", values.data_type().clone(), true));
                Arc::new(ListArray::try_new(item, offsets, values, nulls).map_err(unfit)?)
            }
            Values::Map { lengths, key, value } => {
                let (offsets, total) = slots.offsets(&lengths.read(count)?)?;
                let columns = vec![key.read(total, budget)?, value.read(total, budget)?];
                let [key_type, value_type] = [0, 1].map(|column: usize| columns[column].data_type().clone());
                let fields =
                    Fields::from(vec![Field::new("key", key_type, false), Field::new("value", value_type, true)]);
                let pairs = Field::new("entries", ArrowType::Struct(fields.clone()), false);
                let entries = StructArray::try_new_with_length(fields, columns, None, total).map_err(unfit)?;
                Arc::new(MapArray::try_new(Arc::new(pairs), offsets, entries, nulls, false).map_err(unfit)?)
            }
            Values::Struct { names, columns } => {
                // A field has values only in rows that the struct has a value in.
                let rows = nulls.as_ref().map(|nulls| {
                    let mut next = 0;
                    let rows = nulls.iter().map(|valid| {
                        next += u32::from(valid);
                        next.saturating_sub(1)
                    });
                    UInt32Array::new(rows.collect::<Vec<_>>().into(), Some(nulls.clone()))
                });
                let columns = columns.iter_mut().map(|column| {
                    let values = column.read(count, budget)?;
                    match &rows {
                        None => Ok(values),
                        Some(rows) => take(&values, rows, None).map_err(|e| Fault::Bad(unfit(e))),
                    }
                });
                let columns = columns.collect::<Decoded<Vec<_>>>()?;
                let fields = names.iter().zip(&columns).map(|(name, c)| Field::new(name, c.data_type().clone(), true));
                let row = StructArray::try_new_with_length(fields.collect(), columns, nulls, slots.rows);
                Arc::new(row.map_err(unfit)?)
            }
        })
    }
}

/// Integers of fewer bits.
fn narrow<T: TryFrom<i64>>(values: Vec<i64>) -> Result<Vec<T>> {
    let narrow = values.into_iter().map(|value| {
        T::try_from(value).map_err(|_| corrupt(format!("value {value} does not fit {} bytes", size_of::<T>())))
    });
    narrow.collect()
}

/// The next `count` values of `N` bytes.
fn fixed<const N: usize>(data: &mut Input, count: usize) -> Result<impl Iterator<Item = [u8; N]>> {
    let mut bytes = Vec::new();
    data.append(count * N, &mut bytes)?;
    Ok((0..count).map(move |index| {
        let mut value = [0; N];
        value.copy_from_slice(&bytes[index * N..][..N]);
        value
    }))
}

fn trim(mut text: &[u8]) -> &[u8] {
    while let [head @ .., b' '] = text {
        text = head;
    }
    text
}

/// Texts without the spaces at their ends, and their lengths.
fn trimmed(bytes: &[u8], lengths: &mut [i64]) -> Vec<u8> {
    let mut result = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    for length in lengths {
        let (text, behind) = rest.split_at(*length as usize);
        let text = trim(text);
        result.extend_from_slice(text);
        *length = text.len() as i64;
        rest = behind;
    }
    result
}

/// A decimal of the scale `found` with another scale; `None`: its digits do not fit.
fn rescaled(value: i128, found: i64, scale: i64) -> Option<i128> {
    let step = scale.checked_sub(found)?;
    let factor = 10i128.checked_pow(u32::try_from(step.unsigned_abs()).ok()?);
    match (step >= 0, factor) {
        _ if value == 0 => Some(0),
        (true, factor) => value.checked_mul(factor?),
        (false, factor) => (value % factor? == 0).then(|| value / factor.unwrap_or(1)),
    }
}
