//! Decides the verdict on one recorded artifact by strategy and finalizer; [`super::collection`] decides the
//! rest.

use crate::argo::artifact::Strategy;
use crate::argo::names;
use crate::argo::node::ConfigMapKey;
use crate::argo::version::Version;
use crate::assess::case::{Case, Judgement};
use crate::assess::records::{Record, Records};
use crate::model::assessment::Note;
use crate::model::engine::StorageEngine;
use crate::model::strategy::StrategySource;
use crate::reason::Reason;
use crate::verdict::Verdict;

/// The releases since which S3 directories with a trailing slash are deleted (`docs/argo-gc.md#s3`).
pub(crate) const S3_DIRECTORIES: &[Version] = &[Version(3, 5, 9), Version(3, 6, 0)];

impl<'a> Case<'a> {
    /// Returns the record's verdict; none if nothing was saved and no strategy asks for collection.
    pub(crate) fn judge(&self, record: &Record<'a>, all: &Records<'a>) -> Option<Judgement> {
        let judgement = self.verdict(record, all)?;
        let open = judgement.verdict != Verdict::Collected;
        let uncovered = judgement.verdict == Verdict::Uncovered;
        let vanishing = uncovered && self.workflow.ttl().is_some();
        let shared = self.shares_key(record, all);
        Some(
            judgement
                .note_if(vanishing, Reason::TtlVanished)
                .note_if(shared, Reason::SharedKey)
                .note_if(open && !self.workflow.is_terminal(), Reason::StillConsumed),
        )
    }

    fn verdict(&self, record: &Record<'a>, all: &Records<'a>) -> Option<Judgement> {
        let Record { node, artifact, strategy, source, .. } = record;
        if artifact.deleted {
            return Some(self.collected(record));
        }
        if record.is_unsaved() && !(strategy.asks_for_collection() && node.is_pod()) {
            return None;
        }
        if *strategy == Strategy::Never {
            let reason =
                if *source == StrategySource::Artifact { Reason::ArtifactNever } else { Reason::WfNever };
            let field = if *source == StrategySource::Artifact {
                "artifactGC.strategy"
            } else {
                "spec.artifactGC.strategy"
            };
            return Some(Judgement::new(Verdict::Kept, reason).because(field, "Never"));
        }
        if let Some(judgement) = self.borrowed(record) {
            return Some(judgement);
        }
        if *strategy == Strategy::Unset {
            return Some(self.unasked(record));
        }
        if let Strategy::Other(value) = strategy {
            return Some(Judgement::uncovered(Reason::UnknownStrategy).because("artifactGC.strategy", value));
        }
        if !node.is_pod() {
            return Some(self.beside_pods(record));
        }
        if self.workflow.is_archived_record() {
            let label = format!("metadata.labels[{}]", names::ARCHIVING);
            return Some(Judgement::unknown(Reason::ArchivedStale).because(label, "Persisted"));
        }
        let hit = node.memoization_status.as_ref().is_some_and(|memo| memo.hit);
        let judgement = self.not_taken_up().or_else(|| self.without_finalizer(record, all));
        let judgement = judgement.unwrap_or_else(|| self.under_finalizer(record, all));
        let coming = judgement.verdict == Verdict::Covered;
        let overdue = judgement.reason == Some(Reason::Overdue);
        let nobody = if coming || overdue { self.carried_out_by_nobody() } else { None };
        // For what is overdue, that nobody was seen is one explanation of several; this one is exact.
        let refused = |nobody: &Judgement| nobody.reason == Some(Reason::ReferenceMode);
        let judgement = match nobody.filter(|nobody| coming || refused(nobody)) {
            Some(nobody) => Judgement { when: judgement.when, notes: judgement.notes, ..nobody },
            None => {
                let mut judgement = judgement;
                judgement.notes.extend(self.unless_edited().filter(|_| coming));
                judgement
            }
        };
        let mut judgement = judgement;
        judgement.notes.extend(self.unless_lost().filter(|_| coming || overdue));
        // With any verdict, the object belongs to another workflow.
        Some(judgement.note_if(hit, Reason::MemoHit))
    }

    /// Returns a note that the collection depends on a ConfigMap: the controller sets the workflow's parameters at each look,
    /// and returns before GC if one has no value (setGlobalParameters, workflow/controller/operator.go@v3.4.0, @v4.1.2).
    fn unless_lost(&self) -> Option<Note> {
        let ConfigMapKey { name, key } = self.policy.spec.arguments.config_map_key()?;
        let detail = format!("if the key {key} of ConfigMap/{name} is gone");
        Some(Note { reason: Reason::ConfigmapParameter, detail })
    }

    /// Judges an artifact that is recorded as deleted, which two bugs of storage drivers make doubtful.
    fn collected(&self, record: &Record<'a>) -> Judgement {
        let s3 = record.location().filter(|place| place.engine == StorageEngine::S3);
        let directory = s3.is_some_and(|place| {
            let missed = !place.key.ends_with('/') || self.maybe_before(S3_DIRECTORIES);
            record.artifact.is_unarchived() && missed
        });
        let elsewhere = s3.is_some() && self.takes_another_location(record);
        Judgement::collected()
            .because("outputs.artifacts[].deleted", "true")
            .note_if(directory, Reason::S3FalseDeleted)
            .note_if(elsewhere, Reason::WrongBucketDeleted)
    }

