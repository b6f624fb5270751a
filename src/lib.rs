//! Library behind `kubectl argo-gc`.

pub mod argo;
pub mod cluster;
pub mod error;
pub mod files;
pub mod gc;
pub mod output;
