//! The words that tables show beside the reasons: verdicts, protections and causes of orphans.

use crate::output::protections::{clause, remedy};
use argo_gc_core::model::protection::Protection;
use argo_gc_core::plan::orphans::Cause;
use argo_gc_core::verdict::Verdict;
use std::io;
use std::io::Write;

/// A word that a table shows, with what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    Verdict(Verdict),
    Protection(Protection),
    Cause(Cause),
    /// What `orphans` counts and does not list.
    Counted(&'static str, &'static str),
    /// What the column of finalizers shows.
    Finalizer(&'static str, &'static str),
}

/// What the column of finalizers shows, with its meaning.
const FINALIZERS: [(&str, &str); 2] = [
    ("stuck", "nothing will remove Argo's artifact-gc finalizer, so the workflow hangs once it is deleted"),
    ("terminating", "the workflow is being deleted, and waits for its finalizers"),
];

/// What `orphans` counts, with its meaning.
const COUNTED: [(&str, &str); 7] = [
    ("referenced", "something refers to the object, so it is no orphan"),
    (
        "guarded",
        "the object is in the folder of a workflow that is unfinished or pinned, or of a pinned namespace",
    ),
    (
        "unrecorded",
        "a workflow that exists has the name in the key, and does not record the object: an attempt was preempted or retried",
    ),
    ("kubeflow", "the key has a shape of Kubeflow Pipelines, whose cache may hand the object to another run"),
    ("young", "the object was written too recently to judge: its record may not be written yet"),
    ("unclear", "the object's key or time can't be judged"),
    (
        "foreign",
        "the key does not have the shape of Argo's keys: the object is somebody else's, and never offered \
         for deletion",
    ),
];

impl Word {
    /// All words, in the order of the list.
    pub fn all() -> Vec<Self> {
        let verdicts = Verdict::ALL.into_iter().map(Self::Verdict);
        let protections = Protection::ALL.iter().copied().map(Self::Protection);
        let causes = Cause::ALL.into_iter().map(Self::Cause);
        // A protection has the meaning of the same word.
        let counted = COUNTED.into_iter().map(|(word, meaning)| Self::Counted(word, meaning));
        let finalizers = FINALIZERS.into_iter().map(|(word, meaning)| Self::Finalizer(word, meaning));
        verdicts.chain(protections).chain(causes).chain(counted).chain(finalizers).collect()
    }

    /// The words that are written like this; a protection may have the word of a count.
    pub fn parse(text: &str) -> Vec<Self> {
        Self::all().into_iter().filter(|word| word.as_str() == text).collect()
    }

    /// The word as tables show it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Verdict(verdict) => verdict.as_str(),
            Self::Protection(protection) => protection.code(),
            Self::Cause(cause) => cause.as_str(),
            Self::Counted(word, _) | Self::Finalizer(word, _) => word,
        }
    }

    /// Which kind of word it is.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Verdict(_) => "verdict",
            Self::Protection(_) => "protection",
            Self::Cause(_) => "cause of an orphan",
            Self::Counted(..) => "count of orphans",
            Self::Finalizer(..) => "state of a finalizer",
        }
    }

    /// What it means, as a clause.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Verdict(verdict) => match verdict {
                Verdict::Uncovered => "nobody will delete the artifact",
                Verdict::Failing => "Argo tried to delete the artifact or will try, and fails",
                Verdict::Endangered => "Argo will delete the artifact's object although something needs it",
                Verdict::Unknown => "the evidence is not sufficient for a verdict; never counted as covered",
                Verdict::Kept => "a user explicitly set the strategy Never",
                Verdict::Covered => "Argo will delete the artifact",
                Verdict::Collected => {
                    "the workflow records the artifact as deleted, by Argo or by a purge, or storage holds nothing of an artifact that \
                     nobody would delete"
                }
            },
            Self::Protection(protection) => clause(protection),
            Self::Cause(Cause::WorkflowGone) => {
                "no workflow of the name in the key exists: it was deleted by TTL, by hand, or by force"
            }
            Self::Cause(Cause::AbandonedUpload) => {
                "a file that was uploaded in Argo's UI for a workflow that was never submitted"
            }
            Self::Cause(Cause::KubeflowRunGone) => {
                "Kubeflow Pipelines has no such run any more, by the list of --kfp-runs"
            }
            Self::Counted(_, meaning) | Self::Finalizer(_, meaning) => meaning,
        }
    }

    /// What to do about it; empty if nothing is to be done.
    fn remedy(self) -> String {
        match self {
            Self::Verdict(Verdict::Uncovered | Verdict::Failing) => {
                "its reason says how to fix it: kubectl argo-gc explain REASON".to_owned()
            }
            Self::Protection(protection) => remedy(protection).to_owned(),
            Self::Cause(_) => {
                "kubectl argo-gc orphans --repository URL --exclusive --plan-out plan.json".to_owned()
            }
            Self::Finalizer(..) => "kubectl argo-gc doctor -n NAMESPACE shows the cause, and \
                                    kubectl argo-gc purge NAME -n NAMESPACE --release-finalizer removes it"
                .to_owned(),
            Self::Verdict(_) | Self::Counted(..) => String::new(),
        }
    }
}

/// Writes what a word means.
///
/// # Errors
/// Writing failed.
pub fn explain_word(out: &mut dyn Write, word: Word) -> io::Result<()> {
    writeln!(out, "{} ({}): {}", word.as_str(), word.kind(), word.meaning())?;
    match (word, word.remedy()) {
        (_, remedy) if remedy.is_empty() => Ok(()),
        (Word::Protection(_), remedy) => writeln!(out, "\nTO DELETE IT ANYWAY\n  {remedy}"),
        (_, remedy) => writeln!(out, "\nREMEDY\n  {remedy}"),
    }
}
