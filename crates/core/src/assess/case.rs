//! The workflow under assessment and the preliminary verdict, on which all steps of the assessment build.

use crate::argo::artifact::{ArtifactLocation, Strategy};
use crate::argo::names;
use crate::argo::version::Version;
use crate::argo::workflow::Workflow;
use crate::model::assessment::{Evidence, Note};
use crate::model::context::{Context, OfWorkflow};
use crate::model::strategy::EffectiveStrategy;
use crate::reason::Reason;
use crate::verdict::{Verdict, When};

/// One workflow under assessment, with everything that is looked up only once.
pub(crate) struct Case<'a> {
    pub workflow: &'a Workflow,
    pub context: &'a Context,
    pub policy: EffectiveStrategy<'a>,
    /// The version of the controller that manages it, if known.
    pub version: Option<Version>,
    /// The GC tasks, pods, events and results of this workflow.
    pub of: Option<&'a OfWorkflow>,
    pub repository: Option<&'a ArtifactLocation>,
    /// The number of artifacts that its Pod nodes record.
    pub artifacts: usize,
}

/// A preliminary verdict.
#[derive(Debug, Clone)]
pub(crate) struct Judgement {
    pub verdict: Verdict,
    pub reason: Option<Reason>,
    pub when: Option<When>,
    pub evidence: Vec<Evidence>,
    pub notes: Vec<Note>,
}

impl Judgement {
    pub fn new(verdict: Verdict, reason: Reason) -> Self {
        Self { verdict, reason: Some(reason), when: None, evidence: Vec::new(), notes: Vec::new() }
    }

    pub fn collected() -> Self {
        Self {
            verdict: Verdict::Collected,
            reason: None,
            when: None,
            evidence: Vec::new(),
            notes: Vec::new(),
        }
    }

    pub fn covered(when: When) -> Self {
        Self { when: Some(when), verdict: Verdict::Covered, ..Self::collected() }
    }

    pub fn uncovered(reason: Reason) -> Self {
        Self::new(Verdict::Uncovered, reason)
    }

    pub fn failing(reason: Reason) -> Self {
        Self::new(Verdict::Failing, reason)
    }

    pub fn unknown(reason: Reason) -> Self {
        Self::new(Verdict::Unknown, reason)
    }

    pub fn because(mut self, field: impl Into<String>, value: impl Into<String>) -> Self {
        self.evidence.push(Evidence::new(field, value));
        self
    }

    pub fn note(mut self, reason: Reason) -> Self {
        self.notes.push(Note { reason, detail: String::new() });
        self
    }

    pub fn note_if(self, condition: bool, reason: Reason) -> Self {
        if condition { self.note(reason) } else { self }
    }
}

impl<'a> Case<'a> {
    pub fn new(workflow: &'a Workflow, context: &'a Context) -> Self {
        let meta = &workflow.metadata;
        Self {
            workflow,
            context,
            policy: EffectiveStrategy::of(workflow),
            version: context.controllers.version_for(&meta.namespace, meta.label(names::INSTANCE_ID)),
            // Related objects in the cluster belong to a live workflow of the same name, so an archived record
            // gets none.
            of: context.related.of(&meta.namespace, &meta.name).filter(|_| !workflow.is_archived_record()),
            repository: workflow
                .status
                .artifact_repository_ref
                .as_ref()
                .and_then(|reference| reference.artifact_repository.as_ref()),
            artifacts: workflow
                .status
                .nodes
                .values()
                .filter(|node| node.is_pod())
                .map(|node| node.outputs.artifacts.len())
                .sum(),
        }
    }

    /// Returns true if the version is known and older than the first fixed release of its line.
    ///
    /// `fixed` names the first release with the fix in each line that got one, in rising order; a line
    /// without an entry is fixed when it is newer than the last.
    pub fn known_before(&self, fixed: &[Version]) -> bool {
        self.version.is_some_and(|version| is_before(version, fixed))
    }

    /// Like [`Self::known_before`], but true if the version is unknown.
    pub fn maybe_before(&self, fixed: &[Version]) -> bool {
        self.version.is_none_or(|version| is_before(version, fixed))
    }

    /// Returns true if the version is known to repeat an attempt that fails, rather than to record it as processed
    /// (#16897).
    pub fn tries_again(&self) -> bool {
        const REPEATED: &[Version] = &[Version(4, 0, 11), Version(4, 1, 3)];
        self.version.is_some_and(|version| !is_before(version, REPEATED))
    }

    /// Returns the version as evidence.
    pub fn version_text(&self) -> String {
        self.version.map_or_else(|| "unknown".to_owned(), |version| version.to_string())
    }

    pub fn is_processed(&self, strategy: &Strategy) -> bool {
        let status = self.workflow.status.artifact_gc_status.as_ref();
        status.is_some_and(|status| status.strategies_processed.get(strategy.as_str()) == Some(&true))
    }

    /// Returns the names of the strategy's GC pods that were recouped.
    pub fn recouped(&self, strategy: &Strategy) -> impl Iterator<Item = &'a str> {
        let infix = pod_infix(strategy);
        let status = self.workflow.status.artifact_gc_status.as_ref();
        let pods = status.into_iter().flat_map(|status| status.pods_recouped.keys());
        pods.map(String::as_str).filter(move |pod| pod.contains(infix))
    }
}

/// Returns the part of a GC pod's name that identifies its strategy (artGCPodName, artifact_gc.go@v4.1.2).
pub(crate) fn pod_infix(strategy: &Strategy) -> &'static str {
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
        // This line never got the fix.
        assert!(is_before(Version(3, 4, 18), &[Version(3, 5, 11), Version(3, 6, 0)]));
    }
}
