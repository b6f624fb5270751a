//! Library behind `kubectl argo-gc`.

pub mod argo;
pub mod gc;
pub mod files;
