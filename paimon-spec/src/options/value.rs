//! The text forms of option values: memory sizes and durations.

/// Bytes of `8 mb`, `8mb`, `8 m` or `8388608`; units are powers of 1024 (Java `MemorySize.parseBytes`). `None` when the
/// text is not of that form or does not fit.
pub(super) fn parse_bytes(text: &str) -> Option<u64> {
    let (number, unit) = split_number(text)?;
    let shift = match unit.as_str() {
        "" | "b" | "bytes" => 0,
        "k" | "kb" | "kibibytes" => 10,
        "m" | "mb" | "mebibytes" => 20,
        "g" | "gb" | "gibibytes" => 30,
        "t" | "tb" | "tebibytes" => 40,
        _ => return None,
    };
    // Java counts in i64.
    number.checked_mul(1 << shift).and_then(|bytes| u64::try_from(bytes).ok())
}

/// Milliseconds of `1 h`, `10 ms`, `1d` or `500`, rounded down (Java `TimeUtils.parseDuration`). `None` when the text
/// is not of that form or does not fit.
pub fn parse_duration_millis(text: &str) -> Option<u64> {
    let (number, unit) = split_number(text)?;
    let millis = match unit.as_str() {
        "d" | "day" | "days" => number.checked_mul(86_400_000)?,
        "h" | "hour" | "hours" => number.checked_mul(3_600_000)?,
        "min" | "m" | "minute" | "minutes" => number.checked_mul(60_000)?,
        "s" | "sec" | "secs" | "second" | "seconds" => number.checked_mul(1_000)?,
        "" | "ms" | "milli" | "millis" | "millisecond" | "milliseconds" => number,
        "µs" | "micro" | "micros" | "microsecond" | "microseconds" => number / 1_000,
        "ns" | "nano" | "nanos" | "nanosecond" | "nanoseconds" => number / 1_000_000,
        _ => return None,
    };
    u64::try_from(millis).ok()
}

fn split_number(text: &str) -> Option<(i64, String)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    Some((number.parse().ok()?, unit.trim().to_lowercase()))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("8 mb", Some(8 << 20))]
    #[case("8mb", Some(8 << 20))]
    #[case(" 8 M ", Some(8 << 20))]
    #[case("8388608", Some(8 << 20))]
    #[case("500 B", Some(500))]
    #[case("4 kb", Some(4096))]
    #[case("2 gibibytes", Some(2 << 30))]
    #[case("1t", Some(1 << 40))]
    #[case("9223372036854775807 bytes", Some(i64::MAX as u64))]
    #[case("9223372036854775807 kb", None)]
    #[case("9223372036854775808", None)]
    #[case("", None)]
    #[case("mb", None)]
    #[case("-1", None)]
    #[case("1.5 mb", None)]
    #[case("8 mib", None)]
    fn memory_sizes(#[case] text: &str, #[case] bytes: Option<u64>) {
        assert_eq!(parse_bytes(text), bytes);
    }

    #[rstest]
    #[case("1 h", Some(3_600_000))]
    #[case("10 ms", Some(10))]
    #[case("1d", Some(86_400_000))]
    #[case("2 Days", Some(172_800_000))]
    #[case("5 min", Some(300_000))]
    #[case("5 m", Some(300_000))]
    #[case("30 secs", Some(30_000))]
    #[case("500", Some(500))]
    #[case("1500 µs", Some(1))]
    #[case("999999 ns", Some(0))]
    #[case("9223372036854775807 d", None)]
    #[case("1 week", None)]
    #[case("PT1H", None)]
    #[case("-1 s", None)]
    #[case("", None)]
    fn durations(#[case] text: &str, #[case] millis: Option<u64>) {
        assert_eq!(parse_duration_millis(text), millis);
    }
}
