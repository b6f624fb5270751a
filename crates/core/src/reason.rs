//! The reasons of verdicts. Each has one entry in the file of its topic, with its code, meaning, evidence and remedy.
//!
//! `docs/reasons.md` is generated from all entries.

pub mod entry;
pub mod fails;
pub mod fails_pod;
pub mod fails_storage;
pub mod hazard;
pub mod looks_covered;
pub mod not_covered;
pub mod not_covered_controller;
pub mod predicted;
#[cfg(test)]
mod tests;
pub mod unknown;

use crate::reason::entry::Entry;
use serde::{Serialize, Serializer};

macro_rules! reasons {
    ($($name:ident $module:ident::$entry:ident,)*) => {
        /// The reason for the verdict on an artifact, or a note about it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason { $($name,)* }

        impl Reason {
            /// All reasons, in the catalogue's order.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Returns the catalogue's entry for the reason.
            pub fn entry(self) -> &'static Entry {
                match self { $(Self::$name => &$module::$entry,)* }
            }
        }
    };
}

reasons! {
    NoStrategy not_covered::NO_STRATEGY,
    WfNever not_covered::WF_NEVER,
    ArtifactNever not_covered::ARTIFACT_NEVER,
    ArtifactBlockWithoutStrategy not_covered::ARTIFACT_BLOCK_WITHOUT_STRATEGY,
    WftmplLevelIgnored not_covered::WFTMPL_LEVEL_IGNORED,
    UnknownStrategy not_covered::UNKNOWN_STRATEGY,
    InlineOnly not_covered::INLINE_ONLY,
    LogsOnly not_covered::LOGS_ONLY,
    PostponedFirst not_covered::POSTPONED_FIRST,
    DynamicTemplateref not_covered::DYNAMIC_TEMPLATEREF,
    HookTemplateref not_covered::HOOK_TEMPLATEREF,
    NameCollisionUnwalked not_covered::NAME_COLLISION_UNWALKED,
    TemplateDefaults not_covered::TEMPLATE_DEFAULTS,
    NonPodNode not_covered::NON_POD_NODE,
    NotSpecified not_covered::NOT_SPECIFIED,
    FeatureOff not_covered_controller::FEATURE_OFF,
    NeverTakenUp not_covered_controller::NEVER_TAKEN_UP,
    ControllerTooOld not_covered_controller::CONTROLLER_TOO_OLD,
    Unmanaged not_covered_controller::UNMANAGED,
    NoController not_covered_controller::NO_CONTROLLER,
    ControllerRights not_covered_controller::CONTROLLER_RIGHTS,
    ConfigmapParameter not_covered_controller::CONFIGMAP_PARAMETER,
    ReferenceMode not_covered_controller::REFERENCE_MODE,
    InputArtifacts not_covered::INPUT_ARTIFACTS,
    Uploaded not_covered::UPLOADED,
    UnrecordedObject not_covered::UNRECORDED_OBJECT,
    InlinePoison fails::INLINE_POISON,
    ProcessedWithError fails::PROCESSED_WITH_ERROR,
    TaskTooLarge fails::TASK_TOO_LARGE,
    GcPodFailed fails_pod::GC_POD_FAILED,
    GcRbac fails_pod::GC_RBAC,
    ServiceAccountMissing fails_pod::SERVICE_ACCOUNT_MISSING,
    GcOom fails_pod::GC_OOM,
    GcPodLost fails_pod::GC_POD_LOST,
    GcPodPending fails_pod::GC_POD_PENDING,
    GcPodHung fails_pod::GC_POD_HUNG,
    GcPodHeld fails_pod::GC_POD_HELD,
    InstanceId fails_pod::INSTANCEID,
    DeleteError fails_storage::DELETE_ERROR,
    BatchAbort fails_storage::BATCH_ABORT,
    UnsavedInOutputs fails_storage::UNSAVED_IN_OUTPUTS,
    UnsupportedDriver fails_storage::UNSUPPORTED_DRIVER,
    GcsMissing fails_storage::GCS_MISSING,
    AzureMissing fails_storage::AZURE_MISSING,
    GcsDirectory fails_storage::GCS_DIRECTORY,
    GcsUncleanKey fails_storage::GCS_UNCLEAN_KEY,
    S3Directory fails_storage::S3_DIRECTORY,
    ParamArchiveLocation fails_storage::PARAM_ARCHIVE_LOCATION,
    ArchiveLocationMixup fails_storage::ARCHIVE_LOCATION_MIXUP,
    RetryAttempts fails_storage::RETRY_ATTEMPTS,
    NoArtifactStuck fails::NO_ARTIFACT_STUCK,
    ForceNoPod fails::FORCE_NO_POD,
    TaskresultNeverComplete fails::TASKRESULT_NEVER_COMPLETE,
    LongNames fails::LONG_NAMES,
    Wftref34 fails::WFTREF_3_4,
    CronNeighbour fails::CRON_NEIGHBOUR,
    Foreground fails::FOREGROUND,
    NotRecouped fails::NOT_RECOUPED,
    RecoupedUndeleted fails::RECOUPED_UNDELETED,
    Overdue fails::OVERDUE,
    FinalizerStripped looks_covered::FINALIZER_STRIPPED,
    ForceEarly looks_covered::FORCE_EARLY,
    DeletedWhileRunning fails::DELETED_WHILE_RUNNING,
    RetryAfterGc fails::RETRY_AFTER_GC,
    S3FalseDeleted looks_covered::S3_FALSE_DELETED,
    WrongBucketDeleted looks_covered::WRONG_BUCKET_DELETED,
    TtlVanished looks_covered::TTL_VANISHED,
    ArchivedStale looks_covered::ARCHIVED_STALE,
    DeletedButPresent looks_covered::DELETED_BUT_PRESENT,
    RecordedButMissing looks_covered::RECORDED_BUT_MISSING,
    VersionedBucket looks_covered::VERSIONED_BUCKET,
    MemoHit hazard::MEMO_HIT,
    ResubmitMemoized hazard::RESUBMIT_MEMOIZED,
    SharedKey hazard::SHARED_KEY,
    Endangered hazard::ENDANGERED,
    AzurePrefix hazard::AZURE_PREFIX,
    WorkflowOfWorkflows hazard::WORKFLOW_OF_WORKFLOWS,
    StillConsumed hazard::STILL_CONSUMED,
    GlobalCopies hazard::GLOBAL_COPIES,
    NodesOffloaded unknown::NODES_OFFLOADED,
    NodesUnreadable unknown::NODES_UNREADABLE,
    NodesUnseen unknown::NODES_UNSEEN,
    GcObjectsUnread unknown::GC_OBJECTS_UNREAD,
    DefaultServiceAccount predicted::DEFAULT_SERVICE_ACCOUNT,
    TemplateUnseen predicted::TEMPLATE_UNSEEN,
}

impl Reason {
    /// Returns the stable code that users type and read.
    pub fn code(self) -> &'static str {
        self.entry().code
    }

    /// The reasons for which a workflow's nodes, and so its artifacts, can't be seen.
    pub const UNSEEN: [Self; 3] = [Self::NodesOffloaded, Self::NodesUnreadable, Self::NodesUnseen];

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
