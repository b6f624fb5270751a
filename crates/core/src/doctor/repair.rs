//! Builds the repair for each cause: the exact command or YAML.
//!
//! Names come from objects that users write. No command is printed for a name that is not a plain Kubernetes
//! name, because users paste the commands into shells and apply the YAML to clusters.

use crate::argo::gc_role::gc_role;
use crate::argo::names;
use crate::doctor::cause::Cause;
use crate::doctor::members::{GroupMembers, Name, NamedObject};
use crate::doctor::symptom::Account;
use crate::model::context::Context;
use serde::Serialize;
use std::collections::BTreeMap;

/// The most names in one command.
const NAMES: usize = 20;

/// A purge as a step of a repair. Its caller words the command.
#[derive(Debug)]
pub struct PurgeStep<'a> {
    pub namespace: &'a str,
    pub workflows: &'a [&'a str],
    /// True if the finalizers are removed as well.
    pub release_finalizers: bool,
}

/// Words the command of a purge.
pub type PurgeCommand<'a> = &'a dyn Fn(&PurgeStep<'_>) -> String;

/// One step of a repair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Repair {
    /// The description of the step.
    pub what: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub yaml: Option<String>,
    /// True if the YAML is whole objects for `kubectl apply -f -`; else it is a part of a workflow's spec.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub apply: bool,
}

impl Repair {
    fn say(what: impl Into<String>) -> Self {
        Self { what: what.into(), commands: Vec::new(), yaml: None, apply: false }
    }

    fn run(mut self, commands: impl IntoIterator<Item = String>) -> Self {
        self.commands.extend(commands);
        self
    }

    fn yaml(mut self, yaml: String) -> Self {
        self.yaml = Some(yaml);
        self
    }

    fn apply(mut self, yaml: String) -> Self {
        self.apply = true;
        self.yaml(yaml)
    }
}

/// Returns the steps that fix a cause for these workflows, in the order to carry them out.
pub(crate) fn of(
    cause: Cause,
    subject: &str,
    members: &GroupMembers,
    context: &Context,
    command: PurgeCommand<'_>,
) -> Vec<Repair> {
    let mut repairs = match cause {
        Cause::NoController => no_controller(subject),
        Cause::FeatureOff => switched_off(context).into_iter().chain(passed_over(members, command)).collect(),
        Cause::Unmanaged => unmanaged(members, context),
        Cause::NeverTakenUp => [labels(members)].into_iter().chain(passed_over(members, command)).collect(),
        Cause::AccountMissing => members.accounts.iter().filter_map(missing_account).collect(),
        Cause::Rights => members.accounts.iter().filter_map(rights).collect(),
        Cause::RightsUnchecked => vec![unchecked(members)],
        Cause::PodUnschedulable => vec![describe("Make room for it, or let it go elsewhere", members)],
        Cause::PodImage => vec![describe("Make the image available, or correct its name", members)],
        Cause::PodPending => vec![describe("See what it waits for", members)],
        Cause::SecretMissing => vec![secret(subject), describe("See which key of it is used", members)],
        Cause::PodOutOfMemory => {
            vec![Repair::say("Give GC pods more memory (v3.5.0+).").yaml(MEMORY.to_owned())]
        }
        Cause::PodHung => vec![hung(members)],
        Cause::StillRuns => vec![end(members)],
        Cause::PodEnded => vec![ended(members)],
        Cause::Sidecar => sidecar(members),
        Cause::PodFailed => vec![logs(members)],
        Cause::InstanceIdLabel => instance_label(&members.detail),
        Cause::WithoutPod | Cause::NotRecorded | Cause::Overdue => vec![controller_log(context)],
        Cause::TaskLeftOver => left_over(members),
        Cause::OtherFinalizer => other_finalizer(subject, members),
        other => advice(other, subject).map(Repair::say).into_iter().collect(),
    };
    // If the pod or the controller continues by itself after the repair, nothing needs to be purged.
    let heals = matches!(
        cause,
        Cause::NoController
            | Cause::FeatureOff
            | Cause::Unmanaged
            | Cause::NeverTakenUp
            | Cause::PodUnschedulable
            | Cause::PodImage
            | Cause::PodPending
            | Cause::SecretMissing
            | Cause::RightsUnchecked
            | Cause::TaskLeftOver
            | Cause::OtherFinalizer
            | Cause::ParallelismHeld
            | Cause::Unseen
    );
    let stuck = members.workflows.iter().filter(|(_, stuck)| **stuck).map(|(name, _)| name);
    if !heals {
        repairs.extend(purge(stuck, command));
    }
    repairs
}

