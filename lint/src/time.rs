//! Moments and durations as people write them.

use ::time::format_description::well_known::Rfc3339;
use ::time::{OffsetDateTime, UtcOffset};

/// Seconds since 1970-01-01T00:00:00Z.
pub type UnixSeconds = i64;

/// Reads an RFC 3339 time.
///
/// # Errors
/// What is wrong and what to write.
pub fn parse(text: &str) -> Result<UnixSeconds, String> {
    OffsetDateTime::parse(text, &Rfc3339)
        .map(OffsetDateTime::unix_timestamp)
        .map_err(|error| format!("{text} is no RFC 3339 time ({error}); write 2026-11-23T00:00:00Z"))
}

/// Prints a moment in RFC 3339, in UTC.
pub fn format(at: UnixSeconds) -> String {
    OffsetDateTime::from_unix_timestamp(at)
        .ok()
        .and_then(|time| time.to_offset(UtcOffset::UTC).format(&Rfc3339).ok())
        .unwrap_or_else(|| format!("@{at}"))
}

/// Prints the day of a moment, in UTC.
pub fn format_day(at: UnixSeconds) -> String {
    OffsetDateTime::from_unix_timestamp(at).map_or_else(|_| format!("@{at}"), |time| time.date().to_string())
}

/// Reads `30d`, `12h`, `90m`, `45s`, `2w` or a sum of them (`1d12h`), in seconds.
///
/// # Errors
/// What is wrong and what to write.
pub fn parse_duration(text: &str) -> Result<i64, String> {
    let wrong = || format!("{text} is no duration; write 30d, 12h or 1d12h");
    let mut total: i64 = 0;
    let mut number = String::new();
    for letter in text.chars() {
        if letter.is_ascii_digit() {
            number.push(letter);
            continue;
        }
        let unit = match letter {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            'w' => 7 * 86_400,
            _ => return Err(wrong()),
        };
        let count: i64 = number.parse().map_err(|_| wrong())?;
        number.clear();
        total = count.checked_mul(unit).and_then(|part| total.checked_add(part)).ok_or_else(wrong)?;
    }
    if text.is_empty() || !number.is_empty() { Err(wrong()) } else { Ok(total) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_round_trip_in_utc() {
        assert_eq!(parse("2026-11-23T00:00:00Z"), Ok(1_795_392_000));
        assert_eq!(format(1_795_392_000), "2026-11-23T00:00:00Z");
        assert_eq!(parse("2026-11-23T02:00:00+02:00"), Ok(1_795_392_000));
        assert!(parse("yesterday").unwrap_err().contains("RFC 3339"));
    }

    #[test]
    fn durations_are_sums_of_units() {
        assert_eq!(parse_duration("30d"), Ok(2_592_000));
        assert_eq!(parse_duration("1d12h"), Ok(129_600));
        for wrong in ["", "30", "d", "5y", "99999999999999999999d", "9223372036854775807w"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }
}
