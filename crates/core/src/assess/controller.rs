//! Decides if any controller processes the workflow for collection, or if it is too old, switched off, or
//! absent (`docs/argo-gc.md#finalizer`).
//!
//! From v3.4.0 on a controller writes `status.artifactGCStatus` first in every reconciliation, unless artifact
//! GC is switched off. So if the field is absent, the release that ran the workflow was older or the switch was
//! off. A controller that is seen now is no evidence about the one that ran the workflow.

use crate::argo::artifact::Strategy;
use crate::argo::names;
use crate::argo::version::Version;
use crate::assess::case::{Case, Judgement};
use crate::model::assessment::Evidence;
use crate::model::context::Controller;
use crate::reason::Reason;
use crate::verdict::Verdict;

/// The first release with artifact GC.
const COLLECTS: Version = Version(3, 4, 0);

/// The field of the evidence that no controller runs.
pub(crate) const DEPLOYMENTS: &str = "Deployments that run a workflow-controller for the namespace";

impl<'a> Case<'a> {
    /// Returns the verdict if no controller has processed the workflow or none will continue; none if there is
    /// no evidence for that.
    pub(crate) fn not_taken_up(&self) -> Option<Judgement> {
        let has_status = self.workflow.status.artifact_gc_status.is_some();
        let again = self.is_looked_at_again();
        // The controllers that are seen matter only if something remains to be done.
        if has_status && !self.awaits_processing() {
            return None;
        }
        let absent = |judgement: Judgement| match has_status {
            true => judgement,
            false => judgement.because("status.artifactGCStatus", "<none>"),
        };
        let managers = self.managers();
        let judgement = if self.is_too_old() {
            let judgement = absent(Judgement::uncovered(Reason::ControllerTooOld));
            judgement.because("controller version", self.version_text())
        } else if again && self.is_nobodys() {
            self.unmanaged()
        } else if managers.all_have(Some(false)) {
            absent(Judgement::uncovered(Reason::FeatureOff))
                .because("controller environment ARGO_ARTIFACT_GC_ENABLED", "false")
        } else if has_status {
            return None;
        } else if let Some((field, value)) = self.ran_since_gc()
            && !(again && managers.all_have(Some(true)))
        {
            absent(Judgement::uncovered(Reason::FeatureOff)).because(field, value)
        } else if again {
            absent(Judgement::unknown(Reason::NeverTakenUp)).because("controllers", managers.describe())
        } else {
            absent(Judgement::uncovered(Reason::NeverTakenUp))
                .because(format!("metadata.labels[{}]", names::COMPLETED), "true, and no finalizer")
                .because("controllers", managers.describe())
        };
        Some(judgement)
    }

    /// Returns false for a completed workflow without the finalizer, which a controller never looks at again
    /// (reconciliationNeeded, workflow/controller/controller.go@v4.1.2).
    fn is_looked_at_again(&self) -> bool {
        self.workflow.metadata.label(names::COMPLETED) != "true" || self.workflow.has_gc_finalizer()
    }

    /// Returns true if the finalizer is present but not every strategy has been processed.
    fn awaits_processing(&self) -> bool {
        let asked = [Strategy::OnWorkflowCompletion, Strategy::OnWorkflowDeletion];
        self.workflow.has_gc_finalizer() && asked.iter().any(|strategy| !self.is_processed(strategy))
    }

    fn is_too_old(&self) -> bool {
        let told = self.context.controllers.version.is_some() || self.managers().are_certain;
        told && self.version.is_some_and(|version| version < COLLECTS)
    }

    /// Returns true if every controller of the cluster is seen and none manages this workflow.
    fn is_nobodys(&self) -> bool {
        let controllers = &self.context.controllers;
        controllers.complete && !controllers.seen.is_empty() && self.managers().seen.is_empty()
    }

    /// Returns the verdict on a collection that is still to come if none of the controllers that may manage the workflow
    /// can carry it out; none if one can, or nothing is known of them.
    ///
    /// It is unknown if another controller, which was not seen, may manage the workflow.
    pub(crate) fn carried_out_by_nobody(&self) -> Option<Judgement> {
        let controllers = &self.context.controllers;
        let managers = self.managers();
        let judgement = match managers.seen.first() {
            None if !controllers.seen.is_empty() => self.unmanaged(),
            // Whoever names a controller's version says that there is one.
            None if controllers.complete && controllers.version.is_none() => self.without_controller(),
            None => return None,
            Some(_) => self.all_hindered(&managers)?,
        };
        let is_certain = managers.are_certain;
        Some(if is_certain { judgement } else { Judgement { verdict: Verdict::Unknown, ..judgement } })
    }

