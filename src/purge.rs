//! Purge: from a request to a plan, from a plan to deleted objects, and back from a journal.
//!
//! One direction: [`gather`] reads workflows and references, [`resolve`] asks storage and makes the
//! [`document::Plan`], [`execute`] carries out that plan and nothing else, [`settle`] tells the workflows,
//! [`undo`] brings back what a bucket still holds.

pub mod batch;
pub mod document;
pub mod execute;
pub mod gather;
pub mod journal;
pub mod resolve;
pub mod settle;
pub mod spill;
pub mod undo;

pub use document::{Draft, Plan};
pub use execute::{Executor, Tally};
pub use gather::Gathered;
pub use journal::Journal;
