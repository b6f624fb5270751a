//! The protections in the words that users read, and the page docs/protections.md.

use argo_gc_core::model::protection::Protection;
use argo_gc_core::plan::planned::KeptObject;

/// Returns what a protection means, as a clause.
pub fn clause(protection: Protection) -> &'static str {
    match protection {
        Protection::NotFinished => "the workflow is pending, running or suspended",
        Protection::JustFinished => "it finished within the grace period, so it may yet be retried",
        Protection::FailedRun => {
            "a failed workflow may be retried and then needs its artifacts; --status Failed,Error or its name takes it"
        }
        Protection::Pinned => "argo-gc/keep is set on it, its template or its namespace",
        Protection::Retained => "the policy of --policy keeps it",
        Protection::Archived => "it is a row of the archive, not a live workflow",
        Protection::NodesUnseen => "its nodes can't be read, so what it holds is unknown",
        Protection::GcActive => "Argo's own collection is at work or about to be",
        Protection::Changed => "the workflow was retried, recreated or deleted since the plan was made",
        Protection::NoCertainLocation => "where it lies can't be told for certain",
        Protection::UnsupportedEngine => "this tool does not delete from this storage",
        Protection::ForeignLocation => {
            "it lies outside the repositories this cluster is configured with; --repository allows more"
        }
        Protection::MemoHit => "its outputs came from a cache: the object is another workflow's",
        Protection::ResubmitMemoized => "it was taken over from the workflow this one was resubmitted from",
        Protection::Referenced => "something else still refers to it",
        Protection::NewerThanRun => "the object was written after the workflow's run ended",
        Protection::OlderThanRun => "the object was written before the workflow's run began",
        Protection::AgeUnknown => {
            "when the object was written can't be told, so it may not be this workflow's"
        }
        Protection::Held => "a hold or retention forbids its deletion",
        Protection::ChangedObject => "the object was overwritten since the plan was made",
        Protection::Denied => "the storage refused the delete",
    }
}

/// Returns the detail of why something is kept. For a foreign location the plan names the bucket, and this the flag.
pub(crate) fn detail(kept: &KeptObject) -> String {
    match kept.protection {
        Protection::ForeignLocation => format!("--repository {} allows it", kept.detail),
        _ => kept.detail.clone(),
    }
}

/// Returns the page.
pub fn page() -> String {
    let mut text = String::from(
        "# Protections\n\nWhy `kubectl argo-gc purge` leaves something alone. Made from the code; a test keeps it in \
         step.\n\n| code | what it means |\n| --- | --- |\n",
    );
    for protection in Protection::ALL {
        text += &format!("| `{}` | {} |\n", protection.code(), clause(*protection));
    }
    text
}
