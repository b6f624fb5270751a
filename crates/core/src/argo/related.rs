//! The objects related to a Workflow that show the outcome of a collection (`docs/argo-gc.md#related-objects`).

use crate::argo::artifact::{Artifact, ArtifactLocation};
use crate::argo::meta::Meta;
use crate::argo::node::Outputs;
use crate::argo::workflow::WorkflowSpec;
use crate::argo::{de, names};
use jiff::Timestamp;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A `WorkflowTemplate` or `ClusterWorkflowTemplate`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct WorkflowTemplate {
    #[serde(deserialize_with = "de::or_default")]
    pub metadata: Meta,
    #[serde(deserialize_with = "de::or_default")]
    pub spec: WorkflowSpec,
}

/// A `WorkflowArtifactGCTask`: the artifacts one GC pod must delete, and the results.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct GcTask {
    #[serde(deserialize_with = "de::or_default")]
    pub metadata: Meta,
    #[serde(deserialize_with = "de::or_default")]
    pub spec: GcTaskSpec,
    #[serde(deserialize_with = "de::or_default")]
    pub status: GcTaskStatus,
}

/// `spec` of a [`GcTask`].
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GcTaskSpec {
    #[serde(deserialize_with = "de::or_default")]
    pub artifacts_by_node: BTreeMap<String, GcTaskNode>,
}

/// The artifacts of one node, with the location Argo completes them from.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GcTaskNode {
    pub archive_location: Option<ArtifactLocation>,
    #[serde(deserialize_with = "de::or_default")]
    pub artifacts: BTreeMap<String, Artifact>,
}

/// `status` of a [`GcTask`], written once by the GC pod at its end.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GcTaskStatus {
    #[serde(deserialize_with = "de::or_default")]
    pub artifact_results_by_node: BTreeMap<String, GcTaskResults>,
}

/// Results of one node's artifacts, by artifact name.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GcTaskResults {
    #[serde(deserialize_with = "de::or_default")]
    pub artifact_results: BTreeMap<String, GcTaskResult>,
}

/// The result of one delete call.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct GcTaskResult {
    #[serde(deserialize_with = "de::or_default")]
    pub success: bool,
    #[serde(deserialize_with = "de::or_default")]
    pub error: String,
}

/// A `WorkflowTaskResult` (named after its node): outputs as the executor reported them.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct TaskResult {
    #[serde(deserialize_with = "de::or_default")]
    pub metadata: Meta,
    #[serde(deserialize_with = "de::or_default")]
    pub outputs: Outputs,
}

/// A pod, with the fields that show the outcome of a GC pod.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Pod {
    #[serde(deserialize_with = "de::or_default")]
    pub metadata: Meta,
    #[serde(deserialize_with = "de::or_default")]
    pub spec: PodSpec,
    #[serde(deserialize_with = "de::or_default")]
    pub status: PodStatus,
}

/// `spec` of a [`Pod`].
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodSpec {
    #[serde(deserialize_with = "de::or_default")]
    pub service_account_name: String,
}

/// `status` of a [`Pod`].
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodStatus {
    #[serde(deserialize_with = "de::or_default")]
    pub phase: String,
    #[serde(deserialize_with = "de::or_default")]
    pub reason: String,
    #[serde(deserialize_with = "de::or_default")]
    pub message: String,
    #[serde(deserialize_with = "de::or_default")]
    pub conditions: Vec<PodCondition>,
    #[serde(deserialize_with = "de::or_default")]
    pub container_statuses: Vec<ContainerStatus>,
}

/// A condition of a pod.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodCondition {
    #[serde(rename = "type", deserialize_with = "de::or_default")]
    pub kind: String,
    #[serde(deserialize_with = "de::or_default")]
    pub status: String,
    #[serde(deserialize_with = "de::or_default")]
    pub reason: String,
    #[serde(deserialize_with = "de::or_default")]
    pub message: String,
    #[serde(deserialize_with = "de::time")]
    pub last_transition_time: Option<Timestamp>,
}

/// One container's state.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerStatus {
    #[serde(deserialize_with = "de::or_default")]
    pub name: String,
    #[serde(deserialize_with = "de::or_default")]
    pub state: ContainerState,
    #[serde(deserialize_with = "de::or_default")]
    pub last_state: ContainerState,
}

/// The state of a container: waiting or terminated, or running if neither is set.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ContainerState {
    pub waiting: Option<Waiting>,
    pub terminated: Option<Terminated>,
}

/// The reason why a container waits.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Waiting {
    #[serde(deserialize_with = "de::or_default")]
    pub reason: String,
    #[serde(deserialize_with = "de::or_default")]
    pub message: String,
}

