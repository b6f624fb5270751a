//! Finds credentials for AWS, through the SDK's chain: environment, profiles, SSO, web identity and the machine.

use aws_config::BehaviorVersion;
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use object_store::aws::AwsCredential;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::{Mutex, OnceCell};

/// Credentials are renewed this long before they expire.
const EARLY: Duration = Duration::from_secs(300);

/// The SDK's chain, which is asked when credentials are first needed; or a key given by the caller.
#[derive(Clone, Default)]
pub struct AwsChain(Arc<Inner>);

#[derive(Default)]
struct Inner {
    key: Option<Arc<AwsCredential>>,
    /// The region and the words that stand beside the key.
    region: Option<String>,
    name: Option<String>,
    config: OnceCell<aws_config::SdkConfig>,
    held: Mutex<Option<Held>>,
}

/// Credentials, and the time at which they expire.
struct Held {
    credential: Arc<AwsCredential>,
    end: Option<SystemTime>,
}

impl fmt::Debug for AwsChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AwsChain")
    }
}

impl AwsChain {
    /// Uses one key, and nothing from the environment.
    pub fn key(credential: AwsCredential) -> Self {
        Self(Arc::new(Inner { key: Some(credential.into()), ..Inner::default() }))
    }

    /// As [`Self::key`], in this region. `name` tells people where the key is from.
    pub fn named_key(credential: AwsCredential, region: Option<String>, name: &str) -> Self {
        let (key, name) = (Some(credential.into()), Some(name.to_owned()));
        Self(Arc::new(Inner { key, region, name, ..Inner::default() }))
    }

    /// Where a key given by the caller is from, in words.
    pub(crate) fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    async fn config(&self) -> &aws_config::SdkConfig {
        let load = || async {
            let client = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
            aws_config::defaults(BehaviorVersion::latest()).http_client(client).load().await
        };
        self.0.config.get_or_init(load).await
    }

    /// The region that the environment or the profile names.
    pub async fn region(&self) -> Option<String> {
        if self.0.key.is_some() {
            return self.0.region.clone();
        }
        self.config().await.region().map(|region| region.as_ref().to_owned())
    }

    /// The endpoint that the environment or the profile names for S3 or for all of AWS.
    pub async fn endpoint(&self) -> Option<String> {
        if self.0.key.is_some() {
            return None;
        }
        match Self::named_endpoint() {
            Some(url) => Some(url),
            None => self.config().await.endpoint_url().map(str::to_owned),
        }
    }

    /// The endpoint that the environment names. As in every SDK, the one for S3 overrides the one for all of AWS.
    pub fn named_endpoint() -> Option<String> {
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let ignored = set("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")
            .is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let named = || set("AWS_ENDPOINT_URL_S3").or_else(|| set("AWS_ENDPOINT_URL"));
        if ignored { None } else { named() }
    }

    /// Credentials that do not expire soon.
    ///
    /// # Errors
    /// No provider of the chain has credentials.
    pub async fn get(&self) -> Result<Arc<AwsCredential>, String> {
        if let Some(key) = &self.0.key {
            return Ok(Arc::clone(key));
        }
        let mut held = self.0.held.lock().await;
        let is_good = |held: &&Held| held.end.is_none_or(|end| end > SystemTime::now() + EARLY);
        if let Some(held) = held.as_ref().filter(is_good) {
            return Ok(Arc::clone(&held.credential));
        }
        let chain = self.config().await.credentials_provider().ok_or("there are no AWS credentials")?;
        let found: Credentials = chain
            .provide_credentials()
            .await
            .map_err(|error| {
                let why = crate::types::innermost(&error);
                format!("neither environment, profile, web identity nor machine has any (AWS_ACCESS_KEY_ID, AWS_PROFILE): {why}")
            })?;
        let credential = Arc::new(AwsCredential {
            key_id: found.access_key_id().to_owned(),
            secret_key: found.secret_access_key().to_owned(),
            token: found.session_token().map(str::to_owned),
        });
        *held = Some(Held { credential: Arc::clone(&credential), end: found.expiry() });
        Ok(credential)
    }
}
