//! Artifacts that no controller takes up for collection.

use crate::argo::gc_role::CONTROLLER_ROLE;
use crate::reason::entry::{AGC, CONTROLLER, Entry, Link, OPERATOR};
use crate::reason::fails::FAILS;
use crate::reason::not_covered::NOT_COVERED;
use crate::verdict::Verdict;

pub(crate) static FEATURE_OFF: Entry = Entry {
    code: "feature-off",
    verdicts: &[Verdict::Uncovered, Verdict::Unknown],
    title: "Artifact GC is or was switched off in the controller",
    why: "With `ARGO_ARTIFACT_GC_ENABLED=false` in its environment the controller does nothing about \
          artifact GC: it does not even create `status.artifactGCStatus`. It adds no finalizer, and does not \
          process or remove one that is already there, so such a Workflow hangs when it is deleted. The \
          evidence says whether the switch was seen in the controller, or the Workflow shows that it was \
          off: each release read records task results only after it has written `status.artifactGCStatus`, \
          so task results without it mean that GC was off.",
    evidence: &[
        "ARGO_ARTIFACT_GC_ENABLED in the environment of the workflow-controller Deployment",
        "status.artifactGCStatus is absent, and status.taskResultsCompletionStatus (v3.5.2 to v3.7.0) or \
         status.nodes[*].taskResultSynced (v3.7.1 and newer) is not",
    ],
    remedy: "If the variable is still there, remove it or set it to true; Workflows with the finalizer are \
             then processed. Those that finished without it are not processed again: `kubectl argo-gc purge` \
             deletes their objects.",
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
    why: "`status.artifactGCStatus` is absent, which v3.4.0 and newer create when they first process a \
          Workflow, unless artifact GC is switched off. So the release that ran the Workflow was older, or \
          the switch was off; the Workflow does not show which, and a controller seen now need not be the \
          one that ran it. A Workflow that has completed without the finalizer is never processed again: \
          nobody will delete its artifacts (`uncovered`). One that is yet to be processed may still be taken \
          up, so its fate is unknown (`unknown`).",
    evidence: &[
        "status.artifactGCStatus is absent",
        "metadata.labels[workflows.argoproj.io/completed]",
        "metadata.finalizers without workflows.argoproj.io/artifact-gc",
        "the controllers seen, with their instance ID and ARGO_ARTIFACT_GC_ENABLED",
    ],
    remedy: "Make sure that a controller of v3.4.5 or newer serves the namespace and instance ID, with \
             artifact GC on: it takes up what runs from then on. `kubectl argo-gc purge` deletes the objects \
             of Workflows that finished before.",
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
    verdicts: &[Verdict::Uncovered, Verdict::Unknown],
    title: "No controller serves this workflow",
    why: "A controller with an instance ID processes only Workflows that carry it in the label \
          `workflows.argoproj.io/controller-instanceid`; one without processes only those without. The label \
          of this Workflow fits none of the controllers seen. If every controller of the cluster could be \
          read, nobody will add the finalizer, collect anything or remove a finalizer, whoever ran it \
          (`uncovered`). Otherwise a controller that was not seen may serve it (`unknown`).",
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
    false_positives: "A controller that no Deployment runs may serve it.",
    ..NOT_COVERED
};

pub(crate) static NO_CONTROLLER: Entry = Entry {
    code: "no-controller",
    verdicts: &[Verdict::Failing, Verdict::Unknown],
    link: Link::Task,
    title: "No controller runs that would collect it",
    why: "Only the controller creates tasks and GC pods and removes finalizers. Each one that may manage the \
          Workflow is scaled to 0, or every Deployment of the cluster was read and none runs a controller \
          that may manage workflows. Until one runs nothing is collected, and the Workflow hangs when it is \
          deleted. Where another controller may exist that could not be seen, it is `unknown`.",
    evidence: &[
        "spec.replicas of the workflow-controller Deployment",
        "no Deployment of the cluster whose image or command is a workflow-controller",
    ],
    remedy: "Start the controller (kubectl scale), or install one; GC then continues by itself. Without one \
             `kubectl argo-gc purge NAME --release-finalizer` deletes the objects, then the finalizer.",
    upstream: &[AGC, CONTROLLER],
    false_positives: "A controller that no Deployment runs: outside the cluster, or by a StatefulSet. `--argo-version` says \
                      that there is one.",
    ..FAILS
};

