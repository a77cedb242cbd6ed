//! The streams of a stripe that is written: bytes, bits, integers, and the columns made of them.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, BooleanArray},
    buffer::BooleanBuffer,
    compute::{cast, filter},
    datatypes::{
        ArrowPrimitiveType, DataType as ArrowType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type,
        Int16Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
        TimestampNanosecondType, TimestampSecondType,
    },
};
use paimon_spec::{Error, Result};

use super::{
    proto::{put_varint, zigzag},
    stripe::StreamKind,
    timestamp::pack,
};

/// Equal steps between so many integers make a run; fewer are packed with their neighbours.
const RUN: usize = 8;

/// Integers of a run, at most.
const MAX_RUN: usize = 512;

/// A stripe in the making.
#[derive(Debug, Default)]
pub(super) struct Encoded {
    /// Streams with the position of their column, in the order in which they are written.
    pub(super) streams: Vec<(usize, StreamKind, Vec<u8>)>,
    /// The columns, by position.
    pub(super) columns: Vec<EncodedColumn>,
}

/// A column of a stripe.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct EncodedColumn {
    /// Values that are not NULL.
    pub(super) values: u64,
    pub(super) has_null: bool,
    /// Whether it has integers, of the second version of their encoding.
    pub(super) integers: bool,
}

impl Encoded {
    /// Appends a column, and those within it.
    pub(super) fn column(&mut self, array: &ArrayRef) -> Result<()> {
        let position = self.columns.len();
        let nulls = array.logical_nulls().filter(|nulls| nulls.null_count() > 0);
        let array = match &nulls {
            None => Arc::clone(array),
            Some(nulls) => {
                self.put(position, StreamKind::Present, bits(nulls.inner()));
                filter(array, &BooleanArray::new(nulls.inner().clone(), None)).map_err(unencodable)?
            }
        };
        let integers = !matches!(
            array.data_type(),
            ArrowType::Boolean | ArrowType::Int8 | ArrowType::Float32 | ArrowType::Float64 | ArrowType::Struct(_)
        );
        self.columns.push(EncodedColumn { values: array.len() as u64, has_null: nulls.is_some(), integers });
        self.values(position, &array)
    }

    fn put(&mut self, position: usize, kind: StreamKind, bytes: Vec<u8>) {
        self.streams.push((position, kind, bytes));
    }

