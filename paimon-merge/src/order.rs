//! The order of keys and of sequence fields, in forms that compare fast.

use std::cmp::Ordering;

use arrow::{
    array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, BinaryArray, RecordBatch},
    compute::SortOptions,
    datatypes::{
        DataType as ArrowType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
        Int64Type, Time32MillisecondType, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
        TimestampNanosecondType, TimestampSecondType,
    },
    row::{RowConverter, Rows, SortField},
};
use paimon_spec::{Error, Result};

use crate::KeyedLayout;

/// How the keys of a layout compare: each type naturally, texts and bytes by unsigned bytes, floats by IEEE total order
/// with all NaN equal and greatest, NULL first (format facts §7.1; the same as `paimon_spec::KeyComparator`).
#[derive(Debug)]
pub(crate) struct KeyOrder {
    columns: Vec<usize>,
    form: KeyForm,
}

#[derive(Debug)]
enum KeyForm {
    /// Columns of fixed width that together fit 64 bits.
    Packed,
    /// One column of texts or bytes.
    Bytes,
    Encoded(RowConverter),
}

/// The keys of the rows of a batch.
#[derive(Debug)]
pub(crate) struct Keys {
    /// What sorts like the key as far as it goes: equal keys have equal leads.
    lead: Vec<u64>,
    rest: Rest,
}

#[derive(Debug)]
enum Rest {
    /// The lead is all of the key.
    Nothing,
    Bytes(BinaryArray),
    Encoded(Rows),
}

impl KeyOrder {
    /// # Errors
    /// `Unsupported` for keys of types that have no order.
    pub(crate) fn new(layout: &KeyedLayout) -> Result<Self> {
        let columns = layout.keys().to_vec();
        let types = arrow_types(layout, &columns);
        let form = match types.as_slice() {
            _ if layout.has_nullable_key() => KeyForm::Encoded(converter(&types, SortOptions::default())?),
            types if total_width(types, 0).is_some_and(|width| width <= u64::BITS) => KeyForm::Packed,
            [ArrowType::Utf8 | ArrowType::Binary] => KeyForm::Bytes,
            types => KeyForm::Encoded(converter(types, SortOptions::default())?),
        };
        Ok(Self { columns, form })
    }

    /// Whether leads alone tell keys apart.
    pub(crate) fn is_exact(&self) -> bool {
        matches!(self.form, KeyForm::Packed)
    }

    /// # Errors
    /// `CorruptData` when a column that is NOT NULL has a NULL, or a value does not fit its type.
    pub(crate) fn keys(&self, batch: &RecordBatch) -> Result<Keys> {
        let columns: Vec<ArrayRef> = self.columns.iter().map(|column| batch.column(*column).clone()).collect();
        if !matches!(self.form, KeyForm::Encoded(_)) {
            check_no_nulls(&self.columns, &columns, batch)?;
        }
        Ok(match &self.form {
            KeyForm::Packed => Keys { lead: packed(&columns)?, rest: Rest::Nothing },
            KeyForm::Bytes => {
                let column = columns.first().ok_or_else(|| Error::internal("paimon-merge", "a key of no columns"))?;
                let bytes = match column.data_type() {
                    ArrowType::Utf8 => BinaryArray::from(column.as_string::<i32>().clone()),
                    _ => column.as_binary::<i32>().clone(),
                };
                Keys { lead: (0..bytes.len()).map(|row| lead_of(bytes.value(row))).collect(), rest: Rest::Bytes(bytes) }
            }
            KeyForm::Encoded(converter) => {
                let rows = encoded(converter, &columns)?;
                Keys { lead: rows.iter().map(|row| lead_of(row.data())).collect(), rest: Rest::Encoded(rows) }
            }
        })
    }
}

impl Keys {
    /// See [`KeyOrder::is_exact`].
    pub(crate) fn lead(&self) -> &[u64] {
        &self.lead
    }

    /// Compares a key with one of another batch of the same layout.
    pub(crate) fn compare(&self, row: usize, other: &Self, other_row: usize) -> Ordering {
        self.lead[row].cmp(&other.lead[other_row]).then_with(|| match (&self.rest, &other.rest) {
            (Rest::Bytes(a), Rest::Bytes(b)) => a.value(row).cmp(b.value(other_row)),
            (Rest::Encoded(a), Rest::Encoded(b)) => a.row(row).cmp(&b.row(other_row)),
            _ => Ordering::Equal,
        })
    }
}

/// How rows of one key are ordered by the table's sequence fields; NULL is the oldest, whatever the direction.
#[derive(Debug)]
pub(crate) enum SequenceOrder {
    /// There are none.
    None,
    /// Columns of fixed width that together, and with a bit each for NULL, fit 128 bits.
    Packed {
        columns: Vec<usize>,
        descending: bool,
    },
    Encoded {
        columns: Vec<usize>,
        converter: RowConverter,
    },
}

