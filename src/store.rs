//! Object storage: looking at objects, and deleting exactly the one that was planned.

mod azure;
mod cloud;
mod gcs;
mod http;
mod listing;
mod lookup;
mod plain;
mod remote;
mod s3;
mod throttle;

pub use azure::AzureChain;
pub use cloud::{Cloud, Override};
pub use gcs::Credentials;
pub use plain::Plain;
pub use s3::AwsChain;
pub use throttle::Throttle;

use crate::gc::location::Bucket;
use crate::gc::plan::ObjectFacts;
use futures::TryStreamExt;
use futures::stream::{self, BoxStream, StreamExt};
use jiff::Timestamp;
use lookup::look;
use remote::Kind;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Looks at a time where many are wanted; the throttle bounds the requests.
const AT_A_TIME: usize = 64;

/// Where buckets are.
#[derive(Debug, Clone)]
pub enum Store {
    /// Google's, AWS's and Azure's storage, their relatives and emulators.
    Cloud(Cloud),
    /// Folders of a local directory, or memory.
    Plain(Plain),
}

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
         --endpoint-override {host}=URL allows it", host = crate::gc::location::host(.0.endpoint())
    )]
    Untrusted(Bucket),
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

impl Store {
    /// The objects of an artifact: the one with its key, and, for one that may be a directory, all below `key/`.
    ///
    /// # Errors
    /// Storage can't be asked; that nothing is there is no error.
    pub async fn objects(
        &self,
        bucket: &Bucket,
        key: &str,
        directory: bool,
    ) -> Result<Vec<ObjectFacts>, StoreError> {
        let reach = if directory { Reach::Directory } else { Reach::Key };
        self.one(bucket, Place { key, reach }).await
    }

    async fn one(
        &self,
        bucket: &Bucket,
        Place { key, reach }: Place<'_>,
    ) -> Result<Vec<ObjectFacts>, StoreError> {
        if reach == Reach::Beginning {
            return self.list(bucket, key).await;
        }
        let mut objects: Vec<ObjectFacts> = self.head(bucket, key).await?.into_iter().collect();
        if reach == Reach::Directory {
            let below = self.list(bucket, &format!("{}/", key.trim_end_matches('/'))).await?;
            // A directory named with its slash may be there by itself.
            objects.extend(below.into_iter().filter(|object| object.key != key));
        }
        Ok(objects)
    }

    /// The objects at each of many places of a bucket, in the order of the places.
    ///
    /// # Errors
    /// As [`Self::objects`], for each place.
    pub async fn objects_at(
        &self,
        bucket: &Bucket,
        places: &[Place<'_>],
        depth: Depth,
    ) -> Vec<Result<Vec<ObjectFacts>, StoreError>> {
        let remote = match self {
            Self::Cloud(cloud) => match cloud.open(bucket).await {
                Ok(remote) => Some(remote),
                Err(error) => return places.iter().map(|_| Err(error.clone())).collect(),
            },
            Self::Plain(_) => None,
        };
        match remote {
            Some(remote) if depth == Depth::Listed || remote.lists_all() => {
                look(&remote, Kind::Live, places).await
            }
            _ => {
                let looks = places.iter().map(|place| self.one(bucket, *place));
                stream::iter(looks).buffered(AT_A_TIME).collect().await
            }
        }
    }

    /// One object.
    ///
    /// # Errors
    /// As [`Self::objects`].
    pub async fn head(&self, bucket: &Bucket, key: &str) -> Result<Option<ObjectFacts>, StoreError> {
        match self {
            Self::Cloud(cloud) => cloud.open(bucket).await?.head(key).await,
            Self::Plain(plain) => plain.head(bucket, key).await,
        }
    }

    /// All objects whose key has the beginning, in the order of keys.
    ///
    /// # Errors
    /// As [`Self::objects`].
    pub async fn list(&self, bucket: &Bucket, prefix: &str) -> Result<Vec<ObjectFacts>, StoreError> {
        let mut objects: Vec<ObjectFacts> = self.pages(bucket, prefix).try_concat().await?;
        objects.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(objects)
    }

    /// As [`Self::list`], page by page, in no order.
    pub fn pages(
        &self,
        bucket: &Bucket,
        prefix: &str,
    ) -> BoxStream<'static, Result<Vec<ObjectFacts>, StoreError>> {
        match self {
            Self::Cloud(cloud) => {
                let (cloud, bucket, prefix) = (cloud.clone(), bucket.clone(), prefix.to_owned());
                let opened = async move { Ok(cloud.open(&bucket).await?.pages(&prefix)) };
                stream::once(opened).try_flatten().boxed()
            }
            Self::Plain(plain) => plain.pages(bucket, prefix),
        }
    }

