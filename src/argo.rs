//! Argo's API as lenient serde types: only the fields this tool uses, for v3.4 to v4.1.
//!
//! Unknown fields are ignored, and `null` stands for "absent" wherever Go writes it (facts section 4).

pub mod artifact;
pub mod config;
pub mod de;
pub mod list;
pub mod meta;
pub mod names;
pub mod node;
pub mod nodes;
pub mod related;
pub mod template;
pub mod uses;
pub mod version;
pub mod workflow;

pub use artifact::{Artifact, ArtifactGc, ArtifactLocation, Strategy};
pub use meta::Meta;
pub use node::{NodeStatus, TemplateRef};
pub use nodes::{Nodes, NodesError};
pub use template::Template;
pub use uses::{Use, Uses};
pub use version::Version;
pub use workflow::Workflow;
