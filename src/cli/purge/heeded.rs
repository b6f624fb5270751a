//! Decides which flags `purge` takes beside `--plan`, `--resume` and `--engine`. Every other flag is refused there: it
//! would be taken and ignored, and the purge would delete more than its user meant (`docs/dangers.md`, danger 27).

use crate::cli::purge::arguments::Engine;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};

/// These say how the cluster is reached and read.
const CLUSTER: &[&str] = &[
    "verbosity",
    "kubeconfig",
    "context",
    "cluster",
    "user",
    "as_user",
    "as_groups",
    "as_uid",
    "request_timeout",
    "chunk_size",
    "argo_server",
    "argo_base_href",
    "argo_secure",
    "argo_insecure_skip_verify",
    "argo_version",
    "controller_namespace",
    "accept_unread",
    "also",
    "also_max_age",
];

/// These say how storage is reached.
const STORAGE: &[&str] = &[
    "store_root",
    "credentials",
    "gcs_endpoint",
    "endpoint_override",
    "identity",
    "use_workflow_secrets",
    "concurrency",
    "qps",
];

/// These say how a plan is shown, confirmed and carried out.
const CARRYING_OUT: &[&str] = &[
    "output",
    "dry_run",
    "yes",
    "no_record",
    "accept_absent",
    "summary",
    "push",
    "push_label",
    "webhook",
    "webhook_format",
    "webhook_title",
];

/// These limit what is deleted of a plan that was made before.
const LIMITS: &[&str] = &["max_objects", "max_bytes"];

/// These choose a part of a saved plan, whether it is marked or deleted, and name the journal of its run.
const SAVED: &[&str] = &["shard", "quarantine", "journal"];

/// These hand a saved plan over to another engine. [`super::engine::check`] decides which engine takes which flag.
const ENGINE: &[&str] =
    &["plan_max_age", "engine", "engine_out", "plan_location", "shards", "image", "argo_token_secret"];

/// A flag that takes its objects from elsewhere, so that choosing flags have no effect beside it.
struct Mode {
    id: &'static str,
    heeds: &'static [&'static [&'static str]],
    why: &'static str,
}

const PLAN: Mode = Mode {
    id: "plan",
    heeds: &[CLUSTER, STORAGE, CARRYING_OUT, LIMITS, SAVED, ENGINE],
    why: "a saved plan is carried out as it is; give the flag when you save the plan with --plan-out",
};

const RESUME: Mode = Mode {
    id: "resume",
    heeds: &[CLUSTER, STORAGE, CARRYING_OUT, LIMITS],
    why: "an interrupted run is finished with the flags that it began with",
};

const HAND_OVER: Mode = Mode {
    id: "engine",
    heeds: &[CLUSTER, STORAGE, &["plan", "output", "yes"], ENGINE],
    why: "the whole plan is handed over to the engine",
};

impl Mode {
    fn takes(&self, id: &str) -> bool {
        id == self.id || self.heeds.iter().any(|ids| ids.contains(&id))
    }
}

/// What is taken when a saved plan is handed over to an engine.
#[cfg(test)]
pub(crate) fn handed_over() -> Vec<&'static str> {
    HAND_OVER.heeds.iter().flat_map(|ids| ids.iter().copied()).collect()
}

/// The mode that a command line asks for; none if the purge chooses for itself.
fn mode(typed: &ArgMatches) -> Option<Mode> {
    if typed.contains_id(RESUME.id) {
        return Some(RESUME);
    }
    let elsewhere = typed.get_one::<Engine>(HAND_OVER.id).is_some_and(|engine| *engine != Engine::Local);
    typed.contains_id(PLAN.id).then_some(if elsewhere { HAND_OVER } else { PLAN })
}

