//! Finds the controllers behind a symptom: whether one runs, and whether its account has the permissions that
//! artifact GC needs.

use crate::assess::controller::DEPLOYMENTS;
use crate::doctor::cause::Cause;
use crate::doctor::symptom::Symptom;
use crate::model::assessment::Evidence;
use crate::model::context::{Context, Controller, OfWorkflow};
use crate::reason::Reason;

/// Makes the cause of a symptom more precise by the controllers that may manage its workflow.
pub(crate) fn look(symptom: &mut Symptom, managing: &[&Controller], of: &OfWorkflow, context: &Context) {
    match symptom.cause {
        Cause::Overdue | Cause::NoController => running(symptom, managing, context),
        Cause::ControllerRights | Cause::WithoutPod | Cause::PodLost => {
            rights(symptom, managing, of, context)
        }
        _ => {}
    }
}

/// Says that no controller runs, if that is so.
fn running(symptom: &mut Symptom, managing: &[&Controller], context: &Context) {
    let Some(controller) = managing.first() else {
        if context.controllers.complete {
            symptom.cause = Cause::NoController;
            insert(symptom, Evidence::new(DEPLOYMENTS, "none"));
        }
        return;
    };
    if managing.iter().all(|controller| controller.is_idle()) {
        symptom.cause = Cause::NoController;
        symptom.subject = format!("{}/{}", controller.namespace, controller.name);
        insert(symptom, controller.idleness());
    }
}

/// Says that the accounts of the controllers lack permissions, if that is so of each: it may be why there is no pod.
fn rights(symptom: &mut Symptom, managing: &[&Controller], of: &OfWorkflow, context: &Context) {
    let results = of.tasks.iter().any(|task| !task.status.artifact_results_by_node.is_empty());
    // What has results had its pod, and what is too large is refused whoever makes it.
    if results || symptom.reasons.contains(&Reason::TaskTooLarge) {
        return;
    }
    let rights = |controller: &&Controller| {
        let rights = context.related.controller_rights(controller, &symptom.namespace);
        (rights, controller.account())
    };
    let rights: Vec<_> = managing.iter().map(rights).collect();
    let Some((_, account)) = rights.first() else { return };
    let lacks: Option<Vec<_>> = rights.iter().map(|(rights, account)| rights.refusal(account)).collect();
    let owns: Option<Vec<_>> = rights.iter().map(|(rights, account)| rights.owner_refusal(account)).collect();
    if let Some(evidence) = lacks.and_then(|lacks| lacks.into_iter().next()) {
        symptom.cause = Cause::ControllerRights;
        symptom.subject = account.to_string();
        insert(symptom, evidence);
    } else if let Some(evidence) = owns.and_then(|owns| owns.into_iter().next())
        && !of.tasks.is_empty()
    {
        // The task was made and the pod was not, as where owner references are checked.
        insert(symptom, evidence);
    }
}

/// Puts evidence first, in place of what says the same.
fn insert(symptom: &mut Symptom, evidence: Evidence) {
    symptom.evidence.retain(|other| other.field != evidence.field);
    symptom.evidence.insert(0, evidence);
}
