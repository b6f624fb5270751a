//! The form of an entry in the catalogue of reasons, and the values that entries share.

use crate::verdict::Verdict;
use serde::Serialize;

/// The catalogue's entry for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// The stable code that users type and read; a code is never reused for another meaning.
    #[serde(rename = "reason")]
    pub code: &'static str,
    pub group: Group,
    /// The verdicts this reason can have; empty if it is only ever a note.
    pub verdicts: &'static [Verdict],
    /// The link at which the chain breaks.
    pub link: Link,
    /// A statement of at most 60 characters.
    pub title: &'static str,
    /// The mechanism, in two to five sentences.
    pub why: &'static str,
    /// The releases in which it was found.
    pub versions: &'static str,
    /// The field paths or objects that are evidence for it.
    pub evidence: &'static [&'static str],
    /// The remedy for future runs and for the objects left behind.
    pub remedy: &'static str,
    /// YAML for the remedy.
    pub remedy_yaml: Option<&'static str>,
    /// True if the finalizer remains on the workflow, and the remedy ends with its release.
    pub release: bool,
    /// Issues, pull requests (`argo-workflows#14922 (open)`) and files at a tag (`path@v4.1.2`).
    pub upstream: &'static [&'static str],
    pub false_positives: &'static str,
    pub told_from: ToldFrom,
}

/// The families of reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Group {
    NotCovered,
    Fails,
    LooksCovered,
    Hazard,
    Unknown,
}

impl Group {
    pub const ALL: [Self; 5] =
        [Self::NotCovered, Self::Fails, Self::LooksCovered, Self::Hazard, Self::Unknown];

    /// Returns the heading of the group.
    pub fn title(self) -> &'static str {
        match self {
            Self::NotCovered => "Not covered",
            Self::Fails => "Covered, but it fails",
            Self::LooksCovered => "Looks covered, is not",
            Self::Hazard => "Hazards of deleting",
            Self::Unknown => "Not enough evidence",
        }
    }
}

/// The links of the chain that ends with a deleted object, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Link {
    Strategy,
    Finalizer,
    Template,
    Task,
    Pod,
    Rights,
    Driver,
    Record,
    /// No link in particular.
    None,
}

impl Link {
    /// All links except `None`, in order.
    pub const CHAIN: [Self; 8] = [
        Self::Strategy,
        Self::Finalizer,
        Self::Template,
        Self::Task,
        Self::Pod,
        Self::Rights,
        Self::Driver,
        Self::Record,
    ];

    /// Returns the word for the link.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Strategy => "strategy",
            Self::Finalizer => "finalizer",
            Self::Template => "template",
            Self::Task => "task",
            Self::Pod => "pod",
            Self::Rights => "permissions",
            Self::Driver => "driver",
            Self::Record => "record",
            Self::None => "none",
        }
    }

    /// Returns the condition that must hold at the link.
    pub fn holds(self) -> &'static str {
        match self {
            Self::Strategy => "the artifact or the Workflow sets a strategy other than `Never` for it",
            Self::Finalizer => {
                "the controller put the finalizer `workflows.argoproj.io/artifact-gc` on the Workflow"
            }
            Self::Template => "the controller finds the template of the artifact's node by name",
            Self::Task => "the controller creates a WorkflowArtifactGCTask with the artifact in it",
            Self::Pod => "a GC pod for the task starts, and runs until it is done",
            Self::Rights => "the pod's service account may read the task and patch its status",
            Self::Driver => "the storage driver's one delete call hits the object",
            Self::Record => {
                "the controller sees the finished pod, marks the artifact `deleted` and removes the finalizer"
            }
            Self::None => "nothing in particular",
        }
    }
}

/// The source from which this plugin detects a reason, if it can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ToldFrom {
    /// From Kubernetes objects.
    Objects,
    /// From manifests, before anything ran.
    Manifests,
    /// Only the bucket shows it, with `--check`.
    Bucket,
    /// Nothing the plugin reads shows it.
    Nothing,
}

/// The values that most entries share; each entry sets the others.
pub(super) const BASE: Entry = Entry {
    code: "",
    group: Group::NotCovered,
    verdicts: &[],
    link: Link::None,
    title: "",
    why: "",
    versions: ALL_VERSIONS,
    evidence: &[],
    remedy: "",
    remedy_yaml: None,
    release: false,
    upstream: &[],
    false_positives: "None known.",
    told_from: ToldFrom::Objects,
};

pub(super) const ALL_VERSIONS: &str = "v3.4.0 to v4.1.2 (every release read)";

pub(super) const AGC: &str = "workflow/controller/artifact_gc.go@v4.1.2";

pub(super) const OPERATOR: &str = "workflow/controller/operator.go@v4.1.2";

pub(super) const CONTROLLER: &str = "workflow/controller/controller.go@v4.1.2";

pub(super) const TYPES: &str = "pkg/apis/workflow/v1alpha1/workflow_types.go@v4.1.2";

pub(super) const VALIDATE: &str = "workflow/validate/validate.go@v4.1.2";

pub(super) const DELETE: &str = "cmd/argoexec/commands/artifact/delete.go@v4.1.2";

pub(super) const GCS: &str = "workflow/artifacts/gcs/gcs.go@v4.1.2";

pub(super) const S3: &str = "workflow/artifacts/s3/s3.go@v4.1.2";

pub(super) const AZURE: &str = "workflow/artifacts/azure/azure.go@v4.1.2";

pub(super) const UTIL: &str = "workflow/util/util.go@v4.1.2";
