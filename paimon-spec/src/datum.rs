//! Single values: of partitions, statistics, keys and literals in predicates.

mod text;

pub use text::parse_datum;
pub(crate) use text::{cast_text, legacy_text};

/// A value that is not NULL. NULL is `None` in `Option<Datum>`.
///
/// Two data compare only when they are of the same variant (and of the same scale for decimals).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Datum {
    /// BOOLEAN
    Boolean(bool),
    /// TINYINT
    TinyInt(i8),
    /// SMALLINT
    SmallInt(i16),
    /// INT
    Int(i32),
    /// BIGINT
    BigInt(i64),
    /// FLOAT
    Float(f32),
    /// DOUBLE
    Double(f64),
    /// DECIMAL(p, scale): `unscaled` x 10^-`scale`
    Decimal {
        /// The digits.
        unscaled: i128,
        /// Digits after the point.
        scale: u8,
    },
    /// CHAR, VARCHAR, STRING
    String(String),
    /// BINARY, VARBINARY, BYTES
    Bytes(Vec<u8>),
    /// DATE: days since 1970-01-01
    Date(i32),
    /// TIME: milliseconds since midnight
    Time(i32),
    /// TIMESTAMP, with or without local time zone
    Timestamp(Timestamp),
}

/// A point in time: milliseconds since 1970-01-01 00:00, and the nanoseconds within that millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    /// Milliseconds, rounded down (so negative before 1970).
    pub millis: i64,
    /// 0 to 999,999.
    pub nanos_of_milli: i32,
}
