//! Finds credentials for Azure, through object_store's providers.

use crate::types::{StoreError, innermost};
use argo_gc_core::model::bucket::Bucket;
use object_store::StaticCredentialProvider;
use object_store::azure::{
    AzureAccessKey, AzureConfigKey, AzureCredential, AzureCredentialProvider, MicrosoftAzureBuilder,
};
use std::path::Path;
use std::sync::Arc;

/// Finds credentials in the environment: a key, a shared access signature, a service principal, or the identity of the
/// workload or the machine, else the login of the Azure CLI. A key given by the caller replaces all of these.
#[derive(Debug, Clone, Default)]
pub struct AzureChain {
    key: Option<(String, Arc<AzureAccessKey>)>,
}

impl AzureChain {
    /// Uses the key of one account, and nothing from the environment.
    pub fn key(account: &str, key: AzureAccessKey) -> Self {
        Self { key: Some((account.to_owned(), key.into())) }
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
                "those at hand are for the account {other}, and {bucket} is not its"
            ))
        };
        if let Some((owner, key)) = &self.key {
            if owner != account {
                return Err(foreign(owner));
            }
            let credential = AzureCredential::AccessKey((**key).clone());
            let provider = Arc::new(StaticCredentialProvider::new(credential));
            return Ok((provider, format!("the account key of {account}")));
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
                        "whose key or signature is at hand is not said, so {bucket} is not shown it; \
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
