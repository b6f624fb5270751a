//! One node of a workflow's status (`docs/argo-gc.md#node-fields`).

use crate::argo::artifact::Artifact;
use crate::argo::de;
use jiff::Timestamp;
use serde::Deserialize;

/// A reference to a template of a WorkflowTemplate or ClusterWorkflowTemplate.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TemplateRef {
    #[serde(deserialize_with = "de::or_default")]
    pub name: String,
    #[serde(deserialize_with = "de::or_default")]
    pub template: String,
    #[serde(deserialize_with = "de::or_default")]
    pub cluster_scope: bool,
}

/// A node of the workflow's graph.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeStatus {
    #[serde(deserialize_with = "de::or_default")]
    pub id: String,
    #[serde(deserialize_with = "de::or_default")]
    pub name: String,
    #[serde(deserialize_with = "de::or_default")]
    pub display_name: String,
    #[serde(rename = "type", deserialize_with = "de::or_default")]
    pub kind: String,
    #[serde(deserialize_with = "de::or_default")]
    pub template_name: String,
    pub template_ref: Option<TemplateRef>,
    #[serde(deserialize_with = "de::or_default")]
    pub template_scope: String,
    #[serde(deserialize_with = "de::or_default")]
    pub phase: String,
    #[serde(rename = "boundaryID", deserialize_with = "de::or_default")]
    pub boundary_id: String,
    #[serde(deserialize_with = "de::or_default")]
    pub message: String,
    #[serde(deserialize_with = "de::time")]
    pub started_at: Option<Timestamp>,
    #[serde(deserialize_with = "de::time")]
    pub finished_at: Option<Timestamp>,
    #[serde(deserialize_with = "de::or_default")]
    pub inputs: Inputs,
    #[serde(deserialize_with = "de::or_default")]
    pub outputs: Outputs,
    #[serde(deserialize_with = "de::or_default")]
    pub children: Vec<String>,
    pub memoization_status: Option<MemoizationStatus>,
    /// True if the controller has processed the task result; absent before v3.7.1.
    pub task_result_synced: Option<bool>,
}

/// A node's recorded inputs or a workflow's arguments, parameters only.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Inputs {
    #[serde(deserialize_with = "de::or_default")]
    pub parameters: Vec<Parameter>,
}

impl Inputs {
    /// Returns the value of a parameter.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|parameter| parameter.name == name)?.value.as_deref()
    }

    /// Returns the first key of a ConfigMap without which a parameter has no value.
    pub(crate) fn config_map_key(&self) -> Option<&ConfigMapKey> {
        let unset = self.parameters.iter().filter(|parameter| parameter.value.is_none());
        let sources = unset.filter_map(|parameter| parameter.source.as_deref());
        sources.filter(|source| !source.default).find_map(|source| source.config_map_key_ref.as_ref())
    }
}

/// A parameter with its value; none if it has none that is a text.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Parameter {
    #[serde(deserialize_with = "de::or_default")]
    pub name: String,
    #[serde(deserialize_with = "de::text")]
    pub value: Option<String>,
    #[serde(rename = "valueFrom")]
    pub source: Option<Box<ValueSource>>,
}

/// Where a parameter without a value takes it from; of the sources, only ConfigMaps.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ValueSource {
    pub config_map_key_ref: Option<ConfigMapKey>,
    /// True if there is a value for when the source has none.
    #[serde(deserialize_with = "de::present")]
    pub default: bool,
}

/// A key of a ConfigMap in the workflow's namespace.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ConfigMapKey {
    #[serde(deserialize_with = "de::or_default")]
    pub name: String,
    #[serde(deserialize_with = "de::or_default")]
    pub key: String,
}

/// A node's recorded outputs, artifacts only.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Outputs {
    #[serde(deserialize_with = "de::or_default")]
    pub artifacts: Vec<Artifact>,
}

/// The memoization status, which shows if the node's outputs came from a cache.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MemoizationStatus {
    #[serde(deserialize_with = "de::or_default")]
    pub hit: bool,
    #[serde(deserialize_with = "de::or_default")]
    pub cache_name: String,
}

impl NodeStatus {
    /// Returns true for a pod, which is the only node type Argo's GC searches (`docs/argo-gc.md#processing`).
    pub fn is_pod(&self) -> bool {
        self.kind == "Pod"
    }

    /// Returns true if the node was made from an inline template, so that neither a template name nor a
    /// reference was recorded (`docs/argo-gc.md#inline-templates`).
    pub fn is_unnamed(&self) -> bool {
        self.template_name.is_empty()
            && self.template_ref.as_ref().is_none_or(|reference| reference.template.is_empty())
    }

    /// Returns the name to show: the display name, or the full one.
    pub fn shown(&self) -> &str {
        if self.display_name.is_empty() { &self.name } else { &self.display_name }
    }
}
