//! Library behind `kubectl argo-gc`.

pub mod argo;
pub mod files;
pub mod gc;
