//! Which stripes are worth reading.

use paimon_spec::{ColumnStats, DataType, Datum, Result, Timestamp, TypeKind};

use super::{
    proto::Fields,
    tail::{Kind, text},
};

/// Timestamps in statistics have milliseconds, and those before 1970 may be a second off: bounds are taken wider.
const SLACK_MILLIS: i64 = 1_001;

/// Statistics of a column in a stripe of `rows` rows, from their message; what is absent, damaged or does not fit the
/// type is unknown. Floats have none: writers differ in what they make of NaN and of the two zeros.
pub(super) fn column_stats(message: &[u8], kind: Kind, data_type: &DataType, rows: u64) -> ColumnStats {
    decode(message, kind, data_type, rows).unwrap_or_default()
}

fn decode(message: &[u8], kind: Kind, data_type: &DataType, rows: u64) -> Result<ColumnStats> {
    let mut stats = ColumnStats::default();
    for field in Fields(message) {
        match field? {
            (1, values) => {
                let nulls = rows.checked_sub(values.number()?);
                stats.null_count = nulls.and_then(|nulls| i64::try_from(nulls).ok());
            }
            (2 | 7, bounds) => {
                for field in Fields(bounds.bytes()?) {
                    match field? {
                        (1, min) => stats.min = integer(min.signed()?, data_type),
                        (2, max) => stats.max = integer(max.signed()?, data_type),
                        _ => {}
                    }
                }
            }
            // Those of CHAR are filled up with spaces.
            (4, bounds) if matches!(kind, Kind::String | Kind::VarChar) && is_text(data_type) => {
                for field in Fields(bounds.bytes()?) {
                    match field? {
                        (1 | 4, min) => stats.min = Some(Datum::String(text(min)?)),
                        (2 | 5, max) => stats.max = Some(Datum::String(text(max)?)),
                        _ => {}
                    }
                }
            }
            (9, bounds) if kind == Kind::Timestamp && matches!(data_type.kind, TypeKind::Timestamp(_)) => {
                for field in Fields(bounds.bytes()?) {
                    match field? {
                        (3, min) => stats.min = instant(min.signed()?.checked_sub(SLACK_MILLIS)),
                        (4, max) => stats.max = instant(max.signed()?.checked_add(SLACK_MILLIS)),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    Ok(stats)
}

fn is_text(data_type: &DataType) -> bool {
    matches!(data_type.kind, TypeKind::Char(_) | TypeKind::VarChar(_))
}

fn integer(value: i64, data_type: &DataType) -> Option<Datum> {
    Some(match data_type.kind {
        TypeKind::TinyInt => Datum::TinyInt(value.try_into().ok()?),
        TypeKind::SmallInt => Datum::SmallInt(value.try_into().ok()?),
        TypeKind::Int => Datum::Int(value.try_into().ok()?),
        TypeKind::BigInt => Datum::BigInt(value),
        TypeKind::Date => Datum::Date(value.try_into().ok()?),
        TypeKind::Time(_) => Datum::Time(value.try_into().ok()?),
        _ => return None,
    })
}

fn instant(millis: Option<i64>) -> Option<Datum> {
    Some(Datum::Timestamp(Timestamp { millis: millis?, nanos_of_milli: 0 }))
}
