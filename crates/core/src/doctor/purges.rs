//! The purges that are steps of repairs.

use crate::doctor::folders::Folders;
use crate::doctor::members::{GroupMembers, Name};
use crate::doctor::step::{NAMES, Repair};
use crate::plan::rules::Allowed;
use crate::reason::Reason;
use std::collections::{BTreeMap, BTreeSet};

/// A purge as a step of a repair. Its caller words the command.
#[derive(Debug)]
pub struct PurgeStep<'a> {
    /// None for all namespaces.
    pub namespace: Option<&'a str>,
    pub workflows: PurgeOf<'a>,
    /// True if the finalizers are removed as well.
    pub release_finalizers: bool,
    /// Places that no repository of a controller covers: a purge deletes there only if its user names them.
    pub places: &'a [&'a str],
}

/// The workflows of a purge.
#[derive(Debug, Clone, Copy)]
pub enum PurgeOf<'a> {
    Named(&'a [&'a str]),
    /// Those with artifacts of these reasons, however they ended: too many to name.
    Reasons(&'a [Reason]),
}

/// What the commands of purges are made with.
#[derive(Clone, Copy)]
pub struct Purges<'a> {
    /// Words the command of a purge.
    pub command: &'a dyn Fn(&PurgeStep<'_>) -> String,
    /// Returns where a purge of a namespace, or of all, deletes by itself.
    pub allowed: &'a dyn Fn(Option<&str>) -> Allowed,
}

/// The most places that a sentence names; each is in its command.
const PLACES: usize = 3;

/// Commands, and the places that their user has to answer for.
#[derive(Default)]
struct Commands {
    texts: Vec<String>,
    places: BTreeSet<String>,
}

/// Returns the step that deletes the objects of the stuck workflows, verifies it, and releases their
/// finalizers.
pub(super) fn purge(members: &GroupMembers, purges: Purges<'_>) -> Option<Repair> {
    let what = "Delete what is left, verify that it is gone, and release the finalizers";
    purge_commands(members, true, purges).step(what)
}

/// Returns the step for workflows that completed without the finalizer, which no controller will look at again.
pub(super) fn passed_over(members: &GroupMembers, purges: Purges<'_>) -> Option<Repair> {
    let what = "Those that completed without the finalizer are not processed again; delete what they left";
    purge_commands(members, false, purges).step(what)
}

impl Commands {
    fn step(self, what: &str) -> Option<Repair> {
        let Self { texts, places } = self;
        let named: Vec<&str> = places.iter().take(PLACES).map(String::as_str).collect();
        let more = match places.len().saturating_sub(PLACES) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let what = match named.is_empty() {
            true => format!("{what}:"),
            false => format!(
                "{what}. No repository of the controllers covers {}{more}: make sure that this is yours to delete:",
                named.join(", ")
            ),
        };
        (!texts.is_empty()).then(|| Repair::say(what).run(texts))
    }
}

/// Returns a command for each namespace, which names the workflows that are stuck or (`stuck` is false) not stuck. Too many
/// to name in one are selected by their reason.
fn purge_commands(members: &GroupMembers, stuck: bool, purges: Purges<'_>) -> Commands {
    let these = members.workflows.iter().filter(|(_, is)| **is == stuck).map(|(name, _)| name);
    let by_namespace = by_namespace(these);
    let reasons: Vec<Reason> = members.reasons.iter().copied().collect();
    let mut commands = Commands::default();
    let mut run = |namespace: Option<&str>, workflows: PurgeOf<'_>| {
        let all = members.folders.iter().filter(|(name, _)| namespace.is_none_or(|is| name.namespace == is));
        let mut folders = Folders::default();
        let named = |name: &Name| match workflows {
            PurgeOf::Named(names) => names.contains(&name.name.as_str()),
            PurgeOf::Reasons(_) => true,
        };
        all.filter(|(name, _)| named(name)).for_each(|(_, of)| folders.absorb(of));
        let outside = folders.outside(&(purges.allowed)(namespace));
        let places: Vec<&str> =
            outside.iter().map(String::as_str).filter(|place| is_plain_place(place)).collect();
        let step = PurgeStep { namespace, workflows, release_finalizers: stuck, places: &places };
        commands.texts.push((purges.command)(&step));
        commands.places.extend(outside);
    };
    if by_namespace.len() > NAMES && !reasons.is_empty() {
        run(None, PurgeOf::Reasons(&reasons));
        return commands;
    }
    for (namespace, names) in by_namespace {
        match names.len() > NAMES && !reasons.is_empty() {
            true => run(Some(namespace), PurgeOf::Reasons(&reasons)),
            false => names.chunks(NAMES).for_each(|names| run(Some(namespace), PurgeOf::Named(names))),
        }
    }
    commands
}

/// Returns true if the address of a place has nothing in it that a shell or a reader takes for something else.
fn is_plain_place(place: &str) -> bool {
    place.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:@".contains(c))
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

    const PURGES: Purges<'static> = Purges { command: &words, allowed: &|_| Allowed::default() };

    fn words(step: &PurgeStep<'_>) -> String {
        let release = if step.release_finalizers { " --release-finalizer" } else { "" };
        let places: String = step.places.iter().map(|place| format!(" --repository {place}")).collect();
        let more = format!("{release}{places}");
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
        assert_eq!(purge(&members, PURGES), None);
    }

    #[test]
    fn a_place_that_no_repository_covers_is_part_of_the_command_and_said() {
        let name = |name: &str| Name { namespace: "ml".into(), name: name.into() };
        let (plain, odd) = (Folders::at("gs://theirs", "wf/pod/"), Folders::at("gs://odd", "x; rm/"));
        let folders = [(name("a"), plain), (name("b"), odd)].into();
        let members = GroupMembers {
            workflows: [(name("a"), true), (name("b"), true)].into(),
            folders,
            ..GroupMembers::default()
        };
        let step = purge(&members, PURGES);
        let (what, commands) = step.map(|step| (step.what, step.commands)).unwrap_or_default();
        assert_eq!(commands, ["purge ml a b --release-finalizer --repository gs://theirs/wf/pod"]);
        assert!(what.contains("gs://theirs/wf/pod") && what.contains("gs://odd/x; rm"), "{what}");
    }

    #[test]
    fn many_names_take_one_command_by_reason() {
        let commands =
            |members: &GroupMembers| purge(members, PURGES).map(|repair| repair.commands).unwrap_or_default();
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
