//! Durations as users type them.

use jiff::SignedDuration;
use std::time::Duration;

/// Reads `30s`, `90m`, `12h`, `7d`, `2w`, several of them together (`1d12h`), or plain seconds.
///
/// # Errors
/// The text is no duration, or too large a one.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no duration such as 30s, 12h or 7d");
    let mut seconds: u64 = 0;
    let mut rest = text;
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let number: u64 = rest[..end].parse().map_err(|_| wrong())?;
        let unit = rest[end..].chars().next();
        let factor = match unit {
            None | Some('s') => 1,
            Some('m') => 60,
            Some('h') => 3600,
            Some('d') => 86_400,
            Some('w') => 604_800,
            Some(_) => return Err(wrong()),
        };
        seconds = number.checked_mul(factor).and_then(|more| seconds.checked_add(more)).ok_or_else(wrong)?;
        rest = &rest[end + usize::from(unit.is_some())..];
    }
    Ok(Duration::from_secs(seconds))
}

pub(crate) fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

#[cfg(test)]
mod tests {
    use crate::duration::parse;
    use std::time::Duration;

    #[test]
    fn reads_what_users_type() {
        for (text, seconds) in [("0", 0), ("30", 30), ("2m", 120), ("1d12h", 129_600), ("1w", 604_800)] {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "d", "7x", "-1d", "99999999999999w", "7é"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
