//! Defines the protections: one name for each reason why an object or a workflow is not deleted.

use serde::{Serialize, Serializer};

macro_rules! protections {
    ($($(#[$doc:meta])+ $name:ident $code:literal,)*) => {
        /// The reason why something is not deleted. `output::protections` words it for users.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Protection { $($(#[$doc])+ $name,)* }

        impl Protection {
            /// All protections.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Returns the stable code that users read.
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }
        }
    };
}

protections! {
    // The whole workflow.
    /// The workflow is pending, running or suspended.
    NotFinished "not-finished",
    /// It finished within the grace period, so it may yet be retried.
    JustFinished "just-finished",
    /// A failed workflow may be retried and then needs its artifacts.
    FailedRun "failed-run",
    /// The annotation `argo-gc/keep` is set on it, its template or its namespace.
    Pinned "pinned",
    /// It is a run of Kubeflow Pipelines, or the key has a shape of theirs: their cache may hand out the object again.
    Kubeflow "kubeflow",
    /// The user's retention policy keeps it.
    Retained "retained",
    /// It is a row of the archive, not a live workflow.
    Archived "archived",
    /// Its nodes can't be read, so what it holds is unknown.
    NodesUnseen "nodes-unseen",
    /// Argo's own collection is at work or about to be.
    GcActive "gc-active",
    /// The workflow was retried, recreated or deleted since the plan was made.
    Changed "changed-workflow",
    // One artifact.
    /// Where it is stored is not certain.
    NoCertainLocation "no-certain-location",
    /// This tool does not delete from this storage.
    UnsupportedEngine "unsupported-engine",
    /// It is outside the repositories that the cluster is configured with or the user named.
    ForeignLocation "foreign-location",
    /// By the key format of its repository the key is another namespace's or workflow's.
    ForeignKey "foreign-key",
    /// Its outputs came from a cache: the object is another workflow's.
    MemoHit "memo-hit",
    /// It was taken over from the workflow this one was resubmitted from.
    ResubmitMemoized "resubmit-memoized",
    /// Something else still refers to it.
    Referenced "referenced",
    // One object.
    /// The object was written after the workflow's run ended.
    NewerThanRun "newer-than-run",
    /// The object was written before the workflow's run began.
    OlderThanRun "older-than-run",
    /// When the object was written is unknown, so it may not be this workflow's.
    AgeUnknown "age-unknown",
    /// A hold or retention forbids its deletion.
    Held "held",
    /// It is marked for a later run of `purge --quarantine`.
    Quarantined "quarantined",
    /// It can't be marked for `purge --quarantine`, or its mark can't be read.
    Unmarkable "unmarkable",
    // At the delete.
    /// The object was overwritten since the plan was made.
    ChangedObject "changed-object",
    /// The storage refused the delete.
    Denied "denied",
}

impl Serialize for Protection {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> serde::Deserialize<'de> for Protection {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = std::borrow::Cow::<str>::deserialize(deserializer)?;
        let found = Self::ALL.iter().find(|protection| protection.code() == code);
        found.copied().ok_or_else(|| serde::de::Error::custom(format!("unknown protection {code}")))
    }
}
