//! The one reading of workflows, for every verb: from a cluster, from files, and from the archive.

pub mod archive;
pub mod assess_pages;
pub mod check;
pub mod cluster;
pub mod files;
pub mod gather;
pub mod lookup;
pub mod other_cluster;
pub mod records;
pub mod selection;
