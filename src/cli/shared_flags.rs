//! Flags that several verbs share. A verb that needs another help text or more conflicts adds them with `mut_arg`.

use crate::cli::values::{namespace, version};
use crate::cluster::identity::ClusterIdentity;
use crate::duration;
use crate::duration::signed;
use crate::error::Error;
use crate::scan::other_cluster;
use crate::scan::other_cluster::OtherClusters;
use argo_gc_core::argo::version::Version;
use clap::Args;
use jiff::Timestamp;
use std::path::PathBuf;
use std::time::Duration;

/// Flags that name the files to read.
#[derive(Debug, Args)]
pub(crate) struct FileFlags {
    /// Files, directories or - (standard input) to read instead of a cluster: JSON or YAML.
    #[arg(short, long = "filename", value_name = "PATH")]
    pub files: Vec<PathBuf>,
    /// Descends into directories given with -f.
    #[arg(short = 'R', long, requires = "files")]
    pub recursive: bool,
}

/// The flag that widens a read to all namespaces.
#[derive(Debug, Args)]
pub(crate) struct ScopeFlags {
    /// All namespaces.
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    pub all_namespaces: bool,
}

/// Flags that name what other clusters on the same buckets need.
#[derive(Debug, Args)]
pub(crate) struct AlsoFlags {
    /// References of another cluster on the same buckets (`references -A`); whatever they name is kept.
    #[arg(long, value_name = "FILE", help_heading = "Safety")]
    pub also: Vec<PathBuf>,
    /// How old the documents of --also may be.
    #[arg(long, value_parser = duration::parse, default_value = "24h", value_name = "DURATION", help_heading = "Safety")]
    pub also_max_age: Duration,
}

impl AlsoFlags {
    /// The flags with which another command here reads the same documents.
    pub fn same(&self) -> Vec<String> {
        let age = format!("--also-max-age={}s", self.also_max_age.as_secs());
        let files = self.also.iter().map(|path| format!("--also={}", path.display()));
        files.chain((!self.also.is_empty()).then_some(age)).collect()
    }

    /// Reads the documents. `own` is the cluster at hand; none is given for files.
    pub fn read(&self, own: Option<&ClusterIdentity>, now: Timestamp) -> Result<OtherClusters, Error> {
        other_cluster::read(&self.also, signed(self.also_max_age), own, now)
    }
}

/// The flag that names the controller's version.
#[derive(Debug, Args)]
pub(crate) struct VersionFlags {
    /// Version of the controller that ran the workflows [default: read from its Deployment].
    #[arg(long, value_parser = version, value_name = "VERSION")]
    pub argo_version: Option<Version>,
}

impl VersionFlags {
    /// The flag with which another command takes the same version.
    pub fn same(&self) -> Option<String> {
        self.argo_version.map(|version| format!("--argo-version={version}"))
    }
}

impl ControllerFlags {
    /// The flag with which the same controllers count for another command.
    pub fn same(&self) -> Option<String> {
        self.controller_namespace.as_ref().map(|namespace| format!("--controller-namespace={namespace}"))
    }
}

/// The flag that says which controllers count.
#[derive(Debug, Args)]
pub(crate) struct ControllerFlags {
    /// Namespace of the controllers; no other counts then [default: those whose service account may manage workflows].
    #[arg(long, value_parser = namespace, value_name = "NS")]
    pub controller_namespace: Option<String>,
}
