//! The time zone of a file's writer, with the rules that Java follows.

use chrono::{DateTime, Offset, TimeZone};
use chrono_tz::{OffsetComponents, Tz};
use paimon_spec::{
    Error, Result,
    calendar::{civil_from_days, days_from_civil},
};

const SECONDS_PER_DAY: i64 = 86_400;

/// 2015-01-01 00:00:00 as seconds since 1970: timestamps count from there, in the writer's zone.
const EPOCH: i64 = 1_420_070_400;

/// 1900-01-01 00:00:00. Java knows no older changes of a zone's offset.
const FIRST_CHANGE: i64 = -2_208_988_800;

/// A time by which all zones have their present standard offset.
const PRESENT: i64 = 1_767_225_600;

/// Years whose rules are known, and hold for ever: there is one of each length that starts on each day of the week.
const YEARS: std::ops::Range<i64> = 2038..2066;

/// The end of these years.
const LAST_CHANGE: i64 = 3_029_529_600;

/// A time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Zone {
    /// An offset from UTC, in seconds.
    Fixed(i64),
    /// A place's rules.
    Place(Tz),
}

impl Zone {
    /// Universal time.
    pub(super) fn utc() -> Self {
        Self::Fixed(0)
    }

    /// The zone of a name as `java.util.TimeZone` has them.
    pub(super) fn parse(name: &str) -> Result<Self> {
        if let "" | "UTC" | "GMT" | "Z" | "UCT" | "Etc/UTC" = name {
            return Ok(Self::utc());
        }
        if let Some(offset) = name.strip_prefix("GMT").and_then(parse_offset) {
            return Ok(Self::Fixed(offset));
        }
        let place =
            name.parse().map_err(|_| Error::unsupported(format!("time zone '{name}' of an ORC file is unknown")));
        place.map(Self::Place)
    }

    /// How far clocks are ahead of UTC at `seconds` since 1970, in seconds.
    pub(super) fn offset_at(self, seconds: i64) -> i64 {
        match self {
            Self::Fixed(offset) => offset,
            Self::Place(place) => {
                let standard = seconds < FIRST_CHANGE;
                let time = match seconds {
                    _ if standard => PRESENT,
                    LAST_CHANGE.. => in_known_year(seconds),
                    _ => seconds,
                };
                let time = DateTime::from_timestamp(time, 0).unwrap_or_default();
                let offset = place.offset_from_utc_datetime(&time.naive_utc());
                match standard {
                    true => offset.base_utc_offset().num_seconds(),
                    false => i64::from(offset.fix().local_minus_utc()),
                }
            }
        }
    }

    /// The time from which the writer's timestamps count, as seconds since 1970.
    pub(super) fn epoch(self) -> i64 {
        EPOCH - self.offset_at(EPOCH)
    }
}

/// The same day and time in one of [`YEARS`] that has the same calendar.
fn in_known_year(seconds: i64) -> i64 {
    let start = |year| days_from_civil(year, 1, 1);
    let (year, _, _) = civil_from_days(seconds.div_euclid(SECONDS_PER_DAY));
    let days = start(year + 1) - start(year);
    let same = |known: &i64| start(known + 1) - start(*known) == days && (start(year) - start(*known)) % 7 == 0;
    let known = YEARS.clone().find(same).unwrap_or(YEARS.start);
    seconds - (start(year) - start(known)) * SECONDS_PER_DAY
}

/// `+h`, `+hh`, `+hmm`, `+hhmm`, `+h:mm` or `+hh:mm`, or with a minus.
fn parse_offset(text: &str) -> Option<i64> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = match digits.split_once(':') {
        Some(parts) => parts,
        None if digits.len() > 2 => digits.split_at_checked(digits.len() - 2)?,
        None => (digits, "0"),
    };
    let (hours, minutes) = (hours.parse::<u8>().ok()?, minutes.parse::<u8>().ok()?);
    (hours < 24 && minutes < 60).then(|| sign * (i64::from(hours) * 3600 + i64::from(minutes) * 60))
}
