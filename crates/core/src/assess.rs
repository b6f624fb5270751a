//! The verdict algorithm: follows Argo's chain for every output artifact of one workflow (`docs/argo-gc.md#verdict-order`).
//!
//! The chain: a strategy reaches the artifact, the workflow got its finalizer, the node's template is found
//! by name, a GC pod is made and runs, the driver's one delete call hits, and the controller records it.

pub mod chain;
pub mod collection;
pub mod controller;
pub mod finalizer;
pub mod records;
pub mod storage;
pub mod templates;
pub mod workflow_findings;

use crate::argo::artifact::{ArtifactLocation, Strategy};
use crate::argo::names;
use crate::argo::nodes::NodesError;
use crate::argo::version::Version;
use crate::argo::workflow::Workflow;
use crate::assess::records::Record;
use crate::model::assessment::{ArtifactReport, Assessment, Evidence, Finding, HiddenArtifacts, Note};
use crate::model::context::{Context, OfWorkflow};
use crate::model::strategy::EffectiveStrategy;
use crate::reason::Reason;
use crate::verdict::{Finalizer, Verdict, When};
use std::collections::HashMap;

/// Says what becomes of every output artifact of a workflow, and why.
///
/// Compressed nodes are unpacked in place. Never fails: what can't be seen gets the verdict `unknown`.
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
    assessment.notes = case.workflow_notes(&records.list);
    assessment.artifacts = case.merge(judged);
    assessment.artifacts.extend(case.unrecorded());
    assessment.finalizer = case.finalizer(&assessment);
    assessment
}

/// Nodes that can't be seen are one finding: any artifact may be among them.
fn unseen(error: &NodesError) -> Finding {
    let (reason, field) = match error {
        NodesError::Offloaded(_) => (Reason::NodesOffloaded, "status.offloadNodeStatusVersion"),
        _ => (Reason::NodesUnreadable, "status.compressedNodes"),
    };
    Finding { verdict: Verdict::Unknown, reason, evidence: vec![Evidence::new(field, error.to_string())] }
}

/// One workflow under assessment, with all that is looked up once.
struct Case<'a> {
    workflow: &'a Workflow,
    context: &'a Context,
    policy: EffectiveStrategy<'a>,
    /// The version that manages it, when known.
    version: Option<Version>,
    /// GC tasks, pods, events and results of this workflow.
    of: Option<&'a OfWorkflow>,
    repository: Option<&'a ArtifactLocation>,
}

/// A verdict in the making.
#[derive(Debug, Clone)]
struct Judgement {
    verdict: Verdict,
    reason: Option<Reason>,
    when: Option<When>,
    evidence: Vec<Evidence>,
    notes: Vec<Note>,
}

impl Judgement {
    fn new(verdict: Verdict, reason: Reason) -> Self {
        Self { verdict, reason: Some(reason), when: None, evidence: Vec::new(), notes: Vec::new() }
    }

    fn collected() -> Self {
        Self {
            verdict: Verdict::Collected,
            reason: None,
            when: None,
            evidence: Vec::new(),
            notes: Vec::new(),
        }
    }

    fn covered(when: When) -> Self {
        Self { when: Some(when), verdict: Verdict::Covered, ..Self::collected() }
    }

    fn uncovered(reason: Reason) -> Self {
        Self::new(Verdict::Uncovered, reason)
    }

    fn failing(reason: Reason) -> Self {
        Self::new(Verdict::Failing, reason)
    }

    fn unknown(reason: Reason) -> Self {
        Self::new(Verdict::Unknown, reason)
    }

    fn because(mut self, field: impl Into<String>, value: impl Into<String>) -> Self {
        self.evidence.push(Evidence::new(field, value));
        self
    }

    fn note(mut self, reason: Reason) -> Self {
        self.notes.push(Note { reason, detail: String::new() });
        self
    }

    fn note_if(self, condition: bool, reason: Reason) -> Self {
        if condition { self.note(reason) } else { self }
    }
}

impl<'a> Case<'a> {
    fn new(workflow: &'a Workflow, context: &'a Context) -> Self {
        let meta = &workflow.metadata;
        Self {
            workflow,
            context,
            policy: EffectiveStrategy::of(workflow),
            version: context.controllers.version_for(&meta.namespace, meta.label(names::INSTANCE_ID)),
            // What stands beside a live workflow of that name is not the archived one's.
            of: context.related.of(&meta.namespace, &meta.name).filter(|_| !workflow.is_archived_record()),
            repository: workflow
                .status
                .artifact_repository_ref
                .as_ref()
                .and_then(|reference| reference.artifact_repository.as_ref()),
        }
    }

    /// The assessment without artifacts.
    fn frame(&self) -> Assessment {
        let Workflow { metadata: meta, status, .. } = self.workflow;
        let (strategy, strategy_source) = self.policy.workflow_level();
        Assessment {
            namespace: meta.namespace.clone(),
            name: meta.name.clone(),
            uid: meta.uid.clone(),
            phase: status.phase.clone(),
            created_at: meta.creation_timestamp,
            finished_at: status.finished_at,
            deletion_timestamp: meta.deletion_timestamp,
            finalizer: if self.workflow.has_gc_finalizer() { Finalizer::Present } else { Finalizer::Absent },
            archived: self.workflow.is_archived_record(),
            cron_workflow: meta.label(names::CRON_WORKFLOW).to_owned(),
            strategy,
            strategy_source,
            artifacts: Vec::new(),
            findings: Vec::new(),
            notes: Vec::new(),
            aside: HiddenArtifacts::default(),
        }
    }

