//! Object storage: looks up objects, and deletes exactly the objects that were planned.

pub mod api;
pub mod azure;
pub mod batch_lookup;
pub mod bucket_client;
mod bulk_delete;
pub mod cloud;
mod download;
pub mod gcs;
pub mod http;
pub mod identity;
pub mod inventory;
mod labels;
mod listing;
pub mod local;
mod mark;
mod outage;
pub mod parallel_list;
mod parse;
mod plain_list;
pub mod s3;
mod signing;
pub mod store;
mod tags;
pub mod throttle;
pub mod types;
