//! What an assessment says: the verdict of each artifact and of its workflow, with reasons and evidence.

use super::inspection::Aside;
use super::stored::Stored;
use super::{Location, Reason, Source};
use crate::argo::Strategy;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

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

/// One observed fact a verdict rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// Where it stands, as a field path (`status.artifactGCStatus.notSpecified`) or `Kind/name`.
    pub field: String,
    /// What stands there.
    pub value: String,
}

impl Evidence {
    pub fn new(field: impl Into<String>, value: impl Into<String>) -> Self {
        Self { field: field.into(), value: value.into() }
    }
}

/// A hazard or suspicion beside the verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    pub reason: Reason,
    /// What in particular; empty when the reason's title says all.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// One artifact: one object (or directory) of storage, with all the nodes that show it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ArtifactReport {
    pub name: String,
    /// The node's display name.
    pub node: String,
    pub node_id: String,
    /// The node's full name, `wf[0].step`: its path in the tree.
    pub node_name: String,
    pub node_type: String,
    /// The template the node was made from; empty for an inline one.
    pub template: String,
    /// Saved as it was, without archiving: perhaps a directory of objects.
    #[serde(skip)]
    pub unarchived: bool,
    /// Archived logs rather than a declared output.
    pub logs: bool,
    pub strategy: Strategy,
    pub strategy_source: Source,
    /// Service account of the GC pod; empty stands for the namespace's `default`.
    pub service_account: String,
    pub verdict: Verdict,
    pub reason: Option<Reason>,
    pub when: Option<When>,
    pub location: Option<Location>,
    /// Why there is no certain location; empty when there is.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub location_problem: String,
    pub evidence: Vec<Evidence>,
    pub notes: Vec<Note>,
    /// IDs of other nodes whose outputs show the same object.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub copies: Vec<String>,
    /// What storage holds of it; none when it wasn't looked up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stored: Option<Stored>,
}

/// Something wrong with a workflow itself rather than with one of its artifacts.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    pub verdict: Verdict,
    pub reason: Reason,
    pub evidence: Vec<Evidence>,
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

/// All that is said about one workflow.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Assessment {
    pub namespace: String,
    pub name: String,
    pub uid: String,
    pub phase: String,
    pub created_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    pub deletion_timestamp: Option<Timestamp>,
    pub finalizer: Finalizer,
    /// A row of the archive rather than a live object.
    pub archived: bool,
    /// The CronWorkflow it came from; empty when none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cron_workflow: String,
    /// Workflow-level strategy, where it comes from.
    pub strategy: Strategy,
    pub strategy_source: Source,
    pub artifacts: Vec<ArtifactReport>,
    pub findings: Vec<Finding>,
    pub notes: Vec<Note>,
    /// Artifacts that were only counted.
    #[serde(skip)]
    pub aside: Aside,
}
