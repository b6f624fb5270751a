//! The result of an assessment: the verdict on each artifact and on its workflow, with reasons and evidence.

use crate::argo::artifact::Strategy;
use crate::argo::login::Login;
use crate::model::location::Location;
use crate::model::stored::Stored;
use crate::model::strategy::StrategySource;
use crate::reason::Reason;
use crate::verdict::{Finalizer, Verdict, When};
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The counts of artifacts that nobody asked to see.
#[derive(Debug, Clone, Default)]
pub struct HiddenArtifacts {
    pub(crate) counts: BTreeMap<(Verdict, Option<Reason>), u64>,
    pub(crate) fixed_keys: Vec<FixedKey>,
}

/// The hash of a location whose key does not name the workflow, so that other workflows may write it too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FixedKey(pub(crate) u64);

/// One observed fact that supports a verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// The origin of the value, as a field path (`status.artifactGCStatus.notSpecified`) or `Kind/name`.
    pub field: String,
    /// The observed value.
    pub value: String,
}

impl Evidence {
    pub fn new(field: impl Into<String>, value: impl Into<String>) -> Self {
        Self { field: field.into(), value: value.into() }
    }
}

/// A hazard or suspicion in addition to the verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    pub reason: Reason,
    /// The details; empty if the reason's title is enough.
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
    /// True if the artifact was saved without archiving, so it may be a directory of objects.
    #[serde(skip)]
    pub unarchived: bool,
    /// True for archived logs, false for a declared output.
    pub logs: bool,
    pub strategy: Strategy,
    pub strategy_source: StrategySource,
    /// The service account of the GC pod; empty means the namespace's `default`.
    pub service_account: String,
    pub verdict: Verdict,
    pub reason: Option<Reason>,
    pub when: Option<When>,
    pub location: Option<Location>,
    /// By which account Argo opens the location's bucket; none if by that of its pod.
    #[serde(skip)]
    pub login: Option<Arc<Login>>,
    /// The reason why there is no certain location; empty if there is one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub location_problem: String,
    pub evidence: Vec<Evidence>,
    pub notes: Vec<Note>,
    /// The IDs of other nodes whose outputs name the same object.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub copies: Vec<String>,
    /// The artifact's objects in storage; none if storage was not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stored: Option<Stored>,
}

impl ArtifactReport {
    /// Returns true if Argo's collection is still to come, and succeeds if somebody fixes what prevents it.
    pub fn is_to_come(&self) -> bool {
        self.when.is_some()
    }
}

/// A problem of a workflow itself, as opposed to one of its artifacts.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    pub verdict: Verdict,
    pub reason: Reason,
    pub evidence: Vec<Evidence>,
}

/// The assessment of one workflow.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Assessment {
    pub namespace: String,
    pub name: String,
    pub uid: String,
    pub phase: String,
    pub created_at: Option<Timestamp>,
    /// The end of the run, which is not before the creation, whatever the status says.
    pub finished_at: Option<Timestamp>,
    pub deletion_timestamp: Option<Timestamp>,
    /// The time at which the workflow's TTL deletes it, with the artifacts that wait for that; none without a TTL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    pub finalizer: Finalizer,
    /// True for a row of the archive, false for a live object.
    pub archived: bool,
    /// The CronWorkflow that created it; empty if none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cron_workflow: String,
    /// The WorkflowTemplate or ClusterWorkflowTemplate it was made from as a whole; empty if none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub workflow_template: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The object that sets the workflow-level strategy.
    pub strategy: Strategy,
    pub strategy_source: StrategySource,
    pub artifacts: Vec<ArtifactReport>,
    pub findings: Vec<Finding>,
    pub notes: Vec<Note>,
    /// The artifacts that were only counted.
    #[serde(skip)]
    pub aside: HiddenArtifacts,
}
