//! Decides how long each state may wait before it is failing. Time counts from what the server set; a time that a
//! status names counts only between the creation of the workflow and now.

use crate::argo::artifact::Strategy;
use crate::argo::names;
use crate::argo::version::Version;
use crate::assess::case::{Case, Judgement};
use crate::assess::records::Record;
use crate::model::context::RelatedKind;
use crate::reason::Reason;
use crate::verdict::When;
use jiff::{SignedDuration, Timestamp};

/// The time after which a GC pod that has not started, or has not ended after its work, is not merely slow.
pub const PENDING: SignedDuration = SignedDuration::from_mins(10);

/// The time after which a ready strategy is not merely queued; the controller looks again every 20 minutes.
pub(crate) const OVERDUE: SignedDuration = SignedDuration::from_hours(1);

/// The time that one delete may take in addition to [`OVERDUE`], at which a GC pod is not merely busy: the pod deletes
/// one artifact after the other (`docs/argo-gc.md#gc-pod`).
const EACH: SignedDuration = SignedDuration::from_secs(10);

/// The first release in which GC waits for the workflow's end.
pub(crate) const GATED: Version = Version(3, 5, 2);

/// The tolerated difference between the clocks of this machine and the cluster.
const CLOCKS: SignedDuration = SignedDuration::from_mins(10);

impl<'a> Case<'a> {
    /// Judges an artifact whose strategy has not been processed yet.
    pub(crate) fn awaited(&self, record: &Record<'a>) -> Judgement {
        let strategy = &record.strategy;
        if let Some((node, _)) = self.incomplete_result()
            && self.workflow.is_terminal()
        {
            let field = format!("status.taskResultsCompletionStatus[{node}]");
            return Judgement::failing(Reason::TaskresultNeverComplete).because(field, "false");
        }
        let Some(since) = self.ready_since(strategy) else {
            return match strategy {
                Strategy::OnWorkflowCompletion => Judgement::covered(When::OnCompletion),
                _ => self.until_deleted(),
            };
        };
        if !self.is_overdue(Some(since)) {
            return Judgement::covered(When::Now);
        }
        let field = format!("status.artifactGCStatus.strategiesProcessed[{strategy}]");
        let judgement = Judgement::failing(Reason::Overdue)
            .because(field, "not yet")
            .because("ready since", self.lasted(since));
        if !self.tries_again() {
            return judgement;
        }
        let told = format!("{}, which does not record a failed attempt, and repeats it", self.version_text());
        let judgement = judgement.because("controller version", told);
        match self.task_of(record).filter(|_| self.is_live() && self.pod_of(record).is_none()) {
            Some(task) => {
                let field = format!("WorkflowArtifactGCTask/{}", task.metadata.name);
                judgement.because(field, "made, and its pod was not")
            }
            None => judgement,
        }
    }

    /// Judges an artifact that waits for the workflow's deletion. Only a TTL gives this wait an end, and only a cluster
    /// shows that the workflow has outlived it.
    fn until_deleted(&self) -> Judgement {
        match self.expires_at().filter(|due| self.is_live() && self.is_overdue(Some(*due))) {
            Some(due) => Judgement::failing(Reason::Overdue)
                .because("metadata.deletionTimestamp", "<none>")
                .because("due to be deleted by spec.ttlStrategy since", self.lasted(due)),
            None => Judgement::covered(When::OnDeletion),
        }
    }

    /// Returns a task result that never completed, if the version waits for it after the phase is final.
    pub(crate) fn incomplete_result(&self) -> Option<(&'a String, &'a bool)> {
        let waits = self.version.is_none_or(|version| version >= GATED && version < Version(3, 5, 6));
        let results = &self.workflow.status.task_results_completion_status;
        results.iter().find(|(_, complete)| waits && !**complete)
    }

    /// Returns the time since which the controller should have processed the strategy
    /// (`docs/argo-gc.md#readiness`); none if the strategy is not ready.
    pub(crate) fn ready_since(&self, strategy: &Strategy) -> Option<Timestamp> {
        let meta = &self.workflow.metadata;
        let gated = self.version.is_none_or(|version| version >= GATED);
        if gated && !self.workflow.is_terminal() {
            return None;
        }
        let over = self.over_since();
        let completed = *strategy == Strategy::OnWorkflowCompletion
            && (self.workflow.is_terminal() || meta.label(names::COMPLETED) == "true");
        match (over.filter(|_| completed), meta.deletion_timestamp) {
            (Some(completed), _) => Some(completed),
            (None, Some(deleted)) if gated => Some(over.map_or(deleted, |end| end.max(deleted))),
            (None, deleted) => deleted,
        }
    }

    /// Returns the time since which the run is over: its end, or that of its last node if it has none or one that is
    /// ahead, else the creation.
    pub(crate) fn over_since(&self) -> Option<Timestamp> {
        let has_passed = |time: &Timestamp| time.duration_since(self.context.now) < CLOCKS;
        let created = self.workflow.metadata.creation_timestamp;
        let last = || {
            let ends = self.workflow.status.nodes.values().filter_map(|node| node.finished_at);
            ends.filter(has_passed).max().map(|end| created.map_or(end, |created| end.max(created)))
        };
        self.workflow.ended().filter(has_passed).or_else(last).or(created)
    }

    /// Returns the time at which the workflow's TTL deletes it; none if it has no TTL, still runs or is deleted.
    pub(crate) fn expires_at(&self) -> Option<Timestamp> {
        let meta = &self.workflow.metadata;
        if meta.deletion_timestamp.is_some() || self.workflow.is_archived_record() {
            return None;
        }
        let seconds = self.workflow.ttl()?.seconds(&self.workflow.status.phase)?;
        self.workflow.ended()?.checked_add(SignedDuration::from_secs(seconds)).ok()
    }

    /// Returns the time after which a GC pod is not merely busy.
    pub(crate) fn patience(&self) -> SignedDuration {
        let artifacts = i32::try_from(self.artifacts).unwrap_or(i32::MAX);
        OVERDUE.saturating_add(EACH.saturating_mul(artifacts))
    }

    /// Returns true if the cluster itself was read, which tells of what is not there any more. Files may be of any age.
    pub(crate) fn is_live(&self) -> bool {
        self.context.related.is_read(RelatedKind::GcPods, &self.workflow.metadata.namespace)
    }

    pub(crate) fn is_past(&self, since: Option<Timestamp>, margin: SignedDuration) -> bool {
        since.is_some_and(|since| self.context.now.duration_since(since) > margin)
    }

    /// Returns true if a collection has waited longer than the controller's interval explains.
    pub(crate) fn is_overdue(&self, since: Option<Timestamp>) -> bool {
        self.is_past(since, OVERDUE)
    }

    /// Returns the time, and how long ago it was.
    pub(crate) fn lasted(&self, since: Timestamp) -> String {
        let seconds = self.context.now.duration_since(since).as_secs().max(0);
        let (count, unit) = match seconds {
            0..7_200 => (seconds / 60, 'm'),
            7_200..172_800 => (seconds / 3_600, 'h'),
            _ => (seconds / 86_400, 'd'),
        };
        format!("{since}, {count}{unit} ago")
    }
}
