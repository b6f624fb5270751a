//! The purges that are steps of repairs.

use crate::doctor::members::{GroupMembers, Name};
use crate::doctor::step::{NAMES, Repair};
use crate::reason::Reason;
use std::collections::BTreeMap;

/// A purge as a step of a repair. Its caller words the command.
#[derive(Debug)]
pub struct PurgeStep<'a> {
    /// None for all namespaces.
    pub namespace: Option<&'a str>,
    pub workflows: PurgeOf<'a>,
    /// True if the finalizers are removed as well.
    pub release_finalizers: bool,
}

/// The workflows of a purge.
#[derive(Debug)]
pub enum PurgeOf<'a> {
    Named(&'a [&'a str]),
    /// Those with artifacts of these reasons, however they ended: too many to name.
    Reasons(&'a [Reason]),
}

/// Words the command of a purge.
pub type PurgeCommand<'a> = &'a dyn Fn(&PurgeStep<'_>) -> String;

/// Returns the step that deletes the objects of the stuck workflows, verifies it, and releases their
/// finalizers.
pub(super) fn purge(members: &GroupMembers, command: PurgeCommand<'_>) -> Option<Repair> {
    let commands = purge_commands(members, true, command);
    let what = "Delete what is left, verify that it is gone, and release the finalizers:";
    (!commands.is_empty()).then(|| Repair::say(what).run(commands))
}

/// Returns the step for workflows that completed without the finalizer, which no controller will look at again.
pub(super) fn passed_over(members: &GroupMembers, command: PurgeCommand<'_>) -> Option<Repair> {
    let commands = purge_commands(members, false, command);
    let what = "Those that completed without the finalizer are not processed again; delete what they left:";
    (!commands.is_empty()).then(|| Repair::say(what).run(commands))
}

/// Returns a command for each namespace, which names the workflows that are stuck or (`stuck` is false) not stuck. Too many
/// to name in one are selected by their reason.
fn purge_commands(members: &GroupMembers, stuck: bool, command: PurgeCommand<'_>) -> Vec<String> {
    let these = members.workflows.iter().filter(|(_, is)| **is == stuck).map(|(name, _)| name);
    let by_namespace = by_namespace(these);
    let reasons: Vec<Reason> = members.reasons.iter().copied().collect();
    let run = |namespace: Option<&str>, workflows: PurgeOf<'_>| {
        command(&PurgeStep { namespace, workflows, release_finalizers: stuck })
    };
    if by_namespace.len() > NAMES && !reasons.is_empty() {
        return vec![run(None, PurgeOf::Reasons(&reasons))];
    }
    let of_namespace =
        |(namespace, names): (&str, Vec<&str>)| match names.len() > NAMES && !reasons.is_empty() {
            true => vec![run(Some(namespace), PurgeOf::Reasons(&reasons))],
            false => names.chunks(NAMES).map(|names| run(Some(namespace), PurgeOf::Named(names))).collect(),
        };
    by_namespace.into_iter().flat_map(of_namespace).collect()
}

/// Returns the names that may be part of a command, by namespace.
pub(super) fn by_namespace<'a>(workflows: impl Iterator<Item = &'a Name>) -> BTreeMap<&'a str, Vec<&'a str>> {
    let mut by_namespace: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for Name { namespace, name } in workflows.filter(|name| name.is_plain()) {
        by_namespace.entry(namespace).or_default().push(name);
    }
    by_namespace
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(step: &PurgeStep<'_>) -> String {
        let more = if step.release_finalizers { " --release-finalizer" } else { "" };
        let namespace = step.namespace.unwrap_or("-A");
        match step.workflows {
            PurgeOf::Named(names) => format!("purge {namespace} {}{more}", names.join(" ")),
            PurgeOf::Reasons(reasons) => {
                let codes: Vec<&str> = reasons.iter().map(|reason| reason.code()).collect();
                format!("purge {namespace} --reason {}{more}", codes.join(","))
            }
        }
    }

    /// Stuck workflows: how many in each namespace.
    fn stuck(namespaces: usize, workflows: usize) -> GroupMembers {
        let names = (0..namespaces).flat_map(|namespace| {
            let name = move |n| Name { namespace: format!("n{namespace}"), name: format!("w{n}") };
            (0..workflows).map(name)
        });
        GroupMembers { workflows: names.map(|name| (name, true)).collect(), ..GroupMembers::default() }
    }

    #[test]
    fn odd_names_get_no_command() {
        let odd = Name { namespace: "ml".into(), name: "x; rm".into() };
        let members = GroupMembers { workflows: [(odd, true)].into(), ..GroupMembers::default() };
        assert_eq!(purge(&members, &words), None);
    }

    #[test]
    fn many_names_take_one_command_by_reason() {
        let commands =
            |members: &GroupMembers| purge(members, &words).map(|repair| repair.commands).unwrap_or_default();
        let because =
            |members| GroupMembers { reasons: [Reason::GcRbac, Reason::GcPodLost].into(), ..members };
        assert_eq!(commands(&because(stuck(1, 2))), ["purge n0 w0 w1 --release-finalizer"]);
        let of_reason = "--reason gc-rbac,gc-pod-lost --release-finalizer";
        assert_eq!(commands(&because(stuck(1, 513))), [format!("purge n0 {of_reason}")]);
        assert_eq!(commands(&because(stuck(21, 25))), [format!("purge -A {of_reason}")]);
        // What has no reason of its own is named.
        let named = commands(&stuck(1, 45));
        assert_eq!(named.len(), 3);
        assert!(named[2].ends_with(" w9 --release-finalizer"), "{named:?}");
    }
}
