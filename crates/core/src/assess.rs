//! The verdict algorithm: follows Argo's chain for every output artifact of one workflow (`docs/argo-gc.md#verdict-order`).
//!
//! The chain: a strategy reaches the artifact, the workflow got its finalizer, the node's template is found
//! by name, a GC pod is made and runs, the driver's one delete call hits, and the controller records it.

pub(crate) mod case;
pub mod chain;
pub mod collection;
pub mod controller;
pub mod finalizer;
pub mod gc_pod;
mod missing;
pub mod records;
mod reference_mode;
pub mod rights;
pub mod storage;
pub mod templates;
pub mod waiting;
pub mod workflow_findings;

use crate::argo::names;
use crate::argo::nodes::NodesError;
use crate::argo::workflow::Workflow;
use crate::assess::case::{Case, Judgement};
use crate::assess::records::Record;
use crate::model::assessment::{ArtifactReport, Assessment, Evidence, Finding, HiddenArtifacts};
use crate::model::context::Context;
use crate::reason::Reason;
use crate::verdict::{Finalizer, Verdict};
use std::collections::HashMap;

/// Assesses every output artifact of a workflow: whether it will be deleted, and why.
///
/// Compressed nodes are unpacked in place. This never fails: artifacts without sufficient evidence get the
/// verdict `unknown`.
pub fn assess(workflow: &mut Workflow, context: &Context) -> Assessment {
    let hydrated = workflow.hydrate();
    let case = Case::new(workflow, context);
    let mut assessment = case.frame();
    if let Err(error) = hydrated {
        assessment.findings.push(unseen(&error));
        return assessment;
    }
    let records = case.records();
    let judged: Vec<_> =
        records.list.iter().filter_map(|record| Some((record, case.judge(record, &records)?))).collect();
    assessment.findings = case.hangs(&judged);
    assessment.findings.extend(case.foretold(&judged));
    assessment.notes = case.workflow_notes(&records.list);
    assessment.artifacts = case.merge(judged);
    assessment.artifacts.extend(case.unrecorded());
    assessment.finalizer = case.finalizer(&assessment);
    assessment
}

/// Returns one finding for nodes that can't be seen, since they may hold any artifact.
fn unseen(error: &NodesError) -> Finding {
    let (reason, field) = match error {
        NodesError::Offloaded(_) => (Reason::NodesOffloaded, "status.offloadNodeStatusVersion"),
        NodesError::Absent(_) | NodesError::Cut(_) => (Reason::NodesUnseen, "status.nodes"),
        _ => (Reason::NodesUnreadable, "status.compressedNodes"),
    };
    Finding { verdict: Verdict::Unknown, reason, evidence: vec![Evidence::new(field, error.to_string())] }
}

impl<'a> Case<'a> {
    /// Returns the assessment without artifacts.
    fn frame(&self) -> Assessment {
        let Workflow { metadata: meta, status, .. } = self.workflow;
        let (strategy, strategy_source) = self.policy.workflow_level();
        Assessment {
            namespace: meta.namespace.clone(),
            name: meta.name.clone(),
            uid: meta.uid.clone(),
            phase: status.phase.clone(),
            created_at: meta.creation_timestamp,
            finished_at: self.workflow.ended(),
            deletion_timestamp: meta.deletion_timestamp,
            expires_at: self.expires_at(),
            finalizer: if self.workflow.has_gc_finalizer() { Finalizer::Present } else { Finalizer::Absent },
            archived: self.workflow.is_archived_record(),
            cron_workflow: meta.label(names::CRON_WORKFLOW).to_owned(),
            workflow_template: self
                .workflow
                .spec
                .workflow_template_ref
                .as_ref()
                .map(|template| template.name.clone())
                .unwrap_or_default(),
            labels: meta.labels.clone(),
            strategy,
            strategy_source,
            artifacts: Vec::new(),
            findings: Vec::new(),
            notes: Vec::new(),
            aside: HiddenArtifacts::default(),
        }
    }