    /// Deletes the object with this pin, and no other.
    pub async fn delete(&self, bucket: &Bucket, key: &str, pin: &str) -> Outcome {
        match self {
            Self::Cloud(cloud) => match cloud.open(bucket).await {
                Ok(remote) => remote.delete(key, pin).await,
                Err(error) => Outcome::Failed(error.to_string()),
            },
            Self::Plain(plain) => plain.delete(bucket, key, pin).await,
        }
    }

    /// The bucket's settings; what can't be read is said in the answer.
    ///
    /// # Errors
    /// The bucket does not exist, or storage can't be reached.
    pub async fn bucket(&self, bucket: &Bucket) -> Result<BucketFacts, StoreError> {
        match self {
            Self::Cloud(cloud) => cloud.open(bucket).await?.bucket().await,
            Self::Plain(plain) => plain.bucket(bucket),
        }
    }

    /// Deleted and overwritten objects that the bucket keeps, and that are billed: for each key what begins with it;
    /// none where it can't be told.
    ///
    /// # Errors
    /// As [`Self::objects`].
    pub async fn copies_at(
        &self,
        bucket: &Bucket,
        keys: &[&str],
    ) -> Result<Option<Vec<Vec<ObjectFacts>>>, StoreError> {
        let mut copies: Vec<Vec<ObjectFacts>> = keys.iter().map(|_| Vec::new()).collect();
        let Self::Cloud(cloud) = self else { return Ok(Some(copies)) };
        let remote = cloud.open(bucket).await?;
        let Some(kinds) = remote.kept().await? else { return Ok(None) };
        let places: Vec<Place> = keys.iter().map(|key| Place { key, reach: Reach::Beginning }).collect();
        for kind in kinds {
            for (copies, found) in copies.iter_mut().zip(look(&remote, kind, &places).await) {
                copies.extend(found?);
            }
        }
        Ok(Some(copies))
    }

    /// Which of the rights a purge needs are missing on the bucket, where its storage can tell.
    ///
    /// # Errors
    /// Storage can't be asked.
    pub async fn missing_rights(&self, bucket: &Bucket) -> Result<Vec<String>, StoreError> {
        match self {
            Self::Cloud(cloud) => cloud.open(bucket).await?.missing_rights().await,
            Self::Plain(_) => Ok(Vec::new()),
        }
    }

    /// Brings a deleted object back, if no newer one has the name.
    pub async fn restore(&self, bucket: &Bucket, key: &str, pin: &str) -> Restored {
        match self {
            Self::Cloud(cloud) => match cloud.open(bucket).await {
                Ok(remote) => remote.restore(key, pin).await,
                Err(error) => Restored::Failed(error.to_string()),
            },
            Self::Plain(_) => Restored::Lost,
        }
    }

    /// Who deletes from the bucket, for people to recognise.
    pub async fn identity(&self, bucket: &Bucket) -> String {
        match self {
            Self::Cloud(cloud) => match cloud.open(bucket).await {
                Ok(remote) => remote.identity().await,
                Err(error) => format!("nobody ({error})"),
            },
            Self::Plain(plain) => plain.identity(),
        }
    }
}

/// A time as JSON APIs write it.
fn time(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

/// The innermost cause: what lies around it names addresses and internals.
fn innermost(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => innermost(source),
        None => error.to_string(),
    }
}
