//! GC pods that do not start, fail, or finish unseen.

use crate::argo::gc_role::gc_role;
use crate::reason::entry::{AGC, DELETE, Entry, Link};
use crate::reason::fails::FAILS;

pub(crate) static GC_POD_FAILED: Entry = Entry {
    code: "gc-pod-failed",
    link: Link::Pod,
    title: "The GC pod failed",
    why: "The GC pod ended as Failed, so its task has no complete result. Results are written once per task at the \
          end, so objects may be gone that the Workflow still shows as undeleted. The pod is not started again.",
    versions: "v3.4.0 to v4.1.2 (every release read); without a condition or event before v3.4.4",
    evidence: &[
        "status.conditions[type=ArtifactGCError]: ... non-zero exit code ...",
        "Event ArtifactGCFailed",
        "Pod <workflow>-artgc-*",
        "status.artifactGCStatus.podsRecouped",
    ],
    remedy: "Read the log of the GC pod and fix the cause. For the leftovers, `kubectl argo-gc purge \
             NAME --release-finalizer` deletes the objects, then the finalizer.",
    upstream: &["argo-workflows#10019 (v3.4.4)", "argo-workflows#9953 (closed)", AGC],
    ..FAILS
};

pub(crate) static GC_RBAC: Entry = Entry {
    code: "gc-rbac",
    link: Link::Rights,
    title: "The GC pod's service account lacks permissions",
    why: "The GC pod lists WorkflowArtifactGCTasks and patches their status. It runs as the namespace's \
          `default` service account unless `artifactGC.serviceAccountName` names another, or else the Workflow's \
          `artifactGC.podSpecPatch` does; the workflow's own does not count. This account may not, so the pod fails before it records anything, or will fail \
          when it starts.",
    evidence: &[
        "Pod <workflow>-artgc-* whose message is that workflowartifactgctasks are forbidden",
        "access review for the service account, or its roles among files: list and watch workflowartifactgctasks, patch \
         workflowartifactgctasks/status",
    ],
    remedy: "Bind the role to the service account, and name it in `artifactGC.serviceAccountName`. For \
             the leftovers, `kubectl argo-gc purge NAME --release-finalizer` deletes the objects from \
             GCS, then the finalizer.",
    remedy_yaml: Some(gc_role!("ml", "artifact-gc", "default # or the one in artifactGC.serviceAccountName")),
    upstream: &[
        "argo-workflows#9953 (closed)",
        "argo-workflows#10036 (closed)",
        "manifests/quick-start/base/artifactgc-role.yaml@v4.1.2",
    ],
    false_positives: "Permissions are reviewed as they are now: without such a message the pod may have failed for another \
                      reason, and with it they may have been granted since.",
    ..FAILS
};

pub(crate) static SERVICE_ACCOUNT_MISSING: Entry = Entry {
    code: "service-account-missing",
    link: Link::Pod,
    title: "The GC pod's service account does not exist",
    why: "A pod whose service account is missing is refused, and up to v4.1.2 and v4.0.10 the controller does not try again. \
          The GC pod runs as the namespace's `default` unless `artifactGC.serviceAccountName` or `podSpecPatch` names another; \
          the workflow's own does not count.",
    evidence: &[
        "ServiceAccount of artifactGC.serviceAccountName: not found",
        "spec.artifactGC.serviceAccountName",
    ],
    remedy: "Create the account with the permissions of a GC pod before the collection is due. Afterwards \
             `kubectl argo-gc purge NAME --release-finalizer` deletes the objects, then the finalizer.",
    remedy_yaml: Some(gc_role!(
        "ml",
        "artifact-gc",
        "artifact-gc # the one in artifactGC.serviceAccountName"
    )),
    upstream: &[AGC],
    false_positives: "The account may be created before the pod is.",
    ..FAILS
};

pub(crate) static GC_OOM: Entry = Entry {
    code: "gc-oom",
    link: Link::Pod,
    title: "The GC pod ran out of memory",
    why: "The GC pod has a memory limit of 64Mi, whatever the number of artifacts. It was OOMKilled. Results are \
          written once per task at the end, so objects may be gone that the Workflow still shows as undeleted.",
    versions: "v3.4.0 to v4.1.2 (every release read); the limit can be raised from v3.5.0",
    evidence: &["containerStatuses[main].state.terminated.reason: OOMKilled of Pod <workflow>-artgc-*"],
    remedy: "Raise the limit by `artifactGC.podSpecPatch` (v3.5.0+; not allowed to users in the Strict \
             and Secure modes of v3.7.15+, v4.0.6+ and v4.1.0+). For the leftovers, `kubectl argo-gc \
             purge NAME --release-finalizer` deletes the objects, then the finalizer.",
    remedy_yaml: Some(
        "\
spec:
  artifactGC:
    strategy: OnWorkflowDeletion
    podSpecPatch: |
      containers:
        - name: main
          resources:
            limits:
              memory: 512Mi
",
    ),
    upstream: &["argo-workflows#11485 (closed)", "argo-workflows#11586 (v3.5.0)", AGC],
    ..FAILS
};

