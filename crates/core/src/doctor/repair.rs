//! Builds the repair for each cause: the exact command or YAML.

use crate::argo::gc_role::{controller_role, gc_role};
use crate::argo::names;
use crate::doctor::cause::Cause;
use crate::doctor::members::{GroupMembers, Name, NamedObject};
use crate::doctor::purges::{Purges, by_namespace, passed_over, purge};
use crate::doctor::step::{NAMES, Repair, is_plain};
use crate::model::account::Account;
use crate::model::context::Context;
use crate::reason::Reason;
use std::collections::BTreeMap;

/// The subject of artifacts whose bucket was made of a variable that nothing shows.
pub(crate) const UNTOLD: &str = "param-archive-location, bucket unknown";

/// Returns true if no purge releases the finalizers of these artifacts, so that a patch has to. It keeps the finalizer of
/// what it can't ask for: it doesn't know the bucket, or asks none of the storages that Argo has no delete for.
pub(crate) fn needs_patch(subject: &str) -> bool {
    subject == UNTOLD || subject == Reason::UnsupportedDriver.code()
}

/// Returns true if the pod or the controller continues by itself after the repair, so that nothing needs to be purged.
fn heals(cause: Cause) -> bool {
    matches!(
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
    )
}

/// Returns the steps that fix a cause for these workflows, in the order to carry them out.
pub(crate) fn of(
    cause: Cause,
    subject: &str,
    members: &GroupMembers,
    context: &Context,
    purges: Purges<'_>,
) -> Vec<Repair> {
    let mut repairs = match cause {
        Cause::NoController => no_controller(subject),
        Cause::FeatureOff => switched_off(context).into_iter().chain(passed_over(members, purges)).collect(),
        Cause::Unmanaged => unmanaged(members, context),
        Cause::NeverTakenUp => [labels(members)].into_iter().chain(passed_over(members, purges)).collect(),
        Cause::AccountMissing => members.accounts.iter().filter_map(missing_account).collect(),
        Cause::Rights => members.accounts.iter().filter_map(rights).collect(),
        Cause::ControllerRights => controller_rights(subject, context).into_iter().collect(),
        Cause::RightsUnchecked => vec![unchecked(members)],
        Cause::PodUnschedulable => vec![describe("Make room for it, or let it run elsewhere", members)],
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
        Cause::PodLost => refused(members, context),
        Cause::DeleteFails if subject == UNTOLD => vec![by_hand(members)],
        Cause::DeleteFails if subject == Reason::UnsupportedDriver.code() => vec![elsewhere(members)],
        other => advice(other, subject).map(Repair::say).into_iter().collect(),
    };
    if !heals(cause) && !needs_patch(subject) {
        repairs.extend(purge(members, purges));
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
        Cause::ReferenceMode => {
            "Put the WorkflowTemplate back as it was, or lift workflowRestrictions.templateReferencing until these are gone."
        }
        Cause::UnknownStrategy => "Use OnWorkflowCompletion, OnWorkflowDeletion or Never as the strategy.",
        Cause::TaskResults => "Upgrade the controller to v3.5.6 or newer.",
        Cause::ForcedWithoutPod => "Leave forceFinalizerRemoval out if a run may end without any artifact.",
        Cause::NothingToCollect => "Upgrade the controller to v3.5.11, v3.6.0 or newer.",
        Cause::InlineTemplates => "Move the inline templates to named ones.",
        Cause::BatchAbort => "Upgrade the controller to v3.5.12, v3.6.0 or newer.",
        Cause::Foreground => "Delete workflows with --cascade=background, the default.",
        Cause::Unseen => "Inspect with permission to read pods and workflowartifactgctasks.",
        Cause::ParallelismHeld => {
            "Fix what holds them, as above: each finalizer that is removed frees a slot."
        }
        Cause::DeleteFails if subject == "azure-missing" => {
            "Upgrade the controller to v3.4.8, v3.5.0 or newer."
        }
        _ => return None,
    })
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
        true => {
            "Make sure that no controller has ARGO_ARTIFACT_GC_ENABLED=false in its environment any more."
        }
        false => {
            "Remove the switch from the controller's environment, and from the manifest or chart that it is deployed by:"
        }
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
    let commands = by_namespace(members.workflows.keys()).into_iter().flat_map(|(namespace, names)| {
        let label = |names: &[&str]| {
            format!("kubectl label workflows.argoproj.io -n {namespace} {} {label}", names.join(" "))
        };
        names.chunks(NAMES).map(label).collect::<Vec<_>>()
    });
    vec![Repair::say("Give the workflows the controller's instance ID:").run(commands)]
}

