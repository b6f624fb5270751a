//! The one reading of workflows, for every verb: from a cluster, from files, and from the archive.
//!
//! [`pages`] and [`archive`] read and decode, and let a [`visitor`] make something of each workflow: [`assess`] assesses
//! them for `inspect` and `doctor`, [`gather`] collects candidates and references for `purge` and `orphans`.

pub mod archive;
pub mod assess;
pub mod assess_archive;
pub mod assess_files;
pub mod begin;
pub mod check;
pub mod check_report;
pub mod cluster;
pub(crate) mod counted;
pub mod endangered;
pub mod examine;
pub mod files;
pub(crate) mod foreseen;
pub mod gather;
pub mod gathered;
pub mod identities;
pub mod key_places;
pub mod lookup;
pub mod orphans;
pub mod other_cluster;
pub mod pages;
pub mod records;
pub mod request;
pub mod selection;
pub mod tell;
pub mod terms;
pub mod visitor;