/// The sequence fields of the rows of a batch.
#[derive(Debug)]
pub(crate) enum Sequences {
    None,
    Packed(Vec<u128>),
    Encoded(Rows),
}

impl SequenceOrder {
    /// # Errors
    /// `Unsupported` for fields of types that have no order.
    pub(crate) fn new(layout: &KeyedLayout) -> Result<Self> {
        let columns = layout.sequence_fields().to_vec();
        let types = arrow_types(layout, &columns);
        let descending = layout.sequence_descending();
        Ok(match total_width(&types, 1) {
            _ if columns.is_empty() => Self::None,
            Some(width) if width <= u128::BITS => Self::Packed { columns, descending },
            _ => {
                let options = SortOptions { descending, nulls_first: true };
                Self::Encoded { columns, converter: converter(&types, options)? }
            }
        })
    }

    /// # Errors
    /// `CorruptData` when a value does not fit its type.
    pub(crate) fn sequences(&self, batch: &RecordBatch) -> Result<Sequences> {
        let chosen = |columns: &[usize]| columns.iter().map(|column| batch.column(*column).clone()).collect::<Vec<_>>();
        Ok(match self {
            Self::None => Sequences::None,
            Self::Packed { columns, descending } => {
                Sequences::Packed(packed_with_nulls(&chosen(columns), *descending)?)
            }
            Self::Encoded { columns, converter } => Sequences::Encoded(encoded(converter, &chosen(columns))?),
        })
    }
}

impl Sequences {
    /// Compares a row with one of another batch of the same layout.
    pub(crate) fn compare(&self, row: usize, other: &Self, other_row: usize) -> Ordering {
        match (self, other) {
            (Self::Packed(a), Self::Packed(b)) => a[row].cmp(&b[other_row]),
            (Self::Encoded(a), Self::Encoded(b)) => a.row(row).cmp(&b.row(other_row)),
            _ => Ordering::Equal,
        }
    }
}

fn arrow_types(layout: &KeyedLayout, columns: &[usize]) -> Vec<ArrowType> {
    columns.iter().map(|column| layout.schema().field(*column).data_type().clone()).collect()
}

pub(crate) fn converter(types: &[ArrowType], options: SortOptions) -> Result<RowConverter> {
    let fields = types.iter().map(|t| SortField::new_with_options(t.clone(), options)).collect::<Vec<_>>();
    RowConverter::new(fields)
        .map_err(|e| Error::unsupported("rows cannot be merged by columns of these types").with_source(e))
}

pub(crate) fn encoded(converter: &RowConverter, columns: &[ArrayRef]) -> Result<Rows> {
    let columns: Vec<ArrayRef> = columns.iter().map(one_nan).collect();
    converter.convert_columns(&columns).map_err(|e| Error::internal("paimon-merge", e))
}

/// `column`, with all NaN the same one.
fn one_nan(column: &ArrayRef) -> ArrayRef {
    match column.data_type() {
        ArrowType::Float32 => {
            let values = column.as_primitive::<Float32Type>();
            std::sync::Arc::new(values.unary::<_, Float32Type>(|v| if v.is_nan() { f32::NAN } else { v }))
        }
        ArrowType::Float64 => {
            let values = column.as_primitive::<Float64Type>();
            std::sync::Arc::new(values.unary::<_, Float64Type>(|v| if v.is_nan() { f64::NAN } else { v }))
        }
        _ => column.clone(),
    }
}

/// The first eight bytes as a number that sorts like them.
fn lead_of(bytes: &[u8]) -> u64 {
    if let Some(first) = bytes.first_chunk() {
        return u64::from_be_bytes(*first);
    }
    let mut padded = [0; 8];
    padded[..bytes.len()].copy_from_slice(bytes);
    u64::from_be_bytes(padded)
}

fn check_no_nulls(positions: &[usize], columns: &[ArrayRef], batch: &RecordBatch) -> Result<()> {
    match positions.iter().zip(columns).find(|(_, column)| column.null_count() > 0) {
        None => Ok(()),
        Some((position, column)) => Err(Error::corrupt(format!(
            "expected no NULL in a key column that is NOT NULL, found {}",
            column.null_count()
        ))
        .with_context("column", batch.schema_ref().field(*position).name())),
    }
}

/// Bits that the values of a type take, for types of fixed width up to 64 bits.
fn width(data_type: &ArrowType) -> Option<u32> {
    Some(match data_type {
        ArrowType::Boolean => 1,
        ArrowType::Int8 => 8,
        ArrowType::Int16 => 16,
        ArrowType::Int32 | ArrowType::Date32 | ArrowType::Time32(TimeUnit::Millisecond) | ArrowType::Float32 => 32,
        ArrowType::Int64 | ArrowType::Timestamp(..) | ArrowType::Float64 => 64,
        ArrowType::Decimal128(precision, _) if *precision <= 18 => 64,
        _ => return None,
    })
}

