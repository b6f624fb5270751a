//! The reasons of verdicts, and the form of an entry in their catalogue: meaning, evidence and remedy.
//!
//! Each entry is in the file of its topic; `docs/reasons.md` is generated from all of them.

pub mod catalogue;
pub mod fails;
pub mod fails_pod;
pub mod fails_storage;
pub mod hazard;
pub mod looks_covered;
pub mod markdown;
pub mod not_covered;
pub mod not_covered_controller;
pub mod predicted;
#[cfg(test)]
mod tests;
pub mod unknown;

use crate::verdict::Verdict;
use serde::{Serialize, Serializer};

/// Lists the reasons with their codes and entries for the macro `$declare`; a code is never reused for another
/// meaning.
macro_rules! with_reasons {
    ($declare:ident) => {
        $declare! {
            NoStrategy "no-strategy" not_covered::NO_STRATEGY,
            WfNever "wf-never" not_covered::WF_NEVER,
            ArtifactNever "artifact-never" not_covered::ARTIFACT_NEVER,
            ArtifactBlockWithoutStrategy "artifact-block-without-strategy" not_covered::ARTIFACT_BLOCK_WITHOUT_STRATEGY,
            WftmplLevelIgnored "wftmpl-level-ignored" not_covered::WFTMPL_LEVEL_IGNORED,
            UnknownStrategy "unknown-strategy" not_covered::UNKNOWN_STRATEGY,
            InlineOnly "inline-only" not_covered::INLINE_ONLY,
            LogsOnly "logs-only" not_covered::LOGS_ONLY,
            PostponedFirst "postponed-first" not_covered::POSTPONED_FIRST,
            DynamicTemplateref "dynamic-templateref" not_covered::DYNAMIC_TEMPLATEREF,
            HookTemplateref "hook-templateref" not_covered::HOOK_TEMPLATEREF,
            NameCollisionUnwalked "name-collision-unwalked" not_covered::NAME_COLLISION_UNWALKED,
            TemplateDefaults "template-defaults" not_covered::TEMPLATE_DEFAULTS,
            NonPodNode "non-pod-node" not_covered::NON_POD_NODE,
            NotSpecified "not-specified" not_covered::NOT_SPECIFIED,
            FeatureOff "feature-off" not_covered_controller::FEATURE_OFF,
            NeverTakenUp "never-taken-up" not_covered_controller::NEVER_TAKEN_UP,
            ControllerTooOld "controller-too-old" not_covered_controller::CONTROLLER_TOO_OLD,
            Unmanaged "unmanaged" not_covered_controller::UNMANAGED,
            InputArtifacts "input-artifacts" not_covered::INPUT_ARTIFACTS,
            Uploaded "uploaded" not_covered::UPLOADED,
            UnrecordedObject "unrecorded-object" not_covered::UNRECORDED_OBJECT,
            InlinePoison "inline-poison" fails::INLINE_POISON,
            ProcessedWithError "processed-with-error" fails::PROCESSED_WITH_ERROR,
            TaskTooLarge "task-too-large" fails::TASK_TOO_LARGE,
            GcPodFailed "gc-pod-failed" fails_pod::GC_POD_FAILED,
            GcRbac "gc-rbac" fails_pod::GC_RBAC,
            GcOom "gc-oom" fails_pod::GC_OOM,
            GcPodLost "gc-pod-lost" fails_pod::GC_POD_LOST,
            GcPodPending "gc-pod-pending" fails_pod::GC_POD_PENDING,
            GcPodHeld "gc-pod-held" fails_pod::GC_POD_HELD,
            InstanceId "instanceid" fails_pod::INSTANCEID,
            DeleteError "delete-error" fails_storage::DELETE_ERROR,
            BatchAbort "batch-abort" fails_storage::BATCH_ABORT,
            UnsavedInOutputs "unsaved-in-outputs" fails_storage::UNSAVED_IN_OUTPUTS,
            UnsupportedDriver "unsupported-driver" fails_storage::UNSUPPORTED_DRIVER,
            GcsMissing "gcs-missing" fails_storage::GCS_MISSING,
            GcsDirectory "gcs-directory" fails_storage::GCS_DIRECTORY,
            GcsUncleanKey "gcs-unclean-key" fails_storage::GCS_UNCLEAN_KEY,
            S3Directory "s3-directory" fails_storage::S3_DIRECTORY,
            ParamArchiveLocation "param-archive-location" fails_storage::PARAM_ARCHIVE_LOCATION,
            ArchiveLocationMixup "archive-location-mixup" fails_storage::ARCHIVE_LOCATION_MIXUP,
            RetryAttempts "retry-attempts" fails_storage::RETRY_ATTEMPTS,
            NoArtifactStuck "no-artifact-stuck" fails::NO_ARTIFACT_STUCK,
            ForceNoPod "force-no-pod" fails::FORCE_NO_POD,
            TaskresultNeverComplete "taskresult-never-complete" fails::TASKRESULT_NEVER_COMPLETE,
            LongNames "long-names" fails::LONG_NAMES,
            Wftref34 "wftref-3.4" fails::WFTREF_3_4,
            CronNeighbour "cron-neighbour" fails::CRON_NEIGHBOUR,
            Foreground "foreground" fails::FOREGROUND,
            NotRecouped "not-recouped" fails::NOT_RECOUPED,
            Overdue "overdue" fails::OVERDUE,
            FinalizerStripped "finalizer-stripped" looks_covered::FINALIZER_STRIPPED,
            ForceEarly "force-early" looks_covered::FORCE_EARLY,
            DeletedWhileRunning "deleted-while-running" fails::DELETED_WHILE_RUNNING,
            RetryAfterGc "retry-after-gc" fails::RETRY_AFTER_GC,
            S3FalseDeleted "s3-false-deleted" looks_covered::S3_FALSE_DELETED,
            WrongBucketDeleted "wrong-bucket-deleted" looks_covered::WRONG_BUCKET_DELETED,
            TtlVanished "ttl-vanished" looks_covered::TTL_VANISHED,
            ArchivedStale "archived-stale" looks_covered::ARCHIVED_STALE,
            DeletedButPresent "deleted-but-present" looks_covered::DELETED_BUT_PRESENT,
            RecordedButMissing "recorded-but-missing" looks_covered::RECORDED_BUT_MISSING,
            VersionedBucket "versioned-bucket" looks_covered::VERSIONED_BUCKET,
            MemoHit "memo-hit" hazard::MEMO_HIT,
            ResubmitMemoized "resubmit-memoized" hazard::RESUBMIT_MEMOIZED,
            SharedKey "shared-key" hazard::SHARED_KEY,
            AzurePrefix "azure-prefix" hazard::AZURE_PREFIX,
            WorkflowOfWorkflows "workflow-of-workflows" hazard::WORKFLOW_OF_WORKFLOWS,
            StillConsumed "still-consumed" hazard::STILL_CONSUMED,
            GlobalCopies "global-copies" hazard::GLOBAL_COPIES,
            NodesOffloaded "nodes-offloaded" unknown::NODES_OFFLOADED,
            NodesUnreadable "nodes-unreadable" unknown::NODES_UNREADABLE,
            GcObjectsUnread "gc-objects-unread" unknown::GC_OBJECTS_UNREAD,
            DefaultServiceAccount "default-service-account" predicted::DEFAULT_SERVICE_ACCOUNT,
            TemplateUnseen "template-unseen" predicted::TEMPLATE_UNSEEN,
        }
    };
}
pub(crate) use with_reasons;