    /// Appends the values of a column, none of which is NULL.
    fn values(&mut self, position: usize, array: &ArrayRef) -> Result<()> {
        let data = match array.data_type() {
            ArrowType::Boolean => bits(array.as_boolean().values()),
            ArrowType::Int8 => {
                let values: Vec<u8> =
                    array.as_primitive::<Int8Type>().values().iter().map(|value| *value as u8).collect();
                let mut runs = Vec::new();
                put_byte_runs(&mut runs, &values);
                runs
            }
            ArrowType::Int16 => integers::<Int16Type>(array),
            ArrowType::Int32 => integers::<Int32Type>(array),
            ArrowType::Int64 => integers::<Int64Type>(array),
            ArrowType::Date32 => integers::<Date32Type>(array),
            ArrowType::Time32(_) => integers::<Int32Type>(&cast(array, &ArrowType::Int32).map_err(unencodable)?),
            ArrowType::Float32 => {
                array.as_primitive::<Float32Type>().values().iter().flat_map(|value| value.to_le_bytes()).collect()
            }
            ArrowType::Float64 => {
                array.as_primitive::<Float64Type>().values().iter().flat_map(|value| value.to_le_bytes()).collect()
            }
            ArrowType::Utf8 => {
                let texts = array.as_string::<i32>();
                self.bytes(position, texts.offsets(), texts.values())
            }
            ArrowType::Binary => {
                let values = array.as_binary::<i32>();
                self.bytes(position, values.offsets(), values.values())
            }
            ArrowType::LargeBinary => {
                let values = array.as_binary::<i64>();
                self.bytes(position, values.offsets(), values.values())
            }
            ArrowType::Decimal128(_, scale) => {
                let mut data = Vec::new();
                for value in array.as_primitive::<Decimal128Type>().values() {
                    put_wide_varint(&mut data, *value);
                }
                self.put(position, StreamKind::Secondary, packed(&vec![i64::from(*scale); array.len()], true));
                data
            }
            ArrowType::Timestamp(unit, _) => {
                let values = match unit {
                    TimeUnit::Second => array.as_primitive::<TimestampSecondType>().values(),
                    TimeUnit::Millisecond => array.as_primitive::<TimestampMillisecondType>().values(),
                    TimeUnit::Microsecond => array.as_primitive::<TimestampMicrosecondType>().values(),
                    TimeUnit::Nanosecond => array.as_primitive::<TimestampNanosecondType>().values(),
                };
                let packed_values = values.iter().map(|value| pack(*value, *unit)).collect::<Result<Vec<_>>>()?;
                let (seconds, nanos): (Vec<_>, Vec<_>) = packed_values.into_iter().unzip();
                self.put(position, StreamKind::Secondary, packed(&nanos, false));
                packed(&seconds, true)
            }
            ArrowType::List(_) => {
                let list = array.as_list::<i32>();
                self.put(position, StreamKind::Length, packed(&lengths(list.offsets()), false));
                return self.column(&within(list.offsets(), list.values()));
            }
            ArrowType::Map(..) => {
                let map = array.as_map();
                self.put(position, StreamKind::Length, packed(&lengths(map.offsets()), false));
                self.column(&within(map.offsets(), map.keys()))?;
                return self.column(&within(map.offsets(), map.values()));
            }
            ArrowType::Struct(_) => {
                return array.as_struct().columns().iter().try_for_each(|field| self.column(field));
            }
            other => return Err(Error::internal("paimon-io", format!("{other} in an ORC file"))),
        };
        self.put(position, StreamKind::Data, data);
        Ok(())
    }

    /// Appends the lengths of bytes, and gives the bytes.
    fn bytes<O: Copy + Into<i64>>(&mut self, position: usize, offsets: &[O], bytes: &[u8]) -> Vec<u8> {
        self.put(position, StreamKind::Length, packed(&lengths(offsets), false));
        let end = |offset: Option<&O>| offset.map_or(0, |offset| (*offset).into() as usize);
        bytes[end(offsets.first())..end(offsets.last())].to_vec()
    }
}

fn unencodable(error: arrow::error::ArrowError) -> Error {
    Error::internal("paimon-io", error)
}

fn lengths<O: Copy + Into<i64>>(offsets: &[O]) -> Vec<i64> {
    offsets.windows(2).map(|pair| pair[1].into() - pair[0].into()).collect()
}

/// The values that offsets point to.
fn within(offsets: &[i32], values: &ArrayRef) -> ArrayRef {
    let (start, end) = (offsets.first().copied().unwrap_or(0), offsets.last().copied().unwrap_or(0));
    values.slice(start as usize, (end - start) as usize)
}

/// Eight bits a byte, the first one highest.
fn bits(values: &BooleanBuffer) -> Vec<u8> {
    let mut bytes = vec![0; values.len().div_ceil(8)];
    for index in values.set_indices() {
        bytes[index / 8] |= 0x80 >> (index % 8);
    }
    let mut runs = Vec::new();
    put_byte_runs(&mut runs, &bytes);
    runs
}

/// Runs of 3 to 130 equal bytes, and up to 128 others.
fn put_byte_runs(out: &mut Vec<u8>, mut bytes: &[u8]) {
    let equal = |bytes: &[u8]| bytes.iter().take(130).take_while(|byte| Some(*byte) == bytes.first()).count();
    while !bytes.is_empty() {
        let run = equal(bytes);
        let length = if run >= 3 {
            out.extend_from_slice(&[(run - 3) as u8, bytes[0]]);
            run
        } else {
            let others = (run..bytes.len().min(128)).find(|start| equal(&bytes[*start..]) >= 3);
            let length = others.unwrap_or(bytes.len().min(128));
            out.push((0x100 - length) as u8);
            out.extend_from_slice(&bytes[..length]);
            length
        };
        bytes = &bytes[length..];
    }
}