/// Returns the step for causes whose step is a sentence; none if nothing but a purge helps.
fn advice(cause: Cause, subject: &str) -> Option<&'static str> {
    Some(match cause {
        Cause::ControllerVersion => "Upgrade the controller to v3.4.5 or newer.",
        Cause::AdmissionRefused => {
            "Let GC pods (label workflows.argoproj.io/component=artifact-gc) pass the policy."
        }
        Cause::UnknownStrategy => "Use OnWorkflowCompletion, OnWorkflowDeletion or Never as the strategy.",
        Cause::TaskResults => "Upgrade the controller to v3.5.6 or newer.",
        Cause::ForcedWithoutPod => {
            "Leave forceFinalizerRemoval out where a run may end without any artifact."
        }
        Cause::NothingToCollect => "Upgrade the controller to v3.5.11, v3.6.0 or newer.",
        Cause::InlineTemplates => "Lift the inline templates into named ones.",
        Cause::BatchAbort => "Upgrade the controller to v3.5.12, v3.6.0 or newer.",
        Cause::Foreground => "Delete workflows with --cascade=background, the default.",
        Cause::Unseen => "Inspect with leave to read pods and workflowartifactgctasks.",
        Cause::ParallelismHeld => {
            "Settle what holds them, as above: each finalizer that is removed frees a slot."
        }
        Cause::DeleteFails if subject == "azure-missing" => {
            "Upgrade the controller to v3.4.8, v3.5.0 or newer."
        }
        _ => return None,
    })
}

/// Returns the step that deletes the objects of the stuck workflows, verifies it, and releases their
/// finalizers.
fn purge<'a>(workflows: impl Iterator<Item = &'a Name>, command: PurgeCommand<'_>) -> Option<Repair> {
    let commands = purge_commands(workflows, true, command);
    let what = "Delete what is left, see that it is gone, and release the finalizers:";
    (!commands.is_empty()).then(|| Repair::say(what).run(commands))
}

/// Returns the step for workflows that completed without the finalizer, which no controller will look at again.
fn passed_over(members: &GroupMembers, command: PurgeCommand<'_>) -> Option<Repair> {
    let without = members.workflows.iter().filter(|(_, stuck)| !**stuck).map(|(name, _)| name);
    let commands = purge_commands(without, false, command);
    let what = "Those that completed without the finalizer are not looked at again; delete what they left:";
    (!commands.is_empty()).then(|| Repair::say(what).run(commands))
}

fn purge_commands<'a>(
    workflows: impl Iterator<Item = &'a Name>,
    release_finalizers: bool,
    command: PurgeCommand<'_>,
) -> Vec<String> {
    let mut by_namespace: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for Name { namespace, name } in
        workflows.filter(|Name { namespace, name }| is_plain(namespace) && is_plain(name))
    {
        by_namespace.entry(namespace).or_default().push(name);
    }
    let commands = by_namespace.into_iter().flat_map(|(namespace, names)| {
        let step = |workflows| command(&PurgeStep { namespace, workflows, release_finalizers });
        names.chunks(NAMES).map(step).collect::<Vec<_>>()
    });
    commands.collect()
}

fn no_controller(subject: &str) -> Vec<Repair> {
    let scale = subject.split_once('/').filter(|(namespace, name)| is_plain(namespace) && is_plain(name));
    vec![match scale {
        Some((namespace, name)) => {
            let command = format!("kubectl scale -n {namespace} deployment/{name} --replicas=1");
            Repair::say("Start the controller:").run([command])
        }
        None => Repair::say("Install a controller, or purge by hand and release the finalizers."),
    }]
}

