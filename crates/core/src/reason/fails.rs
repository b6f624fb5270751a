//! Artifacts that a strategy and the finalizer reach, but whose collection breaks before, in or after the GC pod.

use crate::reason::entry::{AGC, BASE, CONTROLLER, Entry, Group, Link, OPERATOR, UTIL};
use crate::reason::not_covered::LIFTED_YAML;
use crate::verdict::Verdict;

pub(crate) const FAILS: Entry =
    Entry { group: Group::Fails, verdicts: &[Verdict::Failing], link: Link::Task, release: true, ..BASE };

pub(crate) static INLINE_POISON: Entry = Entry {
    code: "inline-poison",
    link: Link::Template,
    title: "One inline template stops the whole strategy",
    why: "For each artifact the controller looks up the node's template by name, and a node of an `inline` \
          template has none. The first such node ends the attempt before any task or pod is made, the \
          strategy is recorded as processed (after v4.1.2 and v4.0.10: is tried again, and fails again), and \
          no artifact with this strategy in the Workflow is deleted, inline or not. An inline pod with \
          nothing but archived logs suffices. No release up to v4.1.2 collects artifacts of inline \
          templates. The public claim that v3.5.5 fixed it is wrong: its GC code is byte-identical to \
          v3.5.4, and #12628 (v3.5.6) changes how inline bodies are stored, not GC.",
    evidence: &[
        "status.nodes[*] of type Pod without templateName and templateRef, with undeleted artifacts or logs",
        "status.artifactGCStatus.strategiesProcessed",
        "metadata.finalizers",
    ],
    remedy: "Move every inline body to a named template; values that the body took from the enclosing \
             template become arguments. `kubectl argo-gc fix -f FILE` does that. Or, to save the others, \
             give inline artifacts the strategy `Never` and store no logs there. For the leftovers, `kubectl \
             argo-gc purge NAME --release-finalizer` deletes the objects, then the finalizer.",
    remedy_yaml: Some(LIFTED_YAML),
    upstream: &[
        "argo-workflows#14922 (open)",
        "argo-workflows#13354 (closed, no commit refers to it)",
        "argo-workflows#14926 (open: steps only, one level deep)",
        "argo-workflows#12628 (v3.5.6, storing only)",
        "workflow/controller/artifact_gc.go@v3.5.4",
        "workflow/controller/artifact_gc.go@v3.5.5",
        AGC,
        OPERATOR,
    ],
    false_positives: "A step with both `inline` and `template` has a template name and is not counted.",
    ..FAILS
};

pub(crate) static PROCESSED_WITH_ERROR: Entry = Entry {
    code: "processed-with-error",
    title: "A failed attempt was recorded as processed",
    why: "When the controller prepares a strategy it records it as processed even if it fails, and so does not try \
          again. The releases after v4.1.2 and v4.0.10 record no such attempt and repeat it, so there it shows as \
          `overdue`. Typical failures are a task or GC pod refused by an admission \
          webhook, a quota or RBAC. The error is in the controller's log only (\"failed to GC artifacts\"): the Workflow \
          shows no condition and no event.",
    evidence: &[
        "status.artifactGCStatus.strategiesProcessed",
        "status.artifactGCStatus.podsRecouped without an entry for the strategy",
        "no WorkflowArtifactGCTask and no GC pod",
        "metadata.finalizers",
    ],
    remedy: "Find \"failed to GC artifacts\" in the controller's log, and fix what refused the task or \
             pod. For the leftovers, `kubectl argo-gc purge NAME --release-finalizer` deletes the objects, then the finalizer.",
    upstream: &[
        "argo-workflows#16894 (closed)",
        "argo-workflows#16897 (merged after v4.1.2)",
        "argo-workflows#14355 (open)",
        AGC,
    ],
    false_positives: "A pod and task that someone deleted before the controller saw the pod finish look the same. Under \
                      a release that repeats attempts, it is that, or an older release recorded the strategy.",
    ..FAILS
};

