//! Compares a workflow with its state at planning time: a run that changed since keeps its objects.

use argo_gc_core::argo::workflow::Workflow;
use argo_gc_core::plan::planned::PlannedWorkflow;
use jiff::Timestamp;

/// How the workflow differs from the one that was planned for.
pub(crate) fn difference(plan: &PlannedWorkflow, now: &Workflow) -> Option<String> {
    if now.metadata.uid != plan.uid {
        return Some("another workflow has its name now".to_owned());
    }
    disturbed(now, now.status.phase != plan.phase || now.ended() != plan.finished_at)
}

/// How the workflow shows that it ran, or was pinned, since a time at which it was over.
pub fn rerun(workflow: &Workflow, since: Timestamp) -> Option<String> {
    disturbed(workflow, workflow.ended().is_none_or(|end| end > since))
}

pub(crate) fn disturbed(workflow: &Workflow, reran: bool) -> Option<String> {
    if !workflow.is_over() {
        return Some(format!("it is {} again", workflow.status.phase));
    }
    if reran {
        return Some("it ran again".to_owned());
    }
    workflow.metadata.is_pinned().then(|| "it was pinned".to_owned())
}
