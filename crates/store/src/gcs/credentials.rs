//! Finds credentials for Google, through object_store's providers.

use crate::types::{StoreError, innermost};
use object_store::gcp::{GcpCredentialProvider, GoogleCloudStorageBuilder};
use serde::Deserialize;
use std::fmt;
use std::path::Path;

/// An account at Google, or none for an emulator.
#[derive(Clone)]
pub struct Credentials {
    provider: Option<GcpCredentialProvider>,
    identity: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({})", self.identity)
    }
}

/// The fields that show the kind and the owner of a credentials file. No secret is among them.
#[derive(Deserialize)]
struct File {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    client_email: String,
    #[serde(default)]
    account: String,
}

impl Credentials {
    /// Sends no credentials, for emulators.
    pub fn none() -> Self {
        Self { provider: None, identity: "an emulator without credentials".to_owned() }
    }

    /// Uses the account of a file, else that of the machine.
    ///
    /// # Errors
    /// The file can't be read, or its kind is not supported.
    pub fn find(file: Option<&Path>) -> Result<Self, StoreError> {
        match file {
            Some(path) => Self::from_file(path),
            None => {
                Self::build(GoogleCloudStorageBuilder::new(), "the machine's own service account".to_owned())
            }
        }
    }

    fn from_file(path: &Path) -> Result<Self, StoreError> {
        let error = |why: String| StoreError::Credentials(format!("{}: {why}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|cause| error(cause.to_string()))?;
        // The parser's message is not shown, because it could quote the secret.
        let file: File =
            serde_json::from_str(&text).map_err(|_| error("is not a credentials file".to_owned()))?;
        let name = path.to_str().ok_or_else(|| error("its name is not Unicode".to_owned()))?;
        let builder = GoogleCloudStorageBuilder::new();
        match file.kind.as_str() {
            "service_account" => Self::build(builder.with_service_account_path(name), file.client_email),
            "authorized_user" => {
                let who = if file.account.is_empty() { "the gcloud user" } else { &file.account };
                Self::build(builder.with_application_credentials(name), format!("{who} ({})", path.display()))
            }
            "external_account" | "impersonated_service_account" | "external_account_authorized_user" => {
                Err(error(format!(
                    "credentials of type {} are not supported yet; use a service account's key, a user's login \
                     (gcloud auth application-default login) or run where Workload Identity gives a token",
                    file.kind
                )))
            }
            other => Err(error(format!("credentials of type \"{other}\" are not known"))),
        }
    }

    /// Uses the account of a key that is held in memory. `name` tells people where it is from.
    ///
    /// # Errors
    /// It is no key of a service account. Nothing of it is in the message.
    pub(crate) fn of_key(text: &str, name: &str) -> Result<Self, String> {
        let file: File = serde_json::from_str(text).map_err(|_| "it is no key file of Google".to_owned())?;
        if file.kind != "service_account" {
            return Err("it is no key of a service account".to_owned());
        }
        let builder = GoogleCloudStorageBuilder::new().with_service_account_key(text);
        Self::build(builder, format!("{} ({name})", file.client_email))
            .map_err(|_| "its key can't be used".to_owned())
    }

    fn build(builder: GoogleCloudStorageBuilder, identity: String) -> Result<Self, StoreError> {
        // Only the provider of the built store is used; the bucket never is.
        let built = builder.with_bucket_name("unused").build();
        let built = built.map_err(|error| StoreError::Credentials(innermost(&error)))?;
        Ok(Self { provider: Some(built.credentials().clone()), identity })
    }

    /// True if Google is asked rather than an emulator.
    pub fn is_real(&self) -> bool {
        self.provider.is_some()
    }

    /// The name of the account, so that people recognise it.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// A bearer token; none for an emulator.
    pub(crate) async fn token(&self) -> Result<Option<String>, String> {
        let Some(provider) = &self.provider else { return Ok(None) };
        let credential = provider.get_credential().await;
        credential
            .map(|credential| Some(credential.bearer.clone()))
            .map_err(|error| format!("no token: {error}"))
    }
}
