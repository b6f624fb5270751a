//! Manifests with the place of everything in them: what `lint` points at and `fix` edits.

pub mod report;
pub mod source;
pub mod tree;

pub use report::{Finding, Origin, Report};
pub use source::{Document, Source};
pub use tree::{Fault, Node};