fn integers<T: ArrowPrimitiveType<Native: Into<i64>>>(array: &ArrayRef) -> Vec<u8> {
    let values: Vec<i64> = array.as_primitive::<T>().values().iter().map(|value| (*value).into()).collect();
    packed(&values, true)
}

/// Integers in the second version of their encoding.
pub(super) fn packed(mut values: &[i64], signed: bool) -> Vec<u8> {
    let mut out = Vec::new();
    while let [first, ..] = *values {
        let step = step(values);
        let run = equal_steps(values, MAX_RUN);
        let length = match (step, run) {
            // A few equal ones: their number, and one of them in whole bytes.
            (Some(0), 3..=10) => {
                let value = unsigned(first, signed);
                let bytes = bits_of(value).div_ceil(8).max(1) as usize;
                out.push(((bytes - 1) << 3 | (run - 3)) as u8);
                out.extend_from_slice(&value.to_be_bytes()[8 - bytes..]);
                run
            }
            // The first one, and the step.
            (Some(step), RUN..) => {
                put_header(&mut out, 3, 0, run);
                put_varint(&mut out, unsigned(first, signed));
                put_varint(&mut out, zigzag(step));
                run
            }
            // Each in as many bits as the largest needs.
            _ => {
                let most = values.len().min(MAX_RUN);
                let length = (1..most).find(|start| equal_steps(&values[*start..], RUN) == RUN).unwrap_or(most);
                let numbers = values[..length].iter().map(|value| unsigned(*value, signed));
                let (code, width) = coded_width(numbers.clone().map(bits_of).max().unwrap_or(1));
                put_header(&mut out, 1, code, length);
                put_bits(&mut out, numbers, width);
                length
            }
        };
        values = &values[length..];
    }
    out
}

fn unsigned(value: i64, signed: bool) -> u64 {
    if signed { zigzag(value) } else { value as u64 }
}

fn bits_of(number: u64) -> u32 {
    u64::BITS - number.leading_zeros()
}

/// The step from the first integer to the second.
fn step(values: &[i64]) -> Option<i64> {
    match values {
        [first, second, ..] => second.checked_sub(*first),
        _ => None,
    }
}

/// How many integers have the same step between them, from the first on; `most` are looked at.
fn equal_steps(values: &[i64], most: usize) -> usize {
    let Some(first) = step(values) else { return values.len().min(1) };
    let values = &values[..values.len().min(most)];
    2 + values.windows(2).skip(1).take_while(|pair| pair[1].checked_sub(pair[0]) == Some(first)).count()
}

/// The head of a run: its kind, the code of its width, and its length.
fn put_header(out: &mut Vec<u8>, kind: u8, code: u8, length: usize) {
    let length = length - 1;
    out.extend_from_slice(&[kind << 6 | code << 1 | (length >> 8) as u8, length as u8]);
}

/// The narrowest width with a code that holds so many bits, and that code.
fn coded_width(bits: u32) -> (u8, u32) {
    match bits.max(1) {
        bits @ 1..=24 => (bits as u8 - 1, bits),
        25..=26 => (24, 26),
        27..=28 => (25, 28),
        29..=30 => (26, 30),
        31..=32 => (27, 32),
        33..=40 => (28, 40),
        41..=48 => (29, 48),
        49..=56 => (30, 56),
        _ => (31, 64),
    }
}

/// Numbers of a fixed width next to one another, high bits first.
fn put_bits(out: &mut Vec<u8>, numbers: impl Iterator<Item = u64>, width: u32) {
    let (mut pending, mut count) = (0u128, 0);
    for number in numbers {
        pending = pending << width | u128::from(number);
        count += width;
        while count >= 8 {
            count -= 8;
            out.push((pending >> count) as u8);
        }
    }
    if count > 0 {
        out.push((pending << (8 - count)) as u8);
    }
}

/// A signed number of 128 bits in zigzag form, seven bits a byte.
fn put_wide_varint(out: &mut Vec<u8>, value: i128) {
    let mut number = (value << 1 ^ value >> 127) as u128;
    while number > 0x7f {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}
