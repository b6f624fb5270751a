//! The types that assessments, plans and output share.

pub mod account;
pub mod assessment;
pub mod bucket;
pub mod context;
pub mod controller;
pub mod engine;
pub mod gap;
pub mod location;
pub mod login;
pub mod object;
pub mod protection;
pub mod roles;
pub mod scope;
pub mod stored;
pub mod strategy;
pub(crate) mod variables;

/// The `apiVersion` of every document this plugin writes or reads.
pub const API_VERSION: &str = "argo-gc/v1";
