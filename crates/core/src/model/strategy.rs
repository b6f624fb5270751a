//! Determines which strategy applies to an artifact, and which object sets it
//! (`docs/argo-gc.md#effective-spec`, `#strategy`).

use crate::argo::artifact::{Artifact, ArtifactGc, Strategy};
use crate::argo::workflow::{Workflow, WorkflowSpec};
use serde::Serialize;

/// The object that sets the effective strategy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StrategySource {
    /// `artifactGC` of the artifact itself.
    Artifact,
    /// `spec.artifactGC` of the Workflow (or the controller's `workflowDefaults`, which Argo writes there).
    Workflow,
    /// `spec.artifactGC` reached through `spec.workflowTemplateRef`.
    WorkflowTemplate,
    /// Nothing sets a strategy; Argo treats this like `Never`.
    Default,
}

impl StrategySource {
    /// Returns the word that users read.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Artifact => "artifact",
            Self::Workflow => "workflow",
            Self::WorkflowTemplate => "workflow-template",
            Self::Default => "default",
        }
    }
}

/// The effective workflow-level settings.
#[derive(Debug, Clone)]
pub struct EffectiveStrategy<'a> {
    /// The spec that Argo executes.
    pub spec: &'a WorkflowSpec,
    block: Option<&'a ArtifactGc>,
    source: StrategySource,
}

impl<'a> EffectiveStrategy<'a> {
    /// Finds the spec that Argo executes: the stored one if `workflowTemplateRef` is set, else the Workflow's
    /// own.
    pub fn of(workflow: &'a Workflow) -> Self {
        let (spec, source) = match &workflow.status.stored_workflow_template_spec {
            Some(stored) if workflow.spec.workflow_template_ref.is_some() => {
                (stored, StrategySource::WorkflowTemplate)
            }
            _ => (&workflow.spec, StrategySource::Workflow),
        };
        // The stored spec is merged from both. The Workflow's own value wins there, so the Workflow is the
        // source.
        let source = match &workflow.spec.artifact_gc {
            Some(own) if own.strategy != Strategy::Unset => StrategySource::Workflow,
            _ => source,
        };
        Self { spec, block: spec.artifact_gc.as_ref(), source }
    }

    /// Returns the workflow-level strategy with its source.
    pub fn workflow_level(&self) -> (Strategy, StrategySource) {
        match self.block.map(|block| &block.strategy) {
            None | Some(Strategy::Unset) => (Strategy::Unset, StrategySource::Default),
            Some(strategy) => (strategy.clone(), self.source),
        }
    }

    /// Returns the artifact's strategy with its source: its own if set, else the workflow's
    /// (GetArtifactGCStrategy, pkg/apis/workflow/v1alpha1/workflow_types.go@v4.1.2).
    pub fn strategy(&self, artifact: &Artifact) -> (Strategy, StrategySource) {
        match artifact.artifact_gc.as_ref().map(|block| &block.strategy) {
            None | Some(Strategy::Unset) => self.workflow_level(),
            Some(strategy) => (strategy.clone(), StrategySource::Artifact),
        }
    }

    /// Returns true if Argo would collect the artifact once its strategy is ready.
    pub fn asks(&self, artifact: &Artifact) -> bool {
        self.strategy(artifact).0.asks_for_collection()
    }

    /// Returns the GC pod's service account; none means the namespace's `default`, not the workflow's own.
    pub fn service_account(&self, artifact: &'a Artifact) -> Option<&'a str> {
        let named = |block: &'a ArtifactGc| {
            (!block.service_account_name.is_empty()).then_some(block.service_account_name.as_str())
        };
        artifact.artifact_gc.as_ref().and_then(named).or_else(|| self.block.and_then(named))
    }

    /// Returns the value of a label that the artifact's GC pod gets from `podMetadata`.
    pub fn pod_label(&self, artifact: &'a Artifact, name: &str) -> Option<&'a str> {
        let own = artifact.artifact_gc.as_ref();
        let mut blocks = own.into_iter().chain(self.block);
        blocks.find_map(|block| block.pod_metadata.labels.get(name)).map(String::as_str)
    }

    /// Returns the value of `forceFinalizerRemoval`.
    pub fn force(&self) -> bool {
        self.block.is_some_and(|block| block.force_finalizer_removal)
    }
}