pub(crate) static TASK_TOO_LARGE: Entry = Entry {
    code: "task-too-large",
    title: "The list of artifacts is too large for one task",
    why: "All artifacts that one GC pod is to delete go into a single WorkflowArtifactGCTask; splitting it is still \
          a TODO in the source. Each node also gets a copy of the location that completes its keys, so the task is much \
          larger than its keys. Above about 1.5 MB the API server refuses it. The attempt ends there and is \
          recorded as processed. The server also counts what it adds itself, `managedFields`, which may double the size: \
          so from a third of the limit on this is a note on covered artifacts.",
    evidence: &[
        "status.nodes[*].outputs.artifacts, counted and measured",
        "status.artifactGCStatus.strategiesProcessed",
    ],
    remedy: "Write fewer artifacts per workflow, or spread them over several strategies, service accounts or \
             `podMetadata`, because each gets a task of its own. For the leftovers, `kubectl argo-gc purge NAME \
             --release-finalizer` deletes the objects, then the finalizer.",
    upstream: &[AGC, "argo-workflows#16894 (closed)"],
    false_positives: "The size is a lower bound, but the limit of the cluster may have been raised. As a note: the task \
                      may still fit.",
    ..FAILS
};

pub(crate) static NO_ARTIFACT_STUCK: Entry = Entry {
    code: "no-artifact-stuck",
    link: Link::Record,
    title: "Nothing is left to delete, but the finalizer remains",
    why: "Before v3.5.11 the finalizer is removed only in the very pass in which a GC pod is seen to have succeeded. \
          With no artifact there is no GC pod, as after an early failure or an optional artifact that was not \
          written. The Workflow then hangs when it is deleted.",
    versions: "v3.4.0 to v3.4.18, v3.5.0 to v3.5.10; fixed in v3.5.11 and v3.6.0, never in 3.4",
    evidence: &["metadata.deletionTimestamp", "metadata.finalizers", "no undeleted artifact with a strategy"],
    remedy: "Upgrade to v3.5.11, v3.6.0 or newer. There are no objects to delete: remove only the finalizer.",
    upstream: &[
        "argo-workflows#13499 (closed)",
        "argo-workflows#13500 (v3.5.11, v3.6.0)",
        "argo-workflows#13556 (closed)",
        "argo-helm#1498 (closed)",
    ],
    false_positives: "Without the controller's version a newer one that is down can't be excluded.",
    ..FAILS
};

pub(crate) static FORCE_NO_POD: Entry = Entry {
    code: "force-no-pod",
    link: Link::Record,
    title: "forceFinalizerRemoval waits for a GC pod that never was",
    why: "With `forceFinalizerRemoval` the finalizer is removed once the end of a GC pod is recorded, and \
          for no other reason. This workflow never had a GC pod: its optional artifacts were not written, it \
          failed before it saved any, or preparing a strategy failed. So the finalizer remains because of \
          the setting: without it the controller releases a workflow that has nothing left to collect. If \
          artifacts are left, this is a note beside their own reason. Seen with v4.1.2; whether the releases \
          after v4.1.2 and v4.0.10 remove the finalizer is unknown, so there it is reported only after an \
          hour.",
    versions: "v3.5.0 to v4.1.2 (every release read since it exists)",
    evidence: &[
        "spec.artifactGC.forceFinalizerRemoval: true",
        "status.artifactGCStatus.podsRecouped is empty",
        "no GC pod, and no artifact left to collect",
        "metadata.finalizers",
    ],
    remedy: "Leave forceFinalizerRemoval out. If no artifact is left there is nothing to delete: `kubectl \
             argo-gc purge NAME --release-finalizer` removes only the finalizer. Otherwise fix what the \
             artifacts' reason says; the same command then deletes the objects first.",
    upstream: &[
        "argo-workflows#16599 (open)",
        "argo-workflows#16600 (open)",
        "argo-workflows#16894 (closed)",
        AGC,
    ],
    false_positives: "With files, there may be a GC pod that was not among them and is yet to be recorded.",
    ..FAILS
};

