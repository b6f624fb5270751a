//! Chooses the engine of a bucket, and the address at which it is reached. No other module knows which engine is which.

use crate::api::Api;
use crate::azure::Azure;
use crate::azure::credentials::AzureChain;
use crate::bucket_client::BucketClient;
use crate::gcs::Gcs;
use crate::gcs::credentials::Credentials;
use crate::http::HttpClient;
use crate::identity::{Account, Identities, Identity, Known};
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
#[derive(Debug, Clone)]
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
    /// What stands beside buckets, in place of what the environment has.
    identities: Arc<dyn Identities>,
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
        let identities = Arc::new(Known::new());
        Ok(Self(Arc::new(Inner { http, gcs, credentials, overrides, identities, open: Mutex::default() })))
    }

    /// Opens the buckets beside which an account stands with that account. A bucket that is open already stays as it is,
    /// so this comes first.
    #[must_use]
    pub fn with_identities(self, identities: Arc<dyn Identities>) -> Self {
        let Inner { http, gcs, credentials, overrides, .. } = &*self.0;
        Self(Arc::new(Inner {
            http: http.clone(),
            gcs: gcs.clone(),
            credentials: credentials.clone(),
            overrides: overrides.clone(),
            identities,
            open: Mutex::default(),
        }))
    }

    /// The client of a bucket, which is made once. Whose account it has is asked each time: what was certain may have
    /// become doubtful.
    pub(crate) async fn open(&self, bucket: &Bucket) -> Result<BucketClient, StoreError> {
        // The host comes first: for one that is not asked no key is read.
        let over = self.allowed(bucket)?;
        let identity = self.0.identities.of(bucket).await?;
        let cell = {
            let mut open = self.0.open.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(open.entry(bucket.clone()).or_default())
        };
        cell.get_or_try_init(|| self.connect(bucket, over, identity)).await.cloned()
    }

    /// The override that names the bucket's host; none at its cloud.
    ///
    /// # Errors
    /// Nobody but a workflow names the host.
    fn allowed(&self, bucket: &Bucket) -> Result<Option<&Override>, StoreError> {
        let (engine, endpoint) = (bucket.engine(), host(bucket.endpoint()));
        let is_aws = engine == StorageEngine::S3 && endpoint.is_empty();
        let over = match engine {
            StorageEngine::Gcs => None,
            _ => {
                let host = if is_aws { AWS } else { endpoint };
                self.0.overrides.iter().find(|over| over.host == host)
            }
        };
        let is_clouds = match engine {
            StorageEngine::S3 => is_aws,
            StorageEngine::Azure => is_azure(endpoint) && bucket.endpoint().starts_with("https://"),
            _ => true,
        };
        match over.is_some() || is_clouds {
            true => Ok(over),
            false => Err(StoreError::Untrusted(bucket.clone())),
        }
    }

    /// The URL at which the bucket is reached, for an account of AWS if it is of S3; none at its cloud.
    async fn url(&self, bucket: &Bucket, over: Option<&Override>, aws: &AwsChain) -> Option<String> {
        match (over, bucket.engine()) {
            (Some(over), _) => Some(over.url.clone()),
            (None, StorageEngine::S3) => aws.endpoint().await,
            (None, StorageEngine::Gcs) => self.0.gcs.clone(),
            (None, _) => None,
        }
    }

    async fn connect(
        &self,
        bucket: &Bucket,
        over: Option<&Override>,
        identity: Identity,
    ) -> Result<BucketClient, StoreError> {
        let CloudCredentials { google, aws, azure } = self.0.credentials.clone();
        let Identity { account, authority } = identity;
        let url = match &account {
            // A profile may name an endpoint of its own.
            Account::Aws(own) if own.is_profile() => self.url(bucket, over, own).await,
            _ => self.url(bucket, over, &aws).await,
        };
        let url = url.as_deref();
        let is_own = over.is_some_and(|over| over.is_own);
        let api: Box<dyn Api> = match (bucket.engine(), account) {
            (StorageEngine::S3, account @ (Account::Aws(_) | Account::Environment)) => {
                let region = aws.region().await;
                let (chain, region) = match account {
                    Account::Aws(own) => (own.clone(), own.region().await.or(region)),
                    _ => (aws, region),
                };
                let s3 = S3::open(bucket, url, chain, region).await?;
                Box::new(if is_own { s3.at_amazon() } else { s3 })
            }
            (StorageEngine::Azure, account @ (Account::Azure(_) | Account::Environment)) => {
                let chain = if let Account::Azure(own) = account { own } else { azure };
                let azure = Azure::open(bucket, url, &chain)?;
                Box::new(if is_own { azure.at_azure() } else { azure })
            }
            (StorageEngine::Gcs, Account::Google(own)) => Box::new(Gcs::new(url, bucket.name(), own)),
            (StorageEngine::Gcs, Account::Environment) => Box::new(Gcs::new(url, bucket.name(), google)),
            _ => {
                return Err(StoreError::Credentials(format!("those beside {bucket} are of another storage")));
            }
        };
        let http = match &authority {
            Some(authority) => self.0.http.trusting(authority),
            None => self.0.http.clone(),
        };
        Ok(BucketClient::new(bucket.clone(), api, http))
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
