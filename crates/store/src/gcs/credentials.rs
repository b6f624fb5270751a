//! Finds credentials for Google, and names their owner. google-cloud-auth makes the tokens.

use crate::gcs::token::{Maker, Tokens};
use crate::types::StoreError;
use google_cloud_auth::credentials::{external_account, impersonated, mds, service_account, user_account};
use serde_json::Value;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// What tokens are asked for: to read and delete objects, and to read a bucket's settings. A user's login and a
/// machine's account have the scopes that they were made with.
const SCOPES: [&str; 1] = ["https://www.googleapis.com/auth/devstorage.full_control"];

/// How long a token may take.
const PATIENCE: Duration = Duration::from_secs(45);

/// The variable with which Google's tools let credentials name a program.
const PROGRAMS: &str = "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES";

/// An account at Google, or none for an emulator.
#[derive(Clone)]
pub struct Credentials {
    tokens: Option<Arc<Tokens>>,
    identity: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({})", self.identity)
    }
}

impl Credentials {
    /// Sends no credentials, for emulators.
    pub fn none() -> Self {
        Self { tokens: None, identity: "an emulator without credentials".to_owned() }
    }

    /// Uses the account of a file, else that of the machine. Nothing is sent yet.
    ///
    /// # Errors
    /// The file can't be read, lacks what its kind needs, or its kind is not supported.
    pub fn find(file: Option<&Path>) -> Result<Self, StoreError> {
        let Some(path) = file else {
            let make = || mds::Builder::default().build_access_token_credentials();
            return Ok(Self::new(Box::new(make), Vec::new(), "the machine's own service account".to_owned()));
        };
        let error = |why: String| StoreError::Credentials(format!("{}: {why}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|cause| error(cause.to_string()))?;
        // The parser's message is not shown, because it could quote the secret.
        let file: Value =
            serde_json::from_str(&text).map_err(|_| error("is not a credentials file".to_owned()))?;
        Self::of_value(file, |file| owner(file, path)).map_err(error)
    }

    /// Uses the account of a credentials file's text. `name` tells people where it is from.
    ///
    /// # Errors
    /// It lacks what its kind needs, or its kind is not supported. Nothing of it is in the message.
    pub(crate) fn of_text(text: &str, name: &str) -> Result<Self, String> {
        let file: Value = serde_json::from_str(text).map_err(|_| "it is no credentials file".to_owned())?;
        Self::of_value(file, |file| match owner(file, Path::new(name)) {
            owner if owner.contains(name) => owner,
            owner => format!("{owner} ({name})"),
        })
    }

    /// Uses a service account's key. Whoever writes it may not be trusted with more: other kinds name programs and hosts.
    ///
    /// # Errors
    /// It is no key of a service account. Nothing of it is in the message.
    pub(crate) fn of_key(text: &str, name: &str) -> Result<Self, String> {
        let file: Value = serde_json::from_str(text).map_err(|_| "it is no key file of Google".to_owned())?;
        if kind(&file) != "service_account" {
            return Err("it is no key of a service account".to_owned());
        }
        Self::of_value(file, |file| format!("{} ({name})", self::text(file, "client_email")))
    }

    /// Whose it is, is asked of a file that has what its kind needs.
    fn of_value(mut file: Value, owner: impl FnOnce(&Value) -> String) -> Result<Self, String> {
        check(&file)?;
        let identity = owner(&file);
        if kind(&file) == "service_account" {
            // The library wants them, and a token can be had without.
            for field in ["project_id", "private_key_id"]
                .into_iter()
                .filter(|field| text(&file, field).is_empty())
                .collect::<Vec<_>>()
            {
                file[field] = "".into();
            }
        }
        let mut secrets = Vec::new();
        collect_secrets(&file, &mut secrets);
        let make: Maker = match kind(&file) {
            "service_account" => Box::new(move || {
                let scopes = service_account::AccessSpecifier::from_scopes(SCOPES);
                service_account::Builder::new(file.clone())
                    .with_access_specifier(scopes)
                    .build_access_token_credentials()
            }),
            "authorized_user" => {
                Box::new(move || user_account::Builder::new(file.clone()).build_access_token_credentials())
            }
            "external_account" => Box::new(move || {
                let builder = external_account::Builder::new(file.clone()).with_scopes(SCOPES);
                builder.build_access_token_credentials()
            }),
            _ => Box::new(move || {
                let builder = impersonated::Builder::new(in_one_chain(file.clone())).with_scopes(SCOPES);
                builder.build_access_token_credentials()
            }),
        };
        Ok(Self::new(make, secrets, identity))
    }

    fn new(make: Maker, secrets: Vec<String>, identity: String) -> Self {
        Self { tokens: Some(Arc::new(Tokens::new(make, secrets, PATIENCE))), identity }
    }

    /// True if Google is asked rather than an emulator.
    pub fn is_real(&self) -> bool {
        self.tokens.is_some()
    }

    /// The name of the account, so that people recognise it.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// A bearer token; none for an emulator.
    pub(crate) async fn token(&self) -> Result<Option<String>, String> {
        let Some(tokens) = &self.tokens else { return Ok(None) };
        match tokens.get().await {
            Ok(token) => Ok(Some(token)),
            Err(why) => Err(format!("no token for {}: {why}", self.identity)),
        }
    }
}

fn text<'f>(file: &'f Value, field: &str) -> &'f str {
    file[field].as_str().unwrap_or_default()
}

