//! The protections in the words that users read, and the page docs/protections.md.

use argo_gc_core::model::protection::Protection;
use argo_gc_core::plan::planned::KeptObject;

/// Returns what a protection means, as a clause.
pub fn clause(protection: Protection) -> &'static str {
    match protection {
        Protection::NotFinished => "the workflow is pending, running or suspended",
        Protection::JustFinished => "the workflow finished within the grace period and may still be retried",
        Protection::FailedRun => "the workflow failed; it may be retried and then needs its artifacts",
        Protection::Pinned => "argo-gc/keep is set on the workflow, its template or its namespace",
        Protection::Kubeflow => {
            "it belongs to Kubeflow Pipelines, whose cache may hand the object to another run; the cache \
             can't be read here"
        }
        Protection::Retained => "the retention policy keeps the workflow",
        Protection::Archived => "only an archive record of the workflow exists",
        Protection::NodesUnseen => "the workflow's nodes can't be read, so its artifacts are unknown",
        Protection::GcActive => "Argo's own collection of the workflow is running or imminent",
        Protection::Changed => "the workflow was retried, recreated or deleted since the plan was made",
        Protection::NoCertainLocation => "the artifact's bucket or key can't be determined from the workflow",
        Protection::UnsupportedEngine => "this tool does not delete from the artifact's storage",
        Protection::ForeignLocation => {
            "the artifact is outside the repositories of the controllers that count and of the namespace given with `-n`"
        }
        Protection::ForeignKey => {
            "by the key format of its repository the object is another namespace's or workflow's"
        }
        Protection::MemoHit => "the artifact came from a cache: the object is another workflow's",
        Protection::ResubmitMemoized => {
            "the artifact was taken over from the workflow that this one resubmits"
        }
        Protection::Referenced => "something else still refers to the object",
        Protection::NewerThanRun => "the object was written after the workflow's run ended",
        Protection::OlderThanRun => "the object was written before the workflow's run began",
        Protection::AgeUnknown => "the object's time is unknown, so it may not be this workflow's",
        Protection::Held => "a hold or retention forbids the object's deletion",
        Protection::Quarantined => "the object is marked, and its time has not come yet",
        Protection::Unmarkable => "the object can't be marked for a later run, or its mark can't be read",
        Protection::ChangedObject => "the object was overwritten since the plan was made",
        Protection::Denied => "the storage refused the delete",
    }
}

/// Returns what to do to delete what a protection keeps; empty if nothing is to be done but to leave it.
pub(crate) fn remedy(protection: Protection) -> &'static str {
    match protection {
        Protection::NotFinished => "wait until it has ended",
        Protection::GcActive => "wait until it has ended; if it hangs, `doctor` says how to end it",
        Protection::JustFinished => "wait, or set a shorter `--grace`",
        Protection::FailedRun => "select it with `--status Failed,Error`, or by name",
        Protection::Pinned => "remove the label or annotation",
        Protection::Kubeflow => "name the workflow",
        Protection::Retained => "change the policy or `--keep-last`",
        Protection::NodesUnseen => "read them with `--argo-server`; a file's record must hold them",
        Protection::Changed | Protection::ChangedObject => "make a new plan",
        Protection::ForeignLocation => "allow the place with `--repository`",
        Protection::ForeignKey => {
            "name its folder, below what the format has in front of variables, with `--repository`"
        }
        Protection::MemoHit | Protection::ResubmitMemoized => "purge the workflow that wrote it",
        Protection::Referenced => {
            "purge what refers to it together with it, or first; if a text names it, wait until that \
             workflow is finished, or change the template, cron workflow or sensor"
        }
        Protection::NewerThanRun | Protection::OlderThanRun => {
            "if only clocks differ, set a larger `--margin`"
        }
        Protection::Held => "end the hold or retention in the storage",
        Protection::Quarantined => "wait, or purge without `--quarantine`",
        Protection::Unmarkable => "purge without `--quarantine`",
        Protection::Denied => "grant the permission ([rbac.md](rbac.md))",
        Protection::Archived => "purge archived workflows too, with `--archived`",
        Protection::NoCertainLocation | Protection::UnsupportedEngine | Protection::AgeUnknown => "",
    }
}

/// Returns the detail of why something is kept. For a foreign location the plan
/// names the bucket, for a foreign key the format, and this the flag.
pub(crate) fn detail(kept: &KeptObject) -> String {
    detail_of(kept.protection, &kept.detail)
}

/// As [`detail`], from a plan's words.
pub(crate) fn detail_of(protection: Protection, detail: &str) -> String {
    match protection {
        Protection::ForeignLocation => format!("--repository {detail} allows it"),
        Protection::Kubeflow => "naming the workflow allows it".to_owned(),
        Protection::ForeignKey => {
            format!("the key format is {detail}; --repository with the object's folder allows it")
        }
        _ => detail.to_owned(),
    }
}

/// Returns the page.
pub fn page() -> String {
    let mut text = String::from(
        "# Protections\n\nWhy `kubectl argo-gc purge` keeps an object.\n\n\
         | code | meaning | to delete it anyway |\n| --- | --- | --- |\n",
    );
    for protection in Protection::ALL {
        text += &format!("| `{}` | {} | {} |\n", protection.code(), clause(*protection), remedy(*protection));
    }
    text
}
