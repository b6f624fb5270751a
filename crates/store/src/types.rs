//! Types that all storage engines share.

use argo_gc_core::model::bucket::Bucket;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// One of many places of a bucket that are looked up together.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    pub key: &'a str,
    pub reach: Reach,
}

/// What belongs to a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// The object with the key.
    Key,
    /// That, and all below `key/`.
    Directory,
    /// All that begin with the key.
    Beginning,
}

/// How much has to be known of what is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// What a listing tells.
    Listed,
    /// Whatever forbids a delete, too.
    Whole,
}

/// A look at storage failed.
#[derive(Debug, Clone, Error)]
pub enum StoreError {
    #[error("bucket {0} does not exist")]
    NoBucket(Bucket),
    #[error("the key can't be a path here: {0:?}")]
    BadKey(String),
    #[error("{what}: permission denied: {message}")]
    Denied { what: String, message: String },
    #[error("{what}: {message}")]
    Failed { what: String, message: String },
    #[error("{what}: unreadable answer: {why}")]
    Unreadable { what: String, why: String },
    #[error("credentials: {0}")]
    Credentials(String),
    #[error(
        "{0} is not asked for: only workflows name its host, and it would be sent credentials; \
         --endpoint-override {host}=URL allows it", host = argo_gc_core::model::bucket::host(.0.endpoint())
    )]
    Untrusted(Bucket),
}

impl StoreError {
    pub(crate) fn unreadable(what: String, why: &str) -> Self {
        Self::Unreadable { what, why: why.to_owned() }
    }
}

/// The innermost cause of an error. The errors around it contain addresses and internals of libraries.
pub(crate) fn innermost(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => innermost(source),
        None => error.to_string(),
    }
}

/// What became of one pinned delete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "outcome", content = "detail")]
pub enum Outcome {
    /// It is gone, by this delete.
    Deleted,
    /// It was gone already.
    Gone,
    /// Another generation lies there now; that one was left alone.
    Changed,
    /// A hold or retention forbids it.
    Held(String),
    /// This identity may not.
    Denied(String),
    /// It could not be done, nor told; nothing is known to be lost.
    Failed(String),
}

impl Outcome {
    /// Whether the planned generation is no longer there.
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Deleted | Self::Gone)
    }
}

/// What a bucket's settings mean for a deletion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BucketFacts {
    pub bucket: Bucket,
    /// Seconds a deleted object can be restored for, and is billed for; 0 when off.
    pub soft_delete_seconds: u64,
    /// Deleted objects stay as noncurrent versions, and are billed.
    pub versioning: bool,
    /// Seconds an object must be kept for; 0 when there is no such policy.
    pub retention_seconds: u64,
    /// Number of lifecycle rules.
    pub lifecycle_rules: usize,
    /// The server may not heed pins, so each object is looked at just before its delete.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub looked_at: bool,
    /// Its settings could not be read; why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread: Option<String>,
}

impl BucketFacts {
    /// A bucket without any settings.
    pub fn of(bucket: &Bucket) -> Self {
        Self {
            bucket: bucket.clone(),
            soft_delete_seconds: 0,
            versioning: false,
            retention_seconds: 0,
            lifecycle_rules: 0,
            looked_at: false,
            unread: None,
        }
    }

    /// One whose settings can't be read.
    pub fn unread(bucket: &Bucket, why: String) -> Self {
        Self { unread: Some(why), ..Self::of(bucket) }
    }

    /// Whether a delete can be taken back.
    pub fn has_undo(&self) -> bool {
        self.soft_delete_seconds > 0 || self.versioning
    }
}

/// Where a deleted object can be brought back from, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Restored {
    /// It is back.
    Restored,
    /// A newer object has taken the name; it was left alone.
    Taken,
    /// The bucket holds no copy any more.
    Lost,
    Failed(String),
}
