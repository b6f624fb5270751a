//! Finds credentials for Azure, through object_store's providers.

use crate::types::{StoreError, innermost};
use argo_gc_core::model::bucket::{Bucket, is_azure};
use object_store::StaticCredentialProvider;
use object_store::azure::{
    AzureAccessKey, AzureConfigKey, AzureCredential, AzureCredentialProvider, MicrosoftAzureBuilder,
};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// Finds credentials in the environment: a key, a shared access signature, a service principal, or the identity of the
/// workload or the machine, else the login of the Azure CLI. A key given by the caller replaces all of these.
#[derive(Debug, Clone, Default)]
pub struct AzureChain {
    key: Option<AccountKey>,
}

/// The key or the shared access signature of one account.
#[derive(Clone)]
struct AccountKey {
    account: String,
    provider: AzureCredentialProvider,
    /// Whose it is, in words.
    name: String,
}

impl fmt::Debug for AccountKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccountKey({})", self.name)
    }
}

impl AzureChain {
    /// Uses the key of one account, and nothing from the environment.
    pub fn key(account: &str, key: AzureAccessKey) -> Self {
        let provider = Arc::new(StaticCredentialProvider::new(AzureCredential::AccessKey(key)));
        let name = format!("the account key of {account}");
        Self { key: Some(AccountKey { account: account.to_owned(), provider, name }) }
    }

    /// Uses the account key or shared access signature of a container's account. `name` tells people where it is from.
    ///
    /// # Errors
    /// The text is neither. Nothing of it is in the message.
    pub(crate) fn secret(bucket: &Bucket, text: &str, name: &str) -> Result<Self, String> {
        let neither = || "it is neither an account key nor a shared access signature".to_owned();
        let text = text.trim();
        let signature = text.strip_prefix('?').unwrap_or(text);
        let pairs: Vec<(String, String)> =
            form_urlencoded::parse(signature.as_bytes()).into_owned().collect();
        let credential = match pairs.iter().any(|(name, value)| name == "sig" && !value.is_empty()) {
            true => AzureCredential::SASToken(pairs),
            false => AzureCredential::AccessKey(AzureAccessKey::try_new(text).map_err(|_| neither())?),
        };
        if text.is_empty() {
            return Err(neither());
        }
        let account = account(bucket.endpoint());
        let name = format!("{account} ({name})");
        Ok(Self {
            key: Some(AccountKey {
                account,
                provider: Arc::new(StaticCredentialProvider::new(credential)),
                name,
            }),
        })
    }

    /// The credentials for an account, and the name of their owner.
    ///
    /// # Errors
    /// The credentials found are for another account, or can't be used.
    pub(crate) fn find(
        &self,
        account: &str,
        bucket: &Bucket,
    ) -> Result<(AzureCredentialProvider, String), StoreError> {
        // A key or signature belongs to one account and must not be sent to another.
        let foreign = |other: &str| {
            StoreError::Credentials(format!(
                "those at hand are for the account {other}, and {bucket} belongs to another account"
            ))
        };
        if let Some(AccountKey { account: owner, provider, name }) = &self.key {
            if owner != account {
                return Err(foreign(owner));
            }
            return Ok((Arc::clone(provider), name.clone()));
        }
        let builder = MicrosoftAzureBuilder::from_env();
        let set = |key: AzureConfigKey| builder.get_config_value(&key).filter(|value| !value.is_empty());
        let (keyed, signed) =
            (set(AzureConfigKey::AccessKey).is_some(), set(AzureConfigKey::SasKey).is_some());
        if keyed || signed {
            // The Azure CLI has another variable for the account.
            let named = set(AzureConfigKey::AccountName);
            let named = named.or_else(|| std::env::var("AZURE_STORAGE_ACCOUNT").ok());
            match named.filter(|name| !name.is_empty()) {
                Some(owner) if owner == account => {}
                Some(other) => return Err(foreign(&other)),
                None => {
                    return Err(StoreError::Credentials(format!(
                        "it is unknown whose the key or signature at hand is, so it is not sent to {bucket}; \
                         AZURE_STORAGE_ACCOUNT_NAME names the account"
                    )));
                }
            }
        }
        let of_environment = [
            AzureConfigKey::ClientSecret,
            AzureConfigKey::FederatedTokenFile,
            AzureConfigKey::MsiEndpoint,
            AzureConfigKey::Token,
            AzureConfigKey::UseAzureCli,
        ];
        let home = std::env::var_os(if cfg!(windows) { "USERPROFILE" } else { "HOME" });
        let logged_in = || home.is_some_and(|home| Path::new(&home).join(".azure").is_dir());
        let (identity, by_cli) = match (keyed, signed) {
            (true, _) => (format!("the account key of {account}"), false),
            (_, true) => (format!("a shared access signature of {account}"), false),
            _ if of_environment.into_iter().any(|key| set(key).is_some()) => {
                ("the Azure identity of the environment".to_owned(), false)
            }
            _ if logged_in() => ("the user of the Azure CLI".to_owned(), true),
            _ => ("the machine's managed identity".to_owned(), false),
        };
        // Only the provider of the built store is used; nothing is ever sent to this endpoint.
        let builder = builder
            .with_account(account)
            .with_container_name(bucket.name())
            .with_endpoint("https://unused.invalid".to_owned());
        let builder = if by_cli { builder.with_use_azure_cli(true) } else { builder };
        let built = builder.build().map_err(|error| StoreError::Credentials(innermost(&error)))?;
        Ok((built.credentials().clone(), identity))
    }
}

/// The account of an endpoint: the first label of the host, or for emulators the first part of the path.
pub(crate) fn account(endpoint: &str) -> String {
    let rest = endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest);
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    // Each of Azure's own hosts belongs to one account, whatever path a workflow has after it.
    match path.is_empty() || is_azure(host) {
        true => host.split(['.', ':']).next().unwrap_or_default().to_owned(),
        false => path.split('/').next().unwrap_or_default().to_owned(),
    }
}
