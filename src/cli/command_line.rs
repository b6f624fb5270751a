//! The clap command of all verbs, and its parsing.

use crate::cli::purge::heeded;
use crate::cli::{
    completion, diff, doctor, explain, fix, inspect, lint, man, manifest, orphans, purge, references, shards,
    short_help, undo,
};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use std::ffi::OsString;

/// Shows which Argo Workflows artifacts nobody will delete, and deletes them safely
#[derive(Debug, Parser)]
#[command(name = "kubectl argo-gc", bin_name = "kubectl argo-gc", version, max_term_width = 100)]
#[command(after_help = "Examples:
  kubectl argo-gc inspect -A                           what nobody will delete
  kubectl argo-gc explain inline-only                  why, and how to fix it
  kubectl argo-gc fix -f workflow.yaml                 the fix, as a diff
  kubectl argo-gc purge -n ml --older 7d --dry-run     what would be deleted
  kubectl argo-gc purge -n ml --older 7d               asks, and deletes it
  kubectl argo-gc undo JOURNAL                         brings back what it can

Only purge and undo change anything in a cluster or a bucket. kubectl argo-gc COMMAND -h shows a command's flags of every \
day, --help all of them and more examples.

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
        hide_short_help = true,
        help_heading = "Output"
    )]
    pub(crate) verbosity: u8,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    Inspect(Box<inspect::arguments::Arguments>),
    Explain(Box<explain::Arguments>),
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
    /// Prints the version
    #[command(after_help = "Examples:
  kubectl argo-gc version

Exit status: 0 done; 1 error.")]
    Version,
    #[command(hide = true)]
    Man(man::Arguments),
    #[command(hide = true)]
    Shards(shards::Arguments),
}

/// Returns the clap command, with which help, completion and manual pages are made.
pub fn command() -> clap::Command {
    short_help::shorten(Cli::command())
}

/// Parses a command line, and refuses flags that would have no effect.
pub(crate) fn parse(
    arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>,
) -> Result<Cli, clap::Error> {
    let mut command = command();
    let mut typed = command.try_get_matches_from_mut(arguments)?;
    if let Some((name, typed)) = typed.subcommand()
        && let Some(verb) = command.find_subcommand_mut(name)
    {
        match name {
            "purge" => heeded::check(verb, typed)?,
            "manifest" => manifest::admission::check(verb, typed)?,
            _ => {}
        }
    }
    Cli::from_arg_matches_mut(&mut typed).map_err(|error| error.format(&mut command))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use clap::{Arg, Command};
    use std::any::TypeId;
    use std::time::Duration;

    /// What each flag with a number takes, and what it refuses, by the flag's long name. Both ends are here, because a number
    /// beyond what the code expects would end in a panic, or in a limit that is none.
    const NUMBERS: [(&str, &[&str], &[&str]); 22] = [
        ("v", &["0", "255"], &["256", "-1", ""]),
        ("chunk-size", &["0", "4294967295"], &["4294967296", "-1", "1.5", ""]),
        ("request-timeout", &["0", "30", "5m", "36600d"], &["36601d", "-1", "NaN", ""]),
        ("older", &["0", "1s", "36600d"], &["7", "9999999d", "-7d", "NaN", ""]),
        ("newer", &["0", "1s", "36600d"], &["7", "9999999d", "-7d", "NaN", ""]),
        ("quarantine", &["0", "1s", "36600d"], &["7", "9999999d", ""]),
        ("grace", &["0", "1s", "36600d"], &["7", "9999999d", ""]),
        ("margin", &["0", "1s", "36600d"], &["7", "9999999d", ""]),
        ("plan-max-age", &["0", "1s", "36600d"], &["7", "9999999d", ""]),
        ("also-max-age", &["0", "1s", "36600d"], &["7", "9999999d", ""]),
        ("max-objects", &["0", "18446744073709551615"], &["18446744073709551616", "-1", "1e3", ""]),
        ("max-bytes", &["0", "8388607TiB"], &["9999999999999T", "8388609TiB", "-1", "NaN", "inf", ""]),
        ("min-size", &["0", "8388607TiB"], &["9999999999999T", "8388609TiB", "-1", "NaN", "inf", ""]),
        ("keep-last", &["1", "4294967295"], &["0", "4294967296", "-1", ""]),
        ("interval", &["1s", "36600d"], &["0", "7", "9999999d", ""]),
        ("concurrency", &["1", "1024"], &["0", "1025", "-1", ""]),
        ("qps", &["1", "1000000"], &["0", "1000001", "1000000001", "4294967296", "NaN", ""]),
        ("shards", &["1", "250"], &["0", "251", "4294967296", ""]),
        ("shard", &["1/1", "250/250"], &["0/1", "2/1", "1/251", "1/4294967296", "1/0", ""]),
        ("objects", &["0", "18446744073709551615"], &["18446744073709551616", "-1", ""]),
        ("lifecycle", &["1", "36500"], &["0", "36501", "4294967296", ""]),
        ("price", &["0", "0.02", "1e9"], &["-1", "NaN", "inf", ""]),
    ];

    /// Whether a flag's value is a number, or a time made of numbers.
    fn is_number(arg: &Arg) -> bool {
        let types = [
            TypeId::of::<u8>(),
            TypeId::of::<u16>(),
            TypeId::of::<u32>(),
            TypeId::of::<u64>(),
            TypeId::of::<usize>(),
            TypeId::of::<i32>(),
            TypeId::of::<i64>(),
            TypeId::of::<f32>(),
            TypeId::of::<f64>(),
            TypeId::of::<Duration>(),
            TypeId::of::<crate::cli::purge::arguments::Shard>(),
        ];
        // Flags that only count or switch take no value.
        arg.get_action().takes_values() && types.iter().any(|is| arg.get_value_parser().type_id() == *is)
    }

    #[test]
    fn every_number_is_handled_or_refused_at_its_ends() {
        let mut command = command();
        command.build();
        let mut seen = Vec::new();
        for verb in command.get_subcommands().chain([&command]) {
            for arg in verb.get_arguments().filter(|arg| is_number(arg)) {
                let long = arg.get_long().unwrap_or_default();
                let (_, fine, refused) =
                    NUMBERS.iter().find(|(name, ..)| *name == long).unwrap_or_else(|| {
                        panic!("--{long} of {} takes a number: add both its ends here", verb.get_name())
                    });
                let parse = |text: &str| {
                    let alone = Arg::new("n").long("n").value_parser(arg.get_value_parser().clone());
                    Command::new("x").arg(alone).try_get_matches_from(["x", &format!("--n={text}")])
                };
                for text in *fine {
                    assert!(parse(text).is_ok(), "{}: --{long} {text}", verb.get_name());
                }
                for text in *refused {
                    assert!(parse(text).is_err(), "{}: --{long} {text}", verb.get_name());
                }
                seen.push(long.to_owned());
            }
        }
        for (name, ..) in NUMBERS {
            assert!(seen.iter().any(|seen| seen == name), "--{name} is gone");
        }
    }
}
