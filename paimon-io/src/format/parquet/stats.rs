//! Statistics of Parquet files as the format's values.

use paimon_spec::{ColumnStats, DataType, Datum, Timestamp, TypeKind};
use parquet::{
    basic::{ConvertedType, LogicalType, TimeUnit},
    file::{metadata::ColumnChunkMetaData, page_index::column_index::ColumnIndexMetaData, statistics::Statistics},
    schema::types::ColumnDescriptor,
};

/// A bound as Parquet stores it.
enum Bound<'a> {
    Boolean(bool),
    Int32(i32),
    Int64(i64),
    Float(f32),
    Double(f64),
    Bytes(&'a [u8]),
}

/// Statistics of one column in one row group; what is absent or does not fit the type is unknown.
pub(super) fn chunk_stats(chunk: &ColumnChunkMetaData, data_type: &DataType) -> ColumnStats {
    let Some(stats) = chunk.statistics() else {
        return ColumnStats::default();
    };
    // Bounds from the deprecated fields have the order of signed bytes.
    let bytes_ordered = !stats.is_min_max_deprecated();
    let (min, max) = match stats {
        Statistics::Boolean(s) => (s.min_opt().map(|v| Bound::Boolean(*v)), s.max_opt().map(|v| Bound::Boolean(*v))),
        Statistics::Int32(s) => (s.min_opt().map(|v| Bound::Int32(*v)), s.max_opt().map(|v| Bound::Int32(*v))),
        Statistics::Int64(s) => (s.min_opt().map(|v| Bound::Int64(*v)), s.max_opt().map(|v| Bound::Int64(*v))),
        Statistics::Float(s) => (s.min_opt().map(|v| Bound::Float(*v)), s.max_opt().map(|v| Bound::Float(*v))),
        Statistics::Double(s) => (s.min_opt().map(|v| Bound::Double(*v)), s.max_opt().map(|v| Bound::Double(*v))),
        Statistics::ByteArray(_) | Statistics::FixedLenByteArray(_) if bytes_ordered => {
            (stats.min_bytes_opt().map(Bound::Bytes), stats.max_bytes_opt().map(Bound::Bytes))
        }
        _ => (None, None),
    };
    column_stats(min, max, stats.null_count_opt().and_then(|n| i64::try_from(n).ok()), chunk.column_descr(), data_type)
}

/// Statistics of one column in one of its pages.
pub(super) fn page_stats(
    index: &ColumnIndexMetaData,
    page: usize,
    column: &ColumnDescriptor,
    data_type: &DataType,
) -> ColumnStats {
    if page as u64 >= index.num_pages() {
        return ColumnStats::default();
    }
    use ColumnIndexMetaData as I;
    let (min, max) = match index {
        I::BOOLEAN(i) => (i.min_value(page).map(|v| Bound::Boolean(*v)), i.max_value(page).map(|v| Bound::Boolean(*v))),
        I::INT32(i) => (i.min_value(page).map(|v| Bound::Int32(*v)), i.max_value(page).map(|v| Bound::Int32(*v))),
        I::INT64(i) => (i.min_value(page).map(|v| Bound::Int64(*v)), i.max_value(page).map(|v| Bound::Int64(*v))),
        I::FLOAT(i) => (i.min_value(page).map(|v| Bound::Float(*v)), i.max_value(page).map(|v| Bound::Float(*v))),
        I::DOUBLE(i) => (i.min_value(page).map(|v| Bound::Double(*v)), i.max_value(page).map(|v| Bound::Double(*v))),
        I::BYTE_ARRAY(i) | I::FIXED_LEN_BYTE_ARRAY(i) => {
            (i.min_value(page).map(Bound::Bytes), i.max_value(page).map(Bound::Bytes))
        }
        _ => (None, None),
    };
    column_stats(min, max, index.null_count(page), column, data_type)
}

fn column_stats(
    min: Option<Bound<'_>>,
    max: Option<Bound<'_>>,
    null_count: Option<i64>,
    column: &ColumnDescriptor,
    data_type: &DataType,
) -> ColumnStats {
    ColumnStats {
        min: min.and_then(|bound| datum(bound, column, data_type)),
        max: max.and_then(|bound| datum(bound, column, data_type)),
        null_count: null_count.filter(|n| *n >= 0),
    }
}

