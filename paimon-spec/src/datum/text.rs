//! Values as text: partition names, partition specs, default values of columns.

use std::fmt::Write as _;

use crate::calendar::{self, CivilDateTime, civil_from_days, days_from_civil, write_date};
use crate::{DataType, Datum, Error, Result, Timestamp, TypeKind};

const MILLIS_PER_DAY: i32 = 86_400_000;

/// Parses the text of a value that a user wrote (Java `TypeUtils.castFromString`).
///
/// Dates, times and timestamps are understood in their SQL and ISO forms and as numbers since 1970 (days, milliseconds
/// since midnight, units of the timestamp's precision). Timestamps with local time zone are read in UTC. Decimals are
/// rounded half up to the scale.
///
/// # Errors
/// `InvalidInput` when the text is no value of the type; `Unsupported` for types without a text form.
pub fn parse_datum(text: &str, data_type: &DataType) -> Result<Datum> {
    parse_kind(text, &data_type.kind).map_err(|reason| match reason {
        Reason::Unsupported => Error::unsupported(format!("values of type {data_type} cannot be written as text")),
        Reason::Malformed(detail) => {
            let detail = if detail.is_empty() { String::new() } else { format!(": {detail}") };
            Error::invalid(format!("expected a value of type {data_type}, found '{text}'{detail}"))
        }
    })
}

/// Java `toString` of the value, which legacy partition names use.
pub(crate) fn legacy_text(value: &Datum) -> Result<String> {
    Ok(match value {
        Datum::Boolean(v) => v.to_string(),
        Datum::TinyInt(v) => v.to_string(),
        Datum::SmallInt(v) => v.to_string(),
        Datum::Int(v) | Datum::Date(v) | Datum::Time(v) => v.to_string(),
        Datum::BigInt(v) => v.to_string(),
        Datum::Float(v) => float_text((*v).into(), &format!("{v:e}")),
        Datum::Double(v) => float_text(*v, &format!("{v:e}")),
        Datum::Decimal { unscaled, scale } => decimal_text(*unscaled, *scale),
        Datum::String(v) => v.clone(),
        Datum::Timestamp(v) => v.to_civil().to_string(),
        Datum::Bytes(_) => {
            return Err(Error::unsupported(
                "BINARY values have no partition name: set 'partition.legacy-name' to 'false'",
            ));
        }
    })
}

/// The value cast to STRING (Java `CastExecutors.resolveToString`), in UTC.
pub(crate) fn cast_text(value: &Datum, data_type: &DataType) -> Result<String> {
    Ok(match (value, &data_type.kind) {
        (Datum::Date(days), _) => date_text(*days),
        (Datum::Time(millis), TypeKind::Time(precision)) => time_text(*millis, *precision),
        (Datum::Timestamp(v), TypeKind::Timestamp(precision) | TypeKind::TimestampLtz(precision)) => {
            timestamp_text(*v, *precision)
        }
        (Datum::Bytes(bytes), _) => String::from_utf8(bytes.clone())
            .map_err(|_| Error::invalid("expected BINARY values that are UTF-8, to make a partition name of them"))?,
        _ => legacy_text(value)?,
    })
}

enum Reason {
    Unsupported,
    Malformed(&'static str),
}

fn parse_kind(text: &str, kind: &TypeKind) -> Result<Datum, Reason> {
    const NOT_ONE: Reason = Reason::Malformed("");
    Ok(match kind {
        TypeKind::Char(n) | TypeKind::VarChar(n) => {
            if text.chars().nth(*n as usize).is_some() {
                return Err(Reason::Malformed("it is too long"));
            }
            Datum::String(text.to_owned())
        }
        TypeKind::Binary(n) | TypeKind::VarBinary(n) => {
            if text.len() > *n as usize {
                return Err(Reason::Malformed("it is too long"));
            }
            Datum::Bytes(text.as_bytes().to_vec())
        }
        TypeKind::Boolean => Datum::Boolean(parse_boolean(text).ok_or(NOT_ONE)?),
        TypeKind::TinyInt => Datum::TinyInt(text.parse().map_err(|_| NOT_ONE)?),
        TypeKind::SmallInt => Datum::SmallInt(text.parse().map_err(|_| NOT_ONE)?),
        TypeKind::Int => Datum::Int(text.parse().map_err(|_| NOT_ONE)?),
        TypeKind::BigInt => Datum::BigInt(text.parse().map_err(|_| NOT_ONE)?),
        TypeKind::Float => Datum::Float(parse_float(text)?),
        TypeKind::Double => Datum::Double(text.parse().map_err(|_| NOT_ONE)?),
        TypeKind::Decimal { precision, scale } => {
            Datum::Decimal { unscaled: parse_decimal(text, *precision, *scale)?, scale: *scale }
        }
        TypeKind::Date => Datum::Date(parse_date(text).ok_or(NOT_ONE)?),
        TypeKind::Time(_) => Datum::Time(parse_time(text).ok_or(NOT_ONE)?),
        TypeKind::Timestamp(precision) | TypeKind::TimestampLtz(precision) => {
            Datum::Timestamp(parse_timestamp(text, *precision).ok_or(NOT_ONE)?)
        }
        _ => return Err(Reason::Unsupported),
    })
}

fn parse_boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "t" | "true" | "y" | "yes" | "1" => Some(true),
        "f" | "false" | "n" | "no" | "0" => Some(false),
        _ => None,
    }
}

