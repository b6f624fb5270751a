//! Flags for storage, its credentials, and the journal.

use crate::cli::directories::Folders;
use crate::error::Error;
use argo_gc_core::model::engine::StorageEngine;
use argo_gc_core::model::location::public_endpoint;
use argo_gc_store::azure::credentials::AzureChain;
use argo_gc_store::cloud::{Cloud, CloudCredentials, Override};
use argo_gc_store::gcs::credentials::Credentials;
use argo_gc_store::identity::Identity;
use argo_gc_store::local::LocalBuckets;
use argo_gc_store::s3::credentials::AwsChain;
use argo_gc_store::store::Store;
use argo_gc_store::throttle::Throttle;
use clap::Args;
use jiff::Timestamp;
use std::path::PathBuf;

/// Flags that say where the buckets are and how they are asked.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Storage")]
pub(crate) struct StorageFlags {
    /// Directory whose folders stand in for buckets, instead of all real storage.
    #[arg(long, value_name = "DIR")]
    pub store_root: Option<PathBuf>,
    /// Google credentials file; AWS and Azure have variables and files of their own [default: gcloud's login, else the
    /// machine's account].
    #[arg(long, env = "GOOGLE_APPLICATION_CREDENTIALS", hide_env_values = true, value_name = "FILE")]
    credentials: Option<PathBuf>,
    /// Another endpoint of the GCS API: an emulator, asked without credentials.
    #[arg(long, env = "STORAGE_EMULATOR_HOST", hide_env_values = true, value_name = "URL")]
    gcs_endpoint: Option<String>,
    /// Lets a host that workflows name be asked, at this URL, such as minio:9000=http://localhost:9000; {bucket} in it
    /// stands for the bucket's name.
    #[arg(long, value_name = "HOST=URL")]
    endpoint_override: Vec<Override>,
    /// The account for one bucket, if several are needed: gs://BUCKET=FILE with Google credentials,
    /// s3://BUCKET=profile:NAME of AWS's files, https://ACCOUNT.blob.core.windows.net/CONTAINER=FILE with an account key.
    #[arg(long, value_name = "BUCKET=FILE")]
    identity: Vec<Identity>,
    /// Requests to storage at a time, up to 1024.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=1024), value_name = "N")]
    concurrency: u16,
    /// Requests to storage a second, at the most [default: no limit].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000), value_name = "N")]
    qps: Option<u32>,
}

impl StorageFlags {
    /// Opens the storage. No request is sent yet.
    pub fn open(&self) -> Result<Store, Error> {
        if let Some(root) = &self.store_root {
            if self.names_identities() {
                return Err(Error::usage(
                    "--identity can't be used with --store-root: directories have no accounts",
                ));
            }
            return LocalBuckets::directory(root).map(Store::Local).map_err(Error::new);
        }
        let throttle = Throttle::new(self.concurrency(), self.qps);
        let endpoint = self.gcs_endpoint.as_deref().filter(|endpoint| !endpoint.is_empty());
        if endpoint.is_some_and(|endpoint| endpoint.contains('@')) {
            return Err(Error::usage("invalid --gcs-endpoint: a user or password does not belong there"));
        }
        let is_google = |identity: &Identity| identity.bucket().engine() == StorageEngine::Gcs;
        if endpoint.is_some() && self.identity.iter().any(is_google) {
            return Err(Error::usage(
                "--identity for GCS can't be used with --gcs-endpoint: an emulator gets no credentials",
            ));
        }
        let credentials = match endpoint {
            Some(_) => Credentials::none(),
            None => {
                let file = self.credentials.clone().or_else(|| Folders::of_user().gcloud_login());
                Credentials::find(file.as_deref()).map_err(Error::setting_up)?
            }
        };
        // Credentials of AWS and Azure are looked for when the first bucket of theirs is used.
        let credentials =
            CloudCredentials { google: credentials, aws: AwsChain::default(), azure: AzureChain::default() };
        Cloud::new(endpoint.map(str::to_owned), credentials, self.endpoint_override.clone(), throttle)
            .and_then(|cloud| cloud.with_identities(&self.identity))
            .map(Store::Cloud)
            .map_err(Error::setting_up)
    }

    /// Whether variables of this process say where AWS is, which is part of the storage's name.
    pub fn follows_variables() -> bool {
        AwsChain::named_endpoint().is_some()
    }

    /// Whether buckets have accounts of their own, which are files of this machine.
    pub fn names_identities(&self) -> bool {
        !self.identity.is_empty()
    }

    /// The flags with which the same storage is reached from elsewhere, but for credentials.
    pub fn carried(&self) -> Vec<String> {
        let mut flags = Vec::new();
        if let Some(endpoint) = self.gcs_endpoint.as_deref().filter(|endpoint| !endpoint.is_empty()) {
            flags.push(format!("--gcs-endpoint={endpoint}"));
        }
        flags
            .extend(self.endpoint_override.iter().map(|over| format!("--endpoint-override={}", over.flag())));
        flags.push(format!("--concurrency={}", self.concurrency));
        flags.extend(self.qps.map(|qps| format!("--qps={qps}")));
        flags
    }

    pub fn concurrency(&self) -> usize {
        self.concurrency.into()
    }

    /// Returns the text by which a saved plan knows this storage from another. It is shown and saved, so it has no
    /// password in it.
    pub fn name(&self) -> String {
        match (&self.store_root, &self.gcs_endpoint) {
            (Some(root), _) => {
                let root = root.canonicalize().unwrap_or_else(|_| root.clone());
                format!("directory {}", root.display())
            }
            (None, endpoint) => {
                let endpoint = endpoint.as_deref().filter(|endpoint| !endpoint.is_empty());
                let gcs = endpoint
                    .map_or_else(|| "cloud".to_owned(), |url| format!("gcs at {}", public_endpoint(url)));
                // Another endpoint for the same host may be another server: it may hold none of the objects, or a copy.
                let mut over: Vec<String> = self.endpoint_override.iter().map(ToString::to_string).collect();
                over.extend(
                    AwsChain::named_endpoint().map(|url| format!("AWS at {}", public_endpoint(&url))),
                );
                over.sort();
                over.dedup();
                [vec![gcs], over].concat().join(", ")
            }
        }
    }
}

/// The flag that says where the journal is written.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Deleting")]
pub(crate) struct StateFlags {
    /// Where to write what is deleted, for --resume and `undo` [default: a new file in ~/.local/state/argo-gc; on Windows
    /// in %LOCALAPPDATA%\argo-gc].
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
}

impl StateFlags {
    /// Returns the path of the journal of a run that begins now.
    pub fn journal(&self, hash: &str, now: Timestamp) -> Result<PathBuf, Error> {
        if let Some(path) = &self.journal {
            return Ok(path.clone());
        }
        let Some(folder) = Folders::of_user().journals() else {
            return Err(
                Error::new("there is no home directory for the journal").hint("name a file with --journal")
            );
        };
        let time = now.strftime("%Y%m%dT%H%M%S%fZ");
        Ok(folder.join(format!("purge-{time}-{}.jsonl", hash.get(..8).unwrap_or_default())))
    }
}
