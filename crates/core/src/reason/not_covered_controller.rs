//! Artifacts that no controller takes up for collection.

use crate::reason::entry::{AGC, CONTROLLER, Entry, OPERATOR};
use crate::reason::not_covered::NOT_COVERED;
use crate::verdict::Verdict;

pub(crate) static FEATURE_OFF: Entry = Entry {
    code: "feature-off",
    title: "Artifact GC is or was switched off in the controller",
    why: "With `ARGO_ARTIFACT_GC_ENABLED=false` in its environment the controller does nothing about artifact GC: \
          it does not even create `status.artifactGCStatus`. It adds no finalizer, and does not process or remove \
          one that is already there, so such a Workflow hangs when it is deleted. The evidence says whether the switch \
          was seen in the controller, or the Workflow shows that it was off: each release read keeps account of task \
          results only after it has written `status.artifactGCStatus`, so the one without the other means off.",
    evidence: &[
        "ARGO_ARTIFACT_GC_ENABLED in the environment of the workflow-controller Deployment",
        "status.artifactGCStatus is absent, and status.taskResultsCompletionStatus (v3.5.2 to v3.7.0) or \
         status.nodes[*].taskResultSynced (v3.7.1 and newer) is not",
    ],
    remedy: "Where the variable is still there, remove it or set it to true; Workflows with the finalizer are then \
             processed. Those that finished without it are not looked at again: \
             `kubectl argo-gc purge` deletes their objects.",
    remedy_yaml: Some(
        "\
# in the container workflow-controller of the controller's Deployment
env:
  - name: ARGO_ARTIFACT_GC_ENABLED
    value: \"true\"
",
    ),
    upstream: &[AGC, OPERATOR],
    ..NOT_COVERED
};

pub(crate) static NEVER_TAKEN_UP: Entry = Entry {
    code: "never-taken-up",
    verdicts: &[Verdict::Uncovered, Verdict::Unknown],
    title: "No controller has taken the Workflow up for collection",
    why: "`status.artifactGCStatus` is absent, which v3.4.0 and newer create at their first look unless artifact GC is \
          switched off. So the release that ran the Workflow was older, or the switch was off; the Workflow does not \
          show which, and a controller seen now need not be the one that ran it. A Workflow that has completed without the \
          finalizer is never looked at again: its artifacts stay (`uncovered`). One that is yet to be looked at may still \
          be taken up, and what becomes of it is unknown (`unknown`).",
    evidence: &[
        "status.artifactGCStatus is absent",
        "metadata.labels[workflows.argoproj.io/completed]",
        "metadata.finalizers without workflows.argoproj.io/artifact-gc",
        "the controllers seen, with their instance ID and ARGO_ARTIFACT_GC_ENABLED",
    ],
    remedy: "See that a controller of v3.4.5 or newer serves the namespace and instance ID, with artifact GC on: what runs \
             from then on is taken up. `kubectl argo-gc purge` deletes the objects of Workflows that finished before.",
    upstream: &["argo-workflows#9255 (v3.4.0)", AGC, CONTROLLER],
    ..NOT_COVERED
};

pub(crate) static CONTROLLER_TOO_OLD: Entry = Entry {
    code: "controller-too-old",
    title: "The controller is older than artifact GC",
    why: "Artifact GC came with v3.4.0. The controller of this Workflow is older and ignores `artifactGC` \
          altogether.",
    versions: "before v3.4.0",
    evidence: &["image of the workflow-controller Deployment", "status.artifactGCStatus is absent"],
    remedy: "Upgrade the controller together with its CRDs. Workflows that finished before are not collected afterwards \
             either: `kubectl argo-gc purge` deletes their objects.",
    upstream: &["argo-workflows#9255 (v3.4.0)", "argo-workflows#3102 (closed)"],
    ..NOT_COVERED
};

pub(crate) static UNMANAGED: Entry = Entry {
    code: "unmanaged",
    title: "No controller looks after this workflow",
    why: "A controller with an instance ID processes only Workflows that carry it in the label \
          `workflows.argoproj.io/controller-instanceid`; one without processes only those without. The label of \
          this Workflow fits none of the controllers seen, of which every one could be read. Whoever ran it, nobody \
          will add the finalizer, collect anything or take a finalizer off.",
    evidence: &[
        "metadata.labels[workflows.argoproj.io/controller-instanceid]",
        "instanceID and namespace of each controller",
    ],
    remedy: "Submit to a controller that runs: set the label to its instance ID, or leave it out for one \
             without. `kubectl argo-gc purge` deletes the objects of past runs.",
    remedy_yaml: Some(
        "\
metadata:
  labels:
    workflows.argoproj.io/controller-instanceid: my-instance # the controller's instanceID
",
    ),
    upstream: &[CONTROLLER],
    false_positives: "A controller that could not be seen, in another namespace for example, may look after it.",
    ..NOT_COVERED
};