fn switched_off(context: &Context) -> Vec<Repair> {
    let off = context.controllers.seen.iter().filter(|controller| controller.gc_enabled == Some(false));
    let off = off.filter(|controller| is_plain(&controller.namespace) && is_plain(&controller.name));
    let commands: Vec<String> = off
        .map(|controller| {
            let (namespace, name) = (&controller.namespace, &controller.name);
            format!("kubectl set env -n {namespace} deployment/{name} ARGO_ARTIFACT_GC_ENABLED-")
        })
        .collect();
    let what = match commands.is_empty() {
        true => "See that no controller has ARGO_ARTIFACT_GC_ENABLED=false in its environment any more.",
        false => "Take the switch out of the controller's environment:",
    };
    vec![Repair::say(what).run(commands)]
}

/// With a single controller it is clear which instance ID a workflow should have.
fn unmanaged(members: &GroupMembers, context: &Context) -> Vec<Repair> {
    let [controller] = context.controllers.seen.as_slice() else {
        return vec![Repair::say(
            "Give the workflows the instance ID of a controller that serves their namespace.",
        )];
    };
    let Some(id) = controller.instance_id.as_deref().filter(|id| id.is_empty() || is_plain(id)) else {
        return vec![Repair::say("Give the workflows the controller's instance ID.")];
    };
    let label = match id {
        "" => format!("{}-", names::INSTANCE_ID),
        id => format!("{}={id} --overwrite", names::INSTANCE_ID),
    };
    let plain = members.workflows.keys().filter(|name| is_plain(&name.namespace) && is_plain(&name.name));
    let commands = plain.map(|Name { namespace, name }| {
        format!("kubectl label workflows.argoproj.io -n {namespace} {name} {label}")
    });
    vec![Repair::say("Give the workflows the controller's instance ID:").run(commands)]
}

fn labels(members: &GroupMembers) -> Repair {
    let mut plain = members.workflows.keys().filter(|name| is_plain(&name.namespace) && is_plain(&name.name));
    let first = plain.next().map(|Name { namespace, name }| {
        format!("kubectl get workflows.argoproj.io -n {namespace} {name} --show-labels")
    });
    let what = "Compare their instance ID and namespace with the controllers', and see ARGO_ARTIFACT_GC_ENABLED there:";
    Repair::say(what).run(first)
}

fn missing_account(account: &Account) -> Option<Repair> {
    let Account { namespace, name } = account;
    let role = role(account)?;
    let yaml = format!(
        "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: {name}\n  namespace: {namespace}\n---\n{role}"
    );
    let what = format!(
        "Create {name} in {namespace} with the permissions of a GC pod, or name another in artifactGC:"
    );
    Some(Repair::say(what).apply(yaml))
}

fn rights(account: &Account) -> Option<Repair> {
    let Account { namespace, name } = account;
    Some(Repair::say(format!("Grant {name} in {namespace} what a GC pod needs:")).apply(role(account)?))
}

/// The permissions of a GC pod, bound to an account.
fn role(Account { namespace, name }: &Account) -> Option<String> {
    (is_plain(namespace) && is_plain(name)).then(|| {
        format!(gc_role!("{namespace}", "artifact-gc-{name}", "{name}"), namespace = namespace, name = name)
    })
}

fn unchecked(members: &GroupMembers) -> Repair {
    let plain =
        members.accounts.iter().filter(|account| is_plain(&account.namespace) && is_plain(&account.name));
    let commands = plain.take(NAMES).flat_map(|Account { namespace, name }| {
        let can_i = |what: &str| {
            format!("kubectl auth can-i {what} -n {namespace} --as system:serviceaccount:{namespace}:{name}")
        };
        [
            can_i("list workflowartifactgctasks.argoproj.io"),
            can_i("watch workflowartifactgctasks.argoproj.io"),
            can_i("patch workflowartifactgctasks.argoproj.io --subresource=status"),
        ]
    });
    Repair::say("Ask as someone who may create subjectaccessreviews, or may impersonate:").run(commands)
}

fn describe(what: &str, members: &GroupMembers) -> Repair {
    let commands =
        objects(members).map(|(namespace, pod)| format!("kubectl describe pod -n {namespace} {pod}"));
    Repair::say(format!("{what}; GC then continues by itself:")).run(commands.take(1))
}

