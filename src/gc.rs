//! The pure core: which artifacts Argo collects, which it doesn't, and why.
//!
//! Nothing here reads a clock, a file or a socket; `now` and all objects are arguments.

pub mod context;
pub mod coverage;
pub mod diff;
pub mod doctor;
pub mod inspection;
pub mod lifecycle;
pub mod lint;
pub mod location;
pub mod orphans;
pub mod plan;
pub mod policy;
pub mod protection;
pub mod reason;
pub mod reference;
pub mod report;
pub mod retention;
pub mod stored;

pub use context::{Context, Controller, Controllers, Kind, Related, ShownArchive};
pub use coverage::assess;
pub use inspection::{Gap, Inspection, Summary};
pub use location::Location;
pub use plan::{Kept, PlannedObject, PlannedWorkflow};
pub use policy::{Policy, Source};
pub use protection::Protection;
pub use reason::Reason;
pub use report::{ArtifactReport, Assessment, Evidence, Finding, Note, Verdict, When};
