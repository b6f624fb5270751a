//! Buckets without a server: folders of a local directory, or memory. object_store reads both.

use crate::types::{BucketFacts, Gate, Outcome, StoreError, innermost};
use argo_gc_core::model::bucket::Bucket;
use argo_gc_core::model::object::ObjectFacts;
use futures::stream::{BoxStream, StreamExt};
use futures::{TryStreamExt, stream};
use jiff::Timestamp;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use std::collections::HashMap;
use std::path::{Path as FsPath, PathBuf};
use std::sync::Arc;

/// Buckets that are found by their names alone, whatever their engine.
#[derive(Debug, Clone)]
pub struct LocalBuckets(Arc<Root>);

#[derive(Debug)]
enum Root {
    Directory(PathBuf),
    Memory(HashMap<String, Arc<InMemory>>),
}

impl LocalBuckets {
    /// Uses the folders of a directory as buckets.
    ///
    /// # Errors
    /// There is no such directory.
    pub fn directory(root: &FsPath) -> Result<Self, StoreError> {
        let failed = |error: std::io::Error| StoreError::Failed {
            what: root.display().to_string(),
            message: error.to_string(),
        };
        if !root.metadata().map_err(failed)?.is_dir() {
            return Err(failed(std::io::ErrorKind::NotADirectory.into()));
        }
        Ok(Self(Arc::new(Root::Directory(root.to_owned()))))
    }

    /// Uses buckets in memory.
    pub fn memory(buckets: HashMap<String, Arc<InMemory>>) -> Self {
        Self(Arc::new(Root::Memory(buckets)))
    }

    pub(crate) fn identity(&self) -> String {
        match &*self.0 {
            Root::Directory(root) => format!("local files below {}", root.display()),
            Root::Memory(_) => "memory".to_owned(),
        }
    }

    fn open(&self, bucket: &Bucket) -> Result<Arc<dyn ObjectStore>, StoreError> {
        let name = bucket.name();
        let missing = || StoreError::NoBucket(bucket.clone());
        match &*self.0 {
            Root::Memory(buckets) => match buckets.get(name) {
                Some(store) => Ok(Arc::clone(store) as Arc<dyn ObjectStore>),
                None => Err(missing()),
            },
            Root::Directory(root) => {
                let named = !name.contains(['/', '\\', '\0']) && name != "." && name != "..";
                let folder = root.join(name);
                if !named || !folder.is_dir() {
                    return Err(missing());
                }
                let store = LocalFileSystem::new_with_prefix(folder);
                store.map(|store| Arc::new(store) as _).map_err(|error| failed(name, &error))
            }
        }
    }

    pub(crate) async fn head(&self, bucket: &Bucket, key: &str) -> Result<Option<ObjectFacts>, StoreError> {
        let (store, path) = (self.open(bucket)?, path(key)?);
        match store.head(&path).await {
            Ok(meta) => Ok(Some(facts(meta))),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(failed(&bucket.uri(key), &error)),
        }
    }

    pub(crate) fn pages(
        &self,
        bucket: &Bucket,
        prefix: &str,
    ) -> BoxStream<'static, Result<Vec<ObjectFacts>, StoreError>> {
        let (local, bucket, prefix) = (self.clone(), bucket.clone(), prefix.to_owned());
        stream::once(async move {
            let store = local.open(&bucket)?;
            // object_store lists whole folders only, so the folder is listed and then filtered by the prefix.
            let folder = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
            let listed: Result<Vec<ObjectMeta>, _> = match folder {
                "" => store.list(None).try_collect().await,
                folder => store.list(Some(&path(folder)?)).try_collect().await,
            };
            let mut objects: Vec<ObjectFacts> =
                listed.map_err(|error| failed(bucket.name(), &error))?.into_iter().map(facts).collect();
            objects.retain(|object| object.key.starts_with(&prefix));
            Ok(objects)
        })
        .boxed()
    }

    /// Deletes an object whose pin still matches. Neither kind of bucket has a conditional delete, so the pin is checked
    /// just before.
    pub(crate) async fn delete(&self, bucket: &Bucket, key: &str, pin: &str, gate: Gate<'_>) -> Outcome {
        match self.head(bucket, key).await {
            Err(error) => return Outcome::Failed(error.to_string()),
            Ok(None) => return Outcome::Gone,
            Ok(Some(now)) if now.generation != pin => return Outcome::Changed,
            Ok(Some(_)) if !gate() => return Outcome::Withheld,
            Ok(Some(_)) => {}
        }
        let deleted =
            async { self.open(bucket)?.delete(&path(key)?).await.map_err(|error| failed(key, &error)) };
        match deleted.await {
            Ok(()) => Outcome::Deleted,
            Err(error) => Outcome::Failed(error.to_string()),
        }
    }

    pub(crate) fn bucket(&self, bucket: &Bucket) -> Result<BucketFacts, StoreError> {
        self.open(bucket)?;
        Ok(BucketFacts::of(bucket))
    }
}

/// Converts a key to a path. Keys that a path would change (empty parts, `..`) are refused.
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
    StoreError::Failed { what: what.to_owned(), message: innermost(error) }
}