    /// Whether the version is known and lies before the first fixed release of its line.
    ///
    /// `fixed` names the first release with the fix in each line that got one, in rising order; a line
    /// without an entry is fixed when it is newer than the last.
    fn known_before(&self, fixed: &[Version]) -> bool {
        self.version.is_some_and(|version| is_before(version, fixed))
    }

    /// As [`Self::known_before`], but an unknown version might be affected.
    fn maybe_before(&self, fixed: &[Version]) -> bool {
        self.version.is_none_or(|version| is_before(version, fixed))
    }

    /// How the version is told as evidence.
    fn version_text(&self) -> String {
        self.version.map_or_else(|| "unknown".to_owned(), |version| version.to_string())
    }

    fn is_processed(&self, strategy: &Strategy) -> bool {
        let status = self.workflow.status.artifact_gc_status.as_ref();
        status.is_some_and(|status| status.strategies_processed.get(strategy.as_str()) == Some(&true))
    }

    /// Names of the strategy's GC pods that were recouped.
    fn recouped(&self, strategy: &Strategy) -> impl Iterator<Item = &'a str> {
        let infix = pod_infix(strategy);
        let status = self.workflow.status.artifact_gc_status.as_ref();
        let pods = status.into_iter().flat_map(|status| status.pods_recouped.keys());
        pods.map(String::as_str).filter(move |pod| pod.contains(infix))
    }

    /// Several records of one object become one report; what one record's collection does is the object's fate.
    fn merge(&self, judged: Vec<(&Record<'a>, Judgement)>) -> Vec<ArtifactReport> {
        let mut reports: Vec<ArtifactReport> = Vec::with_capacity(judged.len());
        let mut of_place: HashMap<usize, usize> = HashMap::new();
        for (record, judgement) in judged {
            let at = *of_place.entry(record.place).or_insert(reports.len());
            let unarchived = record.artifact.is_unarchived();
            match reports.get_mut(at) {
                None => reports.push(record.report(judgement)),
                Some(first) if fate(judgement.verdict) < fate(first.verdict) => {
                    let was = first.unarchived;
                    let mut copies = std::mem::take(&mut first.copies);
                    copies.push(std::mem::take(&mut first.node_id));
                    *first = record.report(judgement);
                    (first.copies, first.unarchived) = (copies, first.unarchived || was);
                }
                Some(first) => first.copies.push(record.node.id.clone()),
            }
            // Saved as a directory by any of them, it is looked for as one.
            if let Some(report) = reports.get_mut(at) {
                report.unarchived |= unarchived;
            }
        }
        self.add_copies(&mut reports);
        reports
    }

    /// Whether the finalizer is there, and whether anything will still take it away.
    fn finalizer(&self, assessment: &Assessment) -> Finalizer {
        // A record hangs nowhere, whatever finalizers it was written with.
        if !self.workflow.has_gc_finalizer() || self.workflow.is_archived_record() {
            return Finalizer::Absent;
        }
        let over = self.workflow.is_terminal() || self.workflow.metadata.deletion_timestamp.is_some();
        let stuck_artifact = assessment.artifacts.iter().any(|artifact| {
            let failing =
                artifact.verdict == Verdict::Failing && artifact.reason != Some(Reason::GcPodPending);
            failing
                || matches!(
                    artifact.reason,
                    Some(
                        Reason::UnknownStrategy
                            | Reason::FeatureOff
                            | Reason::Unmanaged
                            | Reason::ControllerTooOld
                    )
                )
        });
        let stuck =
            assessment.findings.iter().any(|finding| finding.verdict == Verdict::Failing) || stuck_artifact;
        if over && stuck { Finalizer::Stuck } else { Finalizer::Present }
    }
}

/// Rank of a verdict when several records show one object: Argo's delete through any of them ends it, and a
/// wish to keep it outweighs that nobody collects it.
fn fate(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Collected => 0,
        Verdict::Covered => 1,
        Verdict::Failing => 2,
        Verdict::Unknown => 3,
        Verdict::Kept => 4,
        Verdict::Uncovered => 5,
    }
}

/// The part of a GC pod's name that tells its strategy (artGCPodName, artifact_gc.go@v4.1.2).
fn pod_infix(strategy: &Strategy) -> &'static str {
    match strategy {
        Strategy::OnWorkflowCompletion => "-artgc-wfcomp-",
        _ => "-artgc-wfdel-",
    }
}

fn is_before(version: Version, fixed: &[Version]) -> bool {
    let same_line = fixed.iter().find(|fix| (fix.0, fix.1) == (version.0, version.1));
    match same_line {
        Some(fix) => version < *fix,
        None => fixed.iter().max().is_some_and(|last| version < *last),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::argo::version::Version;

    #[test]
    fn a_fix_counts_per_release_line() {
        let fixed = [Version(3, 4, 17), Version(3, 5, 6), Version(3, 6, 0)];
        for (version, before) in [
            (Version(3, 4, 16), true),
            (Version(3, 4, 17), false),
            (Version(3, 5, 5), true),
            (Version(3, 5, 6), false),
            (Version(4, 0, 0), false),
        ] {
            assert_eq!(is_before(version, &fixed), before, "{version}");
        }
        // A line that never got the fix.
        assert!(is_before(Version(3, 4, 18), &[Version(3, 5, 11), Version(3, 6, 0)]));
    }
}
