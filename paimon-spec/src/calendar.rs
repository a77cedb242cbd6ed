//! Calendar arithmetic: the proleptic Gregorian calendar without time zones.

use std::fmt;

use crate::Timestamp;

const MILLIS_PER_DAY: i64 = 86_400_000;

/// A date and a time of day, as clocks and calendars show them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CivilDateTime {
    /// Astronomical: year 0 is before year 1.
    pub year: i64,
    /// 1 to 12.
    pub month: u32,
    /// 1 to 31.
    pub day: u32,
    /// 0 to 23.
    pub hour: u32,
    /// 0 to 59.
    pub minute: u32,
    /// 0 to 59.
    pub second: u32,
    /// Nanoseconds within the second, 0 to 999,999,999.
    pub nano: u32,
}

impl CivilDateTime {
    /// Midnight at the start of a day.
    pub fn midnight(year: i64, month: u32, day: u32) -> Self {
        Self { year, month, day, hour: 0, minute: 0, second: 0, nano: 0 }
    }

    /// Parses `y-m-d`, and after `T` or a space `h:m`, `h:m:s` or `h:m:s.fraction`; months, days, minutes and seconds may
    /// be absent. `None` when the text is not of that form, or not in the calendar.
    pub fn parse_iso(text: &str) -> Option<Self> {
        let (date, clock) = match text.split_once([' ', 'T']) {
            Some((date, clock)) => (date, Some(clock)),
            None => (text, None),
        };
        let (year, month, day) = parse_date(date)?;
        let civil = Self::midnight(year, month, day);
        match clock {
            None => Some(civil),
            Some(clock) => {
                let (hour, minute, second, nano) = parse_clock(clock)?;
                Some(Self { hour, minute, second, nano, ..civil })
            }
        }
    }

    /// Whether all parts are in range, the day for its month. The year is when it has at most nine digits.
    pub fn is_valid(&self) -> bool {
        self.year.abs() <= 999_999_999
            && (1..=12).contains(&self.month)
            && (1..=days_in_month(self.year, self.month)).contains(&self.day)
            && self.hour < 24
            && self.minute < 60
            && self.second < 60
            && self.nano < 1_000_000_000
    }
}

/// Java `LocalDateTime.toString`: ISO 8601 with `T`, seconds and fraction only when they are not 0.
impl fmt::Display for CivilDateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_date(f, self.year, self.month, self.day)?;
        write!(f, "T{:02}:{:02}", self.hour, self.minute)?;
        if self.second == 0 && self.nano == 0 {
            return Ok(());
        }
        write!(f, ":{:02}", self.second)?;
        // The fraction has as many groups of three digits as it needs.
        if self.nano == 0 {
            Ok(())
        } else if self.nano.is_multiple_of(1_000_000) {
            write!(f, ".{:03}", self.nano / 1_000_000)
        } else if self.nano.is_multiple_of(1_000) {
            write!(f, ".{:06}", self.nano / 1_000)
        } else {
            write!(f, ".{:09}", self.nano)
        }
    }
}

/// Java `LocalDate.toString`: four digits of the year, more with a sign.
pub(crate) fn write_date(f: &mut dyn fmt::Write, year: i64, month: u32, day: u32) -> fmt::Result {
    match year {
        0..=9999 => write!(f, "{year:04}-{month:02}-{day:02}"),
        10_000.. => write!(f, "+{year}-{month:02}-{day:02}"),
        _ => write!(f, "-{:04}-{month:02}-{day:02}", -year),
    }
}

/// Year, month and day of `y`, `y-m` or `y-m-d`, the year with a sign perhaps.
pub(crate) fn parse_date(text: &str) -> Option<(i64, u32, u32)> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut parts = unsigned.splitn(3, '-');
    let year = i64::from(parse_part(parts.next()?)?);
    let month = parts.next().map_or(Some(1), parse_part)?;
    let day = parts.next().map_or(Some(1), parse_part)?;
    let year = if negative { -year } else { year };
    CivilDateTime::midnight(year, month, day).is_valid().then_some((year, month, day))
}

