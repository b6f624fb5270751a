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

/// Which objects belong to a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// The object with the key.
    Key,
    /// The object with the key, which a listing has shown: one that leaves it out now shows that it is gone.
    Listed,
    /// The object with the key, and all objects below `key/`.
    Directory,
    /// All objects whose keys begin with the key.
    Beginning,
}

/// Which facts of the objects are needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// The facts that a listing has.
    Listed,
    /// Also the holds and retentions that forbid a delete.
    Whole,
}

/// A request to storage failed.
#[derive(Debug, Clone, Error)]
pub enum StoreError {
    #[error("bucket {0} does not exist")]
    NoBucket(Bucket),
    #[error("the key can't be a path here: {0:?}")]
    BadKey(String),
    #[error("{what}: permission denied: {message}")]
    Denied { what: String, message: String },
    /// A lease, a hold or a retention forbids it.
    #[error("{what}: {message}")]
    Held { what: String, message: String },
    /// The storage answered, and does not do what it was asked for.
    #[error("{what}: {message}")]
    Refused { what: String, message: String },
    /// The storage could not be asked, or failed.
    #[error("{what}: {message}")]
    Failed { what: String, message: String },
    #[error("{what}: unreadable answer: {why}")]
    Unreadable { what: String, why: String },
    #[error("{what}: there are more than {most} objects below it")]
    TooMany { what: String, most: usize },
    #[error("credentials: {0}")]
    Credentials(String),
    /// Which account stands beside the bucket is not certain, or its key can't be read.
    #[error("{bucket} is not asked for: {why}")]
    NoIdentity { bucket: Bucket, why: String },
    /// Nothing was sent, because the host's certificate does not prove who it is.
    #[error("{bucket} is not asked: the certificate of its server is not trusted: {why}")]
    Distrusted { bucket: Bucket, why: String },
    /// The host of the bucket is neither one of the clouds nor named by an override.
    #[error("{0} is not asked for: only workflows name its host, and it would be sent credentials")]
    Untrusted(Bucket),
}

impl StoreError {
    pub(crate) fn unreadable(what: String, why: &str) -> Self {
        Self::Unreadable { what, why: why.to_owned() }
    }

    /// True if the place can't be asked for at all: then no plan has an object there.
    pub fn is_of_place(&self) -> bool {
        matches!(self, Self::NoBucket(_) | Self::BadKey(_) | Self::Untrusted(_) | Self::NoIdentity { .. })
    }

    /// True if the storage gave an answer that need not be so for other objects of the bucket.
    pub fn is_of_object(&self) -> bool {
        match self {
            Self::Denied { .. }
            | Self::Held { .. }
            | Self::Refused { .. }
            | Self::Unreadable { .. }
            | Self::TooMany { .. }
            | Self::BadKey(_) => true,
            Self::NoBucket(_)
            | Self::Failed { .. }
            | Self::Credentials(_)
            | Self::NoIdentity { .. }
            | Self::Distrusted { .. }
            | Self::Untrusted(_) => false,
        }
    }
}

/// The innermost cause of an error. The errors around it contain addresses and internals of libraries.
pub fn innermost(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => innermost(source),
        None => error.to_string(),
    }
}

/// The result of one pinned delete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "outcome", content = "detail")]
pub enum Outcome {
    /// This delete removed it.
    Deleted,
    /// It did not exist any more.
    Gone,
    /// Another generation has the key now; it was left alone.
    Changed,
    /// A hold or retention forbids it.
    Held(String),
    /// This identity lacks the permission.
    Denied(String),
    /// The delete failed, or its result is unknown.
    Failed(String),
    /// When its turn came it was not wanted any more, and no request was sent.
    Withheld,
}

/// Says, when the turn of a delete has come, whether it may still be sent.
pub type Gate<'a> = &'a (dyn Fn() -> bool + Send + Sync);

/// The gates of many deletes: each is asked for by the number of its object.
pub type Gates<'a> = &'a (dyn Fn(usize) -> bool + Send + Sync);

/// An object to delete, if it still has the pin.
#[derive(Debug, Clone, Copy)]
pub struct Pinned<'a> {
    pub key: &'a str,
    pub pin: &'a str,
}

/// What became of one of many deletes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deletion {
    pub outcome: Outcome,
    /// A listing showed the object just before, so one that leaves it out shows that it is gone ([`Reach::Listed`]).
    pub listed: bool,
}

impl Outcome {
    /// True if the planned generation no longer exists.
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Deleted | Self::Gone)
    }
}

/// The mark of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MarkText {
    /// Its text; none if the object has no mark, or does not exist.
    Read(Option<String>),
    /// Why the storage can't mark the object.
    Unable(String),
}

/// What became of an object's mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Marking {
    /// The mark is set, or removed.
    Done,
    /// There was no mark to remove.
    Unmarked,
    /// The object does not exist any more.
    Gone,
    /// Another object has the key now.
    Changed,
    /// The storage wrote the object anew to mark it, or to remove its mark.
    Rewritten,
    /// The storage wrote another object anew, so this one was not tried.
    NotTried,
    /// This identity lacks the permission.
    Denied(String),
    Failed(String),
}

/// The settings of a bucket that matter for a deletion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BucketFacts {
    pub bucket: Bucket,
    /// Seconds during which a deleted object can be restored and is billed; 0 if soft delete is off.
    pub soft_delete_seconds: u64,
    /// Deleted objects are kept as noncurrent versions, and are billed.
    pub versioning: bool,
    /// Seconds during which an object can't be deleted; 0 if there is no retention policy.
    pub retention_seconds: u64,
    /// Number of lifecycle rules.
    pub lifecycle_rules: usize,
    /// The server is not known to heed pins, so each object is asked for just before its delete.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub looked_at: bool,
    /// Why the settings could not be read.
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

    /// A bucket whose settings can't be read.
    pub fn unread(bucket: &Bucket, why: String) -> Self {
        Self { unread: Some(why), ..Self::of(bucket) }
    }

    /// True if a deleted object can be restored.
    pub fn has_undo(&self) -> bool {
        self.soft_delete_seconds > 0 || self.versioning
    }
}

/// The result of restoring a deleted object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Restored {
    /// The object exists again.
    Restored,
    /// A newer object has taken the key; it was left alone.
    Taken,
    /// The bucket shows no copy of it.
    Lost,
    Failed(String),
}
