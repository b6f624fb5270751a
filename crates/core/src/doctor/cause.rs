//! The causes that a diagnosis distinguishes, and the mapping from an assessment's reasons to causes.

use crate::reason::Reason;
use serde::{Serialize, Serializer};

/// Declares the causes with their codes, titles and a sentence each; in the order they are shown.
macro_rules! causes {
    ($($name:ident $code:literal $title:literal $why:literal,)*) => {
        /// The cause why artifact GC is stuck or failing.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Cause { $($name,)* }

        impl Cause {
            /// All causes, in the order they are shown.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Returns the stable code that users read.
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// Returns the title, a statement of one line.
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// Returns the explanation of the cause.
            pub fn why(self) -> &'static str {
                match self { $(Self::$name => $why,)* }
            }
        }
    };
}

causes! {
    NoController "no-controller" "No controller runs that would collect"
        "Only the controller starts GC pods and removes finalizers.",
    FeatureOff "feature-off" "Artifact GC is or was switched off in the controller"
        "With ARGO_ARTIFACT_GC_ENABLED=false nothing is collected, and existing finalizers are not removed.",
    Unmanaged "unmanaged" "No controller manages these workflows"
        "A controller looks only at workflows of its instance ID and namespace.",
    NeverTakenUp "never-taken-up" "No controller has taken these workflows up for collection"
        "Their status lacks artifactGCStatus: artifact GC was off as they ran, or the release older than v3.4.0.",
    ControllerVersion "controller-version" "The controller's version can't collect these artifacts"
        "A defect of that release; a newer one has fixed it.",
    AccountMissing "service-account-missing" "The GC pods' service account does not exist"
        "A pod whose service account is missing is refused; up to v4.1.2 and v4.0.10 the controller does not \
         try again.",
    Rights "service-account-rights" "The GC pods' service account lacks permissions"
        "A GC pod lists and watches workflowartifactgctasks and patches their status as this account.",
    RightsUnchecked "rights-unchecked" "Whether the GC pods' service accounts have their permissions could not be checked"
        "That this could not be checked is no sign that they have them.",
    ControllerRights "controller-rights" "The controller's service account lacks permissions for artifact GC"
        "It creates tasks and GC pods as this account; up to v4.1.2 and v4.0.10 a failed attempt is not \
         repeated.",
    ReferenceMode "reference-mode" "The controller's reference mode refuses these workflows"
        "It checks a workflow each time it looks at it, and returns before artifact GC if it refuses it.",
    AdmissionRefused "admission-refused" "The GC pod was refused by admission"
        "The controller only logs that a webhook, policy or quota refused it; up to v4.1.2 and v4.0.10 it does not try again.",
    PodUnschedulable "pod-unschedulable" "The GC pod can't be scheduled"
        "The pod waits without limit, and so does the controller.",
    PodImage "pod-image" "The GC pod's image can't be pulled"
        "The pod waits without limit, and so does the controller.",
    SecretMissing "secret-missing" "A secret is missing that the GC pod needs"
        "The storage credentials are mounted from a secret of the workflow's namespace.",
    PodPending "pod-pending" "The GC pod does not start"
        "The pod waits without limit, and so does the controller.",
    PodOutOfMemory "pod-out-of-memory" "The GC pod ran out of memory"
        "It has 64Mi, whatever the number of artifacts.",
    PodHung "pod-hung" "The GC pod has been running for too long"
        "The controller waits for its end without limit, and starts no other.",
    Sidecar "sidecar" "A sidecar keeps the finished GC pod running"
        "The controller waits for the pod to end, which it does only when all its containers have.",
    PodFailed "pod-failed" "The GC pod failed"
        "It ended before its work was done; the controller does not start another.",
    PodEnded "pod-ended" "The GC pod has ended, and its artifacts are not marked deleted"
        "The pod failed, or its deletes did; its log and its task would say which.",
    InstanceIdLabel "instance-id-label" "The controller does not see its own GC pods"
        "They carry the instance ID under a label it does not look for.",
    PodLost "pod-lost" "The GC pod was refused or is gone, and its result was not recorded"
        "Its task is still there. A webhook, policy, quota or owner check refused the pod, or it was evicted or deleted.",
    WithoutPod "processed-without-pod" "Recorded as processed, without any GC pod"
        "The controller failed before it made a task or pod, and recorded the strategy as processed anyway.",
    InlineTemplates "inline-templates" "An inline template ends the collection for the whole workflow"
        "Its node names no template, and one such artifact aborts the strategy for all.",
    BatchAbort "batch-abort" "One artifact ends the GC pod before it records anything"
        "An artifact without a usable location aborts the run; what was deleted before it is not recorded.",
    DeleteFails "delete-fails" "Argo's delete does not hit the object"
        "Storage does not do what the driver asks of it.",
    TaskResults "task-results-incomplete" "The controller waits for a task result that never completes"
        "v3.5.2 to v3.5.5 never run GC if a pod was killed before it reported.",
    StillRuns "still-runs" "The workflow is deleted, and still runs"
        "From v3.5.2 on a deleted workflow runs to its end, and only then is collected and removed.",
    NothingToCollect "nothing-to-collect" "The finalizer remains although there is nothing to collect"
        "Up to v3.5.10 it is removed only after a GC pod succeeded, and there is none.",
    ForcedWithoutPod "forced-without-pod" "forceFinalizerRemoval waits for a GC pod that never was"
        "With this setting, only the end of a GC pod removes the finalizer.",
    RetriedOrDeletedEarly "written-after-processing" "Artifacts were written after their strategy was processed"
        "A strategy is processed once; what a retry or a late step writes is never collected.",
    Foreground "foreground-deletion" "Foreground deletion removed the GC pod"
        "Tasks and pods are dependents of the workflow, and are deleted before it.",
    CronNeighbour "cron-neighbour" "A failing workflow of the same CronWorkflow holds the others up"
        "Reported, but not understood: fix the first one.",
    UnknownStrategy "unknown-strategy" "The strategy is not one that Argo knows"
        "Argo never starts the collection that the artifact asks for.",
    NotRecorded "not-recorded" "Processed long ago, and never recorded as deleted"
        "The controller has not recorded the end of the GC pod, or it is unknown which step failed.",
    Overdue "overdue" "The controller has recorded nothing for over an hour"
        "It is down, busy, or does not see these workflows; after v4.1.2 and v4.0.10 it may also fail at each attempt.",
    Unseen "not-enough-seen" "Not enough could be read to find the cause"
        "Nodes are offloaded or not in the record, or GC's own objects could not be read.",
    TaskLeftOver "task-left-over" "A GC task is left over"
        "Its workflow is gone or no longer waits for it; nothing will execute it.",
    OtherFinalizer "other-finalizer" "Another finalizer holds the workflow"
        "Artifact GC is not involved: whoever added the finalizer has to remove it.",
    ParallelismHeld "parallelism-held" "Completed workflows take up parallelism"
        "A workflow with a stuck finalizer keeps its slot, and new ones have to wait.",
}

