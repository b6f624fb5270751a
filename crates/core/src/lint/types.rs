//! Manifests, settings and predictions of lint.

use crate::argo::names;
use crate::lint::model::Spec;
use crate::lint::path::{FieldError, FieldPath};
use crate::reason::Reason;
use crate::verdict::Verdict;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// Kinds of manifests that hold templates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub enum ManifestKind {
    Workflow,
    CronWorkflow,
    WorkflowTemplate,
    ClusterWorkflowTemplate,
}

impl ManifestKind {
    /// Returns the kind with the name.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "Workflow" => Self::Workflow,
            "CronWorkflow" => Self::CronWorkflow,
            "WorkflowTemplate" => Self::WorkflowTemplate,
            "ClusterWorkflowTemplate" => Self::ClusterWorkflowTemplate,
            _ => return None,
        })
    }

    /// Returns the kind of an object, unless its apiVersion is of another group than Argo's: others have a Workflow, too.
    pub fn of(kind: &str, object: &Value) -> Option<Self> {
        let api = object["apiVersion"].as_str().unwrap_or_default();
        let group = api.split_once('/').map(|(group, _)| group);
        Self::from_name(kind).filter(|_| group.is_none_or(|group| group == "argoproj.io"))
    }

    /// Returns the API's spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Workflow => "Workflow",
            Self::CronWorkflow => "CronWorkflow",
            Self::WorkflowTemplate => "WorkflowTemplate",
            Self::ClusterWorkflowTemplate => "ClusterWorkflowTemplate",
        }
    }

    /// Returns true if references of other workflows can reach the kind.
    pub fn is_template(self) -> bool {
        matches!(self, Self::WorkflowTemplate | Self::ClusterWorkflowTemplate)
    }

    /// Returns the path of the spec with the templates.
    pub fn spec_path(self) -> FieldPath {
        let path = FieldPath::default().key("spec");
        if self == Self::CronWorkflow { path.key("workflowSpec") } else { path }
    }
}

/// One manifest, read.
#[derive(Debug, Clone)]
pub struct Manifest {
    pub kind: ManifestKind,
    pub namespace: String,
    /// The name, or `generateName` if there is none.
    pub name: String,
    /// The instance ID of the controller that it is meant for; empty if it names none.
    pub(crate) instance_id: String,
    pub(crate) spec: Spec,
    /// True if the manifest is read only to resolve the references of others, so that it is no root.
    pub beside: bool,
}

impl Manifest {
    /// Reads an object of one of the kinds, which is at this path of the document that holds it.
    ///
    /// # Errors
    /// A field has the wrong shape.
    pub fn read(kind: ManifestKind, object: &Value, at: &FieldPath) -> Result<Self, FieldError> {
        let meta = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
        let name = match meta("name") {
            name if name.is_empty() => meta("generateName"),
            name => name,
        };
        let below = kind.spec_path();
        let spec = below.of(object).unwrap_or(&Value::Null);
        let spec = Spec::read(spec, &at.join(&below))?;
        let label = object["metadata"]["labels"][names::INSTANCE_ID].as_str();
        let instance_id = label.unwrap_or_default().to_owned();
        Ok(Self { kind, namespace: meta("namespace"), name, instance_id, spec, beside: false })
    }

    /// Returns true if it holds no templates and refers to none, so that it is only a part of a manifest.
    pub fn is_part(&self) -> bool {
        self.spec.templates.is_empty() && self.spec.template_ref.is_none()
    }
}

impl fmt::Display for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.as_str(), self.name)
    }
}

/// The severity of a prediction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nobody will delete it.
    Uncovered,
    /// Argo will try to delete it, and fail.
    Failing,
    /// The given manifests are not sufficient to decide.
    Unknown,
    /// A hazard or a suspicion.
    Note,
}

impl Severity {
    /// All severities, worst first.
    pub const ALL: [Self; 4] = [Self::Uncovered, Self::Failing, Self::Unknown, Self::Note];

    /// Returns the word that users type and read.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Uncovered => Verdict::Uncovered.as_str(),
            Self::Failing => Verdict::Failing.as_str(),
            Self::Unknown => Verdict::Unknown.as_str(),
            Self::Note => "note",
        }
    }
}

/// One problem that will or may occur.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prediction {
    /// The index of the manifest that contains the offending field.
    pub manifest: usize,
    pub path: FieldPath,
    /// The template's name, or the step's if its body is inline; empty if the prediction is about the whole
    /// object.
    pub template: String,
    /// The artifact's name; empty if the prediction is not about one artifact.
    pub artifact: String,
    pub severity: Severity,
    pub reason: Reason,
    /// The details in this manifest.
    pub detail: String,
    /// The indexes of other manifests that lead to the field.
    pub reached_from: Vec<usize>,
}
