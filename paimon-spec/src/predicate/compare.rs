//! The one order of values: what comparisons, statistics and row filters agree on.

use std::cmp::Ordering;

use crate::Datum;

/// Compares two values of one type; `None` when they are of different types (or decimals of different scales).
///
/// - Numbers, dates, times and timestamps compare by value; `false < true`.
/// - Text compares by its UTF-8 bytes, which is the order of its code points; binary by unsigned bytes.
/// - Floats compare by IEEE 754 `totalOrder`: `-NaN < -inf < .. < -0.0 < +0.0 < .. < +inf < +NaN`. NaN equals NaN of the
///   same bits, and `-0.0` differs from `0.0`. That is how Arrow's kernels and Daft compare, so a filter gives the same
///   rows wherever it runs.
///
/// ```
/// use std::cmp::Ordering;
/// use paimon_spec::{Datum, predicate::compare::compare};
///
/// assert_eq!(compare(&Datum::Double(f64::NAN), &Datum::Double(f64::INFINITY)), Some(Ordering::Greater));
/// assert_eq!(compare(&Datum::Int(1), &Datum::BigInt(1)), None);
/// ```
pub fn compare(a: &Datum, b: &Datum) -> Option<Ordering> {
    match (a, b) {
        (Datum::Boolean(a), Datum::Boolean(b)) => Some(a.cmp(b)),
        (Datum::TinyInt(a), Datum::TinyInt(b)) => Some(a.cmp(b)),
        (Datum::SmallInt(a), Datum::SmallInt(b)) => Some(a.cmp(b)),
        (Datum::Int(a), Datum::Int(b)) => Some(a.cmp(b)),
        (Datum::BigInt(a), Datum::BigInt(b)) => Some(a.cmp(b)),
        (Datum::Float(a), Datum::Float(b)) => Some(compare_f32(*a, *b)),
        (Datum::Double(a), Datum::Double(b)) => Some(compare_f64(*a, *b)),
        (Datum::Decimal { unscaled: a, scale: x }, Datum::Decimal { unscaled: b, scale: y }) => {
            (x == y).then(|| a.cmp(b))
        }
        (Datum::String(a), Datum::String(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
        (Datum::Bytes(a), Datum::Bytes(b)) => Some(a.cmp(b)),
        (Datum::Date(a), Datum::Date(b)) => Some(a.cmp(b)),
        (Datum::Time(a), Datum::Time(b)) => Some(a.cmp(b)),
        (Datum::Timestamp(a), Datum::Timestamp(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

/// Compares FLOAT values as [`compare`] does.
pub fn compare_f32(a: f32, b: f32) -> Ordering {
    a.total_cmp(&b)
}

/// Compares DOUBLE values as [`compare`] does.
pub fn compare_f64(a: f64, b: f64) -> Ordering {
    a.total_cmp(&b)
}
