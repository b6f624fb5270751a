//! Object storage: looking at objects, and deleting exactly the one that was planned.

pub mod api;
pub mod azure;
pub mod batch_lookup;
pub mod bucket_client;
pub mod cloud;
pub mod gcs;
pub mod http;
pub mod local;
pub mod parallel_list;
pub mod s3;
pub mod store;
pub mod throttle;
pub mod types;
pub mod xml;

/// Looks at a time where many are wanted; the throttle bounds the requests.
pub(crate) const AT_A_TIME: usize = 64;