pub(crate) static TASKRESULT_NEVER_COMPLETE: Entry = Entry {
    code: "taskresult-never-complete",
    title: "A task result that never completes holds up GC",
    why: "v3.5.2 to v3.5.5 skip artifact GC while a task result of the Workflow is incomplete, even when its phase \
          is final. The result of a killed pod never completes, so GC is skipped for good and deletion hangs. From \
          v3.5.6 the phase is held back instead: such a Workflow stays Running.",
    versions: "v3.5.2 to v3.5.5",
    evidence: &[
        "status.taskResultsCompletionStatus (v3.5.2: taskResultsCompleted) with a false",
        "status.phase is final",
        "status.artifactGCStatus.strategiesProcessed is empty",
    ],
    remedy: "Upgrade to v3.5.6 or newer. For the leftovers, `kubectl argo-gc purge NAME \
             --release-finalizer` deletes the objects, then the finalizer.",
    upstream: &[
        "argo-workflows#12615",
        "argo-workflows#12574 (v3.5.6)",
        "workflow/controller/operator.go@v3.5.4",
    ],
    ..FAILS
};

pub(crate) static LONG_NAMES: Entry = Entry {
    code: "long-names",
    title: "The GC pod's name is too long for a label",
    why: "v3.4.0 puts the name of the GC pod into a label of the task, and labels have at most 63 \
          characters. The API server refuses the task, and the strategy is recorded as processed.",
    versions: "v3.4.0; fixed in v3.4.1",
    evidence: &["metadata.name, with -artgc-wfcomp-<hash> or -artgc-wfdel-<hash> after it"],
    remedy: "Upgrade, or use shorter workflow names. For the leftovers, `kubectl argo-gc purge NAME \
             --release-finalizer` deletes the objects, then the finalizer.",
    upstream: &["argo-workflows#9686 (v3.4.1)", "workflow/controller/artifact_gc.go@v3.4.0"],
    ..FAILS
};

pub(crate) static WFTREF_3_4: Entry = Entry {
    code: "wftref-3.4",
    link: Link::Template,
    title: "Early 3.4 releases do not resolve template references",
    why: "v3.4.0 to v3.4.3 look for a strategy in the Workflow's own spec only, and look up the template of a \
          `templateRef` node under the WorkflowTemplate's name. v3.4.4 does not find templates of a `templateRef` \
          below a `workflowTemplateRef`. One such node ends the attempt for all artifacts of its strategy: nothing is \
          deleted and the finalizer stays.",
    versions: "v3.4.0 to v3.4.3 (workflowTemplateRef or templateRef); v3.4.4 (both together); fixed in v3.4.5",
    evidence: &["spec.workflowTemplateRef", "status.nodes[*].templateRef", "the controller's version"],
    remedy: "Upgrade to v3.4.5 or newer. For the leftovers, `kubectl argo-gc purge NAME \
             --release-finalizer` deletes the objects, then the finalizer.",
    upstream: &[
        "argo-workflows#10015 (closed)",
        "argo-workflows#10066 (v3.4.4)",
        "argo-workflows#10158",
        "argo-workflows#10160 (v3.4.5)",
        "workflow/controller/artifact_gc.go@v3.4.3",
        "workflow/controller/artifact_gc.go@v3.4.4",
    ],
    ..FAILS
};

