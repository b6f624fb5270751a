//! The Kubernetes API server: connecting, raw reads with short retries, pages of workflows, related objects.
//!
//! Only [`write`] writes, and only `purge` calls it. Bodies are handed on as bytes; decoding them is the
//! caller's work.

pub mod access;
pub mod accounts;
pub mod api_client;
pub mod argo_server;
pub mod buffer;
pub mod client;
pub mod identity;
pub mod manifests;
pub mod names;
pub mod pages;
pub mod references;
pub mod related;
pub mod write;

use std::time::Duration;

/// Attempts in all at one read.
pub(crate) const TRIES: u32 = 4;

/// The longest wait a server can ask for.
pub(crate) const MAX_WAIT: Duration = Duration::from_secs(10);
