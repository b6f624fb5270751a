//! Library behind `kubectl argo-gc`: which artifacts of Argo Workflows are garbage-collected, and why not.
//!
//! The house, in the order data passes through it:
//! - [`cli`] turns the command line into a request and runs it;
//! - [`cluster`] and [`files`] read Kubernetes objects, from an API server or from files;
//! - [`argo`] is their shape; [`gc`] the pure core that gives verdicts;
//! - [`output`] shows them, one file a format; [`error`] words what went wrong.
//!
//! Nothing in the library looks at the terminal or the clock: see [`cli::Streams`] and the `now` of
//! [`cli::run`]. Environment variables are read by clap, by its completion, for kube's configuration, by the clouds' own
//! chains of credentials, for the Argo server's token and proxy, and for the user's folders, alone.

pub mod cli;
pub mod cluster;
pub mod disk_queue;
pub mod duration;
pub mod error;
pub mod files;
pub mod fix;
pub mod interrupt;
pub mod output;
pub mod purge;
pub mod scan;
pub mod syntax;
