//! Durations as users type them.

use jiff::SignedDuration;
use std::time::Duration;

/// The longest duration that is taken for what its user meant, in days: longer ones are slips of the hand, and beyond the
/// range of time.
const MOST_DAYS: u64 = 100 * 366;

/// Reads `30s`, `90m`, `12h`, `7d`, `2w`, several of them together (`1d12h`), or zero. Any other number needs a unit: who
/// writes `7` does not mean seconds.
///
/// # Errors
/// The text is no duration, has no unit, or is longer than a hundred years.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no duration such as 30s, 12h or 7d");
    match text.parse::<u64>() {
        Ok(0) => return Ok(Duration::ZERO),
        Ok(number) => {
            let units = format!("{number}d for days, {number}h, {number}m or {number}s");
            return Err(format!("{number} of what? write {units}"));
        }
        Err(_) if text.is_empty() => return Err(wrong()),
        Err(_) => {}
    }
    let mut seconds: u64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let number: u64 = rest[..end].parse().map_err(|_| wrong())?;
        let factor: u64 = match rest.as_bytes()[end] {
            b's' => 1,
            b'm' => 60,
            b'h' => 3600,
            b'd' => 86_400,
            b'w' => 604_800,
            _ => return Err(wrong()),
        };
        seconds = seconds.saturating_add(number.saturating_mul(factor));
        rest = &rest[end + 1..];
    }
    match seconds > MOST_DAYS * 86_400 {
        true => Err(format!("{text} is longer than a hundred years")),
        false => Ok(Duration::from_secs(seconds)),
    }
}

/// Reads the value of `--request-timeout`, where a number alone means seconds, as with kubectl.
///
/// # Errors
/// As [`parse`].
pub(crate) fn request_timeout(text: &str) -> Result<Duration, String> {
    match text.parse::<u64>() {
        Ok(_) => parse(&format!("{text}s")),
        Err(_) => parse(text),
    }
}

pub(crate) fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

#[cfg(test)]
mod tests {
    use crate::duration::{parse, request_timeout};
    use std::time::Duration;

    #[test]
    fn reads_what_users_type() {
        for (text, seconds) in [
            ("0", 0),
            ("0d", 0),
            ("30s", 30),
            ("2m", 120),
            ("1d12h", 129_600),
            ("1w", 604_800),
            ("36600d", 3_162_240_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in
            ["", "d", "7x", "-1d", "1d12", "7 d", "7é", "é", "NaN", "1e3s", "36601d", "99999999999999999999w"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
        let beyond = parse("99999999999999w").err();
        assert_eq!(beyond.as_deref(), Some("99999999999999w is longer than a hundred years"));
    }

    #[test]
    fn a_number_alone_is_asked_for_its_unit() {
        for text in ["7", "30", "007", "18446744073709551615"] {
            let refused = parse(text).err().unwrap_or_default();
            let number = text.trim_start_matches('0');
            assert!(refused.starts_with(&format!("{number} of what? write {number}d for days")), "{refused}");
        }
        assert_eq!(request_timeout("30"), Ok(Duration::from_secs(30)));
        assert_eq!(request_timeout("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(request_timeout("0"), Ok(Duration::ZERO));
        assert!(request_timeout("99999999999").is_err() && request_timeout("x").is_err());
    }
}
