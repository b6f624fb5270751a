//! Artifacts that nothing will ever delete: no strategy, no finalizer, or outside what Argo looks at.

use crate::reason::entry::{AGC, BASE, CONTROLLER, Entry, Group, Link, OPERATOR, TYPES, ToldFrom, VALIDATE};
use crate::verdict::Verdict;

pub(crate) const NOT_COVERED: Entry =
    Entry { group: Group::NotCovered, verdicts: &[Verdict::Uncovered], link: Link::Finalizer, ..BASE };

/// Sets a strategy for the whole workflow.
const STRATEGY_YAML: &str = "\
spec:
  artifactGC:
    strategy: OnWorkflowDeletion
";

/// Makes the controller's first look find something to collect.
const MARKER_YAML: &str = "\
spec:
  artifactGC:
    strategy: OnWorkflowDeletion
  templates:
    - name: gc-marker # never run: its artifact only makes the controller add the finalizer
      container:
        image: busybox:1.37
        command: [\"true\"]
      outputs:
        artifacts:
          - name: gc-marker
            path: /tmp/gc-marker
            optional: true
";

/// An inline body lifted into a named template.
pub(crate) const LIFTED_YAML: &str = "\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata:
  generateName: train-
spec:
  entrypoint: main
  artifactGC:
    strategy: OnWorkflowDeletion
  templates:
    - name: main
      dag:
        tasks:
          - name: train
            template: train # was: inline, with the body that is now below
    - name: train
      container:
        image: busybox:1.37
        command: [sh, -c]
        args: [\"date > /tmp/model\"]
      outputs:
        artifacts:
          - name: model
            path: /tmp/model
";

pub(crate) static NO_STRATEGY: Entry = Entry {
    code: "no-strategy",
    link: Link::Strategy,
    title: "Nothing sets a strategy for this artifact",
    why: "Neither the artifact nor the Workflow's effective spec sets `artifactGC.strategy`, and Argo takes \
          that as `Never`. The effective spec is `status.storedWorkflowTemplateSpec` if \
          `spec.workflowTemplateRef` is set, else `spec`; a default from the controller's `workflowDefaults` \
          would be there too.",
    evidence: &[
        "spec.artifactGC.strategy",
        "status.storedWorkflowTemplateSpec.artifactGC.strategy",
        "status.nodes[*].outputs.artifacts[*].artifactGC.strategy",
    ],
    remedy: "Set a strategy in the Workflow, in the WorkflowTemplate that `workflowTemplateRef` names, or \
             for all workflows in the controller's `workflowDefaults`. Setting it on a finished Workflow \
             changes nothing: `kubectl argo-gc purge` deletes the objects.",
    remedy_yaml: Some(STRATEGY_YAML),
    upstream: &[TYPES, OPERATOR],
    ..NOT_COVERED
};

pub(crate) static WF_NEVER: Entry = Entry {
    code: "wf-never",
    verdicts: &[Verdict::Kept],
    link: Link::Strategy,
    title: "The Workflow asks to keep its artifacts",
    why: "The effective workflow-level strategy is `Never` and the artifact sets none of its own. Argo never \
          deletes the object.",
    evidence: &["spec.artifactGC.strategy", "status.storedWorkflowTemplateSpec.artifactGC.strategy"],
    remedy: "Nothing, if that is intended. Otherwise set another strategy for future runs, on the \
             Workflow or on single artifacts, and let `kubectl argo-gc purge` delete what is left.",
    upstream: &[TYPES],
    false_positives: "`Never` may be a forgotten default of `workflowDefaults` rather than a decision.",
    ..NOT_COVERED
};

pub(crate) static ARTIFACT_NEVER: Entry = Entry {
    code: "artifact-never",
    verdicts: &[Verdict::Kept],
    link: Link::Strategy,
    title: "The artifact asks to be kept",
    why: "The artifact's own strategy is `Never`, which overrides the Workflow's. Argo never deletes the \
          object.",
    evidence: &["status.nodes[*].outputs.artifacts[*].artifactGC.strategy"],
    remedy: "Nothing, if that is intended. Otherwise remove the artifact's own strategy for future runs \
             and let `kubectl argo-gc purge` delete what is left.",
    upstream: &[TYPES, "test/e2e/artifacts_test.go@v4.1.2"],
    ..NOT_COVERED
};

pub(crate) static ARTIFACT_BLOCK_WITHOUT_STRATEGY: Entry = Entry {
    code: "artifact-block-without-strategy",
    link: Link::Strategy,
    title: "The artifact's artifactGC block sets no strategy",
    why: "The artifact has an `artifactGC` block with only a service account or pod metadata. Such a block \
          sets who deletes, not whether: the strategy still comes from the Workflow, which has none, so it \
          is `Never`.",
    evidence: &["status.nodes[*].outputs.artifacts[*].artifactGC", "spec.artifactGC.strategy"],
    remedy: "Add a strategy to the block or to the Workflow for future runs; `kubectl argo-gc purge` \
             deletes the leftover objects.",
    remedy_yaml: Some(
        "\
spec:
  templates:
    - name: train
      container:
        image: busybox:1.37
        command: [sh, -c]
        args: [\"date > /tmp/model\"]
      outputs:
        artifacts:
          - name: model
            path: /tmp/model
            artifactGC:
              serviceAccountName: artifact-gc
              strategy: OnWorkflowDeletion
",
    ),
    upstream: &[TYPES],
    ..NOT_COVERED
};

pub(crate) static WFTMPL_LEVEL_IGNORED: Entry = Entry {
    code: "wftmpl-level-ignored",
    link: Link::Strategy,
    title: "The strategy of a template reached by templateRef is ignored",
    why: "`spec.artifactGC` of a WorkflowTemplate counts only for a Workflow that names it in \
          `workflowTemplateRef`. If a step or task uses it by `templateRef`, Argo never reads it: only the \
          Workflow's strategy and the artifact's own count. Argo's end-to-end test expects such an artifact \
          to survive.",
    evidence: &[
        "status.nodes[*].templateRef",
        "spec.artifactGC of the WorkflowTemplate",
        "spec.artifactGC.strategy",
    ],
    remedy: "Set the strategy on the Workflow, or on each artifact in the WorkflowTemplate; `kubectl \
             argo-gc purge` deletes the leftover objects.",
    remedy_yaml: Some(
        "\
apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata:
  name: training
spec:
  templates:
    - name: train
      container:
        image: busybox:1.37
        command: [sh, -c]
        args: [\"date > /tmp/model\"]
      outputs:
        artifacts:
          - name: model
            path: /tmp/model
            artifactGC:
              strategy: OnWorkflowDeletion # travels with the template
",
    ),
    upstream: &["test/e2e/artifacts_test.go@v4.1.2", OPERATOR],
    false_positives: "The WorkflowTemplate is read as it is now; it may have been edited since the run.",
    ..NOT_COVERED
};

pub(crate) static UNKNOWN_STRATEGY: Entry = Entry {
    code: "unknown-strategy",
    link: Link::Strategy,
    title: "The strategy is not one that Argo knows",
    why: "Argo acts on `OnWorkflowCompletion` and `OnWorkflowDeletion` only. With the full CRDs, the default \
          since v4.0, the API server refuses any text other than these and `Never`; the minimal CRDs, the \
          default up to v3.7, accept it. Such a text counts as \"not `Never`\", so the finalizer is added, \
          but no such strategy ever becomes ready: nothing is deleted, and the Workflow hangs when it is \
          deleted.",
    versions: "v3.4.0 to v4.1.2, with the minimal CRDs",
    evidence: &["spec.artifactGC.strategy", "status.nodes[*].outputs.artifacts[*].artifactGC.strategy"],
    remedy: "Correct the spelling for future runs. For the leftovers, `kubectl argo-gc purge NAME \
             --release-finalizer` deletes the objects, then the finalizer.",
    remedy_yaml: Some(STRATEGY_YAML),
    release: true,
    upstream: &[AGC, TYPES],
    ..NOT_COVERED
};

pub(crate) static INLINE_ONLY: Entry = Entry {
    code: "inline-only",
    title: "Only inline templates hold the artifacts",
    why: "Before it adds the finalizer, the controller looks for output artifacts in `spec.templates` and \
          `status.storedTemplates`; it never looks into the `inline` bodies of steps or DAG tasks. It found \
          none, wrote `notSpecified: true` and does not check again: no finalizer, no GC task, no message. \
          No release up to v4.1.2 collects artifacts of inline templates. The public claim that v3.5.5 fixed \
          it is wrong: its GC code is byte-identical to v3.5.4, and #12628 (v3.5.6) changes how inline \
          bodies are stored, not GC.",
    versions: "v3.4.5 to v4.1.2 (every release read); v3.4.0 to v3.4.4 if only the artifact itself sets a strategy",
    evidence: &[
        "status.artifactGCStatus.notSpecified: true",
        "metadata.finalizers without workflows.argoproj.io/artifact-gc",
        "status.nodes[*] of type Pod without templateName and templateRef",
    ],
    remedy: "Move the inline body to a named template; values that the body took from the enclosing template \
             become arguments. `kubectl argo-gc fix -f FILE` does that. `kubectl argo-gc purge` deletes the \
             objects of past runs.",
    remedy_yaml: Some(LIFTED_YAML),
    upstream: &[
        "argo-workflows#14922 (open)",
        "argo-workflows#13354 (closed, no commit refers to it)",
        "argo-workflows#14926 (open: steps only, one level deep)",
        "argo-workflows#12628 (v3.5.6, storing only)",
        "workflow/controller/artifact_gc.go@v3.5.4",
        "workflow/controller/artifact_gc.go@v3.5.5",
        AGC,
    ],
    ..NOT_COVERED
};

pub(crate) static LOGS_ONLY: Entry = Entry {
    code: "logs-only",
    title: "The workflow stores only archived logs",
    why: "Archived logs are artifacts that Argo would collect, but they do not count when the controller \
          decides whether to add the finalizer: only declared output artifacts with a strategy do. There is \
          none, so it wrote `notSpecified: true` and does not check again. The logs are never deleted.",
    versions: "v3.4.5 to v4.1.2 (every release read)",
    evidence: &[
        "status.artifactGCStatus.notSpecified: true",
        "status.nodes[*].outputs.artifacts[*] named main-logs or <container>-logs, and no others with a strategy",
    ],
    remedy: "Declare one output artifact in a named template of the Workflow, or of the WorkflowTemplate that \
             `workflowTemplateRef` names. The workaround in the thread is a dummy artifact; that a template which \
             never runs suffices is read from the source. Logs of inline templates need the template named as \
             well (see `inline-poison`). `kubectl argo-gc \
             purge --only logs` deletes old logs; so does a lifecycle rule of the bucket.",
    remedy_yaml: Some(MARKER_YAML),
    upstream: &["argo-workflows#13421 (open)", "argo-workflows#13784 (closed as duplicate)", AGC],
    ..NOT_COVERED
};

pub(crate) static POSTPONED_FIRST: Entry = Entry {
    code: "postponed-first",
    title: "The workflow was first held back by a parallelism limit",
    why: "A Workflow held back by the controller's or namespace's parallelism is set to Pending before it is \
          processed at all. Later its phase is no longer empty, so the full validation that stores the \
          templates behind `templateRef` is skipped. The controller then sees top-level templates only, \
          finds no artifact to collect, writes `notSpecified: true` and does not check again. Seen with \
          v4.1.2.",
    evidence: &[
        "status.artifactGCStatus.notSpecified: true",
        "status.storedTemplates with output artifacts that have a strategy",
        "no such artifact in spec.templates",
    ],
    remedy: "Give the Workflow one top-level template with an output artifact that has a strategy; it \
             need not run. `kubectl argo-gc purge` deletes the objects of past runs.",
    remedy_yaml: Some(MARKER_YAML),
    upstream: &[CONTROLLER, OPERATOR, VALIDATE],
    false_positives: "A strategy added after the controller's first look leaves the same trace.",
    ..NOT_COVERED
};

pub(crate) static DYNAMIC_TEMPLATEREF: Entry = Entry {
    code: "dynamic-templateref",
    title: "A templateRef with a variable hides the artifacts",
    why: "The controller decides on the finalizer before any node runs, from top-level templates and those \
          that validation stored. Validation can resolve a workflow's own parameter, but not a variable in a \
          `templateRef` whose value is known only during the run, such as `{{item}}`: that template is not \
          stored in time. The controller finds no artifact to collect, writes `notSpecified: true` and does \
          not check again.",
    evidence: &[
        "status.artifactGCStatus.notSpecified: true",
        "templateRef with {{...}} in spec.templates or status.storedTemplates",
        "status.nodes[*].templateRef",
    ],
    remedy: "Use a literal `templateRef`, or give the Workflow one top-level template with an output \
             artifact that has a strategy; it need not run. `kubectl argo-gc purge` deletes the objects \
             of past runs.",
    remedy_yaml: Some(MARKER_YAML),
    upstream: &[VALIDATE, AGC],
    ..NOT_COVERED
};

pub(crate) static HOOK_TEMPLATEREF: Entry = Entry {
    code: "hook-templateref",
    title: "Only a hook's templateRef leads to the artifacts",
    why: "The controller decides on the finalizer before any node runs, from top-level templates and those \
          that validation stored. In `hooks` validation checks only the expressions and never resolves the \
          `templateRef`. The controller finds no artifact to collect, writes `notSpecified: true` and does \
          not check again; `spec.onExit` names a template and is not affected. Seen with v4.1.2.",
    evidence: &[
        "status.artifactGCStatus.notSpecified: true",
        "status.nodes[*].name with .hooks.",
        "status.nodes[*].templateRef of that node",
    ],
    remedy: "Give the Workflow one top-level template with an output artifact that has a strategy; it \
             need not run. `kubectl argo-gc purge` deletes the objects of past runs.",
    remedy_yaml: Some(MARKER_YAML),
    upstream: &[VALIDATE, AGC],
    ..NOT_COVERED
};

pub(crate) static NAME_COLLISION_UNWALKED: Entry = Entry {
    code: "name-collision-unwalked",
    title: "Validation walked only one of two same-named templates",
    why: "The templates behind a `templateRef` are stored while validation walks them, and it remembered the \
          visited ones by bare template name. A template whose name had occurred before was stored, but not \
          the templates it calls. Artifacts only in these were not seen, so the controller wrote \
          `notSpecified: true` and does not check again.",
    versions: "v3.4.0 to v3.4.18, v3.5.0 to v3.5.13, v3.6.0 to v3.6.2; fixed in v3.5.14, v3.6.3 and v3.7.0",
    evidence: &[
        "status.artifactGCStatus.notSpecified: true",
        "status.storedTemplates with one template name under two scopes",
    ],
    remedy: "Upgrade, or give the templates distinct names. `kubectl argo-gc purge` deletes the objects \
             of past runs.",
    upstream: &["argo-workflows#13763", "argo-workflows#14043 (v3.5.14, v3.6.3, v3.7.0)"],
    false_positives: "Without the controller's version a newer, unaffected one can't be excluded.",
    ..NOT_COVERED
};

pub(crate) static TEMPLATE_DEFAULTS: Entry = Entry {
    code: "template-defaults",
    title: "Only templateDefaults declares the artifacts",
    why: "`spec.templateDefaults` is merged into a template only when it runs. The controller decides on the \
          finalizer from the templates as written, finds no artifact there, writes `notSpecified: true` and \
          does not check again. For the same reason GC does not know an `archiveLocation` that comes from \
          `templateDefaults`. Seen with v4.1.2.",
    evidence: &[
        "status.artifactGCStatus.notSpecified: true",
        "spec.templateDefaults.outputs.artifacts",
        "spec.templates[*].outputs.artifacts",
    ],
    remedy: "Declare the artifacts in the templates themselves, and the location in the artifact \
             repository. `kubectl argo-gc purge` deletes the objects of past runs.",
    remedy_yaml: Some(
        "\
spec:
  artifactGC:
    strategy: OnWorkflowDeletion
  templates:
    - name: train
      container:
        image: busybox:1.37
        command: [sh, -c]
        args: [\"date > /tmp/model\"]
      outputs: # here, not in spec.templateDefaults
        artifacts:
          - name: model
            path: /tmp/model
",
    ),
    upstream: &[OPERATOR, AGC],
    ..NOT_COVERED
};

pub(crate) static NON_POD_NODE: Entry = Entry {
    code: "non-pod-node",
    link: Link::Task,
    title: "The artifact belongs to a node that is not a pod",
    why: "When Argo looks for artifacts to collect, and when it checks that all are gone, it looks at nodes of type \
          Pod only. This artifact is recorded only on a node of another type, such as HTTP or Plugin. It is never \
          put into a task.",
    evidence: &["status.nodes[*].type", "status.nodes[*].outputs.artifacts"],
    remedy: "Have a pod write the artifact, or cover its key with a lifecycle rule of the bucket. \
             `kubectl argo-gc purge` deletes the leftover objects.",
    upstream: &[AGC],
    false_positives: "The node may only repeat an artifact of another workflow, see `memo-hit`; check who owns it.",
    ..NOT_COVERED
};

pub(crate) static NOT_SPECIFIED: Entry = Entry {
    code: "not-specified",
    title: "The controller once saw nothing to collect",
    why: "When the controller first processed the Workflow it found no output artifact with a strategy and \
          wrote `notSpecified: true`. It never checks again, so a strategy or template that was added later \
          has no effect: there is no finalizer and nothing is collected. None of the more specific causes \
          was found.",
    evidence: &[
        "status.artifactGCStatus.notSpecified: true",
        "metadata.finalizers without workflows.argoproj.io/artifact-gc",
    ],
    remedy: "Have the strategy in place when the Workflow is submitted. `kubectl argo-gc purge` deletes \
             the objects of past runs.",
    remedy_yaml: Some(STRATEGY_YAML),
    upstream: &[AGC],
    ..NOT_COVERED
};

pub(crate) static INPUT_ARTIFACTS: Entry = Entry {
    code: "input-artifacts",
    verdicts: &[],
    link: Link::Strategy,
    title: "Input artifacts are never collected",
    why: "Argo's GC looks at output artifacts only. An object that a workflow merely reads belongs to whoever wrote \
          it, and nothing in the Workflow says who that is.",
    evidence: &["status.nodes[*].inputs.artifacts"],
    remedy: "Leave it to its owner, or cover its key with a lifecycle rule of the bucket.",
    upstream: &[AGC],
    told_from: ToldFrom::Nothing,
    ..NOT_COVERED
};

pub(crate) static UPLOADED: Entry = Entry {
    code: "uploaded",
    verdicts: &[],
    link: Link::Strategy,
    title: "Files uploaded through argo-server are never collected",
    why: "From v4.1.0 argo-server can upload files for a workflow that is yet to be submitted, under \
          `uploads/{namespace}/{uuid}/`. They are inputs, not outputs of any node, so GC never sees them, whether \
          the workflow was submitted or not.",
    versions: "v4.1.0 to v4.1.2",
    evidence: &["objects under uploads/ in the bucket"],
    remedy: "Put a lifecycle rule on the prefix `uploads/` of the bucket.",
    upstream: &[
        "argo-workflows#15237 (v4.1.0)",
        "server/artifacts/artifact_server.go@v4.1.2",
        "docs/configure-artifact-repository.md@v4.1.2",
    ],
    told_from: ToldFrom::Bucket,
    ..NOT_COVERED
};

pub(crate) static UNRECORDED_OBJECT: Entry = Entry {
    code: "unrecorded-object",
    link: Link::Task,
    title: "The object was saved but never recorded in the workflow",
    why: "GC knows only the outputs of the Workflow's nodes. A pod that is killed after its upload, or whose \
          result is processed too late, leaves an object that no node mentions; so does `argo retry`, which \
          removes failed nodes, and before v3.5.2 `argo stop`. If a WorkflowTaskResult remains, it lists \
          what the node lacks.",
    versions: "v3.4.0 to v4.1.2 (every release read); most often before v3.5.2",
    evidence: &["WorkflowTaskResult.outputs.artifacts", "status.nodes[*].outputs.artifacts"],
    remedy: "Run v3.5.2 or newer. Use keys that begin with the workflow's name or UID, so that leftovers can be \
             found by listing; `kubectl argo-gc purge` deletes those \
             that a task result still names.",
    remedy_yaml: Some(
        "\
# artifact repository, for example in a ConfigMap artifact-repositories
gcs:
  bucket: my-artifacts
  keyFormat: \"{{workflow.namespace}}/{{workflow.uid}}/{{pod.name}}\"
",
    ),
    upstream: &["argo-workflows#11879 (closed)", "argo-workflows#11947 (v3.5.2)", "argo-workflows#10674"],
    false_positives: "Seen only if a WorkflowTaskResult remains; only the bucket shows other such objects.",
    ..NOT_COVERED
};
