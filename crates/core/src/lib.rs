//! The pure core: which artifacts Argo collects, which it doesn't, and why.
//!
//! Nothing here reads a clock, a file or a socket; `now` and all objects are arguments.

pub mod argo;
pub mod assess;
pub mod diff;
pub mod doctor;
pub mod endangered;
pub mod hashes;
pub mod inspection;
pub mod lint;
pub mod model;
pub mod plan;
pub mod reason;
pub mod verdict;
