//! The storage of a run: the clouds, or local directories in their place.

use crate::batch_lookup::{AT_A_TIME, gather, look};
use crate::bulk_delete;
use crate::cloud::Cloud;
use crate::download::download;
use crate::listing::ListKind;
use crate::local::LocalBuckets;
use crate::mark;
use crate::types::{
    BucketFacts, Deletion, Depth, Gates, MarkText, Marking, Outcome, Pinned, Place, Reach, Restored,
    StoreError,
};
use argo_gc_core::model::bucket::Bucket;
use argo_gc_core::model::object::ObjectFacts;
use futures::stream::{BoxStream, StreamExt};
use futures::{TryStreamExt, stream};

/// Objects of one place that a look-up holds at the most, where the caller does not set a limit of its own.
pub const MANY: usize = 1_000_000;

/// The storage that holds the buckets.
#[derive(Debug, Clone)]
pub enum Store {
    /// The storage of Google, AWS and Azure, compatible servers and emulators.
    Cloud(Cloud),
    /// The folders of a local directory, or memory.
    Local(LocalBuckets),
}

impl Store {
    /// The objects of an artifact: the object with its key and, if it may be a directory, all objects below `key/`.
    ///
    /// # Errors
    /// Storage can't be asked. It is no error if there are no objects.
    pub async fn objects(
        &self,
        bucket: &Bucket,
        key: &str,
        directory: bool,
    ) -> Result<Vec<ObjectFacts>, StoreError> {
        let reach = if directory { Reach::Directory } else { Reach::Key };
        self.one(bucket, Place { key, reach }, MANY).await
    }

    async fn one(
        &self,
        bucket: &Bucket,
        Place { key, reach }: Place<'_>,
        most: usize,
    ) -> Result<Vec<ObjectFacts>, StoreError> {
        if reach == Reach::Beginning {
            return self.list_up_to(bucket, key, most).await;
        }
        if reach == Reach::Key {
            return Ok(self.head(bucket, key).await?.into_iter().collect());
        }
        let folder = folder(key);
        // If the key ends with a slash, its own object is listed too. rclone shows one for every folder it is asked for.
        let own = if key.ends_with('/') { None } else { self.head(bucket, key).await? };
        let below = self.list_up_to(bucket, &folder, most).await?;
        Ok(own.into_iter().chain(below).collect())
    }

