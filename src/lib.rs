//! Library behind `kubectl argo-gc`.

pub mod argo;