fn hung(members: &GroupMembers) -> Repair {
    let commands = objects(members).take(1).flat_map(|(namespace, pod)| {
        [
            format!("kubectl logs -n {namespace} {pod} -c main --tail=20"),
            format!("kubectl delete pod -n {namespace} {pod}"),
        ]
    });
    Repair::say("See what it does, and if that is nothing, delete it (by force if its node is gone):")
        .run(commands)
}

fn end(members: &GroupMembers) -> Repair {
    let plain = members.workflows.keys().filter(|name| is_plain(&name.namespace) && is_plain(&name.name));
    let commands = plain.take(NAMES).map(|Name { namespace, name }| {
        format!(
            "kubectl patch workflows.argoproj.io -n {namespace} {name} --type=merge -p \
             '{{\"spec\":{{\"shutdown\":\"Terminate\"}}}}'"
        )
    });
    Repair::say("Wait for its end, or end it; GC follows:").run(commands)
}

fn ended(members: &GroupMembers) -> Repair {
    let commands = objects(members).take(1).flat_map(|(namespace, pod)| {
        [
            format!("kubectl logs -n {namespace} {pod} -c main"),
            format!("kubectl get workflowartifactgctasks.argoproj.io -n {namespace} {pod}-0 -o yaml"),
        ]
    });
    Repair::say("Read the log of its pod and the status of its task, as long as they are there:")
        .run(commands)
}

fn secret(subject: &str) -> Repair {
    let plain = subject.split_once('/').filter(|(namespace, name)| is_plain(namespace) && is_plain(name));
    let what =
        format!("Create the secret {subject} with the keys that the repository's configuration names.");
    let seen = plain.map(|(namespace, name)| format!("kubectl get secret -n {namespace} {name}"));
    Repair::say(what).run(seen)
}

fn logs(members: &GroupMembers) -> Repair {
    let commands =
        objects(members).map(|(namespace, pod)| format!("kubectl logs -n {namespace} {pod} -c main"));
    Repair::say("Read the pod's log, as long as there is one, and fix the cause.").run(commands.take(1))
}

fn controller_log(context: &Context) -> Repair {
    let plain =
        context.controllers.seen.iter().filter(|seen| is_plain(&seen.namespace) && is_plain(&seen.name));
    let commands = plain.map(|controller| {
        format!("kubectl logs -n {} deployment/{} --since=24h", controller.namespace, controller.name)
    });
    Repair::say("Look for \"failed to GC artifacts\" in the controller's log.").run(commands)
}

fn sidecar(members: &GroupMembers) -> Vec<Repair> {
    let annotation = match members.detail.as_str() {
        "istio-proxy" => Some("sidecar.istio.io/inject: \"false\""),
        "linkerd-proxy" => Some("linkerd.io/inject: disabled"),
        _ => None,
    };
    let mut repairs = Vec::new();
    if members.detail == "istio-proxy" {
        let commands = objects(members).map(|(namespace, pod)| {
            format!(
                "kubectl exec -n {namespace} {pod} -c istio-proxy -- pilot-agent request POST quitquitquit"
            )
        });
        repairs.push(Repair::say("Let the present pods end; GC then continues by itself:").run(commands));
    }
    repairs.push(match annotation {
        Some(annotation) => Repair::say("Keep the sidecar out of GC pods:").yaml(format!(
            "spec:\n  artifactGC:\n    podMetadata:\n      annotations:\n        {annotation}\n"
        )),
        None => Repair::say(
            "Keep the sidecar out of GC pods, by artifactGC.podMetadata or its injector's settings.",
        ),
    });
    repairs
}

fn instance_label(id: &str) -> Vec<Repair> {
    let what = "Put the label on GC pods that the controller looks for:";
    match is_plain(id) {
        true => vec![Repair::say(what).yaml(format!(
            "spec:\n  artifactGC:\n    podMetadata:\n      labels:\n        {}: \"{id}\"\n",
            names::INSTANCE_ID
        ))],
        false => vec![Repair::say(format!("Set artifactGC.podMetadata.labels[{}].", names::INSTANCE_ID))],
    }
}

