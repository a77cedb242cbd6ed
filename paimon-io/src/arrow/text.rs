//! Values as Java prints and parses them: what a type change to or from `STRING` shows.

use paimon_spec::Timestamp;

const MILLIS_PER_DAY: i64 = 86_400_000;

/// Year, month and day of a day since 1970-01-01 (proleptic Gregorian).
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    // Years start in March here, so that the leap day is the last of its year.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// `yyyy-MM-dd`.
pub(super) fn date(days: i64) -> String {
    let (year, month, day) = civil_from_days(days);
    format!("{year:04}-{month:02}-{day:02}")
}

/// `HH:mm:ss`, and with a precision the digits of the second up to the last that is not zero (at least one).
pub(super) fn time(millis: i32, precision: u8) -> String {
    let millis = i64::from(millis).rem_euclid(MILLIS_PER_DAY);
    let (seconds, millis) = (millis / 1000, millis % 1000);
    let mut text = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if precision > 0 {
        let digits = format!("{millis:03}");
        let digits = &digits[..digits.len().min(usize::from(precision))];
        let shown = digits.trim_end_matches('0');
        text.push('.');
        text.push_str(if shown.is_empty() { "0" } else { shown });
    }
    text
}

/// `yyyy-MM-dd HH:mm:ss` and at least `precision` digits of the second; further ones unless they are zeros.
pub(super) fn timestamp(value: Timestamp, precision: u8) -> String {
    let days = value.millis.div_euclid(MILLIS_PER_DAY);
    let millis = value.millis.rem_euclid(MILLIS_PER_DAY);
    let fraction = format!("{:09}", millis % 1000 * 1_000_000 + i64::from(value.nanos_of_milli));
    let kept = fraction.trim_end_matches('0').len().max(usize::from(precision).min(9));
    // The millis of a day fit in 32 bits.
    let mut text = format!("{} {}", date(days), time((millis - millis % 1000) as i32, 0));
    if kept > 0 {
        text.push('.');
        text.push_str(&fraction[..kept]);
    }
    text
}

/// Plain digits, `scale` of them after the point.
pub(super) fn decimal(unscaled: i128, scale: u8) -> String {
    let scale = usize::from(scale);
    let digits = format!("{:0width$}", unscaled.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let sign = if unscaled < 0 { "-" } else { "" };
    if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

/// `Double.toString`.
pub(super) fn double(value: f64) -> String {
    float(value, &format!("{value:e}"))
}

/// `Float.toString`.
pub(super) fn single(value: f32) -> String {
    float(f64::from(value), &format!("{value:e}"))
}

/// `scientific` holds the shortest digits that name the value, as `d.ddde±x`.
fn float(value: f64, scientific: &str) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let digits = mantissa.replace('.', "");
    if value == 0.0 {
        return format!("{sign}0.0");
    }
    if !(-3..7).contains(&exponent) {
        let rest = if digits.len() > 1 { &digits[1..] } else { "0" };
        return format!("{sign}{}.{rest}E{exponent}", &digits[..1]);
    }
    if exponent < 0 {
        let zeros = "0".repeat(exponent.unsigned_abs() as usize - 1);
        return format!("{sign}0.{zeros}{digits}");
    }
    let whole = exponent as usize + 1;
    if digits.len() <= whole {
        format!("{sign}{digits}{}.0", "0".repeat(whole - digits.len()))
    } else {
        format!("{sign}{}.{}", &digits[..whole], &digits[whole..])
    }
}

/// `t true y yes 1` and `f false n no 0`, in any case.
pub(super) fn parse_boolean(text: &str) -> Option<bool> {
    match text.to_lowercase().as_str() {
        "t" | "true" | "y" | "yes" | "1" => Some(true),
        "f" | "false" | "n" | "no" | "0" => Some(false),
        _ => None,
    }
}

/// A sign, digits, and a fraction that is checked and dropped.
pub(super) fn parse_integer(text: &str) -> Option<i64> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if unsigned.is_empty() {
        return None;
    }
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    if !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
        return None;
    }
    let magnitude: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    if text.starts_with('-') { 0i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
}

/// `Double.parseDouble`, but for hexadecimal floats.
pub(super) fn parse_double(text: &str) -> Option<f64> {
    java_float(text)?.parse().ok()
}

/// `Float.parseFloat`, but for hexadecimal floats.
pub(super) fn parse_single(text: &str) -> Option<f32> {
    java_float(text)?.parse().ok()
}

/// Cuts what Java allows around a float, and refuses what only Rust allows.
fn java_float(text: &str) -> Option<&str> {
    let text = text.trim();
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    match unsigned {
        "NaN" | "Infinity" => Some(text),
        _ if unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') => {
            Some(text.strip_suffix(['f', 'F', 'd', 'D']).unwrap_or(text))
        }
        _ => None,
    }
}

/// What came of a text read as a decimal.
pub(super) enum ParsedDecimal {
    /// The unscaled value.
    Value(i128),
    /// More digits than the precision allows.
    Overflow,
    /// Not a number.
    Malformed,
}

