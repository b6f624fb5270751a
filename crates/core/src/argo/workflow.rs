//! The Workflow object.

use crate::argo::artifact::{self, Artifact, ArtifactGc, ArtifactLocation};
use crate::argo::meta::Meta;
use crate::argo::node::{Inputs, NodeStatus, Outputs, TemplateRef};
use crate::argo::template::{Hook, Template, TemplateOutputs};
use crate::argo::{de, names};
use jiff::Timestamp;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A Workflow, live or from a file or archive.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Workflow {
    #[serde(deserialize_with = "de::or_default")]
    pub metadata: Meta,
    #[serde(deserialize_with = "de::or_default")]
    pub spec: WorkflowSpec,
    #[serde(deserialize_with = "de::or_default")]
    pub status: WorkflowStatus,
}

/// `spec` of a Workflow or a WorkflowTemplate.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkflowSpec {
    #[serde(rename = "artifactGC")]
    pub artifact_gc: Option<ArtifactGc>,
    pub workflow_template_ref: Option<TemplateRef>,
    #[serde(deserialize_with = "de::or_default")]
    pub arguments: Inputs,
    #[serde(deserialize_with = "de::or_default")]
    pub templates: Vec<Template>,
    pub template_defaults: Option<TemplateDefaults>,
    #[serde(deserialize_with = "de::or_default")]
    pub hooks: BTreeMap<String, Hook>,
    #[serde(deserialize_with = "de::or_default")]
    pub service_account_name: String,
    #[serde(deserialize_with = "de::or_default")]
    pub entrypoint: String,
    /// True if it is set, whatever it is.
    #[serde(deserialize_with = "de::present")]
    pub suspend: bool,
    #[serde(deserialize_with = "de::or_default")]
    pub shutdown: String,
    pub ttl_strategy: Option<TtlStrategy>,
}

impl WorkflowSpec {
    /// Returns what each template runs, by its name.
    pub fn programs(&self) -> BTreeMap<String, Program> {
        let program = |template: &Template| (template.container, template.script);
        self.templates.iter().map(|template| (template.name.clone(), program(template))).collect()
    }
}

/// The hashes of a template's container and script.
pub type Program = (Option<u64>, Option<u64>);

/// `ttlStrategy`: seconds until the finished workflow is deleted.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TtlStrategy {
    pub seconds_after_completion: Option<i64>,
    pub seconds_after_success: Option<i64>,
    pub seconds_after_failure: Option<i64>,
}

impl TtlStrategy {
    /// Returns the seconds from the end of a run of this phase to its deletion (ttl,
    /// workflow/gccontroller/gc_controller.go@v4.1.2); none if the TTL does not apply.
    pub fn seconds(&self, phase: &str) -> Option<i64> {
        let own = match phase {
            "Succeeded" => self.seconds_after_success,
            "Failed" => self.seconds_after_failure,
            "Error" => None,
            _ => return None,
        };
        own.or(self.seconds_after_completion)
    }
}

/// `templateDefaults`: merged into each template at run time only.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TemplateDefaults {
    #[serde(deserialize_with = "de::or_default")]
    pub outputs: TemplateOutputs,
    #[serde(deserialize_with = "artifact::measured")]
    pub archive_location: Option<ArtifactLocation>,
}

/// `status` of a Workflow.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkflowStatus {
    #[serde(deserialize_with = "de::or_default")]
    pub phase: String,
    #[serde(deserialize_with = "de::time")]
    pub started_at: Option<Timestamp>,
    #[serde(deserialize_with = "de::time")]
    pub finished_at: Option<Timestamp>,
    #[serde(deserialize_with = "de::or_default")]
    pub message: String,
    /// The finished of all nodes, as `n/m`.
    #[serde(deserialize_with = "de::or_default")]
    pub progress: String,
    #[serde(deserialize_with = "de::or_default")]
    pub nodes: BTreeMap<String, NodeStatus>,
    #[serde(deserialize_with = "de::or_default")]
    pub compressed_nodes: String,
    #[serde(deserialize_with = "de::or_default")]
    pub offload_node_status_version: String,
    #[serde(deserialize_with = "de::or_default")]
    pub stored_templates: BTreeMap<String, Template>,
    pub stored_workflow_template_spec: Option<WorkflowSpec>,
    #[serde(deserialize_with = "de::or_default")]
    pub conditions: Vec<Condition>,
    #[serde(deserialize_with = "de::or_default")]
    pub outputs: Outputs,
    pub artifact_repository_ref: Option<RepositoryRef>,
    #[serde(rename = "artifactGCStatus")]
    pub artifact_gc_status: Option<ArtifactGcStatus>,
    /// v3.5.2 calls this field `taskResultsCompleted`.
    #[serde(alias = "taskResultsCompleted", deserialize_with = "de::or_default")]
    pub task_results_completion_status: BTreeMap<String, bool>,
}