/// Refuses digits that a FLOAT cannot hold.
fn parse_float(text: &str) -> Result<f32, Reason> {
    let exact: f64 = text.parse().map_err(|_| Reason::Malformed(""))?;
    let float: f32 = text.parse().map_err(|_| Reason::Malformed(""))?;
    let same_digits = format!("{float:e}") == format!("{exact:e}");
    if f64::from(float) == exact || same_digits {
        return Ok(float);
    }
    Err(Reason::Malformed("it has more digits than a FLOAT holds"))
}

/// The unscaled value, rounded half up to `scale` (Java `Decimal.fromBigDecimal`).
fn parse_decimal(text: &str, precision: u8, scale: u8) -> Result<i128, Reason> {
    const NOT_ONE: Reason = Reason::Malformed("");
    const TOO_LARGE: Reason = Reason::Malformed("it has too many digits before the point");
    let (negative, unsigned) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().map_err(|_| NOT_ONE)?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all_digits = whole.bytes().chain(fraction.bytes()).all(|digit| digit.is_ascii_digit());
    if !all_digits || whole.len() + fraction.len() == 0 {
        return Err(NOT_ONE);
    }
    let digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).skip_while(|digit| *digit == b'0').collect();
    // How many digits stand before the place of the last one that is kept; the others are dropped or zeros.
    let kept = digits.len() as i64 - fraction.len() as i64 + i64::from(exponent) + i64::from(scale);
    if digits.is_empty() || kept < 0 {
        return Ok(0);
    }
    if kept > i64::from(precision) {
        return Err(TOO_LARGE);
    }
    let kept = kept as usize;
    let mut unscaled = 0_i128;
    for place in 0..kept {
        unscaled = unscaled * 10 + digits.get(place).map_or(0, |digit| i128::from(digit - b'0'));
    }
    let round_up = digits.get(kept).is_some_and(|digit| *digit >= b'5');
    unscaled += i128::from(round_up);
    if unscaled >= 10_i128.pow(precision.into()) {
        return Err(TOO_LARGE);
    }
    Ok(if negative { -unscaled } else { unscaled })
}