fn left_over(members: &GroupMembers) -> Vec<Repair> {
    let commands = objects(members).map(|(namespace, task)| {
        format!("kubectl delete workflowartifactgctasks.argoproj.io -n {namespace} {task}")
    });
    vec![Repair::say("See to what its spec names (inspect, orphans), then delete it:").run(commands)]
}

/// Returns the step that removes another finalizer, with a patch that fails if the finalizer is no longer at
/// its index.
fn other_finalizer(finalizer: &str, members: &GroupMembers) -> Vec<Repair> {
    if matches!(finalizer, "foregroundDeletion" | "orphan") {
        return vec![Repair::say(
            "Kubernetes itself takes it off, once all that the workflow owns is settled.",
        )];
    }
    let what = "Ask who put it there. Only where nobody will take it off any more:";
    if !finalizer.chars().all(|c| c.is_ascii_alphanumeric() || "-._/".contains(c)) {
        return vec![Repair::say(what)];
    }
    let plain =
        members.objects.iter().filter(|named| is_plain(&named.namespace) && is_plain(&named.workflow));
    let commands = plain.map(|NamedObject { namespace, workflow, object: at }| {
        format!(
            "kubectl patch workflows.argoproj.io -n {namespace} {workflow} --type=json -p \
             '[{{\"op\":\"test\",\"path\":\"/metadata/finalizers/{at}\",\"value\":\"{finalizer}\"}},\
             {{\"op\":\"remove\",\"path\":\"/metadata/finalizers/{at}\"}}]'"
        )
    });
    vec![Repair::say(what).run(commands)]
}

/// Returns namespace and name of the pods or tasks that the repair names.
fn objects(members: &GroupMembers) -> impl Iterator<Item = (&str, &str)> {
    let objects = members.objects.iter().map(|named| (named.namespace.as_str(), named.object.as_str()));
    objects.filter(|(namespace, object)| is_plain(namespace) && is_plain(object))
}

/// Returns true if a name is a plain Kubernetes name, which has the same meaning in a shell, in YAML and in a
/// path. An all-digit name is refused because it would be a number in YAML, as are `true` and similar words.
pub(crate) fn is_plain(name: &str) -> bool {
    let ends = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let number = name.chars().all(|c| c.is_ascii_digit() || ".e".contains(c));
    let word = matches!(name, "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n");
    name.starts_with(ends)
        && name.ends_with(ends)
        && name.chars().all(|c| ends(c) || "-.".contains(c))
        && name.len() <= 253
        && !number
        && !word
}

const MEMORY: &str = "\
spec:
  artifactGC:
    podSpecPatch: |
      containers:
        - name: main
          resources:
            limits:
              memory: 512Mi
";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::members::Name;

    fn words(step: &PurgeStep<'_>) -> String {
        let more = if step.release_finalizers { " --release-finalizer" } else { "" };
        format!("purge {}{more}", step.workflows.join(" "))
    }

    #[test]
    fn odd_names_get_no_command() {
        for odd in
            ["", "-x", "a b", "a;b", "A", "a\nb", "a'b", "$(x)", "true", "123", "1e5", "a:b", "a/b", "a-"]
        {
            assert!(!is_plain(odd), "{odd:?}");
        }
        assert!(is_plain("etl-nightly-1795053600") && is_plain("a.b") && is_plain("default"));
        let odd = Name { namespace: "ml".into(), name: "x; rm".into() };
        assert_eq!(purge([&odd].into_iter(), &words), None);
        assert_eq!(role(&Account::new("ml", "x\nrules: [{apiGroups: ['*']}]")), None);
    }

    #[test]
    fn many_names_take_several_commands() {
        let names: Vec<Name> =
            (0..45).map(|n| Name { namespace: "ml".into(), name: format!("w{n}") }).collect();
        let commands = purge(names.iter(), &words).map(|repair| repair.commands).unwrap_or_default();
        assert_eq!(commands.len(), 3);
        assert!(commands[2].ends_with(" w44 --release-finalizer"), "{commands:?}");
    }
}
