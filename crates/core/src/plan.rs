//! The plan of a purge: which objects are deleted, and which are kept and why.

pub mod decide;
pub mod lifecycle;
pub mod orphans;
pub mod planned;
pub mod references;
pub mod retention;
pub mod rules;
pub mod select;
pub mod sharing;
