//! The fold of assessments: counts of everything, details only of what a reader asked for.

use super::{Assessment, Reason, Verdict};
use serde::Serialize;
use std::collections::BTreeMap;

/// Something that could not be read, and what that means.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Gap {
    /// What was to be read: `pods in "ml"`, `workflow ml/train`, `examples/a.yaml document 3`.
    pub what: String,
    /// Why it could not be: `forbidden`, a parser's words.
    pub why: String,
    /// What is not known for want of it.
    pub effect: String,
}

/// Counts over everything inspected, findings or not.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Workflows inspected.
    pub workflows: u64,
    /// Workflows with at least one uncovered or failing artifact, or a failing workflow-level finding.
    pub leaking_workflows: u64,
    /// Workflows whose finalizer is stuck.
    pub stuck_finalizers: u64,
    /// Artifacts by verdict; every verdict has an entry.
    pub artifacts: BTreeMap<&'static str, u64>,
    /// Artifacts and workflow-level findings by reason code.
    pub reasons: BTreeMap<&'static str, u64>,
}

/// An inspection in progress or done: the counts and the gaps. Assessments themselves go to the output
/// one by one, so that memory does not grow with the cluster.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Inspection {
    pub summary: Summary,
    pub gaps: Vec<Gap>,
}

impl Inspection {
    /// Counts one assessment.
    pub fn add(&mut self, assessment: &Assessment) {
        let summary = &mut self.summary;
        summary.workflows += 1;
        let mut leaking = false;
        for artifact in &assessment.artifacts {
            *summary.artifacts.entry(artifact.verdict.as_str()).or_default() += 1;
            leaking |= artifact.verdict <= Verdict::Failing;
            if let Some(reason) = artifact.reason {
                count(&mut summary.reasons, reason);
            }
        }
        for finding in &assessment.findings {
            leaking |= finding.verdict <= Verdict::Failing;
            count(&mut summary.reasons, finding.reason);
        }
        summary.leaking_workflows += u64::from(leaking);
        summary.stuck_finalizers += u64::from(assessment.finalizer == super::report::Finalizer::Stuck);
    }

    /// How many artifacts got the verdict.
    pub fn artifacts(&self, verdict: Verdict) -> u64 {
        self.summary.artifacts.get(verdict.as_str()).copied().unwrap_or_default()
    }
}

fn count(reasons: &mut BTreeMap<&'static str, u64>, reason: Reason) {
    *reasons.entry(reason.code()).or_default() += 1;
}