pub(crate) static CRON_NEIGHBOUR: Entry = Entry {
    code: "cron-neighbour",
    link: Link::None,
    title: "A failed sibling of the same CronWorkflow may hold it up",
    why: "A user reports that after one workflow of a CronWorkflow failed its GC, the later ones stayed in \
          Terminating too, until the failed task was deleted. This Workflow is Terminating, has waited for over an \
          hour, before or after its strategies were processed, and has a failing sibling. No cause was found in the \
          source.",
    versions: "reported for v3.5.1",
    evidence: &[
        "metadata.labels[workflows.argoproj.io/cron-workflow]",
        "metadata.deletionTimestamp",
        "a failing Workflow of the same CronWorkflow",
    ],
    remedy: "Fix the oldest failing sibling first and delete its leftover WorkflowArtifactGCTask. If this \
             one is still not deleted then, `kubectl argo-gc purge NAME --release-finalizer` deletes the \
             objects, then the finalizer.",
    upstream: &["argo-workflows#12621 (open)"],
    false_positives: "This rests on one report; the controller may simply be down, see `overdue`.",
    ..FAILS
};

pub(crate) static FOREGROUND: Entry = Entry {
    code: "foreground",
    link: Link::Pod,
    title: "Foreground deletion may have removed the GC pod",
    why: "With `--cascade=foreground` Kubernetes deletes an object's dependents while it is still \
          Terminating. The GC task belongs to the Workflow and the GC pod to the task, so both can be \
          deleted before the work is done. The strategy stays recorded as processed. Deduced from the \
          ownership, not seen reported.",
    evidence: &[
        "metadata.finalizers with foregroundDeletion",
        "status.artifactGCStatus.strategiesProcessed",
        "status.artifactGCStatus.podsRecouped without an entry for the strategy",
    ],
    remedy: "Delete Workflows with the default, background propagation. For the leftovers, `kubectl \
             argo-gc purge NAME --release-finalizer` deletes the objects, then the finalizer.",
    upstream: &[AGC],
    false_positives: "The attempt may have failed before there was a pod, see `processed-with-error`.",
    ..FAILS
};

pub(crate) static NOT_RECOUPED: Entry = Entry {
    code: "not-recouped",
    link: Link::Record,
    title: "Processed long ago, yet never recorded as deleted",
    why: "The strategy is recorded as processed, which no release up to v4.1.2 repeats, but the artifact is \
          not recorded as deleted after more than an hour. Either the GC pod has ended, as shown, and the \
          controller has not recorded that: it is down, or does not see the pod. Or the pod and task, which \
          would show the step that failed, were not given.",
    evidence: &[
        "status.artifactGCStatus.strategiesProcessed",
        "status.artifactGCStatus.podsRecouped without the pod",
        "Pod <workflow>-artgc-* in phase Succeeded or Failed, and since when",
        "metadata.finalizers",
    ],
    remedy: "Make sure that a controller runs. Inspect the live cluster rather than a file, with permission \
             to read pods, workflowartifactgctasks and events: `kubectl argo-gc inspect -n NAMESPACE NAME`. \
             For the leftovers, `kubectl argo-gc purge NAME --release-finalizer` deletes the objects, then \
             the finalizer.",
    upstream: &[AGC, "argo-workflows#16894 (closed)"],
    false_positives: "The object itself may be gone: only the record is known to be missing.",
    ..FAILS
};

pub(crate) static RECOUPED_UNDELETED: Entry = Entry {
    code: "recouped-undeleted",
    link: Link::Pod,
    title: "The GC pod has ended, and the artifact is not marked deleted",
    why: "The controller has recorded the end of the GC pod, as `podsRecouped` says, and the artifact is not \
          recorded as deleted. So the pod failed, or its delete did. The pod's log or the leftover task \
          would show which, and from v3.4.4 on a condition or event; none of these was given. The \
          controller's log says nothing about it.",
    evidence: &[
        "status.artifactGCStatus.podsRecouped with the strategy's pod",
        "status.nodes[*].outputs.artifacts[*] without deleted",
        "metadata.finalizers",
    ],
    remedy: "Read the pod's log and the task's status, as long as they exist: `kubectl get \
             workflowartifactgctasks,pods -n NAMESPACE`. Check first whether the pod's service account, \
             which is `default` unless `artifactGC.serviceAccountName` names another, may read its tasks. \
             For the leftovers, `kubectl argo-gc purge NAME --release-finalizer` deletes the objects, then \
             the finalizer.",
    upstream: &["argo-workflows#10036 (closed)", "argo-workflows#10019 (v3.4.4)", AGC],
    false_positives: "The object itself may be gone: only the record is known to be missing.",
    ..FAILS
};