fn kind(file: &Value) -> &str {
    text(file, "type")
}

/// Whether a file has what its kind needs. The library would tell only when the first token is wanted.
fn check(file: &Value) -> Result<(), String> {
    let needed: &[&str] = match kind(file) {
        "service_account" => &["client_email", "private_key"],
        "authorized_user" => &["client_id", "client_secret", "refresh_token"],
        "external_account" => &["audience", "subject_token_type", "token_url"],
        "impersonated_service_account" => &["service_account_impersonation_url"],
        "external_account_authorized_user" => {
            return Err("credentials of type external_account_authorized_user, which a browser's login to a workforce \
                        pool makes, are not supported; use a service account that this user may impersonate, or a \
                        federation without a browser (external_account)"
                .to_owned());
        }
        other => return Err(format!("credentials of type \"{other}\" are not known")),
    };
    if let Some(missing) = needed.iter().find(|field| text(file, field).is_empty()) {
        return Err(format!("credentials of type {} need the field {missing}", kind(file)));
    }
    match kind(file) {
        "service_account" if !text(file, "private_key").contains("PRIVATE KEY-----") => {
            Err("its private_key is not a key in PEM".to_owned())
        }
        "external_account" => check_source(&file["credential_source"]),
        "impersonated_service_account" if impersonated_email(file).is_none() => {
            Err("its service_account_impersonation_url names no service account".to_owned())
        }
        "impersonated_service_account" => {
            check(&file["source_credentials"]).map_err(|why| format!("in source_credentials: {why}"))
        }
        _ => Ok(()),
    }
}

/// Whether the place where a federation's own token is to be had is of a known kind.
fn check_source(source: &Value) -> Result<(), String> {
    if source["executable"].is_object() && std::env::var(PROGRAMS).as_deref() != Ok("1") {
        return Err(format!(
            "a program provides its token; as with gcloud it is run only if {PROGRAMS} is set to 1"
        ));
    }
    let known = ["file", "url", "executable", "environment_id"];
    match known.iter().any(|field| !source[field].is_null()) {
        true => Ok(()),
        false => Err("its credential_source is neither a file, a URL, a program nor AWS".to_owned()),
    }
}

/// One impersonation within another as one that goes through the accounts between, which asks for the same roles. The
/// library takes no other.
fn in_one_chain(mut file: Value) -> Value {
    while kind(&file["source_credentials"]) == "impersonated_service_account" {
        let mut source = file["source_credentials"].take();
        let between =
            format!("projects/-/serviceAccounts/{}", impersonated_email(&source).unwrap_or_default());
        let delegates = |file: &Value| file["delegates"].as_array().cloned().unwrap_or_default();
        file["delegates"] = [delegates(&source), vec![between.into()], delegates(&file)].concat().into();
        file["source_credentials"] = source["source_credentials"].take();
    }
    file
}

/// The service account that a file impersonates.
fn impersonated_email(file: &Value) -> Option<&str> {
    let url = text(file, "service_account_impersonation_url");
    let (_, email) = url.split_once("/serviceAccounts/")?;
    let email = email.split([':', '/']).next()?;
    (!email.is_empty()).then_some(email)
}

/// Names the owner of a file that [`check`] lets pass.
fn owner(file: &Value, path: &Path) -> String {
    match kind(file) {
        "service_account" => text(file, "client_email").to_owned(),
        "authorized_user" => {
            let account = text(file, "account");
            let who = if account.is_empty() { "the gcloud user" } else { account };
            format!("{who} ({})", path.display())
        }
        "external_account" => {
            let audience = text(file, "audience");
            let pool = audience.strip_prefix("//iam.googleapis.com/").unwrap_or(audience);
            match impersonated_email(file) {
                Some(email) => format!("{email}, through {pool}"),
                None => format!("the federated identity of {pool}"),
            }
        }
        _ => {
            let email = impersonated_email(file).unwrap_or_default();
            format!("{email}, impersonated by {}", owner(&file["source_credentials"], path))
        }
    }
}

/// Adds the parts of a file that must not be shown.
fn collect_secrets(file: &Value, secrets: &mut Vec<String>) {
    for (name, value) in file.as_object().into_iter().flatten() {
        match value {
            Value::String(text) if ["client_secret", "refresh_token", "private_key"].contains(&&**name) => {
                secrets.push(text.clone());
            }
            Value::Object(_) if name == "headers" => {
                secrets.extend(
                    value
                        .as_object()
                        .into_iter()
                        .flatten()
                        .filter_map(|(_, value)| value.as_str().map(str::to_owned)),
                );
            }
            _ => collect_secrets(value, secrets),
        }
    }
}
