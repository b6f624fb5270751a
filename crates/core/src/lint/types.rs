//! Manifests, settings and predictions of lint.

use crate::argo::artifact::ArtifactLocation;
use crate::argo::version::{NEWEST, Version};
use crate::lint::model::Spec;
use crate::lint::path::{FieldPath, Misfit};
use crate::reason::Reason;
use crate::verdict::Verdict;
use serde::Serialize;
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
    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "Workflow" => Self::Workflow,
            "CronWorkflow" => Self::CronWorkflow,
            "WorkflowTemplate" => Self::WorkflowTemplate,
            "ClusterWorkflowTemplate" => Self::ClusterWorkflowTemplate,
            _ => return None,
        })
    }

    /// As the API spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Workflow => "Workflow",
            Self::CronWorkflow => "CronWorkflow",
            Self::WorkflowTemplate => "WorkflowTemplate",
            Self::ClusterWorkflowTemplate => "ClusterWorkflowTemplate",
        }
    }

    /// Reached by other workflows' references.
    pub fn is_template(self) -> bool {
        matches!(self, Self::WorkflowTemplate | Self::ClusterWorkflowTemplate)
    }

    /// Where the spec with the templates stands.
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
    /// `generateName` where there is no name.
    pub name: String,
    pub(crate) spec: Spec,
    /// Read only so that the others' references resolve: nothing is said about it as a root.
    pub beside: bool,
}

impl Manifest {
    /// Reads an object of one of the kinds.
    ///
    /// # Errors
    /// A field has the wrong shape.
    pub fn read(kind: ManifestKind, object: &Value) -> Result<Self, Misfit> {
        let meta = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
        let name = match meta("name") {
            name if name.is_empty() => meta("generateName"),
            name => name,
        };
        let path = kind.spec_path();
        let spec = path.of(object).unwrap_or(&Value::Null);
        let spec = Spec::read(spec, &path)?;
        Ok(Self { kind, namespace: meta("namespace"), name, spec, beside: false })
    }
}

impl fmt::Display for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.as_str(), self.name)
    }
}

/// What is taken for granted of the cluster.
#[derive(Debug, Clone)]
pub struct Settings {
    pub version: Version,
    /// Where artifacts without a location go, where that is known.
    pub repository: Option<ArtifactLocation>,
    /// Whether the repository's configuration archives logs.
    pub archive_logs: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { version: NEWEST, repository: None, archive_logs: false }
    }
}

/// How bad a prediction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nobody will delete it.
    Uncovered,
    /// Argo will try, and can't.
    Failing,
    /// Can't be told from what was given.
    Unknown,
    /// A hazard or a suspicion.
    Note,
}

impl Severity {
    /// All of them, worst first.
    pub const ALL: [Self; 4] = [Self::Uncovered, Self::Failing, Self::Unknown, Self::Note];

    /// The word users type and read.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Uncovered => Verdict::Uncovered.as_str(),
            Self::Failing => Verdict::Failing.as_str(),
            Self::Unknown => Verdict::Unknown.as_str(),
            Self::Note => "note",
        }
    }
}

/// One thing that will go wrong, or may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prediction {
    /// Which manifest the offending node stands in.
    pub manifest: usize,
    pub path: FieldPath,
    /// The template's name, or the step's where its body is inline; empty when it is about the whole object.
    pub template: String,
    /// Empty when it is not about one artifact.
    pub artifact: String,
    pub severity: Severity,
    pub reason: Reason,
    /// What in particular, in this manifest.
    pub detail: String,
    /// Other manifests that lead here.
    pub reached_from: Vec<usize>,
}