/// A number in digits alone, with a sign perhaps.
fn parse_count(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// Days since 1970: `y`, `y-m`, `y-m-d` with anything after a space, or the number of days itself.
fn parse_date(text: &str) -> Option<i32> {
    if let Some(days) = parse_count(text) {
        return i32::try_from(days).ok();
    }
    let date = text.split_once(' ').map_or(text, |(date, _)| date);
    let (year, month, day) = calendar::parse_date(date)?;
    i32::try_from(days_from_civil(year, month, day)).ok()
}

/// Milliseconds since midnight: `h`, `h:m`, `h:m:s`, `h:m:s.fraction`, or the number of milliseconds itself.
fn parse_time(text: &str) -> Option<i32> {
    if let Some(millis) = parse_count(text) {
        return i32::try_from(millis).ok().filter(|millis| (0..MILLIS_PER_DAY).contains(millis));
    }
    let (hour, minute, second, nano) = calendar::parse_clock(text)?;
    i32::try_from(((hour * 60 + minute) * 60 + second) * 1_000 + nano / 1_000_000).ok()
}

fn parse_timestamp(text: &str, precision: u8) -> Option<Timestamp> {
    if let Some(count) = parse_count(text) {
        return match precision {
            0 => Some(Timestamp::from_millis(count.checked_mul(1_000)?)),
            3 => Some(Timestamp::from_millis(count)),
            6 => Some(Timestamp::from_micros(count)),
            9 => Some(Timestamp::from_nanos(count)),
            _ => None,
        };
    }
    let timestamp = Timestamp::from_civil(CivilDateTime::parse_iso(text)?)?;
    Some(timestamp.truncate(precision))
}

/// Java `Double.toString` and `Float.toString`; `scientific` has the shortest digits that give the value back.
fn float_text(value: f64, scientific: &str) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity".to_owned() } else { "-Infinity".to_owned() };
    }
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let mut digits = mantissa.replace('.', "");
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let magnitude = value.abs();
    if magnitude != 0.0 && !(1e-3..1e7).contains(&magnitude) {
        let (first, rest) = digits.split_at(1);
        let rest = if rest.is_empty() { "0" } else { rest };
        return format!("{sign}{first}.{rest}E{exponent}");
    }
    if exponent < 0 {
        return format!("{sign}0.{}{digits}", "0".repeat(exponent.unsigned_abs() as usize - 1));
    }
    let whole = exponent as usize + 1;
    // One digit after the point at least.
    while digits.len() <= whole {
        digits.push('0');
    }
    format!("{sign}{}.{}", &digits[..whole], &digits[whole..])
}

fn decimal_text(unscaled: i128, scale: u8) -> String {
    let scale = usize::from(scale);
    let sign = if unscaled < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", unscaled.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{whole}{point}{fraction}")
}

fn date_text(days: i32) -> String {
    let (year, month, day) = civil_from_days(days.into());
    let mut text = String::with_capacity(10);
    // Writing to a String does not fail.
    let _ = write_date(&mut text, year, month, day);
    text
}

/// As many digits of the fraction as the precision has, without zeros at the end, at least one.
fn time_text(millis: i32, precision: u8) -> String {
    let millis = millis.rem_euclid(MILLIS_PER_DAY);
    let mut text = clock_text(millis / 3_600_000, millis / 60_000 % 60, millis / 1_000 % 60);
    if precision > 0 {
        let digits = format!("{:03}", millis % 1_000);
        let digits = digits[..usize::from(precision.min(3))].trim_end_matches('0');
        text.push('.');
        text.push_str(if digits.is_empty() { "0" } else { digits });
    }
    text
}

/// As many digits of the fraction as the precision has, more when the value has more.
fn timestamp_text(timestamp: Timestamp, precision: u8) -> String {
    let civil = timestamp.to_civil();
    let mut text = String::with_capacity(29);
    let _ = write_date(&mut text, civil.year, civil.month, civil.day);
    text.push(' ');
    text.push_str(&clock_text(civil.hour, civil.minute, civil.second));
    let digits = format!("{:09}", civil.nano);
    let needed = digits.trim_end_matches('0').len().max(usize::from(precision.min(9)));
    if needed > 0 {
        let _ = write!(text, ".{}", &digits[..needed]);
    }
    text
}

