//! Label, annotation, finalizer and condition names of Argo Workflows (workflow/common/common.go@v4.1.2).

/// API group and version of every Argo object.
pub const API_VERSION: &str = "argoproj.io/v1alpha1";

/// The finalizer of artifact garbage collection.
pub const GC_FINALIZER: &str = "workflows.argoproj.io/artifact-gc";

/// "true" once the workflow's phase is final.
pub const COMPLETED: &str = "workflows.argoproj.io/completed";

/// The workflow's phase, as a label.
pub const PHASE: &str = "workflows.argoproj.io/phase";

/// The instance ID of the controller that manages the workflow.
pub const INSTANCE_ID: &str = "workflows.argoproj.io/controller-instanceid";

/// `Pending`, `Archived` (live object) or `Persisted` (a row of the archive).
pub const ARCHIVING: &str = "workflows.argoproj.io/workflow-archiving-status";

/// The workflow a pod, task or task result belongs to.
pub const WORKFLOW: &str = "workflows.argoproj.io/workflow";

/// `artifact-gc` on GC pods.
pub const COMPONENT: &str = "workflows.argoproj.io/component";

/// The workflow this one was resubmitted from.
pub const RESUBMITTED_FROM: &str = "workflows.argoproj.io/resubmitted-from-workflow";

/// The CronWorkflow that made the workflow.
pub const CRON_WORKFLOW: &str = "workflows.argoproj.io/cron-workflow";

/// The strategy that a GC pod carries out.
pub const GC_STRATEGY: &str = "workflows.argoproj.io/artifact-gc-strategy";

/// The label that a controller with an instance ID sets on its GC pods instead of [`INSTANCE_ID`].
pub const WRONG_INSTANCE_LABEL: &str = "ARGO_INSTANCE_ID";

/// The part of all GC pods' names that follows the workflow's name.
pub const GC_POD_INFIX: &str = "-artgc-";

/// The annotation of an `artifact-repositories` ConfigMap with the key of the default repository.
pub const DEFAULT_REPOSITORY: &str = "workflows.argoproj.io/default-artifact-repository";

/// The ConfigMap of a namespace's artifact repositories.
pub const REPOSITORIES: &str = "artifact-repositories";

/// Condition type and Event reason that report failed collection.
pub const CONDITION_GC_ERROR: &str = "ArtifactGCError";

/// Event reason of a failed collection.
pub const EVENT_GC_FAILED: &str = "ArtifactGCFailed";

/// This plugin's own name: "true" as a label or annotation of a workflow, its template or its namespace keeps
/// its artifacts.
pub const KEEP: &str = "argo-gc/keep";

/// The WorkflowTemplate a workflow was submitted from.
pub const WORKFLOW_TEMPLATE: &str = "workflows.argoproj.io/workflow-template";

/// The ClusterWorkflowTemplate a workflow was submitted from.
pub const CLUSTER_WORKFLOW_TEMPLATE: &str = "workflows.argoproj.io/cluster-workflow-template";
