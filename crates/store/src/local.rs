//! Buckets without a server: folders of a local directory, or memory. object_store reads both.
//!
//! A link that leads out of the directory is followed nowhere, because what it leads to is no bucket's.

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
                self.ensure_inside(&folder)?;
                let store = LocalFileSystem::new_with_prefix(folder);
                store.map(|store| Arc::new(store) as _).map_err(|error| failed(name, &error))
            }
        }
    }

    /// Refuses a path that links lead out of the directory, whether there is anything at its end or not.
    fn ensure_inside(&self, path: &FsPath) -> Result<(), StoreError> {
        let Root::Directory(root) = &*self.0 else { return Ok(()) };
        // The directory itself is its user's choice, and may be a link.
        let real = path.ancestors().find_map(|path| path.canonicalize().ok());
        match (real, root.canonicalize()) {
            (Some(real), Ok(root)) if !real.starts_with(&root) => Err(StoreError::Failed {
                what: path.display().to_string(),
                message: "a link leads out of the directory that stands in for the buckets".to_owned(),
            }),
            _ => Ok(()),
        }
    }

    /// Refuses a folder with such a link anywhere below, before it is listed: the link may lead to the root of all files.
    fn ensure_folder_inside(&self, bucket: &Bucket, folder: &str) -> Result<(), StoreError> {
        let Root::Directory(root) = &*self.0 else { return Ok(()) };
        let mut folders = vec![root.join(bucket.name()).join(folder)];
        while let Some(folder) = folders.pop() {
            self.ensure_inside(&folder)?;
            // What can't be read is told by the listing.
            let Ok(entries) = folder.read_dir() else { continue };
            for entry in entries.flatten() {
                match entry.file_type() {
                    Ok(kind) if kind.is_symlink() => self.ensure_inside(&entry.path())?,
                    Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn ensure_object_inside(&self, bucket: &Bucket, key: &str) -> Result<(), StoreError> {
        match &*self.0 {
            Root::Directory(root) => self.ensure_inside(&root.join(bucket.name()).join(key)),
            Root::Memory(_) => Ok(()),
        }
    }

    pub(crate) async fn head(&self, bucket: &Bucket, key: &str) -> Result<Option<ObjectFacts>, StoreError> {
        let (store, path) = (self.open(bucket)?, path(key)?);
        self.ensure_object_inside(bucket, key)?;
        match store.head(&path).await {
            Ok(meta) => Ok(Some(facts(meta))),
            Err(error) if is_absent(&error) => Ok(None),
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
            let folder = prefix.rsplit_once('/').map_or("", |(folder, _)| folder.trim_end_matches('/'));
            local.ensure_folder_inside(&bucket, folder)?;
            let listed: Result<Vec<ObjectMeta>, _> = match folder {
                "" => store.list(None).try_collect().await,
                folder => store.list(Some(&path(folder)?)).try_collect().await,
            };
            let listed = match listed {
                Err(error) if is_absent(&error) => Vec::new(),
                listed => listed.map_err(|error| failed(bucket.name(), &error))?,
            };
            let mut objects: Vec<ObjectFacts> = listed.into_iter().map(facts).collect();
            objects.retain(|object| object.key.starts_with(&prefix));
            objects.iter().try_for_each(|object| local.ensure_object_inside(&bucket, &object.key))?;
            Ok(objects)
        })
        .boxed()
    }

    /// The bytes of an object, piece by piece.
    pub(crate) fn read(&self, bucket: &Bucket, key: &str) -> BoxStream<'static, Result<Vec<u8>, StoreError>> {
        let (local, bucket, key) = (self.clone(), bucket.clone(), key.to_owned());
        stream::once(async move {
            let (store, at) = (local.open(&bucket)?, path(&key)?);
            local.ensure_object_inside(&bucket, &key)?;
            let what = bucket.uri(&key);
            let found = store.get(&at).await.map_err(|error| failed(&what, &error))?;
            Ok(found.into_stream().map(move |piece| match piece {
                Ok(piece) => Ok(piece.to_vec()),
                Err(error) => Err(failed(&what, &error)),
            }))
        })
        .try_flatten()
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

/// Converts a key to a path. Keys that a path would change (empty parts, `..`, a slash at an end) are refused: they would
/// be another object's.
fn path(key: &str) -> Result<Path, StoreError> {
    let path = Path::parse(key).ok().filter(|path| path.as_ref() == key);
    path.ok_or_else(|| StoreError::BadKey(key.to_owned()))
}

/// True if there is nothing, and can't be anything: the name of a folder on the way is that of a file.
fn is_absent(error: &object_store::Error) -> bool {
    let mut causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    let is_file = |error: &std::io::Error| error.kind() == std::io::ErrorKind::NotADirectory;
    matches!(error, object_store::Error::NotFound { .. })
        || causes.any(|cause| cause.downcast_ref().is_some_and(is_file))
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