fn labels(members: &GroupMembers) -> Repair {
    let first = members.workflows.keys().find(|name| name.is_plain()).map(|Name { namespace, name }| {
        format!("kubectl get workflows.argoproj.io -n {namespace} {name} --show-labels")
    });
    let what = "Compare their instance ID and namespace with the controllers', and check \
                ARGO_ARTIFACT_GC_ENABLED there:";
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

/// The permissions of a controller's account, in all namespaces or in the one that it manages.
fn controller_rights(subject: &str, context: &Context) -> Option<Repair> {
    let mut seen = context.controllers.seen.iter();
    let controller = seen.find(|controller| controller.account().to_string() == subject)?;
    let Account { namespace, name } = controller.account();
    if !is_plain(&namespace) || !is_plain(&name) {
        return None;
    }
    let yaml = format!(
        controller_role!("artifact-gc-{namespace}-{name}", "{namespace}", "{name}"),
        namespace = namespace,
        name = name
    );
    let within = controller.managed_namespace.as_ref().or(controller.within.as_ref());
    let yaml = match within.filter(|within| is_plain(within)) {
        None => yaml,
        Some(within) => yaml
            .replace("ClusterRole", "Role")
            .replace("\nmetadata:\n", &format!("\nmetadata:\n  namespace: {within}\n")),
    };
    Some(
        Repair::say(format!("Grant {name} in {namespace} what artifact GC needs of a controller:"))
            .apply(yaml),
    )
}

/// Steps for a task without its pod: what refused the pod, and the permission that owner checks need.
fn refused(members: &GroupMembers, context: &Context) -> Vec<Repair> {
    let mut repairs = vec![controller_log(context)];
    let namespace = members.workflows.keys().next().map_or("", |name| name.namespace.as_str());
    let lacks = context.controllers.seen.iter().find(|controller| {
        let rights = context.related.controller_rights(controller, namespace);
        rights.owner_refusal(&controller.account()).is_some()
    });
    repairs.extend(lacks.and_then(|controller| {
        let grant = controller_rights(&controller.account().to_string(), context)?;
        let what = "If it says \"cannot set blockOwnerDeletion\" there, grant the controller the missing \
                    permission:";
        Some(Repair { what: what.to_owned(), ..grant })
    }));
    repairs
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
    Repair::say("Check what it does; if it does nothing, delete it (by force if its node is gone):")
        .run(commands)
}

fn end(members: &GroupMembers) -> Repair {
    let plain = members.workflows.keys().filter(|name| name.is_plain());
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
    Repair::say("Read the log of its pod and the status of its task, as long as they exist:").run(commands)
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
    let mut by_namespace: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    objects(members).for_each(|(namespace, task)| by_namespace.entry(namespace).or_default().push(task));
    let commands = by_namespace.into_iter().flat_map(|(namespace, tasks)| {
        let delete = |tasks: &[&str]| {
            format!("kubectl delete workflowartifactgctasks.argoproj.io -n {namespace} {}", tasks.join(" "))
        };
        tasks.chunks(NAMES).map(delete).collect::<Vec<_>>()
    });
    vec![Repair::say("Check what its spec names (inspect, orphans), then delete it:").run(commands)]
}

/// Returns the step that removes another finalizer.
fn other_finalizer(finalizer: &str, members: &GroupMembers) -> Vec<Repair> {
    if matches!(finalizer, "foregroundDeletion" | "orphan") {
        return vec![Repair::say(
            "Kubernetes itself removes it, once it has handled everything that the workflow owns.",
        )];
    }
    let what = "Find out who added it. Only if nobody will remove it any more:";
    if !finalizer.chars().all(|c| c.is_ascii_alphanumeric() || "-._/".contains(c)) {
        return vec![Repair::say(what)];
    }
    vec![Repair::say(what).run(remove_finalizers(finalizer, members))]
}

/// Returns patches that fail if the finalizer is no longer at its index.
fn remove_finalizers(finalizer: &str, members: &GroupMembers) -> Vec<String> {
    let plain =
        members.objects.iter().filter(|named| is_plain(&named.namespace) && is_plain(&named.workflow));
    let commands = plain.map(|NamedObject { namespace, workflow, object: at }| {
        format!(
            "kubectl patch workflows.argoproj.io -n {namespace} {workflow} --type=json -p \
             '[{{\"op\":\"test\",\"path\":\"/metadata/finalizers/{at}\",\"value\":\"{finalizer}\"}},\
             {{\"op\":\"remove\",\"path\":\"/metadata/finalizers/{at}\"}}]'"
        )
    });
    commands.collect()
}

/// The step for artifacts in a bucket that nothing names any more.
fn by_hand(members: &GroupMembers) -> Repair {
    let what = "Nothing shows the value of the variable. Find the bucket from the run's manifest, and delete \
                the keys of the artifacts there by hand; then remove the finalizer:";
    Repair::say(what).run(remove_finalizers(names::GC_FINALIZER, members))
}

/// Returns the step for storage that neither Argo nor a purge can delete from.
fn elsewhere(members: &GroupMembers) -> Repair {
    let what = "Give such artifacts the strategy Never, and delete their objects with the storage's own \
                means. Once nothing else of these workflows is left to collect, remove the finalizer:";
    Repair::say(what).run(remove_finalizers(names::GC_FINALIZER, members))
}

/// Returns namespace and name of the pods or tasks that the repair names.
fn objects(members: &GroupMembers) -> impl Iterator<Item = (&str, &str)> {
    let objects = members.objects.iter().map(|named| (named.namespace.as_str(), named.object.as_str()));
    objects.filter(|(namespace, object)| is_plain(namespace) && is_plain(object))
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

    #[test]
    fn odd_names_get_no_role() {
        assert_eq!(role(&Account::new("ml", "x\nrules: [{apiGroups: ['*']}]")), None);
    }
}