pub(crate) static GC_POD_LOST: Entry = Entry {
    code: "gc-pod-lost",
    link: Link::Pod,
    title: "The GC pod vanished before its result was recorded",
    why: "The task exists but its pod does not, and the Workflow has no record of the pod. A GC pod that is \
          evicted, deleted or lost with its node before the controller sees it finished is neither recorded \
          nor created again.",
    evidence: &[
        "WorkflowArtifactGCTask, its status may hold results",
        "status.artifactGCStatus.strategiesProcessed",
        "status.artifactGCStatus.podsRecouped without an entry for the strategy",
        "no GC pod",
    ],
    remedy: "For the leftovers, `kubectl argo-gc purge NAME --release-finalizer` deletes the objects from \
             GCS, then the finalizer. If it recurs, keep GC pods from being evicted, for example by \
             `podMetadata` that your autoscaler respects.",
    remedy_yaml: Some(
        "\
spec:
  artifactGC:
    strategy: OnWorkflowDeletion
    podMetadata:
      annotations:
        cluster-autoscaler.kubernetes.io/safe-to-evict: \"false\"
",
    ),
    upstream: &["argo-workflows#9255 (names it as not handled)", AGC],
    ..FAILS
};

pub(crate) static GC_POD_PENDING: Entry = Entry {
    code: "gc-pod-pending",
    link: Link::Pod,
    title: "The GC pod has been Pending for over 10 minutes",
    why: "The GC pod was created but does not start: no node fits it, its image cannot be pulled, or a \
          secret that holds the storage credentials is missing. The controller waits for it without limit.",
    evidence: &["status.phase: Pending of Pod <workflow>-artgc-*", "its conditions and Events"],
    remedy: "Look at the pod's events and fix the cause; GC then continues by itself. From v3.5.0 \
             `artifactGC.podSpecPatch` can set tolerations for future runs.",
    remedy_yaml: Some(
        "\
spec:
  artifactGC:
    strategy: OnWorkflowDeletion
    podSpecPatch: |
      tolerations:
        - key: dedicated
          operator: Exists
",
    ),
    release: false,
    upstream: &["argo-workflows#12393 (closed)", "argo-workflows#11586 (v3.5.0)", AGC],
    ..FAILS
};

pub(crate) static GC_POD_HUNG: Entry = Entry {
    code: "gc-pod-hung",
    link: Link::Pod,
    title: "The GC pod has been running for too long",
    why: "The GC pod deletes one artifact after the other, and the controller waits for its end without \
          limit. This one has been Running for more than an hour and ten seconds for each artifact, or has \
          been Unknown or Terminating for more than ten minutes: storage does not answer, or the pod's node \
          is gone. The pod reports only at its end, and is not started again.",
    evidence: &[
        "status.phase Running or Unknown, or metadata.deletionTimestamp, of Pod <workflow>-artgc-*",
        "the time since which it is so",
        "status.artifactGCStatus.podsRecouped without that pod",
    ],
    remedy: "Look at the pod's log and its node. If it does nothing any more, delete the pod (with `--force` if its node is \
             gone): what it deleted is then recorded nowhere, and `kubectl argo-gc purge NAME --release-finalizer` \
             deletes what is left, then the finalizer.",
    upstream: &["argo-workflows#9255 (names lost pods as not handled)", AGC, DELETE],
    false_positives: "A pod with very many slow deletes, or with a storage that answers each with an error that is retried.",
    ..FAILS
};

pub(crate) static GC_POD_HELD: Entry = Entry {
    code: "gc-pod-held",
    link: Link::Record,
    title: "A sidecar keeps the finished GC pod running",
    why: "The pod's `main` container has ended, but another container, such as a service mesh's proxy that \
          was injected into it, still runs. The pod's phase remains Running, so the controller never records \
          its result: the artifacts are not marked as deleted and the finalizer remains.",
    evidence: &[
        "containerStatuses[main].state.terminated of Pod <workflow>-artgc-*",
        "another container of it without state.terminated",
    ],
    remedy: "Keep the sidecar out of GC pods by `podMetadata` (users may not in the Strict and Secure modes \
             of v3.7.15+, v4.0.6+ and v4.1.0+). If you stop the sidecar, the present pod ends, and GC \
             continues by itself; otherwise use `kubectl argo-gc purge NAME --release-finalizer`.",
    remedy_yaml: Some(
        "\
spec:
  artifactGC:
    strategy: OnWorkflowDeletion
    podMetadata:
      annotations:
        sidecar.istio.io/inject: \"false\"
",
    ),
    upstream: &["argo-workflows#13576 (open)", AGC],
    false_positives: "A sidecar that takes longer than ten minutes to end.",
    ..FAILS
};

pub(crate) static INSTANCEID: Entry = Entry {
    code: "instanceid",
    link: Link::Record,
    title: "The controller cannot see its own GC pod",
    why: "A controller with an instance ID watches only pods with the label \
          `workflows.argoproj.io/controller-instanceid`, but puts `ARGO_INSTANCE_ID` on its GC pods instead. \
          The pod runs and deletes the objects, yet the controller never sees it finish. The artifacts are \
          not marked as deleted and the finalizer remains.",
    evidence: &[
        "label ARGO_INSTANCE_ID of Pod <workflow>-artgc-*, without workflows.argoproj.io/controller-instanceid",
        "status.artifactGCStatus.podsRecouped without that pod",
    ],
    remedy: "Set the right label by `podMetadata` (users may not in the Strict and Secure modes of v3.7.15+, v4.0.6+ \
             and v4.1.0+). For the leftovers, check that the objects are gone, then remove only the finalizer.",
    remedy_yaml: Some(
        "\
spec:
  artifactGC:
    strategy: OnWorkflowDeletion
    podMetadata:
      labels:
        workflows.argoproj.io/controller-instanceid: my-instance # the controller's instanceID
",
    ),
    upstream: &["argo-workflows#10840 (open)", AGC, "workflow/controller/pod/controller.go@v4.1.2"],
    ..FAILS
};
