//! Finds problems of the workflow itself: a finalizer that nothing will remove, outputs that no node records.

use crate::argo::artifact::Strategy;
use crate::argo::version::Version;
use crate::assess::case::{Case, Judgement};
use crate::assess::records::Record;
use crate::model::assessment::{ArtifactReport, Evidence, Finding, Note};
use crate::model::location;
use crate::reason::Reason;
use crate::verdict::Verdict;
use std::collections::HashSet;

/// The releases since which Argo removes the finalizer without any GC pod (#13500).
const REMOVABLE_WITHOUT_POD: &[Version] = &[Version(3, 5, 11), Version(3, 6, 0)];

impl<'a> Case<'a> {
    /// Returns findings about a finalizer that stays although no artifact is left to collect.
    pub(crate) fn hangs(&self, judged: &[(&Record<'a>, Judgement)]) -> Vec<Finding> {
        if !self.workflow.has_gc_finalizer() || self.workflow.is_archived_record() {
            return Vec::new();
        }
        let asked = |record: &Record<'a>| record.node.is_pod() && record.strategy.asks_for_collection();
        // An object is deleted if it was collected through any of its records.
        let collected = judged.iter().filter(|(_, judgement)| judgement.verdict == Verdict::Collected);
        let gone: HashSet<usize> = collected.map(|(record, _)| record.place).collect();
        let open = judged.iter().any(|(record, _)| asked(record) && !gone.contains(&record.place));
        if open {
            return Vec::new();
        }
        // If an object is deleted but the controller has not marked it so, the controller waits forever.
        let unflagged = judged.iter().find(|(record, _)| asked(record) && !record.artifact.deleted);
        let deleted = self.workflow.metadata.deletion_timestamp;
        let finding = match unflagged {
            Some((record, judgement)) => match self.unflagged(record, judgement) {
                Some(finding) => finding,
                None => return Vec::new(),
            },
            None if self.is_overdue(deleted.max(self.workflow.ended())) && deleted.is_some() => {
                if !self.maybe_before(REMOVABLE_WITHOUT_POD) {
                    finding(Reason::Overdue, "metadata.deletionTimestamp", "passed over an hour ago")
                } else {
                    finding(Reason::NoArtifactStuck, "artifacts left to collect", "none")
                }
            }
            None => return Vec::new(),
        };
        vec![finding]
    }

    /// Returns a finding for an artifact that is not marked as deleted; none while the controller may still
    /// process the pod's results.
    fn unflagged(&self, record: &Record<'a>, judgement: &Judgement) -> Option<Finding> {
        let field = format!("artifact {} of node {}: deleted", record.artifact.name, record.node.id);
        let pods = self.of.map_or(&[][..], |of| &of.pods);
        let mislabelled = pods.iter().any(|pod| {
            pod.metadata.labels.contains_key(crate::argo::names::WRONG_INSTANCE_LABEL)
                && !pod.metadata.labels.contains_key(crate::argo::names::INSTANCE_ID)
        });
        let reason = match judgement.reason {
            _ if mislabelled => Reason::InstanceId,
            Some(reason) => reason,
            None => match self.pod_of(record) {
                Some(pod) if self.is_held(pod) => Reason::GcPodHeld,
                Some(pod) if self.is_overdue(pod.metadata.creation_timestamp) => Reason::NotRecouped,
                Some(_) => return None,
                // The task reports success, but nobody will process that any more.
                None => Reason::GcPodLost,
            },
        };
        Some(finding(reason, &field, "not set, though the object is gone"))
    }

    /// Returns notes about hazards of the whole workflow.
    pub(crate) fn workflow_notes(&self, records: &[Record<'a>]) -> Vec<Note> {
        let mut notes = Vec::new();
        let status = self.workflow.status.artifact_gc_status.as_ref();
        let missed = records.iter().any(|record| {
            record.node.is_pod() && !record.artifact.deleted && self.is_processed(&record.strategy)
        });
        let nothing_recouped = status.is_none_or(|status| status.pods_recouped.is_empty());
        if self.policy.force()
            && self.workflow.has_gc_finalizer()
            && nothing_recouped
            && (self.workflow.metadata.deletion_timestamp.is_some() || missed)
        {
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

fn finding(reason: Reason, field: &str, value: &str) -> Finding {
    Finding { verdict: Verdict::Failing, reason, evidence: vec![Evidence::new(field, value)] }
}

/// Returns true if a resource template's manifest creates a Workflow.
fn makes_workflow(manifest: &str) -> bool {
    manifest
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("kind:"))
        .any(|kind| kind.trim() == "Workflow")
}