    /// The objects at each of many places of a bucket, in the order of the places.
    ///
    /// # Errors
    /// As [`Self::objects`], for each place; or the place has more than `most` objects, of which no more are read.
    pub async fn objects_at(
        &self,
        bucket: &Bucket,
        places: &[Place<'_>],
        depth: Depth,
        most: usize,
    ) -> Vec<Result<Vec<ObjectFacts>, StoreError>> {
        let client = match self {
            Self::Cloud(cloud) => match cloud.open(bucket).await {
                Ok(client) => Some(client),
                Err(error) => return places.iter().map(|_| Err(error.clone())).collect(),
            },
            Self::Local(_) => None,
        };
        match client {
            Some(client) if depth == Depth::Listed || client.lists_all_facts().await => {
                look(client.connection(), ListKind::Live, places, most).await
            }
            _ => {
                let looks = places.iter().map(|place| self.one(bucket, *place, most));
                stream::iter(looks).buffered(AT_A_TIME).collect().await
            }
        }
    }

    /// The facts of one object; none if it does not exist.
    ///
    /// # Errors
    /// As [`Self::objects`].
    pub async fn head(&self, bucket: &Bucket, key: &str) -> Result<Option<ObjectFacts>, StoreError> {
        match self {
            Self::Cloud(cloud) => cloud.open(bucket).await?.head(key).await,
            Self::Local(local) => local.head(bucket, key).await,
        }
    }

    /// All objects whose keys have the prefix, in key order.
    ///
    /// # Errors
    /// As [`Self::objects`].
    pub async fn list(&self, bucket: &Bucket, prefix: &str) -> Result<Vec<ObjectFacts>, StoreError> {
        self.list_up_to(bucket, prefix, MANY).await
    }

    async fn list_up_to(
        &self,
        bucket: &Bucket,
        prefix: &str,
        most: usize,
    ) -> Result<Vec<ObjectFacts>, StoreError> {
        let mut objects = gather(self.pages(bucket, prefix), most, || bucket.uri(prefix)).await?;
        objects.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(objects)
    }

    /// Lists as [`Self::list`] does, but page by page and in no order.
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
            Self::Local(local) => local.pages(bucket, prefix),
        }
    }

    /// Lists the objects of an artifact that may be a directory, as [`Self::objects`] does, but page by page and in no order.
    pub fn artifact_pages(
        &self,
        bucket: &Bucket,
        key: &str,
    ) -> BoxStream<'static, Result<Vec<ObjectFacts>, StoreError>> {
        let below = self.pages(bucket, &folder(key));
        if key.ends_with('/') {
            return below;
        }
        let (store, bucket, key) = (self.clone(), bucket.clone(), key.to_owned());
        let own = async move { Ok(store.head(&bucket, &key).await?.into_iter().collect()) };
        stream::once(own).chain(below).boxed()
    }

    /// The bytes of an object, piece by piece. The stream ends with the first error.
    pub fn read(&self, bucket: &Bucket, key: &str) -> BoxStream<'static, Result<Vec<u8>, StoreError>> {
        match self {
            Self::Cloud(cloud) => {
                let (cloud, bucket, key) = (cloud.clone(), bucket.clone(), key.to_owned());
                let opened =
                    async move { Ok(download(cloud.open(&bucket).await?.connection().clone(), key)) };
                stream::once(opened).try_flatten().boxed()
            }
            Self::Local(local) => local.read(bucket, key),
        }
    }

    /// Deletes the object only if it still has this pin.
    pub async fn delete(&self, bucket: &Bucket, key: &str, pin: &str) -> Outcome {
        let deleted = self.delete_together(bucket, &[Pinned { key, pin }], &|_| true).await.pop();
        deleted.map_or(Outcome::Withheld, |deletion| deletion.outcome)
    }

    /// Deletes each object only if it still has its pin, with as few requests as will do. Right before each request is
    /// sent, the gates of its objects are asked. What became of the objects is in their order.
    pub async fn delete_together(
        &self,
        bucket: &Bucket,
        objects: &[Pinned<'_>],
        gates: Gates<'_>,
    ) -> Vec<Deletion> {
        let all = |outcome: Outcome| Deletion { outcome, listed: false };
        match self {
            Self::Cloud(cloud) => match cloud.open(bucket).await {
                Ok(client) => bulk_delete::delete(&client, objects, gates).await,
                Err(error) => objects.iter().map(|_| all(Outcome::Failed(error.to_string()))).collect(),
            },
            Self::Local(local) => {
                let mut deleted = Vec::with_capacity(objects.len());
                for (at, Pinned { key, pin }) in objects.iter().enumerate() {
                    deleted.push(all(local.delete(bucket, key, pin, &|| gates(at)).await));
                }
                deleted
            }
        }
    }

    /// Objects of a bucket that [`Self::delete_together`] should get at once, if there are so many.
    pub async fn together(&self, bucket: &Bucket) -> usize {
        match self {
            Self::Cloud(cloud) => cloud.open(bucket).await.map_or(1, |client| client.together()),
            Self::Local(_) => 1,
        }
    }

    /// Reads the bucket's settings; [`BucketFacts::unread`] says why they could not be read.
    ///
    /// # Errors
    /// The bucket does not exist, or storage can't be reached.
    pub async fn bucket(&self, bucket: &Bucket) -> Result<BucketFacts, StoreError> {
        match self {
            Self::Cloud(cloud) => cloud.open(bucket).await?.bucket().await,
            Self::Local(local) => local.bucket(bucket),
        }
    }

    /// The deleted and overwritten objects that the bucket still keeps and bills: for each key, those whose keys begin
    /// with it. None if the engine can't answer that.
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
        let client = cloud.open(bucket).await?;
        let Some(kinds) = client.copy_kinds().await? else { return Ok(None) };
        let places: Vec<Place> = keys.iter().map(|key| Place { key, reach: Reach::Beginning }).collect();
        for kind in kinds {
            for (copies, found) in copies.iter_mut().zip(look(client.connection(), kind, &places, MANY).await)
            {
                copies.extend(found?);
            }
        }
        Ok(Some(copies))
    }

    /// The permissions that a purge needs and this identity lacks, as far as that is known before the first delete.
    /// `key` is one that is to be deleted; `marks` says that objects are to be marked, too.
    ///
    /// # Errors
    /// Storage can't be asked.
    pub async fn missing_permissions(
        &self,
        bucket: &Bucket,
        key: &str,
        marks: bool,
    ) -> Result<Vec<String>, StoreError> {
        match self {
            Self::Cloud(cloud) => cloud.open(bucket).await?.missing_permissions(key, marks).await,
            Self::Local(_) => Ok(Vec::new()),
        }
    }

    /// Opens a bucket, as every other method does by itself. Callers that need the reason as an error rather than in
    /// words open the bucket first.
    ///
    /// # Errors
    /// The host of the bucket is not trusted, or there are no credentials for it.
    pub async fn open(&self, bucket: &Bucket) -> Result<(), StoreError> {
        match self {
            Self::Cloud(cloud) => cloud.open(bucket).await.map(|_| ()),
            Self::Local(_) => Ok(()),
        }
    }

    /// Restores a deleted object, if no newer object has taken its key.
    pub async fn restore(&self, bucket: &Bucket, key: &str, pin: &str) -> Restored {
        match self {
            Self::Cloud(cloud) => match cloud.open(bucket).await {
                Ok(client) => client.restore(key, pin).await,
                Err(error) => Restored::Failed(error.to_string()),
            },
            Self::Local(_) => Restored::Lost,
        }
    }

    /// Reads the mark of an object.
    ///
    /// # Errors
    /// Storage can't be asked, or refuses.
    pub async fn mark_text(&self, bucket: &Bucket, key: &str) -> Result<MarkText, StoreError> {
        match self {
            Self::Cloud(cloud) => mark::text(&cloud.open(bucket).await?, key).await,
            Self::Local(_) => Ok(MarkText::Unable("files have no labels".to_owned())),
        }
    }

    /// Marks the object with a text, if it still has the pin. Its pin stays as it is.
    pub async fn mark(&self, bucket: &Bucket, key: &str, pin: &str, text: &str) -> Marking {
        self.set_mark(bucket, key, Some(pin), Some(text)).await
    }

    /// Removes the mark of an object; it is no error if it has none.
    pub async fn unmark(&self, bucket: &Bucket, key: &str) -> Marking {
        self.set_mark(bucket, key, None, None).await
    }

    async fn set_mark(&self, bucket: &Bucket, key: &str, pin: Option<&str>, text: Option<&str>) -> Marking {
        match self {
            Self::Cloud(cloud) => match cloud.open(bucket).await {
                Ok(client) => mark::set(&client, key, pin, text).await,
                Err(error) => Marking::Failed(error.to_string()),
            },
            Self::Local(_) => Marking::Failed("files have no labels".to_owned()),
        }
    }

    /// Names the account that deletes from the bucket, so that people recognise it.
    pub async fn identity(&self, bucket: &Bucket) -> String {
        match self {
            Self::Cloud(cloud) => match cloud.open(bucket).await {
                Ok(client) => client.identity().await,
                Err(error) => format!("nobody ({error})"),
            },
            Self::Local(local) => local.identity(),
        }
    }
}

/// What the keys below an artifact begin with.
fn folder(key: &str) -> String {
    format!("{}/", key.trim_end_matches('/'))
}
