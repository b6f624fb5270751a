//! The verdict of one recorded artifact: strategy and finalizer, then on to [`super::collection`].

use crate::argo::artifact::Strategy;
use crate::argo::names;
use crate::argo::version::Version;
use crate::assess::case::{Case, Judgement};
use crate::assess::records::{Record, Records};
use crate::model::engine::StorageEngine;
use crate::model::strategy::StrategySource;
use crate::reason::Reason;
use crate::verdict::Verdict;

/// S3 directories with a trailing slash are deleted since (`docs/argo-gc.md#s3`).
pub(crate) const S3_DIRECTORIES: &[Version] = &[Version(3, 5, 9), Version(3, 6, 0)];

impl<'a> Case<'a> {
    /// The record's verdict; none where nothing was saved and nothing is asked.
    pub(crate) fn judge(&self, record: &Record<'a>, all: &Records<'a>) -> Option<Judgement> {
        let judgement = self.verdict(record, all)?;
        let open = judgement.verdict != Verdict::Collected;
        let uncovered = judgement.verdict == Verdict::Uncovered;
        let vanishing = uncovered && self.policy.spec.ttl_strategy.is_some();
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
        // Whatever becomes of it, the object is another workflow's.
        Some(judgement.note_if(hit, Reason::MemoHit))
    }

    /// Recorded as deleted; two storage quirks make that doubtful.
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

    /// Objects of another workflow: outputs copied from a cache or from the workflow this one resubmits.
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

    /// No strategy at either level.
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
            && self.context.related.template_asks(namespace, name) == Some(true)
        {
            let kind = if namespace.is_empty() { "ClusterWorkflowTemplate" } else { "WorkflowTemplate" };
            let field = format!("{kind}/{name} spec.artifactGC.strategy");
            return Judgement::uncovered(Reason::WftmplLevelIgnored)
                .because(field, "set, but read by nobody");
        }
        Judgement::uncovered(Reason::NoStrategy).because("spec.artifactGC.strategy", "<none>")
    }

    /// Asked for, but on a node Argo's search passes over.
    fn beside_pods(&self, record: &Record<'a>) -> Judgement {
        let kind = record.node.kind.as_str();
        let judgement = match kind {
            // Its own pods are gone from the tree or the object came from elsewhere; we can't tell which.
            "Steps" | "StepGroup" | "DAG" | "TaskGroup" | "Retry" => Judgement::unknown(Reason::NonPodNode),
            _ => Judgement::uncovered(Reason::NonPodNode),
        };
        judgement.because("node type", kind)
    }

    /// Other nodes of this workflow, no attempts of the same step, write the same key.
    fn shares_key(&self, record: &Record<'a>, all: &Records<'a>) -> bool {
        record.node.is_pod()
            && all
                .twins(record)
                .any(|other| other.node.is_pod() && !is_attempt_of_same(&other.node.name, &record.node.name))
    }
}

/// Whether two node names differ only in the attempt: `a(0)` and `a(1)`.
pub(crate) fn is_attempt_of_same(one: &str, other: &str) -> bool {
    fn step(name: &str) -> Option<&str> {
        let (step, attempt) = name.strip_suffix(')')?.rsplit_once('(')?;
        attempt.bytes().all(|byte| byte.is_ascii_digit()).then_some(step)
    }
    one != other && step(one).is_some() && step(one) == step(other)
}
