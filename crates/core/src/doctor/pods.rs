//! Finds the causes behind "pending", "failed" and "gone" in the GC pods and the events about them.

use crate::argo::related::{Event, Pod};
use crate::doctor::cause::Cause;
use crate::model::assessment::Evidence;
use crate::model::context::OfWorkflow;

/// A more precise cause than the assessment's, with its evidence.
pub(crate) struct Closer {
    pub cause: Cause,
    /// The particular subject: a secret's name.
    pub subject: String,
    pub evidence: Option<Evidence>,
}

/// Returns a more precise cause for one that concerns pods; none if there is no further evidence.
pub(crate) fn closer(cause: Cause, pod: Option<&Pod>, of: &OfWorkflow) -> Option<Closer> {
    match (cause, pod) {
        (Cause::PodPending, Some(pod)) => Some(pending(pod, of)),
        (Cause::PodFailed, Some(pod)) => {
            let secret = missing_secret(&pod.status.message)?;
            let evidence = Evidence::new(format!("Pod/{}", pod.metadata.name), &pod.status.message);
            Some(Closer { cause: Cause::SecretMissing, subject: secret.to_owned(), evidence: Some(evidence) })
        }
        (Cause::PodLost | Cause::WithoutPod | Cause::Overdue, None) => {
            let event = of.pod_events.iter().find(|event| is_refusal(event))?;
            let evidence = Some(told(event));
            Some(Closer { cause: Cause::AdmissionRefused, subject: String::new(), evidence })
        }
        _ => None,
    }
}

/// Returns the cause why a pod is Pending, from its own status first, then from the events of scheduler and
/// kubelet.
fn pending(pod: &Pod, of: &OfWorkflow) -> Closer {
    let field = format!("Pod/{}", pod.metadata.name);
    let plain = |cause, evidence| Closer { cause, subject: String::new(), evidence: Some(evidence) };
    let unscheduled = pod.status.conditions.iter().find(|condition| {
        condition.kind == "PodScheduled" && condition.status == "False" && condition.reason == "Unschedulable"
    });
    if let Some(condition) = unscheduled {
        return plain(Cause::PodUnschedulable, Evidence::new(field, &condition.message));
    }
    for container in &pod.status.container_statuses {
        let Some(waiting) = &container.state.waiting else { continue };
        let evidence = Evidence::new(field.clone(), format!("{}: {}", waiting.reason, waiting.message));
        if let Some(secret) = missing_secret(&waiting.message) {
            let subject = secret.to_owned();
            return Closer { cause: Cause::SecretMissing, subject, evidence: Some(evidence) };
        }
        if waiting.reason.contains("Image") {
            return plain(Cause::PodImage, evidence);
        }
    }
    let own = || of.pod_events.iter().filter(|event| event.involved_object.name == pod.metadata.name);
    if let Some((secret, event)) = own().find_map(|event| Some((missing_secret(&event.message)?, event))) {
        let evidence = Some(told(event));
        return Closer { cause: Cause::SecretMissing, subject: secret.to_owned(), evidence };
    }
    match own().find(|event| event.reason == "FailedScheduling") {
        Some(event) => plain(Cause::PodUnschedulable, told(event)),
        None => Closer { cause: Cause::PodPending, subject: String::new(), evidence: None },
    }
}

/// Returns the name of the secret that the kubelet reports as missing: `secret "my-cred" not found`.
fn missing_secret(message: &str) -> Option<&str> {
    let (before, _) = message.split_once("\" not found")?;
    let (before, name) = before.rsplit_once('"')?;
    before.trim_end().ends_with("secret").then_some(name)
}

/// Returns true if a policy engine, webhook or quota reports that it refused the pod.
fn is_refusal(event: &Event) -> bool {
    let message = event.message.to_ascii_lowercase();
    matches!(event.reason.as_str(), "FailedAdmission" | "PolicyViolation" | "FailedCreate")
        || ["denied the request", "admission webhook", "exceeded quota", "is forbidden"]
            .iter()
            .any(|sign| message.contains(sign))
}

fn told(event: &Event) -> Evidence {
    Evidence::new(format!("Event/{}", event.metadata.name), format!("{}: {}", event.reason, event.message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_kubelets_words() {
        let mount = r#"MountVolume.SetUp failed for volume "my-cred" : secret "my-cred-2" not found"#;
        assert_eq!(missing_secret(mount), Some("my-cred-2"));
        assert_eq!(missing_secret(r#"secret "s3-cred" not found"#), Some("s3-cred"));
        assert_eq!(missing_secret(r#"configmap "x" not found"#), None);
        assert_eq!(missing_secret("not found"), None);
    }
}