    /// Judges outputs that belong to another workflow, copied from a cache or from the workflow that this one
    /// resubmits.
    fn borrowed(&self, record: &Record<'a>) -> Option<Judgement> {
        let Record { node, strategy, .. } = record;
        if node.kind == "Skipped" && node.message.starts_with("original pod:") {
            let judgement =
                Judgement::unknown(Reason::ResubmitMemoized).because("node message", &node.message);
            return Some(match self.workflow.metadata.label(names::RESUBMITTED_FROM) {
                "" => judgement,
                from => judgement.because(format!("metadata.labels[{}]", names::RESUBMITTED_FROM), from),
            });
        }
        let memo = node.memoization_status.as_ref().filter(|memo| memo.hit)?;
        let left_alone = !strategy.asks_for_collection() || !node.is_pod();
        left_alone.then(|| {
            let cache = format!("hit in cache {}", memo.cache_name);
            Judgement::unknown(Reason::MemoHit).because("memoizationStatus", cache)
        })
    }

    /// Judges an artifact without a strategy at either level.
    fn unasked(&self, record: &Record<'a>) -> Judgement {
        let Record { node, artifact, .. } = record;
        if artifact.artifact_gc.is_some() {
            return Judgement::uncovered(Reason::ArtifactBlockWithoutStrategy)
                .because("artifactGC.strategy", "<none>");
        }
        let workflow_namespace = &self.workflow.metadata.namespace;
        let referenced = match (&node.template_ref, node.template_scope.split_once('/')) {
            (Some(reference), _) => {
                Some((if reference.cluster_scope { "" } else { workflow_namespace }, reference.name.as_str()))
            }
            (None, Some(("namespaced", name))) => Some((workflow_namespace.as_str(), name)),
            (None, Some(("cluster", name))) => Some(("", name)),
            _ => None,
        };
        if let Some((namespace, name)) = referenced
            && self.context.related.template(namespace, name).is_some_and(|template| template.asks)
        {
            let kind = if namespace.is_empty() { "ClusterWorkflowTemplate" } else { "WorkflowTemplate" };
            let field = format!("{kind}/{name} spec.artifactGC.strategy");
            return Judgement::uncovered(Reason::WftmplLevelIgnored)
                .because(field, "set, but read by nobody");
        }
        Judgement::uncovered(Reason::NoStrategy).because("spec.artifactGC.strategy", "<none>")
    }

    /// Judges an artifact whose strategy asks for collection, on a node that Argo's search ignores.
    fn beside_pods(&self, record: &Record<'a>) -> Judgement {
        let kind = record.node.kind.as_str();
        let judgement = match kind {
            // Either the node's own pods are no longer in the tree, or the object came from elsewhere; which is
            // unknown.
            "Steps" | "StepGroup" | "DAG" | "TaskGroup" | "Retry" => Judgement::unknown(Reason::NonPodNode),
            _ => Judgement::uncovered(Reason::NonPodNode),
        };
        judgement.because("node type", kind)
    }

    /// Returns true if other nodes of this workflow write the same key and are not attempts of the same step.
    fn shares_key(&self, record: &Record<'a>, all: &Records<'a>) -> bool {
        record.node.is_pod()
            && all
                .twins(record)
                .any(|other| other.node.is_pod() && !is_attempt_of_same(&other.node.name, &record.node.name))
    }
}

/// Returns true if two node names differ only in the attempt, like `a(0)` and `a(1)`.
pub(crate) fn is_attempt_of_same(one: &str, other: &str) -> bool {
    fn step(name: &str) -> Option<&str> {
        let (step, attempt) = name.strip_suffix(')')?.rsplit_once('(')?;
        attempt.bytes().all(|byte| byte.is_ascii_digit()).then_some(step)
    }
    one != other && step(one).is_some() && step(one) == step(other)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::assess::assess;
    use crate::model::context::{Context, Controllers, Related};
    use crate::reason::Reason;
    use crate::verdict::Verdict;
    use serde_json::{Value, json};

    #[test]
    fn a_collection_depends_on_the_config_maps_of_parameters() {
        let told = |parameter: Value| {
            let node = json!({
                "id": "w", "name": "w", "type": "Pod", "templateName": "main",
                "outputs": { "artifacts": [{ "name": "o", "gcs": { "bucket": "b", "key": "w/o" } }] },
            });
            let workflow = json!({
                "metadata": { "name": "w", "namespace": "ml", "finalizers": ["workflows.argoproj.io/artifact-gc"] },
                "spec": {
                    "artifactGC": { "strategy": "OnWorkflowDeletion" }, "arguments": { "parameters": [parameter] },
                },
                "status": { "phase": "Succeeded", "artifactGCStatus": {}, "nodes": { "w": node } },
            });
            let now = "2026-11-20T12:00:00Z".parse().unwrap();
            let context = Context { now, controllers: Controllers::default(), related: Related::default() };
            let mut workflow = serde_json::from_value(workflow).unwrap();
            let artifact = assess(&mut workflow, &context).artifacts.swap_remove(0);
            let notes: Vec<_> = artifact.notes.into_iter().map(|note| (note.reason, note.detail)).collect();
            (artifact.verdict, notes)
        };
        let key = json!({ "name": "limits", "key": "max" });
        let noted = (Reason::ConfigmapParameter, "if the key max of ConfigMap/limits is gone".to_owned());
        let from = told(json!({ "name": "p", "valueFrom": { "configMapKeyRef": key } }));
        assert_eq!(from, (Verdict::Covered, vec![noted]));
        for safe in [
            json!({ "name": "p", "valueFrom": { "configMapKeyRef": key, "default": "1" } }),
            json!({ "name": "p", "value": "1", "valueFrom": { "configMapKeyRef": key } }),
            json!({ "name": "p", "valueFrom": { "supplied": {} } }),
            json!({ "name": "p", "value": 1 }),
        ] {
            assert_eq!(told(safe), (Verdict::Covered, vec![]));
        }
    }
}
