//! Deserialisers that accept Go's output: `null` for the empty value, RFC 3339 for times.

use jiff::Timestamp;
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;

/// Reads `null` as the default value.
///
/// # Errors
/// The value is neither `null` nor a `T`.
pub fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// Reads an RFC 3339 time, `null` and `""` as none.
///
/// # Errors
/// The text is not a time.
pub fn time<'de, D>(deserializer: D) -> Result<Option<Timestamp>, D::Error>
where
    D: Deserializer<'de>,
{
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
    match Option::<Text>::deserialize(deserializer)? {
        None => Ok(None),
        Some(Text(text)) if text.is_empty() => Ok(None),
        Some(Text(text)) => text.parse().map(Some).map_err(D::Error::custom),
    }
}

/// Accepts any value and returns true if it is present (`{}` counts, `null` does not).
///
/// # Errors
/// The value itself is malformed.
pub fn present<'de, D>(deserializer: D) -> Result<bool, D::Error>
where
    D: Deserializer<'de>,
{
    Ok(Option::<serde::de::IgnoredAny>::deserialize(deserializer)?.is_some())
}
