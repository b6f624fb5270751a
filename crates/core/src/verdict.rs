//! Verdicts, the times they take effect, and the state of the finalizer.

use serde::{Deserialize, Serialize};

/// A class of artifacts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    Logs,
    Artifacts,
}

/// The verdict on an artifact: whether it will be deleted. Verdicts are ordered from worst to best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Nobody will delete it.
    Uncovered,
    /// Argo tried to delete it or will try, and fails.
    Failing,
    /// Argo will delete its object although something needs it.
    Endangered,
    /// The evidence is not sufficient; such an artifact is never shown as covered.
    Unknown,
    /// A user explicitly set the strategy `Never`.
    Kept,
    /// Argo will delete it.
    Covered,
    /// Argo recorded it deleted, or storage was asked and holds nothing of what nobody would delete.
    Collected,
}

impl Verdict {
    /// All verdicts, worst first.
    pub const ALL: [Self; 7] = [
        Self::Uncovered,
        Self::Failing,
        Self::Endangered,
        Self::Unknown,
        Self::Kept,
        Self::Covered,
        Self::Collected,
    ];

    /// Returns the word that users type and read.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Uncovered => "uncovered",
            Self::Failing => "failing",
            Self::Endangered => "endangered",
            Self::Unknown => "unknown",
            Self::Kept => "kept",
            Self::Covered => "covered",
            Self::Collected => "collected",
        }
    }

    /// Returns true if the verdict is one that a user should look into.
    pub fn is_problem(self) -> bool {
        self <= Self::Unknown
    }
}

/// The time at which Argo deletes a covered artifact.
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
    /// The finalizer is present, and according to the assessment nothing will remove it.
    Stuck,
}
