//! The command line: flags become a request that can't be invalid, and the request is run.

pub mod app;
pub mod complete;
pub mod completion;
pub mod diff;
pub mod directories;
pub mod doctor;
pub mod explain;
pub mod fix;
pub mod inspect;
pub mod kube_flags;
pub mod lint;
pub mod man;
pub mod manifest;
pub mod orphans;
pub mod progress;
pub mod purge;
pub mod records;
pub mod select;
pub mod shared_flags;
pub mod storage;
pub mod streams;
pub mod template;
pub mod undo;
pub mod values;
pub mod warnings;
