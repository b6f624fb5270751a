//! A series is all runs of one cron workflow, of one template, or of neither.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Runs that are counted together. Failed runs are a series of their own, so that they do not displace
/// successful ones.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Series {
    pub(crate) namespace: String,
    pub(crate) made: Made,
    pub(crate) failed: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Made {
    Cron(String),
    Template(String),
    ClusterTemplate(String),
    GenerateName(String),
    /// The run comes from none of these: it was created by hand, with a name of its own.
    Otherwise,
}

impl Series {
    /// Returns the word to put before "runs".
    pub(crate) fn kind(&self) -> &'static str {
        if self.failed { "failed " } else { "" }
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.made {
            Made::Cron(name) => write!(f, "cron workflow {name}"),
            Made::Template(name) => write!(f, "template {name}"),
            Made::ClusterTemplate(name) => write!(f, "cluster template {name}"),
            Made::GenerateName(beginning) => write!(f, "generateName {beginning}"),
            Made::Otherwise => f.write_str("no template"),
        }
    }
}
