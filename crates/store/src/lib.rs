//! Object storage: looks up objects, and deletes exactly the objects that were planned.

pub mod api;
pub mod azure;
pub mod batch_lookup;
pub mod bucket_client;
pub mod cloud;
pub mod gcs;
pub mod http;
pub mod identity;
mod listing;
pub mod local;
mod outage;
pub mod parallel_list;
mod parse;
pub mod s3;
mod signing;
pub mod store;
pub mod throttle;
pub mod types;
