//! Flags for storage, its credentials, and the journal.

use crate::cli::directories::Folders;
use crate::cli::identities;
use crate::cli::identities::NamedIdentity;
use crate::cluster::client::Cluster;
use crate::error::Error;
use crate::purge::bucket_login::BucketLogin;
use crate::purge::plan_file::Head;
use crate::scan::identities::WorkflowIdentities;
use argo_gc_core::model::bucket::Bucket;
use argo_gc_core::model::engine::StorageEngine;
use argo_gc_core::model::location::public_endpoint;
use argo_gc_store::azure::credentials::AzureChain;
use argo_gc_store::cloud::{Cloud, CloudCredentials, Override};
use argo_gc_store::gcs::credentials::Credentials;
use argo_gc_store::identity::{Identities, Known};
use argo_gc_store::local::LocalBuckets;
use argo_gc_store::s3::credentials::AwsChain;
use argo_gc_store::store::Store;
use argo_gc_store::throttle::Throttle;
use clap::Args;
use jiff::Timestamp;
use std::path::{Path, PathBuf};
use std::sync::Arc;

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
    /// Opens one bucket with an account of its own: Google credentials for gs://, a file like ~/.aws/credentials or
    /// profile:NAME for s3://, an account key or shared access signature for Azure. BUCKET is as tables show it.
    #[arg(long, value_name = "BUCKET=FILE")]
    identity: Vec<NamedIdentity>,
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
        self.open_as(|by_hand| Arc::new(by_hand) as Arc<dyn Identities>)
    }

    /// As [`Self::open`], for a verb that may read the Secrets of workflows.
    pub fn open_with(&self, secrets: &SecretsFlag) -> Result<Opened, Error> {
        if !secrets.use_workflow_secrets {
            return Ok(Opened { store: self.open()?, identities: None });
        }
        if self.store_root.is_some() {
            return Err(Error::usage(
                "--use-workflow-secrets can't be used with --store-root: a directory needs no account",
            ));
        }
        let mut identities = None;
        let store = self.open_as(|by_hand| {
            let workflows = Arc::new(WorkflowIdentities::new(by_hand, self.emulator().is_some()));
            identities = Some(Arc::clone(&workflows));
            workflows
        })?;
        Ok(Opened { store, identities })
    }

    fn open_as(&self, with: impl FnOnce(Known) -> Arc<dyn Identities>) -> Result<Store, Error> {
        self.check_identities()?;
        if let Some(root) = &self.store_root {
            return LocalBuckets::directory(root).map(Store::Local).map_err(Error::new);
        }
        let throttle = Throttle::new(self.concurrency(), self.qps);
        let endpoint = self.emulator();
        if endpoint.is_some_and(|endpoint| endpoint.contains('@')) {
            return Err(Error::usage("invalid --gcs-endpoint: a user or password does not belong there"));
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
        let cloud =
            Cloud::new(endpoint.map(str::to_owned), credentials, self.endpoint_override.clone(), throttle)
                .map_err(Error::setting_up)?;
        Ok(Store::Cloud(cloud.with_identities(with(identities::read(&self.identity)?))))
    }

    /// Refuses accounts that no request would use.
    fn check_identities(&self) -> Result<(), Error> {
        if self.has_identities() && self.store_root.is_some() {
            return Err(Error::usage(
                "--identity can't be used with --store-root: a directory needs no account",
            ));
        }
        let is_google = |named: &&NamedIdentity| named.bucket.engine() == StorageEngine::Gcs;
        match self.identity.iter().find(is_google).filter(|_| self.emulator().is_some()) {
            Some(named) => Err(Error::usage(format!(
                "--identity {}=… can't be used with --gcs-endpoint: an emulator is asked without credentials",
                named.bucket
            ))),
            None => Ok(()),
        }
    }

    /// Whether buckets have accounts of their own.
    pub fn has_identities(&self) -> bool {
        !self.identity.is_empty()
    }

    fn emulator(&self) -> Option<&str> {
        self.gcs_endpoint.as_deref().filter(|endpoint| !endpoint.is_empty())
    }

    /// Whether variables of this process say where AWS is, which is part of the storage's name.
    pub fn follows_variables() -> bool {
        AwsChain::named_endpoint().is_some()
    }

    /// The flags with which another command here reaches the same storage with the same accounts.
    pub fn same(&self) -> Vec<String> {
        let mut flags = Vec::new();
        flags.extend(self.store_root.iter().map(|path| format!("--store-root={}", path.display())));
        flags.extend(self.emulator().map(|endpoint| format!("--gcs-endpoint={endpoint}")));
        let of_variable = std::env::var_os("GOOGLE_APPLICATION_CREDENTIALS");
        let credentials =
            self.credentials.iter().filter(|path| of_variable.as_deref() != Some(path.as_os_str()));
        flags.extend(credentials.map(|path| format!("--credentials={}", path.display())));
        flags
            .extend(self.endpoint_override.iter().map(|over| format!("--endpoint-override={}", over.flag())));
        let identity =
            |named: &NamedIdentity| format!("--identity={}={}", named.bucket, named.file.display());
        flags.extend(self.identity.iter().map(identity));
        flags
    }

    /// The flags with which the same storage is reached from elsewhere, but for credentials.
    pub fn carried(&self) -> Vec<String> {
        let mut flags = Vec::new();
        if let Some(endpoint) = self.emulator() {
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
        match (&self.store_root, self.emulator()) {
            (Some(root), _) => {
                let root = root.canonicalize().unwrap_or_else(|_| root.clone());
                format!("directory {}", root.display())
            }
            (None, endpoint) => {
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

/// The flag that lets workflows' Secrets be read.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Storage")]
pub(crate) struct SecretsFlag {
    /// Opens buckets with the accounts that the workflows name beside them, as Argo does, and reads their Secrets for that.
    /// Without it no Secret is ever read.
    #[arg(long)]
    pub use_workflow_secrets: bool,
}

impl SecretsFlag {
    /// # Errors
    /// The flag is given, and the workflows come from files.
    pub fn refuse_with_files(&self) -> Result<(), Error> {
        match self.use_workflow_secrets {
            true => Err(Error::usage(
                "--use-workflow-secrets can't be used with -f: Secrets are read from the cluster",
            )),
            false => Ok(()),
        }
    }
}

/// The storage, and the accounts that workflows name for it, if these are to be used.
pub(crate) struct Opened {
    pub store: Store,
    pub identities: Option<Arc<WorkflowIdentities>>,
}

impl Opened {
    /// The storage of a plan that was made before, with the accounts that it was made with: their Secrets are read anew.
    ///
    /// # Errors
    /// The plan was made with Secrets, and the user does not say that they may be read.
    pub fn for_plan(
        self,
        head: &Head,
        flags: &StorageFlags,
        cluster: Option<&Cluster>,
    ) -> Result<Store, Error> {
        let Self { store, identities } = self;
        let by_hand = |bucket: &Bucket| flags.identity.iter().any(|named| named.bucket == *bucket);
        match (identities, head.identities.iter().find(|one| !by_hand(&one.bucket))) {
            (Some(identities), _) => {
                identities.tell(BucketLogin::logins(&head.identities));
                cluster.into_iter().for_each(|cluster| identities.connect(cluster));
            }
            (None, Some(BucketLogin { bucket, login })) => {
                return Err(Error::refused(format!("the plan was made with {login} for {bucket}")).hint(
                    "--use-workflow-secrets reads it again, --identity BUCKET=FILE names an account by hand",
                ));
            }
            (None, None) => {}
        }
        Ok(store)
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
    /// Looks before a question is asked whether a journal can be written after it.
    ///
    /// # Errors
    /// It can't.
    pub fn ensure_room(&self) -> Result<(), Error> {
        let folder = match (&self.journal, Folders::of_user().journals()) {
            (Some(file), _) => file.parent().map_or_else(PathBuf::new, PathBuf::from),
            (None, Some(folder)) => folder,
            // That there is none is told where it is named.
            (None, None) => return self.journal("", Timestamp::now()).map(drop),
        };
        // Folders are made only once something is deleted.
        let mut there = folder.as_path();
        while !there.exists()
            && let Some(above) = there.parent()
        {
            there = above;
        }
        let there = if there.as_os_str().is_empty() { Path::new(".") } else { there };
        tempfile::tempfile_in(there).map(drop).map_err(|error| {
            Error::new(format!("no journal can be written in {}: {error}", folder.display()))
                .hint("name a file elsewhere with --journal")
        })
    }

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