impl Cause {
    /// Returns the cause of a reason; none if the reason has nothing to do with a stuck collection.
    pub fn of(reason: Reason) -> Option<Self> {
        use Reason as R;
        Some(match reason {
            R::FeatureOff => Self::FeatureOff,
            R::Unmanaged => Self::Unmanaged,
            R::NoController => Self::NoController,
            R::ControllerRights => Self::ControllerRights,
            R::ReferenceMode => Self::ReferenceMode,
            R::ServiceAccountMissing => Self::AccountMissing,
            R::NeverTakenUp => Self::NeverTakenUp,
            R::ControllerTooOld | R::LongNames | R::Wftref34 => Self::ControllerVersion,
            R::GcRbac => Self::Rights,
            R::GcPodPending => Self::PodPending,
            R::GcOom => Self::PodOutOfMemory,
            R::GcPodHeld => Self::Sidecar,
            R::GcPodHung => Self::PodHung,
            R::GcPodFailed => Self::PodFailed,
            R::InstanceId => Self::InstanceIdLabel,
            R::GcPodLost => Self::PodLost,
            R::ProcessedWithError | R::TaskTooLarge => Self::WithoutPod,
            R::InlinePoison => Self::InlineTemplates,
            R::BatchAbort | R::UnsavedInOutputs => Self::BatchAbort,
            R::DeleteError
            | R::UnsupportedDriver
            | R::GcsMissing
            | R::AzureMissing
            | R::GcsDirectory
            | R::GcsUncleanKey
            | R::S3Directory
            | R::ParamArchiveLocation
            | R::ArchiveLocationMixup
            | R::RetryAttempts => Self::DeleteFails,
            R::TaskresultNeverComplete => Self::TaskResults,
            R::NoArtifactStuck => Self::NothingToCollect,
            R::ForceNoPod => Self::ForcedWithoutPod,
            R::RetryAfterGc | R::DeletedWhileRunning => Self::RetriedOrDeletedEarly,
            R::Foreground => Self::Foreground,
            R::CronNeighbour => Self::CronNeighbour,
            R::UnknownStrategy => Self::UnknownStrategy,
            R::NotRecouped => Self::NotRecorded,
            R::RecoupedUndeleted => Self::PodEnded,
            R::Overdue => Self::Overdue,
            R::NodesOffloaded | R::NodesUnreadable | R::NodesUnseen | R::GcObjectsUnread => Self::Unseen,
            _ => return None,
        })
    }

    /// Returns true if the cause is a controller, or the lack of one.
    pub(crate) fn is_of_controller(self) -> bool {
        matches!(
            self,
            Self::NoController
                | Self::FeatureOff
                | Self::Unmanaged
                | Self::ControllerRights
                | Self::ReferenceMode
        )
    }

    /// Returns true if the pods' service account could be the true cause.
    pub(crate) fn depends_on_account(self) -> bool {
        matches!(self, Self::Rights | Self::PodFailed | Self::PodLost | Self::WithoutPod | Self::PodEnded)
    }
}

impl Serialize for Cause {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reason::Reason;
    use crate::verdict::Verdict;

    /// Failing reasons that `inspect` reports and a diagnosis does not.
    const NOT_STUCK: [Reason; 0] = [];

    #[test]
    fn no_failing_reason_is_without_a_cause() {
        for reason in Reason::ALL {
            if reason.entry().verdicts.contains(&Verdict::Failing) && !NOT_STUCK.contains(reason) {
                assert!(Cause::of(*reason).is_some(), "{}", reason.code());
            }
        }
    }

    #[test]
    fn codes_are_unique() {
        let codes: std::collections::BTreeSet<_> = Cause::ALL.iter().map(|cause| cause.code()).collect();
        assert_eq!(codes.len(), Cause::ALL.len());
    }
}
