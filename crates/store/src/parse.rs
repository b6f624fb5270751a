//! Parses what storage servers write: XML bodies, and times.

use jiff::Timestamp;
use serde::Deserialize;

/// Parses an XML body, of S3 or Azure.
pub(crate) fn xml<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, String> {
    let text = std::str::from_utf8(body).map_err(|error| error.to_string())?;
    quick_xml::de::from_str(text.trim_start_matches('\u{feff}')).map_err(|error| error.to_string())
}

/// Parses a time as bodies have it (RFC 3339).
pub(crate) fn time(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

/// Parses a time as headers have it (RFC 2822).
pub(crate) fn header_time(text: &str) -> Result<Timestamp, jiff::Error> {
    jiff::fmt::rfc2822::parse(text).map(|time| time.timestamp())
}
