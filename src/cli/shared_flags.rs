//! Flags that several verbs share, each declared once. A verb that means more by one of them adds to it with `mut_arg`.

use crate::cli::values::version;
use argo_gc_core::argo::version::Version;
use clap::Args;
use std::path::PathBuf;

/// Files to read.
#[derive(Debug, Args)]
pub(crate) struct FileFlags {
    /// Files, directories or - (standard input) to read instead of a cluster: JSON or YAML.
    #[arg(short, long = "filename", value_name = "PATH")]
    pub files: Vec<PathBuf>,
    /// Descends into directories given with -f.
    #[arg(short = 'R', long, requires = "files")]
    pub recursive: bool,
}

/// The part of the cluster to read.
#[derive(Debug, Args)]
pub(crate) struct ScopeFlags {
    /// All namespaces.
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    pub all_namespaces: bool,
}

/// The controller whose behaviour is assumed.
#[derive(Debug, Args)]
pub(crate) struct VersionFlags {
    /// Version of the controller that ran the workflows [default: read from its Deployment].
    #[arg(long, value_parser = version, value_name = "VERSION")]
    pub argo_version: Option<Version>,
}
