//! What an assessment says: the verdict of each artifact and of its workflow, with reasons and evidence.

use crate::argo::artifact::Strategy;
use crate::model::location::Location;
use crate::model::stored::Stored;
use crate::model::strategy::StrategySource;
use crate::reason::Reason;
use crate::verdict::{Finalizer, Verdict, When};
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;

/// What remains of artifacts nobody wants to see: enough to count them.
#[derive(Debug, Clone, Default)]
pub struct HiddenArtifacts {
    pub(crate) counts: BTreeMap<(Verdict, Option<Reason>), u64>,
    /// Hashes of their locations that name no workflow.
    pub(crate) fixed_keys: Vec<u64>,
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
    pub strategy_source: StrategySource,
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
    pub strategy_source: StrategySource,
    pub artifacts: Vec<ArtifactReport>,
    pub findings: Vec<Finding>,
    pub notes: Vec<Note>,
    /// Artifacts that were only counted.
    #[serde(skip)]
    pub aside: HiddenArtifacts,
}
