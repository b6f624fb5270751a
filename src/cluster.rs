//! The Kubernetes API server: connecting, raw reads with short retries, pages of workflows, related objects.
//!
//! Only [`write`] writes, and only `purge` calls it. Pages of workflows are handed on as bytes, which the caller decodes.

pub mod access;
pub mod accounts;
pub mod api_client;
pub mod argo_server;
pub mod buffer;
pub mod client;
pub mod controllers;
pub mod gathering;
pub mod identity;
pub mod listing;
pub mod manifests;
pub mod names;
pub mod pages;
pub mod paging;
pub mod references;
pub mod referrers;
pub mod related;
pub mod reviews;
pub mod secrets;
pub mod unread;
pub mod watch;
pub mod write;
