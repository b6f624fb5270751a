//! One object as the storage lists it, and the rule for which keys belong to a location.

use jiff::Timestamp;
use std::sync::Arc;

/// One object as the storage lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectFacts {
    pub key: String,
    /// The version that a delete is conditional on: a GCS generation, or an ETag (with the write time for S3).
    pub generation: String,
    /// The size in bytes.
    pub size: u64,
    pub created: Option<Timestamp>,
    pub storage_class: Arc<str>,
    /// The checksum in Base64, as GCS reports it; empty if unknown.
    pub crc32c: String,
    /// The hold or retention that forbids deletion.
    pub held: Option<String>,
}

/// Returns true if a key is a plain path below the bucket's root (`docs/dangers.md`, danger 13).
pub fn is_safe(key: &str) -> bool {
    !key.is_empty()
        && !key.contains("{{")
        && !key.starts_with('/')
        && !key.contains('\0')
        && key.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

/// Returns true if a key is equal to the location's or below it; a mere prefix does not match
/// (`docs/dangers.md`, danger 2).
pub fn is_within(object: &str, key: &str) -> bool {
    object.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