macro_rules! declare {
    ($($name:ident $code:literal $module:ident::$entry:ident,)*) => {
        /// The reason for the verdict on an artifact, or a note about it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason { $($name,)* }

        impl Reason {
            /// All reasons, in the catalogue's order.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Returns the stable code that users type and read.
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }
        }
    };
}

with_reasons!(declare);

impl Reason {
    /// The reason with this code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.code() == code)
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

/// The catalogue's entry for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    pub reason: Reason,
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
    /// YAML that goes with the remedy.
    pub remedy_yaml: Option<&'static str>,
    /// True if the finalizer stays on the workflow, so that the remedy ends with [`RELEASE_COMMAND`].
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
            Self::Unknown => "Not enough to go by",
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
            Self::Rights => "rights",
            Self::Driver => "driver",
            Self::Record => "record",
            Self::None => "none",
        }
    }

    /// Returns the condition that must hold at the link.
    pub fn holds(self) -> &'static str {
        match self {
            Self::Strategy => {
                "a strategy other than `Never` reaches the artifact, from itself or from the Workflow"
            }
            Self::Finalizer => {
                "the controller put the finalizer `workflows.argoproj.io/artifact-gc` on the Workflow"
            }
            Self::Template => "the controller finds the template of the artifact's node by name",
            Self::Task => "the controller creates a WorkflowArtifactGCTask with the artifact in it",
            Self::Pod => "a GC pod for the task starts, and lives until it is done",
            Self::Rights => "the pod's service account may read the task and patch its status",
            Self::Driver => "the storage driver's one delete call hits the object",
            Self::Record => {
                "the controller sees the finished pod, marks the artifact `deleted` and drops the finalizer"
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

impl ToldFrom {
    /// Returns the source as a sentence.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Objects => "Kubernetes objects.",
            Self::Manifests => "Manifests, by `lint`.",
            Self::Bucket => "The bucket, with `inspect --check`.",
            Self::Nothing => "Nothing this plugin reads shows it: described here, never reported.",
        }
    }
}

/// Deletes the objects, verifies that they are gone, and only then removes the artifact-gc finalizer.
pub const RELEASE_COMMAND: &str = "kubectl argo-gc purge NAME -n NAMESPACE --release-finalizer";

/// A hint to print with [`RELEASE_COMMAND`].
pub const RELEASE_HINT: &str = "It shows what goes and asks first. Objects in \
storage that it can't ask (not GCS, S3 or Azure) it leaves alone, and the finalizer with them.";

/// The values that most entries share; each entry sets the others.
const BASE: Entry = Entry {
    reason: Reason::NotSpecified,
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

const ALL_VERSIONS: &str = "v3.4.0 to v4.1.2 (every release read)";

const AGC: &str = "workflow/controller/artifact_gc.go@v4.1.2";

const OPERATOR: &str = "workflow/controller/operator.go@v4.1.2";

const CONTROLLER: &str = "workflow/controller/controller.go@v4.1.2";

const TYPES: &str = "pkg/apis/workflow/v1alpha1/workflow_types.go@v4.1.2";

const VALIDATE: &str = "workflow/validate/validate.go@v4.1.2";

const DELETE: &str = "cmd/argoexec/commands/artifact/delete.go@v4.1.2";

const GCS: &str = "workflow/artifacts/gcs/gcs.go@v4.1.2";

const S3: &str = "workflow/artifacts/s3/s3.go@v4.1.2";

const AZURE: &str = "workflow/artifacts/azure/azure.go@v4.1.2";

const UTIL: &str = "workflow/util/util.go@v4.1.2";
