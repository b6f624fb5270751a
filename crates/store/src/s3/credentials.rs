//! Finds credentials for AWS, through the SDK's chain: environment, profiles, SSO, web identity and the machine.

use crate::s3::words;
use aws_config::meta::region::ProvideRegion;
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider, load};
use aws_config::provider_config::ProviderConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::{BehaviorVersion, Region};
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

/// How AWS's logs call the sessions of roles.
const SESSION: &str = "kubectl-argo-gc";

/// Credentials are renewed this long before they expire.
const EARLY: Duration = Duration::from_secs(300);

/// The SDK's chain, which is asked when credentials are first needed; or a key given by the caller.
#[derive(Clone, Default)]
pub struct AwsChain(Arc<Inner>);

#[derive(Default)]
struct Inner {
    key: Option<Arc<AwsCredential>>,
    /// A profile that is used instead of the chain.
    profile: Option<String>,
    /// A role that the chain's account takes on.
    role: Option<String>,
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

    /// Uses a profile of AWS's files, and no key of the environment.
    pub fn profile(name: &str) -> Self {
        Self(Arc::new(Inner { profile: Some(name.to_owned()), ..Inner::default() }))
    }

    /// Takes on a role as the environment's account (STS AssumeRole). STS is asked where AWS has it, or where the
    /// environment says, and nothing that stands beside a bucket says.
    pub(crate) fn role(role: &str) -> Self {
        let (role, name) = (Some(role.to_owned()), Some(format!("role {role}")));
        Self(Arc::new(Inner { role, name, ..Inner::default() }))
    }

    pub(crate) fn is_profile(&self) -> bool {
        self.0.profile.is_some()
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
        let make = || async {
            let client = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
            let loader = aws_config::defaults(BehaviorVersion::latest()).http_client(client.clone());
            let Some(name) = &self.0.profile else { return loader.load().await };
            let region = ProfileFileRegionProvider::builder().profile_name(name).build();
            let config = ProviderConfig::without_region().with_http_client(client);
            let config = config.with_region(region.region().await);
            let provider = ProfileFileCredentialsProvider::builder().configure(&config).profile_name(name);
            loader.profile_name(name).credentials_provider(provider.build()).load().await
        };
        self.0.config.get_or_init(make).await
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
        let found = self.of_chain().await?;
        let found = match &self.0.role {
            Some(role) => self.take_on(role, found).await?,
            None => found,
        };
        let credential = Arc::new(AwsCredential {
            key_id: found.access_key_id().to_owned(),
            secret_key: found.secret_access_key().to_owned(),
            token: found.session_token().map(str::to_owned),
        });
        *held = Some(Held { credential: Arc::clone(&credential), end: found.expiry() });
        Ok(credential)
    }

    /// The credentials of the chain's own account.
    async fn of_chain(&self) -> Result<Credentials, String> {
        self.check_profile().await?;
        let chain = self.config().await.credentials_provider().ok_or("there are no AWS credentials")?;
        chain.provide_credentials().await.map_err(|error| {
            let profile = self.0.profile.clone().or_else(|| set("AWS_PROFILE"));
            let profile = profile.as_deref().unwrap_or("default");
            words::why(&error, profile, set("AWS_WEB_IDENTITY_TOKEN_FILE").as_deref())
        })
    }

    /// Asks STS for the credentials of a role.
    async fn take_on(&self, role: &str, own: Credentials) -> Result<Credentials, String> {
        let config = self.config().await;
        let builder = AssumeRoleProvider::builder(role).session_name(SESSION).configure(config);
        let builder = match config.region() {
            Some(_) => builder,
            None => builder.region(Region::new(home_region(role))),
        };
        let role = builder.build_from_provider(own).await;
        role.provide_credentials().await.map_err(|error| words::why_no_role(&error))
    }

    /// Makes sure that a profile which is named is there, and those that it rests on. The chain would go on to the
    /// machine's role, and delete as someone whom nobody named.
    async fn check_profile(&self) -> Result<(), String> {
        if self.0.profile.is_none() && set("AWS_ACCESS_KEY_ID").is_some() {
            return Ok(());
        }
        let named = self.0.profile.clone().or_else(|| set("AWS_PROFILE"));
        // The chain says what is wrong with a file, and with profiles that rest on each other.
        let files = load(&Default::default(), &Default::default(), &Default::default(), None).await;
        let Ok(files) = files else { return Ok(()) };
        let mut next = named.as_deref().or_else(|| files.get_profile("default").map(|_| "default"));
        for _ in 0..=files.profiles().count() {
            let Some(name) = next else { break };
            let profile = files.get_profile(name).ok_or_else(|| {
                format!(
                    "the profile {name} is neither in AWS's config file nor in its credentials file; `aws configure \
                     list-profiles` shows those that are"
                )
            })?;
            next = profile.get("source_profile");
        }
        Ok(())
    }
}

/// A region of the role's partition, where none is named.
fn home_region(role: &str) -> &'static str {
    match role.split(':').nth(1) {
        Some("aws-cn") => "cn-north-1",
        Some("aws-us-gov") => "us-gov-west-1",
        _ => "us-east-1",
    }
}

/// A variable of the environment that is set.
fn set(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::home_region;

    #[test]
    fn a_role_is_asked_for_in_its_own_partition() {
        for (role, region) in [
            ("arn:aws:iam::1:role/r", "us-east-1"),
            ("arn:aws-cn:iam::1:role/r", "cn-north-1"),
            ("arn:aws-us-gov:iam::1:role/r", "us-gov-west-1"),
            ("r", "us-east-1"),
        ] {
            assert_eq!(home_region(role), region, "{role}");
        }
    }
}
