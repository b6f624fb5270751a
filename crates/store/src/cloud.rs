//! Chooses the engine of a bucket, and the address at which it is reached. No other module knows which engine is which.

use crate::api::Api;
use crate::azure::Azure;
use crate::azure::credentials::AzureChain;
use crate::bucket_client::BucketClient;
use crate::gcs::Gcs;
use crate::gcs::credentials::Credentials;
use crate::http::HttpClient;
use crate::identity::{Identity, Own};
use crate::s3::S3;
use crate::s3::credentials::AwsChain;
use crate::throttle::Throttle;
use crate::types::{StoreError, innermost};
use argo_gc_core::model::bucket::{Bucket, host, is_aws, is_azure};
use argo_gc_core::model::engine::StorageEngine;
use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OnceCell;

/// The host of AWS's own buckets in overrides.
const AWS: &str = "s3.amazonaws.com";

/// A host, and the URL at which it is reached: `minio:9000=http://localhost:9000`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    host: String,
    url: String,
    /// The URL leads to the cloud's own servers, whatever its host.
    is_own: bool,
}

impl Override {
    /// As it is typed: `HOST=URL`.
    #[must_use]
    pub fn flag(&self) -> String {
        format!("{}={}", self.host, self.url)
    }

    /// Says that the URL leads to a server which does all that the cloud's own do. No flag says so: it is for tests.
    #[must_use]
    pub fn at_own_server(self) -> Self {
        Self { is_own: true, ..self }
    }
}

impl fmt::Display for Override {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.host, self.url)
    }
}

impl FromStr for Override {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not of the form minio:9000=http://localhost:9000");
        let (host, url) = text.split_once('=').ok_or_else(wrong)?;
        let host = argo_gc_core::model::bucket::host(host);
        let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
        // After a query a key would not be part of the path, and the URL may not hold a password, because logs show it.
        let is_base = |rest: &str| !rest.is_empty() && !rest.contains(['?', '#', '@']);
        match !host.is_empty() && rest.is_some_and(is_base) {
            // All regions of AWS share one override, because the bucket names do not tell the region.
            true => Ok(Self {
                host: if is_aws(host) { AWS.to_owned() } else { host.to_owned() },
                url: url.trim_end_matches('/').to_owned(),
                is_own: false,
            }),
            false => Err(wrong()),
        }
    }
}

/// The storage of Google, AWS and Azure, and of the servers that overrides name.
///
/// The location of an artifact comes from a workflow, which its user can edit. Credentials are therefore sent only to
/// the hosts of the clouds and to hosts that an override names.
#[derive(Debug, Clone)]
pub struct Cloud(Arc<Inner>);

/// The credentials for each cloud.
#[derive(Debug)]
pub struct CloudCredentials {
    pub google: Credentials,
    pub aws: AwsChain,
    pub azure: AzureChain,
}

#[derive(Debug)]
struct Inner {
    http: HttpClient,
    /// The endpoint of a GCS emulator; none for Google.
    gcs: Option<String>,
    credentials: CloudCredentials,
    overrides: Vec<Override>,
    /// Accounts for single buckets, before those of `credentials`.
    own: HashMap<Bucket, Own>,
    open: Mutex<HashMap<Bucket, Arc<OnceCell<BucketClient>>>>,
}

impl Cloud {
    /// Sends nothing yet. `gcs` is the endpoint of an emulator; without it Google is asked.
    ///
    /// # Errors
    /// No HTTP client can be made.
    pub fn new(
        gcs: Option<String>,
        credentials: CloudCredentials,
        overrides: Vec<Override>,
        throttle: Throttle,
    ) -> Result<Self, StoreError> {
        let http = HttpClient::new(throttle).map_err(|error| StoreError::Failed {
            what: "HTTP client".to_owned(),
            message: innermost(&error),
        })?;
        let own = HashMap::new();
        Ok(Self(Arc::new(Inner { http, gcs, credentials, overrides, own, open: Mutex::default() })))
    }

