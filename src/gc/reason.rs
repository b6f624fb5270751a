//! The catalogue of reasons: each with what it means, what shows it and what mends it (facts section 3).

use serde::{Serialize, Serializer};

/// Declares the reasons with their codes; a code is never reused for another meaning.
macro_rules! reasons {
    ($($name:ident $code:literal,)*) => {
        /// Why an artifact has its verdict, or what else to know about it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason { $($name,)* }

        impl Reason {
            /// All reasons, in the catalogue's order.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The stable code users type and read.
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }
        }
    };
}

reasons! {
    NoStrategy "no-strategy",
    WfNever "wf-never",
    ArtifactNever "artifact-never",
    ArtifactBlockWithoutStrategy "artifact-block-without-strategy",
    WftmplLevelIgnored "wftmpl-level-ignored",
    UnknownStrategy "unknown-strategy",
    InlineOnly "inline-only",
    LogsOnly "logs-only",
    PostponedFirst "postponed-first",
    DynamicTemplateref "dynamic-templateref",
    HookTemplateref "hook-templateref",
    NameCollisionUnwalked "name-collision-unwalked",
    TemplateDefaults "template-defaults",
    NonPodNode "non-pod-node",
    NotSpecified "not-specified",
    FeatureOff "feature-off",
    ControllerTooOld "controller-too-old",
    Unmanaged "unmanaged",
    InputArtifacts "input-artifacts",
    Uploaded "uploaded",
    UnrecordedObject "unrecorded-object",
    InlinePoison "inline-poison",
    ProcessedWithError "processed-with-error",
    TaskTooLarge "task-too-large",
    GcPodFailed "gc-pod-failed",
    GcRbac "gc-rbac",
    GcOom "gc-oom",
    GcPodLost "gc-pod-lost",
    GcPodPending "gc-pod-pending",
    InstanceId "instanceid",
    DeleteError "delete-error",
    BatchAbort "batch-abort",
    UnsavedInOutputs "unsaved-in-outputs",
    UnsupportedDriver "unsupported-driver",
    GcsMissing "gcs-missing",
    GcsDirectory "gcs-directory",
    GcsUncleanKey "gcs-unclean-key",
    S3Directory "s3-directory",
    ParamArchiveLocation "param-archive-location",
    ArchiveLocationMixup "archive-location-mixup",
    RetryAttempts "retry-attempts",
    NoArtifactStuck "no-artifact-stuck",
    ForceNoPod "force-no-pod",
    TaskresultNeverComplete "taskresult-never-complete",
    LongNames "long-names",
    Wftref34 "wftref-3.4",
    CronNeighbour "cron-neighbour",
    Foreground "foreground",
    NotRecouped "not-recouped",
    Overdue "overdue",
    FinalizerStripped "finalizer-stripped",
    ForceEarly "force-early",
    DeletedWhileRunning "deleted-while-running",
    RetryAfterGc "retry-after-gc",
    S3FalseDeleted "s3-false-deleted",
    WrongBucketDeleted "wrong-bucket-deleted",
    TtlVanished "ttl-vanished",
    ArchivedStale "archived-stale",
    VersionedBucket "versioned-bucket",
    MemoHit "memo-hit",
    ResubmitMemoized "resubmit-memoized",
    SharedKey "shared-key",
    AzurePrefix "azure-prefix",
    WorkflowOfWorkflows "workflow-of-workflows",
    StillConsumed "still-consumed",
    GlobalCopies "global-copies",
    NodesOffloaded "nodes-offloaded",
    NodesUnreadable "nodes-unreadable",
    GcObjectsUnread "gc-objects-unread",
}

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
