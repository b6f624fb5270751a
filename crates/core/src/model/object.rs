//! One object as the storage lists it, and which keys belong to a location.

use jiff::Timestamp;
use std::sync::Arc;

/// One object as the storage lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectFacts {
    pub key: String,
    /// What a delete is pinned by: a GCS generation, or an ETag (of S3 with the time it was written).
    pub generation: String,
    /// Bytes.
    pub size: u64,
    pub created: Option<Timestamp>,
    pub storage_class: Arc<str>,
    /// Base64, as GCS gives it; empty when unknown.
    pub crc32c: String,
    /// The hold or retention that forbids deletion.
    pub held: Option<String>,
}

/// A key that is a path below the bucket's root and nothing else (`docs/dangers.md`, danger 13).
pub fn is_safe(key: &str) -> bool {
    !key.is_empty()
        && !key.contains("{{")
        && !key.starts_with('/')
        && !key.contains('\0')
        && key.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

/// The exact key, or something below it; never a mere beginning (`docs/dangers.md`, danger 2).
pub fn is_within(object: &str, key: &str) -> bool {
    object.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