    /// Merges all records of one object into one report, with the verdict that decides what happens to the
    /// object.
    fn merge(&self, judged: Vec<(&Record<'a>, Judgement)>) -> Vec<ArtifactReport> {
        let again = self.written_again(&judged);
        let fate = |record: &Record<'a>, judgement: &Judgement| match again.contains(&record.place) {
            true if judgement.verdict == Verdict::Collected && !self.is_of_this_round(record) => LAST,
            _ => fate(judgement.verdict),
        };
        let mut reports: Vec<ArtifactReport> = Vec::with_capacity(judged.len());
        let mut fates: Vec<u8> = Vec::new();
        let mut of_place: HashMap<usize, usize> = HashMap::new();
        for (record, judgement) in judged {
            let at = *of_place.entry(record.place).or_insert(reports.len());
            let unarchived = record.artifact.is_unarchived();
            let fate = fate(record, &judgement);
            match reports.get_mut(at) {
                None => {
                    reports.push(record.report(judgement));
                    fates.push(fate);
                }
                Some(first) if fate < fates[at] => {
                    fates[at] = fate;
                    let was = first.unarchived;
                    let mut copies = std::mem::take(&mut first.copies);
                    copies.push(std::mem::take(&mut first.node_id));
                    *first = record.report(judgement);
                    (first.copies, first.unarchived) = (copies, first.unarchived || was);
                }
                Some(first) => first.copies.push(record.node.id.clone()),
            }
            // If any of the records saved a directory, storage is searched for a directory.
            if let Some(report) = reports.get_mut(at) {
                report.unarchived |= unarchived;
            }
        }
        self.add_copies(&mut reports);
        reports
    }

    /// Returns whether the finalizer is present, and whether anything will still remove it.
    fn finalizer(&self, assessment: &Assessment) -> Finalizer {
        // An archived record is never stuck, even if it was written with finalizers.
        if !self.workflow.has_gc_finalizer() || self.workflow.is_archived_record() {
            return Finalizer::Absent;
        }
        let over = self.workflow.is_terminal() || self.workflow.metadata.deletion_timestamp.is_some();
        let stuck_artifact = assessment.artifacts.iter().any(|artifact| {
            let failing =
                artifact.verdict == Verdict::Failing && artifact.reason != Some(Reason::GcPodPending);
            let given_up = artifact.verdict == Verdict::Uncovered;
            let stuck = failing
                || given_up
                    && matches!(
                        artifact.reason,
                        Some(
                            Reason::UnknownStrategy
                                | Reason::FeatureOff
                                | Reason::Unmanaged
                                | Reason::ControllerTooOld
                        )
                    );
            // Somebody may still fix what prevents what is to come.
            stuck && !artifact.is_to_come() && !(self.forces() && artifact.reason.is_some_and(ends_in_a_pod))
        });
        let stuck =
            assessment.findings.iter().any(|finding| finding.verdict == Verdict::Failing) || stuck_artifact;
        if over && stuck { Finalizer::Stuck } else { Finalizer::Present }
    }
}

/// Returns true if a GC pod ran and ended, or will, although it deletes nothing: with `forceFinalizerRemoval` that removes the
/// finalizer.
fn ends_in_a_pod(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::GcPodFailed
            | Reason::GcRbac
            | Reason::GcOom
            | Reason::DeleteError
            | Reason::BatchAbort
            | Reason::UnsavedInOutputs
            | Reason::UnsupportedDriver
            | Reason::GcsMissing
            | Reason::AzureMissing
            | Reason::GcsDirectory
            | Reason::GcsUncleanKey
            | Reason::S3Directory
            | Reason::ParamArchiveLocation
            | Reason::ArchiveLocationMixup
            | Reason::TemplateDefaults
            | Reason::RetryAttempts
    )
}

/// The rank of a verdict that no longer says anything.
const LAST: u8 = 6;

/// Returns the rank of a verdict when several records name one object. A delete by Argo through any of them
/// deletes the object, and `Kept` takes precedence over `Uncovered`.
fn fate(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Collected => 0,
        Verdict::Covered | Verdict::Endangered => 1,
        Verdict::Failing => 2,
        Verdict::Unknown => 3,
        Verdict::Kept => 4,
        Verdict::Uncovered => 5,
    }
}
