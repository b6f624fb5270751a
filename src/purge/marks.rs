//! Reading marks. An object whose mark can't be read is kept; the run ends only where no mark of a bucket can be read.

use crate::error::{Error, storage_error};
use argo_gc_core::model::bucket::Bucket;
use argo_gc_core::plan::planned::{ObjectPlace, UnreadPlace};
use argo_gc_store::store::{MANY, Store};
use argo_gc_store::types::{MarkText, StoreError};
use futures::stream::StreamExt;
use futures::{TryStreamExt, stream};
use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};

/// Marks that are read at a time; the throttle bounds the requests.
const AT_A_TIME: usize = 32;

/// Objects of a pinned workflow that are told of one by one, if their marks can't be read. The others are told of by their
/// artifacts.
const MOST_ALONE: usize = 100;

/// What is known of an object's mark.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Its text; none if the object has no mark, or does not exist.
    Mark(Option<String>),
    /// Why the object can't have one.
    Unable(String),
    /// Why it can't be read.
    Unread(String),
}

/// Reads marks, and remembers where none could be read.
pub(crate) struct Marks<'a> {
    store: &'a Store,
    /// Buckets in which a mark may not be read: the first such object, as long as no other was answered for.
    denied: Mutex<BTreeMap<Bucket, Option<Denied>>>,
}

struct Denied {
    key: String,
    error: StoreError,
}

/// What became of the artifacts of a pinned workflow.
struct Looked {
    lift: Vec<ObjectPlace>,
    /// Objects that may still be asked for.
    room: usize,
    /// Objects that are still told of one by one, if their marks can't be read.
    alone: usize,
}

impl<'a> Marks<'a> {
    pub fn of(store: &'a Store) -> Self {
        Self { store, denied: Mutex::default() }
    }

    /// Reads the mark of an object.
    ///
    /// # Errors
    /// The storage can't be asked for any object.
    pub async fn read(&self, bucket: &Bucket, key: &str) -> Result<Reading, StoreError> {
        let text = self.store.mark_text(bucket, key).await;
        self.note(bucket, key, &text);
        match text {
            Ok(MarkText::Read(text)) => Ok(Reading::Mark(text)),
            Ok(MarkText::Unable(why)) => Ok(Reading::Unable(why)),
            Err(error) if error.is_of_place() => Ok(Reading::Unable(storage_error(&error))),
            Err(error) if error.is_of_object() => Ok(Reading::Unread(why_unread(&error))),
            Err(error) => Err(error),
        }
    }

    fn note(&self, bucket: &Bucket, key: &str, text: &Result<MarkText, StoreError>) {
        let mut denied = self.denied.lock().unwrap_or_else(PoisonError::into_inner);
        match text {
            Ok(_) if denied.get(bucket).is_none_or(Option::is_some) => {
                denied.insert(bucket.clone(), None);
            }
            Err(error @ StoreError::Denied { .. }) if !denied.contains_key(bucket) => {
                denied.insert(bucket.clone(), Some(Denied { key: key.to_owned(), error: error.clone() }));
            }
            _ => {}
        }
    }

    /// Makes sure that where no mark could be read that is not for want of a permission: then the marks of no object there
    /// can be read, whoever owns it.
    ///
    /// # Errors
    /// A permission is missing, or the storage can't be asked.
    pub async fn ensure_permitted(&self) -> Result<(), Error> {
        let denied = std::mem::take(&mut *self.denied.lock().unwrap_or_else(PoisonError::into_inner));
        for (bucket, denied) in denied {
            let Some(Denied { key, error }) = denied else { continue };
            // That an object beside it is not there is said only to those who may read it.
            let folder = key.rfind('/').map_or("", |at| &key[..=at]);
            let other = format!("{folder}argo-gc-{:x}", RandomState::new().hash_one(&key));
            match self.store.mark_text(&bucket, &other).await {
                Err(StoreError::Denied { .. }) => {
                    let hint = "docs/quarantine.md says which permission reads marks";
                    return Err(Error::from(error).hint(hint));
                }
                Err(other) if !other.is_of_object() && !other.is_of_place() => return Err(other.into()),
                _ => {}
            }
        }
        Ok(())
    }

    /// Returns what of `objects`, and of the objects of `artifacts`, is marked, or may be; and the artifacts whose objects
    /// can't all be asked for.
    ///
    /// # Errors
    /// The storage can't be asked.
    pub async fn to_lift(
        &self,
        objects: Vec<ObjectPlace>,
        artifacts: Vec<ObjectPlace>,
    ) -> Result<(Vec<ObjectPlace>, Vec<UnreadPlace>), StoreError> {
        self.to_lift_of(objects, artifacts, MANY).await
    }