pub(crate) static CONTROLLER_RIGHTS: Entry = Entry {
    code: "controller-rights",
    verdicts: &[Verdict::Failing, Verdict::Unknown],
    link: Link::Task,
    title: "The controller's service account lacks permissions for GC",
    why: "For each collection the controller creates a WorkflowArtifactGCTask and a pod, watches the task, \
          and deletes it afterwards, with its own service account. This account may not: the attempt fails \
          before a pod starts, and up to v4.1.2 and v4.0.10 it is recorded as processed and not repeated. \
          Where the admission plugin OwnerReferencesPermissionEnforcement is on, as on OpenShift, the \
          account also needs `update` on `workflowartifactgctasks/finalizers`, which upstream's role lacks; \
          else each GC pod is refused with \"cannot set blockOwnerDeletion\" and leaves a task without \
          status. That plugin can't be seen from outside, so this permission alone decides no verdict.",
    evidence: &[
        "access review of the controller's service account, or its roles among files: create, list, watch and delete \
         workflowartifactgctasks, create pods",
    ],
    remedy: "Bind these permissions to the controller's account. What was recorded as processed meanwhile is not tried again: \
             `kubectl argo-gc purge NAME --release-finalizer`.",
    remedy_yaml: Some(CONTROLLER_ROLE),
    upstream: &["argo-workflows#10405 (closed)", "argo-helm#3741", AGC],
    false_positives: "Permissions are reviewed as they are now, and in files only by the roles that are among them.",
    ..FAILS
};

pub(crate) static REFERENCE_MODE: Entry = Entry {
    code: "reference-mode",
    verdicts: &[Verdict::Failing, Verdict::Unknown],
    link: Link::Task,
    title: "The controller's reference mode refuses the workflow",
    why: "With `workflowRestrictions.templateReferencing` the controller checks a Workflow each time it looks at it, also \
          when it is over, and returns before artifact GC if it refuses it. `Strict` and `Secure` refuse one without \
          `workflowTemplateRef`, and from v3.7.14, v4.0.5 and v4.1.0 on one that sets more beside it than the mode allows. \
          `Secure` also fetches the WorkflowTemplate again, and refuses the Workflow if it was deleted, or differs from \
          what the run has stored. So whoever edits or deletes a WorkflowTemplate ends the collection for all earlier \
          Workflows: they hang when they are deleted, and the controller marks them as Error. On a covered artifact this \
          is a note: the template must stay as it is. It is `unknown` if the changed template is only among files.",
    evidence: &[
        "workflowRestrictions.templateReferencing in the controller's ConfigMap",
        "spec.workflowTemplateRef, and fields beside it",
        "the WorkflowTemplate, compared with status.storedWorkflowTemplateSpec",
    ],
    remedy: "Put the WorkflowTemplate back as it was, or lift the mode until these Workflows are gone; GC then continues by \
             itself. Give changed templates new names. Otherwise `kubectl argo-gc purge NAME --release-finalizer` deletes \
             the objects, then the finalizer.",
    remedy_yaml: None,
    upstream: &[OPERATOR, "workflow/util/merge.go@v4.1.2", "workflow/controller/operator.go@v3.4.18"],
    false_positives: "Of the template only names, images, commands, arguments and sources are compared; other changes end \
                      the collection as well.",
    ..FAILS
};

pub(crate) static CONFIGMAP_PARAMETER: Entry = Entry {
    code: "configmap-parameter",
    verdicts: &[],
    link: Link::Task,
    title: "A parameter's ConfigMap must exist until the collection",
    why: "The controller sets the parameters of a Workflow each time it looks at it, also when it is over. If an argument \
          takes its value from a ConfigMap, and the ConfigMap or its key is gone by then, it marks the Workflow as Failed and \
          returns before artifact GC: nothing is collected, and the Workflow hangs when it is deleted. Whether the ConfigMap \
          is still there is not checked.",
    evidence: &["spec.arguments.parameters[*].valueFrom.configMapKeyRef without default and value"],
    remedy: "Keep the ConfigMap, or put it back: GC then continues by itself. Give the parameter a `default`.",
    remedy_yaml: Some(
        "\
spec:
  arguments:
    parameters:
      - name: limits
        valueFrom:
          default: \"10\"
          configMapKeyRef:
            name: limits
            key: max
",
    ),
    upstream: &[OPERATOR],
    false_positives: "The ConfigMap is usually there.",
    ..FAILS
};
