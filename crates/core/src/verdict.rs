//! Verdicts, the times they take effect, and the state of the finalizer.

use serde::{Deserialize, Serialize};

/// A class of artifacts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    Logs,
    Artifacts,
}

/// What becomes of an artifact. Ordered from the worst news to the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Nobody will delete it.
    Uncovered,
    /// Argo tried or will try, and can't.
    Failing,
    /// We can't see enough; never shown as covered.
    Unknown,
    /// Someone asked for `Never`, on purpose.
    Kept,
    /// Argo will delete it.
    Covered,
    /// Argo recorded it deleted.
    Collected,
}

impl Verdict {
    /// All of them, worst first.
    pub const ALL: [Self; 6] =
        [Self::Uncovered, Self::Failing, Self::Unknown, Self::Kept, Self::Covered, Self::Collected];

    /// The word users type and read.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Uncovered => "uncovered",
            Self::Failing => "failing",
            Self::Unknown => "unknown",
            Self::Kept => "kept",
            Self::Covered => "covered",
            Self::Collected => "collected",
        }
    }

    /// Whether a user has something to look into.
    pub fn is_problem(self) -> bool {
        self <= Self::Unknown
    }
}

/// When a covered artifact goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum When {
    /// When the workflow's phase becomes final.
    OnCompletion,
    /// When the Workflow object is deleted.
    OnDeletion,
    /// The strategy is ready or a GC pod is at work.
    Now,
}

/// The state of the artifact-gc finalizer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finalizer {
    Absent,
    Present,
    /// Present, and by the assessment nothing will remove it.
    Stuck,
}
