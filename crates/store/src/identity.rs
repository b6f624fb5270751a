//! Accounts that stand beside one bucket, in place of those of the environment.

use crate::azure::credentials::AzureChain;
use crate::gcs::credentials::Credentials;
use crate::s3::credentials::AwsChain;
use crate::s3::key_file;
use crate::types::StoreError;
use argo_gc_core::model::bucket::Bucket;
use argo_gc_core::model::engine::StorageEngine;
use futures::future::BoxFuture;
use object_store::aws::AwsCredential;
use std::collections::HashMap;
use std::fmt;

/// The account that a bucket is opened with.
#[derive(Debug, Clone)]
pub enum Identity {
    Google(Credentials),
    Aws(AwsChain),
    Azure(AzureChain),
}

/// Tells which account stands beside a bucket.
pub trait Identities: fmt::Debug + Send + Sync {
    /// None if the environment's account is to be used. It is asked each time the bucket is used, before anything is
    /// sent, so the answer must be at hand once it was found.
    ///
    /// # Errors
    /// It is not certain which account is to be used, or its key can't be read: then nothing is sent to the bucket.
    fn of<'a>(&'a self, bucket: &'a Bucket) -> BoxFuture<'a, Result<Option<Identity>, StoreError>>;
}

/// Accounts that are known beforehand; other buckets have none.
pub type Known = HashMap<Bucket, Identity>;

impl Identities for Known {
    fn of<'a>(&'a self, bucket: &'a Bucket) -> BoxFuture<'a, Result<Option<Identity>, StoreError>> {
        Box::pin(async move { Ok(self.get(bucket).cloned()) })
    }
}

impl Identity {
    /// Makes the account of a bucket from the values that stand for it in Argo: the text of a key file for Google, access
    /// key, secret and perhaps a session token for S3, the account key or signature for Azure.
    ///
    /// # Errors
    /// The values are none of these. Nothing of them is in the message.
    pub fn of_values(bucket: &Bucket, values: &[String], name: &str) -> Result<Self, String> {
        match (bucket.engine(), values) {
            (StorageEngine::S3, [key_id, secret_key, rest @ ..]) => {
                let trimmed = |value: &String| value.trim().to_owned();
                let (key_id, secret_key) = (trimmed(key_id), trimmed(secret_key));
                let credential = AwsCredential { key_id, secret_key, token: rest.first().map(trimmed) };
                Ok(Self::Aws(AwsChain::named_key(credential, None, name)))
            }
            (StorageEngine::Gcs, [text]) => Credentials::of_key(text, name).map(Self::Google),
            (StorageEngine::Azure, [text]) => AzureChain::secret(bucket, text, name).map(Self::Azure),
            _ => Err("it is the key of another storage".to_owned()),
        }
    }

    /// Reads the account of a bucket from the text of a file: credentials of Google, a file like `~/.aws/credentials`, or
    /// the account key or shared access signature of Azure. `name` tells people where it is from.
    ///
    /// # Errors
    /// The text is none of these. Nothing of it is in the message.
    pub fn read(bucket: &Bucket, text: &str, name: &str) -> Result<Self, String> {
        match bucket.engine() {
            StorageEngine::S3 => {
                let key_file::KeyFile { credential, region } = key_file::read(text)?;
                Ok(Self::Aws(AwsChain::named_key(credential, region, name)))
            }
            StorageEngine::Azure => AzureChain::secret(bucket, text, name).map(Self::Azure),
            _ => Credentials::of_text(text, name).map(Self::Google),
        }
    }

    /// The account of a profile in AWS's files.
    pub fn profile(name: &str) -> Self {
        Self::Aws(AwsChain::profile(name))
    }
}