/// A bound as a value of the type; `None` when the file stores the column in a form whose order is another.
fn datum(bound: Bound<'_>, column: &ColumnDescriptor, data_type: &DataType) -> Option<Datum> {
    let decimal = |unscaled: i128, scale: u8| {
        (column.type_scale() == i32::from(scale)).then_some(Datum::Decimal { unscaled, scale })
    };
    Some(match (bound, &data_type.kind) {
        (Bound::Boolean(v), TypeKind::Boolean) => Datum::Boolean(v),
        (Bound::Float(v), TypeKind::Float) => Datum::Float(v),
        (Bound::Double(v), TypeKind::Double) => Datum::Double(v),
        (Bound::Int32(_) | Bound::Int64(_), _) if is_unsigned(column) => return None,
        (Bound::Int32(v), TypeKind::TinyInt) => Datum::TinyInt(i8::try_from(v).ok()?),
        (Bound::Int32(v), TypeKind::SmallInt) => Datum::SmallInt(i16::try_from(v).ok()?),
        (Bound::Int32(v), TypeKind::Int) => Datum::Int(v),
        (Bound::Int32(v), TypeKind::Date) => Datum::Date(v),
        (Bound::Int32(v), TypeKind::Time(_)) => Datum::Time(v),
        (Bound::Int32(v), TypeKind::Decimal { scale, .. }) => decimal(i128::from(v), *scale)?,
        (Bound::Int64(v), TypeKind::BigInt) => Datum::BigInt(v),
        (Bound::Int64(v), TypeKind::Decimal { scale, .. }) => decimal(i128::from(v), *scale)?,
        (Bound::Int64(v), TypeKind::Timestamp(_) | TypeKind::TimestampLtz(_)) => {
            let (per_milli, nanos) = match unit(column)? {
                TimeUnit::MILLIS => (1, 1_000_000),
                TimeUnit::MICROS => (1_000, 1_000),
                TimeUnit::NANOS => (1_000_000, 1),
            };
            Datum::Timestamp(Timestamp {
                millis: v.div_euclid(per_milli),
                nanos_of_milli: (v.rem_euclid(per_milli) * nanos) as i32,
            })
        }
        (Bound::Bytes(v), TypeKind::Char(_) | TypeKind::VarChar(_)) => {
            Datum::String(std::str::from_utf8(v).ok()?.to_owned())
        }
        (Bound::Bytes(v), TypeKind::Binary(_) | TypeKind::VarBinary(_)) => Datum::Bytes(v.to_vec()),
        (Bound::Bytes(v), TypeKind::Decimal { scale, .. }) => decimal(big_endian(v)?, *scale)?,
        _ => return None,
    })
}

fn is_unsigned(column: &ColumnDescriptor) -> bool {
    match column.logical_type_ref() {
        Some(LogicalType::Integer(kind)) => !kind.is_signed,
        _ => matches!(
            column.converted_type(),
            ConvertedType::UINT_8 | ConvertedType::UINT_16 | ConvertedType::UINT_32 | ConvertedType::UINT_64
        ),
    }
}

fn unit(column: &ColumnDescriptor) -> Option<TimeUnit> {
    match (column.logical_type_ref(), column.converted_type()) {
        (Some(LogicalType::Timestamp(kind)), _) => Some(kind.unit),
        (_, ConvertedType::TIMESTAMP_MILLIS) => Some(TimeUnit::MILLIS),
        (_, ConvertedType::TIMESTAMP_MICROS) => Some(TimeUnit::MICROS),
        _ => None,
    }
}

/// A signed big-endian number of at most 16 bytes.
fn big_endian(bytes: &[u8]) -> Option<i128> {
    let first = *bytes.first()?;
    let mut wide = [if first & 0x80 == 0 { 0 } else { 0xff }; 16];
    wide.get_mut(16usize.checked_sub(bytes.len())?..)?.copy_from_slice(bytes);
    Some(i128::from_be_bytes(wide))
}
