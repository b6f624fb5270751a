//! The clap command of all verbs, and its parsing.

use crate::cli::purge::heeded;
use crate::cli::{
    completion, diff, doctor, explain, fix, inspect, lint, man, manifest, orphans, purge, references, undo,
};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use std::ffi::OsString;

/// Shows which artifacts of Argo Workflows nobody will delete, and why, and deletes them safely
#[derive(Debug, Parser)]
#[command(name = "kubectl argo-gc", bin_name = "kubectl argo-gc", version, max_term_width = 100)]
#[command(after_help = "Examples:
  kubectl argo-gc inspect -A                            what nobody will delete, and why
  kubectl argo-gc explain inline-only                   why that happens, and how to fix it
  kubectl argo-gc fix -f workflow.yaml                  how to fix a manifest, as a diff
  kubectl argo-gc purge -n ml --older 7d --dry-run      what would be deleted
  kubectl argo-gc purge -n ml --older 7d                shows it, asks, and deletes it
  kubectl argo-gc undo JOURNAL                          brings back what the bucket still holds

Only purge and undo change anything in a cluster or a bucket. kubectl argo-gc COMMAND --help has more examples.

Exit status: 0 done, findings or not; 1 error; 2 wrong usage; 3 --fail-on found something; 4 something could not be \
read, deleted or brought back; 5 refused or not confirmed; 130 interrupted.")]
pub(crate) struct Cli {
    /// Logs requests on standard error, from level 1 on.
    #[arg(
        short,
        long = "v",
        global = true,
        default_value_t = 0,
        value_name = "LEVEL",
        help_heading = "Output"
    )]
    pub(crate) verbosity: u8,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    Inspect(Box<inspect::arguments::Arguments>),
    Explain(explain::Arguments),
    Doctor(Box<doctor::Arguments>),
    Purge(Box<purge::arguments::Arguments>),
    Undo(undo::Arguments),
    Orphans(Box<orphans::Arguments>),
    References(Box<references::Arguments>),
    Lint(Box<lint::Arguments>),
    Fix(Box<fix::Arguments>),
    Diff(diff::Arguments),
    Manifest(manifest::Arguments),
    Completion(completion::Arguments),
    #[command(hide = true)]
    Man(man::Arguments),
}

/// Returns the clap command, with which help and manual pages are made.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Parses a command line, and refuses flags that would have no effect.
pub(crate) fn parse(
    arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>,
) -> Result<Cli, clap::Error> {
    let mut command = command();
    let mut typed = command.try_get_matches_from_mut(arguments)?;
    if let Some((name @ "purge", typed)) = typed.subcommand()
        && let Some(purge) = command.find_subcommand_mut(name)
    {
        heeded::check(purge, typed)?;
    }
    Cli::from_arg_matches_mut(&mut typed).map_err(|error| error.format(&mut command))
}
