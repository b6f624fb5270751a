//! Flags that several verbs share. A verb that needs another help text or more conflicts adds them with `mut_arg`.

use crate::cli::values::{namespace, version};
use argo_gc_core::argo::version::Version;
use clap::Args;
use std::path::PathBuf;

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

/// The flag that names the controller's version.
#[derive(Debug, Args)]
pub(crate) struct VersionFlags {
    /// Version of the controller that ran the workflows [default: read from its Deployment].
    #[arg(long, value_parser = version, value_name = "VERSION")]
    pub argo_version: Option<Version>,
}

/// The flag that says which controllers count.
#[derive(Debug, Args)]
pub(crate) struct ControllerFlags {
    /// Namespace of the controllers; no other counts then [default: those whose service account may manage workflows].
    #[arg(long, value_parser = namespace, value_name = "NS")]
    pub controller_namespace: Option<String>,
}