/// Bits of all columns, each with `flags` bits more.
fn total_width(types: &[ArrowType], flags: u32) -> Option<u32> {
    types.iter().map(|data_type| Some(width(data_type)? + flags)).sum()
}

/// The columns as one number that sorts like them; they fit it, and have no NULL.
fn packed(columns: &[ArrayRef]) -> Result<Vec<u64>> {
    let mut packed: Option<Vec<u64>> = None;
    for column in columns {
        let (width, bits) = ordered_bits(column)?;
        match &mut packed {
            None => packed = Some(bits),
            // Not the first column, so that no column is 64 bits wide.
            Some(packed) => packed.iter_mut().zip(bits).for_each(|(packed, bits)| *packed = (*packed << width) | bits),
        }
    }
    Ok(packed.unwrap_or_default())
}

/// The columns as one number that sorts like them, NULL first; they fit it with a bit more for each.
fn packed_with_nulls(columns: &[ArrayRef], descending: bool) -> Result<Vec<u128>> {
    let rows = columns.first().map_or(0, |column| column.len());
    let mut packed = vec![0_u128; rows];
    for column in columns {
        let (width, bits) = ordered_bits(column)?;
        let turned = if descending { u64::MAX >> (u64::BITS - width) } else { 0 };
        for (row, (packed, bits)) in packed.iter_mut().zip(bits).enumerate() {
            let flagged = if column.is_valid(row) { (1 << width) | u128::from(bits ^ turned) } else { 0 };
            *packed = (*packed << (width + 1)) | flagged;
        }
    }
    Ok(packed)
}

/// The width of a column's values, and numbers of so many bits that sort like them. What NULL has is of no meaning.
fn ordered_bits(column: &ArrayRef) -> Result<(u32, Vec<u64>)> {
    fn of<T: ArrowPrimitiveType>(column: &ArrayRef, bits: impl Fn(T::Native) -> u64) -> Vec<u64> {
        column.as_primitive::<T>().values().iter().map(|value| bits(*value)).collect()
    }
    let long = |value: i64| value.cast_unsigned() ^ (1 << 63);
    let int = |value: i32| u64::from(value.cast_unsigned() ^ (1 << 31));
    let Some(width) = width(column.data_type()) else {
        return Err(Error::internal("paimon-merge", format!("values of {} have no width", column.data_type())));
    };
    let bits = match column.data_type() {
        ArrowType::Boolean => column.as_boolean().values().iter().map(u64::from).collect(),
        ArrowType::Int8 => of::<Int8Type>(column, |value| u64::from(value.cast_unsigned() ^ (1 << 7))),
        ArrowType::Int16 => of::<Int16Type>(column, |value| u64::from(value.cast_unsigned() ^ (1 << 15))),
        ArrowType::Int32 => of::<Int32Type>(column, int),
        ArrowType::Date32 => of::<Date32Type>(column, int),
        ArrowType::Time32(_) => of::<Time32MillisecondType>(column, int),
        ArrowType::Float32 => of::<Float32Type>(column, |value| {
            let bits = if value.is_nan() { f32::NAN } else { value }.to_bits().cast_signed();
            // Negative values descend in their bits.
            int(bits ^ ((bits >> 31) & i32::MAX))
        }),
        ArrowType::Float64 => of::<Float64Type>(column, |value| {
            let bits = if value.is_nan() { f64::NAN } else { value }.to_bits().cast_signed();
            long(bits ^ ((bits >> 63) & i64::MAX))
        }),
        ArrowType::Int64 => of::<Int64Type>(column, long),
        ArrowType::Timestamp(TimeUnit::Second, _) => of::<TimestampSecondType>(column, long),
        ArrowType::Timestamp(TimeUnit::Millisecond, _) => of::<TimestampMillisecondType>(column, long),
        ArrowType::Timestamp(TimeUnit::Microsecond, _) => of::<TimestampMicrosecondType>(column, long),
        ArrowType::Timestamp(TimeUnit::Nanosecond, _) => of::<TimestampNanosecondType>(column, long),
        _ => {
            let values = column.as_primitive::<Decimal128Type>();
            let fitting = |row: usize| match i64::try_from(values.value(row)) {
                Ok(value) => Ok(long(value)),
                Err(_) if values.is_null(row) => Ok(0),
                Err(_) => Err(Error::corrupt(format!(
                    "expected a value of {}, found {}",
                    column.data_type(),
                    values.value(row)
                ))),
            };
            (0..values.len()).map(fitting).collect::<Result<_>>()?
        }
    };
    Ok((width, bits))
}

#[cfg(test)]
mod tests;
