//! Finds problems of the workflow itself: a finalizer that nothing will remove, outputs that no node records.

use crate::argo::artifact::Strategy;
use crate::argo::names;
use crate::argo::version::Version;
use crate::assess::case::{Case, Judgement};
use crate::assess::chain::is_attempt_of_same;
use crate::assess::gc_pod::is_mislabelled;
use crate::assess::records::Record;
use crate::model::assessment::{ArtifactReport, Evidence, Finding, Note};
use crate::model::engine::StorageEngine;
use crate::model::location;
use crate::model::location::Location;
use crate::reason::Reason;
use crate::verdict::Verdict;
use std::collections::{HashMap, HashSet};

/// The releases since which Argo removes the finalizer without any GC pod (#13500).
const REMOVABLE_WITHOUT_POD: &[Version] = &[Version(3, 5, 11), Version(3, 6, 0)];

impl<'a> Case<'a> {
    /// Returns findings about a finalizer that remains although no artifact is left to collect.
    pub(crate) fn hangs(&self, judged: &[(&Record<'a>, Judgement)]) -> Vec<Finding> {
        // What still runs may write artifacts yet.
        let over = self.workflow.is_terminal();
        if !self.workflow.has_gc_finalizer() || self.workflow.is_archived_record() || !over {
            return Vec::new();
        }
        let asked = |record: &Record<'a>| record.node.is_pod() && record.strategy.asks_for_collection();
        // An object is deleted if it was collected through any of its records.
        let collected = judged.iter().filter(|(_, judgement)| judgement.verdict == Verdict::Collected);
        let again = self.written_again(judged);
        let gone = collected.map(|(record, _)| record.place).filter(|place| !again.contains(place));
        let gone: HashSet<usize> = gone.collect();
        let open = judged.iter().any(|(record, _)| asked(record) && !gone.contains(&record.place));
        if open {
            return Vec::new();
        }
        // If an object is deleted but the controller has not marked it so, the controller waits forever.
        let unflagged = judged.iter().find(|(record, _)| asked(record) && !record.artifact.deleted);
        let finding = match unflagged {
            Some((record, judgement)) => self.unflagged(record, judgement),
            None => self.nothing_left(),
        };
        finding.into_iter().collect()
    }

    /// Returns the places that a retry of the workflow wrote again after they had been collected. Only the time of the retry,
    /// which is the time at which the workflow began, tells that from two nodes of one round that write the same key
    /// (createNewRetryWorkflow, workflow/util/util.go@v4.1.2:916).
    pub(crate) fn written_again(&self, judged: &[(&Record<'a>, Judgement)]) -> HashSet<usize> {
        let of_this_round = judged.iter().filter(|(record, judgement)| {
            judgement.reason == Some(Reason::RetryAfterGc) && !self.is_of_earlier_round(record)
        });
        of_this_round.map(|(record, _)| record.place).collect()
    }

    /// Returns true if the node had ended before the workflow began: it was taken over by a retry.
    pub(crate) fn is_of_earlier_round(&self, record: &Record<'a>) -> bool {
        let began = self.workflow.status.started_at;
        record.node.finished_at.is_some() && began.is_some() && record.node.finished_at < began
    }

    /// Returns true if the node is known to have ended after the workflow began.
    pub(crate) fn is_of_this_round(&self, record: &Record<'a>) -> bool {
        let began = self.workflow.status.started_at;
        began.is_some() && record.node.finished_at >= began
    }

    /// Returns findings about a collection that deletes what it is to delete, and after which the finalizer will remain.
    pub(crate) fn foretold(&self, judged: &[(&Record<'a>, Judgement)]) -> Option<Finding> {
        if !self.workflow.has_gc_finalizer() || self.workflow.is_archived_record() {
            return None;
        }
        let covered = || {
            let is_covered = |(record, judgement): &&(&Record<'a>, Judgement)| {
                record.node.is_pod() && judgement.verdict == Verdict::Covered
            };
            judged.iter().filter(is_covered).map(|(record, _)| *record)
        };
        self.unseen_pod(covered()).or_else(|| self.second_delete(covered())).and_then(finding)
    }

    /// Judges a workflow of a controller with an instance ID, whose GC pods lack the label by which it finds them
    /// (workflow/controller/artifact_gc.go@v4.1.2:534, workflow/controller/pod/controller.go@v4.1.2:292).
    fn unseen_pod<'r>(&self, mut covered: impl Iterator<Item = &'r Record<'a>>) -> Option<Judgement>
    where
        'a: 'r,
    {
        let id = self.workflow.metadata.label(names::INSTANCE_ID);
        let plain =
            covered.find(|record| self.policy.pod_label(record.artifact, names::INSTANCE_ID) != Some(id));
        let record = plain.filter(|_| !id.is_empty())?;
        let labels = format!("artifactGC.podMetadata.labels for artifact {}", record.artifact.name);
        Some(
            Judgement::failing(Reason::InstanceId)
                .because(format!("metadata.labels[{}]", names::INSTANCE_ID), id)
                .because(labels, "without that label"),
        )
    }

    /// Judges a key of GCS that two nodes wrote: the second delete of it fails.
    fn second_delete<'r>(&self, covered: impl Iterator<Item = &'r Record<'a>>) -> Option<Judgement>
    where
        'a: 'r,
    {
        let mut met: HashMap<usize, &Record<'a>> = HashMap::new();
        let is_gcs = |place: &Location| place.engine == StorageEngine::Gcs;
        for record in covered.filter(|record| record.location().is_some_and(is_gcs)) {
            let Some(first) = met.insert(record.place, record) else { continue };
            if self.forces() {
                return None;
            }
            let attempts = is_attempt_of_same(&first.node.name, &record.node.name);
            let reason = if attempts { Reason::RetryAttempts } else { Reason::GcsMissing };
            let nodes = format!("{} and {}", first.node.id, record.node.id);
            let key = record.location().map_or("", |place| &place.key);
            return Some(Judgement::failing(reason).because(format!("nodes that wrote {key}"), nodes));
        }
        None
    }

    /// Returns a finding if the finalizer remains although every artifact is recorded as deleted, or none was written;
    /// none while the controller may still remove it.
    fn nothing_left(&self) -> Option<Finding> {
        let deleted = self.workflow.metadata.deletion_timestamp;
        let since = deleted.max(self.over_since());
        let overdue = since.filter(|_| self.is_overdue(since) && (deleted.is_some() || self.is_live()));
        let nothing =
            || Judgement::failing(Reason::NoArtifactStuck).because("artifacts left to collect", "none");
        let told = |judgement: Judgement| match (deleted, overdue) {
            (None, _) => judgement.because("metadata.deletionTimestamp", "<none> yet: deleting it will hang"),
            (_, Some(since)) => judgement.because("nothing left since", self.lasted(since)),
            (Some(_), None) => judgement,
        };
        // The outputs of a pod whose result is incomplete may come after the phase, up to v3.5.5.
        let judgement = if let Some((node, _)) = self.incomplete_result() {
            overdue?;
            let field = format!("status.taskResultsCompletionStatus[{node}]");
            told(Judgement::failing(Reason::TaskresultNeverComplete).because(field, "false"))
        } else if self.waits_for_no_pod() && (overdue.is_some() || !self.tries_again()) {
            let forced = nothing().because("status.artifactGCStatus.podsRecouped", "<none>");
            Judgement { reason: Some(Reason::ForceNoPod), ..told(forced) }
        } else if self.known_before(REMOVABLE_WITHOUT_POD) && self.had_no_pod() {
            told(nothing())
        } else if overdue.is_none() {
            return None;
        } else if self.maybe_before(REMOVABLE_WITHOUT_POD) {
            told(nothing())
        } else {
            Judgement { reason: Some(Reason::Overdue), ..told(nothing()) }
        };
        finding(judgement)
    }

    /// Returns true if `forceFinalizerRemoval` waits for a GC pod although there is none and was none: with it the
    /// finalizer is removed once a pod was recouped, and for nothing else
    /// (workflow/controller/artifact_gc.go@v4.1.2:588).
    fn waits_for_no_pod(&self) -> bool {
        self.forces() && self.had_no_pod()
    }

    fn had_no_pod(&self) -> bool {
        let status = self.workflow.status.artifact_gc_status.as_ref();
        status.is_none_or(|status| status.pods_recouped.is_empty())
            && self.of.is_none_or(|of| of.pods.is_empty())
    }

    /// Returns a finding for an artifact that is not marked as deleted although its object is; none while the
    /// controller may still process the pod's results.
    fn unflagged(&self, record: &Record<'a>, judgement: &Judgement) -> Option<Finding> {
        let field = format!("artifact {} of node {}: deleted", record.artifact.name, record.node.id);
        let told = |mut judgement: Judgement| {
            judgement.evidence.insert(0, Evidence::new(&field, "not set, though the object is gone"));
            finding(judgement)
        };
        if self.of.is_some_and(|of| of.pods.iter().any(is_mislabelled)) {
            return told(Judgement::failing(Reason::InstanceId));
        }
        if let Some(reason) = judgement.reason {
            return told(Judgement::failing(reason));
        }
        if let Some(pod) = self.pod_of(record) {
            return self.outwaited(pod, &record.strategy).and_then(told);
        }
        // The task reports success, but nobody will process that any more.
        if self.is_live() {
            return told(Judgement::failing(Reason::GcPodLost));
        }
        let since = self.ready_since(&record.strategy).filter(|since| self.is_overdue(Some(*since)))?;
        told(
            Judgement::failing(Reason::NotRecouped)
                .because("GC pods of the workflow", "not read")
                .because("ready since", self.lasted(since)),
        )
    }

    /// Returns notes about hazards of the whole workflow.
    pub(crate) fn workflow_notes(&self, records: &[Record<'a>]) -> Vec<Note> {
        let mut notes = Vec::new();
        let missed = records.iter().any(|record| {
            record.node.is_pod() && !record.artifact.deleted && self.is_processed(&record.strategy)
        });
        if missed && self.workflow.has_gc_finalizer() && self.waits_for_no_pod() {
            notes.push(Note { reason: Reason::ForceNoPod, detail: String::new() });
        }
        let child = self.workflow.status.nodes.values().find(|node| {
            let resource = self.template_of(node).and_then(|template| template.resource.as_ref());
            node.is_pod() && resource.is_some_and(|resource| makes_workflow(&resource.manifest))
        });
        if let Some(node) = child {
            notes
                .push(Note { reason: Reason::WorkflowOfWorkflows, detail: format!("node {}", node.shown()) });
        }
        notes
    }

    /// Returns reports for artifacts that a leftover task result names and the workflow's nodes do not, so that
    /// Argo's GC will never look for them.
    pub(crate) fn unrecorded(&self) -> Vec<ArtifactReport> {
        let results = self.of.map_or(&[][..], |of| &of.results);
        if results.is_empty() || !self.workflow.is_terminal() {
            return Vec::new();
        }
        let mut reports = Vec::new();
        for result in results {
            let id = &result.metadata.name;
            let node = self.workflow.status.nodes.get(id);
            for artifact in &result.outputs.artifacts {
                let known =
                    node.is_some_and(|node| node.outputs.artifacts.iter().any(|a| a.name == artifact.name));
                if known || artifact.location.kind().is_none() {
                    continue;
                }
                let (strategy, source) = self.policy.strategy(artifact);
                let base = node.map_or(self.repository, |node| self.base(node));
                let placeholder = crate::argo::node::NodeStatus {
                    id: id.clone(),
                    kind: "Pod".into(),
                    ..Default::default()
                };
                let record = Record {
                    node: node.unwrap_or(&placeholder),
                    artifact,
                    strategy,
                    source,
                    account: self.policy.service_account(artifact),
                    gc_pod: self.policy.gc_pod(artifact),
                    base,
                    raw_text: None,
                    place: 0,
                    resolved: location::resolve(&artifact.location, base),
                };
                let judgement = if record.strategy == Strategy::Never {
                    Judgement::new(Verdict::Kept, Reason::ArtifactNever)
                } else {
                    Judgement::uncovered(Reason::UnrecordedObject)
                };
                let field = format!("WorkflowTaskResult/{id} outputs.artifacts");
                reports.push(record.report(judgement.because(field, &artifact.name)));
            }
        }
        reports
    }
}

fn finding(judgement: Judgement) -> Option<Finding> {
    let Judgement { verdict, reason, evidence, .. } = judgement;
    Some(Finding { verdict, reason: reason?, evidence })
}

/// Returns true if a resource template's manifest creates a Workflow.
fn makes_workflow(manifest: &str) -> bool {
    manifest
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("kind:"))
        .any(|kind| kind.trim() == "Workflow")
}
