//! Sources of references that could not be read: their names, and why.

use argo_gc_core::model::context::UnreadArchive;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// How many objects are accepted one by one.
const NAMED: usize = 8;

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
        }
    }

    /// The source of a name.
    pub fn parse(text: &str) -> Option<Self> {
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
    /// `namespace/name` if only this one object of the source is unread; else empty. A document does not hold it.
    pub object: String,
    pub why: String,
}

/// What a user accepts as unread: a source, or one object of it. It is written `nodes` or `nodes:namespace/name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    pub source: UnreadSource,
    /// Empty for all of the source.
    pub object: String,
}

impl Accepted {
    /// Whether this is accepted.
    pub fn takes(&self, unread: &Unread) -> bool {
        self.source == unread.source && (self.object.is_empty() || self.object == unread.object)
    }

    /// What to accept so that these are taken and, unless they are many, nothing else: as the value of a flag.
    pub fn exactly(unread: &[&Unread]) -> String {
        let mut values: Vec<String> = unread.iter().map(|unread| Self::of(unread).to_string()).collect();
        values.dedup();
        if values.len() > NAMED {
            values = unread.iter().map(|unread| unread.source.to_string()).collect();
            values.dedup();
        }
        values.join(",")
    }

    fn of(unread: &Unread) -> Self {
        Self { source: unread.source, object: unread.object.clone() }
    }
}

impl std::str::FromStr for Accepted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (source, object) = match text.split_once(':') {
            Some((_, "")) => return Err(format!("{text:?} names no object after the colon")),
            Some((source, object)) => (source, object),
            None => (text, ""),
        };
        let source = UnreadSource::parse(source).ok_or_else(|| format!("{source:?} is no source"))?;
        Ok(Self { source, object: object.to_owned() })
    }
}

impl fmt::Display for Accepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.object.as_str() {
            "" => write!(f, "{}", self.source),
            object => write!(f, "{}:{object}", self.source),
        }
    }
}

impl Unread {
    /// A source with the reason why it could not be read.
    pub fn new(source: UnreadSource, why: impl Into<String>) -> Self {
        Self { source, object: String::new(), why: why.into() }
    }

    /// One object of a source, `namespace/name`, with what it is called and the reason why it could not be read.
    pub fn object(source: UnreadSource, what: &str, object: &str, why: impl fmt::Display) -> Self {
        Self { source, object: object.to_owned(), why: format!("{what} {object}: {why}") }
    }

    /// Whether an Argo server can show it.
    pub fn is_of_argo(&self) -> bool {
        matches!(self.source, UnreadSource::Nodes | UnreadSource::Archive)
    }

    /// Whether a document says the same of the same source.
    pub fn is_known_as(&self, saved: &Self) -> bool {
        self.source == saved.source && self.why == saved.why
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
    fn one_object_is_accepted_or_all() {
        let one = Unread::object(UnreadSource::Nodes, "workflow", "ml/x", "offloaded");
        let all = Unread::new(UnreadSource::Nodes, "forbidden");
        assert_eq!(one.to_string(), "nodes: workflow ml/x: offloaded");
        let accepted = |text: &str| text.parse::<Accepted>().unwrap();
        for (text, takes_one, takes_all) in [
            ("nodes", true, true),
            ("nodes:ml/x", true, false),
            ("nodes:ml/xy", false, false),
            ("workflows:ml/x", false, false),
        ] {
            assert_eq!(accepted(text).takes(&one), takes_one, "{text}");
            assert_eq!(accepted(text).takes(&all), takes_all, "{text}");
            assert_eq!(accepted(text).to_string(), text);
        }
        assert_eq!(Accepted::exactly(&[&one, &all]), "nodes:ml/x,nodes");
        let many: Vec<Unread> = (0..9)
            .map(|n| Unread::object(UnreadSource::Nodes, "workflow", &format!("ml/{n}"), "x"))
            .collect();
        assert_eq!(Accepted::exactly(&many.iter().collect::<Vec<_>>()), "nodes");
        for wrong in ["", "nodes:", "others:ml/x", ":ml/x"] {
            assert!(wrong.parse::<Accepted>().is_err(), "{wrong}");
        }
        let saved: Unread = serde_json::from_value(serde_json::to_value(&one).unwrap()).unwrap();
        assert!(one.is_known_as(&saved) && !all.is_known_as(&saved));
    }

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