    /// Asks some buckets as accounts of their own. Which hosts are asked stays as it is.
    ///
    /// # Errors
    /// An account can't be read, or a bucket has two.
    pub fn with_identities(mut self, identities: &[Identity]) -> Result<Self, StoreError> {
        let mut own = HashMap::new();
        for identity in identities {
            if own.insert(identity.bucket().clone(), identity.load()?).is_some() {
                return Err(StoreError::Credentials(format!(
                    "two accounts are named for {}",
                    identity.bucket()
                )));
            }
        }
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            inner.own = own;
        }
        Ok(self)
    }

    /// The client of a bucket, which is made once.
    pub(crate) async fn open(&self, bucket: &Bucket) -> Result<BucketClient, StoreError> {
        let cell = {
            let mut open = self.0.open.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(open.entry(bucket.clone()).or_default())
        };
        cell.get_or_try_init(|| self.find(bucket)).await.cloned()
    }

    async fn find(&self, bucket: &Bucket) -> Result<BucketClient, StoreError> {
        let inner = &self.0;
        let found = |host: &str| inner.overrides.iter().find(|over| over.host == host);
        let over = |host: &str| found(host).map(|over| over.url.clone());
        let is_own = |host: &str| found(host).is_some_and(|over| over.is_own);
        let endpoint = host(bucket.endpoint());
        let own = inner.own.get(bucket);
        let api: Box<dyn Api> = match bucket.engine() {
            StorageEngine::S3 => {
                let aws = if let Some(Own::Aws(aws)) = own { aws } else { &inner.credentials.aws };
                let url = match endpoint {
                    "" => over(AWS).or(aws.endpoint().await),
                    host => Some(over(host).ok_or_else(|| StoreError::Untrusted(bucket.clone()))?),
                };
                let s3 = S3::open(bucket, url.as_deref(), aws.clone()).await?;
                let host = if endpoint.is_empty() { AWS } else { endpoint };
                Box::new(if is_own(host) { s3.at_amazon() } else { s3 })
            }
            StorageEngine::Azure => {
                let url = over(endpoint);
                let is_azures = is_azure(endpoint) && bucket.endpoint().starts_with("https://");
                if url.is_none() && !is_azures {
                    return Err(StoreError::Untrusted(bucket.clone()));
                }
                let azure = if let Some(Own::Azure(azure)) = own { azure } else { &inner.credentials.azure };
                let azure = Azure::open(bucket, url.as_deref(), azure)?;
                Box::new(if is_own(endpoint) { azure.at_azure() } else { azure })
            }
            _ => {
                let google =
                    if let Some(Own::Google(google)) = own { google } else { &inner.credentials.google };
                Box::new(Gcs::new(inner.gcs.as_deref(), bucket.name(), google.clone()))
            }
        };
        Ok(BucketClient::new(bucket.clone(), api, inner.http.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use argo_gc_core::model::bucket::is_azure;

    #[test]
    fn an_account_is_one_label() {
        assert!(is_azure("ml.blob.core.windows.net") && is_azure("ml.privatelink.blob.core.windows.net"));
        for host in
            ["ml.evil.blob.core.windows.net", "blob.core.windows.net", "ml.blob.core.windows.net.evil"]
        {
            assert!(!is_azure(host), "{host}");
        }
    }

    #[test]
    fn an_override_names_a_host_and_a_url() {
        let parsed: Result<Override, String> = "https://minio:9000=http://localhost:9000/".parse();
        assert_eq!(
            parsed,
            Ok(Override { host: "minio:9000".into(), url: "http://localhost:9000".into(), is_own: false })
        );
        let regional: Result<Override, String> = "s3.eu-west-1.amazonaws.com=http://h".parse();
        assert_eq!(regional, Ok(Override { host: AWS.into(), url: "http://h".into(), is_own: false }));
        for text in [
            "minio:9000",
            "=http://h",
            "minio=localhost:9000",
            "minio=http://",
            "minio=http://h/b?x",
            "minio=http://user:secret@h",
        ] {
            assert!(text.parse::<Override>().is_err(), "{text}");
        }
    }
}
