//! `--identity BUCKET=FILE`: several accounts by hand, each for one bucket.

use crate::error::Error;
use argo_gc_core::model::bucket::Bucket;
use argo_gc_core::model::engine::StorageEngine;
use argo_gc_store::identity::{Identity, Known};
use std::collections::hash_map::Entry;
use std::path::PathBuf;
use std::str::FromStr;

/// A bucket, and the file with the key of the account that it is opened with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamedIdentity {
    pub bucket: Bucket,
    pub file: PathBuf,
}

impl FromStr for NamedIdentity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (bucket, file) = text
            .split_once('=')
            .filter(|(_, file)| !file.is_empty())
            .ok_or("use BUCKET=FILE, such as gs://ml-artifacts=key.json")?;
        Ok(Self { bucket: bucket.trim_end_matches('/').parse()?, file: file.into() })
    }
}

/// Reads the files of all accounts.
///
/// # Errors
/// A file can't be read or holds no key, or a bucket has several. Nothing of a file is in the message.
pub(crate) fn read(identities: &[NamedIdentity]) -> Result<Known, Error> {
    let mut known = Known::new();
    for NamedIdentity { bucket, file } in identities {
        let name = file.display().to_string();
        let wrong = |why: &str| Error::usage(format!("invalid --identity for {bucket}: {name}: {why}"));
        let profile = name.strip_prefix("profile:").filter(|_| bucket.engine() == StorageEngine::S3);
        let identity = match profile {
            Some(profile) => Identity::profile(profile),
            None => {
                let text = std::fs::read_to_string(file).map_err(|error| wrong(&error.to_string()))?;
                Identity::read(bucket, &text, &name).map_err(|why| wrong(&why))?
            }
        };
        match known.entry(bucket.clone()) {
            Entry::Vacant(free) => free.insert(identity),
            Entry::Occupied(_) => return Err(wrong("it is the bucket's second; a bucket has one")),
        };
    }
    Ok(known)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_bucket_is_named_as_the_plugin_writes_it() {
        for (text, bucket, file) in [
            ("gs://b=key.json", "gs://b", "key.json"),
            ("gs://b/=a=b", "gs://b", "a=b"),
            ("s3://b@minio:9000=/k", "s3://b@minio:9000", "/k"),
            ("s3://b@s3.eu-west-1.amazonaws.com=/k", "s3://b", "/k"),
            ("https://ml.blob.core.windows.net/c=k", "https://ml.blob.core.windows.net/c", "k"),
        ] {
            let NamedIdentity { bucket: found, file: path } = text.parse().unwrap();
            assert_eq!((found.to_string().as_str(), path), (bucket, PathBuf::from(file)), "{text}");
        }
        for text in ["gs://b", "gs://b=", "b=key.json", "gs://b/prefix=key.json"] {
            assert!(text.parse::<NamedIdentity>().is_err(), "{text}");
        }
    }
}