/// The result of a container that ended.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Terminated {
    #[serde(deserialize_with = "de::or_default")]
    pub exit_code: i32,
    #[serde(deserialize_with = "de::or_default")]
    pub reason: String,
    #[serde(deserialize_with = "de::or_default")]
    pub message: String,
    #[serde(deserialize_with = "de::time")]
    pub finished_at: Option<Timestamp>,
}

impl Pod {
    /// Returns the result of the container that does a GC pod's work; none while it has not ended.
    pub fn main_ended(&self) -> Option<&Terminated> {
        let main = self.status.container_statuses.iter().find(|container| container.name == "main")?;
        main.state.terminated.as_ref()
    }

    /// Returns the time since which the pod is not ready, as when its node was lost.
    pub fn unready_since(&self) -> Option<Timestamp> {
        let ready = self.status.conditions.iter().find(|condition| condition.kind == "Ready")?;
        ready.last_transition_time.filter(|_| ready.status != "True")
    }

    /// Returns a container that still runs after `main` has ended.
    pub fn holder(&self) -> Option<&ContainerStatus> {
        self.main_ended()?;
        self.status.container_statuses.iter().find(|container| container.state.terminated.is_none())
    }
}

/// A core/v1 `Event`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Event {
    #[serde(deserialize_with = "de::or_default")]
    pub metadata: Meta,
    #[serde(deserialize_with = "de::or_default")]
    pub involved_object: InvolvedObject,
    #[serde(deserialize_with = "de::or_default")]
    pub reason: String,
    #[serde(deserialize_with = "de::or_default")]
    pub message: String,
    #[serde(deserialize_with = "de::time")]
    pub last_timestamp: Option<Timestamp>,
}

impl Event {
    /// Returns namespace and name of the GC pod that the event is about, or that its message names (as those of
    /// policy engines do).
    pub fn gc_pod(&self) -> Option<(&str, &str)> {
        let object = &self.involved_object;
        let own = object.name.contains(names::GC_POD_INFIX).then_some(object.name.as_str());
        let mentioned = || {
            let words = self.message.split(|c: char| !(c.is_ascii_alphanumeric() || "-.".contains(c)));
            words.map(|word| word.trim_matches('.')).find(|word| word.contains(names::GC_POD_INFIX))
        };
        if object.kind == "Workflow" {
            return None;
        }
        let pod = own.or_else(mentioned)?;
        // An event about a policy that has no namespace is in a namespace itself.
        let namespace =
            [&object.namespace, &self.metadata.namespace].into_iter().find(|name| !name.is_empty())?;
        Some((namespace, pod))
    }
}

/// The object that an event is about.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct InvolvedObject {
    #[serde(deserialize_with = "de::or_default")]
    pub kind: String,
    #[serde(deserialize_with = "de::or_default")]
    pub namespace: String,
    #[serde(deserialize_with = "de::or_default")]
    pub name: String,
}

/// An apps/v1 `Deployment`, with the fields that describe a workflow controller.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Deployment {
    #[serde(deserialize_with = "de::or_default")]
    pub metadata: Meta,
    #[serde(deserialize_with = "de::or_default")]
    pub spec: DeploymentSpec,
}

/// `spec` of a [`Deployment`].
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct DeploymentSpec {
    pub replicas: Option<i32>,
    #[serde(deserialize_with = "de::or_default")]
    pub template: DeployedPod,
}

/// The pod template of a [`Deployment`].
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct DeployedPod {
    #[serde(deserialize_with = "de::or_default")]
    pub spec: DeployedPodSpec,
}

/// Its containers and service account.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DeployedPodSpec {
    #[serde(deserialize_with = "de::or_default")]
    pub service_account_name: String,
    #[serde(deserialize_with = "de::or_default")]
    pub containers: Vec<Container>,
}

/// One container of a [`Deployment`].
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Container {
    #[serde(deserialize_with = "de::or_default")]
    pub name: String,
    #[serde(deserialize_with = "de::or_default")]
    pub image: String,
    #[serde(deserialize_with = "de::or_default")]
    pub command: Vec<String>,
    #[serde(deserialize_with = "de::or_default")]
    pub args: Vec<String>,
    #[serde(deserialize_with = "de::or_default")]
    pub env: Vec<EnvVar>,
    /// True if variables also come from ConfigMaps or secrets.
    #[serde(deserialize_with = "de::present")]
    pub env_from: bool,
}

/// One environment variable.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EnvVar {
    #[serde(deserialize_with = "de::or_default")]
    pub name: String,
    #[serde(deserialize_with = "de::or_default")]
    pub value: String,
    /// True if the value comes from elsewhere.
    #[serde(deserialize_with = "de::present")]
    pub value_from: bool,
}

/// A `ConfigMap`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ConfigMap {
    #[serde(deserialize_with = "de::or_default")]
    pub metadata: Meta,
    #[serde(deserialize_with = "de::or_default")]
    pub data: BTreeMap<String, String>,
}
