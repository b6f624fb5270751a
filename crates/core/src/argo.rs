//! Argo's API as lenient serde types: only the fields this tool uses, for v3.4 to v4.1.
//!
//! Unknown fields are ignored, and `null` stands for "absent" wherever Go writes it (`docs/argo-gc.md#object-shapes`).

pub mod artifact;
pub mod config;
pub mod de;
pub(crate) mod gc_role;
pub mod kube_names;
pub mod list;
pub mod login;
pub mod meta;
pub mod names;
pub mod node;
pub mod nodes;
pub mod rbac;
pub mod related;
pub mod template;
pub mod uses;
pub mod version;
pub mod weight;
pub mod words;
pub mod workflow;
