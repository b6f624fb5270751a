//! Determines which strategy applies to an artifact, and which object sets it
//! (`docs/argo-gc.md#effective-spec`, `#strategy`).

use crate::argo::artifact::{Artifact, ArtifactGc, Strategy};
use crate::argo::workflow::{Workflow, WorkflowSpec};
use serde::Serialize;
use std::collections::BTreeMap;

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
    ///
    /// The pod's patch is applied first, and a named account takes its place (createArtifactGCPod,
    /// workflow/controller/artifact_gc.go@v4.1.2).
    pub fn service_account(&self, artifact: &'a Artifact) -> Option<&'a str> {
        let patched = self.block.map(|block| block.patched_account.as_str());
        self.named_account(artifact).or(patched.filter(|name| !name.is_empty()))
    }

    /// Returns the account that `serviceAccountName` names, of the artifact or else of the workflow.
    fn named_account(&self, artifact: &'a Artifact) -> Option<&'a str> {
        let blocks = artifact.artifact_gc.as_ref().into_iter().chain(self.block);
        blocks.map(|block| block.service_account_name.as_str()).find(|name| !name.is_empty())
    }

    /// Returns the number in the name of the artifact's GC pod: artifacts of one strategy with the same number are in
    /// one task, and share its fate (artGCPodName, workflow/controller/artifact_gc.go@v3.4.0, @v4.1.2).
    pub fn gc_pod(&self, artifact: &'a Artifact) -> u32 {
        let own = artifact.artifact_gc.as_ref().map(|block| &block.pod_metadata);
        let above = self.block.map(|block| &block.pod_metadata);
        let mut hash = Fnv::default();
        hash.add(self.named_account(artifact).unwrap_or_default());
        hash.add_merged(above.map(|pod| &pod.labels), own.map(|pod| &pod.labels));
        hash.add_merged(above.map(|pod| &pod.annotations), own.map(|pod| &pod.annotations));
        hash.0
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

/// The 32-bit FNV-1a hash.
struct Fnv(u32);

impl Default for Fnv {
    fn default() -> Self {
        Self(0x811c_9dc5)
    }
}

impl Fnv {
    fn add(&mut self, text: &str) {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        }
    }

    /// Adds names and values in the order of names; those of `own` replace those `above`.
    fn add_merged(&mut self, above: Option<&Texts>, own: Option<&Texts>) {
        let merged: BTreeMap<_, _> = above.into_iter().chain(own).flatten().collect();
        for (name, value) in merged {
            self.add(name);
            self.add(value);
        }
    }
}

type Texts = BTreeMap<String, String>;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use serde_json::{Value, json};

    fn workflow(gc: &Value) -> Workflow {
        serde_json::from_value(json!({ "spec": { "artifactGC": gc } })).unwrap()
    }

    fn artifact(gc: &Value) -> Artifact {
        serde_json::from_value(json!({ "name": "a", "artifactGC": gc })).unwrap()
    }

    #[test]
    fn a_patch_names_the_account_where_nothing_else_does() {
        let account = |gc: Value, own: Value| {
            let (workflow, artifact) = (workflow(&gc), artifact(&own));
            EffectiveStrategy::of(&workflow).service_account(&artifact).map(str::to_owned)
        };
        let patch = |text: &str| json!({ "podSpecPatch": text });
        assert_eq!(account(patch("serviceAccountName: artgc"), json!({})).unwrap(), "artgc");
        assert_eq!(account(patch(r#"{"serviceAccountName":"artgc"}"#), json!({})).unwrap(), "artgc");
        assert_eq!(account(patch("serviceAccount: old\npriority: 1\n"), json!({})).unwrap(), "old");
        for silent in ["containers: []", "serviceAccountName: [", "# serviceAccountName: artgc", ""] {
            assert_eq!(account(patch(silent), json!({})), None, "{silent}");
        }
        assert_eq!(account(json!({ "podSpecPatch": null }), json!({})), None);
        // A named account takes the patch's place, at either level.
        let mut both = patch("serviceAccountName: artgc");
        let own = json!({ "serviceAccountName": "own" });
        assert_eq!(account(both.clone(), own).unwrap(), "own");
        both["serviceAccountName"] = json!("gc");
        assert_eq!(account(both, json!({})).unwrap(), "gc");
    }

    #[test]
    fn a_gc_pods_number_is_that_of_argo() {
        let pod = |gc: Value, own: Value| {
            let (workflow, artifact) = (workflow(&gc), artifact(&own));
            EffectiveStrategy::of(&workflow).gc_pod(&artifact)
        };
        let labels = |labels: Value| json!({ "podMetadata": { "labels": labels } });
        assert_eq!(pod(json!({}), json!({})), 2_166_136_261);
        // FNV-1a of "foobar".
        let named = json!({ "serviceAccountName": "foobar" });
        assert_eq!(pod(json!({}), named.clone()), 0xbf9c_f968);
        assert_eq!(pod(named.clone(), json!({})), 0xbf9c_f968);
        assert_eq!(
            pod(named.clone(), json!({ "serviceAccountName": "other" })),
            pod(json!({}), json!({ "serviceAccountName": "other" }))
        );
        assert_eq!(pod(labels(json!({ "foo": "bar" })), json!({})), 0xbf9c_f968);
        // What an artifact says is added to what the workflow says, and replaces it.
        assert_eq!(pod(labels(json!({ "fo": "x" })), labels(json!({ "fo": "obar" }))), 0xbf9c_f968);
        assert_eq!(
            pod(labels(json!({ "foo": "" })), labels(json!({ "ba": "r" }))),
            pod(labels(json!({ "ba": "r", "foo": "" })), json!({}))
        );
        let annotated = json!({ "podMetadata": { "annotations": { "foo": "bar" } } });
        assert_eq!(pod(json!({}), annotated), 0xbf9c_f968);
        // A patch is no part of it.
        assert_eq!(pod(json!({ "podSpecPatch": "serviceAccountName: foobar" }), json!({})), 2_166_136_261);
    }
}
