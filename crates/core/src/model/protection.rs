//! Defines the protections: one name for each reason why an object or a workflow is not deleted.

use serde::{Serialize, Serializer};

macro_rules! protections {
    ($($name:ident $code:literal $text:literal,)*) => {
        /// The reason why something is not deleted.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Protection { $(#[doc = $text] $name,)* }

        impl Protection {
            /// All protections.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Returns the stable code that users read.
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// Returns the meaning, as a clause.
            pub fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

protections! {
    // The whole workflow.
    NotFinished "not-finished" "the workflow is pending, running or suspended",
    JustFinished "just-finished" "it finished within the grace period, so it may yet be retried",
    FailedRun "failed-run" "a failed workflow may be retried and then needs its artifacts; --status Failed,Error or its name takes it",
    Pinned "pinned" "argo-gc/keep is set on it, its template or its namespace",
    Retained "retained" "the policy of --policy keeps it",
    Archived "archived" "it is a row of the archive, not a live workflow",
    NodesUnseen "nodes-unseen" "its nodes can't be read, so what it holds is unknown",
    GcActive "gc-active" "Argo's own collection is at work or about to be",
    Changed "changed-workflow" "the workflow was retried, recreated or deleted since the plan was made",
    // One artifact.
    NoCertainLocation "no-certain-location" "where it lies can't be told for certain",
    UnsupportedEngine "unsupported-engine" "this tool does not delete from this storage",
    ForeignLocation "foreign-location" "it lies outside the repositories this cluster is configured with; --repository allows more",
    MemoHit "memo-hit" "its outputs came from a cache: the object is another workflow's",
    ResubmitMemoized "resubmit-memoized" "it was taken over from the workflow this one was resubmitted from",
    Referenced "referenced" "something else still refers to it",
    // One object.
    NewerThanRun "newer-than-run" "the object was written after the workflow's run ended",
    OlderThanRun "older-than-run" "the object was written before the workflow's run began",
    AgeUnknown "age-unknown" "when the object was written can't be told, so it may not be this workflow's",
    Held "held" "a hold or retention forbids its deletion",
    // At the delete.
    ChangedObject "changed-object" "the object was overwritten since the plan was made",
    Denied "denied" "the storage refused the delete",
}

/// Returns the page of protections, for `docs/protections.md`.
pub fn markdown() -> String {
    let mut text = String::from(
        "# Protections\n\nWhy `kubectl argo-gc purge` leaves something alone. Made from the code; a test keeps it in \
         step.\n\n| code | what it means |\n| --- | --- |\n",
    );
    for protection in Protection::ALL {
        text += &format!("| `{}` | {} |\n", protection.code(), protection.text());
    }
    text
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