/// `status.artifactGCStatus`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ArtifactGcStatus {
    #[serde(deserialize_with = "de::or_default")]
    pub strategies_processed: BTreeMap<String, bool>,
    #[serde(deserialize_with = "de::or_default")]
    pub pods_recouped: BTreeMap<String, bool>,
    #[serde(deserialize_with = "de::or_default")]
    pub not_specified: bool,
}

/// A status condition.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Condition {
    #[serde(rename = "type", deserialize_with = "de::or_default")]
    pub kind: String,
    #[serde(deserialize_with = "de::or_default")]
    pub status: String,
    #[serde(deserialize_with = "de::or_default")]
    pub message: String,
}

/// `status.artifactRepositoryRef`, with the full copy of the repository it was resolved to.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RepositoryRef {
    #[serde(deserialize_with = "artifact::measured")]
    pub artifact_repository: Option<ArtifactLocation>,
}

impl Workflow {
    /// Returns true if the workflow has the artifact-gc finalizer.
    pub fn has_gc_finalizer(&self) -> bool {
        self.metadata.finalizers.iter().any(|finalizer| finalizer == names::GC_FINALIZER)
    }

    /// Returns true if the phase is final: Succeeded, Failed or Error.
    pub fn is_terminal(&self) -> bool {
        matches!(self.status.phase.as_str(), "Succeeded" | "Failed" | "Error")
    }

    /// Returns true if the phase is final and the completed label does not contradict it; the controller sets
    /// both together.
    pub fn is_over(&self) -> bool {
        self.is_terminal() && self.metadata.label(names::COMPLETED) != "false"
    }

    /// Returns the time at which the run began; none if its status names no start. What users of the namespace write
    /// into the status counts only from the creation on, whose time the server sets.
    pub fn began(&self) -> Option<Timestamp> {
        self.since_creation(self.status.started_at)
    }

    /// Returns the time at which the run ended, as [`Self::began`] does.
    pub fn ended(&self) -> Option<Timestamp> {
        self.since_creation(self.status.finished_at)
    }

    fn since_creation(&self, time: Option<Timestamp>) -> Option<Timestamp> {
        time.map(|time| self.metadata.creation_timestamp.map_or(time, |created| time.max(created)))
    }

    /// Returns the TTL that counts: the Workflow's own, else its WorkflowTemplate's (GetTTLStrategy,
    /// pkg/apis/workflow/v1alpha1/workflow_types.go@v4.1.2).
    pub fn ttl(&self) -> Option<&TtlStrategy> {
        let stored = self.status.stored_workflow_template_spec.as_ref();
        self.spec.ttl_strategy.as_ref().or_else(|| stored?.ttl_strategy.as_ref())
    }

    /// Returns true for a row of the archive, as opposed to a live object (`docs/argo-gc.md#false-coverage`).
    pub fn is_archived_record(&self) -> bool {
        self.metadata.label(names::ARCHIVING) == "Persisted"
    }

    /// Returns true if the nodes are in the controller's database and not in the object.
    pub fn is_offloaded(&self) -> bool {
        let status = &self.status;
        status.nodes.is_empty()
            && status.compressed_nodes.is_empty()
            && !status.offload_node_status_version.is_empty()
    }

    /// Returns every declared artifact of the templates in the Workflow's own spec.
    pub fn declared(&self) -> impl Iterator<Item = &Artifact> {
        self.spec.templates.iter().flat_map(|template| &template.outputs.artifacts)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn danger_34_a_status_counts_from_the_creation_on() {
        let times = |created: Value, started: Value, finished: Value| {
            let workflow: Workflow = serde_json::from_value(json!({
                "metadata": { "creationTimestamp": created },
                "status": { "startedAt": started, "finishedAt": finished },
            }))
            .unwrap();
            [workflow.began(), workflow.ended()].map(|time| time.map(|time| time.to_string()))
        };
        let [early, created, late] =
            ["2001-01-01T00:00:00Z", "2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z"].map(|time| json!(time));
        let shown = |time: &Value| time.as_str().map(str::to_owned);
        assert_eq!(times(created.clone(), early.clone(), early.clone()), [shown(&created), shown(&created)]);
        assert_eq!(times(created.clone(), created.clone(), late.clone()), [shown(&created), shown(&late)]);
        // Files may lack the creation. What did not begin or end has no time, however old the workflow is.
        assert_eq!(times(Value::Null, early.clone(), late.clone()), [shown(&early), shown(&late)]);
        assert_eq!(times(created, Value::Null, Value::Null), [None, None]);
    }
}