    /// Returns the verdict if each controller that may manage the workflow does not run, has artifact GC switched off, or
    /// lacks permissions, or refuses the workflow.
    fn all_hindered(&self, managers: &Managers<'a>) -> Option<Judgement> {
        let hindrances: Option<Vec<_>> =
            managers.seen.iter().map(|controller| self.hindrance(controller)).collect();
        let mut hindrances = hindrances?.into_iter();
        let (mut verdict, reason, first) = hindrances.next()?;
        let mut evidence = vec![first];
        for (other, _, more) in hindrances {
            if other == Verdict::Unknown {
                verdict = other;
            }
            evidence.push(more);
        }
        let judgement = Judgement { evidence, ..Judgement::new(verdict, reason) };
        Some(judgement.because("controllers", managers.describe()))
    }

    /// Returns the reason why a controller will collect nothing, with its verdict and evidence.
    fn hindrance(&self, controller: &Controller) -> Option<(Verdict, Reason, Evidence)> {
        let namespace = &self.workflow.metadata.namespace;
        if controller.is_idle() {
            return Some((Verdict::Failing, Reason::NoController, controller.idleness()));
        }
        if controller.gc_enabled == Some(false) {
            let evidence = Evidence::new("controller environment ARGO_ARTIFACT_GC_ENABLED", "false");
            return Some((Verdict::Uncovered, Reason::FeatureOff, evidence));
        }
        if let Some((verdict, evidence)) = self.refused_by(controller) {
            return Some((verdict, Reason::ReferenceMode, evidence));
        }
        let rights = self.context.related.controller_rights(controller, namespace);
        let refusal = rights.refusal(&controller.account());
        refusal.map(|evidence| (Verdict::Failing, Reason::ControllerRights, evidence))
    }

    fn without_controller(&self) -> Judgement {
        let none = match self.context.controllers.uncounted.as_slice() {
            [] => "none".to_owned(),
            [first, ..] => format!(
                "none whose service account may manage workflows; {}/{} looks like one",
                first.namespace, first.name
            ),
        };
        Judgement::failing(Reason::NoController).because(DEPLOYMENTS, none)
    }

    fn unmanaged(&self) -> Judgement {
        let id = self.workflow.metadata.label(names::INSTANCE_ID);
        let known: Vec<String> = self.context.controllers.seen.iter().map(Controller::describe).collect();
        Judgement::uncovered(Reason::Unmanaged)
            .because(
                format!("metadata.labels[{}]", names::INSTANCE_ID),
                if id.is_empty() { "<none>" } else { id },
            )
            .because("controllers", known.join(", "))
    }

    /// Returns the field and value that show that a release with artifact GC ran the workflow. As
    /// `status.artifactGCStatus` is absent, artifact GC was off in that release.
    ///
    /// Controllers record task results since v3.5.2, and since v3.7.1 in the nodes; they write artifactGCStatus
    /// earlier in the same reconciliation (operate, workflow/controller/operator.go@v3.5.2 and later).
    fn ran_since_gc(&self) -> Option<(&'static str, &'static str)> {
        let status = &self.workflow.status;
        if !status.task_results_completion_status.is_empty() {
            return Some(("status.taskResultsCompletionStatus", "set, as v3.5.2 and newer do"));
        }
        // `argo resubmit --memoized` copies nodes that the controller of another workflow has written.
        let copied = !self.workflow.metadata.label(names::RESUBMITTED_FROM).is_empty();
        let synced = status.nodes.values().any(|node| node.is_pod() && node.task_result_synced.is_some());
        (synced && !copied).then_some(("status.nodes[].taskResultSynced", "set, as v3.7.1 and newer do"))
    }

    pub(crate) fn managers(&self) -> Managers<'a> {
        let meta = &self.workflow.metadata;
        let controllers = &self.context.controllers;
        let seen: Vec<_> = controllers.managing(&meta.namespace, meta.label(names::INSTANCE_ID)).collect();
        let is_known = |controller: &&Controller| controller.instance_id.is_some();
        Managers { are_certain: controllers.complete || seen.iter().any(is_known), seen }
    }
}

/// The controllers that may manage a workflow.
pub(crate) struct Managers<'a> {
    pub seen: Vec<&'a Controller>,
    /// True if the controller that manages the workflow is among them, if there is one: all controllers were
    /// seen, or the instance ID of one is known to match.
    are_certain: bool,
}

