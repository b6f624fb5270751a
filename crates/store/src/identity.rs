//! Accounts that a user names for single buckets, where one account for each cloud does not do.

use crate::azure::account;
use crate::azure::credentials::AzureChain;
use crate::gcs::credentials::Credentials;
use crate::s3::credentials::AwsChain;
use crate::types::StoreError;
use argo_gc_core::model::bucket::Bucket;
use argo_gc_core::model::engine::StorageEngine;
use object_store::azure::AzureAccessKey;
use std::path::Path;
use std::str::FromStr;

/// A bucket, and where the account for it is found: `gs://BUCKET=FILE`, `s3://BUCKET=profile:NAME` or
/// `https://ACCOUNT.blob.core.windows.net/CONTAINER=FILE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    bucket: Bucket,
    source: String,
}

/// The credentials for one bucket.
#[derive(Debug)]
pub(crate) enum Own {
    Google(Credentials),
    Aws(AwsChain),
    Azure(AzureChain),
}

impl Identity {
    /// The bucket that the account is for. It is used for no other.
    pub fn bucket(&self) -> &Bucket {
        &self.bucket
    }

    /// Reads the file. Nothing is sent yet.
    ///
    /// # Errors
    /// The file can't be read, or does not hold what the bucket's storage needs.
    pub(crate) fn load(&self) -> Result<Own, StoreError> {
        let file = Path::new(&self.source);
        let error = |why: &str| StoreError::Credentials(format!("{}: {why}", file.display()));
        match self.bucket.engine() {
            StorageEngine::S3 => Ok(Own::Aws(AwsChain::profile(profile(&self.source).unwrap_or_default()))),
            StorageEngine::Azure => {
                let key = std::fs::read_to_string(file).map_err(|cause| error(&cause.to_string()))?;
                let key = AzureAccessKey::try_new(key.trim()).map_err(|_| error("is not an account key"))?;
                Ok(Own::Azure(AzureChain::key(&account(self.bucket.endpoint()), key)))
            }
            _ => Credentials::find(Some(file)).map(Own::Google),
        }
    }
}

/// The name of a profile in AWS's files.
fn profile(source: &str) -> Option<&str> {
    source.strip_prefix("profile:").filter(|name| !name.is_empty())
}

impl FromStr for Identity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // The text could hold a secret, and is not repeated.
        let (bucket, source) = text
            .split_once('=')
            .ok_or("it is not of the form gs://BUCKET=FILE or s3://BUCKET=profile:NAME")?;
        let bucket: Bucket = bucket.parse()?;
        match (bucket.engine(), profile(source)) {
            (_, _) if source.is_empty() => Err("the account is missing after the sign =".to_owned()),
            (StorageEngine::S3, None) => {
                Err("for S3 name a profile of AWS's files: s3://BUCKET=profile:NAME".to_owned())
            }
            (StorageEngine::Gcs | StorageEngine::Azure, Some(_)) => {
                Err("only S3 has profiles; name a file".to_owned())
            }
            _ => Ok(Self { bucket, source: source.to_owned() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_belongs_to_one_bucket() {
        let parsed: Identity = "s3://b@minio:9000=profile:team".parse().unwrap();
        assert_eq!(
            (parsed.bucket().to_string().as_str(), parsed.source.as_str()),
            ("s3://b@minio:9000", "profile:team")
        );
        for text in ["gs://b=/k.json", "https://ml.blob.core.windows.net/c=key"] {
            assert!(text.parse::<Identity>().is_ok(), "{text}");
        }
        for text in
            ["gs://b", "gs://b=", "s3://b=/file", "s3://b=profile:", "gs://b=profile:x", "b=f", "gs://b/p=f"]
        {
            assert!(text.parse::<Identity>().is_err(), "{text}");
        }
    }
}
