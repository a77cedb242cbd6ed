//! What a timestamp in an ORC file means.
//!
//! A file has seconds since 2015, of which Java rounds the ones before 1970 up, and nanoseconds of the second.
//! TIMESTAMP counts in the time zone of the writer's process, and is what its clock showed. TIMESTAMP_INSTANT counts in
//! UTC; but what Paimon's Java stores there for local-zone timestamps is, by default, again what the clock shows for a
//! value read as one of UTC (`orc.timestamp-ltz.legacy.type`). Both come out as Java reads them in the writer's zone,
//! in the proleptic Gregorian calendar. Ours are written in UTC, and plain.

use arrow::datatypes::TimeUnit;
use paimon_spec::{Error, Result};

use super::{corrupt, zone::Zone};

/// 2015-01-01 00:00:00 UTC, as seconds since 1970.
const EPOCH: i64 = 1_420_070_400;

/// How to read the timestamps of one column in one stripe.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    /// The time from which values count, as seconds since 1970.
    epoch: i64,
    /// Whose clock a value is of; `None`: values are times of UTC.
    zone: Option<Zone>,
    unit: TimeUnit,
}

impl Reading {
    /// TIMESTAMP by a writer in `zone`.
    pub(super) fn wall_clock(zone: Zone, unit: TimeUnit) -> Self {
        Self { epoch: zone.epoch(), zone: (zone != Zone::utc()).then_some(zone), unit }
    }

    /// TIMESTAMP_INSTANT: `biased` by the clock of that zone, or plain.
    pub(super) fn instant(biased: Option<Zone>, unit: TimeUnit) -> Self {
        Self { epoch: EPOCH, zone: biased.filter(|zone| *zone != Zone::utc()), unit }
    }

    pub(super) fn unit(&self) -> TimeUnit {
        self.unit
    }

    /// A value, in its unit since 1970.
    pub(super) fn value(&self, seconds: i64, nanos: i64) -> Result<i64> {
        let nanos = unpack_nanos(nanos)?;
        let shifted = seconds.checked_add(self.epoch).and_then(|seconds| {
            let rounded_up = seconds < 0 && nanos > 999_999;
            let seconds = if rounded_up { seconds.checked_sub(1)? } else { seconds };
            seconds.checked_add(self.zone.map_or(0, |zone| zone.offset_at(seconds)))
        });
        let seconds = shifted.ok_or_else(|| corrupt(format!("a timestamp is {seconds} seconds after 2015")))?;
        let (per_second, nanos_each) = per_second(self.unit);
        if nanos % nanos_each != 0 {
            return Err(corrupt(format!("a timestamp has {nanos} nanoseconds, which its column cannot hold")));
        }
        let value = i128::from(seconds) * i128::from(per_second) + i128::from(nanos / nanos_each);
        i64::try_from(value).map_err(|_| {
            Error::unsupported(format!("a timestamp {seconds} seconds after 1970 does not fit 64 bits of its unit"))
        })
    }
}

/// How many of a unit are in a second, and how many nanoseconds in one of them.
fn per_second(unit: TimeUnit) -> (i64, i64) {
    match unit {
        TimeUnit::Second => (1, 1_000_000_000),
        TimeUnit::Millisecond => (1_000, 1_000_000),
        TimeUnit::Microsecond => (1_000_000, 1_000),
        TimeUnit::Nanosecond => (1_000_000_000, 1),
    }
}

/// A value since 1970 as a file has it: the seconds, and the nanoseconds packed.
///
/// # Errors
/// `InvalidInput` for fractions of the second before 1970: rounded up, as readers expect it, they would come after.
pub(super) fn pack(value: i64, unit: TimeUnit) -> Result<(i64, i64)> {
    let (per_second, nanos_each) = per_second(unit);
    let (mut seconds, nanos) = (value.div_euclid(per_second), value.rem_euclid(per_second) * nanos_each);
    if seconds < 0 && nanos > 999_999 {
        seconds += 1;
        if seconds == 0 {
            let before = 1_000_000_000 - nanos;
            let message = format!("ORC files hold no time {before} nanoseconds before 1970, nor others in that second");
            return Err(Error::invalid(message));
        }
    }
    let zeros = (2..=8u32).rev().find(|zeros| nanos != 0 && nanos % 10i64.pow(*zeros) == 0);
    let nanos = zeros.map_or(nanos << 3, |zeros| ((nanos / 10i64.pow(zeros)) << 3) | i64::from(zeros - 1));
    let since = seconds.checked_sub(EPOCH).ok_or_else(|| Error::invalid(format!("second {seconds} is out of range")));
    Ok((since?, nanos))
}

/// Nanoseconds without their trailing zeros, whose number is in the three low bits: none, or one more than there.
///
/// Those of pyarrow are negative before 1970, and count back from a second that is rounded up.
fn unpack_nanos(packed: i64) -> Result<i64> {
    let (digits, zeros) = (packed >> 3, (packed & 7) as u32);
    let scale = if zeros == 0 { 1 } else { 10i64.pow(zeros + 1) };
    match digits.checked_mul(scale) {
        Some(nanos @ -999_999_999..=999_999_999) => Ok(nanos),
        _ => Err(corrupt("a timestamp has a second or more of nanoseconds")),
    }
}
