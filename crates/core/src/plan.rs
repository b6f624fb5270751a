//! The plan of a purge: which objects are deleted, and which are kept and why.

pub mod choice;
pub mod claim;
pub mod decide;
pub mod explanation;
pub mod guarded;
pub mod key_shape;
pub mod kubeflow;
pub mod lifecycle;
pub mod located;
pub mod named;
pub mod orphans;
pub mod planned;
pub mod planned_keys;
pub mod quarantine;
pub mod references;
pub mod retention;
pub mod rules;
pub mod select;
pub mod sharing;
pub mod told;
