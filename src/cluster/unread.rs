//! Sources of references that could not be read: their names, and why.

use argo_gc_core::model::context::UnreadArchive;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// A source of references, or of what keeps artifacts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UnreadSource {
    Workflows,
    Nodes,
    Caches,
    Templates,
    ClusterTemplates,
    CronWorkflows,
    Sensors,
    Namespaces,
    Archive,
    Pods,
    /// An inspection of another cluster, named by `orphans --also`.
    Also,
}

impl UnreadSource {
    /// The sources that a user may accept as unread, in the order of the help text.
    pub const ACCEPTABLE: [Self; 10] = [
        Self::Workflows,
        Self::Nodes,
        Self::Caches,
        Self::Templates,
        Self::ClusterTemplates,
        Self::CronWorkflows,
        Self::Sensors,
        Self::Namespaces,
        Self::Archive,
        Self::Pods,
    ];

    /// The name on the command line and in documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Workflows => "workflows",
            Self::Nodes => "nodes",
            Self::Caches => "caches",
            Self::Templates => "templates",
            Self::ClusterTemplates => "cluster-templates",
            Self::CronWorkflows => "cron-workflows",
            Self::Sensors => "sensors",
            Self::Namespaces => "namespaces",
            Self::Archive => "archive",
            Self::Pods => "pods",
            Self::Also => "also",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ACCEPTABLE.into_iter().find(|source| source.as_str() == text)
    }
}

impl fmt::Display for UnreadSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A source that could not be read. Documents hold it as one string: `source: why`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    pub source: UnreadSource,
    pub why: String,
}

impl Unread {
    /// A source with the reason why it could not be read.
    pub fn new(source: UnreadSource, why: impl Into<String>) -> Self {
        Self { source, why: why.into() }
    }
}

impl From<UnreadArchive> for Unread {
    fn from(archive: UnreadArchive) -> Self {
        let why = match archive {
            UnreadArchive::NeedsServer => {
                "the controller archives workflows, and only an Argo server can show them: --argo-server"
            }
            UnreadArchive::MayExist => "it is unknown whether a controller archives workflows",
        };
        Self::new(UnreadSource::Archive, why)
    }
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.source, self.why)
    }
}

impl Serialize for Unread {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Unread {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let parts = text.split_once(": ");
        parts
            .and_then(|(source, why)| Some(Self::new(UnreadSource::parse(source)?, why)))
            .ok_or_else(|| serde::de::Error::custom(format!("{text:?} names no source of references")))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn documents_hold_one_string() {
        for source in UnreadSource::ACCEPTABLE {
            let unread = Unread::new(source, "forbidden: a: b");
            let text = serde_json::to_string(&unread).unwrap();
            assert_eq!(text, format!("\"{source}: forbidden: a: b\""));
            assert_eq!(serde_json::from_str::<Unread>(&text).unwrap(), unread);
        }
        for wrong in ["\"workflows\"", "\"others: x\"", "7"] {
            assert!(serde_json::from_str::<Unread>(wrong).is_err(), "{wrong}");
        }
    }
}
