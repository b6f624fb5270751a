//! What stands beside one bucket, in place of what the environment has: the account, and who is trusted to be its host.

use crate::api::SIGNING;
use crate::azure::credentials::AzureChain;
use crate::gcs::credentials::Credentials;
use crate::http::Authority;
use crate::s3::credentials::AwsChain;
use crate::s3::key_file;
use crate::types::StoreError;
use argo_gc_core::model::bucket::Bucket;
use argo_gc_core::model::engine::StorageEngine;
use futures::future::BoxFuture;
use object_store::aws::AwsCredential;
use std::collections::HashMap;
use std::fmt;

/// Who opens a bucket, and whom it is believed. The default is as the environment has it.
#[derive(Debug, Clone, Default)]
pub struct Identity {
    pub(crate) account: Account,
    /// The certificate authority that alone is trusted to be the bucket's host.
    pub(crate) authority: Option<Authority>,
}

/// The account that a bucket is opened with.
#[derive(Debug, Clone, Default)]
pub(crate) enum Account {
    #[default]
    Environment,
    Google(Credentials),
    Aws(AwsChain),
    Azure(AzureChain),
}

/// Tells what stands beside a bucket.
pub trait Identities: fmt::Debug + Send + Sync {
    /// It is asked each time the bucket is used, before anything is sent, so the answer must be at hand once it was found.
    ///
    /// # Errors
    /// It is not certain which account is to be used, or its key can't be read: then nothing is sent to the bucket.
    fn of<'a>(&'a self, bucket: &'a Bucket) -> BoxFuture<'a, Result<Identity, StoreError>>;
}

/// Accounts that are known beforehand; other buckets have none.
pub type Known = HashMap<Bucket, Identity>;

impl Identities for Known {
    fn of<'a>(&'a self, bucket: &'a Bucket) -> BoxFuture<'a, Result<Identity, StoreError>> {
        Box::pin(async move { Ok(self.get(bucket).cloned().unwrap_or_default()) })
    }
}

impl From<Account> for Identity {
    fn from(account: Account) -> Self {
        Self { account, authority: None }
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
                Ok(Account::Aws(AwsChain::named_key(credential, None, name)))
            }
            (StorageEngine::Gcs, [text]) => Credentials::of_key(text, name).map(Account::Google),
            (StorageEngine::Azure, [text]) => AzureChain::secret(bucket, text, name).map(Account::Azure),
            _ => Err("it is the key of another storage".to_owned()),
        }
        .map(Self::from)
    }

    /// The environment's account at AWS, which takes on a role. It is asked for at once, so that a refusal is known before
    /// the bucket is used; later as often as the role's keys expire.
    ///
    /// # Errors
    /// The bucket is not of S3, or the role can't be taken on.
    pub async fn of_role(bucket: &Bucket, role: &str) -> Result<Self, String> {
        if bucket.engine() != StorageEngine::S3 {
            return Err("only S3 has roles".to_owned());
        }
        let chain = AwsChain::role(role);
        let asked = tokio::time::timeout(SIGNING, chain.get()).await;
        asked.map_err(|_| "STS does not answer".to_owned())??;
        Ok(Account::Aws(chain).into())
    }

    /// The same account; the bucket's host is believed only if one of these authorities vouches for it.
    ///
    /// # Errors
    /// The text has no certificate in PEM.
    pub fn trusting(self, authorities: &str) -> Result<Self, String> {
        Ok(Self { authority: Some(Authority::of_pem(authorities)?), ..self })
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
                Ok(Account::Aws(AwsChain::named_key(credential, region, name)))
            }
            StorageEngine::Azure => AzureChain::secret(bucket, text, name).map(Account::Azure),
            _ => Credentials::of_text(text, name).map(Account::Google),
        }
        .map(Self::from)
    }

    /// The account of a profile in AWS's files.
    pub fn profile(name: &str) -> Self {
        Account::Aws(AwsChain::profile(name)).into()
    }
}
