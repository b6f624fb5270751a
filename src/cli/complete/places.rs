//! What a bucket shows below what is typed of a location, folder by folder.

use crate::cli::values::repository;
use argo_gc_core::model::bucket::Bucket;
use argo_gc_store::store::Store;
use futures::TryStreamExt;
use std::collections::BTreeSet;

/// More objects than this are not listed while somebody waits.
const MOST: usize = 5000;

/// A bucket, and the begin of a key in it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Places {
    bucket: Bucket,
    key: String,
}

impl Places {
    /// Parses what is typed of a location; gives none until the bucket is typed with a slash behind it.
    pub fn of(typed: &str) -> Option<Self> {
        let (bucket, key) = repository(typed).ok()?;
        typed.starts_with(&bucket.uri("")).then_some(Self { bucket, key })
    }

    /// Lists the folders and objects there; gives none if storage can't be asked, or if there are too many objects.
    pub async fn list(self, store: &Store) -> Option<BTreeSet<String>> {
        let (mut found, mut objects) = (BTreeSet::new(), 0);
        let mut pages = store.pages(&self.bucket, &self.key);
        while let Some(page) = pages.try_next().await.ok()? {
            objects += page.len();
            if objects > MOST {
                return None;
            }
            found.extend(page.iter().filter_map(|object| self.next(&object.key)));
        }
        Some(found)
    }

    /// The location of an object up to the end of the folder that is typed.
    fn next(&self, key: &str) -> Option<String> {
        let rest = key.strip_prefix(self.key.as_str())?;
        let end = rest.find('/').map_or(rest.len(), |at| at + 1);
        Some(self.bucket.uri(&key[..self.key.len() + end]))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_bucket_is_listed_once_it_is_typed() {
        for (typed, bucket, key) in [
            ("gs://b/", "gs://b", ""),
            ("gs://b/run/a", "gs://b", "run/a"),
            ("s3://b@minio:9000/a", "s3://b@minio:9000", "a"),
            ("https://a.blob.core.windows.net/c/k", "https://a.blob.core.windows.net/c", "k"),
        ] {
            assert_eq!(Places::of(typed), Some(Places { bucket: bucket.parse().unwrap(), key: key.into() }));
        }
        for typed in ["", "g", "gs:", "gs://", "gs://b", "s3://b@minio", "https://a.blob.core.windows.net/c"]
        {
            assert_eq!(Places::of(typed), None, "{typed}");
        }
    }

    #[test]
    fn folders_are_shown_one_level_at_a_time() {
        let places = Places::of("gs://b/run/a").unwrap();
        for (key, next) in [
            ("run/a-1/x/y", Some("gs://b/run/a-1/")),
            ("run/a.tgz", Some("gs://b/run/a.tgz")),
            ("run/a//x", Some("gs://b/run/a/")),
            ("run/b", None),
        ] {
            assert_eq!(places.next(key).as_deref(), next, "{key}");
        }
    }
}
