//! The plugin behind `kubectl argo-gc`: it reads workflows, shows verdicts and deletes what nobody will collect.
//!
//! The rooms, from the command line down (`docs/architecture.md`):
//! - [`cli`] turns the command line into a request and runs it;
//! - [`purge`] carries out plans, [`fix`] edits manifests, [`output`] shows results;
//! - [`scan`] reads workflows, from a cluster, from files and from the archive;
//! - [`cluster`], [`files`] and [`syntax`] read Kubernetes objects; [`push`] hands metrics over and [`webhook`] a message, both by
//!   [`delivery`]; [`error`] words what went wrong.
//!
//! The rules are in the package `argo-gc-core`, object storage is in `argo-gc-store`.
//!
//! Nothing in the library looks at the terminal or the clock: see [`cli::streams::Streams`] and the `now` of
//! [`cli::app::run`]. Environment variables are read by clap, by its completion, for kube's configuration, by the clouds'
//! own chains of credentials, for the Argo server's token and proxy, for what the Pushgateway and a webhook need, and for the user's
//! directories, alone.

pub mod cli;
pub mod cluster;
pub mod delivery;
pub mod disk_queue;
pub mod duration;
pub mod error;
pub mod files;
pub mod fix;
pub mod interrupt;
pub mod output;
pub mod progress;
pub mod purge;
pub mod push;
pub mod scan;
pub mod syntax;
pub mod webhook;