impl Managers<'_> {
    /// Returns true if all of them are known to have artifact GC switched like this.
    fn all_have(&self, gc_enabled: Option<bool>) -> bool {
        self.are_certain
            && !self.seen.is_empty()
            && self.seen.iter().all(|controller| controller.gc_enabled == gc_enabled)
    }

    /// Returns the controllers with their switches, as evidence.
    fn describe(&self) -> String {
        if self.seen.is_empty() {
            return "none seen that may manage it".to_owned();
        }
        let told = self.seen.iter().map(|controller| {
            let switch = match controller.gc_enabled {
                Some(true) => "on",
                Some(false) => "off",
                None => "not known",
            };
            let idle = if controller.is_idle() { ", scaled to 0" } else { "" };
            format!("{}, artifact GC {switch}{idle}", controller.describe())
        });
        told.collect::<Vec<_>>().join(", ")
    }
}

impl Controller {
    /// Returns true if it is scaled to 0.
    pub(crate) fn is_idle(&self) -> bool {
        self.replicas == Some(0)
    }

    /// Returns the evidence that it is scaled to 0.
    pub(crate) fn idleness(&self) -> Evidence {
        Evidence::new(format!("Deployment/{} in {} spec.replicas", self.name, self.namespace), "0")
    }

    fn describe(&self) -> String {
        let id = match self.instance_id.as_deref() {
            None => "instance ID unread".to_owned(),
            Some("") => "no instance ID".to_owned(),
            Some(id) => format!("instance ID {id}"),
        };
        match &self.managed_namespace {
            None => format!("{}/{} ({id})", self.namespace, self.name),
            Some(managed) => format!("{}/{} ({id}, namespace {managed} only)", self.namespace, self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::argo::version::Version;
    use crate::argo::workflow::Workflow;
    use crate::assess::assess;
    use crate::model::account::{Action, ControllerRights};
    use crate::model::context::{Context, Controller, Controllers, Related};
    use crate::reason::Reason;
    use crate::verdict::Verdict;
    use serde_json::{Value, json};

    fn workflow(labels: &Value, node: Value) -> Workflow {
        let mut pod = json!({
            "id": "a", "name": "a", "type": "Pod", "phase": "Succeeded", "templateName": "t",
            "startedAt": "2026-11-20T02:00:00Z",
            "outputs": { "artifacts": [{ "name": "model", "gcs": { "bucket": "b", "key": "a/a/model.tgz" } }] },
        });
        pod.as_object_mut().unwrap().extend(node.as_object().unwrap().clone());
        let workflow = json!({
            "metadata": { "name": "a", "namespace": "ml", "labels": labels },
            "spec": { "artifactGC": { "strategy": "OnWorkflowDeletion" } },
            "status": { "phase": "Succeeded", "nodes": { "a": pod } },
        });
        serde_json::from_value(workflow).unwrap()
    }

    fn controller(instance_id: Option<&str>, gc_enabled: Option<bool>) -> Controller {
        Controller { instance_id: instance_id.map(str::to_owned), gc_enabled, ..Controller::default() }
    }

    fn told(mut workflow: Workflow, seen: Vec<Controller>, complete: bool) -> (Verdict, Option<Reason>) {
        let controllers = Controllers { seen, complete, ..Controllers::default() };
        let now = "2026-11-20T12:00:00Z".parse().unwrap();
        let context = Context { now, controllers, related: Related::default() };
        let assessment = assess(&mut workflow, &context);
        (assessment.artifacts[0].verdict, assessment.artifacts[0].reason)
    }

    const OFF: (Verdict, Option<Reason>) = (Verdict::Uncovered, Some(Reason::FeatureOff));
    const NEVER: (Verdict, Option<Reason>) = (Verdict::Uncovered, Some(Reason::NeverTakenUp));
    const OPEN: (Verdict, Option<Reason>) = (Verdict::Unknown, Some(Reason::NeverTakenUp));

    #[test]
    fn a_switch_counts_only_in_a_controller_that_is_known_to_manage_it() {
        let done = || workflow(&json!({ "workflows.argoproj.io/completed": "true" }), json!({}));
        let off = |id| controller(id, Some(false));
        assert_eq!(told(done(), vec![off(Some(""))], false), OFF);
        // The controller's ConfigMap could not be read, and there may be other controllers.
        assert_eq!(told(done(), vec![off(None)], false), NEVER);
        assert_eq!(told(done(), vec![off(None)], true), OFF);
        // One of two controllers has it on, or may have it on.
        assert_eq!(told(done(), vec![off(None), controller(None, Some(true))], true), NEVER);
        assert_eq!(told(done(), vec![off(None), controller(None, None)], true), NEVER);
        // No controller manages the workflow now, but that is not the cause.
        assert_eq!(told(done(), vec![off(Some("prod"))], true), NEVER);
    }

    #[test]
    fn what_is_looked_at_again_stays_open() {
        let running = || workflow(&json!({}), json!({}));
        assert_eq!(told(running(), vec![controller(Some(""), Some(true))], true), OPEN);
        assert_eq!(told(running(), Vec::new(), false), OPEN);
        let nobodys = (Verdict::Uncovered, Some(Reason::Unmanaged));
        assert_eq!(told(running(), vec![controller(Some("prod"), Some(true))], true), nobodys);
        assert_eq!(told(running(), vec![controller(Some("prod"), Some(true))], false), OPEN);
    }

    #[test]
    fn task_results_show_that_it_was_off() {
        let synced = || json!({ "taskResultSynced": true });
        assert_eq!(told(workflow(&json!({}), synced()), Vec::new(), false), OFF);
        let completed = json!({ "workflows.argoproj.io/completed": "true" });
        let on = || vec![controller(Some(""), Some(true))];
        assert_eq!(told(workflow(&completed, synced()), on(), true), OFF);
        // Artifact GC is on again, so the next reconciliation may process the workflow.
        assert_eq!(told(workflow(&json!({}), synced()), on(), true), OPEN);
        // A copied node is no evidence.
        let copied = json!({
            "workflows.argoproj.io/completed": "true", "workflows.argoproj.io/resubmitted-from-workflow": "z",
        });
        assert_eq!(told(workflow(&copied, synced()), on(), true), NEVER);
        let old: Controller = Controller { version: Some(Version(3, 3, 10)), ..controller(Some(""), None) };
        let too_old = (Verdict::Uncovered, Some(Reason::ControllerTooOld));
        assert_eq!(told(workflow(&completed, json!({})), vec![old], false), too_old);
    }

    /// A workflow whose collection is still to come.
    fn covered() -> Workflow {
        let mut workflow = workflow(&json!({ "workflows.argoproj.io/completed": "true" }), json!({}));
        workflow.metadata.finalizers.push("workflows.argoproj.io/artifact-gc".to_owned());
        workflow.status.artifact_gc_status = Some(serde_json::from_value(json!({})).unwrap());
        workflow
    }

    const COVERED: (Verdict, Option<Reason>) = (Verdict::Covered, None);

    #[test]
    fn what_nobody_will_carry_out_is_not_covered() {
        fn on(id: Option<&str>) -> Controller {
            controller(id, Some(true))
        }
        fn off_for(id: Option<&str>) -> Controller {
            controller(id, Some(false))
        }
        fn idle(id: Option<&str>) -> Controller {
            Controller { replicas: Some(0), ..on(id) }
        }
        fn lacks(id: Option<&str>) -> Controller {
            let rights =
                ControllerRights { lacks: vec![Action::OF_CONTROLLER[0]], ..ControllerRights::default() };
            Controller { rights: Some(rights), ..on(id) }
        }
        type Seen = fn(Option<&str>) -> Controller;
        let off = (Verdict::Uncovered, Some(Reason::FeatureOff));
        let none = (Verdict::Failing, Some(Reason::NoController));
        let rights = (Verdict::Failing, Some(Reason::ControllerRights));
        let unmanaged = (Verdict::Uncovered, Some(Reason::Unmanaged));
        let unknown = |(_, reason): (Verdict, Option<Reason>)| (Verdict::Unknown, reason);
        assert_eq!(told(covered(), vec![on(Some(""))], true), COVERED);
        for (seen, expected) in [(idle as Seen, none), (lacks, rights), (off_for, off)] {
            assert_eq!(told(covered(), vec![seen(Some(""))], true), expected);
            assert_eq!(told(covered(), vec![seen(Some(""))], false), expected);
            // It may manage another instance, and one that was not seen this one.
            assert_eq!(told(covered(), vec![seen(None)], true), expected);
            assert_eq!(told(covered(), vec![seen(None)], false), unknown(expected));
            // One that can suffices.
            assert_eq!(told(covered(), vec![seen(Some("")), on(Some(""))], true), COVERED);
        }
        assert_eq!(told(covered(), vec![on(Some("blue"))], true), unmanaged);
        assert_eq!(told(covered(), vec![on(Some("blue"))], false), unknown(unmanaged));
        // No Deployment runs a controller; that none could be read shows nothing.
        assert_eq!(told(covered(), Vec::new(), true), none);
        assert_eq!(told(covered(), Vec::new(), false), COVERED);
    }
}