/// `new BigDecimal(text)`, rounded half up to `scale`, within `precision`.
pub(super) fn parse_decimal(text: &str, precision: u8, scale: u8) -> ParsedDecimal {
    let negative = text.starts_with('-');
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => match exponent.parse::<i32>() {
            Ok(exponent) => (mantissa, i64::from(exponent)),
            Err(_) => return ParsedDecimal::Malformed,
        },
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.len() + fraction.len() == 0 || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
        return ParsedDecimal::Malformed;
    }
    let digits = format!("{whole}{fraction}");
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() {
        return ParsedDecimal::Value(0);
    }
    // The value is `digits` x 10^`shift` in units of the scale. Exponents are 32-bit, so nothing overflows here.
    let shift = exponent - fraction.len() as i64 + i64::from(scale);
    let kept = digits.len() as i64 + shift;
    if kept > i64::from(precision) {
        return ParsedDecimal::Overflow;
    }
    let magnitude = if kept < 0 {
        0
    } else if shift >= 0 {
        // At most 38 digits.
        digits.parse::<i128>().unwrap_or(0) * 10i128.pow(shift as u32)
    } else {
        let (kept, cut) = digits.split_at(kept as usize);
        kept.parse::<i128>().unwrap_or(0) + i128::from(cut.as_bytes().first().is_some_and(|digit| *digit >= b'5'))
    };
    if magnitude >= 10i128.pow(u32::from(precision)) {
        return ParsedDecimal::Overflow;
    }
    ParsedDecimal::Value(if negative { -magnitude } else { magnitude })
}

fn number(text: &str) -> Option<i64> {
    let text = text.trim();
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse::<i32>().ok().map(i64::from)
}

fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    ((0..=9999).contains(&year) && (1..=last).contains(&day)).then(|| days_from_civil(year, month, day))
}

/// `yyyy[-M[-d]]`, anything after a space ignored; or a number of days.
pub(super) fn parse_date(text: &str) -> Option<i32> {
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse().ok();
    }
    let text = match text.find(' ') {
        Some(at) if at > 0 => &text[..at],
        _ => text,
    };
    let mut parts = text.splitn(3, '-');
    let year = number(parts.next()?)?;
    let month = parts.next().map_or(Some(1), number)?;
    let day = parts.next().map_or(Some(1), number)?;
    days(year, month, day).and_then(|days| i32::try_from(days).ok())
}

/// `H[:m[:s[.f]]]` in milliseconds, or a number of milliseconds.
pub(super) fn parse_time(text: &str) -> Option<i32> {
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse().ok();
    }
    let mut parts = text.splitn(3, ':');
    let hour = number(parts.next()?)?;
    let minute = parts.next().map_or(Some(0), number)?;
    let (second, nanos) = match parts.next() {
        None => (0, 0),
        Some(rest) => match rest.split_once('.') {
            None => (number(rest)?, 0),
            Some((second, fraction)) => (number(second)?, parse_fraction(fraction.trim())?),
        },
    };
    let in_range = hour < 24 && minute < 60 && second < 60;
    // Rounded half up to milliseconds, as Java does.
    in_range.then(|| (((hour * 60 + minute) * 60 + second) * 1000 + (nanos + 500_000) / 1_000_000) as i32)
}

/// Nanoseconds of the digits after a second's point; at most nine.
fn parse_fraction(digits: &str) -> Option<i64> {
    if digits.len() > 9 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    format!("{digits:0<9}").parse().ok()
}

/// `yyyy-M-d[( |T)H:m[:s[.f]]]`, cut to `precision` digits of the second. A number counts units of the precision, as
/// Java has it for the precisions 0, 3, 6 and 9 of time stamps without a time zone (`numbers`).
pub(super) fn parse_timestamp(text: &str, precision: u8, numbers: bool) -> Option<Timestamp> {
    if numbers && !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        let value: i64 = text.parse().ok()?;
        return match precision {
            0 => Some(Timestamp { millis: value.checked_mul(1000)?, nanos_of_milli: 0 }),
            3 => Some(Timestamp { millis: value, nanos_of_milli: 0 }),
            6 => Some(Timestamp { millis: value / 1000, nanos_of_milli: (value % 1000 * 1000) as i32 }),
            9 => Some(Timestamp { millis: value / 1_000_000, nanos_of_milli: (value % 1_000_000) as i32 }),
            _ => None,
        };
    }
    let (day, time) = match text.split_once([' ', 'T']) {
        Some((day, time)) => (day, Some(time)),
        None => (text, None),
    };
    let mut parts = day.splitn(3, '-');
    let days = days(number(parts.next()?)?, number(parts.next()?)?, number(parts.next()?)?)?;
    let (seconds, nanos) = match time {
        None => (0, 0),
        Some(time) => {
            let mut parts = time.splitn(3, ':');
            let (hour, minute) = (number(parts.next()?)?, number(parts.next()?)?);
            let (second, nanos) = match parts.next() {
                None => (0, 0),
                Some(rest) => match rest.split_once('.') {
                    None => (number(rest)?, 0),
                    Some((second, fraction)) => (number(second)?, parse_fraction(fraction)?),
                },
            };
            if hour > 23 || minute > 59 || second > 59 {
                return None;
            }
            ((hour * 60 + minute) * 60 + second, nanos)
        }
    };
    let unit = 10i64.pow(u32::from(9 - precision.min(9)));
    let nanos = nanos - nanos % unit;
    Some(Timestamp {
        millis: days * MILLIS_PER_DAY + seconds * 1000 + nanos / 1_000_000,
        nanos_of_milli: (nanos % 1_000_000) as i32,
    })
}