/// Hour, minute, second and nanosecond of `h`, `h:m`, `h:m:s` or `h:m:s.fraction`.
pub(crate) fn parse_clock(text: &str) -> Option<(u32, u32, u32, u32)> {
    let (clock, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut parts = clock.splitn(3, ':');
    let hour = parse_part(parts.next()?)?;
    let minute = parts.next().map_or(Some(0), parse_part)?;
    let second = parts.next().map_or(Some(0), parse_part)?;
    let nano = match fraction.len() {
        0 => 0,
        length @ 1..=9 => parse_part(fraction)? * 10_u32.pow(9 - length as u32),
        _ => return None,
    };
    let civil = CivilDateTime { hour, minute, second, nano, ..CivilDateTime::midnight(1970, 1, 1) };
    civil.is_valid().then_some((hour, minute, second, nano))
}

/// At most nine digits.
fn parse_part(text: &str) -> Option<u32> {
    let digits = (1..=9).contains(&text.len()) && text.bytes().all(|digit| digit.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

/// Days from 1970-01-01 to a day of the calendar; the parts must be in range.
pub fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    // Years start in March here, so that the leap day is the last of its year.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = i64::from((month + 9) % 12);
    let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Year, month and day of the day that is `days` after 1970-01-01.
pub fn civil_from_days(days: i64) -> (i64, u32, u32) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    // Both are in the range of months and days by construction.
    (year, month as u32, day as u32)
}

/// Days of a month, 1 to 12.
pub fn days_in_month(year: i64, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

impl Timestamp {
    /// From milliseconds since 1970.
    pub fn from_millis(millis: i64) -> Self {
        Self { millis, nanos_of_milli: 0 }
    }

    /// From microseconds since 1970.
    pub fn from_micros(micros: i64) -> Self {
        Self { millis: micros.div_euclid(1_000), nanos_of_milli: (micros.rem_euclid(1_000) * 1_000) as i32 }
    }

    /// From nanoseconds since 1970.
    pub fn from_nanos(nanos: i64) -> Self {
        Self { millis: nanos.div_euclid(1_000_000), nanos_of_milli: nanos.rem_euclid(1_000_000) as i32 }
    }

    /// Microseconds since 1970, rounded down; `None` when they do not fit.
    pub fn to_micros(self) -> Option<i64> {
        // Through i128: the product alone may not fit where the sum does.
        let micros = i128::from(self.millis) * 1_000 + i128::from(self.nanos_of_milli / 1_000);
        i64::try_from(micros).ok()
    }

    /// Nanoseconds since 1970; `None` when they do not fit (before 1677 or after 2262).
    pub fn to_nanos(self) -> Option<i64> {
        let nanos = i128::from(self.millis) * 1_000_000 + i128::from(self.nanos_of_milli);
        i64::try_from(nanos).ok()
    }

    /// The parts on the clock of UTC.
    pub fn to_civil(self) -> CivilDateTime {
        let (year, month, day) = civil_from_days(self.millis.div_euclid(MILLIS_PER_DAY));
        // All parts below are positive and smaller than a day.
        let of_day = self.millis.rem_euclid(MILLIS_PER_DAY) as u32;
        CivilDateTime {
            year,
            month,
            day,
            hour: of_day / 3_600_000,
            minute: of_day / 60_000 % 60,
            second: of_day / 1_000 % 60,
            nano: of_day % 1_000 * 1_000_000 + self.nanos_of_milli as u32,
        }
    }

    /// The inverse of [`Self::to_civil`]; `None` when a part is out of range.
    pub fn from_civil(civil: CivilDateTime) -> Option<Self> {
        if !civil.is_valid() {
            return None;
        }
        let seconds_of_day = i64::from(civil.hour * 3_600 + civil.minute * 60 + civil.second);
        let seconds = days_from_civil(civil.year, civil.month, civil.day) * 86_400 + seconds_of_day;
        let millis = seconds * 1_000 + i64::from(civil.nano / 1_000_000);
        Some(Self { millis, nanos_of_milli: (civil.nano % 1_000_000) as i32 })
    }

    /// With `precision` digits of the second (0 to 9), rounded down.
    #[must_use]
    pub fn truncate(self, precision: u8) -> Self {
        if precision <= 3 {
            let unit = 10_i64.pow(3 - u32::from(precision));
            // Saturates at the very first milliseconds of time.
            let millis = self.millis.saturating_sub(self.millis.rem_euclid(unit));
            return Self { millis, nanos_of_milli: 0 };
        }
        let unit = 10_i32.pow(9 - u32::from(precision.min(9)));
        Self { millis: self.millis, nanos_of_milli: self.nanos_of_milli - self.nanos_of_milli % unit }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(1970, 1, 1, 0)]
    #[case(1969, 12, 31, -1)]
    #[case(2000, 2, 29, 11_016)]
    #[case(2024, 1, 2, 19_724)]
    #[case(1, 1, 1, -719_162)]
    #[case(0, 2, 29, -719_469)]
    #[case(9999, 12, 31, 2_932_896)]
    fn days_count_from_1970(#[case] year: i64, #[case] month: u32, #[case] day: u32, #[case] days: i64) {
        assert_eq!(days_from_civil(year, month, day), days);
        assert_eq!(civil_from_days(days), (year, month, day));
    }

    #[test]
    fn each_day_of_eight_centuries_follows_the_one_before() {
        let (mut year, mut month, mut day) = (1600, 1, 1);
        for days in days_from_civil(1600, 1, 1)..days_from_civil(2401, 1, 1) {
            assert_eq!(civil_from_days(days), (year, month, day));
            day += 1;
            if day > days_in_month(year, month) {
                (month, day) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
    }

    #[rstest]
    #[case(Timestamp::from_micros(-1), "1969-12-31T23:59:59.999999")]
    #[case(Timestamp::from_micros(1_704_164_640_000_000), "2024-01-02T03:04")]
    #[case(Timestamp::from_micros(1_704_067_200_000_005), "2024-01-01T00:00:00.000005")]
    #[case(Timestamp::from_millis(-62_135_596_800_000), "0001-01-01T00:00")]
    #[case(Timestamp::from_millis(253_402_300_800_000), "+10000-01-01T00:00")]
    #[case(Timestamp::from_millis(-62_198_755_200_000), "-0001-01-01T00:00")]
    #[case(Timestamp::from_millis(1), "1970-01-01T00:00:00.001")]
    #[case(Timestamp::from_nanos(1), "1970-01-01T00:00:00.000000001")]
    fn civil_time_prints_as_iso_with_as_few_parts_as_possible(#[case] timestamp: Timestamp, #[case] text: &str) {
        assert_eq!(timestamp.to_civil().to_string(), text);
    }

    #[rstest]
    #[case(Timestamp::from_nanos(1_234_567_891), 0, Timestamp::from_millis(1_000))]
    #[case(Timestamp::from_nanos(1_234_567_891), 3, Timestamp::from_millis(1_234))]
    #[case(Timestamp::from_nanos(1_234_567_891), 6, Timestamp::from_micros(1_234_567))]
    #[case(Timestamp::from_nanos(-1), 0, Timestamp::from_millis(-1_000))]
    #[case(Timestamp::from_nanos(-1), 8, Timestamp::from_nanos(-10))]
    fn truncation_rounds_down(#[case] timestamp: Timestamp, #[case] precision: u8, #[case] expected: Timestamp) {
        assert_eq!(timestamp.truncate(precision), expected);
    }

    #[rstest]
    #[case(2023, 2, 29)]
    #[case(2024, 13, 1)]
    #[case(2024, 0, 1)]
    #[case(2024, 4, 31)]
    #[case(1_000_000_000, 1, 1)]
    fn days_that_are_not_in_the_calendar_are_refused(#[case] year: i64, #[case] month: u32, #[case] day: u32) {
        assert_eq!(Timestamp::from_civil(CivilDateTime::midnight(year, month, day)), None);
    }

    #[test]
    fn units_that_do_not_fit_give_none() {
        assert_eq!(Timestamp::from_millis(i64::MAX).to_micros(), None);
        assert_eq!(Timestamp::from_millis(i64::MIN).to_nanos(), None);
        assert_eq!(Timestamp::from_micros(i64::MIN).to_micros(), Some(i64::MIN));
        assert_eq!(Timestamp::from_nanos(i64::MAX).to_nanos(), Some(i64::MAX));
    }

    proptest! {
        #[test]
        fn civil_time_gives_the_timestamp_back(millis in -60_000_000_000_000_000..60_000_000_000_000_000_i64, nanos in 0..1_000_000) {
            let timestamp = Timestamp { millis, nanos_of_milli: nanos };
            prop_assert_eq!(Timestamp::from_civil(timestamp.to_civil()), Some(timestamp));
        }

        #[test]
        fn units_give_the_timestamp_back(units: i64) {
            prop_assert_eq!(Timestamp::from_micros(units).to_micros(), Some(units));
            prop_assert_eq!(Timestamp::from_nanos(units).to_nanos(), Some(units));
        }

        #[test]
        fn truncation_of_any_timestamp_does_not_overflow(millis: i64, precision in 0..=9_u8) {
            prop_assert!(Timestamp::from_millis(millis).truncate(precision).millis <= millis);
        }
    }
}
