//! Manifests with the place of everything in them: what `lint` points at and `fix` edits.

pub mod diagnostics;
pub mod kustomize;
pub mod manifests;
pub mod paths;
pub mod source;
pub mod tree;