/// Refuses flags on the command line that have no effect there. `command` is `purge`, as clap has built it.
pub(crate) fn check(command: &mut Command, typed: &ArgMatches) -> Result<(), clap::Error> {
    let Some(mode) = mode(typed) else { return Ok(()) };
    let refused: Vec<String> = command
        .get_arguments()
        .filter(|arg| {
            let id = arg.get_id().as_str();
            !mode.takes(id) && typed.value_source(id) == Some(ValueSource::CommandLine)
        })
        .map(name)
        .collect();
    if refused.is_empty() {
        return Ok(());
    }
    let words = format!("{} cannot be used with --{}: {}", refused.join(", "), mode.id, mode.why);
    Err(command.error(ErrorKind::ArgumentConflict, words))
}

/// An argument as the user knows it.
pub(crate) fn name(arg: &Arg) -> String {
    match arg.get_long() {
        Some(long) => format!("--{long}"),
        None => arg.to_string(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::cli::command_line::{command, parse};
    use std::collections::BTreeSet;

    /// These choose or limit what a purge deletes, so a saved plan has no use for them.
    const CHOOSING: [&str; 25] = [
        "names",
        "all_namespaces",
        "namespace",
        "files",
        "recursive",
        "all",
        "archived",
        "selector",
        "field_selector",
        "artifact",
        "status",
        "prefix",
        "older",
        "newer",
        "instanceid",
        "reason",
        "verdict",
        "only",
        "bucket",
        "policy",
        "keep_last",
        "repository",
        "grace",
        "margin",
        "release_finalizer",
    ];

    /// Other flags without effect beside a plan that was saved.
    const OTHER: [&str; 2] = ["plan_out", "resume"];

    fn ids() -> BTreeSet<String> {
        let purge = command().find_subcommand("purge").unwrap().clone();
        purge.get_arguments().map(|arg| arg.get_id().to_string()).collect()
    }

    #[test]
    fn every_argument_is_either_heeded_or_refused_beside_a_saved_plan() {
        for id in ids() {
            let refused = CHOOSING.contains(&id.as_str()) || OTHER.contains(&id.as_str());
            assert!(
                PLAN.takes(&id) != refused,
                "decide whether `{id}` is heeded beside --plan, and add it to one of the lists of this file"
            );
        }
    }

    #[test]
    fn the_lists_name_arguments_of_purge() {
        let known = ids();
        let listed = [PLAN, RESUME, HAND_OVER].into_iter().flat_map(|mode| mode.heeds).flat_map(|ids| *ids);
        for id in listed.chain(&CHOOSING).chain(&OTHER).filter(|id| **id != "verbosity") {
            assert!(known.contains(*id), "there is no `{id}`");
        }
    }

    #[test]
    fn a_refusal_names_every_flag_and_the_reason() {
        let refusal = |line: &str| {
            let words = ["kubectl argo-gc", "purge"].into_iter().chain(line.split(' '));
            parse(words).map(drop).map_err(|error| error.render().to_string())
        };
        let plan = refusal("--plan p.json -n ci train --grace 1h").unwrap_err();
        assert!(
            plan.starts_with(
                "error: [NAME]..., --grace, --namespace cannot be used with --plan: a saved plan is"
            ),
            "{plan}"
        );
        for (line, words) in [
            ("--resume j.jsonl --grace 1h", "--grace cannot be used with --resume: "),
            ("--resume j.jsonl --engine argo", "--engine cannot be used with --resume: "),
            ("--plan p.json --plan-out q.json", "--plan-out cannot be used with --plan: "),
            ("--plan p.json --engine gcs-batch --shard 1/2", "--shard cannot be used with --engine: "),
        ] {
            let refusal = refusal(line).unwrap_err();
            assert!(refusal.starts_with(&format!("error: {words}")), "{line}: {refusal}");
        }
        for line in [
            "--plan p.json --yes -o json --shard 1/2 --max-objects 9 -v 1 --concurrency 4",
            "--resume j.jsonl --yes --dry-run --context c --accept-unread nodes",
            "-n ci --all --grace 1h",
        ] {
            assert_eq!(refusal(line), Ok(()), "{line}");
        }
    }
}