fn clock_text<T: std::fmt::Display>(hour: T, minute: T, second: T) -> String {
    format!("{hour:0>2}:{minute:0>2}:{second:0>2}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;
    use crate::ErrorKind;

    fn parse(text: &str, data_type: &str) -> Result<Datum> {
        parse_datum(text, &DataType::parse(data_type).unwrap())
    }

    fn micros(micros: i64) -> Datum {
        Datum::Timestamp(Timestamp::from_micros(micros))
    }

    #[rstest]
    #[case("TRUE", "BOOLEAN", Datum::Boolean(true))]
    #[case("no", "BOOLEAN", Datum::Boolean(false))]
    #[case("-128", "TINYINT", Datum::TinyInt(-128))]
    #[case("+7", "SMALLINT", Datum::SmallInt(7))]
    #[case("-2147483648", "INT", Datum::Int(i32::MIN))]
    #[case("9223372036854775807", "BIGINT", Datum::BigInt(i64::MAX))]
    #[case("0.1", "FLOAT", Datum::Float(0.1))]
    #[case("1e10", "DOUBLE", Datum::Double(1e10))]
    #[case("1.005", "DECIMAL(10, 2)", Datum::Decimal { unscaled: 101, scale: 2 })]
    #[case("-1.005", "DECIMAL(10, 2)", Datum::Decimal { unscaled: -101, scale: 2 })]
    #[case("15e-1", "DECIMAL(10, 2)", Datum::Decimal { unscaled: 150, scale: 2 })]
    #[case(".5", "DECIMAL(1, 0)", Datum::Decimal { unscaled: 1, scale: 0 })]
    #[case("1e-99", "DECIMAL(38, 38)", Datum::Decimal { unscaled: 0, scale: 38 })]
    #[case("2024-01-02", "DATE", Datum::Date(19_724))]
    #[case("2024-1-2", "DATE", Datum::Date(19_724))]
    #[case("2024", "DATE", Datum::Date(2_024))]
    #[case("2024-01-02 10:00:00", "DATE", Datum::Date(19_724))]
    #[case("-5", "DATE", Datum::Date(-5))]
    #[case("03:04:05.678", "TIME(3)", Datum::Time(11_045_678))]
    #[case("11045678", "TIME(3)", Datum::Time(11_045_678))]
    #[case("2024-01-02T03:04", "TIMESTAMP(6)", micros(1_704_164_640_000_000))]
    #[case("2024-01-02 03:04:00.000005", "TIMESTAMP(6)", micros(1_704_164_640_000_005))]
    #[case("2024-01-02 03:04:00.000005", "TIMESTAMP(3)", micros(1_704_164_640_000_000))]
    #[case("2024-01-02", "TIMESTAMP_LTZ(6)", micros(1_704_153_600_000_000))]
    #[case("1704164640", "TIMESTAMP(0)", micros(1_704_164_640_000_000))]
    #[case("é", "VARCHAR(1)", Datum::String("é".into()))]
    #[case("", "STRING", Datum::String(String::new()))]
    #[case("ab", "BYTES", Datum::Bytes(b"ab".to_vec()))]
    fn texts_are_values(#[case] text: &str, #[case] data_type: &str, #[case] expected: Datum) {
        assert_eq!(parse(text, data_type).unwrap(), expected);
    }

    #[rstest]
    #[case("2", "BOOLEAN")]
    #[case("128", "TINYINT")]
    #[case("1.0", "INT")]
    #[case("", "INT")]
    #[case("0.123456789", "FLOAT")]
    #[case("123", "DECIMAL(2, 0)")]
    #[case("9.96", "DECIMAL(2, 1)")]
    #[case("1e2147483647", "DECIMAL(38, 0)")]
    #[case("--1", "DECIMAL(38, 0)")]
    #[case(".", "DECIMAL(38, 0)")]
    #[case("2023-02-29", "DATE")]
    #[case("99999999999", "DATE")]
    #[case("24:00:00", "TIME(0)")]
    #[case("86400000", "TIME(0)")]
    #[case("2024-01-02 25:00:00", "TIMESTAMP(3)")]
    #[case("2024-01-02 01:00:00.1234567891", "TIMESTAMP(3)")]
    #[case("9223372036854775807", "TIMESTAMP(0)")]
    #[case("ab", "VARCHAR(1)")]
    #[case("é", "VARBINARY(1)")]
    fn other_texts_are_refused(#[case] text: &str, #[case] data_type: &str) {
        let error = parse(text, data_type).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.message().contains(&format!("'{text}'")), "{error}");
    }

    #[test]
    fn nested_values_have_no_text() {
        assert_eq!(parse("[1]", "ARRAY<INT>").unwrap_err().kind(), ErrorKind::Unsupported);
    }

    #[rstest]
    #[case(1.0, "1.0")]
    #[case(-0.0, "-0.0")]
    #[case(0.001, "0.001")]
    #[case(0.0009, "9.0E-4")]
    #[case(1234567.25, "1234567.25")]
    #[case(1e7, "1.0E7")]
    #[case(9999999.0, "9999999.0")]
    #[case(1.5e300, "1.5E300")]
    #[case(f64::NAN, "NaN")]
    #[case(f64::NEG_INFINITY, "-Infinity")]
    fn doubles_print_as_in_java(#[case] value: f64, #[case] text: &str) {
        assert_eq!(legacy_text(&Datum::Double(value)).unwrap(), text);
    }

    #[test]
    fn floats_print_their_own_shortest_digits() {
        assert_eq!(legacy_text(&Datum::Float(0.1)).unwrap(), "0.1");
        assert_eq!(legacy_text(&Datum::Float(f32::MAX)).unwrap(), "3.4028235E38");
    }

    #[rstest]
    #[case(150, 2, "1.50")]
    #[case(-5, 2, "-0.05")]
    #[case(0, 3, "0.000")]
    #[case(12, 0, "12")]
    fn decimals_print_plain(#[case] unscaled: i128, #[case] scale: u8, #[case] text: &str) {
        assert_eq!(legacy_text(&Datum::Decimal { unscaled, scale }).unwrap(), text);
    }

    #[rstest]
    #[case(Datum::Date(19_724), "DATE", "19724", "2024-01-02")]
    #[case(Datum::Time(11_045_678), "TIME(3)", "11045678", "03:04:05.678")]
    #[case(Datum::Time(11_045_000), "TIME(3)", "11045000", "03:04:05.0")]
    #[case(Datum::Time(11_045_000), "TIME(0)", "11045000", "03:04:05")]
    #[case(micros(1_704_164_640_000_000), "TIMESTAMP(3)", "2024-01-02T03:04", "2024-01-02 03:04:00.000")]
    #[case(micros(1_704_067_200_000_005), "TIMESTAMP(6)", "2024-01-01T00:00:00.000005", "2024-01-01 00:00:00.000005")]
    #[case(micros(1_704_067_200_000_000), "TIMESTAMP(0)", "2024-01-01T00:00", "2024-01-01 00:00:00")]
    #[case(Datum::Boolean(true), "BOOLEAN", "true", "true")]
    fn legacy_and_cast_text_differ_for_times(
        #[case] value: Datum,
        #[case] data_type: &str,
        #[case] legacy: &str,
        #[case] cast: &str,
    ) {
        let data_type = DataType::parse(data_type).unwrap();
        assert_eq!(legacy_text(&value).unwrap(), legacy);
        assert_eq!(cast_text(&value, &data_type).unwrap(), cast);
        assert_eq!(parse_datum(legacy, &data_type).unwrap(), value);
        assert_eq!(parse_datum(cast, &data_type).unwrap(), value);
    }

    #[test]
    fn bytes_have_a_text_only_outside_legacy_names() {
        let bytes = Datum::Bytes(b"ab".to_vec());
        assert_eq!(legacy_text(&bytes).unwrap_err().kind(), ErrorKind::Unsupported);
        assert_eq!(cast_text(&bytes, &DataType::bytes()).unwrap(), "ab");
        assert!(cast_text(&Datum::Bytes(vec![0xff]), &DataType::bytes()).is_err());
    }

    proptest! {
        #[test]
        fn decimals_give_themselves_back(unscaled in -(10_i128.pow(38) - 1)..10_i128.pow(38), scale in 0..=38_u8) {
            let data_type = DataType::nullable(TypeKind::Decimal { precision: 38, scale });
            let value = Datum::Decimal { unscaled, scale };
            prop_assert_eq!(parse_datum(&legacy_text(&value).unwrap(), &data_type).unwrap(), value);
        }

        #[test]
        fn doubles_give_themselves_back(value: f64) {
            let text = legacy_text(&Datum::Double(value)).unwrap();
            prop_assert_eq!(text.parse::<f64>().unwrap().to_bits(), value.to_bits());
        }

        #[test]
        fn timestamps_give_themselves_back(value in -60_000_000_000_000_000..250_000_000_000_000_000_i64) {
            let data_type = DataType::nullable(TypeKind::Timestamp(6));
            let value = micros(value);
            prop_assert_eq!(parse_datum(&legacy_text(&value).unwrap(), &data_type).unwrap(), value.clone());
            prop_assert_eq!(parse_datum(&cast_text(&value, &data_type).unwrap(), &data_type).unwrap(), value);
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,20}", kind in 0..6_usize) {
            let kinds = ["DECIMAL(38, 10)", "DATE", "TIME(3)", "TIMESTAMP(9)", "FLOAT", "CHAR(3)"];
            let _ = parse(&text, kinds[kind]);
        }
    }
}
