//! Tags: a snapshot, when it was tagged, and how long it is kept.

use serde_json::{Map, Value};

use super::{Snapshot, not_a, unwritable};
use crate::calendar::CivilDateTime;
use crate::{Error, Result, Timestamp};

const CREATE_TIME: &str = "tagCreateTime";
const TIME_RETAINED: &str = "tagTimeRetained";

/// A tag: a snapshot under a name, kept from expiry.
#[derive(Debug, Clone, PartialEq)]
pub struct Tag {
    /// The state it names.
    pub snapshot: Snapshot,
    /// `tagCreateTime` as local wall-clock milliseconds.
    pub create_time_millis: Option<i64>,
    /// `tagTimeRetained` in milliseconds.
    pub time_retained_millis: Option<i64>,
}

impl Tag {
    /// Decodes a tag file. The time may be an array, as Java writes it, or ISO text; the duration a number of seconds
    /// or ISO text. Both are kept to the millisecond.
    ///
    /// # Errors
    /// `CorruptData` when the bytes are no tag.
    pub fn from_json(json: &[u8]) -> Result<Self> {
        let snapshot = Snapshot::from_json(json)?;
        let object: Map<String, Value> = serde_json::from_slice(json).map_err(|error| not_a("tag", error))?;
        let read = |key: &str, wanted: &str, read: fn(&Value) -> Option<i64>| match object.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match read(value) {
                Some(millis) => Ok(Some(millis)),
                None => Err(Error::corrupt(format!("expected {wanted} in '{key}', found {value}"))),
            },
        };
        Ok(Self {
            snapshot,
            create_time_millis: read(CREATE_TIME, "a local date and time", read_local_time)?,
            time_retained_millis: read(TIME_RETAINED, "a duration", read_duration)?,
        })
    }

    /// Encodes a tag file.
    ///
    /// # Errors
    /// `InvalidInput` when the create time is not in the years -999,999,999 to 999,999,999.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        let mut value = serde_json::to_value(&self.snapshot).map_err(unwritable)?;
        if let Some(object) = value.as_object_mut() {
            if let Some(millis) = self.create_time_millis {
                object.insert(CREATE_TIME.into(), write_local_time(millis));
            }
            if let Some(millis) = self.time_retained_millis {
                // Seconds as a decimal number. A double holds milliseconds of 285,000 years without loss.
                object.insert(TIME_RETAINED.into(), (millis as f64 / 1_000.0).into());
            }
        }
        serde_json::to_vec_pretty(&value).map_err(unwritable)
    }
}

/// Jackson's array of a `LocalDateTime`: seconds and nanoseconds only when they are not 0.
fn write_local_time(millis: i64) -> Value {
    let civil = Timestamp::from_millis(millis).to_civil();
    let mut parts = vec![civil.year, civil.month.into(), civil.day.into(), civil.hour.into(), civil.minute.into()];
    if civil.second != 0 || civil.nano != 0 {
        parts.push(civil.second.into());
    }
    if civil.nano != 0 {
        parts.push(civil.nano.into());
    }
    parts.into()
}

fn read_local_time(value: &Value) -> Option<i64> {
    let civil = match value {
        Value::Array(parts) if (5..=7).contains(&parts.len()) => {
            let part = |i: usize| match parts.get(i) {
                None => Some(0),
                Some(part) => part.as_u64().and_then(|part| u32::try_from(part).ok()),
            };
            CivilDateTime {
                year: parts[0].as_i64()?,
                month: part(1)?,
                day: part(2)?,
                hour: part(3)?,
                minute: part(4)?,
                second: part(5)?,
                nano: part(6)?,
            }
        }
        Value::String(text) => CivilDateTime::parse_iso(text)?,
        _ => return None,
    };
    Timestamp::from_civil(civil).map(|timestamp| timestamp.millis)
}

fn read_duration(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => match number.as_i64() {
            Some(seconds) => seconds.checked_mul(1_000),
            None => {
                let millis = number.as_f64()? * 1_000.0;
                // Every double below 2^63 has an i64 next to it.
                (millis.abs() < i64::MAX as f64).then(|| millis.round() as i64)
            }
        },
        Value::String(text) => parse_iso_duration(text),
        _ => None,
    }
}

/// `P1DT2H3M4.5S` and its parts, any of them negative (Java `Duration.parse`), in milliseconds, rounded down.
fn parse_iso_duration(text: &str) -> Option<i64> {
    let text = text.to_ascii_uppercase();
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(&text)),
    };
    let rest = rest.strip_prefix('P')?;
    let (days, clock) = rest.split_once('T').map_or((rest, None), |(days, clock)| (days, Some(clock)));
    if rest.is_empty() || clock == Some("") {
        return None;
    }
    let mut nanos = read_units(days, &[('D', 86_400)])?;
    nanos += read_units(clock.unwrap_or(""), &[('H', 3_600), ('M', 60), ('S', 1)])?;
    let nanos = if negative { -nanos } else { nanos };
    i64::try_from(nanos.div_euclid(1_000_000)).ok()
}

/// The nanoseconds of numbers that are followed by units, each unit once at most and in order; only the last unit may
/// have a fraction.
fn read_units(text: &str, units: &[(char, i128)]) -> Option<i128> {
    let mut rest = text;
    let mut nanos = 0_i128;
    for (unit, seconds) in units {
        let Some((number, after)) = rest.split_once(*unit) else { continue };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let whole_seconds: i64 = whole.parse().ok()?;
        nanos += i128::from(whole_seconds) * seconds * 1_000_000_000;
        if number.contains('.') {
            let valid = *unit == 'S' && fraction.len() <= 9 && fraction.bytes().all(|digit| digit.is_ascii_digit());
            let fraction: i128 = if valid { format!("{fraction:0<9}").parse().ok()? } else { return None };
            nanos += if whole.starts_with('-') { -fraction } else { fraction };
        }
        rest = after;
    }
    rest.is_empty().then_some(nanos)
}
