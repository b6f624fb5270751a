//! Judges an artifact by its GC pod. Each state in which a pod waits, works or has ended unseen is failing after a time.

use crate::argo::artifact::Strategy;
use crate::argo::names;
use crate::argo::related::Pod;
use crate::assess::case::{Case, Judgement};
use crate::assess::records::Record;
use crate::assess::waiting::{OVERDUE, PENDING};
use crate::model::account::Account;
use crate::reason::Reason;
use crate::verdict::When;
use jiff::Timestamp;

impl<'a> Case<'a> {
    /// Judges an artifact that is not recorded as deleted and has a GC pod.
    pub(crate) fn with_pod(&self, pod: &'a Pod, record: &Record<'a>) -> Judgement {
        let name = format!("Pod/{}", pod.metadata.name);
        if is_mislabelled(pod) {
            let field = format!("{name} labels[{}]", names::WRONG_INSTANCE_LABEL);
            return Judgement::failing(Reason::InstanceId).because(field, "set");
        }
        match pod.status.phase.as_str() {
            "Failed" => self.failed(pod),
            "Succeeded" if self.recouped_pod(record).is_some() => self.after_recoup(record),
            phase => self
                .outwaited(pod, &record.strategy)
                .unwrap_or_else(|| Judgement::covered(When::Now).because(name, phase)),
        }
    }

    fn failed(&self, pod: &Pod) -> Judgement {
        let name = format!("Pod/{}", pod.metadata.name);
        if terminated(pod).any(|reason| reason == "OOMKilled") {
            return Judgement::failing(Reason::GcOom).because(name, "OOMKilled");
        }
        let account = Account::new(&self.workflow.metadata.namespace, pod.account());
        let standing = self.context.related.standing(&account);
        let refusal = standing.as_ref().and_then(|standing| standing.refusal(&account));
        if is_refused_its_tasks(pod) {
            let judgement = Judgement::failing(Reason::GcRbac).because(name, describe(pod));
            return match standing.and_then(|standing| standing.permission(&account)) {
                Some(granted) => judgement.because(granted.field, granted.value),
                None => judgement,
            };
        }
        match refusal {
            Some(denied) => Judgement::failing(Reason::GcRbac).because(denied.field, denied.value),
            None => Judgement::failing(Reason::GcPodFailed).because(name, describe(pod)),
        }
    }

    /// Returns the verdict on a GC pod that has been in its state for longer than that takes; none while it may be in
    /// progress.
    pub(crate) fn outwaited(&self, pod: &Pod, strategy: &Strategy) -> Option<Judgement> {
        let name = &pod.metadata.name;
        let made = pod.metadata.creation_timestamp.or_else(|| self.ready_since(strategy));
        let ended = pod.main_ended().and_then(|end| end.finished_at);
        let (reason, since, limit) = match pod.status.phase.as_str() {
            "Succeeded" | "Failed" => (Reason::NotRecouped, ended.or(made), OVERDUE),
            _ if pod.metadata.deletion_timestamp.is_some() => {
                (Reason::GcPodHung, pod.metadata.deletion_timestamp, PENDING)
            }
            "Running" if pod.holder().is_some() => {
                let held = self.is_past(ended.or(made), PENDING);
                return held.then(|| self.held(pod, ended.or(made)));
            }
            "Running" => (Reason::GcPodHung, made, self.patience()),
            "Unknown" => (Reason::GcPodHung, pod.unready_since().or(made), PENDING),
            // The phase is empty until the cluster has seen the pod.
            _ => (Reason::GcPodPending, made, PENDING),
        };
        let since = since.filter(|since| self.is_past(Some(*since), limit))?;
        let terminating = match pod.metadata.deletion_timestamp {
            Some(_) if reason == Reason::GcPodHung => " and Terminating: its node may be gone",
            _ => "",
        };
        Some(
            Judgement::failing(reason)
                .because(format!("Pod/{name}"), format!("{}{terminating}", describe(pod)))
                .because(format!("Pod/{name} since"), self.lasted(since)),
        )
    }

    fn held(&self, pod: &Pod, since: Option<Timestamp>) -> Judgement {
        let holder = pod.holder().map_or("", |container| &container.name);
        let field = format!("Pod/{}", pod.metadata.name);
        let judgement = Judgement::failing(Reason::GcPodHeld)
            .because(&field, format!("main has ended, {holder} has not"));
        match since {
            Some(since) => judgement.because(format!("{field} since"), self.lasted(since)),
            None => judgement,
        }
    }
}

/// Returns true if the pod carries its controller's instance ID where that controller does not look for it.
pub(crate) fn is_mislabelled(pod: &Pod) -> bool {
    let labels = &pod.metadata.labels;
    labels.contains_key(names::WRONG_INSTANCE_LABEL) && !labels.contains_key(names::INSTANCE_ID)
}

/// Returns true if the pod's last words are that its account may not read or patch its own tasks.
fn is_refused_its_tasks(pod: &Pod) -> bool {
    let states = pod.status.container_statuses.iter().flat_map(|status| [&status.state, &status.last_state]);
    let ends = states.filter_map(|state| state.terminated.as_ref()).map(|end| &end.message);
    ends.chain([&pod.status.message])
        .any(|message| message.contains("workflowartifactgctasks") && message.contains("forbidden"))
}

fn terminated(pod: &Pod) -> impl Iterator<Item = &str> {
    let states = pod.status.container_statuses.iter().flat_map(|status| [&status.state, &status.last_state]);
    states.filter_map(|state| state.terminated.as_ref()).map(|end| end.reason.as_str())
}

/// Returns a pod's phase with its most specific reason and message.
fn describe(pod: &Pod) -> String {
    let status = &pod.status;
    let waiting = status.container_statuses.iter().find_map(|container| container.state.waiting.as_ref());
    let ended = status.container_statuses.iter().find_map(|container| container.state.terminated.as_ref());
    let refused = status
        .conditions
        .iter()
        .find(|condition| condition.status == "False" && !condition.message.is_empty());
    let detail = match (waiting, ended, refused) {
        (Some(waiting), _, _) => format!("{} {}", waiting.reason, waiting.message),
        (None, Some(end), _) => format!("exit code {} {} {}", end.exit_code, end.reason, end.message),
        (None, None, Some(condition)) => format!("{} {}", condition.reason, condition.message),
        _ => format!("{} {}", status.reason, status.message),
    };
    format!("{} {}", status.phase, detail.trim()).trim().to_owned()
}
