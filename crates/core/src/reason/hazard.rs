//! Hazards to know before anything is deleted.

use crate::reason::entry::{AZURE, BASE, Entry, Group, OPERATOR, UTIL};
use crate::verdict::Verdict;

const HAZARD: Entry = Entry { group: Group::Hazard, ..BASE };

pub(crate) static MEMO_HIT: Entry = Entry {
    code: "memo-hit",
    verdicts: &[Verdict::Unknown],
    title: "The outputs came from a cache: another workflow's object",
    why: "A memoized step that hits its cache records the artifact of the workflow that filled it. Argo's GC \
          deletes it anyway if this workflow's strategy says so, and the cache entry then points to nothing. \
          Without a strategy here, its owner decides its fate, so it is unknown.",
    evidence: &["status.nodes[*].memoizationStatus.hit"],
    remedy: "Give memoized steps the strategy `Never`, and don't delete their objects while the cache refers to them.",
    upstream: &[OPERATOR],
    ..HAZARD
};

pub(crate) static RESUBMIT_MEMOIZED: Entry = Entry {
    code: "resubmit-memoized",
    verdicts: &[Verdict::Unknown],
    title: "The object belongs to the workflow that was resubmitted",
    why: "A memoized resubmit copies the outputs of successful steps onto Skipped nodes. Argo's GC skips \
          these; the object belongs to the original workflow, whose strategy decides its fate.",
    evidence: &["status.nodes[*] of type Skipped with the message `original pod: …`"],
    remedy: "Look at the original workflow. Deleting the object breaks this one's record.",
    upstream: &[UTIL],
    ..HAZARD
};

pub(crate) static SHARED_KEY: Entry = Entry {
    code: "shared-key",
    title: "Several nodes or workflows write the same key",
    why: "Nothing in the key distinguishes runs, so they overwrite one object. Collection for the first of \
          them deletes what a later one wrote. If several workflows share the key, all but the first that \
          was read have the note.",
    evidence: &["equal locations in status.nodes[*].outputs.artifacts[*]"],
    remedy: "Put `{{workflow.uid}}` into the key. Before deleting, make sure that nobody needs the latest content.",
    upstream: &["argo-workflows#3732", "docs/walk-through/artifacts.md@v4.1.2"],
    ..HAZARD
};

pub(crate) static ENDANGERED: Entry = Entry {
    code: "endangered",
    verdicts: &[Verdict::Endangered],
    title: "Argo will delete the object although something needs it",
    why: "Argo collects an artifact without checking who else needs it. The same object is kept by another \
          workflow (strategy `Never`, or none), is pointed to by a memoization cache or by a workflow that \
          took it from there, or is read by a workflow that still runs or by something yet to run: a \
          template, a cron workflow, a sensor. On Azure the deletion of a directory also deletes whatever \
          begins with its name. The verdict is shown for the artifact that will be collected, and for the \
          one that its workflow keeps.",
    evidence: &[
        "kept by, read by, named by, handed out by: who needs it",
        "collected with an artifact of: whose collection deletes it",
        "this needs all workflows, so it is checked only on request",
    ],
    remedy: "Give each run a key of its own (`{{workflow.uid}}` in it). Give the artifact the strategy \
             `OnWorkflowDeletion` and keep the workflow as long as the object is needed, or `Never` if a \
             cache hands it out. Or copy the object to a place that nobody collects, and let its readers \
             name that.",
    upstream: &["workflow/controller/artifact_gc.go@v4.1.2", "argo-workflows#3732"],
    false_positives: "A reader may be done with the object before it is deleted. What another cluster or a \
                      program reads is not seen.",
    ..HAZARD
};

pub(crate) static AZURE_PREFIX: Entry = Entry {
    code: "azure-prefix",
    title: "Azure: deleting a directory also deletes its namesakes",
    why: "For a directory Argo's Azure driver deletes everything whose name begins with the blob's name, \
          without a slash: deleting `a/b` also deletes `a/bc` and `a/b2/x`.",
    evidence: &["status.nodes[*].outputs.artifacts[*] with azure and archive.none"],
    remedy: "Make sure that no blob name is the beginning of another, or end directory names in a way no other name \
             continues.",
    upstream: &[AZURE],
    false_positives: "A single blob without anything below its name is deleted alone.",
    ..HAZARD
};

pub(crate) static WORKFLOW_OF_WORKFLOWS: Entry = Entry {
    code: "workflow-of-workflows",
    title: "The workflow creates workflows of its own",
    why: "A resource template creates another Workflow, with its own outputs, strategy and finalizer. This \
          verdict says nothing about the child.",
    evidence: &["spec.templates[*].resource.manifest of kind Workflow"],
    remedy: "Inspect the children by themselves; each needs its own artifactGC.",
    upstream: &["argo-workflows#13556 (closed)"],
    ..HAZARD
};

pub(crate) static STILL_CONSUMED: Entry = Entry {
    code: "still-consumed",
    title: "The workflow still runs and may read the artifact",
    why: "Later steps may take it as input, and the outputs may still grow.",
    evidence: &["status.phase is not Succeeded, Failed or Error"],
    remedy: "Wait until the workflow has ended.",
    upstream: &[OPERATOR],
    ..HAZARD
};

pub(crate) static GLOBAL_COPIES: Entry = Entry {
    code: "global-copies",
    title: "Other nodes show the same object",
    why: "Retry, Steps and DAG nodes and the workflow's outputs repeat their pods' artifacts. It is one object; only \
          the Pod node's entry is ever marked deleted.",
    evidence: &["equal locations on nodes of type Retry, Steps, DAG, StepGroup, TaskGroup"],
    remedy: "Nothing to do: the object is counted once.",
    upstream: &["workflow/controller/artifact_gc.go@v4.1.2"],
    ..HAZARD
};