    /// As [`Self::to_lift`]; of all artifacts together so many objects are asked for.
    async fn to_lift_of(
        &self,
        objects: Vec<ObjectPlace>,
        artifacts: Vec<ObjectPlace>,
        most: usize,
    ) -> Result<(Vec<ObjectPlace>, Vec<UnreadPlace>), StoreError> {
        let lift = self.marked(objects).await?.into_iter().map(|(place, _)| place).collect();
        let mut looked = Looked { lift, room: most, alone: MOST_ALONE };
        let mut unread = Vec::new();
        for place in artifacts {
            match self.look_through(&place, &mut looked).await {
                Ok(None) => {}
                Ok(Some(why)) => unread.push(UnreadPlace { place, why }),
                Err(error) if error.is_of_place() => {}
                Err(error) if error.is_of_object() => {
                    unread.push(UnreadPlace { place, why: storage_error(&error) });
                }
                Err(error) => return Err(error),
            }
        }
        Ok((looked.lift, unread))
    }

    /// Adds the objects of an artifact that are marked, or may be. Returns why some were left out.
    async fn look_through(
        &self,
        ObjectPlace { bucket, key }: &ObjectPlace,
        looked: &mut Looked,
    ) -> Result<Option<String>, StoreError> {
        // Whoever owns a pinned workflow says how many objects these are, so they are read page by page.
        let (mut pages, mut left_out) = (self.store.artifact_pages(bucket, key), None);
        while let Some(page) = pages.try_next().await? {
            let place = |key: String| ObjectPlace { bucket: bucket.clone(), key: key.into() };
            let (length, seen) = (page.len(), page.len().min(looked.room));
            looked.room -= seen;
            let page = page.into_iter().take(seen).map(|object| place(object.key));
            for (place, unread) in self.marked(page.collect()).await? {
                match unread {
                    Some(why) if looked.alone == 0 => {
                        left_out.get_or_insert(why);
                    }
                    unread => {
                        looked.alone -= usize::from(unread.is_some());
                        looked.lift.push(place);
                    }
                }
            }
            if seen < length {
                return Ok(Some("its workflow has more objects than are looked at".to_owned()));
            }
        }
        Ok(left_out)
    }

    /// Those of the objects that are marked, or may be, and then why that can't be read. They are asked for again when marks
    /// are lifted.
    async fn marked(
        &self,
        objects: Vec<ObjectPlace>,
    ) -> Result<Vec<(ObjectPlace, Option<String>)>, StoreError> {
        let marked = stream::iter(objects).map(|place| async {
            Ok(match self.read(&place.bucket, &place.key).await? {
                Reading::Mark(Some(_)) => Some((place, None)),
                Reading::Unread(why) => Some((place, Some(why))),
                Reading::Mark(None) | Reading::Unable(_) => None,
            })
        });
        marked.buffered(AT_A_TIME).try_filter_map(async |place| Ok(place)).try_collect().await
    }
}

/// Why a mark can't be read, and what would settle it, for a place that is named beside it.
pub(crate) fn why_unread(error: &StoreError) -> String {
    match error {
        StoreError::Denied { message, .. } => {
            format!(
                "its mark can't be read: permission denied (docs/quarantine.md has the permissions): {message}"
            )
        }
        StoreError::Held { message, .. } => {
            format!("its mark can't be read until the lease or hold on it ends: {message}")
        }
        StoreError::Refused { message, .. } => format!("its mark can't be read: {message}"),
        StoreError::Unreadable { why, .. } => format!("its mark can't be read: unreadable answer: {why}"),
        _ => format!("its mark can't be read: {}", storage_error(error)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use argo_gc_store::local::LocalBuckets;

    fn place(key: &str) -> ObjectPlace {
        ObjectPlace { bucket: "gs://b".parse().unwrap(), key: key.into() }
    }

    /// Its owner says how many objects a pinned workflow has.
    #[tokio::test]
    async fn no_more_objects_than_there_may_be_are_asked_for_marks() {
        let folder = tempfile::tempdir().unwrap();
        for key in ["a", "dir/x", "dir/y", "other/z"] {
            let path = folder.path().join("b").join(key);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, key).unwrap();
        }
        let store = Store::Local(LocalBuckets::directory(folder.path()).unwrap());
        let unread = async |most| {
            let artifacts = ["a", "dir", "none", "other"].map(place).to_vec();
            let (lift, unread) = Marks::of(&store).to_lift_of(Vec::new(), artifacts, most).await.unwrap();
            assert!(lift.is_empty(), "files have no labels");
            unread.into_iter().map(|unread| unread.place.key.to_string()).collect::<Vec<_>>()
        };
        assert!(unread(4).await.is_empty());
        assert_eq!(unread(3).await, ["other"]);
        assert_eq!(unread(2).await, ["dir", "other"]);
    }
}
