//! Buckets as folders of a local directory, through object_store's local file system.

use super::{BucketFacts, Outcome, StoreError};
use crate::gc::plan::ObjectFacts;
use futures::TryStreamExt;
use futures::stream::{self, BoxStream, StreamExt};
use jiff::Timestamp;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use std::path::{Path as FsPath, PathBuf};
use std::sync::Arc;

/// A directory of buckets.
#[derive(Debug, Clone)]
pub struct Local {
    root: Arc<PathBuf>,
}

impl Local {
    /// # Errors
    /// There is no such directory.
    pub fn new(root: &FsPath) -> Result<Self, StoreError> {
        let failed = |error: std::io::Error| StoreError::Failed {
            what: root.display().to_string(),
            message: error.to_string(),
        };
        if !root.metadata().map_err(failed)?.is_dir() {
            return Err(failed(std::io::ErrorKind::NotADirectory.into()));
        }
        Ok(Self { root: Arc::new(root.to_owned()) })
    }

    /// The directory.
    pub fn root(&self) -> &FsPath {
        &self.root
    }

    fn open(&self, bucket: &str) -> Result<LocalFileSystem, StoreError> {
        let named =
            !bucket.is_empty() && !bucket.contains(['/', '\\', '\0']) && bucket != "." && bucket != "..";
        let folder = self.root.join(bucket);
        if !named || !folder.is_dir() {
            return Err(StoreError::NoBucket(bucket.to_owned()));
        }
        LocalFileSystem::new_with_prefix(folder).map_err(|error| failed(bucket, &error))
    }

    pub(super) async fn head(&self, bucket: &str, key: &str) -> Result<Option<ObjectFacts>, StoreError> {
        let (store, path) = (self.open(bucket)?, path(key)?);
        match store.head(&path).await {
            Ok(meta) => Ok(Some(facts(meta))),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(failed(&format!("{bucket}/{key}"), &error)),
        }
    }

    pub(super) async fn list(&self, bucket: &str, prefix: &str) -> Result<Vec<ObjectFacts>, StoreError> {
        let (store, path) = (self.open(bucket)?, path(prefix.trim_end_matches('/'))?);
        let listed: Result<Vec<ObjectMeta>, _> = store.list(Some(&path)).try_collect().await;
        let mut objects: Vec<ObjectFacts> =
            listed.map_err(|error| failed(bucket, &error))?.into_iter().map(facts).collect();
        objects.retain(|object| object.key.starts_with(prefix));
        objects.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(objects)
    }

    pub(super) fn pages(
        &self,
        bucket: &str,
        prefix: &str,
    ) -> BoxStream<'static, Result<Vec<ObjectFacts>, StoreError>> {
        let (local, bucket, prefix) = (self.clone(), bucket.to_owned(), prefix.to_owned());
        let listed = async move {
            match prefix.is_empty() {
                true => local.list_all(&bucket).await,
                false => local.list(&bucket, &prefix).await,
            }
        };
        stream::once(listed).boxed()
    }

    async fn list_all(&self, bucket: &str) -> Result<Vec<ObjectFacts>, StoreError> {
        let listed: Result<Vec<ObjectMeta>, _> = self.open(bucket)?.list(None).try_collect().await;
        Ok(listed.map_err(|error| failed(bucket, &error))?.into_iter().map(facts).collect())
    }

    /// Files know no conditional delete: the pin is checked just before.
    pub(super) async fn delete(&self, bucket: &str, key: &str, generation: &str) -> Outcome {
        match self.head(bucket, key).await {
            Err(error) => return Outcome::Failed(error.to_string()),
            Ok(None) => return Outcome::Gone,
            Ok(Some(now)) if now.generation != generation => return Outcome::Changed,
            Ok(Some(_)) => {}
        }
        let deleted =
            async { self.open(bucket)?.delete(&path(key)?).await.map_err(|error| failed(key, &error)) };
        match deleted.await {
            Ok(()) => Outcome::Deleted,
            Err(error) => Outcome::Failed(error.to_string()),
        }
    }

    pub(super) async fn bucket(&self, bucket: &str) -> Result<BucketFacts, StoreError> {
        self.open(bucket)?;
        Ok(BucketFacts { name: bucket.to_owned(), ..BucketFacts::default() })
    }
}

/// Keys that a path can't hold as they are (empty parts, `..`) are refused rather than changed.
fn path(key: &str) -> Result<Path, StoreError> {
    Path::parse(key).map_err(|_| StoreError::BadKey(key.to_owned()))
}

fn facts(meta: ObjectMeta) -> ObjectFacts {
    ObjectFacts {
        key: meta.location.to_string(),
        generation: meta.e_tag.unwrap_or_default(),
        size: meta.size,
        created: Timestamp::from_second(meta.last_modified.timestamp()).ok(),
        storage_class: "".into(),
        crc32c: String::new(),
        held: None,
    }
}

fn failed(what: &str, error: &object_store::Error) -> StoreError {
    use std::error::Error;
    let cause = error.source().map_or_else(|| error.to_string(), ToString::to_string);
    StoreError::Failed { what: what.to_owned(), message: cause }
}