pub(crate) static OVERDUE: Entry = Entry {
    code: "overdue",
    title: "GC has been due for over an hour and has not begun",
    why: "The Workflow has the finalizer and its strategy has been ready for more than an hour, but the \
          controller has not recorded it as processed; or its TTL passed more than an hour ago, and the \
          cluster still has it. A running controller looks at such a Workflow at least every 20 minutes. So \
          it is down, does not watch this namespace, has another instance ID, or fails before it gets to GC. \
          In the releases after v4.1.2 and v4.0.10 it is also possible that each attempt failed: they do not \
          record a failed attempt, and repeat it.",
    evidence: &[
        "spec.ttlStrategy",
        "status.finishedAt",
        "metadata.deletionTimestamp",
        "status.artifactGCStatus.strategiesProcessed",
        "metadata.labels[workflows.argoproj.io/controller-instanceid]",
    ],
    remedy: "Make sure that a controller runs, watches the namespace and has the Workflow's instance ID, and \
             read its log for this Workflow; GC then continues by itself. If there will be no controller, \
             `kubectl argo-gc purge NAME --release-finalizer` deletes the objects, then the finalizer.",
    upstream: &[CONTROLLER, AGC],
    false_positives: "A controller that was just started works off its backlog first.",
    ..FAILS
};

pub(crate) static RETRY_AFTER_GC: Entry = Entry {
    code: "retry-after-gc",
    title: "The workflow was retried after GC had run",
    why: "`argo retry` keeps `status.artifactGCStatus`, so `OnWorkflowCompletion` counts as processed \
          already. What the second run writes is never collected, and the finalizer, added again, is never \
          removed. Nodes taken over from the first run may point to objects that are gone. Seen with v4.1.2.",
    evidence: &[
        "status.artifactGCStatus.strategiesProcessed",
        "status.nodes[*].startedAt after artifacts of earlier nodes were deleted",
        "metadata.finalizers",
    ],
    remedy: "Use `argo resubmit` rather than `argo retry` once GC has run, or the strategy \
             `OnWorkflowDeletion`. For the leftovers, `kubectl argo-gc purge NAME --release-finalizer` \
             deletes the objects, then the finalizer.",
    remedy_yaml: Some(
        "\
spec:
  artifactGC:
    strategy: OnWorkflowDeletion
",
    ),
    group: Group::LooksCovered,
    upstream: &[UTIL, AGC],
    false_positives: "The order of events is concluded from node times.",
    ..FAILS
};

pub(crate) static DELETED_WHILE_RUNNING: Entry = Entry {
    code: "deleted-while-running",
    group: Group::LooksCovered,
    title: "The workflow was deleted while it was still running",
    why: "Up to v3.5.1 GC runs in every pass, even while the Workflow still runs. Deleting it makes both strategies \
          ready at once; what is written afterwards is never collected, as they count as processed, and the \
          finalizer stays. Read from the source, not seen reported.",
    versions: "v3.4.0 to v3.4.18, v3.5.0, v3.5.1",
    evidence: &[
        "metadata.deletionTimestamp before status.finishedAt",
        "status.artifactGCStatus.strategiesProcessed",
        "metadata.finalizers",
    ],
    remedy: "Stop a Workflow and let it end before you delete it, or upgrade to v3.5.2 or newer. For the \
             leftovers, `kubectl argo-gc purge NAME --release-finalizer` deletes the objects, \
             then the finalizer.",
    upstream: &[
        "argo-workflows#11947 (v3.5.2)",
        "workflow/controller/artifact_gc.go@v3.4.18",
        "workflow/controller/artifact_gc.go@v3.5.0",
    ],
    false_positives: "Without the controller's version a newer, unaffected one can't be excluded.",
    ..FAILS
};
