//! Object storage: looking at objects, and deleting exactly one generation of one.

mod gcs;
mod local;
mod throttle;

pub use gcs::{Credentials, Gcs};
pub use local::Local;
pub use throttle::Throttle;

use crate::gc::plan::ObjectFacts;
use futures::stream::BoxStream;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Where buckets are.
#[derive(Debug, Clone)]
pub enum Store {
    /// Google Cloud Storage, or an emulator.
    Gcs(Gcs),
    /// Buckets are the folders of a local directory.
    Local(Local),
}

/// A look at storage failed.
#[derive(Debug, Error)]
pub enum StoreError {
    #[error("bucket {0} does not exist")]
    NoBucket(String),
    #[error("the key can't be a path here: {0:?}")]
    BadKey(String),
    #[error("{what}: permission denied: {message}")]
    Denied { what: String, message: String },
    #[error("{what}: {message}")]
    Failed { what: String, message: String },
    #[error("credentials: {0}")]
    Credentials(String),
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
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BucketFacts {
    pub name: String,
    /// Seconds a deleted object can be restored for, and is billed for; 0 when off.
    pub soft_delete_seconds: u64,
    /// Deleted objects stay as noncurrent versions, and are billed.
    pub versioning: bool,
    /// Seconds an object must be kept for; 0 when there is no such policy.
    pub retention_seconds: u64,
    /// Number of lifecycle rules.
    pub lifecycle_rules: usize,
    /// Its settings could not be read; why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread: Option<String>,
}

impl BucketFacts {
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

impl Store {
    /// The objects of an artifact: the one with its key, and, for one that may be a directory, all below `key/`.
    ///
    /// # Errors
    /// Storage can't be asked; that nothing is there is no error.
    pub async fn objects(
        &self,
        bucket: &str,
        key: &str,
        directory: bool,
    ) -> Result<Vec<ObjectFacts>, StoreError> {
        let mut objects: Vec<ObjectFacts> = self.head(bucket, key).await?.into_iter().collect();
        if directory {
            objects.extend(self.list(bucket, &format!("{}/", key.trim_end_matches('/'))).await?);
        }
        Ok(objects)
    }

    /// One object.
    ///
    /// # Errors
    /// As [`Self::objects`].
    pub async fn head(&self, bucket: &str, key: &str) -> Result<Option<ObjectFacts>, StoreError> {
        match self {
            Self::Gcs(gcs) => gcs.head(bucket, key).await,
            Self::Local(local) => local.head(bucket, key).await,
        }
    }

    /// All objects whose key has the beginning, in the order of keys.
    ///
    /// # Errors
    /// As [`Self::objects`].
    pub async fn list(&self, bucket: &str, prefix: &str) -> Result<Vec<ObjectFacts>, StoreError> {
        match self {
            Self::Gcs(gcs) => gcs.list(bucket, prefix).await,
            Self::Local(local) => local.list(bucket, prefix).await,
        }
    }

    /// As [`Self::list`], page by page; local files come in no order.
    pub fn pages(
        &self,
        bucket: &str,
        prefix: &str,
    ) -> BoxStream<'static, Result<Vec<ObjectFacts>, StoreError>> {
        match self {
            Self::Gcs(gcs) => gcs.pages(bucket, prefix),
            Self::Local(local) => local.pages(bucket, prefix),
        }
    }

    /// Deletes one generation of one object, and no other.
    pub async fn delete(&self, bucket: &str, key: &str, generation: &str) -> Outcome {
        match self {
            Self::Gcs(gcs) => gcs.delete(bucket, key, generation).await,
            Self::Local(local) => local.delete(bucket, key, generation).await,
        }
    }

    /// The bucket's settings; what can't be read is said in the answer.
    ///
    /// # Errors
    /// The bucket does not exist, or storage can't be reached.
    pub async fn bucket(&self, bucket: &str) -> Result<BucketFacts, StoreError> {
        match self {
            Self::Gcs(gcs) => gcs.bucket(bucket).await,
            Self::Local(local) => local.bucket(bucket).await,
        }
    }

    /// Which of the rights a purge needs are missing on the bucket.
    ///
    /// # Errors
    /// Storage can't be asked.
    pub async fn missing_rights(&self, bucket: &str) -> Result<Vec<String>, StoreError> {
        match self {
            Self::Gcs(gcs) => gcs.missing_rights(bucket).await,
            Self::Local(_) => Ok(Vec::new()),
        }
    }

    /// Brings a deleted generation back, if no newer object has the name.
    pub async fn restore(&self, bucket: &str, key: &str, generation: &str) -> Restored {
        match self {
            Self::Gcs(gcs) => gcs.restore(bucket, key, generation).await,
            Self::Local(_) => Restored::Lost,
        }
    }

    /// Who deletes, for people to recognise.
    pub fn identity(&self) -> String {
        match self {
            Self::Gcs(gcs) => gcs.identity().to_owned(),
            Self::Local(local) => format!("local files below {}", local.root().display()),
        }
    }
}

/// A time as JSON APIs write it.
fn time(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}
